//! Tokens of a provider, verified against a real key server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use flate2::Compression;
use flate2::write::GzEncoder;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::support::documents::{instances, raw_report};
use crate::support::gate::{Gate, answer};
use crate::support::service::{command, free_address};
use crate::support::{Optimize, Service, TOKEN};

/// What the key server does with a request.
#[derive(Clone)]
enum Behaviour {
    Publish(Value),
    Status(u16),
    Redirect(SocketAddr),
    Garbage,
    /// More than any key set has.
    Flood,
    /// A small answer that says it unpacks to much more.
    Bomb(Vec<u8>),
    /// Take the request and never answer.
    Hang,
    /// By path, and 404 for others.
    Paths(Vec<(&'static str, Value)>),
    /// A token endpoint.
    Tokens(Arc<TokenEndpoint>),
}

/// Status and body for a request.
type TokenEndpoint = dyn Fn(&str) -> (u16, Value) + Send + Sync;

/// A provider's key server.
struct KeyServer {
    address: SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<Mutex<u32>>,
}

impl KeyServer {
    fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let behaviour = Arc::new(Mutex::new(behaviour));
        let requests = Arc::new(Mutex::new(0));
        let (shared, counter) = (Arc::clone(&behaviour), Arc::clone(&requests));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, shared, counter) =
                    (stream.unwrap(), Arc::clone(&shared), Arc::clone(&counter));
                thread::spawn(move || {
                    let mut request = [0; 4096];
                    // The request is small and its content is known.
                    let read = stream.read(&mut request).unwrap_or(0);
                    let request = String::from_utf8_lossy(&request[..read]).into_owned();
                    let path = request.split(' ').nth(1).unwrap_or_default();
                    *counter.lock().unwrap() += 1;
                    let behaviour = shared.lock().unwrap().clone();
                    let respond = |status: &str, headers: &str, body: &[u8]| {
                        let length = body.len();
                        let head = format!(
                            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n"
                        );
                        [head.as_bytes(), body].concat()
                    };
                    let answer = match behaviour {
                        Behaviour::Publish(keys) => {
                            respond("200 OK", "", keys.to_string().as_bytes())
                        }
                        Behaviour::Status(status) => respond(&format!("{status} X"), "", b"{}"),
                        Behaviour::Redirect(to) => {
                            respond("302 Found", &format!("Location: http://{to}/\r\n"), b"")
                        }
                        Behaviour::Garbage => respond("200 OK", "", b"<html>keys</html>"),
                        Behaviour::Flood => respond("200 OK", "", &vec![b' '; 3 * 1024 * 1024]),
                        Behaviour::Bomb(packed) => {
                            respond("200 OK", "Content-Encoding: gzip\r\n", &packed)
                        }
                        Behaviour::Paths(documents) => {
                            match documents.iter().find(|(known, _)| *known == path) {
                                Some((_, body)) => {
                                    respond("200 OK", "", body.to_string().as_bytes())
                                }
                                None => respond("404 X", "", b""),
                            }
                        }
                        Behaviour::Tokens(answer) => {
                            let (status, body) = answer(&request);
                            respond(&format!("{status} X"), "", body.to_string().as_bytes())
                        }
                        Behaviour::Hang => {
                            thread::sleep(Duration::from_secs(60));
                            return;
                        }
                    };
                    // A reader that has had enough leaves early.
                    let _ = stream.write_all(&answer);
                });
            }
        });
        Self {
            address,
            behaviour,
            requests,
        }
    }

    fn set(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    fn requests(&self) -> u32 {
        *self.requests.lock().unwrap()
    }

    fn serve(&self, optimize: &Optimize, flags: &[&str]) -> Service {
        let url = format!("http://{}/keys", self.address);
        let flags = [&["--jwk-set-uri", &url], flags].concat();
        optimize.serve_with(&flags)
    }
}

const DOCUMENT: &str = "/realms/r/.well-known/openid-configuration";

impl KeyServer {
    /// A provider whose issuer is `/realms/r` here, called as given, and whose document is that of its keys.
    fn start_issuer(signers: &[&Signer], slash: &str) -> Self {
        let server = Self::start(Behaviour::Status(503));
        server.publish_at(&server.issuer(slash), "/keys", signers);
        server
    }

