//! Reports that Optimize 8.10 makes for its own dashboards, and what they need to know of definitions.

use serde_json::{Value, json};
use testkit::indices::Index;

use crate::support::Optimize;
use crate::support::documents::{definition, instance, raw_report, report, selection, with};

fn named(key: &str, version: &str, tenant_id: Option<&str>, name: Value) -> Value {
    with(
        definition(key, version, tenant_id, &[]),
        json!({"name": name}),
    )
}

fn task(kind: &str) -> Value {
    json!({"flowNodeInstanceId": kind, "flowNodeId": kind, "flowNodeType": kind, "definitionKey": "order",
        "definitionVersion": "1", "canceled": false})
}

fn agents(input: i64, output: i64) -> Value {
    json!({
        "agentInstances": [{"agentInstanceId": "a", "flowNodeId": "Agent", "metrics": {"toolCalls": 3}}],
        "agentTotalInputTokens": input,
        "agentTotalOutputTokens": output,
        "agentTotalTokens": input + output,
        "agentTotalToolCalls": 3,
        "agentTotalModelCalls": 4,
    })
}

/// Two orders with agents that are complete, of which the first had an incident, and one that is running; a claim without
/// agents; all definitions in several versions and tenants.
fn installation() -> Optimize {
    let optimize = Optimize::install();
    let automated = json!({"flowNodeInstances": [
        task("serviceTask"), task("scriptTask"), task("sendTask"), task("userTask"), task("startEvent")]});
    let incident = json!({"incidents": [{"id": "i", "activityId": "serviceTask", "incidentStatus": "resolved",
        "definitionKey": "order", "definitionVersion": "1", "durationInMs": 1}]});
    let march_5 = |start: &str, duration: i64| {
        json!({"startDate": format!("2024-03-05T10:{start}.000+0000"), "endDate": "2024-03-05T10:02:00.000+0000",
            "duration": duration})
    };
    let running = json!({"endDate": null, "duration": null, "state": "ACTIVE", "processDefinitionVersion": "2"});
    optimize.store_instances(
        "order",
        [
            with(
                with(instance("order", "o1", agents(100, 20)), automated),
                incident,
            ),
            with(
                with(
                    instance("order", "o2", agents(40, 10)),
                    march_5("00:00", 120_000),
                ),
                json!({"processDefinitionVersion": "10"}),
            ),
            with(instance("order", "o3", agents(5, 2)), running),
        ],
    );
    let half = json!({"flowNodeInstances": [task("userTask"), task("businessRuleTask")]});
    optimize.store_instances(
        "claim",
        [with(
            instance("claim", "c1", half),
            march_5("01:30", 30_000),
        )],
    );
    let deleted = with(
        named("order", "11", None, json!("Gone")),
        json!({"deleted": true}),
    );
    optimize.store(
        Index::ProcessDefinition,
        [
            ("o2", named("order", "2", None, json!("Old"))),
            ("o10", named("order", "10", None, json!("Orders"))),
            ("o11", deleted),
            ("c1", named("claim", "1", None, json!("Claims"))),
            ("c2", named("claim", "2", None, json!(" \t"))),
        ],
    );
    optimize
}

/// Entity and properties.
type View<'a> = (&'a str, &'a [&'a str]);

/// A stored report of a dashboard, with what else 8.10 writes into it.
fn seed(
    id: &str,
    flag: &str,
    view: View<'_>,
    group_by: Value,
    configuration: Value,
    filters: &[&str],
) -> Value {
    let presentation = json!({
        "subtitle": "businessValue_subtitle", "horizontalBar": true, "logScale": false, "stackedBar": false,
        "valueFormat": "compact", "precision": 2, "measureVisualizations": {"frequency": "bar", "duration": "line"},
        "xml": null, "sorting": null, "processPart": null,
    });
    let filters: Vec<Value> = filters
        .iter()
        .map(|kind| json!({"type": kind, "data": null, "filterLevel": "instance", "appliedTo": ["all"]}))
        .collect();
    let seed = report(
        id,
        json!({
            "configuration": with(presentation, configuration),
            "definitions": [],
            "filter": filters,
            "view": {"entity": view.0, "properties": view.1},
            "groupBy": group_by,
            "distributedBy": {"type": "none", "value": null},
            "visualization": "outlierBand",
            "managementReport": false,
            "instantPreviewReport": false,
            "agenticControlReport": flag == "agenticControlReport",
            "businessValueReport": flag == "businessValueReport",
            "userTaskReport": false,
        }),
    );
    with(seed, json!({"owner": null, "collectionId": null}))
}

