//! The `inputVariables` and `outputVariables` members of a decision row: every clause of the report, in order, missing
//! ones empty.
//!
//! Source: crates/optimize/docs/raw-data.md, "Clauses of rows" (`RawDecisionDataResultDtoMapper`,
//! `InputVariableEntry`, `OutputVariableEntry`).

use std::collections::HashMap;

use super::document::{Text, Values, document};
use crate::definitions::clauses::Clauses;
use crate::report::definition::VariableType;

document! {
    /// The value of an input or of an output in one evaluation.
    pub struct ClauseValue<'a> {
        clause_id: Text<'a> = "clauseId",
        clause_name: Text<'a> = "clauseName",
        variable_type: Text<'a> = "type",
        value: Values<'a> = "value",
    }
}

impl ClauseValue<'_> {
    /// The id of its clause.
    pub fn clause_id(&self) -> Option<&str> {
        self.clause_id.as_deref()
    }
}

/// Which clauses of a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// An input has one value; a missing one is an empty text.
    Input,
    /// An output has a value for each rule that matched; a missing one is an empty list.
    Output,
}

/// Room that is used again for every row: which position in the row each value has.
#[derive(Debug, Default)]
pub struct Scratch(Vec<(usize, usize)>);

/// The inputs or the outputs of a row.
pub struct RowClauses<'r> {
    direction: Direction,
    values: &'r [ClauseValue<'r>],
    known: &'r Clauses,
    /// Position in the row and index of each value, ordered.
    order: &'r [(usize, usize)],
}

/// What a row shows of a clause.
pub struct ClauseOfRow<'r> {
    /// Its id.
    pub id: &'r str,
    /// Its name.
    pub name: Option<&'r str>,
    /// Its type, as Optimize spells it.
    pub variable_type: Option<&'r str>,
    /// What it was evaluated to.
    pub value: ClauseShown<'r>,
}

/// The value of an input, or the values of an output.
pub enum ClauseShown<'r> {
    /// An input that the instance does not have: an empty text.
    NoInput,
    /// An input; none for one without value.
    Input(Option<&'r Text<'r>>),
    /// An output.
    Outputs(Outputs<'r>),
}

/// The values of an output, one for each rule that matched.
#[derive(Clone, Copy)]
pub struct Outputs<'r> {
    values: &'r [ClauseValue<'r>],
    group: &'r [(usize, usize)],
}

impl<'r> Outputs<'r> {
    /// Each value; one that is not there is none.
    pub fn iter(self) -> impl Iterator<Item = Option<&'r Text<'r>>> {
        let own = self
            .group
            .iter()
            .filter_map(move |(_, at)| self.values.get(*at));
        own.flat_map(|own| {
            let values = own.value.as_slice();
            let nothing = values.is_none().then_some(None);
            let values = values.unwrap_or_default().iter().map(Some);
            values.chain(nothing)
        })
    }
}

impl<'r> RowClauses<'r> {
    /// Finds the place of each value among the clauses that every row has: they come first, then those that only this row has,
    /// in the order of its document. A value that belongs to no clause is left out: it has no name in the object.
    pub fn of(
        direction: Direction,
        values: &'r [ClauseValue<'r>],
        known: &'r Clauses,
        Scratch(order): &'r mut Scratch,
    ) -> Self {
        let mut others: HashMap<&str, usize> = HashMap::new();
        order.clear();
        for (index, value) in values.iter().enumerate() {
            let Some(id) = value.clause_id.as_deref() else {
                continue;
            };
            let position = known.position(id).unwrap_or_else(|| {
                let next = known.as_slice().len() + others.len();
                *others.entry(id).or_insert(next)
            });
            order.push((position, index));
        }
        order.sort_unstable();
        Self {
            direction,
            values,
            known,
            order,
        }
    }

    /// Hands on each clause, in the order of a row.
    pub fn for_each(&self, mut take: impl FnMut(ClauseOfRow<'r>)) {
        let mut groups = self.order.chunk_by(|(a, _), (b, _)| a == b).peekable();
        for (position, clause) in self.known.as_slice().iter().enumerate() {
            let is_here = |group: &&[(usize, usize)]| group.iter().all(|(p, _)| *p == position);
            match groups.next_if(is_here) {
                Some(group) => self.own(group).into_iter().for_each(&mut take),
                None => take(ClauseOfRow {
                    id: &clause.id,
                    name: clause.name.as_deref(),
                    variable_type: spelled(clause.variable_type.as_deref()),
                    value: match self.direction {
                        Direction::Input => ClauseShown::NoInput,
                        Direction::Output => ClauseShown::Outputs(self.outputs(&[])),
                    },
                }),
            }
        }
        for group in groups {
            self.own(group).into_iter().for_each(&mut take);
        }
    }

    /// What the row itself has of one clause.
    ///
    /// Optimize fails on an input that comes twice; here the last one counts, as of two process variables of one name.
    /// Outputs are put together, under the name and type of the first.
    fn own(&self, group: &'r [(usize, usize)]) -> Option<ClauseOfRow<'r>> {
        let mut own = group
            .iter()
            .filter_map(|(_, index)| self.values.get(*index));
        let shown = match self.direction {
            Direction::Input => own.next_back(),
            Direction::Output => own.next(),
        }?;
        Some(ClauseOfRow {
            id: shown.clause_id.as_deref().unwrap_or_default(),
            name: shown.clause_name.as_deref(),
            variable_type: spelled(shown.variable_type.as_deref()),
            value: match self.direction {
                Direction::Input => {
                    ClauseShown::Input(shown.value.as_slice().and_then(<[Text<'_>]>::first))
                }
                Direction::Output => ClauseShown::Outputs(self.outputs(group)),
            },
        })
    }

    const fn outputs(&self, group: &'r [(usize, usize)]) -> Outputs<'r> {
        Outputs {
            values: self.values,
            group,
        }
    }
}

/// A type as Optimize writes it: it reads a type as one of its own and writes its id, however it was spelled
/// (crates/optimize/docs/reports.md, "Shared enumerations").
fn spelled(variable_type: Option<&str>) -> Option<&str> {
    match variable_type.and_then(VariableType::from_id) {
        Some(known) => Some(known.id()),
        None => variable_type,
    }
}
