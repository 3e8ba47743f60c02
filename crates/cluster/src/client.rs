//! The connection to a cluster, and the ordinary (small) requests.

use std::error::Error as _;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use elasticsearch::http::response::Response;
use elasticsearch::http::transport::{SingleNodeConnectionPool, TransportBuilder};
use elasticsearch::http::{Method, headers::HeaderMap};
use elasticsearch::{ClearScrollParts, CountParts, MgetParts, SearchParts};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use url::Url;

#[cfg(feature = "aws")]
use super::aws::Signer;
use super::credentials::{Authorization, Credentials};
use super::error::{ElasticsearchError, Refusal};
use super::hit_memory::HitMemory;
use super::nodes::{Node, Nodes};
use super::server::{self, KnownServer, Server};
use super::settings::{SettingsError, SigningSettings};
use super::tls::{self, TlsSettings};
use crate::memory::{Memory, Share};
use crate::telemetry::{self, LOG_TARGET};

/// Largest answer to a request that asks for little, such as one that gives up a scroll.
const MAX_SMALL_ANSWER_BYTES: u64 = 16 * 1024 * 1024;

/// Largest error body that is read; Elasticsearch's own are a few kilobytes.
pub(super) const MAX_ERROR_BYTES: usize = 1024 * 1024;

/// Memory that an answer takes while it is read, for each of its bytes: its text, and what is read out of it.
const COST_OF_A_BYTE: usize = 2;

/// Longest wait for a connection, and for the answer to a node's head when there is another node to turn to.
const MAX_CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long a connection is kept that nobody uses.
const MAX_IDLE_TIME: Duration = Duration::from_secs(20);
/// Scrolls of which the opener is kept in mind; a node has 500 at a time unless it is told otherwise.
const MAX_OPENERS: u64 = 10_000;

/// How long a scroll can be left alone: Elasticsearch's default of `search.max_keep_alive`.
const LONGEST_SCROLL: Duration = Duration::from_secs(86_400);

/// How to reach a cluster.
#[derive(Debug, Clone)]
pub struct ConnectionSettings {
    /// The nodes; a path is a prefix of every request's path.
    pub urls: Vec<Url>,
    /// How to authenticate.
    pub credentials: Credentials,
    /// The file that the secret of the credentials is from, to be read again when it changes.
    pub secret_file: Option<PathBuf>,
    /// How requests are signed, if they are.
    pub signing: Option<SigningSettings>,
    /// How TLS connections are made.
    pub tls: TlsSettings,
    /// Longest wait for an answer, and for more of one.
    pub timeout: Duration,
    /// Bytes of memory for results that aggregate, all together. Other answers that are held as a whole (reports, definitions,
    /// names) have half as much again, so that they don't wait for those.
    pub memory: usize,
}

/// A cluster. Cloning is cheap; clones share their connections.
#[derive(Clone)]
pub struct Elasticsearch {
    pub(super) connection: Arc<Connection>,
}

/// What requests go through.
pub(super) struct Connection {
    http: reqwest::Client,
    authorization: Authorization,
    #[cfg(feature = "aws")]
    signer: Option<Signer>,
    nodes: Nodes,
    connect_time: Duration,
    timeout: Duration,
    hit_memory: HitMemory,
    /// For results that aggregate.
    memory: Memory,
    /// For everything else.
    memory_for_others: Memory,
    /// The authorization that opened each scroll, where it may change while the scroll is open.
    openers: moka::sync::Cache<String, HeaderValue>,
    /// What is at the other end.
    server: KnownServer,
}

impl fmt::Debug for Elasticsearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elasticsearch")
            .field("nodes", &self.connection.nodes.count())
            .finish_non_exhaustive()
    }
}

/// An ordinary request. None of them changes anything that a second one would change again, so each may be repeated.
struct Request<'r> {
    method: Method,
    /// Path and query, as the official client spells them.
    path: &'r str,
    body: Option<&'r Value>,
}

/// A request whose answer is read while it arrives.
pub(super) struct StreamRequest<'r> {
    pub path: &'r str,
    pub query: &'r [(&'r str, String)],
    pub body: Bytes,
    pub repeatable: Repeatable,
    /// The scroll that it goes on with.
    pub scroll_id: Option<&'r str>,
}

/// Whether a request may be sent again that may have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeatable {
    /// It does no harm.
    Yes,
    /// To another node, where one that is gone would cost a page. It may leave something open that nobody knows.
    OnAnotherNode,
    /// The second one would do something else.
    No,
}

