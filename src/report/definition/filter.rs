//! Stored filters.

use serde::{Deserialize, Deserializer, de};

/// A filter of a process report.
#[derive(Debug, Clone)]
pub enum ProcessFilter {}

/// A filter of a decision report.
#[derive(Debug, Clone)]
pub enum DecisionFilter {}

impl<'de> Deserialize<'de> for ProcessFilter {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("filters can't be evaluated"))
    }
}

impl<'de> Deserialize<'de> for DecisionFilter {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Err(de::Error::custom("filters can't be evaluated"))
    }
}
