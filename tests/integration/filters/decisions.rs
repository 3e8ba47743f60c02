//! Filters of decision reports.

use super::*;

#[test]
fn evaluation_dates() {
    let at = |moment: &str| json!({"evaluationDateTime": date(moment)});
    let instances = Instances::of_decision(
        "evaluation",
        json!({
            "a-before": at("2024-05-13T23:59:59.999"),
            "b-yesterday": at("2024-05-14T00:00:00.000"),
            "c-end-of-yesterday": at("2024-05-14T23:59:59.999"),
            "d-today": at("2024-05-15T00:00:00.000"),
            "e-now": at("2024-05-15T12:34:56.789"),
            "f-after-now": at("2024-05-15T12:34:56.790"),
        }),
    );
    let filter =
        |data: Value| json!({"type": "evaluationDateTime", "data": data, "appliedTo": ["all"]});
    let units = |kind: &str, value: i64, unit: &str| {
        filter(json!({"type": kind, "start": {"value": value, "unit": unit}}))
    };
    let fixed = |start: Option<&str>, end: Option<&str>| {
        filter(json!({"type": "fixed", "start": start.map(date), "end": end.map(date)}))
    };
    instances.check_decisions([
        (
            units("relative", 1, "days"),
            "b-yesterday c-end-of-yesterday",
        ),
        (units("relative", 0, "days"), "d-today e-now"),
        (
            units("rolling", 1, "days"),
            "c-end-of-yesterday d-today e-now",
        ),
        (
            fixed(
                Some("2024-05-14T00:00:00.000"),
                Some("2024-05-15T00:00:00.000"),
            ),
            "b-yesterday c-end-of-yesterday d-today",
        ),
        (fixed(None, Some("2024-05-13T23:59:59.999")), "a-before"),
        (fixed(Some("2024-05-15T12:34:56.790"), None), "f-after-now"),
    ]);
}

#[test]
fn inputs_and_outputs() {
    for (filter_type, path) in [("inputVariable", "inputs"), ("outputVariable", "outputs")] {
        let other_path = if path == "inputs" {
            "outputs"
        } else {
            "inputs"
        };
        let clause = |value: Value| json!([{"clauseId": "clause", "clauseName": "other", "type": "String", "value": value}]);
        let instances = Instances::of_decision(
            path,
            json!({
                "a-text": {(path): clause(json!("Hello World")) },
                "b-5": {(path): clause(json!("5")) },
                "c-5.5": {(path): clause(json!("5.5")) },
                "d-true": {(path): clause(json!("true")) },
                "e-now": {(path): clause(json!(date("2024-05-15T12:34:56.789"))) },
                "f-later": {(path): clause(json!(date("2024-05-15T12:34:56.790"))) },
                "g-null": {(path): clause(json!(null)) },
                "h-undefined": {(path): []},
                "i-other-clause": {(path): [{"clauseId": "other", "value": "5"}], (other_path): clause(json!("5"))},
            }),
        );
        let variable = |variable_type: &str, data: Value| json!({"type": filter_type, "data": {"type": variable_type, "name": "clause", "data": data}});
        let list = |operator: &str, values: Value| json!({"operator": operator, "values": values});
        let day = |flags: Value| {
            let mut data = json!({"type": "rolling", "start": {"value": 1, "unit": "days"}});
            data.as_object_mut()
                .unwrap()
                .extend(flags.as_object().unwrap().clone());
            data
        };
        instances.check_decisions([
            (
                variable("String", list("in", json!(["Hello World", "5"]))),
                "a-text b-5",
            ),
            (
                variable("String", list("in", json!(["true", null]))),
                "d-true g-null h-undefined i-other-clause",
            ),
            (
                variable("String", list("not in", json!(["5"]))),
                "a-text c-5.5 d-true e-now f-later g-null h-undefined i-other-clause",
            ),
            (
                variable("String", list("not in", json!(["5", null]))),
                "a-text c-5.5 d-true e-now f-later",
            ),
            (
                variable("String", list("contains", json!(["WORLD"]))),
                "a-text",
            ),
            (
                variable("String", list("contains", json!(["hello world", "5.5"]))),
                "a-text c-5.5",
            ),
            (
                variable("String", list("not contains", json!(["5"]))),
                "a-text d-true g-null h-undefined i-other-clause",
            ),
            (variable("Boolean", json!({"values": [true]})), "d-true"),
            (
                variable("Boolean", json!({"values": [false, null]})),
                "g-null h-undefined i-other-clause",
            ),
            // The type is no part of the question, and 5.5 is 5 to a field of whole numbers.
            (variable("Integer", list("in", json!(["5"]))), "b-5 c-5.5"),
            (variable("Long", list("<", json!(["5"]))), ""),
            (variable("Short", list("<=", json!(["5"]))), "b-5 c-5.5"),
            (variable("Double", list("in", json!(["5.5"]))), "c-5.5"),
            (
                variable("Double", list("not in", json!(["5.5", null]))),
                "a-text b-5 d-true e-now f-later",
            ),
            (variable("Double", list(">", json!(["5"]))), "c-5.5"),
            (variable("Double", list(">=", json!(["5"]))), "b-5 c-5.5"),
            (
                variable("Double", list("contains", json!(["5"]))),
                "a-text b-5 c-5.5 d-true e-now f-later g-null",
            ),
            (variable("Date", day(json!({}))), "e-now"),
            (
                variable("Date", day(json!({"includeUndefined": true}))),
                "e-now g-null h-undefined i-other-clause",
            ),
            (
                variable("Date", day(json!({"excludeUndefined": true}))),
                "a-text b-5 c-5.5 d-true e-now f-later",
            ),
        ]);
    }
}
