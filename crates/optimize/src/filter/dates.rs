//! Date filters: fixed, rolling and relative (crates/optimize/docs/filters.md, "Dates in filters").
//!
//! * A **fixed** filter has a start and an end, both inclusive, of which one may be open.
//! * A **rolling** filter of n units reaches from now minus n units to now, both inclusive.
//! * A **relative** filter of n units covers the last n complete intervals of the calendar: from the start of the
//!   running interval minus n units, inclusive, to the start of the running one, exclusive. With n = 0 it is the running
//!   interval up to now, inclusive.
//!
//! Arithmetic is that of the calendar, on the local date and time with the offset that the zone has **now**, like
//! Optimize's `OffsetDateTime`: in a zone with daylight saving time a day of last winter starts at 01:00 when it is
//! summer. Bounds are sent in UTC whatever the zone; it is the moment that counts.

use jiff::Span;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::{Offset, TimeZone};
use serde_json::{Map, Value, json};

use super::FilterContext;
use super::query::Bool;
use crate::moment::{CYCLE_DAYS, CYCLE_YEARS, Local, Moment};
use crate::report::definition::{
    DateField, DateFilter, DateFilterStart, DateFilterUnit, DecisionFilter, FilterLevel, Period,
    ProcessFilter, ProcessFilterKind,
};

/// The only format of every date field in Optimize's indices (crates/optimize/docs/dates-and-numbers.md, "Stored dates"), as
/// requests name it: with `u` for the year, because `y` has no year 0, and the first hours of the year 1 are still there in some
/// zones.
pub const DATE_FORMAT: &str = "uuuu-MM-dd'T'HH:mm:ss.SSSZ";

/// The field of the date at which a decision was evaluated.
pub const EVALUATION_DATE: &str = "evaluationDateTime";

/// The field of an instance's start or end date.
pub const fn instance_date_field(field: DateField) -> &'static str {
    match field {
        DateField::Start => "startDate",
        DateField::End => "endDate",
    }
}

/// A span of time as a filter sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DateRange {
    /// Where it starts, inclusive; `None` is open.
    pub from: Option<Moment>,
    /// Where it ends.
    pub to: DateRangeEnd,
}

/// Where a span of time ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateRangeEnd {
    /// Nowhere.
    Open,
    /// With this moment.
    Inclusive(Moment),
    /// Before this moment.
    Exclusive(Moment),
}

impl DateRange {
    /// The span that a filter covers; `None` where the filter has no bounds and narrows nothing.
    pub fn of(filter: &DateFilter, now: &LocalNow) -> Option<Self> {
        match filter.start {
            DateFilterStart::Fixed(from) => {
                (from.is_some() || filter.end.is_some()).then(|| Self {
                    from,
                    to: filter
                        .end
                        .map_or(DateRangeEnd::Open, DateRangeEnd::Inclusive),
                })
            }
            DateFilterStart::Rolling(period) => period.map(|period| Self {
                from: Some(now.minus(period)),
                to: DateRangeEnd::Inclusive(now.instant()),
            }),
            DateFilterStart::Relative(period) => period.map(|period| Self {
                from: Some(now.start_of_previous_interval(period)),
                to: match period.value {
                    0 => DateRangeEnd::Inclusive(now.instant()),
                    _ => DateRangeEnd::Exclusive(now.start_of_current_interval(period.unit)),
                },
            }),
        }
    }

    /// The span as a `range` query on a date field.
    pub fn clause(&self, field: &str) -> Value {
        let end = match self.to {
            DateRangeEnd::Open => None,
            DateRangeEnd::Inclusive(to) => Some(("lte", to)),
            DateRangeEnd::Exclusive(to) => Some(("lt", to)),
        };
        let bounds = self.from.map(|from| ("gte", from)).into_iter().chain(end);
        let mut range: Map<String, Value> = bounds
            .map(|(name, moment)| (name.to_owned(), moment.utc_text().into()))
            .collect();
        range.insert("format".to_owned(), DATE_FORMAT.into());
        json!({"range": {field: range}})
    }
}

/// Now, as the clock on the wall shows it, and what the calendar makes of it.
#[derive(Debug, Clone, Copy)]
pub struct LocalNow {
    local: Local,
    offset: Offset,
}

impl LocalNow {
    /// Now in a zone.
    pub fn new(now: Moment, zone: &TimeZone) -> Self {
        let offset = now.offset_in(zone);
        Self {
            local: now.local(offset),
            offset,
        }
    }

