//! What can go wrong with Elasticsearch, in the classes that matter to a client of the export.

use serde_json::Value;

use crate::memory::NoMemory;

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
    /// An index that the request needs is closed.
    IndexClosed,
    /// An operator has blocked reading an index.
    IndexBlocked,
    /// More rows at a time than `index.max_result_window` of an index.
    ResultWindow,
    /// Settings or mappings of the cluster don't allow it.
    NotAllowed,
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

    /// How many rows at a time an index gives at most (`index.max_result_window`), if it was asked for more.
    pub fn result_window(&self) -> Option<u32> {
        match self {
            Self::Refused {
                refusal: Refusal::ResultWindow,
                reason,
                ..
            } => result_window(reason),
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
                Refusal::IndexClosed => "index_closed",
                Refusal::IndexBlocked => "index_blocked",
                Refusal::ResultWindow => "result_window",
                Refusal::NotAllowed => "not_allowed",
                Refusal::Other => "other",
            },
        }
    }

    /// Reads the body of an answer with an error status.
    pub fn from_answer(status: u16, body: &[u8]) -> Self {
        match utf16::from_slice::<Value>(body) {
            Ok(body) => {
                let error = body.get("error").unwrap_or(&body);
                let (refusal, cause) = classify(status, error);
                Self::Refused {
                    status,
                    refusal,
                    reason: reason(error, refusal, cause),
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
        let (refusal, cause) = classify(status, error);
        Self::Refused {
            status,
            refusal,
            reason: reason(error, refusal, cause),
        }
    }

    /// Reads the `failures` of an answer whose `_shards.failed` is not zero: such an answer is incomplete.
    pub fn from_shard_failures(failed: u64, failures: &Value) -> Self {
        let (refusal, cause) = match classify(503, failures) {
            (Refusal::Unavailable, None) if is_lasting(failures) => (Refusal::Other, None),
            found => found,
        };
        let reason = match (refusal, reason(failures, refusal, cause)) {
            // It is told to clients, and its text is read.
            (Refusal::ResultWindow, reason) => reason,
            (_, reason) => format!("{failed} shards failed: {reason}"),
        };
        Self::Refused {
            status: 503,
            refusal,
            reason,
        }
    }
}

/// Types that make a class, most specific first.
const TYPES: &[(&str, Refusal)] = &[
    ("index_not_found_exception", Refusal::IndexNotFound),
    ("index_closed_exception", Refusal::IndexClosed),
    (
        "search_context_missing_exception",
        Refusal::SearchContextMissing,
    ),
    // A scroll whose nodes left the cluster, in the words of Elasticsearch 9.
    (
        "search_context_missing_nodes_exception",
        Refusal::SearchContextMissing,
    ),
    ("too_many_buckets_exception", Refusal::TooManyBuckets),
    ("query_shard_exception", Refusal::QueryRejected),
    ("number_format_exception", Refusal::QueryRejected),
    ("too_many_clauses", Refusal::QueryRejected),
    ("too_many_nested_clauses", Refusal::QueryRejected),
    (
        "too_many_scroll_contexts_exception",
        Refusal::TooManyScrolls,
    ),
    ("circuit_breaking_exception", Refusal::Overloaded),
    ("es_rejected_execution_exception", Refusal::Overloaded),
    // The same of OpenSearch.
    ("rejected_execution_exception", Refusal::Overloaded),
    ("no_shard_available_action_exception", Refusal::Unavailable),
    ("node_disconnected_exception", Refusal::Unavailable),
    ("node_not_connected_exception", Refusal::Unavailable),
    ("cluster_block_exception", Refusal::Unavailable),
];

/// Reasons of types that say nothing: the type, how the server's own text begins, how it ends, and the class. A text that
/// only holds one of these, such as the name of a report, makes no class.
const REASONS: &[(&str, &str, &str, Refusal)] = &[
    // An operator's block of one index, not one of a cluster that is coming up.
    (
        "cluster_block_exception",
        "index [",
        "/index read (api)];",
        Refusal::IndexBlocked,
    ),
    (
        "cluster_block_exception",
        "index [",
        "/index closed];",
        Refusal::IndexClosed,
    ),
    (
        "illegal_argument_exception",
        "Batch size is too large, size must be less than or equal to: [",
        "[index.max_result_window] index level setting.",
        Refusal::ResultWindow,
    ),
    // A scroll whose node left the cluster, or that names one that never was: its contexts are gone with it.
    (
        "illegal_state_exception",
        "node [",
        "] is not available",
        Refusal::SearchContextMissing,
    ),
    // The same in the words of OpenSearch 3.
    (
        "illegal_argument_exception",
        "scroll_id references node [",
        "",
        Refusal::SearchContextMissing,
    ),
    (
        "illegal_argument_exception",
        "Cannot parse scroll id",
        "",
        Refusal::MalformedScrollId,
    ),
    // A `filters` aggregation has a limit of its own.
    (
        "illegal_argument_exception",
        "Number of filters is too large, must be less than or equal to: [",
        "",
        Refusal::TooManyBuckets,
    ),
    (
        "illegal_argument_exception",
        "Keep alive for request (",
        "",
        Refusal::KeepAliveTooLong,
    ),
    // 7.17 has no type of its own for this one.
    (
        "exception",
        "Trying to create too many scroll contexts. Must be less than or equal to: [",
        "",
        Refusal::TooManyScrolls,
    ),
    // `script.allowed_types` and `script.allowed_contexts`.
    (
        "illegal_argument_exception",
        "cannot execute [",
        "",
        Refusal::NotAllowed,
    ),
    // Mappings that are not Optimize's.
    (
        "illegal_argument_exception",
        "Fielddata is disabled on [",
        "",
        Refusal::NotAllowed,
    ),
    (
        "illegal_argument_exception",
        "Text fields are not optimised for operations that require per-document field data",
        "",
        Refusal::NotAllowed,
    ),
    (
        "illegal_argument_exception",
        "Expected numeric type on field [",
        "",
        Refusal::NotAllowed,
    ),
];

/// Types that come back however often the request is repeated.
const LASTING_TYPES: [&str; 6] = [
    "illegal_argument_exception",
    "script_exception",
    "parsing_exception",
    "aggregation_execution_exception",
    "class_cast_exception",
    "unsupported_operation_exception",
];

/// An error within an error.
#[derive(Debug, Clone, Copy, Default)]
struct Cause<'a> {
    kind: &'a str,
    reason: &'a str,
    index: Option<&'a str>,
}

impl Cause<'_> {
    fn is_by_reason(&self, (kind, begin, end, _): &(&str, &str, &str, Refusal)) -> bool {
        let reason = self.reason.trim_end();
        self.kind == *kind && reason.starts_with(begin) && reason.ends_with(end)
    }
}

