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
        // The names of 8.10, which win over the older ones (fact file G, section 3.3).
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
        index_prefix: variable("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SETTINGS_INDEX_PREFIX").cloned(),
        assignee_analytics: boolean("CAMUNDA_OPTIMIZE_UI_USER_TASK_ASSIGNEE_ANALYTICS_ENABLED")?,
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
