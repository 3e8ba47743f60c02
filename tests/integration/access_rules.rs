//! Rules for what clients may export, on all that can be asked for.

use std::io::{Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::indices::Index;

use crate::support::documents::{
    decision, decision_definition, decision_report, definition, input, instance, output,
    raw_report, report, selection, with,
};
use crate::support::http::{self, Answer};
use crate::support::service::command;
use crate::support::{Optimize, Service};

const CLIENTS: [&str; 9] = [
    "admin", "by-id", "sales", "orders", "deciders", "acme", "masked", "single", "nobody",
];

const RULES: &str = "rules:
  - {name: everything, clients: [admin, masked]}
  - {name: one report, clients: by-id, reports: 'all*'}
  - {name: the sales collection, clients: sales, collections: c1}
  - {name: orders, clients: orders, processes: order}
  - {name: ratings, clients: deciders, decisions: 'rat*'}
  - {name: one at a time, clients: single, concurrent-exports: 1}
  - {name: acme, clients: acme, tenants: [acme]}
  - {name: no bank accounts, clients: masked, leave-out: ['variable:iban*', businessKey, 'input:c-in', 'output:c-out']}
";

/// A file of rules and one of tokens: the token of each client is its name and `-0123456789abcdef`.
struct Files {
    rules: tempfile::NamedTempFile,
    tokens: tempfile::NamedTempFile,
}

impl Files {
    fn new(rules: &str) -> Self {
        let files = Self {
            rules: tempfile::NamedTempFile::new().unwrap(),
            tokens: tempfile::NamedTempFile::new().unwrap(),
        };
        let tokens: Vec<String> = (CLIENTS.iter())
            .map(|client| format!("{client}: {}\n", token(client)))
            .collect();
        std::fs::write(files.tokens.path(), tokens.concat()).unwrap();
        files.write(rules);
        files
    }

    fn write(&self, rules: &str) {
        std::fs::write(self.rules.path(), rules).unwrap();
    }

    fn serve(&self, optimize: &Optimize, flags: &[&str]) -> Service {
        let rules = self.rules.path().to_str().unwrap();
        let tokens = self.tokens.path().to_str().unwrap();
        let files = ["--access-rules-file", rules, "--access-token-file", tokens];
        let flags = [&files, flags].concat();
        Service::start_with_tokens_of(&optimize.url, &optimize.prefix, &flags)
    }
}

fn token(client: &str) -> String {
    format!("{client}-0123456789abcdef")
}

fn get(service: &Service, client: &str, path: &str) -> Answer {
    let authorization = format!("Bearer {}", token(client));
    service.request("GET", path, &[("Authorization", &authorization)])
}

/// Something of a report: `json?limit=…`, `csv`, `schema`.
fn result(service: &Service, client: &str, report_id: &str, what: &str) -> Answer {
    get(
        service,
        client,
        &format!("/api/public/export/report/{report_id}/result/{what}"),
    )
}

fn json_of(service: &Service, client: &str, report_id: &str) -> Answer {
    result(
        service,
        client,
        report_id,
        "json?limit=100&paginationTimeout=60",
    )
}

/// The ids of the rows that a client gets, or that it is refused.
fn ids(service: &Service, client: &str, report_id: &str) -> Result<Vec<String>, String> {
    let answer = json_of(service, client, report_id);
    if answer.status == 403 {
        let (_, code, detail) = answer.error();
        assert_eq!(code, "forbiddenError");
        return Err(detail);
    }
    let page = answer.ok();
    let rows = page["data"].as_array().unwrap();
    assert_eq!(page["totalNumberOfRecords"], rows.len());
    let id = |row: &Value| row["processInstanceId"].as_str().unwrap().to_owned();
    Ok(rows.iter().map(id).collect())
}

/// Both processes, without a tenant and with two of them.
fn both() -> Value {
    let of_tenants = |key: &str| {
        with(
            selection(key),
            json!({"tenantIds": [null, "acme", "other"]}),
        )
    };
    json!([of_tenants("order"), of_tenants("invoice")])
}

fn count(id: &str, changes: Value) -> Value {
    let data = json!({
        "configuration": {},
        "definitions": both(),
        "filter": [],
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "none", "value": null},
        "distributedBy": {"type": "none", "value": null},
        "visualization": "number",
    });
    report(id, with(data, changes))
}

