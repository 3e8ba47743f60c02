//! How many process instances, flow nodes, user tasks or incidents (crates/optimize/docs/plans.md, "Frequency").

use super::{Measure, MeasureKind, View, count};
use crate::plan::aggregations::Aggregations;
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::context::PlanContext;
use crate::report::definition::ViewEntity;

/// The number of documents in a bucket, whatever documents they are.
pub struct FrequencyView {
    /// Where there are no process instances there are none, but a flow node without a bucket has no number.
    is_zero_of_nothing: bool,
}

impl FrequencyView {
    pub fn new(entity: Option<ViewEntity>) -> Self {
        Self {
            is_zero_of_nothing: entity == Some(ViewEntity::ProcessInstance),
        }
    }
}

impl View for FrequencyView {
    fn kinds(&self) -> Vec<MeasureKind> {
        vec![MeasureKind::Count]
    }

    fn aggregations(&self, _: &PlanContext<'_>) -> Aggregations {
        Aggregations::new()
    }

    fn measures(&self, bucket: Bucket<'_>) -> Result<Vec<Measure>, AbsentAggregation> {
        Ok(vec![Some(count(bucket.doc_count()?))])
    }

    fn measures_of_nothing(&self) -> Vec<Measure> {
        vec![self.number_without_index()]
    }

    fn number_without_index(&self) -> Measure {
        self.is_zero_of_nothing.then_some(0.0)
    }
}
