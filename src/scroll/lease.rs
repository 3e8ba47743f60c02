//! The right to read from a scroll, with a type for each state.
//!
//! Elasticsearch moves a scroll when it is asked for a batch. From then on the hits of that batch are either delivered or lost,
//! and whoever continued a scroll behind a lost batch would miss them. So there are two kinds of leases, and only one of them
//! allows to ask:
//!
//! ```text
//! ScrollRegistry::lease ─► IdleLease ─ask()─► ActiveLease ─delivered()─► the scroll can be continued
//!                              ▲                   │ └────end(), drop──► the scroll has ended
//!                              └──────not_moved()──┘
//! ```
//!
//! An [`IdleLease`] that is dropped leaves the scroll as it is. An [`ActiveLease`] that is dropped, for whatever reason (a
//! panic, a client that goes away, an early return), ends it.

use std::sync::Arc;
use std::time::Duration;

use cluster::scroll::BatchHead;

use super::registry::{IdDigest, Known, Progress, ScrollRegistry};
use super::signer::SealedContents;

/// The right to read from one scroll. It ends when it is dropped.
struct Lease {
    registry: Arc<ScrollRegistry>,
    digest: IdDigest,
    keep_alive: Duration,
    /// Whether the scroll ends with it.
    ends_scroll: bool,
}

impl Drop for Lease {
    /// In this order: who gets the lease next finds a scroll that has ended.
    fn drop(&mut self) {
        let (registry, digest) = (&self.registry, &self.digest);
        if self.ends_scroll {
            // Elasticsearch still has it, so it counts as open until it has been cleared.
            registry.open().give_up(digest);
            let known = registry.known(digest);
            registry.remember(
                *digest,
                Known {
                    contents: None,
                    keep_alive: known.map_or(self.keep_alive, |known| known.keep_alive),
                    progress: Progress::default(),
                    was_renamed: false,
                },
            );
        }
        // From now on its client has the whole keep-alive again.
        registry.open().prolong(digest, self.keep_alive);
        registry.give_back(digest);
    }
}

/// The right to read from one scroll of which nothing is on its way.
pub struct IdleLease(Lease);

impl IdleLease {
    pub(super) const fn new(
        registry: Arc<ScrollRegistry>,
        digest: IdDigest,
        keep_alive: Duration,
    ) -> Self {
        Self(Lease {
            registry,
            digest,
            keep_alive,
            ends_scroll: false,
        })
    }

    /// Elasticsearch is asked for a batch, which is lost unless it reaches the client.
    pub fn ask(mut self) -> ActiveLease {
        self.0.ends_scroll = true;
        ActiveLease(self.0)
    }

    /// Nobody may go on with the scroll.
    pub fn end(self) {
        self.ask().end();
    }
}

/// The right to read from one scroll whose hits are on their way.
#[must_use = "the scroll ends when it is dropped"]
pub struct ActiveLease(Lease);

impl ActiveLease {
    /// The batch was not asked for after all: the scroll is where it was.
    pub fn not_moved(mut self) -> IdleLease {
        self.0.ends_scroll = false;
        IdleLease(self.0)
    }

    /// So many rows have reached the client, or wait for it: the scroll can be continued behind them.
    pub fn delivered(mut self, rows: u64) {
        let Lease {
            registry, digest, ..
        } = &self.0;
        registry.update(digest, |known| known.progress.rows += rows);
        self.0.ends_scroll = false;
    }

    /// The scroll must not be continued any more, even if it was issued elsewhere.
    pub fn end(self) {}

    /// Elasticsearch was asked to keep the scroll open from now on.
    pub fn prolong(&self) {
        let registry = &self.0.registry;
        registry.open().prolong(&self.0.digest, self.0.keep_alive);
    }

    /// The digest of its id.
    pub const fn digest(&self) -> &IdDigest {
        &self.0.digest
    }

    /// How long it keeps the scroll open.
    pub fn keep_alive_seconds(&self) -> u32 {
        u32::try_from(self.0.keep_alive.as_secs()).unwrap_or(u32::MAX)
    }

    /// Remembers that this process issued the scroll, or that it was used again; gives back how far it has come with the page
    /// that begins. `head` is what Elasticsearch says of it, which counts where nothing was known before.
    pub fn remember(
        &self,
        contents: Arc<SealedContents>,
        scroll_id: &str,
        head: &BatchHead,
    ) -> Progress {
        let before = self.0.registry.known(&self.0.digest);
        let was_renamed = before.as_ref().is_some_and(|known| known.was_renamed);
        let mut progress = before.map_or(
            Progress {
                total: head.total,
                contexts: head.shards,
                ..Progress::default()
            },
            |known| known.progress,
        );
        progress.pages = progress.pages.saturating_add(1);
        self.keep(scroll_id, contents, progress, was_renamed);
        progress
    }

    /// Remembers the scroll under another id that Elasticsearch gave it, with the progress that it has.
    pub fn remember_renamed(
        &self,
        contents: Arc<SealedContents>,
        scroll_id: &str,
        progress: Progress,
    ) {
        self.keep(scroll_id, contents, progress, true);
    }

