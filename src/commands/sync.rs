//! `sync`: reports into a lake, read from the cluster itself.

use std::io::{self, IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Arg;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use optimize::table::schema::Table;
use secrecy::ExposeSecret;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::connection::{EXIT_REFUSED, EXIT_RESUME};
use super::{Configured, connect, environment, report_list, runtime, serve};
use crate::auth::Access;
use crate::encode::Format as TableFormat;
use crate::export::Exporter;
use crate::scroll::signer::ScrollSigner;
use crate::sync::layout::RunMode;
use crate::sync::{
    FileSize, OPEN_KEY, ReportSummary, Sync, SyncError, SyncMode, SyncOptions, SyncProgress, Target,
};

/// How long the cluster keeps the rows of a table while the lake takes what came before.
const STALL_TIMEOUT: Duration = Duration::from_secs(120);
/// Time to give up scrolls after an interruption.
const TIME_TO_CLEAR: Duration = Duration::from_secs(5);
/// What is being read, and how much has come.
const TEMPLATE: &str = "{spinner:.cyan} {prefix}  {bytes}  {bytes_per_sec}";
/// How often the line is drawn while nothing arrives.
const TICK: Duration = Duration::from_millis(200);

/// What `--help` says below the flags; a paragraph is one line of it, which clap breaks where the terminal ends.
const AFTER_HELP: &str = "\
TARGET is a folder, s3://bucket/path, gs://bucket/path or az://container/path; what a cloud asks for comes from its own \
environment variables (AWS_…, GOOGLE_…, AZURE_…).

Files:
  TARGET/<report>/<table>/run=<time>/part-00000.parquet …
  TARGET/<report>/<table>/run=<time>/_manifest.json   what the run has; without it the run does not exist
  TARGET/<report>/_state.json                         what the next run begins with

The first run reads everything, later ones what has changed since. A run starts over by itself where that can't be told, \
because the report was changed for instance; its manifest says why. A table in which nothing has changed has no run.

Exit codes:
  0  complete
  1  failed: a setting, the target or an answer that this command can't work with
  2  wrong usage of the command line
  3  interrupted, the cluster was not available, or another run writes the same report: run the same command again
  4  a report is refused for good; the message says why

Reports that can be written are written, whatever becomes of the others.

The other settings of `serve` are understood too, so that all commands can share a file, and make no difference here.";

/// Hides what is for clients of the service alone, in `--help` and the man page.
fn shown_for_lakes(flag: Arg) -> Arg {
    let is_needed = match flag.get_help_heading() {
        Some("Service") => flag.get_id() == "log" || flag.get_id() == "log_format",
        Some("Access") => flag.get_id() == "scroll_key_file",
        _ => true,
    };
    flag.hide(!is_needed)
}

/// Flags of `sync`.
#[derive(clap::Args)]
#[command(mut_args = shown_for_lakes, after_long_help = AFTER_HELP)]
pub struct SyncArguments {
    /// Where the lake is
    target: String,

    /// Ids of reports
    #[arg(required_unless_present = "collection")]
    reports: Vec<String>,

    /// All reports of this collection that can be exported
    #[arg(long, value_name = "ID")]
    collection: Option<String>,

    /// What is read
    #[arg(long, value_name = "MODE", default_value = "changes")]
    mode: Mode,

    /// Tables, separated by commas [default: all that a report has]
    #[arg(long, value_name = "TABLES", value_delimiter = ',', value_parser = table)]
    tables: Vec<Table>,

    /// Format of the files
    #[arg(long, value_name = "FORMAT", default_value = "parquet")]
    format: Format,

    /// Size that no file exceeds: bytes, or with KiB, MiB, GiB
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    max_file_size: FileSize,

    /// Only say what would be read
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    configured: Configured,
}

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// What has changed since the last run
    Changes,
    /// Everything
    Snapshot,
}

/// Format of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// Apache Parquet
    Parquet,
    /// A JSON object a line
    Ndjson,
    /// Comma separated values
    Csv,
}

/// A table that can be asked for. `left` comes by itself with `instances`.
fn table(name: &str) -> Result<Table, String> {
    let can_be_asked_for = |table: &&Table| **table != Table::Left;
    let tables = || Table::ALL.iter().filter(can_be_asked_for);
    let found = tables().find(|table| table.id() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = tables().map(|table| table.id()).collect();
        format!("there are {}", names.join(", "))
    })
}

/// What is printed at the end.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    target: String,
    dry_run: bool,
    reports: Vec<ReportSummary>,
    failed: Vec<Failed>,
    /// Reports of the collection that can't be exported.
    skipped: Vec<Failed>,
}

/// A report that is not in the lake.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    report_id: String,
    error: String,
    #[serde(skip)]
    exit_code: u8,
}

