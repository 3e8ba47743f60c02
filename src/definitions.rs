//! What the definition indices know: newest versions, all definitions of the cluster, names of flow nodes.
//!
//! Answers are kept for a few seconds (`--cache-ttl`), and requests for the same thing at the same time ask once.
//!
//! Source: crates/optimize/docs/indices.md, "Definitions" and "Names of flow nodes".

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _};
use moka::future::Cache;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cache::get_or_load;
use crate::elasticsearch::{Elasticsearch, ElasticsearchError, Refusal};
use crate::java::is_blank;
use crate::plan::ad_hoc_sub_processes::AdHocSubProcesses;
use crate::plan::context::{ModelElement, ProcessModel};
use crate::raw_data::clauses::DecisionClauses;
use crate::report::definition::{
    DefinitionError, DefinitionSelection, ProcessReportData, VersionSelection, lenient,
};
use crate::scope::{DefinitionKind, DefinitionScope, IndexNames, Scope, Versions};

mod decisions;

/// Entries of each cache. An installation has some thousand definition versions at most.
const MAX_CACHED: u64 = 10_000;
/// Distinct versions of one key that are looked at for the newest one.
const MAX_VERSIONS: usize = 10_000;

/// Definitions that are read at the same time; a management report covers all of the cluster.
const MODELS_AT_ONCE: usize = 8;

/// Flow node id to name; `None` for an unnamed one.
pub type FlowNodeNames = HashMap<String, Option<String>>;

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

/// Reads definitions. Cloning is cheap; clones share their caches.
#[derive(Clone)]
pub struct Definitions {
    elasticsearch: Elasticsearch,
    names: IndexNames,
    latest: Cache<(DefinitionKind, String), Option<String>>,
    flow_node_names: Cache<DefinitionVersion, Arc<FlowNodeNames>>,
    process_definitions: Cache<(), Arc<Vec<ProcessDefinition>>>,
    decision_clauses: Cache<SelectedDefinition, Arc<DecisionClauses>>,
    process_models: Cache<SelectedDefinition, Arc<ProcessModel>>,
    ad_hoc_sub_processes: Cache<SelectedDefinition, Arc<AdHocSubProcesses>>,
}

/// What decides on what a report takes of a definition that it covers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SelectedDefinition {
    key: String,
    versions: Versions,
    tenant_ids: Vec<Option<String>>,
}

impl From<&DefinitionScope> for SelectedDefinition {
    fn from(definition: &DefinitionScope) -> Self {
        Self {
            key: definition.key.clone(),
            versions: definition.versions.clone(),
            tenant_ids: definition.tenant_ids.clone(),
        }
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
}

impl Definitions {
    /// A reader whose answers live for `time_to_live`.
    pub fn new(elasticsearch: Elasticsearch, names: IndexNames, time_to_live: Duration) -> Self {
        fn cache<K, V>(time_to_live: Duration) -> Cache<K, V>
        where
            K: std::hash::Hash + Eq + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
        {
            Cache::builder()
                .max_capacity(MAX_CACHED)
                .time_to_live(time_to_live)
                .build()
        }
        Self {
            elasticsearch,
            names,
            latest: cache(time_to_live),
            flow_node_names: cache(time_to_live),
            process_definitions: cache(time_to_live),
            decision_clauses: cache(time_to_live),
            process_models: cache(time_to_live),
            ad_hoc_sub_processes: cache(time_to_live),
        }
    }

