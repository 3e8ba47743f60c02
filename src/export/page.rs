//! The writing of one page: from the hits of its steps to rows that leave while the next ones arrive.

use std::sync::Arc;
use std::time::Duration;

use cluster::ElasticsearchError;
use jiff::tz::TimeZone;
use optimize::raw_data::cursor::ReadError;
use optimize::raw_data::document::HitError;
use tracing::Instrument;

use super::ahead::{Ahead, MAX_BYTES_READ, NextStep, Room, StepError};
use super::answer::Envelope;
use super::batches::{Batch, Exhausted};
use super::body::{self, BodyWriter, Delivery, Interrupted};
use super::raw_report::Columns;
use super::row_count::{Miscount, RowCount};
use super::rows::RowError;
use super::scroll::{ScrollLease, SealedContents};
use super::slots::Slot;
use super::{Audit, Export, Exporter};
use crate::flags;

/// A page whose first step has been taken.
pub(super) struct Page {
    /// Who writes it.
    pub exporter: Exporter,
    /// What travels inside the scroll.
    pub contents: Arc<SealedContents>,
    /// How long the scroll stays open for the next page, in seconds.
    pub keep_alive: u32,
    /// The zone that the client wants dates in.
    pub time_zone: Option<TimeZone>,
    /// What the owner of the report should know.
    pub message: Option<String>,
    /// What every row has.
    pub columns: Columns,
    /// The id to go on with.
    pub scroll_id: String,
    /// The step under way.
    pub batch: Batch,
    /// What its rows are compared with.
    pub count: RowCount,
    /// Room for the first step of the next page, if the scroll would be gone too soon without one: the step that this page
    /// begins with was asked for long ago, or with a shorter keep-alive, and nothing else tells Elasticsearch of the new one.
    pub prolong: Option<Room>,
    /// Whether the scroll has had another id before, which its client may still use. What is fetched ahead is found under one.
    pub was_renamed: bool,
    /// The right to read from the scroll.
    pub leases: Vec<ScrollLease>,
    /// Where it is told what becomes of the page.
    pub audit: Audit,
    /// The right to export.
    pub slot: Option<Slot>,
}

/// What is asked for while a step is written.
enum Next {
    /// The next step of this page.
    Step,
    /// The first step of the next page.
    Page(Room),
    /// Nothing.
    Nothing,
}

/// What was asked for.
enum AskedFor {
    Step(NextStep),
    Page(NextStep, Room),
}

/// Longest wait for permits in the middle of a page. Others give theirs back as fast as their clients read.
const PATIENCE_WITHIN_A_PAGE: Duration = Duration::from_secs(60);

