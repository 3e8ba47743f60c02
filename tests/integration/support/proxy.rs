//! The fault-injecting proxy, started where it must work.

use std::ops::Deref;

pub use xtask::proxy::Mode;

/// See [`xtask::proxy::Proxy`].
pub struct Proxy(xtask::proxy::Proxy);

impl Proxy {
    /// A proxy in front of the server at `url`.
    pub fn start(url: &str) -> Self {
        Self(xtask::proxy::Proxy::start(url).unwrap())
    }
}

impl Deref for Proxy {
    type Target = xtask::proxy::Proxy;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
