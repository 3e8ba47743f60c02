//! How many decision instances there are: all of them, per evaluation date, per matched rule.

use serde_json::{Value, json};

use super::{counts, export};
use crate::support::Optimize;
use crate::support::documents::{decision, decision_report, selection, with};

fn frequency(group_by: Value) -> Value {
    json!({"view": {"properties": ["frequency"]}, "groupBy": group_by})
}

fn by_date(unit: &str) -> Value {
    json!({"groupBy": {"type": "evaluationDateTime", "value": {"unit": unit}}})
}

fn sorted_by(by: &str, order: &str) -> Value {
    json!({"configuration": {"sorting": {"by": by, "order": order}}})
}

/// Instances with these evaluation dates.
fn evaluated_at(optimize: &Optimize, dates: &[&str]) {
    let instances = dates.iter().enumerate().map(|(number, date)| {
        let changes = json!({"evaluationDateTime": format!("{date}+0000")});
        decision("invoice", &format!("d-{number}"), changes)
    });
    optimize.store_decisions("invoice", instances);
}

/// The keys without what all of them end with.
fn short(counts: &str) -> String {
    counts.replace(":00.000+0000", "")
}

#[test]
fn all_together() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    let nothing = json!({"numberOfRecordsInResponse": 1, "totalNumberOfRecords": 1, "reportId": "empty", "data": 0.0});
    let all = frequency(json!({"type": "none", "value": null}));
    assert_eq!(export(&optimize, &service, "empty", all.clone()), nothing);
    let of_version = |id: &str, version: &str| {
        decision("invoice", id, json!({"decisionDefinitionVersion": version}))
    };
    optimize.store_decisions("invoice", ["a", "b", "c"].map(|id| of_version(id, "1")));
    optimize.store_decisions("invoice", [of_version("d", "2")]);
    optimize.store_decisions("order", [decision("order", "e", json!({}))]);
    let number = |report_id: &str, changes: Value| {
        let answer = export(&optimize, &service, report_id, with(all.clone(), changes));
        assert_eq!(answer["totalNumberOfRecords"], 1);
        answer["data"].clone()
    };
    assert_eq!(number("all", json!({})), json!(4.0));
    let selected = |changes: Value| json!({"definitions": [with(selection("invoice"), changes), selection("order")]});
    assert_eq!(
        number("version", selected(json!({"versions": ["2"]}))),
        json!(1.0)
    );
    assert_eq!(
        number("tenant", selected(json!({"tenantIds": ["acme"]}))),
        json!(0.0)
    );
    let until_2020 = json!({"type": "fixed", "start": null, "end": "2020-01-01T00:00:00.000+0000"});
    let filter = json!([{"type": "evaluationDateTime", "data": until_2020, "appliedTo": ["all"]}]);
    assert_eq!(number("filtered", json!({"filter": filter})), json!(0.0));
    // Numbers have a fraction, even one of zero; and what a number is distributed by does not matter.
    optimize.store_report(decision_report(
        "text",
        "invoice",
        with(
            all,
            json!({"distributedBy": {"type": "process", "value": null}}),
        ),
    ));
    let text = service.first_page("text", 10);
    assert!(text.text().ends_with(r#""data":4.0}"#), "{}", text.text());
}

#[test]
fn per_date_of_every_unit() {
    let optimize = Optimize::install();
    evaluated_at(
        &optimize,
        &[
            "2023-12-31T23:59:59.999",
            "2024-01-01T00:00:00.000",
            "2024-01-01T00:00:59.000",
            "2024-01-01T02:00:00.000",
        ],
    );
    let service = optimize.serve();
    let per = |unit: &str| short(&counts(&optimize, &service, unit, by_date(unit)));
    assert_eq!(per("year"), "2024-01-01T00:00=3.0 2023-01-01T00:00=1.0");
    assert_eq!(per("month"), "2024-01-01T00:00=3.0 2023-12-01T00:00=1.0");
    // The last day of 2023 is a Sunday, and weeks start on Monday.
    assert_eq!(per("week"), "2024-01-01T00:00=3.0 2023-12-25T00:00=1.0");
    assert_eq!(per("day"), "2024-01-01T00:00=3.0 2023-12-31T00:00=1.0");
    assert_eq!(
        per("hour"),
        "2024-01-01T02:00=1.0 2024-01-01T01:00=0.0 2024-01-01T00:00=2.0 2023-12-31T23:00=1.0"
    );
    let minutes = per("minute");
    assert!(
        minutes.starts_with("2024-01-01T02:00=1.0 2024-01-01T01:59=0.0 "),
        "{minutes}"
    );
    assert!(
        minutes.ends_with(" 2024-01-01T00:00=2.0 2023-12-31T23:59=1.0"),
        "{minutes}"
    );
    assert_eq!(minutes.split(' ').count(), 122);
    assert_eq!(
        short(&counts(
            &optimize,
            &service,
            "sorted",
            with(by_date("day"), sorted_by("key", "asc"))
        )),
        "2023-12-31T00:00=1.0 2024-01-01T00:00=3.0"
    );
    assert_eq!(
        short(&counts(
            &optimize,
            &service,
            "by-value",
            with(by_date("hour"), sorted_by("value", "desc"))
        )),
        // Equal ones keep the order of their dates.
        "2024-01-01T00:00=2.0 2024-01-01T02:00=1.0 2023-12-31T23:00=1.0 2024-01-01T01:00=0.0"
    );
}

#[test]
fn per_date_in_about_eighty_intervals() {
    let optimize = Optimize::install();
    evaluated_at(
        &optimize,
        &[
            "2024-01-01T00:00:00.000",
            "2024-01-01T00:00:00.999",
            "2024-01-01T00:00:01.000",
            "2024-01-01T00:01:20.000",
        ],
    );
    let service = optimize.serve();
    // 80 seconds make 80 buckets of one; the last one has the end too.
    let buckets = counts(&optimize, &service, "automatic", by_date("automatic"));
    assert_eq!(buckets.split(' ').count(), 80);
    let filled: Vec<&str> = buckets
        .split(' ')
        .filter(|bucket| !bucket.ends_with("=0.0"))
        .collect();
    assert_eq!(
        filled,
        [
            "2024-01-01T00:01:19.000+0000=1.0",
            "2024-01-01T00:00:01.000+0000=1.0",
            "2024-01-01T00:00:00.000+0000=2.0"
        ]
    );
    let single = Optimize::install();
    evaluated_at(
        &single,
        &["2024-05-17T10:20:30.400", "2024-05-17T10:20:30.400"],
    );
    assert_eq!(
        counts(&single, &single.serve(), "single", by_date("automatic")),
        "2024-05-01T00:00:00.000+0000=2.0"
    );
}

#[test]
fn filters_on_the_date_extend_the_calendar() {
    let optimize = Optimize::install();
    evaluated_at(
        &optimize,
        &["2024-01-02T12:00:00.000", "2024-01-05T12:00:00.000"],
    );
    let service = optimize.serve();
    let filtered = |unit: &str, start: Option<&str>, end: Option<&str>| {
        let data = json!({"type": "fixed", "start": start, "end": end});
        let filter = json!([{"type": "evaluationDateTime", "data": data, "appliedTo": ["all"]}]);
        with(by_date(unit), json!({"filter": filter}))
    };
    let (first, last) = (
        Some("2024-01-01T06:00:00.000+0000"),
        Some("2024-01-04T06:00:00.000+0000"),
    );
    assert_eq!(
        short(&counts(
            &optimize,
            &service,
            "both",
            filtered("day", first, last)
        )),
        "2024-01-04T00:00=0.0 2024-01-03T00:00=0.0 2024-01-02T00:00=1.0 2024-01-01T00:00=0.0"
    );
    // Without a start there is nothing to extend to.
    assert_eq!(
        short(&counts(
            &optimize,
            &service,
            "end",
            filtered("day", None, last)
        )),
        "2024-01-02T00:00=1.0"
    );
    // A single instance is left, and there is nothing to be divided: its month is the bucket.
    assert_eq!(
        short(&counts(
            &optimize,
            &service,
            "automatic",
            filtered("automatic", first, last)
        )),
        "2024-01-01T00:00=1.0"
    );
    let none = filtered(
        "day",
        Some("2025-01-01T00:00:00.000+0000"),
        Some("2025-01-02T00:00:00.000+0000"),
    );
    assert_eq!(counts(&optimize, &service, "none", none), "");
}

#[test]
fn per_matched_rule() {
    let optimize = Optimize::install();
    let rules = |id: &str, rules: &[&str]| decision("invoice", id, json!({"matchedRules": rules}));
    optimize.store_decisions(
        "invoice",
        [
            rules("a", &["r2", "r1"]),
            rules("b", &["r2"]),
            rules("c", &["R3"]),
            rules("d", &[]),
            rules("e", &["r1"]),
            rules("f", &["r2"]),
        ],
    );
    let by_rule = json!({"groupBy": {"type": "matchedRule", "value": null}});
    let service = optimize.serve();
    assert_eq!(
        counts(&optimize, &service, "default", by_rule.clone()),
        "r1=2.0 r2=3.0 R3=1.0"
    );
    assert_eq!(
        counts(
            &optimize,
            &service,
            "by-value",
            with(by_rule.clone(), sorted_by("value", "desc"))
        ),
        "r2=3.0 r1=2.0 R3=1.0"
    );
    assert_eq!(
        counts(
            &optimize,
            &service,
            "descending",
            with(by_rule.clone(), sorted_by("label", "desc"))
        ),
        "R3=1.0 r2=3.0 r1=2.0"
    );
    // The most frequent ones stay, and the rest is not told.
    let limited = optimize.serve_with(&["--aggregation-bucket-limit", "2"]);
    assert_eq!(
        counts(&optimize, &limited, "limited", by_rule),
        "r1=2.0 r2=3.0"
    );
}

#[test]
fn groups_come_whole_whatever_the_limit() {
    let optimize = Optimize::install();
    evaluated_at(
        &optimize,
        &["2024-01-02T12:00:00.000", "2024-01-05T12:00:00.000"],
    );
    optimize.store_report(decision_report(
        "r",
        "invoice",
        with(frequency(json!({})), by_date("day")),
    ));
    let answer = optimize.serve().first_page("r", 1).ok();
    assert_eq!(answer["numberOfRecordsInResponse"], 4);
    let message = answer["message"].as_str().unwrap();
    assert!(
        message
            .starts_with("All records are delivered in this response regardless of the set limit"),
        "{message}"
    );
}

#[test]
fn what_is_not_there_is_an_empty_result() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    let clause = |kind: &str, variable_type: &str| json!({"type": kind, "value": {"id": "c", "type": variable_type}});
    let group_bys = [
        by_date("day")["groupBy"].clone(),
        by_date("automatic")["groupBy"].clone(),
        json!({"type": "matchedRule"}),
        clause("inputVariable", "String"),
        clause("outputVariable", "Double"),
        clause("inputVariable", "Date"),
    ];
    for (number, group_by) in group_bys.iter().enumerate() {
        let report = |name: &str| format!("{name}-{number}");
        let changes = json!({"groupBy": group_by});
        assert_eq!(
            counts(&optimize, &service, &report("no-index"), changes.clone()),
            ""
        );
        let latest =
            json!({"definitions": [with(selection("invoice"), json!({"versions": ["latest"]}))]});
        let answer = export(
            &optimize,
            &service,
            &report("latest"),
            with(frequency(group_by.clone()), latest),
        );
        assert_eq!(answer["data"], json!([]));
        let message = answer["message"].as_str().unwrap();
        assert!(
            message.contains("latest version of definition with key: invoice"),
            "{message}"
        );
        let nothing = with(changes, json!({"definitions": []}));
        assert_eq!(counts(&optimize, &service, &report("nothing"), nothing), "");
    }
}

