//! The tables of raw data on processes.

use serde_json::{Value, json};
use testkit::indices::Index;

use super::{lines, rows, text};
use crate::odd_texts::HALF;
use crate::support::documents::{definition, instance, raw_report};
use crate::support::{Optimize, Service};

/// 2024-03-01T10:00:00Z.
const TEN: i64 = 1_709_287_200_000;

fn variable(name: &str, kind: &str, value: Value) -> Value {
    json!({"id": name, "name": name, "type": kind, "value": value, "version": 1})
}

/// Two instances with everything that a table may have to show.
fn serve() -> (Optimize, Service) {
    let optimize = Optimize::install();
    let flow_nodes = json!([
        {"flowNodeInstanceId": "f1", "flowNodeId": "start", "flowNodeType": "startEvent", "totalDurationInMs": 0,
         "startDate": "2024-03-01T11:00:00.000+0100", "endDate": "2024-03-01T11:00:00.000+0100", "canceled": false},
        {"flowNodeInstanceId": "f2", "flowNodeId": "pack", "flowNodeType": "userTask", "totalDurationInMs": 40_000,
         "idleDurationInMs": 30_000, "workDurationInMs": 10_000, "canceled": true, "userTaskInstanceId": "u2",
         "assignee": "ann", "candidateGroups": ["a,b", "\"c\""], "dueDate": "2024-03-02T10:00:00.000+0000",
         "startDate": "2024-03-01T11:00:00.000+0100", "endDate": "2024-03-01T11:00:40.000+0100"},
        {"flowNodeInstanceId": "f3", "flowNodeId": "pack", "flowNodeType": "userTask", "totalDurationInMs": 2,
         "startDate": "2024-03-01T11:00:40.000+0100", "endDate": null, "candidateGroups": []},
    ]);
    let variables = json!([
        variable("big", "Long", json!(["9007199254740993"])),
        variable("exact", "Double", json!(["0.30000000000000004"])),
        variable("flag", "Boolean", json!(["true"])),
        variable("formula", "String", json!(["=1+1"])),
        variable("lines", "String", json!(["a\r\n\"b\", ü 😀"])),
        variable("list", "Long", json!(["1", "2"])),
        variable("mixed", "Short", json!(["7"])),
        variable("empty", "String", json!([""])),
        variable("nothing", "String", null()),
        variable("object", "Object", json!(["{\"x\":1}"])),
        variable("when", "Date", json!(["2024-03-01T11:00:00.000+0100"])),
    ]);
    let incidents = json!([
        {"id": "n1", "incidentStatus": "open", "incidentType": "failedJob", "activityId": "pack",
         "incidentMessage": "no, \"paper\"", "createTime": "2024-03-01T11:00:00.000+0100", "endTime": null,
         "durationInMs": null},
        {"id": "n2", "incidentStatus": "resolved", "incidentType": "failedJob", "activityId": "pack",
         "incidentMessage": null, "createTime": "2024-03-01T11:00:00.000+0100",
         "endTime": "2024-03-01T11:00:01.000+0100", "durationInMs": 1_000},
    ]);
    let odd = json!([
        variable("big", "Long", json!(["9223372036854775808"])),
        variable("exact", "Double", json!(["NaN"])),
        variable("flag", "Boolean", json!(["maybe"])),
        variable("mixed", "String", json!(["text"])),
        variable("when", "Date", json!(["soon"])),
    ]);
    optimize.store_instances(
        "order",
        [
            instance("order", "one", json!({
                "processDefinitionVersion": "3", "processDefinitionId": "order:3:77", "businessKey": "",
                "startDate": "2024-03-01T11:00:00.000+0100", "endDate": "2024-03-01T11:01:00.000+0100",
                "dataSource": {"type": "engine", "name": "camunda-bpm"}, "tenantId": null,
                "flowNodeInstances": flow_nodes, "variables": variables, "incidents": incidents,
            })),
            instance("order", "two", json!({"variables": odd})),
        ],
    );
    let flow_node_names = [("start", Some("Order received")), ("pack", Some("Pack it"))];
    let named = definition("order", "3", None, &flow_node_names);
    optimize.store(Index::ProcessDefinition, [("order:3:77", named)]);
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    (optimize, service)
}

