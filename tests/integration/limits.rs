//! What the service keeps from the cluster.

use serde_json::json;

use crate::support::documents::{instance, instances, raw_report};
use crate::support::{Optimize, Service};

fn refused(service: &Service, token: &str) -> Option<String> {
    let target = "/api/public/export/report/r/result/json?limit=1&paginationTimeout=60";
    let answer = service.request(
        "GET",
        target,
        &[("Authorization", &format!("Bearer {token}"))],
    );
    if answer.status == 200 {
        return None;
    }
    let (status, code, detail) = answer.error();
    assert_eq!((status, code.as_str()), (429, "tooManyRequestsError"));
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    Some(detail)
}

#[test]
fn one_client_can_not_keep_out_the_others() {
    let optimize = Optimize::install();
    let wide = "x".repeat(20_000);
    let many =
        (0..400).map(|n| instance("order", &format!("i-{n:03}"), json!({"businessKey": wide})));
    optimize.store_instances("order", many);
    optimize.store_report(raw_report("r", "order", json!({})));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        format!("greedy: {}\nmodest: other\n", crate::support::TOKEN),
    )
    .unwrap();
    let path = file.path().display().to_string();
    let flags = [
        "--access-token-file",
        &path,
        "--max-concurrent-exports-per-client",
        "1",
        "--queue-timeout",
        "0",
    ];
    let service = Service::start_with_tokens_of(&optimize.url, &optimize.prefix, &flags);

    let target = "/api/public/export/report/r/result/json?limit=400&paginationTimeout=60";
    let (mut slow, _) = service.begin(target, 100);
    let detail = refused(&service, crate::support::TOKEN).expect("one export is under way already");
    assert!(
        detail.contains("--max-concurrent-exports-per-client"),
        "{detail}"
    );
    assert_eq!(refused(&service, "other"), None);
    std::io::copy(&mut slow, &mut std::io::sink()).unwrap();
    service.wait_for_log("export delivered");
    assert_eq!(refused(&service, crate::support::TOKEN), None);
}

#[test]
fn scrolls_that_are_left_open_are_bounded() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 5));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve_with(&["--max-open-scrolls", "2"]);
    let first = service.first_page("r", 1).ok();
    service.first_page("r", 1).ok();
    let detail = refused(&service, crate::support::TOKEN).expect("two are open");
    assert!(detail.contains("--max-open-scrolls"), "{detail}");
    assert_eq!(
        service.first_page("r", 0).status,
        200,
        "a total needs no scroll"
    );
    let metrics = service.metrics();
    for figure in [
        "optimize_export_scrolls_open 2",
        "optimize_export_scroll_contexts_open 2",
        "optimize_export_scroll_contexts_limit 2",
    ] {
        assert!(metrics.contains(&format!("{figure}\n")), "{figure}");
    }

    // A scroll that is read to its end makes room, and going on needs none.
    let mut page = first;
    while !page["data"].as_array().unwrap().is_empty() {
        page = service.next_page("r", &page).ok();
    }
    service.wait_for_metric("optimize_export_scrolls_open 1");
    service.first_page("r", 1).ok();
}

#[test]
fn a_scroll_that_expires_makes_room() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 5));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve_with(&["--max-open-scrolls", "1"]);
    service.export("r", "limit=1&paginationTimeout=1").ok();
    service.wait_for_metric("optimize_export_scrolls_total{event=\"expired\"} 1");
    // It counts as expired before Elasticsearch has cleared it, and there is room only afterwards.
    service.wait_for_metric("optimize_export_scroll_contexts_open 0");
    service.first_page("r", 1).ok();
}
