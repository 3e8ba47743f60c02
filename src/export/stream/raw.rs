//! The stream of a raw data report: one scroll, from its first hit to its last.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cluster::ElasticsearchError;
use jiff::Timestamp;
use optimize::definitions::DefinitionVersion;
use optimize::raw_data::cursor::ReadError;
use optimize::raw_data::document::HitError;
use optimize::raw_data::json::JsonText;
use optimize::raw_data::variables::VariableNames;
use optimize::scope::Scope;
use optimize::table::rows::{RawTable, RowSettings, TableRows};
use optimize::table::schema::{Schema, Table};
use serde_json::{Value, json};

use super::changes::{Part, Position};
use super::writer::{StreamWriter, WriteError};
use super::{Found, RowOrder, STEP, Selected, StreamRequest, configuration};
use crate::encode::{EncodeError, Encoder, Encoders, Format};
use crate::export::ahead::{NextStep, StepError};
use crate::export::batches::{Batch, Exhausted};
use crate::export::raw_data::{scroll_id_twice, step_size_of_stream};
use crate::export::raw_report::{Columns, RawReport};
use crate::export::row_count::{Miscount, RowCount, RowsBefore};
use crate::export::rows::{self, NamesAtHand, RowError};
use crate::export::scroll::{ScrollContents, ScrollLease, SealedContents};
use crate::export::{ExportError, Exporter, ask_scope};
use crate::flags;
use crate::telemetry::{self, ScrollEvent};

/// Longest wait for permits in the middle of a stream. Others give theirs back as fast as their clients read.
const PATIENCE_WITHIN_A_STREAM: Duration = Duration::from_secs(60);

/// A stream of raw data whose scroll is open, if it has one.
pub(super) struct RawStream {
    table: RawTable,
    selected: Selected,
    encoding: Encoding,
    time_zone: Option<jiff::tz::TimeZone>,
    /// What running durations are measured against, in milliseconds since 1970.
    now: i64,
    bookmark: Option<String>,
    total: u64,
    source: Option<Source>,
}

/// Where the rows of a stream come from: the scroll that is open, and what is read after it.
struct Source {
    opening: Opening,
    scroll: Option<Scroll>,
    parts: VecDeque<Part>,
}

/// How rows become bytes.
enum Encoding {
    /// The objects of `json`, one a line.
    Objects(Columns),
    /// The cells of a table.
    Cells {
        encoders: Encoders,
        lists_are_joined: bool,
    },
}

/// The scroll of a stream.
struct Scroll {
    contents: Arc<SealedContents>,
    keep_alive: u32,
    scroll_id: String,
    total: u64,
    batch: Batch,
    lease: ScrollLease,
}

/// Why a stream did not become whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Elasticsearch(#[from] ElasticsearchError),
    #[error(transparent)]
    Row(#[from] RowError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the next part can't be read: {0}")]
    Part(Box<ExportError>),
    #[error("Elasticsearch changed the scroll id")]
    IdChanged,
    #[error("rows are missing, or there are some too many: {0}")]
    Miscounted(#[from] Miscount),
    #[error(
        "Elasticsearch had no room for the next step for too long ({})",
        flags::MAX_BATCH_MEMORY
    )]
    NoRoom,
    #[error("the request for the next step stopped: {0}")]
    Stopped(tokio::task::JoinError),
}

impl From<ExportError> for Broken {
    fn from(error: ExportError) -> Self {
        Self::Part(Box::new(error))
    }
}

impl From<Exhausted> for Broken {
    fn from(_: Exhausted) -> Self {
        Self::NoRoom
    }
}

impl From<HitError> for Broken {
    fn from(error: HitError) -> Self {
        Self::Row(error.into())
    }
}

impl From<StepError> for Broken {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Elasticsearch(error) => Self::Elasticsearch(error),
            StepError::Stopped(error) => Self::Stopped(error),
        }
    }
}

impl Broken {
    /// The kind of it in few words; the whole text may name addresses and documents.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Elasticsearch(_) => "Elasticsearch did not send the rest",
            Self::Row(_) => "a stored instance could not be made a row",
            Self::Encode(_) => "a row could not be written",
            Self::Write(_) => "the client did not read",
            Self::Part(error) => error.kind(),
            Self::IdChanged => "the scroll id changed",
            Self::Miscounted(_) => "rows are missing, or there are some too many",
            Self::NoRoom => "Elasticsearch had no room for the next step",
            Self::Stopped(_) => "the request for the next step stopped",
        }
    }
}

