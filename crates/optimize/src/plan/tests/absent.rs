//! A reader reads what its request has asked for: each aggregation of each combination is taken out of an answer in turn.

use serde_json::{Map, Value, json};

use super::{answer, with_plan_on};
use crate::definitions::{ModelElement, ProcessModel};
use crate::plan::answer::Answer;
use crate::plan::combination::process_combinations;
use crate::plan::context::ProcessModels;
use crate::plan::evaluation::Evaluation;
use crate::plan::{PlanError, ProcessEvaluation, Ranges, Room};
use crate::result::ReportResult;

/// An aggregation with members of the aggregations in it.
fn containing(mut members: Value, inner: &Value) -> Value {
    let inner = inner.as_object().unwrap().clone();
    members.as_object_mut().unwrap().extend(inner);
    members
}

/// A key that a `terms` aggregation may find: of the process `p` without tenant, of its only flow node `T`.
fn key_of(terms: &Value) -> Value {
    let field = terms["field"].as_str().unwrap();
    match terms.get("missing") {
        Some(missing) => missing.clone(),
        None if field.ends_with("efinitionKey") => json!("p"),
        None if field.ends_with("owNodeId") || field.ends_with("activityId") => json!("T"),
        None => json!("1"),
    }
}

/// An answer to these aggregations, with one bucket in each; and where each of them is in it.
fn answered(asked: &Value, place: &str, places: &mut Vec<String>) -> Value {
    let mut found = Map::new();
    for (name, asked) in asked.as_object().unwrap() {
        let asked = asked.as_object().unwrap();
        let (kind, body) = asked.iter().find(|(kind, _)| *kind != "aggs").unwrap();
        let place = format!("{place}/{name}");
        places.push(place.clone());
        let mut inner = |below: &str| match asked.get("aggs") {
            Some(inner) => answered(inner, &format!("{place}{below}"), places),
            None => json!({}),
        };
        let mut bucket = |key: Value| {
            let bucket = json!({"key": key, "doc_count": 2});
            json!({"buckets": [containing(bucket, &inner("/buckets/0"))]})
        };
        let value = match kind.as_str() {
            "terms" => bucket(key_of(body)),
            "date_histogram" => bucket(json!(0)),
            "date_range" => bucket(body["ranges"][0]["key"].clone()),
            "histogram" => bucket(json!(1.0)),
            "filters" => {
                let key = body["filters"].as_object().unwrap().keys().next().unwrap();
                let inner = inner(&format!("/buckets/{key}"));
                json!({"buckets": {key: containing(json!({"doc_count": 2}), &inner)}})
            }
            "nested" | "filter" | "reverse_nested" | "global" => {
                containing(json!({"doc_count": 2}), &inner(""))
            }
            "stats" => json!({"count": 2, "min": 0.0, "max": 1.0}),
            "percentiles" => json!({"values": [{"key": 50.0, "value": 1.0}]}),
            "avg" | "min" | "max" | "sum" | "scripted_metric" => json!({"value": 1.0}),
            other => panic!("no answer to {other}"),
        };
        found.insert(name.clone(), value);
    }
    Value::Object(found)
}

/// An answer to a search, and the places of what was asked for.
fn answer_to(aggregations: &Value) -> (Value, Vec<String>) {
    let mut places = Vec::new();
    let mut found = answered(aggregations, "", &mut places);
    // With nothing else it would be the answer of a search without indices.
    found["somethingElse"] = json!({"doc_count": 0});
    (found, places)
}

/// The answer without what is at a place.
fn without(mut found: Value, place: &str) -> Answer {
    let (parent, name) = place.rsplit_once('/').unwrap();
    let parent = found.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.remove(name).unwrap();
    answer(5, found)
}

/// Evaluates a report over answers to what it asks, and over such that lack an aggregation. Gives back the places of
/// aggregations that nothing reads.
fn unread(evaluation: &dyn Evaluation) -> Vec<String> {
    let room = Room::unlimited();
    let mut ranges = Ranges::default();
    if let Some(statistics) = evaluation.statistics() {
        let (found, places) = answer_to(&statistics["aggs"]);
        for place in places {
            let read = evaluation.ranges(&without(found.clone(), &place));
            assert!(
                matches!(read, Err(PlanError::Absent(_))),
                "{place}: {read:?}"
            );
        }
        ranges = evaluation.ranges(&answer(5, found)).unwrap();
    }
    let search = evaluation.search(ranges, &room).unwrap().into_text();
    let search: Value = serde_json::from_str(&search).unwrap();
    let (found, mut places) = answer_to(&search["aggs"]);
    let result = |answer: &Answer| evaluation.result(ranges, answer, &room);
    let whole = result(&answer(5, found.clone())).unwrap();
    assert!(whole.records() > 0, "{search}");
    places.retain(|place| {
        let (_, name) = place.rsplit_once('/').unwrap();
        match result(&without(found.clone(), place)) {
            Ok(_) => true,
            Err(PlanError::Absent(absent)) => {
                assert!(
                    absent.to_string().contains(&format!("`{name}`")),
                    "{absent}"
                );
                false
            }
            Err(error) => panic!("{place}: {error}"),
        }
    });
    places
}

