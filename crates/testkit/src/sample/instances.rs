//! Process instances, and the decision instances that their business rule tasks evaluated.

use serde_json::{Value, json};

use super::InstanceSize;
use super::model::{
    self, CLASSIFICATION, DECISIONS, FlowNode, INVOICES, Kind, ORDERS, PROCESSES, Process, USERS,
};
use super::random::Random;
use super::time::{BASE_DATE, DAY, HOUR, MINUTE, Millis, SECOND, date};
use crate::indices::{Document, Index};

/// The kind of item for the random numbers of process instances.
const KIND: u64 = 1;
/// The same of agents.
const AGENTS: u64 = 3;

/// How long ago the oldest process instance started.
const OLDEST: Millis = 365 * DAY;

/// How long ago the oldest process instance started that still runs.
const OLDEST_RUNNING: Millis = 21 * DAY;

/// Where a process instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    Suspended,
    Completed,
    /// Cancelled by a user.
    ExternallyTerminated,
    /// Cancelled by the process itself.
    InternallyTerminated,
}

impl State {
    fn choose(random: &mut Random) -> Self {
        match random.between(1, 100) {
            ..=80 => Self::Completed,
            81..=88 => Self::Active,
            89..=91 => Self::Suspended,
            92..=97 => Self::ExternallyTerminated,
            _ => Self::InternallyTerminated,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Completed => "COMPLETED",
            Self::ExternallyTerminated => "EXTERNALLY_TERMINATED",
            Self::InternallyTerminated => "INTERNALLY_TERMINATED",
        }
    }

    fn is_running(self) -> bool {
        matches!(self, Self::Active | Self::Suspended)
    }

    fn is_cancelled(self) -> bool {
        matches!(
            self,
            Self::ExternallyTerminated | Self::InternallyTerminated
        )
    }
}

/// What the parts of one process instance have in common.
struct Instance<'a> {
    process: &'static Process,
    version: u32,
    tenant: Option<&'static str>,
    id: String,
    state: State,
    start: Millis,
    business: &'a Business,
}

/// What the process instance is about; variables and decisions agree on it.
struct Business {
    amount: String,
    customer: &'static str,
    customer_type: &'static str,
    category: &'static str,
    express: bool,
}

/// The documents of the process instance with this number: itself, and its decision instances.
pub(super) fn documents(number: u64, size: InstanceSize) -> Vec<Document<'static>> {
    let mut random = Random::of_item(KIND, number);
    let process = choose_process(&mut random);
    let tenant = random.one_of(process.tenants, None);
    // Newer versions have more process instances.
    let version = u32::try_from(
        random
            .between(1, i64::from(process.versions))
            .max(random.between(1, i64::from(process.versions))),
    )
    .unwrap_or(1);
    let state = State::choose(&mut random);
    let start = BASE_DATE
        - random.between(
            HOUR,
            if state.is_running() {
                OLDEST_RUNNING
            } else {
                OLDEST
            },
        );
    let business = Business::choose(&mut random);
    let instance = Instance {
        process,
        version,
        tenant,
        id: random.id(),
        state,
        start,
        business: &business,
    };

    let path = instance.walk(size, &mut random);
    let mut documents = vec![Document {
        index: Index::ProcessInstance { key: process.key },
        id: instance.id.clone(),
        source: instance.with_agent(number, instance.document(number, &path, &mut random)),
    }];
    for step in &path {
        if let Kind::Rule(decision) = step.node.kind {
            documents.push(instance.decision_instance(decision, step, &mut random));
        }
    }
    documents
}

fn choose_process(random: &mut Random) -> &'static Process {
    let mut rest = random.between(1, 100);
    for process in &PROCESSES {
        rest -= process.share;
        if rest <= 0 {
            return process;
        }
    }
    &PROCESSES[0]
}

impl InstanceSize {
    /// How often a process instance passes a flow node: large ones repeat their service tasks, as a loop over the items of an order would.
    fn rounds(self, node: &FlowNode) -> usize {
        match self {
            Self::TenKilobytes if node.kind == Kind::Service => 4,
            _ => 1,
        }
    }
}

