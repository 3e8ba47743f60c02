//! Optimize's own environment variables, so that one env file can serve both containers
//! (crates/optimize/docs/releases.md, "Environment variables").

use url::Url;

use super::{
    AccessSettings, AnswerSettings, ConfigError, ElasticsearchSettings, Environment,
    ServiceSettings, Settings, wrong,
};

/// What Optimize writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Database {
    Elasticsearch,
    OpenSearch,
}

/// The database that Optimize is configured for. The variables of the other one may be there, and don't count.
pub(super) fn database(environment: &Environment) -> Result<Database, ConfigError> {
    const NAME: &str = "CAMUNDA_OPTIMIZE_DATABASE";
    let name = environment.get(NAME).map_or("", String::as_str);
    match name.to_ascii_lowercase().as_str() {
        "" | "elasticsearch" => Ok(Database::Elasticsearch),
        "opensearch" => Ok(Database::OpenSearch),
        _ => Err(wrong(
            NAME,
            format!("`{name}` is neither elasticsearch nor opensearch"),
        )),
    }
}

/// The names of the variables of a database. They differ in more than a prefix: Optimize's oldest ones go back to before it
/// had one (crates/optimize/docs/releases.md, "Environment variables").
struct Names {
    host: &'static str,
    port: &'static str,
    tls: &'static str,
    username: &'static str,
    certificate_authorities: &'static str,
    certificate: &'static str,
    skip_host_name: &'static str,
    self_signed: &'static str,
    index_prefix: &'static str,
}

const ELASTICSEARCH: Names = Names {
    host: "OPTIMIZE_ELASTICSEARCH_HOST",
    port: "OPTIMIZE_ELASTICSEARCH_HTTP_PORT",
    tls: "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SSL_ENABLED",
    username: "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_USERNAME",
    certificate_authorities: "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_CERTIFICATE_AUTHORITIES",
    certificate: "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_CERTIFICATE",
    skip_host_name: "CAMUNDA_OPTIMIZE_ELASTICSEARCH_CONNECTION_SKIP_HOSTNAME_VERIFICATION",
    self_signed: "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_SELF_SIGNED",
    index_prefix: "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SETTINGS_INDEX_PREFIX",
};

const OPENSEARCH: Names = Names {
    host: "CAMUNDA_OPTIMIZE_OPENSEARCH_HOST",
    port: "CAMUNDA_OPTIMIZE_OPENSEARCH_HTTP_PORT",
    tls: "CAMUNDA_OPTIMIZE_OPENSEARCH_SSL_ENABLED",
    username: "CAMUNDA_OPTIMIZE_OPENSEARCH_SECURITY_USERNAME",
    certificate_authorities: "CAMUNDA_OPTIMIZE_OPENSEARCH_SECURITY_SSL_CERTIFICATE_AUTHORITIES",
    certificate: "CAMUNDA_OPTIMIZE_OPENSEARCH_SECURITY_SSL_CERTIFICATE",
    skip_host_name: "CAMUNDA_OPTIMIZE_OPENSEARCH_CONNECTION_SKIP_HOSTNAME_VERIFICATION",
    self_signed: "CAMUNDA_OPTIMIZE_OPENSEARCH_SECURITY_SSL_SELF_SIGNED",
    index_prefix: "CAMUNDA_OPTIMIZE_OPENSEARCH_SETTINGS_INDEX_PREFIX",
};

