//! The `variables` member of a process row: every name of the report, in order, missing ones empty.
//!
//! Source: crates/optimize/docs/raw-data.md, "Variables of rows" and "Variable names of a page".

use std::cmp::Ordering;
use std::collections::HashMap;

use super::document::{Text, Values, document};
use super::json::JsonText;

/// What older releases of Optimize show instead of the value of an object variable.
pub(crate) const OBJECT_PLACEHOLDER: &str = "<<OBJECT_VARIABLE_VALUE>>";

/// How object variables are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ObjectVariables {
    /// The stored value, a list of texts.
    #[default]
    Values,
    /// A fixed text.
    Placeholder,
}

document! {
    /// One variable of an instance.
    pub struct Variable<'a> {
        name: Text<'a> = "name",
        variable_type: Text<'a> = "type",
        value: Values<'a> = "value",
    }
}

/// The order of names in a row: that of Java strings, by UTF-16 code unit.
pub(crate) fn java_order(a: &str, b: &str) -> Ordering {
    utf16::units(a).cmp(utf16::units(b))
}

/// The variable names of all instances that match a report, in the order of a row.
#[derive(Debug, Default)]
pub struct VariableNames {
    names: Vec<String>,
    positions: HashMap<String, usize>,
}

impl VariableNames {
    /// Orders names; duplicates count once.
    pub fn new(mut names: Vec<String>) -> Self {
        names.sort_unstable_by(|a, b| java_order(a, b));
        names.dedup();
        let positions = names
            .iter()
            .enumerate()
            .map(|(i, name)| (name.clone(), i))
            .collect();
        Self { names, positions }
    }

    /// The names, ordered.
    pub fn as_slice(&self) -> &[String] {
        &self.names
    }

    /// Bytes that they take, roughly.
    pub fn weight(&self) -> usize {
        self.names.iter().map(|name| 2 * name.len() + 128).sum()
    }
}

/// Room that is used again for every row: which variable of the row has the name at which position.
#[derive(Debug, Default)]
pub struct Scratch {
    by_position: Vec<Option<usize>>,
    others: Vec<usize>,
    /// The positions of the variables of the row before: mostly those of this row are in the same order.
    guesses: Vec<usize>,
}

impl VariableNames {
    /// The position of a name, looked for first where the row before had its variable of the same number.
    pub(crate) fn position(
        &self,
        name: &str,
        number: usize,
        guesses: &mut Vec<usize>,
    ) -> Option<usize> {
        if let Some(guess) = guesses.get(number)
            && self
                .names
                .get(*guess)
                .is_some_and(|guessed| guessed == name)
        {
            return Some(*guess);
        }
        let position = *self.positions.get(name)?;
        match guesses.get_mut(number) {
            Some(guess) => *guess = position,
            None => guesses.push(position),
        }
        Some(position)
    }
}

impl Scratch {
    /// Finds the place of each variable of a row, whose names are given in the order of the row; `name_of` gives the name
    /// of one of them again.
    ///
    /// A variable without a name is skipped; of two with the same name the last one counts.
    pub(crate) fn place<'n>(
        &mut self,
        names: &VariableNames,
        of_row: impl Iterator<Item = Option<&'n str>>,
        name_of: impl Fn(usize) -> &'n str,
    ) {
        self.by_position.clear();
        self.by_position.resize(names.names.len(), None);
        self.others.clear();
        for (index, name) in of_row.enumerate() {
            let Some(name) = name else { continue };
            match names
                .position(name, index, &mut self.guesses)
                .and_then(|position| self.by_position.get_mut(position))
            {
                Some(slot) => *slot = Some(index),
                None => self.others.push(index),
            }
        }
        // Names that came up after the names were collected: rare, and a row always keeps its own.
        (self.others).sort_by(|a, b| java_order(name_of(*a), name_of(*b)).then(b.cmp(a)));
        (self.others).dedup_by(|later, earlier| name_of(*later) == name_of(*earlier));
    }

    /// Which variable has the name at a position.
    pub(crate) fn at(&self, position: usize) -> Option<usize> {
        self.by_position.get(position).copied().flatten()
    }

    /// The variables whose names are not among the known ones, by name.
    pub(crate) fn others(&self) -> &[usize] {
        &self.others
    }
}

