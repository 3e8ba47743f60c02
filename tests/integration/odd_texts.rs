//! Texts that Java can hold and a Rust string can't: half of a surrogate pair, wherever Optimize stores a text.
//!
//! A server stores such a half as the escape it came as, or as the three bytes that it came as, and gives it back
//! unchanged; OpenSearch 3 refuses those bytes. What is indexed has U+FFFD in its place; newer versions of Elasticsearch
//! (8.19.8 and 9.4.3, not yet 8.16.6) index a question mark, which no search for a half finds, or the three bytes as they
//! are. Optimize has to live with that, too. It answers with the escape (Jackson writes `\uD83D`).

use serde_json::{Value, json};
use testkit::elasticsearch::{Product, for_this_process};
use testkit::indices::Index;

use crate::support::documents::{
    decision, decision_definition, decision_report, definition, input, instance, raw_report,
    report, selection, with,
};
use crate::support::service::command;
use crate::support::{Optimize, Service, TOKEN};

/// Stands for half a pair in the documents of a test.
pub const HALF: &str = "@half@";
/// Each way to write a half, and the escape that it is answered with. The last one is a first half that stands before a
/// whole pair.
const SPELLINGS: [(&[u8], &str); 4] = [
    (br"\ud83d", r"\uD83D"),
    (br"\uDE00", r"\uDE00"),
    (b"\xed\xa0\xbd", r"\uD83D"),
    (br"\ud83c\ud83d\ude00", "\\uD83C\u{1f600}"),
];

/// The spellings that can be in an index of the server.
fn spellings() -> impl Iterator<Item = (&'static [u8], &'static str)> {
    let server = for_this_process().unwrap();
    let refuses_bytes = server.product == Product::OpenSearch && server.version.starts_with("3.");
    SPELLINGS
        .into_iter()
        .filter(move |(spelling, _)| spelling.is_ascii() || !refuses_bytes)
}

impl Optimize {
    /// Stores one document in which [`HALF`] is spelled like this.
    pub fn store_spelled(&self, index: Index<'_>, id: &str, document: &Value, spelling: &[u8]) {
        self.installation.create(index).unwrap();
        let alias = index.alias(&self.prefix);
        let mut lines = json!({"index": {"_index": alias, "_id": id}})
            .to_string()
            .into_bytes();
        lines.push(b'\n');
        for (number, part) in document.to_string().split(HALF).enumerate() {
            if number > 0 {
                lines.extend_from_slice(spelling);
            }
            lines.extend_from_slice(part.as_bytes());
        }
        lines.push(b'\n');
        let client = self.installation.client();
        let answer = client.post_lines("/_bulk?refresh=true", &lines).unwrap();
        assert_eq!(answer.success().unwrap()["errors"], false);
    }
}

/// The whole answer as text, in which `escape` is [`HALF`] again.
fn export(service: &Service, report_id: &str, escape: &str) -> Value {
    let answer = service.export(report_id, "limit=100&paginationTimeout=60");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.is_complete, "{}", answer.text());
    serde_json::from_str(&answer.text().replace(escape, HALF))
        .unwrap_or_else(|error| panic!("{error}: {}", answer.text()))
}

fn flow_node(id: &str) -> Value {
    json!({
        "flowNodeInstanceId": format!("{id}-1"), "flowNodeId": id, "flowNodeType": "serviceTask", "totalDurationInMs": 1000,
        "startDate": "2024-03-01T10:00:00.000+0000", "endDate": "2024-03-01T10:00:01.000+0000", "canceled": false,
        "definitionKey": "p", "definitionVersion": "1", "tenantId": null,
    })
}

