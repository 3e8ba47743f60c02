//! Data at the ends of what can be stored: dates beyond the year 9999, the largest and smallest numbers, values that are
//! spelled like the keys of a result, and empty names.

use serde_json::{Value, json};
use testkit::indices::Index;

use crate::support::documents::{
    decision, decision_report, definition, input, instance, raw_report, report, selection, with,
};
use crate::support::{Optimize, Service};

const NEVER: &str = "9999-12-31T00:00:00.000+0000";

/// An instance of `p` with a variable `v`.
fn having(id: &str, variable_type: &str, value: &str) -> Value {
    let variables =
        json!([{"id": id, "name": "v", "type": variable_type, "value": [value], "version": 1}]);
    instance("p", id, json!({"variables": variables}))
}

fn by_variable(variable_type: &str) -> Value {
    json!({"type": "variable", "value": {"name": "v", "type": variable_type}})
}

/// Reports over one installation.
struct World {
    optimize: Optimize,
    service: Service,
}

impl World {
    fn of(instances: impl IntoIterator<Item = Value>) -> Self {
        let optimize = Optimize::install();
        optimize.store_instances("p", instances);
        let service = optimize.serve();
        Self { optimize, service }
    }

    fn of_inputs(variable_type: &str, values: &[Value]) -> Self {
        let optimize = Optimize::install();
        let instances = values.iter().enumerate().map(|(number, value)| {
            let inputs = json!([input("c", variable_type, value.clone())]);
            decision("d", &format!("d-{number}"), json!({"inputs": inputs}))
        });
        optimize.store_decisions("d", instances);
        let service = optimize.serve();
        Self { optimize, service }
    }

    /// How many instances there are per group.
    fn frequency(&self, id: &str, group_by: Value, changes: Value) -> Value {
        let data = json!({
            "definitions": [selection("p")],
            "view": {"entity": "processInstance", "properties": ["frequency"]},
            "groupBy": group_by,
            "distributedBy": {"type": "none", "value": null},
            "filter": [],
            "configuration": {},
        });
        self.optimize.store_report(report(id, with(data, changes)));
        self.service.first_page(id, 1000).ok()["data"].clone()
    }

    /// How many decision instances there are per value of their input.
    fn inputs(&self, id: &str, variable_type: &str, configuration: Value) -> Vec<(String, f64)> {
        let changes = json!({
            "view": {"properties": ["frequency"]},
            "groupBy": {"type": "inputVariable", "value": {"id": "c", "name": "C", "type": variable_type}},
            "configuration": configuration,
        });
        self.optimize
            .store_report(decision_report(id, "d", changes));
        let data = self.service.first_page(id, 1000).ok()["data"].clone();
        entries(&data)
    }

    /// The ids of the rows that a filter lets through.
    fn filtered(&self, id: &str, filter: Value) -> Vec<String> {
        let filter = with(
            json!({"filterLevel": "instance", "appliedTo": ["all"]}),
            filter,
        );
        self.optimize
            .store_report(raw_report(id, "p", json!({"filter": [filter]})));
        self.service.ids(id)
    }

    fn row(&self, zone: Option<&str>) -> Value {
        self.optimize
            .store_report(raw_report("raw", "p", json!({})));
        let zone = zone.map(|zone| ("X-Optimize-Client-Timezone", zone));
        let token = format!("Bearer {}", crate::support::TOKEN);
        let headers: Vec<(&str, &str)> = [("Authorization", token.as_str())]
            .into_iter()
            .chain(zone)
            .collect();
        let target = "/api/public/export/report/raw/result/json?limit=10&paginationTimeout=60";
        let answer = self.service.request("GET", target, &headers);
        answer.ok()["data"][0].clone()
    }
}

fn entries(data: &Value) -> Vec<(String, f64)> {
    let entry = |entry: &Value| {
        let value = entry["value"].as_f64().unwrap();
        (entry["key"].as_str().unwrap().to_owned(), value)
    };
    data.as_array().unwrap().iter().map(entry).collect()
}

fn keys_with_data(entries: &[(String, f64)]) -> Vec<(&str, f64)> {
    let with_data = entries.iter().filter(|(_, value)| *value != 0.0);
    with_data
        .map(|(key, value)| (key.as_str(), *value))
        .collect()
}

