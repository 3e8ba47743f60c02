//! Filters on the dates of instances and flow nodes, each bound met exactly and missed by a millisecond.

use super::*;

/// Bounds of the filters below, with their neighbours. `NOW` is 2024-05-15T12:34:56.789.
const MOMENTS: [(&str, &str); 13] = [
    ("a-before-fixed", "2024-03-01T09:59:59.999"),
    ("b-fixed-start", "2024-03-01T10:00:00.000"),
    ("c-fixed-end", "2024-03-02T10:00:00.000"),
    ("d-after-fixed", "2024-03-02T10:00:00.001"),
    ("e-before-rolling", "2024-05-08T12:34:56.788"),
    ("f-rolling-start", "2024-05-08T12:34:56.789"),
    ("g-before-yesterday", "2024-05-13T23:59:59.999"),
    ("h-yesterday", "2024-05-14T00:00:00.000"),
    ("i-end-of-yesterday", "2024-05-14T23:59:59.999"),
    ("j-today", "2024-05-15T00:00:00.000"),
    ("k-now", "2024-05-15T12:34:56.789"),
    ("l-after-now", "2024-05-15T12:34:56.790"),
    ("m-tomorrow", "2024-05-16T00:00:00.000"),
];

fn filters(with: impl Fn(Value) -> Value) -> Vec<(Value, &'static str)> {
    let fixed = |start: Option<&str>, end: Option<&str>| {
        with(json!({"type": "fixed", "start": start.map(date), "end": end.map(date)}))
    };
    let counting = |kind: &str, value: i64, unit: &str| {
        with(json!({"type": kind, "start": {"value": value, "unit": unit}, "end": null}))
    };
    let fixed_start = Some("2024-03-01T10:00:00.000");
    let fixed_end = Some("2024-03-02T10:00:00.000");
    vec![
        (fixed(fixed_start, fixed_end), "b-fixed-start c-fixed-end"),
        (fixed(None, fixed_start), "a-before-fixed b-fixed-start"),
        (
            fixed(Some("2024-05-15T12:34:56.789"), None),
            "k-now l-after-now m-tomorrow",
        ),
        (fixed(fixed_end, fixed_start), ""),
        (
            with(
                json!({"type": "fixed", "start": "2024-03-01T12:00:00.000+0200", "end": "2024-03-02T04:30:00.000-0530"}),
            ),
            "b-fixed-start c-fixed-end",
        ),
        (fixed(None, Some("9999-12-31T23:59:59.999")), ALL),
        (
            counting("rolling", 1, "weeks"),
            "f-rolling-start g-before-yesterday h-yesterday i-end-of-yesterday j-today k-now",
        ),
        (
            counting("rolling", 7, "days"),
            "f-rolling-start g-before-yesterday h-yesterday i-end-of-yesterday j-today k-now",
        ),
        (counting("rolling", 0, "years"), "k-now"),
        (counting("rolling", -12, "hours"), ""),
        (counting("rolling", 45_296_789, "seconds"), UNTIL_NOW),
        (counting("rolling", 100_000, "years"), UNTIL_NOW),
        (counting("relative", 0, "days"), "j-today k-now"),
        (
            counting("relative", 1, "days"),
            "h-yesterday i-end-of-yesterday",
        ),
        (
            // From Monday of the last week to the end of its Sunday.
            counting("relative", 1, "weeks"),
            "e-before-rolling f-rolling-start",
        ),
        (
            counting("relative", 0, "weeks"),
            "g-before-yesterday h-yesterday i-end-of-yesterday j-today k-now",
        ),
        (
            counting("relative", 2, "months"),
            "a-before-fixed b-fixed-start c-fixed-end d-after-fixed",
        ),
        (
            counting("relative", 1, "quarters"),
            "a-before-fixed b-fixed-start c-fixed-end d-after-fixed",
        ),
        (counting("relative", 0, "years"), UNTIL_NOW),
        (counting("relative", 1, "years"), ""),
        (counting("relative", 0, "hours"), "k-now"),
        (counting("relative", 0, "minutes"), "k-now"),
        (counting("relative", -1, "days"), ""),
    ]
}