fn by(kind: &str) -> Value {
    json!({"type": kind, "value": null})
}

fn by_end_date(unit: &str) -> Value {
    json!({"type": "endDate", "value": {"unit": unit}})
}

fn aggregated(functions: Value) -> Value {
    json!({"aggregationTypes": functions})
}

fn function(kind: &str, value: Value) -> Value {
    aggregated(json!([{"type": kind, "value": value}]))
}

/// The entries of a map: key, label, value.
fn entries(data: &Value) -> Vec<(String, String, Option<f64>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entries = data.as_array().unwrap().iter();
    let entries = entries.map(|entry| {
        (
            text(&entry["key"]),
            text(&entry["label"]),
            entry["value"].as_f64(),
        )
    });
    entries.collect()
}

fn map(entries: &[(&str, &str, f64)]) -> Vec<(String, String, Option<f64>)> {
    let owned = entries.iter();
    owned
        .map(|(key, label, value)| ((*key).to_owned(), (*label).to_owned(), Some(*value)))
        .collect()
}

/// Ids and definitions: crates/optimize/docs/reports.md, "Seeded reports" (`BusinessValueDashboardService`).
#[test]
fn the_reports_of_the_dashboard_on_business_value() {
    const FLAG: &str = "businessValueReport";
    const COMPLETED: &[&str] = &["completedInstancesOnly"];
    let optimize = installation();
    let none = json!({});
    let average = || function("avg", json!(null));
    let by_value = |base: Value| with(base, json!({"sorting": {"by": "value", "order": "desc"}}));
    let spread = aggregated(json!([
        {"type": "avg", "value": null}, {"type": "percentile", "value": 50.0}, {"type": "percentile", "value": 95.0}]));
    let count: View<'_> = ("processInstance", &["frequency"]);
    let duration: View<'_> = ("processInstance", &["duration"]);
    let rate: View<'_> = ("processInstance", &["automationRate"]);
    let tokens: View<'_> = ("agentInstance", &["totalTokens"]);
    let with_agents: &[&str] = &["completedInstancesOnly", "hasAgentInstances"];
    let key = || by("processDefinitionKey");
    let automatic = || by_end_date("automatic");
    let seeds = [
        (
            "296e1b10-4f27-3e25-bfce-d832ab3e3b3e",
            count,
            by("none"),
            none.clone(),
            COMPLETED,
        ),
        (
            "c56a8d04-be90-31e6-b2a3-846e6249970b",
            duration,
            by("none"),
            average(),
            COMPLETED,
        ),
        (
            "17b5f7fb-833e-33a6-abbe-8188d6e1a53d",
            count,
            key(),
            by_value(none.clone()),
            COMPLETED,
        ),
        (
            "df4b8392-4d44-3dc9-84aa-ae0daf328177",
            count,
            automatic(),
            none.clone(),
            COMPLETED,
        ),
        (
            "6f2f9109-8a75-3526-b813-041d9859ddcd",
            duration,
            key(),
            by_value(average()),
            COMPLETED,
        ),
        (
            "ebfa5714-744d-31d5-b192-8ee1c4ce8ad5",
            duration,
            by("none"),
            spread,
            COMPLETED,
        ),
        (
            "349fac2d-1889-392a-bb59-015f5feb9f63",
            duration,
            automatic(),
            average(),
            COMPLETED,
        ),
        (
            "12c63f41-480c-3a3e-961d-9906797d82fe",
            tokens,
            key(),
            function("sum", json!(null)),
            with_agents,
        ),
        (
            "a035bf47-580b-32f1-bc17-20941f8c511c",
            rate,
            key(),
            by_value(none.clone()),
            COMPLETED,
        ),
        (
            "7ba63b5a-9035-352b-a4c6-896ef261b42e",
            rate,
            by("none"),
            none.clone(),
            COMPLETED,
        ),
        (
            "9267a81c-9ac7-37eb-aeae-6e26a6e48e26",
            count,
            by("none"),
            none.clone(),
            COMPLETED,
        ),
        (
            "507a19f1-e4ef-3942-8c2a-f510270150b2",
            count,
            automatic(),
            none.clone(),
            COMPLETED,
        ),
        (
            "efb09256-71ad-3d83-ae1d-5c51984d5f3f",
            rate,
            by("none"),
            none,
            COMPLETED,
        ),
    ];
    for (id, view, group_by, configuration, filters) in seeds {
        optimize.store_report(seed(id, FLAG, view, group_by, configuration, filters));
    }
    let service = optimize.serve();
    let data = |id: &str| service.first_page(id, 10_000).ok()["data"].clone();

    assert_eq!(data("296e1b10-4f27-3e25-bfce-d832ab3e3b3e"), 3.0);
    assert_eq!(data("9267a81c-9ac7-37eb-aeae-6e26a6e48e26"), 3.0);
    // 60, 120 and 30 seconds.
    assert_eq!(data("c56a8d04-be90-31e6-b2a3-846e6249970b"), 70_000.0);
    assert_eq!(data("ebfa5714-744d-31d5-b192-8ee1c4ce8ad5"), 70_000.0);
    // The newest version of claims has a blank name.
    assert_eq!(
        entries(&data("17b5f7fb-833e-33a6-abbe-8188d6e1a53d")),
        map(&[("order", "Orders", 2.0), ("claim", "claim", 1.0)])
    );
    assert_eq!(
        entries(&data("6f2f9109-8a75-3526-b813-041d9859ddcd")),
        map(&[("order", "Orders", 90_000.0), ("claim", "claim", 30_000.0)])
    );
    assert_eq!(
        entries(&data("12c63f41-480c-3a3e-961d-9906797d82fe")),
        map(&[("order", "Orders", 170.0)])
    );
    assert_eq!(
        entries(&data("a035bf47-580b-32f1-bc17-20941f8c511c")),
        map(&[("order", "Orders", 75.0), ("claim", "claim", 50.0)])
    );
    // 4 of 6 tasks.
    for id in [
        "7ba63b5a-9035-352b-a4c6-896ef261b42e",
        "efb09256-71ad-3d83-ae1d-5c51984d5f3f",
    ] {
        assert_eq!(data(id), 4.0 / 6.0 * 100.0);
    }
    // Two of them ended in the same moment.
    let found = |id: &str| {
        let values = entries(&data(id)).into_iter().filter_map(|entry| entry.2);
        values.filter(|value| *value > 0.0).collect::<Vec<_>>()
    };
    for id in [
        "df4b8392-4d44-3dc9-84aa-ae0daf328177",
        "507a19f1-e4ef-3942-8c2a-f510270150b2",
    ] {
        assert_eq!(found(id), [1.0, 2.0]);
    }
    assert_eq!(
        found("349fac2d-1889-392a-bb59-015f5feb9f63"),
        [60_000.0, 75_000.0]
    );
}

