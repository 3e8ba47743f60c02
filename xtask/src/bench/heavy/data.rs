//! A million small orders, and the reports about them.
//!
//! The stored reports and definitions are those of the sample; its instances are six kilobytes each and would take hours.

use anyhow::ensure;
use serde_json::{Map, Value, json};
use testkit::indices::{Document, Installation};
use testkit::progress::Progress;
use testkit::sample::random::Random;
use testkit::sample::time::{BASE_DATE, DAY, HOUR, MINUTE, Millis, SECOND, date};
use testkit::sample::{ORDERS, Sample};

use super::reports;
use crate::bench::PROCESS_INSTANCES;

/// The seed of the orders.
const SEED: u64 = 0x0068_6561_7679;
/// What the keys of Zeebe begin with.
const FIRST_KEY: u64 = 4_503_599_627_370_496;
/// Keys from one instance to the next.
const KEYS_OF_INSTANCE: u64 = 16;
/// How long ago the oldest order started.
const OLDEST: Millis = 365 * DAY;
/// How long ago the oldest one started that still runs.
const OLDEST_RUNNING: Millis = 30 * DAY;

const ASSIGNEES: [&str; 20] = [
    "anna", "boris", "carla", "demo", "emil", "frida", "georg", "hanna", "ivan", "john", "karin",
    "lars", "mary", "nils", "olga", "peter", "rosa", "sofia", "theo", "vera",
];

/// A flow node, its type, and how long one stays there, in minutes.
struct Stay {
    id: &'static str,
    kind: &'static str,
    candidate_group: Option<&'static str>,
    minutes: (i64, i64),
}

/// What all parts of an instance have in common.
struct Instance {
    id: String,
    version: &'static str,
}

const fn stay(
    id: &'static str,
    kind: &'static str,
    candidate_group: Option<&'static str>,
    minutes: (i64, i64),
) -> Stay {
    Stay {
        id,
        kind,
        candidate_group,
        minutes,
    }
}

const RECEIVE: Stay = stay("OrderReceived", "startEvent", None, (0, 0));
const APPROVE: Stay = stay("ApproveOrder", "userTask", Some("sales"), (10, 2_880));
const PICK: Stay = stay("PickGoods", "userTask", Some("warehouse"), (30, 1_440));
const SHIP: Stay = stay("ShipGoods", "serviceTask", None, (1, 120));
const CLOSE: Stay = stay("OrderClosed", "noneEndEvent", None, (0, 0));

/// Stores what is missing to so many orders.
pub(in crate::bench) fn store(installation: &Installation, instances: u64) -> anyhow::Result<()> {
    let stored = installation.count(PROCESS_INSTANCES.index)?;
    for index in Sample::indices() {
        installation.create(index)?;
    }
    let others = Sample {
        process_instances: 0,
        ..Sample::default()
    };
    installation.store(others.documents().chain(reports::documents()))?;
    if stored < instances {
        let progress = Progress::steps("Loading small process instances", instances - stored);
        let orders = (stored..instances).map(order);
        installation.store(orders.inspect(|_| progress.advance()))?;
        progress.finish();
        installation.merge()?;
    }
    let stored = installation.count(PROCESS_INSTANCES.index)?;
    ensure!(
        stored == instances,
        "{stored} process instances are there, not {instances}"
    );
    Ok(())
}

