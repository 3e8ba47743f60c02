//! How long process instances have taken from one flow node to another
//! (crates/optimize/docs/plans.md, "Duration of a process part";
//! `ProcessPartQueryUtilES`).

use serde_json::{Value, json};

use super::{Measure, MeasureKind, View, metric};
use crate::filter::query::{FLOW_NODE_INSTANCES, nested as has_nested, term};
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, nested, within};
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::context::PlanContext;
use crate::report::definition::{Aggregation, AggregationType, DefinitionError, ProcessPart};

/// Durations from the first start of one flow node to the first end of another one that is not before that. Instances
/// in which the latter has not ended are left out.
pub struct ProcessPartView {
    start: String,
    end: String,
    aggregations: Vec<Aggregation>,
}

/// Starts and ends of each instance, by its id.
const MAP: &str = "\
if (doc['flowNodeInstances.processInstanceId'].size() == 0 || doc['flowNodeInstances.flowNodeId'].size() == 0) { return; }
String instance = doc['flowNodeInstances.processInstanceId'].value;
String flowNode = doc['flowNodeInstances.flowNodeId'].value;
if (flowNode == params.start) {
  if (doc['flowNodeInstances.startDate'].size() != 0) {
    long moment = doc['flowNodeInstances.startDate'].value.toInstant().toEpochMilli();
    if (moment != 0L) { state.starts.computeIfAbsent(instance, id -> new ArrayList()).add(moment); }
  }
} else if (flowNode == params.end) {
  if (doc['flowNodeInstances.endDate'].size() != 0) {
    long moment = doc['flowNodeInstances.endDate'].value.toInstant().toEpochMilli();
    if (moment != 0L) { state.ends.computeIfAbsent(instance, id -> new ArrayList()).add(moment); }
  }
}";

/// Durations of the instances of a shard.
const COMBINE: &str = "\
long count = 0L; double sum = 0.0; double min = Double.POSITIVE_INFINITY; double max = Double.NEGATIVE_INFINITY;
for (entry in state.starts.entrySet()) {
  List ends = state.ends.get(entry.getKey());
  if (ends == null) { continue; }
  long start = Long.MAX_VALUE;
  for (long moment : entry.getValue()) { if (moment < start) { start = moment; } }
  boolean found = false;
  long end = Long.MAX_VALUE;
  for (long moment : ends) { if (moment >= start && moment <= end) { end = moment; found = true; } }
  if (!found) { continue; }
  double duration = (double) (end - start);
  count += 1L; sum += duration; min = Math.min(min, duration); max = Math.max(max, duration);
}
return ['count': count, 'sum': sum, 'min': min, 'max': max];";

/// The durations of all shards together.
const REDUCE: &str = "\
long count = 0L; double sum = 0.0; double min = Double.POSITIVE_INFINITY; double max = Double.NEGATIVE_INFINITY;
for (shard in states) {
  if (shard == null || shard.count == 0L) { continue; }
  count += shard.count; sum += shard.sum; min = Math.min(min, shard.min); max = Math.max(max, shard.max);
}
if (count == 0L) { return null; }
if (params.aggregation == 'avg') { return sum / count; }
if (params.aggregation == 'min') { return min; }
if (params.aggregation == 'max') { return max; }
return sum;";

impl ProcessPartView {
    pub fn new(part: &ProcessPart, aggregations: Vec<Aggregation>) -> Result<Self, PlanError> {
        let end_of = |part: &Option<String>, name: &str| {
            part.clone().ok_or_else(|| {
                let place = format!("data.configuration.processPart.{name}");
                DefinitionError::part(place, "is missing; a process part needs two flow nodes")
            })
        };
        // Optimize's script fails on them, and its pages don't offer them.
        if aggregations
            .iter()
            .any(|aggregation| aggregation.kind == AggregationType::Percentile)
        {
            return Err(DefinitionError::part(
                "data.configuration.aggregationTypes",
                "percentiles can't be calculated for a process part",
            )
            .into());
        }
        Ok(Self {
            start: end_of(&part.start, "start")?,
            end: end_of(&part.end, "end")?,
            aggregations,
        })
    }

    fn aggregation(&self, aggregation: &Aggregation) -> Value {
        json!({"scripted_metric": {
            "params": {"start": self.start, "end": self.end, "aggregation": aggregation.kind.id()},
            "init_script": "state.starts = new HashMap(); state.ends = new HashMap();",
            "map_script": MAP,
            "combine_script": COMBINE,
            "reduce_script": REDUCE,
        }})
    }
}

fn name(position: usize) -> String {
    format!("duration{position}")
}

impl View for ProcessPartView {
    fn kinds(&self) -> Vec<MeasureKind> {
        let aggregations = self.aggregations.iter();
        aggregations
            .map(|aggregation| MeasureKind::Aggregated(aggregation.kind))
            .collect()
    }

    fn clauses(&self) -> Vec<Value> {
        let was_executed = |id: &String| {
            has_nested(
                FLOW_NODE_INSTANCES,
                term("flowNodeInstances.flowNodeId", id.as_str()),
            )
        };
        vec![was_executed(&self.start), was_executed(&self.end)]
    }

    fn aggregations(&self, _: &PlanContext<'_>) -> Aggregations {
        let metrics = self.aggregations.iter().enumerate();
        let metrics = metrics
            .map(|(position, aggregation)| (name(position), self.aggregation(aggregation)))
            .collect();
        within([nested(FLOW_NODE_INSTANCES)], metrics)
    }

    fn measures(&self, bucket: Bucket<'_>) -> Result<Vec<Measure>, AbsentAggregation> {
        let flow_nodes = bucket.level(1)?;
        let aggregations = self.aggregations.iter().enumerate();
        aggregations
            .map(|(position, _)| {
                let duration = flow_nodes.sub(&name(position))?.number("value")?;
                Ok(metric::whole_milliseconds(duration))
            })
            .collect()
    }
}