    fn issuer(&self, slash: &str) -> String {
        format!("http://{}/realms/r{slash}", self.address)
    }

    fn publish_at(&self, issuer: &str, path: &'static str, signers: &[&Signer]) {
        let Behaviour::Publish(keys) = publish(signers) else {
            unreachable!()
        };
        let address = format!("http://{}{path}", self.address);
        let document = json!({"issuer": issuer, "jwks_uri": address, "token_endpoint": "http://x"});
        self.set(Behaviour::Paths(vec![(DOCUMENT, document), (path, keys)]));
    }
}

/// A key pair of the provider.
struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
    id: &'static str,
}

impl Signer {
    fn rsa(id: &'static str, algorithm: Algorithm) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der = pair.as_der().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            BASE64_STANDARD.encode(der.as_ref())
        );
        Self {
            key: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
            algorithm,
            id,
        }
    }

    fn elliptic(id: &'static str) -> Self {
        let der =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .unwrap();
        Self {
            key: EncodingKey::from_ec_der(der.as_ref()),
            algorithm: Algorithm::ES256,
            id,
        }
    }

    fn public(&self) -> Value {
        let mut key =
            serde_json::to_value(Jwk::from_encoding_key(&self.key, self.algorithm).unwrap())
                .unwrap();
        key["kid"] = json!(self.id);
        key["use"] = json!("sig");
        key
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header {
            kid: Some(self.id.to_owned()),
            ..Header::new(self.algorithm)
        };
        encode(&header, claims, &self.key).unwrap()
    }
}

fn publish(signers: &[&Signer]) -> Behaviour {
    let keys: Vec<Value> = signers.iter().map(|signer| signer.public()).collect();
    Behaviour::Publish(json!({"keys": keys}))
}

fn now() -> i64 {
    i64::try_from(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs(),
    )
    .unwrap()
}

fn claims(changes: Value) -> Value {
    let mut claims = json!({"sub": "pipeline", "aud": "optimize", "iss": "https://issuer.example", "exp": now() + 300});
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

/// A token that is right but for what its header has besides.
fn with_header(signer: &Signer, header: Value) -> String {
    let mut header_of_signer = json!({"alg": signer.algorithm, "kid": signer.id, "typ": "JWT"});
    for (name, value) in header.as_object().unwrap() {
        header_of_signer[name] = value.clone();
    }
    let part = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", part(&header_of_signer), part(&claims(json!({}))));
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &signer.key, signer.algorithm).unwrap();
    format!("{message}.{signature}")
}

/// Status and explanation; somebody who is let in learns that there is no such report.
fn ask(service: &Service, token: &str) -> (u16, String) {
    let target = "/api/public/export/report/none/result/json?limit=1&paginationTimeout=60";
    let answer = service.request(
        "GET",
        target,
        &[("Authorization", &format!("Bearer {token}"))],
    );
    let (status, _, detail) = answer.error();
    if status == 401 {
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.starts_with("Bearer error=\"invalid_token\""),
            "{challenge}"
        );
    }
    (status, detail)
}

#[track_caller]
fn assert_let_in(service: &Service, token: &str) {
    let (status, detail) = ask(service, token);
    assert_eq!(status, 404, "{detail}");
}

#[track_caller]
fn assert_refused(service: &Service, token: &str, why: &str) {
    let (status, detail) = ask(service, token);
    assert_eq!(status, 401, "{detail}");
    assert!(detail.contains(why), "expected {why:?}: {detail}");
}

