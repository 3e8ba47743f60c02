//! Buckets of durations, in milliseconds.
//!
//! Source: crates/optimize/docs/buckets.md, "Duration buckets" (`DurationAggregationService`).

use serde_json::{Value, json};

use super::{
    AUTOMATIC_BUCKETS, finest_interval, refuse_too_many, round_down_to_power_of_ten,
    round_up_to_power_of_ten,
};
use crate::java;
use crate::plan::PlanError;
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::statistics::Range;
use crate::report::definition::{BucketUnit, CustomBucket, DefinitionError};

/// A histogram of durations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DurationBuckets {
    /// Start of the first bucket.
    pub start: f64,
    /// The longest duration, which has to have a bucket.
    pub end: f64,
    /// Width of a bucket.
    pub interval: f64,
}

impl DurationBuckets {
    /// The buckets for durations of this range; `None` where there are no durations, or none from the start that the
    /// user chose on.
    ///
    /// # Errors
    /// The user's buckets have no width, or there would be more of them than Elasticsearch makes.
    pub fn new(custom: &CustomBucket, range: Range) -> Result<Option<Self>, PlanError> {
        let Some((min, end)) = range.ends() else {
            return Ok(None);
        };
        let buckets = if custom.active {
            let in_millis = |value: Option<f64>, unit: Option<BucketUnit>, default: f64| {
                value.map_or(default, |value| {
                    value * unit.map_or(1.0, BucketUnit::millis)
                })
            };
            let interval = in_millis(custom.bucket_size, custom.bucket_size_unit, 1.0);
            if interval.is_nan() || interval <= 0.0 {
                return Err(no_width());
            }
            Self {
                start: in_millis(custom.baseline, custom.baseline_unit, 0.0),
                end,
                interval,
            }
        } else {
            let start = round_down_to_power_of_ten(min);
            Self {
                start,
                end,
                interval: automatic_interval(end - start),
            }
        };
        if buckets.start.is_nan() || buckets.start > end {
            return Ok(None);
        }
        let finest = finest_interval(buckets.start, end);
        let buckets = Self {
            interval: buckets.interval.max(finest).min(f64::MAX),
            ..buckets
        };
        refuse_too_many(buckets.start, end, buckets.interval)?;
        Ok(Some(buckets))
    }

    /// The histogram of what a script calculates.
    pub fn aggregation(&self, script: &Value) -> Value {
        json!({"histogram": {
            "script": script,
            "interval": self.interval,
            "offset": self.start,
            "extended_bounds": {"min": self.start, "max": self.end},
        }})
    }

    /// The shortest duration that counts: the start, in whole milliseconds.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a fraction is cut off, as in Java"
    )]
    pub fn shortest(&self) -> i64 {
        self.start as i64
    }
}

/// 80 buckets or somewhat more, of a width that is a power of ten.
fn automatic_interval(span: f64) -> f64 {
    let points = f64::from(AUTOMATIC_BUCKETS);
    if span <= points {
        return 1.0;
    }
    // Java's cast to `int` saturates, both of the width and of the power of ten above it.
    let largest = f64::from(i32::MAX);
    let width = (span / points).ceil().min(largest);
    round_up_to_power_of_ten(width).min(largest)
}

fn no_width() -> PlanError {
    DefinitionError::part(
        "data.configuration.customBucket.bucketSize",
        "is not above 0; a bucket needs a width",
    )
    .into()
}

