//! What can go wrong with Elasticsearch, in the classes that matter to a client of the export.

use serde_json::Value;

use crate::memory::NoMemory;
use crate::utf16;

/// Nesting of an error body that is looked at; Elasticsearch's own go four or five deep.
const MAX_DEPTH: usize = 16;

/// A request to Elasticsearch that did not give an answer to work with.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ElasticsearchError {
    /// No connection could be made: Elasticsearch has not seen the request. The text is for the log only: it names addresses.
    #[error("Elasticsearch can't be reached: {0}")]
    NotConnected(String),
    /// The connection broke before or in the answer; the request may have been carried out. The text is for the log only.
    #[error("Elasticsearch can't be reached: {0}")]
    Unreachable(String),
    /// No answer within the time allowed.
    #[error("Elasticsearch did not answer in time: {0}")]
    Timeout(String),
    /// It answered that it won't.
    #[error("Elasticsearch refused the request with status {status}: {reason}")]
    Refused {
        /// HTTP status of the answer.
        status: u16,
        /// The class of the refusal.
        refusal: Refusal,
        /// Its own words.
        reason: String,
    },
    /// It answered something that is not an answer.
    #[error("Elasticsearch's answer can't be read: {0}")]
    Unreadable(String),
    /// There is no memory for its answer.
    #[error("Elasticsearch's answer can't be held: {0}")]
    NoMemory(#[from] NoMemory),
}

/// Why Elasticsearch refused a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// An index or alias that the request names does not exist.
    IndexNotFound,
    /// The scroll has expired, was cleared, or never was.
    SearchContextMissing,
    /// The scroll id is no scroll id.
    MalformedScrollId,
    /// The result has more buckets than `search.max_buckets`.
    TooManyBuckets,
    /// The node has as many open scrolls as it may have.
    TooManyScrolls,
    /// The keep-alive is longer than `search.max_keep_alive`.
    KeepAliveTooLong,
    /// A circuit breaker or a full queue.
    Overloaded,
    /// Credentials are missing, wrong or not sufficient.
    AccessDenied,
    /// A shard or the cluster is not available.
    Unavailable,
    /// The query asks for what Elasticsearch can't evaluate, such as a pattern that is too complex.
    QueryRejected,
    /// Anything else.
    Other,
}

impl ElasticsearchError {
    /// The class of the refusal, if Elasticsearch answered at all.
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }

    /// The kind of it, as metrics name it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NotConnected(_) => "not_connected",
            Self::Unreachable(_) => "unreachable",
            Self::Timeout(_) => "timeout",
            Self::Unreadable(_) => "unreadable",
            Self::NoMemory(NoMemory::TooLarge(_)) => "too_large",
            Self::NoMemory(NoMemory::Busy) => "no_memory",
            Self::Refused { refusal, .. } => match refusal {
                Refusal::IndexNotFound => "index_not_found",
                Refusal::SearchContextMissing => "search_context_missing",
                Refusal::MalformedScrollId => "malformed_scroll_id",
                Refusal::TooManyBuckets => "too_many_buckets",
                Refusal::TooManyScrolls => "too_many_scrolls",
                Refusal::KeepAliveTooLong => "keep_alive_too_long",
                Refusal::Overloaded => "overloaded",
                Refusal::AccessDenied => "access_denied",
                Refusal::Unavailable => "unavailable",
                Refusal::QueryRejected => "query_rejected",
                Refusal::Other => "other",
            },
        }
    }

    /// Reads the body of an answer with an error status.
    pub fn from_answer(status: u16, body: &[u8]) -> Self {
        match utf16::from_slice::<Value>(body) {
            Ok(body) => {
                let error = body.get("error").unwrap_or(&body);
                let refusal = classify(status, error);
                Self::Refused {
                    status,
                    refusal,
                    reason: reason(error, refusal),
                }
            }
            // A proxy in between answers in its own format.
            Err(_) => Self::Refused {
                status,
                refusal: by_status(status),
                reason: "the answer is not Elasticsearch's".to_owned(),
            },
        }
    }

    /// Reads the `error` that stands in place of one document among several. The answer itself is a success; the status is the
    /// one that the error has when it is the whole answer.
    pub fn from_document_error(error: &Value) -> Self {
        let status = match error.get("type").and_then(Value::as_str) {
            Some("security_exception") => 403,
            _ => 500,
        };
        let refusal = classify(status, error);
        Self::Refused {
            status,
            refusal,
            reason: reason(error, refusal),
        }
    }

    /// Reads the `failures` of an answer whose `_shards.failed` is not zero: such an answer is incomplete.
    pub fn from_shard_failures(failed: u64, failures: &Value) -> Self {
        let refusal = match classify(503, failures) {
            Refusal::Other => Refusal::Unavailable,
            class => class,
        };
        let reason = format!("{failed} shards failed: {}", reason(failures, refusal));
        Self::Refused {
            status: 503,
            refusal,
            reason,
        }
    }
}

