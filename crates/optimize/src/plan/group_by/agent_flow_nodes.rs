//! By flow node in which agents worked (crates/optimize/docs/plans.md, "Tool calls per flow node";
//! `ProcessGroupByAgentFlowNodeInterpreterES`, `ProcessGroupByFlowNodeInterpreterHelper`).

use super::{Group, Grouping};
use crate::filter::query::{AGENT_INSTANCES, FLOW_NODE_INSTANCES};
use crate::plan::PlanError;
use crate::plan::aggregations::{named, nested, terms, with};
use crate::plan::answer::Bucket;
use crate::plan::inner::Inner;
use crate::plan::model_groups::{self, ModelGroups};
use crate::plan::search::Outermost;
use crate::plan::statistics::Range;
use crate::plan::view::count;

const AGENTS: &str = "agents";
const TOOLS: &str = "tools";
const FLOW_NODES: &str = "flowNodes";

/// By flow node; those without agents are shown too. In place of an ad-hoc sub-process, whose agent calls them, there are its
/// tools, with the number of their calls, whatever is measured. No filter of the view level narrows anything.
pub struct ByFlowNodeOfAgent;

fn buckets<'a>(answer: Bucket<'a>, name: &str) -> Result<Vec<Bucket<'a>>, PlanError> {
    Ok(answer.sub(name)?.sub(FLOW_NODES)?.buckets()?)
}

impl Grouping for ByFlowNodeOfAgent {
    fn needs_models(&self) -> bool {
        true
    }

    fn needs_ad_hoc_sub_processes(&self) -> bool {
        true
    }

    fn aggregations(&self, _: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        let context = inner.context;
        let limit = context.bucket_limit;
        let of_agents = with(
            terms("agentInstances.flowNodeId", limit),
            inner.aggregations()?,
        );
        let agents = with(nested(AGENT_INSTANCES), named(FLOW_NODES, of_agents));
        let mut aggregations = named(AGENTS, agents);
        if context.models.ad_hoc_sub_processes.have_tools() {
            let executed = terms("flowNodeInstances.flowNodeId", limit);
            let tools = with(nested(FLOW_NODE_INSTANCES), named(FLOW_NODES, executed));
            aggregations.insert(TOOLS.to_owned(), tools);
        }
        Ok(aggregations.into())
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        let models = inner.context.models;
        let ad_hoc = &models.ad_hoc_sub_processes;
        let agents = buckets(answer, AGENTS)?;
        let executed = if ad_hoc.have_tools() {
            buckets(answer, TOOLS)?
        } else {
            Vec::new()
        };
        if agents.is_empty() && executed.is_empty() {
            // Not even the elements without data, unlike where something was done without agents.
            return Ok(Vec::new());
        }
        let mut groups = ModelGroups::new(&models.flow_nodes, inner, &[]);
        for bucket in agents {
            let id = bucket.key()?;
            if !ad_hoc.contain(&id) {
                groups.add(&id, || inner.parts(bucket, &[]))?;
            }
        }
        for bucket in executed {
            let id = bucket.key()?;
            if ad_hoc.have_tool(&id) {
                groups.add(&id, || {
                    let executions = Some(count(bucket.doc_count()?));
                    let mut parts = inner.parts_of_nothing(&[]);
                    for part in &mut parts {
                        part.value = executions;
                    }
                    Ok(parts)
                })?;
            }
        }
        let groups = groups.with_all_elements();
        Ok(model_groups::without_hidden(groups, inner))
    }
}
