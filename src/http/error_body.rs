//! Errors as a client sees them.
//!
//! Source: docs/ENDPOINT.md, "Errors".

use serde::Serialize;
use utoipa::ToSchema;
use warp::http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

use crate::auth::AuthError;
use crate::export::ExportError;

/// Seconds after which a client may try again when Elasticsearch or the provider of tokens is away.
const RETRY_AFTER_OUTAGE: u32 = 10;
/// A message repeats what the client sent; more of it than this helps nobody.
const MAX_DETAIL_CHARACTERS: usize = 2_000;

/// The kinds of errors, each with its status, code and general text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// A parameter, or a combination of request and report, that can't work.
    BadRequest,
    /// A bookmark that can't be used.
    Bookmark,
    /// A report that can't be evaluated.
    ReportEvaluation,
    /// A result with too many buckets.
    TooManyBuckets,
    /// No token, or a wrong one.
    NotAuthorized,
    /// A token without the right to export.
    Forbidden,
    /// No such report, or path.
    NotFound,
    /// A wrong method on a known path.
    MethodNotAllowed,
    /// A path and query that are too long.
    UriTooLong,
    /// A request head that is too large.
    HeadTooLarge,
    /// A limit of ours or of Elasticsearch.
    TooManyRequests,
    /// Elasticsearch is away.
    ElasticsearchConnection,
    /// The provider of tokens is away.
    TokenProvider,
    /// Anything else.
    Server,
}

impl ErrorCode {
    /// The code in the body.
    pub const fn id(self) -> &'static str {
        match self {
            Self::BadRequest => "badRequestError",
            // Optimize knows no bookmarks.
            Self::Bookmark => "bookmarkError",
            Self::ReportEvaluation => "reportEvaluationError",
            Self::TooManyBuckets => "tooManyBuckets",
            Self::NotAuthorized => "notAuthorizedError",
            Self::Forbidden => "forbiddenError",
            Self::NotFound => "notFoundError",
            Self::MethodNotAllowed => "methodNotAllowedError",
            // Optimize has no code of its own for these.
            Self::UriTooLong | Self::HeadTooLarge => "badRequestError",
            Self::TooManyRequests => "tooManyRequestsError",
            Self::ElasticsearchConnection => "elasticsearchConnectionError",
            // Optimize has no code of its own for this.
            Self::TokenProvider | Self::Server => "serverError",
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::Bookmark | Self::ReportEvaluation | Self::TooManyBuckets => {
                StatusCode::BAD_REQUEST
            }
            Self::NotAuthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::ElasticsearchConnection | Self::TokenProvider => StatusCode::SERVICE_UNAVAILABLE,
            Self::Server => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The general text, Optimize's where it has the code.
    const fn message(self) -> &'static str {
        match self {
            Self::Bookmark => "What has changed since the bookmark can't be told.",
            Self::BadRequest | Self::UriTooLong | Self::HeadTooLarge => {
                "The server was unable to process the request."
            }
            Self::ReportEvaluation => "Could not evaluate the report.",
            Self::TooManyBuckets => {
                "Could not evaluate report because the result has more than 10.000 data points. Please add filters or \
                 adjust the bucket size to reduce the size of the report result."
            }
            Self::NotAuthorized => "Could not authenticate you, please check your credentials.",
            Self::Forbidden => "You are not authorized to perform the requested action.",
            Self::NotFound => "The server could not find the requested resource.",
            Self::MethodNotAllowed => {
                "The server does not support this method for the requested resource."
            }
            Self::TooManyRequests => {
                "The server has too much to do at the moment. Please try again later."
            }
            Self::ElasticsearchConnection => {
                "The server has encountered Elasticsearch connection issues."
            }
            Self::TokenProvider => "The server can't verify tokens at the moment.",
            Self::Server => "An internal server error occurred.",
        }
    }
}

/// The body of an error
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ErrorBody<'a> {
    /// The kind of error
    error_code: &'a str,
    /// What it means in general
    error_message: &'a str,
    /// What it means here
    detailed_message: &'a str,
    // Optimize shows the report's definition here; this service never does.
    /// Always null
    #[schema(schema_with = super::openapi::null)]
    report_definition: Option<()>,
}

