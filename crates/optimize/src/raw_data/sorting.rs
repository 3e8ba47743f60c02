//! In which order the rows come.
//!
//! Source: crates/optimize/docs/raw-data.md, "Order of rows".

use serde_json::{Value, json};

use crate::access::columns::{SORTED_INPUT_PREFIX, SORTED_OUTPUT_PREFIX, VARIABLE_PREFIX};
use crate::filter::dates::EVALUATION_DATE;
use crate::filter::variables::VariableQueries;
use crate::report::definition::{SortOrder, Sorting, VariableType};

const DURATION: &str = "duration";
const DEFAULT_PROCESS_FIELD: &str = "startDate";

/// Duration of an instance, running ones up to `now`. An instance without a start date comes before all others instead
/// of failing the whole request.
const DURATION_SCRIPT: &str = "if (doc['duration'].size() != 0) { return doc['duration'].value; } \
    if (doc['startDate'].size() != 0) { return params.now - doc['startDate'].value.toInstant().toEpochMilli(); } \
    return -1;";

/// The `sort` of a raw data report on processes; `now` in milliseconds since 1970.
pub fn process_sort(sorting: Option<&Sorting>, now: i64) -> Value {
    let (by, order) = criterion(sorting, DEFAULT_PROCESS_FIELD);
    if let Some(name) = by.strip_prefix(VARIABLE_PREFIX) {
        return json!([{"variables.value": {"order": order, "nested": {
            "path": "variables", "filter": {"term": {"variables.name": name}}}}}]);
    }
    if by == DURATION {
        return json!([{"_script": {"type": "number", "order": order, "script": {
            "lang": "painless", "source": DURATION_SCRIPT, "params": {"now": now}}}}]);
    }
    by_field(by, order)
}

/// The `sort` of a raw data report on decisions.
///
/// Columns are called by their prefixes `inputVariable:` and `outputVariable:` with the id of a clause.
pub fn decision_sort(sorting: Option<&Sorting>) -> Value {
    let (by, order) = criterion(sorting, EVALUATION_DATE);
    if let Some(clause_id) = by.strip_prefix(SORTED_INPUT_PREFIX) {
        return by_clause(&VariableQueries::of_decision_input(clause_id), order);
    }
    if let Some(clause_id) = by.strip_prefix(SORTED_OUTPUT_PREFIX) {
        return by_clause(&VariableQueries::of_decision_output(clause_id), order);
    }
    by_field(by, order)
}

/// What decides, and in which direction; each has a default of its own.
fn criterion<'a>(sorting: Option<&'a Sorting>, default_field: &'a str) -> (&'a str, &'static str) {
    let by = sorting
        .and_then(|sorting| sorting.by.as_deref())
        .unwrap_or(default_field);
    let order = sorting
        .and_then(|sorting| sorting.order)
        .unwrap_or(SortOrder::Desc);
    (by, order.id())
}

/// A name that is no field is ignored by Elasticsearch, as it is in Optimize.
fn by_field(field: &str, order: &str) -> Value {
    json!([{field: {"order": order, "unmapped_type": "short"}}])
}

/// The type of the values is not known: as a date, as a number, and last as the text that every value is.
fn by_clause(clause: &VariableQueries, order: &str) -> Value {
    let types = [
        VariableType::Date,
        VariableType::Double,
        VariableType::Long,
        VariableType::String,
    ];
    let clauses = types.iter().map(|variable_type| {
        json!({clause.value_field(*variable_type): {"order": order, "nested": {
            "path": clause.path(), "filter": {"bool": {"must": clause.identity()}}}}})
    });
    clauses.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(by: Option<&str>, order: Option<SortOrder>) -> Value {
        process_sort(
            Some(&Sorting {
                by: by.map(str::to_owned),
                order,
            }),
            7,
        )
    }

    #[test]
    fn by_and_order_have_their_own_defaults() {
        let newest_first = json!([{"startDate": {"order": "desc", "unmapped_type": "short"}}]);
        assert_eq!(process_sort(None, 7), newest_first);
        assert_eq!(sort(None, None), newest_first);
        assert_eq!(
            sort(Some("businessKey"), None),
            json!([{"businessKey": {"order": "desc", "unmapped_type": "short"}}])
        );
        assert_eq!(
            sort(None, Some(SortOrder::Asc)),
            json!([{"startDate": {"order": "asc", "unmapped_type": "short"}}])
        );
    }

    #[test]
    fn a_variable_is_sorted_by_its_text() {
        assert_eq!(
            sort(Some("variable:amount: net"), Some(SortOrder::Asc)),
            json!([{"variables.value": {"order": "asc", "nested": {"path": "variables", "filter": {"term": {"variables.name": "amount: net"}}}}}])
        );
    }

    #[test]
    fn a_duration_is_measured_against_now() {
        let sort = sort(Some("duration"), None);
        assert_eq!(
            sort.pointer("/0/_script/script/params/now"),
            Some(&json!(7))
        );
        assert_eq!(sort.pointer("/0/_script/order"), Some(&json!("desc")));
    }

    #[test]
    fn decisions_are_sorted_by_evaluation_date_or_column() {
        let sort = |by: &str| {
            decision_sort(Some(&Sorting {
                by: Some(by.to_owned()),
                order: Some(SortOrder::Asc),
            }))
        };
        assert_eq!(
            decision_sort(None),
            json!([{"evaluationDateTime": {"order": "desc", "unmapped_type": "short"}}])
        );
        assert_eq!(
            sort("decisionInstanceId"),
            json!([{"decisionInstanceId": {"order": "asc", "unmapped_type": "short"}}])
        );
        // The prefixes of the columns of a table are no criterion.
        assert_eq!(
            sort("input:clause1"),
            json!([{"input:clause1": {"order": "asc", "unmapped_type": "short"}}])
        );
        let nested = json!({"order": "asc", "nested": {"path": "outputs", "filter": {"bool": {"must": [
            {"term": {"outputs.clauseId": {"value": "c:1"}}}]}}}});
        assert_eq!(
            sort("outputVariable:c:1"),
            json!([{"outputs.value.date": nested}, {"outputs.value.double": nested},
                {"outputs.value.long": nested}, {"outputs.value": nested}])
        );
        assert!(
            sort("inputVariable:x")
                .pointer("/0/inputs.value.date")
                .is_some()
        );
    }
}
