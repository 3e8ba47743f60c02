//! Data of duration filters (crates/optimize/docs/filters.md, "Durations").

use serde::Deserialize;
use serde_json::Value;

use super::super::DefinitionError;
use super::place::{Place, flag, optional_integer};
use crate::id_enum;

/// A condition on a duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DurationFilter {
    /// How the duration has to compare.
    pub operator: ComparisonOperator,
    /// With how many milliseconds.
    pub millis: i64,
    /// Also match where there is no duration at all, not even a running one.
    pub include_null: bool,
}

id_enum! {
    /// An order between two values.
    pub enum ComparisonOperator {
        /// Less than.
        Less = "<",
        /// Less than or equal to.
        LessOrEqual = "<=",
        /// Greater than.
        Greater = ">",
        /// Greater than or equal to.
        GreaterOrEqual = ">=",
    }
}

id_enum! {
    /// Unit of a duration filter.
    pub enum DurationUnit {
        /// Average years.
        Years = "years",
        /// Average months.
        Months = "months",
        /// Seven days.
        Weeks = "weeks",
        /// 24 hours.
        Days = "days",
        /// 12 hours.
        HalfDays = "halfDays",
        /// Hours.
        Hours = "hours",
        /// Minutes.
        Minutes = "minutes",
        /// Seconds.
        Seconds = "seconds",
        /// Milliseconds.
        Millis = "millis",
    }
}

impl DurationUnit {
    /// Length in milliseconds; years and months are the estimates of Java's `ChronoUnit`, not the calendar's.
    pub const fn millis(self) -> i64 {
        match self {
            Self::Years => 31_556_952_000,
            Self::Months => 2_629_746_000,
            Self::Weeks => 604_800_000,
            Self::Days => 86_400_000,
            Self::HalfDays => 43_200_000,
            Self::Hours => 3_600_000,
            Self::Minutes => 60_000,
            Self::Seconds => 1_000,
            Self::Millis => 1,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredDurationFilter {
    #[serde(default, deserialize_with = "optional_integer")]
    value: Option<i64>,
    #[serde(default)]
    unit: Option<DurationUnit>,
    #[serde(default)]
    operator: Option<ComparisonOperator>,
    #[serde(default, deserialize_with = "flag")]
    include_null: bool,
}

impl DurationFilter {
    /// Reads a condition. Optimize checks nothing here and fails on whatever is null.
    pub(super) fn read(value: &Value, place: &Place) -> Result<Self, DefinitionError> {
        let stored: StoredDurationFilter = place.read_data(value)?;
        let missing = |name: &str| place.member(name).empty(name);
        let value = stored.value.ok_or_else(|| missing("value"))?;
        let unit = stored.unit.ok_or_else(|| missing("unit"))?;
        let operator = stored.operator.ok_or_else(|| missing("operator"))?;
        let millis = value.checked_mul(unit.millis()).ok_or_else(|| {
            place.member("value").problem(format!(
                "{value} {unit} are more than 64 bits of milliseconds"
            ))
        })?;
        Ok(Self {
            operator,
            millis,
            include_null: stored.include_null,
        })
    }
}

/// Reads the conditions of `flowNodeDuration`: an object from flow node ids to conditions, which may be empty.
pub(super) fn read_by_flow_node(
    value: &Value,
    place: &Place,
) -> Result<Vec<(String, DurationFilter)>, DefinitionError> {
    match value {
        Value::Null => Err(place.empty("data")),
        Value::Object(conditions) => conditions
            .iter()
            .map(|(flow_node_id, condition)| {
                let condition = DurationFilter::read(condition, &place.member(flow_node_id))?;
                Ok((flow_node_id.clone(), condition))
            })
            .collect(),
        other => Err(place.no_object(other)),
    }
}
