//! By the values of a variable (fact file D2, section 1.12; `AbstractGroupByVariableInterpreterES`).

use super::{Group, Grouping};
use crate::filter::query::FLOW_NODE_INSTANCES;
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, filter, nested, within};
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::plan::inner::Inner;
use crate::plan::statistics::Range;
use crate::plan::variable_buckets::VariableBuckets;
use crate::report::definition::{VariableReference, VariableType, ViewEntity};
use crate::result::{MISSING_KEY, Order};

/// By values, and one group of the instances that have none.
///
/// A view of flow nodes looks at the flow nodes of the instances of a group.
pub struct ByVariable(pub VariableReference);

impl ByVariable {
    fn buckets<'a>(&'a self, context: &'a PlanContext<'_>) -> VariableBuckets<'a> {
        let configuration = &context.report.configuration;
        VariableBuckets {
            variable: &self.0,
            custom_bucket: &configuration.custom_bucket,
            date_unit: configuration.group_by_date_variable_unit,
            leaves_out_smaller: true,
        }
    }
}

fn is_about_instances(context: &PlanContext<'_>) -> bool {
    context.report.view.entity == Some(ViewEntity::ProcessInstance)
}

/// What the view looks at of the instances of a group.
fn looked_at<'a>(instances: Bucket<'a>, context: &PlanContext<'_>) -> Option<Bucket<'a>> {
    if is_about_instances(context) {
        Some(instances)
    } else {
        instances.level(2)
    }
}

impl Grouping for ByVariable {
    fn statistics(&self, context: &PlanContext<'_>) -> Option<Aggregations> {
        self.buckets(context).statistics()
    }

    fn aggregations(&self, range: Range, inner: &Inner<'_>) -> Result<Aggregations, PlanError> {
        let context = inner.context;
        let mut of_instances = inner.aggregations()?;
        if !is_about_instances(context) {
            let looked_at = filter(context.model_element_filter());
            of_instances = within([nested(FLOW_NODE_INSTANCES), looked_at], of_instances);
        }
        let aggregations = self
            .buckets(context)
            .aggregations(context, range, of_instances)?;
        Ok(aggregations.unwrap_or_default())
    }

    /// Instances that have a value which is in no bucket count as missing too, although the group of the missing ones
    /// is then empty; Optimize compares the totals alone.
    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Vec<Group> {
        let context = inner.context;
        let buckets = self.buckets(context);
        let mut groups = buckets.read(answer, context);
        if let Some(missing) = buckets.missing(answer)
            && answer.doc_count() > buckets.instances_with_value(answer)
        {
            groups.push((MISSING_KEY.to_owned(), missing));
        }
        let groups = groups.into_iter().filter_map(|(key, instances)| {
            let parts = inner.parts(looked_at(instances, context)?, &[]);
            Some(Group::unlabelled(key, parts))
        });
        groups.collect()
    }

    /// Dates have their own order, whatever the user wants.
    fn order(&self, context: &PlanContext<'_>) -> Order {
        let sorting = context.report.configuration.sorting.as_ref();
        match self.0.variable_type {
            VariableType::Date => Order::BY_KEY,
            number if number.is_numeric() => Order::BY_NUMERIC_KEY.unless_sorted(sorting),
            _ => Order::BY_KEY.unless_sorted(sorting),
        }
    }
}
