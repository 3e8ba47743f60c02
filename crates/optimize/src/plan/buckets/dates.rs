//! Buckets of dates: the calendar's, or about 80 of equal length.
//!
//! Source: crates/optimize/docs/buckets.md, "Date buckets" and "Automatic date buckets" (`DateAggregationServiceES`,
//! `ProcessGroupByProcessInstanceRunningDateInterpreterES`).

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, ZonedDateTime};
use serde_json::{Value, json};

use super::{AUTOMATIC_BUCKETS, MAX_BUCKETS};
use crate::filter::dates::DATE_FORMAT;
use crate::moment::Moment;
use crate::plan::PlanError;
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::statistics::Range;
use crate::report::definition::{DateUnit, DefinitionError};

/// The format of the keys that a histogram is asked for; as texts they are exact, while a number may be read as one with a
/// fraction.
const EPOCH_MILLIS: &str = "epoch_millis";

/// A unit of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalendarUnit {
    /// A year.
    Year,
    /// A month.
    Month,
    /// A week that starts on Monday.
    Week,
    /// A day.
    Day,
    /// An hour.
    Hour,
    /// A minute.
    Minute,
}

impl CalendarUnit {
    /// The unit that a report names; `None` where Optimize is to choose.
    pub fn of(unit: DateUnit) -> Option<Self> {
        Some(match unit {
            DateUnit::Year => Self::Year,
            DateUnit::Month => Self::Month,
            DateUnit::Week => Self::Week,
            DateUnit::Day => Self::Day,
            DateUnit::Hour => Self::Hour,
            DateUnit::Minute => Self::Minute,
            DateUnit::Automatic => return None,
        })
    }

    const fn interval(self) -> &'static str {
        match self {
            Self::Year => "year",
            Self::Month => "month",
            Self::Week => "week",
            Self::Day => "day",
            Self::Hour => "hour",
            Self::Minute => "minute",
        }
    }

    fn span(self) -> Span {
        let span = Span::new();
        match self {
            Self::Year => span.years(1),
            Self::Month => span.months(1),
            Self::Week => span.weeks(1),
            Self::Day => span.days(1),
            Self::Hour => span.hours(1),
            Self::Minute => span.minutes(1),
        }
    }

    /// The start of the unit that a moment is in.
    fn start(self, moment: Moment, zone: &TimeZone) -> Option<Moment> {
        moment.map_in(zone, |moment| self.start_in_range(&moment))
    }

    /// The start of the unit after the one that starts there.
    fn next(self, start: Moment, zone: &TimeZone) -> Option<Moment> {
        start.map_in(zone, |start| start.checked_add(self.span()).ok())
    }

    fn start_in_range(self, moment: &ZonedDateTime) -> Option<ZonedDateTime> {
        let date = moment.date();
        let at_midnight = |date: Date| DateTime::from_parts(date, Time::midnight());
        let local = match self {
            Self::Year => at_midnight(date.first_of_year()),
            Self::Month => at_midnight(date.first_of_month()),
            Self::Week => {
                let into_week = date.weekday().since(Weekday::Monday);
                at_midnight(date.checked_sub(Span::new().days(into_week)).ok()?)
            }
            Self::Day => at_midnight(date),
            // Within an hour the offset does not matter: going back by minutes keeps it.
            Self::Hour | Self::Minute => {
                let minutes = if self == Self::Hour {
                    moment.minute()
                } else {
                    0
                };
                let into_unit = i64::from(minutes) * 60_000
                    + i64::from(moment.second()) * 1_000
                    + i64::from(moment.millisecond());
                return moment.checked_sub(Span::new().milliseconds(into_unit)).ok();
            }
        };
        local.to_zoned_datetime(moment.time_zone().clone()).ok()
    }
}

/// A bucket from one moment up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateInterval {
    /// Where it starts, inclusive.
    pub from: Moment,
    /// Where it ends, exclusive.
    pub to: Moment,
}

