//! The stored report: what a user saved in Optimize, as types.
//!
//! [`definition`] parses one stored document by the rules of Optimize's own reader (which parts may be
//! missing, what stands in for a list, which spellings an enumeration has). [`store`] fetches it from
//! Elasticsearch and keeps it for a few seconds; [`list`] tells which ones there are.

pub mod definition;
pub mod list;
pub mod store;
