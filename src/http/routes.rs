//! What the service answers to.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use jiff::tz::TimeZone;
use percent_encoding::percent_decode_str;
use warp::filters::BoxedFilter;
use warp::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, VARY};
use warp::http::{HeaderMap, HeaderValue, Method};
use warp::reject::{MethodNotAllowed, Reject};
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use super::compression::{self, Gzip};
use super::error_body;
use super::measured::{self, Route};
use super::openapi;
use super::page;
use super::parameters::{ParameterRules, Parameters};
use super::readiness::Readiness;
use super::reports;
use super::tables;
use crate::auth::{AuthError, Authenticator, Client};
use crate::catalog::report_list::ReportList;
use crate::encode::Format;
use crate::export::{Audit, Export, ExportError, ExportRequest, Exporter, Whole};

/// The zone that a client wants dates in, Optimize's own header for it.
const CLIENT_TIME_ZONE: &str = "X-Optimize-Client-Timezone";

/// Everything that the routes need.
pub struct Api {
    /// Makes exports.
    pub exporter: Exporter,
    /// Lists stored reports.
    pub reports: ReportList,
    /// Whether the service can work.
    pub readiness: Readiness,
    /// Lets clients in.
    pub authenticator: Authenticator,
    /// Bounds of the parameters.
    pub parameters: ParameterRules,
    /// Path segments in front of `api`.
    pub context_path: Vec<String>,
    /// Whether there are the page for people and the description of the interface.
    pub docs: bool,
}

/// A client that is not let in.
#[derive(Debug)]
struct NotAuthorized(AuthError);

impl Reject for NotAuthorized {}

/// The routes of the public API, with an answer for every request.
pub fn routes(
    api: Api,
) -> impl Filter<Extract = (Response,), Error = Infallible> + Clone + Send + Sync + 'static {
    let base = context_path(&api.context_path).and(warp::path("api"));
    let docs = openapi::routes(&api.context_path, api.docs);
    let page = context_path(&api.context_path)
        .and(page::routes(api.docs))
        .map(|response| with_route(response, "page"));
    let api = Arc::new(api);
    let readyz = base
        .clone()
        .and(reports::readyz(api.readiness.clone()))
        .map(|response| with_route(response, "readyz"));
    let report_ids = base
        .clone()
        .and(warp::path("public"))
        .and(reports::ids_of_collection(
            api.reports.clone(),
            authorized(Arc::clone(&api)),
        ))
        .map(|response| with_route(response, "reports"));
    let report_list = base
        .clone()
        .and(warp::path("public"))
        .and(reports::list(
            api.reports.clone(),
            authorized(Arc::clone(&api)),
        ))
        .map(|response| with_route(response, "report-list"));
    let public = base
        .clone()
        .and(warp::path("public"))
        // Before anything else: an unknown path tells nothing to somebody without a token.
        .and(authorized(Arc::clone(&api)))
        .and(export_request())
        .then(
            move |client, resource: Resource, method: Method, query: String, headers: HeaderMap| {
                let api = Arc::clone(&api);
                // On the heap: each connection has room for what it may come to wait for, idle ones too.
                Box::pin(
                    async move { answer(&api, client, &resource, &method, &query, &headers).await },
                )
            },
        )
        .map(|response| with_route(response, "export"));
    base.and(docs)
        .map(|response| with_route(response, "docs"))
        .or(page)
        .unify()
        .or(report_ids)
        .unify()
        .or(report_list)
        .unify()
        .or(readyz)
        .unify()
        .or(public)
        .unify()
        .recover(answer_rejection)
        .unify()
}

/// Lets requests pass if a part of the service is switched on; otherwise that part isn't there.
pub(super) fn switched(is_on: bool) -> BoxedFilter<()> {
    let check = move || async move {
        if is_on {
            Ok(())
        } else {
            Err(warp::reject::not_found())
        }
    };
    warp::any().and_then(check).untuple_one().boxed()
}

/// Tells the metrics which route answered.
pub(super) fn with_route(mut response: Response, name: &'static str) -> Response {
    response.extensions_mut().insert(Route(name));
    response
}

fn context_path(segments: &[String]) -> BoxedFilter<()> {
    segments.iter().fold(warp::any().boxed(), |path, segment| {
        path.and(warp::path(segment.clone())).boxed()
    })
}

fn authorized(
    api: Arc<Api>,
) -> impl Filter<Extract = (Client,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::header::headers_cloned().and_then(move |headers: HeaderMap| {
        let authenticator = api.authenticator.clone();
        async move {
            let checked = authenticator.check(&headers).await;
            checked.map_err(|error| warp::reject::custom(NotAuthorized(error)))
        }
    })
}

/// What is asked for of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Optimize's own answer.
    Json,
    /// A table.
    Table(Format),
    /// The columns of a table.
    Schema,
    /// How far a report has come.
    Bookmark,
}

impl Wanted {
    fn of(last_segment: &str) -> Option<Self> {
        match last_segment {
            "json" => Some(Self::Json),
            "schema" => Some(Self::Schema),
            "bookmark" => Some(Self::Bookmark),
            format => {
                let format = Format::ALL.iter().find(|known| known.id() == format);
                format.copied().map(Self::Table)
            }
        }
    }
}

