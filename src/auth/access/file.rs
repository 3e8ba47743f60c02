//! The file of rules: YAML.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use optimize::access::columns::{DURATION_PREFIX, INPUT_PREFIX, OUTPUT_PREFIX, VARIABLE_PREFIX};
use optimize::access::{Limits, Patterns, Tenants};
use optimize::table::rows::RawTable;
use serde::{Deserialize, Deserializer};

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
    #[serde(default, deserialize_with = "present")]
    reports: Option<OneOrMore<String>>,
    #[serde(default, deserialize_with = "present")]
    collections: Option<OneOrMore<String>>,
    #[serde(default, deserialize_with = "present")]
    processes: Option<OneOrMore<String>>,
    #[serde(default, deserialize_with = "present")]
    decisions: Option<OneOrMore<String>>,
    /// Null within the list stands for instances without a tenant.
    #[serde(default, deserialize_with = "present")]
    tenants: Option<OneOrMore<String, Option<String>>>,
    #[serde(default)]
    leave_out: OneOrMore<String>,
    #[serde(default, deserialize_with = "present")]
    concurrent_exports: Option<usize>,
}

/// A limit whose value is null, as that of a list whose items are all commented out is, must not be taken for none.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// A list, or one text in its place.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts")]
enum OneOrMore<T, Item = T> {
    One(T),
    More(Vec<Item>),
}

impl<T, Item> Default for OneOrMore<T, Item> {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

impl<T: Into<Item>, Item> OneOrMore<T, Item> {
    fn into_vec(self) -> Vec<Item> {
        match self {
            Self::One(one) => vec![one.into()],
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
        let tenants = self.tenants.map(|tenants| {
            let tenants = tenants.into_vec();
            Tenants {
                none: tenants.iter().any(Option::is_none),
                named: Patterns::new(tenants.into_iter().flatten()),
            }
        });
        let left_out = self.leave_out.into_vec();
        if let Some(name) = left_out.iter().find(|name| !may_be_a_column(name)) {
            return Err(format!(
                "`leave-out`: no table has a column {name:?}; one of a variable is variable:NAME, one of a decision input:ID or \
                 output:ID, and an asterisk stands at the end"
            ));
        }
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
                left_out: Patterns::new(left_out),
            },
            concurrent_exports: self.concurrent_exports,
        })
    }
}

/// Whether some table may have a column of this name, or some that a pattern fits: what is misspelled would be left out of none.
fn may_be_a_column(pattern: &str) -> bool {
    let tables = [
        RawTable::ProcessInstances(Arc::default()),
        RawTable::FlowNodes,
        RawTable::Variables,
        RawTable::Incidents,
        RawTable::DecisionInstances(Arc::default()),
        RawTable::Inputs,
        RawTable::Outputs,
    ];
    let fixed = tables.iter().flat_map(|table| table.schema().columns);
    let pattern_of_one = Patterns::new([pattern]);
    let begins_so =
        |prefix: &&str| pattern.starts_with(*prefix) || pattern_of_one.match_text(prefix);
    // What depends on the instances.
    [
        VARIABLE_PREFIX,
        INPUT_PREFIX,
        OUTPUT_PREFIX,
        DURATION_PREFIX,
    ]
    .iter()
    .any(begins_so)
        || fixed
            .into_iter()
            .any(|column| pattern_of_one.match_text(&column.name))
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
        // A comma stands between the names of several.
        if name.trim().is_empty() || name.contains(',') || name.chars().any(char::is_control) {
            return Err(format!(
                "rule {number} has no name that a line of the log could show; it can't be empty or have commas"
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
            (rule("    clients: b\n    tenants: null\n"), ""),
            (rule("    clients: b\n    tenants:\n    # - acme\n"), ""),
            (rule("    clients: b\n    processes: ~\n"), ""),
            (rule("    clients: b\n    reports:\n"), ""),
            (rule("    clients: b\n    concurrent-exports:\n"), ""),
            (
                rule("    clients: b\n    leave-out: variables\n"),
                "no table has a column \"variables\"",
            ),
            (
                rule("    clients: b\n    leave-out: ['*iban']\n"),
                "an asterisk stands at the end",
            ),
            (
                rule("    clients: b\n    claims: 'groups != data'\n"),
                "NAME=VALUE",
            ),
            (
                rule("    clients: b\n    claims: 'groups = data'\n"),
                "NAME=VALUE",
            ),
            (
                "rules:\n  - name: a, b\n    clients: b\n".to_owned(),
                "commas",
            ),
            ("{}".to_owned(), "rules"),
            (String::new(), ""),
        ] {
            let problem = parse(&text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
        assert_eq!(parse("rules: []").unwrap(), []);
        for column in [
            "*",
            "variable:*",
            "vari*",
            "input:In_1",
            "output:*",
            "dur:approve",
            "count:incidents",
            "assignee",
            "businessKey",
            "ruleId",
            "start*",
        ] {
            parse(&rule(&format!(
                "    clients: b\n    leave-out: '{column}'\n"
            )))
            .unwrap();
        }
        let tenants = parse(&rule("    clients: b\n    tenants: acme\n")).unwrap();
        let tenants = tenants
            .first()
            .and_then(|rule| rule.limits.tenants.clone())
            .unwrap();
        assert_eq!(
            (tenants.named, tenants.none),
            (Patterns::new(["acme"]), false)
        );
    }
}
