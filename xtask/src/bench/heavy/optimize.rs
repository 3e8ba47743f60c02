//! What Optimize asks Elasticsearch for each of the six reports: searches before the main one, the main one, and a count of the instances
//! without filters, which follows every report.
//!
//! What they have in common: crates/optimize/docs/plans.md, "Nesting" and "Durations"; crates/optimize/docs/buckets.md, "Minimum and maximum".
//! The scripts say the same in other words, and in the cheaper way where there is a choice. What a figure is read from has the name
//! [`MEASURE`], so that it can be compared with the service's answer.

use serde_json::{Value, json};
use testkit::elasticsearch::Product;
use testkit::sample::ORDERS;

use super::reports::Heavy;

/// Name of the aggregations whose figures are in the result.
pub(super) const MEASURE: &str = "measure";
/// Name of aggregations that Optimize asks for beside them, of which only the keys are read.
const BESIDE: &str = "beside";

/// Buckets of a `terms` aggregation (`aggregationBucketLimit`).
const BUCKET_LIMIT: u32 = 1_000;
const DATE_FORMAT: &str = "yyyy-MM-dd'T'HH:mm:ss.SSSZ";

/// The starts of the months in which orders were running, and of the month after them.
const MONTHS: [&str; 14] = [
    "2024-06", "2024-07", "2024-08", "2024-09", "2024-10", "2024-11", "2024-12", "2025-01",
    "2025-02", "2025-03", "2025-04", "2025-05", "2025-06", "2025-07",
];

/// A duration that is stored, else the time until now.
const DURATION: &str = "\
Long result = null;
if (!doc[params.duration].empty) { result = doc[params.duration].value }
else if (!doc[params.start].empty) { result = params.now - doc[params.start].value.toInstant().toEpochMilli() }
return result;";

/// How long a user task has lasted in all. All that any of the three times depends on is looked up for each of them.
const USER_TASK_DURATION: &str = "\
def hasStarted = !doc[params.start].empty; def hasEnded = !doc[params.end].empty;
def isIdle = doc[params.assignee].empty;
def hasTotal = !doc[params.total].empty; def hasIdle = !doc[params.idle].empty; def hasWork = !doc[params.work].empty;
def started = hasStarted ? doc[params.start].value.toInstant().toEpochMilli() : 0;
def ended = hasEnded ? doc[params.end].value.toInstant().toEpochMilli() : 0;
def total = 0;
if (hasEnded) { total = hasTotal ? doc[params.total].value : ended - started; }
else if (hasStarted) { total = params.now - started; }
return total;";

/// Starts and ends of each instance.
const PART_MAP: &str = "\
def instance = doc['flowNodeInstances.processInstanceId'].value;
def flowNode = doc['flowNodeInstances.flowNodeId'].value;
if (flowNode == params.start && doc['flowNodeInstances.startDate'].size() != 0) {
  long moment = doc['flowNodeInstances.startDate'].value.toInstant().toEpochMilli();
  if (moment != 0) { state.starts.computeIfAbsent(instance, id -> new ArrayList()).add(moment); }
} else if (flowNode == params.end && doc['flowNodeInstances.endDate'].size() != 0) {
  long moment = doc['flowNodeInstances.endDate'].value.toInstant().toEpochMilli();
  if (moment != 0) { state.ends.computeIfAbsent(instance, id -> new ArrayList()).add(moment); }
}";

/// Sum and number of the durations from the first start to the first end after it.
const PART_COMBINE: &str = "\
double sum = 0; long count = 0;
for (entry in state.starts.entrySet()) {
  def ends = state.ends.get(entry.getKey());
  if (ends == null) { continue; }
  long start = Long.MAX_VALUE;
  for (long moment : entry.getValue()) { if (moment < start) { start = moment; } }
  long end = Long.MAX_VALUE;
  for (long moment : ends) { if (moment >= start && moment < end) { end = moment; } }
  if (end != Long.MAX_VALUE) { sum += end - start; count += 1; }
}
return ['sum': sum, 'count': count];";

/// Their average.
const PART_REDUCE: &str = "\
double sum = 0; long count = 0;
for (shard in states) { sum += shard.sum; count += shard.count; }
return count == 0 ? null : sum / count;";

/// A request of Optimize.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// What is asked of the indices: `_search` or `_count`.
    pub what: &'static str,
    /// The body.
    pub body: Value,
}

/// The requests of a report in their order, as they are sent to this product. `now` is the moment to which running durations reach, in
/// milliseconds since 1970.
pub(super) fn requests(heavy: Heavy, product: Product, now: i64) -> Vec<Request> {
    let search = |body: Value| Request {
        what: "_search",
        body,
    };
    let mut requests = Vec::new();
    match heavy {
        Heavy::RunningDates => {
            requests.push(search(dates_first(["startDate", "endDate"])));
        }
        Heavy::HyperMapByVariable | Heavy::Percentiles => {
            requests.push(search(dates_first(["startDate", "startDate"])));
        }
        Heavy::FlowNodeDurations | Heavy::AssigneesByUserTask | Heavy::ProcessPart => {}
    }
    // Optimize names no size: Elasticsearch sends the best ten of the instances, without their content.
    requests.push(search(json!({
        "track_total_hits": true,
        "_source": false,
        "query": query(heavy),
        "aggs": aggregations(heavy, product, now),
    })));
    requests.push(Request {
        what: "_count",
        body: json!({"query": instances()}),
    });
    requests
}

