//! Which reports there are: `reports` on the command line, the reports of a collection over HTTP, and `/api/readyz`.

use serde_json::{Value, json};
use testkit::indices::Index;

use crate::support::documents::{decision_report, raw_report, report, selection, with};
use crate::support::service::{command, free_address};
use crate::support::{Optimize, Service, TOKEN};

fn reports(optimize: &Optimize, format: &str) -> String {
    let output = command(&[
        "reports",
        "--elasticsearch-url",
        &optimize.url,
        "--index-prefix",
        &optimize.prefix,
        "--format",
        format,
    ])
    .output()
    .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn combined(id: &str, collection_id: Value) -> Value {
    json!({
        "id": id, "name": "both", "combined": true, "reportType": "process", "collectionId": collection_id,
        "data": {"configuration": {}, "visualization": "bar", "reports": []},
    })
}

fn optimize_with_reports() -> Optimize {
    let optimize = Optimize::install();
    let counting = json!({
        "definitions": [selection("order")],
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "startDate", "value": {"unit": "month"}},
        "distributedBy": {"type": "none", "value": null},
        "configuration": {"xml": "<definitions/>"},
    });
    let illegal = json!({"groupBy": {"type": "flowNodes", "value": null}});
    let management = json!({"managementReport": true});
    let preview = json!({"instantPreviewReport": true});
    for document in [
        with(
            report("count", counting),
            json!({"name": "Orders\nper month"}),
        ),
        with(
            raw_report("raw", "order", json!({})),
            json!({"collectionId": "c1"}),
        ),
        with(
            raw_report("illegal", "order", illegal),
            json!({"collectionId": "c1"}),
        ),
        with(
            raw_report("managed", "order", management),
            json!({"collectionId": "c1"}),
        ),
        with(
            raw_report("preview", "order", preview),
            json!({"collectionId": "c1"}),
        ),
        with(
            raw_report("elsewhere", "order", json!({})),
            json!({"collectionId": "c2"}),
        ),
        with(
            decision_report("decided", "discount", json!({})),
            json!({"collectionId": "c1"}),
        ),
    ] {
        optimize.store_report(document);
    }
    optimize.store(
        Index::CombinedReport,
        [("both", combined("both", json!("c1")))],
    );
    optimize
}

#[test]
fn every_report_is_listed_with_what_it_asks_for() {
    let optimize = optimize_with_reports();
    let listed: Vec<Value> = serde_json::from_str(&reports(&optimize, "json")).unwrap();
    let ids: Vec<&str> = listed
        .iter()
        .map(|report| report["id"].as_str().unwrap())
        .collect();
    assert_eq!(
        ids,
        [
            "count",
            "elsewhere",
            "illegal",
            "managed",
            "preview",
            "raw",
            "decided",
            "both"
        ]
    );
    assert_eq!(
        listed[0],
        json!({"id": "count", "name": "Orders\nper month", "type": "process", "collectionId": null,
            "view": "processInstance-frequency", "groupBy": "startDate", "distributedBy": "none",
            "isExportable": true, "problem": null})
    );
    let illegal = listed[2]["problem"].as_str().unwrap();
    assert!(
        illegal.contains("null-rawData_flowNodes_null_null"),
        "{illegal}"
    );
    assert_eq!(
        (&listed[6]["type"], &listed[6]["isExportable"]),
        (&json!("decision"), &json!(true))
    );
    assert_eq!(
        (&listed[7]["type"], &listed[7]["isExportable"]),
        (&json!("combined"), &json!(false))
    );

    let lines = reports(&optimize, "jsonl");
    let of_lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(of_lines, listed);

    let table = reports(&optimize, "table");
    assert!(
        !table.contains('\x1b'),
        "no colours outside of a terminal: {table}"
    );
    assert_eq!(table.lines().count(), 9, "one line per report: {table}");
    let count = table
        .lines()
        .find(|line| line.trim_start().starts_with("count"))
        .unwrap();
    for cell in [
        "Orders per month",
        "process",
        "processInstance-frequency",
        "startDate",
        "yes",
    ] {
        assert!(count.contains(cell), "{cell} is missing in {count}");
    }
}