    /// The newest version of a key over all tenants, deleted ones left out; `None` if there is none.
    ///
    /// Versions are compared as numbers here rather than in a script, so that one definition whose version is no number
    /// can't make the whole request fail (crates/optimize/docs/indices.md, "The latest version").
    ///
    /// # Errors
    /// Elasticsearch does not answer.
    pub async fn latest_version(
        &self,
        kind: DefinitionKind,
        key: &str,
    ) -> Result<Option<String>, Arc<ElasticsearchError>> {
        let load = async {
            #[derive(Deserialize)]
            struct Answer {
                aggregations: Option<Aggregations>,
            }
            #[derive(Deserialize)]
            struct Aggregations {
                versions: Buckets,
            }
            #[derive(Deserialize)]
            struct Buckets {
                buckets: Vec<Bucket>,
            }
            #[derive(Deserialize)]
            struct Bucket {
                key: String,
            }
            let body = json!({
                "size": 0,
                "query": {"bool": {"filter": [{"term": {"key": {"value": key}}}, {"term": {"deleted": {"value": false}}}]}},
                "aggs": {"versions": {"terms": {"field": "version", "size": MAX_VERSIONS}}},
            });
            let answer: Option<Answer> = self.search_definitions(kind, &body).await?;
            let buckets = answer
                .and_then(|answer| answer.aggregations)
                .map(|a| a.versions.buckets);
            Ok(newest(
                buckets
                    .unwrap_or_default()
                    .into_iter()
                    .map(|bucket| bucket.key),
            ))
        };
        get_or_load("latest_version", &self.latest, (kind, key.to_owned()), load).await
    }

    /// The names of the flow nodes of one definition version: that of the tenant first, then the one without tenant;
    /// empty if neither is there.
    ///
    /// # Errors
    /// Elasticsearch does not answer.
    pub async fn flow_node_names(
        &self,
        definition: &DefinitionVersion,
    ) -> Result<Arc<FlowNodeNames>, Arc<ElasticsearchError>> {
        let load = async {
            let without_tenant = json!({"bool": {"must_not": [{"exists": {"field": "tenantId"}}]}});
            let tenant = match &definition.tenant_id {
                None => without_tenant,
                Some(tenant_id) => json!({"bool": {"minimum_should_match": 1, "should": [
                    {"term": {"tenantId": {"value": tenant_id}}}, without_tenant]}}),
            };
            let body = json!({
                "size": 2,
                "_source": ["tenantId", "flowNodeData"],
                "query": {"bool": {"filter": [
                    {"term": {"key": {"value": definition.key}}},
                    {"term": {"version": {"value": definition.version}}},
                    {"term": {"deleted": {"value": false}}},
                    {"exists": {"field": "bpmn20Xml"}},
                    tenant]}},
                // An absent tenant sorts last, so the tenant's own definition comes first.
                "sort": [{"tenantId": {"order": "asc", "missing": "_last"}}],
            });
            let answer: Option<FlowNodeAnswer> = self
                .search_definitions(DefinitionKind::Process, &body)
                .await?;
            let hits = answer.map(|answer| answer.hits.hits).unwrap_or_default();
            let nodes = hits.into_iter().next().map(|hit| hit.source.flow_node_data);
            Ok(Arc::new(
                nodes
                    .unwrap_or_default()
                    .into_iter()
                    .flatten()
                    .filter_map(|node| Some((node.id?, node.name)))
                    .collect(),
            ))
        };
        get_or_load(
            "flow_node_names",
            &self.flow_node_names,
            definition.clone(),
            load,
        )
        .await
    }

    /// All process definitions of the cluster whose XML was imported, deleted ones left out, by key.
    ///
    /// # Errors
    /// Elasticsearch does not answer.
    pub async fn process_definitions(
        &self,
    ) -> Result<Arc<Vec<ProcessDefinition>>, Arc<ElasticsearchError>> {
        let load = self.load_process_definitions();
        get_or_load("process_definitions", &self.process_definitions, (), load).await
    }

