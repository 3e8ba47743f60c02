//! A cluster with security on: TLS, users, API keys, privileges. The server is always one of our own, whatever the other
//! tests run on, and the role is the one that the documentation recommends.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use testkit::certificates::{TestAuthority, Validity};
use testkit::client::Client;
use testkit::elasticsearch::{ClientCertificates, Secured, secured_for_this_process};

use crate::support::documents::{instances, raw_report};
use crate::support::service::{command, free_address};
use crate::support::{Optimize, Service, TOKEN, http};

/// What the documentation tells an administrator to send to the security API.
const ROLE: &str = include_str!("../../es-security/role.json");
const API_KEY: &str = include_str!("../../es-security/api-key.json");

const ROWS: usize = 250;
const PASSWORD: &str = "hush-0123456789";

/// An installation on a secured server, and a user who may read it.
struct World {
    server: &'static Secured,
    optimize: Optimize,
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self::on(ClientCertificates::Optional)
    }

    fn on(client_certificates: ClientCertificates) -> Self {
        let server = secured_for_this_process(client_certificates)
            .expect("an Elasticsearch of our own with security on");
        let optimize = Optimize::install_on(&server.url, server.client().unwrap());
        optimize.store_instances("order", instances("order", ROWS));
        optimize.store_report(raw_report("raw", "order", json!({})));
        let count = json!({"view": {"entity": "processInstance", "properties": ["frequency"]}});
        optimize.store_report(raw_report("count", "order", count));
        let world = Self {
            server,
            optimize,
            folder: tempfile::tempdir().unwrap(),
        };
        world.put_role(&world.of_prefix(ROLE));
        world.put_user(&world.name(), PASSWORD);
        world
    }

    /// The name of this world's role and user.
    fn name(&self) -> String {
        format!("{}-service", self.optimize.prefix)
    }

    /// A request of the documentation, for this world's prefix.
    fn of_prefix(&self, request: &str) -> Value {
        let pattern = format!("\"{}-*\"", self.optimize.prefix);
        serde_json::from_str(&request.replace("\"optimize-*\"", &pattern)).unwrap()
    }

    fn admin(&self) -> &Client {
        self.optimize.installation.client()
    }

    fn put(&self, path: &str, body: &Value) {
        self.admin().put(path, body).unwrap().success().unwrap();
    }

    fn put_role(&self, role: &Value) {
        self.put(&format!("/_security/role/{}", self.name()), role);
    }

    fn put_user(&self, user: &str, password: &str) {
        let body = json!({"password": password, "roles": [self.name()]});
        self.put(&format!("/_security/user/{user}"), &body);
    }

    /// A new API key: its id and its encoded form.
    fn create_api_key(&self) -> (String, String) {
        let answer = self
            .optimize
            .post("/_security/api_key", &self.of_prefix(API_KEY));
        let text = |name: &str| answer[name].as_str().unwrap().to_owned();
        (text("id"), text("encoded"))
    }

    /// A file of this world.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn authority(&self) -> [String; 2] {
        let file = self.server.authority_file.to_str().unwrap();
        ["--elasticsearch-ca-file".to_owned(), file.to_owned()]
    }

    fn password(&self) -> [String; 4] {
        [
            "--elasticsearch-username".to_owned(),
            self.name(),
            "--elasticsearch-password-file".to_owned(),
            self.file("password", PASSWORD),
        ]
    }

    /// The flags of the ordinary case.
    fn flags(&self) -> Vec<String> {
        [self.authority().as_slice(), &self.password()].concat()
    }

    fn serve_at(&self, url: &str, flags: &[String]) -> Service {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        Service::start(url, &self.optimize.prefix, &flags, &[])
    }

    fn serve(&self, flags: &[String]) -> Service {
        self.serve_at(&self.server.url, flags)
    }

    /// What `check` says, and whether it finds that all is well.
    fn check_at(&self, url: &str, flags: &[String]) -> (bool, String) {
        let output = command(&["check", "--elasticsearch-url", url])
            .args(["--index-prefix", &self.optimize.prefix])
            .args(flags)
            .env("OPTIMIZE_EXPORT_ACCESS_TOKEN", TOKEN)
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).unwrap())
    }

    fn check(&self, flags: &[String]) -> (bool, String) {
        self.check_at(&self.server.url, flags)
    }

    /// `check` fails and says this.
    #[track_caller]
    fn check_fails(&self, url: &str, flags: &[String], expected: &str) {
        let (works, text) = self.check_at(url, flags);
        assert!(!works && text.contains(expected), "{expected}: {text}");
        assert!(!text.contains(PASSWORD), "{text}");
    }

    /// The server by an address that its certificate does not know.
    fn other_name(&self) -> String {
        self.server.url.replace("localhost", "127.0.0.1")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // A test that fails already must not abort over this.
        for path in ["user", "role"] {
            let _ = self
                .admin()
                .delete(&format!("/_security/{path}/{}", self.name()));
        }
    }
}

