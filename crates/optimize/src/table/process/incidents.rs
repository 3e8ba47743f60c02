//! Incidents, one a row.

use jiff::tz::TimeZone;

use crate::id_enum;
use crate::raw_data::document::{Integer, Many, Text, document};
use crate::table::row::{EachRow, Fixed, Room, date, selected, text};
use crate::table::schema::{ColumnType, Schema, Table};
use crate::table::value::Value;

id_enum! {
    /// The columns.
    enum Field {
        /// Id of the process instance.
        ProcessInstanceId = "processInstanceId",
        /// Id of the incident.
        IncidentId = "incidentId",
        /// What kind of an incident it is.
        IncidentType = "incidentType",
        /// Whether it is open.
        IncidentStatus = "incidentStatus",
        /// Id of the flow node in the model.
        FlowNodeId = "flowNodeId",
        /// When it began.
        CreateTime = "createTime",
        /// When it ended.
        EndTime = "endTime",
        /// How long it took.
        Duration = "duration",
        /// What went wrong.
        Message = "message",
    }
}

impl Field {
    const fn fixed(self) -> Fixed {
        use ColumnType::{Instant, Integer, Text};
        match self {
            Self::ProcessInstanceId => Fixed::nullable(Text, "processInstanceId"),
            Self::IncidentId => Fixed::nullable(Text, "incidents.id"),
            Self::IncidentType => Fixed::nullable(Text, "incidents.incidentType"),
            Self::IncidentStatus => Fixed::nullable(Text, "incidents.incidentStatus"),
            // It has the id of the flow node (crates/optimize/docs/indices.md, "Incidents").
            Self::FlowNodeId => Fixed::nullable(Text, "incidents.activityId"),
            Self::CreateTime => Fixed::nullable(Instant, "incidents.createTime"),
            Self::EndTime => Fixed::nullable(Instant, "incidents.endTime"),
            // An open incident has none yet.
            Self::Duration => Fixed::nullable(Integer, "incidents.durationInMs"),
            Self::Message => Fixed::nullable(Text, "incidents.incidentMessage"),
        }
    }
}

/// The table with all its columns.
pub fn schema() -> Schema {
    let fields = Field::ALL.iter();
    Schema {
        table: Table::Incidents,
        columns: fields
            .map(|field| field.fixed().column(field.id()))
            .collect(),
        primary_key: &["processInstanceId", "incidentId"],
    }
}

document! {
    /// The parts of a stored process instance that the table shows.
    pub struct Instance<'a> {
        process_instance_id: Text<'a> = "processInstanceId",
        incidents: Many<Incident<'a>> = "incidents",
    }
}

document! {
    struct Incident<'a> {
        id: Text<'a> = "id",
        incident_type: Text<'a> = "incidentType",
        incident_status: Text<'a> = "incidentStatus",
        activity_id: Text<'a> = "activityId",
        create_time: Text<'a> = "createTime",
        end_time: Text<'a> = "endTime",
        duration_in_ms: Integer = "durationInMs",
        incident_message: Text<'a> = "incidentMessage",
    }
}

/// Makes rows of incidents.
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

    /// Gives the rows of an instance.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn write<E>(&mut self, instance: &Instance<'_>, each: EachRow<'_, E>) -> Result<(), E> {
        let mut row = self.room.take();
        let mut written = Ok(());
        for incident in &instance.incidents.0 {
            row.clear();
            let fields = self.fields.iter();
            row.extend(fields.map(|field| self.field(*field, instance, incident)));
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
        incident: &'d Incident<'_>,
    ) -> Value<'d> {
        let zone = self.time_zone.as_ref();
        match field {
            Field::ProcessInstanceId => text(&instance.process_instance_id),
            Field::IncidentId => text(&incident.id),
            Field::IncidentType => text(&incident.incident_type),
            Field::IncidentStatus => text(&incident.incident_status),
            Field::FlowNodeId => text(&incident.activity_id),
            Field::CreateTime => date(&incident.create_time, zone),
            Field::EndTime => date(&incident.end_time, zone),
            Field::Duration => Value::integer(incident.duration_in_ms.0),
            Field::Message => text(&incident.incident_message),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::table::row::tests::{read, shown};

    #[test]
    fn an_open_incident_has_no_duration() {
        let document = r#"{"processInstanceId":"i1","incidents":[
            {"id":"n1","incidentType":"failedJob","incidentStatus":"resolved","activityId":"check","createTime":"2024-01-01T00:00:00.000+0000",
             "endTime":"2024-01-01T00:00:01.000+0000","durationInMs":1000,"incidentMessage":"no \"route\"","tenantId":"x"},
            {"id":"n2","incidentStatus":"open","createTime":"2024-01-01T00:00:00.000+0000"}]}"#;
        let mut all = Vec::new();
        let each = &mut |row: &[Value<'_>]| {
            all.push(shown(row));
            Ok::<(), Infallible>(())
        };
        let positions: Vec<usize> = (0..schema().columns.len()).collect();
        let mut rows = Rows::new(None, &positions);
        rows.write(&read(document), each).unwrap();
        assert_eq!(
            all,
            [
                r#""i1" | "n1" | "failedJob" | "resolved" | "check" | 2024-01-01T00:00:00.000+0000=1704067200000 | 2024-01-01T00:00:01.000+0000=1704067201000 | 1000 | "no \"route\"""#,
                r#""i1" | "n2" | - | "open" | - | 2024-01-01T00:00:00.000+0000=1704067200000 | - | - | -"#,
            ]
        );
    }
}
