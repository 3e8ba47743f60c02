//! `GET /api/public/report?collectionId=…`: which reports a collection has; and `GET /api/readyz`.
//!
//! Source: docs/ENDPOINT.md, "Other endpoints" (`PublicApiRestService`, `HealthRestService`).

use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;
use warp::{Filter, Rejection};

use super::error_body::{self, ErrorCode};
use super::parameters::collection_id;
use super::readiness::Readiness;
use crate::auth::Client;
use crate::catalog::report_list::ReportList;
use crate::export::ExportError;

/// Optimize's text, word for word.
const NO_COLLECTION: &str = "Must specify a collection ID for this request.";

/// `GET /report`, behind whatever stands in front of it. `authorized` is asked as soon as the path is this one.
pub fn ids_of_collection(
    reports: ReportList,
    authorized: impl Filter<Extract = (Client,), Error = Rejection> + Clone + Send + Sync + 'static,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let raw_query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::path("report")
        .and(warp::path::end())
        .and(authorized)
        .and(warp::get())
        .and(raw_query)
        .then(move |client: Client, query: String| {
            let reports = reports.clone();
            async move { answer(&reports, &client, &query).await }
        })
}

async fn answer(reports: &ReportList, client: &Client, query: &str) -> Response {
    if let Err(forbidden) = client.access().check_any() {
        return error_body::export_failed(&forbidden.into());
    }
    let id = match collection_id(query) {
        Ok(Some(id)) => id,
        Ok(None) => return error_body::respond(ErrorCode::BadRequest, NO_COLLECTION),
        Err(violation) => return error_body::respond(ErrorCode::BadRequest, &violation),
    };
    match reports.ids_of_collection(&id, client.access()).await {
        Ok(ids) => {
            let ids: Vec<_> = ids.iter().map(|id| serde_json::json!({"id": id})).collect();
            let body = serde_json::Value::from(ids).to_string();
            let mut response = Response::new(bytes::Bytes::from(body).into());
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => error_body::export_failed(&ExportError::from(error)),
    }
}

/// `GET /readyz`, without a token: 200 if Elasticsearch answers, else 503, both without a body like Optimize's.
pub fn readyz(
    readiness: Readiness,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::path("readyz")
        .and(warp::path::end())
        .and(warp::get())
        .then(move || {
            let readiness = readiness.clone();
            async move {
                let mut response = Response::default();
                if readiness.problem().await.is_some() {
                    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                }
                response
            }
        })
}