/// Ids and definitions: crates/optimize/docs/reports.md, "Seeded reports" (`AgenticControlDashboardService`). The seed of
/// the last one was not read.
#[test]
fn the_reports_of_the_dashboard_on_agents() {
    const FLAG: &str = "agenticControlReport";
    let optimize = installation();
    let none = json!({});
    let percentile = |value: f64| function("percentile", json!(value));
    let sum = || function("sum", json!(null));
    let by_value = with(sum(), json!({"sorting": {"by": "value", "order": "desc"}}));
    let both = aggregated(
        json!([{"type": "percentile", "value": 50.0}, {"type": "percentile", "value": 95.0}]),
    );
    let bands = aggregated(json!([
        {"type": "percentile", "value": 5.0}, {"type": "percentile", "value": 50.0}, {"type": "percentile", "value": 95.0}]));
    let instances = |property: &'static str| ("processInstance", vec![property]);
    let tokens = || ("agentInstance", vec!["totalTokens"]);
    let both_tokens = ("agentInstance", vec!["inputTokens", "outputTokens"]);
    let incident_rate = "55a3edc1-6ad2-3915-8ade-bdc7fc8d7196";
    let failure_rate = "fbfdbe35-97f5-313a-b87b-96e3878121be";
    let seeds = [
        (
            "a24d2d3d-beec-3733-baa6-30d5598e83b6",
            instances("frequency"),
            by("none"),
            none.clone(),
        ),
        (
            "45352d7d-544e-3de2-bfa6-1918894bc974",
            instances("duration"),
            by("none"),
            none.clone(),
        ),
        (
            incident_rate,
            instances("percentage"),
            by("none"),
            none.clone(),
        ),
        (
            "46958cd9-d4b5-365b-8fd1-7e15a04484a9",
            tokens(),
            by("none"),
            function("avg", json!(null)),
        ),
        (
            "1fd917e8-0ec5-378b-af5f-8527a99de108",
            tokens(),
            by("none"),
            percentile(50.0),
        ),
        (
            "003eb213-0db7-304d-a6ce-03f01c58433c",
            both_tokens,
            by_end_date("week"),
            sum(),
        ),
        (
            "cd86f542-2132-35e5-b0f7-85f630b1aa06",
            tokens(),
            by("processDefinitionKey"),
            by_value,
        ),
        (
            "3e317954-023f-3bcc-8337-96d66b6938f4",
            instances("duration"),
            by("none"),
            percentile(50.0),
        ),
        (
            "855e1a50-858d-3fb5-9879-a399cbf39e37",
            instances("duration"),
            by("none"),
            percentile(95.0),
        ),
        (
            "8d6932b1-0cc4-3def-bd59-841928b71a20",
            tokens(),
            by_end_date("week"),
            bands,
        ),
        (
            "545426d1-7216-32b9-a684-dd109933d01a",
            instances("duration"),
            by_end_date("automatic"),
            both,
        ),
        (
            "c132e3c5-70df-3b34-b8bc-3a4e328ba881",
            ("agentInstance", vec!["toolCalls"]),
            by("none"),
            sum(),
        ),
        (
            failure_rate,
            instances("percentage"),
            by("processDefinitionVersion"),
            none,
        ),
        (
            "tool-calls-by-flow-node",
            ("flowNode", vec!["toolCalls"]),
            by("flowNodes"),
            sum(),
        ),
    ];
    for (id, (entity, properties), group_by, configuration) in seeds {
        let mut filters = vec!["completedInstancesOnly", "hasAgentInstances"];
        if [incident_rate, failure_rate].contains(&id) {
            filters.push("includesResolvedIncident");
        }
        let view = (entity, properties.as_slice());
        optimize.store_report(seed(id, FLAG, view, group_by, configuration, &filters));
    }
    let service = optimize.serve();
    let data = |id: &str| service.first_page(id, 10_000).ok()["data"].clone();
    let weeks = |values: [f64; 2]| {
        let [first, second] =
            ["2024-02-26", "2024-03-04"].map(|day| format!("{day}T00:00:00.000+0000"));
        map(&[(&first, &first, values[0]), (&second, &second, values[1])])
    };

    assert_eq!(data("a24d2d3d-beec-3733-baa6-30d5598e83b6"), 2.0);
    assert_eq!(data("45352d7d-544e-3de2-bfa6-1918894bc974"), 90_000.0);
    // Of the two complete instances with agents, not of all four.
    assert_eq!(data(incident_rate), 50.0);
    assert_eq!(entries(&data(failure_rate)), map(&[("1", "1", 100.0)]));
    assert_eq!(data("46958cd9-d4b5-365b-8fd1-7e15a04484a9"), 85.0);
    // Percentiles of two values are each server's own.
    for (id, range) in [
        ("1fd917e8-0ec5-378b-af5f-8527a99de108", 50.0..=120.0),
        ("3e317954-023f-3bcc-8337-96d66b6938f4", 60_000.0..=120_000.0),
        ("855e1a50-858d-3fb5-9879-a399cbf39e37", 60_000.0..=120_000.0),
    ] {
        let found = data(id).as_f64().unwrap();
        assert!(range.contains(&found), "{id}: {found}");
    }
    // Of input and output the first is exported.
    assert_eq!(
        entries(&data("003eb213-0db7-304d-a6ce-03f01c58433c")),
        weeks([100.0, 40.0])
    );
    assert_eq!(
        entries(&data("cd86f542-2132-35e5-b0f7-85f630b1aa06")),
        map(&[("order", "Orders", 170.0)])
    );
    // A percentile of one value is that value.
    assert_eq!(
        entries(&data("8d6932b1-0cc4-3def-bd59-841928b71a20")),
        weeks([120.0, 50.0])
    );
    let durations = entries(&data("545426d1-7216-32b9-a684-dd109933d01a"));
    let durations: Vec<f64> = durations.into_iter().filter_map(|entry| entry.2).collect();
    assert_eq!(durations, [60_000.0, 120_000.0]);
    assert_eq!(data("c132e3c5-70df-3b34-b8bc-3a4e328ba881"), 6.0);
    // Nobody knows a flow node of these definitions.
    assert_eq!(data("tool-calls-by-flow-node"), json!([]));
}

