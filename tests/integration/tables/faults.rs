//! Streams that don't get to their end: none of them looks whole, in no format, and nothing is left open.

use std::io::Read;
use std::thread::sleep;
use std::time::Duration;

use arrow_ipc::reader::StreamReader;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use super::table;
use crate::support::documents::{instance, raw_report};
use crate::support::http::{Answer, parse};
use crate::support::proxy::{Mode, Proxy};
use crate::support::{Optimize, Service};

const FORMATS: [&str; 4] = ["csv", "ndjson", "parquet", "arrow"];
const INSTANCES: usize = 5_000;
/// Bytes that Elasticsearch's answers have at least, on any connection.
const CUT: usize = 1_500_000;

/// Instances whose texts no compression makes small.
fn install() -> Optimize {
    let optimize = Optimize::install();
    let noise = |n: usize| {
        let mut state = n as u64 + 1;
        let mut letter = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(b'a' + (state % 26) as u8)
        };
        (0..2_000).map(|_| letter()).collect::<String>()
    };
    let large = |n: usize| {
        instance(
            "order",
            &format!("i-{n:05}"),
            json!({"businessKey": noise(n)}),
        )
    };
    optimize.store_instances("order", (0..INSTANCES).map(large));
    optimize.store_report(raw_report("r", "order", json!({})));
    optimize
}

/// Neither HTTP nor the format take it for whole.
#[track_caller]
fn assert_broken(answer: &Answer, format: &str) {
    assert_eq!(
        answer.status,
        200,
        "{format}: {}",
        String::from_utf8_lossy(&answer.body)
    );
    assert!(!answer.is_complete, "{format}: the body ended properly");
    let rows = match format {
        "parquet" => {
            let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(answer.body.clone()));
            assert!(reader.is_err(), "a file of Parquet has its end");
            return;
        }
        "arrow" => match StreamReader::try_new(answer.body.as_slice(), None) {
            Ok(reader) => reader
                .map_while(Result::ok)
                .map(|batch| batch.num_rows())
                .sum(),
            Err(_) => 0,
        },
        _ => answer.body.split(|byte| *byte == b'\n').count(),
    };
    assert!(rows < INSTANCES, "{format}: {rows} rows");
    let text = String::from_utf8_lossy(&answer.body);
    assert!(!text.contains("errorCode"), "an error among the rows");
}

fn assert_nothing_is_open(service: &Service) {
    service.wait_for_metric("optimize_export_streams_under_way 0");
    service.wait_for_metric("optimize_export_scrolls_open 0");
}

#[test]
fn a_cluster_that_breaks_off_breaks_the_body() {
    let optimize = install();
    let proxy = Proxy::start(&optimize.url);
    let service = Service::start(&proxy.url(), &optimize.prefix, &[], &[]);
    for format in FORMATS {
        // What is asked before the scroll has small answers.
        proxy.set(Mode::CutAfter(CUT));
        let answer = table(&service, "r", format, "");
        assert_broken(&answer, format);
        proxy.set(Mode::Pass);
        assert_nothing_is_open(&service);
    }
    service.wait_for_log("export broken");
}

#[test]
fn a_reader_that_stalls_loses_its_stream() {
    let optimize = install();
    let service = optimize.serve_with(&["--stall-timeout", "1", "--max-concurrent-streams", "1"]);
    for format in FORMATS {
        let target = format!("/api/public/export/report/r/result/{format}");
        let (mut stream, mut bytes) = service.begin(&target, 200);
        service.wait_for_metric("optimize_export_streams_under_way 0");
        let _ = stream.read_to_end(&mut bytes);
        assert_broken(&parse(&bytes), format);
        assert_nothing_is_open(&service);
    }
    service.wait_for_log("export interrupted");
}

#[test]
fn a_service_that_is_stopped_breaks_what_it_can_not_finish() {
    let optimize = install();
    for format in FORMATS {
        let mut service = optimize.serve_with(&["--shutdown-timeout", "1"]);
        let target = format!("/api/public/export/report/r/result/{format}");
        let (mut stream, mut bytes) = service.begin(&target, 200);
        service.terminate();
        sleep(Duration::from_secs(2));
        let _ = stream.read_to_end(&mut bytes);
        assert_broken(&parse(&bytes), format);
        assert!(service.wait().success());
    }
}

#[test]
fn a_service_that_is_stopped_finishes_what_is_read() {
    let optimize = install();
    let mut service = optimize.serve();
    let (mut stream, mut bytes) = service.begin(
        "/api/public/export/report/r/result/csv?columns=processInstanceId",
        200,
    );
    service.terminate();
    stream.read_to_end(&mut bytes).unwrap();
    let answer = parse(&bytes);
    assert!(answer.is_complete);
    assert_eq!(answer.text().lines().count(), INSTANCES + 1);
    assert!(service.wait().success());
}
