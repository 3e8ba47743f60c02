//! By start or end date of flow nodes or user tasks (crates/optimize/docs/groups.md, "Group by date of flow nodes or user tasks";
//! `AbstractProcessGroupByModelElementDateInterpreterES`).

use serde_json::json;

use super::{Group, Grouping};
use crate::filter::is_user_task;
use crate::filter::query::FLOW_NODE_INSTANCES;
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, LEVEL, filter, named, nested, with, within};
use crate::plan::answer::Bucket;
use crate::plan::buckets::dates::{DateBuckets, buckets_by_key};
use crate::plan::context::PlanContext;
use crate::plan::inner::Inner;
use crate::plan::search::Outermost;
use crate::plan::statistics::{Range, statistics_of};
use crate::report::definition::{DateField, DateUnit};

const DATES: &str = "dates";

/// By date. Filters on dates of instances neither limit nor extend the buckets.
///
/// Optimize limits the buckets of the calendar to the range of the dates that it found before, which takes nothing
/// away.
pub struct ByElementDate(pub DateField, pub DateUnit);

impl ByElementDate {
    fn field(&self) -> &'static str {
        match self.0 {
            DateField::Start => "flowNodeInstances.startDate",
            DateField::End => "flowNodeInstances.endDate",
        }
    }
}

impl Grouping for ByElementDate {
    fn statistics(&self, context: &PlanContext<'_>) -> Option<Aggregations> {
        let levels = [
            nested(FLOW_NODE_INSTANCES),
            filter(context.model_element_filter()),
        ];
        let dates = statistics_of(&json!({"field": self.field()}));
        Some(within(levels, dates))
    }

    fn aggregations(&self, range: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        let context = inner.context;
        let zone = &context.filter.time_zone;
        let Some(buckets) = DateBuckets::new(self.1, range, zone)? else {
            return Ok(Outermost::default());
        };
        let dates = with(
            buckets.aggregation(self.field(), zone, None),
            inner.aggregations()?,
        );
        let looked_at = filter(context.model_element_filter());
        let mut all = inner.aggregations_over_all_groups()?;
        all.insert(LEVEL.to_owned(), with(looked_at, named(DATES, dates)));
        let kind = if context.filter.user_task_report {
            is_user_task()
        } else {
            json!({"match_all": {}})
        };
        Ok(within([nested(FLOW_NODE_INSTANCES), filter(kind)], all).into())
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        let expected = inner.all_parts(answer.level(2)?)?;
        let dates = answer.level(3)?.sub(DATES)?;
        let buckets = buckets_by_key(dates, &inner.context.filter.time_zone)?;
        let groups = buckets.into_iter();
        groups
            .map(|(key, bucket)| Ok(Group::unlabelled(key, inner.parts(bucket, &expected)?)))
            .collect()
    }
}