/// The whole raw data over several pages, and one aggregated report.
#[track_caller]
fn exports_everything(service: &Service) {
    let pages = service.all_pages("raw", 100);
    let rows: Vec<u64> = pages
        .iter()
        .map(|page| page["numberOfRecordsInResponse"].as_u64().unwrap())
        .collect();
    assert_eq!(rows, [100, 100, 50, 0]);
    assert_eq!(pages[0]["totalNumberOfRecords"], ROWS);
    assert_eq!(service.first_page("count", 10).ok()["data"], json!(250.0));
}

/// The service answers with a general text, is not ready, and its log names the cause.
#[track_caller]
fn is_denied(service: &Service, report: &str, cause: &str) {
    let (status, code, message) = service.first_page(report, 10).error();
    assert_eq!((status, code.as_str()), (500, "serverError"), "{message}");
    assert!(!message.contains(cause), "{message}");
    service.wait_for_log(cause);
    assert!(!service.log().contains(PASSWORD));
}

fn readiness(service: &Service) -> (u16, Value) {
    let answer = http::send(service.management, b"GET /health/ready HTTP/1.1\r\nHost: t");
    (answer.status, answer.json())
}

#[test]
fn everything_comes_over_tls_with_the_documented_role() {
    let world = World::new();
    let (works, text) = world.check(&world.flags());
    assert!(works, "{text}");
    assert!(
        text.contains("has monitor, read and view_index_metadata")
            && text.contains("1 indices")
            && !text.contains("may write"),
        "{text}"
    );
    let service = world.serve(&world.flags());
    exports_everything(&service);
    assert_eq!(readiness(&service).0, 200);
    assert!(!service.log().contains(PASSWORD));
    // The role is needed: with no role at all the same user gets nothing.
    world.put_role(&json!({}));
    is_denied(&service, "raw", "is unauthorized for user");
}

#[test]
fn an_api_key_with_the_documented_role_suffices() {
    let role: Value = serde_json::from_str(ROLE).unwrap();
    let api_key: Value = serde_json::from_str(API_KEY).unwrap();
    assert_eq!(api_key["role_descriptors"]["optimize-export"], role);

    let world = World::new();
    let (_, key) = world.create_api_key();
    let key_file = world.file("key", &key);
    let key_flags = ["--elasticsearch-api-key-file".to_owned(), key_file];
    let flags = [world.authority().as_slice(), &key_flags].concat();
    let (works, text) = world.check(&flags);
    assert!(works, "{text}");
    let service = world.serve(&flags);
    exports_everything(&service);
    assert!(!service.log().contains(&key));
}