/// Five instances: o-1 to o-3 of `order` without a tenant, of acme and of other; v-1 and v-2 of `invoice`, of none and of acme.
fn install() -> Optimize {
    let optimize = Optimize::install();
    let variables = json!([
        {"id": "1", "name": "iban", "type": "String", "value": ["DE00-secret"], "version": 1},
        {"id": "2", "name": "city", "type": "String", "value": ["Berlin"], "version": 1},
    ]);
    let one = |key: &str, id: &str, tenant: Option<&str>| {
        let changes =
            json!({"tenantId": tenant, "businessKey": "B-secret", "variables": variables});
        instance(key, id, changes)
    };
    optimize.store_instances(
        "order",
        [
            one("order", "o-1", None),
            one("order", "o-2", Some("acme")),
            one("order", "o-3", Some("other")),
        ],
    );
    optimize.store_instances(
        "invoice",
        [
            one("invoice", "v-1", None),
            one("invoice", "v-2", Some("acme")),
        ],
    );
    optimize.store_report(raw_report(
        "all-raw",
        "order",
        json!({"definitions": both()}),
    ));
    optimize.store_report(count("all-count", json!({})));
    let in_collection = json!({"collectionId": "c1"});
    optimize.store_report(with(
        raw_report("sold", "order", json!({})),
        in_collection.clone(),
    ));
    optimize.store_report(with(
        raw_report("billed", "invoice", json!({})),
        in_collection.clone(),
    ));
    optimize.store_report(with(
        count(
            "by-iban",
            json!({"groupBy": {"type": "variable", "value": {"name": "iban", "type": "String"}}, "visualization": "table"}),
        ),
        in_collection,
    ));
    optimize.store(
        Index::DecisionDefinition,
        [(
            "rating:1",
            decision_definition(
                "rating",
                "1",
                None,
                &[
                    ("c-in", Some("In"), "String"),
                    ("c-other", Some("Other"), "String"),
                ],
                &[("c-out", Some("Out"), "String")],
            ),
        )],
    );
    let values = json!({"inputs": [input("c-in", "String", json!("in-secret"))], "outputs": [output("c-out", "String", json!("out-secret"))]});
    optimize.store_decisions(
        "rating",
        [
            decision("rating", "d-1", values),
            decision("rating", "d-2", json!({"tenantId": "acme"})),
        ],
    );
    optimize.store_report(decision_report("rated", "rating", json!({})));
    optimize
}

