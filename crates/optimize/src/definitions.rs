//! Definitions of processes and decisions, as far as reports show them: versions, names, flow nodes, inputs and outputs.
//!
//! Who asks the cluster for them hands in what is stored.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::report::definition::lenient;
use crate::scope::{DefinitionScope, Versions};

pub mod clauses;
pub mod decisions;
mod flow_node_names;
pub mod searches;

pub use flow_node_names::FlowNodeNames;
use searches::ProcessDefinitionKey;

/// A definition version of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DefinitionVersion {
    /// Definition key.
    pub key: String,
    /// Version, a string.
    pub version: String,
    /// Tenant of the instance that asks.
    pub tenant_id: Option<String>,
}

impl DefinitionVersion {
    /// The one that a stored instance names; `None` for an instance whose definition data were not imported yet.
    pub fn of_instance(
        key: Option<&str>,
        version: Option<&str>,
        tenant_id: Option<&str>,
    ) -> Option<Self> {
        Some(Self {
            key: key?.to_owned(),
            version: version?.to_owned(),
            tenant_id: tenant_id.map(str::to_owned),
        })
    }

    /// Whether [`DefinitionVersion::of_instance`] would give this one, without making it.
    pub fn is_of_instance(
        &self,
        key: Option<&str>,
        version: Option<&str>,
        tenant_id: Option<&str>,
    ) -> bool {
        key == Some(&self.key)
            && version == Some(&self.version)
            && tenant_id == self.tenant_id.as_deref()
    }
}

/// A process definition of the cluster, over all its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessDefinition {
    /// Definition key.
    pub key: String,
    /// Name of its newest version.
    pub name: Option<String>,
    /// All tenants that have it; `None` stands for "no tenant".
    pub tenant_ids: Vec<Option<String>>,
}

impl ProcessDefinition {
    /// All versions and tenants of this definition.
    pub fn scope(&self) -> DefinitionScope {
        DefinitionScope {
            identifier: None,
            key: self.key.clone(),
            label: self
                .name
                .clone()
                .filter(|n| !n.is_empty())
                .unwrap_or_else(|| self.key.clone()),
            versions: Versions::All,
            tenant_ids: self.tenant_ids.clone(),
        }
    }

    /// The definitions that have these keys, in their order.
    pub fn of_keys(keys: Vec<ProcessDefinitionKey>) -> Vec<Self> {
        #[derive(Default)]
        struct Collected {
            tenant_ids: Vec<Option<String>>,
            newest: Option<(u64, Option<String>)>,
        }
        let mut collected: BTreeMap<String, Collected> = BTreeMap::new();
        for key in keys {
            let definition = collected.entry(key.key).or_default();
            if !definition.tenant_ids.contains(&key.tenant) {
                definition.tenant_ids.push(key.tenant);
            }
            let version = key
                .version
                .and_then(|version| version.parse().ok())
                .unwrap_or(0);
            if definition
                .newest
                .as_ref()
                .is_none_or(|(newest, _)| version > *newest)
            {
                definition.newest = Some((version, key.name));
            }
        }
        let definitions = collected
            .into_iter()
            .map(|(key, definition)| ProcessDefinition {
                key,
                name: definition.newest.and_then(|(_, name)| name),
                tenant_ids: definition.tenant_ids,
            });
        definitions.collect()
    }
}

/// A flow node of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelElement {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// What it is, such as `userTask`.
    pub kind: Option<String>,
}

impl ModelElement {
    /// Whether it is a user task.
    pub fn is_user_task(&self) -> bool {
        let kind = self.kind.as_deref();
        kind.is_some_and(|kind| kind.eq_ignore_ascii_case("userTask"))
    }
}

/// What one process definition is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessModel {
    /// All flow nodes.
    pub flow_nodes: Vec<ModelElement>,
    /// User tasks, as the definition lists them on their own.
    pub user_tasks: Vec<ModelElement>,
}

/// A version of a definition that is in the index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KnownVersion {
    /// The version.
    pub version: String,
    /// The tenant; none is "no tenant".
    pub tenant: Option<String>,
}