#[test]
fn tokens_of_the_provider_are_let_in() {
    let optimize = Optimize::install();
    let (rsa, pss, elliptic) = (
        Signer::rsa("rsa", Algorithm::RS256),
        Signer::rsa("pss", Algorithm::PS384),
        Signer::elliptic("ec"),
    );
    let server = KeyServer::start(publish(&[&rsa, &pss, &elliptic]));
    let service = server.serve(&optimize, &[]);
    for signer in [&rsa, &pss, &elliptic] {
        assert_let_in(&service, &signer.sign(&claims(json!({}))));
    }
    assert_let_in(
        &service,
        &rsa.sign(&claims(json!({"aud": ["other", "optimize"]}))),
    );
    assert_let_in(
        &service,
        &rsa.sign(&claims(json!({"exp": now() - 30, "nbf": now() + 30}))),
    );
    let without_key_id =
        encode(&Header::new(Algorithm::RS256), &claims(json!({})), &rsa.key).unwrap();
    assert_let_in(&service, &without_key_id);
    assert_eq!(server.requests(), 1, "keys are fetched once");
    assert!(!service.log().contains(&without_key_id));
    assert_refused(&service, TOKEN, "no JWT");
}

#[test]
fn hostile_tokens_are_not() {
    let optimize = Optimize::install();
    let signer = Signer::rsa("rsa", Algorithm::RS256);
    let stranger = Signer::rsa("rsa", Algorithm::RS256);
    let server = KeyServer::start(publish(&[&signer]));
    let service = server.serve(
        &optimize,
        &[
            "--audience",
            "optimize",
            "--issuer",
            "https://issuer.example",
        ],
    );
    let good = claims(json!({}));
    assert_let_in(&service, &signer.sign(&good));

    assert_refused(&service, &stranger.sign(&good), "not valid");
    assert_refused(
        &service,
        &signer.sign(&claims(json!({"exp": now() - 120}))),
        "expired",
    );
    assert_refused(
        &service,
        &signer.sign(&claims(json!({"nbf": now() + 120}))),
        "not valid yet",
    );
    assert_refused(
        &service,
        &signer.sign(&claims(json!({"aud": "billing"}))),
        "another audience",
    );
    assert_refused(
        &service,
        &signer.sign(&claims(json!({"iss": "https://evil.example"}))),
        "another issuer",
    );
    assert_refused(
        &service,
        &signer.sign(&claims(json!({"exp": null}))),
        "not valid",
    );
    assert_refused(
        &service,
        &signer.sign(&claims(json!({"exp": "never"}))),
        "lacks a claim",
    );
    for missing in ["exp", "aud", "iss"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(missing);
        assert_refused(&service, &signer.sign(&claims), "lacks a claim");
    }

    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let unsigned = format!(
        "{}.{}.",
        part(&json!({"alg": "none", "kid": "rsa"})),
        part(&good)
    );
    assert_refused(&service, &unsigned, "not valid");
    // The public key, which everybody knows, as the secret of a symmetric algorithm.
    let modulus = signer.public()["n"].as_str().unwrap().to_owned();
    let modulus_bytes = BASE64_URL_SAFE_NO_PAD.decode(&modulus).unwrap();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        BASE64_STANDARD.encode(modulus_bytes)
    );
    for public in [signer.public().to_string(), modulus, pem] {
        let header = Header {
            kid: Some("rsa".to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let forged = encode(&header, &good, &EncodingKey::from_secret(public.as_bytes())).unwrap();
        assert_refused(&service, &forged, "algorithm is not allowed");
    }
    // The signature of one token under the claims of another.
    let signed = signer.sign(&claims(json!({"aud": "billing"})));
    let (head, rest) = signed.split_once('.').unwrap();
    let (_, signature) = rest.split_once('.').unwrap();
    assert_refused(
        &service,
        &format!("{head}.{}.{signature}", part(&good)),
        "not valid",
    );
    assert_refused(&service, &"x".repeat(20_000), "too long");
    assert_refused(&service, "a.b.c", "no JWT");
    let unknown = Signer::rsa("elsewhere", Algorithm::RS256);
    assert_refused(&service, &unknown.sign(&good), "key is not known");
    assert!(
        server.requests() <= 2,
        "unknown keys don't make it flood the provider"
    );
}

#[test]
fn check_fetches_the_keys() {
    let optimize = Optimize::install();
    let signer = Signer::elliptic("ec");
    let server = KeyServer::start(publish(&[&signer, &signer]));
    let url = format!("http://{}/keys", server.address);
    let check = |flags: &[&str]| {
        let output = command(&["check", "--elasticsearch-url", &optimize.url])
            .args(["--index-prefix", &optimize.prefix])
            .args(flags)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), text)
    };
    let by_address = ["--jwk-set-uri", &url, "--audience", "orders,billing"];
    let (_, found) = check(&by_address);
    let tokens = |found: &str| {
        let mut lines = found.lines();
        lines
            .find(|line| line.contains("tokens "))
            .unwrap()
            .to_owned()
    };
    let line = tokens(&found);
    assert!(line.starts_with("ok "), "{line}");
    assert!(
        line.contains("for the audience orders or billing; 2 of its keys at http://"),
        "{line}"
    );
    for (behaviour, expected) in [
        (Behaviour::Status(503), "answered with status 503"),
        (Behaviour::Garbage, "no key set"),
        (Behaviour::Publish(json!({"keys": []})), "no key at http://"),
    ] {
        server.set(behaviour);
        let (code, found) = check(&by_address);
        let line = tokens(&found);
        assert_eq!(code, Some(1), "{found}");
        assert!(
            line.starts_with("FAIL") && line.contains(expected),
            "{line}"
        );
    }
    // Nobody is there at all.
    let nowhere = format!("http://{}/keys", free_address());
    let (code, found) = check(&["--jwk-set-uri", &nowhere]);
    let line = tokens(&found);
    assert_eq!(code, Some(1), "{found}");
    assert!(
        line.starts_with("FAIL") && line.contains("can't be fetched") && line.contains("refused"),
        "{line}"
    );
    // The issuer's document leads to them.
    server.publish_at(&server.issuer(""), "/moved", &[&signer]);
    let (_, found) = check(&["--issuer", &server.issuer("")]);
    let line = tokens(&found);
    assert!(line.starts_with("ok ") && line.contains("/moved"), "{line}");
}

