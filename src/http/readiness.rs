//! Whether the service can work, found out at most once a second however often and by whomever it is asked.

use std::time::Duration;

use cluster::{Elasticsearch, Refusal};
use moka::future::Cache;

/// How long an answer holds. `/api/readyz` needs no token, and must not be a way to keep Elasticsearch busy.
const TIME_TO_LIVE: Duration = Duration::from_secs(1);

/// Knows whether Elasticsearch answers. Cloning is cheap; clones ask once for all of them.
#[derive(Clone)]
pub struct Readiness {
    elasticsearch: Elasticsearch,
    latest: Cache<(), Option<&'static str>>,
}

impl Readiness {
    /// Nothing is asked yet.
    pub fn new(elasticsearch: Elasticsearch) -> Self {
        Self {
            elasticsearch,
            latest: Cache::builder().time_to_live(TIME_TO_LIVE).build(),
        }
    }

    /// What is wrong, in general terms: the log has the details. `None` means ready.
    pub async fn problem(&self) -> Option<&'static str> {
        self.latest.get_with((), self.find_problem()).await
    }

    async fn find_problem(&self) -> Option<&'static str> {
        let error = self.elasticsearch.get("").await.err()?;
        tracing::warn!(%error, "not ready");
        Some(match error.refusal() {
            None => "Elasticsearch can't be reached",
            Some(Refusal::AccessDenied) => "Elasticsearch denies access",
            Some(_) => "Elasticsearch refuses requests",
        })
    }
}
