//! `docs/WORKED_EXAMPLE.md` is true: what it stores leads to the search, the answer and the result that it shows.

use std::fs;

use serde_json::{Value, json};

use crate::support::Optimize;

/// The blocks of JSON of the page, in their order.
fn blocks() -> Vec<String> {
    let page = format!("{}/docs/WORKED_EXAMPLE.md", env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(page).unwrap();
    let blocks = page.split("```json\n").skip(1);
    let texts = blocks.map(|block| block.split_once("\n```").unwrap().0);
    texts.map(str::to_owned).collect()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// JSON without what only makes it readable; no text of the page has an escaped quotation mark.
fn compact(json: &str) -> String {
    let parts = json.split('"').enumerate().map(|(at, part)| {
        if at % 2 == 0 {
            part.split_whitespace().collect()
        } else {
            part.to_owned()
        }
    });
    parts.collect::<Vec<String>>().join("\"")
}

#[test]
fn the_worked_example_is_true() {
    let texts = blocks();
    let blocks: Vec<Value> = texts.iter().map(|text| parsed(text)).collect();
    let [report, definition, instances, search, answer, _] = &blocks[..] else {
        panic!("the page has {} blocks of JSON", blocks.len());
    };
    let optimize = Optimize::install();
    optimize.store_report(report.clone());
    optimize.store_process_definition(definition.clone());
    optimize.store_instances("invoice", instances.as_array().unwrap().iter().cloned());
    let service = optimize.serve_with(&["--log", "trace", "--log-format", "json"]);

    let exported = service.export("steps", "limit=100&paginationTimeout=60");
    exported.ok();
    assert_eq!(exported.text(), compact(&texts[5]));

    // The log comes a little after the answer.
    service.wait_for_log("export delivered");
    let lines = service.log();
    let events = lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let sent: Vec<Value> = events
        .filter(|event| event["message"] == "search" && event["body"].is_string())
        .filter(|event| {
            let alias = format!("{}-process-instance-invoice", optimize.prefix);
            event["indices"] == alias.as_str()
        })
        .map(|event| serde_json::from_str(event["body"].as_str().unwrap()).unwrap())
        .collect();
    assert_eq!(sent, std::slice::from_ref(search));

    let path = format!("/{}-process-instance-invoice/_search", optimize.prefix);
    let got = optimize.post(&path, search);
    let looked_at = json!({
        "hits": {"total": got["hits"]["total"]},
        "aggregations": got["aggregations"],
    });
    assert_eq!(looked_at, *answer);
}
