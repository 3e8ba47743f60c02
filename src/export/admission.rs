//! Exports under way, for all clients together and for each by itself, and the line of those who wait for their turn.
//!
//! Who comes when there is no permit waits a little instead of being refused: most exports are short. A permit that is given back
//! goes to the waiting client that has the fewest exports under way, and among equals to the one that came first. So one that
//! floods the service does not keep out the others, and nobody is passed over for long.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Audit, ExportError, ExportSettings};
use crate::auth::Client;
use crate::{flags, telemetry};

/// Seconds after which a client may try again when this service is at its limit.
const RETRY_AFTER_OWN_LIMIT: u32 = 1;
/// With more exports under way than this, Elasticsearch is busy enough: each batch that is asked for early takes as much of its
/// heap as the one that is read.
const FEW_EXPORTS: usize = 4;

/// Who may export now. Cloning is cheap; clones share everything.
#[derive(Clone)]
pub struct Admission {
    exports: Permits,
    streams: Permits,
    /// How long a request waits in line.
    patience: Duration,
}

impl Admission {
    /// As many as an operator allows.
    pub fn new(settings: &ExportSettings) -> Self {
        let per_client = settings.max_concurrent_exports_per_client;
        Self {
            exports: Permits::new(
                settings.max_concurrent_exports,
                per_client,
                Gauges {
                    under_way: telemetry::exports_under_way,
                    waiting: telemetry::exports_waiting,
                },
            ),
            streams: Permits::new(
                settings.max_concurrent_streams,
                per_client,
                Gauges {
                    under_way: telemetry::streams_under_way,
                    waiting: telemetry::streams_waiting,
                },
            ),
            patience: settings.queue_timeout,
        }
    }

    /// Lets an export begin, at once or when it is its turn. Who may not export a report of this id does not stand in line for it.
    ///
    /// # Errors
    /// The client may not, or it was not its turn in the time that requests wait in line.
    pub async fn export(&self, audit: &Audit, report_id: &str) -> Result<Permit, ExportError> {
        let client = audit.client();
        client.access().check_id(report_id)?;
        let permit = self.exports.take(client, self.patience).await;
        permit.map_err(|exhausted| {
            let in_all = self.exports.in_all;
            busy(match exhausted {
                Exhausted::InAll => format!(
                    "this service already works on {in_all} exports ({})",
                    flags::MAX_CONCURRENT_EXPORTS
                ),
                Exhausted::PerClient => {
                    let of_client = self.exports.limit_of(client);
                    format!("this service already works on as many exports of this client as it may have: {of_client}")
                }
            })
        })
    }

    /// The same for a stream.
    ///
    /// # Errors
    /// As [`Admission::export`].
    pub async fn stream(&self, audit: &Audit, report_id: &str) -> Result<Permit, ExportError> {
        let client = audit.client();
        client.access().check_id(report_id)?;
        let permit = self.streams.take(client, self.patience).await;
        permit.map_err(|exhausted| {
            let in_all = self.streams.in_all;
            busy(match exhausted {
                Exhausted::InAll => format!(
                    "this service already streams {in_all} reports ({})",
                    flags::MAX_CONCURRENT_STREAMS
                ),
                Exhausted::PerClient => {
                    let of_client = self.streams.limit_of(client);
                    format!("this service already streams as many reports of this client as it may have: {of_client}")
                }
            })
        })
    }

    /// Whether Elasticsearch has heap and time to spare, as far as this service knows: then batches are asked for early, and
    /// are larger ones.
    pub fn has_few_exports(&self) -> bool {
        self.exports.under_way() <= FEW_EXPORTS
    }
}

fn busy(reason: String) -> ExportError {
    ExportError::Busy {
        reason,
        retry_after: RETRY_AFTER_OWN_LIMIT,
    }
}

/// Counts exports. Cloning is cheap; clones share the counts.
#[derive(Clone)]
pub struct Permits {
    in_all: usize,
    per_client: usize,
    gauges: Gauges,
    state: Arc<Mutex<State>>,
}

/// Who is told how many there are.
#[derive(Debug, Clone, Copy)]
pub struct Gauges {
    /// Exports that have a permit.
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
    /// Exports that the client may have under way.
    most: usize,
    turn: oneshot::Sender<Permit>,
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
pub struct Permit {
    permits: Permits,
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

