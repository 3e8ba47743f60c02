//! The running service that a command talks to: where it is, and who asks.

use std::fs;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use url::Url;

use crate::client::ClientError;
use crate::client::oauth::{ClientCredentials, SecretSource};
use crate::client::service::{Service, TokenSource};
use crate::config::Environment;

/// Not complete, for a reason that may pass: it was interrupted, or the service was not available. The same command goes on,
/// or does it again.
pub const EXIT_RESUME: u8 = 3;
/// The service refuses for good: the token, the report or a parameter is wrong.
pub const EXIT_REFUSED: u8 = 4;

/// The exit code for an error; 2 is that of wrong usage.
pub fn exit_code(error: &ClientError) -> u8 {
    match error {
        ClientError::Refused(_) | ClientError::Bookmark(_) => EXIT_REFUSED,
        ClientError::Unavailable(_) | ClientError::Interrupted => EXIT_RESUME,
        ClientError::Unexpected(_) | ClientError::Output(_) => 1,
    }
}

/// Flags of the commands that need a running service.
#[derive(clap::Args)]
pub struct Connection {
    /// URL of the running service, with its context path if it has one
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_URL",
        value_name = "URL",
        default_value = "http://localhost:8095"
    )]
    url: Url,

    /// File with the access token, read anew for each page [or the token in OPTIMIZE_EXPORT_ACCESS_TOKEN] [also:
    /// OPTIMIZE_API_ACCESS_TOKEN]
    #[arg(long, env = "OPTIMIZE_EXPORT_ACCESS_TOKEN_FILE", value_name = "FILE")]
    access_token_file: Option<PathBuf>,

    #[command(flatten)]
    provider: Provider,

    /// PEM files of certificate authorities besides the public ones, which are built in
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_CA_FILE",
        value_name = "FILE",
        value_delimiter = ','
    )]
    ca_file: Vec<PathBuf>,
}

/// A provider of tokens, instead of a token.
#[derive(Debug, Clone, Default, clap::Args)]
struct Provider {
    /// Token endpoint of an OAuth2 provider; tokens are got there with client credentials, and renewed before they expire [also:
    /// CAMUNDA_OAUTH_URL, ZEEBE_AUTHORIZATION_SERVER_URL]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_OAUTH_URL",
        value_name = "URL",
        help_heading = "Tokens of a provider"
    )]
    oauth_url: Option<Url>,

    /// Client that gets them [also: CAMUNDA_CLIENT_ID, ZEEBE_CLIENT_ID]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_CLIENT_ID",
        value_name = "ID",
        help_heading = "Tokens of a provider"
    )]
    client_id: Option<String>,

    /// File with its secret [or the secret in OPTIMIZE_EXPORT_CLIENT_SECRET] [also: CAMUNDA_CLIENT_SECRET, ZEEBE_CLIENT_SECRET]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_CLIENT_SECRET_FILE",
        value_name = "FILE",
        help_heading = "Tokens of a provider"
    )]
    client_secret_file: Option<PathBuf>,

    /// Audience to ask a token for, where the provider wants to know [also: CAMUNDA_OPTIMIZE_OAUTH_AUDIENCE]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_OAUTH_AUDIENCE",
        value_name = "AUDIENCE",
        help_heading = "Tokens of a provider"
    )]
    oauth_audience: Option<String>,

    /// Scope to ask a token for, where the provider wants to know [also: CAMUNDA_TOKEN_SCOPE]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_OAUTH_SCOPE",
        value_name = "SCOPE",
        help_heading = "Tokens of a provider"
    )]
    oauth_scope: Option<String>,
}

impl Connection {
    /// The service that the flags and the environment name. Nothing is sent yet.
    pub fn service(&self, environment: &Environment) -> Result<Service, String> {
        let mut authorities = Vec::new();
        for path in &self.ca_file {
            let pem =
                fs::read(path).map_err(|error| format!("--ca-file {}: {error}", path.display()))?;
            authorities.push(pem);
        }
        let token = token(
            self.access_token_file.as_deref(),
            &self.provider,
            environment,
        )?;
        Service::new(self.url.clone(), &authorities, token).map_err(|error| error.to_string())
    }
}

