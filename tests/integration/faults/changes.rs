//! What happens to indices and documents between two pages.

use std::thread;
use std::time::Duration;

use super::*;
use crate::support::documents::instances;
use testkit::indices::Index;

fn with(count: usize) -> Optimize {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", count));
    optimize.store_report(raw_report("r", "order", json!({})));
    optimize
}

fn index(optimize: &Optimize) -> String {
    Index::ProcessInstance { key: "order" }.physical_name(&optimize.prefix)
}

#[test]
fn documents_that_come_change_and_go_do_not_move_the_pages() {
    let optimize = with(9);
    let service = optimize.serve();
    let first = service.first_page("r", 3).ok();
    let client = optimize.installation.client();
    let added = ["i-000a", "i-004a", "i-900"].map(|id| instance("order", id, json!({})));
    let changed =
        ["i-005", "i-008"].map(|id| instance("order", id, json!({"businessKey": "changed"})));
    optimize.store_instances("order", added.into_iter().chain(changed));
    for id in ["i-004", "i-007"] {
        client
            .delete(&format!("/{}/_doc/{id}?refresh=true", index(&optimize)))
            .unwrap()
            .success()
            .unwrap();
    }

    let mut rows = first["data"].as_array().unwrap().clone();
    let mut page = first;
    while !ids(&page).is_empty() {
        page = service.next_page("r", &page).ok();
        assert_eq!(page["totalNumberOfRecords"], 9);
        rows.extend(page["data"].as_array().unwrap().clone());
    }
    let before: Vec<String> = (0..9).map(|n| format!("i-{n:03}")).collect();
    let exported: Vec<&str> = rows
        .iter()
        .map(|row| row["processInstanceId"].as_str().unwrap())
        .collect();
    assert_eq!(
        exported, before,
        "the scroll shows what was there when it was opened"
    );
    assert!(rows.iter().all(|row| row["businessKey"].is_null()));

    let now = service.ids("r");
    assert_eq!(now.len(), 10, "{now:?}");
    assert!(now.contains(&"i-004a".to_owned()) && !now.contains(&"i-004".to_owned()));
}

#[test]
fn an_index_that_is_deleted_between_pages_means_start_over() {
    let optimize = with(6);
    let service = optimize.serve_with(&["--cache-ttl", "0"]);
    let page = service.first_page("r", 2).ok();
    let client = optimize.installation.client();
    client
        .delete(&format!("/{}", index(&optimize)))
        .unwrap()
        .success()
        .unwrap();
    assert_start_over(&service, &page);
    // No index is no instances, and said so, as Optimize does.
    let empty = service.first_page("r", 2).ok();
    assert_eq!(
        (&empty["data"], &empty["totalNumberOfRecords"]),
        (&json!([]), &json!(0))
    );
}

#[test]
fn a_report_that_is_deleted_between_pages_is_not_found() {
    let optimize = with(6);
    let service = optimize.serve_with(&["--cache-ttl", "0"]);
    let page = service.first_page("r", 2).ok();
    let reports = Index::SingleProcessReport.physical_name(&optimize.prefix);
    let client = optimize.installation.client();
    client
        .delete(&format!("/{reports}/_doc/r?refresh=true"))
        .unwrap()
        .success()
        .unwrap();
    assert_eq!(service.next_page("r", &page).error().0, 404);
}

/// What Optimize does when it is upgraded: a new index gets the documents, then the aliases, and the old one goes.
#[test]
fn an_index_that_is_rolled_over_between_pages_goes_on_until_the_old_one_is_gone() {
    let optimize = with(6);
    let service = optimize.serve_with(&["--cache-ttl", "0", "--max-pages-ahead", "0"]);
    let (page, other) = (
        service.first_page("r", 2).ok(),
        service.first_page("r", 2).ok(),
    );
    let old = index(&optimize);
    let new = format!("{}10", old.trim_end_matches('9'));
    let kind = Index::ProcessInstance { key: "order" };
    let mut body = kind.creation_body(&optimize.prefix);
    body["aliases"] = json!({});
    body["mappings"]["_meta"] =
        json!({"made_by_optimize_export_xtask_for_prefix": optimize.prefix});
    let client = optimize.installation.client();
    client
        .put(&format!("/{new}"), &body)
        .unwrap()
        .success()
        .unwrap();
    optimize.post(
        "/_reindex?refresh=true",
        &json!({"source": {"index": old}, "dest": {"index": new}}),
    );
    let names = [
        kind.alias(&optimize.prefix),
        kind.multi_alias(&optimize.prefix).unwrap(),
    ];
    let actions: Vec<Value> = names
        .iter()
        .flat_map(|alias| {
            let is_write_index = *alias == names[0];
            [
                json!({"remove": {"index": old, "alias": alias}}),
                json!({"add": {"index": new, "alias": alias, "is_write_index": is_write_index}}),
            ]
        })
        .collect();
    optimize.post("/_aliases", &json!({"actions": actions}));

    let second = service.next_page("r", &page).ok();
    assert_eq!(
        ids(&second),
        ["i-002", "i-003"],
        "the scroll still reads the old index"
    );
    client
        .delete(&format!("/{old}"))
        .unwrap()
        .success()
        .unwrap();
    for page in [&second, &other] {
        assert_start_over(&service, page);
    }
    assert_eq!(service.ids("r").len(), 6, "the new index has them all");
}

#[test]
fn a_scroll_that_is_cleared_behind_the_services_back_means_start_over() {
    let optimize = with(6);
    let service = optimize.serve();
    let page = service.first_page("r", 2).ok();
    // As if it had expired; that takes Elasticsearch a minute to notice, and has a test of its own in `scrolls.rs`.
    let client = optimize.installation.client();
    let id = page["searchRequestId"].as_str().unwrap();
    client
        .delete(&format!("/_search/scroll/{id}"))
        .unwrap()
        .success()
        .unwrap();
    assert_start_over(&service, &page);
    thread::sleep(Duration::from_millis(10));
    assert_start_over(&service, &page);
    assert_eq!(service.ids("r").len(), 6);
}
