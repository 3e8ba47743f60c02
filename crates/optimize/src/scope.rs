//! Which instances a report covers: its definitions with their versions and tenants, as indices and as a query.
//!
//! Everything here is pure. What has to be asked first (the newest version of a key, all definitions of the cluster) is
//! handed in.
//!
//! Source: crates/optimize/docs/indices.md, "Indices of a report" and "Instances of a definition".

use serde_json::{Map, Value, json};

use crate::report::definition::{DefinitionError, DefinitionSelection, VersionSelection};

/// Bytes of index names that still fit on Elasticsearch's request line (4,096 by default) with everything around them.
/// Above that the alias over all definitions is searched with the same query.
const MAX_INDEX_NAMES_BYTES: usize = 3_000;

/// Names of Optimize's indices under one prefix.
///
/// Only aliases are used: the numbered index behind an alias differs between Optimize's releases
/// (crates/optimize/docs/indices.md, "Index names").
#[derive(Debug, Clone)]
pub struct IndexNames {
    prefix: String,
}

impl IndexNames {
    /// Names below the complete prefix (`optimize` by default); Optimize lower-cases the whole name.
    pub fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_lowercase(),
        }
    }

    /// The alias of an index with a fixed base name, such as `process-definition`.
    pub fn alias(&self, base_name: &str) -> String {
        format!("{}-{}", self.prefix, base_name.to_lowercase())
    }

    /// The alias over the instances of all definitions of this kind.
    pub fn all_instances(&self, kind: DefinitionKind) -> String {
        self.alias(kind.instance_index())
    }

    /// The alias of the instances of one definition.
    pub fn instances_of(&self, kind: DefinitionKind, key: &str) -> String {
        instances_of(&self.all_instances(kind), key)
    }
}

/// The alias of the instances of one definition, by that over all of its kind.
fn instances_of(all_instances: &str, key: &str) -> String {
    format!("{all_instances}-{}", key.to_lowercase())
}

/// What is defined: processes or decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefinitionKind {
    /// BPMN processes.
    Process,
    /// DMN decisions.
    Decision,
}

impl DefinitionKind {
    /// Base name of the index of definitions.
    pub const fn definition_index(self) -> &'static str {
        match self {
            Self::Process => "process-definition",
            Self::Decision => "decision-definition",
        }
    }

    const fn instance_index(self) -> &'static str {
        match self {
            Self::Process => "process-instance",
            Self::Decision => "decision-instance",
        }
    }

    /// The members of an instance document that say which definition it belongs to.
    pub const fn instance_fields(self) -> DefinitionFields {
        match self {
            Self::Process => DefinitionFields {
                key: "processDefinitionKey",
                version: "processDefinitionVersion",
                tenant: "tenantId",
            },
            Self::Decision => DefinitionFields {
                key: "decisionDefinitionKey",
                version: "decisionDefinitionVersion",
                tenant: "tenantId",
            },
        }
    }
}

/// Names of the fields that hold a definition's key, version and tenant at some level of a document.
#[derive(Debug, Clone, Copy)]
pub struct DefinitionFields {
    /// Field of the definition key.
    pub key: &'static str,
    /// Field of the definition version.
    pub version: &'static str,
    /// Field of the tenant id.
    pub tenant: &'static str,
}

/// The same on nested flow node instances.
pub const FLOW_NODE_DEFINITION_FIELDS: DefinitionFields = DefinitionFields {
    key: "flowNodeInstances.definitionKey",
    version: "flowNodeInstances.definitionVersion",
    tenant: "flowNodeInstances.tenantId",
};

/// The same on nested incidents.
pub const INCIDENT_DEFINITION_FIELDS: DefinitionFields = DefinitionFields {
    key: "incidents.definitionKey",
    version: "incidents.definitionVersion",
    tenant: "incidents.tenantId",
};

/// One definition of a report, its versions settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionScope {
    /// What `appliedTo` of a filter refers to.
    pub identifier: Option<String>,
    /// Definition key.
    pub key: String,
    /// What a result that is distributed by process calls it: the display name, else the name, else the key.
    pub label: String,
    /// The versions, `latest` resolved.
    pub versions: Versions,
    /// Tenant ids; `None` stands for "no tenant". An empty list selects nothing.
    pub tenant_ids: Vec<Option<String>>,
}

