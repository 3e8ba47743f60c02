//! Filters on the durations of instances and flow nodes.

use super::*;

/// A second, in every unit that can say it or the like; an instance that lasted or lasts so long, and its neighbours.
fn lives(with: impl Fn(Option<i64>, Option<&str>) -> Value) -> Value {
    json!({
        "ended-999": with(Some(999), Some("2020-01-01T00:00:00.000")),
        "ended-1000": with(Some(1000), Some("2020-01-01T00:00:00.000")),
        "ended-1001": with(Some(1001), Some("2020-01-01T00:00:00.000")),
        // Now is 2024-05-15T12:34:56.789.
        "running-999": with(None, Some("2024-05-15T12:34:55.790")),
        "running-1000": with(None, Some("2024-05-15T12:34:55.789")),
        "running-1001": with(None, Some("2024-05-15T12:34:55.788")),
        "unknown": with(None, None),
    })
}

fn filters(with: impl Fn(Value) -> Value) -> Vec<(Value, &'static str)> {
    let than = |operator: &str, value: Value, unit: &str, include_null: bool| {
        with(
            json!({"value": value, "unit": unit, "operator": operator, "includeNull": include_null}),
        )
    };
    let second = |operator: &str, include_null| than(operator, json!(1), "seconds", include_null);
    const ALL: &str = "ended-1000 ended-1001 ended-999 running-1000 running-1001 running-999";
    vec![
        (second("<", false), "ended-999 running-999"),
        (
            second("<=", false),
            "ended-1000 ended-999 running-1000 running-999",
        ),
        (second(">", false), "ended-1001 running-1001"),
        (
            second(">=", false),
            "ended-1000 ended-1001 running-1000 running-1001",
        ),
        (second("<", true), "ended-999 running-999 unknown"),
        (
            second("<=", true),
            "ended-1000 ended-999 running-1000 running-999 unknown",
        ),
        (second(">", true), "ended-1001 running-1001 unknown"),
        (
            second(">=", true),
            "ended-1000 ended-1001 running-1000 running-1001 unknown",
        ),
        (
            than("<", json!("1000"), "millis", false),
            "ended-999 running-999",
        ),
        (than("<", json!(1), "minutes", false), ALL),
        (than(">", json!(1), "halfDays", false), ""),
        (than(">", json!(0), "years", false), ALL),
        (than("<", json!(-1), "days", false), ""),
        // Before 1970, before the year 1, and after the year 9999.
        (than("<", json!(60), "years", false), ALL),
        (than(">", json!(60), "years", false), ""),
        (than(">=", json!(60), "years", true), "unknown"),
        (than("<", json!(i64::MAX), "millis", false), ALL),
        (than(">", json!(i64::MAX), "millis", false), ""),
        (than(">", json!(i64::MIN), "millis", false), ALL),
        (than("<=", json!(i64::MIN), "millis", false), ""),
    ]
}

#[test]
fn durations_of_instances() {
    let instances = Instances::of_process(
        "duration",
        lives(|duration, start| json!({"duration": duration, "startDate": start.map(date)})),
    );
    instances.check(
        &context(),
        filters(|data| on_instances("processInstanceDuration", data)),
    );
}

#[test]
fn durations_of_flow_nodes() {
    let life = |duration: Option<i64>, start: Option<&str>| json!({"totalDurationInMs": duration, "startDate": start.map(date)});
    let instances = Instances::of_process(
        "flow-node-duration",
        lives(|duration, start| {
            let mut flow_node = life(duration, start);
            flow_node["flowNodeId"] = json!("A");
            // The time that somebody worked on it does not count.
            flow_node["workDurationInMs"] = json!(7);
            json!({"flowNodeInstances": [flow_node, {"flowNodeId": "B", "totalDurationInMs": 0}]})
        }),
    );
    instances.check(
        &context(),
        filters(|data| on_instances("flowNodeDuration", json!({"A": data}))),
    );
    instances.check(
        &context(),
        filters(|data| on_view("flowNodeDuration", json!({"A": data}))),
    );
    let than = |operator: &str, millis: i64| json!({"value": millis, "unit": "millis", "operator": operator});
    instances.check(
        &context(),
        [
            // One of the listed flow nodes is enough; each has its own condition.
            (
                on_instances(
                    "flowNodeDuration",
                    json!({"A": than(">", 1000), "B": than(">", 0)}),
                ),
                "ended-1001 running-1001",
            ),
            (
                on_instances(
                    "flowNodeDuration",
                    json!({"A": than(">", 1000), "B": than("<=", 0)}),
                ),
                "ended-1000 ended-1001 ended-999 running-1000 running-1001 running-999 unknown",
            ),
            (
                on_instances("flowNodeDuration", json!({"C": than(">", 0)})),
                "",
            ),
            (
                on_instances("flowNodeDuration", json!({})),
                "ended-1000 ended-1001 ended-999 running-1000 running-1001 running-999 unknown",
            ),
        ],
    );
}

#[test]
fn an_empty_list_of_durations_asks_for_any_flow_node() {
    let instances = Instances::of_process(
        "no-durations",
        json!({"with": {"flowNodeInstances": [{"flowNodeId": "A", "canceled": true}]}, "without": {}}),
    );
    let empty = || json!({});
    instances.check(
        &context(),
        [
            (on_instances("flowNodeDuration", empty()), "with"),
            (on_view("flowNodeDuration", empty()), "with"),
        ],
    );
    // Beside another filter of the view level nothing can satisfy it.
    let both = json!([
        on_view("flowNodeDuration", empty()),
        on_view("canceledFlowNodesOnly", json!(null))
    ]);
    assert_eq!(instances.found(&both, ImplicitFilter::None, &context()), "");
}
