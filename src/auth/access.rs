//! Who may export what: the rules of an operator's file.
//!
//! Optimize itself has no rights behind its public API (docs/ENDPOINT.md, "Tokens"), and without a file there are none here. With
//! one, a client may what every rule allows that names it, and one that no rule names may nothing.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use optimize::access::{Patterns, Restrictions, parts};
use optimize::report::definition::{DefinitionSelection, StoredReport};
use optimize::scope::DefinitionKind;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::jwt::RequiredClaim;

mod file;

pub use file::{AccessFileError, read};

/// Bytes of the digest that tells one access from another.
const FINGERPRINT_BYTES: usize = 9;

/// What the clients that a rule names may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name in the log and in answers.
    pub name: String,
    /// Names of clients.
    pub clients: Patterns,
    /// Claims of which a provider's token has one.
    pub claims: Vec<RequiredClaim>,
    /// Ids of reports.
    pub reports: Option<Patterns>,
    /// Ids of collections whose reports are allowed beside those.
    pub collections: Option<Patterns>,
    /// What may be seen of a report.
    pub limits: optimize::access::Limits,
    /// Exports at the same time.
    pub concurrent_exports: Option<usize>,
}

impl Rule {
    fn names(&self, client: &str, claims: &Map<String, Value>) -> bool {
        self.clients.match_text(client) || self.claims.iter().any(|claim| claim.is_in(claims))
    }

    fn allows_report(&self, id: &str, collection_id: Option<&str>) -> bool {
        let is_listed = |patterns: &Option<Patterns>, text: Option<&str>| {
            (patterns.as_ref().zip(text)).is_some_and(|(patterns, text)| patterns.match_text(text))
        };
        (self.reports.is_none() && self.collections.is_none())
            || is_listed(&self.reports, Some(id))
            || is_listed(&self.collections, collection_id)
    }
}

/// The rules in force. Cloning is cheap; clones see the same ones.
#[derive(Debug, Clone, Default)]
pub struct AccessRules(Arc<ArcSwapOption<Vec<Arc<Rule>>>>);

impl AccessRules {
    /// These rules; without any nobody may anything.
    pub fn new(rules: Vec<Rule>) -> Self {
        Self(Arc::new(ArcSwapOption::new(Some(shared(rules)))))
    }

    /// Takes the rules of a file as it is now; those in force stay if it can't be used. What is under way goes on with those that
    /// it began with.
    ///
    /// # Errors
    /// As [`read`].
    pub fn reload(&self, file: &Path) -> Result<(), AccessFileError> {
        self.0.store(Some(shared(read(file)?)));
        Ok(())
    }

    /// What a client may, by its name and the claims of its token.
    pub fn access_of(&self, client: &str, claims: &Map<String, Value>) -> Access {
        match &*self.0.load() {
            None => Access::everything(),
            Some(rules) => {
                let names_it = |rule: &&Arc<Rule>| rule.names(client, claims);
                Access::by(rules.iter().filter(names_it).cloned().collect())
            }
        }
    }
}

fn shared(rules: Vec<Rule>) -> Arc<Vec<Arc<Rule>>> {
    Arc::new(rules.into_iter().map(Arc::new).collect())
}

/// What one client may. Cloning is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// The rules that name it; none where there is no file of rules.
    rules: Option<Vec<Arc<Rule>>>,
    restrictions: Arc<Restrictions>,
}

/// Why a client may not export a report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// It may export none.
    #[error("no access rule names this client")]
    NoRule,
    /// It may export others.
    #[error("rule `{rule}` does not allow this client this report")]
    OtherReports {
        /// The rule.
        rule: String,
    },
    /// Nobody knows what it covers.
    #[error("this report can't be read, so that nobody can tell whether this client may see it")]
    Unreadable,
    /// Nothing that the report covers.
    #[error("{rules}: this client may see no definition, or no tenant, of this report")]
    NothingOfIt {
        /// The rules that together leave nothing.
        rules: String,
    },
    /// A part of the report would tell what the client may not see.
    #[error(
        "{rules}: this client may not see the column {column}, and report part `{place}` looks into it"
    )]
    LeftOut {
        /// The rules that name it.
        rules: String,
        /// Where in the report.
        place: String,
        /// The column.
        column: String,
    },
    /// All columns of a table.
    #[error("this client may see no column of this table")]
    NoColumn,
    /// It asks for a column that it may not see.
    #[error("this client may not see the column {0}")]
    Column(String),
}

impl Access {
    /// Whoever has a token may everything.
    pub fn everything() -> Self {
        Self {
            rules: None,
            restrictions: Arc::default(),
        }
    }

    fn by(rules: Vec<Arc<Rule>>) -> Self {
        let limits = rules.iter().map(|rule| rule.limits.clone());
        Self {
            restrictions: Arc::new(Restrictions::all_of(limits)),
            rules: Some(rules),
        }
    }

    /// Whether there are rules at all.
    pub fn has_rules(&self) -> bool {
        self.rules.is_some()
    }

