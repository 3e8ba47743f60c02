//! `export`: a whole report from a running service into a file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount};
use tokio::signal::unix::{SignalKind, signal};

use super::connection::{Connection, EXIT_RESUME, exit_code};
use super::{environment, runtime};
use crate::client::bookmark_file::BookmarkFile;
use crate::client::format::{FileFormat, FileKind};
use crate::client::output::{ExistingFile, Format, Output};
use crate::client::service::Service;
use crate::client::table::{Since, TableFormat, TableParameters, TableRequest, export_table};
use crate::client::whole_file::{Temporary, WholeFile};
use crate::client::{ClientError, ReportRequest, Stop, export};
use crate::config;

mod progress;

use progress::ProgressLine;

/// Time for an export to write what it holds after it was asked to end.
const END_GRACE: Duration = Duration::from_secs(2);

/// What `--help` says below the flags; a paragraph is one line of it, which clap breaks where the terminal ends.
const AFTER_HELP: &str = "\
Exit codes:
  0  complete
  1  failed: a file, a setting or an answer that this command can't work with
  2  wrong usage of the command line
  3  interrupted, or the service was not available in spite of all retries: run the same command again, with --resume \
     where it can go on
  4  refused by the service for good (status 400, 401, 404, …); the message says why

Formats:
  The name of the file tells the format: .json .jsonl .ndjson .csv .parquet .arrows, with .gz or .zst behind the text ones \
  for a compressed file. json, jsonl and ndjson are read page by page. csv, parquet and arrow, and jsonl and ndjson with \
  --table, --columns or --order, are tables: one request for all rows. `optimize-export schema` shows a report's tables and \
  columns.

Resuming:
  json, jsonl and ndjson can be resumed, unless they are compressed or have --table, --columns or --order. Everything else \
  is written to a hidden file in the same folder, which gets its name when all of it is there.
  After an interruption of any kind (Ctrl-C, SIGTERM, a crash) run the same command again with --resume. It cuts off a last \
  line that was not written to its end, reads the report from its beginning and adds the rows whose instances the file does \
  not have. Of each instance in the file it remembers 16 bytes. What it can't see: an instance that changed or was deleted \
  since its row was written keeps that row. On a complete file it adds the rows of new instances.

Only what changed:
  With --since every format is one request for all rows, and cannot be resumed. The first run, without a file, exports the whole \
  report and keeps a bookmark in the file. Each further run exports the instances that were created or updated since, some of \
  them once more: of each key the last row counts. The bookmark is written when the output is whole on the disk, so that a run \
  which was killed at any moment is repeated. What was deleted can't be seen; export everything now and then. --table left has \
  the keys of instances that changed and don't match the report's filters any more; it needs a file of its own, made by a run \
  without it (copy the file of the first run).
  Where the service answers with bookmarkError and says to start over, delete the file and run the same command again.

Reports that aggregate have one answer, which is written as it is: a list with one entry per line, or a number.";

/// Flags of `export`.
#[derive(clap::Args)]
#[command(after_long_help = AFTER_HELP)]
pub struct Export {
    /// Id of the report
    report_id: String,

    /// File to write; - for the standard output
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,

    /// What is written, whatever the name of the file [default: as the name ends; jsonl for the standard output]
    #[arg(long, value_name = "FORMAT")]
    format: Option<FileFormat>,

    #[command(flatten)]
    table: TableFlags,

    #[command(flatten)]
    csv: CsvFlags,

    /// Go on with a file that an earlier export left behind; see below
    #[arg(long, conflicts_with = "force")]
    resume: bool,

    /// Write a file anew that exists
    #[arg(long)]
    force: bool,

    /// Export only what has changed since the bookmark in this file, everything if there is no such file, and keep the next
    /// bookmark there; see below
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    since: Option<PathBuf>,

    #[command(flatten)]
    connection: Connection,

    /// Rows per page
    #[arg(long, env = "OPTIMIZE_EXPORT_PAGE_SIZE", value_name = "ROWS", default_value_t = 1000,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(config::MAX_LIMIT)))]
    page_size: u32,

