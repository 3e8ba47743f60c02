//! By the time in which process instances were running (crates/optimize/docs/groups.md, "Group by running date";
//! `ProcessGroupByProcessInstanceRunningDateInterpreterES`).

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{Group, Grouping};
use crate::filter::dates::DATE_FORMAT;
use crate::filter::query::{all_of, any_of, exists, none_of};
use crate::java::hash_map_order;
use crate::plan::PlanError;
use crate::plan::aggregations::Aggregations;
use crate::plan::answer::Bucket;
use crate::plan::buckets::dates::{DateInterval, running_intervals};
use crate::plan::context::PlanContext;
use crate::plan::inner::Inner;
use crate::plan::search::Outermost;
use crate::plan::statistics::{Range, statistics_of_fields};
use crate::report::definition::DateUnit;

const DATES: &str = "runningDates";

/// Memory of an interval: itself, and its filter as text.
const BYTES_OF_INTERVAL: usize = 512;
/// More intervals than these are refused anyway.
const MOST_INTERVALS: f64 = 65_536.0;

/// Text around the filters, about.
const ENDS: usize = 1_024;

/// By interval; an instance counts in each one that it was running in for a moment. Instances that are still running
/// don't make the range reach to the present.
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
            filters.reserve_exact(count * (filter.len() + start.len() + 4) + ENDS);
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
        Ok(written(intervals, zone, inner.aggregations()?))
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        let buckets = answer.sub(DATES)?.buckets()?.into_iter();
        let keyed = buckets.map(|bucket| Ok((bucket.key()?, bucket)));
        let keyed = keyed.collect::<Result<Vec<_>, PlanError>>()?;
        hash_map_order(keyed, |(key, _)| key.as_str())
            .into_iter()
            .map(|(key, bucket)| Ok(Group::unlabelled(key, inner.parts(bucket, &[])?)))
            .collect()
    }
}
