//! Which columns a table of instances has: what to ask Elasticsearch for, and how to read its answer.
//!
//! Names and types are counted with one `terms` aggregation in another. Where there are more names than it gives, the answer
//! is of no use, and a `composite` aggregation goes through all of them instead.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::typed::Occurrence;

/// Names asked for at once: one request does for nearly every report, and `terms` costs Elasticsearch a fraction of a
/// `composite` aggregation.
const MAX_AT_ONCE: usize = 10_000;
/// Types asked for of each name. Optimize knows nine, and whatever is beyond the first two makes a column of text anyway.
const MAX_TYPES: usize = 10;

/// The names of the aggregations, one within the other.
const NAMES: &str = "names";
const TYPES: &str = "types";

/// A list in stored instances whose elements have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// Variables of process instances, with their types.
    Variables,
    /// Flow nodes of process instances.
    FlowNodes,
    /// Inputs of decision instances, with their types.
    Inputs,
    /// Outputs of decision instances, with their types.
    Outputs,
}

impl Named {
    /// Where the list is; also the name of its aggregation.
    const fn path(self) -> &'static str {
        match self {
            Self::Variables => "variables",
            Self::FlowNodes => "flowNodeInstances",
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Variables => "variables.name",
            Self::FlowNodes => "flowNodeInstances.flowNodeId",
            Self::Inputs => "inputs.clauseId",
            Self::Outputs => "outputs.clauseId",
        }
    }

    const fn variable_type(self) -> Option<&'static str> {
        match self {
            Self::Variables => Some("variables.type"),
            Self::FlowNodes => None,
            Self::Inputs => Some("inputs.type"),
            Self::Outputs => Some("outputs.type"),
        }
    }

    /// What goes around the aggregation of names.
    pub fn level(self) -> Map<String, Value> {
        Map::from_iter([("nested".to_owned(), json!({"path": self.path()}))])
    }

    /// The sources of the composite aggregation, whose keys are [`Key`]s.
    pub fn sources(self) -> Value {
        let mut sources = vec![json!({"name": {"terms": {"field": self.name()}}})];
        sources.extend(self.variable_type().map(|field| {
            // Values without a type count too.
            json!({"type": {"terms": {"field": field, "missing_bucket": true}}})
        }));
        Value::Array(sources)
    }

    fn aggregation(self) -> Value {
        let mut names = json!({"terms": {"field": self.name(), "size": MAX_AT_ONCE}});
        if let (Some(field), Some(names)) = (self.variable_type(), names.as_object_mut()) {
            let types = json!({(TYPES): {"terms": {"field": field, "size": MAX_TYPES}}});
            names.insert("aggs".to_owned(), types);
        }
        let mut level = self.level();
        level.insert("aggs".to_owned(), json!({(NAMES): names}));
        Value::Object(level)
    }
}

/// The search that finds the names of lists in the instances that match a query.
pub fn request(query: &Value, lists: &[Named]) -> Value {
    let aggregations = lists
        .iter()
        .map(|list| (list.path().to_owned(), list.aggregation()));
    json!({
        "size": 0,
        "track_total_hits": false,
        "query": query,
        "aggs": Map::from_iter(aggregations),
    })
}

