//! Decision instances, one a row, with a column for each input and each output.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::access::Restrictions;
use crate::access::columns::{INPUT_PREFIX, OUTPUT_PREFIX};
use crate::definitions::clauses::{Clauses, DecisionClauses};
use crate::followers::Followers;
use crate::id_enum;
use crate::raw_data::document::{Many, Text, document};
use crate::raw_data::variables::{Scratch, java_order};
use crate::table::process::instances::REST;
use crate::table::row::{EachRow, Fixed, Room, date, selected, text};
use crate::table::schema::{Column, ColumnType, Schema, Table};
use crate::table::typed::{Occurrence, Rest, StoredValue, TypedNames, joined};
use crate::table::value::Value;

/// The columns that depend on the definition and on the instances.
#[derive(Debug, Default)]
pub struct DecisionColumns {
    /// Ids of inputs.
    pub inputs: TypedNames,
    /// Ids of outputs.
    pub outputs: TypedNames,
}

impl DecisionColumns {
    /// The clauses of the definition, and those that occur in instances. What occurs decides about types; the definition
    /// only about the type of a clause that has no values yet.
    pub fn new(known: &DecisionClauses, inputs: Vec<Occurrence>, outputs: Vec<Occurrence>) -> Self {
        Self {
            inputs: union(&known.inputs, inputs),
            outputs: union(&known.outputs, outputs),
        }
    }

    /// Bytes that they take, roughly.
    pub fn weight(&self) -> usize {
        self.inputs.weight() + self.outputs.weight()
    }
}

fn union(known: &Clauses, occurring: Vec<Occurrence>) -> TypedNames {
    let found: HashSet<&str> = occurring.iter().map(|(id, _)| id.as_str()).collect();
    let others: Vec<Occurrence> = (known.as_slice().iter())
        .filter(|clause| !found.contains(clause.id.as_str()))
        .map(|clause| (clause.id.clone(), clause.variable_type.clone()))
        .collect();
    TypedNames::new(occurring.into_iter().chain(others))
}

id_enum! {
    /// The columns that every report has.
    enum Field {
        /// Key of the definition.
        DecisionDefinitionKey = "decisionDefinitionKey",
        /// Id of the definition.
        DecisionDefinitionId = "decisionDefinitionId",
        /// Id of the instance.
        DecisionInstanceId = "decisionInstanceId",
        /// Id of the process instance that asked for it.
        ProcessInstanceId = "processInstanceId",
        /// When it was evaluated.
        EvaluationDateTime = "evaluationDateTime",
        /// Name of the engine.
        EngineName = "engineName",
        /// Tenant.
        TenantId = "tenantId",
    }
}

impl Field {
    const fn fixed(self) -> Fixed {
        use ColumnType::{Instant, Text};
        match self {
            Self::DecisionDefinitionKey => Fixed::nullable(Text, "decisionDefinitionKey"),
            Self::DecisionDefinitionId => Fixed::nullable(Text, "decisionDefinitionId"),
            Self::DecisionInstanceId => Fixed::nullable(Text, "decisionInstanceId"),
            Self::ProcessInstanceId => Fixed::nullable(Text, "processInstanceId"),
            Self::EvaluationDateTime => Fixed::nullable(Instant, "evaluationDateTime"),
            Self::EngineName => Fixed::nullable(Text, "engine"),
            Self::TenantId => Fixed::nullable(Text, "tenantId"),
        }
    }
}

/// What stands in a column.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Field(Field),
    Input(usize),
    Output(usize),
    Rest,
}

/// All columns, in the order of [`schema`].
fn cells(columns: &DecisionColumns) -> Vec<Cell> {
    let inputs = 0..columns.inputs.names().as_slice().len();
    let outputs = 0..columns.outputs.names().as_slice().len();
    (Field::ALL.iter().copied().map(Cell::Field))
        .chain(inputs.map(Cell::Input))
        .chain(outputs.map(Cell::Output))
        .chain([Cell::Rest])
        .collect()
}

