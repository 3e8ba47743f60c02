use serde_json::json;

use super::*;
use optimize::access::Limits;

fn rule(name: &str) -> Rule {
    Rule {
        name: name.to_owned(),
        clients: Patterns::new([name]),
        claims: Vec::new(),
        reports: None,
        collections: None,
        limits: Limits::default(),
        concurrent_exports: None,
    }
}

fn access(rules: &AccessRules, client: &str) -> Access {
    rules.access_of(client, &Map::new())
}

fn report(data: Value) -> StoredReport {
    StoredReport::parse(&json!({"reportType": "process", "data": data}).to_string()).unwrap()
}

fn orders() -> StoredReport {
    report(json!({"definitions": [{"key": "order"}], "view": {"properties": ["rawData"]}}))
}

#[test]
fn without_a_file_everybody_may_everything() {
    let access = access(&AccessRules::default(), "anybody");
    assert_eq!(access.check_report("r", None, &orders()), Ok(()));
    assert_eq!(
        (
            access.fingerprint(),
            access.rule_names(),
            access.max_exports()
        ),
        (None, None, None)
    );
}

#[test]
fn whom_no_rule_names_may_nothing() {
    let rules = AccessRules::new(vec![rule("a")]);
    let refused = access(&rules, "b").check_report("r", None, &orders());
    assert_eq!(refused, Err(Forbidden::NoRule));
    assert_eq!(
        access(&rules, "a").check_report("r", None, &orders()),
        Ok(())
    );
}

#[test]
fn a_claim_names_clients_too() {
    let rules = AccessRules::new(vec![Rule {
        claims: vec!["groups=data".parse().unwrap()],
        ..rule("a")
    }]);
    let claims = json!({"groups": ["sales", "data"]});
    let access = rules.access_of("b", claims.as_object().unwrap());
    assert_eq!(access.rule_names().as_deref(), Some("a"));
}

#[test]
fn reports_are_allowed_by_id_or_by_collection() {
    let rules = AccessRules::new(vec![Rule {
        reports: Some(Patterns::new(["r1", "sales-*"])),
        collections: Some(Patterns::new(["c1"])),
        ..rule("a")
    }]);
    let access = access(&rules, "a");
    for (id, collection) in [("r1", None), ("sales-3", Some("c9")), ("r9", Some("c1"))] {
        assert_eq!(
            access.check_report(id, collection, &orders()),
            Ok(()),
            "{id}"
        );
    }
    for (id, collection) in [("r9", None), ("r9", Some("c9"))] {
        assert!(
            access.check_report(id, collection, &orders()).is_err(),
            "{id}"
        );
    }
    assert_eq!(
        access.check_id("r9"),
        Ok(()),
        "its collection is not known yet"
    );
}

#[test]
fn every_rule_that_names_a_client_has_to_allow_a_report() {
    let mut second = rule("b");
    second.clients = Patterns::new(["a"]);
    second.reports = Some(Patterns::new(["r2", "r3"]));
    second.concurrent_exports = Some(2);
    let first = Rule {
        reports: Some(Patterns::new(["r1", "r2"])),
        concurrent_exports: Some(5),
        ..rule("a")
    };
    let access = access(&AccessRules::new(vec![first, second]), "a");
    assert_eq!(access.check_id("r2"), Ok(()));
    for (id, refused_by) in [("r1", "b"), ("r3", "a")] {
        let rule = refused_by.to_owned();
        assert_eq!(access.check_id(id), Err(Forbidden::OtherReports { rule }));
    }
    assert_eq!(access.max_exports(), Some(2));
    assert_eq!(access.rule_names().as_deref(), Some("a, b"));
}

fn limited(limits: Limits) -> Access {
    let rules = AccessRules::new(vec![Rule {
        limits,
        ..rule("a")
    }]);
    access(&rules, "a")
}

#[test]
fn a_report_of_which_nothing_may_be_seen_is_refused() {
    let access = limited(Limits {
        processes: Some(Patterns::new(["order"])),
        tenants: Some(optimize::access::Tenants {
            named: Patterns::new(["acme"]),
            none: false,
        }),
        ..Limits::default()
    });
    let of = |definitions: Value| {
        report(json!({"definitions": definitions, "view": {"properties": ["rawData"]}}))
    };
    let check = |definitions: Value| access.check_report("r", None, &of(definitions)).is_ok();
    assert!(check(
        json!([{"key": "order", "tenantIds": [null, "acme"]}])
    ));
    assert!(check(
        json!([{"key": "payroll"}, {"key": "order", "tenantIds": ["acme"]}])
    ));
    assert!(!check(json!([{"key": "order"}])), "only without a tenant");
    assert!(!check(json!([{"key": "payroll", "tenantIds": ["acme"]}])));
    let decision = json!({"reportType": "decision", "data": {
        "definitions": [{"key": "order", "tenantIds": ["acme"]}], "view": {"properties": ["rawData"]}}});
    let decision = StoredReport::parse(&decision.to_string()).unwrap();
    assert!(
        access.check_report("r", None, &decision).is_err(),
        "it names processes alone"
    );
    let everything = json!({"managementReport": true, "view": {"entity": "processInstance", "properties": ["frequency"]}});
    assert_eq!(access.check_report("r", None, &report(everything)), Ok(()));
}

#[test]
fn a_report_that_looks_into_a_column_that_is_left_out_is_refused() {
    let access = limited(Limits {
        left_out: Patterns::new(["variable:iban*"]),
        ..Limits::default()
    });
    let by = |name: &str| {
        report(
            json!({"definitions": [{"key": "order"}], "view": {"entity": "processInstance", "properties": ["frequency"]},
            "groupBy": {"type": "variable", "value": {"name": name, "type": "String"}}}),
        )
    };
    assert_eq!(access.check_report("r", None, &by("city")), Ok(()));
    assert_eq!(
        access.check_report("r", None, &by("iban2")),
        Err(Forbidden::LeftOut {
            rules: "rules a".to_owned(),
            place: "data.groupBy".to_owned(),
            column: "variable:iban2".to_owned(),
        })
    );
}

#[test]
fn who_sees_something_else_has_another_fingerprint() {
    let of = |name: &str| {
        limited(Limits {
            left_out: Patterns::new([name]),
            ..Limits::default()
        })
        .fingerprint()
    };
    assert_ne!(of("a"), of("b"));
    assert_eq!(of("a"), of("a"));
    assert_eq!(limited(Limits::default()).fingerprint(), None);
}
