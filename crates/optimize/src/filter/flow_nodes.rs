//! Filters on flow nodes: which ran, when, how long, and what became of them
//! (crates/optimize/docs/filters.md, "Flow nodes" and "Durations").
//!
//! A filter of the view level adds its clauses to a query on one flow node instance; a filter of the instance level
//! asks whether the process instance has such a flow node instance.

use jiff::Timestamp;
use serde_json::Value;

use super::FilterContext;
use super::dates;
use super::durations::FLOW_NODE_DURATION;
use super::query::{
    Bool, FLOW_NODE_INSTANCES, all_of, any_of, exists, nested, none_of, term, terms,
};
use crate::report::definition::{
    DateField, DurationFilter, ExecutedFlowNodes, FlowNodeDateFilter, FlowNodeStatus,
    MembershipOperator,
};

const ID: &str = "flowNodeInstances.flowNodeId";
const TYPE: &str = "flowNodeInstances.flowNodeType";
const CANCELED: &str = "flowNodeInstances.canceled";
const START_DATE: &str = "flowNodeInstances.startDate";
const END_DATE: &str = "flowNodeInstances.endDate";

/// Type of a user task.
const USER_TASK: &str = "userTask";
/// Type of what holds the instances of a multi-instance activity together; it has no state of its own.
const MULTI_INSTANCE_BODY: &str = "multiInstanceBody";

/// The flow node instance is a user task.
pub fn is_user_task() -> Value {
    term(TYPE, USER_TASK)
}

/// The process instance has a user task.
pub fn has_user_task() -> Value {
    has_flow_node(all_of(vec![is_user_task()]))
}

fn has_flow_node(query: impl Into<Value>) -> Value {
    nested(FLOW_NODE_INSTANCES, query.into())
}

/// One of these flow nodes was reached, or none of them, whatever became of it.
pub fn executed_clause(filter: &ExecutedFlowNodes) -> Value {
    let reached = filter
        .flow_node_ids
        .iter()
        .map(|id| has_flow_node(term(ID, id.as_str())));
    match filter.operator {
        MembershipOperator::In => any_of(reached.collect()),
        MembershipOperator::NotIn => none_of(reached.collect()),
    }
}

/// One of these flow nodes has not ended.
pub fn executing_clause(flow_node_ids: &[String]) -> Value {
    let running = flow_node_ids.iter().map(|id| {
        has_flow_node(Bool {
            must: vec![term(ID, id.as_str())],
            must_not: vec![exists(END_DATE)],
            ..Bool::default()
        })
    });
    any_of(running.collect())
}

/// One of these flow nodes was canceled.
pub fn canceled_clause(flow_node_ids: &[String]) -> Value {
    let canceled = flow_node_ids
        .iter()
        .map(|id| has_flow_node(all_of(vec![term(CANCELED, true), term(ID, id.as_str())])));
    any_of(canceled.collect())
}

/// One of the filter's flow nodes started or ended in its span of time.
pub fn date_clause(
    field: DateField,
    filter: &FlowNodeDateFilter,
    context: &FilterContext,
) -> Value {
    let mut query = Bool::default();
    if let Some(in_range) = date_range(field, filter, context) {
        query.needs_one = true;
        let with_id = filter
            .flow_node_ids
            .iter()
            .map(|id| all_of(vec![term(ID, id.as_str()), in_range.clone()]));
        query.should = with_id.collect();
    }
    has_flow_node(query)
}

/// The flow node instance started or ended in the filter's span of time.
pub fn date_range(
    field: DateField,
    filter: &FlowNodeDateFilter,
    context: &FilterContext,
) -> Option<Value> {
    let field = match field {
        DateField::Start => START_DATE,
        DateField::End => END_DATE,
    };
    dates::clause(&filter.date, field, context)
}

/// One of the listed flow nodes lasted as long as its condition says.
pub fn duration_clause(conditions: &[(String, DurationFilter)], now: Timestamp) -> Value {
    let mut query = Bool::default();
    add_durations(conditions, now, &mut query);
    has_flow_node(query)
}

/// Adds that the flow node instance is a listed one and lasted as long as its condition says. Two such filters in one
/// query become alternatives.
pub fn add_durations(conditions: &[(String, DurationFilter)], now: Timestamp, query: &mut Bool) {
    let lasted = conditions.iter().map(|(id, condition)| {
        let duration = FLOW_NODE_DURATION.clause(condition, now);
        all_of(vec![term(ID, id.as_str()), duration])
    });
    query.needs_one = true;
    query.should.extend(lasted);
}

/// Adds that the flow node instance is one of the filter's, or none of them; `id_field` is where its id stands.
pub fn add_ids(filter: &ExecutedFlowNodes, id_field: &str, query: &mut Bool) {
    let listed = terms(id_field, filter.flow_node_ids.clone());
    query.filter.push(match filter.operator {
        MembershipOperator::In => listed,
        MembershipOperator::NotIn => none_of(vec![listed]),
    });
}

/// The same on the flow node instance's own id.
pub fn add_flow_node_ids(filter: &ExecutedFlowNodes, query: &mut Bool) {
    add_ids(filter, ID, query);
}