fn null() -> Value {
    Value::Null
}

/// The columns that don't depend on the clock.
const VARIABLES: &str = "columns=processInstanceId,businessKey,variable:*,variables:rest";

#[test]
fn csv_shows_what_is_stored_and_loses_nothing() {
    let (_optimize, service) = serve();
    let csv = text(
        &service,
        "r",
        "csv",
        "columns=process*,businessKey,startDate,duration,state,engineName,tenantId,count:*,dur:start",
    );
    assert_eq!(
        csv,
        "processDefinitionKey,processDefinitionId,processDefinitionVersion,processInstanceId,businessKey,startDate,duration,state,\
         engineName,tenantId,count:incidents,count:openIncidents,count:userTasks,dur:start\r\n\
         order,order:3:77,3,one,\"\",2024-03-01T11:00:00.000+0100,60000,COMPLETED,camunda-bpm,,2,1,2,0\r\n\
         order,order:1,1,two,,2024-03-01T10:00:00.000+0000,60000,COMPLETED,zeebe-record,,0,0,0,\r\n"
    );
    let csv = text(&service, "r", "csv", VARIABLES);
    let expected = "processInstanceId,businessKey,variable:big,variable:empty,variable:exact,variable:flag,variable:formula,\
         variable:lines,variable:list,variable:mixed,variable:nothing,variable:object,variable:when,variables:rest\r\n\
         one,\"\",9007199254740993,\"\",0.30000000000000004,true,=1+1,\"a\r\n\"\"b\"\", ü 😀\",\"1, 2\",7,,\"{\"\"x\"\":1}\",\
         2024-03-01T11:00:00.000+0100,\r\n\
         two,,,,,,,,,text,,,,\"{\"\"big\"\":[\"\"9223372036854775808\"\"],\"\"exact\"\":[\"\"NaN\"\"],\"\"flag\"\":[\"\"maybe\"\"],\
         \"\"when\"\":[\"\"soon\"\"]}\"\r\n";
    assert_eq!(csv, expected);
    let all = text(&service, "r", "csv", "");
    assert!(all.starts_with("processDefinitionKey,processDefinitionId,processDefinitionVersion,processInstanceId,businessKey,startDate,endDate,duration,state,engineName,tenantId,count:incidents,count:openIncidents,count:userTasks,dur:pack,dur:start,variable:big,"), "{all}");
}

#[test]
fn typed_formats_have_types_and_the_rest_beside_them() {
    let (_optimize, service) = serve();
    let expected = |instant: Value| {
        [
            json!({"processInstanceId": "one", "businessKey": "", "variable:big": 9_007_199_254_740_993_i64,
                "variable:empty": "", "variable:exact": 0.30000000000000004, "variable:flag": true, "variable:formula": "=1+1",
                "variable:lines": "a\r\n\"b\", ü 😀", "variable:list": null, "variable:mixed": "7", "variable:nothing": null,
                "variable:object": "{\"x\":1}", "variable:when": instant, "variables:rest": {"list": ["1", "2"]}}),
            json!({"processInstanceId": "two", "businessKey": null, "variable:big": null, "variable:empty": null,
                "variable:exact": null, "variable:flag": null, "variable:formula": null, "variable:lines": null,
                "variable:list": null, "variable:mixed": "text", "variable:nothing": null, "variable:object": null,
                "variable:when": null, "variables:rest": {"big": ["9223372036854775808"], "exact": ["NaN"], "flag": ["maybe"],
                "when": ["soon"]}}),
        ]
    };
    for format in ["parquet", "arrow"] {
        let mut rows = rows(&service, "r", format, VARIABLES);
        for row in &mut rows {
            let rest = row["variables:rest"].as_str().unwrap();
            row["variables:rest"] = serde_json::from_str(rest).unwrap();
        }
        assert_eq!(rows, expected(json!(TEN)), "{format}");
    }
    let lines = lines(&service, "r", VARIABLES);
    assert_eq!(lines, expected(json!("2024-03-01T11:00:00.000+0100")));
}