/// The token, from the places where `serve` looks too, or from a provider. What is ours goes before what is Camunda's, and a
/// token of Optimize's before a provider of Camunda's: the environment of a whole installation may have both.
fn token(
    file: Option<&Path>,
    provider: &Provider,
    environment: &Environment,
) -> Result<TokenSource, String> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let own = variable("OPTIMIZE_EXPORT_ACCESS_TOKEN");
    let is_own_provider = provider.oauth_url.is_some();
    let given = [
        (file.is_some(), "--access-token-file"),
        (
            own.is_some(),
            "the environment variable OPTIMIZE_EXPORT_ACCESS_TOKEN",
        ),
        (is_own_provider, "--oauth-url"),
    ];
    let given: Vec<&str> = given
        .into_iter()
        .filter_map(|(is_given, name)| is_given.then_some(name))
        .collect();
    if let [first, second, ..] = given.as_slice() {
        return Err(format!("{first}: {second} is set too; use one of them"));
    }
    if let Some(file) = file {
        return Ok(TokenSource::File(file.to_owned()));
    }
    let fixed = own.or_else(|| variable("OPTIMIZE_API_ACCESS_TOKEN").filter(|_| !is_own_provider));
    if let Some(token) = fixed {
        return Ok(TokenSource::Token(SecretString::from(token.clone())));
    }
    match client_credentials(provider, environment)? {
        Some(credentials) => Ok(TokenSource::Provider(credentials)),
        None => Err(
            "there is no access token; give --access-token-file or --oauth-url, or set OPTIMIZE_EXPORT_ACCESS_TOKEN"
                .to_owned(),
        ),
    }
}

/// The provider that is configured, if there is one.
fn client_credentials(
    provider: &Provider,
    environment: &Environment,
) -> Result<Option<ClientCredentials>, String> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let url = match &provider.oauth_url {
        Some(url) => url.clone(),
        None => {
            let names = ["CAMUNDA_OAUTH_URL", "ZEEBE_AUTHORIZATION_SERVER_URL"];
            let Some((name, text)) = names
                .into_iter()
                .find_map(|name| Some((name, variable(name)?)))
            else {
                return Ok(None);
            };
            Url::parse(text).map_err(|error| format!("{name}: {error}"))?
        }
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(
            "--oauth-url: it must begin with http:// or https:// and name a host".to_owned(),
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "--oauth-url: credentials don't belong into it; use --client-id and --client-secret-file"
                .to_owned(),
        );
    }
    let (client_id, client_secret) = client(provider, environment)?;
    Ok(Some(ClientCredentials {
        url,
        client_id,
        client_secret,
        audience: (provider.oauth_audience.clone())
            .or_else(|| variable("CAMUNDA_OPTIMIZE_OAUTH_AUDIENCE").cloned()),
        scope: (provider.oauth_scope.clone()).or_else(|| variable("CAMUNDA_TOKEN_SCOPE").cloned()),
    }))
}

