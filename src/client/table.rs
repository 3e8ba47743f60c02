//! A report as a table, in one stream from beginning to end.
//!
//! Nobody can go on in the middle of a stream: one that breaks is asked for anew, from its beginning. It counts only if its
//! body ended properly, has what its format ends with, and as many rows as the service said.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use optimize::id_enum;
use reqwest::Version;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, TRANSFER_ENCODING};
use serde::Deserialize;

use super::completeness::Arrived;
use super::service::{Service, chain};
use super::whole_file::WholeFile;
use super::{BUFFER_BYTES, ClientError, Progress, Stop, Tries, Trouble, trouble};

/// Instances of the report, or rows of its result.
const TOTAL_RECORDS: HeaderName = HeaderName::from_static("optimize-export-total-records");
/// How far the report had come.
const BOOKMARK: HeaderName = HeaderName::from_static("optimize-export-bookmark");
/// Bytes of an answer with a bookmark that are read.
const MAX_BOOKMARK_BYTES: u64 = 16 * 1024 * 1024;
/// Encodings that are asked for where they pay.
const ENCODINGS: &str = "zstd, gzip";
/// Tables with one row for each of the records that the service counts.
const COUNTED_TABLES: [&str; 2] = ["instances", "result"];
/// Bytes of a schema that are read; one of ten thousand columns has two million.
const MAX_SCHEMA_BYTES: u64 = 256 * 1024 * 1024;

id_enum! {
    /// What a table is sent as; the id stands in the URL.
    pub enum TableFormat {
        /// A JSON object a line.
        Ndjson = "ndjson",
        /// Comma separated values.
        Csv = "csv",
        /// Apache Parquet.
        Parquet = "parquet",
        /// The stream format of Apache Arrow.
        Arrow = "arrow",
    }
}

impl TableFormat {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Arrow => "application/vnd.apache.arrow.stream",
        }
    }

    /// Whether its rows can be counted; the others have end marks and compression within.
    pub const fn is_text(self) -> bool {
        match self {
            Self::Ndjson | Self::Csv => true,
            Self::Parquet | Self::Arrow => false,
        }
    }
}

/// Which part of a report, and how it is written. Whether the values mean something is for the service to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableParameters {
    /// The table; the report's first one if it is not given.
    pub table: Option<String>,
    /// Names of columns, separated by commas.
    pub columns: Option<String>,
    /// The order of rows.
    pub order: Option<String>,
    /// What stands between the values of csv.
    pub delimiter: Option<String>,
    /// Whether csv begins with a byte order mark.
    pub byte_order_mark: bool,
    /// Whether csv marks cells that a spreadsheet would take for formulas.
    pub formulas_as_text: bool,
}

impl TableParameters {
    /// Names and values for the URL.
    fn pairs(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("table", self.table.as_ref()),
            ("columns", self.columns.as_ref()),
            ("order", self.order.as_ref()),
            ("delimiter", self.delimiter.as_ref()),
        ];
        let given = given
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?.clone())));
        let byte_order_mark = self.byte_order_mark.then(|| ("bom", "true".to_owned()));
        let formulas = (self.formulas_as_text).then(|| ("formulas", "text".to_owned()));
        given.chain(byte_order_mark).chain(formulas).collect()
    }

    /// Whether the service counts the rows of this table.
    fn is_counted(&self) -> bool {
        let table = self.table.as_deref().filter(|table| !table.is_empty());
        table.is_none_or(|table| COUNTED_TABLES.contains(&table))
    }
}

/// From where on a report is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Since {
    /// All of it, and nobody wants to go on from there.
    #[default]
    Ever,
    /// All of it, with a bookmark to go on from.
    Beginning,
    /// What has changed since a bookmark, with the next one.
    Bookmark(String),
}

impl Since {
    fn bookmark(&self) -> Option<&str> {
        match self {
            Self::Ever | Self::Beginning => None,
            Self::Bookmark(bookmark) => Some(bookmark),
        }
    }
}

/// How a table is read.
#[derive(Debug, Clone)]
pub struct TableRequest {
    /// The report.
    pub report_id: String,
    /// What it is sent as.
    pub format: TableFormat,
    /// Which part of it.
    pub parameters: TableParameters,
    /// From where on.
    pub since: Since,
    /// Whether the lines of ndjson become an array.
    pub lines_are_array: bool,
    /// How often it may be started anew.
    pub retries: u32,
}