/// Type names (and, where the type says nothing, words of the reason) that make a class, most specific first.
const CLASSES: &[(&str, Refusal)] = &[
    ("index_not_found_exception", Refusal::IndexNotFound),
    (
        "search_context_missing_exception",
        Refusal::SearchContextMissing,
    ),
    // A scroll whose node left the cluster, or that names one that never was: its contexts are gone with it.
    ("] is not available", Refusal::SearchContextMissing),
    // The same in the words of Elasticsearch 9.
    (
        "search_context_missing_nodes_exception",
        Refusal::SearchContextMissing,
    ),
    // The same in the words of OpenSearch 3.
    ("scroll_id references node [", Refusal::SearchContextMissing),
    ("cannot parse scroll id", Refusal::MalformedScrollId),
    ("too_many_buckets_exception", Refusal::TooManyBuckets),
    // A `filters` aggregation has a limit of its own.
    ("number of filters is too large", Refusal::TooManyBuckets),
    ("keep alive for request (", Refusal::KeepAliveTooLong),
    ("query_shard_exception", Refusal::QueryRejected),
    ("number_format_exception", Refusal::QueryRejected),
    (
        "too_many_scroll_contexts_exception",
        Refusal::TooManyScrolls,
    ),
    (
        "trying to create too many scroll contexts",
        Refusal::TooManyScrolls,
    ),
    ("circuit_breaking_exception", Refusal::Overloaded),
    // Of Elasticsearch it is `es_rejected_execution_exception`.
    ("rejected_execution_exception", Refusal::Overloaded),
    ("no_shard_available_action_exception", Refusal::Unavailable),
    ("node_disconnected_exception", Refusal::Unavailable),
    ("node_not_connected_exception", Refusal::Unavailable),
    ("cluster_block_exception", Refusal::Unavailable),
    ("index_closed_exception", Refusal::Unavailable),
];

/// Looks for the known types anywhere in the error: the interesting one may be the error itself, a root cause, a cause
/// or the reason of a failed shard, and the status is not reliable (`too_many_buckets_exception` is a 400 in 8.x and a
/// 503 in 7.17).
fn classify(status: u16, error: &Value) -> Refusal {
    let mut words = Vec::new();
    collect_words(error, 0, &mut words);
    let words: Vec<String> = words.into_iter().map(str::to_lowercase).collect();
    CLASSES
        .iter()
        .find(|(name, _)| words.iter().any(|word| word.contains(name)))
        .map_or_else(|| by_status(status), |(_, class)| *class)
}

fn by_status(status: u16) -> Refusal {
    match status {
        401 | 403 => Refusal::AccessDenied,
        429 => Refusal::Overloaded,
        502..=504 => Refusal::Unavailable,
        _ => Refusal::Other,
    }
}

/// Every `type` and `reason` text below `value`.
fn collect_words<'a>(value: &'a Value, depth: usize, words: &mut Vec<&'a str>) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(text) if name == "type" || name == "reason" => words.push(text),
                    _ => collect_words(member, depth + 1, words),
                }
            }
        }
        Value::Array(elements) => {
            for element in elements {
                collect_words(element, depth + 1, words);
            }
        }
        Value::String(text) if depth == 0 => words.push(text),
        _ => {}
    }
}

/// The most telling `reason` of an error: the deepest one of a missing context, else the first of a cause.
fn reason(error: &Value, refusal: Refusal) -> String {
    let first_cause = [
        "/caused_by/reason",
        "/root_cause/0/reason",
        "/failed_shards/0/reason/reason",
        "/0/reason/reason",
        "/reason",
    ];
    if refusal == Refusal::SearchContextMissing
        && let Some(reason) = find_reason(error, "search_context_missing_exception", 0)
    {
        return reason.to_owned();
    }
    first_cause
        .iter()
        .find_map(|path| error.pointer(path).and_then(Value::as_str))
        .or_else(|| error.as_str())
        .unwrap_or("no reason given")
        .to_owned()
}