/// The orders of all versions and tenants.
fn instances() -> Value {
    json!({"bool": {"minimum_should_match": "1", "should": [{"bool": {"must": [
        {"term": {"processDefinitionKey": {"value": ORDERS}}},
        tenants("tenantId"),
    ]}}]}})
}

fn tenants(field: &str) -> Value {
    json!({"bool": {"minimum_should_match": "1", "should": [
        {"terms": {field: ["emea", "americas"]}},
        {"bool": {"must_not": [{"exists": {"field": field}}]}},
    ]}})
}

/// The query of a report: the instances, and what its kind adds.
fn query(heavy: Heavy) -> Value {
    let reached = |id: &str| of_flow_node("flowNodeId", id);
    let (kind, added) = match heavy {
        Heavy::FlowNodeDurations | Heavy::RunningDates => return instances(),
        Heavy::HyperMapByVariable | Heavy::Percentiles => {
            ("must", vec![json!({"exists": {"field": "startDate"}})])
        }
        Heavy::AssigneesByUserTask => ("filter", vec![of_flow_node("flowNodeType", "userTask")]),
        Heavy::ProcessPart => ("must", vec![reached("PickGoods"), reached("ShipGoods")]),
    };
    let mut query = instances();
    if let Some(members) = query.pointer_mut("/bool").and_then(Value::as_object_mut) {
        members.insert(kind.to_owned(), Value::Array(added));
    }
    query
}

fn of_flow_node(member: &str, value: &str) -> Value {
    let field = format!("flowNodeInstances.{member}");
    json!({"nested": {
        "path": "flowNodeInstances",
        "score_mode": "none",
        "query": {"term": {field: {"value": value}}},
    }})
}

/// The search for the range of dates; of one field Optimize asks twice.
fn dates_first(fields: [&str; 2]) -> Value {
    let [first, second] =
        fields.map(|field| json!({"stats": {"field": field, "format": DATE_FORMAT}}));
    json!({"size": 0, "_source": false, "query": instances(), "aggs": {"first": first, "second": second}})
}

fn aggregations(heavy: Heavy, product: Product, now: i64) -> Value {
    let of_instances = duration("duration", "startDate", now);
    match heavy {
        Heavy::FlowNodeDurations => {
            let duration = duration(
                "flowNodeInstances.totalDurationInMs",
                "flowNodeInstances.startDate",
                now,
            );
            let flow_nodes = json!({"flowNodes": {
                "terms": {"field": "flowNodeInstances.flowNodeId", "size": BUCKET_LIMIT},
                "aggs": {MEASURE: {"avg": {"script": duration}}},
            }});
            in_flow_nodes(json!({"elements": {"filter": elements(false), "aggs": flow_nodes}}))
        }
        Heavy::HyperMapByVariable => {
            let parts =
                |name: &str| customer_types(&json!({name: {"avg": {"script": of_instances}}}));
            let mut limited = parts(BESIDE);
            if let Some(members) = limited.as_object_mut() {
                members.insert("dates".to_owned(), by_month(parts(MEASURE)));
            }
            json!({"limited": {"filter": {"bool": {}}, "aggs": limited}})
        }
        Heavy::RunningDates => {
            let months: Value = (MONTHS.windows(2))
                .filter_map(|month| match month {
                    [from, to] => Some((first_of(from), running(from, to))),
                    _ => None,
                })
                .collect::<serde_json::Map<_, _>>()
                .into();
            json!({"limited": {
                "filters": {"filters": months},
                "aggs": {MEASURE: {"filter": {"match_all": {}}}},
            }})
        }
        Heavy::Percentiles => {
            let mut percentiles = json!({"script": of_instances, "percents": [95.0]});
            if let (Product::OpenSearch, Some(members)) = (product, percentiles.as_object_mut()) {
                // crates/optimize/docs/plans.md, "Metric aggregations"
                members.insert("tdigest".to_owned(), json!({"compression": 9_999}));
            }
            let percentile = json!({MEASURE: {"percentiles": percentiles}});
            json!({"limited": {"filter": {"bool": {}}, "aggs": {"dates": by_month(percentile)}}})
        }
        Heavy::AssigneesByUserTask => {
            let assignees = |name: &str| {
                let duration = json!({name: {"avg": {"script": user_task_duration(now)}}});
                let assignees = json!({"assignees": {
                    "terms": {
                        "field": "flowNodeInstances.assignee",
                        "size": BUCKET_LIMIT,
                        "order": {"_key": "asc"},
                        "missing": "unassignedUserTasks___",
                    },
                    "aggs": duration,
                }});
                json!({"filter": elements_with_ids(), "aggs": assignees})
            };
            let user_tasks = json!({"userTasks": {
                "terms": {"field": "flowNodeInstances.flowNodeId", "size": BUCKET_LIMIT},
                "aggs": {"assigned": assignees(MEASURE)},
            }});
            in_flow_nodes(json!({"all": {
                "filter": {"bool": {"must": [is_user_task()]}},
                "aggs": {
                    "looked_at": {"filter": elements(true), "aggs": user_tasks},
                    "assigned": assignees(BESIDE),
                },
            }}))
        }
        Heavy::ProcessPart => in_flow_nodes(json!({MEASURE: {"scripted_metric": {
            "params": {"start": "PickGoods", "end": "ShipGoods"},
            "init_script": "state.starts = new HashMap(); state.ends = new HashMap();",
            "map_script": PART_MAP,
            "combine_script": PART_COMBINE,
            "reduce_script": PART_REDUCE,
        }}})),
    }
}

