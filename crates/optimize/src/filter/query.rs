//! The few query shapes that filters are made of.

use serde_json::{Map, Value, json};

/// Path of the nested flow node instances.
pub const FLOW_NODE_INSTANCES: &str = "flowNodeInstances";
/// Path of the nested agent instances.
pub const AGENT_INSTANCES: &str = "agentInstances";
/// Path of the nested incidents.
pub const INCIDENTS: &str = "incidents";

/// Matches a document that has one nested document for which `query` holds.
pub fn nested(path: &str, query: Value) -> Value {
    json!({"nested": {"path": path, "score_mode": "none", "query": query}})
}

/// Bytes of the longest text that can be in an index as a whole. Elasticsearch 8.x refuses to look for a longer one, where
/// 7.x doesn't find it.
const LONGEST_TERM: usize = 32_766;

fn can_be_indexed(value: &Value) -> bool {
    value.as_str().is_none_or(|text| text.len() <= LONGEST_TERM)
}

/// Matches where the field is exactly this.
pub fn term(field: &str, value: impl Into<Value>) -> Value {
    let value = value.into();
    if can_be_indexed(&value) {
        json!({"term": {field: {"value": value}}})
    } else {
        json!({"match_none": {}})
    }
}

/// Matches where the field is one of these; nowhere when the list is empty.
pub fn terms<T: Into<Value>>(field: &str, values: impl IntoIterator<Item = T>) -> Value {
    let values = values.into_iter().map(T::into).filter(can_be_indexed);
    let values: Vec<Value> = values.collect();
    json!({"terms": {field: values}})
}

/// Matches where the field has a value.
pub fn exists(field: &str) -> Value {
    json!({"exists": {"field": field}})
}

/// Matches where one of the clauses does, and everywhere when there is none.
pub fn any_of(clauses: Vec<Value>) -> Value {
    Bool {
        should: clauses,
        ..Bool::default()
    }
    .into()
}

/// Matches where none of the clauses does.
pub fn none_of(clauses: Vec<Value>) -> Value {
    Bool {
        must_not: clauses,
        ..Bool::default()
    }
    .into()
}

/// Matches where all of the clauses do.
pub fn all_of(clauses: Vec<Value>) -> Value {
    Bool {
        must: clauses,
        ..Bool::default()
    }
    .into()
}

/// A `bool` query to which several filters can add their clauses.
#[derive(Default)]
pub struct Bool {
    /// Each has to match.
    pub must: Vec<Value>,
    /// None may match.
    pub must_not: Vec<Value>,
    /// Alternatives.
    pub should: Vec<Value>,
    /// Each has to match; the same as `must` where nothing is scored.
    pub filter: Vec<Value>,
    /// One of `should` has to match. It makes a difference where `should` is empty: the query matches nothing then, if
    /// it has any other clause that has to match, and everything, if it has none
    /// (crates/optimize/docs/filters.md, "Empty queries").
    pub needs_one: bool,
}

impl From<Bool> for Value {
    fn from(query: Bool) -> Self {
        let mut members = Map::new();
        for (name, clauses) in [
            ("must", query.must),
            ("must_not", query.must_not),
            ("should", query.should),
            ("filter", query.filter),
        ] {
            if !clauses.is_empty() {
                members.insert(name.to_owned(), Self::Array(clauses));
            }
        }
        if query.needs_one {
            members.insert("minimum_should_match".to_owned(), json!(1));
        }
        json!({"bool": members})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_to_be_indexed_is_not_looked_for() {
        let (fits, too_long) = ("x".repeat(32_766), "é".repeat(16_384));
        assert_eq!(
            term("f", fits.clone()),
            json!({"term": {"f": {"value": fits}}})
        );
        assert_eq!(term("f", too_long.clone()), json!({"match_none": {}}));
        assert_eq!(
            terms("f", [too_long.clone(), fits.clone()]),
            json!({"terms": {"f": [fits]}})
        );
        assert_eq!(terms("f", [too_long]), json!({"terms": {"f": []}}));
    }
}
