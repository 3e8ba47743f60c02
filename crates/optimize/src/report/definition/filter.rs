//! Stored filters: what `data.filter` of a report may hold
//! (crates/optimize/docs/filters.md, "Shape and levels").
//!
//! Everything that can be wrong with a filter is found here, when the report is read, so that turning a filter into a
//! query ([`crate::filter`]) can't fail. The checks and the quoted texts are those of Optimize's `ValidationHelper` and
//! of the classes that build its queries.

use serde::Deserialize;
use serde_json::Value;

use super::{DefinitionError, lenient};
use crate::id_enum;

mod date;
mod duration;
mod flow_node;
mod place;
mod variable;

pub use date::{DateFilter, DateFilterStart, DateFilterUnit, FlowNodeDateFilter, Period};
pub use duration::{ComparisonOperator, DurationFilter, DurationUnit};
pub use flow_node::{ExecutedFlowNodes, IdentityFilter, MembershipOperator};
pub use variable::{VariableCondition, VariableFilter};

use place::{Place, excerpt, read_list};

/// Entry of `appliedTo` that stands for every definition of the report.
const ALL_DEFINITIONS: &str = "all";

/// A filter of a process report.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessFilter {
    /// What it asks for.
    pub kind: ProcessFilterKind,
    /// What it narrows.
    pub level: FilterLevel,
    /// Identifiers of the definitions it is for, `all` among them.
    pub applied_to: Vec<String>,
}

id_enum! {
    /// What a filter narrows.
    pub enum FilterLevel {
        /// The process instances.
        Instance = "instance",
        /// The flow nodes or incidents that the report looks at; and the process instances, to those that have one.
        View = "view",
    }
}

/// What a filter of a process report asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum ProcessFilterKind {
    /// Start or end date of the instance.
    InstanceDate(DateField, DateFilter),
    /// Start or end date of flow nodes.
    FlowNodeDate(DateField, FlowNodeDateFilter),
    /// Duration of the instance.
    InstanceDuration(DurationFilter),
    /// Durations of flow nodes, by flow node id; one of them has to hold.
    FlowNodeDuration(Vec<(String, DurationFilter)>),
    /// Value of a variable.
    Variable(VariableFilter),
    /// Values of several variables; one of them has to hold.
    MultipleVariable(Vec<VariableFilter>),
    /// Flow nodes that were reached, or none of them.
    ExecutedFlowNodes(ExecutedFlowNodes),
    /// Flow nodes of which one is running.
    ExecutingFlowNodes(Vec<String>),
    /// Flow nodes of which one was canceled.
    CanceledFlowNodes(Vec<String>),
    /// State of the instance.
    InstanceState(InstanceState),
    /// Who a user task is assigned to.
    Identity(IdentityField, IdentityFilter),
    /// Incidents of the instance.
    Incident(IncidentCondition),
    /// State of flow nodes.
    FlowNodeStatus(FlowNodeStatus),
    /// At least one agent ran in the instance.
    HasAgentInstances,
}

/// Which end of a life a date filter looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateField {
    /// The start date.
    Start,
    /// The end date; there is none while it runs.
    End,
}

/// States of an instance that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// Not ended.
    Running,
    /// Ended, in whatever way.
    Completed,
    /// Terminated from inside or outside.
    Canceled,
    /// Anything but canceled.
    NonCanceled,
    /// Suspended.
    Suspended,
    /// Anything but suspended.
    NonSuspended,
}

/// Relations between a user task and people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityField {
    /// Who works on it.
    Assignee,
    /// Who may work on it.
    CandidateGroup,
}

/// Incidents that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncidentCondition {
    /// An open one.
    Open,
    /// A deleted one; Optimize's filter type calls it closed.
    Deleted,
    /// A resolved one.
    Resolved,
    /// None at all.
    Absent,
}

/// States of a flow node that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowNodeStatus {
    /// Not ended.
    Running,
    /// Ended and not canceled.
    Completed,
    /// Canceled.
    Canceled,
    /// Ended.
    CompletedOrCanceled,
}

