//! What has to be known before buckets can be made: the smallest and the largest value.
//!
//! Source: crates/optimize/docs/buckets.md, "Minimum and maximum" (`MinMaxStatsServiceES`, `MinMaxStatDto`).

use serde_json::{Value, json};

use super::aggregations::{Aggregations, named};
use super::answer::Bucket;

const FIRST: &str = "statistics";
const SECOND: &str = "statisticsOfSecondField";

/// Asks for the smallest and the largest value of a field, or of a script.
pub fn statistics_of(source: &Value) -> Aggregations {
    named(FIRST, json!({ "stats": source }))
}

/// Asks for the smallest and the largest value of two fields together.
pub fn statistics_of_fields(first: &str, second: &str) -> Aggregations {
    let mut aggregations = statistics_of(&json!({"field": first}));
    aggregations.insert(SECOND.to_owned(), json!({"stats": {"field": second}}));
    aggregations
}

/// From the smallest to the largest value; `None` where there is no value.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Range {
    /// The smallest value.
    pub min: Option<f64>,
    /// The largest value.
    pub max: Option<f64>,
}

impl Range {
    /// Reads the answer to what [`statistics_of`] or [`statistics_of_fields`] asked, within whatever levels.
    pub fn read(answer: Bucket<'_>) -> Self {
        let answer = answer.innermost_level();
        let of = |name: &str, which: fn(f64, f64) -> f64| {
            let numbers = [FIRST, SECOND].map(|field| answer.sub(field)?.number(name));
            numbers.into_iter().flatten().reduce(which)
        };
        Self {
            min: of("min", f64::min),
            max: of("max", f64::max),
        }
    }

    /// Both ends, if there are values.
    pub fn ends(&self) -> Option<(f64, f64)> {
        self.min.zip(self.max)
    }

    /// Both ends as whole numbers.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of what is too large saturates"
    )]
    pub fn whole_ends(&self) -> Option<(i64, i64)> {
        let (min, max) = self.ends()?;
        Some((min.round() as i64, max.round() as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::Answer;
    use super::*;

    fn range(aggregations: Value) -> Range {
        let answer: Answer = serde_json::from_value(
            json!({"hits": {"total": {"value": 0}}, "aggregations": aggregations}),
        )
        .unwrap();
        Range::read(answer.root())
    }

    #[test]
    fn two_fields_have_one_range() {
        let both = range(json!({
            "statistics": {"count": 2, "min": 5.0, "max": 7.0},
            "statisticsOfSecondField": {"count": 1, "min": 6.0, "max": 9.0}}));
        assert_eq!(both.ends(), Some((5.0, 9.0)));
        let running = range(json!({
            "statistics": {"count": 2, "min": 5.0, "max": 7.0},
            "statisticsOfSecondField": {"count": 0, "min": null, "max": null}}));
        assert_eq!(running.ends(), Some((5.0, 7.0)));
    }

    #[test]
    fn statistics_are_found_in_their_levels() {
        let found = range(json!({"level": {"doc_count": 1, "level": {"doc_count": 1,
            "statistics": {"count": 1, "min": 1.0, "max": 1.0}}}}));
        assert_eq!(found.ends(), Some((1.0, 1.0)));
        assert_eq!(range(json!({})), Range::default());
    }
}