#[test]
fn keys_are_rotated_without_a_failed_request() {
    let optimize = Optimize::install();
    let (old, new) = (
        Signer::rsa("old", Algorithm::RS256),
        Signer::elliptic("new"),
    );
    let server = KeyServer::start(publish(&[&old]));
    let service = server.serve(&optimize, &[]);
    assert_let_in(&service, &old.sign(&claims(json!({}))));
    server.set(publish(&[&old, &new]));
    thread::sleep(Duration::from_secs(11));
    assert_let_in(&service, &new.sign(&claims(json!({}))));
    assert_let_in(&service, &old.sign(&claims(json!({}))));

    // While the provider is down, the keys that are known go on working.
    server.set(Behaviour::Status(500));
    assert_let_in(&service, &new.sign(&claims(json!({}))));
    assert_eq!(server.requests(), 2);
}

#[test]
fn a_provider_that_does_not_work_is_not_the_clients_fault() {
    let optimize = Optimize::install();
    let signer = Signer::elliptic("ec");
    let keys = KeyServer::start(publish(&[&signer]));
    let token = signer.sign(&claims(json!({})));
    for behaviour in [
        Behaviour::Status(503),
        Behaviour::Redirect(keys.address),
        Behaviour::Garbage,
        Behaviour::Flood,
        Behaviour::Hang,
    ] {
        let server = KeyServer::start(behaviour);
        let service = server.serve(&optimize, &[]);
        let started = Instant::now();
        let (status, detail) = ask(&service, &token);
        assert_eq!(status, 503, "{detail}");
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "it must not hang"
        );
        let (status, _) = ask(&service, &token);
        assert_eq!(
            (status, server.requests()),
            (503, 1),
            "the provider is not asked again at once"
        );
    }
    assert_eq!(keys.requests(), 0, "a redirect must not be followed");
}

#[test]
fn a_key_set_that_unpacks_to_much_more_is_not_unpacked() {
    let optimize = Optimize::install();
    let signer = Signer::elliptic("ec");
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&vec![b' '; 64 * 1024 * 1024]).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 1024 * 1024);
    let server = KeyServer::start(Behaviour::Bomb(packed));
    let service = server.serve(&optimize, &[]);
    let before = service.peak_memory();
    let (status, _) = ask(&service, &signer.sign(&claims(json!({}))));
    assert_eq!((status, server.requests()), (503, 1));
    service.wait_for_log("is no key set");
    let growth = service.peak_memory() - before;
    assert!(growth < 16 * 1024 * 1024, "{growth} bytes");
}

