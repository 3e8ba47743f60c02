//! Reads that follow each other by bookmarks, while writers create and update instances as fast as they can: does what was read
//! come to what the index holds?
//!
//! Writers send bulks of many sizes at the same time, to old and new instances, and again and again to the same ones. A reader
//! asks for what has changed since its last bookmark, round after round, and keeps the last row of each instance. When the
//! writers have stopped it reads once more. Then no instance may be missing, and none may have another state than in the index.

mod failover;
mod idle;
mod reader;
mod writers;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Value, json};
use testkit::client::Client;
use testkit::elasticsearch::{self, Killable, Status, Version};
use testkit::indices::{Document, Index, Installation};
use testkit::own_sample::OwnSample;
use testkit::progress::Progress;
use testkit::proxy::Proxy;
use testkit::service::{self, Profile, Service, Start};

use crate::soak;
use reader::{Read, Reader};
use writers::{Pace, Writers};

/// The process that all instances are of, and the id of its report.
const KEY: &str = "chain";
/// How many refreshes fall into a case at the least.
const REFRESHES: u32 = 3;
/// Instances asked for at once when the index itself is read.
const PAGE: usize = 10_000;

/// How reads are chained, and what changes meanwhile.
#[derive(Debug, Args)]
pub struct Options {
    /// How many reads follow each other in each case.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// About how many times an instance is created or updated in each case.
    #[arg(long, default_value_t = 100_000)]
    changes: u64,
    /// How many milliseconds lie between the beginnings of two reads, at the least.
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=600_000))]
    round_time: u64,
    /// How many writers write at the same time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64))]
    writers: u32,
    /// How many shards the index has; a case for each.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 3])]
    shards: Vec<u32>,
    /// The refresh interval of the index, in seconds such as 30s; a case for each.
    #[arg(long, value_delimiter = ',', default_values_t = ["1s".to_owned(), "30s".to_owned()])]
    refresh: Vec<String>,
    /// The servers: 8.19.8, 9.4.3, opensearch-3.6.0 and so on. One that runs is used, any other is started and stopped.
    #[arg(long, value_delimiter = ',', num_args = 1..)]
    version: Vec<Version>,
    /// The overlap of the service, instead of its default. What gets lost is then only told.
    #[arg(long)]
    change_overlap: Option<u32>,
    /// Measure instead what a read costs that finds nothing changed in so many indices.
    #[arg(long, value_name = "INDICES", conflicts_with = "failover")]
    idle_indices: Option<u32>,
    /// Let two nodes keep the index, refreshed every second, and kill the one with the primary shards half-way.
    #[arg(long)]
    failover: bool,
    /// Take an unoptimized build of the service, which is there sooner.
    #[arg(long)]
    debug: bool,
}

/// What one case has shown.
#[derive(Debug, Default)]
struct Outcome {
    rounds: u32,
    changes: u64,
    instances: usize,
    missing: usize,
    stale: usize,
    rows: u64,
    again: u64,
    failed_reads: u64,
    requests: usize,
    seconds: f64,
}

/// Runs it.
///
/// # Errors
/// Something can't be started, or an instance is missing or stale in the end.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let profile = if options.debug {
        Profile::Debug
    } else {
        Profile::Release
    };
    let program = service::build(profile)?;
    let versions = if options.version.is_empty() {
        vec![Version::wanted()?]
    } else {
        options.version.clone()
    };
    let mut differences = 0;
    for version in versions {
        if options.failover {
            for shards in &options.shards {
                let outcome = failover::run(&program, version, *shards, options)?;
                let name = format!("{}, {shards} shards, a node killed", version.id());
                differences += print(&outcome, &name);
            }
            continue;
        }
        let server = AnyServer::of(version)?;
        println!(
            "\n{} at {}",
            version.id(),
            testkit::client::without_credentials(server.url())
        );
        if let Some(indices) = options.idle_indices {
            idle::run(&program, server.url(), indices, options)?;
            continue;
        }
        for shards in &options.shards {
            for refresh in &options.refresh {
                let outcome = case(&program, server.url(), *shards, refresh, options)?;
                let name = format!("{shards} shards, refresh {refresh}");
                differences += print(&outcome, &name);
            }
        }
    }
    if options.change_overlap.is_none() {
        ensure!(
            differences == 0,
            "{differences} instances are missing or stale"
        );
    }
    Ok(())
}

