//! A client of the service: exports a whole report into a file, page by page, or as a table in one stream (see [`table`]).
//!
//! What a client of scrolls has to know is here, once: a page counts only if its body ended properly; one that broke may
//! have taken rows out of the scroll, so that the report has to be read again from the beginning, without the rows that
//! were written already. The same way an interrupted export is resumed: nothing has to be remembered besides the file.

use std::fmt;
use std::io::BufReader;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use reqwest::StatusCode;

pub mod bookmark_file;
pub mod completeness;
pub mod format;
pub mod ids;
pub mod oauth;
pub mod output;
pub mod page;
pub mod service;
pub mod table;
pub mod whole_file;

use output::{Output, OutputError};
use page::{Page, PageError, Receiver, read_page};
use service::{PageRequest, RequestError, Service};

/// Longest wait that a service may ask for between two tries.
const MAX_WAIT: Duration = Duration::from_secs(600);
/// First wait between two tries where the service does not say; it doubles from one to the next.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait between two tries where the service does not say.
const LONGEST_OWN_WAIT: Duration = Duration::from_secs(30);
/// The code of an error about a bookmark.
const BOOKMARK_ERROR: &str = "bookmarkError";
/// Bytes of a page that are read at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// How a report is read.
#[derive(Debug, Clone)]
pub struct ReportRequest {
    /// The report.
    pub report_id: String,
    /// Rows per page.
    pub page_size: u32,
    /// Seconds for which the service keeps the scroll open between two pages.
    pub pagination_timeout: u32,
    /// How often in a row something may go wrong without a new row in between.
    pub retries: u32,
}

/// What somebody who waits may want to know.
pub trait Progress {
    /// The report has so many records.
    fn total(&mut self, total: u64);
    /// A row arrived; `is_new` if it was written, else the file had it already.
    fn row(&mut self, is_new: bool);
    /// So much of a table has arrived, since its last beginning; `rows` where they can be counted.
    fn arrived(&mut self, rows: Option<u64>, bytes: u64);
    /// Something happened that is worth a line.
    fn notice(&mut self, text: &str);
}

/// Why an export is not complete.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The service refuses, and would again.
    #[error("the service refuses: {0}")]
    Refused(String),
    /// The service can't tell what has changed since a bookmark.
    #[error("the service refuses: {0}")]
    Bookmark(String),
    /// The service can't be reached, or is too busy, in spite of all tries.
    #[error("the service is not available: {0}")]
    Unavailable(String),
    /// Somebody asked for the end.
    #[error("interrupted")]
    Interrupted,
    /// The service did what this client does not understand.
    #[error("{0}")]
    Unexpected(String),
    /// The output can't be written.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// The wish that an export ends early.
#[derive(Debug, Default)]
pub struct Stop {
    wished: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    /// Asks for the end.
    pub fn wish(&self) {
        *self.wished.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Whether it was asked for.
    pub fn is_wished(&self) -> bool {
        *self.wished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, but not beyond the wish to stop.
    fn wait(&self, duration: Duration) {
        let wished = self.wished.lock().unwrap_or_else(PoisonError::into_inner);
        // Whether it was the time or the wish that ended the wait is asked afterwards.
        drop(
            self.changed
                .wait_timeout_while(wished, duration, |wished| !*wished),
        );
    }
}

/// Writes all of a report that the output does not have yet.
///
/// # Errors
/// See [`ClientError`]. Every row that arrived is in the output even then.
pub fn export(
    service: &Service,
    request: &ReportRequest,
    output: &mut Output,
    progress: &mut dyn Progress,
    stop: &Stop,
) -> Result<(), ClientError> {
    let mut reading = Reading {
        service,
        request,
        output,
        progress,
        stop,
        scroll: None,
        seen: 0,
        message: None,
    };
    let result = reading.read_all();
    match result {
        Ok(()) => output.finish()?,
        // The first error is the one to tell.
        Err(_) => drop(output.flush()),
    }
    result
}

/// A report that is being read.
struct Reading<'a> {
    service: &'a Service,
    request: &'a ReportRequest,
    output: &'a mut Output,
    progress: &'a mut dyn Progress,
    stop: &'a Stop,
    /// The scroll to go on with.
    scroll: Option<String>,
    /// Rows that this scroll has given.
    seen: u64,
    /// What the service said last; each page repeats it.
    message: Option<String>,
}

/// Failures in a row.
struct Tries {
    failures: u32,
    retries: u32,
}

impl Tries {
    const fn new(retries: u32) -> Self {
        Self {
            failures: 0,
            retries,
        }
    }

