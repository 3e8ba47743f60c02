//! Many clients at once: no row is lost, doubled or delivered to the wrong one.

use std::thread;

use serde_json::{Value, json};

use crate::support::Optimize;
use crate::support::documents::{instance, raw_report};

const PROCESSES: usize = 10;
const CLIENTS: usize = 100;
const INSTANCES: usize = 230;

#[test]
fn a_hundred_clients_page_different_reports() {
    let optimize = Optimize::install();
    for process in 0..PROCESSES {
        let key = format!("p{process}");
        let instances = (0..INSTANCES).map(|n| instance(&key, &format!("{key}-{n:03}"), json!({})));
        optimize.store_instances(&key, instances);
    }
    for client in 0..CLIENTS {
        let key = format!("p{}", client % PROCESSES);
        // Without an order of its own: what counts is that every instance comes once.
        optimize.store_report(raw_report(
            &format!("r{client}"),
            &key,
            json!({"configuration": {}}),
        ));
    }
    let service = optimize.serve_with(&["--max-concurrent-exports", "128"]);
    let results: Vec<(usize, Vec<Value>)> = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let service = &service;
                let limit = 17 + u32::try_from(client).unwrap();
                scope.spawn(move || (client, service.all_rows(&format!("r{client}"), limit)))
            })
            .collect();
        clients
            .into_iter()
            .map(|client| client.join().unwrap())
            .collect()
    });
    for (client, rows) in results {
        let mut ids: Vec<&str> = rows
            .iter()
            .map(|row| row["processInstanceId"].as_str().unwrap())
            .collect();
        ids.sort_unstable();
        let expected: Vec<String> = (0..INSTANCES)
            .map(|n| format!("p{}-{n:03}", client % PROCESSES))
            .collect();
        assert_eq!(ids, expected, "client {client}");
    }
}

#[test]
fn more_exports_than_allowed_are_told_to_come_again() {
    let optimize = Optimize::install();
    let wide = "x".repeat(20_000);
    let instances =
        (0..400).map(|n| instance("order", &format!("i-{n:03}"), json!({"businessKey": wide})));
    optimize.store_instances("order", instances);
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve_with(&["--max-concurrent-exports", "1", "--queue-timeout", "1"]);
    let target = "/api/public/export/report/r/result/json?limit=400&paginationTimeout=60";
    let (mut slow, _) = service.begin(target, 100);
    let answer = service.first_page("r", 1);
    let (status, code, detail) = answer.error();
    assert_eq!((status, code.as_str()), (429, "tooManyRequestsError"));
    assert!(
        detail.contains("--max-concurrent-exports") && answer.header("retry-after").is_some(),
        "{detail}"
    );
    std::io::copy(&mut slow, &mut std::io::sink()).unwrap();
    service.wait_for_log("export delivered");
    assert_eq!(service.first_page("r", 1).status, 200);
}

#[test]
fn who_comes_too_many_waits_for_a_turn() {
    let optimize = Optimize::install();
    let wide = "x".repeat(20_000);
    let instances =
        (0..100).map(|n| instance("order", &format!("i-{n:03}"), json!({"businessKey": wide})));
    optimize.store_instances("order", instances);
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve_with(&["--max-concurrent-exports", "2"]);
    let ids: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..64).map(|_| scope.spawn(|| service.ids("r"))).collect();
        let ids = clients.into_iter().map(|client| client.join().unwrap());
        ids.collect()
    });
    assert!(ids.iter().all(|ids| ids.len() == 100));
    service.wait_for_metric("optimize_export_exports_waiting 0");
    service.wait_for_metric("optimize_export_exports_under_way 0");
    assert!(!service.log().contains("export refused"));
}
