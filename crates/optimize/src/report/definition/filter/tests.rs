use proptest::prelude::*;
use serde_json::json;

use super::super::StoredReport;
use super::*;
use crate::moment::Moment;

fn parse(report_type: &str, filters: &Value) -> Result<StoredReport, DefinitionError> {
    let report = json!({"reportType": report_type, "data": {
        "view": {"properties": ["rawData"]}, "groupBy": {"type": "none"}, "filter": filters}});
    StoredReport::parse(&report.to_string())
}

fn process(filters: Value) -> Vec<ProcessFilter> {
    match parse("process", &filters) {
        Ok(StoredReport::Process(report)) => report.filters,
        other => panic!("{filters}: {other:?}"),
    }
}

fn decision(filters: Value) -> Vec<DecisionFilter> {
    match parse("decision", &filters) {
        Ok(StoredReport::Decision(report)) => report.filters,
        other => panic!("{filters}: {other:?}"),
    }
}

/// The only filter of a report, on the instance level if it doesn't say otherwise.
fn one(mut filter: Value) -> ProcessFilterKind {
    if filter.get("filterLevel").is_none() {
        filter["filterLevel"] = json!("instance");
    }
    process(json!([filter])).remove(0).kind
}

/// What is wrong with the only filter of a report, without its number.
fn problem(mut filter: Value) -> String {
    if filter.get("filterLevel").is_none() {
        filter["filterLevel"] = json!("instance");
    }
    let error = parse("process", &json!([filter])).unwrap_err().to_string();
    error.replace("report part `data.filter[0]", "`")
}

/// The same for a filter with these data.
fn data_problem(filter_type: &str, data: Value) -> String {
    problem(json!({"type": filter_type, "data": data}))
}