    /// Seconds for which the service keeps the next page ready
    #[arg(long, env = "OPTIMIZE_EXPORT_PAGINATION_TIMEOUT", value_name = "SECONDS", default_value_t = 300,
        value_parser = clap::value_parser!(u32).range(1..=i64::from(config::MAX_PAGINATION_TIMEOUT)))]
    pagination_timeout: u32,

    /// Tries in a row that may fail before the export gives up (status 429 and 503, broken connections)
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_RETRIES",
        value_name = "NUMBER",
        default_value_t = 10
    )]
    retries: u32,
}

/// Which part of a report.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct TableFlags {
    /// Table of the report, such as flowNodes; `optimize-export schema` shows them all [default: the first one]
    #[arg(long, value_name = "TABLE", help_heading = "Tables")]
    table: Option<String>,

    /// Columns in the order wanted: names or prefix*, separated by commas (\, for a comma in a name); stored for those that
    /// the report's owner chose [default: all]
    #[arg(long, value_name = "COLUMNS", help_heading = "Tables")]
    columns: Option<String>,
}

impl TableFlags {
    /// What the service is asked for. An empty value counts as none, as it does there.
    pub fn parameters(&self) -> TableParameters {
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        TableParameters {
            table: given(&self.table),
            columns: given(&self.columns),
            ..TableParameters::default()
        }
    }
}

/// How csv is written, and in which order.
#[derive(Debug, Clone, Default, clap::Args)]
struct CsvFlags {
    /// Order of the rows: that of the report, or any, which is the fastest [default: report]
    #[arg(long, value_name = "ORDER", help_heading = "Tables")]
    order: Option<Order>,

    /// Character between the values of csv; \t for a tab [default: ,]
    #[arg(long, value_name = "CHARACTER", help_heading = "CSV")]
    delimiter: Option<String>,

    /// Begin csv with a byte order mark, by which Excel knows UTF-8
    #[arg(long, help_heading = "CSV")]
    bom: bool,

    /// text puts ' before a value that a spreadsheet would take for a formula [default: values stay as they are]
    #[arg(long, value_name = "HOW", help_heading = "CSV")]
    formulas: Option<Formulas>,
}

impl CsvFlags {
    /// The flags that only csv has, as far as they were given.
    fn of_csv_only(&self) -> Vec<&'static str> {
        let flags = [
            ("--delimiter", self.delimiter.is_some()),
            ("--bom", self.bom),
            ("--formulas", self.formulas.is_some()),
        ];
        let given = flags.into_iter().filter(|(_, is_given)| *is_given);
        given.map(|(name, _)| name).collect()
    }
}

/// The order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Order {
    /// That of the report
    Report,
    /// Whatever is the fastest
    Any,
}

/// What becomes of values that a spreadsheet would take for formulas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Formulas {
    /// They become text
    Text,
}

