//! How much clients may take: of Elasticsearch, and of the service.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::default_in_help::DefaultInHelp;
use super::{ConfigError, at_least_one, count, seconds, wrong};
use crate::flags;
use crate::http::server::ServerLimits;
use crate::scroll::ScrollLimits;

/// Rows that a page may have at most, and may have if nothing else is said: Elasticsearch's `index.max_result_window` and Optimize's own limit.
pub const MAX_LIMIT: u32 = 10_000;
/// Longest keep-alive in seconds, also if nothing else is said: Elasticsearch's default of `search.max_keep_alive`.
pub const MAX_PAGINATION_TIMEOUT: u32 = 86_400;
/// Exports at the same time. Elasticsearch makes each batch of a page in its heap, 6 to 10 MB of large instances, and one with
/// 1 GB of heap does not survive 128 of them.
const DEFAULT_MAX_CONCURRENT_EXPORTS: u32 = 32;
/// Numbers of changes that a read of what has changed goes back; bulks of Optimize's import have some thousand.
const DEFAULT_CHANGE_OVERLAP: u32 = 20_000;
/// Whole reports at the same time. Each has a scroll, a core's worth of work and up to 96 MiB of memory.
const DEFAULT_MAX_CONCURRENT_STREAMS: u32 = 4;
/// Scrolls open at the same time. Elasticsearch allows 500 contexts per node, one for each shard, and others need some too.
const DEFAULT_MAX_OPEN_SCROLLS: u32 = 400;
/// Pages that may begin to be fetched ahead. Each takes up to sixteen megabytes while it waits for a slow client.
const DEFAULT_MAX_PAGES_AHEAD: u32 = 4;
/// Mebibytes of documents that Elasticsearch may hold for all exports: what 32 batches of 1,000 documents of ten kilobytes have,
/// which a heap of one gigabyte bears.
const DEFAULT_MAX_BATCH_MEMORY: u32 = 320;
/// Bytes of a mebibyte.
const MEBIBYTE: u32 = 1024 * 1024;
/// MiB for results that aggregate; the service as a whole is to do with 256. The filters of 65,536 intervals take 32.
const DEFAULT_MAX_AGGREGATION_MEMORY: u32 = 80;
/// Connections open at the same time. An idle one takes some kilobytes.
const DEFAULT_MAX_CONNECTIONS: u32 = 10_000;
/// Seconds for the head of a request.
const DEFAULT_HEAD_TIMEOUT: u32 = 60;
/// Seconds that a request waits in line.
const DEFAULT_QUEUE_TIMEOUT: u32 = 10;
/// Seconds that a page waits for its reader.
const DEFAULT_STALL_TIMEOUT: u32 = 30;
/// Seconds for requests under way when the service stops.
pub(super) const DEFAULT_SHUTDOWN_TIMEOUT: u32 = 30;

