//! What is inside of each group: the distribution, and the view in it.

use super::PlanError;
use super::aggregations::Aggregations;
use super::answer::Bucket;
use super::context::PlanContext;
use super::distributed_by::{Distribution, Key, Part};
use super::room::Room;
use super::statistics::Range;
use super::view::{Measure, View};
use crate::result::Entry;

/// A distribution with a view, as a grouping sees them.
#[derive(Clone, Copy)]
pub struct Inner<'a> {
    /// What the plan depends on.
    pub context: &'a PlanContext<'a>,
    /// The distribution.
    pub distribution: &'a dyn Distribution,
    /// The view.
    pub view: &'a dyn View,
    /// What the distribution had to know first.
    pub range: Range,
    /// What the grouping had to know first.
    pub grouping_range: Range,
    /// The memory that there is for the search and the result.
    pub room: &'a Room<'a>,
}

impl Inner<'_> {
    /// The aggregations in each group.
    ///
    /// # Errors
    /// The report asks for impossible buckets.
    pub fn aggregations(&self) -> Result<Aggregations, PlanError> {
        let view = self.view.aggregations(self.context);
        self.distribution
            .aggregations(self.context, self.range, view)
    }

    /// The aggregations that tell which parts all groups together have; they stand beside the groups. Nothing is
    /// measured in them.
    ///
    /// # Errors
    /// As [`Inner::aggregations`].
    pub fn aggregations_over_all_groups(&self) -> Result<Aggregations, PlanError> {
        if !self.distribution.shows_parts_of_all_groups() {
            return Ok(Aggregations::new());
        }
        self.distribution
            .aggregations_over_all_groups(self.context, self.range)
    }

    /// The parts that all groups together have.
    ///
    /// # Errors
    /// The answer lacks what was asked for.
    pub fn all_parts(&self, all: Bucket<'_>) -> Result<Vec<Key>, PlanError> {
        if !self.distribution.shows_parts_of_all_groups() {
            return Ok(Vec::new());
        }
        self.distribution.all_parts(self.context, self.range, all)
    }

    /// The parts of a group, with all their measures.
    ///
    /// # Errors
    /// The answer lacks what was asked for.
    pub fn measured_parts(
        &self,
        group: Bucket<'_>,
        expected: &[Key],
    ) -> Result<Vec<Part>, PlanError> {
        if self.room.is_used_up() {
            return Ok(Vec::new());
        }
        self.distribution
            .parts(self.context, self.range, group, expected, self.view)
    }

    /// The parts of a group as the result has them.
    ///
    /// # Errors
    /// The answer lacks what was asked for.
    pub fn parts(
        &self,
        group: Bucket<'_>,
        expected: &[Key],
    ) -> Result<Vec<Entry<Measure>>, PlanError> {
        Ok(self.room.keep(self.measured_parts(group, expected)?))
    }

    /// The parts of a group that Elasticsearch has no bucket for.
    pub fn parts_of_nothing(&self, expected: &[Key]) -> Vec<Entry<Measure>> {
        if self.room.is_used_up() {
            return Vec::new();
        }
        let parts = self
            .distribution
            .parts_of_nothing(self.context, expected, self.view);
        self.room.keep(parts)
    }
}
