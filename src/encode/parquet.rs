//! Parquet: row groups that leave as soon as they are full, and a footer that says where they are.
//!
//! A row group is gathered as Arrow has it, and then encoded column by column. The library's own way is to encode all columns
//! at the same time, each with its own compressor and dictionary. With 300 columns of text, and a row group closed at 16 MiB
//! by the library's estimate, the process grew by 83 MB all the same, and a row group had 1,700 rows (measured in a debug
//! build). Column by column there is one encoder at a time, however many columns there are.
//!
//! The footer grows with the number of row groups, which no writer of Parquet can avoid: half a kilobyte for each column of each
//! row group, in memory until the end. The index of pages, which would grow with it, is left out: a row group is small enough
//! to be found by its own statistics.

use std::collections::HashMap;
use std::io::{self, Sink};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::FieldRef;
use optimize::table::schema::Schema;
use optimize::table::value::Value;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};

use crate::encode::batch::{Batches, readable};
use crate::encode::{EncodeError, Encoder};

/// Bytes of values that make a row group; the last batch may come on top. Readers like larger ones, but a stream has 96 MiB for
/// everything, and the bytes of a row group are made while its values are there. With 20 MiB, and 300 columns of texts and
/// numbers that hardly compress, the whole process grew by 57 MB (measured in a debug build), and a report of 20,000 instances
/// ended before its memory had reached what it was at 200,000.
pub const GROUP_BYTES: usize = 10 * 1024 * 1024;
/// Zstandard's own choice. There is one compressor at a time, so that its memory does not matter.
const ZSTD_LEVEL: i32 = 3;
/// Bytes that the footer has at most for a column of a row group: its place, its encodings and two values of its statistics,
/// which the library cuts off at 64 bytes each.
const FOOTER_BYTES: usize = 700;

/// Writes a table as Parquet.
pub struct ParquetEncoder {
    batches: Batches,
    metadata: Vec<(String, String)>,
    columns: Vec<GroupColumn>,
    /// Bytes of values that wait in the columns.
    group_bytes: usize,
    /// The library's writer, from the beginning to the end. The vector inside is lent for each row group: it is empty in
    /// between.
    writer: Option<SerializedFileWriter<Vec<u8>>>,
}

/// A column of the row group.
struct GroupColumn {
    field: FieldRef,
    /// Makes an encoder for this column alone.
    encoders: ArrowRowGroupWriterFactory,
    /// The values that wait, batch by batch.
    values: Vec<ArrayRef>,
}

impl std::fmt::Debug for ParquetEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ParquetEncoder")
            .field(&self.batches)
            .finish()
    }
}

impl GroupColumn {
    fn new(field: &FieldRef, properties: WriterProperties) -> Result<Self, ParquetError> {
        // The encoders are those of a file that has this column only, and is never written.
        let schema = Arc::new(arrow_schema::Schema::new(vec![Arc::clone(field)]));
        let file: ArrowWriter<Sink> = ArrowWriter::try_new(io::sink(), schema, Some(properties))?;
        let (_, encoders) = file.into_serialized_writer()?;
        Ok(Self {
            field: Arc::clone(field),
            encoders,
            values: Vec::new(),
        })
    }

    /// Encodes the values that wait, and appends them to the row group.
    fn encode(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    ) -> Result<(), ParquetError> {
        // The number of the row group counts for encrypted files only.
        let mut encoders = self.encoders.create_column_writers(0)?;
        for values in self.values.drain(..) {
            let leaves = compute_leaves(&self.field, &values)?;
            for (encoder, leaf) in encoders.iter_mut().zip(&leaves) {
                encoder.write(leaf)?;
            }
        }
        for encoder in encoders {
            encoder.close()?.append_to_row_group(group)?;
        }
        Ok(())
    }
}

/// How columns are written. Dictionaries are tried for every column, and given up where they grow over a megabyte; the
/// library does so by itself.
fn properties() -> Result<WriterPropertiesBuilder, ParquetError> {
    Ok(WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true))
}

impl ParquetEncoder {
    /// An encoder for the columns of a table; the metadata stands in the footer.
    pub fn new(schema: &Schema, metadata: Vec<(String, String)>) -> Self {
        Self {
            batches: Batches::new(schema, HashMap::new()),
            metadata: readable(metadata).collect(),
            columns: Vec::new(),
            group_bytes: 0,
            writer: None,
        }
    }

