//! Buckets of number variables.
//!
//! Source: crates/optimize/docs/buckets.md, "Number buckets" (`NumberVariableAggregationServiceES`).

use serde_json::{Value, json};

use super::{
    AUTOMATIC_BUCKETS, finest_interval, refuse_too_many, round_down_to_power_of_ten,
    round_up_to_power_of_ten,
};
use crate::plan::PlanError;
use crate::plan::statistics::Range;
use crate::report::definition::{CustomBucket, DefinitionError, VariableType};

/// A histogram of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberBuckets {
    /// Start of the first bucket.
    pub start: f64,
    /// The largest number, which has to have a bucket.
    pub end: f64,
    /// Width of a bucket.
    pub interval: f64,
    /// Some bucket starts there. It is the first one, unless Elasticsearch could not subtract that from the largest
    /// number.
    offset: f64,
    has_fraction: bool,
}

impl NumberBuckets {
    /// The buckets for numbers of this range; `None` where there are no numbers, or none from the start that the user
    /// chose on. Units don't count; a width that is none is as good as no width.
    ///
    /// # Errors
    /// There would be more buckets than Elasticsearch makes, or some that start beyond all numbers.
    pub fn new(
        variable_type: VariableType,
        custom: &CustomBucket,
        range: Range,
    ) -> Result<Option<Self>, PlanError> {
        let Some((min, end)) = range.ends() else {
            return Ok(None);
        };
        let has_fraction = variable_type == VariableType::Double;
        let baseline = custom.baseline.filter(|_| custom.active);
        let size = custom
            .bucket_size
            .filter(|size| custom.active && *size > 0.0);
        let start = baseline.unwrap_or_else(|| round_down_to_power_of_ten(min));
        if baseline.is_some() && (start.is_nan() || start > end) {
            return Ok(None);
        }
        let start_or_least = start.max(f64::MIN);
        let interval = size.unwrap_or_else(|| automatic_interval(start_or_least, end));
        let interval = if has_fraction {
            interval
        } else {
            interval.ceil()
        };
        let finest = finest_interval(start_or_least, end);
        let interval = if interval < finest {
            round_up_to_power_of_ten(finest)
        } else {
            interval.min(f64::MAX)
        };
        // The power of ten below the least numbers is none of them; a bucket nearer by can be.
        let start = if start.is_infinite() && baseline.is_none() {
            (min / interval).floor() * interval
        } else {
            start
        };
        if start.is_infinite() && baseline.is_none() {
            return Err(beyond_all_numbers());
        }
        refuse_too_many(start, end, interval)?;
        let offset = if (end - start).is_finite() {
            start
        } else {
            start - (start / interval).round() * interval
        };
        if !(start - offset).is_finite() || !(end - offset).is_finite() {
            return Err(beyond_all_numbers());
        }
        Ok(Some(Self {
            start,
            end,
            interval,
            offset,
            has_fraction,
        }))
    }

    /// The histogram of a field.
    pub fn aggregation(&self, field: &str) -> Value {
        json!({"histogram": {
            "field": field,
            "interval": self.interval,
            "offset": self.offset,
            "format": if self.has_fraction { "0.00" } else { "0" },
            "extended_bounds": {"min": self.start, "max": self.end},
        }})
    }

    /// Keeps the numbers that have a bucket at or after the first one.
    ///
    /// Whole numbers have a field of the type long, whatever their own type. It takes no bounds that no long can have,
    /// and the histogram sees its values as numbers with a fraction: so the bounds are the first and the last long that
    /// are one within the buckets.
    pub fn limiting_clause(&self, field: &str) -> Value {
        if self.has_fraction {
            return json!({"range": {field: {"gte": self.start, "lte": self.end}}});
        }
        let first = first_long(|long| long >= self.start);
        let after_last = first_long(|long| long > self.end);
        let last = after_last.map_or(Some(i64::MAX), |after| after.checked_sub(1));
        match first.zip(last) {
            Some((first, last)) => json!({"range": {field: {"gte": first, "lte": last}}}),
            None => json!({"match_none": {}}),
        }
    }
}

