//! Scrolls, batch by batch, each answer read as a stream of hits.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{
    Elasticsearch, MAX_ERROR_BYTES, Repeatable, Shards, StreamRequest, check_whole, classify,
    encode_names, measured,
};
use super::error::ElasticsearchError;
use super::hit_memory::{HitMemory, Places};
use super::hits::{HitSplitter, Piece, SplitError};
use crate::telemetry::{self, LOG_TARGET};

/// What stands before the hits of a scroll batch.
#[derive(Debug)]
pub struct BatchHead {
    /// The id to go on with.
    pub scroll_id: String,
    /// How many hits the whole scroll has.
    pub total: u64,
    /// How many shards it reads: each keeps a context open for it.
    pub shards: u64,
}

/// One batch of a scroll: its head is read, its hits arrive one by one.
///
/// An answer that is incomplete (failed shards, timed out) is an error before the first hit.
pub struct ScrollBatch {
    /// What stands before the hits.
    pub head: BatchHead,
    answer: Answer,
    splitter: HitSplitter,
}

impl ScrollBatch {
    /// How many bytes of the answer have arrived.
    pub fn bytes(&self) -> u64 {
        self.answer.bytes
    }
}

/// What arrives of an answer.
struct Answer {
    response: Response,
    /// What was read before it was asked for, as it arrived: in one piece it would have to be copied again and again while
    /// it grows.
    ahead: VecDeque<Bytes>,
    /// Whether all of it has arrived.
    has_ended: bool,
    /// How many bytes have arrived.
    bytes: u64,
    /// Longest wait for the head, and for each hit. One that arrives byte by byte would hold its export's place otherwise.
    patience: Duration,
    memory: HitMemory,
    places: Places,
}

impl Answer {
    /// The next piece; `None` after the last one.
    async fn chunk(&mut self) -> Result<Option<Bytes>, ElasticsearchError> {
        match self.ahead.pop_front() {
            None if self.has_ended => Ok(None),
            None => self.chunk_from_network().await,
            some => Ok(some),
        }
    }

    async fn chunk_from_network(&mut self) -> Result<Option<Bytes>, ElasticsearchError> {
        let chunk = self.response.chunk().await;
        let chunk = chunk.map_err(|error| classify(&error, error.is_timeout()))?;
        match &chunk {
            Some(chunk) => self.bytes += chunk.len() as u64,
            None => self.has_ended = true,
        }
        Ok(chunk)
    }

    /// Hands on what arrives by the deadline, once there is memory for it.
    async fn read_more(
        &mut self,
        splitter: &mut HitSplitter,
        deadline: &mut Option<Deadline>,
    ) -> Result<(), ElasticsearchError> {
        self.memory
            .make_room(&mut self.places, splitter.bytes_waiting())
            .await;
        let deadline = *deadline.get_or_insert_with(|| tokio::time::Instant::now() + self.patience);
        let chunk = tokio::time::timeout_at(deadline, self.chunk())
            .await
            .unwrap_or_else(|_| {
                Err(ElasticsearchError::Timeout(
                    "the next part of its answer took too long".to_owned(),
                ))
            })?;
        match chunk {
            Some(chunk) => splitter.push(&chunk).map_err(unreadable),
            None => splitter.complete().map_err(unreadable),
        }
    }
}

/// When something has to be there at the latest; set when it is first waited for.
type Deadline = tokio::time::Instant;

/// A batch that gave no hits, and the scroll that it may have left open.
struct Broken {
    error: ElasticsearchError,
    scroll_id: Option<String>,
}

impl From<ElasticsearchError> for Broken {
    fn from(error: ElasticsearchError) -> Self {
        Self {
            error,
            scroll_id: None,
        }
    }
}

impl Elasticsearch {
    /// Opens a scroll and reads the head of its first batch. `body` holds query, sort and size, and `preference` names copies of
    /// shards.
    ///
    /// Where a node breaks the connection, another one is asked: at worst the first one keeps a scroll until it expires.
    ///
    /// # Errors
    /// Elasticsearch does not answer, refuses, or answers only in part.
    pub async fn open_scroll(
        &self,
        indices: &[String],
        preference: Option<&str>,
        keep_alive_seconds: u32,
        body: &Value,
    ) -> Result<ScrollBatch, ElasticsearchError> {
        let path = format!("{}/_search", encode_names(indices));
        let mut query = vec![("scroll", format!("{keep_alive_seconds}s"))];
        query.extend(preference.map(|preference| ("preference", preference.to_owned())));
        let request = StreamRequest {
            path: &path,
            query: &query,
            body: body.to_string().into(),
            repeatable: Repeatable::OnAnotherNode,
            scroll_id: None,
        };
        match self.scroll_batch("scroll_open", &request).await {
            Err(Broken {
                error,
                scroll_id: Some(scroll_id),
            }) => {
                // The shards that did answer keep their contexts open, and nobody else will ever know this id.
                if let Err(error) = self.clear_scrolls(&[&scroll_id]).await {
                    tracing::warn!(target: LOG_TARGET, %error, "a scroll that was opened in part can't be cleared");
                }
                Err(error)
            }
            other => other.map_err(|broken| broken.error),
        }
    }