/// Id and secret of a client. They belong together, so both are of one family of names.
fn client(
    provider: &Provider,
    environment: &Environment,
) -> Result<(String, SecretSource), String> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let value = |secret: &String| SecretSource::Value(SecretString::from(secret.clone()));
    let own_secret = variable("OPTIMIZE_EXPORT_CLIENT_SECRET");
    let secret = match (&provider.client_secret_file, own_secret) {
        (Some(_), Some(_)) => {
            return Err(
                "--client-secret-file: the environment variable OPTIMIZE_EXPORT_CLIENT_SECRET is set too; use one of them"
                    .to_owned(),
            );
        }
        (Some(file), None) => Some(SecretSource::File(file.clone())),
        (None, secret) => secret.map(value),
    };
    let families = [
        (
            "--client-id",
            provider.client_id.clone(),
            "--client-secret-file",
            secret,
        ),
        (
            "CAMUNDA_CLIENT_ID",
            variable("CAMUNDA_CLIENT_ID").cloned(),
            "CAMUNDA_CLIENT_SECRET",
            variable("CAMUNDA_CLIENT_SECRET").map(value),
        ),
        (
            "ZEEBE_CLIENT_ID",
            variable("ZEEBE_CLIENT_ID").cloned(),
            "ZEEBE_CLIENT_SECRET",
            variable("ZEEBE_CLIENT_SECRET").map(value),
        ),
    ];
    for (id_name, id, secret_name, secret) in families {
        match (id, secret) {
            (Some(id), Some(secret)) => return Ok((id, secret)),
            (Some(_), None) => return Err(format!("{id_name}: it needs {secret_name}")),
            (None, Some(_)) => return Err(format!("{secret_name}: it needs {id_name}")),
            (None, None) => {}
        }
    }
    Err("--oauth-url: it needs --client-id and --client-secret-file".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(provider: &Provider, variables: &[(&str, &str)]) -> Result<TokenSource, String> {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        token(None, provider, &environment)
    }

    #[test]
    fn a_service_is_looked_for_where_it_listens_if_nothing_else_is_said() {
        let command = <Connection as clap::Args>::augment_args(clap::Command::new("export"));
        let url = command.get_arguments().find(|arg| arg.get_id() == "url");
        let port = crate::config::DEFAULT_LISTEN.port();
        let expected = format!("http://localhost:{port}");
        assert_eq!(url.unwrap().get_default_values(), [expected.as_str()]);
    }

    #[test]
    fn client_credentials_come_from_the_names_of_camunda_too() {
        let provider = |variables: &[(&str, &str)]| {
            let Ok(TokenSource::Provider(found)) = source(&Provider::default(), variables) else {
                panic!("no provider: {variables:?}");
            };
            assert!(!format!("{found:?}").contains("hush"));
            (found.url.to_string(), found.client_id, found.audience)
        };
        let zeebe = [
            ("ZEEBE_AUTHORIZATION_SERVER_URL", "https://z/token"),
            ("ZEEBE_CLIENT_ID", "zeebe"),
            ("ZEEBE_CLIENT_SECRET", "hush"),
            ("ZEEBE_TOKEN_AUDIENCE", "zeebe.camunda.io"),
        ];
        let expected = ("https://z/token".to_owned(), "zeebe".to_owned(), None);
        assert_eq!(provider(&zeebe), expected);
        let camunda = [
            ("CAMUNDA_OAUTH_URL", "https://c/token"),
            ("CAMUNDA_CLIENT_ID", "camunda"),
            ("CAMUNDA_CLIENT_SECRET", "hush"),
            ("CAMUNDA_OPTIMIZE_OAUTH_AUDIENCE", "optimize.camunda.io"),
        ];
        let both = [&zeebe[..], &camunda[..]].concat();
        let audience = Some("optimize.camunda.io".to_owned());
        let expected = ("https://c/token".to_owned(), "camunda".to_owned(), audience);
        assert_eq!(provider(&both), expected);

        // A token goes on being used where there is one.
        let with_token = [&both[..], &[("OPTIMIZE_API_ACCESS_TOKEN", "t")]].concat();
        let found = source(&Provider::default(), &with_token);
        assert!(matches!(found, Ok(TokenSource::Token(_))));
        let own = Provider {
            oauth_url: Some("https://own/token".parse().unwrap()),
            ..Provider::default()
        };
        let found = source(&own, &with_token);
        assert!(
            matches!(found, Ok(TokenSource::Provider(found)) if found.url.host_str() == Some("own"))
        );
    }

    #[test]
    fn half_of_a_provider_is_told() {
        let url = ("CAMUNDA_OAUTH_URL", "https://c/token");
        for (variables, words) in [
            (vec![], "there is no access token"),
            (vec![url], "--oauth-url: it needs --client-id"),
            (
                vec![
                    url,
                    ("CAMUNDA_CLIENT_ID", "x"),
                    ("ZEEBE_CLIENT_SECRET", "y"),
                ],
                "CAMUNDA_CLIENT_ID: it needs CAMUNDA_CLIENT_SECRET",
            ),
            (
                vec![url, ("OPTIMIZE_EXPORT_CLIENT_SECRET", "y")],
                "--client-secret-file: it needs --client-id",
            ),
            (vec![("CAMUNDA_OAUTH_URL", "c")], "CAMUNDA_OAUTH_URL"),
            (vec![("CAMUNDA_OAUTH_URL", "ftp://c")], "--oauth-url"),
            (
                vec![("CAMUNDA_OAUTH_URL", "https://a:hush@c/")],
                "don't belong",
            ),
        ] {
            let problem = source(&Provider::default(), &variables).unwrap_err();
            assert!(
                problem.contains(words) && !problem.contains("hush"),
                "{problem}"
            );
        }
        let own = Provider {
            oauth_url: Some("https://own/token".parse().unwrap()),
            ..Provider::default()
        };
        let problem = source(&own, &[("OPTIMIZE_EXPORT_ACCESS_TOKEN", "t")]).unwrap_err();
        assert!(problem.contains("use one of them"), "{problem}");
    }

    #[test]
    fn exit_codes_differ_from_that_of_wrong_usage() {
        let text = String::new;
        assert_eq!(exit_code(&ClientError::Unexpected(text())), 1);
        assert_eq!(exit_code(&ClientError::Unavailable(text())), 3);
        assert_eq!(exit_code(&ClientError::Interrupted), 3);
        assert_eq!(exit_code(&ClientError::Refused(text())), 4);
        assert_eq!(exit_code(&ClientError::Bookmark(text())), 4);
    }
}
