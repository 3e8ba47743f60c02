//! Duration filters (crates/optimize/docs/filters.md, "Durations").
//!
//! What is running has the duration from its start until now. What has neither a duration nor a start date has none.
//!
//! Optimize asks with a script; these queries match the same documents and need none, so they also work where a cluster
//! doesn't allow scripts. For what is running the condition is turned around: it has lasted at least V when it started
//! at least V ago.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::dates::DATE_FORMAT;
use super::query::{Bool, any_of, exists, none_of};
use crate::moment::Moment;
use crate::report::definition::{ComparisonOperator, DurationFilter};

/// The fields that a duration is made of.
pub struct DurationFields {
    /// The duration in milliseconds, once it is over.
    duration: &'static str,
    /// The start date.
    start: &'static str,
}

/// Duration of a process instance.
pub const INSTANCE_DURATION: DurationFields = DurationFields {
    duration: "duration",
    start: "startDate",
};

/// Duration of a flow node instance: always the total one, whichever part of it a report measures.
pub const FLOW_NODE_DURATION: DurationFields = DurationFields {
    duration: "flowNodeInstances.totalDurationInMs",
    start: "flowNodeInstances.startDate",
};

impl DurationFields {
    /// A condition on the duration.
    pub fn clause(&self, filter: &DurationFilter, now: Timestamp) -> Value {
        let compare = range_operator(filter.operator);
        let started = match filter.operator {
            ComparisonOperator::Less => "gt",
            ComparisonOperator::LessOrEqual => "gte",
            ComparisonOperator::Greater => "lt",
            ComparisonOperator::GreaterOrEqual => "lte",
        };
        // As a date, because 7.x takes no epoch milliseconds from before 1970.
        let start = before(now, filter.millis).utc_text();
        let is_running = Bool {
            must_not: vec![exists(self.duration)],
            filter: vec![json!({"range": {self.start: {started: start, "format": DATE_FORMAT}}})],
            ..Bool::default()
        };
        let mut conditions = vec![
            json!({"range": {self.duration: {compare: filter.millis}}}),
            is_running.into(),
        ];
        if filter.include_null {
            conditions.push(none_of(vec![exists(self.duration), exists(self.start)]));
        }
        any_of(conditions)
    }
}

/// The name that a `range` query has for an operator.
pub const fn range_operator(operator: ComparisonOperator) -> &'static str {
    match operator {
        ComparisonOperator::Less => "lt",
        ComparisonOperator::LessOrEqual => "lte",
        ComparisonOperator::Greater => "gt",
        ComparisonOperator::GreaterOrEqual => "gte",
    }
}

fn before(now: Timestamp, millis: i64) -> Moment {
    let before = now.as_millisecond().saturating_sub(millis);
    Moment::from_millis(before).clamp(Moment::EARLIEST, Moment::LATEST)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::{clause, on_flow_nodes};
    use super::*;

    /// An hour before now.
    const HOUR_AGO: &str = "2024-03-31T22:30:15.123+0000";

    /// What a condition on the given fields has to look like, an hour being the bound.
    fn hour(duration: &str, start: &str, operator: &str, turned_around: &str) -> Value {
        json!({"bool": {"should": [
            {"range": {duration: {operator: 3_600_000}}},
            {"bool": {
                "must_not": [{"exists": {"field": duration}}],
                "filter": [{"range": {start: {turned_around: HOUR_AGO, "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}}]}}]}})
    }

    const OPERATORS: [(&str, &str, &str); 4] = [
        ("<", "lt", "gt"),
        ("<=", "lte", "gte"),
        (">", "gt", "lt"),
        (">=", "gte", "lte"),
    ];

    #[test]
    fn instances_are_compared_by_their_duration_or_their_start() {
        for (operator, compared, turned_around) in OPERATORS {
            let data = json!({"value": 1, "unit": "hours", "operator": operator});
            assert_eq!(
                clause("processInstanceDuration", "instance", data),
                hour("duration", "startDate", compared, turned_around)
            );
        }
    }

    #[test]
    fn no_duration_at_all_can_be_included() {
        let data = json!({"value": 60, "unit": "minutes", "operator": ">", "includeNull": true});
        let found = clause("processInstanceDuration", "instance", data);
        let expected = json!({"bool": {"must_not": [{"exists": {"field": "duration"}}, {"exists": {"field": "startDate"}}]}});
        assert_eq!(found["bool"]["should"][2], expected);
    }

    #[test]
    fn flow_nodes_are_compared_by_their_total_duration() {
        let with_id = |id: &str, condition: Value| json!({"bool": {"must": [{"term": {"flowNodeInstances.flowNodeId": {"value": id}}}, condition]}});
        let (duration, start) = (
            "flowNodeInstances.totalDurationInMs",
            "flowNodeInstances.startDate",
        );
        for (operator, compared, turned_around) in OPERATORS {
            let data = json!({
                "A": {"value": 1, "unit": "hours", "operator": operator},
                "B": {"value": 60, "unit": "minutes", "operator": "<"}});
            let expected = on_flow_nodes(json!({"bool": {"minimum_should_match": 1, "should": [
                with_id("A", hour(duration, start, compared, turned_around)),
                with_id("B", hour(duration, start, "lt", "gt"))]}}));
            assert_eq!(
                clause("flowNodeDuration", "instance", data.clone()),
                expected
            );
            assert_eq!(clause("flowNodeDuration", "view", data), expected);
        }
        let any = on_flow_nodes(json!({"bool": {"minimum_should_match": 1}}));
        assert_eq!(clause("flowNodeDuration", "instance", json!({})), any);
    }

    #[test]
    fn a_bound_before_or_after_all_dates_is_the_first_or_last_one() {
        for (millis, expected) in [
            (i64::MAX, "0000-01-01T00:00:00.000+0000"),
            (i64::MIN, "+292278994-08-17T07:12:55.806+0000"),
        ] {
            let data = json!({"value": millis, "unit": "millis", "operator": "<"});
            let found = clause("processInstanceDuration", "instance", data);
            assert_eq!(
                found["bool"]["should"][0]["range"]["duration"]["lt"],
                millis
            );
            assert_eq!(
                found["bool"]["should"][1]["bool"]["filter"][0]["range"]["startDate"]["gt"],
                expected
            );
        }
    }
}
