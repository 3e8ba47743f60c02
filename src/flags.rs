//! The flags of the service's settings, as messages name them. The room `config` defines them, and uses most rooms; what messages
//! of those say is therefore here, below all of them. A test of `config` compares them with the flags that there are.

pub use cluster::flags::*;

/// Address of the export.
pub const LISTEN: &str = "--listen";
/// Address of health checks.
pub const MANAGEMENT_LISTEN: &str = "--management-listen";
/// The export's certificate.
pub const TLS_CERTIFICATE_FILE: &str = "--tls-certificate-file";
/// Its key.
pub const TLS_KEY_FILE: &str = "--tls-key-file";
/// Path in front of everything.
pub const CONTEXT_PATH: &str = "--context-path";
/// User name at Elasticsearch.
pub const ELASTICSEARCH_USERNAME: &str = "--elasticsearch-username";
/// The password.
pub const ELASTICSEARCH_PASSWORD_FILE: &str = "--elasticsearch-password-file";
/// An API key in their place.
pub const ELASTICSEARCH_API_KEY_FILE: &str = "--elasticsearch-api-key-file";
/// Requests are signed.
pub const ELASTICSEARCH_AWS_SIGNING: &str = "--elasticsearch-aws-signing";
/// Longest wait for Elasticsearch.
pub const ELASTICSEARCH_TIMEOUT: &str = "--elasticsearch-timeout";
/// Prefix of Optimize's indices.
pub const INDEX_PREFIX: &str = "--index-prefix";
/// Tokens that clients present.
pub const ACCESS_TOKEN_FILE: &str = "--access-token-file";
/// Who may export what.
pub const ACCESS_RULES_FILE: &str = "--access-rules-file";
/// Keys of a provider's tokens.
pub const JWK_SET_URI: &str = "--jwk-set-uri";
/// Issuer of its tokens.
pub const ISSUER: &str = "--issuer";
/// Claim that names the client.
pub const CLIENT_CLAIM: &str = "--client-claim";
/// Scope that a token has to have.
pub const REQUIRED_SCOPE: &str = "--required-scope";
/// Claim that a token has to have.
pub const REQUIRED_CLAIM: &str = "--required-claim";
/// Key that proves a scroll is ours.
pub const SCROLL_KEY_FILE: &str = "--scroll-key-file";
/// Zone of dates.
pub const TIME_ZONE: &str = "--time-zone";
/// Buckets per aggregation.
pub const AGGREGATION_BUCKET_LIMIT: &str = "--aggregation-bucket-limit";
/// Bound of the parameter `limit`.
pub const MAX_LIMIT: &str = "--max-limit";
/// Bound of the parameter `paginationTimeout`.
pub const MAX_PAGINATION_TIMEOUT: &str = "--max-pagination-timeout";
/// Exports at the same time.
pub const MAX_CONCURRENT_EXPORTS: &str = "--max-concurrent-exports";
/// The same for one client.
pub const MAX_CONCURRENT_EXPORTS_PER_CLIENT: &str = "--max-concurrent-exports-per-client";
/// Whole reports at the same time.
pub const MAX_CONCURRENT_STREAMS: &str = "--max-concurrent-streams";
/// Scroll contexts at the same time.
pub const MAX_OPEN_SCROLLS: &str = "--max-open-scrolls";
/// What Elasticsearch may hold for exports.
pub const MAX_BATCH_MEMORY: &str = "--max-batch-memory";
/// Connections at the same time.
pub const MAX_CONNECTIONS: &str = "--max-connections";
/// Time for the head of a request.
pub const HEAD_TIMEOUT: &str = "--head-timeout";
/// Time for a client that reads nothing.
pub const STALL_TIMEOUT: &str = "--stall-timeout";
/// What is logged.
pub const LOG: &str = "--log";
