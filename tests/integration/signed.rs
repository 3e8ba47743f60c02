//! Requests signed for Amazon OpenSearch Service, towards a stand-in that checks every signature by the letter of AWS's
//! documents before it passes the request on to the real server.
#![cfg(feature = "aws")]

use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::support::documents::{instances, raw_report, report};
use crate::support::{Optimize, Service};

const REGION: &str = "eu-central-1";
/// In front of every path: with a blank and a letter beyond ASCII.
const PREFIX: &str = "/a%20prefix/%C3%BC";

/// A request as it came over the wire.
struct Request {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &mut TcpStream) -> Option<Self> {
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let mut first = lines.next()?.split(' ');
        let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        let length = headers.get("content-length").map_or("0", String::as_str);
        let mut body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).ok()?;
        Some(Self {
            method,
            target,
            headers,
            body,
        })
    }

    fn header(&self, name: &str) -> Result<&str, String> {
        let value = self.headers.get(name).map(String::as_str);
        value.ok_or_else(|| format!("no {name}"))
    }
}

/// `UriEncode` of AWS's documents.
fn encode(bytes: &[u8], keep_slash: bool) -> String {
    let one = |byte: &u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(*byte).to_string()
        }
        b'/' if keep_slash => "/".to_owned(),
        _ => format!("%{byte:02X}"),
    };
    bytes.iter().map(one).collect()
}

fn decode(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(text).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// A key that the stand-in knows.
#[derive(Clone)]
struct Key {
    secret: String,
    token: Option<String>,
    /// Seconds since 1970.
    expires: Option<i64>,
}

/// Why a signature is not the right one ("Create a signed AWS API request" in the IAM User Guide).
fn check(request: &Request, keys: &HashMap<String, Key>) -> Result<(), String> {
    let authorization = request.header("authorization")?;
    let parts = authorization
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or("no signature of version 4")?;
    let parts: HashMap<&str, &str> = parts
        .split(", ")
        .filter_map(|part| part.split_once('='))
        .collect();
    let (id, scope) = parts["Credential"].split_once('/').ok_or("no scope")?;
    let key = keys.get(id).ok_or("unknown key")?;
    let now = Timestamp::now();
    if key
        .expires
        .is_some_and(|expires| expires <= now.as_second())
    {
        return Err("the security token has expired".to_owned());
    }
    if request.headers.get("x-amz-security-token") != key.token.as_ref() {
        return Err("another session token".to_owned());
    }
    let date = request.header("x-amz-date")?;
    let signed_at = jiff::fmt::strtime::parse("%Y%m%dT%H%M%SZ", date)
        .and_then(|time| time.to_datetime())
        .and_then(|time| jiff::tz::TimeZone::UTC.to_timestamp(time))
        .map_err(|error| error.to_string())?;
    if (now.as_second() - signed_at.as_second()).abs() > 300 {
        return Err("signed at another time".to_owned());
    }
    let day = date.split('T').next().unwrap();
    if scope != format!("{day}/{REGION}/es/aws4_request") {
        return Err(format!("another scope, {scope}"));
    }
    let signed: Vec<&str> = parts["SignedHeaders"].split(';').collect();
    let mut needed = vec!["host", "x-amz-date"];
    needed.extend(key.token.as_ref().map(|_| "x-amz-security-token"));
    if let Some(missing) = needed.iter().find(|name| !signed.contains(name)) {
        return Err(format!("{missing} is not signed"));
    }
    let mut headers = String::new();
    for name in &signed {
        headers += &format!("{name}:{}\n", request.header(name)?);
    }
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((request.target.as_str(), ""));
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            assert!(!pair.contains('+'), "a blank that is not one: {pair}");
            let encoded = |text: &str| encode(&decode(text), false);
            format!("{}={}", encoded(name), encoded(value))
        })
        .collect();
    pairs.sort();
    let canonical = format!(
        "{}\n{}\n{}\n{headers}\n{}\n{}",
        request.method,
        // The path as it was sent, encoded once more.
        encode(path.as_bytes(), true),
        pairs.join("&"),
        parts["SignedHeaders"],
        hex(&Sha256::digest(&request.body)),
    );
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
        hex(&Sha256::digest(canonical.as_bytes()))
    );
    let key = [day, REGION, "es", "aws4_request"]
        .iter()
        .fold(format!("AWS4{}", key.secret).into_bytes(), |key, part| {
            keyed(&key, part)
        });
    if hex(&keyed(&key, &to_sign)) == parts["Signature"] {
        Ok(())
    } else {
        Err(format!("another signature of\n{canonical}"))
    }
}

