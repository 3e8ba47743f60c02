//! By evaluation date (crates/optimize/docs/decisions.md, "Group by evaluation date";
//! `DecisionGroupByEvaluationDateTimeInterpreterES`).

use serde_json::json;

use super::{DecisionContext, DecisionGrouping};
use crate::filter::dates::{EVALUATION_DATE, evaluation_date_histogram_limits};
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, LEVEL, filter, named, with};
use crate::plan::answer::Bucket;
use crate::plan::buckets::dates::{DateBuckets, buckets_by_key};
use crate::plan::statistics::{Range, statistics_of};
use crate::report::definition::{DateUnit, SortOrder};
use crate::result::Order;

const DATES: &str = "dates";

/// By date. Filters on evaluation dates extend the buckets of the calendar, but not those of equal length.
pub struct ByEvaluationDate(pub DateUnit);

impl DecisionGrouping for ByEvaluationDate {
    fn statistics(&self, _: &DecisionContext<'_>) -> Option<Aggregations> {
        Some(statistics_of(&json!({"field": EVALUATION_DATE})))
    }

    fn aggregations(
        &self,
        context: &DecisionContext<'_>,
        range: Range,
    ) -> Result<Aggregations, PlanError> {
        let zone = &context.filter.time_zone;
        let Some(buckets) = DateBuckets::new(self.0, range, zone)? else {
            return Ok(Aggregations::new());
        };
        let (limit, bounds) = if buckets.is_calendar() {
            let limits = evaluation_date_histogram_limits(&context.report.filters, context.filter);
            (limits.filter, limits.extended_bounds)
        } else {
            (json!({"match_all": {}}), None)
        };
        let dates = named(DATES, buckets.aggregation(EVALUATION_DATE, zone, bounds));
        Ok(named(LEVEL, with(filter(limit), dates)))
    }

    fn groups<'a>(
        &self,
        context: &DecisionContext<'_>,
        answer: Bucket<'a>,
    ) -> Result<Vec<(String, Bucket<'a>)>, PlanError> {
        let dates = answer.level(1)?.sub(DATES)?;
        Ok(buckets_by_key(dates, &context.filter.time_zone)?)
    }

    /// The last date first, unless the user wants another order
    /// (crates/optimize/docs/decisions.md, "Group by evaluation date").
    fn order(&self, context: &DecisionContext<'_>) -> Order {
        let last_first = Order {
            direction: SortOrder::Desc,
            ..Order::BY_KEY
        };
        last_first.unless_sorted(context.configuration().sorting.as_ref())
    }
}
