//! Raw data reports, page by page. What is in a row is the business of `raw_report`; everything else is the same for
//! process instances and decision instances.
//!
//! The first page opens a scroll, every further one continues it. A page may take several steps of the scroll: a step is
//! what Elasticsearch sends at once, and it sends smaller steps faster than very large ones. Nothing is retried once a
//! step may have been taken, because a repeated step skips hits; a page that breaks gives its scroll up, so that the
//! client starts over instead of missing rows.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use cluster::pages::ScrollStep;
use cluster::{ElasticsearchError, Refusal};
use jiff::Timestamp;
use optimize::raw_data::cursor::{Cursor, ReadError};
use optimize::raw_data::document::{Hit, Skipped};
use optimize::scope::Scope;
use serde_json::{Value, json};
use tracing::Instrument;

use super::ahead::{Room, StepError};
use super::answer::Envelope;
use super::batches::{Batch, BatchPermit, PATIENCE, no_room};
use super::error::{ExportError, start_over};
use super::open_scrolls::Reservation;
use super::page::Page;
use super::raw_report::{Columns, RawReport};
use super::row_count::{Miscount, RowCount, RowsBefore};
use super::scroll::{Progress, Recognition, ScrollContents, ScrollLease, SealedContents, digest};
use super::slots::Slot;
use super::whole::Whole;
use super::{Export, ExportRequest, Exporter, ask_scope, clock, message_about};
use crate::flags;
use crate::telemetry::{self, ScrollEvent};

/// Hits per step that Elasticsearch sends fastest; a page is fetched in steps of a size near it that divides the page.
const STEP_SIZES: RangeInclusive<u32> = 500..=2_000;
/// The same while many export: 32 steps of 2,000 documents of ten kilobytes are more than a heap of a gigabyte can bear.
const STEP_SIZES_OF_MANY: RangeInclusive<u32> = 500..=1_000;
/// Seconds after which a second request for a page that is under way may come again.
const RETRY_AFTER_UNDER_WAY: u32 = 2;
/// Hits of a sample. Where a report has fewer, its hits are taken to be smaller than they are, and there are few of them.
const SAMPLE: u32 = 3;
/// Scrolls that are cleared with one request.
const SCROLLS_A_REQUEST: usize = 100;

/// Seconds after which it may come again when too many scrolls are open: most are read to their end long before they expire.
const RETRY_AFTER_OPEN_SCROLLS: u32 = 30;

/// Pauses between attempts to find out whether a scroll is ours.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often a scroll that may be ours is asked for its proof: each time it is moved, whoever it belongs to.
const MAX_VERIFICATIONS: usize = 6;

/// Bytes of a step that are enough: more at once is no faster, and is held in Elasticsearch's heap.
const ENOUGH_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes that a step may have where a page can only be had as a whole or in very small steps.
const MOST_BYTES: u64 = 4 * ENOUGH_BYTES;

/// How many hits a step has, for pages of `limit` rows whose hits have so many bytes: a page must be a whole number of steps.
fn step_size(limit: u32, sizes: RangeInclusive<u32>, hit_bytes: u64) -> u32 {
    let hits_of = |bytes: u64| {
        u32::try_from(bytes / hit_bytes.max(1))
            .unwrap_or(u32::MAX)
            .max(1)
    };
    let largest = (*sizes.end()).min(hits_of(ENOUGH_BYTES));
    if limit <= largest {
        return limit;
    }
    let divisor = (1..=largest)
        .rev()
        .find(|size| limit.is_multiple_of(*size))
        .unwrap_or(1);
    let is_too_small = divisor < largest.min(*sizes.start());
    if is_too_small && limit <= hits_of(MOST_BYTES) {
        limit
    } else {
        divisor
    }
}

/// How many hits the steps of a stream have, which has no pages: as many as are fastest and may be held, `most` at the most.
pub(super) fn step_size_of_stream(most: u32, few_exports: bool, hit_bytes: u64) -> u32 {
    let sizes = if few_exports {
        STEP_SIZES
    } else {
        STEP_SIZES_OF_MANY
    };
    step_size(most, sizes, hit_bytes)
}

