//! Groups by flow node, and incidents.

use super::*;

fn world() -> World {
    World::of([
        instance(
            "p",
            "1",
            json!({"flowNodeInstances": [
                flow_node("A", Some(10)), flow_node("A", Some(21)), flow_node("Z", Some(1)),
                with(flow_node("A", Some(1)), json!({"definitionKey": "other"}))],
                "incidents": [
                    {"id": "x", "activityId": "B", "incidentStatus": "open", "definitionKey": "p", "definitionVersion": "1",
                     "createTime": "2024-05-15T11:59:59.000+0000"},
                    {"id": "y", "activityId": "B", "incidentStatus": "resolved", "definitionKey": "p", "definitionVersion": "1",
                     "createTime": "2024-05-15T11:59:59.000+0000", "durationInMs": 500}]}),
        ),
        instance("p", "2", json!({})),
    ])
}

#[test]
fn all_flow_nodes_of_the_model_and_no_others() {
    let grouped = |view: &str| data(view, by("flowNodes"), by("none"));
    let sorted = json!({"sorting": {"by": "value", "order": "asc"}});
    let on_view = json!([{"type": "completedFlowNodesOnly", "filterLevel": "view", "appliedTo": ["all"], "data": null}]);
    world().check([
        (
            grouped("flowNode-frequency"),
            "A(Start)=2 B=- T(Task)=- U=-",
        ),
        // 15.5 is rounded up.
        (
            grouped("flowNode-duration"),
            "A(Start)=16 B=- T(Task)=- U=-",
        ),
        (
            configured(grouped("flowNode-frequency"), sorted),
            "A(Start)=2 B=- T(Task)=- U=-",
        ),
        (
            with(grouped("flowNode-frequency"), json!({"filter": on_view})),
            "A(Start)=2",
        ),
        (
            grouped("incident-frequency"),
            "A(Start)=- B=2 T(Task)=- U=-",
        ),
        (
            grouped("incident-duration"),
            "A(Start)=- B=750 T(Task)=- U=-",
        ),
    ]);
}

#[test]
fn incidents_of_all_instances() {
    let all = |view: &str| data(view, by("none"), by("none"));
    world().check([
        (all("incident-frequency"), "2"),
        (
            configured(
                all("incident-duration"),
                json!({"aggregationTypes": [{"type": "max"}]}),
            ),
            "1000",
        ),
    ]);
    World::of([]).check([
        (all("incident-frequency"), "0"),
        (all("incident-duration"), "-"),
    ]);
}

#[test]
fn heat_maps_hide_what_is_in_collapsed_subprocesses() {
    let xml = r#"<definitions xmlns:di="d"><process><subProcess id="S"><task id="B"/></subProcess></process>
        <di:BPMNShape bpmnElement="S" isExpanded="false"/></definitions>"#;
    let heat = configured(
        with(
            data("flowNode-frequency", by("flowNodes"), by("none")),
            json!({"visualization": "heat"}),
        ),
        json!({"xml": xml}),
    );
    world().check([(heat, "A(Start)=2 T(Task)=- U=-")]);
}
