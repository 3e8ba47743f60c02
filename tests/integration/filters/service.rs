//! Filters on their whole way: from the stored report to the rows that the service answers.

use jiff::Timestamp;

use super::*;
use crate::support::documents::{instance, raw_report, selection};
use crate::support::{Optimize, Service};

/// The ids of a report on one definition with these filters.
fn rows(optimize: &Optimize, service: &Service, report_id: &str, filters: Value) -> Vec<String> {
    optimize.store_report(raw_report(report_id, "order", json!({"filter": filters})));
    service.ids(report_id)
}

#[test]
fn five_filters_on_three_definitions_page_by_page() {
    let optimize = Optimize::install();
    for key in ["order", "invoice", "shipping"] {
        let at = |name: &str, flow_node: &str, end: Option<&str>, assignee: Option<&str>| {
            let flow_node = json!({"flowNodeId": flow_node, "flowNodeType": "userTask", "assignee": assignee,
                "definitionKey": key, "definitionVersion": "1", "canceled": false});
            let changes = json!({"endDate": end.map(date), "flowNodeInstances": [flow_node]});
            instance(key, &format!("{key}-{name}"), changes)
        };
        let ended = Some("2024-03-02T00:00:00.000");
        optimize.store_instances(
            key,
            [
                at("a-demo", "A", ended, Some("demo")),
                at("a-nobody", "A", ended, None),
                at("a-running", "A", None, Some("demo")),
                at("b-demo", "B", ended, Some("demo")),
                at("b-nobody", "B", ended, None),
                at("b-running", "B", None, Some("demo")),
            ],
        );
    }
    let applied_to = |identifiers: &[&str], mut filter: Value| {
        filter["appliedTo"] = json!(identifiers);
        filter
    };
    let filters = json!([
        applied_to(
            &["all"],
            on_instances("completedInstancesOnly", json!(null))
        ),
        applied_to(
            &["order"],
            on_view("assignee", json!({"operator": "in", "values": [null]}))
        ),
        applied_to(
            &["order", "invoice"],
            on_instances(
                "executedFlowNodes",
                json!({"operator": "not in", "values": ["B"]})
            )
        ),
        applied_to(
            &["shipping"],
            on_view(
                "executedFlowNodes",
                json!({"operator": "in", "values": ["B"]})
            )
        ),
        applied_to(
            &["shipping"],
            on_instances("assignee", json!({"operator": "not in", "values": [null]}))
        ),
    ]);
    let definitions = json!([
        selection("order"),
        selection("invoice"),
        selection("shipping")
    ]);
    let changes = json!({"filter": filters, "definitions": definitions});
    optimize.store_report(raw_report("five", "order", changes));
    let service = optimize.serve();
    let pages = service.all_pages("five", 3);
    let ids = |page: &Value| -> Vec<String> {
        let rows = page["data"].as_array().unwrap().iter();
        rows.map(|row| row["processInstanceId"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        ids(&pages[0]),
        ["invoice-a-demo", "invoice-a-nobody", "order-a-nobody"]
    );
    assert_eq!(ids(&pages[1]), ["shipping-b-demo"]);
    assert!(
        pages.iter().all(|page| page["totalNumberOfRecords"] == 4),
        "{pages:?}"
    );
}

#[test]
fn now_is_the_moment_of_the_request() {
    let optimize = Optimize::install();
    let seconds_ago = |seconds: i64| {
        let moment = Timestamp::from_second(Timestamp::now().as_second() - seconds).unwrap();
        optimize::moment::Moment::from(moment).utc_text()
    };
    let running = |id: &str, start: String| {
        instance(
            "order",
            id,
            json!({"startDate": start, "endDate": null, "duration": null}),
        )
    };
    optimize.store_instances(
        "order",
        [
            running("an-hour", seconds_ago(3_600)),
            running("three-hours", seconds_ago(3 * 3_600)),
            running("tomorrow", seconds_ago(-86_400)),
        ],
    );
    let service = optimize.serve();
    let hours = |operator: &str| json!({"value": 2, "unit": "hours", "operator": operator});
    let lasted = |operator| json!([on_instances("processInstanceDuration", hours(operator))]);
    assert_eq!(
        rows(&optimize, &service, "longer", lasted(">")),
        ["three-hours"]
    );
    assert_eq!(
        rows(&optimize, &service, "shorter", lasted("<")),
        ["an-hour", "tomorrow"]
    );
    let rolling = json!({"type": "rolling", "start": {"value": 2, "unit": "hours"}});
    let started = json!([on_instances("instanceStartDate", rolling)]);
    assert_eq!(rows(&optimize, &service, "rolling", started), ["an-hour"]);
}

#[test]
fn a_filter_that_cannot_be_evaluated_is_told_with_its_place() {
    let optimize = Optimize::install();
    optimize.store_instances("order", [instance("order", "a", json!({}))]);
    let service = optimize.serve();
    let fine = on_instances("completedInstancesOnly", json!(null));
    let long = json!({"value": 1, "unit": null, "operator": "<"});
    for (number, (filter, expected)) in [
        (
            on_instances("processInstanceDuration", long),
            "report part `data.filter[1].data.unit`: filter `processInstanceDuration`: unit is not allowed to be empty or null",
        ),
        (
            on_view("runningInstancesOnly", json!(null)),
            "report part `data.filter[1].filterLevel`: filter `runningInstancesOnly`: view is not a valid application level for this filter type, expected instance",
        ),
        (
            on_instances("variable", json!({"type": "Long", "name": "v", "data": {"operator": "<", "values": ["many"]}})),
            "report part `data.filter[1].data.data.values[0]`: filter `variable`: Error trying to parse value for filter: many; expected a number of type Long",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("wrong-{number}");
        optimize.store_report(raw_report(&id, "order", json!({"filter": [fine, filter]})));
        let (status, code, detail) = service.first_page(&id, 10).error();
        assert_eq!((status, code.as_str(), detail.as_str()), (400, "reportEvaluationError", expected));
    }
}

#[test]
fn without_assignee_analytics_assignees_of_instances_do_not_count() {
    let optimize = Optimize::install();
    let task = json!({"flowNodeId": "A", "flowNodeType": "userTask", "assignee": "demo", "candidateGroups": ["sales"]});
    optimize.store_instances(
        "order",
        [
            instance("order", "demo", json!({"flowNodeInstances": [task]})),
            instance("order", "nothing", json!({})),
        ],
    );
    let service = optimize.serve_with(&["--assignee-analytics=false"]);
    let by = |filter: Value| json!([filter]);
    let nobody = || json!({"operator": "in", "values": ["nobody"]});
    assert_eq!(
        rows(
            &optimize,
            &service,
            "i",
            by(on_instances("assignee", nobody()))
        ),
        ["demo", "nothing"]
    );
    assert!(rows(&optimize, &service, "v", by(on_view("assignee", nobody()))).is_empty());
    assert!(
        rows(
            &optimize,
            &service,
            "g",
            by(on_instances("candidateGroup", nobody()))
        )
        .is_empty()
    );
}
