//! What process reports and decision reports of raw data differ in, from the report up to its rows.

use std::sync::Arc;

use cluster::scroll::ScrollBatch;
use cluster::{Elasticsearch, ElasticsearchError};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use optimize::definitions::clauses::DecisionClauses;
use optimize::raw_data::decision_row::DecisionRows;
use optimize::raw_data::process_row::ProcessRows;
use optimize::raw_data::sorting::{decision_sort, process_sort};
use optimize::report::definition::{DecisionReportData, ProcessReportData, StoredReport};
use optimize::scope::Scope;
use serde_json::{Value, json};

use super::query::{self, ask_scope};
use super::rows::{NamedRows, NamesAtHand, Rows, definition_of_object};
use super::{ExportError, ExportSettings};
use crate::auth::Access;
use crate::catalog::columns::Columns;
use crate::catalog::definitions::{Definitions, ScopeError};
use crate::catalog::variable_names;
use crate::scroll::reader::ScrollReader;

/// Hits of a sample. Where a report has fewer, its hits are taken to be smaller than they are, and there are few of them.
const SAMPLE: u32 = 3;

/// A report that lists instances.
#[derive(Clone, Copy)]
pub enum RawReport<'a> {
    /// Process instances.
    Process(&'a ProcessReportData),
    /// Decision instances.
    Decision(&'a DecisionReportData),
}

impl<'a> RawReport<'a> {
    /// The report, if it lists instances.
    pub fn of(report: &'a StoredReport) -> Option<Self> {
        match report {
            StoredReport::Process(data) => data.is_raw_data().then_some(Self::Process(data)),
            StoredReport::Decision(data) => data.is_raw_data().then_some(Self::Decision(data)),
            StoredReport::Combined => None,
        }
    }

    /// The `sort` of its rows.
    pub fn sort(self, now: i64) -> Value {
        match self {
            Self::Process(data) => process_sort(data.configuration.sorting.as_ref(), now),
            Self::Decision(data) => decision_sort(data.configuration.sorting.as_ref()),
        }
    }
}

/// How the rows of a page are shown.
#[derive(Clone, Copy)]
pub struct PageSettings<'a> {
    /// What is now for its scroll.
    pub now: i64,
    /// The zone that the client wants dates in.
    pub time_zone: Option<&'a TimeZone>,
    /// What the client may see.
    pub access: &'a Access,
}

/// What the pages and tables of such a report need. Cloning is cheap; clones share everything.
#[derive(Clone)]
pub struct RawReports {
    pub(super) elasticsearch: Elasticsearch,
    pub(super) definitions: Definitions,
    pub(super) settings: Arc<ExportSettings>,
}

impl RawReports {
    /// What a report covers, as far as somebody may see it.
    pub async fn scope_of(
        &self,
        report: RawReport<'_>,
        access: &Access,
    ) -> Result<Scope, ScopeError> {
        let (definitions, restrictions) = (&self.definitions, access.restrictions());
        match report {
            RawReport::Process(data) => {
                definitions
                    .scope_of_process_report(data, restrictions)
                    .await
            }
            RawReport::Decision(data) => {
                definitions
                    .scope_of_decision_report(data, restrictions)
                    .await
            }
        }
    }

    /// The query for the instances of a report.
    pub fn query_of(&self, report: RawReport<'_>, scope: &Scope, now: Timestamp) -> Value {
        let settings = &self.settings;
        match report {
            RawReport::Process(data) => query::of_process_report(settings, data, scope, now),
            RawReport::Decision(data) => query::of_decision_report(settings, data, scope, now),
        }
    }

    /// How many instances there are.
    pub async fn count(&self, scope: &Scope, query: &Value) -> Result<u64, ElasticsearchError> {
        let count =
            |indices: Vec<String>| async move { self.elasticsearch.count(&indices, query).await };
        Ok(ask_scope(scope, count).await?.unwrap_or(0))
    }

    /// Some hits of a report and their bytes; `None` where Elasticsearch does not give them, which the export itself will tell.
    pub async fn sample(&self, scope: &Scope, query: &Value) -> Option<(u32, u64)> {
        let body =
            &json!({"size": SAMPLE, "track_total_hits": false, "query": query, "sort": ["_doc"]});
        let sample = |indices: Vec<String>| async move {
            self.elasticsearch.size_of_answer(&indices, body).await
        };
        let bytes = ask_scope(scope, sample).await.ok()??;
        Some((SAMPLE, bytes))
    }

    /// Opens the scroll of a report; `None` where its indices don't exist.
    pub async fn open_scroll(
        &self,
        scope: &Scope,
        preference: Option<&str>,
        keep_alive: u32,
        search: &Value,
    ) -> Result<Option<ScrollBatch>, ElasticsearchError> {
        let open = |indices: Vec<String>| async move {
            self.elasticsearch
                .open_scroll(&indices, preference, keep_alive, search)
                .await
        };
        ask_scope(scope, open).await
    }

    /// Finds the columns that every row of a report has, but for those that somebody may not see.
    pub async fn find_columns(
        &self,
        report: RawReport<'_>,
        scope: &Scope,
        query: &Value,
        access: &Access,
    ) -> Result<Columns, ExportError> {
        let columns = match report {
            RawReport::Process(_) => {
                let find = |indices: Vec<String>| async move {
                    variable_names::find(&self.elasticsearch, &indices, query).await
                };
                let names = ask_scope(scope, find).await?;
                Columns::Variables(Arc::new(names.unwrap_or_default()))
            }
            RawReport::Decision(_) => Columns::Clauses(self.clauses_of(scope).await?),
        };
        Ok(columns.without_left_out(access.restrictions()))
    }

    /// The inputs and outputs that the definition of a decision report has.
    pub async fn clauses_of(&self, scope: &Scope) -> Result<Arc<DecisionClauses>, ExportError> {
        Ok(match scope.definitions.first() {
            Some(decision) => self.definitions.decision_clauses(decision).await?,
            None => Arc::default(),
        })
    }

    /// The names of flow nodes that the first row of a scroll needs.
    ///
    /// # Errors
    /// Elasticsearch does not give them.
    pub async fn names_of_first(
        &self,
        columns: &Columns,
        reader: &mut ScrollReader,
    ) -> Result<NamesAtHand, Arc<ElasticsearchError>> {
        let definition = |text: &str, name: &str| definition_of_object(columns, text, name);
        NamesAtHand::of_first(&self.definitions, reader, &definition).await
    }

    /// Makes rows of the hits of a page.
    pub fn rows<'a>(
        &'a self,
        columns: &'a Columns,
        names: NamesAtHand,
        settings: PageSettings<'a>,
    ) -> Rows<'a> {
        let PageSettings {
            now,
            time_zone,
            access,
        } = settings;
        let restrictions = access.restrictions();
        let time_zone = time_zone.or(self.settings.time_zone.as_ref());
        match columns {
            Columns::Variables(variable_names) => Rows::Process(Box::new(NamedRows {
                definitions: &self.definitions,
                names,
                rows: ProcessRows {
                    now,
                    variable_names,
                    object_variables: self.settings.object_variables,
                    time_zone,
                    restrictions,
                    scratch: Default::default(),
                },
            })),
            Columns::Clauses(clauses) => Rows::Decision(DecisionRows {
                clauses,
                time_zone,
                restrictions,
                scratch: Default::default(),
            }),
        }
    }
}