/// Adds that the flow node instance is in a state. Where it does not say whether it was canceled, it is neither canceled
/// nor completed.
pub fn add_status(status: FlowNodeStatus, query: &mut Bool) {
    query.must_not.push(term(TYPE, MULTI_INSTANCE_BODY));
    match status {
        FlowNodeStatus::Running => query.must_not.push(exists(END_DATE)),
        FlowNodeStatus::Completed => {
            query.must.push(term(CANCELED, false));
            query.must.push(exists(END_DATE));
        }
        FlowNodeStatus::Canceled => query.must.push(term(CANCELED, true)),
        FlowNodeStatus::CompletedOrCanceled => query.must.push(exists(END_DATE)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixtures::{clause, on_flow_nodes};
    use super::*;

    fn with_id(id: &str) -> Value {
        json!({"term": {"flowNodeInstances.flowNodeId": {"value": id}}})
    }

    #[test]
    fn executed_flow_nodes_are_reached_or_not() {
        let data = |operator: &str, ids: &[&str]| json!({"operator": operator, "values": ids});
        let reached = [on_flow_nodes(with_id("A")), on_flow_nodes(with_id("B"))];
        let executed = |data| clause("executedFlowNodes", "instance", data);
        assert_eq!(
            executed(data("in", &["A", "B"])),
            json!({"bool": {"should": reached}})
        );
        assert_eq!(
            executed(data("not in", &["A", "B"])),
            json!({"bool": {"must_not": reached}})
        );
        assert_eq!(executed(data("in", &[])), json!({"bool": {}}));
        assert_eq!(executed(data("not in", &[])), json!({"bool": {}}));
    }

    #[test]
    fn executed_flow_nodes_of_a_view_are_the_ones_it_looks_at() {
        let data = |operator: &str, ids: &[&str]| json!({"operator": operator, "values": ids});
        let executed = |data| clause("executedFlowNodes", "view", data);
        let listed = json!({"terms": {"flowNodeInstances.flowNodeId": ["A", "B"]}});
        assert_eq!(
            executed(data("in", &["A", "B"])),
            on_flow_nodes(json!({"bool": {"filter": [listed]}}))
        );
        assert_eq!(
            executed(data("not in", &["A", "B"])),
            on_flow_nodes(json!({"bool": {"filter": [{"bool": {"must_not": [listed]}}]}}))
        );
        let none = json!({"terms": {"flowNodeInstances.flowNodeId": []}});
        assert_eq!(
            executed(data("in", &[])),
            on_flow_nodes(json!({"bool": {"filter": [none]}}))
        );
    }

    #[test]
    fn executing_flow_nodes_have_no_end() {
        let running = |id: &str| {
            on_flow_nodes(
                json!({"bool": {"must": [with_id(id)], "must_not": [{"exists": {"field": "flowNodeInstances.endDate"}}]}}),
            )
        };
        assert_eq!(
            clause(
                "executingFlowNodes",
                "instance",
                json!({"values": ["A", "B"]})
            ),
            json!({"bool": {"should": [running("A"), running("B")]}})
        );
        assert_eq!(
            clause("executingFlowNodes", "instance", json!({"values": []})),
            json!({"bool": {}})
        );
    }

    #[test]
    fn canceled_flow_nodes_say_so() {
        let canceled = |id: &str| {
            on_flow_nodes(
                json!({"bool": {"must": [{"term": {"flowNodeInstances.canceled": {"value": true}}}, with_id(id)]}}),
            )
        };
        assert_eq!(
            clause(
                "canceledFlowNodes",
                "instance",
                json!({"values": ["A", "B"]})
            ),
            json!({"bool": {"should": [canceled("A"), canceled("B")]}})
        );
        assert_eq!(
            clause("canceledFlowNodes", "instance", json!({"values": []})),
            json!({"bool": {}})
        );
    }

    #[test]
    fn dates_are_those_of_one_flow_node_instance() {
        for (filter_type, field) in [
            ("flowNodeStartDate", "flowNodeInstances.startDate"),
            ("flowNodeEndDate", "flowNodeInstances.endDate"),
        ] {
            let range = json!({"range": {field: {
                "gte": "2024-03-01T00:00:00.000+0000", "lte": "2024-03-01T23:59:59.999+0000", "format": "uuuu-MM-dd'T'HH:mm:ss.SSSZ"}}});
            let data = |ids: Value| {
                json!({"type": "fixed", "start": "2024-03-01T00:00:00.000+0000",
                "end": "2024-03-01T23:59:59.999+0000", "flowNodeIds": ids})
            };
            let with_id = |id: &str| json!({"bool": {"must": [with_id(id), range]}});
            assert_eq!(
                clause(filter_type, "instance", data(json!(["A", "B"]))),
                on_flow_nodes(
                    json!({"bool": {"minimum_should_match": 1, "should": [with_id("A"), with_id("B")]}})
                )
            );
            assert_eq!(
                clause(filter_type, "view", data(json!(null))),
                on_flow_nodes(json!({"bool": {"filter": [range]}}))
            );
        }
    }

    #[test]
    fn states_leave_multi_instance_bodies_out() {
        let body =
            json!({"term": {"flowNodeInstances.flowNodeType": {"value": "multiInstanceBody"}}});
        let ended = json!({"exists": {"field": "flowNodeInstances.endDate"}});
        let canceled =
            |canceled: bool| json!({"term": {"flowNodeInstances.canceled": {"value": canceled}}});
        for (filter_type, expected) in [
            ("runningFlowNodesOnly", json!({"must_not": [body, ended]})),
            (
                "completedFlowNodesOnly",
                json!({"must_not": [body], "must": [canceled(false), ended]}),
            ),
            (
                "canceledFlowNodesOnly",
                json!({"must_not": [body], "must": [canceled(true)]}),
            ),
            (
                "completedOrCanceledFlowNodesOnly",
                json!({"must_not": [body], "must": [ended]}),
            ),
        ] {
            assert_eq!(
                clause(filter_type, "view", json!(null)),
                on_flow_nodes(json!({"bool": expected}))
            );
        }
    }
}
