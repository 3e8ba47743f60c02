//! Flow node instances, one a row: an event log as it is.
//!
//! A running flow node has no duration here: a log holds what happened, and what is read twice should be the same.

use jiff::tz::TimeZone;

use crate::definitions::{DefinitionVersion, FlowNodeNames};
use crate::id_enum;
use crate::raw_data::document::{Integer, Many, Text, Values, document};
use crate::table::row::{EachRow, Fixed, Room, boolean, date, selected, text};
use crate::table::schema::{ColumnType, Schema, Table};
use crate::table::value::Value;

id_enum! {
    /// The columns.
    enum Field {
        /// Id of the process instance.
        ProcessInstanceId = "processInstanceId",
        /// Key of its definition.
        ProcessDefinitionKey = "processDefinitionKey",
        /// Version of its definition.
        ProcessDefinitionVersion = "processDefinitionVersion",
        /// Its tenant.
        TenantId = "tenantId",
        /// Id of the flow node instance.
        FlowNodeInstanceId = "flowNodeInstanceId",
        /// Id of the flow node in the model.
        FlowNodeId = "flowNodeId",
        /// Name of the flow node in the model.
        FlowNodeName = "flowNodeName",
        /// Type of the flow node, as the engine calls it.
        FlowNodeType = "flowNodeType",
        /// When it began.
        StartDate = "startDate",
        /// When it ended.
        EndDate = "endDate",
        /// How long it took.
        Duration = "duration",
        /// How long a user task was claimed.
        WorkDuration = "workDuration",
        /// How long a user task was not.
        IdleDuration = "idleDuration",
        /// Whether it was canceled.
        Canceled = "canceled",
        /// Id of the user task.
        UserTaskInstanceId = "userTaskInstanceId",
        /// Who has the user task.
        Assignee = "assignee",
        /// Who may have it.
        CandidateGroups = "candidateGroups",
        /// When it should end.
        DueDate = "dueDate",
    }
}

impl Field {
    const fn fixed(self) -> Fixed {
        use ColumnType::{Boolean, Instant, Integer, List, Text};
        match self {
            Self::ProcessInstanceId => Fixed::nullable(Text, "processInstanceId"),
            Self::ProcessDefinitionKey => Fixed::nullable(Text, "processDefinitionKey"),
            Self::ProcessDefinitionVersion => Fixed::nullable(Text, "processDefinitionVersion"),
            Self::TenantId => Fixed::nullable(Text, "tenantId"),
            Self::FlowNodeInstanceId => {
                Fixed::nullable(Text, "flowNodeInstances.flowNodeInstanceId")
            }
            Self::FlowNodeId => Fixed::nullable(Text, "flowNodeInstances.flowNodeId"),
            Self::FlowNodeName => Fixed::nullable(Text, "name in the definition's flowNodeData"),
            Self::FlowNodeType => Fixed::nullable(Text, "flowNodeInstances.flowNodeType"),
            Self::StartDate => Fixed::nullable(Instant, "flowNodeInstances.startDate"),
            Self::EndDate => Fixed::nullable(Instant, "flowNodeInstances.endDate"),
            Self::Duration => Fixed::nullable(Integer, "flowNodeInstances.totalDurationInMs"),
            Self::WorkDuration => Fixed::nullable(Integer, "flowNodeInstances.workDurationInMs"),
            Self::IdleDuration => Fixed::nullable(Integer, "flowNodeInstances.idleDurationInMs"),
            Self::Canceled => Fixed::nullable(Boolean, "flowNodeInstances.canceled"),
            Self::UserTaskInstanceId => {
                Fixed::nullable(Text, "flowNodeInstances.userTaskInstanceId")
            }
            Self::Assignee => Fixed::nullable(Text, "flowNodeInstances.assignee"),
            // No candidate groups are an empty list.
            Self::CandidateGroups => Fixed::required(List, "flowNodeInstances.candidateGroups"),
            Self::DueDate => Fixed::nullable(Instant, "flowNodeInstances.dueDate"),
        }
    }
}

/// The table with all its columns.
pub fn schema() -> Schema {
    let fields = Field::ALL.iter();
    Schema {
        table: Table::FlowNodes,
        columns: fields
            .map(|field| field.fixed().column(field.id()))
            .collect(),
        primary_key: &["processInstanceId", "flowNodeInstanceId"],
    }
}