impl Exporter {
    /// Whether this process issued the id for this report.
    pub(super) fn is_scroll_of(&self, scroll_id: &str, report_id: &str) -> bool {
        matches!(self.0.scrolls.recognize(scroll_id), Recognition::Issued(contents) if contents.report_id == report_id)
    }

    /// Whether a page could be had, as far as that is known without moving or opening a scroll.
    pub(super) async fn raw_data_head(
        &self,
        scroll_id: Option<&str>,
        report_id: &str,
        report: RawReport<'_>,
    ) -> Result<(), ExportError> {
        if let Some(scroll_id) = scroll_id {
            self.known_contents(scroll_id, report_id)?;
            return Ok(());
        }
        let scope = self.scope_of(report).await?;
        if !scope.is_known_to_be_empty() {
            let query = self.query_of(report, &scope, clock::now());
            self.count(&scope, &query).await?;
        }
        Ok(())
    }

    /// The first page, or the next one.
    pub(super) async fn export_raw_data(
        &self,
        request: ExportRequest,
        report: RawReport<'_>,
        slot: Slot,
    ) -> Result<Export, ExportError> {
        match request.search_request_id.clone() {
            None => self.first_page(request, report, slot).await,
            Some(scroll_id) => self.next_page(request, &scroll_id, report, slot).await,
        }
    }

    async fn first_page(
        &self,
        request: ExportRequest,
        report: RawReport<'_>,
        slot: Slot,
    ) -> Result<Export, ExportError> {
        let now = clock::now();
        let scope = self.scope_of(report).await?;
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
        let query = self.query_of(report, &scope, now);
        if request.limit == 0 {
            return without_scroll(self.count(&scope, &query).await?);
        }
        let sample = self.sample(&scope, &query);
        (self.0.batches)
            .take_sample(&request.report_id, sample)
            .await;
        let contents = Arc::new(self.0.signer.seal(ScrollContents {
            report_id: request.report_id.clone(),
            limit: request.limit,
            step: self.step_size(&request),
            now: now.as_millisecond(),
        }));
        let search = json!({
            "size": contents.step,
            "track_total_hits": true,
            // A whole source is copied, a filtered one would be parsed and written anew for every hit.
            "_source": true,
            "query": {"bool": {"filter": [query, {"match_all": {"_name": contents.name()}}]}},
            "sort": report.sort(contents.now),
        });
        let keep_alive = request.pagination_timeout;
        let reservation = self.reserve_scroll().await?;
        let permit = self.permit_for(&request, contents.step).await?;
        let (step, columns) = tokio::join!(
            self.open_scroll(&scope, None, keep_alive, &search),
            self.find_columns(report, &scope, &query),
        );
        let Some(step) = step? else {
            return without_scroll(0);
        };
        telemetry::scrolls(ScrollEvent::Opened, 1);
        let scroll_id = step.head.scroll_id.clone();
        let columns = match columns {
            Ok(columns) => columns,
            Err(error) => {
                self.give_up_new(&scroll_id, keep_alive).await;
                return Err(error);
            }
        };
        self.keep_columns(&scroll_id, &columns);
        let Some(lease) = self.0.scrolls.lease(&scroll_id, keep_alive) else {
            return Err(scroll_id_twice());
        };
        lease.take_step();
        let progress = lease.remember(Arc::clone(&contents), &scroll_id, &step.head);
        drop(reservation);
        request.audit.set_page(progress.pages, lease.digest());
        let count = self.row_count(progress, contents.step);
        let page = Page {
            exporter: self.clone(),
            contents,
            keep_alive,
            time_zone: request.time_zone,
            message,
            columns,
            scroll_id,
            batch: Batch { step, permit },
            count,
            prolong: None,
            was_renamed: false,
            leases: vec![lease],
            audit: request.audit,
            slot: Some(slot),
        };
        Ok(page.start())
    }

