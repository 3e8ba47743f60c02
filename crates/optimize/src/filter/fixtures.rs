//! What the tests of filters share.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{FilterContext, ImplicitFilter, decision_narrowing, narrowing};
use crate::report::definition::{DecisionFilter, ProcessFilter, StoredReport};

/// Now, in every test that doesn't say otherwise.
pub const NOW: &str = "2024-03-31T23:30:15.123Z";

pub fn context() -> FilterContext {
    context_at(NOW)
}

pub fn context_at(now: &str) -> FilterContext {
    FilterContext {
        now: now.parse().unwrap(),
        time_zone: TimeZone::UTC,
        user_task_report: false,
        assignee_analytics: true,
    }
}

fn report(report_type: &str, filters: &Value) -> StoredReport {
    let report = json!({"reportType": report_type, "data": {
        "view": {"properties": ["rawData"]}, "groupBy": {"type": "none"}, "filter": filters}});
    StoredReport::parse(&report.to_string()).unwrap()
}

pub fn process_filters(filters: Value) -> Vec<ProcessFilter> {
    match report("process", &filters) {
        StoredReport::Process(report) => report.filters,
        _ => unreachable!(),
    }
}

pub fn decision_filters(filters: Value) -> Vec<DecisionFilter> {
    match report("decision", &filters) {
        StoredReport::Decision(report) => report.filters,
        _ => unreachable!(),
    }
}

/// The clauses on process instances of one filter.
pub fn clauses(filter_type: &str, level: &str, data: Value, context: &FilterContext) -> Vec<Value> {
    let filter = json!({"type": filter_type, "filterLevel": level, "data": data});
    let filters = process_filters(json!([filter]));
    narrowing(&filters, &[], ImplicitFilter::None, context).all
}

/// The only clause on process instances of one filter.
pub fn clause(filter_type: &str, level: &str, data: Value) -> Value {
    let clauses = clauses(filter_type, level, data, &context());
    assert_eq!(clauses.len(), 1, "{clauses:?}");
    clauses.into_iter().next().unwrap()
}

/// The only clause on decision instances of one filter.
pub fn decision_clause(filter_type: &str, data: Value) -> Value {
    let filters = decision_filters(json!([{"type": filter_type, "data": data}]));
    let clauses = decision_narrowing(&filters, &context());
    assert_eq!(clauses.len(), 1, "{clauses:?}");
    clauses.into_iter().next().unwrap()
}

/// A query on flow node instances.
pub fn on_flow_nodes(query: Value) -> Value {
    json!({"nested": {"path": "flowNodeInstances", "score_mode": "none", "query": query}})
}
