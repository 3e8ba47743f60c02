//! Report filters as Elasticsearch queries.
//!
//! A report has a list of filters, all of which have to hold. On the **instance level** a filter becomes one clause on
//! process instances. On the **view level** it acts twice: it narrows the flow nodes or incidents that an aggregation
//! looks at ([`model_element_filter`], [`incident_filter`]), and it narrows the instances to those that have one such
//! flow node or incident ([`narrowing`]). A filter is for all definitions of the report, or for those that it names.
//!
//! Everything here is pure: filters, definitions and [`FilterContext`] go in, queries come out. There are no errors:
//! whatever can be wrong with a filter is found when the report is read ([`crate::report::definition`]).
//!
//! Source: crates/optimize/docs/filters.md, "How filters become a query" and "Filters of decision reports".
//! `docs/FILTERS.md` lists every filter.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use crate::report::definition::{
    DecisionFilter, FilterLevel, GroupBy, IdentityField, InstanceState, ProcessFilter,
    ProcessFilterKind, ProcessReportData, ViewEntity,
};
use crate::scope::{DefinitionScope, Narrowing};

pub mod dates;
mod durations;
mod flow_nodes;
mod identities;
mod incidents;
mod instance_state;
pub mod over_time;
pub mod query;
pub mod variables;
mod view_level;

pub use flow_nodes::is_user_task;
pub use view_level::{incident_filter, model_element_filter};

/// What a filter's meaning depends on beside the filter.
#[derive(Debug, Clone)]
pub struct FilterContext {
    /// The moment that "now" means in every filter of a request.
    ///
    /// Optimize reads its clock anew for each filter; one moment for all of them is what it means to do.
    pub now: Timestamp,
    /// In which zone days, weeks and months start; UTC in the export.
    pub time_zone: TimeZone,
    /// The report looks at user tasks.
    pub user_task_report: bool,
    /// Filters by assignee are on; without them they are left out on the instance level, as in Optimize
    /// (`ProcessQueryFilterEnhancerES`).
    pub assignee_analytics: bool,
}

/// A filter that nobody stored, but that a report has because of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImplicitFilter {
    /// No such filter.
    None,
    /// Only instances that have ended.
    CompletedInstancesOnly,
    /// Only instances that have a user task.
    UserTasksOnly,
}

impl ImplicitFilter {
    /// The implicit filter of a report (crates/optimize/docs/reports.md, "Filters that a report implies").
    ///
    /// Both are filters of the instance level (`UserTaskFlowNodesOnlyFilterDto`).
    pub fn of(report: &ProcessReportData) -> Self {
        match report.view.entity {
            Some(ViewEntity::ProcessInstance)
                if matches!(report.group_by, Some(GroupBy::EndDate(_))) =>
            {
                Self::CompletedInstancesOnly
            }
            Some(ViewEntity::UserTask) => Self::UserTasksOnly,
            None
            | Some(
                ViewEntity::ProcessInstance
                | ViewEntity::FlowNode
                | ViewEntity::Variable
                | ViewEntity::Incident
                | ViewEntity::AgentInstance,
            ) => Self::None,
        }
    }

    fn clause(self) -> Option<Value> {
        match self {
            Self::None => None,
            Self::CompletedInstancesOnly => Some(instance_state::completed()),
            Self::UserTasksOnly => Some(flow_nodes::has_user_task()),
        }
    }
}

/// Narrows a report's instances to those that its filters let through.
pub fn narrowing(
    filters: &[ProcessFilter],
    definitions: &[DefinitionScope],
    implicit: ImplicitFilter,
    context: &FilterContext,
) -> Narrowing {
    let clauses = |applied: Vec<&ProcessFilter>| {
        let on_instances = applied
            .iter()
            .filter(|filter| filter.level == FilterLevel::Instance)
            .filter_map(|filter| instance_clause(&filter.kind, context));
        let mut clauses: Vec<Value> = on_instances.collect();
        clauses.extend(view_level::instance_clauses(&applied, context));
        clauses
    };
    let mut narrowing = by_definition(filters, definitions, clauses);
    narrowing.all.extend(implicit.clause());
    narrowing
}

/// Narrows a report's instances to those that count as all of them, where a share of all instances is asked for: only
/// date filters on the instance level have a say, and in a report of the dashboard on agents those that all of its
/// reports have: completed instances, instances with agents (crates/optimize/docs/filters.md, "The baseline").
pub fn baseline_narrowing(
    filters: &[ProcessFilter],
    definitions: &[DefinitionScope],
    is_about_agents: bool,
    context: &FilterContext,
) -> Narrowing {
    let has_a_say = |kind: &ProcessFilterKind| match kind {
        ProcessFilterKind::InstanceDate(..) | ProcessFilterKind::FlowNodeDate(..) => true,
        ProcessFilterKind::InstanceState(InstanceState::Completed)
        | ProcessFilterKind::HasAgentInstances => is_about_agents,
        ProcessFilterKind::InstanceDuration(_)
        | ProcessFilterKind::FlowNodeDuration(_)
        | ProcessFilterKind::Variable(_)
        | ProcessFilterKind::MultipleVariable(_)
        | ProcessFilterKind::ExecutedFlowNodes(_)
        | ProcessFilterKind::ExecutingFlowNodes(_)
        | ProcessFilterKind::CanceledFlowNodes(_)
        | ProcessFilterKind::InstanceState(_)
        | ProcessFilterKind::Identity(..)
        | ProcessFilterKind::Incident(_)
        | ProcessFilterKind::FlowNodeStatus(_) => false,
    };
    by_definition(filters, definitions, |applied| {
        let applied = applied
            .iter()
            .filter(|filter| filter.level == FilterLevel::Instance && has_a_say(&filter.kind));
        applied
            .filter_map(|filter| instance_clause(&filter.kind, context))
            .collect()
    })
}

