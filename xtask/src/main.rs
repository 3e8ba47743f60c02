//! `cargo xtask`: what a developer of `optimize-export` runs.

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use xtask::elasticsearch::{self, Heap, Status, Version};

/// What a developer of optimize-export runs.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    arg_required_else_help = true
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start, stop or look for the Elasticsearch that tests and demo use.
    #[command(subcommand)]
    Elasticsearch(ElasticsearchCommand),
}

#[derive(Debug, Subcommand)]
enum ElasticsearchCommand {
    /// Start one that keeps running, so that tests and demo need not start their own.
    Start {
        #[command(flatten)]
        version: WantedVersion,
        /// The heap of its Java virtual machine, for example 2g.
        #[arg(long, env = Heap::VARIABLE, default_value = "1g")]
        heap: Heap,
    },
    /// Stop the one that was started, and delete its data.
    Stop {
        #[command(flatten)]
        version: WantedVersion,
    },
    /// Tell which one would be used, and why.
    Status {
        #[command(flatten)]
        version: WantedVersion,
    },
}

#[derive(Debug, Args)]
struct WantedVersion {
    /// The version: 8.16.6 or 7.17.8.
    #[arg(long, env = Version::VARIABLE, default_value_t)]
    version: Version,
}

fn main() -> ExitCode {
    match run(CommandLine::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{} {error:#}", console::style("error:").red().bold());
            ExitCode::FAILURE
        }
    }
}

fn run(command_line: CommandLine) -> anyhow::Result<()> {
    match command_line.command {
        Command::Elasticsearch(command) => run_elasticsearch(command),
    }
}

fn run_elasticsearch(command: ElasticsearchCommand) -> anyhow::Result<()> {
    match command {
        ElasticsearchCommand::Start {
            version: WantedVersion { version },
            heap,
        } => {
            let found = elasticsearch::start(version, heap)?;
            println!("Elasticsearch {} answers at {}", found.version, found.url);
        }
        ElasticsearchCommand::Stop {
            version: WantedVersion { version },
        } => {
            elasticsearch::stop(version)?;
            println!("Elasticsearch {version} is stopped");
        }
        ElasticsearchCommand::Status {
            version: WantedVersion { version },
        } => match elasticsearch::status(version)? {
            Status::Runs(found) => println!(
                "Elasticsearch {} at {}, {}",
                found.version, found.url, found.origin
            ),
            Status::WouldStart(version) => {
                println!(
                    "No Elasticsearch {version} runs: tests and demo start one of their own and stop it again"
                );
            }
        },
    }
    Ok(())
}
