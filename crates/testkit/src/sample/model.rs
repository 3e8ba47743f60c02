//! The processes, decisions and tenants of the sample installation, as tables.

/// The key of the order process. Its upper-case letters are there on purpose: index names are lower-cased.
pub const ORDERS: &str = "OrderHandling";
/// The key of the onboarding process.
pub(super) const ONBOARDING: &str = "customer-onboarding";
/// The key of the invoice process.
pub(super) const INVOICES: &str = "invoice-processing";

/// The key of the decision that grants discounts.
pub const DISCOUNT: &str = "order-discount";
/// The key of the decision that classifies invoices.
pub(super) const CLASSIFICATION: &str = "invoice-classification";

/// The tenants, with their names.
pub(super) const TENANTS: [(&str, &str); 2] = [
    ("emea", "Europe, Middle East and Africa"),
    ("americas", "The Americas"),
];

/// The assignees.
pub(super) const USERS: [&str; 6] = ["anna", "demo", "john", "mary", "peter", "sofia"];

/// A process.
#[derive(Debug)]
pub(super) struct Process {
    pub key: &'static str,
    pub name: &'static str,
    /// The number of its versions; they are named from 1.
    pub versions: u32,
    /// The tenants for which it is deployed; `None` is no tenant.
    pub tenants: &'static [Option<&'static str>],
    /// How many of a hundred process instances are its.
    pub share: i64,
    /// What starts its business keys.
    pub business_key: &'static str,
    /// Its flow nodes, in the order in which a process instance passes them.
    pub flow_nodes: &'static [FlowNode],
    /// The agent that works beside them.
    pub agent: Option<Agent>,
}

impl Process {
    /// The agent of a version.
    pub fn agent_of(&self, version: u32) -> Option<&Agent> {
        self.agent.as_ref().filter(|agent| agent.since <= version)
    }
}

/// An agent, which is an ad-hoc sub-process with its tools.
#[derive(Debug)]
pub(super) struct Agent {
    pub id: &'static str,
    pub name: &'static str,
    /// The first version that has it.
    pub since: u32,
    /// How many of a hundred process instances ask it.
    pub chance: i64,
    /// Service tasks, by id and name.
    pub tools: &'static [(&'static str, &'static str)],
}

/// A flow node.
#[derive(Debug)]
pub(super) struct FlowNode {
    pub id: &'static str,
    /// `None` for an element without a name, as many gateways are.
    pub name: Option<&'static str>,
    pub kind: Kind,
    /// The first version that has it.
    pub since: u32,
    /// How many of a hundred process instances pass it.
    pub chance: i64,
    /// The shortest and the longest stay, in seconds.
    pub seconds: (i64, i64),
}

/// The kind of a flow node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Start,
    Gateway,
    Service,
    Send,
    /// A user task, with its candidate group.
    User(&'static str),
    /// A business rule task, with the key of its decision.
    Rule(&'static str),
    CallActivity,
    End,
}

impl Kind {
    /// The name of the BPMN element, which is also the type in a definition.
    pub fn element(self) -> &'static str {
        match self {
            Self::Start => "startEvent",
            Self::Gateway => "exclusiveGateway",
            Self::Service => "serviceTask",
            Self::Send => "sendTask",
            Self::User(_) => "userTask",
            Self::Rule(_) => "businessRuleTask",
            Self::CallActivity => "callActivity",
            Self::End => "endEvent",
        }
    }

    /// The type in a process instance, where the engine has names of its own for some events.
    pub fn type_in_instances(self) -> &'static str {
        match self {
            Self::End => "noneEndEvent",
            other => other.element(),
        }
    }
}

const fn node(
    id: &'static str,
    name: &'static str,
    kind: Kind,
    chance: i64,
    seconds: (i64, i64),
) -> FlowNode {
    FlowNode {
        id,
        name: Some(name),
        kind,
        since: 1,
        chance,
        seconds,
    }
}

