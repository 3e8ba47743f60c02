//! Filters on variables.

use super::*;

/// Instances that have a variable `v` of a type with some value. Others have none, the value null, one of another type,
/// or two of the same name.
fn with_values(test: &str, variable_type: &str, values: &[(&str, Value)]) -> Instances {
    let variable = |variable_type: &str, value: &Value| json!({"name": "v", "type": variable_type, "value": value});
    let instance = |variables: Value| json!({"variables": variables});
    let other_type = if variable_type == "String" {
        "Object"
    } else {
        "String"
    };
    let mut instances: serde_json::Map<String, Value> = values
        .iter()
        .map(|(id, value)| {
            (
                (*id).to_owned(),
                instance(json!([variable(variable_type, value)])),
            )
        })
        .collect();
    let first = &values[0].1;
    instances.insert(
        "null".into(),
        instance(json!([variable(variable_type, &Value::Null)])),
    );
    instances.insert(
        "other-name".into(),
        instance(json!([{"name": "w", "type": variable_type, "value": first}])),
    );
    instances.insert(
        "other-type".into(),
        instance(json!([variable(other_type, first)])),
    );
    instances.insert(
        "two-scopes".into(),
        instance(json!([
            variable(variable_type, &Value::Null),
            variable(variable_type, first)
        ])),
    );
    instances.insert("undefined".into(), instance(json!([])));
    Instances::of_process(test, Value::Object(instances))
}

fn variable(variable_type: &str, data: Value) -> Value {
    on_instances(
        "variable",
        json!({"type": variable_type, "name": "v", "data": data}),
    )
}

fn list(operator: &str, values: Value) -> Value {
    json!({"operator": operator, "values": values})
}

#[test]
fn texts() {
    let long = "x".repeat(7001);
    let longest = "y".repeat(7000);
    let instances = with_values(
        "texts",
        "String",
        &[
            ("a-hello", json!(["Hello World Long Value"])),
            ("b-b", json!(["b"])),
            ("c-lower", json!(["hello world long value"])),
            ("d-empty", json!([""])),
            ("e-list", json!(["b", "ccc"])),
            ("f-too-long", json!([long])),
            ("g-longest", json!([longest])),
            ("h-stars", json!(["12345*7890?ab"])),
            ("i-back", json!(["12345\\6789012"])),
        ],
    );
    let filter = |operator, values| variable("string", list(operator, values));
    const UNDEFINED: &str = "f-too-long null other-name other-type two-scopes undefined";
    instances.check(
        &context(),
        [
            (filter("in", json!(["Hello World Long Value", "ccc"])), "a-hello e-list two-scopes"),
            (filter("in", json!(["hello"])), ""),
            (filter("in", json!([""])), "d-empty"),
            (filter("in", json!([null])), UNDEFINED),
            (filter("in", json!(["b", null])), "b-b e-list f-too-long null other-name other-type two-scopes undefined"),
            (filter("in", json!([long, longest])), "g-longest"),
            (
                filter("not in", json!(["Hello World Long Value", "b"])),
                "c-lower d-empty f-too-long g-longest h-stars i-back null other-name other-type undefined",
            ),
            (filter("not in", json!([null])), "a-hello b-b c-lower d-empty e-list g-longest h-stars i-back"),
            (filter("not in", json!(["b", null])), "a-hello c-lower d-empty g-longest h-stars i-back"),
            (filter("contains", json!(["O W"])), "a-hello c-lower two-scopes"),
            (filter("contains", json!(["HELLO WORLD"])), "a-hello c-lower two-scopes"),
            (filter("contains", json!(["cc", "lo wo"])), "a-hello c-lower e-list two-scopes"),
            (filter("contains", json!([""])), ""),
            (filter("contains", json!(["zzz", null])), UNDEFINED),
            // Up to ten characters are found in values of any length, more are not.
            (filter("contains", json!(["xxxxxxxxxx"])), "f-too-long"),
            (filter("contains", json!(["xxxxxxxxxxx"])), ""),
            (filter("contains", json!(["yyyyyyyyyyy"])), "g-longest"),
            // Wildcards in longer texts work as such.
            (filter("contains", json!(["hello*value"])), "a-hello c-lower two-scopes"),
            (filter("contains", json!(["world?long*"])), "a-hello c-lower two-scopes"),
            (filter("contains", json!(["345*7890?ab"])), "h-stars"),
            (filter("contains", json!(["12345\\\\6789012"])), "i-back"),
            (
                filter("not contains", json!(["hello", "b"])),
                "d-empty f-too-long g-longest i-back null other-name other-type undefined",
            ),
            (
                filter("not contains", json!([""])),
                "a-hello b-b c-lower d-empty e-list f-too-long g-longest h-stars i-back null other-name other-type two-scopes undefined",
            ),
            (filter("not contains", json!(["hello", null])), "b-b d-empty e-list g-longest h-stars i-back"),
        ],
    );
}