/// Exports, and says at the end what was written.
pub fn run(arguments: Export) -> Result<ExitCode, String> {
    let environment = environment();
    config::check_variables(&environment).map_err(|error| error.to_string())?;
    let service = arguments.connection.service(&environment)?;
    let mut task = task(&arguments)?;
    let hint = task.hint();
    let temporary = task.temporary();
    let stop = Arc::new(Stop::default());
    wish_stop_on_signals(Arc::clone(&stop))?;
    let began = Instant::now();
    let (done, end) = std::sync::mpsc::channel();
    let stop_of_export = Arc::clone(&stop);
    // A thread of its own, so that a wish to stop is not held up by a service that sends nothing.
    std::thread::spawn(move || {
        let result = task.run(&service, &stop_of_export);
        // Nobody listens any more if the time to end has run out.
        let _ = done.send((result, task));
    });
    let interrupted = || {
        // The other thread still has the file open, and ends with this process.
        if let Some(temporary) = &temporary {
            temporary.give_up();
        }
        eprintln!("optimize-export: interrupted{}", with_hint(hint));
        Ok(ExitCode::from(EXIT_RESUME))
    };
    let (result, task) = loop {
        match end.recv_timeout(Duration::from_millis(100)) {
            Ok(end) => break end,
            Err(RecvTimeoutError::Disconnected) => {
                return Err("the export stopped unexpectedly".to_owned());
            }
            Err(RecvTimeoutError::Timeout) if stop.is_wished() => match end.recv_timeout(END_GRACE)
            {
                Ok(end) => break end,
                Err(_) => return interrupted(),
            },
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    let written = task.written();
    match result {
        Ok(()) => {
            eprintln!("{}", written.summary(began.elapsed()));
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            // Of what is not there any more, or was there before, nothing is to be said.
            if task.can_be_resumed() && written.new_rows > 0 {
                eprintln!("{}", written.summary(began.elapsed()));
            }
            let may_pass = exit_code(&error) == EXIT_RESUME;
            let start_over = start_over(&task, &error);
            let hint = match &task {
                Task::Table { .. } if start_over.is_some() => start_over.as_deref(),
                Task::Pages { output, .. } if output.can_be_resumed() => {
                    hint.filter(|_| output.rows() > 0)
                }
                _ => hint.filter(|_| may_pass),
            };
            eprintln!("optimize-export: {error}{}", with_hint(hint));
            Ok(ExitCode::from(exit_code(&error)))
        }
    }
}

/// What to do about a bookmark that can't be used any more. Of a report that knows no bookmarks there is nothing to be done, and the
/// service says why.
fn start_over(task: &Task, error: &ClientError) -> Option<String> {
    match (task, error) {
        (
            Task::Table {
                bookmark_file: Some(file),
                ..
            },
            ClientError::Bookmark(reason),
        ) if reason.contains("start over") => Some(format!(
            "delete {} and run the same command again: it exports everything and keeps a new bookmark",
            file.name()
        )),
        (_, ClientError::Bookmark(_)) => {
            Some("export this report without --since, whole every time".to_owned())
        }
        _ => None,
    }
}

/// What to do about an export that is not complete.
const RESUME_HINT: &str = "run the same command with --resume to go on";
/// The same where nothing is left of it.
const AGAIN_HINT: &str = "nothing was written under that name; run the same command again";

fn with_hint(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!("; {hint}"))
}

/// What is to be done, by the kind of file.
enum Task {
    /// Page by page.
    Pages {
        request: ReportRequest,
        output: Box<Output>,
        had_rows: u64,
    },
    /// In one stream.
    Table {
        request: TableRequest,
        output: Box<WholeFile>,
        rows: Option<u64>,
        /// Where the next bookmark goes.
        bookmark_file: Option<BookmarkFile>,
    },
}

/// What an export has written.
struct Written {
    name: String,
    /// Where rows can be counted.
    rows: Option<u64>,
    new_rows: u64,
    had_rows: u64,
    bytes: u64,
}

impl Task {
    fn run(&mut self, service: &Service, stop: &Stop) -> Result<(), ClientError> {
        match self {
            Self::Pages {
                request,
                output,
                had_rows,
            } => {
                let mut progress = ProgressLine::of_pages(*had_rows);
                let result = export(service, request, output, &mut progress, stop);
                progress.end();
                result
            }
            Self::Table {
                request,
                output,
                rows,
                bookmark_file,
            } => {
                let mut progress = ProgressLine::of_table(request.format.is_text());
                let result = export_table(service, request, output, &mut progress, stop);
                progress.end();
                let exported = result?;
                *rows = exported.rows;
                // Only now, when the output has its name: a bookmark must never be ahead of it.
                if let (Some(file), Some(bookmark)) = (bookmark_file, exported.bookmark) {
                    file.write(bookmark).map_err(|error| {
                        ClientError::Unexpected(format!(
                            "{} is complete, but its bookmark can't be kept: {error}; the next run exports these rows again",
                            output.name()
                        ))
                    })?;
                }
                Ok(())
            }
        }
    }

    fn temporary(&self) -> Option<Temporary> {
        match self {
            Self::Pages { output, .. } => output.temporary(),
            Self::Table { output, .. } => Some(output.temporary()),
        }
    }

    fn can_be_resumed(&self) -> bool {
        matches!(self, Self::Pages { output, .. } if output.can_be_resumed())
    }

    /// What to do if it does not come to its end for a reason that may pass.
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Pages { output, .. } if output.can_be_resumed() => Some(RESUME_HINT),
            Self::Pages { output, .. } => output.temporary().map(|_| AGAIN_HINT),
            Self::Table { output, .. } => output.is_file().then_some(AGAIN_HINT),
        }
    }

    fn written(&self) -> Written {
        match self {
            Self::Pages {
                output, had_rows, ..
            } => Written {
                name: output.name().to_owned(),
                rows: Some(output.rows()),
                new_rows: output.new_rows(),
                had_rows: *had_rows,
                bytes: output.written_bytes(),
            },
            Self::Table { output, rows, .. } => Written {
                name: output.name().to_owned(),
                rows: *rows,
                new_rows: rows.unwrap_or_default(),
                had_rows: 0,
                bytes: output.written_bytes(),
            },
        }
    }
}

