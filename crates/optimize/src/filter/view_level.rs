//! Filters of the view level (crates/optimize/docs/filters.md, "The view level").
//!
//! On process instances all of them together ask for **one** flow node instance that satisfies every one of them, and for
//! one incident. In aggregations each of them stands alone, which is the same but for durations: two duration filters
//! are alternatives on process instances, and have both to hold in aggregations. Optimize does it so.

use serde_json::Value;

use super::query::{Bool, FLOW_NODE_INSTANCES, INCIDENTS, all_of, nested};
use super::{FilterContext, for_all_definitions, for_definition};
use super::{flow_nodes, identities, incidents};
use crate::report::definition::{FilterLevel, ProcessFilter, ProcessFilterKind};
use crate::scope::{
    DefinitionFields, DefinitionScope, FLOW_NODE_DEFINITION_FIELDS, INCIDENT_DEFINITION_FIELDS,
};

/// Where the flow node of an incident stands.
const INCIDENT_FLOW_NODE_ID: &str = "incidents.activityId";

/// At most two clauses that narrow process instances to those with a flow node and an incident that the filters let
/// through.
pub fn instance_clauses(filters: &[&ProcessFilter], context: &FilterContext) -> Vec<Value> {
    let mut clauses = Vec::new();
    let mut flow_node = Bool::default();
    if context.user_task_report {
        flow_node.must.push(flow_nodes::is_user_task());
    }
    let mut asks_for_flow_node = false;
    let mut incident = Vec::new();
    for kind in on_view_level(filters) {
        asks_for_flow_node |= add_to_flow_node(kind, context, &mut flow_node);
        incident.extend(incident_status(kind));
    }
    if asks_for_flow_node {
        clauses.push(nested(FLOW_NODE_INSTANCES, flow_node.into()));
    }
    if !incident.is_empty() {
        clauses.push(nested(INCIDENTS, all_of(incident)));
    }
    clauses
}

/// The flow nodes that a report looks at, as a filter within the nested `flowNodeInstances`: those of its definitions,
/// user tasks alone in a user task report, and what the filters of the view level let through
/// (crates/optimize/docs/filters.md, "Filters inside aggregations"; `ModelElementFilterQueryUtilES`).
pub fn model_element_filter(
    filters: &[ProcessFilter],
    definitions: &[DefinitionScope],
    context: &FilterContext,
) -> Value {
    let clauses = |applied: Vec<&ProcessFilter>| -> Vec<Value> {
        on_view_level(&applied)
            .filter_map(|kind| flow_node_clause(kind, context))
            .collect()
    };
    let mut query = element_filter(filters, definitions, &FLOW_NODE_DEFINITION_FIELDS, clauses);
    if context.user_task_report {
        query.must.push(flow_nodes::is_user_task());
    }
    query.into()
}

/// The incidents that a report looks at, as a filter within the nested `incidents`: those of its definitions that the
/// filters of the view level let through (crates/optimize/docs/filters.md, "Filters inside aggregations";
/// `IncidentFilterQueryUtilES`). A filter on executed flow nodes is about the flow node of the incident here.
pub fn incident_filter(filters: &[ProcessFilter], definitions: &[DefinitionScope]) -> Value {
    let clauses = |applied: Vec<&ProcessFilter>| -> Vec<Value> {
        on_view_level(&applied)
            .filter_map(incident_clause)
            .collect()
    };
    element_filter(filters, definitions, &INCIDENT_DEFINITION_FIELDS, clauses).into()
}

fn element_filter(
    filters: &[ProcessFilter],
    definitions: &[DefinitionScope],
    fields: &DefinitionFields,
    clauses: impl Fn(Vec<&ProcessFilter>) -> Vec<Value>,
) -> Bool {
    let of_definition = |definition: &DefinitionScope| {
        Value::from(Bool {
            must: definition.clauses(fields),
            filter: clauses(for_definition(filters, definition)),
            ..Bool::default()
        })
    };
    Bool {
        should: definitions.iter().map(of_definition).collect(),
        // A report without definitions is about all of them.
        needs_one: !definitions.is_empty(),
        filter: clauses(for_all_definitions(filters)),
        ..Bool::default()
    }
}

