//! Requests to a running service.

use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cluster::tls::choose_cryptography;
use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, HeaderValue, RETRY_AFTER};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use super::oauth::{ClientCredentials, Held};
use crate::auth::static_tokens;

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for an answer, and for more of one. A first page may have to be sorted by Elasticsearch.
const READ_TIMEOUT: Duration = Duration::from_secs(300);
/// Bytes of an error's body that are read.
const MAX_ERROR_BYTES: u64 = 64 * 1024;

/// What stands in the way of a client.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The URL is of no use.
    #[error("--url: {0}")]
    Url(&'static str),
    /// A certificate can't be read.
    #[error("--ca-file: {0}")]
    Certificate(String),
    /// The HTTP client can't be made.
    #[error("no connection can be made: {0}")]
    Http(String),
}

/// Where the access token comes from.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// A file like that of the service, whose first token is taken. It is read for every request, because the tokens of a provider last for minutes and an export may take hours.
    File(PathBuf),
    /// The token itself.
    Token(SecretString),
    /// A provider, which is asked again before a token expires.
    Provider(ClientCredentials),
}

/// What goes into the request for a page.
#[derive(Debug, Clone, Copy)]
pub struct PageRequest<'a> {
    /// The report.
    pub report_id: &'a str,
    /// Rows per page.
    pub limit: u32,
    /// Seconds for which the service keeps the scroll open.
    pub pagination_timeout: u32,
    /// The scroll to go on with.
    pub search_request_id: Option<&'a str>,
}

/// Why there is no answer with a page in it.
#[derive(Debug)]
pub enum RequestError {
    /// No connection could be made; the service has not seen the request.
    NotSent(String),
    /// The connection broke; what became of the request is not known.
    NoAnswer(String),
    /// The token can't be read or sent.
    Token(String),
    /// The provider gives none.
    NoToken(String),
    /// The service answered with an error.
    Status {
        /// The status.
        status: StatusCode,
        /// What it says.
        message: String,
        /// Seconds after which it may be asked again.
        retry_after: Option<u64>,
        /// The code of the error, for programs.
        code: Option<String>,
    },
}

/// A running service.
#[derive(Debug, Clone)]
pub struct Service {
    http: reqwest::blocking::Client,
    url: Url,
    token: TokenSource,
    /// The token of a provider that is in use.
    held: Arc<Mutex<Option<Held>>>,
}

impl Service {
    /// A service at a URL, with the context path if it has one. Nothing is sent yet.
    ///
    /// # Errors
    /// The URL or a certificate is of no use.
    pub fn new(
        url: Url,
        certificate_authorities: &[Vec<u8>],
        token: TokenSource,
    ) -> Result<Self, SettingsError> {
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(SettingsError::Url(
                "it must begin with http:// or https:// and name a host",
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SettingsError::Url(
                "credentials don't belong into it; use --access-token-file",
            ));
        }
        choose_cryptography();
        #[expect(clippy::disallowed_methods, reason = "its cryptography is chosen")]
        let mut http = reqwest::blocking::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // For the status line, and then for each piece of the body.
            .timeout(READ_TIMEOUT)
            // The token is for this service and no other.
            .redirect(reqwest::redirect::Policy::none());
        for pem in certificate_authorities {
            let authorities = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| SettingsError::Certificate(error.to_string()))?;
            for authority in authorities {
                http = http.add_root_certificate(authority);
            }
        }
        Ok(Self {
            http: http
                .build()
                .map_err(|error| SettingsError::Http(error.to_string()))?,
            url,
            token,
            held: Arc::default(),
        })
    }

    /// Asks for a page; gives an answer with status 200, whose body is still to be read.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn page(&self, request: PageRequest<'_>) -> Result<Response, RequestError> {
        self.get(&self.page_url(request), None)
    }

    /// Asks for a report as a table, or for what its columns are: for `…/result/{kind}` with these parameters. Gives an answer
    /// with status 200, whose body is still to be read; it comes in one of the accepted encodings or as it is.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn table(
        &self,
        report_id: &str,
        kind: &str,
        parameters: &[(&str, String)],
        accepted_encodings: Option<&'static str>,
    ) -> Result<Response, RequestError> {
        self.get(
            &self.url_of(report_id, kind, parameters),
            accepted_encodings,
        )
    }

    fn get(
        &self,
        url: &Url,
        accepted_encodings: Option<&'static str>,
    ) -> Result<Response, RequestError> {
        let (token, is_new) = self.token()?;
        let mut response = self.send(url, accepted_encodings, &token)?;
        if response.status() == StatusCode::UNAUTHORIZED && self.forget(&token) && !is_new {
            // It was withdrawn, or the clocks differ. Nothing was read for it, so the same page can be asked for again.
            response = self.send(url, accepted_encodings, &self.token()?.0)?;
        }
        let status = response.status();
        if status == StatusCode::OK {
            return Ok(response);
        }
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let (message, code) = error_message(status, response);
        Err(RequestError::Status {
            status,
            message,
            retry_after,
            code,
        })
    }

    fn send(
        &self,
        url: &Url,
        accepted_encodings: Option<&'static str>,
        token: &SecretString,
    ) -> Result<Response, RequestError> {
        let mut request = self
            .http
            .get(url.clone())
            .header(AUTHORIZATION, authorization(token)?);
        if let Some(encodings) = accepted_encodings {
            request = request.header(ACCEPT_ENCODING, encodings);
        }
        request.send().map_err(|error| {
            let text = chain(&error);
            if error.is_connect() || error.is_builder() {
                RequestError::NotSent(text)
            } else {
                RequestError::NoAnswer(text)
            }
        })
    }

    fn page_url(&self, request: PageRequest<'_>) -> Url {
        let mut parameters = vec![
            ("limit", request.limit.to_string()),
            ("paginationTimeout", request.pagination_timeout.to_string()),
        ];
        if let Some(id) = request.search_request_id {
            parameters.push(("searchRequestId", id.to_owned()));
        }
        self.url_of(request.report_id, "json", &parameters)
    }

    fn url_of(&self, report_id: &str, kind: &str, parameters: &[(&str, String)]) -> Url {
        let mut url = self.url.clone();
        // Only a URL without a host has no segments, and that was ruled out.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend([
                "api", "public", "export", "report", report_id, "result", kind,
            ]);
        }
        url.set_query(None);
        url.set_fragment(None);
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        url
    }

    /// The token to send, and whether nobody has sent it yet.
    fn token(&self) -> Result<(SecretString, bool), RequestError> {
        match &self.token {
            TokenSource::Token(token) => Ok((token.clone(), true)),
            TokenSource::File(path) => static_tokens::read_first(path)
                .map(|token| (token, true))
                .map_err(|error| RequestError::Token(format!("--access-token-file: {error}"))),
            TokenSource::Provider(provider) => {
                let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(held) = held.as_ref().filter(|held| held.is_fresh()) {
                    return Ok((held.token.clone(), false));
                }
                let fresh = provider.fetch(&self.http)?;
                let token = fresh.token.clone();
                *held = Some(fresh);
                Ok((token, true))
            }
        }
    }

    /// Gives up a token that the service does not accept; tells whether there may be another one.
    fn forget(&self, refused: &SecretString) -> bool {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_refused = |held: &mut Held| held.token.expose_secret() == refused.expose_secret();
        held.take_if(is_refused);
        matches!(self.token, TokenSource::Provider(_))
    }
}

