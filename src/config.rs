//! Every setting, once.
//!
//! A setting has a flag, an environment variable (`OPTIMIZE_EXPORT_` and the flag in capitals) and a key in an optional
//! YAML file (`--config`); flag beats environment beats file. Where Optimize itself has an environment variable for the
//! same thing, that name works too, just below our own, so that one env file can serve both containers
//! (crates/optimize/docs/releases.md, "Environment variables").
//! What is unknown or contradictory stops the start, with a message that names it.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use cluster::credentials::read_secret;
use cluster::tls::{ClientCertificate, TlsSettings, Verification};
use cluster::{ConnectionSettings, Credentials, SigningSettings};
use figment::Figment;
use figment::providers::Serialized;
use jiff::tz::TimeZone;
use optimize::raw_data::variables::ObjectVariables;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::auth::jwt::{ClaimPath, RequiredClaim};
use crate::auth::{JwtSettings, KeySource, NamedToken, static_tokens};
use crate::export::ExportSettings;
use crate::http::parameters::ParameterRules;
use crate::http::server::ServerLimits;
use crate::http::tls::TlsFiles;
use crate::scroll::ScrollLimits;

mod optimize_names;

use optimize_names::Database;

/// Rows that a page may have at most: Elasticsearch's `index.max_result_window` and Optimize's own limit.
pub const MAX_LIMIT: u32 = 10_000;
/// Longest keep-alive in seconds: Elasticsearch's default of `search.max_keep_alive`.
pub const MAX_PAGINATION_TIMEOUT: u32 = 86_400;
/// Audience of a provider's tokens, Optimize's default.
const DEFAULT_AUDIENCE: &str = "optimize";
/// Buckets per `terms` aggregation, Optimize's default.
const DEFAULT_BUCKET_LIMIT: u32 = 1_000;
/// Exports at the same time. Elasticsearch makes each step of a page in its heap, 6 to 10 MB of large instances, and one with
/// 1 GB of heap does not survive 128 of them.
const DEFAULT_MAX_CONCURRENT_EXPORTS: u32 = 32;

/// Numbers of changes that a read of what has changed goes back; bulks of Optimize's import have some thousand.
const DEFAULT_CHANGE_OVERLAP: u32 = 20_000;
/// Whole reports at the same time. Each has a scroll, a core's worth of work and up to 96 MiB of memory.
const DEFAULT_MAX_CONCURRENT_STREAMS: u32 = 4;
/// Scrolls open at the same time. Elasticsearch allows 500 contexts per node, one for each shard, and others need some too.
const DEFAULT_MAX_OPEN_SCROLLS: u32 = 400;
/// Pages that may begin to be fetched ahead. Each takes up to sixteen megabytes while it waits for a slow client.
const DEFAULT_MAX_PAGES_AHEAD: u32 = 4;
/// Mebibytes of documents that Elasticsearch may hold for all exports: what 32 steps of 1,000 documents of ten kilobytes have,
/// which a heap of one gigabyte bears.
const DEFAULT_MAX_BATCH_MEMORY: u32 = 320;
/// Bytes of a mebibyte.
const MEBIBYTE: u64 = 1024 * 1024;
/// MiB for results that aggregate; the service as a whole is to do with 256. The filters of 65,536 intervals take 32.
const DEFAULT_MAX_AGGREGATION_MEMORY: u32 = 80;
/// Connections open at the same time. An idle one takes some kilobytes.
const DEFAULT_MAX_CONNECTIONS: u32 = 10_000;
/// Seconds for the head of a request.
const DEFAULT_HEAD_TIMEOUT: u32 = 60;
/// Seconds that a request waits in line.
const DEFAULT_QUEUE_TIMEOUT: u32 = 10;
/// Seconds that a page waits for its reader.
const DEFAULT_STALL_TIMEOUT: u32 = 30;
/// Seconds for requests under way when the service stops.
const DEFAULT_SHUTDOWN_TIMEOUT: u32 = 30;
/// Our variable for a single token.
const ACCESS_TOKEN_VARIABLE: &str = "OPTIMIZE_EXPORT_ACCESS_TOKEN";

