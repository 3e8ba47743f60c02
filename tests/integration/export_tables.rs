//! `export` of tables and `schema`: the formats that tools read, whole or not at all.

use std::fs::{self, File};
use std::io::{Cursor, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use arrow_ipc::reader::StreamReader;
use flate2::read::GzDecoder;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};

use crate::export_command::{assert_code, export_from, file, optimize_with, rows, run};
use crate::support::gate::{Gate, answer};
use crate::support::proxy::{Mode, Proxy};
use crate::support::service::{command, free_address};
use crate::support::{Service, TOKEN};

/// A file in a folder of its own, exported with more arguments.
#[track_caller]
fn exported(address: SocketAddr, name: &str, arguments: &[&str]) -> Vec<u8> {
    let (folder, path) = file(name);
    let output = run(address, &[&["r", "-o", &path], arguments].concat());
    assert_code(&output, 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{name}");
    fs::read(path).unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn gunzip(bytes: &[u8]) -> String {
    let mut text = String::new();
    GzDecoder::new(bytes).read_to_string(&mut text).unwrap();
    text
}

fn names(path: &str) -> Vec<String> {
    let folder = Path::new(path).parent().unwrap();
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn the_name_of_a_file_tells_its_format() {
    let optimize = optimize_with(250);
    let service = optimize.serve();
    let address = service.address;
    let csv = text(exported(address, "r.csv", &[]));
    assert!(csv.starts_with("processDefinitionKey,"), "{csv}");
    assert_eq!(csv.matches("\r\n").count(), 251);
    assert_eq!(gunzip(&exported(address, "r.csv.gz", &[])), csv);
    let zstd = exported(address, "r.csv.zst", &[]);
    assert_eq!(text(zstd::decode_all(&zstd[..]).unwrap()), csv);
    assert_eq!(text(exported(address, "r.txt", &["--format", "csv"])), csv);
    assert_eq!(text(exported(address, "r.json", &["--format", "csv"])), csv);

    let parquet = bytes::Bytes::from(exported(address, "r.parquet", &[]));
    let reader = SerializedFileReader::new(parquet).unwrap();
    assert_eq!(reader.metadata().file_metadata().num_rows(), 250);
    let arrow = exported(address, "r.arrows", &[]);
    let reader = StreamReader::try_new(Cursor::new(arrow), None).unwrap();
    let rows: usize = reader.map(|batch| batch.unwrap().num_rows()).sum();
    assert_eq!(rows, 250);

    let lines = text(exported(address, "r.jsonl", &[]));
    assert_eq!(
        gunzip(&exported(address, "r.jsonl.gz", &["--page-size", "40"])),
        lines
    );
    // A table of whole instances has the very same rows.
    let streamed = text(exported(address, "r.ndjson", &["--table", "instances"]));
    assert_eq!(streamed, lines);
    let array: Value = serde_json::from_str(&gunzip(&exported(address, "r.json.gz", &[]))).unwrap();
    assert_eq!(array.as_array().unwrap().len(), 250);

    let standard = run(address, &["r", "-o", "-", "--format", "csv"]);
    assert!(assert_code(&standard, 0).contains("250 rows"));
    assert_eq!(text(standard.stdout), csv);
}

#[test]
fn a_part_of_a_report_is_asked_for_with_flags() {
    let optimize = optimize_with(3);
    let service = optimize.serve();
    let address = service.address;
    let columns = ["--columns", "processInstanceId,state", "--order", "any"];
    let csv = text(exported(
        address,
        "r.csv",
        &[
            &columns[..],
            &["--delimiter", ";", "--bom", "--formulas", "text"],
        ]
        .concat(),
    ));
    assert!(
        csv.starts_with("\u{feff}processInstanceId;state\r\n"),
        "{csv}"
    );
    assert_eq!(csv.lines().count(), 4);
    let (_folder, path) = file("r.jsonl");
    let output = run(address, &[&["r", "-o", &path], &columns[..]].concat());
    assert!(assert_code(&output, 0).contains("3 rows"));
    for row in rows(&path) {
        assert_eq!(row.as_object().unwrap().len(), 2, "{row}");
    }
    let flow_nodes = text(exported(address, "r.csv", &["--table", "flowNodes"]));
    assert!(flow_nodes.starts_with("processInstanceId,"), "{flow_nodes}");

    let (_folder, path) = file("r.csv");
    for wrong in [["--table", "no-such"], ["--columns", "no-such"]] {
        let output = run(address, &[&["r", "-o", &path], &wrong[..]].concat());
        let message = assert_code(&output, 4);
        assert!(
            message.contains("no-such") && !message.contains("0 rows"),
            "{message}"
        );
        assert!(names(&path).is_empty());
    }
}

#[test]
fn a_table_that_breaks_off_is_started_anew() {
    let optimize = optimize_with(400);
    let service = optimize.serve();
    let expected = exported(service.address, "r.csv", &[]);
    for (name, kind) in [
        ("r.csv", "csv"),
        ("r.parquet", "parquet"),
        ("r.arrows", "arrow"),
    ] {
        let proxy = Proxy::start(&format!("http://{}", service.address));
        proxy.set_for(&format!("/result/{kind}"), 2, Mode::CutAfter(800));
        let (_folder, path) = file(name);
        let message = assert_code(&run(proxy.address, &["r", "-o", &path]), 0);
        assert!(
            message.contains("from the beginning in 2 s (2 of 10)"),
            "{message}"
        );
        assert_eq!(names(&path), [name]);
        if kind == "csv" {
            assert_eq!(fs::read(&path).unwrap(), expected);
        }
    }
}

/// The beginning of a table whose rest does not come.
fn beginning() -> Vec<u8> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\n";
    format!("{head}6\r\na\r\n1\r\n\r\n").into_bytes()
}

/// All of it.
fn whole() -> String {
    answer(
        "200 OK",
        "Content-Type: text/csv\r\nOptimize-Export-Total-Records: 1\r\n",
        "a\r\n1\r\n",
    )
}

/// A proxy that has to answer by itself. It connects to its target all the same.
fn proxy_without_service() -> Proxy {
    let gate = Gate::start(free_address(), []);
    Proxy::start(&format!("http://{}", gate.address))
}

/// An export that stands still in the middle. Its file has got the bytes that came.
fn export_that_hangs(path: &str, arguments: &[&str]) -> (Child, Proxy) {
    let proxy = proxy_without_service();
    proxy.set(Mode::AnswerAndHold(beginning()));
    let child = export_from(proxy.address, &[&["r", "-o", path], arguments].concat())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !names(path).iter().any(|name| name.starts_with('.')) {
        assert!(Instant::now() < deadline, "no temporary file");
        thread::sleep(Duration::from_millis(10));
    }
    (child, proxy)
}

#[test]
fn nothing_is_left_of_an_export_that_is_asked_to_stop() {
    for (signal, name) in [
        ("-TERM", "r.csv"),
        ("-INT", "r.csv.gz"),
        ("-INT", "r.csv.zst"),
    ] {
        let (_folder, path) = file(name);
        let (child, _proxy) = export_that_hangs(&path, &[]);
        let pid = child.id().to_string();
        let killed = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(killed.success());
        let message = assert_code(&child.wait_with_output().unwrap(), 3);
        assert!(
            message.contains("interrupted") && !message.contains("--resume"),
            "{message}"
        );
        assert!(names(&path).is_empty(), "{:?}", names(&path));
    }
}

#[test]
fn what_a_killed_export_left_is_removed_by_the_next_one() {
    let (_folder, path) = file("r.csv");
    fs::write(&path, "precious").unwrap();
    let (mut child, _proxy) = export_that_hangs(&path, &["--force"]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names(&path).len(), 2);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    let gate = Gate::start(free_address(), [(0, whole())]);
    assert_code(&run(gate.address, &["r", "-o", &path, "--force"]), 0);
    assert_eq!(names(&path), ["r.csv"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a\r\n1\r\n");
}

#[test]
fn two_exports_can_not_write_one_table() {
    let (_folder, path) = file("r.csv");
    let (mut child, _proxy) = export_that_hangs(&path, &[]);
    let gate = Gate::start(free_address(), [(0, whole())]);
    let message = assert_code(&run(gate.address, &["r", "-o", &path]), 1);
    assert!(message.contains("another export"), "{message}");
    assert_eq!(names(&path).len(), 1, "that of the other one");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_went_to_the_standard_output_can_not_be_started_anew() {
    let proxy = proxy_without_service();
    proxy.set(Mode::Answer(beginning()));
    let output = run(proxy.address, &["r", "-o", "-", "--format", "csv"]);
    let message = assert_code(&output, 3);
    assert!(message.contains("can't be started anew"), "{message}");
    assert_eq!(output.stdout, b"a\r\n1\r\n");
}

#[test]
fn rows_that_are_missing_are_noticed() {
    let short = whole().replace("Total-Records: 1", "Total-Records: 2");
    let gate = Gate::start(free_address(), (0..3).map(|number| (number, short.clone())));
    let (_folder, path) = file("r.csv");
    let message = assert_code(&run(gate.address, &["r", "-o", &path, "--retries", "1"]), 3);
    assert!(
        message.contains("1 rows arrived, and the service counts 2"),
        "{message}"
    );
    assert!(names(&path).is_empty());
    assert_eq!(gate.requests().len(), 2);
}

#[test]
fn names_and_flags_that_can_not_work_are_told() {
    let address = free_address();
    for (name, arguments, words) in [
        ("r.txt", &[][..], ".parquet"),
        ("r", &[], ".parquet"),
        ("r.json", &["--table", "variables"], "json has none of them"),
        ("r.parquet", &["--resume"], "only json, jsonl and ndjson"),
        ("r.jsonl.zst", &["--resume"], "only json, jsonl and ndjson"),
        ("r.jsonl", &["--bom"], "only csv"),
    ] {
        let (_folder, path) = file(name);
        let output = run(address, &[&["r", "-o", &path], arguments].concat());
        let message = assert_code(&output, 1);
        assert!(message.contains(words), "{message}");
    }
    let (_folder, path) = file("r.csv");
    fs::write(&path, "precious").unwrap();
    assert!(assert_code(&run(address, &["r", "-o", &path]), 1).contains("--force"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    let full = Gate::start(address, [(0, whole())]);
    let output = run(full.address, &["r", "-o", "/dev/full", "--format", "csv"]);
    assert!(assert_code(&output, 1).contains("/dev/full"));
}

fn schema_of(address: SocketAddr, arguments: &[&str]) -> Command {
    let mut command = command(&["schema", "--url", &format!("http://{address}")]);
    command
        .args(arguments)
        .env("OPTIMIZE_EXPORT_ACCESS_TOKEN", TOKEN)
        .stdin(Stdio::null());
    command
}

#[test]
fn the_columns_of_a_report_are_shown() {
    let optimize = optimize_with(3);
    let service: Service = optimize.serve();
    let address = service.address;
    let output = schema_of(address, &["r"]).output().unwrap();
    assert_code(&output, 0);
    let shown = text(output.stdout);
    for part in [
        "Table:        instances",
        "Other tables: flowNodes, variables, incidents",
        "Primary key:  processInstanceId",
        "processDefinitionKey",
    ] {
        assert!(shown.contains(part), "{part} is missing in {shown}");
    }
    let arguments = [
        "r",
        "--table",
        "flowNodes",
        "--columns",
        "duration",
        "--json",
    ];
    let output = schema_of(address, &arguments).output().unwrap();
    assert_code(&output, 0);
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["table"], json!("flowNodes"));
    assert_eq!(schema["columns"][0]["name"], json!("duration"));
    let refused = schema_of(address, &["missing"]).output().unwrap();
    assert!(assert_code(&refused, 4).contains("does not exist"));
}

/// Runs a command whose reader closes at once.
#[track_caller]
fn assert_ends_quietly(command: &mut Command) {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(assert_code(&output, 0), "");
}

#[test]
fn a_reader_who_has_enough_is_no_error() {
    let columns: Vec<Value> = (0..5_000)
        .map(|n| json!({"name": format!("c{n}"), "type": "text", "nullable": true, "source": "s"}))
        .collect();
    let schema = json!({
        "reportId": "r", "reportName": "n", "table": "instances", "tables": ["instances"],
        "primaryKey": ["c0"], "schemaId": "0", "columns": columns,
    });
    let schema = answer(
        "200 OK",
        "Content-Type: application/json\r\n",
        &schema.to_string(),
    );
    let gate = Gate::start(free_address(), [(0, schema.clone()), (1, schema)]);
    assert_ends_quietly(&mut schema_of(gate.address, &["r"]));
    assert_ends_quietly(&mut schema_of(gate.address, &["r", "--json"]));
    assert_ends_quietly(&mut command(&["completions", "bash"]));

    let away = schema_of(free_address(), &["r"]).output().unwrap();
    assert_code(&away, 3);
}

#[test]
fn a_list_of_reports_may_be_read_in_part() {
    let optimize = optimize_with(1);
    for format in ["table", "jsonl", "json"] {
        let mut list = command(&["reports", "--elasticsearch-url", &optimize.url]);
        list.args(["--index-prefix", &optimize.prefix, "--format", format]);
        assert_ends_quietly(&mut list);
    }
    let mut check = command(&["check", "--elasticsearch-url", &optimize.url]);
    check
        .args(["--index-prefix", &optimize.prefix])
        .env("OPTIMIZE_EXPORT_ACCESS_TOKEN", "token");
    assert_ends_quietly(&mut check);
}

#[test]
fn a_link_and_its_target_stay_where_they_are() {
    let (folder, path) = file("link.csv");
    let target = folder.path().join("target.csv");
    File::create(&target).unwrap();
    std::os::unix::fs::symlink(&target, &path).unwrap();
    let gate = Gate::start(free_address(), [(0, whole())]);
    assert_code(&run(gate.address, &["r", "-o", &path, "--force"]), 0);
    assert_eq!(fs::read_to_string(&target).unwrap(), "a\r\n1\r\n");
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
}
