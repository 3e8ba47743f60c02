//! What was measured, for a terminal.

use super::contest::{Measurement, Results};
use super::statistics::median;

/// Column titles and their widths.
const COLUMNS: [(&str, usize); 8] = [
    ("", 28),
    ("records/s", 10),
    ("ratio", 7),
    ("first byte", 11),
    ("CPU", 8),
    ("CPU of ES", 10),
    ("CPU ratio", 10),
    ("peak RSS", 10),
];

/// Medians over the rounds; ratios are those to the bare scroll of the same round.
pub(super) fn of(results: &[Results]) -> String {
    let mut text = line(COLUMNS, 1, COLUMNS.map(|(title, _)| title.to_owned()));
    for result in results {
        let of = |value: &dyn Fn(&Measurement) -> Option<f64>| median_of(result, value);
        text.push_str(&line(
            COLUMNS,
            1,
            [
                result.contestant.clone(),
                shown(of(&|m| Some(m.rate())), 0, ""),
                shown(ratio(results, result), 3, ""),
                shown(of(&|m| Some(m.first_byte_seconds * 1_000.0)), 1, " ms"),
                shown(of(&|m| m.cpu_seconds), 2, " s"),
                shown(of(&|m| m.elasticsearch_cpu_seconds), 2, " s"),
                shown(of(&Measurement::cpu_ratio), 2, ""),
                shown(of(&|m| m.peak_resident_bytes.map(mebibytes)), 1, " MiB"),
            ],
        ));
        for failure in &result.failures {
            text.push_str(&format!("    a round failed: {failure}\n"));
        }
    }
    text
}

/// The median of a value over the rounds.
pub(super) fn median_of(
    results: &Results,
    value: &dyn Fn(&Measurement) -> Option<f64>,
) -> Option<f64> {
    median(results.rounds.iter().filter_map(value))
}

/// A value with so many decimals, or a dash.
pub(super) fn shown(value: Option<f64>, decimals: usize, unit: &str) -> String {
    value.map_or_else(
        || "-".to_owned(),
        |value| format!("{value:.decimals$}{unit}"),
    )
}

/// A line of a table, whose first columns are texts and whose others are numbers.
pub(super) fn line<const N: usize>(
    columns: [(&str, usize); N],
    texts: usize,
    cells: [String; N],
) -> String {
    let mut text = String::new();
    for (number, (cell, (_, width))) in cells.iter().zip(columns).enumerate() {
        text.push_str(&if number < texts {
            format!("{cell:width$}")
        } else {
            format!("{cell:>width$}")
        });
    }
    text.push('\n');
    text
}

/// Bytes in units that are easy to read.
#[expect(clippy::cast_precision_loss, reason = "for reading")]
pub(super) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// How fast it was, compared with the bare scroll of the same round.
pub(super) fn ratio(results: &[Results], result: &Results) -> Option<f64> {
    let measure = results.iter().find(|results| results.is_measure)?;
    if !(result.failures.is_empty() && measure.failures.is_empty()) {
        // It is not known any more which rounds belong together.
        let rate = |results: &Results| median(results.rounds.iter().map(Measurement::rate));
        return Some(rate(result)? / rate(measure)?);
    }
    let pairs = result.rounds.iter().zip(&measure.rounds);
    median(pairs.map(|(it, measure)| it.rate() / measure.rate()))
}
