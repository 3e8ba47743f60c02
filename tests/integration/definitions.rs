//! What a report covers: definitions, versions, tenants, and what is missing of them.

use serde_json::{Value, json};
use testkit::indices::Index;

use crate::support::Optimize;
use crate::support::documents::{definition, instance, raw_report, selection, with};

fn versioned(id: &str, version: &str) -> Value {
    instance("order", id, json!({"processDefinitionVersion": version}))
}

fn of_tenant(id: &str, tenant_id: Option<&str>) -> Value {
    instance("order", id, json!({"tenantId": tenant_id}))
}

fn select(key: &str, changes: Value) -> Value {
    json!({"definitions": [with(selection(key), changes)]})
}

#[test]
fn versions_are_listed_all_or_the_newest() {
    let optimize = Optimize::install();
    optimize.store_instances(
        "order",
        [
            versioned("v2", "2"),
            versioned("v9", "9"),
            versioned("v10", "10"),
            versioned("v11", "11"),
        ],
    );
    let deleted = with(
        definition("order", "11", None, &[]),
        json!({"deleted": true}),
    );
    optimize.store(
        Index::ProcessDefinition,
        [
            ("2", definition("order", "2", None, &[])),
            ("9", definition("order", "9", None, &[])),
            // The newest version counts over all tenants.
            ("10", definition("order", "10", Some("acme"), &[])),
            ("11", deleted),
        ],
    );
    let service = optimize.serve();
    for (report_id, versions, expected) in [
        ("all", json!(["all"]), vec!["v10", "v11", "v2", "v9"]),
        (
            "all-and-more",
            json!(["2", "ALL"]),
            vec!["v10", "v11", "v2", "v9"],
        ),
        ("listed", json!(["2", "11", "77"]), vec!["v11", "v2"]),
        ("single", json!("9"), vec!["v9"]),
        ("number", json!([9]), vec!["v9"]),
        ("latest", json!(["latest"]), vec!["v10"]),
        (
            "latest-beats-all",
            json!(["all", "2", "Latest"]),
            vec!["v10"],
        ),
        ("none", json!([]), vec![]),
    ] {
        optimize.store_report(raw_report(
            report_id,
            "order",
            select("order", json!({"versions": versions})),
        ));
        assert_eq!(service.ids(report_id), expected, "{report_id}");
    }
}

#[test]
fn the_newest_version_of_an_unknown_definition_is_an_empty_result_that_says_so() {
    let optimize = Optimize::install();
    optimize.store_instances("order", [versioned("a", "1")]);
    optimize.store_report(raw_report(
        "r",
        "order",
        select("order", json!({"versions": ["latest"]})),
    ));
    let unknown = with(selection("order"), json!({"versions": ["latest"]}));
    optimize.store_report(raw_report(
        "both",
        "order",
        json!({"definitions": [unknown, selection("order")]}),
    ));
    let service = optimize.serve();
    let page = service.first_page("r", 5).ok();
    assert_eq!(page["data"], json!([]));
    assert_eq!(page["totalNumberOfRecords"], 0);
    assert!(
        page["message"].as_str().unwrap().contains("order"),
        "{page}"
    );
    assert!(page.get("searchRequestId").is_none());
    let page = service.first_page("both", 5).ok();
    assert_eq!(page["totalNumberOfRecords"], 1);
    assert!(
        page["message"].as_str().unwrap().contains("order"),
        "{page}"
    );
}

#[test]
fn tenants_are_those_selected_and_none_is_one_of_them() {
    let optimize = Optimize::install();
    let mut absent = of_tenant("absent", None);
    absent.as_object_mut().unwrap().remove("tenantId");
    optimize.store_instances(
        "order",
        [
            of_tenant("a", Some("a")),
            of_tenant("b", Some("b")),
            of_tenant("null", None),
            absent,
        ],
    );
    let service = optimize.serve();
    for (report_id, tenant_ids, expected) in [
        ("none", json!([null]), vec!["absent", "null"]),
        ("one", json!(["a"]), vec!["a"]),
        (
            "one-and-none",
            json!(["b", null]),
            vec!["absent", "b", "null"],
        ),
        (
            "all",
            json!([null, "a", "b"]),
            vec!["a", "absent", "b", "null"],
        ),
        ("unknown", json!(["x"]), vec![]),
        ("nothing", json!([]), vec![]),
        ("scalar", json!("b"), vec!["b"]),
    ] {
        optimize.store_report(raw_report(
            report_id,
            "order",
            select("order", json!({"tenantIds": tenant_ids})),
        ));
        assert_eq!(service.ids(report_id), expected, "{report_id}");
    }
}

