//! Connections that are refused, closed, silent, slow or cut.

use std::time::Duration;

use super::*;

const AWAY: (u16, &str) = (503, "elasticsearchConnectionError");
/// Bytes of a batch of 2,000 instances after which more of it is to come, and much has been read.
const FAR_INTO_A_BATCH: usize = 500_000;

#[test]
fn refused_connections_leave_the_scroll_where_it_is() {
    let faulty = Faulty::new(&["--cache-ttl", "60"]);
    let page = faulty.service.first_page("r", 100).ok();
    faulty.proxy.refuse();
    assert_wait(&faulty.service.first_page("r", 100), AWAY);
    let detail = assert_wait(&faulty.service.next_page("r", &page), AWAY);
    assert!(detail.contains("go on"), "{detail}");
    let ready = crate::support::http::send(
        faulty.service.management,
        b"GET /health/ready HTTP/1.1\r\nHost: test",
    );
    assert_eq!(ready.status, 503);

    faulty.proxy.accept();
    let next = faulty.service.next_page("r", &page).ok();
    assert_eq!(ids(&next).first(), Some(&"i-100"), "no step was taken");
    assert_works(&faulty.service);
}

#[test]
fn a_connection_that_closes_under_a_request_costs_the_scroll_but_no_row() {
    let faulty = Faulty::new(&[]);
    let (opened, continued, page) = faulty.pages_through(&Mode::Close);
    assert_wait(&opened, AWAY);
    assert_wait(&continued, AWAY);
    assert_told_to_start_over(&continued, AWAY);
    faulty.assert_nothing_was_lost(&page);
}

#[test]
fn what_changes_nothing_is_asked_again_over_a_fresh_connection() {
    let faulty = Faulty::new(&["--cache-ttl", "0"]);
    // The report, the names of flow nodes and a count, each on a connection that closes under the request.
    for (request, limit) in [("_mget", 0), ("process-definition", 1), ("_count", 0)] {
        let before = faulty.proxy.count(request);
        faulty.proxy.set_for(request, 1, Mode::Close);
        let answer = faulty.service.first_page("r", limit);
        assert!(!faulty.proxy.is_armed(), "{request} was not asked for");
        answer.ok();
        assert!(faulty.proxy.count(request) >= before + 2, "{request}");
    }
}

#[test]
fn idle_connections_that_were_closed_are_not_used() {
    let faulty = Faulty::new(&[["--cache-ttl", "0"], NOTHING_AHEAD].concat());
    let mut page = faulty.service.first_page("r", 100).ok();
    let mut seen: Vec<String> = ids(&page).iter().map(ToString::to_string).collect();
    while !ids(&page).is_empty() {
        faulty.proxy.close_connections();
        // The end of a connection reaches the service by itself, well before the next request.
        std::thread::sleep(Duration::from_millis(200));
        page = faulty.service.next_page("r", &page).ok();
        seen.extend(ids(&page).iter().map(ToString::to_string));
    }
    assert_eq!(seen, all_ids());
}

#[test]
fn an_answer_that_never_comes_is_given_up_in_time() {
    let faulty = Faulty::new(&["--elasticsearch-timeout", "5"]);
    let (opened, continued, page) = faulty.pages_through(&Mode::HoldAfter(0));
    assert_wait(&opened, AWAY);
    assert_wait(&continued, AWAY);
    assert_told_to_start_over(&continued, AWAY);
    faulty.assert_nothing_was_lost(&page);
}

#[test]
fn an_answer_that_stops_in_the_middle_breaks_the_page_in_time() {
    let timeout = ["--elasticsearch-timeout", "5"];
    let faulty = Faulty::new(&[timeout, NOTHING_AHEAD].concat());
    let (opened, continued, page) = faulty.pages_through(&Mode::HoldAfter(200_000));
    assert_broken(&opened);
    assert_broken(&continued);
    faulty.service.wait_for_log("page broke off");
    faulty.assert_nothing_was_lost(&page);
}

