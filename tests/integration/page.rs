//! The page for people, and the list of reports that it asks for. What the page does in a browser is not tested here.

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use testkit::indices::Index;

use crate::support::documents::{decision_report, raw_report, report, selection, with};
use crate::support::{Optimize, Service, TOKEN};

const LIST: &str = "/api/public/export/reports";

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

#[test]
fn the_page_is_there_for_everybody_and_may_do_nothing_else() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    for (path, content_type, part) in [
        ("/", "text/html; charset=utf-8", "<!doctype html>"),
        (
            "/page/app.js",
            "text/javascript; charset=utf-8",
            "api/public/export/reports",
        ),
        (
            "/page/style.css",
            "text/css; charset=utf-8",
            "prefers-color-scheme: dark",
        ),
        ("/page/icon.svg", "image/svg+xml", "<svg"),
    ] {
        let answer = service.request("GET", path, &[]);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains(part), "{path}");
        for (name, value) in [
            ("content-type", content_type),
            ("content-security-policy", POLICY),
            ("cache-control", "no-cache"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {name}");
        }
        let posted = service.request("POST", path, &[]);
        assert_eq!(
            (posted.status, posted.header("allow")),
            (405, Some("GET")),
            "{path}"
        );
    }
    for path in [
        "/page",
        "/page/",
        "/page/index.html",
        "/page/../page.rs",
        "/page/app.js/x",
        "//",
    ] {
        assert_eq!(service.request("GET", path, &[]).status, 404, "{path}");
    }
    let metrics = service.metrics();
    assert!(
        metrics.contains(
            "optimize_export_http_requests_total{route=\"page\",method=\"GET\",status=\"200\"} 4"
        ),
        "{metrics}"
    );
}

#[test]
fn it_is_below_the_context_path() {
    let optimize = Optimize::install();
    let service = optimize.serve_with(&["--context-path", "/bi/optimize"]);
    let answer = service.request("GET", "/bi/optimize", &[]);
    // Relative, for a proxy that puts something before it.
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some("./optimize/"))
    );
    for path in ["/bi/optimize/", "/bi/optimize/page/app.js"] {
        assert_eq!(service.request("GET", path, &[]).status, 200, "{path}");
    }
    for path in ["/", "/page/app.js", "/bi/"] {
        assert_eq!(service.request("GET", path, &[]).status, 404, "{path}");
    }
    assert_eq!(service.get(&format!("/bi/optimize{LIST}")).ok(), json!([]));
}

#[test]
fn it_is_gone_when_it_is_switched_off_and_the_list_is_not() {
    let optimize = Optimize::install();
    let service = optimize.serve_with(&["--api-docs", "false"]);
    for path in ["/", "/page/app.js", "/page/style.css", "/page/icon.svg"] {
        let (status, code, _) = service.request("GET", path, &[]).error();
        assert_eq!((status, code.as_str()), (404, "notFoundError"), "{path}");
    }
    assert_eq!(service.get(LIST).ok(), json!([]));
}

/// A raw data report with markup for a name, a legal and an illegal report on processes, one on decisions, a combined one.
fn optimize_with_reports() -> Optimize {
    let optimize = Optimize::install();
    let counting = json!({
        "definitions": [selection("order")],
        "view": {"entity": "processInstance", "properties": ["frequency", "duration"]},
        "groupBy": {"type": "startDate", "value": {"unit": "month"}},
        "distributedBy": {"type": "process", "value": null},
        "configuration": {"xml": "<definitions/>"},
    });
    let illegal = json!({"groupBy": {"type": "flowNodes", "value": null}});
    for document in [
        with(report("p-1", counting), json!({"name": "Per month"})),
        with(
            raw_report("p-2", "order", json!({})),
            json!({"name": "<img src=x onerror=alert(1)>", "collectionId": "c"}),
        ),
        with(
            raw_report("p-3", "order", illegal),
            json!({"name": "\u{1F600}\u{0}\""}),
        ),
        with(
            decision_report("d-1", "discount", json!({})),
            json!({"name": null}),
        ),
    ] {
        optimize.store_report(document);
    }
    let combined = json!({
        "id": "c-1", "name": "Both", "combined": true, "reportType": "process",
        "data": {"configuration": {}, "visualization": "bar", "reports": []},
    });
    optimize.store(Index::CombinedReport, [("c-1", combined)]);
    optimize
}

