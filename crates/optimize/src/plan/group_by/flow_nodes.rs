//! By flow node (crates/optimize/docs/groups.md, "Group by flow node"; `ProcessGroupByFlowNodeInterpreterES`).

use super::{Group, Grouping};
use crate::filter::query::FLOW_NODE_INSTANCES;
use crate::plan::PlanError;
use crate::plan::aggregations::{filter, named, nested, terms, with, within};
use crate::plan::answer::Bucket;
use crate::plan::inner::Inner;
use crate::plan::model_groups;
use crate::plan::search::Outermost;
use crate::plan::statistics::Range;

const FLOW_NODES: &str = "flowNodes";

/// By flow node; those that nothing happened in are shown too.
pub struct ByFlowNode;

impl Grouping for ByFlowNode {
    fn needs_models(&self) -> bool {
        true
    }

    fn aggregations(&self, _: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        let context = inner.context;
        let flow_nodes = with(
            terms("flowNodeInstances.flowNodeId", context.bucket_limit),
            inner.aggregations()?,
        );
        let levels = [
            nested(FLOW_NODE_INSTANCES),
            filter(context.model_element_filter()),
        ];
        Ok(within(levels, named(FLOW_NODES, flow_nodes)).into())
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        let flow_nodes = answer.level(2)?.sub(FLOW_NODES)?;
        let elements = &inner.context.models.flow_nodes;
        let groups = model_groups::groups(flow_nodes, elements, &[], inner)?;
        Ok(model_groups::without_hidden(groups, inner))
    }
}