/// The settings as flags, environment variables and keys of the file.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Settings {
    /// Address of the export [default: 0.0.0.0:8095]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_LISTEN",
        value_name = "ADDRESS",
        help_heading = "Service"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,

    /// Address of health checks, without a token [default: 0.0.0.0:8096]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MANAGEMENT_LISTEN",
        value_name = "ADDRESS",
        help_heading = "Service"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub management_listen: Option<SocketAddr>,

    /// PEM file with the certificate chain of the export, which speaks HTTPS then; read again when it changes
    /// [default: plain HTTP]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_TLS_CERTIFICATE_FILE",
        value_name = "FILE",
        help_heading = "Service"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_certificate_file: Option<PathBuf>,

    /// PEM file with the private key that goes with it
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_TLS_KEY_FILE",
        value_name = "FILE",
        help_heading = "Service"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key_file: Option<PathBuf>,

    /// Serve the OpenAPI document at /api/openapi.json, and a page to try it at /api/docs [default: true]
    #[arg(long, env = "OPTIMIZE_EXPORT_API_DOCS", value_name = "BOOLEAN", num_args = 0..=1, default_missing_value = "true", help_heading = "Service")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_docs: Option<bool>,

    /// Path in front of /api, such as /optimize [also: CAMUNDA_OPTIMIZE_CONTEXT_PATH] [default: none]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_CONTEXT_PATH",
        value_name = "PATH",
        help_heading = "Service"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_path: Option<String>,

    /// URLs of Elasticsearch or OpenSearch nodes; a path is put in front of every request. With
    /// CAMUNDA_OPTIMIZE_DATABASE=opensearch Optimize's variables for OpenSearch count, CAMUNDA_OPTIMIZE_OPENSEARCH_…, in place of
    /// those for Elasticsearch [also: OPTIMIZE_ELASTICSEARCH_HOST, OPTIMIZE_ELASTICSEARCH_HTTP_PORT,
    /// CAMUNDA_OPTIMIZE_ELASTICSEARCH_SSL_ENABLED] [default: http://localhost:9200]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ELASTICSEARCH_URL",
        value_name = "URL",
        value_delimiter = ',',
        help_heading = "Elasticsearch"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_url: Option<Vec<Url>>,

    /// User name at Elasticsearch [also: CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_USERNAME]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ELASTICSEARCH_USERNAME",
        value_name = "NAME",
        help_heading = "Elasticsearch"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_username: Option<String>,

    /// File with the password, read again when it changes [or the password in OPTIMIZE_EXPORT_ELASTICSEARCH_PASSWORD] [also:
    /// CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_PASSWORD]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ELASTICSEARCH_PASSWORD_FILE",
        value_name = "FILE",
        help_heading = "Elasticsearch"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_password_file: Option<PathBuf>,

    /// File with an API key in its encoded form, read again when it changes [or the key in OPTIMIZE_EXPORT_ELASTICSEARCH_API_KEY]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ELASTICSEARCH_API_KEY_FILE",
        value_name = "FILE",
        help_heading = "Elasticsearch"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_api_key_file: Option<PathBuf>,

    /// PEM files of certificate authorities besides the public ones, which are built in [also:
    /// CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_CERTIFICATE_AUTHORITIES]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ELASTICSEARCH_CA_FILE",
        value_name = "FILE",
        value_delimiter = ',',
        help_heading = "Elasticsearch"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_ca_file: Option<Vec<PathBuf>>,

    /// PEM files of certificates that servers may have, trusted as they are [also:
    /// CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_CERTIFICATE]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ELASTICSEARCH_SERVER_CERTIFICATE_FILE",
        value_name = "FILE",
        value_delimiter = ',',
        help_heading = "Elasticsearch"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_server_certificate_file: Option<Vec<PathBuf>>,

    /// PEM file with the certificate that the service shows when Elasticsearch asks for one
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ELASTICSEARCH_CLIENT_CERTIFICATE_FILE",
        value_name = "FILE",
        help_heading = "Elasticsearch"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_client_certificate_file: Option<PathBuf>,

    /// PEM file with the private key of that certificate, without a passphrase
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ELASTICSEARCH_CLIENT_KEY_FILE",
        value_name = "FILE",
        help_heading = "Elasticsearch"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_client_key_file: Option<PathBuf>,

    /// Accept a trusted certificate that is for another host name [also:
    /// CAMUNDA_OPTIMIZE_ELASTICSEARCH_CONNECTION_SKIP_HOSTNAME_VERIFICATION] [default: false]
    #[arg(long, env = "OPTIMIZE_EXPORT_ELASTICSEARCH_SKIP_HOSTNAME_VERIFICATION", value_name = "BOOLEAN", num_args = 0..=1, default_missing_value = "true", help_heading = "Elasticsearch")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_skip_hostname_verification: Option<bool>,

    /// Accept any certificate [also: CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_SELF_SIGNED] [default: false]
    #[arg(long, env = "OPTIMIZE_EXPORT_ELASTICSEARCH_ACCEPT_INVALID_CERTIFICATES", value_name = "BOOLEAN", num_args = 0..=1, default_missing_value = "true", help_heading = "Elasticsearch")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_accept_invalid_certificates: Option<bool>,

    /// Sign requests for Amazon OpenSearch Service, with credentials that are found as AWS's own tools find them; user name and
    /// password are not sent then [also: CAMUNDA_OPTIMIZE_OPENSEARCH_AWS_ENABLED] [default: false]
    #[arg(long, env = "OPTIMIZE_EXPORT_ELASTICSEARCH_AWS_SIGNING", value_name = "BOOLEAN", num_args = 0..=1, default_missing_value = "true", help_heading = "Elasticsearch")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_aws_signing: Option<bool>,

    /// Region that requests are signed for, such as eu-central-1 [default: found as AWS's own tools find it]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ELASTICSEARCH_AWS_REGION",
        value_name = "REGION",
        help_heading = "Elasticsearch"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_aws_region: Option<String>,

    /// Longest wait for Elasticsearch, in seconds [default: 60]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ELASTICSEARCH_TIMEOUT",
        value_name = "SECONDS",
        help_heading = "Elasticsearch"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_timeout: Option<u32>,

    /// Complete prefix of Optimize's indices [also: CAMUNDA_OPTIMIZE_ELASTICSEARCH_SETTINGS_INDEX_PREFIX]
    /// [default: optimize]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_INDEX_PREFIX",
        value_name = "PREFIX",
        help_heading = "Elasticsearch"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_prefix: Option<String>,

    /// File with the tokens that clients present, one per line, each alone or as `name: token`; read again when it changes
    /// [or one token in OPTIMIZE_EXPORT_ACCESS_TOKEN] [also:
    /// OPTIMIZE_API_ACCESS_TOKEN] [default: none, every request is refused]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ACCESS_TOKEN_FILE",
        value_name = "FILE",
        help_heading = "Access"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_file: Option<PathBuf>,

    /// URL where an OAuth2 or OpenID provider publishes its keys; its tokens are accepted then, and the static token is not
    /// [also: CAMUNDA_SECURITY_AUTHENTICATION_OIDC_JWKSETURI, SPRING_SECURITY_OAUTH2_RESOURCESERVER_JWT_JWK_SET_URI]
    /// [default: what the document of --issuer says]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_JWK_SET_URI",
        value_name = "URL",
        help_heading = "Access"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwk_set_uri: Option<Url>,

    /// Audiences of which a provider's token has to have one [also: CAMUNDA_SECURITY_AUTHENTICATION_OIDC_AUDIENCES,
    /// CAMUNDA_OPTIMIZE_API_AUDIENCE] [default: optimize]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_AUDIENCE",
        value_name = "AUDIENCE",
        value_delimiter = ',',
        help_heading = "Access"
    )]
    #[serde(
        default,
        deserialize_with = "one_or_several",
        skip_serializing_if = "Option::is_none"
    )]
    pub audience: Option<Vec<String>>,

    /// Issuer that a provider's token has to have. Without --jwk-set-uri it is the URL of an OpenID provider, whose document says
    /// where its keys are; its tokens are accepted then, and the static token is not [also:
    /// CAMUNDA_SECURITY_AUTHENTICATION_OIDC_ISSUERURI] [default: any]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ISSUER",
        value_name = "ISSUER",
        help_heading = "Access"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,

    /// Claim of a provider's token that names its client in the log and in limits; dots lead into claims within others [also:
    /// CAMUNDA_SECURITY_AUTHENTICATION_OIDC_CLIENTIDCLAIM] [default: the first there is of client_id, azp and sub]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_CLIENT_CLAIM",
        value_name = "NAME",
        help_heading = "Access"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_claim: Option<String>,

    /// Scope that a provider's token has to have [default: none]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_REQUIRED_SCOPE",
        value_name = "SCOPE",
        help_heading = "Access"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_scope: Option<String>,

    /// Claim that a provider's token has to have, as a value or in a list; dots lead into claims within others
    /// [default: none]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_REQUIRED_CLAIM",
        value_name = "NAME=VALUE",
        help_heading = "Access"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_claim: Option<String>,

    /// File with the key that proves a scroll is ours; replicas need the same one [or the key in
    /// OPTIMIZE_EXPORT_SCROLL_KEY] [default: a random key per process]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_SCROLL_KEY_FILE",
        value_name = "FILE",
        help_heading = "Access"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scroll_key_file: Option<PathBuf>,

    /// How long reports and definitions are cached, in seconds; 0 for not at all [default: 5]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_CACHE_TTL",
        value_name = "SECONDS",
        help_heading = "Export"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_ttl: Option<u32>,

    /// Take Optimize's defaults for a missing limit (1000) and paginationTimeout (120) [default: false]
    #[arg(long, env = "OPTIMIZE_EXPORT_LENIENT_PARAMETERS", value_name = "BOOLEAN", num_args = 0..=1, default_missing_value = "true", help_heading = "Export")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lenient_parameters: Option<bool>,

    /// Object variables of raw rows: their values, or the placeholder of older releases [default: values]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_OBJECT_VARIABLES",
        value_name = "values|placeholder",
        help_heading = "Export"
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
    /// [default: true]
    #[arg(long, env = "OPTIMIZE_EXPORT_ASSIGNEE_ANALYTICS", value_name = "BOOLEAN", num_args = 0..=1, default_missing_value = "true", help_heading = "Export")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee_analytics: Option<bool>,

    /// Buckets per terms aggregation [default: 1000]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_AGGREGATION_BUCKET_LIMIT",
        value_name = "BUCKETS",
        help_heading = "Export"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aggregation_bucket_limit: Option<u32>,

    /// Upper bound of the parameter limit [default: 10000]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_LIMIT",
        value_name = "ROWS",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_limit: Option<u32>,

    /// Upper bound of the parameter paginationTimeout, in seconds [default: 86400]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_PAGINATION_TIMEOUT",
        value_name = "SECONDS",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pagination_timeout: Option<u32>,

    /// Exports under way at the same time; more are refused with status 429 [default: 32]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_CONCURRENT_EXPORTS",
        value_name = "NUMBER",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_exports: Option<u32>,

    /// The same for one client, known by the name of its token [default: no limit of its own]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_CONCURRENT_EXPORTS_PER_CLIENT",
        value_name = "NUMBER",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_exports_per_client: Option<u32>,

    /// Whole reports (csv, ndjson, parquet, arrow) under way at the same time; more are refused with status 429. One of csv or
    /// ndjson takes up to 32 MiB of memory, one of Parquet or Arrow up to 96 [default: 4]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_CONCURRENT_STREAMS",
        value_name = "NUMBER",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_concurrent_streams: Option<u32>,

    /// Seconds that a request waits in line when exports or whole reports are at their limit, before it is refused with status
    /// 429; 0 refuses at once [default: 10]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_QUEUE_TIMEOUT",
        value_name = "SECONDS",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_timeout: Option<u32>,

    /// Numbers of changes that a read of what has changed (since) goes back in each shard that has changed: a number is given out
    /// before its document can be found, on replicas by the length of a bulk [default: 20000]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_CHANGE_OVERLAP",
        value_name = "NUMBER",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_overlap: Option<u32>,

    /// Memory for results that aggregate, all together, in MiB; each may have half of it. Larger ones are refused with status
    /// 400, others wait a little and are refused with status 429 then. Other answers that are held as a whole (reports,
    /// definitions, names) have half as much again [default: 80]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_AGGREGATION_MEMORY",
        value_name = "MEBIBYTES",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_aggregation_memory: Option<u32>,

    /// Scroll contexts that this process keeps open at the same time, one for each shard of a report; more are refused with
    /// status 429 [default: 400]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_OPEN_SCROLLS",
        value_name = "NUMBER",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_open_scrolls: Option<u32>,

    /// Pages that may begin to be fetched before their clients ask for them; 0 fetches none ahead. None is with a scroll key
    /// [default: 4]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_PAGES_AHEAD",
        value_name = "NUMBER",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pages_ahead: Option<u32>,

    /// Mebibytes of documents that Elasticsearch may have to hold for all exports at once; more wait. The default is made for
    /// data nodes with a heap of 1 GB, of which it is a third [default: 320]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_BATCH_MEMORY",
        value_name = "MEBIBYTES",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_batch_memory: Option<u32>,

    /// Connections open at the same time; more wait until one closes. The system's limit of open files may allow fewer
    /// [default: 10000]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MAX_CONNECTIONS",
        value_name = "NUMBER",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u32>,

    /// Time for a client to send the head of a request, and for a connection to idle, in seconds [default: 60]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_HEAD_TIMEOUT",
        value_name = "SECONDS",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head_timeout: Option<u32>,

    /// Time after which a client loses its answer and its connection that reads nothing, in seconds [default: 30]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_STALL_TIMEOUT",
        value_name = "SECONDS",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stall_timeout: Option<u32>,

    /// Time for requests under way to finish when the service stops, in seconds [default: 30]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_SHUTDOWN_TIMEOUT",
        value_name = "SECONDS",
        help_heading = "Limits"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown_timeout: Option<u32>,

    /// Format of the log [default: text]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_LOG_FORMAT",
        value_name = "text|json",
        help_heading = "Service"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_format: Option<LogFormat>,

    /// What is logged, such as info or optimize_export=debug [default: info]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_LOG",
        value_name = "FILTER",
        help_heading = "Service"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