#[test]
fn each_kind_of_rule_lets_some_in_and_keeps_others_out() {
    let optimize = install();
    let files = Files::new(RULES);
    let service = files.serve(&optimize, &[]);
    let rows = |client: &str, report_id: &str| ids(&service, client, report_id);
    let all = ["o-1", "o-2", "o-3", "v-1", "v-2"]
        .map(str::to_owned)
        .to_vec();
    let texts = |ids: &[&str]| Ok(ids.iter().map(ToString::to_string).collect::<Vec<_>>());

    // Raw data.
    assert_eq!(rows("admin", "all-raw"), Ok(all.clone()));
    assert_eq!(rows("by-id", "all-raw"), Ok(all.clone()));
    assert_eq!(
        rows("by-id", "sold").unwrap_err(),
        "rule `one report` does not allow this client this report"
    );
    assert_eq!(rows("sales", "sold"), texts(&["o-1"]));
    assert!(rows("sales", "all-raw").is_err());
    assert_eq!(rows("orders", "all-raw"), texts(&["o-1", "o-2", "o-3"]));
    assert!(
        rows("orders", "billed")
            .unwrap_err()
            .contains("rules orders")
    );
    assert_eq!(rows("acme", "all-raw"), texts(&["o-2", "v-2"]));
    assert!(
        rows("acme", "sold").is_err(),
        "it covers instances without a tenant only"
    );
    assert_eq!(
        rows("nobody", "all-raw").unwrap_err(),
        "no access rule names this client"
    );
    assert!(
        rows("nobody", "there-is-none").is_err(),
        "nobody learns which reports there are"
    );
    assert!(rows("by-id", "there-is-none").is_err());
    assert_eq!(json_of(&service, "by-id", "all-of-no-report").status, 404);
    assert_eq!(
        json_of(&service, "orders", "rated").status,
        403,
        "it may see processes"
    );

    let decided = json_of(&service, "deciders", "rated").ok();
    assert_eq!(decided["data"][0]["decisionInstanceId"], "d-1");
    assert_eq!(
        json_of(&service, "deciders", "all-raw").status,
        403,
        "it may see decisions"
    );
    assert_eq!(
        result(&service, "deciders", "rated", "csv")
            .text()
            .lines()
            .count(),
        2
    );
    assert_eq!(result(&service, "orders", "rated", "csv").status, 403);

    // What aggregates.
    for (client, expected) in [
        ("admin", 5.0),
        ("by-id", 5.0),
        ("orders", 3.0),
        ("acme", 2.0),
    ] {
        assert_eq!(
            json_of(&service, client, "all-count").ok()["data"],
            expected,
            "{client}"
        );
    }
    assert_eq!(json_of(&service, "sales", "all-count").status, 403);

    // Streams, and what is told of them.
    for (client, expected) in [("admin", 5), ("orders", 3), ("acme", 2)] {
        for format in ["csv?formula=text", "ndjson"] {
            let answer = result(&service, client, "all-raw", format);
            assert_eq!(answer.status, 200);
            let lines = answer.text().lines().count() - usize::from(format.starts_with("csv"));
            assert_eq!(lines, expected, "{client} {format}");
            assert_eq!(
                answer.header("optimize-export-total-records"),
                Some(expected.to_string().as_str())
            );
        }
    }
    for what in ["csv", "ndjson", "parquet", "schema", "bookmark"] {
        assert_eq!(
            result(&service, "sales", "all-raw", what).status,
            403,
            "{what}"
        );
        let authorization = format!("Bearer {}", token("sales"));
        let path = format!("/api/public/export/report/all-raw/result/{what}");
        let head = service.request("HEAD", &path, &[("Authorization", &authorization)]);
        assert_eq!(head.status, 403, "{what}");
    }

    // Lists.
    let listed = |client: &str| get(&service, client, "/api/public/report?collectionId=c1");
    let ids_of = |client: &str| -> Vec<String> {
        let list = listed(client).ok();
        let ids = list.as_array().unwrap().iter();
        ids.map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids_of("admin"), ["billed", "by-iban", "sold"]);
    assert_eq!(ids_of("sales"), ["billed", "by-iban", "sold"]);
    assert_eq!(ids_of("orders"), ["by-iban", "sold"]);
    assert_eq!(
        ids_of("masked"),
        ["billed", "sold"],
        "it would show what is left out"
    );
    assert!(ids_of("by-id").is_empty());
    assert_eq!(rows("masked", "all-raw"), Ok(all));
    assert_eq!(listed("nobody").status, 403);
    let all_of = |client: &str| get(&service, client, "/api/public/export/reports");
    for (client, expected) in [
        (
            "admin",
            vec!["all-count", "all-raw", "billed", "by-iban", "sold", "rated"],
        ),
        ("by-id", vec!["all-count", "all-raw"]),
        ("sales", vec!["billed", "by-iban", "sold"]),
        ("orders", vec!["all-count", "all-raw", "by-iban", "sold"]),
        ("acme", vec!["all-count", "all-raw", "by-iban"]),
        (
            "masked",
            vec!["all-count", "all-raw", "billed", "sold", "rated"],
        ),
    ] {
        let list = all_of(client).ok();
        let reports = list.as_array().unwrap().iter();
        let ids: Vec<&str> = reports.map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!(ids, expected, "{client}");
        // What is listed is what is given.
        for id in ids {
            assert_eq!(json_of(&service, client, id).status, 200, "{client} {id}");
        }
    }
    let (status, _, detail) = all_of("nobody").error();
    assert_eq!(
        (status, detail.as_str()),
        (403, "no access rule names this client")
    );

    // The log says by which rule.
    service.wait_for_log("rules=\"orders\"");
    service.wait_for_log("not allowed by the access rules");
    service.wait_for_log("rules=\"everything, no bank accounts\"");
}

