//! By duration of flow nodes or user tasks (crates/optimize/docs/groups.md, "Group by duration";
//! `ProcessGroupByFlowNodeDurationInterpreterES`, `ProcessGroupByUserTaskDurationInterpreterES`).

use serde_json::{Value, json};

use super::instance_duration::{groups_of_histogram, histogram};
use super::{Group, Grouping};
use crate::filter::is_user_task;
use crate::filter::query::FLOW_NODE_INSTANCES;
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, filter, nested, within};
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::plan::inner::Inner;
use crate::plan::scripts::DurationScript;
use crate::plan::search::Outermost;
use crate::plan::statistics::{Range, statistics_of};
use crate::report::definition::UserTaskDurationTime;
use crate::result::Order;

/// By duration; of a user task it is the first of the times that the report measures.
///
/// The range of the buckets is that of all flow nodes of the instances, also of those that the report does not look at:
/// so the first and the last buckets can be empty.
pub struct ByElementDuration;

fn script(context: &PlanContext<'_>) -> DurationScript {
    let now = context.filter.now;
    if !context.filter.user_task_report {
        return DurationScript::of_flow_nodes(now);
    }
    let times = &context.report.configuration.user_task_duration_times;
    let time = times.first().copied();
    DurationScript::of_user_tasks(time.unwrap_or(UserTaskDurationTime::Total), now)
}

fn all_elements(context: &PlanContext<'_>) -> Value {
    if context.filter.user_task_report {
        is_user_task()
    } else {
        json!({"match_all": {}})
    }
}

impl Grouping for ByElementDuration {
    fn statistics(&self, context: &PlanContext<'_>) -> Option<Aggregations> {
        let levels = [nested(FLOW_NODE_INSTANCES), filter(all_elements(context))];
        let durations = statistics_of(&json!({"script": script(context).value()}));
        Some(within(levels, durations))
    }

    fn aggregations(&self, range: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        let context = inner.context;
        let histogram = histogram(&script(context), range, inner)?;
        if histogram.is_empty() {
            return Ok(histogram.into());
        }
        let looked_at = filter(context.model_element_filter());
        Ok(within([nested(FLOW_NODE_INSTANCES), looked_at], histogram).into())
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        groups_of_histogram(answer.level(3)?, inner)
    }

    fn order(&self, context: &PlanContext<'_>) -> Order {
        Order::BY_NUMERIC_KEY.unless_sorted(context.report.configuration.sorting.as_ref())
    }
}