    async fn next_page(
        &self,
        request: ExportRequest,
        scroll_id: &str,
        report: RawReport<'_>,
        slot: Slot,
    ) -> Result<Export, ExportError> {
        let keep_alive = request.pagination_timeout;
        // Twice: before the lease, so that a foreign report learns nothing of who is reading, and with the lease, because
        // the scroll may have ended in between.
        self.known_contents(scroll_id, &request.report_id)?;
        let lease = self.0.scrolls.lease(scroll_id, keep_alive).ok_or_else(|| ExportError::Busy {
            reason: "a request with this searchRequestId is still under way; its scroll can only be read by one at a time"
                .to_owned(),
            retry_after: RETRY_AFTER_UNDER_WAY,
        })?;
        let known = self.known_contents(scroll_id, &request.report_id)?;

        // How large the steps of a replica's scroll are is only known from its hits.
        let step_size = (known.as_ref()).map_or(*STEP_SIZES.end(), |contents| contents.step);
        let batch = self.next_batch(scroll_id, &lease, &request, step_size);
        let (mut batch, prolong) = match batch.await {
            Ok(batch) => batch,
            Err(NotTaken::NoRoom(error)) => return Err(error.in_continuation(true)),
            Err(NotTaken::Step(StepError::Elasticsearch(
                error @ ElasticsearchError::NotConnected(_),
            ))) => {
                lease.step_was_not_taken();
                return Err(ExportError::from(error).in_continuation(true));
            }
            Err(NotTaken::Step(StepError::Elasticsearch(error))) if known.is_none() => {
                self.give_up_unverified(scroll_id, &lease, keep_alive, &error);
                return Err(ExportError::from(error).in_continuation(false));
            }
            // The step may have been taken; only giving the scroll up makes sure that nobody misses its hits.
            Err(NotTaken::Step(error)) => {
                return Err(self.give_up(scroll_id, &[lease], error.into()).await);
            }
        };
        let contents = match known {
            Some(contents) => contents,
            None => match self.verified_contents(&mut batch.step).await {
                Ok(None) => {
                    lease.step_was_not_taken();
                    return self.unverified_empty_page(request, scroll_id, report).await;
                }
                Ok(Some(contents)) if contents.report_id == request.report_id => Arc::new(contents),
                Ok(Some(_)) => {
                    // It is one of ours, opened by a replica for another report, and this step took hits from it.
                    // Better that its reader has to start over than that it misses them.
                    self.give_up_new(scroll_id, keep_alive).await;
                    return Err(belongs_elsewhere());
                }
                Err(VerifyError::Foreign) => return Err(belongs_elsewhere()),
                Err(VerifyError::Elasticsearch(error)) => {
                    self.give_up_unverified(scroll_id, &lease, keep_alive, &error);
                    return Err(ExportError::from(error).in_continuation(false));
                }
            },
        };
        telemetry::scrolls(ScrollEvent::Continued, 1);
        let progress = lease.remember(Arc::clone(&contents), scroll_id, &batch.step.head);
        request.audit.set_page(progress.pages, lease.digest());
        let count = self.row_count(progress, contents.step);
        let mut leases = vec![lease];
        let new_scroll_id = batch.step.head.scroll_id.clone();
        if new_scroll_id != scroll_id {
            let Some(lease) = self.0.scrolls.lease(&new_scroll_id, keep_alive) else {
                return Err(self
                    .give_up(&new_scroll_id, &leases, scroll_id_twice())
                    .await);
            };
            lease.take_step();
            lease.remember_renamed(Arc::clone(&contents), &new_scroll_id, progress);
            leases.push(lease);
            leases.iter().for_each(ScrollLease::note_renaming);
        }
        // What is wrong from its first hit on is told in place of a page.
        if let Err(error) = first_hit_fits(&mut batch.step, count).await {
            return Err(self.give_up(&new_scroll_id, &leases, error).await);
        }
        let was_renamed = leases.iter().any(ScrollLease::was_renamed);
        let columns = match self
            .columns_of_scroll(scroll_id, &new_scroll_id, &contents, report)
            .await
        {
            Ok(columns) => columns,
            Err(error) => return Err(self.give_up(&new_scroll_id, &leases, error).await),
        };
        let page = Page {
            exporter: self.clone(),
            contents,
            keep_alive,
            time_zone: request.time_zone,
            message: None,
            columns,
            scroll_id: new_scroll_id,
            batch,
            count,
            prolong,
            was_renamed,
            leases,
            audit: request.audit,
            slot: Some(slot),
        };
        Ok(page.start())
    }

