//! The few aggregations that plans are made of.

use serde_json::{Map, Value, json};

use crate::scope::DefinitionScope;

/// Aggregations by name.
pub type Aggregations = Map<String, Value>;

/// Name of an aggregation that is only there for what is inside: a `nested`, a `filter`.
pub const LEVEL: &str = "level";

/// One aggregation by its name.
pub fn named(name: &str, aggregation: Value) -> Aggregations {
    Map::from_iter([(name.to_owned(), aggregation)])
}

/// An aggregation with others in each of its buckets.
pub fn with(mut aggregation: Value, inner: Aggregations) -> Value {
    if let Some(members) = aggregation.as_object_mut()
        && !inner.is_empty()
    {
        members.insert("aggs".to_owned(), inner.into());
    }
    aggregation
}

/// Puts aggregations inside of others, each named [`LEVEL`]; the first is the outermost.
pub fn within<const N: usize>(levels: [Value; N], inner: Aggregations) -> Aggregations {
    levels
        .into_iter()
        .rev()
        .fold(inner, |inner, level| named(LEVEL, with(level, inner)))
}

/// Goes to nested documents.
pub fn nested(path: &str) -> Value {
    json!({"nested": {"path": path}})
}

/// Goes from nested documents back to the process instances.
pub fn reverse_nested() -> Value {
    json!({"reverse_nested": {}})
}

/// Keeps what matches.
pub fn filter(query: impl Into<Value>) -> Value {
    json!({"filter": query.into()})
}

/// A bucket per value, the most frequent ones first.
pub fn terms(field: &str, limit: u32) -> Value {
    json!({"terms": {"field": field, "size": limit}})
}

/// A bucket per value, the smallest values first.
pub fn terms_by_key(field: &str, limit: u32) -> Value {
    json!({"terms": {"field": field, "size": limit, "order": {"_key": "asc"}}})
}

/// A bucket per value, the smallest values first, and one with a key of its own for what has no value.
pub fn terms_or_missing(field: &str, limit: u32, missing: &str) -> Value {
    json!({"terms": {"field": field, "size": limit, "order": {"_key": "asc"}, "missing": missing}})
}

/// What a result calls a definition of its report. Optimize makes up an identifier where the report has none; the key
/// of the definition says more.
pub fn definition_identifier(definition: &DefinitionScope) -> &str {
    definition.identifier.as_deref().unwrap_or(&definition.key)
}
