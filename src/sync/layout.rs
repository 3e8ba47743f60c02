//! What stands in a lake, and where.
//!
//! ```text
//! <target>/<report id>/<table>/run=<2026-11-27T02-15-00Z>/part-00000.parquet
//! <target>/<report id>/<table>/run=<…>/_manifest.json
//! <target>/<report id>/_state.json
//! <target>/<report id>/_lock.json      only while somebody writes
//! ```
//!
//! A run without a manifest does not exist. Readers of lakes skip names that begin with `_`.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use jiff::fmt::strtime;
use object_store::path::Path;
use optimize::table::schema::{Column, Table};
use serde::{Deserialize, Serialize};

/// What our documents mean; a reader refuses those of a later one.
pub const VERSION: u32 = 1;
/// Name of a manifest.
pub const MANIFEST: &str = "_manifest.json";
/// Name of a report's state.
pub const STATE: &str = "_state.json";
/// Name of a report's lock.
pub const LOCK: &str = "_lock.json";
/// Begins the name of a run's folder, as engines know it that take columns from folders (Hive's way).
const RUN: &str = "run=";
/// How a run is named: in the order of time, and without colons, which some file systems don't have.
const RUN_FORMAT: &str = "%Y-%m-%dT%H-%M-%SZ";

/// The name of a run: the second in which it began.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunName(String);

impl RunName {
    /// The run that begins now. It comes after all others, whatever the clock says and however fast they follow each other:
    /// readers take the row of the last run.
    pub fn after<'r>(others: impl IntoIterator<Item = &'r Self>, now: Timestamp) -> Self {
        let newest = others.into_iter().filter_map(Self::moment).max();
        let next = newest.and_then(|newest| newest.as_second().checked_add(1));
        let second = next.map_or(now.as_second(), |next| next.max(now.as_second()));
        let moment = Timestamp::from_second(second).unwrap_or(now);
        Self(strtime::format(RUN_FORMAT, moment).unwrap_or_else(|_| moment.to_string()))
    }

    /// The run whose folder has this name.
    pub fn of_folder(name: &str) -> Option<Self> {
        let run = Self(name.strip_prefix(RUN)?.to_owned());
        run.moment().map(|_| run)
    }

    fn moment(&self) -> Option<Timestamp> {
        let mut parsed = strtime::parse(RUN_FORMAT, &self.0).ok()?;
        parsed.set_offset(Some(jiff::tz::Offset::UTC));
        parsed.to_timestamp().ok()
    }
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where the tables of a report are, within the target.
#[derive(Debug, Clone)]
pub struct ReportFolder(Path);

impl ReportFolder {
    /// The folder of a report. Whatever its id holds, it is one folder: what has a meaning in a path is percent-encoded.
    pub fn new(target: &Path, report_id: &str) -> Self {
        Self(target.clone().join(report_id))
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The state of the report.
    pub fn state(&self) -> Path {
        self.0.clone().join(STATE)
    }

    /// The lock of the report.
    pub fn lock(&self) -> Path {
        self.0.clone().join(LOCK)
    }

    /// The folder of a table.
    pub fn table(&self, table: Table) -> Path {
        self.0.clone().join(table.id())
    }

    /// The folder of a table's run.
    pub fn run(&self, table: Table, run: &RunName) -> Path {
        self.table(table).join(format!("{RUN}{run}"))
    }
}

/// Name of a file of a run.
pub fn part_name(number: usize, extension: &str) -> String {
    format!("part-{number:05}.{extension}")
}

/// How a run read its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunMode {
    /// All rows; what stands in older runs of the table counts no more.
    Whole,
    /// Rows of what has changed since the bookmark before.
    Changes,
}

impl RunMode {
    /// Its name in documents.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Changes => "changes",
        }
    }
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its place, from the folder of the run on, so that a run can be moved and copied.
    pub path: String,
    /// Its rows.
    pub rows: u64,
    /// Its bytes.
    pub bytes: u64,
    /// SHA-256 of those, in lower-case hexadecimal digits.
    pub sha256: String,
}

