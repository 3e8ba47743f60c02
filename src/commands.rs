//! The commands, one file each. A command gives back its exit code, or a message for the person who called it.

use std::path::PathBuf;

use optimize_export::config::{Config, Environment, Settings};
use optimize_export::elasticsearch::Elasticsearch;

pub mod check;
pub mod completions;
pub mod export;
pub mod healthcheck;
pub mod serve;

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
