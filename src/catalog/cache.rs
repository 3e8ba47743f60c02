//! Looking into a cache and counting what came of it.

use std::hash::Hash;
use std::sync::Arc;

use moka::future::Cache;

use crate::telemetry;

/// What the cache holds, else what `load` gives. Requests for the same key at the same time load once; a failure is not
/// kept. `name` is that of the cache in the metrics.
///
/// # Errors
/// That of `load`.
pub async fn get_or_load<K, V, E>(
    name: &'static str,
    cache: &Cache<K, V>,
    key: K,
    load: impl Future<Output = Result<V, E>>,
) -> Result<V, Arc<E>>
where
    K: Hash + Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    let entry = cache.entry(key).or_try_insert_with(load).await;
    let is_hit = entry.as_ref().is_ok_and(|entry| !entry.is_fresh());
    telemetry::looked_up(name, is_hit);
    Ok(entry?.into_value())
}