/// One stay at a flow node.
struct Step {
    node: &'static FlowNode,
    id: String,
    start: Millis,
    /// `None` while the process instance is still there.
    end: Option<Millis>,
    canceled: bool,
}

impl Instance<'_> {
    /// The way through the process: all of it, or up to where the process instance is or was cancelled.
    fn walk(&self, size: InstanceSize, random: &mut Random) -> Vec<Step> {
        let nodes: Vec<&'static FlowNode> = self
            .process
            .flow_nodes
            .iter()
            .filter(|node| node.since <= self.version)
            .filter(|node| random.percent(node.chance))
            .flat_map(|node| std::iter::repeat_n(node, size.rounds(node)))
            .collect();
        let stops_early = self.state != State::Completed;
        let last = i64::try_from(nodes.len()).unwrap_or(2) - 1;
        // Neither the start nor the end event is a place to stay.
        let length = if stops_early {
            random.between(2, last.max(2))
        } else {
            last + 1
        };

        let mut steps = Vec::new();
        let mut now = self.start;
        for (index, node) in nodes
            .into_iter()
            .take(usize::try_from(length).unwrap_or(2))
            .enumerate()
        {
            let is_last = i64::try_from(index).unwrap_or(0) + 1 == length;
            let stay = random.between(node.seconds.0 * SECOND, node.seconds.1 * SECOND + 900);
            // What ran longer than the sample's "now" allows, ended just before it.
            let end = (now + stay).min(BASE_DATE - SECOND).max(now);
            steps.push(Step {
                node,
                id: random.id(),
                start: now,
                end: (!(is_last && self.state.is_running())).then_some(end),
                canceled: is_last && self.state.is_cancelled(),
            });
            now = end;
        }
        steps
    }

    fn document(&self, number: u64, path: &[Step], random: &mut Random) -> Value {
        let end = path
            .last()
            .and_then(|step| step.end)
            .filter(|_| !self.state.is_running());
        json!({
            "processInstanceId": self.id,
            "processDefinitionId": model::definition_id(self.process.key, self.version, self.tenant),
            "processDefinitionKey": self.process.key,
            "processDefinitionVersion": self.version.to_string(),
            "tenantId": self.tenant,
            "businessKey": random.percent(95).then(|| format!("{}-{number:07}", self.process.business_key)),
            "state": self.state.name(),
            "startDate": date(self.start),
            "endDate": end.map(date),
            "duration": end.map(|end| end - self.start),
            "dataSource": { "type": "engine", "name": "camunda-bpm" },
            "flowNodeInstances": path.iter().map(|step| self.flow_node_instance(step, random)).collect::<Vec<_>>(),
            "incidents": self.incidents(path, random),
            "variables": self.variables(number, random),
        })
    }

    /// Adds what the agent of the process did, if it was asked. It throws its own dice, so that everything else is as it is
    /// without agents.
    fn with_agent(&self, number: u64, mut document: Value) -> Value {
        let mut random = Random::of_item(AGENTS, number);
        let asked = self.process.agent_of(self.version);
        let Some(agent) = asked.filter(|agent| random.percent(agent.chance)) else {
            return document;
        };
        let latest_end = document
            .get("duration")
            .and_then(Value::as_i64)
            .map_or(BASE_DATE - SECOND, |duration| self.start + duration);
        let agent_flow_node = random.id();
        let (mut input, mut output) = (random.between(200, 800), random.between(20, 200));
        let mut now = self.start;
        let mut executed = Vec::new();
        let tool_calls = random.between(1, 6);
        for _ in 0..tool_calls {
            let (tool, _) = random.one_of(agent.tools, ("", ""));
            let end = (now + random.between(SECOND, 20 * SECOND)).min(latest_end);
            executed.push(self.flow_node(&random.id(), tool, "serviceTask", now, Some(end)));
            now = end;
            input += random.between(200, 4_000);
            output += random.between(20, 400);
        }
        executed.push(self.flow_node(
            &agent_flow_node,
            agent.id,
            "adHocSubProcess",
            self.start,
            Some(now),
        ));
        let model_calls = tool_calls + 1;
        let tools: Vec<Value> = agent
            .tools
            .iter()
            .map(|(id, _)| json!({ "name": id }))
            .collect();
        let agents = json!([{
            "agentInstanceId": random.id(),
            "flowNodeId": agent.id,
            "flowNodeInstanceId": agent_flow_node,
            "flowNodeInstanceIds": [agent_flow_node],
            "status": "COMPLETED",
            "startDate": date(self.start),
            "endDate": date(now),
            "lastUpdatedDate": date(now),
            "totalDurationInMs": now - self.start,
            "definition": { "model": "example-1", "provider": "example" },
            "metrics": {
                "inputTokens": input,
                "outputTokens": output,
                "modelCalls": model_calls,
                "toolCalls": tool_calls,
            },
            "tools": tools,
        }]);
        if let Some(flow_nodes) = document
            .get_mut("flowNodeInstances")
            .and_then(Value::as_array_mut)
        {
            flow_nodes.extend(executed);
        }
        if let Some(members) = document.as_object_mut() {
            members.insert("agentInstances".to_owned(), agents);
            for (name, total) in [
                ("agentTotalInputTokens", input),
                ("agentTotalOutputTokens", output),
                ("agentTotalModelCalls", model_calls),
                ("agentTotalToolCalls", tool_calls),
                ("agentTotalTokens", input + output),
            ] {
                members.insert(name.to_owned(), json!(total));
            }
        }
        document
    }

    fn flow_node_instance(&self, step: &Step, random: &mut Random) -> Value {
        let kind = step.node.kind.type_in_instances();
        let mut document = self.flow_node(&step.id, step.node.id, kind, step.start, step.end);
        if let Some(members) = document.as_object_mut() {
            members.insert("canceled".to_owned(), json!(step.canceled));
        }
        if let Kind::User(group) = step.node.kind
            && let (Some(members), Value::Object(user_task)) =
                (document.as_object_mut(), user_task(step, group, random))
        {
            members.extend(user_task);
        }
        document
    }

    /// A flow node instance that nobody had to care for.
    fn flow_node(
        &self,
        id: &str,
        flow_node: &str,
        kind: &str,
        start: Millis,
        end: Option<Millis>,
    ) -> Value {
        json!({
            "flowNodeInstanceId": id,
            "flowNodeId": flow_node,
            "flowNodeType": kind,
            "processInstanceId": self.id,
            "startDate": date(start),
            "endDate": end.map(date),
            "totalDurationInMs": end.map(|end| end - start),
            "canceled": false,
            "definitionKey": self.process.key,
            "definitionVersion": self.version.to_string(),
            "tenantId": self.tenant,
            "userTaskInstanceId": null,
            "dueDate": null,
            "deleteReason": null,
            "assignee": null,
            "candidateGroups": [],
            "assigneeOperations": [],
            "candidateGroupOperations": [],
            "idleDurationInMs": null,
            "workDurationInMs": null,
        })
    }

    /// Some service tasks fail. Only what runs can have an open incident, only what ended can have one that was deleted with it.
    fn incidents(&self, path: &[Step], random: &mut Random) -> Vec<Value> {
        let mut incidents = Vec::new();
        for step in path.iter().filter(|step| step.node.kind == Kind::Service) {
            let is_here = step.end.is_none();
            if !random.percent(if is_here { 60 } else { 5 }) {
                continue;
            }
            let create_time = step.start + random.between(0, SECOND);
            let status = match step.end {
                None if random.percent(75) => "open",
                Some(_) if step.canceled => "deleted",
                _ => "resolved",
            };
            let latest_end = step.end.unwrap_or(BASE_DATE);
            let end_time = (status != "open")
                .then(|| random.between(create_time, latest_end.max(create_time)));
            incidents.push(json!({
                "id": random.id(),
                "incidentType": random.one_of(&["failedJob", "failedJob", "failedExternalTask"], "failedJob"),
                "incidentStatus": status,
                "incidentMessage": random.one_of(&["Connection refused", "Read timed out", "Unexpected answer: 500"], ""),
                "createTime": date(create_time),
                "endTime": end_time.map(date),
                "durationInMs": end_time.map(|end_time| end_time - create_time),
                "activityId": step.node.id,
                "failedActivityId": step.node.id,
                "definitionKey": self.process.key,
                "definitionVersion": self.version.to_string(),
                "tenantId": self.tenant,
            }));
        }
        incidents
    }

    fn variables(&self, number: u64, random: &mut Random) -> Vec<Value> {
        let business = self.business;
        let mut variables = Variables {
            random,
            list: Vec::new(),
        };
        variables.add("customer", "String", [business.customer]);
        variables.add("customerType", "String", [business.customer_type]);
        variables.add("amount", "Double", [business.amount.as_str()]);
        match self.process.key {
            ORDERS => self.order_variables(number, &mut variables),
            INVOICES => self.invoice_variables(number, &mut variables),
            _ => self.onboarding_variables(number, &mut variables),
        }
        variables.list
    }

    fn order_variables(&self, number: u64, variables: &mut Variables<'_>) {
        let business = self.business;
        variables.add(
            "orderNumber",
            "Long",
            [format!("{}", 4_000_000_000 + number)],
        );
        variables.add("express", "Boolean", [business.express.to_string()]);
        let items = variables.random.between(1, 12);
        variables.add("items", "Short", [items.to_string()]);
        let priority = variables.random.between(1, 5);
        variables.add("priority", "Integer", [priority.to_string()]);
        let promised = self.start + variables.random.between(2, 10) * DAY;
        variables.add("deliveryDate", "Date", [date(promised)]);
        if variables.random.percent(30) {
            variables.add("couponCode", "String", [format!("SAVE{priority}0")]);
        } else {
            variables.add_null("couponCode", "String");
        }
        variables.add_list(
            "tags",
            &["fragile", "gift", "bulky", "returns", "loyal customer"],
        );
        let address = json!({ "city": variables.random.one_of(&["Berlin", "Boston", "Lyon"], ""), "floors": priority });
        variables.add_object("address", &address);
        variables.add(
            "payload",
            "JSON",
            [json!({ "source": "shop", "items": items }).to_string()],
        );
    }

    fn invoice_variables(&self, number: u64, variables: &mut Variables<'_>) {
        variables.add(
            "invoiceNumber",
            "String",
            [format!("{}-{number}", self.start / DAY)],
        );
        variables.add("category", "String", [self.business.category]);
        let approved = variables.random.percent(85);
        variables.add("approved", "Boolean", [approved.to_string()]);
        let pages = variables.random.between(1, 40);
        variables.add("pages", "Integer", [pages.to_string()]);
        let due = self.start + variables.random.between(7, 30) * DAY;
        variables.add("dueDate", "Date", [date(due)]);
        let creditor = json!({ "name": self.business.customer, "rating": pages % 7, "since": date(BASE_DATE - pages * 100 * DAY) });
        variables.add_object("creditor", &creditor);
        if !approved {
            variables.add(
                "rejectionReason",
                "String",
                ["Amount differs from the order"],
            );
        }
    }

    fn onboarding_variables(&self, number: u64, variables: &mut Variables<'_>) {
        variables.add("applicationNumber", "String", [format!("A-{number}")]);
        let age = variables.random.between(18, 90);
        variables.add("age", "Integer", [age.to_string()]);
        let score = variables.random.between(0, 1_000);
        variables.add("score", "Integer", [score.to_string()]);
        let risk = if score < 300 { "high" } else { "low" };
        variables.add("risk", "String", [risk]);
        let birthday = BASE_DATE - age * 365 * DAY;
        variables.add("birthday", "Date", [date(birthday)]);
        variables.add("premiumInCent", "Long", [(score * 25).to_string()]);
        if score % 9 == 0 {
            variables.add_null("referrer", "String");
        }
    }

    fn decision_instance(
        &self,
        decision_key: &'static str,
        step: &Step,
        random: &mut Random,
    ) -> Document<'static> {
        let id = random.id();
        let versions = DECISIONS
            .iter()
            .find(|decision| decision.key == decision_key)
            .map_or(1, |decision| decision.versions);
        let version = self.version.min(versions);
        let evaluation = match decision_key {
            CLASSIFICATION => Evaluation::of_invoice(self.business),
            _ => Evaluation::of_order(self.business, self.start),
        };
        let source = json!({
            "decisionInstanceId": id,
            "decisionDefinitionId": model::definition_id(decision_key, version, self.tenant),
            "decisionDefinitionKey": decision_key,
            "decisionDefinitionVersion": version.to_string(),
            "tenantId": self.tenant,
            "engine": "camunda-bpm",
            "evaluationDateTime": date(step.start),
            "processInstanceId": self.id,
            "rootProcessInstanceId": self.id,
            "processDefinitionId": model::definition_id(self.process.key, self.version, self.tenant),
            "processDefinitionKey": self.process.key,
            "activityId": step.node.id,
            "rootDecisionInstanceId": null,
            "collectResultValue": null,
            "inputs": evaluation.inputs(decision_key, random),
            "outputs": evaluation.outputs(decision_key, random),
            "matchedRules": evaluation.rules.iter().map(|(rule, _)| *rule).collect::<Vec<_>>(),
        });
        Document {
            index: Index::DecisionInstance { key: decision_key },
            id,
            source,
        }
    }
}

