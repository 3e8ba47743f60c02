//! Whether the service lives and can work, for orchestrators, and its figures; on an address of its own, without a token.

use std::convert::Infallible;

use metrics_exporter_prometheus::PrometheusHandle;
use warp::http::StatusCode;
use warp::http::header::CONTENT_TYPE;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use super::error_body;
use super::readiness::Readiness;
use super::routes::with_route;
use crate::export::Exporter;

/// Prometheus' text format.
const METRICS_CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `/health/live`, `/health/ready` and `/metrics`.
pub fn routes(
    exporter: Exporter,
    readiness: Readiness,
    metrics: PrometheusHandle,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static {
    let live = warp::path!("health" / "live")
        .and(warp::get())
        .map(|| state(StatusCode::OK, "alive", None));
    let ready = warp::path!("health" / "ready")
        .and(warp::get())
        .then(move || {
            let readiness = readiness.clone();
            async move { answer_readiness(&readiness).await }
        });
    let metrics = warp::path!("metrics").and(warp::get()).map(move || {
        // Scrolls expire without anybody noticing until somebody looks.
        exporter.open_scrolls();
        let text = warp::reply::with_header(metrics.render(), CONTENT_TYPE, METRICS_CONTENT_TYPE);
        text.into_response()
    });
    let known = live.or(ready).unify().or(metrics).unify();
    known
        .map(|response| with_route(response, "management"))
        .recover(answer_rejection)
        .unify()
}

/// Ready means: Elasticsearch answers.
async fn answer_readiness(readiness: &Readiness) -> Response {
    match readiness.problem().await {
        None => state(StatusCode::OK, "ready", None),
        problem => state(StatusCode::SERVICE_UNAVAILABLE, "not ready", problem),
    }
}

fn state(status: StatusCode, state: &str, problem: Option<&str>) -> Response {
    let body = match problem {
        None => serde_json::json!({"status": state}),
        Some(problem) => serde_json::json!({"status": state, "problem": problem}),
    };
    warp::reply::with_status(warp::reply::json(&body), status).into_response()
}

async fn answer_rejection(rejection: Rejection) -> Result<Response, Infallible> {
    Ok(
        if rejection.find::<warp::reject::MethodNotAllowed>().is_some() {
            error_body::method_not_allowed("GET")
        } else {
            error_body::nothing_here()
        },
    )
}
