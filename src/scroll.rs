//! The scrolls of the cluster, from the request that opens one to the one that clears it.
//!
//! [`Scrolls`] is what exports use. Below it, in the order in which a page meets them:
//!
//! * [`signer`]: what travels inside a scroll, and proves that it is ours;
//! * [`registry`]: which scrolls this process knows; [`open_scrolls`]: how many may be open;
//! * [`lease`]: who may read from one, and what becomes of it if he fails;
//! * [`permits`] and [`batch_size`]: how much Elasticsearch may have to hold;
//! * [`reader`] and [`row_count`]: from batch to batch, without missing one;
//! * [`prefetch`]: pages that are asked for before their clients ask.

use std::sync::{Arc, Weak};
use std::time::Duration;

use cluster::error::Refusal;
use cluster::scroll::ScrollBatch;
use cluster::{Elasticsearch, ElasticsearchError};
use moka::sync::Cache;
use optimize::raw_data::cursor::{Cursor, ReadError};
use optimize::raw_data::hit;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::catalog::columns::Columns;
use crate::telemetry::{self, ScrollEvent};

pub mod batch_size;
pub mod lease;
pub mod open_scrolls;
pub mod permits;
pub mod prefetch;
pub mod reader;
pub mod registry;
pub mod row_count;
pub mod signer;

use lease::{ActiveLease, IdleLease};
use open_scrolls::{Full, Reservation};
use permits::{BatchPermit, BatchPermits};
use prefetch::Prefetcher;
use reader::{Batch, ScrollReader, ScrollReading};
use registry::{Progress, Recognition, ScrollRegistry, digest};
use row_count::{RowCount, RowsBefore};
use signer::{ScrollSigner, SealedContents};

/// Bytes of column names that are kept for open scrolls; columns that had to go are found again.
const MAX_COLUMNS_BYTES: u64 = 16 * 1024 * 1024;
/// How long the columns of a scroll are kept that nobody continues.
const COLUMNS_IDLE: Duration = Duration::from_secs(15 * 60);
/// How often it is looked for scrolls that have expired or could not be cleared.
const SWEEP_INTERVAL: Duration = Duration::from_millis(500);
/// Scrolls that are cleared with one request.
const SCROLLS_A_REQUEST: usize = 100;
/// Pauses between attempts to find out whether a scroll is ours.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How often a scroll that may be ours is asked for its proof: each time it is moved, whoever it belongs to.
const MAX_VERIFICATIONS: usize = 6;

/// How much may be going on at once.
#[derive(Debug, Clone, Copy)]
pub struct ScrollLimits {
    /// Contexts that may be open.
    pub max_open: usize,
    /// Pages that may be prefetched.
    pub max_prefetched: usize,
    /// Bytes of documents that Elasticsearch may have to hold.
    pub max_batch_bytes: u64,
}

/// The scrolls of this process. Cloning is cheap; clones share them.
#[derive(Clone)]
pub struct Scrolls(Arc<Parts>);

struct Parts {
    elasticsearch: Elasticsearch,
    signer: ScrollSigner,
    registry: Arc<ScrollRegistry>,
    /// What was found out about a scroll when it was opened, for its further pages.
    columns: Cache<String, Columns>,
    permits: BatchPermits,
    prefetcher: Prefetcher,
    /// What has a scroll to care for, whether a client waits for it or not.
    tasks: TaskTracker,
}

impl Scrolls {
    /// Of a cluster. Those that nobody continues are cleared for as long as there is a clone of this.
    pub fn new(elasticsearch: Elasticsearch, signer: ScrollSigner, limits: ScrollLimits) -> Self {
        let columns = Cache::builder()
            .max_capacity(MAX_COLUMNS_BYTES)
            .weigher(|_, columns: &Columns| u32::try_from(columns.weight()).unwrap_or(u32::MAX))
            .time_to_idle(COLUMNS_IDLE)
            .build();
        let scrolls = Self(Arc::new(Parts {
            elasticsearch,
            signer,
            registry: Arc::new(ScrollRegistry::new(limits.max_open)),
            columns,
            permits: BatchPermits::new(limits.max_batch_bytes),
            prefetcher: Prefetcher::new(limits.max_prefetched),
            tasks: TaskTracker::new(),
        }));
        tokio::spawn(sweep(Arc::downgrade(&scrolls.0)));
        scrolls
    }

    /// Signs what travels inside a scroll.
    pub fn signer(&self) -> &ScrollSigner {
        &self.0.signer
    }

    /// How much Elasticsearch may have to hold.
    pub fn permits(&self) -> &BatchPermits {
        &self.0.permits
    }

