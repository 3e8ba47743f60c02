//! Talking to Elasticsearch, or to OpenSearch, which is the same in nearly everything ([`server`]).
//!
//! Requests with small answers go through the official client. Batches of a scroll are large and are read as a stream ([`scroll`]),
//! and of searches, documents and counts no more is read than there is memory for ([`memory`]); the official client can
//! do neither, so both go through `reqwest`, with the same nodes, credentials and TLS settings. So do ordinary requests over TLS connections that the official client can't make
//! ([`tls`]). What Elasticsearch answers when it refuses is sorted into classes in [`error`].

#[cfg(feature = "aws")]
mod aws;
pub mod client;
pub mod composite;
pub mod credentials;
pub mod error;
pub mod flags;
mod hit_memory;
pub mod hits;
pub mod memory;
mod nodes;
pub mod scroll;
pub mod server;
pub mod settings;
pub mod telemetry;
pub mod tls;

pub use client::{ConnectionSettings, Elasticsearch, Found};
pub use credentials::Credentials;
pub use error::{ElasticsearchError, Refusal};
pub use server::{Server, Support};
pub use settings::{SettingsError, SigningSettings};
