//! Groups by duration.

use super::*;

fn lasted(durations: &[i64]) -> World {
    let instances = durations.iter().enumerate().map(|(number, duration)| {
        lasting(
            &format!("i{number}"),
            "2024-03-01T10:00:00",
            Some(*duration),
        )
    });
    World::of(instances.collect::<Vec<_>>())
}

fn by_duration() -> Value {
    data("processInstance-frequency", by("duration"), by("none"))
}

fn custom(baseline: &str, size: &str) -> Value {
    let bucket = json!({"active": true, "baseline": baseline, "bucketSize": size});
    configured(by_duration(), json!({"customBucket": bucket}))
}

#[test]
fn buckets_of_powers_of_ten() {
    lasted(&[1401, 1402, 2004]).check([(
        by_duration(),
        "1000.0=0 1100.0=0 1200.0=0 1300.0=0 1400.0=2 1500.0=0 1600.0=0 1700.0=0 1800.0=0 1900.0=0 2000.0=1",
    )]);
    lasted(&[10_000_000]).check([(by_duration(), "1.0E7=1")]);
    lasted(&[0, 0]).check([(by_duration(), "0.0=2")]);
    World::of([]).check([(by_duration(), "")]);
}

#[test]
fn buckets_of_the_user() {
    lasted(&[100, 200, 300, 5]).check([
        (custom("10", "100"), "10.0=1 110.0=1 210.0=1"),
        (custom("301", "100"), ""),
        (custom("100", "200"), "100.0=2 300.0=1"),
    ]);
}

#[test]
fn what_is_running_has_lasted_until_now() {
    // An hour before now.
    let world = World::of([lasting("running", "2024-05-15T11:00:00", None)]);
    world.check([
        (custom("0", "3600000"), "0.0=0 3600000.0=1"),
        (
            data("processInstance-duration", by("none"), by("none")),
            "3600000",
        ),
    ]);
}

#[test]
fn durations_of_flow_nodes_and_user_tasks() {
    let world = World::of([instance(
        "p",
        "i",
        json!({"flowNodeInstances": [
            flow_node("A", Some(10)),
            flow_node("B", Some(12)),
            with(flow_node("T", Some(11)), json!({"idleDurationInMs": 10, "workDurationInMs": 1}))]}),
    )]);
    let grouped = |view: &str, into: &str| data(view, by("duration"), by(into));
    world.check([
        (grouped("flowNode-frequency", "none"), "10.0=1 11.0=1 12.0=1"),
        (
            grouped("flowNode-frequency", "flowNode"),
            "10.0[A(Start)=1 B=- T(Task)=- U=-] 11.0[A(Start)=- B=- T(Task)=1 U=-] 12.0[A(Start)=- B=1 T(Task)=- U=-]",
        ),
        (grouped("userTask-frequency", "none"), "10.0=0 11.0=1"),
        (
            configured(
                grouped("userTask-frequency", "userTask"),
                json!({"userTaskDurationTimes": ["idle", "total"]}),
            ),
            "10.0[T(Task)=1 U=-]",
        ),
    ]);
}
