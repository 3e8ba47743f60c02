//! Pages that are fetched before their client asks for them, while it reads the one before: from its second page on, and from its first one
//! on if that has several steps.

use std::thread;
use std::time::{Duration, Instant};

use super::*;

const AWAY: (u16, &str) = (503, "elasticsearchConnectionError");
const BUSY: (u16, &str) = (429, "tooManyRequestsError");

/// Shows in the log when what was fetched ahead has been read.
const WITH_LOG: [&str; 2] = ["--log", "optimize_export=debug"];

/// Says in the log that what was fetched ahead has been read, or could not be.
const READ: &str = "read a page ahead";

impl Faulty {
    /// Waits until Elasticsearch was asked so often for what begins like this.
    #[track_caller]
    fn wait_for_requests(&self, request: &str, count: usize) {
        let began = Instant::now();
        while self.proxy.count(request) < count {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "not {count} times {request}"
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until Elasticsearch was asked for so many further steps.
    #[track_caller]
    fn wait_for_steps(&self, count: usize) {
        self.wait_for_requests(CONTINUE, count);
    }

    /// The second page of a hundred rows, when the third one has been asked for.
    fn second_page(&self) -> Value {
        let first = self.service.first_page("r", 100).ok();
        let steps = self.proxy.count(CONTINUE);
        let second = self.service.next_page("r", &first).ok();
        assert_eq!(ids(&second), names(100..200));
        self.wait_for_steps(steps + 2);
        second
    }

    fn page_with_timeout(&self, previous: &Value, seconds: u32) -> Answer {
        let id = previous["searchRequestId"].as_str().unwrap();
        let query = format!("limit=100&paginationTimeout={seconds}&searchRequestId={id}");
        self.service.export("r", &query)
    }
}

#[test]
fn each_step_is_asked_for_once_and_none_beyond_the_last_row() {
    let faulty = Faulty::new(&[]);
    let first = faulty.service.first_page("r", 100).ok();
    assert_eq!(faulty.proxy.count(CONTINUE), 0, "the first page may be all");
    let mut page = faulty.service.next_page("r", &first).ok();
    let mut seen = names(0..100);
    // The third to the sixth page are asked for while the one before is written. The empty last one is not.
    for steps in [2, 3, 4, 5, 5, 6] {
        assert_eq!(page["totalNumberOfRecords"], 600);
        seen.extend(ids(&page).iter().map(ToString::to_string));
        faulty.wait_for_steps(steps);
        // One more would be seen by then.
        thread::sleep(Duration::from_millis(500));
        assert_eq!(faulty.proxy.count(CONTINUE), steps, "at {}", seen.len());
        if !ids(&page).is_empty() {
            page = faulty.service.next_page("r", &page).ok();
        }
    }
    assert_eq!(seen, all_ids());
    assert_start_over(&faulty.service, &page);
}

/// More instances than a page of three steps has, each of so many bytes that 560 of them are enough for a step.
fn with_large_orders() -> Faulty {
    let ids = (0..1_300).map(|n| format!("i-{n:04}"));
    Faulty::of(with_wide_orders(27_000, ids), &[])
}

#[test]
fn large_pages_in_several_steps_lose_nothing() {
    let faulty = with_large_orders();
    let Faulty { proxy, service, .. } = &faulty;
    // Pages of two steps, of three, and of one.
    for (limit, step) in [(600, 300), (1_200, 400), (500, 500)] {
        let before = proxy.count(CONTINUE);
        let rows = service.all_rows("r", limit);
        assert_eq!(rows.len(), 1_300, "{limit}");
        for (n, row) in rows.iter().enumerate() {
            assert_eq!(row["processInstanceId"], format!("i-{n:04}"), "{limit}");
        }
        // One step opens the scroll, and the empty one is asked for when its page is.
        let steps = 1_300_usize.div_ceil(step);
        assert_eq!(proxy.count(CONTINUE) - before, steps, "{limit}");
    }
}

#[test]
fn after_a_page_of_several_steps_the_next_one_begins_to_be_fetched() {
    let faulty = with_large_orders();
    let first = faulty.service.first_page("r", 1_200).ok();
    // Two more steps of this page, and the first one of the next, which has the last hundred rows.
    faulty.wait_for_steps(3);
    let second = faulty.service.next_page("r", &first).ok();
    assert_eq!((ids(&first).len(), ids(&second).len()), (1_200, 100));
    thread::sleep(Duration::from_millis(500));
    assert_eq!(faulty.proxy.count(CONTINUE), 3);
}

#[test]
fn a_page_that_was_fetched_ahead_comes_without_elasticsearch() {
    let faulty = Faulty::new(&[["--cache-ttl", "60"], WITH_LOG].concat());
    let page = faulty.second_page();
    faulty.service.wait_for_log(READ);
    faulty.proxy.refuse();
    let third = faulty.service.next_page("r", &page).ok();
    assert_eq!(ids(&third), names(200..300));
    // The fourth page could not be asked for ahead: the scroll has not moved, and the client may go on.
    let detail = assert_wait(&faulty.service.next_page("r", &third), AWAY);
    assert!(detail.contains("go on"), "{detail}");
    faulty.proxy.accept();
    let fourth = faulty.service.next_page("r", &third).ok();
    assert_eq!(ids(&fourth), names(300..400));
}

#[test]
fn a_page_that_nobody_asks_for_in_time_is_given_up_with_its_scroll() {
    let faulty = Faulty::new(&[]);
    let first = faulty.service.first_page("r", 100).ok();
    let began = Instant::now();
    let page = faulty.page_with_timeout(&first, 1).ok();
    faulty.wait_for_steps(2);
    faulty.wait_for_requests(CLEAR, 1);
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_start_over(&faulty.service, &page);
    assert_eq!(
        faulty.proxy.count(CONTINUE),
        2,
        "it is not gone on behind it"
    );
    assert_works(&faulty.service);
}

/// The fifth page of six; the sixth is there already, asked for with so many seconds.
fn fifth_page(faulty: &Faulty, seconds: u32) -> Value {
    // All of them with so many seconds: Elasticsearch never shortens a keep-alive.
    let query = format!("limit=100&paginationTimeout={seconds}");
    let mut page = faulty.service.export("r", &query).ok();
    for _ in 0..4 {
        page = faulty.page_with_timeout(&page, seconds).ok();
    }
    assert_eq!(ids(&page), names(400..500));
    faulty.wait_for_steps(5);
    page
}

#[test]
fn a_longer_keep_alive_reaches_the_scroll_although_its_step_is_there_already() {
    let faulty = Faulty::new(&[]);
    let page = fifth_page(&faulty, 5);
    // The last rows are here and nothing else is left; without one more step the scroll would end after five seconds.
    let last = faulty.page_with_timeout(&page, 600).ok();
    assert_eq!(ids(&last), names(500..600));
    faulty.wait_for_steps(6);
    thread::sleep(Duration::from_secs(6) + faulty.optimize.expiry_interval());
    let empty = faulty.page_with_timeout(&last, 600).ok();
    assert_eq!(
        (&empty["data"], &empty["totalNumberOfRecords"]),
        (&json!([]), &json!(600))
    );
    assert_eq!(faulty.proxy.count(CONTINUE), 6);
}

#[test]
fn a_client_may_take_its_time_before_every_page() {
    let faulty = Faulty::new(&[]);
    let seconds = 8;
    let mut page = fifth_page(&faulty, seconds);
    // Two pauses are longer than the keep-alive, each by itself is not: every page has to reach the scroll.
    for expected in [names(500..600), Vec::new()] {
        thread::sleep(Duration::from_secs(6));
        page = faulty.page_with_timeout(&page, seconds).ok();
        assert_eq!(ids(&page), expected);
    }
}

#[test]
fn with_a_scroll_key_or_without_room_nothing_is_fetched_ahead() {
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "k".repeat(64)).unwrap();
    let key = key.path().to_str().unwrap();
    for flags in [["--scroll-key-file", key], ["--max-pages-ahead", "0"]] {
        let faulty = Faulty::new(&flags);
        let mut page = faulty.service.first_page("r", 100).ok();
        for asked in 1..=6 {
            page = faulty.service.next_page("r", &page).ok();
            thread::sleep(Duration::from_millis(50));
            assert_eq!(faulty.proxy.count(CONTINUE), asked, "{flags:?}");
        }
        assert!(ids(&page).is_empty());
    }

    let faulty = Faulty::new(&["--max-pages-ahead", "1"]);
    let waiting = faulty.second_page();
    let other = faulty.service.first_page("r", 100).ok();
    let other = faulty.service.next_page("r", &other).ok();
    thread::sleep(Duration::from_millis(50));
    assert_eq!(faulty.proxy.count(CONTINUE), 3, "the room is taken");
    let third = faulty.service.next_page("r", &waiting).ok();
    assert_eq!(ids(&third), names(200..300));
    let third = faulty.service.next_page("r", &other).ok();
    assert_eq!(ids(&third), names(200..300));
}

#[test]
fn what_goes_wrong_ahead_is_told_when_the_page_is_asked_for() {
    let busy = r#"{"error":{"root_cause":[],"type":"circuit_breaking_exception","reason":"Data too large"},"status":429}"#;
    // Before its first hit, and in the middle of it.
    for (mode, expected) in [
        (Mode::status(429, busy), BUSY),
        (Mode::Close, AWAY),
        (Mode::CutAfter(60), AWAY),
        (Mode::CutAfter(200_000), AWAY),
    ] {
        let faulty = Faulty::new(&WITH_LOG);
        let mut page = faulty.second_page();
        faulty.proxy.set_for(CONTINUE, 1, mode.clone());
        page = faulty.service.next_page("r", &page).ok();
        assert_eq!(ids(&page), names(200..300), "the page before is whole");
        faulty.wait_for_steps(3);
        assert!(!faulty.proxy.is_armed());
        if let Mode::CutAfter(200_000) = mode {
            faulty.service.wait_for_log(READ);
        }
        let answer = faulty.service.next_page("r", &page);
        assert_wait(&answer, expected);
        assert_told_to_start_over(&answer, expected);
        assert_eq!(
            faulty.proxy.count(CONTINUE),
            3,
            "it is not asked for again: {mode:?}"
        );
        assert_start_over(&faulty.service, &page);
        assert!(faulty.proxy.count(CLEAR) > 0, "{mode:?}");
        assert_works(&faulty.service);
    }
}

#[test]
fn a_page_that_breaks_takes_the_one_that_is_fetched_ahead_with_it() {
    let faulty = Faulty::new(&["--max-pages-ahead", "1"]);
    let first = faulty.service.first_page("r", 100).ok();
    faulty.proxy.set_for(CONTINUE, 1, Mode::HoldAfter(200_000));
    thread::scope(|scope| {
        let page = scope.spawn(|| faulty.service.next_page("r", &first));
        // The third page has been asked for when the second one breaks.
        faulty.wait_for_steps(2);
        faulty.proxy.close_connections();
        assert_broken(&page.join().unwrap());
    });
    assert_start_over(&faulty.service, &first);
    assert!(faulty.proxy.count(CLEAR) > 0, "the scroll was not cleared");
    // There is room again.
    faulty.second_page();
    assert_works(&faulty.service);
}

#[test]
fn a_client_that_leaves_while_the_next_page_is_fetched_ahead_gives_the_scroll_up() {
    let faulty = Faulty::new(&[]);
    let first = faulty.service.first_page("r", 100).ok();
    let id = first["searchRequestId"].as_str().unwrap();
    let target = format!(
        "/api/public/export/report/r/result/json?limit=100&paginationTimeout=60&searchRequestId={id}"
    );
    faulty.proxy.set_for(CONTINUE, 1, Mode::Slow(400_000));
    let (connection, _) = faulty.service.begin(&target, 20_000);
    faulty.wait_for_steps(2);
    drop(connection);
    faulty.wait_for_requests(CLEAR, 1);
    assert_start_over(&faulty.service, &first);
    assert_works(&faulty.service);
}

#[test]
fn a_foreign_report_does_not_get_the_page_and_does_not_take_it() {
    let faulty = Faulty::new(&[]);
    faulty
        .optimize
        .store_report(raw_report("other", "order", json!({})));
    let page = faulty.second_page();
    assert_told_to_start_over(
        &faulty.service.next_page("other", &page),
        (400, "badRequestError"),
    );
    let third = faulty.service.next_page("r", &page).ok();
    assert_eq!(ids(&third), names(200..300));
}

#[test]
fn of_two_who_ask_for_a_page_that_is_there_one_gets_it() {
    let faulty = Faulty::new(&["--max-pages-ahead", "100"]);
    for _ in 0..20 {
        let page = faulty.second_page();
        let service = &faulty.service;
        let answers: Vec<Answer> = thread::scope(|scope| {
            let ask = || scope.spawn(|| service.next_page("r", &page));
            let asking = [ask(), ask()];
            asking.map(|answer| answer.join().unwrap()).into()
        });
        let mut seen: Vec<String> = Vec::new();
        for answer in &answers {
            match answer.status {
                // One after the other: the second one gets the page after it.
                200 => seen.extend(ids(&answer.ok()).iter().map(ToString::to_string)),
                _ => assert_eq!(answer.status, 429, "{answer:?}"),
            }
        }
        seen.sort();
        assert_eq!(seen, names(200..200 + seen.len()));
        assert!(!seen.is_empty());
    }
}
