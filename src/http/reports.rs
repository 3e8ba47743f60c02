//! `GET /api/public/report?collectionId=…`: which reports a collection has; `GET /api/public/export/reports`: which there are
//! at all; and `GET /api/readyz`.
//!
//! Source: docs/ENDPOINT.md, "Other endpoints" (`PublicApiRestService`, `HealthRestService`).

use std::io;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use optimize::listing::ListedReport;
use warp::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use warp::http::{HeaderMap, HeaderValue, StatusCode};
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use super::compression::{self, Gzip};
use super::error_body::{self, ErrorCode};
use super::parameters::collection_id;
use super::readiness::Readiness;
use crate::auth::Client;
use crate::catalog::report_list::{Pages, ReportList};
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
            let mut response = Response::new(Bytes::from(body).into());
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(error) => error_body::export_failed(&ExportError::from(error)),
    }
}

/// `GET /export/reports`, behind whatever stands in front of it. Optimize has nothing like it.
pub fn list(
    reports: ReportList,
    authorized: impl Filter<Extract = (Client,), Error = Rejection> + Clone + Send + Sync + 'static,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::path!("export" / "reports")
        .and(authorized)
        .and(warp::get())
        .and(warp::header::headers_cloned())
        .then(move |client: Client, headers: HeaderMap| {
            let reports = reports.clone();
            // On the heap: each connection has room for what it may come to wait for, idle ones too.
            Box::pin(async move { answer_with_list(&reports, &client, &headers).await })
        })
}

async fn answer_with_list(reports: &ReportList, client: &Client, headers: &HeaderMap) -> Response {
    if let Err(forbidden) = client.access().check_any() {
        return error_body::export_failed(&forbidden.into());
    }
    let mut pages = reports.pages(client.access().clone());
    // Before the head of the answer, so that a cluster that is away is told by the status.
    let first = match pages.next().await {
        Ok(first) => first.unwrap_or_default(),
        Err(error) => return error_body::export_failed(&ExportError::from(error)),
    };
    let body = array(first, pages);
    super::routes::as_json(if compression::is_accepted(headers) {
        super::routes::as_gzip(warp::reply::stream(Gzip::new(body)).into_response())
    } else {
        warp::reply::stream(body).into_response()
    })
}

/// A JSON array, written page by page. It has its last bracket only if all reports are in it.
fn array(
    first: Vec<ListedReport>,
    pages: Pages,
) -> impl Stream<Item = io::Result<Bytes>> + Send + Sync + Unpin {
    let begin = (Some((first, pages)), "[");
    let texts = stream::try_unfold(begin, |(at, before)| async move {
        let Some((reports, mut pages)) = at else {
            return Ok(None);
        };
        let (mut text, mut before) = (Vec::new(), before);
        for report in &reports {
            text.extend_from_slice(before.as_bytes());
            text.extend_from_slice(&utf16::to_vec(report));
            before = ",";
        }
        let next = pages.next().await.map_err(|error| {
            tracing::error!(%error, "the list of reports breaks off");
            io::Error::other(error)
        })?;
        let at = next.map(|reports| (reports, pages));
        if at.is_none() {
            text.extend_from_slice(if before == "[" { b"[]" } else { b"]" });
        }
        Ok(Some((Bytes::from(text), (at, before))))
    });
    // Requests to Elasticsearch can't be shared between threads, and `warp` wants what can. The lock is never locked.
    let mut texts = Mutex::new(Box::pin(texts));
    stream::poll_fn(move |context| {
        let texts = texts.get_mut().unwrap_or_else(PoisonError::into_inner);
        texts.poll_next_unpin(context)
    })
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
