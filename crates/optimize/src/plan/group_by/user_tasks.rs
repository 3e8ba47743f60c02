//! By user task (crates/optimize/docs/groups.md, "Group by user task"; `ProcessGroupByUserTaskInterpreterES`).

use super::{Group, Grouping};
use crate::filter::is_user_task;
use crate::filter::query::FLOW_NODE_INSTANCES;
use crate::plan::PlanError;
use crate::plan::aggregations::{LEVEL, filter, named, nested, terms, with, within};
use crate::plan::answer::Bucket;
use crate::plan::inner::Inner;
use crate::plan::model_groups;
use crate::plan::search::Outermost;
use crate::plan::statistics::Range;

const GROUPS: &str = "userTasksOfModel";

/// By user task; those that were never reached are shown too.
pub struct ByUserTask;

impl Grouping for ByUserTask {
    fn needs_models(&self) -> bool {
        true
    }

    fn aggregations(&self, _: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        let context = inner.context;
        let user_tasks = with(
            terms("flowNodeInstances.flowNodeId", context.bucket_limit),
            inner.aggregations()?,
        );
        let looked_at = filter(context.model_element_filter());
        // The parts of all groups are those of all user tasks, also of such as the report does not look at.
        let mut all = inner.aggregations_over_all_groups()?;
        all.insert(LEVEL.to_owned(), with(looked_at, named(GROUPS, user_tasks)));
        Ok(within([nested(FLOW_NODE_INSTANCES), filter(is_user_task())], all).into())
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        let expected = inner.all_parts(answer.level(2)?)?;
        let user_tasks = answer.level(3)?.sub(GROUPS)?;
        let elements = &inner.context.models.user_tasks;
        let groups = model_groups::groups(user_tasks, elements, &expected, inner)?;
        Ok(model_groups::without_hidden(groups, inner))
    }
}
