//! `check`: whether this configuration can work.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use comfy_table::{Attribute, Cell, Color, Table};

use super::{connect, keep_words, printed, runtime, table};
use crate::check::{self, Findings, Verdict};
use crate::config::Config;

/// Prints what was found: as a table on a terminal, as plain lines anywhere else.
pub fn run(config: Config) -> Result<ExitCode, String> {
    let elasticsearch = connect(&config)?;
    let findings = runtime()?.block_on(check::check(&config, &elasticsearch));
    let mut out = io::stdout();
    let result = if out.is_terminal() {
        writeln!(
            out,
            "{}\n\n{}",
            as_table(&findings).trim_fmt(),
            findings.conclusion()
        )
    } else {
        writeln!(out, "{findings}")
    };
    printed(result).map_err(|error| format!("the findings can't be printed: {error}"))?;
    Ok(if findings.can_work() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn as_table(findings: &Findings) -> Table {
    let mut table = table(&["", "CHECKED", "FOUND"]);
    for finding in findings.as_slice() {
        let mark = Cell::new(finding.verdict);
        let mark = match finding.verdict {
            Verdict::Good => mark.fg(Color::Green),
            Verdict::Note => mark.fg(Color::Yellow),
            Verdict::Bad => mark.fg(Color::Red).add_attribute(Attribute::Bold),
        };
        table.add_row([mark, Cell::new(finding.subject), Cell::new(&finding.detail)]);
    }
    keep_words(&mut table, &[]);
    table
}
