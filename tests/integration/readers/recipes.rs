//! The snippets of `docs/recipes`, taken out of their files and run as they stand there, against the data of the demo.
//!
//! A block of code whose language is followed by `run` is a part of its file's program. Only the address is put in place of the
//! one that is written there.

use std::fs;
use std::process::Command;

use testkit::sample::{InstanceSize, Sample};

use super::{run, script};
use crate::support::{Optimize, Service};

/// The token and the report that the recipes name are those of the demo.
const DEMO_TOKEN: &str = "demo-token";
const REPORT: &str = "raw-orders";

/// A service over a part of the demo's data.
struct Demo {
    _optimize: Optimize,
    service: Service,
}

impl Demo {
    fn start() -> Self {
        let optimize = Optimize::install();
        let sample = Sample {
            process_instances: 150,
            size: InstanceSize::Small,
        };
        sample.load(&optimize.installation).unwrap();
        let token = [("OPTIMIZE_EXPORT_ACCESS_TOKEN", DEMO_TOKEN)];
        let service = Service::start(&optimize.url, &optimize.prefix, &[], &token);
        Self {
            _optimize: optimize,
            service,
        }
    }

    /// How many rows a table has.
    fn rows(&self, table: &str) -> usize {
        let target =
            format!("/api/public/export/report/{REPORT}/result/ndjson?table={table}&columns=*");
        let token = format!("Bearer {DEMO_TOKEN}");
        let answer = self
            .service
            .request("GET", &target, &[("Authorization", &token)]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let rows = answer.text().lines().count();
        assert!(rows > 0, "{table} is empty");
        rows
    }

    /// The program of a recipe.
    fn program(&self, recipe: &str, language: &str) -> String {
        let root = env!("CARGO_MANIFEST_DIR");
        let text = fs::read_to_string(format!("{root}/docs/recipes/{recipe}.md")).unwrap();
        let opening = format!("```{language} run\n");
        let blocks = text.split(&opening).skip(1);
        let blocks: Vec<&str> = blocks
            .map(|block| block.split_once("\n```").unwrap().0)
            .collect();
        assert!(!blocks.is_empty(), "{recipe} has no program");
        let program = blocks.join("\n\n");
        let placed = program.replace(
            "http://localhost:8095",
            &format!("http://{}", self.service.address),
        );
        assert_ne!(placed, program, "{recipe} doesn't ask the service");
        placed
    }

    /// Runs a recipe in a folder of its own, and gives back what it prints.
    fn run(&self, recipe: &str, language: &str) -> Ran {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(format!("program.{language}"));
        fs::write(&file, self.program(recipe, language)).unwrap();
        let mut command = match language {
            "sh" => {
                let mut shell = Command::new("sh");
                shell.arg("-eu");
                shell
            }
            "sql" => script("run_sql.py"),
            _ => script("run_python.py"),
        };
        let hint = "a recipe fails; those of curl need curl on the PATH";
        let shown = run(command.arg(&file).current_dir(folder.path()), hint);
        Ran { folder, shown }
    }
}

/// What a recipe left behind.
struct Ran {
    folder: tempfile::TempDir,
    shown: String,
}

impl Ran {
    fn file(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap()
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        assert!(
            self.shown.contains(text),
            "{text:?} is not in\n{}",
            self.shown
        );
    }
}

#[test]
fn curl_writes_files_and_shows_the_columns() {
    let demo = Demo::start();
    let ran = demo.run("curl", "sh");
    let csv = String::from_utf8(ran.file("orders.csv")).unwrap();
    // Line ends within cells of the demo have no carriage return.
    assert_eq!(csv.matches("\r\n").count(), demo.rows("instances") + 1);
    let parquet = ran.file("events.parquet");
    assert!(parquet.starts_with(b"PAR1") && parquet.ends_with(b"PAR1"));
    ran.shows("\"primaryKey\":[\"processInstanceId\"]");
}

#[test]
fn excel_gets_a_file_that_it_takes_for_utf8() {
    let demo = Demo::start();
    let csv = String::from_utf8(demo.run("excel", "sh").file("orders.csv")).unwrap();
    assert!(csv.starts_with("\u{feff}process"), "{csv:.100}");
    assert_eq!(csv.matches("\r\n").count(), demo.rows("instances") + 1);
}

#[test]
fn duckdb_reads_over_http_with_a_secret() {
    let demo = Demo::start();
    let ran = demo.run("duckdb", "sql");
    ran.shows(&format!("[('orders',), ({},)]", demo.rows("instances")));
    ran.shows("('flowNodeName', 'times', 'seconds')");
    ran.shows("('amount', ");
}

#[test]
fn polars_reads_a_file_with_types() {
    let demo = Demo::start();
    let ran = demo.run("polars", "python");
    ran.shows(&format!("{} orders", demo.rows("instances")));
    ran.shows("datetime[ms, UTC]");
}

#[test]
fn pandas_reads_over_http() {
    let demo = Demo::start();
    let ran = demo.run("pandas", "python");
    ran.shows(&format!("{} orders", demo.rows("instances")));
    ran.shows(&format!("{} incidents", demo.rows("incidents")));
    ran.shows("COMPLETED");
}

#[test]
fn pm4py_mines_the_flow_nodes() {
    let demo = Demo::start();
    let ran = demo.run("pm4py", "python");
    ran.shows(&format!("{} events", demo.rows("flowNodes")));
    ran.shows("begins with Order received");
}
