//! Steps of a scroll that are fetched before they are needed, so that Elasticsearch works while this service writes and
//! the client reads.
//!
//! Within a page, the next step is asked for while one is written ([`NextStep`]). Between two pages, the step that the
//! next page begins with is asked for while the last one of this page is written ([`Ahead`]), and kept until the client
//! asks for that page ([`StepsAhead`]). Otherwise Elasticsearch has nothing to do from the last row of a page to the
//! request for the next one, which at pages of one step is a fifth of the time (docs/PERFORMANCE.md).
//!
//! A step that was fetched has moved its scroll: whoever went on behind it would miss its hits. So
//! * a page is only fetched ahead if nobody but this process can continue its scroll;
//! * whoever continues a scroll looks here first, under the scroll's lease;
//! * a step that nobody asks for within its keep-alive is given up together with its scroll, under the same lease.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

use super::Exporter;
use super::scroll::{IdDigest, ScrollLease, digest};
use crate::elasticsearch::ElasticsearchError;
use crate::elasticsearch::pages::ScrollStep;

/// How long a step is left unread. Most clients ask for it much sooner, and then its rows are written while it arrives;
/// collecting it first would take as long as fetching it.
const UNREAD: Duration = Duration::from_millis(250);
/// Bytes of a step that are read when nobody asks for it in that time, so that Elasticsearch gets its memory back. A page of a
/// thousand documents of ten kilobytes fits; what is left of a larger one waits in Elasticsearch, as it does for a client
/// that reads slowly.
const MAX_BYTES_READ: usize = 12 * 1024 * 1024;
/// When a step whose time is over is looked at again, because a request for it was under way.
const EXPIRE_AGAIN: Duration = Duration::from_secs(1);

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

/// A step that was asked for. It is not waited for any more once this is dropped.
pub(super) struct NextStep(JoinHandle<Result<ScrollStep, ElasticsearchError>>);

impl NextStep {
    /// Asks for the next step of a scroll.
    ///
    /// Two requests at once would lose hits, but Elasticsearch has done with a step when it begins to answer: from its
    /// first hit on, the next one may be asked for.
    pub fn fetch(exporter: &Exporter, scroll_id: &str, keep_alive: u32) -> Self {
        let elasticsearch = exporter.0.elasticsearch.clone();
        let scroll_id = scroll_id.to_owned();
        let step = async move { elasticsearch.continue_scroll(&scroll_id, keep_alive).await };
        Self(tokio::spawn(tracing::Instrument::in_current_span(step)))
    }

    /// Waits for it.
    pub async fn taken(mut self) -> Result<ScrollStep, StepError> {
        match (&mut self.0).await {
            Ok(step) => Ok(step?),
            Err(error) => Err(StepError::Stopped(error)),
        }
    }
}

impl Drop for NextStep {
    fn drop(&mut self) {
        self.0.abort();
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
    /// How long the scroll stays open without further requests, in seconds.
    pub keep_alive: u32,
    /// The step.
    pub step: NextStep,
    /// Without room nothing of it is read before its client asks for it.
    pub room: Option<Room>,
}

/// A step that its client asked for.
pub(super) struct Claimed {
    /// The step, unless it did not come.
    pub step: Result<ScrollStep, StepError>,
    /// What it was asked for with, in seconds.
    pub keep_alive: u32,
}

/// A step that waits for its client, in a task of its own.
struct Waiting {
    ask: oneshot::Sender<()>,
    /// Ends with the step once it is asked for, and without if the step was given up.
    task: JoinHandle<Option<Result<ScrollStep, StepError>>>,
    keep_alive: u32,
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
    pub async fn claim(&self, lease: &ScrollLease) -> Option<Claimed> {
        let Waiting {
            ask,
            task,
            keep_alive,
        } = self.lock().remove(lease.digest())?;
        // It only stops listening when it ends.
        let _ = ask.send(());
        let step = match task.await {
            Ok(step) => step?,
            Err(error) => Err(StepError::Stopped(error)),
        };
        Some(Claimed { step, keep_alive })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IdDigest, Waiting>> {
        // A panic elsewhere leaves a map of tasks as good as it was.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ahead {
    /// Keeps the step until its client asks for it, or until its keep-alive is over.
    ///
    /// Called when the client can see the end of the page before, and before the lease of that page is released.
    pub fn wait_for_client(self) {
        let exporter = self.exporter.clone();
        let digest = digest(&self.scroll_id);
        let keep_alive = self.keep_alive;
        let (ask, asked) = oneshot::channel();
        // Locked before the task begins, so that it can't be over before it is known.
        let mut waiting = exporter.0.steps_ahead.lock();
        let task = tokio::spawn(tracing::Instrument::in_current_span(self.wait(asked)));
        waiting.insert(
            digest,
            Waiting {
                ask,
                task,
                keep_alive,
            },
        );
    }

    /// Gives the step back when it is asked for; gives it up if it is not.
    async fn wait(self, mut asked: oneshot::Receiver<()>) -> Option<Result<ScrollStep, StepError>> {
        let Self {
            exporter,
            scroll_id,
            keep_alive,
            step,
            room,
        } = self;
        let mut deadline = Instant::now() + Duration::from_secs(u64::from(keep_alive));
        let mut step = step.taken().await;
        if let (Ok(answer), Some(_)) = (&mut step, &room) {
            let read = async {
                sleep(UNREAD).await;
                answer.read_ahead(MAX_BYTES_READ).await
            };
            let read = tokio::select! {
                biased;
                _ = &mut asked => return Some(step),
                read = read => read,
            };
            if let Err(error) = read {
                step = Err(error.into());
            }
        }
        loop {
            tokio::select! {
                biased;
                _ = &mut asked => return Some(step),
                () = sleep_until(deadline) => {}
            }
            // Who has the lease is about to ask.
            if let Some(lease) = exporter.0.scrolls.lease(&scroll_id, keep_alive) {
                exporter.0.steps_ahead.lock().remove(lease.digest());
                lease.end();
                break;
            }
            deadline = Instant::now() + EXPIRE_AGAIN;
        }
        drop(step);
        tracing::debug!("nobody asked for the page that was fetched ahead");
        exporter.clear_scroll(&scroll_id, keep_alive).await;
        None
    }
}
