//! The object of a process instance: its members, in the order of Optimize's `RawDataProcessInstanceDto`.

use optimize::access::columns::DURATION_PREFIX;
use optimize::json::JsonText;
use optimize::raw_data::process_row::ProcessRow;

use super::members::{Members, column};
use super::text;
use super::variables;

/// Columns of a table of flow nodes.
const FLOW_NODE_ID: &str = "flowNodeId";
const FLOW_NODE_NAME: &str = "flowNodeName";

/// Writes one object.
pub fn write(row: &ProcessRow<'_>, out: &mut JsonText) {
    let mut members = Members::new(row.restrictions);
    out.raw("{");
    members.text(
        column!("processDefinitionKey"),
        row.process_definition_key,
        out,
    );
    members.text(
        column!("processDefinitionId"),
        row.process_definition_id,
        out,
    );
    members.text(column!("processInstanceId"), row.process_instance_id, out);
    members.begin_always("\"counts\":", out);
    write_counts(row, out);
    members.begin_always("\"flowNodeDurations\":", out);
    write_flow_node_durations(row, out);
    members.text(column!("businessKey"), row.business_key, out);
    members.date(column!("startDate"), &row.start_date, out);
    members.date(column!("endDate"), &row.end_date, out);
    if members.begin(column!("duration"), out) {
        out.optional_integer(row.duration);
    }
    if members.begin(column!("engineName"), out) {
        match row.engine_name {
            Some(name) => text::write(name, out),
            None => out.raw("null"),
        }
    }
    members.text(column!("tenantId"), row.tenant_id, out);
    members.begin_always("\"variables\":", out);
    variables::write(&row.variables, out);
    members.begin_always("\"flowNodeInstances\":", out);
    write_flow_node_instances(row, out);
    out.raw("}");
}

fn write_counts(row: &ProcessRow<'_>, out: &mut JsonText) {
    let mut members = Members::new(row.restrictions);
    out.raw("{");
    for (column, begin, count) in [
        ("count:incidents", "\"incidents\":", row.counts.incidents),
        (
            "count:openIncidents",
            "\"openIncidents\":",
            row.counts.open_incidents,
        ),
        ("count:userTasks", "\"userTasks\":", row.counts.user_tasks),
    ] {
        if members.begin((column, begin), out) {
            out.unsigned(u64::try_from(count).unwrap_or(u64::MAX));
        }
    }
    out.raw("}");
}

/// Tables have these durations as columns of instances, and what they are made of in a table of flow nodes.
fn write_flow_node_durations(row: &ProcessRow<'_>, out: &mut JsonText) {
    let restrictions = row.restrictions;
    let mut first = true;
    out.raw("{");
    for duration in row.flow_node_durations() {
        let id = duration.id.as_deref().unwrap_or_default();
        if restrictions.leave_out(FLOW_NODE_ID) || restrictions.leave_out_named(DURATION_PREFIX, id)
        {
            continue;
        }
        out.separator(&mut first);
        text::write(duration.id, out);
        out.raw(":{");
        let mut members = Members::new(restrictions);
        if members.begin((FLOW_NODE_NAME, "\"name\":"), out) {
            match duration.name {
                Some(name) => out.known_string(name),
                None => out.raw("null"),
            }
        }
        if members.begin(("duration", "\"value\":"), out) {
            out.integer(duration.value);
        }
        out.raw("}");
    }
    out.raw("}");
}

/// What a table of flow nodes has as columns.
fn write_flow_node_instances(row: &ProcessRow<'_>, out: &mut JsonText) {
    let mut first = true;
    out.raw("[");
    for passage in row.flow_node_instances() {
        out.separator(&mut first);
        out.raw("{");
        let mut members = Members::new(row.restrictions);
        members.text(("flowNodeInstanceId", "\"id\":"), passage.id, out);
        // The id stands in for a name.
        let is_id = passage.name.is_none();
        let is_left_out = is_id && row.restrictions.leave_out(FLOW_NODE_ID);
        if !is_left_out && members.begin((FLOW_NODE_NAME, "\"name\":"), out) {
            match passage.name {
                Some(name) => out.known_string(name),
                None => text::write(passage.flow_node_id, out),
            }
        }
        members.date(column!("startDate"), &passage.start_date, out);
        members.date(column!("endDate"), &passage.end_date, out);
        out.raw("}");
    }
    out.raw("]");
}

