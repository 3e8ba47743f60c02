//! The loop that accepts connections, around `warp`'s service.
//!
//! `warp`'s own server has no knobs for the limits that a public service needs, so connections are served by `hyper`
//! directly: a bound for headers, a time limit for sending them, and a shutdown that lets requests under way finish.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service;
use tracing::Instrument;
use warp::http::{HeaderMap, HeaderName, HeaderValue, Request};
use warp::reply::Response;
use warp::{Filter, Reply};

/// Carries the id of a request, in both directions.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest id that is taken over from a client.
const MAX_REQUEST_ID_LENGTH: usize = 128;
/// Largest request head. The scroll id of a report over very many shards takes some ten kilobytes of it.
const MAX_HEAD_BYTES: usize = 256 * 1024;
/// Time for a client to send a request's head; also how long a connection may idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Time for requests under way to finish when the service stops.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(30);
/// Pause after a failed accept, which nearly always means too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves connections until `shutdown` is done and the requests under way have finished.
pub async fn serve<F>(listener: TcpListener, routes: F, shutdown: impl Future<Output = ()>)
where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
    F::Future: Send,
{
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, peer) = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok(connection) => connection,
                Err(error) => {
                    if !is_of_one_connection(&error) {
                        tracing::error!(%error, "no connection can be accepted");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                    }
                    continue;
                }
            },
        };
        serve_connection(stream, peer, routes.clone(), &graceful);
    }
    drop(listener);
    if tokio::time::timeout(SHUTDOWN_GRACE, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!(
            "requests under way did not finish within {} seconds and are cut off",
            SHUTDOWN_GRACE.as_secs()
        );
    }
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

fn serve_connection<F>(stream: TcpStream, peer: SocketAddr, routes: F, graceful: &GracefulShutdown)
where
    F: Filter<Error = Infallible> + Clone + Send + Sync + 'static,
    F::Extract: Reply,
    F::Future: Send,
{
    // Rows leave in chunks; waiting for more to fill a segment would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY can't be set");
    }
    let service = warp::service(routes);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut service = service.clone();
        async move { answer(&mut service, request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%peer, %error, "the connection broke");
        }
    });
}

/// Answers one request under its id, which the answer and every line of the log carry.
async fn answer<S>(service: &mut S, request: Request<Incoming>) -> Result<Response, Infallible>
where
    S: Service<Request<Incoming>, Response = Response, Error = Infallible>,
{
    let started = Instant::now();
    let id = request_id(request.headers());
    let span = tracing::info_span!("request", id = id.to_str().unwrap_or_default());
    async {
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let mut response = service.call(request).await?;
        let (status, head_ms) = (response.status(), started.elapsed().as_millis());
        let is_probe = path.starts_with("/health/") || path.ends_with("/api/readyz");
        if is_probe && status.is_success() {
            // Orchestrators ask every few seconds, and only a bad answer is news.
            tracing::debug!(%method, path, status = status.as_u16(), head_ms, "answered");
        } else {
            tracing::info!(%method, path, status = status.as_u16(), head_ms, "answered");
        }
        response.headers_mut().insert(REQUEST_ID, id.clone());
        Ok(response)
    }
    .instrument(span)
    .await
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
