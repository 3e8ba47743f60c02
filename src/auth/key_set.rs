//! The keys that a provider publishes (JWKS), fetched when they are needed.
//!
//! They are fetched again when a token names a key that is not known, but only once per short interval, so that nobody can
//! make this service flood the provider; and now and then in the background, so that withdrawn keys go away. Keys that are
//! known stay in use while the provider is down.
//!
//! Where they are is either configured or found by OpenID Connect Discovery: the issuer's own document names the address. It is
//! read again with the keys.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use cluster::tls::{chain, http_client};
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::sync::{Mutex, MutexGuard};
use url::{Host, Url};

use super::printable;

/// Shortest time between two fetches.
const MIN_INTERVAL: Duration = Duration::from_secs(10);
/// Age at which keys are fetched again in the background.
const MAX_AGE: Duration = Duration::from_secs(300);
/// Longest fetch, from connecting to the last byte; a request that needs the keys waits for it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest key set, and largest document of an issuer.
const MAX_BYTES: usize = 1024 * 1024;
/// Where an issuer's document is, below the issuer itself (OpenID Connect Discovery 1.0, section 4).
const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";
/// Keys that are tried for a token that names none.
const MAX_TRIED: usize = 16;

/// What is known of a key.
pub(super) enum Lookup {
    /// These may have signed the token.
    Found(Vec<DecodingKey>),
    /// The provider has no such key.
    Unknown,
    /// Nobody knows: the provider has never answered.
    Unavailable,
}

/// Where a provider's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySource {
    /// At this address.
    KeySet(Url),
    /// Where the document of this issuer says.
    Issuer {
        /// What it is called, as the document has to say.
        name: String,
        /// The same as an address.
        url: Url,
    },
}

/// Whether two names of an issuer are the same. They are compared as they are written, but for a slash at the end: providers
/// and those who configure them differ in it.
fn is_same_issuer(one: &str, other: &str) -> bool {
    let bare = |issuer: &str| issuer.strip_suffix('/').unwrap_or(issuer).len();
    one.get(..bare(one)) == other.get(..bare(other))
}

/// A provider's keys.
#[derive(Debug, Clone)]
pub(super) struct KeySet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: KeySource,
    http: reqwest::Client,
    known: RwLock<Known>,
    /// When the last fetch began. Held while one is under way, so that there is one at a time.
    last_fetch: Mutex<Option<Instant>>,
}

#[derive(Debug, Default, Clone)]
struct Known {
    keys: Arc<Vec<Jwk>>,
    fetched: Option<Instant>,
    /// Where they are from.
    address: Option<Url>,
}

/// What a provider publishes now.
#[derive(Debug)]
pub struct PublishedKeys {
    /// Where.
    pub address: Url,
    /// How many keys can verify a token.
    pub usable: usize,
}

/// Why the keys can't be had.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct KeysError(#[from] FetchError);

/// Why the keys could not be fetched; for the log.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    // Its causes say more than it: that a name is not known, or a certificate not trusted.
    #[error("{}", chain(.0))]
    Http(#[from] reqwest::Error),
    #[error("the provider answered with status {0}; redirects are not followed")]
    Status(u16),
    #[error("the answer is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("there is no whole answer within {} seconds", FETCH_TIMEOUT.as_secs())]
    Late,
    #[error("the answer is no key set: {0}")]
    NoKeySet(serde_json::Error),
    #[error("the answer at {DISCOVERY_PATH} is no document of an issuer: {0}")]
    NoDocument(serde_json::Error),
    #[error("the document of the issuer is that of another one, {0:?}")]
    OtherIssuer(Arc<str>),
    #[error("the document of the issuer names an address for its keys that is not safe, {0:?}")]
    UnsafeAddress(Arc<str>),
}

impl FetchError {
    /// Whether the provider is only away. What it says wrongly must not be passed over.
    fn is_outage(&self) -> bool {
        matches!(self, Self::Http(_) | Self::Status(_) | Self::Late)
    }
}