#[test]
fn they_are_about_all_definitions_whatever_they_name() {
    let optimize = installation();
    optimize.store_instances("draft", [instance("draft", "d1", json!({}))]);
    let flagged = |id: &str, flag: &str, definitions: Value| {
        let flags = json!({flag: true, "definitions": definitions});
        optimize.store_report(raw_report(id, "order", flags));
    };
    for flag in ["agenticControlReport", "businessValueReport"] {
        flagged(flag, flag, json!([]));
        let named = format!("named-{flag}");
        flagged(&named, flag, json!([selection("nobody-looks-here")]));
    }
    let service = optimize.serve();
    for flag in ["agenticControlReport", "businessValueReport"] {
        // `draft` has no definition.
        let all = ["c1", "o1", "o2", "o3"];
        assert_eq!(service.ids(flag), all, "{flag}");
        assert_eq!(service.ids(&format!("named-{flag}")), all, "{flag}");
    }
}

#[test]
fn without_any_definition_they_are_about_all_instances() {
    let optimize = Optimize::install();
    for flag in ["agenticControlReport", "businessValueReport"] {
        let flags = json!({flag: true, "definitions": []});
        optimize.store_report(raw_report(flag, "order", flags));
    }
    let count = seed(
        "count",
        "businessValueReport",
        ("processInstance", &["frequency"]),
        by("processDefinitionKey"),
        json!({}),
        &[],
    );
    optimize.store_report(count);
    let service = optimize.serve();
    let nothing = service.first_page("count", 5).ok();
    assert_eq!(nothing["data"], json!([]), "there is no index: {nothing}");
    optimize.store_instances("draft", [instance("draft", "d1", json!({}))]);
    for flag in ["agenticControlReport", "businessValueReport"] {
        assert_eq!(service.ids(flag), ["d1"], "{flag}");
    }
    assert_eq!(
        entries(&service.first_page("count", 5).ok()["data"]),
        map(&[("draft", "draft", 1.0)])
    );
}