#[test]
fn keys_of_other_uses_and_kinds_are_left_alone() {
    let optimize = Optimize::install();
    let signer = Signer::rsa("rsa", Algorithm::RS256);
    let encryption = Signer::rsa("enc", Algorithm::RS256);
    let mut for_encryption = encryption.public();
    for_encryption["use"] = json!("enc");
    let odd = json!({"kty": "future", "kid": "odd", "x": 1});
    let server = KeyServer::start(Behaviour::Publish(
        json!({"keys": [odd, for_encryption, signer.public(), 7]}),
    ));
    let service = server.serve(&optimize, &[]);
    assert_let_in(&service, &signer.sign(&claims(json!({}))));
    assert_refused(
        &service,
        &encryption.sign(&claims(json!({}))),
        "key is not known",
    );
}

#[test]
fn a_token_needs_the_scope_and_the_claim_that_are_demanded() {
    let optimize = Optimize::install();
    let signer = Signer::elliptic("ec");
    let server = KeyServer::start(publish(&[&signer]));
    let service = server.serve(
        &optimize,
        &[
            "--required-scope",
            "export",
            "--required-claim",
            "permissions.optimize-api=write:*",
        ],
    );
    let permissions = json!({"optimize-api": ["write:*"]});
    let good = json!({"scope": "read export", "permissions": permissions, "client_id": "lake"});
    assert_let_in(&service, &signer.sign(&claims(good)));
    service.wait_for_log("client=\"lake\" key=\"ec\"");

    for (lacking, what) in [
        (json!({"permissions": permissions}), "scope"),
        (
            json!({"scope": "exports", "permissions": permissions}),
            "scope",
        ),
        (json!({"scope": "export"}), "claim"),
        (
            json!({"scope": "export", "permissions": {"optimize-api": ["read:*"]}}),
            "claim",
        ),
    ] {
        let target = "/api/public/export/report/none/result/json?limit=1&paginationTimeout=60";
        let token = format!("Bearer {}", signer.sign(&claims(lacking)));
        let answer = service.request("GET", target, &[("Authorization", &token)]);
        let (status, code, detail) = answer.error();
        assert_eq!((status, code.as_str()), (403, "forbiddenError"));
        assert!(detail.contains(what), "{detail}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.starts_with("Bearer error=\"insufficient_scope\""),
            "{challenge}"
        );
    }
    // What is wrong with a token comes before what it lacks.
    assert_refused(
        &service,
        &signer.sign(&claims(json!({"exp": now() - 120}))),
        "expired",
    );
}

#[test]
fn extensions_that_a_token_declares_critical_are_not_ignored() {
    let signer = Signer::rsa("one", Algorithm::RS256);
    let keys = KeyServer::start(publish(&[&signer]));
    let optimize = Optimize::install();
    let service = keys.serve(&optimize, &[]);
    assert_let_in(&service, &with_header(&signer, json!({})));
    assert_let_in(&service, &with_header(&signer, json!({"b64x": true})));
    for header in [
        json!({"crit": ["b64x"], "b64x": true}),
        json!({"crit": ["b64"], "b64": false}),
        json!({"crit": ["exp"], "exp": 7}),
        json!({"crit": []}),
        json!({"crit": null}),
        json!({"crit": "b64"}),
        json!({"crit": [7]}),
    ] {
        assert_refused(&service, &with_header(&signer, header), "");
    }
}