/// The order with this number: some four flow nodes, one of them a user task or two, and two or three variables.
fn order(number: u64) -> Document<'static> {
    let mut random = Random::seeded(SEED, number);
    let key = FIRST_KEY + number * KEYS_OF_INSTANCE;
    let instance = Instance {
        id: key.to_string(),
        version: random.one_of(&["1", "2", "3", "3"], "3"),
    };
    let is_running = random.percent(10);
    let oldest = if is_running { OLDEST_RUNNING } else { OLDEST };
    let start = BASE_DATE - random.between(HOUR, oldest);
    let needs_approval = random.percent(25);
    let mut path: Vec<&Stay> = [
        Some(&RECEIVE),
        needs_approval.then_some(&APPROVE),
        Some(&PICK),
        Some(&SHIP),
        Some(&CLOSE),
    ]
    .into_iter()
    .flatten()
    .collect();
    if is_running {
        let last = path.len().saturating_sub(1);
        let length = random.between(2, i64::try_from(last).unwrap_or(2));
        path.truncate(usize::try_from(length).unwrap_or(2));
    }
    let mut now = start;
    let mut flow_nodes = Vec::with_capacity(path.len());
    let last = path.len().saturating_sub(1);
    for (position, stay) in path.iter().enumerate() {
        let length = random.between(stay.minutes.0 * MINUTE, stay.minutes.1 * MINUTE);
        let end = (now + length).min(BASE_DATE - SECOND).max(now);
        let is_here = is_running && position == last;
        let key = key + 1 + position as u64;
        flow_nodes.push(flow_node(
            &instance,
            key,
            stay,
            (now, (!is_here).then_some(end)),
            &mut random,
        ));
        now = end;
    }
    let end = (!is_running).then_some(now);
    let Instance { id, version } = instance;
    let mut source = json!({
        "processInstanceId": id,
        "processDefinitionId": "2251799813685249",
        "processDefinitionKey": ORDERS,
        "processDefinitionVersion": version,
        "tenantId": null,
        "businessKey": id,
        "state": if is_running { "ACTIVE" } else { "COMPLETED" },
        "startDate": date(start),
        "endDate": end.map(date),
        "duration": end.map(|end| end - start),
        "dataSource": { "type": "zeebe", "name": "zeebe-record", "partition": 1 },
        "variables": variables(key, &mut random),
    });
    if let Some(members) = source.as_object_mut() {
        if random.percent(1) {
            members.insert(
                "incidents".to_owned(),
                json!([incident(version, key, start)]),
            );
        }
        members.insert("flowNodeInstances".to_owned(), Value::Array(flow_nodes));
    }
    Document {
        index: PROCESS_INSTANCES.index,
        id,
        source,
    }
}

fn flow_node(
    instance: &Instance,
    key: u64,
    stay: &Stay,
    (start, end): (Millis, Option<Millis>),
    random: &mut Random,
) -> Value {
    let mut members = Map::from_iter([
        ("flowNodeInstanceId".to_owned(), json!(key.to_string())),
        ("flowNodeId".to_owned(), json!(stay.id)),
        ("flowNodeType".to_owned(), json!(stay.kind)),
        ("processInstanceId".to_owned(), json!(instance.id)),
        ("definitionKey".to_owned(), json!(ORDERS)),
        ("definitionVersion".to_owned(), json!(instance.version)),
        ("tenantId".to_owned(), Value::Null),
        ("startDate".to_owned(), json!(date(start))),
        ("endDate".to_owned(), json!(end.map(date))),
        (
            "totalDurationInMs".to_owned(),
            json!(end.map(|end| end - start)),
        ),
        ("canceled".to_owned(), json!(false)),
    ]);
    if let Some(group) = stay.candidate_group {
        let is_claimed = end.is_some() || random.percent(50);
        let idle = end.map(|end| random.between(0, (end - start).max(0)));
        let assignee = is_claimed.then(|| random.one_of(&ASSIGNEES, "demo"));
        members.extend([
            (
                "userTaskInstanceId".to_owned(),
                json!((key + 8).to_string()),
            ),
            ("assignee".to_owned(), json!(assignee)),
            ("candidateGroups".to_owned(), json!([group])),
            ("idleDurationInMs".to_owned(), json!(idle)),
            (
                "workDurationInMs".to_owned(),
                json!(end.zip(idle).map(|(end, idle)| end - start - idle)),
            ),
        ]);
    }
    Value::Object(members)
}

fn variables(key: u64, random: &mut Random) -> Vec<Value> {
    let variable = |position: u64, name: &str, kind: &str, value: String| {
        json!({
            "id": (key + 11 + position).to_string(),
            "name": name,
            "type": kind,
            "value": [value],
            "version": 1,
        })
    };
    let customer = format!("C-{}", random.between(1, 200));
    let mut variables = vec![
        variable(0, "customer", "String", customer),
        variable(1, "amount", "Double", random.between(5, 2_000).to_string()),
    ];
    if random.percent(90) {
        let kinds = ["business", "private", "private", "wholesale"];
        let kind = random.one_of(&kinds, "private");
        variables.push(variable(2, "customerType", "String", kind.to_owned()));
    }
    variables
}

fn incident(version: &str, key: u64, start: Millis) -> Value {
    json!({
        "id": (key + 15).to_string(),
        "incidentType": "JOB_NO_RETRIES",
        "incidentStatus": "resolved",
        "incidentMessage": "Read timed out",
        "createTime": date(start),
        "endTime": date(start + MINUTE),
        "durationInMs": MINUTE,
        "activityId": SHIP.id,
        "failedActivityId": SHIP.id,
        "definitionKey": ORDERS,
        "definitionVersion": version,
        "tenantId": null,
    })
}