/// Looks for the known types anywhere in the error: the interesting one may be the error itself, a root cause, a cause
/// or the reason of a failed shard, and the status is not reliable (`too_many_buckets_exception` is a 400 in 8.x and a
/// 503 in 7.17). Reasons carry texts of users and make a class only as a whole.
fn classify<'a>(status: u16, error: &'a Value) -> (Refusal, Option<Cause<'a>>) {
    let mut causes = Vec::new();
    collect_causes(error, 0, &mut causes);
    let by_reason = REASONS.iter().find_map(|pattern| {
        let cause = causes.iter().find(|cause| cause.is_by_reason(pattern))?;
        Some((pattern.3, *cause))
    });
    let by_type = || {
        TYPES.iter().find_map(|(kind, class)| {
            let cause = causes.iter().find(|cause| cause.kind == *kind)?;
            Some((*class, *cause))
        })
    };
    match by_reason.or_else(by_type) {
        // Several blocks at once have a text of their own each; none that forbids goes away by itself.
        Some((Refusal::Unavailable, cause))
            if status == 403 && cause.kind == "cluster_block_exception" =>
        {
            (Refusal::IndexBlocked, Some(cause))
        }
        Some((class, cause)) => (class, Some(cause)),
        None => (by_status(status), None),
    }
}

/// Whether there is a failed shard, and each failed for a reason that stays.
fn is_lasting(failures: &Value) -> bool {
    let kind = |failure: &Value| {
        let kind = failure.pointer("/reason/type").and_then(Value::as_str);
        kind.is_some_and(|kind| LASTING_TYPES.contains(&kind))
    };
    failures
        .as_array()
        .is_some_and(|failures| !failures.is_empty() && failures.iter().all(kind))
}

fn by_status(status: u16) -> Refusal {
    match status {
        401 | 403 => Refusal::AccessDenied,
        429 => Refusal::Overloaded,
        502..=504 => Refusal::Unavailable,
        _ => Refusal::Other,
    }
}

/// Every error below `value`, outer ones first.
fn collect_causes<'a>(value: &'a Value, depth: usize, causes: &mut Vec<Cause<'a>>) {
    if depth > MAX_DEPTH {
        return;
    }
    match value {
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            if let Some(kind) = text("type") {
                causes.push(Cause {
                    kind,
                    reason: text("reason").unwrap_or_default(),
                    index: text("index"),
                });
            }
            for member in members.values() {
                collect_causes(member, depth + 1, causes);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                collect_causes(element, depth + 1, causes);
            }
        }
        _ => {}
    }
}

