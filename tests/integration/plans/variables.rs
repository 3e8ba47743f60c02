//! Groups by the values of variables.

use super::*;

fn having(id: &str, variable_type: &str, value: Value) -> Value {
    let variables = json!([{"id": id, "name": "v", "type": variable_type, "value": value}]);
    instance("p", id, json!({"variables": variables}))
}

fn by_v(variable_type: &str) -> Value {
    data(
        "processInstance-frequency",
        by_variable("v", variable_type),
        by("none"),
    )
}

#[test]
fn texts() {
    let world = World::of([
        having("1", "String", json!(["b"])),
        having("2", "String", json!(["A", "b"])),
        having("3", "String", json!(null)),
        having("4", "Long", json!(["1"])),
        instance("p", "5", json!({})),
    ]);
    let sorted = |by: &str, order: &str| {
        configured(
            by_v("String"),
            json!({"sorting": {"by": by, "order": order}}),
        )
    };
    world.check([
        (by_v("String"), "A=1 b=2 missing=3"),
        (sorted("key", "desc"), "b=2 A=1 missing=3"),
        (sorted("value", "desc"), "missing=3 b=2 A=1"),
        (by_v("Boolean"), "missing=5"),
        (by_v("Long"), "1=1 missing=4"),
        // The range is that of all variables with this name, and the Long has one as Double too; but it is in no bucket.
        (by_v("Double"), "1.00=0 missing=5"),
        (by_v("Date"), ""),
    ]);
    World::of([]).check([(by_v("String"), "")]);
}

#[test]
fn numbers() {
    let bucket = |baseline: &str, size: &str| json!({"customBucket": {"active": true, "baseline": baseline, "bucketSize": size}});
    let doubles = World::of([
        having("1", "Double", json!(["10"])),
        having("2", "Double", json!(["110.5"])),
        having("3", "Double", json!(["300"])),
    ]);
    doubles.check([
        (
            configured(by_v("Double"), bucket("10", "100")),
            "10.00=1 110.00=1 210.00=1",
        ),
        // An instance below the first bucket counts as missing, although it is not.
        (
            configured(by_v("Double"), bucket("50", "200")),
            "50.00=1 250.00=1 missing=0",
        ),
        (configured(by_v("Double"), bucket("301", "200")), ""),
    ]);
    let integers = World::of([
        having("1", "Integer", json!(["-10"])),
        having("2", "Integer", json!(["8"])),
        having("3", "Integer", json!(["20"])),
    ]);
    integers.check([(
        configured(by_v("Integer"), bucket("-1", "10")),
        "-1=1 9=0 19=1 missing=0",
    )]);
}

#[test]
fn dates() {
    let world = World::of([
        having("1", "Date", json!(["2024-01-01T10:00:00.000+0000"])),
        having("2", "Date", json!(["2024-01-03T10:00:00.000+0000"])),
        instance("p", "3", json!({})),
    ]);
    // The user's order has no say.
    world.check([(
        configured(
            by_v("Date"),
            json!({"groupByDateVariableUnit": "day", "sorting": {"by": "value", "order": "desc"}}),
        ),
        "2024-01-01T00:00:00.000+0000=1 2024-01-02T00:00:00.000+0000=0 2024-01-03T00:00:00.000+0000=1 missing=1",
    )]);
    let ReportResult::Map(entries) = world.result(&by_v("Date")) else {
        panic!("no map");
    };
    assert_eq!(entries.len(), 81);
    assert_eq!(&*entries[80].key, "missing");
}

#[test]
fn flow_nodes_of_instances_with_a_value() {
    let flow_nodes =
        json!({"flowNodeInstances": [flow_node("A", Some(4)), flow_node("B", Some(8))]});
    let world = World::of([
        with(having("1", "Boolean", json!(["true"])), flow_nodes),
        having("2", "Boolean", json!(["false"])),
    ]);
    let grouped = |view: &str, into: &str| data(view, by_variable("v", "Boolean"), by(into));
    world.check([
        (grouped("flowNode-frequency", "none"), "false=0 true=2"),
        (grouped("flowNode-duration", "none"), "false=- true=6"),
        (
            grouped("flowNode-frequency", "flowNode"),
            "false[A(Start)=- B=- T(Task)=- U=-] true[A(Start)=1 B=1 T(Task)=- U=-]",
        ),
    ]);
}
