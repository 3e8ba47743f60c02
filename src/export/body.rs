//! The body of a streamed page, between the task that writes it and the connection that sends it.
//!
//! A body ends properly only if its writer said so. When the writer fails, or disappears, the body ends in an error, the
//! connection is closed without the end of the message, and the client knows that the page is broken.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout};

use super::admission::Permit;
use crate::scroll::lease::ActiveLease;
use crate::scroll::prefetch::Prefetch;

/// Text is handed on in chunks of at least this many bytes.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;
/// Largest room, in bytes, that is made before anything is written.
const MAX_ROOM: usize = 4 * CHUNK_BYTES;
/// Chunks that wait for a slow reader; with those under way they bound the memory of a page.
const CHUNKS_WAITING: usize = 2;
/// What a reader has to take per second, on average over the time that it keeps its page waiting beyond one stall. One that
/// takes a little now and then would otherwise hold a batch in Elasticsearch's memory for hours.
pub(crate) const MIN_BYTES_PER_SECOND: u64 = 16 * 1024;

/// Why a page did not reach its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// The connection is gone.
    #[error("the client closed the connection")]
    ClientGone,
    /// The connection is there, but nobody reads, or hardly anything.
    #[error("the client read nothing for too long, or too slowly")]
    ClientStalled,
}

/// What a reader gets of a body that may be several files.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes of a file.
    Bytes(Bytes),
    /// A file ends here, and has so many rows; the next bytes are another one's.
    EndOfFile {
        /// Rows of the file.
        rows: u64,
    },
}

enum Message {
    Chunk(Bytes),
    EndOfFile(u64),
    End(Arc<PageEnd>),
}

/// What waits for the moment when the reader has everything.
#[derive(Default)]
pub(super) struct Delivery {
    /// The right to read from the scroll.
    pub leases: Vec<ActiveLease>,
    /// The right to export, for the next one who asks.
    pub permit: Option<Permit>,
    /// How many rows it has. With a page that has none the scroll is used up.
    pub rows: u64,
    /// The next page, if it was prefetched.
    pub prefetch: Option<Prefetch>,
}

/// The end of a page, which either reaches its reader or is revoked by its writer: whoever comes first takes the delivery.
pub(super) struct PageEnd(Mutex<Option<Delivery>>);

impl PageEnd {
    /// Holds the right to read from the scroll until the page is delivered.
    pub fn new(delivery: Delivery) -> Self {
        Self(Mutex::new(Some(delivery)))
    }

    /// Lets the next page begin; `false` if this one is revoked. Called before the client can see the end of this one, so
    /// that its next request can't come too early.
    fn deliver(&self) -> bool {
        let Some(delivery) = self.take() else {
            return false;
        };
        let Delivery {
            leases,
            permit,
            rows,
            prefetch,
        } = delivery;
        if let Some(prefetch) = prefetch {
            prefetch.keep();
        }
        for lease in leases {
            if rows == 0 {
                lease.end();
            } else {
                lease.delivered(rows);
            }
        }
        drop(permit);
        true
    }

    /// Makes sure that nobody continues a scroll whose page did not arrive, and keeps nothing for a next one; `false` if it
    /// did arrive.
    fn revoke(&self) -> bool {
        let Some(delivery) = self.take() else {
            return false;
        };
        delivery.leases.into_iter().for_each(ActiveLease::end);
        true
    }

    fn take(&self) -> Option<Delivery> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The writing end.
pub struct BodyWriter {
    sender: mpsc::Sender<Message>,
    delivered: oneshot::Receiver<()>,
    /// What waits to be handed on.
    pub out: Vec<u8>,
    bytes: u64,
    /// How long it waits for a reader that takes nothing.
    stall_timeout: Duration,
    /// How long it has waited for the reader in all.
    waited: Duration,
}

/// The reading end.
pub struct PageBody {
    receiver: mpsc::Receiver<Message>,
    delivered: Option<oneshot::Sender<()>>,
    /// Whether the next thing that the reader learns is that the page broke off.
    breaks_off: bool,
}

/// The two ends of a body. A reader that takes nothing for so long loses its page: while it dawdles, Elasticsearch holds the
/// rest.
pub fn channel(stall_timeout: Duration) -> (BodyWriter, PageBody) {
    let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
    let (delivered_sender, delivered) = oneshot::channel();
    (
        BodyWriter {
            sender,
            delivered,
            out: Vec::new(),
            bytes: 0,
            stall_timeout,
            waited: Duration::ZERO,
        },
        PageBody {
            receiver,
            delivered: Some(delivered_sender),
            breaks_off: false,
        },
    )
}

impl BodyWriter {
    /// Hands on what there is, if it is enough.
    ///
    /// # Errors
    /// Nobody reads.
    pub async fn flush_if_large(&mut self) -> Result<(), Interrupted> {
        if self.out.len() >= CHUNK_BYTES {
            self.flush().await
        } else {
            Ok(())
        }
    }

