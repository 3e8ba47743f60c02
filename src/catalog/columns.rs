//! The columns that every row of a raw data report has, whether its instance has a value for them or not.

use std::sync::Arc;

use optimize::definitions::clauses::DecisionClauses;
use optimize::raw_data::variables::VariableNames;

/// Which columns they are.
#[derive(Clone)]
pub enum Columns {
    /// Variables of process instances.
    Variables(Arc<VariableNames>),
    /// Inputs and outputs of a decision.
    Clauses(Arc<DecisionClauses>),
}

impl Columns {
    /// Bytes that they take, roughly.
    pub fn weight(&self) -> usize {
        match self {
            Self::Variables(names) => names.weight(),
            Self::Clauses(clauses) => clauses.inputs.weight() + clauses.outputs.weight(),
        }
    }
}