    /// The pages that are prefetched.
    pub fn prefetcher(&self) -> &Prefetcher {
        &self.0.prefetcher
    }

    /// What has a scroll to care for goes on when its client goes away, and is waited for at the end.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.0.tasks.spawn(task)
    }

    /// The same for what works long without waiting.
    pub fn spawn_blocking<T: Send + 'static>(
        &self,
        task: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.0.tasks.spawn_blocking(task)
    }

    /// How many scrolls are open, expired ones included.
    pub fn count_open(&self) -> usize {
        self.0.registry.open().count()
    }

    /// What is known of an id.
    pub fn recognize(&self, scroll_id: &str) -> Recognition {
        self.0.registry.recognize(scroll_id)
    }

    /// Takes the right to read from a scroll and to keep it open for so long; none while somebody else has it.
    pub fn lease(&self, scroll_id: &str, keep_alive: u32) -> Option<IdleLease> {
        self.0.registry.lease(scroll_id, keep_alive)
    }

    /// Begins to read a scroll that was just opened; none if somebody else reads from one with its id. `limit` is after how
    /// many hits to stop.
    pub fn begin(
        &self,
        contents: Arc<SealedContents>,
        keep_alive: u32,
        limit: Option<u32>,
        batch: Batch,
    ) -> Option<Opened> {
        let head = &batch.hits.head;
        let lease = self.lease(&head.scroll_id, keep_alive)?.ask();
        let progress = lease.remember(Arc::clone(&contents), &head.scroll_id, head);
        let reading = ScrollReading {
            keep_alive,
            count: RowCount {
                before: RowsBefore {
                    rows: 0,
                    // Whoever has the scroll key, nobody else has its id before the page that begins here.
                    are_all: true,
                },
                total: head.total,
                batch: contents.batch,
            },
            limit,
            contents,
        };
        Some(Opened {
            reader: ScrollReader::new(self, reading, batch),
            lease,
            progress,
        })
    }

    /// Asks for the next batch of a scroll, for which there are permits.
    ///
    /// # Errors
    /// As [`Elasticsearch::continue_scroll`].
    pub async fn next_batch(
        &self,
        scroll_id: &str,
        keep_alive: u32,
        permit: BatchPermit,
    ) -> Result<Batch, ElasticsearchError> {
        let elasticsearch = &self.0.elasticsearch;
        let hits = elasticsearch.continue_scroll(scroll_id, keep_alive).await?;
        Ok(Batch { hits, permit })
    }

    /// Makes room for one more open scroll.
    ///
    /// # Errors
    /// As many are open as may be, and none of them can be cleared.
    pub async fn reserve(&self) -> Result<Reservation, Full> {
        let open = self.0.registry.open();
        if let Ok(reservation) = open.reserve() {
            return Ok(reservation);
        }
        self.clear_due(true).await;
        open.reserve()
    }

    /// The columns that were found when a scroll was opened; none if it was opened by a replica, or long ago.
    pub fn columns(&self, scroll_id: &str) -> Option<Columns> {
        self.0.columns.get(scroll_id)
    }

    /// Keeps the columns of a scroll for its next page.
    pub fn keep_columns(&self, scroll_id: &str, columns: &Columns) {
        let columns = columns.clone();
        self.0.columns.insert(scroll_id.to_owned(), columns);
    }

    /// What our signature in the first hit of a scroll says that this process does not know; `None` if it has no hit.
    ///
    /// # Errors
    /// It is not ours, or its first hit did not arrive.
    pub async fn verify(
        &self,
        batch: &mut ScrollBatch,
    ) -> Result<Option<SealedContents>, VerifyError> {
        while let Some(text) = batch.next_hit().await? {
            let mut cursor = Cursor::new(text);
            let matched = match hit::read_matched(&mut cursor) {
                Ok(matched) => matched,
                Err(ReadError::Incomplete) => {
                    batch.wait()?;
                    continue;
                }
                Err(ReadError::Expected(_) | ReadError::LostPlace) => {
                    return Err(VerifyError::Foreign);
                }
            };
            let contents = (matched.names()).find_map(|name| self.0.signer.open(name));
            return contents.map(Some).ok_or(VerifyError::Foreign);
        }
        Ok(None)
    }

    /// Gives up a scroll, most likely of a replica, whose batch may have been taken before it could be verified.
    ///
    /// This process will not continue it any more. For the replicas it has to be cleared, but what is not verified is never
    /// cleared: so its next batch is asked for until it proves that it is ours.
    pub fn give_up_unverified(
        &self,
        scroll_id: &str,
        lease: ActiveLease,
        error: &ElasticsearchError,
    ) {
        let keep_alive = lease.keep_alive_seconds();
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
                let batch = (this.0.elasticsearch)
                    .continue_scroll(&scroll_id, keep_alive)
                    .await;
                let verified = match batch {
                    Ok(mut batch) => this.verify(&mut batch).await,
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
        self.spawn(verify.in_current_span());
    }

    /// Gives up a scroll of ours that is not remembered as open.
    pub async fn give_up_new(&self, scroll_id: &str, keep_alive: u32) {
        let (open, digest) = (self.0.registry.open(), digest(scroll_id));
        let keep_alive = Duration::from_secs(u64::from(keep_alive));
        open.remember(digest, scroll_id, keep_alive, 1);
        open.give_up(&digest);
        self.clear(scroll_id).await;
    }

    /// Gives up a scroll of ours. What can't be cleared now is cleared later (`clear_due`): with a scroll key, a
    /// replica that knows nothing of a page that broke would go on behind it.
    pub async fn clear(&self, scroll_id: &str) {
        telemetry::scrolls(ScrollEvent::Cleared, 1);
        self.0.columns.invalidate(scroll_id);
        match self.0.elasticsearch.clear_scrolls(&[scroll_id]).await {
            Ok(()) => self.0.registry.open().forget(&digest(scroll_id)),
            Err(error) => tracing::warn!(
                %error, "a scroll can't be cleared; it is tried again until it has expired"
            ),
        }
    }

    /// Clears scrolls that were given up and could not be cleared then, and those that nobody has continued in time;
    /// `is_urgent` if there is no room for others.
    async fn clear_due(&self, is_urgent: bool) {
        let open = self.0.registry.open();
        let mut cleared = Vec::new();
        for due in open.take_due(is_urgent) {
            if due.has_expired {
                // Who has the lease is reading.
                let Some(lease) = self.lease(&due.scroll_id, 0) else {
                    continue;
                };
                self.0.prefetcher.forget(&due.digest);
                self.0.columns.invalidate(&due.scroll_id);
                lease.end();
                telemetry::scrolls(ScrollEvent::Expired, 1);
            }
            cleared.push(due);
        }
        for due in cleared.chunks(SCROLLS_A_REQUEST) {
            let ids: Vec<&str> = due.iter().map(|due| due.scroll_id.as_str()).collect();
            match self.0.elasticsearch.clear_scrolls(&ids).await {
                Ok(()) => due.iter().for_each(|due| open.forget(&due.digest)),
                Err(error) => tracing::debug!(%error, "scrolls can't be cleared yet"),
            }
        }
    }

    /// Waits until nobody cares for a scroll any more, so that each has been given up or delivered, and clears those that
    /// nobody can go on with then.
    pub async fn drain(&self) {
        // Pages that were prefetched wait for clients that can't come any more.
        self.0.prefetcher.forget_all();
        self.0.tasks.close();
        self.0.tasks.wait().await;
        let others_may_go_on = self.0.signer.accepts_foreign();
        let left = self.0.registry.open().take_all(others_may_go_on);
        for ids in left.chunks(SCROLLS_A_REQUEST) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            if let Err(error) = self.0.elasticsearch.clear_scrolls(&ids).await {
                tracing::warn!(%error, "some scrolls stay open until they expire");
                return;
            }
        }
    }
}

