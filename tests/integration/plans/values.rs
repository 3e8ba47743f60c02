//! What every legal combination gives, beside values that were worked out by hand.
//!
//! Documents and values stand in one page, `values.md`, where each value can be followed. Other tests look at the shape of
//! what a combination gives, and at the values of some; here a plan that asks for one thing and reads another can't pass.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use optimize::plan::combination::{decision_combinations, process_combinations};
use testkit::indices::Index;

use super::*;
use crate::support::Service;
use crate::support::documents::{
    decision, decision_definition, decision_report, definition, input, output, report, selection,
};

const PAGE: &str = include_str!("values.md");

const DECISION: &str = "rate";
/// The order has an ad-hoc sub-process with a tool.
const BPMN: &str = r#"<process id="order"><adHocSubProcess id="A"><scriptTask id="Q"/></adHocSubProcess></process>"#;

/// A line of a table, its cells by the names of their columns.
struct Line(HashMap<&'static str, &'static str>);

impl Line {
    fn text(&self, column: &str) -> &'static str {
        self.0[column]
    }

    /// What is there: `-` is nothing.
    fn present(&self, column: &str) -> Option<&'static str> {
        Some(self.text(column)).filter(|text| *text != "-")
    }

    fn text_or_null(&self, column: &str) -> Value {
        json!(self.present(column))
    }

    fn number(&self, column: &str) -> Value {
        json!(
            self.present(column)
                .map(|text| text.parse::<i64>().unwrap())
        )
    }

    fn moment(&self, column: &str) -> Value {
        json!(self.present(column).map(|text| {
            let (day, time) = text.split_once(' ').unwrap();
            format!("2024-{day}T{time}+0000")
        }))
    }

    fn list(&self, column: &str) -> Vec<&'static str> {
        let list = self.present(column).map(|list| list.split(' '));
        list.into_iter().flatten().collect()
    }
}

/// The lines of the first table under a heading.
fn table(heading: &str) -> Vec<Line> {
    let mut sections = PAGE.split("\n## ");
    let section = sections.find(|section| section.lines().next() == Some(heading));
    let lines = section.unwrap_or_else(|| panic!("no {heading}")).lines();
    let lines = lines.skip_while(|line| !line.starts_with('|'));
    let mut lines = lines.take_while(|line| line.starts_with('|')).map(|line| {
        let inside = line.strip_prefix('|').unwrap().strip_suffix('|').unwrap();
        inside.split('|').map(str::trim).collect::<Vec<_>>()
    });
    let names = lines.next().unwrap();
    let under_rule = lines.skip(1);
    let line = under_rule.map(|cells| {
        assert_eq!(cells.len(), names.len(), "{cells:?}");
        Line(names.iter().copied().zip(cells).collect())
    });
    line.collect()
}

/// The lines that tell something about a process instance.
fn of_instance(heading: &str, id: &str) -> Vec<Line> {
    let mut lines = table(heading);
    lines.retain(|line| line.text("instance") == id);
    lines
}

fn flow_node_type(id: &str) -> &'static str {
    let flow_nodes = table("Flow nodes of the definitions");
    let flow_node = flow_nodes.iter().find(|line| line.text("id") == id);
    flow_node.unwrap().text("type")
}

fn variable(name: &str, variable_type: &str, value: Option<&str>) -> Option<Value> {
    value.map(|value| json!({"id": name, "name": name, "type": variable_type, "value": [value], "version": 1}))
}