/// A part of a path: the report's id, still encoded, and what is asked for.
struct Resource {
    encoded_report_id: String,
    wanted: Wanted,
}

/// `/export/report/{reportId}/result/{format}`: resource, method, query string and headers.
fn export_request()
-> impl Filter<Extract = (Resource, Method, String, HeaderMap), Error = Rejection>
+ Clone
+ Send
+ Sync
+ 'static {
    let raw_query = warp::query::raw().or(warp::any().map(String::new)).unify();
    warp::path!("export" / "report" / String / "result" / String)
        .and_then(|encoded_report_id, format: String| async move {
            let wanted = Wanted::of(&format).ok_or_else(warp::reject::not_found)?;
            Ok::<_, Rejection>(Resource {
                encoded_report_id,
                wanted,
            })
        })
        .and(warp::method())
        .and(raw_query)
        .and(warp::header::headers_cloned())
}

/// Answers a request for a report.
async fn answer(
    api: &Api,
    client: Client,
    resource: &Resource,
    method: &Method,
    query: &str,
    headers: &HeaderMap,
) -> Response {
    if *method != Method::GET && *method != Method::HEAD {
        return error_body::method_not_allowed("GET, HEAD");
    }
    // An id that is not UTF-8 is the id of no report; what it is replaced by is none either.
    let report_id = percent_decode_str(&resource.encoded_report_id)
        .decode_utf8_lossy()
        .into_owned();
    let audit = Audit::begin(client, &report_id);
    let exporter = &api.exporter;
    let mut response = match resource.wanted {
        Wanted::Json => export(api, audit, report_id, method, query, headers).await,
        Wanted::Table(format) => {
            tables::stream(exporter, audit, report_id, format, query, method, headers).await
        }
        Wanted::Bookmark => tables::bookmark(exporter, audit, &report_id).await,
        Wanted::Schema => tables::schema(exporter, audit, &report_id, query).await,
    };
    if *method == Method::HEAD {
        // What would be known of the body is in the headers.
        *response.body_mut() = Default::default();
    }
    response
}

/// Parse, export, answer.
async fn export(
    api: &Api,
    audit: Audit,
    report_id: String,
    method: &Method,
    query: &str,
    headers: &HeaderMap,
) -> Response {
    let result = match Parameters::parse(query, &api.parameters) {
        Ok(parameters) => {
            let request = ExportRequest {
                audit,
                report_id,
                limit: parameters.limit,
                pagination_timeout: parameters.pagination_timeout,
                search_request_id: parameters.search_request_id,
                time_zone: client_time_zone(headers),
            };
            if *method == Method::HEAD {
                return match api.exporter.export_head(&request).await {
                    Ok(()) => as_json(Response::default()),
                    Err(error) => error_body::export_failed(&error),
                };
            }
            api.exporter.export(request).await
        }
        Err(violations) => {
            let error = ExportError::BadRequest(violations.to_string());
            audit.refused(&error);
            Err(error)
        }
    };
    let is_gzip_accepted = compression::is_accepted(headers);
    match result {
        Ok(Export::Whole(Whole { json, held, .. })) => {
            let compressed = is_gzip_accepted.then(|| compression::whole(&json));
            let response = match compressed.flatten() {
                Some(compressed) => {
                    drop(json);
                    as_gzip(as_json(Response::new(Bytes::from(compressed).into())))
                }
                None => as_json(Response::new(Bytes::from(json).into())),
            };
            measured::hold(response, held)
        }
        Ok(Export::Page(body)) if is_gzip_accepted => as_gzip(as_json(
            warp::reply::stream(Gzip::new(body)).into_response(),
        )),
        Ok(Export::Page(body)) => as_json(warp::reply::stream(body).into_response()),
        Err(error) => error_body::export_failed(&error),
    }
}

pub(super) fn as_gzip(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    response
}

pub(super) fn as_json(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Whether it is compressed depends on what the client asked for.
    response
        .headers_mut()
        .insert(VARY, HeaderValue::from_static("accept-encoding"));
    response
}

/// A header that names no zone is ignored, as in Optimize (crates/optimize/docs/dates-and-numbers.md, "Dates of rows").
/// The zone that a request asks for, if it names one that is known.
pub fn client_time_zone(headers: &HeaderMap) -> Option<TimeZone> {
    let name = headers.get(CLIENT_TIME_ZONE)?.to_str().ok()?.trim();
    TimeZone::get(name)
        .inspect_err(|_| tracing::debug!("{CLIENT_TIME_ZONE} names no known zone and is ignored"))
        .ok()
}

async fn answer_rejection(rejection: Rejection) -> Result<Response, Infallible> {
    Ok(if let Some(NotAuthorized(error)) = rejection.find() {
        // Here and not where tokens are checked: each route that a request might be for asks there.
        tracing::info!("a request is not let in: {error}");
        error_body::unauthorized(error)
    } else if rejection.find::<MethodNotAllowed>().is_some() {
        error_body::method_not_allowed("GET")
    } else {
        error_body::nothing_here()
    })
}
