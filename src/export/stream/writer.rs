//! The bytes of a stream on their way to its body.

use crate::encode::compression::{Compression, Compressor};
use crate::export::body::{BodyWriter, CHUNK_BYTES, Delivery, Interrupted};

/// Collects bytes, compresses them where that was asked for, and hands them on.
pub(super) struct StreamWriter {
    body: BodyWriter,
    compressor: Option<Compressor>,
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
    /// Writes to a body.
    ///
    /// # Errors
    /// The compression can't begin.
    pub fn new(body: BodyWriter, compression: Option<Compression>) -> Result<Self, WriteError> {
        Ok(Self {
            body,
            compressor: compression.map(Compressor::new).transpose()?,
            out: Vec::new(),
        })
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
        Ok(self.body.finish(delivery).await?)
    }

    async fn hand_on(&mut self, bytes: Vec<u8>) -> Result<(), WriteError> {
        if bytes.is_empty() {
            return Ok(());
        }
        // What an encoder left large at once is not kept.
        self.out.reserve(bytes.len().min(2 * CHUNK_BYTES));
        Ok(self.body.hand_on(bytes).await?)
    }
}
