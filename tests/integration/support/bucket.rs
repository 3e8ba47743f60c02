//! An S3 on loopback, as far as a lake needs one: objects with conditional writes, uploads in parts, lists. It keeps everything
//! in memory and checks no signature. With `S3_ENDPOINT` in the environment another one is asked, which has to let everybody in.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

static NEXT_BUCKET: AtomicU32 = AtomicU32::new(0);
static NEXT_NUMBER: AtomicU32 = AtomicU32::new(0);

/// A bucket of its own.
pub struct Bucket {
    pub endpoint: String,
    pub name: String,
}

#[derive(Default)]
struct Stored {
    objects: BTreeMap<String, (String, Vec<u8>)>,
    uploads: BTreeMap<String, BTreeMap<u32, Vec<u8>>>,
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: &'static str,
    tag: Option<String>,
    body: Vec<u8>,
    /// Of the object; a HEAD tells it without the body.
    length: usize,
}

impl Bucket {
    pub fn create() -> Self {
        let number = NEXT_BUCKET.fetch_add(1, Ordering::Relaxed);
        let name = format!("lake-{}-{number}", std::process::id());
        let endpoint = std::env::var("S3_ENDPOINT").unwrap_or_else(|_| start());
        let bucket = Self { endpoint, name };
        if std::env::var("S3_ENDPOINT").is_ok() {
            bucket.send("PUT", "", "");
        }
        bucket
    }

    /// What the cloud's own tools read.
    pub fn environment(&self) -> [(&'static str, &str); 5] {
        [
            ("AWS_ENDPOINT", &self.endpoint),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]
    }

    pub fn url(&self) -> String {
        format!("s3://{}/lake", self.name)
    }

    /// The names of all objects, from `lake/` on.
    pub fn names(&self) -> Vec<String> {
        let listed = self.send("GET", "", "list-type=2&prefix=lake%2F&max-keys=1000");
        let listed = String::from_utf8(listed).unwrap();
        let keys = listed.split("<Key>").skip(1);
        keys.map(|rest| rest.split("</Key>").next().unwrap())
            .map(|key| key.strip_prefix("lake/").unwrap().to_owned())
            .collect()
    }

    pub fn object(&self, name: &str) -> Vec<u8> {
        self.send("GET", &format!("/lake/{name}"), "")
    }

    fn send(&self, method: &str, path: &str, query: &str) -> Vec<u8> {
        let address = self.endpoint.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        let path = path.replace('=', "%3D");
        // moto tells S3 from the other services by the credential.
        let head = format!(
            "{method} /{}{path}?{query} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x\r\n\r\n",
            self.name
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let answer = super::http::parse(&bytes);
        assert_eq!(answer.status, 200, "{method} {path}");
        answer.body
    }
}

fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let stored = Arc::new(Mutex::new(Stored::default()));
    thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(client) = client else { return };
            let stored = Arc::clone(&stored);
            thread::spawn(move || serve(client, &stored));
        }
    });
    endpoint
}

