//! `export`: a whole report into a file, whatever happens on the way.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::indices::Index;

use crate::support::documents::{
    decision, decision_report, instance, instances, raw_report, report, selection,
};
use crate::support::gate::{Gate, answer};
use crate::support::proxy::{Mode, Proxy};
use crate::support::service::{command, free_address};
use crate::support::{Optimize, Service, TOKEN};

/// `export` from the service at `address`, with more arguments.
pub fn export_from(address: SocketAddr, arguments: &[&str]) -> Command {
    let mut command = command(&["export", "--url", &format!("http://{address}")]);
    command
        .args(arguments)
        .env("OPTIMIZE_EXPORT_ACCESS_TOKEN", TOKEN)
        .stdin(Stdio::null());
    command
}

pub fn run(address: SocketAddr, arguments: &[&str]) -> Output {
    export_from(address, arguments).output().unwrap()
}

#[track_caller]
pub fn assert_code(output: &Output, code: i32) -> String {
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(
        !message.contains(TOKEN),
        "a token must not be shown: {message}"
    );
    message
}

/// A folder, and the path of a file in it.
pub fn file(name: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name).to_str().unwrap().to_owned();
    (folder, path)
}

/// The rows of a complete file of either format.
pub fn rows(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    if path.ends_with(".json") {
        return serde_json::from_str(&text).unwrap();
    }
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn ids(path: &str) -> Vec<String> {
    let id = |row: &Value| row["processInstanceId"].as_str().unwrap().to_owned();
    rows(path).iter().map(id).collect()
}

/// The ids are `i-000`, `i-001`, … up to this number, each once.
#[track_caller]
fn assert_all_ids(path: &str, count: usize) {
    let mut ids = ids(path);
    ids.sort();
    let expected: Vec<String> = (0..count).map(|number| format!("i-{number:03}")).collect();
    assert_eq!(ids.len(), count);
    assert_eq!(ids, expected);
}

pub fn optimize_with(count: usize) -> Optimize {
    let optimize = Optimize::install();
    optimize.store_instances("order", instances("order", count));
    optimize.store_report(raw_report("r", "order", json!({})));
    optimize
}

#[test]
fn all_pages_are_written_in_either_format() {
    let optimize = optimize_with(250);
    let service = optimize.serve();
    let expected = service.all_rows("r", 100);
    for name in ["rows.jsonl", "rows.json", "rows.ndjson"] {
        let (_folder, path) = file(name);
        let output = run(service.address, &["r", "-o", &path, "--page-size", "40"]);
        let message = assert_code(&output, 0);
        assert!(message.contains("250 rows"), "{message}");
        assert!(output.stdout.is_empty());
        assert_eq!(rows(&path), expected, "{name}");
    }
    let (_folder, path) = file("array.txt");
    assert_code(
        &run(service.address, &["r", "-o", &path, "--format", "json"]),
        0,
    );
    let array: Vec<Value> = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(array, expected);
    // Members keep the order in which the service sends them, which a parsed object may lose.
    let row = fs::read_to_string(&path).unwrap();
    assert!(
        row.lines()
            .nth(1)
            .unwrap()
            .starts_with("{\"processDefinitionKey\":"),
        "{row}"
    );

    let standard = run(service.address, &["r", "-o", "-", "--page-size", "40"]);
    assert_code(&standard, 0);
    assert_eq!(
        String::from_utf8(standard.stdout).unwrap().lines().count(),
        250
    );
}

/// Waits until a file has so many bytes.
fn wait_for_bytes(path: &str, bytes: u64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while fs::metadata(path).map_or(0, |metadata| metadata.len()) < bytes {
        assert!(Instant::now() < deadline, "{path} does not grow");
        thread::sleep(Duration::from_millis(10));
    }
}

/// An export that stands still after its first page, because its service sends no more.
fn export_that_hangs(service: &Service, path: &str) -> (Child, Proxy) {
    let proxy = Proxy::start(&format!("http://{}", service.address));
    proxy.set_for("searchRequestId", 1, Mode::HoldAfter(0));
    let child = export_from(proxy.address, &["r", "-o", path, "--page-size", "100"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_bytes(path, 20_000);
    // The first page is being written still: what is killed now may end within a row.
    let size = || fs::metadata(path).unwrap().len();
    let mut before = 0;
    while before < size() {
        before = size();
        thread::sleep(Duration::from_millis(500));
    }
    (child, proxy)
}

#[test]
fn an_export_that_was_killed_is_resumed_without_gap_or_repetition() {
    let optimize = optimize_with(400);
    let service = optimize.serve();
    for name in ["rows.jsonl", "rows.json"] {
        let (_folder, path) = file(name);
        let (mut child, _proxy) = export_that_hangs(&service, &path);
        child.kill().unwrap();
        child.wait().unwrap();
        let before = fs::read(&path).unwrap();
        // A crash may leave the beginning of a row too.
        let separator = if name == "rows.json" { ",\n" } else { "" };
        let torn =
            format!("{separator}{{\"processDefinitionKey\":\"order\",\"processInstanceId\":\"i-3");
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(torn.as_bytes())
            .unwrap();

        let without = run(service.address, &["r", "-o", &path]);
        assert!(assert_code(&without, 1).contains("--resume"));
        let resumed = run(service.address, &["r", "-o", &path, "--resume"]);
        let message = assert_code(&resumed, 0);
        assert!(
            message.contains("400 rows (") && message.contains("new)"),
            "{message}"
        );
        assert_all_ids(&path, 400);
        assert!(
            fs::read(&path).unwrap().starts_with(&before),
            "what was there stays"
        );
    }
}

#[test]
fn an_export_that_is_asked_to_stop_says_how_to_go_on() {
    let optimize = optimize_with(400);
    let service = optimize.serve();
    for signal in ["-TERM", "-INT"] {
        let (_folder, path) = file("rows.jsonl");
        let (child, _proxy) = export_that_hangs(&service, &path);
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let output = child.wait_with_output().unwrap();
        let message = assert_code(&output, 3);
        assert!(
            message.contains("interrupted") && message.contains("--resume"),
            "{message}"
        );
        assert_code(&run(service.address, &["r", "-o", &path, "--resume"]), 0);
        assert_all_ids(&path, 400);
    }
}

#[test]
fn a_page_that_breaks_off_is_made_up_for() {
    let optimize = optimize_with(400);
    let service = optimize.serve();
    let (_folder, path) = file("rows.json");
    let (child, proxy) = export_that_hangs(&service, &path);
    // The second page breaks, and so does whatever is asked for during a while.
    proxy.set(Mode::CutAfter(0));
    thread::sleep(Duration::from_millis(1_500));
    proxy.set(Mode::Pass);
    let message = assert_code(&child.wait_with_output().unwrap(), 0);
    assert!(message.contains("from its beginning"), "{message}");
    assert_all_ids(&path, 400);
}

#[test]
fn a_scroll_that_is_gone_is_started_over() {
    let optimize = optimize_with(100);
    let service = optimize.serve();
    let body = r#"{"errorCode":"badRequestError","errorMessage":"m","detailedMessage":"start over, please","reportDefinition":null}"#;
    let gate = Gate::start(service.address, [(2, answer("400 Bad Request", "", body))]);
    let (_folder, path) = file("rows.jsonl");
    let message = assert_code(
        &run(gate.address, &["r", "-o", &path, "--page-size", "30"]),
        0,
    );
    assert!(message.contains("start over, please"), "{message}");
    assert_all_ids(&path, 100);
    let is_first: Vec<bool> = gate
        .requests()
        .iter()
        .map(|line| !line.contains("searchRequestId"))
        .collect();
    assert_eq!(
        is_first,
        [true, false, false, true, false, false, false, false]
    );
}

#[test]
fn a_busy_service_is_asked_again_when_it_says() {
    let optimize = optimize_with(100);
    let service = optimize.serve();
    let busy = answer(
        "429 Too Many Requests",
        "Retry-After: 1\r\n",
        r#"{"detailedMessage":"too many exports"}"#,
    );
    let away = answer(
        "503 Service Unavailable",
        "Retry-After: 2\r\n",
        "not even JSON",
    );
    let gate = Gate::start(service.address, [(0, busy.clone()), (2, away), (4, busy)]);
    let (_folder, path) = file("rows.jsonl");
    let began = Instant::now();
    let message = assert_code(
        &run(gate.address, &["r", "-o", &path, "--page-size", "30"]),
        0,
    );
    assert!(began.elapsed() >= Duration::from_secs(4), "{message}");
    for part in ["too many exports", "in 1 s", "in 2 s", "(1 of 10)"] {
        assert!(message.contains(part), "{part} is missing in {message}");
    }
    // The scroll is still good: nothing was read twice.
    assert_eq!(gate.requests().len(), 8);
    assert_all_ids(&path, 100);
}

#[test]
fn a_service_that_stays_away_is_given_up_and_can_be_gone_on_with() {
    let optimize = optimize_with(100);
    let service = optimize.serve();
    let away = answer("503 Service Unavailable", "Retry-After: 0\r\n", "");
    let gate = Gate::start(
        service.address,
        (2..20).map(|number| (number, away.clone())),
    );
    let (_folder, path) = file("rows.jsonl");
    let message = assert_code(
        &run(
            gate.address,
            &["r", "-o", &path, "--page-size", "30", "--retries", "3"],
        ),
        3,
    );
    assert!(
        message.contains("not available") && message.contains("--resume"),
        "{message}"
    );
    assert_eq!(gate.requests().len(), 2 + 4);
    assert_eq!(ids(&path).len(), 60);
    assert_code(&run(service.address, &["r", "-o", &path, "--resume"]), 0);
    assert_all_ids(&path, 100);

    let (_folder, path) = file("nothing.jsonl");
    assert_code(
        &run(free_address(), &["r", "-o", &path, "--retries", "1"]),
        3,
    );
    assert!(!Path::new(&path).exists());

    let patient = answer("429 Too Many Requests", "Retry-After: 86400\r\n", "");
    let gate = Gate::start(service.address, [(0, patient)]);
    let message = assert_code(&run(gate.address, &["r", "-o", &path]), 3);
    assert!(message.contains("86400 seconds"), "{message}");
}

#[test]
fn a_refusal_changes_no_file() {
    let optimize = optimize_with(1);
    let combined = json!({"id": "c", "name": "both", "combined": true, "reportType": "process", "data": {"reports": []}});
    optimize.store(Index::CombinedReport, [("c", combined)]);
    let service = optimize.serve();
    let (_folder, path) = file("rows.jsonl");
    for (report_id, token, expected) in [
        ("r", "wrong", "401"),
        ("missing", TOKEN, "does not exist"),
        ("c", TOKEN, "Combined reports"),
    ] {
        let mut command = export_from(service.address, &[report_id, "-o", &path]);
        let output = command
            .env("OPTIMIZE_EXPORT_ACCESS_TOKEN", token)
            .output()
            .unwrap();
        let message = assert_code(&output, 4);
        assert!(message.contains(expected), "{message}");
        assert!(!message.contains("0 rows"), "{message}");
        assert!(!Path::new(&path).exists());
    }
    fs::write(&path, "precious\n").unwrap();
    assert_code(
        &run(service.address, &["missing", "-o", &path, "--force"]),
        4,
    );
    assert_code(&run(service.address, &["r", "-o", &path]), 1);
    let message = assert_code(&run(service.address, &["r", "-o", &path, "--resume"]), 1);
    assert!(message.contains("line 1"), "{message}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious\n");
    assert_code(&run(service.address, &["r", "-o", &path, "--force"]), 0);
    assert_all_ids(&path, 1);
}

#[test]
fn settings_that_can_not_work_are_told() {
    let address = free_address();
    let (folder, path) = file("rows.jsonl");
    for arguments in [
        &["r"][..],
        &["-o", &path],
        &["r", "-o", &path, "--page-size", "0"],
        &["r", "-o", &path, "--page-size", "10001"],
        &["r", "-o", &path, "--resume", "--force"],
        &["r", "-o", &path, "--format", "xml"],
    ] {
        assert_code(&run(address, arguments), 2);
    }
    let no_pem = folder.path().join("no.pem");
    fs::write(
        &no_pem,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    let missing = folder
        .path()
        .join("no/such/file")
        .to_str()
        .unwrap()
        .to_owned();
    for arguments in [
        &["r", "-o", &path, "--ca-file", &missing][..],
        &["r", "-o", &path, "--ca-file", no_pem.to_str().unwrap()],
        &["r", "-o", "-", "--resume"],
        &["r", "-o", &path, "--access-token-file", &missing],
    ] {
        assert_code(&run(address, arguments), 1);
    }
    let mut no_token = export_from(address, &["r", "-o", &path]);
    let message = assert_code(
        &no_token
            .env_remove("OPTIMIZE_EXPORT_ACCESS_TOKEN")
            .output()
            .unwrap(),
        1,
    );
    assert!(message.contains("--access-token-file"), "{message}");
    let mut misspelt = export_from(address, &["r", "-o", &path]);
    let message = assert_code(
        &misspelt
            .env("OPTIMIZE_EXPORT_PAGESIZE", "5")
            .output()
            .unwrap(),
        1,
    );
    assert!(message.contains("OPTIMIZE_EXPORT_PAGESIZE"), "{message}");
}

#[test]
fn settings_come_from_the_environment_too() {
    let optimize = optimize_with(10);
    let service = optimize.serve_with(&["--context-path", "/optimize"]);
    let (folder, path) = file("rows.jsonl");
    let token_file = folder.path().join("token");
    fs::write(&token_file, format!("{TOKEN}\n")).unwrap();
    let output = command(&["export", "r", "-o", &path])
        .env(
            "OPTIMIZE_EXPORT_URL",
            format!("http://{}/optimize", service.address),
        )
        .env("OPTIMIZE_EXPORT_ACCESS_TOKEN_FILE", &token_file)
        .env("OPTIMIZE_EXPORT_PAGE_SIZE", "3")
        .env("OPTIMIZE_EXPORT_MAX_LIMIT", "9")
        .output()
        .unwrap();
    assert_code(&output, 0);
    assert_all_ids(&path, 10);
}

#[test]
fn an_answer_that_can_not_be_right_is_not_taken_for_an_export() {
    let (_folder, path) = file("rows.jsonl");
    let nobody = free_address();
    let html = answer("200 OK", "", "<html>a login page</html>");
    let message = assert_code(
        &run(
            Gate::start(nobody, [(0, html)]).address,
            &["r", "-o", &path],
        ),
        1,
    );
    assert!(message.contains("not that of an export"), "{message}");
    let moved = answer("302 Found", "Location: http://127.0.0.1:1/\r\n", "");
    let message = assert_code(
        &run(
            Gate::start(nobody, [(0, moved)]).address,
            &["r", "-o", &path],
        ),
        1,
    );
    assert!(message.contains("302"), "{message}");
    assert!(!Path::new(&path).exists());

    // Somebody between service and client loses a page.
    let first = r#"{"searchRequestId":"s","totalNumberOfRecords":2,"data":[{"processInstanceId":"i-000"}],"numberOfRecordsInResponse":1}"#;
    let last = r#"{"searchRequestId":"s","totalNumberOfRecords":2,"data":[],"numberOfRecordsInResponse":0}"#;
    let answers = (0..8).map(|number| {
        (
            number,
            answer("200 OK", "", if number % 2 == 0 { first } else { last }),
        )
    });
    let message = assert_code(
        &run(
            Gate::start(nobody, answers).address,
            &["r", "-o", &path, "--retries", "2"],
        ),
        3,
    );
    assert!(message.contains("only 1 of 2 rows arrived"), "{message}");
    assert_all_ids(&path, 1);
}

#[test]
fn a_complete_file_gets_the_rows_of_new_instances() {
    let optimize = optimize_with(20);
    let service = optimize.serve();
    for name in ["rows.jsonl", "rows.json"] {
        let (_folder, path) = file(name);
        assert_code(&run(service.address, &["r", "-o", &path]), 0);
        let before = fs::read(&path).unwrap();
        assert_code(&run(service.address, &["r", "-o", &path, "--resume"]), 0);
        assert_eq!(fs::read(&path).unwrap(), before, "there was nothing new");
    }
    let (_folder, path) = file("rows.json");
    assert_code(&run(service.address, &["r", "-o", &path]), 0);
    optimize.store_instances(
        "order",
        (20..25).map(|n| instance("order", &format!("i-{n:03}"), json!({}))),
    );
    let message = assert_code(&run(service.address, &["r", "-o", &path, "--resume"]), 0);
    assert!(message.contains("25 rows (5 of them new)"), "{message}");
    assert_all_ids(&path, 25);
}

#[test]
fn decision_instances_are_told_apart_by_their_own_ids() {
    let optimize = Optimize::install();
    let of_one_process = |n: usize| {
        decision(
            "discount",
            &format!("d-{n}"),
            json!({"processInstanceId": "p"}),
        )
    };
    optimize.store_decisions("discount", (0..30).map(of_one_process));
    optimize.store_report(decision_report("d", "discount", json!({})));
    let service = optimize.serve();
    let (_folder, path) = file("rows.jsonl");
    assert_code(
        &run(service.address, &["d", "-o", &path, "--page-size", "7"]),
        0,
    );
    assert_eq!(rows(&path).len(), 30);
    let message = assert_code(&run(service.address, &["d", "-o", &path, "--resume"]), 0);
    assert!(message.contains("30 rows (0 of them new)"), "{message}");
}

#[test]
fn reports_that_aggregate_are_written_as_they_are() {
    let optimize = optimize_with(3);
    let counting = |id: &str, group: Value| {
        report(
            id,
            json!({
                "definitions": [selection("order")],
                "view": {"entity": "processInstance", "properties": ["frequency"]},
                "groupBy": group,
                "configuration": {},
            }),
        )
    };
    optimize.store_report(counting("number", json!({"type": "none"})));
    optimize.store_report(counting(
        "months",
        json!({"type": "startDate", "value": {"unit": "month"}}),
    ));
    optimize.store_report(raw_report(
        "none",
        "order",
        json!({"definitions": [{"key": "order", "versions": ["7"], "tenantIds": [null]}]}),
    ));
    let service = optimize.serve();
    let written = |id: &str, name: &str| {
        let (_folder, path) = file(name);
        assert_code(&run(service.address, &[id, "-o", &path]), 0);
        fs::read_to_string(&path).unwrap()
    };
    assert_eq!(written("number", "n.json"), "3.0\n");
    assert_eq!(written("number", "n.jsonl"), "3.0\n");
    let expected = service.first_page("months", 10).ok()["data"].clone();
    assert_eq!(
        serde_json::from_str::<Value>(&written("months", "m.json")).unwrap(),
        expected
    );
    let lines = written("months", "m.jsonl");
    let entries: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(json!(entries), expected);
    assert_eq!(written("none", "none.json"), "[]\n");
    assert_eq!(written("none", "none.jsonl"), "");

    let (_folder, path) = file("rows.jsonl");
    assert_code(&run(service.address, &["r", "-o", &path]), 0);
    assert_code(
        &run(service.address, &["months", "-o", &path, "--resume"]),
        1,
    );
    assert_all_ids(&path, 3);
}

#[test]
fn shells_and_man_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = command(&["completions", shell]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        for word in [
            "healthcheck",
            "schema",
            "pagination-timeout",
            "resume",
            "columns",
        ] {
            assert!(text.contains(word), "{word} is missing for {shell}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    for _ in 0..2 {
        let output = command(&["man", pages.to_str().unwrap()]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let page = |command| fs::read_to_string(pages.join(format!("optimize-export-{command}.1")));
    let export = page("export").unwrap();
    assert!(export.contains("\\-\\-resume"), "{export}");
    assert!(export.contains("OPTIMIZE_EXPORT_PAGE_SIZE"), "{export}");
    let serve = page("serve").unwrap();
    assert!(serve.contains("OPTIMIZE_EXPORT_INDEX_PREFIX"), "{serve}");
}
