//! Access tokens by client credentials (RFC 6749, section 4.4), renewed before they expire.
//!
//! The client is named in the body of the request, as Camunda's own clients do it (`OAuthCredentialsProvider` in
//! camunda/camunda).

use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use cluster::credentials::read_secret;
use reqwest::StatusCode;
use reqwest::blocking::{Client, Response};
use reqwest::header::RETRY_AFTER;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::service::{RequestError, chain};
use crate::auth::is_well_formed;

/// Longest wait for a token.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a provider's answer that are read.
const MAX_BYTES: u64 = 256 * 1024;
/// A token is renewed so long before it expires, or a quarter of its life before if that is less: it has to be valid still when
/// the service looks at it, by the service's clock.
const MARGIN: Duration = Duration::from_secs(30);
/// Longest life that is believed.
const MAX_LIFE: Duration = Duration::from_secs(86_400);
/// Characters of a provider's explanation that are passed on.
const MAX_EXPLANATION: usize = 300;

/// Where the secret of a client comes from.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// A file, read for each token.
    File(PathBuf),
    /// The secret itself.
    Value(SecretString),
}

/// How tokens are got.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The provider's token endpoint.
    pub url: Url,
    /// Who asks.
    pub client_id: String,
    /// What proves it.
    pub client_secret: SecretSource,
    /// Whom the token is for, where the provider wants to know.
    pub audience: Option<String>,
    /// What it should allow, where the provider wants to know.
    pub scope: Option<String>,
}

/// A token in use.
#[derive(Clone)]
pub(super) struct Held {
    pub token: SecretString,
    /// When to get another one; never if the provider did not say how long it lasts.
    renew_at: Option<Instant>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").finish_non_exhaustive()
    }
}

impl Held {
    fn new(token: SecretString, life: Option<Duration>, asked: Instant) -> Self {
        let renew_at = life.map(|life| {
            let life = life.min(MAX_LIFE);
            // Counted from the question: how long the answer took is not known to whoever gave it.
            asked + life.saturating_sub(MARGIN.min(life / 4))
        });
        Self { token, renew_at }
    }

    pub fn is_fresh(&self) -> bool {
        self.renew_at.is_none_or(|at| Instant::now() < at)
    }
}

/// The request (RFC 6749, section 4.4.2); `audience` as Auth0 has it, which Camunda's SaaS uses.
#[derive(Serialize)]
struct TokenRequest<'a> {
    grant_type: &'a str,
    client_id: &'a str,
    client_secret: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    /// Seconds; some providers write the number as text.
    #[serde(default)]
    expires_in: Option<serde_json::Value>,
}

/// RFC 6749, section 5.2.
#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: Option<String>,
}

impl ClientCredentials {
    /// Gets a token.
    pub(super) fn fetch(&self, http: &Client) -> Result<Held, RequestError> {
        let secret = match &self.client_secret {
            SecretSource::Value(secret) => secret.clone(),
            SecretSource::File(path) => read_secret(path)
                .map_err(|error| RequestError::Token(format!("--client-secret-file: {error}")))?,
        };
        let request = TokenRequest {
            grant_type: "client_credentials",
            client_id: &self.client_id,
            client_secret: secret.expose_secret(),
            audience: self.audience.as_deref(),
            scope: self.scope.as_deref(),
        };
        let asked = Instant::now();
        // The service has not seen anything yet, whatever goes wrong here.
        let away = |reason: String| RequestError::NotSent(format!("the token provider: {reason}"));
        let response = http
            .post(self.url.clone())
            .timeout(TIMEOUT)
            .form(&request)
            .send()
            .map_err(|error| away(chain(&error)))?;
        let status = response.status();
        if !status.is_success() {
            return Err(refusal(status, response));
        }
        let body = read(response).map_err(|error| away(error.to_string()))?;
        // What the answer holds is a secret, so the message does not repeat it.
        let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| {
            RequestError::Token("the answer of the token provider holds no token".to_owned())
        })?;
        let token = SecretString::from(answer.access_token);
        if !is_well_formed(token.expose_secret()) {
            return Err(RequestError::Token(
                "the token of the provider holds characters that can't be sent".to_owned(),
            ));
        }
        let life = answer.expires_in.as_ref().and_then(seconds);
        Ok(Held::new(token, life, asked))
    }
}

/// A number of seconds that may be text. One below zero is none at all.
fn seconds(value: &serde_json::Value) -> Option<Duration> {
    let seconds = match value {
        serde_json::Value::String(text) => text.trim().parse().ok()?,
        other => other.as_f64()?,
    };
    Some(Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(MAX_LIFE))
}

fn read(response: Response) -> std::io::Result<Vec<u8>> {
    let mut body = Vec::new();
    response.take(MAX_BYTES).read_to_end(&mut body)?;
    Ok(body)
}

/// What became of a request that the provider did not answer with a token.
fn refusal(status: StatusCode, response: Response) -> RequestError {
    let retry_after = response.headers().get(RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let said = read(response)
        .ok()
        .and_then(|body| serde_json::from_slice::<Refusal>(&body).ok());
    let said = said.map_or_else(String::new, |said| {
        let description = said.error_description.unwrap_or_default();
        let text = format!(": {} {description}", said.error);
        text.chars()
            .filter(|c| !c.is_control())
            .take(MAX_EXPLANATION)
            .collect()
    });
    let message = format!(
        "the token provider answers with status {}{}",
        status.as_u16(),
        said.trim_end()
    );
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        // As from the service: busy, or away for a while.
        return RequestError::Status {
            status: StatusCode::SERVICE_UNAVAILABLE,
            message,
            retry_after,
            code: None,
        };
    }
    RequestError::NoToken(message)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_expires() {
        let renewed_after = |life: u64| {
            let now = Instant::now();
            let held = Held::new("t".into(), Some(Duration::from_secs(life)), now);
            (held.renew_at.unwrap() - now).as_millis()
        };
        assert_eq!(renewed_after(300), 270_000);
        assert_eq!(renewed_after(120), 90_000);
        assert_eq!(renewed_after(60), 45_000);
        assert_eq!(renewed_after(4), 3_000);
        assert_eq!(renewed_after(0), 0);
        assert_eq!(renewed_after(u64::MAX), 86_370_000);
        assert!(Held::new("t".into(), None, Instant::now()).is_fresh());
        let expired = Held::new("t".into(), Some(Duration::ZERO), Instant::now());
        assert!(!expired.is_fresh());
        assert!(!format!("{expired:?}").contains("\"t\""));
    }

    #[test]
    fn seconds_may_be_text() {
        for (value, expected) in [
            (json!(300), Some(300)),
            (json!("300"), Some(300)),
            (json!(-1), Some(0)),
            (json!(1e300), Some(86_400)),
            (json!("soon"), None),
            (json!(null), None),
            (json!({}), None),
        ] {
            let seconds = seconds(&value).map(|life| life.as_secs());
            assert_eq!(seconds, expected, "{value}");
        }
    }
}
