//! Values of inputs and of outputs, one a row: the long form of what `instances` has in columns.

use std::collections::HashMap;

use crate::access::Restrictions;
use crate::access::columns::{INPUT_PREFIX, OUTPUT_PREFIX};
use crate::id_enum;
use crate::raw_data::document::{Integer, Many, Text, Values, document};
use crate::report::definition::VariableType;
use crate::table::row::{EachRow, Fixed, Room, selected, text};
use crate::table::schema::{ColumnType, Schema, Table};
use crate::table::value::Value;

pub use crate::raw_data::clauses::Direction;

id_enum! {
    /// The columns; those from `ruleId` on are of outputs alone.
    enum Field {
        /// Id of the decision instance.
        DecisionInstanceId = "decisionInstanceId",
        /// Id of the clause.
        ClauseId = "clauseId",
        /// Name of the clause.
        ClauseName = "clauseName",
        /// Type of the value.
        Type = "type",
        /// Number of the value among those of its clause.
        Position = "position",
        /// The value.
        Value = "value",
        /// The rule that matched.
        RuleId = "ruleId",
        /// Number of the rule.
        RuleOrder = "ruleOrder",
        /// Name of the variable that has the value.
        VariableName = "variableName",
    }
}

/// Columns that both tables have.
const COMMON: usize = 6;

impl Field {
    fn of(direction: Direction) -> &'static [Self] {
        match direction {
            Direction::Input => Self::ALL.get(..COMMON).unwrap_or_default(),
            Direction::Output => Self::ALL,
        }
    }

    fn fixed(self, direction: Direction) -> Fixed {
        use ColumnType::{Integer, Text};
        let of_either = |input, output| match direction {
            Direction::Input => input,
            Direction::Output => output,
        };
        match self {
            Self::DecisionInstanceId => Fixed::nullable(Text, "decisionInstanceId"),
            // A value that belongs to no clause has no row.
            Self::ClauseId => {
                Fixed::required(Text, of_either("inputs.clauseId", "outputs.clauseId"))
            }
            Self::ClauseName => {
                Fixed::nullable(Text, of_either("inputs.clauseName", "outputs.clauseName"))
            }
            Self::Type => Fixed::nullable(Text, of_either("inputs.type", "outputs.type")),
            Self::Position => Fixed::required(
                Integer,
                of_either(
                    "place among the values of a clause in inputs, from 0",
                    "place among the values of a clause in outputs, from 0",
                ),
            ),
            Self::Value => Fixed::nullable(Text, of_either("inputs.value", "outputs.value")),
            Self::RuleId => Fixed::nullable(Text, "outputs.ruleId"),
            Self::RuleOrder => Fixed::nullable(Integer, "outputs.ruleOrder"),
            Self::VariableName => Fixed::nullable(Text, "outputs.variableName"),
        }
    }
}

/// The table of inputs, or that of outputs, with all its columns.
pub fn schema(direction: Direction) -> Schema {
    let fields = Field::of(direction).iter();
    Schema {
        table: match direction {
            Direction::Input => Table::Inputs,
            Direction::Output => Table::Outputs,
        },
        columns: fields
            .map(|field| field.fixed(direction).column(field.id()))
            .collect(),
        primary_key: &["decisionInstanceId", "clauseId", "position"],
    }
}

document! {
    /// The parts of a stored decision instance that the table of inputs shows.
    pub struct Inputs<'a> {
        decision_instance_id: Text<'a> = "decisionInstanceId",
        clauses: Many<Clause<'a>> = "inputs",
    }
}

document! {
    /// The parts of a stored decision instance that the table of outputs shows.
    pub struct Outputs<'a> {
        decision_instance_id: Text<'a> = "decisionInstanceId",
        clauses: Many<Clause<'a>> = "outputs",
    }
}

impl Inputs<'_> {
    /// Takes out inputs that somebody may not see.
    pub fn leave_out(&mut self, restrictions: &Restrictions) {
        leave_out(&mut self.clauses, INPUT_PREFIX, restrictions);
    }
}

impl Outputs<'_> {
    /// Takes out outputs that somebody may not see.
    pub fn leave_out(&mut self, restrictions: &Restrictions) {
        leave_out(&mut self.clauses, OUTPUT_PREFIX, restrictions);
    }
}

fn leave_out(clauses: &mut Many<Clause<'_>>, prefix: &str, restrictions: &Restrictions) {
    let clauses = &mut clauses.0;
    restrictions.take_out(prefix, clauses, |clause| clause.clause_id.as_deref());
}

document! {
    struct Clause<'a> {
        clause_id: Text<'a> = "clauseId",
        clause_name: Text<'a> = "clauseName",
        variable_type: Text<'a> = "type",
        value: Values<'a> = "value",
        rule_id: Text<'a> = "ruleId",
        rule_order: Integer = "ruleOrder",
        variable_name: Text<'a> = "variableName",
    }
}

/// Makes rows of inputs, or of outputs.
#[derive(Debug)]
pub struct Rows {
    fields: Vec<Field>,
    room: Room,
}

