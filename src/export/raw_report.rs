//! What process reports and decision reports of raw data differ in, from the report up to its rows.

use std::sync::Arc;

use cluster::ElasticsearchError;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use optimize::definitions::clauses::DecisionClauses;
use optimize::raw_data::decision_row::DecisionRowWriter;
use optimize::raw_data::process_row::ProcessRowWriter;
use optimize::raw_data::sorting::{decision_sort, process_sort};
use optimize::raw_data::variables::VariableNames;
use optimize::report::definition::{DecisionReportData, ProcessReportData};
use optimize::scope::Scope;
use serde_json::Value;

use super::rows::{ProcessRows, Rows};
use super::{ExportError, Exporter, ask_scope};
use crate::catalog::definitions::ScopeError;
use crate::catalog::variable_names;

/// A report that lists instances.
#[derive(Clone, Copy)]
pub(super) enum RawReport<'a> {
    /// Process instances.
    Process(&'a ProcessReportData),
    /// Decision instances.
    Decision(&'a DecisionReportData),
}

/// The columns that every row of a page has, whether its instance has a value for them or not.
#[derive(Clone)]
pub(super) enum Columns {
    /// Variables of process instances.
    Variables(Arc<VariableNames>),
    /// Inputs and outputs of a decision.
    Clauses(Arc<DecisionClauses>),
}

impl Columns {
    /// Bytes that they take, roughly.
    pub fn weight(&self) -> usize {
        match self {
            Self::Variables(names) => names.weight(),
            Self::Clauses(clauses) => clauses.inputs.weight() + clauses.outputs.weight(),
        }
    }
}

impl RawReport<'_> {
    /// The `sort` of its rows.
    pub fn sort(self, now: i64) -> Value {
        match self {
            Self::Process(data) => process_sort(data.configuration.sorting.as_ref(), now),
            Self::Decision(data) => decision_sort(data.configuration.sorting.as_ref()),
        }
    }
}

impl Exporter {
    /// What a report covers.
    pub(super) async fn scope_of(&self, report: RawReport<'_>) -> Result<Scope, ScopeError> {
        let definitions = &self.0.definitions;
        match report {
            RawReport::Process(data) => definitions.scope_of_process_report(data).await,
            RawReport::Decision(data) => definitions.scope_of_decision_report(data).await,
        }
    }

    /// The query for the instances of a report.
    pub(super) fn query_of(&self, report: RawReport<'_>, scope: &Scope, now: Timestamp) -> Value {
        match report {
            RawReport::Process(data) => self.instance_query(data, scope, now),
            RawReport::Decision(data) => self.decision_instance_query(data, scope, now),
        }
    }

    /// Finds the columns that every row of a report has.
    pub(super) async fn find_columns(
        &self,
        report: RawReport<'_>,
        scope: &Scope,
        query: &Value,
    ) -> Result<Columns, ExportError> {
        match report {
            RawReport::Process(_) => {
                let names = self.find_variable_names(scope, query).await?;
                Ok(Columns::Variables(names))
            }
            RawReport::Decision(_) => Ok(Columns::Clauses(self.clauses_of(scope).await?)),
        }
    }

    /// The inputs and outputs that the definition of a decision report has.
    pub(super) async fn clauses_of(
        &self,
        scope: &Scope,
    ) -> Result<Arc<DecisionClauses>, ExportError> {
        Ok(match scope.definitions.first() {
            Some(decision) => self.0.definitions.decision_clauses(decision).await?,
            None => Arc::default(),
        })
    }

    async fn find_variable_names(
        &self,
        scope: &Scope,
        query: &Value,
    ) -> Result<Arc<VariableNames>, ElasticsearchError> {
        let elasticsearch = &self.0.elasticsearch;
        let find = |indices: Vec<String>| async move {
            variable_names::find(elasticsearch, &indices, query).await
        };
        Ok(Arc::new(ask_scope(scope, find).await?.unwrap_or_default()))
    }

    /// Makes rows of the hits of a page; `now` is that of its scroll.
    pub(super) fn rows<'a>(
        &'a self,
        columns: &'a Columns,
        now: i64,
        time_zone: Option<&'a TimeZone>,
    ) -> Rows<'a> {
        let settings = &self.0.settings;
        let time_zone = time_zone.or(settings.time_zone.as_ref());
        match columns {
            Columns::Variables(variable_names) => Rows::Process(ProcessRows::new(
                &self.0.definitions,
                ProcessRowWriter {
                    now,
                    variable_names,
                    object_variables: settings.object_variables,
                    time_zone,
                    scratch: Default::default(),
                },
            )),
            Columns::Clauses(clauses) => Rows::Decision(DecisionRowWriter {
                clauses,
                time_zone,
                scratch: Default::default(),
            }),
        }
    }
}
