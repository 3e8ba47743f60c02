//! The stored report: what a user saved in Optimize, as types.
//!
//! [`definition`] parses one stored document by the rules of Optimize's own reader (which parts may be
//! missing, what stands in for a list, which spellings an enumeration has).

pub mod definition;
