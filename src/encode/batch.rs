//! Rows gathered column by column, until they are worth a batch of Arrow's.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
    TimestampMillisecondBuilder,
};
use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef, TimeUnit};
use optimize::table::schema::{Column, ColumnType, Schema};
use optimize::table::value::Value;

use crate::encode::{EncodeError, check_width, readable_json};

/// Bytes of values that make a batch: what a reader takes at once without thinking of its memory, and enough that the head of
/// a message (some 100 bytes a column) counts for nothing.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Rows that make a batch. Engines work on a few thousand at once (DuckDB 2,048, DataFusion 8,192).
pub const MAX_ROWS: usize = 8_192;
/// Bytes of one row. A batch counts the bytes of a column with 32 bits and a sign, and there may be nearly [`MAX_BYTES`] in
/// it already. Elasticsearch takes no document of more than 100 MB by default.
const MAX_ROW_BYTES: usize = 1024 * 1024 * 1024;
/// The zone of all moments.
const ZONE: &str = "UTC";
/// Name of the texts within a list: the one that Parquet's specification asks for (LogicalTypes.md, "Lists").
const ELEMENT: &str = "element";

/// The columns of a table, being filled.
#[derive(Debug)]
pub struct Batches {
    schema: SchemaRef,
    columns: Vec<(Column, Cells)>,
    rows: usize,
    bytes: usize,
}

/// The cells of a column.
#[derive(Debug)]
enum Cells {
    Text(StringBuilder),
    Integer(Int64Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Instant(TimestampMillisecondBuilder),
    List(ListBuilder<StringBuilder>),
}

/// What a column of a type is in Arrow.
fn data_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Text => DataType::Utf8,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Double => DataType::Float64,
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Instant => DataType::Timestamp(TimeUnit::Millisecond, Some(ZONE.into())),
        ColumnType::List => DataType::List(Arc::new(element())),
    }
}

/// A text of a list, which is never missing.
fn element() -> Field {
    Field::new(ELEMENT, DataType::Utf8, false)
}

/// The columns of a table as Arrow has them.
pub fn arrow_schema(schema: &Schema, metadata: HashMap<String, String>) -> arrow_schema::Schema {
    let fields = schema.columns.iter().map(|column| {
        Field::new(
            utf16::for_people(&column.name),
            data_type(column.column_type),
            column.is_nullable,
        )
    });
    arrow_schema::Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata)
}

impl Cells {
    fn new(column_type: ColumnType) -> Self {
        match column_type {
            ColumnType::Text => Self::Text(StringBuilder::new()),
            ColumnType::Integer => Self::Integer(Int64Builder::new()),
            ColumnType::Double => Self::Double(Float64Builder::new()),
            ColumnType::Boolean => Self::Boolean(BooleanBuilder::new()),
            ColumnType::Instant => {
                Self::Instant(TimestampMillisecondBuilder::new().with_timezone(ZONE))
            }
            ColumnType::List => {
                Self::List(ListBuilder::new(StringBuilder::new()).with_field(element()))
            }
        }
    }

    fn builder(&mut self) -> &mut dyn ArrayBuilder {
        match self {
            Self::Text(builder) => builder,
            Self::Integer(builder) => builder,
            Self::Double(builder) => builder,
            Self::Boolean(builder) => builder,
            Self::Instant(builder) => builder,
            Self::List(builder) => builder,
        }
    }

    /// Bytes that a value takes in a batch, where nothing takes as much as something.
    fn size(&self, value: &Value<'_>) -> usize {
        match (self, value) {
            (Self::Text(_), Value::Text(text) | Value::Json(text)) => text.len() + 4,
            (Self::List(_), Value::List(texts)) => {
                4 + texts.iter().map(|text| text.len() + 4).sum::<usize>()
            }
            (Self::Text(_) | Self::List(_), _) => 4,
            (Self::Boolean(_), _) => 1,
            (Self::Integer(_) | Self::Double(_) | Self::Instant(_), _) => 8,
        }
    }

    /// Appends a value, if it is of the column's kind.
    fn push(&mut self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Text(cells), Value::Text(text)) => cells.append_value(utf16::for_people(text)),
            (Self::Text(cells), Value::Json(json)) => cells.append_value(readable_json(json)),
            (Self::Text(cells), Value::Null) => cells.append_null(),
            (Self::Integer(cells), Value::Integer(number)) => cells.append_value(*number),
            (Self::Integer(cells), Value::Null) => cells.append_null(),
            (Self::Double(cells), Value::Double(number)) => cells.append_value(*number),
            (Self::Double(cells), Value::Null) => cells.append_null(),
            (Self::Boolean(cells), Value::Boolean(truth)) => cells.append_value(*truth),
            (Self::Boolean(cells), Value::Null) => cells.append_null(),
            (Self::Instant(cells), Value::Instant(instant)) => cells.append_option(instant.millis),
            (Self::Instant(cells), Value::Null) => cells.append_null(),
            (Self::List(cells), Value::List(texts)) => {
                for text in texts {
                    cells.values().append_value(utf16::for_people(text));
                }
                cells.append(true);
            }
            (Self::List(cells), Value::Null) => cells.append(false),
            _ => return false,
        }
        true
    }
}

/// Whether nothing stands in the cell.
fn is_missing(value: &Value<'_>) -> bool {
    match value {
        Value::Null => true,
        Value::Instant(instant) => instant.millis.is_none(),
        _ => false,
    }
}