    /// Counts a failure; gives the time to wait before the next try, unless there is none.
    fn failed(&mut self, reason: &str, retry_after: Option<u64>) -> Result<Duration, ClientError> {
        self.failures += 1;
        if self.failures > self.retries {
            return Err(ClientError::Unavailable(reason.to_owned()));
        }
        let wait = retry_after.map_or_else(|| own_wait(self.failures), Duration::from_secs);
        if wait > MAX_WAIT {
            let asked = wait.as_secs();
            return Err(ClientError::Unavailable(format!(
                "{reason} (it asks to wait {asked} seconds)"
            )));
        }
        Ok(wait)
    }
}

impl fmt::Display for Tries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.failures, self.retries)
    }
}

/// What becomes of an export after a page.
enum Step {
    More,
    Complete,
}

/// Why there is no page.
enum Trouble {
    /// It may be better the next time.
    Passing {
        reason: String,
        /// Seconds.
        retry_after: Option<u64>,
        /// Whether the scroll can't be trusted any more, because rows of it may be lost.
        scroll_is_lost: bool,
    },
    Final(ClientError),
}

impl Trouble {
    fn scroll_lost(reason: impl Into<String>) -> Self {
        Self::Passing {
            reason: reason.into(),
            retry_after: None,
            scroll_is_lost: true,
        }
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Self {
        Self::Final(error)
    }
}

impl From<OutputError> for Trouble {
    fn from(error: OutputError) -> Self {
        Self::Final(error.into())
    }
}

impl Reading<'_> {
    fn read_all(&mut self) -> Result<(), ClientError> {
        let mut tries = Tries::new(self.request.retries);
        let mut rows_before = self.output.new_rows();
        loop {
            if self.stop.is_wished() {
                return Err(ClientError::Interrupted);
            }
            let (reason, retry_after, scroll_is_lost) = match self.next_page() {
                Ok(Step::More) => continue,
                Ok(Step::Complete) => return Ok(()),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Passing {
                    reason,
                    retry_after,
                    scroll_is_lost,
                }) => (reason, retry_after, scroll_is_lost),
            };
            // Only a new row is a step ahead: pages that were read again would let this go on for ever.
            if self.output.new_rows() > rows_before {
                tries.failures = 0;
                rows_before = self.output.new_rows();
            }
            let wait = tries.failed(&reason, retry_after)?;
            self.output.flush()?;
            let again = if scroll_is_lost && self.scroll.take().is_some() {
                self.seen = 0;
                "reading the report again from its beginning"
            } else {
                "trying again"
            };
            self.progress.notice(&format!(
                "{reason}; {again} in {} s ({tries})",
                wait.as_secs(),
            ));
            self.stop.wait(wait);
        }
    }

    fn next_page(&mut self) -> Result<Step, Trouble> {
        let page = self.fetch()?;
        self.output.flush()?;
        if page.message != self.message {
            self.message.clone_from(&page.message);
            if let Some(message) = &page.message {
                self.progress.notice(&utf16::for_people(message));
            }
        }
        let Some(scroll) = page.search_request_id else {
            self.output.value(page.whole_data.as_deref())?;
            return Ok(Step::Complete);
        };
        if page.records.is_some_and(|records| records != page.rows) {
            return Err(Trouble::scroll_lost(
                "a page has not as many rows as it says",
            ));
        }
        self.seen += page.rows;
        self.scroll = Some(scroll);
        if page.rows > 0 {
            return Ok(Step::More);
        }
        // The last line of defence against a gap, whatever stands between here and the service.
        match page.total {
            Some(total) if total != self.seen => Err(Trouble::scroll_lost(format!(
                "only {} of {total} rows arrived",
                self.seen
            ))),
            _ => Ok(Step::Complete),
        }
    }

    fn fetch(&mut self) -> Result<Page, Trouble> {
        let request = PageRequest {
            report_id: &self.request.report_id,
            limit: self.request.page_size,
            pagination_timeout: self.request.pagination_timeout,
            search_request_id: self.scroll.as_deref(),
        };
        let is_first = request.search_request_id.is_none();
        let response = self
            .service
            .page(request)
            .map_err(|error| trouble(error, is_first))?;
        read_page(BufReader::with_capacity(BUFFER_BYTES, response), self).map_err(|error| {
            match error {
                PageError::Broken(reason) => {
                    Trouble::scroll_lost(format!("a page broke off: {reason}"))
                }
                PageError::Unreadable(reason) => ClientError::Unexpected(format!(
                    "the answer is not that of an export: {reason}"
                ))
                .into(),
                PageError::Receiver(error) => Trouble::Final(error),
            }
        })
    }
}

