//! Two nodes of one cluster, of which one can be killed.

use super::java::Place;
use super::server::{Lifetime, Server};
use super::{Cache, Error, Heap, Version};

/// Two nodes of the caller's own, each in a Java virtual machine: one named `first`, which rules, and one named `second`, which
/// only keeps data. Both are killed when this is dropped.
#[derive(Debug)]
pub struct Pair {
    first: Option<Server>,
    second: Option<Server>,
    url: String,
}

impl Pair {
    /// Starts both, without data.
    ///
    /// # Errors
    /// There is no Java, no distribution, or a node does not come up.
    pub fn start(version: Version, heap: &Heap) -> Result<Self, Error> {
        let cache = Cache::of_this_user()?;
        let start = |place: Place<'_>| {
            let lifetime = Lifetime::OfThisProcess;
            Server::start_in_java(&cache, version, heap, lifetime, None, None, place)
        };
        let first = start(Place::First)?;
        let url = first.elasticsearch.url.clone();
        let address = first.transport_address();
        let mut pair = Self {
            first: Some(first),
            second: None,
            url,
        };
        let address = address.ok_or_else(|| Error::System {
            doing: "find the address of the first node".to_owned(),
            reason: "it is not in its file".to_owned(),
        })?;
        pair.second = Some(start(Place::Joins(&address))?);
        Ok(pair)
    }

    /// The address of the first node.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills the second node. Nothing is flushed, no connection is closed with care.
    pub fn kill_second(&mut self) {
        if let Some(second) = self.second.take() {
            second.kill();
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.kill_second();
        if let Some(first) = self.first.take() {
            first.kill();
        }
    }
}
