//! Requests signed for Amazon OpenSearch Service (Signature Version 4).
//!
//! Credentials and region are found as AWS's own tools find them: in the environment, in a profile, by the web identity of a
//! Kubernetes service account, from the metadata of a container or of an instance. They are looked for when the first request
//! is sent, kept, and got anew before they expire. AWS's crates make their requests through `reqwest` too, which saves a second
//! HTTP client.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::region::EnvironmentVariableRegionProvider;
use aws_config::imds::region::ImdsRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::region::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use tokio::sync::{Mutex, OnceCell};
use tokio::time::Instant;

use super::flags;
use super::settings::{self, SettingsError};
use super::telemetry::LOG_TARGET;
use super::tls;

/// The service's name in a signature. Serverless collections have another one, and no scrolls.
const SERVICE: &str = "es";
/// Credentials are got anew so long before they expire.
const MARGIN: Duration = Duration::from_secs(300);
/// How long credentials are kept that don't say when they expire: a profile may change.
const KEPT: Duration = Duration::from_secs(300);
/// After credentials could not be got anew, those in force are used for so long before that is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// Longest wait for credentials, with all places where they may be.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest answer of the places that give credentials.
const MAX_BYTES: usize = 1024 * 1024;

/// Why a request can't be signed; for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignError {
    #[error(
        "no region was found to sign requests for; set {} or AWS_REGION",
        flags::ELASTICSEARCH_AWS_REGION
    )]
    NoRegion,
    #[error("no AWS credentials were found to sign requests with: {0}")]
    NoCredentials(String),
    #[error("a request can't be signed: {0}")]
    Unsignable(String),
}

/// Signs requests.
pub(super) struct Signer {
    region: Option<String>,
    http: reqwest::Client,
    source: OnceCell<Source>,
    held: Mutex<Option<Held>>,
}

/// Where credentials come from.
struct Source {
    region: String,
    credentials: DefaultCredentialsChain,
}

/// Credentials in force.
#[derive(Clone)]
struct Held {
    credentials: Credentials,
    renew_at: Instant,
}

impl Signer {
    /// Looks for nothing yet.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(settings: settings::SigningSettings) -> Result<Self, SettingsError> {
        let http = tls::http_client()
            // Metadata of an instance is not behind a proxy, and a redirect would lead away from it.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .no_gzip()
            .build()
            .map_err(|error| SettingsError::Tls(tls::chain(&error)))?;
        Ok(Self {
            region: settings.region,
            http,
            source: OnceCell::new(),
            held: Mutex::new(None),
        })
    }

    /// Adds the headers of a signature. The body has to be in memory.
    pub async fn sign(&self, request: &mut reqwest::Request) -> Result<(), SignError> {
        let source = self
            .source
            .get_or_try_init(|| Box::pin(Source::find(self.region.clone(), self.http.clone())))
            .await?;
        let credentials = self.credentials(source).await?;
        add_signature(request, &credentials, &source.region, SystemTime::now())
    }

    /// The credentials in force, got anew if need be. Requests wait for that together.
    async fn credentials(&self, source: &Source) -> Result<Credentials, SignError> {
        let mut held = self.held.lock().await;
        if let Some(held) = held.as_ref().filter(|held| Instant::now() < held.renew_at) {
            return Ok(held.credentials.clone());
        }
        let found = tokio::time::timeout(LOOKUP_TIMEOUT, source.credentials.provide_credentials());
        let error = match found.await {
            Ok(Ok(credentials)) => {
                let fresh = Held {
                    renew_at: Instant::now() + kept(&credentials),
                    credentials,
                };
                let credentials = fresh.credentials.clone();
                *held = Some(fresh);
                return Ok(credentials);
            }
            Ok(Err(error)) => tls::chain(&error),
            Err(_) => format!(
                "nothing was found within {} seconds",
                LOOKUP_TIMEOUT.as_secs()
            ),
        };
        let still_valid = |held: &&mut Held| {
            let expiry = held.credentials.expiry();
            expiry.is_none_or(|expiry| SystemTime::now() < expiry)
        };
        match held.as_mut().filter(still_valid) {
            Some(held) => {
                tracing::warn!(target: LOG_TARGET, %error, "AWS credentials can't be got anew; those in force are used on");
                held.renew_at = Instant::now() + RETRY_AFTER;
                Ok(held.credentials.clone())
            }
            None => Err(SignError::NoCredentials(error)),
        }
    }
}

