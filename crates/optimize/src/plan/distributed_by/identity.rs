//! By assignee or candidate group (crates/optimize/docs/groups.md, "Distributed by assignee or candidate group";
//! `AbstractProcessDistributedByIdentityInterpreterES`).

use serde_json::Value;

use super::{Distribution, Key, Part};
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, filter, named, with};
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::plan::identities;
use crate::plan::statistics::Range;
use crate::plan::view::{View, without_zero_sums};
use crate::report::definition::IdentityField;

const USER_TASKS: &str = "userTasks";
const IDENTITIES: &str = "identities";

/// By identity; each group shows those of all groups.
pub struct ByIdentity(pub IdentityField);

impl ByIdentity {
    fn identities_of(
        &self,
        user_tasks: Value,
        context: &PlanContext<'_>,
        view: Aggregations,
    ) -> Aggregations {
        let identities = with(identities::buckets(self.0, context), view);
        let identities = named(IDENTITIES, identities);
        named(USER_TASKS, with(filter(user_tasks), identities))
    }
}

/// The identities of a group with their buckets.
fn identities<'a>(group: Bucket<'a>) -> Result<Vec<(Key, Bucket<'a>)>, PlanError> {
    let buckets = group.sub(USER_TASKS)?.sub(IDENTITIES)?.buckets()?;
    let keys = buckets
        .into_iter()
        .map(|bucket| Ok((identities::key(bucket.key()?), bucket)));
    keys.collect()
}

impl Distribution for ByIdentity {
    fn needs_models(&self) -> bool {
        true
    }

    fn aggregations(
        &self,
        context: &PlanContext<'_>,
        _: Range,
        view: Aggregations,
    ) -> Result<Aggregations, PlanError> {
        // Groups are of user tasks that the report looks at.
        let user_tasks = identities::is_listed_user_task(context);
        Ok(self.identities_of(user_tasks, context, view))
    }

    fn aggregations_over_all_groups(
        &self,
        context: &PlanContext<'_>,
        _: Range,
    ) -> Result<Aggregations, PlanError> {
        let user_tasks = identities::user_task_filter(context);
        Ok(self.identities_of(user_tasks, context, Aggregations::new()))
    }

    fn shows_parts_of_all_groups(&self) -> bool {
        true
    }

    fn all_parts(
        &self,
        _: &PlanContext<'_>,
        _: Range,
        all: Bucket<'_>,
    ) -> Result<Vec<Key>, PlanError> {
        Ok(identities(all)?.into_iter().map(|(key, _)| key).collect())
    }

    fn parts(
        &self,
        context: &PlanContext<'_>,
        _: Range,
        group: Bucket<'_>,
        expected: &[Key],
        view: &dyn View,
    ) -> Result<Vec<Part>, PlanError> {
        let mut parts = Vec::new();
        for (key, bucket) in identities(group)? {
            let mut measures = view.measures(bucket)?;
            if identities::is_unassigned(&key.key) {
                without_zero_sums(view, &mut measures);
            }
            parts.push(Part { key, measures });
        }
        let nothing = self.parts_of_nothing(context, expected, view);
        for part in nothing {
            if !parts.iter().any(|found| found.key.key == part.key.key) {
                parts.push(part);
            }
        }
        Ok(parts)
    }
}