    /// The moment itself.
    pub fn instant(&self) -> Moment {
        self.at(self.local)
    }

    /// So much ago. Days of the month are clamped (a month before March 31 is the last of February); what is before
    /// or after all dates becomes the first or last one.
    pub fn minus(&self, period: Period) -> Moment {
        self.at(minus(self.local, period))
    }

    /// The start of the interval of the calendar that is running.
    pub fn start_of_current_interval(&self, unit: DateFilterUnit) -> Moment {
        self.at(self.start_of_interval(unit))
    }

    /// The start of the interval so many intervals before the one that is running.
    pub fn start_of_previous_interval(&self, period: Period) -> Moment {
        self.at(minus(self.start_of_interval(period.unit), period))
    }

    fn start_of_interval(&self, unit: DateFilterUnit) -> Local {
        self.local
            .with(start_of_interval(self.local.near(), unit), 0)
    }

    fn at(&self, local: Local) -> Moment {
        let first_or_last = if local.year() < self.local.year() {
            Moment::EARLIEST
        } else {
            Moment::LATEST
        };
        let moment = local.at(self.offset).unwrap_or(first_or_last);
        moment.clamp(Moment::EARLIEST, Moment::LATEST)
    }
}

/// Whole cycles of the calendar are taken off the period first, so that the rest can be subtracted from any date.
fn minus(from: Local, period: Period) -> Local {
    let Period { value, unit } = period;
    let in_cycle = match unit {
        DateFilterUnit::Years => CYCLE_YEARS,
        DateFilterUnit::Quarters => CYCLE_YEARS * 4,
        DateFilterUnit::Months => CYCLE_YEARS * 12,
        DateFilterUnit::Weeks => CYCLE_DAYS / 7,
        DateFilterUnit::Days => CYCLE_DAYS,
        DateFilterUnit::Hours => CYCLE_DAYS * 24,
        DateFilterUnit::Minutes => CYCLE_DAYS * 24 * 60,
        DateFilterUnit::Seconds => CYCLE_DAYS * 24 * 3600,
    };
    let (cycles, rest) = (value / in_cycle, value % in_cycle);
    let span = Span::new();
    let span = match unit {
        DateFilterUnit::Years => span.years(rest),
        DateFilterUnit::Quarters => span.months(rest * 3),
        DateFilterUnit::Months => span.months(rest),
        DateFilterUnit::Weeks => span.weeks(rest),
        DateFilterUnit::Days => span.days(rest),
        DateFilterUnit::Hours => span.hours(rest),
        DateFilterUnit::Minutes => span.minutes(rest),
        DateFilterUnit::Seconds => span.seconds(rest),
    };
    from.with(from.near().saturating_sub(span), -cycles)
}

fn start_of_interval(local: DateTime, unit: DateFilterUnit) -> DateTime {
    let date = local.date();
    let hour = date.at(local.hour(), 0, 0, 0);
    match unit {
        DateFilterUnit::Years => date.first_of_year().into(),
        DateFilterUnit::Quarters => {
            let months_into_quarter = (date.month() - 1) % 3;
            let first = date.first_of_month();
            let start = first.saturating_sub(Span::new().months(months_into_quarter));
            start.into()
        }
        DateFilterUnit::Months => date.first_of_month().into(),
        DateFilterUnit::Weeks => {
            let days_into_week = date.weekday().since(Weekday::Monday);
            date.saturating_sub(Span::new().days(days_into_week)).into()
        }
        DateFilterUnit::Days => date.into(),
        DateFilterUnit::Hours => hour,
        DateFilterUnit::Minutes => {
            hour.saturating_add(Span::new().minutes(i64::from(local.minute())))
        }
        DateFilterUnit::Seconds => date.at(local.hour(), local.minute(), local.second(), 0),
    }
}

/// A date filter as a clause on a field; `None` where it has no bounds and narrows nothing.
pub(super) fn clause(filter: &DateFilter, field: &str, context: &FilterContext) -> Option<Value> {
    let now = LocalNow::new(context.now.into(), &context.time_zone);
    DateRange::of(filter, &now).map(|range| range.clause(field))
}

/// A filter on the start or end date of the instance. One on the end date leaves out what is running.
pub(super) fn instance_date_clause(
    field: DateField,
    filter: &DateFilter,
    context: &FilterContext,
) -> Option<Value> {
    clause(filter, instance_date_field(field), context)
}

