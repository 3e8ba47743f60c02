//! The interface, described: an OpenAPI 3.1 document, and a page to read and try it.
//!
//! The types here say what goes over the wire and are never made: rows and results are written as text while they arrive.
//! A test compares the document with real answers, so that the two can't drift apart unnoticed.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use flate2::read::GzDecoder;
use utoipa::openapi::schema::{
    AnyOfBuilder, ArrayBuilder, Object, ObjectBuilder, SchemaType, Type,
};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::server::ServerBuilder;
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{Modify, OpenApi, ToSchema};
use utoipa_swagger_ui::Config;
use warp::filters::BoxedFilter;
use warp::http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, VARY,
};
use warp::http::{HeaderMap, HeaderValue, StatusCode};
use warp::reply::Response;
use warp::{Filter, Reply};

use super::compression;
use super::error_body::ErrorBody;

/// The page needs nothing but what this service sends; its scripts set styles on elements.
const PAGE_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; \
                           frame-ancestors 'none'";

/// `/openapi.json` and `/docs/…`, for everybody: they describe the interface and hold nothing of the installation.
pub(super) fn routes(context_path: &[String], is_on: bool) -> BoxedFilter<(Response,)> {
    let base = context_path
        .iter()
        .fold(String::new(), |path, segment| format!("{path}/{segment}"));
    let document = Bytes::from(document(&base).to_json().unwrap_or_default());
    let config = Arc::new(
        Config::from(format!("{base}/api/openapi.json"))
            .try_it_out_enabled(true)
            .persist_authorization(false)
            .use_base_layout(),
    );
    let json = warp::path!("openapi.json").and(warp::get()).map(move || {
        let mut response = Response::new(document.clone().into());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    });
    let page = warp::path("docs")
        .and(warp::path::full())
        .and(warp::path::tail())
        .and(warp::get())
        .and(warp::header::headers_cloned())
        .map(
            move |full: warp::path::FullPath, tail: warp::path::Tail, headers: HeaderMap| {
                page(full.as_str(), tail.as_str(), &headers, &config)
            },
        );
    super::routes::switched(is_on)
        .and(json.or(page).unify())
        .boxed()
}

/// A file of the page.
fn page(
    full_path: &str,
    file: &str,
    request: &HeaderMap,
    config: &Arc<Config<'static>>,
) -> Response {
    // Its files refer to each other relative to the folder.
    if file.is_empty() && !full_path.ends_with('/') {
        let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
        if let Ok(folder) = HeaderValue::try_from(format!("{full_path}/")) {
            response.headers_mut().insert(LOCATION, folder);
        }
        return response;
    }
    let name = file;
    let Ok(Some(file)) = utoipa_swagger_ui::serve(name, Arc::clone(config)) else {
        return super::error_body::nothing_here();
    };
    // Files that are stored as they are sent are never copied.
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    let is_compressed = file.gzpipped && compression::is_accepted(request);
    let bytes = if file.gzpipped && !is_compressed {
        unpacked(name, bytes)
    } else {
        bytes
    };
    let mut response = Response::new(bytes.into());
    let headers = response.headers_mut();
    if let Ok(content_type) = HeaderValue::try_from(file.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    if is_compressed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(PAGE_POLICY),
    );
    response
}

/// A file of the page as it was before it was compressed, for clients that don't ask for gzip. Each is unpacked once, so that such
/// clients can't keep the service busy.
fn unpacked(name: &str, bytes: Bytes) -> Bytes {
    static UNPACKED: Mutex<BTreeMap<String, Bytes>> = Mutex::new(BTreeMap::new());
    let mut unpacked = UNPACKED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(plain) = unpacked.get(name) {
        return plain.clone();
    }
    let mut plain = Vec::new();
    if let Err(error) = GzDecoder::new(&*bytes).read_to_end(&mut plain) {
        // They are part of the program.
        tracing::error!(%error, "a file of the page can't be unpacked");
        return Bytes::new();
    }
    let plain = Bytes::from(plain);
    unpacked.insert(name.to_owned(), plain.clone());
    plain
}

