//! Whether the cluster lets the service in, and what it lets it do.
//!
//! Every authenticated user may ask what it may do, so the answer does not depend on the privileges that are missing.

use std::collections::BTreeMap;

use cluster::{Elasticsearch, ElasticsearchError, Refusal};
use optimize::scope::{DefinitionKind, IndexNames};
use serde::Deserialize;
use serde_json::json;

use super::{Findings, Verdict};
use crate::flags;

const SUBJECT: &str = "privileges";

/// Where a role that suffices is described.
const GUIDE: &str = "docs/ELASTICSEARCH_SECURITY.md";

/// What Elasticsearch answers when a user asks what it may do.
#[derive(Debug, Deserialize)]
struct Privileges {
    username: String,
    #[serde(default)]
    cluster: BTreeMap<String, bool>,
    #[serde(default)]
    index: BTreeMap<String, BTreeMap<String, bool>>,
}

/// Says in words why Elasticsearch does not let the service in.
pub(super) fn explain_refusal(error: &ElasticsearchError, has_credentials: bool) -> String {
    match error {
        ElasticsearchError::Refused {
            status: 401,
            reason,
            ..
        } if has_credentials => {
            format!("it does not accept the user and password, or the API key: {reason}")
        }
        ElasticsearchError::Refused { status: 401, .. } => {
            format!(
                "it wants to know who asks, and no credentials are configured ({} and {}, or {})",
                flags::ELASTICSEARCH_USERNAME,
                flags::ELASTICSEARCH_PASSWORD_FILE,
                flags::ELASTICSEARCH_API_KEY_FILE
            )
        }
        _ => error.to_string(),
    }
}

/// Looks at the privileges; gives back whether the rest can be looked at. A cluster without security has none.
pub(super) async fn check(
    elasticsearch: &Elasticsearch,
    names: &IndexNames,
    findings: &mut Findings,
) -> bool {
    match ask(elasticsearch, names).await {
        Ok(privileges) => judge(&privileges, findings),
        Err(error) if error.refusal() == Some(Refusal::AccessDenied) => {
            findings.add(SUBJECT, Verdict::Bad, error.to_string());
            false
        }
        // Without security nobody answers that question, and no version says so in the same way.
        Err(ElasticsearchError::Refused { .. }) => true,
        Err(error) => {
            findings.add(SUBJECT, Verdict::Bad, error.to_string());
            false
        }
    }
}

async fn ask(
    elasticsearch: &Elasticsearch,
    names: &IndexNames,
) -> Result<Privileges, ElasticsearchError> {
    let kinds = [DefinitionKind::Process, DefinitionKind::Decision];
    let mut indices: Vec<String> = [
        "single-process-report",
        "single-decision-report",
        "combined-report",
    ]
    .map(|index| names.alias(index))
    .into();
    for kind in kinds {
        indices.push(names.alias(kind.definition_index()));
        indices.push(names.all_instances(kind));
        indices.push(names.instances_of(kind, "*"));
    }
    let question = json!({
        "cluster": ["monitor"],
        "index": [{"names": indices, "privileges": ["read", "view_index_metadata", "write"]}],
    });
    elasticsearch
        .post("_security/user/_has_privileges", &question)
        .await
}

fn judge(privileges: &Privileges, findings: &mut Findings) -> bool {
    let user = &privileges.username;
    let indices_with = |privilege: &str, wanted: bool| {
        let found: Vec<&str> = privileges
            .index
            .iter()
            .filter(|(_, granted)| granted.get(privilege).copied().unwrap_or(false) == wanted)
            .map(|(index, _)| index.as_str())
            .collect();
        (!found.is_empty()).then(|| found.join(", "))
    };
    let mut is_complete = true;
    if privileges.cluster.get("monitor") != Some(&true) {
        is_complete = false;
        findings.add(
            SUBJECT,
            Verdict::Bad,
            format!(
                "the user {user} lacks the cluster privilege monitor; the service would never say that it is ready ({GUIDE})"
            ),
        );
    }
    let unreadable = indices_with("read", false);
    if let Some(indices) = &unreadable {
        is_complete = false;
        findings.add(
            SUBJECT,
            Verdict::Bad,
            format!("the user {user} lacks the index privilege read on {indices} ({GUIDE})"),
        );
    }
    if let Some(indices) = indices_with("view_index_metadata", false) {
        is_complete = false;
        findings.add(
            SUBJECT,
            Verdict::Note,
            format!(
                "the user {user} lacks the index privilege view_index_metadata on {indices}; exports work without it, but \
                 versions and shards of the indices can't be checked ({GUIDE})"
            ),
        );
    }
    if let Some(indices) = indices_with("write", true) {
        findings.add(
            SUBJECT,
            Verdict::Note,
            format!(
                "the user {user} may write to {indices}, which the service never does ({GUIDE})"
            ),
        );
    }
    if is_complete {
        findings.add(
            SUBJECT,
            Verdict::Good,
            format!("the user {user} has monitor, read and view_index_metadata"),
        );
    }
    unreadable.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(answer: serde_json::Value) -> (bool, Vec<(Verdict, String)>) {
        let mut findings = Findings::default();
        let goes_on = judge(&serde_json::from_value(answer).unwrap(), &mut findings);
        let findings = findings.as_slice().iter();
        (
            goes_on,
            findings.map(|f| (f.verdict, f.detail.clone())).collect(),
        )
    }

    #[test]
    fn what_is_missing_is_named_with_its_indices() {
        let (goes_on, findings) = judged(json!({
            "username": "u", "cluster": {"monitor": false},
            "index": {"a": {"read": true, "view_index_metadata": true, "write": false},
                      "b": {"read": false, "view_index_metadata": false, "write": true}},
        }));
        assert!(!goes_on);
        let verdicts: Vec<Verdict> = findings.iter().map(|(verdict, _)| *verdict).collect();
        assert_eq!(
            verdicts,
            [Verdict::Bad, Verdict::Bad, Verdict::Note, Verdict::Note]
        );
        for ((_, detail), expected) in findings.iter().zip([
            "cluster privilege monitor",
            "read on b (",
            "view_index_metadata on b;",
            "write to b,",
        ]) {
            assert!(detail.contains(expected), "{detail}");
        }
    }

    #[test]
    fn what_suffices_is_good() {
        let (goes_on, findings) = judged(json!({
            "username": "u", "cluster": {"monitor": true},
            "index": {"a": {"read": true, "view_index_metadata": true, "write": false}},
        }));
        assert!(goes_on && findings.len() == 1 && findings[0].0 == Verdict::Good);
    }
}
