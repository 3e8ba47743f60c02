//! Tokens of an OAuth2 or OpenID provider, verified with the keys that it publishes.
//!
//! Only asymmetric algorithms are accepted: with a symmetric one, whoever knows the public key could sign. Expiry is
//! always demanded, as in Optimize's newer deployments (docs/ENDPOINT.md, "Tokens").

use std::str::FromStr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::key_set::{KeySet, Lookup};
use super::{AuthError, Client};

pub use super::key_set::{KeySource, KeysError, PublishedKeys};

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
    pub keys: KeySource,
    /// `aud` has to contain one of these.
    pub audiences: Vec<String>,
    /// What `iss` has to be, if that matters; a slash at the end may differ.
    pub issuer: Option<String>,
    /// The claim that names a client.
    pub client_claim: Option<ClaimPath>,
    /// A scope that a token must have to export.
    pub required_scope: Option<String>,
    /// A claim that a token must have to export.
    pub required_claim: Option<RequiredClaim>,
}

/// Where a claim is: its name, or for a claim within others their names with dots between, such as `permissions.optimize-api`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(String);

impl FromStr for ClaimPath {
    type Err = &'static str;

    /// Camunda writes such a path as JSONPath, in which a plain name is one too (`OidcPrincipalLoader` in camunda/camunda); of
    /// that, `$.a.b` and `$['name']` are understood.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let in_brackets = ["'", "\""].iter().find_map(|quote| {
            let rest = text.strip_prefix("$[")?.strip_prefix(quote)?;
            rest.strip_suffix(']')?.strip_suffix(quote)
        });
        let name = in_brackets
            .or_else(|| text.strip_prefix("$."))
            .unwrap_or(text);
        // What is left of a longer JSONPath would be taken for a name that no token has.
        if name.is_empty() || name.starts_with(['$', '.']) || name.contains(['[', ']', '*']) {
            return Err("it must be the name of a claim, or names with dots between");
        }
        Ok(Self(name.to_owned()))
    }
}

impl ClaimPath {
    fn of<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        // Names may hold dots themselves, as those of Camunda's own claims do (`https://camunda.com/clusterId`).
        claims.get(&self.0).or_else(|| {
            let (first, rest) = self.0.split_once('.')?;
            rest.split('.')
                .try_fold(claims.get(first)?, |claim, name| claim.get(name))
        })
    }
}

/// A claim with one value, or with a list that contains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredClaim {
    /// Where it is.
    pub path: ClaimPath,
    /// What it has to be, or to contain.
    pub value: String,
}

impl FromStr for RequiredClaim {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            // `a != b` and `a = b` would name a claim that no token has.
            Some((name, value))
                if !name.ends_with(['!', ' ']) && !value.is_empty() && !value.starts_with(' ') =>
            {
                Ok(Self {
                    path: name.parse()?,
                    value: value.to_owned(),
                })
            }
            _ => Err("it must have the form NAME=VALUE"),
        }
    }
}

