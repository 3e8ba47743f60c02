//! The service, built and started as a user would.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

use crate::client::Client;

/// The token of demo and benchmark. It protects nothing but sample data on loopback.
pub const TOKEN: &str = "demo-token";

/// Its program.
const PROGRAM: &str = "optimize-export";

/// How long the service may take to be ready.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How long it may take to finish the requests under way.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// How many lines of the log an error shows.
const LOG_LINES_SHOWN: usize = 15;

/// How the service is compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Shares what a test run has compiled, and takes a fraction of the time of an optimized build.
    Debug,
    /// As it is shipped.
    Release,
}

/// How the image and the systemd units have glibc give memory back: what is measured is what is deployed.
const ALLOCATOR: [(&str, &str); 3] = [
    ("MALLOC_ARENA_MAX", "2"),
    ("MALLOC_MMAP_THRESHOLD_", "262144"),
    ("MALLOC_TRIM_THRESHOLD_", "4194304"),
];

/// What is started.
pub struct Start<'a> {
    /// The program, from [`build`].
    pub program: &'a Path,
    /// Where its Elasticsearch answers.
    pub elasticsearch_url: &'a str,
    /// The prefix of its indices.
    pub prefix: &'a str,
    /// What else it is told.
    pub arguments: &'a [&'a str],
}

/// A running service.
pub struct Service {
    /// Its address, for example `http://127.0.0.1:40123`.
    pub url: String,
    name: String,
    start_to_ready: Duration,
    child: Mutex<Child>,
    folder: tempfile::TempDir,
}

impl Service {
    /// Starts it on free ports of loopback, unless the arguments say `--listen`, and waits until it is ready.
    pub fn start(start: &Start<'_>) -> anyhow::Result<Self> {
        let Start {
            program,
            elasticsearch_url,
            prefix,
            arguments,
        } = start;
        let folder = tempfile::Builder::new()
            .prefix("optimize-export-")
            .tempdir()
            .context("can't make a folder for the log")?;
        let log =
            File::create(log_in(folder.path())).context("can't write the log of the service")?;
        let mut command = Command::new(std::path::absolute(program)?);
        command
            .arg("serve")
            .args(["--management-listen", "127.0.0.1:0"])
            .args(["--elasticsearch-url", elasticsearch_url])
            .args(["--index-prefix", prefix])
            .args(*arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        // Demo and benchmark show the defaults, whatever the caller has set for a service of their own.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if ["OPTIMIZE_", "CAMUNDA_OPTIMIZE_", "SPRING_SECURITY_"]
                .iter()
                .any(|start| text.starts_with(start))
            {
                command.env_remove(&name);
            }
        }
        command.envs(ALLOCATOR);
        if !arguments.contains(&"--listen") {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        if !arguments.contains(&"--access-token-file") {
            command.env("OPTIMIZE_EXPORT_ACCESS_TOKEN", TOKEN);
        }

        let began = Instant::now();
        let mut child = command.spawn().context("can't start the service")?;
        let lines = lines_of(&mut child)?;
        let mut service = Self {
            url: String::new(),
            name: program
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            start_to_ready: Duration::ZERO,
            child: Mutex::new(child),
            folder,
        };
        service.url = service.wait_until_ready(&lines)?;
        service.start_to_ready = began.elapsed();
        Ok(service)
    }

    /// The name of the program that runs.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long it took to say that it is ready.
    pub fn start_to_ready(&self) -> Duration {
        self.start_to_ready
    }

    /// The id of its process.
    pub fn process_id(&self) -> anyhow::Result<u32> {
        let child = self
            .child
            .lock()
            .map_err(|_| anyhow!("the service can't be watched"))?;
        Ok(child.id())
    }

    /// A client for it.
    pub fn client(&self) -> Client {
        Client::new(&self.url)
    }

    /// The file that its log goes to.
    pub fn log(&self) -> PathBuf {
        log_in(self.folder.path())
    }

    /// The end of its log.
    pub fn last_log_lines(&self) -> String {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines
            .get(lines.len().saturating_sub(LOG_LINES_SHOWN)..)
            .unwrap_or_default()
            .join("\n")
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        matches!(self.ended(), Ok(None))
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(&self) -> anyhow::Result<()> {
        if self.is_running() {
            self.signal_stop();
        }
        let deadline = Instant::now() + STOP_LIMIT;
        loop {
            match self.ended()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("the service ended with {status}\n{}", self.last_log_lines()),
                None if Instant::now() >= deadline => bail!(
                    "the service does not stop within {} s",
                    STOP_LIMIT.as_secs()
                ),
                None => thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    fn wait_until_ready(&self, lines: &Receiver<String>) -> anyhow::Result<String> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    if let Some(url) = url_in(&line) {
                        return Ok(url);
                    }
                }
                Err(RecvTimeoutError::Timeout) => bail!(
                    "the service was not ready within {} s\n{}",
                    START_LIMIT.as_secs(),
                    self.last_log_lines()
                ),
                Err(RecvTimeoutError::Disconnected) => bail!(
                    "the service ended before it was ready\n{}",
                    self.last_log_lines()
                ),
            }
        }
    }

