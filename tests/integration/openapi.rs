//! The interface's description against real answers.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::documents::{
    decision, decision_definition, decision_report, input, instance, output, raw_report, report,
    selection,
};
use crate::support::http::Answer;
use crate::support::{Optimize, Service, TOKEN};

struct Description(Value);

impl Description {
    fn of(service: &Service) -> Self {
        let answer = service.request("GET", "/api/openapi.json", &[]);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        Self(answer.ok())
    }

    fn response(&self, path: &str, status: u16) -> &Value {
        let described = &self.0["paths"][path]["get"]["responses"][status.to_string()];
        let response = match described["$ref"].as_str() {
            Some(reference) => self.0.pointer(reference.trim_start_matches('#')).unwrap(),
            None => described,
        };
        assert!(response.is_object(), "{path} has no response {status}");
        response
    }

    /// Status, headers and body are as described.
    #[track_caller]
    fn check(&self, path: &str, answer: &Answer) {
        let response = self.response(path, answer.status);
        for (name, _) in response["headers"].as_object().into_iter().flatten() {
            assert!(
                answer.header(name).is_some(),
                "{} has no {name}",
                answer.status
            );
        }
        let content_type = answer.header("content-type").unwrap();
        let schema = &response["content"][content_type]["schema"];
        assert!(
            schema.is_object(),
            "{}: {content_type} is not described",
            answer.status
        );
        // References lead into the document, so the schema is looked at within it.
        let mut root =
            json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "allOf": [schema]});
        root["components"] = self.0["components"].clone();
        let validator = jsonschema::validator_for(&root).unwrap();
        let body = answer.json();
        let problems: Vec<String> = validator
            .iter_errors(&body)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(problems.is_empty(), "{problems:#?} in {body:#}");
        // Members that nobody described are as wrong as ones that are missing.
        let properties = match schema["$ref"].as_str() {
            Some(reference) => {
                &self.0.pointer(reference.trim_start_matches('#')).unwrap()["properties"]
            }
            None => &schema["properties"],
        };
        let described = !properties.is_null();
        for (name, _) in body.as_object().into_iter().flatten().filter(|_| described) {
            assert!(properties.get(name).is_some(), "{name} is not described");
        }
    }
}

const REPORTS: &str = "/api/public/report";
const LIST: &str = "/api/public/export/reports";
const BOOKMARK: &str = "/api/public/export/report/{reportId}/result/bookmark";
const TABLE: &str = "/api/public/export/report/{reportId}/result/{format}";
const EXPORT: &str = "/api/public/export/report/{reportId}/result/json";

fn grouped(id: &str, group_by: Value, distributed_by: Value) -> Value {
    report(
        id,
        json!({
            "configuration": {}, "definitions": [selection("order")], "filter": [],
            "view": {"entity": "userTask", "properties": ["frequency"]},
            "groupBy": group_by, "distributedBy": distributed_by, "visualization": "table",
        }),
    )
}

