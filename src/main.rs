//! The command line of `optimize-export`.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use optimize_export::auth::{self, Authenticator, JwtVerifier};
use optimize_export::config::{Config, LogFormat, Settings};
use optimize_export::elasticsearch::Elasticsearch;
use optimize_export::export::Exporter;
use optimize_export::export::scroll::ScrollSigner;
use optimize_export::http::{health, routes, server};
use optimize_export::{check, http};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Camunda Optimize's report data export, served straight from Elasticsearch.
///
/// Every setting is a flag, an environment variable (OPTIMIZE_EXPORT_ and the flag in capitals) and a key in the YAML
/// file given by --config (the flag without its dashes); flag beats environment beats file.
#[derive(Parser)]
#[command(version, about, long_about)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service
    Serve(Configured),
    /// Tell whether this configuration can work; exit 0 or 1
    Check(Configured),
    /// Ask a running service whether it is ready; exit 0 or 1, for containers without a shell
    Healthcheck {
        /// Address of the service's health checks [also: the port of OPTIMIZE_EXPORT_MANAGEMENT_LISTEN]
        #[arg(long, value_name = "ADDRESS")]
        address: Option<SocketAddr>,
    },
}

#[derive(clap::Args)]
struct Configured {
    /// YAML file with settings
    #[arg(long, env = "OPTIMIZE_EXPORT_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

impl Configured {
    fn load(self) -> Result<Config, String> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Config::load(self.settings, self.config.as_deref(), &environment)
            .map_err(|error| error.to_string())
    }
}

fn main() -> ExitCode {
    let result = match CommandLine::parse().command {
        Command::Serve(configured) => configured.load().and_then(serve),
        Command::Check(configured) => configured.load().and_then(run_check),
        Command::Healthcheck { address } => healthcheck(address),
    };
    match result {
        Ok(code) => code,
        Err(message) => {
            eprintln!("optimize-export: {message}");
            ExitCode::FAILURE
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime can't be started: {error}"))
}

fn start_log(config: &Config) -> Result<(), String> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|error| format!("--log {:?}: {error}", config.log))?;
    // The standard output is for what a command prints.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}

fn connect(config: &Config) -> Result<Elasticsearch, String> {
    Elasticsearch::new(config.elasticsearch.clone()).map_err(|error| error.to_string())
}

fn serve(config: Config) -> Result<ExitCode, String> {
    start_log(&config)?;
    runtime()?.block_on(run(config))
}

async fn run(config: Config) -> Result<ExitCode, String> {
    let elasticsearch = connect(&config)?;
    let signer = match &config.scroll_key {
        Some(key) => ScrollSigner::with_key(key.expose_secret().as_bytes()),
        None => {
            tracing::info!(
                "no scroll key is configured: only this process can continue its scrolls, replicas need a common one \
                 (--scroll-key-file)"
            );
            ScrollSigner::of_this_process()
        }
    };
    let authenticator = authenticator(&config)?;
    let api = routes::Api {
        exporter: Exporter::new(elasticsearch.clone(), signer, config.export.clone()),
        authenticator,
        parameters: config.parameters,
        context_path: config.context_path.clone(),
    };
    let listener = listen("--listen", config.listen).await?;
    let management = listen("--management-listen", config.management_listen).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let management_address = management.local_addr().map_err(|error| error.to_string())?;
    let (stop_management, management_stopped) = tokio::sync::oneshot::channel::<()>();
    let health = tokio::spawn(http::server::serve(
        management,
        health::routes(elasticsearch),
        async {
            // Either the sender says so or it is gone; both mean stop.
            let _ = management_stopped.await;
        },
    ));
    let stop = stop_signal()?;
    tracing::info!(%address, management = %management_address, "started");
    println!("optimize-export listens on http://{address}");
    server::serve(listener, routes::routes(api), stop).await;
    drop(stop_management);
    health.await.map_err(|error| error.to_string())?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Decides who is let in, and warns if that is nobody.
fn authenticator(config: &Config) -> Result<Authenticator, String> {
    if let Some(settings) = &config.jwt {
        let verifier = JwtVerifier::new(settings.clone()).map_err(|error| error.to_string())?;
        if config.access_token.is_some() {
            tracing::warn!("--jwk-set-uri is configured: the static access token is ignored");
        }
        return Ok(Authenticator::Jwt(Arc::new(verifier)));
    }
    match &config.access_token {
        None => tracing::warn!(
            "no access token is configured: every request will be refused (--access-token-file)"
        ),
        Some(token) if !auth::is_well_formed(token.expose_secret()) => tracing::warn!(
            "the access token holds characters that clients can't send: every request will be refused"
        ),
        Some(_) => {}
    }
    Ok(Authenticator::StaticToken(config.access_token.clone()))
}

async fn listen(setting: &str, address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address)
        .await
        .map_err(|error| format!("{setting} {address}: {error}"))
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
        tracing::info!("asked to stop; requests under way may finish");
    })
}

fn run_check(config: Config) -> Result<ExitCode, String> {
    let elasticsearch = connect(&config)?;
    let findings = runtime()?.block_on(check::check(&config, &elasticsearch));
    println!("{findings}");
    Ok(if findings.can_work() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Longest wait of a health check; orchestrators give up after some seconds.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(5);

fn healthcheck(address: Option<SocketAddr>) -> Result<ExitCode, String> {
    let port = std::env::var("OPTIMIZE_EXPORT_MANAGEMENT_LISTEN")
        .ok()
        .and_then(|address| address.parse().ok())
        .map_or(8096, |address: SocketAddr| address.port());
    let address = address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], port)));
    let answer = runtime()?.block_on(async {
        let client = reqwest::Client::builder()
            .timeout(HEALTHCHECK_TIMEOUT)
            .no_proxy()
            .build()?;
        let response = client
            .get(format!("http://{address}/health/ready"))
            .send()
            .await?;
        let is_ready = response.status().is_success();
        response.text().await.map(|text| (is_ready, text))
    });
    let (is_ready, text) = answer.map_err(|error| format!("{address} does not answer: {error}"))?;
    println!("{text}");
    Ok(if is_ready {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
