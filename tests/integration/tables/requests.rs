//! Requests for tables: parameters, headers, `HEAD`, the columns, errors.

use std::io::Read;

use serde_json::{Value, json};

use super::{lines, rows, table, text};
use crate::support::documents::{instance, instances, raw_report, report, selection, with};
use crate::support::{Optimize, Service, TOKEN};

const FORMATS: [(&str, &str, &str); 4] = [
    ("csv", "text/csv; charset=utf-8; header=present", ".csv"),
    ("ndjson", "application/x-ndjson", ".ndjson"),
    ("parquet", "application/vnd.apache.parquet", ".parquet"),
    ("arrow", "application/vnd.apache.arrow.stream", ".arrows"),
];

fn serve(count: usize) -> (Optimize, Service) {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", count));
    let named = with(
        raw_report("r", "order", json!({})),
        json!({"name": "Größe / \"all\""}),
    );
    optimize.store_report(named);
    let service = optimize.serve();
    (optimize, service)
}

fn request(
    service: &Service,
    method: &str,
    path: &str,
    header: (&str, &str),
) -> crate::support::http::Answer {
    let token = format!("Bearer {TOKEN}");
    let target = format!("/api/public/export/report/r/result/{path}");
    service.request(method, &target, &[("Authorization", &token), header])
}

#[test]
fn the_head_of_an_answer_says_what_follows() {
    let (_optimize, service) = serve(3);
    for (format, content_type, extension) in FORMATS {
        let get = request(&service, "GET", format, ("X-Test", "1"));
        let head = request(&service, "HEAD", format, ("X-Test", "1"));
        assert_eq!((get.status, head.status), (200, 200), "{format}");
        assert!(head.body.is_empty());
        for (name, expected) in [
            ("content-type", content_type),
            ("cache-control", "no-store"),
            ("optimize-export-total-records", "3"),
            (
                "content-disposition",
                &format!(
                    "attachment; filename=\"Gr__e _ _all_{extension}\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20_%20_all_{extension}"
                ),
            ),
        ] {
            assert_eq!(get.header(name), Some(expected), "{format}");
            assert_eq!(head.header(name), Some(expected), "{format}");
        }
        assert_eq!(
            head.header("optimize-export-schema"),
            get.header("optimize-export-schema")
        );
        assert!(get.header("x-request-id").is_some());
        assert_eq!(
            head.header("content-length"),
            None,
            "nobody knows how long it will be"
        );
    }
    service.wait_for_metric("optimize_export_streams_under_way 0");
    service.wait_for_metric("optimize_export_scrolls_open 0");
    let opened = service.metrics();
    let opened = opened
        .lines()
        .find(|line| line.contains("scrolls_total{event=\"opened\"}"))
        .unwrap();
    assert!(opened.ends_with(" 4"), "HEAD opens none: {opened}");
}

