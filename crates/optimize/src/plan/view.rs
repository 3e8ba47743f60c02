//! Views: what is counted or measured of the documents in a bucket.
//!
//! Source: crates/optimize/docs/plans.md, "Nesting" and "Values of added entries".

use crate::filter::FilterContext;
use crate::plan::PlanError;
use crate::plan::aggregations::Aggregations;
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::context::PlanContext;
use crate::report::definition::{
    Aggregation, AggregationType, GroupBy, ProcessReportData, ViewEntity, ViewProperty,
};

mod agent_metric;
mod agent_total_tokens;
mod automation_rate;
mod duration;
mod frequency;
mod metric;
pub mod percentage;
mod process_part;
mod user_task_duration;
mod variable;

/// A figure; `None` is no data.
pub type Measure = Option<f64>;

/// How a measure behaves when buckets are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeasureKind {
    /// A count.
    Count,
    /// What an aggregation function gives.
    Aggregated(AggregationType),
}

/// What is counted or measured of the documents in a bucket.
pub trait View: Send + Sync {
    /// What its measures are, in their order; the first one is exported.
    fn kinds(&self) -> Vec<MeasureKind>;

    /// Queries that an instance has to satisfy beside those of the report.
    fn clauses(&self) -> Vec<serde_json::Value> {
        Vec::new()
    }