#[test]
fn texts_of_any_length_can_be_asked_for() {
    let instances = with_values("long-texts", "String", &[("a", json!(["a"]))]);
    let filter = |operator, length: usize| {
        // Elasticsearch refuses patterns that repeat themselves over more than some hundred characters.
        let letters = (0..length).map(|i| char::from(b'a' + (i * i % 251 % 26) as u8));
        let text: String = letters.collect();
        variable("String", list(operator, json!([text])))
    };
    const ALL: &str = "a null other-name other-type two-scopes undefined";
    for length in [11, 200, 7_001, 20_000, 100_000] {
        instances.check(
            &context(),
            [
                (filter("in", length), ""),
                (filter("not in", length), ALL),
                (filter("contains", length), ""),
                (filter("not contains", length), ALL),
            ],
        );
    }
}

#[test]
fn whole_numbers() {
    for variable_type in ["Short", "Integer", "Long"] {
        let instances = with_values(
            &format!("whole-{}", variable_type.to_lowercase()),
            variable_type,
            &[
                ("a-5", json!(["5"])),
                ("b-4", json!(["4"])),
                ("c-6", json!(["6"])),
                ("d-minus-7", json!(["-7"])),
                ("e-list", json!(["4", "100"])),
                ("f-no-number", json!(["many"])),
            ],
        );
        let filter = |operator, values| variable(variable_type, list(operator, values));
        instances.check(
            &context(),
            [
                (filter("in", json!(["5", "100"])), "a-5 e-list two-scopes"),
                (filter("in", json!(["5", "4.5"])), "a-5 two-scopes"),
                (
                    filter("in", json!([null, "4.5"])),
                    "null other-name other-type two-scopes undefined",
                ),
                (filter("in", json!([5, "6.0"])), "a-5 c-6 two-scopes"),
                (
                    filter("in", json!(["-7", null])),
                    "d-minus-7 null other-name other-type two-scopes undefined",
                ),
                (
                    filter("not in", json!(["5", "4"])),
                    "c-6 d-minus-7 f-no-number null other-name other-type undefined",
                ),
                (
                    filter("not in", json!([null])),
                    "a-5 b-4 c-6 d-minus-7 e-list f-no-number",
                ),
                (
                    filter("not in", json!(["5", null])),
                    "b-4 c-6 d-minus-7 e-list f-no-number",
                ),
                (filter("<", json!(["5"])), "b-4 d-minus-7 e-list"),
                (
                    filter("<=", json!(["5", "ignored"])),
                    "a-5 b-4 d-minus-7 e-list two-scopes",
                ),
                (filter(">", json!(["5"])), "c-6 e-list"),
                (filter(">=", json!(["+5"])), "a-5 c-6 e-list two-scopes"),
                (
                    filter("contains", json!(["5"])),
                    "a-5 b-4 c-6 d-minus-7 e-list f-no-number null two-scopes",
                ),
            ],
        );
    }
}

