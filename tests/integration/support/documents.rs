//! Documents as Optimize stores them, with what matters to a test in place of the rest.

use serde_json::{Value, json};

/// `base` with the members of `changes` put over it.
pub fn with(mut base: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

/// A completed process instance that took one minute, without flow nodes, variables and incidents.
pub fn instance(key: &str, id: &str, changes: Value) -> Value {
    let base = json!({
        "processDefinitionKey": key,
        "processDefinitionVersion": "1",
        "processDefinitionId": format!("{key}:1"),
        "processInstanceId": id,
        "businessKey": null,
        "startDate": "2024-03-01T10:00:00.000+0000",
        "endDate": "2024-03-01T10:01:00.000+0000",
        "duration": 60_000,
        "state": "COMPLETED",
        "dataSource": {"type": "zeebe", "name": "zeebe-record"},
        "tenantId": null,
        "flowNodeInstances": [],
        "variables": [],
        "incidents": [],
    });
    with(base, changes)
}

/// A process definition with flow node names.
pub fn definition(
    key: &str,
    version: &str,
    tenant_id: Option<&str>,
    flow_nodes: &[(&str, Option<&str>)],
) -> Value {
    let flow_node_data: Vec<Value> = flow_nodes
        .iter()
        .map(|(id, name)| json!({"id": id, "name": name, "type": "serviceTask"}))
        .collect();
    json!({
        "id": format!("{key}:{version}"),
        "key": key,
        "version": version,
        "versionTag": null,
        "name": format!("{key} name"),
        "dataSource": {"type": "zeebe", "name": "zeebe-record"},
        "tenantId": tenant_id,
        "deleted": false,
        "bpmn20Xml": "<definitions/>",
        "onboarded": true,
        "flowNodeData": flow_node_data,
        "userTaskNames": {},
    })
}

/// An entry of a report's definitions: all versions, no tenant.
pub fn selection(key: &str) -> Value {
    json!({"identifier": key, "key": key, "name": null, "displayName": null, "versions": ["all"], "tenantIds": [null]})
}

/// A process report with this `data`.
pub fn report(id: &str, data: Value) -> Value {
    json!({
        "id": id,
        "name": format!("Report {id}"),
        "description": null,
        "lastModified": "2024-03-01T10:00:00.000+0000",
        "created": "2024-03-01T10:00:00.000+0000",
        "owner": "demo",
        "lastModifier": "demo",
        "collectionId": null,
        "combined": false,
        "reportType": "process",
        "data": data,
    })
}

/// A raw data report on all versions of one process; `changes` go over its `data`.
pub fn raw_report(id: &str, key: &str, changes: Value) -> Value {
    let data = json!({
        "configuration": {"sorting": {"by": "processInstanceId", "order": "asc"}},
        "definitions": [selection(key)],
        "filter": [],
        "view": {"entity": null, "properties": ["rawData"]},
        "groupBy": {"type": "none", "value": null},
        "distributedBy": {"type": "none", "value": null},
        "visualization": "table",
        "managementReport": false,
        "instantPreviewReport": false,
    });
    report(id, with(data, changes))
}

/// `count` instances `i-000`, `i-001`, …
pub fn instances(key: &str, count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| instance(key, &format!("i-{number:03}"), json!({})))
        .collect()
}

/// A decision instance of version 1 without inputs, outputs and matched rules.
pub fn decision(key: &str, id: &str, changes: Value) -> Value {
    let base = json!({
        "decisionInstanceId": id,
        "processDefinitionId": null,
        "processDefinitionKey": null,
        "decisionDefinitionId": format!("{key}:1"),
        "decisionDefinitionKey": key,
        "decisionDefinitionVersion": "1",
        "evaluationDateTime": "2024-03-01T10:00:00.000+0000",
        "processInstanceId": null,
        "rootProcessInstanceId": null,
        "activityId": null,
        "collectResultValue": null,
        "rootDecisionInstanceId": null,
        "inputs": [],
        "outputs": [],
        "matchedRules": [],
        "engine": "camunda-bpm",
        "tenantId": null,
    });
    with(base, changes)
}

/// An input of a decision instance.
pub fn input(clause_id: &str, variable_type: &str, value: Value) -> Value {
    json!({"id": format!("i-{clause_id}"), "clauseId": clause_id, "clauseName": format!("{clause_id} name"),
        "type": variable_type, "value": value})
}

/// An output of a decision instance.
pub fn output(clause_id: &str, variable_type: &str, value: Value) -> Value {
    with(
        input(clause_id, variable_type, value),
        json!({"ruleId": "rule", "ruleOrder": 1, "variableName": clause_id}),
    )
}

/// A decision definition whose clauses are told as id, name and type.
pub fn decision_definition(
    key: &str,
    version: &str,
    tenant_id: Option<&str>,
    inputs: &[(&str, Option<&str>, &str)],
    outputs: &[(&str, Option<&str>, &str)],
) -> Value {
    let clauses = |list: &[(&str, Option<&str>, &str)]| -> Vec<Value> {
        let clause = |(id, name, variable_type): &(&str, Option<&str>, &str)| json!({"id": id, "name": name, "type": variable_type});
        list.iter().map(clause).collect()
    };
    json!({
        "id": format!("{key}:{version}"),
        "key": key,
        "version": version,
        "versionTag": null,
        "name": format!("{key} name"),
        "dataSource": {"type": "engine", "name": "camunda-bpm"},
        "tenantId": tenant_id,
        "deleted": false,
        "dmn10Xml": "<definitions/>",
        "inputVariableNames": clauses(inputs),
        "outputVariableNames": clauses(outputs),
    })
}

/// A raw data report on all versions of one decision; `changes` go over its `data`.
pub fn decision_report(id: &str, key: &str, changes: Value) -> Value {
    let data = json!({
        "configuration": {},
        "definitions": [selection(key)],
        "filter": [],
        "view": {"properties": ["rawData"]},
        "groupBy": {"type": "none", "value": null},
        "distributedBy": {"type": "none", "value": null},
        "visualization": "table",
    });
    let report = report(id, with(data, changes));
    with(report, json!({"reportType": "decision"}))
}