/// What a run is, written after its files.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest<'a> {
    /// See [`VERSION`].
    pub version: u32,
    /// The report.
    pub report_id: &'a str,
    /// Its name.
    pub report_name: Option<&'a str>,
    /// The table.
    pub table: &'static str,
    /// The run.
    pub run: &'a RunName,
    /// Format of the files.
    pub format: &'static str,
    /// Whether it has everything or what changed.
    pub mode: RunMode,
    /// Why it has everything.
    pub reason: Option<&'a str>,
    /// Id of the columns.
    pub schema_id: String,
    /// The columns that tell a row from the others.
    pub primary_key: &'a [&'a str],
    /// The columns.
    pub schema: &'a [Column],
    /// What the run began with.
    pub bookmark_before: Option<&'a str>,
    /// What the next one can begin with.
    pub bookmark_after: Option<&'a str>,
    /// When it began.
    pub started_at: Timestamp,
    /// When its last file was there.
    pub finished_at: Timestamp,
    /// Rows of all files.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// The files.
    pub files: &'a [FileEntry],
}

/// How far a report has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// See [`VERSION`].
    pub version: u32,
    /// The report.
    pub report_id: String,
    /// When this was written.
    pub written_at: Option<Timestamp>,
    /// Each table that was ever written.
    pub tables: BTreeMap<String, TableState>,
}

/// How far a table has come.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableState {
    /// What the next run begins with; nothing of what aggregates, or where none could be taken.
    pub bookmark: Option<String>,
    /// The last run that is there.
    pub last_run: Option<RunName>,
    /// The last run that has everything: older ones are of no use for the current rows.
    pub whole_run: Option<RunName>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn run(text: &str) -> RunName {
        RunName::of_folder(&format!("run={text}")).unwrap()
    }

    #[test]
    fn a_run_is_named_by_its_second_and_comes_after_all_others() {
        let now = moment("2026-11-27T02:15:00.9Z");
        let after = |others: &[RunName]| RunName::after(others, now).to_string();
        assert_eq!(after(&[]), "2026-11-27T02-15-00Z");
        assert_eq!(
            after(&[run("2026-11-26T23-59-59Z")]),
            "2026-11-27T02-15-00Z"
        );
        assert_eq!(
            after(&[run("2026-11-27T02-15-00Z")]),
            "2026-11-27T02-15-01Z"
        );
        // The clock went back.
        let later = [run("2026-12-31T23-59-59Z"), run("2026-11-27T02-15-00Z")];
        assert_eq!(after(&later), "2027-01-01T00-00-00Z");
    }

    #[test]
    fn a_folder_of_another_name_is_no_run() {
        for name in [
            "run=",
            "run=x",
            "2026-11-27T02-15-00Z",
            "run=2026-11-27T02:15:00Z",
            "_state.json",
        ] {
            assert_eq!(RunName::of_folder(name), None, "{name}");
        }
    }

    #[test]
    fn everything_has_its_place() {
        let report = ReportFolder::new(&Path::from("lake/optimize"), "6b1e");
        let name = run("2026-11-27T02-15-00Z");
        let folder = report.run(Table::FlowNodes, &name);
        assert_eq!(
            folder.clone().join(part_name(12, "parquet")).as_ref(),
            "lake/optimize/6b1e/flowNodes/run=2026-11-27T02-15-00Z/part-00012.parquet"
        );
        assert_eq!(report.state().as_ref(), "lake/optimize/6b1e/_state.json");
        assert_eq!(report.lock().as_ref(), "lake/optimize/6b1e/_lock.json");
    }

    #[test]
    fn an_id_is_one_folder_whatever_it_holds() {
        for id in ["..", ".", "a/b", "/", "../../etc", "a#1", "ä"] {
            let report = ReportFolder::new(&Path::from("lake"), id);
            assert_eq!(report.path().parts().count(), 2, "{id}");
            assert!(
                report
                    .path()
                    .parts()
                    .all(|part| !matches!(part.as_ref(), "." | "..")),
                "{id}"
            );
        }
    }

    #[test]
    fn a_state_is_read_back() {
        let text = r#"{"version":1,"reportId":"r","writtenAt":"2026-11-27T02:16:00Z","tables":{"instances":{"bookmark":"b","lastRun":"2026-11-27T02-15-00Z","wholeRun":null}}}"#;
        let state: State = serde_json::from_str(text).unwrap();
        assert_eq!(
            state.tables["instances"].last_run,
            Some(run("2026-11-27T02-15-00Z"))
        );
        assert_eq!(serde_json::to_string(&state).unwrap(), text);
    }

    proptest! {
        #[test]
        fn names_of_runs_have_the_order_of_time(a in 0_i64..4_000_000_000, b in 0_i64..4_000_000_000) {
            let name = |second| RunName::after([], Timestamp::from_second(second).unwrap());
            prop_assert_eq!(a.cmp(&b), name(a).cmp(&name(b)));
            prop_assert_eq!(name(a).moment(), Some(Timestamp::from_second(a).unwrap()));
        }
    }
}