impl Batches {
    /// Batches of a table, and what goes with its schema.
    pub fn new(schema: &Schema, metadata: HashMap<String, String>) -> Self {
        let columns = schema.columns.iter();
        Self {
            schema: Arc::new(arrow_schema(schema, metadata)),
            columns: columns
                .map(|column| (column.clone(), Cells::new(column.column_type)))
                .collect(),
            rows: 0,
            bytes: 0,
        }
    }

    /// The columns as Arrow has them.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Whether the rows so far are a batch.
    pub fn is_full(&self) -> bool {
        self.bytes >= MAX_BYTES || self.rows >= MAX_ROWS
    }

    /// Bytes of the values so far.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Appends a row.
    ///
    /// # Errors
    /// The row doesn't fit the columns. Then it may be there in part, and there is no batch any more.
    pub fn push(&mut self, row: &[Value<'_>]) -> Result<(), EncodeError> {
        check_width(row.len(), self.columns.len())?;
        let cells = self.columns.iter().zip(row);
        let bytes = cells.map(|((_, cells), value)| cells.size(value)).sum();
        if bytes > MAX_ROW_BYTES {
            return Err(EncodeError::TooLarge {
                bytes,
                limit: MAX_ROW_BYTES,
            });
        }
        for ((column, cells), value) in self.columns.iter_mut().zip(row) {
            if !column.is_nullable && is_missing(value) {
                return Err(EncodeError::Missing {
                    column: column.name.clone(),
                });
            }
            if !cells.push(value) {
                return Err(EncodeError::OtherType {
                    column: column.name.clone(),
                    expected: column.column_type.id(),
                });
            }
        }
        self.rows += 1;
        self.bytes += bytes;
        Ok(())
    }

    /// The rows so far as a batch; `None` if there are none. The columns are empty afterwards.
    ///
    /// # Errors
    /// A row before was refused.
    pub fn take(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        if self.rows == 0 {
            return Ok(None);
        }
        let columns = self.columns.iter_mut();
        let arrays = columns.map(|(_, cells)| cells.builder().finish()).collect();
        // A table whose columns were all deselected has rows all the same.
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        self.bytes = 0;
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options).map(Some)
    }
}

/// Metadata without halves of surrogate pairs, which the name of a report may have.
pub(super) fn readable(metadata: Vec<(String, String)>) -> impl Iterator<Item = (String, String)> {
    let text = |text: String| match utf16::for_people(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(readable) => readable,
    };
    metadata
        .into_iter()
        .map(move |(key, value)| (text(key), text(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::fixtures::{cells_of_batches, cells_of_row, every_type, rows, schema, text};

    #[test]
    fn columns_have_the_types_of_arrow() {
        let mut schema = every_type();
        schema.columns[0].is_nullable = false;
        let metadata = HashMap::from([("key".to_owned(), "value".to_owned())]);
        let arrow = arrow_schema(&schema, metadata.clone());
        let fields: Vec<_> = arrow
            .fields()
            .iter()
            .map(|field| {
                format!(
                    "{} {} {}",
                    field.name(),
                    field.data_type(),
                    field.is_nullable()
                )
            })
            .collect();
        assert_eq!(
            fields,
            [
                "text Utf8 false",
                "integer Int64 true",
                "double Float64 true",
                "boolean Boolean true",
                "instant Timestamp(ms, \"UTC\") true",
                "list List(non-null Utf8, field: 'element') true",
                "variables:rest Utf8 true",
            ]
        );
        assert_eq!(arrow.metadata, metadata);
    }

    #[test]
    fn a_batch_has_the_rows_since_the_last_one() {
        let mut batches = Batches::new(&every_type(), HashMap::new());
        assert!(batches.take().unwrap().is_none());
        for _ in 0..2 {
            for row in rows() {
                batches.push(&row).unwrap();
            }
            let batch = batches.take().unwrap().unwrap();
            let expected: Vec<_> = rows().iter().map(|row| cells_of_row(row)).collect();
            assert_eq!(cells_of_batches(&[batch]), expected);
            assert_eq!(batches.bytes(), 0);
        }
    }

    #[test]
    fn a_batch_is_full_by_rows_or_by_bytes() {
        let schema = schema(vec![Column::nullable("a", ColumnType::Text, "")]);
        let mut batches = Batches::new(&schema, HashMap::new());
        for _ in 0..MAX_ROWS {
            assert!(!batches.is_full());
            batches.push(&[Value::Null]).unwrap();
        }
        assert!(batches.is_full());
        // Four bytes for where each text ends.
        assert_eq!(batches.bytes(), 4 * MAX_ROWS);
        batches.take().unwrap();
        let long = "x".repeat(MAX_BYTES / 2 - 5);
        batches.push(&[text(&long)]).unwrap();
        batches.push(&[text(&long)]).unwrap();
        assert!(!batches.is_full());
        batches.push(&[Value::Null]).unwrap();
        assert!(batches.is_full());
    }

    #[test]
    fn a_date_that_is_none_is_missing() {
        let instant = Column::required("a", ColumnType::Instant, "");
        let mut batches = Batches::new(&schema(vec![instant]), HashMap::new());
        assert_eq!(
            batches.push(&[crate::encode::fixtures::no_instant()]),
            Err(EncodeError::Missing {
                column: "a".to_owned()
            })
        );
    }

    #[test]
    fn every_type_refuses_the_values_of_the_others() {
        let values = &rows()[0];
        for (position, column) in every_type().columns.iter().take(6).enumerate() {
            for (other, value) in values.iter().enumerate() {
                let mut batches = Batches::new(&schema(vec![column.clone()]), HashMap::new());
                let fits = batches.push(std::slice::from_ref(value)).is_ok();
                // JSON stands in columns of text.
                assert_eq!(fits, other % 6 == position, "{column:?} {value:?}");
            }
        }
    }
}
