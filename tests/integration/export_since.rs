//! `export --since`: only what has changed, and a bookmark that is never ahead of what has arrived.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::export_command::{assert_code, export_from, file, optimize_with, rows, run};
use crate::support::Optimize;
use crate::support::documents::{instance, report, selection};

const NO_OVERLAP: [&str; 2] = ["--change-overlap", "0"];

/// Creates or updates instances.
fn store(optimize: &Optimize, ids: &[&str], state: &str) {
    let changed = json!({"businessKey": state});
    let instances = ids.iter().map(|id| instance("order", id, changed.clone()));
    optimize.store_instances("order", instances);
}

fn id(row: &Value) -> String {
    row["processInstanceId"].as_str().unwrap().to_owned()
}

fn ids(path: &str) -> Vec<String> {
    let mut ids: Vec<String> = rows(path).iter().map(id).collect();
    ids.sort();
    ids
}

#[test]
fn three_runs_bring_everything_once_and_what_changed_in_between() {
    let optimize = optimize_with(30);
    let service = optimize.serve_with(&NO_OVERLAP);
    for name in [
        "r.jsonl",
        "r.json",
        "r.csv",
        "r.parquet",
        "r.arrows",
        "r.ndjson.gz",
    ] {
        let (folder, path) = file(name);
        let bookmark = folder.path().join("bookmark");
        let bookmark = bookmark.to_str().unwrap();
        let export = |name: &str| {
            let path = folder.path().join(format!(
                "{name}-{}",
                Path::new(&path).file_name().unwrap().display()
            ));
            let path = path.to_str().unwrap().to_owned();
            let output = run(service.address, &["r", "-o", &path, "--since", bookmark]);
            assert_code(&output, 0);
            path
        };
        let first = export("1");
        let begun = fs::read_to_string(bookmark).unwrap();
        store(&optimize, &["i-003", "i-new"], name);
        let second = export("2");
        assert_ne!(fs::read_to_string(bookmark).unwrap(), begun);
        store(&optimize, &["i-004"], name);
        let third = export("3");
        let fourth = export("4");
        if name.ends_with(".jsonl") || name.ends_with(".json") {
            // The instance that is new stays for the formats that come later.
            assert!(rows(&first).len() >= 30);
            assert_eq!(ids(&second), ["i-003", "i-new"]);
            assert_eq!(ids(&third), ["i-004"]);
            assert_eq!(rows(&third)[0]["businessKey"], name);
            assert_eq!(ids(&fourth), [""; 0]);
        }
        if name.ends_with(".csv") {
            let lines = |path: &str| fs::read_to_string(path).unwrap().lines().count();
            assert_eq!(
                [&second, &third, &fourth].map(|path| lines(path)),
                [3, 2, 1]
            );
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5, "{name}");
    }
}

#[test]
fn whole_rows_are_the_same_as_page_by_page() {
    let optimize = optimize_with(40);
    let service = optimize.serve();
    for name in ["r.jsonl", "r.json"] {
        let (folder, path) = file(name);
        let bookmark = folder.path().join("bookmark");
        let since = ["--since", bookmark.to_str().unwrap()];
        assert_code(&run(service.address, &["r", "-o", &path]), 0);
        let paged = fs::read_to_string(&path).unwrap();
        let again = [&["r", "-o", &path, "--force"], &since[..]].concat();
        assert_code(&run(service.address, &again), 0);
        assert_eq!(fs::read_to_string(&path).unwrap(), paged);
    }
}

