//! One server: started, watched until it answers, stopped.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use super::container::Engine;
use super::java::{self, Java, Layout, Place};
use super::security::{SERVER_NAME, Security};
use super::{Cache, Elasticsearch, Error, Origin, Version, distribution, version_of};
use crate::client::{self, Client};

/// The shell script beside every server.
const KEEPER: &str = include_str!("keeper.sh");

/// How long a server may take to answer; 15 seconds are usual on two cores.
const START_LIMIT: Duration = Duration::from_secs(180);

/// How long to wait for a server to be gone.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How many lines of the log an error shows.
const LOG_LINES_SHOWN: usize = 15;

/// The name of a server's log. The keeper and the server hold a lock on it for as long as one of them lives.
const LOG: &str = "server.log";

/// The size of a server's heap, as Java spells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heap(String);

impl Heap {
    /// The environment variable that chooses the heap.
    pub const VARIABLE: &'static str = "OPTIMIZE_EXPORT_TEST_HEAP";

    /// The heap that the environment variable [`Heap::VARIABLE`] asks for, else the default.
    pub fn wanted() -> Result<Self, Error> {
        match std::env::var(Self::VARIABLE) {
            Ok(text) if !text.trim().is_empty() => text.trim().parse(),
            _ => Ok(Self::default()),
        }
    }

    /// The options of the Java virtual machine.
    pub(super) fn options(&self) -> [String; 2] {
        [format!("-Xms{}", self.0), format!("-Xmx{}", self.0)]
    }
}

impl Default for Heap {
    /// One gigabyte: plenty for the tests.
    fn default() -> Self {
        Self("1g".to_owned())
    }
}

impl FromStr for Heap {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.trim_end_matches(['m', 'M', 'g', 'G']);
        let is_size =
            text.len() == digits.len() + 1 && digits.parse::<u32>().is_ok_and(|size| size > 0);
        if is_size {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::UnknownHeap {
                wanted: text.to_owned(),
            })
        }
    }
}

/// When a server ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lifetime {
    /// With the process that started it, at the latest.
    OfThisProcess,
    /// When it is told to.
    UntilStopped,
}

/// A server started by this process.
#[derive(Debug)]
pub(super) struct Server {
    /// How to reach it.
    pub elasticsearch: Elasticsearch,
    /// Its own folder.
    pub folder: PathBuf,
    /// Its keeper. For [`Lifetime::OfThisProcess`] its standard input is the pipe whose closing stops the server.
    keeper: Child,
}

impl Server {
    /// Starts a server, in a container where that is possible, else in a Java virtual machine; without `security`, anybody may do anything.
    pub fn start(
        cache: &Cache,
        version: Version,
        heap: Heap,
        lifetime: Lifetime,
        security: Option<&Security>,
    ) -> Result<Self, Error> {
        remove_what_dead_servers_left(cache);
        match Engine::find(version) {
            Some(engine) => {
                Self::start_in_container(cache, version, &heap, lifetime, &engine, security)
            }
            None => Self::start_in_java(
                cache,
                version,
                &heap,
                lifetime,
                security,
                None,
                Place::Alone,
            ),
        }
    }

    /// Starts a server in a Java virtual machine; what it stores goes into the folder `data`, or into its own.
    pub fn start_in_java(
        cache: &Cache,
        version: Version,
        heap: &Heap,
        lifetime: Lifetime,
        security: Option<&Security>,
        data: Option<&Path>,
        place: Place<'_>,
    ) -> Result<Self, Error> {
        let java = Java::find(version)?;
        let distribution = distribution::folder(cache, version)?;
        let folder = own_folder(cache)?;
        let layout = Layout {
            distribution: &distribution,
            folder: &folder,
            data,
            place,
        };
        for name in ["config", "data", "logs", "tmp"] {
            let path = folder.join(name);
            fs::create_dir(&path).map_err(Error::system(format!("make {}", path.display())))?;
        }
        java::write_configuration(version, layout, security)?;
        for entry in files_below(&folder) {
            cache.hand_over(&entry)?;
        }

        let line = java.command_line(version, heap, layout);
        let log = new_log(&folder)?;
        let mut keeper = keeper(&folder, lifetime, "", &log)?;
        // The launcher of 8.x looks for its libraries below the working directory.
        keeper
            .current_dir(&distribution)
            .args(line.words)
            .envs(line.environment);
        if let Some(user) = cache.other_user() {
            keeper.uid(user).gid(user).env("HOME", &folder);
        }
        // A variable meant for the caller's own Java would change the server.
        for variable in [
            "JAVA_TOOL_OPTIONS",
            "JDK_JAVA_OPTIONS",
            "_JAVA_OPTIONS",
            "CLASSPATH",
        ] {
            keeper.env_remove(variable);
        }
        let mut keeper = keeper
            .spawn()
            .map_err(Error::system("start the shell beside the server"))?;
        let ports = folder.join("logs/http.ports");
        let url = wait_until_it_answers(
            version,
            &mut keeper,
            &log,
            || Some(url(&address_in(&ports)?, security)),
            |url| connect(url, Origin::Java, security),
        )?;
        Ok(Self {
            elasticsearch: describe(url, version, Origin::Java),
            folder,
            keeper,
        })
    }

