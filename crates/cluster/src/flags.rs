//! The flags of what a connection is made of, as messages name them. Whoever reads the settings has flags of these names.

/// The nodes.
pub const ELASTICSEARCH_URL: &str = "--elasticsearch-url";
/// Authorities besides the public ones.
pub const ELASTICSEARCH_CA_FILE: &str = "--elasticsearch-ca-file";
/// Certificates of servers that are trusted as they are.
pub const ELASTICSEARCH_SERVER_CERTIFICATE_FILE: &str = "--elasticsearch-server-certificate-file";
/// Our own certificate.
pub const ELASTICSEARCH_CLIENT_CERTIFICATE_FILE: &str = "--elasticsearch-client-certificate-file";
/// Its key.
pub const ELASTICSEARCH_CLIENT_KEY_FILE: &str = "--elasticsearch-client-key-file";
/// Certificates for another host name are accepted.
pub const ELASTICSEARCH_SKIP_HOSTNAME_VERIFICATION: &str =
    "--elasticsearch-skip-hostname-verification";
/// Any certificate is accepted.
pub const ELASTICSEARCH_ACCEPT_INVALID_CERTIFICATES: &str =
    "--elasticsearch-accept-invalid-certificates";
/// The region that requests are signed for.
pub const ELASTICSEARCH_AWS_REGION: &str = "--elasticsearch-aws-region";
/// What answers may take of the service's memory.
pub const MAX_AGGREGATION_MEMORY: &str = "--max-aggregation-memory";
