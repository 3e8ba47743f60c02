//! Optimize's own environment variables, so that one env file can serve both containers (fact file C, section 10).

use url::Url;

use super::{ConfigError, Environment, Settings, wrong};

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
    Ok(Settings {
        context_path: variable("CAMUNDA_OPTIMIZE_CONTEXT_PATH").cloned(),
        elasticsearch_url: elasticsearch_url(
            environment,
            boolean("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SSL_ENABLED")?,
        )?,
        elasticsearch_username: variable("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_USERNAME")
            .cloned(),
        elasticsearch_ca_file: variable(
            "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_CERTIFICATE_AUTHORITIES",
        )
        .map(|list| list.split(',').map(|path| path.trim().into()).collect()),
        // Optimize puts it into its trust store as it is (class `ElasticsearchClientBuilder`).
        elasticsearch_server_certificate_file: variable(
            "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_CERTIFICATE",
        )
        .map(|path| vec![path.into()]),
        elasticsearch_skip_hostname_verification: boolean(
            "CAMUNDA_OPTIMIZE_ELASTICSEARCH_CONNECTION_SKIP_HOSTNAME_VERIFICATION",
        )?,
        elasticsearch_accept_invalid_certificates: boolean(
            "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_SELF_SIGNED",
        )?,
        jwk_set_uri: url(
            variable,
            "SPRING_SECURITY_OAUTH2_RESOURCESERVER_JWT_JWK_SET_URI",
        )?,
        audience: variable("CAMUNDA_OPTIMIZE_API_AUDIENCE").cloned(),
        index_prefix: variable("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SETTINGS_INDEX_PREFIX").cloned(),
        assignee_analytics: boolean("CAMUNDA_OPTIMIZE_UI_USER_TASK_ASSIGNEE_ANALYTICS_ENABLED")?,
        ..Settings::default()
    })
}

fn url<'e>(
    variable: impl Fn(&str) -> Option<&'e String>,
    name: &'static str,
) -> Result<Option<Url>, ConfigError> {
    let parse = |text: &String| Url::parse(text).map_err(|error| wrong(name, error));
    variable(name).map(parse).transpose()
}

/// Optimize names host and port apart, and TLS by a switch.
fn elasticsearch_url(
    environment: &Environment,
    tls: Option<bool>,
) -> Result<Option<Vec<Url>>, ConfigError> {
    let host = environment
        .get("OPTIMIZE_ELASTICSEARCH_HOST")
        .filter(|value| !value.is_empty());
    let port = environment
        .get("OPTIMIZE_ELASTICSEARCH_HTTP_PORT")
        .filter(|value| !value.is_empty());
    if host.is_none() && port.is_none() && tls.is_none() {
        return Ok(None);
    }
    let scheme = if tls == Some(true) { "https" } else { "http" };
    let host = host.map_or("localhost", String::as_str);
    let port = port.map_or("9200", String::as_str);
    let url = Url::parse(&format!("{scheme}://{host}:{port}")).map_err(|error| {
        wrong(
            "OPTIMIZE_ELASTICSEARCH_HOST",
            format!("`{host}` with port `{port}`: {error}"),
        )
    })?;
    Ok(Some(vec![url]))
}
