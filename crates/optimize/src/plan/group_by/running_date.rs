//! By the time in which process instances were running (crates/optimize/docs/groups.md, "Group by running date";
//! `ProcessGroupByProcessInstanceRunningDateInterpreterES`).

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Group, Grouping};
use crate::filter::dates::DATE_FORMAT;
use crate::filter::query::{all_of, any_of, exists, none_of};
use crate::java::hash_map_order;
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, named, with};
use crate::plan::answer::Bucket;
use crate::plan::buckets::dates::{
    DateInterval, begin_with_units, running_histogram, running_intervals,
};
use crate::plan::context::PlanContext;
use crate::plan::inner::Inner;
use crate::plan::search::Outermost;
use crate::plan::statistics::{Range, statistics_of_fields};
use crate::plan::view::count;
use crate::report::definition::DateUnit;

const DATES: &str = "runningDates";
const STARTS: &str = "starts";
const ENDS: &str = "ends";

/// Memory of an interval: itself, and its filter as text.
const BYTES_OF_INTERVAL: usize = 512;
/// More intervals than these are refused anyway.
const MOST_INTERVALS: f64 = 65_536.0;

/// Text around the filters, about.
const AROUND: usize = 1_024;

/// Up to so many intervals running instances are counted by the intervals in which they started and ended. There are at most so many
/// buckets and their square then: less than 10,000, which is what some clusters are limited to (`search.max_buckets`).
const MOST_COUNTED_INTERVALS: usize = 98;

/// By interval; an instance counts in each one that it was running in for a moment. Instances that are still running
/// don't make the range reach to the present.
///
/// Optimize has a filter for each interval, and Elasticsearch goes through all instances for each. Where instances are only counted, it
/// is enough to know how many started in one interval and ended in another: it goes through them once.
pub struct ByRunningDate(pub DateUnit);

/// The instance started before the end of the interval, and had not ended when it started.
fn was_running(interval: &DateInterval) -> Value {
    let started =
        json!({"range": {"startDate": {"lt": interval.to.utc_text(), "format": DATE_FORMAT}}});
    let ended =
        json!({"range": {"endDate": {"gte": interval.from.utc_text(), "format": DATE_FORMAT}}});
    all_of(vec![
        started,
        any_of(vec![ended, none_of(vec![exists("endDate")])]),
    ])
}

/// How many intervals there will be, at most and about.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is within 0 and the largest number of intervals"
)]
fn expected_intervals(unit: DateUnit, range: Range) -> usize {
    let minutes = match unit {
        DateUnit::Year => 365 * 24 * 60,
        DateUnit::Month => 28 * 24 * 60,
        DateUnit::Week => 7 * 24 * 60,
        DateUnit::Day => 23 * 60,
        DateUnit::Hour => 60,
        DateUnit::Minute => 1,
        DateUnit::Automatic => return 160,
    };
    let millis = range.ends().map_or(0.0, |(min, max)| max - min);
    let intervals = millis / (f64::from(minutes) * 60_000.0) + 2.0;
    intervals.clamp(0.0, MOST_INTERVALS) as usize
}

/// A filter for each interval by its start, with the same aggregations in each. They are written one after the other: as a tree
/// of values each of them takes some kilobytes.
fn written(intervals: Vec<DateInterval>, zone: &TimeZone, inner: Aggregations) -> Outermost {
    let mut filters = String::new();
    let count = intervals.len();
    for interval in intervals {
        let start = interval.key(zone);
        let filter = was_running(&interval).to_string();
        if filters.is_empty() {
            // They are all as long as the first one.
            filters.reserve_exact(count * (filter.len() + start.len() + 4) + AROUND);
            filters.push_str("{\"");
            filters.push_str(DATES);
            filters.push_str("\":{\"filters\":{\"filters\":{");
        } else {
            filters.push(',');
        }
        filters.push_str(&Value::from(start).to_string());
        filters.push(':');
        filters.push_str(&filter);
    }
    filters.push_str("}}");
    if !inner.is_empty() {
        filters.push_str(",\"aggs\":");
        filters.push_str(&Value::Object(inner).to_string());
    }
    filters.push_str("}}");
    Outermost::Written(filters)
}