/// The key of a bucket: its start as Java spells it.
///
/// # Errors
/// It has no number as key.
pub fn key(bucket: &Bucket<'_>) -> Result<String, AbsentAggregation> {
    match bucket.numeric_key()? {
        Some(start) => Ok(java::double_to_string(start)),
        None => bucket.key(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(min: f64, max: f64) -> Range {
        Range {
            min: Some(min),
            max: Some(max),
        }
    }

    fn automatic(min: f64, max: f64) -> (f64, f64, f64) {
        let buckets = DurationBuckets::new(&CustomBucket::default(), range(min, max));
        let buckets = buckets.unwrap().unwrap();
        let count = ((buckets.end - buckets.start) / buckets.interval).floor() + 1.0;
        (buckets.start, buckets.interval, count)
    }

    fn custom(baseline: Option<f64>, size: Option<f64>, unit: Option<BucketUnit>) -> CustomBucket {
        CustomBucket {
            active: true,
            bucket_size: size,
            bucket_size_unit: unit,
            baseline,
            baseline_unit: unit,
        }
    }

    #[test]
    fn automatic_buckets() {
        assert_eq!(automatic(1000.0, 1000.0), (1000.0, 1.0, 1.0));
        assert_eq!(automatic(1000.0, 1079.0), (1000.0, 1.0, 80.0));
        assert_eq!(automatic(1401.0, 2004.0), (1000.0, 100.0, 11.0));
        assert_eq!(automatic(1000.0, 5000.0), (1000.0, 100.0, 41.0));
        assert_eq!(automatic(1401.0, 1401.0), (1000.0, 10.0, 41.0));
        assert_eq!(automatic(0.0, 0.0), (0.0, 1.0, 1.0));
        assert_eq!(automatic(0.0, 80.0), (0.0, 1.0, 81.0));
        let (_, interval, _) = automatic(0.0, 1e11);
        assert_eq!(interval, 2_147_483_647.0);
    }

    #[test]
    fn buckets_of_the_user() {
        let buckets = |custom: &CustomBucket| DurationBuckets::new(custom, range(100.0, 300.0));
        let found = buckets(&custom(Some(10.0), Some(100.0), None))
            .unwrap()
            .unwrap();
        assert_eq!(
            (found.start, found.interval, found.shortest()),
            (10.0, 100.0, 10)
        );
        let unit = custom(Some(0.001), Some(1.5), Some(BucketUnit::Second));
        let found = buckets(&unit).unwrap().unwrap();
        assert_eq!((found.start, found.interval), (1.0, 1500.0));
        let found = buckets(&custom(None, None, None)).unwrap().unwrap();
        assert_eq!((found.start, found.interval), (0.0, 1.0));
        assert_eq!(buckets(&custom(Some(301.0), None, None)).unwrap(), None);
        assert!(buckets(&custom(None, Some(0.0), None)).is_err());
    }

    #[test]
    fn buckets_of_the_user_beyond_all_durations() {
        let buckets = |custom: &CustomBucket| DurationBuckets::new(custom, range(100.0, 300.0));
        let year = Some(BucketUnit::Year);
        // Products that are no numbers any more: the width, a start after all durations, one before them.
        let wide = buckets(&custom(Some(0.0), Some(1e300), year)).unwrap();
        assert_eq!(wide.unwrap().interval, f64::MAX);
        assert_eq!(buckets(&custom(Some(1e300), None, year)).unwrap(), None);
        for (baseline, size) in [
            (Some(-1e300), Some(1.0)),
            (Some(-1e18), Some(1e-3)),
            (None, Some(1e-14)),
        ] {
            let refused = buckets(&custom(baseline, size, year));
            assert!(
                matches!(refused, Err(PlanError::TooManyBuckets(_))),
                "{baseline:?} {refused:?}"
            );
        }
        // The longest duration that can be stored, in steps that it would be lost in.
        let longest = range(i64::MAX as f64, i64::MAX as f64);
        let fine = custom(Some(i64::MAX as f64), Some(1.0), None);
        let fine = DurationBuckets::new(&fine, longest).unwrap().unwrap();
        assert_eq!(fine.interval, 2048.0);
        assert_eq!(fine.shortest(), i64::MAX);
    }

    #[test]
    fn without_durations_there_are_no_buckets() {
        assert_eq!(
            DurationBuckets::new(&CustomBucket::default(), Range::default()).unwrap(),
            None
        );
    }

    #[test]
    fn the_histogram_starts_where_the_first_bucket_does() {
        let buckets = DurationBuckets::new(&CustomBucket::default(), range(1401.0, 2004.0));
        assert_eq!(
            buckets.unwrap().unwrap().aggregation(&json!("script")),
            json!({"histogram": {"script": "script", "interval": 100.0, "offset": 1000.0,
                "extended_bounds": {"min": 1000.0, "max": 2004.0}}})
        );
    }

    proptest! {
        #[test]
        fn automatic_buckets_are_neither_few_nor_many(min in 0..10_000_000_u32, span in 0..2_000_000_000_u32) {
            let (start, interval, count) = automatic(f64::from(min), f64::from(min) + f64::from(span));
            prop_assert!(start <= f64::from(min));
            prop_assert!(interval >= 1.0);
            prop_assert!((1.0..=81.0).contains(&count));
        }
    }
}
