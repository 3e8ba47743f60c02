//! Groups by process definition and by version, and how much nobody has to do.

use super::*;

fn by_key(view: &str) -> Value {
    data(view, by("processDefinitionKey"), by("none"))
}

fn filtered(data: Value, filters: &[Value]) -> Value {
    with(data, json!({"filter": filters}))
}

fn on_instances(kind: &str) -> Value {
    json!({"type": kind, "filterLevel": "instance", "appliedTo": ["all"], "data": null})
}

#[test]
fn instances_by_process_definition() {
    let of = |key: &str, id: &str, duration| {
        let instance = lasting(id, "2024-03-01T10:00:00", duration);
        with(instance, json!({"processDefinitionKey": key}))
    };
    let mut world = World::of_definitions([
        ("p", vec![of("p", "1", Some(1)), of("p", "2", Some(2))]),
        ("Q", vec![of("Q", "3", Some(10))]),
        ("never-started", vec![]),
    ]);
    let names = [("p", "Zoo")].map(|(key, name)| (key.to_owned(), name.to_owned()));
    world.models.definition_names = names.into();
    let sorted = |by: &str, order: &str| {
        configured(
            by_key("processInstance-frequency"),
            json!({"sorting": {"by": by, "order": order}}),
        )
    };
    let named = |data: Value| with(data, json!({"businessValueReport": true}));
    let aggregated = |function: &str| {
        configured(
            by_key("processInstance-duration"),
            json!({"aggregationTypes": [{"type": function}]}),
        )
    };
    let completed = on_instances("runningInstancesOnly");
    world.check([
        // By key in lower case, as every map.
        (by_key("processInstance-frequency"), "p=2 Q=1"),
        (sorted("value", "asc"), "Q=1 p=2"),
        (sorted("key", "desc"), "Q=1 p=2"),
        (named(sorted("label", "asc")), "Q=1 p(Zoo)=2"),
        (named(by_key("processInstance-frequency")), "p(Zoo)=2 Q=1"),
        (
            filtered(by_key("processInstance-frequency"), &[completed]),
            "",
        ),
        // 1.5 is rounded up.
        (by_key("processInstance-duration"), "p=2 Q=10"),
        (aggregated("sum"), "p=3 Q=10"),
        (named(aggregated("max")), "p(Zoo)=2 Q=10"),
    ]);
    // What is beyond the limit is left out: in the order of the index `Q` comes before `p`.
    world.bucket_limit = 1;
    world.check([(by_key("processInstance-frequency"), "Q=1")]);
    World::of([]).check([
        (by_key("processInstance-frequency"), ""),
        (by_key("processInstance-duration"), ""),
        (by_key("processInstance-automationRate"), ""),
    ]);
}

#[test]
fn durations_of_instances_without_any() {
    let running = with(
        lasting("1", "2024-05-15T11:59:59.990", None),
        json!({"startDate": null}),
    );
    World::of([running]).check([(by_key("processInstance-duration"), "p=-")]);
}

#[test]
fn automation_rates() {
    let of = |key: &str, id: &str, types: &[&str]| {
        let tasks = types.iter().map(|kind| {
            with(
                flow_node("B", Some(1)),
                json!({"flowNodeType": kind, "definitionKey": key}),
            )
        });
        let tasks: Vec<Value> = tasks.collect();
        with(
            lasting(id, "2024-03-01T10:00:00", Some(1)),
            json!({"processDefinitionKey": key, "flowNodeInstances": tasks}),
        )
    };
    let mut running = of("p", "2", &["userTask", "serviceTask"]);
    running["flowNodeInstances"][0]["endDate"] = json!(null);
    running["flowNodeInstances"][1]["canceled"] = json!(true);
    let untyped = with(flow_node("B", Some(1)), json!({"flowNodeType": null}));
    running["flowNodeInstances"]
        .as_array_mut()
        .unwrap()
        .push(untyped);
    let not_counted = [
        "startEvent",
        "exclusiveGateway",
        "callActivity",
        "subProcess",
        "adHocSubProcess",
        "multiInstanceBody",
        "receiveTask",
        "task",
    ];
    let counted = [
        "serviceTask",
        "businessRuleTask",
        "scriptTask",
        "sendTask",
        "userTask",
        "manualTask",
    ];
    let world = World::of_definitions([
        (
            "p",
            vec![of("p", "1", &counted), running, of("p", "3", &not_counted)],
        ),
        ("q", vec![of("q", "4", &["userTask"])]),
        ("r", vec![of("r", "5", &not_counted)]),
    ]);
    let all = data("processInstance-automationRate", by("none"), by("none"));
    let configured_to =
        |functions: Value| configured(all.clone(), json!({"aggregationTypes": functions}));
    let on_view = json!({"type": "executedFlowNodes", "filterLevel": "view", "appliedTo": ["all"],
        "data": {"operator": "not in", "values": ["C"]}});
    world.check([
        // 5 of 8, and 1 human task more.
        (all.clone(), "55.55555555555556"),
        (by_key("processInstance-automationRate"), "p=62.5 q=0 r=-"),
        // Functions have no say, not even their absence; filters of the view level narrow only instances.
        (configured_to(json!([{"type": "sum"}])), "55.55555555555556"),
        (configured_to(json!([])), "55.55555555555556"),
        (filtered(all.clone(), &[on_view]), "55.55555555555556"),
    ]);
    World::of([of("p", "1", &not_counted)]).check([
        (all.clone(), "-"),
        (by_key("processInstance-automationRate"), "p=-"),
    ]);
    World::of([]).check([(all, "-")]);
}

