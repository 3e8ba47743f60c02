//! Measuring an answer from the head of its request to its last byte.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use warp::http::Method;

use crate::telemetry;

/// Which route answered, as metrics name it; an extension of the response. Without it the route is `other`.
#[derive(Debug, Clone, Copy)]
pub struct Route(pub &'static str);

/// The body of an answer, which tells the metrics of its end however that comes.
pub struct Measured<B> {
    body: Pin<Box<B>>,
    started: Instant,
    route: &'static str,
    method: &'static str,
    status: u16,
    bytes: u64,
}

impl<B> Measured<B> {
    /// Measures the answer to a request that began at `started`.
    pub fn new(
        body: B,
        started: Instant,
        route: Option<Route>,
        method: &Method,
        status: u16,
    ) -> Self {
        Self {
            body: Box::pin(body),
            started,
            route: route.map_or("other", |route| route.0),
            method: known(method),
            status,
            bytes: 0,
        }
    }
}

/// A label must not hold whatever a client makes up.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

impl<B: Body<Data = Bytes>> Body for Measured<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.get_mut();
        let polled = this.body.as_mut().poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            this.bytes += data.len() as u64;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Measured<B> {
    fn drop(&mut self) {
        telemetry::answered(
            self.route,
            self.method,
            self.status,
            self.started.elapsed(),
            self.bytes,
        );
    }
}
