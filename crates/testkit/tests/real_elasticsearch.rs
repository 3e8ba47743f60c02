//! The mappings and the installation client on a real Elasticsearch.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use serde_json::json;
use testkit::elasticsearch;
use testkit::indices::{Document, Error, Index, Installation};
use testkit::sample::{InstanceSize, Sample};

const KEY: &str = "Prüfung_A";

const ALL: [Index<'_>; 10] = [
    Index::ProcessInstance { key: KEY },
    Index::DecisionInstance { key: "decision" },
    Index::ProcessDefinition,
    Index::DecisionDefinition,
    Index::Tenant,
    Index::SingleProcessReport,
    Index::SingleDecisionReport,
    Index::CombinedReport,
    Index::VariableLabel,
    Index::Metadata,
];

/// An installation that is removed whatever happens to its test.
struct Own(Installation);

impl Own {
    fn new(name: &str) -> Self {
        let server = elasticsearch::for_this_process().unwrap();
        let prefix = format!("xtask-test-{}-{name}", std::process::id());
        Self(Installation::new(&server.url, &prefix).unwrap())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.0.remove();
    }
}

#[test]
fn one_process_has_one_server() {
    let first = elasticsearch::for_this_process().unwrap();
    let second = elasticsearch::for_this_process().unwrap();
    assert!(std::ptr::eq(first, second));
}

#[test]
fn every_index_is_created_filled_found_and_removed() {
    let own = Own::new("all");
    for index in ALL {
        own.0.create(index).unwrap();
        own.0.create(index).unwrap(); // A second time is no error.
    }
    assert_eq!(own.0.names().unwrap().len(), ALL.len());

    let instance = |id: &str| Document {
        index: Index::ProcessInstance { key: KEY },
        id: id.to_owned(),
        source: json!({ "processInstanceId": id, "processDefinitionKey": KEY }),
    };
    assert_eq!(own.0.store([instance("a"), instance("b")]).unwrap(), 2);
    let multi_alias = Index::ProcessInstance { key: KEY }
        .multi_alias(own.0.prefix())
        .unwrap();
    let found = own
        .0
        .client()
        .get(&format!("/{multi_alias}/_search"))
        .unwrap()
        .success()
        .unwrap();
    assert_eq!(found.pointer("/hits/total/value"), Some(&json!(2)));

    assert_eq!(own.0.remove().unwrap(), ALL.len());
    assert!(own.0.names().unwrap().is_empty());
}

#[test]
fn the_sample_fits_the_mappings_and_can_be_loaded_again() {
    let own = Own::new("sample");
    let sample = Sample {
        process_instances: 60,
        size: InstanceSize::TenKilobytes,
    };
    let loaded = sample.load(&own.0).unwrap();
    assert_eq!(loaded, sample.load(&own.0).unwrap());
    assert_eq!(own.0.names().unwrap().len(), Sample::indices().len());

    let count = |alias: &str| {
        let path = format!("/{}-{alias}/_count", own.0.prefix());
        own.0
            .client()
            .get(&path)
            .unwrap()
            .success()
            .unwrap()
            .get("count")
            .cloned()
    };
    assert_eq!(count("process-instance"), Some(json!(60)));
    let reports = ["single-process-report", "single-decision-report"].map(count);
    let found: u64 = reports
        .iter()
        .filter_map(|count| count.as_ref()?.as_u64())
        .sum();
    assert_eq!(found + 1, loaded.reports); // The combined report has an index of its own.
}

#[test]
fn what_others_made_is_left_alone() {
    let own = Own::new("mine");
    let foreign = format!("{}-tenant", own.0.prefix());
    own.0
        .client()
        .put(&format!("/{foreign}"), &json!({}))
        .unwrap()
        .success()
        .unwrap();

    let refused = own.0.create(Index::Tenant);
    let removed = own.0.remove().unwrap();
    let still_there = own
        .0
        .client()
        .get(&format!("/{foreign}"))
        .unwrap()
        .is_success();
    own.0
        .client()
        .delete(&format!("/{foreign}"))
        .unwrap()
        .success()
        .unwrap();

    assert!(matches!(refused, Err(Error::Foreign { index }) if index == foreign));
    assert_eq!(removed, 0);
    assert!(still_there);
}

#[test]
fn a_refused_document_is_an_error_that_says_why() {
    let own = Own::new("strict");
    own.0.create(Index::Metadata).unwrap();
    let unknown_field = Document {
        index: Index::Metadata,
        id: "1".to_owned(),
        source: json!({ "unknown": 1 }),
    };
    let missing_index = Document {
        index: Index::Tenant,
        id: "1".to_owned(),
        source: json!({}),
    };

    let error = own.0.store([unknown_field]).unwrap_err().to_string();
    assert!(error.contains("strict"), "{error}");
    assert!(own.0.store([missing_index]).is_err());
    assert_eq!(own.0.names().unwrap().len(), 1);
}
