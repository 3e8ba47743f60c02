//! Filters of the view level together, on instances and in aggregations.

use super::*;

fn task(id: &str, assignee: &str, millis: i64) -> Value {
    json!({"flowNodeId": id, "flowNodeType": "userTask", "assignee": assignee, "totalDurationInMs": millis,
        "definitionKey": "process", "endDate": date("2024-03-01T00:00:00.000"), "canceled": false})
}

fn instances(test: &str) -> Instances {
    let service = json!({"flowNodeId": "S", "flowNodeType": "serviceTask", "totalDurationInMs": 5000, "definitionKey": "process",
        "endDate": null, "canceled": false});
    let mut foreign = task("A", "demo", 9000);
    foreign["definitionKey"] = json!("other");
    let mut of_tenant = task("A", "demo", 9000);
    of_tenant["tenantId"] = json!("acme");
    Instances::of_process(
        test,
        json!({
            "both-on-one": {"flowNodeInstances": [task("A", "demo", 2000), task("B", "john", 1)]},
            "on-two": {"flowNodeInstances": [task("A", "demo", 1), task("B", "john", 2000)]},
            "service": {"flowNodeInstances": [service]},
            "foreign": {"flowNodeInstances": [foreign, of_tenant]},
        }),
    )
}

fn assigned_to(person: &str) -> Value {
    on_view("assignee", json!({"operator": "in", "values": [person]}))
}

fn longer(id: &str, millis: i64) -> Value {
    on_view(
        "flowNodeDuration",
        json!({id: {"value": millis, "unit": "millis", "operator": ">"}}),
    )
}

fn flow_nodes(operator: &str, ids: &[&str]) -> Value {
    on_view(
        "executedFlowNodes",
        json!({"operator": operator, "values": ids}),
    )
}

#[test]
fn one_flow_node_has_to_satisfy_all_of_them() {
    let instances = instances("together");
    let found = |filters: Value| instances.found(&filters, ImplicitFilter::None, &context());
    assert_eq!(
        found(json!([assigned_to("demo"), longer("A", 1000)])),
        "both-on-one foreign"
    );
    assert_eq!(found(json!([assigned_to("demo"), longer("B", 1000)])), "");
    assert_eq!(
        found(json!([assigned_to("john"), flow_nodes("not in", &["A"])])),
        "both-on-one on-two"
    );
    assert_eq!(
        found(json!([assigned_to("john"), flow_nodes("in", &["A"])])),
        ""
    );
    // On the instance level two flow nodes do.
    let mut on_instance = assigned_to("john");
    on_instance["filterLevel"] = json!("instance");
    assert_eq!(
        found(json!([on_instance, longer("A", 1000)])),
        "both-on-one"
    );
    // As they do for filters of two lists: for all definitions, and for this one.
    let mut for_this = assigned_to("john");
    for_this["appliedTo"] = json!(["id-process"]);
    assert_eq!(found(json!([for_this, longer("A", 1000)])), "both-on-one");
    // Two durations are alternatives.
    assert_eq!(
        found(json!([longer("A", 1000), longer("B", 1000)])),
        "both-on-one foreign on-two"
    );
}

#[test]
fn a_user_task_report_asks_for_a_user_task() {
    let instances = instances("user-tasks");
    let mut context = context();
    let long = json!([longer("S", 1)]);
    assert_eq!(
        instances.found(&long, ImplicitFilter::None, &context),
        "service"
    );
    context.user_task_report = true;
    assert_eq!(instances.found(&long, ImplicitFilter::None, &context), "");
    let none = json!([]);
    assert_eq!(
        instances.found(&none, ImplicitFilter::UserTasksOnly, &context),
        "both-on-one foreign on-two"
    );
}

