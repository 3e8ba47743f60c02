//! Arrow's stream format: a message with the schema, one for each batch of rows, and an end mark.

use arrow_ipc::writer::StreamWriter;
use arrow_schema::ArrowError;
use optimize::table::schema::Schema;
use optimize::table::value::Value;

use crate::encode::batch::{Batches, readable};
use crate::encode::{EncodeError, Encoder};

/// Writes a table as a stream of Arrow's.
pub struct ArrowEncoder {
    batches: Batches,
    /// The library's writer, from the beginning to the end. The vector inside is lent for each call: it is empty in between.
    writer: Option<StreamWriter<Vec<u8>>>,
}

impl std::fmt::Debug for ArrowEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ArrowEncoder").field(&self.batches).finish()
    }
}

impl ArrowEncoder {
    /// An encoder for the columns of a table; the metadata stands in the schema.
    pub fn new(schema: &Schema, metadata: Vec<(String, String)>) -> Self {
        Self {
            batches: Batches::new(schema, readable(metadata).collect()),
            writer: None,
        }
    }

    /// Writes the rows so far.
    fn write(
        &mut self,
        writer: &mut StreamWriter<Vec<u8>>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let Some(batch) = self.batches.take().map_err(refused)? else {
            return Ok(());
        };
        std::mem::swap(writer.get_mut(), out);
        let result = writer.write(&batch);
        std::mem::swap(writer.get_mut(), out);
        result.map_err(refused)
    }
}

/// What the library says.
fn refused(error: ArrowError) -> EncodeError {
    EncodeError::Library {
        format: "arrow",
        problem: error.to_string(),
    }
}

impl Encoder<[Value<'_>]> for ArrowEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut writer =
            StreamWriter::try_new(Vec::new(), self.batches.schema()).map_err(refused)?;
        out.append(writer.get_mut());
        self.writer = Some(writer);
        Ok(())
    }

    fn row(&mut self, row: &[Value<'_>], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.writer.is_none() {
            return Err(EncodeError::OutOfOrder);
        }
        // After an error there is no writer any more, and no end that would make the rest look whole.
        let pushed = self.batches.push(row);
        pushed.inspect_err(|_| self.writer = None)?;
        if !self.batches.is_full() {
            return Ok(());
        }
        let mut writer = self.writer.take().ok_or(EncodeError::OutOfOrder)?;
        self.write(&mut writer, out)?;
        self.writer = Some(writer);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut writer = self.writer.take().ok_or(EncodeError::OutOfOrder)?;
        self.write(&mut writer, out)?;
        writer.finish().map_err(refused)?;
        out.append(writer.get_mut());
        Ok(())
    }

    fn held(&self) -> usize {
        self.batches.bytes()
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::RecordBatch;
    use arrow_ipc::reader::StreamReader;
    use optimize::table::schema::{Column, ColumnType};
    use proptest::prelude::*;

    use super::*;
    use crate::encode::batch::MAX_ROWS;
    use crate::encode::fixtures::{
        HALF, HALF_SHOWN, any_row, cells_of_batches, cells_of_row, encode, every_type, rows,
        schema, text,
    };

    /// How a stream ends that has nothing more (Arrow columnar format, "IPC streaming format").
    const END: &[u8] = b"\xff\xff\xff\xff\0\0\0\0";

    fn read(bytes: &[u8]) -> Vec<RecordBatch> {
        let reader = StreamReader::try_new(bytes, None).unwrap();
        reader.map(Result::unwrap).collect()
    }

    #[test]
    fn what_arrow_reads_are_the_values_that_were_written() {
        let metadata = vec![("optimize-export.report-name".to_owned(), HALF.to_owned())];
        let bytes = encode(&mut ArrowEncoder::new(&every_type(), metadata), &rows());
        let reader = StreamReader::try_new(bytes.as_slice(), None).unwrap();
        assert_eq!(
            reader.schema().metadata["optimize-export.report-name"],
            HALF_SHOWN
        );
        let expected: Vec<_> = rows().iter().map(|row| cells_of_row(row)).collect();
        assert_eq!(cells_of_batches(&read(&bytes)), expected);
        assert!(bytes.ends_with(END));
    }

    #[test]
    fn the_schema_comes_first_and_batches_as_soon_as_they_are_full() {
        let schema = schema(vec![Column::required("a", ColumnType::Integer, "")]);
        let mut encoder = ArrowEncoder::new(&schema, vec![]);
        let mut out = Vec::new();
        encoder.begin(&mut out).unwrap();
        assert_eq!(
            StreamReader::try_new(out.as_slice(), None)
                .unwrap()
                .schema()
                .field(0)
                .name(),
            "a"
        );
        let head = out.len();
        let full = i64::try_from(MAX_ROWS).unwrap();
        for number in 0..full - 1 {
            encoder.row(&[Value::Integer(number)], &mut out).unwrap();
        }
        assert_eq!(out.len(), head);
        encoder.row(&[Value::Integer(full)], &mut out).unwrap();
        let first = out.len();
        assert!(first > head + 8 * MAX_ROWS);
        encoder.row(&[Value::Integer(full)], &mut out).unwrap();
        assert_eq!(out.len(), first);
        encoder.end(&mut out).unwrap();
        let rows: Vec<_> = read(&out).iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows, [MAX_ROWS, 1]);
    }

    #[test]
    fn a_stream_that_was_dropped_has_no_end_mark() {
        let mut encoder = ArrowEncoder::new(&every_type(), vec![]);
        let mut out = Vec::new();
        encoder.begin(&mut out).unwrap();
        for row in rows() {
            encoder.row(&row, &mut out).unwrap();
        }
        drop(encoder);
        assert!(!out.ends_with(END));
        let whole = encode(&mut ArrowEncoder::new(&every_type(), vec![]), &rows());
        let cut = &whole[..whole.len() - END.len() - 1];
        let mut reader = StreamReader::try_new(cut, None).unwrap();
        assert!(reader.next().unwrap().is_err());
    }

    #[test]
    fn a_table_without_rows_or_columns_can_be_read() {
        let bytes = encode(&mut ArrowEncoder::new(&every_type(), vec![]), &[]);
        assert!(read(&bytes).is_empty());
        let bytes = encode(
            &mut ArrowEncoder::new(&schema(vec![]), vec![]),
            &[vec![], vec![]],
        );
        assert_eq!(read(&bytes)[0].num_rows(), 2);
    }

    #[test]
    fn one_long_text_is_a_batch_of_its_own() {
        let long = "é".repeat(15_000_000);
        let schema = schema(vec![Column::nullable("a", ColumnType::Text, "")]);
        let bytes = encode(
            &mut ArrowEncoder::new(&schema, vec![]),
            &[vec![text(&long)], vec![Value::Null]],
        );
        let batches = read(&bytes);
        assert_eq!(batches.len(), 2);
        assert_eq!(
            cells_of_batches(&batches[..1]),
            [cells_of_row(&[text(&long)])]
        );
    }

    proptest! {
        #[test]
        fn any_rows_are_read_back_as_they_were(rows in prop::collection::vec(any_row(), 0..20)) {
            let bytes = encode(&mut ArrowEncoder::new(&every_type(), vec![]), &rows);
            let expected: Vec<_> = rows.iter().map(|row| cells_of_row(row)).collect();
            prop_assert_eq!(cells_of_batches(&read(&bytes)), expected);
        }
    }
}
