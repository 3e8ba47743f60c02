//! What a developer of `optimize-export` runs, as `cargo xtask …`, and what the project's tests use as a library:
//!
//! * [`elasticsearch`]: a real Elasticsearch for one process, found or started;
//! * [`certificates`]: an authority that only tests trust, for servers that speak TLS;
//! * [`indices`]: the indices an Optimize installation has, created and filled under a prefix of their own;
//! * [`sample`]: the documents and stored reports of a believable installation;
//! * [`demo`]: the main job of the service, shown to a human;
//! * [`mod@bench`]: the service beside what else reads the same data;
//! * [`proxy`]: a proxy that injects faults;
//! * [`soak`]: many exports while everything around them fails;
//! * [`siege`]: many exports while attackers try to end the service;
//! * [`chain`]: reads of what has changed, while everything changes.

pub mod bench;
pub mod certificates;
pub mod chain;
pub mod client;
pub mod demo;
pub mod elasticsearch;
pub mod indices;
pub mod nested;
mod own_sample;
mod progress;
pub mod proxy;
pub mod sample;
mod service;
pub mod siege;
pub mod soak;
