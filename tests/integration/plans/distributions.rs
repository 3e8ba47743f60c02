//! Distributions by process, date and variable.

use super::*;

fn having(key: &str, id: &str, start: &str, duration: i64, value: Option<&str>) -> Value {
    let variables = match value {
        Some(value) => json!([{"id": id, "name": "v", "type": "String", "value": [value]}]),
        None => json!([]),
    };
    with(
        instance(key, id, json!({"variables": variables})),
        json!({"startDate": format!("{start}T10:00:00.000+0000"), "duration": duration}),
    )
}

fn two_processes() -> World {
    World::of_definitions([
        (
            "p",
            vec![
                having("p", "1", "2024-01-01", 10, Some("x")),
                having("p", "2", "2024-01-01", 30, None),
                with(
                    having("p", "3", "2024-01-03", 50, Some("y")),
                    json!({"processDefinitionVersion": "2"}),
                ),
            ],
        ),
        ("q", vec![having("q", "4", "2024-01-03", 7, Some("x"))]),
        ("r", vec![]),
    ])
}

#[test]
fn by_process() {
    let by_day = by_date("startDate", "day");
    let aggregated = |kind: &str| {
        configured(
            data("processInstance-duration", by("none"), by("process")),
            json!({"aggregationTypes": [{"type": kind, "value": (kind == "percentile").then_some(50)}]}),
        )
    };
    two_processes().check([
        (
            data("processInstance-frequency", by("none"), by("process")),
            "____none[id-p(Process p)=3 id-q(Process q)=1 id-r(Process r)=0]",
        ),
        // Of 20 for two instances of the first version and 50 for one of the second it is 30.
        (
            aggregated("avg"),
            "____none[id-p(Process p)=30 id-q(Process q)=7 id-r(Process r)=-]",
        ),
        (
            aggregated("sum"),
            "____none[id-p(Process p)=90 id-q(Process q)=7 id-r(Process r)=-]",
        ),
        (
            aggregated("min"),
            "____none[id-p(Process p)=10 id-q(Process q)=7 id-r(Process r)=-]",
        ),
        (
            aggregated("percentile"),
            "____none[id-p(Process p)=- id-q(Process q)=- id-r(Process r)=-]",
        ),
        (
            data("processInstance-frequency", by_day, by("process")),
            "2024-01-01T00:00:00.000+0000[id-p(Process p)=2 id-q(Process q)=0 id-r(Process r)=0] \
             2024-01-02T00:00:00.000+0000[id-p(Process p)=0 id-q(Process q)=0 id-r(Process r)=0] \
             2024-01-03T00:00:00.000+0000[id-p(Process p)=1 id-q(Process q)=1 id-r(Process r)=0]",
        ),
        (
            data("flowNode-frequency", by("flowNodes"), by("process")),
            "A(Start)[id-p(Process p)=- id-q(Process q)=- id-r(Process r)=-] \
             B[id-p(Process p)=- id-q(Process q)=- id-r(Process r)=-] \
             T(Task)[id-p(Process p)=- id-q(Process q)=- id-r(Process r)=-] \
             U[id-p(Process p)=- id-q(Process q)=- id-r(Process r)=-]",
        ),
    ]);
}

#[test]
fn only_the_versions_and_tenants_of_a_definition_count_for_it() {
    let mut world = two_processes();
    world.definitions[0].versions = Versions::Listed(vec!["2".to_owned()]);
    world.definitions[1].tenant_ids = vec![Some("t".to_owned())];
    world.check([(
        data("processInstance-frequency", by("none"), by("process")),
        "____none[id-p(Process p)=1 id-q(Process q)=0 id-r(Process r)=0]",
    )]);
}

#[test]
fn by_variable_in_every_group() {
    let grouped = |view: &str, name: &str, kind: &str| {
        data(view, by_date("startDate", "day"), by_variable(name, kind))
    };
    two_processes().check([
        (
            grouped("processInstance-frequency", "v", "String"),
            "2024-01-01T00:00:00.000+0000[x=1 y=0 missing=1] \
             2024-01-02T00:00:00.000+0000[x=0 y=0 missing=0] \
             2024-01-03T00:00:00.000+0000[x=1 y=1 missing=0]",
        ),
        (
            grouped("processInstance-duration", "v", "String"),
            "2024-01-01T00:00:00.000+0000[x=10 y=- missing=30] \
             2024-01-02T00:00:00.000+0000[x=- y=- missing=-] \
             2024-01-03T00:00:00.000+0000[x=7 y=50 missing=-]",
        ),
        // Without a single value there are no parts.
        (
            grouped("processInstance-frequency", "n", "Long"),
            "2024-01-01T00:00:00.000+0000[] 2024-01-02T00:00:00.000+0000[] 2024-01-03T00:00:00.000+0000[]",
        ),
    ]);
}

#[test]
fn by_date_in_every_group() {
    let grouped = |kind: &str| {
        data(
            "processInstance-frequency",
            by_variable("v", "String"),
            by_date(kind, "day"),
        )
    };
    two_processes().check([(
        grouped("startDate"),
        "x[2024-01-01T00:00:00.000+0000=1 2024-01-02T00:00:00.000+0000=0 2024-01-03T00:00:00.000+0000=1] \
         y[2024-01-01T00:00:00.000+0000=0 2024-01-02T00:00:00.000+0000=0 2024-01-03T00:00:00.000+0000=1] \
         missing[2024-01-01T00:00:00.000+0000=1 2024-01-02T00:00:00.000+0000=0 2024-01-03T00:00:00.000+0000=0]",
    )]);
    let running = World::of([with(
        having("p", "1", "2024-01-01", 1, Some("x")),
        json!({"endDate": null}),
    )]);
    running.check([(grouped("endDate"), "x[]")]);
}