#[test]
fn the_documented_role_can_not_write() {
    let world = World::new();
    let url = world
        .server
        .url
        .replacen("://", &format!("://{}:{PASSWORD}@", world.name()), 1);
    let client = Client::new(&url)
        .with_tls(world.server.authority.certificate(), None)
        .unwrap();
    let prefix = &world.optimize.prefix;
    let alias = format!("{prefix}-process-instance-order");
    let count = || client.get(&format!("/{alias}/_count")).unwrap().body["count"].clone();
    assert_eq!(count(), ROWS);
    let empty = json!({});
    for answer in [
        client.post(&format!("/{alias}/_doc"), &empty),
        client.put(&format!("/{alias}/_doc/i-000"), &empty),
        client.post(
            &format!("/{alias}/_delete_by_query"),
            &json!({"query": {"match_all": {}}}),
        ),
        client.delete(&format!("/{alias}/_doc/i-000")),
        client.delete(&format!("/{prefix}-process-instance-order_v8")),
        client.put(&format!("/{prefix}-another"), &empty),
        client.put(
            &format!("/{alias}/_settings"),
            &json!({"index": {"refresh_interval": "1s"}}),
        ),
        client.put(
            "/_cluster/settings",
            &json!({"persistent": {"search.max_buckets": 70_000}}),
        ),
        client.get("/_security/user"),
        client.get("/another-index/_search"),
    ] {
        let answer = answer.unwrap();
        assert_eq!(answer.status, 403, "{answer:?}");
    }
    assert_eq!(count(), ROWS);
    // The check tells of a role that may do more.
    let mut role = world.of_prefix(ROLE);
    role["indices"][0]["privileges"] = json!(["all"]);
    world.put_role(&role);
    let (works, text) = world.check(&world.flags());
    assert!(works && text.contains("may write to"), "{text}");
}

#[test]
fn a_client_certificate_is_shown_to_a_server_that_demands_one() {
    let world = World::on(ClientCertificates::Required);
    let needs = "--elasticsearch-client-certificate-file";
    world.check_fails(&world.server.url, &world.flags(), needs);
    let with_certificate = |authority: &TestAuthority| {
        let own = authority.client("optimize-export").unwrap();
        [
            needs.to_owned(),
            world.file("client.crt", &own.certificate),
            "--elasticsearch-client-key-file".to_owned(),
            world.file("client.key", &own.key),
        ]
    };
    let foreign = TestAuthority::new("somebody else").unwrap();
    let flags = [world.flags(), with_certificate(&foreign).into()].concat();
    world.check_fails(&world.server.url, &flags, needs);

    let flags = [
        world.flags(),
        with_certificate(&world.server.authority).into(),
    ]
    .concat();
    let (works, text) = world.check(&flags);
    assert!(works, "{text}");
    exports_everything(&world.serve(&flags));
    // The other ways to trust a server show the certificate as well.
    for more in [
        "--elasticsearch-accept-invalid-certificates",
        "--elasticsearch-skip-hostname-verification",
    ] {
        let flags = [flags.as_slice(), &[more.to_owned()]].concat();
        exports_everything(&world.serve_at(&world.other_name(), &flags));
    }
}

#[test]
fn a_certificate_nobody_vouches_for_is_refused_unless_it_is_named_or_everything_is_accepted() {
    let world = World::new();
    let password: Vec<String> = world.password().into();
    let url = &world.server.url;
    world.check_fails(
        url,
        &password,
        "not trusted; name the authority that issued it in --elasticsearch-ca-file",
    );
    let service = world.serve(&password);
    assert_eq!(service.first_page("raw", 10).status, 503);
    service.wait_for_log("its certificate is not trusted");

    let accept = "--elasticsearch-accept-invalid-certificates".to_owned();
    let accepting = [password.as_slice(), &[accept]].concat();
    exports_everything(&world.serve_at(&world.other_name(), &accepting));

    let certificate = world.server.authority_file.with_file_name("http.crt");
    let named = [
        password.as_slice(),
        &[
            "--elasticsearch-server-certificate-file".to_owned(),
            certificate.to_str().unwrap().to_owned(),
        ],
    ]
    .concat();
    exports_everything(&world.serve(&named));
    world.check_fails(&world.other_name(), &named, "another host name");
}

