//! Pages that are prefetched: asked for before their clients ask, so that Elasticsearch works while a client reads.
//!
//! Elasticsearch would have nothing to do from the last row of a page to the request for the next one, which is a fifth of the time
//! of a page that is one batch (docs/PERFORMANCE.md). So the first batch of the next page is asked for while the last one of this page is
//! written ([`NextPage::begin`]), kept until the client asks for it ([`Prefetch::keep`]) and found again then
//! ([`Prefetcher::claim`]).
//!
//! A batch that was asked for has moved its scroll: whoever went on behind it would miss its hits. So
//! * a page is only prefetched if nobody but this process can continue its scroll;
//! * whoever continues a scroll looks here first, under the scroll's lease;
//! * a batch that nobody asks for within its keep-alive is given up together with its scroll, under the same lease;
//! * a batch is only prefetched if it can be read as a whole before anybody asks, so that Elasticsearch does not hold it.
//!
//! All batches that are kept between two requests are in this file. Without them a client gets the same rows, later. To take it
//! out, leave out `NextPage` in `export/pages.rs` and `export/page.rs`, `Delivery::prefetch` in `export/body.rs`, what [`Scrolls`] does
//! with its [`Prefetcher`], and what is unused then.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracing::{Instrument, Span};

use super::Scrolls;
use super::lease::ActiveLease;
use super::reader::{Batch, BatchError, NextBatch, ScrollReader};
use super::registry::{IdDigest, digest};

/// How long a batch is left unread. Most clients ask for it much sooner, and then its rows are written while it arrives;
/// collecting it first would take as long as fetching it.
const UNREAD: Duration = Duration::from_millis(250);
/// Bytes of a batch that are read when nobody asks for it in that time, so that Elasticsearch gets its memory back. What promises to be
/// larger is not prefetched; batches are not, but where a page can't be divided ([`super::batch_size`]).
const MAX_BYTES_READ: usize = 16 * 1024 * 1024;
/// How much sooner than its client wants a scroll may end; a twentieth of the keep-alive if that is less.
const TOO_SOON: Duration = Duration::from_secs(1);

/// Until when Elasticsearch keeps a scroll without further requests.
#[derive(Debug, Clone, Copy)]
struct KeepAlive {
    /// When it was asked to.
    since: Instant,
    /// For how long.
    duration: Duration,
}

impl KeepAlive {
    /// From now on for so many seconds.
    fn from_now(seconds: u32) -> Self {
        Self {
            since: Instant::now(),
            duration: Duration::from_secs(u64::from(seconds)),
        }
    }

    /// Whether a client that asks now for so many seconds would find its scroll gone much sooner than that.
    fn is_too_short_for(self, seconds: u32) -> bool {
        let wanted = Duration::from_secs(u64::from(seconds));
        let left = self.duration.saturating_sub(self.since.elapsed());
        left + TOO_SOON.min(wanted / 20) < wanted
    }
}