#[test]
fn a_filter_is_for_all_definitions_unless_it_says_otherwise() {
    let state = |applied_to: &str| {
        let filters = format!(
            r#"[{{"type":"runningInstancesOnly","data":null,"filterLevel":"INSTANCE"{applied_to}}}]"#
        );
        process(serde_json::from_str(&filters).unwrap()).remove(0)
    };
    let filter = state("");
    assert_eq!(filter.level, FilterLevel::Instance);
    assert!(filter.applies_to_all());
    assert_eq!(state(r#","appliedTo":"a""#).applied_to, ["a"]);
    assert_eq!(
        state(r#","appliedTo":["a",null,"all"]"#).applied_to,
        ["a", "all"]
    );
    assert!(state(r#","appliedTo":[]"#).applied_to.is_empty());
    assert!(state(r#","appliedTo":["b"]"#).applies_to("b"));
    assert!(!state(r#","appliedTo":["b"]"#).applies_to_all());
    assert_eq!(
        problem(json!({"type": "runningInstancesOnly", "appliedTo": null})),
        "`.appliedTo`: filter `runningInstancesOnly`: is not allowed to be empty or null"
    );
}

#[test]
fn one_filter_stands_for_a_list_and_null_for_none() {
    let filter = json!({"type": "runningInstancesOnly", "filterLevel": "instance"});
    assert_eq!(process(filter).len(), 1);
    assert!(process(json!(null)).is_empty());
    assert!(process(json!([])).is_empty());
}

#[test]
fn what_is_no_filter_is_an_error_that_names_its_place() {
    let error = |filters| parse("process", &filters).unwrap_err().to_string();
    let fine = json!({"type": "runningInstancesOnly", "filterLevel": "instance"});
    assert_eq!(
        error(json!([fine, null])),
        "report part `data.filter[1]`: is null, expected a filter"
    );
    assert_eq!(
        error(json!("no")),
        "report part `data.filter[0]`: is \"no\", expected a filter"
    );
    for (found, shown) in [
        (json!({"type": "startDate"}), "\"startDate\""),
        (json!({}), "null"),
    ] {
        let message = error(json!([fine, fine, found]));
        let expected = format!(
            "report part `data.filter[2].type`: unknown filter type {shown}, expected one of instanceStartDate, "
        );
        assert!(message.starts_with(&expected), "{message}");
    }
    // Type ids are compared with regard to case, unlike enumerations.
    assert!(
        parse(
            "process",
            &json!([{"type": "RUNNINGINSTANCESONLY", "filterLevel": "instance"}])
        )
        .is_err()
    );
}

/// Data with which a filter of this type can be read.
fn sample_data(filter_type: ProcessFilterType, level: FilterLevel) -> Value {
    use ProcessFilterType as Type;
    let duration = json!({"value": 1, "unit": "days", "operator": "<"});
    match filter_type {
        Type::InstanceStartDate | Type::InstanceEndDate => {
            json!({"type": "rolling", "start": {"value": 1, "unit": "days"}})
        }
        Type::FlowNodeStartDate | Type::FlowNodeEndDate => {
            let ids = (level == FilterLevel::Instance).then_some(["a"]);
            json!({"type": "rolling", "start": {"value": 1, "unit": "days"}, "flowNodeIds": ids})
        }
        Type::ProcessInstanceDuration => duration,
        Type::FlowNodeDuration => json!({"a": duration}),
        Type::Variable => json!({"type": "Boolean", "name": "a", "data": {"values": [true]}}),
        Type::MultipleVariable => json!({"data": []}),
        Type::ExecutedFlowNodes | Type::Assignee | Type::CandidateGroup => {
            json!({"operator": "in", "values": ["a"]})
        }
        Type::ExecutingFlowNodes | Type::CanceledFlowNodes => json!({"values": ["a"]}),
        Type::RunningInstancesOnly
        | Type::CompletedInstancesOnly
        | Type::CanceledInstancesOnly
        | Type::NonCanceledInstancesOnly
        | Type::SuspendedInstancesOnly
        | Type::NonSuspendedInstancesOnly
        | Type::IncludesOpenIncident
        | Type::IncludesClosedIncident
        | Type::IncludesResolvedIncident
        | Type::DoesNotIncludeIncident
        | Type::RunningFlowNodesOnly
        | Type::CompletedFlowNodesOnly
        | Type::CanceledFlowNodesOnly
        | Type::CompletedOrCanceledFlowNodesOnly
        | Type::HasAgentInstances => Value::Null,
    }
}

#[test]
fn every_type_is_read_on_its_levels_and_no_other() {
    for filter_type in ProcessFilterType::ALL {
        for level in FilterLevel::ALL {
            let filter = json!([{"type": filter_type.id(), "filterLevel": level.id(), "data": sample_data(*filter_type, *level)}]);
            let read = parse("process", &filter);
            assert_eq!(
                read.is_ok(),
                filter_type.levels().contains(level),
                "{filter}: {read:?}"
            );
        }
    }
    assert_eq!(ProcessFilterType::ALL.len(), 28);
}

#[test]
fn an_illegal_level_is_told_with_the_legal_ones() {
    for (filter_type, level, expected) in [
        (
            "variable",
            json!("view"),
            "view is not a valid application level for this filter type, expected instance",
        ),
        (
            "runningFlowNodesOnly",
            json!("instance"),
            "instance is not a valid application level for this filter type, expected view",
        ),
        (
            "assignee",
            json!(null),
            "null is not a valid application level for this filter type, expected instance or view",
        ),
        (
            "includesClosedIncident",
            json!("View"),
            "view is not a valid application level for this filter type, expected instance",
        ),
        (
            "assignee",
            json!("global"),
            "unknown variant `global`, expected `instance` or `view`",
        ),
    ] {
        let found = problem(json!({"type": filter_type, "filterLevel": level}));
        assert_eq!(
            found,
            format!("`.filterLevel`: filter `{filter_type}`: {expected}")
        );
    }
}

#[test]
fn a_type_that_needs_data_has_to_have_some() {
    for filter_type in ProcessFilterType::ALL {
        let level = filter_type.levels()[0];
        let filter = json!({"type": filter_type.id(), "filterLevel": level.id(), "data": null});
        if sample_data(*filter_type, level).is_null() {
            one(filter);
        } else {
            let expected =
                format!("`.data`: filter `{filter_type}`: data is not allowed to be empty or null");
            assert_eq!(problem(filter), expected);
        }
    }
    // What has none doesn't look at it.
    one(json!({"type": "runningInstancesOnly", "data": {"anything": 1}}));
}

#[test]
fn date_filters_are_read() {
    let date = |data: Value| match one(json!({"type": "instanceEndDate", "data": data})) {
        ProcessFilterKind::InstanceDate(DateField::End, date) => date,
        other => panic!("{other:?}"),
    };
    let fixed =
        date(json!({"type": "fixed", "start": "2024-03-01T01:00:00.000+0100", "end": null}));
    let start = DateFilterStart::Fixed(Some(Moment::from_millis(1_709_251_200_000)));
    let expected = DateFilter {
        start,
        end: None,
        include_undefined: false,
        exclude_undefined: false,
    };
    assert_eq!(fixed, expected);

    let rolling = date(
        json!({"type": "rolling", "start": {"value": "7", "unit": "DAYS"},
        "end": "2024-03-01T00:00:00.000+0000", "includeUndefined": "true", "excludeUndefined": null}),
    );
    let period = |value, unit| Some(Period { value, unit });
    assert_eq!(
        rolling.start,
        DateFilterStart::Rolling(period(7, DateFilterUnit::Days))
    );
    assert!(rolling.end.is_some() && rolling.include_undefined && !rolling.exclude_undefined);

    let relative = date(json!({"type": "relative", "start": {"value": -1.9, "unit": "quarters"}}));
    assert_eq!(
        relative.start,
        DateFilterStart::Relative(period(-1, DateFilterUnit::Quarters))
    );

    // No bounds: nothing is narrowed, and only a start date filter has to have some.
    for data in [
        json!({"type": "fixed"}),
        json!({"type": "fixed", "start": null, "end": null}),
    ] {
        assert_eq!(date(data).start, DateFilterStart::Fixed(None));
    }
    for start in [
        json!(null),
        json!({}),
        json!({"value": 1}),
        json!({"unit": "days"}),
        json!({"value": "", "unit": "quarters"}),
    ] {
        assert_eq!(
            date(json!({"type": "rolling", "start": start})).start,
            DateFilterStart::Rolling(None)
        );
        assert_eq!(
            date(json!({"type": "relative", "start": start})).start,
            DateFilterStart::Relative(None)
        );
    }
    one(json!({"type": "instanceStartDate", "data": {"type": "rolling", "start": {}}}));
}

#[test]
fn wrong_date_filters_are_errors() {
    let problems = [
        (
            json!({"type": "fixed"}),
            "`.data`: X: start date filter  at least one sub field not allowed to be empty or null",
        ),
        (
            json!({"type": "relative", "start": null}),
            "`.data`: X: start date filter  at least one sub field not allowed to be empty or null",
        ),
        (
            json!({"start": "2024-03-01T00:00:00.000+0000"}),
            "`.data.type`: X: unknown type of date filter null, expected fixed, rolling or relative",
        ),
        (
            json!({"type": "Fixed"}),
            "`.data.type`: X: unknown type of date filter \"Fixed\", expected fixed, rolling or relative",
        ),
        (
            json!({"type": "fixed", "start": "2024-03-01"}),
            "`.data.start`: X: `2024-03-01` is no date, expected one like `2024-03-01T00:00:00.000+0000`",
        ),
        (
            json!({"type": "fixed", "end": "x".repeat(100_000)}),
            &format!(
                "`.data.end`: X: `{}…` is no date, expected",
                "x".repeat(100)
            )[..],
        ),
        (
            json!({"type": "fixed", "start": {"value": 1, "unit": "days"}}),
            "`.data.start`: X: invalid type: map, expected a string",
        ),
        (
            json!({"type": "rolling", "start": "2024-03-01T00:00:00.000+0000"}),
            "`.data.start`: X: is \"2024-03-01T00:00:00.000+0000\", expected an object",
        ),
        (
            json!({"type": "rolling", "start": {"value": 1, "unit": "quarters"}}),
            "`.data.start.unit`: X: QUARTERS is not supported for rolling date filters, expected one of years, months, weeks, days, hours, minutes, seconds",
        ),
        (
            json!({"type": "relative", "start": {"value": 1, "unit": "seconds"}}),
            "`.data.start.unit`: X: Unknown date unit: SECONDS, expected one of years, quarters, months, weeks, days, hours, minutes",
        ),
        (
            json!({"type": "relative", "start": {"value": 1, "unit": "decades"}}),
            "`.data.start.unit`: X: unknown variant `decades`, expected one of `years`, `quarters`",
        ),
        (
            json!({"type": "rolling", "start": {"value": "soon", "unit": "days"}}),
            "`.data.start.value`: X: invalid value: string \"soon\", expected a whole number of 64 bits",
        ),
        (
            json!({"type": "rolling", "start": {"value": 1e30, "unit": "days"}}),
            "`.data.start.value`: X: invalid value: 1e+30, expected a whole number of 64 bits",
        ),
        (
            json!({"type": "rolling", "start": {"value": u64::MAX, "unit": "days"}}),
            "`.data.start.value`: X: invalid value: 18446744073709551615, expected a whole number of 64 bits",
        ),
        (
            json!({"type": "rolling", "start": {"value": [1], "unit": "days"}}),
            "`.data.start.value`: X: invalid type: [1], expected a whole number of 64 bits",
        ),
        (
            json!({"type": "rolling", "start": {"value": i64::MIN, "unit": "hours"}}),
            "`.data.start.value`: X: -9223372036854775808 hours reach beyond the calendar",
        ),
        (
            json!({"type": "rolling", "includeUndefined": "maybe"}),
            "`.data.includeUndefined`: X: invalid value: string \"maybe\", expected true or false",
        ),
        (json!([]), "`.data`: X: is [], expected an object"),
        (
            json!("today"),
            "`.data`: X: is \"today\", expected an object",
        ),
    ];
    for (data, expected) in problems {
        let found = data_problem("instanceStartDate", data.clone());
        let expected = expected.replace('X', "filter `instanceStartDate`");
        assert!(found.starts_with(&expected), "{expected}\n{found}");
    }
}

#[test]
fn a_date_filter_on_flow_nodes_names_them_on_the_instance_level_alone() {
    let fixed = json!({"type": "fixed", "start": "2024-03-01T00:00:00.000+0000"});
    let with = |members: Value| {
        let mut data = fixed.clone();
        data.as_object_mut()
            .unwrap()
            .extend(members.as_object().unwrap().clone());
        data
    };
    let read = one(json!({"type": "flowNodeEndDate", "data": with(json!({"flowNodeIds": "a"}))}));
    assert!(
        matches!(read, ProcessFilterKind::FlowNodeDate(DateField::End, filter) if filter.flow_node_ids == ["a"])
    );
    let on_view =
        |data: Value| json!({"type": "flowNodeStartDate", "filterLevel": "view", "data": data});
    one(on_view(with(json!({"flowNodeIds": null}))));
    one(on_view(fixed.clone()));
    assert_eq!(
        problem(on_view(with(json!({"flowNodeIds": []})))),
        "`.data.flowNodeIds`: filter `flowNodeStartDate`: flowNodeIds has to be null on the view level"
    );
    for (data, expected) in [
        (
            fixed.clone(),
            "`.data.flowNodeIds`: X: flowNodeIds is not allowed to be empty or null",
        ),
        (
            with(json!({"flowNodeIds": []})),
            "`.data.flowNodeIds`: X: flowNodeIds is not allowed to be empty or null",
        ),
        (
            with(json!({"flowNodeIds": ["a", null]})),
            "`.data.flowNodeIds[1]`: X: is null, expected an id",
        ),
        (
            with(json!({"start": null})),
            "`.data`: X: flowNode date filter start or end field at least one sub field not allowed to be empty or null",
        ),
        (
            with(json!({"type": "rolling", "start": null})),
            "`.data.start`: X: start is not allowed to be null",
        ),
        (
            with(json!({"type": "rolling", "start": {}})),
            "`.data.start.unit`: X: unit is not allowed to be null",
        ),
        (
            with(json!({"type": "relative", "start": {"unit": "days"}})),
            "`.data.start.value`: X: value is not allowed to be null",
        ),
    ] {
        let expected = expected.replace('X', "filter `flowNodeStartDate`");
        assert_eq!(data_problem("flowNodeStartDate", data), expected);
    }
}

#[test]
fn durations_are_read_in_milliseconds() {
    for (data, operator, millis, include_null) in [
        (
            json!({"value": 7, "unit": "days", "operator": "<"}),
            ComparisonOperator::Less,
            604_800_000,
            false,
        ),
        (
            json!({"value": "2", "unit": "halfdays", "operator": ">=", "includeNull": true}),
            ComparisonOperator::GreaterOrEqual,
            86_400_000,
            true,
        ),
        (
            json!({"value": 1, "unit": "years", "operator": "<=", "includeNull": null}),
            ComparisonOperator::LessOrEqual,
            31_556_952_000,
            false,
        ),
        (
            json!({"value": -1, "unit": "months", "operator": ">"}),
            ComparisonOperator::Greater,
            -2_629_746_000,
            false,
        ),
        (
            json!({"value": 0, "unit": "weeks", "operator": ">"}),
            ComparisonOperator::Greater,
            0,
            false,
        ),
        (
            json!({"value": i64::MAX, "unit": "millis", "operator": ">"}),
            ComparisonOperator::Greater,
            i64::MAX,
            false,
        ),
    ] {
        let expected = DurationFilter {
            operator,
            millis,
            include_null,
        };
        let filter = json!({"type": "processInstanceDuration", "data": data});
        assert_eq!(one(filter), ProcessFilterKind::InstanceDuration(expected));
        let filter = json!({"type": "flowNodeDuration", "data": {"a.b": data}});
        assert_eq!(
            one(filter),
            ProcessFilterKind::FlowNodeDuration(vec![("a.b".into(), expected)])
        );
    }
    let empty = json!({"type": "flowNodeDuration", "data": {}});
    assert_eq!(one(empty), ProcessFilterKind::FlowNodeDuration(Vec::new()));
}

#[test]
fn wrong_durations_are_errors() {
    for (data, place, expected) in [
        (
            json!({"unit": "days", "operator": "<"}),
            ".value",
            "value is not allowed to be empty or null",
        ),
        (
            json!({"value": null, "unit": "days", "operator": "<"}),
            ".value",
            "value is not allowed to be empty or null",
        ),
        (
            json!({"value": 1, "operator": "<"}),
            ".unit",
            "unit is not allowed to be empty or null",
        ),
        (
            json!({"value": 1, "unit": "days"}),
            ".operator",
            "operator is not allowed to be empty or null",
        ),
        (
            json!({"value": 1, "unit": "quarters", "operator": "<"}),
            ".unit",
            "unknown variant `quarters`, expected one of `years`, `months`, `weeks`, `days`, `halfDays`, `hours`, `minutes`, `seconds`, `millis`",
        ),
        (
            json!({"value": 1, "unit": "days", "operator": "in"}),
            ".operator",
            "unknown variant `in`, expected one of `<`, `<=`, `>`, `>=`",
        ),
        (
            json!({"value": i64::MAX, "unit": "seconds", "operator": "<"}),
            ".value",
            "9223372036854775807 seconds are more than 64 bits of milliseconds",
        ),
        (
            json!({"value": "NaN", "unit": "days", "operator": "<"}),
            ".value",
            "invalid value: string \"NaN\", expected a whole number of 64 bits",
        ),
    ] {
        let found = data_problem("processInstanceDuration", data.clone());
        assert_eq!(
            found,
            format!("`.data{place}`: filter `processInstanceDuration`: {expected}")
        );
        let found = data_problem("flowNodeDuration", json!({"task": data}));
        assert_eq!(
            found,
            format!("`.data.task{place}`: filter `flowNodeDuration`: {expected}")
        );
    }
    assert_eq!(
        data_problem("flowNodeDuration", json!({"task": null})),
        "`.data.task`: filter `flowNodeDuration`: data is not allowed to be empty or null"
    );
    assert_eq!(
        data_problem("flowNodeDuration", json!([])),
        "`.data`: filter `flowNodeDuration`: is [], expected an object"
    );
}

#[test]
fn lists_of_flow_nodes_may_be_empty_but_not_missing() {
    let executed =
        one(json!({"type": "executedFlowNodes", "data": {"operator": "NOT IN", "values": []}}));
    let expected = ExecutedFlowNodes {
        operator: MembershipOperator::NotIn,
        flow_node_ids: Vec::new(),
    };
    assert_eq!(executed, ProcessFilterKind::ExecutedFlowNodes(expected));
    let executing = one(json!({"type": "executingFlowNodes", "data": {"values": "a"}}));
    assert_eq!(
        executing,
        ProcessFilterKind::ExecutingFlowNodes(vec!["a".into()])
    );
    for (filter_type, data, expected) in [
        (
            "executedFlowNodes",
            json!({"values": ["a"]}),
            "`.data.operator`: X: operator is not allowed to be empty or null",
        ),
        (
            "executedFlowNodes",
            json!({"operator": "in"}),
            "`.data.values`: X: values is not allowed to be empty or null",
        ),
        (
            "executedFlowNodes",
            json!({"operator": "contains", "values": []}),
            "`.data.operator`: X: unknown variant `contains`, expected `in` or `not in`",
        ),
        (
            "executingFlowNodes",
            json!({"values": null}),
            "`.data.values`: X: values is not allowed to be empty or null",
        ),
        (
            "canceledFlowNodes",
            json!({}),
            "`.data.values`: X: values is not allowed to be empty or null",
        ),
        (
            "canceledFlowNodes",
            json!({"values": ["a", null]}),
            "`.data.values[1]`: X: is null, expected an id",
        ),
        (
            "canceledFlowNodes",
            json!({"values": {"a": 1}}),
            "`.data.values`: X: invalid type: map, expected a string",
        ),
    ] {
        let expected = expected.replace('X', &format!("filter `{filter_type}`"));
        assert_eq!(data_problem(filter_type, data), expected);
    }
}

#[test]
fn identities_are_distinct_and_null_is_nobody() {
    for (filter_type, field) in [
        ("assignee", IdentityField::Assignee),
        ("candidateGroup", IdentityField::CandidateGroup),
    ] {
        let filter = json!({"type": filter_type, "data": {"operator": null, "values": ["b", null, "a", "b", null, 7]}});
        let ids = ["b", "a", "7"].map(str::to_owned).to_vec();
        let expected = IdentityFilter {
            operator: MembershipOperator::In,
            ids,
            or_unassigned: true,
        };
        assert_eq!(one(filter), ProcessFilterKind::Identity(field, expected));
        for values in [json!(null), json!([])] {
            let found = data_problem(filter_type, json!({"operator": "not in", "values": values}));
            let expected = format!(
                "`.data.values`: filter `{filter_type}`: Filter values are not allowed to be empty."
            );
            assert_eq!(found, expected);
        }
    }
}

fn variable(variable_type: &str, data: Value) -> VariableCondition {
    let data = json!({"type": variable_type, "name": "v", "data": data});
    match one(json!({"type": "variable", "data": data})) {
        ProcessFilterKind::Variable(filter) => filter.condition,
        other => panic!("{other:?}"),
    }
}

#[test]
fn variable_filters_are_read() {
    let one_of = |values: Value, or_undefined, negated| VariableCondition::OneOf {
        values: values.as_array().unwrap().clone(),
        or_undefined,
        negated,
    };
    for spelling in ["String", "string"] {
        let in_list = json!({"operator": "in", "values": ["a", null, 5]});
        assert_eq!(
            variable(spelling, in_list),
            one_of(json!(["a", "5"]), true, false)
        );
    }
    let not_in = json!({"operator": "not in", "values": "a"});
    assert_eq!(
        variable("String", not_in),
        one_of(json!(["a"]), false, true)
    );
    let not_contains = json!({"operator": "not contains", "values": ["a", null]});
    let expected = VariableCondition::Contains {
        texts: vec!["a".into()],
        or_undefined: true,
        negated: true,
    };
    assert_eq!(variable("String", not_contains), expected);

    let booleans = json!({"values": [true, null, "false", 1]});
    assert_eq!(
        variable("boolean", booleans),
        one_of(json!([true, false, true]), true, false)
    );

    let shorts = json!({"operator": "in", "values": ["5", "70000", "5.5", "6.0"]});
    assert_eq!(
        variable("Short", shorts),
        one_of(json!([5, 70000, 6]), false, false)
    );
    let nothing = json!({"operator": "not in", "values": [null]});
    assert_eq!(variable("Double", nothing), one_of(json!([]), true, true));
    let exact = json!({"operator": "<", "values": ["75309396599875985", "ignored"]});
    let expected = VariableCondition::Compare {
        operator: ComparisonOperator::Less,
        bound: 75_309_396_599_875_985_i64.into(),
    };
    assert_eq!(variable("Long", exact), expected);
    let contains = json!({"operator": "contains", "values": ["5"]});
    assert_eq!(variable("Integer", contains), VariableCondition::Exists);

    let date = json!({"type": "fixed", "excludeUndefined": true});
    assert!(
        matches!(variable("date", date), VariableCondition::Date(date) if date.exclude_undefined)
    );
}

#[test]
fn several_variables_are_read() {
    let several = |data: Value| one(json!({"type": "multipleVariable", "data": {"data": data}}));
    let boolean = json!({"type": "Boolean", "name": "", "data": {"values": [true]}});
    let ProcessFilterKind::MultipleVariable(filters) = several(json!([boolean, boolean])) else {
        panic!("not several variables");
    };
    assert_eq!(filters.len(), 2);
    assert_eq!(
        several(json!(boolean)),
        ProcessFilterKind::MultipleVariable(filters[..1].to_vec())
    );
    assert_eq!(
        several(json!([])),
        ProcessFilterKind::MultipleVariable(Vec::new())
    );
    for (data, expected) in [
        (
            json!({"data": null}),
            "`.data.data`: X: data is not allowed to be empty or null",
        ),
        (
            json!({"data": [boolean, null]}),
            "`.data.data[1]`: X: data is not allowed to be empty or null",
        ),
        (
            json!({"data": [{"type": "Boolean", "name": "v", "data": null}]}),
            "`.data.data[0].data`: X: Variable filter data is not allowed to be null",
        ),
        (
            json!({"data": [{"type": "Boolean", "data": {"values": [true]}}]}),
            "`.data.data[0].name`: X: name is not allowed to be empty or null",
        ),
        (
            json!({"data": [{"type": "Long", "name": "v", "data": {"operator": "<", "values": ["x"]}}]}),
            "`.data.data[0].data.values[0]`: X: Error trying to parse value for filter: x; expected a number of type Long",
        ),
    ] {
        let expected = expected.replace('X', "filter `multipleVariable`");
        assert_eq!(data_problem("multipleVariable", data), expected);
    }
}

#[test]
fn wrong_variable_filters_are_errors() {
    let long = "9".repeat(100_000);
    for (variable_type, data, place, expected) in [
        ("String", json!({"operator": "<", "values": ["a"]}), ".operator", "String variable operator [<] is not supported! Expected one of in, not in, contains, not contains".to_owned()),
        ("String", json!({"operator": "in", "values": []}), ".values", "Filter values are not allowed to be empty.".to_owned()),
        ("String", json!({"operator": "in"}), ".values", "Filter values are not allowed to be empty.".to_owned()),
        ("String", json!({"values": ["a"]}), ".operator", "operator is not allowed to be empty or null".to_owned()),
        ("String", json!({"operator": "like", "values": ["a"]}), ".operator", "unknown variant `like`, expected one of `in`, `not in`, `contains`, `not contains`, `<`, `<=`, `>`, `>=`".to_owned()),
        ("String", json!({"operator": "<", "values": ["a", null]}), ".values", "Filter values are not allowed to contain `null` if a relative operator is used.".to_owned()),
        ("Double", json!({"operator": ">=", "values": ["1", null]}), ".values", "Filter values are not allowed to contain `null` if a relative operator is used.".to_owned()),
        ("Double", json!({"operator": "in", "values": null}), ".values", "Filter values are not allowed to be empty.".to_owned()),
        ("Double", json!({"operator": "in", "values": ["NaN"]}), ".values[0]", "Error trying to parse value for filter: NaN; expected a number of type Double".to_owned()),
        ("Double", json!({"operator": "in", "values": [null, "1e999"]}), ".values[1]", "Error trying to parse value for filter: 1e999; expected a number of type Double".to_owned()),
        ("Long", json!({"operator": "contains", "values": ["abc"]}), ".values[0]", "Error trying to parse value for filter: abc; expected a number of type Long".to_owned()),
        ("Long", json!({"operator": "in", "values": ["5", "abc"]}), ".values[1]", "Error trying to parse value for filter: abc; expected a number of type Long".to_owned()),
        ("Short", json!({"operator": "<", "values": ["32768"]}), ".values[0]", "Error trying to parse value for filter: 32768; expected a number of type Short".to_owned()),
        ("Long", json!({"operator": "<", "values": [long]}), ".values[0]", format!("Error trying to parse value for filter: {}…; expected a number of type Long", "9".repeat(100))),
        ("Boolean", json!({"values": []}), ".values", "boolean filter value is not allowed to be empty or null".to_owned()),
        ("Boolean", json!({}), ".values", "boolean filter value is not allowed to be empty or null".to_owned()),
        ("Boolean", json!({"values": ["yes"]}), ".values", "invalid value: string \"yes\", expected true or false".to_owned()),
        ("Date", json!({"start": null}), ".type", "unknown type of date filter null, expected fixed, rolling or relative".to_owned()),
    ] {
        let found = data_problem("variable", json!({"type": variable_type, "name": "v", "data": data}));
        assert_eq!(found, format!("`.data.data{place}`: filter `variable`: {expected}"));
    }
    let boolean = json!({"values": [true]});
    for (data, expected) in [
        (
            json!({"type": "Boolean", "name": "v"}),
            "`.data.data`: X: data is not allowed to be empty or null",
        ),
        (
            json!({"type": "Boolean", "data": boolean}),
            "`.data.name`: X: name is not allowed to be empty or null",
        ),
        (
            json!({"type": "Boolean", "name": "", "data": boolean}),
            "`.data.name`: X: name is not allowed to be empty or null",
        ),
        (
            json!({"name": "v", "data": boolean}),
            "`.data.type`: X: type is not allowed to be empty or null",
        ),
        (
            json!({"type": "", "name": "v", "data": boolean}),
            "`.data.type`: X: type is not allowed to be empty or null",
        ),
        (
            json!({"type": "BOOLEAN", "name": "v", "data": boolean}),
            "`.data.type`: X: no filter for variables of type \"BOOLEAN\", expected one of String, Short, Long, Double, Integer, Boolean, Date",
        ),
        (
            json!({"type": "Object", "name": "v", "data": boolean}),
            "`.data.type`: X: no filter for variables of type \"Object\", expected one of String, Short, Long, Double, Integer, Boolean, Date",
        ),
    ] {
        let expected = expected.replace('X', "filter `variable`");
        assert_eq!(data_problem("variable", data), expected);
    }
}

#[test]
fn decision_filters_are_read() {
    let filters = decision(json!([
        {"type": "evaluationDateTime", "data": {"type": "rolling", "start": {"value": 4, "unit": "days"}}},
        {"type": "inputVariable", "data": {"type": "Double", "name": "clause1", "data": {"operator": ">=", "values": ["200.0"]}}},
        {"type": "outputVariable", "data": {"type": "Boolean", "name": "clause2", "data": {"values": [true]}}},
    ]));
    assert!(matches!(&filters[0], DecisionFilter::EvaluationDateTime(_)));
    assert!(
        matches!(&filters[1], DecisionFilter::InputVariable(filter) if filter.name == "clause1")
    );
    assert!(
        matches!(&filters[2], DecisionFilter::OutputVariable(filter) if filter.name == "clause2")
    );
    let error = |filter: Value| parse("decision", &json!([filter])).unwrap_err().to_string();
    assert_eq!(
        error(json!({"type": "evaluationDateTime", "data": {"type": "fixed"}})),
        "report part `data.filter[0].data`: filter `evaluationDateTime`: evaluation date filter  at least one sub field not allowed to be empty or null"
    );
    assert_eq!(
        error(json!({"type": "variable"})),
        "report part `data.filter[0].type`: unknown filter type \"variable\", expected one of evaluationDateTime, inputVariable, outputVariable"
    );
    assert_eq!(
        error(json!({"type": "inputVariable", "data": {"type": "Double", "data": {}}})),
        "report part `data.filter[0].data.name`: filter `inputVariable`: name is not allowed to be empty or null"
    );
}

/// JSON of every kind, with the members and words that filters are made of among it.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "fixed",
        "rolling",
        "relative",
        "days",
        "quarters",
        "millis",
        "in",
        "not in",
        "contains",
        "<",
        "String",
        "Long",
        "Double",
        "Boolean",
        "Date",
        "5",
        "NaN",
        "1e999",
        "",
        "instance",
        "view",
        "all",
        "2024-03-01T00:00:00.000+0000",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    let member = prop::sample::select(vec![
        "type",
        "name",
        "data",
        "start",
        "end",
        "value",
        "unit",
        "operator",
        "values",
        "includeNull",
        "includeUndefined",
        "flowNodeIds",
        "a",
    ]);
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(member.clone(), inner, 0..6).prop_map(|members| members
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_stored_becomes_a_query_or_is_blamed_on_a_part(
        filter_type in prop::sample::select(ProcessFilterType::ALL),
        level in prop::sample::select(FilterLevel::ALL),
        data in any_json(),
    ) {
        let filter = json!([{"type": filter_type.id(), "filterLevel": level.id(), "data": data}]);
        match parse("process", &filter) {
            Ok(StoredReport::Process(report)) => {
                let context = crate::filter::FilterContext {
                    now: jiff::Timestamp::UNIX_EPOCH,
                    time_zone: jiff::tz::TimeZone::UTC,
                    user_task_report: false,
                    assignee_analytics: true,
                };
                let none = crate::filter::ImplicitFilter::None;
                let narrowing = crate::filter::narrowing(&report.filters, &[], none, &context);
                prop_assert!(narrowing.all.len() <= 1);
                prop_assert!(crate::filter::model_element_filter(&report.filters, &[], &context).is_object());
            }
            Ok(other) => prop_assert!(false, "{other:?}"),
            Err(error) => {
                let is_part = matches!(&error, DefinitionError::Part { part, .. } if part.starts_with("data.filter[0]"));
                prop_assert!(is_part, "{error}");
            }
        }
    }

    #[test]
    fn durations_of_any_size_are_read_or_refused(value: i64, unit in prop::sample::select(DurationUnit::ALL)) {
        let data = json!({"value": value, "unit": unit.id(), "operator": "<"});
        let filter = json!([{"type": "processInstanceDuration", "filterLevel": "instance", "data": data}]);
        prop_assert_eq!(parse("process", &filter).is_ok(), value.checked_mul(unit.millis()).is_some());
    }
}