/// The JSON of an error.
pub fn json(code: ErrorCode, detail: &str) -> Vec<u8> {
    let detail: String = detail.chars().take(MAX_DETAIL_CHARACTERS).collect();
    let body = ErrorBody {
        error_code: code.id(),
        error_message: code.message(),
        detailed_message: &detail,
        report_definition: None,
    };
    utf16::to_vec(&body)
}

/// An error response.
pub fn respond(code: ErrorCode, detail: &str) -> Response {
    let body = json(code, detail);
    let mut response = Response::new(bytes::Bytes::from(body).into());
    *response.status_mut() = code.status();
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The response to a client that is not let in.
pub fn unauthorized(error: &AuthError) -> Response {
    if *error == AuthError::NoKeys {
        let response = respond(ErrorCode::TokenProvider, &error.to_string());
        return retry_later(response, RETRY_AFTER_OUTAGE);
    }
    // A valid token that gives too little is a 403 (RFC 6750, section 3.1).
    let code = match error {
        AuthError::Insufficient(_) => ErrorCode::Forbidden,
        _ => ErrorCode::NotAuthorized,
    };
    let mut response = respond(code, &error.to_string());
    if let Ok(challenge) = HeaderValue::try_from(error.challenge()) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The response to an unknown path.
pub fn nothing_here() -> Response {
    respond(ErrorCode::NotFound, "there is nothing at this path")
}

/// The response to a wrong method; `allowed` are those that a resource has, separated by commas.
pub fn method_not_allowed(allowed: &'static str) -> Response {
    let detail = format!("only {allowed} is allowed here");
    let mut response = respond(ErrorCode::MethodNotAllowed, &detail);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The response to an export that failed. What only an operator may see goes to the log.
pub fn export_failed(error: &ExportError) -> Response {
    let (error, advice) = match error {
        ExportError::Continuation {
            error,
            is_scroll_open: true,
        } => (
            &**error,
            "; the scroll has not moved: go on with the same searchRequestId",
        ),
        ExportError::Continuation { error, .. } => (
            &**error,
            "; the scroll was given up: start over without searchRequestId",
        ),
        other => (other, ""),
    };
    let respond = |code, detail: &str| respond(code, &format!("{detail}{advice}"));
    match error {
        ExportError::BadRequest(detail) => respond(ErrorCode::BadRequest, detail),
        ExportError::Bookmark(detail) => respond(ErrorCode::Bookmark, detail),
        ExportError::Report(problem) => respond(ErrorCode::ReportEvaluation, &problem.to_string()),
        ExportError::TooManyBuckets(detail) => respond(ErrorCode::TooManyBuckets, detail),
        ExportError::Forbidden(forbidden) => respond(ErrorCode::Forbidden, &forbidden.to_string()),
        ExportError::NotFound(_) => respond(ErrorCode::NotFound, &error.to_string()),
        ExportError::Busy {
            reason,
            retry_after,
        } => retry_later(respond(ErrorCode::TooManyRequests, reason), *retry_after),
        ExportError::Unavailable(cause) => {
            tracing::error!(error = %cause, "Elasticsearch is not available");
            let detail =
                "Elasticsearch can't be reached, or lost a part of the answer; try again later";
            retry_later(
                respond(ErrorCode::ElasticsearchConnection, detail),
                RETRY_AFTER_OUTAGE,
            )
        }
        ExportError::Cluster(detail) => {
            tracing::error!(error = %error, "the cluster does not allow the export");
            respond(ErrorCode::Server, detail)
        }
        ExportError::Internal(_) | ExportError::Continuation { .. } => {
            tracing::error!(error = %error, "the export failed");
            respond(
                ErrorCode::Server,
                "the export failed; the log of the service has the cause under this request's id",
            )
        }
    }
}

fn retry_later(mut response: Response, seconds: u32) -> Response {
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}
