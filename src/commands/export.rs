//! `export`: a whole report from a running service into a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount};
use optimize_export::client::output::{ExistingFile, Format, Output};
use optimize_export::client::service::{Service, TokenSource};
use optimize_export::client::{ClientError, ReportRequest, Stop, export};
use optimize_export::config::{self, Environment};
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};
use url::Url;

use super::{environment, runtime};

mod progress;

use progress::ProgressLine;

/// The export is not complete, for a reason that may pass: it was interrupted, or the service was not available. The same
/// command with `--resume` goes on.
const EXIT_RESUME: u8 = 3;
/// The service refuses this export for good: the token, the report or a parameter is wrong.
const EXIT_REFUSED: u8 = 4;

/// Time for an export to write what it holds after it was asked to end.
const END_GRACE: Duration = Duration::from_secs(2);

/// What `--help` says below the flags.
const AFTER_HELP: &str = "\
Exit codes:
  0  complete
  1  failed: a file, a setting or an answer that this command can't work with
  2  wrong usage of the command line
  3  interrupted, or the service was not available in spite of all retries: --resume goes on
  4  refused by the service for good (status 400, 401, 404, …); the message says why

Resuming:
  After an interruption of any kind (Ctrl-C, SIGTERM, a crash) run the same command again with --resume. It cuts off a last
  line that was not written to its end, reads the report from its beginning and adds the rows whose instances the file does
  not have. Of each instance in the file it remembers 16 bytes. What it can't see: an instance that changed or was deleted
  since its row was written keeps that row. On a complete file it adds the rows of new instances.

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

    /// JSON lines, or one JSON array [default: json for a file that ends in .json, else jsonl]
    #[arg(long, value_name = "FORMAT")]
    format: Option<FormatName>,

    /// Go on with a file that an earlier export left behind; see below
    #[arg(long, conflicts_with = "force")]
    resume: bool,

    /// Write a file anew that exists
    #[arg(long)]
    force: bool,

    /// URL of the running service, with its context path if it has one
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_URL",
        value_name = "URL",
        default_value = "http://localhost:8095"
    )]
    url: Url,

    /// File with the access token, read anew for each page [or the token in OPTIMIZE_EXPORT_ACCESS_TOKEN] [also:
    /// OPTIMIZE_API_ACCESS_TOKEN]
    #[arg(long, env = "OPTIMIZE_EXPORT_ACCESS_TOKEN_FILE", value_name = "FILE")]
    access_token_file: Option<PathBuf>,

    /// PEM files of certificate authorities besides the public ones, which are built in
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_CA_FILE",
        value_name = "FILE",
        value_delimiter = ','
    )]
    ca_file: Vec<PathBuf>,

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

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FormatName {
    /// One JSON value per line
    Jsonl,
    /// One JSON array
    Json,
}

