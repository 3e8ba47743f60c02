use serde_json::json;

use super::fixtures::{clause, context, on_flow_nodes, process_filters};
use super::*;
use crate::report::definition::{DecisionFilterType, FilterLevel, ProcessFilterType, StoredReport};
use crate::scope::Versions;

fn definition(identifier: Option<&str>, key: &str) -> DefinitionScope {
    DefinitionScope {
        identifier: identifier.map(str::to_owned),
        key: key.to_owned(),
        label: key.to_owned(),
        versions: Versions::All,
        tenant_ids: vec![None],
    }
}

fn state(filter_type: &str, applied_to: &[&str]) -> Value {
    json!({"type": filter_type, "filterLevel": "instance", "data": null, "appliedTo": applied_to})
}

fn term(field: &str, value: &str) -> Value {
    json!({"term": {field: {"value": value}}})
}

#[test]
fn a_filter_narrows_the_definitions_that_it_is_applied_to() {
    let filters = process_filters(json!([
        state("runningInstancesOnly", &["all"]),
        state("suspendedInstancesOnly", &["a", "c"]),
        state("nonSuspendedInstancesOnly", &["b", "all"]),
        // Nobody's: a key is no identifier, and nobody has this identifier.
        state("canceledInstancesOnly", &["key-a", "d"]),
        state("completedInstancesOnly", &[]),
    ]));
    let definitions = [
        definition(Some("a"), "key-a"),
        definition(None, "key-b"),
        definition(Some("b"), "key-b"),
        definition(Some("a"), "key-c"),
    ];
    let running = json!({"bool": {"must_not": [{"exists": {"field": "endDate"}}]}});
    let suspended = json!({"bool": {"should": [term("state", "SUSPENDED")]}});
    let not_suspended = json!({"bool": {"must_not": [term("state", "SUSPENDED")]}});
    assert_eq!(
        narrowing(&filters, &definitions, ImplicitFilter::None, &context()),
        Narrowing {
            all: vec![running, not_suspended.clone()],
            by_definition: vec![
                vec![suspended.clone()],
                vec![],
                vec![not_suspended],
                vec![suspended]
            ],
        }
    );
}

#[test]
fn a_report_can_have_a_filter_because_of_its_type() {
    let implicit = |view: &str, group_by: Value| {
        let report = json!({"reportType": "process", "data": {
            "view": {"entity": view, "properties": ["frequency"]}, "groupBy": group_by}});
        match StoredReport::parse(&report.to_string()) {
            Ok(StoredReport::Process(report)) => ImplicitFilter::of(&report),
            other => panic!("{other:?}"),
        }
    };
    let end_date = json!({"type": "endDate", "value": {"unit": "day"}});
    let start_date = json!({"type": "startDate", "value": {"unit": "day"}});
    assert_eq!(
        implicit("processInstance", end_date.clone()),
        ImplicitFilter::CompletedInstancesOnly
    );
    assert_eq!(
        implicit("processInstance", start_date),
        ImplicitFilter::None
    );
    assert_eq!(implicit("flowNode", end_date.clone()), ImplicitFilter::None);
    assert_eq!(
        implicit("userTask", end_date),
        ImplicitFilter::UserTasksOnly
    );

    let clauses = |implicit| narrowing(&[], &[], implicit, &context()).all;
    assert!(clauses(ImplicitFilter::None).is_empty());
    assert_eq!(
        clauses(ImplicitFilter::CompletedInstancesOnly),
        [json!({"bool": {"must": [{"exists": {"field": "endDate"}}]}})]
    );
    assert_eq!(
        clauses(ImplicitFilter::UserTasksOnly),
        [on_flow_nodes(
            json!({"bool": {"must": [term("flowNodeInstances.flowNodeType", "userTask")]}})
        )]
    );
}

#[test]
fn agents_are_no_error_where_there_can_be_none() {
    assert_eq!(
        clause("hasAgentInstances", "instance", json!(null)),
        json!({"nested": {"path": "agentInstances", "score_mode": "none", "ignore_unmapped": true, "query": {"match_all": {}}}})
    );
}

