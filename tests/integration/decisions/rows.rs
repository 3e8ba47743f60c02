//! Raw data: what is in a row, in which order rows come, and page by page to the end.

use serde_json::{Value, json};
use testkit::indices::Index;

use super::{export, ids};
use crate::support::documents::{
    decision, decision_definition, decision_report, input, instances, output, raw_report,
    selection, with,
};
use crate::support::{Optimize, Service};

fn of_version(id: &str, version: &str) -> Value {
    decision("invoice", id, json!({"decisionDefinitionVersion": version}))
}

fn select(changes: Value) -> Value {
    json!({"definitions": [with(selection("invoice"), changes)]})
}

fn sorted_by(by: &str, order: Option<&str>) -> Value {
    json!({"configuration": {"sorting": {"by": by, "order": order}}})
}

fn row_of<'a>(page: &'a Value, id: &str) -> &'a Value {
    let rows = page["data"].as_array().unwrap();
    rows.iter()
        .find(|row| row["decisionInstanceId"] == id)
        .unwrap_or_else(|| panic!("no row of {id} in {page}"))
}

#[test]
fn a_row_in_full() {
    let optimize = Optimize::install();
    let inputs = json!([
        input("amount", "Double", json!("200.0")),
        input("due", "Date", json!("2024-03-09T10:00:00.000+0100")),
        input("category", "String", json!(null)),
    ]);
    let outputs = json!([
        output("audit", "Boolean", json!("false")),
        output("class", "String", json!("day-to-day \"expense\"")),
        output("audit", "Boolean", json!("true")),
        output("audit", "Boolean", json!(null)),
    ]);
    optimize.store_decisions(
        "invoice",
        [decision(
            "invoice",
            "one",
            json!({
                "decisionDefinitionId": "invoice:1:42", "processInstanceId": "p-7", "tenantId": null,
                "evaluationDateTime": "2024-03-01T11:00:00.000+0100", "matchedRules": ["rule"],
                "inputs": inputs, "outputs": outputs,
            }),
        )],
    );
    let defined = decision_definition(
        "invoice",
        "1",
        None,
        &[
            ("unused", None, "Long"),
            ("amount", Some("other name"), "Long"),
        ],
        &[
            ("class", Some("Class"), "String"),
            ("note", Some("Note"), "String"),
        ],
    );
    optimize.store(Index::DecisionDefinition, [("invoice:1:42", defined)]);
    optimize.store_report(decision_report("r", "invoice", json!({})));
    let service = optimize.serve();
    let answer = service.first_page("r", 10);
    let page = answer.ok();
    assert_eq!(
        page["data"],
        json!([{
            "decisionDefinitionKey": "invoice", "decisionDefinitionId": "invoice:1:42", "decisionInstanceId": "one",
            "processInstanceId": "p-7", "evaluationDateTime": "2024-03-01T11:00:00.000+0100",
            "engineName": "camunda-bpm", "tenantId": null,
            "inputVariables": {
                "unused": {"id": "unused", "name": "unused", "type": "Long", "value": ""},
                "amount": {"id": "amount", "name": "amount name", "type": "Double", "value": "200.0"},
                "due": {"id": "due", "name": "due name", "type": "Date", "value": "2024-03-09T10:00:00.000+0100"},
                "category": {"id": "category", "name": "category name", "type": "String", "value": null},
            },
            "outputVariables": {
                "class": {"id": "class", "name": "class name", "type": "String", "values": ["day-to-day \"expense\""]},
                "note": {"id": "note", "name": "Note", "type": "String", "values": []},
                "audit": {"id": "audit", "name": "audit name", "type": "Boolean", "values": ["false", "true", null]},
            },
        }])
    );
    assert_eq!(page["numberOfRecordsInResponse"], 1);
    assert_eq!(page["totalNumberOfRecords"], 1);
    assert_eq!(page["reportId"], "r");
    // Fields have an order, and so have inputs and outputs.
    let text = answer.text();
    let order = [
        "decisionDefinitionKey",
        "decisionDefinitionId",
        "decisionInstanceId",
        "processInstanceId",
        "evaluationDateTime",
        "engineName",
        "tenantId",
        "inputVariables",
        "unused",
        "amount",
        "due",
        "category",
        "outputVariables",
        "class",
        "note",
        "audit",
    ];
    let places: Vec<usize> = order
        .iter()
        .map(|name| text.find(&format!("\"{name}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{text}");
}

#[test]
fn clauses_come_from_the_definition_then_from_the_other_selected_versions() {
    let optimize = Optimize::install();
    let instance = |id: &str, version: &str, tenant_id: Option<&str>| {
        with(of_version(id, version), json!({"tenantId": tenant_id}))
    };
    optimize.store_decisions(
        "invoice",
        [
            instance("v1", "1", None),
            instance("v2", "2", None),
            instance("v10", "10", None),
            instance("acme", "2", Some("acme")),
        ],
    );
    let defined = |version: &str, tenant_id: Option<&str>, name: &str| {
        let own = format!("of {version}{}", tenant_id.unwrap_or_default());
        let common = ("common", Some(name), "String");
        decision_definition(
            "invoice",
            version,
            tenant_id,
            &[(&own, None, "Long"), common],
            &[common],
        )
    };
    let deleted = with(defined("2", None, "deleted"), json!({"deleted": true}));
    let not_imported = with(defined("2", None, "without xml"), json!({"dmn10Xml": null}));
    optimize.store(
        Index::DecisionDefinition,
        [
            ("1", defined("1", None, "first")),
            ("2", defined("2", None, "second")),
            ("10", defined("10", None, "tenth")),
            ("2-acme", defined("2", Some("acme"), "acme's")),
            ("2-other", defined("2", Some("other"), "other's")),
            ("deleted", deleted),
            ("not-imported", not_imported),
            (
                "other-key",
                decision_definition("order", "1", None, &[("order", None, "Long")], &[]),
            ),
        ],
    );
    let service = optimize.serve();
    for (report_id, selection, row, inputs, name) in [
        ("all", json!({}), "v1", "common,of 1,of 10,of 2", "tenth"),
        (
            "latest",
            json!({"versions": ["latest"]}),
            "v10",
            "common,of 10",
            "tenth",
        ),
        (
            "listed",
            json!({"versions": ["2", "1"]}),
            "v1",
            "common,of 1,of 2",
            "second",
        ),
        (
            "unknown",
            json!({"versions": ["1", "77"]}),
            "v1",
            "common,of 1",
            "first",
        ),
        (
            "one-tenant",
            json!({"versions": ["2"], "tenantIds": ["acme"]}),
            "acme",
            "common,of 2,of 2acme",
            "acme's",
        ),
        (
            "tenants",
            json!({"versions": ["2"], "tenantIds": ["acme", null]}),
            "v2",
            "common,of 2,of 2acme",
            "second",
        ),
    ] {
        let page = export(&optimize, &service, report_id, select(selection));
        let row = row_of(&page, row);
        let members = row["inputVariables"].as_object().unwrap();
        let mut ids: Vec<&str> = members.keys().map(String::as_str).collect();
        ids.sort_unstable();
        assert_eq!(ids.join(","), inputs, "{report_id}");
        assert_eq!(row["inputVariables"]["common"]["name"], name, "{report_id}");
        assert_eq!(
            row["outputVariables"]["common"]["values"],
            json!([]),
            "{report_id}"
        );
    }
}

#[test]
fn without_a_definition_a_row_has_what_it_has() {
    let optimize = Optimize::install();
    let amount = json!({"inputs": [input("amount", "Long", json!("1"))]});
    optimize.store_decisions(
        "invoice",
        [
            decision("invoice", "a", amount),
            decision("invoice", "b", json!({})),
        ],
    );
    let service = optimize.serve();
    let page = export(
        &optimize,
        &service,
        "r",
        sorted_by("decisionInstanceId", Some("asc")),
    );
    let amount = json!({"id": "amount", "name": "amount name", "type": "Long", "value": "1"});
    assert_eq!(
        row_of(&page, "a")["inputVariables"],
        json!({"amount": amount})
    );
    assert_eq!(row_of(&page, "b")["inputVariables"], json!({}));
    assert_eq!(row_of(&page, "b")["outputVariables"], json!({}));
}

#[test]
fn documents_of_other_importers_are_read() {
    let optimize = Optimize::install();
    optimize.store(
        Index::DecisionInstance { key: "invoice" },
        [
            ("empty", json!({"decisionDefinitionKey": "invoice", "decisionInstanceId": "empty"})),
            ("odd", json!({"decisionDefinitionKey": "invoice", "decisionInstanceId": "odd", "inputs": null,
                "outputs": {"clauseId": "o", "clauseName": "O", "type": "double", "value": 1.5}})),
            ("twice", json!({"decisionDefinitionKey": "invoice", "decisionInstanceId": "twice",
                "inputs": [input("a", "Long", json!("1")), input("a", "Long", json!("2"))]})),
        ],
    );
    let service = optimize.serve();
    let page = export(&optimize, &service, "r", json!({}));
    assert_eq!(
        row_of(&page, "empty"),
        &json!({"decisionDefinitionKey": "invoice", "decisionDefinitionId": null, "decisionInstanceId": "empty",
            "processInstanceId": null, "evaluationDateTime": null, "engineName": null, "tenantId": null,
            "inputVariables": {}, "outputVariables": {}})
    );
    let output = json!({"o": {"id": "o", "name": "O", "type": "Double", "values": ["1.5"]}});
    assert_eq!(row_of(&page, "odd")["outputVariables"], output);
    assert_eq!(row_of(&page, "twice")["inputVariables"]["a"]["value"], "2");
}

#[test]
fn a_report_is_paged_to_its_end() {
    let optimize = Optimize::install();
    let decisions = (0..25).map(|number| {
        let amount = input("amount", "Long", json!(number.to_string()));
        decision(
            "invoice",
            &format!("d-{number:02}"),
            json!({"inputs": [amount]}),
        )
    });
    optimize.store_decisions("invoice", decisions);
    let defined = decision_definition(
        "invoice",
        "1",
        None,
        &[("late", Some("Late"), "String")],
        &[],
    );
    optimize.store(Index::DecisionDefinition, [("1", defined)]);
    optimize.store_report(decision_report(
        "r",
        "invoice",
        sorted_by("decisionInstanceId", Some("desc")),
    ));
    let service = optimize.serve();
    let pages = service.all_pages("r", 10);
    let sizes: Vec<usize> = pages
        .iter()
        .map(|page| page["data"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [10, 10, 5, 0]);
    assert!(pages.iter().all(|page| page["totalNumberOfRecords"] == 25));
    let rows = pages
        .iter()
        .flat_map(|page| page["data"].as_array().unwrap());
    for (row, number) in rows.zip((0..25).rev()) {
        assert_eq!(row["decisionInstanceId"], format!("d-{number:02}"));
        assert_eq!(row["inputVariables"]["amount"]["value"], number.to_string());
        assert_eq!(row["inputVariables"]["late"]["value"], "");
    }
    // The scroll went with its empty last page.
    let (status, code, _) = service.next_page("r", pages.last().unwrap()).error();
    assert_eq!((status, code.as_str()), (400, "badRequestError"));
}

#[test]
fn without_a_limit_there_is_the_total_alone() {
    let optimize = Optimize::install();
    optimize.store_decisions("invoice", [of_version("a", "1"), of_version("b", "1")]);
    optimize.store_report(decision_report("r", "invoice", json!({})));
    let service = optimize.serve();
    assert_eq!(
        service.first_page("r", 0).ok(),
        json!({"numberOfRecordsInResponse": 0, "totalNumberOfRecords": 2, "reportId": "r", "data": []})
    );
}

#[test]
fn a_scroll_belongs_to_its_report() {
    let optimize = Optimize::install();
    optimize.store_decisions(
        "invoice",
        (0..4).map(|number| of_version(&format!("d-{number}"), "1")),
    );
    optimize.store_instances("order", instances("order", 4));
    optimize.store_report(decision_report("decisions", "invoice", json!({})));
    optimize.store_report(decision_report("same", "invoice", json!({})));
    optimize.store_report(raw_report("processes", "order", json!({})));
    let key = [("OPTIMIZE_EXPORT_SCROLL_KEY", "a key that replicas share")];
    let start = || Service::start(&optimize.url, &optimize.prefix, &[], &key);
    let (service, replica) = (start(), start());
    let of_decisions = service.first_page("decisions", 1).ok();
    let of_processes = service.first_page("processes", 1).ok();
    for (report_id, page) in [
        ("decisions", &of_processes),
        ("processes", &of_decisions),
        ("same", &of_decisions),
    ] {
        let (status, code, detail) = service.next_page(report_id, page).error();
        assert_eq!(
            (status, code.as_str()),
            (400, "badRequestError"),
            "{detail}"
        );
        assert!(detail.contains("start over"), "{detail}");
    }
    // A replica that shares the key goes on, with the same columns.
    let second = replica.next_page("decisions", &of_decisions).ok();
    assert_eq!(second["data"].as_array().unwrap().len(), 1);
    assert_ne!(
        second["data"][0]["decisionInstanceId"],
        of_decisions["data"][0]["decisionInstanceId"]
    );
}

#[test]
fn the_newest_evaluation_comes_first_unless_sorted() {
    let optimize = Optimize::install();
    let at = |id: &str, date: &str, engine: &str| {
        decision(
            "invoice",
            id,
            json!({"evaluationDateTime": date, "engine": engine, "decisionDefinitionId": id}),
        )
    };
    optimize.store_decisions(
        "invoice",
        [
            at("a", "2024-03-01T12:00:00.000+0000", "y"),
            // Later than it looks.
            at("b", "2024-03-01T11:30:00.000-0100", "x"),
            at("c", "2024-03-01T11:00:00.000+0000", "z"),
        ],
    );
    let service = optimize.serve();
    for (report_id, changes, expected) in [
        ("default", json!({}), "bac"),
        (
            "ascending",
            json!({"configuration": {"sorting": {"order": "asc"}}}),
            "cab",
        ),
        (
            "by-date",
            sorted_by("evaluationDateTime", Some("asc")),
            "cab",
        ),
        ("by-id", sorted_by("decisionInstanceId", Some("asc")), "abc"),
        // A field without a direction starts with the last one.
        (
            "by-definition",
            sorted_by("decisionDefinitionId", None),
            "cba",
        ),
    ] {
        optimize.store_report(decision_report(report_id, "invoice", changes));
        assert_eq!(ids(&service, report_id).concat(), expected, "{report_id}");
    }
    // A name that is no field of the index decides nothing, and neither does the prefix of a column.
    for (number, by) in ["engineName", "input:amount", "nothing"]
        .into_iter()
        .enumerate()
    {
        let report_id = format!("ignored-{number}");
        optimize.store_report(decision_report(
            &report_id,
            "invoice",
            sorted_by(by, Some("asc")),
        ));
        assert_eq!(ids(&service, &report_id).len(), 3, "{by}");
    }
}

#[test]
fn rows_are_sorted_by_inputs_and_outputs_of_every_type() {
    let optimize = Optimize::install();
    let instance = |id: &str, inputs: Value, outputs: Value| {
        decision("invoice", id, json!({"inputs": inputs, "outputs": outputs}))
    };
    let (number, date, text) = (
        |value: &str| input("number", "Double", json!(value)),
        |value: &str| input("date", "Date", json!(value)),
        |value: &str| output("text", "String", json!(value)),
    );
    optimize.store_decisions(
        "invoice",
        [
            instance(
                "a",
                json!([number("200"), date("2024-03-01T12:00:00.000+0000")]),
                json!([text("m"), text("x")]),
            ),
            instance(
                "b",
                json!([number("1000.5"), date("2024-03-01T11:30:00.000-0100")]),
                json!([text("n")]),
            ),
            instance(
                "c",
                json!([number("20"), date("2024-03-01T11:00:00.000+0000")]),
                json!([text("k"), text("o")]),
            ),
            instance(
                "d",
                json!([input("other", "Double", json!("1"))]),
                json!([]),
            ),
        ],
    );
    let service = optimize.serve();
    for (number, (by, order, expected)) in [
        ("inputVariable:number", "asc", "cabd"),
        ("inputVariable:number", "desc", "bacd"),
        ("inputVariable:date", "asc", "cabd"),
        ("inputVariable:date", "desc", "bacd"),
        // The smallest of several values decides, or the largest.
        ("outputVariable:text", "asc", "cabd"),
        ("outputVariable:text", "desc", "acbd"),
    ]
    .into_iter()
    .enumerate()
    {
        let report_id = format!("sorted-{number}");
        optimize.store_report(decision_report(
            &report_id,
            "invoice",
            sorted_by(by, Some(order)),
        ));
        assert_eq!(ids(&service, &report_id).concat(), expected, "{by} {order}");
    }
    optimize.store_report(decision_report(
        "unknown",
        "invoice",
        sorted_by("outputVariable:unknown", None),
    ));
    assert_eq!(ids(&service, "unknown").len(), 4);
}

#[test]
fn versions_and_tenants_are_selected() {
    let optimize = Optimize::install();
    let instance = |id: &str, version: &str, tenant_id: Option<&str>| {
        with(of_version(id, version), json!({"tenantId": tenant_id}))
    };
    optimize.store_decisions(
        "invoice",
        [
            instance("1", "1", None),
            instance("2", "2", None),
            instance("10", "10", None),
            instance("2-acme", "2", Some("acme")),
            instance("2-other", "2", Some("other")),
        ],
    );
    optimize.store(
        Index::DecisionDefinition,
        [
            ("2", decision_definition("invoice", "2", None, &[], &[])),
            (
                "10",
                decision_definition("invoice", "10", Some("acme"), &[], &[]),
            ),
        ],
    );
    let service = optimize.serve();
    for (report_id, selection, expected) in [
        ("all", json!({}), vec!["1", "10", "2"]),
        ("latest", json!({"versions": ["latest"]}), vec!["10"]),
        (
            "listed",
            json!({"versions": ["1", "2", "77"]}),
            vec!["1", "2"],
        ),
        ("no-version", json!({"versions": []}), vec![]),
        ("tenant", json!({"tenantIds": ["acme"]}), vec!["2-acme"]),
        (
            "tenants",
            json!({"tenantIds": ["acme", null]}),
            vec!["1", "10", "2", "2-acme"],
        ),
        ("no-tenant", json!({"tenantIds": []}), vec![]),
    ] {
        let changes = with(
            select(selection),
            sorted_by("decisionInstanceId", Some("asc")),
        );
        optimize.store_report(decision_report(report_id, "invoice", changes));
        assert_eq!(ids(&service, report_id), expected, "{report_id}");
    }
}

#[test]
fn the_first_definition_counts_alone() {
    let optimize = Optimize::install();
    optimize.store_decisions("invoice", [of_version("a", "1")]);
    // Another key that shares the index, because names of indices are in lower case.
    optimize.store(
        Index::DecisionInstance { key: "invoice" },
        [("b", decision("INVOICE", "b", json!({})))],
    );
    optimize.store_decisions("order", [decision("order", "c", json!({}))]);
    let service = optimize.serve();
    let definitions = json!({"definitions": [selection("invoice"), selection("order")]});
    optimize.store_report(decision_report("first", "invoice", definitions));
    assert_eq!(ids(&service, "first"), ["a"]);
    let unknown_first = json!({"definitions": [selection("unknown"), selection("order")]});
    let page = export(&optimize, &service, "unknown", unknown_first);
    assert_eq!(page["data"], json!([]));
}

#[test]
fn what_is_not_there_is_an_empty_result() {
    let optimize = Optimize::install();
    let empty = |report_id: &str| json!({"numberOfRecordsInResponse": 0, "totalNumberOfRecords": 0, "reportId": report_id, "data": []});
    let service = optimize.serve();
    assert_eq!(
        export(&optimize, &service, "no-index", json!({})),
        empty("no-index")
    );
    optimize.store_decisions("invoice", [of_version("a", "1")]);
    let latest = select(json!({"versions": ["latest"]}));
    let message =
        "Could not find latest version of definition with key: invoice. It contributes no data.";
    assert_eq!(
        export(&optimize, &service, "unknown-latest", latest),
        with(empty("unknown-latest"), json!({"message": message}))
    );
    let nothing = json!({"definitions": []});
    assert_eq!(
        export(&optimize, &service, "nothing", nothing),
        empty("nothing")
    );
}

#[test]
fn dates_of_rows_follow_the_clients_zone_but_values_do_not() {
    let optimize = Optimize::install();
    let due = input("due", "Date", json!("2024-07-01T10:00:00.000+0000"));
    let changes = json!({"evaluationDateTime": "2024-07-01T10:00:00.000+0000", "inputs": [due]});
    optimize.store_decisions("invoice", [decision("invoice", "a", changes)]);
    optimize.store_report(decision_report("r", "invoice", json!({})));
    let service = optimize.serve();
    let answer = service.request(
        "GET",
        "/api/public/export/report/r/result/json?limit=10&paginationTimeout=60",
        &[
            (
                "Authorization",
                &format!("Bearer {}", crate::support::TOKEN),
            ),
            ("X-Optimize-Client-Timezone", "Europe/Berlin"),
        ],
    );
    let row = &answer.ok()["data"][0];
    assert_eq!(row["evaluationDateTime"], "2024-07-01T12:00:00.000+0200");
    assert_eq!(
        row["inputVariables"]["due"]["value"],
        "2024-07-01T10:00:00.000+0000"
    );
}