    async fn load_process_definitions(
        &self,
    ) -> Result<Arc<Vec<ProcessDefinition>>, ElasticsearchError> {
        #[derive(Deserialize)]
        struct Key {
            key: String,
            version: Option<String>,
            tenant: Option<String>,
            name: Option<String>,
        }
        #[derive(Default)]
        struct Collected {
            tenant_ids: Vec<Option<String>>,
            newest: Option<(u64, Option<String>)>,
        }
        let source = |field: &str, missing: bool| json!({"terms": {"field": field, "missing_bucket": missing}});
        let sources = json!([
            {"key": source("key", false)}, {"version": source("version", true)},
            {"tenant": source("tenantId", true)}, {"name": source("name", true)}]);
        let imported = json!({"bool": {"filter": [{"term": {"deleted": {"value": false}}}, {"exists": {"field": "bpmn20Xml"}}]}});
        let level = Map::from_iter([("filter".to_owned(), json!({"match_all": {}}))]);
        let index = self.names.alias(DefinitionKind::Process.definition_index());
        let keys: Result<Vec<Key>, _> = self
            .elasticsearch
            .composite_keys(&[index], &imported, &level, &sources)
            .await;
        let keys = match keys {
            Err(error) if error.refusal() == Some(Refusal::IndexNotFound) => Vec::new(),
            other => other?,
        };
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
        Ok(Arc::new(definitions.collect()))
    }

    /// What the definitions of a scope are made of, in their order; those that are not known are left out
    /// (crates/optimize/docs/indices.md, "Names of flow nodes").
    ///
    /// # Errors
    /// Elasticsearch does not answer.
    pub async fn process_models(
        &self,
        scope: &Scope,
    ) -> Result<Vec<Arc<ProcessModel>>, Arc<ElasticsearchError>> {
        let mut models = Vec::with_capacity(scope.definitions.len());
        for definition in &scope.definitions {
            let key = SelectedDefinition::from(definition);
            let load = self.load_process_model(key.clone());
            models.push(get_or_load(
                "process_models",
                &self.process_models,
                key,
                load,
            ));
        }
        futures_util::stream::iter(models)
            .buffered(MODELS_AT_ONCE)
            .try_collect()
            .await
    }

    /// The ad-hoc sub-processes of the first definition of a scope, in the version whose flow nodes a report shows; none where
    /// it is not known.
    ///
    /// # Errors
    /// Elasticsearch does not answer.
    pub async fn ad_hoc_sub_processes(
        &self,
        scope: &Scope,
    ) -> Result<Arc<AdHocSubProcesses>, Arc<ElasticsearchError>> {
        let Some(definition) = scope.definitions.first() else {
            return Ok(Arc::default());
        };
        let key = SelectedDefinition::from(definition);
        let load = async {
            let source = self.load_source_of_version(&key, &["bpmn20Xml"]).await?;
            let bpmn = source.and_then(|source| source.bpmn20_xml);
            Ok(Arc::new(
                bpmn.map_or_else(AdHocSubProcesses::default, |bpmn| {
                    AdHocSubProcesses::of(&bpmn)
                }),
            ))
        };
        get_or_load(
            "ad_hoc_sub_processes",
            &self.ad_hoc_sub_processes,
            key.clone(),
            load,
        )
        .await
    }

    /// The names of all process definitions by key: each that of its newest version on any tenant, unless that is blank
    /// (crates/optimize/docs/groups.md, "Group by process definition"; `ProcessDefinitionNameResolver`).
    ///
    /// # Errors
    /// Elasticsearch does not answer.
    pub async fn process_definition_names(
        &self,
    ) -> Result<HashMap<String, String>, Arc<ElasticsearchError>> {
        let definitions = self.process_definitions().await?;
        let named = definitions.iter().filter_map(|definition| {
            let name = definition.name.as_ref().filter(|name| !is_blank(name))?;
            Some((definition.key.clone(), name.clone()))
        });
        Ok(named.collect())
    }

    async fn load_process_model(
        &self,
        wanted: SelectedDefinition,
    ) -> Result<Arc<ProcessModel>, ElasticsearchError> {
        let source = self
            .load_source_of_version(&wanted, &["flowNodeData", "userTaskNames"])
            .await?;
        Ok(Arc::new(source.map_or_else(
            ProcessModel::default,
            FlowNodeSource::into_model,
        )))
    }

