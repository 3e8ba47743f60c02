//! How long process instances have taken from one flow node to another
//! (crates/optimize/docs/plans.md, "Duration of a process part";
//! `ProcessPartQueryUtilES`).

use serde_json::{Value, json};

use super::{Measure, MeasureKind, View, metric};
use crate::filter::query::{FLOW_NODE_INSTANCES, nested as has_nested, term, terms};
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, filter, nested, within};
use crate::plan::answer::{AbsentAggregation, Bucket};
use crate::plan::context::PlanContext;
use crate::report::definition::{Aggregation, AggregationType, DefinitionError, ProcessPart};

const FLOW_NODE_ID: &str = "flowNodeInstances.flowNodeId";

/// Durations from the first start of one flow node to the first end of another one that is not before that. Instances
/// in which the latter has not ended are left out.
pub struct ProcessPartView {
    start: String,
    end: String,
    aggregations: Vec<Aggregation>,
}

/// No instance yet, and no duration.
const INIT: &str = "\
state.instance = null; state.start = null; state.ends = new ArrayList();
state.count = 0L; state.sum = 0.0; state.min = Double.POSITIVE_INFINITY; state.max = Double.NEGATIVE_INFINITY;";

/// Adds the duration of the instance whose flow nodes have been seen, if it has one, and forgets it.
const FINISH: &str = "\
void finish(Map state) {
  if (state.start != null) {
    long start = state.start;
    long end = Long.MAX_VALUE;
    boolean found = false;
    for (long moment : state.ends) { if (moment >= start && moment <= end) { end = moment; found = true; } }
    if (found) {
      double duration = (double) (end - start);
      state.count += 1L; state.sum += duration;
      state.min = Math.min(state.min, duration); state.max = Math.max(state.max, duration);
    }
  }
  state.start = null;
  state.ends.clear();
}
";

/// The first start and the ends of an instance. The flow nodes of an instance are parts of one document, so they come one after the other:
/// with those of another instance, the one before is finished. Optimize keeps the dates of all instances by their ids instead, some
/// hundred bytes for each.
const MAP: &str = "\
def instances = doc['flowNodeInstances.processInstanceId'];
def flowNodes = doc['flowNodeInstances.flowNodeId'];
if (instances.size() == 0 || flowNodes.size() == 0) { return; }
String instance = instances.get(0);
if (instance != state.instance) {
  finish(state);
  state.instance = instance;
}
if (flowNodes.get(0) == params.start) {
  def starts = doc['flowNodeInstances.startDate'];
  if (starts.size() != 0) {
    long moment = starts.get(0).toInstant().toEpochMilli();
    if (moment != 0L && (state.start == null || moment < state.start)) { state.start = moment; }
  }
} else if (flowNodes.get(0) == params.end) {
  def ends = doc['flowNodeInstances.endDate'];
  if (ends.size() != 0) {
    long moment = ends.get(0).toInstant().toEpochMilli();
    if (moment != 0L) { state.ends.add(moment); }
  }
}";

/// The durations of the instances of a shard.
const COMBINE: &str = "\
finish(state);
return ['count': state.count, 'sum': state.sum, 'min': state.min, 'max': state.max];";

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
            "init_script": INIT,
            "map_script": format!("{FINISH}{MAP}"),
            "combine_script": format!("{FINISH}{COMBINE}"),
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
        let was_executed =
            |id: &String| has_nested(FLOW_NODE_INSTANCES, term(FLOW_NODE_ID, id.as_str()));
        vec![was_executed(&self.start), was_executed(&self.end)]
    }

    fn aggregations(&self, _: &PlanContext<'_>) -> Aggregations {
        let metrics = self.aggregations.iter().enumerate();
        let metrics = metrics
            .map(|(position, aggregation)| (name(position), self.aggregation(aggregation)))
            .collect();
        let ends_of_part = terms(FLOW_NODE_ID, [self.start.as_str(), self.end.as_str()]);
        within([nested(FLOW_NODE_INSTANCES), filter(ends_of_part)], metrics)
    }

    fn measures(&self, bucket: Bucket<'_>) -> Result<Vec<Measure>, AbsentAggregation> {
        let flow_nodes = bucket.level(2)?;
        let aggregations = self.aggregations.iter().enumerate();
        aggregations
            .map(|(position, _)| {
                let duration = flow_nodes.sub(&name(position))?.number("value")?;
                Ok(metric::whole_milliseconds(duration))
            })
            .collect()
    }
}
