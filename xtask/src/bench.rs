//! The service beside what else one could read the same data with, measured alternately in one run.
//!
//! Figures of a machine say little; what counts are the ratios to the bare scroll of the same round, because whatever
//! else the machine was doing at that time slowed down both.

mod aggregated;
mod contest;
mod data;
mod heavy;
mod http;
mod peers;
mod plot;
mod readers;
mod statistics;
mod streams;
mod summary;
mod table;
mod usage;

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use console::style;
use serde::Serialize;
use testkit::elasticsearch::{self, Elasticsearch, Origin};
use testkit::indices::Index;
use testkit::sample::{DISCOUNT, ORDERS};
use testkit::service::{self, Profile, Service, Start};

use aggregated::Cost;
use contest::{Contest, Contestant, Results, Subject};
use data::Data;
use peers::Peer;
pub use streams::Stream;

/// What to measure.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// How many process instances of ten kilobytes the exported report has.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=data::MOST_INSTANCES))]
    pub instances: u64,
    /// How often everything is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Rows per page.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 10_000])]
    pub pages: Vec<u32>,
    /// How many clients read at the same time.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 4, 32])]
    pub clients: Vec<u32>,
    /// Whole reports in one request that are measured too, with one client beside the pages of 1,000 process instances; none
    /// where nothing is named.
    #[arg(long, value_delimiter = ',', num_args = 0.., default_values_t = [
        Stream::Ndjson, Stream::Csv, Stream::CsvAny, Stream::Parquet, Stream::ParquetAny,
    ])]
    pub streams: Vec<Stream>,
    /// Measure only some of it.
    #[arg(long, value_delimiter = ',', default_values_t = [Part::Processes, Part::Decisions, Part::Aggregated])]
    pub only: Vec<Part>,
    /// How many small process instances the part `heavy` has, and the curve at its end. A million take some ten minutes to store, and
    /// two gigabytes: `--prefix` keeps those of `heavy`.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub heavy_instances: u64,
    /// Leave `helpers.scan` and `elasticdump` out, which take most of the time.
    #[arg(long)]
    pub without_peers: bool,
    /// Also measure how speed and memory change from 20,000 small process instances to as many as `heavy` has, at pages of 1,000
    /// and 10,000 and in whole reports.
    #[arg(long)]
    pub curve: bool,
    /// A program to measure, several times to compare builds; without it, the release build of this source.
    #[arg(long, value_name = "PATH")]
    pub program: Vec<PathBuf>,
    /// Keep the sample data under this index prefix, and use what is there already.
    #[arg(long)]
    pub prefix: Option<String>,
    /// Write every measurement to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Draw the results into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// A part of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Raw data of process instances.
    Processes,
    /// Raw data of decision instances.
    Decisions,
    /// Aggregated reports.
    Aggregated,
    /// Aggregated reports over very many small instances, beside the searches that Optimize sends for them.
    Heavy,
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Processes => "processes",
            Self::Decisions => "decisions",
            Self::Aggregated => "aggregated",
            Self::Heavy => "heavy",
        })
    }
}

/// The report that lists process instances, and where Elasticsearch has them.
const PROCESS_INSTANCES: Subject = Subject {
    name: "process instances",
    report: "raw-orders",
    index: Index::ProcessInstance { key: ORDERS },
    sort: "startDate",
};

/// The same of decision instances.
const DECISION_INSTANCES: Subject = Subject {
    name: "decision instances",
    report: "raw-discounts",
    index: Index::DecisionInstance { key: DISCOUNT },
    sort: "evaluationDateTime",
};

/// Hits of ten kilobytes that Elasticsearch can hold in a heap of one gigabyte while it sends them. With more, the bare
/// scroll ends it; the service asks for smaller steps.
const MOST_HITS_AT_ONCE: u64 = 40_000;

/// Sizes of the index for the curve, but for the last.
const CURVE: [u64; 2] = [20_000, 200_000];
/// The sizes of pages for the curve.
const PAGES_OF_CURVE: [u32; 2] = [PAGE_OF_STREAMS, 10_000];
/// The size of pages of the bare scroll that streams are compared with.
const PAGE_OF_STREAMS: u32 = 1_000;

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
struct Report {
    elasticsearch: String,
    instances: u64,
    processors: usize,
    /// From the start of the process to the line that says that it is ready, one for each round.
    start_to_ready_seconds: Vec<f64>,
    /// Resident memory of a service that nobody has asked anything yet.
    idle_resident_bytes: Option<u64>,
    raw_data: Vec<Reading>,
    aggregated: Vec<Cost>,
    heavy: Vec<heavy::Cost>,
    curve: Vec<Reading>,
    /// What could not be measured, and why.
    missing: Vec<String>,
}

