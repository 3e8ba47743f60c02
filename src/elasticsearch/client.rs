//! The connection to a cluster, and the ordinary (small) requests.

use std::error::Error as _;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use elasticsearch::http::response::Response;
use elasticsearch::http::transport::{MultiNodeConnectionPool, TransportBuilder};
use elasticsearch::{ClearScrollParts, CountParts, MgetParts, SearchParts};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

use super::error::{ElasticsearchError, Refusal};

/// Largest answer to an ordinary request, the limit of Optimize's own client (fact file C, section 10).
const MAX_ANSWER_BYTES: usize = 100 * 1024 * 1024;

/// How to reach a cluster.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// The nodes; a path is a prefix of every request's path.
    pub urls: Vec<Url>,
    /// How to authenticate.
    pub credentials: Credentials,
    /// Certificate authorities in PEM, besides the public ones, which are built in.
    pub certificate_authorities: Vec<Vec<u8>>,
    /// Accept any certificate.
    pub accept_invalid_certificates: bool,
    /// Longest wait for an answer, and for more of one.
    pub timeout: Duration,
}

/// How to authenticate with Elasticsearch.
#[derive(Clone, Default)]
pub enum Credentials {
    /// Not at all.
    #[default]
    None,
    /// User name and password.
    Basic(String, SecretString),
    /// An API key in its encoded form.
    ApiKey(SecretString),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Basic(..) => "Basic(hidden)",
            Self::ApiKey(_) => "ApiKey(hidden)",
        })
    }
}

/// A cluster. Cloning is cheap; clones share their connections.
#[derive(Clone)]
pub struct Elasticsearch {
    official: elasticsearch::Elasticsearch,
    pub(super) shared: Arc<Shared>,
}

/// What the stream of pages needs.
pub(super) struct Shared {
    pub(super) http: reqwest::Client,
    pub(super) credentials: Credentials,
    nodes: Vec<Url>,
    next_node: AtomicUsize,
}

impl fmt::Debug for Elasticsearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elasticsearch")
            .field("nodes", &self.shared.nodes.len())
            .finish_non_exhaustive()
    }
}

/// Settings from which no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A certificate is no certificate, or TLS can't be set up.
    #[error("TLS towards Elasticsearch can't be set up: {0}")]
    Tls(String),
    /// An API key holds characters that no header can carry.
    #[error("the Elasticsearch API key holds characters that can't be sent")]
    ApiKey,
}

