use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::super::fixtures::{
    clause as filter_clause, clauses, context, context_at, decision_clause, decision_filters,
    process_filters,
};
use super::*;

fn now_in(now: Moment, zone: &str) -> LocalNow {
    LocalNow::new(now, &TimeZone::get(zone).unwrap())
}

/// The range of a filter on start dates, without format, at a moment.
fn range_at(now: &str, kind: &str, value: i64, unit: &str) -> String {
    let data = json!({"type": kind, "start": {"value": value, "unit": unit}});
    let clause = clauses("instanceStartDate", "instance", data, &context_at(now)).remove(0);
    let range = &clause["range"]["startDate"];
    assert_eq!(range["format"], DATE_FORMAT);
    let bound = |name: &str| range[name].as_str().map(|date| date.replace("+0000", ""));
    let from = bound("gte").unwrap();
    match (bound("lte"), bound("lt")) {
        (Some(to), None) => format!("[{from}, {to}]"),
        (None, Some(to)) => format!("[{from}, {to})"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn rolling_and_relative_ranges_follow_the_calendar() {
    // Computed with java.time; some of them are the examples of crates/optimize/docs/filters.md, "Relative dates".
    let march = "2024-03-31T23:30:15.123Z";
    let leap_day = "2024-02-29T00:00:00Z";
    let new_year = "2024-01-01T00:00:00Z";
    for (now, kind, value, unit, expected) in [
        (
            march,
            "rolling",
            1,
            "months",
            "[2024-02-29T23:30:15.123, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "rolling",
            1,
            "weeks",
            "[2024-03-24T23:30:15.123, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "relative",
            0,
            "weeks",
            "[2024-03-25T00:00:00.000, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "relative",
            1,
            "weeks",
            "[2024-03-18T00:00:00.000, 2024-03-25T00:00:00.000)",
        ),
        (
            march,
            "relative",
            2,
            "months",
            "[2024-01-01T00:00:00.000, 2024-03-01T00:00:00.000)",
        ),
        (
            march,
            "relative",
            0,
            "quarters",
            "[2024-01-01T00:00:00.000, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "relative",
            2,
            "quarters",
            "[2023-07-01T00:00:00.000, 2024-01-01T00:00:00.000)",
        ),
        (
            march,
            "relative",
            1,
            "minutes",
            "[2024-03-31T23:29:00.000, 2024-03-31T23:30:00.000)",
        ),
        (
            leap_day,
            "rolling",
            1,
            "years",
            "[2023-02-28T00:00:00.000, 2024-02-29T00:00:00.000]",
        ),
        (
            new_year,
            "relative",
            0,
            "weeks",
            "[2024-01-01T00:00:00.000, 2024-01-01T00:00:00.000]",
        ),
        (
            new_year,
            "relative",
            1,
            "years",
            "[2023-01-01T00:00:00.000, 2024-01-01T00:00:00.000)",
        ),
        // Every unit that the vectors leave out.
        (
            march,
            "rolling",
            2,
            "years",
            "[2022-03-31T23:30:15.123, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "rolling",
            31,
            "days",
            "[2024-02-29T23:30:15.123, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "rolling",
            24,
            "hours",
            "[2024-03-30T23:30:15.123, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "rolling",
            31,
            "minutes",
            "[2024-03-31T22:59:15.123, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "rolling",
            16,
            "seconds",
            "[2024-03-31T23:29:59.123, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "relative",
            0,
            "years",
            "[2024-01-01T00:00:00.000, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "relative",
            0,
            "months",
            "[2024-03-01T00:00:00.000, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "relative",
            0,
            "days",
            "[2024-03-31T00:00:00.000, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "relative",
            0,
            "hours",
            "[2024-03-31T23:00:00.000, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "relative",
            0,
            "minutes",
            "[2024-03-31T23:30:00.000, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "relative",
            2,
            "days",
            "[2024-03-29T00:00:00.000, 2024-03-31T00:00:00.000)",
        ),
        (
            march,
            "relative",
            24,
            "hours",
            "[2024-03-30T23:00:00.000, 2024-03-31T23:00:00.000)",
        ),
        // Zero units ago is now, and below zero is the future.
        (
            march,
            "rolling",
            0,
            "years",
            "[2024-03-31T23:30:15.123, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "rolling",
            -1,
            "days",
            "[2024-04-01T23:30:15.123, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "relative",
            -1,
            "days",
            "[2024-04-01T00:00:00.000, 2024-03-31T00:00:00.000)",
        ),
        // What is before all dates is the first one, and the calendar has no end with the year 9999.
        (
            march,
            "rolling",
            2_100,
            "years",
            "[0000-01-01T00:00:00.000, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "rolling",
            999_999_999,
            "years",
            "[0000-01-01T00:00:00.000, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "relative",
            999_999_999,
            "quarters",
            "[0000-01-01T00:00:00.000, 2024-01-01T00:00:00.000)",
        ),
        (
            march,
            "rolling",
            -999_999_999,
            "days",
            "[+2739931-04-03T23:30:15.123, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "rolling",
            -7_976,
            "years",
            "[+10000-03-31T23:30:15.123, 2024-03-31T23:30:15.123]",
        ),
        (
            march,
            "rolling",
            -999_999_999,
            "years",
            "[+292278994-08-17T07:12:55.806, 2024-03-31T23:30:15.123]",
        ),
    ] {
        assert_eq!(
            range_at(now, kind, value, unit),
            expected,
            "{now} {kind} {value} {unit}"
        );
    }
}

#[test]
fn quarters_start_in_january_april_july_and_october() {
    for (month, start) in [
        ("01-31", "01"),
        ("02-29", "01"),
        ("03-01", "01"),
        ("04-01", "04"),
        ("05-31", "04"),
        ("06-30", "04"),
        ("07-31", "07"),
        ("08-31", "07"),
        ("09-30", "07"),
        ("10-01", "10"),
        ("11-30", "10"),
        ("12-31", "10"),
    ] {
        let now = format!("2024-{month}T12:00:00Z");
        let expected = format!("[2024-{start}-01T00:00:00.000, 2024-{month}T12:00:00.000]");
        assert_eq!(range_at(&now, "relative", 0, "quarters"), expected);
    }
}

#[test]
fn arithmetic_keeps_the_offset_of_now() {
    // It is summer in Berlin: the year starts at 00:00 +02:00, an hour before the clocks showed it.
    let now = now_in(
        Moment::parse("2024-07-10T10:00:00.000Z").unwrap().0,
        "Europe/Berlin",
    );
    let starts = |unit| now.start_of_current_interval(unit).utc_text();
    assert_eq!(
        starts(DateFilterUnit::Years),
        "2023-12-31T22:00:00.000+0000"
    );
    assert_eq!(starts(DateFilterUnit::Days), "2024-07-09T22:00:00.000+0000");
    let half_a_year = Period {
        value: 6,
        unit: DateFilterUnit::Months,
    };
    assert_eq!(
        now.minus(half_a_year).utc_text(),
        "2024-01-10T10:00:00.000+0000"
    );
}

#[test]
fn fixed_ranges_are_inclusive_and_may_be_open() {
    let start = "2024-03-01T11:00:00.000+0100";
    let end = "2024-03-02T00:00:00.000+0000";
    let fixed = |start: Option<&str>, end: Option<&str>| json!({"type": "fixed", "start": start, "end": end});
    assert_eq!(
        filter_clause(
            "instanceStartDate",
            "instance",
            fixed(Some(start), Some(end))
        ),
        json!({"range": {"startDate": {
            "gte": "2024-03-01T10:00:00.000+0000", "lte": "2024-03-02T00:00:00.000+0000", "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}})
    );
    assert_eq!(
        filter_clause("instanceStartDate", "instance", fixed(Some(start), None)),
        json!({"range": {"startDate": {"gte": "2024-03-01T10:00:00.000+0000", "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}})
    );
    assert_eq!(
        filter_clause("instanceEndDate", "instance", fixed(None, Some(end))),
        json!({"range": {"endDate": {"lte": "2024-03-02T00:00:00.000+0000", "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}})
    );
    assert_eq!(
        decision_clause("evaluationDateTime", fixed(Some(start), Some(end))),
        json!({"range": {"evaluationDateTime": {
            "gte": "2024-03-01T10:00:00.000+0000", "lte": "2024-03-02T00:00:00.000+0000", "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}})
    );
    assert_eq!(
        decision_clause(
            "evaluationDateTime",
            json!({"type": "relative", "start": {"value": 1, "unit": "days"}})
        ),
        json!({"range": {"evaluationDateTime": {
            "gte": "2024-03-30T00:00:00.000+0000", "lt": "2024-03-31T00:00:00.000+0000", "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}})
    );
    // Flags for undefined variables mean nothing here.
    let flagged =
        json!({"type": "fixed", "end": end, "includeUndefined": true, "excludeUndefined": true});
    assert_eq!(
        filter_clause("instanceEndDate", "instance", flagged),
        filter_clause("instanceEndDate", "instance", fixed(None, Some(end)))
    );
}

#[test]
fn a_date_filter_without_bounds_narrows_nothing() {
    for (filter_type, data) in [
        ("instanceEndDate", json!({"type": "fixed"})),
        ("instanceEndDate", json!({"type": "relative"})),
        (
            "instanceStartDate",
            json!({"type": "rolling", "start": {"unit": "days"}}),
        ),
        (
            "instanceStartDate",
            json!({"type": "relative", "start": {"value": 1}}),
        ),
    ] {
        assert!(clauses(filter_type, "instance", data, &context()).is_empty());
    }
    let filters = decision_filters(
        json!([{"type": "evaluationDateTime", "data": {"type": "rolling", "start": {}}}]),
    );
    assert!(super::super::decision_narrowing(&filters, &context()).is_empty());
}

#[test]
fn histograms_are_limited_and_extended_by_filters_on_their_date() {
    let start = |data: Value| json!({"type": "instanceStartDate", "filterLevel": "instance", "appliedTo": ["x"], "data": data});
    let end =
        |data: Value| json!({"type": "instanceEndDate", "filterLevel": "instance", "data": data});
    let limits = |filters: Value, grouped_by| {
        instance_date_histogram_limits(&process_filters(filters), grouped_by, &context())
    };
    let millis = |date: &str| date.parse::<Timestamp>().unwrap().as_millisecond();
    let now = millis("2024-03-31T23:30:15.123Z");
    let fixed = json!({"type": "fixed", "start": "2024-03-01T00:00:00.000+0000", "end": "2024-03-05T00:00:00.000+0000"});
    let fixed_range = |field: &str| {
        json!({"range": {field: {
        "gte": "2024-03-01T00:00:00.000+0000", "lte": "2024-03-05T00:00:00.000+0000", "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}})
    };

    let none = limits(json!([]), DateField::Start);
    assert_eq!(
        none,
        DateHistogramLimits {
            filter: json!({"bool": {}}),
            extended_bounds: None
        }
    );

    // On the very date: limited and extended.
    let expected = DateHistogramLimits {
        filter: json!({"bool": {"filter": [fixed_range("startDate")]}}),
        extended_bounds: Some((
            millis("2024-03-01T00:00:00Z"),
            millis("2024-03-05T00:00:00Z"),
        )),
    };
    assert_eq!(
        limits(json!([start(fixed.clone())]), DateField::Start),
        expected
    );
    assert_eq!(
        limits(
            json!([start(fixed.clone()), end(fixed.clone())]),
            DateField::Start
        ),
        expected
    );

    // On the other date alone: limited by it.
    let by_end = limits(json!([end(fixed.clone())]), DateField::Start);
    let expected = DateHistogramLimits {
        filter: json!({"bool": {"filter": [fixed_range("endDate")]}}),
        extended_bounds: None,
    };
    assert_eq!(by_end, expected);
    let by_start = limits(json!([start(fixed.clone())]), DateField::End);
    assert_eq!(
        by_start.filter,
        json!({"bool": {"filter": [fixed_range("startDate")]}})
    );

    // From the earliest start to the latest end, else to now, also where the filter itself ends before that.
    let bounds = |data: &[Value]| {
        let filters: Value = data.iter().map(|data| end(data.clone())).collect();
        limits(filters, DateField::End).extended_bounds
    };
    let relative = json!({"type": "relative", "start": {"value": 1, "unit": "months"}});
    let rolling = json!({"type": "rolling", "start": {"value": 1, "unit": "weeks"}});
    assert_eq!(
        bounds(std::slice::from_ref(&relative)),
        Some((millis("2024-02-01T00:00:00Z"), now))
    );
    assert_eq!(
        bounds(std::slice::from_ref(&rolling)),
        Some((millis("2024-03-24T23:30:15.123Z"), now))
    );
    assert_eq!(
        bounds(&[relative, rolling, fixed]),
        Some((
            millis("2024-02-01T00:00:00Z"),
            millis("2024-03-05T00:00:00Z")
        ))
    );
    let with_end = json!({"type": "relative", "start": {"value": 0, "unit": "months"}, "end": "2024-04-05T00:00:00.000+0000"});
    assert_eq!(
        bounds(&[with_end]),
        Some((
            millis("2024-03-01T00:00:00Z"),
            millis("2024-04-05T00:00:00Z")
        ))
    );
    assert_eq!(
        bounds(&[json!({"type": "fixed", "end": "2024-03-05T00:00:00.000+0000"})]),
        None
    );

    let evaluated = decision_filters(
        json!([{"type": "evaluationDateTime", "data": {"type": "rolling", "start": {"value": 4, "unit": "days"}}}]),
    );
    let limits = evaluation_date_histogram_limits(&evaluated, &context());
    assert_eq!(
        limits.extended_bounds,
        Some((millis("2024-03-27T23:30:15.123Z"), now))
    );
}

/// Any moment from the year 1 to the year 20000.
fn any_moment() -> impl Strategy<Value = Moment> {
    (-62_135_596_800_000_i64..569_000_000_000_000).prop_map(Moment::from_millis)
}

fn any_unit() -> impl Strategy<Value = DateFilterUnit> {
    prop::sample::select(DateFilterUnit::ALL)
}

fn any_zone() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "UTC",
        "Europe/Berlin",
        "America/St_Johns",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Asia/Kathmandu",
    ])
}

proptest! {
    #[test]
    fn an_interval_starts_before_now_and_holds_its_start(now in any_moment(), unit in any_unit(), zone in any_zone()) {
        let local = now_in(now, zone);
        let start = local.start_of_current_interval(unit);
        prop_assert!(start <= now);
        // The same offset, because the clock may have been set back since.
        let at_start = LocalNow { local: start.local(local.offset), offset: local.offset };
        prop_assert_eq!(at_start.start_of_current_interval(unit), start);
    }

    #[test]
    fn relative_ranges_adjoin(now in any_moment(), value in 1..500_i64, unit in any_unit()) {
        let now = LocalNow::new(now, &TimeZone::UTC);
        let start = |value| now.start_of_previous_interval(Period { value, unit });
        prop_assume!(now.local.year() > 600);
        prop_assert_eq!(start(0), now.start_of_current_interval(unit));
        let last_moment_before = Moment::from_millis(start(value - 1).millis() - 1);
        let before = LocalNow::new(last_moment_before, &TimeZone::UTC);
        prop_assert_eq!(before.start_of_current_interval(unit), start(value));
    }

    #[test]
    fn weeks_start_on_monday(now in any_moment(), zone in any_zone()) {
        let now = now_in(now, zone);
        let start = now.start_of_current_interval(DateFilterUnit::Weeks);
        prop_assert_eq!(start.local(now.offset).near().weekday(), Weekday::Monday);
    }

    #[test]
    fn days_of_the_month_are_clamped(now in any_moment(), value in -300..300_i64) {
        let now = LocalNow::new(now, &TimeZone::UTC);
        prop_assume!(now.local.year() > 100);
        let then = now.minus(Period { value, unit: DateFilterUnit::Months }).local(Offset::UTC);
        let (day, then_day) = (now.local.near(), then.near());
        prop_assert_eq!(then_day.day(), day.day().min(then_day.days_in_month()));
        let months = |local: Local| local.year() * 12 + i64::from(local.near().month());
        prop_assert_eq!(months(now.local) - months(then), value);
        prop_assert_eq!(then_day.time(), day.time());
    }

    #[test]
    fn no_number_of_units_and_no_zone_panics(now in any_moment(), value: i64, unit in any_unit(), zone in any_zone()) {
        let local = now_in(now, zone);
        let period = Period { value, unit };
        for start in [DateFilterStart::Rolling(Some(period)), DateFilterStart::Relative(Some(period))] {
            let filter = DateFilter { start, end: None, include_undefined: false, exclude_undefined: false };
            let range = DateRange::of(&filter, &local).unwrap();
            let clause = range.clause("d");
            let from = clause["range"]["d"]["gte"].as_str().and_then(Moment::parse);
            prop_assert_eq!(from.map(|(from, _)| from), range.from);
            let extended = extended_bounds(&[&filter], &FilterContext {
                now: Timestamp::UNIX_EPOCH, time_zone: TimeZone::get(zone).unwrap(), user_task_report: false, assignee_analytics: true,
            });
            prop_assert!(extended.is_none_or(|(first, last)| first <= last));
        }
    }
}
