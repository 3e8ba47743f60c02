//! Several filters on several definitions.

use super::*;

/// Three definitions with the same four instances each: running or ended, and with the flow node A or B.
fn three_definitions() -> Instances {
    let instances = |key: &str| {
        let instance = |end: Option<&str>, flow_node: &str, variable: &str| {
            json!({
                "startDate": date("2024-03-01T00:00:00.000"),
                "endDate": end.map(date),
                "flowNodeInstances": [{"flowNodeId": flow_node, "definitionKey": key, "canceled": false}],
                "variables": [{"name": "v", "type": "String", "value": [variable]}],
            })
        };
        let ended = Some("2024-03-02T00:00:00.000");
        let mut found = serde_json::Map::new();
        found.insert(format!("{key}-a-ended"), instance(ended, "A", "x"));
        found.insert(format!("{key}-a-running"), instance(None, "A", "y"));
        found.insert(format!("{key}-b-ended"), instance(ended, "B", "y"));
        found.insert(format!("{key}-b-running"), instance(None, "B", "x"));
        Value::Object(found)
    };
    let definitions = ["one", "two", "three"].map(|key| (key, instances(key)));
    Instances::store("three", DefinitionKind::Process, &definitions)
}

fn applied_to(identifiers: &[&str], mut filter: Value) -> Value {
    filter["appliedTo"] = json!(identifiers);
    filter
}

#[test]
fn five_filters_on_three_definitions() {
    let instances = three_definitions();
    let filters = json!([
        applied_to(
            &["all"],
            on_instances(
                "instanceStartDate",
                json!({"type": "rolling", "start": {"value": 1, "unit": "years"}})
            )
        ),
        applied_to(
            &["id-one"],
            on_instances("runningInstancesOnly", json!(null))
        ),
        applied_to(
            &["id-two", "id-three"],
            on_instances(
                "executedFlowNodes",
                json!({"operator": "in", "values": ["B"]})
            )
        ),
        applied_to(
            &["id-three"],
            on_instances(
                "variable",
                json!({"type": "String", "name": "v", "data": {"operator": "not in", "values": ["x"]}})
            )
        ),
        applied_to(
            &["id-four", "one"],
            on_instances("doesNotIncludeIncident", json!(null))
        ),
    ]);
    assert_eq!(
        instances.found(&filters, ImplicitFilter::None, &context()),
        "one-a-running one-b-running three-b-ended two-b-ended two-b-running"
    );
    let ended = instances.found(&filters, ImplicitFilter::CompletedInstancesOnly, &context());
    assert_eq!(ended, "three-b-ended two-b-ended");
}

#[test]
fn no_filter_lets_everything_through() {
    let instances = three_definitions();
    let all = instances.found(&json!([]), ImplicitFilter::None, &context());
    assert_eq!(all.split(' ').count(), 12);
    let nobodys = applied_to(
        &["id-four"],
        on_instances("runningInstancesOnly", json!(null)),
    );
    assert_eq!(
        instances.found(&json!([nobodys]), ImplicitFilter::None, &context()),
        all
    );
}

#[test]
fn all_instances_are_those_that_date_filters_let_through() {
    let instances = three_definitions();
    let filters = process_filters(&json!([
        applied_to(
            &["id-one"],
            on_instances(
                "instanceEndDate",
                json!({"type": "fixed", "end": date("2024-04-01T00:00:00.000")})
            )
        ),
        applied_to(
            &["id-two"],
            on_instances(
                "instanceStartDate",
                json!({"type": "fixed", "end": date("2024-01-01T00:00:00.000")})
            )
        ),
        on_instances(
            "executedFlowNodes",
            json!({"operator": "in", "values": ["nowhere"]})
        ),
    ]));
    let baseline = filter::baseline_narrowing(&filters, &instances.definitions, false, &context());
    assert_eq!(
        instances.ids(&instances.scope().query(&baseline)),
        "one-a-ended one-b-ended three-a-ended three-a-running three-b-ended three-b-running"
    );
}