/// What has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The number of rows, where they can be counted.
    pub rows: Option<u64>,
    /// How far the report had come, where that was asked for.
    pub bookmark: Option<String>,
}

/// Writes a table.
///
/// # Errors
/// See [`ClientError`]. A file is not there then.
pub fn export_table(
    service: &Service,
    request: &TableRequest,
    output: &mut WholeFile,
    progress: &mut dyn Progress,
    stop: &Stop,
) -> Result<Exported, ClientError> {
    let mut tries = Tries::new(request.retries);
    // One that stands in no header, and was taken before the rows were asked for.
    let mut long_bookmark = None;
    loop {
        if stop.is_wished() {
            return Err(ClientError::Interrupted);
        }
        let tried = stream(service, request, &long_bookmark, output, progress, stop);
        let (reason, retry_after) = match tried {
            Ok(Streamed::Whole(exported)) => {
                output.finish()?;
                return Ok(exported);
            }
            Ok(Streamed::WithoutBookmark) => match bookmark(service, &request.report_id) {
                Ok(bookmark) => {
                    long_bookmark = Some(bookmark);
                    continue;
                }
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Passing {
                    reason,
                    retry_after,
                    ..
                }) => (reason, retry_after),
            },
            Err(Trouble::Final(error)) => return Err(error),
            Err(Trouble::Passing {
                reason,
                retry_after,
                ..
            }) => (reason, retry_after),
        };
        if !output.restart()? {
            return Err(ClientError::Unavailable(format!(
                "{reason}; a part of the table is in {} already, so it can't be started anew",
                output.name()
            )));
        }
        let wait = tries.failed(&reason, retry_after)?;
        progress.notice(&format!(
            "{reason}; starting from the beginning in {} s ({tries})",
            wait.as_secs()
        ));
        stop.wait(wait);
    }
}

/// What became of a try.
enum Streamed {
    Whole(Exported),
    /// A bookmark is wanted, and the answer has none.
    WithoutBookmark,
}

/// One try, from the request to the end of the body.
fn stream(
    service: &Service,
    request: &TableRequest,
    long_bookmark: &Option<String>,
    output: &mut WholeFile,
    progress: &mut dyn Progress,
    stop: &Stop,
) -> Result<Streamed, Trouble> {
    let mut parameters = request.parameters.pairs();
    if let Some(bookmark) = request.since.bookmark() {
        parameters.push(("since", bookmark.to_owned()));
    }
    let response = service
        .table(
            &request.report_id,
            request.format.id(),
            &parameters,
            request.format.is_text().then_some(ENCODINGS),
        )
        .map_err(|error| trouble(error, true))?;
    let bookmark = match request.since {
        Since::Ever => None,
        Since::Beginning | Since::Bookmark(_) => {
            let bookmark = long_bookmark.clone().or_else(|| bookmark_header(&response));
            if bookmark.is_none() {
                return Ok(Streamed::WithoutBookmark);
            }
            bookmark
        }
    };
    // What has changed is read shard by shard and counted before, while it goes on to change.
    let is_counted = request.parameters.is_counted() && request.since.bookmark().is_none();
    let total = total_records(&response).filter(|_| is_counted);
    if let Some(total) = total.filter(|_| request.format.is_text()) {
        progress.total(total);
    }
    let mut body = body(response, request.format)?;
    let mut arrived = Arrived::new(request.format);
    let mut array = request.lines_are_array.then(ArrayOfLines::default);
    let mut bytes = 0;
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        if stop.is_wished() {
            return Err(ClientError::Interrupted.into());
        }
        let read = match body.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => buffer.get(..read).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let reason = format!("the table broke off: {}", cause(&error));
                return Err(Trouble::scroll_lost(reason));
            }
        };
        arrived.take(read);
        match &mut array {
            Some(array) => output.write(&array.of(read))?,
            None => output.write(read)?,
        }
        bytes += read.len() as u64;
        progress.arrived(arrived.rows(), bytes);
    }
    if let Some(missing) = arrived.missing() {
        return Err(Trouble::scroll_lost(format!(
            "the table is not complete: {missing}"
        )));
    }
    match (arrived.rows(), total) {
        (Some(rows), Some(total)) if rows != total => Err(Trouble::scroll_lost(format!(
            "{rows} rows arrived, and the service counts {total}"
        ))),
        (rows, _) => {
            if let Some(array) = &array {
                output.write(array.end())?;
            }
            Ok(Streamed::Whole(Exported { rows, bookmark }))
        }
    }
}

