//! `cargo xtask`: what a developer of `optimize-export` runs.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use testkit::client::{self, Client};
use testkit::elasticsearch::{self, Elasticsearch, Heap, Status, Version};
use testkit::indices::Installation;
use testkit::sample::{self, InstanceSize, Sample};
use xtask::bench;
use xtask::chain;
use xtask::demo;
use xtask::siege;
use xtask::soak;

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
    /// Start, stop or look for the Elasticsearch or OpenSearch that tests and demo use.
    #[command(subcommand, alias = "elasticsearch")]
    Server(ServerCommand),
    /// Fill a cluster with the data of a sample installation, or remove it again.
    #[command(subcommand)]
    Sample(SampleCommand),
    /// Show the main job on a real Elasticsearch with sample data, and keep running until Ctrl-C.
    Demo {
        /// Stop everything after the show.
        #[arg(long)]
        exit: bool,
    },
    /// Measure the service beside what else reads the same data, and print medians and ratios.
    Bench(bench::Options),
    /// Let many clients export while the service, Elasticsearch and the network between them fail, and compare every record.
    Soak(soak::Options),
    /// Let attackers try to end the service, in a memory cgroup of 256 MiB, while ordinary clients export.
    Siege(siege::Options),
    /// Read again and again what has changed, while writers create and update instances, and compare with the index.
    Chain(chain::Options),
}

#[derive(Debug, Subcommand)]
enum ServerCommand {
    /// Start one that keeps running, so that tests and demo need not start their own.
    Start {
        #[command(flatten)]
        version: WantedVersion,
        #[command(flatten)]
        heap: WantedHeap,
    },
    /// Stop the one that was started, and delete its data.
    Stop {
        #[command(flatten)]
        version: WantedVersion,
    },
    /// Run a command with ELASTICSEARCH_URL and ELASTICSEARCH_VERSION set to one that is stopped again afterwards.
    Run {
        #[command(flatten)]
        version: WantedVersion,
        #[command(flatten)]
        heap: WantedHeap,
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true)]
        command: Vec<OsString>,
    },
    /// Tell which one would be used, and why.
    Status {
        #[command(flatten)]
        version: WantedVersion,
    },
}

#[derive(Debug, Subcommand)]
enum SampleCommand {
    /// Create the indices and store definitions, reports and instances. Waits for the cluster to be up.
    Load {
        #[command(flatten)]
        target: Target,
        /// The number of process instances; decision instances come on top.
        #[arg(long, default_value_t = sample::DEFAULT_PROCESS_INSTANCES, value_parser = clap::value_parser!(u64).range(..=sample::MOST_PROCESS_INSTANCES))]
        instances: u64,
        /// The size of a process instance: small (about 6 kB) or 10kB.
        #[arg(long, default_value_t)]
        size_of_instance: InstanceSize,
        /// How many seconds to wait for the cluster.
        #[arg(long, default_value_t = 120)]
        wait: u64,
    },
    /// Delete the indices under the prefix that this tool has made, and no others.
    Remove {
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Args)]
struct Target {
    /// The address of the cluster, for example http://localhost:9200, with the name of a user in front of the host if it asks for one.
    #[arg(long, env = elasticsearch::URL_VARIABLE)]
    url: String,
    /// A file with the password of that user, of letters, digits and -._~, which then need not stand in the address.
    #[arg(long, env = "ELASTICSEARCH_PASSWORD_FILE")]
    password_file: Option<PathBuf>,
    /// A file (PEM) with the certificate of the authority to trust, and no other.
    #[arg(long, env = "ELASTICSEARCH_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// The prefix of all index names.
    #[arg(long, default_value = "optimize")]
    prefix: String,
}

impl Target {
    fn client(&self) -> anyhow::Result<Client> {
        let read = |path: &PathBuf| {
            fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))
        };
        let client = match &self.password_file {
            Some(path) => {
                let password = read(path)?;
                let url = client::with_password(&self.url, password.trim_end_matches(['\r', '\n']));
                Client::new(&url.context("the password, or the name of the user in the address, is missing or has characters that can't be sent")?)
            }
            None => Client::new(&self.url),
        };
        match &self.ca_file {
            Some(path) => Ok(client.with_tls(&read(path)?, None)?),
            None => Ok(client),
        }
    }

    fn installation(&self) -> anyhow::Result<Installation> {
        Ok(Installation::with_client(self.client()?, &self.prefix)?)
    }
}

