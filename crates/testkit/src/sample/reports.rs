//! The stored reports, at least one of every kind. Their ids say what they are about, so that one can type them.

use serde_json::{Value, json};

use super::definitions::bpmn_of_latest;
use super::model::{CLASSIFICATION, DISCOUNT, INVOICES, ONBOARDING, ORDERS};
use super::time::{BASE_DATE, DAY, date};
use crate::indices::{Document, Index};

/// A definition as a report refers to it.
fn definition(key: &str, name: &str, versions: &[&str], tenants: &[Option<&str>]) -> Value {
    json!({
        "identifier": format!("definition-{}", key.to_lowercase()),
        "key": key,
        "name": name,
        "displayName": null,
        "versions": versions,
        "tenantIds": tenants,
    })
}

const EVERY_TENANT: &[Option<&str>] = &[None, Some("emea"), Some("americas")];

fn orders() -> Value {
    definition(ORDERS, "Order handling", &["all"], EVERY_TENANT)
}

fn onboarding() -> Value {
    definition(ONBOARDING, "Customer onboarding", &["all"], EVERY_TENANT)
}

fn invoices() -> Value {
    definition(INVOICES, "Invoice processing", &["all"], EVERY_TENANT)
}

fn discount() -> Value {
    definition(DISCOUNT, "Order discount", &["all"], EVERY_TENANT)
}

fn classification() -> Value {
    definition(
        CLASSIFICATION,
        "Invoice classification",
        &["all"],
        EVERY_TENANT,
    )
}

/// A report while it is put together. It begins with everything that Optimize stores by default.
struct Report {
    index: Index<'static>,
    id: &'static str,
    name: &'static str,
    data: Value,
}

impl Report {
    fn process(
        id: &'static str,
        name: &'static str,
        definitions: impl IntoIterator<Item = Value>,
    ) -> Self {
        let definitions: Vec<Value> = definitions.into_iter().collect();
        let data = json!({
            "configuration": default_configuration(),
            "definitions": definitions,
            "filter": [],
            "view": { "entity": null, "properties": ["rawData"] },
            "groupBy": { "type": "none", "value": null },
            "distributedBy": { "type": "none", "value": null },
            "visualization": "table",
            "managementReport": false,
            "instantPreviewReport": false,
            "userTaskReport": false,
        });
        let report = Self {
            index: Index::SingleProcessReport,
            id,
            name,
            data,
        };
        match report
            .data
            .pointer("/definitions/0/key")
            .and_then(Value::as_str)
            .map(bpmn_of_latest)
        {
            Some(xml) => report.configure("xml", json!(xml)),
            None => report,
        }
    }

    fn decision(id: &'static str, name: &'static str, definition: Value) -> Self {
        let data = json!({
            "configuration": default_configuration(),
            "definitions": [definition],
            "filter": [],
            "view": { "properties": ["rawData"] },
            "groupBy": { "type": "none", "value": null },
            "distributedBy": { "type": "none", "value": null },
            "visualization": "table",
        });
        Self {
            index: Index::SingleDecisionReport,
            id,
            name,
            data,
        }
    }

    fn with(mut self, member: &str, value: Value) -> Self {
        if let Some(data) = self.data.as_object_mut() {
            data.insert(member.to_owned(), value);
        }
        self
    }

    fn configure(mut self, member: &str, value: Value) -> Self {
        if let Some(configuration) = self
            .data
            .pointer_mut("/configuration")
            .and_then(Value::as_object_mut)
        {
            configuration.insert(member.to_owned(), value);
        }
        self
    }

    fn view(self, entity: &str, property: &str) -> Self {
        let is_user_task = entity == "userTask";
        self.with(
            "view",
            json!({ "entity": entity, "properties": [property] }),
        )
        .with("userTaskReport", json!(is_user_task))
    }

    fn count(self) -> Self {
        self.with("view", json!({ "properties": ["frequency"] }))
    }

    fn group_by(self, group: &str, value: Value) -> Self {
        self.with("groupBy", json!({ "type": group, "value": value }))
            .visualized_as("bar")
    }

    fn distributed_by(self, distribution: &str, value: Value) -> Self {
        self.with(
            "distributedBy",
            json!({ "type": distribution, "value": value }),
        )
    }

