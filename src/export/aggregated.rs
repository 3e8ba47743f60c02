//! Reports that aggregate: everything in one answer.

use std::cell::Cell;
use std::sync::Arc;

use super::error::ExportError;
use super::query::{ask_scope, decision_filter_context, message_about, process_filter_context};
use super::whole::Whole;
use super::{ExportRequest, ExportSettings, clock};
use crate::auth::Access;
use crate::catalog::definitions::Definitions;
use crate::encode::json::Envelope;
use crate::scroll::permits::{BatchPermits, PATIENCE};
use bytes::Bytes;
use cluster::memory::{NoMemory, Share};
use cluster::{Elasticsearch, ElasticsearchError};
use jiff::Timestamp;
use optimize::plan::ad_hoc_sub_processes::AdHocSubProcesses;
use optimize::plan::answer::Answer;
use optimize::plan::context::{PlanContext, ProcessModels};
use optimize::plan::decision::{DecisionContext, DecisionPlan};
use optimize::plan::evaluation::Evaluation;
use optimize::plan::{Plan, PlanError, ProcessEvaluation, Ranges, Room};
use optimize::report::definition::{AggregationType, DecisionReportData, ProcessReportData};
use optimize::result::ReportResult;
use optimize::scope::Scope;

/// What Optimize says where a client asked for fewer records than it gets (docs/ENDPOINT.md, "Messages").
const ALL_RECORDS: &str = "All records are delivered in this response regardless of the set limit, since result \
                           pagination is only supported for raw data reports.";

/// Evaluates reports that aggregate. Cloning is cheap; clones share everything.
#[derive(Clone)]
pub struct Aggregated {
    pub(super) elasticsearch: Elasticsearch,
    pub(super) definitions: Definitions,
    /// Elasticsearch holds their results beside the batches of others.
    pub(super) permits: BatchPermits,
    pub(super) settings: Arc<ExportSettings>,
}

impl Aggregated {
    /// The result of a report on processes, whole.
    pub(super) async fn export_process_report(
        &self,
        request: &ExportRequest,
        data: &ProcessReportData,
    ) -> Result<Whole, ExportError> {
        let evaluated = self.process_report(asked(request), data).await?;
        Ok(whole_answer(request, evaluated).await)
    }

    /// The result of a report on processes.
    pub(super) async fn process_report(
        &self,
        asked: Asked<'_>,
        data: &ProcessReportData,
    ) -> Result<Evaluated, ExportError> {
        let filter = process_filter_context(&self.settings, data, asked.now);
        let plan = Plan::of(data, &filter)?;
        let restrictions = asked.access.restrictions();
        let scope = (self.definitions)
            .scope_of_process_report(data, restrictions)
            .await?;
        let models = self.models(&plan, &scope).await?;
        let evaluation = ProcessEvaluation {
            plan: &plan,
            context: PlanContext {
                report: data,
                scope: &scope,
                filter: &filter,
                bucket_limit: self.settings.aggregation_bucket_limit,
                percentile_compression: self.percentile_compression(data).await?,
                models: &models,
            },
        };
        self.evaluate(asked, &evaluation).await
    }

    /// What a plan has to know of the definitions of its report.
    async fn models(&self, plan: &Plan, scope: &Scope) -> Result<ProcessModels, ExportError> {
        let definitions = &self.definitions;
        let mut models = if plan.needs_models() {
            ProcessModels::of(&definitions.process_models(scope).await?)
        } else {
            ProcessModels::default()
        };
        if plan.needs_definition_names() {
            models.definition_names = definitions.process_definition_names().await?;
        }
        if plan.needs_ad_hoc_sub_processes() {
            let found = definitions.ad_hoc_sub_processes(scope).await?;
            models.ad_hoc_sub_processes = AdHocSubProcesses::clone(&found);
        }
        Ok(models)
    }

    /// With which compression Optimize would ask for the report's percentiles, if it has any.
    async fn percentile_compression(
        &self,
        data: &ProcessReportData,
    ) -> Result<Option<u32>, ElasticsearchError> {
        let mut functions = data.configuration.aggregation_types.iter();
        if !functions.any(|function| function.kind == AggregationType::Percentile) {
            return Ok(None);
        }
        let server = self.elasticsearch.server().await?;
        Ok(server.percentile_compression())
    }

    /// The result of a report on decisions, whole.
    pub(super) async fn export_decision_report(
        &self,
        request: &ExportRequest,
        data: &DecisionReportData,
    ) -> Result<Whole, ExportError> {
        let evaluated = self.decision_report(asked(request), data).await?;
        Ok(whole_answer(request, evaluated).await)
    }

    /// The result of a report on decisions.
    pub(super) async fn decision_report(
        &self,
        asked: Asked<'_>,
        data: &DecisionReportData,
    ) -> Result<Evaluated, ExportError> {
        let filter = decision_filter_context(&self.settings, asked.now);
        let restrictions = asked.access.restrictions();
        let scope = (self.definitions)
            .scope_of_decision_report(data, restrictions)
            .await?;
        let plan = DecisionPlan::new(DecisionContext {
            report: data,
            scope: &scope,
            filter: &filter,
            bucket_limit: self.settings.aggregation_bucket_limit,
        });
        self.evaluate(asked, &plan).await
    }

