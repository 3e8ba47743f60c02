//! Who may export, and what: clients that present a static token, or one of an OpenID provider, and the rules for them.
//!
//! Source: docs/ENDPOINT.md, "Tokens"; RFC 6750.

use std::sync::Arc;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use warp::http::HeaderMap;
use warp::http::header::AUTHORIZATION;

pub mod access;
pub mod jwt;
mod key_set;
pub mod static_tokens;

pub use access::{Access, AccessRules};
pub use jwt::{JwtSettings, JwtVerifier, KeySource};
pub use static_tokens::{NamedToken, StaticTokens};

/// Why a client is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// It presents nothing, or something that is no bearer token.
    #[error("no bearer token was presented; send the header `Authorization: Bearer <token>`")]
    NoToken,
    /// What it presents can't be a token.
    #[error("the bearer token is malformed")]
    Malformed,
    /// It presents more than one.
    #[error("more than one Authorization header was sent")]
    SeveralTokens,
    /// The token is not the right one.
    #[error("the bearer token is not valid")]
    Invalid,
    /// The token is one of the provider's, but not for this use or this time.
    #[error("the bearer token is not valid: {0}")]
    Rejected(&'static str),
    /// The token is one of the provider's, but for others. Which audience is expected is no secret: whoever has such a token is known to
    /// the provider, and asks it for one with the right audience next.
    #[error(
        "the bearer token is not valid: it is for another audience than the one that is expected, {0}"
    )]
    OtherAudience(String),
    /// The token is valid, but does not give this right.
    #[error("the bearer token does not give the right to export: {0}")]
    Insufficient(&'static str),
    /// The provider's keys can't be had, so that no token can be verified. Not the client's fault.
    #[error("the keys that verify tokens can't be fetched from their provider; try again later")]
    NoKeys,
}

impl AuthError {
    /// The value of the `WWW-Authenticate` header: a request without any token gets no error code (RFC 6750, section
    /// 3.1).
    pub fn challenge(&self) -> String {
        let code = match self {
            Self::NoToken => return "Bearer".to_owned(),
            Self::SeveralTokens => "invalid_request",
            Self::Insufficient(_) => "insufficient_scope",
            Self::Malformed
            | Self::Invalid
            | Self::Rejected(_)
            | Self::OtherAudience(_)
            | Self::NoKeys => "invalid_token",
        };
        // What a description can't have (RFC 6750, section 3), as audiences may.
        let description = self.to_string().replace(
            |c: char| !matches!(c, ' '..='~') || matches!(c, '"' | '\\'),
            "?",
        );
        format!("Bearer error=\"{code}\", error_description=\"{description}\"")
    }
}

/// Longest name of a client in logs and limits, in characters.
const MAX_CLIENT_NAME: usize = 128;
/// Bytes of the digest of a name that is printed in part.
const DIGEST_BYTES: usize = 8;

/// Who was let in, as the log and the limits per client name it: the name of a token, never the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    name: Arc<str>,
    key_id: Option<Arc<str>>,
    access: Access,
}

impl Client {
    /// A client of this name. One that can't be printed in one line of a log, or is too long for it, is printed in part, with a
    /// digest behind: rules and limits go by what is printed, and two names must not look the same.
    pub fn named(name: &str) -> Self {
        Self {
            name: distinct(name),
            key_id: None,
            access: Access::everything(),
        }
    }