#[test]
fn aggregations_count_the_flow_nodes_that_filters_let_through() {
    let instances = instances("model-elements");
    let all = instances
        .scope()
        .query(&optimize::scope::Narrowing::default());
    let mut context = context();
    let count = |filters: Value, context: &FilterContext| {
        let filters = process_filters(&filters);
        let within = filter::model_element_filter(&filters, &instances.definitions, context);
        instances.count_nested("flowNodeInstances", &all, &within)
    };
    // Four user tasks and a service task; those of another definition or tenant don't count.
    assert_eq!(count(json!([]), &context), 5);
    assert_eq!(count(json!([assigned_to("demo")]), &context), 2);
    assert_eq!(
        count(
            json!([on_view(
                "assignee",
                json!({"operator": "not in", "values": ["demo"]})
            )]),
            &context
        ),
        2
    );
    assert_eq!(
        count(json!([assigned_to("demo"), longer("A", 1000)]), &context),
        1
    );
    assert_eq!(count(json!([flow_nodes("in", &["A", "S"])]), &context), 3);
    assert_eq!(
        count(json!([flow_nodes("not in", &["A", "S"])]), &context),
        2
    );
    assert_eq!(
        count(
            json!([on_view("runningFlowNodesOnly", json!(null))]),
            &context
        ),
        1
    );
    assert_eq!(
        count(
            json!([on_view("completedFlowNodesOnly", json!(null))]),
            &context
        ),
        4
    );
    assert_eq!(
        count(
            json!([on_view("canceledFlowNodesOnly", json!(null))]),
            &context
        ),
        0
    );
    assert_eq!(
        count(
            json!([on_view("completedOrCanceledFlowNodesOnly", json!(null))]),
            &context
        ),
        4
    );
    let ended = on_view(
        "flowNodeEndDate",
        json!({"type": "fixed", "end": date("2024-03-01T00:00:00.000")}),
    );
    assert_eq!(count(json!([ended]), &context), 4);
    // Two durations have both to hold here.
    assert_eq!(
        count(json!([longer("A", 1000), longer("A", 1)]), &context),
        1
    );
    assert_eq!(
        count(json!([longer("A", 1000), longer("B", 1000)]), &context),
        0
    );
    // Filters of the instance level have no say.
    assert_eq!(
        count(
            json!([on_instances("canceledFlowNodes", json!({"values": ["A"]}))]),
            &context
        ),
        5
    );
    let mut for_this = assigned_to("demo");
    for_this["appliedTo"] = json!(["id-process"]);
    assert_eq!(count(json!([for_this]), &context), 2);
    context.user_task_report = true;
    assert_eq!(count(json!([]), &context), 4);
}

#[test]
fn aggregations_count_the_incidents_that_filters_let_through() {
    let incident = |status: &str, flow_node: &str, key: &str| json!({"incidentStatus": status, "activityId": flow_node, "definitionKey": key});
    let instances = Instances::of_process(
        "incident-elements",
        json!({"any": {"incidents": [
            incident("open", "A", "process"), incident("open", "B", "process"), incident("resolved", "A", "process"),
            incident("deleted", "C", "process"), incident("open", "A", "other")]}}),
    );
    let all = instances
        .scope()
        .query(&optimize::scope::Narrowing::default());
    let count = |filters: Value| {
        let within = filter::incident_filter(&process_filters(&filters), &instances.definitions);
        instances.count_nested("incidents", &all, &within)
    };
    let open = || on_view("includesOpenIncident", json!(null));
    let resolved = || on_view("includesResolvedIncident", json!(null));
    assert_eq!(count(json!([])), 4);
    assert_eq!(count(json!([open()])), 2);
    assert_eq!(count(json!([resolved()])), 1);
    assert_eq!(count(json!([open(), resolved()])), 0);
    assert_eq!(count(json!([flow_nodes("in", &["A"])])), 2);
    assert_eq!(count(json!([flow_nodes("not in", &["A"])])), 2);
    assert_eq!(count(json!([open(), flow_nodes("in", &["A"])])), 1);
    assert_eq!(
        count(json!([on_instances("includesClosedIncident", json!(null))])),
        4
    );
}
