//! What is in a row of raw process data, and in which order rows come.

use serde_json::{Value, json};
use testkit::indices::Index;

use crate::support::Optimize;
use crate::support::documents::{definition, instance, raw_report};

fn sorted_by(by: &str, order: &str) -> Value {
    json!({"configuration": {"sorting": {"by": by, "order": order}}})
}

#[test]
fn a_row_in_full() {
    let optimize = Optimize::install();
    let flow_nodes = json!([
        {"flowNodeInstanceId": "f1", "flowNodeId": "start", "flowNodeType": "startEvent", "totalDurationInMs": 0,
         "startDate": "2024-03-01T11:00:00.000+0100", "endDate": "2024-03-01T11:00:00.000+0100"},
        {"flowNodeInstanceId": "f2", "flowNodeId": "pack", "flowNodeType": "userTask", "totalDurationInMs": 40_000,
         "startDate": "2024-03-01T11:00:00.000+0100", "endDate": "2024-03-01T11:00:40.000+0100"},
        {"flowNodeInstanceId": "f3", "flowNodeId": "pack", "flowNodeType": "userTask", "totalDurationInMs": 20_000,
         "startDate": "2024-03-01T11:00:40.000+0100", "endDate": "2024-03-01T11:01:00.000+0100"},
        {"flowNodeInstanceId": "f4", "flowNodeId": "unnamed", "flowNodeType": "exclusiveGateway", "totalDurationInMs": null,
         "startDate": null, "endDate": null},
    ]);
    let variables = json!([
        {"id": "1", "name": "amount", "type": "Double", "value": ["12.5"], "version": 1},
        {"id": "2", "name": "tags", "type": "String", "value": ["a", "b"], "version": 1},
        {"id": "3", "name": "nothing", "type": "String", "value": null, "version": 1},
        {"id": "4", "name": "customer", "type": "Object", "value": ["{\"name\":\"Ann\"}"], "version": 1},
        {"id": "5", "name": "when", "type": "Date", "value": ["2024-03-01T11:00:00.000+0100"], "version": 1},
        {"id": "6", "name": "Big", "type": "Boolean", "value": ["true"], "version": 1},
    ]);
    let incidents = json!([
        {"id": "n1", "incidentStatus": "open", "createTime": "2024-03-01T11:00:00.000+0100"},
        {"id": "n2", "incidentStatus": "resolved", "createTime": "2024-03-01T11:00:00.000+0100"},
    ]);
    optimize.store_instances(
        "order",
        [
            instance("order", "one", json!({
                "processDefinitionVersion": "3", "processDefinitionId": "order:3:77", "businessKey": "B \"7\" ü",
                "startDate": "2024-03-01T11:00:00.000+0100", "endDate": "2024-03-01T11:01:00.000+0100", "duration": 60_000,
                "dataSource": {"type": "engine", "name": "camunda-bpm"}, "tenantId": null,
                "flowNodeInstances": flow_nodes, "variables": variables, "incidents": incidents,
            })),
            instance("order", "two", json!({"variables": [{"id": "9", "name": "other", "type": "Long", "value": ["4"], "version": 1}]})),
        ],
    );
    let named = definition(
        "order",
        "3",
        None,
        &[
            ("start", Some("Order received")),
            ("pack", Some("Pack it")),
            ("unnamed", None),
        ],
    );
    optimize.store(Index::ProcessDefinition, [("order:3:77", named)]);
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    let answer = service.first_page("r", 10);
    let row = &answer.ok()["data"][0];
    assert_eq!(
        row,
        &json!({
            "processDefinitionKey": "order", "processDefinitionId": "order:3:77", "processInstanceId": "one",
            "counts": {"incidents": 2, "openIncidents": 1, "userTasks": 2},
            "flowNodeDurations": {"start": {"name": "Order received", "value": 0}, "pack": {"name": "Pack it", "value": 60_000}},
            "businessKey": "B \"7\" ü", "startDate": "2024-03-01T11:00:00.000+0100", "endDate": "2024-03-01T11:01:00.000+0100",
            "duration": 60_000, "engineName": "camunda-bpm", "tenantId": null,
            "variables": {"Big": "true", "amount": "12.5", "customer": ["{\"name\":\"Ann\"}"], "nothing": "", "other": "",
                "tags": "a, b", "when": "2024-03-01T11:00:00.000+0100"},
            "flowNodeInstances": [
                {"id": "f1", "name": "Order received", "startDate": "2024-03-01T11:00:00.000+0100", "endDate": "2024-03-01T11:00:00.000+0100"},
                {"id": "f2", "name": "Pack it", "startDate": "2024-03-01T11:00:00.000+0100", "endDate": "2024-03-01T11:00:40.000+0100"},
                {"id": "f3", "name": "Pack it", "startDate": "2024-03-01T11:00:40.000+0100", "endDate": "2024-03-01T11:01:00.000+0100"},
                {"id": "f4", "name": "unnamed", "startDate": null, "endDate": null},
            ],
        })
    );
    // Fields have an order, and so have names of variables.
    let text = answer.text();
    let order = [
        "processDefinitionKey",
        "processDefinitionId",
        "processInstanceId",
        "counts",
        "flowNodeDurations",
        "businessKey",
        "startDate",
        "endDate",
        "duration",
        "engineName",
        "tenantId",
        "variables",
        "Big",
        "amount",
        "customer",
        "nothing",
        "other",
        "tags",
        "when",
        "flowNodeInstances",
    ];
    let positions: Vec<usize> = order
        .iter()
        .map(|name| text.find(&format!("\"{name}\":")).unwrap())
        .collect();
    assert!(positions.is_sorted(), "{text}");
}

