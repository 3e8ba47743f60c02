//! Filters on incidents (crates/optimize/docs/filters.md, "Incidents").

use serde_json::Value;

use super::query::{INCIDENTS, all_of, exists, nested, none_of, term};
use crate::report::definition::IncidentCondition;

/// The process instance has an incident in this state, or no incident at all. Two such filters can be met by two
/// incidents.
pub fn clause(condition: IncidentCondition) -> Value {
    match status(condition) {
        Some(status) => nested(INCIDENTS, all_of(vec![status])),
        None => none_of(vec![nested(INCIDENTS, exists(INCIDENTS))]),
    }
}

/// The incident is in the state that the condition asks for; `None` where it asks for no incident.
pub fn status(condition: IncidentCondition) -> Option<Value> {
    let status = match condition {
        IncidentCondition::Open => "open",
        IncidentCondition::Deleted => "deleted",
        IncidentCondition::Resolved => "resolved",
        IncidentCondition::Absent => return None,
    };
    Some(term("incidents.incidentStatus", status))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::clause;

    #[test]
    fn incidents_are_told_by_their_status() {
        for (filter_type, status, levels) in [
            ("includesOpenIncident", "open", &["instance", "view"][..]),
            (
                "includesResolvedIncident",
                "resolved",
                &["instance", "view"],
            ),
            ("includesClosedIncident", "deleted", &["instance"]),
        ] {
            for level in levels {
                let expected = json!({"nested": {"path": "incidents", "score_mode": "none", "query": {"bool": {"must": [
                    {"term": {"incidents.incidentStatus": {"value": status}}}]}}}});
                assert_eq!(clause(filter_type, level, json!(null)), expected);
            }
        }
    }

    #[test]
    fn no_incident_is_none_of_any_status() {
        let expected = json!({"bool": {"must_not": [
            {"nested": {"path": "incidents", "score_mode": "none", "query": {"exists": {"field": "incidents"}}}}]}});
        assert_eq!(
            clause("doesNotIncludeIncident", "instance", json!(null)),
            expected
        );
    }
}
