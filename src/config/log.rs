//! What the service says of itself.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::default_in_help::{DefaultInHelp, name_of};

const DEFAULT_LOG_FORMAT: LogFormat = LogFormat::Text;
const DEFAULT_LOG: &str = "info";

/// Settings of the log.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogSettings {
    /// Format of the log
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_LOG_FORMAT",
        value_name = "text|json",
        help_heading = "Service",
        default_is = name_of(DEFAULT_LOG_FORMAT)
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,

    /// What is logged, such as info or optimize_export=debug
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_LOG",
        value_name = "FILTER",
        help_heading = "Service",
        default_is = DEFAULT_LOG
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

impl LogSettings {
    pub(super) fn format(&self) -> LogFormat {
        self.log_format.unwrap_or(DEFAULT_LOG_FORMAT)
    }

    pub(super) fn filter(&self) -> String {
        self.log.clone().unwrap_or_else(|| DEFAULT_LOG.to_owned())
    }
}

/// Format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}
