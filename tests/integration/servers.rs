//! What differs between Elasticsearch and OpenSearch, and what `check` says of either.
//!
//! Where the server that the tests run on is not the one that a test is about, a proxy answers `GET /` in its place.

use serde_json::{Value, json};
use testkit::elasticsearch::{Product, for_this_process};

use crate::support::documents::{instance, instances, raw_report, report, selection};
use crate::support::proxy::{Mode, Proxy};
use crate::support::service::command;
use crate::support::{Optimize, Service};

/// The question which server answers.
const WHO: &str = "GET / ";

fn is_opensearch() -> bool {
    for_this_process().unwrap().product == Product::OpenSearch
}

/// What a server says to [`WHO`].
fn answer_of(distribution: Option<&str>, number: &str) -> Mode {
    let mut info = json!({"version": {"number": number}, "tagline": "You Know, for Search"});
    if let Some(distribution) = distribution {
        info["version"]["distribution"] = json!(distribution);
        info["tagline"] = json!("The OpenSearch Project: https://opensearch.org/");
    }
    if number == "7.10.2" {
        // With the compatibility override it has its name in one place only.
        info["version"]
            .as_object_mut()
            .unwrap()
            .remove("distribution");
    }
    Mode::status(200, &info.to_string())
}

fn percentile_report(id: &str, key: &str, percentile: f64) -> Value {
    let data = json!({
        "configuration": {"aggregationTypes": [{"type": "percentile", "value": percentile}]},
        "definitions": [selection(key)],
        "filter": [],
        "view": {"entity": "processInstance", "properties": ["duration"]},
        "groupBy": {"type": "none", "value": null},
        "distributedBy": {"type": "none", "value": null},
        "visualization": "number",
    });
    report(id, data)
}

fn checked(url: &str, prefix: &str) -> (bool, String) {
    let output = command(&[
        "check",
        "--elasticsearch-url",
        url,
        "--index-prefix",
        prefix,
    ])
    .env("OPTIMIZE_EXPORT_ACCESS_TOKEN", "token")
    .output()
    .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.success(), text)
}

#[test]
fn check_names_the_server_and_says_whether_it_is_tested() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 1));
    let server = for_this_process().unwrap();
    let (is_good, text) = checked(&optimize.url, &optimize.prefix);
    let name = format!("{} {}", server.product, server.version);
    assert!(is_good, "{text}");
    assert!(text.contains(&format!("{name}, which is tested")), "{text}");
    // Without users there is nothing to be said about privileges, in whatever way the server says so.
    assert!(!text.contains("privileges"), "{text}");
}

#[test]
fn check_refuses_no_server_for_its_version() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 1));
    let proxy = Proxy::start(&optimize.url);
    let own = &for_this_process().unwrap().version;
    for (distribution, number, expected) in [
        (None, "9.99.0", "Elasticsearch 9.99.0 is not tested"),
        (None, "12.0.0", "Elasticsearch 12.0.0: nothing is known"),
        (
            Some("opensearch"),
            "3.99.0",
            "OpenSearch 3.99.0 is not tested",
        ),
        (Some("other"), "1.0", "other 1.0: nothing is known"),
        // The nodes tell what the cluster does not.
        (Some("opensearch"), "7.10.2", &format!("OpenSearch {own}")),
    ] {
        proxy.set_for(WHO, 1, answer_of(distribution, number));
        let (is_good, text) = checked(&proxy.url(), &optimize.prefix);
        assert!(is_good, "{text}");
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn check_tries_what_a_user_of_opensearch_may_read() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 1));
    let proxy = Proxy::start(&optimize.url);
    if !is_opensearch() {
        // `secured` has the same for Elasticsearch.
        return;
    }
    let account = json!({"user_name": "svc", "roles": ["own_index"]}).to_string();
    let of_account = "GET /_plugins/_security/api/account";
    proxy.set_for(of_account, 1, Mode::status(200, &account));
    let (is_good, text) = checked(&proxy.url(), &optimize.prefix);
    assert!(is_good, "{text}");
    assert!(
        text.contains("the user svc may read all that exports need"),
        "{text}"
    );

    let denied = json!({"error": {"root_cause": [], "type": "security_exception",
        "reason": "no permissions for [indices:data/read/search] and User [name=svc]"}, "status": 403});
    let of_definitions = format!("POST /{}-process-definition/_count", optimize.prefix);
    proxy.set_for(&of_definitions, 1, Mode::status(403, &denied.to_string()));
    let (is_good, text) = checked(&proxy.url(), &optimize.prefix);
    assert!(!is_good, "{text}");
    let expected = format!("may not read {}-process-definition (", optimize.prefix);
    assert!(text.contains(&expected), "{text}");
}

