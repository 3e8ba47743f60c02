//! `check`: whether this configuration can work.

use std::process::ExitCode;

use optimize_export::check;
use optimize_export::config::Config;

use super::{connect, runtime};

/// Prints what was found.
pub fn run(config: Config) -> Result<ExitCode, String> {
    let elasticsearch = connect(&config)?;
    let findings = runtime()?.block_on(check::check(&config, &elasticsearch));
    println!("{findings}");
    Ok(if findings.can_work() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