/// A process instance, and the key of its definition.
fn process_instance(line: &Line) -> (&'static str, Value) {
    let (id, key, version) = (
        line.text("id"),
        line.text("definition"),
        line.text("version"),
    );
    let of_definition = |line: &Line| {
        let key = line.present("definition").unwrap_or(key);
        json!({"definitionKey": key, "definitionVersion": version, "tenantId": null})
    };
    let executions = of_instance("Executions of flow nodes", id);
    let executions = executions.iter().enumerate().map(|(number, line)| {
        let flow_node = line.text("flow node");
        let execution = json!({
            "flowNodeInstanceId": format!("{id}-{number}"),
            "flowNodeId": flow_node,
            "flowNodeType": flow_node_type(flow_node),
            "processInstanceId": id,
            "startDate": line.moment("start"),
            "endDate": line.moment("end"),
            "totalDurationInMs": line.number("total"),
            "idleDurationInMs": line.number("idle"),
            "workDurationInMs": line.number("work"),
            "assignee": line.text_or_null("assignee"),
            "candidateGroups": line.list("candidate groups"),
            "canceled": false,
        });
        with(execution, of_definition(line))
    });
    let incidents = of_instance("Incidents", id);
    let incidents = incidents.iter().enumerate().map(|(number, incident)| {
        let document = json!({
            "id": format!("{id}-{number}"),
            "activityId": incident.text("flow node"),
            "incidentStatus": incident.text("status"),
            "createTime": line.moment("start"),
            "durationInMs": incident.number("duration"),
        });
        with(document, of_definition(incident))
    });
    let variables = [
        variable("color", "String", line.present("color")),
        variable("amount", "Integer", line.present("amount")),
    ];
    let is_running = line.present("end").is_none();
    let document = instance(
        key,
        id,
        json!({
            "processDefinitionVersion": version,
            "processDefinitionId": format!("{key}:{version}"),
            "startDate": line.moment("start"),
            "endDate": line.moment("end"),
            "duration": line.number("duration"),
            "tenantId": line.text_or_null("tenant"),
            "state": if is_running { "ACTIVE" } else { "COMPLETED" },
            "flowNodeInstances": executions.collect::<Vec<_>>(),
            "incidents": incidents.collect::<Vec<_>>(),
            "variables": variables.into_iter().flatten().collect::<Vec<_>>(),
        }),
    );
    let agents = of_instance("Agents", id);
    let document = agents.iter().fold(document, |document, agent| {
        let agents = json!({
            "agentTotalInputTokens": agent.number("input tokens"),
            "agentTotalOutputTokens": agent.number("output tokens"),
            "agentTotalTokens": agent.number("tokens"),
            "agentTotalToolCalls": agent.number("tool calls"),
            "agentInstances": [{
                "agentInstanceId": format!("{id}-agent"),
                "flowNodeId": agent.text("flow node of the agent"),
                "metrics": {"toolCalls": agent.number("tool calls")},
            }],
        });
        with(document, agents)
    });
    (key, document)
}

/// The newest version of a definition; older ones look the same.
fn process_definition(line: &Line) -> Value {
    let key = line.text("key");
    let mut flow_nodes = table("Flow nodes of the definitions");
    flow_nodes.retain(|flow_node| flow_node.list("definitions").contains(&key));
    let data = flow_nodes.iter().map(|flow_node| {
        json!({"id": flow_node.text("id"), "name": flow_node.text_or_null("name"), "type": flow_node.text("type")})
    });
    let user_tasks = flow_nodes
        .iter()
        .filter(|flow_node| flow_node.text("type") == "userTask");
    let user_task_names = user_tasks.map(|user_task| {
        let name = user_task.text_or_null("name");
        (user_task.text("id").to_owned(), name)
    });
    with(
        definition(key, if key == "order" { "2" } else { "1" }, None, &[]),
        json!({
            "name": line.text("name"),
            "flowNodeData": data.collect::<Vec<_>>(),
            "userTaskNames": Value::Object(user_task_names.collect()),
            "bpmn20Xml": BPMN,
        }),
    )
}

fn evaluation(line: &Line) -> Value {
    let amount = line
        .present("amount")
        .map(|amount| input("amount", "Integer", json!(amount)));
    let ratings = line.list("rating").into_iter();
    let ratings = ratings.map(|rating| output("rating", "String", json!(rating)));
    decision(
        DECISION,
        line.text("id"),
        json!({
            "evaluationDateTime": line.moment("evaluated"),
            "inputs": Vec::from_iter(amount),
            "outputs": ratings.collect::<Vec<_>>(),
            "matchedRules": line.list("matched rules"),
        }),
    )
}

/// An installation with the documents of the page.
fn installation() -> Optimize {
    let optimize = Optimize::install();
    let mut instances: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for line in table("Process instances") {
        let (key, document) = process_instance(&line);
        instances.entry(key).or_default().push(document);
    }
    for (key, documents) in instances {
        optimize.store_instances(key, documents);
    }
    let definitions = table("Definitions");
    let definitions = definitions
        .iter()
        .map(|line| (line.text("key"), process_definition(line)));
    optimize.store(Index::ProcessDefinition, definitions);
    let evaluations = table("Evaluations of a decision");
    optimize.store_decisions(DECISION, evaluations.iter().map(evaluation));
    let (amount, rating) = (("amount", None, "Integer"), ("rating", None, "String"));
    let definition = decision_definition(DECISION, "1", None, &[amount], &[rating]);
    optimize.store(Index::DecisionDefinition, [(DECISION, definition)]);
    optimize
}

/// The figures of a line with their values: `avg: 1; sum: 2`, or one that needs no name.
fn figures(line: &Line) -> Vec<(&'static str, &'static str)> {
    let figures = line.text("result").split("; ");
    figures
        .map(|figure| figure.split_once(": ").unwrap_or(("", figure)))
        .collect()
}

