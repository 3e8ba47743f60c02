//! The file of rules: YAML.

use std::collections::HashSet;
use std::path::Path;

use optimize::access::{Limits, Patterns, Tenants};
use serde::Deserialize;

use super::Rule;
use crate::auth::jwt::RequiredClaim;

/// Why a file holds no rules.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct AccessFileError {
    /// The file.
    path: String,
    /// What is wrong with it.
    reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredRules {
    rules: Vec<StoredRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct StoredRule {
    name: String,
    #[serde(default)]
    clients: OneOrMore<String>,
    #[serde(default)]
    claims: OneOrMore<String>,
    reports: Option<OneOrMore<String>>,
    collections: Option<OneOrMore<String>>,
    processes: Option<OneOrMore<String>>,
    decisions: Option<OneOrMore<String>>,
    /// Null stands for instances without a tenant.
    tenants: Option<Vec<Option<String>>>,
    #[serde(default)]
    leave_out: OneOrMore<String>,
    concurrent_exports: Option<usize>,
}

/// A list, or one text in its place.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts")]
enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl<T> Default for OneOrMore<T> {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

impl<T> OneOrMore<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

impl StoredRule {
    fn into_rule(self) -> Result<Rule, String> {
        let patterns = |texts: OneOrMore<String>| Patterns::new(texts.into_vec());
        let clients = self.clients.into_vec();
        let claims: Vec<RequiredClaim> = (self.claims.into_vec().iter())
            .map(|claim| {
                let parsed = claim.parse::<RequiredClaim>();
                parsed.map_err(|problem| format!("claim {claim:?}: {problem}"))
            })
            .collect::<Result<_, _>>()?;
        if clients.is_empty() && claims.is_empty() {
            return Err("it names nobody; `clients` or `claims` has to".to_owned());
        }
        if self.concurrent_exports == Some(0) {
            return Err("`concurrent-exports` has to be 1 at least".to_owned());
        }
        let tenants = self.tenants.map(|tenants| Tenants {
            none: tenants.iter().any(Option::is_none),
            named: Patterns::new(tenants.into_iter().flatten()),
        });
        Ok(Rule {
            name: self.name,
            clients: Patterns::new(clients),
            claims,
            reports: self.reports.map(patterns),
            collections: self.collections.map(patterns),
            limits: Limits {
                processes: self.processes.map(patterns),
                decisions: self.decisions.map(patterns),
                tenants,
                left_out: patterns(self.leave_out),
            },
            concurrent_exports: self.concurrent_exports,
        })
    }
}

/// Reads a file of rules.
///
/// # Errors
/// It can't be read, or is no such file: a key that is not known is an error, because a limit that is misspelled would be none.
pub fn read(path: &Path) -> Result<Vec<Rule>, AccessFileError> {
    let wrong = |reason: String| AccessFileError {
        path: path.display().to_string(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    parse(&text).map_err(wrong)
}

fn parse(text: &str) -> Result<Vec<Rule>, String> {
    let stored: StoredRules =
        serde_saphyr::from_str(text).map_err(|error| error.without_snippet().to_string())?;
    let mut names = HashSet::new();
    let mut rules = Vec::new();
    for (number, stored) in (1..).zip(stored.rules) {
        let name = stored.name.clone();
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            return Err(format!(
                "rule {number} has no name that a line of the log could show"
            ));
        }
        let rule = stored.into_rule();
        rules.push(rule.map_err(|problem| format!("rule `{name}`: {problem}"))?);
        if !names.insert(name.clone()) {
            return Err(format!("there are two rules `{name}`"));
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_has_all_that_a_file_says_of_it() {
        let rules = parse(
            "rules:
  - name: lake
    clients: [lake, 'etl-*']
    claims: groups=data
    reports: ['0af*']
    collections: [sales]
    processes: order
    decisions: []
    tenants: [acme, null]
    leave-out: ['variable:iban', businessKey]
    concurrent-exports: 2
  - name: everything
    clients: admin
",
        )
        .unwrap();
        let lake = Rule {
            name: "lake".to_owned(),
            clients: Patterns::new(["lake", "etl-*"]),
            claims: vec!["groups=data".parse().unwrap()],
            reports: Some(Patterns::new(["0af*"])),
            collections: Some(Patterns::new(["sales"])),
            limits: Limits {
                processes: Some(Patterns::new(["order"])),
                decisions: Some(Patterns::NONE),
                tenants: Some(Tenants {
                    named: Patterns::new(["acme"]),
                    none: true,
                }),
                left_out: Patterns::new(["variable:iban", "businessKey"]),
            },
            concurrent_exports: Some(2),
        };
        assert_eq!(rules.first(), Some(&lake));
        let everything = rules.get(1).unwrap();
        assert_eq!(everything.limits, Limits::default());
        assert_eq!(
            (&everything.reports, &everything.collections),
            (&None, &None)
        );
    }

    #[test]
    fn what_could_be_misread_is_refused_with_its_place() {
        let rule = |members: &str| format!("rules:\n  - name: a\n{members}");
        for (text, expected) in [
            (rule("    clients: b\n    proceses: [x]\n"), "proceses"),
            (rule("    reports: [x]\n"), "rule `a`: it names nobody"),
            (rule("    clients: b\n    claims: c\n"), "NAME=VALUE"),
            (
                rule("    clients: b\n    concurrent-exports: 0\n"),
                "1 at least",
            ),
            (rule("    clients: b\n    clients: c\n"), "clients"),
            (
                format!("{}  - name: a\n    clients: c\n", rule("    clients: b\n")),
                "two rules `a`",
            ),
            (
                "rules:\n  - name: ' '\n    clients: b\n".to_owned(),
                "rule 1 has no name",
            ),
            ("rules:\n  - clients: b\n".to_owned(), "name"),
            ("{}".to_owned(), "rules"),
            (String::new(), ""),
        ] {
            let problem = parse(&text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
        assert_eq!(parse("rules: []").unwrap(), []);
    }
}