#[test]
fn illegal_combinations_are_refused() {
    let optimize = Optimize::install();
    optimize.store_decisions("invoice", [decision("invoice", "a", json!({}))]);
    let service = optimize.serve();
    let of = |properties: Value, group_by: Value| json!({"view": {"properties": properties}, "groupBy": group_by});
    let none = || json!({"type": "none"});
    let input = |variable_type: Value| json!({"type": "inputVariable", "value": {"id": "c", "type": variable_type}});
    for (number, (changes, part)) in [
        (
            of(json!(["rawData"]), json!({"type": "matchedRule"})),
            "It is `rawData_matchedRule`, expected rawData_none, frequency_none",
        ),
        (
            of(json!(["rawData"]), input(json!("String"))),
            "It is `rawData_inputVariable`",
        ),
        (
            of(
                json!(["rawData", "frequency"]),
                by_date("day")["groupBy"].clone(),
            ),
            "It is `rawData_evaluationDateTime`",
        ),
        (of(json!(["duration"]), none()), "It is `duration_none`"),
        (of(json!(["percentage"]), none()), "It is `percentage_none`"),
        (of(json!([]), none()), "It is `null_none`"),
        (of(json!([null]), none()), "It is `null_none`"),
        (
            of(json!(["frequency"]), json!(null)),
            "It is `frequency_null`",
        ),
        (
            of(json!(["frequency"]), json!({"type": "flowNodes"})),
            "data.groupBy",
        ),
        (
            of(json!(["frequency"]), json!({"type": null})),
            "data.groupBy",
        ),
        (
            of(json!(["frequency"]), by_date("quarter")["groupBy"].clone()),
            "data.groupBy",
        ),
        (of(json!(["frequency"]), input(json!(null))), "data.groupBy"),
        (
            of(json!(["frequency"]), input(json!("Number"))),
            "data.groupBy",
        ),
        (
            of(json!(["frequency"]), input(json!("Object"))),
            "data.groupBy.value.type",
        ),
        (json!({"view": null}), "data.view"),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("illegal-{number}");
        optimize.store_report(decision_report(&id, "invoice", changes.clone()));
        let (status, code, detail) = service.first_page(&id, 10).error();
        assert_eq!(
            (status, code.as_str()),
            (400, "reportEvaluationError"),
            "{changes} {detail}"
        );
        assert!(detail.contains(part), "{changes} {detail}");
    }
    // Only the first property is evaluated.
    let several = of(json!(["frequency", "rawData", "duration"]), none());
    assert_eq!(
        export(&optimize, &service, "several", several)["data"],
        json!(1.0)
    );
}

#[test]
fn a_report_that_counts_has_no_next_page() {
    let optimize = Optimize::install();
    optimize.store_decisions(
        "invoice",
        ["a", "b"].map(|id| decision("invoice", id, json!({}))),
    );
    optimize.store_report(decision_report("r", "invoice", json!({})));
    let service = optimize.serve_with(&["--cache-ttl", "0"]);
    let page = service.first_page("r", 1).ok();
    optimize.store_report(decision_report(
        "r",
        "invoice",
        frequency(json!({"type": "none"})),
    ));
    let (status, code, detail) = service.next_page("r", &page).error();
    assert_eq!(
        (status, code.as_str()),
        (400, "badRequestError"),
        "{detail}"
    );
    assert!(detail.contains("no longer a raw data report"), "{detail}");
    // An id that means nothing here is ignored.
    let answer = service
        .export(
            "r",
            "limit=10&paginationTimeout=60&searchRequestId=whatever",
        )
        .ok();
    assert_eq!(answer["data"], json!(2.0));
}
