//! Raw data reports, page by page. What is in a row is the business of `raw_report`; everything else is the same for
//! process instances and decision instances.
//!
//! The first page opens a scroll, every further one continues it. A page may take several batches of the scroll. A page that
//! breaks gives its scroll up, so that the client starts over instead of missing rows.

use std::sync::Arc;

use cluster::ElasticsearchError;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::admission::{Admission, Permit};
use super::error::{ExportError, start_over};
use super::page::Page;
use super::query::message_about;
use super::raw_report::{RawReport, RawReports};
use super::whole::Whole;
use super::{Audit, Export, ExportRequest, clock};
use crate::auth::Access;
use crate::catalog::columns::Columns;
use crate::encode::json::Envelope;
use crate::scroll::batch_size;
use crate::scroll::lease::{ActiveLease, IdleLease};
use crate::scroll::permits::{BatchPermit, PATIENCE};
use crate::scroll::prefetch::NextPage;
use crate::scroll::reader::{Batch, BatchError, ScrollReader, ScrollReading};
use crate::scroll::registry::{Progress, Recognition};
use crate::scroll::row_count::{Miscount, RowCount, RowsBefore};
use crate::scroll::signer::{ScrollContents, SealedContents};
use crate::scroll::{self, Opened, Scrolls, VerifyError};
use crate::telemetry::{self, ScrollEvent};

/// Seconds after which a second request for a page that is under way may come again.
const RETRY_AFTER_UNDER_WAY: u32 = 2;

/// Answers requests for pages. Cloning is cheap; clones share everything.
#[derive(Clone)]
pub struct Pages {
    pub(super) raw: RawReports,
    pub(super) scrolls: Scrolls,
    pub(super) admission: Admission,
}

/// What a request says about the page that it gets.
pub(super) struct PageRequest {
    /// The zone that the client wants dates in.
    pub time_zone: Option<TimeZone>,
    /// Where it is told what becomes of the page.
    pub audit: Audit,
    /// The right to export.
    pub permit: Permit,
}

/// The scroll that a request continues, moved to the page that it asks for.
struct Moved {
    lease: ActiveLease,
    batch: Batch,
    next_page: NextPage,
}

/// Why a scroll was not moved, or may have been.
enum NotMoved {
    /// It is where it was.
    Surely(ExportError),
    /// The batch was asked for, and nobody knows whether Elasticsearch took it.
    Maybe(BatchError, ActiveLease),
}

impl Pages {
    /// Whether this process issued the id for this report, to somebody who may see the same.
    pub fn is_scroll_of(&self, scroll_id: &str, request: &ExportRequest) -> bool {
        matches!(self.scrolls.recognize(scroll_id), Recognition::Issued(contents) if belongs_to(&contents, request))
    }

    /// Whether a page could be had, as far as that is known without moving or opening a scroll.
    pub async fn head(
        &self,
        request: &ExportRequest,
        report: RawReport<'_>,
    ) -> Result<(), ExportError> {
        if let Some(scroll_id) = &request.search_request_id {
            self.known_contents(scroll_id, request)?;
            return Ok(());
        }
        let access = request.audit.client().access();
        let scope = self.raw.scope_of(report, access).await?;
        if !scope.is_known_to_be_empty() {
            let query = self.raw.query_of(report, &scope, clock::now());
            self.raw.count(&scope, &query).await?;
        }
        Ok(())
    }

    /// The first page, or the next one.
    pub async fn export(
        &self,
        request: ExportRequest,
        report: RawReport<'_>,
        permit: Permit,
    ) -> Result<Export, ExportError> {
        match request.search_request_id.clone() {
            None => self.first_page(request, report, permit).await,
            Some(scroll_id) => self.next_page(request, &scroll_id, report, permit).await,
        }
    }

