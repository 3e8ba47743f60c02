//! The JSON of Optimize's export: pages of raw data, and results.
//!
//! Source: docs/ENDPOINT.md, "The answer". What the members of a row hold is decided in `optimize::raw_data`; here is how
//! they are written.

mod clauses;
mod decision_row;
mod envelope;
mod members;
mod process_row;
mod result;
mod text;
mod variables;

use optimize::json::JsonText;
use optimize::raw_data::Row;

use crate::encode::{EncodeError, Encoder};

pub use envelope::Envelope;

/// A page of raw data: the members around it, and a list of objects.
pub struct PageEncoder<'e> {
    envelope: Envelope<'e>,
    rows: u64,
}

impl<'e> PageEncoder<'e> {
    /// A page within an envelope.
    pub const fn new(envelope: Envelope<'e>) -> Self {
        Self { envelope, rows: 0 }
    }

    /// How many rows it has so far.
    pub const fn rows(&self) -> u64 {
        self.rows
    }
}

impl Encoder<Row<'_>> for PageEncoder<'_> {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        JsonText::extend(out, |json| {
            self.envelope.write_head(json, None);
            json.raw(",\"data\":[");
        });
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        JsonText::extend(out, |json| {
            json.separator(&mut (self.rows == 0));
            write_object(row, json);
        });
        self.rows += 1;
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        JsonText::extend(out, |json| {
            json.raw("],\"numberOfRecordsInResponse\":");
            json.unsigned(self.rows);
            json.raw("}");
        });
        Ok(())
    }
}

/// The objects of a page, one a line.
#[derive(Debug, Clone, Copy)]
pub struct LinesEncoder;

impl Encoder<Row<'_>> for LinesEncoder {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        JsonText::extend(out, |json| {
            write_object(row, json);
            json.raw("\n");
        });
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }
}

fn write_object(row: &Row<'_>, json: &mut JsonText) {
    match row {
        Row::Process(row) => process_row::write(row, json),
        Row::Decision(row) => decision_row::write(row, json),
    }
}
