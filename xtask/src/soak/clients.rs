//! The clients, and what they find.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use testkit::client::{self, Answer};
use testkit::sample::random::Random;
use testkit::service::TOKEN;

use super::Expected;

/// How long a client waits after an error.
const PAUSE: Duration = Duration::from_millis(200);
/// How often an export is gone on with after errors before its client starts over.
const MAX_ERRORS: usize = 50;
/// How long one page may take.
const PAGE_TIME: Duration = Duration::from_secs(30);

/// What all clients have found.
#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    /// Exports that ended with an empty page.
    pub completed: u64,
    /// Records of those.
    pub compared: u64,
    /// Records of the index that they did not have.
    pub lost: u64,
    /// Records that they had more than once.
    pub doubled: u64,
    /// Records that the index does not have.
    pub foreign: u64,
    pub started_over: u64,
    pub went_on: u64,
    pub pages: u64,
    pub broken: u64,
    pub unanswered: u64,
    pub errors: BTreeMap<u16, u64>,
    /// Errors whose body is not that of an error.
    pub unexplained: u64,
}

/// One client.
pub(crate) struct Client {
    client: client::Client,
    random: Random,
}

/// What became of a request.
enum Outcome {
    Page {
        id: String,
        rows: Vec<String>,
    },
    /// Told to start over, or left without the end of a page: what was lost on its last way to the client, nobody but the
    /// client can know.
    Over,
    /// Any other error that was answered.
    Failed,
}

impl Client {
    pub fn new(url: &str, seed: u64, number: u32) -> Self {
        Self {
            client: client::Client::new(url).with_timeout(PAGE_TIME),
            random: Random::seeded(seed, 1_000 + u64::from(number)),
        }
    }

    /// Exports report after report until it is over; the last one is finished.
    pub fn run(mut self, expected: &Expected, is_over: &AtomicBool, tally: &Mutex<Tally>) {
        let reports: Vec<&String> = expected.keys().collect();
        let mut errors = 0;
        while !is_over.load(Ordering::Acquire) {
            let last = i64::try_from(reports.len()).unwrap_or(1) - 1;
            let chosen = usize::try_from(self.random.between(0, last)).unwrap_or(0);
            let Some(report) = reports.get(chosen) else {
                return;
            };
            match self.export(report, tally, &mut errors) {
                Some(ids) => compare(expected.get(*report), ids, &mut change(tally)),
                None => {
                    change(tally).started_over += 1;
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    /// All ids of an export that came to its end; `None` if it has to be started over.
    fn export(
        &mut self,
        report: &str,
        tally: &Mutex<Tally>,
        errors: &mut usize,
    ) -> Option<Vec<String>> {
        let limit = self.random.between(20, 1_000);
        let begin = format!(
            "/api/public/export/report/{report}/result/json?limit={limit}&paginationTimeout=60"
        );
        let mut ids = Vec::new();
        let mut scroll_id: Option<String> = None;
        *errors = 0;
        loop {
            let path = match &scroll_id {
                Some(id) => format!("{begin}&searchRequestId={id}"),
                None => begin.clone(),
            };
            match self.page(&path, tally) {
                Outcome::Page { rows, .. } if rows.is_empty() => return Some(ids),
                Outcome::Page { id, rows } => {
                    ids.extend(rows);
                    scroll_id = Some(id);
                }
                Outcome::Over => return None,
                Outcome::Failed => {
                    *errors += 1;
                    thread::sleep(PAUSE);
                    if *errors > MAX_ERRORS || self.random.percent(30) {
                        return None;
                    }
                    if scroll_id.is_some() {
                        change(tally).went_on += 1;
                    }
                }
            }
        }
    }

    fn page(&self, path: &str, tally: &Mutex<Tally>) -> Outcome {
        let answer = self.client.get_with_token(path, TOKEN);
        let mut tally = change(tally);
        match answer {
            Ok(answer) if answer.status == 200 => match page_of(&answer) {
                Some(page) => {
                    tally.pages += 1;
                    page
                }
                None => {
                    tally.broken += 1;
                    Outcome::Over
                }
            },
            Ok(answer) => {
                *tally.errors.entry(answer.status).or_default() += 1;
                let text = |name: &str| answer.body.get(name).and_then(Value::as_str);
                if text("errorCode").is_none() || text("detailedMessage").is_none() {
                    tally.unexplained += 1;
                }
                match answer.status {
                    400 => Outcome::Over,
                    _ => Outcome::Failed,
                }
            }
            // A page that begins and breaks off looks the same to this HTTP client as one that never comes.
            Err(_) => {
                tally.unanswered += 1;
                Outcome::Over
            }
        }
    }
}

fn change(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The rows of a page, if it is whole.
fn page_of(answer: &Answer) -> Option<Outcome> {
    let rows: Option<Vec<String>> = answer
        .body
        .get("data")?
        .as_array()?
        .iter()
        .map(|row| Some(row.get("processInstanceId")?.as_str()?.to_owned()))
        .collect();
    Some(Outcome::Page {
        id: answer.body.get("searchRequestId")?.as_str()?.to_owned(),
        rows: rows?,
    })
}

fn compare(expected: Option<&Vec<String>>, ids: Vec<String>, tally: &mut Tally) {
    let expected: HashSet<&String> = expected.into_iter().flatten().collect();
    let exported: HashSet<&String> = ids.iter().collect();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    tally.completed += 1;
    tally.compared += count(ids.len());
    tally.doubled += count(ids.len() - exported.len());
    tally.lost += count(expected.difference(&exported).count());
    tally.foreign += count(exported.difference(&expected).count());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_doubled_or_foreign_is_counted() {
        let ids = |ids: &[&str]| -> Vec<String> { ids.iter().map(ToString::to_string).collect() };
        let mut tally = Tally::default();
        let expected = ids(&["a", "b", "c"]);
        compare(Some(&expected), ids(&["c", "a", "b"]), &mut tally);
        assert_eq!((tally.lost, tally.doubled, tally.foreign), (0, 0, 0));
        compare(Some(&expected), ids(&["a", "a", "x"]), &mut tally);
        assert_eq!((tally.lost, tally.doubled, tally.foreign), (2, 1, 1));
        assert_eq!((tally.completed, tally.compared), (2, 6));
    }
}
