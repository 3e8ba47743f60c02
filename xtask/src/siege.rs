//! Attackers try for some minutes to end the service or its Elasticsearch, while ordinary clients export whole reports.
//!
//! The service runs with the defaults of its deployment files in a memory cgroup of 256 MiB, where this machine lets us make
//! one, and Elasticsearch with a heap of one gigabyte. Every export of an ordinary client is compared with the index. At the
//! end it is told what the attackers got, and how much memory either of the two has taken at most.

mod attacks;
mod cgroup;
mod data;

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::Value;
use testkit::client::Client as Elasticsearch;
use testkit::elasticsearch::{Killable, Version};
use testkit::indices::Installation;
use testkit::service::{self, Profile, Service, Start};

use crate::soak;
use crate::soak::clients::{Client, Tally};
use attacks::{Attack, Attackers};
use cgroup::Cgroup;

/// The prefix of the indices; the Elasticsearch is this run's own.
const PREFIX: &str = "siege";
/// The heap that the defaults of the service are made for.
const HEAP: &str = "1g";
/// Memory that the service has, in bytes: what its deployment files plan for the default limits.
const MEMORY: u64 = 256 * 1024 * 1024;
/// Ordinary clients.
const CLIENTS: u32 = 16;
/// Exports that the attackers may have under way together, so that they don't keep out the others.
const EXPORTS_PER_CLIENT: &str = "24";
/// How often it is looked how much memory Elasticsearch takes.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// What is attacked how, and for how long.
#[derive(Debug, Args)]
pub struct Options {
    /// For how many minutes.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Only these attacks.
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Attack::ALL)]
    only: Vec<Attack>,
    /// A program to attack; without it, the release build of this source.
    #[arg(long, value_name = "PATH")]
    program: Option<std::path::PathBuf>,
    /// Take an unoptimized build of the service, which is there sooner.
    #[arg(long)]
    debug: bool,
}

/// What Elasticsearch has come to.
#[derive(Debug, Default, Clone)]
struct Load {
    largest_heap: u64,
    most_contexts: u64,
    breakers_tripped: BTreeMap<String, u64>,
}

