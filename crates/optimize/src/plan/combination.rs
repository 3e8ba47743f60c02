//! The legal combinations of a report's parts: 130 for processes, 6 for decisions.
//!
//! Source: crates/optimize/docs/reports.md, "Legal combinations" and "Command keys"
//! (`ProcessExecutionPlan`, `DecisionExecutionPlan`, `ExecutionPlanExtractor`).

use std::fmt;

use crate::report::definition::{
    DecisionGroupBy, DecisionReportData, DefinitionError, GroupBy, ProcessReportData, StoredReport,
    VariableType, ViewEntity, ViewProperty,
};

/// What Optimize says of a combination it does not have.
const UNSUPPORTED: &str =
    "This combination of the settings of the report builder is not supported!";

/// View (entity and property, process part), group by, and the distributions that go with it; `-` stands for a view that
/// has none.
///
/// This is the one readable place of what is legal: a report is legal if each of its view properties has a row.
const PROCESS_COMBINATIONS: &[(&str, &str, &str)] = &[
    ("null-rawData", "none", "-"),
    ("processInstance-frequency", "none", "none process"),
    (
        "processInstance-frequency",
        "startDate endDate",
        "none process variable",
    ),
    (
        "processInstance-frequency",
        "runningDate duration",
        "none process",
    ),
    (
        "processInstance-frequency",
        "variable",
        "none process startDate endDate",
    ),
    ("processInstance-frequency", "processDefinitionKey", "none"),
    (
        "processInstance-percentage",
        "none processDefinitionVersion",
        "none",
    ),
    (
        "processInstance-automationRate",
        "none processDefinitionKey",
        "none",
    ),
    ("processInstance-duration", "none", "none process"),
    (
        "processInstance-duration",
        "startDate endDate",
        "none process variable",
    ),
    (
        "processInstance-duration",
        "variable",
        "none process startDate endDate",
    ),
    ("processInstance-duration", "processDefinitionKey", "none"),
    ("processInstance-duration processPart", "none", "none"),
    (
        "processInstance-duration processPart",
        "startDate endDate",
        "none variable",
    ),
    (
        "processInstance-duration processPart",
        "variable",
        "none startDate endDate",
    ),
    ("flowNode-frequency", "flowNodes", "none process"),
    (
        "flowNode-frequency",
        "startDate endDate duration variable",
        "none flowNode process",
    ),
    ("flowNode-duration", "flowNodes", "none process"),
    (
        "flowNode-duration",
        "startDate endDate variable",
        "none flowNode process",
    ),
    ("flowNode-toolCalls", "flowNodes", "none"),
    (
        "userTask-frequency",
        "userTasks",
        "none assignee candidateGroup process",
    ),
    (
        "userTask-frequency",
        "assignee candidateGroup",
        "none process userTask",
    ),
    (
        "userTask-frequency",
        "startDate endDate",
        "none assignee candidateGroup process userTask",
    ),
    ("userTask-frequency", "duration", "none process userTask"),
    (
        "userTask-duration",
        "userTasks",
        "none assignee candidateGroup process",
    ),
    (
        "userTask-duration",
        "assignee candidateGroup",
        "none process userTask",
    ),
    (
        "userTask-duration",
        "startDate endDate",
        "none assignee candidateGroup process userTask",
    ),
    ("incident-frequency", "none flowNodes", "-"),
    ("incident-duration", "none flowNodes", "-"),
    ("variable-aggregation", "none", "-"),
    ("agentInstance-inputTokens", "none startDate endDate", "-"),
    ("agentInstance-outputTokens", "none startDate endDate", "-"),
    ("agentInstance-toolCalls", "none startDate endDate", "-"),
    (
        "agentInstance-totalTokens",
        "none startDate endDate processDefinitionKey",
        "-",
    ),
];

/// View property and the groupings that go with it.
const DECISION_COMBINATIONS: &[(&str, &str)] = &[
    ("rawData", "none"),
    (
        "frequency",
        "none evaluationDateTime inputVariable outputVariable matchedRule",
    ),
];