    /// Hands on what there is.
    ///
    /// # Errors
    /// Nobody reads.
    pub async fn flush(&mut self) -> Result<(), Interrupted> {
        if self.out.is_empty() {
            return Ok(());
        }
        let room = self.out.capacity().min(MAX_ROOM);
        let bytes = std::mem::replace(&mut self.out, Vec::with_capacity(room));
        self.hand_on(bytes).await
    }

    /// Hands bytes on.
    ///
    /// # Errors
    /// Nobody reads.
    pub async fn hand_on(&mut self, bytes: Vec<u8>) -> Result<(), Interrupted> {
        let mut text = Bytes::from(bytes);
        self.bytes += text.len() as u64;
        // A large row leaves piece by piece, so that the next one is not written before most of this one has left.
        while text.len() > 2 * CHUNK_BYTES {
            let chunk = text.split_to(CHUNK_BYTES);
            self.send(Message::Chunk(chunk)).await?;
        }
        self.send(Message::Chunk(text)).await
    }

    /// Ends a file of so many rows.
    ///
    /// # Errors
    /// Nobody reads.
    pub async fn end_file(&mut self, rows: u64) -> Result<(), Interrupted> {
        self.send(Message::EndOfFile(rows)).await
    }

    /// Ends the body properly, and waits until the reader has it.
    ///
    /// # Errors
    /// Nobody reads; then the page is revoked, and its scroll has ended.
    pub(super) async fn finish(mut self, delivery: Delivery) -> Result<u64, Interrupted> {
        let end = Arc::new(PageEnd::new(delivery));
        let finished = self.send_end(&end).await;
        if finished.is_err() && !end.revoke() {
            // It was delivered in this very moment.
            return Ok(self.bytes);
        }
        finished.map(|()| self.bytes)
    }

    async fn send_end(&mut self, end: &Arc<PageEnd>) -> Result<(), Interrupted> {
        self.flush().await?;
        self.send(Message::End(Arc::clone(end))).await?;
        match timeout(self.patience(), &mut self.delivered).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Interrupted::ClientGone),
            Err(_) => Err(Interrupted::ClientStalled),
        }
    }

    async fn send(&mut self, message: Message) -> Result<(), Interrupted> {
        let began = Instant::now();
        let sent = timeout(self.patience(), self.sender.send(message)).await;
        self.waited += began.elapsed();
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Interrupted::ClientGone),
            Err(_) => Err(Interrupted::ClientStalled),
        }
    }

    /// How long it waits for the reader now.
    fn patience(&self) -> Duration {
        let earned = Duration::from_secs(self.bytes / MIN_BYTES_PER_SECOND);
        (self.stall_timeout + earned)
            .saturating_sub(self.waited)
            .min(self.stall_timeout)
    }
}