/// A server that runs anyway, or one of this command.
enum AnyServer {
    Running(String),
    Own(Box<Killable>),
}

impl AnyServer {
    fn of(version: Version) -> anyhow::Result<Self> {
        Ok(match elasticsearch::status(version)? {
            Status::Runs(found) => Self::Running(found.url),
            Status::WouldStart(version) => {
                Self::Own(Box::new(Killable::start(version, "1g".parse()?)?))
            }
        })
    }

    fn url(&self) -> &str {
        match self {
            Self::Running(url) => url,
            Self::Own(server) => server.url(),
        }
    }
}

/// Makes the indices for definitions of no kind and for reports, and one report over these processes.
fn prepare(installation: &Installation, report_id: &str, keys: &[String]) -> anyhow::Result<()> {
    for index in [
        Index::ProcessDefinition,
        Index::DecisionDefinition,
        Index::SingleProcessReport,
        Index::SingleDecisionReport,
        Index::CombinedReport,
    ] {
        installation.create(index)?;
    }
    let definition = |key: &String| json!({"identifier": key, "key": key, "name": null, "displayName": null, "versions": ["all"], "tenantIds": [null]});
    let mut source = soak::report(report_id, 1);
    let definitions = source.pointer_mut("/data/definitions");
    *definitions.context("a report has definitions")? = keys.iter().map(definition).collect();
    installation.store([Document {
        index: Index::SingleProcessReport,
        id: report_id.to_owned(),
        source,
    }])?;
    Ok(())
}

/// A service that reads through a proxy, which counts its requests.
fn serve(
    program: &Path,
    elasticsearch_url: &str,
    prefix: &str,
    overlap: Option<u32>,
) -> anyhow::Result<Service> {
    let overlap = overlap.map(|overlap| overlap.to_string());
    let mut arguments = Vec::new();
    if let Some(overlap) = &overlap {
        arguments.extend(["--change-overlap", overlap.as_str()]);
    }
    Service::start(&Start {
        program,
        elasticsearch_url,
        prefix,
        arguments: &arguments,
    })
}

/// Seconds such as 30s.
fn seconds(text: &str) -> anyhow::Result<Duration> {
    let number = text.strip_suffix('s').unwrap_or(text).parse();
    Ok(Duration::from_secs(number.with_context(|| {
        format!("--refresh {text}: write it as 30s")
    })?))
}

/// One chain of reads, on an index of its own.
fn case(
    program: &Path,
    url: &str,
    shards: u32,
    refresh: &str,
    options: &Options,
) -> anyhow::Result<Outcome> {
    let sample = OwnSample::new(url, "chain")?;
    let installation = &sample.0;
    prepare(installation, KEY, &[KEY.to_owned()])?;
    installation.create_changed(Index::ProcessInstance { key: KEY }, |body| {
        set_index(body, "number_of_shards", json!(shards));
        set_index(body, "number_of_replicas", json!(0));
        set_index(body, "refresh_interval", json!(refresh));
    })?;
    let proxy = Proxy::start(url)?;
    let service = serve(
        program,
        &proxy.url(),
        installation.prefix(),
        options.change_overlap,
    )?;
    // Several refreshes have to fall into the time of a case.
    let round_time = seconds(refresh)? * REFRESHES / options.rounds.max(1);
    let round_time = round_time.max(Duration::from_millis(options.round_time));
    let outcome = chain(&service, &proxy, installation, options, round_time, |_| {})?;
    service.stop()?;
    sample.remove()?;
    Ok(outcome)
}

