//! Camunda Optimize's report data export, served straight from Elasticsearch.

pub mod auth;
pub mod catalog;
pub mod check;
pub mod client;
pub mod commands;
pub mod config;
pub mod encode;
pub mod export;
pub mod flags;
pub mod http;
pub mod reload;
pub mod scroll;
pub mod sync;
pub mod telemetry;
