//! Where the service listens, and how its addresses look.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::default_in_help::DefaultInHelp;
use super::{ConfigError, wrong};
use crate::flags;
use crate::http::tls::TlsFiles;

/// Where the export is, if nothing else is said.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8095);
/// Where health checks are, if nothing else is said.
pub const DEFAULT_MANAGEMENT_LISTEN: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8096);
const DEFAULT_API_DOCS: bool = true;

/// Settings of the addresses that clients see.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ServiceSettings {
    /// Address of the export
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_LISTEN",
        value_name = "ADDRESS",
        help_heading = "Service",
        default_is = DEFAULT_LISTEN
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<SocketAddr>,

    /// Address of health checks, without a token
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_MANAGEMENT_LISTEN",
        value_name = "ADDRESS",
        help_heading = "Service",
        default_is = DEFAULT_MANAGEMENT_LISTEN
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

    /// Serve a page for people at /, the OpenAPI document at /api/openapi.json, and a page to try it at /api/docs
    #[arg(long, env = "OPTIMIZE_EXPORT_API_DOCS", value_name = "BOOLEAN", num_args = 0..=1, default_missing_value = "true", help_heading = "Service", default_is = DEFAULT_API_DOCS)]
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
}

impl ServiceSettings {
    /// The addresses of the export and of health checks.
    pub(super) fn addresses(&self) -> Result<(SocketAddr, SocketAddr), ConfigError> {
        let listen = self.listen.unwrap_or(DEFAULT_LISTEN);
        let management_listen = self.management_listen.unwrap_or(DEFAULT_MANAGEMENT_LISTEN);
        if listen == management_listen && listen.port() != 0 {
            return Err(wrong(
                flags::MANAGEMENT_LISTEN,
                format!("{listen} is the address of {} already", flags::LISTEN),
            ));
        }
        Ok((listen, management_listen))
    }

    /// The path segments in front of `api`.
    pub(super) fn context_path(&self) -> Result<Vec<String>, ConfigError> {
        context_path(self.context_path.as_deref().unwrap_or(""))
    }

    pub(super) fn api_docs(&self) -> bool {
        self.api_docs.unwrap_or(DEFAULT_API_DOCS)
    }

    /// The certificate of the export and its key; one without the other is of no use.
    pub(super) fn tls(&self) -> Result<Option<TlsFiles>, ConfigError> {
        match (&self.tls_certificate_file, &self.tls_key_file) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles {
                certificate: certificate.clone(),
                key: key.clone(),
            })),
            (Some(_), None) => Err(wrong(
                flags::TLS_CERTIFICATE_FILE,
                format!("it needs {}", flags::TLS_KEY_FILE),
            )),
            (None, Some(_)) => Err(wrong(
                flags::TLS_KEY_FILE,
                format!("it needs {}", flags::TLS_CERTIFICATE_FILE),
            )),
        }
    }
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
            flags::CONTEXT_PATH,
            format!("`{segment}` is no path segment of letters, digits and -_.~"),
        )),
        None => Ok(segments),
    }
}
