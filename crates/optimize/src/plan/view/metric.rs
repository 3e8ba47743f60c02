//! One aggregation function over the values of a bucket.
//!
//! Source: crates/optimize/docs/plans.md, "Metric aggregations" and "No data"
//! (`AvgAggregationES` and its siblings, `AggregationResultMappingUtil`).

use serde_json::{Value, json};

use super::{Measure, MeasureKind};
use crate::plan::aggregations::Aggregations;
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::context::PlanContext;
use crate::report::definition::{Aggregation, AggregationType};

/// An aggregation function each, over the same field or script.
pub struct Metrics {
    /// Begins the names under which they are asked.
    name: &'static str,
    functions: Vec<Aggregation>,
}

impl Metrics {
    /// These functions, in their order.
    pub fn new(name: &'static str, functions: Vec<Aggregation>) -> Self {
        Self { name, functions }
    }

    /// What each of them measures.
    pub fn kinds(&self) -> Vec<MeasureKind> {
        let kind = |function: &Aggregation| MeasureKind::Aggregated(function.kind);
        self.functions.iter().map(kind).collect()
    }

    /// The aggregations of a field or a script.
    pub fn aggregations(&self, source: &Value, context: &PlanContext<'_>) -> Aggregations {
        let functions = self.functions.iter().enumerate();
        functions
            .map(|(position, function)| {
                let aggregation = aggregation_of(function, source, context.percentile_compression);
                (self.name(position), aggregation)
            })
            .collect()
    }

    /// Reads the answers in a bucket.
    ///
    /// # Errors
    /// They are not there.
    pub fn measures(&self, bucket: Bucket<'_>) -> Result<Vec<Measure>, AbsentAggregation> {
        let functions = self.functions.iter().enumerate();
        functions
            .map(|(position, function)| read(function, bucket.sub(&self.name(position))?))
            .collect()
    }

    fn name(&self, position: usize) -> String {
        format!("{}{position}", self.name)
    }
}

/// The aggregation of a field or a script.
pub fn aggregation_of(
    aggregation: &Aggregation,
    source: &Value,
    percentile_compression: Option<u32>,
) -> Value {
    let mut body = source.clone();
    if let (AggregationType::Percentile, Some(members)) = (aggregation.kind, body.as_object_mut()) {
        members.insert("percents".to_owned(), json!([aggregation.value]));
        members.insert("keyed".to_owned(), json!(false));
        if let Some(compression) = percentile_compression {
            let tdigest = json!({ "compression": compression });
            members.insert("tdigest".to_owned(), tdigest);
        }
    }
    let name = match aggregation.kind {
        AggregationType::Avg => "avg",
        AggregationType::Min => "min",
        AggregationType::Max => "max",
        AggregationType::Sum => "sum",
        AggregationType::Percentile => "percentiles",
    };
    json!({ name: body })
}

/// Reads the answer; no data where no document has a value. A sum over no values is 0.
///
/// # Errors
/// It is not there.
pub fn read(aggregation: &Aggregation, answer: Bucket<'_>) -> Result<Measure, AbsentAggregation> {
    match aggregation.kind {
        AggregationType::Percentile => answer.percentile(),
        AggregationType::Avg
        | AggregationType::Min
        | AggregationType::Max
        | AggregationType::Sum => answer.number("value"),
    }
}

/// Rounds a duration to whole milliseconds, halves away from zero (`Precision.round`).
pub fn whole_milliseconds(measure: Measure) -> Measure {
    measure.map(f64::round)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_asked_for_with_the_compression_of_the_server() {
        let median = Aggregation {
            kind: AggregationType::Percentile,
            value: Some(50.0),
        };
        let source = json!({"field": "duration"});
        assert_eq!(
            aggregation_of(&median, &source, None),
            json!({"percentiles": {"field": "duration", "percents": [50.0], "keyed": false}})
        );
        assert_eq!(
            aggregation_of(&median, &source, Some(9999)),
            json!({"percentiles": {"field": "duration", "percents": [50.0], "keyed": false,
                "tdigest": {"compression": 9999}}})
        );
        let largest = Aggregation {
            kind: AggregationType::Max,
            value: None,
        };
        assert_eq!(
            aggregation_of(&largest, &source, Some(9999)),
            json!({"max": {"field": "duration"}})
        );
    }
}
