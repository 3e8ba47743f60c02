//! The tables of raw data on processes.

pub mod flow_nodes;
pub mod incidents;
pub mod instances;
pub mod variables;
