//! Filters on flow nodes and on the people of user tasks.

use super::*;

fn flow_node(id: &str, end: Option<&str>, canceled: Option<bool>) -> Value {
    json!({"flowNodeId": id, "flowNodeType": "serviceTask", "endDate": end.map(date), "canceled": canceled})
}

const ENDED: Option<&str> = Some("2024-03-01T00:00:00.000");

fn instances(test: &str) -> Instances {
    let instance = |flow_nodes: Value| json!({"flowNodeInstances": flow_nodes});
    let mut body = flow_node("A", ENDED, Some(false));
    body["flowNodeType"] = json!("multiInstanceBody");
    Instances::of_process(
        test,
        json!({
            "a-canceled": instance(json!([flow_node("A", ENDED, Some(true))])),
            "a-completed": instance(json!([flow_node("A", ENDED, Some(false))])),
            "a-ended": instance(json!([flow_node("A", ENDED, None)])),
            "a-running": instance(json!([flow_node("A", None, Some(false))])),
            "ab-running-canceled": instance(json!([flow_node("A", None, Some(false)), flow_node("B", ENDED, Some(true))])),
            "b-running": instance(json!([flow_node("B", None, Some(false))])),
            "body": instance(json!([body])),
            "none": instance(json!([])),
        }),
    )
}

#[test]
fn flow_nodes_that_were_reached() {
    let instances = instances("executed");
    let data = |operator: &str, ids: Value| json!({"operator": operator, "values": ids});
    let has = |operator, ids| on_instances("executedFlowNodes", data(operator, ids));
    let sees = |operator, ids| on_view("executedFlowNodes", data(operator, ids));
    const ALL: &str =
        "a-canceled a-completed a-ended a-running ab-running-canceled b-running body none";
    instances.check(
        &context(),
        [
            (
                has("in", json!(["A"])),
                "a-canceled a-completed a-ended a-running ab-running-canceled body",
            ),
            (
                has("in", json!(["B", "C"])),
                "ab-running-canceled b-running",
            ),
            (has("in", json!(["C"])), ""),
            (
                has("in", json!(["B", "x".repeat(100_000)])),
                "ab-running-canceled b-running",
            ),
            (
                has("not in", json!(["A", "x".repeat(100_000)])),
                "b-running none",
            ),
            (has("not in", json!(["A"])), "b-running none"),
            (has("not in", json!(["A", "B"])), "none"),
            (has("in", json!([])), ALL),
            (has("not in", json!([])), ALL),
            // A flow node that is none of them is another question.
            (sees("in", json!(["B"])), "ab-running-canceled b-running"),
            (
                sees("not in", json!(["A"])),
                "ab-running-canceled b-running",
            ),
            (sees("in", json!([])), ""),
            (
                sees("not in", json!([])),
                "a-canceled a-completed a-ended a-running ab-running-canceled b-running body",
            ),
        ],
    );
}

#[test]
fn flow_nodes_that_are_running_or_were_canceled() {
    let instances = instances("executing");
    let running = |ids: Value| on_instances("executingFlowNodes", json!({"values": ids}));
    let canceled = |ids: Value| on_instances("canceledFlowNodes", json!({"values": ids}));
    const ALL: &str =
        "a-canceled a-completed a-ended a-running ab-running-canceled b-running body none";
    instances.check(
        &context(),
        [
            (running(json!(["A"])), "a-running ab-running-canceled"),
            (running(json!(["B"])), "b-running"),
            (
                running(json!(["A", "B"])),
                "a-running ab-running-canceled b-running",
            ),
            (running(json!([])), ALL),
            (canceled(json!(["A"])), "a-canceled"),
            (
                canceled(json!(["A", "B"])),
                "a-canceled ab-running-canceled",
            ),
            (canceled(json!([])), ALL),
        ],
    );
}

#[test]
fn states_of_flow_nodes() {
    let instances = instances("status");
    let sees = |filter_type: &str| on_view(filter_type, json!(null));
    instances.check(
        &context(),
        [
            (
                sees("runningFlowNodesOnly"),
                "a-running ab-running-canceled b-running",
            ),
            (sees("completedFlowNodesOnly"), "a-completed"),
            (
                sees("canceledFlowNodesOnly"),
                "a-canceled ab-running-canceled",
            ),
            (
                sees("completedOrCanceledFlowNodesOnly"),
                "a-canceled a-completed a-ended ab-running-canceled",
            ),
        ],
    );
}

#[test]
fn people_of_user_tasks() {
    for (filter_type, field, list) in [
        ("assignee", "assignee", false),
        ("candidateGroup", "candidateGroups", true),
    ] {
        let task = |people: &[&str]| match list {
            true => json!({"flowNodeType": "userTask", (field): people}),
            false => json!({"flowNodeType": "userTask", (field): people.first()}),
        };
        let instance = |flow_nodes: Value| json!({"flowNodeInstances": flow_nodes});
        let tests = Instances::of_process(
            &field.to_lowercase(),
            json!({
                "demo": instance(json!([task(&["demo"])])),
                "demo-and-john": instance(json!([task(&["demo"]), task(&["john"])])),
                "demo-and-nobody": instance(json!([task(&["demo"]), task(&[])])),
                "john": instance(json!([task(&["john"])])),
                "no-user-task": instance(json!([{"flowNodeType": "serviceTask", (field): "demo"}])),
                "nobody": instance(json!([task(&[])])),
                "other-case": instance(json!([task(&["Demo"])])),
            }),
        );
        let data = |operator: &str, values: Value| json!({"operator": operator, "values": values});
        for level in [on_instances, on_view] {
            let filter = |operator, values| level(filter_type, data(operator, values));
            tests.check(
                &context(),
                [
                    (
                        filter("in", json!(["demo"])),
                        "demo demo-and-john demo-and-nobody",
                    ),
                    (
                        filter("in", json!(["demo", "john"])),
                        "demo demo-and-john demo-and-nobody john",
                    ),
                    (filter("in", json!([null])), "demo-and-nobody nobody"),
                    (
                        filter("in", json!(["john", null])),
                        "demo-and-john demo-and-nobody john nobody",
                    ),
                    (
                        filter("not in", json!(["demo"])),
                        "demo-and-john demo-and-nobody john nobody other-case",
                    ),
                    (
                        filter("not in", json!(["demo", null])),
                        "demo-and-john john other-case",
                    ),
                    (
                        filter("not in", json!([null])),
                        "demo demo-and-john demo-and-nobody john other-case",
                    ),
                ],
            );
        }
        let everyone = "demo demo-and-john demo-and-nobody john nobody other-case";
        let found = tests.found(&json!([]), ImplicitFilter::UserTasksOnly, &context());
        assert_eq!(found, everyone);
        if list {
            let both = json!({"both": {"flowNodeInstances": [task(&["sales", "it"])]}});
            let both = Instances::of_process("two-groups", both);
            both.check(
                &context(),
                [
                    (on_instances(filter_type, data("in", json!(["it"]))), "both"),
                    (on_instances(filter_type, data("not in", json!(["it"]))), ""),
                ],
            );
        }
    }
}
