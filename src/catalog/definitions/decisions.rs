//! Decision reports: what they cover, and the inputs and outputs that every row of raw data has.

use std::sync::Arc;

use cluster::{ElasticsearchError, Found};
use optimize::access::Restrictions;
use optimize::definitions::clauses::DecisionClauses;
use optimize::definitions::decisions::{Definition, definition_clauses};
use optimize::report::definition::DecisionReportData;
use optimize::scope::{DefinitionKind, DefinitionScope, Scope};
use serde_json::json;

use super::{Definitions, Hit, ScopeError};
use crate::catalog::cache::get_or_load;

/// Definitions of one decision that are looked at for clauses, all versions and tenants counted.
const MAX_DEFINITIONS: usize = 10_000;

impl Definitions {
    /// What a decision report covers, as far as somebody may see it: its first definition alone
    /// (crates/optimize/docs/indices.md, "Instances of a definition").
    ///
    /// A report without definitions covers nothing. In Optimize it depends on whether it has filters
    /// (crates/optimize/docs/indices.md, "Instances of a definition"), and no such report can be made on its pages.
    ///
    /// # Errors
    /// The definition has no key, or Elasticsearch does not answer.
    pub async fn scope_of_decision_report(
        &self,
        data: &DecisionReportData,
        restrictions: &Restrictions,
    ) -> Result<Scope, ScopeError> {
        let first = data.definitions.get(..1).unwrap_or_default();
        let mut scope = self
            .scope_of_selections(DefinitionKind::Decision, first)
            .await?;
        scope.covers_nothing = first.is_empty();
        Ok(restrictions.narrow(scope))
    }

    /// The inputs and outputs of a decision: those of the definition that Optimize would take, then those of the other
    /// selected versions. There are none where no definition is known.
    ///
    /// # Errors
    /// Elasticsearch does not answer.
    pub async fn decision_clauses(
        &self,
        decision: &DefinitionScope,
    ) -> Result<Arc<DecisionClauses>, Arc<ElasticsearchError>> {
        let load = self.load_decision_clauses(decision);
        get_or_load(
            "decision_clauses",
            &self.decision_clauses,
            decision.into(),
            load,
        )
        .await
    }

    async fn load_decision_clauses(
        &self,
        decision: &DefinitionScope,
    ) -> Result<Arc<DecisionClauses>, ElasticsearchError> {
        let body = json!({
            "size": MAX_DEFINITIONS,
            "_source": ["version", "tenantId", "inputVariableNames", "outputVariableNames"],
            "query": {"bool": {"filter": definition_clauses(decision)}},
        });
        let answer: Option<Found<Hit<Definition>>> = self
            .search_definitions(DefinitionKind::Decision, &body)
            .await?;
        let hits = answer.map(Found::into_hits).unwrap_or_default();
        let definitions = hits.into_iter().map(|hit| hit.source).collect();
        Ok(Arc::new(DecisionClauses::of_definitions(
            definitions,
            decision,
        )))
    }
}
