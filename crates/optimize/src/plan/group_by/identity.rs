//! By assignee or candidate group (crates/optimize/docs/groups.md, "Group by assignee or candidate group";
//! `AbstractProcessGroupByIdentityInterpreterES`).

use super::{Group, Grouping};
use crate::filter::query::FLOW_NODE_INSTANCES;
use crate::plan::PlanError;
use crate::plan::aggregations::{filter, named, nested, with, within};
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::plan::identities;
use crate::plan::inner::Inner;
use crate::plan::search::Outermost;
use crate::plan::statistics::Range;
use crate::plan::view::without_zero_sums;
use crate::report::definition::IdentityField;
use crate::result::Order;

const IDENTITIES: &str = "groups";

/// By identity. Those of whom there is nothing to tell, all measures being zero or nothing, are left out.
pub struct ByIdentity(pub IdentityField);

impl Grouping for ByIdentity {
    fn needs_models(&self) -> bool {
        true
    }

    fn aggregations(&self, _: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        let context = inner.context;
        let identities = with(identities::buckets(self.0, context), inner.aggregations()?);
        let levels = [
            nested(FLOW_NODE_INSTANCES),
            filter(identities::user_task_filter(context)),
        ];
        Ok(within(levels, named(IDENTITIES, identities)).into())
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        let mut groups = Vec::new();
        for bucket in answer.level(2)?.sub(IDENTITIES)?.buckets()? {
            let key = identities::key(bucket.key()?);
            let mut parts = inner.measured_parts(bucket, &[])?;
            if identities::is_unassigned(&key.key) {
                for part in &mut parts {
                    without_zero_sums(inner.view, &mut part.measures);
                }
            }
            let mut measures = parts.iter().flat_map(|part| &part.measures);
            if measures.any(|measure| measure.is_some_and(|value| value != 0.0)) {
                groups.push(Group {
                    key,
                    parts: inner.room.keep(parts),
                });
            }
        }
        Ok(groups)
    }

    fn order(&self, context: &PlanContext<'_>) -> Order {
        Order::BY_LABEL.unless_sorted(context.report.configuration.sorting.as_ref())
    }
}