    fn ended(&self) -> anyhow::Result<Option<ExitStatus>> {
        let mut child = self
            .child
            .lock()
            .map_err(|_| anyhow!("the service can't be watched"))?;
        child.try_wait().context("the service can't be watched")
    }

    fn signal_stop(&self) {
        let process = self
            .child
            .lock()
            .ok()
            .and_then(|child| i32::try_from(child.id()).ok())
            .and_then(rustix::process::Pid::from_raw);
        if let Some(process) = process {
            // It may have ended meanwhile, which is as well.
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
    }
}

impl Drop for Service {
    /// After an error nobody waits for the requests under way.
    fn drop(&mut self) {
        if let Ok(mut child) = self.child.lock() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn log_in(folder: &Path) -> PathBuf {
    folder.join("service.log")
}

/// Builds the service and returns the path of its binary.
pub fn build(profile: Profile) -> anyhow::Result<PathBuf> {
    let mut command = launch::cargo();
    match profile {
        Profile::Debug => command.args(launch::build_arguments(PROGRAM)),
        Profile::Release => command.args(["build", "--workspace", "--bin", PROGRAM, "--release"]),
    };
    let output = command
        .args(["--message-format", "json-render-diagnostics"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("can't run cargo")?;
    if !output.status.success() {
        bail!("the service can't be built");
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/name").and_then(Value::as_str) == Some(PROGRAM))
        .filter_map(|message| {
            message
                .get("executable")
                .and_then(Value::as_str)
                .map(PathBuf::from)
        })
        .next_back()
        .context("cargo does not say where the service was built")
}

/// Passes on what the service prints. The pipe is read to its end, so that the service never waits for a reader.
fn lines_of(child: &mut Child) -> anyhow::Result<Receiver<String>> {
    let stdout = child
        .stdout
        .take()
        .context("the output of the service can't be read")?;
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Nobody listens any more once the service is ready.
            let _ = sender.send(line);
        }
    });
    Ok(receiver)
}

/// The address in the line that says that the service is ready.
fn url_in(line: &str) -> Option<String> {
    let start = line.find("127.0.0.1:")?;
    let address = line.get(start..)?;
    let end = address
        .find(|character: char| !character.is_ascii_digit() && !matches!(character, '.' | ':'))
        .unwrap_or(address.len());
    let address = address.get(..end)?.trim_end_matches(['.', ':']);
    let has_port = address
        .rsplit(':')
        .next()?
        .parse::<u16>()
        .is_ok_and(|port| port > 0);
    has_port.then(|| format!("http://{address}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_a_sentence() {
        let url = Some("http://127.0.0.1:8095".to_owned());
        assert_eq!(
            url_in("optimize-export answers at http://127.0.0.1:8095/ now"),
            url
        );
        assert_eq!(url_in("listening on 127.0.0.1:8095."), url);
        assert_eq!(url_in("listening on 127.0.0.1:0"), None);
        assert_eq!(url_in("starting"), None);
    }
}