fn set_index(body: &mut Value, setting: &str, value: Value) {
    let settings = body.pointer_mut("/settings/index");
    if let Some(settings) = settings.and_then(Value::as_object_mut) {
        settings.insert(setting.to_owned(), value);
    }
}

/// Reads round after round while writers write, and compares in the end. Before each round `disturb` may do something.
fn chain(
    service: &Service,
    proxy: &Proxy,
    installation: &Installation,
    options: &Options,
    round_time: Duration,
    mut disturb: impl FnMut(u32),
) -> anyhow::Result<Outcome> {
    let mut reader = Reader::new(&service.url, KEY);
    let requests_before = proxy.count("");
    let began = Instant::now();
    let pace = Arc::new(Pace::new(options.changes, options.rounds, round_time));
    let alias = Index::ProcessInstance { key: KEY }.alias(installation.prefix());
    let writers = Writers::start(installation.client(), &alias, options.writers, &pace);
    let mut outcome = Outcome {
        rounds: options.rounds,
        ..Outcome::default()
    };
    let progress = Progress::steps("Reading what changes", options.rounds.into());
    for round in 1..=options.rounds {
        let began = Instant::now();
        disturb(round);
        count(&mut outcome, reader.read()?);
        progress.set(round.into());
        thread::sleep(round_time.saturating_sub(began.elapsed()));
        pace.set_over(round);
    }
    outcome.changes = writers.stop()?;
    installation.refresh()?;
    count(&mut outcome, reader.read()?);
    outcome.requests = proxy.count("") - requests_before;
    outcome.seconds = began.elapsed().as_secs_f64();
    outcome.failed_reads = reader.failed();
    let expected = states(installation.client(), &alias)?;
    outcome.instances = expected.len();
    for (id, state) in &expected {
        match reader.merged().get(id) {
            None => outcome.missing += 1,
            Some(read) if read != state => outcome.stale += 1,
            Some(_) => {}
        }
    }
    progress.finish();
    let idle = reader.read()?;
    ensure!(
        idle.rows == 0,
        "{} rows came although nothing had changed",
        idle.rows
    );
    Ok(outcome)
}

fn count(outcome: &mut Outcome, read: Read) {
    outcome.rows += read.rows;
    outcome.again += read.again;
}

/// The state of each instance, without the service in between.
fn states(client: &Client, alias: &str) -> anyhow::Result<HashMap<String, String>> {
    let mut states = HashMap::new();
    let mut after: Option<Value> = None;
    loop {
        let mut search =
            json!({"size": PAGE, "_source": ["businessKey"], "sort": ["processInstanceId"]});
        if let (Some(after), Some(search)) = (&after, search.as_object_mut()) {
            search.insert("search_after".to_owned(), after.clone());
        }
        let answer = client
            .post(&format!("/{alias}/_search"), &search)?
            .success()?;
        let hits = answer.pointer("/hits/hits").and_then(Value::as_array);
        let hits = hits.context("no hits")?;
        for hit in hits {
            let text = |pointer: &str| hit.pointer(pointer).and_then(Value::as_str);
            let id = text("/_id").context("a hit without an id")?;
            let state = text("/_source/businessKey").context("a hit without a state")?;
            states.insert(id.to_owned(), state.to_owned());
        }
        match hits.last() {
            Some(last) => after = last.get("sort").cloned(),
            None => return Ok(states),
        }
    }
}

/// Prints a case; gives back how many instances differ.
fn print(outcome: &Outcome, name: &str) -> usize {
    let Outcome {
        rounds,
        changes,
        instances,
        missing,
        stale,
        rows,
        again,
        failed_reads,
        requests,
        seconds,
    } = outcome;
    println!(
        "{name}: {rounds} rounds, {changes} changes of {instances} instances in {seconds:.0} s; {missing} missing, {stale} stale; \
         {rows} rows read, {again} of them more than once; {requests} requests, {failed_reads} reads repeated"
    );
    missing + stale
}
