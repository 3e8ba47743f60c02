//! Several static tokens at once, and their rotation.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::documents::{instances, raw_report};
use crate::support::service::{command, free_address};
use crate::support::{Optimize, Service};

fn status(service: &Service, token: &str) -> u16 {
    let target = "/api/public/export/report/r/result/json?limit=0&paginationTimeout=60";
    let authorization = format!("Bearer {token}");
    service
        .request("GET", target, &[("Authorization", &authorization)])
        .status
}

#[test]
fn tokens_are_rotated_without_a_refused_request() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 1));
    optimize.store_report(raw_report("r", "order", json!({})));
    let file = tempfile::NamedTempFile::new().unwrap();
    let write = |text: &str| std::fs::write(file.path(), text).unwrap();
    write("lake: first-secret\nbi: other-secret\n");
    let path = file.path().display().to_string();
    let service = Service::start_with_tokens_of(
        &optimize.url,
        &optimize.prefix,
        &["--access-token-file", &path],
    );
    assert_eq!(status(&service, "first-secret"), 200);
    assert_eq!(status(&service, "other-secret"), 200);
    assert_eq!(status(&service, "second-secret"), 401);
    service.wait_for_log("client=\"bi\"");

    // The lake changes over: both tokens hold, then only the new one. Whoever has a token that holds is never refused.
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            let mut token = "first-secret";
            while !is_over.load(Ordering::Acquire) {
                assert_eq!(status(&service, token), 200, "{token}");
                if status(&service, "second-secret") == 200 {
                    token = "second-secret";
                }
            }
            token
        });
        write("lake: first-secret\nlake: second-secret\nbi: other-secret\n");
        wait_for(&service, "second-secret", 200);
        thread::sleep(Duration::from_millis(500));
        write("lake: second-secret\n");
        wait_for(&service, "first-secret", 401);
        is_over.store(true, Ordering::Release);
        assert_eq!(client.join().unwrap(), "second-secret");
    });
    assert_eq!(status(&service, "other-secret"), 401);

    // A file that is broken lets in whom it let in before.
    write("lake: not a token\n");
    service.wait_for_log("line 1");
    assert_eq!(status(&service, "second-secret"), 200);
    for secret in [
        "first-secret",
        "second-secret",
        "other-secret",
        "not a token",
    ] {
        assert!(!service.log().contains(secret), "{secret}");
    }
}

fn wait_for(service: &Service, token: &str, expected: u16) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while status(service, token) != expected {
        assert!(
            Instant::now() < deadline,
            "{token} never got {expected}: {}",
            service.log()
        );
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_file_without_a_usable_token_stops_the_start() {
    for text in ["", "# none yet\n", "lake: two words\n"] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let output = command(&["serve", "--listen", "127.0.0.1:0", "--access-token-file"])
            .arg(file.path())
            .args(["--management-listen", &free_address().to_string()])
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(
            !output.status.success() && error.contains("--access-token-file"),
            "{error}"
        );
        assert!(!error.contains("two words"), "{error}");
    }
}
