use super::*;

/// A minimal raw data report with its `data` members replaced by `data`.
fn report(data: &str) -> String {
    format!(r#"{{"id":"r","combined":false,"reportType":"process","data":{data}}}"#)
}

fn process(data: &str) -> ProcessReportData {
    match StoredReport::parse(&report(data)) {
        Ok(StoredReport::Process(data)) => *data,
        other => panic!("expected a process report, got {other:?}"),
    }
}

fn problem(data: &str) -> String {
    StoredReport::parse(&report(data)).unwrap_err().to_string()
}

const RAW: &str =
    r#""view":{"entity":null,"properties":["rawData"]},"groupBy":{"type":"none","value":null}"#;

#[test]
fn missing_members_have_the_defaults_of_optimize() {
    let data = process(&format!("{{{RAW}}}"));
    assert!(data.is_raw_data());
    assert_eq!(data.distributed_by, Some(DistributedBy::None));
    assert_eq!(data.group_by, Some(GroupBy::None));
    assert_eq!(data.configuration, Configuration::default());
    assert!(data.definitions.is_empty());

    let data = process(&format!(r#"{{{RAW},"definitions":[{{"key":"order"}}]}}"#));
    assert_eq!(data.definitions[0].versions, ["all"]);
    assert_eq!(data.definitions[0].tenant_ids, [None]);
}

#[test]
fn a_scalar_stands_for_a_list_of_one_and_a_number_for_text() {
    let data = process(
        r#"{"view":{"properties":"frequency","entity":"PROCESSINSTANCE"},"groupBy":{"type":"none"},
            "definitions":{"key":"order","versions":3,"tenantIds":"acme"}}"#,
    );
    assert_eq!(data.view.properties, [ViewProperty::Frequency]);
    assert_eq!(data.view.entity, Some(ViewEntity::ProcessInstance));
    assert_eq!(data.definitions[0].versions, ["3"]);
    assert_eq!(data.definitions[0].tenant_ids, [Some("acme".to_owned())]);
}

#[test]
fn numbers_are_read_from_strings() {
    let data = process(&format!(
        r#"{{{RAW},"configuration":{{"customBucket":{{"active":true,"bucketSize":"2.5","baseline":null,
            "bucketSizeUnit":"DAY"}},"aggregationTypes":{{"type":"percentile","value":"99.9"}}}}}}"#
    ));
    let bucket = data.configuration.custom_bucket;
    assert_eq!(
        (bucket.active, bucket.bucket_size, bucket.baseline),
        (true, Some(2.5), None)
    );
    assert_eq!(bucket.bucket_size_unit, Some(BucketUnit::Day));
    let percentile = Aggregation {
        kind: AggregationType::Percentile,
        value: Some(99.9),
    };
    assert_eq!(data.configuration.aggregation_types, [percentile]);
}

