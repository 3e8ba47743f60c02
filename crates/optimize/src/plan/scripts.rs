//! Durations as scripts: what has ended has a duration, what is running has one until now.
//!
//! Source: crates/optimize/docs/plans.md, "Durations" and "Durations of user tasks" (`DurationScriptUtilES`).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::report::definition::UserTaskDurationTime;

/// The duration field, else the time since the start, else nothing.
const TOTAL: &str = "\
def durations = doc['{duration}'];
if (durations.size() != 0) { return durations.get(0); }
def starts = doc['{start}'];
if (starts.size() != 0) { return params.now - starts.get(0).toInstant().toEpochMilli(); }
return null;
";

/// How long a user task has lasted in all. Always there: one that has not started has lasted no time.
const USER_TASK_TOTAL: &str = "\
def ends = doc['flowNodeInstances.endDate'];
def totals = doc['flowNodeInstances.totalDurationInMs'];
if (ends.size() != 0 && totals.size() != 0) { return totals.get(0); }
def starts = doc['flowNodeInstances.startDate'];
long start = starts.size() == 0 ? 0L : starts.get(0).toInstant().toEpochMilli();
if (ends.size() != 0) { return ends.get(0).toInstant().toEpochMilli() - start; }
return starts.size() == 0 ? 0L : params.now - start;
";

/// One that runs without an assignee has been idle all the time that nobody worked on it.
const USER_TASK_IDLE: &str = "\
def idles = doc['flowNodeInstances.idleDurationInMs'];
if (idles.size() != 0 && (doc['flowNodeInstances.endDate'].size() != 0 || doc['flowNodeInstances.assignee'].size() != 0)) {
  return idles.get(0);
}
long idle = idles.size() == 0 ? 0L : idles.get(0);
def works = doc['flowNodeInstances.workDurationInMs'];
long work = works.size() == 0 ? 0L : works.get(0);
return idle + (total(doc, params) - work);
";

/// One that runs with an assignee has been worked on all the time that it was not idle; one without an assignee may not
/// have been worked on at all.
const USER_TASK_WORK: &str = "\
def works = doc['flowNodeInstances.workDurationInMs'];
boolean isClaimed = doc['flowNodeInstances.assignee'].size() != 0;
if (works.size() != 0 && (!isClaimed || doc['flowNodeInstances.endDate'].size() != 0)) { return works.get(0); }
if (!isClaimed) { return null; }
long work = works.size() == 0 ? 0L : works.get(0);
def idles = doc['flowNodeInstances.idleDurationInMs'];
long idle = idles.size() == 0 ? 0L : idles.get(0);
return work + (total(doc, params) - idle);
";

/// A duration that is calculated for each document.
///
/// A script runs for each of millions of flow nodes, so each looks up no more than it needs, a field once, by a name that it knows.
#[derive(Debug, Clone, PartialEq)]
pub struct DurationScript {
    /// What the statements call.
    functions: String,
    /// Statements that return the duration.
    statements: String,
    params: Map<String, Value>,
}

impl DurationScript {
    /// A duration field with the date that counts while it is empty.
    fn total(duration: &str, start: &str, now: Timestamp) -> Self {
        let statements = TOTAL
            .replace("{duration}", duration)
            .replace("{start}", start);
        Self::new(String::new(), statements, now)
    }

    /// Duration of process instances.
    pub fn of_process_instances(now: Timestamp) -> Self {
        Self::total("duration", "startDate", now)
    }

    /// Duration of flow nodes.
    pub fn of_flow_nodes(now: Timestamp) -> Self {
        Self::total(
            "flowNodeInstances.totalDurationInMs",
            "flowNodeInstances.startDate",
            now,
        )
    }

    /// Duration of incidents.
    pub fn of_incidents(now: Timestamp) -> Self {
        Self::total("incidents.durationInMs", "incidents.createTime", now)
    }

    /// One of the durations of user tasks.
    pub fn of_user_tasks(time: UserTaskDurationTime, now: Timestamp) -> Self {
        let total = || format!("long total(Map doc, Map params) {{\n{USER_TASK_TOTAL}}}\n");
        let (functions, statements) = match time {
            UserTaskDurationTime::Idle => (total(), USER_TASK_IDLE),
            UserTaskDurationTime::Work => (total(), USER_TASK_WORK),
            UserTaskDurationTime::Total => (String::new(), USER_TASK_TOTAL),
        };
        Self::new(functions, statements.to_owned(), now)
    }

    fn new(functions: String, statements: String, now: Timestamp) -> Self {
        let params = Map::from_iter([("now".to_owned(), now.as_millisecond().into())]);
        Self {
            functions,
            statements,
            params,
        }
    }

    /// The duration as a value; a document without one has no value.
    pub fn value(&self) -> Value {
        json!({
            "lang": "painless",
            "source": format!("{}{}", self.functions, self.statements),
            "params": self.params,
        })
    }

    /// The documents whose duration is at least so long.
    pub fn at_least(&self, millis: i64) -> Value {
        let mut params = self.params.clone();
        params.insert("shortest".to_owned(), millis.into());
        let Self {
            functions,
            statements,
            ..
        } = self;
        json!({"script": {"script": {
            "lang": "painless",
            "source": format!(
                "{functions}Long duration(Map doc, Map params) {{\n{statements}}}\n\
                 Long found = duration(doc, params); return found != null && found >= params.shortest;",
            ),
            "params": params,
        }}})
    }
}