    fn visualized_as(self, visualization: &str) -> Self {
        self.with("visualization", json!(visualization))
    }

    fn number(self) -> Self {
        self.visualized_as("number")
    }

    fn sorted_by(self, by: &str, order: &str) -> Self {
        self.configure("sorting", json!({ "by": by, "order": order }))
    }

    fn aggregated(self, aggregations: Value) -> Self {
        self.configure("aggregationTypes", aggregations)
    }

    /// A filter on process instances (`instance`) or on what the view shows (`view`).
    fn filter(self, level: &str, kind: &str, data: Value) -> Self {
        self.push_filter(
            json!({ "type": kind, "data": data, "filterLevel": level, "appliedTo": ["all"] }),
        )
    }

    /// A filter of a decision report, which knows no levels.
    fn decision_filter(self, kind: &str, data: Value) -> Self {
        self.push_filter(json!({ "type": kind, "data": data, "appliedTo": ["all"] }))
    }

    fn push_filter(mut self, filter: Value) -> Self {
        if let Some(filters) = self
            .data
            .pointer_mut("/filter")
            .and_then(Value::as_array_mut)
        {
            filters.push(filter);
        }
        self
    }

    fn document(self) -> Document<'static> {
        let report_type = if self.index == Index::SingleDecisionReport {
            "decision"
        } else {
            "process"
        };
        let source = json!({
            "id": self.id,
            "name": self.name,
            "description": null,
            "lastModified": date(BASE_DATE),
            "created": date(BASE_DATE - 30 * DAY),
            "owner": "demo",
            "lastModifier": "demo",
            "collectionId": null,
            "data": self.data,
            "combined": self.index == Index::CombinedReport,
            "reportType": report_type,
        });
        Document {
            index: self.index,
            id: self.id.to_owned(),
            source,
        }
    }
}

/// The configuration of a report in which nobody has changed anything.
fn default_configuration() -> Value {
    let bucket = json!({ "active": false, "bucketSize": "10.0", "bucketSizeUnit": null, "baseline": "0.0", "baselineUnit": null });
    json!({
        "color": "#1991c8",
        "aggregationTypes": [{ "type": "avg", "value": null }],
        "userTaskDurationTimes": ["total"],
        "showInstanceCount": false,
        "pointMarkers": true,
        "precision": null,
        "hideRelativeValue": false,
        "hideAbsoluteValue": false,
        "alwaysShowRelative": false,
        "alwaysShowAbsolute": false,
        "showGradientBars": true,
        "xml": null,
        "tableColumns": { "includeNewVariables": true, "excludedColumns": [], "includedColumns": [], "columnOrder": [] },
        "targetValue": {
            "active": false,
            "isKpi": null,
            "countChart": { "isBelow": false, "value": "100" },
            "countProgress": { "baseline": "0", "target": "100", "isBelow": false },
            "durationChart": { "unit": "hours", "isBelow": false, "value": "2" },
            "durationProgress": {
                "baseline": { "unit": "hours", "value": "0" },
                "target": { "unit": "hours", "value": "2", "isBelow": false },
            },
        },
        "heatmapTargetValue": { "active": false, "values": {} },
        "groupByDateVariableUnit": "automatic",
        "distributeByDateVariableUnit": "automatic",
        "customBucket": bucket,
        "distributeByCustomBucket": bucket,
        "sorting": null,
        "processPart": null,
        "measureVisualizations": { "frequency": "bar", "duration": "line" },
        "stackedBar": false,
        "horizontalBar": false,
        "logScale": false,
        "yLabel": "",
        "xLabel": "",
    })
}

/// An active custom bucket.
fn bucket(size: &str, unit: Option<&str>) -> Value {
    json!({ "active": true, "bucketSize": size, "bucketSizeUnit": unit, "baseline": "0.0", "baselineUnit": unit })
}

fn unit(unit: &str) -> Value {
    json!({ "unit": unit })
}

fn variable(name: &str, value_type: &str) -> Value {
    json!({ "name": name, "type": value_type })
}

/// All stored reports.
pub(super) fn documents() -> Vec<Document<'static>> {
    let families = [
        raw_data(),
        process_instances(),
        flow_nodes(),
        user_tasks(),
        incidents_and_variables(),
        decisions(),
        agents_and_automation(),
        special(),
    ];
    families
        .into_iter()
        .flatten()
        .map(Report::document)
        .collect()
}