    async fn first_page(
        &self,
        request: ExportRequest,
        report: RawReport<'_>,
        permit: Permit,
    ) -> Result<Export, ExportError> {
        let Self { raw, scrolls, .. } = self;
        let now = clock::now();
        let audit = request.audit.clone();
        let access = audit.client().access();
        let scope = raw.scope_of(report, access).await?;
        let message = message_about(&scope);
        let without_scroll = |total: u64| {
            let message = message.as_deref();
            let report_id = &request.report_id;
            Ok(without_rows(&Envelope {
                message,
                total,
                report_id,
                search_request_id: None,
            }))
        };
        if scope.is_known_to_be_empty() {
            return without_scroll(0);
        }
        let query = raw.query_of(report, &scope, now);
        if request.limit == 0 {
            return without_scroll(raw.count(&scope, &query).await?);
        }
        let permits = scrolls.permits();
        permits
            .take_sample(&request.report_id, raw.sample(&scope, &query))
            .await;
        let contents = Arc::new(scrolls.signer().seal(ScrollContents {
            report_id: request.report_id.clone(),
            limit: request.limit,
            batch: self.batch_size(&request),
            now: now.as_millisecond(),
            access: access.fingerprint(),
        }));
        let search = scroll::search(&contents, &query, &report.sort(contents.now));
        let keep_alive = request.pagination_timeout;
        let reservation = scrolls.reserve().await?;
        let batch_permit = self.batch_permit(&request, contents.batch).await?;
        let (hits, columns) = tokio::join!(
            raw.open_scroll(&scope, None, keep_alive, &search),
            raw.find_columns(report, &scope, &query, access),
        );
        let Some(hits) = hits? else {
            return without_scroll(0);
        };
        telemetry::scrolls(ScrollEvent::Opened, 1);
        let scroll_id = hits.head.scroll_id.clone();
        let columns = match columns {
            Ok(columns) => columns,
            Err(error) => {
                scrolls.give_up_new(&scroll_id, keep_alive).await;
                return Err(error);
            }
        };
        scrolls.keep_columns(&scroll_id, &columns);
        let batch = Batch {
            hits,
            permit: batch_permit,
        };
        let limit = Some(contents.limit);
        let Opened {
            mut reader,
            lease,
            progress,
        } = scrolls
            .begin(contents, keep_alive, limit, batch)
            .ok_or_else(scroll_id_twice)?;
        drop(reservation);
        let names = match raw.names_of_first(&columns, &mut reader).await {
            Ok(names) => names,
            Err(error) => {
                lease.end();
                scrolls.clear(&scroll_id).await;
                return Err(error.into());
            }
        };
        let page = Page {
            pages: self.clone(),
            reader,
            next_page: NextPage::default(),
            columns,
            names,
            message,
            request: begun(request, permit, progress, &lease),
            leases: vec![lease],
        };
        Ok(page.start())
    }

    async fn next_page(
        &self,
        request: ExportRequest,
        scroll_id: &str,
        report: RawReport<'_>,
        permit: Permit,
    ) -> Result<Export, ExportError> {
        let scrolls = &self.scrolls;
        let keep_alive = request.pagination_timeout;
        // Twice: before the lease, so that a foreign report learns nothing of who is reading, and with the lease, because
        // the scroll may have ended in between.
        self.known_contents(scroll_id, &request)?;
        let lease = scrolls.lease(scroll_id, keep_alive).ok_or_else(|| ExportError::Busy {
            reason: "a request with this searchRequestId is still under way; its scroll can only be read by one at a time"
                .to_owned(),
            retry_after: RETRY_AFTER_UNDER_WAY,
        })?;
        let known = self.known_contents(scroll_id, &request)?;

        let hits = match &known {
            Some(contents) => contents.batch,
            // How large the batches of a replica's scroll are is only known from its hits. It has reckoned as it is done here.
            None => self.batch_size(&request),
        };
        let Moved {
            lease,
            mut batch,
            next_page,
        } = match self.move_scroll(scroll_id, lease, &request, hits).await {
            Ok(moved) => moved,
            Err(NotMoved::Surely(error)) => return Err(error.in_continuation(true)),
            Err(NotMoved::Maybe(BatchError::Elasticsearch(error), lease)) if known.is_none() => {
                scrolls.give_up_unverified(scroll_id, lease, &error);
                return Err(ExportError::from(error).in_continuation(false));
            }
            // Only giving the scroll up makes sure that nobody misses the hits of the batch.
            Err(NotMoved::Maybe(error, lease)) => {
                return Err(self.give_up(scroll_id, vec![lease], error.into()).await);
            }
        };
        let contents = match known {
            Some(contents) => contents,
            None => match scrolls.verify(&mut batch.hits).await {
                Ok(None) => {
                    let _lease = lease.not_moved();
                    return self.unverified_empty_page(request, scroll_id, report).await;
                }
                Ok(Some(contents)) if belongs_to(&contents, &request) => Arc::new(contents),
                Ok(Some(contents)) => {
                    // It is one of ours, opened by a replica for another report or for somebody who may see something else, and
                    // this batch took hits from it.
                    // Better that its reader has to start over than that it misses them.
                    scrolls.give_up_new(scroll_id, keep_alive).await;
                    return Err(belongs_elsewhere(Some(&contents), &request));
                }
                Err(VerifyError::Foreign) => return Err(belongs_elsewhere(None, &request)),
                Err(VerifyError::Elasticsearch(error)) => {
                    scrolls.give_up_unverified(scroll_id, lease, &error);
                    return Err(ExportError::from(error).in_continuation(false));
                }
            },
        };
        telemetry::scrolls(ScrollEvent::Continued, 1);
        let progress = lease.remember(Arc::clone(&contents), scroll_id, &batch.hits.head);
        let page_request = begun(request, permit, progress, &lease);
        let mut leases = vec![lease];
        let new_scroll_id = batch.hits.head.scroll_id.clone();
        if new_scroll_id != scroll_id {
            let Some(lease) = scrolls.lease(&new_scroll_id, keep_alive) else {
                return Err(self
                    .give_up(&new_scroll_id, leases, scroll_id_twice())
                    .await);
            };
            let lease = lease.ask();
            lease.remember_renamed(Arc::clone(&contents), &new_scroll_id, progress);
            leases.push(lease);
            leases.iter().for_each(ActiveLease::note_renaming);
        }
        // What is wrong from its first hit on is told in place of a page.
        let reading = self.reading(Arc::clone(&contents), keep_alive, progress);
        if let Err(error) = first_hit_fits(&mut batch, reading.count).await {
            return Err(self.give_up(&new_scroll_id, leases, error).await);
        }
        let was_renamed = leases.iter().any(ActiveLease::was_renamed);
        let access = page_request.audit.client().access();
        let columns = self.columns_of_scroll(scroll_id, &new_scroll_id, &contents, report, access);
        let columns = match columns.await {
            Ok(columns) => columns,
            Err(error) => return Err(self.give_up(&new_scroll_id, leases, error).await),
        };
        let mut reader = ScrollReader::new(scrolls, reading, batch);
        let names = match self.raw.names_of_first(&columns, &mut reader).await {
            Ok(names) => names,
            Err(error) => return Err(self.give_up(&new_scroll_id, leases, error.into()).await),
        };
        let page = Page {
            pages: self.clone(),
            reader,
            next_page: next_page.with_renamed_scroll(was_renamed),
            columns,
            names,
            message: None,
            request: page_request,
            leases,
        };
        Ok(page.start())
    }

