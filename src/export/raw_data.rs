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

use jiff::Timestamp;
use serde_json::{Value, json};

use super::ahead::{Room, StepError};
use super::answer::Envelope;
use super::error::{ExportError, start_over};
use super::open_scrolls::Reservation;
use super::page::Page;
use super::raw_report::{Columns, RawReport};
use super::scroll::{Recognition, ScrollContents, ScrollLease};
use super::slots::Slot;
use super::whole::Whole;
use super::{Export, ExportRequest, Exporter, ask_scope, message_about};
use crate::elasticsearch::pages::ScrollStep;
use crate::elasticsearch::{ElasticsearchError, Refusal};
use crate::raw_data::cursor::{Cursor, ReadError};
use crate::raw_data::dates;
use crate::raw_data::document::{MatchedQueries, Text};
use crate::scope::Scope;
use crate::telemetry::{self, ScrollEvent};

/// Hits per step that Elasticsearch sends fastest; a page is fetched in steps of a size near it that divides the page.
const STEP_SIZES: RangeInclusive<u32> = 500..=2_000;
/// The same while many export: 32 steps of 2,000 documents of ten kilobytes are more than a heap of a gigabyte can bear.
const STEP_SIZES_OF_MANY: RangeInclusive<u32> = 500..=1_000;
/// Seconds after which a second request for a page that is under way may come again.
const RETRY_AFTER_UNDER_WAY: u32 = 2;

/// The same when too many scrolls are open: most are read to their end long before they expire.
const RETRY_AFTER_OPEN_SCROLLS: u32 = 30;

/// Pauses between attempts to clear a scroll.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often a scroll that may be ours is asked for its proof: each time it is moved, whoever it belongs to.
const MAX_VERIFICATIONS: usize = 6;

/// How many hits a step has, for pages of `limit` rows: a page must be a whole number of steps.
fn step_size(limit: u32, sizes: RangeInclusive<u32>) -> u32 {
    if sizes.contains(&limit) {
        return limit;
    }
    sizes
        .rev()
        .find(|size| limit.is_multiple_of(*size))
        .unwrap_or(limit)
}

