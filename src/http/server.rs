//! The loop that accepts connections, around `warp`'s service.
//!
//! `warp`'s own server has no knobs for the limits that a public service needs, so connections are served by `hyper`
//! directly: a bound for headers, a time limit for sending them, TLS, and a shutdown that lets requests under way finish.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tower_service::Service;
use tracing::Instrument;
use warp::http::header::X_CONTENT_TYPE_OPTIONS;
use warp::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use warp::{Filter, Reply};

use super::measured::{Measured, Route};
use super::tls::TlsAcceptor;
use crate::telemetry;

/// Carries the id of a request, in both directions.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that is taken over from a client.
const MAX_REQUEST_ID_LENGTH: usize = 128;
/// Largest request head. The scroll id of a report over very many shards takes some ten kilobytes of it.
const MAX_HEAD_BYTES: usize = 256 * 1024;
/// Pause after a failed accept, which nearly always means too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What clients may take of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Connections open at the same time; more are not accepted before one closes.
    pub max_connections: usize,
    /// Time for a client to send the whole head of a request; also how long a connection may idle.
    pub head_timeout: Duration,
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
        let open = Connection::open();
        let (tls, routes, watcher) = (tls.clone(), routes.clone(), graceful.watcher());
        let mut is_cut_off = is_cut_off.clone();
        tokio::spawn(async move {
            let _open = (open, place);
            let served = serve_connection(stream, tls, limits.head_timeout, routes, watcher);
            tokio::select! {
                served = served => if let Err(error) = served {
                    tracing::debug!(%peer, error, "the connection broke");
                },
                // Either the sender says so or it is gone; both mean stop.
                _ = is_cut_off.wait_for(|is_cut_off| *is_cut_off) => {}
            }
        });
    }
    drop(listener);
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

/// An open connection, counted while it lives.
struct Connection;

impl Connection {
    fn open() -> Self {
        telemetry::connection_opened();
        Self
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        telemetry::connection_closed();
    }
}

async fn serve_connection<F>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    head_timeout: Duration,
    routes: F,
    watcher: Watcher,
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
    match tls {
        None => serve_http(stream, head_timeout, routes, watcher).await,
        Some(tls) => {
            let stream = tls
                .accept(stream)
                .await
                .map_err(|error| error.to_string())?;
            serve_http(stream, head_timeout, routes, watcher).await
        }
    }
}

async fn serve_http<F>(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    head_timeout: Duration,
    routes: F,
    watcher: Watcher,
) -> Result<(), String>
where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
    F::Future: Send,
{
    let service = warp::service(routes);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut service = service.clone();
        async move { answer(&mut service, request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
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
) -> Result<Response<Measured<B>>, Infallible>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>,
{
    let started = Instant::now();
    let id = request_id(request.headers());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());
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
        let route = response.extensions().get::<Route>().copied();
        Ok(response.map(|body| Measured::new(body, started, route, &method, status.as_u16())))
    }
    .instrument(span)
    .await
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
}
