//! Steps of a scroll that are fetched before they are needed, so that Elasticsearch works while this service writes and
//! the client reads.
//!
//! Within a page of several steps, the next step is asked for while one is written ([`NextStep`]). Where a page is one step,
//! that of the next page is asked for while this one is written ([`Ahead`]), and kept until the client asks for that page
//! ([`StepsAhead`]). Otherwise Elasticsearch has nothing to do from the last row of a page to the request for the next one,
//! which is a fifth of the time (docs/PERFORMANCE.md).
//!
//! A step that was fetched has moved its scroll: whoever went on behind it would miss its hits. So
//! * a page is only fetched ahead if nobody but this process can continue its scroll;
//! * whoever continues a scroll looks here first, under the scroll's lease;
//! * a step that nobody asks for within its keep-alive is given up together with its scroll, under the same lease;
//! * a step is only fetched ahead if it can be read as a whole before anybody asks, so that Elasticsearch does not hold it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cluster::ElasticsearchError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracing::{Instrument, Span};

use super::Exporter;
use super::batches::{Batch, BatchPermit};
use super::scroll::{IdDigest, ScrollLease, digest};

/// How long a step is left unread. Most clients ask for it much sooner, and then its rows are written while it arrives;
/// collecting it first would take as long as fetching it.
const UNREAD: Duration = Duration::from_millis(250);
/// Bytes of a step that are read when nobody asks for it in that time, so that Elasticsearch gets its memory back. A page of a
/// thousand documents of ten kilobytes fits; what promises to be larger is not fetched ahead.
pub(super) const MAX_BYTES_READ: usize = 12 * 1024 * 1024;

/// How much sooner than its client wants a scroll may end; a twentieth of the keep-alive if that is less.
const TOO_SOON: Duration = Duration::from_secs(1);

/// Why a step that was asked for did not come.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    /// Elasticsearch did not give it.
    #[error(transparent)]
    Elasticsearch(#[from] ElasticsearchError),
    /// The task that asked for it is gone.
    #[error("the request for the next step stopped: {0}")]
    Stopped(tokio::task::JoinError),
}

/// Until when Elasticsearch keeps a scroll without further requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeepAlive {
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
    pub fn is_too_short_for(self, seconds: u32) -> bool {
        let wanted = Duration::from_secs(u64::from(seconds));
        let left = self.duration.saturating_sub(self.since.elapsed());
        left + TOO_SOON.min(wanted / 20) < wanted
    }
}

/// A step that was asked for. It is not waited for any more once this is dropped.
pub(super) struct NextStep {
    task: JoinHandle<Result<Batch, ElasticsearchError>>,
    keep_alive: KeepAlive,
}

impl NextStep {
    /// Asks for the next step of a scroll, for which there are permits.
    ///
    /// Two requests at once would lose hits, but Elasticsearch has done with a step when it begins to answer: from its
    /// first hit on, the next one may be asked for.
    pub fn fetch(
        exporter: &Exporter,
        scroll_id: &str,
        keep_alive: u32,
        permit: BatchPermit,
    ) -> Self {
        let elasticsearch = exporter.0.elasticsearch.clone();
        let scroll_id = scroll_id.to_owned();
        let step = async move {
            let step = elasticsearch
                .continue_scroll(&scroll_id, keep_alive)
                .await?;
            Ok(Batch { step, permit })
        };
        Self {
            keep_alive: KeepAlive::from_now(keep_alive),
            task: tokio::spawn(step.in_current_span()),
        }
    }

    /// Waits for it.
    pub async fn taken(mut self) -> Result<Batch, StepError> {
        match (&mut self.task).await {
            Ok(batch) => Ok(batch?),
            Err(error) => Err(StepError::Stopped(error)),
        }
    }
}

impl Drop for NextStep {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Room for one step that waits for its client.
pub(super) struct Room(#[expect(dead_code, reason = "held, never looked at")] OwnedSemaphorePermit);

/// The first step of a page that nobody has asked for yet.
pub(super) struct Ahead {
    /// Knows the scroll.
    pub exporter: Exporter,
    /// Its id.
    pub scroll_id: String,
    /// The step.
    pub step: NextStep,
    /// Where it waits.
    pub room: Room,
    /// Of the request that the page before answers.
    pub span: Span,
}

/// A step that its client asked for.
pub(super) struct Claimed {
    /// The step.
    pub batch: Batch,
    /// How long the scroll stays open, unless Elasticsearch is told anew.
    pub keep_alive: KeepAlive,
    /// Where it was; the next page may have to wait there.
    pub room: Room,
}

/// A step that waits for its client, in a task of its own.
struct Waiting {
    ask: oneshot::Sender<()>,
    /// Ends with the step once it is asked for, and without if the step was given up.
    task: JoinHandle<Option<Result<Claimed, StepError>>>,
}

/// The steps that wait for their clients. Only who has the lease of a scroll may take or remove its step.
pub(super) struct StepsAhead {
    waiting: Mutex<HashMap<IdDigest, Waiting>>,
    room: Arc<Semaphore>,
}

impl StepsAhead {
    /// With room for so many.
    pub fn new(most: usize) -> Self {
        Self {
            waiting: Mutex::default(),
            room: Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS))),
        }
    }

    /// Room for one more, if there is any.
    pub fn room(&self) -> Option<Room> {
        let permit = Arc::clone(&self.room).try_acquire_owned();
        permit.ok().map(Room)
    }

    /// Takes the step that a scroll was moved by already.
    pub async fn claim(&self, lease: &ScrollLease) -> Option<Result<Claimed, StepError>> {
        let Waiting { ask, task } = self.lock().remove(lease.digest())?;
        // That fails only if the task has panicked, which is told when it is waited for.
        let _ = ask.send(());
        task.await
            .unwrap_or_else(|error| Some(Err(StepError::Stopped(error))))
    }

    /// Lets go of the step of a scroll that nobody may continue any more.
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

impl Ahead {
    /// Keeps the step until its client asks for it, or until its scroll has expired.
    ///
    /// Called before the client can see the end of the page before, and before the lease of that page is released: whoever
    /// asks next finds the step.
    pub fn wait_for_client(self) {
        let parts = Arc::clone(&self.exporter.0);
        let digest = digest(&self.scroll_id);
        let span = self.span.clone();
        let (ask, asked) = oneshot::channel();
        let task = parts.tasks.spawn(self.wait(asked).instrument(span));
        let mut waiting = parts.steps_ahead.lock();
        waiting.insert(digest, Waiting { ask, task });
    }

    /// Gives the step back when it is asked for; ends without it if its scroll was given up.
    async fn wait(self, mut asked: oneshot::Receiver<()>) -> Option<Result<Claimed, StepError>> {
        let Self { step, room, .. } = self;
        let keep_alive = step.keep_alive;
        // What failed needs no room: only the client has still to be told.
        let mut waiting = step.taken().await.map(|batch| Claimed {
            batch,
            keep_alive,
            room,
        });
        if let Ok(claimed) = &mut waiting {
            let read = async {
                sleep(UNREAD).await;
                claimed.batch.step.read_ahead(MAX_BYTES_READ).await
            };
            let read = tokio::select! {
                biased;
                asked = &mut asked => return asked.ok().map(|()| waiting),
                read = read => read,
            };
            tracing::debug!(failed = read.is_err(), "read a page ahead");
            if let Err(error) = read {
                waiting = Err(error.into());
            }
        }
        asked.await.ok().map(|()| waiting)
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
