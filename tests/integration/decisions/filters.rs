//! Every type of decision filter, from the stored report to the rows of the service.

use jiff::{Timestamp, ToSpan};
use optimize::moment::Moment;
use serde_json::{Value, json};

use super::ids;
use crate::support::documents::{decision, decision_report, input, output};
use crate::support::{Optimize, Service};

/// Stores an otherwise plain report with these filters, and gives back the ids that it finds in alphabetical order.
fn found(optimize: &Optimize, service: &Service, report_id: &str, filters: Value) -> String {
    let changes = json!({
        "filter": filters,
        "configuration": {"sorting": {"by": "decisionInstanceId", "order": "asc"}},
    });
    optimize.store_report(decision_report(report_id, "invoice", changes));
    ids(service, report_id).join(" ")
}

fn on_date(data: Value) -> Value {
    json!({"type": "evaluationDateTime", "data": data, "appliedTo": ["all"]})
}

fn on_variable(filter_type: &str, clause_id: &str, variable_type: &str, data: Value) -> Value {
    json!({"type": filter_type, "data": {"type": variable_type, "name": clause_id, "data": data}, "appliedTo": ["all"]})
}

#[test]
fn evaluation_dates() {
    let optimize = Optimize::install();
    let at = |id: &str, moment: Timestamp| {
        decision(
            "invoice",
            id,
            json!({"evaluationDateTime": Moment::from(moment).utc_text()}),
        )
    };
    let now = Timestamp::now();
    let hours_ago = |hours: i64| now.checked_sub(hours.hours()).unwrap();
    optimize.store_decisions(
        "invoice",
        [
            at("a-old", "2020-02-29T12:00:00Z".parse().unwrap()),
            at("b-three-hours", hours_ago(3)),
            at("c-an-hour", hours_ago(1)),
            at("d-tomorrow", hours_ago(-24)),
        ],
    );
    let service = optimize.serve();
    let fixed = |start: Option<&str>, end: Option<&str>| {
        on_date(json!({"type": "fixed", "start": start, "end": end}))
    };
    let units = |kind: &str, value: i64, unit: &str| {
        on_date(json!({"type": kind, "start": {"value": value, "unit": unit}}))
    };
    for (report_id, filters, expected) in [
        ("all", json!([]), "a-old b-three-hours c-an-hour d-tomorrow"),
        // Both ends of a fixed range belong to it.
        (
            "fixed",
            json!([fixed(
                Some("2020-02-29T12:00:00.000+0000"),
                Some("2020-02-29T12:00:00.000+0000")
            )]),
            "a-old",
        ),
        (
            "until",
            json!([fixed(None, Some("2020-02-29T11:59:59.999+0000"))]),
            "",
        ),
        (
            "rolling",
            json!([units("rolling", 2, "hours")]),
            "c-an-hour",
        ),
        (
            "this-year-and-before",
            json!([units("rolling", 100, "years")]),
            "a-old b-three-hours c-an-hour",
        ),
        // The last years end with the last one, in which the instances of today may have been evaluated.
        (
            "relative",
            json!([
                units("relative", 400, "years"),
                fixed(None, Some("2021-01-01T00:00:00.000+0000"))
            ]),
            "a-old",
        ),
        (
            "relative-to-now",
            json!([
                units("relative", 0, "years"),
                fixed(None, Some("2021-01-01T00:00:00.000+0000"))
            ]),
            "",
        ),
        // Filters have to hold together.
        (
            "both",
            json!([units("rolling", 2, "days"), units("rolling", 2, "hours")]),
            "c-an-hour",
        ),
        (
            "nothing",
            json!([
                units("rolling", 2, "days"),
                fixed(None, Some("2020-12-31T00:00:00.000+0000"))
            ]),
            "",
        ),
    ] {
        assert_eq!(
            found(&optimize, &service, report_id, filters),
            expected,
            "{report_id}"
        );
    }
}

