//! Answers compressed with gzip, for clients that ask for it.
//!
//! Compression must not hold back what was written: every chunk is flushed, so that a row that has left its page has left
//! the encoder too. A page that breaks has no gzip trailer either, so that a client that only looks at the compressed
//! stream sees the break as well.

use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use flate2::Compression as Level;
use flate2::write::GzEncoder;
use futures_util::Stream;
use warp::http::HeaderMap;
use warp::http::header::ACCEPT_ENCODING;

use crate::encode::compression::Compression;

/// Rows compress to a tenth already at the fastest level, which costs a third of the default one's time.
const LEVEL: Level = Level::fast();
/// An answer that fits into one packet gains nothing.
const MIN_BYTES: usize = 1_024;

/// Whether the client takes gzip (RFC 9110, section 12.5.3); one that says nothing gets plain answers.
pub fn is_accepted(headers: &HeaderMap) -> bool {
    weight_of(headers, &["gzip", "x-gzip"]) > 0.0
}

/// The compression of a whole report that the client likes best: zstd among equals, which compresses better in less time.
pub fn preferred(headers: &HeaderMap) -> Option<Compression> {
    let gzip = weight_of(headers, &["gzip", "x-gzip"]);
    let zstd = weight_of(headers, &["zstd"]);
    if zstd > 0.0 && zstd >= gzip {
        return Some(Compression::Zstd);
    }
    (gzip > 0.0).then_some(Compression::Gzip)
}

/// How much the client wants a coding that has these names; 0 for not at all.
fn weight_of(headers: &HeaderMap, names: &[&str]) -> f32 {
    let codings = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let mut by_wildcard = 0.0;
    for coding in codings {
        let mut parts = coding.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| {
            let (name, weight) = part.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("q")
                .then(|| weight.trim().parse::<f32>().unwrap_or(0.0))
        });
        let weight = weight.unwrap_or(1.0);
        if names.iter().any(|known| name.eq_ignore_ascii_case(known)) {
            return weight;
        }
        if name == "*" {
            by_wildcard = weight;
        }
    }
    by_wildcard
}

/// Compresses a whole answer; `None` if that is not worth it.
pub fn whole(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() < MIN_BYTES {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), LEVEL);
    // Writing into memory can't fail; if it did, the plain answer is as good.
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

/// A stream of chunks, compressed chunk by chunk.
pub struct Gzip<S> {
    chunks: S,
    /// Gone after the last chunk, or after an error.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl<S> Gzip<S> {
    /// Compresses `chunks`.
    pub fn new(chunks: S) -> Self {
        Self {
            chunks,
            encoder: Some(GzEncoder::new(Vec::new(), LEVEL)),
        }
    }
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> Stream for Gzip<S> {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(encoder) = &mut this.encoder else {
            return Poll::Ready(None);
        };
        let compressed = match ready!(Pin::new(&mut this.chunks).poll_next(context)) {
            Some(Ok(chunk)) => encoder
                .write_all(&chunk)
                .and_then(|()| encoder.flush())
                .map(|()| std::mem::take(encoder.get_mut())),
            Some(Err(error)) => {
                this.encoder = None;
                Err(error)
            }
            None => match this.encoder.take() {
                Some(encoder) => encoder.finish(),
                None => return Poll::Ready(None),
            },
        };
        Poll::Ready(Some(compressed.map(Bytes::from)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;
    use futures_util::StreamExt;
    use futures_util::stream;
    use warp::http::HeaderValue;

    use super::*;

    fn accepts(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
        }
        is_accepted(&headers)
    }

    #[test]
    fn only_clients_that_ask_get_gzip() {
        for asks in [
            &["gzip"][..],
            &["br, GZIP;q=0.5"],
            &["br", "x-gzip"],
            &["*"],
            &["gzip ; q = 1"],
        ] {
            assert!(accepts(asks), "{asks:?}");
        }
        for does_not in [
            &[][..],
            &[""],
            &["identity"],
            &["gzip;q=0"],
            &["gzip;q=0, *"],
            &["gzip;q=x"],
            &["*;q=0"],
            &["gzipped"],
        ] {
            assert!(!accepts(does_not), "{does_not:?}");
        }
    }

    #[test]
    fn a_whole_report_is_compressed_as_its_client_likes_best() {
        let preferred = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_str(value).unwrap());
            preferred(&headers)
        };
        for value in [
            "gzip, zstd",
            "*",
            "zstd;q=0.5, gzip;q=0.5",
            "gzip;q=0.1, zstd;q=0.2",
        ] {
            assert_eq!(preferred(value), Some(Compression::Zstd), "{value}");
        }
        for value in ["gzip, deflate, br", "zstd;q=0.1, gzip", "zstd;q=0, *"] {
            assert_eq!(preferred(value), Some(Compression::Gzip), "{value}");
        }
        for value in ["", "identity", "br", "*;q=0", "zstd;q=0, gzip;q=0"] {
            assert_eq!(preferred(value), None, "{value}");
        }
    }

    #[tokio::test]
    async fn each_chunk_can_be_read_at_once() {
        let text = ["{\"data\":[", "1,2,3", "]}"];
        let chunks = stream::iter(text.map(|chunk| Ok(Bytes::from(chunk))));
        let mut gzip = Gzip::new(chunks);
        let mut compressed = Vec::new();
        for end in 1..=text.len() {
            compressed.extend_from_slice(&gzip.next().await.unwrap().unwrap());
            let mut read = String::new();
            // Without its trailer the stream ends in an error, after all that was flushed.
            let _ = GzDecoder::new(compressed.as_slice()).read_to_string(&mut read);
            assert_eq!(read, text[..end].concat());
        }
        compressed.extend_from_slice(&gzip.next().await.unwrap().unwrap());
        assert!(gzip.next().await.is_none());
        let mut read = String::new();
        GzDecoder::new(compressed.as_slice())
            .read_to_string(&mut read)
            .unwrap();
        assert_eq!(read, text.concat());
    }

    #[tokio::test]
    async fn a_broken_page_has_no_trailer() {
        let chunks = stream::iter([Ok(Bytes::from("[1")), Err(io::Error::other("broken"))]);
        let parts: Vec<_> = Gzip::new(chunks).collect().await;
        assert!(matches!(parts.as_slice(), [Ok(_), Err(_)]));
    }

    #[test]
    fn a_whole_answer_is_compressed_if_it_is_worth_it() {
        assert_eq!(whole(b"{}"), None);
        let body = vec![b'x'; 10_000];
        let compressed = whole(&body).unwrap();
        assert!(compressed.len() < 200);
        let mut read = Vec::new();
        GzDecoder::new(compressed.as_slice())
            .read_to_end(&mut read)
            .unwrap();
        assert_eq!(read, body);
    }
}