#[test]
fn keys_are_found_from_the_issuer_whatever_its_last_slash() {
    let optimize = Optimize::install();
    let signer = Signer::elliptic("ec");
    for (configured, published, in_token) in
        [("", "", ""), ("", "/", "/"), ("/", "", "/"), ("/", "/", "")]
    {
        let server = KeyServer::start_issuer(&[&signer], published);
        let service = optimize.serve_with(&["--issuer", &server.issuer(configured)]);
        let token = |iss: &str| signer.sign(&claims(json!({"iss": iss})));
        assert_let_in(&service, &token(&server.issuer(in_token)));
        assert_refused(
            &service,
            &token(&server.issuer("//")),
            "it is of another issuer",
        );
        assert_refused(&service, &token("https://issuer.example"), "another issuer");
        let mut nobodys = claims(json!({}));
        nobodys.as_object_mut().unwrap().remove("iss");
        assert_refused(&service, &signer.sign(&nobodys), "required, iss");
        assert_eq!(server.requests(), 2, "the document and the keys, once each");
    }
}

#[test]
fn the_names_of_camunda_8_10_make_a_service_of_its_tokens() {
    let optimize = Optimize::install();
    let signer = Signer::elliptic("ec");
    let server = KeyServer::start_issuer(&[&signer], "");
    let issuer = server.issuer("");
    let service = Service::start(
        &optimize.url,
        &optimize.prefix,
        &[],
        &[
            ("CAMUNDA_SECURITY_AUTHENTICATION_OIDC_ISSUERURI", &issuer),
            (
                "CAMUNDA_SECURITY_AUTHENTICATION_OIDC_AUDIENCES",
                "optimize-api,other-api",
            ),
            ("CAMUNDA_SECURITY_AUTHENTICATION_OIDC_CLIENTIDCLAIM", "azp"),
            ("CAMUNDA_OPTIMIZE_API_AUDIENCE", "optimize"),
        ],
    );
    service.wait_for_log("the static access token is ignored");
    let token = |changes: Value| {
        let mut changes = changes;
        changes["iss"] = json!(issuer);
        signer.sign(&claims(changes))
    };
    for aud in [
        json!("optimize-api"),
        json!("other-api"),
        json!(["x", "other-api"]),
    ] {
        assert_let_in(&service, &token(json!({"aud": aud, "azp": "lake"})));
    }
    service.wait_for_log("client=\"lake\" key=\"ec\"");
    // The newer name replaces the older one.
    for aud in [json!("optimize"), json!(["x", "y"]), json!([])] {
        assert_refused(
            &service,
            &token(json!({"aud": aud})),
            "another audience than the one that is expected, optimize-api or other-api",
        );
    }
    service.wait_for_log(r#"aud="optimize" expected="optimize-api, other-api""#);
    service.wait_for_log(
        "a request is not let in: the bearer token is not valid: it is for another audience",
    );
    // Without the claim it is the token of a person, who can't pass for a client by their name.
    let aud = "optimize-api";
    assert_let_in(&service, &token(json!({"aud": aud, "sub": "lake"})));
    service.wait_for_log("client=\"subject lake\"");
    assert_refused(
        &service,
        &token(json!({"aud": aud, "sub": null})),
        "no claim that names its client",
    );
    assert_refused(
        &service,
        &token(json!({"aud": aud, "azp": ["a", "b"]})),
        "is no text",
    );
    assert_refused(&service, TOKEN, "no JWT");
}

#[test]
fn keys_of_an_issuer_are_rotated_and_may_move() {
    let optimize = Optimize::install();
    let (old, new, newest) = (
        Signer::elliptic("old"),
        Signer::elliptic("new"),
        Signer::elliptic("newest"),
    );
    let server = KeyServer::start_issuer(&[&old], "");
    let issuer = server.issuer("");
    let service = optimize.serve_with(&["--issuer", &issuer]);
    let token = |signer: &Signer| signer.sign(&claims(json!({"iss": issuer})));
    assert_let_in(&service, &token(&old));
    server.publish_at(&issuer, "/moved", &[&old, &new]);
    thread::sleep(Duration::from_secs(11));
    assert_let_in(&service, &token(&new));
    assert_let_in(&service, &token(&old));

    // The document is away, the keys are where they were.
    let Behaviour::Publish(keys) = publish(&[&newest]) else {
        unreachable!()
    };
    server.set(Behaviour::Paths(vec![("/moved", keys)]));
    thread::sleep(Duration::from_secs(11));
    assert_let_in(&service, &token(&newest));
    assert_refused(&service, &token(&old), "key is not known");
}

#[test]
fn a_document_that_is_not_the_issuers_gives_no_keys() {
    let optimize = Optimize::install();
    let signer = Signer::elliptic("ec");
    let Behaviour::Publish(keys) = publish(&[&signer]) else {
        unreachable!()
    };
    for (document, words) in [
        (
            json!({"issuer": "ISSUER/other", "jwks_uri": "SERVER/keys"}),
            "that of another one",
        ),
        (json!({"jwks_uri": "SERVER/keys"}), "no document"),
        (json!({"issuer": "ISSUER"}), "no document"),
        (
            json!({"issuer": "ISSUER", "jwks_uri": "file:///keys"}),
            "not safe",
        ),
        (json!({"issuer": "ISSUER", "jwks_uri": "/keys"}), "not safe"),
        (json!([" ".repeat(2 * 1024 * 1024)]), "larger than"),
    ] {
        let server = KeyServer::start(Behaviour::Status(503));
        let issuer = server.issuer("");
        let document = document
            .to_string()
            .replace("ISSUER", &issuer)
            .replace("SERVER", &format!("http://{}", server.address));
        let document = serde_json::from_str(&document).unwrap();
        server.set(Behaviour::Paths(vec![
            (DOCUMENT, document),
            ("/keys", keys.clone()),
        ]));
        let service = optimize.serve_with(&["--issuer", &issuer]);
        let (status, detail) = ask(&service, &signer.sign(&claims(json!({"iss": issuer}))));
        assert_eq!((status, server.requests()), (503, 1), "{detail}");
        service.wait_for_log(words);
    }
    for behaviour in [Behaviour::Hang, Behaviour::Flood, Behaviour::Status(500)] {
        let server = KeyServer::start(behaviour);
        let service = optimize.serve_with(&["--issuer", &server.issuer("")]);
        let started = Instant::now();
        let (status, _) = ask(&service, &signer.sign(&claims(json!({}))));
        assert_eq!((status, server.requests()), (503, 1));
        assert!(started.elapsed() < Duration::from_secs(10));
    }
}

/// An export of 100 rows in pages of 10 with tokens of `provider`. Its third page has to be asked for again after 3 seconds.
/// Gives exit code, messages and the rows' ids.
fn export_with_tokens_of(
    provider: &KeyServer,
    keys: &KeyServer,
) -> (i32, String, Vec<String>, String) {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 100));
    optimize.store_report(raw_report("r", "order", json!({})));
    let service = keys.serve(&optimize, &[]);
    let busy = answer("503 X", "Retry-After: 3\r\n", "{}");
    let gate = Gate::start(service.address, [(2, busy)]);
    let output = command(&["export", "r", "-o", "-", "--page-size", "10"])
        .args(["--url", &format!("http://{}", gate.address)])
        .env(
            "CAMUNDA_OAUTH_URL",
            format!("http://{}/token", provider.address),
        )
        .env("CAMUNDA_CLIENT_ID", "lake&co")
        .env("CAMUNDA_CLIENT_SECRET", "hush=+ hush")
        .env("CAMUNDA_OPTIMIZE_OAUTH_AUDIENCE", "optimize.camunda.io")
        .output()
        .unwrap();
    let rows = String::from_utf8(output.stdout).unwrap();
    let id = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        row["processInstanceId"].as_str().unwrap().to_owned()
    };
    let ids = rows.lines().map(id).collect();
    let messages = String::from_utf8(output.stderr).unwrap();
    assert!(!messages.contains("hush"), "{messages}");
    (output.status.code().unwrap(), messages, ids, service.log())
}

