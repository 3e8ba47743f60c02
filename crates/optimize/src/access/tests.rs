use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::report::definition::StoredReport;
use crate::scope::{DefinitionScope, IndexNames, Narrowing, Versions};

fn definition(key: &str, tenant_ids: &[Option<&str>]) -> DefinitionScope {
    DefinitionScope {
        identifier: None,
        key: key.to_owned(),
        label: key.to_owned(),
        versions: Versions::All,
        tenant_ids: (tenant_ids.iter())
            .map(|tenant| tenant.map(str::to_owned))
            .collect(),
    }
}

fn scope(kind: DefinitionKind, definitions: Vec<DefinitionScope>) -> Scope {
    Scope::of_definitions(&IndexNames::new("optimize"), kind, definitions)
}

fn processes(keys: &[&str]) -> Limits {
    Limits {
        processes: Some(Patterns::new(keys)),
        ..Limits::default()
    }
}

#[test]
fn nothing_is_restricted_without_rules() {
    let before = scope(DefinitionKind::Process, vec![definition("a", &[None])]);
    let restrictions = Restrictions::default();
    assert_eq!(restrictions.narrow(before.clone()), before);
    assert!(restrictions.allow_tenant(None) && !restrictions.leave_out("businessKey"));
    assert_eq!(restrictions.canonical(), None);
}

#[test]
fn definitions_and_tenants_that_may_not_be_seen_are_taken_out_and_kept_out_by_the_query() {
    let restrictions = Restrictions::all_of([Limits {
        tenants: Some(Tenants {
            named: Patterns::new(["acme"]),
            none: false,
        }),
        ..processes(&["order", "invoice*"])
    }]);
    let narrowed = restrictions.narrow(scope(
        DefinitionKind::Process,
        vec![
            definition("order", &[None, Some("acme"), Some("other")]),
            definition("payroll", &[Some("acme")]),
            definition("invoice-eu", &[Some("acme")]),
        ],
    ));
    let left: Vec<(&str, usize)> = (narrowed.definitions.iter())
        .map(|definition| (definition.key.as_str(), definition.tenant_ids.len()))
        .collect();
    assert_eq!(left, [("order", 1), ("invoice-eu", 1)]);
    let query = narrowed.query(&Narrowing::default());
    assert_eq!(
        query["bool"]["filter"],
        json!([
            {"bool": {"minimum_should_match": 1, "should": [
                {"terms": {"processDefinitionKey": ["order"]}},
                {"prefix": {"processDefinitionKey": {"value": "invoice"}}}]}},
            {"bool": {"minimum_should_match": 1, "should": [{"terms": {"tenantId": ["acme"]}}]}},
        ])
    );
}

#[test]
fn what_has_no_tenant_left_is_taken_out_with_its_names_and_its_index() {
    let restrictions = Restrictions::all_of([Limits {
        tenants: Some(Tenants {
            named: Patterns::new(["acme"]),
            none: false,
        }),
        ..Limits::default()
    }]);
    let narrowed = restrictions.narrow(scope(
        DefinitionKind::Process,
        vec![
            definition("order", &[Some("acme")]),
            definition("shared", &[None]),
            definition("theirs", &[Some("other")]),
        ],
    ));
    let keys: Vec<&str> = narrowed
        .definitions
        .iter()
        .map(|left| left.key.as_str())
        .collect();
    assert_eq!(keys, ["order"]);
    assert_eq!(narrowed.indices, ["optimize-process-instance-order"]);
}

#[test]
fn a_report_without_definitions_is_limited_by_its_query_alone() {
    let all = Scope::of_all_definitions(&IndexNames::new("optimize"), Vec::new());
    let narrowed = Restrictions::all_of([processes(&["order"])]).narrow(all);
    assert!(!narrowed.covers_nothing);
    let query = narrowed.query(&Narrowing::default());
    assert_eq!(
        query["bool"]["filter"],
        json!([{"bool": {"minimum_should_match": 1, "should": [{"terms": {"processDefinitionKey": ["order"]}}]}}])
    );
}

#[test]
fn where_no_definition_is_left_there_is_nothing() {
    let before = scope(
        DefinitionKind::Process,
        vec![definition("payroll", &[None])],
    );
    let narrowed = Restrictions::all_of([processes(&["order"])]).narrow(before);
    assert!(
        narrowed.is_known_to_be_empty(),
        "a scope without definitions would cover all"
    );
}

