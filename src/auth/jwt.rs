//! Tokens of an OAuth2 or OpenID provider, verified with the keys that it publishes.
//!
//! Only asymmetric algorithms are accepted: with a symmetric one, whoever knows the public key could sign. Expiry is
//! always demanded, as in Optimize's newer deployments (fact file A, section 8.2).

use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};
use url::Url;

use super::key_set::{KeySet, Lookup};
use super::{AuthError, Client};

/// Algorithms that a token may be signed with.
const ALGORITHMS: [Algorithm; 8] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
];
/// Clocks may differ by so many seconds, as Spring Security allows.
const LEEWAY_SECONDS: u64 = 60;
/// Longest token that is looked at. Real ones have one or two kilobytes.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// How tokens are verified.
#[derive(Debug, Clone)]
pub struct JwtSettings {
    /// Where the provider publishes its keys.
    pub key_set_url: Url,
    /// What `aud` has to contain.
    pub audience: String,
    /// What `iss` has to be, if that matters.
    pub issuer: Option<String>,
    /// A scope that a token must have to export.
    pub required_scope: Option<String>,
    /// A claim that a token must have to export.
    pub required_claim: Option<RequiredClaim>,
}

/// A claim with one value, or with a list that contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredClaim {
    /// Its name, or for a claim within others their names with dots between, such as `permissions.optimize-api`.
    pub name: String,
    /// What it has to be, or to contain.
    pub value: String,
}

impl FromStr for RequiredClaim {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok(Self {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            _ => Err("it must have the form NAME=VALUE"),
        }
    }
}

impl RequiredClaim {
    fn is_in(&self, claims: &Map<String, Value>) -> bool {
        // Names may hold dots themselves, as those of Camunda's own claims do (`https://camunda.com/clusterId`).
        let claim = claims.get(&self.name).or_else(|| {
            let (first, rest) = self.name.split_once('.')?;
            rest.split('.')
                .try_fold(claims.get(first)?, |claim, name| claim.get(name))
        });
        match claim {
            Some(Value::Array(values)) => values.iter().any(|value| is_text(value, &self.value)),
            Some(value) => is_text(value, &self.value),
            None => false,
        }
    }
}

/// Whether a claim's value is this text; numbers and truth values are written as in JSON.
fn is_text(value: &Value, text: &str) -> bool {
    match value {
        Value::String(value) => value == text,
        Value::Number(number) => number.to_string() == text,
        Value::Bool(is_so) => is_so.to_string() == text,
        _ => false,
    }
}

/// Whether `scope` (RFC 8693: separated by blanks) or `scp` (Okta, Microsoft: a list, or the same) has this scope.
fn has_scope(claims: &Map<String, Value>, scope: &str) -> bool {
    ["scope", "scp"].iter().any(|name| match claims.get(*name) {
        Some(Value::String(scopes)) => scopes.split(' ').any(|one| one == scope),
        Some(Value::Array(scopes)) => scopes.iter().any(|one| is_text(one, scope)),
        _ => false,
    })
}

/// Whether the header of a token has `crit`. It names what a recipient has to understand, this service understands none of
/// that, and an empty or malformed one is forbidden (RFC 7515, section 4.1.11).
fn has_critical_extensions(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    let header = BASE64_URL_SAFE_NO_PAD.decode(header).ok();
    header
        .and_then(|header| serde_json::from_slice::<Map<String, Value>>(&header).ok())
        .is_none_or(|header| header.contains_key("crit"))
}

/// Verifies tokens.
#[derive(Debug)]
pub struct JwtVerifier {
    keys: KeySet,
    settings: JwtSettings,
}

/// Who the token was issued to: `client_id` (RFC 9068), `azp` (Keycloak and other OpenID providers), else the subject,
/// with the client credentials grant often an opaque id.
fn client_of(claims: &Map<String, Value>) -> Client {
    let name = ["client_id", "azp", "sub"]
        .iter()
        .find_map(|name| claims.get(*name)?.as_str());
    Client::named(name.unwrap_or("unnamed client"))
}

impl JwtVerifier {
    /// A verifier; no key is fetched before the first token comes.
    ///
    /// # Errors
    /// The HTTP client for the keys can't be made.
    pub fn new(settings: JwtSettings) -> Result<Self, reqwest::Error> {
        Ok(Self {
            keys: KeySet::new(settings.key_set_url.clone())?,
            settings,
        })
    }

