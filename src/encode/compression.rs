//! Text formats compressed on their way.

use std::io::{self, Write};

use flate2::write::GzEncoder;
use optimize::id_enum;

/// Rows compress to a tenth already at the fastest level, which costs a third of the default one's time.
const GZIP_LEVEL: flate2::Compression = flate2::Compression::fast();
/// Zstandard's fastest level of the usual ones: a window of 512 KiB, so that a stream holds little.
const ZSTD_LEVEL: i32 = 1;

id_enum! {
    /// How an answer or a file is compressed; the id is the content coding (RFC 9110, section 8.4.1, and RFC 8878).
    pub enum Compression {
        /// What everything reads.
        Gzip = "gzip",
        /// Smaller and faster.
        Zstd = "zstd",
    }
}

impl Compression {
    /// What the name of a file ends in, without the dot.
    pub const fn file_extension(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Zstd => "zst",
        }
    }
}

/// Takes plain bytes and appends compressed ones.
///
/// One that is dropped before [`Compressor::finish`] leaves bytes without a trailer, which no reader takes for whole.
pub struct Compressor(Inner);

/// The two libraries. The vector inside is lent for each call: it is empty in between.
enum Inner {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl std::fmt::Debug for Compressor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Inner::Gzip(_) => "Compressor(gzip)",
            Inner::Zstd(_) => "Compressor(zstd)",
        })
    }
}

impl Compressor {
    /// A compressor at the beginning of a stream.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new(compression: Compression) -> io::Result<Self> {
        Ok(Self(match compression {
            Compression::Gzip => Inner::Gzip(GzEncoder::new(Vec::new(), GZIP_LEVEL)),
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                // Gzip has a checksum anyway.
                encoder.include_checksum(true)?;
                Inner::Zstd(encoder)
            }
        }))
    }

    /// Takes plain bytes. What they become may come with a later call.
    ///
    /// # Errors
    /// The library refuses, which it has no reason for.
    pub fn write(&mut self, plain: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        self.with(out, |encoder| encoder.write_all(plain))
    }

    /// Brings out all that was taken so far, so that a reader can decode it.
    ///
    /// # Errors
    /// As [`Compressor::write`].
    pub fn flush(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        self.with(out, |encoder| encoder.flush())
    }

    /// Ends the stream: only now it is whole.
    ///
    /// # Errors
    /// As [`Compressor::write`].
    pub fn finish(self, out: &mut Vec<u8>) -> io::Result<()> {
        let rest = match self.0 {
            Inner::Gzip(encoder) => encoder.finish(),
            Inner::Zstd(encoder) => encoder.finish(),
        }?;
        out.extend_from_slice(&rest);
        Ok(())
    }

    /// Lends `out` to the library for a while.
    fn with(
        &mut self,
        out: &mut Vec<u8>,
        work: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        match &mut self.0 {
            Inner::Gzip(encoder) => {
                std::mem::swap(encoder.get_mut(), out);
                let result = work(encoder);
                std::mem::swap(encoder.get_mut(), out);
                result
            }
            Inner::Zstd(encoder) => {
                std::mem::swap(encoder.get_mut(), out);
                let result = work(encoder);
                std::mem::swap(encoder.get_mut(), out);
                result
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// What can be decoded, and whether that is all.
    fn decode(compression: Compression, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut plain = Vec::new();
        let result = match compression {
            Compression::Gzip => flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain),
            Compression::Zstd => zstd::stream::read::Decoder::new(bytes)
                .unwrap()
                .read_to_end(&mut plain),
        };
        (plain, result.is_ok())
    }

    #[test]
    fn what_was_flushed_can_be_read_and_is_whole_only_at_the_end() {
        for compression in Compression::ALL.iter().copied() {
            let mut compressor = Compressor::new(compression).unwrap();
            let mut out = Vec::new();
            compressor.write(b"first,", &mut out).unwrap();
            compressor.write(b"second,", &mut out).unwrap();
            compressor.flush(&mut out).unwrap();
            assert_eq!(
                decode(compression, &out),
                (b"first,second,".to_vec(), false)
            );
            let mut all = std::mem::take(&mut out);
            compressor.write(b"third", &mut out).unwrap();
            compressor.finish(&mut out).unwrap();
            all.extend_from_slice(&out);
            assert_eq!(
                decode(compression, &all),
                (b"first,second,third".to_vec(), true)
            );
        }
    }

    #[test]
    fn a_compressor_that_is_dropped_leaves_no_trailer() {
        for compression in Compression::ALL.iter().copied() {
            let mut compressor = Compressor::new(compression).unwrap();
            let mut out = Vec::new();
            compressor.write(&vec![b'x'; 100_000], &mut out).unwrap();
            compressor.flush(&mut out).unwrap();
            drop(compressor);
            assert_eq!(decode(compression, &out), (vec![b'x'; 100_000], false));
        }
    }

    #[test]
    fn nothing_is_a_stream_too_and_what_was_there_stays() {
        for compression in Compression::ALL.iter().copied() {
            let mut out = b"before".to_vec();
            Compressor::new(compression)
                .unwrap()
                .finish(&mut out)
                .unwrap();
            let stream = out.strip_prefix(b"before").unwrap();
            assert_eq!(decode(compression, stream), (Vec::new(), true));
        }
    }

    #[test]
    fn rows_become_small() {
        for compression in Compression::ALL.iter().copied() {
            let mut compressor = Compressor::new(compression).unwrap();
            let mut out = Vec::new();
            for row in 0..10_000 {
                let line = format!("invoice,{row},2025-06-15T14:26:40.123+0200,COMPLETED\r\n");
                compressor.write(line.as_bytes(), &mut out).unwrap();
            }
            compressor.finish(&mut out).unwrap();
            assert!(out.len() < 60_000, "{compression}: {}", out.len());
        }
    }
}