/// Exports, and says at the end what was written.
pub fn run(arguments: Export) -> Result<ExitCode, String> {
    let environment = environment();
    config::check_variables(&environment).map_err(|error| error.to_string())?;
    let service = service(&arguments, &environment)?;
    let mut output = output(&arguments)?;
    let request = ReportRequest {
        report_id: arguments.report_id,
        page_size: arguments.page_size,
        pagination_timeout: arguments.pagination_timeout,
        retries: arguments.retries,
    };
    let stop = Arc::new(Stop::default());
    wish_stop_on_signals(Arc::clone(&stop))?;
    let began = Instant::now();
    let had_rows = output.rows();
    let (done, end) = std::sync::mpsc::channel();
    let stop_of_export = Arc::clone(&stop);
    // A thread of its own, so that a wish to stop is not held up by a service that sends nothing.
    std::thread::spawn(move || {
        let mut progress = ProgressLine::new(had_rows);
        let result = export(
            &service,
            &request,
            &mut output,
            &mut progress,
            &stop_of_export,
        );
        progress.end();
        // Nobody listens any more if the time to end has run out.
        let _ = done.send((result, output));
    });
    let (result, output) = loop {
        match end.recv_timeout(Duration::from_millis(100)) {
            Ok(end) => break end,
            Err(RecvTimeoutError::Disconnected) => {
                return Err("the export stopped unexpectedly".to_owned());
            }
            Err(RecvTimeoutError::Timeout) if stop.is_wished() => match end.recv_timeout(END_GRACE)
            {
                Ok(end) => break end,
                Err(_) => {
                    eprintln!("optimize-export: interrupted; {RESUME_HINT}");
                    return Ok(ExitCode::from(EXIT_RESUME));
                }
            },
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    eprintln!("{}", summary(&output, had_rows, began.elapsed()));
    let Err(error) = result else {
        return Ok(ExitCode::SUCCESS);
    };
    let hint = if output.rows() > 0 && !is_standard_output(&arguments.output) {
        format!("; {RESUME_HINT}")
    } else {
        String::new()
    };
    eprintln!("optimize-export: {error}{hint}");
    Ok(ExitCode::from(exit_code(&error)))
}

/// What to do about an export that is not complete.
const RESUME_HINT: &str = "run the same command with --resume to go on";

fn exit_code(error: &ClientError) -> u8 {
    match error {
        ClientError::Refused(_) => EXIT_REFUSED,
        ClientError::Unavailable(_) | ClientError::Interrupted => EXIT_RESUME,
        ClientError::Unexpected(_) | ClientError::Output(_) => 1,
    }
}

fn summary(output: &Output, had_rows: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let new_rows = output.new_rows();
    let of_them_new = if had_rows > 0 {
        format!(" ({} of them new)", HumanCount(new_rows))
    } else {
        String::new()
    };
    let rate = if seconds > 0.0 {
        // A rate needs no more than the precision of a float.
        new_rows as f64 / seconds
    } else {
        0.0
    };
    format!(
        "{}: {} rows{of_them_new}, {} written in {seconds:.1} s ({rate:.0} rows/s)",
        output.name(),
        HumanCount(output.rows()),
        HumanBytes(output.written_bytes()),
    )
}

fn service(arguments: &Export, environment: &Environment) -> Result<Service, String> {
    let mut authorities = Vec::new();
    for path in &arguments.ca_file {
        let pem =
            fs::read(path).map_err(|error| format!("--ca-file {}: {error}", path.display()))?;
        authorities.push(pem);
    }
    let token = token(arguments.access_token_file.as_deref(), environment)?;
    Service::new(arguments.url.clone(), &authorities, token).map_err(|error| error.to_string())
}

/// The token, from the places where `serve` looks too.
fn token(file: Option<&Path>, environment: &Environment) -> Result<TokenSource, String> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let own = variable("OPTIMIZE_EXPORT_ACCESS_TOKEN");
    match (file, own) {
        (Some(_), Some(_)) => Err(
            "--access-token-file: the environment variable OPTIMIZE_EXPORT_ACCESS_TOKEN is set too; use one of them"
                .to_owned(),
        ),
        (Some(file), None) => Ok(TokenSource::File(file.to_owned())),
        (None, own) => own
            .or_else(|| variable("OPTIMIZE_API_ACCESS_TOKEN"))
            .map(|token| TokenSource::Token(SecretString::from(token.clone())))
            .ok_or_else(|| {
                "there is no access token; give --access-token-file or set OPTIMIZE_EXPORT_ACCESS_TOKEN".to_owned()
            }),
    }
}

fn is_standard_output(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn output(arguments: &Export) -> Result<Output, String> {
    let path = &arguments.output;
    let format = match arguments.format {
        Some(FormatName::Json) => Format::Array,
        Some(FormatName::Jsonl) => Format::Lines,
        None if path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("json")) =>
        {
            Format::Array
        }
        None => Format::Lines,
    };
    let existing = match (arguments.resume, arguments.force) {
        (true, _) => ExistingFile::Resume,
        (_, true) => ExistingFile::Replace,
        _ => ExistingFile::Refuse,
    };
    if is_standard_output(path) {
        return if existing == ExistingFile::Resume {
            Err("--resume: what went to the standard output can't be resumed".to_owned())
        } else {
            Ok(Output::standard(format))
        };
    }
    Output::file(path, format, existing).map_err(|error| error.to_string())
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
    use clap::{Args as _, Command};

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

    #[test]
    fn exit_codes_differ_from_that_of_wrong_usage() {
        let text = String::new;
        assert_eq!(exit_code(&ClientError::Unexpected(text())), 1);
        assert_eq!(exit_code(&ClientError::Unavailable(text())), 3);
        assert_eq!(exit_code(&ClientError::Interrupted), 3);
        assert_eq!(exit_code(&ClientError::Refused(text())), 4);
    }
}
