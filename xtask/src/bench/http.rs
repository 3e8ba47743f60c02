//! The least that an HTTP client can do: one connection, and bodies that are thrown away.
//!
//! A benchmark shares the machine with what it measures. A client for every case costs more processor time per megabyte
//! than the service itself.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// How much of a body's beginning is kept, to find ids and totals in. A scroll id over one shard has some hundred bytes.
const HEAD_BYTES: usize = 4 * 1024;
/// How much of a body's end is kept, to find the number of records in.
const TAIL_BYTES: usize = 256;
/// The header that has the number of records of a whole report.
const TOTAL_RECORDS: &str = "optimize-export-total-records";
/// How much is read at once.
const BUFFER_BYTES: usize = 256 * 1024;
/// A server that says nothing for so long is broken.
const SILENCE_LIMIT: Duration = Duration::from_secs(120);

/// An answer of which only the beginning and the end of the body were kept.
pub(super) struct Answer {
    /// The beginning.
    pub head: String,
    /// The end.
    pub tail: String,
    /// The length of the body, without its framing.
    pub bytes: u64,
    /// From the request to the first byte of the body.
    pub first_byte: Duration,
    /// How many records it has, where its head says so.
    pub total_records: Option<u64>,
}

/// One connection, made with the first request.
pub(super) struct Connection {
    authority: String,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
    /// What of the buffer is read and not yet used.
    unused: std::ops::Range<usize>,
}

impl Connection {
    /// A connection to the server at `url`, which has a host and a port and nothing else.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let authority = url
            .strip_prefix("http://")
            .map(|rest| rest.trim_end_matches('/'))
            .filter(|rest| !rest.contains(['/', '@']) && rest.contains(':'))
            .context("the benchmark reads from http://HOST:PORT only, without TLS and password")?;
        Ok(Self {
            authority: authority.to_owned(),
            stream: None,
            buffer: vec![0; BUFFER_BYTES],
            unused: 0..0,
        })
    }

    /// Sends a request and reads the whole answer; any status but success is an error.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        header: &str,
        body: &str,
    ) -> anyhow::Result<Answer> {
        let authority = &self.authority;
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {authority}\r\n{header}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(authority)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(SILENCE_LIMIT))?;
                stream
            }
        };
        let began = Instant::now();
        stream.write_all(request.as_bytes())?;
        self.stream = Some(stream);
        self.answer(began)
    }

    fn answer(&mut self, began: Instant) -> anyhow::Result<Answer> {
        let status = self.line()?;
        let (mut length, mut is_chunked, mut total_records) = (0, false, None);
        loop {
            let line = self.line()?.to_ascii_lowercase();
            match line
                .split_once(':')
                .map(|(name, value)| (name, value.trim()))
            {
                Some(("content-length", value)) => length = value.parse()?,
                Some(("transfer-encoding", value)) => is_chunked = value == "chunked",
                Some((TOTAL_RECORDS, value)) => total_records = Some(value.parse()?),
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        let mut body = Body::default();
        if is_chunked {
            loop {
                let line = self.line()?;
                let size = line.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(size, 16)
                    .with_context(|| format!("{line:?} is no size of a chunk"))?;
                self.body(size, &mut body, began)?;
                let end = self.line()?;
                ensure!(end.is_empty(), "a chunk ends with {end:?}");
                if size == 0 {
                    break;
                }
            }
        } else {
            self.body(length, &mut body, began)?;
        }
        let answer = body.answer(total_records);
        if !status.starts_with("HTTP/1.1 2") {
            bail!("{status}: {}", answer.head);
        }
        Ok(answer)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = Vec::new();
        loop {
            let unused = self.buffer.get(self.unused.clone()).unwrap_or_default();
            if let Some(end) = unused.iter().position(|byte| *byte == b'\n') {
                line.extend_from_slice(unused.get(..end).unwrap_or_default());
                self.unused.start += end + 1;
                let line = line.strip_suffix(b"\r").unwrap_or(&line);
                return Ok(String::from_utf8_lossy(line).into_owned());
            }
            line.extend_from_slice(unused);
            self.fill()?;
        }
    }

    fn body(&mut self, mut left: usize, body: &mut Body, began: Instant) -> anyhow::Result<()> {
        while left > 0 {
            if self.unused.is_empty() {
                self.fill()?;
            }
            body.first_byte.get_or_insert_with(|| began.elapsed());
            let size = left.min(self.unused.len());
            let range = self.unused.start..self.unused.start + size;
            body.take(self.buffer.get(range).unwrap_or_default());
            self.unused.start += size;
            left -= size;
        }
        Ok(())
    }

    /// Reads more; only called when everything read before is used.
    fn fill(&mut self) -> anyhow::Result<()> {
        let stream = self.stream.as_mut().context("there is no connection")?;
        let read = stream.read(&mut self.buffer)?;
        ensure!(read > 0, "the answer was cut off");
        self.unused = 0..read;
        Ok(())
    }
}

#[derive(Default)]
struct Body {
    head: Vec<u8>,
    tail: Vec<u8>,
    bytes: u64,
    first_byte: Option<Duration>,
}

impl Body {
    fn take(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        let wanted = HEAD_BYTES.saturating_sub(self.head.len()).min(piece.len());
        self.head
            .extend_from_slice(piece.get(..wanted).unwrap_or_default());
        let end = piece.len().saturating_sub(TAIL_BYTES);
        self.tail
            .extend_from_slice(piece.get(end..).unwrap_or_default());
        self.tail
            .drain(..self.tail.len().saturating_sub(TAIL_BYTES));
    }

    fn answer(self, total_records: Option<u64>) -> Answer {
        Answer {
            head: String::from_utf8_lossy(&self.head).into_owned(),
            tail: String::from_utf8_lossy(&self.tail).into_owned(),
            bytes: self.bytes,
            first_byte: self.first_byte.unwrap_or_default(),
            total_records,
        }
    }
}
