//! What a developer of `optimize-export` runs, as `cargo xtask …`, and what the project's tests use as a library:
//!
//! * [`elasticsearch`]: a real Elasticsearch for one process, found or started;
//! * [`indices`]: the indices an Optimize installation has, created and filled under a prefix of their own;
//! * [`sample`]: the documents and stored reports of a believable installation;
//! * [`demo`]: the main job of the service, shown to a human;
//! * [`mod@bench`]: the service beside what else reads the same data.

pub mod bench;
pub mod client;
pub mod demo;
pub mod elasticsearch;
pub mod indices;
pub mod nested;
mod own_sample;
mod progress;
pub mod sample;
mod service;
