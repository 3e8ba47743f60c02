//! One aggregation function over the values of a bucket.
//!
//! Source: fact file D1, section 5 (`AvgAggregationES` and its siblings, `AggregationResultMappingUtil`); the
//! contract's rows on no data.

use serde_json::{Value, json};

use super::Measure;
use crate::plan::answer::Bucket;
use crate::report::definition::{Aggregation, AggregationType};

/// The aggregation of a field or a script.
pub fn aggregation_of(aggregation: &Aggregation, source: &Value) -> Value {
    let mut body = source.clone();
    if let (AggregationType::Percentile, Some(members)) = (aggregation.kind, body.as_object_mut()) {
        members.insert("percents".to_owned(), json!([aggregation.value]));
        members.insert("keyed".to_owned(), json!(false));
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
pub fn read(aggregation: &Aggregation, answer: Bucket<'_>) -> Measure {
    match aggregation.kind {
        AggregationType::Percentile => answer.percentile(),
        _ => answer.number("value"),
    }
}

/// Rounds a duration to whole milliseconds, halves away from zero (`Precision.round`).
pub fn whole_milliseconds(measure: Measure) -> Measure {
    measure.map(f64::round)
}
