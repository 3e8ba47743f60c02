//! What Optimize's documents mean: from a stored report to a query, and from what the cluster answers to a result.
//!
//! Everything here is pure. What has to be asked, and what time it is, is handed in; the dependencies know of no network, no
//! runtime and no cluster, so that the compiler keeps it so.
//!
//! Each module uses those that stand above it, never the other way round:
//!
//! * [`scan`]: looking for bytes; [`json`]: writing JSON text; [`java`] and [`moment`]: numbers, orders and dates as Java has them;
//! * [`report`]: the stored report as types;
//! * [`scope`]: which instances it covers, as indices and as a query;
//! * [`access`]: what somebody may see of it;
//! * [`filter`]: which of them its filters let through;
//! * [`definitions`]: versions, names and models of what is defined;
//! * [`raw_data`]: instances as rows;
//! * [`result`]: numbers, maps and maps of maps;
//! * [`plan`]: from a report to a search, and from its answer to a result;
//! * [`listing`]: what a list of reports shows of each;
//! * [`table`]: reports as tables, with columns and values.

pub mod access;
pub mod definitions;
pub mod filter;
mod followers;
pub mod java;
pub mod json;
pub mod listing;
pub mod moment;
pub mod plan;
pub mod raw_data;
pub mod report;
pub mod result;
pub mod scan;
pub mod scope;
pub mod table;
