//! Why an export was refused or failed, sorted by whose fault it is.

use std::sync::Arc;

use cluster::memory::NoMemory;
use cluster::{ElasticsearchError, Refusal};
use optimize::report::definition::DefinitionError;

use crate::auth::access::Forbidden;
use crate::catalog::reports::LoadError;
use crate::flags;
use crate::scroll::open_scrolls::Full;
use crate::scroll::permits::NoPermits;
use crate::scroll::reader::BatchError;

/// Why an export was refused or failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExportError {
    /// The request asks for what can't be had; the client has to change it.
    #[error("{0}")]
    BadRequest(String),
    /// What has changed since a bookmark can't be told; the client has to start over, or do without.
    #[error("{0}")]
    Bookmark(String),
    /// The report's definition can't be evaluated; its owner has to change it.
    #[error(transparent)]
    Report(DefinitionError),
    /// The result has more buckets than Elasticsearch makes.
    #[error("{0}")]
    TooManyBuckets(String),
    /// The access rules do not let this client.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// There is no such report.
    #[error(
        "Was not able to retrieve report with id [{0}]from Elasticsearch. Report does not exist."
    )]
    NotFound(String),
    /// A limit is reached; the same request works later.
    #[error("{reason}")]
    Busy {
        /// Which limit.
        reason: String,
        /// When to try again, in seconds.
        retry_after: u32,
    },
    /// Elasticsearch can't be reached, or lost a part of the answer.
    #[error("{0}")]
    Unavailable(ElasticsearchError),
    /// The cluster is set up so that this can't be had; its operator has to change that.
    #[error("{0}")]
    Cluster(String),
    /// Anything that is neither the client's fault nor passing.
    #[error("{0}")]
    Internal(String),
    /// One of these stopped the continuation of a scroll.
    #[error("{error}")]
    Continuation {
        /// What happened.
        error: Box<ExportError>,
        /// Whether the same request can be made again, or the client has to start over.
        is_scroll_open: bool,
    },
}

impl ExportError {
    /// The kind of it in few words, for logs; what it says to the client may repeat the request.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Continuation { error, .. } => error.kind(),
            Self::BadRequest(_) => "bad request",
            Self::Bookmark(_) => "bookmark",
            Self::Report(_) => "the report can't be evaluated",
            Self::TooManyBuckets(_) => "too many buckets",
            Self::Forbidden(_) => "not allowed by the access rules",
            Self::NotFound(_) => "no such report",
            Self::Busy { .. } => "a limit is reached",
            Self::Unavailable(_) => "Elasticsearch is not available",
            Self::Cluster(_) => "the cluster does not allow it",
            Self::Internal(_) => "internal error",
        }
    }

    /// The same for a request that was to continue a scroll: its client learns whether to go on or to start over.
    pub fn in_continuation(self, is_scroll_open: bool) -> Self {
        match self {
            // They say what to do.
            Self::BadRequest(_) | Self::Forbidden(_) | Self::Continuation { .. } => self,
            error => Self::Continuation {
                error: Box::new(error),
                is_scroll_open,
            },
        }
    }
}

/// Seconds after which a client may try again when Elasticsearch is at its limits.
const RETRY_AFTER_OVERLOAD: u32 = 5;
/// Longest time after which it may come again when too many scrolls are open, in seconds: most are read to their end long
/// before they expire.
const RETRY_AFTER_OPEN_SCROLLS: u32 = 30;

impl From<Full> for ExportError {
    fn from(full: Full) -> Self {
        Self::Busy {
            reason: format!(
                "this service keeps {} scroll contexts open already ({}), one for each shard of a report; \
                 scrolls that nobody continues expire after their paginationTimeout",
                full.limit,
                flags::MAX_OPEN_SCROLLS
            ),
            retry_after: u32::try_from(full.next_free.as_secs())
                .unwrap_or(u32::MAX)
                .clamp(1, RETRY_AFTER_OPEN_SCROLLS),
        }
    }
}

impl From<NoPermits> for ExportError {
    fn from(_: NoPermits) -> Self {
        Self::Busy {
            reason: format!(
                "Elasticsearch holds as much for exports as it may ({}); answers of other clients are large, or not read \
                 fast enough",
                flags::MAX_BATCH_MEMORY
            ),
            retry_after: RETRY_AFTER_OVERLOAD,
        }
    }
}

impl From<BatchError> for ExportError {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Elasticsearch(error) => error.into(),
            BatchError::Stopped(_) => Self::Internal(error.to_string()),
        }
    }
}

