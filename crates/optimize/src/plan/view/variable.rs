//! The values of a number variable (crates/optimize/docs/plans.md, "Values of a variable").

use serde_json::json;

use super::metric::Metrics;
use super::{Measure, MeasureKind, View};
use crate::filter::query::{all_of, exists};
use crate::filter::variables::VariableQueries;
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, filter, nested, within};
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::context::PlanContext;
use crate::report::definition::{
    Aggregation, DefinitionError, ProcessReportData, VariableReference, ViewProperty,
};

/// Values of the first variable of the report by aggregation functions; they are not rounded.
pub struct VariableView {
    variable: VariableReference,
    metrics: Metrics,
}

impl VariableView {
    pub fn new(
        report: &ProcessReportData,
        aggregations: Vec<Aggregation>,
    ) -> Result<Self, PlanError> {
        let wrong = |what: &str| DefinitionError::part("data.view.properties", what);
        let properties = &report.view.properties;
        let variable = properties.iter().find_map(|property| match property {
            ViewProperty::Variable(variable) => Some(variable.clone()),
            ViewProperty::Frequency
            | ViewProperty::Duration
            | ViewProperty::Percentage
            | ViewProperty::RawData
            | ViewProperty::AutomationRate
            | ViewProperty::InputTokens
            | ViewProperty::OutputTokens
            | ViewProperty::TotalTokens
            | ViewProperty::ToolCalls
            | ViewProperty::Unknown(_) => None,
        });
        let variable = variable
            .ok_or_else(|| wrong("No variable view property found in report configuration"))?;
        if !variable.variable_type.is_numeric() {
            return Err(wrong(
                "Only numeric variable types are supported for reports with view on variables!",
            )
            .into());
        }
        Ok(Self {
            variable,
            metrics: Metrics::new("values", aggregations),
        })
    }
}

impl View for VariableView {
    fn kinds(&self) -> Vec<MeasureKind> {
        self.metrics.kinds()
    }

    fn aggregations(&self, context: &PlanContext<'_>) -> Aggregations {
        let VariableReference {
            name: variable,
            variable_type,
        } = &self.variable;
        let queries = VariableQueries::of_process(variable, *variable_type);
        let field = queries.value_field(*variable_type);
        let mut is_value = queries.identity().to_vec();
        is_value.push(exists(&field));
        let metrics = self
            .metrics
            .aggregations(&json!({ "field": field }), context);
        within([nested(queries.path()), filter(all_of(is_value))], metrics)
    }

    fn measures(&self, bucket: Bucket<'_>) -> Result<Vec<Measure>, AbsentAggregation> {
        self.metrics.measures(bucket.level(2)?)
    }
}