#[test]
fn a_client_has_no_more_exports_at_once_than_its_rule_allows() {
    let optimize = install();
    let wide = "x".repeat(20_000);
    let wide =
        (0..400).map(|n| instance("wide", &format!("w-{n:03}"), json!({"businessKey": wide})));
    optimize.store_instances("wide", wide);
    optimize.store_report(raw_report("wide", "wide", json!({})));
    let files = Files::new(RULES);
    let service = files.serve(&optimize, &["--queue-timeout", "1"]);
    let path = "/api/public/export/report/wide/result/json?limit=400&paginationTimeout=60";
    let slow = |client: &str| {
        let mut stream = http::connect(service.address);
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {}\r\n\r\n",
            token(client)
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.read_exact(&mut [0; 100]).unwrap();
        stream
    };
    let (_of_single, _of_admin) = (slow("single"), slow("admin"));
    let (status, code, detail) = json_of(&service, "single", "sold").error();
    assert_eq!((status, code.as_str()), (429, "tooManyRequestsError"));
    assert!(detail.contains("1 (its access rules)"), "{detail}");
    assert_eq!(json_of(&service, "admin", "sold").status, 200);
}

#[test]
fn columns_that_are_left_out_are_nowhere() {
    let optimize = install();
    let files = Files::new(RULES);
    let service = files.serve(&optimize, &[]);
    let page = json_of(&service, "masked", "all-raw").ok();
    let row = &page["data"][0];
    assert_eq!(row["variables"], json!({"city": "Berlin"}));
    assert_eq!(row.get("businessKey"), None);
    assert_eq!(row["processInstanceId"], "o-1");
    let row = &json_of(&service, "admin", "all-raw").ok()["data"][0];
    assert_eq!(
        row["variables"],
        json!({"city": "Berlin", "iban": "DE00-secret"})
    );
    assert_eq!(row["businessKey"], "B-secret");

    for what in [
        "json?limit=1&paginationTimeout=60",
        "csv",
        "ndjson",
        "ndjson?columns=*",
        "csv?table=variables",
        "csv?table=flowNodes",
        "schema",
    ] {
        let answer = result(&service, "masked", "all-raw", what);
        assert_eq!(answer.status, 200, "{what}: {}", answer.text());
        for secret in ["secret", "iban", "businessKey"] {
            assert!(!answer.text().contains(secret), "{what}: {}", answer.text());
        }
    }
    let rated = json_of(&service, "masked", "rated").ok();
    let row = &rated["data"][0];
    let inputs: Vec<&String> = row["inputVariables"].as_object().unwrap().keys().collect();
    assert_eq!(inputs, ["c-other"]);
    assert_eq!(row["outputVariables"], json!({}));
    for what in [
        "csv",
        "ndjson",
        "csv?table=inputs",
        "csv?table=outputs",
        "schema",
    ] {
        let answer = result(&service, "masked", "rated", what);
        assert_eq!(answer.status, 200, "{what}");
        for secret in ["secret", "c-in", "c-out"] {
            assert!(!answer.text().contains(secret), "{what}: {}", answer.text());
        }
    }
    assert!(
        json_of(&service, "admin", "rated")
            .text()
            .contains("in-secret")
    );

    // What is asked for by its name is told.
    let (status, code, detail) =
        result(&service, "masked", "all-raw", "csv?columns=businessKey").error();
    assert_eq!((status, code.as_str()), (403, "forbiddenError"));
    assert!(detail.contains("the column businessKey"), "{detail}");
    let (status, _, detail) = json_of(&service, "masked", "by-iban").error();
    assert_eq!(status, 403);
    assert!(
        detail.contains("data.groupBy") && detail.contains("variable:iban"),
        "{detail}"
    );
}

