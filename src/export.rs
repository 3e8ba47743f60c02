//! The walk from a request to its answer.
//!
//! Read it from [`Exporter::export`] down: load the report, check its parts, tell what it covers, ask Elasticsearch,
//! answer. Raw data goes on in `raw_data`, page by page; what aggregates in `aggregated`.

use std::sync::{Arc, Weak};
use std::time::Duration;

use cluster::{Elasticsearch, ElasticsearchError, Refusal};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use moka::sync::Cache;
use optimize::filter::{self, FilterContext, ImplicitFilter};
use optimize::plan::{self, combination};
use optimize::raw_data::variables::ObjectVariables;
use optimize::report::definition::{
    DecisionReportData, ProcessReportData, StoredReport, ViewEntity,
};
use optimize::scope::{IndexNames, Scope};
use serde_json::Value;
use tokio_util::task::TaskTracker;

use crate::catalog::definitions::{Definitions, ScopeError};
use crate::catalog::reports::ReportStore;
use crate::flags;
use crate::telemetry;

mod aggregated;
mod ahead;
pub mod answer;
pub mod audit;
pub mod batches;
pub mod body;
mod clock;
pub mod error;
pub mod open_scrolls;
mod page;
mod raw_data;
mod raw_report;
pub mod row_count;
mod rows;
pub mod scroll;
pub mod slots;
pub mod stream;
pub mod whole;

pub use audit::Audit;
pub use body::PageBody;
pub use error::ExportError;
pub use whole::{Held, Whole};

use aggregated::Until;
use ahead::StepsAhead;
use batches::BatchBudget;
use raw_report::{Columns, RawReport};
use scroll::{ScrollRegistry, ScrollSigner};
use slots::{Exhausted, ExportSlots, Gauges, Slot};

/// Seconds after which a client may try again when this service is at its limit.
const RETRY_AFTER_OWN_LIMIT: u32 = 1;
/// Bytes of column names that are kept for open scrolls; columns that had to go are found again.
const MAX_COLUMNS_BYTES: u64 = 16 * 1024 * 1024;
/// With more exports under way than this, Elasticsearch is busy enough: each step that is fetched ahead takes as much of its
/// heap as the one that is read.
const FEW_EXPORTS: usize = 4;
/// How often it is looked for scrolls that have expired or could not be cleared.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);
/// How long the columns of a scroll are kept that nobody continues.
const COLUMNS_IDLE: Duration = Duration::from_secs(15 * 60);

/// What an operator decides about exports.
#[derive(Debug, Clone)]
pub struct ExportSettings {
    /// Prefix of Optimize's indices.
    pub index_prefix: String,
    /// How long definitions and reports are kept.
    pub cache_time_to_live: Duration,
    /// How object variables are shown.
    pub object_variables: ObjectVariables,
    /// The zone of dates in raw rows; `None` keeps the stored offset.
    pub time_zone: Option<TimeZone>,
    /// Whether reports may look at assignees.
    pub assignee_analytics: bool,
    /// Buckets per `terms` aggregation.
    pub aggregation_bucket_limit: u32,
    /// Exports under way at the same time.
    pub max_concurrent_exports: usize,
    /// The same for each client.
    pub max_concurrent_exports_per_client: usize,
    /// How many numbers of changes a read of what has changed goes back in each shard.
    pub change_overlap: u64,
    /// Whole reports under way at the same time.
    pub max_concurrent_streams: usize,
    /// Scrolls open at the same time.
    pub max_open_scrolls: usize,
    /// Pages that may begin to be fetched before their clients ask for them.
    pub max_pages_ahead: usize,
    /// Bytes of documents that Elasticsearch may have to hold for all exports at once.
    pub max_batch_bytes: u64,
    /// How long a request waits in line when the limits are reached.
    pub queue_timeout: Duration,
    /// How long a page waits for a client that reads nothing.
    pub stall_timeout: Duration,
}

/// One request for an export, its parameters checked.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// Who asks, and what becomes of it.
    pub audit: Audit,
    /// The report.
    pub report_id: String,
    /// Rows per page; only the first page of a raw data report obeys it.
    pub limit: u32,
    /// Keep-alive of the scroll, in seconds.
    pub pagination_timeout: u32,
    /// The scroll to go on with.
    pub search_request_id: Option<String>,
    /// The zone that the client wants dates in.
    pub time_zone: Option<TimeZone>,
}

/// An answer to an export.
pub enum Export {
    /// All of it.
    Whole(Whole),
    /// A page whose rows are still arriving.
    Page(PageBody),
}

/// Answers exports. Cloning is cheap; clones share everything.
#[derive(Clone)]
pub struct Exporter(Arc<Parts>);

struct Parts {
    elasticsearch: Elasticsearch,
    reports: ReportStore,
    definitions: Definitions,
    scrolls: Arc<ScrollRegistry>,
    signer: ScrollSigner,
    columns: Cache<String, Columns>,
    settings: ExportSettings,
    slots: ExportSlots,
    stream_slots: ExportSlots,
    steps_ahead: StepsAhead,
    batches: BatchBudget,
    /// What has a scroll to care for, whether a client waits for it or not.
    tasks: TaskTracker,
}

