//! The stream of a raw data report: one scroll, from its first hit to its last.

use std::collections::VecDeque;
use std::sync::Arc;

use cluster::ElasticsearchError;
use cluster::scroll::ScrollBatch;
use jiff::Timestamp;
use optimize::access::Restrictions;
use optimize::definitions::DefinitionVersion;
use optimize::raw_data::cursor::ReadError;
use optimize::raw_data::hit::HitError;
use optimize::raw_data::reuse::Reuse;
use optimize::raw_data::shape::Shape;
use optimize::raw_data::variables::VariableNames;
use optimize::scope::Scope;
use optimize::table::rows::{Document, RawTable, RowSettings, TableRows};
use optimize::table::schema::{Schema, Table};
use serde_json::{Value, json};

use super::changes::{Part, Position};
use super::writer::{StreamWriter, WriteError};
use super::{Found, RowOrder, Selected, StreamRequest, Streams, configuration};
use crate::auth::Access;
use crate::catalog::columns::Columns;
use crate::catalog::definitions::Definitions;
use crate::encode::json::LinesEncoder;
use crate::encode::{EncodeError, Encoder, Encoders, TableEncoder};
use crate::export::ExportError;
use crate::export::pages::scroll_id_twice;
use crate::export::query::ask_scope;
use crate::export::raw_report::{PageSettings, RawReport, RawReports};
use crate::export::rows::{self, Instance, NamesAtHand, RowError};
use crate::scroll::batch_size;
use crate::scroll::permits::PATIENCE;
use crate::scroll::reader::{Batch, ScrollError};
use crate::scroll::signer::{ScrollContents, SealedContents};
use crate::scroll::{self, Opened};
use crate::telemetry::{self, ScrollEvent};

/// A stream of raw data whose scroll is open, if it has one.
pub(super) struct RawStream {
    table: RawTable,
    selected: Selected,
    encoding: Encoding,
    time_zone: Option<jiff::tz::TimeZone>,
    /// What the client may see.
    access: Access,
    /// What running durations are measured against, in milliseconds since 1970.
    now: i64,
    bookmark: Option<String>,
    total: u64,
    /// Names of flow nodes, those of the first row among them.
    names: NamesAtHand,
    source: Option<Source>,
}

