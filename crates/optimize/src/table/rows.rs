//! From hits to rows, whatever the table is.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::decision;
use super::decision::inputs_and_outputs::Direction;
use super::decision::instances::DecisionColumns;
use super::process;
use super::process::instances::ProcessColumns;
use super::row::EachRow;
use super::schema::{Schema, Table};
use crate::access::Restrictions;
use crate::definitions::{DefinitionVersion, FlowNodeNames};
use crate::raw_data::hit::{self, HitError};
use crate::raw_data::reuse::Reuse;
use crate::raw_data::shape::Shape;
use crate::raw_data::variables::ObjectVariables;

/// A table of raw data, with what its columns depend on.
#[derive(Debug, Clone)]
pub enum RawTable {
    /// Process instances.
    ProcessInstances(Arc<ProcessColumns>),
    /// Flow node instances.
    FlowNodes,
    /// Values of variables.
    Variables,
    /// Incidents.
    Incidents,
    /// Decision instances.
    DecisionInstances(Arc<DecisionColumns>),
    /// Values of inputs.
    Inputs,
    /// Values of outputs.
    Outputs,
    /// Keys of process instances that left.
    LeftProcessInstances,
    /// Keys of decision instances that left.
    LeftDecisionInstances,
}

/// The key of a table of instances, with its position there.
fn key_of(instances: Schema) -> (usize, Schema) {
    let key = instances.primary_key.first().copied().unwrap_or_default();
    let columns = instances.columns.into_iter().enumerate();
    let mut keys = columns.filter(|(_, column)| column.name == key);
    let (position, columns) = match keys.next() {
        Some((position, column)) => (position, vec![column]),
        None => (0, Vec::new()),
    };
    let schema = Schema {
        table: Table::Left,
        columns,
        primary_key: instances.primary_key,
    };
    (position, schema)
}

fn left_process_instances() -> (usize, Schema) {
    key_of(process::instances::schema(&ProcessColumns::default()))
}

fn left_decision_instances() -> (usize, Schema) {
    key_of(decision::instances::schema(&DecisionColumns::default()))
}

impl RawTable {
    /// The table with all its columns.
    pub fn schema(&self) -> Schema {
        match self {
            Self::ProcessInstances(columns) => process::instances::schema(columns),
            Self::FlowNodes => process::flow_nodes::schema(),
            Self::Variables => process::variables::schema(),
            Self::Incidents => process::incidents::schema(),
            Self::DecisionInstances(columns) => decision::instances::schema(columns),
            Self::Inputs => decision::inputs_and_outputs::schema(Direction::Input),
            Self::Outputs => decision::inputs_and_outputs::schema(Direction::Output),
            Self::LeftProcessInstances => left_process_instances().1,
            Self::LeftDecisionInstances => left_decision_instances().1,
        }
    }
}

/// How rows are made, whatever the table is.
#[derive(Debug, Clone, Default)]
pub struct RowSettings {
    /// What running durations are measured against, in milliseconds since 1970; the same in every row.
    pub now: i64,
    /// The zone that dates are converted to; `None` keeps the stored offset.
    pub time_zone: Option<TimeZone>,
    /// How object variables are shown.
    pub object_variables: ObjectVariables,
    /// Whether a list stands as text in its column, as csv has it, and not in `variables:rest`.
    pub lists_are_joined: bool,
}

