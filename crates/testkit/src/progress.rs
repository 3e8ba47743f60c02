//! How far something has come: a bar on a terminal, a line every few seconds anywhere else.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};

/// How often a line is printed where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The progress of one task.
pub struct Progress {
    task: String,
    bar: ProgressBar,
    counts_bytes: bool,
    is_terminal: bool,
    last_line: Cell<Instant>,
}

impl Progress {
    /// A task measured in bytes.
    pub fn bytes(task: impl Into<String>, total: u64) -> Self {
        Self::new(task.into(), total, true)
    }

    /// A task measured in steps.
    pub fn steps(task: impl Into<String>, total: u64) -> Self {
        Self::new(task.into(), total, false)
    }

    fn new(task: String, total: u64, counts_bytes: bool) -> Self {
        let is_terminal = console::user_attended_stderr();
        let bar = if is_terminal {
            ProgressBar::new(total)
        } else {
            ProgressBar::hidden()
        };
        bar.set_length(total);
        let numbers = if counts_bytes {
            "{bytes}/{total_bytes}"
        } else {
            "{human_pos}/{human_len}"
        };
        let template = format!("{{msg}} {{bar:30.cyan/dim}} {numbers} {{eta}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style.progress_chars("━━─"));
        }
        bar.set_message(task.clone());
        if !is_terminal {
            eprintln!("{task} …");
        }
        Self {
            task,
            bar,
            counts_bytes,
            is_terminal,
            last_line: Cell::new(Instant::now()),
        }
    }

    /// Sets how much is done.
    pub fn set(&self, done: u64) {
        self.bar.set_position(done);
        if !self.is_terminal && self.last_line.get().elapsed() >= LINE_EVERY {
            self.last_line.set(Instant::now());
            self.print_line();
        }
    }

    /// One step more is done.
    pub fn advance(&self) {
        self.set(self.bar.position() + 1);
    }

    /// Removes the bar: the task is over.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }

    fn print_line(&self) {
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or(0));
        if self.counts_bytes {
            eprintln!(
                "{}: {} of {}",
                self.task,
                HumanBytes(done),
                HumanBytes(total)
            );
        } else {
            eprintln!(
                "{}: {} of {}",
                self.task,
                HumanCount(done),
                HumanCount(total)
            );
        }
    }
}