    /// Moves a scroll to its next batch, of so many hits: the one that was prefetched, if there is one.
    async fn move_scroll(
        &self,
        scroll_id: &str,
        lease: IdleLease,
        request: &ExportRequest,
        hits: u32,
    ) -> Result<Moved, NotMoved> {
        let is_not_connected = |error: &BatchError| {
            matches!(
                error,
                BatchError::Elasticsearch(ElasticsearchError::NotConnected(_))
            )
        };
        let lease = lease.ask();
        let lease = match self.scrolls.prefetcher().claim(&lease).await {
            Some(Ok((batch, next_page))) => {
                return Ok(Moved {
                    lease,
                    batch,
                    next_page,
                });
            }
            Some(Err(error)) if !is_not_connected(&error) => {
                return Err(NotMoved::Maybe(error, lease));
            }
            // Where Elasticsearch could not be reached the scroll has not moved.
            Some(Err(_)) | None => lease.not_moved(),
        };
        let permit = self.batch_permit(request, hits).await;
        let permit = permit.map_err(NotMoved::Surely)?;
        let lease = lease.ask();
        let next = (self.scrolls).next_batch(scroll_id, request.pagination_timeout, permit);
        match next.await {
            Ok(batch) => Ok(Moved {
                lease,
                batch,
                next_page: NextPage::default(),
            }),
            Err(error @ ElasticsearchError::NotConnected(_)) => {
                drop(lease.not_moved());
                Err(NotMoved::Surely(error.into()))
            }
            Err(error) => Err(NotMoved::Maybe(error.into(), lease)),
        }
    }

    /// How many hits a batch has, as far as the size of a hit of this report is known.
    fn batch_size(&self, request: &ExportRequest) -> u32 {
        let permits = self.scrolls.permits();
        batch_size::of_page(request.limit, permits.expected_bytes(&request.report_id, 1))
    }

    /// Waits until Elasticsearch may hold one more batch, while it holds those of other exports.
    async fn batch_permit(
        &self,
        request: &ExportRequest,
        hits: u32,
    ) -> Result<BatchPermit, ExportError> {
        let permits = self.scrolls.permits();
        Ok(permits.take(&request.report_id, hits, PATIENCE).await?)
    }

    /// How the scroll of a further page is read, and what its rows are compared with.
    fn reading(
        &self,
        contents: Arc<SealedContents>,
        keep_alive: u32,
        progress: Progress,
    ) -> ScrollReading {
        ScrollReading {
            keep_alive,
            count: RowCount {
                before: RowsBefore {
                    rows: progress.rows,
                    // With a scroll key, replicas may have delivered pages that this process knows nothing of.
                    are_all: !self.scrolls.signer().accepts_foreign(),
                },
                total: progress.total,
                batch: contents.batch,
            },
            limit: Some(contents.limit),
            contents,
        }
    }

