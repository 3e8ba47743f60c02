//! What heads of requests may take while they are not complete, each and all together.
//!
//! A head is there before anybody has shown a token. Each is bounded, and so is their sum: when it is too large, the
//! connection goes that holds most for longest. Connections that hold nothing don't count.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// Largest request head. The scroll id of a report over very many shards takes some ten kilobytes of it: a hundred bytes a
/// shard, and Elasticsearch lets a scroll have 500.
pub const MAX_HEAD_BYTES: usize = 64 * 1024;
/// Most header fields of a head, `hyper`'s bound.
pub const MAX_FIELDS: usize = 100;
/// What all heads that are not complete may take together.
pub const MAX_UNFINISHED_BYTES: usize = 16 * 1024 * 1024;

/// A part of a request that is larger than it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooLarge {
    /// The first line, which holds the path.
    Target,
    /// The head.
    Head,
}

/// Counts the bytes of a head that is not complete, by its lines.
#[derive(Debug, Default)]
pub struct HeadScanner {
    bytes: usize,
    /// Whole lines that were not empty.
    lines: usize,
    /// Whether the line under way has begun.
    has_line_begun: bool,
    /// Whether a head was too large, even if it is complete.
    too_large: Option<TooLarge>,
}

impl HeadScanner {
    /// Takes what was received.
    pub fn take(&mut self, received: &[u8]) {
        for part in received.split_inclusive(|byte| *byte == b'\n') {
            self.bytes += part.len();
            let (line, is_whole) = match part.strip_suffix(b"\n") {
                Some(line) => (line, true),
                None => (part, false),
            };
            self.has_line_begun |= line.iter().any(|byte| *byte != b'\r');
            if self.bytes > MAX_HEAD_BYTES || self.lines > MAX_FIELDS + 1 {
                self.too_large.get_or_insert(match self.lines {
                    0 => TooLarge::Target,
                    _ => TooLarge::Head,
                });
            }
            if !is_whole {
                continue;
            }
            if self.has_line_begun {
                self.lines += 1;
                self.has_line_begun = false;
            } else if self.lines > 0 {
                // An empty line ends a head; those before one belong to it.
                *self = Self {
                    too_large: self.too_large,
                    ..Self::default()
                };
            }
        }
    }

    /// What was taken is no head.
    pub fn forgive(&mut self) {
        self.too_large = None;
        self.lines = self.lines.min(1);
    }

    /// Bytes of the head that is not complete.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a head is larger than it may be.
    pub fn too_large(&self) -> Option<TooLarge> {
        self.too_large
    }
}

/// What all connections hold of heads that are not complete. Cloning is cheap; clones are the same.
#[derive(Clone)]
pub struct UnfinishedHeads {
    most: usize,
    holders: Arc<Mutex<Holders>>,
    /// With what connections hold that have to go but are still there.
    in_memory: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Holders {
    bytes: usize,
    next: u64,
    /// Only connections that hold something.
    by_number: HashMap<u64, Holder>,
}

struct Holder {
    bytes: usize,
    since: Instant,
    cut: Arc<Notify>,
}

/// What one connection holds.
pub struct Share {
    all: UnfinishedHeads,
    /// While it holds something.
    number: Option<u64>,
    bytes: usize,
    cut: Arc<Notify>,
}

impl UnfinishedHeads {
    /// So many bytes in all.
    pub fn new(most: usize) -> Self {
        Self {
            most,
            holders: Arc::default(),
            in_memory: Arc::default(),
        }
    }

    /// The share of a connection, which holds nothing yet. `cut` learns if the connection has to go.
    pub fn share(&self, cut: Arc<Notify>) -> Share {
        Share {
            all: self.clone(),
            number: None,
            bytes: 0,
            cut,
        }
    }

    /// Whether nobody should read more before those are gone that have to go.
    pub fn is_full(&self) -> bool {
        self.in_memory.load(Ordering::Relaxed) > self.most
    }