impl Written {
    fn summary(&self, time: Duration) -> String {
        let seconds = time.as_secs_f64();
        // A rate needs no more than the precision of a float.
        let per_second = |count: u64| {
            if seconds > 0.0 {
                count as f64 / seconds
            } else {
                0.0
            }
        };
        let (name, bytes) = (&self.name, HumanBytes(self.bytes));
        let Some(rows) = self.rows else {
            let rate = HumanBytes(per_second(self.bytes) as u64);
            return format!("{name}: {bytes} written in {seconds:.1} s ({rate}/s)");
        };
        let of_them_new = if self.had_rows > 0 {
            format!(" ({} of them new)", HumanCount(self.new_rows))
        } else {
            String::new()
        };
        format!(
            "{name}: {} rows{of_them_new}, {bytes} written in {seconds:.1} s ({:.0} rows/s)",
            HumanCount(rows),
            per_second(self.new_rows)
        )
    }
}

fn is_standard_output(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// What the flags ask for, if they fit together.
fn task(arguments: &Export) -> Result<Task, String> {
    let path = &arguments.output;
    let kind = if is_standard_output(path) {
        FileKind::of_standard_output(arguments.format)
    } else {
        FileKind::of(path, arguments.format).map_err(|error| error.to_string())?
    };
    let parameters = parameters(arguments)?;
    let only_csv = arguments.csv.of_csv_only();
    if !only_csv.is_empty() && kind.format != FileFormat::Csv {
        return Err(format!("{}: only csv has that", only_csv.join(", ")));
    }
    let is_part = parameters != TableParameters::default();
    let is_streamed = is_part || arguments.since.is_some();
    let format = match kind.format {
        FileFormat::Json if is_part => {
            return Err(
                "--table, --columns and --order: json has none of them; jsonl, ndjson, csv, parquet and arrow have"
                    .to_owned(),
            );
        }
        FileFormat::Json | FileFormat::Jsonl | FileFormat::Ndjson if is_streamed => {
            TableFormat::Ndjson
        }
        FileFormat::Json => return pages(arguments, kind, Format::Array),
        FileFormat::Jsonl | FileFormat::Ndjson => return pages(arguments, kind, Format::Lines),
        FileFormat::Csv => TableFormat::Csv,
        FileFormat::Parquet => TableFormat::Parquet,
        FileFormat::Arrow => TableFormat::Arrow,
    };
    if arguments.resume {
        return Err(if is_standard_output(path) {
            NO_RESUME_OF_STANDARD_OUTPUT.to_owned()
        } else {
            NO_RESUME.to_owned()
        });
    }
    if arguments.since.as_ref() == Some(path) {
        return Err("--since: the bookmark needs a file of its own, beside the output".to_owned());
    }
    let bookmark_file = arguments.since.as_deref().map(BookmarkFile::read);
    let bookmark_file = bookmark_file
        .transpose()
        .map_err(|error| error.to_string())?;
    let output = if is_standard_output(path) {
        WholeFile::standard()
    } else {
        WholeFile::create(path, existing_file(arguments), kind.compression)
            .map_err(|error| error.to_string())?
    };
    Ok(Task::Table {
        request: TableRequest {
            report_id: arguments.report_id.clone(),
            format,
            parameters,
            since: since(bookmark_file.as_ref()),
            lines_are_array: kind.format == FileFormat::Json,
            retries: arguments.retries,
        },
        output: Box::new(output),
        rows: None,
        bookmark_file,
    })
}

fn since(file: Option<&BookmarkFile>) -> Since {
    match file.map(BookmarkFile::bookmark) {
        None => Since::Ever,
        Some(None) => Since::Beginning,
        Some(Some(bookmark)) => Since::Bookmark(bookmark.to_owned()),
    }
}

const NO_RESUME_OF_STANDARD_OUTPUT: &str =
    "--resume: what went to the standard output can't be resumed";
const NO_RESUME: &str = "--resume: only json, jsonl and ndjson can be resumed, and only if they are not compressed and have none of --table, \
     --columns and --order; leave --resume out, a file like this is written as a whole";

fn parameters(arguments: &Export) -> Result<TableParameters, String> {
    let csv = &arguments.csv;
    Ok(TableParameters {
        order: csv.order.map(|order| {
            match order {
                Order::Report => "report",
                Order::Any => "any",
            }
            .to_owned()
        }),
        delimiter: csv.delimiter.as_deref().map(delimiter).transpose()?,
        byte_order_mark: csv.bom,
        formulas_as_text: csv.formulas == Some(Formulas::Text),
        ..arguments.table.parameters()
    })
}

/// One character; a tab is hard to type in a shell.
fn delimiter(text: &str) -> Result<String, String> {
    let text = if text == "\\t" { "\t" } else { text };
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) if !matches!(character, '"' | '\r' | '\n') => Ok(text.to_owned()),
        _ => Err(
            "--delimiter: it must be one character, and neither a quotation mark nor a line break"
                .to_owned(),
        ),
    }
}

