//! What plans make of hand-made documents on a real Elasticsearch.
//!
//! Each test stores a few instances and lists reports with the results that they have to give, worked out by hand. The
//! plan is the service's own; the test chooses "now" and the zone, so that every bound can be met exactly.
//!
//! A result is written as `key=value …`, a result of results as `key[key=value …] …`, no data as `-`, and a label that
//! is not the key in parentheses behind it.

use std::sync::Arc;

use jiff::tz::TimeZone;
use optimize::definitions::{ModelElement, ProcessModel};
use optimize::filter::FilterContext;
use optimize::moment::Moment;
use optimize::plan::answer::Answer;
use optimize::plan::context::{PlanContext, ProcessModels};
use optimize::plan::{Plan, Room};
use optimize::report::definition::{ProcessReportData, StoredReport, ViewEntity};
use optimize::result::{Entry, ReportResult};
use optimize::scope::{DefinitionKind, DefinitionScope, IndexNames, Scope, Versions};
use serde_json::{Value, json};

use crate::support::Optimize;
use crate::support::documents::{instance, with};

mod agents;
mod combinations;
mod dates;
mod definitions;
mod distributions;
mod durations;
mod flow_nodes;
mod user_tasks;
mod values;
mod variables;
mod views;

/// Now, as far as plans are concerned.
const NOW: &str = "2024-05-15T12:00:00Z";

/// Instances of one or more process definitions whose flow nodes are `A`, `B` and the user tasks `T`, `U`.
struct World {
    optimize: Optimize,
    definitions: Vec<DefinitionScope>,
    zone: TimeZone,
    models: ProcessModels,
    bucket_limit: u32,
}

fn element(id: &str, name: Option<&str>, kind: &str) -> ModelElement {
    ModelElement {
        id: id.to_owned(),
        name: name.map(str::to_owned),
        kind: Some(kind.to_owned()),
    }
}

fn models() -> ProcessModels {
    let user_tasks = vec![
        element("T", Some("Task"), "userTask"),
        element("U", None, "userTask"),
    ];
    let mut flow_nodes = vec![
        element("A", Some("Start"), "startEvent"),
        element("B", None, "serviceTask"),
    ];
    flow_nodes.extend(user_tasks.clone());
    ProcessModels::of(&[Arc::new(ProcessModel {
        flow_nodes,
        user_tasks,
    })])
}

impl World {
    fn of(instances: impl IntoIterator<Item = Value>) -> Self {
        Self::of_definitions([("p", instances.into_iter().collect())])
    }

    fn of_definitions<const N: usize>(definitions: [(&str, Vec<Value>); N]) -> Self {
        Self::installed(Optimize::install(), definitions)
    }

    /// The same where the index of the process `p` has no fields of agents.
    fn without_agent_fields<const N: usize>(definitions: [(&str, Vec<Value>); N]) -> Self {
        let optimize = Optimize::install();
        optimize.create_instances_without_agents("p");
        Self::installed(optimize, definitions)
    }

    fn installed<const N: usize>(optimize: Optimize, definitions: [(&str, Vec<Value>); N]) -> Self {
        let mut scopes = Vec::new();
        for (key, instances) in definitions {
            optimize.store_instances(key, instances);
            scopes.push(DefinitionScope {
                identifier: Some(format!("id-{key}")),
                key: key.to_owned(),
                label: format!("Process {key}"),
                versions: Versions::All,
                tenant_ids: vec![None],
            });
        }
        Self {
            optimize,
            definitions: scopes,
            zone: TimeZone::UTC,
            models: models(),
            bucket_limit: 1000,
        }
    }

    fn ask(&self, indices: &[String], body: &Value) -> Answer {
        let answer = self
            .optimize
            .post(&format!("/{}/_search", indices.join(",")), body);
        serde_json::from_value(answer).unwrap()
    }

