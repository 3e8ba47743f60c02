//! `data.configuration`: the members that change a result
//! (crates/optimize/docs/reports.md, "Configuration"). All others only concern Optimize's
//! own pages and are not read.

use serde::Deserialize;

use super::enums::{BucketUnit, DateUnit};
use super::{DefinitionError, lenient};
use crate::id_enum;

/// The configuration of a report.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Configuration {
    /// How durations and variable values are aggregated; the first one is exported.
    #[serde(deserialize_with = "lenient::list_or_null")]
    pub aggregation_types: Vec<Aggregation>,
    /// Which durations of a user task are measured; the first one is exported.
    #[serde(deserialize_with = "lenient::list_or_null")]
    pub user_task_duration_times: Vec<UserTaskDurationTime>,
    /// BPMN text; only heat maps look into it.
    pub xml: Option<String>,
    /// Unit of a grouping by a date variable.
    pub group_by_date_variable_unit: DateUnit,
    /// Unit of a distribution by a date variable.
    pub distribute_by_date_variable_unit: DateUnit,
    /// Buckets of the grouping.
    #[serde(deserialize_with = "lenient::or_default")]
    pub custom_bucket: CustomBucket,
    /// Buckets of the distribution.
    #[serde(deserialize_with = "lenient::or_default")]
    pub distribute_by_custom_bucket: CustomBucket,
    /// The user's order of the result.
    pub sorting: Option<Sorting>,
    /// Two flow nodes between which durations are measured.
    pub process_part: Option<ProcessPart>,
    /// The columns that the owner of a raw data report chose; the default where they can't be read.
    #[serde(deserialize_with = "lenient::readable_or_default")]
    pub table_columns: TableColumns,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            aggregation_types: vec![Aggregation {
                kind: AggregationType::Avg,
                value: None,
            }],
            user_task_duration_times: vec![UserTaskDurationTime::Total],
            xml: None,
            group_by_date_variable_unit: DateUnit::Automatic,
            distribute_by_date_variable_unit: DateUnit::Automatic,
            custom_bucket: CustomBucket::default(),
            distribute_by_custom_bucket: CustomBucket::default(),
            sorting: None,
            process_part: None,
            table_columns: TableColumns::default(),
        }
    }
}

impl Configuration {
    /// Rejects aggregations that Optimize rejects in every report, whether its view aggregates or not
    /// (`ValidationHelper`, which `SingleReportEvaluator` runs on stored reports too).
    ///
    /// # Errors
    /// A percentile without a number from 0 to 100, or a number on another function.
    pub(super) fn check(&self) -> Result<(), DefinitionError> {
        let is_percentile = |value: f64| (0.0..=100.0).contains(&value);
        let problem = self.aggregation_types.iter().find_map(|aggregation| {
            match (aggregation.kind, aggregation.value) {
                (AggregationType::Percentile, Some(value)) if is_percentile(value) => None,
                (AggregationType::Percentile, _) => {
                    Some("Percentile aggregation values be between 0 and 100")
                }
                (_, None) => None,
                (_, Some(_)) => {
                    Some("Aggregation values can only be supplied for percentile aggregations")
                }
            }
        });
        match problem {
            None => Ok(()),
            Some(problem) => Err(DefinitionError::part(
                "data.configuration.aggregationTypes",
                problem,
            )),
        }
    }
}

/// One aggregation.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Aggregation {
    /// Which function.
    #[serde(rename = "type")]
    pub kind: AggregationType,
    /// The percentile, 0 to 100; absent for the other functions.
    #[serde(default, deserialize_with = "lenient::optional_number")]
    pub value: Option<f64>,
}

id_enum! {
    /// An aggregation function.
    pub enum AggregationType {
        /// Arithmetic mean.
        Avg = "avg",
        /// Smallest value.
        Min = "min",
        /// Largest value.
        Max = "max",
        /// Sum.
        Sum = "sum",
        /// Percentile, as Elasticsearch estimates it.
        Percentile = "percentile",
    }
}

id_enum! {
    /// Which part of a user task's life is measured.
    pub enum UserTaskDurationTime {
        /// Nobody had claimed it.
        Idle = "idle",
        /// Somebody had claimed it.
        Work = "work",
        /// Both.
        Total = "total",
    }
}

/// User-defined buckets of a number, number variable or duration grouping.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CustomBucket {
    /// Whether these values count at all.
    #[serde(deserialize_with = "lenient::or_default")]
    pub active: bool,
    /// Width of a bucket, in `bucket_size_unit`.
    #[serde(deserialize_with = "lenient::optional_number")]
    pub bucket_size: Option<f64>,
    /// Unit of the width; `None` for plain numbers.
    pub bucket_size_unit: Option<BucketUnit>,
    /// Start of the first bucket, in `baseline_unit`.
    #[serde(deserialize_with = "lenient::optional_number")]
    pub baseline: Option<f64>,
    /// Unit of the start; `None` for plain numbers.
    pub baseline_unit: Option<BucketUnit>,
}

impl Default for CustomBucket {
    fn default() -> Self {
        Self {
            active: false,
            bucket_size: Some(10.0),
            bucket_size_unit: None,
            baseline: Some(0.0),
            baseline_unit: None,
        }
    }
}

/// The order of a result.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Sorting {
    /// `key`, `value`, `label`, or the column of a raw data report.
    #[serde(default, deserialize_with = "lenient::optional_string")]
    pub by: Option<String>,
    /// Direction.
    #[serde(default)]
    pub order: Option<SortOrder>,
}

id_enum! {
    /// Direction of an order.
    pub enum SortOrder {
        /// Smallest first.
        Asc = "asc",
        /// Largest first.
        Desc = "desc",
    }
}

/// Start and end flow node of a process part.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ProcessPart {
    /// Id of the flow node that starts the clock.
    #[serde(default, deserialize_with = "lenient::optional_string")]
    pub start: Option<String>,
    /// Id of the flow node that stops the clock.
    #[serde(default, deserialize_with = "lenient::optional_string")]
    pub end: Option<String>,
}

/// Columns of a raw data report, by name (crates/optimize/docs/reports.md, "Table columns"). Their order is
/// only one of Optimize's own pages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TableColumns {
    /// Whether columns that are in neither list are shown: those of variables, inputs, outputs and flow nodes.
    #[serde(deserialize_with = "lenient::or_default")]
    pub include_new_variables: bool,
    /// Columns that are shown.
    #[serde(deserialize_with = "lenient::strings_or_null")]
    pub included_columns: Vec<String>,
    /// Columns that are not shown, even if they are in the other list.
    #[serde(deserialize_with = "lenient::strings_or_null")]
    pub excluded_columns: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table_columns(configuration: &str) -> TableColumns {
        let configuration: Configuration = serde_json::from_str(configuration).unwrap();
        configuration.table_columns
    }

    #[test]
    fn table_columns_are_read_tolerantly() {
        let stored = r#"{"tableColumns":{"includeNewVariables":true,"includedColumns":["startDate",null],"excludedColumns":null,
            "columnOrder":["startDate"]}}"#;
        assert_eq!(
            table_columns(stored),
            TableColumns {
                include_new_variables: true,
                included_columns: vec!["startDate".to_owned()],
                excluded_columns: Vec::new(),
            }
        );
        // No other export of a report may fail for them.
        for stored in [
            "{}",
            r#"{"tableColumns":null}"#,
            r#"{"tableColumns":7}"#,
            r#"{"tableColumns":{"includedColumns":{}}}"#,
        ] {
            assert_eq!(table_columns(stored), TableColumns::default(), "{stored}");
        }
    }
}
