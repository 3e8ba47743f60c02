//! A JSON object a line, with all columns in their order.

use optimize::json::JsonText;
use optimize::table::schema::Schema;
use optimize::table::value::Value;

use crate::encode::csv::array;
use crate::encode::{EncodeError, Encoder, check_width, readable_json};

/// Writes a table as JSON objects. Every value is written by its own kind.
#[derive(Debug)]
pub struct NdjsonEncoder {
    /// What stands before each value: the brace or comma, and the name with its colon.
    heads: Vec<String>,
}

impl NdjsonEncoder {
    /// An encoder for the columns of a table.
    pub fn new(schema: &Schema) -> Self {
        let mut first = true;
        let heads = schema.columns.iter().map(|column| {
            let mut json = JsonText::default();
            if first {
                json.raw("{");
            }
            json.name(&utf16::for_people(&column.name), &mut first);
            // Names are texts, and texts stay such in JSON.
            String::from_utf8(json.into_bytes()).unwrap_or_default()
        });
        Self {
            heads: heads.collect(),
        }
    }
}

/// Writes a value.
fn value(value: &Value<'_>, json: &mut JsonText) {
    match value {
        Value::Null => json.raw("null"),
        Value::Text(text) => json.string(&utf16::for_people(text)),
        Value::Integer(number) => json.integer(*number),
        Value::Double(number) => json.optional_double(Some(*number)),
        Value::Boolean(truth) => json.raw(if *truth { "true" } else { "false" }),
        Value::Instant(instant) => json.string(&utf16::for_people(&instant.shown)),
        Value::List(texts) => array(texts, json),
        Value::Json(text) => json.raw(&readable_json(text)),
    }
}

impl Encoder<[Value<'_>]> for NdjsonEncoder {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }

    fn row(&mut self, row: &[Value<'_>], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        check_width(row.len(), self.heads.len())?;
        JsonText::extend(out, |json| {
            if row.is_empty() {
                json.raw("{");
            }
            for (head, cell) in self.heads.iter().zip(row) {
                json.raw(head);
                value(cell, json);
            }
            json.raw("}\n");
        });
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use optimize::table::schema::{Column, ColumnType};
    use proptest::prelude::*;
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;
    use crate::encode::fixtures::{HALF, any_row, encode, every_type, rows, schema};

    fn lines(schema: &Schema, rows: &[Vec<Value<'_>>]) -> Vec<String> {
        let bytes = encode(&mut NdjsonEncoder::new(schema), rows);
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_kind_of_value_has_its_json() {
        assert_eq!(
            lines(&every_type(), &rows()),
            [
                r#"{"text":"order","integer":42,"double":5.0,"boolean":true,"instant":"2025-06-15T14:26:40.123+0200","list":["a","b"],"variables:rest":{"x":["1"]}}"#,
                r#"{"text":null,"integer":null,"double":null,"boolean":null,"instant":null,"list":null,"variables:rest":null}"#,
                "{\"text\":\"cut \u{fffd}\",\"integer\":9007199254740993,\"double\":0.30000000000000004,\"boolean\":false,\"instant\":\"=tomorrow\",\"list\":[\"cut \u{fffd}\",\"\\\"\"],\"variables:rest\":{\"x\":[\"\u{fffd}\"]}}",
                r#"{"text":"","integer":-9223372036854775808,"double":1.0e300,"boolean":false,"instant":"2025-06-15T14:26:40.123+0200","list":[],"variables:rest":{}}"#,
            ]
        );
    }

    #[test]
    fn names_are_escaped() {
        let column = |name| Column::nullable(name, ColumnType::Text, "");
        let schema = schema(vec![column("a\"b\\\n"), column(HALF)]);
        assert_eq!(
            lines(&schema, &[vec![Value::Null, Value::Null]]),
            ["{\"a\\\"b\\\\\\n\":null,\"cut \u{fffd}\":null}"]
        );
    }

    #[test]
    fn a_table_without_columns_has_rows_all_the_same() {
        assert_eq!(lines(&schema(vec![]), &[vec![], vec![]]), ["{}", "{}"]);
    }

    proptest! {
        #[test]
        fn any_rows_are_objects_on_their_own_lines(rows in prop::collection::vec(any_row(), 0..8)) {
            let bytes = encode(&mut NdjsonEncoder::new(&every_type()), &rows);
            let mut read = bytes.split(|byte| *byte == b'\n');
            for row in &rows {
                let line: BTreeMap<String, Box<RawValue>> =
                    serde_json::from_slice(read.next().unwrap()).unwrap();
                let people = |text: &str| utf16::for_people(text).into_owned();
                for (value, column) in row.iter().zip(every_type().columns) {
                    let cell = line[&column.name].get();
                    let expected = match value {
                        Value::Null => json!(null),
                        Value::Text(text) => json!(people(text)),
                        Value::Integer(number) => json!(number),
                        Value::Double(number) => {
                            // serde_json's usual reader of numbers is off by a bit at times.
                            let read: f64 = cell.parse().unwrap();
                            prop_assert_eq!(read.to_bits(), number.to_bits());
                            continue;
                        }
                        Value::Boolean(truth) => json!(truth),
                        Value::Instant(instant) => json!(people(&instant.shown)),
                        Value::List(texts) => texts.iter().map(|text| json!(people(text))).collect(),
                        Value::Json(json) => serde_json::from_str(&readable_json(json)).unwrap(),
                    };
                    let cell: serde_json::Value = serde_json::from_str(cell).unwrap();
                    prop_assert_eq!(cell, expected);
                }
            }
            prop_assert_eq!(read.next(), Some(b"".as_slice()));
            prop_assert_eq!(read.next(), None);
        }
    }
}
