//! What agents have used: tokens and calls of tools (crates/optimize/docs/plans.md, "Agents: tokens and tool calls";
//! `AbstractProcessViewAgentMetricInterpreterES`).

use serde_json::json;

use super::metric::Metrics;
use super::{Measure, MeasureKind, View};
use crate::plan::aggregations::Aggregations;
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::context::PlanContext;
use crate::report::definition::Aggregation;

/// A number that is stored, by aggregation functions; unlike a duration it is not rounded. What lacks the number, such as
/// everything that releases before 8.10 have stored, has no say in it.
pub struct AgentMetricView {
    field: &'static str,
    metrics: Metrics,
}

impl AgentMetricView {
    fn new(field: &'static str, aggregations: Vec<Aggregation>) -> Self {
        Self {
            field,
            metrics: Metrics::new("used", aggregations),
        }
    }

    /// Tokens that the agents of a process instance were given.
    pub fn input_tokens(aggregations: Vec<Aggregation>) -> Self {
        Self::new("agentTotalInputTokens", aggregations)
    }

    /// Tokens that the agents of a process instance have made.
    pub fn output_tokens(aggregations: Vec<Aggregation>) -> Self {
        Self::new("agentTotalOutputTokens", aggregations)
    }

    /// Calls of tools by the agents of a process instance.
    pub fn tool_calls(aggregations: Vec<Aggregation>) -> Self {
        Self::new("agentTotalToolCalls", aggregations)
    }

    /// Calls of tools by one agent, within the nested `agentInstances`.
    pub fn tool_calls_of_agent(aggregations: Vec<Aggregation>) -> Self {
        Self::new("agentInstances.metrics.toolCalls", aggregations)
    }
}

impl View for AgentMetricView {
    fn kinds(&self) -> Vec<MeasureKind> {
        self.metrics.kinds()
    }

    fn aggregations(&self, context: &PlanContext<'_>) -> Aggregations {
        self.metrics
            .aggregations(&json!({"field": self.field}), context)
    }

    fn measures(&self, bucket: Bucket<'_>) -> Result<Vec<Measure>, AbsentAggregation> {
        self.metrics.measures(bucket)
    }
}
