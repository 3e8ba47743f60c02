//! The `inputVariables` and `outputVariables` members of a decision row: every clause of the report, in order, missing
//! ones empty.
//!
//! Source: crates/optimize/docs/raw-data.md, "Clauses of rows" (`InputVariableEntry`, `OutputVariableEntry`).

use optimize::json::JsonText;
use optimize::raw_data::clauses::{ClauseShown, RowClauses};

use super::text;

/// Writes the object of inputs or outputs.
pub fn write(clauses: &RowClauses<'_>, out: &mut JsonText) {
    let mut first = true;
    out.raw("{");
    clauses.for_each(|clause| {
        out.name(clause.id, &mut first);
        out.raw("{\"id\":");
        out.string(clause.id);
        out.raw(",\"name\":");
        out.optional_string(clause.name);
        out.raw(",\"type\":");
        out.optional_string(clause.variable_type);
        match clause.value {
            ClauseShown::NoInput => out.raw(",\"value\":\"\""),
            ClauseShown::Input(value) => {
                out.raw(",\"value\":");
                match value {
                    Some(value) => text::write(value, out),
                    None => out.raw("null"),
                }
            }
            ClauseShown::Outputs(outputs) => {
                let mut first = true;
                out.raw(",\"values\":[");
                for value in outputs.iter() {
                    out.separator(&mut first);
                    match value {
                        Some(value) => text::write(value, out),
                        None => out.raw("null"),
                    }
                }
                out.raw("]");
            }
        }
        out.raw("}");
    });
    out.raw("}");
}

#[cfg(test)]
mod tests {
    use optimize::definitions::clauses::{Clause, Clauses};
    use optimize::raw_data::clauses::{ClauseValue, Direction, Scratch};
    use optimize::raw_data::cursor::Cursor;
    use optimize::raw_data::document::Many;

    use super::*;

    fn clause(id: &str, name: &str, variable_type: &str) -> Clause {
        Clause {
            id: id.to_owned(),
            name: Some(name.to_owned()),
            variable_type: Some(variable_type.to_owned()),
        }
    }

    fn row(direction: Direction, values: &str, known: Vec<Clause>) -> String {
        let Many(values): Many<ClauseValue<'_>> = Cursor::new(values).read().unwrap();
        let known = Clauses::new(known);
        let mut out = JsonText::default();
        // The same room twice: nothing of a row may show in the next.
        let mut scratch = Scratch::default();
        write(
            &RowClauses::of(direction, &values, &known, &mut scratch),
            &mut out,
        );
        out = JsonText::default();
        write(
            &RowClauses::of(direction, &values, &known, &mut scratch),
            &mut out,
        );
        String::from_utf8(out.into_bytes()).unwrap()
    }

    #[test]
    fn inputs_have_one_value_and_missing_ones_an_empty_text() {
        let values = r#"[{"id":"i1","clauseId":"new","clauseName":"N\"","type":"string","value":null},
            {"id":"i2","clauseId":"a","clauseName":"Amount","type":"Double","value":"200.0"}]"#;
        assert_eq!(
            row(
                Direction::Input,
                values,
                vec![clause("b", "B", "Boolean"), clause("a", "old", "Long")]
            ),
            concat!(
                r#"{"b":{"id":"b","name":"B","type":"Boolean","value":""},"#,
                r#""a":{"id":"a","name":"Amount","type":"Double","value":"200.0"},"#,
                r#""new":{"id":"new","name":"N\"","type":"String","value":null}}"#
            )
        );
    }

    #[test]
    fn outputs_of_a_clause_are_put_together_and_missing_ones_an_empty_list() {
        let values = r#"[{"clauseId":"o","clauseName":"O","type":"String","value":"x","ruleOrder":1},
            {"clauseId":"p","value":"only"},
            {"clauseId":"o","clauseName":"later","type":"Long","value":null},
            {"clauseId":"p","value":["list",null]}, {"clauseId":"o","value":"y"}]"#;
        assert_eq!(
            row(
                Direction::Output,
                values,
                vec![clause("m", "M", "Date"), clause("o", "O", "String")]
            ),
            concat!(
                r#"{"m":{"id":"m","name":"M","type":"Date","values":[]},"#,
                r#""o":{"id":"o","name":"O","type":"String","values":["x",null,"y"]},"#,
                r#""p":{"id":"p","name":null,"type":null,"values":["only","list",null]}}"#
            )
        );
    }

    #[test]
    fn the_last_of_two_inputs_counts() {
        let values = r#"[{"clauseId":"a","value":"1"},{"clauseId":"b","value":"2"},{"clauseId":"a","value":"3"},
            {"clauseId":"b","value":"4"},{"clauseId":null,"value":"5"},{"value":"6"}]"#;
        assert_eq!(
            row(Direction::Input, values, vec![clause("a", "A", "Long")]),
            concat!(
                r#"{"a":{"id":"a","name":null,"type":null,"value":"3"},"#,
                r#""b":{"id":"b","name":null,"type":null,"value":"4"}}"#
            )
        );
    }

    #[test]
    fn the_first_clause_with_an_id_names_it() {
        let known = Clauses::new([
            clause("b", "newer", "Long"),
            clause("a", "A", "Long"),
            clause("b", "older", "Date"),
        ]);
        let names: Vec<_> = known
            .as_slice()
            .iter()
            .filter_map(|clause| clause.name.as_deref())
            .collect();
        assert_eq!(names, ["newer", "A"]);
    }
}
