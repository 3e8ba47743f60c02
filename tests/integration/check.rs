//! The command line around the service: start-up errors, `check`, health checks.

use std::process::Output;

use serde_json::json;

use crate::support::documents::{instances, raw_report};
use crate::support::service::{command, free_address};
use crate::support::{Optimize, http};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    command(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn an_unknown_or_contradictory_setting_stops_the_start() {
    let listen = free_address().to_string();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "listenn: 127.0.0.1:1\n").unwrap();
    let config = file.path().to_str().unwrap();
    for (arguments, environment, expected) in [
        (vec!["serve", "--listenn", &listen], vec![], "--listenn"),
        (vec!["serve", "--listen", "nowhere"], vec![], "--listen"),
        (
            vec!["serve"],
            vec![("OPTIMIZE_EXPORT_MAX_LIMITT", "5")],
            "OPTIMIZE_EXPORT_MAX_LIMITT",
        ),
        (
            vec!["serve"],
            vec![("OPTIMIZE_EXPORT_MAX_LIMIT", "many")],
            "--max-limit",
        ),
        (vec!["serve", "--max-limit", "0"], vec![], "--max-limit"),
        (vec!["serve", "--config", config], vec![], "listenn"),
        (
            vec!["serve", "--config", "/no/such/file.yml"],
            vec![],
            "/no/such/file.yml",
        ),
        (
            vec!["serve", "--listen", &listen, "--management-listen", &listen],
            vec![],
            "--management-listen",
        ),
        (vec!["serve", "--log", "a=b=c"], vec![], "--log"),
        (vec!["fly"], vec![], "fly"),
    ] {
        let output = run(&arguments, &environment);
        assert!(!output.status.success(), "{arguments:?}");
        assert!(
            text(&output.stderr).contains(expected),
            "{arguments:?}: {}",
            text(&output.stderr)
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn help_prints_every_setting() {
    let help = text(&run(&["serve", "--help"], &[]).stdout);
    for setting in [
        "--listen",
        "--management-listen",
        "--context-path",
        "--elasticsearch-url",
        "--index-prefix",
        "--access-token-file",
        "OPTIMIZE_EXPORT_ACCESS_TOKEN",
        "OPTIMIZE_API_ACCESS_TOKEN",
        "--scroll-key-file",
        "--cache-ttl",
        "--lenient-parameters",
        "--object-variables",
        "--time-zone",
        "--assignee-analytics",
        "--aggregation-bucket-limit",
        "--max-limit",
        "--max-pagination-timeout",
        "--max-concurrent-exports",
        "CAMUNDA_OPTIMIZE_ELASTICSEARCH_SETTINGS_INDEX_PREFIX",
    ] {
        assert!(help.contains(setting), "{setting} is missing in {help}");
    }
}

/// The flags that a help text or a man page shows.
fn flags_in(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.trim().strip_prefix("--"))
        .filter_map(|line| line.split([' ', '[']).next())
        .collect()
}

#[test]
fn help_of_a_command_shows_what_matters_to_it() {
    let help = |command| text(&run(&[command, "--help"], &[]).stdout);
    let reports = help("reports");
    let mut of_reports = flags_in(&reports);
    of_reports.retain(|flag| !flag.starts_with("elasticsearch-"));
    of_reports.sort_unstable();
    assert_eq!(
        of_reports,
        ["assignee-analytics", "config", "format", "index-prefix"]
    );
    assert!(reports.contains("--elasticsearch-url"), "{reports}");
    let access = help("access");
    let mut of_access = flags_in(&access);
    of_access.retain(|flag| !flag.starts_with("elasticsearch-"));
    of_access.sort_unstable();
    assert_eq!(
        of_access,
        ["access-rules-file", "claim", "config", "index-prefix"]
    );
    let sync = help("sync");
    let of_sync = flags_in(&sync);
    for flag in ["index-prefix", "max-batch-memory", "scroll-key-file", "log"] {
        assert!(of_sync.contains(&flag), "{flag}");
    }
    for flag in ["listen", "tls-key-file", "access-token-file", "issuer"] {
        assert!(!of_sync.contains(&flag), "{flag}");
    }
    // What is hidden is understood: all commands may share a file or an environment.
    let output = run(
        &["reports", "--listen", "127.0.0.1:0", "--max-limit", "0"],
        &[],
    );
    let message = text(&output.stderr);
    assert!(message.contains("--max-limit"), "{message}");
}

#[test]
fn paragraphs_of_help_are_broken_once() {
    for command in ["export", "sync"] {
        let output = crate::support::service::command(&[command, "--help"])
            .env("COLUMNS", "80")
            .output()
            .unwrap();
        let help = text(&output.stdout);
        let (_, after) = help.split_once("xit codes:").unwrap();
        let lines: Vec<&str> = after.lines().collect();
        assert!(
            lines.iter().all(|line| line.chars().count() <= 80),
            "{help}"
        );
        // A line that ends early ends a paragraph, or the next word had no room.
        for pair in lines.windows(2) {
            let &[line, next] = pair else { unreachable!() };
            let next_word = next.split_whitespace().next().unwrap_or_default();
            let had_room = line.chars().count() + 1 + next_word.chars().count() <= 80;
            let ends = line.ends_with(['.', ':']) || line.is_empty() || next.trim().is_empty();
            let is_item = next.trim().starts_with(|c: char| c.is_ascii_digit());
            assert!(!had_room || ends || is_item, "{line:?} / {next:?}");
        }
    }
}

#[test]
fn check_says_what_it_found() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 1));
    optimize.store_report(raw_report("r", "order", json!({})));
    let arguments = [
        "check",
        "--elasticsearch-url",
        &optimize.url,
        "--index-prefix",
        &optimize.prefix,
    ];
    let token = [("OPTIMIZE_EXPORT_ACCESS_TOKEN", "token")];
    let good = run(&arguments, &token);
    let output = text(&good.stdout);
    assert!(good.status.success(), "{output}");
    assert!(
        output.contains("1 process, 0 decision, 0 combined")
            && output.contains("This configuration can work."),
        "{output}"
    );

    let no_token = run(&arguments, &[]);
    assert_eq!(no_token.status.code(), Some(1));
    assert!(text(&no_token.stdout).contains("--access-token-file"));

    let wrong_prefix = run(
        &[
            "check",
            "--elasticsearch-url",
            &optimize.url,
            "--index-prefix",
            "nobody",
        ],
        &token,
    );
    assert_eq!(wrong_prefix.status.code(), Some(1));
    assert!(text(&wrong_prefix.stdout).contains("nobody-single-process-report"));

    let nowhere = format!("http://{}", free_address());
    let away = run(&["check", "--elasticsearch-url", &nowhere], &token);
    assert_eq!(away.status.code(), Some(1));
    assert!(text(&away.stdout).contains("can't be reached"));
}