/// The document for a service whose paths begin with `base`.
pub fn document(base: &str) -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    let url = if base.is_empty() { "/" } else { base };
    document.servers = Some(vec![
        ServerBuilder::new()
            .url(url)
            .description(Some("this service"))
            .build(),
    ]);
    document
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "optimize-export",
        description = "Camunda Optimize's report data export, served straight from Elasticsearch. Results are those that \
                       Optimize gives for the same report.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    paths(
        export_report,
        export_table,
        table_schema,
        bookmark,
        reports,
        reports_of_collection,
        readiness
    ),
    components(
        schemas(
        TableFormat,
        TableName,
        TableColumns,
        TableColumn,
        TableColumnType,
        BookmarkAnswer,
        RowOrderName,
        FormulasName,
        ProcessInstanceRow,
        FlowNodeDuration,
        DecisionInstanceRow,
        InputVariable,
        OutputVariable,
        MapEntry,
        HyperMapEntry
    ),
        responses(
            BadRequest,
            Unauthorized,
            Forbidden,
            NotFound,
            MethodNotAllowed,
            UriTooLong,
            TooManyRequests,
            HeadTooLarge,
            ServerError,
            ServiceUnavailable
        )
    ),
    modifiers(&BearerToken),
    tags(
        (name = "export", description = "Report data"),
        (name = "health", description = "For orchestrators"),
    ),
)]
struct Document;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some(
                "A static access token, or a token of the OAuth2 or OpenID provider",
            ))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("bearerToken", SecurityScheme::Http(scheme));
    }
}

/// Export the data of a report
///
/// Raw data comes in pages: go on with the `searchRequestId` of each answer until `data` is empty. Every other report comes
/// whole. One request at a time reads from a scroll; a page that broke off is not continued, start over then.
#[utoipa::path(
    get,
    path = "/api/public/export/report/{reportId}/result/json",
    operation_id = "exportReport",
    tag = "export",
    security(("bearerToken" = [])),
    params(
        ("reportId" = String, Path, description = "Id of the stored report", example = "e6c5abb1-6a18-44e7-8480-d562d511ba62"),
        ("limit" = u32, Query, minimum = 0, maximum = 10_000, example = 100,
            description = "Rows per page of a raw data report; the first page decides. With 0, the total alone"),
        ("paginationTimeout" = u32, Query, minimum = 1, maximum = 86_400, example = 60,
            description = "Seconds for which the next page can be fetched"),
        ("searchRequestId" = Option<String>, Query, description = "From the page before; absent for the first page"),
        ("X-Optimize-Client-Timezone" = Option<String>, Header,
            description = "Zone that dates of raw rows are converted to, such as Europe/Berlin; one that is not known is ignored"),
    ),
    responses(
        (status = 200, description = "A page of raw data, or the whole result", body = ExportAnswer, content_type = "application/json",
            headers(
                ("X-Request-Id" = String, description = "Id of this request, which the log of the service has too"),
                ("Cache-Control" = String, description = "Always no-store"),
            )),
        (status = 400, response = BadRequest),
        (status = 401, response = Unauthorized),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 405, response = MethodNotAllowed),
        (status = 414, response = UriTooLong),
        (status = 429, response = TooManyRequests),
        (status = 431, response = HeadTooLarge),
        (status = 500, response = ServerError),
        (status = 503, response = ServiceUnavailable),
    ),
)]
#[expect(dead_code, reason = "it only describes the route")]
fn export_report() {}