impl DateInterval {
    /// The key of its bucket.
    pub fn key(&self, zone: &TimeZone) -> String {
        key_of(self.from, zone)
    }
}

/// Buckets of dates.
#[derive(Debug, Clone, PartialEq)]
pub enum DateBuckets {
    /// The calendar's.
    Calendar(CalendarUnit),
    /// Intervals of equal length.
    Intervals(Vec<DateInterval>),
}

impl DateBuckets {
    /// The buckets for dates of this range; `None` where there are no dates. A single date has nothing to be divided
    /// automatically and is in the bucket of its month.
    ///
    /// # Errors
    /// There would be more buckets than Elasticsearch makes, or one that ends beyond all moments.
    pub fn new(unit: DateUnit, range: Range, zone: &TimeZone) -> Result<Option<Self>, PlanError> {
        let Some((min, max)) = range.whole_ends() else {
            return Ok(None);
        };
        let unit = match CalendarUnit::of(unit) {
            None if min != max => {
                return intervals_of_equal_length(min, max, 1)
                    .map(|intervals| Some(Self::Intervals(intervals)));
            }
            None => CalendarUnit::Month,
            Some(unit) => unit,
        };
        let last = unit.start(Moment::from_millis(max), zone);
        match last.and_then(|last| unit.next(last, zone)) {
            Some(_) => Ok(Some(Self::Calendar(unit))),
            None => Err(beyond_all_moments()),
        }
    }

    /// Whether the buckets are the calendar's.
    pub fn is_calendar(&self) -> bool {
        matches!(self, Self::Calendar(_))
    }

    /// The aggregation over a date field. `extended_bounds` are the first and last moment that need a bucket of the
    /// calendar.
    pub fn aggregation(
        &self,
        field: &str,
        zone: &TimeZone,
        extended_bounds: Option<(i64, i64)>,
    ) -> Value {
        match self {
            Self::Calendar(unit) => {
                let mut aggregation = json!({"date_histogram": {
                    "field": field,
                    "calendar_interval": unit.interval(),
                    "time_zone": zone_id(zone),
                    "format": EPOCH_MILLIS,
                    "order": {"_key": "desc"},
                }});
                if let Some((min, max)) = extended_bounds
                    && let Some(members) = aggregation
                        .get_mut("date_histogram")
                        .and_then(Value::as_object_mut)
                {
                    members.insert(
                        "extended_bounds".to_owned(),
                        json!({"min": min, "max": max}),
                    );
                }
                aggregation
            }
            Self::Intervals(intervals) => {
                let last = intervals.last();
                let ranges = intervals.iter().map(|interval| {
                    let (key, from) = (interval.key(zone), interval.from.utc_text());
                    if Some(interval) == last && is_end_lost(interval) {
                        json!({"key": key, "from": from})
                    } else {
                        json!({"key": key, "from": from, "to": interval.to.utc_text()})
                    }
                });
                let ranges: Vec<Value> = ranges.collect();
                json!({"date_range": {
                    "field": field,
                    "format": DATE_FORMAT,
                    "time_zone": zone_id(zone),
                    "ranges": ranges,
                }})
            }
        }
    }
}

/// Whether Elasticsearch can't tell the end of the last interval from the last date in it. It compares ranges as numbers of
/// 53 bits, which the milliseconds have to the year 287396; without an end nothing is lost there.
#[expect(clippy::cast_precision_loss, reason = "it is what this is about")]
fn is_end_lost(interval: &DateInterval) -> bool {
    let end = interval.to.millis();
    end == i64::MAX || (end - 1) as f64 == end as f64
}

/// The buckets of dates in an answer with their keys, those with the largest key text first: where daylight saving time
/// ends, an hour comes twice, and Optimize compares the texts.
///
/// # Errors
/// There are no such buckets.
pub fn buckets_by_key<'a>(
    aggregation: Bucket<'a>,
    zone: &TimeZone,
) -> Result<Vec<(String, Bucket<'a>)>, AbsentAggregation> {
    let buckets = aggregation.buckets()?.into_iter();
    let buckets = buckets.map(|bucket| Ok((key(&bucket, zone)?, bucket)));
    let mut buckets = buckets.collect::<Result<Vec<_>, AbsentAggregation>>()?;
    buckets.sort_by(|(a, _), (b, _)| b.cmp(a));
    Ok(buckets)
}

