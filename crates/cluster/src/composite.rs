//! All keys of a composite aggregation, however many pages they take.

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::client::Elasticsearch;
use super::error::ElasticsearchError;

/// Buckets per request.
const PAGE: usize = 1_000;

#[derive(Deserialize)]
struct Answer<K> {
    aggregations: Option<Aggregations<K>>,
}

#[derive(Deserialize)]
struct Aggregations<K> {
    level: Level<K>,
}

#[derive(Deserialize)]
struct Level<K> {
    keys: Page<K>,
}

#[derive(Deserialize)]
struct Page<K> {
    after_key: Option<Value>,
    buckets: Vec<Bucket<K>>,
}

#[derive(Deserialize)]
struct Bucket<K> {
    key: K,
}

impl Elasticsearch {
    /// Collects the keys; all of them together are held as one answer. `level` is the aggregation around the composite one, such as a `nested` or a `filter`.
    ///
    /// # Errors
    /// As [`Elasticsearch::search`].
    pub async fn composite_keys<K: DeserializeOwned>(
        &self,
        indices: &[String],
        query: &Value,
        level: &Map<String, Value>,
        sources: &Value,
    ) -> Result<Vec<K>, ElasticsearchError> {
        let mut keys = Vec::new();
        let share = self.small_share();
        let mut after = Value::Null;
        loop {
            let mut composite = Map::new();
            composite.insert("size".to_owned(), json!(PAGE));
            composite.insert("sources".to_owned(), sources.clone());
            if !after.is_null() {
                composite.insert("after".to_owned(), after);
            }
            let mut level = level.clone();
            level.insert("aggs".to_owned(), json!({"keys": {"composite": composite}}));
            let body = json!({"size": 0, "track_total_hits": false, "query": query, "aggs": {"level": level}});
            let before = share.bytes();
            let body = Bytes::from(body.to_string());
            let answer: Answer<K> = self.search_within(indices, body, &share).await?;
            // The text is gone, and half of what it took was for it.
            share.shrink((share.bytes() - before) / 2);
            let Some(page) = answer
                .aggregations
                .map(|aggregations| aggregations.level.keys)
            else {
                return Ok(keys);
            };
            keys.extend(page.buckets.into_iter().map(|bucket| bucket.key));
            match page.after_key {
                Some(key) => after = key,
                None => return Ok(keys),
            }
        }
    }
}