#[test]
fn dates_beyond_9999_have_groups_of_every_unit() {
    let beyond = "+10000-02-29T23:30:15.123+0000";
    for (date, expected) in [
        (
            NEVER,
            [
                ("year", "9999-01-01T00:00:00.000+0000"),
                ("month", "9999-12-01T00:00:00.000+0000"),
                ("week", "9999-12-27T00:00:00.000+0000"),
                ("day", NEVER),
                ("hour", NEVER),
                ("minute", NEVER),
                ("automatic", "9999-12-01T00:00:00.000+0000"),
            ],
        ),
        (
            beyond,
            [
                ("year", "+10000-01-01T00:00:00.000+0000"),
                ("month", "+10000-02-01T00:00:00.000+0000"),
                // 29 February 10000 has the weekday of that of the year 2000: a Tuesday.
                ("week", "+10000-02-28T00:00:00.000+0000"),
                ("day", "+10000-02-29T00:00:00.000+0000"),
                ("hour", "+10000-02-29T23:00:00.000+0000"),
                ("minute", "+10000-02-29T23:30:00.000+0000"),
                ("automatic", "+10000-02-01T00:00:00.000+0000"),
            ],
        ),
        (
            // In UTC that is the last day of the year before the year 1.
            "0001-01-01T00:00:00.000+1800",
            [
                ("year", "0000-01-01T00:00:00.000+0000"),
                ("month", "0000-12-01T00:00:00.000+0000"),
                ("week", "0000-12-25T00:00:00.000+0000"),
                ("day", "0000-12-31T00:00:00.000+0000"),
                ("hour", "0000-12-31T06:00:00.000+0000"),
                ("minute", "0000-12-31T06:00:00.000+0000"),
                ("automatic", "0000-12-01T00:00:00.000+0000"),
            ],
        ),
    ] {
        let world = World::of([with(
            having("1", "Date", date),
            json!({"startDate": date, "endDate": date}),
        )]);
        for (unit, key) in expected {
            let entry = json!([{"key": key, "value": 1.0, "label": key}]);
            let configuration = json!({"configuration": {"groupByDateVariableUnit": unit}});
            let by_value =
                world.frequency(&format!("v-{unit}"), by_variable("Date"), configuration);
            assert_eq!(by_value, entry, "{date} {unit}");
            for kind in ["startDate", "endDate", "runningDate"] {
                let by_date = json!({"type": kind, "value": {"unit": unit}});
                let found = world.frequency(&format!("{kind}-{unit}"), by_date, json!({}));
                assert_eq!(found, entry, "{date} {kind} {unit}");
            }
        }
    }
}

#[test]
fn ranges_over_the_end_of_9999_lose_nothing() {
    let world = World::of([
        having("1", "Date", "9999-12-01T00:00:00.000+0000"),
        having("2", "Date", NEVER),
        having("3", "Date", "+10000-01-15T00:00:00.000-1800"),
    ]);
    let automatic = world.frequency("automatic", by_variable("Date"), json!({}));
    let automatic = entries(&automatic);
    let sum: f64 = automatic.iter().map(|(_, value)| value).sum();
    assert_eq!(sum, 3.0, "{automatic:?}");
    let by_month = json!({"configuration": {"groupByDateVariableUnit": "month"}});
    let by_month = world.frequency("month", by_variable("Date"), by_month);
    // Keys are ordered as texts, in which a plus is before the digits.
    assert_eq!(
        entries(&by_month),
        [
            ("+10000-01-01T00:00:00.000+0000".to_owned(), 1.0),
            ("9999-12-01T00:00:00.000+0000".to_owned(), 2.0),
        ]
    );
    let distributed = world.frequency(
        "distributed",
        json!({"type": "startDate", "value": {"unit": "year"}}),
        json!({
            "distributedBy": {"type": "variable", "value": {"name": "v", "type": "Date"}},
            "configuration": {"distributeByDateVariableUnit": "month"},
        }),
    );
    assert_eq!(entries(&distributed[0]["value"]), entries(&by_month));
}

