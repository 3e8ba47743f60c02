//! Refusals of Elasticsearch that stay: a client must not be asked to try again, and learns what it is.

use std::process::Output;

use serde_json::{Value, json};
use testkit::indices::Index;

use crate::support::documents::{definition, instances, raw_report, report, selection};
use crate::support::http::Answer;
use crate::support::service::command;
use crate::support::{Optimize, Service};

/// Two processes `p` and `q`, a report on each, one on both and one over all.
fn two_processes() -> Optimize {
    let optimize = Optimize::install();
    for key in ["p", "q"] {
        optimize.store_instances(key, instances(key, 20));
        optimize.store_report(raw_report(key, key, json!({})));
        let id = format!("{key}:1");
        let definition = definition(key, "1", None, &[]);
        optimize.store(Index::ProcessDefinition, [(id.as_str(), definition)]);
    }
    let both = json!({"definitions": [selection("p"), selection("q")]});
    optimize.store_report(raw_report("both", "p", both));
    let all = json!({"definitions": [], "managementReport": true});
    optimize.store_report(raw_report("all", "p", all));
    let count = json!({
        "definitions": [selection("q")], "filter": [], "configuration": {},
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "none", "value": null}, "distributedBy": {"type": "none", "value": null},
        "visualization": "number", "managementReport": false,
    });
    optimize.store_report(report("count", count));
    optimize
}

fn index_of_q(optimize: &Optimize) -> String {
    Index::ProcessInstance { key: "q" }.physical_name(&optimize.prefix)
}

fn set(optimize: &Optimize, settings: &Value) {
    let path = format!("/{}/_settings", index_of_q(optimize));
    let answer = optimize.installation.client().put(&path, settings);
    answer.unwrap().success().unwrap();
}

fn check(optimize: &Optimize, flags: &[&str]) -> (bool, String) {
    let arguments = [
        "check",
        "--elasticsearch-url",
        &optimize.url,
        "--index-prefix",
        &optimize.prefix,
    ];
    let arguments = [&arguments, flags].concat();
    let Output { status, stdout, .. } = command(&arguments)
        .env("OPTIMIZE_EXPORT_ACCESS_TOKEN", "a-token-that-is-long")
        .output()
        .unwrap();
    (status.success(), String::from_utf8(stdout).unwrap())
}

#[track_caller]
fn assert_lasting(answer: &Answer, expected: (u16, &str), texts: &[&str]) {
    assert_ne!(answer.status, 200, "{}", answer.text());
    let (status, code, detail) = answer.error();
    assert_eq!((status, code.as_str()), expected, "{detail}");
    assert_eq!(answer.header("retry-after"), None, "{detail}");
    for text in texts {
        assert!(detail.contains(text), "{text}: {detail}");
    }
}

#[test]
fn a_smaller_result_window_is_told_with_its_number() {
    let optimize = two_processes();
    set(&optimize, &json!({"index.max_result_window": 5}));
    let service = optimize.serve();
    for report in ["q", "both", "all"] {
        let answer = service.first_page(report, 10);
        let texts = ["limit", "5 rows", "index.max_result_window"];
        assert_lasting(&answer, (400, "badRequestError"), &texts);
    }
    assert_eq!(service.all_rows("q", 5).len(), 20);
    assert_eq!(service.all_rows("both", 5).len(), 40);
    assert_eq!(service.first_page("p", 10).status, 200);
    let (can_work, text) = check(&optimize, &[]);
    assert!(
        can_work && text.contains("index.max_result_window"),
        "{text}"
    );
    assert!(text.contains(&index_of_q(&optimize)), "{text}");
    let (_, text) = check(&optimize, &["--max-limit", "5"]);
    assert!(!text.contains("index.max_result_window"), "{text}");
}

#[test]
fn a_whole_report_comes_in_steps_of_a_smaller_result_window() {
    let optimize = two_processes();
    set(&optimize, &json!({"index.max_result_window": 5}));
    let service = optimize.serve();
    for (report, rows) in [("q", 20), ("both", 40), ("all", 40)] {
        for format in ["csv", "ndjson"] {
            let target = format!("/api/public/export/report/{report}/result/{format}");
            let answer = service.get(&target);
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert!(answer.is_complete);
            let heads = usize::from(format == "csv");
            assert_eq!(answer.text().lines().count(), rows + heads, "{target}");
        }
    }
}

#[test]
fn a_closed_index_is_named() {
    let optimize = two_processes();
    let service = optimize.serve();
    let index = index_of_q(&optimize);
    let client = optimize.installation.client();
    client
        .post_nothing(&format!("/{index}/_close"))
        .unwrap()
        .success()
        .unwrap();
    for report in ["q", "both", "all", "count"] {
        let answer = service.first_page(report, 10);
        assert_lasting(&answer, (500, "serverError"), &[&index, "closed", "opened"]);
    }
    assert_eq!(service.first_page("p", 10).status, 200);
    let (can_work, text) = check(&optimize, &[]);
    assert!(
        !can_work && text.contains(&format!("closed: {index}")),
        "{text}"
    );
    client
        .post_nothing(&format!("/{index}/_open?wait_for_active_shards=1"))
        .unwrap()
        .success()
        .unwrap();
    assert_eq!(service.all_rows("q", 10).len(), 20);
    assert!(check(&optimize, &[]).0);
}

#[test]
fn a_blocked_index_is_named() {
    let optimize = two_processes();
    set(&optimize, &json!({"index.blocks.read": true}));
    let service = optimize.serve();
    let index = index_of_q(&optimize);
    for report in ["q", "both", "all", "count"] {
        let answer = service.first_page(report, 10);
        let texts = [index.as_str(), "index.blocks.read"];
        assert_lasting(&answer, (500, "serverError"), &texts);
    }
    let (can_work, text) = check(&optimize, &[]);
    assert!(!can_work && text.contains(&index), "{text}");
    set(&optimize, &json!({"index.blocks.read": null}));
    assert_eq!(service.all_rows("q", 10).len(), 20);
}

#[test]
fn what_a_filter_says_does_not_change_what_went_wrong() {
    let optimize = two_processes();
    set(&optimize, &json!({"index.max_terms_count": 1}));
    let texts = [
        "] is not available",
        "number of filters is too large",
        "circuit_breaking_exception",
    ];
    let filter = json!([{"type": "variable", "appliedTo": ["all"], "filterLevel": "instance", "data": {
        "name": "] is not available", "type": "String", "data": {"operator": "in", "values": texts}}}]);
    optimize.store_report(raw_report("filtered", "q", json!({ "filter": filter })));
    let service: Service = optimize.serve();
    let answer = service.first_page("filtered", 10);
    let expected = (400, "reportEvaluationError");
    assert_lasting(&answer, expected, &["index.max_terms_count"]);
}
