//! One writer a report.
//!
//! In a folder it is a lock of the operating system: it goes with the process that has it, however that ends. In a bucket it is
//! a document with the moment until which it holds, renewed while its owner lives. Such a lock can't be perfect, since clocks
//! differ and a process can sleep; so the state is exchanged only against the one that was read, which is what protects it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use object_store::UpdateVersion;
use object_store::path::Path;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::target::{Conditional, Target, TargetError};

/// How long a lock in a bucket holds without being renewed. One that a killed run left gives way within a minute.
const HOLDS: Duration = Duration::from_secs(45);
/// How often it is renewed.
const RENEWED_EVERY: Duration = Duration::from_secs(10);
/// How long two that write at the same moment need to see the same, in a store that has no conditional writes.
const SETTLES: Duration = Duration::from_secs(2);

/// What a lock says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contents {
    /// Of this one lock.
    id: String,
    /// Who has it, for people.
    owner: String,
    /// Until when, where the lock is this document.
    expires_at: Option<Timestamp>,
}

/// Why there is no lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("another run writes this report ({0}); run the same command again when it has ended")]
    Held(String),
    /// It can't be written.
    #[error(transparent)]
    Target(#[from] TargetError),
}

/// The right to write a report.
#[derive(Debug)]
pub(super) enum Lock {
    /// A lock of the operating system.
    File {
        path: PathBuf,
        /// Open as long as the lock is held.
        file: File,
    },
    /// A document.
    Object {
        target: Target,
        path: Path,
        id: String,
        is_lost: Arc<AtomicBool>,
        renewing: JoinHandle<()>,
    },
}

impl Lock {
    /// Takes the lock, if nobody has it.
    pub async fn take(target: &Target, path: &Path) -> Result<Self, LockError> {
        match target.file(path) {
            Some(path) => take_file(path),
            None => take_object(target.clone(), path.clone(), HOLDS).await,
        }
    }

    /// Whether it is still ours.
    pub fn is_held(&self) -> bool {
        match self {
            Self::File { .. } => true,
            Self::Object { is_lost, .. } => !is_lost.load(Ordering::Acquire),
        }
    }

    /// Gives it back.
    pub async fn release(self) {
        match self {
            Self::File { path, file } => {
                // While it is still locked: whoever opened it before finds that it is another one now.
                if let Err(error) = std::fs::remove_file(&path) {
                    tracing::warn!(%error, "the lock can't be removed; it holds nobody up");
                }
                drop(file);
            }
            Self::Object {
                target,
                path,
                id,
                renewing,
                ..
            } => {
                renewing.abort();
                // Not cut off in the middle of a renewal, which could come after the removal.
                let _ = renewing.await;
                match read(&target, &path).await {
                    Ok(Some((contents, _))) if contents.id == id => {
                        if let Err(error) = target.remove(&path).await {
                            tracing::warn!(%error, "the lock can't be removed; it expires by itself");
                        }
                    }
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(%error, "the lock can't be removed; it expires by itself")
                    }
                }
            }
        }
    }
}

fn owner() -> String {
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    format!("process {} on {host}", std::process::id())
}

fn take_file(path: PathBuf) -> Result<Lock, LockError> {
    let problem = |error| TargetError::Folder {
        path: path.display().to_string(),
        error,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(problem)?;
    }
    loop {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(problem)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let contents = std::fs::read(&path).ok();
                let contents =
                    contents.and_then(|bytes| serde_json::from_slice::<Contents>(&bytes).ok());
                return Err(LockError::Held(contents.map_or_else(
                    || "which has just begun".to_owned(),
                    |contents| contents.owner,
                )));
            }
            Err(TryLockError::Error(error)) => return Err(problem(error).into()),
        }
        // Its owner may have removed it between the two steps, and somebody else may have the next one.
        if !is_file_at(&file, &path) {
            continue;
        }
        let contents = Contents {
            id: uuid::Uuid::new_v4().to_string(),
            owner: owner(),
            expires_at: None,
        };
        let bytes = serde_json::to_vec(&contents).map_err(TargetError::from)?;
        // For people only.
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(&bytes));
        written.map_err(problem)?;
        return Ok(Lock::File { path, file });
    }
}

