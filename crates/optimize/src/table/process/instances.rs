//! Process instances, one a row: what Optimize shows of them, with a column for each flow node and each variable.
//!
//! Names with a colon are those of Optimize's own CSV (crates/optimize/docs/raw-data.md, "Columns of the CSV export").

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::access::Restrictions;
use crate::access::columns::{DURATION_PREFIX, VARIABLE_PREFIX};
use crate::followers::Followers;
use crate::id_enum;
use crate::raw_data::document::{Integer, Many, Text, document};
use crate::raw_data::process_row::{DataSource, Incident, is_open, is_user_task, running_duration};
use crate::raw_data::variables::{ObjectVariables, Scratch, VariableNames, java_order};
use crate::table::row::{EachRow, Fixed, Room, count, date, selected, text};
use crate::table::schema::{Column, ColumnType, Schema, Table};
use crate::table::typed::{Rest, StoredVariable, TypedNames};
use crate::table::value::Value;

/// The column of values that have no column, or don't fit it.
pub const REST: &str = "variables:rest";

/// The columns that depend on the instances.
#[derive(Debug, Default)]
pub struct ProcessColumns {
    /// Ids of flow nodes, ordered as names of variables are.
    pub flow_nodes: VariableNames,
    /// Variables.
    pub variables: TypedNames,
}

impl ProcessColumns {
    /// Bytes that they take, roughly.
    pub fn weight(&self) -> usize {
        self.flow_nodes.weight() + self.variables.weight()
    }
}

id_enum! {
    /// The columns that every report has.
    enum Field {
        /// Key of the definition.
        ProcessDefinitionKey = "processDefinitionKey",
        /// Id of the definition.
        ProcessDefinitionId = "processDefinitionId",
        /// Version of the definition.
        ProcessDefinitionVersion = "processDefinitionVersion",
        /// Id of the instance.
        ProcessInstanceId = "processInstanceId",
        /// Business key.
        BusinessKey = "businessKey",
        /// When it began.
        StartDate = "startDate",
        /// When it ended.
        EndDate = "endDate",
        /// How long it took, or has been running.
        Duration = "duration",
        /// State.
        State = "state",
        /// Name of the engine.
        EngineName = "engineName",
        /// Tenant.
        TenantId = "tenantId",
        /// Number of incidents.
        Incidents = "count:incidents",
        /// Number of open incidents.
        OpenIncidents = "count:openIncidents",
        /// Number of user tasks.
        UserTasks = "count:userTasks",
    }
}

impl Field {
    const fn fixed(self) -> Fixed {
        use ColumnType::{Instant, Integer, Text};
        match self {
            Self::ProcessDefinitionKey => Fixed::nullable(Text, "processDefinitionKey"),
            Self::ProcessDefinitionId => Fixed::nullable(Text, "processDefinitionId"),
            Self::ProcessDefinitionVersion => Fixed::nullable(Text, "processDefinitionVersion"),
            Self::ProcessInstanceId => Fixed::nullable(Text, "processInstanceId"),
            Self::BusinessKey => Fixed::nullable(Text, "businessKey"),
            Self::StartDate => Fixed::nullable(Instant, "startDate"),
            Self::EndDate => Fixed::nullable(Instant, "endDate"),
            Self::Duration => Fixed::nullable(
                Integer,
                "duration, or the time since startDate while it runs",
            ),
            Self::State => Fixed::nullable(Text, "state"),
            Self::EngineName => Fixed::nullable(Text, "dataSource.name"),
            Self::TenantId => Fixed::nullable(Text, "tenantId"),
            Self::Incidents => Fixed::required(Integer, "number of incidents"),
            Self::OpenIncidents => {
                Fixed::required(Integer, "number of incidents whose incidentStatus is open")
            }
            Self::UserTasks => Fixed::required(
                Integer,
                "number of flowNodeInstances whose flowNodeType is userTask",
            ),
        }
    }
}

/// What stands in a column.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Field(Field),
    FlowNode(usize),
    Variable(usize),
    Rest,
}

/// All columns, in the order of [`schema`].
fn cells(columns: &ProcessColumns) -> Vec<Cell> {
    let flow_nodes = 0..columns.flow_nodes.as_slice().len();
    let variables = 0..columns.variables.names().as_slice().len();
    (Field::ALL.iter().copied().map(Cell::Field))
        .chain(flow_nodes.map(Cell::FlowNode))
        .chain(variables.map(Cell::Variable))
        .chain([Cell::Rest])
        .collect()
}

