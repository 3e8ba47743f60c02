//! Definitions, tenants, variable labels and the installation's metadata.

use serde_json::{Map, Value, json};

use super::model::{
    self, Agent, DECISIONS, Decision, FlowNode, INVOICES, Kind, ORDERS, PROCESSES, Process, TENANTS,
};
use crate::indices::{Document, Index};

/// The documents about everything but instances and reports.
pub(super) fn documents() -> Vec<Document<'static>> {
    let mut documents = Vec::new();
    for process in &PROCESSES {
        for tenant in process.tenants {
            documents.extend(
                (1..=process.versions).map(|version| process_definition(process, version, *tenant)),
            );
        }
    }
    for decision in &DECISIONS {
        for tenant in [None, Some("emea"), Some("americas")] {
            documents.extend(
                (1..=decision.versions)
                    .map(|version| decision_definition(decision, version, tenant)),
            );
        }
    }
    documents.extend(TENANTS.map(|(id, name)| Document {
        index: Index::Tenant,
        id: id.to_owned(),
        source: json!({ "id": id, "name": name, "engine": "camunda-bpm" }),
    }));
    documents.push(variable_labels(
        ORDERS,
        &[
            ("amount", "Double", "Order amount"),
            ("express", "Boolean", "Express delivery"),
        ],
    ));
    documents.push(variable_labels(
        INVOICES,
        &[
            ("amount", "Double", "Invoice amount"),
            ("approved", "Boolean", "Approved?"),
        ],
    ));
    documents.push(Document {
        index: Index::Metadata,
        id: "1".to_owned(),
        source: json!({ "schemaVersion": "8.7.0", "installationId": "5a3c1e70-0000-4000-8000-0071312500b0" }),
    });
    documents
}

fn process_definition(process: &Process, version: u32, tenant: Option<&str>) -> Document<'static> {
    let nodes: Vec<&FlowNode> = process
        .flow_nodes
        .iter()
        .filter(|node| node.since <= version)
        .collect();
    let user_task_names: Map<String, Value> = nodes
        .iter()
        .filter(|node| matches!(node.kind, Kind::User(_)))
        .map(|node| (node.id.to_owned(), json!(node.name)))
        .collect();
    let agent = process.agent_of(version);
    let mut flow_node_data: Vec<Value> = nodes
        .iter()
        .map(|node| json!({ "id": node.id, "name": node.name, "type": node.kind.element() }))
        .collect();
    if let Some(agent) = agent {
        flow_node_data
            .push(json!({ "id": agent.id, "name": agent.name, "type": "adHocSubProcess" }));
        flow_node_data.extend(
            agent
                .tools
                .iter()
                .map(|(id, name)| json!({ "id": id, "name": name, "type": "serviceTask" })),
        );
    }
    let id = model::definition_id(process.key, version, tenant);
    let source = json!({
        "id": id,
        "key": process.key,
        "version": version.to_string(),
        "versionTag": (version > 1).then(|| format!("release-{version}")),
        "tenantId": tenant,
        "name": process.name,
        "dataSource": { "type": "engine", "name": "camunda-bpm" },
        "deleted": false,
        "onboarded": true,
        "bpmn20Xml": bpmn(process, &nodes, agent),
        "flowNodeData": flow_node_data,
        "userTaskNames": user_task_names,
    });
    Document {
        index: Index::ProcessDefinition,
        id,
        source,
    }
}

/// A valid BPMN model of the process, one flow node after the other.
pub(super) fn bpmn_of_latest(process_key: &str) -> String {
    PROCESSES
        .iter()
        .find(|process| process.key == process_key)
        .map(|process| {
            let nodes: Vec<&FlowNode> = process.flow_nodes.iter().collect();
            bpmn(process, &nodes, process.agent.as_ref())
        })
        .unwrap_or_default()
}

