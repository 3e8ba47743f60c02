//! Answers that are no answers, or say no.

use testkit::elasticsearch::{Product, for_this_process};

use super::*;

const AWAY: (u16, &str) = (503, "elasticsearchConnectionError");
const BUSY: (u16, &str) = (429, "tooManyRequestsError");
const INTERNAL: (u16, &str) = (500, "serverError");

/// An answer with status 200 and this body, in place of Elasticsearch's.
fn ok(body: &str) -> Mode {
    Mode::status(200, body)
}

#[test]
fn garbage_is_never_taken_for_a_page() {
    let faulty = Faulty::new(&[]);
    let no_http =
        Mode::Answer(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03garbage\r\n\r\n".to_vec());
    let cases = [
        (no_http, AWAY),
        (Mode::Answer(Vec::new()), AWAY),
        (ok(""), AWAY),
        (ok("<html>Welcome to nginx!</html>"), INTERNAL),
        (ok("[]"), INTERNAL),
        (ok("{}"), INTERNAL),
        (ok(r#"{"hits":{"hits":[]}}"#), INTERNAL),
        (
            ok(r#"{"_scroll_id":"x","hits":{"total":{"value":-1},"hits":[]}}"#),
            INTERNAL,
        ),
        (
            ok(r#"{"_scroll_id":7,"hits":{"total":{"value":1},"hits":[]}}"#),
            INTERNAL,
        ),
        (
            ok("{\"_scroll_id\":\"\u{0}\",\"hits\":{\"total\":{\"value\":1},\"hits\":[]}}"),
            INTERNAL,
        ),
        (ok(r#"{"_scroll_id":"x","hits":{"total":{"value":1}"#), AWAY),
        (ok(&"[".repeat(100_000)), INTERNAL),
        (ok(&format!("{{\"a\":{}", "[".repeat(100_000))), AWAY),
    ];
    for (mode, expected) in cases {
        let before = faulty.proxy.count(CONTINUE);
        let (opened, continued, page) = faulty.pages_through(&mode);
        let (status, code, detail) = opened.error();
        assert_eq!((status, code.as_str()), expected, "{mode:?}: {detail}");
        assert_told_to_start_over(&continued, expected);
        assert_eq!(faulty.proxy.count(CONTINUE), before + 1, "{mode:?}");
        assert_start_over(&faulty.service, &page);
    }
    assert_works(&faulty.service);
}

#[test]
fn hits_that_are_no_hits_break_the_page() {
    let faulty = Faulty::new(&[]);
    for hits in [
        r#"{"_index":"i","_source":7}"#,
        r#"{"_index":"i","_source":{"processInstanceId":{}}}"#,
        r#"{"_index":"i"}"#,
        r#"{"_index":"i","_source":{"flowNodeInstances":[1]}}"#,
        "{}",
        "7",
        "null",
        "[]",
        "}",
    ] {
        let page = faulty.service.first_page("r", 100).ok();
        let id = page["searchRequestId"].as_str().unwrap();
        let body = format!(
            r#"{{"_scroll_id":"{id}","timed_out":false,"_shards":{{"total":1,"successful":1,"failed":0}},"hits":{{"total":{{"value":600}},"hits":[{hits}]}}}}"#
        );
        faulty.proxy.set_for(CONTINUE, 1, ok(&body));
        let answer = faulty.service.next_page("r", &page);
        faulty.proxy.set(Mode::Pass);
        assert!(!answer.is_complete, "{hits}: {answer:?}");
        assert_start_over(&faulty.service, &page);
    }
    assert_works(&faulty.service);
}

#[test]
fn a_busy_elasticsearch_means_wait() {
    let breaker = r#"{"error":{"root_cause":[],"type":"circuit_breaking_exception","reason":"[parent] Data too large"},"status":429}"#;
    let queue = r#"{"error":{"type":"search_phase_execution_exception","reason":"all shards failed","failed_shards":[{"reason":{"type":"es_rejected_execution_exception","reason":"rejected execution"}}]},"status":429}"#;
    for body in [breaker, queue, "slow down"] {
        let faulty = Faulty::new(&[]);
        let (opened, continued, page) = faulty.pages_through(&Mode::status(429, body));
        assert_wait(&opened, BUSY);
        assert_wait(&continued, BUSY);
        assert_told_to_start_over(&continued, BUSY);
        faulty.assert_nothing_was_lost(&page);
    }
}

#[test]
fn an_elasticsearch_that_is_not_available_means_wait() {
    let block = r#"{"error":{"type":"cluster_block_exception","reason":"blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];"},"status":503}"#;
    let proxy = "<html><h1>503 Service Unavailable</h1></html>";
    for body in [block, proxy] {
        let faulty = Faulty::new(&[]);
        let (opened, continued, page) = faulty.pages_through(&Mode::status(503, body));
        assert_wait(&opened, AWAY);
        assert_wait(&continued, AWAY);
        assert_told_to_start_over(&continued, AWAY);
        faulty.assert_nothing_was_lost(&page);
    }
}

#[test]
fn an_error_whose_body_never_ends_is_an_error() {
    let faulty = Faulty::new(&["--elasticsearch-timeout", "5"]);
    let endless = b"HTTP/1.1 503 X\r\nContent-Length: 1000000\r\n\r\n{\"error\":".to_vec();
    let (opened, continued, page) = faulty.pages_through(&Mode::AnswerAndHold(endless));
    assert_wait(&opened, AWAY);
    assert_told_to_start_over(&continued, AWAY);
    faulty.assert_nothing_was_lost(&page);
}

#[test]
fn a_head_without_end_is_an_error() {
    let faulty = Faulty::new(&[]);
    let mut head = b"HTTP/1.1 200 OK\r\n".to_vec();
    for n in 0..50_000 {
        head.extend_from_slice(format!("X-{n}: {}\r\n", "y".repeat(200)).as_bytes());
    }
    let (opened, continued, page) = faulty.pages_through(&Mode::Answer(head));
    assert_wait(&opened, AWAY);
    assert_told_to_start_over(&continued, AWAY);
    faulty.assert_nothing_was_lost(&page);
}

#[test]
fn a_redirect_is_not_followed() {
    let faulty = Faulty::new(&[]);
    let elsewhere = Proxy::start(&faulty.optimize.url);
    let redirect = format!(
        "HTTP/1.1 307 X\r\nLocation: {}/_search/scroll\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        elsewhere.url()
    );
    let (opened, continued, page) = faulty.pages_through(&Mode::Answer(redirect.into_bytes()));
    assert_eq!(opened.error().0, 500);
    assert_told_to_start_over(&continued, INTERNAL);
    assert_eq!(elsewhere.count(""), 0, "nothing goes where nobody sent it");
    faulty.assert_nothing_was_lost(&page);
}

#[test]
fn answers_that_are_not_whole_are_no_pages() {
    let faulty = Faulty::new(&[]);
    let shards = r#""_shards":{"total":1,"successful":1,"failed":0}"#;
    let hits = r#""hits":{"total":{"value":1},"hits":[]}"#;
    let missing = r#""_shards":{"total":2,"successful":1,"failed":0}"#;
    // Not on OpenSearch, which says it of whole answers: see `servers`.
    let terminated = match for_this_process().unwrap().product {
        Product::Elasticsearch => "terminated_early",
        Product::OpenSearch => "timed_out",
    };
    let failed = r#""_shards":{"total":2,"successful":1,"failed":1,"failures":[{"reason":{"type":"node_disconnected_exception","reason":"gone"}}]}"#;
    for body in [
        format!(r#"{{"_scroll_id":"x","timed_out":true,{shards},{hits}}}"#),
        format!(r#"{{"_scroll_id":"x","{terminated}":true,{shards},{hits}}}"#),
        format!(r#"{{"_scroll_id":"x","timed_out":false,{missing},{hits}}}"#),
        format!(r#"{{"_scroll_id":"x","timed_out":false,{failed},{hits}}}"#),
    ] {
        let (opened, continued, page) = faulty.pages_through(&ok(&body));
        assert_wait(&opened, AWAY);
        assert_told_to_start_over(&continued, AWAY);
        assert_start_over(&faulty.service, &page);
    }
    assert_works(&faulty.service);
}

#[test]
fn an_aggregated_answer_is_bounded() {
    let faulty = Faulty::new(&["--cache-ttl", "60"]);
    let data = json!({
        "configuration": {},
        "definitions": [crate::support::documents::selection("order")],
        "filter": [],
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "none", "value": null},
        "distributedBy": {"type": "none", "value": null},
        "visualization": "number",
    });
    faulty
        .optimize
        .store_report(crate::support::documents::report("count", data));
    assert_eq!(faulty.service.first_page("count", 1).ok()["data"], 600.0);
    let before = faulty.service.peak_memory();
    // A gigabyte, if anybody took it: without a length, as Elasticsearch 8 answers searches.
    let mut endless =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"took\":1".to_vec();
    endless.resize(150 * 1024 * 1024, b' ');
    faulty
        .proxy
        .set_for("process-instance", 1, Mode::Answer(endless));
    let (status, code, _) = faulty.service.first_page("count", 1).error();
    assert_eq!((status, code.as_str()), (400, "tooManyBuckets"));
    faulty.proxy.set(Mode::Pass);
    let growth = faulty.service.peak_memory() - before;
    assert!(growth < 64 * 1024 * 1024, "it grew by {growth} bytes");
    assert_eq!(faulty.service.first_page("count", 1).ok()["data"], 600.0);
}
