//! Whether the service lives and can work, for orchestrators; on an address of its own, without a token.

use std::convert::Infallible;

use warp::http::StatusCode;
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use super::error_body::{self, ErrorCode};
use crate::elasticsearch::Elasticsearch;

/// `/health/live` and `/health/ready`.
pub fn routes(
    elasticsearch: Elasticsearch,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static {
    let live = warp::path!("health" / "live")
        .and(warp::get())
        .map(|| state(StatusCode::OK, "alive", None));
    let ready = warp::path!("health" / "ready")
        .and(warp::get())
        .then(move || {
            let elasticsearch = elasticsearch.clone();
            async move { readiness(&elasticsearch).await }
        });
    live.or(ready).unify().recover(answer_rejection).unify()
}

/// Ready means: Elasticsearch answers. It says what is wrong in general terms; the log has the details.
async fn readiness(elasticsearch: &Elasticsearch) -> Response {
    match elasticsearch.get("").await {
        Ok(_) => state(StatusCode::OK, "ready", None),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            let problem = match error.refusal() {
                None => "Elasticsearch can't be reached",
                Some(crate::elasticsearch::Refusal::AccessDenied) => "Elasticsearch denies access",
                Some(_) => "Elasticsearch refuses requests",
            };
            state(StatusCode::SERVICE_UNAVAILABLE, "not ready", Some(problem))
        }
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
            error_body::method_not_allowed()
        } else {
            error_body::respond(ErrorCode::NotFound, "there is nothing at this path")
        },
    )
}