/// The results of all contestants in one discipline.
#[derive(Debug, Serialize)]
struct Reading {
    subject: &'static str,
    instances: u64,
    page: u32,
    clients: u32,
    results: Vec<Results>,
}

/// Measures and prints what was measured.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let elasticsearch = elasticsearch::for_this_process()?;
    let mut programs = options.program.clone();
    if programs.is_empty() {
        programs.push(service::build(Profile::Release)?);
    }
    let mut report = Report {
        elasticsearch: elasticsearch.version.clone(),
        instances: options.instances,
        processors: std::thread::available_parallelism().map_or(0, usize::from),
        ..Report::default()
    };
    let measured = measure(options, elasticsearch, programs, &mut report);
    // Half of the figures are better than none.
    if let Some(path) = &options.json {
        fs::write(path, serde_json::to_string_pretty(&report)?)
            .with_context(|| format!("can't write {}", path.display()))?;
    }
    measured?;
    heading("All of it");
    print!("{}", summary::of(&report));
    if let Some(path) = &options.svg {
        plot::draw(&report, path)?;
    }
    if elasticsearch.origin != Origin::Environment && elasticsearch.origin != Origin::Started {
        elasticsearch::stop_for_this_process();
    }
    Ok(())
}

/// Measures what was asked for; the data of a part is deleted, or kept, when it is measured.
fn measure(
    options: &Options,
    elasticsearch: &'static Elasticsearch,
    programs: Vec<PathBuf>,
    report: &mut Report,
) -> anyhow::Result<()> {
    if options.only.contains(&Part::Heavy) {
        heading("Heavy aggregated reports, beside what Optimize asks for them");
        let heavies = heavy::Heavies {
            elasticsearch,
            programs: &programs,
            prefix: options.prefix.as_deref(),
            instances: options.heavy_instances,
            rounds: options.rounds,
        };
        report.heavy = heavies.measure()?;
        print!("{}", heavy::table(&report.heavy));
    }
    if options.only.iter().all(|part| *part == Part::Heavy) && !options.curve {
        return Ok(());
    }
    let bench = Bench {
        options,
        elasticsearch,
        data: Data::prepare(&elasticsearch.url, options)?,
        programs,
    };
    bench.measure(report)
}

struct Bench<'a> {
    options: &'a Options,
    elasticsearch: &'static Elasticsearch,
    data: Data,
    programs: Vec<PathBuf>,
}