#[test]
fn numbers_beyond_the_precision_of_floating_point() {
    let instances = with_values(
        "large",
        "Long",
        &[
            ("a-below", json!(["75309396599875984"])),
            ("b-exact", json!(["75309396599875985"])),
            ("c-above", json!(["75309396599875986"])),
            ("d-largest", json!(["9223372036854775807"])),
        ],
    );
    let filter = |operator, value: &str| variable("Long", list(operator, json!([value])));
    instances.check(
        &context(),
        [
            (filter("in", "75309396599875985"), "b-exact"),
            (filter("<", "75309396599875985"), "a-below two-scopes"),
            (
                filter("<=", "75309396599875985"),
                "a-below b-exact two-scopes",
            ),
            (filter(">", "75309396599875985"), "c-above d-largest"),
            (filter(">=", "9223372036854775807"), "d-largest"),
            (filter("<", "-9223372036854775808"), ""),
        ],
    );
}

#[test]
fn floating_point_numbers() {
    let instances = with_values(
        "doubles",
        "Double",
        &[
            ("a-1.5", json!(["1.5"])),
            ("b-1.4999", json!(["1.4999"])),
            ("c-2", json!(["2.0"])),
            ("d-small", json!(["-1e300"])),
        ],
    );
    let filter = |operator, values| variable("Double", list(operator, values));
    instances.check(
        &context(),
        [
            (filter("in", json!(["1.5", "2"])), "a-1.5 c-2 two-scopes"),
            (
                filter("in", json!([" 15e-1 ", null])),
                "a-1.5 null other-name other-type two-scopes undefined",
            ),
            (
                filter("not in", json!(["1.5"])),
                "b-1.4999 c-2 d-small null other-name other-type undefined",
            ),
            (
                filter("not in", json!(["2", null])),
                "a-1.5 b-1.4999 d-small",
            ),
            (filter("<", json!(["1.5"])), "b-1.4999 d-small"),
            (
                filter("<=", json!(["1.5d"])),
                "a-1.5 b-1.4999 d-small two-scopes",
            ),
            (filter(">", json!(["1.5"])), "c-2"),
            (filter(">=", json!([1.5])), "a-1.5 c-2 two-scopes"),
            // Everything is below what is no number, or beyond all of them.
            (
                filter("<", json!(["NaN"])),
                "a-1.5 b-1.4999 c-2 d-small two-scopes",
            ),
            (filter(">=", json!(["NaN"])), ""),
            (
                filter("<", json!(["1e999"])),
                "a-1.5 b-1.4999 c-2 d-small two-scopes",
            ),
            (
                filter(">", json!(["-Infinity"])),
                "a-1.5 b-1.4999 c-2 d-small two-scopes",
            ),
            (
                filter("not contains", json!(["1"])),
                "a-1.5 b-1.4999 c-2 d-small null two-scopes",
            ),
        ],
    );
}

#[test]
fn booleans() {
    let instances = with_values(
        "booleans",
        "Boolean",
        &[("a-true", json!(["true"])), ("b-false", json!(["false"]))],
    );
    let filter = |values: Value| variable("Boolean", json!({"values": values}));
    instances.check(
        &context(),
        [
            (filter(json!([true])), "a-true two-scopes"),
            (filter(json!([false])), "b-false"),
            (filter(json!([true, false])), "a-true b-false two-scopes"),
            (
                filter(json!([null])),
                "null other-name other-type two-scopes undefined",
            ),
            (
                filter(json!([false, null])),
                "b-false null other-name other-type two-scopes undefined",
            ),
        ],
    );
}