    /// The rules that name the client.
    pub fn rules(&self) -> &[Arc<Rule>] {
        self.rules.as_deref().unwrap_or_default()
    }

    /// Their names, for the log; none where there is no file of rules.
    pub fn rule_names(&self) -> Option<String> {
        let rules = self.rules.as_ref()?;
        let names: Vec<&str> = rules.iter().map(|rule| rule.name.as_str()).collect();
        Some(names.join(", "))
    }

    /// What may be seen of reports.
    pub fn restrictions(&self) -> &Restrictions {
        &self.restrictions
    }

    /// Exports that it may have under way at the same time.
    pub fn max_exports(&self) -> Option<usize> {
        (self.rules().iter())
            .filter_map(|rule| rule.concurrent_exports)
            .min()
    }

    /// What two clients have in common only if they see the same of each report; `None` if everything may be seen. A scroll shows
    /// what whoever opened it may see.
    pub fn fingerprint(&self) -> Option<String> {
        use base64::Engine;
        let digest = Sha256::digest(self.restrictions.canonical()?);
        let bytes: Vec<u8> = digest.into_iter().take(FINGERPRINT_BYTES).collect();
        Some(base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Whether it may export anything.
    ///
    /// # Errors
    /// No rule names it.
    pub fn check_any(&self) -> Result<(), Forbidden> {
        match self.rules.as_deref() {
            Some([]) => Err(Forbidden::NoRule),
            Some(_) | None => Ok(()),
        }
    }

    /// What can be told of a report by its id alone: who may see none of this id does not learn whether there is one.
    ///
    /// # Errors
    /// No report of this id is allowed.
    pub fn check_id(&self, id: &str) -> Result<(), Forbidden> {
        self.check_any()?;
        let refuses =
            |rule: &&Arc<Rule>| rule.collections.is_none() && !rule.allows_report(id, None);
        match self.rules().iter().find(refuses) {
            None => Ok(()),
            Some(rule) => Err(Forbidden::OtherReports {
                rule: rule.name.clone(),
            }),
        }
    }

    /// What can be told of a report that could not be read, because there is none or its document is damaged. Who could not
    /// export it learns neither of it.
    ///
    /// # Errors
    /// It would not be allowed, or nobody can tell.
    pub fn check_unread(&self, id: &str, is_missing: bool) -> Result<(), Forbidden> {
        self.check_any()?;
        let refuses = |rule: &&Arc<Rule>| !rule.allows_report(id, None);
        if let Some(rule) = self.rules().iter().find(refuses) {
            return Err(Forbidden::OtherReports {
                rule: rule.name.clone(),
            });
        }
        if is_missing || self.restrictions.is_none() {
            return Ok(());
        }
        Err(Forbidden::Unreadable)
    }

    /// Whether a report is allowed, or a part of what it covers.
    ///
    /// # Errors
    /// It is not.
    pub fn check_report(
        &self,
        id: &str,
        collection_id: Option<&str>,
        report: &StoredReport,
    ) -> Result<(), Forbidden> {
        self.check_id(id)?;
        let refuses = |rule: &&Arc<Rule>| !rule.allows_report(id, collection_id);
        if let Some(rule) = self.rules().iter().find(refuses) {
            return Err(Forbidden::OtherReports {
                rule: rule.name.clone(),
            });
        }
        if self.restrictions.is_none() {
            return Ok(());
        }
        let rules = || format!("rules {}", self.rule_names().unwrap_or_default());
        if !self.sees_something_of(report) {
            return Err(Forbidden::NothingOfIt { rules: rules() });
        }
        let mut parts = parts(report).into_iter();
        match parts.find(|part| self.restrictions.leave_out(&part.column)) {
            None => Ok(()),
            Some(part) => Err(Forbidden::LeftOut {
                rules: rules(),
                place: part.place,
                column: part.column,
            }),
        }
    }

    fn sees_something_of(&self, report: &StoredReport) -> bool {
        let restrictions = &self.restrictions;
        let any_of = |kind, definitions: &[DefinitionSelection], has_all_tenants: bool| {
            definitions.iter().any(|definition| {
                let mut tenants = definition.tenant_ids.iter();
                (definition.key.as_deref())
                    .is_none_or(|key| restrictions.allow_definition(kind, key))
                    && (has_all_tenants
                        || tenants.any(|tenant| restrictions.allow_tenant(tenant.as_deref())))
            })
        };
        match report {
            // What it covers is found out later, and its query is limited.
            StoredReport::Process(data) if data.covers_all_definitions() => {
                restrictions.allow_some_definition(DefinitionKind::Process)
            }
            StoredReport::Process(data) => any_of(
                DefinitionKind::Process,
                &data.definitions,
                data.instant_preview_report,
            ),
            // Only the first one counts.
            StoredReport::Decision(data) => any_of(
                DefinitionKind::Decision,
                data.definitions.get(..1).unwrap_or_default(),
                false,
            ),
            // It is refused for everybody, in Optimize's words.
            StoredReport::Combined => true,
        }
    }
}

#[cfg(test)]
mod tests;
