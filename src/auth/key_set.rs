//! The keys that a provider publishes (JWKS), fetched when they are needed.
//!
//! They are fetched again when a token names a key that is not known, but only once per short interval, so that nobody can
//! make this service flood the provider; and now and then in the background, so that withdrawn keys go away. Keys that are
//! known stay in use while the provider is down.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::sync::{Mutex, MutexGuard};
use url::Url;

/// Shortest time between two fetches.
const MIN_INTERVAL: Duration = Duration::from_secs(10);
/// Age at which keys are fetched again in the background.
const MAX_AGE: Duration = Duration::from_secs(300);
/// Longest fetch, from connecting to the last byte; a request that needs the keys waits for it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest key set.
const MAX_BYTES: usize = 1024 * 1024;
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

/// A provider's keys.
#[derive(Debug, Clone)]
pub(super) struct KeySet(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    url: Url,
    http: reqwest::Client,
    known: RwLock<Known>,
    /// When the last fetch began. Held while one is under way, so that there is one at a time.
    last_fetch: Mutex<Option<Instant>>,
}

#[derive(Debug, Default, Clone)]
struct Known {
    keys: Arc<Vec<Jwk>>,
    fetched: Option<Instant>,
}

/// Why the keys could not be fetched; for the log.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("the provider answered with status {0}; redirects are not followed")]
    Status(u16),
    #[error("the key set is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("the answer is no key set: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl KeySet {
    pub(super) fn new(url: Url) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(FETCH_TIMEOUT)
            // A redirect would let whoever controls it choose the keys.
            .redirect(reqwest::redirect::Policy::none())
            // A small answer that unpacks to a large one has no room here.
            .no_gzip()
            .build()?;
        let inner = Inner {
            url,
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
        match self.fetch().await {
            Ok(keys) => {
                tracing::debug!(keys = keys.len(), "fetched the keys of the token provider");
                let known = Known {
                    keys: Arc::new(keys),
                    fetched: Some(Instant::now()),
                };
                *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = known;
            }
            Err(error) => {
                tracing::error!(%error, "the keys of the token provider can't be fetched")
            }
        }
    }

    async fn fetch(&self) -> Result<Vec<Jwk>, FetchError> {
        #[derive(Deserialize)]
        struct Published {
            keys: Vec<serde_json::Value>,
        }
        let mut response = self.0.http.get(self.0.url.clone()).send().await?;
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
        let published: Published = serde_json::from_slice(&body)?;
        // A provider may publish keys of kinds that nobody here knows; they are no reason to do without the others.
        Ok(published
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value(key).ok())
            .collect())
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