#[test]
fn filters_reach_beyond_9999() {
    let dates = [
        ("a", "0001-01-01T00:00:00.000+1800"),
        ("b", "2024-03-01T00:00:00.000+0000"),
        ("c", NEVER),
        ("d", "9999-12-31T23:59:59.999+0000"),
        ("e", "+10000-01-01T00:00:00.000+0000"),
        ("f", "+292278994-08-17T07:12:55.807+0000"),
    ];
    let world = World::of(dates.map(|(id, date)| {
        with(
            having(id, "Date", date),
            json!({"processInstanceId": id, "startDate": date}),
        )
    }));
    let fixed = |start: Option<&str>, end: Option<&str>| json!({"type": "fixed", "start": start, "end": end});
    let years = |kind: &str, value: i64| json!({"type": kind, "start": {"value": value, "unit": "years"}, "end": null});
    for (number, (date, expected)) in [
        (fixed(Some(NEVER), None), "c d e f"),
        (fixed(Some("9999-12-31T00:00:00.001+0000"), None), "d e f"),
        (fixed(None, Some(NEVER)), "a b c"),
        (fixed(Some("+10000-01-01T00:00:00.000+0000"), None), "e f"),
        (
            fixed(None, Some("9999-12-31T18:00:00.000-0600")),
            "a b c d e",
        ),
        (fixed(None, Some("0001-01-01T00:00:00.000+1800")), "a"),
        (fixed(Some("+292278994-08-17T07:12:55.807+0000"), None), "f"),
        (years("rolling", 10_000), "a b"),
        (years("relative", 10_000), "a b"),
    ]
    .into_iter()
    .enumerate()
    {
        let on_start = json!({"type": "instanceStartDate", "data": date.clone()});
        let found = world.filtered(&format!("start-{number}"), on_start);
        assert_eq!(found.join(" "), expected, "{date}");
        let data = json!({"type": "Date", "name": "v", "data": with(date, json!({"includeUndefined": false, "excludeUndefined": false}))});
        let on_variable = json!({"type": "variable", "data": data});
        let found = world.filtered(&format!("variable-{number}"), on_variable);
        assert_eq!(found.join(" "), expected, "{data}");
    }
}

#[test]
fn a_filter_that_ends_before_it_starts_leaves_nothing() {
    let world = World::of([instance("p", "1", json!({}))]);
    let years = |value: i64| json!({"type": "rolling", "start": {"value": value, "unit": "years"}, "end": null});
    let from_never =
        json!({"type": "fixed", "start": NEVER, "end": "2024-01-01T00:00:00.000+0000"});
    for (number, date) in [years(-1), years(-999_999_999), from_never]
        .into_iter()
        .enumerate()
    {
        let filter = json!([{"type": "instanceStartDate", "filterLevel": "instance", "appliedTo": ["all"], "data": date}]);
        let found = world.frequency(
            &format!("r-{number}"),
            json!({"type": "startDate", "value": {"unit": "day"}}),
            json!({"filter": filter}),
        );
        assert_eq!(found, json!([]));
    }
}

#[test]
fn rows_show_every_date_in_every_zone() {
    for (stored, zone, shown) in [
        (
            "1883-11-18T12:00:00.000+0000",
            "America/New_York",
            "1883-11-18T07:03:58.000-0456",
        ),
        // The clocks of Amsterdam were 19 minutes and 32 seconds ahead, those of Monrovia 43 minutes and 8 seconds behind.
        (
            "1890-01-01T00:00:00.000+0000",
            "Africa/Monrovia",
            "1889-12-31T23:16:52.000-0043",
        ),
        (
            "1880-01-01T00:00:00.000+0000",
            "Asia/Kolkata",
            "1880-01-01T05:21:10.000+0521",
        ),
        (
            "1880-01-01T00:00:00.000+0000",
            "Europe/London",
            "1880-01-01T00:00:00.000+0000",
        ),
        (NEVER, "Europe/Berlin", "9999-12-31T01:00:00.000+0100"),
        (
            "9999-12-31T23:59:59.999-1800",
            "Europe/Berlin",
            "+10000-01-01T18:59:59.999+0100",
        ),
        (
            "+10000-07-01T00:00:00.000+0000",
            "America/New_York",
            "+10000-06-30T20:00:00.000-0400",
        ),
    ] {
        let world = World::of([instance(
            "p",
            "1",
            json!({"startDate": stored, "endDate": null, "duration": null}),
        )]);
        assert_eq!(world.row(Some(zone))["startDate"], shown);
        let row = world.row(None);
        assert_eq!(row["startDate"], stored);
        assert!(row["duration"].is_i64(), "{row}");
    }
}