#[test]
fn names_are_those_of_the_newest_version_of_any_tenant() {
    let optimize = Optimize::install();
    let keys = ["a", "b", "c", "d", "e"];
    for key in keys {
        optimize.store_instances(key, [instance(key, key, agents(1, 1))]);
    }
    optimize.store(
        Index::ProcessDefinition,
        [
            ("a9", named("a", "9", None, json!("Nine"))),
            ("a10", named("a", "10", Some("acme"), json!("Ten"))),
            ("b1", named("b", "1", None, json!(null))),
            ("c1", named("c", "1", None, json!("Once"))),
            ("c2", named("c", "2", None, json!(""))),
            // White space that Java does not call blank.
            ("d1", named("d", "1", None, json!("\u{a0}"))),
        ],
    );
    let by_key = |id: &str, view: View<'_>, flag: &str| {
        let definitions: Vec<Value> = keys.iter().map(|key| selection(key)).collect();
        let stored = seed(id, flag, view, by("processDefinitionKey"), json!({}), &[]);
        let data = with(stored["data"].clone(), json!({"definitions": definitions}));
        optimize.store_report(with(stored, json!({"data": data})));
    };
    by_key("plain", ("processInstance", &["frequency"]), "none");
    by_key("agents", ("agentInstance", &["totalTokens"]), "none");
    let service = optimize.serve();
    let labels = |id: &str| {
        let entries = entries(&service.first_page(id, 10).ok()["data"]).into_iter();
        entries.map(|entry| entry.1).collect::<Vec<_>>()
    };
    assert_eq!(labels("plain"), keys);
    // No name, a blank one although an older version has one, and no definition.
    assert_eq!(labels("agents"), ["Ten", "b", "c", "\u{a0}", "e"]);
}

