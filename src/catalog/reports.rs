//! Fetches stored reports, and keeps them for a few seconds.

use std::sync::Arc;
use std::time::Duration;

use cluster::{Elasticsearch, ElasticsearchError};
use moka::future::Cache;
use optimize::report::definition::{DefinitionError, StoredReport, lenient};
use optimize::scope::IndexNames;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::cache::get_or_load;

/// Where a report may be, in the order in which Optimize looks (crates/optimize/docs/reports.md, "Where reports are stored").
const REPORT_INDICES: [&str; 3] = [
    "single-process-report",
    "single-decision-report",
    "combined-report",
];
/// Longest id that Elasticsearch stores, in bytes; a longer one can't exist.
const MAX_ID_BYTES: usize = 512;
/// Bytes of report documents that are kept. A report with a large diagram has some hundred kilobytes.
const MAX_CACHED_BYTES: u64 = 16 * 1024 * 1024;

/// Why there is no report.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// No document has this id.
    #[error("there is no report with id {0}")]
    NotFound(String),
    /// The document can't be used.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// Elasticsearch did not answer.
    #[error(transparent)]
    Elasticsearch(#[from] ElasticsearchError),
}

/// Reads stored reports. Cloning is cheap; clones share their cache.
#[derive(Clone)]
pub struct ReportStore {
    elasticsearch: Elasticsearch,
    names: IndexNames,
    reports: Cache<String, Found>,
}

/// A stored report, and what is known of it beside what it asks for. Cloning is cheap.
#[derive(Clone)]
pub struct Found {
    /// The report.
    pub report: Arc<StoredReport>,
    /// Its name, if it has one.
    pub name: Option<Arc<str>>,
    /// The collection that it is in; none for a private report.
    pub collection_id: Option<Arc<str>>,
    bytes: u32,
}

/// What people gave to a report.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    #[serde(default, deserialize_with = "lenient::optional_string")]
    name: Option<String>,
    #[serde(default, deserialize_with = "lenient::optional_string")]
    collection_id: Option<String>,
}

impl ReportStore {
    /// A store that sees a changed report after `time_to_live` at the latest.
    pub fn new(elasticsearch: Elasticsearch, names: IndexNames, time_to_live: Duration) -> Self {
        let reports = Cache::builder()
            .max_capacity(MAX_CACHED_BYTES)
            .weigher(|_, found: &Found| found.bytes)
            .time_to_live(time_to_live)
            .build();
        Self {
            elasticsearch,
            names,
            reports,
        }
    }

    /// The report with this id. Several requests at the same time load it once; a failure is not kept.
    ///
    /// # Errors
    /// There is no such report, it can't be read, or Elasticsearch does not answer.
    pub async fn get(&self, id: &str) -> Result<Found, Arc<LoadError>> {
        if id.is_empty() || id.len() > MAX_ID_BYTES {
            return Err(Arc::new(LoadError::NotFound(id.to_owned())));
        }
        get_or_load("reports", &self.reports, id.to_owned(), self.load(id)).await
    }

    async fn load(&self, id: &str) -> Result<Found, LoadError> {
        let places = REPORT_INDICES.map(|index| (self.names.alias(index), id));
        let found: Vec<Option<Box<RawValue>>> = self.elasticsearch.documents(&places).await?;
        let source = found
            .into_iter()
            .flatten()
            .next()
            .ok_or_else(|| LoadError::NotFound(id.to_owned()))?;
        let report = Arc::new(StoredReport::parse(source.get())?);
        // A name that is none is nobody's problem.
        let named = serde_json::from_str::<Named>(source.get()).unwrap_or_default();
        Ok(Found {
            report,
            name: named.name.map(Arc::from),
            collection_id: named.collection_id.map(Arc::from),
            bytes: u32::try_from(source.get().len()).unwrap_or(u32::MAX),
        })
    }
}