#[test]
fn the_last_dates_of_all_are_refused_with_a_reason_or_counted() {
    let world = World::of([having("1", "Date", "+292278994-08-17T07:12:55.807+0000")]);
    world.optimize.store_report(report(
        "r",
        json!({
            "definitions": [selection("p")],
            "view": {"entity": "processInstance", "properties": ["frequency"]},
            "groupBy": by_variable("Date"),
            "configuration": {"groupByDateVariableUnit": "year"},
        }),
    ));
    let (status, _, detail) = world.service.first_page("r", 10).error();
    assert_eq!(status, 400, "{detail}");
    assert!(detail.contains("292278994"), "{detail}");
    // Intervals of equal length have no such end.
    world.optimize.store_instances(
        "p",
        [having("2", "Date", "+292278000-01-01T00:00:00.000+0000")],
    );
    let counts = world.frequency("automatic", by_variable("Date"), json!({}));
    let sum: f64 = entries(&counts).iter().map(|(_, value)| value).sum();
    assert_eq!(sum, 2.0);
}

#[test]
fn the_largest_and_the_smallest_longs_have_buckets() {
    let world = World::of_inputs(
        "Long",
        &[json!("9100000000000000000"), json!("-9200000000000000000")],
    );
    let found = world.inputs("automatic", "Long", json!({}));
    // From -10^19 in steps of 10^18 to 9 * 10^18.
    assert_eq!(found.len(), 20);
    assert_eq!(
        keys_with_data(&found),
        [("-10000000000000000000", 1.0), ("9000000000000000000", 1.0)]
    );
    let world = World::of_inputs(
        "Long",
        &[
            json!("9223372036854775807"),
            json!("-9223372036854775808"),
            json!("9007199254740993"),
        ],
    );
    let found = world.inputs("extremes", "Long", json!({}));
    let sum: f64 = found.iter().map(|(_, value)| value).sum();
    assert_eq!((found.len(), sum), (20, 3.0), "{found:?}");
    assert!(found.iter().all(|(key, _)| key != "missing"), "{found:?}");
    // A baseline and a size that no Long, Integer or Short can be.
    for (number, variable_type) in ["Long", "Integer", "Short"].into_iter().enumerate() {
        let value = ["9223372036854775807", "2147483647", "32767"][number];
        let world = World::of_inputs(variable_type, &[json!(value)]);
        let bucket =
            json!({"customBucket": {"active": true, "baseline": "-1e30", "bucketSize": "1e30"}});
        let found = world.inputs("custom", variable_type, bucket);
        let sum: f64 = found.iter().map(|(_, value)| value).sum();
        assert_eq!((found.len(), sum), (2, 1.0), "{found:?}");
        let bucket =
            json!({"customBucket": {"active": true, "baseline": "1e30", "bucketSize": "1"}});
        assert_eq!(world.inputs("after-all", variable_type, bucket), []);
        let found = world.inputs("alone", variable_type, json!({}));
        let sum: f64 = found.iter().map(|(_, value)| value).sum();
        assert_eq!(sum, 1.0, "{found:?}");
    }
}

#[test]
fn a_single_large_long_has_one_bucket_that_holds_it() {
    // Powers of ten are their own first bucket, which is as wide as numbers of that size are apart.
    let world = World::of([having("1", "Long", "100000000000000000")]);
    let found = world.frequency("r", by_variable("Long"), json!({}));
    assert_eq!(entries(&found), [("100000000000000000".to_owned(), 1.0)]);
    let largest = World::of([having("1", "Long", "9223372036854775807")]);
    let found = entries(&largest.frequency("r", by_variable("Long"), json!({})));
    let sum: f64 = found.iter().map(|(_, value)| value).sum();
    assert_eq!((found.len(), sum), (9, 1.0), "{found:?}");
}