    /// Checks signature, validity in time, audience, issuer and rights of a token, and tells whose it is.
    ///
    /// # Errors
    /// Says what is wrong with it, or that the provider's keys can't be had.
    pub async fn verify(&self, token: &str) -> Result<Client, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::Rejected("it is too long"));
        }
        let header = decode_header(token).map_err(|_| AuthError::Rejected("it is no JWT"))?;
        if has_critical_extensions(token) {
            return Err(AuthError::Rejected(
                "it declares an extension critical that this service does not know",
            ));
        }
        if !ALGORITHMS.contains(&header.alg) {
            return Err(AuthError::Rejected("its algorithm is not allowed"));
        }
        let keys = match self.keys.find(header.kid.as_deref(), header.alg).await {
            Lookup::Found(keys) => keys,
            Lookup::Unknown => return Err(AuthError::Rejected("its key is not known")),
            Lookup::Unavailable => return Err(AuthError::NoKeys),
        };
        let validation = self.validation(header.alg);
        let mut problem = AuthError::Invalid;
        for key in keys {
            match decode::<Map<String, Value>>(token, &key, &validation) {
                Ok(token) => {
                    self.check_rights(&token.claims)?;
                    let client = client_of(&token.claims);
                    return Ok(match &header.kid {
                        Some(id) => client.by_key(id),
                        None => client,
                    });
                }
                // With several keys to try, the one whose signature fits has the last word.
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
                Err(error) => problem = explain(error.kind()),
            }
        }
        Err(problem)
    }

    /// Whether an authentic token gives the right to export.
    fn check_rights(&self, claims: &Map<String, Value>) -> Result<(), AuthError> {
        if let Some(scope) = &self.settings.required_scope
            && !has_scope(claims, scope)
        {
            return Err(AuthError::Insufficient(
                "it lacks the scope that this service demands",
            ));
        }
        if let Some(claim) = &self.settings.required_claim
            && !claim.is_in(claims)
        {
            return Err(AuthError::Insufficient(
                "it lacks the claim that this service demands",
            ));
        }
        Ok(())
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.settings.audience]);
        let mut required = vec!["exp", "aud"];
        if let Some(issuer) = &self.settings.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }
}

fn explain(error: &ErrorKind) -> AuthError {
    match error {
        ErrorKind::ExpiredSignature => AuthError::Rejected("it has expired"),
        ErrorKind::ImmatureSignature => AuthError::Rejected("it is not valid yet"),
        ErrorKind::InvalidAudience => AuthError::Rejected("it is for another audience"),
        ErrorKind::InvalidIssuer => AuthError::Rejected("it is of another issuer"),
        ErrorKind::MissingRequiredClaim(_) => {
            AuthError::Rejected("it lacks a claim that is required")
        }
        ErrorKind::InvalidClaimFormat(_) => AuthError::Rejected("one of its claims is malformed"),
        _ => AuthError::Invalid,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(claims: Value) -> Map<String, Value> {
        claims.as_object().unwrap().clone()
    }

    #[test]
    fn any_crit_counts() {
        let has = |header: &str| {
            let header = BASE64_URL_SAFE_NO_PAD.encode(header);
            has_critical_extensions(&format!("{header}.e30.c2ln"))
        };
        assert!(!has(r#"{"alg":"RS256","b64":false,"Crit":["b64"]}"#));
        for crit in [
            "[\"b64\"]",
            "[\"x\",\"y\"]",
            "[]",
            "null",
            "\"b64\"",
            "{}",
            "[7]",
        ] {
            assert!(
                has(&format!(r#"{{"alg":"RS256","crit":{crit}}}"#)),
                "{crit}"
            );
        }
        assert!(has("no header"));
    }

    #[test]
    fn scopes_come_in_three_forms() {
        for (claims_with, has_it) in [
            (json!({"scope": "read export"}), true),
            (json!({"scp": ["read", "export"]}), true),
            (json!({"scp": "export"}), true),
            (json!({"scope": "exports export.all"}), false),
            (json!({"scope": 7, "scp": {}}), false),
            (json!({}), false),
        ] {
            assert_eq!(
                has_scope(&claims(claims_with.clone()), "export"),
                has_it,
                "{claims_with}"
            );
        }
    }

    #[test]
    fn a_claim_may_lie_within_others_or_have_dots_in_its_name() {
        let is_in =
            |text: &str, value: Value| text.parse::<RequiredClaim>().unwrap().is_in(&claims(value));
        assert!(is_in(
            "https://camunda.com/clusterId=c1",
            json!({"https://camunda.com/clusterId": "c1"})
        ));
        assert!(is_in(
            "permissions.optimize-api=write:*",
            json!({"permissions": {"optimize-api": ["read:*", "write:*"]}})
        ));
        assert!(is_in("level=7", json!({"level": 7})));
        assert!(!is_in("level=7", json!({"level": "77"})));
        assert!(!is_in("a.b.c=x", json!({"a": {"b": "x"}})));
        assert!(!is_in("a=x", json!({"a": {"x": 1}})));
        for wrong in ["a", "=x", "a="] {
            assert!(wrong.parse::<RequiredClaim>().is_err(), "{wrong}");
        }
    }
}