impl Elasticsearch {
    /// Makes the clients; nothing is sent yet.
    ///
    /// # Errors
    /// The TLS material or the credentials can't be used.
    pub fn new(settings: ConnectionSettings) -> Result<Self, SettingsError> {
        let tls = |error: reqwest::Error| SettingsError::Tls(error.to_string());
        let mut authorities = Vec::new();
        for pem in &settings.certificate_authorities {
            authorities.extend(reqwest::Certificate::from_pem_bundle(pem).map_err(tls)?);
        }
        let mut http = reqwest::Client::builder()
            .connect_timeout(settings.timeout.min(Duration::from_secs(10)))
            .read_timeout(settings.timeout)
            .danger_accept_invalid_certs(settings.accept_invalid_certificates)
            .tcp_nodelay(true)
            // Compressing a page would cost Elasticsearch far more than sending it.
            .no_gzip()
            .no_proxy();
        for authority in &authorities {
            http = http.add_root_certificate(authority.clone());
        }
        let nodes: Vec<Url> = settings.urls.into_iter().map(with_trailing_slash).collect();
        // Reseeding would ask the cluster for its nodes' own addresses, which are often not reachable from outside.
        let pool = MultiNodeConnectionPool::round_robin(nodes.clone(), None);
        let mut official = TransportBuilder::new(pool)
            .timeout(settings.timeout)
            .disable_proxy();
        official = match &settings.credentials {
            Credentials::None => official,
            Credentials::Basic(user, password) => {
                official.auth(elasticsearch::auth::Credentials::Basic(
                    user.clone(),
                    password.expose_secret().to_owned(),
                ))
            }
            Credentials::ApiKey(key) => {
                // The official client panics on a key that is no header value.
                if !key
                    .expose_secret()
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic())
                {
                    return Err(SettingsError::ApiKey);
                }
                official.auth(elasticsearch::auth::Credentials::EncodedApiKey(
                    key.expose_secret().to_owned(),
                ))
            }
        };
        if settings.accept_invalid_certificates {
            official = official.cert_validation(elasticsearch::cert::CertificateValidation::None);
        } else if !settings.certificate_authorities.is_empty() {
            let chain = settings.certificate_authorities.concat();
            let chain = elasticsearch::cert::Certificate::from_pem(&chain)
                .map_err(|error| SettingsError::Tls(error.to_string()))?;
            official =
                official.cert_validation(elasticsearch::cert::CertificateValidation::Full(chain));
        }
        let official = official
            .build()
            .map_err(|error| SettingsError::Tls(error.to_string()))?;
        Ok(Self {
            official: elasticsearch::Elasticsearch::new(official),
            shared: Arc::new(Shared {
                http: http.build().map_err(tls)?,
                credentials: settings.credentials,
                nodes,
                next_node: AtomicUsize::new(0),
            }),
        })
    }

    /// Several documents by index (or alias) and id, in the order asked for; `None` for one that is not there.
    ///
    /// # Errors
    /// Elasticsearch does not answer, or not with documents.
    pub async fn documents<T: DeserializeOwned>(
        &self,
        index_and_id: &[(String, &str)],
    ) -> Result<Vec<Option<T>>, ElasticsearchError> {
        #[derive(Deserialize)]
        struct Answer<T> {
            docs: Vec<Document<T>>,
        }
        #[derive(Deserialize)]
        struct Document<T> {
            #[serde(default)]
            found: bool,
            #[serde(default = "none")]
            _source: Option<T>,
        }
        fn none<T>() -> Option<T> {
            None
        }
        let docs: Vec<Value> = index_and_id
            .iter()
            .map(|(index, id)| json!({"_index": index, "_id": id}))
            .collect();
        let body = json!({"docs": docs});
        let answer: Answer<T> = self
            .ask(|client| client.mget(MgetParts::None).body(&body).send())
            .await?;
        Ok(answer
            .docs
            .into_iter()
            .map(|document| document._source.filter(|_| document.found))
            .collect())
    }

    /// A search whose answer is small enough to be held as a whole.
    ///
    /// # Errors
    /// Elasticsearch does not answer, refuses, or answers only in part.
    pub async fn search<T: DeserializeOwned>(
        &self,
        indices: &[String],
        body: &Value,
    ) -> Result<T, ElasticsearchError> {
        let indices: Vec<&str> = indices.iter().map(String::as_str).collect();
        // What is slow, or surprising, can be sent by hand then.
        tracing::trace!(indices = indices.join(","), %body, "search");
        let answer: Complete<T> = self
            .ask(|client| {
                client
                    .search(SearchParts::Index(&indices))
                    .body(body)
                    .send()
            })
            .await?;
        answer.whole()
    }

    /// How many documents match.
    ///
    /// # Errors
    /// As [`Elasticsearch::search`].
    pub async fn count(
        &self,
        indices: &[String],
        query: &Value,
    ) -> Result<u64, ElasticsearchError> {
        #[derive(Deserialize)]
        struct Count {
            count: u64,
        }
        let indices: Vec<&str> = indices.iter().map(String::as_str).collect();
        let body = json!({"query": query});
        let answer: Complete<Count> = self
            .ask(|client| client.count(CountParts::Index(&indices)).body(&body).send())
            .await?;
        answer.whole().map(|answer| answer.count)
    }

    /// Gives up a scroll. One that is gone already is as good as given up.
    ///
    /// # Errors
    /// Elasticsearch does not answer.
    pub async fn clear_scroll(&self, scroll_id: &str) -> Result<(), ElasticsearchError> {
        let body = json!({"scroll_id": [scroll_id]});
        let answer = self
            .ask::<Value, _, _>(|client| {
                client
                    .clear_scroll(ClearScrollParts::None)
                    .body(&body)
                    .send()
            })
            .await;
        match answer {
            Err(error @ ElasticsearchError::Refused { .. }) if error_is_missing(&error) => Ok(()),
            other => other.map(drop),
        }
    }

    /// Any other request with a small answer, for checks.
    ///
    /// # Errors
    /// Elasticsearch does not answer, or refuses.
    pub async fn get(&self, path: &str) -> Result<Value, ElasticsearchError> {
        use elasticsearch::http::{Method, headers::HeaderMap};
        self.ask(|client| async move {
            let transport = client.transport();
            transport
                .send(
                    Method::Get,
                    path,
                    HeaderMap::new(),
                    None::<&()>,
                    None::<&str>,
                    None,
                )
                .await
        })
        .await
    }

    /// Sends through the official client; on a node that takes no connection, once more through the next.
    async fn ask<'a, T, F, S>(&'a self, send: S) -> Result<T, ElasticsearchError>
    where
        T: DeserializeOwned,
        S: Fn(&'a elasticsearch::Elasticsearch) -> F,
        F: Future<Output = Result<Response, elasticsearch::Error>>,
    {
        let mut attempts_left = self.shared.nodes.len();
        loop {
            attempts_left = attempts_left.saturating_sub(1);
            match send(&self.official).await {
                Ok(response) => return read(response).await,
                Err(error) if attempts_left > 0 && is_connect_error(&error) => {}
                Err(error) => return Err(classify(&error)),
            }
        }
    }
}

