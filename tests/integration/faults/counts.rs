//! Rows that do not add up: somebody else moves the scroll, or hits are lost, doubled or made up on the way.

use super::*;

const KEY: [(&str, &str); 1] = [("OPTIMIZE_EXPORT_SCROLL_KEY", "a key that replicas share")];
/// Every page is of this size, so there are six and an empty one.
const LIMIT: u32 = 100;

/// Goes one step on with the scroll of a page, as another application could; gives what Elasticsearch answers.
fn move_scroll(optimize: &Optimize, page: &Value) -> Value {
    let body = json!({"scroll": "1m", "scroll_id": page["searchRequestId"]});
    optimize.post("/_search/scroll", &body)
}

/// The pages that follow, up to the first that is not whole, or is empty.
fn pages_after(service: &Service, first: &Value) -> (Vec<String>, Answer) {
    let mut page = first.clone();
    let mut rows = Vec::new();
    loop {
        rows.extend(ids(&page).into_iter().map(str::to_owned));
        let answer = service.next_page("r", &page);
        if answer.status != 200 || !answer.is_complete {
            return (rows, answer);
        }
        page = answer.ok();
        if ids(&page).is_empty() {
            return (rows, answer);
        }
    }
}

#[test]
fn a_scroll_that_somebody_else_moves_never_ends_as_complete() {
    let faulty = Faulty::new(&NOTHING_AHEAD);
    let delivered_before = |pages: usize, page: Value| {
        let mut page = page;
        for _ in 0..pages {
            page = faulty.service.next_page("r", &page).ok();
        }
        page
    };
    // After the first page, in the middle, and where only the last page is left.
    for pages in [0, 2, 4] {
        let page = delivered_before(pages, faulty.service.first_page("r", LIMIT).ok());
        let taken = move_scroll(&faulty.optimize, &page);
        assert_eq!(taken["hits"]["hits"].as_array().unwrap().len(), 100);
        let (rows, last) = pages_after(&faulty.service, &page);
        assert_eq!(rows.len() + pages * 100, 500, "100 are missing");
        assert_told_to_start_over(&last, (400, "badRequestError"));
        assert!(last.text().contains("somebody else"), "{}", last.text());
    }
    // Several times.
    let page = faulty.service.first_page("r", LIMIT).ok();
    move_scroll(&faulty.optimize, &page);
    let page = faulty.service.next_page("r", &page).ok();
    move_scroll(&faulty.optimize, &page);
    let (_, last) = pages_after(&faulty.service, &page);
    assert_told_to_start_over(&last, (400, "badRequestError"));
    assert_works(&faulty.service);
}