#[test]
fn who_may_see_some_processes_may_see_no_decisions() {
    let restrictions = Restrictions::all_of([processes(&["*"])]);
    assert!(restrictions.allow_definition(DefinitionKind::Process, "order"));
    assert!(!restrictions.allow_definition(DefinitionKind::Decision, "order"));
    let all = scope(DefinitionKind::Decision, Vec::new());
    let query = restrictions.narrow(all).query(&Narrowing::default());
    assert_eq!(query["bool"]["filter"], json!([{"match_none": {}}]));
}

/// A report with one part that looks into a column, and that part.
fn check(report: Value, expected: &[(&str, &str)]) {
    let report = StoredReport::parse(&report.to_string()).unwrap();
    let found = parts(&report);
    let found: Vec<(&str, &str)> = (found.iter())
        .map(|part| (part.place.as_str(), part.column.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn every_part_of_a_process_report_that_looks_into_a_column_is_found() {
    let variable = |name: &str| json!({"name": name, "type": "String"});
    let filter = json!({"type": "variable", "filterLevel": "instance", "appliedTo": ["all"],
        "data": {"name": "city", "type": "String", "data": {"operator": "in", "values": ["x"]}}});
    let several = json!({"type": "multipleVariable", "filterLevel": "instance", "appliedTo": ["all"],
        "data": {"data": [{"name": "zip", "type": "String", "data": {"operator": "in", "values": ["x"]}}]}});
    let assignee = json!({"type": "assignee", "filterLevel": "instance", "appliedTo": ["all"],
        "data": {"operator": "in", "values": ["x"]}});
    let running =
        json!({"type": "runningInstancesOnly", "filterLevel": "instance", "appliedTo": ["all"]});
    check(
        json!({"reportType": "process", "data": {
            "view": {"entity": "variable", "properties": [variable("iban")]},
            "groupBy": {"type": "variable", "value": variable("name")},
            "distributedBy": {"type": "variable", "value": variable("street")},
            "filter": [running, filter, several, assignee],
            "configuration": {"sorting": {"by": "variable:age", "order": "asc"}}}}),
        &[
            ("data.view.properties", "variable:iban"),
            ("data.groupBy", "variable:name"),
            ("data.distributedBy", "variable:street"),
            ("data.filter[1]", "variable:city"),
            ("data.filter[2]", "variable:zip"),
            ("data.filter[3]", "assignee"),
            ("data.configuration.sorting", "variable:age"),
        ],
    );
    check(
        json!({"reportType": "process", "data": {
            "view": {"entity": "userTask", "properties": ["frequency"]},
            "groupBy": {"type": "candidateGroup"}, "distributedBy": {"type": "assignee"}}}),
        &[
            ("data.groupBy", "candidateGroups"),
            ("data.distributedBy", "assignee"),
        ],
    );
    check(
        json!({"reportType": "process", "data": {"view": {"entity": null, "properties": ["rawData"]},
            "configuration": {"sorting": {"by": "startDate", "order": "desc"}}}}),
        &[],
    );
}

#[test]
fn every_part_of_a_decision_report_that_looks_into_a_column_is_found() {
    let clause = json!({"id": "c1", "type": "String"});
    let filter = json!({"type": "outputVariable", "data": {"name": "c2", "type": "String", "data": {"operator": "in", "values": ["x"]}}});
    check(
        json!({"reportType": "decision", "data": {"view": {"properties": ["frequency"]},
            "groupBy": {"type": "inputVariable", "value": clause}, "filter": [filter],
            "configuration": {"sorting": {"by": "inputVariable:c3", "order": "asc"}}}}),
        &[
            ("data.groupBy", "input:c1"),
            ("data.filter[0]", "output:c2"),
            ("data.configuration.sorting", "input:c3"),
        ],
    );
    let filter = json!({"type": "inputVariable", "data": {"name": "c2", "type": "String", "data": {"operator": "in", "values": ["x"]}}});
    check(
        json!({"reportType": "decision", "data": {"view": {"properties": ["frequency"]},
            "groupBy": {"type": "outputVariable", "value": clause}, "filter": [filter],
            "configuration": {"sorting": {"by": "outputVariable:c3", "order": "asc"}}}}),
        &[
            ("data.groupBy", "output:c1"),
            ("data.filter[0]", "input:c2"),
            ("data.configuration.sorting", "output:c3"),
        ],
    );
    for (group, column) in [
        (json!({"type": "matchedRule"}), "ruleId"),
        (
            json!({"type": "evaluationDateTime", "value": {"unit": "day"}}),
            "evaluationDateTime",
        ),
    ] {
        check(
            json!({"reportType": "decision", "data": {"view": {"properties": ["frequency"]}, "groupBy": group}}),
            &[("data.groupBy", column)],
        );
    }
}

fn any_patterns() -> impl Strategy<Value = Patterns> {
    proptest::collection::vec("[ab]{0,2}[*]?", 0..3).prop_map(Patterns::new)
}

fn any_limits() -> impl Strategy<Value = Limits> {
    let tenants = (any_patterns(), any::<bool>()).prop_map(|(named, none)| Tenants { named, none });
    let definitions = || proptest::option::of(any_patterns());
    (
        definitions(),
        definitions(),
        proptest::option::of(tenants),
        any_patterns(),
    )
        .prop_map(|(processes, decisions, tenants, left_out)| Limits {
            processes,
            decisions,
            tenants,
            left_out,
        })
}

/// Whether an instance matches queries of the kinds that limits are made of.
fn matches(query: &Value, key: &str, tenant: Option<&str>) -> bool {
    let (kind, body) = query.as_object().unwrap().iter().next().unwrap();
    let value = |field: &str| match field {
        "processDefinitionKey" => Some(key),
        "tenantId" => tenant,
        other => panic!("{other}"),
    };
    let all = |list: &Value| list.as_array().unwrap().clone();
    match kind.as_str() {
        "match_none" => false,
        "terms" | "prefix" => {
            let (field, wanted) = body.as_object().unwrap().iter().next().unwrap();
            let Some(value) = value(field) else {
                return false;
            };
            match kind.as_str() {
                "terms" => all(wanted).iter().any(|one| one == value),
                _ => value.starts_with(wanted["value"].as_str().unwrap()),
            }
        }
        "bool" => match body.get("must_not") {
            Some(without) => value(without[0]["exists"]["field"].as_str().unwrap()).is_none(),
            None => all(&body["should"])
                .iter()
                .any(|one| matches(one, key, tenant)),
        },
        other => panic!("{other}"),
    }
}

proptest! {
    #[test]
    fn no_combination_of_rules_gives_more_than_each_alone(
        rules in proptest::collection::vec(any_limits(), 1..4),
        key in "[ab]{1,3}", tenant in proptest::option::of("[ab]{1,3}"), column in "[ab]{1,3}",
    ) {
        let together = Restrictions::all_of(rules.clone());
        let alone = rules.into_iter().map(|limits| Restrictions::all_of([limits]));
        let alone: Vec<Restrictions> = alone.collect();
        for kind in [DefinitionKind::Process, DefinitionKind::Decision] {
            prop_assert_eq!(
                together.allow_definition(kind, &key),
                alone.iter().all(|one| one.allow_definition(kind, &key))
            );
        }
        let tenant = tenant.as_deref();
        prop_assert_eq!(together.allow_tenant(tenant), alone.iter().all(|one| one.allow_tenant(tenant)));
        prop_assert_eq!(together.leave_out(&column), alone.iter().any(|one| one.leave_out(&column)));

        // The query, on its own, lets through what is allowed and nothing else.
        let everything = scope(DefinitionKind::Process, Vec::new());
        let narrowed = together.narrow(everything);
        let is_let_through = narrowed.limits.iter().all(|query| matches(query, &key, tenant));
        let is_allowed = together.allow_definition(DefinitionKind::Process, &key) && together.allow_tenant(tenant);
        prop_assert_eq!(is_let_through, is_allowed);

        // And so does what is left of the definitions that a report names.
        let named = scope(DefinitionKind::Process, vec![definition(&key, &[tenant])]);
        let narrowed = together.narrow(named);
        let is_left = !narrowed.covers_nothing && narrowed.definitions.iter().any(|definition| !definition.tenant_ids.is_empty());
        prop_assert_eq!(is_left, is_allowed);
    }
}
