//! What a report asks of the cluster: its filters, its query, and the indices that it is sent to.

use cluster::{ElasticsearchError, Refusal};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use optimize::filter::{self, FilterContext, ImplicitFilter};
use optimize::plan;
use optimize::report::definition::{DecisionReportData, ProcessReportData, ViewEntity};
use optimize::scope::Scope;
use serde_json::Value;

use super::{ExportError, ExportSettings};
use crate::catalog::definitions::ScopeError;

/// What the filters of a report on decisions depend on; the export has no other zone than UTC.
pub(super) const fn decision_filter_context(
    settings: &ExportSettings,
    now: Timestamp,
) -> FilterContext {
    FilterContext {
        now,
        time_zone: TimeZone::UTC,
        user_task_report: false,
        assignee_analytics: settings.assignee_analytics,
    }
}

/// The same for a report on processes.
pub(super) fn process_filter_context(
    settings: &ExportSettings,
    data: &ProcessReportData,
    now: Timestamp,
) -> FilterContext {
    FilterContext {
        user_task_report: data.view.entity == Some(ViewEntity::UserTask),
        ..decision_filter_context(settings, now)
    }
}

/// The query for the process instances of a report.
pub(super) fn of_process_report(
    settings: &ExportSettings,
    data: &ProcessReportData,
    scope: &Scope,
    now: Timestamp,
) -> Value {
    let context = process_filter_context(settings, data, now);
    let implicit = ImplicitFilter::of(data);
    let definitions = &scope.definitions;
    scope.query(&filter::narrowing(
        &data.filters,
        definitions,
        implicit,
        &context,
    ))
}

/// The query for the decision instances of a report.
pub(super) fn of_decision_report(
    settings: &ExportSettings,
    data: &DecisionReportData,
    scope: &Scope,
    now: Timestamp,
) -> Value {
    let context = decision_filter_context(settings, now);
    plan::decision::instance_query(data, scope, &context)
}

/// What the owner of a report should know about definitions that are not there.
pub(super) fn message_about(scope: &Scope) -> Option<String> {
    let keys: Vec<&str> = scope.unknown_latest().collect();
    (!keys.is_empty()).then(|| {
        format!(
            "Could not find latest version of definition with key: {}. It contributes no data.",
            keys.join(", ")
        )
    })
}

/// Asks for the instances of a scope; `None` if their indices don't exist.
///
/// One missing index makes Elasticsearch refuse the whole request. With several definitions the others have data all the
/// same, and all of it is behind the alias over all definitions
/// (crates/optimize/docs/indices.md, "Indices that are missing").
pub(super) async fn ask_scope<T, F>(
    scope: &Scope,
    ask: impl Fn(Vec<String>) -> F,
) -> Result<Option<T>, ElasticsearchError>
where
    F: Future<Output = Result<T, ElasticsearchError>>,
{
    let is_missing = |error: &ElasticsearchError| error.refusal() == Some(Refusal::IndexNotFound);
    let all = std::slice::from_ref(&scope.all_instances);
    let mut answer = ask(scope.indices.clone()).await;
    if scope.definitions.len() > 1 && scope.indices != all && answer.as_ref().is_err_and(is_missing)
    {
        answer = ask(all.to_vec()).await;
    }
    match answer {
        Err(error) if is_missing(&error) => Ok(None),
        other => other.map(Some),
    }
}

impl From<ScopeError> for ExportError {
    fn from(error: ScopeError) -> Self {
        match error {
            ScopeError::Definition(error) => error.into(),
            ScopeError::Elasticsearch(error) => error.into(),
        }
    }
}
