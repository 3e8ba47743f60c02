//! What grouping and distributing by assignee or candidate group have in common.
//!
//! Source: crates/optimize/docs/groups.md, "Group by assignee or candidate group" and "Distributed by assignee or candidate group".

use serde_json::Value;

use super::aggregations::terms_or_missing;
use super::context::PlanContext;
use super::distributed_by::Key;
use crate::filter::query::{all_of, terms};
use crate::report::definition::IdentityField;

/// Key of user tasks without assignee or candidate group.
const UNASSIGNED_KEY: &str = "unassignedUserTasks___";
/// What people read instead (`report.missingAssignee` of Optimize's English texts).
const UNASSIGNED_LABEL: &str = "Unassigned";

/// A bucket per identity; a user task is in that of each of its candidate groups.
pub fn buckets(field: IdentityField, context: &PlanContext<'_>) -> Value {
    let field = match field {
        IdentityField::Assignee => "flowNodeInstances.assignee",
        IdentityField::CandidateGroup => "flowNodeInstances.candidateGroups",
    };
    terms_or_missing(field, context.bucket_limit, UNASSIGNED_KEY)
}

/// The user tasks that are looked at: those of the report that its definitions list.
pub fn user_task_filter(context: &PlanContext<'_>) -> Value {
    all_of(vec![
        context.model_element_filter(),
        is_listed_user_task(context),
    ])
}

/// Of flow nodes that the report looks at, the user tasks that its definitions list.
pub fn is_listed_user_task(context: &PlanContext<'_>) -> Value {
    let user_tasks = context.models.user_tasks.iter();
    let ids = user_tasks.map(|element| element.id.as_str());
    terms("flowNodeInstances.flowNodeId", ids)
}

/// Whether a key stands for nobody.
pub fn is_unassigned(key: &str) -> bool {
    key == UNASSIGNED_KEY
}

/// A key with its label. Names of people are in Optimize's own cache; its fallback is the id.
pub fn key(id: String) -> Key {
    Key {
        label: is_unassigned(&id).then(|| UNASSIGNED_LABEL.to_owned()),
        key: id,
    }
}