/// See [`ObjectVariables`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ObjectVariablesSetting {
    /// The stored values.
    Values,
    /// A fixed text.
    Placeholder,
}

/// Format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
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
        "the environment variable {0} is no setting of this service; see --help for those there are"
    )]
    UnknownVariable(String),
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

/// Begins the names of our environment variables.
const OWN_PREFIX: &str = "OPTIMIZE_EXPORT_";
/// Our variables that are no flags: secrets, which have no business on a command line, and the path of the file.
const SECRET_VARIABLES: [&str; 5] = [
    "ACCESS_TOKEN",
    "CLIENT_SECRET",
    "SCROLL_KEY",
    "ELASTICSEARCH_PASSWORD",
    "ELASTICSEARCH_API_KEY",
];
/// Variables of the commands that talk to a running service; one environment may be shared by all commands.
pub const CLIENT_VARIABLES: [&str; 10] = [
    "OPTIMIZE_EXPORT_URL",
    "OPTIMIZE_EXPORT_CA_FILE",
    "OPTIMIZE_EXPORT_PAGE_SIZE",
    "OPTIMIZE_EXPORT_PAGINATION_TIMEOUT",
    "OPTIMIZE_EXPORT_RETRIES",
    "OPTIMIZE_EXPORT_OAUTH_URL",
    "OPTIMIZE_EXPORT_CLIENT_ID",
    "OPTIMIZE_EXPORT_CLIENT_SECRET_FILE",
    "OPTIMIZE_EXPORT_OAUTH_AUDIENCE",
    "OPTIMIZE_EXPORT_OAUTH_SCOPE",
];
/// Kubernetes puts these into every container of a namespace with a service called `optimize-export`.
const KUBERNETES_VARIABLES: [&str; 2] = ["SERVICE_", "PORT"];

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
        let mut figment = Figment::new();
        if let Some(path) = file {
            figment = figment.merge(Serialized::defaults(from_file(path)?));
        }
        let optimize = optimize_names::settings(environment)?;
        let figment = figment
            .merge(Serialized::defaults(optimize))
            .merge(Serialized::defaults(given));
        let settings: Settings = figment
            .extract()
            .map_err(|error| ConfigError::File(error.to_string()))?;
        Self::check(settings, environment)
    }

    fn check(settings: Settings, environment: &Environment) -> Result<Self, ConfigError> {
        let max_limit = settings.max_limit.unwrap_or(MAX_LIMIT);
        if !(1..=MAX_LIMIT).contains(&max_limit) {
            return Err(wrong(
                "--max-limit",
                format!("{max_limit} is not within 1..={MAX_LIMIT}"),
            ));
        }
        let max_pagination_timeout = settings
            .max_pagination_timeout
            .unwrap_or(MAX_PAGINATION_TIMEOUT);
        if !(1..=MAX_PAGINATION_TIMEOUT).contains(&max_pagination_timeout) {
            let problem =
                format!("{max_pagination_timeout} is not within 1..={MAX_PAGINATION_TIMEOUT}");
            return Err(wrong("--max-pagination-timeout", problem));
        }
        let max_concurrent_exports = settings
            .max_concurrent_exports
            .unwrap_or(DEFAULT_MAX_CONCURRENT_EXPORTS);
        let aggregation_bucket_limit = settings
            .aggregation_bucket_limit
            .unwrap_or(DEFAULT_BUCKET_LIMIT);
        let timeout = settings.elasticsearch_timeout.unwrap_or(60);
        for (setting, value) in [
            ("--max-concurrent-exports", max_concurrent_exports),
            (
                "--max-concurrent-exports-per-client",
                settings.max_concurrent_exports_per_client.unwrap_or(1),
            ),
            (
                "--max-concurrent-streams",
                settings.max_concurrent_streams.unwrap_or(1),
            ),
            ("--max-open-scrolls", settings.max_open_scrolls.unwrap_or(1)),
            ("--max-batch-memory", settings.max_batch_memory.unwrap_or(1)),
            (
                "--max-aggregation-memory",
                settings.max_aggregation_memory.unwrap_or(1),
            ),
            ("--aggregation-bucket-limit", aggregation_bucket_limit),
            ("--elasticsearch-timeout", timeout),
            ("--max-connections", settings.max_connections.unwrap_or(1)),
            ("--head-timeout", settings.head_timeout.unwrap_or(1)),
            ("--stall-timeout", settings.stall_timeout.unwrap_or(1)),
        ] {
            if value == 0 {
                return Err(wrong(setting, "0 is not allowed; it must be at least 1"));
            }
        }
        let time_zone = settings
            .time_zone
            .as_deref()
            .map(|name| TimeZone::get(name).map_err(|error| wrong("--time-zone", error)))
            .transpose()?;
        let index_prefix = settings
            .index_prefix
            .clone()
            .unwrap_or_else(|| "optimize".to_owned());
        check_index_prefix(&index_prefix)?;
        let listen = settings
            .listen
            .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 8095)));
        let management_listen = settings
            .management_listen
            .unwrap_or(SocketAddr::from(([0, 0, 0, 0], 8096)));
        if listen == management_listen && listen.port() != 0 {
            return Err(wrong(
                "--management-listen",
                format!("{listen} is the address of --listen already"),
            ));
        }
        let scroll_key = secret(
            "--scroll-key-file",
            settings.scroll_key_file.as_deref(),
            "OPTIMIZE_EXPORT_SCROLL_KEY",
            None,
            environment,
        )?;
        if scroll_key
            .as_ref()
            .is_some_and(|key| key.expose_secret().len() < MIN_SCROLL_KEY_BYTES)
        {
            let problem = format!(
                "the scroll key is shorter than {MIN_SCROLL_KEY_BYTES} bytes and can be guessed"
            );
            return Err(wrong("--scroll-key-file", problem));
        }
        let limit_per_client = settings.max_concurrent_exports_per_client;
        let limit_per_client = limit_per_client.unwrap_or(max_concurrent_exports);
        let max_open_scrolls = settings
            .max_open_scrolls
            .unwrap_or(DEFAULT_MAX_OPEN_SCROLLS);
        Ok(Self {
            listen,
            management_listen,
            context_path: context_path(settings.context_path.as_deref().unwrap_or(""))?,
            elasticsearch: connection(&settings, environment, timeout)?,
            access_tokens: access_tokens(&settings, environment)?,
            access_token_file: settings.access_token_file.clone(),
            tls: tls(&settings)?,
            api_docs: settings.api_docs.unwrap_or(true),
            jwt: jwt(&settings)?,
            scroll_key,
            export: ExportSettings {
                index_prefix,
                cache_time_to_live: Duration::from_secs(u64::from(settings.cache_ttl.unwrap_or(5))),
                object_variables: match settings.object_variables {
                    Some(ObjectVariablesSetting::Placeholder) => ObjectVariables::Placeholder,
                    _ => ObjectVariables::Values,
                },
                time_zone,
                assignee_analytics: settings.assignee_analytics.unwrap_or(true),
                aggregation_bucket_limit,
                max_concurrent_exports: count(max_concurrent_exports),
                max_concurrent_exports_per_client: count(limit_per_client),
                change_overlap: u64::from(
                    settings.change_overlap.unwrap_or(DEFAULT_CHANGE_OVERLAP),
                ),
                max_concurrent_streams: count(
                    settings
                        .max_concurrent_streams
                        .unwrap_or(DEFAULT_MAX_CONCURRENT_STREAMS),
                ),
                scrolls: ScrollLimits {
                    max_open: count(max_open_scrolls),
                    max_prefetched: count(
                        settings.max_pages_ahead.unwrap_or(DEFAULT_MAX_PAGES_AHEAD),
                    ),
                    max_batch_bytes: u64::from(
                        settings
                            .max_batch_memory
                            .unwrap_or(DEFAULT_MAX_BATCH_MEMORY),
                    ) * MEBIBYTE,
                },
                queue_timeout: seconds(settings.queue_timeout, DEFAULT_QUEUE_TIMEOUT),
                stall_timeout: seconds(settings.stall_timeout, DEFAULT_STALL_TIMEOUT),
            },
            server: ServerLimits {
                max_connections: count(settings.max_connections.unwrap_or(DEFAULT_MAX_CONNECTIONS)),
                head_timeout: seconds(settings.head_timeout, DEFAULT_HEAD_TIMEOUT),
                stall_timeout: seconds(settings.stall_timeout, DEFAULT_STALL_TIMEOUT),
                shutdown_timeout: seconds(settings.shutdown_timeout, DEFAULT_SHUTDOWN_TIMEOUT),
            },
            parameters: ParameterRules {
                max_limit,
                max_pagination_timeout,
                lenient: settings.lenient_parameters.unwrap_or(false),
            },
            log_format: settings.log_format.unwrap_or_default(),
            log: settings.log.unwrap_or_else(|| "info".to_owned()),
        })
    }
}