/// A token endpoint whose tokens the service accepts for two seconds; a clock of the service may differ by 60.
fn tokens_of_two_seconds(signer: Arc<Signer>, expires_in: Option<u32>) -> Behaviour {
    Behaviour::Tokens(Arc::new(move |request| {
        let body = request.split("\r\n\r\n").nth(1).unwrap_or_default();
        let expected = "grant_type=client_credentials&client_id=lake%26co&client_secret=hush%3D%2B+hush\
                        &audience=optimize.camunda.io";
        if !request.starts_with("POST /token ") || body != expected {
            return (
                400,
                json!({"error": "invalid_request", "error_description": body}),
            );
        }
        let token = signer.sign(&claims(json!({"exp": now() - 58})));
        let mut answer = json!({"access_token": token, "token_type": "Bearer"});
        if let Some(seconds) = expires_in {
            answer["expires_in"] = json!(seconds);
        }
        (200, answer)
    }))
}

#[track_caller]
fn assert_all_rows(ids: Vec<String>) {
    let mut ids = ids;
    ids.sort();
    let expected: Vec<String> = (0..100).map(|number| format!("i-{number:03}")).collect();
    assert_eq!(ids, expected);
}

#[test]
fn an_export_renews_its_token_in_time() {
    let signer = Arc::new(Signer::elliptic("ec"));
    let keys = KeyServer::start(publish(&[&signer]));
    let provider = KeyServer::start(tokens_of_two_seconds(signer, Some(2)));
    let (code, messages, ids, log) = export_with_tokens_of(&provider, &keys);
    assert_eq!(code, 0, "{messages}");
    assert_all_rows(ids);
    assert!(provider.requests() >= 2, "{}", provider.requests());
    assert!(!log.contains("not let in"), "{log}");
}