impl RequiredClaim {
    /// Whether a token has it.
    pub(super) fn is_in(&self, claims: &Map<String, Value>) -> bool {
        match self.path.of(claims) {
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

/// Begins the name of a client that its subject names.
const SUBJECT: &str = "subject ";

/// Who the token was issued to. Without a claim that is configured for that: `client_id` (RFC 9068), `azp` (Keycloak and other
/// OpenID providers), else the subject, with the client credentials grant often an opaque id.
///
/// With one, a token that lacks it is that of a person, whom the subject names, as in Camunda (`ClaimsAuthenticationConverter` in
/// camunda/camunda; the claim of a user is `sub` there unless it is configured). The name says so, or whoever can choose their
/// own name would pass for a client. What is no text names nobody, there as here.
fn client_of(
    claims: &Map<String, Value>,
    client_claim: Option<&ClaimPath>,
) -> Result<Client, AuthError> {
    let subject = || {
        claims
            .get("sub")
            .and_then(Value::as_str)
            .filter(|subject| !subject.is_empty())
    };
    let named = match client_claim {
        Some(path) => path.of(claims),
        None => ["client_id", "azp"]
            .into_iter()
            .find_map(|name| claims.get(name)),
    };
    match named {
        Some(Value::String(name)) if name.starts_with(SUBJECT) => Err(AuthError::Rejected(
            "its client is called like somebody whom a subject names",
        )),
        Some(Value::String(name)) if !name.is_empty() => Ok(Client::named(name)),
        None | Some(Value::Null) => match (subject(), client_claim) {
            (Some(subject), _) => Ok(Client::named(&format!("{SUBJECT}{subject}"))),
            (None, None) => Ok(Client::named("unnamed client")),
            (None, Some(_)) => Err(AuthError::Rejected("it has no claim that names its client")),
        },
        Some(_) => Err(AuthError::Rejected(
            "its claim that names the client is no text",
        )),
    }
}

impl JwtVerifier {
    /// A verifier; no key is fetched before the first token comes.
    ///
    /// # Errors
    /// The HTTP client for the keys can't be made.
    pub fn new(settings: JwtSettings) -> Result<Self, reqwest::Error> {
        Ok(Self {
            keys: KeySet::new(settings.keys.clone())?,
            settings,
        })
    }

    /// Fetches the provider's keys, to see whether they can be had.
    ///
    /// # Errors
    /// They can't.
    pub async fn published_keys(&self) -> Result<PublishedKeys, KeysError> {
        self.keys.published(&ALGORITHMS).await
    }

    /// Checks signature, validity in time, audience, issuer and rights of a token, and tells whose it is and what it claims.
    ///
    /// # Errors
    /// Says what is wrong with it, or that the provider's keys can't be had.
    pub async fn verify(&self, token: &str) -> Result<(Client, Map<String, Value>), AuthError> {
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
        let mut problem = AuthError::Rejected("its signature is wrong");
        for key in keys {
            match decode::<Map<String, Value>>(token, &key, &validation) {
                Ok(token) => {
                    self.check_rights(&token.claims)?;
                    let client = client_of(&token.claims, self.settings.client_claim.as_ref())?;
                    let client = match &header.kid {
                        Some(id) => client.by_key(id),
                        None => client,
                    };
                    return Ok((client, token.claims));
                }
                // With several keys to try, the one whose signature fits has the last word.
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
                Err(error) => {
                    self.tell(error.kind(), token);
                    problem = self.explain(error.kind());
                }
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
        validation.set_audience(&self.settings.audiences);
        let mut required = vec!["exp", "aud"];
        if let Some(issuer) = &self.settings.issuer {
            let bare = issuer.strip_suffix('/').unwrap_or(issuer);
            validation.set_issuer(&[bare, &format!("{bare}/")]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }

    fn explain(&self, error: &ErrorKind) -> AuthError {
        match error {
            ErrorKind::ExpiredSignature => AuthError::Rejected("it has expired"),
            ErrorKind::ImmatureSignature => AuthError::Rejected("it is not valid yet"),
            ErrorKind::InvalidAudience => {
                AuthError::OtherAudience(self.settings.audiences.join(" or "))
            }
            ErrorKind::InvalidIssuer => AuthError::Rejected("it is of another issuer"),
            ErrorKind::MissingRequiredClaim(name) => AuthError::Rejected(match name.as_str() {
                "exp" => "it lacks a claim that is required, exp",
                "aud" => "it lacks a claim that is required, aud",
                "iss" => "it lacks a claim that is required, iss",
                _ => "it lacks a claim that is required",
            }),
            ErrorKind::InvalidClaimFormat(_) => {
                AuthError::Rejected("one of its claims is malformed")
            }
            _ => AuthError::Invalid,
        }
    }

    /// Says in the log what was expected of a token and what it has instead. Its signature is good by then, so these are the
    /// provider's own words.
    fn tell(&self, error: &ErrorKind, token: &str) {
        let Ok(claims) = insecure_decode_claims::<Map<String, Value>>(token) else {
            return;
        };
        let found = |name: &str| claims.get(name).map_or_else(String::new, for_log);
        match error {
            ErrorKind::InvalidAudience => tracing::info!(
                aud = found("aud"),
                expected = self.settings.audiences.join(", "),
                "a token is for another audience"
            ),
            ErrorKind::InvalidIssuer => tracing::info!(
                iss = found("iss"),
                expected = self.settings.issuer.as_deref().unwrap_or_default(),
                "a token is of another issuer"
            ),
            ErrorKind::ExpiredSignature => {
                tracing::info!(exp = found("exp"), "a token has expired");
            }
            ErrorKind::ImmatureSignature => {
                tracing::info!(nbf = found("nbf"), "a token is not valid yet");
            }
            _ => {}
        }
    }
}

/// A claim as a line of the log has room for it.
fn for_log(claim: &Value) -> String {
    let text = match claim {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    super::printable(&text).to_string()
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
    fn the_claim_that_is_configured_names_the_client() {
        let path = |text: &str| text.parse::<ClaimPath>();
        let name = |text: &str, value: Value| {
            let client = client_of(&claims(value), Some(&path(text).unwrap()));
            client.map(|client| client.name().to_owned())
        };
        let token = json!({"azp": "lake", "sub": "7", "client_id": "x", "a": {"b": "deep"}, "https://c/id": "far"});
        for (text, expected) in [
            ("azp", "lake"),
            ("$.azp", "lake"),
            ("$['azp']", "lake"),
            ("$[\"https://c/id\"]", "far"),
            ("https://c/id", "far"),
            ("a.b", "deep"),
            ("$.a.b", "deep"),
            ("missing", "subject 7"),
        ] {
            assert_eq!(name(text, token.clone()).as_deref(), Ok(expected), "{text}");
        }
        assert_eq!(
            name("azp", json!({"azp": null, "sub": "lake"})).as_deref(),
            Ok("subject lake")
        );
        for nameless in [
            json!({}),
            json!({"sub": ""}),
            json!({"azp": ["a", "b"], "sub": "7"}),
            json!({"azp": 7, "sub": "7"}),
            json!({"azp": "", "sub": "7"}),
        ] {
            assert!(
                matches!(name("azp", nameless.clone()), Err(AuthError::Rejected(_))),
                "{nameless}"
            );
        }
        let without = |value: Value| client_of(&claims(value), None).unwrap();
        assert_eq!(without(json!({"azp": "a", "sub": "s"})).name(), "a");
        assert_eq!(without(json!({"sub": "s"})).name(), "subject s");
        assert_eq!(without(json!({})).name(), "unnamed client");
        for nameless in [
            json!({"client_id": 5, "azp": "admin"}),
            json!({"azp": "subject s"}),
        ] {
            let refused = client_of(&claims(nameless.clone()), None);
            assert!(matches!(refused, Err(AuthError::Rejected(_))), "{nameless}");
        }
        for wrong in ["", "$", "$.", "$['a']['b']", "$..a", "a[0]", "$.*"] {
            assert!(path(wrong).is_err(), "{wrong}");
        }
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