#[test]
fn tools_are_those_of_the_first_definition() {
    let optimize = Optimize::install();
    let executed = |key: &str, id: &str| {
        let mut executed = task("serviceTask");
        executed["flowNodeId"] = json!(id);
        executed["definitionKey"] = json!(key);
        executed
    };
    let worked = |key: &str, flow_nodes: Vec<Value>| {
        let agent =
            json!({"agentInstanceId": key, "flowNodeId": "Agent", "metrics": {"toolCalls": 4}});
        let changes = json!({"flowNodeInstances": flow_nodes, "agentInstances": [agent]});
        instance(key, &format!("{key}-1"), changes)
    };
    let both = vec![executed("order", "search"), executed("order", "search")];
    optimize.store_instances("order", [worked("order", both)]);
    optimize.store_instances("claim", [worked("claim", vec![executed("claim", "ask")])]);
    let model = |key: &str, version: &str, tool: &str, kind: &str| {
        let names = [("Agent", Some("Helper")), (tool, None)];
        let bpmn = format!(
            r#"<definitions><{kind} id="Agent"><serviceTask id="{tool}"/></{kind}></definitions>"#
        );
        with(
            definition(key, version, None, &names),
            json!({"bpmn20Xml": bpmn}),
        )
    };
    optimize.store(
        Index::ProcessDefinition,
        [
            ("o1", model("order", "1", "search", "subProcess")),
            ("o2", model("order", "2", "search", "adHocSubProcess")),
            ("c1", model("claim", "1", "ask", "adHocSubProcess")),
        ],
    );
    let calls = |id: &str, definitions: Vec<Value>| {
        let stored = seed(
            id,
            "none",
            ("flowNode", &["toolCalls"]),
            by("flowNodes"),
            function("sum", json!(null)),
            &[],
        );
        let data = with(stored["data"].clone(), json!({"definitions": definitions}));
        optimize.store_report(with(stored, json!({"data": data})));
    };
    let of_version = |version: &str| with(selection("order"), json!({"versions": [version]}));
    // The instances are of version 1; of which version the tools are is another matter.
    calls("newest", vec![selection("order")]);
    calls("first", vec![of_version("1")]);
    calls("order-first", vec![selection("order"), selection("claim")]);
    calls("claim-first", vec![selection("claim"), selection("order")]);
    let service = optimize.serve();
    let found = |id: &str| {
        let entries = entries(&service.first_page(id, 10).ok()["data"]).into_iter();
        let entries = entries.map(|(key, label, value)| format!("{key}({label})={value:?}"));
        entries.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        found("newest"),
        "Agent(Helper)=None search(search)=Some(2.0)"
    );
    assert_eq!(
        found("first"),
        "Agent(Helper)=Some(4.0) search(search)=None"
    );
    assert_eq!(
        found("order-first"),
        "Agent(Helper)=None ask(ask)=None search(search)=Some(2.0)"
    );
    assert_eq!(
        found("claim-first"),
        "Agent(Helper)=None ask(ask)=Some(1.0) search(search)=None"
    );
}

#[test]
fn neighbours_of_what_is_legal_say_what_is() {
    let optimize = Optimize::install();
    let store = |id: &str, entity: &str, property: &str, group_by: &str| {
        let view = (entity, &[property][..]);
        optimize.store_report(seed(
            id,
            "businessValueReport",
            view,
            by(group_by),
            json!({}),
            &[],
        ));
    };
    store(
        "rate",
        "processInstance",
        "automationRate",
        "processDefinitionVersion",
    );
    store("cost", "agentInstance", "cost", "none");
    store("planet", "planet", "cost", "none");
    store("by-planet", "agentInstance", "inputTokens", "planet");
    let service = optimize.serve();
    for (id, expected) in [
        (
            "rate",
            "expected for this view groupBy none, processDefinitionKey without distribution",
        ),
        (
            "cost",
            "agentInstance-inputTokens, agentInstance-outputTokens, agentInstance-toolCalls, agentInstance-totalTokens",
        ),
        ("planet", "`incident`, `agentInstance`"),
        (
            "by-planet",
            "`processDefinitionKey`, `processDefinitionVersion`",
        ),
    ] {
        let (status, code, detail) = service.first_page(id, 5).error();
        assert_eq!(
            (status, code.as_str()),
            (400, "reportEvaluationError"),
            "{id}"
        );
        assert!(detail.contains(expected), "{id}: {detail}");
    }
}

#[test]
fn rows_show_nothing_of_agents() {
    let optimize = Optimize::install();
    let changes = with(agents(1, 2), json!({"businessKey": "b"}));
    optimize.store_instances("order", [instance("order", "with", changes)]);
    let service = optimize.serve();
    optimize.store_report(raw_report("agents", "order", json!({})));
    let rows = service.all_rows("agents", 10);
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].to_string().contains("agent"), "{}", rows[0]);
    assert_eq!(rows[0]["businessKey"], "b");
}
