//! The figures of two answers, to see that they are the same.

use serde_json::Value;

/// How much figures may differ: durations of what still runs are measured at two moments, and the service rounds to milliseconds.
const TOLERANCE: f64 = 1e-5;

/// The figures of the aggregations of this name, wherever they are in an answer: values, a percentile, or a number of documents. What has
/// no value is left out.
pub(super) fn of_aggregations(answer: &Value, name: &str) -> Vec<f64> {
    let mut figures = Vec::new();
    collect(answer, name, &mut figures);
    figures
}

fn collect(answer: &Value, name: &str, figures: &mut Vec<f64>) {
    match answer {
        Value::Object(members) => {
            for (member, value) in members {
                if member == name {
                    figures.extend(of_metric(value));
                } else {
                    collect(value, name, figures);
                }
            }
        }
        Value::Array(elements) => {
            for element in elements {
                collect(element, name, figures);
            }
        }
        _ => {}
    }
}

fn of_metric(metric: &Value) -> Option<f64> {
    let percentiles = metric.get("values").and_then(Value::as_object);
    percentiles
        .and_then(|values| values.values().next())
        .or_else(|| metric.get("value"))
        .or_else(|| metric.get("doc_count"))?
        .as_f64()
}

/// The figures of the `data` of a result: a number, a map or a hyper map. What has no value is left out.
pub(super) fn of_result(data: &Value) -> Vec<f64> {
    match data {
        Value::Array(entries) => {
            let values = entries.iter().filter_map(|entry| entry.get("value"));
            values.flat_map(of_result).collect()
        }
        number => number.as_f64().into_iter().collect(),
    }
}

/// Whether these are the same figures, whatever their order; of groups that only one result shows, zeros don't count.
pub(super) fn are_same(one: &[f64], other: &[f64]) -> bool {
    let sorted = |figures: &[f64]| {
        let mut figures: Vec<f64> = figures.iter().copied().filter(|f| *f != 0.0).collect();
        figures.sort_by(f64::total_cmp);
        figures
    };
    let (one, other) = (sorted(one), sorted(other));
    let mut pairs = one.iter().zip(&other);
    one.len() == other.len() && pairs.all(|(a, b)| (a - b).abs() <= 1.0 + a.abs() * TOLERANCE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn figures_of_aggregations_are_found_by_name() {
        let answer = json!({"aggregations": {"groups": {"buckets": [
            {"key": "a", "doc_count": 3, "measure": {"value": 2.5}},
            {"key": "b", "doc_count": 1, "measure": {"value": null}},
            {"key": "c", "doc_count": 2, "measure": {"values": {"95.0": 7.0}}, "beside": {"value": 9.0}},
            {"key": "d", "doc_count": 4, "measure": {"doc_count": 4}},
        ]}}});
        assert_eq!(of_aggregations(&answer, "measure"), [2.5, 7.0, 4.0]);
    }

    #[test]
    fn figures_of_a_result_are_those_of_its_entries() {
        let entry = |value: Value| json!({"key": "k", "value": value, "label": "k"});
        let map = json!([entry(json!(1.0)), entry(json!(null)), entry(json!(2.0))]);
        assert_eq!(of_result(&map), [1.0, 2.0]);
        assert_eq!(of_result(&json!([entry(map)])), [1.0, 2.0]);
        assert_eq!(of_result(&json!(3.0)), [3.0]);
    }

    #[test]
    fn the_same_figures_may_come_in_another_order_and_rounded() {
        assert!(are_same(&[2.0, 1e9, 0.0], &[1e9 + 100.0, 2.4]));
        assert!(!are_same(&[2.0, 1e9], &[1e9]));
        assert!(!are_same(&[1e9], &[1.1e9]));
    }
}