    /// The one whose turn it is, if there is one that may have another permit.
    fn next_in_line(&mut self) -> Option<Waiter> {
        let waiting = self.line.iter().enumerate();
        let may_begin = waiting.filter_map(|(place, waiter)| {
            let count = self.of_client(&waiter.client);
            (count < waiter.most).then_some((count, place))
        });
        // The first one among equals, since places are compared last.
        let (_, place) = may_begin.min()?;
        self.line.remove(place)
    }
}

impl Permits {
    /// So many exports at the same time; `gauges` are told how many there are.
    pub fn new(in_all: usize, per_client: usize, gauges: Gauges) -> Self {
        Self {
            in_all,
            per_client,
            gauges,
            state: Arc::default(),
        }
    }

    /// Takes a permit, or waits for one for as long as `patience`.
    ///
    /// # Errors
    /// There was none in that time.
    pub async fn take(&self, client: &Client, patience: Duration) -> Result<Permit, Exhausted> {
        let name = client.shared_name();
        let (turn, exhausted) = {
            let mut state = self.lock();
            let most = self.most_of(client);
            let exhausted = if state.of_client(&name) >= most {
                Exhausted::PerClient
            } else if state.in_all >= self.in_all {
                Exhausted::InAll
            } else {
                // Nobody waits who could have it.
                state.add(&name);
                self.tell(&state);
                return Ok(self.permit(name));
            };
            if patience.is_zero() {
                return Err(exhausted);
            }
            let (sender, turn) = oneshot::channel();
            state.line.push_back(Waiter {
                client: name,
                most,
                turn: sender,
            });
            self.tell(&state);
            (turn, exhausted)
        };
        // Who leaves before is forgotten in the same way as one who has waited in vain.
        let _left = Left(self);
        match tokio::time::timeout(patience, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(exhausted),
        }
    }

    /// How many exports a client may have under way.
    fn most_of(&self, client: &Client) -> usize {
        let of_rules = client.access().max_exports();
        of_rules.map_or(self.per_client, |most| most.min(self.per_client))
    }

    /// The same, with who says so.
    fn limit_of(&self, client: &Client) -> String {
        let most = self.most_of(client);
        let by = if most < self.per_client {
            "its access rules"
        } else {
            flags::MAX_CONCURRENT_EXPORTS_PER_CLIENT
        };
        format!("{most} ({by})")
    }

    /// How many exports are under way.
    pub fn under_way(&self) -> usize {
        self.lock().in_all
    }

    fn permit(&self, client: Arc<str>) -> Permit {
        Permit {
            permits: self.clone(),
            client,
        }
    }

