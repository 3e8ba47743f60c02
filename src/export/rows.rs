//! From hits to rows, with what a row needs besides its hit.

use std::collections::HashMap;
use std::sync::Arc;

use cluster::ElasticsearchError;
use optimize::definitions::{DefinitionVersion, FlowNodeNames};
use optimize::raw_data::Row;
use optimize::raw_data::cursor::ReadError;
use optimize::raw_data::decision_row::{DecisionInstance, DecisionRows};
use optimize::raw_data::hit::{self, HitError};
use optimize::raw_data::process_row::{ProcessInstance, ProcessRows};
use optimize::raw_data::reuse::Reuse;
use optimize::raw_data::shape::Shape;

use crate::catalog::columns::Columns;
use crate::catalog::definitions::Definitions;
use crate::scroll::reader::ScrollReader;

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

impl Reuse for Instance<'_> {
    type Empty = Instance<'static>;

    fn emptied(self) -> Self::Empty {
        match self {
            Self::Process(instance) => Instance::Process(instance.emptied()),
            Self::Decision(instance) => Instance::Decision(instance.emptied()),
        }
    }
}

/// Makes rows of the hits of one page.
pub enum Rows<'a> {
    /// Of process instances.
    Process(Box<NamedRows<'a>>),
    /// Of decision instances; they need nothing beside their hits.
    Decision(DecisionRows<'a>),
}

impl Rows<'_> {
    /// An empty instance of their kind.
    pub fn empty_instance(&self) -> Instance<'static> {
        match self {
            Self::Process(_) => Instance::Process(ProcessInstance::default()),
            Self::Decision(_) => Instance::Decision(DecisionInstance::default()),
        }
    }

    /// Reads the hit that a text begins with into an empty instance; gives back its length in bytes. `name` is the name of the
    /// scroll, which every hit repeats, and `shape` what is known of its hits so far.
    ///
    /// # Errors
    /// The document can't be read, the text ends before it does, or the hit has another name; or the instance is of another kind.
    pub fn read<'t>(
        &self,
        instance: &mut Instance<'t>,
        text: &'t str,
        name: &str,
        shape: &mut Shape,
    ) -> Result<usize, HitError> {
        match (self, instance) {
            (Self::Process(named), Instance::Process(instance)) => {
                let length = hit::read_of_scroll(instance, text, name, shape)?;
                instance.leave_out(named.rows.restrictions);
                Ok(length)
            }
            (Self::Decision(rows), Instance::Decision(instance)) => {
                let length = hit::read_of_scroll(instance, text, name, shape)?;
                instance.leave_out(rows.restrictions);
                Ok(length)
            }
            (Self::Process(_), Instance::Decision(_))
            | (Self::Decision(_), Instance::Process(_)) => Err(HitError::OtherKind),
        }
    }

    /// Finds out what the row of an instance needs beside it; mostly it is at hand.
    ///
    /// # Errors
    /// Elasticsearch does not give it.
    pub async fn prepare(&mut self, instance: &Instance<'_>) -> Result<(), RowError> {
        match (self, instance) {
            (Self::Process(rows), Instance::Process(instance)) => rows.prepare(instance).await,
            (Self::Decision(_), _) | (Self::Process(_), Instance::Decision(_)) => Ok(()),
        }
    }

    /// The row of the instance that was [prepared](Self::prepare) last.
    ///
    /// # Errors
    /// The instance was read by rows of another kind.
    pub fn row<'r>(&'r mut self, instance: &'r Instance<'r>) -> Result<Row<'r>, HitError> {
        match (self, instance) {
            (Self::Process(named), Instance::Process(instance)) => {
                let NamedRows { rows, names, .. } = &mut **named;
                Ok(Row::Process(rows.row(instance, names.of_previous())))
            }
            (Self::Decision(rows), Instance::Decision(instance)) => {
                Ok(Row::Decision(rows.row(instance)))
            }
            (Self::Process(_), Instance::Decision(_))
            | (Self::Decision(_), Instance::Process(_)) => Err(HitError::OtherKind),
        }
    }
}

