//! Several nodes, of which some are dead, hang or die: two ways to the one server that tests have.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::documents::{instances, raw_report};
use crate::support::proxy::{Mode, Proxy};
use crate::support::service::{command, free_address};
use crate::support::{Optimize, Service};

const ROWS: usize = 25;

fn installation() -> Optimize {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", ROWS));
    optimize.store_report(raw_report("r", "order", json!({})));
    optimize
}

/// A service that asks Elasticsearch anew for everything.
fn serve(optimize: &Optimize, nodes: &[&str]) -> Service {
    let flags = ["--cache-ttl", "0", "--elasticsearch-timeout", "60"];
    Service::start(&nodes.join(","), &optimize.prefix, &flags, &[])
}

#[test]
fn a_dead_node_costs_nothing() {
    let optimize = installation();
    let dead = format!("http://{}", free_address());
    let service = serve(&optimize, &[&dead, &optimize.url]);
    for _ in 0..4 {
        assert_eq!(service.all_rows("r", 10).len(), ROWS);
    }
    assert_eq!(
        log_lines(&service, "does not answer"),
        1,
        "{}",
        service.log()
    );
}

#[test]
fn a_node_that_takes_connections_and_hangs_costs_one_wait_for_it() {
    let optimize = installation();
    // The system completes connections for a listener that nobody asks for them.
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = format!("http://{}", hanging.local_addr().unwrap());
    for nodes in [[&hanging, &optimize.url], [&optimize.url, &hanging]] {
        let service = serve(&optimize, &nodes.map(String::as_str));
        let began = Instant::now();
        assert_eq!(service.all_rows("r", 10).len(), ROWS);
        let first = began.elapsed();
        assert!(first < Duration::from_secs(20), "{first:?}");
        let began = Instant::now();
        for _ in 0..4 {
            assert_eq!(service.all_rows("r", 10).len(), ROWS);
        }
        let others = began.elapsed();
        assert!(others < Duration::from_secs(9), "{others:?}");
        assert_eq!(
            log_lines(&service, "does not answer"),
            1,
            "{}",
            service.log()
        );
    }
}

#[test]
fn a_node_that_dies_takes_no_request_with_it() {
    let optimize = installation();
    let (first, second) = (Proxy::start(&optimize.url), Proxy::start(&optimize.url));
    let service = serve(&optimize, &[&first.url(), &second.url()]);
    // Both nodes have connections that are kept for the next request, and a scroll is half-way.
    for _ in 0..3 {
        assert_eq!(service.all_rows("r", 10).len(), ROWS);
    }
    let page = service.first_page("r", 10).ok();
    first.refuse();
    let rest = service.next_page("r", &page).ok();
    assert_eq!(rest["numberOfRecordsInResponse"], 10);
    for _ in 0..6 {
        assert_eq!(service.all_rows("r", 10).len(), ROWS);
    }
}

#[test]
fn a_step_of_a_scroll_that_may_have_arrived_is_not_sent_to_another_node() {
    let optimize = installation();
    let (first, second) = (Proxy::start(&optimize.url), Proxy::start(&optimize.url));
    // The report is known when the next page is asked for, so the step of the scroll is all that is sent.
    let nodes = [first.url(), second.url()].join(",");
    let flags = ["--cache-ttl", "600"];
    let service = Service::start(&nodes, &optimize.prefix, &flags, &[]);
    for _ in 0..3 {
        assert_eq!(service.all_rows("r", 10).len(), ROWS);
    }
    let page = service.first_page("r", 10).ok();
    // Everything arrives, and no answer comes back.
    first.set(Mode::CutAfter(0));
    second.set(Mode::CutAfter(0));
    assert_eq!(service.next_page("r", &page).status, 503);
    first.set(Mode::Pass);
    second.set(Mode::Pass);
    // The step was done, so going on would skip ten rows: the scroll is given up.
    let (status, _, message) = service.next_page("r", &page).error();
    assert_eq!(status, 400, "{message}");
    assert!(message.contains("start over"), "{message}");
}

#[test]
fn without_any_node_the_service_says_so_and_comes_back() {
    let optimize = installation();
    let dead = [free_address(), free_address()].map(|address| format!("http://{address}"));
    let urls = dead.join(",");
    let output = command(&["check", "--elasticsearch-url", &urls])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("can't be reached"));

    let proxy = Proxy::start(&optimize.url);
    proxy.set(Mode::CutAfter(0));
    let service = serve(&optimize, &[&dead[0], &proxy.url()]);
    assert_eq!(service.first_page("r", 10).status, 503);
    proxy.set(Mode::Pass);
    // Both nodes are left alone, but there is no third one.
    assert_eq!(service.all_rows("r", 10).len(), ROWS);
}

fn log_lines(service: &Service, text: &str) -> usize {
    service.wait_for_log(text);
    service.log().matches(text).count()
}