/// The report of a combination such as `flowNode-duration_startDate_process_null`, with variables of this type.
fn report(combination: &str, variable_type: &str, function: &Value) -> Value {
    let [view, group_by, distributed_by, part] = combination
        .split('_')
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let (entity, property) = view.split_once('-').unwrap();
    let property = match property {
        "aggregation" => json!({"name": "v", "type": "Double"}),
        property => json!(property),
    };
    let typed = |kind: &str| match kind {
        "startDate" | "endDate" | "runningDate" => json!({"type": kind, "value": {"unit": "day"}}),
        "variable" => json!({"type": kind, "value": {"name": "v", "type": variable_type}}),
        "null" => json!({"type": "none"}),
        kind => json!({"type": kind}),
    };
    let part = (part == "processPart").then(|| json!({"start": "T", "end": "T"}));
    json!({
        "view": {"entity": entity, "properties": [property]},
        "groupBy": typed(group_by),
        "distributedBy": typed(distributed_by),
        "configuration": {"processPart": part, "aggregationTypes": [function]},
    })
}

/// A user task, and an ad-hoc sub-process with a tool.
fn models() -> ProcessModels {
    let task = ModelElement {
        id: "T".to_owned(),
        name: None,
        kind: Some("userTask".to_owned()),
    };
    let model = ProcessModel {
        flow_nodes: vec![task.clone()],
        user_tasks: vec![task],
    };
    let bpmn = r#"<adHocSubProcess id="agent"><task id="tool"/></adHocSubProcess>"#;
    ProcessModels {
        ad_hoc_sub_processes: super::AdHocSubProcesses::of(bpmn),
        ..ProcessModels::of(&[model.into()])
    }
}

#[test]
fn whatever_a_report_on_processes_asks_for_has_to_be_there() {
    let models = models();
    let mut combinations = process_combinations();
    combinations.retain(|combination| !combination.contains("rawData"));
    for combination in combinations {
        let percentile = json!({"type": "percentile", "value": 50});
        // A process part has no percentiles, and of several definitions together they tell nothing.
        let has_percentiles =
            !combination.ends_with("_processPart") && !combination.contains("_process_");
        let mut functions = vec![json!({"type": "avg"})];
        functions.extend(has_percentiles.then_some(percentile));
        for variable_type in ["String", "Integer", "Date"] {
            for function in &functions {
                let data = report(&combination, variable_type, function);
                with_plan_on(&models, &data, |plan, context| {
                    let context = *context;
                    let unread = unread(&ProcessEvaluation { plan, context });
                    assert!(unread.is_empty(), "{combination}: {unread:?}");
                });
            }
        }
    }
}

/// The same for reports on decisions.
pub fn whatever_is_asked_for_has_to_be_there(evaluation: &dyn Evaluation) {
    assert_eq!(unread(evaluation), Vec::<String>::new());
}

#[test]
fn an_answer_without_aggregations_is_one_of_no_index() {
    let models = models();
    let result = |combination: &str| {
        let mut result = None;
        let data = report(combination, "String", &json!({"type": "sum"}));
        with_plan_on(&models, &data, |plan, context| {
            let nothing: Answer =
                serde_json::from_value(json!({"hits": {"total": {"value": 3}}})).unwrap();
            let ranges = plan.ranges(context, &nothing).unwrap();
            result = Some(plan.result(context, ranges, &nothing, &Room::unlimited()));
        });
        result.unwrap().unwrap()
    };
    let nothing = ReportResult::Number(None);
    assert_eq!(
        result("processInstance-frequency_none_none_null"),
        ReportResult::Number(Some(3.0))
    );
    assert_eq!(result("processInstance-duration_none_none_null"), nothing);
    assert_eq!(result("processInstance-percentage_none_none_null"), nothing);
    assert_eq!(
        result("processInstance-automationRate_none_none_null"),
        nothing
    );
    assert_eq!(result("incident-frequency_none_null_null"), nothing);
    assert_eq!(result("variable-aggregation_none_null_null"), nothing);
    for grouping in ["flowNodes", "startDate", "variable", "duration"] {
        assert_eq!(
            result(&format!("flowNode-frequency_{grouping}_none_null")),
            ReportResult::Map(Vec::new())
        );
    }
    let ReportResult::HyperMap(groups) = result("processInstance-frequency_none_process_null")
    else {
        panic!("no map of maps");
    };
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0].value.len(), 1);
    assert_eq!(groups[0].value[0].value, Some(0.0));
}
