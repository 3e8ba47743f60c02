//! Reads a scroll batch by batch, the next one asked for while one is written.
//!
//! Two requests at once would lose hits, but Elasticsearch has done with a batch when it begins to answer: from its first hit
//! on, the next one may be asked for. Nothing is retried once a batch may have been taken, because a repeated request skips
//! hits. Every batch is [counted](super::row_count), so that none that others took or that was lost goes unnoticed.

use std::sync::Arc;
use std::time::Duration;

use cluster::ElasticsearchError;
use cluster::scroll::ScrollBatch;
use tokio::task::{JoinError, JoinHandle};
use tracing::Instrument;

use super::Scrolls;
use super::permits::{BatchPermit, NoPermits};
use super::row_count::{Miscount, RowCount};
use super::signer::SealedContents;

/// Longest wait for permits in the middle of a page or a stream. Others give theirs back as fast as their clients read.
const PATIENCE_MIDWAY: Duration = Duration::from_secs(60);

/// A batch that is under way, with its permits.
pub struct Batch {
    /// Its hits.
    pub hits: ScrollBatch,
    /// Given back with it.
    pub permit: BatchPermit,
}

/// Why a batch that was asked for did not come.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// Elasticsearch did not give it.
    #[error(transparent)]
    Elasticsearch(#[from] ElasticsearchError),
    /// The task that asked for it is gone.
    #[error("the request for the next batch stopped: {0}")]
    Stopped(JoinError),
}

/// A batch that was asked for. It is not waited for any more once this is dropped.
pub struct NextBatch {
    task: JoinHandle<Result<Batch, ElasticsearchError>>,
}

impl NextBatch {
    fn ask(scrolls: &Scrolls, scroll_id: &str, keep_alive: u32, permit: BatchPermit) -> Self {
        let (scrolls, scroll_id) = (scrolls.clone(), scroll_id.to_owned());
        let batch = async move { scrolls.next_batch(&scroll_id, keep_alive, permit).await };
        Self {
            task: tokio::spawn(batch.in_current_span()),
        }
    }

    /// Waits for it.
    ///
    /// # Errors
    /// It did not come.
    pub async fn arrived(mut self) -> Result<Batch, BatchError> {
        match (&mut self.task).await {
            Ok(batch) => Ok(batch?),
            Err(error) => Err(BatchError::Stopped(error)),
        }
    }
}

impl Drop for NextBatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Why a scroll could not be read on.
#[derive(Debug, thiserror::Error)]
pub enum ScrollError {
    /// A batch did not come, or broke off.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// The same scroll has another id.
    #[error("Elasticsearch changed the scroll id")]
    IdChanged,
    /// See [`Miscount`].
    #[error("rows are missing, or there are some too many: {0}")]
    Miscounted(#[from] Miscount),
    /// Others hold all permits.
    #[error(transparent)]
    NoPermits(#[from] NoPermits),
}

impl From<ElasticsearchError> for ScrollError {
    fn from(error: ElasticsearchError) -> Self {
        Self::Batch(error.into())
    }
}

impl ScrollError {
    /// The kind of it in few words; the whole text may name addresses and documents.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Batch(BatchError::Elasticsearch(_)) => "Elasticsearch did not send the rest",
            Self::Batch(BatchError::Stopped(_)) => "the request for the next batch stopped",
            Self::IdChanged => "the scroll id changed",
            Self::Miscounted(_) => "rows are missing, or there are some too many",
            Self::NoPermits(_) => "Elasticsearch had no memory for the next batch",
        }
    }
}

/// What is read, and how far.
pub struct ScrollReading {
    /// What travels inside the scroll.
    pub contents: Arc<SealedContents>,
    /// How long each request keeps the scroll open, in seconds.
    pub keep_alive: u32,
    /// What the hits are compared with.
    pub count: RowCount,
    /// After how many hits to stop. A scroll whose `limit` is none is read to its end.
    pub limit: Option<u32>,
}

/// Reads a scroll whose first batch is there.
///
/// ```text
/// loop {
///     while let Some(text) = reader.next_hit() { … reader.advance(length) or reader.wait() … }
///     if !reader.next_batch() { break }
/// }
/// ```
pub struct ScrollReader {
    scrolls: Scrolls,
    reading: ScrollReading,
    scroll_id: String,
    batch: Batch,
    /// Hits of the batches before.
    hits_before: u64,
    /// Hits of this batch that were read.
    hits: u32,
    next: Option<NextBatch>,
}

impl ScrollReader {
    /// Begins with a batch, whose head names the scroll. That it has as many hits as the scroll had before is for the caller to
    /// check ([`RowCount::check_total`]): only he can still answer with something else than rows.
    pub fn new(scrolls: &Scrolls, reading: ScrollReading, batch: Batch) -> Self {
        Self {
            scrolls: scrolls.clone(),
            reading,
            scroll_id: batch.hits.head.scroll_id.clone(),
            batch,
            hits_before: 0,
            hits: 0,
            next: None,
        }
    }

