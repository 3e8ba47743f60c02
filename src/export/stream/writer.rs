//! The bytes of a stream on their way to its body, which is one file or several.

use crate::encode::compression::{Compression, Compressor};
use crate::export::body::{BodyWriter, CHUNK_BYTES, Delivery, Interrupted};

/// The share of a file's size that has to be free for the rows of one more instance. One that takes more makes its file too
/// large: its rows are never torn apart.
const ROOM_FOR_ONE: u64 = 16;

/// How large files may be, and what the one has that is written.
struct Files {
    max_bytes: u64,
    bytes: u64,
    rows: u64,
}

/// Collects bytes, compresses them where that was asked for, and hands them on.
pub(super) struct StreamWriter {
    body: BodyWriter,
    compressor: Option<Compressor>,
    /// Where it goes into several files.
    files: Option<Files>,
    /// What an encoder has written and nobody has handed on.
    pub out: Vec<u8>,
}

/// Why bytes were not handed on.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// Nobody reads.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// They can't be compressed.
    #[error("the body can't be compressed: {0}")]
    Compression(#[from] std::io::Error),
}

impl StreamWriter {
    /// Writes to a body, in files of at most so many bytes where that is asked for.
    ///
    /// # Errors
    /// The compression can't begin.
    pub fn new(
        body: BodyWriter,
        compression: Option<Compression>,
        max_file_bytes: Option<u64>,
    ) -> Result<Self, WriteError> {
        Ok(Self {
            body,
            files: max_file_bytes.map(|max_bytes| Files {
                max_bytes,
                bytes: 0,
                rows: 0,
            }),
            compressor: compression.map(Compressor::new).transpose()?,
            out: Vec::new(),
        })
    }

    /// Whether the next rows belong into a file of their own; `held` is what the encoder would still write into this one.
    pub fn is_file_full(&self, held: impl FnOnce() -> usize) -> bool {
        self.files.as_ref().is_some_and(|files| {
            let waiting = self.out.len().saturating_add(held()) as u64;
            let room = files.max_bytes / ROOM_FOR_ONE;
            files.rows > 0 && files.bytes + waiting + room > files.max_bytes
        })
    }

    /// Counts rows of the file that is written.
    pub fn add_rows(&mut self, rows: u64) {
        if let Some(files) = &mut self.files {
            files.rows += rows;
        }
    }

    /// Ends a file, if there are any.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn end_file(&mut self) -> Result<(), WriteError> {
        self.flush().await?;
        if let Some(files) = &mut self.files {
            let rows = std::mem::take(&mut files.rows);
            files.bytes = 0;
            self.body.end_file(rows).await?;
        }
        Ok(())
    }

    /// Hands on what there is, if it is worth it.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn flush_if_large(&mut self) -> Result<(), WriteError> {
        if self.out.len() < CHUNK_BYTES {
            return Ok(());
        }
        let bytes = match &mut self.compressor {
            None => std::mem::take(&mut self.out),
            Some(compressor) => {
                let mut compressed = Vec::new();
                compressor.write(&self.out, &mut compressed)?;
                self.out.clear();
                compressed
            }
        };
        self.hand_on(bytes).await
    }

    /// Hands on everything, so that its reader can read all of it.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn flush(&mut self) -> Result<(), WriteError> {
        let bytes = match &mut self.compressor {
            None => std::mem::take(&mut self.out),
            Some(compressor) => {
                let mut compressed = Vec::new();
                compressor.write(&self.out, &mut compressed)?;
                compressor.flush(&mut compressed)?;
                self.out.clear();
                compressed
            }
        };
        self.hand_on(bytes).await
    }

    /// Ends the body properly, and waits until its reader has it; gives back how many bytes it has.
    ///
    /// # Errors
    /// See [`WriteError`].
    pub async fn finish(mut self, delivery: Delivery) -> Result<u64, WriteError> {
        if let Some(mut compressor) = self.compressor.take() {
            let mut compressed = Vec::new();
            compressor.write(&self.out, &mut compressed)?;
            compressor.finish(&mut compressed)?;
            self.out = compressed;
        }
        let bytes = std::mem::take(&mut self.out);
        self.hand_on(bytes).await?;
        if self.files.is_some() {
            self.end_file().await?;
        }
        Ok(self.body.finish(delivery).await?)
    }

    async fn hand_on(&mut self, bytes: Vec<u8>) -> Result<(), WriteError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if let Some(files) = &mut self.files {
            files.bytes += bytes.len() as u64;
        }
        // What an encoder left large at once is not kept.
        self.out.reserve(bytes.len().min(2 * CHUNK_BYTES));
        Ok(self.body.hand_on(bytes).await?)
    }
}
