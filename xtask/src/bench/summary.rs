//! Everything that was measured in one table, a line for each contestant.

use super::contest::{Measurement, Results};
use super::heavy;
use super::table::{self, mebibytes, median_of, ratio, shown};
use super::{Reading, Report};

/// Column titles and their widths.
const COLUMNS: [(&str, usize); 6] = [
    ("", 62),
    ("by", 26),
    ("records/s", 11),
    ("ratio", 8),
    ("CPU ratio", 11),
    ("peak RSS", 12),
];

/// The table. Ratios of raw data are of records per second, to the bare scroll; those of aggregated reports are of times, to the searches that
/// the line names.
pub(super) fn of(report: &Report) -> String {
    let mut text = line(COLUMNS.map(|(title, _)| title.to_owned()));
    let readings = report.raw_data.iter().chain(&report.curve);
    for (number, reading) in readings.enumerate() {
        let is_small = number >= report.raw_data.len();
        let others = reading.results.iter();
        for results in others.filter(|results| !results.is_measure) {
            text.push_str(&of_results(reading, is_small, results));
        }
    }
    for cost in &report.aggregated {
        let ratio = cost.service_seconds / cost.bare_seconds;
        text.push_str(&of_ratio(cost.report, ratio, "of its searches by hand"));
    }
    if !report.heavy.is_empty() {
        for cost in report.heavy.iter().chain([&heavy::together(&report.heavy)]) {
            text.push_str(&of_ratio(
                cost.report,
                cost.ratio(0),
                "of Optimize's searches",
            ));
        }
    }
    text
}

fn of_results(reading: &Reading, is_small: bool, results: &Results) -> String {
    let Reading {
        subject,
        instances,
        page,
        clients,
        results: all,
    } = reading;
    let small = if is_small { "small " } else { "" };
    let what = format!("{instances} {small}{subject}, pages of {page}, {clients} client(s)");
    let of = |value: &dyn Fn(&Measurement) -> Option<f64>| median_of(results, value);
    line([
        what,
        results.contestant.clone(),
        shown(of(&|m| Some(m.rate())), 0, ""),
        shown(ratio(all, results), 2, ""),
        shown(of(&Measurement::cpu_ratio), 2, ""),
        shown(of(&|m| m.peak_resident_bytes.map(mebibytes)), 1, " MiB"),
    ])
}

fn of_ratio(report: &str, ratio: f64, compared_with: &str) -> String {
    let ratio = shown(Some(ratio), 2, "");
    let (report, compared_with) = (report.to_owned(), compared_with.to_owned());
    let [rate, cpu, peak] = [(); 3].map(|()| shown(None, 0, ""));
    line([report, compared_with, rate, ratio, cpu, peak])
}

fn line(cells: [String; COLUMNS.len()]) -> String {
    table::line(COLUMNS, 2, cells)
}