/// A request without an answer.
pub(super) struct Failure {
    error: ElasticsearchError,
    /// Whether the request certainly never arrived.
    was_never_sent: bool,
    is_timeout: bool,
}

impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        Self::sorted(
            classify(&error, error.is_timeout()),
            error.is_connect(),
            error.is_timeout(),
        )
    }
}

impl From<elasticsearch::Error> for Failure {
    fn from(error: elasticsearch::Error) -> Self {
        let cause: Option<&reqwest::Error> = error.source().and_then(|cause| cause.downcast_ref());
        Self::sorted(
            classify(&error, error.is_timeout()),
            cause.is_some_and(reqwest::Error::is_connect),
            error.is_timeout(),
        )
    }
}

impl Failure {
    fn sorted(error: ElasticsearchError, was_never_sent: bool, is_timeout: bool) -> Self {
        let error = match error {
            ElasticsearchError::Unreachable(text) | ElasticsearchError::Timeout(text)
                if was_never_sent =>
            {
                ElasticsearchError::NotConnected(text)
            }
            other => other,
        };
        Self {
            error,
            was_never_sent,
            is_timeout,
        }
    }
}

/// An answer of either client.
pub(super) trait Answer {
    /// Its HTTP status.
    fn status(&self) -> u16;
}

impl Answer for Response {
    fn status(&self) -> u16 {
        self.status_code().as_u16()
    }
}

impl Answer for reqwest::Response {
    fn status(&self) -> u16 {
        reqwest::Response::status(self).as_u16()
    }
}