/// Export a whole report as a table
///
/// All rows in one answer, in a format that tools read; this page offers it as a file. A body that ends properly is complete: whatever
/// goes wrong after its first byte breaks the connection. `HEAD` answers with the same headers and opens no scroll.
/// `csv` and `ndjson` are compressed for clients that send `Accept-Encoding: zstd` or `gzip`.
#[utoipa::path(
    get,
    path = "/api/public/export/report/{reportId}/result/{format}",
    operation_id = "exportTable",
    tag = "export",
    security(("bearerToken" = [])),
    params(
        ("reportId" = String, Path, description = "Id of the stored report", example = "e6c5abb1-6a18-44e7-8480-d562d511ba62"),
        ("format" = TableFormat, Path, description = "How the table is written", example = "csv"),
        ("table" = Option<TableName>, Query, description = "Raw data of processes has `instances`, `flowNodes`, `variables` and \
            `incidents`, raw data of decisions `instances`, `inputs` and `outputs`, every other report `result`; the first one is \
            the default. With `since`, `left` has the keys of instances that changed and don't match the report's filters any more"),
        // No examples for what may be left away: the page would fill them in, and a click would give a part of the table.
        ("columns" = Option<String>, Query,
            description = "Names of columns, or `prefix*`, separated by commas (`\\,` for a comma in a name), in the order wanted, \
            such as `processInstanceId,variable:*`; `stored` for the columns that were chosen in Optimize. All columns by default"),
        ("order" = Option<RowOrderName>, Query, description = "`report` for the order of the report, `any` for whatever is fastest"),
        ("since" = Option<String>, Query, description = "Raw data: only instances that were created or updated since this bookmark, \
            some of them once more, in any order; of each key the last row counts. All instances by default"),
        ("delimiter" = Option<String>, Query, description = "csv: one character between cells, such as `;`; a comma by default"),
        ("bom" = Option<bool>, Query, description = "csv: a byte order mark in front, for Excel"),
        ("formulas" = Option<FormulasName>, Query,
            description = "csv: `text` puts an apostrophe before a text that a spreadsheet would take for a formula"),
        ("X-Optimize-Client-Timezone" = Option<String>, Header,
            description = "Zone that dates are converted to, such as Europe/Berlin; one that is not known is ignored"),
    ),
    responses(
        (status = 200, description = "The table", content(
                (String = "text/csv; charset=utf-8; header=present"),
                (String = "application/x-ndjson"),
                (String = "application/vnd.apache.parquet"),
                (String = "application/vnd.apache.arrow.stream"),
            ),
            headers(
                ("X-Request-Id" = String, description = "Id of this request, which the log of the service has too"),
                ("Cache-Control" = String, description = "Always no-store"),
                ("Content-Disposition" = String, description = "The report's name as a file name"),
                ("Optimize-Export-Total-Records" = u64, description = "Instances, or rows of a result; on HEAD only where that is \
                    known without evaluating the report"),
                ("Optimize-Export-Schema" = String, description = "An id that changes when the columns do"),
                ("Optimize-Export-Bookmark" = String, description = "Raw data: what `since` takes the next time, once this body has \
                    arrived whole. Absent where the service may not see the settings of indices (`view_index_metadata`), and where \
                    it is longer than 6,000 bytes: ask for `result/bookmark` before the table then"),
            )),
        (status = 400, response = BadRequest),
        (status = 401, response = Unauthorized),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 405, response = MethodNotAllowed),
        (status = 414, response = UriTooLong),
        (status = 429, response = TooManyRequests),
        (status = 431, response = HeadTooLarge),
        (status = 500, response = ServerError),
        (status = 503, response = ServiceUnavailable),
    ),
)]
#[expect(dead_code, reason = "it only describes the route")]
fn export_table() {}

/// Tell the columns of a table
#[utoipa::path(
    get,
    path = "/api/public/export/report/{reportId}/result/schema",
    operation_id = "tableSchema",
    tag = "export",
    security(("bearerToken" = [])),
    params(
        ("reportId" = String, Path, description = "Id of the stored report", example = "e6c5abb1-6a18-44e7-8480-d562d511ba62"),
        ("table" = Option<TableName>, Query, description = "As for the table itself"),
        ("columns" = Option<String>, Query, description = "As for the table itself"),
    ),
    responses(
        (status = 200, description = "The columns", body = TableColumns, content_type = "application/json",
            headers(
                ("X-Request-Id" = String, description = "Id of this request, which the log of the service has too"),
                ("Cache-Control" = String, description = "Always no-store"),
            )),
        (status = 400, response = BadRequest),
        (status = 401, response = Unauthorized),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 405, response = MethodNotAllowed),
        (status = 414, response = UriTooLong),
        (status = 429, response = TooManyRequests),
        (status = 431, response = HeadTooLarge),
        (status = 500, response = ServerError),
        (status = 503, response = ServiceUnavailable),
    ),
)]
#[expect(dead_code, reason = "it only describes the route")]
fn table_schema() {}

