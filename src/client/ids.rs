//! Which rows a file has already.

use std::collections::HashSet;

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// Ids of instances, each as the first 128 bits of its SHA-256: 16 bytes instead of a text, so that a million of them
/// take 20 to 40 megabytes. Two ids among a billion are confused with a probability below 10⁻²⁰.
#[derive(Debug, Default)]
pub struct InstanceIds(HashSet<u128>);

impl InstanceIds {
    /// Adds an id; `false` if it is there already.
    pub fn insert(&mut self, id: &str) -> bool {
        self.0.insert(digest(id))
    }

    /// Whether an id is there.
    pub fn contains(&self, id: &str) -> bool {
        self.0.contains(&digest(id))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn digest(id: &str) -> u128 {
    let digest = Sha256::digest(id.as_bytes());
    let half = digest.first_chunk::<16>().copied();
    half.map_or(0, u128::from_le_bytes)
}

/// The members of a raw data row that tell which instance it is
/// (crates/optimize/docs/raw-data.md, "Rows of process instances" and "Rows of decision instances").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    process_instance_id: Option<String>,
    decision_instance_id: Option<String>,
}

/// The id of the instance that a raw data row is about: of the decision instance if it has one, because the row of a
/// decision names the process instance too that it was made in.
///
/// # Errors
/// The text is no JSON object. `None` for an object that is no row of a raw data report.
pub fn instance_id(row: &str) -> Result<Option<String>, serde_json::Error> {
    let row: Row = utf16::from_slice(row.as_bytes())?;
    Ok(row.decision_instance_id.or(row.process_instance_id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_known_once_it_was_added() {
        let mut ids = InstanceIds::default();
        assert!(ids.is_empty() && ids.insert("a") && ids.insert("b"));
        assert!(!ids.insert("a"));
        assert!(ids.contains("b") && !ids.contains("c"));
        assert_eq!(ids.len(), 2);
    }

    #[test]
    fn a_decision_is_not_taken_for_its_process_instance() {
        let id = |row: &str| instance_id(row).unwrap();
        assert_eq!(
            id(r#"{"processInstanceId":"p","variables":{"decisionInstanceId":"no"}}"#).as_deref(),
            Some("p")
        );
        assert_eq!(
            id(r#"{"decisionInstanceId":"d\n","processInstanceId":"p"}"#).as_deref(),
            Some("d\n")
        );
        assert_eq!(
            id(r#"{"decisionInstanceId":"d","processInstanceId":null}"#).as_deref(),
            Some("d")
        );
        assert_eq!(id(r#"{"key":"a","value":1.0}"#), None);
        let half = id(r#"{"processInstanceId":"\ud83d"}"#);
        assert_ne!(half, id(r#"{"processInstanceId":"\ud83c"}"#));
        assert!(instance_id(r#"{"processInstanceId":"p""#).is_err());
        assert!(instance_id("7").is_err());
    }
}
