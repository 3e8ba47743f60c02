//! By duration of process instances (crates/optimize/docs/groups.md, "Group by duration";
//! `ProcessGroupByDurationInterpreterES`).

use serde_json::json;

use super::{Group, Grouping};
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, LEVEL, filter, named, with};
use crate::plan::answer::Bucket;
use crate::plan::buckets::durations::{self, DurationBuckets};
use crate::plan::context::PlanContext;
use crate::plan::inner::Inner;
use crate::plan::scripts::DurationScript;
use crate::plan::search::Outermost;
use crate::plan::statistics::{Range, statistics_of};
use crate::result::Order;

const DURATIONS: &str = "durations";

/// By duration; what is running has lasted until now.
pub struct ByInstanceDuration;

/// A histogram of the durations that a script calculates, without those before the first bucket; none where there is
/// nothing to divide.
pub fn histogram(
    script: &DurationScript,
    range: Range,
    inner: &Inner<'_>,
) -> Result<Aggregations, PlanError> {
    let custom = &inner.context.report.configuration.custom_bucket;
    let Some(buckets) = DurationBuckets::new(custom, range)? else {
        return Ok(Aggregations::new());
    };
    let histogram = with(buckets.aggregation(&script.value()), inner.aggregations()?);
    let long_enough = filter(script.at_least(buckets.shortest()));
    Ok(named(LEVEL, with(long_enough, named(DURATIONS, histogram))))
}

/// The groups of such a histogram.
///
/// # Errors
/// It is not there.
pub fn groups_of_histogram(
    long_enough: Bucket<'_>,
    inner: &Inner<'_>,
) -> Result<Vec<Group>, PlanError> {
    let groups = long_enough.sub(DURATIONS)?.buckets()?.into_iter();
    groups
        .map(|bucket| {
            let key = durations::key(&bucket)?;
            Ok(Group::unlabelled(key, inner.parts(bucket, &[])?))
        })
        .collect()
}

impl Grouping for ByInstanceDuration {
    fn statistics(&self, context: &PlanContext<'_>) -> Option<Aggregations> {
        let script = DurationScript::of_process_instances(context.filter.now);
        Some(statistics_of(&json!({"script": script.value()})))
    }

    fn aggregations(&self, range: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        let script = DurationScript::of_process_instances(inner.context.filter.now);
        histogram(&script, range, inner).map(Outermost::from)
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        groups_of_histogram(answer.level(1)?, inner)
    }

    fn order(&self, context: &PlanContext<'_>) -> Order {
        Order::BY_NUMERIC_KEY.unless_sorted(context.report.configuration.sorting.as_ref())
    }
}
