//! What a read costs that finds nothing changed, in many indices.

use std::path::Path;
use std::time::Instant;

use anyhow::ensure;
use serde_json::json;
use testkit::indices::{Document, Index};
use testkit::own_sample::OwnSample;
use testkit::proxy::Proxy;

use super::reader::Reader;
use super::{KEY, Options, prepare, serve, set_index};
use crate::soak;

/// Reads that are measured.
const READS: usize = 7;
/// What a request is, by a text in its first line. The first that fits counts.
const KINDS: [(&str, &str); 4] = [
    ("settings", "/_settings"),
    ("scroll", "scroll"),
    ("search for a shard number", "preference=%5Fshards"),
    ("any request", ""),
];

/// Measures it.
pub(super) fn run(
    program: &Path,
    url: &str,
    indices: u32,
    options: &Options,
) -> anyhow::Result<()> {
    for shards in &options.shards {
        let sample = OwnSample::new(url, "idle")?;
        let installation = &sample.0;
        let keys: Vec<String> = (0..indices)
            .map(|number| format!("idle-{number:04}"))
            .collect();
        prepare(installation, KEY, &keys)?;
        for (number, key) in keys.iter().enumerate() {
            installation.create_changed(Index::ProcessInstance { key }, |body| {
                // One index with more shards asks for as many searches as all of them would.
                let shards = if number == 0 { *shards } else { 1 };
                set_index(body, "number_of_shards", json!(shards));
                set_index(body, "number_of_replicas", json!(0));
            })?;
        }
        let document = |key| Document {
            index: Index::ProcessInstance { key },
            id: format!("i-{key}"),
            source: soak::instance(key, &format!("i-{key}")),
        };
        let documents: Vec<_> = keys.iter().map(|key| document(key)).collect();
        installation.store(documents)?;
        let proxy = Proxy::start(url)?;
        let service = serve(program, &proxy.url(), installation.prefix(), None)?;
        let mut reader = Reader::new(&service.url, KEY);
        let bookmark = reader.bookmark_alone()?;
        println!(
            "{indices} indices, up to {shards} shards: a bookmark has {} bytes",
            bookmark.len()
        );
        reader.begin_with(bookmark);
        for read in 1..=READS {
            let before = KINDS.map(|(_, text)| proxy.count(text));
            let began = Instant::now();
            let read_now = reader.read()?;
            let milliseconds = began.elapsed().as_secs_f64() * 1_000.0;
            ensure!(
                read_now.rows == 0,
                "{} rows came although nothing had changed",
                read_now.rows
            );
            let counts: Vec<String> = KINDS
                .iter()
                .zip(before)
                .map(|((name, text), before)| format!("{name} {}", proxy.count(text) - before))
                .collect();
            println!("  read {read}: {milliseconds:.0} ms; {}", counts.join(", "));
        }
        service.stop()?;
        sample.remove()?;
    }
    Ok(())
}
