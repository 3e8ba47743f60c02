//! Durations as scripts: what has ended has a duration, what is running has one until now.
//!
//! Source: crates/optimize/docs/plans.md, "Durations" and "Durations of user tasks" (`DurationScriptUtilES`).

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::report::definition::UserTaskDurationTime;

/// The duration field, else the time since the start, else nothing.
const TOTAL: &str = "\
Long duration(Map doc, Map params) {
  if (doc[params.duration].size() != 0) { return doc[params.duration].value; }
  if (doc[params.start].size() != 0) { return params.now - doc[params.start].value.toInstant().toEpochMilli(); }
  return null;
}
";

/// What the three durations of a user task have in common: whether it has started, ended, been claimed; and how long
/// it has lasted in all.
const USER_TASK: &str = "\
def stored(Map doc, String field) {
  if (doc[field].size() == 0) { return null; }
  return doc[field].value;
}
def moment(Map doc, String field) {
  if (doc[field].size() == 0) { return null; }
  return doc[field].value.toInstant().toEpochMilli();
}
long orZero(def number) {
  if (number == null) { return 0L; }
  return number;
}
long total(Map doc, Map params) {
  def start = moment(doc, params.start);
  def end = moment(doc, params.end);
  def total = stored(doc, params.total);
  if (end != null && total != null) { return total; }
  if (end != null) { return end - orZero(start); }
  if (start != null) { return params.now - start; }
  return 0L;
}
";

/// Always there: a user task that has not started has lasted no time.
const USER_TASK_TOTAL: &str = "\
Long duration(Map doc, Map params) { return total(doc, params); }
";

/// One that runs without an assignee has been idle all the time that nobody worked on it.
const USER_TASK_IDLE: &str = "\
Long duration(Map doc, Map params) {
  def idle = stored(doc, params.idle);
  boolean ended = doc[params.end].size() != 0;
  boolean claimed = doc[params.assignee].size() != 0;
  if (idle != null && (ended || claimed)) { return idle; }
  return orZero(idle) + (total(doc, params) - orZero(stored(doc, params.work)));
}
";

/// One that runs with an assignee has been worked on all the time that it was not idle; one without an assignee may not
/// have been worked on at all.
const USER_TASK_WORK: &str = "\
Long duration(Map doc, Map params) {
  def work = stored(doc, params.work);
  boolean ended = doc[params.end].size() != 0;
  boolean claimed = doc[params.assignee].size() != 0;
  if ((work != null && ended) || !claimed) { return work; }
  return orZero(work) + (total(doc, params) - orZero(stored(doc, params.idle)));
}
";

/// A duration that is calculated for each document.
#[derive(Debug, Clone, PartialEq)]
pub struct DurationScript {
    functions: String,
    params: Map<String, Value>,
}

impl DurationScript {
    /// A duration field with the date that counts while it is empty.
    fn total(duration: &str, start: &str, now: Timestamp) -> Self {
        Self::new(
            TOTAL.to_owned(),
            now,
            &[("duration", duration), ("start", start)],
        )
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
        let duration = match time {
            UserTaskDurationTime::Idle => USER_TASK_IDLE,
            UserTaskDurationTime::Work => USER_TASK_WORK,
            UserTaskDurationTime::Total => USER_TASK_TOTAL,
        };
        Self::new(
            format!("{USER_TASK}{duration}"),
            now,
            &[
                ("start", "flowNodeInstances.startDate"),
                ("end", "flowNodeInstances.endDate"),
                ("assignee", "flowNodeInstances.assignee"),
                ("total", "flowNodeInstances.totalDurationInMs"),
                ("idle", "flowNodeInstances.idleDurationInMs"),
                ("work", "flowNodeInstances.workDurationInMs"),
            ],
        )
    }

    fn new(functions: String, now: Timestamp, fields: &[(&str, &str)]) -> Self {
        let mut params: Map<String, Value> = fields
            .iter()
            .map(|(name, field)| ((*name).to_owned(), (*field).into()))
            .collect();
        params.insert("now".to_owned(), now.as_millisecond().into());
        Self { functions, params }
    }

    /// The duration as a value; a document without one has no value.
    pub fn value(&self) -> Value {
        json!({
            "lang": "painless",
            "source": format!("{}return duration(doc, params);", self.functions),
            "params": self.params,
        })
    }

    /// The documents whose duration is at least so long.
    pub fn at_least(&self, millis: i64) -> Value {
        let mut params = self.params.clone();
        params.insert("shortest".to_owned(), millis.into());
        json!({"script": {"script": {
            "lang": "painless",
            "source": format!(
                "{}Long found = duration(doc, params); return found != null && found >= params.shortest;",
                self.functions
            ),
            "params": params,
        }}})
    }
}