/// Writes the object of variables.
pub fn write(
    out: &mut JsonText,
    variables: &[Variable<'_>],
    names: &VariableNames,
    object_variables: ObjectVariables,
    scratch: &mut Scratch,
) {
    let name_at = |index: usize| {
        variables
            .get(index)
            .and_then(|v| v.name.as_deref())
            .unwrap_or_default()
    };
    let of_row = variables.iter().map(|variable| variable.name.as_deref());
    scratch.place(names, of_row, name_at);
    let name_of = |index: &usize| name_at(*index);

    let mut first = true;
    let mut others = scratch.others.iter().peekable();
    out.raw("{");
    for (name, slot) in names.names.iter().zip(&scratch.by_position) {
        while let Some(other) =
            others.next_if(|other| java_order(name_of(other), name) == Ordering::Less)
        {
            write_member(
                out,
                name_of(other),
                variables.get(*other),
                object_variables,
                &mut first,
            );
        }
        let variable = slot.and_then(|index| variables.get(index));
        write_member(out, name, variable, object_variables, &mut first);
    }
    for other in others {
        write_member(
            out,
            name_of(other),
            variables.get(*other),
            object_variables,
            &mut first,
        );
    }
    out.raw("}");
}

fn write_member(
    out: &mut JsonText,
    name: &str,
    variable: Option<&Variable<'_>>,
    object_variables: ObjectVariables,
    first: &mut bool,
) {
    out.name(name, first);
    match variable {
        None => out.raw("\"\""),
        Some(variable) => write_value(out, variable, object_variables),
    }
}

fn write_value(out: &mut JsonText, variable: &Variable<'_>, object_variables: ObjectVariables) {
    let is_object = variable
        .variable_type
        .as_deref()
        .is_some_and(|t| t.eq_ignore_ascii_case("object"));
    match (variable.value.as_slice(), is_object, object_variables) {
        (_, true, ObjectVariables::Placeholder) => out.string(OBJECT_PLACEHOLDER),
        (None, true, ObjectVariables::Values) => out.raw("null"),
        (Some(values), true, ObjectVariables::Values) => {
            let mut first = true;
            out.raw("[");
            for value in values {
                out.separator(&mut first);
                value.write(out);
            }
            out.raw("]");
        }
        (None, false, _) => out.raw("\"\""),
        (Some([value]), false, _) if value.as_deref().is_some() => value.write(out),
        (Some(values), false, _) => {
            out.string(&values.iter().map(shown).collect::<Vec<_>>().join(", "));
        }
    }
}

/// A `null` among the values of a variable prints as in Java.
fn shown<'a>(value: &'a Text<'_>) -> &'a str {
    value.as_deref().unwrap_or("null")
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::super::document::Many;
    use super::*;

    fn row(variables: &str, names: &[&str], objects: ObjectVariables) -> String {
        let Many(variables): Many<Variable<'_>> = Cursor::new(variables).read().unwrap();
        let names = VariableNames::new(names.iter().map(ToString::to_string).collect());
        let mut out = JsonText::default();
        // The same room twice: nothing of a row may show in the next.
        let mut scratch = Scratch::default();
        write(&mut out, &variables, &names, objects, &mut scratch);
        out.take();
        write(&mut out, &variables, &names, objects, &mut scratch);
        String::from_utf8(out.take()).unwrap()
    }

    fn values(variables: &str, names: &[&str]) -> String {
        row(variables, names, ObjectVariables::Values)
    }

    #[test]
    fn values_are_texts_whatever_their_type() {
        let variables = r#"[{"name":"n","type":"Integer","value":["97"]},{"name":"s","type":"String","value":"a\"b"},
            {"name":"l","type":"String","value":["x","y",null]},{"name":"e","type":"String","value":[]},
            {"name":"z","type":"String","value":null},{"name":"absent","type":"Date"},{"name":"j","type":"JSON","value":["{}"]}]"#;
        assert_eq!(
            values(variables, &[]),
            r#"{"absent":"","e":"","j":"{}","l":"x, y, null","n":"97","s":"a\"b","z":""}"#
        );
    }

    #[test]
    fn objects_are_lists_or_a_placeholder() {
        let variables = r#"[{"name":"a","type":"Object","value":["{\"x\":1}"]},{"name":"b","type":"object","value":null},{"name":"c","type":"OBJECT","value":"one"}]"#;
        assert_eq!(
            values(variables, &[]),
            r#"{"a":["{\"x\":1}"],"b":null,"c":["one"]}"#
        );
        assert_eq!(
            row(variables, &["d"], ObjectVariables::Placeholder),
            r#"{"a":"<<OBJECT_VARIABLE_VALUE>>","b":"<<OBJECT_VARIABLE_VALUE>>","c":"<<OBJECT_VARIABLE_VALUE>>","d":""}"#
        );
    }

    #[test]
    fn missing_names_are_empty_and_unknown_ones_fall_into_place() {
        let variables = r#"[{"name":"m","value":["1"]},{"name":"z","value":["2"]},{"name":"a","value":["3"]},{"name":null,"value":["4"]}]"#;
        assert_eq!(
            values(variables, &["b", "m", "x"]),
            r#"{"a":"3","b":"","m":"1","x":"","z":"2"}"#
        );
    }

    #[test]
    fn a_row_whose_variables_come_in_another_order_is_no_surprise() {
        let names = VariableNames::new(["a", "b", "c"].map(str::to_owned).to_vec());
        let (mut scratch, mut out) = (Scratch::default(), JsonText::default());
        for (variables, expected) in [
            (
                r#"[{"name":"c","value":"1"},{"name":"a","value":"2"}]"#,
                r#"{"a":"2","b":"","c":"1"}"#,
            ),
            (
                r#"[{"name":"x","value":"1"},{"name":"a","value":"2"},{"name":"b","value":"3"}]"#,
                r#"{"a":"2","b":"3","c":"","x":"1"}"#,
            ),
            (
                r#"[{"name":"a","value":"1"},{"name":"c","value":"2"},{"name":"b","value":"3"}]"#,
                r#"{"a":"1","b":"3","c":"2"}"#,
            ),
        ] {
            let Many(variables): Many<Variable<'_>> = Cursor::new(variables).read().unwrap();
            write(
                &mut out,
                &variables,
                &names,
                ObjectVariables::Values,
                &mut scratch,
            );
            assert_eq!(String::from_utf8(out.take()).unwrap(), expected);
        }
    }

    #[test]
    fn the_last_of_two_counts() {
        let variables = r#"[{"name":"a","value":["1"]},{"name":"b","value":["2"]},{"name":"a","value":["3"]},{"name":"b","value":["4"]}]"#;
        assert_eq!(values(variables, &["a"]), r#"{"a":"3","b":"4"}"#);
    }

    #[test]
    fn names_are_in_the_order_of_java_strings() {
        // U+1F600 is written as surrogates from D83D on in UTF-16, so it comes before U+FF21; as code points it is after.
        let names = VariableNames::new(
            ["a", "B", "\u{ff21}", "\u{1f600}", "a"]
                .map(str::to_owned)
                .to_vec(),
        );
        assert_eq!(names.as_slice(), ["B", "a", "\u{1f600}", "\u{ff21}"]);
    }
}