    /// Hands permits that are free to those whose turn it is.
    fn serve_line(&self) {
        loop {
            let (waiter, permit) = {
                let mut state = self.lock();
                if state.in_all >= self.in_all {
                    return;
                }
                let Some(waiter) = state.next_in_line() else {
                    return;
                };
                if waiter.turn.is_closed() {
                    continue;
                }
                state.add(&waiter.client);
                self.tell(&state);
                let permit = self.permit(Arc::clone(&waiter.client));
                (waiter, permit)
            };
            // One that has left in this moment gives it back, and so serves the next.
            drop(waiter.turn.send(permit));
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
struct Left<'s>(&'s Permits);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.line.retain(|waiter| !waiter.turn.is_closed());
        self.0.tell(&state);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        {
            let mut state = self.permits.lock();
            state.remove(&self.client);
            self.permits.tell(&state);
        }
        self.permits.serve_line();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use optimize::access::{Limits, Patterns};
    use serde_json::Map;

    use super::*;
    use crate::auth::AccessRules;
    use crate::auth::access::Rule;

    const NOBODY: Gauges = Gauges {
        under_way: |_| {},
        waiting: |_| {},
    };
    const SECOND: Duration = Duration::from_secs(1);

    /// So many permits, which nobody is told of.
    pub fn permits(in_all: usize, per_client: usize) -> Permits {
        Permits::new(in_all, per_client, NOBODY)
    }

    async fn now(permits: &Permits, client: &str) -> Result<Permit, Exhausted> {
        permits.take(&Client::named(client), Duration::ZERO).await
    }

    #[tokio::test]
    async fn one_client_does_not_keep_out_the_others() {
        let permits = permits(3, 2);
        let first = now(&permits, "a").await.ok().unwrap();
        let _second = now(&permits, "a").await.ok().unwrap();
        assert_eq!(now(&permits, "a").await.err(), Some(Exhausted::PerClient));
        let _third = now(&permits, "b").await.ok().unwrap();
        assert_eq!(now(&permits, "b").await.err(), Some(Exhausted::InAll));
        drop(first);
        assert!(now(&permits, "a").await.is_ok());
    }

    #[tokio::test]
    async fn clients_that_have_nothing_under_way_are_forgotten() {
        let permits = permits(3, 2);
        drop((now(&permits, "a").await.ok(), now(&permits, "a").await.ok()));
        assert!(permits.lock().by_client.is_empty() && permits.lock().in_all == 0);
    }

    /// Waits in line; when it has its turn it says so.
    fn wait(
        permits: &Permits,
        client: &'static str,
        turns: &tokio::sync::mpsc::UnboundedSender<(&'static str, Permit)>,
    ) -> tokio::task::JoinHandle<()> {
        let (permits, turns) = (permits.clone(), turns.clone());
        tokio::spawn(async move {
            if let Ok(permit) = permits.take(&Client::named(client), 60 * SECOND).await {
                let _ = turns.send((client, permit));
            }
        })
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_least_comes_first_and_then_who_came_first() {
        let permits = permits(2, 9);
        let (turns, mut served) = tokio::sync::mpsc::unbounded_channel();
        let held = now(&permits, "flood").await.ok().unwrap();
        let other = now(&permits, "flood").await.ok().unwrap();
        let mut waiting = Vec::new();
        for client in ["flood", "flood", "a", "flood", "b", "a"] {
            waiting.push(wait(&permits, client, &turns));
            tokio::task::yield_now().await;
        }
        assert_eq!(permits.lock().line.len(), 6);
        drop(held);
        let mut order = Vec::new();
        let mut permit = other;
        for _ in 0..6 {
            let (client, next) = served.recv().await.unwrap();
            order.push(client);
            drop(std::mem::replace(&mut permit, next));
        }
        assert_eq!(order, ["a", "flood", "b", "flood", "a", "flood"]);
        assert!(permits.lock().line.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_in_vain_or_leaves_is_forgotten() {
        let permits = permits(1, 1);
        let held = now(&permits, "a").await.ok().unwrap();
        let in_vain = permits.take(&Client::named("b"), SECOND).await;
        assert_eq!(in_vain.err(), Some(Exhausted::InAll));
        assert!(permits.lock().line.is_empty());
        let (turns, mut served) = tokio::sync::mpsc::unbounded_channel();
        let leaves = wait(&permits, "b", &turns);
        let stays = wait(&permits, "c", &turns);
        tokio::task::yield_now().await;
        leaves.abort();
        assert!(leaves.await.is_err());
        assert_eq!(permits.lock().line.len(), 1);
        drop(held);
        assert_eq!(served.recv().await.unwrap().0, "c");
        stays.await.unwrap();
        tokio::task::yield_now().await;
        assert_eq!(permits.under_way(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_at_its_own_limit_lets_others_go_ahead() {
        let permits = permits(2, 1);
        let (turns, mut served) = tokio::sync::mpsc::unbounded_channel();
        let a = now(&permits, "a").await.ok().unwrap();
        let b = now(&permits, "b").await.ok().unwrap();
        let waits = [wait(&permits, "a", &turns), wait(&permits, "c", &turns)];
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

    #[tokio::test]
    async fn a_rule_may_allow_a_client_less_than_others_have() {
        let limited = Rule {
            name: "one at a time".to_owned(),
            clients: Patterns::new(["a"]),
            claims: Vec::new(),
            reports: None,
            collections: None,
            limits: Limits::default(),
            concurrent_exports: Some(1),
        };
        let others = Rule {
            name: "others".to_owned(),
            clients: Patterns::new(["b"]),
            concurrent_exports: Some(9),
            ..limited.clone()
        };
        let rules = AccessRules::new(vec![limited, others]);
        let (a, b) = (Client::named("a"), Client::named("b"));
        let (a, b) = (a.under(&rules, &Map::new()), b.under(&rules, &Map::new()));
        let permits = permits(4, 2);
        let take = |client| permits.take(client, Duration::ZERO);
        let first = take(&a).await.unwrap();
        assert_eq!(take(&a).await.err(), Some(Exhausted::PerClient));
        let of_b = [take(&b).await.unwrap(), take(&b).await.unwrap()];
        assert_eq!(
            take(&b).await.err(),
            Some(Exhausted::PerClient),
            "no rule allows more than all have"
        );
        drop(of_b);
        // In line it is passed over as long as it has one, though there are permits.
        let waiting = permits.take(&a, 60 * SECOND);
        tokio::pin!(waiting);
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(take(&b).await.unwrap());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(first);
        waiting.await.unwrap();
    }
}
