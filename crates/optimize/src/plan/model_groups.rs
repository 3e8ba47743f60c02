//! What grouping by flow node, by user task and by the flow node of an incident have in common.
//!
//! Source: crates/optimize/docs/groups.md, "Group by flow node" (`ProcessGroupByFlowNodeInterpreterHelper`).

use std::collections::HashSet;

use super::PlanError;
use super::answer::Bucket;
use super::context::ModelElements;
use super::distributed_by::Key;
use super::group_by::Group;
use super::hidden_flow_nodes::hidden_flow_nodes;
use super::inner::Inner;
use super::view::Measure;
use crate::definitions::ModelElement;
use crate::result::Entry;

/// Groups of elements that the model has, while they are put together.
pub struct ModelGroups<'a> {
    elements: &'a ModelElements,
    inner: &'a Inner<'a>,
    expected: &'a [Key],
    known: HashSet<&'a str>,
    groups: Vec<Group>,
}

impl<'a> ModelGroups<'a> {
    /// No groups yet. `expected` are the parts that all groups together have.
    pub fn new(elements: &'a ModelElements, inner: &'a Inner<'a>, expected: &'a [Key]) -> Self {
        Self {
            elements,
            inner,
            expected,
            known: HashSet::new(),
            groups: Vec::new(),
        }
    }

    /// Adds a group of the element with this id, if the model has it, and it has no group yet.
    ///
    /// # Errors
    /// Its parts can't be told.
    pub fn add(
        &mut self,
        id: &str,
        parts: impl FnOnce() -> Result<Vec<Entry<Measure>>, PlanError>,
    ) -> Result<(), PlanError> {
        if let Some(element) = self.elements.get(id)
            && self.known.insert(&element.id)
        {
            self.groups.push(group(element, parts()?));
        }
        Ok(())
    }

    /// These groups, then the elements that have none; without the latter where a filter of the view level says which
    /// elements matter.
    pub fn with_all_elements(mut self) -> Vec<Group> {
        if !self.inner.context.has_view_level_filter() {
            let elements = self.elements.iter();
            let without_data = elements.filter(|element| !self.known.contains(element.id.as_str()));
            let without_data = without_data
                .map(|element| group(element, self.inner.parts_of_nothing(self.expected)));
            self.groups.extend(without_data);
        }
        self.groups
    }
}

/// The groups of those buckets whose element the model has, then the elements without a bucket; without the latter
/// where a filter of the view level says which elements matter.
///
/// # Errors
/// The answer lacks what was asked for.
pub fn groups(
    buckets: Bucket<'_>,
    elements: &ModelElements,
    expected: &[Key],
    inner: &Inner<'_>,
) -> Result<Vec<Group>, PlanError> {
    let mut groups = ModelGroups::new(elements, inner, expected);
    for bucket in buckets.buckets()? {
        groups.add(&bucket.key()?, || inner.parts(bucket, expected))?;
    }
    Ok(groups.with_all_elements())
}

fn group(element: &ModelElement, parts: Vec<Entry<Measure>>) -> Group {
    Group {
        key: Key {
            key: element.id.clone(),
            label: element.name.clone(),
        },
        parts,
    }
}

/// Takes out the groups of flow nodes that a heat map does not show.
pub fn without_hidden(mut groups: Vec<Group>, inner: &Inner<'_>) -> Vec<Group> {
    let report = inner.context.report;
    if report.visualization.as_deref() == Some("heat")
        && let Some(xml) = &report.configuration.xml
    {
        let hidden = hidden_flow_nodes(xml);
        groups.retain(|group| !hidden.contains(&group.key.key));
    }
    groups
}
