//! Values of variables, one a row: the long form of what `instances` has in columns.

use std::collections::HashMap;

use crate::access::Restrictions;
use crate::access::columns::VARIABLE_PREFIX;
use crate::id_enum;
use crate::raw_data::document::{Many, Text, document};
use crate::raw_data::variables::ObjectVariables;
use crate::table::row::{EachRow, Fixed, Room, selected, text};
use crate::table::schema::{ColumnType, Schema, Table};
use crate::table::typed::StoredVariable;
use crate::table::value::Value;

id_enum! {
    /// The columns.
    enum Field {
        /// Id of the process instance.
        ProcessInstanceId = "processInstanceId",
        /// Name of the variable.
        Name = "name",
        /// Type of the variable.
        Type = "type",
        /// Number of the value among those of its variable.
        Position = "position",
        /// The value.
        Value = "value",
    }
}

impl Field {
    const fn fixed(self) -> Fixed {
        use ColumnType::{Integer, Text};
        match self {
            Self::ProcessInstanceId => Fixed::nullable(Text, "processInstanceId"),
            // A variable without a name has no rows.
            Self::Name => Fixed::required(Text, "variables.name"),
            Self::Type => Fixed::nullable(Text, "variables.type"),
            Self::Position => Fixed::required(Integer, "place within variables.value, from 0"),
            Self::Value => Fixed::nullable(Text, "variables.value"),
        }
    }
}

/// The table with all its columns.
pub fn schema() -> Schema {
    let fields = Field::ALL.iter();
    Schema {
        table: Table::Variables,
        columns: fields
            .map(|field| field.fixed().column(field.id()))
            .collect(),
        primary_key: &["processInstanceId", "name", "position"],
    }
}

document! {
    /// The parts of a stored process instance that the table shows.
    pub struct Instance<'a> {
        process_instance_id: Text<'a> = "processInstanceId",
        variables: Many<StoredVariable<'a>> = "variables",
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

/// Makes rows of variables.
#[derive(Debug)]
pub struct Rows {
    object_variables: ObjectVariables,
    fields: Vec<Field>,
    room: Room,
}

impl Rows {
    /// Rows of the columns at these positions of [`schema`].
    pub fn new(object_variables: ObjectVariables, positions: &[usize]) -> Self {
        Self {
            object_variables,
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
        let written = self.write_all(instance, &mut row, each);
        self.room.give_back(row);
        written
    }

    fn write_all<'d, E>(
        &self,
        instance: &'d Instance<'_>,
        row: &mut Vec<Value<'d>>,
        each: EachRow<'_, E>,
    ) -> Result<(), E> {
        let variables = &instance.variables.0;
        // A name that comes twice goes on where it was.
        let mut positions: HashMap<&str, i64> = HashMap::with_capacity(variables.len());
        for variable in variables {
            let Some(name) = variable.name.as_deref() else {
                continue;
            };
            let next = positions.entry(name).or_default();
            let mut write = |value: Value<'d>| {
                row.clear();
                row.extend(self.fields.iter().map(|field| match field {
                    Field::ProcessInstanceId => text(&instance.process_instance_id),
                    Field::Name => Value::text(Some(name)),
                    Field::Type => text(&variable.variable_type),
                    Field::Position => Value::Integer(*next),
                    Field::Value => value.clone(),
                }));
                *next += 1;
                each(row)
            };
            match (
                variable.placeholder(self.object_variables),
                variable.value.values(),
            ) {
                (Some(placeholder), _) => write(Value::text(Some(placeholder)))?,
                (None, []) => write(Value::Null)?,
                (None, values) => values.iter().try_for_each(|value| write(text(value)))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::table::row::tests::{read, shown};

    fn rows(document: &str, object_variables: ObjectVariables) -> Vec<String> {
        let positions: Vec<usize> = (0..schema().columns.len()).collect();
        let mut all = Vec::new();
        let each = &mut |row: &[Value<'_>]| {
            all.push(shown(row));
            Ok::<(), Infallible>(())
        };
        let mut rows = Rows::new(object_variables, &positions);
        rows.write(&read(document), each).unwrap();
        all
    }

    #[test]
    fn each_value_is_a_row_and_a_name_that_comes_twice_goes_on() {
        let document = r#"{"processInstanceId":"i1","variables":[
            {"name":"a","type":"String","value":["x",null]},{"name":"b","type":"Long","value":7},
            {"name":"a","type":"Long","value":["9"]},{"name":"nothing","value":null},{"name":"none","value":[]},
            {"type":"String","value":["nobody's"]}]}"#;
        assert_eq!(
            rows(document, ObjectVariables::Values),
            [
                r#""i1" | "a" | "String" | 0 | "x""#,
                r#""i1" | "a" | "String" | 1 | -"#,
                r#""i1" | "b" | "Long" | 0 | "7""#,
                r#""i1" | "a" | "Long" | 2 | "9""#,
                r#""i1" | "nothing" | - | 0 | -"#,
                r#""i1" | "none" | - | 0 | -"#,
            ]
        );
    }

    #[test]
    fn objects_are_hidden_where_the_operator_wants_that() {
        let document = r#"{"variables":[{"name":"o","type":"Object","value":["secret","too"]}]}"#;
        assert_eq!(
            rows(document, ObjectVariables::Placeholder),
            [r#"- | "o" | "Object" | 0 | "<<OBJECT_VARIABLE_VALUE>>""#]
        );
        assert_eq!(rows(document, ObjectVariables::Values).len(), 2);
    }
}
