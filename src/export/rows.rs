//! From hits to rows, with what a row needs besides its hit.

use std::collections::HashMap;
use std::sync::Arc;

use crate::definitions::{DefinitionVersion, Definitions, FlowNodeNames};
use crate::elasticsearch::ElasticsearchError;
use crate::raw_data::decision_row::{DecisionInstance, DecisionRowWriter};
use crate::raw_data::document::Hit;
use crate::raw_data::json::JsonText;
use crate::raw_data::process_row::{ProcessInstance, ProcessRowWriter};

/// Definition versions whose names a page keeps at hand. More than that on one page is rare, and costs a look into the
/// cache per row then.
const MAX_AT_HAND: usize = 64;

/// Why a hit did not become a row.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// The document is not what Optimize writes.
    #[error("a stored instance can't be read: {0}")]
    Document(#[from] serde_json::Error),
    /// The names of its flow nodes can't be had.
    #[error(transparent)]
    Elasticsearch(#[from] Arc<ElasticsearchError>),
}

/// Makes rows of the hits of one page.
pub enum Rows<'a> {
    /// Of process instances.
    Process(ProcessRows<'a>),
    /// Of decision instances.
    Decision(DecisionRows<'a>),
}

impl Rows<'_> {
    /// Writes the row of one hit.
    ///
    /// # Errors
    /// The document can't be read, or Elasticsearch does not give what the row needs beside it.
    pub async fn write(&mut self, hit: &[u8], out: &mut JsonText) -> Result<(), RowError> {
        match self {
            Self::Process(rows) => rows.write(hit, out).await,
            Self::Decision(rows) => rows.write(hit, out),
        }
    }
}

/// Makes rows of decision instances; they need nothing beside their hits.
pub struct DecisionRows<'a> {
    /// Writes them.
    pub writer: DecisionRowWriter<'a>,
}

impl DecisionRows<'_> {
    /// Writes the row of one hit.
    ///
    /// # Errors
    /// The document can't be read.
    pub fn write(&mut self, hit: &[u8], out: &mut JsonText) -> Result<(), RowError> {
        let hit: Hit<DecisionInstance<'_>> = serde_json::from_slice(hit)?;
        self.writer.write(out, &hit.source);
        Ok(())
    }
}

/// Makes rows of process instances.
pub struct ProcessRows<'a> {
    /// Where flow node names come from.
    definitions: &'a Definitions,
    /// Writes what is known.
    writer: ProcessRowWriter<'a>,
    /// Names of the definition versions seen on this page.
    at_hand: HashMap<DefinitionVersion, Arc<FlowNodeNames>>,
    /// The definition version of the row before, because neighbours are often alike.
    previous: Option<(DefinitionVersion, Arc<FlowNodeNames>)>,
}

impl<'a> ProcessRows<'a> {
    /// Rows that `writer` writes, with flow node names of `definitions`.
    pub fn new(definitions: &'a Definitions, writer: ProcessRowWriter<'a>) -> Self {
        Self {
            definitions,
            writer,
            at_hand: HashMap::new(),
            previous: None,
        }
    }

    /// Writes the row of one hit.
    ///
    /// # Errors
    /// The document can't be read, or Elasticsearch does not give the names of its flow nodes.
    pub async fn write(&mut self, hit: &[u8], out: &mut JsonText) -> Result<(), RowError> {
        let hit: Hit<ProcessInstance<'_>> = serde_json::from_slice(hit)?;
        let names = self.names_for(&hit.source).await?;
        self.writer.write(out, &hit.source, &names);
        Ok(())
    }

    async fn names_for(
        &mut self,
        instance: &ProcessInstance<'_>,
    ) -> Result<Arc<FlowNodeNames>, RowError> {
        if let Some((definition, names)) = &self.previous
            && instance.is_of(definition)
        {
            return Ok(Arc::clone(names));
        }
        let Some(definition) = instance.definition() else {
            return Ok(Arc::default());
        };
        let names = match self.at_hand.get(&definition) {
            Some(names) => Arc::clone(names),
            None => {
                let names = self.definitions.flow_node_names(&definition).await?;
                if self.at_hand.len() >= MAX_AT_HAND {
                    self.at_hand.clear();
                }
                self.at_hand.insert(definition.clone(), Arc::clone(&names));
                names
            }
        };
        self.previous = Some((definition, Arc::clone(&names)));
        Ok(names)
    }
}
