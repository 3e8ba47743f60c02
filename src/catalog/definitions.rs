//! What the definition indices know: newest versions, all definitions of the cluster, names of flow nodes.
//!
//! Answers are kept for a few seconds (`--cache-ttl`), and requests for the same thing at the same time ask once.
//!
//! Source: crates/optimize/docs/indices.md, "Definitions" and "Names of flow nodes".

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use cluster::{Elasticsearch, ElasticsearchError, Found, Refusal};
use futures_util::{StreamExt as _, TryStreamExt as _};
use moka::future::Cache;
use optimize::access::Restrictions;
use optimize::definitions::clauses::DecisionClauses;
use optimize::definitions::searches::{self, Keys, ProcessDefinitionKey, VersionsFound};
use optimize::definitions::{
    DefinitionVersion, FlowNodeNames, FlowNodeSource, KnownVersion, ProcessDefinition,
    ProcessModel, choose_version,
};
use optimize::java::is_blank;
use optimize::plan::ad_hoc_sub_processes::AdHocSubProcesses;
use optimize::report::definition::{
    DefinitionError, DefinitionSelection, ProcessReportData, VersionSelection,
};
use optimize::scope::{DefinitionKind, DefinitionScope, IndexNames, Scope, Versions};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::cache::get_or_load;

mod decisions;

/// Entries of each cache. An installation has some thousand definition versions at most.
const MAX_CACHED: u64 = 10_000;
/// Definitions that are read at the same time; a management report covers all of the cluster.
const MODELS_AT_ONCE: usize = 8;

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
            let search = searches::versions(key);
            let found: Option<VersionsFound> = self.search_definitions(kind, &search).await?;
            Ok(found.and_then(VersionsFound::newest))
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
            let source = self.first_source(&searches::flow_nodes(definition)).await?;
            let names = source.map(FlowNodeSource::into_names);
            Ok(Arc::new(names.unwrap_or_default()))
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
        let keys = searches::all_process_definitions();
        let keys: Vec<ProcessDefinitionKey> = self.keys_of_processes(&keys).await?;
        Ok(Arc::new(ProcessDefinition::of_keys(keys)))
    }

    /// The distinct keys that a search for process definitions finds; none where the index is missing.
    async fn keys_of_processes<T: serde::de::DeserializeOwned>(
        &self,
        keys: &Keys,
    ) -> Result<Vec<T>, ElasticsearchError> {
        let level = Map::from_iter([("filter".to_owned(), json!({"match_all": {}}))]);
        let index = self.names.alias(DefinitionKind::Process.definition_index());
        let keys = self
            .elasticsearch
            .composite_keys(&[index], &keys.query, &level, &keys.sources)
            .await;
        match keys {
            Err(error) if error.refusal() == Some(Refusal::IndexNotFound) => Ok(Vec::new()),
            other => other,
        }
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
        let known = searches::versions_of_process(&wanted.key);
        let known: Vec<KnownVersion> = self.keys_of_processes(&known).await?;
        match choose_version(&known, &wanted.versions, &wanted.tenant_ids) {
            Some(chosen) => {
                let search = searches::process_version(&wanted.key, chosen, members);
                self.first_source(&search).await
            }
            None => Ok(None),
        }
    }

    /// The first process definition that a search finds.
    async fn first_source(
        &self,
        search: &Value,
    ) -> Result<Option<FlowNodeSource>, ElasticsearchError> {
        let found: Option<Found<Hit<FlowNodeSource>>> = self
            .search_definitions(DefinitionKind::Process, search)
            .await?;
        let hits = found.map(Found::into_hits).unwrap_or_default();
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
    /// What a process report covers, as far as somebody may see it; system reports name their definitions only when they are evaluated
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
        restrictions: &Restrictions,
    ) -> Result<Scope, ScopeError> {
        Ok(restrictions.narrow(self.whole_scope_of_process_report(data).await?))
    }

    async fn whole_scope_of_process_report(
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

/// A definition that was found.
#[derive(Deserialize)]
struct Hit<T> {
    #[serde(rename = "_source")]
    source: T,
}