    /// Text that begins with the next hit of this batch, and what travels inside the scroll; none after the last hit. See
    /// [`ScrollBatch::next_hit`].
    ///
    /// # Errors
    /// The connection broke, the answer is damaged, or there is a hit too many.
    pub async fn next_hit(&mut self) -> Result<Option<(&str, &SealedContents)>, ScrollError> {
        let contents = &*self.reading.contents;
        let Some(text) = self.batch.hits.next_hit().await? else {
            return Ok(None);
        };
        self.reading.count.check_one_more(self.hits)?;
        Ok(Some((text, contents)))
    }

    /// Lets [`ScrollReader::next_hit`] give the same hit again, with more text.
    ///
    /// # Errors
    /// There is no more of it.
    pub fn wait(&mut self) -> Result<(), ScrollError> {
        Ok(self.batch.hits.wait()?)
    }

    /// Goes on after a hit of so many bytes.
    ///
    /// # Errors
    /// No hit can end there.
    pub fn advance(&mut self, length: usize) -> Result<(), ScrollError> {
        self.batch.hits.advance(length)?;
        self.hits += 1;
        Ok(())
    }

    /// Asks for the batch after this one, if there is one to be read and there are permits beside those of this one. Not before
    /// the first hit: a batch without hits is the last one.
    pub async fn ask_early(&mut self) {
        if self.next.is_some() || !self.goes_on() {
            return;
        }
        self.next = self.ask_for_next().await;
    }

    /// Asks for what comes after this batch, whoever reads it.
    pub(super) async fn ask_for_next(&self) -> Option<NextBatch> {
        let ScrollReading {
            contents,
            keep_alive,
            ..
        } = &self.reading;
        let permits = self.scrolls.permits();
        let permit = permits.try_take(&contents.report_id, contents.batch)?;
        let next = NextBatch::ask(&self.scrolls, &self.scroll_id, *keep_alive, permit);
        // A task that was just spawned begins when the one that runs here waits, and hits that have arrived give no reason to:
        // Elasticsearch would be asked after all of them.
        tokio::task::yield_now().await;
        Some(next)
    }

    /// Ends this batch; gives back how many hits it had.
    ///
    /// # Errors
    /// Some are missing.
    pub fn end_batch(&mut self) -> Result<u32, ScrollError> {
        let report_id = &self.reading.contents.report_id;
        let hits = std::mem::take(&mut self.hits);
        self.reading.count.check_end(hits)?;
        // What was read is out of Elasticsearch's heap; who waits for permits must not hold any.
        self.batch.permit.give_back();
        let permits = self.scrolls.permits();
        permits.learn(report_id, hits, self.batch.hits.bytes());
        self.reading.count = self.reading.count.after(hits);
        self.hits_before += u64::from(hits);
        Ok(hits)
    }

    /// Ends this batch and goes on with the next one; `false` if there is none to be read.
    ///
    /// # Errors
    /// It did not come, or this one was not whole.
    pub async fn next_batch(&mut self) -> Result<bool, ScrollError> {
        let hits = self.end_batch()?;
        let contents = &self.reading.contents;
        let batch = match self.next.take() {
            Some(next) => next.arrived().await?,
            None if hits == contents.batch && self.goes_on_after(0) => {
                let permits = self.scrolls.permits();
                let permit = permits
                    .take(&contents.report_id, contents.batch, PATIENCE_MIDWAY)
                    .await?;
                let keep_alive = self.reading.keep_alive;
                let next = self.scrolls.next_batch(&self.scroll_id, keep_alive, permit);
                next.await?
            }
            None => return Ok(false),
        };
        if batch.hits.head.scroll_id != self.scroll_id {
            return Err(ScrollError::IdChanged);
        }
        self.reading.count.check_total(batch.hits.head.total)?;
        self.batch = batch;
        Ok(true)
    }

    /// Whether there may be more to be read after this batch, if it is a full one.
    pub fn goes_on(&self) -> bool {
        self.goes_on_after(self.reading.contents.batch)
    }

    fn goes_on_after(&self, hits: u32) -> bool {
        let is_within = |limit| self.hits_before + u64::from(hits) < u64::from(limit);
        self.reading.limit.is_none_or(is_within) && !self.reading.count.has_all_after(hits)
    }

    /// Whether nothing is left of the scroll after this batch, as far as that is known.
    pub fn is_last_batch(&self) -> bool {
        (self.reading.count).has_all_after(self.reading.contents.batch)
    }

    /// Whether rows of this scroll have been delivered before this batch.
    pub const fn has_delivered(&self) -> bool {
        self.reading.count.before.rows > 0
    }

    /// How many bytes a batch will have.
    pub(super) fn expected_batch_bytes(&self) -> u64 {
        let contents = &self.reading.contents;
        let permits = self.scrolls.permits();
        permits.expected_bytes(&contents.report_id, contents.batch)
    }

    /// What travels inside the scroll.
    pub fn contents(&self) -> &SealedContents {
        &self.reading.contents
    }

    /// Hits of the whole scroll.
    pub const fn total(&self) -> u64 {
        self.reading.count.total
    }

    /// The id of the scroll.
    pub fn scroll_id(&self) -> &str {
        &self.scroll_id
    }

    /// How long each request keeps the scroll open.
    pub const fn keep_alive_seconds(&self) -> u32 {
        self.reading.keep_alive
    }

    /// The scroll's room.
    pub const fn scrolls(&self) -> &Scrolls {
        &self.scrolls
    }
}
