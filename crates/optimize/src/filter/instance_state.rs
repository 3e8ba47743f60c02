//! Filters on the state of a process instance (crates/optimize/docs/filters.md, "States of instances").

use serde_json::Value;

use super::query::{all_of, any_of, exists, none_of, term};
use crate::report::definition::InstanceState;

/// The process instance is in this state. One that was canceled has ended, so it is completed too; one without a state is
/// neither canceled nor suspended.
pub fn clause(state: InstanceState) -> Value {
    let has_state = |state: &str| term("state", state);
    let canceled = vec![
        has_state("EXTERNALLY_TERMINATED"),
        has_state("INTERNALLY_TERMINATED"),
    ];
    match state {
        InstanceState::Running => none_of(vec![exists("endDate")]),
        InstanceState::Completed => completed(),
        InstanceState::Canceled => any_of(canceled),
        InstanceState::NonCanceled => none_of(canceled),
        InstanceState::Suspended => any_of(vec![has_state("SUSPENDED")]),
        InstanceState::NonSuspended => none_of(vec![has_state("SUSPENDED")]),
    }
}

/// The process instance has ended.
pub fn completed() -> Value {
    all_of(vec![exists("endDate")])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::clause;

    #[test]
    fn instances_are_told_by_end_date_or_state() {
        let state = |state: &str| json!({"term": {"state": {"value": state}}});
        let canceled = json!([
            state("EXTERNALLY_TERMINATED"),
            state("INTERNALLY_TERMINATED")
        ]);
        let ended = json!([{"exists": {"field": "endDate"}}]);
        for (filter_type, expected) in [
            ("runningInstancesOnly", json!({"must_not": ended})),
            ("completedInstancesOnly", json!({"must": ended})),
            ("canceledInstancesOnly", json!({"should": canceled})),
            ("nonCanceledInstancesOnly", json!({"must_not": canceled})),
            (
                "suspendedInstancesOnly",
                json!({"should": [state("SUSPENDED")]}),
            ),
            (
                "nonSuspendedInstancesOnly",
                json!({"must_not": [state("SUSPENDED")]}),
            ),
        ] {
            assert_eq!(
                clause(filter_type, "instance", json!(null)),
                json!({"bool": expected})
            );
        }
    }
}
