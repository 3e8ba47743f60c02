//! Ad-hoc sub-processes of a model, and the tools that an agent can call in them.
//!
//! Source: crates/optimize/docs/plans.md, "Tool calls per flow node"
//! (`BpmnModelUtil.extractAdHocSubProcessChildElementIds`: children that a sequence flow leads to are steps behind a tool, and no
//! tools; of two ad-hoc sub-processes in each other the inner one is none, `ProcessGroupByFlowNodeInterpreterHelper`).

use std::collections::HashSet;

use roxmltree::{Document, Node};

/// The element of BPMN.
const AD_HOC_SUB_PROCESS: &str = "adHocSubProcess";

/// Flow nodes that can be tools, beside everything that ends like the second list.
const ACTIVITIES: [&str; 4] = ["callActivity", "subProcess", "transaction", "task"];
const FLOW_NODE_ENDINGS: [&str; 3] = ["Task", "Event", "Gateway"];

/// The ad-hoc sub-processes of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdHocSubProcesses {
    ids: HashSet<String>,
    tools: HashSet<String>,
}

impl AdHocSubProcesses {
    /// Those of a BPMN text; none where it is no XML.
    ///
    /// Any other flow node among the children can be a tool, plain sub-processes and boundary events too.
    pub fn of(bpmn: &str) -> Self {
        let Ok(document) = Document::parse(bpmn) else {
            return Self::default();
        };
        let elements = || document.descendants().filter(Node::is_element);
        let mut found = Self::default();
        for ad_hoc in elements().filter(|node| node.tag_name().name() == AD_HOC_SUB_PROCESS) {
            found.ids.extend(ad_hoc.attribute("id").map(str::to_owned));
            let tools = ad_hoc.children().filter(is_flow_node);
            let tools = tools.filter(|node| !has_incoming(node));
            let ids = tools.filter_map(|tool| tool.attribute("id"));
            found.tools.extend(ids.map(str::to_owned));
        }
        found.tools.retain(|id| !found.ids.contains(id));
        found
    }

    /// Whether this flow node is one of them.
    pub fn contain(&self, flow_node_id: &str) -> bool {
        self.ids.contains(flow_node_id)
    }

    /// Whether this flow node is a tool in one of them.
    pub fn have_tool(&self, flow_node_id: &str) -> bool {
        self.tools.contains(flow_node_id)
    }

    /// Whether there is any tool.
    pub fn have_tools(&self) -> bool {
        !self.tools.is_empty()
    }
}

fn is_flow_node(node: &Node<'_, '_>) -> bool {
    let name = node.tag_name().name();
    let ends = |ending: &&str| name.ends_with(ending);
    node.is_element()
        && (ACTIVITIES.contains(&name)
            || name == AD_HOC_SUB_PROCESS
            || FLOW_NODE_ENDINGS.iter().any(ends))
}

/// Models tell twice which flows lead to an element: in the flow, and in the element. Optimize asks the element alone
/// (`FlowNode.getIncoming`); editors write both.
fn has_incoming(node: &Node<'_, '_>) -> bool {
    node.children()
        .any(|child| child.is_element() && child.tag_name().name() == "incoming")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[&str]) -> HashSet<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tools_are_where_an_ad_hoc_sub_process_can_begin() {
        let found = AdHocSubProcesses::of(
            r#"<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"><bpmn:process id="p">
              <bpmn:serviceTask id="outside" />
              <bpmn:adHocSubProcess id="agent" name="Agent">
                <bpmn:extensionElements id="x" /><bpmn:incoming>Flow_0</bpmn:incoming>
                <bpmn:serviceTask id="search"><bpmn:outgoing>Flow_1</bpmn:outgoing></bpmn:serviceTask>
                <bpmn:userTask id="ask" />
                <bpmn:task id="behind"><bpmn:incoming>Flow_1</bpmn:incoming></bpmn:task>
                <bpmn:exclusiveGateway id="targetThatDoesNotSaySo" />
                <bpmn:sequenceFlow id="Flow_1" sourceRef="search" targetRef="behind" />
                <bpmn:sequenceFlow id="Flow_2" sourceRef="ask" targetRef="targetThatDoesNotSaySo" />
                <bpmn:boundaryEvent id="boundary" attachedToRef="search" />
                <bpmn:textAnnotation id="note" />
                <bpmn:adHocSubProcess id="inner"><bpmn:scriptTask id="deep" /></bpmn:adHocSubProcess>
                <bpmn:subProcess id="plain"><bpmn:scriptTask id="hidden" /></bpmn:subProcess>
              </bpmn:adHocSubProcess>
            </bpmn:process></bpmn:definitions>"#,
        );
        assert_eq!(found.ids, set(&["agent", "inner"]));
        let tools = [
            "search",
            "ask",
            "targetThatDoesNotSaySo",
            "boundary",
            "deep",
            "plain",
        ];
        assert_eq!(found.tools, set(&tools));
        assert!(found.have_tools() && found.contain("inner") && !found.contain("plain"));
    }

    #[test]
    fn other_models_have_none() {
        for text in ["no XML", "<process><serviceTask id=\"a\"/></process>"] {
            assert_eq!(AdHocSubProcesses::of(text), AdHocSubProcesses::default());
        }
        let empty = AdHocSubProcesses::of("<adHocSubProcess id=\"a\"/>");
        assert!(empty.contain("a") && !empty.have_tools());
    }
}
