//! The columns that every row of a raw data report has, whether its instance has a value for them or not.

use std::sync::Arc;

use optimize::access::Restrictions;
use optimize::access::columns::{INPUT_PREFIX, OUTPUT_PREFIX, VARIABLE_PREFIX};
use optimize::definitions::clauses::{Clauses, DecisionClauses};
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
    /// The same but for those that somebody may not see.
    pub fn without_left_out(self, restrictions: &Restrictions) -> Self {
        if !restrictions.leave_out_something() {
            return self;
        }
        match self {
            Self::Variables(names) => {
                let names = names.as_slice().iter().cloned();
                let seen =
                    names.filter(|name| !restrictions.leave_out_named(VARIABLE_PREFIX, name));
                Self::Variables(Arc::new(VariableNames::new(seen.collect())))
            }
            Self::Clauses(clauses) => {
                let seen = |clauses: &Clauses, prefix: &str| {
                    let clauses = clauses.as_slice().iter().cloned();
                    Clauses::new(
                        clauses.filter(|clause| !restrictions.leave_out_named(prefix, &clause.id)),
                    )
                };
                Self::Clauses(Arc::new(DecisionClauses {
                    inputs: seen(&clauses.inputs, INPUT_PREFIX),
                    outputs: seen(&clauses.outputs, OUTPUT_PREFIX),
                }))
            }
        }
    }

    /// Bytes that they take, roughly.
    pub fn weight(&self) -> usize {
        match self {
            Self::Variables(names) => names.weight(),
            Self::Clauses(clauses) => clauses.inputs.weight() + clauses.outputs.weight(),
        }
    }
}