impl Elasticsearch {
    /// Makes the clients; nothing is sent yet.
    ///
    /// # Errors
    /// The TLS material or the credentials can't be used.
    pub fn new(settings: ConnectionSettings) -> Result<Self, SettingsError> {
        let connect_time = settings.timeout.min(MAX_CONNECT_TIME);
        let http = tls::http_client()
            .connect_timeout(connect_time)
            .read_timeout(settings.timeout)
            .tcp_nodelay(true)
            // Proxies close idle connections after a minute or so. One that is being closed while a scroll is continued
            // costs the scroll, because nobody can tell whether the batch was taken.
            .pool_idle_timeout(MAX_IDLE_TIME)
            // A redirect would take requests, and credentials, to where nobody has configured them to go.
            .redirect(reqwest::redirect::Policy::none())
            // Compressing a page would cost Elasticsearch far more than sending it.
            .no_gzip()
            .no_proxy();
        let http = settings
            .tls
            .apply_to_http(http)?
            .build()
            .map_err(|error| SettingsError::Tls(tls::chain(&error)))?;
        let mut nodes = Vec::new();
        for url in settings.urls {
            let url = with_trailing_slash(url);
            // The official client can't sign either.
            let is_signed = settings.signing.is_some();
            let official = if settings.tls.suits_official_client() && !is_signed {
                let pool = SingleNodeConnectionPool::new(url.clone());
                let transport = TransportBuilder::new(pool)
                    .timeout(settings.timeout)
                    .disable_proxy()
                    .build();
                Some(transport.map_err(|error| SettingsError::Tls(error.to_string()))?)
            } else {
                None
            };
            nodes.push(Node::new(url, official));
        }
        Ok(Self {
            connection: Arc::new(Connection {
                http,
                authorization: Authorization::new(settings.credentials, settings.secret_file)?,
                #[cfg(feature = "aws")]
                signer: settings.signing.map(Signer::new).transpose()?,
                nodes: Nodes::new(nodes),
                connect_time,
                timeout: settings.timeout,
                hit_memory: HitMemory::default(),
                memory: Memory::new(settings.memory),
                memory_for_others: Memory::new(settings.memory / 2),
                openers: moka::sync::Cache::builder()
                    .max_capacity(MAX_OPENERS)
                    .time_to_idle(LONGEST_SCROLL)
                    .build(),
                server: KnownServer::default(),
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
            #[serde(rename = "_id")]
            id: Option<String>,
            #[serde(default)]
            found: bool,
            #[serde(default = "none")]
            _source: Option<T>,
            error: Option<Value>,
        }
        fn none<T>() -> Option<T> {
            None
        }
        let docs: Vec<Value> = index_and_id
            .iter()
            .map(|(index, id)| json!({"_index": index, "_id": id}))
            .collect();
        let body = json!({"docs": docs});
        let path = MgetParts::None.url();
        let share = self.small_share();
        let answer: Answer<T> =
            measured("mget", self.read_whole(&path, text(&body), &share)).await?;
        // What belongs to somebody else must not be taken for what was asked for.
        let asked_for = index_and_id.iter().map(|(_, id)| Some(*id));
        if !(answer.docs.iter().map(|document| document.id.as_deref())).eq(asked_for) {
            return Err(ElasticsearchError::Unreadable(
                "it has other documents than those that were asked for".to_owned(),
            ));
        }
        let document = |document: Document<T>| match &document.error {
            Some(error) => match ElasticsearchError::from_document_error(error) {
                error if error.refusal() == Some(Refusal::IndexNotFound) => Ok(None),
                error => Err(error),
            },
            None => Ok(document._source.filter(|_| document.found)),
        };
        answer.docs.into_iter().map(document).collect()
    }

    /// A search whose answer is small enough to be held as a whole.
    ///
    /// # Errors
    /// Elasticsearch does not answer, refuses, or answers only in part; or the answer is too large.
    pub async fn search<T: DeserializeOwned>(
        &self,
        indices: &[String],
        body: &Value,
    ) -> Result<T, ElasticsearchError> {
        self.search_within(indices, text(body), &self.small_share())
            .await
    }

    /// The same on copies of shards that `preference` names.
    ///
    /// # Errors
    /// As [`Elasticsearch::search`].
    pub async fn search_preferring<T: DeserializeOwned>(
        &self,
        indices: &[String],
        preference: &str,
        body: &Value,
    ) -> Result<T, ElasticsearchError> {
        let indices: Vec<&str> = indices.iter().map(String::as_str).collect();
        let preference =
            percent_encoding::utf8_percent_encode(preference, percent_encoding::NON_ALPHANUMERIC);
        let path = SearchParts::Index(&indices).url();
        let path = format!("{path}?preference={preference}");
        let share = self.small_share();
        measured("search", self.complete(&path, text(body), &share)).await
    }

    /// How many documents match on copies of shards that `preference` names.
    ///
    /// # Errors
    /// As [`Elasticsearch::search`].
    pub async fn count_preferring(
        &self,
        indices: &[String],
        preference: Option<&str>,
        query: &Value,
    ) -> Result<u64, ElasticsearchError> {
        #[derive(Deserialize)]
        struct Counted {
            hits: Hits,
        }
        #[derive(Deserialize)]
        struct Hits {
            total: Total,
        }
        #[derive(Deserialize)]
        struct Total {
            value: u64,
        }
        let Some(preference) = preference else {
            return self.count(indices, query).await;
        };
        let body = json!({"size": 0, "track_total_hits": true, "query": query});
        let counted: Counted = self.search_preferring(indices, preference, &body).await?;
        Ok(counted.hits.total.value)
    }

    /// Settings of indices; `path` says which.
    ///
    /// # Errors
    /// Elasticsearch does not answer, or refuses.
    pub async fn index_settings(
        &self,
        indices: &[String],
        path: &str,
    ) -> Result<Value, ElasticsearchError> {
        let indices = encode_names(indices);
        measured("settings", self.get(&format!("{indices}/{path}"))).await
    }

    /// The same, with a body that is text already. What the answer takes is added to `share`.
    ///
    /// # Errors
    /// As [`Elasticsearch::search`].
    pub async fn search_within<T: DeserializeOwned>(
        &self,
        indices: &[String],
        body: Bytes,
        share: &Share,
    ) -> Result<T, ElasticsearchError> {
        let indices: Vec<&str> = indices.iter().map(String::as_str).collect();
        // What is slow, or surprising, can be sent by hand then.
        tracing::trace!(
            target: LOG_TARGET,
            indices = indices.join(","),
            body = %String::from_utf8_lossy(&body),
            "search"
        );
        let path = SearchParts::Index(&indices).url();
        measured("search", self.complete(&path, body, share)).await
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
        let body = text(&json!({"query": query}));
        let path = CountParts::Index(&indices).url();
        let share = self.small_share();
        let answer: Count = measured("count", self.complete(&path, body, &share)).await?;
        Ok(answer.count)
    }

    /// A share of the memory for results that aggregate.
    pub fn share(&self) -> Share {
        self.connection.memory.share()
    }

    /// A share of the memory for other answers.
    pub(super) fn small_share(&self) -> Share {
        self.connection.memory_for_others.share()
    }

    /// Asks for what may be long, and reads it as a whole.
    async fn read_whole<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Bytes,
        share: &Share,
    ) -> Result<T, ElasticsearchError> {
        let (status, answer) = self.bytes_of(path, body, share).await?;
        share.work_on(answer.len(), || parse(status, &answer)).await
    }

    /// The same for an answer that says whether it is whole.
    async fn complete<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Bytes,
        share: &Share,
    ) -> Result<T, ElasticsearchError> {
        let (status, answer) = self.bytes_of(path, body, share).await?;
        let read = || -> Result<(bool, T), ElasticsearchError> {
            // Twice, since reading both at once makes a tree of all that there is.
            let completeness: Completeness = parse(status, &answer)?;
            check_whole(completeness.timed_out, &completeness.shards)?;
            Ok((completeness.terminated_early, parse(status, &answer)?))
        };
        let (is_terminated, answer) = share.work_on(answer.len(), read).await?;
        if is_terminated {
            self.check_terminated().await?;
        }
        Ok(answer)
    }

    /// What it means that an answer calls itself terminated early: that it is incomplete, unless the server says that of
    /// whole answers too.
    pub(super) async fn check_terminated(&self) -> Result<(), ElasticsearchError> {
        match self.server().await {
            Ok(server) if server.calls_whole_answers_terminated() => Ok(()),
            _ => Err(incomplete(
                "the search was terminated early and is incomplete",
            )),
        }
    }

    async fn bytes_of(
        &self,
        path: &str,
        body: Bytes,
        share: &Share,
    ) -> Result<(u16, Vec<u8>), ElasticsearchError> {
        let request = StreamRequest {
            path,
            query: &[],
            body,
            repeatable: Repeatable::Yes,
            scroll_id: None,
        };
        // The official client reads an answer to its end, however long that is: newer versions don't tell the length.
        let (response, _) = self.connection.post_for_stream(&request).await?;
        let status = response.status().as_u16();
        Ok((status, read_bounded(response, share).await?))
    }

    /// Gives up scrolls. One that is gone already is as good as given up.
    ///
    /// # Errors
    /// Elasticsearch does not answer.
    pub async fn clear_scrolls(&self, scroll_ids: &[&str]) -> Result<(), ElasticsearchError> {
        let body = json!({"scroll_id": scroll_ids});
        let path = ClearScrollParts::None.url();
        let answer = self
            .ask::<Value>("scroll_clear", Method::Delete, &path, Some(&body))
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
        self.ask("other", Method::Get, path, None).await
    }

    /// The same with a body. For questions only.
    ///
    /// # Errors
    /// Elasticsearch does not answer, or refuses.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<T, ElasticsearchError> {
        self.ask("other", Method::Post, path, Some(body)).await
    }