/// A domain of Amazon's, with the places that give credentials for it.
struct Amazon {
    address: SocketAddr,
    keys: Arc<Mutex<HashMap<String, Key>>>,
    accepted: Arc<AtomicU32>,
    refused: Arc<Mutex<Vec<String>>>,
    /// How often credentials were asked for.
    given: Arc<AtomicU32>,
}

impl Amazon {
    /// In front of `elasticsearch`. Credentials that it gives last for so many seconds.
    fn start(elasticsearch: &str, life: i64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let amazon = Self {
            address: listener.local_addr().unwrap(),
            keys: Arc::default(),
            accepted: Arc::default(),
            refused: Arc::default(),
            given: Arc::default(),
        };
        let (keys, accepted, refused, given) = (
            Arc::clone(&amazon.keys),
            Arc::clone(&amazon.accepted),
            Arc::clone(&amazon.refused),
            Arc::clone(&amazon.given),
        );
        let behind = elasticsearch
            .strip_prefix("http://")
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        let answer_to = move |request: Request, stream: &mut TcpStream| {
            let mut say = |answer: String| drop(stream.write_all(answer.as_bytes()));
            if request.target == "/credentials" || request.target == "/" {
                let number = given.fetch_add(1, Ordering::Relaxed);
                return say(give(&request, number, life, &keys));
            }
            let known = keys.lock().unwrap().clone();
            if let Err(why) = check(&request, &known) {
                refused.lock().unwrap().push(why);
                let body = r#"{"message":"The request signature we calculated does not match"}"#;
                return say(answer("403 Forbidden", "application/json", body));
            }
            accepted.fetch_add(1, Ordering::Relaxed);
            pass(&request, &behind, stream);
        };
        let answer_to = Arc::new(answer_to);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, answer_to) = (stream.unwrap(), Arc::clone(&answer_to));
                // A client may open connections that it does not use.
                thread::spawn(move || {
                    if let Some(request) = Request::read(&mut stream) {
                        answer_to(request, &mut stream);
                    }
                });
            }
        });
        amazon
    }

    fn knows(&self, id: &str, secret: &str, token: Option<&str>) {
        let key = Key {
            secret: secret.to_owned(),
            token: token.map(str::to_owned),
            expires: None,
        };
        self.keys.lock().unwrap().insert(id.to_owned(), key);
    }

    fn serve(&self, optimize: &Optimize, environment: &[(&str, &str)]) -> Service {
        let url = format!("http://{}{PREFIX}", self.address);
        let flags = ["--elasticsearch-aws-signing"];
        Service::start(&url, &optimize.prefix, &flags, environment)
    }

    #[track_caller]
    fn assert_all_accepted(&self) {
        assert_eq!(*self.refused.lock().unwrap(), [""; 0]);
        assert!(self.accepted.load(Ordering::Relaxed) > 0);
    }
}