/// Brings reports into a lake, and prints what came of it.
pub fn run(arguments: SyncArguments) -> Result<ExitCode, String> {
    let SyncArguments {
        target: name,
        mut reports,
        collection,
        mode,
        tables,
        format,
        max_file_size,
        dry_run,
        configured,
    } = arguments;
    let mut config = configured.load()?;
    serve::start_log(&config)?;
    let target = Target::open(&name, &environment()).map_err(|error| error.to_string())?;
    let options = SyncOptions {
        mode: match mode {
            Mode::Changes => SyncMode::Changes,
            Mode::Snapshot => SyncMode::Snapshot,
        },
        tables,
        format: match format {
            Format::Parquet => TableFormat::Parquet,
            Format::Ndjson => TableFormat::Ndjson,
            Format::Csv => TableFormat::Csv,
        },
        max_file_size,
    };
    config.export.stall_timeout = config.export.stall_timeout.max(STALL_TIMEOUT);
    runtime()?.block_on(async move {
        let elasticsearch = connect(&config)?;
        let list = report_list(&config, elasticsearch.clone());
        let given = reports.len();
        if let Some(collection) = &collection {
            let ids = list
                .ids_of_collection(collection, &Access::everything())
                .await;
            let ids = ids.map_err(|error| format!("the collection can't be read: {error}"))?;
            reports.extend(ids);
        }
        let signer = match &config.scroll_key {
            Some(key) => ScrollSigner::with_key(key.expose_secret().as_bytes()),
            None => ScrollSigner::with_key(OPEN_KEY),
        };
        let exporter = Exporter::new(elasticsearch, signer, config.export.clone());
        let sync = Sync::new(exporter.clone(), target, options);
        let mut summary = Summary {
            target: name,
            dry_run,
            reports: Vec::new(),
            failed: Vec::new(),
            skipped: Vec::new(),
        };
        let work = all(&sync, &reports, given, &mut summary);
        let is_interrupted = tokio::select! {
            () = work => false,
            stopped = stop_signal()? => { let () = stopped; true },
        };
        sync.release().await;
        exporter.drain(TIME_TO_CLEAR).await;
        print(&summary)?;
        if is_interrupted {
            eprintln!("optimize-export: interrupted; run the same command again");
            return Ok(ExitCode::from(EXIT_RESUME));
        }
        Ok(exit_code(&summary))
    })
}

/// All reports, one after the other. Those behind the first `given` come from a collection.
async fn all(sync: &Sync, reports: &[String], given: usize, summary: &mut Summary) {
    let mut progress = ProgressLine::new();
    for (at, report_id) in reports.iter().enumerate() {
        if reports.iter().take(at).any(|other| other == report_id) {
            continue;
        }
        let result = if summary.dry_run {
            sync.preview(report_id).await
        } else {
            sync.report(report_id, &mut progress).await
        };
        match result {
            Ok(report) => {
                progress.notice(&told(&report));
                summary.reports.push(report);
            }
            Err(error) => {
                let failed = Failed {
                    report_id: report_id.clone(),
                    error: error.to_string(),
                    exit_code: code_of(&error),
                };
                if at >= given && error.is_refusal() {
                    progress.notice(&format!("{report_id} is left out: {error}"));
                    summary.skipped.push(failed);
                } else {
                    progress.notice(&format!("{report_id}: {error}"));
                    summary.failed.push(failed);
                }
            }
        }
    }
}

/// A line for people about a report.
fn told(report: &ReportSummary) -> String {
    let of_table = |table: &crate::sync::TableSummary| {
        let mode = table.mode.id();
        match (report.run.is_some(), table.instances) {
            (false, Some(instances)) => format!(
                "{} {mode} ({} instances)",
                table.table,
                HumanCount(instances)
            ),
            _ => format!(
                "{} {mode} {} rows ({})",
                table.table,
                HumanCount(table.rows),
                HumanBytes(table.bytes)
            ),
        }
    };
    let tables: Vec<String> = report.tables.iter().map(of_table).collect();
    format!("{}: {}", report.report_id, tables.join(", "))
}

fn code_of(error: &SyncError) -> u8 {
    if error.may_pass() {
        EXIT_RESUME
    } else if error.is_refusal() {
        EXIT_REFUSED
    } else {
        1
    }
}

/// What needs somebody comes before what may pass by itself.
fn exit_code(summary: &Summary) -> ExitCode {
    let codes = || summary.failed.iter().map(|failed| failed.exit_code);
    let is_there = |code: &u8| codes().any(|other| other == *code);
    let code = [1, EXIT_REFUSED, EXIT_RESUME].into_iter().find(is_there);
    code.map_or(ExitCode::SUCCESS, ExitCode::from)
}

fn print(summary: &Summary) -> Result<(), String> {
    let text = serde_json::to_string_pretty(summary).map_err(|error| error.to_string())?;
    let printed = writeln!(io::stdout(), "{text}");
    super::printed(printed).map_err(|error| format!("the summary can't be printed: {error}"))
}

/// Done when the process is asked to stop.
fn stop_signal() -> Result<impl Future<Output = ()>, String> {
    let on = |kind| signal(kind).map_err(|error| format!("signals can't be received: {error}"));
    let (mut terminate, mut interrupt) =
        (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Shows on a terminal what is being read; notices go anywhere.
struct ProgressLine {
    bar: Option<ProgressBar>,
}

impl ProgressLine {
    fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let bar = ProgressBar::no_length();
            if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar }
    }
}

impl SyncProgress for ProgressLine {
    fn begin(&mut self, report_id: &str, table: Table, mode: RunMode, instances: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        bar.reset();
        let instances = instances.map_or_else(String::new, |instances| {
            format!(", {} instances", HumanCount(instances))
        });
        bar.set_prefix(format!(
            "{report_id}/{} ({}{instances})",
            table.id(),
            mode.id()
        ));
        bar.enable_steady_tick(TICK);
    }

    fn arrived(&mut self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    fn end(&mut self) {
        if let Some(bar) = &self.bar {
            bar.disable_steady_tick();
            bar.finish_and_clear();
        }
    }

    fn notice(&mut self, text: &str) {
        let text = super::printable(text);
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("optimize-export: {text}")),
            None => eprintln!("optimize-export: {text}"),
        }
    }
}
