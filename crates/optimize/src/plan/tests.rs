//! Whole plans: what is asked, and what is made of an answer.

use jiff::tz::TimeZone;
use serde_json::json;

use super::*;
use crate::plan::ad_hoc_sub_processes::AdHocSubProcesses;
use crate::plan::context::ProcessModels;
use crate::report::definition::StoredReport;
use crate::scope::{DefinitionKind, DefinitionScope, IndexNames, Scope, Versions};

pub mod absent;

/// Calls `test` with the plan of a report on all versions of the process `p`.
fn with_plan(data: &Value, test: impl FnOnce(&Plan, &PlanContext<'_>)) {
    with_plan_on(&ProcessModels::default(), data, test);
}

/// The same where this is known of the definition.
fn with_plan_on(models: &ProcessModels, data: &Value, test: impl FnOnce(&Plan, &PlanContext<'_>)) {
    let stored = json!({"reportType": "process", "data": data}).to_string();
    let StoredReport::Process(report) = StoredReport::parse(&stored).unwrap() else {
        panic!("no process report");
    };
    let filter = FilterContext {
        now: "2024-01-01T00:00:00Z".parse().unwrap(),
        time_zone: TimeZone::UTC,
        user_task_report: false,
        assignee_analytics: true,
    };
    let definition = DefinitionScope {
        identifier: Some("first".to_owned()),
        key: "p".to_owned(),
        label: "Process".to_owned(),
        versions: Versions::All,
        tenant_ids: vec![None],
    };
    let names = IndexNames::new("optimize");
    let scope = Scope::of_definitions(&names, DefinitionKind::Process, vec![definition]);
    let context = PlanContext {
        report: &report,
        scope: &scope,
        filter: &filter,
        bucket_limit: 7,
        percentile_compression: None,
        models,
    };
    test(&Plan::of(&report, &filter).unwrap(), &context);
}

fn answer(total: u64, aggregations: Value) -> Answer {
    let answer = json!({"hits": {"total": {"value": total}}, "aggregations": aggregations});
    serde_json::from_value(answer).unwrap()
}

fn asked(plan: &Plan, context: &PlanContext<'_>, ranges: Ranges) -> Value {
    let search = plan.search(context, ranges, &Room::unlimited()).unwrap();
    serde_json::from_str(&search.into_text()).unwrap()
}

#[test]
fn a_grouping_a_distribution_and_a_view_are_nested() {
    let data = json!({
        "view": {"entity": "processInstance", "properties": ["duration"]},
        "groupBy": {"type": "startDate", "value": {"unit": "day"}},
        "distributedBy": {"type": "process", "value": null},
        "configuration": {"aggregationTypes": [{"type": "max"}, {"type": "min"}]},
    });
    with_plan(&data, |plan, context| {
        let statistics = plan.statistics(context).unwrap();
        assert_eq!(
            statistics["aggs"],
            json!({"grouping": {"filter": {"match_all": {}}, "aggs": {"statistics": {"stats": {"field": "startDate"}}}}})
        );
        let statistics = answer(
            2,
            json!({"grouping": {"statistics": {"min": 0.0, "max": 1000.0}}}),
        );
        let ranges = plan.ranges(context, &statistics).unwrap();
        let search = asked(plan, context, ranges);
        assert_eq!(
            search["query"]["bool"]["filter"][1],
            json!({"exists": {"field": "startDate"}})
        );
        let dates = &search["aggs"]["level"]["aggs"]["dates"];
        assert_eq!(dates["date_histogram"]["calendar_interval"], "day");
        let keys = &dates["aggs"]["definitionKeys"];
        assert_eq!(
            keys["terms"],
            json!({"field": "processDefinitionKey", "size": 7, "order": {"_key": "asc"}})
        );
        let tenants = &keys["aggs"]["definitionVersions"]["aggs"]["tenants"];
        assert_eq!(tenants["terms"]["missing"], "noTenant____");
        // Of two functions only the first is exported.
        let measures: Vec<&String> = tenants["aggs"].as_object().unwrap().keys().collect();
        assert_eq!(measures, ["duration0"]);
        assert_eq!(
            tenants["aggs"]["duration0"]["max"]["script"]["params"],
            json!({"now": 1_704_067_200_000_i64})
        );

        let tenant = json!({"key": "noTenant____", "doc_count": 2, "duration0": {"value": 2.5}});
        let version = json!({"key": "1", "doc_count": 2, "tenants": {"buckets": [tenant]}});
        let key = json!({"key": "p", "doc_count": 2, "definitionVersions": {"buckets": [version]}});
        let found = answer(
            2,
            json!({"level": {"doc_count": 2, "dates": {"buckets": [
                {"key": 86_400_000_i64, "doc_count": 0, "definitionKeys": {"buckets": []}},
                {"key": 0, "doc_count": 2, "definitionKeys": {"buckets": [key]}}]}}}),
        );
        let part = |value| {
            vec![Entry::new(
                "first".to_owned(),
                Some("Process".to_owned()),
                value,
            )]
        };
        let group = |day: &str, value| Entry::new(day.to_owned(), None, part(value));
        assert_eq!(
            plan.result(context, ranges, &found, &Room::unlimited()),
            Ok(ReportResult::HyperMap(vec![
                group("1970-01-01T00:00:00.000+0000", Some(3.0)),
                group("1970-01-02T00:00:00.000+0000", None),
            ]))
        );
    });
}

#[test]
fn without_values_nothing_is_grouped() {
    let data = json!({
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "duration", "value": null},
    });
    with_plan(&data, |plan, context| {
        let nothing = answer(
            0,
            json!({"grouping": {"statistics": {"min": null, "max": null}}}),
        );
        let ranges = plan.ranges(context, &nothing).unwrap();
        let search = asked(plan, context, ranges);
        assert_eq!(search["aggs"], json!({}));
        let result = plan.result(context, ranges, &answer(0, json!({})), &Room::unlimited());
        assert_eq!(result, Ok(ReportResult::Map(Vec::new())));
    });
}

#[test]
fn without_an_index_a_number_depends_on_the_view() {
    let number = |entity: &str, property: &str| {
        let data = json!({"view": {"entity": entity, "properties": [property]}, "groupBy": {"type": "none"}});
        let mut found = None;
        with_plan(&data, |plan, _| found = Some(plan.result_without_index()));
        found.unwrap()
    };
    assert_eq!(
        number("processInstance", "frequency"),
        ReportResult::Number(Some(0.0))
    );
    assert_eq!(
        number("processInstance", "percentage"),
        ReportResult::Number(Some(0.0))
    );
    assert_eq!(
        number("processInstance", "duration"),
        ReportResult::Number(None)
    );
    assert_eq!(
        number("processInstance", "automationRate"),
        ReportResult::Number(None)
    );
    assert_eq!(
        number("agentInstance", "totalTokens"),
        ReportResult::Number(None)
    );
    assert_eq!(number("incident", "frequency"), ReportResult::Number(None));
}

#[test]
fn intervals_in_which_something_ran_are_asked_for_by_their_starts() {
    let data = json!({
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "runningDate", "value": {"unit": "hour"}},
        "distributedBy": {"type": "process", "value": null},
    });
    with_plan(&data, |plan, context| {
        let ends = json!({"min": 0.0, "max": 3_600_000.0});
        let statistics = json!({"grouping": {"statistics": ends, "statisticsOfSecondField": ends}});
        let ranges = plan.ranges(context, &answer(1, statistics)).unwrap();
        let search = asked(plan, context, ranges);
        let dates = &search["aggs"]["runningDates"];
        let date = |hour: u8| format!("1970-01-01T0{hour}:00:00.000+0000");
        let format = crate::filter::dates::DATE_FORMAT;
        let ran_in = |hour: u8| {
            json!({"bool": {"must": [
                {"range": {"startDate": {"lt": date(hour + 1), "format": format}}},
                {"bool": {"should": [
                    {"range": {"endDate": {"gte": date(hour), "format": format}}},
                    {"bool": {"must_not": [{"exists": {"field": "endDate"}}]}}]}}]}})
        };
        assert_eq!(
            dates["filters"]["filters"],
            json!({date(0): ran_in(0), date(1): ran_in(1)})
        );
        assert!(dates["aggs"]["definitionKeys"].is_object());
        assert_eq!(search["track_total_hits"], true);
    });
}

