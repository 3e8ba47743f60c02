//! Finding and reading the stored report.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::indices::Index;

use crate::support::documents::{instance, instances, raw_report, report, selection, with};
use crate::support::{Optimize, Service};

fn error(service: &Service, report_id: &str) -> (u16, String, String) {
    service.first_page(report_id, 10).error()
}

#[test]
fn a_report_that_is_not_there_is_a_404_whatever_its_id_looks_like() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    let (status, code, detail) = error(&service, "IWishIExisted_ButIDont");
    assert_eq!((status, code.as_str()), (404, "notFoundError"));
    assert_eq!(
        detail,
        "Was not able to retrieve report with id [IWishIExisted_ButIDont]from Elasticsearch. Report does not exist."
    );
    let long = "x".repeat(10_000);
    for id in [
        "a%2Fb",
        "..%2F..%2Fetc%2Fpasswd",
        "%2E%2E",
        ".",
        "*",
        "%00%01%1b",
        "%FF",
        "a%20b%22",
        "_mget",
        &long,
    ] {
        let (status, code, _) = error(&service, id);
        assert_eq!((status, code.as_str()), (404, "notFoundError"), "{id}");
    }
}

#[test]
fn ids_may_hold_any_character() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 1));
    for id in ["a/b", "c.d é\"e", "%"] {
        optimize.store_report(raw_report(id, "order", json!({})));
    }
    let service = optimize.serve();
    for (encoded, id) in [
        ("a%2Fb", "a/b"),
        ("c.d%20%C3%A9%22e", "c.d é\"e"),
        ("%25", "%"),
    ] {
        assert_eq!(service.first_page(encoded, 1).ok()["reportId"], id);
    }
}

#[test]
fn combined_reports_are_not_exported() {
    let optimize = Optimize::install();
    let combined = json!({
        "id": "c", "name": "both", "combined": true, "reportType": "process",
        "data": {"configuration": {}, "visualization": "bar", "reports": [{"id": "a", "color": "#fff"}]},
    });
    optimize.store(Index::CombinedReport, [("c", combined)]);
    let service = optimize.serve();
    let (status, code, detail) = error(&service, "c");
    assert_eq!(
        (status, code.as_str(), detail.as_str()),
        (
            400,
            "badRequestError",
            "Combined reports cannot be exported as Json"
        )
    );
}

#[test]
fn a_broken_part_is_named_and_only_a_document_without_a_report_is_our_fault() {
    let optimize = Optimize::install();
    let good = raw_report("good", "order", json!({}));
    let with_data = |id: &str, changes: Value| raw_report(id, "order", changes);
    for report in [
        with_data("no-view", json!({"view": null})),
        with_data(
            "odd-entity",
            json!({"view": {"entity": "planet", "properties": ["rawData"]}}),
        ),
        with_data("odd-group", json!({"groupBy": {"type": "moon"}})),
        with_data(
            "odd-versions",
            json!({"definitions": [with(selection("order"), json!({"versions": null}))]}),
        ),
        with_data(
            "no-key",
            json!({"definitions": [with(selection("order"), json!({"key": null}))]}),
        ),
        with_data(
            "illegal",
            json!({"groupBy": {"type": "flowNodes", "value": null}}),
        ),
        with_data(
            "two-figures",
            json!({"view": {"entity": null, "properties": ["rawData", "frequency"]}}),
        ),
        report("no-data", json!(null)),
        with(good.clone(), json!({"id": "no-type", "reportType": null})),
        with(good, json!({"id": "odd-type", "reportType": "dashboard"})),
    ] {
        optimize.store_report(report);
    }
    let service = optimize.serve();
    for (id, part) in [
        ("no-view", "`data.view`"),
        ("odd-entity", "`data.view.entity`"),
        ("odd-group", "`data.groupBy`"),
        ("odd-versions", "`data.definitions[0].versions`"),
        ("no-key", "`data.definitions[0].key`"),
        ("illegal", "null-rawData_flowNodes_null_null"),
        ("two-figures", "null-frequency_none_null_null"),
        ("no-data", "`data`"),
    ] {
        let (status, code, detail) = error(&service, id);
        assert_eq!(
            (status, code.as_str()),
            (400, "reportEvaluationError"),
            "{id}: {detail}"
        );
        assert!(detail.contains(part), "{id}: {detail}");
    }
    for id in ["no-type", "odd-type"] {
        let (status, code, _) = error(&service, id);
        assert_eq!((status, code.as_str()), (500, "serverError"), "{id}");
    }
}

#[test]
fn a_changed_report_is_seen_within_seconds_and_a_deleted_one_too() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_instances("invoice", instances("invoice", 1));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve_with(&["--cache-ttl", "1"]);
    assert_eq!(service.first_page("r", 10).ok()["totalNumberOfRecords"], 3);
    let page = service.first_page("r", 1).ok();

    optimize.store_report(raw_report("r", "invoice", json!({})));
    thread::sleep(Duration::from_millis(1_100));
    assert_eq!(service.first_page("r", 10).ok()["totalNumberOfRecords"], 1);

    let counting = json!({"view": {"entity": "processInstance", "properties": ["frequency"]}});
    optimize.store_report(raw_report("r", "order", counting));
    thread::sleep(Duration::from_millis(1_100));
    let (status, code, detail) = service.next_page("r", &page).error();
    assert_eq!((status, code.as_str()), (400, "badRequestError"));
    assert!(detail.contains("no longer a raw data report"), "{detail}");

    let path = format!(
        "/{}/_doc/r?refresh=true",
        Index::SingleProcessReport.physical_name(&optimize.prefix)
    );
    optimize
        .installation
        .client()
        .delete(&path)
        .unwrap()
        .success()
        .unwrap();
    thread::sleep(Duration::from_millis(1_100));
    let (status, code, _) = service.next_page("r", &page).error();
    assert_eq!((status, code.as_str()), (404, "notFoundError"));
}

#[test]
fn more_buckets_than_elasticsearch_makes_are_a_400() {
    let optimize = Optimize::install();
    let with_amount = |id: &str, amount: &str| {
        let variable = json!({"name": "amount", "type": "Integer", "value": [amount]});
        instance("order", id, json!({"variables": [variable]}))
    };
    optimize.store_instances(
        "order",
        [with_amount("a", "0"), with_amount("b", "1000000")],
    );
    let by_amount = json!({
        "definitions": [selection("order")],
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "variable", "value": {"name": "amount", "type": "Integer"}},
        "configuration": {"customBucket": {"active": true, "bucketSize": "1", "baseline": "0"}},
    });
    optimize.store_report(report("r", by_amount));
    let service = optimize.serve();
    let answer = service.first_page("r", 10);
    let (status, code, detail) = answer.error();
    assert_eq!((status, code.as_str()), (400, "tooManyBuckets"), "{detail}");
}