/// Settled versions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Versions {
    /// Every version.
    All,
    /// Exactly these; an empty list selects nothing.
    Listed(Vec<String>),
    /// The newest one was asked for, and no such definition is known: nothing.
    UnknownLatest,
    /// The newest one was asked for, and this is it.
    Latest(String),
}

impl DefinitionScope {
    /// Settles one entry of a report's definitions. `latest` is the newest version of its key, where it is known.
    ///
    /// # Errors
    /// The entry has no key (its position is named).
    pub fn new(
        selection: &DefinitionSelection,
        position: usize,
        latest: Option<String>,
    ) -> Result<Self, DefinitionError> {
        let key = selection
            .key
            .clone()
            .filter(|key| !key.is_empty())
            .ok_or_else(|| {
                DefinitionError::part(
                    format!("data.definitions[{position}].key"),
                    "is missing; a definition needs a key to be evaluated",
                )
            })?;
        let named = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
        Ok(Self {
            identifier: selection.identifier.clone(),
            label: named(&selection.display_name)
                .or_else(|| named(&selection.name))
                .unwrap_or_else(|| key.clone()),
            versions: match selection.version_selection() {
                VersionSelection::All => Versions::All,
                VersionSelection::Listed(versions) => Versions::Listed(versions.to_vec()),
                VersionSelection::Latest => {
                    latest.map_or(Versions::UnknownLatest, Versions::Latest)
                }
            },
            tenant_ids: selection.tenant_ids.clone(),
            key,
        })
    }

    /// The clauses that hold for what belongs to this definition, for a `must` or a `filter`.
    pub fn clauses(&self, fields: &DefinitionFields) -> Vec<Value> {
        let mut clauses = vec![
            json!({"term": {fields.key: {"value": self.key}}}),
            tenant_query(fields.tenant, &self.tenant_ids),
        ];
        match &self.versions {
            Versions::All => {}
            Versions::Listed(versions) => {
                clauses.push(json!({"terms": {fields.version: versions}}))
            }
            Versions::Latest(version) => {
                clauses.push(json!({"terms": {fields.version: [version]}}))
            }
            Versions::UnknownLatest => clauses.push(json!({"terms": {fields.version: []}})),
        }
        clauses
    }
}

/// Tenants as a query: those listed, and documents without one where the list has `None`
/// (crates/optimize/docs/indices.md, "Tenants").
///
/// Both together leave out what has another tenant. Optimize asks for one or the other, and Elasticsearch goes through all documents
/// then to find those without a tenant; the other way round it goes through those with one, which are often none.
fn tenant_query(field: &str, tenant_ids: &[Option<String>]) -> Value {
    let named: Vec<&String> = tenant_ids.iter().flatten().collect();
    let exists = json!({"exists": {"field": field}});
    let is_listed = json!({"terms": {field: named}});
    match (named.is_empty(), tenant_ids.contains(&None)) {
        (true, false) => json!({"match_none": {}}),
        (true, true) => json!({"bool": {"must_not": [exists]}}),
        (false, false) => is_listed,
        (false, true) => {
            let is_another = json!({"bool": {"filter": [exists], "must_not": [is_listed]}});
            json!({"bool": {"must_not": [is_another]}})
        }
    }
}

/// Clauses that narrow a report's instances, by the definitions they apply to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Narrowing {
    /// For every instance.
    pub all: Vec<Value>,
    /// For the instances of the definition at the same position in [`Scope::definitions`]; may be shorter than that.
    pub by_definition: Vec<Vec<Value>>,
}

/// Which instances a report covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Processes or decisions.
    pub kind: DefinitionKind,
    /// The definitions; none means every instance, unless `covers_nothing`.
    pub definitions: Vec<DefinitionScope>,
    /// Aliases to search, without duplicates.
    pub indices: Vec<String>,
    /// The alias over all definitions, for when one of `indices` is missing.
    pub all_instances: String,
    /// A management report of a cluster without definitions.
    pub covers_nothing: bool,
    /// What every instance has to match, whatever the report says.
    pub limits: Vec<Value>,
}

