//! What the service itself does to a page: cutting an answer into hits, and writing hits as rows.

use std::collections::HashMap;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use optimize_export::definitions::FlowNodeNames;
use optimize_export::elasticsearch::hits::{HitSplitter, Piece};
use optimize_export::raw_data::document::Hit;
use optimize_export::raw_data::json::JsonText;
use optimize_export::raw_data::process_row::{ProcessInstance, ProcessRowWriter};
use optimize_export::raw_data::variables::{ObjectVariables, Scratch, VariableNames};
use serde_json::{Value, json};

const HITS: usize = 100;
/// Bytes that the network delivers at once.
const CHUNK: usize = 64 * 1024;

/// A process instance of about 10 kB: twenty flow nodes, ten variables.
fn instance(number: usize) -> Value {
    let flow_node = |n: usize| {
        json!({
            "flowNodeInstanceId": format!("flow-node-instance-{number}-{n}"), "flowNodeId": format!("task-{}", n % 8),
            "flowNodeType": "userTask", "processInstanceId": format!("instance-{number}"), "totalDurationInMs": 1_234,
            "startDate": "2024-03-01T10:00:00.000+0100", "endDate": "2024-03-01T10:00:01.234+0100", "canceled": false,
            "definitionKey": "order", "definitionVersion": "3", "tenantId": null, "userTaskInstanceId": "user-task",
            "dueDate": null, "deleteReason": null, "assignee": "demo", "candidateGroups": ["sales"],
            "assigneeOperations": [], "candidateGroupOperations": [], "idleDurationInMs": 234, "workDurationInMs": 1_000,
        })
    };
    let variable = |n: usize| json!({"id": format!("v-{n}"), "name": format!("variable{n}"), "type": "String", "value": [format!("value \"{n}\" of {number}")], "version": 1});
    json!({
        "processDefinitionKey": "order", "processDefinitionVersion": "3", "processDefinitionId": "order:3:1",
        "processInstanceId": format!("instance-{number}"), "businessKey": format!("B-{number}"),
        "startDate": "2024-03-01T10:00:00.000+0100", "endDate": "2024-03-01T10:01:00.000+0100", "duration": 60_000,
        "state": "COMPLETED", "dataSource": {"type": "engine", "name": "camunda-bpm"}, "tenantId": null,
        "flowNodeInstances": (0..20).map(flow_node).collect::<Vec<_>>(),
        "variables": (0..10).map(variable).collect::<Vec<_>>(),
        "incidents": [],
    })
}

fn answer() -> Vec<u8> {
    let hit = |n: usize| json!({"_index": "i", "_id": n.to_string(), "_score": null, "_source": instance(n), "sort": [n]});
    let hits: Vec<Value> = (0..HITS).map(hit).collect();
    let head = r#"{"_scroll_id":"id","took":1,"timed_out":false,"_shards":{"failed":0},"hits":{"total":{"value":100},"hits":"#;
    [head.as_bytes(), json!(hits).to_string().as_bytes(), b"}}"].concat()
}

fn split(answer: &[u8], mut on_hit: impl FnMut(&[u8])) {
    let mut splitter = HitSplitter::default();
    for chunk in answer.chunks(CHUNK) {
        splitter.push(chunk).ok();
        while let Ok(piece @ (Piece::Head(_) | Piece::Hit(_))) = splitter.next_piece() {
            if let Piece::Hit(range) = piece {
                on_hit(splitter.bytes(range));
            }
        }
    }
}

fn page(criterion: &mut Criterion) {
    let answer = answer();
    let flow_nodes = (0..8).map(|n| (format!("task-{n}"), Some(format!("Task number {n}"))));
    let flow_node_names: FlowNodeNames = HashMap::from_iter(flow_nodes);
    let variable_names = VariableNames::new((0..12).map(|n| format!("variable{n}")).collect());
    let mut group = criterion.benchmark_group("page");
    group.throughput(Throughput::Bytes(answer.len() as u64));
    group.bench_function("cut into hits", |bencher| {
        bencher.iter(|| {
            split(&answer, |hit| {
                black_box(hit);
            })
        });
    });
    group.bench_function("cut and parse", |bencher| {
        bencher.iter(|| {
            split(&answer, |hit| {
                black_box(serde_json::from_slice::<Hit<ProcessInstance<'_>>>(hit).ok());
            })
        });
    });
    group.bench_function("cut, parse and write rows", |bencher| {
        let mut out = JsonText::default();
        bencher.iter(|| {
            let mut writer = ProcessRowWriter {
                now: 0,
                variable_names: &variable_names,
                object_variables: ObjectVariables::Values,
                time_zone: None,
                scratch: Scratch::default(),
            };
            split(&answer, |hit| {
                if let Ok(hit) = serde_json::from_slice::<Hit<ProcessInstance<'_>>>(hit) {
                    writer.write(&mut out, &hit.source, &flow_node_names);
                }
            });
            black_box(out.take());
        });
    });
    group.finish();
}

criterion_group!(benches, page);
criterion_main!(benches);
