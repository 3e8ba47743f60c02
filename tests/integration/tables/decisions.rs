//! The tables of raw data on decisions.

use serde_json::{Value, json};
use testkit::indices::Index;

use super::{lines, rows, text};
use crate::support::documents::{
    decision, decision_definition, decision_report, input, output, with,
};
use crate::support::{Optimize, Service};

fn serve() -> (Optimize, Service) {
    let optimize = Optimize::install();
    let two_rules = |value: &str, rule: &str, order: i64| {
        with(
            output("audit", "String", json!(value)),
            json!({"ruleId": rule, "ruleOrder": order, "variableName": "audits"}),
        )
    };
    optimize.store_decisions(
        "invoice",
        [
            decision("invoice", "one", json!({
                "evaluationDateTime": "2024-03-01T11:00:00.000+0100", "processInstanceId": "p1", "tenantId": null,
                "inputs": [input("amount", "Double", json!("12.5")), input("kind", "String", json!(""))],
                "outputs": [two_rules("a", "r1", 1), two_rules("b", "r2", 2), output("score", "Long", json!("5"))],
            })),
            decision("invoice", "two", json!({
                "inputs": [input("amount", "Double", json!("many")), input("kind", "String", Value::Null)],
                "outputs": [output("score", "Long", json!("1")), output("score", "Long", json!("2"))],
            })),
        ],
    );
    let clauses = [
        ("amount", Some("Amount"), "Double"),
        ("kind", Some("Kind"), "String"),
    ];
    let results = [
        ("audit", Some("Audit"), "String"),
        ("score", Some("Score"), "Long"),
        ("never", None, "Boolean"),
    ];
    let named = decision_definition("invoice", "1", None, &clauses, &results);
    optimize.store(Index::DecisionDefinition, [("invoice:1", named)]);
    let sorting =
        json!({"configuration": {"sorting": {"by": "decisionInstanceId", "order": "asc"}}});
    optimize.store_report(decision_report("r", "invoice", sorting));
    let service = optimize.serve();
    (optimize, service)
}

#[test]
fn instances_have_a_column_for_each_clause() {
    let (_optimize, service) = serve();
    let query = "columns=decisionInstanceId,processInstanceId,input:*,output:*,variables:rest";
    assert_eq!(
        text(&service, "r", "csv", query),
        "decisionInstanceId,processInstanceId,input:amount,input:kind,output:audit,output:never,output:score,variables:rest\r\n\
         one,p1,12.5,\"\",\"a, b\",,5,\r\n\
         two,,,,,,\"1, 2\",\"{\"\"amount\"\":\"\"many\"\"}\"\r\n"
    );
    for format in ["parquet", "arrow"] {
        let rows = rows(&service, "r", format, query);
        assert_eq!(
            rows[0],
            json!({"decisionInstanceId": "one", "processInstanceId": "p1", "input:amount": 12.5, "input:kind": "",
                "output:audit": "a, b", "output:never": null, "output:score": 5, "variables:rest": null})
        );
        let rest: Value =
            serde_json::from_str(rows[1]["variables:rest"].as_str().unwrap()).unwrap();
        assert_eq!(rest["amount"], "many");
        assert_eq!(rows[1]["output:score"], Value::Null);
    }
    let all = text(&service, "r", "csv", "");
    assert!(
        all.starts_with(
            "decisionDefinitionKey,decisionDefinitionId,decisionInstanceId,processInstanceId,evaluationDateTime,engineName,\
             tenantId,input:amount,"
        ),
        "{all}"
    );
    assert_eq!(lines(&service, "r", ""), service.all_rows("r", 100));
}

#[test]
fn values_of_clauses_are_rows() {
    let (_optimize, service) = serve();
    assert_eq!(
        text(&service, "r", "csv", "table=inputs"),
        "decisionInstanceId,clauseId,clauseName,type,position,value\r\n\
         one,amount,amount name,Double,0,12.5\r\n\
         one,kind,kind name,String,0,\"\"\r\n\
         two,amount,amount name,Double,0,many\r\n\
         two,kind,kind name,String,0,\r\n"
    );
    assert_eq!(
        text(&service, "r", "csv", "table=outputs"),
        "decisionInstanceId,clauseId,clauseName,type,position,value,ruleId,ruleOrder,variableName\r\n\
         one,audit,audit name,String,0,a,r1,1,audits\r\n\
         one,audit,audit name,String,1,b,r2,2,audits\r\n\
         one,score,score name,Long,0,5,rule,1,score\r\n\
         two,score,score name,Long,0,1,rule,1,score\r\n\
         two,score,score name,Long,1,2,rule,1,score\r\n"
    );
    let outputs = rows(&service, "r", "parquet", "table=outputs");
    assert_eq!(
        (&outputs[1]["ruleOrder"], &outputs[1]["position"]),
        (&json!(2), &json!(1))
    );
}
