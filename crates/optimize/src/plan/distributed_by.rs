//! Distributions: what splits the documents of a group.
//!
//! Source: crates/optimize/docs/plans.md, "Nesting".

use super::PlanError;
use super::aggregations::Aggregations;
use super::answer::Bucket;
use super::combination::has_distribution;
use super::context::PlanContext;
use super::statistics::Range;
use super::view::{Measure, View};
use crate::report::definition::{DateField, DistributedBy, IdentityField, ProcessReportData};
use crate::result::Order;

mod identity;
mod instance_date;
mod model_element;
mod none;
mod process;
mod variable;

/// A key and its label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub key: String,
    /// The label; the key stands in for none.
    pub label: Option<String>,
}

/// A part of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What tells it from the other parts.
    pub key: Key,
    /// The measures of the view.
    pub measures: Vec<Measure>,
}

/// What splits the documents of a group.
pub trait Distribution: Send + Sync {
    /// Whether it shows flow nodes or user tasks of the model.
    fn needs_models(&self) -> bool {
        false
    }

    /// What it has to know before it can make buckets.
    fn statistics(&self, _: &PlanContext<'_>) -> Option<Aggregations> {
        None
    }

    /// The aggregations in each group, around those of the view.
    ///
    /// # Errors
    /// The report asks for impossible buckets.
    fn aggregations(
        &self,
        context: &PlanContext<'_>,
        range: Range,
        view: Aggregations,
    ) -> Result<Aggregations, PlanError>;

    /// Whether each group is to show the parts of all groups.
    fn shows_parts_of_all_groups(&self) -> bool {
        false
    }

    /// The aggregations that tell these parts, over the documents of all groups; nothing is measured in them.
    ///
    /// # Errors
    /// As [`Distribution::aggregations`].
    fn aggregations_over_all_groups(
        &self,
        context: &PlanContext<'_>,
        range: Range,
    ) -> Result<Aggregations, PlanError> {
        self.aggregations(context, range, Aggregations::new())
    }

    /// The parts that all groups together have, where each is to show them.
    ///
    /// # Errors
    /// The answer lacks what was asked for.
    fn all_parts(
        &self,
        _: &PlanContext<'_>,
        _: Range,
        _all: Bucket<'_>,
    ) -> Result<Vec<Key>, PlanError> {
        Ok(Vec::new())
    }

    /// The parts of a group; `expected` are those that all groups together have.
    ///
    /// # Errors
    /// The answer lacks what was asked for.
    fn parts(
        &self,
        context: &PlanContext<'_>,
        range: Range,
        group: Bucket<'_>,
        expected: &[Key],
        view: &dyn View,
    ) -> Result<Vec<Part>, PlanError>;

    /// The parts of a group that Elasticsearch has no bucket for.
    fn parts_of_nothing(
        &self,
        _: &PlanContext<'_>,
        expected: &[Key],
        view: &dyn View,
    ) -> Vec<Part> {
        let parts = expected.iter().map(|key| Part {
            key: key.clone(),
            measures: view.measures_of_nothing(),
        });
        parts.collect()
    }

    /// The order of the parts. The user's order has no say in it.
    fn order(&self, _: &PlanContext<'_>) -> Order {
        Order::BY_KEY
    }
}

/// The distribution of a report; only flow nodes, user tasks and process instances have one.
pub fn of(report: &ProcessReportData) -> Box<dyn Distribution> {
    let distributed_by = report.distributed_by.as_ref();
    let distributed_by = distributed_by.filter(|_| has_distribution(report));
    match distributed_by {
        None | Some(DistributedBy::None) => Box::new(none::Undistributed),
        Some(DistributedBy::UserTask) => Box::new(model_element::ByModelElement::UserTask),
        Some(DistributedBy::FlowNode) => Box::new(model_element::ByModelElement::FlowNode),
        Some(DistributedBy::Assignee) => Box::new(identity::ByIdentity(IdentityField::Assignee)),
        Some(DistributedBy::CandidateGroup) => {
            Box::new(identity::ByIdentity(IdentityField::CandidateGroup))
        }
        Some(DistributedBy::Variable(variable)) => Box::new(variable::ByVariable(variable.clone())),
        Some(DistributedBy::StartDate(unit)) => {
            Box::new(instance_date::ByInstanceDate(DateField::Start, *unit))
        }
        Some(DistributedBy::EndDate(unit)) => {
            Box::new(instance_date::ByInstanceDate(DateField::End, *unit))
        }
        Some(DistributedBy::Process) => Box::new(process::ByProcess::of(report.view.entity)),
    }
}
