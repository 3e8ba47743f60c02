//! One process instance as a row.
//!
//! Source: fact file A, section 5.1; fact file D1, section 4.4. Fields and their order are those of Optimize's
//! `RawDataProcessInstanceDto`.

use std::collections::HashMap;

use jiff::tz::TimeZone;
use serde::Deserialize;

use super::dates;
use super::document::{Integer, Many, Text};
use super::json::JsonText;
use super::variables::{self, ObjectVariables, Scratch, Variable, VariableNames};
use crate::definitions::{DefinitionVersion, FlowNodeNames};

/// Type of the flow nodes that count as user tasks, spelled as it is stored.
const USER_TASK_TYPE: &str = "userTask";
/// Status of an incident that nobody has resolved.
const OPEN_STATUS: &str = "open";

/// The parts of a stored process instance that a row shows.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessInstance<'a> {
    #[serde(borrow, default)]
    process_definition_key: Text<'a>,
    #[serde(borrow, default)]
    process_definition_version: Text<'a>,
    #[serde(borrow, default)]
    process_definition_id: Text<'a>,
    #[serde(borrow, default)]
    process_instance_id: Text<'a>,
    #[serde(borrow, default)]
    business_key: Text<'a>,
    #[serde(borrow, default)]
    start_date: Text<'a>,
    #[serde(borrow, default)]
    end_date: Text<'a>,
    #[serde(default)]
    duration: Integer,
    #[serde(borrow, default)]
    data_source: Many<DataSource<'a>>,
    #[serde(borrow, default)]
    tenant_id: Text<'a>,
    #[serde(borrow, default)]
    variables: Many<Variable<'a>>,
    #[serde(borrow, default)]
    flow_node_instances: Many<FlowNodeInstance<'a>>,
    #[serde(borrow, default)]
    incidents: Many<Incident<'a>>,
}

#[derive(Debug, Deserialize)]
struct DataSource<'a> {
    #[serde(borrow, default)]
    name: Text<'a>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FlowNodeInstance<'a> {
    #[serde(borrow, default)]
    flow_node_instance_id: Text<'a>,
    #[serde(borrow, default)]
    flow_node_id: Text<'a>,
    #[serde(borrow, default)]
    flow_node_type: Text<'a>,
    #[serde(borrow, default)]
    start_date: Text<'a>,
    #[serde(borrow, default)]
    end_date: Text<'a>,
    #[serde(default)]
    total_duration_in_ms: Integer,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Incident<'a> {
    #[serde(borrow, default)]
    incident_status: Text<'a>,
}

impl ProcessInstance<'_> {
    /// The definition whose flow node names the row shows; `None` for an instance whose definition data were not
    /// imported yet.
    pub fn definition(&self) -> Option<DefinitionVersion> {
        Some(DefinitionVersion {
            key: self.process_definition_key.as_deref()?.to_owned(),
            version: self.process_definition_version.as_deref()?.to_owned(),
            tenant_id: self.tenant_id.as_deref().map(str::to_owned),
        })
    }

    /// Whether [`ProcessInstance::definition`] would give this one, without making it.
    pub fn is_of(&self, definition: &DefinitionVersion) -> bool {
        self.process_definition_key.as_deref() == Some(&definition.key)
            && self.process_definition_version.as_deref() == Some(&definition.version)
            && self.tenant_id.as_deref() == definition.tenant_id.as_deref()
    }
}

/// Writes process rows of one page.
pub struct ProcessRowWriter<'a> {
    /// What running durations are measured against, in milliseconds since 1970; the same on every page of a scroll.
    pub now: i64,
    /// The names that every row has.
    pub variable_names: &'a VariableNames,
    /// How object variables are shown.
    pub object_variables: ObjectVariables,
    /// The zone that dates are converted to; `None` keeps the stored offset.
    pub time_zone: Option<&'a TimeZone>,
    /// Room that is used again for every row.
    pub scratch: Scratch,
}

