//! How many of all process instances, in percent (crates/optimize/docs/plans.md, "Percentage").

use serde_json::json;

use super::{Measure, MeasureKind, View, count};
use crate::filter;
use crate::plan::aggregations::{Aggregations, LEVEL, filter, named, with};
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::context::PlanContext;

/// The share of the instances found in all instances of the report's definitions; of the filters, only those on dates
/// narrow the latter, and in a report on agents those on which it stands.
///
/// Optimize counts all instances with a second request; a `global` aggregation counts them in the same one, and over the
/// same state of the index. It is only allowed outside of all buckets, where this view always is: a grouping by version
/// asks for [`all_instances`] itself.
#[derive(Default)]
pub struct PercentageView {}

const ALL_INSTANCES: &str = "allInstances";

/// Aggregations over all instances.
pub fn all_instances(context: &PlanContext<'_>, inner: Aggregations) -> Aggregations {
    let report = context.report;
    let baseline = filter::baseline_narrowing(
        &report.filters,
        &context.scope.definitions,
        report.agentic_control_report,
        context.filter,
    );
    let all = with(filter(context.scope.query(&baseline)), inner);
    named(
        ALL_INSTANCES,
        with(json!({"global": {}}), named(LEVEL, all)),
    )
}

/// All instances in an answer to [`all_instances`].
///
/// # Errors
/// They are not there.
pub fn all_instances_in(answer: Bucket<'_>) -> Result<Bucket<'_>, AbsentAggregation> {
    answer.sub(ALL_INSTANCES)?.level(1)
}

/// A part of all, in percent; nothing where there is nothing.
pub fn percent(part: u64, all: u64) -> Measure {
    (all > 0).then(|| count(part) / count(all) * 100.0)
}

impl View for PercentageView {
    fn kinds(&self) -> Vec<MeasureKind> {
        vec![MeasureKind::Count]
    }

    fn aggregations(&self, context: &PlanContext<'_>) -> Aggregations {
        all_instances(context, Aggregations::new())
    }

    fn measures(&self, bucket: Bucket<'_>) -> Result<Vec<Measure>, AbsentAggregation> {
        let all = all_instances_in(bucket)?.doc_count()?;
        Ok(vec![percent(bucket.doc_count()?, all)])
    }

    fn number_without_index(&self) -> Measure {
        Some(0.0)
    }
}