/// Settings that bound what clients may take.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LimitSettings {
    /// Upper bound of the parameter limit
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_LIMIT",
        value_name = "ROWS",
        help_heading = "Limits",
        default_is = MAX_LIMIT
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_limit: Option<u32>,

    /// Upper bound of the parameter paginationTimeout, in seconds
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_PAGINATION_TIMEOUT",
        value_name = "SECONDS",
        help_heading = "Limits",
        default_is = MAX_PAGINATION_TIMEOUT
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pagination_timeout: Option<u32>,

    /// Exports under way at the same time; more are refused with status 429
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_CONCURRENT_EXPORTS",
        value_name = "NUMBER",
        help_heading = "Limits",
        default_is = DEFAULT_MAX_CONCURRENT_EXPORTS
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_exports: Option<u32>,

    /// The same for one client, known by the name of its token [default: no limit of its own]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_CONCURRENT_EXPORTS_PER_CLIENT",
        value_name = "NUMBER",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_exports_per_client: Option<u32>,

    /// Whole reports (csv, ndjson, parquet, arrow) under way at the same time; more are refused with status 429. One of csv or
    /// ndjson takes up to 32 MiB of memory, one of Parquet or Arrow up to 96
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_CONCURRENT_STREAMS",
        value_name = "NUMBER",
        help_heading = "Limits",
        default_is = DEFAULT_MAX_CONCURRENT_STREAMS
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_streams: Option<u32>,

    /// Seconds that a request waits in line when exports or whole reports are at their limit, before it is refused with status
    /// 429; 0 refuses at once
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_QUEUE_TIMEOUT",
        value_name = "SECONDS",
        help_heading = "Limits",
        default_is = DEFAULT_QUEUE_TIMEOUT
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_timeout: Option<u32>,

    /// Numbers of changes that a read of what has changed (since) goes back in each shard that has changed: a number is given out
    /// before its document can be found, on replicas by the length of a bulk
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_CHANGE_OVERLAP",
        value_name = "NUMBER",
        help_heading = "Limits",
        default_is = DEFAULT_CHANGE_OVERLAP
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_overlap: Option<u32>,

    /// Memory for results that aggregate, all together, in MiB; each may have half of it. Larger ones are refused with status
    /// 400, others wait a little and are refused with status 429 then. Other answers that are held as a whole (reports,
    /// definitions, names) have half as much again
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_AGGREGATION_MEMORY",
        value_name = "MEBIBYTES",
        help_heading = "Limits",
        default_is = DEFAULT_MAX_AGGREGATION_MEMORY
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_aggregation_memory: Option<u32>,

    /// Scroll contexts that this process keeps open at the same time, one for each shard of a report; more are refused with
    /// status 429
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_OPEN_SCROLLS",
        value_name = "NUMBER",
        help_heading = "Limits",
        default_is = DEFAULT_MAX_OPEN_SCROLLS
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_open_scrolls: Option<u32>,

    /// Pages that may begin to be fetched before their clients ask for them; 0 fetches none ahead. None is with a scroll key
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_PAGES_AHEAD",
        value_name = "NUMBER",
        help_heading = "Limits",
        default_is = DEFAULT_MAX_PAGES_AHEAD
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pages_ahead: Option<u32>,

    /// Mebibytes of documents that Elasticsearch may have to hold for all exports at once; more wait. The default is made for
    /// data nodes with a heap of 1 GB, of which it is a third
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_BATCH_MEMORY",
        value_name = "MEBIBYTES",
        help_heading = "Limits",
        default_is = DEFAULT_MAX_BATCH_MEMORY
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_batch_memory: Option<u32>,

    /// Connections open at the same time; more wait until one closes. The system's limit of open files may allow fewer
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_CONNECTIONS",
        value_name = "NUMBER",
        help_heading = "Limits",
        default_is = DEFAULT_MAX_CONNECTIONS
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u32>,

    /// Time for a client to send the head of a request, and for a connection to idle, in seconds
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_HEAD_TIMEOUT",
        value_name = "SECONDS",
        help_heading = "Limits",
        default_is = DEFAULT_HEAD_TIMEOUT
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_timeout: Option<u32>,

    /// Time after which a client loses its answer and its connection that reads nothing, in seconds
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_STALL_TIMEOUT",
        value_name = "SECONDS",
        help_heading = "Limits",
        default_is = DEFAULT_STALL_TIMEOUT
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall_timeout: Option<u32>,

    /// Time for requests under way to finish when the service stops, in seconds
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_SHUTDOWN_TIMEOUT",
        value_name = "SECONDS",
        help_heading = "Limits",
        default_is = DEFAULT_SHUTDOWN_TIMEOUT
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown_timeout: Option<u32>,
}

