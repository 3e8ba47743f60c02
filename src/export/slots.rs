//! Exports under way, for all clients together and for each by itself, and the line of those who wait for their turn.
//!
//! Who comes when there is no slot waits a little instead of being refused: most exports are short. A slot that is given back
//! goes to the waiting client that has the fewest exports under way, and among equals to the one that came first. So one that
//! floods the service does not keep out the others, and nobody is passed over for long.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::auth::Client;

/// Counts exports. Cloning is cheap; clones share the counts.
#[derive(Clone)]
pub struct ExportSlots {
    in_all: usize,
    per_client: usize,
    gauges: Gauges,
    state: Arc<Mutex<State>>,
}

/// Who is told how many there are.
#[derive(Debug, Clone, Copy)]
pub struct Gauges {
    /// Exports that have a slot.
    pub under_way: fn(usize),
    /// Exports that wait for one.
    pub waiting: fn(usize),
}

#[derive(Default)]
struct State {
    in_all: usize,
    /// Only clients that have some.
    by_client: HashMap<Arc<str>, usize>,
    /// In the order in which they came.
    line: VecDeque<Waiter>,
}

struct Waiter {
    client: Arc<str>,
    turn: oneshot::Sender<Slot>,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// That of all clients together.
    InAll,
    /// That of this client.
    PerClient,
}

/// The right to export, given back when it is dropped.
pub struct Slot {
    slots: ExportSlots,
    client: Arc<str>,
}

impl State {
    fn of_client(&self, client: &str) -> usize {
        self.by_client.get(client).copied().unwrap_or(0)
    }

    fn add(&mut self, client: &Arc<str>) {
        *self.by_client.entry(Arc::clone(client)).or_default() += 1;
        self.in_all += 1;
    }

    fn remove(&mut self, client: &str) {
        self.in_all = self.in_all.saturating_sub(1);
        match self.by_client.get_mut(client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                self.by_client.remove(client);
            }
        }
    }

    /// The one whose turn it is, if there is one that may have another slot.
    fn next_in_line(&mut self, per_client: usize) -> Option<Waiter> {
        let waiting = self.line.iter().enumerate();
        let of_clients = waiting.map(|(place, waiter)| (self.of_client(&waiter.client), place));
        // The first one among equals, since places are compared last.
        let (_, place) = of_clients.filter(|(count, _)| *count < per_client).min()?;
        self.line.remove(place)
    }
}

impl ExportSlots {
    /// So many exports at the same time; `gauges` are told how many there are.
    pub fn new(in_all: usize, per_client: usize, gauges: Gauges) -> Self {
        Self {
            in_all,
            per_client,
            gauges,
            state: Arc::default(),
        }
    }