#[test]
fn names_of_variables_are_those_of_all_pages() {
    let optimize = Optimize::install();
    let with_variable = |id: &str, name: &str, kind: &str| {
        instance(
            "order",
            id,
            json!({"variables": [{"name": name, "type": kind, "value": ["v"]}]}),
        )
    };
    optimize.store_instances(
        "order",
        [
            with_variable("1", "a", "String"),
            with_variable("2", "b", "Object"),
            with_variable("3", "c", "Long"),
        ],
    );
    // Another version's variables are not the report's.
    let other = instance(
        "order",
        "4",
        json!({"processDefinitionVersion": "2", "variables": [{"name": "d", "type": "Long", "value": ["1"]}]}),
    );
    optimize.store_instances("order", [other]);
    let first_version =
        json!({"definitions": [{"key": "order", "versions": ["1"], "tenantIds": [null]}]});
    optimize.store_report(raw_report("r", "order", first_version));
    let service = optimize.serve();
    let rows = service.all_rows("r", 1);
    assert_eq!(rows[0]["variables"], json!({"a": "v", "b": "", "c": ""}));
    assert_eq!(rows[1]["variables"], json!({"a": "", "b": ["v"], "c": ""}));
    assert_eq!(rows[2]["variables"], json!({"a": "", "b": "", "c": "v"}));

    let older = optimize.serve_with(&["--object-variables", "placeholder"]);
    assert_eq!(
        older.all_rows("r", 10)[1]["variables"]["b"],
        "<<OBJECT_VARIABLE_VALUE>>"
    );
}

#[test]
fn more_variables_than_one_request_asks_for() {
    let optimize = Optimize::install();
    let variable = |n: usize| json!({"name": format!("v{n:05}"), "type": "Long", "value": ["1"]});
    let many = |id: &str, from: usize| {
        instance(
            "order",
            id,
            json!({"variables": (from..from + 5_200).map(variable).collect::<Vec<_>>()}),
        )
    };
    optimize.store_instances("order", [many("1", 0), many("2", 5_200)]);
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    let row = &service.first_page("r", 1).ok()["data"][0]["variables"];
    assert_eq!(row.as_object().unwrap().len(), 10_400);
    assert_eq!((&row["v05199"], &row["v10399"]), (&json!("1"), &json!("")));
}

