//! Data of filters on flow nodes, assignees and candidate groups
//! (crates/optimize/docs/filters.md, "Flow nodes" and "Assignees and candidate groups").

use serde::Deserialize;
use serde_json::Value;

use super::super::{DefinitionError, lenient};
use super::place::Place;
use crate::id_enum;

id_enum! {
    /// Whether a value has to be in a list.
    pub enum MembershipOperator {
        /// It is in the list.
        In = "in",
        /// It is not.
        NotIn = "not in",
    }
}

/// Flow nodes that were reached, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecutedFlowNodes {
    /// Whether one of them, or none of them.
    pub operator: MembershipOperator,
    /// Their ids; the list may be empty.
    pub flow_node_ids: Vec<String>,
}

/// People or groups that a user task has, or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFilter {
    /// Whether one of them, or none of them.
    pub operator: MembershipOperator,
    /// Their ids, without duplicates.
    pub ids: Vec<String>,
    /// User tasks without any belong to the list too.
    pub or_unassigned: bool,
}

#[derive(Deserialize)]
struct StoredList {
    #[serde(default)]
    operator: Option<MembershipOperator>,
    #[serde(default)]
    values: Value,
}

/// Reads a list of ids; `None` where there is no list.
fn read_values(
    values: &Value,
    place: &Place,
) -> Result<Option<Vec<Option<String>>>, DefinitionError> {
    if values.is_null() {
        return Ok(None);
    }
    let values = place.read_with(lenient::optional_strings, values)?;
    Ok(Some(values))
}

/// Reads the flow node ids of a filter that has nothing else. The list may be empty: the filter narrows nothing then.
pub(super) fn read_flow_node_ids(
    value: &Value,
    place: &Place,
) -> Result<Vec<String>, DefinitionError> {
    let stored: StoredList = place.read_data(value)?;
    let place = place.member("values");
    let ids = read_values(&stored.values, &place)?.ok_or_else(|| place.empty("values"))?;
    place.without_nulls(ids)
}

impl ExecutedFlowNodes {
    /// Reads the data of `executedFlowNodes`.
    pub(super) fn read(value: &Value, place: &Place) -> Result<Self, DefinitionError> {
        let stored: StoredList = place.read_data(value)?;
        let operator = stored
            .operator
            .ok_or_else(|| place.member("operator").empty("operator"))?;
        Ok(Self {
            operator,
            flow_node_ids: read_flow_node_ids(value, place)?,
        })
    }
}

impl IdentityFilter {
    /// Reads the data of `assignee` and `candidateGroup`. A missing operator is taken for `in`, as in Optimize's
    /// `ModelElementFilterQueryUtilES`, which only asks for `not in`.
    pub(super) fn read(value: &Value, place: &Place) -> Result<Self, DefinitionError> {
        let stored: StoredList = place.read_data(value)?;
        let place = place.member("values");
        let values = read_values(&stored.values, &place)?.unwrap_or_default();
        if values.is_empty() {
            return Err(place.problem("Filter values are not allowed to be empty."));
        }
        let or_unassigned = values.contains(&None);
        let mut ids: Vec<String> = Vec::new();
        for id in values.into_iter().flatten() {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
        Ok(Self {
            operator: stored.operator.unwrap_or(MembershipOperator::In),
            ids,
            or_unassigned,
        })
    }
}
