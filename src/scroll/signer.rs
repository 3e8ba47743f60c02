//! What travels inside a scroll, signed: for which report it is, and how it is read.
//!
//! Elasticsearch's scroll ids can be guessed, and a cluster serves other applications too. So what belongs to a scroll
//! ([`ScrollContents`]) is the name of a named query, signed with the scroll key, and every hit repeats it. Any replica that has
//! the key can verify a scroll that it did not open.

use std::ops::Deref;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256, Sha512};

/// Begins the name of our named query; the number changes when its format does.
const NAME_PREFIX: &str = "optimize-export-1";
/// Bytes of the signature of a bookmark, which a client keeps and sends again.
const BOOKMARK_SIGNATURE_BYTES: usize = 16;

/// What belongs to a scroll from its first page to its last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrollContents {
    /// The report that it exports.
    #[serde(rename = "r")]
    pub report_id: String,
    /// Rows per page.
    #[serde(rename = "l")]
    pub limit: u32,
    /// Hits per batch; divides `limit`.
    #[serde(rename = "s")]
    pub batch: u32,
    /// What running durations are measured against, in milliseconds since 1970.
    #[serde(rename = "n")]
    pub now: i64,
    /// What whoever opened it may see, as a fingerprint; none if that is everything.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    pub access: Option<String>,
}

/// What belongs to a scroll, and the name of the named query that carries it, which every hit repeats.
#[derive(Debug, Clone, PartialEq, Eq)]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(report_id: &str) -> ScrollContents {
        ScrollContents {
            report_id: report_id.to_owned(),
            limit: 1000,
            batch: 500,
            now: 1_700_000_000_000,
            access: None,
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
}