impl Exporter {
    /// An exporter on a cluster.
    pub fn new(
        elasticsearch: Elasticsearch,
        signer: ScrollSigner,
        settings: ExportSettings,
    ) -> Self {
        let names = IndexNames::new(&settings.index_prefix);
        let time_to_live = settings.cache_time_to_live;
        let columns = Cache::builder()
            .max_capacity(MAX_COLUMNS_BYTES)
            .weigher(|_, columns: &Columns| u32::try_from(columns.weight()).unwrap_or(u32::MAX))
            .time_to_idle(COLUMNS_IDLE)
            .build();
        let exporter = Self(Arc::new(Parts {
            reports: ReportStore::new(elasticsearch.clone(), names.clone(), time_to_live),
            definitions: Definitions::new(elasticsearch.clone(), names, time_to_live),
            elasticsearch,
            scrolls: Arc::new(ScrollRegistry::new(settings.max_open_scrolls)),
            signer,
            columns,
            slots: ExportSlots::new(
                settings.max_concurrent_exports,
                settings.max_concurrent_exports_per_client,
                Gauges {
                    under_way: telemetry::exports_under_way,
                    waiting: telemetry::exports_waiting,
                },
            ),
            stream_slots: ExportSlots::new(
                settings.max_concurrent_streams,
                settings.max_concurrent_exports_per_client,
                Gauges {
                    under_way: telemetry::streams_under_way,
                    waiting: telemetry::streams_waiting,
                },
            ),
            steps_ahead: StepsAhead::new(settings.max_pages_ahead),
            batches: BatchBudget::new(settings.max_batch_bytes),
            settings,
            tasks: TaskTracker::new(),
        }));
        tokio::spawn(sweep(Arc::downgrade(&exporter.0)));
        exporter
    }

    /// Waits until no page is under way any more, so that each has given its scroll up or delivered it, and clears the scrolls
    /// that nobody can go on with then; takes at most so long.
    pub async fn settle(&self, limit: Duration) {
        let settled = async {
            // Pages that were fetched ahead wait for clients that can't come any more.
            self.0.steps_ahead.forget_all();
            self.0.tasks.close();
            self.0.tasks.wait().await;
            self.clear_scrolls_at_end().await;
        };
        if tokio::time::timeout(limit, settled).await.is_err() {
            tracing::warn!("some scrolls may stay open until they expire");
        }
    }

    /// Exports a report, or the next page of it.
    ///
    /// # Errors
    /// The request, the report or Elasticsearch stands in the way; see [`ExportError`].
    pub async fn export(&self, request: ExportRequest) -> Result<Export, ExportError> {
        let audit = request.audit.clone();
        let slot = self
            .export_slot(&audit)
            .await
            .inspect_err(|error| audit.refused(error))?;
        // A task of its own, because a client that goes away stops its request wherever it is: a scroll that was being
        // opened at that moment would stay open, and a page that was being fetched would be lost unnoticed.
        let this = self.clone();
        let task = self
            .0
            .tasks
            .spawn(tracing::Instrument::in_current_span(async move {
                match this.export_report(request, slot).await {
                    // It tells of its end itself.
                    Ok(Export::Whole(whole)) => Ok(Export::Whole(whole.audited(audit))),
                    Ok(page) => Ok(page),
                    Err(error) => {
                        audit.refused(&error);
                        Err(error)
                    }
                }
            }));
        task.await.unwrap_or_else(|error| {
            Err(ExportError::Internal(format!(
                "the export stopped: {error}"
            )))
        })
    }

    /// The status and headers of [`Exporter::export`], without a scroll and without a result: what is wrong with the request,
    /// the report or the cluster, as far as that shows before there are rows.
    ///
    /// # Errors
    /// As [`Exporter::export`].
    pub async fn export_head(&self, request: &ExportRequest) -> Result<(), ExportError> {
        let _slot = self.export_slot(&request.audit).await?;
        let report = self.0.reports.get(&request.report_id).await?;
        let now = clock::now();
        let scroll_id = request.search_request_id.as_deref();
        match &*report {
            StoredReport::Combined => Err(combined()),
            StoredReport::Process(data) if data.is_raw_data() => {
                combination::check_process_report(data, self.0.settings.assignee_analytics)?;
                self.raw_data_head(scroll_id, &request.report_id, RawReport::Process(data))
                    .await
            }
            StoredReport::Decision(data) if data.is_raw_data() => {
                combination::check_decision_report(data)?;
                self.raw_data_head(scroll_id, &request.report_id, RawReport::Decision(data))
                    .await
            }
            StoredReport::Process(data) => {
                combination::check_process_report(data, self.0.settings.assignee_analytics)?;
                self.evaluate_process_report(&request.report_id, data, now, Until::Shape)
                    .await?;
                Ok(())
            }
            StoredReport::Decision(data) => {
                combination::check_decision_report(data)?;
                self.evaluate_decision_report(&request.report_id, data, now, Until::Shape)
                    .await?;
                Ok(())
            }
        }
    }

