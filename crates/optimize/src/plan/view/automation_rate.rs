//! How many of all tasks nobody had to do, in percent (crates/optimize/docs/plans.md, "Automation rate";
//! `ProcessViewAutomationRateInterpreterES`).

use super::percentage::percent;
use super::{Measure, MeasureKind, View};
use crate::filter::query::{FLOW_NODE_INSTANCES, terms};
use crate::plan::aggregations::{Aggregations, filter, named, nested, with};
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::context::PlanContext;

/// The share of tasks of machines in all tasks that were started; it is nothing where no task was. The filters of the view
/// level have no say in it, and aggregation functions neither.
pub struct AutomationRateView;

const TASKS: &str = "tasks";
const AUTOMATED: &str = "automated";
const HUMAN: &str = "human";

// `ZeebeConstants`, after Zeebe's `BpmnElementType`.
const AUTOMATED_TASKS: [&str; 4] = ["serviceTask", "businessRuleTask", "scriptTask", "sendTask"];
const HUMAN_TASKS: [&str; 2] = ["userTask", "manualTask"];

impl View for AutomationRateView {
    fn kinds(&self) -> Vec<MeasureKind> {
        vec![MeasureKind::Count]
    }

    fn aggregations(&self, _: &PlanContext<'_>) -> Aggregations {
        let of_types = |types: &[&str]| {
            let types = types.iter().copied();
            filter(terms("flowNodeInstances.flowNodeType", types))
        };
        let tasks = Aggregations::from_iter([
            (AUTOMATED.to_owned(), of_types(&AUTOMATED_TASKS)),
            (HUMAN.to_owned(), of_types(&HUMAN_TASKS)),
        ]);
        named(TASKS, with(nested(FLOW_NODE_INSTANCES), tasks))
    }

    fn measures(&self, bucket: Bucket<'_>) -> Result<Vec<Measure>, AbsentAggregation> {
        let tasks = bucket.sub(TASKS)?;
        let automated = tasks.sub(AUTOMATED)?.doc_count()?;
        let all = automated.saturating_add(tasks.sub(HUMAN)?.doc_count()?);
        Ok(vec![percent(automated, all)])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::plan::answer::Answer;

    fn rate(automated: u64, human: u64) -> Measure {
        let answer: Value = json!({"hits": {"total": {"value": 1}}, "aggregations": {"tasks": {
            "doc_count": 9, "automated": {"doc_count": automated}, "human": {"doc_count": human}}}});
        let answer: Answer = serde_json::from_value(answer).unwrap();
        AutomationRateView.measures(answer.root()).unwrap()[0]
    }

    #[test]
    fn it_is_a_share_of_tasks_and_not_rounded() {
        assert_eq!(rate(3, 1), Some(75.0));
        assert_eq!(rate(1, 2), Some(1.0 / 3.0 * 100.0));
        assert_eq!(rate(0, 2), Some(0.0));
        assert_eq!(rate(0, 0), None);
    }
}
