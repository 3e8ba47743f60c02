//! The walk from a request to its answer.
//!
//! Read it from [`Exporter::export`] down: who may export now (`admission`), load the report, check its parts, and hand it to
//! the one that answers: raw data page by page in `pages`, what aggregates in `aggregated`, whole tables in `stream`.
//! `query` and `raw_report` tell all of them what a report asks of the cluster.

use std::sync::Arc;
use std::time::Duration;

use cluster::Elasticsearch;
use jiff::tz::TimeZone;
use optimize::plan::combination;
use optimize::raw_data::variables::ObjectVariables;
use optimize::report::definition::{DefinitionError, StoredReport};
use optimize::scope::IndexNames;
use tracing::Instrument;

use crate::auth::Client;
use crate::catalog::definitions::Definitions;
use crate::catalog::reports::{Found, LoadError, ReportStore};
use crate::scroll::signer::ScrollSigner;
use crate::scroll::{ScrollLimits, Scrolls};

pub mod admission;
mod aggregated;
pub mod audit;
pub mod body;
mod clock;
pub mod error;
mod page;
mod pages;
mod query;
mod raw_report;
mod rows;
pub mod stream;
pub mod whole;

pub use audit::Audit;
pub use body::PageBody;
pub use error::ExportError;
pub use whole::{Held, Whole};

use admission::{Admission, Permit};
use aggregated::{Aggregated, Asked, Until};
use pages::Pages;
use raw_report::{RawReport, RawReports};
use stream::Streams;

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
    /// Scrolls, batches and pages at the same time.
    pub scrolls: ScrollLimits,
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
    settings: Arc<ExportSettings>,
    reports: ReportStore,
    admission: Admission,
    scrolls: Scrolls,
    pages: Pages,
    aggregated: Aggregated,
    streams: Streams,
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
        let reports = ReportStore::new(elasticsearch.clone(), names.clone(), time_to_live);
        let definitions = Definitions::new(elasticsearch.clone(), names, time_to_live);
        let scrolls = Scrolls::new(elasticsearch.clone(), signer, settings.scrolls);
        let admission = Admission::new(&settings);
        let settings = Arc::new(settings);
        let raw = RawReports {
            elasticsearch: elasticsearch.clone(),
            definitions: definitions.clone(),
            settings: Arc::clone(&settings),
        };
        let aggregated = Aggregated {
            elasticsearch,
            definitions,
            permits: scrolls.permits().clone(),
            settings: Arc::clone(&settings),
        };
        Self(Arc::new(Parts {
            pages: Pages {
                raw: raw.clone(),
                scrolls: scrolls.clone(),
                admission: admission.clone(),
            },
            streams: Streams {
                reports: reports.clone(),
                raw,
                aggregated: aggregated.clone(),
                scrolls: scrolls.clone(),
                admission: admission.clone(),
            },
            aggregated,
            reports,
            admission,
            scrolls,
            settings,
        }))
    }

    /// Whole tables.
    pub fn streams(&self) -> &Streams {
        &self.0.streams
    }

    /// Waits until no page and no stream is under way any more, so that each has given its scroll up or delivered it, and
    /// clears the scrolls that nobody can go on with then; takes at most so long.
    pub async fn drain(&self, limit: Duration) {
        if tokio::time::timeout(limit, self.0.scrolls.drain())
            .await
            .is_err()
        {
            tracing::warn!("some scrolls may stay open until they expire");
        }
    }

    /// How many scrolls are open, brought up to date for the metrics.
    pub fn open_scrolls(&self) -> usize {
        self.0.scrolls.count_open()
    }

    /// Exports a report, or the next page of it.
    ///
    /// # Errors
    /// The request, the report or Elasticsearch stands in the way; see [`ExportError`].
    pub async fn export(&self, request: ExportRequest) -> Result<Export, ExportError> {
        let audit = request.audit.clone();
        let permit = (self.0.admission).export(&audit, &request.report_id).await;
        let permit = permit.inspect_err(|error| audit.refused(error))?;
        let this = self.clone();
        in_own_task(&self.0.scrolls, async move {
            match this.export_report(request, permit).await {
                // It tells of its end itself.
                Ok(Export::Whole(whole)) => Ok(Export::Whole(whole.audited(audit))),
                Ok(page) => Ok(page),
                Err(error) => {
                    audit.refused(&error);
                    Err(error)
                }
            }
        })
        .await
    }

    async fn export_report(
        &self,
        request: ExportRequest,
        permit: Permit,
    ) -> Result<Export, ExportError> {
        let Parts {
            pages, aggregated, ..
        } = &*self.0;
        let report = self.allowed(&request.audit, &request.report_id).await?;
        request.audit.set_plan(combination::describe(&report));
        if let Some(raw) = RawReport::of(&report) {
            self.check(&report)?;
            return pages.export(request, raw, permit).await;
        }
        let is_ours = request
            .search_request_id
            .as_deref()
            .is_some_and(|id| pages.is_scroll_of(id, &request));
        match &*report {
            StoredReport::Combined => Err(combined()),
            StoredReport::Process(_) | StoredReport::Decision(_) if is_ours => {
                Err(ExportError::BadRequest(
                    "searchRequestId can't be continued: the report is no longer a raw data report; start over without \
                     searchRequestId"
                        .to_owned(),
                ))
            }
            StoredReport::Process(data) => {
                self.check(&report)?;
                let whole = aggregated.export_process_report(&request, data).await?;
                Ok(Export::Whole(whole.keeping(permit)))
            }
            StoredReport::Decision(data) => {
                self.check(&report)?;
                let whole = aggregated.export_decision_report(&request, data).await?;
                Ok(Export::Whole(whole.keeping(permit)))
            }
        }
    }

    /// The status and headers of [`Exporter::export`], without a scroll and without a result: what is wrong with the request,
    /// the report or the cluster, as far as that shows before there are rows.
    ///
    /// # Errors
    /// As [`Exporter::export`].
    pub async fn export_head(&self, request: &ExportRequest) -> Result<(), ExportError> {
        let Parts {
            pages, aggregated, ..
        } = &*self.0;
        let report_id = &request.report_id;
        let _permit = (self.0.admission).export(&request.audit, report_id).await?;
        let report = self.allowed(&request.audit, report_id).await?;
        self.check(&report)?;
        if let Some(raw) = RawReport::of(&report) {
            return pages.head(request, raw).await;
        }
        let asked = Asked {
            report_id,
            access: request.audit.client().access(),
            now: clock::now(),
            until: Until::Shape,
        };
        match &*report {
            StoredReport::Combined => Err(combined()),
            StoredReport::Process(data) => {
                let evaluated = aggregated.process_report(asked, data);
                evaluated.await.map(|_| ())
            }
            StoredReport::Decision(data) => {
                let evaluated = aggregated.decision_report(asked, data);
                evaluated.await.map(|_| ())
            }
        }
    }

    /// A report that the client may export.
    async fn allowed(
        &self,
        audit: &Audit,
        report_id: &str,
    ) -> Result<Arc<StoredReport>, ExportError> {
        Ok(self.0.reports.find(audit.client(), report_id).await?.report)
    }

    /// There is such a combination of parts.
    fn check(&self, report: &StoredReport) -> Result<(), DefinitionError> {
        combination::check(report, self.0.settings.assignee_analytics)
    }
}