/// Whether an open file is what has this name now.
fn is_file_at(file: &File, path: &FilePath) -> bool {
    let place = |found: std::fs::Metadata| (found.dev(), found.ino());
    let (Ok(open), Ok(named)) = (file.metadata(), path.metadata()) else {
        return false;
    };
    place(open) == place(named)
}

async fn read(
    target: &Target,
    path: &Path,
) -> Result<Option<(Contents, UpdateVersion)>, TargetError> {
    let Some(found) = target.read(path).await? else {
        return Ok(None);
    };
    // What is none of ours holds nobody up.
    let contents = serde_json::from_slice(&found.bytes).unwrap_or_else(|_| Contents {
        id: String::new(),
        owner: "unknown".to_owned(),
        expires_at: None,
    });
    Ok(Some((contents, found.version)))
}

async fn take_object(target: Target, path: Path, holds: Duration) -> Result<Lock, LockError> {
    let found = read(&target, &path).await?;
    let before = match found {
        None => None,
        Some((contents, version)) => {
            if let Some(until) = contents.expires_at
                && until > Timestamp::now()
            {
                return Err(LockError::Held(format!(
                    "{}, until {until}",
                    contents.owner
                )));
            }
            Some(version)
        }
    };
    let mut lock = Held {
        contents: Contents {
            id: uuid::Uuid::new_v4().to_string(),
            owner: owner(),
            expires_at: None,
        },
        target,
        path,
        version: before,
        holds,
    };
    if !lock.renew().await? {
        return Err(LockError::Held("which has just begun".to_owned()));
    }
    let is_lost = Arc::new(AtomicBool::new(false));
    Ok(Lock::Object {
        target: lock.target.clone(),
        path: lock.path.clone(),
        id: lock.contents.id.clone(),
        renewing: tokio::spawn(keep(lock, Arc::clone(&is_lost))),
        is_lost,
    })
}

/// A lock in a bucket, as its owner knows it.
struct Held {
    target: Target,
    path: Path,
    contents: Contents,
    version: Option<UpdateVersion>,
    holds: Duration,
}

impl Held {
    /// Writes it with a later end; `false` if somebody else has it now.
    async fn renew(&mut self) -> Result<bool, TargetError> {
        let holds = SignedDuration::try_from(self.holds).unwrap_or(SignedDuration::ZERO);
        self.contents.expires_at = Timestamp::now().checked_add(holds).ok();
        let bytes = serde_json::to_vec(&self.contents)?;
        let version = self.version.as_ref();
        match self
            .target
            .exchange(&self.path, bytes.clone(), version)
            .await?
        {
            Conditional::Written(version) => {
                self.version = Some(version);
                Ok(true)
            }
            // A write that is tried again after its answer was lost finds its own first try.
            Conditional::Refused => self.is_written().await,
            Conditional::Unknown => {
                let is_new = version.is_none();
                self.target.write(&self.path, bytes).await?;
                if is_new {
                    sleep(SETTLES).await;
                }
                self.is_written().await
            }
        }
    }

    async fn is_written(&mut self) -> Result<bool, TargetError> {
        match read(&self.target, &self.path).await? {
            Some((contents, version)) if contents.id == self.contents.id => {
                self.version = Some(version);
                Ok(true)
            }
            _ => Ok(false),
        }
    }
}