#[test]
fn the_host_name_counts_unless_it_is_left_aside() {
    let world = World::new();
    let flags = world.flags();
    let other_name = world.other_name();
    world.check_fails(
        &other_name,
        &flags,
        "--elasticsearch-skip-hostname-verification",
    );
    let skip = "--elasticsearch-skip-hostname-verification".to_owned();
    let skipping = [flags.as_slice(), std::slice::from_ref(&skip)].concat();
    let (works, text) = world.check_at(&other_name, &skipping);
    assert!(works, "{text}");
    exports_everything(&world.serve_at(&other_name, &skipping));
    // Whoever issued it still counts.
    let untrusting = [world.password().as_slice(), &[skip]].concat();
    world.check_fails(&other_name, &untrusting, "not trusted");
}

#[test]
fn the_names_of_optimize_do_the_same() {
    let world = World::new();
    let authority = world.server.authority_file.to_str().unwrap();
    let certificate = world.server.authority_file.with_file_name("http.crt");
    let port = world.server.url.rsplit(':').next().unwrap();
    let name = world.name();
    let common = [
        ("OPTIMIZE_ELASTICSEARCH_HOST", "127.0.0.1"),
        ("OPTIMIZE_ELASTICSEARCH_HTTP_PORT", port),
        ("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SSL_ENABLED", "true"),
        (
            "CAMUNDA_OPTIMIZE_ELASTICSEARCH_CONNECTION_SKIP_HOSTNAME_VERIFICATION",
            "true",
        ),
        (
            "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_USERNAME",
            name.as_str(),
        ),
        ("CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_PASSWORD", PASSWORD),
        (
            "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SETTINGS_INDEX_PREFIX",
            &world.optimize.prefix,
        ),
        ("OPTIMIZE_API_ACCESS_TOKEN", TOKEN),
    ];
    for trust in [
        (
            "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_CERTIFICATE_AUTHORITIES",
            authority,
        ),
        (
            "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_CERTIFICATE",
            certificate.to_str().unwrap(),
        ),
        (
            "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SECURITY_SSL_SELF_SIGNED",
            "true",
        ),
    ] {
        let output = command(&["check"])
            .envs(common)
            .envs([trust])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(
            output.status.success() && text.contains(&name),
            "{trust:?}: {text}"
        );
    }
    let output = command(&["check"]).envs(common).output().unwrap();
    assert!(!output.status.success());
}

