//! Only what changed: bookmarks, `since`, and what left.

use serde_json::{Value, json};
use testkit::indices::Index;

use super::{lines, rows, table, text};
use crate::support::documents::{
    decision, decision_report, definition, instance, instances, raw_report, report, selection, with,
};
use crate::support::http::Answer;
use crate::support::{Optimize, Service};

const NO_OVERLAP: [&str; 2] = ["--change-overlap", "0"];

#[track_caller]
fn bookmark(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.is_complete);
    answer
        .header("optimize-export-bookmark")
        .expect("a bookmark")
        .to_owned()
}

/// The ids of what a table has since a bookmark, and the next bookmark.
#[track_caller]
fn since(service: &Service, report_id: &str, query: &str, before: &str) -> (Vec<String>, String) {
    let answer = table(
        service,
        report_id,
        "ndjson",
        &format!("{query}&since={before}"),
    );
    let next = bookmark(&answer);
    let id = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        row["processInstanceId"].as_str().unwrap().to_owned()
    };
    let mut ids: Vec<String> = answer.text().lines().map(id).collect();
    assert_eq!(
        answer.header("optimize-export-total-records"),
        Some(ids.len().to_string().as_str())
    );
    ids.sort();
    (ids, next)
}

#[track_caller]
fn refused(service: &Service, report_id: &str, query: &str) -> String {
    let (status, code, detail) = table(service, report_id, "csv", query).error();
    assert_eq!((status, code.as_str()), (400, "bookmarkError"), "{detail}");
    detail
}

fn first_bookmark(service: &Service, report_id: &str) -> String {
    bookmark(&table(service, report_id, "csv", ""))
}

#[test]
fn what_was_made_or_updated_comes_and_nothing_else() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 50));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve_with(&NO_OVERLAP);
    let first = first_bookmark(&service, "r");
    let (ids, second) = since(&service, "r", "", &first);
    assert_eq!(ids, [""; 0]);
    assert_eq!(first, second, "nothing has changed");
    service.wait_for_metric("optimize_export_scrolls_open 0");

    optimize.store_instances(
        "order",
        [
            instance("order", "i-007", json!({"businessKey": "new"})),
            instance("order", "j", json!({})),
        ],
    );
    let (ids, third) = since(&service, "r", "", &second);
    assert_eq!(ids, ["i-007", "j"]);
    // Again, and in every format.
    let columns = "columns=processInstanceId,businessKey";
    for format in ["parquet", "arrow"] {
        assert_eq!(
            rows(&service, "r", format, &format!("{columns}&since={second}")).len(),
            2
        );
    }
    let csv = text(&service, "r", "csv", &format!("{columns}&since={second}"));
    assert_eq!(csv.lines().count(), 3);
    let flow_nodes = text(
        &service,
        "r",
        "csv",
        &format!("table=flowNodes&since={second}"),
    );
    assert_eq!(flow_nodes.lines().count(), 1, "{flow_nodes}");
    assert_eq!(since(&service, "r", "", &third).0, [""; 0]);
    let asked = table(&service, "r", "bookmark", "").ok();
    assert_eq!(asked, json!({"reportId": "r", "bookmark": third}));
}

#[test]
fn rows_of_the_overlap_come_again_where_something_has_changed() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 10));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve_with(&["--change-overlap", "3"]);
    let first = first_bookmark(&service, "r");
    assert_eq!(since(&service, "r", "", &first).0, [""; 0]);
    optimize.store_instances("order", [instance("order", "new", json!({}))]);
    assert_eq!(
        since(&service, "r", "", &first).0,
        ["i-007", "i-008", "i-009", "new"]
    );
}

#[test]
fn what_left_is_told_by_its_key() {
    let optimize = Optimize::install();
    let open = |id: &str| {
        instance(
            "order",
            id,
            json!({"endDate": null, "duration": null, "state": "ACTIVE"}),
        )
    };
    optimize.store_instances("order", ["a", "b", "c"].map(open));
    let running = json!([{"type": "runningInstancesOnly", "filterLevel": "instance", "appliedTo": ["all"], "data": null}]);
    optimize.store_report(raw_report("r", "order", json!({"filter": running})));
    let service = optimize.serve_with(&NO_OVERLAP);
    let first = first_bookmark(&service, "r");
    optimize.store_instances("order", [instance("order", "b", json!({})), open("d")]);
    assert_eq!(since(&service, "r", "", &first).0, ["d"]);
    assert_eq!(since(&service, "r", "table=left", &first).0, ["b"]);
    let left = text(&service, "r", "csv", &format!("table=left&since={first}"));
    assert_eq!(left, "processInstanceId\r\nb\r\n");
    let (status, code, detail) = table(&service, "r", "csv", "table=left").error();
    assert_eq!((status, code.as_str()), (400, "badRequestError"));
    assert!(detail.contains("since is missing"), "{detail}");
}