impl Rows {
    /// Rows of the columns at these positions of [`schema`].
    pub fn new(direction: Direction, positions: &[usize]) -> Self {
        Self {
            fields: selected(Field::of(direction), positions),
            room: Room::default(),
        }
    }

    /// Gives the rows of an instance's inputs.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn write_inputs<E>(&mut self, inputs: &Inputs<'_>, each: EachRow<'_, E>) -> Result<(), E> {
        self.write(&inputs.decision_instance_id, &inputs.clauses, each)
    }

    /// Gives the rows of an instance's outputs.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn write_outputs<E>(
        &mut self,
        outputs: &Outputs<'_>,
        each: EachRow<'_, E>,
    ) -> Result<(), E> {
        self.write(&outputs.decision_instance_id, &outputs.clauses, each)
    }

    fn write<E>(
        &mut self,
        instance_id: &Text<'_>,
        Many(clauses): &Many<Clause<'_>>,
        each: EachRow<'_, E>,
    ) -> Result<(), E> {
        let mut row = self.room.take();
        let written = self.write_all(instance_id, clauses, &mut row, each);
        self.room.give_back(row);
        written
    }

    fn write_all<'d, E>(
        &self,
        instance_id: &'d Text<'_>,
        clauses: &'d [Clause<'_>],
        row: &mut Vec<Value<'d>>,
        each: EachRow<'_, E>,
    ) -> Result<(), E> {
        let mut positions: HashMap<&str, i64> = HashMap::with_capacity(clauses.len());
        for clause in clauses {
            let Some(id) = clause.clause_id.as_deref() else {
                continue;
            };
            let next = positions.entry(id).or_default();
            let mut write = |value: Value<'d>| {
                row.clear();
                row.extend(self.fields.iter().map(|field| match field {
                    Field::DecisionInstanceId => text(instance_id),
                    Field::ClauseId => Value::text(Some(id)),
                    Field::ClauseName => text(&clause.clause_name),
                    Field::Type => variable_type(&clause.variable_type),
                    Field::Position => Value::Integer(*next),
                    Field::Value => value.clone(),
                    Field::RuleId => text(&clause.rule_id),
                    Field::RuleOrder => Value::integer(clause.rule_order.0),
                    Field::VariableName => text(&clause.variable_name),
                }));
                *next += 1;
                each(row)
            };
            match clause.value.as_slice().unwrap_or_default() {
                [] => write(Value::Null)?,
                values => values.iter().try_for_each(|value| write(text(value)))?,
            }
        }
        Ok(())
    }
}

/// A type by its id, however it was spelled, as rows of raw data show it.
fn variable_type<'d>(stored: &'d Text<'_>) -> Value<'d> {
    let stored = stored.as_deref();
    match stored.and_then(VariableType::from_id) {
        Some(known) => Value::text(Some(known.id())),
        None => Value::text(stored),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::table::row::tests::{read, shown};

    const DOCUMENT: &str = r#"{"decisionInstanceId":"d1",
        "inputs":[{"clauseId":"i","clauseName":"Amount","type":"double","value":"200.0"},{"clauseName":"nobody's","value":"x"}],
        "outputs":[
          {"clauseId":"o","clauseName":"Class","type":"String","value":"a","ruleId":"r1","ruleOrder":1,"variableName":"class"},
          {"clauseId":"p","type":"Other","value":null},
          {"clauseId":"o","type":"String","value":["b","c"],"ruleId":"r2","ruleOrder":2}]}"#;

    fn names(direction: Direction) -> String {
        let names: Vec<String> = schema(direction)
            .columns
            .into_iter()
            .map(|c| c.name)
            .collect();
        names.join(" ")
    }

    #[test]
    fn outputs_have_their_rules_too() {
        let common = "decisionInstanceId clauseId clauseName type position value";
        assert_eq!(names(Direction::Input), common);
        let of_outputs = format!("{common} ruleId ruleOrder variableName");
        assert_eq!(names(Direction::Output), of_outputs);
    }

    #[test]
    fn each_value_is_a_row() {
        let mut all = Vec::new();
        let each = &mut |row: &[Value<'_>]| {
            all.push(shown(row));
            Ok::<(), Infallible>(())
        };
        let mut inputs = Rows::new(Direction::Input, &[0, 1, 2, 3, 4, 5, 6]);
        inputs.write_inputs(&read(DOCUMENT), each).unwrap();
        let mut outputs = Rows::new(Direction::Output, &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
        outputs.write_outputs(&read(DOCUMENT), each).unwrap();
        assert_eq!(
            all,
            [
                r#""d1" | "i" | "Amount" | "Double" | 0 | "200.0""#,
                r#""d1" | "o" | "Class" | "String" | 0 | "a" | "r1" | 1 | "class""#,
                r#""d1" | "p" | - | "Other" | 0 | - | - | - | -"#,
                r#""d1" | "o" | - | "String" | 1 | "b" | "r2" | 2 | -"#,
                r#""d1" | "o" | - | "String" | 2 | "c" | "r2" | 2 | -"#,
            ]
        );
    }
}