/// Asks how many instances started in an interval, and how many of them ended in which; `None` where they are not only counted, or
/// where intervals are too many, too far off, or none of the calendar's.
fn starts_and_ends(
    unit: DateUnit,
    range: Range,
    intervals: &[DateInterval],
    inner: &Inner<'_>,
) -> Result<Option<Aggregations>, PlanError> {
    let zone = &inner.context.filter.time_zone;
    let can_be_counted = intervals.len() <= MOST_COUNTED_INTERVALS
        && begin_with_units(unit, intervals, zone)
        && inner.aggregations()?.is_empty();
    if !can_be_counted {
        return Ok(None);
    }
    let histogram = |field| running_histogram(unit, range, zone, field);
    let both = histogram("startDate").zip(histogram("endDate"));
    Ok(both.map(|(starts, ends)| named(STARTS, with(starts, named(ENDS, ends)))))
}

/// How many instances started in an interval, and when.
struct Started {
    /// The start of the interval.
    at: i64,
    count: u64,
    /// How many of them ended, by the start of the interval.
    ended: Vec<(i64, u64)>,
}

impl Started {
    fn read(bucket: Bucket<'_>) -> Result<Self, PlanError> {
        let ended = bucket.sub(ENDS)?.buckets()?.into_iter();
        let ended = ended.map(|bucket| Ok((bucket.whole_key()?, bucket.doc_count()?)));
        Ok(Self {
            at: bucket.whole_key()?,
            count: bucket.doc_count()?,
            ended: ended.collect::<Result<_, PlanError>>()?,
        })
    }

    /// How many of them were running in the interval that starts there: those that did not start after it, nor end before it.
    fn running_in(&self, interval: i64) -> u64 {
        if self.at > interval {
            return 0;
        }
        let ended = self.ended.iter().filter(|(at, _)| *at < interval);
        (self.count).saturating_sub(ended.map(|(_, count)| count).sum())
    }
}

impl ByRunningDate {
    /// The groups of an answer to [`starts_and_ends`].
    fn counted(
        intervals: Vec<DateInterval>,
        answer: Bucket<'_>,
        inner: &Inner<'_>,
    ) -> Result<Vec<Group>, PlanError> {
        let zone = &inner.context.filter.time_zone;
        let started = answer.sub(STARTS)?.buckets()?.into_iter();
        let started = started.map(Started::read).collect::<Result<Vec<_>, _>>()?;
        let groups = intervals.into_iter().map(|interval| {
            let at = interval.from.millis();
            let running = started.iter().map(|started| started.running_in(at)).sum();
            let mut parts = inner.parts_of_nothing(&[]);
            for part in &mut parts {
                part.value = Some(count(running));
            }
            Group::unlabelled(interval.key(zone), parts)
        });
        Ok(groups.collect())
    }
}

impl Grouping for ByRunningDate {
    fn statistics(&self, _: &PlanContext<'_>) -> Option<Aggregations> {
        Some(statistics_of_fields("startDate", "endDate"))
    }

    fn range(&self, statistics: Bucket<'_>) -> Result<Range, PlanError> {
        Ok(Range::read_of_fields(statistics)?)
    }

    fn aggregations(&self, range: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        if !inner
            .room
            .take(expected_intervals(self.0, range) * BYTES_OF_INTERVAL)
        {
            inner.room.check()?;
        }
        let zone = &inner.context.filter.time_zone;
        let intervals = running_intervals(self.0, range, zone)?;
        if intervals.is_empty() {
            return Ok(Outermost::default());
        }
        if let Some(starts) = starts_and_ends(self.0, range, &intervals, inner)? {
            return Ok(starts.into());
        }
        Ok(written(intervals, zone, inner.aggregations()?))
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        let range = inner.grouping_range;
        let intervals = running_intervals(self.0, range, &inner.context.filter.time_zone)?;
        let groups = if starts_and_ends(self.0, range, &intervals, inner)?.is_some() {
            Self::counted(intervals, answer, inner)?
        } else {
            let buckets = answer.sub(DATES)?.buckets()?.into_iter();
            let groups = buckets
                .map(|bucket| Ok(Group::unlabelled(bucket.key()?, inner.parts(bucket, &[])?)));
            groups.collect::<Result<_, PlanError>>()?
        };
        Ok(hash_map_order(groups, |group| group.key.key.as_str()))
    }
}