/// What date filters do to a date histogram with buckets of the calendar
/// (crates/optimize/docs/filters.md, "Filters and date histograms").
#[derive(Debug, Clone, PartialEq)]
pub struct DateHistogramLimits {
    /// Which documents get into the histogram.
    pub filter: Value,
    /// The first and last moment that has to have a bucket, be it empty; as epoch milliseconds.
    pub extended_bounds: Option<(i64, i64)>,
}

/// Limits of a histogram over the start or end dates of process instances.
///
/// The filters on the very date count, for all definitions and for single ones alike; without any of them those on the
/// other date limit the histogram, but don't extend it.
pub fn instance_date_histogram_limits(
    filters: &[ProcessFilter],
    grouped_by: DateField,
    context: &FilterContext,
) -> DateHistogramLimits {
    let on = |wanted: DateField| -> Vec<&DateFilter> {
        let date_filters = filters.iter().filter_map(|filter| match &filter.kind {
            ProcessFilterKind::InstanceDate(field, date) => {
                let counts = *field == wanted && filter.level == FilterLevel::Instance;
                counts.then_some(date)
            }
            ProcessFilterKind::FlowNodeDate(..)
            | ProcessFilterKind::InstanceDuration(_)
            | ProcessFilterKind::FlowNodeDuration(_)
            | ProcessFilterKind::Variable(_)
            | ProcessFilterKind::MultipleVariable(_)
            | ProcessFilterKind::ExecutedFlowNodes(_)
            | ProcessFilterKind::ExecutingFlowNodes(_)
            | ProcessFilterKind::CanceledFlowNodes(_)
            | ProcessFilterKind::InstanceState(_)
            | ProcessFilterKind::Identity(..)
            | ProcessFilterKind::Incident(_)
            | ProcessFilterKind::FlowNodeStatus(_)
            | ProcessFilterKind::HasAgentInstances => None,
        });
        date_filters.collect()
    };
    let other = match grouped_by {
        DateField::Start => DateField::End,
        DateField::End => DateField::Start,
    };
    let on_grouped = on(grouped_by);
    let on_other = on(other);
    if on_grouped.is_empty() && !on_other.is_empty() {
        return DateHistogramLimits {
            filter: limiting_filter(&on_other, instance_date_field(other), context),
            extended_bounds: None,
        };
    }
    DateHistogramLimits {
        filter: limiting_filter(&on_grouped, instance_date_field(grouped_by), context),
        extended_bounds: extended_bounds(&on_grouped, context),
    }
}

/// Limits of a histogram over evaluation dates (crates/optimize/docs/decisions.md, "Group by evaluation date").
pub fn evaluation_date_histogram_limits(
    filters: &[DecisionFilter],
    context: &FilterContext,
) -> DateHistogramLimits {
    let on_date = filters.iter().filter_map(|filter| match filter {
        DecisionFilter::EvaluationDateTime(date) => Some(date),
        DecisionFilter::InputVariable(_) | DecisionFilter::OutputVariable(_) => None,
    });
    let on_date: Vec<&DateFilter> = on_date.collect();
    DateHistogramLimits {
        filter: limiting_filter(&on_date, EVALUATION_DATE, context),
        extended_bounds: extended_bounds(&on_date, context),
    }
}

fn limiting_filter(filters: &[&DateFilter], field: &str, context: &FilterContext) -> Value {
    let clauses = filters.iter().filter_map(|f| clause(f, field, context));
    Bool {
        filter: clauses.collect(),
        ..Bool::default()
    }
    .into()
}

/// From the earliest start of a filter to the latest end that one of them has, be it in use or not, else to now. So the
/// interval that is running has a bucket too when a filter is about those before it. A span that ends before it starts
/// has no buckets, and Elasticsearch refuses it.
fn extended_bounds(filters: &[&DateFilter], context: &FilterContext) -> Option<(i64, i64)> {
    let now = LocalNow::new(context.now.into(), &context.time_zone);
    let starts = filters
        .iter()
        .filter_map(|filter| DateRange::of(filter, &now)?.from);
    let ends = filters.iter().filter_map(|filter| filter.end);
    let min = starts.min()?;
    let max = ends.max().unwrap_or(context.now.into());
    (min <= max).then_some((min.millis(), max.millis()))
}

#[cfg(test)]
mod tests;