#[test]
fn health_is_told_without_a_token() {
    let optimize = Optimize::install();
    let service = optimize.serve();
    let get = |path: &str| {
        http::send(
            service.management,
            format!("GET {path} HTTP/1.1\r\nHost: t").as_bytes(),
        )
    };
    assert_eq!(get("/health/live").ok()["status"], "alive");
    assert_eq!(get("/health/ready").ok()["status"], "ready");
    assert_eq!(get("/health/other").status, 404);
    let address = service.management.to_string();
    assert!(
        run(&["healthcheck", "--address", &address], &[])
            .status
            .success()
    );

    let nowhere = format!("http://{}", free_address());
    let away = crate::support::Service::start(&nowhere, "x", &[], &[]);
    let ready = http::send(away.management, b"GET /health/ready HTTP/1.1\r\nHost: t");
    assert_eq!(ready.status, 503);
    assert!(
        ready.json()["problem"]
            .as_str()
            .unwrap()
            .contains("can't be reached")
    );
    assert_eq!(
        run(
            &["healthcheck", "--address", &away.management.to_string()],
            &[]
        )
        .status
        .code(),
        Some(1)
    );
    assert_eq!(
        run(
            &["healthcheck", "--address", &free_address().to_string()],
            &[]
        )
        .status
        .code(),
        Some(1)
    );
}

#[test]
fn every_setting_works_from_the_file() {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", 3));
    optimize.store_report(raw_report("r", "order", json!({})));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "max-limit: 2\ncontext-path: /from/file\n").unwrap();
    let service = optimize.serve_with(&["--config", file.path().to_str().unwrap()]);
    let page = |limit| {
        service.get(&format!(
            "/from/file/api/public/export/report/r/result/json?limit={limit}&paginationTimeout=60"
        ))
    };
    assert_eq!(page(2).ok()["numberOfRecordsInResponse"], 2);
    assert_eq!(page(3).status, 400);
}
