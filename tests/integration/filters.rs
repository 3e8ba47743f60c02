//! What filters let through on a real Elasticsearch.
//!
//! Each test stores a few instances made for it, and lists filters with the ids that they have to find, worked out by
//! hand. The queries are those that the service builds, at a moment that the test chooses: that way every bound can be
//! met exactly.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that can't go on has failed"
)]

use std::sync::atomic::{AtomicU32, Ordering};

use jiff::tz::TimeZone;
use optimize::filter::{self, FilterContext, ImplicitFilter};
use optimize::report::definition::{DecisionFilter, ProcessFilter, StoredReport};
use optimize::scope::{DefinitionKind, DefinitionScope, IndexNames, Scope, Versions};
use serde_json::{Value, json};
use testkit::indices::{Document, Index, Installation};

mod applied;
mod dates;
mod decisions;
mod durations;
mod flow_nodes;
mod instances;
mod service;
mod variables;
mod view_level;

/// Now, as far as filters are concerned: a Wednesday.
const NOW: &str = "2024-05-15T12:34:56.789Z";

fn context() -> FilterContext {
    FilterContext {
        now: NOW.parse().unwrap(),
        time_zone: TimeZone::UTC,
        user_task_report: false,
        assignee_analytics: true,
    }
}

/// Process definitions and their instances, under a prefix of their own that is removed after the test.
struct Instances {
    installation: Installation,
    definitions: Vec<DefinitionScope>,
    kind: DefinitionKind,
}

impl Drop for Instances {
    fn drop(&mut self) {
        let _ = self.installation.remove();
    }
}

impl Instances {
    /// Instances of one process definition, by their ids.
    fn of_process(test: &str, instances: Value) -> Self {
        Self::store(test, DefinitionKind::Process, &[("process", instances)])
    }

    /// Instances of one decision definition, by their ids.
    fn of_decision(test: &str, instances: Value) -> Self {
        Self::store(test, DefinitionKind::Decision, &[("decision", instances)])
    }

    /// Instances of several definitions, whose identifiers are their keys with `id-` before them.
    fn store(test: &str, kind: DefinitionKind, definitions: &[(&'static str, Value)]) -> Self {
        let server = testkit::elasticsearch::for_this_process().unwrap();
        // Two tests may ask for the same instances; each has its own, because the first to end removes them.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("filters-{}-{number}-{test}", std::process::id());
        let installation = Installation::new(&server.url, &prefix).unwrap();
        let fields = kind.instance_fields();
        let mut scopes = Vec::new();
        for (key, instances) in definitions {
            let index = match kind {
                DefinitionKind::Process => Index::ProcessInstance { key },
                DefinitionKind::Decision => Index::DecisionInstance { key },
            };
            installation.create(index).unwrap();
            let documents = instances.as_object().unwrap().iter().map(|(id, instance)| {
                let mut source = instance.clone();
                source[fields.key] = json!(key);
                source[fields.version] = json!("1");
                Document {
                    index,
                    id: id.clone(),
                    source,
                }
            });
            installation.store(documents).unwrap();
            scopes.push(DefinitionScope {
                identifier: Some(format!("id-{key}")),
                key: (*key).to_owned(),
                label: (*key).to_owned(),
                versions: Versions::All,
                tenant_ids: vec![None],
            });
        }
        Self {
            installation,
            definitions: scopes,
            kind,
        }
    }

    fn scope(&self) -> Scope {
        let names = IndexNames::new(self.installation.prefix());
        Scope::of_definitions(&names, self.kind, self.definitions.clone())
    }

    /// Asks Elasticsearch.
    fn search(&self, body: &Value) -> Value {
        let path = format!("/{}/_search", self.scope().indices.join(","));
        let client = self.installation.client();
        client.post(&path, body).unwrap().success().unwrap()
    }

    fn ids(&self, query: &Value) -> String {
        let found = self.search(&json!({"size": 1000, "_source": false, "query": query}));
        let hits = found["hits"]["hits"].as_array().unwrap();
        let mut ids: Vec<&str> = hits
            .iter()
            .map(|hit| hit["_id"].as_str().unwrap())
            .collect();
        ids.sort_unstable();
        ids.join(" ")
    }

    /// The ids that the filters of a report let through.
    fn found(&self, filters: &Value, implicit: ImplicitFilter, context: &FilterContext) -> String {
        let filters = process_filters(filters);
        let narrowing = filter::narrowing(&filters, &self.definitions, implicit, context);
        self.ids(&self.scope().query(&narrowing))
    }

    /// Checks, for each filter of a list, which instances it lets through. All differences are shown together.
    fn check(
        &self,
        context: &FilterContext,
        cases: impl IntoIterator<Item = (Value, &'static str)>,
    ) {
        let wrong = cases.into_iter().filter_map(|(filter, expected)| {
            let found = self.found(&json!([filter]), ImplicitFilter::None, context);
            (found != expected)
                .then(|| format!("{filter}\n  expected {expected}\n  found    {found}"))
        });
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// The same for the filters of a decision report.
    fn check_decisions(&self, cases: impl IntoIterator<Item = (Value, &'static str)>) {
        let wrong = cases.into_iter().filter_map(|(filter, expected)| {
            let narrowing = optimize::scope::Narrowing {
                all: filter::decision_narrowing(&decision_filters(&json!([filter])), &context()),
                by_definition: Vec::new(),
            };
            let found = self.ids(&self.scope().query(&narrowing));
            (found != expected)
                .then(|| format!("{filter}\n  expected {expected}\n  found    {found}"))
        });
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    /// How many nested documents of instances that match a query are within a filter.
    fn count_nested(&self, path: &str, query: &Value, within: &Value) -> u64 {
        let found = self.search(&json!({"size": 0, "query": query, "aggs": {
            "nested": {"nested": {"path": path}, "aggs": {"within": {"filter": within}}}}}));
        found["aggregations"]["nested"]["within"]["doc_count"]
            .as_u64()
            .unwrap()
    }
}

fn report(report_type: &str, filters: &Value) -> StoredReport {
    let report = json!({"reportType": report_type, "data": {
        "view": {"properties": ["rawData"]}, "groupBy": {"type": "none"}, "filter": filters}});
    StoredReport::parse(&report.to_string()).unwrap()
}

fn process_filters(filters: &Value) -> Vec<ProcessFilter> {
    match report("process", filters) {
        StoredReport::Process(report) => report.filters,
        other => panic!("{other:?}"),
    }
}

fn decision_filters(filters: &Value) -> Vec<DecisionFilter> {
    match report("decision", filters) {
        StoredReport::Decision(report) => report.filters,
        other => panic!("{other:?}"),
    }
}

/// A filter of the instance level.
fn on_instances(filter_type: &str, data: Value) -> Value {
    json!({"type": filter_type, "data": data, "filterLevel": "instance", "appliedTo": ["all"]})
}

/// A filter of the view level.
fn on_view(filter_type: &str, data: Value) -> Value {
    json!({"type": filter_type, "data": data, "filterLevel": "view", "appliedTo": ["all"]})
}

/// A date as it is stored.
fn date(date: &str) -> String {
    format!("{date}+0000")
}
