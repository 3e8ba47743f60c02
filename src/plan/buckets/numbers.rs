//! Buckets of number variables.
//!
//! Source: fact file D2, section 2.7 (`NumberVariableAggregationServiceES`).

use serde_json::{Value, json};

use super::{AUTOMATIC_BUCKETS, round_down_to_power_of_ten, round_up_to_power_of_ten};
use crate::plan::statistics::Range;
use crate::report::definition::{CustomBucket, VariableType};

/// A histogram of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberBuckets {
    /// Start of the first bucket.
    pub start: f64,
    /// The largest number, which has to have a bucket.
    pub end: f64,
    /// Width of a bucket.
    pub interval: f64,
    has_fraction: bool,
}

impl NumberBuckets {
    /// The buckets for numbers of this range; `None` where there are no numbers, or none from the start that the user
    /// chose on. Units don't count; a width that is none is as good as no width.
    pub fn new(variable_type: VariableType, custom: &CustomBucket, range: Range) -> Option<Self> {
        let (min, end) = range.ends()?;
        let has_fraction = variable_type == VariableType::Double;
        let baseline = custom.baseline.filter(|_| custom.active);
        let size = custom
            .bucket_size
            .filter(|size| custom.active && *size > 0.0);
        let start = baseline.unwrap_or_else(|| round_down_to_power_of_ten(min));
        let interval = size.unwrap_or_else(|| automatic_interval((end - start).abs()));
        (baseline.is_none() || start <= end).then_some(Self {
            start,
            end,
            interval: if has_fraction {
                interval
            } else {
                interval.ceil()
            },
            has_fraction,
        })
    }

    /// The histogram of a field.
    pub fn aggregation(&self, field: &str) -> Value {
        json!({"histogram": {
            "field": field,
            "interval": self.interval,
            "offset": self.start,
            "format": if self.has_fraction { "0.00" } else { "0" },
            "extended_bounds": {"min": self.start, "max": self.end},
        }})
    }

    /// Keeps the numbers that have a bucket at or after the first one.
    pub fn limiting_clause(&self, field: &str) -> Value {
        json!({"range": {field: {"gte": self.start, "lte": self.end}}})
    }
}

/// About 80 buckets at most, of a width that is a power of ten.
fn automatic_interval(span: f64) -> f64 {
    let width = span / f64::from(AUTOMATIC_BUCKETS - 1);
    if width == 0.0 {
        1.0
    } else {
        round_up_to_power_of_ten(width)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn custom(baseline: Option<f64>, size: Option<f64>) -> CustomBucket {
        CustomBucket {
            active: true,
            bucket_size: size,
            baseline,
            ..CustomBucket::default()
        }
    }

    fn buckets(
        variable_type: VariableType,
        custom: &CustomBucket,
        min: f64,
        max: f64,
    ) -> Option<(f64, f64)> {
        let range = Range {
            min: Some(min),
            max: Some(max),
        };
        NumberBuckets::new(variable_type, custom, range).map(|b| (b.start, b.interval))
    }

    #[test]
    fn automatic_buckets() {
        let whole = |min, max| buckets(VariableType::Integer, &CustomBucket::default(), min, max);
        assert_eq!(whole(1.0, 1.0), Some((1.0, 1.0)));
        assert_eq!(whole(5.0, 5.0), Some((1.0, 1.0)));
        assert_eq!(whole(-5.0, -1.0), Some((-10.0, 1.0)));
        let doubles = |min, max| buckets(VariableType::Double, &CustomBucket::default(), min, max);
        assert_eq!(doubles(10.0, 20.0), Some((10.0, 1.0)));
        assert_eq!(doubles(1.0, 1.5), Some((1.0, 0.01)));
        let (start, interval) =
            buckets(VariableType::Long, &CustomBucket::default(), -9e18, 9e18).unwrap();
        assert_eq!((start, interval), (-1e19, 1e18));
    }

    #[test]
    fn buckets_of_the_user() {
        let of = |variable_type, baseline, size| {
            buckets(variable_type, &custom(baseline, size), 10.0, 300.0)
        };
        assert_eq!(
            of(VariableType::Double, Some(10.0), Some(100.0)),
            Some((10.0, 100.0))
        );
        assert_eq!(of(VariableType::Double, Some(301.0), Some(100.0)), None);
        assert_eq!(of(VariableType::Double, None, Some(0.5)), Some((10.0, 0.5)));
        assert_eq!(of(VariableType::Short, None, Some(0.5)), Some((10.0, 1.0)));
        assert_eq!(
            of(VariableType::Long, Some(-10.0), None),
            Some((-10.0, 10.0))
        );
        assert_eq!(
            of(VariableType::Long, Some(-10.0), Some(-1.0)),
            Some((-10.0, 10.0))
        );
    }

    #[test]
    fn without_numbers_there_are_no_buckets() {
        let none = NumberBuckets::new(
            VariableType::Long,
            &CustomBucket::default(),
            Range::default(),
        );
        assert_eq!(none, None);
    }

    #[test]
    fn keys_have_two_decimals_or_none() {
        let range = Range {
            min: Some(1.0),
            max: Some(2.0),
        };
        for (variable_type, format) in [(VariableType::Double, "0.00"), (VariableType::Short, "0")]
        {
            let buckets =
                NumberBuckets::new(variable_type, &custom(Some(1.0), Some(1.0)), range).unwrap();
            assert_eq!(
                buckets.aggregation("f"),
                json!({"histogram": {"field": "f", "interval": 1.0, "offset": 1.0, "format": format,
                    "extended_bounds": {"min": 1.0, "max": 2.0}}})
            );
            assert_eq!(
                buckets.limiting_clause("f"),
                json!({"range": {"f": {"gte": 1.0, "lte": 2.0}}})
            );
        }
    }

    proptest! {
        #[test]
        fn automatic_buckets_are_not_many(min in -1e9..1e9_f64, span in 0.0..1e9_f64) {
            let (start, interval) = buckets(VariableType::Double, &CustomBucket::default(), min, min + span).unwrap();
            prop_assert!(start <= min);
            prop_assert!(interval > 0.0);
            prop_assert!((min + span - start) / interval <= 80.0);
        }
    }
}
