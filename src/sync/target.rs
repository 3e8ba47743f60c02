//! Where a lake is: a folder, or a bucket of a cloud.

use std::collections::HashSet;
use std::future::ready;
use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures_util::TryStreamExt;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};
use optimize::table::schema::Table;

use super::layout::{MANIFEST, ReportFolder, RunName, State, VERSION};
use crate::config::Environment;

/// A lake.
#[derive(Debug, Clone)]
pub struct Target {
    /// What holds it.
    pub(super) store: Arc<dyn ObjectStore>,
    /// Where it begins within that.
    prefix: Path,
    /// The same as a folder, if it is one.
    folder: Option<PathBuf>,
}

/// Why a lake can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// What was given is no place for a lake.
    #[error("{0}")]
    NoTarget(String),
    /// The store refuses.
    #[error("{0}")]
    Store(#[from] object_store::Error),
    /// The folder refuses.
    #[error("{path}: {error}")]
    Folder {
        /// Where.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// A document of ours can't be made.
    #[error("a document can't be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// A document with what makes it possible to exchange just this version of it.
#[derive(Debug)]
pub(super) struct Versioned {
    pub bytes: Bytes,
    pub version: UpdateVersion,
}

/// A run of a table that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundRun {
    pub table: Table,
    pub name: RunName,
    /// Without a manifest it does not exist for readers.
    pub has_manifest: bool,
}

/// What became of a write that must not replace what somebody else wrote.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Conditional {
    Written(UpdateVersion),
    /// Somebody else was faster.
    Refused,
    /// The store has no such writes.
    Unknown,
}

impl Target {
    /// The lake at a path or an URL; the environment has what a cloud asks for.
    ///
    /// # Errors
    /// There is no such place.
    pub fn open(text: &str, environment: &Environment) -> Result<Self, TargetError> {
        match text.split_once("://") {
            None => Self::open_folder(FilePath::new(text)),
            Some(("file", path)) => Self::open_folder(FilePath::new(path)),
            Some((scheme, _)) => Self::open_cloud(scheme, text, environment),
        }
    }

    fn open_folder(folder: &FilePath) -> Result<Self, TargetError> {
        let problem = |error| TargetError::Folder {
            path: folder.display().to_string(),
            error,
        };
        std::fs::create_dir_all(folder).map_err(problem)?;
        let folder = folder.canonicalize().map_err(problem)?;
        // A manifest must not be there before its files are, whatever happens to the machine.
        let store = LocalFileSystem::new_with_prefix(&folder)?.with_fsync(true);
        Ok(Self {
            store: Arc::new(store),
            prefix: Path::default(),
            folder: Some(folder),
        })
    }

    #[cfg(not(feature = "clouds"))]
    fn open_cloud(scheme: &str, _: &str, _: &Environment) -> Result<Self, TargetError> {
        Err(TargetError::NoTarget(format!(
            "{scheme}:// is not known: this program was built without clouds"
        )))
    }