/// The settings of a file. An empty one has none; a missing one, or a key that is there twice, must not look like that.
fn from_file(path: &Path) -> Result<Settings, ConfigError> {
    let error = |problem: &dyn fmt::Display| {
        ConfigError::File(format!("--config {}: {problem}", path.display()))
    };
    if path.is_dir() {
        return Err(error(
            &"it is a folder, not a file; Docker makes one where a file to mount is missing",
        ));
    }
    let text = fs::read_to_string(path).map_err(|problem| error(&problem))?;
    let settings = serde_saphyr::from_str::<Option<Settings>>(&text);
    // Its place is told, and nothing of the file: it may be another one than was meant.
    let settings = settings.map_err(|problem| error(&problem.without_snippet()))?;
    Ok(settings.unwrap_or_default())
}

fn seconds(setting: Option<u32>, default: u32) -> Duration {
    Duration::from_secs(u64::from(setting.unwrap_or(default)))
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Shortest scroll key: 128 bits.
const MIN_SCROLL_KEY_BYTES: usize = 16;

/// A misspelt variable would silently leave a default in force.
///
/// # Errors
/// Names the variable.
pub fn check_variables(environment: &Environment) -> Result<(), ConfigError> {
    use clap::{Command, CommandFactory, Parser};

    /// Only here to ask clap for the names of the variables.
    #[derive(Parser)]
    struct AllSettings {
        #[command(flatten)]
        _settings: Settings,
    }
    let command: Command = AllSettings::command();
    let known: Vec<&str> = command
        .get_arguments()
        .filter_map(|arg| arg.get_env()?.to_str())
        .collect();
    let is_known = |name: &String, rest: &str| {
        known.contains(&name.as_str())
            || CLIENT_VARIABLES.contains(&name.as_str())
            || rest == "CONFIG"
            || SECRET_VARIABLES.contains(&rest)
            || KUBERNETES_VARIABLES
                .iter()
                .any(|prefix| rest.starts_with(prefix))
    };
    let mut own = environment
        .keys()
        .filter_map(|name| Some((name, name.strip_prefix(OWN_PREFIX)?)));
    match own.find(|(name, rest)| !is_known(name, rest)) {
        Some((name, _)) => Err(ConfigError::UnknownVariable(name.clone())),
        None => Ok(()),
    }
}

/// Rules of Elasticsearch for the names that a prefix begins.
fn check_index_prefix(prefix: &str) -> Result<(), ConfigError> {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || r#"\/*?"<>|,#:"#.contains(c);
    if prefix.is_empty() || prefix.starts_with(['-', '_', '+', '.']) || prefix.contains(is_bad) {
        return Err(wrong(
            "--index-prefix",
            format!("`{prefix}` can't begin the name of an index"),
        ));
    }
    Ok(())
}

fn context_path(path: &str) -> Result<Vec<String>, ConfigError> {
    let segments: Vec<String> = path
        .split('/')
        .filter(|s| !s.is_empty())
        .map(str::to_owned)
        .collect();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
    match segments
        .iter()
        .find(|segment| !segment.chars().all(is_plain))
    {
        Some(segment) => Err(wrong(
            "--context-path",
            format!("`{segment}` is no path segment of letters, digits and -_.~"),
        )),
        None => Ok(segments),
    }
}

/// The static tokens, from their file, our variable or Optimize's. An empty variable is none, as in Optimize.
fn access_tokens(
    settings: &Settings,
    environment: &Environment,
) -> Result<Vec<NamedToken>, ConfigError> {
    const SETTING: &str = "--access-token-file";
    if let Some(file) = &settings.access_token_file {
        only_one_source(SETTING, ACCESS_TOKEN_VARIABLE, environment)?;
        return static_tokens::read_file(file).map_err(|error| wrong(SETTING, error));
    }
    let token = secret(
        SETTING,
        None,
        ACCESS_TOKEN_VARIABLE,
        Some("OPTIMIZE_API_ACCESS_TOKEN"),
        environment,
    )?;
    Ok(token.map(NamedToken::unnamed).into_iter().collect())
}

/// The certificate of the export and its key; one without the other is of no use.
fn tls(settings: &Settings) -> Result<Option<TlsFiles>, ConfigError> {
    match (&settings.tls_certificate_file, &settings.tls_key_file) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        })),
        (Some(_), None) => Err(wrong("--tls-certificate-file", "it needs --tls-key-file")),
        (None, Some(_)) => Err(wrong("--tls-key-file", "it needs --tls-certificate-file")),
    }
}