fn of_version(id: &str, version: Value, duration: Option<i64>) -> Value {
    with(
        lasting(id, "2024-03-01T10:00:00", duration),
        json!({"processDefinitionVersion": version}),
    )
}

#[test]
fn percentages_by_version() {
    let by_version = || {
        data(
            "processInstance-percentage",
            by("processDefinitionVersion"),
            by("none"),
        )
    };
    let completed = || on_instances("completedInstancesOnly");
    let since_february = json!({"type": "instanceStartDate", "filterLevel": "instance", "appliedTo": ["all"],
        "data": {"type": "fixed", "start": "2024-02-01T00:00:00.000+0000", "end": null}});
    let mut world = World::of_definitions([
        (
            "p",
            vec![
                of_version("1", json!("2"), Some(1)),
                of_version("2", json!("2"), None),
                of_version("3", json!("10"), Some(1)),
                of_version("4", json!("1"), None),
                of_version("5", json!(null), Some(1)),
                with(
                    of_version("6", json!("2"), Some(1)),
                    json!({"startDate": "2024-01-01T10:00:00.000+0000"}),
                ),
            ],
        ),
        (
            "q",
            vec![with(
                of_version("7", json!("10"), None),
                json!({"processDefinitionKey": "q"}),
            )],
        ),
    ]);
    let sorted = |by: &str| {
        configured(
            filtered(by_version(), &[completed()]),
            json!({"sorting": {"by": by, "order": "desc"}}),
        )
    };
    world.check([
        (by_version(), "1=100 2=100 10=100"),
        // Nothing of version 1 is complete, and the two definitions have a version 10 each.
        (
            filtered(by_version(), &[completed()]),
            "2=66.66666666666666 10=50",
        ),
        (
            filtered(by_version(), &[completed(), since_february]),
            "2=50 10=50",
        ),
        (sorted("key"), "10=50 2=66.66666666666666"),
        (sorted("value"), "2=66.66666666666666 10=50"),
        (
            filtered(by_version(), &[on_instances("suspendedInstancesOnly")]),
            "",
        ),
    ]);
    // The only bucket of all instances is that of version 1, the only one of those found that of version 10.
    world.bucket_limit = 1;
    world.check([(filtered(by_version(), &[completed()]), "10=-")]);
    World::of([]).check([(by_version(), "")]);
}

#[test]
fn percentages_of_instances_with_agents() {
    let agents = json!({"agentInstances": [{"agentInstanceId": "a", "flowNodeId": "A"}]});
    let incident = json!({"incidents": [{"id": "x", "activityId": "B", "incidentStatus": "resolved", "definitionKey": "p",
        "definitionVersion": "2", "createTime": "2024-03-01T10:00:00.000+0000", "durationInMs": 1}]});
    let world = World::of([
        with(
            with(of_version("1", json!("2"), Some(1)), agents.clone()),
            incident.clone(),
        ),
        with(of_version("2", json!("2"), Some(1)), agents.clone()),
        of_version("3", json!("2"), Some(1)),
        with(with(of_version("4", json!("2"), None), agents), incident),
    ]);
    let kinds = [
        "completedInstancesOnly",
        "hasAgentInstances",
        "includesResolvedIncident",
    ];
    let share = |group_by: &str, agentic: bool| {
        let share = data("processInstance-percentage", by(group_by), by("none"));
        with(
            filtered(share, &kinds.map(on_instances)),
            json!({"agenticControlReport": agentic}),
        )
    };
    world.check([
        (share("none", true), "50"),
        (share("none", false), "25"),
        (share("processDefinitionVersion", true), "2=50"),
        (share("processDefinitionVersion", false), "2=25"),
    ]);
}