#[test]
fn several_definitions_each_with_its_own_selection() {
    let optimize = Optimize::install();
    optimize.store_instances("order", [versioned("o1", "1"), versioned("o2", "2")]);
    optimize.store_instances(
        "Invoice",
        [
            instance("Invoice", "i1", json!({})),
            instance("Invoice", "i2", json!({"tenantId": "t"})),
        ],
    );
    // The same index, because names of indices know no case; the key of a definition does.
    optimize.store_instances("Invoice", [instance("invoice", "other-case", json!({}))]);
    let definitions = json!([
        with(selection("order"), json!({"versions": ["2"]})),
        selection("Invoice"),
        selection("order")
    ]);
    optimize.store_report(raw_report(
        "r",
        "order",
        json!({"definitions": definitions}),
    ));
    optimize.store_report(raw_report("all", "order", json!({"definitions": []})));
    let service = optimize.serve();
    assert_eq!(service.ids("r"), ["i1", "o1", "o2"]);
    let (status, code, detail) = service.first_page("all", 5).error();
    assert_eq!((status, code.as_str()), (400, "reportEvaluationError"));
    assert!(
        detail.contains("definitionKey is not allowed to be null"),
        "a report needs a definition: {detail}"
    );
}

#[test]
fn a_missing_index_is_no_error() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    let nothing = json!({"numberOfRecordsInResponse": 0, "totalNumberOfRecords": 0, "data": []});
    for (report_id, definitions) in [
        ("one", json!([selection("ghost")])),
        ("two", json!([selection("ghost"), selection("phantom")])),
    ] {
        optimize.store_report(raw_report(
            report_id,
            "ghost",
            json!({"definitions": definitions}),
        ));
        let expected = with(nothing.clone(), json!({"reportId": report_id}));
        assert_eq!(
            service.first_page(report_id, 5).ok(),
            expected,
            "{report_id}"
        );
        assert_eq!(
            service.first_page(report_id, 0).ok(),
            expected,
            "{report_id}"
        );
    }
    // The others contribute as if the missing one had no instances.
    optimize.store_instances("order", [versioned("o1", "1")]);
    optimize.store_report(raw_report(
        "mixed",
        "order",
        json!({"definitions": [selection("ghost"), selection("order")]}),
    ));
    assert_eq!(service.ids("mixed"), ["o1"]);
    let total = service.first_page("mixed", 0).ok();
    assert_eq!(total["totalNumberOfRecords"], 1);
    optimize.store_report(raw_report(
        "one",
        "ghost",
        json!({"definitions": [selection("ghost")]}),
    ));
    assert_eq!(
        service.first_page("one", 5).ok()["totalNumberOfRecords"],
        0,
        "a single one is not looked for elsewhere"
    );
}

#[test]
fn more_names_than_a_request_line_holds() {
    let optimize = Optimize::install();
    optimize.store_instances("order", [versioned("o1", "1")]);
    optimize.store_instances("ünïcode", [instance("ünïcode", "u1", json!({}))]);
    let mut definitions: Vec<Value> = (0..120)
        .map(|n| selection(&format!("a-process-that-was-never-started-{n:03}")))
        .collect();
    definitions.push(selection("order"));
    definitions.push(selection("ünïcode"));
    optimize.store_report(raw_report(
        "r",
        "order",
        json!({"definitions": definitions}),
    ));
    optimize.store_report(raw_report("u", "ünïcode", json!({})));
    let service = optimize.serve();
    assert_eq!(service.ids("r"), ["o1", "u1"]);
    assert_eq!(service.ids("u"), ["u1"]);
}

#[test]
fn system_reports_name_their_definitions_when_they_are_asked() {
    let optimize = Optimize::install();
    optimize.store_instances(
        "order",
        [
            versioned("o1", "1"),
            of_tenant("o2", Some("acme")),
            of_tenant("o3", Some("other")),
        ],
    );
    optimize.store_instances("invoice", [instance("invoice", "i1", json!({}))]);
    optimize.store_instances("draft", [instance("draft", "d1", json!({}))]);
    let half_imported = with(
        definition("draft", "1", None, &[]),
        json!({"bpmn20Xml": null}),
    );
    optimize.store(
        Index::ProcessDefinition,
        [
            ("o", definition("order", "1", None, &[])),
            ("oa", definition("order", "2", Some("acme"), &[])),
            ("i", definition("invoice", "1", None, &[])),
            ("d", half_imported),
        ],
    );
    let stored = json!([selection("nobody-looks-here")]);
    optimize.store_report(raw_report(
        "management",
        "x",
        json!({"managementReport": true, "definitions": stored}),
    ));
    let narrow = json!({"instantPreviewReport": true, "definitions": [with(selection("order"), json!({"versions": ["7"], "tenantIds": []}))]});
    optimize.store_report(raw_report("preview", "x", narrow));
    optimize.store_report(raw_report(
        "preview-unknown",
        "x",
        json!({"instantPreviewReport": true, "definitions": stored}),
    ));
    let service = optimize.serve();
    // Tenant `other` has no definition, and `draft` is not fully imported.
    assert_eq!(service.ids("management"), ["i1", "o1", "o2"]);
    assert_eq!(service.ids("preview"), ["o1", "o2"]);
    assert_eq!(
        service.first_page("preview-unknown", 5).ok()["totalNumberOfRecords"],
        0
    );
}

#[test]
fn a_management_report_of_an_empty_cluster_is_empty() {
    let optimize = Optimize::install();
    optimize.store_instances("order", [versioned("o1", "1")]);
    optimize.store_report(raw_report(
        "r",
        "x",
        json!({"managementReport": true, "definitions": []}),
    ));
    let service = optimize.serve();
    assert_eq!(service.first_page("r", 5).ok()["totalNumberOfRecords"], 0);
}