    /// How many bytes the answer to a search has. It is read and not kept.
    ///
    /// # Errors
    /// Elasticsearch does not answer, or refuses.
    pub async fn size_of_answer(
        &self,
        indices: &[String],
        body: &Value,
    ) -> Result<u64, ElasticsearchError> {
        let path = format!("{}/_search", encode_names(indices));
        let request = StreamRequest {
            path: &path,
            query: &[],
            body: body.to_string().into(),
            repeatable: Repeatable::Yes,
            scroll_id: None,
        };
        let size = async {
            let (mut response, _) = self.connection.post_for_stream(&request).await?;
            let status = response.status();
            if !status.is_success() {
                let body = read_error_body(response).await;
                return Err(ElasticsearchError::from_answer(status.as_u16(), &body));
            }
            let mut bytes = 0;
            let next = async |response: &mut Response| {
                let chunk = response.chunk().await;
                chunk.map_err(|error| classify(&error, error.is_timeout()))
            };
            while let Some(chunk) = next(&mut response).await? {
                bytes += chunk.len() as u64;
            }
            Ok(bytes)
        };
        measured("sample", size).await
    }

    /// Asks for the next batch. Never repeated once it may have been sent: a repeated batch skips hits.
    ///
    /// # Errors
    /// As [`Elasticsearch::open_scroll`].
    pub async fn continue_scroll(
        &self,
        scroll_id: &str,
        keep_alive_seconds: u32,
    ) -> Result<ScrollBatch, ElasticsearchError> {
        let body = json!({"scroll": format!("{keep_alive_seconds}s"), "scroll_id": scroll_id});
        let request = StreamRequest {
            path: "_search/scroll",
            query: &[],
            body: body.to_string().into(),
            repeatable: Repeatable::No,
            scroll_id: Some(scroll_id),
        };
        self.scroll_batch("scroll_continue", &request)
            .await
            .map_err(|broken| broken.error)
    }

    /// One batch, up to its first hit; `operation` is its name in the metrics.
    async fn scroll_batch(
        &self,
        operation: &'static str,
        request: &StreamRequest<'_>,
    ) -> Result<ScrollBatch, Broken> {
        let asked = Instant::now();
        let batch = self.begin_batch(request).await;
        let error = batch.as_ref().err().map(|broken| broken.error.kind());
        telemetry::asked_elasticsearch(operation, asked.elapsed(), error);
        batch
    }

    async fn begin_batch(&self, request: &StreamRequest<'_>) -> Result<ScrollBatch, Broken> {
        let (response, authorization) = self.connection.post_for_stream(request).await?;
        let status = response.status();
        if !status.is_success() {
            let body = read_error_body(response).await;
            return Err(ElasticsearchError::from_answer(status.as_u16(), &body).into());
        }
        let (batch, is_terminated) = ScrollBatch::read_head(
            response,
            self.connection.timeout(),
            self.connection.hit_memory().clone(),
        )
        .await?;
        if is_terminated && let Err(error) = self.check_terminated().await {
            return Err(Broken {
                error,
                scroll_id: Some(batch.head.scroll_id),
            });
        }
        self.connection
            .remember_opener(&batch.head.scroll_id, authorization);
        Ok(batch)
    }
}

/// Longest time for reading one. What has arrived by then has to do: the status alone says enough.
const MAX_ERROR_TIME: Duration = Duration::from_secs(10);

async fn read_error_body(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ERROR_BYTES {
                break;
            }
        }
    };
    // Late or not, it is what there is.
    let _ = tokio::time::timeout(MAX_ERROR_TIME, read).await;
    body
}

#[derive(Deserialize)]
struct Head {
    #[serde(rename = "_scroll_id")]
    scroll_id: Option<String>,
    #[serde(default)]
    timed_out: bool,
    #[serde(default)]
    terminated_early: bool,
    #[serde(rename = "_shards", default)]
    shards: Shards,
    hits: HitsHead,
}

