//! How many decision instances there are per value of an input or an output.

use serde_json::{Value, json};

use super::counts;
use crate::support::documents::{decision, input, output, with};
use crate::support::{Optimize, Service};

fn by(kind: &str, clause_id: &str, variable_type: &str) -> Value {
    json!({"groupBy": {"type": kind, "value": {"id": clause_id, "name": "whatever", "type": variable_type}}})
}

fn by_input(clause_id: &str, variable_type: &str) -> Value {
    by("inputVariable", clause_id, variable_type)
}

fn configured(changes: Value, configuration: Value) -> Value {
    with(changes, json!({"configuration": configuration}))
}

fn custom_bucket(baseline: Value, size: Value) -> Value {
    json!({"customBucket": {"active": true, "bucketSize": size, "bucketSizeUnit": null, "baseline": baseline, "baselineUnit": null}})
}

/// A service over instances that have these values of the input `c`.
fn with_inputs(variable_type: &str, values: &[Value]) -> (Optimize, Service) {
    let optimize = Optimize::install();
    let instances = values.iter().enumerate().map(|(number, value)| {
        let inputs = json!([input("c", variable_type, value.clone())]);
        decision(
            "invoice",
            &format!("d-{number:02}"),
            json!({"inputs": inputs}),
        )
    });
    optimize.store_decisions("invoice", instances);
    let service = optimize.serve();
    (optimize, service)
}

fn without_empty(counts: &str) -> String {
    let filled: Vec<&str> = counts
        .split(' ')
        .filter(|bucket| !bucket.ends_with("=0.0"))
        .collect();
    filled.join(" ")
}

#[test]
fn per_text_and_boolean() {
    let optimize = Optimize::install();
    let instance = |id: &str, inputs: Value| decision("invoice", id, json!({"inputs": inputs}));
    optimize.store_decisions(
        "invoice",
        [
            instance(
                "a",
                json!([
                    input("text", "String", json!("b")),
                    input("flag", "Boolean", json!("true"))
                ]),
            ),
            instance(
                "b",
                json!([
                    input("text", "String", json!("b")),
                    input("flag", "Boolean", json!("false"))
                ]),
            ),
            instance("c", json!([input("text", "String", json!("A"))])),
            // No value, no clause, another clause, another type: all of them are missing.
            instance("d", json!([input("text", "String", json!(null))])),
            instance("e", json!([])),
            instance("f", json!([input("other", "String", json!("b"))])),
            instance("g", json!([input("text", "Long", json!("7"))])),
        ],
    );
    let service = optimize.serve();
    assert_eq!(
        counts(&optimize, &service, "text", by_input("text", "String")),
        "A=1.0 b=2.0 missing=4.0"
    );
    assert_eq!(
        counts(&optimize, &service, "flag", by_input("flag", "Boolean")),
        "false=1.0 true=1.0 missing=5.0"
    );
    let sorted = |by: &str, order: &str| json!({"sorting": {"by": by, "order": order}});
    assert_eq!(
        counts(
            &optimize,
            &service,
            "descending",
            configured(by_input("text", "String"), sorted("key", "desc"))
        ),
        "b=2.0 A=1.0 missing=4.0"
    );
    assert_eq!(
        counts(
            &optimize,
            &service,
            "by-value",
            configured(by_input("text", "String"), sorted("value", "desc"))
        ),
        "missing=4.0 b=2.0 A=1.0"
    );
    assert_eq!(
        counts(
            &optimize,
            &service,
            "unknown",
            by_input("unknown", "String")
        ),
        "missing=7.0"
    );
    // An input is no output.
    assert_eq!(
        counts(
            &optimize,
            &service,
            "output",
            by("outputVariable", "text", "String")
        ),
        "missing=7.0"
    );
    let limited = optimize.serve_with(&["--aggregation-bucket-limit", "1"]);
    assert_eq!(
        counts(&optimize, &limited, "limited", by_input("text", "String")),
        "b=2.0 missing=4.0"
    );
}

#[test]
fn an_instance_counts_once_for_each_value_of_an_output() {
    let optimize = Optimize::install();
    let instance = |id: &str, values: &[&str]| {
        let outputs: Vec<Value> = values
            .iter()
            .map(|value| output("o", "String", json!(value)))
            .collect();
        decision("invoice", id, json!({"outputs": outputs}))
    };
    optimize.store_decisions(
        "invoice",
        [
            instance("a", &["x", "x"]),
            instance("b", &["x", "y"]),
            instance("c", &["y"]),
            instance("d", &[]),
        ],
    );
    let service = optimize.serve();
    assert_eq!(
        counts(
            &optimize,
            &service,
            "outputs",
            by("outputVariable", "o", "String")
        ),
        "x=2.0 y=2.0 missing=1.0"
    );
}