const fn gateway(id: &'static str) -> FlowNode {
    FlowNode {
        id,
        name: None,
        kind: Kind::Gateway,
        since: 1,
        chance: 100,
        seconds: (0, 0),
    }
}

const fn since(version: u32, node: FlowNode) -> FlowNode {
    FlowNode {
        since: version,
        ..node
    }
}

const NO_TENANT_AND_BOTH: &[Option<&str>] = &[None, Some("emea"), Some("americas")];

/// The processes.
pub(super) const PROCESSES: [Process; 3] = [
    Process {
        key: ORDERS,
        name: "Order handling",
        versions: 3,
        tenants: NO_TENANT_AND_BOTH,
        share: 50,
        business_key: "ORD",
        flow_nodes: &[
            node("OrderReceived", "Order received", Kind::Start, 100, (0, 0)),
            node("CheckStock", "Check stock", Kind::Service, 100, (1, 30)),
            gateway("Gateway_InStock"),
            since(
                2,
                node(
                    "DetermineDiscount",
                    "Determine discount",
                    Kind::Rule(DISCOUNT),
                    100,
                    (0, 2),
                ),
            ),
            node(
                "ApproveOrder",
                "Approve order",
                Kind::User("sales"),
                40,
                (600, 172_800),
            ),
            node(
                "PickGoods",
                "Pick goods",
                Kind::User("warehouse"),
                97,
                (1_800, 86_400),
            ),
            node("ShipGoods", "Ship goods", Kind::Service, 97, (60, 7_200)),
            since(
                3,
                node("NotifyCustomer", "Notify customer", Kind::Send, 90, (1, 5)),
            ),
            node("OrderClosed", "Order closed", Kind::End, 100, (0, 0)),
        ],
        agent: Some(Agent {
            id: "OrderAssistant",
            name: "Order assistant",
            since: 3,
            chance: 50,
            tools: &[
                ("LookUpCustomer", "Look up customer"),
                ("SearchStock", "Search stock"),
                ("QuoteDelivery", "Quote delivery"),
            ],
        }),
    },
    Process {
        key: ONBOARDING,
        name: "Customer onboarding",
        versions: 2,
        tenants: &[None, Some("emea")],
        share: 20,
        business_key: "CUS",
        flow_nodes: &[
            node(
                "ApplicationReceived",
                "Application received",
                Kind::Start,
                100,
                (0, 0),
            ),
            node(
                "GetCreditScore",
                "Get credit score",
                Kind::Service,
                100,
                (2, 120),
            ),
            gateway("Gateway_Risk"),
            node(
                "RequestDocuments",
                "Request documents",
                Kind::CallActivity,
                35,
                (3_600, 604_800),
            ),
            node(
                "DecideOnApplication",
                "Decide on application",
                Kind::User("onboarding"),
                80,
                (900, 259_200),
            ),
            since(
                2,
                node(
                    "SecondOpinion",
                    "Give a second opinion",
                    Kind::User("management"),
                    25,
                    (1_800, 432_000),
                ),
            ),
            node(
                "CreateAccount",
                "Create account",
                Kind::Service,
                85,
                (1, 20),
            ),
            node(
                "SendWelcomeMail",
                "Send welcome mail",
                Kind::Send,
                85,
                (1, 10),
            ),
            node(
                "ApplicationClosed",
                "Application closed",
                Kind::End,
                100,
                (0, 0),
            ),
        ],
        agent: None,
    },
    Process {
        key: INVOICES,
        name: "Invoice processing",
        versions: 3,
        tenants: NO_TENANT_AND_BOTH,
        share: 30,
        business_key: "INV",
        flow_nodes: &[
            node(
                "InvoiceReceived",
                "Invoice received",
                Kind::Start,
                100,
                (0, 0),
            ),
            node("ScanInvoice", "Scan invoice", Kind::Service, 100, (5, 300)),
            node(
                "ClassifyInvoice",
                "Classify invoice",
                Kind::Rule(CLASSIFICATION),
                100,
                (0, 2),
            ),
            node(
                "AssignReviewer",
                "Assign reviewer",
                Kind::User("accounting"),
                60,
                (300, 43_200),
            ),
            since(
                2,
                node(
                    "ReviewInvoice",
                    "Review invoice",
                    Kind::User("accounting"),
                    30,
                    (1_800, 172_800),
                ),
            ),
            node(
                "ApproveInvoice",
                "Approve invoice",
                Kind::User("management"),
                90,
                (600, 345_600),
            ),
            gateway("Gateway_Approved"),
            since(
                3,
                node(
                    "CheckDuplicate",
                    "Check for a duplicate",
                    Kind::Service,
                    100,
                    (1, 60),
                ),
            ),
            node("PayInvoice", "Pay invoice", Kind::Service, 88, (10, 3_600)),
            node(
                "InvoiceProcessed",
                "Invoice processed",
                Kind::End,
                100,
                (0, 0),
            ),
        ],
        agent: None,
    },
];