    /// Takes a slot, or waits for one for as long as `patience`.
    ///
    /// # Errors
    /// There was none in that time.
    pub async fn take(&self, client: &Client, patience: Duration) -> Result<Slot, Exhausted> {
        let name = client.shared_name();
        let (turn, exhausted) = {
            let mut state = self.lock();
            let exhausted = if state.of_client(&name) >= self.per_client {
                Exhausted::PerClient
            } else if state.in_all >= self.in_all {
                Exhausted::InAll
            } else {
                // Nobody waits who could have it.
                state.add(&name);
                self.tell(&state);
                return Ok(self.slot(name));
            };
            if patience.is_zero() {
                return Err(exhausted);
            }
            let (sender, turn) = oneshot::channel();
            state.line.push_back(Waiter {
                client: name,
                turn: sender,
            });
            self.tell(&state);
            (turn, exhausted)
        };
        // Who leaves before is forgotten in the same way as one who has waited in vain.
        let _left = Left(self);
        match tokio::time::timeout(patience, turn).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(exhausted),
        }
    }

    /// How many exports are under way.
    pub fn under_way(&self) -> usize {
        self.lock().in_all
    }

    fn slot(&self, client: Arc<str>) -> Slot {
        Slot {
            slots: self.clone(),
            client,
        }
    }

    /// Hands slots that are free to those whose turn it is.
    fn serve_line(&self) {
        loop {
            let (waiter, slot) = {
                let mut state = self.lock();
                if state.in_all >= self.in_all {
                    return;
                }
                let Some(waiter) = state.next_in_line(self.per_client) else {
                    return;
                };
                if waiter.turn.is_closed() {
                    continue;
                }
                state.add(&waiter.client);
                self.tell(&state);
                let slot = self.slot(Arc::clone(&waiter.client));
                (waiter, slot)
            };
            // One that has left in this moment gives it back, and so serves the next.
            drop(waiter.turn.send(slot));
        }
    }

    fn tell(&self, state: &State) {
        (self.gauges.under_way)(state.in_all);
        (self.gauges.waiting)(state.line.len());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves counts as good as they were.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets who does not wait any more.
struct Left<'s>(&'s ExportSlots);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.line.retain(|waiter| !waiter.turn.is_closed());
        self.0.tell(&state);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        {
            let mut state = self.slots.lock();
            state.remove(&self.client);
            self.slots.tell(&state);
        }
        self.slots.serve_line();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const NOBODY: Gauges = Gauges {
        under_way: |_| {},
        waiting: |_| {},
    };
    const SECOND: Duration = Duration::from_secs(1);

    /// So many slots, which nobody is told of.
    pub fn slots(in_all: usize, per_client: usize) -> ExportSlots {
        ExportSlots::new(in_all, per_client, NOBODY)
    }

    async fn now(slots: &ExportSlots, client: &str) -> Result<Slot, Exhausted> {
        slots.take(&Client::named(client), Duration::ZERO).await
    }

    #[tokio::test]
    async fn one_client_does_not_keep_out_the_others() {
        let slots = slots(3, 2);
        let first = now(&slots, "a").await.ok().unwrap();
        let _second = now(&slots, "a").await.ok().unwrap();
        assert_eq!(now(&slots, "a").await.err(), Some(Exhausted::PerClient));
        let _third = now(&slots, "b").await.ok().unwrap();
        assert_eq!(now(&slots, "b").await.err(), Some(Exhausted::InAll));
        drop(first);
        assert!(now(&slots, "a").await.is_ok());
    }

    #[tokio::test]
    async fn clients_that_have_nothing_under_way_are_forgotten() {
        let slots = slots(3, 2);
        drop((now(&slots, "a").await.ok(), now(&slots, "a").await.ok()));
        assert!(slots.lock().by_client.is_empty() && slots.lock().in_all == 0);
    }

    /// Waits in line; when it has its turn it says so.
    fn wait(
        slots: &ExportSlots,
        client: &'static str,
        turns: &tokio::sync::mpsc::UnboundedSender<(&'static str, Slot)>,
    ) -> tokio::task::JoinHandle<()> {
        let (slots, turns) = (slots.clone(), turns.clone());
        tokio::spawn(async move {
            if let Ok(slot) = slots.take(&Client::named(client), 60 * SECOND).await {
                let _ = turns.send((client, slot));
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_least_comes_first_and_then_who_came_first() {
        let slots = slots(2, 9);
        let (turns, mut served) = tokio::sync::mpsc::unbounded_channel();
        let held = now(&slots, "flood").await.ok().unwrap();
        let other = now(&slots, "flood").await.ok().unwrap();
        let mut waiting = Vec::new();
        for client in ["flood", "flood", "a", "flood", "b", "a"] {
            waiting.push(wait(&slots, client, &turns));
            tokio::task::yield_now().await;
        }
        assert_eq!(slots.lock().line.len(), 6);
        drop(held);
        let mut order = Vec::new();
        let mut slot = other;
        for _ in 0..6 {
            let (client, next) = served.recv().await.unwrap();
            order.push(client);
            drop(std::mem::replace(&mut slot, next));
        }
        assert_eq!(order, ["a", "flood", "b", "flood", "a", "flood"]);
        assert!(slots.lock().line.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_in_vain_or_leaves_is_forgotten() {
        let slots = slots(1, 1);
        let held = now(&slots, "a").await.ok().unwrap();
        let in_vain = slots.take(&Client::named("b"), SECOND).await;
        assert_eq!(in_vain.err(), Some(Exhausted::InAll));
        assert!(slots.lock().line.is_empty());
        let (turns, mut served) = tokio::sync::mpsc::unbounded_channel();
        let leaves = wait(&slots, "b", &turns);
        let stays = wait(&slots, "c", &turns);
        tokio::task::yield_now().await;
        leaves.abort();
        assert!(leaves.await.is_err());
        assert_eq!(slots.lock().line.len(), 1);
        drop(held);
        assert_eq!(served.recv().await.unwrap().0, "c");
        stays.await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(slots.under_way(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_at_its_own_limit_lets_others_go_ahead() {
        let slots = slots(2, 1);
        let (turns, mut served) = tokio::sync::mpsc::unbounded_channel();
        let a = now(&slots, "a").await.ok().unwrap();
        let b = now(&slots, "b").await.ok().unwrap();
        let waits = [wait(&slots, "a", &turns), wait(&slots, "c", &turns)];
        tokio::task::yield_now().await;
        drop(b);
        let (client, c) = served.recv().await.unwrap();
        assert_eq!(client, "c");
        drop(a);
        assert_eq!(served.recv().await.unwrap().0, "a");
        drop(c);
        for wait in waits {
            wait.await.unwrap();
        }
    }
}
