//! The reader of a chain: what a pipeline does with bookmarks.

use std::collections::HashMap;
use std::io::Read as _;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Deserialize;
use testkit::service::TOKEN;

/// How long one read may take.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Where the bookmark stands.
const BOOKMARK: &str = "optimize-export-bookmark";
/// The wait after a read that failed, and for how long reads may fail in a row.
const PAUSE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(180);

/// What one read has brought.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Its rows.
    pub rows: u64,
    /// Rows that had come before just like that.
    pub again: u64,
}

/// Reads what has changed since it read last, and keeps the last row of each instance.
pub(super) struct Reader {
    agent: ureq::Agent,
    url: String,
    bookmark: Option<String>,
    merged: HashMap<String, String>,
    failed: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    process_instance_id: String,
    business_key: String,
}

#[derive(Deserialize)]
struct BookmarkAnswer {
    bookmark: String,
}

/// Why a read has to be repeated.
struct Passing(String);

impl Reader {
    /// One that has not read anything yet.
    pub fn new(service_url: &str, report_id: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .build();
        Self {
            agent: config.new_agent(),
            url: format!("{service_url}/api/public/export/report/{report_id}/result"),
            bookmark: None,
            merged: HashMap::new(),
            failed: 0,
        }
    }

    /// The last state of each instance.
    pub fn merged(&self) -> &HashMap<String, String> {
        &self.merged
    }

    /// Reads that had to be repeated.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Reads what has changed, everything the first time.
    pub fn read(&mut self) -> anyhow::Result<Read> {
        let began = Instant::now();
        loop {
            match self.try_read()? {
                Ok(read) => return Ok(read),
                Err(Passing(reason)) if began.elapsed() > PATIENCE => {
                    bail!("no read works: {reason}")
                }
                Err(Passing(_)) => {
                    self.failed += 1;
                    thread::sleep(PAUSE);
                }
            }
        }
    }

    fn try_read(&mut self) -> anyhow::Result<Result<Read, Passing>> {
        let since = match &self.bookmark {
            Some(bookmark) => format!("&since={bookmark}"),
            None => String::new(),
        };
        let url = format!(
            "{}/ndjson?columns=processInstanceId,businessKey{since}",
            self.url
        );
        let (body, bookmark) = match self.get(&url)? {
            Ok(answer) => answer,
            Err(passing) => return Ok(Err(passing)),
        };
        let mut read = Read::default();
        for line in body.lines() {
            let row: Row = serde_json::from_str(line).context("a line is no row")?;
            let state = row.business_key.clone();
            let before = self
                .merged
                .insert(row.process_instance_id, row.business_key);
            read.rows += 1;
            read.again += u64::from(before.is_some_and(|before| before == state));
        }
        self.bookmark = Some(bookmark.context("an answer without a bookmark")?);
        Ok(Ok(read))
    }

    /// A whole body and its bookmark.
    fn get(&self, url: &str) -> anyhow::Result<Result<(String, Option<String>), Passing>> {
        let request = self
            .agent
            .get(url)
            .header("authorization", &format!("Bearer {TOKEN}"));
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error) => return Ok(Err(Passing(error.to_string()))),
        };
        let mut body = String::new();
        let status = response.status().as_u16();
        let bookmark = response.headers().get(BOOKMARK);
        let bookmark = bookmark
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        let whole = response.body_mut().as_reader().read_to_string(&mut body);
        match (status, whole) {
            (200, Ok(_)) => Ok(Ok((body, bookmark))),
            (200, Err(error)) => Ok(Err(Passing(error.to_string()))),
            (429 | 500.., _) => Ok(Err(Passing(format!("status {status}: {body}")))),
            _ => bail!("status {status}: {body}"),
        }
    }

    /// The bookmark as it is asked for alone, for a report over so many indices that it fits into no header.
    pub fn bookmark_alone(&self) -> anyhow::Result<String> {
        match self.get(&format!("{}/bookmark", self.url))? {
            Ok((body, _)) => Ok(serde_json::from_str::<BookmarkAnswer>(&body)?.bookmark),
            Err(Passing(reason)) => bail!("no bookmark: {reason}"),
        }
    }

    /// Begins with this bookmark.
    pub fn begin_with(&mut self, bookmark: String) {
        self.bookmark = Some(bookmark);
    }
}
