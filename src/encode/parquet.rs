//! Parquet: row groups that leave as soon as they are full, and a footer that says where they are.
//!
//! What an encoder holds is bounded by three things. Values that are being encoded count with the library's own estimate
//! ([`MAX_GROUP_BYTES`]). That does not know of Zstandard's memory, which each column keeps from its first complete page
//! to the end of the row group; so the pages are bounded too ([`MAX_PAGES`]). The footer grows with the number of row groups,
//! some 600 bytes a column each: the index of pages, which would grow with it, is left out, since a row group is small enough
//! to be found by its own statistics.

use std::collections::HashMap;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::encode::batch::{Batches, readable};
use crate::encode::{EncodeError, Encoder};
use crate::table::schema::{ColumnType, Schema};
use crate::table::value::Value;

/// Bytes that the columns of a row group may hold before it is closed. The next batch may come on top.
pub const MAX_GROUP_BYTES: usize = 16 * 1024 * 1024;
/// Bytes that make a page; the library's own choice.
const PAGE_BYTES: usize = 1024 * 1024;
/// Complete pages that a row group can have, and so columns that keep the memory of Zstandard: some 0.4 MB each.
const MAX_PAGES: usize = 48;
/// Rows of a page, and of a row group: as the library has it for row groups. A page ends by its bytes, or else every column
/// would have complete pages, however small, and the memory for them.
const MAX_GROUP_ROWS: usize = 1024 * 1024;
/// Zstandard's fastest level of the usual ones, as the library has it: columns are encoded already, and a higher level takes
/// three times the memory for each column.
const ZSTD_LEVEL: i32 = 1;
/// Bytes that the footer has at most for a column of a row group: its place, its encodings and two values of its statistics,
/// which the library cuts off at 64 bytes each.
const FOOTER_BYTES: usize = 700;
/// Columns up to which numbers have a dictionary. It has room for 4,096 values from the start, 72 KiB a column, which in wide
/// tables would fill a row group before its first row. Texts have none of this.
const MAX_COLUMNS_FOR_NUMBER_DICTIONARIES: usize = 48;

/// Writes a table as Parquet.
pub struct ParquetEncoder {
    batches: Batches,
    metadata: Vec<(String, String)>,
    /// Columns whose values get no dictionary.
    without_dictionary: Vec<String>,
    /// The library's writer, from the beginning to the end. The vector inside is lent for each call: it is empty in between.
    writer: Option<ArrowWriter<Vec<u8>>>,
    /// Bytes of values that went into the row group.
    group_bytes: usize,
}

impl std::fmt::Debug for ParquetEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ParquetEncoder")
            .field(&self.batches)
            .finish()
    }
}

impl ParquetEncoder {
    /// An encoder for the columns of a table; the metadata stands in the footer.
    pub fn new(schema: &Schema, metadata: Vec<(String, String)>) -> Self {
        let batches = Batches::new(schema, HashMap::new());
        let is_wide = schema.columns.len() > MAX_COLUMNS_FOR_NUMBER_DICTIONARIES;
        let columns = schema.columns.iter().zip(batches.schema().fields());
        let numbers = columns.filter(|(column, _)| {
            matches!(
                column.column_type,
                ColumnType::Integer | ColumnType::Double | ColumnType::Instant
            )
        });
        let without_dictionary = numbers
            .filter(|_| is_wide)
            .map(|(_, field)| field.name().clone())
            .collect();
        Self {
            metadata: readable(metadata).collect(),
            without_dictionary,
            batches,
            writer: None,
            group_bytes: 0,
        }
    }

    /// How the file is written.
    fn properties(&self) -> Result<WriterProperties, EncodeError> {
        let level = ZstdLevel::try_new(ZSTD_LEVEL).map_err(refused)?;
        let metadata = self.metadata.iter();
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_data_page_size_limit(PAGE_BYTES)
            .set_data_page_row_count_limit(MAX_GROUP_ROWS)
            .set_max_row_group_row_count(Some(MAX_GROUP_ROWS))
            .set_key_value_metadata(Some(
                metadata
                    .map(|(key, value)| KeyValue::new(key.clone(), value.clone()))
                    .collect(),
            ));
        for name in &self.without_dictionary {
            // The name is one part of the path, whatever dots are in it.
            let path = ColumnPath::new(vec![name.clone()]);
            properties = properties.set_column_dictionary_enabled(path, false);
        }
        Ok(properties.build())
    }

