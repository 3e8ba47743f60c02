//! `sync`: what is in the lake is what is in the index, whatever happens on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::support::Optimize;
use crate::support::bucket::Bucket;
use crate::support::documents::{instance, instances, raw_report, report, selection, with};
use crate::support::service::command;

/// `sync` on an installation, without an overlap, so that nothing comes that has not changed.
fn sync(optimize: &Optimize, target: &str, arguments: &[&str]) -> Command {
    let mut command = command(&["sync", target]);
    command
        .args([
            "--elasticsearch-url",
            &optimize.url,
            "--index-prefix",
            &optimize.prefix,
        ])
        .args(["--change-overlap", "0", "--format", "ndjson"])
        .args(arguments)
        .stdin(Stdio::null());
    command
}

#[track_caller]
fn summary_of(output: &Output, code: i32) -> Value {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {message}"))
}

/// What a run of report `r` says of its tables: `instances: changes, 3 rows`.
#[track_caller]
fn told(summary: &Value) -> Vec<String> {
    let tables = summary["reports"][0]["tables"].as_array().unwrap().iter();
    tables
        .map(|table| {
            format!(
                "{}: {}, {} rows",
                table["table"].as_str().unwrap(),
                table["mode"].as_str().unwrap(),
                table["rows"]
            )
        })
        .collect()
}

