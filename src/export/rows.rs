//! From hits to rows, with what a row needs besides its hit.

use std::collections::HashMap;
use std::sync::Arc;

use cluster::ElasticsearchError;
use optimize::definitions::{DefinitionVersion, FlowNodeNames};
use optimize::raw_data::Row;
use optimize::raw_data::decision_row::{DecisionInstance, DecisionRows};
use optimize::raw_data::document::{Hit, HitError};
use optimize::raw_data::process_row::{self, ProcessInstance, ProcessRow};

use crate::catalog::definitions::Definitions;

/// Definition versions whose names a page keeps at hand. More than that on one page is rare, and costs a look into the
/// cache per row then.
const MAX_AT_HAND: usize = 64;

/// Why a hit did not become a row.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// It is the hit's fault.
    #[error(transparent)]
    Hit(#[from] HitError),
    /// The names of its flow nodes can't be had.
    #[error(transparent)]
    Elasticsearch(#[from] Arc<ElasticsearchError>),
}

/// What a row is made of.
pub enum Instance<'t> {
    /// A process instance.
    Process(ProcessInstance<'t>),
    /// A decision instance.
    Decision(DecisionInstance<'t>),
}

/// Makes rows of the hits of one page.
pub enum Rows<'a> {
    /// Of process instances.
    Process(ProcessRows<'a>),
    /// Of decision instances; they need nothing beside their hits.
    Decision(DecisionRows<'a>),
}

impl Rows<'_> {
    /// Reads the hit that a text begins with; gives back its instance and its length in bytes. `name` is the name of the
    /// scroll, which every hit repeats.
    ///
    /// # Errors
    /// The document can't be read, the text ends before it does, or the hit has another name.
    pub fn read<'t>(&self, text: &'t str, name: &str) -> Result<(Instance<'t>, usize), HitError> {
        Ok(match self {
            Self::Process(_) => {
                let (instance, length) = Hit::of_scroll(text, name)?;
                (Instance::Process(instance), length)
            }
            Self::Decision(_) => {
                let (instance, length) = Hit::of_scroll(text, name)?;
                (Instance::Decision(instance), length)
            }
        })
    }

    /// The row of one instance.
    ///
    /// # Errors
    /// Elasticsearch does not give what the row needs beside it, or the instance was read by rows of another kind.
    pub async fn row<'r>(&'r mut self, instance: &'r Instance<'r>) -> Result<Row<'r>, RowError> {
        match (self, instance) {
            (Self::Process(rows), Instance::Process(instance)) => {
                rows.row(instance).await.map(Row::Process)
            }
            (Self::Decision(rows), Instance::Decision(instance)) => {
                Ok(Row::Decision(rows.row(instance)))
            }
            _ => Err(HitError::OtherKind.into()),
        }
    }
}

/// Makes rows of process instances.
pub struct ProcessRows<'a> {
    names: NamesAtHand<'a>,
    /// Those of the row that was made last.
    names_of_row: Arc<FlowNodeNames>,
    /// Makes rows of what is known.
    rows: process_row::ProcessRows<'a>,
}

impl<'a> ProcessRows<'a> {
    /// Rows with flow node names of `definitions`.
    pub fn new(definitions: &'a Definitions, rows: process_row::ProcessRows<'a>) -> Self {
        Self {
            names: NamesAtHand::new(definitions),
            names_of_row: Arc::default(),
            rows,
        }
    }

    /// The row of one instance.
    ///
    /// # Errors
    /// Elasticsearch does not give the names of its flow nodes.
    async fn row<'r>(
        &'r mut self,
        instance: &'r ProcessInstance<'r>,
    ) -> Result<ProcessRow<'r>, RowError> {
        let is_of = |definition: &DefinitionVersion| instance.is_of(definition);
        self.names_of_row = self.names.of(is_of, || instance.definition()).await?;
        Ok(self.rows.row(instance, &self.names_of_row))
    }
}

/// Names of flow nodes, looked up once for neighbours that are alike.
pub struct NamesAtHand<'a> {
    definitions: &'a Definitions,
    at_hand: HashMap<DefinitionVersion, Arc<FlowNodeNames>>,
    /// The definition version of the row before, because neighbours are often alike.
    previous: Option<(DefinitionVersion, Arc<FlowNodeNames>)>,
}

impl<'a> NamesAtHand<'a> {
    /// None are at hand yet.
    pub fn new(definitions: &'a Definitions) -> Self {
        Self {
            definitions,
            at_hand: HashMap::new(),
            previous: None,
        }
    }

    /// The names for an instance: `is_of` tells whether it is of a definition version, `definition` which it is of; none for
    /// one of no definition.
    ///
    /// # Errors
    /// Elasticsearch does not give them.
    pub async fn of(
        &mut self,
        is_of: impl Fn(&DefinitionVersion) -> bool,
        definition: impl FnOnce() -> Option<DefinitionVersion>,
    ) -> Result<Arc<FlowNodeNames>, RowError> {
        if let Some((definition, names)) = &self.previous
            && is_of(definition)
        {
            return Ok(Arc::clone(names));
        }
        let Some(definition) = definition() else {
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