    /// These members of the version that a report shows; `None` where it is not known.
    async fn load_source_of_version(
        &self,
        wanted: &SelectedDefinition,
        members: &[&str],
    ) -> Result<Option<FlowNodeSource>, ElasticsearchError> {
        let imported = |more: &[Value]| {
            let mut clauses = vec![
                json!({"term": {"key": {"value": wanted.key}}}),
                json!({"term": {"deleted": {"value": false}}}),
                json!({"exists": {"field": "bpmn20Xml"}}),
            ];
            clauses.extend_from_slice(more);
            json!({"bool": {"filter": clauses}})
        };
        let sources = json!([
            {"version": {"terms": {"field": "version"}}},
            {"tenant": {"terms": {"field": "tenantId", "missing_bucket": true}}}]);
        let level = Map::from_iter([("filter".to_owned(), json!({"match_all": {}}))]);
        let index = self.names.alias(DefinitionKind::Process.definition_index());
        let known: Result<Vec<KnownVersion>, _> = self
            .elasticsearch
            .composite_keys(&[index], &imported(&[]), &level, &sources)
            .await;
        let known = match known {
            Err(error) if error.refusal() == Some(Refusal::IndexNotFound) => Vec::new(),
            other => other?,
        };
        let Some(chosen) = choose_version(&known, &wanted.versions, &wanted.tenant_ids) else {
            return Ok(None);
        };
        let tenant = match &chosen.tenant {
            Some(tenant_id) => json!({"term": {"tenantId": {"value": tenant_id}}}),
            None => json!({"bool": {"must_not": [{"exists": {"field": "tenantId"}}]}}),
        };
        let version = json!({"term": {"version": {"value": chosen.version}}});
        let body = json!({
            "size": 1,
            "_source": members,
            "query": imported(&[version, tenant]),
        });
        let answer: Option<FlowNodeAnswer> = self
            .search_definitions(DefinitionKind::Process, &body)
            .await?;
        let hits = answer.map(|answer| answer.hits.hits).unwrap_or_default();
        Ok(hits.into_iter().next().map(|hit| hit.source))
    }

    /// A search that finds nothing where the index is missing: an installation without decisions has none of theirs.
    async fn search_definitions<T: serde::de::DeserializeOwned>(
        &self,
        kind: DefinitionKind,
        body: &Value,
    ) -> Result<Option<T>, ElasticsearchError> {
        let index = self.names.alias(kind.definition_index());
        match self.elasticsearch.search(&[index], body).await {
            Err(error) if error.refusal() == Some(Refusal::IndexNotFound) => Ok(None),
            other => other.map(Some),
        }
    }
}

/// Why it can't be said what a report covers.
#[derive(Debug, thiserror::Error)]
pub enum ScopeError {
    /// A definition of the report is not complete.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// Elasticsearch did not answer.
    #[error(transparent)]
    Elasticsearch(#[from] Arc<ElasticsearchError>),
}

impl Definitions {
    /// What a process report covers; system reports name their definitions only when they are evaluated
    /// (crates/optimize/docs/reports.md, "Reports of Optimize's own dashboards").
    ///
    /// Where the cluster has no definition, a management report covers nothing, and the others everything, because only of
    /// the former does Optimize ask (`AbstractProcessExecutionPlanInterpreterES`).
    ///
    /// # Errors
    /// A definition has no key, or Elasticsearch does not answer.
    pub async fn scope_of_process_report(
        &self,
        data: &ProcessReportData,
    ) -> Result<Scope, ScopeError> {
        data.check_definition_key()?;
        if data.covers_all_definitions() {
            let definitions = self.process_definitions().await?;
            let scopes = definitions.iter().map(ProcessDefinition::scope).collect();
            let mut scope = Scope::of_all_definitions(&self.names, scopes);
            scope.covers_nothing = data.management_report && scope.definitions.is_empty();
            return Ok(scope);
        }
        if data.instant_preview_report
            && let Some(key) = data
                .definitions
                .first()
                .and_then(|definition| definition.key.as_ref())
        {
            let definitions = self.process_definitions().await?;
            let of_this_key = definitions
                .iter()
                .filter(|definition| definition.key == *key);
            let scopes: Vec<DefinitionScope> = of_this_key.map(ProcessDefinition::scope).collect();
            let is_unknown = scopes.is_empty();
            let mut scope = Scope::of_definitions(&self.names, DefinitionKind::Process, scopes);
            scope.covers_nothing = is_unknown;
            return Ok(scope);
        }
        self.scope_of_selections(DefinitionKind::Process, &data.definitions)
            .await
    }