/// A lake, as its readers find it.
trait Lake {
    /// The names of all files.
    fn names(&self) -> Vec<String>;
    fn read(&self, name: &str) -> Vec<u8>;
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn target(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

fn walk(folder: &Path, names: &mut Vec<String>, root: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, names, root);
        } else {
            names.push(
                path.strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
}

impl Lake for Folder {
    fn names(&self) -> Vec<String> {
        let mut names = Vec::new();
        walk(self.0.path(), &mut names, self.0.path());
        names.sort();
        names
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }
}

impl Lake for Bucket {
    fn names(&self) -> Vec<String> {
        Self::names(self)
    }

    fn read(&self, name: &str) -> Vec<u8> {
        self.object(name)
    }
}

/// The manifests of a table, the oldest first, by the folders of their runs. Everything that they say is checked.
fn manifests(lake: &dyn Lake, table: &str) -> Vec<(String, Value)> {
    let names = lake.names();
    let of_table = names
        .iter()
        .filter(|name| name.starts_with(&format!("r/{table}/")));
    let manifests = of_table.filter_map(|name| name.strip_suffix("/_manifest.json"));
    let manifests: Vec<(String, Value)> = manifests
        .map(|folder| {
            let manifest = lake.read(&format!("{folder}/_manifest.json"));
            (
                folder.to_owned(),
                serde_json::from_slice(&manifest).unwrap(),
            )
        })
        .collect();
    for (folder, manifest) in &manifests {
        assert_eq!(
            folder,
            &format!("r/{table}/run={}", manifest["run"].as_str().unwrap())
        );
        assert_eq!(manifest["table"], table);
        let mut rows = 0;
        for file in manifest["files"].as_array().unwrap() {
            let bytes = lake.read(&format!("{folder}/{}", file["path"].as_str().unwrap()));
            assert_eq!(file["bytes"], bytes.len());
            let digest = Sha256::digest(&bytes);
            let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(file["sha256"], digest);
            if manifest["format"] == "ndjson" {
                assert_eq!(
                    file["rows"],
                    bytes.iter().filter(|byte| **byte == b'\n').count()
                );
            }
            rows += file["rows"].as_u64().unwrap();
        }
        assert_eq!(manifest["rows"], rows);
    }
    manifests
}

/// A row without its nulls: a run before a column was there does not have it.
fn row(line: &str) -> Value {
    let mut row: Value = serde_json::from_str(line).unwrap();
    row.as_object_mut()
        .unwrap()
        .retain(|_, value| !value.is_null());
    row
}

/// Rows of a table with their runs, without those of before the last run that has everything.
fn rows(lake: &dyn Lake, table: &str) -> Vec<(String, Value)> {
    let manifests = manifests(lake, table);
    let whole = manifests
        .iter()
        .rposition(|(_, manifest)| manifest["mode"] == "whole");
    let mut rows = Vec::new();
    for (folder, manifest) in &manifests[whole.unwrap_or(0)..] {
        for file in manifest["files"].as_array().unwrap() {
            let text = lake.read(&format!("{folder}/{}", file["path"].as_str().unwrap()));
            for line in String::from_utf8(text).unwrap().lines() {
                let run = manifest["run"].as_str().unwrap().to_owned();
                rows.push((run, row(line)));
            }
        }
    }
    rows
}

fn id(row: &Value) -> String {
    row["processInstanceId"].as_str().unwrap().to_owned()
}

/// The instances as a reader sees them: the last row of each key, less what has left; with the runs of the rows.
fn current_instances(lake: &dyn Lake) -> BTreeMap<String, (String, Value)> {
    let mut current = BTreeMap::new();
    for (run, row) in rows(lake, "instances") {
        current.insert(id(&row), (run, row));
    }
    for (run, row) in rows(lake, "left") {
        let is_gone = current.get(&id(&row)).is_some_and(|(last, _)| *last <= run);
        if is_gone {
            current.remove(&id(&row));
        }
    }
    current
}

/// The same of another table: the rows of the last run that has the instance, if `instances` has no later one.
fn current_parts(lake: &dyn Lake, table: &str) -> Vec<Value> {
    let instances = current_instances(lake);
    let rows = rows(lake, table);
    let mut last = BTreeMap::new();
    for (run, row) in &rows {
        last.insert(id(row), run.clone());
    }
    let mut current: Vec<Value> = rows
        .into_iter()
        .filter(|(run, row)| {
            last[&id(row)] == *run
                && instances
                    .get(&id(row))
                    .is_some_and(|(of_instance, _)| of_instance <= run)
        })
        .map(|(_, row)| row)
        .collect();
    // Within a run a row may come twice.
    current.sort_by_key(Value::to_string);
    current.dedup();
    current
}

/// The rows of the report as the service has them now.
fn exported(optimize: &Optimize, table: &str) -> Vec<Value> {
    let service = optimize.serve();
    let answer = service.get(&format!(
        "/api/public/export/report/r/result/ndjson?table={table}&columns=*"
    ));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut rows: Vec<Value> = answer.text().lines().map(row).collect();
    rows.sort_by_key(Value::to_string);
    rows
}

/// What a reader of the lake sees is what the report has, and there is nothing that no manifest names.
#[track_caller]
fn assert_is_current(lake: &dyn Lake, optimize: &Optimize) {
    let mut instances: Vec<Value> = current_instances(lake)
        .into_values()
        .map(|(_, row)| row)
        .collect();
    instances.sort_by_key(Value::to_string);
    assert_eq!(instances, exported(optimize, "instances"));
    for table in ["variables", "flowNodes", "incidents"] {
        assert_eq!(
            current_parts(lake, table),
            exported(optimize, table),
            "{table}"
        );
    }
    let mut known = BTreeSet::from(["r/_state.json".to_owned()]);
    for table in ["instances", "flowNodes", "variables", "incidents", "left"] {
        for (folder, manifest) in manifests(lake, table) {
            known.insert(format!("{folder}/_manifest.json"));
            for file in manifest["files"].as_array().unwrap() {
                known.insert(format!("{folder}/{}", file["path"].as_str().unwrap()));
            }
        }
    }
    let names: BTreeSet<String> = lake.names().into_iter().collect();
    assert_eq!(names, known);
}

fn variable(name: &str, value: &str) -> Value {
    json!({"id": name, "name": name, "type": "String", "value": [value], "version": 1})
}

fn with_variables(id: &str, variables: &[(&str, &str)]) -> Value {
    let variables: Vec<Value> = variables
        .iter()
        .map(|(name, value)| variable(name, value))
        .collect();
    instance("order", id, json!({"variables": variables}))
}

/// `count` instances with two variables each, in report `r`.
fn optimize_with(count: usize) -> Optimize {
    let optimize = Optimize::install();
    let instances = instances("order", count).into_iter();
    let variables = [variable("a", "1"), variable("b", "2")];
    optimize.store_instances(
        "order",
        instances.map(|instance| with(instance, json!({"variables": variables}))),
    );
    optimize.store_report(raw_report("r", "order", json!({})));
    optimize
}

#[test]
fn the_first_run_has_everything_and_later_ones_what_has_changed() {
    let optimize = optimize_with(50);
    let lake = Folder::new();
    let run = || summary_of(&sync(&optimize, lake.target(), &["r"]).output().unwrap(), 0);
    let first = run();
    assert_eq!(
        told(&first),
        [
            "instances: whole, 50 rows",
            "flowNodes: whole, 0 rows",
            "variables: whole, 100 rows",
            "incidents: whole, 0 rows",
            "left: changes, 0 rows"
        ]
    );
    assert_eq!(
        first["reports"][0]["tables"][0]["reason"],
        "there is no run yet"
    );
    assert_is_current(&lake, &optimize);

    // Nothing has changed: there is no run.
    let names = lake.names();
    let second = run();
    assert_eq!(second["reports"][0]["run"], Value::Null);
    assert_eq!(lake.names(), names);

    // One is new, one has lost a variable, one has none any more.
    optimize.store_instances(
        "order",
        [
            with_variables("new", &[("c", "3")]),
            with_variables("i-007", &[("a", "other")]),
            with_variables("i-008", &[]),
        ],
    );
    assert_eq!(
        told(&run()),
        [
            "instances: changes, 3 rows",
            "flowNodes: changes, 0 rows",
            "variables: changes, 2 rows",
            "incidents: changes, 0 rows",
            "left: changes, 0 rows"
        ]
    );
    assert_is_current(&lake, &optimize);
    let manifests = manifests(&lake, "instances");
    assert_eq!(manifests.len(), 2);
    assert_eq!(manifests[1].1["mode"], "changes");
    assert_eq!(
        manifests[1].1["bookmarkBefore"],
        manifests[0].1["bookmarkAfter"]
    );
    assert_eq!(manifests[1].1["primaryKey"], json!(["processInstanceId"]));
    let columns = manifests[1].1["schema"].as_array().unwrap();
    assert!(columns.iter().any(|column| column["name"] == "variable:c"));

    // A snapshot has everything again, and a run of changes goes on from there.
    let snapshot = sync(&optimize, lake.target(), &["r", "--mode", "snapshot"])
        .output()
        .unwrap();
    assert_eq!(
        told(&summary_of(&snapshot, 0))[0],
        "instances: whole, 51 rows"
    );
    optimize.store_instances("order", [with_variables("newer", &[])]);
    assert_eq!(told(&run())[0], "instances: changes, 1 rows");
    assert_is_current(&lake, &optimize);
}

#[test]
fn what_left_is_in_a_table_of_its_own() {
    let optimize = Optimize::install();
    let open = |id: &str| {
        instance(
            "order",
            id,
            json!({"endDate": null, "duration": 1, "state": "ACTIVE"}),
        )
    };
    optimize.store_instances("order", ["a", "b", "c"].map(open));
    let running = json!([{"type": "runningInstancesOnly", "filterLevel": "instance", "appliedTo": ["all"], "data": null}]);
    optimize.store_report(raw_report("r", "order", json!({"filter": running})));
    let lake = Folder::new();
    let run = || {
        summary_of(
            &sync(&optimize, lake.target(), &["r", "--tables", "instances"])
                .output()
                .unwrap(),
            0,
        )
    };
    run();
    optimize.store_instances("order", [instance("order", "b", json!({})), open("d")]);
    assert_eq!(
        told(&run()),
        ["instances: changes, 1 rows", "left: changes, 1 rows"]
    );
    let ids = |lake: &Folder| current_instances(lake).into_keys().collect::<Vec<_>>();
    assert_eq!(ids(&lake), ["a", "c", "d"]);
    // It comes back.
    optimize.store_instances("order", [open("b")]);
    run();
    assert_eq!(ids(&lake), ["a", "b", "c", "d"]);
}

#[test]
fn a_run_starts_over_where_changes_can_not_be_told_and_says_why() {
    let optimize = optimize_with(20);
    let lake = Folder::new();
    let run = |arguments: &[&str]| {
        let arguments = [&["r", "--cache-ttl", "0"], arguments].concat();
        summary_of(
            &sync(&optimize, lake.target(), &arguments).output().unwrap(),
            0,
        )
    };
    run(&[]);
    let names = lake.names();
    let preview = run(&["--dry-run"]);
    assert_eq!(preview["dryRun"], true);
    assert_eq!(preview["reports"][0]["tables"][0]["instances"], 0);
    assert_eq!(lake.names(), names);

    let completed = json!([{"type": "completedInstancesOnly", "filterLevel": "instance", "appliedTo": ["all"], "data": null}]);
    optimize.store_report(raw_report("r", "order", json!({"filter": completed})));
    let preview = run(&["--dry-run"]);
    assert_eq!(preview["reports"][0]["tables"][0]["instances"], 20);
    let again = run(&[]);
    assert_eq!(told(&again)[0], "instances: whole, 20 rows");
    let manifests = manifests(&lake, "instances");
    let reason = manifests[1].1["reason"].as_str().unwrap();
    assert!(
        reason.contains("older than a change of the report"),
        "{reason}"
    );
    assert_is_current(&lake, &optimize);

    // Bookmarks are signed with the key where there is one.
    let key = tempfile::NamedTempFile::new().unwrap();
    fs::write(key.path(), "a key of more than thirty-two bytes, for tests").unwrap();
    let with_key = ["--scroll-key-file", key.path().to_str().unwrap()];
    assert_eq!(told(&run(&with_key))[0], "instances: whole, 20 rows");
    assert_eq!(run(&with_key)["reports"][0]["run"], Value::Null);
}

#[test]
fn files_are_no_larger_than_asked_for_and_each_is_whole() {
    let optimize = optimize_with(600);
    for format in ["ndjson", "csv", "parquet"] {
        let lake = Folder::new();
        let arguments = [
            "r",
            "--format",
            format,
            "--max-file-size",
            "16KiB",
            "--tables",
            "instances,variables",
        ];
        let mut command = command(&["sync", lake.target()]);
        command
            .args([
                "--elasticsearch-url",
                &optimize.url,
                "--index-prefix",
                &optimize.prefix,
            ])
            .args(arguments);
        summary_of(&command.output().unwrap(), 0);
        for (table, expected) in [("instances", 600), ("variables", 1_200)] {
            let (folder, manifest) = manifests(&lake, table).remove(0);
            assert_eq!(manifest["rows"], expected);
            let files = manifest["files"].as_array().unwrap();
            assert!(files.len() > 1, "{format} {table}: {}", files.len());
            for file in files {
                assert!(
                    file["bytes"].as_u64().unwrap() <= 16 * 1024,
                    "{format}: {file}"
                );
                let bytes = lake.read(&format!("{folder}/{}", file["path"].as_str().unwrap()));
                let rows = match format {
                    "parquet" => {
                        let reader = SerializedFileReader::new(Bytes::from(bytes)).unwrap();
                        u64::try_from(reader.metadata().file_metadata().num_rows()).unwrap()
                    }
                    "csv" => {
                        let text = String::from_utf8(bytes).unwrap();
                        assert!(
                            text.starts_with("processInstanceId,")
                                || text.starts_with("processDefinitionKey,")
                        );
                        text.matches("\r\n").count() as u64 - 1
                    }
                    _ => continue,
                };
                assert_eq!(file["rows"], rows, "{format}");
            }
        }
    }
}

#[test]
fn reports_that_aggregate_are_whole_and_collections_leave_out_what_can_not_be_exported() {
    let optimize = optimize_with(3);
    let of_collection = json!({"collectionId": "c"});
    let count = json!({"view": {"entity": "processInstance", "properties": ["frequency"]}, "groupBy": {"type": "none"},
        "distributedBy": {"type": "none"}, "definitions": [selection("order")], "configuration": {}});
    optimize.store_report(with(report("count", count), of_collection.clone()));
    let both = json!({"id": "both", "name": "both", "combined": true, "reportType": "process", "collectionId": "c", "data": {}});
    optimize.store(testkit::indices::Index::CombinedReport, [("both", both)]);
    optimize.store_report(with(raw_report("r", "order", json!({})), of_collection));
    let lake = Folder::new();
    let output = sync(&optimize, lake.target(), &["--collection", "c"])
        .output()
        .unwrap();
    let summary = summary_of(&output, 0);
    let ids = |member: &str| -> Vec<&str> {
        let reports = summary[member].as_array().unwrap().iter();
        reports
            .map(|report| report["reportId"].as_str().unwrap())
            .collect()
    };
    assert_eq!(ids("reports"), ["count", "r"]);
    assert_eq!(ids("skipped"), ["both"]);
    let count = &summary["reports"][0]["tables"][0];
    assert_eq!(
        (&count["table"], &count["mode"], &count["rows"]),
        (&json!("result"), &json!("whole"), &json!(1))
    );
    let run = summary["reports"][0]["run"].as_str().unwrap();
    let rows =
        String::from_utf8(lake.read(&format!("count/result/run={run}/part-00000.ndjson"))).unwrap();
    assert_eq!(rows, "{\"frequency\":3}\n");

    // One that is asked for by its id must be there, and does not stop the others.
    let output = sync(&optimize, lake.target(), &["nothing", "r"])
        .output()
        .unwrap();
    let summary = summary_of(&output, 4);
    assert_eq!(summary["failed"][0]["reportId"], "nothing");
    assert_eq!(summary["reports"][0]["reportId"], "r");
}

#[test]
fn of_two_at_once_one_is_refused_and_nothing_is_lost() {
    let optimize = optimize_with(500);
    let lake = Folder::new();
    for round in 0..5 {
        optimize.store_instances(
            "order",
            [with_variables(&format!("new-{round}"), &[("a", "1")])],
        );
        let start = || {
            sync(&optimize, lake.target(), &["r"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let both = [start(), start()].map(|child| child.wait_with_output().unwrap());
        let codes = both.each_ref().map(|output| output.status.code().unwrap());
        assert!(
            codes.contains(&0) && codes.iter().all(|code| matches!(code, 0 | 3)),
            "{both:?}"
        );
        assert_is_current(&lake, &optimize);
    }
    // One that is certainly held.
    let path = lake.0.path().join("r/_lock.json");
    let file = fs::File::create(path).unwrap();
    file.lock().unwrap();
    let output = sync(&optimize, lake.target(), &["r"]).output().unwrap();
    let summary = summary_of(&output, 3);
    assert!(
        summary["failed"][0]["error"]
            .as_str()
            .unwrap()
            .contains("another run")
    );
    drop(file);
    summary_of(&sync(&optimize, lake.target(), &["r"]).output().unwrap(), 0);
    assert_is_current(&lake, &optimize);
}

/// Milliseconds that no two calls have alike.
fn some_milliseconds(below: u64) -> u64 {
    let bytes = uuid::Uuid::new_v4().into_bytes();
    u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])) % below
}

/// How many runs are killed.
const KILLS: usize = 20;

/// How many instances runs are killed over. `OPTIMIZE_EXPORT_TEST_KILLED_INSTANCES=100000` makes the runs long, and has them killed
/// over a bucket as often as over a folder, which takes minutes each.
struct Kills {
    instances: usize,
    /// How many instances change before each run.
    changed: usize,
    /// Largest size of a file, so that a run has several.
    file_size: &'static str,
}

impl Kills {
    const VARIABLE: &str = "OPTIMIZE_EXPORT_TEST_KILLED_INSTANCES";

    fn wanted() -> Self {
        let many = std::env::var(Self::VARIABLE).ok();
        match many.map(|many| many.parse().expect(Self::VARIABLE)) {
            None => Self {
                instances: 1_500,
                changed: 400,
                file_size: "16KiB",
            },
            Some(instances) => Self {
                instances,
                changed: instances / 20,
                file_size: "4MiB",
            },
        }
    }

    fn are_many(&self) -> bool {
        self.instances > 1_500
    }

    /// Kills runs at random moments of their length, every other one of which has to read everything, and changes
    /// instances in between. Then one run goes on to its end, and a reader finds what the index has.
    fn run(&self, lake: &dyn Lake, target: &str, environment: &[(&str, &str)]) {
        let optimize = optimize_with(0);
        let change = |numbers: std::ops::Range<usize>, value: &str| {
            for first in numbers.clone().step_by(5_000) {
                let numbers = first..numbers.end.min(first + 5_000);
                let changed = numbers.map(|number| {
                    with_variables(&format!("i-{number:05}"), &[("a", value), ("b", "2")])
                });
                optimize.store_instances("order", changed);
            }
        };
        change(0..self.instances, "1");
        let start = |mode: &str| {
            let arguments = ["r", "--mode", mode, "--max-file-size", self.file_size];
            sync(&optimize, target, &arguments)
                .envs(environment.iter().copied())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let began = Instant::now();
        let first = start("changes").wait_with_output().unwrap();
        assert_eq!(
            told(&summary_of(&first, 0))[0],
            format!("instances: whole, {} rows", self.instances)
        );
        // It adapts, so that most are killed, and each at another point.
        let mut length = BTreeMap::from([
            ("snapshot", began.elapsed()),
            ("changes", began.elapsed() / 2),
        ]);

        let (mut killed, mut while_writing, mut ended, mut locked_out) = (0, 0, 0, 0);
        while killed < KILLS {
            let first = killed * self.changed % (self.instances - self.changed);
            change(first..first + self.changed, &format!("{killed} {ended}"));
            let mode = if killed.is_multiple_of(2) {
                "snapshot"
            } else {
                "changes"
            };
            let longest = length.get_mut(mode).unwrap();
            let mut child = start(mode);
            let below = u64::try_from(longest.as_millis()).unwrap();
            thread::sleep(Duration::from_millis(some_milliseconds(below)));
            child.kill().unwrap();
            match child.wait().unwrap().code() {
                None => {
                    killed += 1;
                    *longest = *longest * 11 / 10;
                    let names = lake.names();
                    while_writing +=
                        usize::from(names.iter().any(|name| name.ends_with("/_lock.json")));
                }
                Some(0) => {
                    ended += 1;
                    *longest = *longest * 3 / 4;
                }
                // In a bucket, the lock of the run that was killed before holds for a while.
                Some(code) => {
                    assert_eq!(code, 3);
                    locked_out += 1;
                    thread::sleep(Duration::from_secs(5));
                }
            }
            assert!(
                ended < 10 * KILLS && locked_out < 20 * KILLS,
                "runs can't be killed"
            );
        }
        println!(
            "{killed} runs killed, {while_writing} of them while they wrote, {ended} were faster, {locked_out} found the lock of \
             one that was killed"
        );
        assert!(while_writing > 0);

        let deadline = Instant::now() + Duration::from_secs(90);
        let last = loop {
            let output = start("changes").wait_with_output().unwrap();
            if output.status.code() != Some(3) {
                break output;
            }
            assert!(Instant::now() < deadline, "the lock still holds");
            thread::sleep(Duration::from_secs(1));
        };
        println!("{:?}", told(&summary_of(&last, 0)));
        assert_is_current(lake, &optimize);
    }
}

#[test]
fn runs_that_are_killed_are_repaired_by_the_next() {
    let kills = Kills::wanted();
    let lake = Folder::new();
    kills.run(&lake, lake.target(), &[]);
    if kills.are_many() {
        // Most of a minute each, since the lock holds: one is killed below in any case.
        let lake = Bucket::create();
        kills.run(&lake, &lake.url(), &lake.environment());
    }
}

#[test]
fn a_run_that_is_asked_to_stop_gives_back_its_lock() {
    let optimize = optimize_with(1_500);
    let lake = Folder::new();
    let child = sync(&optimize, lake.target(), &["r", "--max-file-size", "16KiB"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !lake.0.path().join("r/instances").exists() {
        assert!(Instant::now() < deadline, "nothing is written");
        thread::sleep(Duration::from_millis(2));
    }
    let stopped = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(stopped.success());
    let output = child.wait_with_output().unwrap();
    // It may have been faster.
    assert!(matches!(output.status.code(), Some(0 | 3)), "{output:?}");
    assert!(!lake.0.path().join("r/_lock.json").exists());
    summary_of(&sync(&optimize, lake.target(), &["r"]).output().unwrap(), 0);
    assert_is_current(&lake, &optimize);
}

#[test]
fn a_bucket_is_as_good_as_a_folder() {
    let optimize = optimize_with(300);
    let lake = Bucket::create();
    let target = lake.url();
    let command = |arguments: &[&str]| {
        let mut command = sync(&optimize, &target, arguments);
        command.envs(lake.environment());
        command
    };
    let first = summary_of(
        &command(&["r", "--max-file-size", "16KiB"])
            .output()
            .unwrap(),
        0,
    );
    assert_eq!(told(&first)[0], "instances: whole, 300 rows");
    assert_is_current(&lake, &optimize);
    optimize.store_instances("order", [with_variables("new", &[("c", "3")])]);
    assert_eq!(
        told(&summary_of(&command(&["r"]).output().unwrap(), 0))[0],
        "instances: changes, 1 rows"
    );
    assert_is_current(&lake, &optimize);

    for round in 0..3 {
        optimize.store_instances(
            "order",
            [with_variables(&format!("new-{round}"), &[("a", "1")])],
        );
        let start = || {
            command(&["r"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let both = [start(), start()].map(|child| child.wait_with_output().unwrap());
        let codes = both.each_ref().map(|output| output.status.code().unwrap());
        assert!(
            codes.contains(&0) && codes.iter().all(|code| matches!(code, 0 | 3)),
            "{both:?}"
        );
        assert_is_current(&lake, &optimize);
    }

    // Killed while it has the lock: that gives way within a minute, and what it wrote is gone then.
    let all = instances("order", 300).into_iter();
    optimize.store_instances(
        "order",
        all.map(|instance| with(instance, json!({"variables": [variable("a", "9")]}))),
    );
    let mut child = command(&["r", "--max-file-size", "2KiB"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let names = lake.names().len();
    while lake.names().len() < names + 4 {
        assert!(Instant::now() < deadline, "nothing is written");
        thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    let has_ended = child.wait().unwrap().code().is_some();
    let killed = Instant::now();
    loop {
        let output = command(&["r"]).output().unwrap();
        if output.status.code() == Some(0) {
            break;
        }
        assert!(!has_ended);
        summary_of(&output, 3);
        assert!(
            killed.elapsed() < Duration::from_secs(60),
            "the lock still holds"
        );
        thread::sleep(Duration::from_secs(1));
    }
    assert_is_current(&lake, &optimize);
}