#[test]
fn ndjson_without_columns_gives_the_objects_of_json() {
    let (_optimize, service) = serve();
    assert_eq!(lines(&service, "r", ""), service.all_rows("r", 100));
}

#[test]
fn flow_nodes_are_an_event_log() {
    let (_optimize, service) = serve();
    let expected = |moment: &dyn Fn(i64, &str) -> Value| {
        let row = |changes: Value| {
            let base = json!({"processInstanceId": "one", "processDefinitionKey": "order", "processDefinitionVersion": "3",
                "tenantId": null, "flowNodeInstanceId": null, "flowNodeId": "pack", "flowNodeName": "Pack it",
                "flowNodeType": "userTask", "startDate": null, "endDate": null, "duration": null, "workDuration": null,
                "idleDuration": null, "canceled": null, "userTaskInstanceId": null, "assignee": null, "candidateGroups": [],
                "dueDate": null});
            crate::support::documents::with(base, changes)
        };
        let ten = moment(TEN, "2024-03-01T11:00:00.000+0100");
        let later = moment(TEN + 40_000, "2024-03-01T11:00:40.000+0100");
        vec![
            row(
                json!({"flowNodeInstanceId": "f1", "flowNodeId": "start", "flowNodeName": "Order received",
                "flowNodeType": "startEvent", "startDate": ten, "endDate": ten, "duration": 0, "canceled": false}),
            ),
            row(
                json!({"flowNodeInstanceId": "f2", "startDate": ten, "endDate": later, "duration": 40_000,
                "workDuration": 10_000, "idleDuration": 30_000, "canceled": true, "userTaskInstanceId": "u2",
                "assignee": "ann", "candidateGroups": ["a,b", "\"c\""],
                "dueDate": moment(TEN + 86_400_000, "2024-03-02T10:00:00.000+0000")}),
            ),
            // One that runs has the duration that is stored, if there is one.
            row(json!({"flowNodeInstanceId": "f3", "startDate": later, "duration": 2})),
        ]
    };
    for format in ["parquet", "arrow"] {
        let millis = |millis: i64, _: &str| json!(millis);
        assert_eq!(
            rows(&service, "r", format, "table=flowNodes"),
            expected(&millis),
            "{format}"
        );
    }
    let shown = |_: i64, shown: &str| json!(shown);
    assert_eq!(lines(&service, "r", "table=flowNodes"), expected(&shown));
    let csv = text(
        &service,
        "r",
        "csv",
        "table=flowNodes&columns=flowNodeId,candidateGroups,assignee",
    );
    assert_eq!(
        csv,
        "flowNodeId,candidateGroups,assignee\r\nstart,[],\r\npack,\"[\"\"a,b\"\",\"\"\\\"\"c\\\"\"\"\"]\",ann\r\npack,[],\r\n"
    );
}

#[test]
fn each_value_of_a_variable_is_a_row() {
    let (_optimize, service) = serve();
    let csv = text(&service, "r", "csv", "table=variables");
    assert_eq!(
        csv,
        "processInstanceId,name,type,position,value\r\n\
         one,big,Long,0,9007199254740993\r\n\
         one,exact,Double,0,0.30000000000000004\r\n\
         one,flag,Boolean,0,true\r\n\
         one,formula,String,0,=1+1\r\n\
         one,lines,String,0,\"a\r\n\"\"b\"\", ü 😀\"\r\n\
         one,list,Long,0,1\r\n\
         one,list,Long,1,2\r\n\
         one,mixed,Short,0,7\r\n\
         one,empty,String,0,\"\"\r\n\
         one,nothing,String,0,\r\n\
         one,object,Object,0,\"{\"\"x\"\":1}\"\r\n\
         one,when,Date,0,2024-03-01T11:00:00.000+0100\r\n\
         two,big,Long,0,9223372036854775808\r\n\
         two,exact,Double,0,NaN\r\n\
         two,flag,Boolean,0,maybe\r\n\
         two,mixed,String,0,text\r\n\
         two,when,Date,0,soon\r\n"
    );
    let of_formula = rows(&service, "r", "arrow", "table=variables");
    assert_eq!(
        of_formula[3],
        json!({"processInstanceId": "one", "name": "formula", "type": "String", "position": 0, "value": "=1+1"})
    );
}

