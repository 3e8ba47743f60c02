//! `GET|HEAD …/result/{csv,ndjson,parquet,arrow,schema}`: whole reports as tables.

use bytes::Bytes;
use optimize::table::schema::Column;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use warp::Reply;
use warp::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, VARY,
};
use warp::http::{HeaderMap, HeaderValue, Method};
use warp::reply::Response;

use super::parameters::TableParameters;
use super::{compression, error_body};
use crate::encode::Format;
use crate::encode::compression::Compression;
use crate::export::stream::{StreamHead, StreamRequest, TableSchema};
use crate::export::{Audit, ExportError, Exporter};

/// Instances, or rows of a result.
const TOTAL_RECORDS: HeaderName = HeaderName::from_static("optimize-export-total-records");
/// An id that changes when the columns do.
const SCHEMA_ID: HeaderName = HeaderName::from_static("optimize-export-schema");

/// How far the report had come before it was read.
const BOOKMARK: HeaderName = HeaderName::from_static("optimize-export-bookmark");

/// Characters of a report's name that its file keeps.
const MAX_NAME_CHARACTERS: usize = 120;
/// What `filename*` leaves as it is (RFC 5987, `attr-char`).
const FILE_NAME_SET: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// A table, or what stands before it.
pub(super) async fn stream(
    exporter: &Exporter,
    audit: Audit,
    report_id: String,
    format: Format,
    query: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Response {
    let parameters = match TableParameters::parse(query) {
        Ok(parameters) => parameters,
        Err(violations) => {
            let error = ExportError::BadRequest(violations.to_string());
            audit.refused(&error);
            return error_body::export_failed(&error);
        }
    };
    let compression = if format.is_text() {
        compression::preferred(headers)
    } else {
        None
    };
    let request = StreamRequest {
        audit,
        report_id: report_id.clone(),
        format,
        options: parameters.options,
        csv: parameters.csv,
        time_zone: super::routes::client_time_zone(headers),
        compression,
        max_file_bytes: None,
    };
    let answered = if method == Method::HEAD {
        let head = exporter.streams().head(request).await;
        head.map(|head| (head, Response::default()))
    } else {
        let streamed = exporter.streams().open(request).await;
        streamed.map(|(head, body)| (head, warp::reply::stream(body).into_response()))
    };
    match answered {
        Ok((head, mut response)) => {
            describe(
                response.headers_mut(),
                &head,
                format,
                compression,
                &report_id,
            );
            response
        }
        Err(error) => error_body::export_failed(&error),
    }
}

/// The headers of a table.
fn describe(
    headers: &mut HeaderMap,
    head: &StreamHead,
    format: Format,
    compression: Option<Compression>,
    report_id: &str,
) {
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(format.content_type()),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if format.is_text() {
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
    }
    if let Some(compression) = compression {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(compression.id()));
    }
    let name = head.report_name.as_deref().unwrap_or(report_id);
    if let Ok(value) = HeaderValue::try_from(content_disposition(name, format.file_extension())) {
        headers.insert(CONTENT_DISPOSITION, value);
    }
    if let Some(total) = head.total {
        headers.insert(TOTAL_RECORDS, HeaderValue::from(total));
    }
    if let Some(Ok(bookmark)) = head.bookmark.as_deref().map(HeaderValue::try_from) {
        headers.insert(BOOKMARK, bookmark);
    }
    if let Ok(id) = HeaderValue::try_from(head.schema.id()) {
        headers.insert(SCHEMA_ID, id);
    }
}

