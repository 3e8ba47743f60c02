//! What a page costs without a network: cutting an answer into hits, reading them, writing rows.

#![allow(clippy::expect_used, reason = "a benchmark that can't run should stop")]
#![allow(missing_docs, reason = "criterion's macros document nothing")]

use std::hint::black_box;

use cluster::hits::{HitSplitter, Piece};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use optimize::access::Restrictions;
use optimize::definitions::FlowNodeNames;
use optimize::definitions::clauses::DecisionClauses;
use optimize::raw_data::Row;
use optimize::raw_data::cursor::Cursor;
use optimize::raw_data::decision_row::{DecisionInstance, DecisionRows};
use optimize::raw_data::hit;
use optimize::raw_data::process_row::{ProcessInstance, ProcessRows};
use optimize::raw_data::reuse::Reuse;
use optimize::raw_data::shape::Shape;
use optimize::raw_data::variables::{ObjectVariables, VariableNames};
use optimize_export::encode::Encoder;
use optimize_export::encode::json::{Envelope, PageEncoder};
use serde_json::Value;
use testkit::indices::Index;
use testkit::sample::{InstanceSize, Sample};

/// Hits on the page.
const HITS: usize = 200;
/// What the network delivers at once.
const PIECE_BYTES: usize = 256 * 1024;

/// An answer with instances of the sample, as Elasticsearch writes it.
fn answer(is_wanted: impl Fn(&Index<'_>) -> bool) -> (Vec<Value>, String) {
    let sample = Sample {
        process_instances: 2_000,
        size: InstanceSize::TenKilobytes,
    };
    let sources: Vec<Value> = sample
        .documents()
        .filter(|document| is_wanted(&document.index))
        .map(|document| document.source)
        .take(HITS)
        .collect();
    let hits: Vec<String> = sources
        .iter()
        .map(|source| {
            format!(r#"{{"_index":"i","_id":"x","_score":null,"_source":{source},"matched_queries":["n"],"sort":[1]}}"#)
        })
        .collect();
    let answer = format!(
        r#"{{"_scroll_id":"id","took":1,"timed_out":false,"hits":{{"total":{{"value":{HITS}}},"hits":[{}]}}}}"#,
        hits.join(",")
    );
    (sources, answer)
}

/// Goes through an answer that arrives in pieces; `take` finds where each hit ends. Gives back how many there were.
fn read_with(answer: &str, mut take: impl FnMut(&str) -> Option<usize>) -> usize {
    let mut splitter = HitSplitter::default();
    let mut pieces = answer.as_bytes().chunks(PIECE_BYTES);
    let mut hits = 0;
    loop {
        match splitter.next_piece().expect("it is an answer") {
            Piece::Head(_) => {}
            Piece::Hit => match take(splitter.rest().expect("it is at a hit")) {
                Some(length) => {
                    splitter.advance(length).expect("it ends there");
                    hits += 1;
                }
                None => splitter.wait().expect("there is more"),
            },
            Piece::Incomplete => match pieces.next() {
                Some(piece) => splitter.push(piece).expect("it is text"),
                None => splitter.complete().expect("it is whole"),
            },
            Piece::End => return hits,
        }
    }
}

fn pages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("page");
    let (sources, answer) = answer(|index| matches!(index, Index::ProcessInstance { .. }));
    group.throughput(Throughput::Bytes(answer.len() as u64));
    group.bench_function("cut into hits", |bencher| {
        bencher.iter(|| {
            read_with(black_box(&answer), |text| {
                let mut cursor = Cursor::new(text);
                cursor.skip().ok()?;
                Some(cursor.position())
            })
        });
    });
    group.bench_function("read process instances", |bencher| {
        bencher.iter(|| {
            let (mut shape, mut room) = (Shape::default(), None);
            read_with(black_box(&answer), |text| {
                let mut cursor = Cursor::new(text);
                let mut instance: ProcessInstance<'_> = room.take().unwrap_or_default();
                hit::read(&mut instance, &mut cursor, &mut shape).ok()?;
                room = Some(black_box(instance).emptied());
                Some(cursor.position())
            })
        });
    });
    let variables = sources
        .iter()
        .filter_map(|source| source.get("variables")?.as_array())
        .flatten()
        .filter_map(|variable| Some(variable.get("name")?.as_str()?.to_owned()));
    let variable_names = VariableNames::new(variables.collect());
    let flow_node_names = sources
        .iter()
        .filter_map(|source| source.get("flowNodeInstances")?.as_array())
        .flatten()
        .filter_map(|instance| instance.get("flowNodeId")?.as_str())
        .map(|id| (id.to_owned(), Some(format!("Name of {id}"))))
        .collect::<FlowNodeNames>();
    let mut rows = ProcessRows {
        now: 1_750_000_000_000,
        variable_names: &variable_names,
        object_variables: ObjectVariables::Values,
        time_zone: None,
        restrictions: &Restrictions::default(),
        scratch: Default::default(),
    };
    group.bench_function("write process rows", |bencher| {
        bencher.iter(|| {
            let mut out = Vec::new();
            let mut page = PageEncoder::new(Envelope::default());
            let (mut shape, mut room) = (Shape::default(), None);
            read_with(black_box(&answer), |text| {
                let mut cursor = Cursor::new(text);
                let mut instance: ProcessInstance<'_> = room.take().unwrap_or_default();
                hit::read(&mut instance, &mut cursor, &mut shape).ok()?;
                let row = Row::Process(rows.row(&instance, &flow_node_names));
                page.row(&row, &mut out).ok()?;
                room = Some(instance.emptied());
                Some(cursor.position())
            });
            out
        });
    });
    group.finish();
}

fn decision_pages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("page");
    let (_, answer) = answer(|index| matches!(index, Index::DecisionInstance { .. }));
    group.throughput(Throughput::Bytes(answer.len() as u64));
    let clauses = DecisionClauses::default();
    let mut rows = DecisionRows {
        clauses: &clauses,
        time_zone: None,
        restrictions: &Restrictions::default(),
        scratch: Default::default(),
    };
    group.bench_function("write decision rows", |bencher| {
        bencher.iter(|| {
            let mut out = Vec::new();
            let mut page = PageEncoder::new(Envelope::default());
            let (mut shape, mut room) = (Shape::default(), None);
            read_with(black_box(&answer), |text| {
                let mut cursor = Cursor::new(text);
                let mut instance: DecisionInstance<'_> = room.take().unwrap_or_default();
                hit::read(&mut instance, &mut cursor, &mut shape).ok()?;
                let row = Row::Decision(rows.row(&instance));
                page.row(&row, &mut out).ok()?;
                room = Some(instance.emptied());
                Some(cursor.position())
            });
            out
        });
    });
    group.finish();
}

criterion_group!(benches, pages, decision_pages);
criterion_main!(benches);
