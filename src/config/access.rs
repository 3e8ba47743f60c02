//! Who is let in.

use std::path::PathBuf;

use clap::Args;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::default_in_help::DefaultInHelp;
use super::lists::one_or_several;
use super::secrets::{only_one_source, secret};
use super::{ConfigError, Environment, check_url, wrong};
use crate::auth::jwt::{ClaimPath, RequiredClaim};
use crate::auth::{JwtSettings, KeySource, NamedToken, static_tokens};
use crate::flags;

/// Audience of a provider's tokens, Optimize's default.
const DEFAULT_AUDIENCE: &str = "optimize";
/// Our variable for a single token.
const ACCESS_TOKEN_VARIABLE: &str = "OPTIMIZE_EXPORT_ACCESS_TOKEN";
/// Shortest scroll key: 128 bits.
const MIN_SCROLL_KEY_BYTES: usize = 16;

/// Settings of tokens, and of the key that replicas share.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AccessSettings {
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
    /// CAMUNDA_OPTIMIZE_API_AUDIENCE]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_AUDIENCE",
        value_name = "AUDIENCE",
        value_delimiter = ',',
        help_heading = "Access",
        default_is = DEFAULT_AUDIENCE
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
    /// CAMUNDA_SECURITY_AUTHENTICATION_OIDC_CLIENTIDCLAIM] [default: the first there is of client_id and azp, else `subject` and sub]
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

    /// File of rules that say which clients may export which reports, definitions, tenants and columns; read again when it changes
    /// [default: none, whoever has a token may export everything]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_ACCESS_RULES_FILE",
        value_name = "FILE",
        help_heading = "Access"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_rules_file: Option<PathBuf>,

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
}

impl AccessSettings {
    /// The static tokens, from their file, our variable or Optimize's. An empty variable is none, as in Optimize.
    pub(super) fn access_tokens(
        &self,
        environment: &Environment,
    ) -> Result<Vec<NamedToken>, ConfigError> {
        if let Some(file) = &self.access_token_file {
            only_one_source(flags::ACCESS_TOKEN_FILE, ACCESS_TOKEN_VARIABLE, environment)?;
            return static_tokens::read_file(file)
                .map_err(|error| wrong(flags::ACCESS_TOKEN_FILE, error));
        }
        let token = secret(
            flags::ACCESS_TOKEN_FILE,
            None,
            ACCESS_TOKEN_VARIABLE,
            Some("OPTIMIZE_API_ACCESS_TOKEN"),
            environment,
        )?;
        Ok(token.map(NamedToken::unnamed).into_iter().collect())
    }

    /// How tokens of a provider are verified, if there is one.
    pub(super) fn jwt(&self) -> Result<Option<JwtSettings>, ConfigError> {
        let filled = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let issuer = filled(&self.issuer);
        let keys = match (&self.jwk_set_uri, &issuer) {
            (Some(url), _) => KeySource::KeySet(provider_url(flags::JWK_SET_URI, url.clone())?),
            (None, Some(issuer)) => {
                let url = Url::parse(issuer).map_err(|error| {
                    wrong(
                        flags::ISSUER,
                        format!(
                            "`{issuer}` is no URL to find keys at ({error}); set {}",
                            flags::JWK_SET_URI
                        ),
                    )
                })?;
                if url.query().is_some() || url.fragment().is_some() {
                    return Err(wrong(
                        flags::ISSUER,
                        "an issuer to find keys at has neither query nor fragment",
                    ));
                }
                KeySource::Issuer {
                    name: issuer.clone(),
                    url: provider_url(flags::ISSUER, url)?,
                }
            }
            (None, None) => {
                // Without a provider these would silently not be checked; an audience has a default in Optimize's env files, and
                // those of the whole of Camunda may name a claim.
                let given = [
                    (flags::REQUIRED_SCOPE, &self.required_scope),
                    (flags::REQUIRED_CLAIM, &self.required_claim),
                ];
                return match given.into_iter().find(|(_, value)| value.is_some()) {
                    Some((setting, _)) => Err(wrong(
                        setting,
                        format!("it needs {} or {}", flags::JWK_SET_URI, flags::ISSUER),
                    )),
                    None => Ok(None),
                };
            }
        };
        let required_claim = filled(&self.required_claim)
            .map(|claim| claim.parse::<RequiredClaim>())
            .transpose()
            .map_err(|problem| wrong(flags::REQUIRED_CLAIM, problem))?;
        let client_claim = filled(&self.client_claim)
            .map(|claim| claim.parse::<ClaimPath>())
            .transpose()
            .map_err(|problem| wrong(flags::CLIENT_CLAIM, problem))?;
        let mut audiences: Vec<String> = (self.audience.iter().flatten())
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
            required_scope: filled(&self.required_scope),
            required_claim,
        }))
    }

    /// The key that replicas share, if there is one.
    pub(super) fn scroll_key(
        &self,
        environment: &Environment,
    ) -> Result<Option<SecretString>, ConfigError> {
        let key = secret(
            flags::SCROLL_KEY_FILE,
            self.scroll_key_file.as_deref(),
            "OPTIMIZE_EXPORT_SCROLL_KEY",
            None,
            environment,
        )?;
        if key
            .as_ref()
            .is_some_and(|key| key.expose_secret().len() < MIN_SCROLL_KEY_BYTES)
        {
            let problem = format!(
                "the scroll key is shorter than {MIN_SCROLL_KEY_BYTES} bytes and can be guessed"
            );
            return Err(wrong(flags::SCROLL_KEY_FILE, problem));
        }
        Ok(key)
    }
}

/// An address of a provider of tokens.
fn provider_url(setting: &'static str, url: Url) -> Result<Url, ConfigError> {
    check_url(setting, &url)?;
    Ok(url)
}