    async fn evaluate(
        &self,
        asked: Asked<'_>,
        evaluation: &(impl Evaluation + Sync),
    ) -> Result<Evaluated, ExportError> {
        let Asked {
            report_id, until, ..
        } = asked;
        let scope = evaluation.scope();
        let share = self.elasticsearch.share();
        let evaluated = |result, bytes, share| Evaluated {
            result,
            message: message_about(scope),
            bytes,
            share,
        };
        let without_index = |share| evaluated(evaluation.result_without_index(), 0, share);
        if until == Until::Shape || scope.is_known_to_be_empty() {
            return Ok(without_index(share));
        }
        let mut ranges = Ranges::default();
        let mut many = 0;
        if let Some(search) = evaluation.statistics() {
            let search = Bytes::from(search.to_string());
            let Some(statistics) = self.search(scope, search, &share).await? else {
                return Ok(without_index(share));
            };
            ranges = evaluation.ranges(&statistics)?;
            // What had to know its range first may have very many buckets.
            many = usize::MAX;
            share.shrink_to(0);
        }
        let search = with_room(&share, many, |room| {
            let search = evaluation.search(ranges, room)?;
            Ok(Bytes::from(search.into_text()))
        });
        let search = search.await?;
        share.shrink_to(search.len());
        share.grow(search.len() - share.bytes()).await?;
        let permits = &self.permits;
        let permit = permits
            .take_for_result(report_id, search.len(), PATIENCE)
            .await?;
        let answer = self.search(scope, search, &share).await;
        if answer.is_err() {
            // It may have been too much for Elasticsearch: too many buckets, or a breaker. The next success tells its size.
            permits.learn_result(report_id, None);
        }
        let Some(answer) = answer? else {
            return Ok(without_index(share));
        };
        let bytes = answer.bytes();
        permits.learn_result(report_id, Some(bytes));
        drop(permit);
        share.shrink_to(bytes);
        let result = with_room(&share, bytes, |room| {
            evaluation.result(ranges, &answer, room)
        });
        let result = result.await?;
        drop(answer);
        Ok(evaluated(result, bytes, share))
    }

    /// The answer of a scope; `None` where its indices don't exist.
    async fn search(
        &self,
        scope: &Scope,
        body: Bytes,
        share: &Share,
    ) -> Result<Option<Answer>, ElasticsearchError> {
        let elasticsearch = &self.elasticsearch;
        let search = |indices: Vec<String>| {
            let body = body.clone();
            async move { elasticsearch.search_within(&indices, body, share).await }
        };
        ask_scope(scope, search).await
    }
}

/// Makes something out of so many bytes, and takes the memory for it. Where there is none at the moment, it is made once more as
/// soon as there is: nobody waits with it half made.
async fn with_room<T>(
    share: &Share,
    bytes: usize,
    make: impl Fn(&Room<'_>) -> Result<T, PlanError>,
) -> Result<T, ExportError> {
    let before = share.bytes();
    let attempt = || {
        let refusal = Cell::new(None);
        let made = make(&Room::new(|bytes| {
            share.grow_at_once(bytes).map_err(|why| {
                refusal.set(Some(why));
                PlanError::NoMemory
            })
        }));
        match (made, refusal.take()) {
            (Err(PlanError::NoMemory), Some(why)) => Err(why),
            (made, _) => Ok(made),
        }
    };
    let made = match share.work_on(bytes, attempt).await {
        Err(NoMemory::Busy) => {
            share.shrink_to(before);
            share.wait_for_reserve().await?;
            share.work_on(bytes, attempt).await
        }
        made => made,
    };
    Ok(made??)
}

/// How far a report is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Only what kind of result it has, without any data: nothing is searched for.
    Shape,
    /// Its result.
    Result,
}

/// Which result is asked for, by whom and when.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// The id of its report.
    pub report_id: &'a str,
    /// What the client may see.
    pub access: &'a Access,
    /// What is now for it.
    pub now: Timestamp,
    /// How far it is evaluated.
    pub until: Until,
}

fn asked(request: &ExportRequest) -> Asked<'_> {
    Asked {
        report_id: &request.report_id,
        access: request.audit.client().access(),
        now: clock::now(),
        until: Until::Result,
    }
}

/// A result, and what it takes.
pub(super) struct Evaluated {
    /// The result.
    pub result: ReportResult,
    /// What the owner of the report should know.
    pub message: Option<String>,
    /// Bytes of the answer that it was made of.
    pub bytes: usize,
    /// The memory that it takes.
    pub share: Share,
}

/// The whole answer of `json`.
async fn whole_answer(request: &ExportRequest, evaluated: Evaluated) -> Whole {
    let Evaluated {
        result,
        message,
        bytes,
        share,
    } = evaluated;
    let export = share
        .work_on(bytes, || whole(request, message, result))
        .await;
    held_until_delivered(export, share)
}

fn whole(request: &ExportRequest, message: Option<String>, result: ReportResult) -> Whole {
    let records = result.records();
    let limit_is_ignored = u64::from(request.limit) < records;
    let messages: Vec<String> = message
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

/// Keeps as much of the memory as the answer's text takes until its reader has it.
fn held_until_delivered(mut whole: Whole, share: Share) -> Whole {
    whole.json.shrink_to_fit();
    share.shrink_to(whole.json.len());
    whole.keeping(share)
}

impl From<PlanError> for ExportError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Definition(error) => error.into(),
            PlanError::TooManyBuckets(reason) => Self::TooManyBuckets(reason),
            PlanError::NoMemory => NoMemory::Busy.into(),
            PlanError::Absent(_) => Self::Internal(error.to_string()),
        }
    }
}