/// Makes a JSON array of lines that are JSON each, as [`super::output`] writes it.
#[derive(Debug, Default)]
struct ArrayOfLines {
    has_begun: bool,
    /// Whether a line has ended, and nothing has come since.
    is_between: bool,
}

impl ArrayOfLines {
    /// What more of the lines comes to.
    fn of(&mut self, lines: &[u8]) -> Vec<u8> {
        let mut array = Vec::with_capacity(lines.len() + lines.len() / 64 + 2);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if !self.has_begun {
                array.extend_from_slice(b"[\n");
            } else if self.is_between {
                array.extend_from_slice(b",\n");
            }
            self.has_begun = true;
            let text = line.strip_suffix(b"\n");
            self.is_between = text.is_some();
            array.extend_from_slice(text.unwrap_or(line));
        }
        array
    }

    /// What comes after the last line.
    fn end(&self) -> &'static [u8] {
        if self.has_begun { b"\n]\n" } else { b"[]\n" }
    }
}

fn bookmark_header(response: &Response) -> Option<String> {
    let bookmark = response.headers().get(BOOKMARK)?.to_str().ok()?;
    Some(bookmark.to_owned())
}

/// How far a report has come, asked for alone: over many indices that is too long for a header.
fn bookmark(service: &Service, report_id: &str) -> Result<String, Trouble> {
    #[derive(Deserialize)]
    struct Answer {
        bookmark: String,
    }
    let response = service
        .table(report_id, "bookmark", &[], None)
        .map_err(|error| trouble(error, true))?;
    let mut json = Vec::new();
    let read = response.take(MAX_BOOKMARK_BYTES).read_to_end(&mut json);
    read.map_err(|error| {
        Trouble::scroll_lost(format!("the bookmark broke off: {}", cause(&error)))
    })?;
    let answer: Answer = utf16::from_slice(&json)
        .map_err(|error| ClientError::Unexpected(format!("the answer is no bookmark: {error}")))?;
    Ok(answer.bookmark)
}

fn total_records(response: &Response) -> Option<u64> {
    let total = response.headers().get(TOTAL_RECORDS)?;
    total.to_str().ok()?.trim().parse().ok()
}

/// The bytes of a table, decoded. Whoever reads them to their end has all of them.
fn body(response: Response, format: TableFormat) -> Result<Box<dyn Read>, ClientError> {
    let header = |name: &HeaderName| {
        let value = response.headers().get(name).map(|value| value.to_str());
        value.and_then(Result::ok).unwrap_or_default().trim()
    };
    let content_type = header(&CONTENT_TYPE);
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(format.content_type()) {
        return Err(ClientError::Unexpected(format!(
            "the answer is not that of an export: its content type is {content_type:?} and not {}",
            format.content_type()
        )));
    }
    let encoding = header(&CONTENT_ENCODING).to_ascii_lowercase();
    // Both decoders read on until the body ends, so that they notice it when it breaks off behind their own end.
    match encoding.as_str() {
        "" | "identity" => {
            // A body that lasts until the connection closes looks the same whether it was cut off or not.
            let says_its_end = response.content_length().is_some()
                || response.headers().contains_key(TRANSFER_ENCODING)
                || response.version() >= Version::HTTP_2;
            if format.is_text() && !says_its_end {
                return Err(ClientError::Unexpected(
                    "the answer does not tell where it ends, so that it can't be known whether it is complete; something between \
                     here and the service speaks HTTP/1.0"
                        .to_owned(),
                ));
            }
            Ok(Box::new(response))
        }
        "gzip" | "x-gzip" => Ok(Box::new(MultiGzDecoder::new(response))),
        "zstd" => {
            let decoder = zstd::stream::read::Decoder::new(response);
            let decoder = decoder.map_err(|error| ClientError::Unexpected(error.to_string()))?;
            Ok(Box::new(decoder))
        }
        _ => Err(ClientError::Unexpected(format!(
            "the answer has the encoding {encoding:?}, which nobody asked for"
        ))),
    }
}

/// Why a body broke off, in the words of whoever knows.
fn cause(error: &io::Error) -> String {
    let http = error
        .get_ref()
        .and_then(|error| error.downcast_ref::<reqwest::Error>());
    http.map_or_else(|| error.to_string(), chain)
}