/// The table with all its columns.
pub fn schema(columns: &ProcessColumns) -> Schema {
    let fields = Field::ALL
        .iter()
        .map(|field| field.fixed().column(field.id()));
    let flow_nodes = columns.flow_nodes.as_slice().iter().map(|id| {
        Column::nullable(
            format!("{DURATION_PREFIX}{id}"),
            ColumnType::Integer,
            "sum of flowNodeInstances.totalDurationInMs, or of the time since startDate while it runs",
        )
    });
    let variables = columns.variables.iter().map(|(name, column_type)| {
        Column::nullable(
            format!("{VARIABLE_PREFIX}{name}"),
            column_type,
            "variables.value",
        )
    });
    let rest = Column::nullable(
        REST,
        ColumnType::Text,
        "variables.value of those that have no column or don't fit it, as JSON",
    );
    Schema {
        table: Table::Instances,
        columns: fields
            .chain(flow_nodes)
            .chain(variables)
            .chain([rest])
            .collect(),
        primary_key: &["processInstanceId"],
    }
}

document! {
    /// The parts of a stored process instance that the table shows.
    pub struct Instance<'a> {
        process_definition_key: Text<'a> = "processDefinitionKey",
        process_definition_id: Text<'a> = "processDefinitionId",
        process_definition_version: Text<'a> = "processDefinitionVersion",
        process_instance_id: Text<'a> = "processInstanceId",
        business_key: Text<'a> = "businessKey",
        start_date: Text<'a> = "startDate",
        end_date: Text<'a> = "endDate",
        duration: Integer = "duration",
        state: Text<'a> = "state",
        data_source: Many<DataSource<'a>> = "dataSource",
        tenant_id: Text<'a> = "tenantId",
        variables: Many<StoredVariable<'a>> = "variables",
        flow_node_instances: Many<FlowNode<'a>> = "flowNodeInstances",
        incidents: Many<Incident<'a>> = "incidents",
    }
}

document! {
    struct FlowNode<'a> {
        flow_node_id: Text<'a> = "flowNodeId",
        flow_node_type: Text<'a> = "flowNodeType",
        start_date: Text<'a> = "startDate",
        total_duration_in_ms: Integer = "totalDurationInMs",
    }
}

impl Instance<'_> {
    /// Takes out variables that somebody may not see.
    pub fn leave_out(&mut self, restrictions: &Restrictions) {
        let variables = &mut self.variables.0;
        restrictions.take_out(VARIABLE_PREFIX, variables, |variable| {
            variable.name.as_deref()
        });
    }
}

/// How instances are shown.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What running durations are measured against, in milliseconds since 1970; the same in every row.
    pub now: i64,
    /// The zone that dates are converted to; `None` keeps the stored offset.
    pub time_zone: Option<TimeZone>,
    /// How object variables are shown.
    pub object_variables: ObjectVariables,
    /// Whether a list stands as text in its column, as csv has it, and not in the rest.
    pub lists_are_joined: bool,
}

/// Makes rows of process instances.
#[derive(Debug)]
pub struct Rows {
    settings: Settings,
    columns: Arc<ProcessColumns>,
    cells: Vec<Cell>,
    /// Where the rest stands, if it was selected.
    rest_at: Option<usize>,
    /// Variables whose columns were not selected: the rest has what does not fit them all the same.
    not_selected: Vec<usize>,
    needs_durations: bool,
    needs_variables: bool,
    /// Room that is used again for every row.
    room: Room,
    scratch: Scratch,
    durations: Vec<Option<i64>>,
    /// Which flow node comes after which.
    followers: Followers,
    /// The variables that don't fit their columns.
    misfits: Vec<usize>,
}

impl Rows {
    /// Rows of the columns at these positions of [`schema`].
    pub fn new(settings: Settings, columns: Arc<ProcessColumns>, positions: &[usize]) -> Self {
        let cells = selected(&cells(&columns), positions);
        let rest_at = cells.iter().position(|cell| matches!(cell, Cell::Rest));
        let mut is_selected = vec![false; columns.variables.names().as_slice().len()];
        for cell in &cells {
            if let Cell::Variable(position) = cell
                && let Some(flag) = is_selected.get_mut(*position)
            {
                *flag = true;
            }
        }
        let flags = is_selected.iter().enumerate();
        let not_selected = flags
            .filter(|(_, flag)| !**flag)
            .map(|(at, _)| at)
            .collect();
        Self {
            needs_durations: cells.iter().any(|cell| matches!(cell, Cell::FlowNode(_))),
            needs_variables: rest_at.is_some() || is_selected.contains(&true),
            settings,
            columns,
            cells,
            rest_at,
            not_selected,
            room: Room::default(),
            scratch: Scratch::default(),
            durations: Vec::new(),
            followers: Followers::default(),
            misfits: Vec::new(),
        }
    }

