//! No report may take so much memory that the service ends: its deployments allow 256 MiB.

use std::thread;

use serde_json::{Value, json};
use testkit::indices::Index;

use crate::support::documents::{definition, instance, report, selection, with};
use crate::support::{Optimize, Service};

const MIB: u64 = 1024 * 1024;

/// A report that counts process instances or flow nodes by a date.
fn counted_by_date(id: &str, entity: &str, date: &str, unit: &str, changes: Value) -> Value {
    let data = json!({
        "configuration": {},
        "definitions": [selection("order")],
        "filter": [],
        "view": {"entity": entity, "properties": ["frequency"]},
        "groupBy": {"type": date, "value": {"unit": unit}},
        "distributedBy": {"type": "none", "value": null},
        "visualization": "table",
    });
    report(id, with(data, changes))
}

fn running(start: &str, end: &str) -> Value {
    let date = |date: &str| format!("{date}T00:00:00.000+0000");
    instance(
        "order",
        "i",
        json!({"startDate": date(start), "endDate": date(end)}),
    )
}

/// Exports a report so many times at once.
fn at_once(service: &Service, report_id: &str, times: usize) -> Vec<crate::support::http::Answer> {
    thread::scope(|scope| {
        let exports = (0..times).map(|_| scope.spawn(|| service.first_page(report_id, 10_000)));
        let exports: Vec<_> = exports.collect();
        let answers = exports.into_iter().map(|export| export.join().unwrap());
        answers.collect()
    })
}

#[test]
fn the_time_in_which_instances_ran_may_be_divided_into_minutes() {
    let optimize = Optimize::install();
    optimize.store_instances("order", [running("2024-01-01", "2024-01-22")]);
    optimize.store_report(counted_by_date(
        "minutes",
        "processInstance",
        "runningDate",
        "minute",
        json!({}),
    ));
    let service = optimize.serve();
    let page = service.first_page("minutes", 1_000).ok();
    let peak = service.peak_memory() / MIB;
    // 21 days, and the minute in which it ended.
    assert_eq!(page["totalNumberOfRecords"], 21 * 24 * 60 + 1);
    let entry = |time: &str| json!({"key": format!("2024-01-{time}:00.000+0000"), "value": 1.0, "label": format!("2024-01-{time}:00.000+0000")});
    assert_eq!(page["data"][0], entry("01T00:00"));
    assert_eq!(page["data"][1_441], entry("02T00:01"));
    assert_eq!(page["data"][30_240], entry("22T00:00"));
    assert!(peak < 96, "{peak} MiB");
}

#[test]
fn several_of_them_at_once_take_no_more_than_there_is() {
    let optimize = Optimize::install();
    optimize.store_instances("order", [running("2024-01-01", "2024-12-31")]);
    optimize.store_report(counted_by_date(
        "hours",
        "processInstance",
        "runningDate",
        "hour",
        json!({}),
    ));
    let service = optimize.serve_with(&["--max-aggregation-memory", "16"]);
    let alone = service.first_page("hours", 10_000);
    let expected = alone.ok();
    assert_eq!(expected["totalNumberOfRecords"], 365 * 24 + 1);
    let answers = at_once(&service, "hours", 6);
    let (whole, refused): (Vec<_>, Vec<_>) =
        answers.iter().partition(|answer| answer.status == 200);
    assert!(!whole.is_empty());
    for answer in whole {
        assert_eq!(answer.ok(), expected);
    }
    for answer in refused {
        let (status, code, detail) = answer.error();
        assert_eq!((status, code.as_str()), (429, "tooManyRequestsError"));
        assert!(detail.contains("--max-aggregation-memory"), "{detail}");
        assert!(answer.header("retry-after").is_some());
    }
    let peak = service.peak_memory() / MIB;
    assert!(peak < 96, "{peak} MiB");
    // Nothing is left of them.
    assert_eq!(service.first_page("hours", 10_000).ok(), expected);
}

/// Flow nodes `n-000`, `n-001`, … that have names.
fn model(optimize: &Optimize, flow_nodes: usize, name: &str) {
    let nodes: Vec<(String, String)> = (0..flow_nodes)
        .map(|n| (format!("n-{n:03}"), format!("{name} {n:03}")))
        .collect();
    let nodes: Vec<(&str, Option<&str>)> = nodes
        .iter()
        .map(|(id, name)| (id.as_str(), Some(name.as_str())))
        .collect();
    optimize.store(
        Index::ProcessDefinition,
        [("order:1", definition("order", "1", None, &nodes))],
    );
}

/// An instance with one flow node that started and ended with it.
fn at_work(id: &str, start: &str) -> Value {
    let start = format!("{start}T00:00:00.000+0000");
    let flow_node = json!({
        "flowNodeInstanceId": format!("{id}-n"), "flowNodeId": "n-000", "flowNodeType": "serviceTask",
        "definitionKey": "order", "definitionVersion": "1", "tenantId": null, "canceled": false,
        "startDate": start, "endDate": start, "totalDurationInMs": 0,
    });
    let changes = json!({"startDate": start, "endDate": start, "flowNodeInstances": [flow_node]});
    instance("order", id, changes)
}

