//! Nothing lost, nothing foreign: which scrolls are continued, by whom, and which are given up.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::indices::Index;

use crate::support::documents::{instance, instances, raw_report, selection};
use crate::support::proxy::{Mode, Proxy};
use crate::support::{Optimize, Service, TOKEN, http};

const KEY: [(&str, &str); 1] = [("OPTIMIZE_EXPORT_SCROLL_KEY", "a key that replicas share")];
const OTHER_KEY: [(&str, &str); 1] =
    [("OPTIMIZE_EXPORT_SCROLL_KEY", "a key that somebody else has")];

fn with_orders(count: usize) -> Optimize {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", count));
    optimize.store_report(raw_report("r", "order", json!({})));
    optimize
}

/// Orders of 30 kB each: a page of them does not fit into the buffers of a connection. Elasticsearch takes no longer keyword
/// than 32,766 bytes.
fn with_wide_orders(count: usize) -> Optimize {
    let optimize = Optimize::install();
    let wide = "x".repeat(30_000);
    let order = |n: usize| instance("order", &format!("i-{n:03}"), json!({"businessKey": wide}));
    optimize.store_instances("order", (0..count).map(order));
    optimize.store_report(raw_report("r", "order", json!({})));
    optimize
}

fn replica(optimize: &Optimize, environment: &[(&str, &str)]) -> Service {
    Service::start(&optimize.url, &optimize.prefix, &[], environment)
}

#[track_caller]
fn assert_start_over(service: &Service, report_id: &str, page: &Value) {
    let (status, code, detail) = service.next_page(report_id, page).error();
    assert_eq!(
        (status, code.as_str()),
        (400, "badRequestError"),
        "{detail}"
    );
    assert!(detail.contains("start over"), "{detail}");
}

