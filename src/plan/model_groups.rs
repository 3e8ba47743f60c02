//! What grouping by flow node, by user task and by the flow node of an incident have in common.
//!
//! Source: fact file D2, section 1.4 (`ProcessGroupByFlowNodeInterpreterHelper`).

use std::collections::HashSet;

use super::answer::Bucket;
use super::context::{ModelElement, ModelElements};
use super::distributed_by::Key;
use super::group_by::Group;
use super::hidden_flow_nodes::hidden_flow_nodes;
use super::inner::Inner;
use super::view::Measure;
use crate::result::Entry;

/// The groups of those buckets whose element the model has, then the elements without a bucket; without the latter
/// where a filter of the view level says which elements matter.
pub fn groups(
    buckets: Option<Bucket<'_>>,
    elements: &ModelElements,
    expected: &[Key],
    inner: &Inner<'_>,
) -> Vec<Group> {
    let Some(buckets) = buckets else {
        return Vec::new();
    };
    let mut known = HashSet::new();
    let mut groups = Vec::new();
    for bucket in buckets.buckets() {
        if let Some(element) = bucket.key().and_then(|id| elements.get(&id)) {
            known.insert(element.id.as_str());
            groups.push(group(element, inner.parts(bucket, expected)));
        }
    }
    if !inner.context.has_view_level_filter() {
        let without_data = elements.iter().filter(|e| !known.contains(e.id.as_str()));
        groups.extend(without_data.map(|e| group(e, inner.parts_of_nothing(expected))));
    }
    groups
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
