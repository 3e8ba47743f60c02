//! How many scroll contexts this process keeps open in Elasticsearch, and no more than it may.
//!
//! Elasticsearch allows each node a number of contexts, for all who use it, and a scroll takes one for each shard. It looks
//! for expired ones once a minute only, and counts them until then. So they count here too until they have been cleared, and
//! what expired or was given up is cleared from here ([`OpenScrolls::take_due`]), which is much sooner.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::registry::IdDigest;
use crate::telemetry;

/// How long an expired scroll is left alone while there is room: a client that is a little late finds it still there.
const GRACE: Duration = Duration::from_secs(5);
/// When a scroll that was given up is cleared again, in case that it was not cleared at once.
const CLEAR_AGAIN: Duration = Duration::from_secs(1);
/// How long after its end Elasticsearch may keep a scroll: its own interval for looking (`search.keep_alive_interval`, one
/// minute), and some more. A scroll that could not be cleared until then counts no more.
const SURELY_GONE: Duration = Duration::from_secs(90);

/// The scrolls that are open. Cloning is cheap; clones share them.
#[derive(Clone)]
pub struct OpenScrolls {
    state: Arc<Mutex<State>>,
}

struct State {
    limit: usize,
    /// Scrolls that are being opened and have no id yet.
    reserved: usize,
    open: HashMap<IdDigest, Open>,
}

struct Open {
    scroll_id: String,
    contexts: usize,
    /// When it is gone by itself, as far as its keep-alive goes.
    deadline: Instant,
    /// Nobody may go on with it; set to when it is to be cleared.
    given_up: Option<Instant>,
}

impl State {
    fn contexts(&self) -> usize {
        let open: usize = self.open.values().map(|open| open.contexts).sum();
        self.reserved + open
    }

    fn tell(&self) {
        telemetry::scrolls_open(self.reserved + self.open.len());
        telemetry::scroll_contexts(self.contexts(), self.limit);
    }
}

/// The right to open one scroll; given back when it is dropped, after the scroll itself counts.
pub struct Reservation(OpenScrolls);

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.reserved = state.reserved.saturating_sub(1);
        state.tell();
    }
}

/// As many contexts are open as may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full {
    /// How many.
    pub limit: usize,
    /// When the next scroll expires, if nobody continues or finishes one before.
    pub next_free: Duration,
}

/// A scroll that is to be cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Under what it is known.
    pub digest: IdDigest,
    /// Its id.
    pub scroll_id: String,
    /// Whether somebody may still go on with it: it expired, and was not given up.
    pub has_expired: bool,
}