    #[cfg(feature = "clouds")]
    fn open_cloud(
        scheme: &str,
        text: &str,
        environment: &Environment,
    ) -> Result<Self, TargetError> {
        let no_target = |problem: String| TargetError::NoTarget(format!("{text:?}: {problem}"));
        let url = url::Url::parse(text).map_err(|error| no_target(error.to_string()))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(no_target("the bucket is missing".to_owned()));
        }
        let prefix =
            Path::from_url_path(url.path()).map_err(|error| no_target(error.to_string()))?;
        Ok(Self {
            store: super::clouds::open(scheme, text, environment)?.ok_or_else(|| {
                no_target("a target is a folder, s3://, gs:// or az://".to_owned())
            })?,
            prefix,
            folder: None,
        })
    }

    /// A bucket that only this process has.
    #[cfg(test)]
    pub(super) fn in_memory() -> Self {
        Self {
            store: Arc::new(object_store::memory::InMemory::new()),
            prefix: Path::from("lake"),
            folder: None,
        }
    }

    /// The folder of a report.
    pub(super) fn report(&self, report_id: &str) -> ReportFolder {
        ReportFolder::new(&self.prefix, report_id)
    }

    /// A path of the lake as a file, if it is a folder.
    pub(super) fn file(&self, path: &Path) -> Option<PathBuf> {
        let folder = self.folder.clone()?;
        Some(
            path.parts()
                .fold(folder, |file, part| file.join(part.as_ref())),
        )
    }

    /// A small document, if it is there.
    pub(super) async fn read(&self, path: &Path) -> Result<Option<Versioned>, TargetError> {
        match self.store.get(path).await {
            Ok(found) => {
                let version = UpdateVersion {
                    e_tag: found.meta.e_tag.clone(),
                    version: found.meta.version.clone(),
                };
                let bytes = found.bytes().await?;
                Ok(Some(Versioned { bytes, version }))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a small document, whatever is there.
    pub(super) async fn write(&self, path: &Path, bytes: Vec<u8>) -> Result<(), TargetError> {
        self.store.put(path, PutPayload::from(bytes)).await?;
        Ok(())
    }

    /// Writes a small document in place of this version, or where there is none.
    pub(super) async fn exchange(
        &self,
        path: &Path,
        bytes: Vec<u8>,
        before: Option<&UpdateVersion>,
    ) -> Result<Conditional, TargetError> {
        let mode = match before {
            None => PutMode::Create,
            Some(version) => PutMode::Update(version.clone()),
        };
        let payload = PutPayload::from(bytes);
        match self
            .store
            .put_opts(path, payload, PutOptions::from(mode))
            .await
        {
            Ok(written) => Ok(Conditional::Written(written.into())),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. }
                | object_store::Error::NotFound { .. },
            ) => Ok(Conditional::Refused),
            Err(
                object_store::Error::NotImplemented { .. }
                | object_store::Error::NotSupported { .. },
            ) => Ok(Conditional::Unknown),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a document, if it is there.
    pub(super) async fn remove(&self, path: &Path) -> Result<(), TargetError> {
        match self.store.delete(path).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// All runs of a report.
    pub(super) async fn runs(&self, report: &ReportFolder) -> Result<Vec<FoundRun>, TargetError> {
        let mut runs = Vec::new();
        for table in Table::ALL.iter().copied() {
            let folder = report.table(table);
            let listed = match self.store.list_with_delimiter(Some(&folder)).await {
                Ok(listed) => listed,
                Err(object_store::Error::NotFound { .. }) => continue,
                Err(error) => return Err(error.into()),
            };
            // Listed too, and not asked for run by run: a bucket lists a thousand at once, and old runs stay for ever.
            let files = self.store.list(Some(&folder)).map_ok(|file| file.location);
            let manifests: HashSet<Path> = files
                .try_filter(|file| ready(file.filename() == Some(MANIFEST)))
                .try_collect()
                .await?;
            for run in listed.common_prefixes {
                let Some(name) = run.filename().and_then(RunName::of_folder) else {
                    continue;
                };
                runs.push(FoundRun {
                    table,
                    name,
                    has_manifest: manifests.contains(&run.join(MANIFEST)),
                });
            }
        }
        Ok(runs)
    }

    /// Removes everything in a folder of the lake, and the folder.
    pub(super) async fn remove_all(&self, path: &Path) -> Result<(), TargetError> {
        if let Some(folder) = self.file(path) {
            // Files that were being written when a run was killed are hidden from the store.
            return match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(TargetError::Folder {
                        path: folder.display().to_string(),
                        error,
                    })
                }
                _ => {
                    // A table without any run has no folder. One with runs is not removed by this.
                    let _ = folder.parent().map(std::fs::remove_dir);
                    Ok(())
                }
            };
        }
        let paths = self.store.list(Some(path)).map_ok(|found| found.location);
        let paths: Vec<Path> = paths.try_collect().await?;
        for path in paths {
            self.remove(&path).await?;
        }
        Ok(())
    }

    /// Removes the files of a run that failed, as far as they can be removed now: the next run does it again.
    pub(super) async fn give_up(&self, run: &Path) {
        if let Err(error) = self.remove_all(run).await {
            tracing::warn!(%error, "files of a run that failed stay until the next run");
        }
    }

    /// Removes what a killed run left of documents that it was writing into a folder: `_state.json#1`.
    pub(super) fn remove_unfinished(&self, path: &Path) {
        let Some(entries) = self.file(path).and_then(|folder| folder.read_dir().ok()) else {
            return;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_unfinished = name.to_str().is_some_and(|name| {
                let number = name
                    .strip_prefix('_')
                    .and_then(|name| name.rsplit_once(".json#"));
                number.is_some_and(|(_, number)| number.bytes().all(|byte| byte.is_ascii_digit()))
            });
            if is_unfinished && let Err(error) = std::fs::remove_file(entry.path()) {
                tracing::warn!(%error, "a file of a run that was killed can't be removed");
            }
        }
    }

    /// The state of a report with its version, if there is one.
    ///
    /// # Errors
    /// It can't be read, or is one of a later version of this program.
    pub(super) async fn state(
        &self,
        report: &ReportFolder,
    ) -> Result<(Option<State>, Option<UpdateVersion>), TargetError> {
        let Some(found) = self.read(&report.state()).await? else {
            return Ok((None, None));
        };
        let state: State = serde_json::from_slice(&found.bytes).map_err(|error| {
            TargetError::NoTarget(format!(
                "{} can't be read: {error}; remove it to start over",
                report.state()
            ))
        })?;
        if state.version > VERSION {
            return Err(TargetError::NoTarget(format!(
                "{} was written by a later version of this program",
                report.state()
            )));
        }
        Ok((Some(state), Some(found.version)))
    }

    /// Writes the state of a report if it is still the one that was read; `false` if somebody else wrote it meanwhile.
    pub(super) async fn write_state(
        &self,
        report: &ReportFolder,
        state: &State,
        before: Option<&UpdateVersion>,
    ) -> Result<bool, TargetError> {
        let bytes = serde_json::to_vec_pretty(state)?;
        match self
            .exchange(&report.state(), bytes.clone(), before)
            .await?
        {
            Conditional::Written(_) => Ok(true),
            Conditional::Refused => Ok(false),
            // The lock has to do, and in a folder it does: it is one of the operating system.
            Conditional::Unknown => {
                let found = self.read(&report.state()).await?.map(|found| found.version);
                if found.as_ref() != before {
                    return Ok(false);
                }
                self.write(&report.state(), bytes).await?;
                Ok(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lake() -> (tempfile::TempDir, Target) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/lake");
        let target = Target::open(path.to_str().unwrap(), &Environment::new()).unwrap();
        (folder, target)
    }

    #[cfg(feature = "clouds")]
    #[test]
    fn what_is_no_place_for_a_lake_is_told() {
        for (text, words) in [
            ("ftp://host/lake", "s3://"),
            ("s3://", "bucket"),
            ("s3:///lake", "bucket"),
        ] {
            let error = Target::open(text, &Environment::new()).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[tokio::test]
    async fn runs_are_found_with_and_without_manifest_and_can_be_removed() {
        let (_folder, target) = lake();
        let report = target.report("r");
        assert_eq!(target.runs(&report).await.unwrap(), []);
        let name =
            |second: u8| RunName::of_folder(&format!("run=2026-11-27T02-15-0{second}Z")).unwrap();
        let whole = report.run(Table::Instances, &name(1));
        let begun = report.run(Table::FlowNodes, &name(2));
        let part = "part-00000.csv";
        target
            .write(&whole.clone().join(part), b"a".to_vec())
            .await
            .unwrap();
        target
            .write(&whole.clone().join(MANIFEST), b"{}".to_vec())
            .await
            .unwrap();
        target
            .write(&begun.clone().join(part), b"a".to_vec())
            .await
            .unwrap();
        // What a killed process leaves.
        std::fs::write(target.file(&begun).unwrap().join("part-00001.csv#1"), "a").unwrap();
        let found = |table, name, has_manifest| FoundRun {
            table,
            name,
            has_manifest,
        };
        assert_eq!(
            target.runs(&report).await.unwrap(),
            [
                found(Table::Instances, name(1), true),
                found(Table::FlowNodes, name(2), false)
            ]
        );
        target.remove_all(&begun).await.unwrap();
        assert!(!target.file(&begun).unwrap().exists());
        assert_eq!(target.runs(&report).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_state_that_somebody_else_has_written_is_not_replaced() {
        let (_folder, target) = lake();
        let report = target.report("r");
        let state = |id: &str| State {
            version: VERSION,
            report_id: id.to_owned(),
            ..State::default()
        };
        assert_eq!(target.state(&report).await.unwrap(), (None, None));
        assert!(
            target
                .write_state(&report, &state("a"), None)
                .await
                .unwrap()
        );
        assert!(
            !target
                .write_state(&report, &state("b"), None)
                .await
                .unwrap()
        );
        let (read, version) = target.state(&report).await.unwrap();
        assert_eq!(read, Some(state("a")));
        assert!(
            target
                .write_state(&report, &state("longer"), version.as_ref())
                .await
                .unwrap()
        );
        assert!(
            !target
                .write_state(&report, &state("c"), version.as_ref())
                .await
                .unwrap()
        );
        assert_eq!(
            target.state(&report).await.unwrap().0,
            Some(state("longer"))
        );
        // A state of the future, and none at all.
        target
            .write(
                &report.state(),
                br#"{"version":2,"reportId":"r","tables":{}}"#.to_vec(),
            )
            .await
            .unwrap();
        assert!(
            target
                .state(&report)
                .await
                .unwrap_err()
                .to_string()
                .contains("later version")
        );
        target.write(&report.state(), b"[".to_vec()).await.unwrap();
        assert!(
            target
                .state(&report)
                .await
                .unwrap_err()
                .to_string()
                .contains("remove it")
        );
    }

    #[tokio::test]
    async fn ids_stay_within_the_lake() {
        let (folder, target) = lake();
        let report = target.report("../../x");
        target.write(&report.state(), b"{}".to_vec()).await.unwrap();
        let root = folder.path().canonicalize().unwrap().join("new/lake");
        let entries: Vec<_> = root
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!(target.file(report.path()).unwrap(), entries[0]);
    }

    #[tokio::test]
    async fn unfinished_documents_are_removed_and_nothing_else() {
        let (_folder, target) = lake();
        let report = target.report("r");
        target.write(&report.state(), b"{}".to_vec()).await.unwrap();
        let folder = target.file(report.path()).unwrap();
        for name in ["_state.json#1", "_lock.json#12", "_state.json#x", "other#1"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        target.remove_unfinished(report.path());
        let mut left: Vec<_> = folder
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["_state.json", "_state.json#x", "other#1"]);
    }
}