#[test]
fn flow_nodes_have_the_names_of_their_own_version_and_tenant() {
    let optimize = Optimize::install();
    let of = |id: &str, version: &str, tenant_id: Option<&str>| {
        instance(
            "order",
            id,
            json!({"processDefinitionVersion": version, "tenantId": tenant_id,
            "flowNodeInstances": [{"flowNodeInstanceId": "f", "flowNodeId": "task", "totalDurationInMs": 5}]}),
        )
    };
    optimize.store_instances(
        "order",
        [
            of("1", "1", None),
            of("2", "2", None),
            of("3", "1", Some("acme")),
            of("4", "1", Some("other")),
            of("5", "3", None),
        ],
    );
    let named = |version: &str, tenant: Option<&str>, name: &str| {
        definition("order", version, tenant, &[("task", Some(name))])
    };
    optimize.store(
        Index::ProcessDefinition,
        [
            ("1", named("1", None, "First")),
            ("2", named("2", None, "Second")),
            ("1a", named("1", Some("acme"), "First of acme")),
        ],
    );
    let tenants = json!({"definitions": [{"key": "order", "versions": ["all"], "tenantIds": [null, "acme", "other"]}]});
    optimize.store_report(raw_report("r", "order", tenants));
    let service = optimize.serve();
    let names: Vec<(Value, Value)> = service
        .all_rows("r", 10)
        .iter()
        .map(|row| {
            (
                row["flowNodeInstances"][0]["name"].clone(),
                row["flowNodeDurations"]["task"]["name"].clone(),
            )
        })
        .collect();
    let name = |name: &str| (json!(name), json!(name));
    assert_eq!(
        names,
        [
            name("First"),
            name("Second"),
            name("First of acme"),
            name("First"),
            (json!("task"), json!(null))
        ]
    );
}