#[test]
fn answers_are_as_described() {
    let optimize = Optimize::install();
    let task = json!({"flowNodeInstanceId": "f1", "flowNodeId": "approve", "flowNodeType": "userTask", "userTaskInstanceId": "u1",
        "totalDurationInMs": 7, "startDate": "2024-03-01T10:00:00.000+0000", "endDate": null, "assignee": "demo",
        "processInstanceId": "i", "definitionKey": "order", "definitionVersion": "1", "tenantId": null});
    let variables = json!([
        {"id": "v1", "name": "amount", "type": "Double", "value": ["1.5"], "version": 1},
        {"id": "v2", "name": "cart", "type": "Object", "value": ["a", null], "version": 1},
    ]);
    optimize.store_instances(
        "order",
        [
            instance(
                "order",
                "i-1",
                json!({"flowNodeInstances": [task], "variables": variables}),
            ),
            instance(
                "order",
                "i-2",
                json!({"endDate": null, "duration": null, "state": "ACTIVE", "businessKey": "b"}),
            ),
        ],
    );
    let clauses = [("in", Some("In"), "String")];
    optimize.store(
        testkit::indices::Index::DecisionDefinition,
        [(
            "risk:1",
            decision_definition("risk", "1", None, &clauses, &[("out", None, "Integer")]),
        )],
    );
    optimize.store_decisions(
        "risk",
        [
            decision("risk", "d-1", json!({"inputs": [input("in", "String", json!("x"))], "outputs": [output("out", "Integer", json!("7"))]})),
            decision("risk", "d-2", json!({})),
        ],
    );
    optimize.store_report(raw_report("raw", "order", json!({})));
    optimize.store_report(decision_report("decisions", "risk", json!({})));
    let none = json!({"type": "none", "value": null});
    let by_task = json!({"type": "userTasks", "value": null});
    optimize.store_report(grouped("map", by_task.clone(), none.clone()));
    optimize.store_report(grouped(
        "hyper-map",
        by_task,
        json!({"type": "assignee", "value": null}),
    ));
    let number = json!({
        "configuration": {}, "definitions": [selection("order")], "filter": [],
        "view": {"entity": "processInstance", "properties": ["duration"]},
        "groupBy": none, "distributedBy": none, "visualization": "number",
    });
    optimize.store_report(report("number", number.clone()));
    let mut nothing = number;
    nothing["definitions"] = json!([selection("other")]);
    optimize.store_report(report("nothing", nothing));
    let service = optimize.serve_with(&["--max-limit", "1000"]);
    let description = Description::of(&service);

    for id in ["raw", "decisions", "map", "hyper-map", "number", "nothing"] {
        let answer = service.first_page(id, 1);
        assert_eq!(answer.status, 200, "{id}: {}", answer.text());
        description.check(EXPORT, &answer);
    }
    description.check(EXPORT, &service.first_page("raw", 0));

    let bookmark =
        |id: &str| service.get(&format!("/api/public/export/report/{id}/result/bookmark"));
    let answer = bookmark("raw");
    assert_eq!(answer.status, 200, "{}", answer.text());
    description.check(BOOKMARK, &answer);
    for id in ["map", "none"] {
        description.check(BOOKMARK, &bookmark(id));
    }
    let table =
        |query: &str| service.get(&format!("/api/public/export/report/raw/result/csv?{query}"));
    for (name, _) in description.response(TABLE, 200)["headers"]
        .as_object()
        .unwrap()
    {
        assert!(table("").header(name).is_some(), "no {name}");
    }
    description.check(TABLE, &table("since=none"));

    description.check(EXPORT, &service.first_page("raw", 1001));
    description.check(EXPORT, &service.first_page("none", 1));
    let target = "/api/public/export/report/raw/result/json?limit=1&paginationTimeout=60";
    description.check(EXPORT, &service.request("GET", target, &[]));
    let authorization = format!("Bearer {TOKEN}");
    description.check(
        EXPORT,
        &service.request("POST", target, &[("Authorization", &authorization)]),
    );
    let mut collected = raw_report("collected", "order", json!({}));
    collected["collectionId"] = json!("c");
    optimize.store_report(collected);
    let answer = service.get("/api/public/report?collectionId=c");
    assert_eq!(answer.ok(), json!([{"id": "collected"}]));
    description.check(REPORTS, &answer);
    description.check(REPORTS, &service.get("/api/public/report"));
    description.check(
        REPORTS,
        &service.request("GET", "/api/public/report?collectionId=c", &[]),
    );
    description.check(
        REPORTS,
        &service.request(
            "PUT",
            "/api/public/report",
            &[("Authorization", &authorization)],
        ),
    );
    description.response(
        "/api/readyz",
        service.request("GET", "/api/readyz", &[]).status,
    );
    let list = service.get(LIST);
    description.check(LIST, &list);
    let described = &description.0["components"]["schemas"]["ReportEntry"]["properties"];
    let names = |object: &Value| -> BTreeSet<String> {
        let members = object.as_object().unwrap().keys();
        members.cloned().collect()
    };
    assert_eq!(names(&list.ok()[0]), names(described));
    description.check(LIST, &service.request("GET", LIST, &[]));
    let posted = service.request("POST", LIST, &[("Authorization", &authorization)]);
    description.check(LIST, &posted);
    // Just above the bound, so that nothing is on its way when the answer comes.
    let long = "y".repeat(65_536);
    for (path, headers, status) in [
        (format!("/api/public/{long}"), vec![], 414),
        (
            "/api/public/report".to_owned(),
            vec![("X-Long", long.as_str())],
            431,
        ),
    ] {
        let answer = service.request("GET", &path, &headers);
        assert_eq!(answer.status, status);
        description.check(EXPORT, &answer);
        description.check(REPORTS, &answer);
        description.check(LIST, &answer);
    }
    let full = optimize.serve_with(&["--max-open-scrolls", "1"]);
    full.first_page("raw", 1).ok();
    let answer = full.first_page("raw", 1);
    assert_eq!(answer.status, 429);
    description.check(EXPORT, &answer);
    let cut_off = Service::start("http://127.0.0.1:9", &optimize.prefix, &[], &[]);
    let answer = cut_off.first_page("raw", 1);
    assert_eq!(answer.status, 503);
    description.check(EXPORT, &answer);
    let answer = cut_off.get("/api/public/report?collectionId=c");
    assert_eq!(answer.status, 503);
    description.check(REPORTS, &answer);
    description.check(LIST, &cut_off.get(LIST));
    description.response(
        "/api/readyz",
        cut_off.request("GET", "/api/readyz", &[]).status,
    );
    optimize.store(
        testkit::indices::Index::SingleProcessReport,
        [("broken", json!({"id": "broken"}))],
    );
    let answer = service.first_page("broken", 1);
    assert_eq!(answer.status, 500);
    description.check(EXPORT, &answer);
}