id_enum! {
    /// The ids under which filters of process reports are stored (`ProcessFilterDto`).
    pub enum ProcessFilterType {
        /// Start date of the instance.
        InstanceStartDate = "instanceStartDate",
        /// End date of the instance.
        InstanceEndDate = "instanceEndDate",
        /// Start date of flow nodes.
        FlowNodeStartDate = "flowNodeStartDate",
        /// End date of flow nodes.
        FlowNodeEndDate = "flowNodeEndDate",
        /// Duration of the instance.
        ProcessInstanceDuration = "processInstanceDuration",
        /// Durations of flow nodes.
        FlowNodeDuration = "flowNodeDuration",
        /// A variable.
        Variable = "variable",
        /// Several variables.
        MultipleVariable = "multipleVariable",
        /// Flow nodes that were reached or not.
        ExecutedFlowNodes = "executedFlowNodes",
        /// Flow nodes that are running.
        ExecutingFlowNodes = "executingFlowNodes",
        /// Flow nodes that were canceled.
        CanceledFlowNodes = "canceledFlowNodes",
        /// Running instances.
        RunningInstancesOnly = "runningInstancesOnly",
        /// Ended instances.
        CompletedInstancesOnly = "completedInstancesOnly",
        /// Canceled instances.
        CanceledInstancesOnly = "canceledInstancesOnly",
        /// Instances that are not canceled.
        NonCanceledInstancesOnly = "nonCanceledInstancesOnly",
        /// Suspended instances.
        SuspendedInstancesOnly = "suspendedInstancesOnly",
        /// Instances that are not suspended.
        NonSuspendedInstancesOnly = "nonSuspendedInstancesOnly",
        /// Assignees of user tasks.
        Assignee = "assignee",
        /// Candidate groups of user tasks.
        CandidateGroup = "candidateGroup",
        /// Open incidents.
        IncludesOpenIncident = "includesOpenIncident",
        /// Deleted incidents.
        IncludesClosedIncident = "includesClosedIncident",
        /// Resolved incidents.
        IncludesResolvedIncident = "includesResolvedIncident",
        /// No incidents.
        DoesNotIncludeIncident = "doesNotIncludeIncident",
        /// Running flow nodes.
        RunningFlowNodesOnly = "runningFlowNodesOnly",
        /// Completed flow nodes.
        CompletedFlowNodesOnly = "completedFlowNodesOnly",
        /// Canceled flow nodes.
        CanceledFlowNodesOnly = "canceledFlowNodesOnly",
        /// Ended flow nodes.
        CompletedOrCanceledFlowNodesOnly = "completedOrCanceledFlowNodesOnly",
        /// Instances with agents; only the newest releases know it.
        HasAgentInstances = "hasAgentInstances",
    }
}

impl ProcessFilterType {
    /// The levels on which Optimize accepts this type.
    ///
    /// crates/optimize/docs/filters.md, "Shape and levels": they are those of the filters' own classes
    /// (`DeletedIncidentFilterDto`, `ResolvedIncidentFilterDto`, `CandidateGroupFilterDto`, `FlowNodeEndDateFilterDto`,
    /// `CompletedFlowNodesOnlyFilterDto`, `CompletedOrCanceledFlowNodesOnlyFilterDto`, `DurationFilterDto`).
    pub const fn levels(self) -> &'static [FilterLevel] {
        match self {
            Self::RunningFlowNodesOnly
            | Self::CompletedFlowNodesOnly
            | Self::CanceledFlowNodesOnly
            | Self::CompletedOrCanceledFlowNodesOnly => &[FilterLevel::View],
            Self::FlowNodeStartDate
            | Self::FlowNodeEndDate
            | Self::FlowNodeDuration
            | Self::ExecutedFlowNodes
            | Self::Assignee
            | Self::CandidateGroup
            | Self::IncludesOpenIncident
            | Self::IncludesResolvedIncident => &[FilterLevel::Instance, FilterLevel::View],
            Self::InstanceStartDate
            | Self::InstanceEndDate
            | Self::ProcessInstanceDuration
            | Self::Variable
            | Self::MultipleVariable
            | Self::ExecutingFlowNodes
            | Self::CanceledFlowNodes
            | Self::RunningInstancesOnly
            | Self::CompletedInstancesOnly
            | Self::CanceledInstancesOnly
            | Self::NonCanceledInstancesOnly
            | Self::SuspendedInstancesOnly
            | Self::NonSuspendedInstancesOnly
            | Self::IncludesClosedIncident
            | Self::DoesNotIncludeIncident
            | Self::HasAgentInstances => &[FilterLevel::Instance],
        }
    }
}