/// Whether the view of a report can be distributed; a stored distribution of another one is ignored.
pub fn has_distribution(data: &ProcessReportData) -> bool {
    matches!(
        data.view.entity,
        Some(ViewEntity::FlowNode | ViewEntity::UserTask | ViewEntity::ProcessInstance)
    )
}

/// What a report asks for, as Optimize's log spells it: `view_groupBy_distributedBy_configuration`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandKey {
    view: String,
    group_by: &'static str,
    distributed_by: &'static str,
    process_part: bool,
}

impl fmt::Display for CommandKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let distributed_by = if self.distributed_by == "-" {
            "null"
        } else {
            self.distributed_by
        };
        let configuration = if self.process_part {
            "processPart"
        } else {
            "null"
        };
        write!(
            f,
            "{}_{}_{distributed_by}_{configuration}",
            self.view, self.group_by
        )
    }
}

impl CommandKey {
    /// The keys of a process report: one for each of its view properties, duplicates left out.
    pub fn of_process_report(data: &ProcessReportData) -> Vec<Self> {
        let entity = data.view.entity;
        let has_distribution = has_distribution(data);
        let mut properties: Vec<&ViewProperty> = Vec::new();
        for property in &data.view.properties {
            if !properties.contains(&property) {
                properties.push(property);
            }
        }
        let key = |property: &ViewProperty| Self {
            view: format!(
                "{}-{}",
                entity.map_or("null", ViewEntity::id),
                property.id()
            ),
            group_by: data.group_by.as_ref().map_or("null", GroupBy::id),
            distributed_by: match &data.distributed_by {
                _ if !has_distribution => "-",
                None => "null",
                Some(distributed_by) => distributed_by.id(),
            },
            process_part: data.configuration.process_part.is_some(),
        };
        properties.into_iter().map(key).collect()
    }

    /// See [`describe`].
    fn describe(&self) -> String {
        // Raw data has no entity.
        let view = self.view.strip_prefix("null-").unwrap_or(&self.view);
        let part = if self.process_part {
            " of a process part"
        } else {
            ""
        };
        let distribution = match self.distributed_by {
            "none" | "-" | "null" => String::new(),
            distributed_by => format!(", distributed by {distributed_by}"),
        };
        format!("{view}{part}{}{distribution}", by(self.group_by))
    }

    /// The view as [`PROCESS_COMBINATIONS`] has it.
    fn view_with_part(&self) -> String {
        if self.process_part {
            format!("{} processPart", self.view)
        } else {
            self.view.clone()
        }
    }

    /// Says what goes with its view; where there is no such view, which ones there are.
    fn unsupported(&self, assignee_analytics: bool) -> DefinitionError {
        let view = self.view_with_part();
        let of_view: Vec<String> = PROCESS_COMBINATIONS
            .iter()
            .filter(|(legal_view, ..)| *legal_view == view)
            .map(|(_, group_bys, distributed_bys)| {
                let listed = |list: &str| {
                    let ids = list.split(' ');
                    let ids = ids.filter(|id| assignee_analytics || *id != "assignee");
                    ids.collect::<Vec<_>>().join(", ")
                };
                let group_bys = listed(group_bys);
                match *distributed_bys {
                    "none" | "-" => format!("groupBy {group_bys} without distribution"),
                    _ => format!(
                        "groupBy {group_bys} with distributedBy {}",
                        listed(distributed_bys)
                    ),
                }
            })
            .collect();
        let expected = if of_view.is_empty() {
            let mut views: Vec<&str> = Vec::new();
            for (view, ..) in PROCESS_COMBINATIONS {
                let view = view.trim_start_matches("null-");
                if !views.contains(&view) {
                    views.push(view);
                }
            }
            format!("one of the views {}", views.join(", "))
        } else {
            format!("for this view {}", of_view.join("; "))
        };
        DefinitionError::part(
            "data.view, data.groupBy, data.distributedBy, data.configuration.processPart",
            format!("{UNSUPPORTED} It is `{self}`, expected {expected}"),
        )
    }