    async fn export_slot(&self, audit: &Audit) -> Result<Slot, ExportError> {
        let patience = self.0.settings.queue_timeout;
        let slot = self.0.slots.take(audit.client(), patience).await;
        slot.map_err(|exhausted| self.no_slot(exhausted))
    }

    fn no_slot(&self, exhausted: Exhausted) -> ExportError {
        let settings = &self.0.settings;
        let reason = match exhausted {
            Exhausted::InAll => format!(
                "this service already works on {} exports ({})",
                settings.max_concurrent_exports,
                flags::MAX_CONCURRENT_EXPORTS
            ),
            Exhausted::PerClient => format!(
                "this service already works on {} exports of this client ({})",
                settings.max_concurrent_exports_per_client,
                flags::MAX_CONCURRENT_EXPORTS_PER_CLIENT
            ),
        };
        ExportError::Busy {
            reason,
            retry_after: RETRY_AFTER_OWN_LIMIT,
        }
    }

    /// Whether Elasticsearch has heap and time to spare, as far as this service knows: then steps are fetched ahead, and are
    /// larger ones.
    fn has_few_exports(&self) -> bool {
        self.0.slots.under_way() <= FEW_EXPORTS
    }

    /// How many scrolls are open, brought up to date for the metrics.
    pub fn open_scrolls(&self) -> usize {
        self.0.scrolls.open().count()
    }

    async fn export_report(
        &self,
        request: ExportRequest,
        slot: Slot,
    ) -> Result<Export, ExportError> {
        let report = self.0.reports.get(&request.report_id).await?;
        request.audit.set_plan(combination::describe(&report));
        let is_ours = request
            .search_request_id
            .as_deref()
            .is_some_and(|id| self.is_scroll_of(id, &request.report_id));
        match &*report {
            StoredReport::Combined => Err(combined()),
            StoredReport::Process(data) if data.is_raw_data() => {
                combination::check_process_report(data, self.0.settings.assignee_analytics)?;
                self.export_raw_data(request, RawReport::Process(data), slot).await
            }
            StoredReport::Decision(data) if data.is_raw_data() => {
                combination::check_decision_report(data)?;
                self.export_raw_data(request, RawReport::Decision(data), slot).await
            }
            _ if is_ours => Err(ExportError::BadRequest(
                "searchRequestId can't be continued: the report is no longer a raw data report; start over without \
                 searchRequestId"
                    .to_owned(),
            )),
            StoredReport::Process(data) => {
                combination::check_process_report(data, self.0.settings.assignee_analytics)?;
                let whole = self.export_aggregated_process_data(&request, data).await?;
                Ok(Export::Whole(whole.keeping(slot)))
            }
            StoredReport::Decision(data) => {
                combination::check_decision_report(data)?;
                let whole = self.export_aggregated_decision_data(&request, data).await?;
                Ok(Export::Whole(whole.keeping(slot)))
            }
        }
    }
}

impl Exporter {
    /// What the filters of a report depend on; the export has no other zone than UTC.
    fn filter_context(&self, user_task_report: bool, now: Timestamp) -> FilterContext {
        FilterContext {
            now,
            time_zone: TimeZone::UTC,
            user_task_report,
            assignee_analytics: self.0.settings.assignee_analytics,
        }
    }

    /// The same for a report on processes.
    fn process_filter_context(&self, data: &ProcessReportData, now: Timestamp) -> FilterContext {
        self.filter_context(data.view.entity == Some(ViewEntity::UserTask), now)
    }

    /// The query for the process instances of a report.
    fn instance_query(&self, data: &ProcessReportData, scope: &Scope, now: Timestamp) -> Value {
        let context = self.process_filter_context(data, now);
        let implicit = ImplicitFilter::of(data);
        scope.query(&filter::narrowing(
            &data.filters,
            &scope.definitions,
            implicit,
            &context,
        ))
    }

    /// The query for the decision instances of a report.
    fn decision_instance_query(
        &self,
        data: &DecisionReportData,
        scope: &Scope,
        now: Timestamp,
    ) -> Value {
        plan::decision::instance_query(data, scope, &self.filter_context(false, now))
    }
}

/// Clears scrolls that nobody has continued in time, and those that could not be cleared when they were given up, for as long
/// as there is an exporter.
async fn sweep(parts: Weak<Parts>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        let Some(parts) = parts.upgrade() else { return };
        Exporter(parts).clear_due_scrolls(false).await;
    }
}

/// What Optimize says of reports that combine others.
fn combined() -> ExportError {
    ExportError::BadRequest("Combined reports cannot be exported as Json".to_owned())
}

/// What the owner of a report should know about definitions that are not there.
fn message_about(scope: &Scope) -> Option<String> {
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
async fn ask_scope<T, F>(
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
