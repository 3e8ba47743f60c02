//! Whose scroll is it?
//!
//! Elasticsearch's scroll ids can be guessed, and a cluster serves other applications too. So a scroll proves that it is
//! ours, and for which report: what belongs to it ([`ScrollContents`]) travels inside it as the name of a named query,
//! signed with the scroll key, and every hit repeats it. [`ScrollRegistry`] remembers the scrolls of this process, so
//! that most continuations need no proof, and keeps two from continuing one scroll at the same time: Elasticsearch
//! itself loses hits then.

use std::collections::HashSet;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use cluster::pages::StepHead;
use hmac::{Hmac, KeyInit, Mac};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};

use super::open_scrolls::OpenScrolls;

/// Begins the name of our named query; the number changes when its format does.
const NAME_PREFIX: &str = "optimize-export-1";
/// Scrolls that are remembered at the same time. Elasticsearch's default is 500 open ones per node.
const MAX_REMEMBERED: u64 = 100_000;
/// A scroll is remembered a little longer than Elasticsearch keeps it, so that its end is told by Elasticsearch.
const MEMORY_MARGIN: Duration = Duration::from_secs(60);

/// What belongs to a scroll from its first page to its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrollContents {
    /// The report that it exports.
    #[serde(rename = "r")]
    pub report_id: String,
    /// Rows per page.
    #[serde(rename = "l")]
    pub limit: u32,
    /// Hits per request to Elasticsearch; divides `limit`.
    #[serde(rename = "s")]
    pub step: u32,
    /// What running durations are measured against, in milliseconds since 1970.
    #[serde(rename = "n")]
    pub now: i64,
}

/// What belongs to a scroll, and the name of the named query that carries it, which every hit repeats.
#[derive(Debug, PartialEq, Eq)]
pub struct SealedContents {
    contents: ScrollContents,
    name: String,
}

impl SealedContents {
    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Deref for SealedContents {
    type Target = ScrollContents;

    fn deref(&self) -> &ScrollContents {
        &self.contents
    }
}

/// Signs what travels inside a scroll.
#[derive(Clone)]
pub struct ScrollSigner {
    mac: Hmac<Sha256>,
    /// Whether other processes have the same key.
    is_shared: bool,
}

impl ScrollSigner {
    /// A signer with a key that other replicas have too.
    pub fn with_key(key: &[u8]) -> Self {
        Self::new(key, true)
    }

    /// A signer whose key nobody else knows: only this process can continue its scrolls.
    pub fn of_this_process() -> Self {
        Self::new(
            [
                uuid::Uuid::new_v4().into_bytes(),
                uuid::Uuid::new_v4().into_bytes(),
            ]
            .as_flattened(),
            false,
        )
    }

    fn new(key: &[u8], is_shared: bool) -> Self {
        // Hashing makes a key of exactly one HMAC block, so that there is no length to be wrong.
        let key = Sha512::digest(key);
        Self {
            mac: Hmac::new(&key),
            is_shared,
        }
    }

    /// Whether a scroll that this process does not know may be one of a replica.
    pub fn accepts_foreign(&self) -> bool {
        self.is_shared
    }

    /// The signature of a bookmark.
    pub fn sign_bookmark(&self, bookmark: &[u8]) -> [u8; BOOKMARK_SIGNATURE_BYTES] {
        let signature = self.bookmark_mac(bookmark).finalize().into_bytes();
        let mut first = [0; BOOKMARK_SIGNATURE_BYTES];
        for (to, from) in first.iter_mut().zip(signature) {
            *to = from;
        }
        first
    }

