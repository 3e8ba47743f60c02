//! How Elasticsearch is reached, and where in it Optimize's indices are.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use cluster::credentials::read_secret;
use cluster::tls::{ClientCertificate, TlsSettings, Verification};
use cluster::{ConnectionSettings, Credentials, SigningSettings};
use serde::{Deserialize, Serialize};
use url::Url;

use super::default_in_help::DefaultInHelp;
use super::lists::one_or_several;
use super::optimize_names::{self, Database};
use super::secrets::secret;
use super::{ConfigError, Environment, at_least_one, check_url, seconds, wrong};
use crate::flags;

const DEFAULT_ELASTICSEARCH_URL: &str = "http://localhost:9200";
const DEFAULT_SKIP_HOSTNAME_VERIFICATION: bool = false;
const DEFAULT_ACCEPT_INVALID_CERTIFICATES: bool = false;
const DEFAULT_AWS_SIGNING: bool = false;
/// Seconds that Elasticsearch may take.
const DEFAULT_ELASTICSEARCH_TIMEOUT: u32 = 60;
/// Optimize's default.
const DEFAULT_INDEX_PREFIX: &str = "optimize";

/// Settings of the connection to Elasticsearch.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ElasticsearchSettings {
    /// URLs of Elasticsearch or OpenSearch nodes; a path is put in front of every request. With
    /// CAMUNDA_OPTIMIZE_DATABASE=opensearch Optimize's variables for OpenSearch count, CAMUNDA_OPTIMIZE_OPENSEARCH_…, in place of
    /// those for Elasticsearch [also: OPTIMIZE_ELASTICSEARCH_HOST, OPTIMIZE_ELASTICSEARCH_HTTP_PORT,
    /// CAMUNDA_OPTIMIZE_ELASTICSEARCH_SSL_ENABLED]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ELASTICSEARCH_URL",
        value_name = "URL",
        value_delimiter = ',',
        help_heading = "Elasticsearch",
        default_is = DEFAULT_ELASTICSEARCH_URL
    )]
    #[serde(
        default,
        deserialize_with = "one_or_several",
        skip_serializing_if = "Option::is_none"
    )]
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
    #[serde(
        default,
        deserialize_with = "one_or_several",
        skip_serializing_if = "Option::is_none"
    )]
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
    #[serde(
        default,
        deserialize_with = "one_or_several",
        skip_serializing_if = "Option::is_none"
    )]
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
    /// CAMUNDA_OPTIMIZE_ELASTICSEARCH_CONNECTION_SKIP_HOSTNAME_VERIFICATION]
    #[arg(long, env = "OPTIMIZE_EXPORT_ELASTICSEARCH_SKIP_HOSTNAME_VERIFICATION", value_name = "BOOLEAN", num_args = 0..=1, default_missing_value = "true", help_heading = "Elasticsearch", default_is = DEFAULT_SKIP_HOSTNAME_VERIFICATION)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_skip_hostname_verification: Option<bool>,

    /// Accept any certificate [also: CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_SELF_SIGNED]
    #[arg(long, env = "OPTIMIZE_EXPORT_ELASTICSEARCH_ACCEPT_INVALID_CERTIFICATES", value_name = "BOOLEAN", num_args = 0..=1, default_missing_value = "true", help_heading = "Elasticsearch", default_is = DEFAULT_ACCEPT_INVALID_CERTIFICATES)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_accept_invalid_certificates: Option<bool>,

    /// Sign requests for Amazon OpenSearch Service, with credentials that are found as AWS's own tools find them; user name and
    /// password are not sent then [also: CAMUNDA_OPTIMIZE_OPENSEARCH_AWS_ENABLED]
    #[arg(long, env = "OPTIMIZE_EXPORT_ELASTICSEARCH_AWS_SIGNING", value_name = "BOOLEAN", num_args = 0..=1, default_missing_value = "true", help_heading = "Elasticsearch", default_is = DEFAULT_AWS_SIGNING)]
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

    /// Longest wait for Elasticsearch, in seconds
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ELASTICSEARCH_TIMEOUT",
        value_name = "SECONDS",
        help_heading = "Elasticsearch",
        default_is = DEFAULT_ELASTICSEARCH_TIMEOUT
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elasticsearch_timeout: Option<u32>,

    /// Complete prefix of Optimize's indices [also: CAMUNDA_OPTIMIZE_ELASTICSEARCH_SETTINGS_INDEX_PREFIX]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_INDEX_PREFIX",
        value_name = "PREFIX",
        help_heading = "Elasticsearch",
        default_is = DEFAULT_INDEX_PREFIX
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index_prefix: Option<String>,
}

impl ElasticsearchSettings {
    /// The prefix of Optimize's indices.
    pub(super) fn index_prefix(&self) -> Result<String, ConfigError> {
        let prefix = self.index_prefix.as_deref().unwrap_or(DEFAULT_INDEX_PREFIX);
        check_index_prefix(prefix)?;
        Ok(prefix.to_owned())
    }

