//! A connection, as seen from between the HTTP library and the socket.
//!
//! Whatever makes an answer, this is where it is taken or not. A client that takes nothing for too long, or too little on
//! average, loses its connection; a request that comes while an answer waits is not begun before the answer is gone; and
//! what was not taken was not delivered.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep};

use super::heads::{HeadScanner, Share, TooLarge, UnfinishedHeads};
use crate::export::body::{Interrupted, MIN_BYTES_PER_SECOND};
use crate::export::whole::Held;

/// A page whose client stalls gives up at the same time, and knows more of why.
const GRACE: Duration = Duration::from_secs(1);
/// How long a client may go on sending that was refused in the middle of it: who closes at once takes the answer away too.
const LINGER: Duration = Duration::from_secs(2);
/// What is read at a time. Requests sent in a row wait in the system then, and not in a buffer of each connection.
const READ_BYTES: usize = 4 * 1024;

/// What is known of a connection, shared by its reader and writer, its requests and their bodies.
pub struct Connection {
    stall_timeout: Duration,
    /// Told when the connection has to go.
    cut: Arc<Notify>,
    heads: UnfinishedHeads,
    output: Mutex<Output>,
    input: Mutex<Input>,
}

struct Output {
    /// Whether the socket has everything that was given so far.
    is_flushed: bool,
    /// Who waits for that.
    waker: Option<Waker>,
    /// Since when the socket takes nothing.
    pending_since: Option<Instant>,
    /// How long this answer has waited for its client in all.
    waited: Duration,
    /// Bytes of this answer that were taken.
    bytes: u64,
    /// Whether the client has lost its connection because it does not read.
    is_stalled: bool,
    /// Whether a request is being answered.
    is_answering: bool,
    /// Since when none is.
    idle_since: Instant,
    /// Given to the socket, but not taken yet.
    undelivered: Vec<Held>,
}

struct Input {
    head: HeadScanner,
    /// Encrypted bytes of which no text has come yet.
    encrypted: usize,
    share: Share,
}

impl Connection {
    /// A connection that was accepted now.
    pub fn new(stall_timeout: Duration, heads: &UnfinishedHeads) -> Arc<Self> {
        let cut = Arc::new(Notify::new());
        let share = heads.share(Arc::clone(&cut));
        Arc::new(Self {
            stall_timeout,
            cut,
            heads: heads.clone(),
            output: Mutex::new(Output {
                is_flushed: true,
                waker: None,
                pending_since: None,
                waited: Duration::ZERO,
                bytes: 0,
                is_stalled: false,
                is_answering: false,
                idle_since: Instant::now(),
                undelivered: Vec::new(),
            }),
            input: Mutex::new(Input {
                head: HeadScanner::default(),
                encrypted: 0,
                share,
            }),
        })
    }

