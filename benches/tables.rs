//! What it costs to write rows of a table in each format.

#![allow(clippy::expect_used, reason = "a benchmark that can't run should stop")]
#![allow(missing_docs, reason = "criterion's macros document nothing")]

use std::borrow::Cow;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use optimize::table::schema::{Column, ColumnType, Schema, Table};
use optimize::table::value::{Instant, Value};
use optimize_export::encode::compression::{Compression, Compressor};
use optimize_export::encode::csv::CsvOptions;
use optimize_export::encode::{Format, encoder};

/// Rows of a page of hits.
const ROWS: i64 = 200;
/// Columns of a process with some flow nodes and variables.
const COLUMNS: i64 = 40;

/// A typical table: columns of all types, most of them text and durations.
fn schema() -> Schema {
    let columns = (0..COLUMNS).map(|column| {
        let column_type = match column % 8 {
            0..=2 => ColumnType::Text,
            3 | 4 => ColumnType::Integer,
            5 => ColumnType::Instant,
            6 => ColumnType::Double,
            _ => ColumnType::Boolean,
        };
        Column::nullable(format!("variable:{column}"), column_type, "variables")
    });
    Schema {
        table: Table::Instances,
        columns: columns.collect(),
        primary_key: &[],
    }
}

/// A row of it: identifiers that are new in each row, texts that come again, and every seventh value missing.
fn row(schema: &Schema, row: i64) -> Vec<Value<'static>> {
    let cells = (0..).zip(&schema.columns).map(|(column, of)| {
        let number = row * 7_919 + column;
        if number % 7 == 0 {
            return Value::Null;
        }
        match of.column_type {
            ColumnType::Text if column == 0 => {
                Value::Text(Cow::Owned(format!("{number:08x}-6b1f-11f0-{number:016x}")))
            }
            ColumnType::Text => Value::Text(Cow::Owned(format!("Invoice {}", number % 10))),
            ColumnType::Integer => Value::Integer(number * number),
            ColumnType::Double => Value::Double(1.0 / number as f64),
            ColumnType::Boolean => Value::Boolean(number % 3 == 0),
            ColumnType::Instant => Value::Instant(Instant {
                millis: Some(1_749_990_400_000 + number),
                shown: Cow::Owned(format!(
                    "2025-06-15T14:26:40.{:03}+0200",
                    number.rem_euclid(1_000)
                )),
            }),
            ColumnType::List => Value::List(Vec::new()),
        }
    });
    cells.collect()
}

fn tables(criterion: &mut Criterion) {
    let schema = schema();
    let rows: Vec<_> = (0..ROWS).map(|number| row(&schema, number)).collect();
    let table = |format| {
        let mut encoder = encoder(format, &schema, CsvOptions::default(), Vec::new());
        let mut out = Vec::new();
        encoder.begin(&mut out).expect("it begins");
        for row in &rows {
            encoder.row(black_box(row), &mut out).expect("it fits");
        }
        encoder.end(&mut out).expect("it ends");
        out
    };
    let mut group = criterion.benchmark_group("table");
    group.throughput(Throughput::Elements(rows.len() as u64));
    for format in Format::ALL.iter().copied() {
        group.bench_function(format.id(), |bencher| bencher.iter(|| table(format)));
    }
    let csv = table(Format::Csv);
    for compression in Compression::ALL.iter().copied() {
        group.bench_function(format!("csv, {compression}"), |bencher| {
            bencher.iter(|| {
                let mut out = Vec::new();
                let mut compressor = Compressor::new(compression).expect("there is memory");
                compressor
                    .write(black_box(&csv), &mut out)
                    .expect("it fits");
                compressor.finish(&mut out).expect("it ends");
                out
            });
        });
    }
    group.finish();
}

criterion_group!(benches, tables);
criterion_main!(benches);