fn existing_file(arguments: &Export) -> ExistingFile {
    match (arguments.resume, arguments.force) {
        (true, _) => ExistingFile::Resume,
        (_, true) => ExistingFile::Replace,
        _ => ExistingFile::Refuse,
    }
}

/// Page by page.
fn pages(arguments: &Export, kind: FileKind, format: Format) -> Result<Task, String> {
    let path = &arguments.output;
    let existing = existing_file(arguments);
    let is_resumed = existing == ExistingFile::Resume;
    let output = match kind.compression {
        _ if is_standard_output(path) && is_resumed => {
            return Err(NO_RESUME_OF_STANDARD_OUTPUT.to_owned());
        }
        _ if is_standard_output(path) => Ok(Output::standard(format)),
        Some(_) if is_resumed => return Err(NO_RESUME.to_owned()),
        Some(compression) => Output::compressed(path, format, existing, compression),
        None => Output::file(path, format, existing),
    };
    let output = output.map_err(|error| error.to_string())?;
    Ok(Task::Pages {
        request: ReportRequest {
            report_id: arguments.report_id.clone(),
            page_size: arguments.page_size,
            pagination_timeout: arguments.pagination_timeout,
            retries: arguments.retries,
        },
        had_rows: output.rows(),
        output: Box::new(output),
    })
}