/// The table with all its columns.
pub fn schema(columns: &DecisionColumns) -> Schema {
    let fields = Field::ALL
        .iter()
        .map(|field| field.fixed().column(field.id()));
    let clause = |prefix: &'static str, source: &'static str| {
        move |(id, column_type): (&str, ColumnType)| {
            Column::nullable(format!("{prefix}{id}"), column_type, source)
        }
    };
    let inputs = (columns.inputs.iter()).map(clause(INPUT_PREFIX, "inputs.value"));
    let outputs = (columns.outputs.iter()).map(clause(OUTPUT_PREFIX, "outputs.value"));
    let rest = Column::nullable(
        REST,
        ColumnType::Text,
        "inputs.value and outputs.value of those that have no column or don't fit it, as JSON",
    );
    Schema {
        table: Table::Instances,
        columns: fields.chain(inputs).chain(outputs).chain([rest]).collect(),
        primary_key: &["decisionInstanceId"],
    }
}

document! {
    /// The parts of a stored decision instance that the table shows.
    pub struct Instance<'a> {
        decision_definition_key: Text<'a> = "decisionDefinitionKey",
        decision_definition_id: Text<'a> = "decisionDefinitionId",
        decision_instance_id: Text<'a> = "decisionInstanceId",
        process_instance_id: Text<'a> = "processInstanceId",
        evaluation_date_time: Text<'a> = "evaluationDateTime",
        engine: Text<'a> = "engine",
        tenant_id: Text<'a> = "tenantId",
        inputs: Many<Clause<'a>> = "inputs",
        outputs: Many<Clause<'a>> = "outputs",
    }
}

document! {
    struct Clause<'a> {
        clause_id: Text<'a> = "clauseId",
        value: StoredValue<'a> = "value",
    }
}

impl Instance<'_> {
    /// Takes out inputs and outputs that somebody may not see.
    pub fn leave_out(&mut self, restrictions: &Restrictions) {
        restrictions.take_out(INPUT_PREFIX, &mut self.inputs.0, |clause| {
            clause.clause_id.as_deref()
        });
        restrictions.take_out(OUTPUT_PREFIX, &mut self.outputs.0, |clause| {
            clause.clause_id.as_deref()
        });
    }
}

/// How decision instances are shown.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The zone that dates are converted to; `None` keeps the stored offset.
    pub time_zone: Option<TimeZone>,
    /// Whether a list stands as text in its column, as csv has it, and not in the rest.
    pub lists_are_joined: bool,
}

/// Makes rows of decision instances.
#[derive(Debug)]
pub struct Rows {
    settings: Settings,
    columns: Arc<DecisionColumns>,
    cells: Vec<Cell>,
    /// Room that is used again for every row.
    room: Room,
    inputs: Scratch,
    outputs: Outputs,
}

impl Rows {
    /// Rows of the columns at these positions of [`schema`].
    pub fn new(settings: Settings, columns: Arc<DecisionColumns>, positions: &[usize]) -> Self {
        Self {
            settings,
            cells: selected(&cells(&columns), positions),
            columns,
            room: Room::default(),
            inputs: Scratch::default(),
            outputs: Outputs::default(),
        }
    }

