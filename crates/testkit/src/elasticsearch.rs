//! A real Elasticsearch or OpenSearch for tests, demo and development: no mock, no stub.
//!
//! It is found in this order:
//!
//! 1. the cluster that the environment variable `ELASTICSEARCH_URL` names;
//! 2. a server that `cargo xtask server start` started and that still runs;
//! 3. a container, when a container engine answers and has, or can pull, the official image;
//! 4. a Java virtual machine: artifacts on Maven Central contain complete distributions of Elasticsearch, and all jars of OpenSearch,
//!    so `mvn` and a JDK are enough. The distribution is unpacked once into a cache folder (see [`Cache`]).
//!
//! Tests of TLS, users and privileges need a server with security on: [`secured_for_this_process`] always starts its own, in a
//! container or in a Java virtual machine as above.
//!
//! Every server started here listens on loopback only, at a port of its own, keeps its data in a folder of its own and removes that folder
//! when it stops. It holds no more than one test run needs: it is never meant to keep anything.

mod cache;
mod container;
mod distribution;
mod jars;
mod java;
mod killable;
mod pair;
mod security;
mod server;
mod started;
mod version;

use std::sync::{Mutex, OnceLock};
use std::time::Duration;

pub use cache::Cache;
pub use killable::Killable;
pub use pair::Pair;
pub use security::{ClientCertificates, SERVER_NAME, Secured, secured_for_this_process};
pub use server::Heap;
pub use started::{Status, start, status, stop};
pub use version::{Product, Version};

use crate::client::{self, Client};
use server::{Lifetime, Server};

/// The environment variable that names a cluster which already runs.
pub const URL_VARIABLE: &str = "ELASTICSEARCH_URL";

/// How long a cluster named by [`URL_VARIABLE`] may take to say its version.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// A server that answers.
#[derive(Debug, Clone)]
pub struct Elasticsearch {
    /// Its address, for example `http://127.0.0.1:39201`.
    pub url: String,
    /// Elasticsearch or OpenSearch.
    pub product: Product,
    /// Its version, for example `8.19.8`.
    pub version: String,
    /// How it was found.
    pub origin: Origin,
}

/// How a server was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The environment variable `ELASTICSEARCH_URL` names it.
    Environment,
    /// `cargo xtask server start` started it.
    Started,
    /// It runs in a container started for this process.
    Container,
    /// It runs in a Java virtual machine started for this process.
    Java,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Environment => "named by ELASTICSEARCH_URL",
            Self::Started => "started by `cargo xtask server start`",
            Self::Container => "in a container of its own",
            Self::Java => "in a Java virtual machine of its own",
        })
    }
}

/// Why there is no server.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// `ELASTICSEARCH_VERSION` or `--version` names a version that can't be started.
    #[error(
        "`{wanted}` can't be started here, only {}; for any other set {URL_VARIABLE}",
        Version::LIST
    )]
    UnknownVersion {
        /// What was asked for.
        wanted: String,
    },
    /// The heap size is not one that Java understands.
    #[error("`{wanted}` is no heap size: write it as 512m or 1g")]
    UnknownHeap {
        /// What was asked for.
        wanted: String,
    },
    /// The cluster named by `ELASTICSEARCH_URL` does not answer.
    #[error("the Elasticsearch named by {URL_VARIABLE} does not answer: {reason}")]
    Unreachable {
        /// What the client reported.
        reason: String,
    },
    /// No usable Java.
    #[error(
        "{version} needs {}, and {found}. Install a JDK (Debian: `apt-get install openjdk-17-jre-headless`, others: https://adoptium.net) \
         and put `java` on the PATH or set JAVA_HOME or JAVA21_HOME. Or name a running cluster in {URL_VARIABLE}",
        java::spelled(&version.java())
    )]
    Java {
        /// The version to start.
        version: Version,
        /// What was found instead.
        found: String,
    },
    /// No usable Maven.
    #[error(
        "{found}. {version} is fetched from Maven Central once: install Maven (Debian: `apt-get install maven`, macOS: `brew install maven`), \
         or name a running cluster in {URL_VARIABLE}"
    )]
    Maven {
        /// What was found instead.
        found: String,
        /// The version to fetch.
        version: Version,
    },
    /// The distribution could not be fetched or unpacked.
    #[error("the distribution of {version} can't be had: {reason}")]
    Distribution {
        /// The version to fetch.
        version: Version,
        /// What went wrong.
        reason: String,
    },
    /// The server was started and did not come up.
    #[error("{version} did not come up: {reason}\n{log}")]
    DidNotStart {
        /// The version that was started.
        version: Version,
        /// What was seen.
        reason: String,
        /// The last lines of its log.
        log: String,
    },
    /// There is no server to stop.
    #[error("no {version} runs that `cargo xtask server start` has started")]
    NotStarted {
        /// The version asked for.
        version: Version,
    },
    /// A file or a process could not be handled.
    #[error("can't {doing}: {reason}")]
    System {
        /// What was tried.
        doing: String,
        /// What the system said.
        reason: String,
    },
}

