//! From hits to rows, with what a row needs besides its hit.

use std::collections::HashMap;
use std::sync::Arc;

use crate::definitions::{DefinitionVersion, Definitions, FlowNodeNames};
use crate::elasticsearch::ElasticsearchError;
use crate::raw_data::document::Hit;
use crate::raw_data::json::JsonText;
use crate::raw_data::process_row::{ProcessInstance, RowWriter};

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
pub struct ProcessRows<'a> {
    /// Where flow node names come from.
    pub definitions: &'a Definitions,
    /// Writes what is known.
    pub writer: RowWriter<'a>,
    /// Names of the definition versions seen on this page.
    pub at_hand: HashMap<DefinitionVersion, Arc<FlowNodeNames>>,
    /// The definition version of the row before, because neighbours are often alike.
    pub previous: Option<(DefinitionVersion, Arc<FlowNodeNames>)>,
}

impl ProcessRows<'_> {
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
