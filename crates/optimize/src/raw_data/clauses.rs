//! The `inputVariables` and `outputVariables` members of a decision row: every clause of the report, in order, missing
//! ones empty.
//!
//! Source: crates/optimize/docs/raw-data.md, "Clauses of rows" (`RawDecisionDataResultDtoMapper`,
//! `InputVariableEntry`, `OutputVariableEntry`).

use std::collections::HashMap;

use super::document::{Text, Values, document};
use super::json::JsonText;
use crate::definitions::clauses::Clauses;
use crate::report::definition::VariableType;

document! {
    /// The value of an input or of an output in one evaluation.
    pub struct ClauseValue<'a> {
        clause_id: Text<'a> = "clauseId",
        clause_name: Text<'a> = "clauseName",
        variable_type: Text<'a> = "type",
        value: Values<'a> = "value",
    }
}

/// Which member of a row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// An input has one value; a missing one is an empty text.
    Input,
    /// An output has a value for each rule that matched; a missing one is an empty list.
    Output,
}

/// Room that is used again for every row: which position in the row each value has.
#[derive(Debug, Default)]
pub struct Scratch(Vec<(usize, usize)>);

/// Writes the object of inputs or outputs.
///
/// The clauses that every row has come first, then those that only this row has, in the order of its document. A value
/// that belongs to no clause is left out: it has no name in the object.
pub fn write(
    out: &mut JsonText,
    direction: Direction,
    values: &[ClauseValue<'_>],
    known: &Clauses,
    Scratch(order): &mut Scratch,
) {
    let mut others: HashMap<&str, usize> = HashMap::new();
    order.clear();
    for (index, value) in values.iter().enumerate() {
        let Some(id) = value.clause_id.as_deref() else {
            continue;
        };
        let position = known.position(id).unwrap_or_else(|| {
            let next = known.as_slice().len() + others.len();
            *others.entry(id).or_insert(next)
        });
        order.push((position, index));
    }
    order.sort_unstable();
    let mut groups = order.chunk_by(|(a, _), (b, _)| a == b).peekable();
    let mut first = true;
    out.raw("{");
    for (position, clause) in known.as_slice().iter().enumerate() {
        let is_here = |group: &&[(usize, usize)]| group.iter().all(|(p, _)| *p == position);
        match groups.next_if(is_here) {
            Some(group) => write_own(out, direction, values, group, &mut first),
            None => {
                let variable_type = clause.variable_type.as_deref();
                write_head(
                    out,
                    &clause.id,
                    clause.name.as_deref(),
                    variable_type,
                    &mut first,
                );
                out.raw(match direction {
                    Direction::Input => "\"value\":\"\"}",
                    Direction::Output => "\"values\":[]}",
                });
            }
        }
    }
    for group in groups {
        write_own(out, direction, values, group, &mut first);
    }
    out.raw("}");
}

/// Writes what the row itself has of one clause.
///
/// Optimize fails on an input that comes twice; here the last one counts, as of two process variables of one name.
/// Outputs are put together, under the name and type of the first.
fn write_own(
    out: &mut JsonText,
    direction: Direction,
    values: &[ClauseValue<'_>],
    group: &[(usize, usize)],
    first: &mut bool,
) {
    let own = group.iter().filter_map(|(_, index)| values.get(*index));
    let shown = match direction {
        Direction::Input => own.clone().next_back(),
        Direction::Output => own.clone().next(),
    };
    let Some(shown) = shown else { return };
    let id = shown.clause_id.as_deref().unwrap_or_default();
    write_head(
        out,
        id,
        shown.clause_name.as_deref(),
        shown.variable_type.as_deref(),
        first,
    );
    match direction {
        Direction::Input => {
            out.raw("\"value\":");
            match shown.value.as_slice().and_then(<[Text<'_>]>::first) {
                Some(value) => value.write(out),
                None => out.raw("null"),
            }
        }
        Direction::Output => {
            let mut first = true;
            out.raw("\"values\":[");
            own.for_each(|own| write_outputs(out, &own.value, &mut first));
            out.raw("]");
        }
    }
    out.raw("}");
}

/// Writes an output value among others; a null stays one.
fn write_outputs(out: &mut JsonText, value: &Values<'_>, first: &mut bool) {
    let Some(values) = value.as_slice() else {
        out.separator(first);
        return out.raw("null");
    };
    for value in values {
        out.separator(first);
        value.write(out);
    }
}

/// Writes everything of an entry up to its value.
fn write_head(
    out: &mut JsonText,
    id: &str,
    name: Option<&str>,
    variable_type: Option<&str>,
    first: &mut bool,
) {
    out.name(id, first);
    out.raw("{\"id\":");
    out.string(id);
    out.raw(",\"name\":");
    out.optional_string(name);
    out.raw(",\"type\":");
    // Optimize reads a type as one of its own and writes its id, however it was spelled
    // (crates/optimize/docs/reports.md, "Shared enumerations").
    out.optional_string(match variable_type.and_then(VariableType::from_id) {
        Some(known) => Some(known.id()),
        None => variable_type,
    });
    out.raw(",");
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::super::document::Many;
    use super::*;
    use crate::definitions::clauses::Clause;

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
        write(&mut out, direction, &values, &known, &mut scratch);
        out.take();
        write(&mut out, direction, &values, &known, &mut scratch);
        String::from_utf8(out.take()).unwrap()
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