/// Why a page did not become whole.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Elasticsearch(#[from] ElasticsearchError),
    #[error(transparent)]
    Row(#[from] RowError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("Elasticsearch changed the scroll id within a page")]
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

impl From<Exhausted> for Broken {
    fn from(_: Exhausted) -> Self {
        Self::NoRoom
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
    const fn kind(&self) -> &'static str {
        match self {
            Self::Elasticsearch(_) => "Elasticsearch did not send the rest",
            Self::Row(_) => "a stored instance could not be made a row",
            Self::Interrupted(_) => "the client did not read",
            Self::IdChanged => "the scroll id changed",
            Self::Miscounted(_) => "rows are missing, or there are some too many",
            Self::NoRoom => "Elasticsearch had no room for the next step",
            Self::Stopped(_) => "the request for the next step stopped",
        }
    }
}

impl Page {
    /// Begins to write rows; the answer can be sent while they arrive.
    pub fn start(self) -> Export {
        let parts = Arc::clone(&self.exporter.0);
        let (writer, body) = body::channel(parts.settings.stall_timeout);
        (parts.tasks).spawn(self.write(writer).in_current_span());
        Export::Page(body)
    }

    /// Writes the page, and gives its scroll up if it is the last one or did not arrive.
    async fn write(mut self, mut writer: BodyWriter) {
        let written = self.write_rows(&mut writer).await;
        let delivered = match written {
            Ok((rows, ahead)) => {
                let delivery = Delivery {
                    leases: std::mem::take(&mut self.leases),
                    slot: self.slot.take(),
                    rows: u64::from(rows),
                    ahead,
                };
                let bytes = writer.finish(delivery).await;
                bytes.map(|bytes| (rows, bytes)).map_err(Broken::from)
            }
            Err(broken) => {
                self.leases.iter().for_each(ScrollLease::end);
                Err(broken)
            }
        };
        match delivered {
            Ok((rows, bytes)) => {
                self.audit.delivered(u64::from(rows), bytes);
                if rows > 0 {
                    return;
                }
            }
            Err(Broken::Interrupted(interrupted)) => {
                self.audit.interrupted(&interrupted.to_string())
            }
            Err(broken) => {
                tracing::error!(report = self.contents.report_id, error = %broken, "page broke off");
                self.audit.broken(broken.kind());
            }
        }
        self.exporter.clear_scroll(&self.scroll_id).await;
    }

    /// Writes everything up to the last bracket; gives back how many rows there were, and what the next page begins with.
    async fn write_rows(
        &mut self,
        writer: &mut BodyWriter,
    ) -> Result<(u32, Option<Ahead>), Broken> {
        let mut prolong = self.prolong.take();
        let envelope = Envelope {
            search_request_id: Some(&self.scroll_id),
            message: self.message.as_deref(),
            total: self.count.total,
            report_id: &self.contents.report_id,
        };
        envelope.write_head(&mut writer.text, None);
        writer.text.raw(",\"data\":[");
        let time_zone = self.time_zone.as_ref();
        let mut rows = (self.exporter).rows(&self.columns, self.contents.now, time_zone);
        let mut rows_written: u32 = 0;
        let mut is_first = true;
        let ahead = loop {
            self.count.check_total(self.batch.step.head.total)?;
            let rows_of_steps_before = rows_written;
            let next = self.next_after(rows_written + self.contents.step, &mut prolong);
            let mut next = Some(next);
            let mut asked_for = None;
            while let Some(text) = self.batch.step.next_hit().await? {
                let (instance, length) = match rows.read(text, self.contents.name()) {
                    Ok(read) => read,
                    Err(HitError::Document(ReadError::Incomplete)) => {
                        self.batch.step.wait()?;
                        continue;
                    }
                    Err(error) => return Err(RowError::from(error).into()),
                };
                (self.count)
                    .check_one_more(rows_of_steps_before, rows_written - rows_of_steps_before)?;
                writer.text.separator(&mut is_first);
                rows.write(&instance, &mut writer.text).await?;
                self.batch.step.advance(length)?;
                rows_written += 1;
                // Not before the first hit: a step without hits is the last one.
                asked_for = asked_for.or_else(|| self.ask_for(next.take()?));
                if rows_written == 1 {
                    // The client sees that it goes on, long before a chunk is full.
                    writer.flush().await?;
                }
                writer.flush_if_large().await?;
            }
            let hits = rows_written - rows_of_steps_before;
            self.count.check_end(rows_of_steps_before, hits)?;
            // What was read is out of Elasticsearch's heap; who waits for permits must not hold any.
            self.batch.permit.give_back();
            let bytes = self.batch.step.bytes();
            (self.exporter.0.batches).learn(&self.contents.report_id, hits, bytes);
            let batch = match asked_for {
                Some(AskedFor::Page(step, room)) => break Some(self.ahead(step, room)),
                Some(AskedFor::Step(step)) => step.taken().await?,
                None if hits == self.contents.step && self.goes_on_after(rows_written) => {
                    self.next_batch().await?
                }
                None => break None,
            };
            // It was asked for with the keep-alive of this page.
            prolong = None;
            if batch.step.head.scroll_id != self.scroll_id {
                return Err(Broken::IdChanged);
            }
            self.batch = batch;
        };
        writer.text.raw("],\"numberOfRecordsInResponse\":");
        writer.text.unsigned(u64::from(rows_written));
        writer.text.raw("}");
        Ok((rows_written, ahead))
    }

    /// Whether there may be more for this page when it has so many rows.
    fn goes_on_after(&self, rows: u32) -> bool {
        rows < self.contents.limit && !self.count.has_all_after(rows)
    }

    /// What to ask for while the step under way is written; `rows` is what the page has after it, if it is a full one.
    fn next_after(&self, rows: u32, prolong: &mut Option<Room>) -> Next {
        let few_exports = self.exporter.has_few_exports();
        if self.goes_on_after(rows) {
            return if few_exports {
                Next::Step
            } else {
                Next::Nothing
            };
        }
        if self.was_renamed {
            return Next::Nothing;
        }
        if let Some(room) = prolong.take() {
            return Next::Page(room);
        }
        // In a page of several steps Elasticsearch has hardly anything to wait for, and its steps are large ones.
        if self.contents.step != self.contents.limit {
            return Next::Nothing;
        }
        // A client that has asked for one further page will ask for the others; one that looked at the first page may be done.
        let goes_on = self.count.before.rows > 0 && !self.count.has_all_after(rows);
        let parts = &self.exporter.0;
        if goes_on && few_exports && !parts.signer.accepts_foreign() {
            let bytes =
                (parts.batches).expected_bytes(&self.contents.report_id, self.contents.step);
            if bytes <= MAX_BYTES_READ as u64
                && let Some(room) = parts.steps_ahead.room()
            {
                return Next::Page(room);
            }
        }
        Next::Nothing
    }

    /// Asks for what comes next, if Elasticsearch has room for it beside the step under way.
    fn ask_for(&self, next: Next) -> Option<AskedFor> {
        let fetch = || {
            let permit =
                (self.exporter.0.batches).try_take(&self.contents.report_id, self.contents.step)?;
            let scroll_id = &self.scroll_id;
            let step = NextStep::fetch(&self.exporter, scroll_id, self.keep_alive, permit);
            Some(step)
        };
        match next {
            Next::Nothing => None,
            Next::Step => fetch().map(AskedFor::Step),
            Next::Page(room) => fetch().map(|step| AskedFor::Page(step, room)),
        }
    }

    /// The next step of this page, asked for when the one before has been read to its end.
    async fn next_batch(&self) -> Result<Batch, Broken> {
        let parts = &self.exporter.0;
        let permit = (parts.batches)
            .take(
                &self.contents.report_id,
                self.contents.step,
                PATIENCE_WITHIN_A_PAGE,
            )
            .await?;
        let step = parts
            .elasticsearch
            .continue_scroll(&self.scroll_id, self.keep_alive);
        Ok(Batch {
            step: step.await?,
            permit,
        })
    }

    fn ahead(&self, step: NextStep, room: Room) -> Ahead {
        Ahead {
            exporter: self.exporter.clone(),
            scroll_id: self.scroll_id.clone(),
            step,
            room,
            span: tracing::Span::current(),
        }
    }
}