fn raw_data() -> Vec<Report> {
    let excluded = json!({
        "includeNewVariables": true,
        "excludedColumns": ["businessKey", "variable:payload", "variable:tags._listSize"],
        "includedColumns": ["processInstanceId", "startDate", "endDate", "variable:amount"],
        "columnOrder": ["startDate", "endDate"],
    });
    vec![
        Report::process("raw-orders", "All orders", [orders()]),
        Report::process("raw-orders-sorted-by-amount", "Orders, the largest first", [orders()]).sorted_by("variable:amount", "desc"),
        Report::process("raw-orders-some-columns", "Orders, some columns", [orders()]).configure("tableColumns", excluded),
        Report::process("raw-orders-latest-version", "Orders of the latest version", [definition(ORDERS, "Order handling", &["latest"], EVERY_TENANT)]),
        Report::process("raw-orders-emea", "Orders of one tenant", [definition(ORDERS, "Order handling", &["all"], &[Some("emea")])]),
        Report::process("raw-orders-large-and-express", "Large express orders", [orders()])
            .filter("instance", "variable", json!({ "type": "Double", "name": "amount", "data": { "operator": ">=", "values": ["1000"] } }))
            .filter("instance", "variable", json!({ "type": "Boolean", "name": "express", "data": { "values": [true] } })),
        Report::process("raw-orders-without-coupon", "Orders without a coupon", [orders()])
            .filter("instance", "variable", json!({ "type": "String", "name": "couponCode", "data": { "operator": "in", "values": [null] } })),
        Report::process("raw-invoices-sorted-by-start-date", "Invoices, the newest first", [invoices()]).sorted_by("startDate", "desc"),
        Report::process("raw-invoices-running", "Invoices still in process", [invoices()]).filter("instance", "runningInstancesOnly", Value::Null),
        Report::process("raw-invoices-cancelled", "Cancelled invoices", [invoices()]).filter("instance", "canceledInstancesOnly", Value::Null),
        Report::process("raw-invoices-with-open-incidents", "Invoices with open incidents", [invoices()]).filter("instance", "includesOpenIncident", Value::Null),
        Report::process("raw-onboarding-of-one-month", "Customers who applied in March", [onboarding()]).filter(
            "instance",
            "instanceStartDate",
            json!({
                "type": "fixed",
                "start": "2025-03-01T00:00:00.000+0000",
                "end": "2025-03-31T23:59:59.999+0000",
                "includeUndefined": false,
                "excludeUndefined": false,
            }),
        ),
        Report::process("raw-onboarding-slow", "Customers who waited for more than five days", [onboarding()])
            .filter("instance", "processInstanceDuration", json!({ "value": 5, "unit": "days", "operator": ">", "includeNull": false })),
        Report::process("raw-all-processes-sorted-by-duration", "All processes, the slowest first", [orders(), onboarding(), invoices()]).sorted_by("duration", "desc"),
    ]
}

