//! How far an export has come: a bar on a terminal, and nothing but notices anywhere else.

use std::io::{IsTerminal, stderr};

use std::fmt;
use std::time::Duration;

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::client::Progress;

/// Rows, share, rate and time left.
const TEMPLATE: &str =
    "{bar:30.cyan/dim} {human_pos}/{human_len} rows  {rate:>6} rows/s  {left:>4} left  {msg}";
/// The same where it is not known how many rows there are.
const ROWS_TEMPLATE: &str = "{spinner:.cyan} {human_pos} rows  {rate:>6} rows/s  {msg}";
/// Bytes, where rows can't be counted.
const BYTES_TEMPLATE: &str = "{spinner:.cyan} {bytes}  {bytes_per_sec}  {msg}";
/// How often the bar is drawn while nothing arrives.
const TICK: Duration = Duration::from_millis(200);
/// Rows after which the count of rows that the file has already is shown anew.
const KNOWN_ROWS_STEP: u64 = 1_000;

/// Shows the progress on the standard error.
pub(super) struct ProgressLine {
    bar: Option<ProgressBar>,
    /// Rows in a row that the file had already.
    known_rows: u64,
    /// Where a table has come to, in what the bar counts.
    position: u64,
}

impl ProgressLine {
    /// A bar for a file that has so many rows.
    pub fn of_pages(rows: u64) -> Self {
        Self::new(rows, TEMPLATE)
    }

    /// A bar for a table, whose rows can be counted or not.
    pub fn of_table(has_rows: bool) -> Self {
        let template = if has_rows {
            ROWS_TEMPLATE
        } else {
            BYTES_TEMPLATE
        };
        Self::new(0, template)
    }

    fn new(rows: u64, template: &str) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::no_length().with_position(rows);
            set_template(&bar, template);
            // The rows that are there already say nothing about the rate: they are seen first, then forgotten.
            bar.tick();
            bar.reset_eta();
            bar.enable_steady_tick(TICK);
            bar
        });
        Self {
            bar,
            known_rows: 0,
            position: 0,
        }
    }

    /// Removes the bar.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn set_template(bar: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(
            style
                .with_key("rate", rate)
                .with_key("left", left)
                .progress_chars("━━─"),
        );
    }
}

/// The rate without digits that nobody needs.
fn rate(state: &ProgressState, out: &mut dyn fmt::Write) {
    // There is nobody to tell that a piece of the bar can't be drawn.
    let _ = write!(out, "{:.0}", state.per_sec());
}

/// The time left, where there is a rate to tell it from: there is none while only known rows are read again.
fn left(state: &ProgressState, out: &mut dyn fmt::Write) {
    let _ = if state.per_sec() < 1.0 {
        out.write_str("?")
    } else {
        write!(out, "{:#}", HumanDuration(state.eta()))
    };
}

impl Progress for ProgressLine {
    fn total(&mut self, total: u64) {
        if let Some(bar) = &self.bar
            && bar.length() != Some(total)
        {
            set_template(bar, TEMPLATE);
            bar.set_length(total);
        }
    }

    fn arrived(&mut self, rows: Option<u64>, bytes: u64) {
        let position = rows.unwrap_or(bytes);
        if let Some(bar) = &self.bar {
            bar.set_position(position);
            if position < self.position {
                // It began anew.
                bar.reset_eta();
            }
        }
        self.position = position;
    }

    fn row(&mut self, is_new: bool) {
        let Some(bar) = &self.bar else {
            return;
        };
        if is_new {
            if self.known_rows > 0 {
                self.known_rows = 0;
                bar.set_message("");
                // The time without new rows says nothing about the rate.
                bar.reset_eta();
            }
            bar.inc(1);
        } else {
            self.known_rows += 1;
            if self.known_rows.is_multiple_of(KNOWN_ROWS_STEP) {
                bar.set_message(format!("({} read again)", HumanCount(self.known_rows)));
            }
        }
    }

    fn notice(&mut self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("optimize-export: {text}"),
        }
    }
}
