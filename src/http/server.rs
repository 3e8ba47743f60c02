//! The loop that accepts connections, around `warp`'s service.
//!
//! `warp`'s own server has no knobs for the limits that a public service needs, so connections are served by `hyper`
//! directly: a bound for headers, a time limit for sending them, TLS, and a shutdown that lets requests under way finish.
//! `connection` and `heads` have the bounds that `hyper` has not.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower_service::Service;
use tracing::Instrument;
use warp::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS,
};
use warp::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use warp::{Filter, Reply};

use super::connection::{Connection, Encrypted, Watched};
use super::error_body::{self, ErrorCode};
use super::heads::{MAX_HEAD_BYTES, MAX_UNFINISHED_BYTES, TooLarge, UnfinishedHeads};
use super::measured::Measured;
use super::tls::TlsAcceptor;
use crate::telemetry;

/// Carries the id of a request, in both directions.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Which trace a request is a part of.
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
/// Longest id that is taken over from a client.
const MAX_REQUEST_ID_LENGTH: usize = 128;
/// What `hyper` may buffer of requests. Its own refusal of a larger head has no body, so ours comes first.
const MAX_REQUEST_BUFFER: usize = MAX_HEAD_BYTES + 16 * 1024;
/// What waits in the system for a client beyond what is on its way. It would take megabytes of an answer that nobody reads.
const MAX_UNSENT_BYTES: u32 = 128 * 1024;
/// How long a client may keep its connection waiting while the service stops.
const PATIENCE_WHILE_STOPPING: Duration = Duration::from_secs(2);
/// How often it is looked whether one does.
const STOPPING_INTERVAL: Duration = Duration::from_millis(250);
/// Pause after a failed accept, which nearly always means too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What clients may take of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections open at the same time; more are not accepted before one closes.
    pub max_connections: usize,
    /// Time for a client to send the whole head of a request; also how long a connection may idle.
    pub head_timeout: Duration,
    /// Time after which a client loses its connection that takes nothing of an answer.
    pub stall_timeout: Duration,
    /// Time for requests under way to finish when the service stops; then they are cut off.
    pub shutdown_timeout: Duration,
}

/// Serves connections, with TLS if there is a certificate, until `shutdown` is done and the requests under way have
/// finished.
pub async fn serve<F>(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: ServerLimits,
    routes: F,
    shutdown: impl Future<Output = ()>,
) where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
    F::Future: Send,
{
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(
        limits.max_connections.min(Semaphore::MAX_PERMITS),
    ));
    let (cut_off, is_cut_off) = watch::channel(false);
    let (stop, is_stopping) = watch::channel(false);
    let heads = UnfinishedHeads::new(MAX_UNFINISHED_BYTES);
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        // The system lets some more wait.
        let accept = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (listener.accept().await, place)
        };
        let (stream, peer, place) = tokio::select! {
            () = &mut shutdown => break,
            (accepted, place) = accept => match accepted {
                Ok((stream, peer)) => (stream, peer, place),
                Err(error) => {
                    if !is_of_one_connection(&error) {
                        tracing::error!(%error, "no connection can be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                    continue;
                }
            },
        };
        let open = OpenConnection::open();
        let (tls, routes, watcher) = (tls.clone(), routes.clone(), graceful.watcher());
        let (mut is_cut_off, is_stopping) = (is_cut_off.clone(), is_stopping.clone());
        let connection = Connection::new(limits.stall_timeout, &heads);
        tokio::spawn(async move {
            let _open = (open, place);
            let watched = Arc::clone(&connection);
            let served = serve_connection(stream, tls, limits, routes, watcher, watched);
            tokio::select! {
                served = served => if let Err(error) = served {
                    tracing::debug!(%peer, error, "the connection broke");
                },
                () = connection.has_to_go() => {
                    tracing::info!(%peer, "closed: all unfinished requests together hold too much");
                }
                () = keeps_the_service_waiting(&connection, is_stopping) => {
                    connection.give_up();
                    tracing::info!(%peer, "cut off: the service stops, and the client keeps it waiting");
                }
                // Either the sender says so or it is gone; both mean stop.
                _ = is_cut_off.wait_for(|is_cut_off| *is_cut_off) => {}
            }
        });
    }
    drop(listener);
    stop.send_replace(true);
    if tokio::time::timeout(limits.shutdown_timeout, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            "requests under way did not finish within {} seconds and are cut off",
            limits.shutdown_timeout.as_secs()
        );
    }
    // Their pages learn that nobody reads them any more.
    cut_off.send_replace(true);
}

