//! What Elasticsearch is asked.

use serde_json::{Value, json};

use super::aggregations::Aggregations;

/// A search for aggregations of all that it finds.
#[derive(Debug)]
pub struct Search {
    /// Which instances.
    pub query: Value,
    /// What is aggregated of them.
    pub aggregations: Outermost,
}

/// The aggregations outside of all others.
#[derive(Debug)]
pub enum Outermost {
    /// Aggregations.
    Tree(Aggregations),
    /// So many that a tree of them would be large: their JSON.
    Written(String),
}

impl Default for Outermost {
    fn default() -> Self {
        Aggregations::new().into()
    }
}

impl From<Aggregations> for Outermost {
    fn from(aggregations: Aggregations) -> Self {
        Self::Tree(aggregations)
    }
}

impl Search {
    /// Its text. What is written already is not copied.
    pub fn into_text(self) -> String {
        let mut text = match self.aggregations {
            Outermost::Tree(aggregations) => Value::Object(aggregations).to_string(),
            Outermost::Written(text) => text,
        };
        let mut head =
            json!({"size": 0, "track_total_hits": true, "query": self.query}).to_string();
        // Where its last bracket was, the aggregations go on.
        head.pop();
        head.push_str(",\"aggs\":");
        text.reserve_exact(head.len() + 1);
        text.insert_str(0, &head);
        text.push('}');
        text
    }
}
