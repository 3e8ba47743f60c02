//! Tables as bytes: one file a format, behind one trait.
//!
//! An encoder gets the rows of one table one after the other and appends bytes to a buffer that its caller empties in between.
//! It holds no more than its format makes it hold: text formats nothing, Parquet and Arrow a batch that is bounded by bytes.

use crate::table::value::Value;

/// Makes the bytes of one table.
pub trait Encoder: Send {
    /// What comes before the first row.
    ///
    /// # Errors
    /// See [`EncodeError`].
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// A row: a value for each column, in their order.
    ///
    /// # Errors
    /// See [`EncodeError`].
    fn row(&mut self, row: &[Value<'_>], out: &mut Vec<u8>) -> Result<(), EncodeError>;

    /// What comes after the last row. Without it no reader takes the bytes for whole, where the format can tell.
    ///
    /// # Errors
    /// See [`EncodeError`].
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError>;
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
    /// The library that writes the format refuses.
    #[error("the {format} encoder: {problem}")]
    Library {
        /// The format.
        format: &'static str,
        /// What the library says.
        problem: String,
    },
}