impl ProcessRowWriter<'_> {
    /// Writes one row.
    pub fn write(
        &mut self,
        out: &mut JsonText,
        instance: &ProcessInstance<'_>,
        names: &FlowNodeNames,
    ) {
        let mut first = true;
        out.raw("{");
        out.name("processDefinitionKey", &mut first);
        out.optional_string(instance.process_definition_key.as_deref());
        out.name("processDefinitionId", &mut first);
        out.optional_string(instance.process_definition_id.as_deref());
        out.name("processInstanceId", &mut first);
        out.optional_string(instance.process_instance_id.as_deref());
        out.name("counts", &mut first);
        write_counts(out, instance);
        out.name("flowNodeDurations", &mut first);
        self.write_flow_node_durations(out, &instance.flow_node_instances.0, names);
        out.name("businessKey", &mut first);
        out.optional_string(instance.business_key.as_deref());
        out.name("startDate", &mut first);
        self.write_date(out, &instance.start_date);
        out.name("endDate", &mut first);
        self.write_date(out, &instance.end_date);
        out.name("duration", &mut first);
        out.optional_integer(
            instance
                .duration
                .0
                .or_else(|| self.running_duration(&instance.start_date)),
        );
        out.name("engineName", &mut first);
        out.optional_string(
            instance
                .data_source
                .0
                .first()
                .and_then(|source| source.name.as_deref()),
        );
        out.name("tenantId", &mut first);
        out.optional_string(instance.tenant_id.as_deref());
        out.name("variables", &mut first);
        variables::write(
            out,
            &instance.variables.0,
            self.variable_names,
            self.object_variables,
            &mut self.scratch,
        );
        out.name("flowNodeInstances", &mut first);
        self.write_flow_node_instances(out, &instance.flow_node_instances.0, names);
        out.raw("}");
    }

    /// How long something that started then has been running.
    fn running_duration(&self, start_date: &Text<'_>) -> Option<i64> {
        start_date
            .as_deref()
            .and_then(dates::epoch_millis)
            .map(|start| self.now - start)
    }

    fn write_date(&self, out: &mut JsonText, date: &Text<'_>) {
        dates::write(out, date, self.time_zone);
    }

    /// Durations are summed up per flow node; one that is running counts with its duration so far, one without dates
    /// does not count.
    fn write_flow_node_durations(
        &self,
        out: &mut JsonText,
        flow_nodes: &[FlowNodeInstance<'_>],
        names: &FlowNodeNames,
    ) {
        let mut positions: HashMap<&str, usize> = HashMap::with_capacity(flow_nodes.len());
        let mut sums: Vec<(&str, i64)> = Vec::with_capacity(flow_nodes.len());
        for flow_node in flow_nodes {
            let duration = flow_node
                .total_duration_in_ms
                .0
                .or_else(|| self.running_duration(&flow_node.start_date));
            let (Some(id), Some(duration)) = (flow_node.flow_node_id.as_deref(), duration) else {
                continue;
            };
            let position = *positions.entry(id).or_insert(sums.len());
            match sums.get_mut(position) {
                Some((_, sum)) => *sum = sum.saturating_add(duration),
                None => sums.push((id, duration)),
            }
        }
        let mut first = true;
        out.raw("{");
        for (id, sum) in sums {
            out.name(id, &mut first);
            out.raw("{\"name\":");
            out.optional_string(name_of(names, id));
            out.raw(",\"value\":");
            out.integer(sum);
            out.raw("}");
        }
        out.raw("}");
    }

    fn write_flow_node_instances(
        &self,
        out: &mut JsonText,
        flow_nodes: &[FlowNodeInstance<'_>],
        names: &FlowNodeNames,
    ) {
        let mut first = true;
        out.raw("[");
        for flow_node in flow_nodes {
            out.separator(&mut first);
            out.raw("{\"id\":");
            out.optional_string(flow_node.flow_node_instance_id.as_deref());
            out.raw(",\"name\":");
            let id = flow_node.flow_node_id.as_deref();
            out.optional_string(id.and_then(|id| name_of(names, id)).or(id));
            out.raw(",\"startDate\":");
            self.write_date(out, &flow_node.start_date);
            out.raw(",\"endDate\":");
            self.write_date(out, &flow_node.end_date);
            out.raw("}");
        }
        out.raw("]");
    }
}

fn name_of<'n>(names: &'n FlowNodeNames, flow_node_id: &str) -> Option<&'n str> {
    names.get(flow_node_id).and_then(|name| name.as_deref())
}

fn write_counts(out: &mut JsonText, instance: &ProcessInstance<'_>) {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let incidents = &instance.incidents.0;
    let is_open = |incident: &&Incident<'_>| {
        incident
            .incident_status
            .as_deref()
            .is_some_and(|status| status.eq_ignore_ascii_case(OPEN_STATUS))
    };
    let is_user_task = |flow_node: &&FlowNodeInstance<'_>| {
        flow_node.flow_node_type.as_deref() == Some(USER_TASK_TYPE)
    };
    out.raw("{\"incidents\":");
    out.integer(count(incidents.len()));
    out.raw(",\"openIncidents\":");
    out.integer(count(incidents.iter().filter(is_open).count()));
    out.raw(",\"userTasks\":");
    out.integer(count(
        instance
            .flow_node_instances
            .0
            .iter()
            .filter(is_user_task)
            .count(),
    ));
    out.raw("}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(document: &str) -> String {
        let instance: ProcessInstance<'_> = serde_json::from_str(document).unwrap();
        let names = FlowNodeNames::from([
            ("start".to_owned(), Some("Order received".to_owned())),
            ("check".to_owned(), Some("Check \"order\"".to_owned())),
            ("gateway".to_owned(), None),
        ]);
        let mut writer = ProcessRowWriter {
            now: dates::epoch_millis("2024-01-01T12:00:00.000+0000").unwrap(),
            variable_names: &VariableNames::new(vec!["b".into()]),
            object_variables: ObjectVariables::Values,
            time_zone: None,
            scratch: Scratch::default(),
        };
        let mut out = JsonText::default();
        writer.write(&mut out, &instance, &names);
        String::from_utf8(out.take()).unwrap()
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
    fn single_values_stand_for_lists() {
        let row = row(
            r#"{"flowNodeInstances":{"flowNodeId":"start","totalDurationInMs":"5","flowNodeType":"userTask"},"incidents":{"incidentStatus":"OPEN"},"variables":{"name":"b","value":true}}"#,
        );
        assert!(row.contains(r#""counts":{"incidents":1,"openIncidents":1,"userTasks":1},"flowNodeDurations":{"start":{"name":"Order received","value":5}}"#), "{row}");
        assert!(row.contains(r#""variables":{"b":"true"}"#), "{row}");
    }
}