    /// What this process knows of a scroll; `None` if it may be one of a replica.
    fn known_contents(
        &self,
        scroll_id: &str,
        request: &ExportRequest,
    ) -> Result<Option<Arc<SealedContents>>, ExportError> {
        match self.scrolls.recognize(scroll_id) {
            Recognition::Issued(contents) if belongs_to(&contents, request) => Ok(Some(contents)),
            Recognition::Issued(contents) => Err(belongs_elsewhere(Some(&contents), request)),
            Recognition::Ended => Err(ExportError::BadRequest(start_over("its scroll has ended"))),
            Recognition::Unknown if self.scrolls.signer().accepts_foreign() => Ok(None),
            Recognition::Unknown => Err(ExportError::BadRequest(start_over(
                "this service did not issue it",
            ))),
        }
    }

    /// An empty page of a scroll that nothing can be verified of: no hit, and no total of it either.
    async fn unverified_empty_page(
        &self,
        request: ExportRequest,
        scroll_id: &str,
        report: RawReport<'_>,
    ) -> Result<Export, ExportError> {
        let access = request.audit.client().access();
        let scope = self.raw.scope_of(report, access).await?;
        let query = self.raw.query_of(report, &scope, clock::now());
        let total = if scope.is_known_to_be_empty() {
            0
        } else {
            self.raw.count(&scope, &query).await?
        };
        let envelope = Envelope {
            search_request_id: Some(scroll_id),
            message: None,
            total,
            report_id: &request.report_id,
        };
        Ok(without_rows(&envelope))
    }

    /// The columns found when the scroll was opened; found again if it was opened by a replica, or long ago.
    async fn columns_of_scroll(
        &self,
        scroll_id: &str,
        new_scroll_id: &str,
        contents: &ScrollContents,
        report: RawReport<'_>,
        access: &Access,
    ) -> Result<Columns, ExportError> {
        let columns = match self.scrolls.columns(scroll_id) {
            Some(columns) => columns,
            None => {
                let scope = self.raw.scope_of(report, access).await?;
                let now = Timestamp::from_millisecond(contents.now).map_err(|error| {
                    ExportError::Internal(format!("the scroll's time is no time: {error}"))
                })?;
                let query = self.raw.query_of(report, &scope, now);
                self.raw
                    .find_columns(report, &scope, &query, access)
                    .await?
            }
        };
        self.scrolls.keep_columns(new_scroll_id, &columns);
        Ok(columns)
    }

    /// Gives up a scroll whose batch may have been taken and whose page can't be made.
    async fn give_up(
        &self,
        scroll_id: &str,
        leases: Vec<ActiveLease>,
        error: ExportError,
    ) -> ExportError {
        leases.into_iter().for_each(ActiveLease::end);
        self.scrolls.clear(scroll_id).await;
        error.in_continuation(false)
    }
}

/// What a request says about its page, which begins now.
fn begun(
    request: ExportRequest,
    permit: Permit,
    progress: Progress,
    lease: &ActiveLease,
) -> PageRequest {
    request.audit.set_page(progress.pages, lease.digest());
    PageRequest {
        time_zone: request.time_zone,
        audit: request.audit,
        permit,
    }
}

/// The first hit of a page is there if it must be, and the scroll goes on as it began.
async fn first_hit_fits(batch: &mut Batch, count: RowCount) -> Result<(), ExportError> {
    let moved = |miscount: Miscount| {
        ExportError::BadRequest(start_over(&format!(
            "somebody else has read from its scroll, or rows were lost on the way ({miscount})"
        )))
    };
    count.check_total(batch.hits.head.total).map_err(moved)?;
    // What is damaged breaks the page where it is.
    if matches!(batch.hits.next_hit().await, Ok(None)) {
        count.check_end(0).map_err(moved)?;
    }
    Ok(())
}

fn without_rows(envelope: &Envelope<'_>) -> Export {
    Export::Whole(Whole::new(envelope.without_rows(), 0))
}

pub(super) fn scroll_id_twice() -> ExportError {
    ExportError::Internal("Elasticsearch issued a scroll id twice".to_owned())
}

/// Whether a scroll was opened for this report, and for somebody who may see the same of it.
fn belongs_to(contents: &ScrollContents, request: &ExportRequest) -> bool {
    contents.report_id == request.report_id
        && contents.access == request.audit.client().access().fingerprint()
}

/// Of a scroll that is not one of ours nothing is known.
fn belongs_elsewhere(contents: Option<&ScrollContents>, request: &ExportRequest) -> ExportError {
    let is_of_report = contents.is_some_and(|contents| contents.report_id == request.report_id);
    let problem = if is_of_report {
        "was issued to somebody who may see something else of this report, or before the access rules changed"
    } else {
        "was not issued for this report"
    };
    ExportError::BadRequest(format!(
        "searchRequestId {problem}; start over without searchRequestId"
    ))
}