#[test]
fn dates_are_converted_for_a_client_or_by_setting() {
    let optimize = Optimize::install();
    optimize.store_instances(
        "order",
        [instance(
            "order",
            "1",
            json!({"startDate": "2024-07-01T10:00:00.000+0200", "endDate": null, "duration": null}),
        )],
    );
    optimize.store_report(raw_report("r", "order", json!({})));
    let target = "/api/public/export/report/r/result/json?limit=1&paginationTimeout=60";
    let token = format!("Bearer {}", crate::support::TOKEN);
    let start = |service: &crate::support::Service, zone: Option<&str>| {
        let mut headers = vec![("Authorization", token.as_str())];
        headers.extend(zone.map(|zone| ("X-Optimize-Client-Timezone", zone)));
        service.request("GET", target, &headers).ok()["data"][0]["startDate"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let as_stored = optimize.serve();
    assert_eq!(start(&as_stored, None), "2024-07-01T10:00:00.000+0200");
    assert_eq!(
        start(&as_stored, Some("America/New_York")),
        "2024-07-01T04:00:00.000-0400"
    );
    assert_eq!(
        start(&as_stored, Some("Mars/Olympus")),
        "2024-07-01T10:00:00.000+0200"
    );
    let converted = optimize.serve_with(&["--time-zone", "UTC"]);
    assert_eq!(start(&converted, None), "2024-07-01T08:00:00.000+0000");
    assert_eq!(
        start(&converted, Some("Asia/Tokyo")),
        "2024-07-01T17:00:00.000+0900"
    );
}

#[test]
fn rows_are_sorted_by_field_variable_or_duration() {
    let optimize = Optimize::install();
    let of = |id: &str, start: &str, duration: Option<i64>, amount: Option<&str>| {
        let variables =
            amount.map(|amount| json!({"name": "amount", "type": "Long", "value": [amount]}));
        instance(
            "order",
            id,
            json!({"startDate": start, "endDate": null, "duration": duration, "variables": variables, "businessKey": format!("key-{id}")}),
        )
    };
    // "running" began long ago, so it has the longest duration of all.
    optimize.store_instances(
        "order",
        [
            of("a", "2024-03-01T10:00:00.000+0000", Some(5_000), Some("9")),
            of("b", "2024-03-03T10:00:00.000+0000", Some(1_000), Some("10")),
            of("running", "2024-03-02T10:00:00.000+0000", None, Some("2")),
            of("zero", "2024-03-04T10:00:00.000+0000", Some(0), None),
        ],
    );
    let service = optimize.serve();
    for (by, order, expected) in [
        ("startDate", "asc", ["a", "running", "b", "zero"]),
        ("startDate", "desc", ["zero", "b", "running", "a"]),
        ("businessKey", "desc", ["zero", "running", "b", "a"]),
        ("duration", "asc", ["zero", "b", "a", "running"]),
        ("duration", "desc", ["running", "a", "b", "zero"]),
        // As text, and without a value last in both directions.
        ("variable:amount", "asc", ["b", "running", "a", "zero"]),
        ("variable:amount", "desc", ["a", "running", "b", "zero"]),
    ] {
        let id = format!("{by}-{order}");
        optimize.store_report(raw_report(&id, "order", sorted_by(by, order)));
        assert_eq!(service.ids(&id.replace(':', "%3A")), expected, "{id}");
    }
    optimize.store_report(raw_report("default", "order", json!({"configuration": {}})));
    assert_eq!(
        service.ids("default"),
        ["zero", "b", "running", "a"],
        "newest first"
    );
    for by in [
        "noSuchField",
        "variable:noSuchVariable",
        "flowNodeDuration:x",
    ] {
        optimize.store_report(raw_report("odd", "order", sorted_by(by, "asc")));
        std::thread::sleep(std::time::Duration::from_millis(10));
        let fresh = optimize.serve();
        assert_eq!(
            fresh.first_page("odd", 10).ok()["numberOfRecordsInResponse"],
            4,
            "{by}"
        );
    }
}

#[test]
fn documents_with_missing_null_or_single_parts_are_rows_all_the_same() {
    let optimize = Optimize::install();
    let bare = json!({"processDefinitionKey": "order", "processInstanceId": "bare"});
    let nulls = instance(
        "order",
        "nulls",
        json!({
            "processDefinitionVersion": null, "processDefinitionId": null, "startDate": null, "endDate": null, "duration": null,
            "state": null, "dataSource": null, "flowNodeInstances": null, "variables": null, "incidents": null,
        }),
    );
    let singles = instance(
        "order",
        "singles",
        json!({
            "duration": "7",
            "flowNodeInstances": {"flowNodeInstanceId": "f", "flowNodeId": "task", "flowNodeType": "userTask", "totalDurationInMs": 3},
            "variables": {"name": "v", "type": "String", "value": "one"},
            "incidents": {"id": "n", "incidentStatus": "open"},
        }),
    );
    let holes = instance(
        "order",
        "holes",
        json!({
            "flowNodeInstances": [{"flowNodeId": "task"}, {"flowNodeInstanceId": "g", "startDate": null}],
            "variables": [{"name": null, "type": "String", "value": ["x"]}, {"name": "v", "type": null, "value": [null, "y"]}],
            "incidents": [{"id": "n"}],
        }),
    );
    optimize.store_instances("order", [bare, nulls, singles, holes]);
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    let rows = service.all_rows("r", 10);
    let ids: Vec<&Value> = rows.iter().map(|row| &row["processInstanceId"]).collect();
    assert_eq!(ids, ["bare", "holes", "nulls", "singles"]);
    for row in [&rows[0], &rows[2]] {
        assert_eq!(row["variables"], json!({"v": ""}));
        assert_eq!(row["flowNodeInstances"], json!([]));
        assert_eq!(
            (&row["startDate"], &row["duration"], &row["engineName"]),
            (&json!(null), &json!(null), &json!(null))
        );
    }
    assert_eq!(rows[1]["variables"], json!({"v": "null, y"}));
    assert_eq!(
        rows[1]["counts"],
        json!({"incidents": 1, "openIncidents": 0, "userTasks": 0})
    );
    assert_eq!(
        rows[1]["flowNodeInstances"][1],
        json!({"id": "g", "name": null, "startDate": null, "endDate": null})
    );
    assert_eq!(rows[3]["variables"], json!({"v": "one"}));
    assert_eq!(rows[3]["duration"], 7);
    assert_eq!(
        rows[3]["counts"],
        json!({"incidents": 1, "openIncidents": 1, "userTasks": 1})
    );
    assert_eq!(
        rows[3]["flowNodeDurations"],
        json!({"task": {"name": null, "value": 3}})
    );

    // Sorted by duration, an instance without any comes before all that have one.
    optimize.store_report(raw_report(
        "by-duration",
        "order",
        sorted_by("duration", "asc"),
    ));
    assert_eq!(service.ids("by-duration").len(), 4);
}