impl Error {
    /// Turns what the system said into an error that tells what was tried.
    pub(crate) fn system(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |error| Self::System {
            doing,
            reason: error.to_string(),
        }
    }
}

/// What to tell somebody who waits for the start of a server.
pub fn start_takes(version: Version) -> String {
    format!("{version} starts, which takes half a minute; what is not there yet is fetched first")
}

/// Finds or starts one server for the calling process; every call in one process returns the same one.
///
/// The version is [`Version::wanted`], the heap [`Heap::wanted`]. A server started here is stopped when the process ends, however it ends,
/// SIGKILL and abort included: a pipe that the system closes with the process tells a small shell beside the server to stop it.
///
/// ```no_run
/// let elasticsearch = testkit::elasticsearch::for_this_process()?;
/// println!("{} {} at {}", elasticsearch.product, elasticsearch.version, elasticsearch.url);
/// # Ok::<(), testkit::elasticsearch::Error>(())
/// ```
pub fn for_this_process() -> Result<&'static Elasticsearch, Error> {
    of_version_for_this_process(Version::wanted()?, Heap::wanted()?)
}

/// As [`for_this_process`], with version and heap from the caller instead of the environment. The first call in a process decides.
pub fn of_version_for_this_process(
    version: Version,
    heap: Heap,
) -> Result<&'static Elasticsearch, Error> {
    static FOUND: OnceLock<Result<Elasticsearch, Error>> = OnceLock::new();
    FOUND
        .get_or_init(|| {
            if let Some(found) = running(version)? {
                return Ok(found);
            }
            let server = Server::start(
                &Cache::of_this_user()?,
                version,
                heap,
                Lifetime::OfThisProcess,
                None,
            )?;
            let elasticsearch = server.elasticsearch.clone();
            keep_until_the_end(server);
            Ok(elasticsearch)
        })
        .as_ref()
        .map_err(Clone::clone)
}

/// Stops the servers that were started for this process, if any, and waits until they are gone.
///
/// Ending the process is enough to stop it; this is for a command that wants to say so.
pub fn stop_for_this_process() {
    let held = STARTED_HERE
        .lock()
        .map(|mut held| std::mem::take(&mut *held));
    for server in held.unwrap_or_default() {
        server.stop();
    }
}

/// Holds the pipes whose closing stops the servers.
static STARTED_HERE: Mutex<Vec<Server>> = Mutex::new(Vec::new());

fn keep_until_the_end(server: Server) {
    if let Ok(mut held) = STARTED_HERE.lock() {
        held.push(server);
    }
}

/// A server that already runs: the one of the environment, else a started one of the wanted version.
fn running(version: Version) -> Result<Option<Elasticsearch>, Error> {
    if let Some(url) = url_of_the_environment() {
        let (product, version) = version_of(&Client::new(&url).with_timeout(FIRST_ANSWER))
            .map_err(|error| Error::Unreachable {
                reason: error.to_string(),
            })?;
        return Ok(Some(Elasticsearch {
            url,
            product,
            version,
            origin: Origin::Environment,
        }));
    }
    Ok(started::find(&Cache::of_this_user()?, version))
}

/// The cluster that the environment names; an empty variable names none.
fn url_of_the_environment() -> Option<String> {
    std::env::var(URL_VARIABLE)
        .ok()
        .filter(|url| !url.trim().is_empty())
}

/// Asks a server what it is, and of which version.
fn version_of(client: &Client) -> Result<(Product, String), client::Error> {
    let body = client.get("/")?.success()?;
    let text = |name: &str| body.pointer(name).and_then(serde_json::Value::as_str);
    // One that pretends to be an old Elasticsearch has its name here only.
    let is_opensearch = text("/tagline").is_some_and(|text| text.contains("OpenSearch"));
    let product = if is_opensearch {
        Product::OpenSearch
    } else {
        Product::Elasticsearch
    };
    let number = text("/version/number").unwrap_or("of an unknown version");
    Ok((product, number.to_owned()))
}