/// What a user task has beyond other flow nodes.
fn user_task(step: &Step, group: &str, random: &mut Random) -> Value {
    let latest = step.end.unwrap_or(BASE_DATE);
    let was_claimed = step.end.is_some_and(|_| !step.canceled) || random.percent(50);
    let claimed = was_claimed.then(|| step.start + random.between(0, (latest - step.start).max(0)));
    let assignee = random.one_of(&USERS, "demo");
    let first_assignee = random
        .percent(15)
        .then(|| random.one_of(&USERS, "demo"))
        .filter(|first| *first != assignee);

    let mut assignee_operations = Vec::new();
    if let Some(claimed) = claimed {
        let mut operation = |user: &str, kind: &str| {
            assignee_operations.push(json!({
                "id": random.id(), "userId": user, "operationType": kind, "timestamp": date(claimed),
            }));
        };
        if let Some(first) = first_assignee {
            operation(first, "add");
            operation(first, "delete");
        }
        operation(assignee, "add");
    }
    let also_management = group != "management" && random.percent(10);
    let groups: Vec<&str> = if also_management {
        vec![group, "management"]
    } else {
        vec![group]
    };
    let group_operations: Vec<Value> = groups
        .iter()
        .map(|group| json!({ "id": random.id(), "groupId": group, "operationType": "add", "timestamp": date(step.start) }))
        .collect();

    json!({
        "userTaskInstanceId": random.id(),
        "assignee": claimed.map(|_| assignee),
        "candidateGroups": groups,
        "assigneeOperations": assignee_operations,
        "candidateGroupOperations": group_operations,
        "dueDate": random.percent(50).then(|| date(step.start + random.between(1, 72) * HOUR + MINUTE)),
        "deleteReason": step.end.map(|_| if step.canceled { "deleted" } else { "completed" }),
        "idleDurationInMs": claimed.map(|claimed| claimed - step.start),
        "workDurationInMs": claimed.zip(step.end).map(|(claimed, end)| end - claimed),
    })
}