#[test]
fn nothing_is_told_of_definitions_that_may_not_be_seen() {
    let optimize = install();
    let files = Files::new(RULES);
    let service = files.serve(&optimize, &[]);
    // What only instances of `invoice` have.
    let only = json!([{"id": "1", "name": "invoiceNumber", "type": "String", "value": ["7"], "version": 1}]);
    let passed = json!([{"flowNodeInstanceId": "f", "flowNodeId": "bill", "flowNodeType": "userTask", "totalDurationInMs": 1}]);
    optimize.store_instances(
        "invoice",
        [instance(
            "invoice",
            "v-3",
            json!({"variables": only, "flowNodeInstances": passed}),
        )],
    );
    for (key, version, tenant, node) in [
        ("order", "1", None, "pack"),
        ("invoice", "1", None, "bill"),
        ("theirs", "1", Some("other"), "their node"),
    ] {
        let nodes = [(node, Some(node))];
        optimize.store_process_definition(definition(key, version, tenant, &nodes));
    }
    for what in [
        "schema",
        "csv",
        "ndjson",
        "json?limit=10&paginationTimeout=60",
    ] {
        let of_admin = result(&service, "admin", "all-raw", what);
        assert!(of_admin.text().contains("invoiceNumber"), "{what}");
        let answer = result(&service, "orders", "all-raw", what);
        for hidden in ["invoiceNumber", "bill"] {
            assert!(!answer.text().contains(hidden), "{what}: {}", answer.text());
        }
    }

    // Labels, flow nodes and messages of a report on several definitions, of which `acme` may see none but `order`.
    let of = |key: &str, tenants: Value| {
        with(
            selection(key),
            json!({"tenantIds": tenants, "displayName": format!("{key} label")}),
        )
    };
    let definitions = json!([
        of("order", json!(["acme"])),
        of("invoice", json!([null])),
        of("theirs", json!(["other"])),
        with(
            of("ghost", json!(["other"])),
            json!({"versions": ["latest"]})
        )
    ]);
    let by_process = json!({"definitions": definitions, "distributedBy": {"type": "process", "value": null}, "visualization": "table"});
    optimize.store_report(count("by-process", by_process));
    let by_node = json!({"definitions": definitions, "groupBy": {"type": "flowNodes", "value": null},
        "view": {"entity": "flowNode", "properties": ["frequency"]}, "visualization": "table"});
    optimize.store_report(count("by-node", by_node.clone()));
    optimize.store_report(count(
        "of-cluster",
        with(
            by_node,
            json!({"definitions": [], "managementReport": true}),
        ),
    ));
    for id in ["by-process", "by-node", "of-cluster"] {
        let all = json_of(&service, "admin", id);
        assert!(
            all.text().contains("bill") || all.text().contains("invoice"),
            "{id}: {}",
            all.text()
        );
        let answer = json_of(&service, "acme", id);
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
        for hidden in ["invoice", "bill", "theirs", "their node", "ghost"] {
            assert!(!answer.text().contains(hidden), "{id}: {}", answer.text());
        }
    }
}

