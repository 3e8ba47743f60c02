//! A whole report in one request, as a table.
//!
//! Raw data comes out of one scroll that nobody else can continue: its next batch is asked for while one is written, and it is
//! cleared when the last row has been read or something goes wrong. What aggregates is evaluated for each measure and written
//! row by row. Either way a body that ends properly is complete, and one that is not breaks off.
//!
//! A row of text takes some microseconds and is written where the answer of Elasticsearch arrives, as in a page. What encodes
//! whole batches or compresses works on a thread for blocking work, so that no connection waits for it (`Stream::start`).

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cluster::memory::Share;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use optimize::definitions::clauses::DecisionClauses;
use optimize::plan::combination;
use optimize::report::definition::{Configuration, StoredReport};
use optimize::result::ReportResult;
use optimize::scope::Scope;
use optimize::table::decision::instances::DecisionColumns;
use optimize::table::result::{self, Measure, ResultRows, Shape};
use optimize::table::rows::RawTable;
use optimize::table::schema::{Column, Schema, Table};
use optimize::table::selection::Selection;
use tokio::runtime::Handle;
use tracing::Instrument;

use super::admission::{Admission, Permit};
use super::aggregated::{Aggregated, Asked, Evaluated, Until};
use super::audit::StreamAudit;
use super::body::{self, BodyWriter, Delivery, MIN_BYTES_PER_SECOND, PageBody};
use super::query::ask_scope;
use super::raw_report::{RawReport, RawReports};
use super::{Audit, ExportError, clock};
use crate::auth::access::Forbidden;
use crate::auth::{Access, Client};
use crate::catalog::reports::ReportStore;
use crate::catalog::table_columns;
use crate::encode::compression::Compression;
use crate::encode::csv::CsvOptions;
use crate::encode::{Encoders, Format};
use crate::scroll::Scrolls;

mod changes;
mod raw;
mod writer;

use raw::{Broken, RawStream};
use writer::{StreamWriter, WriteError};

/// Shortest keep-alive of a stream's scroll.
const MIN_KEEP_ALIVE: Duration = Duration::from_secs(120);
/// Longest keep-alive of a stream's scroll: what a process that is killed leaves behind is gone then.
const MAX_KEEP_ALIVE: Duration = Duration::from_secs(1_800);
/// Rows of a result that are written before it is looked whether there is enough to hand on.
const ROWS_AT_ONCE: usize = 100;
/// One request for a table, its parameters checked.
#[derive(Debug, Clone)]
pub struct StreamRequest {
    /// Who asks, and what becomes of it.
    pub audit: Audit,
    /// The report.
    pub report_id: String,
    /// How it is written.
    pub format: Format,
    /// What is asked for.
    pub options: TableOptions,
    /// How csv is written.
    pub csv: CsvOptions,
    /// The zone that the client wants dates in.
    pub time_zone: Option<TimeZone>,
    /// How the body is compressed.
    pub compression: Option<Compression>,
    /// Bytes of a file, where the table goes into several of them: its body says where one ends. A bookmark may be long then.
    pub max_file_bytes: Option<u64>,
}

/// Which part of a report, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// The table; the report's first one where none is named.
    pub table: Option<Table>,
    /// The columns; all where none is named.
    pub columns: Option<Selection>,
    /// The order of the rows.
    pub order: RowOrder,
    /// The bookmark since which there have to be changes.
    pub since: Option<String>,
}

/// The order of rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RowOrder {
    /// That of `json`.
    #[default]
    Report,
    /// Whatever is fastest.
    Any,
}

/// What stands before the rows.
#[derive(Debug, Clone)]
pub struct StreamHead {
    /// The report's name.
    pub report_name: Option<Arc<str>>,
    /// Instances, or rows of a result; `None` where that is not known without evaluating it.
    pub total: Option<u64>,
    /// The columns.
    pub schema: Schema,
    /// How far the report had come before it was read; `None` for what aggregates, and where that can't be told in a header.
    pub bookmark: Option<String>,
}

/// The columns of a report's table.
#[derive(Debug, Clone)]
pub struct TableSchema {
    /// The report's name.
    pub report_name: Option<Arc<str>>,
    /// The tables that the report has.
    pub tables: &'static [Table],
    /// The columns that were selected.
    pub schema: Schema,
}