fn bpmn(process: &Process, nodes: &[&FlowNode], agent: Option<&Agent>) -> String {
    let mut xml = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" id="Definitions_{key}" targetNamespace="http://bpmn.io/schema/bpmn">
  <bpmn:process id="{key}" name="{name}" isExecutable="true">
"#,
        key = process.key,
        name = process.name,
    );
    for node in nodes {
        let name = node
            .name
            .map(|name| format!(" name=\"{name}\""))
            .unwrap_or_default();
        xml.push_str(&format!(
            "    <bpmn:{} id=\"{}\"{name} />\n",
            node.kind.element(),
            node.id
        ));
    }
    if let (Some(agent), Some(first), Some(last)) = (agent, nodes.first(), nodes.last()) {
        xml.push_str(&format!(
            "    <bpmn:adHocSubProcess id=\"{}\" name=\"{}\">\n",
            agent.id, agent.name
        ));
        for (id, name) in agent.tools {
            xml.push_str(&format!(
                "      <bpmn:serviceTask id=\"{id}\" name=\"{name}\" />\n"
            ));
        }
        xml.push_str("    </bpmn:adHocSubProcess>\n");
        for (direction, source, target) in [("In", first.id, agent.id), ("Out", agent.id, last.id)]
        {
            xml.push_str(&format!(
                "    <bpmn:sequenceFlow id=\"Flow_Agent_{direction}\" sourceRef=\"{source}\" targetRef=\"{target}\" />\n"
            ));
        }
    }
    for (number, pair) in nodes.windows(2).enumerate() {
        if let [source, target] = pair {
            xml.push_str(&format!(
                "    <bpmn:sequenceFlow id=\"Flow_{number}\" sourceRef=\"{}\" targetRef=\"{}\" />\n",
                source.id, target.id
            ));
        }
    }
    xml.push_str("  </bpmn:process>\n</bpmn:definitions>\n");
    xml
}

fn decision_definition(
    decision: &Decision,
    version: u32,
    tenant: Option<&str>,
) -> Document<'static> {
    let id = model::definition_id(decision.key, version, tenant);
    let inputs: Vec<Value> = decision
        .inputs
        .iter()
        .map(|clause| json!({ "id": clause.id, "name": clause.name, "type": clause.value_type }))
        .collect();
    let outputs: Vec<Value> = decision
        .outputs
        .iter()
        .map(|clause| json!({ "id": clause.id, "name": clause.name, "type": clause.value_type }))
        .collect();
    let source = json!({
        "id": id,
        "key": decision.key,
        "version": version.to_string(),
        "versionTag": null,
        "tenantId": tenant,
        "name": decision.name,
        "dataSource": { "type": "engine", "name": "camunda-bpm" },
        "deleted": false,
        "dmn10Xml": dmn(decision),
        "inputVariableNames": inputs,
        "outputVariableNames": outputs,
    });
    Document {
        index: Index::DecisionDefinition,
        id,
        source,
    }
}

/// A valid DMN model of the decision, without its rules.
fn dmn(decision: &Decision) -> String {
    let mut xml = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="Definitions_{key}" name="{name}" namespace="http://camunda.org/schema/1.0/dmn">
  <decision id="{key}" name="{name}">
    <decisionTable id="Table_{key}" hitPolicy="COLLECT">
"#,
        key = decision.key,
        name = decision.name,
    );
    for clause in decision.inputs {
        xml.push_str(&format!(
            "      <input id=\"{}\" label=\"{}\"><inputExpression id=\"{0}_Expression\"><text>{}</text></inputExpression></input>\n",
            clause.id, clause.name, clause.variable
        ));
    }
    for clause in decision.outputs {
        xml.push_str(&format!(
            "      <output id=\"{}\" label=\"{}\" name=\"{}\" />\n",
            clause.id, clause.name, clause.variable
        ));
    }
    xml.push_str("    </decisionTable>\n  </decision>\n</definitions>\n");
    xml
}

fn variable_labels(key: &str, labels: &[(&str, &str, &str)]) -> Document<'static> {
    let labels: Vec<Value> = labels
        .iter()
        .map(|(name, value_type, label)| json!({ "variableName": name, "variableType": value_type, "variableLabel": label }))
        .collect();
    Document {
        index: Index::VariableLabel,
        id: key.to_lowercase(),
        source: json!({ "definitionKey": key, "labels": labels }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_have_only_the_flow_nodes_of_their_version() {
        let find = |version: u32| {
            let id = model::definition_id(ORDERS, version, None);
            documents()
                .into_iter()
                .find(|document| document.id == id)
                .unwrap()
                .source
                .to_string()
        };
        assert!(!find(1).contains("DetermineDiscount"));
        assert!(find(2).contains("DetermineDiscount") && !find(2).contains("NotifyCustomer"));
        assert!(find(3).contains("NotifyCustomer"));
        assert!(find(3).contains("OrderAssistant") && !find(2).contains("OrderAssistant"));
    }

    #[test]
    fn ids_are_unique() {
        let mut seen = std::collections::HashSet::new();
        for document in documents() {
            assert!(
                seen.insert((document.index, document.id.clone())),
                "{}",
                document.id
            );
        }
    }
}
