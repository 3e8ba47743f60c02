//! The server that `cargo xtask server start` starts, and that outlives the command.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::server::{self, Lifetime, Server};
use super::{Cache, Elasticsearch, Error, Heap, Origin, Version, version_of};
use crate::client::Client;

/// What is written down about a started server.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    url: String,
    version: String,
    /// The process to signal.
    keeper: u32,
    /// The server's folder; its log is locked while the server lives, which no other process's number can feign.
    folder: PathBuf,
}

/// Which server a process would use now.
#[derive(Debug)]
pub enum Status {
    /// This one, which already runs.
    Runs(Elasticsearch),
    /// None runs: [`super::for_this_process`] would start one.
    WouldStart(Version),
}

/// Starts a server that outlives this process; when one of the version already runs, it is returned as it is.
pub fn start(version: Version, heap: Heap) -> Result<Elasticsearch, Error> {
    let cache = Cache::of_this_user()?;
    let _lock = lock(&cache, version)?;
    if let Some(found) = find(&cache, version) {
        return Ok(found);
    }
    let server = Server::start(&cache, version, heap, Lifetime::UntilStopped, None)?;
    let state = State {
        url: server.elasticsearch.url.clone(),
        version: server.elasticsearch.version.clone(),
        keeper: server.keeper_process(),
        folder: server.folder.clone(),
    };
    let path = cache.state_file(version);
    let written = serde_json::to_vec_pretty(&state)
        .map_err(std::io::Error::from)
        .and_then(|text| fs::write(&path, text));
    if let Err(error) = written {
        server::signal_stop(state.keeper);
        return Err(Error::system(format!("write {}", path.display()))(error));
    }
    Ok(server.elasticsearch)
}

/// Stops the server of this version and waits until it is gone.
pub fn stop(version: Version) -> Result<(), Error> {
    let cache = Cache::of_this_user()?;
    let _lock = lock(&cache, version)?;
    let state = read(&cache, version).ok_or(Error::NotStarted { version })?;
    let was_alive = server::is_alive(&state.folder);
    if was_alive {
        server::signal_stop(state.keeper);
        if !server::wait_until_gone(&state.folder) {
            let reason = format!("process {} does not end", state.keeper);
            return Err(Error::System {
                doing: format!("stop {version}"),
                reason,
            });
        }
    }
    // A state without a server is worth nothing, and the next start overwrites it.
    let _ = fs::remove_file(cache.state_file(version));
    if was_alive {
        Ok(())
    } else {
        Err(Error::NotStarted { version })
    }
}

/// Tells which server a process would use now.
pub fn status(version: Version) -> Result<Status, Error> {
    Ok(match super::running(version)? {
        Some(found) => Status::Runs(found),
        None => Status::WouldStart(version),
    })
}

/// The started server of this version, if it lives and answers.
pub(super) fn find(cache: &Cache, version: Version) -> Option<Elasticsearch> {
    let state = read(cache, version)?;
    if !server::is_alive(&state.folder) {
        return None;
    }
    version_of(&Client::new(&state.url).with_timeout(Duration::from_secs(10))).ok()?;
    Some(Elasticsearch {
        url: state.url,
        product: version.product(),
        version: state.version,
        origin: Origin::Started,
    })
}

fn read(cache: &Cache, version: Version) -> Option<State> {
    let text = fs::read(cache.state_file(version)).ok()?;
    serde_json::from_slice(&text).ok()
}

fn lock(cache: &Cache, version: Version) -> Result<fs::File, Error> {
    cache.lock(&format!("started-{}", version.id()))
}
