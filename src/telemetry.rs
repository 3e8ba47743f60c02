//! What the service tells of itself in figures: every metric, its name and its labels, once. Those of requests to
//! Elasticsearch are in [`cluster::telemetry`].
//!
//! Labels have few values that are known beforehand: no report, no client, nothing that a request brings. Those are in the
//! log, one line per export (`export::audit`).

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use crate::flags;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

const REQUESTS: &str = "optimize_export_http_requests_total";
const REQUEST_SECONDS: &str = "optimize_export_http_request_duration_seconds";
const RESPONSE_BYTES: &str = "optimize_export_http_response_size_bytes";
const CONNECTIONS: &str = "optimize_export_http_connections";
const EXPORTS: &str = "optimize_export_exports_total";
const EXPORTS_UNDER_WAY: &str = "optimize_export_exports_under_way";
const STREAMS_UNDER_WAY: &str = "optimize_export_streams_under_way";
const EXPORTS_WAITING: &str = "optimize_export_exports_waiting";
const STREAMS_WAITING: &str = "optimize_export_streams_waiting";
const ROWS: &str = "optimize_export_rows_total";
const BYTES: &str = "optimize_export_bytes_total";
const SCROLLS: &str = "optimize_export_scrolls_total";
const SCROLLS_OPEN: &str = "optimize_export_scrolls_open";
const CONTEXTS_OPEN: &str = "optimize_export_scroll_contexts_open";
const CONTEXTS_LIMIT: &str = "optimize_export_scroll_contexts_limit";
const CACHE: &str = "optimize_export_cache_requests_total";
const BUILD_INFO: &str = "optimize_export_build_info";

/// Bounds of the buckets for durations, in seconds: from a cached aggregation to the time limit of a slow reader.
const SECONDS: [f64; 13] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];
/// Bounds of the buckets for sizes, in bytes: from an error to a page of 10,000 large rows.
const SIZES: [f64; 8] = [1e3, 1e4, 1e5, 1e6, 1e7, 3e7, 1e8, 1e9];

/// How often samples are put into their buckets when nobody asks for them.
pub const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// Characters of a client's own text that a line of the log repeats. Ids and paths that mean something are shorter.
const MAX_LOGGED: usize = 256;

/// A client's own text, such as a path, as far as a line of the log repeats it: nobody shall fill the log with one request.
pub fn for_log(text: &str) -> &str {
    match text.char_indices().nth(MAX_LOGGED) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

/// Starts to count; before that, and in tests without it, figures go nowhere.
///
/// # Errors
/// It was started before.
pub fn start() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &SIZES)?
        .install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!(REQUESTS, "Requests, by route, method and status");
    describe_histogram!(
        REQUEST_SECONDS,
        Unit::Seconds,
        "From the head of a request to the last byte of its answer, by route"
    );
    describe_histogram!(
        RESPONSE_BYTES,
        Unit::Bytes,
        "Size of an answer's body as it was sent, by route"
    );
    describe_gauge!(CONNECTIONS, "Connections of clients that are open");
    describe_counter!(
        EXPORTS,
        "Exports, by outcome: delivered, interrupted (by the client), broken or refused"
    );
    describe_gauge!(
        EXPORTS_UNDER_WAY,
        format!(
            "Exports that hold a slot of {}",
            flags::MAX_CONCURRENT_EXPORTS
        )
    );
    describe_gauge!(
        STREAMS_UNDER_WAY,
        format!(
            "Whole reports that hold a slot of {}",
            flags::MAX_CONCURRENT_STREAMS
        )
    );
    describe_gauge!(
        EXPORTS_WAITING,
        format!(
            "Exports that wait for a slot of {}",
            flags::MAX_CONCURRENT_EXPORTS
        )
    );
    describe_gauge!(
        STREAMS_WAITING,
        format!(
            "Whole reports that wait for a slot of {}",
            flags::MAX_CONCURRENT_STREAMS
        )
    );
    describe_counter!(
        ROWS,
        "Rows of raw data and entries of results that were delivered"
    );
    describe_counter!(
        BYTES,
        Unit::Bytes,
        "Bytes of delivered exports, before compression"
    );
    describe_counter!(
        SCROLLS,
        "Scrolls, by event: opened, continued, cleared or expired"
    );
    describe_gauge!(
        SCROLLS_OPEN,
        "Scrolls that this process has opened or continued and not seen end"
    );
    describe_gauge!(
        CONTEXTS_OPEN,
        "Contexts that these scrolls hold in Elasticsearch, one for each shard"
    );
    describe_gauge!(
        CONTEXTS_LIMIT,
        format!("How many may be open, {}", flags::MAX_OPEN_SCROLLS)
    );
    cluster::telemetry::describe();
    describe_counter!(CACHE, "Looks into a cache, by cache and result");
    describe_gauge!(BUILD_INFO, "Always 1; the version is a label");
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// An answer was delivered, or its client left.
pub fn answered(
    route: &'static str,
    method: &'static str,
    status: u16,
    took: Duration,
    bytes: u64,
) {
    counter!(REQUESTS, "route" => route, "method" => method, "status" => status.to_string())
        .increment(1);
    histogram!(REQUEST_SECONDS, "route" => route).record(took);
    histogram!(RESPONSE_BYTES, "route" => route).record(as_float(bytes));
}