#[test]
fn a_page_whose_rows_do_not_add_up_breaks() {
    let faulty = Faulty::new(&NOTHING_AHEAD);
    let foreign = json!(["optimize-export-1.e30.AAAA"]);
    type Change<'c> = &'c dyn Fn(&mut Vec<Value>);
    let changes: [(&str, Change<'_>); 7] = [
        ("one is left out", &|hits| drop(hits.remove(50))),
        ("one comes twice", &|hits| hits.insert(50, hits[49].clone())),
        ("the last one is left out", &|hits| drop(hits.pop())),
        ("101 rows", &|hits| hits.push(hits[0].clone())),
        ("one row", &|hits| hits.truncate(1)),
        ("the first one is another scroll's", &|hits| {
            hits[0]["matched_queries"] = foreign.clone()
        }),
        ("one has no name", &|hits| {
            drop(hits[70].as_object_mut().unwrap().remove("matched_queries"))
        }),
    ];
    for (what, change) in changes {
        let page = faulty.service.first_page("r", LIMIT).ok();
        let mut step = move_scroll(&faulty.optimize, &page);
        change(step["hits"]["hits"].as_array_mut().unwrap());
        faulty.proxy.set_for(CONTINUE, 1, step_with(&step));
        let answer = faulty.service.next_page("r", &page);
        assert!(
            answer.status == 200 && !answer.is_complete,
            "{what}: {answer:?}"
        );
        assert!(
            !answer.text().contains("numberOfRecordsInResponse"),
            "{what}"
        );
        assert_start_over(&faulty.service, &page);
    }
    assert_works(&faulty.service);
}

#[test]
fn an_empty_page_in_the_middle_or_another_total_is_told_at_once() {
    let faulty = Faulty::new(&NOTHING_AHEAD);
    type Change<'c> = &'c dyn Fn(&mut Value);
    let changes: [(&str, Change<'_>); 3] = [
        ("empty", &|step| step["hits"]["hits"] = json!([])),
        ("fewer", &|step| step["hits"]["total"]["value"] = json!(599)),
        ("more", &|step| {
            step["hits"]["total"]["value"] = json!(6_000)
        }),
    ];
    for (what, change) in changes {
        let page = faulty.service.first_page("r", LIMIT).ok();
        let mut step = move_scroll(&faulty.optimize, &page);
        change(&mut step);
        faulty.proxy.set_for(CONTINUE, 1, step_with(&step));
        let answer = faulty.service.next_page("r", &page);
        assert_eq!(answer.status, 400, "{what}");
        assert_told_to_start_over(&answer, (400, "badRequestError"));
        assert_start_over(&faulty.service, &page);
    }
    assert_works(&faulty.service);
}

#[test]
fn with_a_scroll_key_what_is_too_much_breaks_and_what_is_missing_may_be_with_a_replica() {
    let optimize = with_orders();
    let proxy = Proxy::start(&optimize.url);
    let service = Service::start(&proxy.url(), &optimize.prefix, &[], &KEY);
    let replica = Service::start(&optimize.url, &optimize.prefix, &[], &KEY);
    // Pages in turn from two processes: none knows all of them.
    let mut page = service.first_page("r", LIMIT).ok();
    let mut rows: Vec<String> = Vec::new();
    let mut turn = [&replica, &service].into_iter().cycle();
    while !ids(&page).is_empty() {
        rows.extend(ids(&page).into_iter().map(str::to_owned));
        page = turn.next().unwrap().next_page("r", &page).ok();
    }
    assert_eq!(rows, all_ids());
    // A page that has more than its limit, or hits of another scroll, is wrong whoever read the others.
    for what in ["too many", "foreign"] {
        let page = service.first_page("r", LIMIT).ok();
        let mut step = move_scroll(&optimize, &page);
        let hits = step["hits"]["hits"].as_array_mut().unwrap();
        match what {
            "too many" => hits.push(hits[0].clone()),
            _ => hits[30]["matched_queries"] = json!([]),
        }
        proxy.set_for(CONTINUE, 1, step_with(&step));
        let answer = service.next_page("r", &page);
        assert!(
            answer.status == 200 && !answer.is_complete,
            "{what}: {answer:?}"
        );
        assert_start_over(&service, &page);
    }
}

#[test]
fn a_report_that_is_another_ones_is_not_taken() {
    let faulty = Faulty::new(&["--cache-ttl", "0"]);
    let report = json!({"_index": "i", "_id": "other", "found": true, "_source": raw_report("other", "order", json!({}))});
    let nothing = json!({"_index": "i", "_id": "r", "found": false});
    for docs in [
        json!([report, nothing, nothing]),
        json!([nothing]),
        json!([]),
    ] {
        faulty
            .proxy
            .set_for("POST /_mget", 1, answer_with(&json!({"docs": docs})));
        let (status, code, _) = faulty.service.first_page("r", LIMIT).error();
        assert_eq!((status, code.as_str()), (500, "serverError"));
    }
    assert_works(&faulty.service);
}

fn answer_with(body: &Value) -> Mode {
    Mode::status(200, &body.to_string())
}

/// A step of a scroll, with its members in Elasticsearch's order.
fn step_with(step: &Value) -> Mode {
    let head = format!(
        r#""_scroll_id":{},"timed_out":false,"_shards":{}"#,
        step["_scroll_id"], step["_shards"]
    );
    let hits = &step["hits"];
    let hits = format!(r#"{{"total":{},"hits":{}}}"#, hits["total"], hits["hits"]);
    Mode::status(200, &format!(r#"{{{head},"hits":{hits}}}"#))
}