    /// The connection. Answers that are held as a whole may take so many bytes of memory.
    pub(super) fn connection(
        &self,
        environment: &Environment,
        memory: usize,
    ) -> Result<ConnectionSettings, ConfigError> {
        at_least_one(flags::ELASTICSEARCH_TIMEOUT, self.elasticsearch_timeout)?;
        let urls = match &self.elasticsearch_url {
            Some(urls) if !urls.is_empty() => urls.clone(),
            _ => vec![
                Url::parse(DEFAULT_ELASTICSEARCH_URL)
                    .map_err(|error| wrong(flags::ELASTICSEARCH_URL, error))?,
            ],
        };
        for url in &urls {
            check_url(flags::ELASTICSEARCH_URL, url)?;
            if !url.username().is_empty() || url.password().is_some() {
                return Err(wrong(
                    flags::ELASTICSEARCH_URL,
                    format!(
                        "credentials don't belong into the URL; use {} and {}",
                        flags::ELASTICSEARCH_USERNAME,
                        flags::ELASTICSEARCH_PASSWORD_FILE
                    ),
                ));
            }
        }
        let password = secret(
            flags::ELASTICSEARCH_PASSWORD_FILE,
            self.elasticsearch_password_file.as_deref(),
            "OPTIMIZE_EXPORT_ELASTICSEARCH_PASSWORD",
            Some(match optimize_names::database(environment)? {
                Database::Elasticsearch => "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_PASSWORD",
                Database::OpenSearch => "CAMUNDA_OPTIMIZE_OPENSEARCH_SECURITY_PASSWORD",
            }),
            environment,
        )?;
        let api_key = secret(
            flags::ELASTICSEARCH_API_KEY_FILE,
            self.elasticsearch_api_key_file.as_deref(),
            "OPTIMIZE_EXPORT_ELASTICSEARCH_API_KEY",
            None,
            environment,
        )?;
        let username = self
            .elasticsearch_username
            .clone()
            .filter(|name| !name.is_empty());
        let signing = self.signing()?;
        let credentials = match (username, password, api_key) {
            (_, _, Some(_)) if signing.is_some() => {
                return Err(wrong(
                    flags::ELASTICSEARCH_AWS_SIGNING,
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
                    flags::ELASTICSEARCH_USERNAME,
                    "there is no password for it",
                ));
            }
            (None, Some(_), None) => {
                return Err(wrong(
                    flags::ELASTICSEARCH_PASSWORD_FILE,
                    "there is no user name for it",
                ));
            }
            _ => {
                return Err(wrong(
                    flags::ELASTICSEARCH_API_KEY_FILE,
                    "there can't be a user name or password besides an API key",
                ));
            }
        };
        let secret_file = match &credentials {
            Credentials::None => None,
            Credentials::Basic(..) => self.elasticsearch_password_file.clone(),
            Credentials::ApiKey(_) => self.elasticsearch_api_key_file.clone(),
        };
        Ok(ConnectionSettings {
            urls,
            credentials,
            secret_file,
            signing,
            tls: self.tls()?,
            timeout: seconds(self.elasticsearch_timeout, DEFAULT_ELASTICSEARCH_TIMEOUT),
            memory,
        })
    }

    /// How requests are signed, if they are.
    fn signing(&self) -> Result<Option<SigningSettings>, ConfigError> {
        let region = self
            .elasticsearch_aws_region
            .clone()
            .filter(|region| !region.is_empty());
        if !(self.elasticsearch_aws_signing).unwrap_or(DEFAULT_AWS_SIGNING) {
            return match region {
                Some(_) => Err(wrong(
                    flags::ELASTICSEARCH_AWS_REGION,
                    format!("it needs {}", flags::ELASTICSEARCH_AWS_SIGNING),
                )),
                None => Ok(None),
            };
        }
        if !cfg!(feature = "aws") {
            return Err(wrong(
                flags::ELASTICSEARCH_AWS_SIGNING,
                "this program was built without the feature `aws`",
            ));
        }
        Ok(Some(SigningSettings { region }))
    }

    /// How TLS connections to Elasticsearch are made.
    fn tls(&self) -> Result<TlsSettings, ConfigError> {
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
        let certificate_setting = flags::ELASTICSEARCH_CLIENT_CERTIFICATE_FILE;
        let key_setting = flags::ELASTICSEARCH_CLIENT_KEY_FILE;
        let client_certificate = match (
            &self.elasticsearch_client_certificate_file,
            &self.elasticsearch_client_key_file,
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
        let accepts_any = (self.elasticsearch_accept_invalid_certificates)
            .unwrap_or(DEFAULT_ACCEPT_INVALID_CERTIFICATES);
        let skips_name = (self.elasticsearch_skip_hostname_verification)
            .unwrap_or(DEFAULT_SKIP_HOSTNAME_VERIFICATION);
        // Optimize's env files may have both switches; the one that asks for less is what it does then.
        let verification = if accepts_any {
            Verification::None
        } else if skips_name {
            Verification::WithoutHostName
        } else {
            Verification::Full
        };
        Ok(TlsSettings {
            certificate_authorities: read_all(
                flags::ELASTICSEARCH_CA_FILE,
                &self.elasticsearch_ca_file,
            )?,
            server_certificates: read_all(
                flags::ELASTICSEARCH_SERVER_CERTIFICATE_FILE,
                &self.elasticsearch_server_certificate_file,
            )?,
            client_certificate,
            verification,
        })
    }
}

/// Rules of Elasticsearch for the names that a prefix begins.
fn check_index_prefix(prefix: &str) -> Result<(), ConfigError> {
    let is_bad = |c: char| c.is_whitespace() || c.is_control() || r#"\/*?"<>|,#:"#.contains(c);
    if prefix.is_empty() || prefix.starts_with(['-', '_', '+', '.']) || prefix.contains(is_bad) {
        return Err(wrong(
            flags::INDEX_PREFIX,
            format!("`{prefix}` can't begin the name of an index"),
        ));
    }
    Ok(())
}
