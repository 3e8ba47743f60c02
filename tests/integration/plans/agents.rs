//! What agents have used: tokens, and calls of tools.

use optimize::plan::ad_hoc_sub_processes::AdHocSubProcesses;

use super::*;

/// What instances have in all.
fn totals(input: Value, output: Value, tool_calls: Value, tokens: Value) -> Value {
    json!({
        "agentTotalInputTokens": input,
        "agentTotalOutputTokens": output,
        "agentTotalToolCalls": tool_calls,
        "agentTotalModelCalls": 1,
        "agentTotalTokens": tokens,
    })
}

/// An agent in a flow node, with its calls of tools.
fn agent(flow_node: &str, tool_calls: Option<i64>) -> Value {
    json!({
        "agentInstanceId": format!("agent-{flow_node}"),
        "flowNodeId": flow_node,
        "flowNodeInstanceId": format!("{flow_node}-instance"),
        "flowNodeInstanceIds": [format!("{flow_node}-instance")],
        "status": "COMPLETED",
        "definition": {"model": "m", "provider": "p"},
        "metrics": {"toolCalls": tool_calls},
        "tools": [{"name": "search"}],
    })
}

fn with_agents(base: Value, totals: Value, agents: &[Value]) -> Value {
    with(with(base, totals), json!({"agentInstances": agents}))
}

/// Instances with agents of all kinds: two with numbers, one whose numbers are null, one without agents and without fields,
/// one with zeros and without agents, and one with an agent and without fields.
fn instances() -> Vec<Value> {
    let on = |id: &str, day: &str, duration| lasting(id, &format!("2024-03-{day}"), duration);
    let null = json!(null);
    vec![
        with_agents(
            on("1", "01T10:00:00", Some(1)),
            totals(json!(10), json!(5), json!(2), json!(15)),
            &[agent("A", Some(2))],
        ),
        with_agents(
            on("2", "01T12:00:00", None),
            totals(json!(20), json!(7), json!(3), json!(27)),
            &[agent("A", Some(1)), agent("B", Some(2))],
        ),
        with_agents(
            on("3", "03T10:00:00", Some(1)),
            totals(null.clone(), null.clone(), null.clone(), null),
            &[agent("A", None)],
        ),
        on("4", "03T10:00:00", Some(1)),
        with_agents(
            on("5", "03T10:00:00", Some(1)),
            totals(json!(0), json!(0), json!(0), json!(0)),
            &[],
        ),
        with_agents(
            on("6", "03T10:00:00", Some(1)),
            json!({}),
            &[agent("A", Some(0))],
        ),
    ]
}

/// A report on agents that aggregates in one way.
fn report(property: &str, group_by: Value, function: &str) -> Value {
    let view = format!("agentInstance-{property}");
    configured(
        data(&view, group_by, by("none")),
        json!({"aggregationTypes": [{"type": function}]}),
    )
}

fn all(property: &str, function: &str) -> Value {
    report(property, by("none"), function)
}

fn per_day(property: &str, date: &str, function: &str) -> Value {
    report(property, by_date(date, "day"), function)
}

/// Entries of these values for the first three days of March.
fn days(values: [&str; 3]) -> String {
    let entries = ["01", "02", "03"].into_iter().zip(values);
    let entries = entries.map(|(day, value)| format!("2024-03-{day}T00:00:00.000+0000={value}"));
    entries.collect::<Vec<_>>().join(" ")
}

fn check(world: &World, cases: impl IntoIterator<Item = (Value, String)>) {
    for (data, expected) in cases {
        assert_eq!(text(&world.result(&data)), expected, "{data}");
    }
}