#[test]
fn an_expired_certificate_is_told_as_such() {
    let world = World::new();
    let expired = world
        .server
        .authority
        .server(&["localhost"], Validity::Expired)
        .unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(expired.certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(expired.key.as_bytes()).unwrap(),
        )
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    // All that this server does is to show its certificate.
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            // The other side hangs up, which is what the test is about.
            let _ = connection.complete_io(&mut client.unwrap());
        }
    });
    world.check_fails(&url, &world.flags(), "its certificate has expired");
    // A plain port and a TLS port are easily mixed up.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain_url = format!("https://localhost:{}", plain.local_addr().unwrap().port());
    thread::spawn(move || {
        for client in plain.incoming() {
            let _ = client
                .unwrap()
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    world.check_fails(&plain_url, &world.flags(), "have to begin with http://");
}

#[test]
fn wrong_or_missing_credentials_are_told_as_such() {
    let world = World::new();
    let url = &world.server.url;
    let authority: Vec<String> = world.authority().into();
    world.check_fails(url, &authority, "no credentials are configured");
    let service = world.serve(&authority);
    is_denied(&service, "raw", "missing authentication credentials");
    let (status, body) = readiness(&service);
    assert_eq!(
        (status, &body["problem"]),
        (503, &json!("Elasticsearch denies access"))
    );

    let wrong = [
        authority,
        vec![
            "--elasticsearch-username".to_owned(),
            world.name(),
            "--elasticsearch-password-file".to_owned(),
            world.file("wrong", "not-the-password"),
        ],
    ]
    .concat();
    world.check_fails(url, &wrong, "does not accept the user and password");
    let service = world.serve(&wrong);
    is_denied(&service, "raw", "unable to authenticate user");
    let (status, body) = readiness(&service);
    assert_eq!(
        (status, &body["problem"]),
        (503, &json!("Elasticsearch denies access"))
    );
    assert!(!service.log().contains("not-the-password"));
}

#[test]
fn every_missing_privilege_is_named() {
    let world = World::new();
    let prefix = world.optimize.prefix.clone();
    let flags = world.flags();
    let url = &world.server.url;
    let service = world.serve(
        &[
            flags.as_slice(),
            &["--cache-ttl".to_owned(), "0".to_owned()],
        ]
        .concat(),
    );
    exports_everything(&service);
    let index = |names: &str, privileges: &[&str]| json!({"names": [format!("{prefix}-{names}")], "privileges": privileges});
    let reading = ["read", "view_index_metadata"];

    // No monitor: exports work, readiness does not.
    world.put_role(&json!({"indices": [index("*", &reading)]}));
    world.check_fails(url, &flags, "lacks the cluster privilege monitor");
    let (status, body) = readiness(&service);
    assert_eq!(
        (status, &body["problem"]),
        (503, &json!("Elasticsearch denies access"))
    );
    service.wait_for_log("cluster:monitor/main");
    exports_everything(&service);

    // No view_index_metadata: exports work, the check sees less.
    world.put_role(&json!({"cluster": ["monitor"], "indices": [index("*", &["read"])]}));
    let (works, text) = world.check(&flags);
    assert!(
        works && text.contains("lacks the index privilege view_index_metadata on"),
        "{text}"
    );
    exports_everything(&service);
    let bookmark = service.get("/api/public/export/report/raw/result/bookmark");
    let (status, code, detail) = bookmark.error();
    assert_eq!((status, code.as_str()), (400, "bookmarkError"), "{detail}");
    assert!(detail.contains("view_index_metadata"), "{detail}");

    // No read at all.
    world.put_role(
        &json!({"cluster": ["monitor"], "indices": [index("*", &["view_index_metadata"])]}),
    );
    world.check_fails(url, &flags, "lacks the index privilege read on");
    is_denied(&service, "raw", "indices:data/read/mget");

    // The reports can be read, the instances can't.
    world.put_role(&json!({"cluster": ["monitor"], "indices": [
        index("*-report", &reading), index("*-definition", &reading), index("decision-instance*", &reading)]}));
    let unreadable = format!("read on {prefix}-process-instance, {prefix}-process-instance-* (");
    world.check_fails(url, &flags, &unreadable);
    is_denied(&service, "raw", "indices:data/read/search");
    is_denied(&service, "count", "indices:data/read/search");

    // The instances can be read, some reports can't: that must not look like a report that does not exist.
    world.put_role(&json!({"cluster": ["monitor"], "indices": [
        index("*-instance*", &reading), index("*-definition", &reading), index("combined-report", &reading)]}));
    world.check_fails(url, &flags, &format!("{prefix}-single-process-report"));
    is_denied(&service, "raw", "indices:data/read/mget[shard]");

    world.put_role(&world.of_prefix(ROLE));
    exports_everything(&service);
}

/// Exports without pause while something else happens; every answer must be a good one.
fn while_exporting(service: &Service, happens: impl FnOnce()) -> usize {
    /// Ends the exports when `happens` fails, too.
    struct Over<'b>(&'b AtomicBool);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let exporter = scope.spawn(|| {
            let mut exports = 0;
            while !is_over.load(Ordering::Relaxed) {
                exports_everything(service);
                exports += 1;
            }
            exports
        });
        let over = Over(&is_over);
        happens();
        drop(over);
        exporter.join().unwrap()
    })
}

fn wait_for_change(service: &Service) {
    service.wait_for_log("the credentials for Elasticsearch have changed");
}

/// Time for an export that is under way to end, and for others to follow.
fn a_while() {
    thread::sleep(Duration::from_secs(3));
}

/// What an orchestrator does: the new content appears at once, under the old name.
fn replace(world: &World, name: &str, text: &str) {
    world.file("new", text);
    fs::rename(world.path("new"), world.path(name)).unwrap();
}

