//! gzip, for clients that ask for it.

use std::io::Read;

use flate2::read::GzDecoder;
use serde_json::{Value, json};

use crate::support::documents::{instance, instances, raw_report, report, selection};
use crate::support::proxy::{Mode, Proxy};
use crate::support::{Optimize, Service, TOKEN};

fn get(service: &Service, report: &str, accept: &str) -> crate::support::http::Answer {
    let target =
        format!("/api/public/export/report/{report}/result/json?limit=1000&paginationTimeout=60");
    let authorization = format!("Bearer {TOKEN}");
    service.request(
        "GET",
        &target,
        &[
            ("Authorization", &authorization),
            ("Accept-Encoding", accept),
        ],
    )
}

fn unpacked(body: &[u8]) -> Value {
    let mut text = String::new();
    GzDecoder::new(body).read_to_string(&mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn pages_and_results_are_compressed_on_request() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 200));
    optimize.store_report(raw_report("r", "order", json!({})));
    let data = json!({
        "configuration": {},
        "definitions": [selection("order")],
        "filter": [],
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "none", "value": null},
        "distributedBy": {"type": "none", "value": null},
        "visualization": "number",
    });
    optimize.store_report(report("count", data));
    let service = optimize.serve();

    let plain = get(&service, "r", "identity");
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(plain.header("vary"), Some("accept-encoding"));
    let packed = get(&service, "r", "gzip, br");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.is_complete);
    assert_eq!(unpacked(&packed.body)["data"], plain.ok()["data"]);
    assert!(
        packed.body.len() * 5 < plain.body.len(),
        "{} of {}",
        packed.body.len(),
        plain.body.len()
    );

    let small = get(&service, "count", "gzip");
    assert_eq!(
        small.header("content-encoding"),
        None,
        "it would not get smaller"
    );
    assert_eq!(small.ok()["data"], 200.0);
    let error = get(&service, "none", "gzip");
    assert_eq!(error.error().0, 404);
}

#[test]
fn compression_holds_back_no_row_and_a_broken_page_stays_broken() {
    let optimize = Optimize::install();
    let text = "x".repeat(10_000);
    let large =
        (0..1_000).map(|n| instance("large", &format!("i-{n:04}"), json!({"businessKey": text})));
    optimize.store_instances("large", large);
    optimize.store_report(raw_report("r", "large", json!({})));
    let proxy = Proxy::start(&optimize.url);
    let service = Service::start(&proxy.url(), &optimize.prefix, &[], &[]);
    service.first_page("r", 0).ok();

    proxy.set(Mode::CutAfter(1_000_000));
    let answer = get(&service, "r", "gzip");
    assert_eq!((answer.status, answer.is_complete), (200, false));
    let mut text = String::new();
    // What arrived can be read; the end is missing on both layers.
    assert!(
        GzDecoder::new(answer.body.as_slice())
            .read_to_string(&mut text)
            .is_err()
    );
    assert!(text.contains("i-0000") && !text.contains("numberOfRecordsInResponse"));
}
