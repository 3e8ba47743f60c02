//! The service's HTTP side: routes, parameters, error bodies, health checks, and the loop that accepts connections.

pub mod compression;
pub mod connection;
pub mod error_body;
pub mod heads;
pub mod health;
pub mod measured;
pub mod openapi;
mod page;
pub mod parameters;
pub mod readiness;
pub mod reports;
pub mod routes;
pub mod server;
mod tables;
pub mod tls;