    /// What it needs to know of each bucket beside the number of documents.
    fn aggregations(&self, context: &PlanContext<'_>) -> Aggregations;

    /// Its measures of a bucket.
    ///
    /// # Errors
    /// The answer lacks what was asked for.
    fn measures(&self, bucket: Bucket<'_>) -> Result<Vec<Measure>, AbsentAggregation>;

    /// Its measures where Optimize fills up what Elasticsearch has no bucket for.
    fn measures_of_nothing(&self) -> Vec<Measure> {
        self.kinds().iter().map(|_| None).collect()
    }

    /// The number that a report without groups has where there is no index of instances.
    fn number_without_index(&self) -> Measure {
        None
    }
}

/// The view of a report.
///
/// # Errors
/// Its aggregation can't be calculated.
pub fn of(report: &ProcessReportData, filter: &FilterContext) -> Result<Box<dyn View>, PlanError> {
    let aggregations = evaluated_aggregations(report);
    let entity = report.view.entity;
    if entity == Some(ViewEntity::Variable) {
        return Ok(Box::new(variable::VariableView::new(report, aggregations)?));
    }
    let Some(property) = report.view.properties.first() else {
        return Ok(Box::new(frequency::FrequencyView::new(entity)));
    };
    Ok(match property {
        ViewProperty::Percentage => Box::new(percentage::PercentageView::default()),
        ViewProperty::AutomationRate => Box::new(automation_rate::AutomationRateView),
        ViewProperty::InputTokens => {
            Box::new(agent_metric::AgentMetricView::input_tokens(aggregations))
        }
        ViewProperty::OutputTokens => {
            Box::new(agent_metric::AgentMetricView::output_tokens(aggregations))
        }
        ViewProperty::TotalTokens => {
            Box::new(agent_total_tokens::AgentTotalTokensView::new(aggregations))
        }
        ViewProperty::ToolCalls if entity == Some(ViewEntity::FlowNode) => Box::new(
            agent_metric::AgentMetricView::tool_calls_of_agent(aggregations),
        ),
        ViewProperty::ToolCalls => {
            Box::new(agent_metric::AgentMetricView::tool_calls(aggregations))
        }
        ViewProperty::Duration => duration_view(report, aggregations, filter)?,
        ViewProperty::Frequency
        | ViewProperty::RawData
        | ViewProperty::Variable(_)
        | ViewProperty::Unknown(_) => Box::new(frequency::FrequencyView::new(entity)),
    })
}

/// How long something has lasted that reports have durations of.
fn duration_view(
    report: &ProcessReportData,
    aggregations: Vec<Aggregation>,
    filter: &FilterContext,
) -> Result<Box<dyn View>, PlanError> {
    let part = report.configuration.process_part.as_ref();
    let view: Box<dyn View> =
        match (report.view.entity, part) {
            (Some(ViewEntity::UserTask), _) => Box::new(
                user_task_duration::UserTaskDurationView::new(report, &aggregations, filter.now),
            ),
            (Some(ViewEntity::ProcessInstance), Some(part)) => {
                Box::new(process_part::ProcessPartView::new(part, aggregations)?)
            }
            (Some(entity), _) => Box::new(duration::DurationView::new(
                entity,
                aggregations,
                filter.now,
            )),
            (None, _) => Box::new(frequency::FrequencyView::new(None)),
        };
    Ok(view)
}

/// The aggregation functions to evaluate: the first, which is exported; all of them where a group is left out when none
/// of its measures says anything.
fn evaluated_aggregations(report: &ProcessReportData) -> Vec<Aggregation> {
    let all = &report.configuration.aggregation_types;
    all.iter().take(evaluated(report)).copied().collect()
}

/// How many of several measures matter to the result.
fn evaluated(report: &ProcessReportData) -> usize {
    match report.group_by {
        Some(GroupBy::Assignee | GroupBy::CandidateGroup) => usize::MAX,
        None
        | Some(
            GroupBy::None
            | GroupBy::FlowNodes
            | GroupBy::UserTasks
            | GroupBy::StartDate(_)
            | GroupBy::EndDate(_)
            | GroupBy::RunningDate(_)
            | GroupBy::Variable(_)
            | GroupBy::Duration
            | GroupBy::ProcessDefinitionKey
            | GroupBy::ProcessDefinitionVersion,
        ) => 1,
    }
}

/// Puts the measures of several buckets together (crates/optimize/docs/groups.md, "Distributed by process").
///
/// Averages are weighted by the documents of their buckets, those without a value included, as Optimize does it. Of
/// percentiles nothing can be said.
///
/// # Errors
/// The answer lacks what was asked for.
pub fn merged(view: &dyn View, buckets: &[Bucket<'_>]) -> Result<Vec<Measure>, AbsentAggregation> {
    let mut measured: Vec<(f64, Vec<Measure>)> = Vec::with_capacity(buckets.len());
    for bucket in buckets {
        measured.push((count(bucket.doc_count()?), view.measures(*bucket)?));
    }
    let merged = view
        .kinds()
        .into_iter()
        .enumerate()
        .map(|(position, kind)| {
            let present: Vec<(f64, f64)> = measured
                .iter()
                .filter_map(|(documents, measures)| Some((*documents, (*measures.get(position)?)?)))
                .collect();
            let values = present.iter().map(|(_, value)| *value);
            match kind {
                MeasureKind::Count | MeasureKind::Aggregated(AggregationType::Sum) => {
                    values.reduce(|a, b| a + b)
                }
                MeasureKind::Aggregated(AggregationType::Min) => values.reduce(f64::min),
                MeasureKind::Aggregated(AggregationType::Max) => values.reduce(f64::max),
                MeasureKind::Aggregated(AggregationType::Avg) => {
                    let documents: f64 = present.iter().map(|(documents, _)| documents).sum();
                    let sum: f64 = present
                        .iter()
                        .map(|(documents, value)| documents * value)
                        .sum();
                    (documents > 0.0).then(|| sum / documents)
                }
                MeasureKind::Aggregated(AggregationType::Percentile) => None,
            }
        });
    Ok(merged.collect())
}

/// Turns sums of zero into no data, for user tasks without assignee or candidate group
/// (crates/optimize/docs/groups.md, "Group by assignee or candidate group").
pub fn without_zero_sums(view: &dyn View, measures: &mut [Measure]) {
    for (kind, measure) in view.kinds().into_iter().zip(measures) {
        if kind == MeasureKind::Aggregated(AggregationType::Sum) && *measure == Some(0.0) {
            *measure = None;
        }
    }
}

/// A number of documents as a measure.
#[expect(clippy::cast_precision_loss, reason = "no index has 2^53 documents")]
pub fn count(documents: u64) -> f64 {
    documents as f64
}
