//! What is in an answer.

use clap::{Args, ValueEnum};
use jiff::tz::TimeZone;
use optimize::raw_data::variables::ObjectVariables;
use serde::{Deserialize, Serialize};

use super::default_in_help::{DefaultInHelp, name_of};
use super::limits::LimitSettings;
use super::{ConfigError, at_least_one, seconds, wrong};
use crate::export::ExportSettings;
use crate::flags;
use crate::http::parameters::ParameterRules;

/// Seconds that reports and definitions are cached.
const DEFAULT_CACHE_TTL: u32 = 5;
const DEFAULT_LENIENT_PARAMETERS: bool = false;
const DEFAULT_OBJECT_VARIABLES: ObjectVariablesSetting = ObjectVariablesSetting::Values;
const DEFAULT_ASSIGNEE_ANALYTICS: bool = true;
/// Buckets per `terms` aggregation, Optimize's default.
const DEFAULT_BUCKET_LIMIT: u32 = 1_000;

/// Settings of what reports mean and what their answers hold.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AnswerSettings {
    /// How long reports and definitions are cached, in seconds; 0 for not at all
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_CACHE_TTL",
        value_name = "SECONDS",
        help_heading = "Export",
        default_is = DEFAULT_CACHE_TTL
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_ttl: Option<u32>,

    /// Take Optimize's defaults for a missing limit (1000) and paginationTimeout (120)
    #[arg(long, env = "OPTIMIZE_EXPORT_LENIENT_PARAMETERS", value_name = "BOOLEAN", num_args = 0..=1, default_missing_value = "true", help_heading = "Export", default_is = DEFAULT_LENIENT_PARAMETERS)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lenient_parameters: Option<bool>,

    /// Object variables of raw rows: their values, or the placeholder of older releases
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_OBJECT_VARIABLES",
        value_name = "values|placeholder",
        help_heading = "Export",
        default_is = name_of(DEFAULT_OBJECT_VARIABLES)
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_variables: Option<ObjectVariablesSetting>,

    /// Zone that dates of raw rows are converted to, such as Europe/Berlin [default: as stored]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_TIME_ZONE",
        value_name = "ZONE",
        help_heading = "Export"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,

    /// Whether reports may look at assignees [also: CAMUNDA_OPTIMIZE_UI_USER_TASK_ASSIGNEE_ANALYTICS_ENABLED]
    #[arg(long, env = "OPTIMIZE_EXPORT_ASSIGNEE_ANALYTICS", value_name = "BOOLEAN", num_args = 0..=1, default_missing_value = "true", help_heading = "Export", default_is = DEFAULT_ASSIGNEE_ANALYTICS)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee_analytics: Option<bool>,

    /// Buckets per terms aggregation
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_AGGREGATION_BUCKET_LIMIT",
        value_name = "BUCKETS",
        help_heading = "Export",
        default_is = DEFAULT_BUCKET_LIMIT
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation_bucket_limit: Option<u32>,
}

impl AnswerSettings {
    /// How exports are made.
    pub(super) fn export(
        &self,
        index_prefix: String,
        limits: &LimitSettings,
    ) -> Result<ExportSettings, ConfigError> {
        at_least_one(
            flags::AGGREGATION_BUCKET_LIMIT,
            self.aggregation_bucket_limit,
        )?;
        let time_zone = self
            .time_zone
            .as_deref()
            .map(|name| TimeZone::get(name).map_err(|error| wrong(flags::TIME_ZONE, error)))
            .transpose()?;
        let object_variables = match self.object_variables.unwrap_or(DEFAULT_OBJECT_VARIABLES) {
            ObjectVariablesSetting::Values => ObjectVariables::Values,
            ObjectVariablesSetting::Placeholder => ObjectVariables::Placeholder,
        };
        Ok(ExportSettings {
            index_prefix,
            cache_time_to_live: seconds(self.cache_ttl, DEFAULT_CACHE_TTL),
            object_variables,
            time_zone,
            assignee_analytics: self
                .assignee_analytics
                .unwrap_or(DEFAULT_ASSIGNEE_ANALYTICS),
            aggregation_bucket_limit: (self.aggregation_bucket_limit)
                .unwrap_or(DEFAULT_BUCKET_LIMIT),
            max_concurrent_exports: limits.max_concurrent_exports(),
            max_concurrent_exports_per_client: limits.max_concurrent_exports_per_client(),
            change_overlap: limits.change_overlap(),
            max_concurrent_streams: limits.max_concurrent_streams(),
            scrolls: limits.scrolls(),
            queue_timeout: limits.queue_timeout(),
            stall_timeout: limits.stall_timeout(),
        })
    }

    /// Bounds and defaults of the request's parameters.
    pub(super) fn parameters(&self, limits: &LimitSettings) -> ParameterRules {
        ParameterRules {
            max_limit: limits.max_limit(),
            max_pagination_timeout: limits.max_pagination_timeout(),
            lenient: self
                .lenient_parameters
                .unwrap_or(DEFAULT_LENIENT_PARAMETERS),
        }
    }
}

/// See [`ObjectVariables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ObjectVariablesSetting {
    /// The stored values.
    Values,
    /// A fixed text.
    Placeholder,
}
