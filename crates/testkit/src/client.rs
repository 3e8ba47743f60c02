//! The few blocking requests that tests, sample data and demo send to Elasticsearch.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use ureq::http::{Request, Response};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use crate::certificates::Certified;

/// How long one request may take. A bulk request on a busy two-core machine is the slowest of them.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);

/// The largest answer read, well above the 10,000 rows that Elasticsearch gives at most.
const LARGEST_ANSWER: u64 = 512 * 1024 * 1024;

/// A blocking HTTP client bound to one server.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    url: String,
    timeout: Duration,
    tls: Option<TlsConfig>,
}

/// What a server answered, whatever its status.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The body; a string when it was no JSON.
    pub body: Value,
    /// The body word for word, because a [`Value`] does not keep the order of members.
    pub text: String,
    method: &'static str,
    url: String,
}

/// A request that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A certificate or key is none.
    #[error("a certificate or key can't be read: {reason}")]
    Certificate {
        /// What the reader reported.
        reason: String,
    },
    /// There was no answer at all.
    #[error("no answer from {method} {url}: {reason}")]
    NoAnswer {
        /// The method of the request.
        method: &'static str,
        /// The address, without credentials.
        url: String,
        /// What the client reported.
        reason: String,
    },
    /// There was an answer, but not the hoped-for one.
    #[error("{method} {url} was answered with {status}: {reason}")]
    Refused {
        /// The method of the request.
        method: &'static str,
        /// The address, without credentials.
        url: String,
        /// The HTTP status code.
        status: u16,
        /// The server's own reason, else the body.
        reason: String,
    },
}

impl Client {
    /// A client for the server at `url`; a user and a password in the URL are sent as basic authentication.
    pub fn new(url: &str) -> Self {
        Self {
            agent: agent(REQUEST_TIMEOUT, None),
            url: url.trim_end_matches('/').to_owned(),
            timeout: REQUEST_TIMEOUT,
            tls: None,
        }
    }

    /// The same client with another limit on the time of one request.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self {
            agent: agent(timeout, self.tls.clone()),
            timeout,
            ..self
        }
    }

    /// The same client with trust in this authority (PEM) and no other, and perhaps with a certificate of its own.
    pub fn with_tls(self, authority: &str, own: Option<&Certified>) -> Result<Self, Error> {
        let unreadable = |error: ureq::Error| Error::Certificate {
            reason: error.to_string(),
        };
        let certificate = |pem: &str| Certificate::from_pem(pem.as_bytes()).map_err(unreadable);
        let own = own
            .map(|own| {
                let key = PrivateKey::from_pem(own.key.as_bytes()).map_err(unreadable)?;
                Ok(ClientCert::new_with_certs(
                    &[certificate(&own.certificate)?],
                    key,
                ))
            })
            .transpose()?;
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider())
            .root_certs(RootCerts::new_with_certs(&[certificate(authority)?]))
            .client_cert(own)
            .build();
        Ok(Self {
            agent: agent(self.timeout, Some(tls.clone())),
            tls: Some(tls),
            ..self
        })
    }

    /// `GET path`.
    pub fn get(&self, path: &str) -> Result<Answer, Error> {
        self.send("GET", path, &[], None)
    }

    /// `GET path` with a bearer token.
    pub fn get_with_token(&self, path: &str, token: &str) -> Result<Answer, Error> {
        self.send(
            "GET",
            path,
            &[("authorization", &format!("Bearer {token}"))],
            None,
        )
    }

    /// `PUT path` with a JSON body.
    pub fn put(&self, path: &str, body: &Value) -> Result<Answer, Error> {
        let body = body.to_string();
        self.send(
            "PUT",
            path,
            &[("content-type", "application/json")],
            Some(body.as_bytes()),
        )
    }

    /// `POST path` with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer, Error> {
        let body = body.to_string();
        self.send(
            "POST",
            path,
            &[("content-type", "application/json")],
            Some(body.as_bytes()),
        )
    }

    /// `POST path` without a body.
    pub fn post_nothing(&self, path: &str) -> Result<Answer, Error> {
        self.send("POST", path, &[], None)
    }

    /// `POST path` with the newline-delimited JSON of a bulk request.
    pub fn post_lines(&self, path: &str, lines: &[u8]) -> Result<Answer, Error> {
        self.send(
            "POST",
            path,
            &[("content-type", "application/x-ndjson")],
            Some(lines),
        )
    }

    /// `DELETE path`.
    pub fn delete(&self, path: &str) -> Result<Answer, Error> {
        self.send("DELETE", path, &[], None)
    }

    /// `DELETE path` with a JSON body that says what to delete.
    pub fn delete_named(&self, path: &str, body: &Value) -> Result<Answer, Error> {
        let body = body.to_string();
        self.send(
            "DELETE",
            path,
            &[("content-type", "application/json")],
            Some(body.as_bytes()),
        )
    }

    /// `GET path` with a bearer token; writes the body as it arrives, and gives back its bytes. A body that breaks off is an error.
    pub fn download(&self, path: &str, token: &str, into: &mut impl Write) -> Result<u64, Error> {
        let authorization = format!("Bearer {token}");
        let headers = [("authorization", authorization.as_str())];
        let mut response = self.respond("GET", path, &headers, None)?;
        if !response.status().is_success() {
            let answer = self.read("GET", path, response)?;
            return Err(answer.refusal());
        }
        io::copy(&mut response.body_mut().as_reader(), into)
            .map_err(|error| self.no_answer("GET", path, error.to_string()))
    }

    fn send(
        &self,
        method: &'static str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, Error> {
        let response = self.respond(method, path, headers, body)?;
        self.read(method, path, response)
    }

    fn respond(
        &self,
        method: &'static str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Response<ureq::Body>, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let no_answer = |reason: String| self.no_answer(method, path, reason);
        match body {
            Some(body) => request
                .body(body)
                .map_err(|error| no_answer(error.to_string()))
                .and_then(|request| {
                    self.agent
                        .run(request)
                        .map_err(|error| no_answer(error.to_string()))
                }),
            None => request
                .body(())
                .map_err(|error| no_answer(error.to_string()))
                .and_then(|request| {
                    self.agent
                        .run(request)
                        .map_err(|error| no_answer(error.to_string()))
                }),
        }
    }

    /// The whole answer, held in memory.
    fn read(
        &self,
        method: &'static str,
        path: &str,
        mut response: Response<ureq::Body>,
    ) -> Result<Answer, Error> {
        let mut bytes = Vec::new();
        response
            .body_mut()
            .as_reader()
            .take(LARGEST_ANSWER)
            .read_to_end(&mut bytes)
            .map_err(|error| self.no_answer(method, path, error.to_string()))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let body = serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.as_str()));
        Ok(Answer {
            status: response.status().as_u16(),
            body,
            text,
            method,
            url: without_credentials(&format!("{}{path}", self.url)),
        })
    }

    fn no_answer(&self, method: &'static str, path: &str, reason: String) -> Error {
        Error::NoAnswer {
            method,
            url: without_credentials(&format!("{}{path}", self.url)),
            reason,
        }
    }
}