#[cfg(test)]
mod tests {
    use optimize::access::{Limits, Patterns, Restrictions};
    use optimize::definitions::FlowNodeNames;
    use optimize::raw_data::cursor::Cursor;
    use optimize::raw_data::dates::epoch_millis;
    use optimize::raw_data::process_row::{ProcessInstance, ProcessRows};
    use optimize::raw_data::variables::{ObjectVariables, VariableNames};

    use super::*;

    fn row(document: &str) -> String {
        row_without(document, &Restrictions::default())
    }

    fn row_without(document: &str, restrictions: &Restrictions) -> String {
        let mut instance: ProcessInstance<'_> = Cursor::new(document).read().unwrap();
        instance.leave_out(restrictions);
        let names = FlowNodeNames::from([
            ("start".to_owned(), Some("Order received".to_owned())),
            ("check".to_owned(), Some("Check \"order\"".to_owned())),
            ("gateway".to_owned(), None),
        ]);
        let mut rows = ProcessRows {
            now: epoch_millis("2024-01-01T12:00:00.000+0000").unwrap(),
            variable_names: &VariableNames::new(vec!["b".into()]),
            object_variables: ObjectVariables::Values,
            time_zone: None,
            restrictions,
            scratch: Default::default(),
        };
        let mut out = JsonText::default();
        write(&rows.row(&instance, &names), &mut out);
        String::from_utf8(out.into_bytes()).unwrap()
    }