    /// The library's writer, and its encoders for each column.
    fn open(&mut self) -> Result<SerializedFileWriter<Vec<u8>>, ParquetError> {
        let fields = self.batches.schema().fields().iter();
        self.columns = fields
            .map(|field| GroupColumn::new(field, properties()?.build()))
            .collect::<Result<_, _>>()?;
        let metadata = self.metadata.iter();
        let metadata = metadata.map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
        let properties = properties()?.set_key_value_metadata(Some(metadata.collect()));
        let schema = Arc::clone(self.batches.schema());
        let writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties.build()))?;
        let (mut writer, _) = writer.into_serialized_writer()?;
        // The magic bytes.
        writer.flush()?;
        Ok(writer)
    }

    /// Takes the rows so far into the row group.
    fn gather(&mut self) -> Result<(), ParquetError> {
        let bytes = self.batches.bytes();
        let Some(batch) = self.batches.take()? else {
            return Ok(());
        };
        self.group_bytes += bytes;
        let (_, arrays, _) = batch.into_parts();
        for (column, mut values) in self.columns.iter_mut().zip(arrays) {
            // They grew by doubling, and wait for a while.
            values.shrink_to_fit();
            column.values.push(values);
        }
        Ok(())
    }

    /// Writes the row group.
    fn write_group(
        &mut self,
        writer: &mut SerializedFileWriter<Vec<u8>>,
    ) -> Result<(), ParquetError> {
        if self.group_bytes == 0 {
            return Ok(());
        }
        self.group_bytes = 0;
        let mut group = writer.next_row_group()?;
        for column in &mut self.columns {
            column.encode(&mut group)?;
        }
        group.close()?;
        writer.flush()?;
        Ok(())
    }
}

/// Lets the writer write into `out`. It counts the bytes itself, so that it need not have those before.
fn lend(
    writer: &mut SerializedFileWriter<Vec<u8>>,
    out: &mut Vec<u8>,
    work: impl FnOnce(&mut SerializedFileWriter<Vec<u8>>) -> Result<(), ParquetError>,
) -> Result<(), ParquetError> {
    std::mem::swap(writer.inner_mut(), out);
    let result = work(writer);
    std::mem::swap(writer.inner_mut(), out);
    result
}

/// What the library says.
fn refused(error: ParquetError) -> EncodeError {
    EncodeError::Library {
        format: "parquet",
        problem: error.to_string(),
    }
}

