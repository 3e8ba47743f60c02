//! One line of the log per export: who, which report, what came of it.
//!
//! The target is `audit`: these lines are kept whatever `--log` says of the rest, unless it says `audit=off`. The line stands within the span of its request and carries that request's id. It never holds
//! a token, and of a scroll only a fingerprint, by which the pages of one export can be found together.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::error::ExportError;
use crate::auth::Client;
use crate::telemetry::{self, ExportOutcome};

/// Bytes of a scroll's digest that are logged.
const FINGERPRINT_BYTES: usize = 6;

/// What is known of an export before it ends. Cloning is cheap; clones are the same export.
#[derive(Debug, Clone)]
pub struct Audit(Arc<Known>);

#[derive(Debug)]
struct Known {
    client: Client,
    report_id: String,
    started: Instant,
    plan: OnceLock<String>,
    page: OnceLock<PageAudit>,
    stream: OnceLock<StreamAudit>,
}

/// What a table adds.
#[derive(Debug, Clone, Copy)]
pub struct StreamAudit {
    /// The table.
    pub table: &'static str,
    /// How it is written.
    pub format: &'static str,
}

/// What a page of raw data adds.
#[derive(Debug)]
struct PageAudit {
    number: u32,
    scroll: String,
}

impl Audit {
    /// An export begins.
    pub fn begin(client: Client, report_id: &str) -> Self {
        Self(Arc::new(Known {
            client,
            report_id: telemetry::for_log(report_id).to_owned(),
            started: Instant::now(),
            plan: OnceLock::new(),
            page: OnceLock::new(),
            stream: OnceLock::new(),
        }))
    }

    /// Who exports.
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// What the report evaluates, such as `userTask-duration by assignee, distributed by process`.
    pub fn set_plan(&self, plan: String) {
        // An export has one plan; if it were told another, the first one stays.
        let _ = self.0.plan.set(plan);
    }

    /// Which page this is, counted from 1 by the process that serves it, and of which scroll.
    pub fn set_page(&self, number: u32, scroll: &crate::scroll::registry::IdDigest) {
        let scroll = scroll
            .iter()
            .take(FINGERPRINT_BYTES)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let _ = self.0.page.set(PageAudit { number, scroll });
    }

    /// Which table this is, and how it is written.
    pub fn set_stream(&self, stream: StreamAudit) {
        let _ = self.0.stream.set(stream);
    }

    /// The client has all of it.
    pub fn delivered(&self, rows: u64, bytes: u64) {
        self.record(ExportOutcome::Delivered, rows, bytes, None);
    }

    /// The client left, or did not read.
    pub fn interrupted(&self, why: &str) {
        self.record(ExportOutcome::Interrupted, 0, 0, Some(why));
    }

    /// Something failed after the answer had begun.
    pub fn broken(&self, why: &str) {
        self.record(ExportOutcome::Broken, 0, 0, Some(why));
    }

    /// It was answered with an error.
    pub fn refused(&self, error: &ExportError) {
        // The text for the client: what only an operator may see is logged where the answer is made.
        self.record(ExportOutcome::Refused, 0, 0, Some(error.kind()));
    }

    fn record(&self, outcome: ExportOutcome, rows: u64, bytes: u64, why: Option<&str>) {
        let Known {
            client,
            report_id,
            started,
            plan,
            page,
            stream,
        } = &*self.0;
        let page = page.get();
        let stream = stream.get();
        tracing::info!(
            target: "audit",
            client = client.name(),
            key = client.key_id(),
            rules = client.access().rule_names(),
            report = report_id,
            plan = plan.get(),
            page = page.map(|page| page.number),
            scroll = page.map(|page| page.scroll.as_str()),
            table = stream.map(|stream| stream.table),
            format = stream.map(|stream| stream.format),
            rows,
            bytes,
            took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            why,
            "export {}",
            outcome.name()
        );
        telemetry::exported(outcome, rows, bytes);
    }
}
