//! Rows as bytes: one file a format, behind one trait.
//!
//! An encoder gets rows one after the other, the objects of `json` or those of one table, and appends bytes to a buffer that its caller empties in between.
//! It holds no more than its format makes it hold: text formats nothing, Parquet and Arrow a batch that is bounded by bytes.

pub mod arrow;
pub mod batch;
pub mod compression;
pub mod csv;
pub mod json;
pub mod ndjson;
pub mod parquet;

use std::borrow::Cow;

use optimize::id_enum;
use optimize::table::schema::Schema;
use optimize::table::value::Value;

use crate::encode::arrow::ArrowEncoder;
use crate::encode::csv::{CsvEncoder, CsvOptions};
use crate::encode::ndjson::NdjsonEncoder;
use crate::encode::parquet::ParquetEncoder;

id_enum! {
    /// A format that a table is delivered in.
    pub enum Format {
        /// Comma separated values, RFC 4180.
        Csv = "csv",
        /// A JSON object a line.
        Ndjson = "ndjson",
        /// Apache Parquet.
        Parquet = "parquet",
        /// Apache Arrow's stream format.
        Arrow = "arrow",
    }
}

impl Format {
    /// The media type of an answer.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Ndjson => "application/x-ndjson",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// How the name of a file ends, without the dot. Arrow's stream format has `arrows`, since `arrow` is its file format.
    pub const fn file_extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::Parquet => "parquet",
            Self::Arrow => "arrows",
        }
    }

    /// Whether it is text, which is worth compressing on its way; Parquet is compressed already, and readers of Arrow map it
    /// into memory as it is.
    pub const fn is_text(self) -> bool {
        match self {
            Self::Csv | Self::Ndjson => true,
            Self::Parquet | Self::Arrow => false,
        }
    }

    /// Whether an encoder holds back a batch of rows, and needs the memory for it.
    pub const fn batches_rows(self) -> bool {
        match self {
            Self::Csv | Self::Ndjson => false,
            Self::Parquet | Self::Arrow => true,
        }
    }

    /// Whether a variable that is a list is one text, as in `json`, because cells are texts; the others have it in a column of
    /// its own kind.
    pub const fn joins_lists(self) -> bool {
        match self {
            Self::Csv => true,
            Self::Ndjson | Self::Parquet | Self::Arrow => false,
        }
    }

    /// Whether instances without a choice of columns are the objects of `json`.
    pub const fn has_objects(self) -> bool {
        match self {
            Self::Ndjson => true,
            Self::Csv | Self::Parquet | Self::Arrow => false,
        }
    }
}

/// The encoder of a table in a format. The options are for CSV, the metadata for Parquet and Arrow.
pub fn encoder(
    format: Format,
    schema: &Schema,
    options: CsvOptions,
    metadata: Vec<(String, String)>,
) -> Box<TableEncoder> {
    match format {
        Format::Csv => Box::new(CsvEncoder::new(schema, options)),
        Format::Ndjson => Box::new(NdjsonEncoder::new(schema)),
        Format::Parquet => Box::new(ParquetEncoder::new(schema, metadata)),
        Format::Arrow => Box::new(ArrowEncoder::new(schema, metadata)),
    }
}

/// Makes encoders of one table, for a table that goes into several files.
#[derive(Debug, Clone)]
pub struct Encoders {
    /// The format.
    pub format: Format,
    /// The columns.
    pub schema: Schema,
    /// How CSV is written.
    pub csv: CsvOptions,
    /// What Parquet and Arrow say about the table.
    pub metadata: Vec<(String, String)>,
}

impl Encoders {
    /// One for the next file.
    pub fn make(&self) -> Box<TableEncoder> {
        encoder(self.format, &self.schema, self.csv, self.metadata.clone())
    }
}

/// Makes the bytes of one table, whose rows have a value for each column, in their order.
pub type TableEncoder = dyn for<'v> Encoder<[Value<'v>]>;

/// Makes bytes of rows.
pub trait Encoder<Row: ?Sized>: Send {
    /// What comes before the first row.
    ///
    /// # Errors
    /// See [`EncodeError`].
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// A row.
    ///
    /// # Errors
    /// See [`EncodeError`].
    fn row(&mut self, row: &Row, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// What comes after the last row. Without it no reader takes the bytes for whole, where the format can tell.
    ///
    /// # Errors
    /// See [`EncodeError`].
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// How many bytes it would write at most if it ended now: what it holds back, and what it ends with.
    fn held(&self) -> usize {
        0
    }
}

/// Why a row has no bytes. None of it is the fault of a client or of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A row has another number of values than there are columns.
    #[error("a row has {values} values for {columns} columns")]
    Width {
        /// Values of the row.
        values: usize,
        /// Columns of the table.
        columns: usize,
    },
    /// A value is none of its column's type.
    #[error("column {column:?} has the type {expected}, and a row has something else there")]
    OtherType {
        /// Name of the column.
        column: String,
        /// Its type.
        expected: &'static str,
    },
    /// Nothing, where a column has a value in every row.
    #[error("column {column:?} has a value in every row, and a row has none")]
    Missing {
        /// Name of the column.
        column: String,
    },
    /// More text in one row than a batch can address.
    #[error("a row has {bytes} bytes, and a batch takes no more than {limit}")]
    TooLarge {
        /// Bytes of the row.
        bytes: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A row or an end before the beginning.
    #[error("rows come after the beginning and before the end")]
    OutOfOrder,
    /// The library that writes the format refuses.
    #[error("the {format} encoder: {problem}")]
    Library {
        /// The format.
        format: &'static str,
        /// What the library says.
        problem: String,
    },
}

/// Checks that a row has a value for each column.
fn check_width(values: usize, columns: usize) -> Result<(), EncodeError> {
    if values == columns {
        return Ok(());
    }
    Err(EncodeError::Width { values, columns })
}

/// JSON text that every parser reads: a half of a surrogate pair, held or escaped, becomes U+FFFD as in plain text.
///
/// Many parsers refuse a lone escape like `\ud83d`, and then the whole file.
fn readable_json(json: &str) -> Cow<'_, str> {
    match utf16::hold(json.as_bytes()) {
        Cow::Borrowed(_) => utf16::for_people(json),
        // What was text before is text after.
        Cow::Owned(held) => String::from_utf8(held).map_or(Cow::Borrowed(json), |held| {
            Cow::Owned(utf16::for_people(&held).into_owned())
        }),
    }
}