/// What is read of a report, and from where.
pub(super) struct Reading {
    /// What the report covers.
    pub scope: Scope,
    /// The query for its instances.
    pub query: Value,
    /// How far it had come before.
    pub bookmark: Option<String>,
    /// The query for what is read: its instances, or those that left.
    wanted: Value,
    /// What is read, one part after the other; nothing where nothing has changed.
    parts: Vec<Part>,
}

/// What every scroll of a stream is opened with.
struct Opening {
    scope: Scope,
    query: Value,
    sort: Value,
    contents: Arc<SealedContents>,
    keep_alive: u32,
}

impl Exporter {
    /// Finds out what is to be read.
    pub(super) async fn reading(
        &self,
        request: &StreamRequest,
        found: &Found,
        report: RawReport<'_>,
        now: Timestamp,
    ) -> Result<Reading, ExportError> {
        let report_id = &request.report_id;
        let scope = self.scope_of(report).await?;
        let query = self.query_of(report, &scope, now);
        let (position, parts) = match &request.options.since {
            None => {
                let position = self.position_if_possible(report, &scope).await;
                let whole = position.as_ref().map_or(Part::WHOLE, Position::whole);
                (position, vec![whole])
            }
            Some(since) => {
                let before = self.read_bookmark(since, report_id, report, &scope)?;
                let position = self.needed_position(report, &scope).await?;
                let parts = position.parts_since(&before, self.0.settings.change_overlap);
                (Some(position), parts)
            }
        };
        let wanted = match found.table {
            Table::Left => self.query_of_left(&scope, &query),
            _ => query.clone(),
        };
        let is_empty = scope.is_known_to_be_empty();
        Ok(Reading {
            bookmark: position.and_then(|position| match request.max_file_bytes {
                None => self.bookmark_of(report_id, &position),
                // It needs no header.
                Some(_) => Some(self.long_bookmark_of(report_id, &position)),
            }),
            parts: if is_empty { Vec::new() } else { parts },
            scope,
            query,
            wanted,
        })
    }

    /// How many instances a reading has.
    pub(super) async fn count_of(&self, reading: &Reading) -> Result<u64, ExportError> {
        let elasticsearch = &self.0.elasticsearch;
        let mut total = 0;
        for part in &reading.parts {
            let query = &part.query(&reading.wanted);
            let preference = part.preference.as_deref();
            let count = |indices: Vec<String>| async move {
                elasticsearch
                    .count_preferring(&indices, preference, query)
                    .await
            };
            total += match &part.indices {
                Some(indices) => count(indices.clone()).await?,
                None => ask_scope(&reading.scope, count).await?.unwrap_or(0),
            };
        }
        Ok(total)
    }

    /// Finds the columns of a table and opens the scroll that its rows come out of.
    pub(super) async fn open_raw_stream(
        &self,
        request: &StreamRequest,
        found: &Found,
        report: RawReport<'_>,
        now: Timestamp,
    ) -> Result<RawStream, ExportError> {
        let reading = self.reading(request, found, report, now).await?;
        let scope = &reading.scope;
        let objects = self
            .columns_of_objects(request, found, report, scope)
            .await?;
        let bookmark = reading.bookmark.clone();
        let has_columns = objects.is_none();
        let make = |table| self.raw_stream(request, found, table, objects, bookmark, now);
        let columns = request.options.columns.as_ref();
        let mut parts = VecDeque::from(reading.parts.clone());
        let Some(first) = parts.pop_front() else {
            if !has_columns && matches!(report, RawReport::Process(_)) {
                // Where there are no rows nobody can tell which variables they would have.
                return make(RawTable::ProcessInstances(Arc::default()));
            }
            let table = self
                .find_table_columns(report, found.table, scope, &reading.query, columns)
                .await?;
            return make(table);
        };
        // Before a scroll is open: what it sees must not be older.
        let total_of_others = if parts.is_empty() {
            None
        } else {
            Some(self.count_of(&reading).await?)
        };
        let sample = self.sample(scope, &reading.query);
        (self.0.batches)
            .take_sample(&request.report_id, sample)
            .await;
        let hit_bytes = self.0.batches.expected_bytes(&request.report_id, 1);
        let step = step_size_of_stream(STEP, self.has_few_exports(), hit_bytes);
        let keep_alive = self.keep_alive_of_stream(u64::from(step).saturating_mul(hit_bytes));
        let contents = Arc::new(self.0.signer.seal(ScrollContents {
            report_id: request.report_id.clone(),
            limit: step,
            step,
            now: now.as_millisecond(),
        }));
        // What has changed comes shard by shard.
        let is_any = request.options.order == RowOrder::Any || request.options.since.is_some();
        let server = self.0.elasticsearch.server().await?;
        let sort = if is_any && !server.calls_unsorted_steps_terminated() {
            json!(["_doc"])
        } else {
            report.sort(contents.now)
        };
        let opening = Opening {
            scope: scope.clone(),
            query: reading.wanted.clone(),
            sort,
            contents,
            keep_alive,
        };
        let (scroll, table) = tokio::join!(
            self.open_part(&opening, &first),
            self.find_table_columns(report, found.table, scope, &reading.query, columns),
        );
        let scroll = scroll?;
        let mut stream = match table.and_then(make) {
            Ok(stream) => stream,
            Err(error) => {
                if let Some(scroll) = scroll {
                    scroll.lease.end();
                    self.clear_scroll(&scroll.scroll_id).await;
                }
                return Err(error);
            }
        };
        let total = scroll.as_ref().map_or(0, |scroll| scroll.total);
        stream.total = total_of_others.unwrap_or(total);
        stream.source = Some(Source {
            opening,
            scroll,
            parts,
        });
        Ok(stream)
    }

