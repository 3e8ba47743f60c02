//! The writing of one page: from the hits of its batches to rows that leave while the next ones arrive.

use optimize::raw_data::cursor::ReadError;
use optimize::raw_data::hit::HitError;
use optimize::raw_data::reuse::Reuse;
use optimize::raw_data::shape::Shape;
use tracing::Instrument;

use super::Export;
use super::body::{self, BodyWriter, Delivery, Interrupted};
use super::pages::{PageRequest, Pages};
use super::raw_report::PageSettings;
use super::rows::{NamesAtHand, RowError, Rows};
use crate::catalog::columns::Columns;
use crate::encode::json::{Envelope, PageEncoder};
use crate::encode::{EncodeError, Encoder};
use crate::scroll::lease::ActiveLease;
use crate::scroll::prefetch::{NextPage, Prefetch};
use crate::scroll::reader::{ScrollError, ScrollReader};

/// A page whose first batch is there.
pub(super) struct Page {
    /// Who writes it.
    pub pages: Pages,
    /// Where its hits come from.
    pub reader: ScrollReader,
    /// Whether the next page is prefetched.
    pub next_page: NextPage,
    /// What every row has.
    pub columns: Columns,
    /// Names of flow nodes, those of the first row among them.
    pub names: NamesAtHand,
    /// What the owner of the report should know.
    pub message: Option<String>,
    /// What was asked for.
    pub request: PageRequest,
    /// The right to read from the scroll, under each of its ids.
    pub leases: Vec<ActiveLease>,
}

/// Why a page did not become whole.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error(transparent)]
    Read(#[from] ScrollError),
    #[error(transparent)]
    Row(#[from] RowError),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
}

impl Broken {
    /// The kind of it in few words; the whole text may name addresses and documents.
    const fn kind(&self) -> &'static str {
        match self {
            Self::Read(error) => error.kind(),
            Self::Row(_) => "a stored instance could not be made a row",
            Self::Encode(_) => "a row could not be written",
            Self::Interrupted(_) => "the client did not read",
        }
    }
}

impl Page {
    /// Begins to write rows; the answer can be sent while they arrive.
    pub fn start(self) -> Export {
        let scrolls = self.pages.scrolls.clone();
        let (writer, body) = body::channel(self.pages.raw.settings.stall_timeout);
        scrolls.spawn(self.write(writer).in_current_span());
        Export::Page(body)
    }

    /// Writes the page, and gives its scroll up if it is the last one or did not arrive.
    async fn write(self, mut writer: BodyWriter) {
        let Self {
            pages,
            reader,
            next_page,
            columns,
            names,
            message,
            request,
            leases,
        } = self;
        let PageRequest {
            time_zone,
            audit,
            permit,
        } = request;
        let (scroll_id, contents) = (reader.scroll_id().to_owned(), reader.contents().clone());
        let mut encoder = PageEncoder::new(Envelope {
            search_request_id: Some(&scroll_id),
            message: message.as_deref(),
            total: reader.total(),
            report_id: &contents.report_id,
        });
        let settings = PageSettings {
            now: contents.now,
            time_zone: time_zone.as_ref(),
            access: audit.client().access(),
        };
        let mut rows = (pages.raw).rows(&columns, names, settings);
        // What it has asked Elasticsearch for is given back when it ends, before anybody is waited for.
        let written = write_rows(
            &pages,
            reader,
            next_page,
            &mut rows,
            &mut encoder,
            &mut writer,
        );
        let delivered = match written.await {
            Ok((rows, prefetch)) => {
                let delivery = Delivery {
                    leases,
                    permit: Some(permit),
                    rows,
                    prefetch,
                };
                let bytes = writer.finish(delivery).await;
                bytes.map(|bytes| (rows, bytes)).map_err(Broken::from)
            }
            Err(broken) => {
                leases.into_iter().for_each(ActiveLease::end);
                Err(broken)
            }
        };
        match delivered {
            Ok((rows, bytes)) => {
                audit.delivered(rows, bytes);
                if rows > 0 {
                    return;
                }
            }
            Err(Broken::Interrupted(interrupted)) => audit.interrupted(&interrupted.to_string()),
            Err(broken) => {
                let report = &contents.report_id;
                tracing::error!(report, error = %broken, "page broke off");
                audit.broken(broken.kind());
            }
        }
        pages.scrolls.clear(&scroll_id).await;
    }
}

/// Writes everything up to the last bracket; gives back how many rows there were, and the page that was prefetched meanwhile.
async fn write_rows(
    pages: &Pages,
    mut reader: ScrollReader,
    mut next_page: NextPage,
    rows: &mut Rows<'_>,
    encoder: &mut PageEncoder<'_>,
    writer: &mut BodyWriter,
) -> Result<(u64, Option<Prefetch>), Broken> {
    encoder.begin(&mut writer.out)?;
    let mut prefetch = None;
    let (mut shape, mut room) = (Shape::default(), None);
    loop {
        let mut is_first_of_batch = true;
        while let Some((text, contents)) = reader.next_hit().await? {
            let mut instance = room.take().unwrap_or_else(|| rows.empty_instance());
            let length = match rows.read(&mut instance, text, contents.name(), &mut shape) {
                Ok(length) => length,
                Err(HitError::Document(ReadError::Incomplete)) => {
                    reader.wait()?;
                    continue;
                }
                Err(error) => return Err(RowError::from(error).into()),
            };
            rows.prepare(&instance).await?;
            let row = rows.row(&instance).map_err(RowError::from)?;
            encoder.row(&row, &mut writer.out)?;
            room = Some(instance.emptied());
            reader.advance(length)?;
            if std::mem::take(&mut is_first_of_batch) {
                let has_few_exports = pages.admission.has_few_exports();
                if !reader.goes_on() {
                    let begun = next_page.begin(&reader, has_few_exports);
                    prefetch = begun.await;
                } else if has_few_exports {
                    reader.ask_early().await;
                }
            }
            if encoder.rows() == 1 {
                // The client sees that it goes on, long before a chunk is full.
                writer.flush().await?;
            }
            writer.flush_if_large().await?;
        }
        if prefetch.is_some() {
            reader.end_batch()?;
            break;
        }
        if !reader.next_batch().await? {
            break;
        }
        next_page.scroll_was_prolonged();
    }
    encoder.end(&mut writer.out)?;
    Ok((encoder.rows(), prefetch))
}