/// Tell how far a report has come
///
/// The bookmark that an export would have which begins now: for reports over so many indices that it fits into no header. What
/// is exported after it was asked for is complete up to it.
#[utoipa::path(
    get,
    path = "/api/public/export/report/{reportId}/result/bookmark",
    operation_id = "bookmark",
    tag = "export",
    security(("bearerToken" = [])),
    params(
        ("reportId" = String, Path, description = "Id of the stored report", example = "e6c5abb1-6a18-44e7-8480-d562d511ba62"),
    ),
    responses(
        (status = 200, description = "The bookmark", body = BookmarkAnswer, content_type = "application/json",
            headers(
                ("X-Request-Id" = String, description = "Id of this request, which the log of the service has too"),
                ("Cache-Control" = String, description = "Always no-store"),
            )),
        (status = 400, response = BadRequest),
        (status = 401, response = Unauthorized),
        (status = 403, response = Forbidden),
        (status = 404, response = NotFound),
        (status = 405, response = MethodNotAllowed),
        (status = 414, response = UriTooLong),
        (status = 429, response = TooManyRequests),
        (status = 431, response = HeadTooLarge),
        (status = 500, response = ServerError),
        (status = 503, response = ServiceUnavailable),
    ),
)]
#[expect(dead_code, reason = "it only describes the route")]
fn bookmark() {}

/// How far a report has come
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes an answer")]
struct BookmarkAnswer {
    /// The report
    report_id: String,
    /// What `since` takes
    bookmark: String,
}

/// How a table is written
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes a parameter")]
enum TableFormat {
    Csv,
    Ndjson,
    Parquet,
    Arrow,
}

/// A table of a report
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes a parameter")]
enum TableName {
    Instances,
    FlowNodes,
    Variables,
    Incidents,
    Inputs,
    Outputs,
    Left,
    Result,
}

/// The order of rows
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes a parameter")]
enum RowOrderName {
    Report,
    Any,
}

/// What becomes of formulas
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes a parameter")]
enum FormulasName {
    Text,
}

/// The columns of a table
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes an answer")]
struct TableColumns {
    /// The report
    report_id: String,
    /// Its name
    report_name: Option<String>,
    /// The table
    table: TableName,
    /// All tables that the report has
    tables: Vec<TableName>,
    /// The columns that tell a row from the others
    primary_key: Vec<String>,
    /// An id that changes when the columns do
    schema_id: String,
    /// The columns, in their order
    columns: Vec<TableColumn>,
}

/// A column
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an entry")]
struct TableColumn {
    /// Its name
    name: String,
    /// What its values are
    r#type: TableColumnType,
    /// Whether values may be missing
    nullable: bool,
    /// Where its values come from
    source: String,
}

/// What the values of a column are
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes a value")]
enum TableColumnType {
    Text,
    Integer,
    Double,
    Boolean,
    Instant,
    List,
}

/// List the reports that can be exported
///
/// All stored reports that this token may export, also those that can't be exported as they are, with the reason: reports on
/// processes, on decisions, then combined ones, each by id. Optimize doesn't have it. A list that ends properly is complete.
#[utoipa::path(
    get,
    path = "/api/public/export/reports",
    operation_id = "listReports",
    tag = "export",
    security(("bearerToken" = [])),
    responses(
        (status = 200, description = "The reports", body = Vec<ReportEntry>, content_type = "application/json",
            headers(
                ("X-Request-Id" = String, description = "Id of this request, which the log of the service has too"),
                ("Cache-Control" = String, description = "Always no-store"),
            )),
        (status = 401, response = Unauthorized),
        (status = 403, response = Forbidden),
        (status = 405, response = MethodNotAllowed),
        (status = 414, response = UriTooLong),
        (status = 429, response = TooManyRequests),
        (status = 431, response = HeadTooLarge),
        (status = 500, response = ServerError),
        (status = 503, response = ServiceUnavailable),
    ),
)]
#[expect(dead_code, reason = "it only describes the route")]
fn reports() {}

