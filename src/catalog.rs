//! What the cluster tells of reports and definitions, looked up and kept for a few seconds.
//!
//! [`reports`] fetches a stored report, [`report_list`] tells which ones there are; [`definitions`] knows newest versions and the
//! names of flow nodes, [`variable_names`] and [`table_columns`] what occurs in the instances.

mod cache;
pub mod columns;
pub mod definitions;
pub mod report_list;
pub mod reports;
pub mod table_columns;
pub mod variable_names;
