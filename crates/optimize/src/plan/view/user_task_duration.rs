//! How long user tasks have lasted, have been idle or been worked on
//! (crates/optimize/docs/plans.md, "Durations of user tasks").

use jiff::Timestamp;
use serde_json::json;

use super::{Measure, MeasureKind, View, evaluated, metric};
use crate::plan::aggregations::Aggregations;
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::context::PlanContext;
use crate::plan::scripts::DurationScript;
use crate::report::definition::{Aggregation, ProcessReportData};

/// Durations of user tasks: for each time that the report measures, by each of its aggregation functions.
pub struct UserTaskDurationView {
    measures: Vec<(DurationScript, Aggregation)>,
}

impl UserTaskDurationView {
    pub fn new(report: &ProcessReportData, aggregations: &[Aggregation], now: Timestamp) -> Self {
        let times = &report.configuration.user_task_duration_times;
        let measures = times.iter().take(evaluated(report)).flat_map(|time| {
            let script = DurationScript::of_user_tasks(*time, now);
            aggregations
                .iter()
                .map(move |aggregation| (script.clone(), *aggregation))
        });
        Self {
            measures: measures.collect(),
        }
    }
}

fn name(position: usize) -> String {
    format!("duration{position}")
}

impl View for UserTaskDurationView {
    fn kinds(&self) -> Vec<MeasureKind> {
        let measures = self.measures.iter();
        measures
            .map(|(_, aggregation)| MeasureKind::Aggregated(aggregation.kind))
            .collect()
    }

    fn aggregations(&self, context: &PlanContext<'_>) -> Aggregations {
        let measures = self.measures.iter().enumerate();
        measures
            .map(|(position, (script, aggregation))| {
                let source = json!({"script": script.value()});
                let compression = context.percentile_compression;
                let aggregation = metric::aggregation_of(aggregation, &source, compression);
                (name(position), aggregation)
            })
            .collect()
    }

    fn measures(&self, bucket: Bucket<'_>) -> Result<Vec<Measure>, AbsentAggregation> {
        let measures = self.measures.iter().enumerate();
        measures
            .map(|(position, (_, aggregation))| {
                let answer = bucket.sub(&name(position))?;
                let duration = metric::read(aggregation, answer)?;
                Ok(metric::whole_milliseconds(duration))
            })
            .collect()
    }
}