    fn keep(
        &self,
        scroll_id: &str,
        contents: Arc<SealedContents>,
        progress: Progress,
        was_renamed: bool,
    ) {
        let Lease {
            registry,
            digest,
            keep_alive,
            ..
        } = &self.0;
        let contexts = progress.contexts;
        let open = registry.open();
        open.remember(*digest, scroll_id, *keep_alive, contexts);
        registry.remember(
            *digest,
            Known {
                contents: Some(contents),
                keep_alive: *keep_alive,
                progress,
                was_renamed,
            },
        );
    }

    /// Notes that the scroll was issued under another id too, so that a client may use either.
    pub fn note_renaming(&self) {
        let registry = &self.0.registry;
        registry.update(&self.0.digest, |known| known.was_renamed = true);
    }

    /// Whether the scroll was issued under another id too.
    pub fn was_renamed(&self) -> bool {
        let known = self.0.registry.known(&self.0.digest);
        known.is_some_and(|known| known.was_renamed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::Recognition;
    use super::super::signer::{ScrollContents, ScrollSigner};
    use super::*;

    fn sealed(report_id: &str) -> Arc<SealedContents> {
        Arc::new(ScrollSigner::with_key(b"key").seal(ScrollContents {
            report_id: report_id.to_owned(),
            limit: 1000,
            batch: 500,
            now: 1_700_000_000_000,
            access: None,
        }))
    }

    /// What Elasticsearch says of a scroll with 2,500 hits in 3 shards.
    fn head(id: &str) -> BatchHead {
        BatchHead {
            scroll_id: id.to_owned(),
            total: 2_500,
            shards: 3,
        }
    }

    fn remember(lease: &ActiveLease) -> Progress {
        lease.remember(sealed("r"), "id", &head("id"))
    }

    #[test]
    fn a_scroll_is_read_by_one_at_a_time() {
        let registry = Arc::new(ScrollRegistry::default());
        let lease = registry.lease("a", 60).unwrap();
        assert!(registry.lease("a", 60).is_none());
        assert!(registry.lease("b", 60).is_some());
        let lease = lease.ask();
        assert!(registry.lease("a", 60).is_none());
        let lease = lease.not_moved();
        assert!(registry.lease("a", 60).is_none());
        lease.ask().delivered(1);
        let second = registry.lease("a", 60).unwrap();
        assert!(registry.lease("a", 60).is_none());
        drop(second);
        assert!(registry.lease("a", 60).is_some());
    }

    #[test]
    fn a_scroll_is_known_until_it_ends() {
        let registry = Arc::new(ScrollRegistry::default());
        assert_eq!(registry.recognize("a"), Recognition::Unknown);
        let lease = registry.lease("a", 60).unwrap().ask();
        remember(&lease);
        assert_eq!(registry.recognize("a"), Recognition::Issued(sealed("r")));
        lease.delivered(1_000);
        assert_eq!(registry.recognize("a"), Recognition::Issued(sealed("r")));
        registry.lease("a", 60).unwrap().end();
        assert_eq!(registry.recognize("a"), Recognition::Ended);
    }

    #[test]
    fn a_scroll_that_was_renamed_stays_so_from_page_to_page() {
        let registry = Arc::new(ScrollRegistry::default());
        let lease = registry.lease("a", 60).unwrap().ask();
        assert_eq!(remember(&lease).pages, 1);
        assert!(!lease.was_renamed());
        lease.note_renaming();
        assert_eq!(remember(&lease).pages, 2);
        assert!(lease.was_renamed());
        let other = registry.lease("b", 60).unwrap().ask();
        remember(&other);
        assert!(!other.was_renamed());
    }

    #[test]
    fn rows_are_added_up_and_the_first_total_counts() {
        let registry = Arc::new(ScrollRegistry::default());
        let ask = |id: &str| registry.lease(id, 60).unwrap().ask();
        let lease = ask("a");
        let first = remember(&lease);
        assert_eq!((first.rows, first.total, first.contexts), (0, 2_500, 3));
        lease.delivered(1_000);
        let changed = BatchHead {
            total: 7,
            ..head("a")
        };
        let second = ask("a").remember(sealed("r"), "a", &changed);
        assert_eq!((second.pages, second.rows, second.total), (2, 1_000, 2_500));
        let renamed = ask("b");
        renamed.remember_renamed(sealed("r"), "b", second);
        renamed.delivered(1_000);
        let renamed = ask("b");
        assert!(renamed.was_renamed());
        assert_eq!(remember(&renamed).rows, 2_000);
        renamed.end();
        ask("b").delivered(1);
        assert_eq!(registry.recognize("b"), Recognition::Ended);
    }

    #[test]
    fn a_scroll_whose_batch_was_lost_is_not_continued() {
        let registry = Arc::new(ScrollRegistry::default());
        let ask = |id: &str| {
            let lease = registry.lease(id, 60).unwrap().ask();
            remember(&lease);
            lease
        };
        // A task that panics or is cancelled drops what it holds.
        drop(ask("lost"));
        assert_eq!(registry.recognize("lost"), Recognition::Ended);
        ask("delivered").delivered(1);
        let recognized = registry.recognize("delivered");
        assert!(matches!(recognized, Recognition::Issued(_)));
        drop(ask("refused").not_moved());
        let recognized = registry.recognize("refused");
        assert!(matches!(recognized, Recognition::Issued(_)));
        drop(registry.lease("foreign", 60).unwrap().ask());
        assert_eq!(registry.recognize("foreign"), Recognition::Ended);
    }
}
