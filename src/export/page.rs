//! The writing of one page: from the hits of its steps to rows that leave while the next ones arrive.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::ahead::{Ahead, NextStep, Room, StepError};
use super::answer::Envelope;
use super::body::{self, BodyWriter, Delivery, Interrupted};
use super::raw_report::Columns;
use super::rows::RowError;
use super::scroll::{ScrollContents, ScrollLease};
use super::slots::Slot;
use super::{Audit, Export, Exporter};
use crate::elasticsearch::ElasticsearchError;
use crate::elasticsearch::pages::ScrollStep;
use crate::raw_data::cursor::ReadError;

/// A page whose first step has been taken.
pub(super) struct Page {
    /// Who writes it.
    pub exporter: Exporter,
    /// What travels inside the scroll.
    pub contents: Arc<ScrollContents>,
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
    pub step: ScrollStep,
    /// Rows of all pages before this one, if this process knows.
    pub rows_before: Option<u64>,
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
    #[error("the request for the next step stopped: {0}")]
    Stopped(tokio::task::JoinError),
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
            Self::Stopped(_) => "the request for the next step stopped",
        }
    }
}

impl Page {
    /// Begins to write rows; the answer can be sent while they arrive.
    pub fn start(self) -> Export {
        let parts = &self.exporter.0;
        let (writer, body) = body::channel(parts.settings.stall_timeout);
        let under_way = Arc::clone(&parts.under_way);
        tokio::spawn(tracing::Instrument::in_current_span(async move {
            self.write(writer).await;
            drop(under_way);
        }));
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
                    is_last: rows == 0,
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
        self.exporter
            .clear_scroll(&self.scroll_id, self.keep_alive)
            .await;
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
            total: self.step.head.total,
            report_id: &self.contents.report_id,
        };
        envelope.write_head(&mut writer.text, None);
        writer.text.raw(",\"data\":[");
        let time_zone = self.time_zone.as_ref();
        let mut rows = (self.exporter).rows(&self.columns, self.contents.now, time_zone);
        let mut rows_written: u32 = 0;
        let mut is_first = true;
        let ahead = loop {
            let rows_with_this_step = rows_written + self.contents.step;
            let next = self.next_after(rows_with_this_step, &mut prolong);
            let mut asked_for = None;
            while let Some(text) = self.step.next_hit().await? {
                let (instance, length) = match rows.read(text) {
                    Ok(read) => read,
                    Err(ReadError::Incomplete) => {
                        self.step.wait()?;
                        continue;
                    }
                    Err(error) => return Err(RowError::Document(error).into()),
                };
                writer.text.separator(&mut is_first);
                rows.write(&instance, &mut writer.text).await?;
                self.step.advance(length);
                rows_written += 1;
                // Not before the first hit: a step without hits is the last one.
                if asked_for.is_none() && !matches!(next, Next::Nothing) {
                    asked_for = Some(self.fetch_next_step());
                }
                if rows_written == 1 {
                    // The client sees that it goes on, long before a chunk is full.
                    writer.flush().await?;
                }
                writer.flush_if_large().await?;
            }
            let step = match (asked_for, next) {
                (Some(step), Next::Page(room)) => break Some(self.ahead(step, room)),
                (Some(step), _) => step,
                (None, _)
                    if rows_written == rows_with_this_step && self.goes_on_after(rows_written) =>
                {
                    self.fetch_next_step()
                }
                (None, _) => break None,
            };
            let step = step.taken().await?;
            // It was asked for with the keep-alive of this page.
            prolong = None;
            if step.head.scroll_id != self.scroll_id {
                return Err(Broken::IdChanged);
            }
            self.step = step;
        };
        writer.text.raw("],\"numberOfRecordsInResponse\":");
        writer.text.unsigned(u64::from(rows_written));
        writer.text.raw("}");
        Ok((rows_written, ahead))
    }

    /// Whether there may be more for this page when it has so many rows.
    fn goes_on_after(&self, rows: u32) -> bool {
        rows < self.contents.limit && !self.has_all_after(rows)
    }

    /// Whether it is known that nothing is left of the scroll when this page has so many rows.
    fn has_all_after(&self, rows: u32) -> bool {
        self.rows_before
            .is_some_and(|before| before + u64::from(rows) >= self.step.head.total)
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
        let goes_on =
            self.rows_before.is_some_and(|before| before > 0) && !self.has_all_after(rows);
        if goes_on && few_exports && !self.exporter.0.signer.accepts_foreign() {
            return match self.exporter.0.steps_ahead.room() {
                Some(room) => Next::Page(room),
                None => Next::Nothing,
            };
        }
        Next::Nothing
    }

    fn fetch_next_step(&self) -> NextStep {
        NextStep::fetch(&self.exporter, &self.scroll_id, self.keep_alive)
    }

    fn ahead(&self, step: NextStep, room: Room) -> Ahead {
        Ahead {
            exporter: self.exporter.clone(),
            scroll_id: self.scroll_id.clone(),
            keep_alive: self.keep_alive,
            step,
            room,
            span: tracing::Span::current(),
        }
    }
}