#[test]
fn shards_and_indices_that_are_new_are_read_whole() {
    let optimize = Optimize::install();
    let three_shards = |body: &mut Value| body["settings"]["index"]["number_of_shards"] = json!(3);
    let index = Index::ProcessInstance { key: "wide" };
    optimize.create_changed(index, three_shards);
    optimize.store_instances("wide", instances("wide", 60));
    let both = json!({"definitions": [selection("wide"), selection("later")]});
    optimize.store_report(raw_report("r", "wide", both));
    let service = optimize.serve_with(&NO_OVERLAP);
    let answer = table(&service, "r", "ndjson", "");
    let first = bookmark(&answer);
    assert_eq!(answer.text().lines().count(), 60);
    optimize.store_instances(
        "wide",
        (0..20).map(|n| instance("wide", &format!("n-{n:02}"), json!({}))),
    );
    optimize.store_instances("later", instances("later", 3));
    let (ids, second) = since(&service, "r", "", &first);
    assert_eq!(ids.len(), 23, "{ids:?}");
    assert_eq!(since(&service, "r", "", &second).0, [""; 0]);

    // The index is made again, with as many changes as before.
    optimize.delete(index);
    optimize.create_changed(index, three_shards);
    optimize.store_instances("wide", instances("wide", 60));
    let (ids, _) = since(&service, "r", "", &second);
    assert_eq!(ids.len(), 60);
    service.wait_for_metric("optimize_export_scrolls_open 0");
}

#[test]
fn a_bookmark_that_can_not_be_used_is_refused() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    let version = |version: &str| definition("order", version, None, &[]);
    optimize.store(Index::ProcessDefinition, [("order:1", version("1"))]);
    let latest =
        json!({"definitions": [with(selection("order"), json!({"versions": ["latest"]}))]});
    optimize.store_report(raw_report("r", "order", latest));
    optimize.store_report(raw_report("other", "order", json!({})));
    let count = json!({"view": {"entity": "processInstance", "properties": ["frequency"]}, "groupBy": {"type": "none"},
        "definitions": [selection("order")], "configuration": {}});
    optimize.store_report(report("count", count));
    let service = optimize.serve_with(&["--cache-ttl", "0"]);
    let of_r = first_bookmark(&service, "r");
    let of_other = first_bookmark(&service, "other");
    assert!(refused(&service, "r", &format!("since={of_other}")).contains("another report"));
    assert!(refused(&service, "r", "since=abc").contains("no bookmark"));
    let mut tampered = of_r.clone().into_bytes();
    let last = tampered.len() - 1;
    tampered[last] = if tampered[last] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    assert!(refused(&service, "r", &format!("since={tampered}")).contains("altered"));
    let of_count = refused(&service, "count", &format!("since={of_r}"));
    assert!(of_count.contains("aggregates"), "{of_count}");

    // The name and the order of a report decide about nothing.
    let renamed = raw_report(
        "other",
        "order",
        json!({"configuration": {"sorting": {"by": "startDate", "order": "desc"}}}),
    );
    optimize.store_report(with(renamed, json!({"name": "another name"})));
    assert_eq!(
        table(&service, "other", "csv", &format!("since={of_other}")).status,
        200
    );
    let filter = json!([{"type": "runningInstancesOnly", "filterLevel": "instance", "appliedTo": ["all"], "data": null}]);
    optimize.store_report(raw_report("other", "order", json!({"filter": filter})));
    assert!(
        refused(&service, "other", &format!("since={of_other}")).contains("older than a change")
    );
    // `latest` means another version now.
    optimize.store(Index::ProcessDefinition, [("order:2", version("2"))]);
    assert!(refused(&service, "r", &format!("since={of_r}")).contains("older than a change"));

    let restarted = optimize.serve();
    let of_restarted = refused(&restarted, "r", &format!("since={of_r}"));
    assert!(of_restarted.contains("--scroll-key-file"), "{of_restarted}");
}

#[test]
fn replicas_with_the_same_key_take_each_others_bookmarks() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_report(raw_report("r", "order", json!({})));
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "a key of more than thirty-two bytes, for tests").unwrap();
    let path = key.path().display().to_string();
    let flags = ["--scroll-key-file", &path, "--change-overlap", "0"];
    let (one, other) = (optimize.serve_with(&flags), optimize.serve_with(&flags));
    let first = first_bookmark(&one, "r");
    optimize.store_instances("order", [instance("order", "new", json!({}))]);
    assert_eq!(since(&other, "r", "", &first).0, ["new"]);
}

#[test]
fn a_filter_that_time_fulfils_makes_it_impossible() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    let date = |start: Value| json!([{"type": "instanceStartDate", "filterLevel": "instance", "appliedTo": ["all"], "data": start}]);
    let unit = |kind: &str, value: i64| json!({"type": kind, "start": {"value": value, "unit": "weeks"}, "end": null});
    optimize.store_report(raw_report(
        "rolling",
        "order",
        json!({"filter": date(unit("rolling", 2))}),
    ));
    optimize.store_report(raw_report(
        "relative",
        "order",
        json!({"filter": date(unit("relative", 1))}),
    ));
    let service = optimize.serve();
    let rolling = first_bookmark(&service, "rolling");
    assert_eq!(
        table(&service, "rolling", "csv", &format!("since={rolling}")).status,
        200
    );
    let relative = first_bookmark(&service, "relative");
    let detail = refused(&service, "relative", &format!("since={relative}"));
    assert!(
        detail.contains("data.filter[0] (instanceStartDate)"),
        "{detail}"
    );
}

#[test]
fn decisions_change_too() {
    let optimize = Optimize::install();
    optimize.store_decisions("invoice", [decision("invoice", "a", json!({}))]);
    optimize.store_report(decision_report("r", "invoice", json!({})));
    let service = optimize.serve_with(&NO_OVERLAP);
    let first = first_bookmark(&service, "r");
    optimize.store_decisions("invoice", [decision("invoice", "b", json!({}))]);
    let changed = lines(&service, "r", &format!("since={first}"));
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0]["decisionInstanceId"], "b");
}
