//! What Elasticsearch is asked.

use serde::Serialize;
use serde::ser::SerializeMap as _;
use serde_json::Value;
use serde_json::value::RawValue;

use super::PlanError;
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
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Outermost {
    /// Aggregations.
    Tree(Aggregations),
    /// So many that a tree of them would be large: their JSON.
    Written(Box<RawValue>),
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
    /// Its text.
    ///
    /// # Errors
    /// It has none; all that is in it has one.
    pub fn text(&self) -> Result<String, PlanError> {
        Ok(serde_json::to_string(self)?)
    }
}

impl Serialize for Search {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("size", &0)?;
        members.serialize_entry("track_total_hits", &true)?;
        members.serialize_entry("query", &self.query)?;
        members.serialize_entry("aggs", &self.aggregations)?;
        members.end()
    }
}
