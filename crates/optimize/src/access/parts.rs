//! Which columns the parts of a report look into.
//!
//! A report that groups by a variable shows its values, one that filters or sorts by it tells something about them. So what may
//! not be seen as a column may not be used by a part either.

use super::columns::{
    INPUT_PREFIX as INPUT, OUTPUT_PREFIX as OUTPUT, SORTED_INPUT_PREFIX, SORTED_OUTPUT_PREFIX,
    VARIABLE_PREFIX as VARIABLE,
};
use crate::report::definition::{
    DecisionFilter, DecisionGroupBy, DecisionReportData, DistributedBy, GroupBy, IdentityField,
    ProcessFilterKind, ProcessReportData, Sorting, StoredReport, UserTaskDurationTime,
    VariableFilter, VariableReference, ViewEntity, ViewProperty,
};

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
    let mut add = |place: &str, columns: Vec<String>| {
        parts.extend(columns.into_iter().map(|column| part(place, column)));
    };
    for property in &data.view.properties {
        add("data.view.properties", measured_columns(property, data));
    }
    if let Some(group) = &data.group_by {
        add("data.groupBy", group_columns(group));
    }
    if let Some(distribution) = &data.distributed_by {
        add("data.distributedBy", distribution_columns(distribution));
    }
    for (number, filter) in data.filters.iter().enumerate() {
        add(
            &format!("data.filter[{number}]"),
            filter_columns(&filter.kind),
        );
    }
    parts.extend(sorting_column(data.configuration.sorting.as_ref()));
    parts
}

fn of_variable(variable: &VariableReference) -> String {
    format!("{VARIABLE}{}", variable.name)
}

fn columns<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn measured_columns(property: &ViewProperty, data: &ProcessReportData) -> Vec<String> {
    match property {
        ViewProperty::Variable(variable) => vec![of_variable(variable)],
        ViewProperty::Duration => {
            let is_of_tasks = data.view.entity == Some(ViewEntity::UserTask);
            let times = &data.configuration.user_task_duration_times;
            let of_tasks = times.iter().map(|time| match time {
                UserTaskDurationTime::Idle => "idleDuration".to_owned(),
                UserTaskDurationTime::Work => "workDuration".to_owned(),
                UserTaskDurationTime::Total => "duration".to_owned(),
            });
            if is_of_tasks {
                of_tasks.collect()
            } else {
                columns(["duration"])
            }
        }
        ViewProperty::Frequency
        | ViewProperty::Percentage
        | ViewProperty::RawData
        | ViewProperty::AutomationRate
        | ViewProperty::InputTokens
        | ViewProperty::OutputTokens
        | ViewProperty::TotalTokens
        | ViewProperty::ToolCalls
        | ViewProperty::Unknown(_) => Vec::new(),
    }
}

fn group_columns(group: &GroupBy) -> Vec<String> {
    match group {
        GroupBy::Variable(variable) => vec![of_variable(variable)],
        GroupBy::Assignee => vec![identity_column(IdentityField::Assignee)],
        GroupBy::CandidateGroup => vec![identity_column(IdentityField::CandidateGroup)],
        GroupBy::StartDate(_) => columns(["startDate"]),
        GroupBy::EndDate(_) => columns(["endDate"]),
        GroupBy::RunningDate(_) => columns(["startDate", "endDate"]),
        GroupBy::Duration => columns(["duration"]),
        GroupBy::FlowNodes | GroupBy::UserTasks => columns(["flowNodeId"]),
        GroupBy::ProcessDefinitionKey => columns(["processDefinitionKey"]),
        GroupBy::ProcessDefinitionVersion => columns(["processDefinitionVersion"]),
        GroupBy::None => Vec::new(),
    }
}

fn identity_column(field: IdentityField) -> String {
    let column = match field {
        IdentityField::Assignee => "assignee",
        IdentityField::CandidateGroup => "candidateGroups",
    };
    column.to_owned()
}

fn distribution_columns(distribution: &DistributedBy) -> Vec<String> {
    match distribution {
        DistributedBy::Variable(variable) => vec![of_variable(variable)],
        DistributedBy::Assignee => vec![identity_column(IdentityField::Assignee)],
        DistributedBy::CandidateGroup => vec![identity_column(IdentityField::CandidateGroup)],
        DistributedBy::StartDate(_) => columns(["startDate"]),
        DistributedBy::EndDate(_) => columns(["endDate"]),
        DistributedBy::UserTask | DistributedBy::FlowNode => columns(["flowNodeId"]),
        DistributedBy::Process => columns(["processDefinitionKey"]),
        DistributedBy::None => Vec::new(),
    }
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
    if let Some(id) = by.strip_prefix(SORTED_INPUT_PREFIX) {
        return Some(named(place, INPUT, id));
    }
    if let Some(id) = by.strip_prefix(SORTED_OUTPUT_PREFIX) {
        return Some(named(place, OUTPUT, id));
    }
    let column = match by {
        "startDate" | "evaluationDateTime" => return None,
        // What the column is made of.
        "dataSource.name" | "engine" => "engineName",
        // A field within a field has its values.
        field if !field.starts_with(VARIABLE) => field.split('.').next().unwrap_or(field),
        variable => variable,
    };
    Some(part(place, column))
}

fn of_decision_report(data: &DecisionReportData) -> Vec<Part> {
    let mut parts = Vec::new();
    let group = data.group_by.as_ref().and_then(|group| match group {
        DecisionGroupBy::InputVariable(clause) => Some(format!("{INPUT}{}", clause.id)),
        DecisionGroupBy::OutputVariable(clause) => Some(format!("{OUTPUT}{}", clause.id)),
        DecisionGroupBy::EvaluationDateTime(_) => Some("evaluationDateTime".to_owned()),
        DecisionGroupBy::MatchedRule => Some("ruleId".to_owned()),
        DecisionGroupBy::None => None,
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