#[test]
fn an_export_whose_token_expires_unexpectedly_goes_on_with_another_one() {
    let signer = Arc::new(Signer::elliptic("ec"));
    let keys = KeyServer::start(publish(&[&signer]));
    // Nothing said, or more than is true.
    for expires_in in [None, Some(300)] {
        let provider = KeyServer::start(tokens_of_two_seconds(Arc::clone(&signer), expires_in));
        let (code, messages, ids, log) = export_with_tokens_of(&provider, &keys);
        assert_eq!(code, 0, "{messages}");
        assert_all_rows(ids);
        assert!(log.contains("it has expired"), "{log}");
        assert!(!messages.contains("from its beginning"), "{messages}");
    }
}

#[test]
fn what_a_token_provider_refuses_is_told_and_what_passes_is_tried_again() {
    let signer = Arc::new(Signer::elliptic("ec"));
    let keys = KeyServer::start(publish(&[&signer]));
    let refusing = Behaviour::Tokens(Arc::new(|_| {
        let why = "no such client";
        (
            401,
            json!({"error": "invalid_client", "error_description": why}),
        )
    }));
    let (code, messages, ids, _) = export_with_tokens_of(&KeyServer::start(refusing), &keys);
    assert!(
        messages.contains("status 401: invalid_client no such client"),
        "{messages}"
    );
    assert_eq!((code, ids.len()), (4, 0));

    let empty = Behaviour::Tokens(Arc::new(|_| (200, json!({"id_token": "hush"}))));
    let (code, messages, ids, _) = export_with_tokens_of(&KeyServer::start(empty), &keys);
    assert_eq!((code, ids.len()), (1, 0), "{messages}");

    // Tokens that are never accepted are not asked for again and again.
    let stranger = Arc::new(Signer::elliptic("ec"));
    let provider = KeyServer::start(tokens_of_two_seconds(stranger, Some(2)));
    let (code, messages, ids, _) = export_with_tokens_of(&provider, &keys);
    assert_eq!((code, ids.len()), (4, 0), "{messages}");
    assert_eq!(provider.requests(), 1);

    let tries = Mutex::new(0);
    let Behaviour::Tokens(tokens) = tokens_of_two_seconds(signer, Some(2)) else {
        unreachable!()
    };
    let busy_at_first = Behaviour::Tokens(Arc::new(move |request| {
        *tries.lock().unwrap() += 1;
        if *tries.lock().unwrap() < 3 {
            return (503, json!({}));
        }
        tokens(request)
    }));
    let (code, messages, ids, _) = export_with_tokens_of(&KeyServer::start(busy_at_first), &keys);
    assert_eq!(code, 0, "{messages}");
    assert_all_rows(ids);
}