impl Business {
    fn choose(random: &mut Random) -> Self {
        // The square makes small amounts frequent and large ones rare.
        let root = random.between(10, 316);
        let customers = [
            "Acme",
            "Bolt & Sons",
            "Café Müller",
            "Dunder Mifflin",
            "Globex",
            "Initech",
            "Umbrella",
        ];
        Self {
            amount: format!("{}.{}", root * root / 10, random.between(0, 99)),
            customer: random.one_of(&customers, "Acme"),
            customer_type: random.one_of(&["business", "private", "public sector"], "private"),
            category: random.one_of(
                &["Travel Expenses", "Misc", "Software License Costs"],
                "Misc",
            ),
            express: random.percent(25),
        }
    }

    fn whole_amount(&self) -> i64 {
        self.amount
            .split('.')
            .next()
            .and_then(|whole| whole.parse().ok())
            .unwrap_or(0)
    }
}

/// Collects the variables of one process instance.
struct Variables<'a> {
    random: &'a mut Random,
    list: Vec<Value>,
}

impl Variables<'_> {
    fn add<T: Into<String>>(
        &mut self,
        name: &str,
        value_type: &str,
        values: impl IntoIterator<Item = T>,
    ) {
        let id = self.random.id();
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        self.list.push(
            json!({ "id": id, "name": name, "type": value_type, "value": values, "version": 1 }),
        );
    }

    fn add_null(&mut self, name: &str, value_type: &str) {
        let id = self.random.id();
        self.list.push(
            json!({ "id": id, "name": name, "type": value_type, "value": null, "version": 1 }),
        );
    }

    /// A list has its size beside it.
    fn add_list(&mut self, name: &str, choices: &[&str]) {
        let chosen: Vec<&str> = choices
            .iter()
            .copied()
            .filter(|_| self.random.percent(35))
            .collect();
        let size = chosen.len().to_string();
        self.add(name, "String", chosen);
        self.add(&format!("{name}._listSize"), "Long", [size]);
    }

    /// An object is stored as a whole, and each of its members as a variable of its own.
    fn add_object(&mut self, name: &str, object: &Value) {
        let id = self.random.id();
        let text = serde_json::to_string_pretty(object).unwrap_or_default();
        self.list.push(
            json!({ "id": id, "name": name, "type": "Object", "value": [text], "version": 2 }),
        );
        for (member, value) in object.as_object().into_iter().flatten() {
            let (value_type, text) = match value {
                Value::Number(number) => ("Double", format!("{number}.0")),
                Value::String(text) if text.ends_with("+0000") => ("Date", text.clone()),
                Value::String(text) => ("String", text.clone()),
                other => ("String", other.to_string()),
            };
            self.list.push(json!({
                "id": format!("{id}_{member}"), "name": format!("{name}.{member}"), "type": value_type, "value": [text], "version": 2,
            }));
        }
    }
}

