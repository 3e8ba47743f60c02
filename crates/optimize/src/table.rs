//! Reports as tables: columns that have a type, and rows of values.
//!
//! A table knows its columns before its first row, and no column comes later ([`schema`]). A row is a list of [`value::Value`]s,
//! one for each column that was selected, borrowed from the hit that it was made of. Nothing here does I/O, and nothing knows
//! how a value is written: that is the business of the encoders (`src/encode/` of the service).
//!
//! The tables of raw data, one file each, are in [`process`] and [`decision`]. [`discovery`] finds the columns that depend on
//! the instances, [`selection`] picks those that a client asked for, and [`rows`] makes rows of hits.

pub mod changes;
pub mod decision;
pub mod discovery;
pub mod process;
pub mod result;
mod row;
pub mod rows;
pub mod schema;
pub mod selection;
pub mod typed;
pub mod value;

pub use row::EachRow;
