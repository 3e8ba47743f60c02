//! How long process instances, flow nodes or incidents have lasted (crates/optimize/docs/plans.md, "Durations").

use jiff::Timestamp;
use serde_json::json;

use super::metric::{self, Metrics};
use super::{Measure, MeasureKind, View};
use crate::plan::aggregations::Aggregations;
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::context::PlanContext;
use crate::plan::scripts::DurationScript;
use crate::report::definition::{Aggregation, ViewEntity};

/// Durations by aggregation functions. What is running has lasted until now.
pub struct DurationView {
    script: DurationScript,
    metrics: Metrics,
}

impl DurationView {
    pub fn new(entity: ViewEntity, aggregations: Vec<Aggregation>, now: Timestamp) -> Self {
        Self {
            script: match entity {
                ViewEntity::Incident => DurationScript::of_incidents(now),
                ViewEntity::FlowNode => DurationScript::of_flow_nodes(now),
                ViewEntity::ProcessInstance
                | ViewEntity::UserTask
                | ViewEntity::Variable
                | ViewEntity::AgentInstance => DurationScript::of_process_instances(now),
            },
            metrics: Metrics::new("duration", aggregations),
        }
    }
}

impl View for DurationView {
    fn kinds(&self) -> Vec<MeasureKind> {
        self.metrics.kinds()
    }

    fn aggregations(&self, context: &PlanContext<'_>) -> Aggregations {
        self.metrics
            .aggregations(&json!({"script": self.script.value()}), context)
    }

    fn measures(&self, bucket: Bucket<'_>) -> Result<Vec<Measure>, AbsentAggregation> {
        let measures = self.metrics.measures(bucket)?.into_iter();
        Ok(measures.map(metric::whole_milliseconds).collect())
    }
}