    /// Opens the scroll of one part; `None` where its indices don't exist.
    async fn open_part(
        &self,
        opening: &Opening,
        part: &Part,
    ) -> Result<Option<Scroll>, ExportError> {
        let contents = &opening.contents;
        let keep_alive = opening.keep_alive;
        let query = part.query(&opening.query);
        let search = json!({
            "size": contents.step,
            "track_total_hits": true,
            "_source": true,
            "query": {"bool": {"filter": [query, {"match_all": {"_name": contents.name()}}]}},
            "sort": opening.sort,
        });
        let preference = part.preference.as_deref();
        let reservation = self.reserve_scroll().await?;
        let permit = self
            .stream_permit(&contents.report_id, contents.step)
            .await?;
        let opened = match &part.indices {
            None => {
                self.open_scroll(&opening.scope, preference, keep_alive, &search)
                    .await?
            }
            Some(indices) => {
                let elasticsearch = &self.0.elasticsearch;
                let step = elasticsearch.open_scroll(indices, preference, keep_alive, &search);
                Some(step.await?)
            }
        };
        let Some(step) = opened else { return Ok(None) };
        telemetry::scrolls(ScrollEvent::Opened, 1);
        let scroll_id = step.head.scroll_id.clone();
        let Some(lease) = self.0.scrolls.lease(&scroll_id, keep_alive) else {
            // Whoever has the lease reads from that scroll.
            return Err(scroll_id_twice());
        };
        lease.take_step();
        lease.remember(Arc::clone(contents), &scroll_id, &step.head);
        drop(reservation);
        Ok(Some(Scroll {
            contents: Arc::clone(contents),
            keep_alive,
            total: step.head.total,
            scroll_id,
            batch: Batch { step, permit },
            lease,
        }))
    }

    /// What the objects of `json` have, if those are asked for; of processes it is found with the columns of the table.
    async fn columns_of_objects(
        &self,
        request: &StreamRequest,
        found: &Found,
        report: RawReport<'_>,
        scope: &Scope,
    ) -> Result<Option<Columns>, ExportError> {
        let are_wanted = request.format == Format::Ndjson
            && request.options.columns.is_none()
            && found.table == Table::Instances;
        if !are_wanted {
            return Ok(None);
        }
        Ok(Some(match report {
            RawReport::Process(_) => Columns::Variables(Arc::default()),
            RawReport::Decision(_) => Columns::Clauses(self.clauses_of(scope).await?),
        }))
    }

