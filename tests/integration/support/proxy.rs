//! The fault-injecting proxy, started where it must work.

use std::net::TcpStream;
use std::ops::Deref;
use std::thread;
use std::time::Duration;

pub use testkit::proxy::Mode;

/// See [`testkit::proxy::Proxy`].
pub struct Proxy(testkit::proxy::Proxy);

impl Proxy {
    /// A proxy in front of the server at `url`.
    pub fn start(url: &str) -> Self {
        Self(testkit::proxy::Proxy::start(url).unwrap())
    }

    /// Refuses connections from now on; none is open any more when this returns.
    pub fn refuse(&self) {
        self.set(Mode::Refuse);
        self.wait_until(|is_listening| !is_listening);
    }

    /// Lets everything pass from now on, after it was refused.
    pub fn accept(&self) {
        self.set(Mode::Pass);
        self.wait_until(|is_listening| is_listening);
    }

    fn wait_until(&self, condition: impl Fn(bool) -> bool) {
        while !condition(TcpStream::connect(self.address).is_ok()) {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Deref for Proxy {
    type Target = testkit::proxy::Proxy;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}