/// A grouping or distribution as a report stores it.
fn part(text: &str) -> Value {
    let (kind, detail) = text.split_once(' ').unwrap_or((text, ""));
    match kind {
        "startDate" | "endDate" | "runningDate" => by_date(kind, "day"),
        "variable" if detail == "color" => by_variable(detail, "String"),
        "variable" => by_variable(detail, "Integer"),
        "-" => by("none"),
        _ => by(kind),
    }
}

/// What aggregates: `avg`, `p50`, or `sum idle`.
fn aggregation(figure: &str) -> Value {
    let (function, time) = figure.split_once(' ').unwrap_or((figure, "total"));
    let function = match function.strip_prefix('p') {
        Some(value) => json!({"type": "percentile", "value": value.parse::<f64>().unwrap()}),
        None => json!({"type": function}),
    };
    json!({"aggregationTypes": [function], "userTaskDurationTimes": [time]})
}

/// The report of a line and one of its figures.
fn process_report(line: &Line, figure: &str) -> Value {
    let (view, group_by) = (line.text("view"), line.text("group by"));
    let (view, is_of_part) = match view.split_once(' ') {
        Some((view, "processPart")) => (view, true),
        _ => (view, false),
    };
    let (entity, property) = match view.split_once('-') {
        Some((entity, "aggregation")) => {
            (json!(entity), json!({"name": "amount", "type": "Integer"}))
        }
        Some((entity, property)) => (json!(entity), json!(property)),
        None => (json!(null), json!(view)),
    };
    let mut configuration = json!({});
    if !figure.is_empty() {
        configuration = aggregation(figure);
    }
    if is_of_part {
        configuration["processPart"] = json!({"start": "W", "end": "T"});
    }
    if let Some(width) = group_by.strip_prefix("duration ") {
        configuration["customBucket"] =
            json!({"active": true, "baseline": "0", "bucketSize": width});
    }
    let is_about_completed = match view {
        _ if is_of_part => false,
        "processInstance-percentage" => true,
        _ => view.ends_with("-duration") || group_by.starts_with("duration"),
    };
    let completed = json!({"type": "completedInstancesOnly", "filterLevel": "instance", "appliedTo": ["all"], "data": null});
    let definitions = table("Definitions");
    let definitions = definitions.iter().map(|line| {
        with(
            selection(line.text("key")),
            json!({"identifier": line.text("identifier in reports"), "displayName": line.text("name")}),
        )
    });
    json!({
        "view": {"entity": entity, "properties": [property]},
        "groupBy": part(group_by),
        "distributedBy": part(line.text("distributed by")),
        "definitions": definitions.collect::<Vec<_>>(),
        "filter": Vec::from_iter(is_about_completed.then_some(completed)),
        "configuration": configuration,
    })
}

fn decision_report_of(line: &Line, id: &str) -> Value {
    let group_by = match line.text("group by") {
        "evaluationDateTime" => by_date("evaluationDateTime", "day"),
        kind @ "inputVariable" => {
            json!({"type": kind, "value": {"id": "amount", "type": "Integer"}})
        }
        kind @ "outputVariable" => {
            json!({"type": kind, "value": {"id": "rating", "type": "String"}})
        }
        kind => by(kind),
    };
    decision_report(
        id,
        DECISION,
        json!({
            "view": {"properties": [line.text("view")]},
            "groupBy": group_by,
            "configuration": {},
        }),
    )
}

/// A result as the page spells it.
fn spelled(data: &Value) -> String {
    match data {
        Value::Array(entries) => {
            let entries = entries.iter().map(spelled_entry);
            entries.collect::<Vec<_>>().join(" ")
        }
        Value::Null => "-".to_owned(),
        number => number.as_f64().unwrap().to_string(),
    }
}

fn spelled_entry(entry: &Value) -> String {
    let id = |kind: &str| entry[kind].as_str();
    if let Some(id) = id("processInstanceId") {
        let amount = entry["variables"]["amount"].as_str().unwrap();
        return format!("{id}={}", or_nothing(amount));
    }
    if let Some(id) = id("decisionInstanceId") {
        let amount = entry["inputVariables"]["amount"]["value"].as_str();
        return format!("{id}={}", or_nothing(amount.unwrap()));
    }
    let (key, label) = (id("key").unwrap(), id("label").unwrap());
    let day = key.strip_suffix("T00:00:00.000+0000");
    let day = day.and_then(|day| day.strip_prefix("2024-"));
    let name = match (key, label, day) {
        (_, _, Some(day)) if key == label => day.to_owned(),
        ("unassignedUserTasks___", "Unassigned", _) => "unassigned".to_owned(),
        _ if key == label => key.to_owned(),
        _ => format!("{key}({label})"),
    };
    match &entry["value"] {
        list @ Value::Array(_) => format!("{name}[{}]", spelled(list)),
        value => format!("{name}={}", spelled(value)),
    }
}