/// List the reports of a collection
#[utoipa::path(
    get,
    path = "/api/public/report",
    operation_id = "getReportIds",
    tag = "export",
    security(("bearerToken" = [])),
    params(("collectionId" = String, Query, description = "Id of the collection")),
    responses(
        (status = 200, description = "The ids of its reports, none if there is no such collection", body = Vec<ReportId>,
            content_type = "application/json",
            headers(
                ("X-Request-Id" = String, description = "Id of this request, which the log of the service has too"),
                ("Cache-Control" = String, description = "Always no-store"),
            )),
        (status = 400, response = BadRequest),
        (status = 401, response = Unauthorized),
        (status = 403, response = Forbidden),
        (status = 405, response = MethodNotAllowed),
        (status = 414, response = UriTooLong),
        (status = 429, response = TooManyRequests),
        (status = 431, response = HeadTooLarge),
        (status = 500, response = ServerError),
        (status = 503, response = ServiceUnavailable),
    ),
)]
#[expect(dead_code, reason = "it only describes the route")]
fn reports_of_collection() {}

/// Ask whether the service can work
#[utoipa::path(
    get,
    path = "/api/readyz",
    operation_id = "getReadiness",
    tag = "health",
    responses(
        (status = 200, description = "Elasticsearch answers"),
        (status = 503, description = "Elasticsearch does not answer"),
    ),
)]
#[expect(dead_code, reason = "it only describes the route")]
fn readiness() {}

/// A report
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an entry")]
struct ReportId {
    /// Its id
    id: String,
}

/// A report, and what it asks for
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes an entry")]
struct ReportEntry {
    /// Its id
    id: String,
    /// Its name; of a system report the key of a translation
    #[schema(required)]
    name: Option<String>,
    /// What it is about
    r#type: ReportType,
    /// The collection that it is in; none for a private report
    #[schema(required)]
    collection_id: Option<String>,
    /// Entity and properties of its view, such as `flowNode-duration`
    #[schema(required)]
    view: Option<String>,
    /// The type of its grouping
    #[schema(required)]
    group_by: Option<String>,
    /// The type of its distribution
    #[schema(required)]
    distributed_by: Option<String>,
    /// Whether it can be exported
    is_exportable: bool,
    /// Why not
    #[schema(required)]
    problem: Option<String>,
}

/// What a report is about
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes a value")]
enum ReportType {
    Process,
    Decision,
    Combined,
}

/// One response that carries an error body.
macro_rules! error_response {
    ($(#[doc = $doc:literal] $name:ident $(, $header:literal, $header_doc:literal)?;)*) => {$(
        #[derive(utoipa::ToResponse)]
        #[response(
            description = $doc,
            content_type = "application/json",
            headers(("X-Request-Id" = String, description = "Id of this request, which the log of the service has too")
                $(, ($header = String, description = $header_doc))?),
        )]
        #[expect(dead_code, reason = "it only describes a response")]
        struct $name(#[to_schema] ErrorBody<'static>);
    )*};
}