/// The version whose names a report shows (crates/optimize/docs/indices.md, "Version whose names are shown").
///
/// Where the report covers the newest version or all of them, it is the newest one of a tenant, and of several tenants
/// that with the **lowest** newest version, those without tenant left out unless they are asked for. Otherwise it is
/// the highest of the listed versions: of the only tenant, then without tenant; of several tenants, first without
/// tenant, then by id.
pub fn choose_version<'k>(
    known: &'k [KnownVersion],
    versions: &Versions,
    tenant_ids: &[Option<String>],
) -> Option<&'k KnownVersion> {
    let listed = match versions {
        Versions::Listed(listed) => listed,
        Versions::UnknownLatest => return None,
        Versions::All | Versions::Latest(_) => return newest_of_tenants(known, tenant_ids),
    };
    let number = |version: &str| version.parse::<u64>().ok();
    let highest = listed
        .iter()
        .filter(|version| number(version).is_some())
        .max_by_key(|version| number(version))
        .or(listed.last())?;
    let mut tenants: Vec<&Option<String>> = tenant_ids.iter().chain([&None]).collect();
    if tenant_ids.len() != 1 {
        // No tenant is before all ids.
        tenants.sort();
    }
    tenants.iter().find_map(|tenant| {
        known
            .iter()
            .find(|known| known.version == *highest && known.tenant == **tenant)
    })
}

fn newest_of_tenants<'k>(
    known: &'k [KnownVersion],
    tenant_ids: &[Option<String>],
) -> Option<&'k KnownVersion> {
    let number = |known: &KnownVersion| known.version.parse::<u64>().unwrap_or(0);
    let mut newest: BTreeMap<&Option<String>, &KnownVersion> = BTreeMap::new();
    for version in known {
        let is_candidate = version.tenant.is_none() || tenant_ids.contains(&version.tenant);
        let is_newer = newest
            .get(&version.tenant)
            .is_none_or(|earlier| number(version) > number(earlier));
        if is_candidate && is_newer {
            newest.insert(&version.tenant, version);
        }
    }
    let mut candidates: Vec<&KnownVersion> = newest.into_values().collect();
    candidates.sort_by_key(|version| number(version));
    match candidates[..] {
        [only] => Some(only),
        _ => candidates
            .into_iter()
            .find(|version| tenant_ids.contains(&version.tenant)),
    }
}

/// The largest of the versions that are numbers; where none is, the last in alphabetical order.
fn newest(versions: impl Iterator<Item = String>) -> Option<String> {
    versions.max_by(|a, b| (a.parse::<u64>().ok(), a).cmp(&(b.parse::<u64>().ok(), b)))
}

/// A stored definition of a process, as far as it tells what the process is made of.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FlowNodeSource {
    /// All flow nodes.
    #[serde(default, deserialize_with = "lenient::list_or_null")]
    pub flow_node_data: Vec<Option<FlowNode>>,
    /// Names of user tasks, by their ids.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub user_task_names: BTreeMap<String, Option<String>>,
    /// The model as a text.
    #[serde(default, deserialize_with = "lenient::optional_string")]
    pub bpmn20_xml: Option<String>,
}

impl FlowNodeSource {
    /// The names of its flow nodes; those without an id are left out.
    pub fn into_names(self) -> FlowNodeNames {
        let nodes = self.flow_node_data.into_iter().flatten();
        nodes
            .filter_map(|node| Some((node.id?, node.name)))
            .collect()
    }

    /// What the process is made of; flow nodes without an id are left out.
    pub fn into_model(self) -> ProcessModel {
        let flow_nodes = self.flow_node_data.into_iter().flatten();
        let user_tasks = self.user_task_names.into_iter();
        ProcessModel {
            flow_nodes: flow_nodes
                .filter_map(|node| {
                    Some(ModelElement {
                        id: node.id?,
                        name: node.name,
                        kind: node.kind,
                    })
                })
                .collect(),
            user_tasks: user_tasks
                .map(|(id, name)| ModelElement {
                    id,
                    name,
                    kind: Some("userTask".to_owned()),
                })
                .collect(),
        }
    }
}