fn process_instances() -> Vec<Report> {
    let count = |id, name, definition| {
        Report::process(id, name, [definition]).view("processInstance", "frequency")
    };
    let duration = |id, name, definition| {
        Report::process(id, name, [definition]).view("processInstance", "duration")
    };
    vec![
        count("orders-count", "Number of orders", orders()).number(),
        count("orders-by-start-date-per-month", "Orders by month", orders()).group_by("startDate", unit("month")),
        count("orders-by-start-date-automatic", "Orders over time", orders()).group_by("startDate", unit("automatic")),
        count("invoices-by-end-date-per-week", "Processed invoices by week", invoices()).group_by("endDate", unit("week")),
        count("orders-by-running-date-per-month", "Orders in process by month", orders()).group_by("runningDate", unit("month")),
        count("orders-by-customer", "Orders by customer", orders()).group_by("variable", variable("customer", "String")),
        count("orders-by-amount", "Orders by amount", orders()).group_by("variable", variable("amount", "Double")).configure("customBucket", bucket("500.0", None)),
        count("orders-by-delivery-date-per-month", "Orders by month of delivery", orders())
            .group_by("variable", variable("deliveryDate", "Date"))
            .configure("groupByDateVariableUnit", json!("month")),
        count("orders-by-month-and-customer-type", "Orders by month and customer type", orders())
            .group_by("startDate", unit("month"))
            .distributed_by("variable", variable("customerType", "String")),
        count("onboarding-by-duration", "Customers by waiting time", onboarding()).group_by("duration", Value::Null).configure("customBucket", bucket("1.0", Some("day"))),
        count("orders-without-incident-percentage", "Share of orders without incident", orders())
            .view("processInstance", "percentage")
            .number()
            .filter("instance", "doesNotIncludeIncident", Value::Null),
        Report::process("all-processes-count-by-process", "Instances by process", [orders(), onboarding(), invoices()])
            .view("processInstance", "frequency")
            .visualized_as("bar")
            .distributed_by("process", Value::Null),
        duration("orders-duration", "Time to handle an order", orders()).number(),
        duration("invoices-duration-percentiles", "Time to process an invoice: median and 95 %", invoices())
            .number()
            .aggregated(json!([{ "type": "percentile", "value": 50.0 }, { "type": "percentile", "value": 95.0 }])),
        duration("onboarding-duration-by-month", "Waiting time by month", onboarding()).group_by("startDate", unit("month")).visualized_as("line"),
        duration("invoices-duration-by-category", "Time to process an invoice by category", invoices())
            .group_by("variable", variable("category", "String"))
            .aggregated(json!([{ "type": "max", "value": null }])),
        duration("orders-duration-from-picking-to-shipping", "Time from picking to shipping", orders())
            .number()
            .configure("processPart", json!({ "start": "PickGoods", "end": "ShipGoods" })),
        duration("orders-duration-from-picking-to-shipping-by-month", "Time from picking to shipping by month", orders())
            .group_by("startDate", unit("month"))
            .configure("processPart", json!({ "start": "PickGoods", "end": "ShipGoods" })),
    ]
}

fn flow_nodes() -> Vec<Report> {
    let report = |id, name, definition, property| {
        Report::process(id, name, [definition]).view("flowNode", property)
    };
    vec![
        report(
            "orders-flow-nodes",
            "Executions by flow node",
            orders(),
            "frequency",
        )
        .group_by("flowNodes", Value::Null)
        .visualized_as("heat"),
        report(
            "orders-flow-nodes-running",
            "Where orders are now",
            orders(),
            "frequency",
        )
        .group_by("flowNodes", Value::Null)
        .filter("view", "runningFlowNodesOnly", Value::Null),
        report(
            "orders-flow-node-durations",
            "Duration by flow node",
            orders(),
            "duration",
        )
        .group_by("flowNodes", Value::Null)
        .visualized_as("heat")
        .sorted_by("value", "desc"),
        report(
            "invoices-flow-nodes-by-start-date",
            "Executions by month and flow node",
            invoices(),
            "frequency",
        )
        .group_by("startDate", unit("month"))
        .distributed_by("flowNode", Value::Null),
        report(
            "orders-flow-nodes-by-express",
            "Executions by express and flow node",
            orders(),
            "frequency",
        )
        .group_by("variable", variable("express", "Boolean"))
        .distributed_by("flowNode", Value::Null),
        report(
            "invoices-flow-nodes-by-duration",
            "Executions by their duration",
            invoices(),
            "frequency",
        )
        .group_by("duration", Value::Null)
        .configure("customBucket", bucket("4.0", Some("hour"))),
    ]
}

fn user_tasks() -> Vec<Report> {
    let report = |id, name, definition, property| {
        Report::process(id, name, [definition]).view("userTask", property)
    };
    vec![
        report(
            "invoices-user-tasks",
            "Work by user task",
            invoices(),
            "frequency",
        )
        .group_by("userTasks", Value::Null),
        report(
            "invoices-user-tasks-by-assignee",
            "Work by assignee",
            invoices(),
            "frequency",
        )
        .group_by("assignee", Value::Null),
        report(
            "orders-user-tasks-by-candidate-group",
            "Work by candidate group and user task",
            orders(),
            "frequency",
        )
        .group_by("candidateGroup", Value::Null)
        .distributed_by("userTask", Value::Null),
        report(
            "invoices-idle-time-by-user-task",
            "Idle time by user task",
            invoices(),
            "duration",
        )
        .group_by("userTasks", Value::Null)
        .configure("userTaskDurationTimes", json!(["idle"])),
        report(
            "invoices-work-time-by-user-task-and-assignee",
            "Work time by user task and assignee",
            invoices(),
            "duration",
        )
        .group_by("userTasks", Value::Null)
        .distributed_by("assignee", Value::Null)
        .configure("userTaskDurationTimes", json!(["work"])),
        report(
            "onboarding-user-tasks-by-end-date",
            "Finished work by month",
            onboarding(),
            "frequency",
        )
        .group_by("endDate", unit("month")),
        report(
            "invoices-user-tasks-of-anna",
            "Anna's work by user task",
            invoices(),
            "frequency",
        )
        .group_by("userTasks", Value::Null)
        .filter(
            "view",
            "assignee",
            json!({ "operator": "in", "values": ["anna"] }),
        ),
    ]
}