/// What the columns of a table are.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableSchema {
    /// The report.
    pub report_id: String,
    /// Its name, where it has one.
    pub report_name: Option<String>,
    /// The table.
    pub table: String,
    /// All tables of the report, the first one being the default.
    pub tables: Vec<String>,
    /// The columns that tell a row from the others.
    pub primary_key: Vec<String>,
    /// An id that changes when the columns do.
    pub schema_id: String,
    /// The columns.
    pub columns: Vec<TableColumn>,
}

/// A column of a table.
#[derive(Debug, Deserialize)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub column_type: String,
    /// Whether a value may be missing.
    #[serde(rename = "nullable")]
    pub is_nullable: bool,
    /// Where its values come from.
    pub source: String,
}

impl TableSchema {
    /// Reads an answer.
    ///
    /// # Errors
    /// It is no schema.
    pub fn parse(json: &[u8]) -> Result<Self, ClientError> {
        utf16::from_slice(json).map_err(|error| {
            ClientError::Unexpected(format!("the answer is no schema of a table: {error}"))
        })
    }
}

/// The answer of the service to what the columns of a table are, as JSON. It is asked for once: there is somebody who waits.
///
/// # Errors
/// See [`ClientError`].
pub fn schema_json(
    service: &Service,
    report_id: &str,
    parameters: &TableParameters,
) -> Result<Vec<u8>, ClientError> {
    let unavailable = |reason: String| ClientError::Unavailable(reason);
    let response = service
        .table(report_id, "schema", &parameters.pairs(), None)
        .map_err(|error| match trouble(error, true) {
            Trouble::Passing { reason, .. } => unavailable(reason),
            Trouble::Final(error) => error,
        })?;
    let mut json = Vec::new();
    let read = response.take(MAX_SCHEMA_BYTES).read_to_end(&mut json);
    read.map_err(|error| unavailable(format!("the answer broke off: {}", cause(&error))))?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::net::TcpListener;
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex};
    use std::thread;

    use tempfile::TempDir;

    use super::*;
    use crate::client::format::Compression;
    use crate::client::output::ExistingFile;
    use crate::client::service::TokenSource;

    /// A server that gives these answers, one a connection, and what it was asked for.
    struct Server {
        url: String,
        requests: Arc<Mutex<Vec<String>>>,
    }

    impl Server {
        fn start(answers: Vec<Vec<u8>>) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let url = format!("http://{}/optimize", listener.local_addr().unwrap());
            let requests = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&requests);
            thread::spawn(move || {
                for answer in answers {
                    let (mut client, _) = listener.accept().unwrap();
                    let (mut head, mut byte) = (Vec::new(), [0]);
                    while !head.ends_with(b"\r\n\r\n") {
                        client.read_exact(&mut byte).unwrap();
                        head.push(byte[0]);
                    }
                    seen.lock().unwrap().push(String::from_utf8(head).unwrap());
                    client.write_all(&answer).unwrap();
                }
            });
            Self { url, requests }
        }
    }

    /// The head of an answer, with more headers.
    fn head(headers: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{headers}\r\n").into_bytes()
    }

    /// A chunked answer; without its last chunk it broke off.
    fn chunked(headers: &str, body: &[u8], is_whole: bool) -> Vec<u8> {
        let mut answer = head(&format!("Transfer-Encoding: chunked\r\n{headers}"));
        for chunk in body.chunks(7) {
            answer.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            answer.extend(chunk);
            answer.extend(b"\r\n");
        }
        if is_whole {
            answer.extend(b"0\r\n\r\n");
        }
        answer
    }

    const CSV_TYPE: &str = "Content-Type: text/csv; charset=utf-8; header=present\r\n";
    const CSV: &[u8] = b"a,b\r\n1,\"x\r\ny\"\r\n2,\r\n";
    const TWO_RECORDS: &str = "Optimize-Export-Total-Records: 2\r\n";

    fn csv(is_whole: bool) -> Vec<u8> {
        chunked(&format!("{CSV_TYPE}{TWO_RECORDS}"), CSV, is_whole)
    }

    #[derive(Default)]
    struct Seen {
        totals: Vec<u64>,
        arrived: Vec<(Option<u64>, u64)>,
        notices: Vec<String>,
    }

    impl Progress for Seen {
        fn total(&mut self, total: u64) {
            self.totals.push(total);
        }

        fn row(&mut self, _is_new: bool) {}

        fn arrived(&mut self, rows: Option<u64>, bytes: u64) {
            self.arrived.push((rows, bytes));
        }

        fn notice(&mut self, text: &str) {
            self.notices.push(text.to_owned());
        }
    }

    /// An export into a folder of its own.
    struct Run {
        folder: TempDir,
        result: Result<Option<u64>, ClientError>,
        bookmark: Option<String>,
        seen: Seen,
        requests: Vec<String>,
    }

    impl Run {
        fn path(folder: &TempDir) -> PathBuf {
            folder.path().join("table")
        }

        /// What the file has; nothing else is in its folder, whatever happened.
        fn file(&self) -> Option<Vec<u8>> {
            let path = Self::path(&self.folder);
            let count = fs::read_dir(self.folder.path()).unwrap().count();
            assert_eq!(count, usize::from(path.exists()));
            fs::read(path).ok()
        }

        fn error(&self) -> String {
            assert_eq!(self.file(), None, "nothing is left under the name");
            self.result.as_ref().unwrap_err().to_string()
        }
    }

    fn request(format: TableFormat, retries: u32) -> TableRequest {
        TableRequest {
            report_id: "r 1".to_owned(),
            format,
            parameters: TableParameters::default(),
            since: Since::Ever,
            lines_are_array: false,
            retries,
        }
    }

    fn service(url: &str) -> Service {
        Service::new(url.parse().unwrap(), &[], TokenSource::Token("t".into())).unwrap()
    }

    fn run(request: &TableRequest, answers: Vec<Vec<u8>>) -> Run {
        let server = Server::start(answers);
        let folder = tempfile::tempdir().unwrap();
        let mut output =
            WholeFile::create(&Run::path(&folder), ExistingFile::Refuse, None).unwrap();
        let mut seen = Seen::default();
        let result = export_table(
            &service(&server.url),
            request,
            &mut output,
            &mut seen,
            &Stop::default(),
        );
        drop(output);
        let requests = server.requests.lock().unwrap().clone();
        let bookmark = result.as_ref().ok().and_then(|it| it.bookmark.clone());
        Run {
            folder,
            result: result.map(|exported| exported.rows),
            bookmark,
            seen,
            requests,
        }
    }

    #[test]
    fn a_table_is_asked_for_once_and_written_as_it_is() {
        let run = run(&request(TableFormat::Csv, 0), vec![csv(true)]);
        assert_eq!(run.result.as_ref().unwrap(), &Some(2));
        assert_eq!(run.file().unwrap(), CSV);
        assert_eq!(run.seen.totals, [2]);
        assert_eq!(run.seen.arrived.last(), Some(&(Some(2), CSV.len() as u64)));
        let [head] = run.requests.as_slice() else {
            panic!("{:?}", run.requests);
        };
        assert!(
            head.starts_with(
                "GET /optimize/api/public/export/report/r%201/result/csv HTTP/1.1\r\n"
            ),
            "{head}"
        );
        let head = head.to_ascii_lowercase();
        assert!(head.contains("accept-encoding: zstd, gzip\r\n"), "{head}");
    }

    #[test]
    fn parameters_go_into_the_url() {
        let mut request = request(TableFormat::Csv, 0);
        let text = |text: &str| Some(text.to_owned());
        request.parameters = TableParameters {
            table: text("instances"),
            columns: text("a\\,b,dur:*"),
            order: text("any"),
            delimiter: text("\t"),
            byte_order_mark: true,
            formulas_as_text: true,
        };
        let run = run(&request, vec![csv(true)]);
        let expected = "?table=instances&columns=a%5C%2Cb%2Cdur%3A*&order=any&delimiter=%09&bom=true&formulas=text HTTP";
        assert!(run.requests[0].contains(expected), "{:?}", run.requests);
    }

    #[test]
    fn a_body_without_its_last_chunk_is_started_anew() {
        let run = run(&request(TableFormat::Csv, 1), vec![csv(false), csv(true)]);
        assert_eq!(run.file().unwrap(), CSV, "nothing of the first try");
        let [notice] = run.seen.notices.as_slice() else {
            panic!("{:?}", run.seen.notices);
        };
        assert!(
            notice.starts_with("the table broke off: ")
                && notice.ends_with("; starting from the beginning in 1 s (1 of 1)"),
            "{notice}"
        );
    }

    #[test]
    fn a_body_that_always_breaks_is_never_whole() {
        let with_type = |headers: &str, body: &[u8]| vec![chunked(headers, body, false)];
        let parquet = "Content-Type: application/vnd.apache.parquet\r\n";
        let arrow = "Content-Type: application/vnd.apache.arrow.stream\r\n";
        let ndjson = "Content-Type: application/x-ndjson\r\n";
        let gzip = |plain: &[u8]| {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(plain).unwrap();
            encoder.finish().unwrap()
        };
        let cases = [
            (TableFormat::Csv, vec![csv(false)]),
            (TableFormat::Ndjson, with_type(ndjson, b"{}\n")),
            (TableFormat::Parquet, with_type(parquet, b"PAR1PAR1")),
            (
                TableFormat::Arrow,
                with_type(arrow, &[255, 255, 255, 255, 0, 0, 0, 0]),
            ),
            // All of the compressed bytes are there, and yet the end of the body is not.
            (
                TableFormat::Csv,
                with_type(&format!("{CSV_TYPE}Content-Encoding: gzip\r\n"), &gzip(CSV)),
            ),
            (
                TableFormat::Csv,
                with_type(
                    &format!("{CSV_TYPE}Content-Encoding: zstd\r\n"),
                    &zstd::encode_all(CSV, 1).unwrap(),
                ),
            ),
        ];
        for (format, answers) in cases {
            let run = run(&request(format, 0), answers);
            assert!(matches!(run.result, Err(ClientError::Unavailable(_))));
            assert!(
                run.error().contains("the table broke off"),
                "{}",
                run.error()
            );
        }
    }

    #[test]
    fn what_ends_properly_and_yet_is_not_all_is_noticed() {
        let answer = |content_type: &str, body: &[u8]| {
            vec![chunked(
                &format!("Content-Type: {content_type}\r\n{TWO_RECORDS}"),
                body,
                true,
            )]
        };
        for (format, answers, words) in [
            (
                TableFormat::Csv,
                answer("text/csv", b"a\r\n1\r\n"),
                "1 rows arrived, and the service counts 2",
            ),
            (
                TableFormat::Csv,
                answer("text/csv", b""),
                "there is no header line",
            ),
            (
                TableFormat::Ndjson,
                answer("application/x-ndjson", b"{}\n{}\n{}\n"),
                "3 rows arrived, and the service counts 2",
            ),
            (
                TableFormat::Parquet,
                answer("application/vnd.apache.parquet", b"PAR1 no footer"),
                "there is no end mark",
            ),
            (
                TableFormat::Arrow,
                answer("application/vnd.apache.arrow.stream", &[255; 8]),
                "there is no end mark",
            ),
        ] {
            let run = run(&request(format, 0), answers);
            assert!(run.error().contains(words), "{}", run.error());
            assert!(matches!(run.result, Err(ClientError::Unavailable(_))));
        }
        // The service counts instances, not what is within them.
        let mut variables = request(TableFormat::Csv, 0);
        variables.parameters.table = Some("variables".to_owned());
        let run = run(&variables, answer("text/csv", b"a\r\n1\r\n"));
        assert_eq!(run.result.as_ref().unwrap(), &Some(1));
        assert!(run.seen.totals.is_empty());
    }

    #[test]
    fn compressed_bodies_are_decoded() {
        let rows: Vec<u8> = (0..50_000_u32)
            .flat_map(|n| format!("{{\"n\":{n}}}\n").into_bytes())
            .collect();
        let gzip = {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&rows).unwrap();
            encoder.finish().unwrap()
        };
        let zstd = zstd::encode_all(&rows[..], 1).unwrap();
        for (encoding, body) in [("gzip", &gzip), ("zstd", &zstd), ("identity", &rows)] {
            let headers =
                format!("Content-Type: application/x-ndjson\r\nContent-Encoding: {encoding}\r\n");
            let answer = chunked(&headers, body, true);
            let whole = run(&request(TableFormat::Ndjson, 0), vec![answer]);
            assert_eq!(whole.result.as_ref().unwrap(), &Some(50_000), "{encoding}");
            assert!(whole.file().unwrap() == rows, "{encoding}");
            if encoding != "identity" {
                // The body ends, and what is in it does not.
                let answer = chunked(&headers, &body[..body.len() - 9], true);
                let cut = run(&request(TableFormat::Ndjson, 0), vec![answer]);
                assert!(
                    cut.error().contains("the table broke off"),
                    "{}",
                    cut.error()
                );
            }
        }
    }

    #[test]
    fn a_body_whose_end_can_not_be_told_is_not_taken() {
        let until_closed = |headers: &str, body: &[u8]| {
            let mut answer = head(headers);
            answer.extend(body);
            vec![answer]
        };
        let run_csv = run(&request(TableFormat::Csv, 0), until_closed(CSV_TYPE, CSV));
        assert!(run_csv.error().contains("HTTP/1.0"), "{}", run_csv.error());
        let with_length = format!("{CSV_TYPE}Content-Length: {}\r\n", CSV.len());
        let run_csv = run(
            &request(TableFormat::Csv, 0),
            until_closed(&with_length, CSV),
        );
        assert_eq!(run_csv.file().unwrap(), CSV);
        // This one has an end of its own.
        let parquet = "Content-Type: application/vnd.apache.parquet\r\n";
        let answers = until_closed(parquet, b"PAR1 all PAR1");
        let run_parquet = run(&request(TableFormat::Parquet, 0), answers);
        assert!(run_parquet.file().is_some());
    }

    #[test]
    fn answers_of_somebody_else_are_not_taken() {
        for (headers, words) in [
            ("Content-Type: text/html\r\n", "text/html"),
            ("", "content type"),
            ("Content-Type: text/csv\r\nContent-Encoding: br\r\n", "br"),
        ] {
            let run = run(
                &request(TableFormat::Csv, 5),
                vec![chunked(headers, b"<html>", true)],
            );
            assert!(run.error().contains(words), "{}", run.error());
            assert!(matches!(run.result, Err(ClientError::Unexpected(_))));
        }
    }

    #[test]
    fn a_refusal_is_told_and_a_busy_service_is_asked_again() {
        let status = |line: &str, headers: &str| {
            let body = r#"{"detailedMessage":"because"}"#;
            let length = body.len();
            format!("HTTP/1.1 {line}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}")
                .into_bytes()
        };
        let refused = run(
            &request(TableFormat::Csv, 5),
            vec![status("400 Bad Request", "")],
        );
        assert!(matches!(refused.result, Err(ClientError::Refused(_))));
        assert!(refused.error().contains("because"));
        let busy = status("429 Too Many Requests", "Retry-After: 0\r\n");
        let served = run(
            &request(TableFormat::Csv, 2),
            vec![busy.clone(), busy, csv(true)],
        );
        assert_eq!(served.file().unwrap(), CSV);
        assert_eq!(served.seen.notices.len(), 2);
    }

    #[test]
    fn what_went_through_a_pipe_is_not_started_anew() {
        let server = Server::start(vec![csv(false), csv(true)]);
        let mut output =
            WholeFile::create("/dev/null".as_ref(), ExistingFile::Refuse, None).unwrap();
        let result = export_table(
            &service(&server.url),
            &request(TableFormat::Csv, 5),
            &mut output,
            &mut Seen::default(),
            &Stop::default(),
        );
        let Err(ClientError::Unavailable(reason)) = result else {
            panic!("{result:?}");
        };
        assert!(reason.contains("can't be started anew"), "{reason}");
        assert_eq!(server.requests.lock().unwrap().len(), 1);
    }

    /// An answer with this bookmark and two rows.
    fn with_bookmark(bookmark: &str) -> Vec<u8> {
        let headers = format!("{CSV_TYPE}Optimize-Export-Bookmark: {bookmark}\r\n{TWO_RECORDS}");
        chunked(&headers, CSV, true)
    }

    #[test]
    fn changes_are_asked_for_with_a_bookmark_and_give_the_next() {
        let mut request = request(TableFormat::Csv, 1);
        let broken = chunked(
            &format!("{CSV_TYPE}Optimize-Export-Bookmark: lost\r\n"),
            CSV,
            false,
        );
        request.since = Since::Bookmark("b_1".to_owned());
        let first = run(&request, vec![broken, with_bookmark("b_2")]);
        // That of the try which was whole.
        assert_eq!(first.bookmark.as_deref(), Some("b_2"));
        for head in &first.requests {
            assert!(head.contains("/result/csv?since=b_1 HTTP"), "{head}");
        }
        request.since = Since::Beginning;
        let second = run(&request, vec![with_bookmark("b_1")]);
        assert_eq!(second.bookmark.as_deref(), Some("b_1"));
        assert!(second.requests[0].contains("/result/csv HTTP"));
    }

    #[test]
    fn what_changes_while_it_is_read_is_not_counted() {
        let mut request = request(TableFormat::Csv, 0);
        let many = format!(
            "{CSV_TYPE}Optimize-Export-Bookmark: n\r\nOptimize-Export-Total-Records: 9\r\n"
        );
        request.since = Since::Bookmark("b".to_owned());
        let run = run(&request, vec![chunked(&many, CSV, true)]);
        assert_eq!(run.result.as_ref().unwrap(), &Some(2));
    }

    #[test]
    fn a_bookmark_that_fits_into_no_header_is_asked_for_before_the_rows() {
        let mut request = request(TableFormat::Csv, 0);
        request.since = Since::Beginning;
        let json = br#"{"reportId":"r","bookmark":"long"}"#;
        let alone = chunked("Content-Type: application/json\r\n", json, true);
        let run = run(&request, vec![csv(true), alone, csv(true)]);
        assert_eq!(run.bookmark.as_deref(), Some("long"));
        assert_eq!(run.file().unwrap(), CSV, "only of the second try");
        assert!(run.requests[1].contains("/result/bookmark HTTP"));
    }

    #[test]
    fn an_error_about_a_bookmark_is_told_apart() {
        let body =
            br#"{"errorCode":"bookmarkError","errorMessage":"m","detailedMessage":"start over"}"#;
        let mut answer = format!(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend(body);
        let run = run(&request(TableFormat::Csv, 3), vec![answer]);
        assert!(matches!(run.result, Err(ClientError::Bookmark(_))));
        assert!(run.error().contains("start over"));
    }

    #[test]
    fn lines_become_an_array_however_they_arrive() {
        for (lines, expected) in [
            (&b""[..], "[]\n"),
            (b"1\n", "[\n1\n]\n"),
            (b"1\n{\"a\":2}\n3\n", "[\n1,\n{\"a\":2},\n3\n]\n"),
        ] {
            for size in 1..=lines.len().max(1) {
                let mut array = ArrayOfLines::default();
                let mut text: Vec<u8> = lines
                    .chunks(size)
                    .flat_map(|chunk| array.of(chunk))
                    .collect();
                text.extend_from_slice(array.end());
                assert_eq!(String::from_utf8(text).unwrap(), expected, "{size}");
            }
        }
    }

    #[test]
    fn a_file_is_compressed_while_it_is_written() {
        let server = Server::start(vec![csv(false), csv(true)]);
        let folder = tempfile::tempdir().unwrap();
        let path = Run::path(&folder);
        let zstd = Some(Compression::Zstd);
        let mut output = WholeFile::create(&path, ExistingFile::Refuse, zstd).unwrap();
        let mut seen = Seen::default();
        let request = request(TableFormat::Csv, 1);
        let stop = Stop::default();
        export_table(
            &service(&server.url),
            &request,
            &mut output,
            &mut seen,
            &stop,
        )
        .unwrap();
        assert_eq!(
            zstd::decode_all(&fs::read(&path).unwrap()[..]).unwrap(),
            CSV
        );
    }

    #[test]
    fn the_wish_to_stop_ends_an_export() {
        let server = Server::start(vec![csv(true)]);
        let folder = tempfile::tempdir().unwrap();
        let path = Run::path(&folder);
        let mut output = WholeFile::create(&path, ExistingFile::Refuse, None).unwrap();
        let stop = Stop::default();
        stop.wish();
        let result = export_table(
            &service(&server.url),
            &request(TableFormat::Csv, 5),
            &mut output,
            &mut Seen::default(),
            &stop,
        );
        assert!(matches!(result, Err(ClientError::Interrupted)));
        assert!(!path.exists());
    }

    #[test]
    fn a_schema_is_given_as_it_came() {
        let json = br#"{"reportId":"r"}"#;
        let headers = "Content-Type: application/json\r\n";
        let server = Server::start(vec![
            chunked(headers, json, true),
            chunked(headers, json, false),
        ]);
        let service = service(&server.url);
        let parameters = TableParameters {
            table: Some("inputs".to_owned()),
            ..TableParameters::default()
        };
        assert_eq!(schema_json(&service, "r", &parameters).unwrap(), json);
        assert!(
            server.requests.lock().unwrap()[0].starts_with(
                "GET /optimize/api/public/export/report/r/result/schema?table=inputs "
            )
        );
        let cut = schema_json(&service, "r", &parameters);
        assert!(matches!(cut, Err(ClientError::Unavailable(_))));
    }
}