/// A connection was opened.
pub fn connection_opened() {
    gauge!(CONNECTIONS).increment(1.0);
}

/// A connection has closed.
pub fn connection_closed() {
    gauge!(CONNECTIONS).decrement(1.0);
}

/// How an export ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportOutcome {
    /// The client has all of it.
    Delivered,
    /// The client left, or did not read.
    Interrupted,
    /// Something failed after the answer had begun.
    Broken,
    /// It was answered with an error.
    Refused,
}

impl ExportOutcome {
    /// As logs and metrics name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Interrupted => "interrupted",
            Self::Broken => "broken",
            Self::Refused => "refused",
        }
    }
}

/// An export has ended.
pub fn exported(outcome: ExportOutcome, rows: u64, bytes: u64) {
    counter!(EXPORTS, "outcome" => outcome.name()).increment(1);
    if outcome == ExportOutcome::Delivered {
        counter!(ROWS).increment(rows);
        counter!(BYTES).increment(bytes);
    }
}

/// So many exports are under way.
pub fn exports_under_way(exports: usize) {
    gauge!(EXPORTS_UNDER_WAY).set(as_float(exports as u64));
}

/// So many whole reports are under way.
pub fn streams_under_way(streams: usize) {
    gauge!(STREAMS_UNDER_WAY).set(as_float(streams as u64));
}

/// So many exports wait for a slot.
pub fn exports_waiting(exports: usize) {
    gauge!(EXPORTS_WAITING).set(as_float(exports as u64));
}

/// So many whole reports wait for a slot.
pub fn streams_waiting(streams: usize) {
    gauge!(STREAMS_WAITING).set(as_float(streams as u64));
}

/// What happened to a scroll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScrollEvent {
    /// Its first page was asked for.
    Opened,
    /// A further page was asked for.
    Continued,
    /// It was given up.
    Cleared,
    /// Nobody asked for it within its keep-alive.
    Expired,
}

/// Something happened to scrolls.
pub fn scrolls(event: ScrollEvent, count: u64) {
    let event = match event {
        ScrollEvent::Opened => "opened",
        ScrollEvent::Continued => "continued",
        ScrollEvent::Cleared => "cleared",
        ScrollEvent::Expired => "expired",
    };
    counter!(SCROLLS, "event" => event).increment(count);
}

/// So many scrolls are open.
pub fn scrolls_open(open: usize) {
    gauge!(SCROLLS_OPEN).set(as_float(open as u64));
}

/// So many contexts are open, of so many that may be. Both at once, so that one is never known without the other.
pub fn scroll_contexts(open: usize, limit: usize) {
    gauge!(CONTEXTS_OPEN).set(as_float(open as u64));
    gauge!(CONTEXTS_LIMIT).set(as_float(limit as u64));
}

/// A cache had something, or it had to be fetched.
pub fn looked_up(cache: &'static str, is_hit: bool) {
    let result = if is_hit { "hit" } else { "miss" };
    counter!(CACHE, "cache" => cache, "result" => result).increment(1);
}

/// Figures up to 2^53 are exact, which no size here exceeds.
#[expect(
    clippy::cast_precision_loss,
    reason = "Prometheus has no other numbers"
)]
fn as_float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_repeats_so_much_and_no_more() {
        assert_eq!(for_log("raw-orders"), "raw-orders");
        assert_eq!(for_log(&"é".repeat(10_000)), "é".repeat(MAX_LOGGED));
    }
}