#[test]
fn a_slow_answer_is_no_fault() {
    let faulty = Faulty::new(&["--elasticsearch-timeout", "5"]);
    let page = faulty.service.first_page("r", 100).ok();
    // Longer than the timeout in all, never silent for so long.
    faulty.proxy.set_for(CONTINUE, 1, Mode::Slow(80_000));
    let next = faulty.service.next_page("r", &page).ok();
    assert_eq!(ids(&next).len(), 100);
    assert!(!faulty.proxy.is_armed());
    assert_works(&faulty.service);
}

#[test]
fn an_answer_that_is_cut_in_its_head_is_a_503() {
    let faulty = Faulty::new(&[]);
    for bytes in [0, 10, 60] {
        let before = faulty.proxy.count(CONTINUE);
        let (opened, continued, page) = faulty.pages_through(&Mode::CutAfter(bytes));
        assert_wait(&opened, AWAY);
        assert_told_to_start_over(&continued, AWAY);
        assert_eq!(faulty.proxy.count(CONTINUE), before + 1);
        assert_start_over(&faulty.service, &page);
        assert_works(&faulty.service);
    }
}

#[test]
fn an_answer_that_is_cut_before_its_hits_is_a_503() {
    let faulty = Faulty::new(&[]);
    // Elasticsearch's head takes some 120 bytes, its scroll id alone more than the rest.
    let (opened, continued, page) = faulty.pages_through(&Mode::CutAfter(250));
    assert_wait(&opened, AWAY);
    assert_told_to_start_over(&continued, AWAY);
    faulty.assert_nothing_was_lost(&page);
}

#[test]
fn an_answer_that_is_cut_in_the_middle_of_a_page_breaks_the_page() {
    let faulty = Faulty::new(&NOTHING_AHEAD);
    let (opened, continued, page) = faulty.pages_through(&Mode::CutAfter(200_000));
    assert_broken(&opened);
    assert!(opened.text().contains("i-000") && !opened.text().contains("i-099"));
    assert_broken(&continued);
    assert!(continued.text().contains("i-100") && !continued.text().contains("i-199"));
    faulty.service.wait_for_log("page broke off");
    faulty.assert_nothing_was_lost(&page);
}

#[test]
fn a_step_that_breaks_within_a_page_breaks_the_page() {
    // The size of a page that takes several steps, of which the last one has to be asked for.
    let ids = (0..4_500).map(|n| format!("i-{n:04}"));
    let faulty = Faulty::of(with_wide_orders(6_500, ids), &[]);
    let Faulty { proxy, service, .. } = &faulty;
    let overloaded =
        r#"{"error":{"type":"es_rejected_execution_exception","reason":"full"},"status":429}"#;
    for mode in [
        Mode::Close,
        Mode::CutAfter(0),
        Mode::CutAfter(FAR_INTO_A_BATCH),
        Mode::status(429, overloaded),
        Mode::status(503, "{}"),
        Mode::Answer(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
    ] {
        let before = proxy.count(CONTINUE);
        proxy.set_for(CONTINUE, 1, mode.clone());
        let broken = service.first_page("r", 10_000);
        assert_broken(&broken);
        assert!(broken.text().contains("i-0000"), "{mode:?}");
        assert!(!broken.text().contains("i-4499"), "{mode:?}");
        // The step after the one that breaks is asked for while that one still arrives.
        let steps = if mode == Mode::CutAfter(FAR_INTO_A_BATCH) {
            2
        } else {
            1
        };
        assert_eq!(proxy.count(CONTINUE), before + steps, "{mode:?}");
        let head = broken.text().split_once(",\"data\"").unwrap().0;
        let page: Value = serde_json::from_str(&format!("{head}}}")).unwrap();
        proxy.set(Mode::Pass);
        assert_start_over(service, &page);
    }
    assert_eq!(service.all_rows("r", 10_000).len(), 4_500);
}
