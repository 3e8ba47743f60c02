//! A page is a stream: rows leave while Elasticsearch still sends, and the service never holds a page.

use std::io::Read;
use std::time::Duration;

use serde_json::json;

use crate::support::documents::{instance, raw_report};
use crate::support::proxy::{Mode, Proxy};
use crate::support::{Optimize, Service};

const INSTANCES: usize = 10_000;
/// Bytes of Elasticsearch's answer, on each connection, after which the first row has to be there.
const BYTES_BEFORE_THE_FIRST_ROW: usize = 300_000;
/// Memory that the service may take while it exports a page of 10,000 instances of 10 kB.
const MAX_MEMORY: u64 = 64 * 1024 * 1024;

#[test]
fn a_page_of_ten_thousand_large_instances_takes_little_memory_and_begins_at_once() {
    let optimize = Optimize::install();
    let text = "lorem ipsum ".repeat(20);
    let flow_node = |id: String| {
        json!({"flowNodeInstanceId": id, "flowNodeId": "task", "flowNodeType": "serviceTask", "totalDurationInMs": 7,
            "startDate": "2024-03-01T10:00:00.000+0000", "endDate": "2024-03-01T10:00:00.007+0000", "deleteReason": text,
            "processInstanceId": "i", "definitionKey": "large", "definitionVersion": "1", "tenantId": null})
    };
    let large = |n: usize| {
        let flow_nodes: Vec<_> = (0..20).map(|f| flow_node(format!("f-{n}-{f}"))).collect();
        instance(
            "large",
            &format!("i-{n:05}"),
            json!({"flowNodeInstances": flow_nodes}),
        )
    };
    assert!(large(0).to_string().len() >= 9_500);
    optimize.store_instances("large", (0..INSTANCES).map(large));
    optimize.store_report(raw_report("r", "large", json!({})));

    let proxy = Proxy::start(&optimize.url);
    let service = Service::start(&proxy.url(), &optimize.prefix, &[], &[]);
    // Whatever came before the first hits has passed; of the hits, hardly any.
    service.first_page("r", 0).ok();
    let before = service.peak_memory();
    proxy.set(Mode::HoldAfter(BYTES_BEFORE_THE_FIRST_ROW));
    let target = "/api/public/export/report/r/result/json?limit=10000&paginationTimeout=60";
    let (mut client, beginning) = service.begin(target, 2_000);
    assert!(
        String::from_utf8_lossy(&beginning).contains("i-00000"),
        "the first row is there while Elasticsearch still sends"
    );
    proxy.set(Mode::Pass);

    let (mut bytes, mut rows, mut tail) = (0, 0, Vec::new());
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = client.read(&mut buffer) {
        bytes += read;
        tail.extend_from_slice(&buffer[..read]);
        let needle = b"\"processInstanceId\"";
        rows += tail
            .windows(needle.len())
            .filter(|window| window == needle)
            .count();
        tail.drain(..tail.len().saturating_sub(needle.len() - 1));
    }
    rows += String::from_utf8_lossy(&beginning)
        .matches("\"processInstanceId\"")
        .count();
    let peak = service.peak_memory();
    println!(
        "{rows} rows, {bytes} bytes; the first row came before {BYTES_BEFORE_THE_FIRST_ROW} of the {} bytes that \
         Elasticsearch sends had passed; memory {before} before, {peak} at its peak",
        INSTANCES * large(0).to_string().len(),
    );
    assert!(
        rows >= INSTANCES - 1,
        "{rows} (one name may lie across the first read)"
    );
    assert!(peak < MAX_MEMORY, "{peak} bytes");
}

/// Memory that the service may take, whatever clients ask for.
const ALL_MEMORY: u64 = 256 * 1024 * 1024;
const CLIENTS: usize = 32;

const LARGE_INSTANCES: usize = 8;

/// Half of the instances of this definition have 1.6 MB, one has ten.
fn store_large_instances(optimize: &Optimize) {
    let text = |bytes: usize| "lorem ipsum ".repeat(bytes / 12);
    for number in 0..LARGE_INSTANCES {
        let bytes = match number {
            5 => 10_000_000,
            _ if number % 2 == 0 => 1_600_000,
            _ => 10_000,
        };
        let changes = json!({"businessKey": format!("k-{number}"), "variables": [
            {"id": "v", "name": "text", "type": "Object", "value": [text(bytes)], "version": 1}]});
        optimize.store_instances(
            "huge",
            [instance("huge", &format!("i-{number:02}"), changes)],
        );
    }
    optimize.store_report(raw_report("r", "huge", json!({})));
}

#[test]
fn many_clients_with_very_large_instances_share_the_memory() {
    let optimize = Optimize::install();
    store_large_instances(&optimize);
    let service = optimize.serve();
    let rows = || {
        let mut page = service.first_page("r", 1_000);
        // So many large pages are more than Elasticsearch may hold at once; who waits too long is told to come again.
        while page.status == 429 {
            std::thread::sleep(Duration::from_secs(1));
            page = service.first_page("r", 1_000);
        }
        assert!(
            page.status == 200 && page.is_complete,
            "status {}",
            page.status
        );
        page.text().matches(r#""processInstanceId":"i-"#).count()
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(rows)).collect();
        for client in clients {
            assert_eq!(client.join().unwrap(), LARGE_INSTANCES);
        }
    });
    let peak = service.peak_memory();
    println!("{CLIENTS} clients, instances of up to 10 MB: {peak} bytes at its peak");
    assert!(peak < ALL_MEMORY, "{peak} bytes");
}
