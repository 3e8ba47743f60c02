//! What the service tells of itself.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::documents::{instances, raw_report};
use crate::support::{Optimize, Service, TOKEN};

/// So many audit lines of a JSON log, those of delivered pages first. A line comes when the last byte is written, and the client may
/// have sent its next request by then: their order in the log says nothing.
fn audits(service: &Service, count: usize) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let log = service.log();
        let lines = log.lines().map(|line| {
            serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{e}: {line}"))
        });
        let mut found: Vec<_> = lines.filter(|line| line["target"] == "audit").collect();
        if found.len() >= count {
            found.sort_by_key(|line| (line["page"].is_null(), line["page"].as_u64()));
            return found;
        }
        assert!(Instant::now() < deadline, "{count} audit lines in {log}");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn each_export_leaves_one_audit_line_without_secrets() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve_with(&["--log-format", "json"]);
    let pages = service.all_pages("r", 2);
    service.first_page("none", 2);
    service.export("r", "limit=x&paginationTimeout=60");

    let audits = audits(&service, 5);
    let outcomes: Vec<_> = audits
        .iter()
        .map(|line| {
            (
                line["message"].as_str().unwrap(),
                line["page"].as_u64(),
                line["rows"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        outcomes,
        [
            ("export delivered", Some(1), 2),
            ("export delivered", Some(2), 1),
            ("export delivered", Some(3), 0),
            ("export refused", None, 0),
            ("export refused", None, 0),
        ]
    );
    let first = &audits[0];
    assert_eq!(first["client"], "static token");
    assert_eq!(first["report"], "r");
    assert_eq!(first["plan"], "rawData");
    assert!(
        first["bytes"].as_u64().unwrap() > 100 && first["took_ms"].is_u64(),
        "{first}"
    );
    assert_eq!(
        first["scroll"], audits[2]["scroll"],
        "the pages of one export can be found together"
    );
    assert!(
        first["span"]["id"]
            .as_str()
            .is_some_and(|id| id.len() == 36),
        "{first}"
    );
    let refused = &audits[3..];
    assert!(
        refused.iter().any(|line| line["why"] == "no such report"),
        "{refused:?}"
    );

    let scroll_id = pages[0]["searchRequestId"].as_str().unwrap();
    let log = service.log();
    assert!(!log.contains(scroll_id) && !log.contains(TOKEN));
}

#[test]
fn metrics_count_what_happened() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    let pages = service.all_pages("r", 2);
    let bytes: usize = pages.iter().map(|page| page.to_string().len()).sum();
    assert!(bytes > 0);
    service.request("GET", "/api/public/export/report/r/result/json", &[]);
    service.first_page("none", 1);
    service.request("GET", "/elsewhere", &[]);
    service.wait_for_metric("optimize_export_exports_total{outcome=\"delivered\"} 3");
    service.wait_for_metric("optimize_export_scrolls_total{event=\"cleared\"} 1");

    let metrics = service.metrics();
    for line in [
        "optimize_export_http_requests_total{route=\"export\",method=\"GET\",status=\"200\"} 3",
        "optimize_export_http_requests_total{route=\"export\",method=\"GET\",status=\"404\"} 1",
        "optimize_export_http_requests_total{route=\"other\",method=\"GET\",status=\"401\"} 1",
        "optimize_export_http_requests_total{route=\"other\",method=\"GET\",status=\"404\"} 1",
        "optimize_export_exports_total{outcome=\"refused\"} 1",
        "optimize_export_exports_under_way 0",
        "optimize_export_rows_total 3",
        "optimize_export_scrolls_total{event=\"opened\"} 1",
        "optimize_export_scrolls_total{event=\"continued\"} 2",
        "optimize_export_scrolls_open 0",
        "optimize_export_cache_requests_total{cache=\"reports\",result=\"hit\"} 2",
        "optimize_export_http_request_duration_seconds_bucket{route=\"export\",le=\"+Inf\"} 4",
        "optimize_export_http_response_size_bytes_count{route=\"export\"} 4",
        "optimize_export_elasticsearch_request_duration_seconds_count{operation=\"scroll_open\"} 1",
        "optimize_export_elasticsearch_request_duration_seconds_count{operation=\"scroll_continue\"} 2",
        "optimize_export_elasticsearch_request_duration_seconds_count{operation=\"scroll_clear\"} 1",
        "# TYPE optimize_export_http_connections gauge",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line} is not in\n{metrics}"
        );
    }
    assert!(
        !metrics.contains("\"r\"") && !metrics.contains(TOKEN),
        "no label holds what a request brings"
    );
}

#[test]
fn audit_lines_stay_unless_they_are_switched_off() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 1));
    optimize.store_report(raw_report("r", "order", json!({})));
    let quiet = optimize.serve_with(&["--log", "error"]);
    quiet.first_page("r", 0).ok();
    quiet.wait_for_log("export delivered");
    assert!(!quiet.log().contains("answered"), "{}", quiet.log());
    let silent = optimize.serve_with(&["--log", "info,audit=off"]);
    silent.first_page("r", 0).ok();
    silent.wait_for_log("answered");
    assert!(!silent.log().contains("audit"), "{}", silent.log());
}