    /// Gives the row of an instance.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn write<E>(&mut self, instance: &Instance<'_>, each: EachRow<'_, E>) -> Result<(), E> {
        let inputs = &instance.inputs.0;
        // Of an input that comes twice the last one counts, as of two variables of one name.
        self.inputs.place(
            self.columns.inputs.names(),
            inputs.iter().map(|input| input.clause_id.as_deref()),
            |index| id_of(inputs, index),
        );
        self.outputs
            .place(&self.columns.outputs, &instance.outputs.0);
        let mut row = self.room.take();
        row.extend(self.cells.iter().map(|cell| match *cell {
            Cell::Field(field) => self.field(field, instance),
            Cell::Input(at) => self.input(at, inputs).unwrap_or(Value::Null),
            Cell::Output(at) => (self.output(at, &instance.outputs.0)).unwrap_or(Value::Null),
            Cell::Rest => self.rest(instance),
        }));
        let written = each(&row);
        self.room.give_back(row);
        written
    }

    fn field<'d>(&self, field: Field, instance: &'d Instance<'_>) -> Value<'d> {
        match field {
            Field::DecisionDefinitionKey => text(&instance.decision_definition_key),
            Field::DecisionDefinitionId => text(&instance.decision_definition_id),
            Field::DecisionInstanceId => text(&instance.decision_instance_id),
            Field::ProcessInstanceId => text(&instance.process_instance_id),
            Field::EvaluationDateTime => date(
                &instance.evaluation_date_time,
                self.settings.time_zone.as_ref(),
            ),
            Field::EngineName => text(&instance.engine),
            Field::TenantId => text(&instance.tenant_id),
        }
    }

    /// The value of an input; `None` if it does not fit its column.
    fn input<'d>(&self, position: usize, inputs: &'d [Clause<'_>]) -> Option<Value<'d>> {
        match self.inputs.at(position).and_then(|index| inputs.get(index)) {
            Some(input) => (input.value).cell(
                self.columns.inputs.column_type(position),
                self.settings.lists_are_joined,
            ),
            None => Some(Value::Null),
        }
    }

    /// The values of an output; `None` if they don't fit its column.
    fn output<'d>(&self, position: usize, outputs: &'d [Clause<'_>]) -> Option<Value<'d>> {
        let column_type = self.columns.outputs.column_type(position);
        let is_joined = self.settings.lists_are_joined || column_type == ColumnType::Text;
        let own = self.outputs.at(position);
        if let [(_, only)] = own {
            return match outputs.get(*only) {
                Some(only) => only.value.cell(column_type, is_joined),
                None => Some(Value::Null),
            };
        }
        let own = own.iter().filter_map(|(_, index)| outputs.get(*index));
        let nothing = Text::default();
        let values = || own.clone().flat_map(|output| values_of(output, &nothing));
        let mut first = values();
        match (first.next(), first.next()) {
            (None, _) => Some(Value::Null),
            // Others are empty lists, and this one counts alone.
            (Some(_), None) => (own.clone())
                .find(|output| !output.value.values().is_empty())
                .map_or(Some(Value::Null), |output| {
                    output.value.cell(column_type, is_joined)
                }),
            _ if is_joined => Some(joined(values())),
            _ => None,
        }
    }

    /// What has no column or does not fit it: inputs, then outputs, each by id.
    fn rest(&self, instance: &Instance<'_>) -> Value<'static> {
        let (inputs, outputs) = (&instance.inputs.0, &instance.outputs.0);
        let mut rest = Rest::default();
        let names = self.columns.inputs.names().as_slice();
        let mut of_rest: Vec<usize> = (0..names.len())
            .filter(|position| self.input(*position, inputs).is_none())
            .filter_map(|position| self.inputs.at(position))
            .chain(self.inputs.others().iter().copied())
            .collect();
        of_rest.sort_by(|a, b| java_order(id_of(inputs, *a), id_of(inputs, *b)));
        for index in of_rest {
            if let Some(input) = inputs.get(index) {
                input.value.write(rest.member(id_of(inputs, index)));
            }
        }
        let names = self.columns.outputs.names().as_slice();
        let mut of_rest: Vec<&[(usize, usize)]> = (0..names.len())
            .filter(|position| self.output(*position, outputs).is_none())
            .map(|position| self.outputs.at(position))
            .chain(self.outputs.others(outputs))
            .collect();
        let id = |group: &[(usize, usize)]| {
            let first = group.first();
            first.map_or("", |(_, index)| id_of(outputs, *index))
        };
        of_rest.sort_by(|a, b| java_order(id(a), id(b)));
        for group in of_rest {
            let out = rest.member(id(group));
            let mut own = group.iter().filter_map(|(_, index)| outputs.get(*index));
            if let ([_], Some(only)) = (group, own.clone().next()) {
                only.value.write(out);
                continue;
            }
            let mut is_first = true;
            out.raw("[");
            own.by_ref().for_each(|output| {
                out.separator(&mut is_first);
                output.value.write(out);
            });
            out.raw("]");
        }
        rest.into_value()
    }
}

/// The values of an output among others; a null stays one.
fn values_of<'v>(output: &'v Clause<'_>, nothing: &'v Text<'v>) -> &'v [Text<'v>] {
    match output.value.is_null() {
        true => std::slice::from_ref(nothing),
        false => output.value.values(),
    }
}

fn id_of<'d>(clauses: &'d [Clause<'_>], index: usize) -> &'d str {
    let clause = clauses.get(index);
    (clause.and_then(|clause| clause.clause_id.as_deref())).unwrap_or_default()
}

/// Which values belong to which output.
#[derive(Debug, Default)]
struct Outputs {
    /// Position of the column and number of the value, ordered; those without a column are at [`usize::MAX`], by id.
    order: Vec<(usize, usize)>,
    followers: Followers,
}

impl Outputs {
    fn place(&mut self, columns: &TypedNames, outputs: &[Clause<'_>]) {
        self.order.clear();
        self.followers.begin_row();
        for (index, output) in outputs.iter().enumerate() {
            // A value that belongs to no clause is left out, as in rows of raw data.
            if let Some(id) = output.clause_id.as_deref() {
                let position = columns.names().position(id, &mut self.followers);
                self.order.push((position.unwrap_or(usize::MAX), index));
            }
        }
        self.order.sort_unstable_by(|a, b| {
            let without_column = a.0 == usize::MAX && b.0 == usize::MAX;
            let by_id = || java_order(id_of(outputs, a.1), id_of(outputs, b.1));
            match without_column {
                true => by_id().then(a.cmp(b)),
                false => a.cmp(b),
            }
        });
    }

    /// Those of the column at a position.
    fn at(&self, position: usize) -> &[(usize, usize)] {
        let start = self.order.partition_point(|(at, _)| *at < position);
        let from_start = self.order.get(start..).unwrap_or_default();
        let end = from_start.partition_point(|(at, _)| *at == position);
        from_start.get(..end).unwrap_or_default()
    }

    /// Those without a column, those of each id together.
    fn others<'d>(
        &'d self,
        outputs: &'d [Clause<'_>],
    ) -> impl Iterator<Item = &'d [(usize, usize)]> {
        self.at(usize::MAX)
            .chunk_by(|(_, a), (_, b)| id_of(outputs, *a) == id_of(outputs, *b))
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::definitions::clauses;
    use crate::table::row::tests::{read, shown};

    fn occurrences(list: &[(&str, &str)]) -> Vec<Occurrence> {
        let owned = |(id, of): &(&str, &str)| (String::from(*id), Some(String::from(*of)));
        list.iter().map(owned).collect()
    }

    fn columns(inputs: &[(&str, &str)], outputs: &[(&str, &str)]) -> Arc<DecisionColumns> {
        let known = DecisionClauses::default();
        let columns = DecisionColumns::new(&known, occurrences(inputs), occurrences(outputs));
        Arc::new(columns)
    }

    /// The row of a document, with the columns from the first input on.
    fn row(columns: &Arc<DecisionColumns>, lists_are_joined: bool, document: &str) -> String {
        let positions: Vec<usize> = (Field::ALL.len()..cells(columns).len()).collect();
        let settings = Settings {
            time_zone: None,
            lists_are_joined,
        };
        let mut rows = Rows::new(settings, Arc::clone(columns), &positions);
        let instance: Instance<'_> = read(document);
        let mut all = Vec::new();
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
    fn the_columns_are_the_clauses_of_the_definition_and_those_that_occur() {
        let clause = |id: &str, of: &str| clauses::Clause {
            id: id.to_owned(),
            name: None,
            variable_type: Some(of.to_owned()),
        };
        let known = DecisionClauses {
            inputs: Clauses::new([clause("b", "Long"), clause("a", "String")]),
            outputs: Clauses::new([clause("o", "Boolean")]),
        };
        let inputs = occurrences(&[("c", "Date"), ("a", "Double")]);
        let columns = DecisionColumns::new(&known, inputs, Vec::new());
        let schema = schema(&columns);
        let shown: Vec<String> = (schema.columns.iter())
            .map(|column| format!("{}:{}", column.name, column.column_type))
            .collect();
        assert_eq!(
            shown.join(" "),
            "decisionDefinitionKey:text decisionDefinitionId:text decisionInstanceId:text processInstanceId:text \
             evaluationDateTime:instant engineName:text tenantId:text \
             input:a:double input:b:integer input:c:instant output:o:boolean variables:rest:text"
        );
        assert_eq!(schema.columns.len(), cells(&columns).len());
    }

    #[test]
    fn own_members_are_those_of_rows_of_raw_data() {
        let document = r#"{"decisionDefinitionKey":"k","decisionDefinitionId":"k:1","decisionInstanceId":"d1","processInstanceId":"p1",
            "evaluationDateTime":"2024-01-01T00:00:00.000+0000","engine":"camunda-bpm","tenantId":"acme"}"#;
        let mut rows = Rows::new(
            Settings::default(),
            columns(&[], &[]),
            &[6, 5, 4, 3, 2, 1, 0, 7],
        );
        let each = &mut |row: &[Value<'_>]| Err::<(), String>(shown(row));
        assert_eq!(
            rows.write(&read(document), each).unwrap_err(),
            r#""acme" | "camunda-bpm" | 2024-01-01T00:00:00.000+0000=1704067200000 | "p1" | "d1" | "k:1" | "k" | -"#
        );
    }

    #[test]
    fn inputs_have_their_last_value_and_what_does_not_fit_is_in_the_rest() {
        let columns = columns(
            &[
                ("a", "Double"),
                ("b", "Long"),
                ("c", "String"),
                ("d", "Long"),
            ],
            &[],
        );
        let document = r#"{"inputs":[{"clauseId":"a","value":"1.0"},{"clauseId":"a","value":"200.0"},{"clauseId":"b","value":"many"},
            {"clauseId":"c","value":["x","y"]},{"clauseId":null,"value":"nobody's"},{"clauseId":"a new one","value":null}]}"#;
        assert_eq!(
            row(&columns, false, document),
            r#"200.0 | - | - | - | json {"a new one":null,"b":"many","c":["x","y"]}"#
        );
        assert_eq!(
            row(&columns, true, document),
            r#"200.0 | - | "x, y" | - | json {"a new one":null,"b":"many"}"#
        );
    }

    #[test]
    fn several_values_of_an_output_are_text_or_in_the_rest() {
        let columns = columns(
            &[],
            &[
                ("none", "Long"),
                ("number", "Long"),
                ("one", "Long"),
                ("text", "String"),
            ],
        );
        let document = r#"{"outputs":[{"clauseId":"text","value":"x"},{"clauseId":"number","value":"1"},{"clauseId":"text","value":null},
            {"clauseId":"new","value":"n"},{"clauseId":"one","value":[]},{"clauseId":"one","value":"7"},
            {"clauseId":"number","value":"2"},{"clauseId":"another","value":"m"},{"clauseId":"new","value":["o"]},{"value":"nobody's"}]}"#;
        assert_eq!(
            row(&columns, false, document),
            r#"- | - | 7 | "x, null" | json {"another":"m","new":["n",["o"]],"number":["1","2"]}"#
        );
        assert_eq!(
            row(&columns, true, document),
            r#"- | "1, 2" | 7 | "x, null" | json {"another":"m","new":["n",["o"]]}"#
        );
        assert_eq!(row(&columns, false, "{}"), "- | - | - | - | -");
    }
}
