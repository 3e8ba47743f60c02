//! Filters on assignees and candidate groups of user tasks
//! (crates/optimize/docs/filters.md, "Assignees and candidate groups").
//!
//! `not in` is about one user task: "there is a user task that is not …". So an instance with two tasks can match
//! both `in` and `not in`, and one without user tasks matches neither.

use serde_json::Value;

use super::flow_nodes::is_user_task;
use super::query::{Bool, FLOW_NODE_INSTANCES, any_of, exists, nested, none_of, terms};
use crate::report::definition::{IdentityField, IdentityFilter, MembershipOperator};

/// The process instance has such a user task.
pub fn clause(field: IdentityField, filter: &IdentityFilter) -> Value {
    let mut query = Bool::default();
    add(field, filter, &mut query);
    nested(FLOW_NODE_INSTANCES, query.into())
}

/// Adds that the flow node instance is such a user task. Its people are those of now, not those it once had.
pub fn add(field: IdentityField, filter: &IdentityFilter, query: &mut Bool) {
    let field = match field {
        IdentityField::Assignee => "flowNodeInstances.assignee",
        IdentityField::CandidateGroup => "flowNodeInstances.candidateGroups",
    };
    let mut listed = Vec::new();
    if !filter.ids.is_empty() {
        listed.push(terms(field, filter.ids.clone()));
    }
    if filter.or_unassigned {
        listed.push(none_of(vec![exists(field)]));
    }
    query.must.push(is_user_task());
    match filter.operator {
        MembershipOperator::In => query.must.push(any_of(listed)),
        MembershipOperator::NotIn => query.must_not.push(any_of(listed)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fixtures::{clause, clauses, context, on_flow_nodes};

    #[test]
    fn people_are_those_of_one_user_task() {
        for (filter_type, field) in [
            ("assignee", "flowNodeInstances.assignee"),
            ("candidateGroup", "flowNodeInstances.candidateGroups"),
        ] {
            let user_task =
                json!({"term": {"flowNodeInstances.flowNodeType": {"value": "userTask"}}});
            let listed = json!({"terms": {field: ["demo", "john"]}});
            let nobody = json!({"bool": {"must_not": [{"exists": {"field": field}}]}});
            let any_of = |should: &[&Value]| json!({"bool": {"should": should}});
            for level in ["instance", "view"] {
                let found = |operator: &str, values: Value| {
                    clause(
                        filter_type,
                        level,
                        json!({"operator": operator, "values": values}),
                    )
                };
                assert_eq!(
                    found("in", json!(["demo", "john"])),
                    on_flow_nodes(json!({"bool": {"must": [user_task, any_of(&[&listed])]}}))
                );
                assert_eq!(
                    found("in", json!(["demo", null, "john"])),
                    on_flow_nodes(
                        json!({"bool": {"must": [user_task, any_of(&[&listed, &nobody])]}})
                    )
                );
                assert_eq!(
                    found("not in", json!(["demo", "john"])),
                    on_flow_nodes(
                        json!({"bool": {"must": [user_task], "must_not": [any_of(&[&listed])]}})
                    )
                );
                assert_eq!(
                    found("not in", json!([null])),
                    on_flow_nodes(
                        json!({"bool": {"must": [user_task], "must_not": [any_of(&[&nobody])]}})
                    )
                );
            }
        }
    }

    #[test]
    fn assignees_of_instances_are_left_out_without_assignee_analytics() {
        let mut context = context();
        context.assignee_analytics = false;
        let count = |filter_type, level| {
            let data = json!({"operator": "in", "values": ["demo"]});
            clauses(filter_type, level, data, &context).len()
        };
        assert_eq!(count("assignee", "instance"), 0);
        assert_eq!(count("assignee", "view"), 1);
        assert_eq!(count("candidateGroup", "instance"), 1);
    }
}
