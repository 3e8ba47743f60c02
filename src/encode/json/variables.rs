//! The `variables` member of a process row: every name of the report, in order, missing ones empty.
//!
//! Source: crates/optimize/docs/raw-data.md, "Variables of rows".

use optimize::json::JsonText;
use optimize::raw_data::variables::{OBJECT_PLACEHOLDER, RowVariables, VariableValue, joined};

use super::text;

/// Writes the object of variables.
pub fn write(variables: &RowVariables<'_>, out: &mut JsonText) {
    let mut first = true;
    out.raw("{");
    variables.for_each(|name, value| {
        out.known_name(name, &mut first);
        match value {
            VariableValue::Nothing => out.raw("\"\""),
            VariableValue::Placeholder => out.string(OBJECT_PLACEHOLDER),
            VariableValue::Null => out.raw("null"),
            VariableValue::List(values) => {
                let mut first = true;
                out.raw("[");
                for value in values {
                    out.separator(&mut first);
                    text::write(value, out);
                }
                out.raw("]");
            }
            VariableValue::One(value) => text::write(value, out),
            VariableValue::Joined(values) => out.string(&joined(values)),
        }
    });
    out.raw("}");
}

#[cfg(test)]
mod tests {
    use optimize::raw_data::cursor::Cursor;
    use optimize::raw_data::document::Many;
    use optimize::raw_data::variables::{ObjectVariables, Scratch, Variable, VariableNames};

    use super::*;

    fn row(variables: &str, names: &[&str], objects: ObjectVariables) -> String {
        let Many(variables): Many<Variable<'_>> = Cursor::new(variables).read().unwrap();
        let names = VariableNames::new(names.iter().map(ToString::to_string).collect());
        let mut out = JsonText::default();
        // The same room twice: nothing of a row may show in the next.
        let mut scratch = Scratch::default();
        write(
            &RowVariables::of(&variables, &names, objects, &mut scratch),
            &mut out,
        );
        out = JsonText::default();
        write(
            &RowVariables::of(&variables, &names, objects, &mut scratch),
            &mut out,
        );
        String::from_utf8(out.into_bytes()).unwrap()
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
        let mut scratch = Scratch::default();
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
            let objects = ObjectVariables::Values;
            let mut out = JsonText::default();
            write(
                &RowVariables::of(&variables, &names, objects, &mut scratch),
                &mut out,
            );
            assert_eq!(String::from_utf8(out.into_bytes()).unwrap(), expected);
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