    /// Evaluates a report whose `data` this is.
    fn result(&self, data: &Value) -> ReportResult {
        let report = parse(data);
        let filter = FilterContext {
            now: NOW.parse().unwrap(),
            time_zone: self.zone.clone(),
            user_task_report: report.view.entity == Some(ViewEntity::UserTask),
            assignee_analytics: true,
        };
        let names = IndexNames::new(&self.optimize.prefix);
        let definitions = self.definitions.clone();
        let scope = Scope::of_definitions(&names, DefinitionKind::Process, definitions);
        let context = PlanContext {
            report: &report,
            scope: &scope,
            filter: &filter,
            percentile_compression: None,
            bucket_limit: self.bucket_limit,
            models: &self.models,
        };
        let plan = Plan::of(&report, &filter).unwrap();
        let statistics = plan.statistics(&context);
        let ranges = statistics.map(|body| {
            let answer = self.ask(&scope.indices, &body);
            plan.ranges(&context, &answer).unwrap()
        });
        let room = Room::unlimited();
        let ranges = ranges.unwrap_or_default();
        let search = plan.search(&context, ranges, &room).unwrap();
        let answer = self.ask(
            &scope.indices,
            &serde_json::from_str(&search.into_text()).unwrap(),
        );
        plan.result(&context, ranges, &answer, &room).unwrap()
    }

    /// Checks reports; all differences are shown together.
    fn check(&self, cases: impl IntoIterator<Item = (Value, &'static str)>) {
        let wrong = cases.into_iter().filter_map(|(data, expected)| {
            let found = text(&self.result(&data));
            (found != expected)
                .then(|| format!("{data}\n  expected {expected}\n  found    {found}"))
        });
        let wrong: Vec<String> = wrong.collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

fn parse(data: &Value) -> ProcessReportData {
    let stored = json!({"reportType": "process", "data": data});
    match StoredReport::parse(&stored.to_string()).unwrap() {
        StoredReport::Process(report) => *report,
        other => panic!("{other:?}"),
    }
}

fn text(result: &ReportResult) -> String {
    let number = |number: &Option<f64>| number.map_or("-".to_owned(), |number| number.to_string());
    fn name<V>(entry: &Entry<V>) -> String {
        if entry.label == entry.key {
            entry.key.to_string()
        } else {
            format!("{}({})", entry.key, entry.label)
        }
    }
    let map = |entries: &[Entry<Option<f64>>]| {
        let entries = entries.iter();
        let entries = entries.map(|entry| format!("{}={}", name(entry), number(&entry.value)));
        entries.collect::<Vec<_>>().join(" ")
    };
    match result {
        ReportResult::Number(value) => number(value),
        ReportResult::Map(entries) => map(entries),
        ReportResult::HyperMap(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|entry| format!("{}[{}]", name(entry), map(&entry.value)));
            entries.collect::<Vec<_>>().join(" ")
        }
    }
}

/// The `data` of a report: a view such as `flowNode-frequency`, a grouping and a distribution.
fn data(view: &str, group_by: Value, distributed_by: Value) -> Value {
    let (entity, property) = view.split_once('-').unwrap();
    json!({
        "view": {"entity": entity, "properties": [property]},
        "groupBy": group_by,
        "distributedBy": distributed_by,
        "configuration": {},
    })
}

/// The same with members of `configuration`.
fn configured(data: Value, configuration: Value) -> Value {
    with(data, json!({"configuration": configuration}))
}

/// A grouping or distribution without a value.
fn by(kind: &str) -> Value {
    json!({"type": kind, "value": null})
}

fn by_date(kind: &str, unit: &str) -> Value {
    json!({"type": kind, "value": {"unit": unit}})
}

fn by_variable(name: &str, variable_type: &str) -> Value {
    json!({"type": "variable", "value": {"name": name, "type": variable_type}})
}

/// An instance that started at a moment and lasted so many milliseconds; without a duration it is running.
fn lasting(id: &str, start: &str, duration: Option<i64>) -> Value {
    let start: jiff::Timestamp = format!("{start}Z").parse().unwrap();
    let date = |moment: jiff::Timestamp| Moment::from(moment).utc_text();
    let end = duration.map(|duration| date(start + jiff::SignedDuration::from_millis(duration)));
    let state = if end.is_some() { "COMPLETED" } else { "ACTIVE" };
    instance(
        "p",
        id,
        json!({"startDate": date(start), "endDate": end, "duration": duration, "state": state}),
    )
}

/// A flow node instance of the process `p` that started at 10 o'clock.
fn flow_node(id: &str, duration: Option<i64>) -> Value {
    json!({
        "flowNodeInstanceId": format!("{id}-instance"),
        "flowNodeId": id,
        "flowNodeType": if ["T", "U"].contains(&id) { "userTask" } else { "serviceTask" },
        "definitionKey": "p",
        "definitionVersion": "1",
        "tenantId": null,
        "startDate": "2024-03-01T10:00:00.000+0000",
        "endDate": duration.map(|_| "2024-03-01T11:00:00.000+0000"),
        "totalDurationInMs": duration,
        "canceled": false,
    })
}