/// The start of a bucket. One of a histogram is a number; one of a range is the text that the range was given.
fn key(bucket: &Bucket<'_>, zone: &TimeZone) -> Result<String, AbsentAggregation> {
    let key = bucket.key()?;
    Ok(match (bucket.numeric_key()?, key.parse()) {
        (Some(_), Ok(millis)) => key_of(Moment::from_millis(millis), zone),
        _ => key,
    })
}

fn key_of(start: Moment, zone: &TimeZone) -> String {
    start.text(start.offset_in(zone))
}

/// The intervals in which something may have been running, from the first start to the last start or end.
///
/// Intervals of equal length end before the last moment, those of the calendar after it.
///
/// # Errors
/// There would be more buckets than Elasticsearch makes, or one that ends beyond all moments.
pub fn running_intervals(
    unit: DateUnit,
    range: Range,
    zone: &TimeZone,
) -> Result<Vec<DateInterval>, PlanError> {
    let Some((min, max)) = range.whole_ends() else {
        return Ok(Vec::new());
    };
    let unit = match CalendarUnit::of(unit) {
        None if min != max => return intervals_of_equal_length(min, max, 0),
        None => CalendarUnit::Month,
        Some(unit) => unit,
    };
    let start = |millis| {
        let moment = Moment::from_millis(millis);
        unit.start(moment, zone).ok_or_else(beyond_all_moments)
    };
    let (mut from, last) = (start(min)?, start(max)?);
    let mut intervals = Vec::new();
    while from <= last {
        let to = unit.next(from, zone).ok_or_else(beyond_all_moments)?;
        push(&mut intervals, DateInterval { from, to })?;
        from = to;
    }
    Ok(intervals)
}

/// Whether intervals begin where units of the calendar begin, which a histogram's do. They don't any more behind a day that begins late,
/// because midnight is skipped, or behind an hour that is shorter: each begins one unit after the one before.
pub fn begin_with_units(unit: DateUnit, intervals: &[DateInterval], zone: &TimeZone) -> bool {
    let Some(unit) = CalendarUnit::of(unit) else {
        return true;
    };
    let mut starts = intervals.iter().map(|interval| interval.from);
    starts.all(|start| unit.start(start, zone) == Some(start))
}

/// The first and the last moment for which [`running_histogram`] has the same intervals as [`running_intervals`]: the years 1 to 9999.
const PLAIN_MOMENTS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// A histogram of a date field with the intervals of [`running_intervals`], those in which there are dates; `None` where dates are so
/// far off that Elasticsearch could divide them otherwise, or where there are none.
pub fn running_histogram(
    unit: DateUnit,
    range: Range,
    zone: &TimeZone,
    field: &str,
) -> Option<Value> {
    let (min, max) = range.whole_ends()?;
    if !PLAIN_MOMENTS.contains(&min) || !PLAIN_MOMENTS.contains(&max) {
        return None;
    }
    let mut histogram = json!({"field": field, "format": EPOCH_MILLIS, "min_doc_count": 1});
    let members = histogram.as_object_mut()?;
    match CalendarUnit::of(unit) {
        None if min != max => {
            let length = automatic_length(min, max);
            let offset = min.rem_euclid(length);
            members.insert("fixed_interval".to_owned(), format!("{length}ms").into());
            members.insert("offset".to_owned(), format!("{offset}ms").into());
        }
        unit => {
            let unit = unit.unwrap_or(CalendarUnit::Month);
            members.insert("calendar_interval".to_owned(), unit.interval().into());
            members.insert("time_zone".to_owned(), zone_id(zone).into());
        }
    }
    Some(json!({"date_histogram": histogram}))
}