/// A scroll that was opened and can be read.
pub struct Opened {
    /// From its first hit on.
    pub reader: ScrollReader,
    /// The right to read from it.
    pub lease: ActiveLease,
    /// How far it has come with its first page.
    pub progress: Progress,
}

/// The search that opens a scroll over what `query` finds. A named query that everything matches carries `contents`, so that
/// every hit repeats them.
pub fn search(contents: &SealedContents, query: &Value, sort: &Value) -> Value {
    json!({
        "size": contents.batch,
        "track_total_hits": true,
        // A whole source is copied, a filtered one would be parsed and written anew for every hit.
        "_source": true,
        "query": {"bool": {"filter": [query, {"match_all": {"_name": contents.name()}}]}},
        "sort": sort,
    })
}

/// Clears scrolls that nobody has continued in time, and those that could not be cleared when they were given up.
async fn sweep(parts: Weak<Parts>) {
    loop {
        tokio::time::sleep(SWEEP_INTERVAL).await;
        let Some(parts) = parts.upgrade() else { return };
        Scrolls(parts).clear_due(false).await;
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

/// Why a scroll is not verified.
pub enum VerifyError {
    /// It is not ours.
    Foreign,
    /// Its first hit did not arrive.
    Elasticsearch(ElasticsearchError),
}

impl From<ElasticsearchError> for VerifyError {
    fn from(error: ElasticsearchError) -> Self {
        Self::Elasticsearch(error)
    }
}