fn in_flow_nodes(inner: Value) -> Value {
    json!({"nested": {"nested": {"path": "flowNodeInstances"}, "aggs": inner}})
}

fn duration(duration: &str, start: &str, now: i64) -> Value {
    json!({
        "lang": "painless",
        "source": DURATION,
        "params": {"duration": duration, "start": start, "now": now},
    })
}

fn user_task_duration(now: i64) -> Value {
    json!({"lang": "painless", "source": USER_TASK_DURATION, "params": {
        "start": "flowNodeInstances.startDate",
        "end": "flowNodeInstances.endDate",
        "assignee": "flowNodeInstances.assignee",
        "total": "flowNodeInstances.totalDurationInMs",
        "idle": "flowNodeInstances.idleDurationInMs",
        "work": "flowNodeInstances.workDurationInMs",
        "now": now,
    }})
}

fn is_user_task() -> Value {
    json!({"term": {"flowNodeInstances.flowNodeType": {"value": "userTask"}}})
}

/// The flow nodes of the definition, or its user tasks.
fn elements(are_user_tasks: bool) -> Value {
    let of_definition = json!({"bool": {"must": [{"bool": {"filter": [
        tenants("flowNodeInstances.tenantId"),
        {"term": {"flowNodeInstances.definitionKey": {"value": ORDERS}}},
    ]}}]}});
    let must = if are_user_tasks {
        vec![is_user_task()]
    } else {
        Vec::new()
    };
    json!({"bool": {"must": must, "should": [of_definition], "minimum_should_match": "1"}})
}

/// The user tasks of the definition that its model lists.
fn elements_with_ids() -> Value {
    let mut elements = elements(true);
    let ids = json!([{"terms": {"flowNodeInstances.flowNodeId": ["ApproveOrder", "PickGoods"]}}]);
    if let Some(members) = elements.pointer_mut("/bool").and_then(Value::as_object_mut) {
        members.insert("filter".to_owned(), ids);
    }
    elements
}

fn by_month(inner: Value) -> Value {
    json!({
        "date_histogram": {
            "field": "startDate",
            "calendar_interval": "month",
            "time_zone": "UTC",
            "format": DATE_FORMAT,
            "order": {"_key": "desc"},
        },
        "aggs": inner,
    })
}

fn first_of(month: &str) -> String {
    format!("{month}-01T00:00:00.000+0000")
}

/// The instances that were running between the starts of two months.
fn running(from: &str, to: &str) -> Value {
    json!({"bool": {"must": [
        {"range": {"startDate": {"lt": first_of(to), "format": DATE_FORMAT}}},
        {"bool": {"should": [
            {"range": {"endDate": {"gte": first_of(from), "format": DATE_FORMAT}}},
            {"bool": {"must_not": [{"exists": {"field": "endDate"}}]}},
        ]}},
    ]}})
}

/// The values of the variable, and the instances without one.
fn customer_types(inner: &Value) -> Value {
    let is_variable = [
        json!({"term": {"variables.name": {"value": "customerType"}}}),
        json!({"term": {"variables.type": {"value": "String"}}}),
    ];
    let has_value = json!({"exists": {"field": "variables.value"}});
    let [name, kind] = &is_variable;
    let variable = |query: Value| json!({"nested": {"path": "variables", "score_mode": "none", "query": query}});
    let undefined =
        json!({"bool": {"must_not": [variable(json!({"bool": {"must": is_variable}}))]}});
    let without_value = json!({"bool": {"must": [
        variable(json!({"bool": {"must": is_variable, "must_not": [has_value]}})),
    ]}});
    json!({"all": {"filter": {"match_all": {}}, "aggs": {
        "missing": {
            "filter": {"bool": {"minimum_should_match": "1", "should": [undefined, without_value]}},
            "aggs": inner,
        },
        "variables": {"nested": {"path": "variables"}, "aggs": {"of_name": {
            "filter": {"bool": {"must": [name, kind, has_value, {"match_all": {}}]}},
            "aggs": {
                "values": {
                    "terms": {"field": "variables.value", "size": BUCKET_LIMIT},
                    "aggs": {"instances": {"reverse_nested": {}, "aggs": inner}},
                },
                "instances": {"reverse_nested": {}},
            },
        }}},
    }}})
}