    /// Encodes the rows so far, and brings out the row group if it is full.
    fn write(
        &mut self,
        writer: &mut ArrowWriter<Vec<u8>>,
        out: &mut Vec<u8>,
    ) -> Result<(), EncodeError> {
        let bytes = self.batches.bytes();
        let batch = self.batches.take().map_err(|error| refused(error.into()))?;
        let Some(batch) = batch else {
            return Ok(());
        };
        lend(writer, out, |writer| writer.write(&batch))?;
        self.group_bytes += bytes;
        if writer.memory_size() >= MAX_GROUP_BYTES || self.group_bytes >= MAX_PAGES * PAGE_BYTES {
            // Free before the row group is put together.
            drop(batch);
            lend(writer, out, ArrowWriter::flush)?;
            self.group_bytes = 0;
        }
        Ok(())
    }
}

/// Lets the writer write into `out`. It counts the bytes itself, so that it need not have those before.
fn lend(
    writer: &mut ArrowWriter<Vec<u8>>,
    out: &mut Vec<u8>,
    work: impl FnOnce(&mut ArrowWriter<Vec<u8>>) -> Result<(), ParquetError>,
) -> Result<(), EncodeError> {
    std::mem::swap(writer.inner_mut(), out);
    let result = work(writer).and_then(|()| writer.sync().map_err(ParquetError::from));
    std::mem::swap(writer.inner_mut(), out);
    result.map_err(refused)
}

/// What the library says.
fn refused(error: ParquetError) -> EncodeError {
    EncodeError::Library {
        format: "parquet",
        problem: error.to_string(),
    }
}

impl Encoder for ParquetEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let schema = self.batches.schema().clone();
        let mut writer =
            ArrowWriter::try_new(Vec::new(), schema, Some(self.properties()?)).map_err(refused)?;
        // The magic bytes.
        writer.sync().map_err(|error| refused(error.into()))?;
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
        self.write(&mut writer, out)?;
        self.writer = Some(writer);
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut writer = self.writer.take().ok_or(EncodeError::OutOfOrder)?;
        self.write(&mut writer, out)?;
        lend(&mut writer, out, |writer| writer.finish().map(drop))
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
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use parquet::basic::{Encoding, LogicalType};
    use parquet::file::metadata::ParquetMetaData;
    use proptest::prelude::*;

    use super::*;
    use crate::encode::fixtures::{
        HALF, HALF_SHOWN, any_row, cells_of_batches, cells_of_row, encode, every_type, instant,
        rows, schema, text,
    };
    use crate::table::schema::Column;

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
            let encoded = encoder.writer.as_ref().unwrap().memory_size();
            most = most.max(encoded + encoder.batches.bytes() + out.len());
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
        // 30 MB of values.
        let (most, bytes) = most_held(&wide(), (0..8_000).map(row));
        assert!(most < 32 * 1024 * 1024, "{most}");
        let (metadata, batches) = read(&bytes);
        assert!(metadata.num_row_groups() > 1 && metadata.num_row_groups() < 8);
        let rows: Vec<_> = batches.iter().map(RecordBatch::num_rows).collect();
        assert_eq!(rows.iter().sum::<usize>(), 8_000);
        let last = batches.last().unwrap();
        let last = cells_of_batches(&[last.slice(last.num_rows() - 1, 1)]);
        assert_eq!(last, [cells_of_row(&row(7_999))]);
    }

    #[test]
    fn long_texts_leave_row_group_by_row_group() {
        let schema = schema(vec![Column::nullable("a", ColumnType::Text, "")]);
        let row = |seed| vec![text_of(noise(seed, 1_000_000))];
        let (most, bytes) = most_held(&schema, (0..50).map(row));
        assert!(most < 32 * 1024 * 1024, "{most}");
        let (metadata, batches) = read(&bytes);
        assert!(metadata.num_row_groups() > 1);
        assert_eq!(cells_of_batches(&batches)[49], cells_of_row(&row(49)));
    }

    #[test]
    fn rows_of_nothing_end_a_row_group_too() {
        let schema = schema(vec![Column::nullable("a", ColumnType::Boolean, "")]);
        let rows = MAX_GROUP_ROWS + 10;
        let (_, bytes) = most_held(&schema, std::iter::repeat_n(vec![Value::Null], rows));
        let (metadata, _) = read(&bytes);
        let groups = metadata.row_groups().iter();
        let groups: Vec<_> = groups.map(|group| group.num_rows()).collect();
        assert_eq!(groups, [1_048_576, 10]);
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
