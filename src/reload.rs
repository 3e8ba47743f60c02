//! Files that are read again when their content changes: tokens, keys, certificates.
//!
//! Contents are compared at an interval. Notifications of the file system would tell sooner, but not of every file system
//! and not through the symbolic links that Kubernetes swaps under a mounted secret.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};

/// How often files are looked at.
pub const INTERVAL: Duration = Duration::from_secs(5);

/// Calls `apply` whenever the content of one of `files` has changed, for as long as the process lives.
///
/// `what` names the files in the log. Files that belong together (a certificate and its key) are watched together; when
/// one was replaced before the other, `apply` fails, what was in force stays, and the next look tries again.
pub fn watch<E: fmt::Display>(
    what: &'static str,
    files: Vec<PathBuf>,
    mut apply: impl FnMut() -> Result<(), E> + Send + 'static,
) {
    let mut in_force = digest(&files);
    tokio::spawn(async move {
        let mut told = None;
        loop {
            tokio::time::sleep(INTERVAL).await;
            let found = digest(&files);
            if found == in_force {
                continue;
            }
            match apply() {
                Ok(()) => {
                    tracing::info!("{what} changed and was read again");
                    in_force = found;
                }
                // Once per content, not at every look.
                Err(error) if told.as_ref() != Some(&found) => {
                    tracing::error!(%error, "{what} changed, but can't be used; what was in force stays");
                    told = Some(found);
                }
                Err(_) => {}
            }
        }
    });
}

/// What the files hold, without keeping it. Small files, and local ones: reading them takes no time worth a thread.
fn digest(files: &[PathBuf]) -> Vec<Option<[u8; 32]>> {
    let digest_of = |file| Some(Sha256::digest(std::fs::read(file).ok()?).into());
    files.iter().map(digest_of).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_change_is_applied_once_and_a_failure_is_tried_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "old").unwrap();
        let (sender, calls) = mpsc::channel();
        let mut results = [Err("not yet"), Ok(())].into_iter();
        watch("a file", vec![file.path().to_owned()], move || {
            sender.send(()).unwrap();
            results.next().unwrap()
        });
        tokio::time::sleep(INTERVAL * 3).await;
        assert_eq!(calls.try_iter().count(), 0);
        std::fs::write(&file, "new").unwrap();
        tokio::time::sleep(INTERVAL * 5).await;
        assert_eq!(
            calls.try_iter().count(),
            2,
            "until it worked, and not after that"
        );
    }
}