/// How tokens of a provider are verified, if there is one.
fn jwt(settings: &Settings) -> Result<Option<JwtSettings>, ConfigError> {
    let filled = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let issuer = filled(&settings.issuer);
    let keys = match (&settings.jwk_set_uri, &issuer) {
        (Some(url), _) => KeySource::KeySet(provider_url("--jwk-set-uri", url.clone())?),
        (None, Some(issuer)) => {
            let url = Url::parse(issuer).map_err(|error| {
                wrong(
                    "--issuer",
                    format!("`{issuer}` is no URL to find keys at ({error}); set --jwk-set-uri"),
                )
            })?;
            if url.query().is_some() || url.fragment().is_some() {
                return Err(wrong(
                    "--issuer",
                    "an issuer to find keys at has neither query nor fragment",
                ));
            }
            KeySource::Issuer {
                name: issuer.clone(),
                url: provider_url("--issuer", url)?,
            }
        }
        (None, None) => {
            // Without a provider these would silently not be checked; an audience has a default in Optimize's env files, and
            // those of the whole of Camunda may name a claim.
            let given = [
                ("--required-scope", &settings.required_scope),
                ("--required-claim", &settings.required_claim),
            ];
            return match given.into_iter().find(|(_, value)| value.is_some()) {
                Some((setting, _)) => Err(wrong(setting, "it needs --jwk-set-uri or --issuer")),
                None => Ok(None),
            };
        }
    };
    let required_claim = filled(&settings.required_claim)
        .map(|claim| claim.parse::<RequiredClaim>())
        .transpose()
        .map_err(|problem| wrong("--required-claim", problem))?;
    let client_claim = filled(&settings.client_claim)
        .map(|claim| claim.parse::<ClaimPath>())
        .transpose()
        .map_err(|problem| wrong("--client-claim", problem))?;
    let mut audiences: Vec<String> = (settings.audience.iter().flatten())
        .map(|audience| audience.trim().to_owned())
        .filter(|audience| !audience.is_empty())
        .collect();
    if audiences.is_empty() {
        audiences.push(DEFAULT_AUDIENCE.to_owned());
    }
    Ok(Some(JwtSettings {
        keys,
        audiences,
        issuer,
        client_claim,
        required_scope: filled(&settings.required_scope),
        required_claim,
    }))
}