/// The connection was gone before it was accepted; the next one may be fine.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// Done when the service stops and a client does nothing for its request to end.
async fn keeps_the_service_waiting(
    connection: &Connection,
    mut is_stopping: watch::Receiver<bool>,
) {
    // Either the sender says so or it is gone; both mean stop.
    let _ = is_stopping.wait_for(|is_stopping| *is_stopping).await;
    while !connection.is_kept_waiting(PATIENCE_WHILE_STOPPING) {
        tokio::time::sleep(STOPPING_INTERVAL).await;
    }
}

/// An open connection, counted while it lives.
struct OpenConnection;

impl OpenConnection {
    fn open() -> Self {
        telemetry::connection_opened();
        Self
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        telemetry::connection_closed();
    }
}

async fn serve_connection<F>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    limits: ServerLimits,
    routes: F,
    watcher: Watcher,
    connection: Arc<Connection>,
) -> Result<(), String>
where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
    F::Future: Send,
{
    // Rows leave in chunks; waiting for more to fill a segment would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY can't be set");
    }
    #[cfg(target_os = "linux")]
    if let Err(error) = socket2::SockRef::from(&stream).set_tcp_notsent_lowat(MAX_UNSENT_BYTES) {
        tracing::debug!(%error, "TCP_NOTSENT_LOWAT can't be set");
    }
    match tls {
        None => serve_http(stream, limits, routes, watcher, connection).await,
        Some(tls) => {
            let stream = tls
                .accept(Encrypted::new(stream, Arc::clone(&connection)))
                .await
                .map_err(|error| error.to_string())?;
            connection.is_agreed();
            serve_http(stream, limits, routes, watcher, connection).await
        }
    }
}

