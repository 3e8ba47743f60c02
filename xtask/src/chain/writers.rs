//! Writers that create and update instances at the same time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{anyhow, ensure};
use serde_json::{Value, json};
use testkit::client::Client;
use testkit::sample::random::Random;

use super::KEY;
use crate::soak;

/// Changes in one bulk.
const BULKS: [u64; 6] = [1, 3, 20, 100, 400, 1_000];
/// Of a hundred changes, how many create an instance.
const CREATED: i64 = 10;
/// Of a hundred changes of what is there, how many are of one of the newest.
const OF_THE_NEWEST: i64 = 50;
/// How many instances are the newest.
const NEWEST: u64 = 300;
/// Of a hundred bulks, how many change a handful of instances again and again.
const IN_A_ROW: i64 = 20;
/// The wait for more to do, and after a bulk that failed.
const PAUSE: Duration = Duration::from_millis(2);
/// Bulks in a row that may fail; a cluster that lost a node needs a while.
const MAX_FAILURES: u32 = 30_000;

/// How far writers may go. What belongs to a round is spread over its time, so that searches come in the middle of bulks.
#[derive(Debug)]
pub(super) struct Pace {
    changes: u64,
    rounds: u32,
    round_time: Duration,
    /// The rounds that are over, and when this one began.
    at: Mutex<(u32, Instant)>,
    given: AtomicU64,
    created: AtomicU64,
    done: AtomicU64,
    is_over: AtomicBool,
}

impl Pace {
    /// So many changes in so many rounds.
    pub fn new(changes: u64, rounds: u32, round_time: Duration) -> Self {
        Self {
            changes,
            rounds,
            round_time,
            at: Mutex::new((0, Instant::now())),
            given: AtomicU64::default(),
            created: AtomicU64::default(),
            done: AtomicU64::default(),
            is_over: AtomicBool::default(),
        }
    }

    /// Says how many rounds are over.
    pub fn set_over(&self, rounds: u32) {
        *self.at.lock().unwrap_or_else(PoisonError::into_inner) = (rounds, Instant::now());
    }

    /// How many changes may be made so far.
    fn allowed(&self) -> u64 {
        let (over, began) = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        let of_this = began.elapsed().as_secs_f64() / self.round_time.as_secs_f64().max(0.001);
        let share = (f64::from(over) + of_this.min(1.0)) / f64::from(self.rounds.max(1));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of what there is"
        )]
        let allowed = (self.changes as f64 * share.min(1.0)) as u64;
        allowed
    }

    /// The numbers of the next changes; none if they have to wait.
    fn take(&self, wanted: u64) -> Option<u64> {
        let first = self.given.fetch_add(wanted, Ordering::AcqRel);
        if first < self.allowed() {
            return Some(first);
        }
        self.given.fetch_sub(wanted, Ordering::AcqRel);
        None
    }
}

/// Writers at work.
pub(super) struct Writers {
    threads: Vec<JoinHandle<anyhow::Result<()>>>,
    pace: Arc<Pace>,
}

impl Writers {
    /// Starts so many.
    pub fn start(client: &Client, alias: &str, count: u32, pace: &Arc<Pace>) -> Self {
        let start = |number| {
            let (client, alias, pace) = (client.clone(), alias.to_owned(), Arc::clone(pace));
            thread::spawn(move || write(&client, &alias, number, &pace))
        };
        Self {
            threads: (0..count).map(start).collect(),
            pace: Arc::clone(pace),
        }
    }

    /// Waits until all that was allowed is done; gives back how many changes there were.
    pub fn stop(self) -> anyhow::Result<u64> {
        self.pace.is_over.store(true, Ordering::Release);
        for thread in self.threads {
            thread.join().map_err(|_| anyhow!("a writer panicked"))??;
        }
        Ok(self.pace.done.load(Ordering::Acquire))
    }
}

fn write(client: &Client, alias: &str, number: u32, pace: &Pace) -> anyhow::Result<()> {
    let mut random = Random::seeded(u64::from(number), 7);
    let mut failures = 0;
    loop {
        let size = random.one_of(&BULKS, 1);
        let Some(first) = pace.take(size) else {
            if pace.is_over.load(Ordering::Acquire) {
                return Ok(());
            }
            thread::sleep(PAUSE);
            continue;
        };
        let lines = bulk(alias, first, size, pace, &mut random);
        let answer = client.post_lines("/_bulk?filter_path=items.*.status", lines.as_bytes());
        // What was refused for being changed by two at the same time, or for want of room, is no change; and where there was
        // no answer, nobody knows. The index itself is asked in the end.
        match answer {
            Ok(answer) if answer.is_success() => {
                let items = answer.body.get("items").and_then(Value::as_array);
                let is_done = |item: &&Value| {
                    let statuses = item.as_object().into_iter().flat_map(|item| item.values());
                    statuses
                        .filter_map(|action| action.get("status")?.as_u64())
                        .any(|status| status < 300)
                };
                let done = items.into_iter().flatten().filter(is_done).count();
                pace.done.fetch_add(done as u64, Ordering::AcqRel);
                failures = 0;
            }
            _ => {
                failures += 1;
                ensure!(failures < MAX_FAILURES, "bulks fail all the time");
                thread::sleep(PAUSE);
            }
        }
    }
}

/// The lines of a bulk whose changes have the numbers from `first` on. A number stands in each instance as its state.
fn bulk(alias: &str, first: u64, size: u64, pace: &Pace, random: &mut Random) -> String {
    let mut lines = String::new();
    let handful = random.percent(IN_A_ROW);
    let newest = pace.created.load(Ordering::Acquire);
    for change in first..first + size {
        let is_new = newest == 0 || (!handful && random.percent(CREATED));
        let instance = if is_new {
            pace.created.fetch_add(1, Ordering::AcqRel)
        } else if handful {
            newest.saturating_sub(1 + change % 3)
        } else {
            let span = if random.percent(OF_THE_NEWEST) {
                NEWEST.min(newest)
            } else {
                newest
            };
            let back = i64::try_from(span).unwrap_or(i64::MAX).max(1);
            newest.saturating_sub(random.between(1, back).unsigned_abs())
        };
        let id = format!("i-{instance:07}");
        let state = change.to_string();
        let (action, source) = if is_new || random.percent(60) {
            let mut source = soak::instance(KEY, &id);
            if let Some(source) = source.as_object_mut() {
                source.insert("businessKey".to_owned(), json!(state));
            }
            (json!({"index": {"_index": alias, "_id": id}}), source)
        } else {
            let mut whole = soak::instance(KEY, &id);
            if let Some(whole) = whole.as_object_mut() {
                whole.insert("businessKey".to_owned(), json!(state));
            }
            (
                json!({"update": {"_index": alias, "_id": id, "retry_on_conflict": 3}}),
                json!({"doc": {"businessKey": state}, "upsert": whole}),
            )
        };
        lines.push_str(&format!("{action}\n{source}\n"));
    }
    lines
}
