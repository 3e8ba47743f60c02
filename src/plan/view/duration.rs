//! How long process instances, flow nodes or incidents have lasted (fact file D1, section 6.3).

use jiff::Timestamp;
use serde_json::json;

use super::{Measure, MeasureKind, View, metric};
use crate::plan::aggregations::Aggregations;
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::plan::scripts::DurationScript;
use crate::report::definition::{Aggregation, ViewEntity};

/// Durations by aggregation functions. What is running has lasted until now.
pub struct DurationView {
    script: DurationScript,
    aggregations: Vec<Aggregation>,
}

impl DurationView {
    pub fn new(entity: ViewEntity, aggregations: Vec<Aggregation>, now: Timestamp) -> Self {
        Self {
            script: match entity {
                ViewEntity::Incident => DurationScript::of_incidents(now),
                ViewEntity::FlowNode => DurationScript::of_flow_nodes(now),
                _ => DurationScript::of_process_instances(now),
            },
            aggregations,
        }
    }
}

fn name(position: usize) -> String {
    format!("duration{position}")
}

impl View for DurationView {
    fn kinds(&self) -> Vec<MeasureKind> {
        let aggregations = self.aggregations.iter();
        aggregations
            .map(|aggregation| MeasureKind::Aggregated(aggregation.kind))
            .collect()
    }

    fn aggregations(&self, _: &PlanContext<'_>) -> Aggregations {
        let source = json!({"script": self.script.value()});
        let aggregations = self.aggregations.iter().enumerate();
        aggregations
            .map(|(position, aggregation)| {
                (name(position), metric::aggregation_of(aggregation, &source))
            })
            .collect()
    }

    fn measures(&self, bucket: Bucket<'_>) -> Vec<Measure> {
        let aggregations = self.aggregations.iter().enumerate();
        aggregations
            .map(|(position, aggregation)| {
                let answer = bucket.sub(&name(position))?;
                metric::whole_milliseconds(metric::read(aggregation, answer))
            })
            .collect()
    }
}