    /// Sends an ordinary request and reads its answer; `operation` is its name in the metrics.
    async fn ask<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, ElasticsearchError> {
        measured(operation, self.answer_to(method, path, body)).await
    }

    async fn answer_to<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<T, ElasticsearchError> {
        let connection = &self.connection;
        let request = Request { method, path, body };
        let (response, _) = connection
            .send(Repeatable::Yes, |node, authorization| {
                connection.send_to(node, &request, authorization)
            })
            .await?;
        read(response).await
    }
}

impl Elasticsearch {
    /// Which server answers. It is asked, once in a while; what was known stays known while it does not answer.
    ///
    /// # Errors
    /// It has never told.
    pub async fn server(&self) -> Result<Server, ElasticsearchError> {
        let known = self.connection.server.get();
        if let Some((since, server)) = &known
            && since.elapsed() < server::HOLDS
        {
            return Ok(server.clone());
        }
        match (self.ask_server().await, known) {
            (Err(_), Some((_, server))) => Ok(server),
            (answer, _) => answer,
        }
    }

    /// The same, asked now.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub async fn ask_server(&self) -> Result<Server, ElasticsearchError> {
        let server = Server::of(&self.get("").await?)?;
        self.connection.server.set(server.clone());
        Ok(server)
    }
}