document! {
    /// The parts of a stored process instance that the table shows.
    pub struct Instance<'a> {
        process_instance_id: Text<'a> = "processInstanceId",
        process_definition_key: Text<'a> = "processDefinitionKey",
        process_definition_version: Text<'a> = "processDefinitionVersion",
        tenant_id: Text<'a> = "tenantId",
        flow_node_instances: Many<FlowNode<'a>> = "flowNodeInstances",
    }
}

document! {
    struct FlowNode<'a> {
        flow_node_instance_id: Text<'a> = "flowNodeInstanceId",
        flow_node_id: Text<'a> = "flowNodeId",
        flow_node_type: Text<'a> = "flowNodeType",
        start_date: Text<'a> = "startDate",
        end_date: Text<'a> = "endDate",
        total_duration_in_ms: Integer = "totalDurationInMs",
        work_duration_in_ms: Integer = "workDurationInMs",
        idle_duration_in_ms: Integer = "idleDurationInMs",
        canceled: Text<'a> = "canceled",
        user_task_instance_id: Text<'a> = "userTaskInstanceId",
        assignee: Text<'a> = "assignee",
        candidate_groups: Values<'a> = "candidateGroups",
        due_date: Text<'a> = "dueDate",
    }
}

impl Instance<'_> {
    /// The definition whose flow node names the rows show; `None` for an instance whose definition data were not
    /// imported yet.
    pub fn definition(&self) -> Option<DefinitionVersion> {
        DefinitionVersion::of_instance(
            self.process_definition_key.as_deref(),
            self.process_definition_version.as_deref(),
            self.tenant_id.as_deref(),
        )
    }

    /// Whether [`Instance::definition`] would give this one, without making it.
    pub fn is_of(&self, definition: &DefinitionVersion) -> bool {
        definition.is_of_instance(
            self.process_definition_key.as_deref(),
            self.process_definition_version.as_deref(),
            self.tenant_id.as_deref(),
        )
    }
}

/// Makes rows of flow node instances.
#[derive(Debug)]
pub struct Rows {
    time_zone: Option<TimeZone>,
    fields: Vec<Field>,
    room: Room,
}

impl Rows {
    /// Rows of the columns at these positions of [`schema`], with dates in a zone; `None` keeps the stored offset.
    pub fn new(time_zone: Option<TimeZone>, positions: &[usize]) -> Self {
        Self {
            time_zone,
            fields: selected(Field::ALL, positions),
            room: Room::default(),
        }
    }

    /// Whether the rows show names of flow nodes.
    pub fn needs_names(&self) -> bool {
        self.fields.contains(&Field::FlowNodeName)
    }