fn answer(status: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

/// Credentials for whoever proves to be a container, or the service account of one.
fn give(request: &Request, number: u32, life: i64, keys: &Mutex<HashMap<String, Key>>) -> String {
    let body = String::from_utf8_lossy(&request.body).into_owned();
    let is_container = request.method == "GET"
        && request.headers.get("authorization").map(String::as_str) == Some("container-token");
    let is_account = body.contains("Action=AssumeRoleWithWebIdentity")
        && body.contains("WebIdentityToken=the.web.identity")
        && body.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Foptimize");
    if !is_container && !is_account {
        return answer("403 Forbidden", "text/plain", &body);
    }
    let (id, secret, token) = (
        format!("ASIA{number}"),
        format!("secret/{number}"),
        format!("session+{number}=="),
    );
    let expires = Timestamp::now().as_second() + life;
    let expiration = Timestamp::from_second(expires).unwrap().to_string();
    let key = Key {
        secret: secret.clone(),
        token: Some(token.clone()),
        expires: Some(expires),
    };
    keys.lock().unwrap().insert(id.clone(), key);
    if is_container {
        let body = json!({"AccessKeyId": id, "SecretAccessKey": secret, "Token": token, "Expiration": expiration});
        return answer("200 OK", "application/json", &body.to_string());
    }
    let body = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{id}</AccessKeyId>\
         <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
         <Expiration>{expiration}</Expiration></Credentials><AssumedRoleUser>\
         <AssumedRoleId>AROA:x</AssumedRoleId><Arn>arn:aws:sts::123456789012:assumed-role/optimize/x</Arn>\
         </AssumedRoleUser></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    );
    answer("200 OK", "text/xml", &body)
}

/// Sends a request on without what the stand-in alone understands.
fn pass(request: &Request, behind: &str, client: &mut TcpStream) {
    let target = request.target.strip_prefix(PREFIX).unwrap();
    let mut head = format!(
        "{} {target} HTTP/1.1\r\nHost: {behind}\r\nConnection: close\r\n",
        request.method
    );
    for (name, value) in &request.headers {
        if !["host", "connection", "authorization"].contains(&name.as_str()) {
            head += &format!("{name}: {value}\r\n");
        }
    }
    let mut server = TcpStream::connect(behind).unwrap();
    server.write_all(head.as_bytes()).unwrap();
    server.write_all(b"\r\n").unwrap();
    server.write_all(&request.body).unwrap();
    let mut answer = Vec::new();
    let _ = server.read_to_end(&mut answer);
    // The server closes without saying so, and a client that does not know uses the connection again.
    let line = answer.windows(2).position(|two| two == b"\r\n").unwrap();
    answer.splice(line..line, *b"\r\nConnection: close");
    let _ = client.write_all(&answer);
}

/// Rows to page through, and a number, of a definition whose index has an unusual name.
fn optimize() -> Optimize {
    let optimize = Optimize::install();
    let key = "Bestellung_ü+!=~@&$";
    optimize.store_instances(key, instances(key, 50));
    optimize.store_report(raw_report("raw", key, json!({})));
    let data = json!({
        "definitions": [{"key": key, "versions": ["all"], "tenantIds": [null]}],
        "view": {"entity": "processInstance", "properties": ["frequency"]},
        "groupBy": {"type": "none"},
        "visualization": "number",
    });
    optimize.store_report(report("number", data));
    optimize
}

#[track_caller]
fn assert_exports(service: &Service) {
    assert_eq!(service.all_rows("raw", 20).len(), 50);
    assert_eq!(service.first_page("number", 1).ok()["data"], json!(50.0));
}

#[test]
fn every_request_is_signed_with_the_keys_of_the_environment() {
    let optimize = optimize();
    let amazon = Amazon::start(&optimize.url, 3_600);
    amazon.knows("AKIA", "key/of+environment", Some("session+/=="));
    amazon.knows("AKIALONG", "long lived", None);
    let session = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "key/of+environment"),
        ("AWS_SESSION_TOKEN", "session+/=="),
        ("AWS_REGION", REGION),
    ];
    let service = amazon.serve(&optimize, &session);
    assert_exports(&service);
    amazon.assert_all_accepted();
    assert!(!service.log().contains("key/of+environment"));

    let long_lived = [
        ("AWS_ACCESS_KEY_ID", "AKIALONG"),
        ("AWS_SECRET_ACCESS_KEY", "long lived"),
        ("OPTIMIZE_EXPORT_ELASTICSEARCH_AWS_REGION", REGION),
        // Optimize's env files may have both.
        ("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_USERNAME", "user"),
        ("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_PASSWORD", "hush"),
    ];
    assert_exports(&amazon.serve(&optimize, &long_lived));
    amazon.assert_all_accepted();
}