#[test]
fn more_reports_than_one_request_gives_are_listed_each_once() {
    let optimize = Optimize::install();
    let documents: Vec<(String, Value)> = (0..450)
        .map(|number| {
            let id = format!("r-{number:03}");
            (
                id.clone(),
                with(
                    raw_report(&id, "order", json!({})),
                    json!({"collectionId": "c"}),
                ),
            )
        })
        .collect();
    optimize.store(
        Index::SingleProcessReport,
        documents
            .iter()
            .map(|(id, report)| (id.as_str(), report.clone())),
    );
    // Enough combined ones of the same ids for a second page of the collection.
    optimize.store(
        Index::CombinedReport,
        documents
            .iter()
            .map(|(id, _)| (id.as_str(), combined(id, json!("c")))),
    );
    optimize.store(
        Index::SingleDecisionReport,
        documents.iter().map(|(id, _)| {
            let report = with(
                decision_report(id, "discount", json!({})),
                json!({"collectionId": "c"}),
            );
            (id.as_str(), report)
        }),
    );
    let listed = reports(&optimize, "jsonl");
    let mut keys: Vec<(String, String)> = listed
        .lines()
        .map(|line| {
            let report: Value = serde_json::from_str(line).unwrap();
            (report["type"].to_string(), report["id"].to_string())
        })
        .collect();
    assert_eq!(keys.len(), 1_350);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 1_350);
    let service = optimize.serve();
    let of_collection = ids(&service, "c");
    assert_eq!(of_collection.len(), 1_350);
    assert_eq!(of_collection[..4], ["r-000", "r-000", "r-000", "r-001"]);
}

#[test]
fn an_installation_without_reports_is_an_empty_list() {
    let optimize = Optimize::install();
    assert_eq!(reports(&optimize, "json"), "[\n]\n");
    assert_eq!(reports(&optimize, "jsonl"), "");
    let wrong = command(&[
        "reports",
        "--elasticsearch-url",
        &optimize.url,
        "--index-prefix",
        "nobody",
    ])
    .output()
    .unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    let message = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(
        message.contains("nobody-single-process-report"),
        "{message}"
    );
}

const REPORTS: &str = "/api/public/report";

fn ids(service: &Service, collection: &str) -> Vec<String> {
    let answer = service.get(&format!("{REPORTS}?collectionId={collection}"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let list = answer.ok();
    list.as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            assert_eq!(entry.as_object().unwrap().len(), 1, "{entry}");
            entry["id"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn the_reports_of_a_collection_are_those_that_optimize_gives() {
    let optimize = optimize_with_reports();
    let service = optimize.serve();
    assert_eq!(ids(&service, "c1"), ["both", "decided", "illegal", "raw"]);
    assert_eq!(ids(&service, "c2"), ["elsewhere"]);
    assert!(ids(&service, "no%20such%20collection").is_empty());
    assert_eq!(ids(&service, "c2&collectionId=c2&other=1"), ["elsewhere"]);
}

#[test]
fn a_collection_must_be_named() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    for target in [
        REPORTS.to_owned(),
        format!("{REPORTS}?collectionId="),
        format!("{REPORTS}?x=1"),
    ] {
        let (status, code, detail) = service.get(&target).error();
        assert_eq!(
            (status, code.as_str()),
            (400, "badRequestError"),
            "{target}"
        );
        assert_eq!(detail, "Must specify a collection ID for this request.");
    }
    let (status, _, detail) = service
        .get(&format!("{REPORTS}?collectionId=a&collectionId=b"))
        .error();
    assert_eq!(status, 400);
    assert!(detail.contains("more than once"), "{detail}");
}

#[test]
fn the_list_of_a_collection_asks_for_the_token_and_for_get() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    let target = format!("{REPORTS}?collectionId=c");
    for (method, target) in [
        ("GET", target.as_str()),
        ("GET", REPORTS),
        ("POST", &target),
    ] {
        let (status, code, _) = service.request(method, target, &[]).error();
        assert_eq!(
            (status, code.as_str()),
            (401, "notAuthorizedError"),
            "{method} {target}"
        );
    }
    let token = format!("Bearer {TOKEN}");
    for method in ["POST", "DELETE", "HEAD"] {
        let answer = service.request(method, &target, &[("Authorization", &token)]);
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("GET")),
            "{method}"
        );
    }
    assert_eq!(
        service.get(&format!("{REPORTS}/r?collectionId=c")).status,
        404
    );
}

#[test]
fn readyz_answers_like_optimize_without_a_token() {
    let optimize = Optimize::install();
    let service = optimize.serve_with(&["--context-path", "/optimize"]);
    let ready = service.request("GET", "/optimize/api/readyz", &[]);
    assert_eq!((ready.status, ready.body.len()), (200, 0));
    assert_eq!(
        service.request("POST", "/optimize/api/readyz", &[]).status,
        405
    );
    assert_eq!(service.request("GET", "/api/readyz", &[]).status, 404);

    let away = Service::start(&format!("http://{}", free_address()), "x", &[], &[]);
    let not_ready = away.request("GET", "/api/readyz", &[]);
    assert_eq!((not_ready.status, not_ready.body.len()), (503, 0));
}