#[cfg(test)]
mod fixtures;

#[cfg(test)]
mod tests {
    use optimize::table::schema::{Column, ColumnType};

    use super::fixtures::{encode, every_type, rows, schema};
    use super::*;

    #[test]
    fn a_format_has_the_media_type_and_file_name_that_tools_know() {
        let known: Vec<_> = Format::ALL
            .iter()
            .map(|format| (format.id(), format.file_extension(), format.content_type()))
            .collect();
        assert_eq!(
            known,
            [
                ("csv", "csv", "text/csv; charset=utf-8; header=present"),
                ("ndjson", "ndjson", "application/x-ndjson"),
                ("parquet", "parquet", "application/vnd.apache.parquet"),
                ("arrow", "arrows", "application/vnd.apache.arrow.stream"),
            ]
        );
        for format in Format::ALL {
            assert_ne!(format.is_text(), format.batches_rows());
        }
    }

    #[test]
    fn a_row_of_another_width_is_refused_by_every_format() {
        for format in Format::ALL.iter().copied() {
            let mut out = Vec::new();
            let mut encoder = encoder(format, &every_type(), CsvOptions::default(), Vec::new());
            encoder.begin(&mut out).unwrap();
            let before = out.clone();
            assert_eq!(
                encoder.row(&[Value::Null], &mut out),
                Err(EncodeError::Width {
                    values: 1,
                    columns: 7
                }),
                "{format}"
            );
            assert_eq!(out, before, "{format}");
        }
    }

    #[test]
    fn formats_with_types_refuse_a_value_of_another_one_and_never_end_after_it() {
        let column = Column::required("a", ColumnType::Integer, "");
        for format in [Format::Arrow, Format::Parquet] {
            for (row, error) in [
                (
                    [Value::Double(1.0)],
                    EncodeError::OtherType {
                        column: "a".to_owned(),
                        expected: "integer",
                    },
                ),
                (
                    [Value::Null],
                    EncodeError::Missing {
                        column: "a".to_owned(),
                    },
                ),
            ] {
                let mut out = Vec::new();
                let schema = schema(vec![column.clone()]);
                let mut encoder = encoder(format, &schema, CsvOptions::default(), Vec::new());
                encoder.begin(&mut out).unwrap();
                encoder.row(&[Value::Integer(1)], &mut out).unwrap();
                let before = out.clone();
                assert_eq!(encoder.row(&row, &mut out), Err(error), "{format}");
                assert_eq!(encoder.end(&mut out), Err(EncodeError::OutOfOrder));
                assert_eq!(out, before, "{format}");
            }
        }
    }

    #[test]
    fn binary_formats_want_a_beginning() {
        for format in [Format::Arrow, Format::Parquet] {
            let mut encoder = encoder(format, &every_type(), CsvOptions::default(), Vec::new());
            let mut out = Vec::new();
            let row = rows().remove(0);
            assert_eq!(encoder.row(&row, &mut out), Err(EncodeError::OutOfOrder));
            assert_eq!(encoder.end(&mut out), Err(EncodeError::OutOfOrder));
            assert!(out.is_empty());
        }
    }

    #[test]
    fn what_is_in_the_buffer_already_stays_there() {
        for format in Format::ALL.iter().copied() {
            let alone = encode(
                &mut *encoder(format, &every_type(), CsvOptions::default(), Vec::new()),
                &rows(),
            );
            let mut out = b"before".to_vec();
            let mut encoder = encoder(format, &every_type(), CsvOptions::default(), Vec::new());
            encoder.begin(&mut out).unwrap();
            for row in rows() {
                encoder.row(&row, &mut out).unwrap();
            }
            encoder.end(&mut out).unwrap();
            assert_eq!(
                out.strip_prefix(b"before"),
                Some(alone.as_slice()),
                "{format}"
            );
        }
    }

    #[test]
    fn json_is_readable_by_every_parser() {
        for (json, readable) in [
            (r#"{"a":[1,"x"]}"#, r#"{"a":[1,"x"]}"#),
            (
                r#"["\ud83d","\ud83d\ude00"]"#,
                "[\"\u{fffd}\",\"\\ud83d\\ude00\"]",
            ),
            ("[\"\u{10fffe}\u{f003d}\"]", "[\"\u{fffd}\"]"),
        ] {
            assert_eq!(readable_json(json), readable);
            assert!(serde_json::from_str::<serde_json::Value>(readable).is_ok());
        }
    }
}