    /// The step that the next page begins with, and room for one more if the scroll has to be [prolonged](Page::prolong).
    async fn next_batch(
        &self,
        scroll_id: &str,
        lease: &ScrollLease,
        request: &ExportRequest,
        step_size: u32,
    ) -> Result<(Batch, Option<Room>), NotTaken> {
        let keep_alive = lease.keep_alive_seconds();
        lease.take_step();
        match self.0.steps_ahead.claim(lease).await {
            Some(Ok(claimed)) => {
                let needs_prolonging = claimed.keep_alive.is_too_short_for(keep_alive);
                return Ok((claimed.batch, needs_prolonging.then_some(claimed.room)));
            }
            // Elasticsearch could not be reached when it was asked ahead, so the scroll has not moved.
            Some(Err(StepError::Elasticsearch(ElasticsearchError::NotConnected(_)))) | None => {}
            Some(Err(error)) => return Err(NotTaken::Step(error)),
        }
        lease.step_was_not_taken();
        let permit = self.permit_for(request, step_size).await;
        let permit = permit.map_err(NotTaken::NoRoom)?;
        lease.take_step();
        let step = self.0.elasticsearch.continue_scroll(scroll_id, keep_alive);
        let step = step.await.map_err(|error| NotTaken::Step(error.into()))?;
        Ok((Batch { step, permit }, None))
    }

    /// Some hits of a report and their bytes; `None` where Elasticsearch does not give them, which the export itself will tell.
    pub(super) async fn sample(&self, scope: &Scope, query: &Value) -> Option<(u32, u64)> {
        let elasticsearch = &self.0.elasticsearch;
        let body =
            &json!({"size": SAMPLE, "track_total_hits": false, "query": query, "sort": ["_doc"]});
        let sample = |indices: Vec<String>| async move {
            elasticsearch.size_of_answer(&indices, body).await
        };
        let bytes = ask_scope(scope, sample).await.ok()??;
        Some((SAMPLE, bytes))
    }

    /// How many hits the steps of a new scroll have.
    fn step_size(&self, request: &ExportRequest) -> u32 {
        let sizes = if self.has_few_exports() {
            STEP_SIZES
        } else {
            STEP_SIZES_OF_MANY
        };
        let hit_bytes = self.0.batches.expected_bytes(&request.report_id, 1);
        step_size(request.limit, sizes, hit_bytes)
    }

    /// Waits until Elasticsearch may hold one more step, while it holds those of other exports.
    async fn permit_for(
        &self,
        request: &ExportRequest,
        step_size: u32,
    ) -> Result<BatchPermit, ExportError> {
        let batches = &self.0.batches;
        let permit = batches.take(&request.report_id, step_size, PATIENCE);
        permit.await.map_err(no_room)
    }

    /// What the rows of a page are compared with.
    fn row_count(&self, progress: Progress, step: u32) -> RowCount {
        RowCount {
            before: RowsBefore {
                rows: progress.rows,
                // With a scroll key, replicas may have delivered pages that this process knows nothing of.
                are_all: !self.0.signer.accepts_foreign(),
            },
            total: progress.total,
            step,
        }
    }

    /// Makes room for one more open scroll.
    pub(super) async fn reserve_scroll(&self) -> Result<Reservation, ExportError> {
        let open = self.0.scrolls.open();
        if let Ok(reservation) = open.reserve() {
            return Ok(reservation);
        }
        self.clear_due_scrolls(true).await;
        open.reserve().map_err(|full| ExportError::Busy {
            reason: format!(
                "this service keeps {} scroll contexts open already ({}), one for each shard of a report; \
                 scrolls that nobody continues expire after their paginationTimeout",
                self.0.settings.max_open_scrolls,
                flags::MAX_OPEN_SCROLLS
            ),
            retry_after: u32::try_from(full.next_free.as_secs())
                .unwrap_or(u32::MAX)
                .clamp(1, RETRY_AFTER_OPEN_SCROLLS),
        })
    }

    /// What this process knows of a scroll; `None` if it may be one of a replica.
    fn known_contents(
        &self,
        scroll_id: &str,
        report_id: &str,
    ) -> Result<Option<Arc<SealedContents>>, ExportError> {
        match self.0.scrolls.recognize(scroll_id) {
            Recognition::Issued(contents) if contents.report_id == report_id => Ok(Some(contents)),
            Recognition::Issued(_) => Err(belongs_elsewhere()),
            Recognition::Ended => Err(ExportError::BadRequest(start_over("its scroll has ended"))),
            Recognition::Unknown if self.0.signer.accepts_foreign() => Ok(None),
            Recognition::Unknown => Err(ExportError::BadRequest(start_over(
                "this service did not issue it",
            ))),
        }
    }