/// What a decision made of a process instance.
struct Evaluation {
    /// One value per input clause; `None` is null.
    values: Vec<Option<String>>,
    /// The rules that matched, each with one value per output clause.
    rules: Vec<(&'static str, [String; 2])>,
}

impl Evaluation {
    /// Every rule that matches grants a discount; none may match.
    fn of_order(business: &Business, start: Millis) -> Self {
        let mut rules = Vec::new();
        let mut grant = |rule, percent: i64, reason: &str| {
            rules.push((rule, [percent.to_string(), reason.to_owned()]))
        };
        if business.whole_amount() >= 2_500 {
            grant("DecisionRule_LargeOrder", 5, "large order");
        }
        if business.customer_type == "business" {
            grant("DecisionRule_Business", 3, "business customer");
        }
        if business.customer == "Acme" {
            grant("DecisionRule_FramePartner", 10, "frame agreement");
        }
        let customer_type =
            (business.customer_type != "public sector").then(|| business.customer_type.to_owned());
        let values = vec![
            Some(business.amount.clone()),
            customer_type,
            Some(business.express.to_string()),
            Some(date(start)),
        ];
        Self { values, rules }
    }

    /// The first rule that matches decides.
    fn of_invoice(business: &Business) -> Self {
        let (rule, class, audit) = match (business.category, business.whole_amount()) {
            ("Travel Expenses", _) => ("DecisionRule_Travel", "day-to-day expense", false),
            (_, ..250) => ("DecisionRule_Small", "day-to-day expense", false),
            (_, ..2_500) => ("DecisionRule_Medium", "budget", false),
            _ => ("DecisionRule_Large", "exceptional", true),
        };
        Self {
            values: vec![
                Some(business.amount.clone()),
                Some(business.category.to_owned()),
            ],
            rules: vec![(rule, [class.to_owned(), audit.to_string()])],
        }
    }