fn incidents_and_variables() -> Vec<Report> {
    let variable_view = |id, name, definition, name_of_variable: &str, value_type: &str| {
        Report::process(id, name, [definition])
            .with("view", json!({ "entity": "variable", "properties": [variable(name_of_variable, value_type)] }))
            .number()
    };
    vec![
        Report::process("orders-incidents", "Number of incidents", [orders()])
            .view("incident", "frequency")
            .number(),
        Report::process(
            "orders-incidents-by-flow-node",
            "Incidents by flow node",
            [orders()],
        )
        .view("incident", "frequency")
        .group_by("flowNodes", Value::Null),
        Report::process(
            "invoices-incident-duration",
            "Time to resolve an incident",
            [invoices()],
        )
        .view("incident", "duration")
        .number()
        .filter("view", "includesResolvedIncident", Value::Null),
        variable_view(
            "orders-average-amount",
            "Average order amount",
            orders(),
            "amount",
            "Double",
        ),
        variable_view(
            "orders-total-items",
            "Items ordered",
            orders(),
            "items",
            "Short",
        )
        .aggregated(json!([{ "type": "sum", "value": null }])),
    ]
}

fn decisions() -> Vec<Report> {
    let clause = |id: &str, name: &str, value_type: &str| json!({ "id": id, "name": name, "type": value_type });
    vec![
        Report::decision("raw-discounts", "All discount decisions", discount()),
        Report::decision("raw-invoice-classifications-sorted-by-date", "Invoice classifications, the newest first", classification()).sorted_by("evaluationDateTime", "desc"),
        Report::decision("raw-discounts-of-large-orders", "Discount decisions on large orders", discount()).decision_filter(
            "inputVariable",
            json!({ "type": "Double", "name": "InputClause_Amount", "data": { "operator": ">", "values": ["5000"] } }),
        ),
        Report::decision("discounts-count", "Number of discount decisions", discount()).count().number(),
        Report::decision("discounts-by-evaluation-date", "Discount decisions by month", discount()).count().group_by("evaluationDateTime", unit("month")),
        Report::decision("discounts-by-customer-type", "Discount decisions by customer type", discount())
            .count()
            .group_by("inputVariable", clause("InputClause_Customer", "Customer type", "String")),
        Report::decision("invoice-classifications-by-class", "Invoices by class", classification())
            .count()
            .group_by("outputVariable", clause("OutputClause_Class", "Classification", "String")),
        Report::decision("discounts-by-matched-rule", "Discount decisions by rule", discount()).count().group_by("matchedRule", Value::Null),
    ]
}

