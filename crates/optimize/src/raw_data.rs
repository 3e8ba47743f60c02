//! Raw data: the rows of a report that lists instances instead of counting them.
//!
//! A row is made from one hit, without a tree of JSON values in between: the hit is read ([`cursor`]) into borrowed types
//! ([`document`]) and written as text straight away. Decision rows and process rows share the tolerant reading of
//! documents and the writing of dates and strings.

pub mod clauses;
pub mod cursor;
pub mod dates;
pub mod decision_row;
pub mod document;
pub mod json;
pub mod process_row;
pub mod sorting;
pub mod variables;