/// What a report asks that counts running instances, from a moment to another one.
fn running(unit: &str, min: f64, max: f64, test: impl FnOnce(&Value, &dyn Fn(Value) -> String)) {
    let data = json!({
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "runningDate", "value": {"unit": unit}},
    });
    with_plan(&data, |plan, context| {
        let ends = json!({"min": min, "max": max});
        let statistics = json!({"grouping": {"statistics": ends, "statisticsOfSecondField": ends}});
        let ranges = plan.ranges(context, &answer(1, statistics)).unwrap();
        let result = |found: Value| {
            let found = answer(9, found);
            let result = plan.result(context, ranges, &found, &Room::unlimited());
            let Ok(ReportResult::Map(entries)) = result else {
                panic!("{result:?}");
            };
            let entries = entries.iter();
            let entries: Vec<String> = entries
                .map(|entry| format!("{}={}", &entry.key[..13], entry.value.unwrap()))
                .collect();
            entries.join(" ")
        };
        test(&asked(plan, context, ranges)["aggs"], &result);
    });
}

#[test]
fn running_instances_are_counted_by_when_they_started_and_ended() {
    let hour = 3_600_000;
    running("hour", 5.0, 7_200_000.0, |asked, result| {
        let histogram = |field: &str| {
            json!({"field": field, "format": "epoch_millis", "min_doc_count": 1,
                "calendar_interval": "hour", "time_zone": "UTC"})
        };
        assert_eq!(
            *asked,
            json!({"starts": {"date_histogram": histogram("startDate"), "aggs": {
                "ends": {"date_histogram": histogram("endDate")}}}})
        );
        let bucket = |key: i64, count: u64| json!({"key_as_string": key.to_string(), "key": key, "doc_count": count});
        let started = |key: i64, count: u64, ended: Value| {
            let mut bucket = bucket(key, count);
            bucket["ends"] = json!({"buckets": ended});
            bucket
        };
        // Of five that started in the first hour, two ended in it and one in the next; one started in the third hour, and
        // has ended before, which can't be: it was running in none.
        let found = json!([
            started(0, 5, json!([bucket(0, 2), bucket(hour, 1)])),
            started(2 * hour, 1, json!([bucket(hour, 1)])),
        ]);
        assert_eq!(
            result(json!({"starts": {"buckets": found}})),
            "1970-01-01T00=5 1970-01-01T01=3 1970-01-01T02=2"
        );
    });
}

