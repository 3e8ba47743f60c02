//! A stored report document as types.
//!
//! The rules are those of Optimize's reader (crates/optimize/docs/reports.md, "How a report is read"): unknown members are ignored, a
//! scalar stands in for a list of one, enumerations are matched on their id without regard to case, numbers may be
//! written as strings, and a missing member has the default of Optimize's own data classes. A part that can't be
//! read is the report's fault, so the error names it ([`DefinitionError`]).

use std::fmt;

use serde::Deserialize;
use serde_json::value::RawValue;

mod configuration;
mod decision;
mod enums;
mod filter;
pub mod lenient;
mod process;
mod typed_value;

pub use configuration::{
    Aggregation, AggregationType, Configuration, CustomBucket, ProcessPart, SortOrder, Sorting,
    TableColumns, UserTaskDurationTime,
};
pub use decision::{DecisionGroupBy, DecisionReportData, DecisionVariable, DecisionView};
pub use enums::{BucketUnit, DateUnit, VariableType};
pub use filter::{
    ComparisonOperator, DateField, DateFilter, DateFilterStart, DateFilterUnit, DecisionFilter,
    DecisionFilterType, DurationFilter, DurationUnit, ExecutedFlowNodes, FilterLevel,
    FlowNodeDateFilter, FlowNodeStatus, IdentityField, IdentityFilter, IncidentCondition,
    InstanceState, MembershipOperator, Period, ProcessFilter, ProcessFilterKind, ProcessFilterType,
    VariableCondition, VariableFilter,
};
pub use process::{
    DistributedBy, GroupBy, ProcessReportData, ProcessView, VariableReference, ViewEntity,
    ViewProperty,
};

/// Versions entry that stands for every version of a definition.
pub const ALL_VERSIONS: &str = "all";
/// Versions entry that stands for the newest version of a definition.
pub const LATEST_VERSION: &str = "latest";

/// Why a stored document can't be used as a report.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum DefinitionError {
    /// The document has no report in it at all: nobody's report definition to correct, but a broken index.
    #[error("the stored document is not a report: {0}")]
    NotAReport(String),
    /// One part of the report can't be read or evaluated.
    #[error("report part `{part}`: {problem}")]
    Part {
        /// Where in the document, e.g. `data.groupBy.type`.
        part: String,
        /// What stands there and what was expected.
        problem: String,
    },
}

impl DefinitionError {
    /// An error about one part of the report definition.
    pub fn part(part: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self::Part {
            part: part.into(),
            problem: problem.to_string(),
        }
    }
}

/// A stored report, by the kind that decides how it is exported.
#[derive(Debug, Clone)]
pub enum StoredReport {
    /// A report on process instances.
    Process(Box<ProcessReportData>),
    /// A report on decision instances.
    Decision(Box<DecisionReportData>),
    /// A report that combines others; it can't be exported.
    Combined,
}

/// The members that decide which kind of report a document is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(default, borrow)]
    combined: Option<&'a RawValue>,
    #[serde(default)]
    report_type: Option<String>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

impl StoredReport {
    /// Reads the `_source` of a document of one of the three report indices.
    ///
    /// `combined` is asked first and only JSON `true` counts; then `reportType` decides, whichever index the document
    /// is in (crates/optimize/docs/reports.md, "Kind of a report"). A missing `combined` counts as false,
    /// because some releases did not write it.
    pub fn parse(source: &str) -> Result<Self, DefinitionError> {
        let envelope: Envelope<'_> = serde_json::from_str(source)
            .map_err(|error| DefinitionError::NotAReport(error.to_string()))?;
        if envelope.combined.is_some_and(|flag| flag.get() == "true") {
            return Ok(Self::Combined);
        }
        let report_type = envelope
            .report_type
            .ok_or_else(|| DefinitionError::NotAReport("it has no `reportType`".to_owned()))?;
        let data = envelope
            .data
            .map(RawValue::get)
            .filter(|data| *data != "null");
        let data = || data.ok_or_else(|| DefinitionError::part("data", "is missing"));
        match report_type.to_ascii_lowercase().as_str() {
            "process" => {
                let data = data()?;
                let mut report: ProcessReportData = parse_data(data)?;
                report.configuration.check()?;
                report.filters = filter::process_filters(data)?;
                Ok(Self::Process(Box::new(report)))
            }
            "decision" => {
                let data = data()?;
                let mut report: DecisionReportData = parse_data(data)?;
                report.configuration.check()?;
                report.filters = filter::decision_filters(data)?;
                Ok(Self::Decision(Box::new(report)))
            }
            other => Err(DefinitionError::NotAReport(format!(
                "its `reportType` is `{other}`, expected `process` or `decision`"
            ))),
        }
    }
}

/// Parses the `data` object; the error says where in it the trouble is.
fn parse_data<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, DefinitionError> {
    let mut deserializer = serde_json::Deserializer::from_str(data);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let part = if path == "." {
            "data".to_owned()
        } else {
            format!("data.{path}")
        };
        DefinitionError::part(part, lenient::without_position(error.inner()))
    })
}

/// One entry of `data.definitions`: a definition key with the versions and tenants that the report covers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefinitionSelection {
    /// What `appliedTo` of a filter refers to. Optimize makes up a random one where it is missing; so nothing can refer
    /// to it and `None` serves as well.
    #[serde(default, deserialize_with = "lenient::optional_string")]
    pub identifier: Option<String>,
    /// Definition key; `None` in a half-configured report.
    #[serde(default, deserialize_with = "lenient::optional_string")]
    pub key: Option<String>,
    /// Name of the definition when the report was saved.
    #[serde(default, deserialize_with = "lenient::optional_string")]
    pub name: Option<String>,
    /// The user's own label for this definition within the report.
    #[serde(default, deserialize_with = "lenient::optional_string")]
    pub display_name: Option<String>,
    /// Version strings, [`ALL_VERSIONS`] and [`LATEST_VERSION`] among them; default all.
    #[serde(default = "all_versions", deserialize_with = "lenient::strings")]
    pub versions: Vec<String>,
    /// Tenant ids; `None` stands for "no tenant". Default: only that.
    #[serde(default = "no_tenant", deserialize_with = "lenient::optional_strings")]
    pub tenant_ids: Vec<Option<String>>,
}

fn all_versions() -> Vec<String> {
    vec![ALL_VERSIONS.to_owned()]
}

fn no_tenant() -> Vec<Option<String>> {
    vec![None]
}

/// Which versions a [`DefinitionSelection`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionSelection<'a> {
    /// The newest version of the key, over all tenants.
    Latest,
    /// Every version, also those whose definition is gone.
    All,
    /// Exactly these; an empty list selects nothing.
    Listed(&'a [String]),
}

impl DefinitionSelection {
    /// `latest` anywhere in the list wins, then `all`, both without regard to case
    /// (crates/optimize/docs/indices.md, "Instances of a definition"; `DefinitionVersionHandlingUtil`).
    pub fn version_selection(&self) -> VersionSelection<'_> {
        let contains = |special: &str| {
            self.versions
                .iter()
                .any(|v| v.eq_ignore_ascii_case(special))
        };
        if contains(LATEST_VERSION) {
            VersionSelection::Latest
        } else if contains(ALL_VERSIONS) {
            VersionSelection::All
        } else {
            VersionSelection::Listed(&self.versions)
        }
    }
}

#[cfg(test)]
mod tests;
