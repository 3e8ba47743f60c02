//! Data of date filters (crates/optimize/docs/filters.md, "Dates in filters").

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::super::{DefinitionError, lenient};
use super::FilterLevel;
use super::place::{Place, excerpt, flag, optional_integer};
use crate::id_enum;
use crate::moment::Moment;

/// How far from now Java's calendar reaches; Optimize fails on anything farther away.
const CALENDAR_YEARS: f64 = 999_999_999.0;

/// A date filter. It is used for dates of instances and flow nodes, for evaluation dates, and for date variables.
#[derive(Debug, Clone, PartialEq)]
pub struct DateFilter {
    /// Where it starts, and what kind of filter it is.
    pub start: DateFilterStart,
    /// Where a fixed filter ends, inclusive. The other kinds ignore it, but a date histogram does not.
    pub end: Option<Moment>,
    /// Also match where a date variable is undefined or null. Without effect elsewhere.
    pub include_undefined: bool,
    /// Match wherever a date variable is set. Without effect elsewhere.
    pub exclude_undefined: bool,
}

/// Start of a date filter. The kinds that count back from now may lack a number or a unit: they narrow nothing then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DateFilterStart {
    /// A given moment, inclusive; `None` is open.
    Fixed(Option<Moment>),
    /// So much before now, up to now.
    Rolling(Option<Period>),
    /// So many whole intervals of the calendar before the one that is running; zero is the running one.
    Relative(Option<Period>),
}

/// A number of calendar units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// How many; below zero it reaches into the future.
    pub value: i64,
    /// Of what.
    pub unit: DateFilterUnit,
}

id_enum! {
    /// Unit of a rolling or relative date filter.
    pub enum DateFilterUnit {
        /// Calendar years.
        Years = "years",
        /// Calendar quarters.
        Quarters = "quarters",
        /// Calendar months.
        Months = "months",
        /// Weeks that start on Monday.
        Weeks = "weeks",
        /// Days.
        Days = "days",
        /// Hours.
        Hours = "hours",
        /// Minutes.
        Minutes = "minutes",
        /// Seconds.
        Seconds = "seconds",
    }
}

impl DateFilterUnit {
    /// How many of them are about a year.
    const fn per_year(self) -> f64 {
        match self {
            Self::Years => 1.0,
            Self::Quarters => 4.0,
            Self::Months => 12.0,
            Self::Weeks => 52.18,
            Self::Days => 365.25,
            Self::Hours => 8_766.0,
            Self::Minutes => 525_960.0,
            Self::Seconds => 31_557_600.0,
        }
    }
}

/// A date filter on flow nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowNodeDateFilter {
    /// When.
    pub date: DateFilter,
    /// Which flow nodes; empty on the view level, where the filter is about those that the report looks at.
    pub flow_node_ids: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StoredDateFilter {
    #[serde(default, rename = "type")]
    kind: Value,
    #[serde(default)]
    start: Value,
    #[serde(default)]
    end: Option<StoredDate>,
    #[serde(default, deserialize_with = "flag")]
    include_undefined: bool,
    #[serde(default, deserialize_with = "flag")]
    exclude_undefined: bool,
}

#[derive(Deserialize)]
struct StoredPeriod {
    #[serde(default, deserialize_with = "optional_integer")]
    value: Option<i64>,
    #[serde(default)]
    unit: Option<DateFilterUnit>,
}

/// A date as Optimize writes it.
struct StoredDate(Moment);

impl<'de> Deserialize<'de> for StoredDate {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        parse_date(&text).map(Self).ok_or_else(|| {
            de::Error::custom(format!(
                "`{}` is no date, expected one like `2024-03-01T00:00:00.000+0000`",
                excerpt(&text)
            ))
        })
    }
}

/// A date in the pattern `yyyy-MM-dd'T'HH:mm:ss.SSSZ`; as its offset also `Z` and hours alone are taken
/// (crates/optimize/docs/dates-and-numbers.md, "Read dates"). A year of more than four digits has a sign.
fn parse_date(text: &str) -> Option<Moment> {
    const AFTER_YEAR: &[u8] = b"-dd-ddTdd:dd:dd.ddd";
    let year = text.find('-')?;
    let (rest, offset) = text.get(year..)?.split_at_checked(AFTER_YEAR.len())?;
    let fits = rest
        .bytes()
        .zip(AFTER_YEAR)
        .all(|(byte, pattern)| byte == *pattern || (*pattern == b'd' && byte.is_ascii_digit()));
    if !fits || offset.contains(':') {
        return None;
    }
    Some(Moment::parse(text)?.0)
}

impl DateFilter {
    /// Reads the data of a date filter.
    pub(super) fn read(value: &Value, place: &Place) -> Result<Self, DefinitionError> {
        let stored: StoredDateFilter = place.read_data(value)?;
        let start = place.member("start");
        let start = match stored.kind.as_str() {
            Some("fixed") => {
                let date: Option<StoredDate> = start.read(&stored.start)?;
                DateFilterStart::Fixed(date.map(|date| date.0))
            }
            Some("rolling") => DateFilterStart::Rolling(read_period(
                &stored.start,
                &start,
                DateFilterUnit::Quarters,
                "QUARTERS is not supported for rolling date filters",
            )?),
            Some("relative") => DateFilterStart::Relative(read_period(
                &stored.start,
                &start,
                DateFilterUnit::Seconds,
                "Unknown date unit: SECONDS",
            )?),
            _ => {
                return Err(place.member("type").problem(format!(
                    "unknown type of date filter {}, expected fixed, rolling or relative",
                    excerpt(&stored.kind.to_string())
                )));
            }
        };
        Ok(Self {
            start,
            end: stored.end.map(|date| date.0),
            include_undefined: stored.include_undefined,
            exclude_undefined: stored.exclude_undefined,
        })
    }

