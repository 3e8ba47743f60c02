//! Reports that aggregate: everything in one answer.

use super::answer::Envelope;
use super::error::ExportError;
use super::whole::Whole;
use super::{ExportRequest, Exporter, ask_scope, message_about};
use crate::elasticsearch::ElasticsearchError;
use crate::plan::answer::Answer;
use crate::plan::context::{PlanContext, ProcessModels};
use crate::plan::decision::{DecisionContext, DecisionPlan};
use crate::plan::evaluation::Evaluation;
use crate::plan::{Plan, PlanError, ProcessEvaluation};
use crate::raw_data::dates;
use crate::report::definition::{DecisionReportData, ProcessReportData};
use crate::result::ReportResult;
use crate::scope::Scope;

/// What Optimize says where a client asked for fewer records than it gets (fact file A, section 4.3).
const ALL_RECORDS: &str = "All records are delivered in this response regardless of the set limit, since result \
                           pagination is only supported for raw data reports.";

impl Exporter {
    /// The result of a report on processes, whole.
    pub(super) async fn export_aggregated_process_data(
        &self,
        request: &ExportRequest,
        data: &ProcessReportData,
    ) -> Result<Whole, ExportError> {
        let filter = self.process_filter_context(data, dates::now());
        let plan = Plan::of(data, &filter)?;
        let scope = self.0.definitions.scope_of_process_report(data).await?;
        let models = if plan.needs_models() {
            ProcessModels::of(&self.0.definitions.process_models(&scope).await?)
        } else {
            ProcessModels::default()
        };
        let evaluation = ProcessEvaluation {
            plan: &plan,
            context: PlanContext {
                report: data,
                scope: &scope,
                filter: &filter,
                bucket_limit: self.0.settings.aggregation_bucket_limit,
                models: &models,
            },
        };
        let result = self.evaluate(&evaluation).await?;
        Ok(write(request, &scope, &result))
    }

    /// The result of a report on decisions, whole.
    pub(super) async fn export_aggregated_decision_data(
        &self,
        request: &ExportRequest,
        data: &DecisionReportData,
    ) -> Result<Whole, ExportError> {
        let filter = self.filter_context(false, dates::now());
        let scope = self.0.definitions.scope_of_decision_report(data).await?;
        let plan = DecisionPlan::new(DecisionContext {
            report: data,
            scope: &scope,
            filter: &filter,
            bucket_limit: self.0.settings.aggregation_bucket_limit,
        });
        let result = self.evaluate(&plan).await?;
        Ok(write(request, &scope, &result))
    }

    async fn evaluate(
        &self,
        evaluation: &(impl Evaluation + Sync),
    ) -> Result<ReportResult, ExportError> {
        let scope = evaluation.scope();
        if scope.is_known_to_be_empty() {
            return Ok(evaluation.result_without_index());
        }
        let mut statistics = None;
        if let Some(search) = evaluation.statistics() {
            statistics = self.search(scope, &search).await?;
            if statistics.is_none() {
                return Ok(evaluation.result_without_index());
            }
        }
        let search = evaluation.search(statistics.as_ref())?;
        let answer = self.search(scope, &search).await?;
        Ok(answer.map_or_else(
            || evaluation.result_without_index(),
            |answer| evaluation.result(&answer),
        ))
    }

    /// The answer of a scope; `None` where its indices don't exist.
    async fn search(
        &self,
        scope: &Scope,
        body: &serde_json::Value,
    ) -> Result<Option<Answer>, ElasticsearchError> {
        let elasticsearch = &self.0.elasticsearch;
        let search =
            |indices: Vec<String>| async move { elasticsearch.search(&indices, body).await };
        ask_scope(scope, search).await
    }
}

fn write(request: &ExportRequest, scope: &Scope, result: &ReportResult) -> Whole {
    let records = result.records();
    let limit_is_ignored = u64::from(request.limit) < records;
    let messages: Vec<String> = message_about(scope)
        .into_iter()
        .chain(limit_is_ignored.then(|| ALL_RECORDS.to_owned()))
        .collect();
    let message = (!messages.is_empty()).then(|| messages.join(" "));
    let envelope = Envelope {
        search_request_id: None,
        message: message.as_deref(),
        total: records,
        report_id: &request.report_id,
    };
    Whole::new(envelope.with_result(result), records)
}

impl From<PlanError> for ExportError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Definition(error) => error.into(),
            PlanError::TooManyBuckets(reason) => Self::TooManyBuckets(reason),
        }
    }
}