#[test]
fn dates() {
    let instances = with_values(
        "dates",
        "Date",
        &[
            ("a-now", json!([date("2024-05-15T12:34:56.789")])),
            ("b-before", json!([date("2024-05-15T12:34:56.788")])),
            ("c-after", json!([date("2024-05-15T12:34:56.790")])),
            ("d-minute", json!([date("2024-05-15T12:34:00.000")])),
            ("e-last-minute", json!([date("2024-05-15T12:33:59.999")])),
            ("f-no-date", json!(["soon"])),
        ],
    );
    let filter = |kind: &str, start: Value, end: Value, flags: &[&str]| {
        let mut data = json!({"type": kind, "start": start, "end": end});
        for flag in flags {
            data[*flag] = json!(true);
        }
        variable("Date", data)
    };
    let units = |value: i64, unit: &str| json!({"value": value, "unit": unit});
    let now = || json!(date("2024-05-15T12:34:56.789"));
    let null = || json!(null);
    const SET: &str = "a-now b-before c-after d-minute e-last-minute f-no-date two-scopes";
    const UNDEFINED: &str = "null other-name other-type two-scopes undefined";
    instances.check(
        &context(),
        [
            (filter("fixed", now(), now(), &[]), "a-now two-scopes"),
            (filter("fixed", now(), null(), &[]), "a-now c-after two-scopes"),
            (filter("fixed", null(), now(), &[]), "a-now b-before d-minute e-last-minute two-scopes"),
            (filter("rolling", units(0, "minutes"), null(), &[]), "a-now two-scopes"),
            (filter("rolling", units(1, "seconds"), null(), &[]), "a-now b-before two-scopes"),
            (filter("relative", units(0, "minutes"), null(), &[]), "a-now b-before d-minute two-scopes"),
            (filter("relative", units(1, "minutes"), null(), &[]), "e-last-minute"),
            (filter("fixed", null(), null(), &["includeUndefined"]), UNDEFINED),
            (filter("fixed", null(), null(), &["excludeUndefined"]), SET),
            (filter("fixed", null(), null(), &["includeUndefined", "excludeUndefined"]), UNDEFINED),
            (
                filter("relative", units(0, "minutes"), null(), &["includeUndefined"]),
                "a-now b-before d-minute null other-name other-type two-scopes undefined",
            ),
            // The range has no effect beside excludeUndefined.
            (filter("rolling", units(0, "minutes"), null(), &["excludeUndefined"]), SET),
            (
                filter("rolling", null(), null(), &[]),
                "a-now b-before c-after d-minute e-last-minute f-no-date null other-name other-type two-scopes undefined",
            ),
        ],
    );
}

#[test]
fn several_variables() {
    let variables = |a: Option<&str>, b: Option<&str>| {
        let a = a.map(|value| json!({"name": "a", "type": "String", "value": [value]}));
        let b = b.map(|value| json!({"name": "b", "type": "Long", "value": [value]}));
        json!({"variables": a.into_iter().chain(b).collect::<Vec<_>>()})
    };
    let instances = Instances::of_process(
        "several",
        json!({
            "both": variables(Some("x"), Some("1")),
            "first": variables(Some("x"), Some("9")),
            "neither": variables(Some("y"), Some("9")),
            "second": variables(None, Some("1")),
            "undefined": variables(None, None),
        }),
    );
    let a = json!({"type": "String", "name": "a", "data": list("in", json!(["x"]))});
    let b = json!({"type": "Long", "name": "b", "data": list("<", json!(["5"]))});
    let no_b = json!({"type": "Long", "name": "b", "data": list("in", json!([null]))});
    let several = |filters: Value| on_instances("multipleVariable", json!({"data": filters}));
    instances.check(
        &context(),
        [
            (several(json!([a, b])), "both first second"),
            (several(json!([b, no_b])), "both second undefined"),
            (several(json!([a])), "both first"),
            (several(json!([])), "both first neither second undefined"),
        ],
    );
    // Filters of their own have both to hold.
    let both = json!([on_instances("variable", a), on_instances("variable", b)]);
    assert_eq!(
        instances.found(&both, ImplicitFilter::None, &context()),
        "both"
    );
}