impl Source {
    async fn find(region: Option<String>, http: reqwest::Client) -> Result<Self, SignError> {
        let connector = Arc::new(Connector(http));
        let http_client = http_client_fn(move |settings, _| {
            SharedHttpConnector::new(TimedConnector {
                connector: Arc::clone(&connector),
                timeout: whole_time(settings),
            })
        });
        let config = ProviderConfig::default().with_http_client(http_client);
        let region = match region {
            Some(region) => Region::new(region),
            // As AWS's default chain, which can't be told about the HTTP client.
            None => RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
                .or_else(
                    ProfileFileRegionProvider::builder()
                        .configure(&config)
                        .build(),
                )
                .or_else(ImdsRegionProvider::builder().configure(&config).build())
                .region()
                .await
                .ok_or(SignError::NoRegion)?,
        };
        let name = region.to_string();
        let credentials = DefaultCredentialsChain::builder()
            .configure(config.with_region(Some(region)))
            .build()
            .await;
        Ok(Self {
            region: name,
            credentials,
        })
    }
}

/// How long credentials are used before others are looked for.
fn kept(credentials: &Credentials) -> Duration {
    let Some(expiry) = credentials.expiry() else {
        return KEPT;
    };
    let left = expiry.duration_since(SystemTime::now()).unwrap_or_default();
    // Those of a short life are not asked for again with every request.
    left.saturating_sub(MARGIN.min(left / 4))
}

/// Adds the headers of a signature for the body, the host and everything that is in the head already.
fn add_signature(
    request: &mut reqwest::Request,
    credentials: &Credentials,
    region: &str,
    time: SystemTime,
) -> Result<(), SignError> {
    let unsignable =
        |error: &(dyn std::error::Error + 'static)| SignError::Unsignable(tls::chain(error));
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(SERVICE)
        .time(time)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| unsignable(&error))?
        .into();
    let body = match request.body() {
        None => &[][..],
        Some(body) => body
            .as_bytes()
            .ok_or_else(|| SignError::Unsignable("its body is a stream".to_owned()))?,
    };
    let headers = request.headers().iter();
    let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let signable = SignableRequest::new(
        request.method().as_str(),
        request.url().as_str(),
        headers,
        SignableBody::Bytes(body),
    )
    .map_err(|error| unsignable(&error))?;
    let signed = sign(signable, &params).map_err(|error| unsignable(&error))?;
    let (instructions, _) = signed.into_parts();
    let (added, _) = instructions.into_parts();
    for header in added {
        let mut value =
            HeaderValue::from_str(header.value()).map_err(|error| unsignable(&error))?;
        value.set_sensitive(header.sensitive() || header.name() == AUTHORIZATION.as_str());
        request.headers_mut().insert(header.name(), value);
    }
    Ok(())
}

/// `reqwest` as AWS's crates use it.
#[derive(Debug)]
struct Connector(reqwest::Client);

/// The same with a longest wait.
#[derive(Debug)]
struct TimedConnector {
    connector: Arc<Connector>,
    timeout: Duration,
}

fn whole_time(settings: &HttpConnectorSettings) -> Duration {
    let parts = [settings.connect_timeout(), settings.read_timeout()];
    let time: Duration = parts.into_iter().flatten().sum();
    if time.is_zero() { LOOKUP_TIMEOUT } else { time }
}

impl HttpConnector for TimedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (connector, timeout) = (Arc::clone(&self.connector), self.timeout);
        HttpConnectorFuture::new(async move {
            tokio::time::timeout(timeout, connector.answer_to(request))
                .await
                .unwrap_or_else(|late| Err(ConnectorError::timeout(late.into())))
        })
    }
}

