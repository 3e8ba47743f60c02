//! The names of all variables in the instances that match a report.
//!
//! Source: crates/optimize/docs/raw-data.md, "Variable names of a page".

use cluster::{Elasticsearch, ElasticsearchError};
use optimize::raw_data::variables::VariableNames;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Names asked for at once: one request does for nearly every report, and `terms` costs Elasticsearch a fraction of a
/// `composite` aggregation.
const MAX_AT_ONCE: usize = 10_000;

#[derive(Deserialize)]
struct Answer {
    aggregations: Option<Aggregations>,
}

#[derive(Deserialize)]
struct Aggregations {
    variables: Variables,
}

#[derive(Deserialize)]
struct Variables {
    names: Names,
}

#[derive(Deserialize)]
struct Names {
    /// More than zero if there are more names than were asked for.
    #[serde(default)]
    sum_other_doc_count: u64,
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    key: String,
}

/// Finds the names; several requests where there are very many.
///
/// # Errors
/// Elasticsearch does not answer, or an index is missing.
pub async fn find(
    elasticsearch: &Elasticsearch,
    indices: &[String],
    query: &Value,
) -> Result<VariableNames, ElasticsearchError> {
    let nested = Map::from_iter([("nested".to_owned(), json!({"path": "variables"}))]);
    let mut variables = nested.clone();
    let names = json!({"names": {"terms": {"field": "variables.name", "size": MAX_AT_ONCE}}});
    variables.insert("aggs".to_owned(), names);
    let body = json!({
        "size": 0,
        "track_total_hits": false,
        "query": query,
        "aggs": {"variables": variables},
    });
    let answer: Answer = elasticsearch.search(indices, &body).await?;
    let Some(names) = answer
        .aggregations
        .map(|aggregations| aggregations.variables.names)
    else {
        return Ok(VariableNames::default());
    };
    let names: Vec<String> = if names.sum_other_doc_count == 0 {
        names.buckets.into_iter().map(|bucket| bucket.key).collect()
    } else {
        let sources = json!([{"key": {"terms": {"field": "variables.name"}}}]);
        let keys: Vec<Bucket> = elasticsearch
            .composite_keys(indices, query, &nested, &sources)
            .await?;
        keys.into_iter().map(|bucket| bucket.key).collect()
    };
    Ok(VariableNames::new(names))
}