#[test]
fn all_instances_are_those_that_date_filters_let_through() {
    let date =
        json!({"type": "fixed", "start": "2024-03-01T00:00:00.000+0000", "flowNodeIds": null});
    let mut flow_node_date = date.clone();
    flow_node_date["flowNodeIds"] = json!(["A"]);
    let filters = process_filters(json!([
        {"type": "instanceStartDate", "filterLevel": "instance", "data": date},
        {"type": "instanceEndDate", "filterLevel": "instance", "data": date, "appliedTo": ["a"]},
        {"type": "flowNodeStartDate", "filterLevel": "instance", "data": flow_node_date, "appliedTo": ["a"]},
        {"type": "flowNodeEndDate", "filterLevel": "view", "data": date},
        {"type": "runningInstancesOnly", "filterLevel": "instance", "data": null},
    ]));
    let baseline = baseline_narrowing(&filters, &[definition(Some("a"), "key")], false, &context());
    let range = |field: &str| json!({"range": {field: {"gte": "2024-03-01T00:00:00.000+0000", "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}});
    assert_eq!(baseline.all, [range("startDate")]);
    let flow_node = json!({"bool": {"must": [term("flowNodeInstances.flowNodeId", "A"), range("flowNodeInstances.startDate")]}});
    let flow_node =
        on_flow_nodes(json!({"bool": {"minimum_should_match": 1, "should": [flow_node]}}));
    assert_eq!(baseline.by_definition, [[range("endDate"), flow_node]]);
}

#[test]
fn reports_on_agents_are_shares_of_completed_instances_with_agents() {
    let instance = |kind: &str| json!({"type": kind, "filterLevel": "instance", "data": null});
    let filters = process_filters(json!([
        instance("completedInstancesOnly"),
        instance("hasAgentInstances"),
        instance("includesResolvedIncident"),
        instance("nonCanceledInstancesOnly"),
    ]));
    let of_report = |is_about_agents| {
        let definitions = [definition(Some("a"), "key")];
        baseline_narrowing(&filters, &definitions, is_about_agents, &context()).all
    };
    assert_eq!(
        of_report(true),
        [instance_state::completed(), has_agent_instances()]
    );
    assert_eq!(of_report(false), [] as [Value; 0]);
}

/// Every filter of the view level at once, and some of the instance level that have no say there.
fn view_level_filters(applied_to: &[&str]) -> Vec<ProcessFilter> {
    let view = |filter_type: &str, data: Value| json!({"type": filter_type, "filterLevel": "view", "data": data, "appliedTo": applied_to});
    let date = |start: &str| json!({"type": "fixed", "start": start});
    process_filters(json!([
        view("completedFlowNodesOnly", json!(null)),
        view(
            "flowNodeDuration",
            json!({"A": {"value": 1, "unit": "seconds", "operator": ">"}})
        ),
        view(
            "executedFlowNodes",
            json!({"operator": "in", "values": ["A", "B"]})
        ),
        view(
            "executedFlowNodes",
            json!({"operator": "not in", "values": ["B"]})
        ),
        view("flowNodeStartDate", date("2024-03-01T00:00:00.000+0000")),
        view("flowNodeEndDate", date("2024-03-02T00:00:00.000+0000")),
        view("assignee", json!({"operator": "in", "values": ["demo"]})),
        view(
            "candidateGroup",
            json!({"operator": "not in", "values": ["hr"]})
        ),
        view("includesOpenIncident", json!(null)),
        view("includesResolvedIncident", json!(null)),
        state("suspendedInstancesOnly", &["nobody"]),
    ]))
}

fn after(field: &str, start: &str) -> Value {
    json!({"range": {field: {"gte": start, "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}})
}

fn lasted_more_than_a_second() -> Value {
    let (duration, start) = (
        "flowNodeInstances.totalDurationInMs",
        "flowNodeInstances.startDate",
    );
    json!({"bool": {"must": [term("flowNodeInstances.flowNodeId", "A"), {"bool": {"should": [
        {"range": {duration: {"gt": 1000}}},
        {"bool": {
            "must_not": [{"exists": {"field": duration}}],
            "filter": [{"range": {start: {"lt": "2024-03-31T23:30:14.123+0000", "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}}]}}]}}]}})
}

fn user_task() -> Value {
    term("flowNodeInstances.flowNodeType", "userTask")
}

#[test]
fn filters_of_the_view_level_ask_for_one_flow_node_and_one_incident() {
    let mut context = context();
    context.user_task_report = true;
    let flow_node = on_flow_nodes(json!({"bool": {
        "minimum_should_match": 1,
        "must": [
            user_task(),
            {"term": {"flowNodeInstances.canceled": {"value": false}}},
            {"exists": {"field": "flowNodeInstances.endDate"}},
            user_task(),
            {"bool": {"should": [{"terms": {"flowNodeInstances.assignee": ["demo"]}}]}},
            user_task()],
        "must_not": [
            term("flowNodeInstances.flowNodeType", "multiInstanceBody"),
            {"bool": {"should": [{"terms": {"flowNodeInstances.candidateGroups": ["hr"]}}]}}],
        "should": [lasted_more_than_a_second()],
        "filter": [
            {"terms": {"flowNodeInstances.flowNodeId": ["A", "B"]}},
            {"bool": {"must_not": [{"terms": {"flowNodeInstances.flowNodeId": ["B"]}}]}},
            after("flowNodeInstances.startDate", "2024-03-01T00:00:00.000+0000"),
            after("flowNodeInstances.endDate", "2024-03-02T00:00:00.000+0000")]}}));
    let incident = json!({"nested": {"path": "incidents", "score_mode": "none", "query": {"bool": {"must": [
        term("incidents.incidentStatus", "open"), term("incidents.incidentStatus", "resolved")]}}}});
    let definitions = [definition(Some("a"), "key")];

    let on_all = narrowing(
        &view_level_filters(&["all"]),
        &definitions,
        ImplicitFilter::None,
        &context,
    );
    assert_eq!(
        on_all,
        Narrowing {
            all: vec![flow_node.clone(), incident.clone()],
            by_definition: vec![vec![]]
        }
    );
    // A clause for each list: filters for all and filters for one definition may be met by two flow nodes.
    let on_one = narrowing(
        &view_level_filters(&["a"]),
        &definitions,
        ImplicitFilter::None,
        &context,
    );
    assert_eq!(
        on_one,
        Narrowing {
            all: vec![],
            by_definition: vec![vec![flow_node, incident]]
        }
    );
}

#[test]
fn two_durations_of_the_view_level_are_alternatives_on_instances_and_both_hold_in_aggregations() {
    let duration = |id: &str| {
        json!({"type": "flowNodeDuration", "filterLevel": "view",
        "data": {id: {"value": 1, "unit": "seconds", "operator": ">"}}})
    };
    let filters = process_filters(json!([duration("A"), duration("B")]));
    let on_instances = narrowing(&filters, &[], ImplicitFilter::None, &context()).all;
    let query = &on_instances[0]["nested"]["query"]["bool"];
    assert_eq!(
        (
            query["should"].as_array().unwrap().len(),
            &query["minimum_should_match"]
        ),
        (2, &json!(1))
    );
    let in_aggregations = model_element_filter(&filters, &[], &context());
    let clauses = in_aggregations["bool"]["filter"].as_array().unwrap();
    assert_eq!(clauses.len(), 2);
    assert_eq!(
        clauses[0],
        json!({"bool": {"minimum_should_match": 1, "should": [lasted_more_than_a_second()]}})
    );
}

fn in_definition(prefix: &str, key: &str) -> Value {
    json!([
        term(&format!("{prefix}.definitionKey"), key),
        {"bool": {"must_not": [{"exists": {"field": format!("{prefix}.tenantId")}}]}}])
}

#[test]
fn aggregations_look_at_the_flow_nodes_of_the_definitions_that_filters_let_through() {
    let mut context = context();
    context.user_task_report = true;
    let clauses = json!([
        {"bool": {
            "must_not": [term("flowNodeInstances.flowNodeType", "multiInstanceBody")],
            "must": [{"term": {"flowNodeInstances.canceled": {"value": false}}}, {"exists": {"field": "flowNodeInstances.endDate"}}]}},
        {"bool": {"minimum_should_match": 1, "should": [lasted_more_than_a_second()]}},
        {"bool": {"filter": [{"terms": {"flowNodeInstances.flowNodeId": ["A", "B"]}}]}},
        {"bool": {"filter": [{"bool": {"must_not": [{"terms": {"flowNodeInstances.flowNodeId": ["B"]}}]}}]}},
        after("flowNodeInstances.startDate", "2024-03-01T00:00:00.000+0000"),
        after("flowNodeInstances.endDate", "2024-03-02T00:00:00.000+0000"),
        {"bool": {"must": [user_task(), {"bool": {"should": [{"terms": {"flowNodeInstances.assignee": ["demo"]}}]}}]}},
        {"bool": {"must": [user_task()], "must_not": [{"bool": {"should": [{"terms": {"flowNodeInstances.candidateGroups": ["hr"]}}]}}]}}]);
    let definitions = [
        definition(Some("a"), "key-a"),
        definition(Some("b"), "key-b"),
    ];
    let with_key = |key: &str| in_definition("flowNodeInstances", key);
    assert_eq!(
        model_element_filter(&view_level_filters(&["all"]), &definitions, &context),
        json!({"bool": {
            "minimum_should_match": 1,
            "must": [user_task()],
            "should": [{"bool": {"must": with_key("key-a")}}, {"bool": {"must": with_key("key-b")}}],
            "filter": clauses}})
    );
    context.user_task_report = false;
    assert_eq!(
        model_element_filter(&view_level_filters(&["b"]), &definitions, &context),
        json!({"bool": {
            "minimum_should_match": 1,
            "should": [{"bool": {"must": with_key("key-a")}}, {"bool": {"must": with_key("key-b"), "filter": clauses}}]}})
    );
    assert_eq!(
        model_element_filter(&[], &[], &context),
        json!({"bool": {}})
    );
}

#[test]
fn aggregations_look_at_the_incidents_of_the_definitions_that_filters_let_through() {
    let definitions = [
        definition(Some("a"), "key-a"),
        definition(Some("b"), "key-b"),
    ];
    let with_key = |key: &str| in_definition("incidents", key);
    let clauses = json!([
        {"bool": {"filter": [{"terms": {"incidents.activityId": ["A", "B"]}}]}},
        {"bool": {"filter": [{"bool": {"must_not": [{"terms": {"incidents.activityId": ["B"]}}]}}]}},
        term("incidents.incidentStatus", "open"),
        term("incidents.incidentStatus", "resolved")]);
    assert_eq!(
        incident_filter(&view_level_filters(&["all"]), &definitions),
        json!({"bool": {
            "minimum_should_match": 1,
            "should": [{"bool": {"must": with_key("key-a")}}, {"bool": {"must": with_key("key-b")}}],
            "filter": clauses}})
    );
    assert_eq!(
        incident_filter(&view_level_filters(&["a"]), &definitions),
        json!({"bool": {
            "minimum_should_match": 1,
            "should": [{"bool": {"must": with_key("key-a"), "filter": clauses}}, {"bool": {"must": with_key("key-b")}}]}})
    );
}

/// The first two columns of the tables in `docs/FILTERS.md`: ids, and levels where there are any.
fn documented() -> Vec<(String, String)> {
    let page = include_str!("../../../../docs/FILTERS.md");
    let (filters, _) = page.split_once("## Dates").unwrap();
    let rows = filters.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| {
        let (id, rest) = row.split_once("` | ")?;
        let (levels, _) = rest.split_once(" | ")?;
        Some((id.to_owned(), levels.to_owned()))
    })
    .collect()
}

#[test]
fn every_filter_is_documented_with_its_levels() {
    let levels = |filter_type: &ProcessFilterType| {
        let ids: Vec<&str> = filter_type
            .levels()
            .iter()
            .copied()
            .map(FilterLevel::id)
            .collect();
        ids.join(", ")
    };
    let process = ProcessFilterType::ALL
        .iter()
        .map(|t| (t.id().to_owned(), levels(t)));
    let decision = DecisionFilterType::ALL
        .iter()
        .map(|t| (t.id().to_owned(), "none".to_owned()));
    let expected: Vec<_> = process.chain(decision).collect();
    assert_eq!(documented(), expected);
}
