//! What the definition indices are asked, and what they answer.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{DefinitionVersion, KnownVersion, newest};

/// Distinct versions of one key that are looked at for the newest one.
const MAX_VERSIONS: usize = 10_000;

/// The search for all versions of a key, deleted ones left out.
pub fn versions(key: &str) -> Value {
    json!({
        "size": 0,
        "query": {"bool": {"filter": [{"term": {"key": {"value": key}}}, {"term": {"deleted": {"value": false}}}]}},
        "aggs": {"versions": {"terms": {"field": "version", "size": MAX_VERSIONS}}},
    })
}

/// The answer to [`versions`].
#[derive(Deserialize)]
pub struct VersionsFound {
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

impl VersionsFound {
    /// The newest version; `None` if there is none.
    pub fn newest(self) -> Option<String> {
        let buckets = self.aggregations?.versions.buckets;
        newest(buckets.into_iter().map(|bucket| bucket.key))
    }
}

/// The search for the flow nodes of one definition version: that of the tenant first, then the one without tenant.
pub fn flow_nodes(definition: &DefinitionVersion) -> Value {
    let tenant = match &definition.tenant_id {
        None => without_tenant(),
        Some(tenant_id) => json!({"bool": {"minimum_should_match": 1, "should": [
            {"term": {"tenantId": {"value": tenant_id}}}, without_tenant()]}}),
    };
    json!({
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
    })
}

/// A search for distinct keys: which documents, and what of them.
pub struct Keys {
    /// The query.
    pub query: Value,
    /// The sources of the composite aggregation.
    pub sources: Value,
}

/// What tells one [`ProcessDefinition`](super::ProcessDefinition) of the cluster from the others, its versions and tenants.
#[derive(Deserialize)]
pub struct ProcessDefinitionKey {
    /// Definition key.
    pub key: String,
    /// Version.
    pub version: Option<String>,
    /// Tenant id.
    pub tenant: Option<String>,
    /// Name of this version.
    pub name: Option<String>,
}

/// The search for every [`ProcessDefinitionKey`] of the cluster whose XML was imported, deleted ones left out.
pub fn all_process_definitions() -> Keys {
    let source =
        |field: &str, missing: bool| json!({"terms": {"field": field, "missing_bucket": missing}});
    Keys {
        query: json!({"bool": {"filter": [{"term": {"deleted": {"value": false}}}, {"exists": {"field": "bpmn20Xml"}}]}}),
        sources: json!([
            {"key": source("key", false)}, {"version": source("version", true)},
            {"tenant": source("tenantId", true)}, {"name": source("name", true)}]),
    }
}

/// The search for every [`KnownVersion`] of a process.
pub fn versions_of_process(key: &str) -> Keys {
    Keys {
        query: imported(key, &[]),
        sources: json!([
            {"version": {"terms": {"field": "version"}}},
            {"tenant": {"terms": {"field": "tenantId", "missing_bucket": true}}}]),
    }
}

/// The search for these members of one version of a process.
pub fn process_version(key: &str, version: &KnownVersion, members: &[&str]) -> Value {
    let tenant = match &version.tenant {
        Some(tenant_id) => json!({"term": {"tenantId": {"value": tenant_id}}}),
        None => without_tenant(),
    };
    let version = json!({"term": {"version": {"value": version.version}}});
    json!({
        "size": 1,
        "_source": members,
        "query": imported(key, &[version, tenant]),
    })
}

/// The definitions of a process whose XML was imported, deleted ones left out.
fn imported(key: &str, more: &[Value]) -> Value {
    let mut clauses = vec![
        json!({"term": {"key": {"value": key}}}),
        json!({"term": {"deleted": {"value": false}}}),
        json!({"exists": {"field": "bpmn20Xml"}}),
    ];
    clauses.extend_from_slice(more);
    json!({"bool": {"filter": clauses}})
}

fn without_tenant() -> Value {
    json!({"bool": {"must_not": [{"exists": {"field": "tenantId"}}]}})
}