#[test]
fn of_all_instances() {
    let world = World::of(instances());
    let percentile = configured(
        data("agentInstance-totalTokens", by("none"), by("process")),
        json!({"aggregationTypes": [{"type": "percentile", "value": 100}, {"type": "avg"}]}),
    );
    world.check([
        // 10, 20, null which counts as 0, and 0; the instances without the field have no say.
        (all("inputTokens", "avg"), "7.5"),
        (all("inputTokens", "sum"), "30"),
        (all("inputTokens", "max"), "20"),
        (all("outputTokens", "avg"), "3"),
        (all("outputTokens", "min"), "0"),
        (all("toolCalls", "avg"), "1.25"),
        (all("toolCalls", "max"), "3"),
        // 15, 27, and 0 of the two that don't say how many; without agents none.
        (all("totalTokens", "avg"), "10.5"),
        (all("totalTokens", "sum"), "42"),
        (all("totalTokens", "min"), "0"),
        // A distribution is ignored here, and of two functions the first counts.
        (percentile, "27"),
        (
            data("agentInstance-inputTokens", by("none"), by("none")),
            "7.5",
        ),
    ]);
}

#[test]
fn per_day_of_instances() {
    let world = World::of(instances());
    check(
        &world,
        [
            (per_day("inputTokens", "startDate", "avg"), ["15", "-", "0"]),
            (per_day("inputTokens", "startDate", "sum"), ["30", "0", "0"]),
            (per_day("inputTokens", "endDate", "sum"), ["10", "0", "0"]),
            (per_day("outputTokens", "startDate", "avg"), ["6", "-", "0"]),
            (per_day("outputTokens", "endDate", "max"), ["5", "-", "0"]),
            (per_day("toolCalls", "startDate", "avg"), ["2.5", "-", "0"]),
            (per_day("toolCalls", "endDate", "min"), ["2", "-", "0"]),
            (per_day("totalTokens", "startDate", "avg"), ["21", "-", "0"]),
            (per_day("totalTokens", "endDate", "sum"), ["15", "0", "0"]),
        ]
        .map(|(data, values)| (data, days(values))),
    );
}

#[test]
fn where_there_are_no_instances() {
    let world = World::of([]);
    for property in ["inputTokens", "outputTokens", "toolCalls", "totalTokens"] {
        check(
            &world,
            [
                (all(property, "avg"), "-"),
                (all(property, "sum"), "0"),
                (all(property, "max"), "-"),
                (per_day(property, "startDate", "avg"), ""),
                (per_day(property, "endDate", "sum"), ""),
            ]
            .map(|(data, expected)| (data, expected.to_owned())),
        );
    }
    world.check([
        (report("totalTokens", by("processDefinitionKey"), "sum"), ""),
        (data("flowNode-toolCalls", by("flowNodes"), by("none")), ""),
    ]);
}

#[test]
fn tokens_of_definitions_that_are_called_by_name() {
    let tokens = |id: &str, tokens: i64| {
        with_agents(
            lasting(id, "2024-03-01T10:00:00", Some(1)),
            json!({"agentTotalTokens": tokens}),
            &[agent("A", Some(1))],
        )
    };
    let of = |key: &str, instance| with(instance, json!({"processDefinitionKey": key}));
    let mut world = World::of_definitions([
        ("p", vec![tokens("1", 10), tokens("2", 30)]),
        ("Q", vec![of("Q", tokens("3", 5))]),
        (
            "r",
            vec![of("r", lasting("4", "2024-03-01T10:00:00", Some(1)))],
        ),
        ("s", vec![]),
    ]);
    let names = [("p", "Zoo"), ("r", "Bar")].map(|(key, name)| (key.to_owned(), name.to_owned()));
    world.models.definition_names = names.into();
    let by_key = |function| report("totalTokens", by("processDefinitionKey"), function);
    let sorted = |by: &str, order: &str| {
        let mut data = by_key("sum");
        data["configuration"]["sorting"] = json!({"by": by, "order": order});
        data
    };
    world.check([
        (by_key("sum"), "p(Zoo)=40 Q=5 r(Bar)=0"),
        (by_key("avg"), "p(Zoo)=20 Q=5 r(Bar)=-"),
        (sorted("value", "desc"), "p(Zoo)=40 Q=5 r(Bar)=0"),
        (sorted("label", "asc"), "r(Bar)=0 Q=5 p(Zoo)=40"),
        (sorted("key", "desc"), "r(Bar)=0 Q=5 p(Zoo)=40"),
    ]);
}