/// What the rows of a hit are made of.
#[derive(Debug)]
pub enum Document<'t> {
    /// For a row of a process instance.
    ProcessInstance(process::instances::Instance<'t>),
    /// For rows of flow node instances.
    FlowNodes(process::flow_nodes::Instance<'t>),
    /// For rows of variables.
    Variables(process::variables::Instance<'t>),
    /// For rows of incidents.
    Incidents(process::incidents::Instance<'t>),
    /// For a row of a decision instance.
    DecisionInstance(decision::instances::Instance<'t>),
    /// For rows of inputs.
    Inputs(decision::inputs_and_outputs::Inputs<'t>),
    /// For rows of outputs.
    Outputs(decision::inputs_and_outputs::Outputs<'t>),
}

impl<'t> Document<'t> {
    /// Reads the hit that a text begins with into this document, which has to be empty; gives back its length in bytes. `name` is the name of
    /// the scroll, which every hit repeats, and `shape` what is known of its hits so far.
    ///
    /// # Errors
    /// The document can't be read, the text ends before it does, or the hit has another name.
    pub fn read(
        &mut self,
        text: &'t str,
        name: &str,
        shape: &mut Shape,
    ) -> Result<usize, HitError> {
        match self {
            Self::ProcessInstance(instance) => hit::read_of_scroll(instance, text, name, shape),
            Self::FlowNodes(instance) => hit::read_of_scroll(instance, text, name, shape),
            Self::Variables(instance) => hit::read_of_scroll(instance, text, name, shape),
            Self::Incidents(instance) => hit::read_of_scroll(instance, text, name, shape),
            Self::DecisionInstance(instance) => hit::read_of_scroll(instance, text, name, shape),
            Self::Inputs(instance) => hit::read_of_scroll(instance, text, name, shape),
            Self::Outputs(instance) => hit::read_of_scroll(instance, text, name, shape),
        }
    }

    /// Takes out values that somebody may not see, wherever they would show. Whole columns are not selected.
    pub fn leave_out(&mut self, restrictions: &Restrictions) {
        match self {
            Self::ProcessInstance(instance) => instance.leave_out(restrictions),
            Self::Variables(instance) => instance.leave_out(restrictions),
            Self::DecisionInstance(instance) => instance.leave_out(restrictions),
            Self::Inputs(instance) => instance.leave_out(restrictions),
            Self::Outputs(instance) => instance.leave_out(restrictions),
            // Their columns are all fixed ones.
            Self::FlowNodes(_) | Self::Incidents(_) => {}
        }
    }
}

impl Reuse for Document<'_> {
    type Empty = Document<'static>;

    fn emptied(self) -> Self::Empty {
        match self {
            Self::ProcessInstance(instance) => Document::ProcessInstance(instance.emptied()),
            Self::FlowNodes(instance) => Document::FlowNodes(instance.emptied()),
            Self::Variables(instance) => Document::Variables(instance.emptied()),
            Self::Incidents(instance) => Document::Incidents(instance.emptied()),
            Self::DecisionInstance(instance) => Document::DecisionInstance(instance.emptied()),
            Self::Inputs(instance) => Document::Inputs(instance.emptied()),
            Self::Outputs(instance) => Document::Outputs(instance.emptied()),
        }
    }
}

/// Makes rows of the hits of one table.
#[derive(Debug)]
pub enum TableRows {
    /// Of process instances.
    ProcessInstances(Box<process::instances::Rows>),
    /// Of flow node instances.
    FlowNodes(process::flow_nodes::Rows),
    /// Of variables.
    Variables(process::variables::Rows),
    /// Of incidents.
    Incidents(process::incidents::Rows),
    /// Of decision instances.
    DecisionInstances(Box<decision::instances::Rows>),
    /// Of inputs.
    Inputs(decision::inputs_and_outputs::Rows),
    /// Of outputs.
    Outputs(decision::inputs_and_outputs::Rows),
}

impl TableRows {
    /// Rows of the columns at these positions of [`RawTable::schema`], in this order.
    pub fn new(table: &RawTable, settings: RowSettings, positions: &[usize]) -> Self {
        let RowSettings {
            now,
            time_zone,
            object_variables,
            lists_are_joined,
        } = settings;
        match table {
            RawTable::LeftProcessInstances => {
                let instances = RawTable::ProcessInstances(Arc::default());
                Self::new(
                    &instances,
                    RowSettings::default(),
                    &[left_process_instances().0],
                )
            }
            RawTable::LeftDecisionInstances => {
                let instances = RawTable::DecisionInstances(Arc::default());
                Self::new(
                    &instances,
                    RowSettings::default(),
                    &[left_decision_instances().0],
                )
            }
            RawTable::ProcessInstances(columns) => {
                let settings = process::instances::Settings {
                    now,
                    time_zone,
                    object_variables,
                    lists_are_joined,
                };
                let columns = Arc::clone(columns);
                let rows = process::instances::Rows::new(settings, columns, positions);
                Self::ProcessInstances(Box::new(rows))
            }
            RawTable::FlowNodes => {
                Self::FlowNodes(process::flow_nodes::Rows::new(time_zone, positions))
            }
            RawTable::Variables => {
                Self::Variables(process::variables::Rows::new(object_variables, positions))
            }
            RawTable::Incidents => {
                Self::Incidents(process::incidents::Rows::new(time_zone, positions))
            }
            RawTable::DecisionInstances(columns) => {
                let settings = decision::instances::Settings {
                    time_zone,
                    lists_are_joined,
                };
                let columns = Arc::clone(columns);
                let rows = decision::instances::Rows::new(settings, columns, positions);
                Self::DecisionInstances(Box::new(rows))
            }
            RawTable::Inputs => Self::Inputs(decision::inputs_and_outputs::Rows::new(
                Direction::Input,
                positions,
            )),
            RawTable::Outputs => Self::Outputs(decision::inputs_and_outputs::Rows::new(
                Direction::Output,
                positions,
            )),
        }
    }

    /// An empty document of the table.
    pub fn empty_document(&self) -> Document<'static> {
        match self {
            Self::ProcessInstances(_) => Document::ProcessInstance(Default::default()),
            Self::FlowNodes(_) => Document::FlowNodes(Default::default()),
            Self::Variables(_) => Document::Variables(Default::default()),
            Self::Incidents(_) => Document::Incidents(Default::default()),
            Self::DecisionInstances(_) => Document::DecisionInstance(Default::default()),
            Self::Inputs(_) => Document::Inputs(Default::default()),
            Self::Outputs(_) => Document::Outputs(Default::default()),
        }
    }

    /// The document that names of flow nodes are needed for; `None` where the rows show none.
    fn named<'d, 't>(
        &self,
        document: &'d Document<'t>,
    ) -> Option<&'d process::flow_nodes::Instance<'t>> {
        match (self, document) {
            (Self::FlowNodes(rows), Document::FlowNodes(instance)) => {
                rows.needs_names().then_some(instance)
            }
            _ => None,
        }
    }

    /// The definition whose flow node names the rows of a document show; `None` where they show none, or it is not known.
    pub fn definition(&self, document: &Document<'_>) -> Option<DefinitionVersion> {
        self.named(document)?.definition()
    }

    /// Whether [`TableRows::definition`] would give this one, without making it.
    pub fn is_of(&self, document: &Document<'_>, definition: &DefinitionVersion) -> bool {
        self.named(document)
            .is_some_and(|instance| instance.is_of(definition))
    }

    /// Gives the rows of a document, one after the other: a value for each column that was selected. `names` are those of
    /// [`TableRows::definition`], and none where that is `None`.
    ///
    /// # Errors
    /// Those of `each`, which end it; or the document was read by the rows of another table.
    pub fn write<E: From<HitError>>(
        &mut self,
        document: &Document<'_>,
        names: &FlowNodeNames,
        each: EachRow<'_, E>,
    ) -> Result<(), E> {
        match (self, document) {
            (Self::ProcessInstances(rows), Document::ProcessInstance(instance)) => {
                rows.write(instance, each)
            }
            (Self::FlowNodes(rows), Document::FlowNodes(instance)) => {
                rows.write(instance, names, each)
            }
            (Self::Variables(rows), Document::Variables(instance)) => rows.write(instance, each),
            (Self::Incidents(rows), Document::Incidents(instance)) => rows.write(instance, each),
            (Self::DecisionInstances(rows), Document::DecisionInstance(instance)) => {
                rows.write(instance, each)
            }
            (Self::Inputs(rows), Document::Inputs(instance)) => rows.write_inputs(instance, each),
            (Self::Outputs(rows), Document::Outputs(instance)) => {
                rows.write_outputs(instance, each)
            }
            _ => Err(HitError::OtherKind.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw_data::cursor::ReadError;
    use crate::table::row::tests::shown;
    use crate::table::value::Value;

    const HIT: &str = r#"{"_id":"x","_source":{"processInstanceId":"i1","decisionInstanceId":"d1","processDefinitionKey":"k",
        "processDefinitionVersion":"1","flowNodeInstances":[{"flowNodeId":"a"}],"variables":[{"name":"v","value":["1"]}],
        "incidents":[{"id":"n"}],"inputs":[{"clauseId":"i","value":"2"}],"outputs":[{"clauseId":"o","value":"3"}]},
        "matched_queries":["mine"]}"#;

    fn tables() -> Vec<RawTable> {
        vec![
            RawTable::ProcessInstances(Arc::default()),
            RawTable::FlowNodes,
            RawTable::Variables,
            RawTable::Incidents,
            RawTable::DecisionInstances(Arc::default()),
            RawTable::Inputs,
            RawTable::Outputs,
            RawTable::LeftProcessInstances,
            RawTable::LeftDecisionInstances,
        ]
    }

    fn rows_of(table: &RawTable) -> TableRows {
        let positions: Vec<usize> = (0..table.schema().columns.len()).collect();
        TableRows::new(table, RowSettings::default(), &positions)
    }

    /// Reads the hit that a text begins with, where another was read before.
    fn read<'t>(rows: &TableRows, text: &'t str, name: &str) -> Result<Document<'t>, HitError> {
        let mut shape = Shape::default();
        let mut before = rows.empty_document();
        before.read(HIT, "mine", &mut shape)?;
        let mut document: Document<'_> = before.emptied();
        let length = document.read(text, name, &mut shape)?;
        assert_eq!(length, HIT.len());
        Ok(document)
    }

    #[test]
    fn every_table_has_a_row_of_a_hit_with_a_value_for_each_column() {
        for table in tables() {
            let mut rows = rows_of(&table);
            let text = format!("{HIT},{{");
            let document = read(&rows, &text, "mine").unwrap();
            let schema = table.schema();
            let mut number = 0;
            let each = &mut |row: &[Value<'_>]| {
                number += 1;
                assert_eq!(row.len(), schema.columns.len());
                for (column, value) in schema.columns.iter().zip(row) {
                    let is_missing = *value == Value::Null && !column.is_nullable;
                    assert!(!is_missing, "{} of {}", column.name, shown(row));
                }
                Ok::<(), HitError>(())
            };
            rows.write(&document, &FlowNodeNames::default(), each)
                .unwrap();
            assert_eq!(number, 1);
            let keys = schema.primary_key.iter();
            assert!(
                keys.into_iter()
                    .all(|key| schema.columns.iter().any(|c| c.name == *key))
            );
        }
    }

    #[test]
    fn a_foreign_hit_and_one_that_is_cut_off_are_noticed() {
        for table in tables() {
            let rows = rows_of(&table);
            assert!(matches!(read(&rows, HIT, "other"), Err(HitError::Foreign)));
            let cut = &HIT[..HIT.len() - 1];
            let incomplete = HitError::Document(ReadError::Incomplete).to_string();
            assert_eq!(
                read(&rows, cut, "mine").unwrap_err().to_string(),
                incomplete
            );
        }
    }

    #[test]
    fn nothing_of_a_hit_is_left_for_the_next() {
        const EMPTY: &str = r#"{"_source":{},"matched_queries":["mine"]}"#;
        for table in tables() {
            let rows = rows_of(&table);
            let mut document: Document<'_> = read(&rows, HIT, "mine").unwrap().emptied();
            document.read(EMPTY, "mine", &mut Shape::default()).unwrap();
            let expected = rows.empty_document();
            assert_eq!(format!("{document:?}"), format!("{expected:?}"));
        }
    }

    #[test]
    fn a_document_of_another_table_is_an_error() {
        let document = read(&rows_of(&RawTable::Incidents), HIT, "mine").unwrap();
        let mut rows = rows_of(&RawTable::Variables);
        let each = &mut |_: &[Value<'_>]| Ok::<(), HitError>(());
        let written = rows.write(&document, &FlowNodeNames::default(), each);
        assert!(matches!(written, Err(HitError::OtherKind)));
    }

    #[test]
    fn names_are_asked_for_only_where_they_are_shown() {
        let with_names = rows_of(&RawTable::FlowNodes);
        let document = read(&with_names, HIT, "mine").unwrap();
        let definition = with_names.definition(&document).unwrap();
        assert!(with_names.is_of(&document, &definition));
        let without = TableRows::new(&RawTable::FlowNodes, RowSettings::default(), &[0, 4]);
        let document = read(&without, HIT, "mine").unwrap();
        assert!(without.definition(&document).is_none());
    }
}