/// How long intervals are that divide a range into about 80.
fn automatic_length(min: i64, max: i64) -> i64 {
    (max.saturating_sub(min) / i64::from(AUTOMATIC_BUCKETS)).max(1)
}

/// Divides a range into 80 intervals or somewhat more; the last one is longer by `beyond_last`, so that it can contain
/// the end.
fn intervals_of_equal_length(
    min: i64,
    max: i64,
    beyond_last: i64,
) -> Result<Vec<DateInterval>, PlanError> {
    let length = automatic_length(min, max);
    let mut intervals = Vec::new();
    let mut start = min;
    while start < max {
        let end = start.saturating_add(length);
        let beyond = if end >= max { beyond_last } else { 0 };
        let interval = DateInterval {
            from: Moment::from_millis(start),
            to: Moment::from_millis(end.saturating_add(beyond)),
        };
        push(&mut intervals, interval)?;
        start = end;
    }
    Ok(intervals)
}

fn push(intervals: &mut Vec<DateInterval>, interval: DateInterval) -> Result<(), PlanError> {
    if intervals.len() >= MAX_BUCKETS as usize {
        return Err(PlanError::TooManyBuckets(format!(
            "The dates of this report span more than {MAX_BUCKETS} buckets"
        )));
    }
    intervals.push(interval);
    Ok(())
}

fn beyond_all_moments() -> PlanError {
    DefinitionError::part(
        "data",
        "has buckets of the calendar over dates at the end of the year 292278994, where Elasticsearch has no dates any more",
    )
    .into()
}

