//! One process instance as a row.
//!
//! Source: crates/optimize/docs/raw-data.md, "Rows of process instances". Fields and their order are those of Optimize's
//! `RawDataProcessInstanceDto`.

use jiff::tz::TimeZone;

use super::dates::{self, RowDate};
use super::document::{Integer, Many, Text, document};
use super::flow_nodes::{FlowNodeDuration, FlowNodeInstance, FlowNodes, PlacedFlowNodes};
use super::variables::{ObjectVariables, RowVariables, Scratch, Variable, VariableNames};
use crate::access::Restrictions;
use crate::access::columns::VARIABLE_PREFIX;
use crate::definitions::{DefinitionVersion, FlowNodeNames};
use crate::json::KnownText;

/// Type of the flow nodes that count as user tasks, spelled as it is stored.
const USER_TASK_TYPE: &str = "userTask";
/// Status of an incident that nobody has resolved.
const OPEN_STATUS: &str = "open";

/// Whether a flow node counts as a user task.
pub(crate) fn is_user_task(flow_node_type: &Text<'_>) -> bool {
    flow_node_type.as_deref() == Some(USER_TASK_TYPE)
}

/// Whether an incident counts as an open one.
pub(crate) fn is_open(incident_status: &Text<'_>) -> bool {
    (incident_status.as_deref()).is_some_and(|status| status.eq_ignore_ascii_case(OPEN_STATUS))
}

/// How long something that started then has been running.
pub(crate) fn running_duration(now: i64, start_date: &Text<'_>) -> Option<i64> {
    let start = start_date.as_deref().and_then(dates::epoch_millis)?;
    Some(now.saturating_sub(start))
}

document! {
    /// The parts of a stored process instance that a row shows.
    pub struct ProcessInstance<'a> {
        process_definition_key: Text<'a> = "processDefinitionKey",
        process_definition_version: Text<'a> = "processDefinitionVersion",
        process_definition_id: Text<'a> = "processDefinitionId",
        process_instance_id: Text<'a> = "processInstanceId",
        business_key: Text<'a> = "businessKey",
        start_date: Text<'a> = "startDate",
        end_date: Text<'a> = "endDate",
        duration: Integer = "duration",
        data_source: Many<DataSource<'a>> = "dataSource",
        tenant_id: Text<'a> = "tenantId",
        variables: Many<Variable<'a>> = "variables",
        flow_node_instances: Many<FlowNodeInstance<'a>> = "flowNodeInstances",
        incidents: Many<Incident<'a>> = "incidents",
    }
}

document! {
    pub(crate) struct DataSource<'a> {
        pub(crate) name: Text<'a> = "name",
    }
}

document! {
    pub(crate) struct Incident<'a> {
        pub(crate) incident_status: Text<'a> = "incidentStatus",
    }
}

impl ProcessInstance<'_> {
    /// Takes out variables that somebody may not see.
    pub fn leave_out(&mut self, restrictions: &Restrictions) {
        restrictions.take_out(VARIABLE_PREFIX, &mut self.variables.0, Variable::name);
    }

    /// The definition whose flow node names the row shows; `None` for an instance whose definition data were not
    /// imported yet.
    pub fn definition(&self) -> Option<DefinitionVersion> {
        DefinitionVersion::of_instance(
            self.process_definition_key.as_deref(),
            self.process_definition_version.as_deref(),
            self.tenant_id.as_deref(),
        )
    }

    /// Whether [`ProcessInstance::definition`] would give this one, without making it.
    pub fn is_of(&self, definition: &DefinitionVersion) -> bool {
        definition.is_of_instance(
            self.process_definition_key.as_deref(),
            self.process_definition_version.as_deref(),
            self.tenant_id.as_deref(),
        )
    }
}

/// What the rows of one page need besides their instances.
pub struct ProcessRows<'p> {
    /// What running durations are measured against, in milliseconds since 1970; the same on every page of a scroll.
    pub now: i64,
    /// The names that every row has.
    pub variable_names: &'p VariableNames,
    /// How object variables are shown.
    pub object_variables: ObjectVariables,
    /// The zone that dates are converted to; `None` keeps the stored offset.
    pub time_zone: Option<&'p TimeZone>,
    /// What is left out.
    pub restrictions: &'p Restrictions,
    /// Room that is used again for every row.
    pub scratch: (Scratch, PlacedFlowNodes),
}

