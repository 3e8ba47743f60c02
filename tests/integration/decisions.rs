//! Reports on decisions.

use serde_json::{Value, json};

use crate::support::documents::decision_report;
use crate::support::{Optimize, Service};

mod counts;
mod filters;
mod rows;
mod variables;

/// The ids of the decision instances in the rows of a report.
fn ids(service: &Service, report_id: &str) -> Vec<String> {
    let rows = service.all_rows(report_id, 1_000);
    let id = |row: &Value| row["decisionInstanceId"].as_str().unwrap().to_owned();
    rows.iter().map(id).collect()
}

/// Stores and exports a report on the decision `invoice`.
#[track_caller]
fn export(optimize: &Optimize, service: &Service, report_id: &str, changes: Value) -> Value {
    optimize.store_report(decision_report(report_id, "invoice", changes));
    service.first_page(report_id, 1_000).ok()
}

/// Exports how many decision instances there are per group, as `key=value` in the order of the result.
///
/// Everything around the entries is checked on the way: labels, and both numbers of records.
#[track_caller]
fn counts(optimize: &Optimize, service: &Service, report_id: &str, changes: Value) -> String {
    let mut data = json!({"view": {"properties": ["frequency"]}});
    let members = data.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    let answer = export(optimize, service, report_id, data);
    let entries = answer["data"].as_array().unwrap();
    assert_eq!(answer["numberOfRecordsInResponse"], entries.len());
    assert_eq!(answer["totalNumberOfRecords"], entries.len());
    assert!(answer["searchRequestId"].is_null(), "{answer}");
    let entry = |entry: &Value| {
        assert_eq!(entry["key"], entry["label"], "{answer}");
        format!("{}={}", entry["key"].as_str().unwrap(), entry["value"])
    };
    let entries: Vec<String> = entries.iter().map(entry).collect();
    entries.join(" ")
}
