//! What a list of reports shows of each.
//!
//! Source: crates/optimize/docs/reports.md, "Where reports are stored"; `ReportReaderES` for the reports of a collection.

use serde::Serialize;
use serde_json::Value;

use crate::id_enum;
use crate::plan::combination;
use crate::report::definition::{DefinitionError, StoredReport};

id_enum! {
    /// What a report is about.
    pub enum ReportKind {
        /// Process instances.
        Process = "process",
        /// Decision instances.
        Decision = "decision",
        /// Other reports.
        Combined = "combined",
    }
}

impl ReportKind {
    /// Base name of the index of such reports.
    pub const fn index(self) -> &'static str {
        match self {
            Self::Process => "single-process-report",
            Self::Decision => "single-decision-report",
            Self::Combined => "combined-report",
        }
    }
}

impl Serialize for ReportKind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// A stored report, as far as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListedReport {
    /// Its id.
    pub id: String,
    /// Its name; of a system report the key of a translation.
    pub name: Option<String>,
    /// What it is about.
    #[serde(rename = "type")]
    pub kind: ReportKind,
    /// The collection that it is in; none for a private report.
    pub collection_id: Option<String>,
    /// Entity and properties of its view as they are stored, such as `flowNode-duration`.
    pub view: Option<String>,
    /// The type of its grouping as it is stored.
    pub group_by: Option<String>,
    /// The type of its distribution as it is stored.
    pub distributed_by: Option<String>,
    /// Whether it can be exported.
    pub is_exportable: bool,
    /// Why not.
    pub problem: Option<String>,
}

impl ListedReport {
    /// Reads the document of a report, however little it is one.
    ///
    /// `stored_as` is the kind of the index that it is in. What counts is what Optimize's reader makes of the document:
    /// `combined` first, then `reportType` (see [`StoredReport::parse`]).
    pub fn read(
        document_id: &str,
        source: &Value,
        stored_as: ReportKind,
        assignee_analytics: bool,
    ) -> Self {
        let text = |place: &str| source.pointer(place)?.as_str().map(str::to_owned);
        let problem = problem(source, assignee_analytics);
        let kind = if source.get("combined") == Some(&Value::Bool(true)) {
            ReportKind::Combined
        } else {
            text("/reportType")
                .and_then(|kind| ReportKind::from_id(&kind))
                .unwrap_or(stored_as)
        };
        Self {
            id: text("/id").unwrap_or_else(|| document_id.to_owned()),
            name: text("/name"),
            kind,
            collection_id: text("/collectionId"),
            view: view(source),
            group_by: text("/data/groupBy/type"),
            distributed_by: text("/data/distributedBy/type"),
            is_exportable: problem.is_none(),
            problem,
        }
    }
}

/// Entity and properties: `processInstance-frequency, duration`; raw data has no entity.
fn view(source: &Value) -> Option<String> {
    let view = source.pointer("/data/view")?;
    let name = |property: &Value| match property {
        Value::String(name) => name.clone(),
        // The aggregation of a variable, whose name is the user's own.
        property => property
            .get("name")
            .and_then(Value::as_str)
            .map_or_else(|| property.to_string(), |name| format!("variable {name}")),
    };
    let properties = match view.get("properties")? {
        Value::Array(properties) => properties.iter().map(name).collect::<Vec<_>>().join(", "),
        property => name(property),
    };
    Some(match view.get("entity").and_then(Value::as_str) {
        Some(entity) => format!("{entity}-{properties}"),
        None => properties,
    })
}

/// Why a report can't be exported, as far as its definition tells.
fn problem(source: &Value, assignee_analytics: bool) -> Option<String> {
    let check = || -> Result<Option<&str>, DefinitionError> {
        match StoredReport::parse(&source.to_string())? {
            StoredReport::Combined => return Ok(Some("combined reports can't be exported")),
            StoredReport::Process(data) => {
                combination::check_process_report(&data, assignee_analytics)?;
                data.check_definition_key()?;
            }
            StoredReport::Decision(data) => combination::check_decision_report(&data)?,
        }
        Ok(None)
    };
    match check() {
        Ok(problem) => problem.map(str::to_owned),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(source: Value) -> ListedReport {
        ListedReport::read("document", &source, ReportKind::Process, true)
    }

    fn process(data: Value) -> Value {
        json!({"id": "r", "name": "n", "collectionId": "c", "combined": false, "reportType": "process", "data": data})
    }

    #[test]
    fn a_report_is_shown_in_the_words_that_are_stored() {
        let report = read(process(json!({
            "definitions": [{"key": "order", "versions": ["all"], "tenantIds": [null]}],
            "view": {"entity": "flowNode", "properties": ["frequency", "duration"]},
            "groupBy": {"type": "flowNodes"},
            "distributedBy": {"type": "none"},
        })));
        insta::assert_snapshot!(
            serde_json::to_string(&report).unwrap(),
            @r#"{"id":"r","name":"n","type":"process","collectionId":"c","view":"flowNode-frequency, duration","groupBy":"flowNodes","distributedBy":"none","isExportable":true,"problem":null}"#
        );
    }

    #[test]
    fn what_stands_in_the_way_is_told() {
        let with_group = |group: &str| {
            read(process(json!({
                "definitions": [{"key": "order"}],
                "view": {"entity": null, "properties": ["rawData"]},
                "groupBy": {"type": group},
            })))
        };
        assert_eq!(with_group("none").problem, None);
        assert!(
            with_group("flowNodes")
                .problem
                .unwrap()
                .contains("null-rawData_flowNodes_null_null")
        );
        let unknown = with_group("moon");
        assert!(unknown.problem.unwrap().contains("data.groupBy"));
        assert_eq!(unknown.group_by.as_deref(), Some("moon"));
        let without_key = read(process(json!({
            "definitions": [],
            "view": {"entity": null, "properties": ["rawData"]},
            "groupBy": {"type": "none"},
        })));
        assert!(
            without_key
                .problem
                .unwrap()
                .contains("data.definitions[0].key")
        );
    }

    #[test]
    fn assignees_can_be_switched_off() {
        let source = process(json!({
            "definitions": [{"key": "order"}],
            "view": {"entity": "userTask", "properties": ["frequency"]},
            "groupBy": {"type": "assignee"},
            "distributedBy": {"type": "none"},
        }));
        assert!(read(source.clone()).is_exportable);
        assert!(!ListedReport::read("r", &source, ReportKind::Process, false).is_exportable);
    }

    #[test]
    fn the_document_decides_on_its_kind_and_then_the_index() {
        let kind = |source: Value| read(source).kind;
        assert_eq!(
            kind(json!({"combined": true, "reportType": "process"})),
            ReportKind::Combined
        );
        assert_eq!(
            kind(json!({"combined": false, "reportType": "DECISION"})),
            ReportKind::Decision
        );
        assert_eq!(kind(json!({})), ReportKind::Process);
        let nothing = read(json!({}));
        assert_eq!((nothing.id.as_str(), nothing.name), ("document", None));
        assert!(!nothing.is_exportable && nothing.view.is_none());
    }

    #[test]
    fn a_variable_is_named() {
        let variable = json!({"view": {"entity": "variable", "properties": [{"name": "amount", "type": "Double"}]}});
        assert_eq!(
            view(&json!({"data": variable})).unwrap(),
            "variable-variable amount"
        );
        assert_eq!(
            view(&json!({"data": {"view": {"properties": "frequency"}}})).unwrap(),
            "frequency"
        );
    }
}
