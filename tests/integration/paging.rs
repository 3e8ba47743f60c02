//! Pages of a raw data report, from the first to the last.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Optimize;
use crate::support::documents::{instance, instances, raw_report};

fn members(page: &crate::support::http::Answer) -> Vec<String> {
    // The order counts, which a parsed object may lose.
    let text = page.text();
    let names = [
        "searchRequestId",
        "message",
        "numberOfRecordsInResponse",
        "totalNumberOfRecords",
        "reportId",
        "data",
    ];
    let mut found: Vec<(usize, &str)> = names
        .iter()
        .filter_map(|name| Some((text.rfind(&format!("\"{name}\":"))?, *name)))
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name.to_owned()).collect()
}

#[test]
fn eleven_instances_by_two() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 11));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    let pages = service.all_pages("r", 2);
    let sizes: Vec<usize> = pages
        .iter()
        .map(|page| page["data"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [2, 2, 2, 2, 2, 1, 0]);
    let mut ids = Vec::new();
    for (page, size) in pages.iter().zip(sizes) {
        assert_eq!(page["totalNumberOfRecords"], 11);
        assert_eq!(page["numberOfRecordsInResponse"], size);
        assert_eq!(page["reportId"], "r");
        assert!(!page["searchRequestId"].as_str().unwrap().is_empty());
        assert_eq!(page.as_object().unwrap().len(), 5, "{page}");
        ids.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["processInstanceId"].as_str().unwrap().to_owned()),
        );
    }
    let expected: Vec<String> = (0..11).map(|number| format!("i-{number:03}")).collect();
    assert_eq!(ids, expected);

    // Used up: whoever asks again has to start over.
    let (status, code, detail) = service.next_page("r", pages.last().unwrap()).error();
    assert_eq!((status, code.as_str()), (400, "badRequestError"));
    assert!(detail.contains("start over"), "{detail}");
}

#[test]
fn members_come_in_their_order() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 1));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    let page = service.first_page("r", 1);
    let streamed = [
        "searchRequestId",
        "totalNumberOfRecords",
        "reportId",
        "data",
        "numberOfRecordsInResponse",
    ];
    assert_eq!(members(&page), streamed);
    let last = service.next_page("r", &page.ok());
    assert_eq!(members(&last), streamed);
    let empty = service.first_page("r", 0);
    assert_eq!(
        members(&empty),
        [
            "numberOfRecordsInResponse",
            "totalNumberOfRecords",
            "reportId",
            "data"
        ]
    );
}

#[test]
fn a_limit_of_zero_tells_the_total_and_opens_no_scroll() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    let page = service.first_page("r", 0).ok();
    assert_eq!(
        page,
        json!({"numberOfRecordsInResponse": 0, "totalNumberOfRecords": 3, "reportId": "r", "data": []})
    );
}

#[test]
fn later_pages_keep_the_size_of_the_first() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 7));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    let page = service.first_page("r", 3).ok();
    let id = page["searchRequestId"].as_str().unwrap();
    for (limit, size) in [(10_000, 3), (0, 1), (1, 0)] {
        let page = service
            .export(
                "r",
                &format!("limit={limit}&paginationTimeout=60&searchRequestId={id}"),
            )
            .ok();
        assert_eq!(page["numberOfRecordsInResponse"], size, "limit {limit}");
        assert_eq!(page["totalNumberOfRecords"], 7);
    }
}

#[test]
fn an_exhausted_page_is_followed_by_an_empty_one() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 10));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    let pages = service.all_pages("r", 30);
    assert_eq!(pages.len(), 2);
    assert_eq!(pages[1]["data"], json!([]));
    assert_eq!(pages[1]["totalNumberOfRecords"], 10);
}

#[test]
fn no_instance_matches() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 1));
    optimize.store_report(raw_report(
        "r",
        "order",
        json!({"definitions": [{"key": "order", "versions": ["7"], "tenantIds": [null]}]}),
    ));
    let service = optimize.serve();
    let page = service.first_page("r", 5).ok();
    assert_eq!(page["totalNumberOfRecords"], 0);
    assert_eq!(page["data"], json!([]));
    assert!(page["searchRequestId"].is_string());
}

#[test]
fn a_page_of_many_steps_is_whole() {
    // 4,100 rows in pages of 3,000: two steps of 1,500 and then the rest of the third.
    let optimize = Optimize::install();
    let count = 4_100;
    optimize.store_instances(
        "order",
        (0..count).map(|n| instance("order", &format!("i-{n:05}"), json!({}))),
    );
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    let pages = service.all_pages("r", 3_000);
    let sizes: Vec<&Value> = pages
        .iter()
        .map(|page| &page["numberOfRecordsInResponse"])
        .collect();
    assert_eq!(sizes, [3_000, 1_100, 0]);
    let rows = pages
        .iter()
        .flat_map(|page| page["data"].as_array().unwrap());
    for (number, row) in rows.enumerate() {
        assert_eq!(row["processInstanceId"], format!("i-{number:05}"));
    }
}

#[test]
fn all_pages_measure_running_durations_against_the_same_now() {
    let optimize = Optimize::install();
    let running = |id: &str, start: &str| {
        let flow_node = json!({"flowNodeInstanceId": "f", "flowNodeId": "task", "flowNodeType": "userTask", "startDate": start,
            "endDate": null, "totalDurationInMs": null});
        instance(
            "order",
            id,
            json!({"startDate": start, "endDate": null, "duration": null, "state": "ACTIVE", "flowNodeInstances": [flow_node]}),
        )
    };
    // The second started 1,500 ms after the first, in another zone's spelling.
    optimize.store_instances(
        "order",
        [
            running("a", "2024-03-01T10:00:00.000+0000"),
            running("b", "2024-03-01T11:00:01.500+0100"),
        ],
    );
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    let first = service.first_page("r", 1).ok();
    thread::sleep(Duration::from_millis(50));
    let second = service.next_page("r", &first).ok();
    let duration = |page: &Value| page["data"][0]["duration"].as_i64().unwrap();
    assert_eq!(duration(&first) - duration(&second), 1_500);
    for page in [&first, &second] {
        let of_flow_node = page["data"][0]["flowNodeDurations"]["task"]["value"].as_i64();
        assert_eq!(of_flow_node, Some(duration(page)));
    }
}