#[test]
fn doubles_of_any_size_have_buckets_or_a_reason() {
    let world = World::of_inputs("Double", &[json!("1e308"), json!("-1e308"), json!("0")]);
    let found = world.inputs("wide", "Double", json!({}));
    assert_eq!(found.len(), 21);
    let numbers: Vec<(f64, f64)> = found
        .iter()
        .filter(|(_, count)| *count > 0.0)
        .map(|(key, count)| (key.parse().unwrap(), *count))
        .collect();
    assert_eq!(numbers, [(-1e308, 1.0), (0.0, 1.0), (1e308, 1.0)]);
    let refused = |id: &str, bucket: Value| {
        let changes = json!({
            "view": {"properties": ["frequency"]},
            "groupBy": {"type": "inputVariable", "value": {"id": "c", "name": "C", "type": "Double"}},
            "configuration": {"customBucket": bucket},
        });
        world
            .optimize
            .store_report(decision_report(id, "d", changes));
        let (status, _, detail) = world.service.first_page(id, 10).error();
        assert_eq!(status, 400, "{detail}");
    };
    refused(
        "narrow",
        json!({"active": true, "baseline": "0", "bucketSize": "1e-300"}),
    );
    refused(
        "without-end",
        json!({"active": true, "baseline": "-inf", "bucketSize": "1"}),
    );
    let ends = World::of_inputs(
        "Double",
        &[
            json!("1.7976931348623157e308"),
            json!("-1.7976931348623157e308"),
        ],
    );
    ends.optimize.store_report(decision_report(
        "ends",
        "d",
        json!({
            "view": {"properties": ["frequency"]},
            "groupBy": {"type": "inputVariable", "value": {"id": "c", "name": "C", "type": "Double"}},
        }),
    ));
    let (status, _, detail) = ends.service.first_page("ends", 10).error();
    assert_eq!(status, 400, "{detail}");
    assert!(detail.contains("no numbers any more"), "{detail}");
}

#[test]
fn durations_of_any_length_have_buckets_or_a_reason() {
    let world = World::of([
        instance("p", "1", json!({"duration": 1})),
        instance("p", "2", json!({"duration": i64::MAX})),
    ]);
    let by_duration = json!({"type": "duration", "value": null});
    let bucket = |baseline: &str, size: &str| {
        json!({"configuration": {"customBucket": {"active": true,
        "baseline": baseline, "baselineUnit": "year", "bucketSize": size, "bucketSizeUnit": "year"}}})
    };
    let found = world.frequency("wide", by_duration.clone(), bucket("0", "1e300"));
    assert_eq!(entries(&found), [("0.0".to_owned(), 2.0)]);
    let found = world.frequency("after-all", by_duration, bucket("1e300", "1"));
    assert_eq!(found, json!([]));
    world.optimize.store_report(report(
        "automatic",
        json!({
            "definitions": [selection("p")],
            "view": {"entity": "processInstance", "properties": ["frequency"]},
            "groupBy": {"type": "duration", "value": null},
            "configuration": {},
        }),
    ));
    let (status, _, detail) = world.service.first_page("automatic", 10).error();
    assert_eq!(status, 400, "{detail}");
}

#[test]
fn keys_are_a_set() {
    let none = |id: &str| instance("p", id, json!({}));
    let world = World::of([
        having("1", "String", "missing"),
        none("2"),
        having("3", "String", "a"),
        having("4", "String", ""),
        having("5", "String", "null"),
    ]);
    let by_day = json!({"type": "startDate", "value": {"unit": "day"}});
    let distributed = world.frequency(
        "distributed",
        by_day,
        json!({"distributedBy": by_variable("String")}),
    );
    let expected = [("", 1.0), ("a", 1.0), ("null", 1.0), ("missing", 1.0)];
    let expected = expected.map(|(key, value)| (key.to_owned(), value));
    assert_eq!(entries(&distributed[0]["value"]), expected);
    let grouped = world.frequency("grouped", by_variable("String"), json!({}));
    assert_eq!(entries(&grouped), expected);
    // In the next two the value is in one group only, and so the key is the missing ones' in the other.
    let days = World::of([
        having("1", "String", "missing"),
        with(
            none("2"),
            json!({"startDate": "2024-03-02T10:00:00.000+0000"}),
        ),
        with(
            none("3"),
            json!({"startDate": "2024-03-02T10:00:00.000+0000"}),
        ),
    ]);
    let distributed = days.frequency(
        "days",
        json!({"type": "startDate", "value": {"unit": "day"}}),
        json!({"distributedBy": by_variable("String")}),
    );
    let of_day = |day: usize| entries(&distributed[day]["value"]);
    assert_eq!(of_day(0), [("missing".to_owned(), 1.0)]);
    assert_eq!(of_day(1), [("missing".to_owned(), 2.0)]);
    let decisions = World::of_inputs("String", &[json!("missing"), json!(null), json!("b")]);
    assert_eq!(
        decisions.inputs("inputs", "String", json!({})),
        [("b".to_owned(), 1.0), ("missing".to_owned(), 1.0)]
    );
}