#[test]
fn automatic_intervals_of_running_instances_begin_with_the_first_date() {
    running("automatic", 1_000_007.0, 1_080_007.0, |asked, _| {
        let histogram = &asked["starts"]["date_histogram"];
        assert_eq!(histogram["fixed_interval"], "1000ms");
        assert_eq!(histogram["offset"], "7ms");
    });
}

#[test]
fn intervals_that_are_many_or_far_off_have_a_filter_each() {
    let day = 86_400_000.0;
    for (unit, min, max) in [
        ("day", 0.0, 200.0 * day),
        ("year", 2.6e14, 2.61e14),
        ("year", -7e13, -6.9e13),
    ] {
        running(unit, min, max, |asked, _| {
            assert!(asked["runningDates"]["filters"].is_object(), "{unit}");
        });
    }
}

#[test]
fn a_result_that_has_no_room_is_an_error() {
    let data = json!({
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "duration", "value": null},
    });
    with_plan(&data, |plan, context| {
        let buckets: Vec<Value> = (0..1_000)
            .map(|key| json!({"key": f64::from(key), "doc_count": 1}))
            .collect();
        let found = answer(
            1_000,
            json!({"level": {"doc_count": 1, "durations": {"buckets": buckets}}}),
        );
        let room = Room::new(|_| Err(PlanError::NoMemory));
        assert_eq!(
            plan.result(context, Ranges::default(), &found, &room),
            Err(PlanError::NoMemory)
        );
        assert_eq!(
            plan.result(context, Ranges::default(), &found, &Room::unlimited())
                .map(|result| result.records()),
            Ok(1_000)
        );
    });
}

