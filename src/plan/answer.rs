//! Reading the aggregations of an answer.
//!
//! Everything is read tolerantly: what is not there is `None` or empty, as where an aggregation was left out of the
//! request because there was nothing to aggregate.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::aggregations::LEVEL;

/// An answer to a search for aggregations.
#[derive(Debug, Deserialize)]
pub struct Answer {
    hits: Hits,
    #[serde(default)]
    aggregations: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Hits {
    total: Total,
}

#[derive(Debug, Deserialize)]
struct Total {
    value: u64,
}

impl Answer {
    /// All instances that the query found, as one bucket.
    pub fn root(&self) -> Bucket<'_> {
        Bucket {
            name: None,
            doc_count: self.hits.total.value,
            members: Some(&self.aggregations),
        }
    }
}

/// A bucket, or an aggregation without buckets: documents, and what is aggregated of them.
#[derive(Debug, Clone, Copy)]
pub struct Bucket<'a> {
    name: Option<&'a str>,
    doc_count: u64,
    members: Option<&'a Map<String, Value>>,
}

impl<'a> Bucket<'a> {
    fn of(name: Option<&'a str>, value: &'a Value) -> Self {
        let members = value.as_object();
        let doc_count = members.and_then(|members| members.get("doc_count")?.as_u64());
        Self {
            name,
            doc_count: doc_count.unwrap_or(0),
            members,
        }
    }

    fn member(&self, name: &str) -> Option<&'a Value> {
        self.members?.get(name)
    }

    /// How many documents it has.
    pub fn doc_count(&self) -> u64 {
        self.doc_count
    }

    /// An aggregation in it.
    pub fn sub(&self, name: &str) -> Option<Self> {
        self.member(name).map(|value| Self::of(None, value))
    }

    /// What is inside of so many aggregations named [`LEVEL`].
    pub fn level(&self, depth: usize) -> Option<Self> {
        (0..depth).try_fold(*self, |bucket, _| bucket.sub(LEVEL))
    }

    /// What is inside of all aggregations named [`LEVEL`].
    pub fn innermost_level(&self) -> Self {
        self.sub(LEVEL)
            .map_or(*self, |inner| inner.innermost_level())
    }

    /// The buckets of this aggregation, whether listed or by name.
    pub fn buckets(&self) -> Vec<Self> {
        match self.member("buckets") {
            Some(Value::Array(list)) => list.iter().map(|value| Self::of(None, value)).collect(),
            Some(Value::Object(by_name)) => by_name
                .iter()
                .map(|(name, value)| Self::of(Some(name), value))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Its key as text: its name, else the key as Elasticsearch formats it, else the key itself.
    pub fn key(&self) -> Option<String> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.name.map(str::to_owned).or_else(|| {
            self.member("key_as_string")
                .or_else(|| self.member("key"))
                .map(text)
        })
    }

    /// Its key as a number.
    pub fn numeric_key(&self) -> Option<f64> {
        self.number("key")
    }

    /// A number in it; `None` also for one that is not finite.
    pub fn number(&self, name: &str) -> Option<f64> {
        finite(self.member(name)?)
    }

    /// The value of the one percentile that was asked for.
    pub fn percentile(&self) -> Option<f64> {
        finite(self.member("values")?.get(0)?.get("value")?)
    }
}

fn finite(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn buckets_are_found_listed_and_by_name() {
        let answer: Answer = serde_json::from_value(json!({
            "hits": {"total": {"value": 7, "relation": "eq"}, "hits": []},
            "aggregations": {
                "level": {"doc_count": 3, "level": {"doc_count": 2, "listed": {"buckets": [
                    {"key": 1.5, "doc_count": 1, "m": {"value": 2.0}},
                    {"key": 1000, "key_as_string": "1000.00", "doc_count": 1, "m": {"value": null}}]}}},
                "by_name": {"buckets": {"b": {"doc_count": 4}, "a": {"doc_count": 5}}},
                "p": {"values": [{"key": 50.0, "value": 12.5}]}}}))
        .unwrap();
        let root = answer.root();
        assert_eq!(root.doc_count(), 7);
        let inner = root.level(2).unwrap();
        assert_eq!(inner.doc_count(), 2);
        assert_eq!(root.innermost_level().doc_count(), 2);
        assert!(root.level(3).is_none());
        let listed = inner.sub("listed").unwrap().buckets();
        let keys: Vec<_> = listed.iter().map(|b| b.key().unwrap()).collect();
        assert_eq!(keys, ["1.5", "1000.00"]);
        assert_eq!(listed[1].numeric_key(), Some(1000.0));
        assert_eq!(listed[0].sub("m").unwrap().number("value"), Some(2.0));
        assert_eq!(listed[1].sub("m").unwrap().number("value"), None);
        let by_name = root.sub("by_name").unwrap().buckets();
        assert_eq!(by_name[0].key().as_deref(), Some("a"));
        assert_eq!(by_name[0].doc_count(), 5);
        assert_eq!(root.sub("p").unwrap().percentile(), Some(12.5));
        assert!(root.sub("nothing").is_none());
        assert!(root.buckets().is_empty());
    }
}