#[test]
fn incidents_are_rows() {
    let (_optimize, service) = serve();
    let csv = text(&service, "r", "csv", "table=incidents");
    assert_eq!(
        csv,
        "processInstanceId,incidentId,incidentType,incidentStatus,flowNodeId,createTime,endTime,duration,message\r\n\
         one,n1,failedJob,open,pack,2024-03-01T11:00:00.000+0100,,,\"no, \"\"paper\"\"\"\r\n\
         one,n2,failedJob,resolved,pack,2024-03-01T11:00:00.000+0100,2024-03-01T11:00:01.000+0100,1000,\r\n"
    );
    let rows = rows(&service, "r", "parquet", "table=incidents");
    assert_eq!(rows[1]["endTime"], json!(TEN + 1_000));
    assert_eq!(rows[0]["duration"], Value::Null);
}

#[test]
fn spreadsheets_get_what_they_need() {
    let (_optimize, service) = serve();
    let query = "columns=processInstanceId,variable:formula,variable:mixed&delimiter=%3B&bom=true&formulas=text";
    assert_eq!(
        text(&service, "r", "csv", query),
        "\u{feff}processInstanceId;variable:formula;variable:mixed\r\none;'=1+1;7\r\ntwo;;text\r\n"
    );
}

#[test]
fn dates_are_in_the_zone_that_was_asked_for() {
    let (_optimize, service) = serve();
    let token = format!("Bearer {}", crate::support::TOKEN);
    let answer = service.request(
        "GET",
        "/api/public/export/report/r/result/csv?columns=startDate,variable:when",
        &[
            ("Authorization", &token),
            ("X-Optimize-Client-Timezone", "America/New_York"),
        ],
    );
    assert_eq!(
        answer.text(),
        "startDate,variable:when\r\n2024-03-01T05:00:00.000-0500,2024-03-01T11:00:00.000+0100\r\n2024-03-01T05:00:00.000-0500,\r\n"
    );
}

#[test]
fn three_hundred_variables_have_a_column_each() {
    let optimize = Optimize::install();
    let variables =
        (0..300).map(|n| variable(&format!("v{n:03}"), "Integer", json!([n.to_string()])));
    let variables: Vec<Value> = variables.collect();
    optimize.store_instances(
        "wide",
        [instance("wide", "one", json!({"variables": variables}))],
    );
    optimize.store_report(raw_report("r", "wide", json!({})));
    let service = optimize.serve();
    for format in ["parquet", "arrow"] {
        let rows = rows(&service, "r", format, "columns=variable:*");
        assert_eq!(rows.len(), 1);
        let row = rows[0].as_object().unwrap();
        assert_eq!((row.len(), &row["variable:v299"]), (300, &json!(299)));
    }
}

#[test]
fn half_a_surrogate_pair_is_replaced_where_it_can_not_be_written() {
    let optimize = Optimize::install();
    optimize.store_instances("order", [instance("order", "one", json!({}))]);
    let cut = format!("cut {HALF}");
    let document = instance(
        "order",
        "two",
        json!({"businessKey": cut, "variables": [variable("cut", "String", json!([cut]))]}),
    );
    optimize.store_spelled(
        Index::ProcessInstance { key: "order" },
        "two",
        &document,
        br"\ud83d",
    );
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = optimize.serve();
    let query = "columns=businessKey,variable:cut";
    assert_eq!(
        text(&service, "r", "csv", query),
        "businessKey,variable:cut\r\n,\r\ncut \u{fffd},cut \u{fffd}\r\n"
    );
    for format in ["parquet", "arrow"] {
        let expected = json!({"businessKey": "cut \u{fffd}", "variable:cut": "cut \u{fffd}"});
        assert_eq!(rows(&service, "r", format, query)[1], expected);
    }
    let objects = text(&service, "r", "ndjson", "");
    assert!(
        objects.contains(r#""businessKey":"cut \uD83D""#),
        "{objects}"
    );
}
