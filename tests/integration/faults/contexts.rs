//! Contexts that scrolls keep open in Elasticsearch, and places that exports hold: nobody keeps them for long.

use std::time::{Duration, Instant};

use super::*;

/// The scroll of a page can still be read in Elasticsearch.
fn is_open(optimize: &Optimize, page: &Value) -> bool {
    let body = json!({"scroll": "1m", "scroll_id": page["searchRequestId"]});
    let client = optimize.installation.client();
    client.post("/_search/scroll", &body).unwrap().is_success()
}

#[track_caller]
fn wait_until(what: &str, seconds: u64, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    while !condition() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_expired_is_cleared_and_counts_until_then() {
    let faulty = Faulty::new(&["--max-open-scrolls", "4"]);
    let open = || faulty.service.export("r", "limit=1&paginationTimeout=1");
    for _ in 0..4 {
        open().ok();
    }
    let (status, _, detail) = open().error();
    assert_eq!(status, 429, "{detail}");
    assert!(detail.contains("--max-open-scrolls"), "{detail}");
    assert_eq!(faulty.proxy.count(CLEAR), 0);
    // When they have expired, those who want to open others clear them.
    std::thread::sleep(Duration::from_millis(1_200));
    open().ok();
    assert_eq!(faulty.proxy.count(CLEAR), 1, "all with one request");
    // Without anybody who wants to, it takes some seconds more.
    wait_until("the last one is cleared too", 15, || {
        faulty.proxy.count(CLEAR) == 2
    });
    faulty
        .service
        .wait_for_metric("optimize_export_scrolls_open 0");
}

#[test]
fn a_report_over_several_shards_takes_a_context_for_each() {
    let optimize = Optimize::install();
    let keys = ["a", "b", "c"];
    for key in keys {
        optimize.store_instances(key, [instance(key, &format!("{key}-1"), json!({}))]);
    }
    let definitions: Vec<Value> = keys.map(crate::support::documents::selection).to_vec();
    optimize.store_report(raw_report("r", "a", json!({"definitions": definitions})));
    let service = optimize.serve_with(&["--max-open-scrolls", "5"]);
    service.first_page("r", 1).ok();
    service.first_page("r", 1).ok();
    assert_eq!(
        service.first_page("r", 1).status,
        429,
        "six contexts are open"
    );
}

#[test]
fn a_page_that_is_fetched_ahead_is_let_go_when_its_scroll_expires() {
    let faulty = Faulty::new(&[]);
    let mut page = faulty
        .service
        .export("r", "limit=100&paginationTimeout=2")
        .ok();
    for _ in 0..2 {
        let id = page["searchRequestId"].as_str().unwrap();
        let query = format!("limit=100&paginationTimeout=2&searchRequestId={id}");
        page = faulty.service.export("r", &query).ok();
    }
    wait_until("the next page is fetched", 5, || {
        faulty.proxy.count(CONTINUE) == 3
    });
    wait_until("its scroll is cleared", 15, || {
        faulty.proxy.count(CLEAR) == 1
    });
    assert_start_over(&faulty.service, &page);
}

#[test]
fn a_process_that_ends_clears_what_nobody_can_go_on_with() {
    let mut faulty = Faulty::new(&[]);
    let pages: Vec<Value> = (0..3)
        .map(|_| faulty.service.first_page("r", 100).ok())
        .collect();
    faulty.service.terminate();
    assert!(faulty.service.wait().success());
    assert!(pages.iter().all(|page| !is_open(&faulty.optimize, page)));

    // With a scroll key, replicas can.
    let key = [("OPTIMIZE_EXPORT_SCROLL_KEY", "a key that replicas share")];
    let mut service = Service::start(&faulty.proxy.url(), &faulty.optimize.prefix, &[], &key);
    let page = service.first_page("r", 100).ok();
    service.terminate();
    assert!(service.wait().success());
    assert!(is_open(&faulty.optimize, &page));
}

#[test]
fn an_answer_that_arrives_byte_by_byte_is_not_waited_for() {
    let faulty = Faulty::new(&["--elasticsearch-timeout", "2"]);
    let (opened, continued, _) = {
        let began = Instant::now();
        let answers = faulty.pages_through(&Mode::Slow(20));
        assert!(
            began.elapsed() < Duration::from_secs(15),
            "{:?}",
            began.elapsed()
        );
        answers
    };
    for answer in [opened, continued] {
        let (status, code, _) = answer.error();
        assert_eq!(
            (status, code.as_str()),
            (503, "elasticsearchConnectionError")
        );
    }
    // The head and some hits come at once, and then hardly anything.
    let page = faulty.service.first_page("r", 100).ok();
    faulty.proxy.set_for(CONTINUE, 1, Mode::HoldAfter(20_000));
    let broken = faulty.service.next_page("r", &page);
    assert_broken(&broken);
    faulty.proxy.set(Mode::Pass);
    assert_works(&faulty.service);
}