#[test]
fn raw_process_rows_have_every_text_as_it_is_stored() {
    for (spelling, escape) in spellings() {
        let optimize = Optimize::install();
        let odd = instance(
            "p",
            "1-@half@",
            json!({
                "businessKey": "key @half@", "dataSource": {"type": "engine", "name": "engine @half@"},
                "flowNodeInstances": [flow_node("a"), flow_node("b@half@")],
                "variables": [{"id": "v", "name": "s", "type": "String", "value": ["cut @half@"], "version": 1},
                    {"id": "w", "name": "o@half@", "type": "Object", "value": ["{\"a\":\"@half@\"}"], "version": 1}],
            }),
        );
        optimize.store_spelled(Index::ProcessInstance { key: "p" }, "1", &odd, spelling);
        optimize.store_instances("p", [instance("p", "2", json!({}))]);
        let named = definition(
            "p",
            "1",
            None,
            &[("a", Some("name @half@")), ("b@half@", Some("B"))],
        );
        optimize.store_spelled(Index::ProcessDefinition, "p:1", &named, spelling);
        optimize.store_spelled(
            Index::SingleProcessReport,
            "raw",
            &with(
                raw_report("raw", "p", json!({"description": "@half@"})),
                json!({"name": "report @half@"}),
            ),
            spelling,
        );
        let page = export(&optimize.serve(), "raw", escape);
        assert_eq!(page["numberOfRecordsInResponse"], 2);
        let row = &page["data"][0];
        assert_eq!(row["processInstanceId"], "1-@half@");
        assert_eq!(row["businessKey"], "key @half@");
        assert_eq!(row["engineName"], "engine @half@");
        assert_eq!(row["variables"]["s"], "cut @half@");
        assert_eq!(row["variables"]["o@half@"], json!([r#"{"a":"@half@"}"#]));
        assert_eq!(row["flowNodeInstances"][0]["name"], "name @half@");
        assert_eq!(row["flowNodeInstances"][1]["id"], "b@half@-1");
        assert_eq!(row["flowNodeDurations"]["a"]["name"], "name @half@");
        assert_eq!(row["flowNodeDurations"]["b@half@"]["name"], "B");
        assert_eq!(page["data"][1]["processInstanceId"], "2");
        assert_eq!(page["data"][1]["variables"]["s"], "");
    }
}

#[test]
fn raw_decision_rows_have_every_text_as_it_is_stored() {
    for (spelling, escape) in spellings() {
        let optimize = Optimize::install();
        let odd = decision(
            "d",
            "1",
            json!({"activityId": "task @half@", "inputs": [input("i", "String", json!("in @half@"))]}),
        );
        optimize.store_spelled(Index::DecisionInstance { key: "d" }, "1", &odd, spelling);
        let model = decision_definition(
            "d",
            "1",
            None,
            &[("i", Some("clause @half@"), "String")],
            &[],
        );
        optimize.store_spelled(Index::DecisionDefinition, "d:1", &model, spelling);
        optimize.store_report(decision_report("raw", "d", json!({})));
        let page = export(&optimize.serve(), "raw", escape);
        let clause = &page["data"][0]["inputVariables"]["i"];
        assert_eq!(clause["value"], "in @half@", "{page}");
        assert_eq!(page["data"].as_array().unwrap().len(), 1);
    }
}

#[test]
fn grouped_reports_have_names_as_they_are_stored_and_values_as_they_are_indexed() {
    for (spelling, escape) in spellings() {
        let optimize = Optimize::install();
        let variable = json!([{"id": "v", "name": "s", "type": "String", "value": ["cut @half@"], "version": 1}]);
        let odd = instance(
            "p",
            "1",
            json!({"flowNodeInstances": [flow_node("a")], "variables": variable}),
        );
        optimize.store_spelled(Index::ProcessInstance { key: "p" }, "1", &odd, spelling);
        let named = definition("p", "1", None, &[("a", Some("name @half@"))]);
        optimize.store_spelled(Index::ProcessDefinition, "p:1", &named, spelling);
        let grouped = |entity: &str, group: Value, distributed: &str| {
            json!({
                "configuration": {}, "definitions": [with(selection("p"), json!({"displayName": "process @half@"}))],
                "filter": [], "view": {"entity": entity, "properties": ["frequency"]}, "groupBy": group,
                "distributedBy": {"type": distributed, "value": null},
            })
        };
        let by_variable = json!({"type": "variable", "value": {"name": "s", "type": "String"}});
        let mut is_cut = grouped(
            "processInstance",
            json!({"type": "none", "value": null}),
            "none",
        );
        is_cut["filter"] = json!([{"type": "variable", "filterLevel": "instance", "appliedTo": ["all"],
            "data": {"name": "s", "type": "String", "data": {"operator": "in", "values": ["cut @half@"]}}}]);
        for (id, data) in [
            (
                "nodes",
                grouped(
                    "flowNode",
                    json!({"type": "flowNodes", "value": null}),
                    "none",
                ),
            ),
            ("values", grouped("processInstance", by_variable, "none")),
            (
                "processes",
                grouped(
                    "processInstance",
                    json!({"type": "none", "value": null}),
                    "process",
                ),
            ),
            ("filtered", is_cut),
        ] {
            optimize.store_spelled(Index::SingleProcessReport, id, &report(id, data), spelling);
        }
        let service = optimize.serve();
        let answer = |id: &str| export(&service, id, escape)["data"].clone();
        assert_eq!(
            answer("nodes"),
            json!([{"key": "a", "value": 1.0, "label": "name @half@"}])
        );
        // An emoji is a letter like others.
        let emoji = if escape.len() > r"\uD83D".len() {
            "\u{1f600}"
        } else {
            ""
        };
        let values = answer("values");
        let found = answer("filtered").as_f64().unwrap();
        let is_new = {
            let server = for_this_process().unwrap();
            server.product == Product::Elasticsearch && !server.version.starts_with("7.17.")
        };
        // What is indexed for the half, and how many instances a filter for the half finds by it.
        let as_indexed = |half: &str| {
            let text = format!("cut {half}{emoji}");
            json!([{"key": text, "value": 1.0, "label": text}])
        };
        let is_right = match found {
            1.0 => values == as_indexed("\u{fffd}"),
            0.0 => is_new && (values == as_indexed("?") || values == as_indexed(HALF)),
            _ => false,
        };
        assert!(is_right, "{found} {values}");
        assert_eq!(
            answer("processes")[0]["value"][0]["label"],
            "process @half@"
        );
    }
}

#[test]
fn reports_are_listed_whatever_their_names_are() {
    let optimize = Optimize::install();
    optimize.store_report(raw_report("good", "p", json!({})));
    for (number, (spelling, _)) in spellings().enumerate() {
        let id = format!("bad{number}");
        let mut named = raw_report(&id, "p", json!({}));
        named["name"] = json!("cut @half@");
        optimize.store_spelled(Index::SingleProcessReport, &id, &named, spelling);
    }
    let list = |format: &str| {
        let mut reports = command(&[
            "reports",
            "--format",
            format,
            "--elasticsearch-url",
            &optimize.url,
        ]);
        let output = reports
            .args(["--index-prefix", &optimize.prefix])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let table = list("table");
    assert!(table.contains("good"), "{table}");
    for number in 0..spellings().count() {
        assert!(table.contains(&format!("bad{number}")), "{table}");
    }
    assert!(table.contains("cut \u{fffd}"), "{table}");
    assert!(list("json").contains(r"cut \uD83D"));
}

#[test]
fn the_export_command_writes_and_resumes_such_rows() {
    let optimize = Optimize::install();
    for number in 0..5 {
        let document = instance(
            "p",
            &format!("{number}-@half@"),
            json!({"businessKey": "@half@"}),
        );
        let id = number.to_string();
        optimize.store_spelled(
            Index::ProcessInstance { key: "p" },
            &id,
            &document,
            br"\ud83d",
        );
    }
    optimize.store_report(raw_report("raw", "p", json!({})));
    let service = optimize.serve();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rows.jsonl");
    let url = format!("http://{}", service.address);
    let run = |more: &[&str]| {
        let output = command(&["export", "raw", "--url", &url, "--page-size", "2", "-o"])
            .arg(&file)
            .args(more)
            .env("OPTIMIZE_EXPORT_ACCESS_TOKEN", TOKEN)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        std::fs::read_to_string(&file).unwrap()
    };
    let whole = run(&[]);
    assert_eq!(whole.lines().count(), 5);
    assert!(
        whole
            .lines()
            .all(|line| line.contains(r#""businessKey":"\uD83D""#)),
        "{whole}"
    );
    // Interrupted after two rows and a half, it goes on with the third.
    let (partial, _) = whole.split_at(whole.len() / 2);
    std::fs::write(&file, partial).unwrap();
    assert_eq!(run(&["--resume"]), whole);
}
