//! The table of reports that aggregate.

use serde_json::{Value, json};

use super::{lines, rows, text};
use crate::support::documents::{instance, report, selection};
use crate::support::{Optimize, Service};

fn aggregating(id: &str, changes: Value) -> Value {
    let data = json!({
        "configuration": {},
        "definitions": [selection("order")],
        "filter": [],
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "none", "value": null},
        "distributedBy": {"type": "none", "value": null},
        "visualization": "table",
    });
    report(id, crate::support::documents::with(data, changes))
}

fn by_variable(name: &str) -> Value {
    json!({"type": "variable", "value": {"name": name, "type": "String"}})
}

fn serve() -> (Optimize, Service) {
    let optimize = Optimize::install();
    let of = |id: &str, city: &str, start: &str, duration: i64| {
        instance(
            "order",
            id,
            json!({"duration": duration, "startDate": format!("{start}T10:00:00.000+0000"),
            "variables": [{"id": "v", "name": "city", "type": "String", "value": [city], "version": 1}]}),
        )
    };
    optimize.store_instances(
        "order",
        [
            of("a", "Bonn", "2024-03-01", 1_000),
            of("b", "Bonn", "2024-03-02", 3_000),
            of("c", "Ulm, \"old\"", "2024-03-02", 10_000),
        ],
    );
    let two = json!({"entity": "processInstance", "properties": ["frequency", "duration"]});
    let functions = json!([{"type": "avg", "value": null}, {"type": "max", "value": null}, {"type": "percentile", "value": 50}]);
    optimize.store_report(aggregating(
        "number",
        json!({"view": two.clone(), "configuration": {"aggregationTypes": functions.clone()}}),
    ));
    optimize.store_report(aggregating("map", json!({"view": two.clone(), "groupBy": by_variable("city"),
        "configuration": {"aggregationTypes": [{"type": "sum", "value": null}], "sorting": {"by": "value", "order": "asc"}}})));
    optimize.store_report(aggregating(
        "hyper",
        json!({"groupBy": by_variable("city"),
        "distributedBy": {"type": "startDate", "value": {"unit": "day"}}}),
    ));
    optimize.store_report(aggregating(
        "empty",
        json!({"groupBy": by_variable("none"), "definitions": [selection("nowhere")]}),
    ));
    let service = optimize.serve();
    (optimize, service)
}

#[test]
fn a_number_has_one_row_with_all_measures() {
    let (_optimize, service) = serve();
    assert_eq!(
        text(&service, "number", "csv", ""),
        "frequency,duration:avg,duration:max,duration:percentile50\r\n3,4667.0,10000.0,3000.0\r\n"
    );
    assert_eq!(
        rows(&service, "number", "parquet", ""),
        [
            json!({"frequency": 3, "duration:avg": 4667.0, "duration:max": 10_000.0, "duration:percentile50": 3_000.0})
        ]
    );
}

#[test]
fn groups_are_in_the_order_of_the_first_measure() {
    let (_optimize, service) = serve();
    assert_eq!(
        text(&service, "map", "csv", ""),
        "key,label,frequency,duration:sum\r\n\"Ulm, \"\"old\"\"\",\"Ulm, \"\"old\"\"\",1,10000.0\r\nBonn,Bonn,2,4000.0\r\n"
    );
    assert_eq!(
        lines(&service, "map", "columns=duration:*,key"),
        [
            json!({"duration:sum": 10_000.0, "key": "Ulm, \"old\""}),
            json!({"duration:sum": 4_000.0, "key": "Bonn"})
        ]
    );
}

#[test]
fn a_distributed_result_has_the_long_form() {
    let (_optimize, service) = serve();
    let expected = "key,label,distributionKey,distributionLabel,frequency\r\n\
        Bonn,Bonn,2024-03-01T00:00:00.000+0000,2024-03-01T00:00:00.000+0000,1\r\n\
        Bonn,Bonn,2024-03-02T00:00:00.000+0000,2024-03-02T00:00:00.000+0000,1\r\n\
        \"Ulm, \"\"old\"\"\",\"Ulm, \"\"old\"\"\",2024-03-01T00:00:00.000+0000,2024-03-01T00:00:00.000+0000,0\r\n\
        \"Ulm, \"\"old\"\"\",\"Ulm, \"\"old\"\"\",2024-03-02T00:00:00.000+0000,2024-03-02T00:00:00.000+0000,1\r\n";
    assert_eq!(text(&service, "hyper", "csv", ""), expected);
    let answer = super::table(&service, "hyper", "arrow", "");
    assert_eq!(answer.header("optimize-export-total-records"), Some("4"));
    assert_eq!(rows(&service, "hyper", "arrow", "").len(), 4);
}

#[test]
fn nothing_has_columns_all_the_same() {
    let (_optimize, service) = serve();
    assert_eq!(
        text(&service, "empty", "csv", ""),
        "key,label,frequency\r\n"
    );
    assert!(rows(&service, "empty", "parquet", "").is_empty());
    assert!(rows(&service, "empty", "arrow", "").is_empty());
    assert_eq!(text(&service, "empty", "ndjson", ""), "");
}