#[test]
fn credentials_change_without_a_failed_request() {
    let world = World::new();
    let uncached = ["--cache-ttl".to_owned(), "0".to_owned()];

    let (old_id, old_key) = world.create_api_key();
    let key_flags = [
        "--elasticsearch-api-key-file".to_owned(),
        world.file("key", &old_key),
    ];
    // Nothing ahead, so that each page shows what Elasticsearch says at that moment.
    let nothing_ahead = ["--max-pages-ahead".to_owned(), "0".to_owned()];
    let flags = [
        world.authority().as_slice(),
        &key_flags,
        &uncached,
        &nothing_ahead,
    ]
    .concat();
    let service = world.serve(&flags);
    let (_, new_key) = world.create_api_key();
    let of_old_key = service.first_page("raw", 10).ok();
    let exports = while_exporting(&service, || {
        replace(&world, "key", &new_key);
        wait_for_change(&service);
        // What was begun with the old key goes on with it while there is one; afterwards it is over, and never has a gap.
        let page = service.next_page("raw", &of_old_key).ok();
        assert_eq!(page["data"][0]["processInstanceId"], "i-010");
        a_while();
        let old = json!({"ids": [old_id]});
        let answer = world.admin().delete_named("/_security/api_key", &old);
        answer.unwrap().success().unwrap();
        a_while();
    });
    assert!(exports > 1);
    let (status, _, message) = service.next_page("raw", &of_old_key).error();
    assert!(status == 400 && message.contains("start over"), "{message}");

    // A password has no overlap: the file changes first, and is looked at before Elasticsearch knows.
    let flags = [world.flags().as_slice(), &uncached].concat();
    let service = world.serve(&flags);
    let new_password = "another-0123456789";
    let exports = while_exporting(&service, || {
        replace(&world, "password", new_password);
        let deadline = Instant::now() + Duration::from_secs(20);
        while !service
            .log()
            .contains("the credentials for Elasticsearch have changed")
        {
            assert!(Instant::now() < deadline, "{}", service.log());
            thread::sleep(Duration::from_millis(50));
        }
        a_while();
        world.put_user(&world.name(), new_password);
        a_while();
    });
    assert!(exports > 1);
    // The old one is not accepted any more, so it was the new one that worked.
    let (works, text) = world.check(
        &[
            world.authority().as_slice(),
            &[
                "--elasticsearch-username".to_owned(),
                world.name(),
                "--elasticsearch-password-file".to_owned(),
                world.file("old", PASSWORD),
            ],
        ]
        .concat(),
    );
    assert!(!works, "{text}");
    assert!(!service.log().contains(new_password));
}

#[test]
fn a_secured_node_that_hangs_in_the_handshake_is_left_alone() {
    let world = World::new();
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = format!("https://localhost:{}", hanging.local_addr().unwrap().port());
    let dead = format!("https://localhost:{}", free_address().port());
    let urls = [hanging, dead, world.server.url.clone()].join(",");
    let service = world.serve_at(&urls, &world.flags());
    let began = Instant::now();
    exports_everything(&service);
    exports_everything(&service);
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
}

#[test]
fn certificates_that_are_none_stop_the_start() {
    let world = World::new();
    let none = world.file("none.pem", "no certificate\n");
    let own = world.server.authority.client("me").unwrap();
    let (certificate, key) = (
        world.file("c.pem", &own.certificate),
        world.file("k.pem", &own.key),
    );
    for flags in [
        vec!["--elasticsearch-ca-file", &none],
        vec!["--elasticsearch-ca-file", "/no/such/file.pem"],
        vec!["--elasticsearch-server-certificate-file", &none],
        vec!["--elasticsearch-client-certificate-file", &certificate],
        vec!["--elasticsearch-client-key-file", &key],
        vec![
            "--elasticsearch-client-certificate-file",
            &none,
            "--elasticsearch-client-key-file",
            &key,
        ],
        vec![
            "--elasticsearch-client-certificate-file",
            &certificate,
            "--elasticsearch-client-key-file",
            &none,
        ],
    ] {
        let flags: Vec<String> = flags.into_iter().map(str::to_owned).collect();
        world.check_fails(&world.server.url, &flags, &flags[0]);
    }
}