#[test]
fn inputs_and_outputs_of_every_type() {
    let optimize = Optimize::install();
    let instance =
        |id: &str, path: &str, clauses: Value| decision("invoice", id, json!({(path): clauses}));
    let values = |path: &str| {
        let clause = if path == "inputs" { input } else { output };
        [
            instance(
                &format!("{path}-a"),
                path,
                json!([
                    clause("text", "String", json!("Travel Expenses")),
                    clause("amount", "Double", json!("200.5")),
                    clause("count", "Integer", json!("5")),
                    clause("audit", "Boolean", json!("true")),
                    clause("due", "Date", json!("2024-03-01T00:00:00.000+0000"))
                ]),
            ),
            instance(
                &format!("{path}-b"),
                path,
                json!([
                    clause("text", "String", json!("Misc")),
                    clause("amount", "Double", json!("100.0")),
                    clause("count", "Integer", json!("7")),
                    clause("audit", "Boolean", json!("false")),
                    clause("due", "Date", json!("2024-04-01T00:00:00.000+0000"))
                ]),
            ),
            instance(
                &format!("{path}-c"),
                path,
                json!([
                    clause("text", "String", json!(null)),
                    clause("due", "Date", json!(null))
                ]),
            ),
        ]
    };
    optimize.store_decisions(
        "invoice",
        values("inputs").into_iter().chain(values("outputs")),
    );
    let service = optimize.serve();
    let list = |operator: &str, values: Value| json!({"operator": operator, "values": values});
    let march = |flags: (&str, bool)| json!({"type": "fixed", "start": "2024-03-01T00:00:00.000+0000", "end": "2024-03-31T23:59:59.999+0000", (flags.0): flags.1});
    for (filter_type, own, other) in [
        ("inputVariable", "inputs", "outputs"),
        ("outputVariable", "outputs", "inputs"),
    ] {
        let cases = [
            (
                "text",
                "String",
                list("in", json!(["Misc", "Other"])),
                "b",
                false,
            ),
            (
                "text",
                "String",
                list("in", json!(["Misc", null])),
                "bc",
                true,
            ),
            (
                "text",
                "String",
                list("not in", json!(["Misc"])),
                "ac",
                true,
            ),
            (
                "text",
                "String",
                list("contains", json!(["EXPENSE"])),
                "a",
                false,
            ),
            (
                "text",
                "String",
                list("contains", json!(["travel expense"])),
                "a",
                false,
            ),
            (
                "text",
                "String",
                list("not contains", json!(["s", null])),
                "",
                false,
            ),
            ("amount", "Double", list("in", json!(["100.0"])), "b", false),
            (
                "amount",
                "Double",
                list("not in", json!(["100.0", null])),
                "a",
                false,
            ),
            ("amount", "Double", list(">", json!(["100"])), "a", false),
            ("amount", "Double", list(">=", json!(["100"])), "ab", false),
            ("count", "Integer", list("<", json!(["7"])), "a", false),
            ("count", "Integer", list("<=", json!(["7"])), "ab", false),
            ("audit", "Boolean", json!({"values": [true]}), "a", false),
            (
                "audit",
                "Boolean",
                json!({"values": [false, null]}),
                "bc",
                true,
            ),
            (
                "due",
                "Date",
                march(("includeUndefined", false)),
                "a",
                false,
            ),
            ("due", "Date", march(("includeUndefined", true)), "ac", true),
            (
                "due",
                "Date",
                json!({"type": "fixed", "excludeUndefined": true}),
                "ab",
                false,
            ),
        ];
        for (number, (clause_id, variable_type, data, expected, finds_undefined)) in
            cases.into_iter().enumerate()
        {
            // Instances that don't have the clause at all are those of the other test data.
            let undefined = if finds_undefined { "abc" } else { "" };
            let mut expected: Vec<String> = expected
                .chars()
                .map(|id| format!("{own}-{id}"))
                .chain(undefined.chars().map(|id| format!("{other}-{id}")))
                .collect();
            expected.sort_unstable();
            let filter = on_variable(filter_type, clause_id, variable_type, data);
            let found = found(
                &optimize,
                &service,
                &format!("{own}-{number}"),
                json!([filter]),
            );
            assert_eq!(found, expected.join(" "), "{filter}");
        }
    }
    let both = json!([
        on_variable("inputVariable", "amount", "Double", list(">", json!(["1"]))),
        on_variable(
            "inputVariable",
            "text",
            "String",
            list("in", json!(["Misc"]))
        ),
    ]);
    assert_eq!(found(&optimize, &service, "both", both), "inputs-b");
}

#[test]
fn a_filter_that_cannot_be_evaluated_is_told_with_its_place() {
    let optimize = Optimize::install();
    optimize.store_decisions("invoice", [decision("invoice", "a", json!({}))]);
    let service = optimize.serve();
    let amount = |data: Value| on_variable("inputVariable", "amount", "Double", data);
    for (number, (filter, place)) in [
        (
            amount(json!({"operator": "<", "values": [null]})),
            "data.filter[0].data.data",
        ),
        (
            amount(json!({"operator": "<", "values": ["many"]})),
            "data.filter[0].data.data.values[0]",
        ),
        (
            json!({"type": "startDate", "data": {}}),
            "data.filter[0].type",
        ),
        (
            on_variable("outputVariable", "audit", "Boolean", json!({"values": []})),
            "data.filter[0].data.data",
        ),
        (
            on_date(json!({"type": "rolling", "start": {"value": 1, "unit": "quarters"}})),
            "data.filter[0].data.start",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("wrong-{number}");
        optimize.store_report(decision_report(&id, "invoice", json!({"filter": [filter]})));
        let (status, code, detail) = service.first_page(&id, 10).error();
        assert_eq!(
            (status, code.as_str()),
            (400, "reportEvaluationError"),
            "{detail}"
        );
        assert!(
            detail.starts_with(&format!("report part `{place}")),
            "{detail}"
        );
    }
}
