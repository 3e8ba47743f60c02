//! Raw data: the rows of a report that lists instances instead of counting them.
//!
//! A row is made from one [`hit`], without a tree of JSON values in between: it is read ([`cursor`]) into borrowed types
//! ([`document`]), of which a [`Row`] is made that borrows from them. What looks like the hit before takes fewer steps
//! ([`shape`]), and its lists have their room already ([`reuse`]). How a row is written is not decided here.

pub mod clauses;
pub mod cursor;
pub mod dates;
pub mod decision_row;
pub mod document;
pub mod flow_nodes;
pub mod hit;
pub mod process_row;
pub mod reuse;
pub mod shape;
pub mod sorting;
pub mod variables;

use decision_row::DecisionRow;
use process_row::ProcessRow;

/// One instance as a row.
pub enum Row<'r> {
    /// A process instance.
    Process(ProcessRow<'r>),
    /// A decision instance.
    Decision(DecisionRow<'r>),
}