/// Waits for SIGINT and SIGTERM in the background.
fn wish_stop_on_signals(stop: Arc<Stop>) -> Result<(), String> {
    let runtime = runtime()?;
    let guard = runtime.enter();
    let on = |kind| signal(kind).map_err(|error| format!("signals can't be received: {error}"));
    let (mut terminate, mut interrupt) =
        (on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    drop(guard);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        });
        stop.wish();
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches};

    use super::*;

    #[test]
    fn every_variable_is_known_to_the_other_commands() {
        let command = Export::augment_args(Command::new("export"));
        let variables: Vec<&str> = command
            .get_arguments()
            .filter_map(|argument| argument.get_env()?.to_str())
            .collect();
        assert!(variables.len() >= 5);
        let environment = variables
            .iter()
            .map(|name| ((*name).to_owned(), String::new()))
            .collect();
        config::check_variables(&environment).unwrap();
    }

    /// What the flags of an export into `rows.<ending>` of a new folder come to.
    fn task_of(flags: &[&str], ending: &str) -> Result<Task, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(format!("rows.{ending}"));
        let path = path.to_str().unwrap();
        let file = if ending == "-" { "-" } else { path };
        let arguments = [&["export", "r", "-o", file], flags].concat();
        let matches = Export::augment_args(Command::new("export"))
            .try_get_matches_from(arguments)
            .map_err(|error| error.to_string())?;
        task(&Export::from_arg_matches(&matches).unwrap())
    }

    /// Whether it goes page by page, else as which table.
    fn way(flags: &[&str], ending: &str) -> Option<TableFormat> {
        match task_of(flags, ending).unwrap_or_else(|error| panic!("{ending}: {error}")) {
            Task::Pages { .. } => None,
            Task::Table { request, .. } => Some(request.format),
        }
    }

    #[test]
    fn whole_rows_come_page_by_page_and_tables_in_one_stream() {
        for ending in [
            "json",
            "jsonl",
            "ndjson",
            "json.gz",
            "jsonl.zst",
            "ndjson.gz",
            "-",
        ] {
            assert_eq!(way(&[], ending), None, "{ending}");
        }
        assert_eq!(way(&["--table", "", "--columns="], "jsonl"), None);
        assert_eq!(way(&["--format", "json"], "txt"), None);
        for flags in [
            ["--table", "flowNodes"],
            ["--columns", "a,b*"],
            ["--order", "any"],
        ] {
            for ending in ["jsonl", "ndjson", "jsonl.gz", "-"] {
                assert_eq!(way(&flags, ending), Some(TableFormat::Ndjson), "{ending}");
            }
            assert_eq!(way(&flags, "csv.zst"), Some(TableFormat::Csv));
        }
        for ending in ["json", "jsonl", "ndjson.zst", "-"] {
            let since = ["--since", "/tmp/no-such-bookmark"];
            assert_eq!(way(&since, ending), Some(TableFormat::Ndjson), "{ending}");
        }
        assert_eq!(way(&[], "csv"), Some(TableFormat::Csv));
        assert_eq!(way(&[], "parquet"), Some(TableFormat::Parquet));
        assert_eq!(way(&[], "arrows"), Some(TableFormat::Arrow));
        assert_eq!(way(&["--format", "csv"], "json"), Some(TableFormat::Csv));
        assert_eq!(way(&["--format", "arrow"], "-"), Some(TableFormat::Arrow));
    }

    #[test]
    fn flags_that_do_not_fit_together_are_told() {
        for (flags, ending, words) in [
            (&[][..], "txt", ".parquet"),
            (
                &["--table", "variables"],
                "json",
                "jsonl, ndjson, csv, parquet and arrow",
            ),
            (
                &["--resume"],
                "csv",
                "only json, jsonl and ndjson can be resumed",
            ),
            (
                &["--resume"],
                "jsonl.gz",
                "only json, jsonl and ndjson can be resumed",
            ),
            (&["--resume", "--order", "any"], "jsonl", "--order"),
            (&["--resume"], "-", "standard output"),
            (&["--resume", "--since", "b"], "jsonl", "--since"),
            (&["--since", "no/such/folder/b"], "csv", "--since"),
            (&["--resume", "--format", "csv"], "-", "standard output"),
            (
                &["--bom", "--formulas", "text"],
                "jsonl",
                "--bom, --formulas: only csv",
            ),
            (&["--delimiter", ";;"], "csv", "--delimiter"),
            (&["--delimiter", "\""], "csv", "--delimiter"),
            (&["--delimiter", ""], "csv", "--delimiter"),
            (&["--order", "asc"], "csv", "--order"),
            (&["--formulas", "no"], "csv", "--formulas"),
            (&["--format", "parquet"], "csv.gz", ".gz"),
        ] {
            let problem = task_of(flags, ending).err();
            let problem = problem.unwrap_or_else(|| panic!("{flags:?} {ending} is taken"));
            assert!(problem.contains(words), "{problem}");
        }
    }

    #[test]
    fn the_service_is_asked_for_what_the_flags_say() {
        let flags = [
            "--table",
            "flowNodes",
            "--columns",
            "a,dur:*",
            "--order",
            "any",
            "--delimiter",
            "\\t",
            "--bom",
            "--formulas",
            "text",
        ];
        let Ok(Task::Table { request, .. }) = task_of(&flags, "csv") else {
            panic!("no table");
        };
        let text = |text: &str| Some(text.to_owned());
        let expected = TableParameters {
            table: text("flowNodes"),
            columns: text("a,dur:*"),
            order: text("any"),
            delimiter: text("\t"),
            byte_order_mark: true,
            formulas_as_text: true,
        };
        assert_eq!(request.parameters, expected);
    }

    #[test]
    fn a_summary_counts_rows_where_there_are_any_to_count() {
        let written = |rows, had_rows| Written {
            name: "f".to_owned(),
            rows,
            new_rows: 1_000,
            had_rows,
            bytes: 2_048,
        };
        let summary = |written: Written| written.summary(Duration::from_secs(2));
        assert_eq!(
            summary(written(Some(1_200), 200)),
            "f: 1,200 rows (1,000 of them new), 2.00 KiB written in 2.0 s (500 rows/s)"
        );
        assert_eq!(
            summary(written(Some(1_000), 0)),
            "f: 1,000 rows, 2.00 KiB written in 2.0 s (500 rows/s)"
        );
        assert_eq!(
            summary(written(None, 0)),
            "f: 2.00 KiB written in 2.0 s (1.00 KiB/s)"
        );
    }
}