/// The tables of a report.
#[derive(Debug, Clone)]
pub struct ReportTables {
    /// The report's name.
    pub report_name: Option<Arc<str>>,
    /// The tables that it has.
    pub tables: &'static [Table],
}

/// A report on its way to a table.
struct Found {
    report: Arc<StoredReport>,
    name: Option<Arc<str>>,
    tables: &'static [Table],
    table: Table,
}

/// The columns that a request asks for.
struct Selected {
    /// Their places among all columns of the table, in the order wanted.
    indices: Vec<usize>,
    /// Those.
    schema: Schema,
}

impl Selected {
    fn of(
        all: Schema,
        columns: Option<&Selection>,
        configuration: &Configuration,
        access: &Access,
    ) -> Result<Self, ExportError> {
        let restrictions = access.restrictions();
        if let Some(mut names) = columns.map(Selection::names)
            && let Some(name) = names.find(|name| restrictions.leave_out(name))
        {
            return Err(Forbidden::Column(name.to_owned()).into());
        }
        let mut indices = match columns {
            None => (0..all.columns.len()).collect(),
            Some(selection) => selection
                .apply(&all, Some(&configuration.table_columns))
                .map_err(|unknown| ExportError::BadRequest(unknown.to_string()))?,
        };
        let is_left_out = |column: &Column| restrictions.leave_out(&column.name);
        let had_columns = !indices.is_empty();
        indices.retain(|index| !all.columns.get(*index).is_some_and(is_left_out));
        if had_columns && indices.is_empty() {
            return Err(Forbidden::NoColumn.into());
        }
        if indices.is_empty() {
            return Err(ExportError::BadRequest(
                "columns fits no column of this table; its schema tells which there are".to_owned(),
            ));
        }
        let columns: Vec<Column> = indices
            .iter()
            .filter_map(|index| all.columns.get(*index).cloned())
            .collect();
        let schema = Schema { columns, ..all };
        Ok(Self { indices, schema })
    }
}

/// The rows of a stream.
enum Rows {
    /// Of raw data.
    Raw(Box<RawStream>),
    /// Of a result.
    Result {
        rows: ResultRows,
        indices: Vec<usize>,
        encoders: Encoders,
        /// The memory that it takes.
        shares: Vec<Share>,
    },
}

/// A stream whose rows can be written.
struct Stream {
    streams: Streams,
    report_id: String,
    audit: Audit,
    permit: Permit,
    /// Whether it encodes batches of rows.
    batches_rows: bool,
    compression: Option<Compression>,
    max_file_bytes: Option<u64>,
    rows: Rows,
}

/// Answers with whole tables. Cloning is cheap; clones share everything.
#[derive(Clone)]
pub struct Streams {
    pub(super) reports: ReportStore,
    pub(super) raw: RawReports,
    pub(super) aggregated: Aggregated,
    pub(super) scrolls: Scrolls,
    pub(super) admission: Admission,
}

impl Streams {
    /// A whole table.
    ///
    /// # Errors
    /// The request, the report or Elasticsearch stands in the way; see [`ExportError`].
    pub async fn open(
        &self,
        request: StreamRequest,
    ) -> Result<(StreamHead, PageBody), ExportError> {
        let audit = request.audit.clone();
        let permit = self.admission.stream(&audit, &request.report_id).await;
        let permit = permit.inspect_err(|error| audit.refused(error))?;
        let this = self.clone();
        let open = async move {
            let opened = this.open_admitted(request, permit).await;
            opened.inspect_err(|error| audit.refused(error))
        };
        super::in_own_task(&self.scrolls, open).await
    }