    /// A stream that has no scroll yet.
    fn raw_stream(
        &self,
        request: &StreamRequest,
        found: &Found,
        table: RawTable,
        objects: Option<Columns>,
        bookmark: Option<String>,
        now: Timestamp,
    ) -> Result<RawStream, ExportError> {
        let columns = request.options.columns.as_ref();
        let configuration = configuration(&found.report);
        let selected = Selected::of(table.schema(), columns, configuration)?;
        let encoding = match (objects, &table) {
            (Some(_), RawTable::ProcessInstances(columns)) => {
                let names = columns.variables.names().as_slice().to_vec();
                Encoding::Objects(Columns::Variables(Arc::new(VariableNames::new(names))))
            }
            (Some(columns), _) => Encoding::Objects(columns),
            (None, _) => Encoding::Cells {
                encoders: self.encoders(request, found, &selected.schema, bookmark.as_deref(), now),
                lists_are_joined: request.format == Format::Csv,
            },
        };
        Ok(RawStream {
            table,
            selected,
            encoding,
            time_zone: request.time_zone.clone(),
            now: now.as_millisecond(),
            bookmark,
            total: 0,
            source: None,
        })
    }
}

impl RawStream {
    /// How many instances there are.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// How far the report had come before it was read.
    pub fn bookmark(&self) -> Option<&str> {
        self.bookmark.as_deref()
    }

    /// The columns of the stream.
    pub const fn schema(&self) -> &Schema {
        &self.selected.schema
    }

    /// Writes everything but the end of the body; gives back how many rows there were.
    pub async fn write(
        mut self,
        exporter: &Exporter,
        report_id: &str,
        writer: &mut StreamWriter,
    ) -> Result<u64, Broken> {
        let source = self.source.take();
        let settings = &exporter.0.settings;
        match self.encoding {
            Encoding::Objects(columns) => {
                let time_zone = self.time_zone.as_ref();
                let rows = exporter.rows(&columns, self.now, time_zone);
                let mut hits = Objects { rows };
                read_source(exporter, report_id, source, &mut hits, writer).await
            }
            Encoding::Cells {
                encoders,
                lists_are_joined,
            } => {
                let rows = TableRows::new(
                    &self.table,
                    RowSettings {
                        now: self.now,
                        time_zone: self.time_zone.or_else(|| settings.time_zone.clone()),
                        object_variables: settings.object_variables,
                        lists_are_joined,
                    },
                    &self.selected.indices,
                );
                let mut hits = Cells {
                    rows,
                    encoder: encoders.make(),
                    encoders,
                    names: NamesAtHand::new(&exporter.0.definitions),
                };
                hits.encoder.begin(&mut writer.out)?;
                writer.flush().await?;
                let written = read_source(exporter, report_id, source, &mut hits, writer).await?;
                hits.encoder.end(&mut writer.out)?;
                Ok(written)
            }
        }
    }
}

/// What becomes of the hits of a scroll.
trait Hits {
    /// Writes what the hit that `text` begins with gives; gives back the length of the hit and how many rows it had.
    async fn write(
        &mut self,
        text: &str,
        name: &str,
        out: &mut Vec<u8>,
    ) -> Result<(usize, u64), Broken>;

    /// Ends one file and begins the next.
    async fn next_file(&mut self, writer: &mut StreamWriter) -> Result<(), Broken> {
        Ok(writer.end_file().await?)
    }

    /// Bytes that would still be written if a file ended now.
    fn held(&self) -> usize {
        0
    }
}

/// The objects of `json`, one a line.
struct Objects<'a> {
    rows: rows::Rows<'a>,
}

impl Hits for Objects<'_> {
    async fn write(
        &mut self,
        text: &str,
        name: &str,
        out: &mut Vec<u8>,
    ) -> Result<(usize, u64), Broken> {
        let (instance, length) = self.rows.read(text, name)?;
        // What was written before goes with it: where this fails, nothing more is handed on.
        let mut json = JsonText::from(std::mem::take(out));
        self.rows.write(&instance, &mut json).await?;
        json.raw("\n");
        *out = json.into_bytes();
        Ok((length, 1))
    }
}

/// The cells of a table.
struct Cells<'a> {
    rows: TableRows,
    encoder: Box<dyn Encoder>,
    encoders: Encoders,
    names: NamesAtHand<'a>,
}

