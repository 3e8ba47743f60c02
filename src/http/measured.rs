//! The body of an answer on its way to the connection: measured from the head of its request to its last byte, handed over
//! in parts, and holding what belongs to it until its client has it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use warp::http::Method;
use warp::reply::Response;

use super::connection::Connection;
use crate::export::Held;
use crate::telemetry;

/// What of a large answer is given to the connection at a time.
const PART_BYTES: usize = 64 * 1024;
/// What is given as it is.
const SMALL_BYTES: usize = 2 * PART_BYTES;

/// Which route answered, as metrics name it; an extension of the response. Without it the route is `other`.
#[derive(Debug, Clone, Copy)]
pub struct Route(pub &'static str);

/// What an answer holds until its client has it, as an extension of the response.
#[derive(Clone)]
struct Holds(Arc<Mutex<Option<Held>>>);

/// Lets `response` hold something until its client has it.
pub fn hold(mut response: Response, held: Held) -> Response {
    let held = Holds(Arc::new(Mutex::new(Some(held))));
    response.extensions_mut().insert(held);
    response
}

/// The body of an answer, which tells the metrics of its end however that comes.
pub struct Measured<B> {
    body: Pin<Box<B>>,
    /// What the body has given and the connection has not.
    rest: Bytes,
    connection: Arc<Connection>,
    held: Option<Held>,
    /// Whether the body has ended properly.
    has_ended: bool,
    started: Instant,
    route: &'static str,
    method: &'static str,
    status: u16,
    bytes: u64,
}

impl<B> Measured<B>
where
    B: Body<Data = Bytes>,
{
    /// The body of the answer to a request that began at `started`.
    pub fn response(
        response: warp::http::Response<B>,
        connection: Arc<Connection>,
        started: Instant,
        method: &Method,
    ) -> warp::http::Response<Self> {
        let route = response.extensions().get::<Route>();
        let route = route.map_or("other", |route| route.0);
        let held = response.extensions().get::<Holds>();
        let held =
            held.and_then(|held| held.0.lock().unwrap_or_else(PoisonError::into_inner).take());
        let status = response.status().as_u16();
        // Its head has to leave too.
        connection.gave();
        response.map(|body| Self {
            body: Box::pin(body),
            rest: Bytes::new(),
            connection,
            held,
            has_ended: false,
            started,
            route,
            method: known(method),
            status,
            bytes: 0,
        })
    }

    /// Takes the next part off the rest.
    fn poll_part(&mut self, context: &Context<'_>) -> Poll<Bytes> {
        if self.rest.len() > SMALL_BYTES {
            return Poll::Ready(self.rest.split_to(PART_BYTES));
        }
        if self.body.is_end_stream()
            && let Some(held) = &mut self.held
        {
            let mut last = std::mem::take(&mut self.rest);
            if self.bytes > 0 {
                if self.connection.poll_flushed(context).is_pending() {
                    self.rest = last;
                    return Poll::Pending;
                }
                // A slice would keep the whole answer in memory.
                last = Bytes::copy_from_slice(&last);
            }
            held.leaves();
            return Poll::Ready(last);
        }
        Poll::Ready(std::mem::take(&mut self.rest))
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
        loop {
            if !this.rest.is_empty() {
                let part = ready!(this.poll_part(context));
                this.bytes += part.len() as u64;
                this.has_ended = this.rest.is_empty() && this.body.is_end_stream();
                this.connection.gave();
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
            let polled = ready!(this.body.as_mut().poll_frame(context));
            // The end of a body is written too.
            this.connection.gave();
            match polled.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => this.rest = data,
                Some(Ok(Err(other))) => return Poll::Ready(Some(Ok(other))),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => {
                    this.has_ended = true;
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        // The upper bound first: it must not be below the lower one at any time.
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(hint.lower() + rest);
        hint
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
        self.connection.end_answer(self.held.take(), self.has_ended);
    }
}