impl ProcessRows<'_> {
    /// The row of an instance; `names` are those of the flow nodes of its definition.
    pub fn row<'r>(
        &'r mut self,
        instance: &'r ProcessInstance<'r>,
        names: &'r FlowNodeNames,
    ) -> ProcessRow<'r> {
        let now = self.now;
        let (of_variables, of_flow_nodes) = &mut self.scratch;
        let flow_nodes = FlowNodes::of(
            &instance.flow_node_instances.0,
            names,
            |start_date| running_duration(now, start_date),
            of_flow_nodes,
        );
        let duration = instance.duration.0;
        ProcessRow {
            process_definition_key: &instance.process_definition_key,
            process_definition_id: &instance.process_definition_id,
            process_instance_id: &instance.process_instance_id,
            counts: Counts::of(instance),
            business_key: &instance.business_key,
            start_date: RowDate::of(&instance.start_date, self.time_zone),
            end_date: RowDate::of(&instance.end_date, self.time_zone),
            duration: duration.or_else(|| running_duration(now, &instance.start_date)),
            engine_name: instance.data_source.0.first().map(|source| &source.name),
            tenant_id: &instance.tenant_id,
            variables: RowVariables::of(
                &instance.variables.0,
                self.variable_names,
                self.object_variables,
                of_variables,
            ),
            flow_nodes,
            time_zone: self.time_zone,
            restrictions: self.restrictions,
        }
    }
}

/// One process instance as a row. Members are those of its object, in their order.
pub struct ProcessRow<'r> {
    /// `processDefinitionKey`
    pub process_definition_key: &'r Text<'r>,
    /// `processDefinitionId`
    pub process_definition_id: &'r Text<'r>,
    /// `processInstanceId`
    pub process_instance_id: &'r Text<'r>,
    /// `counts`
    pub counts: Counts,
    /// `businessKey`
    pub business_key: &'r Text<'r>,
    /// `startDate`
    pub start_date: RowDate<'r>,
    /// `endDate`
    pub end_date: RowDate<'r>,
    /// `duration` in milliseconds, so far for one that is running.
    pub duration: Option<i64>,
    /// `engineName`; none without a data source.
    pub engine_name: Option<&'r Text<'r>>,
    /// `tenantId`
    pub tenant_id: &'r Text<'r>,
    /// `variables`
    pub variables: RowVariables<'r>,
    flow_nodes: FlowNodes<'r>,
    time_zone: Option<&'r TimeZone>,
    /// What is left out.
    pub restrictions: &'r Restrictions,
}

/// How much of something an instance has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// `incidents`
    pub incidents: usize,
    /// `openIncidents`
    pub open_incidents: usize,
    /// `userTasks`
    pub user_tasks: usize,
}

impl Counts {
    fn of(instance: &ProcessInstance<'_>) -> Self {
        let incidents = &instance.incidents.0;
        let flow_nodes = &instance.flow_node_instances.0;
        let open = incidents
            .iter()
            .filter(|incident| is_open(&incident.incident_status));
        let user_tasks = flow_nodes
            .iter()
            .filter(|node| is_user_task(&node.flow_node_type));
        Self {
            incidents: incidents.len(),
            open_incidents: open.count(),
            user_tasks: user_tasks.count(),
        }
    }
}

/// One passage of a flow node.
pub struct FlowNodeOfRow<'r> {
    /// The id of the passage.
    pub id: &'r Text<'r>,
    /// The name of the flow node in the model.
    pub name: Option<KnownText<'r>>,
    /// Its id, which stands in for a name.
    pub flow_node_id: &'r Text<'r>,
    /// When it began.
    pub start_date: RowDate<'r>,
    /// When it ended.
    pub end_date: RowDate<'r>,
}

impl<'r> ProcessRow<'r> {
    /// `flowNodeDurations`, in the order in which flow nodes got one.
    pub fn flow_node_durations(&self) -> impl Iterator<Item = FlowNodeDuration<'r>> {
        self.flow_nodes.durations()
    }

    /// `flowNodeInstances`, in the order in which they are stored.
    pub fn flow_node_instances(&self) -> impl Iterator<Item = FlowNodeOfRow<'r>> {
        let time_zone = self.time_zone;
        let passages = self.flow_nodes.passages();
        passages.map(move |(instance, name)| FlowNodeOfRow {
            id: &instance.flow_node_instance_id,
            name,
            flow_node_id: &instance.flow_node_id,
            start_date: RowDate::of(&instance.start_date, time_zone),
            end_date: RowDate::of(&instance.end_date, time_zone),
        })
    }
}
