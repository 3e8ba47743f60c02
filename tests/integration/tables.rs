//! Whole reports as tables: csv, ndjson, Parquet and Arrow, cell by cell.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, TimestampMillisecondType};
use arrow_array::{Array, RecordBatch};
use arrow_ipc::reader::StreamReader;
use arrow_schema::DataType;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::support::Service;
use crate::support::http::Answer;

mod changes;
mod decisions;
mod faults;
mod processes;
mod requests;
mod results;

/// A table of a report, in one format; `query` is everything behind the question mark.
fn table(service: &Service, report_id: &str, format: &str, query: &str) -> Answer {
    service.get(&format!(
        "/api/public/export/report/{report_id}/result/{format}?{query}"
    ))
}

/// The text of a table that must have come whole.
#[track_caller]
fn text(service: &Service, report_id: &str, format: &str, query: &str) -> String {
    let answer = table(service, report_id, format, query);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.is_complete);
    answer.text().to_owned()
}

/// The lines of ndjson.
#[track_caller]
fn lines(service: &Service, report_id: &str, query: &str) -> Vec<Value> {
    let text = text(service, report_id, "ndjson", query);
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// The rows of Parquet or Arrow as objects; moments are milliseconds.
#[track_caller]
fn rows(service: &Service, report_id: &str, format: &str, query: &str) -> Vec<Value> {
    let answer = table(service, report_id, format, query);
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.body)
    );
    assert!(answer.is_complete);
    let batches: Vec<RecordBatch> = match format {
        "parquet" => ParquetRecordBatchReaderBuilder::try_new(Bytes::from(answer.body))
            .unwrap()
            .build()
            .unwrap()
            .map(Result::unwrap)
            .collect(),
        "arrow" => StreamReader::try_new(answer.body.as_slice(), None)
            .unwrap()
            .map(Result::unwrap)
            .collect(),
        other => panic!("{other}"),
    };
    batches.iter().flat_map(objects).collect()
}

fn objects(batch: &RecordBatch) -> Vec<Value> {
    let schema = batch.schema();
    let row = |at: usize| {
        let fields = schema.fields().iter().zip(batch.columns());
        let members = fields.map(|(field, column)| (field.name().clone(), cell(column, at)));
        Value::Object(members.collect())
    };
    (0..batch.num_rows()).map(row).collect()
}

fn cell(column: &dyn Array, at: usize) -> Value {
    if column.is_null(at) {
        return Value::Null;
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(at).into(),
        DataType::Int64 => column.as_primitive::<Int64Type>().value(at).into(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(at).into(),
        DataType::Boolean => column.as_boolean().value(at).into(),
        DataType::Timestamp(_, Some(zone)) => {
            assert_eq!(&**zone, "UTC");
            column
                .as_primitive::<TimestampMillisecondType>()
                .value(at)
                .into()
        }
        DataType::List(_) => {
            let list = column.as_list::<i32>().value(at);
            let texts = list.as_string::<i32>().iter();
            json!(texts.collect::<Vec<_>>())
        }
        other => panic!("{other}"),
    }
}