/// A decision.
#[derive(Debug)]
pub(super) struct Decision {
    pub key: &'static str,
    pub name: &'static str,
    /// The number of its versions; they are named from 1.
    pub versions: u32,
    pub inputs: &'static [Clause],
    pub outputs: &'static [Clause],
}

/// An input or an output of a decision.
#[derive(Debug)]
pub(super) struct Clause {
    pub id: &'static str,
    pub name: &'static str,
    /// The type, as Optimize spells it.
    pub value_type: &'static str,
    /// The name of an output's variable.
    pub variable: &'static str,
}

const fn clause(
    id: &'static str,
    name: &'static str,
    value_type: &'static str,
    variable: &'static str,
) -> Clause {
    Clause {
        id,
        name,
        value_type,
        variable,
    }
}

/// The decisions.
pub(super) const DECISIONS: [Decision; 2] = [
    Decision {
        key: DISCOUNT,
        name: "Order discount",
        versions: 2,
        inputs: &[
            clause("InputClause_Amount", "Order amount", "Double", "amount"),
            clause(
                "InputClause_Customer",
                "Customer type",
                "String",
                "customerType",
            ),
            clause("InputClause_Express", "Express", "Boolean", "express"),
            clause("InputClause_OrderDate", "Order date", "Date", "orderDate"),
        ],
        outputs: &[
            clause(
                "OutputClause_Percent",
                "Discount in percent",
                "Integer",
                "discount",
            ),
            clause("OutputClause_Reason", "Reason", "String", "reason"),
        ],
    },
    Decision {
        key: CLASSIFICATION,
        name: "Invoice classification",
        versions: 1,
        inputs: &[
            clause(
                "InputClause_InvoiceAmount",
                "Invoice amount",
                "Double",
                "amount",
            ),
            clause(
                "InputClause_Category",
                "Invoice category",
                "String",
                "category",
            ),
        ],
        outputs: &[
            clause(
                "OutputClause_Class",
                "Classification",
                "String",
                "classification",
            ),
            clause("OutputClause_Audit", "Audit", "Boolean", "audit"),
        ],
    },
];

/// The id of one version of a definition. Each tenant has definitions of its own.
pub(super) fn definition_id(key: &str, version: u32, tenant: Option<&str>) -> String {
    format!("{key}:{version}:{}", tenant.unwrap_or("shared"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_to_a_hundred() {
        assert_eq!(
            PROCESSES.iter().map(|process| process.share).sum::<i64>(),
            100
        );
    }

    #[test]
    fn every_process_starts_and_ends() {
        for process in &PROCESSES {
            let kinds = (
                process.flow_nodes.first().map(|node| node.kind),
                process.flow_nodes.last().map(|node| node.kind),
            );
            assert_eq!(
                kinds,
                (Some(Kind::Start), Some(Kind::End)),
                "{}",
                process.key
            );
        }
    }
}
