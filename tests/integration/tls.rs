//! The export over TLS, and its certificate renewed under way.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use cluster::tls::http_client;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;

use crate::support::documents::{instances, raw_report};
use crate::support::{Optimize, Service, TOKEN, runtime};

/// An authority that clients trust.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes a certificate for this machine and its key.
    fn issue(&self, folder: &Path) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        // The key first: the pair is only good when both are there.
        std::fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
        std::fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
    }

    /// Status and body of an export, from a client that trusts nobody else.
    fn export(&self, service: &Service) -> Result<(u16, String), reqwest::Error> {
        let authority = reqwest::Certificate::from_pem(self.0.pem().as_bytes()).unwrap();
        let url = format!(
            "https://{}/api/public/export/report/r/result/json?limit=10&paginationTimeout=60",
            service.address
        );
        runtime().block_on(async {
            let client = http_client()
                .tls_built_in_root_certs(false)
                .add_root_certificate(authority)
                .no_proxy()
                .build()?;
            let answer = client.get(url).bearer_auth(TOKEN).send().await?;
            let status = answer.status().as_u16();
            Ok((status, answer.text().await?))
        })
    }
}

#[test]
fn the_certificate_is_renewed_without_a_restart() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_report(raw_report("r", "order", json!({})));
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Authority::new(), Authority::new());
    old.issue(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    let service = optimize.serve_with(&[
        "--tls-certificate-file",
        &file("tls.crt"),
        "--tls-key-file",
        &file("tls.key"),
    ]);

    let (status, body) = old.export(&service).unwrap();
    assert!(status == 200 && body.contains("i-002"), "{status} {body}");
    assert!(
        new.export(&service).is_err(),
        "an authority that is not trusted"
    );
    let plain = std::panic::catch_unwind(|| service.first_page("r", 1));
    assert!(plain.is_err(), "no plain HTTP on the port of TLS");

    // A pair that does not go together changes nothing.
    std::fs::write(
        folder.path().join("tls.key"),
        KeyPair::generate().unwrap().serialize_pem(),
    )
    .unwrap();
    service.wait_for_log("what was in force stays");
    assert!(old.export(&service).is_ok());

    new.issue(folder.path());
    let deadline = Instant::now() + Duration::from_secs(20);
    while new.export(&service).is_err() {
        assert!(Instant::now() < deadline, "{}", service.log());
        thread::sleep(Duration::from_millis(200));
    }
    assert!(old.export(&service).is_err());
    assert!(!service.log().contains("PRIVATE KEY"));
}

#[test]
fn a_certificate_that_can_not_be_used_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    Authority::new().issue(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    for flags in [
        vec!["--tls-certificate-file".to_owned(), file("tls.crt")],
        vec![
            "--tls-certificate-file".to_owned(),
            file("missing"),
            "--tls-key-file".to_owned(),
            file("tls.key"),
        ],
        vec![
            "--tls-certificate-file".to_owned(),
            file("tls.key"),
            "--tls-key-file".to_owned(),
            file("tls.crt"),
        ],
    ] {
        let output = crate::support::service::command(&["serve", "--listen", "127.0.0.1:0"])
            .args(["--management-listen", "127.0.0.1:0"])
            .args(&flags)
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && error.contains("--tls-"),
            "{flags:?}: {error}"
        );
        assert!(!error.contains("PRIVATE"), "{error}");
    }
}

#[test]
fn the_command_exports_over_tls_from_a_service_whose_authority_it_is_told() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_report(raw_report("r", "order", json!({})));
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    authority.issue(folder.path());
    let file = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(file("ca.pem"), authority.0.pem()).unwrap();
    // The same file of tokens serves both sides.
    std::fs::write(file("tokens"), format!("# for tests\nlake: {TOKEN}\n")).unwrap();
    let flags = [
        "--tls-certificate-file",
        &file("tls.crt"),
        "--tls-key-file",
        &file("tls.key"),
        "--access-token-file",
        &file("tokens"),
    ];
    let service = Service::start_with_tokens_of(&optimize.url, &optimize.prefix, &flags);

    let url = format!("https://{}", service.address);
    let export = |flags: &[&str]| {
        let output = crate::support::service::command(&["export", "r", "--url", &url])
            .args(["--access-token-file", &file("tokens"), "--retries", "0"])
            .args(flags)
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, message) = export(&["-o", &file("rows.jsonl"), "--ca-file", &file("ca.pem")]);
    assert_eq!(code, Some(0), "{message}");
    let rows = std::fs::read_to_string(file("rows.jsonl")).unwrap();
    assert_eq!(rows.lines().count(), 3, "{rows}");
    let (code, message) = export(&["-o", &file("other.jsonl")]);
    assert!(
        code != Some(0) && !Path::new(&file("other.jsonl")).exists(),
        "{message}"
    );
}
