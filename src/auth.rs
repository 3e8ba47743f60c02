//! Who may export: clients that present the token.
//!
//! Source: fact file A, section 8; RFC 6750.

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use warp::http::HeaderMap;
use warp::http::header::AUTHORIZATION;

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
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
}

impl AuthError {
    /// The value of the `WWW-Authenticate` header: a request without any token gets no error code (RFC 6750, section 3.1).
    pub fn challenge(self) -> String {
        let code = match self {
            Self::NoToken => return "Bearer".to_owned(),
            Self::SeveralTokens => "invalid_request",
            Self::Malformed | Self::Invalid => "invalid_token",
        };
        format!("Bearer error=\"{code}\", error_description=\"{self}\"")
    }
}

/// Lets clients in, or not.
#[derive(Debug, Clone)]
pub struct Authenticator {
    access_token: Option<SecretString>,
}

impl Authenticator {
    /// Lets in whoever presents the token; without one, nobody.
    pub fn with_static_token(access_token: Option<SecretString>) -> Self {
        Self { access_token }
    }

    /// Checks the headers of a request.
    ///
    /// # Errors
    /// Says why the client is not let in.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), AuthError> {
        let presented = bearer_token(headers)?;
        let expected = self.access_token.as_ref().ok_or(AuthError::Invalid)?;
        // Digests have one length, so that the comparison tells nothing about the length of the token either.
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        let is_equal = digest(presented).ct_eq(&digest(expected.expose_secret()));
        if bool::from(is_equal) {
            Ok(())
        } else {
            Err(AuthError::Invalid)
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
        Authenticator::with_static_token(Some("s3cret-Token".into())).check(&map)
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
        assert_eq!(
            Authenticator::with_static_token(None).check(&headers),
            Err(AuthError::Invalid)
        );
    }

    #[test]
    fn challenges_are_those_of_rfc_6750() {
        assert_eq!(AuthError::NoToken.challenge(), "Bearer");
        assert_eq!(
            AuthError::Invalid.challenge(),
            "Bearer error=\"invalid_token\", error_description=\"the bearer token is not valid\""
        );
    }
}
