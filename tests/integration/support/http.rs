//! A small HTTP client that shows what a library would hide: the order and the end of a body, and answers to requests
//! that no library would send.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body ended as its headers promised.
    pub is_complete: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        assert!(self.is_complete, "the body was cut off: {self:?}");
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// The body of an export that must have worked.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// Status and body of an error, which must have the form of one.
    #[track_caller]
    pub fn error(&self) -> (u16, String, String) {
        let body = self.json();
        let members: Vec<&str> = body
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(members.len(), 4, "{body}");
        assert!(
            body["reportDefinition"].is_null()
                && !body["errorMessage"].as_str().unwrap().is_empty(),
            "{body}"
        );
        assert!(self.header("x-request-id").is_some(), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (self.status, text("errorCode"), text("detailedMessage"))
    }
}

/// Sends a request whose head is given word for word, without its last empty line.
pub fn send(address: SocketAddr, head: &[u8]) -> Answer {
    let mut stream = connect(address);
    stream.write_all(head).unwrap();
    stream.write_all(b"\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    // A reset is what a broken body looks like too.
    let _ = stream.read_to_end(&mut bytes);
    parse(&bytes)
}

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(120)))
        .unwrap();
    stream
}

pub fn parse(bytes: &[u8]) -> Answer {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).unwrap() else {
        panic!("no complete head: {:?}", String::from_utf8_lossy(bytes));
    };
    let status = response.code.unwrap();
    let headers: Vec<(String, String)> = response
        .headers
        .iter()
        .map(|header| {
            (
                header.name.to_owned(),
                String::from_utf8_lossy(header.value).into_owned(),
            )
        })
        .collect();
    let value = |name: &str| {
        headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
    };
    let rest = &bytes[head..];
    let (body, is_complete) = if value("transfer-encoding").as_deref() == Some("chunked") {
        unchunk(rest)
    } else {
        let expected: usize = value("content-length").map_or(0, |length| length.parse().unwrap());
        (rest.to_vec(), rest.len() >= expected)
    };
    Answer {
        status,
        headers,
        body,
        is_complete,
    }
}

/// The body, and whether its last chunk arrived.
fn unchunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(bytes) {
        let end = start + usize::try_from(size).unwrap();
        if size == 0 {
            return (body, true);
        }
        body.extend_from_slice(&bytes[start..end.min(bytes.len())]);
        if bytes.len() < end + 2 {
            break;
        }
        bytes = &bytes[end + 2..];
    }
    (body, false)
}
