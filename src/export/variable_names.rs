//! The names of all variables in the instances that match a report.
//!
//! Source: fact file D1, section 4.3; the contract's row on variable names.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::elasticsearch::{Elasticsearch, ElasticsearchError};
use crate::raw_data::variables::VariableNames;

/// Names asked for at once: one request does for nearly every report, and `terms` costs Elasticsearch a fraction of a
/// `composite` aggregation.
const MAX_AT_ONCE: usize = 10_000;

/// Finds the names; several requests where there are very many.
///
/// # Errors
/// Elasticsearch does not answer, or an index is missing.
pub async fn find(
    elasticsearch: &Elasticsearch,
    indices: &[String],
    query: &Value,
) -> Result<VariableNames, ElasticsearchError> {
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
        #[serde(default)]
        sum_other_doc_count: u64,
        buckets: Vec<Bucket>,
    }
    #[derive(Deserialize)]
    struct Bucket {
        key: String,
    }
    let body = request(
        query,
        &json!({"terms": {"field": "variables.name", "size": MAX_AT_ONCE}}),
    );
    let answer: Answer = elasticsearch.search(indices, &body).await?;
    let Some(names) = answer
        .aggregations
        .map(|aggregations| aggregations.variables.names)
    else {
        return Ok(VariableNames::default());
    };
    if names.sum_other_doc_count > 0 {
        return find_page_by_page(elasticsearch, indices, query).await;
    }
    Ok(VariableNames::new(
        names.buckets.into_iter().map(|bucket| bucket.key).collect(),
    ))
}

async fn find_page_by_page(
    elasticsearch: &Elasticsearch,
    indices: &[String],
    query: &Value,
) -> Result<VariableNames, ElasticsearchError> {
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
        names: Page,
    }
    #[derive(Deserialize)]
    struct Page {
        after_key: Option<Value>,
        buckets: Vec<Bucket>,
    }
    #[derive(Deserialize)]
    struct Bucket {
        key: Key,
    }
    #[derive(Deserialize)]
    struct Key {
        name: String,
    }
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let mut composite = json!({"size": MAX_AT_ONCE, "sources": [{"name": {"terms": {"field": "variables.name"}}}]});
        if let Some(after) = after.take() {
            composite["after"] = after;
        }
        let body = request(query, &json!({"composite": composite}));
        let answer: Answer = elasticsearch.search(indices, &body).await?;
        let Some(page) = answer
            .aggregations
            .map(|aggregations| aggregations.variables.names)
        else {
            break;
        };
        names.extend(page.buckets.into_iter().map(|bucket| bucket.key.name));
        after = page.after_key;
        if after.is_none() {
            break;
        }
    }
    Ok(VariableNames::new(names))
}

fn request(query: &Value, names: &Value) -> Value {
    json!({
        "size": 0,
        "track_total_hits": false,
        "query": query,
        "aggs": {"variables": {"nested": {"path": "variables"}, "aggs": {"names": names}}},
    })
}
