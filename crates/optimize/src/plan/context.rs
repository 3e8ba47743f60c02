//! What a plan depends on beside the report.

use std::collections::HashMap;

use crate::definitions::{ModelElement, ProcessModel};
use crate::filter::{self, FilterContext};
use crate::java::hash_map_order;
use crate::plan::ad_hoc_sub_processes::AdHocSubProcesses;
use crate::plan::variable_buckets::BucketSettings;
use crate::report::definition::{FilterLevel, ProcessReportData};
use crate::scope::Scope;

/// What a plan depends on.
#[derive(Clone, Copy)]
pub struct PlanContext<'a> {
    /// The report.
    pub report: &'a ProcessReportData,
    /// Which instances it covers.
    pub scope: &'a Scope,
    /// Now, the zone, and the settings that filters depend on.
    pub filter: &'a FilterContext,
    /// Buckets per `terms` aggregation; what is beyond is left out silently, as in Optimize.
    pub bucket_limit: u32,
    /// The compression of the t-digests that percentiles are estimated with; `None` for the server's default.
    pub percentile_compression: Option<u32>,
    /// Flow nodes and user tasks of the report's definitions.
    pub models: &'a ProcessModels,
}

impl PlanContext<'_> {
    /// What all buckets of the report have in common.
    pub fn bucket_settings(&self) -> BucketSettings<'_> {
        BucketSettings {
            limit: self.bucket_limit,
            time_zone: &self.filter.time_zone,
        }
    }

    /// The flow nodes that the report looks at, within the nested `flowNodeInstances`.
    pub fn model_element_filter(&self) -> serde_json::Value {
        let definitions = &self.scope.definitions;
        filter::model_element_filter(&self.report.filters, definitions, self.filter)
    }

    /// Whether a filter narrows flow nodes or incidents; Optimize shows none without data then.
    pub fn has_view_level_filter(&self) -> bool {
        let mut filters = self.report.filters.iter();
        filters.any(|filter| filter.level == FilterLevel::View)
    }
}

/// Elements of several models by id, in the order of Optimize's `HashMap`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelElements {
    elements: Vec<ModelElement>,
    positions: HashMap<String, usize>,
}

impl ModelElements {
    /// Merges lists of elements: of those with the same id, the last one counts
    /// (crates/optimize/docs/indices.md, "Names of flow nodes").
    fn merged<'m>(lists: impl Iterator<Item = &'m [ModelElement]>) -> Self {
        let mut elements: Vec<ModelElement> = Vec::new();
        let mut positions: HashMap<String, usize> = HashMap::new();
        for element in lists.flatten() {
            match positions
                .get(&element.id)
                .and_then(|at| elements.get_mut(*at))
            {
                Some(earlier) => *earlier = element.clone(),
                None => {
                    positions.insert(element.id.clone(), elements.len());
                    elements.push(element.clone());
                }
            }
        }
        let elements = hash_map_order(elements, |element| element.id.as_str());
        let positions = elements.iter().enumerate();
        let positions = positions
            .map(|(at, element)| (element.id.clone(), at))
            .collect();
        Self {
            elements,
            positions,
        }
    }

    /// The element with this id.
    pub fn get(&self, id: &str) -> Option<&ModelElement> {
        self.elements.get(*self.positions.get(id)?)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &ModelElement> {
        self.elements.iter()
    }
}

/// What the definitions of a report are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessModels {
    /// All flow nodes.
    pub flow_nodes: ModelElements,
    /// User tasks.
    pub user_tasks: ModelElements,
    /// Names of process definitions by key, where a report shows them; without those that have none.
    pub definition_names: HashMap<String, String>,
    /// Ad-hoc sub-processes of the first definition, where a report looks at them. Ids are only unique within a definition, and
    /// Optimize looks at no other.
    pub ad_hoc_sub_processes: AdHocSubProcesses,
}

impl ProcessModels {
    /// Merges the models of definitions, in the order of the report.
    pub fn of(models: &[std::sync::Arc<ProcessModel>]) -> Self {
        Self {
            flow_nodes: ModelElements::merged(models.iter().map(|m| m.flow_nodes.as_slice())),
            user_tasks: ModelElements::merged(models.iter().map(|m| m.user_tasks.as_slice())),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn element(id: &str, name: &str) -> ModelElement {
        ModelElement {
            id: id.to_owned(),
            name: Some(name.to_owned()),
            kind: None,
        }
    }

    #[test]
    fn later_definitions_rename_elements() {
        let model = |flow_nodes: Vec<ModelElement>| {
            Arc::new(ProcessModel {
                flow_nodes,
                user_tasks: Vec::new(),
            })
        };
        // `p` is in the first slot of a Java map, `a` in the second.
        let models = ProcessModels::of(&[
            model(vec![element("a", "old"), element("p", "P")]),
            model(vec![element("a", "new")]),
        ]);
        let names: Vec<_> = models
            .flow_nodes
            .iter()
            .map(|e| e.name.as_deref().unwrap())
            .collect();
        assert_eq!(names, ["P", "new"]);
        assert_eq!(models.flow_nodes.get("a"), Some(&element("a", "new")));
        assert_eq!(models.flow_nodes.get("b"), None);
    }
}