/// The settings that Optimize's variables make.
pub(super) fn settings(environment: &Environment) -> Result<Settings, ConfigError> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let boolean = |name: &'static str| -> Result<Option<bool>, ConfigError> {
        let Some(text) = variable(name) else {
            return Ok(None);
        };
        match text.to_ascii_lowercase().as_str() {
            "true" => Ok(Some(true)),
            "false" => Ok(Some(false)),
            _ => Err(wrong(name, format!("`{text}` is neither true nor false"))),
        }
    };
    let (names, aws_signing) = match database(environment)? {
        Database::Elasticsearch => (ELASTICSEARCH, None),
        Database::OpenSearch => (
            OPENSEARCH,
            boolean("CAMUNDA_OPTIMIZE_OPENSEARCH_AWS_ENABLED")?,
        ),
    };
    let elasticsearch = ElasticsearchSettings {
        elasticsearch_url: if aws_signing == Some(true) {
            aws_url(&names, environment)?
        } else {
            database_url(&names, environment, boolean(names.tls)?)?
        },
        elasticsearch_aws_signing: aws_signing,
        elasticsearch_username: variable(names.username).cloned(),
        elasticsearch_ca_file: variable(names.certificate_authorities)
            .map(|list| list.split(',').map(|path| path.trim().into()).collect()),
        // Optimize puts it into its trust store as it is (class `ElasticsearchClientBuilder`).
        elasticsearch_server_certificate_file: variable(names.certificate)
            .map(|path| vec![path.into()]),
        elasticsearch_skip_hostname_verification: boolean(names.skip_host_name)?,
        elasticsearch_accept_invalid_certificates: boolean(names.self_signed)?,
        index_prefix: variable(names.index_prefix).cloned(),
        ..ElasticsearchSettings::default()
    };
    let access = AccessSettings {
        // The names of 8.10 win over the older ones (crates/optimize/docs/releases.md, "Sign-in of 8.10").
        jwk_set_uri: match url(variable, "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_JWKSETURI")? {
            None => url(
                variable,
                "SPRING_SECURITY_OAUTH2_RESOURCESERVER_JWT_JWK_SET_URI",
            )?,
            newer => newer,
        },
        issuer: variable("CAMUNDA_SECURITY_AUTHENTICATION_OIDC_ISSUERURI").cloned(),
        audience: list(
            environment,
            "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_AUDIENCES",
        )
        .or_else(|| Some(vec![variable("CAMUNDA_OPTIMIZE_API_AUDIENCE")?.clone()])),
        client_claim: variable("CAMUNDA_SECURITY_AUTHENTICATION_OIDC_CLIENTIDCLAIM").cloned(),
        ..AccessSettings::default()
    };
    Ok(Settings {
        service: ServiceSettings {
            context_path: variable("CAMUNDA_OPTIMIZE_CONTEXT_PATH").cloned(),
            ..ServiceSettings::default()
        },
        elasticsearch,
        access,
        answers: AnswerSettings {
            assignee_analytics: boolean(
                "CAMUNDA_OPTIMIZE_UI_USER_TASK_ASSIGNEE_ANALYTICS_ENABLED",
            )?,
            ..AnswerSettings::default()
        },
        ..Settings::default()
    })
}

/// A list as Spring reads it: with commas, or one variable for each of its values, `NAME_0` and so on.
fn list(environment: &Environment, name: &str) -> Option<Vec<String>> {
    let filled = |value: &&String| !value.is_empty();
    let with_commas = environment.get(name).filter(filled);
    let values: Vec<String> = match with_commas {
        Some(text) => text.split(',').map(|value| value.trim().into()).collect(),
        None => (0..)
            .map_while(|number: u32| environment.get(&format!("{name}_{number}")).filter(filled))
            .cloned()
            .collect(),
    };
    (!values.is_empty()).then_some(values)
}

fn url<'e>(
    variable: impl Fn(&str) -> Option<&'e String>,
    name: &'static str,
) -> Result<Option<Url>, ConfigError> {
    let parse = |text: &String| Url::parse(text).map_err(|error| wrong(name, error));
    variable(name).map(parse).transpose()
}

/// Optimize names host and port apart, and TLS by a switch.
fn database_url(
    names: &Names,
    environment: &Environment,
    tls: Option<bool>,
) -> Result<Option<Vec<Url>>, ConfigError> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let (host, port) = (variable(names.host), variable(names.port));
    if host.is_none() && port.is_none() && tls.is_none() {
        return Ok(None);
    }
    let scheme = if tls == Some(true) { "https" } else { "http" };
    let host = host.map_or("localhost", String::as_str);
    let port = port.map_or("9200", String::as_str);
    let url = Url::parse(&format!("{scheme}://{host}:{port}"))
        .map_err(|error| wrong(names.host, format!("`{host}` with port `{port}`: {error}")))?;
    Ok(Some(vec![url]))
}

/// Where Optimize signs requests, it makes them by HTTPS to the host alone: neither port nor switch count (`getAwsTransport` of
/// `OpenSearchClientBuilder` in camunda/camunda, `AwsSdk2Transport` of opensearch-java).
fn aws_url(names: &Names, environment: &Environment) -> Result<Option<Vec<Url>>, ConfigError> {
    let host = environment
        .get(names.host)
        .filter(|value| !value.is_empty());
    let Some(host) = host else { return Ok(None) };
    let url = Url::parse(&format!("https://{host}"))
        .map_err(|error| wrong(names.host, format!("`{host}`: {error}")))?;
    Ok(Some(vec![url]))
}