/// A process with an ad-hoc sub-process of two tools, and a step behind one of them.
const AD_HOC: &str = r#"<definitions><process id="p"><startEvent id="A"/><adHocSubProcess id="H"><serviceTask id="X"/>
    <userTask id="Y"/><task id="F"><incoming>f</incoming></task><sequenceFlow id="f" sourceRef="X" targetRef="F"/>
    </adHocSubProcess></process></definitions>"#;

fn with_ad_hoc(mut world: World, bpmn: &str) -> World {
    let flow_nodes = vec![
        element("A", Some("Start"), "startEvent"),
        element("B", None, "serviceTask"),
        element("H", Some("Agent"), "adHocSubProcess"),
        element("X", Some("Search"), "serviceTask"),
        element("Y", None, "userTask"),
        element("F", None, "task"),
    ];
    world.models = ProcessModels::of(&[Arc::new(ProcessModel {
        flow_nodes,
        user_tasks: Vec::new(),
    })]);
    world.models.ad_hoc_sub_processes = AdHocSubProcesses::of(bpmn);
    world
}

/// Executed are the tools `X` three times and `Y` once, the step behind, and `B`.
fn executed() -> Value {
    let executed = ["X", "X", "X", "Y", "F", "B"].map(|id| flow_node(id, Some(1)));
    json!({"flowNodeInstances": executed})
}

fn tool_calls(function: &str) -> Value {
    configured(
        data("flowNode-toolCalls", by("flowNodes"), by("none")),
        json!({"aggregationTypes": [{"type": function}]}),
    )
}

#[test]
fn calls_of_tools_by_flow_node() {
    let on = |id| lasting(id, "2024-03-01T10:00:00", Some(1));
    let instances = || {
        vec![
            with_agents(
                on("1"),
                executed(),
                &[
                    agent("A", Some(4)),
                    agent("H", Some(9)),
                    agent("Z", Some(5)),
                ],
            ),
            with_agents(on("2"), json!({}), &[agent("A", Some(1)), agent("B", None)]),
        ]
    };
    let world = with_ad_hoc(World::of(instances()), AD_HOC);
    let on_view = json!([{"type": "completedFlowNodesOnly", "filterLevel": "view", "appliedTo": ["all"], "data": null}]);
    let mut heat = configured(
        tool_calls("sum"),
        json!({"aggregationTypes": [{"type": "sum"}], "xml": "<x><adHocSubProcess id=\"H\"><serviceTask id=\"X\"/></adHocSubProcess>
            <BPMNShape bpmnElement=\"H\" isExpanded=\"false\"/></x>"}),
    );
    heat["visualization"] = json!("heat");
    let by_value = configured(
        tool_calls("sum"),
        json!({"aggregationTypes": [{"type": "sum"}], "sorting": {"by": "value", "order": "desc"}}),
    );
    world.check([
        // Neither the sub-process nor the step behind a tool has a value; `Z` is not in the model. It is not rounded.
        (
            tool_calls("avg"),
            "A(Start)=2.5 B=- F=- H(Agent)=- X(Search)=3 Y=1",
        ),
        // Tools show how often they were executed, whatever is asked for.
        (
            tool_calls("sum"),
            "A(Start)=5 B=0 F=- H(Agent)=- X(Search)=3 Y=1",
        ),
        (heat, "A(Start)=5 B=0 F=- H(Agent)=- Y=1"),
        // The second instance has no flow node that the filter asks for; nothing else is narrowed, and nothing is added.
        (
            with(tool_calls("max"), json!({"filter": on_view})),
            "A(Start)=4 X(Search)=3 Y=1",
        ),
    ]);
    let found = text(&world.result(&by_value));
    assert!(
        found.starts_with("A(Start)=5 X(Search)=3 Y=1 B=0 "),
        "{found}"
    );
    let without_ad_hoc = with_ad_hoc(World::of(instances()), "<definitions/>");
    without_ad_hoc.check([(
        tool_calls("sum"),
        "A(Start)=5 B=0 F=- H(Agent)=9 X(Search)=- Y=-",
    )]);
    // What is an agent of its own counts as such, though it is a tool too.
    let agent_as_tool = with_agents(on("1"), executed(), &[agent("X", Some(7))]);
    with_ad_hoc(World::of([agent_as_tool]), AD_HOC).check([(
        tool_calls("sum"),
        "A(Start)=- B=- F=- H(Agent)=- X(Search)=7 Y=1",
    )]);
}