impl Bench<'_> {
    fn measure(&self, report: &mut Report) -> anyhow::Result<()> {
        let options = self.options;
        self.start_and_idle(report)?;
        let (peers, missing) = if options.without_peers {
            (Vec::new(), vec!["peers were left out".to_owned()])
        } else {
            Peer::all()?
        };
        missing.iter().for_each(|reason| println!("{reason}"));
        report.missing = missing;
        for (part, subject) in [
            (Part::Processes, &PROCESS_INSTANCES),
            (Part::Decisions, &DECISION_INSTANCES),
        ] {
            if options.only.contains(&part) {
                for &page in &options.pages {
                    for &clients in &options.clients {
                        // Services of its own for each, so that none pays for what clients before have left behind.
                        let services = self.start_services()?;
                        let streams = self.start_streams(part, page, clients)?;
                        let reading =
                            self.read(subject, page, clients, &services, &streams, &peers)?;
                        report.raw_data.push(reading);
                    }
                }
            }
        }
        if options.only.contains(&Part::Aggregated) {
            let services = self.start_services()?;
            let service = services.first().context("no service")?;
            heading("Aggregated reports, and the same searches by hand");
            let traced = self.start(
                self.programs.first().context("no program")?,
                &[
                    "--log=optimize_export=trace",
                    "--log-format=json",
                    "--cache-ttl=3600",
                ],
            )?;
            let url = &self.elasticsearch.url;
            report.aggregated = aggregated::measure(service, &traced, url, options.rounds)?;
            print!("{}", aggregated::table(&report.aggregated));
        }
        if options.curve {
            self.curve(report)?;
        }
        Ok(())
    }

    /// Measures the same at growing sizes of the index.
    fn curve(&self, report: &mut Report) -> anyhow::Result<()> {
        let bench = Bench {
            options: self.options,
            elasticsearch: self.elasticsearch,
            data: Data::of_small(&self.elasticsearch.url, None)?,
            programs: self.programs.clone(),
        };
        let largest = self.options.heavy_instances;
        let sizes = CURVE.into_iter().filter(|size| *size < largest);
        for instances in sizes.chain([largest]) {
            heavy::data::store(bench.data.installation(), instances)?;
            for page in PAGES_OF_CURVE {
                // A process of its own for each size, so that its peak memory is that of this size.
                let services = bench.start_services()?;
                let streams = bench.start_streams(Part::Processes, page, 1)?;
                let reading = bench.read(&PROCESS_INSTANCES, page, 1, &services, &streams, &[])?;
                report.curve.push(reading);
            }
        }
        Ok(())
    }

    /// How long a start takes, and what a service takes that has nothing to do.
    fn start_and_idle(&self, report: &mut Report) -> anyhow::Result<()> {
        let program = self.programs.first().context("no program")?;
        for _ in 0..self.options.rounds {
            let service = self.start(program, &[])?;
            let took = service.start_to_ready().as_secs_f64();
            report.start_to_ready_seconds.push(took);
            report.idle_resident_bytes = usage::peak_memory(service.process_id()?);
            service.stop()?;
        }
        let start = statistics::median(report.start_to_ready_seconds.iter().copied());
        println!(
            "start to ready {:.0} ms, idle {:.1} MiB",
            start.unwrap_or_default() * 1_000.0,
            table::mebibytes(report.idle_resident_bytes.unwrap_or_default()),
        );
        Ok(())
    }

    fn start(&self, program: &std::path::Path, arguments: &[&str]) -> anyhow::Result<Service> {
        Service::start(&Start {
            program,
            elasticsearch_url: &self.elasticsearch.url,
            prefix: self.data.installation().prefix(),
            arguments,
        })
    }

    fn start_services(&self) -> anyhow::Result<Vec<Service>> {
        self.programs
            .iter()
            // Definitions stay cached while an aggregated report is measured.
            .map(|program| self.start(program, &["--cache-ttl=3600"]))
            .collect()
    }

    /// A service for each stream, since none shall pay for what another one has left behind.
    fn start_streams(
        &self,
        part: Part,
        page: u32,
        clients: u32,
    ) -> anyhow::Result<Vec<(Stream, Service)>> {
        if part != Part::Processes || page != PAGE_OF_STREAMS || clients != 1 {
            return Ok(Vec::new());
        }
        let streams = self.options.streams.iter().copied();
        let of_programs =
            streams.flat_map(|stream| self.programs.iter().map(move |program| (stream, program)));
        of_programs
            .map(|(stream, program)| Ok((stream, self.start(program, &[])?)))
            .collect()
    }

    fn read(
        &self,
        subject: &Subject,
        page: u32,
        clients: u32,
        services: &[Service],
        streams: &[(Stream, Service)],
        peers: &[Peer],
    ) -> anyhow::Result<Reading> {
        let mut contestants = Vec::new();
        if u64::from(page) * u64::from(clients) <= MOST_HITS_AT_ONCE {
            contestants.push(Contestant::BareScroll);
        } else {
            println!("\nNo bare scroll here: Elasticsearch would run out of memory");
        }
        contestants.extend(services.iter().map(Contestant::Service));
        let streams = streams.iter();
        contestants.extend(streams.map(|(stream, service)| Contestant::Stream(*stream, service)));
        if clients == 1 {
            contestants.extend(peers.iter().map(Contestant::Peer));
        }
        let contest = Contest {
            installation: self.data.installation(),
            elasticsearch_url: &self.elasticsearch.url,
            rounds: self.options.rounds,
        };
        let instances = contest.installation.count(subject.index)?;
        let name = subject.name;
        heading(&format!(
            "{instances} {name} in pages of {page}, {clients} client(s)"
        ));
        let results = contest.run(subject, page, clients, &contestants);
        print!("{}", table::of(&results));
        Ok(Reading {
            subject: name,
            instances,
            page,
            clients,
            results,
        })
    }
}

fn heading(text: &str) {
    println!("\n{}", style(text).bold());
}
