//! Talking to Elasticsearch.
//!
//! Everything but pages goes through the official client. Pages of a scroll are large and are read as a stream, which
//! the official client can't do; they go through `reqwest` with the same nodes, credentials and TLS settings
//! ([`pages`]), and so do ordinary requests over TLS connections that the official client can't make ([`tls`]). What Elasticsearch answers when it refuses is sorted into classes in [`error`].

pub mod client;
pub mod composite;
pub mod credentials;
pub mod error;
pub mod hits;
mod nodes;
pub mod pages;
pub mod tls;

pub use client::{ConnectionSettings, Elasticsearch};
pub use credentials::Credentials;
pub use error::{ElasticsearchError, Refusal};
