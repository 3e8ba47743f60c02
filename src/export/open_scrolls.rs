//! How many scrolls this process keeps open, and no more than it may.
//!
//! Elasticsearch allows each node a number of scroll contexts, for all who use it. A scroll that nobody continues stays
//! open until its keep-alive is over, so that a client that opens one after the other could use them all up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::scroll::IdDigest;
use crate::telemetry::{self, ScrollEvent};

/// The scrolls that are open. Cloning is cheap; clones share them.
#[derive(Clone)]
pub struct OpenScrolls {
    limit: usize,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Scrolls that are being opened and have no id yet.
    reserved: usize,
    /// When each is gone by itself.
    deadlines: HashMap<IdDigest, Instant>,
}

impl State {
    fn open(&self) -> usize {
        self.reserved + self.deadlines.len()
    }

    fn forget_expired(&mut self) {
        let now = Instant::now();
        let before = self.deadlines.len();
        self.deadlines.retain(|_, deadline| *deadline > now);
        let expired = before - self.deadlines.len();
        if expired > 0 {
            telemetry::scrolls(ScrollEvent::Expired, expired as u64);
        }
    }
}

/// The right to open one scroll, used up by [`OpenScrolls::remember`] or given back when it is dropped.
pub struct Reservation(OpenScrolls);

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.reserved = state.reserved.saturating_sub(1);
        telemetry::scrolls_open(state.open());
    }
}

/// As many scrolls are open as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// When the next one expires, if nobody continues or finishes one before.
    pub next_free: Duration,
}

impl OpenScrolls {
    /// At most `limit` at the same time.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Arc::default(),
        }
    }

    /// Makes room for a scroll that is about to be opened.
    ///
    /// # Errors
    /// There is no room.
    pub fn reserve(&self) -> Result<Reservation, Full> {
        let mut state = self.lock();
        state.forget_expired();
        if state.open() >= self.limit {
            let now = Instant::now();
            let next_free = state
                .deadlines
                .values()
                .min()
                .map(|deadline| deadline.saturating_duration_since(now));
            return Err(Full {
                next_free: next_free.unwrap_or_default(),
            });
        }
        state.reserved += 1;
        telemetry::scrolls_open(state.open());
        Ok(Reservation(self.clone()))
    }

    /// A scroll was opened or continued, and stays open for `keep_alive` from now.
    pub fn remember(&self, id: IdDigest, keep_alive: Duration) {
        let mut state = self.lock();
        state.deadlines.insert(id, Instant::now() + keep_alive);
        telemetry::scrolls_open(state.open());
    }

    /// A scroll has ended.
    pub fn forget(&self, id: &IdDigest) {
        let mut state = self.lock();
        state.deadlines.remove(id);
        telemetry::scrolls_open(state.open());
    }

    /// How many are open now; those that have expired are not.
    pub fn count(&self) -> usize {
        let mut state = self.lock();
        state.forget_expired();
        telemetry::scrolls_open(state.open());
        state.open()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves a map of times as good as it was.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn there_is_room_for_so_many() {
        let scrolls = OpenScrolls::new(2);
        let first = scrolls.reserve().ok().unwrap();
        scrolls.remember([1; 32], MINUTE);
        drop(first);
        let second = scrolls.reserve().ok().unwrap();
        assert_eq!(scrolls.count(), 2);
        let full = scrolls.reserve().err().unwrap();
        assert!(full.next_free <= MINUTE && full.next_free > MINUTE / 2);
        drop(second);
        assert_eq!(
            scrolls.count(),
            1,
            "an opening that failed gives its room back"
        );

        scrolls.remember([1; 32], MINUTE);
        assert_eq!(scrolls.count(), 1, "a scroll that is continued is the same");
        scrolls.forget(&[1; 32]);
        assert_eq!(scrolls.count(), 0);
    }

    #[test]
    fn a_scroll_that_expired_makes_room() {
        let scrolls = OpenScrolls::new(1);
        scrolls.remember([1; 32], Duration::ZERO);
        assert!(scrolls.reserve().is_ok());
    }
}