    fn start_in_container(
        cache: &Cache,
        version: Version,
        heap: &Heap,
        lifetime: Lifetime,
        engine: &Engine,
        security: Option<&Security>,
    ) -> Result<Self, Error> {
        let folder = own_folder(cache)?;
        let project = engine.write_project(&folder, heap, security)?;
        let log = new_log(&folder)?;
        let mut keeper = keeper(&folder, lifetime, &project.down_command(), &log)?;
        keeper.args(project.up_command());
        let mut keeper = keeper
            .spawn()
            .map_err(Error::system("start the shell beside the container"))?;
        let url = wait_until_it_answers(
            version,
            &mut keeper,
            &log,
            || Some(url(&project.address()?, security)),
            |url| connect(url, Origin::Container, security),
        )?;
        Ok(Self {
            elasticsearch: describe(url, version, Origin::Container),
            folder,
            keeper,
        })
    }

    /// Where other nodes reach it.
    pub fn transport_address(&self) -> Option<String> {
        address_in(&self.folder.join("logs/transport.ports"))
    }

    /// The process to signal when the server has to stop.
    pub fn keeper_process(&self) -> u32 {
        self.keeper.id()
    }

    /// Ends the server as a power failure would: it, and the shell beside it, get no time for anything.
    pub fn kill(mut self) {
        // The shell leads a process group of its own, and all that it started is in it.
        if let Some(group) = i32::try_from(self.keeper.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
        {
            // It may have ended by itself.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
        let _ = self.keeper.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// Stops the server and waits until it and its folder are gone.
    pub fn stop(mut self) {
        drop(self.keeper.stdin.take());
        let deadline = Instant::now() + STOP_LIMIT;
        while matches!(self.keeper.try_wait(), Ok(None)) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The URL of the server at an address such as `127.0.0.1:39201`. A secured one is called by the name in its certificate.
fn url(address: &str, security: Option<&Security>) -> String {
    match (security, address.rsplit_once(':')) {
        (Some(_), Some((_, port))) => format!("https://{SERVER_NAME}:{port}"),
        _ => format!("http://{address}"),
    }
}

/// A client that may ask the server for its version.
fn connect(
    url: &str,
    origin: Origin,
    security: Option<&Security>,
) -> Result<Client, client::Error> {
    match security {
        Some(security) => security.client(url, origin),
        None => Ok(Client::new(url)),
    }
}

fn describe(url: String, version: Version, origin: Origin) -> Elasticsearch {
    Elasticsearch {
        url,
        product: version.product(),
        version: version.number().to_owned(),
        origin,
    }
}

/// Makes the folder of a new server.
fn own_folder(cache: &Cache) -> Result<PathBuf, Error> {
    let doing = format!("make a folder in {}", cache.servers().display());
    let folder = tempfile::Builder::new()
        .prefix("server-")
        .permissions(Permissions::from_mode(0o755))
        .tempdir_in(cache.servers())
        .map_err(Error::system(doing))?;
    // From here on the keeper removes it.
    Ok(folder.keep())
}

/// Opens the log and locks it. A lock belongs to the open file, which the keeper and the server inherit: while one of them lives, the folder is in use.
fn new_log(folder: &Path) -> Result<File, Error> {
    let path = folder.join(LOG);
    let doing = format!("write {}", path.display());
    let log = File::options()
        .create(true)
        .append(true)
        .read(true)
        .open(&path)
        .map_err(Error::system(&doing))?;
    log.try_lock().map_err(|error| Error::System {
        doing,
        reason: error.to_string(),
    })?;
    Ok(log)
}

/// Whether the server in this folder still lives.
pub(super) fn is_alive(folder: &Path) -> bool {
    match File::open(folder.join(LOG)) {
        Ok(log) => matches!(log.try_lock_shared(), Err(TryLockError::WouldBlock)),
        Err(_) => false,
    }
}

/// Waits until the server in this folder is gone; tells whether it is.
pub(super) fn wait_until_gone(folder: &Path) -> bool {
    let deadline = Instant::now() + STOP_LIMIT;
    while folder.exists() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(50));
    }
    true
}

/// Removes the folders of servers whose keeper was killed too. A folder without a log may be one that is just being made, so it gets some time.
fn remove_what_dead_servers_left(cache: &Cache) {
    const BEING_MADE: Duration = Duration::from_secs(600);
    for entry in fs::read_dir(cache.servers())
        .into_iter()
        .flatten()
        .flatten()
    {
        let folder = entry.path();
        let age = entry
            .metadata()
            .and_then(|data| data.modified())
            .ok()
            .and_then(|time| time.elapsed().ok());
        let is_old = age.is_some_and(|age| age > BEING_MADE);
        if (folder.join(LOG).exists() || is_old) && !is_alive(&folder) {
            // What can't be removed costs space and nothing else.
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// The command of the keeper; the server's own command line is still to be added.
fn keeper(
    folder: &Path,
    lifetime: Lifetime,
    afterwards: &str,
    log: &File,
) -> Result<Command, Error> {
    let doing = "share the log with the server";
    let (ending, stdin) = match lifetime {
        Lifetime::OfThisProcess => ("with-stdin", Stdio::piped()),
        Lifetime::UntilStopped => ("when-told", Stdio::null()),
    };
    let mut keeper = Command::new("sh");
    keeper
        .args(["-c", KEEPER, "elasticsearch-keeper"])
        .arg(folder)
        .arg(ending)
        .arg(afterwards)
        .current_dir(folder)
        .stdin(stdin)
        .stdout(log.try_clone().map_err(Error::system(doing))?)
        .stderr(log.try_clone().map_err(Error::system(doing))?)
        // A Ctrl-C meant for the caller must not reach the server before the caller has said goodbye to it.
        .process_group(0);
    Ok(keeper)
}

fn wait_until_it_answers(
    version: Version,
    keeper: &mut Child,
    log: &File,
    url: impl Fn() -> Option<String>,
    connect: impl Fn(&str) -> Result<Client, client::Error>,
) -> Result<String, Error> {
    let did_not_start = |reason: String| Error::DidNotStart {
        version,
        reason,
        log: last_lines(log, LOG_LINES_SHOWN),
    };
    let deadline = Instant::now() + START_LIMIT;
    loop {
        if let Some(status) = keeper
            .try_wait()
            .map_err(Error::system("watch the server"))?
        {
            return Err(did_not_start(format!("it ended with {status}")));
        }
        if let Some(url) = url() {
            let client = connect(&url).map_err(|error| did_not_start(error.to_string()))?;
            if version_of(&client.with_timeout(Duration::from_secs(5))).is_ok() {
                return Ok(url);
            }
        }
        if Instant::now() >= deadline {
            // Closing the pipe, or the signal where there is none, ends the keeper and all it keeps.
            drop(keeper.stdin.take());
            signal_stop(keeper.id());
            return Err(did_not_start(format!(
                "no answer within {} s",
                START_LIMIT.as_secs()
            )));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// Tells a keeper to stop its server; says whether there was such a process.
pub(super) fn signal_stop(keeper: u32) -> bool {
    i32::try_from(keeper)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .is_some_and(|process| {
            rustix::process::kill_process(process, rustix::process::Signal::TERM).is_ok()
        })
}

/// The address in the file that the server writes when it listens.
fn address_in(ports: &Path) -> Option<String> {
    let text = fs::read_to_string(ports).ok()?;
    text.lines()
        .find(|line| line.starts_with("127.0.0.1:"))
        .map(str::to_owned)
}

/// Everything in a folder, and the folder itself.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path))
        } else {
            found.push(path)
        }
    }
    found
}

/// The end of the log; it can be read even after the keeper has removed the folder.
fn last_lines(log: &File, count: usize) -> String {
    let mut text = String::new();
    let mut reader = log;
    let read = reader
        .seek(SeekFrom::Start(0))
        .and_then(|_| reader.read_to_string(&mut text));
    if let Err(error) = read {
        return format!("(its log can't be read: {error})");
    }
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(count)..)
        .unwrap_or_default()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heap_is_a_number_and_a_unit() {
        assert_eq!(
            "512m".parse::<Heap>().unwrap().options(),
            ["-Xms512m", "-Xmx512m"]
        );
        for wrong in ["", "1", "m", "0g", "1 g", "1gg", "1g -version"] {
            assert!(wrong.parse::<Heap>().is_err(), "{wrong} was accepted");
        }
    }

    #[test]
    fn a_server_folder_is_in_use_while_its_log_is_locked() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_alive(folder.path()));
        let log = new_log(folder.path()).unwrap();
        assert!(is_alive(folder.path()));
        drop(log);
        assert!(!is_alive(folder.path()));
    }
}