#[test]
fn hyper_maps_hold_each_name_once() {
    let optimize = Optimize::install();
    optimize.store_instances(
        "order",
        [
            at_work("first", "2024-01-01"),
            at_work("last", "2024-09-06"),
        ],
    );
    model(
        &optimize,
        256,
        "A flow node with a name that is somewhat long, number",
    );
    optimize.store_report(counted_by_date(
        "map",
        "flowNode",
        "startDate",
        "day",
        json!({"distributedBy": {"type": "flowNode", "value": null}}),
    ));
    let service = optimize.serve();
    let first = service.first_page("map", 1_000).ok();
    assert_eq!(first["totalNumberOfRecords"], 250);
    let group = &first["data"][249];
    assert_eq!(group["key"], "2024-09-06T00:00:00.000+0000");
    assert_eq!(group["value"].as_array().unwrap().len(), 256);
    let name = "A flow node with a name that is somewhat long, number 000";
    assert_eq!(
        group["value"][0],
        json!({"key": "n-000", "value": 1.0, "label": name})
    );
    let second = &group["value"][1];
    assert_eq!(
        (&second["key"], &second["value"]),
        (&json!("n-001"), &Value::Null)
    );
    for answer in at_once(&service, "map", 8) {
        assert_eq!(answer.ok()["data"], first["data"]);
    }
    let peak = service.peak_memory() / MIB;
    assert!(peak < 160, "{peak} MiB");
}

#[test]
fn a_result_that_would_be_too_large_is_refused_before_it_is_made() {
    let optimize = Optimize::install();
    // By hour there are 26,305 groups, and each shows all flow nodes: 13 million entries.
    optimize.store_instances(
        "order",
        [
            at_work("first", "2020-01-01"),
            at_work("last", "2023-01-01"),
        ],
    );
    model(&optimize, 500, "Flow node");
    optimize.store_report(counted_by_date(
        "hours",
        "flowNode",
        "startDate",
        "hour",
        json!({"distributedBy": {"type": "flowNode", "value": null}}),
    ));
    let service = optimize.serve();
    let (status, code, detail) = service.first_page("hours", 1_000).error();
    assert_eq!((status, code.as_str()), (400, "tooManyBuckets"));
    for told in ["coarser unit", "a filter", "--max-aggregation-memory"] {
        assert!(detail.contains(told), "{detail}");
    }
    let peak = service.peak_memory() / MIB;
    assert!(peak < 128, "{peak} MiB");
}

#[test]
fn an_answer_beyond_its_bound_says_what_to_change() {
    let optimize = Optimize::install();
    // Ids of 1,400 bytes, each four times in an answer of half a megabyte.
    let flow_node = |n: usize| {
        json!({"flowNodeInstanceId": format!("f-{n}"), "flowNodeId": format!("{n:01400}"), "flowNodeType": "serviceTask",
            "startDate": "2024-03-01T10:00:00.000+0000", "endDate": "2024-03-01T10:00:00.000+0000", "totalDurationInMs": 0,
            "definitionKey": "order", "definitionVersion": "1", "tenantId": null, "canceled": false})
    };
    let flow_nodes: Vec<Value> = (0..1_000).map(flow_node).collect();
    optimize.store_instances(
        "order",
        [instance(
            "order",
            "i",
            json!({"flowNodeInstances": flow_nodes}),
        )],
    );
    optimize.store_report(counted_by_date(
        "nodes",
        "flowNode",
        "flowNodes",
        "day",
        json!({}),
    ));
    let small = optimize.serve_with(&["--max-aggregation-memory", "2"]);
    let (status, code, detail) = small.first_page("nodes", 1_000).error();
    assert_eq!((status, code.as_str()), (400, "tooManyBuckets"));
    assert!(
        detail.contains("the 1 MiB of memory that one answer may have")
            && detail.contains("a filter"),
        "{detail}"
    );
    // Where there is more, it is an answer; the model has none of them.
    let service = optimize.serve();
    assert_eq!(service.first_page("nodes", 1_000).ok()["data"], json!([]));
}

#[test]
fn stored_documents_are_bounded_too() {
    let optimize = Optimize::install();
    let xml = "x".repeat(1_500_000);
    let large = counted_by_date(
        "large",
        "processInstance",
        "startDate",
        "day",
        json!({"configuration": {"xml": xml}}),
    );
    optimize.store_report(large);
    let small = optimize.serve_with(&["--max-aggregation-memory", "2"]);
    let (status, _, detail) = small.first_page("large", 1).error();
    assert_eq!(status, 400);
    assert!(detail.contains("--max-aggregation-memory"), "{detail}");
    let service = optimize.serve();
    assert_eq!(service.first_page("large", 1).ok()["data"], json!([]));
}
