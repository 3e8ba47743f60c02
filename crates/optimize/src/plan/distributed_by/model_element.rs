//! By flow node or user task: every group shows all of them
//! (crates/optimize/docs/groups.md, "Distributed by flow node or user task";
//! `AbstractProcessDistributedByModelElementInterpreterES`).

use super::{Distribution, Key, Part};
use crate::definitions::ModelElement;
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, named, terms_by_key, with};
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::plan::statistics::Range;
use crate::plan::view::View;
use crate::report::definition::{FilterLevel, MembershipOperator, ProcessFilterKind};

const NAME: &str = "modelElements";

/// By the elements of the model. Buckets of elements that the model does not have are left out.
pub enum ByModelElement {
    /// By flow node.
    FlowNode,
    /// By user task.
    UserTask,
}

impl ByModelElement {
    fn element<'c>(&self, context: &PlanContext<'c>, id: &str) -> Option<&'c ModelElement> {
        let element = context.models.flow_nodes.get(id)?;
        self.shows(element).then_some(element)
    }

    fn shows(&self, element: &ModelElement) -> bool {
        match self {
            Self::FlowNode => true,
            Self::UserTask => element.is_user_task(),
        }
    }
}

/// Whether filters say that an element can't have data, so that it is not shown without.
fn is_filtered_out(element: &ModelElement, context: &PlanContext<'_>) -> bool {
    context
        .report
        .filters
        .iter()
        .any(|filter| match &filter.kind {
            ProcessFilterKind::ExecutedFlowNodes(nodes) => {
                let is_listed = nodes.flow_node_ids.contains(&element.id);
                filter.level == FilterLevel::View
                    && is_listed == (nodes.operator == MembershipOperator::NotIn)
            }
            ProcessFilterKind::Identity(..) => !element.is_user_task(),
            ProcessFilterKind::InstanceDate(..)
            | ProcessFilterKind::FlowNodeDate(..)
            | ProcessFilterKind::InstanceDuration(_)
            | ProcessFilterKind::FlowNodeDuration(_)
            | ProcessFilterKind::Variable(_)
            | ProcessFilterKind::MultipleVariable(_)
            | ProcessFilterKind::ExecutingFlowNodes(_)
            | ProcessFilterKind::CanceledFlowNodes(_)
            | ProcessFilterKind::InstanceState(_)
            | ProcessFilterKind::Incident(_)
            | ProcessFilterKind::FlowNodeStatus(_)
            | ProcessFilterKind::HasAgentInstances => false,
        })
}

fn key_of(element: &ModelElement) -> Key {
    Key {
        key: element.id.clone(),
        label: element.name.clone(),
    }
}

impl Distribution for ByModelElement {
    fn needs_models(&self) -> bool {
        true
    }

    fn aggregations(
        &self,
        context: &PlanContext<'_>,
        _: Range,
        view: Aggregations,
    ) -> Result<Aggregations, PlanError> {
        let elements = terms_by_key("flowNodeInstances.flowNodeId", context.bucket_limit);
        Ok(named(NAME, with(elements, view)))
    }

    fn parts(
        &self,
        context: &PlanContext<'_>,
        _: Range,
        group: Bucket<'_>,
        _: &[Key],
        view: &dyn View,
    ) -> Result<Vec<Part>, PlanError> {
        let mut parts = Vec::new();
        for bucket in group.sub(NAME)?.buckets()? {
            if let Some(element) = self.element(context, &bucket.key()?) {
                parts.push(Part {
                    key: key_of(element),
                    measures: view.measures(bucket)?,
                });
            }
        }
        let has_data: std::collections::HashSet<String> =
            parts.iter().map(|part| part.key.key.clone()).collect();
        let without_data = context.models.flow_nodes.iter().filter(|element| {
            self.shows(element)
                && !has_data.contains(&element.id)
                && !is_filtered_out(element, context)
        });
        parts.extend(without_data.map(|element| Part {
            key: key_of(element),
            measures: view.measures_of_nothing(),
        }));
        Ok(parts)
    }
}