/// Runs it.
///
/// # Errors
/// Something can't be started, the service or Elasticsearch has ended, or an ordinary export was not whole.
pub fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(
        options.minutes > 0.0 && options.minutes <= 24.0 * 60.0,
        "--minutes: between 0 and a day"
    );
    let program = match &options.program {
        Some(program) => program.clone(),
        None => service::build(if options.debug {
            Profile::Debug
        } else {
            Profile::Release
        })?,
    };
    let elasticsearch = Killable::start(Version::wanted()?, HEAP.parse()?)?;
    let installation = Installation::new(elasticsearch.url(), PREFIX)?;
    println!("Storing what is exported …");
    let expected = Arc::new(soak::store(&installation)?);
    data::store(&installation, &options.only)?;

    let tokens = tempfile::NamedTempFile::new()?;
    let lines = format!(
        "ordinary: {}\nattacker: {}\n",
        service::TOKEN,
        attacks::TOKEN
    );
    fs::write(tokens.path(), lines)?;
    let service = Service::start(&Start {
        program: &program,
        elasticsearch_url: elasticsearch.url(),
        prefix: PREFIX,
        arguments: &[
            "--access-token-file",
            &tokens.path().to_string_lossy(),
            "--max-concurrent-exports-per-client",
            EXPORTS_PER_CLIENT,
        ],
    })?;
    let process = service.process_id()?;
    let cgroup = Cgroup::with_memory(MEMORY, process);
    match &cgroup {
        Ok(_) => println!("The service has {} MiB", mebibytes(MEMORY)),
        Err(error) => println!("No memory cgroup can be made here ({error}); it is only measured"),
    }

    let is_over = Arc::new(AtomicBool::new(false));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = Client::new(&service.url, 1, number);
            let shared = (
                Arc::clone(&expected),
                Arc::clone(&is_over),
                Arc::clone(&tally),
            );
            thread::spawn(move || client.run(&shared.0, &shared.1, &shared.2))
        })
        .collect();
    let attackers = Attackers::start(&service.url, &options.only, &is_over);
    let load = watch(&elasticsearch, &service, options.minutes)?;
    is_over.store(true, Ordering::Release);
    let stuck = soak::wait_for(&clients);

    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let row = |name: &str, count: u64| println!("  {name:<58} {count:>12}");
    println!(
        "\n{CLIENTS} ordinary clients and these attacks for {} minutes",
        options.minutes
    );
    row("exports that were complete", tally.completed);
    row("records of those, compared with the index", tally.compared);
    row("records lost", tally.lost);
    row("records doubled", tally.doubled);
    row(
        "pages that did not come whole",
        tally.broken + tally.unanswered,
    );
    for (status, count) in &tally.errors {
        row(&format!("errors with status {status}"), *count);
    }
    for (attack, outcomes) in attackers.outcomes() {
        println!("\n{attack}");
        for (outcome, count) in outcomes {
            row(&outcome, count);
        }
    }
    println!("\nMemory, in MiB");
    row("service, largest resident", mebibytes(peak(process)?));
    if let Ok(cgroup) = &cgroup {
        row(
            "service, largest of its cgroup",
            mebibytes(cgroup.largest()?),
        );
    }
    row(
        "Elasticsearch, largest heap in use",
        mebibytes(load.largest_heap),
    );
    row(
        "most contexts that were open in Elasticsearch",
        load.most_contexts,
    );
    for (breaker, trips) in &load.breakers_tripped {
        row(
            &format!("trips of Elasticsearch's breaker `{breaker}`"),
            *trips,
        );
    }
    ensure!(
        service.is_running(),
        "the service has ended\n{}",
        service.last_log_lines()
    );
    ensure!(stuck == 0, "{stuck} clients are stuck");
    ensure!(tally.completed > 0, "not a single export was completed");
    if tally.lost > 0 || tally.doubled > 0 || tally.foreign > 0 {
        bail!("records were lost or doubled; see above");
    }
    let began = Instant::now();
    service.stop()?;
    println!(
        "\nBoth have held; the service stopped within {:.1} s.",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Looks at Elasticsearch until the time is over.
fn watch(elasticsearch: &Killable, service: &Service, minutes: f64) -> anyhow::Result<Load> {
    let client = Elasticsearch::new(elasticsearch.url()).with_timeout(Duration::from_secs(30));
    let deadline = Instant::now() + Duration::from_secs_f64(minutes * 60.0);
    let mut load = Load::default();
    while Instant::now() < deadline {
        ensure!(
            service.is_running(),
            "the service has ended\n{}",
            service.last_log_lines()
        );
        let stats = client
            .get("/_nodes/stats/jvm,breaker,indices/search")
            .and_then(testkit::client::Answer::success)
            .context("Elasticsearch does not answer any more")?;
        let nodes = stats.get("nodes").and_then(Value::as_object);
        for node in nodes.into_iter().flat_map(|nodes| nodes.values()) {
            let number = |place: &str| node.pointer(place).and_then(Value::as_u64).unwrap_or(0);
            load.largest_heap = load.largest_heap.max(number("/jvm/mem/heap_used_in_bytes"));
            let contexts = number("/indices/search/open_contexts");
            load.most_contexts = load.most_contexts.max(contexts);
            let breakers = node.get("breakers").and_then(Value::as_object);
            for name in breakers.into_iter().flat_map(|breakers| breakers.keys()) {
                let trips = number(&format!("/breakers/{name}/tripped"));
                load.breakers_tripped.insert(name.clone(), trips);
            }
        }
        thread::sleep(LOOK_INTERVAL);
    }
    Ok(load)
}

const fn mebibytes(bytes: u64) -> u64 {
    bytes.div_ceil(1024 * 1024)
}

/// The most memory that a process has taken.
fn peak(process: u32) -> anyhow::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))
        .context("the memory of the service can't be read")?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .context("the system does not tell the memory of the service")?;
    Ok(kilobytes * 1024)
}
