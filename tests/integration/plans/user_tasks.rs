//! Groups by user task, assignee and candidate group.

use super::*;

/// `T` three times: worked on by `bob`, claimed by `Ann` and running, and unclaimed and running; `U` never.
fn world() -> World {
    let task = |changes: Value| with(flow_node("T", None), changes);
    World::of([
        instance(
            "p",
            "1",
            json!({"flowNodeInstances": [
                with(flow_node("T", Some(100)), json!({"assignee": "bob", "candidateGroups": ["g", "h"],
                    "idleDurationInMs": 40, "workDurationInMs": 60})),
                flow_node("A", Some(1))]}),
        ),
        instance(
            "p",
            "2",
            json!({"flowNodeInstances": [
                task(json!({"startDate": "2024-05-15T11:59:59.000+0000", "assignee": "Ann", "idleDurationInMs": 300}))]}),
        ),
        instance(
            "p",
            "3",
            json!({"flowNodeInstances": [task(json!({"startDate": "2024-05-15T11:59:58.000+0000", "candidateGroups": ["g"]}))]}),
        ),
    ])
}

fn timed(data: Value, time: &str, aggregation: &str) -> Value {
    configured(
        data,
        json!({"userTaskDurationTimes": [time], "aggregationTypes": [{"type": aggregation}]}),
    )
}

#[test]
fn by_user_task() {
    let grouped = |view: &str, into: &str| data(view, by("userTasks"), by(into));
    let durations = grouped("userTask-duration", "none");
    world().check([
        (grouped("userTask-frequency", "none"), "T(Task)=3 U=-"),
        (
            grouped("userTask-frequency", "assignee"),
            "T(Task)[Ann=1 bob=1 unassignedUserTasks___(Unassigned)=1] U[Ann=- bob=- unassignedUserTasks___(Unassigned)=-]",
        ),
        (
            grouped("userTask-frequency", "candidateGroup"),
            "T(Task)[g=2 h=1 unassignedUserTasks___(Unassigned)=1] U[g=- h=- unassignedUserTasks___(Unassigned)=-]",
        ),
        // 100 + 1000 + 2000, 40 + 300 + 2000, 60 + 700 and nothing of the unclaimed one.
        (timed(durations.clone(), "total", "sum"), "T(Task)=3100 U=-"),
        (timed(durations.clone(), "idle", "sum"), "T(Task)=2340 U=-"),
        (timed(durations.clone(), "work", "sum"), "T(Task)=760 U=-"),
        (timed(durations.clone(), "work", "min"), "T(Task)=60 U=-"),
        (timed(durations, "total", "max"), "T(Task)=2000 U=-"),
    ]);
}

#[test]
fn by_assignee_and_candidate_group() {
    let grouped = |view: &str, kind: &str, into: &str| data(view, by(kind), by(into));
    let durations = grouped("userTask-duration", "assignee", "none");
    world().check([
        // By label, without regard to case.
        (
            grouped("userTask-frequency", "assignee", "none"),
            "Ann=1 bob=1 unassignedUserTasks___(Unassigned)=1",
        ),
        (
            grouped("userTask-frequency", "candidateGroup", "none"),
            "g=2 h=1 unassignedUserTasks___(Unassigned)=1",
        ),
        (
            grouped("userTask-frequency", "assignee", "userTask"),
            "Ann[T(Task)=1 U=-] bob[T(Task)=1 U=-] unassignedUserTasks___(Unassigned)[T(Task)=1 U=-]",
        ),
        // Nothing was worked on unassigned: there is no such group, be it for no value or for a sum of zero.
        (timed(durations.clone(), "work", "avg"), "Ann=700 bob=60"),
        (timed(durations.clone(), "work", "sum"), "Ann=700 bob=60"),
        (
            timed(durations, "idle", "avg"),
            "Ann=300 bob=40 unassignedUserTasks___(Unassigned)=2000",
        ),
    ]);
    World::of([]).check([(grouped("userTask-frequency", "assignee", "none"), "")]);
}

#[test]
fn a_group_stays_if_any_of_its_measures_tells_something() {
    let two =
        json!({"userTaskDurationTimes": ["work", "total"], "aggregationTypes": [{"type": "sum"}]});
    let grouped = data("userTask-duration", by("assignee"), by("none"));
    world().check([(
        configured(grouped, two),
        "Ann=700 bob=60 unassignedUserTasks___(Unassigned)=-",
    )]);
}

#[test]
fn dates_by_assignee() {
    let grouped = data(
        "userTask-frequency",
        by_date("startDate", "month"),
        by("assignee"),
    );
    world().check([(
        grouped,
        "2024-03-01T00:00:00.000+0000[Ann=- bob=1 unassignedUserTasks___(Unassigned)=-] \
         2024-04-01T00:00:00.000+0000[Ann=- bob=- unassignedUserTasks___(Unassigned)=-] \
         2024-05-01T00:00:00.000+0000[Ann=1 bob=- unassignedUserTasks___(Unassigned)=1]",
    )]);
}