impl PageBody {
    /// The next piece; none after the proper end.
    ///
    /// # Errors
    /// The writer failed, or disappeared.
    pub async fn next_piece(&mut self) -> Option<io::Result<Piece>> {
        std::future::poll_fn(|context| self.poll_piece(context)).await
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Piece>>> {
        if self.breaks_off {
            self.breaks_off = false;
            return Poll::Ready(Some(Err(io::Error::other("the page broke off"))));
        }
        if self.delivered.is_none() {
            return Poll::Ready(None);
        }
        match ready!(self.receiver.poll_recv(context)) {
            Some(Message::Chunk(chunk)) => Poll::Ready(Some(Ok(Piece::Bytes(chunk)))),
            Some(Message::EndOfFile(rows)) => Poll::Ready(Some(Ok(Piece::EndOfFile { rows }))),
            Some(Message::End(end)) if end.deliver() => {
                if let Some(delivered) = self.delivered.take() {
                    // A writer that gives up waiting in this very moment finds that the page is delivered.
                    let _ = delivered.send(());
                }
                Poll::Ready(None)
            }
            Some(Message::End(_)) | None => {
                self.delivered = None;
                self.breaks_off = true;
                // A connection drops what it has not written yet when a body fails, the head of the answer included, and a
                // client that gets no byte at all may take the request for one that never arrived. It writes when a body
                // has nothing to give right now.
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl Stream for PageBody {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            return Poll::Ready(match ready!(self.poll_piece(context)) {
                // One answer is one file.
                Some(Ok(Piece::EndOfFile { .. })) => continue,
                Some(Ok(Piece::Bytes(bytes))) => Some(Ok(bytes)),
                Some(Err(error)) => Some(Err(error)),
                None => None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use cluster::scroll::BatchHead;
    use futures_util::StreamExt;

    use super::super::admission::tests::permits;
    use super::*;
    use crate::auth::Client;
    use crate::scroll::registry::{Recognition, ScrollRegistry};
    use crate::scroll::signer::{ScrollContents, ScrollSigner};

    const STALL_TIMEOUT: Duration = Duration::from_secs(30);

    fn lease(registry: &Arc<ScrollRegistry>) -> ActiveLease {
        let lease = registry.lease("id", 60).unwrap().ask();
        let contents = ScrollSigner::of_this_process().seal(ScrollContents {
            report_id: "r".into(),
            limit: 1,
            batch: 1,
            now: 0,
            access: None,
        });
        let head = BatchHead {
            scroll_id: "id".into(),
            total: 1,
            shards: 1,
        };
        lease.remember(Arc::new(contents), "id", &head);
        lease
    }

    #[tokio::test]
    async fn the_scroll_is_free_again_when_the_reader_sees_the_end() {
        let registry = Arc::new(ScrollRegistry::default());
        let delivery = Delivery {
            leases: vec![lease(&registry)],
            rows: 1,
            ..Delivery::default()
        };
        let (mut writer, mut body) = channel(STALL_TIMEOUT);
        writer.out.extend_from_slice(b"[]");
        let writing = tokio::spawn(writer.finish(delivery));
        assert_eq!(body.next().await.unwrap().unwrap(), "[]");
        assert!(registry.lease("id", 60).is_none());
        assert!(body.next().await.is_none());
        assert!(registry.lease("id", 60).is_some());
        assert_eq!(writing.await.unwrap(), Ok(2));
        assert!(matches!(registry.recognize("id"), Recognition::Issued(_)));
    }

    #[tokio::test]
    async fn after_the_last_page_the_scroll_has_ended() {
        let registry = Arc::new(ScrollRegistry::default());
        let delivery = Delivery {
            leases: vec![lease(&registry)],
            rows: 0,
            ..Delivery::default()
        };
        let (writer, mut body) = channel(STALL_TIMEOUT);
        let writing = tokio::spawn(writer.finish(delivery));
        assert!(body.next().await.is_none());
        assert_eq!(registry.recognize("id"), Recognition::Ended);
        assert_eq!(writing.await.unwrap(), Ok(0));
    }

    #[tokio::test]
    async fn a_reader_that_leaves_before_the_end_ends_the_scroll() {
        let registry = Arc::new(ScrollRegistry::default());
        let delivery = Delivery {
            leases: vec![lease(&registry)],
            ..Delivery::default()
        };
        let (mut writer, mut body) = channel(STALL_TIMEOUT);
        writer.out.extend_from_slice(b"[]");
        let writing = tokio::spawn(writer.finish(delivery));
        assert!(body.next().await.is_some());
        drop(body);
        assert_eq!(writing.await.unwrap(), Err(Interrupted::ClientGone));
        assert_eq!(registry.recognize("id"), Recognition::Ended);
    }

    #[tokio::test]
    async fn a_writer_that_disappears_breaks_the_body() {
        let (mut writer, mut body) = channel(STALL_TIMEOUT);
        writer.out.extend_from_slice(b"[");
        writer.flush().await.unwrap();
        drop(writer);
        assert!(body.next().await.unwrap().is_ok());
        assert!(body.next().await.unwrap().is_err());
        assert!(body.next().await.is_none());
    }

    #[tokio::test]
    async fn before_a_page_breaks_the_connection_can_write_what_it_has() {
        let (writer, mut body) = channel(STALL_TIMEOUT);
        drop(writer);
        assert!(futures_util::poll!(body.next()).is_pending());
        assert!(body.next().await.unwrap().is_err());
        assert!(body.next().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_stalls_loses_its_page() {
        let (mut writer, mut body) = channel(STALL_TIMEOUT);
        for _ in 0..CHUNKS_WAITING {
            writer.out.extend_from_slice(b"x");
            writer.flush().await.unwrap();
        }
        writer.out.extend_from_slice(b"x");
        assert_eq!(writer.flush().await, Err(Interrupted::ClientStalled));
        drop(writer);
        assert!(body.next().await.unwrap().is_ok());

        let (writer, mut body) = channel(STALL_TIMEOUT);
        let permits = permits(1, 1);
        let registry = Arc::new(ScrollRegistry::default());
        let delivery = Delivery {
            leases: vec![lease(&registry)],
            permit: permits.take(&Client::named("c"), Duration::ZERO).await.ok(),
            ..Delivery::default()
        };
        assert_eq!(
            writer.finish(delivery).await,
            Err(Interrupted::ClientStalled)
        );
        assert_eq!(permits.under_way(), 0, "nothing waits with the reader");
        assert_eq!(registry.recognize("id"), Recognition::Ended);
        assert!(
            body.next().await.unwrap().is_err(),
            "a revoked page must not look whole"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_hardly_anything_loses_its_page() {
        let write = |mut writer: BodyWriter| async move {
            for _ in 0..1_000 {
                writer.out.extend_from_slice(&[b'x'; CHUNK_BYTES]);
                writer.flush().await?;
            }
            Ok(())
        };
        let read = |mut body: PageBody, pause: Duration| async move {
            while let Some(Ok(_)) = body.next().await {
                tokio::time::sleep(pause).await;
            }
        };
        let (writer, body) = channel(STALL_TIMEOUT);
        tokio::spawn(read(body, Duration::from_secs(10)));
        let began = Instant::now();
        assert_eq!(write(writer).await, Err(Interrupted::ClientStalled));
        assert!(began.elapsed() < 3 * STALL_TIMEOUT);

        // Slow, but faster than that: hours in all.
        let (writer, body) = channel(STALL_TIMEOUT);
        tokio::spawn(read(body, Duration::from_millis(1_900)));
        assert_eq!(write(writer).await, Ok(()));
    }
}