    /// The bookmark that follows its signature, if we signed it.
    pub fn open_bookmark<'b>(&self, signed: &'b [u8]) -> Option<&'b [u8]> {
        let (signature, bookmark) = signed.split_at_checked(BOOKMARK_SIGNATURE_BYTES)?;
        let mac = self.bookmark_mac(bookmark);
        mac.verify_truncated_left(signature).ok()?;
        Some(bookmark)
    }

    /// The names of scrolls are signed with the same key, and begin with other bytes.
    fn bookmark_mac(&self, bookmark: &[u8]) -> Hmac<Sha256> {
        self.mac
            .clone()
            .chain_update(b"bookmark:")
            .chain_update(bookmark)
    }

    /// Makes the name of the named query that carries `contents`.
    pub fn seal(&self, contents: ScrollContents) -> SealedContents {
        // A struct of strings and numbers always has a JSON form.
        let payload = serde_json::to_vec(&contents).unwrap_or_default();
        let signature = self
            .mac
            .clone()
            .chain_update(&payload)
            .finalize()
            .into_bytes();
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let name = format!("{NAME_PREFIX}.{}.{}", encode(&payload), encode(&signature));
        SealedContents { contents, name }
    }

    /// What the name of a named query carries, if we signed it.
    pub fn open(&self, name: &str) -> Option<SealedContents> {
        let (payload, signature) = name
            .strip_prefix(NAME_PREFIX)?
            .strip_prefix('.')?
            .split_once('.')?;
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        self.mac
            .clone()
            .chain_update(&payload)
            .verify_slice(&signature)
            .ok()?;
        Some(SealedContents {
            contents: serde_json::from_slice(&payload).ok()?,
            name: name.to_owned(),
        })
    }
}

/// Bytes of the signature of a bookmark, which a client keeps and sends again.
const BOOKMARK_SIGNATURE_BYTES: usize = 16;

/// The digest of a scroll id: what is remembered in place of ids, which are long.
pub type IdDigest = [u8; 32];

/// The digest of an id.
pub(super) fn digest(scroll_id: &str) -> IdDigest {
    Sha256::digest(scroll_id).into()
}

/// What is known of a scroll id.
#[derive(Debug, Clone)]
struct Known {
    /// `None` once it must not be continued any more: it has ended, or a step of it was lost.
    contents: Option<Arc<SealedContents>>,
    keep_alive: Duration,
    /// What this process has had of it.
    progress: Progress,
    /// Whether the scroll has another id too.
    was_renamed: bool,
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
    under_way: Mutex<HashSet<IdDigest>>,
    open: OpenScrolls,
}

