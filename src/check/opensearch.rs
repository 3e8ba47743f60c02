//! Whether an OpenSearch lets the service in, and what it lets it do.
//!
//! Its security plugin tells a user who it is, but not what it may do: that shows when it is tried. There is no way to try
//! whether it may write without writing, so nothing is said about that.

use cluster::{Elasticsearch, ElasticsearchError, Refusal};
use optimize::scope::{DefinitionKind, IndexNames};
use serde_json::{Value, json};

use super::{Findings, Verdict};

const SUBJECT: &str = "privileges";

/// Where a role that suffices is described.
const GUIDE: &str = "docs/ELASTICSEARCH_SECURITY.md";

/// Looks at the privileges; gives back whether the rest can be looked at.
pub(super) async fn check_privileges(
    elasticsearch: &Elasticsearch,
    names: &IndexNames,
    findings: &mut Findings,
) -> bool {
    let user = match elasticsearch.get("_plugins/_security/api/account").await {
        Ok(account) => Some(name_of(&account)),
        // Without the plugin nobody answers. Where this one question is forbidden, the others may not be.
        Err(ElasticsearchError::Refused { .. }) => None,
        Err(error) => {
            findings.add(SUBJECT, Verdict::Bad, error.to_string());
            return false;
        }
    };
    let mut unreadable = Vec::new();
    for index in indices(names) {
        let match_all = json!({"match_all": {}});
        let answer = elasticsearch
            .count(std::slice::from_ref(&index), &match_all)
            .await;
        if answer.is_err_and(|error| error.refusal() == Some(Refusal::AccessDenied)) {
            unreadable.push(index);
        }
    }
    if let Some((verdict, detail)) = judge(user.as_deref(), &unreadable) {
        findings.add(SUBJECT, verdict, detail);
    }
    unreadable.is_empty()
}

/// What exports read, by the names that they use.
fn indices(names: &IndexNames) -> Vec<String> {
    let reports = [
        "single-process-report",
        "single-decision-report",
        "combined-report",
    ];
    let mut indices: Vec<String> = reports.map(|index| names.alias(index)).into();
    for kind in [DefinitionKind::Process, DefinitionKind::Decision] {
        indices.push(names.alias(kind.definition_index()));
        indices.push(names.all_instances(kind));
    }
    indices
}

fn name_of(account: &Value) -> String {
    let name = account.get("user_name").and_then(Value::as_str);
    name.unwrap_or("of an unknown name").to_owned()
}

fn judge(user: Option<&str>, unreadable: &[String]) -> Option<(Verdict, String)> {
    let who = user.map_or_else(|| "this user".to_owned(), |user| format!("the user {user}"));
    if !unreadable.is_empty() {
        let indices = unreadable.join(", ");
        return Some((
            Verdict::Bad,
            format!("{who} may not read {indices} ({GUIDE})"),
        ));
    }
    // Without users there is nothing to be said.
    user.map(|_| {
        (
            Verdict::Good,
            format!("{who} may read all that exports need"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_read_is_named() {
        let unreadable = ["a".to_owned(), "b".to_owned()];
        let (verdict, detail) = judge(Some("u"), &unreadable).unwrap();
        assert_eq!(verdict, Verdict::Bad);
        assert!(
            detail.starts_with("the user u may not read a, b ("),
            "{detail}"
        );
        let (_, detail) = judge(None, &unreadable).unwrap();
        assert!(detail.starts_with("this user may not"), "{detail}");
    }

    #[test]
    fn what_suffices_is_good_and_without_users_nothing_is_said() {
        let name = name_of(&json!({"user_name": "u", "roles": ["r"]}));
        assert_eq!(
            judge(Some(&name), &[]),
            Some((
                Verdict::Good,
                "the user u may read all that exports need".to_owned()
            ))
        );
        assert_eq!(judge(None, &[]), None);
    }
}
