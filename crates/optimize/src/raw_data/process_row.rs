//! One process instance as a row.
//!
//! Source: crates/optimize/docs/raw-data.md, "Rows of process instances". Fields and their order are those of Optimize's
//! `RawDataProcessInstanceDto`.

use std::collections::HashMap;

use jiff::tz::TimeZone;

use super::dates;
use super::document::{Integer, Many, Text, document};
use super::json::JsonText;
use super::variables::{self, ObjectVariables, Scratch, Variable, VariableNames};
use crate::definitions::{DefinitionVersion, FlowNodeNames};

/// Type of the flow nodes that count as user tasks, spelled as it is stored.
const USER_TASK_TYPE: &str = "userTask";
/// Status of an incident that nobody has resolved.
const OPEN_STATUS: &str = "open";

/// Whether a flow node counts as a user task.
pub(crate) fn is_user_task(flow_node_type: &Text<'_>) -> bool {
    flow_node_type.as_deref() == Some(USER_TASK_TYPE)
}

/// Whether an incident counts as an open one.
pub(crate) fn is_open(incident_status: &Text<'_>) -> bool {
    (incident_status.as_deref()).is_some_and(|status| status.eq_ignore_ascii_case(OPEN_STATUS))
}

/// How long something that started then has been running.
pub(crate) fn running_duration(now: i64, start_date: &Text<'_>) -> Option<i64> {
    let start = start_date.as_deref().and_then(dates::epoch_millis)?;
    Some(now.saturating_sub(start))
}

document! {
    /// The parts of a stored process instance that a row shows.
    pub struct ProcessInstance<'a> {
        process_definition_key: Text<'a> = "processDefinitionKey",
        process_definition_version: Text<'a> = "processDefinitionVersion",
        process_definition_id: Text<'a> = "processDefinitionId",
        process_instance_id: Text<'a> = "processInstanceId",
        business_key: Text<'a> = "businessKey",
        start_date: Text<'a> = "startDate",
        end_date: Text<'a> = "endDate",
        duration: Integer = "duration",
        data_source: Many<DataSource<'a>> = "dataSource",
        tenant_id: Text<'a> = "tenantId",
        variables: Many<Variable<'a>> = "variables",
        flow_node_instances: Many<FlowNodeInstance<'a>> = "flowNodeInstances",
        incidents: Many<Incident<'a>> = "incidents",
    }
}

document! {
    pub(crate) struct DataSource<'a> {
        pub(crate) name: Text<'a> = "name",
    }
}

document! {
    struct FlowNodeInstance<'a> {
        flow_node_instance_id: Text<'a> = "flowNodeInstanceId",
        flow_node_id: Text<'a> = "flowNodeId",
        flow_node_type: Text<'a> = "flowNodeType",
        start_date: Text<'a> = "startDate",
        end_date: Text<'a> = "endDate",
        total_duration_in_ms: Integer = "totalDurationInMs",
    }
}

document! {
    pub(crate) struct Incident<'a> {
        pub(crate) incident_status: Text<'a> = "incidentStatus",
    }
}

