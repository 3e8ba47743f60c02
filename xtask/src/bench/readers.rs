//! Readers that throw away what they read, so that nothing but the server's own speed is measured: one of Elasticsearch's
//! scroll, one of the service.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use testkit::client::percent_encoded;
use testkit::service::TOKEN;

use super::http::{Answer, Connection};
use super::streams::Stream;

/// Says what a body is.
const JSON_HEADER: &str = "content-type: application/json";
/// How long a scroll may wait for its next page.
const KEEP_ALIVE_SECONDS: u32 = 120;

/// What one reader has read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// Documents or rows.
    pub records: u64,
    /// Bytes of all bodies.
    pub bytes: u64,
    /// From the first request to the first byte of its answer's body.
    pub first_byte: Duration,
}

/// The text between `before` and the next quotation mark, comma or bracket.
fn find<'a>(text: &'a str, before: &str) -> anyhow::Result<&'a str> {
    let start = text
        .find(before)
        .with_context(|| format!("no {before} in {text}"))?;
    let rest = text.get(start + before.len()..).unwrap_or_default();
    let end = rest.find(['"', ',', '}', ']']).unwrap_or(rest.len());
    Ok(rest.get(..end).unwrap_or_default())
}

fn number(text: &str, before: &str) -> anyhow::Result<u64> {
    let digits = find(text, before)?;
    digits
        .parse()
        .with_context(|| format!("{before} is {digits}, which is no number"))
}

/// Where the service answers with an aggregated report.
pub(super) fn aggregated_path(report_id: &str) -> String {
    format!("/api/public/export/report/{report_id}/result/json?limit=10000&paginationTimeout=60")
}

/// Sends requests over one connection and throws away what comes.
pub(super) struct Reader(Connection);

impl Reader {
    /// A reader of the server at `url`.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        Ok(Self(Connection::new(url)?))
    }

    fn post(&mut self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        (self.0).send("POST", path, JSON_HEADER, &body.to_string())
    }

    fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        let header = format!("authorization: Bearer {TOKEN}");
        self.0.send("GET", path, &header, "")
    }

    /// Gives up a scroll of the Elasticsearch that this reader reads.
    pub fn clear_scroll(&mut self, id: &str) -> anyhow::Result<()> {
        let body = json!({"scroll_id": [id]}).to_string();
        (self.0).send("DELETE", "/_search/scroll", JSON_HEADER, &body)?;
        Ok(())
    }

    /// Reads an index by scroll, in the order in which the service exports it: the physical limit of any export.
    ///
    /// It stops after the page with which it has `most` documents; the whole index includes the empty last page.
    pub fn bare_scroll(
        &mut self,
        index: &str,
        sort: &str,
        page: u32,
        most: u64,
    ) -> anyhow::Result<Reading> {
        let keep_alive = format!("{KEEP_ALIVE_SECONDS}s");
        let search = json!({"size": page, "track_total_hits": true, "sort": [{sort: "desc"}]});
        let first = self.post(&format!("/{index}/_search?scroll={keep_alive}"), &search)?;
        let total = number(&first.head, "\"total\":{\"value\":")?;
        let id = find(&first.head, "\"_scroll_id\":\"")?.to_owned();
        let next = json!({"scroll": keep_alive, "scroll_id": id});
        let mut reading = Reading {
            records: total.min(u64::from(page)),
            bytes: first.bytes,
            first_byte: first.first_byte,
        };
        let mut is_last = total == 0;
        while !is_last && reading.records < most {
            let answer = self.post("/_search/scroll", &next)?;
            reading.bytes += answer.bytes;
            reading.records = total.min(reading.records + u64::from(page));
            is_last = answer.head.contains("\"hits\":[]");
        }
        self.clear_scroll(&id)?;
        Ok(reading)
    }

    /// Reads a report page by page from the service, and stops as [`Reader::bare_scroll`] does. A scroll that was not
    /// read to its end is given back with its id.
    pub fn report(
        &mut self,
        report_id: &str,
        page: u32,
        most: u64,
    ) -> anyhow::Result<(Reading, Option<String>)> {
        let path = format!(
            "/api/public/export/report/{report_id}/result/json?limit={page}&paginationTimeout={KEEP_ALIVE_SECONDS}"
        );
        let first = self.get(&path)?;
        let total = number(&first.head, "\"totalNumberOfRecords\":")?;
        let id = find(&first.head, "\"searchRequestId\":\"")?.to_owned();
        let next = format!("{path}&searchRequestId={}", percent_encoded(&id));
        let mut reading = Reading {
            records: number(&first.tail, "\"numberOfRecordsInResponse\":")?,
            bytes: first.bytes,
            first_byte: first.first_byte,
        };
        while reading.records < most {
            let answer = self.get(&next)?;
            let records = number(&answer.tail, "\"numberOfRecordsInResponse\":")?;
            reading.bytes += answer.bytes;
            reading.records += records;
            if records == 0 {
                ensure!(
                    reading.records == total,
                    "{} of {total} rows arrived",
                    reading.records
                );
                return Ok((reading, None));
            }
        }
        Ok((reading, Some(id)))
    }

    /// Reads a whole report in one answer. One that ends properly is complete, and its head says how many rows that are.
    pub fn stream(&mut self, report_id: &str, stream: Stream) -> anyhow::Result<Reading> {
        let (format, query) = (stream.format(), stream.query());
        let path = format!("/api/public/export/report/{report_id}/result/{format}{query}");
        let answer = self.get(&path)?;
        Ok(Reading {
            records: (answer.total_records)
                .context("the answer does not say how many rows it has")?,
            bytes: answer.bytes,
            first_byte: answer.first_byte,
        })
    }

    /// Sends a search and gives back how long it took.
    pub fn search(&mut self, indices: &str, body: &str) -> anyhow::Result<Duration> {
        self.ask(indices, "_search", body)
    }

    /// The same for what else indices are asked, such as `_count`.
    pub fn ask(&mut self, indices: &str, what: &str, body: &str) -> anyhow::Result<Duration> {
        let began = Instant::now();
        (self.0).send("POST", &format!("/{indices}/{what}"), JSON_HEADER, body)?;
        Ok(began.elapsed())
    }

    /// Asks the service for an aggregated report and gives back how long it took.
    pub fn aggregated_report(&mut self, report_id: &str) -> anyhow::Result<Duration> {
        let began = Instant::now();
        self.get(&aggregated_path(report_id))?;
        Ok(began.elapsed())
    }
}
