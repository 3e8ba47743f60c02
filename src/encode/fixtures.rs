//! Tables for the tests of the encoders.

use std::borrow::Cow;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use optimize::table::schema::{Column, ColumnType, Schema, Table};
use optimize::table::value::{Instant, Value};
use proptest::prelude::*;

use crate::encode::{TableEncoder, readable_json};

/// The end of a text that was cut in the middle of an emoji: U+D83D as it is held.
pub(super) const HALF: &str = "cut \u{10fffe}\u{f003d}";
/// What is left of it.
pub(super) const HALF_SHOWN: &str = "cut \u{fffd}";

/// A table with these columns.
pub(super) fn schema(columns: Vec<Column>) -> Schema {
    Schema {
        table: Table::Instances,
        columns,
        primary_key: &[],
    }
}

/// A table with a column of each type, named after it, and one of JSON.
pub(super) fn every_type() -> Schema {
    let columns = ColumnType::ALL.iter();
    let mut columns: Vec<_> = columns
        .map(|column_type| Column::nullable(column_type.id(), *column_type, ""))
        .collect();
    columns.push(Column::nullable("variables:rest", ColumnType::Text, ""));
    schema(columns)
}

/// A text that nobody else owns.
pub(super) fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

/// 2025-06-15T12:26:40.123Z.
pub(super) fn instant() -> Value<'static> {
    Value::Instant(Instant {
        millis: Some(1_749_990_400_123),
        shown: Cow::Borrowed("2025-06-15T14:26:40.123+0200"),
    })
}

/// A date that is none.
pub(super) fn no_instant() -> Value<'static> {
    Value::Instant(Instant {
        millis: None,
        shown: Cow::Borrowed("=tomorrow"),
    })
}

/// Rows of [`every_type`]: usual values, nothing, and what is hard.
pub(super) fn rows() -> Vec<Vec<Value<'static>>> {
    vec![
        vec![
            text("order"),
            Value::Integer(42),
            Value::Double(5.0),
            Value::Boolean(true),
            instant(),
            Value::List(vec!["a".into(), "b".into()]),
            Value::Json(r#"{"x":["1"]}"#.into()),
        ],
        vec![Value::Null; 7],
        vec![
            text(HALF),
            // 2^53 + 1, which a double can't hold.
            Value::Integer(9_007_199_254_740_993),
            // Seventeen digits.
            Value::Double(0.300_000_000_000_000_04),
            Value::Boolean(false),
            no_instant(),
            Value::List(vec![HALF.into(), "\"".into()]),
            Value::Json(r#"{"x":["\ud83d"]}"#.into()),
        ],
        vec![
            text(""),
            Value::Integer(i64::MIN),
            Value::Double(1e300),
            Value::Boolean(false),
            instant(),
            Value::List(vec![]),
            Value::Json("{}".into()),
        ],
    ]
}

/// The bytes of a whole table.
pub(super) fn encode(encoder: &mut TableEncoder, rows: &[Vec<Value<'_>>]) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.begin(&mut out).unwrap();
    for row in rows {
        encoder.row(row, &mut out).unwrap();
    }
    encoder.end(&mut out).unwrap();
    out
}

/// Any text, with those often that are hard to write.
pub(super) fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[-,;\"'\r\n\t =+@a0|]{0,6}",
        Just(HALF.to_owned())
    ]
}

/// Any row of [`every_type`].
pub(super) fn any_row() -> impl Strategy<Value = Vec<Value<'static>>> {
    let number = any::<f64>().prop_filter("finite", |number| number.is_finite());
    let moment = (any::<Option<i64>>(), any_text()).prop_map(|(millis, shown)| {
        Value::Instant(Instant {
            millis,
            shown: shown.into(),
        })
    });
    let texts = prop::collection::vec(any_text().prop_map(Cow::Owned), 0..4);
    let json = any_text().prop_map(|text| serde_json::json!({ "a": text }).to_string());
    (
        or_nothing(any_text().prop_map(|text| Value::Text(text.into()))),
        or_nothing(any::<i64>().prop_map(Value::Integer)),
        or_nothing(number.prop_map(Value::Double)),
        or_nothing(any::<bool>().prop_map(Value::Boolean)),
        or_nothing(moment),
        or_nothing(texts.prop_map(Value::List)),
        or_nothing(json.prop_map(|json| Value::Json(json.into()))),
    )
        .prop_map(|(a, b, c, d, e, f, g)| vec![a, b, c, d, e, f, g])
}

fn or_nothing(
    value: impl Strategy<Value = Value<'static>>,
) -> impl Strategy<Value = Value<'static>> {
    prop_oneof![1 => Just(Value::Null), 3 => value]
}

/// A value of a batch: what a typed column holds of it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    /// Nothing.
    Null,
    /// Text, with U+FFFD for halves of surrogate pairs.
    Text(String),
    /// An integer, or milliseconds.
    Integer(i64),
    /// The bits of a floating point number.
    Double(u64),
    /// True or false.
    Boolean(bool),
    /// Texts.
    List(Vec<String>),
}

/// What a typed column holds of a row.
pub(super) fn cells_of_row(row: &[Value<'_>]) -> Vec<Cell> {
    let people = |text: &str| utf16::for_people(text).into_owned();
    let cells = row.iter().map(|value| match value {
        Value::Null => Cell::Null,
        Value::Text(text) => Cell::Text(people(text)),
        Value::Json(json) => Cell::Text(readable_json(json).into_owned()),
        Value::Integer(number) => Cell::Integer(*number),
        Value::Double(number) => Cell::Double(number.to_bits()),
        Value::Boolean(truth) => Cell::Boolean(*truth),
        Value::Instant(instant) => instant.millis.map_or(Cell::Null, Cell::Integer),
        Value::List(texts) => Cell::List(texts.iter().map(|text| people(text)).collect()),
    });
    cells.collect()
}

/// The rows of batches, read back.
pub(super) fn cells_of_batches(batches: &[RecordBatch]) -> Vec<Vec<Cell>> {
    let rows = batches
        .iter()
        .flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)));
    let cells = rows.map(|(batch, row)| {
        let columns = batch.columns().iter();
        columns.map(|column| cell(column.as_ref(), row)).collect()
    });
    cells.collect()
}

fn cell(column: &dyn Array, row: usize) -> Cell {
    if column.is_null(row) {
        return Cell::Null;
    }
    match column.data_type() {
        DataType::Utf8 => Cell::Text(column.as_string::<i32>().value(row).to_owned()),
        DataType::Int64 => Cell::Integer(column.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => {
            Cell::Double(column.as_primitive::<Float64Type>().value(row).to_bits())
        }
        DataType::Boolean => Cell::Boolean(column.as_boolean().value(row)),
        DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) if zone.as_ref() == "UTC" => {
            Cell::Integer(column.as_primitive::<TimestampMillisecondType>().value(row))
        }
        DataType::List(_) => {
            let texts = column.as_list::<i32>().value(row);
            let texts = texts.as_string::<i32>().iter();
            Cell::List(texts.map(|text| text.unwrap().to_owned()).collect())
        }
        other => panic!("no column is of {other}"),
    }
}
