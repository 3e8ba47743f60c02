//! Aggregated reports against the same searches sent by hand.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use serde::{Deserialize, Serialize};
use testkit::service::Service;

use super::readers::Reader;
use super::statistics::median;

/// One of each kind: a number, maps by date, by variable and by a part of the process, a hyper map, and one of decisions.
pub(super) const REPORTS: [&str; 6] = [
    "orders-count",
    "orders-by-start-date-per-month",
    "orders-by-customer",
    "orders-duration-from-picking-to-shipping-by-month",
    "orders-by-month-and-customer-type",
    "discounts-by-matched-rule",
];

/// How often a report is asked for in a round.
const REPETITIONS: u32 = 20;

/// What one report costs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Cost {
    /// Its id.
    pub report: &'static str,
    /// The searches by hand, median.
    pub bare_seconds: f64,
    /// The report, median.
    pub service_seconds: f64,
}

/// A search that the service has sent, as its log tells it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Search {
    /// Whom it asks, separated by commas.
    pub indices: String,
    /// What it asks.
    pub body: String,
}

/// Measures all reports, the two ways in turn. `traced` is a service that logs its searches.
pub(super) fn measure(
    service: &Service,
    traced: &Service,
    elasticsearch_url: &str,
    rounds: u32,
) -> anyhow::Result<Vec<Cost>> {
    let mut bare = Reader::new(elasticsearch_url)?;
    let mut exporting = Reader::new(&service.url)?;
    let mut costs = Vec::new();
    for report in REPORTS {
        let searches = searches_of(report, traced)?;
        let (mut by_hand, mut by_service) = (Vec::new(), Vec::new());
        for repetition in 0..rounds * REPETITIONS {
            let mut sum = Duration::ZERO;
            for search in &searches {
                sum += bare.search(&search.indices, &search.body)?;
            }
            let report = exporting.aggregated_report(report)?;
            if repetition > 0 {
                by_hand.push(sum.as_secs_f64());
                by_service.push(report.as_secs_f64());
            }
        }
        costs.push(Cost {
            report,
            bare_seconds: median(by_hand).unwrap_or_default(),
            service_seconds: median(by_service).unwrap_or_default(),
        });
    }
    Ok(costs)
}

/// The searches that a report takes when everything that is cached is cached: those of the second time.
pub(super) fn searches_of(report: &str, traced: &Service) -> anyhow::Result<Vec<Search>> {
    let mut reader = Reader::new(&traced.url)?;
    reader.aggregated_report(report)?;
    let seen = fs::read_to_string(traced.log())?.len();
    reader.aggregated_report(report)?;
    let log = fs::read_to_string(traced.log())?;
    let searches: Vec<Search> = log
        .get(seen..)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    ensure!(!searches.is_empty(), "the log names no search of {report}");
    Ok(searches)
}

/// The table of all costs, in milliseconds.
pub(super) fn table(costs: &[Cost]) -> String {
    let mut text = format!(
        "{:<52}{:>12}{:>12}{:>12}\n",
        "", "by hand", "report", "difference"
    );
    for cost in costs {
        let [bare, service] = [cost.bare_seconds, cost.service_seconds].map(|s| s * 1_000.0);
        text.push_str(&format!(
            "{:<52}{bare:>9.2} ms{service:>9.2} ms{:>9.2} ms\n",
            cost.report,
            service - bare
        ));
    }
    text
}