#[derive(Debug, Args)]
struct WantedVersion {
    /// The version: 8.19.8, 9.4.3, 8.16.6, 7.17.8, opensearch-2.19.6 or opensearch-3.6.0.
    ///
    /// Without it, the environment variable ELASTICSEARCH_VERSION decides, then the default 8.19.8.
    #[arg(long)]
    version: Option<Version>,
}

impl WantedVersion {
    fn get(self) -> Result<Version, elasticsearch::Error> {
        self.version.map_or_else(Version::wanted, Ok)
    }
}

#[derive(Debug, Args)]
struct WantedHeap {
    /// The heap of its Java virtual machine, for example 2g.
    ///
    /// Without it, the environment variable OPTIMIZE_EXPORT_TEST_HEAP decides, then the default 1g.
    #[arg(long)]
    heap: Option<Heap>,
}

impl WantedHeap {
    fn get(self) -> Result<Heap, elasticsearch::Error> {
        self.heap.map_or_else(Heap::wanted, Ok)
    }
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
        Command::Server(command) => run_server(command),
        Command::Sample(command) => run_sample(command),
        Command::Demo { exit } => demo::run(exit),
        Command::Bench(options) => bench::run(&options),
        Command::Soak(options) => soak::run(&options),
        Command::Siege(options) => siege::run(&options),
        Command::Chain(options) => chain::run(&options),
    }
}

fn run_server(command: ServerCommand) -> anyhow::Result<()> {
    match command {
        ServerCommand::Start { version, heap } => {
            let version = version.get()?;
            announce(version)?;
            let found = elasticsearch::start(version, heap.get()?)?;
            println!(
                "{} {} answers at {}",
                found.product, found.version, found.url
            );
        }
        ServerCommand::Stop { version } => {
            let version = version.get()?;
            elasticsearch::stop(version)?;
            println!("{version} is stopped");
        }
        ServerCommand::Run {
            version,
            heap,
            command,
        } => {
            let version = version.get()?;
            announce(version)?;
            let found = elasticsearch::of_version_for_this_process(version, heap.get()?)?;
            eprintln!("{}", described(found));
            let result = run_with(found, version, &command);
            elasticsearch::stop_for_this_process();
            result?;
        }
        ServerCommand::Status { version } => match elasticsearch::status(version.get()?)? {
            Status::Runs(found) => println!("{}", described(&found)),
            Status::WouldStart(version) => {
                println!(
                    "No {version} runs: tests and demo start one of their own and stop it again"
                );
            }
        },
    }
    Ok(())
}

/// Says what the next seconds are for, if there is no server yet.
fn announce(version: Version) -> Result<(), elasticsearch::Error> {
    if let Status::WouldStart(version) = elasticsearch::status(version)? {
        eprintln!("{}", elasticsearch::start_takes(version));
    }
    Ok(())
}

fn described(elasticsearch: &Elasticsearch) -> String {
    let Elasticsearch {
        url,
        product,
        version,
        origin,
    } = elasticsearch;
    let url = client::without_credentials(url);
    format!("{product} {version} at {url}, {origin}")
}

fn run_sample(command: SampleCommand) -> anyhow::Result<()> {
    match command {
        SampleCommand::Load {
            target,
            instances,
            size_of_instance,
            wait,
        } => {
            let installation = target.installation()?;
            sample::wait_for_elasticsearch(target.client()?, Duration::from_secs(wait))
                .with_context(|| format!("Elasticsearch was not ready within {wait} s"))?;
            let began = Instant::now();
            let loaded = Sample {
                process_instances: instances,
                size: size_of_instance,
            }
            .load(&installation)?;
            println!(
                "Stored {} documents with the prefix {} in {:.1} s, {} reports among them",
                loaded.documents,
                target.prefix,
                began.elapsed().as_secs_f64(),
                loaded.reports
            );
        }
        SampleCommand::Remove { target } => {
            let removed = target.installation()?.remove()?;
            println!(
                "Deleted {removed} indices with the prefix {}",
                target.prefix
            );
        }
    }
    Ok(())
}

/// Runs a command that finds this server in its environment. Any other that it starts is of the same version.
fn run_with(
    elasticsearch: &Elasticsearch,
    version: Version,
    command: &[OsString],
) -> anyhow::Result<()> {
    let (program, arguments) = command.split_first().context("there is no command")?;
    let mut command = process::Command::new(program);
    launch::forget_own_package(&mut command);
    let status = command
        .args(arguments)
        .env(elasticsearch::URL_VARIABLE, &elasticsearch.url)
        .env(Version::VARIABLE, version.id())
        .status()
        .with_context(|| format!("`{}` can't be run", program.display()))?;
    if !status.success() {
        bail!("`{}` ended with {status}", program.display());
    }
    Ok(())
}