/// One request after the other, until the client goes.
fn serve(client: TcpStream, stored: &Mutex<Stored>) {
    let mut writer = client.try_clone().unwrap();
    let mut reader = BufReader::new(client);
    while let Some(request) = read(&mut reader) {
        let answer = answer(&request, &mut stored.lock().unwrap());
        let tag = answer
            .tag
            .map_or_else(String::new, |tag| format!("ETag: {tag}\r\n"));
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Length: {}\r\nLast-Modified: Fri, 27 Nov 2026 02:15:00 GMT\r\n{tag}\r\n",
            answer.status, answer.length
        );
        let body = if request.method == "HEAD" {
            Vec::new()
        } else {
            answer.body
        };
        let is_last = request
            .headers
            .get("connection")
            .is_some_and(|value| value == "close");
        if writer
            .write_all(&[head.into_bytes(), body].concat())
            .is_err()
            || is_last
        {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let line = |reader: &mut BufReader<TcpStream>| {
        let mut line = String::new();
        let read = reader.read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    };
    let first = line(reader)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let header = line(reader)?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let plain = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    Some(Request {
        method,
        // Without the bucket.
        path: plain(
            path.trim_start_matches('/')
                .split_once('/')
                .map_or("", |(_, key)| key),
        ),
        query: query
            .map(|(name, value)| (plain(name), plain(value)))
            .collect(),
        headers,
        body,
    })
}

fn answer(request: &Request, stored: &mut Stored) -> Answer {
    let plain = |status, body: String| Answer {
        status,
        tag: None,
        length: body.len(),
        body: body.into_bytes(),
    };
    let new_tag = || format!("\"{}\"", NEXT_NUMBER.fetch_add(1, Ordering::Relaxed));
    let key = request.path.clone();
    let has = |name: &str| request.query.contains_key(name);
    match request.method.as_str() {
        "GET" if has("list-type") => plain("200 OK", list(request, stored)),
        "GET" | "HEAD" => match stored.objects.get(&key) {
            Some((tag, body)) => Answer {
                status: "200 OK",
                tag: Some(tag.clone()),
                length: body.len(),
                body: body.clone(),
            },
            None => plain("404 Not Found", String::new()),
        },
        "PUT" if has("partNumber") => {
            let number = request.query["partNumber"].parse().unwrap();
            let upload = stored.uploads.get_mut(&request.query["uploadId"]).unwrap();
            upload.insert(number, request.body.clone());
            Answer {
                tag: Some(new_tag()),
                ..plain("200 OK", String::new())
            }
        }
        "PUT" => {
            let found = stored.objects.get(&key);
            let is_refused = match (
                request.headers.get("if-none-match"),
                request.headers.get("if-match"),
            ) {
                (Some(_), _) => found.is_some(),
                (None, Some(wanted)) => found.is_none_or(|(tag, _)| tag != wanted),
                (None, None) => false,
            };
            if is_refused {
                return plain("412 Precondition Failed", String::new());
            }
            let tag = new_tag();
            stored
                .objects
                .insert(key, (tag.clone(), request.body.clone()));
            Answer {
                tag: Some(tag),
                ..plain("200 OK", String::new())
            }
        }
        "POST" if has("uploads") => {
            let id = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed).to_string();
            stored.uploads.insert(id.clone(), BTreeMap::new());
            plain(
                "200 OK",
                format!(
                    "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
                ),
            )
        }
        "POST" if has("uploadId") => {
            let parts = stored.uploads.remove(&request.query["uploadId"]).unwrap();
            let body: Vec<u8> = parts.into_values().flatten().collect();
            let tag = new_tag();
            stored.objects.insert(key, (tag.clone(), body));
            plain(
                "200 OK",
                format!(
                    "<CompleteMultipartUploadResult><ETag>{tag}</ETag></CompleteMultipartUploadResult>"
                ),
            )
        }
        "POST" if has("delete") => {
            let body = String::from_utf8(request.body.clone()).unwrap();
            let mut deleted = String::new();
            for rest in body.split("<Key>").skip(1) {
                let key = rest.split("</Key>").next().unwrap();
                stored.objects.remove(key);
                deleted.push_str(&format!("<Deleted><Key>{key}</Key></Deleted>"));
            }
            plain("200 OK", format!("<DeleteResult>{deleted}</DeleteResult>"))
        }
        "DELETE" => {
            stored.objects.remove(&key);
            request
                .query
                .get("uploadId")
                .map(|id| stored.uploads.remove(id));
            plain("204 No Content", String::new())
        }
        other => panic!("{other} {key} {:?}", request.query),
    }
}

fn list(request: &Request, stored: &Stored) -> String {
    let of_query = |name: &str| request.query.get(name).map_or("", String::as_str);
    let (prefix, delimiter) = (of_query("prefix"), of_query("delimiter"));
    let mut contents = String::new();
    let mut prefixes = Vec::new();
    for (key, (tag, body)) in stored.objects.range(prefix.to_owned()..) {
        let Some(rest) = key.strip_prefix(prefix) else {
            break;
        };
        match rest.split_once('/').filter(|_| !delimiter.is_empty()) {
            Some((folder, _)) => prefixes.push(format!("{prefix}{folder}/")),
            None => contents.push_str(&format!(
                "<Contents><Key>{key}</Key><Size>{}</Size><LastModified>2026-11-27T02:15:00.000Z</LastModified><ETag>{tag}</ETag></Contents>",
                body.len()
            )),
        }
    }
    prefixes.dedup();
    let prefixes: String = prefixes
        .iter()
        .map(|prefix| format!("<CommonPrefixes><Prefix>{prefix}</Prefix></CommonPrefixes>"))
        .collect();
    format!(
        "<ListBucketResult><IsTruncated>false</IsTruncated>{contents}{prefixes}</ListBucketResult>"
    )
}
