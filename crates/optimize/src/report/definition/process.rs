//! `data` of a process report (crates/optimize/docs/reports.md, "Process reports").

use serde::{Deserialize, Deserializer, de};

use super::enums::{DateUnit, VariableType};
use super::typed_value::{TypedValue, Unit};
use super::{Configuration, DefinitionError, DefinitionSelection, ProcessFilter, lenient};
use crate::id_enum;

/// What a process report asks for.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessReportData {
    /// Aggregations, buckets, order.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub configuration: Configuration,
    /// The definitions that it covers; none means every process instance.
    #[serde(default, deserialize_with = "lenient::list_or_null")]
    pub definitions: Vec<DefinitionSelection>,
    /// What narrows it. Filters are read apart: each names its own
    /// place in the document when it is wrong.
    #[serde(skip)]
    pub filters: Vec<ProcessFilter>,
    /// What is counted or measured.
    pub view: ProcessView,
    /// What makes a bucket; `None` when it is stored as null.
    #[serde(default)]
    pub group_by: Option<GroupBy>,
    /// What splits a bucket; `None` when it is stored as null.
    #[serde(default = "distributed_by_none")]
    pub distributed_by: Option<DistributedBy>,
    /// How Optimize draws it; only `heat` changes a result.
    #[serde(default, deserialize_with = "lenient::optional_string")]
    pub visualization: Option<String>,
    /// Covers all process definitions of the cluster.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub management_report: bool,
    /// Covers all versions and tenants of its first definition.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub instant_preview_report: bool,
    /// Belongs to the dashboard on agents: covers all process definitions, and counts its percentages against instances
    /// with agents.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub agentic_control_report: bool,
    /// Belongs to the dashboard on business value: covers all process definitions, and calls them by their names.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub business_value_report: bool,
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "serde wants the type of the field"
)]
fn distributed_by_none() -> Option<DistributedBy> {
    Some(DistributedBy::None)
}

impl ProcessReportData {
    /// Whether Optimize made it for one of its own dashboards, so that it is about all process definitions, whatever it
    /// names (crates/optimize/docs/reports.md, "Reports of Optimize's own dashboards").
    pub fn covers_all_definitions(&self) -> bool {
        self.management_report || self.agentic_control_report || self.business_value_report
    }

    /// Rejects a report whose first definition has no key, or that has no definition; only a report of a system dashboard
    /// names its definitions later (`ValidationHelper`, which `SingleReportEvaluator` runs on stored reports too).
    ///
    /// # Errors
    /// In Optimize's words.
    pub fn check_definition_key(&self) -> Result<(), DefinitionError> {
        let key = self
            .definitions
            .first()
            .and_then(|definition| definition.key.as_ref());
        if key.is_none() && !self.covers_all_definitions() {
            return Err(DefinitionError::part(
                "data.definitions[0].key",
                "definitionKey is not allowed to be null",
            ));
        }
        Ok(())
    }

    /// Whether the report lists process instances instead of counting them.
    pub fn is_raw_data(&self) -> bool {
        self.view.properties.contains(&ViewProperty::RawData)
    }
}

/// What is counted or measured.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ProcessView {
    /// Of what; `None` for raw data.
    #[serde(default)]
    pub entity: Option<ViewEntity>,
    /// Which figures; only the first is exported.
    #[serde(default, deserialize_with = "lenient::list_or_null")]
    pub properties: Vec<ViewProperty>,
}

id_enum! {
    /// What a process report looks at.
    pub enum ViewEntity {
        /// Flow nodes.
        FlowNode = "flowNode",
        /// User tasks.
        UserTask = "userTask",
        /// Process instances.
        ProcessInstance = "processInstance",
        /// Values of one variable.
        Variable = "variable",
        /// Incidents.
        Incident = "incident",
        /// What the agents of process instances have used.
        AgentInstance = "agentInstance",
    }
}

/// A figure of a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ViewProperty {
    /// How many.
    Frequency,
    /// How long.
    Duration,
    /// How many of all, in percent.
    Percentage,
    /// The instances themselves.
    RawData,
    /// How many of all tasks nobody had to do, in percent.
    AutomationRate,
    /// Tokens that agents were given.
    InputTokens,
    /// Tokens that agents have made.
    OutputTokens,
    /// Both.
    TotalTokens,
    /// Calls of tools by agents.
    ToolCalls,
    /// The values of a variable.
    Variable(VariableReference),
    /// Text that no release read so far knows; it makes the combination illegal.
    Unknown(String),
}

impl ViewProperty {
    /// Its part of the command key (crates/optimize/docs/reports.md, "Command keys").
    pub fn id(&self) -> &str {
        match self {
            Self::Frequency => "frequency",
            Self::Duration => "duration",
            Self::Percentage => "percentage",
            Self::RawData => "rawData",
            Self::AutomationRate => "automationRate",
            Self::InputTokens => "inputTokens",
            Self::OutputTokens => "outputTokens",
            Self::TotalTokens => "totalTokens",
            Self::ToolCalls => "toolCalls",
            Self::Variable(_) => "aggregation",
            Self::Unknown(text) => text,
        }
    }
}

