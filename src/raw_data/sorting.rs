//! In which order the rows come.
//!
//! Source: fact file A, section 6.2; fact file D1, section 4.6.

use serde_json::{Value, json};

use crate::report::definition::{SortOrder, Sorting};

const VARIABLE_PREFIX: &str = "variable:";
const DURATION: &str = "duration";
const DEFAULT_PROCESS_FIELD: &str = "startDate";

/// Duration of an instance, running ones up to `now`. An instance without a start date comes before all others instead
/// of failing the whole request.
const DURATION_SCRIPT: &str = "if (doc['duration'].size() != 0) { return doc['duration'].value; } \
    if (doc['startDate'].size() != 0) { return params.now - doc['startDate'].value.toInstant().toEpochMilli(); } \
    return -1;";

/// The `sort` of a raw data report on processes; `now` in milliseconds since 1970.
pub fn process_sort(sorting: Option<&Sorting>, now: i64) -> Value {
    let by = sorting
        .and_then(|sorting| sorting.by.as_deref())
        .unwrap_or(DEFAULT_PROCESS_FIELD);
    let order = sorting
        .and_then(|sorting| sorting.order)
        .unwrap_or(SortOrder::Desc)
        .id();
    if let Some(name) = by.strip_prefix(VARIABLE_PREFIX) {
        return json!([{"variables.value": {"order": order, "nested": {
            "path": "variables", "filter": {"term": {"variables.name": name}}}}}]);
    }
    if by == DURATION {
        return json!([{"_script": {"type": "number", "order": order, "script": {
            "lang": "painless", "source": DURATION_SCRIPT, "params": {"now": now}}}}]);
    }
    // A name that is no field is ignored by Elasticsearch, as it is in Optimize.
    json!([{by: {"order": order, "unmapped_type": "short"}}])
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
}
