//! From a report to what Elasticsearch is asked.
//!
//! [`combination`] says which combinations of view, group by and distributed by there are.

pub mod combination;
