//! What a user would run instead of the service, installed on demand into the cache folder.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use testkit::elasticsearch::Cache;

use super::readers::Reading;
use super::usage;

/// The client for Python, for servers of version 8.
const PYTHON_CLIENT: &str = "elasticsearch==8.16.0";
/// The dumper.
const ELASTICDUMP: &str = "elasticdump@6.125.1";
/// `helpers.scan` as its documentation shows it, in the order of the other readers.
const SCAN: &str = include_str!("scan.py");

/// How much of the end of its output is kept.
const TAIL_BYTES: usize = 1_024;

/// A program that reads an index.
pub(super) enum Peer {
    /// `helpers.scan` of `elasticsearch-py`.
    Scan {
        /// The interpreter that has the client.
        python: PathBuf,
    },
    /// `elasticdump`.
    Elasticdump {
        /// Its script.
        script: PathBuf,
    },
}

/// What a peer has read, and what it took.
pub(super) struct PeerReading {
    /// What it read. Bytes are those that it printed.
    pub reading: Reading,
    /// How long it ran, without the start of its interpreter where it tells.
    pub took: Duration,
    /// Processor time of its process.
    pub cpu: Option<Duration>,
    /// Peak of its resident memory in bytes.
    pub peak: Option<u64>,
}

/// What `scan.py` says of itself.
#[derive(serde::Deserialize)]
struct OwnFigures {
    documents: u64,
    seconds: f64,
    first_seconds: f64,
    cpu_seconds: f64,
    peak_bytes: u64,
}

impl Peer {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Scan { .. } => "helpers.scan",
            Self::Elasticdump { .. } => "elasticdump",
        }
    }

    /// Those that are installed or can be; the others are named with the reason.
    pub fn all() -> anyhow::Result<(Vec<Self>, Vec<String>)> {
        let folder = Cache::of_this_user()?.folder().join("peers");
        let (mut peers, mut missing) = (Vec::new(), Vec::new());
        let mut add = |name: &str, peer: anyhow::Result<Self>| match peer {
            Ok(peer) => peers.push(peer),
            Err(error) => missing.push(format!("{name} can't be installed: {error:#}")),
        };
        add("helpers.scan", install_scan(&folder));
        add("elasticdump", install_elasticdump(&folder));
        Ok((peers, missing))
    }

    /// Reads a whole index and throws it away.
    pub fn read(
        &self,
        url: &str,
        index: &str,
        sort: &str,
        page: u32,
    ) -> anyhow::Result<PeerReading> {
        let page = page.to_string();
        let mut command = match self {
            Self::Scan { python } => {
                let mut command = Command::new(python);
                command.args(["-c", SCAN, url, index, sort, &page]);
                command
            }
            Self::Elasticdump { script } => {
                let mut command = Command::new("node");
                command.arg(script).args([
                    &format!("--input={url}/{index}"),
                    "--output=$",
                    "--type=data",
                    "--quiet",
                    "--scrollTime=2m",
                    &format!("--limit={page}"),
                    &format!(r#"--searchBody={{"sort":[{{"{sort}":"desc"}}]}}"#),
                ]);
                command
            }
        };
        let began = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("can't start {}", self.name()))?;
        let id = child.id();
        let mut output = child.stdout.take().context("there is no output")?;
        let (mut lines, mut bytes, mut first_byte, mut last) = (0, 0, None, Vec::new());
        let (mut cpu, mut peak) = (None, None);
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let read = output.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            first_byte.get_or_insert_with(|| began.elapsed());
            let piece = buffer.get(..read).unwrap_or_default();
            bytes += read as u64;
            lines += piece.iter().filter(|byte| **byte == b'\n').count() as u64;
            last.extend_from_slice(
                piece
                    .get(read.saturating_sub(TAIL_BYTES)..)
                    .unwrap_or_default(),
            );
            last.drain(..last.len().saturating_sub(TAIL_BYTES));
            // The process is gone when its output has ended.
            cpu = usage::cpu_of_process(id).or(cpu);
            peak = usage::peak_memory(id).or(peak);
        }
        let took = began.elapsed();
        let status = child.wait()?;
        ensure!(status.success(), "{} ended with {status}", self.name());
        let first_byte = first_byte.unwrap_or_default();
        Ok(match self {
            Self::Elasticdump { .. } => PeerReading {
                reading: Reading {
                    records: lines,
                    bytes,
                    first_byte,
                },
                took,
                cpu,
                peak,
            },
            Self::Scan { .. } => {
                let text = String::from_utf8_lossy(&last);
                let own: OwnFigures = serde_json::from_str(text.trim())
                    .with_context(|| format!("helpers.scan printed {text}"))?;
                PeerReading {
                    reading: Reading {
                        records: own.documents,
                        bytes,
                        first_byte: Duration::from_secs_f64(own.first_seconds),
                    },
                    took: Duration::from_secs_f64(own.seconds),
                    cpu: Some(Duration::from_secs_f64(own.cpu_seconds)),
                    peak: Some(own.peak_bytes),
                }
            }
        })
    }
}

fn install_scan(folder: &Path) -> anyhow::Result<Peer> {
    let environment = folder.join(PYTHON_CLIENT.replace("==", "-"));
    let python = environment.join("bin/python");
    if !environment.join("complete").exists() {
        fs::create_dir_all(folder)?;
        run(Command::new("python3")
            .args(["-m", "venv"])
            .arg(&environment))?;
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", PYTHON_CLIENT]))?;
        fs::write(environment.join("complete"), "")?;
    }
    Ok(Peer::Scan { python })
}

fn install_elasticdump(folder: &Path) -> anyhow::Result<Peer> {
    let home = folder.join(ELASTICDUMP.replace('@', "-"));
    if !home.join("complete").exists() {
        fs::create_dir_all(&home)?;
        run(Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--silent", "--prefix"])
            .arg(&home)
            .arg(ELASTICDUMP))?;
        fs::write(home.join("complete"), "")?;
    }
    let script = home.join("node_modules/elasticdump/bin/elasticdump");
    Ok(Peer::Elasticdump { script })
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let program = command.get_program().to_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("can't run {}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    let reason = error.lines().rfind(|line| !line.trim().is_empty());
    bail!("{}: {}", program.display(), reason.unwrap_or("it failed"))
}
