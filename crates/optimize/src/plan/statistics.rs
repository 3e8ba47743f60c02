//! What has to be known before buckets can be made: the smallest and the largest value.
//!
//! Source: crates/optimize/docs/buckets.md, "Minimum and maximum" (`MinMaxStatsServiceES`, `MinMaxStatDto`).

use serde_json::{Value, json};

use super::aggregations::{Aggregations, named};
use super::answer::{AbsentAggregation, Bucket};

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
    /// Reads the answer to what [`statistics_of`] asked, within whatever levels.
    ///
    /// # Errors
    /// There is no such answer.
    pub fn read(answer: Bucket<'_>) -> Result<Self, AbsentAggregation> {
        Self::of_statistics(answer.innermost_level().sub(FIRST)?)
    }

    /// Reads the answer to what [`statistics_of_fields`] asked: the range of both.
    ///
    /// # Errors
    /// There is no such answer.
    pub fn read_of_fields(answer: Bucket<'_>) -> Result<Self, AbsentAggregation> {
        let first = Self::of_statistics(answer.sub(FIRST)?)?;
        let second = Self::of_statistics(answer.sub(SECOND)?)?;
        let of = |values: [Option<f64>; 2], which: fn(f64, f64) -> f64| {
            values.into_iter().flatten().reduce(which)
        };
        Ok(Self {
            min: of([first.min, second.min], f64::min),
            max: of([first.max, second.max], f64::max),
        })
    }

    fn of_statistics(statistics: Bucket<'_>) -> Result<Self, AbsentAggregation> {
        Ok(Self {
            min: statistics.number("min")?,
            max: statistics.number("max")?,
        })
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

    fn read(
        aggregations: Value,
        read: fn(Bucket<'_>) -> Result<Range, AbsentAggregation>,
    ) -> Result<Range, String> {
        let answer: Answer = serde_json::from_value(
            json!({"hits": {"total": {"value": 0}}, "aggregations": aggregations}),
        )
        .unwrap();
        read(answer.root()).map_err(|error| error.to_string())
    }

    #[test]
    fn two_fields_have_one_range() {
        let range = |second: Value| {
            let first = json!({"count": 2, "min": 5.0, "max": 7.0});
            let both = json!({"statistics": first, "statisticsOfSecondField": second});
            read(both, Range::read_of_fields).map(|range| range.ends())
        };
        let later = json!({"count": 1, "min": 6.0, "max": 9.0});
        assert_eq!(range(later), Ok(Some((5.0, 9.0))));
        let running = json!({"count": 0, "min": null, "max": null});
        assert_eq!(range(running), Ok(Some((5.0, 7.0))));
    }

    #[test]
    fn statistics_are_found_in_their_levels() {
        let statistics = json!({"statistics": {"count": 1, "min": 1.0, "max": 1.0}});
        let found = read(json!({"level": {"level": statistics}}), Range::read);
        assert_eq!(found.map(|range| range.ends()), Ok(Some((1.0, 1.0))));
    }

    #[test]
    fn statistics_that_are_not_there_are_no_empty_range() {
        let absent = |name: &str| {
            Err(format!(
                "Elasticsearch's answer has no `{name}`, which was asked for"
            ))
        };
        assert_eq!(
            read(json!({"level": {"doc_count": 1}}), Range::read),
            absent("statistics")
        );
        let half = json!({"statistics": {"count": 1, "min": 1.0}});
        assert_eq!(read(half, Range::read), absent("max"));
        let first = json!({"statistics": {"count": 1, "min": 1.0, "max": 1.0}});
        assert_eq!(
            read(first, Range::read_of_fields),
            absent("statisticsOfSecondField")
        );
    }
}
