//! The commands, one file each. A command gives back its exit code, or a message for the person who called it.

use std::io;
use std::path::PathBuf;

use cluster::Elasticsearch;
use comfy_table::{Attribute, Cell, ContentArrangement, Table, presets};
use optimize::scope::IndexNames;
use optimize_export::catalog::report_list::ReportList;
use optimize_export::config::{Config, Environment, Settings};

pub mod access;
pub mod check;
pub mod completions;
pub mod connection;
pub mod export;
pub mod healthcheck;
pub mod reports;
pub mod schema;
pub mod serve;
pub mod sync;

/// A command that needs the whole configuration.
#[derive(clap::Args)]
pub struct Configured {
    /// YAML file with settings
    #[arg(long, env = "OPTIMIZE_EXPORT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

impl Configured {
    /// Puts flags, environment and file together.
    pub fn load(self) -> Result<Config, String> {
        Config::load(self.settings, self.config.as_deref(), &environment())
            .map_err(|error| error.to_string())
    }
}

/// The environment, without what is not UTF-8.
fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime can't be started: {error}"))
}

fn connect(config: &Config) -> Result<Elasticsearch, String> {
    Elasticsearch::new(config.elasticsearch.clone()).map_err(|error| error.to_string())
}

fn index_names(config: &Config) -> IndexNames {
    IndexNames::new(&config.export.index_prefix)
}

fn report_list(config: &Config, elasticsearch: Elasticsearch) -> ReportList {
    ReportList::new(
        elasticsearch,
        index_names(config),
        config.export.assignee_analytics,
    )
}

/// Names are what users typed; control characters in them are not for a terminal.
fn printable(text: &str) -> String {
    utf16::for_people(text)
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// What became of printing something. A reader who has enough, such as `head`, is no error.
fn printed(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// A table for people: within the width of a terminal if it goes to one, else one line per row.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(
        header
            .iter()
            .map(|name| Cell::new(name).add_attribute(Attribute::Bold)),
    );
    table.set_content_arrangement(if table.is_tty() {
        ContentArrangement::Dynamic
    } else {
        ContentArrangement::Disabled
    });
    table
}