/// The permit for one batch that waits for its client.
struct Place(#[expect(dead_code, reason = "held, never looked at")] OwnedSemaphorePermit);

/// Whether the page after the one that is written is prefetched.
#[derive(Default)]
pub struct NextPage {
    /// Set if the scroll would be gone too soon otherwise: the batch that this page begins with was asked for long ago, or with
    /// a shorter keep-alive, and nothing else tells Elasticsearch of the new one.
    prolonging: Option<Place>,
    /// Whether the scroll has had another id before, which its client may still use. What is prefetched is found under one.
    was_renamed: bool,
}

impl NextPage {
    /// The scroll has had another id before.
    pub fn with_renamed_scroll(mut self, was_renamed: bool) -> Self {
        self.was_renamed = was_renamed;
        self
    }

    /// Another batch of this page has come, for which Elasticsearch was told of this page's keep-alive.
    pub fn scroll_was_prolonged(&mut self) {
        self.prolonging = None;
    }

    /// Asks for the next page, if that is worth it and there are permits. `reader` has just found the first hit of the last
    /// batch of this page. With many exports under way Elasticsearch is busy enough.
    pub async fn begin(
        &mut self,
        reader: &ScrollReader,
        has_few_exports: bool,
    ) -> Option<Prefetch> {
        if self.was_renamed {
            return None;
        }
        let place = match self.prolonging.take() {
            Some(place) => place,
            None if has_few_exports && is_worth_it(reader) => {
                reader.scrolls().prefetcher().place()?
            }
            None => return None,
        };
        let batch = reader.ask_for_next().await?;
        Some(Prefetch {
            scrolls: reader.scrolls().clone(),
            scroll_id: reader.scroll_id().to_owned(),
            batch,
            keep_alive: KeepAlive::from_now(reader.keep_alive_seconds()),
            place,
            span: Span::current(),
        })
    }
}

fn is_worth_it(reader: &ScrollReader) -> bool {
    // A client that has asked for one further page will ask for the others; one that looked at the first page may be done, unless it
    // was a large one, of which another batch is only a part.
    let contents = reader.contents();
    let wants_more = reader.has_delivered() || contents.batch < contents.limit;
    let goes_on = wants_more && !reader.is_last_batch();
    let is_small = reader.expected_batch_bytes() <= MAX_BYTES_READ as u64;
    goes_on && is_small && !reader.scrolls().signer().accepts_foreign()
}

/// A page that is prefetched.
pub struct Prefetch {
    scrolls: Scrolls,
    scroll_id: String,
    batch: NextBatch,
    keep_alive: KeepAlive,
    place: Place,
    /// Of the request that the page before answers.
    span: Span,
}

/// A batch that its client asked for, and whether the next page has to be prefetched too.
type Claimed = (Batch, NextPage);

/// A batch that waits for its client, in a task of its own.
struct Waiting {
    /// For how many seconds the client wants the scroll to be kept from now on.
    ask: oneshot::Sender<u32>,
    /// Ends with the batch once it is asked for, and without if the batch was given up.
    task: JoinHandle<Option<Result<Claimed, BatchError>>>,
}

/// The batches that wait for their clients. Only who has the lease of a scroll may take or remove its batch.
pub struct Prefetcher {
    waiting: Mutex<HashMap<IdDigest, Waiting>>,
    places: Arc<Semaphore>,
}

impl Prefetcher {
    /// At most so many may wait.
    pub fn new(most: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            places: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
        }
    }

    fn place(&self) -> Option<Place> {
        let permit = Arc::clone(&self.places).try_acquire_owned();
        permit.ok().map(Place)
    }

    /// Takes the batch by which a scroll was moved already.
    pub async fn claim(&self, lease: &ActiveLease) -> Option<Result<Claimed, BatchError>> {
        let Waiting { ask, task } = self.lock().remove(lease.digest())?;
        // That fails only if the task has panicked, which is told when it is waited for.
        let _ = ask.send(lease.keep_alive_seconds());
        task.await
            .unwrap_or_else(|error| Some(Err(BatchError::Stopped(error))))
    }

    /// Lets go of the batch of a scroll that nobody may continue any more.
    pub fn forget(&self, digest: &IdDigest) {
        self.lock().remove(digest);
    }

    /// Lets go of all of them.
    pub fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IdDigest, Waiting>> {
        // A panic elsewhere leaves a map of tasks as good as it was.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Prefetch {
    /// Keeps the batch until its client asks for it, or until its scroll has expired.
    ///
    /// Called before the client can see the end of the page before, and before the lease of that page is given back: whoever
    /// asks next finds the batch.
    pub fn keep(self) {
        let scrolls = self.scrolls.clone();
        let digest = digest(&self.scroll_id);
        let span = self.span.clone();
        let (ask, asked) = oneshot::channel();
        let task = scrolls.spawn(self.wait(asked).instrument(span));
        let mut waiting = scrolls.prefetcher().lock();
        waiting.insert(digest, Waiting { ask, task });
    }

    /// Gives the batch back when it is asked for; ends without it if its scroll was given up.
    async fn wait(self, mut asked: oneshot::Receiver<u32>) -> Option<Result<Claimed, BatchError>> {
        let Self {
            batch,
            keep_alive,
            place,
            ..
        } = self;
        let mut batch = batch.arrived().await;
        let mut wanted = None;
        if let Ok(unread) = &mut batch {
            let read = async {
                sleep(UNREAD).await;
                unread.hits.read_ahead(MAX_BYTES_READ).await
            };
            tokio::select! {
                biased;
                asked = &mut asked => wanted = Some(asked.ok()?),
                read = read => {
                    tracing::debug!(failed = read.is_err(), "read a page ahead");
                    if let Err(error) = read {
                        batch = Err(error.into());
                    }
                }
            }
        }
        // What failed needs no place: only the client has still to be told.
        let place = batch.is_ok().then_some(place);
        let wanted = match wanted {
            Some(seconds) => seconds,
            None => asked.await.ok()?,
        };
        let next_page = NextPage {
            prolonging: place.filter(|_| keep_alive.is_too_short_for(wanted)),
            was_renamed: false,
        };
        Some(batch.map(|batch| (batch, next_page)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_keep_alive_runs_out() {
        let keep_alive = KeepAlive::from_now(60);
        assert!(!keep_alive.is_too_short_for(60));
        assert!(keep_alive.is_too_short_for(120));
        tokio::time::advance(Duration::from_millis(900)).await;
        assert!(!keep_alive.is_too_short_for(60));
        tokio::time::advance(Duration::from_millis(200)).await;
        assert!(keep_alive.is_too_short_for(60));
        assert!(!keep_alive.is_too_short_for(30));
        tokio::time::advance(Duration::from_secs(100)).await;
        assert!(keep_alive.is_too_short_for(1));

        let keep_alive = KeepAlive::from_now(2);
        tokio::time::advance(Duration::from_millis(90)).await;
        assert!(!keep_alive.is_too_short_for(2));
        tokio::time::advance(Duration::from_millis(20)).await;
        assert!(keep_alive.is_too_short_for(2));
    }
}
