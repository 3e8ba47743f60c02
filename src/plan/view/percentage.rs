//! How many of all process instances, in percent (fact file D1, section 6.2).

use serde_json::json;

use super::{Measure, MeasureKind, View, count};
use crate::filter;
use crate::plan::aggregations::{Aggregations, LEVEL, filter, named, with};
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;

/// The share of the instances found in all instances of the report's definitions; of the filters, only those on dates
/// narrow the latter.
///
/// Optimize counts all instances with a second request; a `global` aggregation counts them in the same one, and over the
/// same state of the index. It is only allowed outside of all buckets, where this view always is.
#[derive(Default)]
pub struct PercentageView {}

const ALL_INSTANCES: &str = "allInstances";

impl View for PercentageView {
    fn kinds(&self) -> Vec<MeasureKind> {
        vec![MeasureKind::Count]
    }

    fn aggregations(&self, context: &PlanContext<'_>) -> Aggregations {
        let report = context.report;
        let definitions = &context.scope.definitions;
        let baseline = filter::baseline_narrowing(&report.filters, definitions, context.filter);
        let all = filter(context.scope.query(&baseline));
        named(
            ALL_INSTANCES,
            with(json!({"global": {}}), named(LEVEL, all)),
        )
    }

    fn measures(&self, bucket: Bucket<'_>) -> Vec<Measure> {
        let all = bucket.sub(ALL_INSTANCES).and_then(|all| all.level(1));
        let all = count(all.map_or(0, |all| all.doc_count()));
        vec![(all > 0.0).then(|| count(bucket.doc_count()) / all * 100.0)]
    }

    fn number_without_index(&self) -> Measure {
        Some(0.0)
    }
}