    fn inputs(&self, decision_key: &str, random: &mut Random) -> Vec<Value> {
        let clauses = DECISIONS
            .iter()
            .find(|decision| decision.key == decision_key)
            .map_or(&[][..], |decision| decision.inputs);
        clauses
            .iter()
            .zip(&self.values)
            .map(|(clause, value)| {
                json!({ "id": random.id(), "clauseId": clause.id, "clauseName": clause.name, "type": clause.value_type, "value": value })
            })
            .collect()
    }

    fn outputs(&self, decision_key: &str, random: &mut Random) -> Vec<Value> {
        let clauses = DECISIONS
            .iter()
            .find(|decision| decision.key == decision_key)
            .map_or(&[][..], |decision| decision.outputs);
        let mut outputs = Vec::new();
        for (order, (rule, values)) in self.rules.iter().enumerate() {
            for (clause, value) in clauses.iter().zip(values) {
                outputs.push(json!({
                    "id": random.id(),
                    "clauseId": clause.id,
                    "clauseName": clause.name,
                    "type": clause.value_type,
                    "value": value,
                    "ruleId": rule,
                    "ruleOrder": order + 1,
                    "variableName": clause.variable,
                }));
            }
        }
        outputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::model::DISCOUNT;

    fn first_thousand() -> Vec<Document<'static>> {
        (0..1_000)
            .flat_map(|number| documents(number, InstanceSize::Small))
            .collect()
    }