impl Encoder<[Value<'_>]> for ParquetEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut writer = self.open().map_err(refused)?;
        out.append(writer.inner_mut());
        self.writer = Some(writer);
        Ok(())
    }

    fn row(&mut self, row: &[Value<'_>], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.writer.is_none() {
            return Err(EncodeError::OutOfOrder);
        }
        // After an error there is no writer any more, and no footer that would make the rest look whole.
        let pushed = self.batches.push(row);
        pushed.inspect_err(|_| self.writer = None)?;
        if !self.batches.is_full() {
            return Ok(());
        }
        let mut writer = self.writer.take().ok_or(EncodeError::OutOfOrder)?;
        self.gather().map_err(refused)?;
        if self.group_bytes >= GROUP_BYTES {
            lend(&mut writer, out, |writer| self.write_group(writer)).map_err(refused)?;
        }
        self.writer = Some(writer);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut writer = self.writer.take().ok_or(EncodeError::OutOfOrder)?;
        self.gather().map_err(refused)?;
        lend(&mut writer, out, |writer| {
            self.write_group(writer)?;
            writer.finish().map(drop)
        })
        .map_err(refused)
    }

    fn held(&self) -> usize {
        let flushed = (self.writer.as_ref()).map_or(0, |writer| writer.flushed_row_groups().len());
        // One more for the row group that is open, and one for the columns' names and types.
        let columns = self.batches.schema().fields().len();
        let footer = (flushed + 2) * columns * FOOTER_BYTES;
        // Compressed it is less.
        self.group_bytes + self.batches.bytes() + footer
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use arrow_array::RecordBatch;
    use bytes::Bytes;
    use optimize::table::schema::{Column, ColumnType};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::basic::{Encoding, LogicalType};
    use parquet::file::metadata::ParquetMetaData;
    use proptest::prelude::*;

    use super::*;
    use crate::encode::fixtures::{
        HALF, HALF_SHOWN, any_row, cells_of_batches, cells_of_row, encode, every_type, instant,
        rows, schema, text,
    };

    fn read(bytes: &[u8]) -> (ParquetMetaData, Vec<RecordBatch>) {
        let builder =
            ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(bytes)).unwrap();
        let metadata = builder.metadata().as_ref().clone();
        let batches = builder.build().unwrap().map(Result::unwrap).collect();
        (metadata, batches)
    }

    #[test]
    fn what_parquet_reads_are_the_values_that_were_written() {
        let metadata = vec![("optimize-export.report-name".to_owned(), HALF.to_owned())];
        let bytes = encode(&mut ParquetEncoder::new(&every_type(), metadata), &rows());
        let (metadata, batches) = read(&bytes);
        let expected: Vec<_> = rows().iter().map(|row| cells_of_row(row)).collect();
        assert_eq!(cells_of_batches(&batches), expected);
        let file = metadata.file_metadata();
        assert_eq!(file.num_rows(), 4);
        let name = file.key_value_metadata().unwrap().iter();
        let name = name.filter(|entry| entry.key == "optimize-export.report-name");
        let names: Vec<_> = name.map(|entry| entry.value.as_deref()).collect();
        assert_eq!(names, [Some(HALF_SHOWN)]);
        let columns = file.schema_descr().columns();
        let paths: Vec<_> = columns
            .iter()
            .map(|column| column.path().string())
            .collect();
        assert_eq!(
            paths,
            [
                "text",
                "integer",
                "double",
                "boolean",
                "instant",
                "list.list.element",
                "variables:rest"
            ]
        );
        assert!(matches!(
            columns[4].logical_type_ref(),
            Some(LogicalType::Timestamp(stamp)) if stamp.is_adjusted_to_u_t_c
        ));
        for column in metadata.row_group(0).columns() {
            assert!(matches!(column.compression(), Compression::ZSTD(_)));
            assert!(column.statistics().is_some());
            assert_eq!(column.offset_index_offset(), None);
        }
        let statistics = metadata.row_group(0).column(1).statistics().unwrap();
        assert_eq!(statistics.null_count_opt(), Some(1));
        assert_eq!(
            statistics.min_bytes_opt(),
            Some(i64::MIN.to_le_bytes().as_slice())
        );
    }

    #[test]
    fn the_magic_comes_first_and_without_an_end_there_is_no_footer() {
        let mut encoder = ParquetEncoder::new(&every_type(), vec![]);
        let mut out = Vec::new();
        encoder.begin(&mut out).unwrap();
        assert_eq!(out, b"PAR1");
        for row in rows() {
            encoder.row(&row, &mut out).unwrap();
        }
        drop(encoder);
        assert_eq!(out, b"PAR1");
        let whole = encode(&mut ParquetEncoder::new(&every_type(), vec![]), &rows());
        assert!(whole.ends_with(b"PAR1"));
        for cut in [4, whole.len() / 2, whole.len() - 1] {
            let bytes = Bytes::copy_from_slice(&whole[..cut]);
            assert!(ParquetRecordBatchReaderBuilder::try_new(bytes).is_err());
        }
    }

    #[test]
    fn a_table_without_rows_or_columns_can_be_read() {
        let (metadata, batches) = read(&encode(
            &mut ParquetEncoder::new(&every_type(), vec![]),
            &[],
        ));
        assert_eq!(metadata.file_metadata().num_rows(), 0);
        assert!(batches.is_empty());
        let nothing = schema(vec![]);
        let bytes = encode(
            &mut ParquetEncoder::new(&nothing, vec![]),
            &[vec![], vec![]],
        );
        assert!(bytes.ends_with(b"PAR1"));
    }

    #[test]
    fn texts_have_a_dictionary_only_where_it_pays() {
        let schema = schema(vec![
            Column::required("few", ColumnType::Text, ""),
            Column::required("all", ColumnType::Text, ""),
        ]);
        let rows: Vec<_> = (0..40_000)
            .map(|row| {
                let id = format!("{row:036}");
                vec![text("invoice"), Value::Text(Cow::Owned(id))]
            })
            .collect();
        let (metadata, _) = read(&encode(&mut ParquetEncoder::new(&schema, vec![]), &rows));
        let columns = metadata.row_group(0).columns();
        let few: Vec<_> = columns[0].encodings().collect();
        assert!(few.contains(&Encoding::RLE_DICTIONARY) && columns[0].compressed_size() < 200);
        // The first megabyte of texts has one, what follows none.
        let all: Vec<_> = columns[1].encodings().collect();
        assert!(all.contains(&Encoding::PLAIN));
        assert!(columns[1].compressed_size() < 36 * 40_000);
    }

    /// A table as wide as they come: texts and numbers in turn.
    fn wide() -> Schema {
        let columns = (0..300).map(|number| {
            let column_type = match number % 3 {
                0 => ColumnType::Text,
                1 => ColumnType::Integer,
                _ => ColumnType::Instant,
            };
            Column::nullable(format!("column.{number}"), column_type, "")
        });
        schema(columns.collect())
    }

    /// Text that doesn't compress, of so many bytes.
    fn noise(seed: u64, bytes: usize) -> String {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let letters = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b' ' + 2 + u8::try_from(state >> 58).unwrap())
        });
        letters.take(bytes).collect()
    }

    /// Encodes rows, asks after each what the encoder holds, and gives back what the most was and all bytes.
    fn most_held(
        schema: &Schema,
        rows: impl Iterator<Item = Vec<Value<'static>>>,
    ) -> (usize, Vec<u8>) {
        let mut encoder = ParquetEncoder::new(schema, vec![]);
        let (mut out, mut all, mut most) = (Vec::new(), Vec::new(), 0);
        encoder.begin(&mut out).unwrap();
        for row in rows {
            encoder.row(&row, &mut out).unwrap();
            let waiting = encoder.columns.iter().flat_map(|column| &column.values);
            let waiting: usize = waiting.map(|values| values.get_buffer_memory_size()).sum();
            most = most.max(waiting + encoder.batches.bytes() + out.len());
            all.append(&mut out);
        }
        encoder.end(&mut all).unwrap();
        (most, all)
    }

    #[test]
    fn wide_rows_are_held_within_bounds_however_many_there_are() {
        let row = |number: u64| -> Vec<_> {
            let values = wide().columns.into_iter().enumerate();
            let values = values.map(|(position, column)| match column.column_type {
                ColumnType::Text => text_of(noise(number * 300 + position as u64, 12)),
                ColumnType::Integer => Value::Integer(number.cast_signed() * 7_919),
                _ => instant(),
            });
            values.collect()
        };
        // 29 MB of values: 16 bytes a text, 8 a number.
        let (most, bytes) = most_held(&wide(), (0..9_000).map(row));
        assert!(most < GROUP_BYTES + 5 * 1024 * 1024, "{most}");
        let (metadata, batches) = read(&bytes);
        assert_eq!(metadata.num_row_groups(), 3, "two full ones and the rest");
        let rows: Vec<_> = batches.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows.iter().sum::<usize>(), 9_000);
        let last = batches.last().unwrap();
        let last = cells_of_batches(&[last.slice(last.num_rows() - 1, 1)]);
        assert_eq!(last, [cells_of_row(&row(8_999))]);
    }

    #[test]
    fn long_texts_leave_row_group_by_row_group() {
        let schema = schema(vec![Column::nullable("a", ColumnType::Text, "")]);
        let row = |seed| vec![text_of(noise(seed, 1_000_000))];
        let (most, bytes) = most_held(&schema, (0..50).map(row));
        assert!(most < GROUP_BYTES + 5 * 1024 * 1024, "{most}");
        let (metadata, batches) = read(&bytes);
        assert!(metadata.num_row_groups() > 1);
        assert_eq!(cells_of_batches(&batches)[49], cells_of_row(&row(49)));
    }

    fn text_of(text: String) -> Value<'static> {
        Value::Text(Cow::Owned(text))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_rows_are_read_back_as_they_were(rows in prop::collection::vec(any_row(), 0..20)) {
            let bytes = encode(&mut ParquetEncoder::new(&every_type(), vec![]), &rows);
            let expected: Vec<_> = rows.iter().map(|row| cells_of_row(row)).collect();
            prop_assert_eq!(cells_of_batches(&read(&bytes).1), expected);
        }
    }
}