/// Makes rows of process instances, with the names of their flow nodes.
pub struct NamedRows<'a> {
    /// Where names that are not at hand come from.
    pub definitions: &'a Definitions,
    /// Those that are.
    pub names: NamesAtHand,
    /// Makes rows of what is known.
    pub rows: ProcessRows<'a>,
}

impl NamedRows<'_> {
    async fn prepare(&mut self, instance: &ProcessInstance<'_>) -> Result<(), RowError> {
        let is_of = |definition: &DefinitionVersion| instance.is_of(definition);
        let definition = || instance.definition();
        (self.names).find(self.definitions, is_of, definition).await
    }
}

/// Names of flow nodes, looked up once for neighbours that are alike.
#[derive(Default)]
pub struct NamesAtHand {
    at_hand: HashMap<DefinitionVersion, Arc<FlowNodeNames>>,
    /// The definition version of the row before, because neighbours are often alike; none for one of no definition.
    previous: Option<DefinitionVersion>,
    /// Its names.
    names: Arc<FlowNodeNames>,
}

/// Reads the hit that a text begins with, up to the definition whose names its rows show; none where they show none. The second
/// argument is the name of the scroll, which every hit repeats.
pub type ReadDefinition<'a> =
    &'a (dyn Fn(&str, &str) -> Result<Option<DefinitionVersion>, HitError> + Sync);

impl NamesAtHand {
    /// With those of the first hit of a scroll: as long as no row was sent, the client can be told why they can't be had. What is
    /// wrong with the hit itself breaks what is sent where it is.
    ///
    /// # Errors
    /// Elasticsearch does not give them.
    pub async fn of_first(
        definitions: &Definitions,
        reader: &mut ScrollReader,
        definition: ReadDefinition<'_>,
    ) -> Result<Self, Arc<ElasticsearchError>> {
        let mut names = Self::default();
        while let Ok(Some((text, contents))) = reader.next_hit().await {
            match definition(text, contents.name()) {
                Ok(Some(definition)) => {
                    names.names_of(definitions, &definition).await?;
                    break;
                }
                Err(HitError::Document(ReadError::Incomplete)) if reader.wait().is_ok() => {}
                Ok(None) | Err(_) => break,
            }
        }
        Ok(names)
    }

    /// Finds the names for an instance: `is_of` tells whether it is of a definition version, `definition` which it is of; none
    /// for one of no definition.
    ///
    /// # Errors
    /// Elasticsearch does not give them.
    pub async fn find(
        &mut self,
        definitions: &Definitions,
        is_of: impl Fn(&DefinitionVersion) -> bool,
        definition: impl FnOnce() -> Option<DefinitionVersion>,
    ) -> Result<(), RowError> {
        if self.previous.as_ref().is_some_and(is_of) {
            return Ok(());
        }
        let definition = definition();
        self.names = match &definition {
            None => Arc::default(),
            Some(definition) => self.names_of(definitions, definition).await?,
        };
        self.previous = definition;
        Ok(())
    }

    async fn names_of(
        &mut self,
        definitions: &Definitions,
        definition: &DefinitionVersion,
    ) -> Result<Arc<FlowNodeNames>, Arc<ElasticsearchError>> {
        if let Some(names) = self.at_hand.get(definition) {
            return Ok(Arc::clone(names));
        }
        let names = definitions.flow_node_names(definition).await?;
        if self.at_hand.len() >= MAX_AT_HAND {
            self.at_hand.clear();
        }
        self.at_hand.insert(definition.clone(), Arc::clone(&names));
        Ok(names)
    }

    /// What was found last.
    pub fn of_previous(&self) -> &FlowNodeNames {
        &self.names
    }
}

/// [`ReadDefinition`] for the objects of `json` with such columns.
pub fn definition_of_object(
    columns: &Columns,
    text: &str,
    name: &str,
) -> Result<Option<DefinitionVersion>, HitError> {
    match columns {
        Columns::Variables(_) => {
            let mut instance = ProcessInstance::default();
            hit::read_of_scroll(&mut instance, text, name, &mut Shape::default())?;
            Ok(instance.definition())
        }
        Columns::Clauses(_) => Ok(None),
    }
}
