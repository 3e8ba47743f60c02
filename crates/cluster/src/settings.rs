//! What else can be set of connections, and what can be wrong with their settings.

use super::flags;

/// How requests are signed for Amazon OpenSearch Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningSettings {
    /// The region; without one it is found as AWS's own tools find it.
    pub region: Option<String>,
}

/// Settings from which no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A certificate authority can't be used.
    #[error("{flag}: {0}", flag = flags::ELASTICSEARCH_CA_FILE)]
    CertificateAuthority(String),
    /// The certificate of a server can't be used.
    #[error("{flag}: {0}", flag = flags::ELASTICSEARCH_SERVER_CERTIFICATE_FILE)]
    ServerCertificate(String),
    /// Our own certificate or its key can't be used.
    #[error(
        "{certificate}, {key}: {0}",
        certificate = flags::ELASTICSEARCH_CLIENT_CERTIFICATE_FILE,
        key = flags::ELASTICSEARCH_CLIENT_KEY_FILE
    )]
    ClientCertificate(String),
    /// TLS can't be set up for another reason.
    #[error("TLS towards Elasticsearch can't be set up: {0}")]
    Tls(String),
    /// An API key holds characters that no header can carry.
    #[error("the Elasticsearch API key holds characters that can't be sent")]
    ApiKey,
}
