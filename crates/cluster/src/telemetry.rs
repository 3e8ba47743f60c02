//! What requests to the cluster tell of themselves in figures.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};

/// What the lines of the log are said by: they are the service's, so that `--log optimize_export=debug` has them too.
pub(crate) const LOG_TARGET: &str = "optimize_export::elasticsearch";

const ELASTICSEARCH_SECONDS: &str = "optimize_export_elasticsearch_request_duration_seconds";
const ELASTICSEARCH_ERRORS: &str = "optimize_export_elasticsearch_errors_total";

/// Says what the figures mean.
pub fn describe() {
    describe_histogram!(
        ELASTICSEARCH_SECONDS,
        Unit::Seconds,
        "Until the head of Elasticsearch's answer, by operation"
    );
    describe_counter!(
        ELASTICSEARCH_ERRORS,
        "Requests to Elasticsearch that failed, by operation and kind"
    );
}

/// Elasticsearch answered, or did not.
pub fn asked_elasticsearch(operation: &'static str, took: Duration, error: Option<&'static str>) {
    histogram!(ELASTICSEARCH_SECONDS, "operation" => operation).record(took);
    if let Some(kind) = error {
        counter!(ELASTICSEARCH_ERRORS, "operation" => operation, "kind" => kind).increment(1);
    }
}