    /// What [`Streams::open`] would answer with, without opening a scroll.
    ///
    /// # Errors
    /// As [`Streams::open`].
    pub async fn head(&self, request: StreamRequest) -> Result<StreamHead, ExportError> {
        let _permit = (self.admission)
            .export(&request.audit, &request.report_id)
            .await?;
        let client = request.audit.client();
        let found = self
            .find_table(client, &request.report_id, &request.options)
            .await?;
        request.audit.set_plan(combination::describe(&found.report));
        let now = clock::now();
        let columns = &request.options.columns;
        let access = request.audit.client().access();
        let configuration = configuration(&found.report);
        let (selected, total, bookmark) = match RawReport::of(&found.report) {
            Some(report) => {
                let reading = self.reading(&request, &found, report, now).await?;
                let (table, total) = tokio::join!(
                    self.find_table_columns(
                        report,
                        found.table,
                        &reading.scope,
                        &reading.query,
                        columns.as_ref()
                    ),
                    self.count_of(&reading),
                );
                let all = table?.schema();
                let selected = Selected::of(all, columns.as_ref(), configuration, access)?;
                (selected, Some(total?), reading.bookmark)
            }
            None => {
                check_without_rows(&request.options)?;
                let asked = Asked {
                    report_id: &request.report_id,
                    access,
                    now,
                    until: Until::Shape,
                };
                let schema = self.result_schema(asked, &found.report).await?;
                let selected = Selected::of(schema, columns.as_ref(), configuration, access)?;
                (selected, None, None)
            }
        };
        Ok(StreamHead {
            report_name: found.name,
            total,
            schema: selected.schema,
            bookmark,
        })
    }

    /// The bookmark that an export would have which begins now, however long it is.
    ///
    /// # Errors
    /// As [`Streams::open`].
    pub async fn bookmark(&self, audit: &Audit, report_id: &str) -> Result<String, ExportError> {
        let _permit = self.admission.export(audit, report_id).await?;
        let client = audit.client();
        let options = TableOptions::default();
        let found = self.find_table(client, report_id, &options).await?;
        let Some(report) = RawReport::of(&found.report) else {
            return Err(no_bookmarks());
        };
        let scope = self.raw.scope_of(report, client.access()).await?;
        let position = self
            .needed_position(report, &scope, client.access())
            .await?;
        Ok(self.long_bookmark_of(report_id, &position))
    }

