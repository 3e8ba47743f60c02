//! Aggregated reports over very many instances, beside the searches that Optimize sends for them.
//!
//! All caches of Elasticsearch are cleared before each measurement: a search without hits would be answered from its request cache the
//! second time, and one with hits, as Optimize sends it, would not.

pub(super) mod data;
mod figures;
mod optimize;
mod reports;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::Value;
use testkit::client::Client;
use testkit::elasticsearch::{Elasticsearch, Product};
use testkit::service::{Service, Start, TOKEN};

use super::PROCESS_INSTANCES;
use super::aggregated::searches_of;
use super::data::Data;
use super::readers::{Reader, aggregated_path};
use super::statistics::median;
use optimize::{MEASURE, Request, requests};
use reports::Heavy;

/// How long one search may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// What one report costs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Cost {
    /// Its id.
    pub report: &'static str,
    /// What Optimize asks, by hand, median.
    pub optimize_seconds: f64,
    /// The answer of each program, median.
    pub service_seconds: Vec<f64>,
    /// The searches of the first program by hand, median.
    pub by_hand_seconds: f64,
    /// How many figures both results have, which are the same.
    pub figures: usize,
}

/// What is measured.
pub(super) struct Heavies<'a> {
    /// Where the instances are.
    pub elasticsearch: &'a Elasticsearch,
    /// The builds to measure; the searches of the first are sent by hand.
    pub programs: &'a [PathBuf],
    /// The prefix below which the instances are kept, if they are.
    pub prefix: Option<&'a str>,
    /// How many there are.
    pub instances: u64,
    /// How often everything is measured.
    pub rounds: u32,
}

impl Heavies<'_> {
    /// Measures all reports, the three ways in turn. The first round does not count, but its answers are compared.
    pub fn measure(&self) -> anyhow::Result<Vec<Cost>> {
        let url = &self.elasticsearch.url;
        let data = Data::of_small(url, self.prefix)?;
        data::store(data.installation(), self.instances)?;
        let prefix = data.installation().prefix();
        let start = |program: &Path, arguments: &[&str]| {
            Service::start(&Start {
                program,
                elasticsearch_url: url,
                prefix,
                arguments,
            })
        };
        let services = (self.programs.iter())
            .map(|program| start(program, &["--cache-ttl=3600"]))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let traced = start(
            self.programs.first().context("no program")?,
            &[
                "--log=optimize_export=trace",
                "--log-format=json",
                "--cache-ttl=3600",
            ],
        )?;
        let mut contest = Contest {
            product: self.elasticsearch.product,
            alias: PROCESS_INSTANCES.index.alias(prefix),
            elasticsearch: data.installation().client().clone().with_timeout(PATIENCE),
            bare: Reader::new(url)?,
            exporting: (services.iter())
                .map(|service| Reader::new(&service.url))
                .collect::<anyhow::Result<_>>()?,
            services: &services,
            traced: &traced,
        };
        let mut costs = Vec::new();
        for heavy in Heavy::ALL {
            costs.push(contest.cost(heavy, self.rounds)?);
        }
        Ok(costs)
    }
}

struct Contest<'a> {
    product: Product,
    alias: String,
    elasticsearch: Client,
    bare: Reader,
    exporting: Vec<Reader>,
    services: &'a [Service],
    traced: &'a Service,
}