    fn lock(&self) -> MutexGuard<'_, Holders> {
        // Counts are changed in one go.
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holders {
    fn set(&mut self, number: u64, bytes: usize) {
        let Some(holder) = self.by_number.get_mut(&number) else {
            // It has to go already.
            return;
        };
        self.bytes = self.bytes.saturating_sub(holder.bytes) + bytes;
        holder.bytes = bytes;
    }

    fn remove(&mut self, number: u64) -> Option<Holder> {
        let holder = self.by_number.remove(&number)?;
        self.bytes = self.bytes.saturating_sub(holder.bytes);
        Some(holder)
    }

    /// Who holds most for longest.
    fn worst(&self, now: Instant) -> Option<u64> {
        let weight = |holder: &Holder| {
            let milliseconds = now.duration_since(holder.since).as_millis() + 1;
            milliseconds.saturating_mul(holder.bytes as u128)
        };
        let worst = self.by_number.iter().max_by_key(|(_, h)| weight(h))?;
        Some(*worst.0)
    }
}

impl Share {
    /// The connection holds so many bytes now.
    pub fn set(&mut self, bytes: usize) {
        let in_memory = &self.all.in_memory;
        in_memory.fetch_add(bytes, Ordering::Relaxed);
        in_memory.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = bytes;
        if bytes == 0 {
            if let Some(number) = self.number.take() {
                self.all.lock().remove(number);
            }
            return;
        }
        let now = Instant::now();
        let mut holders = self.all.lock();
        match self.number {
            Some(number) => holders.set(number, bytes),
            None => {
                let number = holders.next;
                holders.next += 1;
                holders.bytes += bytes;
                let cut = Arc::clone(&self.cut);
                let holder = Holder {
                    bytes,
                    since: now,
                    cut,
                };
                holders.by_number.insert(number, holder);
                self.number = Some(number);
            }
        }
        while holders.bytes > self.all.most {
            let Some(holder) = holders.worst(now).and_then(|worst| holders.remove(worst)) else {
                break;
            };
            holder.cut.notify_one();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    fn left(parts: &[&str]) -> usize {
        let mut scanner = HeadScanner::default();
        parts.iter().for_each(|part| scanner.take(part.as_bytes()));
        scanner.bytes()
    }

    #[test]
    fn only_what_is_not_complete_counts() {
        assert_eq!(left(&["GET / HTTP/1.1\r\nA: b\r\n\r\n"]), 0);
        assert_eq!(left(&["GET / HTTP/1.1\r\nA: b\r\n\r", "\n"]), 0);
        assert_eq!(left(&["GET / HTTP/1.1\n\nGET /"]), 5);
        assert_eq!(left(&["GET / HTTP/1.1\r", "\nA: b", "\r\n"]), 22);
        assert_eq!(left(&["\r\n\r\n\r\n"]), 6, "no head ends before it begins");
        assert_eq!(left(&["\r\n\r\nGET / HTTP/1.1\r\n\r\n"]), 0);
    }

    #[test]
    fn what_is_too_large_is_told_by_where_it_is() {
        let mut scanner = HeadScanner::default();
        scanner.take(&vec![b'x'; MAX_HEAD_BYTES]);
        assert_eq!(scanner.too_large(), None);
        scanner.take(b"x");
        assert_eq!(scanner.too_large(), Some(TooLarge::Target));
        let mut scanner = HeadScanner::default();
        scanner.take(b"GET / HTTP/1.1\r\n");
        scanner.take(&vec![b'x'; MAX_HEAD_BYTES]);
        assert_eq!(scanner.too_large(), Some(TooLarge::Head));
        let fields = |count: usize| {
            let mut scanner = HeadScanner::default();
            let fields = "A: b\r\n".repeat(count);
            scanner.take(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes());
            scanner.too_large()
        };
        assert_eq!(fields(MAX_FIELDS), None);
        assert_eq!(fields(MAX_FIELDS + 1), Some(TooLarge::Head));
    }

    proptest! {
        #[test]
        fn how_it_is_cut_does_not_matter(text in "[a\r\n]{0,40}", at in 0_usize..40) {
            let at = at.min(text.len());
            let (first, second) = text.split_at(at);
            prop_assert_eq!(left(&[&text]), left(&[first, second]));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_holds_most_for_longest_has_to_go() {
        let all = UnfinishedHeads::new(1_000);
        let holder = |bytes: usize| {
            let cut = Arc::new(Notify::new());
            let mut share = all.share(Arc::clone(&cut));
            share.set(bytes);
            (share, cut)
        };
        let has_to_go = |cut: &Notify| cut.notified().now_or_never().is_some();
        let (_small, small) = holder(100);
        let (mut _large, large) = holder(700);
        let (mut idle, idle_cut) = holder(100);
        idle.set(0);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let (mut new, new_cut) = holder(150);
        assert!(!has_to_go(&large));
        new.set(400);
        assert!(has_to_go(&large));
        for cut in [&small, &idle_cut, &new_cut] {
            assert!(!has_to_go(cut));
        }
        assert_eq!(all.lock().bytes, 500);
        assert!(all.is_full(), "it is not gone yet");
        // Nothing more is counted of it.
        _large.set(900);
        assert_eq!(all.lock().bytes, 500);
        drop((_small, _large, new, idle));
        assert!(all.lock().bytes == 0 && all.lock().by_number.is_empty());
        assert!(!all.is_full() && all.in_memory.load(Ordering::Relaxed) == 0);
    }
}
