//! Every legal combination on believable data, and some that are not.

use optimize::plan::combination::process_combinations;
use testkit::sample::Sample;

use super::*;
use crate::support::documents::report;

const ORDERS: &str = "OrderHandling";

/// A grouping or distribution with the value that its kind needs.
fn typed(kind: &str) -> Value {
    match kind {
        "startDate" | "endDate" | "runningDate" => by_date(kind, "automatic"),
        "variable" => by_variable("customer", "String"),
        "null" => by("none"),
        _ => by(kind),
    }
}

/// The report of a command key such as `flowNode-frequency_flowNodes_none_null`.
fn report_of(key: &str) -> Value {
    let parts: Vec<&str> = key.split('_').collect();
    let (entity, property) = parts[0].split_once('-').unwrap();
    let entity = if entity == "null" {
        json!(null)
    } else {
        json!(entity)
    };
    let property = match property {
        "aggregation" => json!({"name": "amount", "type": "Double"}),
        name => json!(name),
    };
    let process_part = match parts[3] {
        "null" => json!(null),
        _ => json!({"start": "OrderReceived", "end": "CheckStock"}),
    };
    let definition = json!({"identifier": "orders", "key": ORDERS, "name": "Orders", "versions": ["all"],
        "tenantIds": [null, "emea", "americas"]});
    report(
        key,
        json!({
            "view": {"entity": entity, "properties": [property]},
            "groupBy": typed(parts[1]),
            "distributedBy": typed(parts[2]),
            "definitions": [definition],
            "filter": [],
            "configuration": {"processPart": process_part},
        }),
    )
}

#[test]
fn every_legal_combination_is_answered_and_no_other() {
    let optimize = Optimize::install();
    let sample = Sample {
        process_instances: 300,
        ..Sample::default()
    };
    sample.load(&optimize.installation).unwrap();
    let mut legal = process_combinations();
    legal.retain(|key| !key.contains("rawData"));
    assert_eq!(legal.len(), 129);
    let illegal = [
        "processInstance-duration_runningDate_none_null",
        "processInstance-frequency_flowNodes_none_null",
        "processInstance-percentage_startDate_none_null",
        "processInstance-duration_none_process_processPart",
        "flowNode-frequency_flowNodes_flowNode_null",
        "userTask-duration_duration_none_null",
    ];
    let keys = || legal.iter().map(String::as_str).chain(illegal);
    let reports: Vec<(&str, Value)> = keys().map(|key| (key, report_of(key))).collect();
    optimize.store(testkit::indices::Index::SingleProcessReport, reports);
    let service = optimize.serve();
    let mut wrong = Vec::new();
    for key in &legal {
        let answer = service.first_page(key, 10_000);
        let body = answer.json();
        let data = &body["data"];
        let result = key.split('_').collect::<Vec<_>>();
        let is_whole = match (result[1], result[2]) {
            ("none", "none" | "null") => data.is_f64() && body["totalNumberOfRecords"] == 1,
            (_, distributed_by) => {
                let entries = data.as_array().cloned().unwrap_or_default();
                let is_inner_list = !["none", "null"].contains(&distributed_by);
                !entries.is_empty()
                    && body["totalNumberOfRecords"] == entries.len()
                    && entries
                        .iter()
                        .all(|entry| entry["value"].is_array() == is_inner_list)
                    && has_value(data)
            }
        };
        if answer.status != 200 || !is_whole {
            wrong.push(format!(
                "{key}: {} {:.200}",
                answer.status,
                body.to_string()
            ));
        }
    }
    for key in illegal {
        let (status, code, _) = service.first_page(key, 10).error();
        if (status, code.as_str()) != (400, "reportEvaluationError") {
            wrong.push(format!("{key}: {status} {code}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether there is any number above zero.
fn has_value(data: &Value) -> bool {
    match data {
        Value::Number(number) => number.as_f64().is_some_and(|number| number > 0.0),
        Value::Array(entries) => entries.iter().any(|entry| has_value(&entry["value"])),
        _ => false,
    }
}
