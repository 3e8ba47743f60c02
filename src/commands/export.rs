//! `export`: a whole report from a running service into a file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount};
use optimize_export::client::oauth::{ClientCredentials, SecretSource};
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

    #[command(flatten)]
    provider: Provider,

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

/// A provider of tokens, instead of a token.
#[derive(Debug, Clone, Default, clap::Args)]
struct Provider {
    /// Token endpoint of an OAuth2 provider; tokens are got there with client credentials, and renewed before they expire [also:
    /// CAMUNDA_OAUTH_URL, ZEEBE_AUTHORIZATION_SERVER_URL]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_OAUTH_URL",
        value_name = "URL",
        help_heading = "Tokens of a provider"
    )]
    oauth_url: Option<Url>,

    /// Client that gets them [also: CAMUNDA_CLIENT_ID, ZEEBE_CLIENT_ID]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_CLIENT_ID",
        value_name = "ID",
        help_heading = "Tokens of a provider"
    )]
    client_id: Option<String>,

    /// File with its secret [or the secret in OPTIMIZE_EXPORT_CLIENT_SECRET] [also: CAMUNDA_CLIENT_SECRET, ZEEBE_CLIENT_SECRET]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_CLIENT_SECRET_FILE",
        value_name = "FILE",
        help_heading = "Tokens of a provider"
    )]
    client_secret_file: Option<PathBuf>,

    /// Audience to ask a token for, where the provider wants to know [also: CAMUNDA_OPTIMIZE_OAUTH_AUDIENCE]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_OAUTH_AUDIENCE",
        value_name = "AUDIENCE",
        help_heading = "Tokens of a provider"
    )]
    oauth_audience: Option<String>,

    /// Scope to ask a token for, where the provider wants to know [also: CAMUNDA_TOKEN_SCOPE]
    #[arg(
        long,
        env = "OPTIMIZE_EXPORT_OAUTH_SCOPE",
        value_name = "SCOPE",
        help_heading = "Tokens of a provider"
    )]
    oauth_scope: Option<String>,
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
    let token = token(
        arguments.access_token_file.as_deref(),
        &arguments.provider,
        environment,
    )?;
    Service::new(arguments.url.clone(), &authorities, token).map_err(|error| error.to_string())
}

/// The token, from the places where `serve` looks too, or from a provider. What is ours goes before what is Camunda's, and a
/// token of Optimize's before a provider of Camunda's: the environment of a whole installation may have both.
fn token(
    file: Option<&Path>,
    provider: &Provider,
    environment: &Environment,
) -> Result<TokenSource, String> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let own = variable("OPTIMIZE_EXPORT_ACCESS_TOKEN");
    let is_own_provider = provider.oauth_url.is_some();
    let given = [
        (file.is_some(), "--access-token-file"),
        (
            own.is_some(),
            "the environment variable OPTIMIZE_EXPORT_ACCESS_TOKEN",
        ),
        (is_own_provider, "--oauth-url"),
    ];
    let given: Vec<&str> = given
        .into_iter()
        .filter_map(|(is_given, name)| is_given.then_some(name))
        .collect();
    if let [first, second, ..] = given.as_slice() {
        return Err(format!("{first}: {second} is set too; use one of them"));
    }
    if let Some(file) = file {
        return Ok(TokenSource::File(file.to_owned()));
    }
    let fixed = own.or_else(|| variable("OPTIMIZE_API_ACCESS_TOKEN").filter(|_| !is_own_provider));
    if let Some(token) = fixed {
        return Ok(TokenSource::Token(SecretString::from(token.clone())));
    }
    match client_credentials(provider, environment)? {
        Some(credentials) => Ok(TokenSource::Provider(credentials)),
        None => Err(
            "there is no access token; give --access-token-file or --oauth-url, or set OPTIMIZE_EXPORT_ACCESS_TOKEN"
                .to_owned(),
        ),
    }
}

/// The provider that is configured, if there is one.
fn client_credentials(
    provider: &Provider,
    environment: &Environment,
) -> Result<Option<ClientCredentials>, String> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let url = match &provider.oauth_url {
        Some(url) => url.clone(),
        None => {
            let names = ["CAMUNDA_OAUTH_URL", "ZEEBE_AUTHORIZATION_SERVER_URL"];
            let Some((name, text)) = names
                .into_iter()
                .find_map(|name| Some((name, variable(name)?)))
            else {
                return Ok(None);
            };
            Url::parse(text).map_err(|error| format!("{name}: {error}"))?
        }
    };
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(
            "--oauth-url: it must begin with http:// or https:// and name a host".to_owned(),
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "--oauth-url: credentials don't belong into it; use --client-id and --client-secret-file"
                .to_owned(),
        );
    }
    let (client_id, client_secret) = client(provider, environment)?;
    Ok(Some(ClientCredentials {
        url,
        client_id,
        client_secret,
        audience: (provider.oauth_audience.clone())
            .or_else(|| variable("CAMUNDA_OPTIMIZE_OAUTH_AUDIENCE").cloned()),
        scope: (provider.oauth_scope.clone()).or_else(|| variable("CAMUNDA_TOKEN_SCOPE").cloned()),
    }))
}