    /// The position that is behind none of these bookmarks of one report; `None` where they say that it has changed in between.
    /// Who has read several tables one after the other goes on from there.
    pub fn earliest_bookmark<'b>(
        &self,
        bookmarks: impl IntoIterator<Item = &'b str>,
    ) -> Option<String> {
        let mut bookmarks = bookmarks.into_iter();
        let first = self.open_bookmark(bookmarks.next()?)?;
        let earliest = bookmarks.try_fold(first, |earliest, bookmark| {
            earliest.earliest(&self.open_bookmark(bookmark)?)
        });
        Some(self.signed(&earliest?))
    }

    /// The tables of a report.
    ///
    /// # Errors
    /// There is no such report, or none that can be exported.
    pub async fn report_tables(
        &self,
        client: &Client,
        report_id: &str,
    ) -> Result<ReportTables, ExportError> {
        let options = TableOptions::default();
        let found = self.find_table(client, report_id, &options).await?;
        Ok(ReportTables {
            report_name: found.name,
            tables: found.tables,
        })
    }

    /// The columns of a table.
    ///
    /// # Errors
    /// As [`Streams::open`].
    pub async fn table_schema(
        &self,
        audit: &Audit,
        report_id: &str,
        options: &TableOptions,
    ) -> Result<TableSchema, ExportError> {
        let _permit = self.admission.export(audit, report_id).await?;
        let client = audit.client();
        let access = client.access();
        let found = self.find_table(client, report_id, options).await?;
        let asked = Asked {
            report_id,
            access,
            now: clock::now(),
            until: Until::Shape,
        };
        let all = match RawReport::of(&found.report) {
            Some(report) => {
                let scope = self.raw.scope_of(report, access).await?;
                let query = self.raw.query_of(report, &scope, asked.now);
                let columns = self
                    .find_table_columns(
                        report,
                        found.table,
                        &scope,
                        &query,
                        options.columns.as_ref(),
                    )
                    .await?;
                columns.schema()
            }
            None => self.result_schema(asked, &found.report).await?,
        };
        let configuration = configuration(&found.report);
        let selected = Selected::of(all, options.columns.as_ref(), configuration, access)?;
        Ok(TableSchema {
            report_name: found.name,
            tables: found.tables,
            schema: selected.schema,
        })
    }

    /// The report, if it has the table.
    async fn find_table(
        &self,
        client: &Client,
        report_id: &str,
        options: &TableOptions,
    ) -> Result<Found, ExportError> {
        let found = self.reports.find(client, report_id).await?;
        let (report, name) = (found.report, found.name);
        combination::check(&report, self.raw.settings.assignee_analytics)?;
        let tables = match &*report {
            StoredReport::Combined => {
                return Err(super::combined());
            }
            StoredReport::Process(data) => {
                if data.is_raw_data() {
                    Table::OF_PROCESSES
                } else {
                    Table::OF_RESULTS
                }
            }
            StoredReport::Decision(data) => {
                if data.is_raw_data() {
                    Table::OF_DECISIONS
                } else {
                    Table::OF_RESULTS
                }
            }
        };
        let table = match options.table {
            None => tables.first().copied().unwrap_or(Table::Instances),
            Some(table) if tables.contains(&table) => table,
            Some(Table::Left) if tables != Table::OF_RESULTS && options.since.is_some() => {
                Table::Left
            }
            Some(Table::Left) if tables != Table::OF_RESULTS => {
                return Err(ExportError::BadRequest(
                    "table is \"left\"; it tells what left since a bookmark, and since is missing"
                        .to_owned(),
                ));
            }
            Some(table) => {
                let expected: Vec<&str> = tables.iter().map(|table| table.id()).collect();
                return Err(ExportError::BadRequest(format!(
                    "table is {:?}; this report has {}",
                    table.id(),
                    expected.join(", ")
                )));
            }
        };
        Ok(Found {
            report,
            name,
            tables,
            table,
        })
    }

    async fn open_admitted(
        &self,
        request: StreamRequest,
        permit: Permit,
    ) -> Result<(StreamHead, PageBody), ExportError> {
        let client = request.audit.client();
        let found = self
            .find_table(client, &request.report_id, &request.options)
            .await?;
        request.audit.set_plan(combination::describe(&found.report));
        request.audit.set_stream(StreamAudit {
            table: found.table.id(),
            format: request.format.id(),
        });
        let now = clock::now();
        let head = |total: u64, schema: &Schema| StreamHead {
            report_name: found.name.clone(),
            total: Some(total),
            schema: schema.clone(),
            bookmark: None,
        };
        let (head, rows) = match RawReport::of(&found.report) {
            Some(report) => {
                let stream = self.open_raw_stream(&request, &found, report, now).await?;
                let head = StreamHead {
                    bookmark: stream.bookmark().map(str::to_owned),
                    ..head(stream.total(), stream.schema())
                };
                (head, Rows::Raw(Box::new(stream)))
            }
            None => {
                check_without_rows(&request.options)?;
                let access = request.audit.client().access();
                let asked = Asked {
                    report_id: &request.report_id,
                    access,
                    now,
                    until: Until::Result,
                };
                let results = self.evaluate_measures(asked, &found.report).await?;
                let all = result::schema(results.shape, &results.measures);
                let columns = request.options.columns.as_ref();
                let selected = Selected::of(all, columns, configuration(&found.report), access)?;
                let encoders = self.encoders(&request, &found, &selected.schema, None, now);
                let counts = results.measures.iter().map(|measure| measure.is_count);
                let rows = ResultRows::new(results.shape, counts.zip(results.results));
                let total = rows.len() as u64;
                let rows = Rows::Result {
                    rows,
                    indices: selected.indices,
                    encoders,
                    shares: results.shares,
                };
                (head(total, &selected.schema), rows)
            }
        };
        let stream = Stream {
            streams: self.clone(),
            report_id: request.report_id,
            audit: request.audit,
            permit,
            batches_rows: request.format.batches_rows(),
            compression: request.compression,
            max_file_bytes: request.max_file_bytes,
            rows,
        };
        Ok((head, stream.start()))
    }

    /// What writes a table, with what tells its readers where it comes from.
    fn encoders(
        &self,
        request: &StreamRequest,
        found: &Found,
        schema: &Schema,
        bookmark: Option<&str>,
        now: Timestamp,
    ) -> Encoders {
        let mut metadata = vec![
            ("optimize-export.report-id", request.report_id.clone()),
            ("optimize-export.table", found.table.id().to_owned()),
            ("optimize-export.schema-id", schema.id()),
            ("optimize-export.now", now.to_string()),
        ];
        if let Some(name) = &found.name {
            metadata.push(("optimize-export.report-name", name.to_string()));
        }
        if let Some(bookmark) = bookmark {
            metadata.push(("optimize-export.bookmark", bookmark.to_owned()));
        }
        let metadata = metadata.into_iter();
        let metadata = metadata.map(|(key, value)| (key.to_owned(), value));
        Encoders {
            format: request.format,
            schema: schema.clone(),
            csv: request.csv,
            metadata: metadata.collect(),
        }
    }

    /// The columns of a report that aggregates.
    async fn result_schema(
        &self,
        asked: Asked<'_>,
        report: &StoredReport,
    ) -> Result<Schema, ExportError> {
        let results = self.evaluate_measures(asked, report).await?;
        Ok(result::schema(results.shape, &results.measures))
    }

    /// Every measure of a report that aggregates.
    async fn evaluate_measures(
        &self,
        asked: Asked<'_>,
        report: &StoredReport,
    ) -> Result<Results, ExportError> {
        let mut results = Results {
            shape: Shape::Number,
            measures: Vec::new(),
            results: Vec::new(),
            shares: Vec::new(),
        };
        match report {
            StoredReport::Process(data) => {
                for measure in result::measures_of_process(data) {
                    let evaluated = (self.aggregated)
                        .process_report(asked, &measure.report)
                        .await?;
                    results.add(measure, evaluated);
                }
            }
            StoredReport::Decision(data) => {
                let evaluated = self.aggregated.decision_report(asked, data).await?;
                results.add(Measure::frequency(()), evaluated);
            }
            StoredReport::Combined => {}
        }
        Ok(results)
    }

    /// What a table's columns are, as far as that depends on the instances.
    async fn find_table_columns(
        &self,
        report: RawReport<'_>,
        table: Table,
        scope: &Scope,
        query: &serde_json::Value,
        columns: Option<&Selection>,
    ) -> Result<RawTable, ExportError> {
        let elasticsearch = &self.raw.elasticsearch;
        // To find them takes an aggregation over all instances.
        let are_fixed = columns.is_some_and(|columns| columns.is_within(&fixed_schema(report)));
        let is_empty = scope.is_known_to_be_empty() || are_fixed;
        Ok(match (report, table) {
            (RawReport::Process(_), Table::Instances) => {
                let find = |indices: Vec<String>| async move {
                    table_columns::of_processes(elasticsearch, &indices, query).await
                };
                let columns = if is_empty {
                    None
                } else {
                    ask_scope(scope, find).await?
                };
                RawTable::ProcessInstances(Arc::new(columns.unwrap_or_default()))
            }
            (RawReport::Decision(_), Table::Instances) => {
                let known = self.raw.clauses_of(scope).await?;
                let known = &*known;
                let find = |indices: Vec<String>| async move {
                    table_columns::of_decisions(elasticsearch, &indices, query, known).await
                };
                let columns = if is_empty {
                    None
                } else {
                    ask_scope(scope, find).await?
                };
                let columns =
                    columns.unwrap_or_else(|| DecisionColumns::new(known, Vec::new(), Vec::new()));
                RawTable::DecisionInstances(Arc::new(columns))
            }
            (_, Table::FlowNodes) => RawTable::FlowNodes,
            (_, Table::Variables) => RawTable::Variables,
            (_, Table::Incidents) => RawTable::Incidents,
            (_, Table::Inputs) => RawTable::Inputs,
            (_, Table::Outputs) => RawTable::Outputs,
            (RawReport::Process(_), Table::Left) => RawTable::LeftProcessInstances,
            (RawReport::Decision(_), Table::Left) => RawTable::LeftDecisionInstances,
            (_, Table::Result) => {
                return Err(ExportError::Internal("raw data has no results".to_owned()));
            }
        })
    }

    /// How long the scroll of a stream stays open between two batches: its slowest reader takes so long for one.
    fn keep_alive_of(&self, batch_bytes: u64) -> u32 {
        let reading = Duration::from_secs(2 * batch_bytes / MIN_BYTES_PER_SECOND);
        let keep_alive = 2 * self.raw.settings.stall_timeout + reading;
        let keep_alive = keep_alive.clamp(MIN_KEEP_ALIVE, MAX_KEEP_ALIVE);
        u32::try_from(keep_alive.as_secs()).unwrap_or(u32::MAX)
    }
}