async fn serve_http<F>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    limits: ServerLimits,
    routes: F,
    watcher: Watcher,
    connection: Arc<Connection>,
) -> Result<(), String>
where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
    F::Future: Send,
{
    let service = warp::service(routes);
    let stream = Watched::new(stream, Arc::clone(&connection), refuse);
    let service = service_fn(move |request: Request<Incoming>| {
        let (mut service, connection) = (service.clone(), Arc::clone(&connection));
        async move {
            connection.begin_request().await;
            answer(&mut service, request, connection).await
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(MAX_REQUEST_BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    watcher
        .watch(connection)
        .await
        .map_err(|error| error.to_string())
}

/// Answers one request under its id, which the answer and every line of the log carry.
async fn answer<S, B>(
    service: &mut S,
    request: Request<Incoming>,
    connection: Arc<Connection>,
) -> Result<Response<Measured<B>>, Infallible>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
    B: Body<Data = Bytes>,
{
    let started = Instant::now();
    let id = request_id(request.headers());
    let trace_id = trace_id(request.headers());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default(), trace_id);
    async {
        let method = request.method().clone();
        let path = telemetry::for_log(request.uri().path()).to_owned();
        let mut response = service.call(request).await?;
        let (status, head_ms) = (response.status(), started.elapsed().as_millis());
        if is_asked_by_machines(&path) && status.is_success() {
            // Every few seconds, and only a bad answer is news.
            tracing::debug!(%method, path, status = status.as_u16(), head_ms, "answered");
        } else {
            tracing::info!(%method, path, status = status.as_u16(), head_ms, "answered");
        }
        response.headers_mut().insert(REQUEST_ID, id.clone());
        response
            .headers_mut()
            .insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Ok(Measured::response(response, connection, started, &method))
    }
    .instrument(span)
    .await
}

/// The whole answer to a request whose head is too large. It is written past `hyper`, and the connection closes behind it.
fn refuse(too_large: TooLarge) -> Bytes {
    let (code, what) = match too_large {
        TooLarge::Target => (ErrorCode::UriTooLong, "path and query are"),
        TooLarge::Head => (
            ErrorCode::HeadTooLarge,
            "the head of the request has more than 100 fields, or is",
        ),
    };
    let detail = format!("{what} longer than {MAX_HEAD_BYTES} bytes");
    let (status, json) = (code.status(), error_body::json(code, &detail));
    let id = uuid::Uuid::new_v4();
    tracing::info!(%id, status = status.as_u16(), "a request was refused: {detail}");
    telemetry::answered(
        "other",
        "other",
        status.as_u16(),
        Duration::ZERO,
        json.len() as u64,
    );
    let head = format!(
        "HTTP/1.1 {status}\r\n{CONTENT_TYPE}: application/json\r\n{CONTENT_LENGTH}: {}\r\n{CACHE_CONTROL}: no-store\r\n\
         {REQUEST_ID}: {id}\r\n{X_CONTENT_TYPE_OPTIONS}: nosniff\r\n{CONNECTION}: close\r\n\r\n",
        json.len()
    );
    Bytes::from([head.into_bytes(), json].concat())
}

/// Health checks, and the figures that are gathered.
fn is_asked_by_machines(path: &str) -> bool {
    path.starts_with("/health/") || path == "/metrics" || path.ends_with("/api/readyz")
}

/// The client's own id, if it is a harmless text, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_harmless = |id: &&HeaderValue| {
        (1..=MAX_REQUEST_ID_LENGTH).contains(&id.len())
            && id.as_bytes().iter().all(u8::is_ascii_graphic)
    };
    match headers.get(REQUEST_ID).filter(is_harmless) {
        Some(id) => id.clone(),
        None => HeaderValue::try_from(uuid::Uuid::new_v4().to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("none")),
    }
}

/// The trace that the request is a part of, if its client takes part in one (W3C Trace Context, section 3.2).
fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(TRACE_PARENT).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let mut fields = value.to_str().ok()?.split('-');
    let is_hex = |field: &&str, length: usize| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        field.len() == length && field.bytes().all(is_digit)
    };
    let version = fields.next().filter(|version| is_hex(version, 2))?;
    let trace_id = fields.next().filter(|id| is_hex(id, 32))?;
    let parent_id = fields.next().filter(|id| is_hex(id, 16))?;
    fields.next().filter(|flags| is_hex(flags, 2))?;
    // Later versions may have more fields, this one has not; and zeros are no ids.
    let is_whole = version != "ff" && (version != "00" || fields.next().is_none());
    let is_id = |id: &str| id.bytes().any(|byte| byte != b'0');
    (is_whole && is_id(trace_id) && is_id(parent_id)).then_some(trace_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_harmless_request_id_is_taken_over() {
        let id = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(value).unwrap());
            request_id(&headers)
        };
        assert_eq!(id(b"trace-7"), "trace-7");
        for harmful in [b"".as_slice(), b"a b", b"\xff", &[b'x'; 129]] {
            assert_eq!(id(harmful).len(), 36, "{harmful:?}");
        }
        assert_ne!(request_id(&HeaderMap::new()), request_id(&HeaderMap::new()));
    }

    #[test]
    fn a_trace_is_known_by_its_id() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(TRACE_PARENT, HeaderValue::from_static(value));
            }
            trace_id(&headers).map(str::to_owned)
        };
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        for value in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(of(&[value]).as_deref(), Some(trace), "{value}");
        }
        for value in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(of(&[value]), None, "{value}");
        }
        let whole = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(of(&[whole, whole]), None, "nobody knows which counts");
    }
}