impl ProcessInstance<'_> {
    /// The definition whose flow node names the row shows; `None` for an instance whose definition data were not
    /// imported yet.
    pub fn definition(&self) -> Option<DefinitionVersion> {
        DefinitionVersion::of_instance(
            self.process_definition_key.as_deref(),
            self.process_definition_version.as_deref(),
            self.tenant_id.as_deref(),
        )
    }

    /// Whether [`ProcessInstance::definition`] would give this one, without making it.
    pub fn is_of(&self, definition: &DefinitionVersion) -> bool {
        definition.is_of_instance(
            self.process_definition_key.as_deref(),
            self.process_definition_version.as_deref(),
            self.tenant_id.as_deref(),
        )
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
        let flow_node_instances = &instance.flow_node_instances.0;
        let flow_nodes = FlowNodes::of(flow_node_instances, names, |start_date| {
            self.running_duration(start_date)
        });
        out.raw("{\"processDefinitionKey\":");
        instance.process_definition_key.write(out);
        out.raw(",\"processDefinitionId\":");
        instance.process_definition_id.write(out);
        out.raw(",\"processInstanceId\":");
        instance.process_instance_id.write(out);
        out.raw(",\"counts\":");
        write_counts(out, instance);
        out.raw(",\"flowNodeDurations\":");
        write_flow_node_durations(out, &flow_nodes);
        out.raw(",\"businessKey\":");
        instance.business_key.write(out);
        out.raw(",\"startDate\":");
        self.write_date(out, &instance.start_date);
        out.raw(",\"endDate\":");
        self.write_date(out, &instance.end_date);
        out.raw(",\"duration\":");
        let duration = instance.duration.0;
        out.optional_integer(duration.or_else(|| self.running_duration(&instance.start_date)));
        out.raw(",\"engineName\":");
        match instance.data_source.0.first() {
            Some(source) => source.name.write(out),
            None => out.raw("null"),
        }
        out.raw(",\"tenantId\":");
        instance.tenant_id.write(out);
        out.raw(",\"variables\":");
        variables::write(
            out,
            &instance.variables.0,
            self.variable_names,
            self.object_variables,
            &mut self.scratch,
        );
        out.raw(",\"flowNodeInstances\":");
        self.write_flow_node_instances(out, flow_node_instances, &flow_nodes);
        out.raw("}");
    }

    fn running_duration(&self, start_date: &Text<'_>) -> Option<i64> {
        running_duration(self.now, start_date)
    }

    fn write_date(&self, out: &mut JsonText, date: &Text<'_>) {
        dates::write(out, date, self.time_zone);
    }

    fn write_flow_node_instances(
        &self,
        out: &mut JsonText,
        instances: &[FlowNodeInstance<'_>],
        flow_nodes: &FlowNodes<'_>,
    ) {
        let mut first = true;
        out.raw("[");
        for (instance, flow_node) in instances.iter().zip(flow_nodes.of_instances()) {
            out.separator(&mut first);
            out.raw("{\"id\":");
            instance.flow_node_instance_id.write(out);
            out.raw(",\"name\":");
            match flow_node.and_then(|flow_node| flow_node.name) {
                Some(name) => out.string(name),
                None => instance.flow_node_id.write(out),
            }
            out.raw(",\"startDate\":");
            self.write_date(out, &instance.start_date);
            out.raw(",\"endDate\":");
            self.write_date(out, &instance.end_date);
            out.raw("}");
        }
        out.raw("]");
    }
}

fn write_flow_node_durations(out: &mut JsonText, flow_nodes: &FlowNodes<'_>) {
    let mut first = true;
    out.raw("{");
    for (flow_node, sum) in flow_nodes.durations() {
        out.separator(&mut first);
        flow_node.id.write(out);
        out.raw(":{\"name\":");
        out.optional_string(flow_node.name);
        out.raw(",\"value\":");
        out.integer(sum);
        out.raw("}");
    }
    out.raw("}");
}

/// The flow nodes of one process instance, each once however often the instance passed it.
struct FlowNodes<'a> {
    distinct: Vec<FlowNode<'a>>,
    /// Those that have a duration, in the order in which they got one.
    with_duration: Vec<usize>,
    /// Which one each flow node instance belongs to.
    of_instances: Vec<Option<usize>>,
}

struct FlowNode<'a> {
    id: &'a Text<'a>,
    name: Option<&'a str>,
    /// The sum over its instances.
    duration: Option<i64>,
}

/// So many flow nodes are told apart faster by looking at all of them than by hashing.
const FEW_FLOW_NODES: usize = 24;

impl<'a> FlowNodes<'a> {
    /// Durations are summed up per flow node; one that is running counts with its duration so far, one without dates
    /// does not count.
    fn of(
        instances: &'a [FlowNodeInstance<'a>],
        names: &'a FlowNodeNames,
        running_duration: impl Fn(&Text<'_>) -> Option<i64>,
    ) -> Self {
        let mut this = Self {
            distinct: Vec::with_capacity(instances.len().min(FEW_FLOW_NODES)),
            with_duration: Vec::with_capacity(instances.len().min(FEW_FLOW_NODES)),
            of_instances: Vec::with_capacity(instances.len()),
        };
        let mut by_id: HashMap<&str, usize> = HashMap::new();
        for instance in instances {
            let index = (instance.flow_node_id.as_deref())
                .map(|id| this.find_or_add(id, &instance.flow_node_id, names, &mut by_id));
            this.of_instances.push(index);
            let duration = instance
                .total_duration_in_ms
                .0
                .or_else(|| running_duration(&instance.start_date));
            let flow_node = index.and_then(|index| Some((index, this.distinct.get_mut(index)?)));
            if let (Some((index, flow_node)), Some(duration)) = (flow_node, duration) {
                match &mut flow_node.duration {
                    Some(sum) => *sum = sum.saturating_add(duration),
                    sum => {
                        *sum = Some(duration);
                        this.with_duration.push(index);
                    }
                }
            }
        }
        this
    }