fn or_nothing(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}

fn answered(service: &Service, report_id: &str) -> String {
    let answer = service.first_page(report_id, 10_000);
    if answer.status != 200 {
        return format!("{} {}", answer.status, answer.text());
    }
    spelled(&answer.json()["data"])
}

#[test]
fn every_combination_gives_what_was_worked_out() {
    let optimize = installation();
    let mut expected = Vec::new();
    let mut reports = Vec::new();
    for (number, line) in table("Results of process reports").iter().enumerate() {
        for (figure, value) in figures(line) {
            let id = format!("process-{number}-{}", figure.replace(' ', "-"));
            let title = format!(
                "{} by {}, distributed by {}: {figure}",
                line.text("view"),
                line.text("group by"),
                line.text("distributed by")
            );
            reports.push((id.clone(), report(&id, process_report(line, figure))));
            expected.push((id, title, value));
        }
    }
    let reports = reports
        .iter()
        .map(|(id, report)| (id.as_str(), report.clone()));
    optimize.store(Index::SingleProcessReport, reports);
    for (number, line) in table("Results of decision reports").iter().enumerate() {
        let id = format!("decision-{number}");
        optimize.store_report(decision_report_of(line, &id));
        let title = format!(
            "decisions, {} by {}",
            line.text("view"),
            line.text("group by")
        );
        expected.push((id, title, line.text("result")));
    }
    let service = optimize.serve();
    let wrong = expected.iter().filter_map(|(id, title, expected)| {
        let found = answered(&service, id);
        (found != *expected).then(|| format!("{title}\n  expected {expected}\n  found    {found}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(
        wrong.is_empty(),
        "{} differ\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The combination of a line as the code names it.
fn command_key(line: &Line) -> String {
    let first_word = |column: &str| line.text(column).split(' ').next().unwrap();
    let view = match first_word("view") {
        "rawData" => "null-rawData",
        view => view,
    };
    let distributed_by = match first_word("distributed by") {
        "-" => "null",
        distributed_by => distributed_by,
    };
    let part = if line.text("view").ends_with(" processPart") {
        "processPart"
    } else {
        "null"
    };
    format!("{view}_{}_{distributed_by}_{part}", first_word("group by"))
}

#[test]
fn every_combination_has_one_line() {
    let check = |mut listed: Vec<String>, mut legal: Vec<String>| {
        listed.sort();
        legal.sort();
        assert_eq!(listed, legal);
    };
    let processes = table("Results of process reports");
    check(
        processes.iter().map(command_key).collect(),
        process_combinations(),
    );
    let decisions = table("Results of decision reports");
    let key = |line: &Line| format!("{}_{}", line.text("view"), line.text("group by"));
    check(decisions.iter().map(key).collect(), decision_combinations());
}

#[test]
fn every_line_tells_something_and_every_view_has_each_function() {
    let mut functions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in table("Results of process reports") {
        let view = line.text("view");
        let of_view = functions.entry(view).or_default();
        let mut tells_something = false;
        for (figure, value) in figures(&line) {
            if !figure.is_empty() {
                let function = figure.split(' ').next().unwrap();
                let is_percentile = function.starts_with('p');
                of_view.insert(if is_percentile { "p" } else { function });
            }
            tells_something |= tells(value);
        }
        assert!(tells_something, "{view}: {}", line.text("result"));
    }
    for line in table("Results of decision reports") {
        assert!(tells(line.text("result")), "{}", line.text("result"));
    }
    for (view, functions) in functions {
        let expected = match view.split_once('-') {
            None | Some((_, "frequency" | "percentage" | "automationRate")) => BTreeSet::new(),
            // Percentiles can't be asked for.
            Some((_, "duration processPart")) => BTreeSet::from(["avg", "sum", "min", "max"]),
            Some(_) => BTreeSet::from(["avg", "sum", "min", "max", "p"]),
        };
        assert_eq!(functions, expected, "{view}");
    }
}

/// Whether a result has a value that is neither 0 nor nothing.
fn tells(result: &str) -> bool {
    let values = result
        .split([' ', ']'])
        .map(|entry| entry.rsplit('=').next().unwrap());
    values
        .filter_map(|value| value.parse::<f64>().ok())
        .any(|value| value > 0.0)
}
