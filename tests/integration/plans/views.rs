//! Reports without groups.

use super::*;

fn all(view: &str) -> Value {
    data(view, by("none"), by("none"))
}

fn aggregated(view: Value, kind: &str) -> Value {
    configured(view, json!({"aggregationTypes": [{"type": kind}]}))
}

#[test]
fn counts_and_durations() {
    let world = World::of([
        lasting("1", "2024-03-01T10:00:00", Some(1)),
        lasting("2", "2024-03-01T10:00:00", Some(2)),
        lasting("3", "2024-05-15T11:59:59.990", None),
    ]);
    let duration = all("processInstance-duration");
    world.check([
        (all("processInstance-frequency"), "3"),
        // 13 / 3 is rounded.
        (duration.clone(), "4"),
        (aggregated(duration.clone(), "sum"), "13"),
        (aggregated(duration.clone(), "max"), "10"),
        (
            configured(duration.clone(), json!({"aggregationTypes": []})),
            "-",
        ),
    ]);
    World::of([]).check([
        (all("processInstance-frequency"), "0"),
        (duration.clone(), "-"),
        (aggregated(duration, "sum"), "0"),
    ]);
}

#[test]
fn percentages() {
    let world = World::of([
        lasting("1", "2024-03-01T10:00:00", Some(1)),
        lasting("2", "2024-03-01T10:00:00", None),
        lasting("3", "2024-01-01T10:00:00", Some(1)),
    ]);
    let completed = json!({"type": "completedInstancesOnly", "filterLevel": "instance", "appliedTo": ["all"], "data": null});
    let since_february = json!({"type": "instanceStartDate", "filterLevel": "instance", "appliedTo": ["all"],
        "data": {"type": "fixed", "start": "2024-02-01T00:00:00.000+0000", "end": null}});
    let filtered = |filters: Value| {
        with(
            all("processInstance-percentage"),
            json!({"filter": filters}),
        )
    };
    world.check([
        (filtered(json!([])), "100"),
        (filtered(json!([since_february])), "100"),
        (filtered(json!([since_february, completed])), "50"),
    ]);
    World::of([]).check([(filtered(json!([])), "-")]);
}

#[test]
fn values_of_a_variable() {
    let having = |id: &str, kind: &str, value: &str| {
        let variables = json!([{"id": id, "name": "v", "type": kind, "value": [value]}]);
        instance("p", id, json!({"variables": variables}))
    };
    let world = World::of([
        having("1", "Double", "1.5"),
        having("2", "Double", "2"),
        having("3", "Long", "100"),
    ]);
    let view = |kind: &str| {
        with(
            all("variable-x"),
            json!({"view": {"entity": "variable", "properties": [{"name": "v", "type": kind}]}}),
        )
    };
    world.check([
        (view("Double"), "1.75"),
        (aggregated(view("Double"), "sum"), "3.5"),
        (view("Long"), "100"),
        (view("Short"), "-"),
    ]);
}

#[test]
fn process_parts() {
    let at = |id: &str, start: &str, end: Option<&str>| {
        let date = |time: &str| format!("2024-03-01T10:00:{time}+0000");
        with(
            flow_node(id, None),
            json!({"startDate": date(start), "endDate": end.map(date)}),
        )
    };
    let of = |id: &str, mut flow_nodes: Vec<Value>| {
        for flow_node in &mut flow_nodes {
            flow_node["processInstanceId"] = json!(id);
        }
        instance("p", id, json!({"flowNodeInstances": flow_nodes}))
    };
    let world = World::of([
        // From the first start to the first end that is not before it.
        of(
            "1",
            vec![
                at("A", "10.000", Some("11.000")),
                at("A", "05.000", Some("06.000")),
                at("B", "01.000", Some("02.000")),
                at("B", "06.000", Some("09.000")),
                at("B", "06.000", Some("12.000")),
            ],
        ),
        of(
            "2",
            vec![
                at("A", "00.000", Some("01.000")),
                at("B", "01.000", Some("02.000")),
            ],
        ),
        of(
            "3",
            vec![at("A", "00.000", Some("01.000")), at("B", "01.000", None)],
        ),
        of("4", vec![at("A", "00.000", Some("01.000"))]),
    ]);
    let part = |kind: &str, end: &str| {
        configured(
            all("processInstance-duration"),
            json!({"processPart": {"start": "A", "end": end}, "aggregationTypes": [{"type": kind}]}),
        )
    };
    world.check([
        (part("avg", "B"), "3000"),
        (part("sum", "B"), "6000"),
        (part("min", "B"), "2000"),
        (part("max", "B"), "4000"),
        (part("sum", "A"), "-"),
        (part("avg", "unknown"), "-"),
    ]);
    let mut by_day = part("avg", "B");
    by_day["groupBy"] = by_date("startDate", "day");
    world.check([(by_day, "2024-03-01T00:00:00.000+0000=3000")]);
}