#[test]
fn head_answers_for_json_too() {
    let (optimize, service) = serve(3);
    optimize.store_report(report(
        "broken",
        json!({"view": {"entity": "flowNode", "properties": ["percentage"]},
        "definitions": [selection("order")]}),
    ));
    let token = format!("Bearer {TOKEN}");
    for (report_id, query, status) in [
        ("r", "limit=1&paginationTimeout=60", 200),
        ("r", "limit=0&paginationTimeout=60", 200),
        ("r", "limit=x&paginationTimeout=60", 400),
        ("r", "limit=1&paginationTimeout=60&searchRequestId=abc", 400),
        ("none", "limit=1&paginationTimeout=60", 404),
        ("broken", "limit=1&paginationTimeout=60", 400),
    ] {
        let target = format!("/api/public/export/report/{report_id}/result/json?{query}");
        let head = service.request("HEAD", &target, &[("Authorization", &token)]);
        let get = service.get(&target);
        assert_eq!((head.status, get.status), (status, status), "{target}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert!(head.body.is_empty());
    }
    let head = service.request("HEAD", "/api/public/export/report/r/result/json", &[]);
    assert_eq!(head.status, 401);
}

#[test]
fn text_is_compressed_for_those_who_ask() {
    let (_optimize, service) = serve(2_500);
    let plain = text(&service, "r", "csv", "");
    assert_eq!(plain.lines().count(), 2_501);
    let gzip = request(&service, "GET", "csv", ("Accept-Encoding", "gzip"));
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(gzip.body.as_slice())
        .read_to_string(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain);
    let zstd = request(&service, "GET", "csv", ("Accept-Encoding", "gzip, zstd"));
    assert_eq!(zstd.header("content-encoding"), Some("zstd"));
    assert_eq!(
        zstd::decode_all(zstd.body.as_slice()).unwrap(),
        plain.as_bytes()
    );
    assert!(zstd.body.len() * 5 < plain.len());
    let parquet = request(&service, "GET", "parquet", ("Accept-Encoding", "gzip"));
    assert_eq!(parquet.header("content-encoding"), None);
}

#[test]
fn many_steps_are_one_table_whatever_the_order() {
    let (_optimize, service) = serve(7_001);
    let ids = |rows: Vec<Value>| -> Vec<String> {
        let id = |row: &Value| row["processInstanceId"].as_str().unwrap().to_owned();
        rows.iter().map(id).collect()
    };
    let expected: Vec<String> = service.ids("r");
    assert_eq!(expected.len(), 7_001);
    for format in ["parquet", "arrow"] {
        assert_eq!(ids(rows(&service, "r", format, "")), expected, "{format}");
    }
    assert_eq!(ids(lines(&service, "r", "")), expected);
    let mut any = ids(lines(&service, "r", "order=any&columns=processInstanceId"));
    any.sort();
    assert_eq!(any, expected);
    service.wait_for_metric("optimize_export_scrolls_open 0");
}

#[test]
fn columns_are_told_before_they_are_asked_for() {
    let optimize = Optimize::install();
    let variable = |name: &str, kind: &str| json!({"id": name, "name": name, "type": kind, "value": ["1"], "version": 1});
    let variables = json!([variable("a,b", "Integer"), variable("amount", "Double")]);
    optimize.store_instances(
        "order",
        [instance("order", "one", json!({"variables": variables}))],
    );
    let stored = json!({"configuration": {"tableColumns": {"includeNewVariables": false,
        "includedColumns": ["startDate", "variable:amount", "processInstanceId", "variable:gone"], "excludedColumns": []}}});
    optimize.store_report(raw_report("r", "order", stored));
    let service = optimize.serve();
    let schema = table(
        &service,
        "r",
        "schema",
        "columns=processInstanceId,variable:*",
    )
    .ok();
    let csv = table(&service, "r", "csv", "columns=processInstanceId,variable:*");
    assert_eq!(
        schema,
        json!({"reportId": "r", "reportName": "Report r", "table": "instances",
            "tables": ["instances", "flowNodes", "variables", "incidents"], "primaryKey": ["processInstanceId"],
            "schemaId": csv.header("optimize-export-schema").unwrap(),
            "columns": [
                {"name": "processInstanceId", "type": "text", "nullable": true, "source": "processInstanceId"},
                {"name": "variable:a,b", "type": "integer", "nullable": true, "source": "variables.value"},
                {"name": "variable:amount", "type": "double", "nullable": true, "source": "variables.value"}]})
    );
    let header = |query: &str| {
        text(&service, "r", "csv", query)
            .lines()
            .next()
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        header(r"columns=variable:a\,b,variable:amount,nothing*"),
        "\"variable:a,b\",variable:amount"
    );
    let stored = header("columns=stored");
    assert!(
        stored.starts_with("startDate,processInstanceId,") && stored.ends_with(",variable:amount"),
        "{stored}"
    );
    let (status, code, detail) =
        table(&service, "r", "csv", "columns=variable:amuont,startdate").error();
    assert_eq!((status, code.as_str()), (400, "badRequestError"));
    for name in [
        "variable:amuont",
        "variable:amount",
        "startdate",
        "startDate",
    ] {
        assert!(detail.contains(name), "{detail}");
    }
    service.wait_for_metric("optimize_export_scrolls_open 0");
}

#[test]
fn what_is_wrong_is_told_before_there_is_a_body() {
    let (_optimize, service) = serve(1);
    let error = |path: &str| table(&service, "r", path, "").error();
    let (status, code, detail) = error("csv?table=rows&order=up&");
    assert_eq!((status, code.as_str()), (400, "badRequestError"));
    assert!(
        detail.contains("table is \"rows\"") && detail.contains("order is \"up\""),
        "{detail}"
    );
    let (status, _, detail) = error("csv?table=outputs&");
    assert!(
        status == 400 && detail.contains("instances, flowNodes, variables, incidents"),
        "{detail}"
    );
    for unknown in ["xml", "CSV", ""] {
        assert_eq!(error(unknown).0, 404, "{unknown}");
    }
    let missing = table(&service, "nobody", "parquet", "").error();
    assert_eq!((missing.0, missing.1.as_str()), (404, "notFoundError"));
    let token = format!("Bearer {TOKEN}");
    let target = "/api/public/export/report/r/result/csv";
    let post = service.request("POST", target, &[("Authorization", &token)]);
    assert_eq!(
        (post.status, post.header("allow")),
        (405, Some("GET, HEAD"))
    );
    assert_eq!(service.request("GET", target, &[]).status, 401);
}

#[test]
fn the_log_tells_what_was_streamed() {
    let (_optimize, service) = serve(2);
    text(&service, "r", "csv", "table=variables");
    service.wait_for_log("export delivered");
    let log = service.log();
    let line = log
        .lines()
        .find(|line| line.contains("export delivered"))
        .unwrap();
    for part in [
        "table=\"variables\"",
        "format=\"csv\"",
        "rows=0",
        "bytes=",
        "report=\"r\"",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[test]
fn streams_have_a_limit_of_their_own() {
    let optimize = Optimize::install();
    let text_of = "x".repeat(2_000);
    let large = (0..6_000).map(|n| {
        instance(
            "order",
            &format!("i-{n:05}"),
            json!({"businessKey": text_of}),
        )
    });
    optimize.store_instances("order", large);
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve_with(&["--max-concurrent-streams", "1", "--queue-timeout", "0"]);
    let (held, _) = service.begin("/api/public/export/report/r/result/csv", 1_000);
    let (status, code, detail) = table(&service, "r", "csv", "").error();
    assert_eq!((status, code.as_str()), (429, "tooManyRequestsError"));
    assert!(detail.contains("--max-concurrent-streams"), "{detail}");
    service.first_page("r", 10).ok();
    drop(held);
    service.wait_for_metric("optimize_export_streams_under_way 0");
    assert_eq!(table(&service, "r", "csv", "").status, 200);
}