impl Hits for Cells<'_> {
    async fn write(
        &mut self,
        text: &str,
        name: &str,
        out: &mut Vec<u8>,
    ) -> Result<(usize, u64), Broken> {
        let (document, length) = self.rows.read(text, name)?;
        let is_of = |definition: &DefinitionVersion| self.rows.is_of(&document, definition);
        let definition = || self.rows.definition(&document);
        let names = self.names.of(is_of, definition).await?;
        let mut rows = 0;
        let encoder = &mut self.encoder;
        self.rows.write::<Broken>(&document, &names, &mut |row| {
            rows += 1;
            Ok(encoder.row(row, out)?)
        })?;
        Ok((length, rows))
    }

    async fn next_file(&mut self, writer: &mut StreamWriter) -> Result<(), Broken> {
        self.encoder.end(&mut writer.out)?;
        writer.end_file().await?;
        self.encoder = self.encoders.make();
        Ok(self.encoder.begin(&mut writer.out)?)
    }

    fn held(&self) -> usize {
        self.encoder.held()
    }
}

/// Reads one scroll after the other, and clears each however that goes; gives back how many rows there were.
async fn read_source(
    exporter: &Exporter,
    report_id: &str,
    source: Option<Source>,
    hits: &mut impl Hits,
    writer: &mut StreamWriter,
) -> Result<u64, Broken> {
    let Some(Source {
        opening,
        mut scroll,
        mut parts,
    }) = source
    else {
        return Ok(0);
    };
    let mut rows = 0;
    loop {
        if let Some(scroll) = scroll {
            let scroll_id = scroll.scroll_id.clone();
            let read = read_scroll(exporter, report_id, scroll, hits, writer).await;
            exporter.clear_scroll(&scroll_id).await;
            rows += read?;
        }
        let Some(part) = parts.pop_front() else {
            return Ok(rows);
        };
        scroll = exporter.open_part(&opening, &part).await?;
    }
}

/// Reads a scroll from its first hit to its last; gives back how many rows there were.
async fn read_scroll(
    exporter: &Exporter,
    report_id: &str,
    scroll: Scroll,
    hits: &mut impl Hits,
    writer: &mut StreamWriter,
) -> Result<u64, Broken> {
    let Scroll {
        contents,
        keep_alive,
        scroll_id,
        total,
        mut batch,
        lease,
    } = scroll;
    let batches = &exporter.0.batches;
    let step = contents.step;
    let mut rows = 0;
    let mut hits_before = 0_u64;
    loop {
        let count = RowCount {
            before: RowsBefore {
                rows: hits_before,
                are_all: true,
            },
            total,
            step,
        };
        count.check_total(batch.step.head.total)?;
        let goes_on = !count.has_all_after(step);
        let mut next = None;
        let mut hits_of_step = 0;
        while let Some(text) = batch.step.next_hit().await? {
            if writer.is_file_full(|| hits.held()) {
                hits.next_file(writer).await?;
            }
            let (length, rows_of_hit) =
                match hits.write(text, contents.name(), &mut writer.out).await {
                    Ok(written) => written,
                    Err(Broken::Row(RowError::Hit(HitError::Document(ReadError::Incomplete)))) => {
                        batch.step.wait()?;
                        continue;
                    }
                    Err(error) => return Err(error),
                };
            count.check_one_more(0, hits_of_step)?;
            batch.step.advance(length)?;
            hits_of_step += 1;
            rows += rows_of_hit;
            writer.add_rows(rows_of_hit);
            if goes_on && next.is_none() {
                // Elasticsearch has done with a step when it sends the first hit of it.
                let permit = batches.try_take(report_id, step);
                next =
                    permit.map(|permit| NextStep::fetch(exporter, &scroll_id, keep_alive, permit));
            }
            if hits_before == 0 && hits_of_step == 1 {
                // The client sees that it goes on, long before a chunk is full.
                writer.flush().await?;
            }
            writer.flush_if_large().await?;
        }
        count.check_end(0, hits_of_step)?;
        // What was read is out of Elasticsearch's heap; who waits for permits must not hold any.
        batch.permit.give_back();
        batches.learn(report_id, hits_of_step, batch.step.bytes());
        hits_before += u64::from(hits_of_step);
        if hits_before >= total {
            lease.end();
            return Ok(rows);
        }
        batch = match next {
            Some(next) => next.taken().await?,
            None => {
                let permit = batches
                    .take(report_id, step, PATIENCE_WITHIN_A_STREAM)
                    .await?;
                let elasticsearch = &exporter.0.elasticsearch;
                let step = elasticsearch
                    .continue_scroll(&scroll_id, keep_alive)
                    .await?;
                Batch { step, permit }
            }
        };
        lease.prolong();
        if batch.step.head.scroll_id != scroll_id {
            return Err(Broken::IdChanged);
        }
    }
}