/// A stored flow node.
#[derive(Deserialize)]
pub struct FlowNode {
    /// Its id.
    #[serde(default, deserialize_with = "lenient::optional_string")]
    pub id: Option<String>,
    /// Its name.
    #[serde(default, deserialize_with = "lenient::optional_string")]
    pub name: Option<String>,
    /// What it is, such as `userTask`.
    #[serde(
        default,
        rename = "type",
        deserialize_with = "lenient::optional_string"
    )]
    pub kind: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(list: &[(&str, Option<&str>)]) -> Vec<KnownVersion> {
        let version = |(version, tenant): &(&str, Option<&str>)| KnownVersion {
            version: (*version).to_owned(),
            tenant: tenant.map(str::to_owned),
        };
        list.iter().map(version).collect()
    }

    fn chosen(
        list: &[(&str, Option<&str>)],
        versions: &Versions,
        tenants: &[Option<&str>],
    ) -> Option<String> {
        let tenants: Vec<Option<String>> = tenants.iter().map(|t| t.map(str::to_owned)).collect();
        let known = known(list);
        let chosen = choose_version(&known, versions, &tenants)?;
        Some(format!(
            "{} {}",
            chosen.version,
            chosen.tenant.as_deref().unwrap_or("-")
        ))
    }

    #[test]
    fn the_newest_version_of_a_tenant_names_flow_nodes() {
        let list = [
            ("9", None),
            ("10", None),
            ("3", Some("a")),
            ("12", Some("b")),
        ];
        let all = |tenants: &[Option<&str>]| chosen(&list, &Versions::All, tenants);
        assert_eq!(all(&[None]).as_deref(), Some("10 -"));
        assert_eq!(all(&[Some("a")]).as_deref(), Some("3 a"));
        assert_eq!(all(&[Some("b")]).as_deref(), Some("12 b"));
        assert_eq!(all(&[Some("a"), Some("b"), None]).as_deref(), Some("3 a"));
        assert_eq!(all(&[Some("b"), None]).as_deref(), Some("10 -"));
        assert_eq!(all(&[Some("c")]).as_deref(), Some("10 -"));
        assert_eq!(chosen(&list[2..], &Versions::All, &[None]), None);
    }

    #[test]
    fn the_highest_of_listed_versions_names_flow_nodes() {
        let list = [
            ("9", None),
            ("10", Some("a")),
            ("10", Some("b")),
            ("10", None),
        ];
        let listed = |versions: &[&str], tenants: &[Option<&str>]| {
            let versions = versions.iter().map(ToString::to_string).collect();
            chosen(&list, &Versions::Listed(versions), tenants)
        };
        assert_eq!(listed(&["9", "10"], &[Some("a")]).as_deref(), Some("10 a"));
        assert_eq!(
            listed(&["10", "9"], &[Some("b"), Some("a")]).as_deref(),
            Some("10 -")
        );
        assert_eq!(listed(&["9"], &[Some("a")]).as_deref(), Some("9 -"));
        assert_eq!(listed(&["9", "11"], &[None]), None);
        assert_eq!(listed(&[], &[None]), None);
    }

    #[test]
    fn a_process_has_the_name_of_its_newest_version_and_the_tenants_of_all() {
        let key = |key: &str, version: &str, tenant: Option<&str>, name: Option<&str>| {
            ProcessDefinitionKey {
                key: key.to_owned(),
                version: Some(version.to_owned()),
                tenant: tenant.map(str::to_owned),
                name: name.map(str::to_owned),
            }
        };
        let definition = |key: &str, name: Option<&str>, tenant_ids| ProcessDefinition {
            key: key.to_owned(),
            name: name.map(str::to_owned),
            tenant_ids,
        };
        assert_eq!(
            ProcessDefinition::of_keys(vec![
                key("b", "9", None, Some("nine")),
                key("b", "10", Some("t"), Some("ten")),
                key("b", "10", None, Some("ten elsewhere")),
                key("a", "beta", None, None),
            ]),
            [
                definition("a", None, vec![None]),
                definition("b", Some("ten"), vec![None, Some("t".to_owned())]),
            ]
        );
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let newest_of = |versions: &[&str]| newest(versions.iter().map(ToString::to_string));
        assert_eq!(newest_of(&["9", "10", "2"]).as_deref(), Some("10"));
        assert_eq!(newest_of(&["beta", "3"]).as_deref(), Some("3"));
        assert_eq!(newest_of(&["alpha", "beta"]).as_deref(), Some("beta"));
        assert_eq!(newest_of(&[]), None);
    }
}
