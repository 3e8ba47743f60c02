//! Which scrolls this process knows, and how far each has come.
//!
//! Most continuations need no proof that a scroll is ours ([`signer`](super::signer)), because its id is remembered here. And two
//! never continue one scroll at the same time, for which [leases](super::lease) are given: Elasticsearch itself loses hits
//! then.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::lease::IdleLease;
use super::open_scrolls::OpenScrolls;
use super::signer::SealedContents;

/// Scrolls that are remembered at the same time. Elasticsearch's default is 500 open ones per node.
const MAX_REMEMBERED: u64 = 100_000;
/// A scroll is remembered a little longer than Elasticsearch keeps it, so that its end is told by Elasticsearch.
const MEMORY_MARGIN: Duration = Duration::from_secs(60);

/// The digest of a scroll id: what is remembered in place of ids, which are long.
pub type IdDigest = [u8; 32];

/// The digest of an id.
pub fn digest(scroll_id: &str) -> IdDigest {
    Sha256::digest(scroll_id).into()
}

/// What is known of a scroll id.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// `None` once it must not be continued any more: it has ended, or a batch of it was lost.
    pub contents: Option<Arc<SealedContents>>,
    pub keep_alive: Duration,
    /// What this process has had of it.
    pub progress: Progress,
    /// Whether the scroll has another id too.
    pub was_renamed: bool,
}

/// How far a scroll has come, as far as this process knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Pages that this process was asked for.
    pub pages: u32,
    /// Rows that it has delivered.
    pub rows: u64,
    /// Hits of the whole scroll.
    pub total: u64,
    /// Contexts that Elasticsearch keeps open for it: one for each shard.
    pub contexts: u64,
}

struct ByKeepAlive;

impl moka::Expiry<IdDigest, Known> for ByKeepAlive {
    fn expire_after_create(&self, _: &IdDigest, known: &Known, _: Instant) -> Option<Duration> {
        Some(known.keep_alive + MEMORY_MARGIN)
    }
    fn expire_after_update(
        &self,
        _: &IdDigest,
        known: &Known,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(known.keep_alive + MEMORY_MARGIN)
    }
}

/// The scrolls of this process.
pub struct ScrollRegistry {
    /// Least recently used ones go first: a frequency policy could refuse to remember a new one.
    known: Cache<IdDigest, Known>,
    leased: Mutex<HashSet<IdDigest>>,
    open: OpenScrolls,
}

impl Default for ScrollRegistry {
    /// With room for any number of open scrolls.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

/// What the registry says of an id.
#[derive(Debug, PartialEq, Eq)]
pub enum Recognition {
    /// This process issued it.
    Issued(Arc<SealedContents>),
    /// Its last page was delivered here, or it was given up here.
    Ended,
    /// Never seen here.
    Unknown,
}

impl ScrollRegistry {
    /// With room for so many open scrolls.
    pub fn new(max_open: usize) -> Self {
        let known = Cache::builder()
            .max_capacity(MAX_REMEMBERED)
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(ByKeepAlive)
            .build();
        Self {
            known,
            leased: Mutex::default(),
            open: OpenScrolls::new(max_open),
        }
    }

    /// The scrolls that are open.
    pub const fn open(&self) -> &OpenScrolls {
        &self.open
    }

    /// What is known of an id.
    pub fn recognize(&self, scroll_id: &str) -> Recognition {
        match self.known.get(&digest(scroll_id)) {
            None => Recognition::Unknown,
            Some(Known { contents: None, .. }) => Recognition::Ended,
            Some(Known {
                contents: Some(contents),
                ..
            }) => Recognition::Issued(contents),
        }
    }

    /// Takes the right to read from a scroll and to keep it open for so long; `None` while somebody else has it.
    pub fn lease(self: &Arc<Self>, scroll_id: &str, keep_alive_seconds: u32) -> Option<IdleLease> {
        let digest = digest(scroll_id);
        let keep_alive = Duration::from_secs(u64::from(keep_alive_seconds));
        let is_free = self.leased().insert(digest);
        is_free.then(|| IdleLease::new(Arc::clone(self), digest, keep_alive))
    }

    /// Somebody else may have the lease of a scroll now.
    pub(super) fn give_back(&self, digest: &IdDigest) {
        self.leased().remove(digest);
    }

    pub(super) fn known(&self, digest: &IdDigest) -> Option<Known> {
        self.known.get(digest)
    }

    pub(super) fn remember(&self, digest: IdDigest, known: Known) {
        self.known.insert(digest, known);
    }

    /// Changes what is known of a scroll, if it is.
    pub(super) fn update(&self, digest: &IdDigest, change: impl FnOnce(&mut Known)) {
        if let Some(mut known) = self.known.get(digest) {
            change(&mut known);
            self.known.insert(*digest, known);
        }
    }

    fn leased(&self) -> MutexGuard<'_, HashSet<IdDigest>> {
        // A panic elsewhere leaves a set of ids as good as it was.
        self.leased.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
