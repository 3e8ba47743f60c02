//! Groups by date, across a year's end and both changes of the clock.

use super::*;

fn started(moments: &[&str]) -> World {
    let instances = moments.iter().enumerate();
    let instances: Vec<Value> = instances
        .map(|(number, moment)| lasting(&format!("i{number}"), moment, Some(1000)))
        .collect();
    let mut world = World::of(instances);
    world.zone = TimeZone::get("Europe/Berlin").unwrap();
    world
}

fn by_start(unit: &str) -> Value {
    data(
        "processInstance-frequency",
        by_date("startDate", unit),
        by("none"),
    )
}

#[test]
fn every_unit_at_a_years_end() {
    // In Berlin it is an hour later: the first is on 31 December, the second in the new year.
    let world = started(&["2023-12-31T22:59:30", "2023-12-31T23:00:10"]);
    world.check([
        (
            by_start("year"),
            "2023-01-01T00:00:00.000+0100=1 2024-01-01T00:00:00.000+0100=1",
        ),
        (
            by_start("month"),
            "2023-12-01T00:00:00.000+0100=1 2024-01-01T00:00:00.000+0100=1",
        ),
        (
            by_start("week"),
            "2023-12-25T00:00:00.000+0100=1 2024-01-01T00:00:00.000+0100=1",
        ),
        (
            by_start("day"),
            "2023-12-31T00:00:00.000+0100=1 2024-01-01T00:00:00.000+0100=1",
        ),
        (
            by_start("hour"),
            "2023-12-31T23:00:00.000+0100=1 2024-01-01T00:00:00.000+0100=1",
        ),
        (
            by_start("minute"),
            "2023-12-31T23:59:00.000+0100=1 2024-01-01T00:00:00.000+0100=1",
        ),
    ]);
}

#[test]
fn days_and_hours_when_the_clock_changes() {
    let spring = started(&["2024-03-30T12:00:00", "2024-04-01T12:00:00"]);
    spring.check([(
        by_start("day"),
        "2024-03-30T00:00:00.000+0100=1 2024-03-31T00:00:00.000+0100=0 2024-04-01T00:00:00.000+0200=1",
    )]);
    let spring = started(&["2024-03-31T00:30:00", "2024-03-31T01:30:00"]);
    spring.check([(
        by_start("hour"),
        "2024-03-31T01:00:00.000+0100=1 2024-03-31T03:00:00.000+0200=1",
    )]);
    // The hour that comes twice has two keys, and keys are compared as texts.
    let autumn = started(&[
        "2024-10-27T00:30:00",
        "2024-10-27T01:30:00",
        "2024-10-27T01:40:00",
    ]);
    autumn.check([(
        by_start("hour"),
        "2024-10-27T02:00:00.000+0100=2 2024-10-27T02:00:00.000+0200=1",
    )]);
}

#[test]
fn gaps_are_filled_and_sorted_as_wanted() {
    let mut world = started(&[
        "2024-01-01T10:00:00",
        "2024-01-03T10:00:00",
        "2024-01-03T11:00:00",
    ]);
    world.zone = TimeZone::UTC;
    let sorted = |by: &str, order: &str| {
        configured(
            by_start("day"),
            json!({"sorting": {"by": by, "order": order}}),
        )
    };
    let durations = data(
        "processInstance-duration",
        by_date("startDate", "day"),
        by("none"),
    );
    world.check([
        (
            by_start("day"),
            "2024-01-01T00:00:00.000+0000=1 2024-01-02T00:00:00.000+0000=0 2024-01-03T00:00:00.000+0000=2",
        ),
        (
            sorted("key", "desc"),
            "2024-01-03T00:00:00.000+0000=2 2024-01-02T00:00:00.000+0000=0 2024-01-01T00:00:00.000+0000=1",
        ),
        (
            sorted("value", "asc"),
            "2024-01-02T00:00:00.000+0000=0 2024-01-01T00:00:00.000+0000=1 2024-01-03T00:00:00.000+0000=2",
        ),
        (
            durations.clone(),
            "2024-01-01T00:00:00.000+0000=1000 2024-01-02T00:00:00.000+0000=- 2024-01-03T00:00:00.000+0000=1000",
        ),
        (
            configured(durations, json!({"aggregationTypes": [{"type": "sum"}]})),
            "2024-01-01T00:00:00.000+0000=1000 2024-01-02T00:00:00.000+0000=0 2024-01-03T00:00:00.000+0000=2000",
        ),
    ]);
}

#[test]
fn automatic_buckets() {
    let mut world = started(&["2024-01-01T00:00:00", "2024-01-01T00:00:02"]);
    world.zone = TimeZone::UTC;
    let ReportResult::Map(entries) = world.result(&by_start("automatic")) else {
        panic!("no map");
    };
    assert_eq!(entries.len(), 80);
    assert_eq!(&*entries[1].key, "2024-01-01T00:00:00.025+0000");
    assert_eq!(
        (entries[0].value, entries[79].value),
        (Some(1.0), Some(1.0))
    );
    let single = started(&["2024-01-15T10:00:00"]);
    single.check([(by_start("automatic"), "2024-01-01T00:00:00.000+0100=1")]);
}

#[test]
fn what_is_running_has_no_end() {
    let world = World::of([lasting("running", "2024-01-01T10:00:00", None)]);
    let by_end = data(
        "processInstance-frequency",
        by_date("endDate", "day"),
        by("none"),
    );
    world.check([(by_end, "")]);
    let none = World::of([]);
    none.check([(by_start("day"), "")]);
}

