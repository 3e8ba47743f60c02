//! Faults between the service and Elasticsearch, and in Elasticsearch itself.
//!
//! Each test provokes one, on the real thing where that is possible and through a proxy where it is not, and shows what the
//! client saw, that nothing was lost without a word, and that the service goes on working. `docs/FAULTS.md` lists them.

mod ahead;
mod answers;
mod changes;
mod connections;
mod contexts;
mod counts;
mod lasting;
mod replicas;
mod restart;
mod shards;

use serde_json::{Value, json};

use crate::support::documents::{instance, raw_report};
use crate::support::http::Answer;
use crate::support::proxy::{Mode, Proxy};
use crate::support::{Optimize, Service};

/// The request that opens a scroll.
const OPEN: &str = "_search?scroll=";
/// The request that continues one.
const CONTINUE: &str = "POST /_search/scroll";
/// The request that clears one.
const CLEAR: &str = "DELETE /_search/scroll";
/// The instances of [`Faulty`]; a row of each has 5 kB, a page of all does not fit into the buffers of a connection.
const INSTANCES: usize = 600;

/// Each page is asked for when its client asks, so that a test knows which request meets its fault; `ahead` has the others.
const NOTHING_AHEAD: [&str; 2] = ["--max-pages-ahead", "0"];

/// Orders behind a proxy, and a service that asks through it.
struct Faulty {
    optimize: Optimize,
    proxy: Proxy,
    service: Service,
}

impl Faulty {
    fn new(flags: &[&str]) -> Self {
        Self::of(with_orders(), flags)
    }

    fn of(optimize: Optimize, flags: &[&str]) -> Self {
        let proxy = Proxy::start(&optimize.url);
        let service = Service::start(&proxy.url(), &optimize.prefix, flags, &[]);
        Self {
            optimize,
            proxy,
            service,
        }
    }

    /// A page whose opening meets the fault, and then one whose continuation does.
    fn pages_through(&self, mode: &Mode) -> (Answer, Answer, Value) {
        let page = self.service.first_page("r", 100).ok();
        self.proxy.set_for(OPEN, 1, mode.clone());
        let opened = self.service.first_page("r", 100);
        self.proxy.set_for(CONTINUE, 1, mode.clone());
        let continued = self.service.next_page("r", &page);
        self.proxy.set(Mode::Pass);
        (opened, continued, page)
    }

    /// The scroll was given up, was never asked for a second step, and the service works as before.
    #[track_caller]
    fn assert_nothing_was_lost(&self, page: &Value) {
        assert_eq!(
            self.proxy.count(CONTINUE),
            1,
            "a step that may have been taken is never asked for again"
        );
        assert_start_over(&self.service, page);
        assert_eq!(self.proxy.count(CONTINUE), 1, "and Elasticsearch not asked");
        assert!(self.proxy.count(CLEAR) > 0, "the scroll was not cleared");
        assert_works(&self.service);
    }
}

fn with_orders() -> Optimize {
    with_wide_orders(5_000, (0..INSTANCES).map(|n| format!("i-{n:03}")))
}

/// Orders with these ids, whose rows have so many bytes and some more.
fn with_wide_orders(bytes: usize, ids: impl Iterator<Item = String>) -> Optimize {
    let optimize = Optimize::install();
    let wide = "x".repeat(bytes);
    let orders = ids.map(|id| instance("order", &id, json!({ "businessKey": wide })));
    optimize.store_instances("order", orders);
    optimize.store_report(raw_report("r", "order", json!({})));
    optimize
}

/// The client knows that it has to wait, and for how long.
#[track_caller]
fn assert_wait(answer: &Answer, expected: (u16, &str)) -> String {
    let (status, code, detail) = answer.error();
    assert_eq!((status, code.as_str()), expected, "{detail}");
    let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert!(
        !detail.contains("127.0.0.1"),
        "no address gets out: {detail}"
    );
    detail
}

/// The client knows that this scroll is over.
#[track_caller]
fn assert_told_to_start_over(answer: &Answer, expected: (u16, &str)) {
    let (status, code, detail) = answer.error();
    assert_eq!((status, code.as_str()), expected, "{detail}");
    assert!(detail.contains("start over"), "{detail}");
    assert!(
        !detail.contains("127.0.0.1"),
        "no address gets out: {detail}"
    );
}

#[track_caller]
fn assert_start_over(service: &Service, page: &Value) {
    assert_told_to_start_over(&service.next_page("r", page), (400, "badRequestError"));
}

/// A body that began and did not end.
#[track_caller]
fn assert_broken(answer: &Answer) {
    assert_eq!(answer.status, 200, "rows were on their way already");
    assert!(!answer.is_complete, "a broken page must not look whole");
    assert!(!answer.text().contains("numberOfRecordsInResponse"));
}

/// A whole export has every instance once.
#[track_caller]
fn assert_works(service: &Service) {
    assert_eq!(service.ids("r"), all_ids());
}

fn all_ids() -> Vec<String> {
    names(0..INSTANCES)
}

/// The ids of so many instances.
fn names(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("i-{n:03}")).collect()
}

fn ids(page: &Value) -> Vec<&str> {
    let rows = page["data"].as_array().unwrap();
    let id =
        |row| -> &str { Value::as_str(Value::get(row, "processInstanceId").unwrap()).unwrap() };
    rows.iter().map(id).collect()
}