    /// Whether Optimize has a plan for it.
    fn is_legal(&self, assignee_analytics: bool) -> bool {
        if !assignee_analytics && [self.group_by, self.distributed_by].contains(&"assignee") {
            return false;
        }
        let view = self.view_with_part();
        let lists = |list: &str, id: &str| list.split(' ').any(|entry| entry == id);
        PROCESS_COMBINATIONS
            .iter()
            .any(|(legal_view, group_by, distributed_by)| {
                *legal_view == view
                    && lists(group_by, self.group_by)
                    && lists(distributed_by, self.distributed_by)
            })
    }
}

/// Rejects a report without a plan. What is combined of others has no parts of its own to check.
///
/// # Errors
/// Names the command key.
pub fn check(report: &StoredReport, assignee_analytics: bool) -> Result<(), DefinitionError> {
    match report {
        StoredReport::Process(data) => check_process_report(data, assignee_analytics),
        StoredReport::Decision(data) => check_decision_report(data),
        StoredReport::Combined => Ok(()),
    }
}

/// Rejects a process report that has a part without a plan, or no view property at all.
///
/// # Errors
/// Names the command key of the first illegal combination.
pub fn check_process_report(
    data: &ProcessReportData,
    assignee_analytics: bool,
) -> Result<(), DefinitionError> {
    let keys = CommandKey::of_process_report(data);
    if keys.is_empty() {
        return Err(DefinitionError::part(
            "data.view.properties",
            "is empty; a report needs at least one figure",
        ));
    }
    match keys.iter().find(|key| !key.is_legal(assignee_analytics)) {
        None => Ok(()),
        Some(key) => Err(key.unsupported(assignee_analytics)),
    }
}

/// Rejects a decision report without a plan.
///
/// # Errors
/// Names the command key.
pub fn check_decision_report(data: &DecisionReportData) -> Result<(), DefinitionError> {
    let (view, group_by) = decision_parts(data);
    let is_legal = DECISION_COMBINATIONS.iter().any(|(legal_view, legal)| {
        *legal_view == view && legal.split(' ').any(|id| id == group_by)
    });
    if !is_legal {
        return Err(DefinitionError::part(
            "data.view, data.groupBy",
            format!(
                "{UNSUPPORTED} It is `{view}_{group_by}`, expected {}",
                decision_combinations().join(", ")
            ),
        ));
    }
    check_decision_variable(data)
}

/// Rejects a grouping by values that Optimize knows no field of (crates/optimize/docs/decisions.md, "Fields of values").
fn check_decision_variable(data: &DecisionReportData) -> Result<(), DefinitionError> {
    let (Some(DecisionGroupBy::InputVariable(variable))
    | Some(DecisionGroupBy::OutputVariable(variable))) = &data.group_by
    else {
        return Ok(());
    };
    match variable.variable_type {
        unsupported @ (VariableType::Object | VariableType::Json) => Err(DefinitionError::part(
            "data.groupBy.value.type",
            format!(
                "is {unsupported}; such values can't be grouped by, expected a text, a number, a date or a boolean"
            ),
        )),
        VariableType::String
        | VariableType::Short
        | VariableType::Integer
        | VariableType::Long
        | VariableType::Double
        | VariableType::Boolean
        | VariableType::Date => Ok(()),
    }
}

/// What a report evaluates, for logs: `rawData`, `userTask-duration by assignee, distributed by process`. Of several view
/// properties it is the first one, which is exported.
pub fn describe(report: &StoredReport) -> String {
    match report {
        StoredReport::Process(data) => match CommandKey::of_process_report(data).first() {
            Some(key) => key.describe(),
            None => "no view property".to_owned(),
        },
        StoredReport::Decision(data) => {
            let (view, group_by) = decision_parts(data);
            format!("decision-{view}{}", by(group_by))
        }
        StoredReport::Combined => "combined".to_owned(),
    }
}