    #[test]
    fn every_state_process_and_decision_occurs() {
        let documents = first_thousand();
        let occurs = |member: &str, value: &str| {
            documents
                .iter()
                .any(|document| document.source.get(member) == Some(&json!(value)))
        };
        for state in [
            "ACTIVE",
            "SUSPENDED",
            "COMPLETED",
            "EXTERNALLY_TERMINATED",
            "INTERNALLY_TERMINATED",
        ] {
            assert!(occurs("state", state), "{state}");
        }
        for process in &PROCESSES {
            assert!(
                occurs("processDefinitionKey", process.key),
                "{}",
                process.key
            );
        }
        for key in [DISCOUNT, CLASSIFICATION] {
            assert!(occurs("decisionDefinitionKey", key), "{key}");
        }
    }

    #[test]
    fn every_variable_type_and_incident_status_occurs() {
        let text: String = first_thousand()
            .iter()
            .map(|document| document.source.to_string())
            .collect();
        for value_type in [
            "String", "Short", "Integer", "Long", "Double", "Boolean", "Date", "Object", "JSON",
        ] {
            assert!(
                text.contains(&format!("\"type\":\"{value_type}\"")),
                "{value_type}"
            );
        }
        for status in ["open", "resolved", "deleted"] {
            assert!(
                text.contains(&format!("\"incidentStatus\":\"{status}\"")),
                "{status}"
            );
        }
    }

    #[test]
    fn some_orders_have_an_agent_whose_totals_add_up() {
        let documents = first_thousand();
        let agents: Vec<_> = documents
            .iter()
            .filter_map(|document| Some((document, document.source.get("agentInstances")?)))
            .collect();
        assert!((50..200).contains(&agents.len()), "{}", agents.len());
        for (document, agents) in agents {
            let total = |name: &str| document.source.get(name).and_then(Value::as_i64);
            let metric = |name: &str| {
                agents
                    .pointer(&format!("/0/metrics/{name}"))
                    .and_then(Value::as_i64)
            };
            assert_eq!(total("agentTotalToolCalls"), metric("toolCalls"));
            let sum = metric("inputTokens").zip(metric("outputTokens"));
            assert_eq!(
                total("agentTotalTokens"),
                sum.map(|(input, output)| input + output)
            );
        }
    }

    #[test]
    fn nothing_ends_before_it_starts_or_after_the_base_date() {
        for document in first_thousand() {
            let duration = document.source.get("duration").and_then(Value::as_i64);
            assert!(
                duration.is_none_or(|duration| duration >= 0),
                "{document:?}"
            );
            let end = document
                .source
                .get("endDate")
                .and_then(Value::as_str)
                .unwrap_or_default();
            assert!(end <= date(BASE_DATE).as_str(), "{document:?}");
        }
    }

    #[test]
    fn large_instances_have_about_ten_kilobytes() {
        let sizes: Vec<usize> = (0..200)
            .filter_map(|number| {
                documents(number, InstanceSize::TenKilobytes)
                    .first()
                    .map(|document| document.source.to_string().len())
            })
            .collect();
        let average = sizes.iter().sum::<usize>() / sizes.len();
        assert!((9_000..11_000).contains(&average), "{average}");
    }
}
