//! The service beside what else one could read the same data with, measured alternately in one run.
//!
//! Figures of a machine say little; what counts are the ratios to the bare scroll of the same round, because whatever
//! else the machine was doing at that time slowed down both.

mod contest;
mod http;
mod readers;
mod statistics;
mod table;
mod usage;

use std::path::PathBuf;

use anyhow::{Context, ensure};
use console::style;

use crate::elasticsearch::{self, Origin};
use crate::indices::{Document, Index, Installation};
use crate::own_sample::OwnSample;
use crate::progress::Progress;
use crate::sample::{InstanceSize, MOST_PROCESS_INSTANCES, ORDERS, Sample};
use crate::service::{self, Profile, Service};
use contest::{Contest, Contestant, Subject};

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How many process instances of ten kilobytes the exported report has.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=MOST_PROCESS_INSTANCES / 4))]
    pub instances: u64,
    /// How often everything is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Rows per page.
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000])]
    pub pages: Vec<u32>,
    /// How many clients read at the same time.
    #[arg(long, value_delimiter = ',', default_values_t = [1])]
    pub clients: Vec<u32>,
    /// A program to measure, several times to compare builds; without it, the release build of this source.
    #[arg(long, value_name = "PATH")]
    pub program: Vec<PathBuf>,
    /// Keep the sample data under this index prefix, and use what is there already.
    #[arg(long)]
    pub prefix: Option<String>,
}

/// The report that lists process instances, and where Elasticsearch has them.
const PROCESS_INSTANCES: Subject = Subject {
    name: "process instances",
    report: "raw-orders",
    index: Index::ProcessInstance { key: ORDERS },
    sort: "startDate",
};

/// Measures and prints what was measured.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let elasticsearch = elasticsearch::for_this_process()?;
    println!(
        "Elasticsearch {}, {}",
        elasticsearch.version, elasticsearch.origin
    );
    let data = Data::prepare(&elasticsearch.url, options)?;
    let mut programs = options.program.clone();
    if programs.is_empty() {
        programs.push(service::build(Profile::Release)?);
    }
    let mut services = Vec::new();
    for program in &programs {
        services.push(Service::start(
            program,
            &elasticsearch.url,
            data.installation().prefix(),
        )?);
    }
    let mut contestants = vec![Contestant::BareScroll];
    contestants.extend(services.iter().map(Contestant::Service));

    let contest = Contest {
        installation: data.installation(),
        elasticsearch_url: &elasticsearch.url,
        rounds: options.rounds,
    };
    for &page in &options.pages {
        for &clients in &options.clients {
            let results = contest.run(&PROCESS_INSTANCES, page, clients, &contestants)?;
            println!(
                "\n{}",
                style(format!(
                    "{} in pages of {page}, {clients} client(s)",
                    PROCESS_INSTANCES.name
                ))
                .bold()
            );
            print!("{}", table::of(&results));
        }
    }

    for service in &services {
        service.stop()?;
    }
    drop(services);
    drop(data);
    if elasticsearch.origin != Origin::Environment && elasticsearch.origin != Origin::Started {
        elasticsearch::stop_for_this_process();
    }
    Ok(())
}

/// The data that is read.
enum Data {
    /// Deleted in the end.
    Own(OwnSample),
    /// Kept for the next run.
    Kept(Installation),
}

impl Data {
    fn prepare(elasticsearch_url: &str, options: &Options) -> anyhow::Result<Self> {
        let data = match &options.prefix {
            None => Self::Own(OwnSample::new(elasticsearch_url, "bench")?),
            Some(prefix) => Self::Kept(Installation::new(elasticsearch_url, prefix)?),
        };
        let installation = data.installation();
        let stored = stored_instances(installation)?;
        if stored < options.instances {
            store(installation, options.instances)?;
        }
        let stored = stored_instances(installation)?;
        ensure!(
            stored >= options.instances,
            "{stored} process instances are there, not {}",
            options.instances
        );
        println!(
            "{stored} process instances under the prefix {}",
            installation.prefix()
        );
        Ok(data)
    }

    fn installation(&self) -> &Installation {
        match self {
            Self::Own(sample) => &sample.0,
            Self::Kept(installation) => installation,
        }
    }
}

fn stored_instances(installation: &Installation) -> anyhow::Result<u64> {
    let alias = PROCESS_INSTANCES.index.alias(installation.prefix());
    let answer = installation.client().get(&format!("/{alias}/_count"))?;
    if answer.status == 404 {
        return Ok(0);
    }
    let count = answer.success()?;
    count
        .get("count")
        .and_then(serde_json::Value::as_u64)
        .context("Elasticsearch does not count")
}

/// Stores the sample up to the instance that makes the wanted number of those that are measured.
fn store(installation: &Installation, instances: u64) -> anyhow::Result<()> {
    for index in Sample::indices() {
        installation.create(index)?;
    }
    let sample = Sample {
        process_instances: MOST_PROCESS_INSTANCES,
        size: InstanceSize::TenKilobytes,
    };
    let progress = Progress::steps("Loading process instances", instances);
    let mut left = instances;
    let is_measured = |document: &Document<'_>| document.index == PROCESS_INSTANCES.index;
    let documents = sample
        .documents()
        // Other processes would only take time to store; decisions come on top.
        .filter(|document| {
            is_measured(document) || !matches!(document.index, Index::ProcessInstance { .. })
        })
        .take_while(|document| {
            if is_measured(document) {
                if left == 0 {
                    return false;
                }
                left -= 1;
                progress.advance();
            }
            true
        });
    installation.store(documents)?;
    progress.finish();
    installation.merge()?;
    Ok(())
}