impl Default for ScrollRegistry {
    /// With room for any number of open scrolls.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
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
            under_way: Mutex::default(),
            open: OpenScrolls::new(max_open),
        }
    }

    /// The scrolls that are open.
    pub fn open(&self) -> &OpenScrolls {
        &self.open
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
    pub fn lease(
        self: &Arc<Self>,
        scroll_id: &str,
        keep_alive_seconds: u32,
    ) -> Option<ScrollLease> {
        let digest = digest(scroll_id);
        let is_free = self.lock().insert(digest);
        is_free.then(|| ScrollLease {
            registry: Arc::clone(self),
            digest,
            keep_alive: Duration::from_secs(u64::from(keep_alive_seconds)),
            is_step_lost: AtomicBool::new(false),
            is_released: AtomicBool::new(false),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<IdDigest>> {
        // A panic elsewhere leaves a set of ids as good as it was.
        self.under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to read from one scroll. It ends when it is dropped or released.
///
/// Between [`ScrollLease::take_step`] and [`ScrollLease::release`] the hits of a step are on their way. A lease that is
/// dropped in between, for whatever reason, ends the scroll with it: whoever continued it would miss those hits. When it
/// is released, the hits have reached the client, but for those of a step that waits for its request (`ahead`).
pub struct ScrollLease {
    registry: Arc<ScrollRegistry>,
    digest: IdDigest,
    keep_alive: Duration,
    is_step_lost: AtomicBool,
    is_released: AtomicBool,
}

impl ScrollLease {
    /// Elasticsearch was asked to keep the scroll open from now on.
    pub fn prolong(&self) {
        self.registry.open.prolong(&self.digest, self.keep_alive);
    }

    /// The digest of its id.
    pub fn digest(&self) -> &IdDigest {
        &self.digest
    }

    /// How long it keeps the scroll open.
    pub fn keep_alive_seconds(&self) -> u32 {
        u32::try_from(self.keep_alive.as_secs()).unwrap_or(u32::MAX)
    }

    /// Notes that Elasticsearch is asked for a step, which is lost unless it reaches the client.
    pub fn take_step(&self) {
        self.is_step_lost.store(true, Ordering::Release);
    }

    /// Notes that the step was not taken after all.
    pub fn step_was_not_taken(&self) {
        self.is_step_lost.store(false, Ordering::Release);
    }

    /// Remembers that this process issued the scroll, or that it was used again; gives back how far it has come with the page
    /// that begins. `head` is what Elasticsearch says of it, which counts where nothing was known before.
    pub fn remember(
        &self,
        contents: Arc<SealedContents>,
        scroll_id: &str,
        head: &StepHead,
    ) -> Progress {
        let before = self.registry.known.get(&self.digest);
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
        let keep_alive = self.keep_alive;
        self.registry
            .open
            .remember(self.digest, scroll_id, keep_alive, progress.contexts);
        self.registry.known.insert(
            self.digest,
            Known {
                contents: Some(contents),
                keep_alive,
                progress,
                was_renamed,
            },
        );
    }

    /// Adds rows that have been delivered.
    pub fn add_rows(&self, rows: u64) {
        if let Some(mut known) = self.registry.known.get(&self.digest) {
            known.progress.rows += rows;
            self.registry.known.insert(self.digest, known);
        }
    }

    /// Notes that the scroll was issued under another id too, so that a client may use either.
    pub fn note_renaming(&self) {
        if let Some(known) = self.registry.known.get(&self.digest) {
            let was_renamed = true;
            self.registry.known.insert(
                self.digest,
                Known {
                    was_renamed,
                    ..known
                },
            );
        }
    }

    /// Whether the scroll was issued under another id too.
    pub fn was_renamed(&self) -> bool {
        let known = self.registry.known.get(&self.digest);
        known.is_some_and(|known| known.was_renamed)
    }

    /// Remembers that the scroll must not be continued any more, even if it was issued elsewhere.
    ///
    /// Elasticsearch still has it, so it counts as open until it has been cleared.
    pub fn end(&self) {
        self.registry.open.give_up(&self.digest);
        let known = self.registry.known.get(&self.digest);
        self.registry.known.insert(
            self.digest,
            Known {
                contents: None,
                keep_alive: known.map_or(self.keep_alive, |known| known.keep_alive),
                progress: Progress::default(),
                was_renamed: false,
            },
        );
    }

    /// Gives the right back before the lease is dropped: all that was taken has reached the client, or waits for it.
    pub fn release(&self) {
        if !self.is_released.swap(true, Ordering::AcqRel) {
            // From now on its client has the whole keep-alive again.
            self.registry.open.prolong(&self.digest, self.keep_alive);
            self.registry.lock().remove(&self.digest);
        }
    }
}

impl Drop for ScrollLease {
    fn drop(&mut self) {
        let is_released = self.is_released.load(Ordering::Acquire);
        if !is_released && self.is_step_lost.load(Ordering::Acquire) {
            self.end();
        }
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(report_id: &str) -> Arc<SealedContents> {
        Arc::new(ScrollSigner::with_key(b"key").seal(contents(report_id)))
    }

    /// What Elasticsearch says of a scroll with 2,500 hits in 3 shards.
    fn head(id: &str) -> StepHead {
        StepHead {
            scroll_id: id.to_owned(),
            total: 2_500,
            shards: 3,
        }
    }

    fn remember(lease: &ScrollLease) -> Progress {
        lease.remember(sealed("r"), "id", &head("id"))
    }

    fn contents(report_id: &str) -> ScrollContents {
        ScrollContents {
            report_id: report_id.to_owned(),
            limit: 1000,
            step: 500,
            now: 1_700_000_000_000,
        }
    }

    #[test]
    fn a_seal_opens_with_the_same_key_only() {
        let contents = contents("r\"é/1");
        let signer = ScrollSigner::with_key(b"secret");
        let sealed = signer.seal(contents.clone());
        assert_eq!(*sealed, contents);
        let name = sealed.name();
        assert_eq!(signer.open(name).as_ref(), Some(&sealed));
        assert_eq!(
            ScrollSigner::with_key(b"secret").open(name).as_ref(),
            Some(&sealed)
        );
        assert_eq!(ScrollSigner::with_key(b"other").open(name), None);
        assert_eq!(ScrollSigner::of_this_process().open(name), None);
    }

    #[test]
    fn a_seal_can_not_be_altered() {
        let signer = ScrollSigner::with_key(b"secret");
        let name = signer.seal(contents("mine")).name().to_owned();
        let foreign = ScrollSigner::with_key(b"other").seal(contents("theirs"));
        let foreign = foreign.name();
        let parts: Vec<&str> = name.split('.').collect();
        let foreign_parts: Vec<&str> = foreign.split('.').collect();
        let forged = [
            String::new(),
            "optimize-export-1".to_owned(),
            "optimize-export-1..".to_owned(),
            format!("optimize-export-2.{}.{}", parts[1], parts[2]),
            format!("optimize-export-1.{}.{}", foreign_parts[1], parts[2]),
            format!("optimize-export-1.{}.{}", parts[1], foreign_parts[2]),
            format!("optimize-export-1.{}", parts[1]),
            format!("{name}="),
        ];
        for name in forged {
            assert_eq!(signer.open(&name), None, "{name}");
        }
    }

    #[test]
    fn a_scroll_is_read_by_one_at_a_time() {
        let registry = Arc::new(ScrollRegistry::default());
        let lease = registry.lease("a", 60).unwrap();
        assert!(registry.lease("a", 60).is_none());
        assert!(registry.lease("b", 60).is_some());
        lease.release();
        let second = registry.lease("a", 60).unwrap();
        drop(lease);
        assert!(
            registry.lease("a", 60).is_none(),
            "a lease that was released must not free its successor's"
        );
        drop(second);
        assert!(registry.lease("a", 60).is_some());
    }

    #[test]
    fn a_scroll_is_known_until_it_ends() {
        let registry = Arc::new(ScrollRegistry::default());
        assert_eq!(registry.recognize("a"), Recognition::Unknown);
        let lease = registry.lease("a", 60).unwrap();
        remember(&lease);
        assert_eq!(registry.recognize("a"), Recognition::Issued(sealed("r")));
        lease.end();
        assert_eq!(registry.recognize("a"), Recognition::Ended);
    }

    #[test]
    fn a_scroll_that_was_renamed_stays_so_from_page_to_page() {
        let registry = Arc::new(ScrollRegistry::default());
        let lease = registry.lease("a", 60).unwrap();
        assert_eq!(remember(&lease).pages, 1);
        assert!(!lease.was_renamed());
        lease.note_renaming();
        assert_eq!(remember(&lease).pages, 2);
        assert!(lease.was_renamed());
        let other = registry.lease("b", 60).unwrap();
        remember(&other);
        assert!(!other.was_renamed());
    }

    #[test]
    fn rows_are_added_up_and_the_first_total_counts() {
        let registry = Arc::new(ScrollRegistry::default());
        let lease = registry.lease("a", 60).unwrap();
        let first = remember(&lease);
        assert_eq!((first.rows, first.total, first.contexts), (0, 2_500, 3));
        lease.add_rows(1_000);
        let changed = StepHead {
            total: 7,
            ..head("a")
        };
        let second = lease.remember(sealed("r"), "a", &changed);
        assert_eq!((second.pages, second.rows, second.total), (2, 1_000, 2_500));
        let renamed = registry.lease("b", 60).unwrap();
        renamed.remember_renamed(sealed("r"), "b", second);
        renamed.add_rows(1_000);
        assert!(renamed.was_renamed());
        assert_eq!(remember(&renamed).rows, 2_000);
        renamed.end();
        renamed.add_rows(1);
        assert_eq!(registry.recognize("b"), Recognition::Ended);
    }

    #[test]
    fn a_scroll_whose_step_was_lost_is_not_continued() {
        let registry = Arc::new(ScrollRegistry::default());
        let take = |id: &str| {
            let lease = registry.lease(id, 60).unwrap();
            remember(&lease);
            lease.take_step();
            lease
        };
        // A task that panics or is cancelled drops what it holds.
        drop(take("lost"));
        assert_eq!(registry.recognize("lost"), Recognition::Ended);
        take("delivered").release();
        assert!(matches!(
            registry.recognize("delivered"),
            Recognition::Issued(_)
        ));
        take("refused").step_was_not_taken();
        assert!(matches!(
            registry.recognize("refused"),
            Recognition::Issued(_)
        ));
        let of_a_replica = registry.lease("foreign", 60).unwrap();
        of_a_replica.take_step();
        drop(of_a_replica);
        assert_eq!(registry.recognize("foreign"), Recognition::Ended);
    }
}