    fn find_or_add(
        &mut self,
        id: &'a str,
        id_as_text: &'a Text<'a>,
        names: &'a FlowNodeNames,
        by_id: &mut HashMap<&'a str, usize>,
    ) -> usize {
        let next = self.distinct.len();
        let found = if next < FEW_FLOW_NODES {
            (self.distinct.iter()).position(|flow_node| flow_node.id.as_deref() == Some(id))
        } else {
            if by_id.is_empty() {
                let ids = self.distinct.iter().enumerate();
                by_id.extend(ids.filter_map(|(i, node)| Some((node.id.as_deref()?, i))));
            }
            by_id.get(id).copied()
        };
        if let Some(index) = found {
            return index;
        }
        if next >= FEW_FLOW_NODES {
            by_id.insert(id, next);
        }
        self.distinct.push(FlowNode {
            id: id_as_text,
            name: names.get(id).and_then(|name| name.as_deref()),
            duration: None,
        });
        next
    }

    fn durations(&self) -> impl Iterator<Item = (&FlowNode<'a>, i64)> {
        self.with_duration.iter().filter_map(|index| {
            let flow_node = self.distinct.get(*index)?;
            Some((flow_node, flow_node.duration?))
        })
    }

    fn of_instances(&self) -> impl Iterator<Item = Option<&FlowNode<'a>>> {
        self.of_instances
            .iter()
            .map(|index| index.and_then(|index| self.distinct.get(index)))
    }
}

fn write_counts(out: &mut JsonText, instance: &ProcessInstance<'_>) {
    let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    let incidents = &instance.incidents.0;
    let is_open = |incident: &&Incident<'_>| is_open(&incident.incident_status);
    let is_user_task = |flow_node: &&FlowNodeInstance<'_>| is_user_task(&flow_node.flow_node_type);
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
    use super::super::cursor::Cursor;
    use super::*;

    fn row(document: &str) -> String {
        let instance: ProcessInstance<'_> = Cursor::new(document).read().unwrap();
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

    proptest::proptest! {
        #[test]
        fn durations_are_summed_up_however_many_flow_nodes_there_are(
            passed in proptest::collection::vec((0..60_u32, proptest::option::of(-5..1_000_i64)), 0..150),
        ) {
            let documents: Vec<serde_json::Value> = passed
                .iter()
                .map(|(id, duration)| serde_json::json!({"flowNodeId": format!("f{id}"), "totalDurationInMs": duration}))
                .collect();
            let json = serde_json::Value::from(documents).to_string();
            let Many(instances): Many<FlowNodeInstance<'_>> = Cursor::new(&json).read().unwrap();
            let names = (0..30).map(|id| (format!("f{id}"), Some(format!("F{id}")))).collect();
            let flow_nodes = FlowNodes::of(&instances, &names, |_| None);

            let mut expected: Vec<(u32, i64)> = Vec::new();
            for (id, duration) in &passed {
                let Some(duration) = duration else { continue };
                match expected.iter_mut().find(|(known, _)| known == id) {
                    Some((_, sum)) => *sum += duration,
                    None => expected.push((*id, *duration)),
                }
            }
            let text = |id: u32| format!("f{id}");
            let name = |id: u32| (id < 30).then(|| format!("F{id}"));
            let durations: Vec<_> = flow_nodes.durations()
                .map(|(node, sum)| (node.id.as_deref().unwrap().to_owned(), node.name.map(str::to_owned), sum))
                .collect();
            let expected: Vec<_> = expected.into_iter().map(|(id, sum)| (text(id), name(id), sum)).collect();
            proptest::prop_assert_eq!(durations, expected);
            let found: Vec<_> = flow_nodes.of_instances().map(|node| node.unwrap().id.as_deref().unwrap().to_owned()).collect();
            let expected: Vec<_> = passed.iter().map(|(id, _)| text(*id)).collect();
            proptest::prop_assert_eq!(found, expected);
        }
    }
}