impl KeySet {
    pub(super) fn new(source: KeySource) -> Result<Self, reqwest::Error> {
        let http = http_client()
            .timeout(FETCH_TIMEOUT)
            // A redirect would let whoever controls it choose the keys.
            .redirect(reqwest::redirect::Policy::none())
            // A small answer that unpacks to a large one has no room here.
            .no_gzip()
            .build()?;
        let inner = Inner {
            source,
            http,
            known: RwLock::default(),
            last_fetch: Mutex::new(None),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The keys that may have signed a token with this key id and algorithm.
    pub(super) async fn find(&self, key_id: Option<&str>, algorithm: Algorithm) -> Lookup {
        let known = self.known();
        let keys = matching(&known.keys, key_id, algorithm);
        if !keys.is_empty() {
            if known
                .fetched
                .is_none_or(|fetched| fetched.elapsed() > MAX_AGE)
            {
                self.refresh_in_background();
            }
            return Lookup::Found(keys);
        }
        let guard = self.0.last_fetch.lock().await;
        // Somebody else may have fetched while this one waited.
        let keys = matching(&self.known().keys, key_id, algorithm);
        if !keys.is_empty() {
            return Lookup::Found(keys);
        }
        self.fetch_unless_just_done(guard).await;
        let known = self.known();
        let keys = matching(&known.keys, key_id, algorithm);
        match (keys.is_empty(), known.fetched) {
            (false, _) => Lookup::Found(keys),
            (true, Some(_)) => Lookup::Unknown,
            (true, None) => Lookup::Unavailable,
        }
    }

    fn known(&self) -> Known {
        self.0
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn refresh_in_background(&self) {
        let this = self.clone();
        tokio::spawn(async move {
            if let Ok(guard) = this.0.last_fetch.try_lock() {
                this.fetch_unless_just_done(guard).await;
            }
        });
    }

    async fn fetch_unless_just_done(&self, mut last_fetch: MutexGuard<'_, Option<Instant>>) {
        if last_fetch.is_some_and(|last| last.elapsed() < MIN_INTERVAL) {
            return;
        }
        *last_fetch = Some(Instant::now());
        match self.fetch_in_time().await {
            Ok((keys, address)) => {
                tracing::debug!(keys = keys.len(), %address, "fetched the keys of the token provider");
                let known = Known {
                    keys: Arc::new(keys),
                    fetched: Some(Instant::now()),
                    address: Some(address),
                };
                *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = known;
            }
            Err(error) => {
                tracing::error!(%error, "the keys of the token provider can't be fetched")
            }
        }
    }

    /// Fetches the keys, without a use for them but to know that they are there. They need not be of all `algorithms`.
    pub(super) async fn published(
        &self,
        algorithms: &[Algorithm],
    ) -> Result<PublishedKeys, KeysError> {
        let (keys, address) = self.fetch_in_time().await?;
        let is_usable = |key: &&Jwk| {
            let key = std::slice::from_ref(*key);
            let mut algorithms = algorithms.iter();
            algorithms.any(|algorithm| !matching(key, None, *algorithm).is_empty())
        };
        Ok(PublishedKeys {
            usable: keys.iter().filter(is_usable).count(),
            address,
        })
    }

    async fn fetch_in_time(&self) -> Result<(Vec<Jwk>, Url), FetchError> {
        let fetched = tokio::time::timeout(FETCH_TIMEOUT, self.fetch()).await;
        fetched.unwrap_or(Err(FetchError::Late))
    }

    /// The keys, and where they are.
    async fn fetch(&self) -> Result<(Vec<Jwk>, Url), FetchError> {
        #[derive(Deserialize)]
        struct Published {
            keys: Vec<serde_json::Value>,
        }
        let address = self.address().await?;
        let body = self.get(address.clone()).await?;
        let published: Published = serde_json::from_slice(&body).map_err(FetchError::NoKeySet)?;
        // A provider may publish keys of kinds that nobody here knows; they are no reason to do without the others.
        let keys = published
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value(key).ok())
            .collect();
        Ok((keys, address))
    }

    /// Where the keys are now. While the issuer's document can't be had, they are where they were.
    async fn address(&self) -> Result<Url, FetchError> {
        let (name, url) = match &self.0.source {
            KeySource::KeySet(address) => return Ok(address.clone()),
            KeySource::Issuer { name, url } => (name, url),
        };
        match (self.discover(name, url).await, self.known().address) {
            (Err(error), Some(address)) if error.is_outage() => {
                tracing::warn!(%error, "the document of the token provider can't be fetched");
                Ok(address)
            }
            (result, _) => result,
        }
    }

    /// The address that an issuer's document names.
    async fn discover(&self, name: &str, url: &Url) -> Result<Url, FetchError> {
        #[derive(Deserialize)]
        struct Document {
            issuer: String,
            jwks_uri: String,
        }
        let body = self.get(document_of(url)).await?;
        let document: Document = serde_json::from_slice(&body).map_err(FetchError::NoDocument)?;
        if !is_same_issuer(&document.issuer, name) {
            return Err(FetchError::OtherIssuer(printable(&document.issuer)));
        }
        match Url::parse(&document.jwks_uri) {
            Ok(address) if is_as_safe_as(&address, url) => Ok(address),
            _ => Err(FetchError::UnsafeAddress(printable(&document.jwks_uri))),
        }
    }

    /// A small document.
    async fn get(&self, url: Url) -> Result<Vec<u8>, FetchError> {
        let mut response = self.0.http.get(url).send().await?;
        if !response.status().is_success() {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BYTES {
                return Err(FetchError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// Where an issuer's document is.
fn document_of(issuer: &Url) -> Url {
    let mut url = issuer.clone();
    let path = issuer.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    url.set_path(&format!("{path}{DISCOVERY_PATH}"));
    url
}

/// Whether keys from there can be trusted as much as the document that names the address: nobody on the way may exchange
/// them. An issuer that is configured without TLS has decided that for its keys too.
fn is_as_safe_as(address: &Url, issuer: &Url) -> bool {
    let is_loopback = match address.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => return false,
    };
    match address.scheme() {
        "https" => true,
        "http" => is_loopback || issuer.scheme() == "http",
        _ => false,
    }
}

/// The keys that go with a key id, where one is named, and with an algorithm.
fn matching(keys: &[Jwk], key_id: Option<&str>, algorithm: Algorithm) -> Vec<DecodingKey> {
    let is_for_signatures = |key: &&Jwk| {
        matches!(
            key.common.public_key_use,
            None | Some(PublicKeyUse::Signature)
        ) && key
            .common
            .key_algorithm
            .is_none_or(|named| named.to_string() == format!("{algorithm:?}"))
    };
    keys.iter()
        .filter(|key| key_id.is_none() || key.common.key_id.as_deref() == key_id)
        .filter(is_for_signatures)
        .filter_map(|key| DecodingKey::from_jwk(key).ok())
        .filter(|key| key.family() == algorithm.family())
        .take(MAX_TRIED)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn the_document_lies_below_the_issuer_whatever_its_last_slash() {
        let expected = "https://h/realms/r/.well-known/openid-configuration";
        for issuer in ["https://h/realms/r", "https://h/realms/r/"] {
            assert_eq!(document_of(&url(issuer)).as_str(), expected);
        }
        let expected = "https://h:8443/.well-known/openid-configuration";
        assert_eq!(document_of(&url("https://h:8443")).as_str(), expected);
    }

    #[test]
    fn issuers_may_differ_in_one_slash_at_the_end_only() {
        for (one, other, same) in [
            ("https://h/r", "https://h/r/", true),
            ("https://h/r/", "https://h/r", true),
            ("https://h/r", "https://h/r", true),
            ("https://h/r//", "https://h/r", false),
            ("https://h/r", "https://H/r", false),
            ("https://h/r", "http://h/r", false),
            ("https://h/r", "https://h/rr", false),
            ("https://h/r", "", false),
        ] {
            assert_eq!(is_same_issuer(one, other), same, "{one} {other}");
        }
    }

    #[test]
    fn keys_are_fetched_as_safely_as_the_document() {
        for (address, issuer, safe) in [
            ("https://other/keys", "https://h/", true),
            ("http://h/keys", "https://h/", false),
            ("http://127.0.0.1/keys", "https://h/", true),
            ("http://[::1]/keys", "https://h/", true),
            ("http://localhost:1/keys", "https://h/", true),
            ("http://localhost.evil.example/keys", "https://h/", false),
            (
                "http://keycloak:18080/keys",
                "http://keycloak:18080/r",
                true,
            ),
            ("file:///etc/keys", "http://h/", false),
        ] {
            assert_eq!(
                is_as_safe_as(&url(address), &url(issuer)),
                safe,
                "{address}"
            );
        }
    }
}
