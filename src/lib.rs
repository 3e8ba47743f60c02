//! Camunda Optimize's report data export, served straight from Elasticsearch.

pub mod filter;
pub mod report;
pub mod scope;