impl Contest<'_> {
    fn cost(&mut self, heavy: Heavy, rounds: u32) -> anyhow::Result<Cost> {
        let report = heavy.id();
        let searches = searches_of(report, self.traced)?;
        let figures = self.compare(heavy)?;
        let (mut by_optimize, mut by_hand) = (Vec::new(), Vec::new());
        let mut by_service = vec![Vec::new(); self.exporting.len()];
        for round in 0..=rounds {
            self.forget()?;
            let began = Instant::now();
            for Request { what, body } in requests(heavy, self.product, now()?) {
                self.bare.ask(&self.alias, what, &body.to_string())?;
            }
            let optimize = began.elapsed();
            let mut answers = Vec::new();
            for program in 0..self.exporting.len() {
                self.forget()?;
                if let Some(exporting) = self.exporting.get_mut(program) {
                    answers.push(exporting.aggregated_report(report)?.as_secs_f64());
                }
            }
            self.forget()?;
            let mut bare = Duration::ZERO;
            for search in &searches {
                bare += self.bare.search(&search.indices, &search.body)?;
            }
            if round > 0 {
                by_optimize.push(optimize.as_secs_f64());
                for (all, answer) in by_service.iter_mut().zip(answers) {
                    all.push(answer);
                }
                by_hand.push(bare.as_secs_f64());
            }
        }
        Ok(Cost {
            report,
            optimize_seconds: median(by_optimize).unwrap_or_default(),
            service_seconds: (by_service.into_iter())
                .map(|seconds| median(seconds).unwrap_or_default())
                .collect(),
            by_hand_seconds: median(by_hand).unwrap_or_default(),
            figures,
        })
    }

    /// Makes Elasticsearch forget what it has found before.
    fn forget(&self) -> anyhow::Result<()> {
        let path = format!("/{}/_cache/clear", self.alias);
        self.elasticsearch.post_nothing(&path)?.success()?;
        Ok(())
    }

    /// Compares the figures of both results; gives back how many there are.
    fn compare(&self, heavy: Heavy) -> anyhow::Result<usize> {
        let mut by_optimize = Vec::new();
        for Request { what, body } in requests(heavy, self.product, now()?) {
            let path = format!("/{}/{what}", self.alias);
            let answer = self.elasticsearch.post(&path, &body)?.success()?;
            by_optimize.extend(figures::of_aggregations(&answer, MEASURE));
        }
        let path = aggregated_path(heavy.id());
        let mut compared = 0;
        for service in self.services {
            let client = service.client().with_timeout(PATIENCE);
            let answer = client.get_with_token(&path, TOKEN)?.success()?;
            let by_service = figures::of_result(answer.get("data").unwrap_or(&Value::Null));
            ensure!(
                figures::are_same(&by_optimize, &by_service),
                "the results of {} differ: {by_optimize:?} by Optimize's searches, {by_service:?} by {}",
                heavy.id(),
                service.name()
            );
            compared = by_service.len();
        }
        Ok(compared)
    }
}

/// Milliseconds since 1970.
fn now() -> anyhow::Result<i64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    i64::try_from(since.as_millis()).context("the clock is wrong")
}

impl Cost {
    /// The time of a program, of that of Optimize's searches.
    pub fn ratio(&self, program: usize) -> f64 {
        self.of_program(program) / self.optimize_seconds
    }

    fn of_program(&self, program: usize) -> f64 {
        let seconds = self.service_seconds.get(program).copied();
        seconds.unwrap_or_default()
    }
}

/// The sum of all costs.
pub(super) fn together(costs: &[Cost]) -> Cost {
    let programs = costs.first().map_or(0, |cost| cost.service_seconds.len());
    Cost {
        report: "together",
        optimize_seconds: costs.iter().map(|cost| cost.optimize_seconds).sum(),
        service_seconds: (0..programs)
            .map(|program| costs.iter().map(|cost| cost.of_program(program)).sum())
            .collect(),
        by_hand_seconds: costs.iter().map(|cost| cost.by_hand_seconds).sum(),
        figures: costs.iter().map(|cost| cost.figures).sum(),
    }
}

/// The table of all costs, in milliseconds, and of their sum. The ratio is that of the first program.
pub(super) fn table(costs: &[Cost]) -> String {
    let all = together(costs);
    let reports = "the report ".repeat(all.service_seconds.len());
    let mut text = format!(
        "{:<32}{:>12} {reports}{:>7}{:>15}{:>9}\n",
        "", "Optimize's", "ratio", "its searches", "figures"
    );
    for cost in costs.iter().chain([&all]) {
        let ratio = cost.ratio(0);
        let milliseconds = |seconds: f64| format!("{:.0} ms", seconds * 1_000.0);
        let reports: String = (cost.service_seconds.iter())
            .map(|seconds| format!("{:>11}", milliseconds(*seconds)))
            .collect();
        text.push_str(&format!(
            "{:<32}{:>12}{reports}{ratio:>8.2}{:>15}{:>9}\n",
            cost.report,
            milliseconds(cost.optimize_seconds),
            milliseconds(cost.by_hand_seconds),
            cost.figures
        ));
    }
    text
}
