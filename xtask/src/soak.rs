//! Many clients export whole reports for some minutes, while the service and Elasticsearch are killed and started again and the
//! network between all of them fails. Every export that a client was told is complete is compared with the index: no record may
//! be missing, none may be there twice.
//!
//! Everything listens on loopback, on ports of its own, and stops with this process. The clients know nothing of the service but
//! that a page which did not arrive whole means starting over. After an error that was answered they mostly ask for the next
//! page with the old `searchRequestId` as if nothing had happened, which must never get them a page too far.

pub(crate) mod clients;
mod faults;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use testkit::elasticsearch::{Killable, Version};
use testkit::indices::{Document, Index, Installation};
use testkit::proxy::Proxy;
use testkit::service::{self, Profile};

use clients::{Client, Tally};
use faults::Faults;

/// The prefix of the indices; the Elasticsearch is this run's own.
const PREFIX: &str = "soak";
/// The processes, each with a report of its own.
const PROCESSES: usize = 4;
/// The fewest instances of a process; each has more than the one before.
const FEWEST_INSTANCES: usize = 1_500;
/// How long exports under way may take to end when the time is over.
const LAST_EXPORTS: Duration = Duration::from_secs(120);

/// What is soaked, and for how long.
#[derive(Debug, Args)]
pub struct Options {
    /// For how many minutes.
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// How many clients export at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=256))]
    clients: u32,
    /// What decides which faults come when; chosen, and printed, when it is not given.
    #[arg(long)]
    seed: Option<u64>,
    /// Take an unoptimized build of the service, which is there sooner.
    #[arg(long)]
    debug: bool,
}

/// The instances of each report, as the index has them: in order, each once.
pub(crate) type Expected = BTreeMap<String, Vec<String>>;

/// Runs it.
///
/// # Errors
/// Something can't be started, or a record was lost or doubled.
pub fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(
        options.minutes > 0.0 && options.minutes <= 24.0 * 60.0,
        "--minutes: between 0 and a day"
    );
    let seed = options.seed.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |now| now.as_secs())
    });
    println!("Seed {seed}: --seed {seed} chooses the same faults again");
    let profile = if options.debug {
        Profile::Debug
    } else {
        Profile::Release
    };
    let program = service::build(profile)?;
    let mut elasticsearch = Killable::start(Version::wanted()?, "512m".parse()?)?;
    let installation = Installation::new(elasticsearch.url(), PREFIX)?;
    let stored = store(&installation)?;
    let expected = Arc::new(ids_in_index(&installation)?);
    ensure!(
        *expected == stored,
        "the index does not hold what was stored"
    );

    let to_elasticsearch = Proxy::start(elasticsearch.url())?;
    // Its target is set as soon as the service is there.
    let to_service = Proxy::start(elasticsearch.url())?;
    for proxy in [&to_elasticsearch, &to_service] {
        proxy.forget_requests();
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let tally = Arc::new(Mutex::new(Tally::default()));
    let mut faults = Faults::new(
        seed,
        program,
        &mut elasticsearch,
        &to_elasticsearch,
        &to_service,
    );
    faults.start_service()?;
    let clients: Vec<_> = (0..options.clients)
        .map(|number| {
            let client = Client::new(&to_service.url(), seed, number);
            let (expected, is_over, tally) = (
                Arc::clone(&expected),
                Arc::clone(&is_over),
                Arc::clone(&tally),
            );
            thread::spawn(move || client.run(&expected, &is_over, &tally))
        })
        .collect();

    let deadline = Instant::now() + Duration::from_secs_f64(options.minutes * 60.0);
    let injected = faults.inject_until(deadline);
    is_over.store(true, Ordering::Release);
    faults.let_everything_pass()?;
    let stuck = wait_for(&clients);
    let counts = faults.counts().clone();
    drop(faults);
    injected?;
    let still_there = ids_in_index(&Installation::new(elasticsearch.url(), PREFIX)?)?;
    let tally = tally.lock().unwrap_or_else(PoisonError::into_inner).clone();
    print(options, &tally, &counts);
    ensure!(still_there == *expected, "the index itself has changed");
    ensure!(stuck == 0, "{stuck} clients are stuck");
    if tally.lost > 0 || tally.doubled > 0 || tally.foreign > 0 || tally.unexplained > 0 {
        bail!("records were lost or doubled, or errors not explained; see above");
    }
    ensure!(tally.completed > 0, "not a single export was completed");
    println!("No record was lost or doubled.");
    Ok(())
}

/// Lets clients end the exports that are under way; gives back how many are stuck.
pub(crate) fn wait_for(clients: &[thread::JoinHandle<()>]) -> usize {
    let last = Instant::now() + LAST_EXPORTS;
    let under_way = || {
        clients
            .iter()
            .filter(|client| !client.is_finished())
            .count()
    };
    while under_way() > 0 && Instant::now() < last {
        thread::sleep(Duration::from_millis(100));
    }
    under_way()
}

