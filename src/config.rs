//! Every setting, once.
//!
//! A setting has a flag, an environment variable (`OPTIMIZE_EXPORT_` and the flag in capitals) and a key in an optional
//! YAML file (`--config`); flag beats environment beats file. Where Optimize itself has an environment variable for the
//! same thing, that name works too, just below our own, so that one env file can serve both containers
//! (crates/optimize/docs/releases.md, "Environment variables").
//! What is unknown or contradictory stops the start, with a message that names it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use cluster::ConnectionSettings;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use crate::auth::{JwtSettings, NamedToken};
use crate::export::ExportSettings;
use crate::http::parameters::ParameterRules;
use crate::http::server::ServerLimits;
use crate::http::tls::TlsFiles;

mod access;
mod answers;
mod default_in_help;
mod elasticsearch;
mod file;
mod limits;
mod lists;
mod log;
mod nearest;
mod optimize_names;
mod secrets;
mod service;
mod variables;

pub use access::AccessSettings;
pub use answers::{AnswerSettings, ObjectVariablesSetting};
pub use elasticsearch::ElasticsearchSettings;
pub use limits::{LimitSettings, MAX_LIMIT, MAX_PAGINATION_TIMEOUT};
pub use log::{LogFormat, LogSettings};
pub use service::{DEFAULT_LISTEN, DEFAULT_MANAGEMENT_LISTEN, ServiceSettings};
pub use variables::{CLIENT_VARIABLES, check_variables};

/// The settings as flags, environment variables and keys of the file; a file of this folder for each part. They have no
/// `Deserialize`: serde can't refuse unknown keys of flattened parts, and would read their values without knowing their types.
#[derive(Debug, Clone, Default, Args, Serialize)]
pub struct Settings {
    /// Addresses that clients see.
    #[command(flatten)]
    #[serde(flatten)]
    pub service: ServiceSettings,
    /// The connection to Elasticsearch.
    #[command(flatten)]
    #[serde(flatten)]
    pub elasticsearch: ElasticsearchSettings,
    /// Who is let in.
    #[command(flatten)]
    #[serde(flatten)]
    pub access: AccessSettings,
    /// What answers hold.
    #[command(flatten)]
    #[serde(flatten)]
    pub answers: AnswerSettings,
    /// What clients may take.
    #[command(flatten)]
    #[serde(flatten)]
    pub limits: LimitSettings,
    /// The log.
    #[command(flatten)]
    #[serde(flatten)]
    pub log: LogSettings,
}

impl Settings {
    /// Puts layers one upon another: of each setting, the last one that has it counts.
    fn merged(layers: [Self; 3]) -> Result<Self, serde_json::Error> {
        fn part<T: DeserializeOwned>(values: &Value) -> Result<T, serde_json::Error> {
            T::deserialize(values)
        }
        let mut values = serde_json::Map::new();
        for layer in layers {
            if let Value::Object(layer) = serde_json::to_value(layer)? {
                values.extend(layer);
            }
        }
        let values = Value::Object(values);
        Ok(Self {
            service: part(&values)?,
            elasticsearch: part(&values)?,
            access: part(&values)?,
            answers: part(&values)?,
            limits: part(&values)?,
            log: part(&values)?,
        })
    }
}

/// The settings, checked and complete.
#[derive(Debug, Clone)]
pub struct Config {
    /// Address of the export.
    pub listen: SocketAddr,
    /// Address of the health checks.
    pub management_listen: SocketAddr,
    /// Path segments in front of `api`.
    pub context_path: Vec<String>,
    /// How to reach Elasticsearch.
    pub elasticsearch: ConnectionSettings,
    /// The certificate of the export; plain HTTP without one.
    pub tls: Option<TlsFiles>,
    /// Whether the interface is described to whoever asks.
    pub api_docs: bool,
    /// The tokens that clients present, unless `jwt` says otherwise.
    pub access_tokens: Vec<NamedToken>,
    /// Where they come from, if they can change.
    pub access_token_file: Option<PathBuf>,
    /// Rules for what clients may export; without a file they may everything.
    pub access_rules_file: Option<PathBuf>,
    /// How tokens of a provider are verified; beats the static token, as in Optimize.
    pub jwt: Option<JwtSettings>,
    /// The key that replicas share.
    pub scroll_key: Option<SecretString>,
    /// How exports are made.
    pub export: ExportSettings,
    /// What a client may take of the server.
    pub server: ServerLimits,
    /// Bounds and defaults of the request's parameters.
    pub parameters: ParameterRules,
    /// Format of the log.
    pub log_format: LogFormat,
    /// What is logged.
    pub log: String,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be used.
    #[error("{0}")]
    File(String),
    /// An environment variable of ours that is no setting.
    #[error(
        "the environment variable {name} is no setting of this service; {}",
        meant.as_ref().map_or_else(
            || "see --help for those there are".to_owned(),
            |meant| format!("did you mean {meant}?")
        )
    )]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The one that may have been meant.
        meant: Option<String>,
    },
    /// A setting's value is impossible, or contradicts another.
    #[error("{setting}: {problem}")]
    Setting {
        /// Its flag or variable.
        setting: &'static str,
        /// What is wrong, without any secret.
        problem: String,
    },
}

fn wrong(setting: &'static str, problem: impl fmt::Display) -> ConfigError {
    ConfigError::Setting {
        setting,
        problem: problem.to_string(),
    }
}

/// The environment, as a map so that tests have their own.
pub type Environment = BTreeMap<String, String>;

impl Config {
    /// Puts the configuration together. `given` holds flags and our own variables, which `clap` has read already.
    ///
    /// # Errors
    /// Something is unknown, impossible or contradictory.
    pub fn load(
        given: Settings,
        file: Option<&Path>,
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        check_variables(environment)?;
        let file = file.map(file::read).transpose()?.unwrap_or_default();
        let optimize = optimize_names::settings(environment)?;
        let settings = Settings::merged([file, optimize, given])
            .map_err(|error| ConfigError::File(error.to_string()))?;
        Self::check(&settings, environment)
    }

    fn check(settings: &Settings, environment: &Environment) -> Result<Self, ConfigError> {
        let Settings {
            service,
            elasticsearch,
            access,
            answers,
            limits,
            log,
        } = settings;
        limits.check()?;
        let export = answers.export(elasticsearch.index_prefix()?, limits)?;
        let (listen, management_listen) = service.addresses()?;
        Ok(Self {
            listen,
            management_listen,
            scroll_key: access.scroll_key(environment)?,
            context_path: service.context_path()?,
            elasticsearch: elasticsearch.connection(environment, limits.answer_memory())?,
            access_tokens: access.access_tokens(environment)?,
            access_token_file: access.access_token_file.clone(),
            access_rules_file: access.access_rules_file.clone(),
            tls: service.tls()?,
            api_docs: service.api_docs(),
            jwt: access.jwt()?,
            export,
            server: limits.server(),
            parameters: answers.parameters(limits),
            log_format: log.format(),
            log: log.filter(),
        })
    }
}

fn at_least_one(setting: &'static str, value: Option<u32>) -> Result<(), ConfigError> {
    match value {
        Some(0) => Err(wrong(setting, "0 is not allowed; it must be at least 1")),
        _ => Ok(()),
    }
}

/// It leads to a server.
fn check_url(setting: &'static str, url: &Url) -> Result<(), ConfigError> {
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong(
            setting,
            "it must begin with http:// or https:// and name a host",
        ));
    }
    Ok(())
}

fn seconds(setting: Option<u32>, default: u32) -> Duration {
    Duration::from_secs(u64::from(setting.unwrap_or(default)))
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
