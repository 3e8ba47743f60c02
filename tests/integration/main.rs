//! The service against a real Elasticsearch: the binary that users run, spawned by each test with an index prefix of its
//! own, so that all tests run in parallel on one server.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at what it did not expect, in its helpers too"
)]

mod access;
mod access_rules;
mod attacks;
mod check;
mod compression;
mod decisions;
mod definitions;
mod export_command;
mod export_since;
mod export_tables;
mod failover;
mod faults;
mod filters;
mod jwt;
mod limits;
mod many_clients;
mod memory;
mod observability;
mod odd_data;
mod odd_texts;
mod openapi;
mod page;
mod paging;
mod parameters;
mod plans;
mod raw_rows;
mod readers;
mod report_list;
mod reports;
mod scrolls;
mod secured;
mod servers;
mod signed;
mod streaming;
mod support;
mod sync;
mod system_reports;
mod tables;
mod tls;
mod tokens;
mod worked_example;