impl<'de> Deserialize<'de> for ViewProperty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "the name of a figure or `{name, type}` of a variable"
        )]
        enum Stored {
            Name(String),
            Variable(VariableReference),
        }
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Name(name) => match name.as_str() {
                "frequency" => Self::Frequency,
                "duration" => Self::Duration,
                "percentage" => Self::Percentage,
                "rawData" => Self::RawData,
                "automationRate" => Self::AutomationRate,
                "inputTokens" => Self::InputTokens,
                "outputTokens" => Self::OutputTokens,
                "totalTokens" => Self::TotalTokens,
                "toolCalls" => Self::ToolCalls,
                _ => Self::Unknown(name),
            },
            Stored::Variable(variable) => Self::Variable(variable),
        })
    }
}

/// A variable by name and type: two variables of one name and different types are different variables.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct VariableReference {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub variable_type: VariableType,
}

/// What makes a bucket. Start and end date, duration and flow nodes are those of the view's entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// One bucket for all.
    None,
    /// A bucket per flow node.
    FlowNodes,
    /// A bucket per user task.
    UserTasks,
    /// By start date.
    StartDate(DateUnit),
    /// By end date.
    EndDate(DateUnit),
    /// By the time in which instances were running.
    RunningDate(DateUnit),
    /// By the values of a variable.
    Variable(VariableReference),
    /// By assignee.
    Assignee,
    /// By candidate group.
    CandidateGroup,
    /// By duration.
    Duration,
    /// By process definition, all versions together.
    ProcessDefinitionKey,
    /// By version, all process definitions together.
    ProcessDefinitionVersion,
}

const GROUP_BY_IDS: &[&str] = &[
    "none",
    "flowNodes",
    "userTasks",
    "startDate",
    "endDate",
    "runningDate",
    "variable",
    "assignee",
    "candidateGroup",
    "duration",
    "processDefinitionKey",
    "processDefinitionVersion",
];

impl GroupBy {
    /// Its part of the command key (crates/optimize/docs/reports.md, "Command keys").
    pub fn id(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::FlowNodes => "flowNodes",
            Self::UserTasks => "userTasks",
            Self::StartDate(_) => "startDate",
            Self::EndDate(_) => "endDate",
            Self::RunningDate(_) => "runningDate",
            Self::Variable(_) => "variable",
            Self::Assignee => "assignee",
            Self::CandidateGroup => "candidateGroup",
            Self::Duration => "duration",
            Self::ProcessDefinitionKey => "processDefinitionKey",
            Self::ProcessDefinitionVersion => "processDefinitionVersion",
        }
    }
}

impl<'de> Deserialize<'de> for GroupBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = TypedValue::deserialize(deserializer)?;
        Ok(match stored.kind.as_str() {
            "none" => Self::None,
            "flowNodes" => Self::FlowNodes,
            "userTasks" => Self::UserTasks,
            "startDate" => Self::StartDate(stored.value::<Unit, _>()?.unit),
            "endDate" => Self::EndDate(stored.value::<Unit, _>()?.unit),
            "runningDate" => Self::RunningDate(stored.value::<Unit, _>()?.unit),
            "variable" => Self::Variable(stored.value()?),
            "assignee" => Self::Assignee,
            "candidateGroup" => Self::CandidateGroup,
            "duration" => Self::Duration,
            "processDefinitionKey" => Self::ProcessDefinitionKey,
            "processDefinitionVersion" => Self::ProcessDefinitionVersion,
            other => return Err(de::Error::unknown_variant(other, GROUP_BY_IDS)),
        })
    }
}

/// What splits a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DistributedBy {
    /// Nothing.
    None,
    /// User tasks.
    UserTask,
    /// Flow nodes.
    FlowNode,
    /// Assignees.
    Assignee,
    /// Candidate groups.
    CandidateGroup,
    /// The values of a variable.
    Variable(VariableReference),
    /// Start dates of process instances.
    StartDate(DateUnit),
    /// End dates of process instances.
    EndDate(DateUnit),
    /// The report's definitions.
    Process,
}

const DISTRIBUTED_BY_IDS: &[&str] = &[
    "none",
    "userTask",
    "flowNode",
    "assignee",
    "candidateGroup",
    "variable",
    "startDate",
    "endDate",
    "process",
];

impl DistributedBy {
    /// Its part of the command key (crates/optimize/docs/reports.md, "Command keys").
    pub fn id(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::UserTask => "userTask",
            Self::FlowNode => "flowNode",
            Self::Assignee => "assignee",
            Self::CandidateGroup => "candidateGroup",
            Self::Variable(_) => "variable",
            Self::StartDate(_) => "startDate",
            Self::EndDate(_) => "endDate",
            Self::Process => "process",
        }
    }
}

impl<'de> Deserialize<'de> for DistributedBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = TypedValue::deserialize(deserializer)?;
        Ok(match stored.kind.as_str() {
            "none" => Self::None,
            "userTask" => Self::UserTask,
            "flowNode" => Self::FlowNode,
            "assignee" => Self::Assignee,
            "candidateGroup" => Self::CandidateGroup,
            "variable" => Self::Variable(stored.value()?),
            "startDate" => Self::StartDate(stored.value::<Unit, _>()?.unit),
            "endDate" => Self::EndDate(stored.value::<Unit, _>()?.unit),
            "process" => Self::Process,
            other => return Err(de::Error::unknown_variant(other, DISTRIBUTED_BY_IDS)),
        })
    }
}