impl LimitSettings {
    /// # Errors
    /// A limit is out of its bounds.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let max_limit = self.max_limit();
        if !(1..=MAX_LIMIT).contains(&max_limit) {
            return Err(wrong(
                flags::MAX_LIMIT,
                format!("{max_limit} is not within 1..={MAX_LIMIT}"),
            ));
        }
        let max_pagination_timeout = self.max_pagination_timeout();
        if !(1..=MAX_PAGINATION_TIMEOUT).contains(&max_pagination_timeout) {
            let problem =
                format!("{max_pagination_timeout} is not within 1..={MAX_PAGINATION_TIMEOUT}");
            return Err(wrong(flags::MAX_PAGINATION_TIMEOUT, problem));
        }
        for (flag, value) in [
            (flags::MAX_CONCURRENT_EXPORTS, self.max_concurrent_exports),
            (
                flags::MAX_CONCURRENT_EXPORTS_PER_CLIENT,
                self.max_concurrent_exports_per_client,
            ),
            (flags::MAX_CONCURRENT_STREAMS, self.max_concurrent_streams),
            (flags::MAX_OPEN_SCROLLS, self.max_open_scrolls),
            (flags::MAX_BATCH_MEMORY, self.max_batch_memory),
            (flags::MAX_AGGREGATION_MEMORY, self.max_aggregation_memory),
            (flags::MAX_CONNECTIONS, self.max_connections),
            (flags::HEAD_TIMEOUT, self.head_timeout),
            (flags::STALL_TIMEOUT, self.stall_timeout),
        ] {
            at_least_one(flag, value)?;
        }
        Ok(())
    }

    /// What a client may take of the server.
    pub(super) fn server(&self) -> ServerLimits {
        ServerLimits {
            max_connections: count(self.max_connections.unwrap_or(DEFAULT_MAX_CONNECTIONS)),
            head_timeout: seconds(self.head_timeout, DEFAULT_HEAD_TIMEOUT),
            stall_timeout: self.stall_timeout(),
            shutdown_timeout: seconds(self.shutdown_timeout, DEFAULT_SHUTDOWN_TIMEOUT),
        }
    }

    /// Bytes of memory for answers that are held as a whole.
    pub(super) fn answer_memory(&self) -> usize {
        let mebibytes = (self.max_aggregation_memory).unwrap_or(DEFAULT_MAX_AGGREGATION_MEMORY);
        count(mebibytes).saturating_mul(count(MEBIBYTE))
    }

    pub(super) fn max_limit(&self) -> u32 {
        self.max_limit.unwrap_or(MAX_LIMIT)
    }

    pub(super) fn max_pagination_timeout(&self) -> u32 {
        self.max_pagination_timeout
            .unwrap_or(MAX_PAGINATION_TIMEOUT)
    }

    pub(super) fn max_concurrent_exports(&self) -> usize {
        count(
            self.max_concurrent_exports
                .unwrap_or(DEFAULT_MAX_CONCURRENT_EXPORTS),
        )
    }

    pub(super) fn max_concurrent_exports_per_client(&self) -> usize {
        (self.max_concurrent_exports_per_client)
            .map_or_else(|| self.max_concurrent_exports(), count)
    }

    pub(super) fn max_concurrent_streams(&self) -> usize {
        count(
            self.max_concurrent_streams
                .unwrap_or(DEFAULT_MAX_CONCURRENT_STREAMS),
        )
    }

    pub(super) fn scrolls(&self) -> ScrollLimits {
        let mebibytes = self.max_batch_memory.unwrap_or(DEFAULT_MAX_BATCH_MEMORY);
        ScrollLimits {
            max_open: count(self.max_open_scrolls.unwrap_or(DEFAULT_MAX_OPEN_SCROLLS)),
            max_prefetched: count(self.max_pages_ahead.unwrap_or(DEFAULT_MAX_PAGES_AHEAD)),
            max_batch_bytes: u64::from(mebibytes) * u64::from(MEBIBYTE),
        }
    }

    pub(super) fn change_overlap(&self) -> u64 {
        u64::from(self.change_overlap.unwrap_or(DEFAULT_CHANGE_OVERLAP))
    }

    pub(super) fn queue_timeout(&self) -> Duration {
        seconds(self.queue_timeout, DEFAULT_QUEUE_TIMEOUT)
    }

    pub(super) fn stall_timeout(&self) -> Duration {
        seconds(self.stall_timeout, DEFAULT_STALL_TIMEOUT)
    }
}
