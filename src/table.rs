//! Reports as tables: columns that have a type, and rows of values.
//!
//! A table knows its columns before its first row, and no column comes later ([`schema`]). A row is a list of [`value::Value`]s,
//! one for each column that was selected, borrowed from the hit that it was made of. Nothing here does I/O, and nothing knows
//! how a value is written: that is the business of the encoders ([`crate::encode`]).

pub mod result;
pub mod schema;
pub mod value;