#[test]
fn the_page_is_there_for_everybody_unless_it_is_switched_off() {
    let optimize = Optimize::install();
    let service = optimize.serve_with(&["--context-path", "/optimize"]);
    let answer = service.request("GET", "/optimize/api/docs", &[]);
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some("/optimize/api/docs/"))
    );
    let page = service.request("GET", "/optimize/api/docs/", &[]);
    assert_eq!(
        (page.status, page.header("content-type")),
        (200, Some("text/html"))
    );
    assert!(page.header("content-security-policy").is_some());
    assert_eq!(page.header("content-encoding"), None, "nobody asked for it");
    assert!(page.text().contains("<html"), "{}", page.text());
    let bundle = "/optimize/api/docs/swagger-ui-bundle.js";
    let plain = service.request("GET", bundle, &[]);
    let compressed = service.request("GET", bundle, &[("accept-encoding", "gzip")]);
    assert_eq!(plain.header("content-encoding"), None);
    assert_eq!(compressed.header("content-encoding"), Some("gzip"));
    assert_eq!(compressed.header("vary"), Some("accept-encoding"));
    assert!(plain.body.len() > 2 * compressed.body.len());
    let start = service.request("GET", "/optimize/api/docs/swagger-initializer.js", &[]);
    assert!(
        start.text().contains("/optimize/api/openapi.json"),
        "{}",
        start.text()
    );
    assert_eq!(
        service
            .request("GET", "/optimize/api/docs/../secret", &[])
            .status,
        404
    );
    assert_eq!(
        service
            .request("GET", "/optimize/api/openapi.json", &[])
            .ok()["servers"][0]["url"],
        "/optimize"
    );

    let off = optimize.serve_with(&["--api-docs", "false"]);
    for path in ["/api/docs/", "/api/openapi.json"] {
        assert_eq!(off.request("GET", path, &[]).status, 404, "{path}");
    }
}