#[test]
fn latest_beats_all_beats_a_list_whatever_their_case() {
    let selection = |versions: &str| {
        let data = process(&format!(
            r#"{{{RAW},"definitions":[{{"versions":{versions}}}]}}"#
        ));
        match data.definitions[0].version_selection() {
            VersionSelection::Latest => "latest".to_owned(),
            VersionSelection::All => "all".to_owned(),
            VersionSelection::Listed(list) => list.join(","),
        }
    };
    assert_eq!(selection(r#"["all","1","LATEST"]"#), "latest");
    assert_eq!(selection(r#"["ALL","1"]"#), "all");
    assert_eq!(selection(r#"["1",null,"3"]"#), "1,3");
    assert_eq!(selection("[]"), "");
}

#[test]
fn combined_is_asked_before_the_report_type_and_only_true_counts() {
    let combined = |flag: &str| {
        StoredReport::parse(&format!(
            r#"{{"combined":{flag},"reportType":"process","data":{{{RAW}}}}}"#
        ))
    };
    assert!(matches!(combined("true"), Ok(StoredReport::Combined)));
    assert!(matches!(combined("\"true\""), Ok(StoredReport::Process(_))));
    assert!(matches!(combined("null"), Ok(StoredReport::Process(_))));
    let without = format!(r#"{{"reportType":"PROCESS","data":{{{RAW}}}}}"#);
    assert!(matches!(
        StoredReport::parse(&without),
        Ok(StoredReport::Process(_))
    ));
}

#[test]
fn what_is_no_report_is_told_from_a_report_with_a_broken_part() {
    for source in ["[]", "{}", r#"{"reportType":"dashboard"}"#, "nonsense"] {
        let error = StoredReport::parse(source).unwrap_err();
        assert!(
            matches!(error, DefinitionError::NotAReport(_)),
            "{source}: {error}"
        );
    }
    for data in ["null", "7", r#"{"view":null}"#, "{}"] {
        let error = StoredReport::parse(&report(data)).unwrap_err();
        assert!(
            matches!(error, DefinitionError::Part { .. }),
            "{data}: {error}"
        );
    }
}

#[test]
fn a_report_of_a_system_dashboard_names_no_definition() {
    let check = |flags: &str| {
        let data = format!(r#"{{"view":{{"properties":["rawData"]}},"definitions":[],{flags}}}"#);
        match StoredReport::parse(&format!(r#"{{"reportType":"process","data":{data}}}"#)).unwrap()
        {
            StoredReport::Process(data) => data.check_definition_key(),
            other => panic!("{other:?}"),
        }
    };
    for flag in [
        "managementReport",
        "agenticControlReport",
        "businessValueReport",
    ] {
        assert_eq!(check(&format!("\"{flag}\":true")), Ok(()), "{flag}");
        assert!(check(&format!("\"{flag}\":false")).is_err(), "{flag}");
        assert!(check(&format!("\"{flag}\":null")).is_err(), "{flag}");
    }
}

#[test]
fn errors_name_the_part_the_value_and_what_was_expected() {
    insta::assert_snapshot!(problem("null"), @"report part `data`: is missing");
    insta::assert_snapshot!(problem("{}"), @"report part `data`: missing field `view`");
    insta::assert_snapshot!(
        problem(r#"{"view":{"entity":"planet"}}"#),
        @"report part `data.view.entity`: unknown variant `planet`, expected one of `flowNode`, `userTask`, `processInstance`, `variable`, `incident`, `agentInstance`"
    );
    insta::assert_snapshot!(
        problem(r#"{"view":{"properties":[]},"groupBy":{"type":"startDate","value":{"unit":"decade"}}}"#),
        @"report part `data.groupBy`: value of type `startDate`: unknown variant `decade`, expected one of `year`, `month`, `week`, `day`, `hour`, `minute`, `automatic`"
    );
    insta::assert_snapshot!(
        problem(r#"{"view":{"properties":[]},"definitions":[{"versions":{"a":1}}]}"#),
        @"report part `data.definitions[0].versions`: invalid type: map, expected a string"
    );
    insta::assert_snapshot!(
        problem(r#"{"view":{"properties":[]},"configuration":{"customBucket":{"bucketSize":"wide"}}}"#),
        @r#"report part `data.configuration.customBucket.bucketSize`: invalid value: string "wide", expected a number"#
    );
}

#[test]
fn only_percentiles_have_a_number_and_they_need_one() {
    let with = |aggregation: &str| {
        report(&format!(
            r#"{{{RAW},"configuration":{{"aggregationTypes":[{{"type":"avg"}},{aggregation}]}}}}"#
        ))
    };
    for good in [
        r#"{"type":"percentile","value":0}"#,
        r#"{"type":"percentile","value":"100"}"#,
        r#"{"type":"max","value":null}"#,
    ] {
        assert!(StoredReport::parse(&with(good)).is_ok(), "{good}");
    }
    let problem = |aggregation: &str| {
        StoredReport::parse(&with(aggregation))
            .unwrap_err()
            .to_string()
    };
    for bad in [
        r#"{"type":"percentile"}"#,
        r#"{"type":"percentile","value":100.5}"#,
        r#"{"type":"percentile","value":-1}"#,
    ] {
        assert_eq!(
            problem(bad),
            "report part `data.configuration.aggregationTypes`: Percentile aggregation values be between 0 and 100"
        );
    }
    assert_eq!(
        problem(r#"{"type":"sum","value":3}"#),
        "report part `data.configuration.aggregationTypes`: Aggregation values can only be supplied for percentile aggregations"
    );
}

#[test]
fn a_decision_report_has_its_own_groupings() {
    let parse = |group_by: &str| {
        StoredReport::parse(&format!(
            r#"{{"reportType":"decision","data":{{"view":{{"properties":["frequency"]}},"groupBy":{group_by}}}}}"#
        ))
    };
    let Ok(StoredReport::Decision(data)) =
        parse(r#"{"type":"inputVariable","value":{"id":"c1","name":null,"type":"double"}}"#)
    else {
        panic!("not a decision report");
    };
    let clause = DecisionVariable {
        id: "c1".into(),
        name: None,
        variable_type: VariableType::Double,
    };
    assert_eq!(data.group_by, Some(DecisionGroupBy::InputVariable(clause)));
    insta::assert_snapshot!(
        parse(r#"{"type":"assignee"}"#).unwrap_err(),
        @"report part `data.groupBy`: unknown variant `assignee`, expected one of `none`, `evaluationDateTime`, `inputVariable`, `outputVariable`, `matchedRule`"
    );
}