    /// What our signature in the first hit of a scroll says that this process does not know; `None` if it has no hit.
    async fn verified_contents(
        &self,
        step: &mut ScrollStep,
    ) -> Result<Option<SealedContents>, VerifyError> {
        while let Some(text) = step.next_hit().await? {
            let hit = match Cursor::new(text).read::<Hit<'_, Skipped>>() {
                Ok(hit) => hit,
                Err(ReadError::Incomplete) => {
                    step.wait()?;
                    continue;
                }
                Err(ReadError::Expected(_) | ReadError::LostPlace) => {
                    return Err(VerifyError::Foreign);
                }
            };
            let contents = hit
                .matched
                .names()
                .find_map(|name| self.0.signer.open(name));
            return contents.map(Some).ok_or(VerifyError::Foreign);
        }
        Ok(None)
    }

    /// An empty page of a scroll that nothing can be verified of: no hit, and no total of it either.
    async fn unverified_empty_page(
        &self,
        request: ExportRequest,
        scroll_id: &str,
        report: RawReport<'_>,
    ) -> Result<Export, ExportError> {
        let scope = self.scope_of(report).await?;
        let query = self.query_of(report, &scope, clock::now());
        let total = if scope.is_known_to_be_empty() {
            0
        } else {
            self.count(&scope, &query).await?
        };
        let envelope = Envelope {
            search_request_id: Some(scroll_id),
            message: None,
            total,
            report_id: &request.report_id,
        };
        Ok(without_rows(&envelope))
    }

    pub(super) async fn open_scroll(
        &self,
        scope: &Scope,
        preference: Option<&str>,
        keep_alive: u32,
        search: &Value,
    ) -> Result<Option<ScrollStep>, ElasticsearchError> {
        let elasticsearch = &self.0.elasticsearch;
        let open = |indices: Vec<String>| async move {
            elasticsearch
                .open_scroll(&indices, preference, keep_alive, search)
                .await
        };
        ask_scope(scope, open).await
    }

    async fn count(&self, scope: &Scope, query: &Value) -> Result<u64, ElasticsearchError> {
        let elasticsearch = &self.0.elasticsearch;
        let count =
            |indices: Vec<String>| async move { elasticsearch.count(&indices, query).await };
        Ok(ask_scope(scope, count).await?.unwrap_or(0))
    }

    /// The columns found when the scroll was opened; found again if it was opened by a replica, or long ago.
    async fn columns_of_scroll(
        &self,
        scroll_id: &str,
        new_scroll_id: &str,
        contents: &ScrollContents,
        report: RawReport<'_>,
    ) -> Result<Columns, ExportError> {
        let columns = match self.0.columns.get(scroll_id) {
            Some(columns) => columns,
            None => {
                let scope = self.scope_of(report).await?;
                let now = Timestamp::from_millisecond(contents.now).map_err(|error| {
                    ExportError::Internal(format!("the scroll's time is no time: {error}"))
                })?;
                let query = self.query_of(report, &scope, now);
                self.find_columns(report, &scope, &query).await?
            }
        };
        self.keep_columns(new_scroll_id, &columns);
        Ok(columns)
    }

    /// Keeps the columns of a scroll for its next page.
    fn keep_columns(&self, scroll_id: &str, columns: &Columns) {
        self.0.columns.insert(scroll_id.to_owned(), columns.clone());
    }

    /// Gives up a scroll whose step may have been taken and whose page can't be made.
    async fn give_up(
        &self,
        scroll_id: &str,
        leases: &[ScrollLease],
        error: ExportError,
    ) -> ExportError {
        leases.iter().for_each(ScrollLease::end);
        self.clear_scroll(scroll_id).await;
        error.in_continuation(false)
    }

    /// Gives up a scroll, most likely of a replica, whose step may have been taken before it could be verified.
    ///
    /// This process will not continue it any more. For the replicas it has to be cleared, but what is not verified is never
    /// cleared: so its next step is asked for until it proves that it is ours.
    fn give_up_unverified(
        &self,
        scroll_id: &str,
        lease: &ScrollLease,
        keep_alive: u32,
        error: &ElasticsearchError,
    ) {
        lease.end();
        if matches!(
            error.refusal(),
            Some(Refusal::SearchContextMissing | Refusal::MalformedScrollId)
        ) {
            return;
        }
        let (this, scroll_id) = (self.clone(), scroll_id.to_owned());
        let verify = async move {
            for pause in pauses(keep_alive).take(MAX_VERIFICATIONS) {
                tokio::time::sleep(pause).await;
                let step = (this.0.elasticsearch)
                    .continue_scroll(&scroll_id, keep_alive)
                    .await;
                let verified = match step {
                    Ok(mut step) => this.verified_contents(&mut step).await,
                    Err(error) => Err(error.into()),
                };
                match verified {
                    Ok(Some(_)) => return this.give_up_new(&scroll_id, keep_alive).await,
                    Ok(None) | Err(VerifyError::Foreign) => return,
                    Err(VerifyError::Elasticsearch(error)) if error.refusal().is_some() => return,
                    Err(VerifyError::Elasticsearch(_)) => {}
                }
            }
        };
        self.0.tasks.spawn(verify.in_current_span());
    }

    /// Gives up a scroll of ours that is not remembered as open.
    pub(super) async fn give_up_new(&self, scroll_id: &str, keep_alive: u32) {
        let (open, digest) = (self.0.scrolls.open(), digest(scroll_id));
        let keep_alive = Duration::from_secs(u64::from(keep_alive));
        open.remember(digest, scroll_id, keep_alive, 1);
        open.give_up(&digest);
        self.clear_scroll(scroll_id).await;
    }

    /// Gives up a scroll of ours. What can't be cleared now is cleared [later](Self::clear_due_scrolls): with a scroll key, a
    /// replica that knows nothing of a page that broke would go on behind it.
    pub(super) async fn clear_scroll(&self, scroll_id: &str) {
        telemetry::scrolls(ScrollEvent::Cleared, 1);
        self.0.columns.invalidate(scroll_id);
        match self.0.elasticsearch.clear_scrolls(&[scroll_id]).await {
            Ok(()) => self.0.scrolls.open().forget(&digest(scroll_id)),
            Err(error) => tracing::warn!(
                %error, "a scroll can't be cleared; it is tried again until it has expired"
            ),
        }
    }

    /// Clears scrolls that were given up and could not be cleared then, and those that nobody has continued in time;
    /// `is_urgent` if there is no room for others.
    pub(super) async fn clear_due_scrolls(&self, is_urgent: bool) {
        let mut cleared = Vec::new();
        for due in self.0.scrolls.open().take_due(is_urgent) {
            if due.has_expired {
                // Who has the lease is reading.
                let Some(lease) = self.0.scrolls.lease(&due.scroll_id, 0) else {
                    continue;
                };
                lease.end();
                self.0.steps_ahead.forget(&due.digest);
                self.0.columns.invalidate(&due.scroll_id);
                telemetry::scrolls(ScrollEvent::Expired, 1);
            }
            cleared.push(due);
        }
        for due in cleared.chunks(SCROLLS_A_REQUEST) {
            let ids: Vec<&str> = due.iter().map(|due| due.scroll_id.as_str()).collect();
            match self.0.elasticsearch.clear_scrolls(&ids).await {
                Ok(()) => (due.iter()).for_each(|due| self.0.scrolls.open().forget(&due.digest)),
                Err(error) => tracing::debug!(%error, "scrolls can't be cleared yet"),
            }
        }
    }

    /// Clears what nobody can go on with when this process ends.
    pub(super) async fn clear_scrolls_at_end(&self) {
        let others_may_go_on = self.0.signer.accepts_foreign();
        let left = self.0.scrolls.open().take_all(others_may_go_on);
        for ids in left.chunks(SCROLLS_A_REQUEST) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            if let Err(error) = self.0.elasticsearch.clear_scrolls(&ids).await {
                tracing::warn!(%error, "some scrolls stay open until they expire");
                return;
            }
        }
    }
}

