//! By the flow node of an incident (crates/optimize/docs/groups.md, "Group by flow node of an incident";
//! `GroupByIncidentFlowNodeInterpreterES`).

use super::none::incidents;
use super::{Group, Grouping};
use crate::plan::PlanError;
use crate::plan::aggregations::{named, terms, with};
use crate::plan::answer::Bucket;
use crate::plan::inner::Inner;
use crate::plan::model_groups;
use crate::plan::search::Outermost;
use crate::plan::statistics::Range;

const FLOW_NODES: &str = "flowNodes";

/// By flow node; those without incidents are shown too, also those that a heat map hides.
pub struct ByFlowNodeOfIncident;

impl Grouping for ByFlowNodeOfIncident {
    fn needs_models(&self) -> bool {
        true
    }

    fn aggregations(&self, _: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        let flow_nodes = with(
            terms("incidents.activityId", inner.context.bucket_limit),
            inner.aggregations()?,
        );
        Ok(incidents(inner.context, named(FLOW_NODES, flow_nodes)).into())
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        let flow_nodes = answer.level(2)?.sub(FLOW_NODES)?;
        model_groups::groups(flow_nodes, &inner.context.models.flow_nodes, &[], inner)
    }
}
