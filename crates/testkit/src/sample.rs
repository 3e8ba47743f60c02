//! The documents and stored reports of a believable installation.
//!
//! Three processes (orders, customer onboarding, invoices) with several versions each, two tenants and instances without one, two decisions, and
//! stored reports of every kind. Everything is made from a constant seed and a constant date: the same call gives the same bytes on every machine,
//! and a smaller sample is the beginning of a larger one.

mod definitions;
mod instances;
mod model;
pub mod random;
mod reports;
pub mod time;

use std::fmt;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::indices::{Document, Error, Index, Installation};
use crate::progress::Progress;
pub use model::{DISCOUNT, ORDERS};

/// The number of process instances when nobody says otherwise.
pub const DEFAULT_PROCESS_INSTANCES: u64 = 2_000;

/// The largest sample: more would be a test of patience.
pub const MOST_PROCESS_INSTANCES: u64 = 1_000_000;

/// How much of the sample to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The number of process instances.
    pub process_instances: u64,
    /// The size of each.
    pub size: InstanceSize,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            process_instances: DEFAULT_PROCESS_INSTANCES,
            size: InstanceSize::Small,
        }
    }
}

/// The size of a process instance's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InstanceSize {
    /// As it comes: about six kilobytes.
    #[default]
    Small,
    /// With service tasks that are repeated: about ten kilobytes.
    TenKilobytes,
}

impl fmt::Display for InstanceSize {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Small => "small",
            Self::TenKilobytes => "10kB",
        })
    }
}

impl FromStr for InstanceSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_lowercase().as_str() {
            "small" => Ok(Self::Small),
            "10kb" => Ok(Self::TenKilobytes),
            _ => Err("choose `small` or `10kB`".to_owned()),
        }
    }
}

/// What [`Sample::load`] has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// All documents.
    pub documents: u64,
    /// The stored reports among them.
    pub reports: u64,
}

impl Sample {
    /// The indices that the documents belong to.
    pub fn indices() -> Vec<Index<'static>> {
        let instances = model::PROCESSES
            .iter()
            .map(|process| Index::ProcessInstance { key: process.key });
        let evaluations = model::DECISIONS
            .iter()
            .map(|decision| Index::DecisionInstance { key: decision.key });
        let others = [
            Index::ProcessDefinition,
            Index::DecisionDefinition,
            Index::Tenant,
            Index::SingleProcessReport,
            Index::SingleDecisionReport,
            Index::CombinedReport,
            Index::VariableLabel,
            Index::Metadata,
        ];
        instances.chain(evaluations).chain(others).collect()
    }

    /// The stored reports.
    pub fn reports() -> Vec<Document<'static>> {
        reports::documents()
    }

    /// All documents, made as they are asked for: definitions and the like, stored reports, then the instances.
    pub fn documents(&self) -> impl Iterator<Item = Document<'static>> + use<> {
        let size = self.size;
        definitions::documents()
            .into_iter()
            .chain(reports::documents())
            .chain(
                (0..self.process_instances)
                    .flat_map(move |number| instances::documents(number, size)),
            )
    }

    /// Creates the indices and stores all documents, showing how far it is. Loading the same sample again changes nothing.
    pub fn load(&self, installation: &Installation) -> Result<Loaded, Error> {
        for index in Self::indices() {
            installation.create(index)?;
        }
        let progress = Progress::steps("Loading process instances", self.process_instances);
        let counted = self.documents().inspect(|document| {
            if matches!(document.index, Index::ProcessInstance { .. }) {
                progress.advance();
            }
        });
        let documents = installation.store(counted)?;
        progress.finish();
        Ok(Loaded {
            documents,
            reports: Self::reports().len() as u64,
        })
    }
}

/// Waits until an Elasticsearch can store documents; for a start beside a server that is itself just starting.
pub fn wait_for_elasticsearch(client: Client, limit: Duration) -> Result<(), crate::client::Error> {
    let client = client.with_timeout(Duration::from_secs(10));
    let deadline = Instant::now() + limit;
    loop {
        let answer = client
            .get("/_cluster/health?wait_for_status=yellow&timeout=5s")
            .and_then(|answer| answer.success());
        match answer {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => thread::sleep(Duration::from_millis(500)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hash, Hasher};

    use super::*;

    fn hash(documents: impl Iterator<Item = Document<'static>>) -> u64 {
        let mut hasher = DefaultHasher::new();
        for document in documents {
            (
                document.index.alias("p"),
                document.id,
                document.source.to_string(),
            )
                .hash(&mut hasher);
        }
        hasher.finish()
    }

    #[test]
    fn two_generations_are_the_same() {
        let sample = Sample {
            process_instances: 300,
            size: InstanceSize::Small,
        };
        assert_eq!(hash(sample.documents()), hash(sample.documents()));
    }

    #[test]
    fn a_smaller_sample_is_the_beginning_of_a_larger_one() {
        let documents = |process_instances| {
            Sample {
                process_instances,
                ..Sample::default()
            }
            .documents()
        };
        let count = documents(50).count();
        assert_eq!(hash(documents(50)), hash(documents(60).take(count)));
    }

    #[test]
    fn ids_are_unique() {
        let mut seen = std::collections::HashSet::new();
        for document in (Sample {
            process_instances: 3_000,
            size: InstanceSize::Small,
        })
        .documents()
        {
            assert!(
                seen.insert((document.index, document.id.clone())),
                "{}",
                document.id
            );
        }
    }

    #[test]
    fn every_document_has_an_index() {
        let indices = Sample::indices();
        for document in (Sample {
            process_instances: 200,
            size: InstanceSize::Small,
        })
        .documents()
        {
            assert!(indices.contains(&document.index), "{:?}", document.index);
        }
    }
}