#[derive(Deserialize)]
struct HitsHead {
    total: Total,
}

#[derive(Deserialize)]
struct Total {
    value: u64,
}

impl ScrollBatch {
    /// Reads as far as the head goes. Gives back as well whether the answer calls itself terminated early.
    async fn read_head(
        response: Response,
        patience: Duration,
        memory: HitMemory,
    ) -> Result<(Self, bool), Broken> {
        let mut answer = Answer {
            response,
            ahead: VecDeque::new(),
            has_ended: false,
            bytes: 0,
            patience,
            memory,
            places: Places::default(),
        };
        let mut splitter = HitSplitter::default();
        let mut deadline = None;
        loop {
            if let Piece::Head(range) = splitter.next_piece().map_err(unreadable)? {
                let (head, is_terminated) = parse_head(splitter.text(range).map_err(unreadable)?)?;
                let batch = Self {
                    head,
                    answer,
                    splitter,
                };
                return Ok((batch, is_terminated));
            }
            answer.read_more(&mut splitter, &mut deadline).await?;
        }
    }

    /// Text that begins with the next hit, or `None` after the last one.
    ///
    /// It may go on after the hit. Whoever finds where the hit ends says so with [`ScrollBatch::advance`]; who finds that it
    /// has not arrived yet, with [`ScrollBatch::wait`].
    ///
    /// # Errors
    /// The connection broke, or the answer is damaged; it never ends quietly.
    pub async fn next_hit(&mut self) -> Result<Option<&str>, ElasticsearchError> {
        let mut deadline = None;
        loop {
            match self.splitter.next_piece().map_err(unreadable)? {
                Piece::Hit => return self.splitter.rest().map(Some).map_err(unreadable),
                // A connection can be used again only if its answer was read to the very end.
                Piece::End if self.splitter.is_complete() => return Ok(None),
                Piece::End | Piece::Head(_) | Piece::Incomplete => {
                    let Self {
                        answer, splitter, ..
                    } = self;
                    answer.read_more(splitter, &mut deadline).await?;
                }
            }
        }
    }

    /// Goes on after a hit of so many bytes.
    ///
    /// # Errors
    /// No hit can end there.
    pub fn advance(&mut self, length: usize) -> Result<(), ElasticsearchError> {
        self.splitter.advance(length).map_err(unreadable)
    }

    /// Lets [`ScrollBatch::next_hit`] give the same hit again, with more text.
    ///
    /// # Errors
    /// There is no more of it.
    pub fn wait(&mut self) -> Result<(), ElasticsearchError> {
        self.splitter.wait().map_err(unreadable)
    }

    /// Reads at least so many bytes, or all there are, before anybody asks for the next hit. Nothing is lost if it is not
    /// waited for.
    ///
    /// # Errors
    /// As [`ScrollBatch::next_hit`].
    pub async fn read_ahead(&mut self, bytes: usize) -> Result<(), ElasticsearchError> {
        let mut read: usize = self.answer.ahead.iter().map(Bytes::len).sum();
        while read < bytes && !self.answer.has_ended {
            let chunk = self.answer.chunk_from_network().await?;
            read += chunk.as_ref().map_or(0, Bytes::len);
            self.answer.ahead.extend(chunk);
        }
        Ok(())
    }
}

fn unreadable(error: SplitError) -> ElasticsearchError {
    match error {
        SplitError::CutOff => ElasticsearchError::Unreachable("its answer was cut off".to_owned()),
        other => ElasticsearchError::Unreadable(other.to_string()),
    }
}

/// The head, and whether it calls the answer terminated early.
fn parse_head(text: &str) -> Result<(BatchHead, bool), Broken> {
    // The head ends where the list of hits begins: an empty list closes what is open.
    let closed = [text, "[]}}"].concat();
    let head: Head = utf16::from_slice(closed.as_bytes())
        .map_err(|error| ElasticsearchError::Unreadable(error.to_string()))?;
    if let Err(error) = check_whole(head.timed_out, &head.shards) {
        return Err(Broken {
            error,
            scroll_id: head.scroll_id,
        });
    }
    let scroll_id = head
        .scroll_id
        .ok_or_else(|| ElasticsearchError::Unreadable("it has no scroll id".to_owned()))?;
    let batch = BatchHead {
        scroll_id,
        total: head.hits.total.value,
        shards: head.shards.total(),
    };
    Ok((batch, head.terminated_early))
}