    /// Gives the row of an instance.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn write<E>(&mut self, instance: &Instance<'_>, each: EachRow<'_, E>) -> Result<(), E> {
        if self.needs_durations {
            self.sum_durations_up(&instance.flow_node_instances.0);
        }
        let variables = &instance.variables.0;
        if self.needs_variables {
            let of_row = variables.iter().map(|variable| variable.name.as_deref());
            let names = self.columns.variables.names();
            self.scratch
                .place(names, of_row, |at| name_of(variables, at));
        }
        self.misfits.clear();
        let mut row = self.room.take();
        for index in 0..self.cells.len() {
            let Some(cell) = self.cells.get(index) else {
                break;
            };
            row.push(match *cell {
                Cell::Field(field) => self.field(field, instance),
                Cell::FlowNode(at) => Value::integer(self.durations.get(at).copied().flatten()),
                Cell::Variable(at) => self.variable(at, variables),
                // It is known when all variables are.
                Cell::Rest => Value::Null,
            });
        }
        if let Some(rest) = self.rest_at.and_then(|at| row.get_mut(at)) {
            *rest = self.rest(variables);
        }
        let written = each(&row);
        self.room.give_back(row);
        written
    }

    fn field<'d>(&self, field: Field, instance: &'d Instance<'_>) -> Value<'d> {
        let zone = self.settings.time_zone.as_ref();
        match field {
            Field::ProcessDefinitionKey => text(&instance.process_definition_key),
            Field::ProcessDefinitionId => text(&instance.process_definition_id),
            Field::ProcessDefinitionVersion => text(&instance.process_definition_version),
            Field::ProcessInstanceId => text(&instance.process_instance_id),
            Field::BusinessKey => text(&instance.business_key),
            Field::StartDate => date(&instance.start_date, zone),
            Field::EndDate => date(&instance.end_date, zone),
            Field::Duration => {
                let so_far = || running_duration(self.settings.now, &instance.start_date);
                Value::integer(instance.duration.0.or_else(so_far))
            }
            Field::State => text(&instance.state),
            Field::EngineName => {
                let source = instance.data_source.0.first();
                source.map_or(Value::Null, |source| text(&source.name))
            }
            Field::TenantId => text(&instance.tenant_id),
            Field::Incidents => count(instance.incidents.0.len()),
            Field::OpenIncidents => {
                let incidents = instance.incidents.0.iter();
                count(incidents.filter(|i| is_open(&i.incident_status)).count())
            }
            Field::UserTasks => {
                let flow_nodes = instance.flow_node_instances.0.iter();
                count(
                    flow_nodes
                        .filter(|f| is_user_task(&f.flow_node_type))
                        .count(),
                )
            }
        }
    }

    /// Sums up as the rows of raw data do: what is running counts with its duration so far, what has no dates does not
    /// count.
    fn sum_durations_up(&mut self, flow_nodes: &[FlowNode<'_>]) {
        self.durations.clear();
        let ids = &self.columns.flow_nodes;
        self.durations.resize(ids.as_slice().len(), None);
        self.followers.begin_row();
        for flow_node in flow_nodes {
            let so_far = || running_duration(self.settings.now, &flow_node.start_date);
            let duration = flow_node.total_duration_in_ms.0.or_else(so_far);
            let (Some(id), Some(duration)) = (flow_node.flow_node_id.as_deref(), duration) else {
                continue;
            };
            let position = ids.position(id, &mut self.followers);
            if let Some(sum) = position.and_then(|at| self.durations.get_mut(at)) {
                *sum = Some(sum.unwrap_or(0).saturating_add(duration));
            }
        }
    }

    /// The value of the variable at a position, if it fits its column.
    fn variable<'d>(&mut self, position: usize, variables: &'d [StoredVariable<'_>]) -> Value<'d> {
        let Some(index) = self.scratch.at(position) else {
            return Value::Null;
        };
        let Some(variable) = variables.get(index) else {
            return Value::Null;
        };
        let cell = variable.cell(
            self.columns.variables.column_type(position),
            self.settings.object_variables,
            self.settings.lists_are_joined,
        );
        if cell.is_none() {
            self.misfits.push(index);
        }
        cell.unwrap_or(Value::Null)
    }

    /// What has no column or does not fit it, by name.
    fn rest(&mut self, variables: &[StoredVariable<'_>]) -> Value<'static> {
        for number in 0..self.not_selected.len() {
            if let Some(position) = self.not_selected.get(number) {
                self.variable(*position, variables);
            }
        }
        if self.misfits.is_empty() && self.scratch.others().is_empty() {
            return Value::Null;
        }
        self.misfits.extend(self.scratch.others());
        (self.misfits).sort_by(|a, b| java_order(name_of(variables, *a), name_of(variables, *b)));
        let mut rest = Rest::default();
        for variable in self.misfits.iter().filter_map(|at| variables.get(*at)) {
            let out = rest.member(variable.name.as_deref().unwrap_or_default());
            match variable.placeholder(self.settings.object_variables) {
                Some(placeholder) => out.string(placeholder),
                None => variable.value.write(out),
            }
        }
        rest.into_value()
    }
}

fn name_of<'d>(variables: &'d [StoredVariable<'_>], index: usize) -> &'d str {
    let variable = variables.get(index);
    (variable.and_then(|variable| variable.name.as_deref())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::raw_data::dates;
    use crate::table::row::tests::{read, shown};

    fn columns(flow_nodes: &[&str], variables: &[(&str, &str)]) -> Arc<ProcessColumns> {
        let owned = |(name, of): &(&str, &str)| (String::from(*name), Some(String::from(*of)));
        Arc::new(ProcessColumns {
            flow_nodes: VariableNames::new(flow_nodes.iter().map(ToString::to_string).collect()),
            variables: TypedNames::new(variables.iter().map(owned)),
        })
    }

    fn settings() -> Settings {
        Settings {
            now: dates::epoch_millis("2024-01-01T12:00:00.000+0000").unwrap(),
            ..Settings::default()
        }
    }

    /// The row of a document, of the columns with these names.
    fn row(
        settings: Settings,
        columns: &Arc<ProcessColumns>,
        names: &[&str],
        document: &str,
    ) -> String {
        let schema = schema(columns);
        let position = |name: &&str| schema.columns.iter().position(|c| c.name == *name).unwrap();
        let positions: Vec<usize> = names.iter().map(position).collect();
        let mut rows = Rows::new(settings, Arc::clone(columns), &positions);
        let instance: Instance<'_> = read(document);
        let mut all = Vec::new();
        // The same room twice: nothing of a row may show in the next.
        for _ in 0..2 {
            let each = &mut |row: &[Value<'_>]| {
                all.push(shown(row));
                Ok::<(), Infallible>(())
            };
            rows.write(&instance, each).unwrap();
        }
        assert_eq!(all[0], all[1]);
        all.swap_remove(0)
    }

    #[test]
    fn the_columns_are_those_of_every_report_then_flow_nodes_variables_and_the_rest() {
        let columns = columns(
            &["b", "a"],
            &[("z", "Long"), ("A", "Date"), ("rest", "String")],
        );
        let schema = schema(&columns);
        let names: Vec<&str> = schema.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            names.join(" "),
            "processDefinitionKey processDefinitionId processDefinitionVersion processInstanceId businessKey \
             startDate endDate duration state engineName tenantId count:incidents count:openIncidents count:userTasks \
             dur:a dur:b variable:A variable:rest variable:z variables:rest"
        );
        assert_eq!(schema.columns[16].column_type, ColumnType::Instant);
        assert!(!schema.columns[11].is_nullable && schema.columns[3].is_nullable);
        assert_eq!(schema.columns.len(), cells(&columns).len());
    }

    #[test]
    fn every_field_in_its_order() {
        // "check" ran twice: 1,000 ms once, and since 11:59:58, which is 2,000 ms before now.
        let document = r#"{"processDefinitionKey":"order","processDefinitionVersion":"2","processDefinitionId":"order:2:7",
            "processInstanceId":"i1","businessKey":"B-1","startDate":"2024-01-01T13:00:00.000+0100","endDate":null,"duration":null,
            "state":"ACTIVE","dataSource":{"type":"engine","name":"camunda-bpm"},"tenantId":"acme",
            "variables":[{"name":"a","type":"Double","value":["1.5"]}],
            "incidents":[{"incidentStatus":"OPEN"},{"incidentStatus":"resolved"}],
            "flowNodeInstances":[
              {"flowNodeId":"start","flowNodeType":"startEvent","startDate":"2024-01-01T13:00:00.000+0100","totalDurationInMs":0},
              {"flowNodeId":"check","flowNodeType":"userTask","totalDurationInMs":1000},
              {"flowNodeId":"check","flowNodeType":"userTask","startDate":"2024-01-01T11:59:58.000+0000"},
              {"flowNodeId":"later","totalDurationInMs":5},
              {"flowNodeId":"gateway","flowNodeType":"exclusiveGateway"}]}"#;
        let columns = columns(
            &["start", "check", "gateway", "not passed"],
            &[("a", "Double")],
        );
        let schema = schema(&columns);
        let names: Vec<&str> = schema.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(
            row(settings(), &columns, &names, document),
            "\"order\" | \"order:2:7\" | \"2\" | \"i1\" | \"B-1\" | 2024-01-01T13:00:00.000+0100=1704110400000 | - | 0 | \
             \"ACTIVE\" | \"camunda-bpm\" | \"acme\" | 2 | 1 | 2 | 3000 | - | - | 0 | 1.5 | -"
        );
        assert_eq!(
            row(settings(), &columns, &names, "{}"),
            "- | - | - | - | - | - | - | - | - | - | - | 0 | 0 | 0 | - | - | - | - | - | -"
        );
    }

    #[test]
    fn dates_are_in_the_zone_asked_for_but_variables_are_as_they_are_stored() {
        let zoned = Settings {
            time_zone: Some(TimeZone::get("Europe/Berlin").unwrap()),
            ..settings()
        };
        let document = r#"{"startDate":"2024-01-01T00:00:00.000+0000","endDate":"soon",
            "variables":[{"name":"d","type":"Date","value":["2024-01-01T00:00:00.000Z"]}]}"#;
        let columns = columns(&[], &[("d", "Date")]);
        assert_eq!(
            row(
                zoned,
                &columns,
                &["endDate", "startDate", "variable:d"],
                document
            ),
            "soon=? | 2024-01-01T01:00:00.000+0100=1704067200000 | 2024-01-01T00:00:00.000Z=1704067200000"
        );
    }

    const ODD: &str = r#"{"variables":[
        {"name":"new","type":"Long","value":["1"]},
        {"name":"number","type":"String","value":["7"]},
        {"name":"list","type":"String","value":["x", "y",null]},
        {"name":null,"value":["nobody's"]},
        {"name":"number","type":"String","value":["abc"]},
        {"name":"object","type":"Object","value":["{\"a\":1}"]},
        {"name":"empty","type":"String","value":[]},
        {"name":"a new one","value":null},
        {"name":"new","type":"Long","value":["2"]}]}"#;

    fn odd_columns() -> Arc<ProcessColumns> {
        columns(
            &[],
            &[
                ("number", "Long"),
                ("list", "Integer"),
                ("object", "Object"),
                ("empty", "String"),
            ],
        )
    }

    #[test]
    fn what_does_not_fit_or_has_no_column_is_in_the_rest() {
        let rest = r#"json {"a new one":null,"list":["x", "y",null],"new":["2"],"number":["abc"]}"#;
        let names = [
            "variable:number",
            "variables:rest",
            "variable:list",
            "variable:object",
            "variable:empty",
        ];
        assert_eq!(
            row(settings(), &odd_columns(), &names, ODD),
            format!(r#"- | {rest} | - | "{{\"a\":1}}" | -"#)
        );
        // It does not depend on what else was selected.
        assert_eq!(
            row(settings(), &odd_columns(), &["variables:rest"], ODD),
            rest
        );
        assert_eq!(
            row(settings(), &odd_columns(), &["variable:number"], ODD),
            "-"
        );
    }

    #[test]
    fn csv_has_a_list_as_text_and_not_in_the_rest() {
        let joined = Settings {
            lists_are_joined: true,
            ..settings()
        };
        assert_eq!(
            row(
                joined,
                &odd_columns(),
                &["variable:list", "variables:rest"],
                ODD
            ),
            r#""x, y, null" | json {"a new one":null,"new":["2"],"number":["abc"]}"#
        );
    }

    #[test]
    fn objects_are_hidden_where_the_operator_wants_that() {
        let hidden = Settings {
            object_variables: ObjectVariables::Placeholder,
            ..settings()
        };
        let document = r#"{"variables":[{"name":"object","type":"object","value":["secret"]},
            {"name":"number","type":"Object","value":["secret"]},{"name":"x","type":"OBJECT","value":["secret"]}]}"#;
        assert_eq!(
            row(
                hidden,
                &odd_columns(),
                &["variable:object", "variable:number", "variables:rest"],
                document
            ),
            r#""<<OBJECT_VARIABLE_VALUE>>" | - | json {"number":"<<OBJECT_VARIABLE_VALUE>>","x":"<<OBJECT_VARIABLE_VALUE>>"}"#
        );
    }

    #[test]
    fn an_error_of_the_reader_ends_it() {
        let mut rows = Rows::new(settings(), columns(&[], &[]), &[3]);
        assert_eq!(rows.write(&read("{}"), &mut |_| Err("full")), Err("full"));
    }
}