/// Where the rows of a stream come from: the scroll that is open, and what is read after it.
struct Source {
    opening: Opening,
    scroll: Option<Opened>,
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

/// Why a stream did not become whole.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Read(#[from] ScrollError),
    #[error(transparent)]
    Row(#[from] RowError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Write(#[from] WriteError),
    #[error("the next part can't be read: {0}")]
    Part(Box<ExportError>),
}

impl From<ExportError> for Broken {
    fn from(error: ExportError) -> Self {
        Self::Part(Box::new(error))
    }
}

impl From<HitError> for Broken {
    fn from(error: HitError) -> Self {
        Self::Row(error.into())
    }
}

impl Broken {
    /// The kind of it in few words; the whole text may name addresses and documents.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Read(error) => error.kind(),
            Self::Row(_) => "a stored instance could not be made a row",
            Self::Encode(_) => "a row could not be written",
            Self::Write(_) => "the client did not read",
            Self::Part(error) => error.kind(),
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

impl Streams {
    /// Finds out what is to be read.
    pub(super) async fn reading(
        &self,
        request: &StreamRequest,
        found: &Found,
        report: RawReport<'_>,
        now: Timestamp,
    ) -> Result<Reading, ExportError> {
        let report_id = &request.report_id;
        let access = request.audit.client().access();
        let scope = self.raw.scope_of(report, access).await?;
        let query = self.raw.query_of(report, &scope, now);
        let (position, parts) = match &request.options.since {
            None => {
                let position = self.position_if_possible(report, &scope, access).await;
                let whole = position.as_ref().map_or(Part::WHOLE, Position::whole);
                (position, vec![whole])
            }
            Some(since) => {
                let before = self.read_bookmark(since, report_id, report, &scope, access)?;
                let position = self.needed_position(report, &scope, access).await?;
                let parts = position.parts_since(&before, self.raw.settings.change_overlap);
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
        let elasticsearch = &self.raw.elasticsearch;
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
        let permits = self.scrolls.permits();
        permits
            .take_sample(&request.report_id, self.raw.sample(scope, &reading.query))
            .await;
        let hit_bytes = permits.expected_bytes(&request.report_id, 1);
        let batch = batch_size::of_stream(hit_bytes);
        let keep_alive = self.keep_alive_of(u64::from(batch).saturating_mul(hit_bytes));
        let contents = Arc::new(self.scrolls.signer().seal(ScrollContents {
            report_id: request.report_id.clone(),
            limit: batch,
            batch,
            now: now.as_millisecond(),
            // Nobody else goes on with it.
            access: None,
        }));
        // What has changed comes shard by shard.
        let is_any = request.options.order == RowOrder::Any || request.options.since.is_some();
        let server = self.raw.elasticsearch.server().await?;
        let sort = if is_any && !server.calls_unsorted_batches_terminated() {
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
        let mut scroll = scroll?;
        let made = match table.and_then(make) {
            Ok(stream) => stream.with_names_of_first(&self.raw, &mut scroll).await,
            Err(error) => Err(error),
        };
        let mut stream = match made {
            Ok(stream) => stream,
            Err(error) => {
                if let Some(Opened { reader, lease, .. }) = scroll {
                    lease.end();
                    self.scrolls.clear(reader.scroll_id()).await;
                }
                return Err(error);
            }
        };
        let total = scroll.as_ref().map_or(0, |scroll| scroll.reader.total());
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
    ) -> Result<Option<Opened>, ExportError> {
        let mut contents = Arc::clone(&opening.contents);
        let keep_alive = opening.keep_alive;
        let query = part.query(&opening.query);
        let reservation = self.scrolls.reserve().await.map_err(ExportError::from)?;
        let permits = self.scrolls.permits();
        let (opened, permit) = loop {
            let permit = permits
                .take(&contents.report_id, contents.batch, PATIENCE)
                .await?;
            let search = scroll::search(&contents, &query, &opening.sort);
            let error = match self.open_scroll(opening, part, &search).await {
                Ok(opened) => break (opened, permit),
                Err(error) => error,
            };
            // How many hits are asked for at once is for us to choose, not for the client.
            let smaller = error.result_window().filter(|hits| *hits < contents.batch);
            let Some(hits @ 1..) = smaller else {
                return Err(error.into());
            };
            contents = Arc::new(self.scrolls.signer().seal(ScrollContents {
                limit: hits,
                batch: hits,
                ..ScrollContents::clone(&contents)
            }));
        };
        let Some(hits) = opened else { return Ok(None) };
        telemetry::scrolls(ScrollEvent::Opened, 1);
        let batch = Batch { hits, permit };
        let opened = self.scrolls.begin(contents, keep_alive, None, batch);
        drop(reservation);
        // Whoever has the lease reads from that scroll.
        opened.map(Some).ok_or_else(scroll_id_twice)
    }

    /// Asks for the scroll of one part; `None` where its indices don't exist.
    async fn open_scroll(
        &self,
        opening: &Opening,
        part: &Part,
        search: &Value,
    ) -> Result<Option<ScrollBatch>, ElasticsearchError> {
        let (preference, keep_alive) = (part.preference.as_deref(), opening.keep_alive);
        match &part.indices {
            None => {
                let scope = &opening.scope;
                let hits = self.raw.open_scroll(scope, preference, keep_alive, search);
                hits.await
            }
            Some(indices) => {
                let elasticsearch = &self.raw.elasticsearch;
                let hits = elasticsearch.open_scroll(indices, preference, keep_alive, search);
                hits.await.map(Some)
            }
        }
    }

    /// What the objects of `json` have, if those are asked for; of processes it is found with the columns of the table.
    async fn columns_of_objects(
        &self,
        request: &StreamRequest,
        found: &Found,
        report: RawReport<'_>,
        scope: &Scope,
    ) -> Result<Option<Columns>, ExportError> {
        let are_wanted = request.format.has_objects()
            && request.options.columns.is_none()
            && found.table == Table::Instances;
        if !are_wanted {
            return Ok(None);
        }
        Ok(Some(match report {
            RawReport::Process(_) => Columns::Variables(Arc::default()),
            RawReport::Decision(_) => {
                let columns = Columns::Clauses(self.raw.clauses_of(scope).await?);
                columns.without_left_out(request.audit.client().access().restrictions())
            }
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
        let access = request.audit.client().access();
        let selected = Selected::of(table.schema(), columns, configuration, access)?;
        let encoding = match (objects, &table) {
            (Some(_), RawTable::ProcessInstances(columns)) => {
                let names = columns.variables.names().as_slice().to_vec();
                let columns = Columns::Variables(Arc::new(VariableNames::new(names)));
                Encoding::Objects(columns.without_left_out(access.restrictions()))
            }
            (Some(columns), _) => Encoding::Objects(columns),
            (None, _) => Encoding::Cells {
                encoders: self.encoders(request, found, &selected.schema, bookmark.as_deref(), now),
                lists_are_joined: request.format.joins_lists(),
            },
        };
        Ok(RawStream {
            table,
            selected,
            encoding,
            time_zone: request.time_zone.clone(),
            access: access.clone(),
            now: now.as_millisecond(),
            bookmark,
            total: 0,
            names: NamesAtHand::default(),
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

    /// With the names that its first row shows, if it has a scroll.
    async fn with_names_of_first(
        self,
        raw: &RawReports,
        scroll: &mut Option<Opened>,
    ) -> Result<Self, ExportError> {
        let Some(Opened { reader, .. }) = scroll else {
            return Ok(self);
        };
        let names = match self.encoding {
            Encoding::Objects(ref columns) => raw.names_of_first(columns, reader).await?,
            Encoding::Cells {
                lists_are_joined, ..
            } => {
                let rows = self.table_rows(raw, lists_are_joined);
                let definition = |text: &str, name: &str| {
                    let mut document = rows.empty_document();
                    document.read(text, name, &mut Shape::default())?;
                    Ok(rows.definition(&document))
                };
                NamesAtHand::of_first(&raw.definitions, reader, &definition).await?
            }
        };
        Ok(Self { names, ..self })
    }

    /// What makes cells of hits.
    fn table_rows(&self, raw: &RawReports, lists_are_joined: bool) -> TableRows {
        let settings = &raw.settings;
        let time_zone = self.time_zone.clone();
        let settings = RowSettings {
            now: self.now,
            time_zone: time_zone.or_else(|| settings.time_zone.clone()),
            object_variables: settings.object_variables,
            lists_are_joined,
        };
        TableRows::new(&self.table, settings, &self.selected.indices)
    }

    /// Writes everything but the end of the body; gives back how many rows there were.
    pub async fn write(
        mut self,
        streams: &Streams,
        writer: &mut StreamWriter,
    ) -> Result<u64, Broken> {
        let source = self.source.take();
        match self.encoding {
            Encoding::Objects(columns) => {
                let settings = PageSettings {
                    now: self.now,
                    time_zone: self.time_zone.as_ref(),
                    access: &self.access,
                };
                let rows = (streams.raw).rows(&columns, self.names, settings);
                let shape = Shape::default();
                let mut hits = Objects {
                    rows,
                    shape,
                    room: None,
                };
                read_source(streams, source, &mut hits, writer).await
            }
            Encoding::Cells {
                ref encoders,
                lists_are_joined,
            } => {
                let mut hits = Cells {
                    restrictions: self.access.restrictions(),
                    rows: self.table_rows(&streams.raw, lists_are_joined),
                    encoder: encoders.make(),
                    encoders,
                    definitions: &streams.raw.definitions,
                    names: self.names,
                    shape: Shape::default(),
                    room: None,
                };
                hits.encoder.begin(&mut writer.out)?;
                writer.flush().await?;
                let written = read_source(streams, source, &mut hits, writer).await?;
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
    shape: Shape,
    room: Option<Instance<'static>>,
}

impl Hits for Objects<'_> {
    async fn write(
        &mut self,
        text: &str,
        name: &str,
        out: &mut Vec<u8>,
    ) -> Result<(usize, u64), Broken> {
        let room = self.room.take();
        let mut instance = room.unwrap_or_else(|| self.rows.empty_instance());
        let length = (self.rows).read(&mut instance, text, name, &mut self.shape)?;
        self.rows.prepare(&instance).await?;
        LinesEncoder.row(&self.rows.row(&instance)?, out)?;
        self.room = Some(instance.emptied());
        Ok((length, 1))
    }
}

/// The cells of a table.
struct Cells<'a> {
    restrictions: &'a Restrictions,
    rows: TableRows,
    encoder: Box<TableEncoder>,
    encoders: &'a Encoders,
    definitions: &'a Definitions,
    names: NamesAtHand,
    shape: Shape,
    room: Option<Document<'static>>,
}

impl Hits for Cells<'_> {
    async fn write(
        &mut self,
        text: &str,
        name: &str,
        out: &mut Vec<u8>,
    ) -> Result<(usize, u64), Broken> {
        let room = self.room.take();
        let mut document: Document<'_> = room.unwrap_or_else(|| self.rows.empty_document());
        let length = document.read(text, name, &mut self.shape)?;
        document.leave_out(self.restrictions);
        let is_of = |definition: &DefinitionVersion| self.rows.is_of(&document, definition);
        let definition = || self.rows.definition(&document);
        (self.names)
            .find(self.definitions, is_of, definition)
            .await?;
        let names = self.names.of_previous();
        let mut rows = 0;
        let encoder = &mut self.encoder;
        self.rows.write::<Broken>(&document, names, &mut |row| {
            rows += 1;
            Ok(encoder.row(row, out)?)
        })?;
        self.room = Some(document.emptied());
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
    streams: &Streams,
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
            let scroll_id = scroll.reader.scroll_id().to_owned();
            let read = read_scroll(scroll, hits, writer).await;
            streams.scrolls.clear(&scroll_id).await;
            rows += read?;
        }
        let Some(part) = parts.pop_front() else {
            return Ok(rows);
        };
        scroll = streams.open_part(&opening, &part).await?;
    }
}

/// Reads a scroll from its first hit to its last; gives back how many rows there were.
async fn read_scroll(
    scroll: Opened,
    hits: &mut impl Hits,
    writer: &mut StreamWriter,
) -> Result<u64, Broken> {
    // The scroll ends with the lease, read to its end or not.
    let Opened {
        mut reader, lease, ..
    } = scroll;
    let mut rows = 0;
    let mut is_first_hit = true;
    loop {
        while let Some((text, contents)) = reader.next_hit().await? {
            if writer.is_file_full(|| hits.held()) {
                hits.next_file(writer).await?;
            }
            let (length, rows_of_hit) =
                match hits.write(text, contents.name(), &mut writer.out).await {
                    Ok(written) => written,
                    Err(Broken::Row(RowError::Hit(HitError::Document(ReadError::Incomplete)))) => {
                        reader.wait()?;
                        continue;
                    }
                    Err(error) => return Err(error),
                };
            reader.advance(length)?;
            rows += rows_of_hit;
            writer.add_rows(rows_of_hit);
            // Nobody else could continue this scroll, so it is always safe; tried again where there was no permit.
            reader.ask_early().await;
            if std::mem::take(&mut is_first_hit) {
                // The client sees that it goes on, long before a chunk is full.
                writer.flush().await?;
            }
            writer.flush_if_large().await?;
        }
        if !reader.next_batch().await? {
            return Ok(rows);
        }
        lease.prolong();
    }
}
