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
mod check;
mod decisions;
mod definitions;
mod failover;
mod filters;
mod jwt;
mod many_clients;
mod paging;
mod parameters;
mod plans;
mod raw_rows;
mod reports;
mod scrolls;
mod secured;
mod streaming;
mod support;