impl Shared {
    /// The nodes to try for one request, beginning with another one each time.
    pub(super) fn nodes_to_try(&self) -> impl Iterator<Item = &Url> {
        let start = self.next_node.fetch_add(1, Ordering::Relaxed) % self.nodes.len().max(1);
        self.nodes.iter().cycle().skip(start).take(self.nodes.len())
    }
}

fn error_is_missing(error: &ElasticsearchError) -> bool {
    matches!(error, ElasticsearchError::Refused { status: 404, .. })
}

/// Joining a path to a URL replaces the last segment that has no slash behind it.
fn with_trailing_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

fn is_connect_error(error: &elasticsearch::Error) -> bool {
    error
        .source()
        .and_then(|source| source.downcast_ref())
        .is_some_and(reqwest::Error::is_connect)
}

fn classify(error: &elasticsearch::Error) -> ElasticsearchError {
    let text = chain(error);
    if error.is_timeout() {
        ElasticsearchError::Timeout(text)
    } else {
        ElasticsearchError::Unreachable(text)
    }
}

/// An error with its causes; the outer one alone often says nothing.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, ElasticsearchError> {
    let status = response.status_code();
    if response
        .content_length()
        .is_some_and(|length| length > MAX_ANSWER_BYTES as u64)
    {
        return Err(ElasticsearchError::Unreadable(format!(
            "it is larger than {MAX_ANSWER_BYTES} bytes"
        )));
    }
    let body = response.bytes().await.map_err(|error| classify(&error))?;
    if !status.is_success() {
        return Err(ElasticsearchError::from_answer(status.as_u16(), &body));
    }
    serde_json::from_slice(&body).map_err(|error| ElasticsearchError::Unreadable(error.to_string()))
}

/// An answer together with what says whether it is whole.
#[derive(Deserialize)]
struct Complete<T> {
    #[serde(default)]
    timed_out: bool,
    #[serde(default)]
    terminated_early: bool,
    #[serde(rename = "_shards", default)]
    shards: Shards,
    #[serde(flatten)]
    answer: T,
}

/// How many shards answered.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Shards {
    #[serde(default)]
    failed: u64,
    #[serde(default)]
    failures: Value,
}

/// An incomplete answer must never pass for a whole one.
pub(super) fn check_whole(
    timed_out: bool,
    terminated_early: bool,
    shards: &Shards,
) -> Result<(), ElasticsearchError> {
    if shards.failed > 0 {
        return Err(ElasticsearchError::from_shard_failures(
            shards.failed,
            &shards.failures,
        ));
    }
    let incomplete = |reason: &str| ElasticsearchError::Refused {
        status: 503,
        refusal: Refusal::Unavailable,
        reason: reason.to_owned(),
    };
    if timed_out {
        return Err(incomplete("the search ran out of time and is incomplete"));
    }
    if terminated_early {
        return Err(incomplete(
            "the search was terminated early and is incomplete",
        ));
    }
    Ok(())
}

impl<T> Complete<T> {
    fn whole(self) -> Result<T, ElasticsearchError> {
        check_whole(self.timed_out, self.terminated_early, &self.shards)?;
        Ok(self.answer)
    }
}