/// Id and secret of a client. They belong together, so both are of one family of names.
fn client(
    provider: &Provider,
    environment: &Environment,
) -> Result<(String, SecretSource), String> {
    let variable = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let value = |secret: &String| SecretSource::Value(SecretString::from(secret.clone()));
    let own_secret = variable("OPTIMIZE_EXPORT_CLIENT_SECRET");
    let secret = match (&provider.client_secret_file, own_secret) {
        (Some(_), Some(_)) => {
            return Err(
                "--client-secret-file: the environment variable OPTIMIZE_EXPORT_CLIENT_SECRET is set too; use one of them"
                    .to_owned(),
            );
        }
        (Some(file), None) => Some(SecretSource::File(file.clone())),
        (None, secret) => secret.map(value),
    };
    let families = [
        (
            "--client-id",
            provider.client_id.clone(),
            "--client-secret-file",
            secret,
        ),
        (
            "CAMUNDA_CLIENT_ID",
            variable("CAMUNDA_CLIENT_ID").cloned(),
            "CAMUNDA_CLIENT_SECRET",
            variable("CAMUNDA_CLIENT_SECRET").map(value),
        ),
        (
            "ZEEBE_CLIENT_ID",
            variable("ZEEBE_CLIENT_ID").cloned(),
            "ZEEBE_CLIENT_SECRET",
            variable("ZEEBE_CLIENT_SECRET").map(value),
        ),
    ];
    for (id_name, id, secret_name, secret) in families {
        match (id, secret) {
            (Some(id), Some(secret)) => return Ok((id, secret)),
            (Some(_), None) => return Err(format!("{id_name}: it needs {secret_name}")),
            (None, Some(_)) => return Err(format!("{secret_name}: it needs {id_name}")),
            (None, None) => {}
        }
    }
    Err("--oauth-url: it needs --client-id and --client-secret-file".to_owned())
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

    fn source(provider: &Provider, variables: &[(&str, &str)]) -> Result<TokenSource, String> {
        let environment = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        token(None, provider, &environment)
    }

    #[test]
    fn client_credentials_come_from_the_names_of_camunda_too() {
        let provider = |variables: &[(&str, &str)]| {
            let Ok(TokenSource::Provider(found)) = source(&Provider::default(), variables) else {
                panic!("no provider: {variables:?}");
            };
            assert!(!format!("{found:?}").contains("hush"));
            (found.url.to_string(), found.client_id, found.audience)
        };
        let zeebe = [
            ("ZEEBE_AUTHORIZATION_SERVER_URL", "https://z/token"),
            ("ZEEBE_CLIENT_ID", "zeebe"),
            ("ZEEBE_CLIENT_SECRET", "hush"),
            ("ZEEBE_TOKEN_AUDIENCE", "zeebe.camunda.io"),
        ];
        let expected = ("https://z/token".to_owned(), "zeebe".to_owned(), None);
        assert_eq!(provider(&zeebe), expected);
        let camunda = [
            ("CAMUNDA_OAUTH_URL", "https://c/token"),
            ("CAMUNDA_CLIENT_ID", "camunda"),
            ("CAMUNDA_CLIENT_SECRET", "hush"),
            ("CAMUNDA_OPTIMIZE_OAUTH_AUDIENCE", "optimize.camunda.io"),
        ];
        let both = [&zeebe[..], &camunda[..]].concat();
        let audience = Some("optimize.camunda.io".to_owned());
        let expected = ("https://c/token".to_owned(), "camunda".to_owned(), audience);
        assert_eq!(provider(&both), expected);

        // A token goes on being used where there is one.
        let with_token = [&both[..], &[("OPTIMIZE_API_ACCESS_TOKEN", "t")]].concat();
        let found = source(&Provider::default(), &with_token);
        assert!(matches!(found, Ok(TokenSource::Token(_))));
        let own = Provider {
            oauth_url: Some("https://own/token".parse().unwrap()),
            ..Provider::default()
        };
        let found = source(&own, &with_token);
        assert!(
            matches!(found, Ok(TokenSource::Provider(found)) if found.url.host_str() == Some("own"))
        );
    }

    #[test]
    fn half_of_a_provider_is_told() {
        let url = ("CAMUNDA_OAUTH_URL", "https://c/token");
        for (variables, words) in [
            (vec![], "there is no access token"),
            (vec![url], "--oauth-url: it needs --client-id"),
            (
                vec![
                    url,
                    ("CAMUNDA_CLIENT_ID", "x"),
                    ("ZEEBE_CLIENT_SECRET", "y"),
                ],
                "CAMUNDA_CLIENT_ID: it needs CAMUNDA_CLIENT_SECRET",
            ),
            (
                vec![url, ("OPTIMIZE_EXPORT_CLIENT_SECRET", "y")],
                "--client-secret-file: it needs --client-id",
            ),
            (vec![("CAMUNDA_OAUTH_URL", "c")], "CAMUNDA_OAUTH_URL"),
            (vec![("CAMUNDA_OAUTH_URL", "ftp://c")], "--oauth-url"),
            (
                vec![("CAMUNDA_OAUTH_URL", "https://a:hush@c/")],
                "don't belong",
            ),
        ] {
            let problem = source(&Provider::default(), &variables).unwrap_err();
            assert!(
                problem.contains(words) && !problem.contains("hush"),
                "{problem}"
            );
        }
        let own = Provider {
            oauth_url: Some("https://own/token".parse().unwrap()),
            ..Provider::default()
        };
        let problem = source(&own, &[("OPTIMIZE_EXPORT_ACCESS_TOKEN", "t")]).unwrap_err();
        assert!(problem.contains("use one of them"), "{problem}");
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