fn authorization(token: &SecretString) -> Result<HeaderValue, RequestError> {
    let mut value =
        HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).map_err(|_| {
            RequestError::Token("the access token holds characters that can't be sent".to_owned())
        })?;
    value.set_sensitive(true);
    Ok(value)
}

/// The body of an error, of this service and of Optimize (docs/ENDPOINT.md, "Errors").
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    detailed_message: Option<String>,
    error_message: Option<String>,
    error_code: Option<String>,
}

/// What an error says, and its code.
fn error_message(status: StatusCode, response: Response) -> (String, Option<String>) {
    let mut body = Vec::new();
    // An error without a readable body still has its status.
    let _ = response.take(MAX_ERROR_BYTES).read_to_end(&mut body);
    let body: Option<ErrorBody> = utf16::from_slice(&body).ok();
    let (message, code) = body.map_or((None, None), |body| {
        (
            body.detailed_message.or(body.error_message),
            body.error_code,
        )
    });
    let message = match message {
        Some(message) => format!("status {}: {message}", status.as_u16()),
        None => format!("status {status}"),
    };
    (message, code)
}

/// An error with its causes, without the address that it was about.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&words);
        }
        cause = error.source();
    }
    if text.is_empty() {
        "the request failed".to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(url: &str) -> Result<Service, SettingsError> {
        Service::new(url.parse().unwrap(), &[], TokenSource::Token("t".into()))
    }

    #[test]
    fn a_context_path_stays_and_an_id_is_one_segment() {
        let url = |base: &str, report_id, search_request_id| {
            let request = PageRequest {
                report_id,
                limit: 5,
                pagination_timeout: 60,
                search_request_id,
            };
            service(base).unwrap().page_url(request).to_string()
        };
        let expected = "https://h/optimize/api/public/export/report/a%2Fb%20c/result/json?limit=5&paginationTimeout=60";
        assert_eq!(url("https://h/optimize", "a/b c", None), expected);
        assert_eq!(url("https://h/optimize/", "a/b c", None), expected);
        assert_eq!(
            url("http://h:8095", "r", Some("a+/==")),
            "http://h:8095/api/public/export/report/r/result/json?limit=5&paginationTimeout=60&searchRequestId=a%2B%2F%3D%3D"
        );
    }

    #[test]
    fn urls_that_lead_nowhere_or_tell_secrets_are_refused() {
        for url in [
            "ftp://h/",
            "http://user:secret@h/",
            "http://user@h/",
            "mailto:x@y",
        ] {
            let error = service(url).unwrap_err().to_string();
            assert!(
                error.starts_with("--url") && !error.contains("secret"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let service = Service::new(
            "http://h".parse().unwrap(),
            &[],
            TokenSource::Token("s3cret".into()),
        )
        .unwrap();
        assert!(!format!("{service:?}").contains("s3cret"));
        assert!(!format!("{:?}", authorization(&"s3cret".into()).ok()).contains("s3cret"));
    }
}
