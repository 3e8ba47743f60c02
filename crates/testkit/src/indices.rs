//! The indices of an Optimize installation: their names, their creation, their documents.
//!
//! The mappings are the files of `es-mappings/`. What is created here carries a mark in its mapping, and nothing without that mark is ever
//! written to or deleted: tests and demo may run beside a real installation.

mod installation;

use serde_json::{Map, Value, json};

pub use installation::{Document, Error, Installation};

/// An index of an Optimize installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Index<'a> {
    /// The instances of one process.
    ProcessInstance {
        /// The process definition key.
        key: &'a str,
    },
    /// The instances of one decision.
    DecisionInstance {
        /// The decision definition key.
        key: &'a str,
    },
    /// The process definitions: names, flow nodes, BPMN.
    ProcessDefinition,
    /// The decision definitions: names, inputs, outputs, DMN.
    DecisionDefinition,
    /// The names of the tenants.
    Tenant,
    /// The stored reports about processes.
    SingleProcessReport,
    /// The stored reports about decisions.
    SingleDecisionReport,
    /// The stored reports that combine others.
    CombinedReport,
    /// The labels that users gave to variables.
    VariableLabel,
    /// The schema version of the installation.
    Metadata,
}

/// What the indices of one kind have in common.
struct Kind {
    base_name: &'static str,
    version: u32,
    body: &'static str,
}

macro_rules! kind {
    ($base_name:literal, $version:literal) => {
        Kind {
            base_name: $base_name,
            version: $version,
            body: include_str!(concat!("../../../es-mappings/", $base_name, ".json")),
        }
    };
}

impl Index<'_> {
    /// The alias by which the index is read and written, for example `optimize-process-instance-invoice`.
    ///
    /// ```
    /// use testkit::indices::Index;
    ///
    /// assert_eq!(Index::Tenant.alias("optimize"), "optimize-tenant");
    /// assert_eq!(Index::ProcessInstance { key: "Invoice_Receipt" }.alias("Optimize"), "optimize-process-instance-invoice_receipt");
    /// ```
    pub fn alias(&self, prefix: &str) -> String {
        let base_name = self.kind().base_name;
        match self.key() {
            Some(key) => format!("{prefix}-{base_name}-{key}"),
            None => format!("{prefix}-{base_name}"),
        }
        .to_lowercase()
    }

    /// The name of the index itself, for example `optimize-process-instance-invoice_v8`.
    pub fn physical_name(&self, prefix: &str) -> String {
        format!("{}_v{}", self.alias(prefix), self.kind().version)
    }

    /// The alias over the instances of all keys, for example `optimize-process-instance`; other indices have none.
    pub fn multi_alias(&self, prefix: &str) -> Option<String> {
        self.key()
            .map(|_| format!("{prefix}-{}", self.kind().base_name).to_lowercase())
    }

    /// The body of the request that creates the index: settings, mappings and aliases.
    ///
    /// There are no replicas, because a single node has nowhere to put them.
    pub fn creation_body(&self, prefix: &str) -> Value {
        let mut body: Value = serde_json::from_str(self.kind().body).unwrap_or_else(|error| {
            unreachable!(
                "es-mappings/{}.json, compiled in and tested, is no JSON: {error}",
                self.kind().base_name
            )
        });
        let mut aliases = Map::new();
        aliases.insert(self.alias(prefix), json!({ "is_write_index": true }));
        if let Some(multi_alias) = self.multi_alias(prefix) {
            aliases.insert(multi_alias, json!({ "is_write_index": false }));
        }
        if let Some(settings) = body
            .pointer_mut("/settings/index")
            .and_then(Value::as_object_mut)
        {
            settings.insert("number_of_replicas".to_owned(), json!(0));
        }
        if let Some(body) = body.as_object_mut() {
            body.insert("aliases".to_owned(), Value::Object(aliases));
        }
        body
    }

    fn key(&self) -> Option<&str> {
        match self {
            Self::ProcessInstance { key } | Self::DecisionInstance { key } => Some(key),
            _ => None,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::ProcessInstance { .. } => kind!("process-instance", 8),
            Self::DecisionInstance { .. } => kind!("decision-instance", 5),
            Self::ProcessDefinition => kind!("process-definition", 7),
            Self::DecisionDefinition => kind!("decision-definition", 5),
            Self::Tenant => kind!("tenant", 3),
            Self::SingleProcessReport => kind!("single-process-report", 11),
            Self::SingleDecisionReport => kind!("single-decision-report", 11),
            Self::CombinedReport => kind!("combined-report", 5),
            Self::VariableLabel => kind!("variable-label", 1),
            Self::Metadata => kind!("metadata", 3),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Index<'_>; 10] = [
        Index::ProcessInstance { key: "invoice" },
        Index::DecisionInstance {
            key: "invoiceClassification",
        },
        Index::ProcessDefinition,
        Index::DecisionDefinition,
        Index::Tenant,
        Index::SingleProcessReport,
        Index::SingleDecisionReport,
        Index::CombinedReport,
        Index::VariableLabel,
        Index::Metadata,
    ];

    #[test]
    fn names_follow_optimize() {
        let names = |index: Index<'_>| (index.physical_name("Prefix"), index.multi_alias("Prefix"));
        assert_eq!(
            names(Index::ProcessInstance {
                key: "Invoice_Receipt"
            }),
            (
                "prefix-process-instance-invoice_receipt_v8".to_owned(),
                Some("prefix-process-instance".to_owned())
            )
        );
        assert_eq!(
            names(Index::CombinedReport),
            ("prefix-combined-report_v5".to_owned(), None)
        );
    }

    #[test]
    fn letters_beyond_ascii_are_lower_cased_too() {
        assert_eq!(
            Index::ProcessInstance {
                key: "Prüfung_ÄÖ"
            }
            .alias("p"),
            "p-process-instance-prüfung_äö"
        );
    }

    #[test]
    fn every_body_is_strict_and_has_the_same_settings() {
        let settings = |index: &Index<'_>| index.creation_body("p").pointer("/settings").cloned();
        for index in &ALL {
            let body = index.creation_body("p");
            assert_eq!(
                body.pointer("/mappings/dynamic"),
                Some(&json!("strict")),
                "{index:?}"
            );
            assert_eq!(settings(index), settings(&Index::Metadata), "{index:?}");
        }
    }

    #[test]
    fn instances_are_written_through_their_own_alias_only() {
        let body = Index::ProcessInstance { key: "invoice" }.creation_body("p");
        assert_eq!(
            body.pointer("/aliases"),
            Some(&json!({
                "p-process-instance-invoice": { "is_write_index": true },
                "p-process-instance": { "is_write_index": false },
            }))
        );
    }

    #[test]
    fn reports_of_3x_with_a_combined_flag_are_accepted() {
        for index in [
            Index::SingleProcessReport,
            Index::SingleDecisionReport,
            Index::CombinedReport,
        ] {
            assert!(
                index
                    .creation_body("p")
                    .pointer("/mappings/properties/combined")
                    .is_some(),
                "{index:?}"
            );
        }
    }
}