/// `attachment` with a file name (RFC 6266): in ASCII for everybody, and as it is for those who can read that.
fn content_disposition(name: &str, extension: &str) -> String {
    let name = utf16::for_people(name);
    let kept: String = name
        .chars()
        .map(|character| match character {
            '/' | '\\' | '"' | ':' | '*' | '?' | '<' | '>' | '|' | '%' => '_',
            character if character.is_control() => '_',
            character => character,
        })
        .take(MAX_NAME_CHARACTERS)
        .collect();
    let kept = kept.trim().trim_matches('.');
    let kept = if kept.is_empty() { "report" } else { kept };
    let ascii: String = kept
        .chars()
        .map(|character| if character.is_ascii() { character } else { '_' })
        .collect();
    let file = format!("attachment; filename=\"{ascii}.{extension}\"");
    if kept.is_ascii() {
        return file;
    }
    let encoded = utf8_percent_encode(kept, FILE_NAME_SET);
    format!("{file}; filename*=UTF-8''{encoded}.{extension}")
}

/// What the columns of a table are.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SchemaAnswer<'a> {
    report_id: &'a str,
    report_name: Option<&'a str>,
    table: &'static str,
    tables: Vec<&'static str>,
    primary_key: &'static [&'static str],
    schema_id: String,
    columns: &'a [Column],
}

/// `…/result/schema`.
pub(super) async fn schema(
    exporter: &Exporter,
    audit: Audit,
    report_id: &str,
    query: &str,
) -> Response {
    let parameters = match TableParameters::parse(query) {
        Ok(parameters) => parameters,
        Err(violations) => {
            let error = ExportError::BadRequest(violations.to_string());
            return error_body::export_failed(&error);
        }
    };
    match exporter
        .streams()
        .table_schema(&audit, report_id, &parameters.options)
        .await
    {
        Ok(table) => super::routes::as_json(Response::new(
            Bytes::from(schema_json(report_id, &table)).into(),
        )),
        Err(error) => error_body::export_failed(&error),
    }
}

/// How far a report has come.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BookmarkAnswer<'a> {
    report_id: &'a str,
    bookmark: String,
}

/// `…/result/bookmark`: for reports over so many indices that their bookmark fits into no header.
pub(super) async fn bookmark(exporter: &Exporter, audit: Audit, report_id: &str) -> Response {
    match exporter.streams().bookmark(&audit, report_id).await {
        Ok(bookmark) => {
            let answer = utf16::to_vec(&BookmarkAnswer {
                report_id,
                bookmark,
            });
            super::routes::as_json(Response::new(Bytes::from(answer).into()))
        }
        Err(error) => error_body::export_failed(&error),
    }
}

fn schema_json(report_id: &str, table: &TableSchema) -> Vec<u8> {
    utf16::to_vec(&SchemaAnswer {
        report_id,
        report_name: table.report_name.as_deref(),
        table: table.schema.table.id(),
        tables: table.tables.iter().map(|table| table.id()).collect(),
        primary_key: table.schema.primary_key,
        schema_id: table.schema.id(),
        columns: &table.schema.columns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_name_of_its_report() {
        assert_eq!(
            content_disposition("Orders 2026", "csv"),
            "attachment; filename=\"Orders 2026.csv\""
        );
        assert_eq!(
            content_disposition("Aufträge/Größe €", "parquet"),
            "attachment; filename=\"Auftr_ge_Gr__e _.parquet\"; filename*=UTF-8''Auftr%C3%A4ge_Gr%C3%B6%C3%9Fe%20%E2%82%AC.parquet"
        );
    }

    #[test]
    fn no_name_leaves_its_header_or_folder() {
        for name in [
            "a\"; filename=\"b",
            "..\\..\\x",
            "../../etc/passwd",
            "a\r\nX: y",
            "\u{0}",
        ] {
            let value = content_disposition(name, "csv");
            assert!(HeaderValue::try_from(&value).is_ok(), "{value}");
            let file = value.strip_prefix("attachment; filename=\"").unwrap();
            let file = file.strip_suffix('"').unwrap();
            assert!(!file.contains(['"', '/', '\\', '\r', '\n']), "{value}");
        }
        assert_eq!(
            content_disposition(" ", "csv"),
            "attachment; filename=\"report.csv\""
        );
        let long = "x".repeat(10_000);
        assert!(content_disposition(&long, "csv").len() < 200);
    }
}