    /// What a list of definitions covers, their newest versions looked up.
    ///
    /// # Errors
    /// As [`Definitions::scope_of_process_report`].
    pub async fn scope_of_selections(
        &self,
        kind: DefinitionKind,
        selections: &[DefinitionSelection],
    ) -> Result<Scope, ScopeError> {
        let mut scopes = Vec::with_capacity(selections.len());
        for (position, selection) in selections.iter().enumerate() {
            let latest = match (&selection.key, selection.version_selection()) {
                (Some(key), VersionSelection::Latest) => self.latest_version(kind, key).await?,
                _ => None,
            };
            scopes.push(DefinitionScope::new(selection, position, latest)?);
        }
        Ok(Scope::of_definitions(&self.names, kind, scopes))
    }
}

/// A version of a definition that is in the index.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct KnownVersion {
    version: String,
    tenant: Option<String>,
}

/// The version whose names a report shows (crates/optimize/docs/indices.md, "Version whose names are shown").
///
/// Where the report covers the newest version or all of them, it is the newest one of a tenant, and of several tenants
/// that with the **lowest** newest version, those without tenant left out unless they are asked for. Otherwise it is
/// the highest of the listed versions: of the only tenant, then without tenant; of several tenants, first without
/// tenant, then by id.
fn choose_version<'k>(
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
    let mut tenants: Vec<&Option<String>> = tenant_ids.iter().collect();
    if let [_] = tenants[..] {
        tenants.push(&None);
    } else {
        tenants.push(&None);
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

#[derive(Deserialize)]
struct FlowNodeAnswer {
    hits: FlowNodeHits,
}

#[derive(Deserialize)]
struct FlowNodeHits {
    hits: Vec<FlowNodeHit>,
}

#[derive(Deserialize)]
struct FlowNodeHit {
    #[serde(rename = "_source")]
    source: FlowNodeSource,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FlowNodeSource {
    #[serde(default, deserialize_with = "lenient::list_or_null")]
    flow_node_data: Vec<Option<FlowNode>>,
    #[serde(default, deserialize_with = "lenient::or_default")]
    user_task_names: BTreeMap<String, Option<String>>,
    #[serde(default, deserialize_with = "lenient::optional_string")]
    bpmn20_xml: Option<String>,
}

impl FlowNodeSource {
    fn into_model(self) -> ProcessModel {
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

#[derive(Deserialize)]
struct FlowNode {
    #[serde(default, deserialize_with = "lenient::optional_string")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_string")]
    name: Option<String>,
    #[serde(
        default,
        rename = "type",
        deserialize_with = "lenient::optional_string"
    )]
    kind: Option<String>,
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
    fn versions_are_compared_as_numbers() {
        let newest_of = |versions: &[&str]| newest(versions.iter().map(ToString::to_string));
        assert_eq!(newest_of(&["9", "10", "2"]).as_deref(), Some("10"));
        assert_eq!(newest_of(&["beta", "3"]).as_deref(), Some("3"));
        assert_eq!(newest_of(&["alpha", "beta"]).as_deref(), Some("beta"));
        assert_eq!(newest_of(&[]), None);
    }
}