/// Renews a lock for as long as it is held.
async fn keep(mut lock: Held, is_lost: Arc<AtomicBool>) {
    let mut held_until = Instant::now() + lock.holds;
    let pause = RENEWED_EVERY.min(lock.holds / 4);
    loop {
        sleep(pause).await;
        let began = Instant::now();
        match timeout(held_until.saturating_duration_since(began), lock.renew()).await {
            Ok(Ok(true)) => held_until = began + lock.holds,
            Ok(Ok(false)) | Err(_) => {
                is_lost.store(true, Ordering::Release);
                return;
            }
            Ok(Err(error)) => tracing::warn!(%error, "the lock can't be renewed yet"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn folder_target(folder: &FilePath) -> Target {
        Target::open(folder.to_str().unwrap(), &Environment::new()).unwrap()
    }

    #[tokio::test]
    async fn in_a_folder_one_of_two_is_refused_and_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder_target(folder.path());
        let path = target.report("r").lock();
        let first = Lock::take(&target, &path).await.unwrap();
        let error = Lock::take(&target, &path).await.unwrap_err().to_string();
        assert!(
            error.contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        // Another report has another lock.
        Lock::take(&target, &target.report("s").lock())
            .await
            .unwrap()
            .release()
            .await;
        assert!(first.is_held());
        first.release().await;
        assert!(!target.file(&path).unwrap().exists());
        Lock::take(&target, &path).await.unwrap().release().await;
    }

    #[tokio::test]
    async fn a_lock_file_that_nobody_holds_gives_way_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder_target(folder.path());
        let path = target.report("r").lock();
        target.write(&path, b"{".to_vec()).await.unwrap();
        Lock::take(&target, &path).await.unwrap().release().await;
    }

    #[tokio::test]
    async fn a_file_that_was_removed_meanwhile_is_no_lock() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let file = File::create(&path).unwrap();
        assert!(is_file_at(&file, &path));
        std::fs::remove_file(&path).unwrap();
        assert!(!is_file_at(&file, &path));
        let _next = File::create(&path).unwrap();
        assert!(!is_file_at(&file, &path));
    }

    #[tokio::test]
    async fn in_a_bucket_one_of_two_is_refused_until_the_lock_expires() {
        let target = Target::in_memory();
        let path = target.report("r").lock();
        let take = |holds| take_object(target.clone(), path.clone(), holds);
        let first = take(Duration::from_secs(30)).await.unwrap();
        assert!(matches!(take(HOLDS).await, Err(LockError::Held(_))));
        first.release().await;
        assert!(target.read(&path).await.unwrap().is_none());
        // One that is killed renews no more.
        let Lock::Object { renewing, .. } = take(Duration::from_millis(50)).await.unwrap() else {
            panic!("no document");
        };
        renewing.abort();
        assert!(matches!(take(HOLDS).await, Err(LockError::Held(_))));
        sleep(Duration::from_millis(80)).await;
        take(HOLDS).await.unwrap().release().await;
    }

    #[tokio::test]
    async fn a_lock_is_renewed_while_its_owner_lives_and_lost_when_another_has_it() {
        let target = Target::in_memory();
        let path = target.report("r").lock();
        let lock = take_object(target.clone(), path.clone(), Duration::from_millis(400))
            .await
            .unwrap();
        sleep(Duration::from_millis(900)).await;
        assert!(lock.is_held());
        assert!(matches!(
            take_object(target.clone(), path.clone(), HOLDS).await,
            Err(LockError::Held(_))
        ));
        let other = Contents {
            id: "other".to_owned(),
            owner: "other".to_owned(),
            expires_at: None,
        };
        let other = serde_json::to_vec(&other).unwrap();
        target.write(&path, other.clone()).await.unwrap();
        sleep(Duration::from_millis(400)).await;
        assert!(!lock.is_held());
        // What is another's stays.
        lock.release().await;
        assert_eq!(target.read(&path).await.unwrap().unwrap().bytes, other);
    }

    #[test]
    fn a_lock_gives_way_within_a_minute_and_survives_a_failed_renewal() {
        assert!(HOLDS <= Duration::from_secs(60));
        assert!(3 * RENEWED_EVERY < HOLDS);
    }
}
