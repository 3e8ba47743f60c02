//! Talking to Elasticsearch.
//!
//! Everything but pages goes through the official client. Pages of a scroll are large and are read as a stream, which
//! the official client can't do; they go through `reqwest` with the same nodes, credentials and TLS settings
//! ([`pages`]). What Elasticsearch answers when it refuses is sorted into classes in [`error`].

pub mod client;
pub mod composite;
pub mod error;
pub mod hits;
pub mod pages;

pub use client::{ConnectionSettings, Credentials, Elasticsearch};
pub use error::{ElasticsearchError, Refusal};
