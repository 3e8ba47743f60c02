//! Asks Elasticsearch which columns a table of instances has.

use cluster::{Elasticsearch, ElasticsearchError};
use optimize::definitions::clauses::DecisionClauses;
use optimize::raw_data::variables::VariableNames;
use optimize::table::decision::instances::DecisionColumns;
use optimize::table::discovery::{Answer, Key, Named, request};
use optimize::table::process::instances::ProcessColumns;
use optimize::table::typed::{Occurrence, TypedNames};
use serde_json::Value;

/// Finds the flow nodes and the variables of the process instances that match a query.
///
/// # Errors
/// Elasticsearch does not answer, or an index is missing.
pub async fn of_processes(
    elasticsearch: &Elasticsearch,
    indices: &[String],
    query: &Value,
) -> Result<ProcessColumns, ElasticsearchError> {
    let lists = [Named::FlowNodes, Named::Variables];
    let [flow_nodes, variables] = find(elasticsearch, indices, query, lists).await?;
    Ok(ProcessColumns {
        flow_nodes: VariableNames::new(flow_nodes.into_iter().map(|(id, _)| id).collect()),
        variables: TypedNames::new(variables),
    })
}

/// Finds the inputs and the outputs of the decision instances that match a query, and adds those that the definition knows.
///
/// # Errors
/// Elasticsearch does not answer, or an index is missing.
pub async fn of_decisions(
    elasticsearch: &Elasticsearch,
    indices: &[String],
    query: &Value,
    known: &DecisionClauses,
) -> Result<DecisionColumns, ElasticsearchError> {
    let lists = [Named::Inputs, Named::Outputs];
    let [inputs, outputs] = find(elasticsearch, indices, query, lists).await?;
    Ok(DecisionColumns::new(known, inputs, outputs))
}

/// What occurs in two lists; one request, and more for a list that has very many names.
async fn find(
    elasticsearch: &Elasticsearch,
    indices: &[String],
    query: &Value,
    lists: [Named; 2],
) -> Result<[Vec<Occurrence>; 2], ElasticsearchError> {
    let mut answer: Answer = (elasticsearch.search(indices, &request(query, &lists))).await?;
    let mut found = [Vec::new(), Vec::new()];
    for (list, found) in lists.into_iter().zip(&mut found) {
        *found = match answer.take(list) {
            Some(occurrences) => occurrences,
            None => {
                let keys: Vec<Key> = elasticsearch
                    .composite_keys(indices, query, &list.level(), &list.sources())
                    .await?;
                keys.into_iter().map(Into::into).collect()
            }
        };
    }
    Ok(found)
}