error_response! {
    #[doc = "The request or the report can't be evaluated as it is: `badRequestError`, `reportEvaluationError` or `tooManyBuckets`. \
        `bookmarkError`: what has changed since the bookmark can't be told. The message says whether to start over without `since` \
        (the bookmark was altered or is of another report, or the report has changed) or to do without it for good"]
    BadRequest;
    #[doc = "No token, or a wrong one: `notAuthorizedError`"]
    Unauthorized, "WWW-Authenticate", "Bearer, with error and description (RFC 6750)";
    #[doc = "The token is valid but lacks the scope or claim that this service demands: `forbiddenError`"]
    Forbidden, "WWW-Authenticate", "Bearer, with error and description (RFC 6750)";
    #[doc = "No such report: `notFoundError`"]
    NotFound;
    #[doc = "Another method is allowed: `methodNotAllowedError`"]
    MethodNotAllowed, "Allow", "The methods that are";
    #[doc = "Path and query have more than 64 KiB: `badRequestError`"]
    UriTooLong;
    #[doc = "The head of the request has more than 64 KiB or 100 fields: `badRequestError`"]
    HeadTooLarge;
    #[doc = "A limit of this service or of Elasticsearch is reached: `tooManyRequestsError`"]
    TooManyRequests, "Retry-After", "Seconds after which the same request may work";
    #[doc = "Anything else: `serverError`"]
    ServerError;
    #[doc = "Elasticsearch, or the provider of tokens, is away: `elasticsearchConnectionError` or `serverError`"]
    ServiceUnavailable, "Retry-After", "Seconds after which the same request may work";
}

/// An export. Members that have no value are absent.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes an answer")]
struct ExportAnswer {
    /// The scroll to go on with; raw data only
    #[schema(required = false)]
    search_request_id: String,
    /// Something that the reader should know
    #[schema(required = false)]
    message: String,
    /// Records in this answer
    number_of_records_in_response: u32,
    /// Records over all pages
    total_number_of_records: u64,
    /// The report asked for
    report_id: String,
    /// Rows, entries or a number, by the kind of report; absent where a number report has no data
    #[schema(schema_with = data, required = false)]
    data: (),
}

fn data() -> Schema {
    let list_of = |name: &str| ArrayBuilder::new().items(RefOr::from(Ref::from_schema_name(name)));
    let number = ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Number))
        .description(Some("The result of a number report"));
    AnyOfBuilder::new()
        .item(list_of("ProcessInstanceRow").description(Some("Raw data of processes")))
        .item(list_of("DecisionInstanceRow").description(Some("Raw data of decisions")))
        .item(list_of("MapEntry").description(Some("A grouped result")))
        .item(list_of("HyperMapEntry").description(Some("A grouped and distributed result")))
        .item(number)
        .build()
        .into()
}

/// An object whose members have names of the installation's own.
fn members(of: RefOr<Schema>) -> Schema {
    ObjectBuilder::new()
        .additional_properties(Some(of))
        .build()
        .into()
}

/// A member that is always there and never has a value.
pub(super) fn null() -> Schema {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Null))
        .build()
        .into()
}

fn nullable(base: Type) -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![base, Type::Null]))
        .build()
}

/// A process instance
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes a row")]
struct ProcessInstanceRow {
    #[schema(required)]
    process_definition_key: Option<String>,
    #[schema(required)]
    process_definition_id: Option<String>,
    #[schema(required)]
    process_instance_id: Option<String>,
    counts: InstanceCounts,
    /// By flow node id
    #[schema(schema_with = flow_node_durations)]
    flow_node_durations: (),
    #[schema(required)]
    business_key: Option<String>,
    /// Such as 2024-03-01T10:00:00.000+0000
    #[schema(required)]
    start_date: Option<String>,
    /// Null while the instance runs
    #[schema(required)]
    end_date: Option<String>,
    /// Milliseconds; up to now while the instance runs, the same now on every page
    #[schema(required)]
    duration: Option<i64>,
    #[schema(required)]
    engine_name: Option<String>,
    #[schema(required)]
    tenant_id: Option<String>,
    /// By name: texts, lists of texts for object variables
    #[schema(schema_with = variables)]
    variables: (),
    flow_node_instances: Vec<FlowNodeInstance>,
}

fn flow_node_durations() -> Schema {
    members(Ref::from_schema_name("FlowNodeDuration").into())
}

fn variables() -> Schema {
    let text = ObjectBuilder::new().schema_type(SchemaType::Type(Type::String));
    let list = ArrayBuilder::new().items(RefOr::T(Schema::Object(nullable(Type::String))));
    let value = AnyOfBuilder::new()
        .item(text)
        .item(list)
        .item(ObjectBuilder::new().schema_type(SchemaType::Type(Type::Null)));
    members(RefOr::T(value.build().into()))
}