#[test]
fn per_number_in_buckets_of_the_user() {
    let values = ["100.0", "100.0", "100.0", "200.0", "200.0", "300.0"].map(|value| json!(value));
    let (optimize, service) = with_inputs("Double", &values);
    let buckets = |report_id: &str, baseline: Value, size: Value| {
        let changes = configured(by_input("c", "Double"), custom_bucket(baseline, size));
        counts(&optimize, &service, report_id, changes)
    };
    assert_eq!(
        buckets("both", json!(10), json!(100)),
        "10.00=3.0 110.00=2.0 210.00=1.0"
    );
    assert_eq!(
        buckets("texts", json!("10.0"), json!("100.0")),
        "10.00=3.0 110.00=2.0 210.00=1.0"
    );
    // The baseline may be 100 only because it is the power of ten below the smallest value.
    assert_eq!(
        buckets("size", json!(null), json!(100)),
        "100.00=3.0 200.00=2.0 300.00=1.0"
    );
    // |300 - 0| / 79 is rounded up to 10; the default size of Optimize's pages is none.
    assert_eq!(
        without_empty(&buckets("baseline", json!(0), json!(null))),
        "100.00=3.0 200.00=2.0 300.00=1.0"
    );
    assert_eq!(
        buckets("baseline", json!(0), json!(null))
            .split(' ')
            .count(),
        31
    );
    assert_eq!(
        buckets("no-size", json!(0), json!(0)).split(' ').count(),
        31
    );
    assert_eq!(
        buckets("half", json!(299.5), json!(0.5)),
        "299.50=0.0 300.00=1.0 missing=0.0"
    );
    // Below the baseline there is nothing, and nothing is missing; but totals differ.
    assert_eq!(
        buckets("above", json!(200), json!(100)),
        "200.00=2.0 300.00=1.0 missing=0.0"
    );
    assert_eq!(buckets("above-all", json!(301), json!(100)), "");
    let inactive = json!({"customBucket": {"active": false, "bucketSize": 100, "baseline": 10}});
    let automatic = counts(
        &optimize,
        &service,
        "inactive",
        configured(by_input("c", "Double"), inactive),
    );
    assert_eq!(
        without_empty(&automatic),
        "100.00=3.0 200.00=2.0 300.00=1.0"
    );
    assert_eq!(
        automatic.split(' ').count(),
        21,
        "from 100 to 300 in steps of 10: {automatic}"
    );
}

#[test]
fn per_number_in_automatic_buckets() {
    let per = |variable_type: &str, values: &[&str]| {
        let values: Vec<Value> = values.iter().map(|value| json!(value)).collect();
        let (optimize, service) = with_inputs(variable_type, &values);
        counts(&optimize, &service, "r", by_input("c", variable_type))
    };
    assert_eq!(per("Double", &["100.0", "100.0"]), "100.00=2.0");
    let from_1_to_5 = per("Double", &["1.0", "5.0"]);
    assert_eq!(from_1_to_5.split(' ').count(), 41);
    assert!(
        from_1_to_5.starts_with("1.00=1.0 1.10=0.0 "),
        "{from_1_to_5}"
    );
    assert!(from_1_to_5.ends_with(" 5.00=1.0"), "{from_1_to_5}");
    assert_eq!(
        per("Integer", &["9", "10", "11"]),
        "1=0.0 2=0.0 3=0.0 4=0.0 5=0.0 6=0.0 7=0.0 8=0.0 9=1.0 10=1.0 11=1.0"
    );
    assert_eq!(per("Short", &["-1", "1"]), "-1=1.0 0=0.0 1=1.0");
    let longs = per("Long", &["0", "7900"]);
    assert_eq!(longs.split(' ').count(), 80, "{longs}");
    assert_eq!(without_empty(&longs), "0=1.0 7900=1.0");
}

#[test]
fn missing_numbers_are_counted_apart() {
    let values = [json!("100.0"), json!("100.0"), json!("250.5"), json!(null)];
    let (optimize, service) = with_inputs("Double", &values);
    let from_200 = configured(
        by_input("c", "Double"),
        custom_bucket(json!(200), json!(50)),
    );
    assert_eq!(
        counts(&optimize, &service, "from-200", from_200),
        "200.00=0.0 250.00=1.0 missing=1.0"
    );
    // Nobody knows where to begin without a single number.
    assert_eq!(
        counts(
            &optimize,
            &service,
            "unknown",
            by_input("unknown", "Double")
        ),
        ""
    );
    // Keys are numbers: 100 is after 20.
    let sizes = configured(
        by_input("c", "Double"),
        with(
            custom_bucket(json!(0), json!(100)),
            json!({"sorting": {"by": "key", "order": "desc"}}),
        ),
    );
    assert_eq!(
        counts(&optimize, &service, "descending", sizes),
        "200.00=1.0 100.00=2.0 0.00=0.0 missing=1.0"
    );
}

#[test]
fn per_date() {
    let dates = [
        "2024-01-15T10:00:00.000+0000",
        "2024-01-31T23:59:59.999+0000",
        "2024-03-01T00:30:00.000+0100",
    ];
    let mut values = dates.map(|date| json!(date)).to_vec();
    values.push(json!(null));
    let (optimize, service) = with_inputs("Date", &values);
    let per = |unit: &str, sorting: Value| {
        let configuration = json!({"groupByDateVariableUnit": unit, "sorting": sorting});
        counts(
            &optimize,
            &service,
            unit,
            configured(by_input("c", "Date"), configuration),
        )
    };
    let months = "2024-01-01T00:00:00.000+0000=2.0 2024-02-01T00:00:00.000+0000=1.0 missing=1.0";
    assert_eq!(per("month", json!(null)), months);
    // The order of dates is their own.
    assert_eq!(
        per("month", json!({"by": "value", "order": "desc"})),
        months
    );
    assert_eq!(
        per("year", json!(null)),
        "2024-01-01T00:00:00.000+0000=3.0 missing=1.0"
    );
    let weeks = per("week", json!(null));
    assert_eq!(
        weeks.split(' ').count(),
        8,
        "from 15 January to 26 February, and the missing one: {weeks}"
    );
    let automatic = per("automatic", json!(null));
    assert_eq!(automatic.split(' ').count(), 81, "{automatic}");
    assert!(
        automatic.starts_with("2024-01-15T10:00:00.000+0000=1.0 "),
        "{automatic}"
    );
    assert!(automatic.ends_with("=1.0 missing=1.0"), "{automatic}");
    assert_eq!(
        counts(&optimize, &service, "unknown", by_input("unknown", "Date")),
        ""
    );
}
