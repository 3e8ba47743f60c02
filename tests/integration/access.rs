//! Who is let in, and what is said to everybody else; unknown paths and wrong methods.

use crate::support::documents::{instances, raw_report};
use crate::support::{Optimize, Service, TOKEN, http};

const TARGET: &str = "/api/public/export/report/r/result/json?limit=1&paginationTimeout=60";

fn unauthorized(service: &Service, headers: &[(&str, &str)]) -> String {
    let answer = service.request("GET", TARGET, headers);
    let (status, code, _) = answer.error();
    assert_eq!((status, code.as_str()), (401, "notAuthorizedError"));
    answer.header("www-authenticate").unwrap().to_owned()
}

#[test]
fn only_the_right_bearer_token_is_let_in() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 1));
    optimize.store_report(raw_report("r", "order", serde_json::json!({})));
    let service = optimize.serve();

    assert_eq!(unauthorized(&service, &[]), "Bearer");
    assert_eq!(
        unauthorized(&service, &[("Authorization", TOKEN)]),
        "Bearer"
    );
    assert_eq!(
        unauthorized(&service, &[("Authorization", "Basic dXNlcjpwYXNz")]),
        "Bearer"
    );
    for wrong in [
        format!("Bearer {TOKEN}1"),
        format!("Bearer {TOKEN} {TOKEN}"),
        "Bearer".to_owned(),
        "Bearer é".to_owned(),
    ] {
        let challenge = unauthorized(&service, &[("Authorization", &wrong)]);
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\""),
            "{wrong}: {challenge}"
        );
    }
    let right = format!("Bearer {TOKEN}");
    let challenge = unauthorized(
        &service,
        &[("Authorization", &right), ("Authorization", &right)],
    );
    assert!(
        challenge.starts_with("Bearer error=\"invalid_request\""),
        "{challenge}"
    );
    assert!(
        unauthorized(
            &service,
            &[("Cookie", &format!("X-Optimize-Authorization={TOKEN}"))]
        ) == "Bearer"
    );

    for scheme in ["Bearer", "bearer", "BEARER"] {
        let answer = service.request(
            "GET",
            TARGET,
            &[("authorization", &format!("{scheme} {TOKEN}"))],
        );
        assert_eq!(answer.ok()["totalNumberOfRecords"], 1);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert!(
        !service.log().contains(TOKEN),
        "a token must not reach the log"
    );
}

#[test]
fn without_a_configured_token_nobody_is_let_in() {
    let optimize = Optimize::install();
    let service = Service::start(
        &optimize.url,
        &optimize.prefix,
        &[],
        &[("OPTIMIZE_EXPORT_ACCESS_TOKEN", "")],
    );
    service.wait_for_log("no access token is configured");
    unauthorized(&service, &[("Authorization", &format!("Bearer {TOKEN}"))]);
}

#[test]
fn the_token_is_asked_for_before_anything_else() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    for (method, target) in [
        ("GET", "/api/public"),
        ("GET", "/api/public/no/such/path"),
        ("POST", TARGET),
        ("GET", "/api/public/export/report/r/result/json?limit=many"),
    ] {
        let (status, code, _) = service.request(method, target, &[]).error();
        assert_eq!(
            (status, code.as_str()),
            (401, "notAuthorizedError"),
            "{method} {target}"
        );
    }
}

#[test]
fn unknown_paths_and_wrong_methods() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    for target in [
        "/nothing",
        "/api",
        "/health/live",
        "/api/public",
        "/api/public/export/report/r/result",
        "/api/public/export/report/r/result/csv",
        "/api/public/export/report//result/json",
        "/api/public/export/report/a/b/result/json",
        "/optimize/api/public/export/report/r/result/json",
    ] {
        let (status, code, _) = service.get(target).error();
        assert_eq!((status, code.as_str()), (404, "notFoundError"), "{target}");
    }
    let token = format!("Bearer {TOKEN}");
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = service.request(method, TARGET, &[("Authorization", &token)]);
        let (status, code, _) = answer.error();
        assert_eq!(
            (status, code.as_str()),
            (405, "methodNotAllowedError"),
            "{method}"
        );
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
    let head = service.request("HEAD", TARGET, &[("Authorization", &token)]);
    assert_eq!(
        (head.status, head.body.len()),
        (404, 0),
        "there is no report"
    );
}

#[test]
fn a_context_path_stands_in_front_of_everything() {
    let optimize = Optimize::install();
    let service = optimize.serve_with(&["--context-path", "/camunda/optimize/"]);
    let (status, code, _) = service.get(&format!("/camunda/optimize{TARGET}")).error();
    assert_eq!((status, code.as_str()), (404, "notFoundError"));
    let (_, _, detail) = service.get(&format!("/camunda/optimize{TARGET}")).error();
    assert!(
        detail.contains("[r]"),
        "the report is missing, not the path: {detail}"
    );
    let (_, _, detail) = service.get(TARGET).error();
    assert!(detail.contains("nothing at this path"), "{detail}");
}

#[test]
fn every_answer_has_a_request_id() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    let own = service.request("GET", TARGET, &[("X-Request-Id", "trace-42")]);
    assert_eq!(own.header("x-request-id"), Some("trace-42"));
    service.wait_for_log("trace-42");
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    service.request("GET", TARGET, &[("traceparent", trace)]);
    service.wait_for_log("trace_id=\"4bf92f3577b34da6a3ce929d0e0e4736\"");
    let first = service.get("/").header("x-request-id").unwrap().to_owned();
    let second = service.get("/").header("x-request-id").unwrap().to_owned();
    assert_ne!(first, second);
    service.wait_for_log(&second);
}

#[test]
fn requests_that_are_no_http_break_nothing() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    let huge = format!(
        "GET / HTTP/1.1\r\nHost: t\r\nX-Large: {}",
        "x".repeat(1024 * 1024)
    );
    assert_eq!(http::send(service.address, huge.as_bytes()).status, 431);
    assert_eq!(http::send(service.address, b"NONSENSE").status, 400);
    assert_eq!(
        http::send(service.address, b"GET /\xff\xfe HTTP/1.1\r\nHost: t").status,
        400
    );
    assert_eq!(service.get("/nothing").status, 404);
}