/// The columns of instances that don't depend on them.
fn fixed_schema(report: RawReport<'_>) -> Schema {
    match report {
        RawReport::Process(_) => RawTable::ProcessInstances(Arc::default()).schema(),
        RawReport::Decision(_) => {
            let columns = DecisionColumns::new(&DecisionClauses::default(), Vec::new(), Vec::new());
            RawTable::DecisionInstances(Arc::new(columns)).schema()
        }
    }
}

/// What a report that aggregates gives.
struct Results {
    shape: Shape,
    measures: Vec<Measure<()>>,
    results: Vec<ReportResult>,
    shares: Vec<Share>,
}

impl Results {
    fn add<R>(&mut self, measure: Measure<R>, evaluated: Evaluated) {
        self.shape = Shape::of(&evaluated.result);
        self.measures.push(Measure {
            name: measure.name,
            is_count: measure.is_count,
            report: (),
        });
        self.results.push(evaluated.result);
        self.shares.push(evaluated.share);
    }
}

impl Stream {
    /// Begins to write rows; the answer can be sent while they arrive.
    fn start(self) -> PageBody {
        let scrolls = self.streams.scrolls.clone();
        let (body_writer, body) = body::channel(self.streams.raw.settings.stall_timeout);
        let works_long = self.batches_rows || self.compression.is_some();
        let write = self.write(body_writer).in_current_span();
        if works_long {
            let handle = Handle::current();
            scrolls.spawn_blocking(move || handle.block_on(write));
        } else {
            // Each part of an answer would wake another thread otherwise: three times the switches between threads.
            scrolls.spawn(write);
        }
        body
    }