impl From<ElasticsearchError> for ExportError {
    fn from(error: ElasticsearchError) -> Self {
        let busy = |reason: &str| Self::Busy {
            reason: reason.to_owned(),
            retry_after: RETRY_AFTER_OVERLOAD,
        };
        match &error {
            ElasticsearchError::NotConnected(_)
            | ElasticsearchError::Unreachable(_)
            | ElasticsearchError::Timeout(_) => Self::Unavailable(error),
            ElasticsearchError::Unreadable(_) => Self::Internal(error.to_string()),
            ElasticsearchError::NoMemory(no_memory) => (*no_memory).into(),
            ElasticsearchError::Refused {
                refusal,
                reason,
                status,
            } => match refusal {
                Refusal::TooManyBuckets => Self::TooManyBuckets(reason.clone()),
                Refusal::TooManyScrolls => busy(
                    "Elasticsearch has as many open scrolls as it may have (search.max_open_scroll_context); \
                     scrolls that nobody continues expire after their paginationTimeout",
                ),
                Refusal::Overloaded => {
                    busy("Elasticsearch is overloaded (circuit breaker or full queue)")
                }
                Refusal::Unavailable => Self::Unavailable(error),
                // Our queries are well-formed; what makes one impossible is a value that the report put into it.
                Refusal::QueryRejected => Self::Report(DefinitionError::part(
                    "data.filter, data.configuration.sorting",
                    format!("Elasticsearch can't evaluate it: {reason}"),
                )),
                Refusal::SearchContextMissing | Refusal::MalformedScrollId => {
                    Self::BadRequest(start_over(reason))
                }
                Refusal::KeepAliveTooLong => Self::BadRequest(format!(
                    "paginationTimeout is too long for this cluster: {reason}"
                )),
                Refusal::AccessDenied => Self::Internal(format!(
                    "Elasticsearch denies access (status {status}); the credentials of this service are missing, wrong \
                     or lack a privilege: {reason}"
                )),
                Refusal::ResultWindow => Self::BadRequest(match error.result_window() {
                    Some(window) => format!(
                        "limit is too large: an index of this report gives at most {window} rows at a time \
                         (index.max_result_window); ask for limit={window} or less, or have that setting raised"
                    ),
                    None => format!("limit is too large for an index of this report: {reason}"),
                }),
                Refusal::IndexClosed => Self::Cluster(format!(
                    "{reason}; as long as it is, reports over it can't be exported: it has to be opened or deleted in \
                     Elasticsearch"
                )),
                Refusal::IndexBlocked => Self::Cluster(format!(
                    "Elasticsearch does not let an index be read: {reason} The block (index.blocks.read) has to be removed"
                )),
                Refusal::NotAllowed => Self::Cluster(format!(
                    "settings or mappings of Elasticsearch don't allow this report: {reason}"
                )),
                Refusal::IndexNotFound | Refusal::Other => Self::Internal(error.to_string()),
            },
        }
    }
}

impl From<NoMemory> for ExportError {
    fn from(error: NoMemory) -> Self {
        match error {
            NoMemory::TooLarge(_) => Self::TooManyBuckets(format!(
                "The result can't be held: {error}. Ask for less: a coarser unit of dates or wider buckets, a filter, another \
                 distribution, fewer definitions"
            )),
            NoMemory::Busy => Self::Busy {
                reason: error.to_string(),
                retry_after: RETRY_AFTER_OVERLOAD,
            },
        }
    }
}

/// What a client reads whose scroll is gone.
pub fn start_over(reason: &str) -> String {
    format!(
        "searchRequestId can't be continued: {reason}. It has expired, was used up or was never issued; start over \
         without searchRequestId"
    )
}

impl From<Arc<ElasticsearchError>> for ExportError {
    fn from(error: Arc<ElasticsearchError>) -> Self {
        Arc::unwrap_or_clone(error).into()
    }
}

impl From<DefinitionError> for ExportError {
    fn from(error: DefinitionError) -> Self {
        match error {
            DefinitionError::NotAReport(_) => Self::Internal(error.to_string()),
            DefinitionError::Part { .. } => Self::Report(error),
        }
    }
}

impl From<Arc<LoadError>> for ExportError {
    fn from(error: Arc<LoadError>) -> Self {
        match Arc::unwrap_or_clone(error) {
            LoadError::NotFound(id) => Self::NotFound(id),
            LoadError::Definition(error) => error.into(),
            LoadError::Elasticsearch(error) => error.into(),
        }
    }
}