impl OpenScrolls {
    /// At most `limit` contexts at the same time.
    pub fn new(limit: usize) -> Self {
        let state = State {
            limit,
            reserved: 0,
            open: HashMap::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Makes room for a scroll that is about to be opened. How many contexts it takes is known afterwards: one that takes
    /// more than there are left is let through, so that a report over very many shards can be had at all.
    ///
    /// # Errors
    /// There is no room.
    pub fn reserve(&self) -> Result<Reservation, Full> {
        let mut state = self.lock();
        if state.contexts() >= state.limit {
            let now = Instant::now();
            let next_free = state
                .open
                .values()
                .map(|open| open.deadline.saturating_duration_since(now))
                .min();
            return Err(Full {
                limit: state.limit,
                next_free: next_free.unwrap_or_default(),
            });
        }
        state.reserved += 1;
        state.tell();
        Ok(Reservation(self.clone()))
    }

    /// A scroll was opened or continued, and stays open for `keep_alive` from now.
    pub fn remember(&self, id: IdDigest, scroll_id: &str, keep_alive: Duration, contexts: u64) {
        let mut state = self.lock();
        let open = Open {
            scroll_id: scroll_id.to_owned(),
            contexts: usize::try_from(contexts).unwrap_or(usize::MAX).max(1),
            deadline: Instant::now() + keep_alive,
            given_up: None,
        };
        state.open.insert(id, open);
        state.tell();
    }

    /// A scroll that is open stays so for `keep_alive` from now.
    pub fn prolong(&self, id: &IdDigest, keep_alive: Duration) {
        if let Some(open) = self.lock().open.get_mut(id) {
            open.deadline = Instant::now() + keep_alive;
        }
    }

    /// Nobody may go on with a scroll that is open; it counts until it has been cleared.
    pub fn give_up(&self, id: &IdDigest) {
        if let Some(open) = self.lock().open.get_mut(id) {
            open.given_up
                .get_or_insert_with(|| Instant::now() + CLEAR_AGAIN);
        }
    }

    /// A scroll is not open any more.
    pub fn forget(&self, id: &IdDigest) {
        let mut state = self.lock();
        state.open.remove(id);
        state.tell();
    }

    /// How many scrolls are open, expired ones included.
    pub fn count(&self) -> usize {
        let state = self.lock();
        state.reserved + state.open.len()
    }

    /// The scrolls that are to be cleared now: those that were given up or have expired. Each is due again a little later
    /// unless it is [forgotten](Self::forget). `is_urgent` if there is no room for others.
    pub fn take_due(&self, is_urgent: bool) -> Vec<Due> {
        let grace = if is_urgent { Duration::ZERO } else { GRACE };
        let now = Instant::now();
        let mut state = self.lock();
        state
            .open
            .retain(|_, open| now.saturating_duration_since(open.deadline) < SURELY_GONE);
        state.tell();
        let mut due = Vec::new();
        for (digest, open) in &mut state.open {
            let has_expired = open.given_up.is_none() && open.deadline + grace <= now;
            if has_expired || open.given_up.is_some_and(|when| when <= now) {
                if open.given_up.is_some() {
                    open.given_up = Some(now + CLEAR_AGAIN);
                }
                due.push(Due {
                    digest: *digest,
                    scroll_id: open.scroll_id.clone(),
                    has_expired,
                });
            }
        }
        due
    }

    /// All that are open, when nobody can go on with any of them; `only_given_up` when others can.
    pub fn take_all(&self, only_given_up: bool) -> Vec<String> {
        let mut taken = Vec::new();
        self.lock().open.retain(|_, open| {
            let is_taken = open.given_up.is_some() || !only_given_up;
            if is_taken {
                taken.push(std::mem::take(&mut open.scroll_id));
            }
            !is_taken
        });
        taken
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

    fn ids(due: &[Due]) -> Vec<&str> {
        let mut ids: Vec<&str> = due.iter().map(|due| due.scroll_id.as_str()).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn there_is_room_for_so_many_contexts() {
        let scrolls = OpenScrolls::new(4);
        let first = scrolls.reserve().ok().unwrap();
        scrolls.remember([1; 32], "1", MINUTE, 3);
        drop(first);
        let second = scrolls.reserve().ok().unwrap();
        assert_eq!(scrolls.count(), 2);
        let full = scrolls.reserve().err().unwrap();
        assert!(full.next_free <= MINUTE && full.next_free > MINUTE / 2);
        drop(second);
        assert!(
            scrolls.reserve().is_ok(),
            "an opening that failed gives its room back"
        );

        scrolls.remember([1; 32], "1", MINUTE, 3);
        assert_eq!(scrolls.count(), 1, "a scroll that is continued is the same");
        scrolls.remember([2; 32], "2", MINUTE, 900);
        assert!(scrolls.reserve().is_err());
        scrolls.forget(&[2; 32]);
        scrolls.forget(&[1; 32]);
        assert_eq!(scrolls.count(), 0);
    }

    #[test]
    fn what_expired_counts_until_it_is_cleared() {
        let scrolls = OpenScrolls::new(1);
        scrolls.remember([1; 32], "1", Duration::ZERO, 1);
        assert!(scrolls.reserve().is_err());
        assert_eq!(scrolls.take_due(false), []);
        let due = scrolls.take_due(true);
        assert!(ids(&due) == ["1"] && due[0].has_expired);
        assert!(scrolls.reserve().is_err(), "not cleared yet");
        scrolls.forget(&due[0].digest);
        assert!(scrolls.reserve().is_ok());
    }

    #[test]
    fn what_is_continued_or_delivered_has_its_time_again() {
        let scrolls = OpenScrolls::new(9);
        scrolls.remember([1; 32], "1", Duration::ZERO, 1);
        scrolls.prolong(&[1; 32], MINUTE);
        assert_eq!(scrolls.take_due(true), []);
        scrolls.prolong(&[2; 32], MINUTE);
        assert_eq!(scrolls.count(), 1);
    }

    #[test]
    fn what_is_given_up_is_cleared_soon_whatever_its_keep_alive() {
        let scrolls = OpenScrolls::new(9);
        scrolls.remember([1; 32], "1", MINUTE, 1);
        scrolls.remember([2; 32], "2", MINUTE, 1);
        scrolls.give_up(&[1; 32]);
        assert_eq!(scrolls.take_due(true), [], "it is being cleared");
        scrolls.lock().open.get_mut(&[1; 32]).unwrap().given_up = Some(Instant::now());
        let due = scrolls.take_due(false);
        assert!(ids(&due) == ["1"] && !due[0].has_expired);
        assert_eq!(scrolls.take_due(false), [], "and again a little later");
        assert_eq!(scrolls.take_all(true), ["1"]);
        assert_eq!(scrolls.take_all(false), ["2"]);
        assert_eq!(scrolls.count(), 0);
    }
}