    /// The check of `ValidationHelper` for start and evaluation dates. Only what is stored counts: a rolling start
    /// without number or unit passes, and narrows nothing.
    pub(super) fn require_start_or_end(
        &self,
        name: &str,
        place: &Place,
        stored: &Value,
    ) -> Result<(), DefinitionError> {
        let missing = |member: &str| stored.get(member).is_none_or(Value::is_null);
        if missing("start") && missing("end") {
            return Err(place.problem(format!(
                "{name} at least one sub field not allowed to be empty or null"
            )));
        }
        Ok(())
    }
}

/// A start that counts back from now. `unsupported` is the unit that this kind of date filter does not know; Optimize
/// only notices when there is a number too.
fn read_period(
    value: &Value,
    place: &Place,
    unsupported: DateFilterUnit,
    message: &str,
) -> Result<Option<Period>, DefinitionError> {
    if value.is_null() {
        return Ok(None);
    }
    let stored: StoredPeriod = place.read_object(value)?;
    let (Some(value), Some(unit)) = (stored.value, stored.unit) else {
        return Ok(None);
    };
    if unit == unsupported {
        let legal = DateFilterUnit::ALL
            .iter()
            .filter(|unit| **unit != unsupported);
        let legal: Vec<&str> = legal.map(|unit| unit.id()).collect();
        return Err(place
            .member("unit")
            .problem(format!("{message}, expected one of {}", legal.join(", "))));
    }
    if (value as f64 / unit.per_year()).abs() > CALENDAR_YEARS {
        return Err(place
            .member("value")
            .problem(format!("{value} {unit} reach beyond the calendar")));
    }
    Ok(Some(Period { value, unit }))
}

impl FlowNodeDateFilter {
    /// Reads the data of a date filter on flow nodes; which ids it needs depends on the level.
    pub(super) fn read(
        value: &Value,
        level: FilterLevel,
        place: &Place,
    ) -> Result<Self, DefinitionError> {
        let date = DateFilter::read(value, place)?;
        match date.start {
            DateFilterStart::Fixed(_) => {
                date.require_start_or_end("flowNode date filter start or end field", place, value)?;
            }
            DateFilterStart::Rolling(None) | DateFilterStart::Relative(None) => {
                return Err(missing_period(value, place));
            }
            DateFilterStart::Rolling(Some(_)) | DateFilterStart::Relative(Some(_)) => {}
        }
        let ids = value.get("flowNodeIds").unwrap_or(&Value::Null);
        let ids_place = place.member("flowNodeIds");
        let flow_node_ids = match level {
            FilterLevel::View if ids.is_null() => Vec::new(),
            FilterLevel::View => {
                return Err(ids_place.problem("flowNodeIds has to be null on the view level"));
            }
            FilterLevel::Instance if ids.is_null() => return Err(ids_place.empty("flowNodeIds")),
            FilterLevel::Instance => {
                ids_place.without_nulls(ids_place.read_with(lenient::optional_strings, ids)?)?
            }
        };
        if level == FilterLevel::Instance && flow_node_ids.is_empty() {
            return Err(ids_place.empty("flowNodeIds"));
        }
        Ok(Self {
            date,
            flow_node_ids,
        })
    }
}

/// Which part of a start that counts back from now is missing.
fn missing_period(value: &Value, place: &Place) -> DefinitionError {
    let start = value.get("start").unwrap_or(&Value::Null);
    let place = place.member("start");
    if start.is_null() {
        return place.problem("start is not allowed to be null");
    }
    let missing = if start.get("unit").is_none_or(Value::is_null) {
        "unit"
    } else {
        "value"
    };
    place
        .member(missing)
        .problem(format!("{missing} is not allowed to be null"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_the_pattern_of_optimize() {
        let millis = |text| parse_date(text).map(Moment::millis);
        let expected = Some(1_709_251_200_123);
        assert_eq!(millis("2024-03-01T00:00:00.123+0000"), expected);
        assert_eq!(millis("2024-03-01T00:00:00.123Z"), expected);
        assert_eq!(millis("2024-03-01T02:00:00.123+02"), expected);
        assert_eq!(millis("2024-03-01T05:30:00.123+0530"), expected);
        assert_eq!(millis("2024-02-29T22:00:00.123-0200"), expected);
        let never = millis("9999-12-31T23:59:59.999+0000");
        assert_eq!(never, Some(253_402_300_799_999));
        let later = millis("+10000-01-01T00:00:00.000+0000");
        assert_eq!(later, Some(253_402_300_800_000));
        for text in [
            "",
            "2024-03-01",
            "2024-03-01T00:00:00.123",
            "2024-03-01T00:00:00+0000",
            "2024-03-01 00:00:00.123+0000",
            "2024-03-01T00:00:00.123+00:00",
            "2024-03-01T00:00:00.123+9",
            "2024-03-01T00:00:00.123+9999",
            "2024-03-01T00:00:00.123 0000",
            "2024-13-01T00:00:00.123+0000",
            "2024-03-01T00:00:00.1é+0000",
            "1709251200123",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }
}