#[test]
fn calls_of_tools_without_agents() {
    let on = |changes| with(lasting("1", "2024-03-01T10:00:00", Some(1)), changes);
    with_ad_hoc(World::of([on(executed())]), AD_HOC).check([(
        tool_calls("avg"),
        "A(Start)=- B=- F=- H(Agent)=- X(Search)=3 Y=1",
    )]);
    with_ad_hoc(World::of([on(json!({}))]), AD_HOC).check([(tool_calls("avg"), "")]);
    with_ad_hoc(World::of([on(executed())]), "no XML").check([(tool_calls("avg"), "")]);
}

#[test]
fn an_index_without_the_fields_of_agents() {
    let stored = || {
        vec![
            with(
                lasting("1", "2024-03-01T10:00:00", Some(1)),
                json!({"flowNodeInstances": [flow_node("X", Some(1))]}),
            ),
            lasting("2", "2024-03-03T10:00:00", Some(1)),
        ]
    };
    let world = World::without_agent_fields([("p", stored())]);
    for property in ["inputTokens", "outputTokens", "toolCalls", "totalTokens"] {
        let percentile = configured(
            all(property, "avg"),
            json!({"aggregationTypes": [{"type": "percentile", "value": 50}]}),
        );
        check(
            &world,
            [
                (all(property, "avg"), "-".to_owned()),
                (all(property, "min"), "-".to_owned()),
                (all(property, "max"), "-".to_owned()),
                (all(property, "sum"), "0".to_owned()),
                (percentile, "-".to_owned()),
                (per_day(property, "startDate", "avg"), days(["-", "-", "-"])),
                (per_day(property, "endDate", "sum"), days(["0", "0", "0"])),
            ],
        );
    }
    let has_agents = json!([{"type": "hasAgentInstances", "filterLevel": "instance", "appliedTo": ["all"], "data": null}]);
    world.check([
        (
            report("totalTokens", by("processDefinitionKey"), "avg"),
            "p=-",
        ),
        (tool_calls("avg"), ""),
        (
            with(
                data("processInstance-percentage", by("none"), by("none")),
                json!({"filter": has_agents, "agenticControlReport": true}),
            ),
            "-",
        ),
    ]);
    with_ad_hoc(world, AD_HOC).check([(
        tool_calls("max"),
        "A(Start)=- B=- F=- H(Agent)=- X(Search)=1 Y=-",
    )]);
    // Beside an index that has them.
    let newer = with_agents(
        with(
            lasting("3", "2024-03-01T10:00:00", Some(1)),
            json!({"processDefinitionKey": "q"}),
        ),
        totals(json!(8), json!(4), json!(2), json!(12)),
        &[agent("A", Some(2)), agent("A", Some(3))],
    );
    let both = World::without_agent_fields([("p", stored()), ("q", vec![newer])]);
    both.check([
        (all("inputTokens", "avg"), "8"),
        (all("totalTokens", "avg"), "12"),
        (
            report("totalTokens", by("processDefinitionKey"), "avg"),
            "p=- q=12",
        ),
        (tool_calls("avg"), "A(Start)=2.5 B=- T(Task)=- U=-"),
    ]);
    check(
        &both,
        [(
            per_day("totalTokens", "startDate", "max"),
            days(["12", "-", "-"]),
        )],
    );
}