const UNTIL_NOW: &str = "a-before-fixed b-fixed-start c-fixed-end d-after-fixed e-before-rolling f-rolling-start \
                         g-before-yesterday h-yesterday i-end-of-yesterday j-today k-now";
const ALL: &str = "a-before-fixed b-fixed-start c-fixed-end d-after-fixed e-before-rolling f-rolling-start \
                   g-before-yesterday h-yesterday i-end-of-yesterday j-today k-now l-after-now m-tomorrow";

fn moments(instance: impl Fn(String) -> Value) -> Value {
    let instances = MOMENTS
        .iter()
        .map(|(id, moment)| ((*id).to_owned(), instance(date(moment))));
    let mut instances: serde_json::Map<String, Value> = instances.collect();
    instances.insert("n-without-date".to_owned(), json!({}));
    Value::Object(instances)
}

#[test]
fn start_dates_of_instances() {
    let instances = Instances::of_process("start-date", moments(|date| json!({"startDate": date})));
    instances.check(
        &context(),
        filters(|data| on_instances("instanceStartDate", data)),
    );
}

#[test]
fn end_dates_of_instances() {
    let instances = Instances::of_process("end-date", moments(|date| json!({"endDate": date})));
    instances.check(
        &context(),
        filters(|data| on_instances("instanceEndDate", data)),
    );
    let unbounded = on_instances("instanceEndDate", json!({"type": "fixed"}));
    let everything = format!("{ALL} n-without-date");
    assert_eq!(
        instances.found(&json!([unbounded]), ImplicitFilter::None, &context()),
        everything
    );
}

/// An instance in which the flow node A has the date, and the flow node C has one that no filter asks for.
fn flow_nodes(field: &str) -> impl Fn(String) -> Value {
    move |date| {
        json!({"flowNodeInstances": [
            {"flowNodeId": "A", (field): date}, {"flowNodeId": "C", (field): "1999-01-01T00:00:00.000+0000"}]})
    }
}

fn with_ids(data: Value, ids: Value) -> Value {
    let mut data = data;
    data["flowNodeIds"] = ids;
    data
}

#[test]
fn dates_of_flow_nodes() {
    for (filter_type, field) in [
        ("flowNodeStartDate", "startDate"),
        ("flowNodeEndDate", "endDate"),
    ] {
        let test = filter_type.to_lowercase();
        let instances = Instances::of_process(&test, moments(flow_nodes(field)));
        instances.check(
            &context(),
            filters(|data| on_instances(filter_type, with_ids(data, json!(["B", "A"])))),
        );
        // On the view level it is about any flow node, so the other one has to be out of the way.
        let other = Instances::of_process(
            &format!("{test}-view"),
            moments(
                |date| json!({"flowNodeInstances": [{"flowNodeId": "A", (field): date}, {"flowNodeId": "C"}]}),
            ),
        );
        other.check(&context(), filters(|data| on_view(filter_type, data)));
    }
}

#[test]
fn date_and_flow_node_are_those_of_one_flow_node_instance() {
    let at = |id: &str, day: &str| json!({"flowNodeId": id, "startDate": format!("2024-03-{day}T00:00:00.000+0000")});
    let instances = Instances::of_process(
        "one-flow-node",
        json!({
            "both-on-one": {"flowNodeInstances": [at("A", "01"), at("B", "09")]},
            "on-two": {"flowNodeInstances": [at("A", "09"), at("B", "01")]},
            "twice": {"flowNodeInstances": [at("A", "09"), at("A", "01")]},
            "none": {"flowNodeInstances": []},
        }),
    );
    let until = |ids: Value| {
        let data =
            json!({"type": "fixed", "end": "2024-03-05T00:00:00.000+0000", "flowNodeIds": ids});
        on_instances("flowNodeStartDate", data)
    };
    instances.check(
        &context(),
        [
            (until(json!(["A"])), "both-on-one twice"),
            (until(json!(["A", "B"])), "both-on-one on-two twice"),
            (until(json!(["C"])), ""),
        ],
    );
}