#[test]
fn somebody_may_be_called_like_nobody() {
    let task = |id: &str, assignee: Value, groups: Value| {
        json!({"flowNodeInstanceId": id, "flowNodeId": "T", "flowNodeType": "userTask", "definitionKey": "p",
            "definitionVersion": "1", "tenantId": null, "assignee": assignee, "candidateGroups": groups,
            "startDate": "2024-03-01T10:00:00.000+0000", "endDate": null})
    };
    let nobody = "unassignedUserTasks___";
    let world = World::of([instance(
        "p",
        "1",
        json!({"flowNodeInstances": [
            task("1", json!(nobody), json!([nobody, "a"])),
            task("2", json!(null), json!([])),
            task("3", json!(""), json!([""])),
        ]}),
    )]);
    let definition = with(
        definition("p", "1", None, &[("T", Some("Task"))]),
        json!({"userTaskNames": {"T": ""}}),
    );
    world
        .optimize
        .store(Index::ProcessDefinition, [("p:1", definition)]);
    let view = json!({"view": {"entity": "userTask", "properties": ["frequency"]}});
    let by = |kind: &str| json!({"type": kind, "value": null});
    let assignees = world.frequency("assignees", by("assignee"), view.clone());
    let expected = json!([
        {"key": "", "value": 1.0, "label": ""},
        {"key": nobody, "value": 2.0, "label": "Unassigned"},
    ]);
    assert_eq!(assignees, expected);
    let distributed = world.frequency(
        "distributed",
        by("userTasks"),
        with(view.clone(), json!({"distributedBy": by("assignee")})),
    );
    // A group's label is never empty (crates/optimize/docs/results.md, "Entries").
    assert_eq!(
        distributed,
        json!([{"key": "T", "value": expected, "label": "T"}])
    );
    let groups = world.frequency("groups", by("candidateGroup"), view);
    assert_eq!(
        entries(&groups),
        [("", 1.0), ("a", 1.0), (nobody, 2.0)].map(|(key, value)| (key.to_owned(), value))
    );
}

#[test]
fn a_tenant_may_be_called_like_no_tenant() {
    let world = World::of([
        instance("p", "1", json!({})),
        instance("p", "2", json!({"tenantId": "noTenant____"})),
        instance("p", "3", json!({"tenantId": "noTenant____"})),
        instance("p", "4", json!({"tenantId": "noTenant_____"})),
    ]);
    let of = |id: &str, tenants: Value| {
        let changes = json!({"identifier": id, "displayName": id, "tenantIds": tenants});
        with(selection("p"), changes)
    };
    let distributed = world.frequency(
        "r",
        json!({"type": "none", "value": null}),
        json!({
            "definitions": [of("none", json!([null])), of("one", json!(["noTenant____"])), of("other", json!(["noTenant_____"]))],
            "distributedBy": {"type": "process", "value": null},
        }),
    );
    assert_eq!(
        entries(&distributed[0]["value"]),
        [("none", 1.0), ("one", 2.0), ("other", 1.0)].map(|(key, value)| (key.to_owned(), value))
    );
}

#[test]
fn an_empty_name_is_a_name() {
    let flow_nodes = ["Review", "unnamed", "unknown"].map(|id| {
        json!({"flowNodeInstanceId": id, "flowNodeId": id, "flowNodeType": "serviceTask", "totalDurationInMs": 1,
            "startDate": null, "endDate": null})
    });
    let world = World::of([instance("p", "1", json!({"flowNodeInstances": flow_nodes}))]);
    let definition = definition("p", "1", None, &[("Review", Some("")), ("unnamed", None)]);
    world
        .optimize
        .store(Index::ProcessDefinition, [("p:1", definition)]);
    let row = world.row(None);
    let names: Vec<&Value> = row["flowNodeInstances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flow_node| &flow_node["name"])
        .collect();
    assert_eq!(names, ["", "unnamed", "unknown"]);
    assert_eq!(
        row["flowNodeDurations"],
        json!({"Review": {"name": "", "value": 1}, "unnamed": {"name": null, "value": 1}, "unknown": {"name": null, "value": 1}})
    );
    // Labels of groups are never empty (crates/optimize/docs/results.md, "Entries").
    let groups = world.frequency(
        "groups",
        json!({"type": "flowNodes", "value": null}),
        json!({"view": {"entity": "flowNode", "properties": ["frequency"]}}),
    );
    assert_eq!(groups[0]["key"], "Review");
    assert_eq!(groups[0]["label"], "Review");
}