#[test]
fn percentiles_are_those_that_optimize_asks_the_server_for() {
    const INSTANCES: u64 = 2_000;
    let optimize = Optimize::install();
    // Far apart at the upper end, where an estimate shows.
    let of_number = |n: u64| instance("p", &format!("i-{n}"), json!({"duration": n * n}));
    optimize.store_instances("p", (1..=INSTANCES).map(of_number));
    let directly = |percentile: f64, compression: Option<u32>| {
        let mut percentiles =
            json!({"field": "duration", "percents": [percentile], "keyed": false});
        if let Some(compression) = compression {
            percentiles["tdigest"] = json!({"compression": compression});
        }
        let body = json!({"size": 0, "aggs": {"p": {"percentiles": percentiles}}});
        let path = format!("/{}-process-instance-p/_search", optimize.prefix);
        let answer = optimize.post(&path, &body);
        answer["aggregations"]["p"]["values"][0]["value"]
            .as_f64()
            .unwrap()
    };
    let compression = is_opensearch().then_some(9999);
    let proxy = Proxy::start(&optimize.url);
    let service = Service::start(&proxy.url(), &optimize.prefix, &[], &[]);
    for percentile in [37.0, 50.0, 83.0, 95.0] {
        let id = format!("r-{percentile}");
        optimize.store_report(percentile_report(&id, "p", percentile));
        let found = service.first_page(&id, 1).ok()["data"].as_f64().unwrap();
        assert_eq!(found, directly(percentile, compression).round());
        if compression.is_some() {
            // With a digest larger than the data no value is merged with another: the number lies between its neighbours.
            let rank = percentile / 100.0 * INSTANCES as f64;
            let (below, above) = ((rank - 1.0).powi(2), (rank + 2.0).powi(2));
            assert!(below <= found && found <= above, "{percentile}: {found}");
        }
    }
    assert_eq!(proxy.count(WHO), 1, "the server is asked once");
}

#[test]
fn opensearch_calls_whole_answers_terminated() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_report(raw_report("raw", "order", json!({})));
    let count = json!({
        "configuration": {},
        "definitions": [selection("order")],
        "filter": [],
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "none", "value": null},
        "distributedBy": {"type": "none", "value": null},
        "visualization": "number",
    });
    optimize.store_report(report("count", count));
    let shards = r#""_shards":{"total":1,"successful":1,"failed":0}"#;
    let terminated = Mode::status(
        200,
        &format!(
            r#"{{"_scroll_id":"eA==","timed_out":false,"terminated_early":true,{shards},"hits":{{"total":{{"value":3,"relation":"eq"}},"hits":[]}}}}"#
        ),
    );
    let of_instances = format!("POST /{}-process-instance", optimize.prefix);
    for (distribution, number, status) in [
        (None, "8.19.8", 503),
        (Some("opensearch"), "2.19.6", 200),
        // In compatibility with old clients.
        (Some("opensearch"), "7.10.2", 200),
    ] {
        let proxy = Proxy::start(&optimize.url);
        let flags = ["--max-pages-ahead", "0"];
        let service = Service::start(&proxy.url(), &optimize.prefix, &flags, &[]);
        // A percentile is the first thing that asks which server this is.
        optimize.store_report(percentile_report("percentile", "order", 50.0));
        proxy.set_for(WHO, 1, answer_of(distribution, number));
        assert_eq!(service.first_page("percentile", 1).ok()["data"], 60_000.0);
        for id in ["count", "raw"] {
            proxy.set_for(&of_instances, 1, terminated.clone());
            let answer = service.first_page(id, 10);
            assert_eq!(answer.status, status, "{distribution:?} {id}: {answer:?}");
            proxy.set(Mode::Pass);
        }
        assert_eq!(service.first_page("count", 1).ok()["data"], 3.0);
    }
}
