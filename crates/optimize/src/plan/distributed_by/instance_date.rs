//! By start or end date of process instances (crates/optimize/docs/groups.md, "Distributed by start or end date";
//! `AbstractProcessDistributedByInstanceDateInterpreterES`).

use serde_json::json;

use super::{Distribution, Key, Part};
use crate::filter::dates::{instance_date_field, instance_date_histogram_limits};
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, filter, named, with};
use crate::plan::answer::Bucket;
use crate::plan::buckets::dates::{DateBuckets, buckets_by_key};
use crate::plan::context::PlanContext;
use crate::plan::statistics::{Range, statistics_of};
use crate::plan::view::View;
use crate::report::definition::{DateField, DateUnit};

const LIMITED: &str = "limitedDates";
const DATES: &str = "dates";

/// By date; all groups have the same buckets.
pub struct ByInstanceDate(pub DateField, pub DateUnit);

impl Distribution for ByInstanceDate {
    fn statistics(&self, _: &PlanContext<'_>) -> Option<Aggregations> {
        Some(statistics_of(
            &json!({"field": instance_date_field(self.0)}),
        ))
    }

    /// Without any date there are no buckets, and groups have no parts.
    fn aggregations(
        &self,
        context: &PlanContext<'_>,
        range: Range,
        view: Aggregations,
    ) -> Result<Aggregations, PlanError> {
        let zone = &context.filter.time_zone;
        let Some(buckets) = DateBuckets::new(self.1, range, zone)? else {
            return Ok(Aggregations::new());
        };
        let field = instance_date_field(self.0);
        let (limit, bounds) = if buckets.is_calendar() {
            let limits =
                instance_date_histogram_limits(&context.report.filters, self.0, context.filter);
            (limits.filter, limits.extended_bounds.or(range.whole_ends()))
        } else {
            (json!({"match_all": {}}), None)
        };
        let dates = with(buckets.aggregation(field, zone, bounds), view);
        Ok(named(LIMITED, with(filter(limit), named(DATES, dates))))
    }

    fn parts(
        &self,
        context: &PlanContext<'_>,
        range: Range,
        group: Bucket<'_>,
        _: &[Key],
        view: &dyn View,
    ) -> Result<Vec<Part>, PlanError> {
        if range.whole_ends().is_none() {
            // Nothing was asked for.
            return Ok(Vec::new());
        }
        let dates = group.sub(LIMITED)?.sub(DATES)?;
        let buckets = buckets_by_key(dates, &context.filter.time_zone)?;
        let parts = buckets.into_iter().map(|(key, bucket)| {
            Ok(Part {
                key: Key { key, label: None },
                measures: view.measures(bucket)?,
            })
        });
        parts.collect()
    }
}