fn on_view_level<'a>(
    filters: &'a [&'a ProcessFilter],
) -> impl Iterator<Item = &'a ProcessFilterKind> {
    let on_view = filters.iter().filter(|f| f.level == FilterLevel::View);
    on_view.map(|filter| &filter.kind)
}

/// A filter as a clause of its own on a flow node instance; `None` where it is about something else.
fn flow_node_clause(kind: &ProcessFilterKind, context: &FilterContext) -> Option<Value> {
    if let ProcessFilterKind::FlowNodeDate(field, filter) = kind {
        return flow_nodes::date_range(*field, filter, context);
    }
    let mut query = Bool::default();
    add_to_flow_node(kind, context, &mut query).then(|| query.into())
}

/// Adds a filter to a query on a flow node instance, and says whether it is about flow nodes.
fn add_to_flow_node(kind: &ProcessFilterKind, context: &FilterContext, query: &mut Bool) -> bool {
    match kind {
        ProcessFilterKind::FlowNodeStatus(status) => flow_nodes::add_status(*status, query),
        ProcessFilterKind::FlowNodeDuration(conditions) => {
            flow_nodes::add_durations(conditions, context.now, query);
        }
        ProcessFilterKind::ExecutedFlowNodes(filter) => {
            flow_nodes::add_flow_node_ids(filter, query);
        }
        ProcessFilterKind::FlowNodeDate(field, filter) => {
            query
                .filter
                .extend(flow_nodes::date_range(*field, filter, context));
        }
        ProcessFilterKind::Identity(field, filter) => identities::add(*field, filter, query),
        ProcessFilterKind::InstanceDate(..)
        | ProcessFilterKind::InstanceDuration(_)
        | ProcessFilterKind::Variable(_)
        | ProcessFilterKind::MultipleVariable(_)
        | ProcessFilterKind::ExecutingFlowNodes(_)
        | ProcessFilterKind::CanceledFlowNodes(_)
        | ProcessFilterKind::InstanceState(_)
        | ProcessFilterKind::Incident(_)
        | ProcessFilterKind::HasAgentInstances => return false,
    }
    true
}

fn incident_status(kind: &ProcessFilterKind) -> Option<Value> {
    match kind {
        ProcessFilterKind::Incident(condition) => incidents::status(*condition),
        ProcessFilterKind::InstanceDate(..)
        | ProcessFilterKind::FlowNodeDate(..)
        | ProcessFilterKind::InstanceDuration(_)
        | ProcessFilterKind::FlowNodeDuration(_)
        | ProcessFilterKind::Variable(_)
        | ProcessFilterKind::MultipleVariable(_)
        | ProcessFilterKind::ExecutedFlowNodes(_)
        | ProcessFilterKind::ExecutingFlowNodes(_)
        | ProcessFilterKind::CanceledFlowNodes(_)
        | ProcessFilterKind::InstanceState(_)
        | ProcessFilterKind::Identity(..)
        | ProcessFilterKind::FlowNodeStatus(_)
        | ProcessFilterKind::HasAgentInstances => None,
    }
}

/// A filter as a clause of its own on an incident; `None` where it is about something else.
fn incident_clause(kind: &ProcessFilterKind) -> Option<Value> {
    match kind {
        ProcessFilterKind::ExecutedFlowNodes(filter) => {
            let mut query = Bool::default();
            flow_nodes::add_ids(filter, INCIDENT_FLOW_NODE_ID, &mut query);
            Some(query.into())
        }
        ProcessFilterKind::InstanceDate(..)
        | ProcessFilterKind::FlowNodeDate(..)
        | ProcessFilterKind::InstanceDuration(_)
        | ProcessFilterKind::FlowNodeDuration(_)
        | ProcessFilterKind::Variable(_)
        | ProcessFilterKind::MultipleVariable(_)
        | ProcessFilterKind::ExecutingFlowNodes(_)
        | ProcessFilterKind::CanceledFlowNodes(_)
        | ProcessFilterKind::InstanceState(_)
        | ProcessFilterKind::Identity(..)
        | ProcessFilterKind::Incident(_)
        | ProcessFilterKind::FlowNodeStatus(_)
        | ProcessFilterKind::HasAgentInstances => incident_status(kind),
    }
}
