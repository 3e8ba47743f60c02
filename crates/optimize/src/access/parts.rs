//! Which columns the parts of a report look into.
//!
//! A report that groups by a variable shows its values, one that filters or sorts by it tells something about them. So what may
//! not be seen as a column may not be used by a part either.

use super::columns::{INPUT_PREFIX as INPUT, OUTPUT_PREFIX as OUTPUT, VARIABLE_PREFIX as VARIABLE};
use crate::report::definition::{
    DecisionFilter, DecisionGroupBy, DecisionReportData, DistributedBy, GroupBy, IdentityField,
    ProcessFilterKind, ProcessReportData, Sorting, StoredReport, VariableFilter, VariableReference,
    ViewProperty,
};

/// How the sorting of a decision report calls a column of an input, and that of an output.
const SORTED_INPUT: &str = "inputVariable:";
const SORTED_OUTPUT: &str = "outputVariable:";

/// A part of a report that looks into a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where in the document.
    pub place: String,
    /// The column, as tables call it.
    pub column: String,
}

fn part(place: impl Into<String>, column: impl Into<String>) -> Part {
    Part {
        place: place.into(),
        column: column.into(),
    }
}

fn named(place: impl Into<String>, prefix: &str, name: &str) -> Part {
    part(place, format!("{prefix}{name}"))
}

/// The parts of a report that look into columns.
pub fn parts(report: &StoredReport) -> Vec<Part> {
    match report {
        StoredReport::Process(data) => of_process_report(data),
        StoredReport::Decision(data) => of_decision_report(data),
        StoredReport::Combined => Vec::new(),
    }
}

fn of_process_report(data: &ProcessReportData) -> Vec<Part> {
    let mut parts = Vec::new();
    for property in &data.view.properties {
        if let ViewProperty::Variable(variable) = property {
            parts.push(named("data.view.properties", VARIABLE, &variable.name));
        }
    }
    parts.extend(
        data.group_by
            .as_ref()
            .and_then(group_column)
            .map(|column| part("data.groupBy", column)),
    );
    let distributed_by = data.distributed_by.as_ref();
    let distribution = distributed_by.and_then(distribution_column);
    parts.extend(distribution.map(|column| part("data.distributedBy", column)));
    for (number, filter) in data.filters.iter().enumerate() {
        let place = format!("data.filter[{number}]");
        parts.extend(
            filter_columns(&filter.kind)
                .into_iter()
                .map(|column| part(&place, column)),
        );
    }
    parts.extend(sorting_column(data.configuration.sorting.as_ref()));
    parts
}

fn of_variable(variable: &VariableReference) -> String {
    format!("{VARIABLE}{}", variable.name)
}

fn group_column(group: &GroupBy) -> Option<String> {
    Some(match group {
        GroupBy::Variable(variable) => of_variable(variable),
        GroupBy::Assignee => "assignee".to_owned(),
        GroupBy::CandidateGroup => "candidateGroups".to_owned(),
        GroupBy::StartDate(_) => "startDate".to_owned(),
        GroupBy::EndDate(_) => "endDate".to_owned(),
        GroupBy::Duration => "duration".to_owned(),
        GroupBy::ProcessDefinitionKey => "processDefinitionKey".to_owned(),
        GroupBy::ProcessDefinitionVersion => "processDefinitionVersion".to_owned(),
        GroupBy::None | GroupBy::FlowNodes | GroupBy::UserTasks | GroupBy::RunningDate(_) => {
            return None;
        }
    })
}

fn identity_column(field: IdentityField) -> String {
    let column = match field {
        IdentityField::Assignee => "assignee",
        IdentityField::CandidateGroup => "candidateGroups",
    };
    column.to_owned()
}

fn distribution_column(distribution: &DistributedBy) -> Option<String> {
    Some(match distribution {
        DistributedBy::Variable(variable) => of_variable(variable),
        DistributedBy::Assignee => identity_column(IdentityField::Assignee),
        DistributedBy::CandidateGroup => identity_column(IdentityField::CandidateGroup),
        DistributedBy::StartDate(_) => "startDate".to_owned(),
        DistributedBy::EndDate(_) => "endDate".to_owned(),
        DistributedBy::None
        | DistributedBy::UserTask
        | DistributedBy::FlowNode
        | DistributedBy::Process => return None,
    })
}

/// Dates and durations narrow nearly every report, and are in the rows of none because of that.
fn filter_columns(filter: &ProcessFilterKind) -> Vec<String> {
    let variable = |filter: &VariableFilter| format!("{VARIABLE}{}", filter.name);
    match filter {
        ProcessFilterKind::Variable(filter) => vec![variable(filter)],
        ProcessFilterKind::MultipleVariable(filters) => filters.iter().map(variable).collect(),
        ProcessFilterKind::Identity(field, _) => vec![identity_column(*field)],
        ProcessFilterKind::InstanceDate(..)
        | ProcessFilterKind::FlowNodeDate(..)
        | ProcessFilterKind::InstanceDuration(_)
        | ProcessFilterKind::FlowNodeDuration(_)
        | ProcessFilterKind::ExecutedFlowNodes(_)
        | ProcessFilterKind::ExecutingFlowNodes(_)
        | ProcessFilterKind::CanceledFlowNodes(_)
        | ProcessFilterKind::InstanceState(_)
        | ProcessFilterKind::Incident(_)
        | ProcessFilterKind::FlowNodeStatus(_)
        | ProcessFilterKind::HasAgentInstances => Vec::new(),
    }
}

/// The date that rows are sorted by where nobody chose anything tells nothing that their order does not.
fn sorting_column(sorting: Option<&Sorting>) -> Option<Part> {
    let by = sorting?.by.as_deref()?;
    let place = "data.configuration.sorting";
    if let Some(id) = by.strip_prefix(SORTED_INPUT) {
        return Some(named(place, INPUT, id));
    }
    if let Some(id) = by.strip_prefix(SORTED_OUTPUT) {
        return Some(named(place, OUTPUT, id));
    }
    let is_default = matches!(by, "startDate" | "evaluationDateTime");
    (!is_default).then(|| part(place, by))
}

fn of_decision_report(data: &DecisionReportData) -> Vec<Part> {
    let mut parts = Vec::new();
    let group = data.group_by.as_ref().and_then(|group| match group {
        DecisionGroupBy::InputVariable(clause) => Some(format!("{INPUT}{}", clause.id)),
        DecisionGroupBy::OutputVariable(clause) => Some(format!("{OUTPUT}{}", clause.id)),
        DecisionGroupBy::EvaluationDateTime(_) => Some("evaluationDateTime".to_owned()),
        DecisionGroupBy::None | DecisionGroupBy::MatchedRule => None,
    });
    parts.extend(group.map(|column| part("data.groupBy", column)));
    for (number, filter) in data.filters.iter().enumerate() {
        let place = format!("data.filter[{number}]");
        match filter {
            DecisionFilter::InputVariable(filter) => parts.push(named(place, INPUT, &filter.name)),
            DecisionFilter::OutputVariable(filter) => {
                parts.push(named(place, OUTPUT, &filter.name));
            }
            DecisionFilter::EvaluationDateTime(_) => {}
        }
    }
    parts.extend(sorting_column(data.configuration.sorting.as_ref()));
    parts
}