/// Tells the metrics how long an answer took, and what was wrong with it.
pub(super) async fn measured<T>(
    operation: &'static str,
    answer: impl Future<Output = Result<T, ElasticsearchError>>,
) -> Result<T, ElasticsearchError> {
    let asked = Instant::now();
    let answer = answer.await;
    let error = answer.as_ref().err().map(ElasticsearchError::kind);
    telemetry::asked_elasticsearch(operation, asked.elapsed(), error);
    answer
}

impl Connection {
    /// Sends to the nodes in turn until one answers; again with other credentials if those in force are refused. Tells with
    /// what authorization the answer was had.
    async fn send<'c, A, F, S>(
        &'c self,
        repeatable: Repeatable,
        send: S,
    ) -> Result<(A, Option<HeaderValue>), ElasticsearchError>
    where
        A: Answer,
        F: Future<Output = Result<A, Failure>>,
        S: Fn(&'c Node, Option<HeaderValue>) -> F,
    {
        let authorization = self.authorization.current();
        let answer = self
            .send_with(repeatable, &send, authorization.as_ref())
            .await?;
        if answer.status() != 401 {
            return Ok((answer, authorization));
        }
        // It was refused before anything was done, so even what must not be repeated can be sent again.
        let Some(other) = authorization
            .as_ref()
            .and_then(|refused| self.authorization.instead_of(refused))
        else {
            return Ok((answer, authorization));
        };
        let answer = self.send_with(repeatable, &send, Some(&other)).await?;
        if answer.status() != 401 {
            return Ok((answer, Some(other)));
        }
        // Elasticsearch may have changed from the other one to the first one between the two requests.
        let answer = self
            .send_with(repeatable, &send, authorization.as_ref())
            .await?;
        Ok((answer, authorization))
    }

    async fn send_with<'c, A, F, S>(
        &'c self,
        repeatable: Repeatable,
        send: &S,
        authorization: Option<&HeaderValue>,
    ) -> Result<A, ElasticsearchError>
    where
        A: Answer,
        F: Future<Output = Result<A, Failure>>,
        S: Fn(&'c Node, Option<HeaderValue>) -> F,
    {
        let has_another = self.nodes.count() > 1;
        let mut last_error = ElasticsearchError::NotConnected("no node is configured".to_owned());
        let mut nodes = self.nodes.in_turn();
        if repeatable == Repeatable::Yes && !has_another {
            // A connection that was kept open may turn out to be closed just when it is used again.
            nodes.extend(self.nodes.in_turn());
        }
        for node in nodes {
            if has_another
                && !node.is_trusted()
                && let Err(error) = self.ask_for_head(node, authorization).await
            {
                node.has_failed();
                tracing::warn!(target: LOG_TARGET, %error, "an Elasticsearch node does not answer; it is left alone for a while");
                // Whatever the question came to, the request itself was not sent.
                last_error = ElasticsearchError::NotConnected(error.to_string());
                continue;
            }
            match send(node, authorization.cloned()).await {
                Ok(answer) => {
                    node.has_answered();
                    return Ok(answer);
                }
                Err(failure) => {
                    let may_go_on = failure.was_never_sent
                        || (repeatable != Repeatable::No && !failure.is_timeout);
                    if !may_go_on {
                        return Err(failure.error);
                    }
                    node.has_failed();
                    last_error = failure.error;
                }
            }
        }
        Err(last_error)
    }

    /// Asks a node the smallest question there is. Any answer will do, unless a proxy says that the node is away.
    async fn ask_for_head(
        &self,
        node: &Node,
        authorization: Option<&HeaderValue>,
    ) -> Result<(), ElasticsearchError> {
        let mut request = self.http.head(node.url.clone()).timeout(self.connect_time);
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        match self.dispatch(request).await {
            Ok(answer) if matches!(Answer::status(&answer), 502..=504) => Err(
                ElasticsearchError::from_answer(Answer::status(&answer), b""),
            ),
            Ok(_) => Ok(()),
            Err(failure) => Err(failure.error),
        }
    }

    /// Sends an ordinary request through the official client, or the same through ours where that one can't connect.
    async fn send_to(
        &self,
        node: &Node,
        request: &Request<'_>,
        authorization: Option<HeaderValue>,
    ) -> Result<Response, Failure> {
        let Request { method, path, body } = *request;
        if let Some(official) = &node.official {
            let mut headers = HeaderMap::new();
            if let Some(authorization) = authorization {
                headers.insert(AUTHORIZATION, authorization);
            }
            let body = body.map(utf16::to_vec);
            let answer = official
                .send(method, path, headers, None::<&()>, body, None)
                .await;
            return Ok(answer?);
        }
        let http_method = match method {
            Method::Get => reqwest::Method::GET,
            Method::Put => reqwest::Method::PUT,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
            Method::Head => reqwest::Method::HEAD,
        };
        let mut builder = self
            .http
            .request(http_method, node.join(path)?)
            // As the official client does.
            .timeout(self.timeout);
        if let Some(body) = body {
            builder = builder
                .header(CONTENT_TYPE, "application/json")
                .body(utf16::to_vec(body));
        }
        if let Some(authorization) = authorization {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        Ok(Response::new(self.dispatch(builder).await?, method))
    }

    /// Posts JSON through our own client, whose answers can be read while they arrive. Tells with what authorization, too.
    pub(super) async fn post_for_stream(
        &self,
        request: &StreamRequest<'_>,
    ) -> Result<(reqwest::Response, Option<HeaderValue>), ElasticsearchError> {
        let send = |node, authorization| self.stream_from(node, request, authorization);
        match request.scroll_id.and_then(|id| self.openers.get(id)) {
            None => self.send(request.repeatable, send).await,
            Some(opener) => {
                let answer = self
                    .send_with(request.repeatable, &send, Some(&opener))
                    .await?;
                if answer.status() == 401 {
                    return Err(ElasticsearchError::Refused {
                        status: 404,
                        refusal: Refusal::SearchContextMissing,
                        reason: "the API key that opened the scroll is no longer valid".to_owned(),
                    });
                }
                Ok((answer, Some(opener)))
            }
        }
    }

    async fn stream_from(
        &self,
        node: &Node,
        request: &StreamRequest<'_>,
        authorization: Option<HeaderValue>,
    ) -> Result<reqwest::Response, Failure> {
        let mut builder = self
            .http
            .post(node.join(request.path)?)
            .header(CONTENT_TYPE, "application/json")
            .query(request.query)
            .body(sent(&request.body));
        if request.repeatable == Repeatable::Yes {
            // It is read at once and as a whole, while a batch takes as long as its reader does.
            builder = builder.timeout(self.timeout);
        }
        if let Some(authorization) = authorization {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        self.dispatch(builder).await
    }

    /// Sends through our own client, signed if that is asked for.
    async fn dispatch(
        &self,
        builder: reqwest::RequestBuilder,
    ) -> Result<reqwest::Response, Failure> {
        #[cfg_attr(not(feature = "aws"), expect(unused_mut, reason = "nothing is added"))]
        let mut request = builder.build()?;
        #[cfg(feature = "aws")]
        if let Some(signer) = &self.signer {
            // Looking for credentials takes far more room than anything else a request waits for.
            let signed = Box::pin(signer.sign(&mut request)).await;
            signed.map_err(|error| Failure {
                // Without credentials nothing goes out, and they may be there the next time.
                error: ElasticsearchError::NotConnected(error.to_string()),
                was_never_sent: true,
                is_timeout: false,
            })?;
        }
        Ok(self.http.execute(request).await?)
    }

    /// Longest wait for an answer, and for more of one.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The memory that hits of scrolls share.
    pub(super) fn hit_memory(&self) -> &HitMemory {
        &self.hit_memory
    }

    /// Keeps in mind with what authorization a scroll has to go on.
    pub(super) fn remember_opener(&self, scroll_id: &str, authorization: Option<HeaderValue>) {
        if let Some(opener) = authorization.filter(|_| self.authorization.may_change_owner()) {
            self.openers.insert(scroll_id.to_owned(), opener);
        }
    }
}

impl Node {
    fn join(&self, path: &str) -> Result<Url, Failure> {
        self.url
            .join(path.trim_start_matches('/'))
            .map_err(|error| Failure {
                error: ElasticsearchError::Unreachable(error.to_string()),
                was_never_sent: true,
                is_timeout: false,
            })
    }
}

fn error_is_missing(error: &ElasticsearchError) -> bool {
    matches!(error, ElasticsearchError::Refused { status: 404, .. })
}

/// Index names as one path segment; names may hold any letter.
pub(super) fn encode_names(indices: &[String]) -> String {
    let encode = |name: &String| {
        percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    indices.iter().map(encode).collect::<Vec<_>>().join(",")
}

/// Joining a path to a URL replaces the last segment that has no slash behind it.
fn with_trailing_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

/// Sorts an error of a client; one of TLS comes with what to do about it.
pub(super) fn classify(
    error: &(dyn std::error::Error + 'static),
    is_timeout: bool,
) -> ElasticsearchError {
    let text = tls::chain(error);
    if is_timeout {
        return ElasticsearchError::Timeout(text);
    }
    ElasticsearchError::Unreachable(match tls::advice(error) {
        Some(advice) => format!("{advice} ({text})"),
        None => text,
    })
}

async fn read<T: DeserializeOwned>(response: Response) -> Result<T, ElasticsearchError> {
    let status = response.status_code();
    if response
        .content_length()
        .is_some_and(|length| length > MAX_SMALL_ANSWER_BYTES)
    {
        return Err(ElasticsearchError::Unreadable(format!(
            "it is larger than {MAX_SMALL_ANSWER_BYTES} bytes"
        )));
    }
    let body = response
        .bytes()
        .await
        .map_err(|error| classify(&error, error.is_timeout()))?;
    parse(status.as_u16(), &body)
}

/// Reads any answer that is held as a whole.
fn parse<T: DeserializeOwned>(status: u16, body: &[u8]) -> Result<T, ElasticsearchError> {
    if !(200..300).contains(&status) {
        return Err(ElasticsearchError::from_answer(status, body));
    }
    utf16::from_slice(body).map_err(|error| ElasticsearchError::Unreadable(error.to_string()))
}

/// Takes an answer of which nobody said how long it is; before it does, the memory that reading it takes.
async fn read_bounded(
    mut response: reqwest::Response,
    share: &Share,
) -> Result<Vec<u8>, ElasticsearchError> {
    let mut body = Vec::new();
    let next = async |response: &mut reqwest::Response| {
        let chunk = response.chunk().await;
        chunk.map_err(|error| classify(&error, error.is_timeout()))
    };
    let is_refusal = !response.status().is_success();
    while let Some(chunk) = next(&mut response).await? {
        share.grow(COST_OF_A_BYTE * chunk.len()).await?;
        body.extend_from_slice(&chunk);
        if is_refusal && body.len() > MAX_ERROR_BYTES {
            break;
        }
    }
    Ok(body)
}

/// A request as it is sent, with its strings as Java would have them. Hardly any has to be changed for that.
fn sent(body: &Bytes) -> Bytes {
    if utf16::needs_restoring(body) {
        Bytes::from(utf16::restore(body.to_vec()))
    } else {
        body.clone()
    }
}

fn text(body: &Value) -> Bytes {
    Bytes::from(body.to_string())
}

/// An answer to a search that asks for documents.
#[derive(Debug, Deserialize)]
pub struct Found<H> {
    hits: Hits<H>,
}

#[derive(Debug, Deserialize)]
struct Hits<H> {
    hits: Vec<H>,
}

impl<H> Found<H> {
    /// What was found, in the order of the search.
    pub fn into_hits(self) -> Vec<H> {
        self.hits.hits
    }
}

/// What says whether an answer is whole.
#[derive(Deserialize)]
struct Completeness {
    #[serde(default)]
    timed_out: bool,
    #[serde(default)]
    terminated_early: bool,
    #[serde(rename = "_shards", default)]
    shards: Shards,
}

/// How many shards answered.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Shards {
    #[serde(default)]
    total: u64,
    /// Those that had nothing to search through are among them.
    #[serde(default)]
    successful: u64,
    #[serde(default)]
    failed: u64,
    #[serde(default)]
    failures: Value,
}

impl Shards {
    /// How many there are.
    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

/// An incomplete answer must never pass for a whole one. See also [`Elasticsearch::check_terminated`].
pub(super) fn check_whole(timed_out: bool, shards: &Shards) -> Result<(), ElasticsearchError> {
    // A shard that is not there at all is counted as failed by some kinds of request and left out by others.
    let missing = shards.total.saturating_sub(shards.successful);
    if shards.failed > 0 || missing > 0 {
        return Err(ElasticsearchError::from_shard_failures(
            shards.failed.max(missing),
            &shards.failures,
        ));
    }
    if timed_out {
        return Err(incomplete("the search ran out of time and is incomplete"));
    }
    Ok(())
}

fn incomplete(reason: &str) -> ElasticsearchError {
    ElasticsearchError::Refused {
        status: 503,
        refusal: Refusal::Unavailable,
        reason: reason.to_owned(),
    }
}