fn find_reason<'a>(value: &'a Value, kind: &str, depth: usize) -> Option<&'a str> {
    if depth > MAX_DEPTH {
        return None;
    }
    if value.get("type").and_then(Value::as_str) == Some(kind) {
        return value.get("reason").and_then(Value::as_str);
    }
    match value {
        Value::Object(members) => members
            .values()
            .find_map(|v| find_reason(v, kind, depth + 1)),
        Value::Array(elements) => elements
            .iter()
            .find_map(|v| find_reason(v, kind, depth + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(status: u16, body: &str) -> (Refusal, String) {
        match ElasticsearchError::from_answer(status, body.as_bytes()) {
            ElasticsearchError::Refused {
                refusal, reason, ..
            } => (refusal, reason),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn classes_are_found_wherever_elasticsearch_puts_them() {
        let (refusal, reason) = class(
            404,
            r#"{"error":{"root_cause":[{"type":"search_context_missing_exception","reason":"No search context found for id [7]"}],
               "type":"search_phase_execution_exception","reason":"all shards failed","failed_shards":[{"shard":-1,"index":null,
               "reason":{"type":"search_context_missing_exception","reason":"No search context found for id [7]"}}]},"status":404}"#,
        );
        assert_eq!(refusal, Refusal::SearchContextMissing);
        assert_eq!(reason, "No search context found for id [7]");

        // A scroll of a node that is gone, as 8.x, 9.4.3 and OpenSearch 3.6.0 say it.
        for (status, body) in [
            (
                500,
                r#"{"error":{"root_cause":[{"type":"illegal_state_exception","reason":"node [x] is not available"}],"type":"search_phase_execution_exception","reason":"all shards failed"},"status":500}"#,
            ),
            (
                404,
                r#"{"error":{"root_cause":[],"type":"search_context_missing_nodes_exception","reason":"Search context of type [scroll] references nodes that have left the cluster: [x]","context_type":"scroll","missing_nodes":["x"]},"status":404}"#,
            ),
            (
                400,
                r#"{"error":{"root_cause":[{"type":"illegal_argument_exception","reason":"scroll_id references node [x] which was not found in the cluster"}],"type":"search_phase_execution_exception","reason":"all shards failed"},"status":400}"#,
            ),
        ] {
            assert_eq!(
                class(status, body).0,
                Refusal::SearchContextMissing,
                "{body}"
            );
        }
        for kind in [
            "es_rejected_execution_exception",
            "rejected_execution_exception",
        ] {
            let body = format!(
                r#"{{"error":{{"type":"{kind}","reason":"rejected execution"}},"status":429}}"#
            );
            assert_eq!(class(429, &body).0, Refusal::Overloaded);
        }

        let too_many = r#"{"error":{"type":"search_phase_execution_exception","reason":"","caused_by":{"type":"too_many_buckets_exception","reason":"Trying to create too many buckets."}},"status":503}"#;
        assert_eq!(class(503, too_many).0, Refusal::TooManyBuckets);
        let malformed = r#"{"error":{"type":"illegal_argument_exception","reason":"Cannot parse scroll id"},"status":400}"#;
        assert_eq!(class(400, malformed).0, Refusal::MalformedScrollId);
        let contexts = r#"{"error":{"type":"exception","reason":"Trying to create too many scroll contexts. Must be less than or equal to: [500]."},"status":500}"#;
        assert_eq!(class(500, contexts).0, Refusal::TooManyScrolls);
    }

    #[test]
    fn limits_of_the_cluster_are_told_apart() {
        let keep_alive = r#"{"error":{"root_cause":[{"type":"illegal_argument_exception","reason":"Keep alive for request (45m) is too large. It must be less than (30m)."}],"type":"search_phase_execution_exception","reason":"all shards failed"},"status":400}"#;
        assert_eq!(class(400, keep_alive).0, Refusal::KeepAliveTooLong);
        // 7.17 has no type of its own for this one.
        let failures = serde_json::json!([{"reason": {"type": "exception", "reason": "Trying to create too many scroll contexts. Must be less than or equal to: [2]."}}]);
        let error = ElasticsearchError::from_shard_failures(1, &failures);
        assert_eq!(error.refusal(), Some(Refusal::TooManyScrolls));
    }

    #[test]
    fn an_unknown_error_is_judged_by_its_status() {
        assert_eq!(
            class(503, r#"{"error":"overwhelmed","status":503}"#).0,
            Refusal::Unavailable
        );
        assert_eq!(class(429, "<html>slow down</html>").0, Refusal::Overloaded);
        assert_eq!(class(401, "{}").0, Refusal::AccessDenied);
        assert_eq!(class(400, "[]").0, Refusal::Other);
    }

    #[test]
    fn a_document_that_may_not_be_read_is_told_from_one_that_is_not_there() {
        let error = |kind: &str| {
            let error = serde_json::json!({"type": kind, "reason": "because"});
            ElasticsearchError::from_document_error(&error).refusal()
        };
        assert_eq!(error("security_exception"), Some(Refusal::AccessDenied));
        assert_eq!(
            error("index_not_found_exception"),
            Some(Refusal::IndexNotFound)
        );
        assert_eq!(
            error("no_shard_available_action_exception"),
            Some(Refusal::Unavailable)
        );
    }

    #[test]
    fn failed_shards_are_unavailable_unless_they_say_better() {
        let failures: Value = serde_json::json!([{"reason": {"type": "node_disconnected_exception", "reason": "gone"}}]);
        let error = ElasticsearchError::from_shard_failures(1, &failures);
        assert_eq!(error.refusal(), Some(Refusal::Unavailable));
        let failures = serde_json::json!([{"reason": {"type": "search_context_missing_exception", "reason": "No context"}}]);
        let error = ElasticsearchError::from_shard_failures(1, &failures);
        assert_eq!(error.refusal(), Some(Refusal::SearchContextMissing));
        assert_eq!(
            ElasticsearchError::from_shard_failures(1, &Value::Null).refusal(),
            Some(Refusal::Unavailable)
        );
    }
}