/// The most telling `reason` of an error: that of the class, where it is about something in particular, else the first of a
/// cause.
fn reason(error: &Value, refusal: Refusal, cause: Option<Cause<'_>>) -> String {
    let first_cause = [
        "/caused_by/reason",
        "/root_cause/0/reason",
        "/failed_shards/0/reason/reason",
        "/0/reason/reason",
        "/reason",
    ];
    if let Some(cause) = cause {
        match refusal {
            Refusal::IndexClosed => {
                // Its own reason may be the word "closed".
                return match cause.index {
                    Some(index) => format!("the index {index} is closed"),
                    None => cause.reason.to_owned(),
                };
            }
            Refusal::SearchContextMissing
            | Refusal::ResultWindow
            | Refusal::IndexBlocked
            | Refusal::NotAllowed => return cause.reason.trim_end().to_owned(),
            _ => {}
        }
    }
    first_cause
        .iter()
        .find_map(|path| error.pointer(path).and_then(Value::as_str))
        .or_else(|| error.as_str())
        // Amazon's front door, which looks at signatures, has only this, in either spelling.
        .or_else(|| {
            error
                .get("message")
                .or_else(|| error.get("Message"))?
                .as_str()
        })
        .unwrap_or("no reason given")
        .to_owned()
}

/// The number in a refusal for the sake of `index.max_result_window`.
fn result_window(reason: &str) -> Option<u32> {
    let (_, rest) = reason.split_once(": [")?;
    rest.split_once(']')?.0.parse().ok()
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

    /// Answers of 8.16.6 and 7.17.8; the refusals that need a setting of the whole cluster are spelled as in their source.
    #[test]
    fn lasting_refusals_are_known_by_what_the_server_says() {
        let cause = |kind: &str, reason: &str| {
            let body = serde_json::json!({"error": {"root_cause": [{"type": kind, "reason": reason}],
                "type": "search_phase_execution_exception", "reason": "all shards failed"}, "status": 400});
            class(400, &body.to_string())
        };
        let window = "Batch size is too large, size must be less than or equal to: [5] but was [10]. Scroll batch sizes \
                      cost as much memory as result windows so they are controlled by the [index.max_result_window] \
                      index level setting.";
        let (refusal, reason) = cause("illegal_argument_exception", window);
        assert_eq!(refusal, Refusal::ResultWindow);
        assert_eq!(result_window(&reason), Some(5));
        let failures = serde_json::json!([{"shard": 0, "index": "i", "reason":
            {"type": "illegal_argument_exception", "reason": window}}]);
        let error = ElasticsearchError::from_shard_failures(1, &failures);
        assert_eq!(error.refusal(), Some(Refusal::ResultWindow));

        let closed = r#"{"error":{"root_cause":[{"type":"index_closed_exception","reason":"closed","index_uuid":"u","index":"i"}],"type":"index_closed_exception","reason":"closed","index_uuid":"u","index":"i"},"status":400}"#;
        assert_eq!(
            class(400, closed),
            (Refusal::IndexClosed, "the index i is closed".to_owned())
        );
        let blocked = r#"{"error":{"root_cause":[{"type":"cluster_block_exception","reason":"index [i] blocked by: [FORBIDDEN/7/index read (api)];"}],"type":"cluster_block_exception","reason":"index [i] blocked by: [FORBIDDEN/7/index read (api)];"},"status":403}"#;
        assert_eq!(class(403, blocked).0, Refusal::IndexBlocked);
        assert_eq!(
            cause(
                "cluster_block_exception",
                "blocked by: [SERVICE_UNAVAILABLE/1/state not recovered / initialized];"
            )
            .0,
            Refusal::Unavailable
        );
        assert_eq!(
            cause("illegal_argument_exception", "Text fields are not optimised for operations that require per-document field data like …").0,
            Refusal::NotAllowed
        );
        assert_eq!(
            cause(
                "illegal_argument_exception",
                "cannot execute [inline] scripts"
            )
            .0,
            Refusal::NotAllowed
        );
        let other = serde_json::json!([{"reason": {"type": "script_exception", "reason": "runtime error"}}]);
        let error = ElasticsearchError::from_shard_failures(1, &other);
        assert_eq!(error.refusal(), Some(Refusal::Other), "it would fail again");
    }

    #[test]
    fn what_a_user_wrote_makes_no_class() {
        for text in [
            "] is not available",
            "number of filters is too large",
            "index_not_found_exception",
            "circuit_breaking_exception",
            "Keep alive for request (x)",
            "cannot parse scroll id",
        ] {
            let body = serde_json::json!({"error": {"root_cause": [{"type": "illegal_argument_exception",
                "reason": format!("failed to parse [{text}]")}], "type": "illegal_argument_exception",
                "reason": format!("failed to parse [{text}]")}, "status": 400});
            assert_eq!(class(400, &body.to_string()).0, Refusal::Other, "{text}");
            let error = serde_json::json!({"type": text, "reason": "node [a] is not available"});
            let body = serde_json::json!({ "error": error }).to_string();
            let expected = match text {
                "index_not_found_exception" => Refusal::IndexNotFound,
                "circuit_breaking_exception" => Refusal::Overloaded,
                _ => Refusal::Other,
            };
            assert_eq!(class(400, &body).0, expected, "{text}");
        }
    }
}