#[test]
fn filters_extend_the_calendar() {
    let world = World::of([lasting("i", "2024-05-14T10:00:00", Some(1))]);
    let filter = json!([{"type": "instanceStartDate", "filterLevel": "instance", "appliedTo": ["all"],
        "data": {"type": "rolling", "start": {"value": 2, "unit": "days"}, "end": null}}]);
    world.check([(
        with(by_start("day"), json!({"filter": filter})),
        "2024-05-13T00:00:00.000+0000=0 2024-05-14T00:00:00.000+0000=1 2024-05-15T00:00:00.000+0000=0",
    )]);
}

#[test]
fn running_dates_count_every_day_of_an_instance() {
    let world = World::of([
        lasting("two days", "2024-01-01T20:00:00", Some(8 * 3_600_000)),
        lasting("at midnight", "2024-01-02T12:00:00", Some(12 * 3_600_000)),
        lasting("running", "2024-01-04T00:00:00", None),
    ]);
    let running = |unit: &str| {
        data(
            "processInstance-frequency",
            by_date("runningDate", unit),
            by("none"),
        )
    };
    // What ends at midnight was running in the day that begins then; what is running does not reach to the present.
    world.check([
        (
            running("day"),
            "2024-01-01T00:00:00.000+0000=1 2024-01-02T00:00:00.000+0000=2 2024-01-03T00:00:00.000+0000=1 2024-01-04T00:00:00.000+0000=1",
        ),
        (running("month"), "2024-01-01T00:00:00.000+0000=3"),
    ]);
}

#[test]
fn running_instances_are_as_many_whether_they_are_counted_or_looked_for() {
    let hour = 3_600_000;
    let mut world = World::of([
        lasting("no time", "2024-03-30T22:59:59", Some(0)),
        lasting("an hour", "2024-03-31T00:30:00", Some(hour)),
        lasting("to midnight", "2024-03-31T20:00:00", Some(2 * hour)),
        lasting("two days", "2024-03-31T22:00:00", Some(48 * hour)),
        lasting("running", "2024-04-01T12:00:00", None),
        lasting("ended before", "2024-04-03T10:00:00", Some(-30 * hour)),
        lasting("the last", "2024-04-04T00:00:00", Some(hour)),
    ]);
    for zone in ["UTC", "Europe/Berlin", "America/New_York"] {
        world.zone = TimeZone::get(zone).unwrap();
        for unit in ["year", "month", "week", "day", "hour", "automatic"] {
            assert_counted_as_looked_for(&mut world, unit);
        }
    }
}

/// In Cairo the 26th of April 2024 began at one o'clock, and on Lord Howe an hour of the 7th had thirty minutes: intervals of Optimize
/// begin later than the calendar's from then on.
#[test]
fn running_instances_are_as_many_behind_a_day_that_begins_late() {
    let hour = 3_600_000;
    let mut world = World::of([
        lasting("before", "2024-04-25T10:00:00", Some(hour)),
        lasting("on one day", "2024-04-30T10:00:00", Some(hour)),
        lasting("over night", "2024-05-02T20:00:00", Some(6 * hour)),
    ]);
    world.zone = TimeZone::get("Africa/Cairo").unwrap();
    for unit in ["month", "week", "day"] {
        assert_counted_as_looked_for(&mut world, unit);
    }
    let mut world = World::of([
        lasting("before", "2024-04-06T12:10:00", Some(hour)),
        lasting("after", "2024-04-06T20:10:00", Some(hour / 2)),
        lasting("later", "2024-04-07T02:40:00", Some(hour)),
    ]);
    world.zone = TimeZone::get("Australia/Lord_Howe").unwrap();
    for unit in ["day", "hour"] {
        assert_counted_as_looked_for(&mut world, unit);
    }
}

/// Compares both ways to count running instances: whoever has parts has a filter for each interval.
fn assert_counted_as_looked_for(world: &mut World, unit: &str) {
    let report = |distributed_by: &str| {
        let by_date = by_date("runningDate", unit);
        data("processInstance-frequency", by_date, by(distributed_by))
    };
    let ReportResult::Map(counted) = world.result(&report("none")) else {
        panic!("no map");
    };
    let ReportResult::HyperMap(looked_for) = world.result(&report("process")) else {
        panic!("no map of maps");
    };
    let counted = counted.iter().map(|group| (group.key.clone(), group.value));
    let looked_for = looked_for
        .iter()
        .map(|group| (group.key.clone(), group.value[0].value));
    assert_eq!(
        counted.collect::<Vec<_>>(),
        looked_for.collect::<Vec<_>>(),
        "{unit} in {:?}",
        world.zone
    );
}

#[test]
fn dates_of_flow_nodes() {
    let world = World::of([instance(
        "p",
        "i",
        json!({"flowNodeInstances": [
            flow_node("A", Some(5)),
            with(flow_node("B", None), json!({"startDate": "2024-03-03T10:00:00.000+0000"})),
            with(flow_node("T", Some(7)), json!({"startDate": "2024-03-03T11:00:00.000+0000"}))]}),
    )]);
    let grouped = |view: &str, kind: &str| data(view, by_date(kind, "day"), by("none"));
    world.check([
        (
            grouped("flowNode-frequency", "startDate"),
            "2024-03-01T00:00:00.000+0000=1 2024-03-02T00:00:00.000+0000=0 2024-03-03T00:00:00.000+0000=2",
        ),
        (
            grouped("flowNode-frequency", "endDate"),
            "2024-03-01T00:00:00.000+0000=2",
        ),
        (
            grouped("flowNode-duration", "endDate"),
            "2024-03-01T00:00:00.000+0000=6",
        ),
        (
            grouped("userTask-frequency", "startDate"),
            "2024-03-03T00:00:00.000+0000=1",
        ),
    ]);
}