fn agent(timeout: Duration, tls: Option<TlsConfig>) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(timeout));
    // Without an authority of its own it trusts the public ones. Either way the provider of cryptography has to be named.
    let tls = tls.unwrap_or_else(|| {
        TlsConfig::builder()
            .unversioned_rustls_crypto_provider(provider())
            .root_certs(RootCerts::WebPki)
            .build()
    });
    config.tls_config(tls).build().new_agent()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

impl Answer {
    /// Whether the status is one of success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body of a success; any other status is an error.
    pub fn success(self) -> Result<Value, Error> {
        if self.is_success() {
            return Ok(self.body);
        }
        Err(self.refusal())
    }

    fn refusal(self) -> Error {
        // Elasticsearch's place for the reason, then the service's.
        let reason = ["/error/reason", "/detailedMessage"]
            .iter()
            .find_map(|place| self.body.pointer(place)?.as_str());
        let reason = reason.map_or_else(|| self.body.to_string(), ToOwned::to_owned);
        Error::Refused {
            method: self.method,
            url: self.url,
            status: self.status,
            reason,
        }
    }
}

/// The URL as it may be printed.
pub fn without_credentials(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let authority_end = rest.find('/').unwrap_or(rest.len());
            match rest
                .get(..authority_end)
                .and_then(|authority| authority.rfind('@'))
            {
                Some(at) => format!("{scheme}://{}", rest.get(at + 1..).unwrap_or_default()),
                None => url.to_owned(),
            }
        }
        None => url.to_owned(),
    }
}

/// The URL with a password for the user that it names. Nothing if it names none or has a password already, or if the password has characters that can't
/// stand there: `ureq` sends them as they are, encoded ones too.
pub fn with_password(url: &str, password: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let (user, rest) = rest.split_once('@')?;
    let is_plain = |text: &str| {
        let mut bytes = text.bytes();
        !text.is_empty()
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    (is_plain(user) && is_plain(password)).then(|| format!("{scheme}://{user}:{password}@{rest}"))
}

/// Encodes one part of a path or a query. A `*` stays: in the names of indices it is a wildcard.
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'*') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_without_an_authority_of_its_own_is_asked_over_tls() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || drop(listener.accept()));
        let answer = Client::new(&url).get("/");
        assert!(matches!(answer, Err(Error::NoAnswer { .. })), "{answer:?}");
        server.join().unwrap();
    }

    #[test]
    fn names_are_encoded_for_the_request_line() {
        assert_eq!(
            percent_encoded("p-process-instance-prüfung_v9"),
            "p-process-instance-pr%C3%BCfung_v9"
        );
        assert_eq!(
            percent_encoded("DXF1ZXJ5QW5+/=="),
            "DXF1ZXJ5QW5%2B%2F%3D%3D"
        );
    }

    #[test]
    fn a_password_is_put_behind_the_user() {
        assert_eq!(
            with_password("https://elastic@host:9200/x", "p-1").as_deref(),
            Some("https://elastic:p-1@host:9200/x")
        );
        assert_eq!(with_password("https://elastic@host:9200/x", "p/1"), None);
        for unfit in [
            "https://host:9200",
            "https://u:p@host",
            "https://host/x@y",
            "@",
        ] {
            assert_eq!(with_password(unfit, "p"), None, "{unfit}");
        }
    }

    #[test]
    fn credentials_are_not_printed() {
        assert_eq!(
            without_credentials("http://u:p@host:9200/x@y"),
            "http://host:9200/x@y"
        );
        assert_eq!(
            without_credentials("http://host:9200/x@y"),
            "http://host:9200/x@y"
        );
    }
}