impl Scope {
    /// The scope of a report that names its definitions; a report without any covers every instance.
    pub fn of_definitions(
        names: &IndexNames,
        kind: DefinitionKind,
        definitions: Vec<DefinitionScope>,
    ) -> Self {
        let mut scope = Self {
            kind,
            definitions,
            indices: Vec::new(),
            all_instances: names.all_instances(kind),
            covers_nothing: false,
            limits: Vec::new(),
        };
        scope.search_indices_of_definitions();
        scope
    }

    /// Searches the indices of its definitions, and no other where they can be named.
    fn search_indices_of_definitions(&mut self) {
        let mut indices: Vec<String> = Vec::new();
        for definition in &self.definitions {
            let index = instances_of(&self.all_instances, &definition.key);
            if !indices.contains(&index) {
                indices.push(index);
            }
        }
        let bytes: usize = indices
            .iter()
            .map(|index| percent_encoded_length(index) + 1)
            .sum();
        if indices.is_empty() || bytes > MAX_INDEX_NAMES_BYTES {
            indices = vec![self.all_instances.clone()];
        }
        self.indices = indices;
    }

    /// The same with those definitions alone that `is_left` leaves, which may take tenants off them, and with instances alone
    /// that match `limits` too. Where none is left of several, there is nothing: a scope without definitions covers all.
    pub fn narrowed(
        mut self,
        is_left: impl FnMut(&mut DefinitionScope) -> bool,
        limits: Vec<Value>,
    ) -> Self {
        let covers_all = self.definitions.is_empty();
        let before = self.definitions.len();
        self.definitions.retain_mut(is_left);
        self.covers_nothing |= self.definitions.is_empty() && !covers_all;
        if self.definitions.len() < before && self.indices != [self.all_instances.as_str()] {
            // Whether one of several indices is missing decides on what is asked next.
            self.search_indices_of_definitions();
        }
        self.limits = limits;
        self
    }

    /// The scope of a report of a system dashboard: all definitions of the cluster; without any, every instance.
    pub fn of_all_definitions(names: &IndexNames, definitions: Vec<DefinitionScope>) -> Self {
        let all_instances = names.all_instances(DefinitionKind::Process);
        Self {
            kind: DefinitionKind::Process,
            indices: vec![all_instances.clone()],
            all_instances,
            covers_nothing: false,
            limits: Vec::new(),
            definitions,
        }
    }

    /// Keys whose newest version was asked for and is not known.
    pub fn unknown_latest(&self) -> impl Iterator<Item = &str> {
        self.definitions
            .iter()
            .filter(|definition| definition.versions == Versions::UnknownLatest)
            .map(|definition| definition.key.as_str())
    }

    /// Whether no instance can match, so that nothing needs to be asked.
    pub fn is_known_to_be_empty(&self) -> bool {
        self.covers_nothing
            || (!self.definitions.is_empty()
                && self
                    .definitions
                    .iter()
                    .all(|d| d.versions == Versions::UnknownLatest))
    }

    /// The query for the instances of this scope, narrowed.
    pub fn query(&self, narrowing: &Narrowing) -> Value {
        let mut query = Map::new();
        if self.covers_nothing {
            query.insert("must_not".to_owned(), json!([{"match_all": {}}]));
        }
        if !self.definitions.is_empty() {
            let fields = self.kind.instance_fields();
            let should = self
                .definitions
                .iter()
                .enumerate()
                .map(|(position, definition)| {
                    let own = narrowing
                        .by_definition
                        .get(position)
                        .map_or(&[][..], Vec::as_slice);
                    json!({"bool": {"must": definition.clauses(&fields), "filter": own}})
                });
            query.insert("should".to_owned(), should.collect());
            query.insert("minimum_should_match".to_owned(), json!(1));
        }
        let filter: Vec<&Value> = narrowing.all.iter().chain(&self.limits).collect();
        query.insert("filter".to_owned(), json!(filter));
        json!({"bool": query})
    }
}