#[test]
fn a_definition_without_an_index_does_not_hide_those_that_are_left() {
    let optimize = install();
    let files = Files::new(RULES);
    let service = files.serve(&optimize, &[]);
    // `ghost` never ran, `invoice` may not be seen by `orders`.
    for (id, keys) in [
        ("with-ghost", ["order", "ghost"]),
        ("with-invoice", ["order", "invoice"]),
    ] {
        let definitions = json!(keys.map(selection));
        optimize.store_report(raw_report(id, "order", json!({"definitions": definitions})));
        optimize.store_report(count(
            &format!("{id}-n"),
            json!({"definitions": definitions}),
        ));
        assert_eq!(ids(&service, "orders", id).unwrap(), ["o-1"], "{id}");
        let csv = result(&service, "orders", id, "csv");
        assert_eq!(
            csv.header("optimize-export-total-records"),
            Some("1"),
            "{id}"
        );
        assert_eq!(
            json_of(&service, "orders", &format!("{id}-n")).ok()["data"],
            1.0,
            "{id}"
        );
    }
    // Decisions are counted under rules too.
    let both = with(selection("rating"), json!({"tenantIds": [null, "acme"]}));
    let counted = json!({"view": {"properties": ["frequency"]}, "visualization": "number", "definitions": [both]});
    optimize.store_report(decision_report("rated-n", "rating", counted));
    for (client, expected) in [("admin", 2.0), ("acme", 1.0)] {
        assert_eq!(
            json_of(&service, client, "rated-n").ok()["data"],
            expected,
            "{client}"
        );
    }
}

#[test]
fn a_report_that_can_not_be_read_tells_nothing_to_who_might_not_see_it() {
    let optimize = install();
    let files = Files::new(RULES);
    let service = files.serve(&optimize, &[]);
    let broken = count(
        "all-broken",
        json!({"view": {"entity": "nonsense-secret", "properties": ["frequency"]}}),
    );
    optimize.store_report(with(broken, json!({"collectionId": "c2"})));
    for client in ["admin", "by-id"] {
        let (status, _, detail) = json_of(&service, client, "all-broken").error();
        assert!(
            status == 400 && detail.contains("nonsense-secret"),
            "{client}: {detail}"
        );
    }
    for client in ["sales", "orders", "acme", "nobody"] {
        for what in ["json?limit=1&paginationTimeout=60", "csv", "schema"] {
            let (status, _, detail) = result(&service, client, "all-broken", what).error();
            assert!(
                status == 403 && !detail.contains("nonsense"),
                "{client} {what}: {detail}"
            );
        }
    }
    // Who may see a collection does not learn which reports there are elsewhere.
    let missing = json_of(&service, "sales", "no-report").error();
    let foreign = json_of(&service, "sales", "all-raw").error();
    assert_eq!(missing, foreign);
    assert_eq!(json_of(&service, "orders", "no-report").status, 404);
}

#[test]
fn a_replica_continues_no_scroll_of_somebody_who_may_see_something_else() {
    let optimize = install();
    let files = Files::new(RULES);
    let key = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(key.path(), "a key that replicas share").unwrap();
    let key = ["--scroll-key-file", key.path().to_str().unwrap()];
    let (first, second) = (files.serve(&optimize, &key), files.serve(&optimize, &key));
    let page = result(
        &first,
        "admin",
        "all-raw",
        "json?limit=2&paginationTimeout=60",
    )
    .ok();
    let id = page["searchRequestId"].as_str().unwrap();
    let next = format!("json?limit=2&paginationTimeout=60&searchRequestId={id}");
    let (status, _, detail) = result(&second, "acme", "all-raw", &next).error();
    assert_eq!(status, 400);
    assert!(detail.contains("may see something else"), "{detail}");
    let page = result(
        &first,
        "acme",
        "all-raw",
        "json?limit=1&paginationTimeout=60",
    )
    .ok();
    let id = page["searchRequestId"].as_str().unwrap();
    let next = format!("json?limit=1&paginationTimeout=60&searchRequestId={id}");
    let page = result(&second, "acme", "all-raw", &next).ok();
    assert_eq!(
        page["data"][0]["processInstanceId"], "v-2",
        "its own goes on there"
    );
}

