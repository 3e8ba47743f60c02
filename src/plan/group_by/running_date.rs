//! By the time in which process instances were running (fact file D2, section 1.3;
//! `ProcessGroupByProcessInstanceRunningDateInterpreterES`).

use serde_json::{Map, Value, json};

use super::{Group, Grouping};
use crate::filter::dates::DATE_FORMAT;
use crate::filter::query::{all_of, any_of, exists, none_of};
use crate::java::hash_map_order;
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, named, with};
use crate::plan::answer::Bucket;
use crate::plan::buckets::dates::{DateInterval, running_intervals};
use crate::plan::context::PlanContext;
use crate::plan::inner::Inner;
use crate::plan::statistics::{Range, statistics_of_fields};
use crate::report::definition::DateUnit;

const DATES: &str = "runningDates";

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

impl Grouping for ByRunningDate {
    fn statistics(&self, _: &PlanContext<'_>) -> Option<Aggregations> {
        Some(statistics_of_fields("startDate", "endDate"))
    }

    fn aggregations(&self, range: Range, inner: &Inner<'_>) -> Result<Aggregations, PlanError> {
        let zone = &inner.context.filter.time_zone;
        let intervals = running_intervals(self.0, range, zone)?;
        if intervals.is_empty() {
            return Ok(Aggregations::new());
        }
        let filters: Map<String, Value> = intervals
            .iter()
            .map(|interval| (interval.key(zone), was_running(interval)))
            .collect();
        let intervals = json!({"filters": {"filters": filters}});
        Ok(named(DATES, with(intervals, inner.aggregations()?)))
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Vec<Group> {
        let buckets = answer.sub(DATES).map(|dates| dates.buckets());
        let keyed = buckets.unwrap_or_default().into_iter();
        let keyed = keyed.filter_map(|bucket| Some((bucket.key()?, bucket)));
        hash_map_order(keyed.collect(), |(key, _)| key.as_str())
            .into_iter()
            .map(|(key, bucket)| Group::unlabelled(key, inner.parts(bucket, &[])))
            .collect()
    }
}