impl Exporter {
    /// Whether this process issued the id for this report.
    pub(super) fn is_scroll_of(&self, scroll_id: &str, report_id: &str) -> bool {
        matches!(self.0.scrolls.recognize(scroll_id), Recognition::Issued(contents) if contents.report_id == report_id)
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
        let now = dates::now();
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
        let contents = Arc::new(ScrollContents {
            report_id: request.report_id.clone(),
            limit: request.limit,
            step: step_size(
                request.limit,
                if self.has_few_exports() {
                    STEP_SIZES
                } else {
                    STEP_SIZES_OF_MANY
                },
            ),
            now: now.as_millisecond(),
        });
        let search = json!({
            "size": contents.step,
            "track_total_hits": true,
            // A whole source is copied, a filtered one would be parsed and written anew for every hit.
            "_source": true,
            "query": {"bool": {"filter": [query, {"match_all": {"_name": self.0.signer.seal(&contents)}}]}},
            "sort": report.sort(contents.now),
        });
        let keep_alive = request.pagination_timeout;
        let reservation = self.reserve_scroll()?;
        let (step, columns) = tokio::join!(
            self.open_scroll(&scope, keep_alive, &search),
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
                self.clear_scroll(&scroll_id, keep_alive).await;
                return Err(error);
            }
        };
        self.keep_columns(&scroll_id, &columns);
        let Some(lease) = self.0.scrolls.lease(&scroll_id, keep_alive) else {
            return Err(scroll_id_twice());
        };
        lease.take_step();
        let page_number = lease.remember(Arc::clone(&contents));
        drop(reservation);
        request.audit.set_page(page_number, lease.digest());
        let page = Page {
            exporter: self.clone(),
            contents,
            keep_alive,
            time_zone: request.time_zone,
            message,
            columns,
            scroll_id,
            step,
            rows_before: Some(0),
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

        lease.take_step();
        let (mut step, prolong) = match self.next_step(scroll_id, &lease).await {
            Ok(step) => step,
            Err(StepError::Elasticsearch(error @ ElasticsearchError::NotConnected(_))) => {
                lease.step_was_not_taken();
                return Err(ExportError::from(error).in_continuation(true));
            }
            Err(StepError::Elasticsearch(error)) if known.is_none() => {
                self.give_up_unverified(scroll_id, &lease, keep_alive, &error);
                return Err(ExportError::from(error).in_continuation(false));
            }
            // The step may have been taken; only giving the scroll up makes sure that nobody misses its hits.
            Err(error) => return Err(self.give_up(scroll_id, &[lease], error.into()).await),
        };
        let contents = match known {
            Some(contents) => contents,
            None => match self.verified_contents(&mut step).await {
                Ok(None) => {
                    lease.step_was_not_taken();
                    return self.unverified_empty_page(request, scroll_id, report).await;
                }
                Ok(Some(contents)) if contents.report_id == request.report_id => Arc::new(contents),
                Ok(Some(_)) => {
                    // It is one of ours, opened by a replica for another report, and this step took hits from it.
                    // Better that its reader has to start over than that it misses them.
                    self.clear_scroll(scroll_id, keep_alive).await;
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
        let page_number = lease.remember(Arc::clone(&contents));
        request.audit.set_page(page_number, lease.digest());
        // With a scroll key, replicas may have delivered pages that this process knows nothing of.
        let rows_before = (!self.0.signer.accepts_foreign())
            .then(|| u64::from(page_number.saturating_sub(1)) * u64::from(contents.limit));
        let mut leases = vec![lease];
        let new_scroll_id = step.head.scroll_id.clone();
        if new_scroll_id != scroll_id {
            let Some(lease) = self.0.scrolls.lease(&new_scroll_id, keep_alive) else {
                return Err(self
                    .give_up(&new_scroll_id, &leases, scroll_id_twice())
                    .await);
            };
            lease.take_step();
            lease.remember(Arc::clone(&contents));
            leases.push(lease);
            leases.iter().for_each(ScrollLease::note_renaming);
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
            step,
            rows_before,
            prolong,
            was_renamed,
            leases,
            audit: request.audit,
            slot: Some(slot),
        };
        Ok(page.start())
    }

    /// The step that the next page begins with, and room for one more if the scroll has to be [prolonged](Page::prolong).
    async fn next_step(
        &self,
        scroll_id: &str,
        lease: &ScrollLease,
    ) -> Result<(ScrollStep, Option<Room>), StepError> {
        let keep_alive = lease.keep_alive_seconds();
        match self.0.steps_ahead.claim(lease).await {
            Some(Ok(claimed)) => {
                let needs_prolonging = claimed.keep_alive.is_too_short_for(keep_alive);
                return Ok((claimed.step, needs_prolonging.then_some(claimed.room)));
            }
            // Elasticsearch could not be reached when it was asked ahead, so the scroll has not moved.
            Some(Err(StepError::Elasticsearch(ElasticsearchError::NotConnected(_)))) | None => {}
            Some(Err(error)) => return Err(error),
        }
        let elasticsearch = &self.0.elasticsearch;
        Ok((
            elasticsearch.continue_scroll(scroll_id, keep_alive).await?,
            None,
        ))
    }

    /// Makes room for one more open scroll.
    fn reserve_scroll(&self) -> Result<Reservation, ExportError> {
        self.0.scrolls.open().reserve().map_err(|full| ExportError::Busy {
            reason: format!(
                "this service keeps {} scrolls open already (--max-open-scrolls); scrolls that nobody continues expire \
                 after their paginationTimeout",
                self.0.settings.max_open_scrolls
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
    ) -> Result<Option<Arc<ScrollContents>>, ExportError> {
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
    ) -> Result<Option<ScrollContents>, VerifyError> {
        while let Some(text) = step.next_hit().await? {
            let matched = match Cursor::new(text).read::<MatchedQueries>() {
                Ok(matched) => matched,
                Err(ReadError::Incomplete) => {
                    step.wait()?;
                    continue;
                }
                Err(ReadError::Expected(_)) => return Err(VerifyError::Foreign),
            };
            let names = matched.0.iter().filter_map(Text::as_deref);
            let contents = names.filter_map(|name| self.0.signer.open(name)).next();
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
        let query = self.query_of(report, &scope, dates::now());
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

    async fn open_scroll(
        &self,
        scope: &Scope,
        keep_alive: u32,
        search: &Value,
    ) -> Result<Option<ScrollStep>, ElasticsearchError> {
        let elasticsearch = &self.0.elasticsearch;
        let open = |indices: Vec<String>| async move {
            elasticsearch
                .open_scroll(&indices, keep_alive, search)
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
        let keep_alive = leases.iter().map(ScrollLease::keep_alive_seconds).max();
        self.clear_scroll(scroll_id, keep_alive.unwrap_or_default())
            .await;
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
        tokio::spawn(tracing::Instrument::in_current_span(async move {
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
                    Ok(Some(_)) => return this.clear_scroll(&scroll_id, keep_alive).await,
                    Ok(None) | Err(VerifyError::Foreign) => return,
                    Err(VerifyError::Elasticsearch(error)) if error.refusal().is_some() => return,
                    Err(VerifyError::Elasticsearch(_)) => {}
                }
            }
        }));
    }

    /// Gives up a scroll of ours. What can't be cleared now is cleared later: with a scroll key, a replica that knows nothing
    /// of a page that broke would go on behind it.
    pub(super) async fn clear_scroll(&self, scroll_id: &str, keep_alive: u32) {
        telemetry::scrolls(ScrollEvent::Cleared, 1);
        self.0.columns.invalidate(scroll_id);
        let Err(error) = self.0.elasticsearch.clear_scroll(scroll_id).await else {
            return;
        };
        tracing::warn!(%error, "a scroll can't be cleared; it is tried again until it has expired");
        let (this, scroll_id) = (self.clone(), scroll_id.to_owned());
        tokio::spawn(tracing::Instrument::in_current_span(async move {
            for pause in pauses(keep_alive) {
                tokio::time::sleep(pause).await;
                if this.0.elasticsearch.clear_scroll(&scroll_id).await.is_ok() {
                    return;
                }
            }
        }));
    }
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

fn scroll_id_twice() -> ExportError {
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

    #[test]
    fn large_pages_are_fetched_in_steps() {
        assert_eq!(step_size(1, STEP_SIZES), 1);
        assert_eq!(step_size(499, STEP_SIZES), 499);
        assert_eq!(step_size(1_000, STEP_SIZES), 1_000);
        assert_eq!(step_size(10_000, STEP_SIZES), 2_000);
        assert_eq!(step_size(10_000, STEP_SIZES_OF_MANY), 1_000);
        assert_eq!(step_size(2_000, STEP_SIZES_OF_MANY), 1_000);
        assert_eq!(step_size(9_000, STEP_SIZES), 1_800);
        assert_eq!(step_size(9_973, STEP_SIZES), 9_973, "a prime has no steps");
    }

    proptest! {
        #[test]
        fn a_page_is_a_whole_number_of_steps(limit in 1..=10_000_u32) {
            prop_assert_eq!(limit % step_size(limit, STEP_SIZES), 0);
            prop_assert_eq!(limit % step_size(limit, STEP_SIZES_OF_MANY), 0);
        }
    }
}
