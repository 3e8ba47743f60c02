//! The rows of a run on their way into its files.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload, WriteMultipart};
use sha2::{Digest, Sha256};

use super::layout::{FileEntry, part_name};
use super::target::{Target, TargetError};

/// Bytes that are sent at once. S3 wants 5 MiB at least, and takes 10,000 of them.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Parts of a file that are under way at the same time.
const PARTS_AT_ONCE: usize = 2;

/// The files of a run.
pub(super) struct Files<'t> {
    target: &'t Target,
    folder: Path,
    extension: &'static str,
    written: Vec<FileEntry>,
    /// The file that is written.
    digest: Sha256,
    bytes: u64,
    upload: Upload,
}

/// Where the bytes of a file are.
enum Upload {
    /// Here: it is not worth more than one request yet.
    Small(Vec<Bytes>),
    /// On their way.
    Large(WriteMultipart),
}

impl<'t> Files<'t> {
    /// The files of the run in this folder.
    pub fn new(target: &'t Target, folder: Path, extension: &'static str) -> Self {
        Self {
            target,
            folder,
            extension,
            written: Vec::new(),
            digest: Sha256::new(),
            bytes: 0,
            upload: Upload::Small(Vec::new()),
        }
    }

    fn name(&self) -> String {
        part_name(self.written.len(), self.extension)
    }

    /// Adds bytes to the file that is written.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), TargetError> {
        self.digest.update(&bytes);
        self.bytes += bytes.len() as u64;
        match &mut self.upload {
            Upload::Small(waiting) => {
                waiting.push(bytes);
                if self.bytes >= PART_BYTES as u64 {
                    let waiting = std::mem::take(waiting);
                    let path = self.folder.clone().join(self.name());
                    let upload = self.target.store.put_multipart(&path).await?;
                    let mut upload = WriteMultipart::new_with_chunk_size(upload, PART_BYTES);
                    waiting.into_iter().for_each(|bytes| upload.put(bytes));
                    self.upload = Upload::Large(upload);
                }
            }
            Upload::Large(upload) => {
                upload.wait_for_capacity(PARTS_AT_ONCE).await?;
                upload.put(bytes);
            }
        }
        Ok(())
    }

    /// Ends the file that is written, which has so many rows. One without rows is kept only where it is asked for.
    pub async fn end_file(&mut self, rows: u64, keeps_empty: bool) -> Result<(), TargetError> {
        let name = self.name();
        let digest = std::mem::take(&mut self.digest).finalize();
        let bytes = std::mem::take(&mut self.bytes);
        match std::mem::replace(&mut self.upload, Upload::Small(Vec::new())) {
            Upload::Small(_) if rows == 0 && !keeps_empty => return Ok(()),
            Upload::Small(waiting) => {
                let path = self.folder.clone().join(name.as_str());
                let payload: PutPayload = waiting.into_iter().collect();
                self.target.store.put(&path, payload).await?;
            }
            Upload::Large(upload) => {
                upload.finish().await?;
            }
        }
        self.written.push(FileEntry {
            path: name,
            rows,
            bytes,
            sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        });
        Ok(())
    }

    /// The files that were written.
    pub fn into_written(self) -> Vec<FileEntry> {
        self.written
    }

    /// Takes back what is under way, and removes what was written.
    pub async fn give_up(self) {
        if let Upload::Large(upload) = self.upload
            && let Err(error) = upload.abort().await
        {
            tracing::warn!(%error, "an upload can't be taken back");
        }
        self.target.give_up(&self.folder).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_and_large_files_arrive_with_their_digests() {
        let target = Target::in_memory();
        let folder = Path::from("lake/r/instances/run=x");
        let mut files = Files::new(&target, folder.clone(), "csv");
        files.write(Bytes::from_static(b"ab")).await.unwrap();
        files.write(Bytes::from_static(b"c")).await.unwrap();
        files.end_file(3, false).await.unwrap();
        let large = Bytes::from(vec![b'x'; 3 * 1024 * 1024]);
        for _ in 0..7 {
            files.write(large.clone()).await.unwrap();
        }
        files.end_file(9, false).await.unwrap();
        files.end_file(0, false).await.unwrap();
        let written = files.into_written();
        // `printf abc | sha256sum`
        assert_eq!(
            written[0],
            FileEntry {
                path: "part-00000.csv".to_owned(),
                rows: 3,
                bytes: 3,
                sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
                    .to_owned(),
            }
        );
        assert_eq!(
            (written.len(), written[1].bytes, written[1].rows),
            (2, 22_020_096, 9)
        );
        for entry in written {
            let stored = target
                .read(&folder.clone().join(entry.path))
                .await
                .unwrap()
                .unwrap();
            assert_eq!(stored.bytes.len() as u64, entry.bytes);
            let digest = Sha256::digest(&stored.bytes);
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digest, entry.sha256);
        }
    }

    #[tokio::test]
    async fn a_file_without_rows_is_kept_where_it_is_wanted() {
        let target = Target::in_memory();
        let folder = Path::from("lake/r/instances/run=x");
        let mut files = Files::new(&target, folder, "csv");
        files.write(Bytes::from_static(b"a,b\r\n")).await.unwrap();
        files.end_file(0, true).await.unwrap();
        assert_eq!(files.into_written().len(), 1);
    }

    #[tokio::test]
    async fn what_is_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = Target::open(
            folder.path().to_str().unwrap(),
            &crate::config::Environment::new(),
        )
        .unwrap();
        let run = Path::from("r/instances/run=x");
        let mut files = Files::new(&target, run.clone(), "csv");
        files.write(Bytes::from_static(b"a")).await.unwrap();
        files.end_file(1, false).await.unwrap();
        files
            .write(Bytes::from(vec![0; PART_BYTES + 1]))
            .await
            .unwrap();
        assert!(target.file(&run).unwrap().exists());
        files.give_up().await;
        assert!(!target.file(&run).unwrap().exists());
    }
}
