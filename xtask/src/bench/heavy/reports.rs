//! The six reports, as Optimize stores them.

use serde_json::{Value, json};
use testkit::indices::{Document, Index};
use testkit::sample::Sample;

/// The report of the sample that the six differ from in what they ask for.
const TEMPLATE: &str = "orders-count";

/// One of the six reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heavy {
    /// Average durations of flow nodes.
    FlowNodeDurations,
    /// Average durations of instances by month and the values of a variable.
    HyperMapByVariable,
    /// How many instances were running in each month.
    RunningDates,
    /// The 95th percentile of durations by month.
    Percentiles,
    /// Average durations of user tasks, by user task and assignee.
    AssigneesByUserTask,
    /// Average time from the start of one flow node to the end of another.
    ProcessPart,
}

impl Heavy {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::FlowNodeDurations,
        Self::HyperMapByVariable,
        Self::RunningDates,
        Self::Percentiles,
        Self::AssigneesByUserTask,
        Self::ProcessPart,
    ];

    /// The id under which it is stored.
    pub const fn id(self) -> &'static str {
        match self {
            Self::FlowNodeDurations => "heavy-flow-node-durations",
            Self::HyperMapByVariable => "heavy-hyper-map-by-variable",
            Self::RunningDates => "heavy-running-dates",
            Self::Percentiles => "heavy-percentiles",
            Self::AssigneesByUserTask => "heavy-assignees-by-user-task",
            Self::ProcessPart => "heavy-process-part",
        }
    }

    /// What differs from the template: pointers into the stored report, and what is there.
    fn changes(self) -> Vec<(&'static str, Value)> {
        let view =
            |entity: &str, property: &str| json!({"entity": entity, "properties": [property]});
        let by_month = |kind: &str| json!({"type": kind, "value": {"unit": "month"}});
        let plain = |kind: &str| json!({"type": kind, "value": null});
        let customer_type =
            json!({"type": "variable", "value": {"name": "customerType", "type": "String"}});
        match self {
            Self::FlowNodeDurations => vec![
                ("/data/view", view("flowNode", "duration")),
                ("/data/groupBy", plain("flowNodes")),
            ],
            Self::HyperMapByVariable => vec![
                ("/data/view", view("processInstance", "duration")),
                ("/data/groupBy", by_month("startDate")),
                ("/data/distributedBy", customer_type),
            ],
            Self::RunningDates => vec![
                ("/data/view", view("processInstance", "frequency")),
                ("/data/groupBy", by_month("runningDate")),
            ],
            Self::Percentiles => vec![
                ("/data/view", view("processInstance", "duration")),
                ("/data/groupBy", by_month("startDate")),
                (
                    "/data/configuration/aggregationTypes",
                    json!([{"type": "percentile", "value": 95.0}]),
                ),
            ],
            Self::AssigneesByUserTask => vec![
                ("/data/view", view("userTask", "duration")),
                ("/data/userTaskReport", json!(true)),
                ("/data/groupBy", plain("userTasks")),
                ("/data/distributedBy", plain("assignee")),
            ],
            Self::ProcessPart => vec![
                ("/data/view", view("processInstance", "duration")),
                (
                    "/data/configuration/processPart",
                    json!({"start": "PickGoods", "end": "ShipGoods"}),
                ),
            ],
        }
    }
}

/// The six reports as documents.
pub(super) fn documents() -> Vec<Document<'static>> {
    let template = Sample::reports()
        .into_iter()
        .find(|report| report.id == TEMPLATE)
        .map(|report| report.source)
        .unwrap_or_default();
    let reports = Heavy::ALL.map(|heavy| {
        let mut source = template.clone();
        let id = ("/id", json!(heavy.id()));
        for (pointer, value) in heavy.changes().into_iter().chain([id]) {
            if let Some(member) = source.pointer_mut(pointer) {
                *member = value;
            }
        }
        Document {
            index: Index::SingleProcessReport,
            id: heavy.id().to_owned(),
            source,
        }
    });
    reports.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_reaches_the_stored_report() {
        for (heavy, document) in Heavy::ALL.into_iter().zip(documents()) {
            for (pointer, value) in heavy.changes() {
                assert_eq!(document.source.pointer(pointer), Some(&value), "{pointer}");
            }
            assert_eq!(document.source.pointer("/id"), Some(&json!(heavy.id())));
        }
    }
}