/// Makes the clauses of the filters for all definitions, and of those for each definition.
fn by_definition(
    filters: &[ProcessFilter],
    definitions: &[DefinitionScope],
    clauses: impl Fn(Vec<&ProcessFilter>) -> Vec<Value>,
) -> Narrowing {
    Narrowing {
        all: clauses(for_all_definitions(filters)),
        by_definition: definitions
            .iter()
            .map(|definition| clauses(for_definition(filters, definition)))
            .collect(),
    }
}

fn for_all_definitions(filters: &[ProcessFilter]) -> Vec<&ProcessFilter> {
    filters.iter().filter(|f| f.applies_to_all()).collect()
}

/// The filters that name this definition. One that names an unknown definition is nobody's.
fn for_definition<'a>(
    filters: &'a [ProcessFilter],
    definition: &DefinitionScope,
) -> Vec<&'a ProcessFilter> {
    let identifier = definition.identifier.as_deref();
    let named = |filter: &&ProcessFilter| identifier.is_some_and(|id| filter.applies_to(id));
    filters.iter().filter(named).collect()
}

/// A filter of the instance level as a clause on process instances; `None` where it narrows nothing.
fn instance_clause(kind: &ProcessFilterKind, context: &FilterContext) -> Option<Value> {
    match kind {
        ProcessFilterKind::InstanceDate(field, filter) => {
            dates::instance_date_clause(*field, filter, context)
        }
        ProcessFilterKind::FlowNodeDate(field, filter) => {
            Some(flow_nodes::date_clause(*field, filter, context))
        }
        ProcessFilterKind::InstanceDuration(filter) => {
            Some(durations::INSTANCE_DURATION.clause(filter, context.now))
        }
        ProcessFilterKind::FlowNodeDuration(conditions) => {
            Some(flow_nodes::duration_clause(conditions, context.now))
        }
        ProcessFilterKind::Variable(filter) => {
            Some(variables::process_variable_clause(filter, context))
        }
        ProcessFilterKind::MultipleVariable(filters) => {
            let clauses = filters
                .iter()
                .map(|filter| variables::process_variable_clause(filter, context));
            Some(query::any_of(clauses.collect()))
        }
        ProcessFilterKind::ExecutedFlowNodes(filter) => Some(flow_nodes::executed_clause(filter)),
        ProcessFilterKind::ExecutingFlowNodes(ids) => Some(flow_nodes::executing_clause(ids)),
        ProcessFilterKind::CanceledFlowNodes(ids) => Some(flow_nodes::canceled_clause(ids)),
        ProcessFilterKind::InstanceState(state) => Some(instance_state::clause(*state)),
        ProcessFilterKind::Identity(IdentityField::Assignee, _) if !context.assignee_analytics => {
            None
        }
        ProcessFilterKind::Identity(field, filter) => Some(identities::clause(*field, filter)),
        ProcessFilterKind::Incident(condition) => Some(incidents::clause(*condition)),
        // Legal on the view level alone.
        ProcessFilterKind::FlowNodeStatus(_) => None,
        ProcessFilterKind::HasAgentInstances => Some(has_agent_instances()),
    }
}

/// The process instance has an agent.
///
/// Indices of releases before 8.10 have no agents in their mapping, whatever the version of the index, and no agent in their
/// instances: where Optimize fails on them, nothing matches.
pub fn has_agent_instances() -> Value {
    json!({"nested": {
        "path": query::AGENT_INSTANCES, "score_mode": "none", "ignore_unmapped": true, "query": {"match_all": {}}}})
}

/// The filters of a decision report as clauses on decision instances
/// (crates/optimize/docs/filters.md, "Filters of decision reports").
pub fn decision_narrowing(filters: &[DecisionFilter], context: &FilterContext) -> Vec<Value> {
    let clauses = filters.iter().filter_map(|filter| match filter {
        DecisionFilter::EvaluationDateTime(filter) => {
            dates::clause(filter, dates::EVALUATION_DATE, context)
        }
        DecisionFilter::InputVariable(filter) => {
            Some(variables::decision_input_clause(filter, context))
        }
        DecisionFilter::OutputVariable(filter) => {
            Some(variables::decision_output_clause(filter, context))
        }
    });
    clauses.collect()
}

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;
