//! What nobody has checked, made up by `proptest` within a bounded time: what the fuzz targets of `fuzz/` do for longer.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at what it did not expect, in its helpers too"
)]

#[path = "../fuzz/harness.rs"]
mod harness;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use testkit::sample::Sample;

/// What the fuzzer begins with.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut seeds: Vec<Vec<u8>> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| fs::read(entry.unwrap().path()).unwrap())
        .collect();
    assert!(!seeds.is_empty());
    if target == "reports" {
        seeds.extend(
            Sample::reports()
                .into_iter()
                .map(|report| report.source.to_string().into_bytes()),
        );
    }
    seeds
}

/// Pieces of JSON and of everything else that may stand where something else is expected.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let odd = [
        "null",
        "true",
        "-1",
        "0",
        "1e400",
        "9223372036854775808",
        "\"\"",
        "[]",
        "{}",
        "[[",
        "{\"",
        "\\",
        "\"",
        ",",
        ":",
        "}",
        "]",
        "\\ud800",
        "\u{0}",
        "é",
        "\u{10ffff}",
        "NaN",
        "\"type\":\"startDate\"",
        "\"unit\":\"day\"",
        "%",
        "&",
        "\r\n",
    ];
    prop_oneof![
        select(odd.to_vec()).prop_map(|odd| odd.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..8),
        (1..2_000_usize).prop_map(|depth| vec![b'['; depth]),
    ]
}

/// A seed with some of its bytes taken out and others put in.
fn damaged(target: &str) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<Index>(), 0..30_usize, piece());
    (select(seeds(target)), prop::collection::vec(change, 0..4)).prop_map(|(mut bytes, changes)| {
        for (at, length, piece) in changes {
            let at = at.index(bytes.len() + 1);
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, piece);
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn query_strings_are_read_or_explained(bytes in damaged("parameters")) {
        harness::parameters(&bytes);
    }

    #[test]
    fn headers_are_read_or_refused(bytes in damaged("headers")) {
        harness::headers(&bytes);
    }

    #[test]
    fn stored_reports_are_planned_or_explained(bytes in damaged("reports")) {
        harness::reports(&bytes);
    }

    #[test]
    fn stored_instances_become_rows_or_errors(bytes in damaged("instances")) {
        harness::instances(&bytes);
    }

    #[test]
    fn answers_are_cut_into_hits_or_refused(bytes in damaged("answers")) {
        harness::answers(&bytes);
    }
}