fn by(group_by: &str) -> String {
    match group_by {
        "none" => String::new(),
        group_by => format!(" by {group_by}"),
    }
}

/// View property and grouping of a decision report.
fn decision_parts(data: &DecisionReportData) -> (&str, &'static str) {
    let view = data.view.properties.first().map_or("null", String::as_str);
    let group_by = data
        .group_by
        .as_ref()
        .map_or("null", |group_by| group_by.id());
    (view, group_by)
}

/// Every legal decision combination.
pub fn decision_combinations() -> Vec<String> {
    let combinations = DECISION_COMBINATIONS.iter().flat_map(|(view, group_bys)| {
        group_bys
            .split(' ')
            .map(move |group_by| format!("{view}_{group_by}"))
    });
    combinations.collect()
}

/// Every legal process combination, for tests and documentation.
pub fn process_combinations() -> Vec<String> {
    let mut keys = Vec::new();
    for (view, group_bys, distributed_bys) in PROCESS_COMBINATIONS {
        let (view, configuration) = match view.strip_suffix(" processPart") {
            Some(view) => (view, "processPart"),
            None => (*view, "null"),
        };
        for group_by in group_bys.split(' ') {
            for distributed_by in distributed_bys.split(' ') {
                let distributed_by = if distributed_by == "-" {
                    "null"
                } else {
                    distributed_by
                };
                keys.push(format!(
                    "{view}_{group_by}_{distributed_by}_{configuration}"
                ));
            }
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check(data: &str, assignee_analytics: bool) -> Result<(), DefinitionError> {
        match StoredReport::parse(&format!(r#"{{"reportType":"process","data":{data}}}"#)).unwrap()
        {
            StoredReport::Process(data) => check_process_report(&data, assignee_analytics),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn reports_are_described_in_words() {
        let described = |kind: &str, data: &str| {
            let document = format!(r#"{{"reportType":"{kind}","data":{data}}}"#);
            describe(&StoredReport::parse(&document).unwrap())
        };
        let raw = r#"{"view":{"entity":null,"properties":["rawData"]},"groupBy":{"type":"none"}}"#;
        assert_eq!(described("process", raw), "rawData");
        let hyper_map = r#"{"view":{"entity":"userTask","properties":["duration","frequency"]},"groupBy":{"type":"assignee"},
            "distributedBy":{"type":"process"}}"#;
        assert_eq!(
            described("process", hyper_map),
            "userTask-duration by assignee, distributed by process"
        );
        let by_rule = r#"{"view":{"properties":["frequency"]},"groupBy":{"type":"matchedRule"}}"#;
        assert_eq!(
            described("decision", by_rule),
            "decision-frequency by matchedRule"
        );
        assert_eq!(
            described("process", r#"{"view":{"properties":[]}}"#),
            "no view property"
        );
    }

    #[test]
    fn there_are_130_of_them() {
        let keys = process_combinations();
        assert_eq!(keys.len(), 130);
        assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), 130);
    }

    /// The cells of the first table in `docs/COMBINATIONS.md`, without the marks.
    fn documented() -> Vec<[String; 3]> {
        let page = include_str!("../../../../docs/COMBINATIONS.md");
        let rows = page.lines().skip_while(|line| !line.starts_with("|---"));
        let rows = rows.skip(1).take_while(|line| line.starts_with('|'));
        rows.map(|row| {
            let mut cells = row.trim_matches('|').split('|');
            std::array::from_fn(|_| {
                cells
                    .next()
                    .unwrap_or("")
                    .replace('`', "")
                    .trim()
                    .to_owned()
            })
        })
        .collect()
    }

    #[test]
    fn all_of_them_are_documented_and_no_others() {
        let listed = PROCESS_COMBINATIONS
            .iter()
            .map(|(view, group_by, distributed_by)| {
                [
                    view.trim_start_matches("null-"),
                    group_by,
                    distributed_by.trim_start_matches('-'),
                ]
                .map(str::to_owned)
            });
        assert_eq!(documented(), listed.collect::<Vec<_>>());
    }

    #[test]
    fn raw_data_needs_no_entity_and_no_grouping() {
        assert_eq!(
            check(
                r#"{"view":{"entity":null,"properties":["rawData"]},"groupBy":{"type":"none"},"distributedBy":{"type":"process"}}"#,
                true
            ),
            Ok(())
        );
        for data in [
            r#"{"view":{"entity":"processInstance","properties":["rawData"]},"groupBy":{"type":"none"}}"#,
            r#"{"view":{"properties":["rawData"]},"groupBy":{"type":"flowNodes"}}"#,
            r#"{"view":{"properties":["rawData"]},"groupBy":null}"#,
            r#"{"view":{"properties":["rawData"]},"groupBy":{"type":"none"},"configuration":{"processPart":{"start":"a","end":"b"}}}"#,
            r#"{"view":{"properties":[]},"groupBy":{"type":"none"}}"#,
        ] {
            assert!(check(data, true).is_err(), "{data}");
        }
    }

    #[test]
    fn every_property_must_be_legal() {
        let data = |properties: &str| {
            format!(
                r#"{{"view":{{"entity":"processInstance","properties":{properties}}},"groupBy":{{"type":"duration"}}}}"#
            )
        };
        assert_eq!(check(&data(r#"["frequency","frequency"]"#), true), Ok(()));
        insta::assert_snapshot!(
            check(&data(r#"["frequency","duration"]"#), true).unwrap_err(),
            @"report part `data.view, data.groupBy, data.distributedBy, data.configuration.processPart`: This combination of the settings of the report builder is not supported! It is `processInstance-duration_duration_none_null`, expected for this view groupBy none with distributedBy none, process; groupBy startDate, endDate with distributedBy none, process, variable; groupBy variable with distributedBy none, process, startDate, endDate; groupBy processDefinitionKey without distribution"
        );
    }

    /// Views, groupings and distributions that go with others, but not with each other.
    #[test]
    fn neighbours_of_what_is_legal_are_not() {
        let message = |entity: &str, property: &str, group_by: &str, distributed_by: &str| {
            let data = format!(
                r#"{{"view":{{"entity":"{entity}","properties":["{property}"]}},"groupBy":{{"type":"{group_by}","value":{{"unit":"day"}}}},
                    "distributedBy":{{"type":"{distributed_by}"}}}}"#
            );
            let error = check(&data, false).err()?.to_string();
            let (_, expected) = error.split_once("expected ").unwrap();
            Some(expected.to_owned())
        };
        let instances = "processInstance";
        insta::assert_snapshot!(
            message(instances, "automationRate", "endDate", "none").unwrap(),
            @"for this view groupBy none, processDefinitionKey without distribution"
        );
        insta::assert_snapshot!(
            message(instances, "percentage", "processDefinitionKey", "none").unwrap(),
            @"for this view groupBy none, processDefinitionVersion without distribution"
        );
        insta::assert_snapshot!(
            message("agentInstance", "totalTokens", "processDefinitionVersion", "none").unwrap(),
            @"for this view groupBy none, startDate, endDate, processDefinitionKey without distribution"
        );
        insta::assert_snapshot!(
            message("agentInstance", "modelCalls", "none", "none").unwrap(),
            @"one of the views rawData, processInstance-frequency, processInstance-percentage, processInstance-automationRate, processInstance-duration, processInstance-duration processPart, flowNode-frequency, flowNode-duration, flowNode-toolCalls, userTask-frequency, userTask-duration, incident-frequency, incident-duration, variable-aggregation, agentInstance-inputTokens, agentInstance-outputTokens, agentInstance-toolCalls, agentInstance-totalTokens"
        );
        // Without assignees none is offered.
        insta::assert_snapshot!(
            message("userTask", "frequency", "userTasks", "assignee").unwrap(),
            @"for this view groupBy userTasks with distributedBy none, candidateGroup, process; groupBy candidateGroup with distributedBy none, process, userTask; groupBy startDate, endDate with distributedBy none, candidateGroup, process, userTask; groupBy duration with distributedBy none, process, userTask"
        );
        for (property, group_by, distributed_by) in [
            ("frequency", "processDefinitionKey", "process"),
            ("frequency", "processDefinitionVersion", "none"),
            ("duration", "processDefinitionKey", "process"),
            ("duration", "processDefinitionVersion", "none"),
            ("percentage", "processDefinitionVersion", "process"),
            ("automationRate", "none", "process"),
            ("automationRate", "processDefinitionVersion", "none"),
            ("inputTokens", "none", "none"),
        ] {
            let found = message(instances, property, group_by, distributed_by);
            assert!(found.is_some(), "{property} {group_by} {distributed_by}");
        }
        for (entity, property, group_by) in [
            ("agentInstance", "inputTokens", "processDefinitionKey"),
            ("agentInstance", "toolCalls", "flowNodes"),
            ("agentInstance", "frequency", "none"),
            ("agentInstance", "automationRate", "none"),
            ("flowNode", "toolCalls", "none"),
            ("flowNode", "totalTokens", "flowNodes"),
            ("flowNode", "frequency", "processDefinitionKey"),
        ] {
            let found = message(entity, property, group_by, "none");
            assert!(found.is_some(), "{entity} {property} {group_by}");
        }
        // What is stored of a distribution does not matter where there is none.
        assert_eq!(
            message("agentInstance", "toolCalls", "endDate", "process"),
            None
        );
    }

    #[test]
    fn assignees_can_be_switched_off() {
        let data = r#"{"view":{"entity":"userTask","properties":["frequency"]},"groupBy":{"type":"userTasks"},"distributedBy":{"type":"assignee"}}"#;
        assert_eq!(check(data, true), Ok(()));
        assert!(check(data, false).is_err());
    }

    fn check_decision(data: &str) -> Result<(), DefinitionError> {
        match StoredReport::parse(&format!(r#"{{"reportType":"decision","data":{data}}}"#)).unwrap()
        {
            StoredReport::Decision(data) => check_decision_report(&data),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn six_combinations_are_about_decisions() {
        assert_eq!(decision_combinations().len(), 6);
        for data in [
            r#"{"view":{"properties":["rawData"]},"groupBy":{"type":"none"}}"#,
            r#"{"view":{"properties":["frequency","duration"]},"groupBy":{"type":"none"},"distributedBy":{"type":"process"}}"#,
            r#"{"view":{"properties":"frequency"},"groupBy":{"type":"matchedRule","value":null}}"#,
            r#"{"view":{"properties":["frequency"]},"groupBy":{"type":"outputVariable","value":{"id":"c","type":"date"}}}"#,
        ] {
            assert_eq!(check_decision(data), Ok(()), "{data}");
        }
        insta::assert_snapshot!(
            check_decision(r#"{"view":{"properties":["rawData"]},"groupBy":{"type":"matchedRule"}}"#).unwrap_err(),
            @"report part `data.view, data.groupBy`: This combination of the settings of the report builder is not supported! It is `rawData_matchedRule`, expected rawData_none, frequency_none, frequency_evaluationDateTime, frequency_inputVariable, frequency_outputVariable, frequency_matchedRule"
        );
        insta::assert_snapshot!(
            check_decision(r#"{"view":{"properties":["frequency"]},"groupBy":{"type":"inputVariable","value":{"id":"c","type":"Json"}}}"#).unwrap_err(),
            @"report part `data.groupBy.value.type`: is Json; such values can't be grouped by, expected a text, a number, a date or a boolean"
        );
    }
}
