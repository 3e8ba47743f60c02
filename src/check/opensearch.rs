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

/// What a user needs to clear scrolls. The plugin's own group `cluster_composite_ops_ro` lets it continue them only
/// (seen on OpenSearch 3.4.0).
const CLEAR_SCROLL: &str = "indices:data/read/scroll/clear";
/// How long the scroll stays that is tried, if it can't be cleared.
const TRIED_SCROLL_SECONDS: u32 = 5;

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
    if !unreadable.is_empty() {
        return false;
    }
    let reports = [names.alias("single-process-report")];
    if let Err(error) = try_scroll(elasticsearch, &reports).await
        && error.refusal() == Some(Refusal::AccessDenied)
    {
        findings.add(SUBJECT, Verdict::Note, scrolls_stay_open(&error));
    }
    true
}

/// Opens a scroll and clears it, as each export does.
async fn try_scroll(
    elasticsearch: &Elasticsearch,
    indices: &[String],
) -> Result<(), ElasticsearchError> {
    let search = json!({"size": 1, "query": {"match_all": {}}});
    let opened = elasticsearch
        .open_scroll(indices, None, TRIED_SCROLL_SECONDS, &search)
        .await?;
    elasticsearch.clear_scrolls(&[&opened.head.scroll_id]).await
}

fn scrolls_stay_open(error: &ElasticsearchError) -> String {
    format!(
        "scrolls can't be opened and cleared as they should ({CLEAR_SCROLL}, {GUIDE}); those that can't be cleared stay open \
         until they expire, and a node has room for 500: {error}"
    )
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
    fn a_user_that_may_not_clear_scrolls_is_told_what_it_lacks() {
        // As OpenSearch 3.4.0 with its security plugin answers.
        let body = json!({"error": {"root_cause": [], "type": "security_exception",
            "reason": "no permissions for [indices:data/read/scroll/clear] and User [name=u, backend_roles=[], requestedTenant=null]"},
            "status": 403});
        let error = ElasticsearchError::from_answer(403, body.to_string().as_bytes());
        assert_eq!(error.refusal(), Some(Refusal::AccessDenied));
        let detail = scrolls_stay_open(&error);
        assert!(
            detail.contains("(indices:data/read/scroll/clear, docs/"),
            "{detail}"
        );
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