id_enum! {
    /// The ids under which filters of decision reports are stored (`DecisionFilterDto`).
    pub enum DecisionFilterType {
        /// Date of the evaluation.
        EvaluationDateTime = "evaluationDateTime",
        /// An input of the decision table.
        InputVariable = "inputVariable",
        /// An output of the decision table.
        OutputVariable = "outputVariable",
    }
}

/// A filter of a decision report. It has no level, and `appliedTo` is not looked at
/// (crates/optimize/docs/filters.md, "Filters of decision reports").
#[derive(Debug, Clone, PartialEq)]
pub enum DecisionFilter {
    /// Date of the evaluation.
    EvaluationDateTime(DateFilter),
    /// Value of an input; the variable's name is the id of the clause.
    InputVariable(VariableFilter),
    /// Value of an output; the variable's name is the id of the clause.
    OutputVariable(VariableFilter),
}

/// What every process filter has beside its type and data.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    #[serde(default)]
    filter_level: Option<FilterLevel>,
    #[serde(default = "all_definitions")]
    applied_to: Value,
}

fn all_definitions() -> Value {
    Value::from(ALL_DEFINITIONS)
}

impl ProcessFilter {
    /// Whether it is for every definition of the report.
    pub fn applies_to_all(&self) -> bool {
        self.applies_to(ALL_DEFINITIONS)
    }

    /// Whether it names this definition. Keys of definitions do not count, only identifiers
    /// (crates/optimize/docs/filters.md, "How filters become a query").
    pub fn applies_to(&self, identifier: &str) -> bool {
        self.applied_to.iter().any(|applied| applied == identifier)
    }

    fn read(value: &Value, place: &Place) -> Result<Self, DefinitionError> {
        let filter_type = type_id(value, place, ProcessFilterType::ALL, ProcessFilterType::id)?;
        let place = place.about(format!("filter `{filter_type}`"));
        let envelope: Envelope = place.read(value)?;
        let level = match envelope.filter_level {
            Some(level) if filter_type.levels().contains(&level) => level,
            other => return Err(wrong_level(&place, filter_type, other)),
        };
        let applied_to = place.member("appliedTo");
        if envelope.applied_to.is_null() {
            return Err(applied_to.problem("is not allowed to be empty or null"));
        }
        Ok(Self {
            kind: ProcessFilterKind::read(filter_type, level, data_of(value), &place)?,
            level,
            applied_to: applied_to.read_with(lenient::strings, &envelope.applied_to)?,
        })
    }
}

fn wrong_level(
    place: &Place,
    filter_type: ProcessFilterType,
    level: Option<FilterLevel>,
) -> DefinitionError {
    let found = level.map_or("null", FilterLevel::id);
    let legal: Vec<&str> = filter_type.levels().iter().map(|l| l.id()).collect();
    place.member("filterLevel").problem(format!(
        "{found} is not a valid application level for this filter type, expected {}",
        legal.join(" or ")
    ))
}