    /// Gives the rows of an instance.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn write<E>(
        &mut self,
        instance: &Instance<'_>,
        names: &FlowNodeNames,
        each: EachRow<'_, E>,
    ) -> Result<(), E> {
        let mut row = self.room.take();
        let mut written = Ok(());
        for flow_node in &instance.flow_node_instances.0 {
            row.clear();
            let fields = self.fields.iter();
            row.extend(fields.map(|field| self.field(*field, instance, flow_node, names)));
            written = each(&row);
            if written.is_err() {
                break;
            }
        }
        self.room.give_back(row);
        written
    }

    fn field<'d>(
        &self,
        field: Field,
        instance: &'d Instance<'_>,
        flow_node: &'d FlowNode<'_>,
        names: &'d FlowNodeNames,
    ) -> Value<'d> {
        let zone = self.time_zone.as_ref();
        match field {
            Field::ProcessInstanceId => text(&instance.process_instance_id),
            Field::ProcessDefinitionKey => text(&instance.process_definition_key),
            Field::ProcessDefinitionVersion => text(&instance.process_definition_version),
            Field::TenantId => text(&instance.tenant_id),
            Field::FlowNodeInstanceId => text(&flow_node.flow_node_instance_id),
            Field::FlowNodeId => text(&flow_node.flow_node_id),
            Field::FlowNodeName => {
                let id = flow_node.flow_node_id.as_deref();
                Value::text(id.and_then(|id| names.name_of(id)))
            }
            Field::FlowNodeType => text(&flow_node.flow_node_type),
            Field::StartDate => date(&flow_node.start_date, zone),
            Field::EndDate => date(&flow_node.end_date, zone),
            Field::Duration => Value::integer(flow_node.total_duration_in_ms.0),
            Field::WorkDuration => Value::integer(flow_node.work_duration_in_ms.0),
            Field::IdleDuration => Value::integer(flow_node.idle_duration_in_ms.0),
            Field::Canceled => boolean(&flow_node.canceled),
            Field::UserTaskInstanceId => text(&flow_node.user_task_instance_id),
            Field::Assignee => text(&flow_node.assignee),
            Field::CandidateGroups => {
                let groups = flow_node.candidate_groups.as_slice().unwrap_or_default();
                let groups = groups.iter().filter_map(Text::as_deref);
                Value::List(groups.map(Into::into).collect())
            }
            Field::DueDate => date(&flow_node.due_date, zone),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::table::row::tests::{read, shown};

    const DOCUMENT: &str = r#"{"processInstanceId":"i1","processDefinitionKey":"order","processDefinitionVersion":"2","tenantId":null,
        "flowNodeInstances":[
          {"flowNodeInstanceId":"f1","flowNodeId":"check","flowNodeType":"userTask","startDate":"2024-01-01T00:00:00.000+0000",
           "endDate":"2024-01-01T00:00:01.000+0000","totalDurationInMs":1000,"workDurationInMs":600,"idleDurationInMs":400,
           "canceled":false,"userTaskInstanceId":"u1","assignee":"mary","candidateGroups":["sales",null,"it"],
           "dueDate":"2024-01-02T00:00:00.000+0000","definitionVersion":"9"},
          {"flowNodeInstanceId":"f2","flowNodeId":"unnamed","startDate":"2024-01-01T00:00:01.000+0000","canceled":true,"candidateGroups":"one"},
          {}]}"#;

    fn rows(document: &str, positions: &[usize], zone: Option<TimeZone>) -> Vec<String> {
        let names = FlowNodeNames::from([
            ("check".to_owned(), Some("Check order".to_owned())),
            ("unnamed".to_owned(), None),
        ]);
        let mut all = Vec::new();
        let each = &mut |row: &[Value<'_>]| {
            all.push(shown(row));
            Ok::<(), Infallible>(())
        };
        let mut rows = Rows::new(zone, positions);
        rows.write(&read(document), &names, each).unwrap();
        all
    }

    #[test]
    fn an_event_log_has_what_happened() {
        let all: Vec<usize> = (0..schema().columns.len()).collect();
        assert_eq!(
            rows(DOCUMENT, &all, None),
            [
                r#""i1" | "order" | "2" | - | "f1" | "check" | "Check order" | "userTask" | 2024-01-01T00:00:00.000+0000=1704067200000 | 2024-01-01T00:00:01.000+0000=1704067201000 | 1000 | 600 | 400 | false | "u1" | "mary" | ["sales", "it"] | 2024-01-02T00:00:00.000+0000=1704153600000"#,
                r#""i1" | "order" | "2" | - | "f2" | "unnamed" | - | - | 2024-01-01T00:00:01.000+0000=1704067201000 | - | - | - | - | true | - | - | ["one"] | -"#,
                r#""i1" | "order" | "2" | - | - | - | - | - | - | - | - | - | - | - | - | - | [] | -"#,
            ]
        );
    }

    #[test]
    fn the_selected_columns_come_in_their_order_and_dates_in_their_zone() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        assert_eq!(
            rows(DOCUMENT, &[9, 4], Some(berlin)),
            [
                r#"2024-01-01T01:00:01.000+0100=1704067201000 | "f1""#,
                r#"- | "f2""#,
                "- | -"
            ]
        );
    }

    #[test]
    fn an_instance_without_flow_nodes_has_no_rows() {
        // Nor has one of an old release, which kept them elsewhere: rows of raw data don't show those either.
        for document in [
            "{}",
            r#"{"events":[{"activityId":"a"}],"userTasks":[{"id":"b"}]}"#,
        ] {
            assert!(rows(document, &[0], None).is_empty());
        }
    }

    #[test]
    fn names_are_of_the_instances_own_definition() {
        let instance: Instance<'_> = read(DOCUMENT);
        let definition = instance.definition().unwrap();
        assert_eq!(
            (definition.key.as_str(), definition.version.as_str()),
            ("order", "2")
        );
        assert!(instance.is_of(&definition));
        let other: Instance<'_> = read(r#"{"processDefinitionKey":"order"}"#);
        assert!(other.definition().is_none() && !other.is_of(&definition));
        assert!(Rows::new(None, &[6]).needs_names());
        assert!(!Rows::new(None, &[5]).needs_names());
    }
}
