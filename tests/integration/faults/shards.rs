//! Shards that are not there, or fail.

use super::*;
use crate::support::documents::{instances, selection};
use testkit::indices::Index;

const AWAY: (u16, &str) = (503, "elasticsearchConnectionError");

/// A report over two processes, so that a part of its shards can fail.
fn with_two_processes() -> Optimize {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_instances("invoice", instances("invoice", 3));
    let both = json!({"definitions": [selection("order"), selection("invoice")]});
    optimize.store_report(raw_report("r", "order", both.clone()));
    let count = json!({
        "configuration": {},
        "definitions": both["definitions"],
        "filter": [],
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "none", "value": null},
        "distributedBy": {"type": "none", "value": null},
        "visualization": "number",
    });
    optimize.store_report(crate::support::documents::report("count", count));
    optimize
}

fn physical(optimize: &Optimize, key: &str) -> String {
    Index::ProcessInstance { key }.physical_name(&optimize.prefix)
}

/// Replaces an index by one of the same name and aliases whose shard has nowhere to go.
fn make_red(optimize: &Optimize, index: Index<'_>) {
    let client = optimize.installation.client();
    let name = index.physical_name(&optimize.prefix);
    client
        .delete(&format!("/{name}"))
        .unwrap()
        .success()
        .unwrap();
    let mut body = index.creation_body(&optimize.prefix);
    body["settings"]["index"]["routing.allocation.require._name"] = json!("none");
    // The mark by which everything that a test has made is removed in the end.
    body["mappings"]["_meta"] =
        json!({"made_by_optimize_export_xtask_for_prefix": optimize.prefix});
    client
        .put(
            &format!("/{name}?wait_for_active_shards=0&timeout=1s"),
            &body,
        )
        .unwrap()
        .success()
        .unwrap();
}

#[test]
fn red_shards_are_never_passed_over() {
    let optimize = with_two_processes();
    let service = optimize.serve();
    assert_eq!(service.first_page("r", 10).ok()["totalNumberOfRecords"], 6);
    assert_eq!(service.first_page("count", 1).ok()["data"], 6.0);
    make_red(&optimize, Index::ProcessInstance { key: "invoice" });
    // Elasticsearch itself answers 200 with what the other shard has.
    let names = format!(
        "{},{}",
        physical(&optimize, "order"),
        physical(&optimize, "invoice")
    );
    let partial = optimize.post(&format!("/{names}/_search"), &json!({}));
    assert_eq!(partial["hits"]["total"]["value"], 3, "{partial}");

    assert_wait(&service.first_page("r", 10), AWAY);
    assert_wait(&service.first_page("r", 0), AWAY);
    assert_wait(&service.first_page("count", 1), AWAY);
    let log = service.log();
    assert!(
        !log.contains("can't be cleared"),
        "the part that was opened is cleared: {log}"
    );
}

#[test]
fn a_shard_that_fails_is_never_passed_over() {
    let optimize = with_two_processes();
    let client = optimize.installation.client();
    // A field that the report sorts by, and that one of the two indices can't sort by.
    let name = physical(&optimize, "invoice");
    client
        .delete(&format!("/{name}"))
        .unwrap()
        .success()
        .unwrap();
    let mut body = Index::ProcessInstance { key: "invoice" }.creation_body(&optimize.prefix);
    body["mappings"]["properties"]["processInstanceId"] = json!({"type": "text"});
    body["mappings"]["_meta"] =
        json!({"made_by_optimize_export_xtask_for_prefix": optimize.prefix});
    client
        .put(&format!("/{name}"), &body)
        .unwrap()
        .success()
        .unwrap();
    optimize.store_instances("invoice", instances("invoice", 3));
    let service = optimize.serve();
    let answer = service.first_page("r", 10);
    let (status, code, detail) = answer.error();
    // It would fail for ever.
    assert_eq!((status, code.as_str()), (500, "serverError"), "{detail}");
    assert!(detail.contains("mappings"), "{detail}");
    // What does not touch the field works.
    assert_eq!(service.first_page("count", 1).ok()["data"], 6.0);
}

#[test]
fn a_closed_index_does_not_mean_wait() {
    let optimize = with_two_processes();
    let service = optimize.serve_with(&["--cache-ttl", "0"]);
    let page = service.first_page("r", 2).ok();
    let client = optimize.installation.client();
    let name = physical(&optimize, "invoice");
    client
        .post_nothing(&format!("/{name}/_close"))
        .unwrap()
        .success()
        .unwrap();
    for answer in [service.first_page("r", 10), service.first_page("count", 1)] {
        let (status, code, detail) = answer.error();
        assert_eq!((status, code.as_str()), (500, "serverError"), "{detail}");
        assert!(
            detail.contains(&name) && detail.contains("is closed"),
            "{detail}"
        );
        assert_eq!(answer.header("retry-after"), None);
    }
    // Its contexts went with it; the rest of the scroll is not passed off as the whole.
    let (status, _, detail) = service.next_page("r", &page).error();
    assert!(
        matches!(status, 400 | 500 | 503) && detail.contains("start over"),
        "{status} {detail}"
    );
    assert_start_over(&service, &page);
    client
        .post_nothing(&format!("/{name}/_open"))
        .unwrap()
        .success()
        .unwrap();
    let health = format!("/_cluster/health/{name}?wait_for_status=yellow");
    client.get(&health).unwrap().success().unwrap();
    assert_eq!(service.all_rows("r", 2).len(), 6);
}

/// The names of flow nodes come from there, and are asked for when a row needs them.
#[test]
fn an_index_of_definitions_that_is_red_means_wait() {
    let optimize = with_two_processes();
    let service = optimize.serve_with(&["--cache-ttl", "0"]);
    let page = service.first_page("r", 2).ok();
    make_red(&optimize, Index::ProcessDefinition);
    assert_wait(&service.first_page("r", 10), AWAY);
    for table in ["ndjson", "csv?table=flowNodes", "parquet?table=flowNodes"] {
        let path = format!("/api/public/export/report/r/result/{table}");
        assert_wait(&service.get(&path), AWAY);
    }
    let (status, code, detail) = service.next_page("r", &page).error();
    assert_eq!((status, code.as_str()), AWAY, "{detail}");
    assert!(detail.contains("start over"), "{detail}");
    assert_start_over(&service, &page);
    // What shows no names is there.
    let variables = service.get("/api/public/export/report/r/result/csv?table=variables");
    assert_eq!(variables.status, 200, "{}", variables.text());
    assert!(variables.is_complete);
}

#[test]
fn a_report_index_that_is_red_means_wait() {
    let optimize = with_two_processes();
    let service = optimize.serve_with(&["--cache-ttl", "0"]);
    make_red(&optimize, Index::SingleProcessReport);
    assert_wait(&service.first_page("r", 10), AWAY);
}