impl ProcessFilterKind {
    fn read(
        filter_type: ProcessFilterType,
        level: FilterLevel,
        data: &Value,
        filter: &Place,
    ) -> Result<Self, DefinitionError> {
        use ProcessFilterType as Type;
        let place = filter.member("data");
        Ok(match filter_type {
            Type::InstanceStartDate => {
                let date = DateFilter::read(data, &place)?;
                date.require_start_or_end("start date filter ", &place, data)?;
                Self::InstanceDate(DateField::Start, date)
            }
            // Optimize checks the bounds of start dates alone; an end date filter without any narrows nothing.
            Type::InstanceEndDate => {
                Self::InstanceDate(DateField::End, DateFilter::read(data, &place)?)
            }
            Type::FlowNodeStartDate => Self::FlowNodeDate(
                DateField::Start,
                FlowNodeDateFilter::read(data, level, &place)?,
            ),
            Type::FlowNodeEndDate => Self::FlowNodeDate(
                DateField::End,
                FlowNodeDateFilter::read(data, level, &place)?,
            ),
            Type::ProcessInstanceDuration => {
                Self::InstanceDuration(DurationFilter::read(data, &place)?)
            }
            Type::FlowNodeDuration => {
                Self::FlowNodeDuration(duration::read_by_flow_node(data, &place)?)
            }
            Type::Variable => Self::Variable(VariableFilter::read_named(data, &place)?),
            Type::MultipleVariable => Self::MultipleVariable(variable::read_several(data, &place)?),
            Type::ExecutedFlowNodes => {
                Self::ExecutedFlowNodes(ExecutedFlowNodes::read(data, &place)?)
            }
            Type::ExecutingFlowNodes => {
                Self::ExecutingFlowNodes(flow_node::read_flow_node_ids(data, &place)?)
            }
            Type::CanceledFlowNodes => {
                Self::CanceledFlowNodes(flow_node::read_flow_node_ids(data, &place)?)
            }
            Type::RunningInstancesOnly => Self::InstanceState(InstanceState::Running),
            Type::CompletedInstancesOnly => Self::InstanceState(InstanceState::Completed),
            Type::CanceledInstancesOnly => Self::InstanceState(InstanceState::Canceled),
            Type::NonCanceledInstancesOnly => Self::InstanceState(InstanceState::NonCanceled),
            Type::SuspendedInstancesOnly => Self::InstanceState(InstanceState::Suspended),
            Type::NonSuspendedInstancesOnly => Self::InstanceState(InstanceState::NonSuspended),
            Type::Assignee => {
                Self::Identity(IdentityField::Assignee, IdentityFilter::read(data, &place)?)
            }
            Type::CandidateGroup => Self::Identity(
                IdentityField::CandidateGroup,
                IdentityFilter::read(data, &place)?,
            ),
            Type::IncludesOpenIncident => Self::Incident(IncidentCondition::Open),
            Type::IncludesClosedIncident => Self::Incident(IncidentCondition::Deleted),
            Type::IncludesResolvedIncident => Self::Incident(IncidentCondition::Resolved),
            Type::DoesNotIncludeIncident => Self::Incident(IncidentCondition::Absent),
            Type::RunningFlowNodesOnly => Self::FlowNodeStatus(FlowNodeStatus::Running),
            Type::CompletedFlowNodesOnly => Self::FlowNodeStatus(FlowNodeStatus::Completed),
            Type::CanceledFlowNodesOnly => Self::FlowNodeStatus(FlowNodeStatus::Canceled),
            Type::CompletedOrCanceledFlowNodesOnly => {
                Self::FlowNodeStatus(FlowNodeStatus::CompletedOrCanceled)
            }
            Type::HasAgentInstances => Self::HasAgentInstances,
        })
    }
}

impl DecisionFilter {
    fn read(value: &Value, place: &Place) -> Result<Self, DefinitionError> {
        let filter_type = type_id(
            value,
            place,
            DecisionFilterType::ALL,
            DecisionFilterType::id,
        )?;
        let data = data_of(value);
        let place = place
            .about(format!("filter `{filter_type}`"))
            .member("data");
        Ok(match filter_type {
            DecisionFilterType::EvaluationDateTime => {
                let date = DateFilter::read(data, &place)?;
                date.require_start_or_end("evaluation date filter ", &place, data)?;
                Self::EvaluationDateTime(date)
            }
            DecisionFilterType::InputVariable => {
                Self::InputVariable(VariableFilter::read_named(data, &place)?)
            }
            DecisionFilterType::OutputVariable => {
                Self::OutputVariable(VariableFilter::read_named(data, &place)?)
            }
        })
    }
}

fn data_of(filter: &Value) -> &Value {
    filter.get("data").unwrap_or(&Value::Null)
}

/// The type of a filter. Jackson compares type ids with regard to case, unlike enumerations.
fn type_id<T: Copy>(
    filter: &Value,
    place: &Place,
    all: &[T],
    id: fn(T) -> &'static str,
) -> Result<T, DefinitionError> {
    let found = match filter {
        Value::Object(members) => members.get("type").unwrap_or(&Value::Null),
        _ => {
            let found = excerpt(&filter.to_string());
            return Err(place.problem(format!("is {found}, expected a filter")));
        }
    };
    let known = all.iter().find(|known| found == id(**known));
    known.copied().ok_or_else(|| {
        let ids: Vec<&str> = all.iter().map(|known| id(*known)).collect();
        place.member("type").problem(format!(
            "unknown filter type {}, expected one of {}",
            excerpt(&found.to_string()),
            ids.join(", ")
        ))
    })
}

/// Reads the filters out of the `data` of a stored process report.
pub(super) fn process_filters(data: &str) -> Result<Vec<ProcessFilter>, DefinitionError> {
    read_list(data, ProcessFilter::read)
}

/// Reads the filters out of the `data` of a stored decision report.
pub(super) fn decision_filters(data: &str) -> Result<Vec<DecisionFilter>, DefinitionError> {
    read_list(data, DecisionFilter::read)
}

#[cfg(test)]
mod tests;