/// Counts within a process instance
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes a part of a row")]
struct InstanceCounts {
    incidents: u64,
    open_incidents: u64,
    user_tasks: u64,
}

/// The total duration of a flow node within a process instance
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes a part of a row")]
struct FlowNodeDuration {
    #[schema(required)]
    name: Option<String>,
    /// Milliseconds
    value: i64,
}

/// A flow node that was passed
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes a part of a row")]
struct FlowNodeInstance {
    #[schema(required)]
    id: Option<String>,
    #[schema(required)]
    name: Option<String>,
    #[schema(required)]
    start_date: Option<String>,
    #[schema(required)]
    end_date: Option<String>,
}

/// A decision instance
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes a row")]
struct DecisionInstanceRow {
    #[schema(required)]
    decision_definition_key: Option<String>,
    #[schema(required)]
    decision_definition_id: Option<String>,
    #[schema(required)]
    decision_instance_id: Option<String>,
    #[schema(required)]
    process_instance_id: Option<String>,
    #[schema(required)]
    evaluation_date_time: Option<String>,
    #[schema(required)]
    engine_name: Option<String>,
    #[schema(required)]
    tenant_id: Option<String>,
    /// By id of the clause
    #[schema(schema_with = input_variables)]
    input_variables: (),
    /// By id of the clause
    #[schema(schema_with = output_variables)]
    output_variables: (),
}

fn input_variables() -> Schema {
    members(Ref::from_schema_name("InputVariable").into())
}

fn output_variables() -> Schema {
    members(Ref::from_schema_name("OutputVariable").into())
}

/// An input of a decision
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes a part of a row")]
struct InputVariable {
    id: String,
    #[schema(required)]
    name: Option<String>,
    #[schema(required, rename = "type")]
    variable_type: Option<String>,
    #[schema(required)]
    value: Option<String>,
}

/// An output of a decision; one value for each rule that matched
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "it only describes a part of a row")]
struct OutputVariable {
    id: String,
    #[schema(required)]
    name: Option<String>,
    #[schema(required, rename = "type")]
    variable_type: Option<String>,
    values: Vec<Option<String>>,
}

/// A bucket of a grouped result
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an entry")]
struct MapEntry {
    key: String,
    #[schema(required)]
    value: Option<f64>,
    /// What people read; the key where there is nothing better
    label: String,
}

/// A bucket of a grouped result, and its own buckets
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes an entry")]
struct HyperMapEntry {
    key: String,
    value: Vec<MapEntry>,
    /// What people read; the key where there is nothing better
    label: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_openapi_3_1_at_the_context_path() {
        let document = serde_json::to_value(document("/optimize")).unwrap();
        assert!(
            document["openapi"].as_str().unwrap().starts_with("3.1"),
            "{}",
            document["openapi"]
        );
        assert_eq!(document["servers"][0]["url"], "/optimize");
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn the_page_asks_for_a_whole_table_unless_it_is_told_otherwise() {
        let document = serde_json::to_value(document("")).unwrap();
        let path = "/api/public/export/report/{reportId}/result/{format}";
        let parameters = document["paths"][path]["get"]["parameters"].as_array();
        let filled_in: Vec<&str> = parameters
            .unwrap()
            .iter()
            .filter(|parameter| !parameter["example"].is_null())
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        assert_eq!(filled_in, ["reportId", "format"]);
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn check(value: &serde_json::Value, document: &serde_json::Value) {
            if let Some(reference) = value.get("$ref").and_then(|reference| reference.as_str()) {
                assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
            }
            match value {
                serde_json::Value::Object(members) => {
                    members.values().for_each(|value| check(value, document))
                }
                serde_json::Value::Array(elements) => {
                    elements.iter().for_each(|value| check(value, document))
                }
                _ => {}
            }
        }
        let document = serde_json::to_value(document("")).unwrap();
        check(&document, &document);
    }
}
