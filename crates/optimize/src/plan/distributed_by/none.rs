//! No distribution: a group is its own single part (crates/optimize/docs/groups.md, "Distributed by none").

use super::{Distribution, Key, Part};
use crate::plan::PlanError;
use crate::plan::aggregations::Aggregations;
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::plan::statistics::Range;
use crate::plan::view::{Measure, View};

pub struct Undistributed;

/// Nobody sees the key of the only part.
fn only(measures: Vec<Measure>) -> Vec<Part> {
    vec![Part {
        key: Key {
            key: String::new(),
            label: None,
        },
        measures,
    }]
}

impl Distribution for Undistributed {
    fn aggregations(
        &self,
        _: &PlanContext<'_>,
        _: Range,
        view: Aggregations,
    ) -> Result<Aggregations, PlanError> {
        Ok(view)
    }

    fn parts(
        &self,
        _: &PlanContext<'_>,
        _: Range,
        group: Bucket<'_>,
        _: &[Key],
        view: &dyn View,
    ) -> Result<Vec<Part>, PlanError> {
        Ok(only(view.measures(group)?))
    }

    fn parts_of_nothing(&self, _: &PlanContext<'_>, _: &[Key], view: &dyn View) -> Vec<Part> {
        only(view.measures_of_nothing())
    }
}
