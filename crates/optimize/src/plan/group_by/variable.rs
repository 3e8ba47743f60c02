//! By the values of a variable (crates/optimize/docs/groups.md, "Group by variable";
//! `AbstractGroupByVariableInterpreterES`).

use super::{Group, Grouping};
use crate::filter::query::FLOW_NODE_INSTANCES;
use crate::filter::variables::VariableQueries;
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, filter, nested, within};
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::plan::inner::Inner;
use crate::plan::search::Outermost;
use crate::plan::statistics::Range;
use crate::plan::variable_buckets::VariableBuckets;
use crate::report::definition::{VariableReference, ViewEntity};
use crate::result::Order;

/// By values, and one group of the instances that have none.
///
/// A view of flow nodes looks at the flow nodes of the instances of a group.
pub struct ByVariable(pub VariableReference);

impl ByVariable {
    fn buckets<'a>(&'a self, context: &'a PlanContext<'_>) -> VariableBuckets<'a> {
        let configuration = &context.report.configuration;
        let ByVariable(VariableReference {
            name,
            variable_type,
        }) = self;
        VariableBuckets {
            queries: VariableQueries::of_process(name, *variable_type),
            variable_type: *variable_type,
            custom_bucket: &configuration.custom_bucket,
            date_unit: configuration.group_by_date_variable_unit,
            leaves_out_smaller: true,
            settings: context.bucket_settings(),
        }
    }
}

fn is_about_instances(context: &PlanContext<'_>) -> bool {
    context.report.view.entity == Some(ViewEntity::ProcessInstance)
}

/// What the view looks at of the instances of a group.
fn looked_at<'a>(
    instances: Bucket<'a>,
    context: &PlanContext<'_>,
) -> Result<Bucket<'a>, PlanError> {
    if is_about_instances(context) {
        Ok(instances)
    } else {
        Ok(instances.level(2)?)
    }
}

impl Grouping for ByVariable {
    fn statistics(&self, context: &PlanContext<'_>) -> Option<Aggregations> {
        self.buckets(context).statistics()
    }

    fn aggregations(&self, range: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        let context = inner.context;
        let mut of_instances = inner.aggregations()?;
        if !is_about_instances(context) {
            let looked_at = filter(context.model_element_filter());
            of_instances = within([nested(FLOW_NODE_INSTANCES), looked_at], of_instances);
        }
        let aggregations = self.buckets(context).aggregations(range, of_instances)?;
        Ok(aggregations.unwrap_or_default().into())
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        let context = inner.context;
        let groups = self.buckets(context).read_with_missing(answer)?;
        let groups = groups.into_iter().map(|(key, instances)| {
            let parts = inner.parts(looked_at(instances, context)?, &[])?;
            Ok(Group::unlabelled(key, parts))
        });
        groups.collect()
    }

    fn order(&self, context: &PlanContext<'_>) -> Order {
        let sorting = context.report.configuration.sorting.as_ref();
        Order::of_variable(self.0.variable_type, sorting)
    }
}
