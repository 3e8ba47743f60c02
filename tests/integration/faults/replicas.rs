//! Replicas that share a scroll key don't share what they know: a step that one of them lost must not be passed over by
//! another.

use std::thread;
use std::time::{Duration, Instant};

use super::*;

const KEY: [(&str, &str); 1] = [("OPTIMIZE_EXPORT_SCROLL_KEY", "a key that replicas share")];

struct Replicas {
    optimize: Optimize,
    proxy: Proxy,
    behind_the_proxy: Service,
    other: Service,
}

impl Replicas {
    fn new(flags: &[&str]) -> Self {
        let optimize = with_orders();
        let proxy = Proxy::start(&optimize.url);
        let behind_the_proxy = Service::start(&proxy.url(), &optimize.prefix, flags, &KEY);
        let other = Service::start(&optimize.url, &optimize.prefix, &[], &KEY);
        Self {
            optimize,
            proxy,
            behind_the_proxy,
            other,
        }
    }

    fn is_open(&self, page: &Value) -> bool {
        let counts = self
            .optimize
            .installation
            .client()
            .get("/_nodes/stats/indices/search?filter_path=nodes.*.indices.search.open_contexts")
            .unwrap()
            .success()
            .unwrap();
        // Other tests have scrolls too, so that only this one's own id tells.
        assert!(counts["nodes"].is_object());
        let body = json!({"scroll": "1m", "scroll_id": page["searchRequestId"]});
        let client = self.optimize.installation.client();
        client.post("/_search/scroll", &body).unwrap().is_success()
    }
}

#[test]
fn a_step_that_a_replica_lost_is_not_passed_over_by_another() {
    for mode in [
        Mode::CutAfter(0),
        Mode::CutAfter(1_000),
        Mode::status(503, "{}"),
    ] {
        let replicas = Replicas::new(&[]);
        let page = replicas.other.first_page("r", 100).ok();
        replicas.proxy.set_for(CONTINUE, 1, mode.clone());
        let lost = replicas.behind_the_proxy.next_page("r", &page);
        assert_told_to_start_over(&lost, (503, "elasticsearchConnectionError"));
        // The replica that lost it knows at once.
        assert_start_over(&replicas.behind_the_proxy, &page);
        if matches!(mode, Mode::CutAfter(_)) {
            // The other one, when the scroll has proved to be ours and is cleared.
            wait_until_cleared(&replicas);
            assert_start_over(&replicas.other, &page);
        }
        assert_works(&replicas.other);
    }
}

#[test]
fn a_scroll_that_could_not_be_cleared_is_cleared_later() {
    let replicas = Replicas::new(&[]);
    let page = replicas.behind_the_proxy.first_page("r", 100).ok();
    // The page breaks because Elasticsearch is out of reach, so it can't be told either.
    replicas.proxy.set_for(CONTINUE, 1, Mode::CutAfter(100_000));
    let broken = replicas.behind_the_proxy.next_page("r", &page);
    replicas.proxy.set(Mode::Refuse);
    assert_broken(&broken);
    replicas.behind_the_proxy.wait_for_log("page broke off");
    thread::sleep(Duration::from_millis(500));
    replicas.proxy.set(Mode::Pass);
    let deadline = Instant::now() + Duration::from_secs(30);
    while replicas.is_open(&page) {
        assert!(Instant::now() < deadline, "the scroll was not cleared");
        thread::sleep(Duration::from_millis(100));
    }
    assert_start_over(&replicas.other, &page);
    assert_works(&replicas.other);
}

#[track_caller]
fn wait_until_cleared(replicas: &Replicas) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while replicas.proxy.count(CLEAR) == 0 {
        assert!(Instant::now() < deadline, "the scroll was not cleared");
        thread::sleep(Duration::from_millis(20));
    }
    // The request was seen; its answer takes a moment more.
    thread::sleep(Duration::from_millis(200));
}
