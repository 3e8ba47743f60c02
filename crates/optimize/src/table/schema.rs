//! Tables and their columns.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::id_enum;

/// Bytes of a schema's digest that make its id.
const ID_BYTES: usize = 8;

id_enum! {
    /// A table of a report.
    pub enum Table {
        /// An instance a row.
        Instances = "instances",
        /// A flow node instance a row: an event log.
        FlowNodes = "flowNodes",
        /// A value of a process variable a row.
        Variables = "variables",
        /// An incident a row.
        Incidents = "incidents",
        /// A value of an input of a decision a row.
        Inputs = "inputs",
        /// A value of an output of a decision a row.
        Outputs = "outputs",
        /// An instance a row that has changed, and that the report's filters don't let through.
        Left = "left",
        /// A group of a report that aggregates a row.
        Result = "result",
    }
}

impl Table {
    /// The tables of raw data on processes, the default one first.
    pub const OF_PROCESSES: &'static [Self] = &[
        Self::Instances,
        Self::FlowNodes,
        Self::Variables,
        Self::Incidents,
    ];
    /// The tables of raw data on decisions, the default one first.
    pub const OF_DECISIONS: &'static [Self] = &[Self::Instances, Self::Inputs, Self::Outputs];
    /// The table of a report that aggregates.
    pub const OF_RESULTS: &'static [Self] = &[Self::Result];
}

id_enum! {
    /// What the values of a column are.
    pub enum ColumnType {
        /// Text.
        Text = "text",
        /// A 64 bit integer.
        Integer = "integer",
        /// A 64 bit floating point number.
        Double = "double",
        /// True or false.
        Boolean = "boolean",
        /// A moment, to the millisecond.
        Instant = "instant",
        /// A list of texts.
        List = "list",
    }
}

impl Serialize for ColumnType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name, which no other column of the table has.
    pub name: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Whether a value may be missing.
    #[serde(rename = "nullable")]
    pub is_nullable: bool,
    /// Where its values come from: a stored field, or what they are computed of.
    pub source: String,
}

impl Column {
    /// A column that may lack values.
    pub fn nullable(
        name: impl Into<String>,
        column_type: ColumnType,
        source: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            column_type,
            is_nullable: true,
            source: source.into(),
        }
    }

    /// A column that has a value in every row.
    pub fn required(
        name: impl Into<String>,
        column_type: ColumnType,
        source: impl Into<String>,
    ) -> Self {
        Self {
            is_nullable: false,
            ..Self::nullable(name, column_type, source)
        }
    }
}

/// The columns of a table, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The table.
    pub table: Table,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The columns that tell a row from the others; empty where a table has no such.
    pub primary_key: &'static [&'static str],
}

impl Schema {
    /// An id that changes when names, types or the order of the columns do.
    pub fn id(&self) -> String {
        let mut digest = Sha256::new();
        let mut text = |text: &str| {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text.as_bytes());
        };
        text(self.table.id());
        for column in &self.columns {
            text(&column.name);
            text(column.column_type.id());
            text(if column.is_nullable { "null" } else { "" });
        }
        let digest = digest.finalize();
        let bytes = digest.iter().take(ID_BYTES);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    /// Bytes that it takes, roughly.
    pub fn weight(&self) -> usize {
        let columns = self.columns.iter();
        columns
            .map(|column| column.name.len() + column.source.len() + 96)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(columns: Vec<Column>) -> Schema {
        Schema {
            table: Table::Instances,
            columns,
            primary_key: &["a"],
        }
    }

    #[test]
    fn an_id_changes_with_the_columns_and_with_nothing_else() {
        let a = Column::required("a", ColumnType::Text, "x");
        let b = Column::nullable("b", ColumnType::Text, "x");
        let id = schema(vec![a.clone(), b.clone()]).id();
        assert_eq!(id.len(), 2 * ID_BYTES);
        let other_source = Column {
            source: "y".to_owned(),
            ..a.clone()
        };
        assert_eq!(id, schema(vec![other_source, b.clone()]).id());
        for columns in [
            vec![a.clone()],
            vec![b.clone(), a.clone()],
            vec![a.clone(), Column::nullable("b", ColumnType::Integer, "x")],
            vec![a.clone(), Column::required("b", ColumnType::Text, "x")],
            vec![Column::required("ab", ColumnType::Text, "x")],
        ] {
            assert_ne!(id, schema(columns.clone()).id(), "{columns:?}");
        }
    }
}