/// The first hit of a page is there if it must be, and the scroll goes on as it began.
async fn first_hit_fits(step: &mut ScrollStep, count: RowCount) -> Result<(), ExportError> {
    let moved = |miscount: Miscount| {
        ExportError::BadRequest(start_over(&format!(
            "somebody else has read from its scroll, or rows were lost on the way ({miscount})"
        )))
    };
    count.check_total(step.head.total).map_err(moved)?;
    // What is damaged breaks the page where it is.
    if matches!(step.next_hit().await, Ok(None)) {
        count.check_end(0, 0).map_err(moved)?;
    }
    Ok(())
}

/// Why the step of a page was not taken.
enum NotTaken {
    /// Elasticsearch may not hold one more; the scroll is where it was.
    NoRoom(ExportError),
    /// It was asked for.
    Step(StepError),
}

/// Pauses that grow, up to the time when a scroll has expired by itself.
fn pauses(keep_alive: u32) -> impl Iterator<Item = Duration> {
    let mut left = Duration::from_secs(u64::from(keep_alive));
    let doubled = |pause: &Duration| Some((2 * *pause).min(LONGEST_PAUSE));
    std::iter::successors(Some(FIRST_PAUSE), doubled).map_while(move |pause| {
        left = left.checked_sub(pause)?;
        Some(pause)
    })
}

