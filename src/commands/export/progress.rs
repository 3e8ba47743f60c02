//! How far an export has come: a bar on a terminal, and nothing but notices anywhere else.

use std::io::{IsTerminal, stderr};

use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use optimize_export::client::Progress;

/// Rows, share, rate and time left.
const TEMPLATE: &str =
    "{bar:30.cyan/dim} {human_pos}/{human_len} rows  {per_sec:>14}  {eta:>5} left  {msg}";
/// Rows after which the count of rows that the file has already is shown anew.
const KNOWN_ROWS_STEP: u64 = 1_000;

/// Shows the progress on the standard error.
pub(super) struct ProgressLine {
    bar: Option<ProgressBar>,
    /// Rows in a row that the file had already.
    known_rows: u64,
}

impl ProgressLine {
    /// A bar for a file that has so many rows.
    pub fn new(rows: u64) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::no_length().with_position(rows);
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style.progress_chars("━━─"));
            }
            bar.reset_eta();
            bar
        });
        Self { bar, known_rows: 0 }
    }

    /// Removes the bar.
    pub fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Progress for ProgressLine {
    fn total(&mut self, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
        }
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
            if self.known_rows % KNOWN_ROWS_STEP == 1 {
                bar.set_message(format!(
                    "skipping {} rows that the file has",
                    HumanCount(self.known_rows)
                ));
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
