//! By the values of an input or an output (crates/optimize/docs/decisions.md, "Group by input or output";
//! `AbstractGroupByVariableInterpreterES`).

use super::{DecisionContext, DecisionGrouping};
use crate::filter::variables::VariableQueries;
use crate::plan::PlanError;
use crate::plan::aggregations::Aggregations;
use crate::plan::answer::Bucket;
use crate::plan::statistics::Range;
use crate::plan::variable_buckets::VariableBuckets;
use crate::report::definition::{DecisionVariable, VariableType};
use crate::result::Order;

/// By values, and one group of the instances that have none.
///
/// A value whose clause is stored with another type than the report names does not count, as if it were not there.
pub struct ByVariable {
    queries: VariableQueries,
    variable_type: VariableType,
}

impl ByVariable {
    /// By the values of an input.
    pub fn input(input: &DecisionVariable) -> Self {
        Self::of(
            VariableQueries::of_decision_input(&input.id),
            input.variable_type,
        )
    }

    /// By the values of an output. An instance counts once for each of its values, however often it has them.
    pub fn output(output: &DecisionVariable) -> Self {
        Self::of(
            VariableQueries::of_decision_output(&output.id),
            output.variable_type,
        )
    }

    fn of(queries: VariableQueries, variable_type: VariableType) -> Self {
        Self {
            queries: queries.of_type(variable_type),
            variable_type,
        }
    }

    fn buckets<'a>(&self, context: &'a DecisionContext<'_>) -> VariableBuckets<'a> {
        let configuration = context.configuration();
        VariableBuckets {
            queries: self.queries.clone(),
            variable_type: self.variable_type,
            custom_bucket: &configuration.custom_bucket,
            date_unit: configuration.group_by_date_variable_unit,
            leaves_out_smaller: true,
            settings: context.bucket_settings(),
        }
    }
}

impl DecisionGrouping for ByVariable {
    fn statistics(&self, context: &DecisionContext<'_>) -> Option<Aggregations> {
        self.buckets(context).statistics()
    }

    fn aggregations(
        &self,
        context: &DecisionContext<'_>,
        range: Range,
    ) -> Result<Aggregations, PlanError> {
        let aggregations = self
            .buckets(context)
            .aggregations(range, Aggregations::new())?;
        Ok(aggregations.unwrap_or_default())
    }

    fn groups<'a>(
        &self,
        context: &DecisionContext<'_>,
        answer: Bucket<'a>,
    ) -> Result<Vec<(String, Bucket<'a>)>, PlanError> {
        self.buckets(context).read_with_missing(answer)
    }

    fn order(&self, context: &DecisionContext<'_>) -> Order {
        Order::of_variable(self.variable_type, context.configuration().sorting.as_ref())
    }
}
