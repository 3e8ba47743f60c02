//! The command line: which commands there are.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use super::{
    Configured, access, check, completions, export, healthcheck, reports, schema, serve, sync,
};

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
    /// Tell what the access rules let a client export of a report, and why; exit 0 or 4
    Access(access::AccessArguments),
    /// List the stored reports, and whether they can be exported
    Reports(reports::Reports),
    /// Export a whole report from a running service into a file; exit 0 complete, 3 to be run again, 4 refused
    Export(export::Export),
    /// Bring reports into a lake: a folder or a bucket, run by run what has changed
    Sync(sync::SyncArguments),
    /// Show the tables and columns of a report, as a running service exports them
    Schema(schema::Schema),
    /// Ask a running service whether it is ready; exit 0 or 1, for containers without a shell
    Healthcheck(healthcheck::Healthcheck),
    /// Print the completions of a shell
    Completions(completions::Completions),
    /// Write the man pages
    Man(completions::Man),
}

/// Does what the arguments of the process say.
pub fn run() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Serve(configured) => configured.load().and_then(serve::run),
        Command::Check(configured) => configured.load().and_then(check::run),
        Command::Healthcheck(healthcheck) => healthcheck::run(healthcheck),
        Command::Access(arguments) => access::run(arguments),
        Command::Reports(arguments) => reports::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Sync(arguments) => sync::run(arguments),
        Command::Schema(arguments) => schema::run(arguments),
        Command::Completions(arguments) => {
            completions::print_completions(arguments, CommandLine::command())
        }
        Command::Man(arguments) => completions::write_man_pages(arguments, CommandLine::command()),
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            eprintln!("optimize-export: {message}");
            ExitCode::FAILURE
        }
    }
}