fn zone_id(zone: &TimeZone) -> &str {
    // Without a name it is neither UTC nor a region; the export has no other.
    zone.iana_name().unwrap_or("UTC")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400_000;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn at(text: &str) -> f64 {
        crate::raw_data::dates::epoch_millis(text).unwrap() as f64
    }

    fn range(min: &str, max: &str) -> Range {
        Range {
            min: Some(at(min)),
            max: Some(at(max)),
        }
    }

    fn running(unit: DateUnit, min: &str, max: &str, zone: &TimeZone) -> Vec<String> {
        let intervals = running_intervals(unit, range(min, max), zone).unwrap();
        let mut keys: Vec<String> = intervals.iter().map(|i| i.key(zone)).collect();
        keys.extend(intervals.last().map(|last| key_of(last.to, zone)));
        keys
    }

    #[test]
    fn calendar_buckets_are_left_to_elasticsearch() {
        let buckets = DateBuckets::new(
            DateUnit::Week,
            range(
                "2024-01-01T00:00:00.000+0000",
                "2024-01-02T00:00:00.000+0000",
            ),
            &berlin(),
        );
        let buckets = buckets.unwrap().unwrap();
        assert!(buckets.is_calendar());
        assert_eq!(
            buckets.aggregation("startDate", &berlin(), Some((5, 7))),
            json!({"date_histogram": {"field": "startDate", "calendar_interval": "week", "time_zone": "Europe/Berlin",
                "format": "epoch_millis", "order": {"_key": "desc"}, "extended_bounds": {"min": 5, "max": 7}}})
        );
    }

    #[test]
    fn a_single_date_is_in_its_month() {
        let date = range(
            "2024-01-15T10:00:00.000+0000",
            "2024-01-15T10:00:00.000+0000",
        );
        assert_eq!(
            DateBuckets::new(DateUnit::Automatic, date, &TimeZone::UTC).unwrap(),
            Some(DateBuckets::Calendar(CalendarUnit::Month))
        );
        assert_eq!(
            DateBuckets::new(DateUnit::Automatic, Range::default(), &TimeZone::UTC).unwrap(),
            None
        );
    }

    fn automatic(span: i64) -> Vec<DateInterval> {
        let range = Range {
            min: Some(0.0),
            max: Some(span as f64),
        };
        match DateBuckets::new(DateUnit::Automatic, range, &TimeZone::UTC).unwrap() {
            Some(DateBuckets::Intervals(intervals)) => intervals,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn automatic_buckets_are_80_or_more() {
        assert_eq!(automatic(80 * DAY).len(), 80);
        assert_eq!(automatic(8_640_001).len(), 81);
        assert_eq!(automatic(159).len(), 159);
        assert_eq!(automatic(3).len(), 3);
        let last = automatic(80 * DAY).pop().unwrap();
        assert_eq!(last.to.millis(), 80 * DAY + 1);
    }

    #[test]
    fn automatic_buckets_are_ranges_with_keys() {
        let intervals = automatic(2);
        assert_eq!(
            DateBuckets::Intervals(intervals).aggregation("f", &TimeZone::UTC, Some((0, 0))),
            json!({"date_range": {"field": "f", "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ", "time_zone": "UTC", "ranges": [
                {"key": "1970-01-01T00:00:00.000+0000", "from": "1970-01-01T00:00:00.000+0000", "to": "1970-01-01T00:00:00.001+0000"},
                {"key": "1970-01-01T00:00:00.001+0000", "from": "1970-01-01T00:00:00.001+0000", "to": "1970-01-01T00:00:00.003+0000"}]}})
        );
    }

    #[test]
    fn running_dates_start_with_their_unit() {
        let utc = TimeZone::UTC;
        assert_eq!(
            running(
                DateUnit::Year,
                "2023-12-31T23:59:59.999+0000",
                "2024-01-01T00:00:00.000+0000",
                &utc
            ),
            [
                "2023-01-01T00:00:00.000+0000",
                "2024-01-01T00:00:00.000+0000",
                "2025-01-01T00:00:00.000+0000"
            ]
        );
        assert_eq!(
            running(
                DateUnit::Month,
                "2024-02-29T12:00:00.000+0000",
                "2024-02-29T12:00:00.000+0000",
                &utc
            ),
            [
                "2024-02-01T00:00:00.000+0000",
                "2024-03-01T00:00:00.000+0000"
            ]
        );
        assert_eq!(
            running(
                DateUnit::Week,
                "2024-01-07T12:00:00.000+0000",
                "2024-01-08T00:00:00.000+0000",
                &utc
            ),
            [
                "2024-01-01T00:00:00.000+0000",
                "2024-01-08T00:00:00.000+0000",
                "2024-01-15T00:00:00.000+0000"
            ]
        );
        assert_eq!(
            running(
                DateUnit::Minute,
                "2024-01-07T12:00:59.999+0000",
                "2024-01-07T12:01:00.000+0000",
                &utc
            ),
            [
                "2024-01-07T12:00:00.000+0000",
                "2024-01-07T12:01:00.000+0000",
                "2024-01-07T12:02:00.000+0000"
            ]
        );
        assert_eq!(
            running(
                DateUnit::Automatic,
                "2024-01-07T12:00:00.000+0000",
                "2024-01-07T12:00:00.000+0000",
                &utc
            ),
            [
                "2024-01-01T00:00:00.000+0000",
                "2024-02-01T00:00:00.000+0000"
            ]
        );
    }

    #[test]
    fn running_dates_follow_the_clock_on_the_wall() {
        // The night to 31 March 2024 has an hour less, that to 27 October one more.
        assert_eq!(
            running(
                DateUnit::Day,
                "2024-03-30T12:00:00.000+0000",
                "2024-03-31T12:00:00.000+0000",
                &berlin()
            ),
            [
                "2024-03-30T00:00:00.000+0100",
                "2024-03-31T00:00:00.000+0100",
                "2024-04-01T00:00:00.000+0200"
            ]
        );
        assert_eq!(
            running(
                DateUnit::Hour,
                "2024-10-27T00:30:00.000+0000",
                "2024-10-27T01:30:00.000+0000",
                &berlin()
            ),
            [
                "2024-10-27T02:00:00.000+0200",
                "2024-10-27T02:00:00.000+0100",
                "2024-10-27T03:00:00.000+0100"
            ]
        );
    }

    #[test]
    fn too_many_buckets_are_refused() {
        let range = range(
            "2000-01-01T00:00:00.000+0000",
            "2024-01-01T00:00:00.000+0000",
        );
        assert!(matches!(
            running_intervals(DateUnit::Minute, range, &TimeZone::UTC),
            Err(PlanError::TooManyBuckets(_))
        ));
    }

    #[test]
    fn the_last_interval_is_open_where_its_end_is_lost_in_rounding() {
        let ranges = |min: i64, max: i64| {
            let range = Range {
                min: Some(min as f64),
                max: Some(max as f64),
            };
            let buckets = DateBuckets::new(DateUnit::Automatic, range, &TimeZone::UTC);
            let aggregation = buckets
                .unwrap()
                .unwrap()
                .aggregation("f", &TimeZone::UTC, None);
            aggregation["date_range"]["ranges"].clone()
        };
        let near = ranges(0, 80 * DAY);
        assert_eq!(near[79]["to"], "1970-03-22T00:00:00.001+0000");
        let far = ranges(0, i64::MAX);
        let open = far
            .as_array()
            .unwrap()
            .iter()
            .filter(|range| range["to"].is_null());
        assert_eq!(open.count(), 1);
        assert_eq!(far.as_array().unwrap().last().unwrap()["to"], Value::Null);
    }

    fn any_unit() -> impl Strategy<Value = CalendarUnit> {
        prop::sample::select(vec![
            CalendarUnit::Year,
            CalendarUnit::Month,
            CalendarUnit::Week,
            CalendarUnit::Day,
            CalendarUnit::Hour,
            CalendarUnit::Minute,
        ])
    }

    fn any_zone() -> impl Strategy<Value = TimeZone> {
        let names = [
            "UTC",
            "Europe/Berlin",
            "America/St_Johns",
            "Australia/Lord_Howe",
            "Asia/Kathmandu",
        ];
        prop::sample::select(names.to_vec()).prop_map(|name| TimeZone::get(name).unwrap())
    }

    proptest! {
        #[test]
        fn every_date_is_in_an_interval_of_every_unit(
            millis in prop_oneof![-62_135_661_600_000..9_223_371_000_000_000_000_i64, 253_402_000_000_000..253_403_000_000_000_i64],
            unit in any_unit(), zone in any_zone(),
        ) {
            let moment = Moment::from_millis(millis);
            let start = unit.start(moment, &zone).unwrap();
            let next = unit.next(start, &zone).unwrap();
            prop_assert!(start <= moment && moment < next, "{:?} {:?} {:?}", start, moment, next);
            // Its key is read as the same moment, seconds of old offsets aside.
            let offset = start.offset_in(&zone);
            let read = Moment::parse(&key_of(start, &zone)).unwrap().0;
            prop_assert_eq!(read.millis() - start.millis(), i64::from(offset.seconds() % 60) * 1000);
        }

        #[test]
        fn automatic_buckets_cover_the_range_without_gaps(span in 1..100_000_000_000_i64) {
            let intervals = automatic(span);
            prop_assert!(intervals.len() <= 159);
            prop_assert_eq!(intervals[0].from.millis(), 0);
            for pair in intervals.windows(2) {
                prop_assert_eq!(&pair[0].to, &pair[1].from);
            }
            prop_assert!(intervals.last().unwrap().to.millis() > span);
        }

        #[test]
        fn calendar_units_contain_their_moments(millis in 0..4_000_000_000_000_i64) {
            let (moment, zone) = (Moment::from_millis(millis), berlin());
            for unit in [CalendarUnit::Year, CalendarUnit::Month, CalendarUnit::Week, CalendarUnit::Day, CalendarUnit::Hour, CalendarUnit::Minute] {
                let start = unit.start(moment, &zone).unwrap();
                prop_assert!(start <= moment && moment < unit.next(start, &zone).unwrap(), "{:?} {:?}", unit, moment);
            }
        }
    }
}