    #[test]
    fn every_field_in_its_order() {
        // "check" ran twice: 1,000 ms once, and since 11:59:58, which is 2,000 ms before now.
        let document = r#"{"processDefinitionKey":"order","processDefinitionVersion":"2","processDefinitionId":"order:2:7",
            "processInstanceId":"i1","businessKey":"B-1","startDate":"2024-01-01T13:00:00.000+0100","endDate":null,"duration":null,
            "state":"ACTIVE","dataSource":{"type":"engine","name":"camunda-bpm"},"tenantId":"acme",
            "variables":[{"name":"a","type":"Double","value":["1.5"]}],
            "incidents":[{"incidentStatus":"open"},{"incidentStatus":"resolved"}],
            "flowNodeInstances":[
              {"flowNodeInstanceId":"f1","flowNodeId":"start","flowNodeType":"startEvent","startDate":"2024-01-01T13:00:00.000+0100","endDate":"2024-01-01T13:00:00.000+0100","totalDurationInMs":0},
              {"flowNodeInstanceId":"f2","flowNodeId":"check","flowNodeType":"userTask","startDate":"2024-01-01T12:00:00.000+0000","endDate":"2024-01-01T12:00:01.000+0000","totalDurationInMs":1000},
              {"flowNodeInstanceId":"f3","flowNodeId":"check","flowNodeType":"userTask","startDate":"2024-01-01T11:59:58.000+0000"},
              {"flowNodeInstanceId":"f4","flowNodeId":"gateway","flowNodeType":"exclusiveGateway"}]}"#;
        assert_eq!(
            row(document),
            concat!(
                r#"{"processDefinitionKey":"order","processDefinitionId":"order:2:7","processInstanceId":"i1","#,
                r#""counts":{"incidents":2,"openIncidents":1,"userTasks":2},"#,
                r#""flowNodeDurations":{"start":{"name":"Order received","value":0},"check":{"name":"Check \"order\"","value":3000}},"#,
                r#""businessKey":"B-1","startDate":"2024-01-01T13:00:00.000+0100","endDate":null,"duration":0,"#,
                r#""engineName":"camunda-bpm","tenantId":"acme","variables":{"a":"1.5","b":""},"flowNodeInstances":["#,
                r#"{"id":"f1","name":"Order received","startDate":"2024-01-01T13:00:00.000+0100","endDate":"2024-01-01T13:00:00.000+0100"},"#,
                r#"{"id":"f2","name":"Check \"order\"","startDate":"2024-01-01T12:00:00.000+0000","endDate":"2024-01-01T12:00:01.000+0000"},"#,
                r#"{"id":"f3","name":"Check \"order\"","startDate":"2024-01-01T11:59:58.000+0000","endDate":null},"#,
                r#"{"id":"f4","name":"gateway","startDate":null,"endDate":null}]}"#,
            )
        );
    }

    #[test]
    fn an_empty_document_is_a_row_of_nulls() {
        let expected = r#"{"processDefinitionKey":null,"processDefinitionId":null,"processInstanceId":null,"counts":{"incidents":0,"openIncidents":0,"userTasks":0},"flowNodeDurations":{},"businessKey":null,"startDate":null,"endDate":null,"duration":null,"engineName":null,"tenantId":null,"variables":{"b":""},"flowNodeInstances":[]}"#;
        assert_eq!(row("{}"), expected);
        assert_eq!(
            row(
                r#"{"variables":null,"flowNodeInstances":null,"incidents":[],"dataSource":null,"duration":null}"#
            ),
            expected
        );
    }

    #[test]
    fn what_somebody_may_not_see_is_left_out() {
        let document = r#"{"processDefinitionKey":"order","processInstanceId":"i1","businessKey":"B-1",
            "variables":[{"name":"iban","type":"String","value":["secret"]},{"name":"b","type":"String","value":["x"]}],
            "flowNodeInstances":[{"flowNodeId":"start","totalDurationInMs":5},{"flowNodeId":"check","totalDurationInMs":6}]}"#;
        let without = |columns: &[&str]| {
            let left_out = Patterns::new(columns);
            let limits = Limits {
                left_out,
                ..Limits::default()
            };
            row_without(document, &Restrictions::all_of([limits]))
        };
        assert_eq!(
            without(&[
                "processDefinition*",
                "businessKey",
                "count:i*",
                "dur:start",
                "startDate",
                "endDate",
                "variable:iban"
            ]),
            concat!(
                r#"{"processInstanceId":"i1","counts":{"openIncidents":0,"userTasks":0},"#,
                r#""flowNodeDurations":{"check":{"name":"Check \"order\"","value":6}},"duration":null,"engineName":null,"#,
                r#""tenantId":null,"variables":{"b":"x"},"#,
                r#""flowNodeInstances":[{"id":null,"name":"Order received"},{"id":null,"name":"Check \"order\""}]}"#,
            )
        );
        let flow_nodes = |columns: &[&str]| {
            let row: serde_json::Value = serde_json::from_str(&without(columns)).unwrap();
            (
                row["flowNodeDurations"].to_string(),
                row["flowNodeInstances"][0].to_string(),
            )
        };
        assert_eq!(
            flow_nodes(&["flowNodeId"]),
            (
                "{}".to_owned(),
                r#"{"endDate":null,"id":null,"name":"Order received","startDate":null}"#.to_owned()
            )
        );
        assert_eq!(
            flow_nodes(&["flowNodeName", "flowNodeInstanceId", "duration", "endDate"]),
            (
                r#"{"check":{},"start":{}}"#.to_owned(),
                r#"{"startDate":null}"#.to_owned()
            )
        );
        let counts = |columns: &[&str]| {
            let row: serde_json::Value = serde_json::from_str(&without(columns)).unwrap();
            row["counts"].to_string()
        };
        assert_eq!(
            counts(&["count:openIncidents"]),
            r#"{"incidents":0,"userTasks":0}"#
        );
        assert_eq!(
            counts(&["count:userTasks"]),
            r#"{"incidents":0,"openIncidents":0}"#
        );
        // The names that every row has are taken out where they are found (`Columns::without_left_out`).
        assert_eq!(
            without(&["*"]),
            r#"{"counts":{},"flowNodeDurations":{},"variables":{"b":""},"flowNodeInstances":[{},{}]}"#
        );
    }

    #[test]
    fn single_values_stand_for_lists() {
        let row = row(
            r#"{"flowNodeInstances":{"flowNodeId":"start","totalDurationInMs":"5","flowNodeType":"userTask"},"incidents":{"incidentStatus":"OPEN"},"variables":{"name":"b","value":true}}"#,
        );
        assert!(row.contains(r#""counts":{"incidents":1,"openIncidents":1,"userTasks":1},"flowNodeDurations":{"start":{"name":"Order received","value":5}}"#), "{row}");
        assert!(row.contains(r#""variables":{"b":"true"}"#), "{row}");
    }
}
