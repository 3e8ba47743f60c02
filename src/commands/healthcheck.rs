//! `healthcheck`: asks a running service whether it is ready.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use cluster::tls::http_client;

use super::{printed, runtime};
use crate::config::DEFAULT_MANAGEMENT_LISTEN;

/// Flags of `healthcheck`.
#[derive(clap::Args)]
pub struct Healthcheck {
    /// Address of the service's health checks [also: the port of OPTIMIZE_EXPORT_MANAGEMENT_LISTEN]
    #[arg(long, value_name = "ADDRESS")]
    address: Option<SocketAddr>,
}

/// Longest wait of a health check; orchestrators give up after some seconds.
const HEALTHCHECK_TIMEOUT: Duration = Duration::from_secs(5);

/// Prints what the service says of itself.
pub fn run(Healthcheck { address }: Healthcheck) -> Result<ExitCode, String> {
    let port = std::env::var("OPTIMIZE_EXPORT_MANAGEMENT_LISTEN")
        .ok()
        .and_then(|address| address.parse().ok())
        .unwrap_or(DEFAULT_MANAGEMENT_LISTEN)
        .port();
    let address = address.unwrap_or(SocketAddr::from(([127, 0, 0, 1], port)));
    let answer = runtime()?.block_on(async {
        let client = http_client()
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
    printed(writeln!(io::stdout(), "{text}"))
        .map_err(|error| format!("the answer can't be printed: {error}"))?;
    Ok(if is_ready {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
