//! A server that can be killed, and started again with what it has stored.

use tempfile::TempDir;

use super::java::Place;
use super::server::{Lifetime, Server};
use super::{Cache, Error, Heap, Version};

/// A server of the caller's own, in a Java virtual machine. It is killed when this is dropped, and its data removed.
#[derive(Debug)]
pub struct Killable {
    cache: Cache,
    version: Version,
    heap: Heap,
    server: Option<Server>,
    url: String,
    /// Where its data is; removed last.
    data: TempDir,
}

impl Killable {
    /// Starts a server without data.
    ///
    /// # Errors
    /// There is no Java, no distribution, or the server does not come up.
    pub fn start(version: Version, heap: Heap) -> Result<Self, Error> {
        let cache = Cache::of_this_user()?;
        let data = tempfile::Builder::new()
            .prefix("optimize-export-data-")
            .tempdir()
            .map_err(Error::system("make a folder for data"))?;
        cache.hand_over(data.path())?;
        let mut killable = Self {
            cache,
            version,
            heap,
            server: None,
            url: String::new(),
            data,
        };
        killable.restart()?;
        Ok(killable)
    }

    /// Its address; another one after each start.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Kills it. Nothing is flushed, no connection is closed with care.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// Starts it with the data that it had.
    ///
    /// # Errors
    /// It does not come up.
    pub fn restart(&mut self) -> Result<(), Error> {
        self.kill();
        let server = Server::start_in_java(
            &self.cache,
            self.version,
            &self.heap,
            Lifetime::OfThisProcess,
            None,
            Some(self.data.path()),
            Place::Alone,
        )?;
        self.url.clone_from(&server.elasticsearch.url);
        self.server = Some(server);
        Ok(())
    }
}

impl Drop for Killable {
    fn drop(&mut self) {
        self.kill();
    }
}