/// An address of a provider of tokens.
fn provider_url(setting: &'static str, url: Url) -> Result<Url, ConfigError> {
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong(
            setting,
            "it must begin with http:// or https:// and name a host",
        ));
    }
    Ok(url)
}

/// A key of the file that had one value before it could have several.
fn one_or_several<'de, D>(deserializer: D) -> Result<Option<Vec<String>>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrSeveral {
        One(String),
        Several(Vec<String>),
    }
    Ok(
        Option::<OneOrSeveral>::deserialize(deserializer)?.map(|value| match value {
            OneOrSeveral::One(value) => vec![value],
            OneOrSeveral::Several(values) => values,
        }),
    )
}

fn connection(
    settings: &Settings,
    environment: &Environment,
    timeout: u32,
) -> Result<ConnectionSettings, ConfigError> {
    let urls = match &settings.elasticsearch_url {
        Some(urls) if !urls.is_empty() => urls.clone(),
        _ => vec![
            Url::parse("http://localhost:9200")
                .map_err(|error| wrong("--elasticsearch-url", error))?,
        ],
    };
    for url in &urls {
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong(
                "--elasticsearch-url",
                "it must begin with http:// or https:// and name a host",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "--elasticsearch-url",
                "credentials don't belong into the URL; use --elasticsearch-username and --elasticsearch-password-file",
            ));
        }
    }
    let password = secret(
        "--elasticsearch-password-file",
        settings.elasticsearch_password_file.as_deref(),
        "OPTIMIZE_EXPORT_ELASTICSEARCH_PASSWORD",
        Some(match optimize_names::database(environment)? {
            Database::Elasticsearch => "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_PASSWORD",
            Database::OpenSearch => "CAMUNDA_OPTIMIZE_OPENSEARCH_SECURITY_PASSWORD",
        }),
        environment,
    )?;
    let api_key = secret(
        "--elasticsearch-api-key-file",
        settings.elasticsearch_api_key_file.as_deref(),
        "OPTIMIZE_EXPORT_ELASTICSEARCH_API_KEY",
        None,
        environment,
    )?;
    let username = settings
        .elasticsearch_username
        .clone()
        .filter(|name| !name.is_empty());
    let signing = signing(settings)?;
    let credentials = match (username, password, api_key) {
        (_, _, Some(_)) if signing.is_some() => {
            return Err(wrong(
                "--elasticsearch-aws-signing",
                "there can't be an API key besides a signature",
            ));
        }
        // Env files of Optimize may have both, and it sends the signature alone then (class `OpenSearchClientBuilder`).
        _ if signing.is_some() => Credentials::None,
        (None, None, None) => Credentials::None,
        (Some(user), Some(password), None) => Credentials::Basic(user, password),
        (None, None, Some(key)) => Credentials::ApiKey(key),
        (Some(_), None, None) => {
            return Err(wrong(
                "--elasticsearch-username",
                "there is no password for it",
            ));
        }
        (None, Some(_), None) => {
            return Err(wrong(
                "--elasticsearch-password-file",
                "there is no user name for it",
            ));
        }
        _ => {
            return Err(wrong(
                "--elasticsearch-api-key-file",
                "there can't be a user name or password besides an API key",
            ));
        }
    };
    let secret_file = match &credentials {
        Credentials::None => None,
        Credentials::Basic(..) => settings.elasticsearch_password_file.clone(),
        Credentials::ApiKey(_) => settings.elasticsearch_api_key_file.clone(),
    };
    Ok(ConnectionSettings {
        urls,
        credentials,
        secret_file,
        signing,
        tls: elasticsearch_tls(settings)?,
        timeout: Duration::from_secs(u64::from(timeout)),
        memory: count(
            settings
                .max_aggregation_memory
                .unwrap_or(DEFAULT_MAX_AGGREGATION_MEMORY),
        )
        .saturating_mul(1024 * 1024),
    })
}

