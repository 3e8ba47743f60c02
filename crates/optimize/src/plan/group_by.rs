//! Groupings: what makes the groups of a result.
//!
//! Source: crates/optimize/docs/plans.md, "Nesting".

use super::PlanError;
use super::aggregations::Aggregations;
use super::answer::Bucket;
use super::context::PlanContext;
use super::distributed_by::Key;
use super::inner::Inner;
use super::search::Outermost;
use super::statistics::Range;
use super::view::Measure;
use crate::report::definition::{
    DateField, GroupBy, IdentityField, ProcessReportData, ViewEntity, ViewProperty,
};
use crate::result::{Entry, Order};

mod agent_flow_nodes;
mod element_date;
mod element_duration;
mod flow_nodes;
mod identity;
mod incident_flow_nodes;
mod instance_date;
mod instance_duration;
mod none;
mod process_definition_key;
mod process_definition_version;
mod running_date;
mod user_tasks;
mod variable;

/// A group with its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What tells it from the other groups.
    pub key: Key,
    /// What the distribution makes of it; a single part without one.
    pub parts: Vec<Entry<Measure>>,
}

impl Group {
    /// A group whose label is its key.
    fn unlabelled(key: String, parts: Vec<Entry<Measure>>) -> Self {
        Self {
            key: Key { key, label: None },
            parts,
        }
    }
}

/// What makes the groups of a result.
pub trait Grouping: Send + Sync {
    /// Whether it shows flow nodes or user tasks of the model.
    fn needs_models(&self) -> bool {
        false
    }

    /// Whether it calls process definitions by their names.
    fn needs_definition_names(&self) -> bool {
        false
    }

    /// Whether it has to know the ad-hoc sub-processes of the report's first definition.
    fn needs_ad_hoc_sub_processes(&self) -> bool {
        false
    }

    /// What it has to know before it can make buckets.
    fn statistics(&self, _: &PlanContext<'_>) -> Option<Aggregations> {
        None
    }

    /// The range in the answer to its statistics.
    ///
    /// # Errors
    /// The answer lacks them.
    fn range(&self, statistics: Bucket<'_>) -> Result<Range, PlanError> {
        Ok(Range::read(statistics)?)
    }

    /// Queries that an instance has to satisfy beside those of the report.
    fn clauses(&self) -> Vec<serde_json::Value> {
        Vec::new()
    }

    /// The aggregations around those of `inner`; none where there is nothing to group.
    ///
    /// # Errors
    /// The report asks for impossible buckets.
    fn aggregations(&self, range: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError>;

    /// The groups of an answer, in the order that decides between equal ones.
    ///
    /// # Errors
    /// The answer lacks what was asked for.
    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError>;

    /// The groups of an answer without aggregations: there was nothing to group, or no index to ask.
    ///
    /// # Errors
    /// As [`Grouping::groups`].
    fn groups_without_aggregations(
        &self,
        _: Bucket<'_>,
        _: &Inner<'_>,
    ) -> Result<Vec<Group>, PlanError> {
        Ok(Vec::new())
    }

    /// The order of the groups.
    fn order(&self, context: &PlanContext<'_>) -> Order {
        Order::BY_KEY.unless_sorted(context.report.configuration.sorting.as_ref())
    }
}

/// The grouping of a report. Dates, durations and flow nodes are those of the view's entity.
pub fn of(report: &ProcessReportData) -> Box<dyn Grouping> {
    let entity = report.view.entity;
    // What agents have used is told by process instance.
    let is_about_instances = matches!(
        entity,
        Some(ViewEntity::ProcessInstance | ViewEntity::AgentInstance)
    );
    let is_about_tool_calls = report.view.properties.first() == Some(&ViewProperty::ToolCalls);
    match &report.group_by {
        None | Some(GroupBy::None) if entity == Some(ViewEntity::Incident) => {
            Box::new(none::AllIncidents)
        }
        None | Some(GroupBy::None) => Box::new(none::Ungrouped),
        Some(GroupBy::FlowNodes) if entity == Some(ViewEntity::Incident) => {
            Box::new(incident_flow_nodes::ByFlowNodeOfIncident)
        }
        Some(GroupBy::FlowNodes) if is_about_tool_calls => {
            Box::new(agent_flow_nodes::ByFlowNodeOfAgent)
        }
        Some(GroupBy::FlowNodes) => Box::new(flow_nodes::ByFlowNode),
        Some(GroupBy::UserTasks) => Box::new(user_tasks::ByUserTask),
        Some(GroupBy::StartDate(unit)) if is_about_instances => {
            Box::new(instance_date::ByInstanceDate(DateField::Start, *unit))
        }
        Some(GroupBy::EndDate(unit)) if is_about_instances => {
            Box::new(instance_date::ByInstanceDate(DateField::End, *unit))
        }
        Some(GroupBy::StartDate(unit)) => {
            Box::new(element_date::ByElementDate(DateField::Start, *unit))
        }
        Some(GroupBy::EndDate(unit)) => {
            Box::new(element_date::ByElementDate(DateField::End, *unit))
        }
        Some(GroupBy::RunningDate(unit)) => Box::new(running_date::ByRunningDate(*unit)),
        Some(GroupBy::Variable(variable)) => Box::new(variable::ByVariable(variable.clone())),
        Some(GroupBy::Assignee) => Box::new(identity::ByIdentity(IdentityField::Assignee)),
        Some(GroupBy::CandidateGroup) => {
            Box::new(identity::ByIdentity(IdentityField::CandidateGroup))
        }
        Some(GroupBy::Duration) if is_about_instances => {
            Box::new(instance_duration::ByInstanceDuration)
        }
        Some(GroupBy::Duration) => Box::new(element_duration::ByElementDuration),
        Some(GroupBy::ProcessDefinitionKey) => {
            Box::new(process_definition_key::ByProcessDefinitionKey::of(report))
        }
        Some(GroupBy::ProcessDefinitionVersion) => {
            Box::new(process_definition_version::ByProcessDefinitionVersion)
        }
    }
}
