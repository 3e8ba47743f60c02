//! `serve`: the service itself.

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use metrics_exporter_prometheus::PrometheusHandle;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use secrecy::ExposeSecret;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{access_rules, connect, runtime};
use crate::auth::{AccessRules, Authenticator, JwtVerifier, NamedToken, StaticTokens, Tokens};
use crate::config::{Config, LogFormat};
use crate::export::Exporter;
use crate::http;
use crate::http::readiness::Readiness;
use crate::http::server::ServerLimits;
use crate::http::tls::TlsAcceptor;
use crate::http::{health, routes, server};
use crate::scroll::signer::ScrollSigner;
use crate::{flags, reload, telemetry};

/// Time to give up the scrolls of pages that were cut off when the service stopped.
const TIME_TO_CLEAR: Duration = Duration::from_secs(5);
/// Open files that connections of clients can't take.
const RESERVED_FILES: usize = 512;

/// Runs the service until it is asked to stop.
pub fn run(config: Config) -> Result<ExitCode, String> {
    start_log(&config)?;
    runtime()?.block_on(run_service(config))
}

async fn run_service(config: Config) -> Result<ExitCode, String> {
    let elasticsearch = connect(&config)?;
    let signer = match &config.scroll_key {
        Some(key) => ScrollSigner::with_key(key.expose_secret().as_bytes()),
        None => {
            tracing::info!(
                "no scroll key is configured: only this process can continue its scrolls, replicas need a common one ({})",
                flags::SCROLL_KEY_FILE
            );
            ScrollSigner::of_this_process()
        }
    };
    let authenticator = Authenticator {
        tokens: tokens(&config)?,
        rules: watched_access_rules(&config)?,
    };
    let readiness = Readiness::new(elasticsearch.clone());
    let api = routes::Api {
        readiness: readiness.clone(),
        reports: super::report_list(&config, elasticsearch.clone()),
        exporter: Exporter::new(elasticsearch, signer, config.export.clone()),
        authenticator,
        parameters: config.parameters,
        context_path: config.context_path.clone(),
        docs: config.api_docs,
    };
    let tls = tls(&config)?;
    let listener = listen(flags::LISTEN, config.listen).await?;
    let management = listen(flags::MANAGEMENT_LISTEN, config.management_listen).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let management_address = management.local_addr().map_err(|error| error.to_string())?;
    let (stop_management, management_stopped) = tokio::sync::oneshot::channel::<()>();
    let metrics = telemetry::start().map_err(|error| format!("metrics can't be kept: {error}"))?;
    keep_up(metrics.clone());
    let health = tokio::spawn(http::server::serve(
        management,
        None,
        config.server,
        health::routes(api.exporter.clone(), readiness, metrics),
        async {
            // Either the sender says so or it is gone; both mean stop.
            let _ = management_stopped.await;
        },
    ));
    let exporter = api.exporter.clone();
    let limits = ServerLimits {
        max_connections: (config.server.max_connections).min(files_for_connections()),
        ..config.server
    };
    let stop = stop_signal()?;
    tracing::info!(%address, management = %management_address, "started");
    let scheme = if tls.is_some() { "https" } else { "http" };
    // It serves as well when nobody reads the line.
    let _ = writeln!(
        io::stdout(),
        "optimize-export listens on {scheme}://{address}"
    );
    server::serve(listener, tls, limits, routes::routes(api), stop).await;
    exporter.drain(TIME_TO_CLEAR).await;
    drop(stop_management);
    health.await.map_err(|error| error.to_string())?;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// Lets this process open as many files as it may, and tells how many of them connections of clients may be. The others are
/// for Elasticsearch, files and the health checks: somebody who opens connections must not be able to stop those.
fn files_for_connections() -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit = raised,
            Err(error) => tracing::warn!(%error, "the limit of open files can't be raised"),
        }
    }
    let files = limit.current.map_or(usize::MAX, |files| {
        usize::try_from(files).unwrap_or(usize::MAX)
    });
    files.saturating_sub(RESERVED_FILES.min(files / 2)).max(1)
}

/// The access rules, read again whenever their file changes.
fn watched_access_rules(config: &Config) -> Result<AccessRules, String> {
    let rules = access_rules(config)?;
    if let Some(file) = config.access_rules_file.clone() {
        tracing::info!("clients may what access rules let them");
        let renewed = rules.clone();
        reload::watch("the file of access rules", vec![file.clone()], move || {
            renewed.reload(&file)
        });
    }
    Ok(rules)
}

/// Decides who is let in, and warns if that is nobody.
fn tokens(config: &Config) -> Result<Tokens, String> {
    if let Some(settings) = &config.jwt {
        let verifier = JwtVerifier::new(settings.clone()).map_err(|error| error.to_string())?;
        if !config.access_tokens.is_empty() {
            tracing::warn!(
                "tokens of a provider are configured ({}, {}): the static access token is ignored",
                flags::JWK_SET_URI,
                flags::ISSUER
            );
        }
        return Ok(Tokens::Jwt(Arc::new(verifier)));
    }
    if config.access_tokens.is_empty() {
        tracing::warn!(
            "no access token is configured: every request will be refused ({})",
            flags::ACCESS_TOKEN_FILE
        );
    } else if config
        .access_tokens
        .iter()
        .any(|token| !token.can_be_sent())
    {
        tracing::warn!(
            "the access token holds characters that clients can't send: every request will be refused"
        );
    }
    for weakness in config.access_tokens.iter().filter_map(NamedToken::weakness) {
        tracing::warn!("{weakness}");
    }
    let tokens = StaticTokens::new(config.access_tokens.clone());
    if let Some(file) = config.access_token_file.clone() {
        let tokens = tokens.clone();
        reload::watch("the file of access tokens", vec![file.clone()], move || {
            tokens.reload(&file)
        });
    }
    Ok(Tokens::StaticTokens(tokens))
}

/// The certificate of the export, read again when it changes.
fn tls(config: &Config) -> Result<Option<TlsAcceptor>, String> {
    let Some(files) = config.tls.clone() else {
        return Ok(None);
    };
    let acceptor = TlsAcceptor::load(&files)
        .map_err(|error| format!("{}: {error}", flags::TLS_CERTIFICATE_FILE))?;
    let watched = vec![files.certificate.clone(), files.key.clone()];
    let renewed = acceptor.clone();
    reload::watch("the certificate of the export", watched, move || {
        renewed.reload(&files)
    });
    Ok(Some(acceptor))
}

/// Samples wait in memory until somebody asks for them, which may be never.
fn keep_up(metrics: PrometheusHandle) {
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(telemetry::UPKEEP_INTERVAL).await;
            metrics.run_upkeep();
        }
    });
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

pub(super) fn start_log(config: &Config) -> Result<(), String> {
    // Whoever asks for more or less of the rest still wants to know who exported what, unless they say otherwise.
    let filter = EnvFilter::try_new(format!("audit=info,{}", config.log))
        .map_err(|error| format!("{} {:?}: {error}", flags::LOG, config.log))?;
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
