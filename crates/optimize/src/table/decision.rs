//! The tables of raw data on decisions.

pub mod inputs_and_outputs;
pub mod instances;