fn print(options: &Options, tally: &Tally, faults: &BTreeMap<&'static str, usize>) {
    let row = |name: &str, count: u64| println!("  {name:<58} {count:>12}");
    println!(
        "\n{} clients for {} minutes\n\nExports",
        options.clients, options.minutes
    );
    row("reported as complete", tally.completed);
    row("records of those, compared with the index", tally.compared);
    row("records lost", tally.lost);
    row("records doubled", tally.doubled);
    row("records that don't belong there", tally.foreign);
    row(
        "started over, because they were told to or gave up",
        tally.started_over,
    );
    row(
        "gone on with the old searchRequestId after an error answer",
        tally.went_on,
    );
    println!("\nAnswers");
    row("pages", tally.pages);
    row(
        "that did not come, or not whole",
        tally.unanswered + tally.broken,
    );
    for (status, count) in &tally.errors {
        row(&format!("errors with status {status}"), *count);
    }
    row(
        "errors without a body that explains them",
        tally.unexplained,
    );
    println!("\nFaults injected");
    for (name, count) in faults {
        row(name, *count as u64);
    }
    row("in all", faults.values().sum::<usize>() as u64);
}

/// Stores definitions of no kind, reports, and instances; gives back what was stored.
pub(crate) fn store(installation: &Installation) -> anyhow::Result<Expected> {
    for index in [
        Index::ProcessDefinition,
        Index::DecisionDefinition,
        Index::SingleProcessReport,
        Index::SingleDecisionReport,
        Index::CombinedReport,
    ] {
        installation.create(index)?;
    }
    let mut expected = Expected::new();
    for process in 0..PROCESSES {
        let key = format!("p{process}");
        let index = Index::ProcessInstance { key: &key };
        installation.create(index)?;
        let ids: Vec<String> = (0..FEWEST_INSTANCES + 700 * process)
            .map(|number| format!("{key}-{number:05}"))
            .collect();
        let documents = ids.iter().map(|id| Document {
            index,
            id: id.clone(),
            source: instance(&key, id),
        });
        installation.store(documents)?;
        installation.store([Document {
            index: Index::SingleProcessReport,
            id: key.clone(),
            source: report(&key, process),
        }])?;
        expected.insert(key, ids);
    }
    Ok(expected)
}

/// A process instance.
pub(crate) fn instance(key: &str, id: &str) -> Value {
    json!({
        "processDefinitionKey": key, "processDefinitionVersion": "1", "processDefinitionId": format!("{key}:1"),
        "processInstanceId": id, "businessKey": "x".repeat(1_000),
        "startDate": "2024-03-01T10:00:00.000+0000", "endDate": "2024-03-01T10:01:00.000+0000", "duration": 60_000,
        "state": "COMPLETED", "dataSource": {"type": "zeebe", "name": "zeebe-record"}, "tenantId": null,
        "flowNodeInstances": [], "variables": [], "incidents": [],
    })
}

/// Every second one has an order of its own.
pub(crate) fn report(key: &str, number: usize) -> Value {
    let configuration = match number % 2 {
        0 => json!({"sorting": {"by": "processInstanceId", "order": "asc"}}),
        _ => json!({}),
    };
    json!({
        "id": key, "name": key, "description": null, "owner": "soak", "lastModifier": "soak", "collectionId": null,
        "lastModified": "2024-03-01T10:00:00.000+0000", "created": "2024-03-01T10:00:00.000+0000",
        "combined": false, "reportType": "process",
        "data": {
            "configuration": configuration, "filter": [],
            "definitions": [{"identifier": key, "key": key, "name": null, "displayName": null, "versions": ["all"],
                "tenantIds": [null]}],
            "view": {"entity": null, "properties": ["rawData"]},
            "groupBy": {"type": "none", "value": null}, "distributedBy": {"type": "none", "value": null},
            "visualization": "table", "managementReport": false, "instantPreviewReport": false,
        },
    })
}

/// What the index holds, without the service in between.
fn ids_in_index(installation: &Installation) -> anyhow::Result<Expected> {
    let mut ids = Expected::new();
    for process in 0..PROCESSES {
        let key = format!("p{process}");
        let alias = Index::ProcessInstance { key: &key }.alias(PREFIX);
        let search = json!({"size": 10_000, "_source": false, "sort": ["processInstanceId"]});
        let answer = installation
            .client()
            .post(&format!("/{alias}/_search"), &search)?
            .success()?;
        let hits = answer.pointer("/hits/hits").and_then(Value::as_array);
        let id = |hit: &Value| Some(hit.get("_id")?.as_str()?.to_owned());
        let found: Option<Vec<String>> = hits.context("no hits")?.iter().map(id).collect();
        ids.insert(key, found.context("a hit without an id")?);
    }
    Ok(ids)
}
