//! The command line of `optimize-export`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod commands;

use commands::{Configured, check, healthcheck, serve};

/// Camunda Optimize's report data export, served straight from Elasticsearch.
///
/// Every setting is a flag, an environment variable (OPTIMIZE_EXPORT_ and the flag in capitals) and a key in the YAML
/// file given by --config (the flag without its dashes); flag beats environment beats file.
#[derive(Parser)]
#[command(version, about, long_about)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service
    Serve(Configured),
    /// Tell whether this configuration can work; exit 0 or 1
    Check(Configured),
    /// Ask a running service whether it is ready; exit 0 or 1, for containers without a shell
    Healthcheck(healthcheck::Healthcheck),
}

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Serve(configured) => configured.load().and_then(serve::run),
        Command::Check(configured) => configured.load().and_then(check::run),
        Command::Healthcheck(healthcheck) => healthcheck::run(healthcheck),
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            eprintln!("optimize-export: {message}");
            ExitCode::FAILURE
        }
    }
}