#[test]
fn a_report_that_is_edited_to_escape_a_rule_shows_no_more() {
    let optimize = install();
    let files = Files::new(RULES);
    let service = files.serve(&optimize, &["--cache-ttl", "0"]);
    let order = |tenants: Value| with(selection("order"), json!({"tenantIds": tenants}));

    // More definitions and tenants.
    optimize.store_report(raw_report(
        "r",
        "order",
        json!({"definitions": [order(json!([null]))]}),
    ));
    assert_eq!(ids(&service, "orders", "r"), Ok(vec!["o-1".to_owned()]));
    assert!(ids(&service, "acme", "r").is_err());
    optimize.store_report(raw_report("r", "order", json!({"definitions": both()})));
    assert_eq!(ids(&service, "orders", "r").unwrap(), ["o-1", "o-2", "o-3"]);
    assert_eq!(ids(&service, "acme", "r").unwrap(), ["o-2", "v-2"]);

    // All definitions of the cluster, with all of their tenants.
    for (key, version, tenant) in [
        ("order", "1", None),
        ("order", "2", Some("acme")),
        ("order", "3", Some("other")),
        ("invoice", "1", None),
        ("invoice", "2", Some("acme")),
    ] {
        optimize.store_process_definition(definition(key, version, tenant, &[]));
    }
    optimize.store_report(count(
        "n",
        json!({"definitions": [], "managementReport": true}),
    ));
    for (client, expected) in [("admin", 5.0), ("orders", 3.0), ("acme", 2.0)] {
        assert_eq!(
            json_of(&service, client, "n").ok()["data"],
            expected,
            "{client}"
        );
    }

    // A group, a filter and an order of what is left out.
    let iban = json!({"name": "iban", "type": "String"});
    let filter = json!([{"type": "variable", "filterLevel": "instance", "appliedTo": ["all"],
        "data": {"name": "iban", "type": "String", "data": {"operator": "in", "values": ["DE00-secret"]}}}]);
    let sorted = json!({"sorting": {"by": "variable:iban", "order": "asc"}});
    for escape in [
        json!({"groupBy": {"type": "variable", "value": iban}, "visualization": "table"}),
        json!({"filter": filter}),
        json!({"configuration": sorted}),
        json!({"view": {"entity": "variable", "properties": [{"name": "iban", "type": "Double"}]}}),
    ] {
        optimize.store_report(count("e", escape.clone()));
        let (status, _, detail) = json_of(&service, "masked", "e").error();
        assert_eq!(status, 403, "{escape}: {detail}");
        assert!(!detail.contains("secret"), "{detail}");
    }
    optimize.store_report(count("e", json!({})));
    assert_eq!(json_of(&service, "masked", "e").ok()["data"], 5.0);
}

