//! What a developer of `optimize-export` runs, as `cargo xtask …`; servers and sample data come from [`testkit`]:
//!
//! * [`demo`]: the main job of the service, shown to a human;
//! * [`mod@bench`]: the service beside what else reads the same data;
//! * [`soak`]: many exports while everything around them fails;
//! * [`siege`]: many exports while attackers try to end the service;
//! * [`chain`]: reads of what has changed, while everything changes.

pub mod bench;
pub mod chain;
pub mod demo;
pub mod siege;
pub mod soak;