/// Why a scroll of somebody else is not continued.
enum VerifyError {
    /// It is not ours.
    Foreign,
    /// Its first hit did not arrive.
    Elasticsearch(ElasticsearchError),
}

impl From<StepError> for ExportError {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Elasticsearch(error) => error.into(),
            StepError::Stopped(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<ElasticsearchError> for VerifyError {
    fn from(error: ElasticsearchError) -> Self {
        Self::Elasticsearch(error)
    }
}

fn without_rows(envelope: &Envelope<'_>) -> Export {
    Export::Whole(Whole::new(envelope.without_rows(), 0))
}

pub(super) fn scroll_id_twice() -> ExportError {
    ExportError::Internal("Elasticsearch issued a scroll id twice".to_owned())
}

fn belongs_elsewhere() -> ExportError {
    ExportError::BadRequest(
        "searchRequestId was not issued for this report; start over without searchRequestId"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: u64 = 10_000;

    #[test]
    fn large_pages_are_fetched_in_steps() {
        assert_eq!(step_size(1, STEP_SIZES, SMALL), 1);
        assert_eq!(step_size(499, STEP_SIZES, SMALL), 499);
        assert_eq!(step_size(1_000, STEP_SIZES, SMALL), 1_000);
        assert_eq!(step_size(10_000, STEP_SIZES, SMALL), 2_000);
        assert_eq!(step_size(10_000, STEP_SIZES_OF_MANY, SMALL), 1_000);
        assert_eq!(step_size(2_000, STEP_SIZES_OF_MANY, SMALL), 1_000);
        assert_eq!(step_size(9_000, STEP_SIZES, SMALL), 1_800);
        let prime = 9_973;
        assert_eq!(
            step_size(prime, STEP_SIZES, SMALL),
            prime,
            "it has no steps"
        );
    }

    #[test]
    fn large_hits_are_fetched_in_small_steps() {
        let megabyte = 1 << 20;
        assert_eq!(step_size(1_000, STEP_SIZES, megabyte), 25);
        assert_eq!(step_size(20, STEP_SIZES, megabyte), 20);
        assert_eq!(step_size(127, STEP_SIZES, megabyte), 127, "rather than 1");
        assert_eq!(
            step_size(9_973, STEP_SIZES, megabyte),
            1,
            "rather than 10 GB"
        );
        assert_eq!(step_size(9_973, STEP_SIZES, 0), 9_973);
        assert_eq!(step_size(7, STEP_SIZES, u64::MAX), 1);
    }

    proptest! {
        #[test]
        fn a_page_is_a_whole_number_of_steps_that_are_not_too_large(limit in 1..=10_000_u32, hit_bytes in 0..3_000_000_u64) {
            for sizes in [STEP_SIZES, STEP_SIZES_OF_MANY] {
                let step = step_size(limit, sizes, hit_bytes);
                prop_assert_eq!(limit % step, 0);
                prop_assert!(step == 1 || u64::from(step) * hit_bytes <= MOST_BYTES);
            }
        }
    }
}