impl Receiver for Reading<'_> {
    type Error = ClientError;

    fn total(&mut self, total: u64) {
        self.progress.total(total);
    }

    fn row(&mut self, row: &str) -> Result<(), ClientError> {
        if self.stop.is_wished() {
            return Err(ClientError::Interrupted);
        }
        let id = ids::instance_id(row)
            .ok()
            .flatten()
            .ok_or_else(|| ClientError::Unexpected("a row has no id of an instance".to_owned()))?;
        let is_new = self.output.row(&id, row)?;
        self.progress.row(is_new);
        Ok(())
    }
}

/// What a failed request means: whether it may be repeated, and whether its scroll can still be trusted.
fn trouble(error: RequestError, is_first: bool) -> Trouble {
    let passing = |reason, retry_after, scroll_is_lost| Trouble::Passing {
        reason,
        retry_after,
        scroll_is_lost,
    };
    match error {
        RequestError::NotSent(reason) => passing(reason, None, false),
        // The service may have taken rows out of the scroll for an answer that nobody got.
        RequestError::NoAnswer(reason) => passing(reason, None, true),
        RequestError::Token(reason) => Trouble::Final(ClientError::Unexpected(reason)),
        RequestError::NoToken(reason) => Trouble::Final(ClientError::Refused(reason)),
        RequestError::Status {
            status,
            message,
            retry_after,
            code,
        } => match status {
            StatusCode::BAD_REQUEST if code.as_deref() == Some(BOOKMARK_ERROR) => {
                Trouble::Final(ClientError::Bookmark(message))
            }
            // A service that can't go on has given the scroll up by then, and says so the next time.
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                passing(message, retry_after, false)
            }
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
                passing(message, retry_after, true)
            }
            // "Start over": the scroll has expired, or a page of it broke.
            StatusCode::BAD_REQUEST if !is_first => passing(message, retry_after, true),
            _ if status.is_client_error() => Trouble::Final(ClientError::Refused(message)),
            _ => Trouble::Final(ClientError::Unexpected(format!(
                "the service answers with {message}"
            ))),
        },
    }
}

/// How long to wait before the next try when the service did not say.
fn own_wait(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    FIRST_WAIT.saturating_mul(doubled).min(LONGEST_OWN_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_bound() {
        let waits: Vec<u64> = (1..=7)
            .map(|failures| own_wait(failures).as_secs())
            .collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(own_wait(u32::MAX), LONGEST_OWN_WAIT);
    }

    /// Status, whether it is the first page: whether it passes, and whether the scroll is lost then.
    fn after(status: u16, is_first: bool) -> Option<bool> {
        let error = RequestError::Status {
            status: StatusCode::from_u16(status).unwrap(),
            message: String::new(),
            retry_after: None,
            code: None,
        };
        match trouble(error, is_first) {
            Trouble::Passing { scroll_is_lost, .. } => Some(scroll_is_lost),
            Trouble::Final(_) => None,
        }
    }

    #[test]
    fn what_passes_and_what_does_not() {
        for is_first in [true, false] {
            assert_eq!(after(429, is_first), Some(false));
            assert_eq!(after(503, is_first), Some(false));
            assert_eq!(after(502, is_first), Some(true));
            for status in [301, 401, 403, 404, 405, 500] {
                assert_eq!(after(status, is_first), None, "{status}");
            }
        }
        assert_eq!(after(400, true), None);
        assert_eq!(after(400, false), Some(true));
    }

    #[test]
    fn a_wait_ends_with_the_wish_to_stop() {
        let stop = Stop::default();
        let began = std::time::Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| stop.wait(Duration::from_secs(60)));
            stop.wish();
        });
        assert!(stop.is_wished() && began.elapsed() < Duration::from_secs(30));
    }
}