impl Connector {
    async fn answer_to(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let user = |error: Box<dyn std::error::Error + Send + Sync>| ConnectorError::user(error);
        let request = request
            .try_into_http1x()
            .map_err(|error| user(error.into()))?;
        let (head, body) = request.into_parts();
        let body = body.bytes().map(<[u8]>::to_vec);
        let body = body.ok_or_else(|| user("the body is a stream".into()))?;
        let request = self
            .0
            .request(head.method, head.uri.to_string())
            .headers(head.headers)
            .body(body);
        let sorted = |error: reqwest::Error| {
            if error.is_timeout() {
                ConnectorError::timeout(error.into())
            } else {
                ConnectorError::io(error.into())
            }
        };
        let mut response = request.send().await.map_err(sorted)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(sorted)? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(ConnectorError::io("the answer is too long".into()));
            }
            body.extend_from_slice(&chunk);
        }
        let mut answer = HttpResponse::new(
            response
                .status()
                .as_u16()
                .try_into()
                .map_err(|_| ConnectorError::io("the answer has no status".into()))?,
            SdkBody::from(body),
        );
        for (name, value) in response.headers() {
            if let Ok(value) = value.to_str() {
                answer
                    .headers_mut()
                    .append(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What botocore 1.43.11 (`botocore.auth.SigV4Auth`) makes of the same requests at 2026-11-27T04:05:06Z.
    #[test]
    fn signatures_are_those_that_botocore_makes() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_752_306);
        for (method, url, body, token, signed, signature) in [
            (
                "HEAD",
                "https://search-x.eu-central-1.es.amazonaws.com/",
                None,
                None,
                "host;x-amz-date",
                "9e06b22201ccb5ab89c07c1212fb980e751e57b95fbdde056678be4ac892299f",
            ),
            (
                "POST",
                "https://search-x.eu-central-1.es.amazonaws.com/optimize-process-instance-a%2Coptimize-process-instance-%C3%BC/_search?scroll=60s&filter_path=hits.hits._source%2C_scroll_id",
                Some("{\"size\":1}"),
                None,
                "content-type;host;x-amz-date",
                "2c39877be197fd7e60207a2633ea12e3f812801c9218cf46e318a5ac97397c4f",
            ),
            (
                "POST",
                "http://127.0.0.1:9200/a%20prefix/b+c~d/_search?x=%2B&allow_no_indices=true",
                Some(""),
                Some("token/+="),
                "content-type;host;x-amz-date;x-amz-security-token",
                "e0d8b6e9b3d991d3c8e552936f5aed0957b038e0a6a792d7194a7ac962c20fb4",
            ),
            (
                "GET",
                "https://host:9443/optimize-process-instance-*/_mapping",
                None,
                Some("t"),
                "host;x-amz-date;x-amz-security-token",
                "4cd52efddb61a7da3950b7d3841ddcd37d936f3390f826dd3db3ea33795a18ea",
            ),
            (
                "DELETE",
                "https://host/p//q/./_search/scroll",
                Some("{\"scroll_id\":[\"a+/==\"]}"),
                None,
                "content-type;host;x-amz-date",
                "3a7b2d74ba711183be13b876ab9c4612fca9065b82d9ca066518fe37b19f55f9",
            ),
            (
                "GET",
                "https://host/it-!'()$&=;@%25/_count",
                None,
                None,
                "host;x-amz-date",
                "ee031ada97c1f33b4fdf140b0db012f51921056acaa05b4d28b615f5549ba2da",
            ),
        ] {
            let client = tls::http_client().build().unwrap();
            let mut builder = client.request(method.parse().unwrap(), url);
            if let Some(body) = body {
                builder = builder
                    .header("content-type", "application/json")
                    .body(body);
            }
            let mut request = builder.build().unwrap();
            let credentials = Credentials::new(
                "AKIDEXAMPLE",
                "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                token.map(str::to_owned),
                None,
                "test",
            );
            add_signature(&mut request, &credentials, "eu-central-1", time).unwrap();
            let header = |name: &str| request.headers().get(name).map(|v| v.to_str().unwrap());
            let expected = format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261127/eu-central-1/es/aws4_request, SignedHeaders={signed}, Signature={signature}"
            );
            assert_eq!(header("authorization"), Some(expected.as_str()), "{url}");
            assert_eq!(header("x-amz-date"), Some("20261127T040506Z"));
            assert_eq!(header("x-amz-security-token"), token);
            assert!(!format!("{request:?}").contains(signature));
        }
    }

    #[test]
    fn credentials_are_renewed_before_they_expire() {
        let kept_for = |left: Option<u64>| {
            let expiry = left.map(|left| SystemTime::now() + Duration::from_secs(left));
            kept(&Credentials::new("a", "b", None, expiry, "test")).as_secs_f64()
        };
        for (left, expected) in [
            (Some(3_600), 3_300.0),
            (Some(400), 300.0),
            (Some(0), 0.0),
            (None, 300.0),
        ] {
            let kept = kept_for(left);
            assert!((kept - expected).abs() < 2.0, "{left:?}: {kept}");
        }
    }
}