/// How requests are signed, if they are.
fn signing(settings: &Settings) -> Result<Option<SigningSettings>, ConfigError> {
    let region = settings
        .elasticsearch_aws_region
        .clone()
        .filter(|region| !region.is_empty());
    if settings.elasticsearch_aws_signing != Some(true) {
        return match region {
            Some(_) => Err(wrong(
                "--elasticsearch-aws-region",
                "it needs --elasticsearch-aws-signing",
            )),
            None => Ok(None),
        };
    }
    if !cfg!(feature = "aws") {
        return Err(wrong(
            "--elasticsearch-aws-signing",
            "this program was built without the feature `aws`",
        ));
    }
    Ok(Some(SigningSettings { region }))
}

/// A secret that is given by a file must not be given by our variable too.
fn only_one_source(
    setting: &'static str,
    own_variable: &'static str,
    environment: &Environment,
) -> Result<(), ConfigError> {
    match environment
        .get(own_variable)
        .filter(|value| !value.is_empty())
    {
        Some(_) => Err(wrong(
            setting,
            format!("the environment variable {own_variable} is set too; use one of them"),
        )),
        None => Ok(()),
    }
}

/// How TLS connections to Elasticsearch are made.
fn elasticsearch_tls(settings: &Settings) -> Result<TlsSettings, ConfigError> {
    let read = |setting: &'static str, path: &PathBuf| {
        fs::read(path).map_err(|error| wrong(setting, format!("{}: {error}", path.display())))
    };
    let read_all = |setting: &'static str, paths: &Option<Vec<PathBuf>>| {
        paths
            .iter()
            .flatten()
            .map(|path| read(setting, path))
            .collect::<Result<Vec<_>, _>>()
    };
    let certificate_setting = "--elasticsearch-client-certificate-file";
    let key_setting = "--elasticsearch-client-key-file";
    let client_certificate = match (
        &settings.elasticsearch_client_certificate_file,
        &settings.elasticsearch_client_key_file,
    ) {
        (None, None) => None,
        (Some(certificate), Some(key)) => Some(ClientCertificate {
            certificate: read(certificate_setting, certificate)?,
            key: read_secret(key).map_err(|problem| wrong(key_setting, problem))?,
        }),
        (Some(_), None) => {
            return Err(wrong(
                certificate_setting,
                format!("it needs {key_setting}"),
            ));
        }
        (None, Some(_)) => {
            return Err(wrong(
                key_setting,
                format!("it needs {certificate_setting}"),
            ));
        }
    };
    // Optimize's env files may have both switches; the one that asks for less is what it does then.
    let verification = if settings.elasticsearch_accept_invalid_certificates == Some(true) {
        Verification::None
    } else if settings.elasticsearch_skip_hostname_verification == Some(true) {
        Verification::WithoutHostName
    } else {
        Verification::Full
    };
    Ok(TlsSettings {
        certificate_authorities: read_all(
            "--elasticsearch-ca-file",
            &settings.elasticsearch_ca_file,
        )?,
        server_certificates: read_all(
            "--elasticsearch-server-certificate-file",
            &settings.elasticsearch_server_certificate_file,
        )?,
        client_certificate,
        verification,
    })
}

/// A secret from its file, our variable or Optimize's. An empty one is none, as in Optimize.
fn secret(
    setting: &'static str,
    file: Option<&Path>,
    own_variable: &'static str,
    optimize_variable: Option<&str>,
    environment: &Environment,
) -> Result<Option<SecretString>, ConfigError> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let from_file = file
        .map(|path| read_secret(path).map_err(|problem| wrong(setting, problem)))
        .transpose()?;
    if from_file.is_some() {
        only_one_source(setting, own_variable, environment)?;
    }
    let from_environment = || {
        let value = variable(own_variable).or_else(|| optimize_variable.and_then(variable))?;
        Some(SecretString::from(value.as_str()))
    };
    Ok(from_file.or_else(from_environment))
}

#[cfg(test)]
mod tests;