/// The first long for whose double this holds, and holds for all after it; `None` where it holds for none.
#[expect(
    clippy::cast_precision_loss,
    reason = "Elasticsearch rounds a long in the same way"
)]
fn first_long(holds: impl Fn(f64) -> bool) -> Option<i64> {
    let (mut low, mut high) = (i64::MIN, i64::MAX);
    if !holds(high as f64) {
        return None;
    }
    while low < high {
        let middle = low.saturating_add_unsigned(high.abs_diff(low) / 2);
        if holds(middle as f64) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}

/// About 80 buckets at most, of a width that is a power of ten.
fn automatic_interval(start: f64, end: f64) -> f64 {
    let points = f64::from(AUTOMATIC_BUCKETS - 1);
    let span = (end - start).abs();
    let width = if span.is_finite() {
        span / points
    } else {
        end / points - start / points
    };
    if width == 0.0 {
        1.0
    } else {
        round_up_to_power_of_ten(width)
    }
}

fn beyond_all_numbers() -> PlanError {
    DefinitionError::part(
        "data",
        "has buckets over numbers so far apart that the first one starts, or the last one ends, where there are no numbers any more",
    )
    .into()
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
        let buckets = NumberBuckets::new(variable_type, custom, range).unwrap();
        buckets.map(|b| (b.start, b.interval))
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
        assert_eq!(none.unwrap(), None);
    }

    #[test]
    fn keys_have_two_decimals_or_none() {
        let range = Range {
            min: Some(1.0),
            max: Some(2.0),
        };
        for (variable_type, format) in [(VariableType::Double, "0.00"), (VariableType::Short, "0")]
        {
            let buckets = NumberBuckets::new(variable_type, &custom(Some(1.0), Some(1.0)), range)
                .unwrap()
                .unwrap();
            assert_eq!(
                buckets.aggregation("f"),
                json!({"histogram": {"field": "f", "interval": 1.0, "offset": 1.0, "format": format,
                    "extended_bounds": {"min": 1.0, "max": 2.0}}})
            );
            let limit = if variable_type == VariableType::Double {
                json!({"gte": 1.0, "lte": 2.0})
            } else {
                json!({"gte": 1, "lte": 2})
            };
            assert_eq!(buckets.limiting_clause("f"), json!({"range": {"f": limit}}));
        }
    }

    fn made(
        variable_type: VariableType,
        custom: &CustomBucket,
        min: f64,
        max: f64,
    ) -> Result<NumberBuckets, PlanError> {
        let range = Range {
            min: Some(min),
            max: Some(max),
        };
        Ok(NumberBuckets::new(variable_type, custom, range)?.unwrap())
    }

    #[test]
    fn bounds_are_cut_to_what_a_long_can_be() {
        let limit = |custom: &CustomBucket, min, max| {
            let buckets = made(VariableType::Long, custom, min, max).unwrap();
            buckets.limiting_clause("f")["range"]["f"].clone()
        };
        let automatic = CustomBucket::default();
        let all = json!({"gte": i64::MIN, "lte": i64::MAX});
        assert_eq!(limit(&automatic, -9.2e18, i64::MAX as f64), all);
        assert_eq!(limit(&automatic, i64::MIN as f64, i64::MAX as f64), all);
        assert_eq!(
            limit(&custom(Some(-1e30), Some(1e29)), -1.0, 1.0),
            json!({"gte": i64::MIN, "lte": 1})
        );
        assert_eq!(
            limit(&custom(Some(0.5), Some(1.0)), 0.0, 3.0),
            json!({"gte": 1, "lte": 3})
        );
        // The double 2^53 is also the one of the odd number after it, which is the largest value here.
        assert_eq!(
            limit(&custom(Some(0.0), Some(1e15)), 1.0, 9_007_199_254_740_992.0),
            json!({"gte": 0, "lte": 9_007_199_254_740_993_i64})
        );
    }

    #[test]
    fn buckets_are_no_finer_than_numbers_are() {
        let buckets = |custom: &CustomBucket, min, max| {
            let buckets = made(VariableType::Long, custom, min, max).unwrap();
            (buckets.start, buckets.interval)
        };
        let automatic = CustomBucket::default();
        let largest = i64::MAX as f64;
        // From 2^63 on the next double is 2,048 away.
        assert_eq!(
            buckets(&custom(Some(largest), None), largest, largest),
            (largest, 10_000.0)
        );
        assert_eq!(buckets(&automatic, 1e17, 1e17 + 50.0), (1e17, 100.0));
        assert_eq!(
            buckets(&custom(Some(1e17), Some(2.0)), 1e17, 1e17 + 50.0),
            (1e17, 100.0)
        );
    }

    #[test]
    fn buckets_without_end_are_refused() {
        for (baseline, size) in [
            (Some(0.0), Some(1e-300)),
            (Some(-1e300), Some(1.0)),
            (Some(f64::NEG_INFINITY), Some(1.0)),
            (Some(f64::NEG_INFINITY), Some(f64::INFINITY)),
            (None, Some(f64::MIN_POSITIVE)),
        ] {
            let refused = made(VariableType::Double, &custom(baseline, size), 1.0, 1000.0);
            assert!(
                matches!(refused, Err(PlanError::TooManyBuckets(_))),
                "{baseline:?} {size:?} {refused:?}"
            );
        }
        let one = made(
            VariableType::Double,
            &custom(Some(0.0), Some(f64::INFINITY)),
            1.0,
            1000.0,
        );
        assert_eq!(one.unwrap().interval, f64::MAX);
    }

    #[test]
    fn doubles_of_any_size_have_buckets() {
        let buckets = |min, max| made(VariableType::Double, &CustomBucket::default(), min, max);
        let wide = buckets(-1e308, 1e308).unwrap();
        assert_eq!(
            (wide.start, wide.interval, wide.offset),
            (-1e308, 1e307, 0.0)
        );
        // The power of ten below is no double.
        let wider = buckets(-1.55e308, 1.55e308).unwrap();
        assert_eq!(
            (wider.start, wider.interval, wider.offset),
            (-1.6e308, 1e307, 0.0)
        );
        let least = buckets(5e-324, 5e-324).unwrap();
        assert_eq!(least.end, 5e-324);
        assert!(matches!(
            buckets(f64::MIN, f64::MAX),
            Err(PlanError::Definition(_))
        ));
    }

    proptest! {
        #[test]
        fn automatic_buckets_are_not_many(min in -1e9..1e9_f64, span in 0.0..1e9_f64) {
            let (start, interval) = buckets(VariableType::Double, &CustomBucket::default(), min, min + span).unwrap();
            prop_assert!(start <= min);
            prop_assert!(interval > 0.0);
            prop_assert!((min + span - start) / interval <= 80.0);
        }

        #[test]
        fn any_buckets_are_few_and_come_to_an_end(
            min: f64, max: f64, baseline: Option<f64>, size: Option<f64>, is_double: bool,
        ) {
            prop_assume!(min <= max && min.is_finite() && max.is_finite());
            let variable_type = if is_double { VariableType::Double } else { VariableType::Long };
            let range = Range { min: Some(min), max: Some(max) };
            for custom in [CustomBucket::default(), custom(baseline, size)] {
                let Ok(Some(found)) = NumberBuckets::new(variable_type, &custom, range) else { continue };
                prop_assert!(found.start.is_finite() && found.interval.is_finite() && found.offset.is_finite());
                prop_assert!(found.start <= max && found.interval > 0.0);
                // What Elasticsearch does to get from the last bucket to the next.
                let last = ((max - found.offset) / found.interval).floor();
                let (key, next) = (last * found.interval + found.offset, (last + 1.0) * found.interval + found.offset);
                prop_assert!(next > key, "{:?} {} {}", found, key, next);
                let first = ((found.start - found.offset) / found.interval).floor();
                prop_assert!(last - first <= 65_537.0);
            }
        }

        #[test]
        fn a_long_is_let_through_when_its_double_is_in_a_bucket(value: i64, other: i64, baseline in prop::option::of(-1e20..1e20_f64)) {
            let (min, max) = ((value.min(other)) as f64, (value.max(other)) as f64);
            let range = Range { min: Some(min), max: Some(max) };
            let custom = custom(baseline, Some(1e18));
            let Ok(Some(found)) = NumberBuckets::new(VariableType::Long, &custom, range) else { return Ok(()) };
            let limit = found.limiting_clause("f");
            let (first, last) = (&limit["range"]["f"]["gte"], &limit["range"]["f"]["lte"]);
            let is_let_through = first.as_i64().unwrap() <= value && value <= last.as_i64().unwrap();
            prop_assert_eq!(is_let_through, value as f64 >= found.start);
        }
    }
}