fn ids(page: &Value) -> Vec<&str> {
    page["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["processInstanceId"].as_str().unwrap())
        .collect()
}

/// Goes on with a scroll behind the service's back.
fn hits_left(optimize: &Optimize, scroll_id: &str) -> usize {
    let answer = optimize.post(
        "/_search/scroll",
        &json!({"scroll": "1m", "scroll_id": scroll_id}),
    );
    answer["hits"]["hits"].as_array().unwrap().len()
}

fn is_open(optimize: &Optimize, scroll_id: &str) -> bool {
    let body = json!({"scroll": "1m", "scroll_id": scroll_id});
    optimize
        .installation
        .client()
        .post("/_search/scroll", &body)
        .unwrap()
        .is_success()
}

#[track_caller]
fn wait_until_closed(optimize: &Optimize, scroll_id: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while is_open(optimize, scroll_id) {
        assert!(Instant::now() < deadline, "the scroll was not cleared");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn malformed_expired_and_cleared_ids_mean_start_over() {
    let optimize = with_orders(3);
    for service in [optimize.serve(), replica(&optimize, &KEY)] {
        for id in [
            "NoSoupForYou!",
            "%20",
            "DXF1ZXJ5QW5kRmV0Y2gBAAAAAAAAAD4WYm9laVYtZndUQlNsdDcwakFMNjU1QQ==",
            "a%2Fb",
        ] {
            let answer = service.export(
                "r",
                &format!("limit=1&paginationTimeout=60&searchRequestId={id}"),
            );
            let (status, code, detail) = answer.error();
            assert_eq!(
                (status, code.as_str()),
                (400, "badRequestError"),
                "{id}: {detail}"
            );
        }
        let page = service.first_page("r", 1).ok();
        let body = json!({"scroll_id": page["searchRequestId"]});
        // Elasticsearch takes a body with DELETE, which the client here does not send; so it is written by hand.
        let address = optimize.url.trim_start_matches("http://").parse().unwrap();
        let body = body.to_string();
        let head = format!(
            "DELETE /_search/scroll HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\nContent-Length: {}",
            body.len()
        );
        let mut stream = http::connect(address);
        stream
            .write_all(format!("{head}\r\nConnection: close\r\n\r\n{body}").as_bytes())
            .unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
        assert_start_over(&service, "r", &page);
    }
}

#[test]
fn a_scroll_expires_after_its_pagination_timeout() {
    let optimize = with_orders(3);
    let service = optimize.serve();
    let page = service.export("r", "limit=1&paginationTimeout=1").ok();
    thread::sleep(Duration::from_secs(4) + optimize.expiry_interval());
    assert_start_over(&service, "r", &page);
}

#[test]
fn an_id_of_another_report_is_refused_without_moving_its_scroll() {
    let optimize = with_orders(4);
    optimize.store_report(raw_report("other", "order", json!({})));
    for service in [optimize.serve(), replica(&optimize, &KEY)] {
        let page = service.first_page("r", 1).ok();
        let (status, code, detail) = service.next_page("other", &page).error();
        assert_eq!((status, code.as_str()), (400, "badRequestError"));
        assert!(detail.contains("not issued for this report"), "{detail}");
        assert_eq!(ids(&service.next_page("r", &page).ok()), ["i-001"]);
    }
}

#[test]
fn a_replica_that_read_from_another_reports_scroll_makes_its_reader_start_over() {
    let optimize = with_orders(4);
    optimize.store_report(raw_report("other", "order", json!({})));
    let (first, second) = (replica(&optimize, &KEY), replica(&optimize, &KEY));
    let page = first.first_page("r", 1).ok();
    let (status, _, detail) = second.next_page("other", &page).error();
    assert!(
        status == 400 && detail.contains("not issued for this report"),
        "{detail}"
    );
    // The second instance is gone from the scroll; a third page in its place would be a silent gap.
    assert_start_over(&first, "r", &page);
}

#[test]
fn a_scroll_of_another_application_never_leaves() {
    let optimize = with_orders(4);
    let search = json!({"size": 1, "sort": ["processInstanceId"]});
    let path = format!(
        "/{}/_search?scroll=1m",
        Index::ProcessInstance { key: "order" }.alias(&optimize.prefix)
    );
    let foreign = optimize.post(&path, &search);
    let foreign = json!({"searchRequestId": foreign["_scroll_id"]});

    // Without a key the id is refused unasked: the scroll has not moved.
    assert_start_over(&optimize.serve(), "r", &foreign);
    let id = foreign["searchRequestId"].as_str().unwrap();
    let next = optimize.post("/_search/scroll", &json!({"scroll": "1m", "scroll_id": id}));
    assert_eq!(next["hits"]["hits"][0]["_id"], "i-001");

    // With a key its first hit is looked at, no word of it gets out, and it stays open.
    let service = replica(&optimize, &KEY);
    let answer = service.next_page("r", &foreign);
    let (status, _, detail) = answer.error();
    assert_eq!(status, 400);
    assert!(
        !answer.text().contains("i-00") && detail.contains("not issued for this report"),
        "{detail}"
    );
    assert_eq!(
        hits_left(&optimize, id),
        1,
        "a scroll that is not ours is never cleared"
    );
}

#[test]
fn an_exhausted_foreign_scroll_shows_neither_its_end_nor_its_total() {
    let optimize = with_orders(4);
    optimize.store_instances("secret", instances("secret", 9));
    let path = format!(
        "/{}/_search?scroll=1m",
        Index::ProcessInstance { key: "secret" }.alias(&optimize.prefix)
    );
    let foreign = optimize.post(&path, &json!({"size": 100}));
    let id = foreign["_scroll_id"].as_str().unwrap();
    let service = replica(&optimize, &KEY);
    let page = service.next_page("r", &json!({"searchRequestId": id})).ok();
    assert_eq!(page["data"], json!([]));
    assert_eq!(page["totalNumberOfRecords"], 4, "the report's own count");
    assert_eq!(page["searchRequestId"], id);
    assert!(is_open(&optimize, id));
}

#[test]
fn a_replica_with_the_same_key_goes_on_and_one_with_another_does_not() {
    let optimize = with_orders(6);
    optimize.store_instances(
        "order",
        [instance(
            "order",
            "i-005",
            json!({"variables": [{"name": "late", "type": "String", "value": ["x"]}]}),
        )],
    );
    let first = replica(&optimize, &KEY);
    let same = replica(&optimize, &KEY);
    let other = replica(&optimize, &OTHER_KEY);
    let none = optimize.serve();

    let page = first.first_page("r", 2).ok();
    assert_start_over(&none, "r", &page);
    let second = same.next_page("r", &page).ok();
    assert_eq!(ids(&second), ["i-002", "i-003"]);
    assert_eq!(second["totalNumberOfRecords"], 6);
    assert_eq!(
        second["data"][0]["variables"],
        json!({"late": ""}),
        "the names are found again"
    );

    // Another key: the proof fails. What it cost is one page, which the rightful replica can't give any more; but
    // nothing of it got out.
    let (status, _, detail) = other.next_page("r", &second).error();
    assert_eq!(status, 400, "{detail}");
}

#[test]
fn one_request_at_a_time_reads_from_a_scroll() {
    let optimize = with_wide_orders(600);
    let service = optimize.serve();
    let page = service.first_page("r", 300).ok();
    let id = page["searchRequestId"].as_str().unwrap();
    let target = format!(
        "/api/public/export/report/r/result/json?limit=300&paginationTimeout=60&searchRequestId={id}"
    );

    // A reader that takes its time.
    let (mut slow, _) = service.begin(&target, 1_000);
    let answer = service.get(&target);
    let (status, code, _) = answer.error();
    assert_eq!((status, code.as_str()), (429, "tooManyRequestsError"));
    assert!(
        answer
            .header("retry-after")
            .unwrap()
            .parse::<u32>()
            .unwrap()
            > 0
    );

    let mut rest = String::new();
    slow.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("i-599") && rest.contains("\"numberOfRecordsInResponse\":300"));
    let last = service.get(&target).ok();
    assert_eq!(
        last["data"],
        json!([]),
        "the second request took nothing away"
    );
}

#[test]
fn a_client_that_leaves_in_the_middle_of_a_page_gives_the_scroll_up() {
    let optimize = with_wide_orders(600);
    let service = optimize.serve();
    let page = service.first_page("r", 300).ok();
    let id = page["searchRequestId"].as_str().unwrap();
    let target = format!(
        "/api/public/export/report/r/result/json?limit=300&paginationTimeout=60&searchRequestId={id}"
    );
    drop(service.begin(&target, 1_000));
    service.wait_for_log("export interrupted");
    wait_until_closed(&optimize, id);
    assert_start_over(&service, "r", &page);
}

#[test]
fn an_answer_that_breaks_off_breaks_the_page_and_gives_the_scroll_up() {
    let optimize = with_wide_orders(200);
    let proxy = Proxy::start(&optimize.url);
    let service = Service::start(&proxy.url(), &optimize.prefix, &[], &[]);
    let page = service.first_page("r", 100).ok();
    proxy.set(Mode::CutAfter(1_000_000));
    let broken = service.next_page("r", &page);
    assert_eq!(broken.status, 200, "rows were on their way already");
    assert!(!broken.is_complete, "a broken page must not look whole");
    assert!(broken.text().contains("i-100") && !broken.text().contains("i-199"));
    proxy.set(Mode::Pass);
    service.wait_for_log("page broke off");
    assert_start_over(&service, "r", &page);
}

#[test]
fn elasticsearch_that_is_gone_is_a_503() {
    let optimize = with_orders(2);
    let proxy = Proxy::start(&optimize.url);
    let service = Service::start(&proxy.url(), &optimize.prefix, &["--cache-ttl", "0"], &[]);
    let page = service.first_page("r", 1).ok();
    proxy.set(Mode::CutAfter(0));
    for answer in [service.first_page("r", 1), service.next_page("r", &page)] {
        let (status, code, detail) = answer.error();
        assert_eq!(
            (status, code.as_str()),
            (503, "elasticsearchConnectionError")
        );
        assert!(
            answer
                .header("retry-after")
                .unwrap()
                .parse::<u32>()
                .unwrap()
                > 0
        );
        assert!(
            !detail.contains("127.0.0.1"),
            "no address gets out: {detail}"
        );
    }
    proxy.set(Mode::Pass);
    assert_eq!(service.first_page("r", 1).status, 200);
}

#[test]
fn shards_that_are_lost_between_pages_are_never_passed_over() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_instances("invoice", instances("invoice", 3));
    let both = json!({"definitions": [selection("order"), selection("invoice")]});
    optimize.store_report(raw_report("r", "order", both));
    let service = optimize.serve();
    let page = service.first_page("r", 2).ok();
    assert_eq!(page["totalNumberOfRecords"], 6);
    let index = Index::ProcessInstance { key: "invoice" }.physical_name(&optimize.prefix);
    optimize
        .installation
        .client()
        .delete(&format!("/{index}"))
        .unwrap()
        .success()
        .unwrap();
    let (status, _, detail) = service.next_page("r", &page).error();
    assert!(matches!(status, 400 | 503), "{status} {detail}");
    wait_until_closed(&optimize, page["searchRequestId"].as_str().unwrap());
    assert_start_over(&service, "r", &page);
    assert_eq!(
        service.all_rows("r", 2).len(),
        3,
        "what is left can be exported anew"
    );
}

#[test]
fn the_scroll_is_cleared_after_its_empty_last_page_and_not_before() {
    let optimize = with_orders(2);
    let service = optimize.serve();
    let first = service.first_page("r", 2).ok();
    let id = first["searchRequestId"].as_str().unwrap();
    service.wait_for_log("export delivered");
    assert!(
        is_open(&optimize, id),
        "a full page may be followed by another"
    );
    assert_eq!(service.next_page("r", &first).ok()["data"], json!([]));
    wait_until_closed(&optimize, id);
}

#[test]
fn requests_under_way_may_finish_when_the_service_stops() {
    let optimize = with_orders(3);
    let proxy = Proxy::start(&optimize.url);
    let mut service = Service::start(&proxy.url(), &optimize.prefix, &["--cache-ttl", "0"], &[]);
    proxy.set(Mode::HoldAfter(0));
    let address = service.address;
    let client = thread::spawn(move || {
        let target = "/api/public/export/report/r/result/json?limit=5&paginationTimeout=60";
        http::send(
            address,
            format!("GET {target} HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer {TOKEN}").as_bytes(),
        )
    });
    // Time enough for the request to arrive, on a busy machine too; Elasticsearch's answer is held back meanwhile.
    thread::sleep(Duration::from_secs(2));
    service.terminate();
    service.wait_for_log("asked to stop");
    proxy.set(Mode::Pass);
    let page = client.join().unwrap().ok();
    assert_eq!(page["numberOfRecordsInResponse"], 3);
    assert!(service.wait().success());
}
