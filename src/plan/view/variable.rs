//! The values of a number variable (fact file D1, section 6.6).

use serde_json::json;

use super::{Measure, MeasureKind, View, metric};
use crate::filter::query::{all_of, exists};
use crate::filter::variables::VariableQueries;
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, filter, nested, within};
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::report::definition::{
    Aggregation, DefinitionError, ProcessReportData, VariableReference, ViewProperty,
};

/// Values of the first variable of the report by aggregation functions; they are not rounded.
pub struct VariableView {
    variable: VariableReference,
    aggregations: Vec<Aggregation>,
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
            _ => None,
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
            aggregations,
        })
    }
}

fn name(position: usize) -> String {
    format!("values{position}")
}

impl View for VariableView {
    fn kinds(&self) -> Vec<MeasureKind> {
        let aggregations = self.aggregations.iter();
        aggregations
            .map(|aggregation| MeasureKind::Aggregated(aggregation.kind))
            .collect()
    }

    fn aggregations(&self, _: &PlanContext<'_>) -> Aggregations {
        let VariableReference {
            name: variable,
            variable_type,
        } = &self.variable;
        let queries = VariableQueries::of_process(variable, *variable_type);
        let field = queries.value_field(*variable_type);
        let mut is_value = queries.identity().to_vec();
        is_value.push(exists(&field));
        let source = json!({ "field": field });
        let metrics = self.aggregations.iter().enumerate();
        let metrics = metrics
            .map(|(position, aggregation)| {
                (name(position), metric::aggregation_of(aggregation, &source))
            })
            .collect();
        within([nested(queries.path()), filter(all_of(is_value))], metrics)
    }

    fn measures(&self, bucket: Bucket<'_>) -> Vec<Measure> {
        let values = bucket.level(2);
        let aggregations = self.aggregations.iter().enumerate();
        aggregations
            .map(|(position, aggregation)| metric::read(aggregation, values?.sub(&name(position))?))
            .collect()
    }
}