#[test]
fn the_list_tells_what_the_command_tells() {
    let optimize = optimize_with_reports();
    let answer = optimize.serve().get(LIST);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let mut list = answer.ok();
    // Its text is that of another test.
    let problem = list[2]["problem"].take();
    assert!(problem.as_str().unwrap().contains("rawData_flowNodes"));
    assert_eq!(
        list,
        json!([
            {"id": "p-1", "name": "Per month", "type": "process", "collectionId": null,
                "view": "processInstance-frequency, duration", "groupBy": "startDate", "distributedBy": "process",
                "isExportable": true, "problem": null},
            {"id": "p-2", "name": "<img src=x onerror=alert(1)>", "type": "process", "collectionId": "c",
                "view": "rawData", "groupBy": "none", "distributedBy": "none", "isExportable": true, "problem": null},
            {"id": "p-3", "name": "\u{1F600}\u{0}\"", "type": "process", "collectionId": null,
                "view": "rawData", "groupBy": "flowNodes", "distributedBy": "none", "isExportable": false, "problem": null},
            {"id": "d-1", "name": null, "type": "decision", "collectionId": null,
                "view": "rawData", "groupBy": "none", "distributedBy": "none", "isExportable": true, "problem": null},
            {"id": "c-1", "name": "Both", "type": "combined", "collectionId": null,
                "view": null, "groupBy": null, "distributedBy": null,
                "isExportable": false, "problem": "combined reports can't be exported"},
        ])
    );
}

#[test]
fn a_list_of_several_pages_has_each_report_once_compressed_or_not() {
    let optimize = Optimize::install();
    let ids: Vec<String> = (0..450).map(|number| format!("r-{number:03}")).collect();
    optimize.store(
        Index::SingleProcessReport,
        ids.iter()
            .map(|id| (id.as_str(), raw_report(id, "order", json!({})))),
    );
    let service = optimize.serve();
    let listed = |list: &Value| -> Vec<String> {
        let reports = list.as_array().unwrap().iter();
        reports
            .map(|report| report["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(listed(&service.get(LIST).ok()), ids);
    let authorization = format!("Bearer {TOKEN}");
    let headers = [
        ("Authorization", authorization.as_str()),
        ("Accept-Encoding", "gzip"),
    ];
    let compressed = service.request("GET", LIST, &headers);
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    let list = serde_json::from_reader(GzDecoder::new(compressed.body.as_slice()));
    assert_eq!(listed(&list.unwrap()), ids);
}

#[test]
fn the_list_asks_for_the_token_and_for_get() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    for (method, headers) in [
        ("GET", vec![]),
        ("POST", vec![]),
        ("GET", vec![("Authorization", "Bearer some-other-token")]),
    ] {
        let (status, code, _) = service.request(method, LIST, &headers).error();
        assert_eq!((status, code.as_str()), (401, "notAuthorizedError"));
    }
    let authorization = format!("Bearer {TOKEN}");
    for method in ["POST", "DELETE", "HEAD"] {
        let answer = service.request(method, LIST, &[("Authorization", &authorization)]);
        assert_eq!(
            (answer.status, answer.header("allow")),
            (405, Some("GET")),
            "{method}"
        );
    }
}

#[test]
fn a_cluster_that_is_away_is_no_list() {
    let away = Service::start("http://127.0.0.1:9", "x", &[], &[]);
    let answer = away.get(LIST);
    assert_eq!(answer.header("retry-after"), Some("10"));
    let (status, code, _) = answer.error();
    assert_eq!(
        (status, code.as_str()),
        (503, "elasticsearchConnectionError")
    );
}

#[test]
fn a_list_that_breaks_off_has_no_end() {
    let optimize = optimize_with_reports();
    // The reports on processes are there; what comes after them is not.
    optimize.delete(Index::CombinedReport);
    let answer = optimize.serve().get(LIST);
    assert_eq!(answer.status, 200);
    assert!(!answer.is_complete);
    assert!(
        serde_json::from_slice::<Value>(&answer.body).is_err(),
        "{}",
        answer.text()
    );
}
