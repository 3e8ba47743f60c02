//! What the project's tests, and what a developer runs, need beside the service:
//!
//! * [`elasticsearch`]: a real Elasticsearch for one process, found or started;
//! * [`certificates`]: an authority that only tests trust, for servers that speak TLS;
//! * [`indices`]: the indices an Optimize installation has, created and filled under a prefix of their own;
//! * [`sample`]: the documents and stored reports of a believable installation, and [`own_sample`], one for a single run;
//! * [`proxy`]: a proxy that injects faults;
//! * [`service`]: the service, built and started as a user would;
//! * [`client`] and [`progress`]: requests that wait for their answer, and how far something has come;
//! * [`interrupt`]: whether somebody has pressed Ctrl-C.

pub mod certificates;
pub mod client;
pub mod elasticsearch;
pub mod indices;
pub mod interrupt;
pub mod own_sample;
pub mod progress;
pub mod proxy;
pub mod sample;
pub mod service;