    /// Writes the stream, and tells what became of it.
    async fn write(self, body: BodyWriter) {
        let Self {
            streams,
            report_id,
            audit,
            permit,
            batches_rows: _,
            compression,
            max_file_bytes,
            rows,
        } = self;
        let written = async {
            let mut writer = StreamWriter::new(body, compression, max_file_bytes)?;
            let rows = match rows {
                Rows::Raw(stream) => stream.write(&streams, &mut writer).await?,
                Rows::Result {
                    rows,
                    indices,
                    encoders,
                    shares,
                } => {
                    let written = write_result(&rows, &indices, &encoders, &mut writer).await?;
                    drop((rows, shares));
                    written
                }
            };
            let delivery = Delivery {
                permit: Some(permit),
                rows,
                ..Delivery::default()
            };
            Ok((rows, writer.finish(delivery).await?))
        };
        match written.await {
            Ok((rows, bytes)) => audit.delivered(rows, bytes),
            Err(Broken::Write(WriteError::Interrupted(interrupted))) => {
                audit.interrupted(&interrupted.to_string());
            }
            Err(broken) => {
                tracing::error!(report = report_id, error = %broken, "stream broke off");
                audit.broken(broken.kind());
            }
        }
    }
}

/// Writes a result, all but the end of the body.
async fn write_result(
    rows: &ResultRows,
    indices: &[usize],
    encoders: &Encoders,
    writer: &mut StreamWriter,
) -> Result<u64, Broken> {
    let mut encoder = encoders.make();
    encoder.begin(&mut writer.out)?;
    let mut at = 0;
    while at < rows.len() {
        let end = rows.len().min(at + ROWS_AT_ONCE);
        if writer.is_file_full(|| encoder.held()) {
            encoder.end(&mut writer.out)?;
            writer.end_file().await?;
            encoder = encoders.make();
            encoder.begin(&mut writer.out)?;
        }
        rows.for_each(at..end, indices, |row| encoder.row(row, &mut writer.out))?;
        writer.add_rows((end - at) as u64);
        writer.flush_if_large().await?;
        at = end;
    }
    encoder.end(&mut writer.out)?;
    Ok(rows.len() as u64)
}

/// What aggregates has no rows that change by themselves.
fn check_without_rows(options: &TableOptions) -> Result<(), ExportError> {
    match options.since {
        None => Ok(()),
        Some(_) => Err(no_bookmarks()),
    }
}

fn no_bookmarks() -> ExportError {
    ExportError::Bookmark(
        "only raw data can be read by what has changed; this report aggregates, and has a new result as a whole".to_owned(),
    )
}

fn configuration(report: &StoredReport) -> &Configuration {
    static NONE: LazyLock<Configuration> = LazyLock::new(Configuration::default);
    match report {
        StoredReport::Process(data) => &data.configuration,
        StoredReport::Decision(data) => &data.configuration,
        StoredReport::Combined => &NONE,
    }
}
