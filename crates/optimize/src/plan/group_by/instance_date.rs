//! By start or end date of process instances (crates/optimize/docs/groups.md, "Group by start or end date of instances";
//! `AbstractProcessGroupByProcessInstanceDateInterpreterES`).

use serde_json::{Value, json};

use super::{Group, Grouping};
use crate::filter::dates::{instance_date_field, instance_date_histogram_limits};
use crate::filter::query::exists;
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, LEVEL, filter, named, with};
use crate::plan::answer::Bucket;
use crate::plan::buckets::dates::{DateBuckets, buckets_by_key};
use crate::plan::context::PlanContext;
use crate::plan::inner::Inner;
use crate::plan::search::Outermost;
use crate::plan::statistics::{Range, statistics_of};
use crate::report::definition::{DateField, DateUnit};

const DATES: &str = "dates";

/// By date. Filters on dates limit and extend the buckets of the calendar, but not those of equal length.
pub struct ByInstanceDate(pub DateField, pub DateUnit);

impl Grouping for ByInstanceDate {
    fn statistics(&self, _: &PlanContext<'_>) -> Option<Aggregations> {
        Some(statistics_of(
            &json!({"field": instance_date_field(self.0)}),
        ))
    }

    fn clauses(&self) -> Vec<Value> {
        vec![exists(instance_date_field(self.0))]
    }

    fn aggregations(&self, range: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        let context = inner.context;
        let zone = &context.filter.time_zone;
        let Some(buckets) = DateBuckets::new(self.1, range, zone)? else {
            return Ok(Outermost::default());
        };
        let (limit, bounds) = if buckets.is_calendar() {
            let limits =
                instance_date_histogram_limits(&context.report.filters, self.0, context.filter);
            (limits.filter, limits.extended_bounds)
        } else {
            (json!({"match_all": {}}), None)
        };
        let field = instance_date_field(self.0);
        let dates = with(
            buckets.aggregation(field, zone, bounds),
            inner.aggregations()?,
        );
        let mut limited = inner.aggregations_over_all_groups()?;
        limited.insert(DATES.to_owned(), dates);
        Ok(named(LEVEL, with(filter(limit), limited)).into())
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        let limited = answer.level(1)?;
        let expected = inner.all_parts(limited)?;
        let buckets = buckets_by_key(limited.sub(DATES)?, &inner.context.filter.time_zone)?;
        let groups = buckets.into_iter();
        groups
            .map(|(key, bucket)| Ok(Group::unlabelled(key, inner.parts(bucket, &expected)?)))
            .collect()
    }
}
