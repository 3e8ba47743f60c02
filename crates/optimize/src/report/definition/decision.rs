//! `data` of a decision report (crates/optimize/docs/reports.md, "Decision reports").

use serde::{Deserialize, Deserializer, de};

use super::enums::{DateUnit, VariableType};
use super::typed_value::{TypedValue, Unit};
use super::{Configuration, DecisionFilter, DefinitionSelection, lenient};

/// What a decision report asks for.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DecisionReportData {
    /// Buckets and order.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub configuration: Configuration,
    /// The definitions; only the first one counts (crates/optimize/docs/indices.md, "Indices of a report").
    #[serde(default, deserialize_with = "lenient::list_or_null")]
    pub definitions: Vec<DefinitionSelection>,
    /// What narrows it; `appliedTo` is not looked at
    /// (crates/optimize/docs/indices.md, "Instances of a definition"). Filters are read apart: each names its own
    /// place in the document when it is wrong.
    #[serde(skip)]
    pub filters: Vec<DecisionFilter>,
    /// What is listed or counted.
    pub view: DecisionView,
    /// What makes a bucket; `None` when it is stored as null.
    #[serde(default)]
    pub group_by: Option<DecisionGroupBy>,
}

impl DecisionReportData {
    /// Whether the report lists decision instances instead of counting them. Only the first property is evaluated
    /// (crates/optimize/docs/reports.md, "Decision reports").
    pub fn is_raw_data(&self) -> bool {
        self.view
            .properties
            .first()
            .is_some_and(|property| property == "rawData")
    }
}

/// What is listed or counted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DecisionView {
    /// `rawData` or `frequency`; only the first one counts.
    #[serde(default, deserialize_with = "lenient::strings")]
    pub properties: Vec<String>,
}

/// An input or output clause of a decision table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct DecisionVariable {
    /// Id of the clause.
    pub id: String,
    /// Label of the clause.
    #[serde(default, deserialize_with = "lenient::optional_string")]
    pub name: Option<String>,
    /// Type of its values.
    #[serde(rename = "type")]
    pub variable_type: VariableType,
}

/// What makes a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DecisionGroupBy {
    /// One bucket for all.
    None,
    /// By evaluation date.
    EvaluationDateTime(DateUnit),
    /// By the values of an input.
    InputVariable(DecisionVariable),
    /// By the values of an output.
    OutputVariable(DecisionVariable),
    /// By matched rule.
    MatchedRule,
}

const GROUP_BY_IDS: &[&str] = &[
    "none",
    "evaluationDateTime",
    "inputVariable",
    "outputVariable",
    "matchedRule",
];

impl DecisionGroupBy {
    /// Its part of the command key (crates/optimize/docs/reports.md, "Command keys").
    pub fn id(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::EvaluationDateTime(_) => "evaluationDateTime",
            Self::InputVariable(_) => "inputVariable",
            Self::OutputVariable(_) => "outputVariable",
            Self::MatchedRule => "matchedRule",
        }
    }
}

impl<'de> Deserialize<'de> for DecisionGroupBy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = TypedValue::deserialize(deserializer)?;
        Ok(match stored.kind.as_str() {
            "none" => Self::None,
            "evaluationDateTime" => Self::EvaluationDateTime(stored.value::<Unit, _>()?.unit),
            "inputVariable" => Self::InputVariable(stored.value()?),
            "outputVariable" => Self::OutputVariable(stored.value()?),
            "matchedRule" => Self::MatchedRule,
            other => return Err(de::Error::unknown_variant(other, GROUP_BY_IDS)),
        })
    }
}