    /// The same client, let in by a token that this key of the provider signed.
    pub fn by_key(self, id: &str) -> Self {
        Self {
            key_id: Some(printable(id)),
            ..self
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its name, to be kept.
    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// What it may.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The same client with what rules let it.
    pub fn under(self, rules: &AccessRules, claims: &Map<String, Value>) -> Self {
        Self {
            access: rules.access_of(&self.name, claims),
            ..self
        }
    }

    /// The provider's key that signed its token.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }
}

fn printable(text: &str) -> Arc<str> {
    let printable = text.chars().filter(|c| !c.is_control());
    printable.take(MAX_CLIENT_NAME).collect::<String>().into()
}

/// The same for what has to be told from others.
fn distinct(text: &str) -> Arc<str> {
    let printable = printable(text);
    if *printable == *text {
        return printable;
    }
    let digest = Sha256::digest(text);
    let digest: String = (digest.iter().take(DIGEST_BYTES))
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let kept = MAX_CLIENT_NAME - digest.len() - 1;
    let beginning: String = printable.chars().take(kept).collect();
    format!("{beginning}#{digest}").into()
}

/// Lets clients in, or not. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Authenticator {
    /// Which tokens it knows.
    pub tokens: Tokens,
    /// What those who present one may.
    pub rules: AccessRules,
}

/// Tokens that are accepted. Cloning is cheap.
#[derive(Debug, Clone)]
pub enum Tokens {
    /// Whoever presents one of these tokens.
    StaticTokens(StaticTokens),
    /// Whoever presents a token that the provider signed for this audience.
    Jwt(Arc<JwtVerifier>),
}

impl Authenticator {
    /// Checks the headers of a request.
    ///
    /// # Errors
    /// Says why the client is not let in.
    pub async fn check(&self, headers: &HeaderMap) -> Result<Client, AuthError> {
        let presented = bearer_token(headers)?;
        match &self.tokens {
            Tokens::StaticTokens(tokens) => {
                Ok(tokens.check(presented)?.under(&self.rules, &Map::new()))
            }
            Tokens::Jwt(verifier) => {
                let (client, claims) = verifier.verify(presented).await?;
                Ok(client.under(&self.rules, &claims))
            }
        }
    }
}

/// Whether clients can send this token at all: a header carries only some characters (RFC 6750, section 2.1).
pub fn is_well_formed(token: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    let text = token.trim_end_matches('=');
    !text.is_empty() && text.bytes().all(is_plain)
}

/// The one bearer token among the headers.
fn bearer_token(headers: &HeaderMap) -> Result<&str, AuthError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(AuthError::NoToken)?;
    if values.next().is_some() {
        return Err(AuthError::SeveralTokens);
    }
    let value = value.to_str().map_err(|_| AuthError::Malformed)?.trim();
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AuthError::NoToken);
    }
    let token = token.trim();
    if is_well_formed(token) {
        Ok(token)
    } else {
        Err(AuthError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[&[u8]]) -> Result<(), AuthError> {
        let mut map = HeaderMap::new();
        for value in headers {
            map.append(
                AUTHORIZATION,
                warp::http::HeaderValue::from_bytes(value).unwrap(),
            );
        }
        let token = NamedToken::unnamed("s3cret-Token".into());
        let authenticator = Authenticator {
            tokens: Tokens::StaticTokens(StaticTokens::new(vec![token])),
            rules: AccessRules::default(),
        };
        futures_util::FutureExt::now_or_never(authenticator.check(&map))
            .unwrap()
            .map(drop)
    }

    #[test]
    fn the_right_token_is_let_in_whatever_the_case_of_the_scheme() {
        for header in [
            "Bearer s3cret-Token",
            "bearer s3cret-Token",
            "BEARER  s3cret-Token ",
        ] {
            assert_eq!(check(&[header.as_bytes()]), Ok(()), "{header}");
        }
    }

    #[test]
    fn everything_else_is_not() {
        use AuthError::{Invalid, Malformed, NoToken, SeveralTokens};
        assert_eq!(check(&[]), Err(NoToken));
        for (header, error) in [
            ("s3cret-Token", NoToken),
            ("Basic s3cret-Token", NoToken),
            ("", NoToken),
            ("Bearer", Malformed),
            ("Bearer ", Malformed),
            ("Bearer ===", Malformed),
            ("Bearer s3cret-Token s3cret-Token", Malformed),
            ("Bearer s3cret-Token, Bearer other", Malformed),
            ("Bearer s3cret-Tokenx", Invalid),
            ("Bearer s3cret-Toke", Invalid),
            ("Bearer S3CRET-TOKEN", Invalid),
        ] {
            assert_eq!(check(&[header.as_bytes()]), Err(error), "{header}");
        }
        assert_eq!(check(&[b"Bearer \xff\xfe"]), Err(Malformed));
        assert_eq!(
            check(&[b"Bearer s3cret-Token", b"Bearer s3cret-Token"]),
            Err(SeveralTokens)
        );
    }

    #[test]
    fn without_a_configured_token_nobody_is_let_in() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, "Bearer x".parse().unwrap());
        let nobody = Authenticator {
            tokens: Tokens::StaticTokens(StaticTokens::new(Vec::new())),
            rules: AccessRules::default(),
        };
        let check = futures_util::FutureExt::now_or_never(nobody.check(&headers));
        assert_eq!(check, Some(Err(AuthError::Invalid)));
    }

    #[test]
    fn challenges_are_those_of_rfc_6750() {
        assert_eq!(AuthError::NoToken.challenge(), "Bearer");
        assert_eq!(
            AuthError::Invalid.challenge(),
            "Bearer error=\"invalid_token\", error_description=\"the bearer token is not valid\""
        );
        assert_eq!(
            AuthError::OtherAudience("optimize or \"ö\\\"".to_owned()).challenge(),
            "Bearer error=\"invalid_token\", error_description=\"the bearer token is not valid: \
             it is for another audience than the one that is expected, optimize or ????\""
        );
        assert!(
            AuthError::Insufficient("it lacks a scope")
                .challenge()
                .starts_with("Bearer error=\"insufficient_scope\"")
        );
    }

    #[test]
    fn two_names_never_look_the_same() {
        let name = |text: &str| Client::named(text).name().to_owned();
        assert_eq!(name("lake"), "lake");
        let long = [
            "x".repeat(128),
            "x".repeat(129),
            "x".repeat(130),
            "lake\u{7f}".to_owned(),
            "la\nke".to_owned(),
        ];
        let names: Vec<String> = long.iter().map(|long| name(long)).collect();
        assert_eq!(names.first(), long.first());
        for (index, one) in names.iter().enumerate() {
            assert!(
                one.chars().count() <= MAX_CLIENT_NAME && !one.chars().any(char::is_control),
                "{one}"
            );
            assert!(
                one != "lake" && !names.iter().skip(index + 1).any(|other| other == one),
                "{one}"
            );
        }
        assert!(
            names.get(3).is_some_and(|name| name.starts_with("lake#")),
            "{names:?}"
        );
    }
}
