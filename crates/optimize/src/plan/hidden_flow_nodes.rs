//! Flow nodes that a heat map does not show: those inside of collapsed subprocesses.
//!
//! Source: crates/optimize/docs/groups.md, "Hidden flow nodes" (`CollapsedSubprocessNodesService`).

use std::collections::HashSet;

use roxmltree::{Document, Node};

/// Elements that can be collapsed.
const SUBPROCESSES: [&str; 3] = ["subProcess", "transaction", "adHocSubProcess"];

/// Ids of the elements directly inside of subprocesses whose shape is not expanded; none where the text is no XML.
///
/// A subprocess inside of a collapsed one has a shape of its own that decides for it.
pub fn hidden_flow_nodes(bpmn: &str) -> HashSet<String> {
    let Ok(document) = Document::parse(bpmn) else {
        return HashSet::new();
    };
    let shapes = document
        .descendants()
        .filter(|node| is_named(node, &["BPMNShape"]));
    let collapsed: HashSet<&str> = shapes
        .filter(|shape| shape.attribute("isExpanded") != Some("true"))
        .filter_map(|shape| shape.attribute("bpmnElement"))
        .collect();
    document
        .descendants()
        .filter(|node| is_named(node, &SUBPROCESSES))
        .filter(|node| {
            node.attribute("id")
                .is_some_and(|id| collapsed.contains(id))
        })
        .flat_map(|subprocess| subprocess.children())
        .filter_map(|child| child.attribute("id").map(str::to_owned))
        .collect()
}

fn is_named(node: &Node<'_, '_>, names: &[&str]) -> bool {
    node.is_element() && names.contains(&node.tag_name().name())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BPMN: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI">
  <bpmn:process id="p">
    <bpmn:startEvent id="start" />
    <bpmn:subProcess id="collapsed"><bpmn:userTask id="hidden" />
      <bpmn:subProcess id="nested"><bpmn:userTask id="shown" /></bpmn:subProcess>
    </bpmn:subProcess>
    <bpmn:subProcess id="expanded"><bpmn:userTask id="open" /></bpmn:subProcess>
    <bpmn:subProcess id="undrawn"><bpmn:userTask id="unknown" /></bpmn:subProcess>
  </bpmn:process>
  <bpmndi:BPMNDiagram id="d"><bpmndi:BPMNPlane id="l" bpmnElement="p">
    <bpmndi:BPMNShape id="s1" bpmnElement="collapsed" />
    <bpmndi:BPMNShape id="s2" bpmnElement="nested" isExpanded="true" />
    <bpmndi:BPMNShape id="s3" bpmnElement="expanded" isExpanded="true" />
    <bpmndi:BPMNShape id="s4" bpmnElement="start" />
  </bpmndi:BPMNPlane></bpmndi:BPMNDiagram>
</bpmn:definitions>"#;

    #[test]
    fn children_of_collapsed_subprocesses_are_hidden() {
        let mut hidden: Vec<String> = hidden_flow_nodes(BPMN).into_iter().collect();
        hidden.sort();
        assert_eq!(hidden, ["hidden", "nested"]);
    }

    #[test]
    fn what_is_no_model_hides_nothing() {
        assert!(hidden_flow_nodes("not XML").is_empty());
        assert!(hidden_flow_nodes("<definitions/>").is_empty());
    }
}