/// What 8.10 adds, some of it as its own dashboards ask for it: about all definitions, which the report does not name.
fn agents_and_automation() -> Vec<Report> {
    let by_process = |id, name, entity, property| {
        Report::process(id, name, [])
            .view(entity, property)
            .group_by("processDefinitionKey", Value::Null)
            .sorted_by("value", "desc")
            .filter("instance", "completedInstancesOnly", Value::Null)
            .with("businessValueReport", json!(true))
    };
    let on_agents = |id, name, entity, property| {
        Report::process(id, name, [])
            .view(entity, property)
            .filter("instance", "completedInstancesOnly", Value::Null)
            .filter("instance", "hasAgentInstances", Value::Null)
            .with("agenticControlReport", json!(true))
    };
    let sum = || json!([{ "type": "sum", "value": null }]);
    vec![
        Report::process(
            "orders-automation-rate",
            "Share of automated tasks",
            [orders()],
        )
        .view("processInstance", "automationRate")
        .number(),
        Report::process("orders-agent-tokens", "Tokens per order", [orders()])
            .view("agentInstance", "totalTokens")
            .number(),
        Report::process(
            "orders-agent-output-tokens-by-month",
            "Tokens of answers by month",
            [orders()],
        )
        .view("agentInstance", "outputTokens")
        .group_by("startDate", unit("month"))
        .aggregated(sum()),
        Report::process("orders-tool-calls", "Calls of tools", [orders()])
            .view("flowNode", "toolCalls")
            .group_by("flowNodes", Value::Null)
            .visualized_as("heat")
            .aggregated(sum()),
        by_process(
            "business-value-count-by-process",
            "Business value: processes by volume",
            "processInstance",
            "frequency",
        ),
        by_process(
            "business-value-automation-by-process",
            "Business value: processes by automation",
            "processInstance",
            "automationRate",
        ),
        by_process(
            "business-value-agents-by-process",
            "Business value: processes with agents",
            "agentInstance",
            "totalTokens",
        )
        .filter("instance", "hasAgentInstances", Value::Null)
        .aggregated(sum()),
        on_agents(
            "agentic-incident-rate",
            "Agents: share of instances with incidents",
            "processInstance",
            "percentage",
        )
        .filter("instance", "includesResolvedIncident", Value::Null)
        .number(),
        on_agents(
            "agentic-incident-rate-by-version",
            "Agents: share of instances with incidents by version",
            "processInstance",
            "percentage",
        )
        .filter("instance", "includesResolvedIncident", Value::Null)
        .group_by("processDefinitionVersion", Value::Null),
        on_agents(
            "agentic-tokens-per-week",
            "Agents: tokens per week",
            "agentInstance",
            "inputTokens",
        )
        .group_by("endDate", unit("week"))
        .aggregated(sum()),
    ]
}

/// Reports of the kinds that Optimize itself makes, and a combined one, which can't be exported.
fn special() -> Vec<Report> {
    let combined = json!({
        "configuration": { "pointMarkers": true, "hideRelativeValue": false, "hideAbsoluteValue": false, "yLabel": "", "xLabel": "" },
        "visualization": "bar",
        "reports": [
            { "id": "orders-by-start-date-per-month", "color": "#1991c8" },
            { "id": "orders-by-running-date-per-month", "color": "#aec7e9" },
        ],
    });
    vec![
        Report::process(
            "management-instances-by-process",
            "Management report: instances by process",
            [],
        )
        .view("processInstance", "frequency")
        .visualized_as("bar")
        .distributed_by("process", Value::Null)
        .with("managementReport", json!(true)),
        Report::process(
            "preview-orders-throughput",
            "Instant preview: orders of all versions",
            [definition(ORDERS, "Order handling", &["all"], &[None])],
        )
        .view("processInstance", "frequency")
        .number()
        .with("instantPreviewReport", json!(true)),
        Report {
            index: Index::CombinedReport,
            id: "combined-orders-by-month",
            name: "Orders started and in process by month",
            data: combined,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_many_reports_with_ids_of_their_own() {
        let mut ids: Vec<String> = documents()
            .into_iter()
            .map(|document| document.id)
            .collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
        assert!(count >= 35, "{count}");
    }

    #[test]
    fn a_changed_default_is_changed_in_place() {
        let documents = documents();
        let sorted = documents
            .iter()
            .find(|document| document.id == "raw-all-processes-sorted-by-duration")
            .unwrap();
        assert_eq!(
            sorted.source.pointer("/data/configuration/sorting/by"),
            Some(&json!("duration"))
        );
        assert_eq!(
            sorted.source.pointer("/data/definitions/2/key"),
            Some(&json!(INVOICES))
        );
    }

    #[test]
    fn combined_and_decision_reports_are_told_apart() {
        for document in documents() {
            let member = |name: &str| document.source.get(name).cloned();
            assert_eq!(
                member("combined"),
                Some(json!(document.index == Index::CombinedReport)),
                "{}",
                document.id
            );
            let is_decision = document.index == Index::SingleDecisionReport;
            assert_eq!(
                member("reportType"),
                Some(json!(if is_decision { "decision" } else { "process" })),
                "{}",
                document.id
            );
        }
    }
}
