//! Camunda Optimize's report data export, served straight from Elasticsearch.

pub mod auth;
pub mod catalog;
pub mod check;
pub mod client;
pub mod config;
pub mod definitions;
pub mod elasticsearch;
pub mod encode;
pub mod export;
pub mod filter;
pub mod http;
pub mod java;
pub mod listing;
pub mod memory;
pub mod moment;
pub mod plan;
pub mod raw_data;
pub mod reload;
pub mod report;
pub mod result;
pub mod scope;
pub mod sync;
pub mod table;
pub mod telemetry;