/// Length of an index name in a URL, where every byte that is not plain takes three.
fn percent_encoded_length(name: &str) -> usize {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(byte);
    name.bytes()
        .map(|byte| if plain(&byte) { 1 } else { 3 })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> IndexNames {
        IndexNames::new("Optimize")
    }

    fn definition(key: &str) -> DefinitionScope {
        DefinitionScope {
            identifier: None,
            key: key.to_owned(),
            label: key.to_owned(),
            versions: Versions::All,
            tenant_ids: vec![None],
        }
    }

    #[test]
    fn names_are_lower_case_aliases() {
        assert_eq!(
            names().instances_of(DefinitionKind::Process, "Invoice_Receipt"),
            "optimize-process-instance-invoice_receipt"
        );
        assert_eq!(
            names().all_instances(DefinitionKind::Decision),
            "optimize-decision-instance"
        );
    }

    #[test]
    fn one_index_per_definition_without_duplicates() {
        let keys = ["A", "b", "a"].map(definition).to_vec();
        let scope = Scope::of_definitions(&names(), DefinitionKind::Process, keys);
        assert_eq!(
            scope.indices,
            ["optimize-process-instance-a", "optimize-process-instance-b"]
        );
        let all = Scope::of_definitions(&names(), DefinitionKind::Process, Vec::new());
        assert_eq!(all.indices, ["optimize-process-instance"]);
        assert_eq!(
            all.query(&Narrowing::default()),
            json!({"bool": {"filter": []}})
        );
    }

    #[test]
    fn too_many_index_names_become_the_alias_over_all() {
        let definitions = |count: usize| {
            let keys = (0..count)
                .map(|i| definition(&format!("a-rather-long-process-definition-key-{i:03}")));
            Scope::of_definitions(&names(), DefinitionKind::Process, keys.collect())
                .indices
                .len()
        };
        assert_eq!(definitions(40), 40);
        assert_eq!(definitions(60), 1);
    }

    #[test]
    fn tenants_and_versions_are_part_of_the_query() {
        let mut selected = definition("a");
        selected.tenant_ids = vec![Some("x".into()), None];
        selected.versions = Versions::Listed(vec!["1".into(), "3".into()]);
        let scope = Scope::of_definitions(&names(), DefinitionKind::Process, vec![selected]);
        let narrowing = Narrowing {
            all: vec![json!("all")],
            by_definition: vec![vec![json!("own")]],
        };
        assert_eq!(
            scope.query(&narrowing),
            json!({"bool": {"minimum_should_match": 1, "filter": ["all"], "should": [{"bool": {"filter": ["own"], "must": [
                {"term": {"processDefinitionKey": {"value": "a"}}},
                {"bool": {"must_not": [{"bool": {
                    "filter": [{"exists": {"field": "tenantId"}}], "must_not": [{"terms": {"tenantId": ["x"]}}]}}]}},
                {"terms": {"processDefinitionVersion": ["1", "3"]}}]}}]}})
        );
    }

    #[test]
    fn tenants_alone_and_no_tenant_alone_are_one_clause() {
        assert_eq!(
            tenant_query("tenantId", &[Some("x".into()), Some("y".into())]),
            json!({"terms": {"tenantId": ["x", "y"]}})
        );
        assert_eq!(
            tenant_query("tenantId", &[None]),
            json!({"bool": {"must_not": [{"exists": {"field": "tenantId"}}]}})
        );
    }

    #[test]
    fn no_tenant_at_all_selects_nothing() {
        assert_eq!(tenant_query("tenantId", &[]), json!({"match_none": {}}));
    }

    #[test]
    fn an_unknown_newest_version_selects_nothing() {
        let mut unknown = definition("a");
        unknown.versions = Versions::UnknownLatest;
        let scope = Scope::of_definitions(
            &names(),
            DefinitionKind::Process,
            vec![unknown.clone(), definition("b")],
        );
        assert_eq!(scope.unknown_latest().collect::<Vec<_>>(), ["a"]);
        assert!(!scope.is_known_to_be_empty());
        let scope = Scope::of_definitions(&names(), DefinitionKind::Process, vec![unknown]);
        assert!(scope.is_known_to_be_empty());
    }

    #[test]
    fn all_definitions_of_a_cluster_without_any() {
        let mut scope = Scope::of_all_definitions(&names(), Vec::new());
        assert!(!scope.is_known_to_be_empty());
        assert_eq!(
            scope.query(&Narrowing::default()),
            json!({"bool": {"filter": []}})
        );
        scope.covers_nothing = true;
        assert!(scope.is_known_to_be_empty());
        assert_eq!(
            scope.query(&Narrowing::default()),
            json!({"bool": {"must_not": [{"match_all": {}}], "filter": []}})
        );
    }
}