#[test]
fn tokens_are_asked_of_instances_with_agents_and_told_by_name() {
    let data = json!({
        "view": {"entity": "agentInstance", "properties": ["totalTokens"]},
        "groupBy": {"type": "processDefinitionKey", "value": null},
        "configuration": {"aggregationTypes": [{"type": "sum"}, {"type": "max"}]},
    });
    let models = ProcessModels {
        definition_names: [("p".to_owned(), "Process".to_owned())].into(),
        ..ProcessModels::default()
    };
    with_plan_on(&models, &data, |plan, context| {
        assert!(plan.needs_definition_names() && !plan.needs_models());
        assert_eq!(plan.statistics(context), None);
        let search = asked(plan, context, Ranges::default());
        assert_eq!(
            search["aggs"],
            json!({"definitionKeys": {
                "terms": {"field": "processDefinitionKey", "size": 7, "order": {"_key": "asc"}},
                "aggs": {"level": {
                    "filter": {"nested": {
                        "path": "agentInstances", "score_mode": "none", "ignore_unmapped": true, "query": {"match_all": {}}}},
                    "aggs": {"tokens0": {"sum": {"field": "agentTotalTokens", "missing": 0}}}}}}})
        );
        let found = answer(
            3,
            json!({"definitionKeys": {"buckets": [
                {"key": "Q", "doc_count": 1, "level": {"doc_count": 0, "tokens0": {"value": 0.0}}},
                {"key": "p", "doc_count": 2, "level": {"doc_count": 1, "tokens0": {"value": 12.5}}}]}}),
        );
        assert_eq!(
            plan.result(context, Ranges::default(), &found, &Room::unlimited()),
            Ok(ReportResult::Map(vec![
                Entry::new("p".to_owned(), Some("Process".to_owned()), Some(12.5)),
                Entry::new("Q".to_owned(), None, Some(0.0)),
            ]))
        );
    });
}

#[test]
fn shares_of_versions_are_told_by_two_lists_of_them() {
    let data = json!({
        "view": {"entity": "processInstance", "properties": ["percentage"]},
        "groupBy": {"type": "processDefinitionVersion", "value": null},
        "filter": [{"type": "completedInstancesOnly", "filterLevel": "instance", "data": null, "appliedTo": ["all"]}],
        "agenticControlReport": true,
    });
    with_plan(&data, |plan, context| {
        let search = asked(plan, context, Ranges::default());
        let versions = json!({"terms": {"field": "processDefinitionVersion", "size": 7, "order": {"_key": "asc"}}});
        assert_eq!(search["aggs"]["definitionVersions"], versions);
        let all = &search["aggs"]["allInstances"];
        assert_eq!(all["global"], json!({}));
        let all = &all["aggs"]["level"];
        assert_eq!(all["aggs"], json!({"definitionVersions": versions}));
        assert_eq!(
            all["filter"]["bool"]["filter"],
            json!([{"bool": {"must": [{"exists": {"field": "endDate"}}]}}])
        );
        let version = |key: &str, documents: u64| json!({"key": key, "doc_count": documents});
        let found = answer(
            4,
            json!({
                "definitionVersions": {"buckets": [version("10", 1), version("2", 2), version("3", 1)]},
                "allInstances": {"doc_count": 8, "level": {"doc_count": 8, "definitionVersions": {"buckets": [
                    version("10", 4), version("2", 3), version("3", 0)]}}},
            }),
        );
        let group = |key: &str, value| Entry::new(key.to_owned(), None, value);
        assert_eq!(
            plan.result(context, Ranges::default(), &found, &Room::unlimited()),
            Ok(ReportResult::Map(vec![
                group("2", Some(2.0 / 3.0 * 100.0)),
                group("3", None),
                group("10", Some(25.0)),
            ]))
        );
    });
}

#[test]
fn tools_are_asked_for_where_the_model_has_some() {
    let data = json!({
        "view": {"entity": "flowNode", "properties": ["toolCalls"]},
        "groupBy": {"type": "flowNodes", "value": null},
    });
    let agents = json!({"nested": {"path": "agentInstances"}, "aggs": {"flowNodes": {
        "terms": {"field": "agentInstances.flowNodeId", "size": 7},
        "aggs": {"used0": {"avg": {"field": "agentInstances.metrics.toolCalls"}}}}}});
    with_plan(&data, |plan, context| {
        assert!(plan.needs_models() && plan.needs_ad_hoc_sub_processes());
        let search = asked(plan, context, Ranges::default());
        assert_eq!(search["aggs"], json!({"agents": agents}));
    });
    let bpmn = r#"<adHocSubProcess id="agent"><task id="tool"/></adHocSubProcess>"#;
    let models = ProcessModels {
        ad_hoc_sub_processes: AdHocSubProcesses::of(bpmn),
        ..ProcessModels::default()
    };
    with_plan_on(&models, &data, |plan, context| {
        let search = asked(plan, context, Ranges::default());
        let tools = json!({"nested": {"path": "flowNodeInstances"}, "aggs": {"flowNodes": {
            "terms": {"field": "flowNodeInstances.flowNodeId", "size": 7}}}});
        assert_eq!(search["aggs"], json!({"agents": agents, "tools": tools}));
    });
}