#[test]
fn a_profile_gives_key_and_region() {
    let optimize = optimize();
    let amazon = Amazon::start(&optimize.url, 3_600);
    amazon.knows("AKIAPROFILE", "of a file", None);
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let config = write("config", &format!("[profile lake]\nregion = {REGION}\n"));
    let credentials = write(
        "credentials",
        "[lake]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = of a file\n",
    );
    let service = amazon.serve(
        &optimize,
        &[
            ("AWS_PROFILE", "lake"),
            ("AWS_CONFIG_FILE", &config),
            ("AWS_SHARED_CREDENTIALS_FILE", &credentials),
        ],
    );
    assert_exports(&service);
    amazon.assert_all_accepted();
}

#[test]
fn credentials_of_a_container_are_renewed_before_they_expire() {
    let optimize = optimize();
    let amazon = Amazon::start(&optimize.url, 4);
    let credentials = format!("http://{}/credentials", amazon.address);
    let service = amazon.serve(
        &optimize,
        &[
            ("AWS_REGION", REGION),
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &credentials),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token"),
        ],
    );
    let first = service.first_page("raw", 20).ok();
    thread::sleep(Duration::from_secs(5));
    // The scroll that one key opened goes on with the other.
    let second = service.next_page("raw", &first).ok();
    assert_eq!(second["data"].as_array().unwrap().len(), 20);
    assert_exports(&service);
    amazon.assert_all_accepted();
    let given = amazon.given.load(Ordering::Relaxed);
    assert!((2..=4).contains(&given), "{given}");
}

#[test]
fn the_web_identity_of_a_service_account_becomes_a_role() {
    let optimize = optimize();
    let amazon = Amazon::start(&optimize.url, 3_600);
    let mut token = tempfile::NamedTempFile::new().unwrap();
    token.write_all(b"the.web.identity").unwrap();
    let sts = format!("http://{}/", amazon.address);
    let service = amazon.serve(
        &optimize,
        &[
            ("AWS_REGION", REGION),
            ("AWS_ENDPOINT_URL_STS", &sts),
            (
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                token.path().to_str().unwrap(),
            ),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/optimize"),
        ],
    );
    assert_exports(&service);
    amazon.assert_all_accepted();
    assert_eq!(amazon.given.load(Ordering::Relaxed), 1);
}

#[test]
fn a_wrong_signature_and_no_credentials_are_told() {
    let optimize = optimize();
    let amazon = Amazon::start(&optimize.url, 3_600);
    amazon.knows("AKIA", "right", None);
    let wrong = [
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_SECRET_ACCESS_KEY", "wr0ng"),
        ("AWS_REGION", REGION),
    ];
    let service = amazon.serve(&optimize, &wrong);
    assert_eq!(service.first_page("raw", 20).status, 500);
    service.wait_for_log("The request signature we calculated does not match");
    let refused = amazon.refused.lock().unwrap().clone();
    assert!(
        refused.iter().all(|why| why.contains("another signature")),
        "{refused:?}"
    );
    assert_eq!(amazon.accepted.load(Ordering::Relaxed), 0);
    assert!(!service.log().contains("wr0ng"));

    for (environment, words) in [
        (vec![("AWS_REGION", REGION)], "no AWS credentials"),
        (vec![], "no region was found"),
    ] {
        let nothing = [("AWS_EC2_METADATA_DISABLED", "true")];
        let service = amazon.serve(&optimize, &[&nothing[..], &environment].concat());
        assert_eq!(service.first_page("raw", 20).status, 503);
        service.wait_for_log(words);
    }
}