fn until(mut is_so: impl FnMut() -> bool, service: &Service) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {}", service.log());
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn rules_that_change_in_the_middle_of_an_export_make_its_client_start_over() {
    let optimize = install();
    let files = Files::new(RULES);
    let service = files.serve(&optimize, &["--change-overlap", "0"]);
    let first = |client: &str| {
        result(
            &service,
            client,
            "all-raw",
            "json?limit=2&paginationTimeout=60",
        )
        .ok()
    };
    let next = |client: &str, page: &Value| {
        let id = page["searchRequestId"].as_str().unwrap();
        let query = format!("json?limit=2&paginationTimeout=60&searchRequestId={id}");
        result(&service, client, "all-raw", &query)
    };
    let bookmark = |client: &str| {
        let answer = result(&service, client, "all-raw", "csv");
        answer
            .header("optimize-export-bookmark")
            .unwrap()
            .to_owned()
    };
    let since = |client: &str, bookmark: &str| {
        result(
            &service,
            client,
            "all-raw",
            &format!("csv?since={bookmark}"),
        )
    };

    // Somebody else's scroll shows no more than one's own, and is not moved by trying.
    let of_admin = first("admin");
    let (status, _, detail) = next("acme", &of_admin).error();
    assert_eq!(status, 400);
    assert!(detail.contains("may see something else"), "{detail}");
    let (by_admin, by_acme) = (bookmark("admin"), bookmark("acme"));
    assert_eq!(since("acme", &by_acme).status, 200);
    let by_masked = bookmark("masked");
    assert_eq!(since("masked", &by_masked).status, 200);
    assert_eq!(
        since("admin", &by_masked).status,
        400,
        "older rows have columns that it has not seen"
    );
    assert_eq!(
        since("acme", &by_admin).status,
        400,
        "it is one of another selection"
    );

    // A file that is no file of rules changes nothing.
    let of_acme = first("acme");
    assert_eq!(of_acme["totalNumberOfRecords"], 2);
    files.write("rules: [{name: acme, clients: acme, tennants: [acme]}]");
    service.wait_for_log("the file of access rules changed, but can't be used");
    assert!(service.log().contains("tennants"), "{}", service.log());
    assert_eq!(first("acme")["totalNumberOfRecords"], 2);

    files.write("rules: [{name: other, clients: [acme, admin], tenants: [other]}]");
    until(|| first("acme")["totalNumberOfRecords"] == 1, &service);
    for (client, page) in [("acme", &of_acme), ("admin", &of_admin)] {
        let (status, _, detail) = next(client, page).error();
        assert_eq!(status, 400, "{detail}");
        assert!(detail.contains("start over"), "{detail}");
    }
    let (status, code, _) = since("acme", &by_acme).error();
    assert_eq!((status, code.as_str()), (400, "bookmarkError"));
    assert_eq!(ids(&service, "acme", "all-raw").unwrap(), ["o-3"]);
    assert_eq!(
        json_of(&service, "orders", "all-raw").status,
        403,
        "no rule names it any more"
    );
}

#[test]
fn what_a_client_would_get_can_be_asked_for() {
    let optimize = install();
    let files = Files::new(RULES);
    let ask = |client: &str, report_id: &str, more: &[&str]| {
        let output = command(&[
            "access",
            client,
            report_id,
            "--elasticsearch-url",
            &optimize.url,
        ])
        .args(["--index-prefix", &optimize.prefix, "--access-rules-file"])
        .arg(files.rules.path())
        .args(more)
        .output()
        .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), text)
    };
    let (code, text) = ask("acme", "all-raw", &[]);
    assert_eq!(code, 0, "{text}");
    for line in [
        "Report:      Report all-raw",
        "Rules:       acme",
        "Export:      allowed",
        "Definition:  order: tenants acme; left out none, other",
        "Definition:  invoice: tenants acme; left out none, other",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let (code, text) = ask("masked", "all-raw", &[]);
    assert_eq!(code, 0);
    assert!(
        text.contains(
            "without the columns businessKey, input:c-in, output:c-out, variable:iban* (rule no bank accounts)"
        ),
        "{text}"
    );
    let (code, text) = ask("orders", "billed", &[]);
    assert_eq!(code, 4);
    assert!(text.contains("refused: rules orders"), "{text}");
    files.write("rules: [{name: data, claims: groups=data, processes: invoice}]");
    let (code, text) = ask(
        "anybody",
        "billed",
        &["--claim", "groups=sales", "--claim", "groups=data"],
    );
    assert_eq!(
        (code, text.contains("Rules:       data")),
        (0, true),
        "{text}"
    );
    let (code, text) = ask("anybody", "billed", &[]);
    assert_eq!(
        (code, text.contains("none names this client")),
        (4, true),
        "{text}"
    );
    assert_eq!(ask("anybody", "no-report", &[]).0, 1);
}

#[test]
fn rules_that_can_not_be_read_stop_the_start() {
    let optimize = Optimize::install();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "rules: [{name: a}]").unwrap();
    for what in ["serve", "check"] {
        let output = command(&[
            what,
            "--elasticsearch-url",
            &optimize.url,
            "--access-rules-file",
        ])
        .arg(file.path())
        .args(["--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
        assert_eq!(output.status.code(), Some(1), "{what}");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(text.contains("rule `a`: it names nobody"), "{what}: {text}");
    }
}
