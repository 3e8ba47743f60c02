//! The inputs and outputs of decisions.

use std::collections::HashMap;

/// An input or an output of a decision table, as its definition knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clause {
    /// Its id, which tells it from the others.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
    /// The type of its values.
    pub variable_type: Option<String>,
}

/// The inputs, or the outputs, that every row of a report has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Clauses {
    clauses: Vec<Clause>,
    positions: HashMap<String, usize>,
}

impl Clauses {
    /// Puts clauses into the order of a row; of several with the same id the first one counts.
    pub fn new(all: impl IntoIterator<Item = Clause>) -> Self {
        let mut clauses: Vec<Clause> = Vec::new();
        let mut positions = HashMap::new();
        for clause in all {
            if !positions.contains_key(&clause.id) {
                positions.insert(clause.id.clone(), clauses.len());
                clauses.push(clause);
            }
        }
        Self { clauses, positions }
    }

    /// The clauses, ordered.
    pub fn as_slice(&self) -> &[Clause] {
        &self.clauses
    }

    /// The place of the clause with this id.
    pub fn position(&self, id: &str) -> Option<usize> {
        self.positions.get(id).copied()
    }

    /// Bytes that they take, roughly.
    pub fn weight(&self) -> usize {
        let weight = |clause: &Clause| {
            let name = clause.name.as_ref().map_or(0, String::len);
            2 * clause.id.len() + name + 192
        };
        self.clauses.iter().map(weight).sum()
    }
}

/// What every row of a report has.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DecisionClauses {
    /// Its inputs.
    pub inputs: Clauses,
    /// Its outputs.
    pub outputs: Clauses,
}
