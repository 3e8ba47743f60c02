//! The inputs and outputs that every row of raw data of a decision report has.

use std::cmp::Reverse;

use serde::Deserialize;
use serde_json::{Value, json};

use super::clauses::{Clause, Clauses, DecisionClauses};
use crate::report::definition::lenient;
use crate::scope::{DefinitionScope, Versions};

/// The definitions whose clauses count: imported completely, not deleted, of the report's versions, and of its tenants
/// or of none (crates/optimize/docs/decisions.md, "Names of clauses").
pub fn definition_clauses(decision: &DefinitionScope) -> Vec<Value> {
    let named: Vec<&String> = decision.tenant_ids.iter().flatten().collect();
    let mut clauses = vec![
        json!({"term": {"key": {"value": decision.key}}}),
        json!({"term": {"deleted": {"value": false}}}),
        json!({"exists": {"field": "dmn10Xml"}}),
        json!({"bool": {"minimum_should_match": 1, "should": [
            {"terms": {"tenantId": named}},
            {"bool": {"must_not": [{"exists": {"field": "tenantId"}}]}}]}}),
    ];
    let versions: Option<&[String]> = match &decision.versions {
        Versions::All => None,
        Versions::Listed(versions) => Some(versions),
        Versions::Latest(version) => Some(std::slice::from_ref(version)),
        Versions::UnknownLatest => Some(&[]),
    };
    clauses.extend(versions.map(|versions| json!({"terms": {"version": versions}})));
    clauses
}

/// The place of a definition: the one that Optimize would take is the first.
///
/// That is the one of the highest version, or of the last listed one where no version is a number; of the only tenant,
/// then without tenant; of several tenants, first without tenant, then by id
/// (crates/optimize/docs/indices.md, "Version whose names are shown").
fn rank(definition: &Definition, decision: &DefinitionScope) -> impl Ord + use<> {
    let version = definition.version.as_deref().unwrap_or_default();
    let position = match &decision.versions {
        Versions::Listed(listed) => listed.iter().rposition(|listed| listed == version),
        _ => None,
    };
    let is_of_only_tenant =
        matches!(decision.tenant_ids.as_slice(), [only] if *only == definition.tenant_id);
    // Texts are compared by UTF-16 unit, as in Java.
    let tenant_id = definition
        .tenant_id
        .as_deref()
        .map(|id| utf16::units(id).collect::<Vec<u16>>());
    (
        Reverse((version.parse::<u64>().ok(), position)),
        !is_of_only_tenant,
        tenant_id,
    )
}

impl DecisionClauses {
    /// The inputs and outputs of the definitions of one decision: those of the definition that Optimize would take come first.
    pub fn of_definitions(mut definitions: Vec<Definition>, decision: &DefinitionScope) -> Self {
        definitions.sort_by_cached_key(|definition| rank(definition, decision));
        clauses_of(definitions)
    }
}

fn clauses_of(definitions: Vec<Definition>) -> DecisionClauses {
    let (inputs, outputs): (Vec<_>, Vec<_>) = definitions
        .into_iter()
        .map(|definition| {
            (
                definition.input_variable_names,
                definition.output_variable_names,
            )
        })
        .unzip();
    let merged = |lists: Vec<Vec<Option<StoredClause>>>| {
        let stored = lists.into_iter().flatten().flatten();
        Clauses::new(stored.filter_map(StoredClause::into_clause))
    };
    DecisionClauses {
        inputs: merged(inputs),
        outputs: merged(outputs),
    }
}

/// A stored definition of a decision.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Definition {
    #[serde(default, deserialize_with = "lenient::optional_string")]
    version: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_string")]
    tenant_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::list_or_null")]
    input_variable_names: Vec<Option<StoredClause>>,
    #[serde(default, deserialize_with = "lenient::list_or_null")]
    output_variable_names: Vec<Option<StoredClause>>,
}

#[derive(Deserialize)]
struct StoredClause {
    #[serde(default, deserialize_with = "lenient::optional_string")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_string")]
    name: Option<String>,
    #[serde(
        default,
        rename = "type",
        deserialize_with = "lenient::optional_string"
    )]
    variable_type: Option<String>,
}

impl StoredClause {
    /// A clause without a name is called by its id (crates/optimize/docs/decisions.md, "Names of clauses").
    fn into_clause(self) -> Option<Clause> {
        let id = self.id?;
        Some(Clause {
            name: Some(self.name.unwrap_or_else(|| id.clone())),
            variable_type: self.variable_type,
            id,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The versions and tenants of definitions, in the order in which a report takes their clauses.
    fn order(
        definitions: &[(&str, Option<&str>)],
        versions: Versions,
        tenants: &[Option<&str>],
    ) -> String {
        let decision = DefinitionScope {
            identifier: None,
            key: "d".to_owned(),
            label: "d".to_owned(),
            versions,
            tenant_ids: tenants.iter().map(|id| id.map(str::to_owned)).collect(),
        };
        let mut definitions: Vec<Definition> = definitions
            .iter()
            .map(|(version, tenant_id)| {
                let source =
                    json!({"version": version, "tenantId": tenant_id, "inputVariableNames": null});
                serde_json::from_value(source).unwrap()
            })
            .collect();
        definitions.sort_by_cached_key(|definition| rank(definition, &decision));
        let names: Vec<String> = definitions
            .iter()
            .map(|d| {
                format!(
                    "{}{}",
                    d.version.as_deref().unwrap(),
                    d.tenant_id.as_deref().unwrap_or("-")
                )
            })
            .collect();
        names.join(" ")
    }

    #[test]
    fn the_highest_version_comes_first() {
        let all = [("9", None), ("10", None), ("beta", None), ("2", None)];
        assert_eq!(order(&all, Versions::All, &[None]), "10- 9- 2- beta-");
        let named = [("alpha", None), ("beta", None)];
        let listed = Versions::Listed(vec!["beta".to_owned(), "alpha".to_owned()]);
        assert_eq!(order(&named, listed, &[None]), "alpha- beta-");
    }

    #[test]
    fn the_only_tenant_comes_first_and_of_several_the_one_without_name() {
        let all = [("1", Some("b")), ("1", None), ("1", Some("a"))];
        let order = |tenants: &[Option<&str>]| order(&all, Versions::All, tenants);
        assert_eq!(order(&[Some("b")]), "1b 1- 1a");
        assert_eq!(order(&[Some("b"), Some("a")]), "1- 1a 1b");
        assert_eq!(order(&[]), "1- 1a 1b");
        assert_eq!(order(&[None]), "1- 1a 1b");
    }

    #[test]
    fn clauses_are_put_together_and_called_by_name_or_id() {
        let definition = |inputs: Value| -> Definition {
            serde_json::from_value(json!({"inputVariableNames": inputs})).unwrap()
        };
        let clauses = clauses_of(vec![
            definition(
                json!([{"id": "a", "name": null, "type": "Double"}, null, {"name": "lost"}]),
            ),
            definition(json!([{"id": "b", "name": "B", "type": "Date"}, {"id": "a", "name": "A"}])),
        ]);
        let shown: Vec<_> = clauses
            .inputs
            .as_slice()
            .iter()
            .map(|c| {
                format!(
                    "{} {} {}",
                    c.id,
                    c.name.as_deref().unwrap(),
                    c.variable_type.as_deref().unwrap()
                )
            })
            .collect();
        assert_eq!(shown, ["a a Double", "b B Date"]);
        assert!(clauses.outputs.as_slice().is_empty());
    }
}
