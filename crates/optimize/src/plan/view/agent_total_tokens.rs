//! How many tokens the agents of a process instance have used (crates/optimize/docs/plans.md, "Agents: tokens and tool calls";
//! `AgentMetricScripts`).

use serde_json::json;

use super::metric::Metrics;
use super::{Measure, MeasureKind, View};
use crate::filter::has_agent_instances;
use crate::plan::aggregations::{Aggregations, filter, within};
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::context::PlanContext;
use crate::report::definition::Aggregation;

/// Tokens of instances that have agents, 0 where they say none; an instance without agents has no say in it.
///
/// Optimize reads each instance's source in a script to tell whether it has agents. A filter tells the same from the
/// index, and also where the index has no such fields.
pub struct AgentTotalTokensView {
    metrics: Metrics,
}

impl AgentTotalTokensView {
    pub fn new(aggregations: Vec<Aggregation>) -> Self {
        Self {
            metrics: Metrics::new("tokens", aggregations),
        }
    }
}

impl View for AgentTotalTokensView {
    fn kinds(&self) -> Vec<MeasureKind> {
        self.metrics.kinds()
    }

    fn aggregations(&self, context: &PlanContext<'_>) -> Aggregations {
        let tokens = json!({"field": "agentTotalTokens", "missing": 0});
        let metrics = self.metrics.aggregations(&tokens, context);
        within([filter(has_agent_instances())], metrics)
    }

    fn measures(&self, bucket: Bucket<'_>) -> Result<Vec<Measure>, AbsentAggregation> {
        self.metrics.measures(bucket.level(1)?)
    }
}