#[test]
fn an_output_that_exists_stays_and_so_does_the_bookmark() {
    let optimize = optimize_with(3);
    let service = optimize.serve_with(&NO_OVERLAP);
    let (folder, path) = file("r.csv");
    let bookmark = folder.path().join("bookmark");
    let arguments = ["r", "-o", &path, "--since", bookmark.to_str().unwrap()];
    assert_code(&run(service.address, &arguments), 0);
    let before = (fs::read(&path).unwrap(), fs::read(&bookmark).unwrap());
    store(&optimize, &["i-new"], "new");
    let message = assert_code(&run(service.address, &arguments), 1);
    assert!(message.contains("--force"), "{message}");
    assert_eq!(
        (fs::read(&path).unwrap(), fs::read(&bookmark).unwrap()),
        before
    );
    let same_file = ["r", "-o", &path, "--since", &path, "--force"];
    assert_code(&run(service.address, &same_file), 1);
    let foreign = folder.path().join("other.csv");
    let foreign = ["r", "-o", foreign.to_str().unwrap(), "--since", &path];
    let message = assert_code(&run(service.address, &foreign), 1);
    assert!(
        message.contains("something else than a bookmark"),
        "{message}"
    );
}

#[test]
fn a_bookmark_that_can_not_be_used_says_what_to_do() {
    let optimize = optimize_with(3);
    let count = json!({"view": {"entity": "processInstance", "properties": ["frequency"]}, "groupBy": {"type": "none"},
        "definitions": [selection("order")], "configuration": {}});
    optimize.store_report(report("count", count));
    let (folder, path) = file("r.csv");
    let bookmark = folder.path().join("bookmark");
    let name = bookmark.to_str().unwrap();
    let arguments = |id: &'static str| [id, "-o", &path, "--since", name, "--force"];
    assert_code(&run(optimize.serve().address, &arguments("r")), 0);
    let before = (fs::read(&path).unwrap(), fs::read(&bookmark).unwrap());
    // Another process has another key.
    let service = optimize.serve();
    let message = assert_code(&run(service.address, &arguments("r")), 4);
    assert!(
        message.contains(&format!("delete {name} and run the same command again")),
        "{message}"
    );
    assert_eq!(
        (fs::read(&path).unwrap(), fs::read(&bookmark).unwrap()),
        before
    );
    fs::remove_file(&bookmark).unwrap();
    assert_code(&run(service.address, &arguments("r")), 0);

    fs::remove_file(&bookmark).unwrap();
    let message = assert_code(&run(service.address, &arguments("count")), 4);
    assert!(message.contains("without --since"), "{message}");
    assert!(!bookmark.exists());
}

#[test]
fn a_run_that_is_killed_loses_nothing() {
    let optimize = optimize_with(400);
    let service = optimize.serve_with(&NO_OVERLAP);
    let (folder, path) = file("r.jsonl");
    let bookmark = folder.path().join("bookmark");
    let arguments = [
        "r",
        "-o",
        &path,
        "--since",
        bookmark.to_str().unwrap(),
        "--force",
    ];
    let mut merged = BTreeMap::new();
    let mut merge = || {
        let Ok(text) = fs::read_to_string(&path) else {
            return;
        };
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "a part of the output is seen"
        );
        for row in rows(&path) {
            merged.insert(id(&row), row["businessKey"].clone());
        }
    };
    for round in 0..12_u64 {
        let updated = format!("i-{round:03}");
        store(
            &optimize,
            &[&updated, &format!("n-{round:03}")],
            &round.to_string(),
        );
        let mut child = export_from(service.address, &arguments)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        thread::sleep(Duration::from_millis(12 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        if let Ok(kept) = fs::read_to_string(&bookmark) {
            assert!(kept.len() > 20 && kept.ends_with('\n'), "{kept}");
            assert!(
                Path::new(&path).exists(),
                "the bookmark is ahead of the output"
            );
        }
        merge();
    }
    assert_code(&run(service.address, &arguments), 0);
    merge();
    assert_eq!(merged.len(), 412);
    for round in 0..12 {
        for name in ["i", "n"] {
            let state = &merged[&format!("{name}-{round:03}")];
            assert_eq!(state, &json!(round.to_string()), "{name}-{round:03}");
        }
    }
    let names = fs::read_dir(folder.path()).unwrap();
    assert_eq!(names.count(), 2, "what killed runs left is removed");
}