/// The answer to [`request`].
#[derive(Debug, Default, Deserialize)]
pub struct Answer {
    #[serde(default)]
    aggregations: Option<Aggregations>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Aggregations {
    variables: Level,
    flow_node_instances: Level,
    inputs: Level,
    outputs: Level,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Level {
    names: Terms<NameBucket>,
}

#[derive(Debug, Deserialize)]
struct Terms<B> {
    /// More than zero if there are more than were asked for.
    #[serde(default)]
    sum_other_doc_count: u64,
    buckets: Vec<B>,
}

impl<B> Default for Terms<B> {
    fn default() -> Self {
        Self {
            sum_other_doc_count: 0,
            buckets: Vec::new(),
        }
    }
}

#[derive(Debug, Deserialize)]
struct NameBucket {
    key: String,
    doc_count: u64,
    #[serde(default)]
    types: Terms<TypeBucket>,
}

#[derive(Debug, Deserialize)]
struct TypeBucket {
    key: String,
    doc_count: u64,
}

impl Answer {
    /// Takes the names of a list; `None` where there are more than were asked for, so that the composite aggregation has to
    /// go through them.
    pub fn take(&mut self, list: Named) -> Option<Vec<Occurrence>> {
        let Some(aggregations) = &mut self.aggregations else {
            // A search over no index has no aggregations.
            return Some(Vec::new());
        };
        let names = std::mem::take(match list {
            Named::Variables => &mut aggregations.variables.names,
            Named::FlowNodes => &mut aggregations.flow_node_instances.names,
            Named::Inputs => &mut aggregations.inputs.names,
            Named::Outputs => &mut aggregations.outputs.names,
        });
        if names.sum_other_doc_count > 0 {
            return None;
        }
        let mut occurrences = Vec::with_capacity(names.buckets.len());
        for name in names.buckets {
            let typed: u64 = name
                .types
                .buckets
                .iter()
                .map(|of_type| of_type.doc_count)
                .sum();
            let mut types = name.types.buckets.into_iter();
            occurrences.extend(
                types
                    .by_ref()
                    .map(|of_type| (name.key.clone(), Some(of_type.key))),
            );
            // Values without a type are in no bucket of a type.
            if typed != name.doc_count {
                occurrences.push((name.key, None));
            }
        }
        Some(occurrences)
    }
}

/// A key of the composite aggregation over [`Named::sources`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Key {
    name: String,
    #[serde(default, rename = "type")]
    variable_type: Option<String>,
}

impl From<Key> for Occurrence {
    fn from(key: Key) -> Self {
        (key.name, key.variable_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_asked_for_with_their_types() {
        let request = request(
            &json!({"match_all": {}}),
            &[Named::Variables, Named::FlowNodes],
        );
        assert_eq!(
            request,
            json!({"size": 0, "track_total_hits": false, "query": {"match_all": {}}, "aggs": {
                "variables": {"nested": {"path": "variables"}, "aggs": {"names": {
                    "terms": {"field": "variables.name", "size": 10_000},
                    "aggs": {"types": {"terms": {"field": "variables.type", "size": 10}}}}}},
                "flowNodeInstances": {"nested": {"path": "flowNodeInstances"}, "aggs": {"names": {
                    "terms": {"field": "flowNodeInstances.flowNodeId", "size": 10_000}}}},
            }})
        );
        assert_eq!(
            Named::Outputs.sources(),
            json!([{"name": {"terms": {"field": "outputs.clauseId"}}},
                {"type": {"terms": {"field": "outputs.type", "missing_bucket": true}}}])
        );
        assert_eq!(
            Named::FlowNodes.sources(),
            json!([{"name": {"terms": {"field": "flowNodeInstances.flowNodeId"}}}])
        );
    }

    fn occurrences(answer: &Value, list: Named) -> Option<Vec<(String, String)>> {
        let mut answer: Answer = serde_json::from_value(answer.clone()).unwrap();
        let shown = |(name, variable_type): Occurrence| {
            (name, variable_type.unwrap_or_else(|| "-".to_owned()))
        };
        Some(answer.take(list)?.into_iter().map(shown).collect())
    }

    fn pair(name: &str, variable_type: &str) -> (String, String) {
        (name.to_owned(), variable_type.to_owned())
    }

    #[test]
    fn values_without_a_type_are_noticed() {
        let answer = json!({"aggregations": {"variables": {"doc_count": 9, "names": {
            "doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": [
                {"key": "a", "doc_count": 4, "types": {"sum_other_doc_count": 0, "buckets": [
                    {"key": "Long", "doc_count": 3}, {"key": "String", "doc_count": 1}]}},
                {"key": "b", "doc_count": 3, "types": {"sum_other_doc_count": 0, "buckets": [{"key": "Long", "doc_count": 2}]}},
                {"key": "c", "doc_count": 2, "types": {"sum_other_doc_count": 0, "buckets": []}}]}}}});
        assert_eq!(
            occurrences(&answer, Named::Variables),
            Some(vec![
                pair("a", "Long"),
                pair("a", "String"),
                pair("b", "Long"),
                pair("b", "-"),
                pair("c", "-")
            ])
        );
    }

    #[test]
    fn a_list_that_was_not_asked_for_or_is_nowhere_has_no_names() {
        for answer in [
            json!({"hits": {"hits": []}}),
            json!({"aggregations": {}}),
            json!({"aggregations": {"flowNodeInstances": {"doc_count": 0}}}),
        ] {
            assert_eq!(occurrences(&answer, Named::FlowNodes), Some(vec![]));
        }
    }

    #[test]
    fn more_names_than_were_asked_for_are_no_answer() {
        let answer = json!({"aggregations": {"inputs": {"doc_count": 9, "names": {
            "sum_other_doc_count": 1, "buckets": [{"key": "a", "doc_count": 8}]}}}});
        assert_eq!(occurrences(&answer, Named::Inputs), None);
    }

    #[test]
    fn keys_of_the_composite_aggregation_are_occurrences_too() {
        let keys =
            json!([{"name": "a", "type": "Long"}, {"name": "a", "type": null}, {"name": "b"}]);
        let keys: Vec<Key> = serde_json::from_value(keys).unwrap();
        let occurrences: Vec<Occurrence> = keys.into_iter().map(Into::into).collect();
        let expected = [("a", Some("Long")), ("a", None), ("b", None)];
        let expected = expected.map(|(name, of)| (name.to_owned(), of.map(str::to_owned)));
        assert_eq!(occurrences, expected);
    }
}
