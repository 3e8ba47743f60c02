//! Tokens of an OAuth2 or OpenID provider, verified with the keys that it publishes.
//!
//! Only asymmetric algorithms are accepted: with a symmetric one, whoever knows the public key could sign. Expiry is
//! always demanded, as in Optimize's newer deployments (fact file A, section 8.2).

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;
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
}

/// Verifies tokens.
#[derive(Debug)]
pub struct JwtVerifier {
    keys: KeySet,
    settings: JwtSettings,
}

/// The claims that say who the client is; all others are checked while the token is decoded.
#[derive(Deserialize)]
struct Claims {
    /// The client that the token was issued to, as Keycloak and other OpenID providers name it.
    azp: Option<String>,
    /// The same of RFC 9068.
    client_id: Option<String>,
    /// The subject; with the client credentials grant often an opaque id.
    sub: Option<String>,
}

impl Claims {
    fn client(self) -> Client {
        let name = self.client_id.or(self.azp).or(self.sub);
        Client::named(name.as_deref().unwrap_or("unnamed client"))
    }
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

    /// Checks signature, validity in time, audience and issuer of a token, and tells whose it is.
    ///
    /// # Errors
    /// Says what is wrong with it, or that the provider's keys can't be had.
    pub async fn verify(&self, token: &str) -> Result<Client, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::Rejected("it is too long"));
        }
        let header = decode_header(token).map_err(|_| AuthError::Rejected("it is no JWT"))?;
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
            match decode::<Claims>(token, &key, &validation) {
                Ok(token) => return Ok(token.claims.client()),
                // With several keys to try, the one whose signature fits has the last word.
                Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => {}
                Err(error) => problem = explain(error.kind()),
            }
        }
        Err(problem)
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