impl ReportStore {
    /// The report with this id, if a client may export it or a part of what it covers.
    ///
    /// # Errors
    /// There is none, it can't be had, or the access rules don't let the client.
    pub(crate) async fn find(&self, client: &Client, id: &str) -> Result<Found, ExportError> {
        let access = client.access();
        access.check_id(id)?;
        match self.get(id).await {
            Ok(found) => {
                access.check_report(id, found.collection_id.as_deref(), &found.report)?;
                Ok(found)
            }
            Err(error) => {
                access.check_unread(id, matches!(*error, LoadError::NotFound(_)))?;
                Err(error.into())
            }
        }
    }
}

/// Answers in a task of its own, because a client that goes away stops its request wherever it is: a scroll that was being
/// opened at that moment would stay open, and a page that was being fetched would be lost unnoticed.
async fn in_own_task<T: Send + 'static>(
    scrolls: &Scrolls,
    answer: impl Future<Output = Result<T, ExportError>> + Send + 'static,
) -> Result<T, ExportError> {
    let task = scrolls.spawn(answer.in_current_span());
    task.await.unwrap_or_else(|error| {
        Err(ExportError::Internal(format!(
            "the export stopped: {error}"
        )))
    })
}

/// What Optimize says of reports that combine others.
fn combined() -> ExportError {
    ExportError::BadRequest("Combined reports cannot be exported as Json".to_owned())
}