    fn output(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn input(&self) -> MutexGuard<'_, Input> {
        self.input.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Done when the connection has to go, because it holds too much of a request that is not complete.
    pub async fn has_to_go(&self) {
        self.cut.notified().await;
    }

    /// Waits until the answer before is gone; then the request begins. Requests sent in a row would otherwise all be answered
    /// into memory.
    pub async fn begin_request(&self) {
        poll_fn(|context| self.poll_flushed(context)).await;
        let mut output = self.output();
        output.is_answering = true;
        output.waited = Duration::ZERO;
        output.bytes = 0;
    }

    /// Something was given to the connection that it has to write.
    pub fn gave(&self) {
        self.output().is_flushed = false;
    }

    /// Ready when the socket has everything that was given so far.
    pub fn poll_flushed(&self, context: &Context<'_>) -> Poll<()> {
        let mut output = self.output();
        if output.is_flushed {
            return Poll::Ready(());
        }
        output.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// An answer was given to the connection, all of it or as much as there will be.
    pub fn end_answer(&self, held: Option<Held>, is_whole: bool) {
        let mut output = self.output();
        output.is_answering = false;
        output.idle_since = Instant::now();
        match held {
            Some(held) if is_whole => output.undelivered.push(held),
            Some(held) => {
                let why = output.why_not();
                drop(output);
                held.interrupted(why);
            }
            None => {}
        }
    }

    /// Whether a client has kept this connection waiting for so long: it does not read its answer, or does not send the rest
    /// of its request.
    pub fn is_kept_waiting(&self, limit: Duration) -> bool {
        let output = self.output();
        let since = match (output.pending_since, output.is_answering) {
            (Some(since), _) => since,
            (None, false) => output.idle_since,
            (None, true) => return false,
        };
        since.elapsed() >= limit
    }

    /// The client loses its connection because it keeps it waiting.
    pub fn give_up(&self) {
        self.output().is_stalled = true;
    }

    fn flushed(&self) {
        let mut output = self.output();
        output.is_flushed = true;
        output.taken(0);
        let waker = output.waker.take();
        let delivered = std::mem::take(&mut output.undelivered);
        drop(output);
        delivered.into_iter().for_each(Held::delivered);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Text of a request came in.
    fn received(&self, text: &[u8]) {
        let is_answering = self.output().is_answering;
        let mut input = self.input();
        input.encrypted = 0;
        input.head.take(text);
        if is_answering {
            // It may be a body that nobody asked for.
            input.head.forgive();
        }
        input.count();
    }

    /// Encrypted bytes came in.
    fn received_encrypted(&self, bytes: usize) {
        let mut input = self.input();
        input.encrypted += bytes;
        input.count();
    }

    /// The handshake is over, and what it took is free.
    pub fn is_agreed(&self) {
        let mut input = self.input();
        input.encrypted = 0;
        input.count();
    }

    /// Whether the head under way is to be refused.
    fn refusal(&self) -> Option<TooLarge> {
        self.input().head.too_large()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut output = self.output();
        let why = output.why_not();
        let undelivered = std::mem::take(&mut output.undelivered);
        drop(output);
        undelivered
            .into_iter()
            .for_each(|held| held.interrupted(why));
    }
}

impl Output {
    /// Why an answer did not arrive.
    fn why_not(&self) -> Interrupted {
        if self.is_stalled {
            Interrupted::ClientStalled
        } else {
            Interrupted::ClientGone
        }
    }

    fn taken(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        if let Some(since) = self.pending_since.take() {
            self.waited += since.elapsed();
        }
    }

    /// Until when the client has to take something. The rule is that of pages (`export::body`).
    fn deadline(&mut self, stall_timeout: Duration) -> Instant {
        let since = *self.pending_since.get_or_insert_with(Instant::now);
        let earned = Duration::from_secs(self.bytes / MIN_BYTES_PER_SECOND);
        let patience = (stall_timeout + earned)
            .saturating_sub(self.waited)
            .min(stall_timeout);
        since + patience + GRACE
    }
}

impl Input {
    fn count(&mut self) {
        let bytes = self.head.bytes() + self.encrypted;
        self.share.set(bytes);
    }
}

/// The socket under a TLS connection, whose bytes count as long as they are no text.
pub struct Encrypted<S> {
    socket: S,
    connection: Arc<Connection>,
}

impl<S> Encrypted<S> {
    /// Counts what comes from `socket`.
    pub fn new(socket: S, connection: Arc<Connection>) -> Self {
        Self { socket, connection }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(context, buffer);
        let received = buffer.filled().len().saturating_sub(before);
        if received > 0 {
            self.connection.received_encrypted(received);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// The stream that the HTTP library reads from and writes to.
pub struct Watched<S> {
    stream: S,
    connection: Arc<Connection>,
    /// Runs while the socket takes nothing.
    timer: Option<Pin<Box<Sleep>>>,
    /// Makes the answer to a head that is too large.
    refuse: fn(TooLarge) -> Bytes,
    refusal: Option<Refusal>,
}

/// The answer to a head that is too large, under way past the HTTP library, which has none with a body.
struct Refusal {
    answer: Bytes,
    is_shut_down: bool,
    linger: Pin<Box<Sleep>>,
}

impl<S> Watched<S> {
    /// Watches `stream`; `refuse` makes the answer to a head that is too large.
    pub fn new(stream: S, connection: Arc<Connection>, refuse: fn(TooLarge) -> Bytes) -> Self {
        Self {
            stream,
            connection,
            timer: None,
            refuse,
            refusal: None,
        }
    }

    /// What comes of a write: progress, or a wait that ends in an error.
    fn watch<T>(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            return polled;
        }
        let deadline = self
            .connection
            .output()
            .deadline(self.connection.stall_timeout);
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        ready!(timer.as_mut().poll(context));
        self.connection.give_up();
        Poll::Ready(Err(io::Error::new(
            io::ErrorKind::TimedOut,
            Interrupted::ClientStalled,
        )))
    }

    fn watch_write(
        &mut self,
        context: &mut Context<'_>,
        polled: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = &polled {
            self.connection.output().taken(*bytes);
        }
        self.watch(context, polled)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Watched<S> {
    /// Sends the refusal behind the answer before it; then nothing more is read.
    fn poll_refusal(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.connection.poll_flushed(context));
        while let Some(refusal) = self.refusal.as_ref().filter(|r| !r.answer.is_empty()) {
            let polled = Pin::new(&mut self.stream).poll_write(context, &refusal.answer);
            let written = ready!(self.watch_write(context, polled))?;
            if let Some(refusal) = &mut self.refusal {
                refusal
                    .answer
                    .advance(written.min(refusal.answer.remaining()));
            }
        }
        let Some(refusal) = &mut self.refusal else {
            return Poll::Ready(Ok(()));
        };
        if !refusal.is_shut_down {
            let polled = Pin::new(&mut self.stream).poll_shutdown(context);
            if refusal.linger.as_mut().poll(context).is_ready() {
                return Poll::Ready(Ok(()));
            }
            ready!(polled)?;
            refusal.is_shut_down = true;
        }
        let mut space = [0; READ_BYTES];
        while refusal.linger.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.refusal.is_none() {
            if self.connection.heads.is_full() {
                // Those that have to go are told already, and wait for their turn.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let mut space = [0; READ_BYTES];
            let (space, _) = space.split_at_mut(READ_BYTES.min(buffer.remaining()));
            let mut part = ReadBuf::new(space);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut part))?;
            self.connection.received(part.filled());
            let Some(too_large) = self.connection.refusal() else {
                buffer.put_slice(part.filled());
                return Poll::Ready(Ok(()));
            };
            self.refusal = Some(Refusal {
                answer: (self.refuse)(too_large),
                is_shut_down: false,
                linger: Box::pin(tokio::time::sleep(LINGER)),
            });
        }
        self.poll_refusal(context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch_write(context, polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.watch_write(context, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        if let Poll::Ready(Ok(())) = polled {
            // The library flushes only when it has nothing left to write.
            self.connection.flushed();
        }
        self.watch(context, polled)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.watch(context, polled)
    }
}
