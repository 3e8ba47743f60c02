//! Reports into a lake: files in a folder or a bucket, run by run only what has changed.
//!
//! Read it from [`Sync::report`] down: take the report's lock, read its state, remove what killed runs left, read its tables one
//! after the other, write their manifests, and last of all the state that the next run begins with.
//!
//! What is read is delivered at least once. A run that is killed leaves files without a manifest, which nobody reads, and the
//! state of the run before, from which the next one begins again. All tables of a run begin with one bookmark and end with one,
//! the earliest of theirs: so an instance that has rows in a run of `instances` has all its rows in the same run of the other
//! tables, or in a later one. That is what makes rows that vanished within an instance, such as a variable, visible.

use jiff::Timestamp;
use object_store::UpdateVersion;
use object_store::path::Path;
use optimize::table::schema::{Schema, Table};
use optimize::table::selection::Selection;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::auth::Client;
use crate::encode::Format;
use crate::encode::csv::CsvOptions;
use crate::export::body::Piece;
use crate::export::stream::{ReportTables, RowOrder, StreamHead, StreamRequest, TableOptions};
use crate::export::{Audit, ExportError, Exporter};

#[cfg(feature = "clouds")]
mod clouds;
mod files;
pub mod layout;
mod lock;
pub mod size;
pub mod target;

pub use lock::LockError;
pub use size::FileSize;
pub use target::{Target, TargetError};

use files::Files;
use layout::{FileEntry, Manifest, ReportFolder, RunMode, RunName, State, TableState, VERSION};
use lock::Lock;

/// Signs the bookmarks of a lake where no key is given.
///
/// A signature keeps clients of the service from making up bookmarks. Here the bookmark stands beside the data that it is about:
/// whoever can change it can change the data. So it needs no secret, but it has to outlive the process; with a key that
/// everybody knows the signature is a check against damage, and the way of a bookmark is the same as over HTTP.
pub const OPEN_KEY: &[u8] = b"optimize-export sync";
/// The name that sync has in the log.
const CLIENT: &str = "sync";
/// How often a table is tried in a run.
const TRIES: u32 = 3;

/// What is brought into a lake, and how.
#[derive(Debug, Clone)]
pub struct SyncOptions {
    /// Whether only what has changed is read where that is possible.
    pub mode: SyncMode,
    /// The tables; all that a report has where none is named.
    pub tables: Vec<Table>,
    /// The format of the files.
    pub format: Format,
    /// How large a file may be.
    pub max_file_size: FileSize,
}

/// What a run reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SyncMode {
    /// What has changed since the last run, or everything where that can't be told.
    Changes,
    /// Everything.
    Snapshot,
}

/// Hears how far a run has come.
pub trait SyncProgress: Send {
    /// A table begins.
    fn begin(&mut self, report_id: &str, table: Table, mode: RunMode, instances: Option<u64>);
    /// Bytes have arrived.
    fn arrived(&mut self, bytes: u64);
    /// The table has ended, well or not.
    fn end(&mut self);
    /// Something that people should know.
    fn notice(&mut self, text: &str);
}

/// Why a report did not come into the lake.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// It can't be read.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The rows broke off.
    #[error("table {table} broke off; its reason is in the log")]
    Broken {
        /// The table.
        table: Table,
    },
    /// It has none of the tables.
    #[error("this report has none of the tables asked for; it has {0}")]
    NoTable(String),
    /// Another run writes it.
    #[error(transparent)]
    Locked(LockError),
    /// Another run took the lock.
    #[error(
        "the lock was lost to another run, or could not be renewed; nothing was written that counts"
    )]
    LockLost,
    /// Another run wrote the state.
    #[error(
        "another run wrote the state meanwhile; what this one wrote is in the lake and counts, its bookmark doesn't"
    )]
    StateChanged,
    /// The lake can't be used.
    #[error("the target: {0}")]
    Target(#[from] TargetError),
}

impl From<LockError> for SyncError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Target(error) => Self::Target(error),
            held @ LockError::Held(_) => Self::Locked(held),
        }
    }
}

impl SyncError {
    /// Whether the same command may work later.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Export(error) => matches!(
                error,
                ExportError::Busy { .. } | ExportError::Unavailable(_)
            ),
            Self::Broken { .. } | Self::Locked(_) | Self::LockLost | Self::StateChanged => true,
            Self::NoTable(_) | Self::Target(_) => false,
        }
    }

    /// Whether the report, or what is asked of it, is to blame.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Export(error) => !matches!(
                error,
                ExportError::Busy { .. } | ExportError::Unavailable(_) | ExportError::Internal(_)
            ),
            Self::NoTable(_) => true,
            _ => false,
        }
    }
}

/// What became of a report.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportSummary {
    /// The report.
    pub report_id: String,
    /// Its name.
    pub report_name: Option<String>,
    /// The run; nothing where nothing is written.
    pub run: Option<RunName>,
    /// Its tables.
    pub tables: Vec<TableSummary>,
}

/// What became of a table.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TableSummary {
    /// The table.
    pub table: &'static str,
    /// Whether everything was read or what has changed.
    pub mode: RunMode,
    /// Why everything.
    pub reason: Option<String>,
    /// Instances that were read, or would be; several rows may come of one.
    pub instances: Option<u64>,
    /// Rows that were written.
    pub rows: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Files that were written. Without any there is no run of this table, since nothing has changed.
    pub files: usize,
}

/// Brings reports into a lake.
pub struct Sync {
    exporter: Exporter,
    target: Target,
    options: SyncOptions,
    /// The lock of the report that is written, to be given back whatever happens.
    lock: Mutex<Option<Lock>>,
}

/// What a table is read with.
#[derive(Debug, Clone, Default)]
struct Beginning {
    since: Option<String>,
    /// Why there is none.
    reason: Option<String>,
    /// Whether a file without rows is written too.
    keeps_empty: bool,
}

/// A run that is written.
struct Run<'r> {
    report_id: &'r str,
    found: &'r ReportTables,
    folder: &'r ReportFolder,
    name: RunName,
}

impl Run<'_> {
    fn folder_of(&self, table: Table) -> Path {
        self.folder.run(table, &self.name)
    }
}

/// A table that was read.
struct Read {
    table: Table,
    since: Option<String>,
    reason: Option<String>,
    bookmark: Option<String>,
    instances: Option<u64>,
    schema: Schema,
    files: Vec<FileEntry>,
    started_at: Timestamp,
    finished_at: Timestamp,
}

impl Read {
    fn mode(&self) -> RunMode {
        mode(self.since.as_deref())
    }

    fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    fn summary(&self) -> TableSummary {
        TableSummary {
            table: self.table.id(),
            mode: self.mode(),
            reason: self.reason.clone(),
            instances: self.instances,
            rows: self.rows(),
            bytes: self.bytes(),
            files: self.files.len(),
        }
    }
}

fn mode(since: Option<&str>) -> RunMode {
    if since.is_some() {
        RunMode::Changes
    } else {
        RunMode::Whole
    }
}

impl Sync {
    /// Reads from a cluster and writes into a lake.
    pub fn new(exporter: Exporter, target: Target, options: SyncOptions) -> Self {
        Self {
            exporter,
            target,
            options,
            lock: Mutex::new(None),
        }
    }

    /// Brings a report into the lake.
    ///
    /// # Errors
    /// See [`SyncError`]. What is in the lake already stays as it is.
    pub async fn report(
        &self,
        report_id: &str,
        progress: &mut dyn SyncProgress,
    ) -> Result<ReportSummary, SyncError> {
        let client = Client::named(CLIENT);
        let found = (self.exporter.streams())
            .report_tables(&client, report_id)
            .await?;
        let tables = self.tables_of(&found)?;
        let folder = self.target.report(report_id);
        *self.lock.lock().await = Some(Lock::take(&self.target, &folder.lock()).await?);
        let written = self
            .write(report_id, &found, &tables, &folder, progress)
            .await;
        self.release().await;
        written
    }

    /// What [`Sync::report`] would read, without writing anything.
    ///
    /// # Errors
    /// As [`Sync::report`].
    pub async fn preview(&self, report_id: &str) -> Result<ReportSummary, SyncError> {
        let client = Client::named(CLIENT);
        let found = (self.exporter.streams())
            .report_tables(&client, report_id)
            .await?;
        let tables = self.tables_of(&found)?;
        let (state, _) = self.target.state(&self.target.report(report_id)).await?;
        let mut beginning = self.beginning(&found, &tables, state.as_ref());
        let mut summaries = Vec::new();
        for table in tables {
            let mut begins = begins(table, &beginning, state.as_ref(), &[]);
            let head = loop {
                let Some(asked) = &begins else { break None };
                let request = self.request(report_id, table, asked.since.clone());
                match self.exporter.streams().head(request).await {
                    Ok(head) => break Some(head),
                    Err(ExportError::Bookmark(reason)) if asked.since.is_some() => {
                        beginning = Beginning::because(reason);
                        begins = self::begins(table, &beginning, state.as_ref(), &[]);
                    }
                    Err(error) => return Err(error.into()),
                }
            };
            if let (Some(head), Some(begins)) = (head, begins) {
                summaries.push(TableSummary {
                    table: table.id(),
                    mode: mode(begins.since.as_deref()),
                    reason: begins.reason,
                    instances: head.total,
                    rows: 0,
                    bytes: 0,
                    files: 0,
                });
            }
        }
        Ok(ReportSummary {
            report_id: report_id.to_owned(),
            report_name: found.report_name.as_deref().map(str::to_owned),
            run: None,
            tables: summaries,
        })
    }

    /// Gives back what a run that was cut off holds.
    pub async fn release(&self) {
        let lock = self.lock.lock().await.take();
        if let Some(lock) = lock {
            lock.release().await;
        }
    }

    /// The tables of a report that are wanted, in the order in which they are read: `instances` before all others, so that those
    /// see at least the changes that it saw, and `left` behind them.
    fn tables_of(&self, found: &ReportTables) -> Result<Vec<Table>, SyncError> {
        let all = found.tables.iter().copied();
        let mut tables: Vec<Table> = all
            .filter(|table| self.options.tables.is_empty() || self.options.tables.contains(table))
            .collect();
        if tables.is_empty() {
            let all: Vec<&str> = found.tables.iter().map(|table| table.id()).collect();
            return Err(SyncError::NoTable(all.join(", ")));
        }
        // Without it nobody could tell which rows of `instances` still count.
        if tables.contains(&Table::Instances) {
            tables.push(Table::Left);
        }
        Ok(tables)
    }

    /// What the tables of a run begin with: one bookmark for all, the earliest of theirs.
    fn beginning(
        &self,
        found: &ReportTables,
        tables: &[Table],
        state: Option<&State>,
    ) -> Beginning {
        if found.tables == Table::OF_RESULTS {
            return Beginning::because("the report aggregates".to_owned());
        }
        if self.options.mode == SyncMode::Snapshot {
            return Beginning::because("--mode snapshot".to_owned());
        }
        let Some(state) = state else {
            return Beginning::because("there is no run yet".to_owned());
        };
        let known = tables
            .iter()
            .filter_map(|table| state.tables.get(table.id()));
        let bookmarks: Option<Vec<&str>> = known.map(|table| table.bookmark.as_deref()).collect();
        let Some(bookmarks) = bookmarks.filter(|bookmarks| !bookmarks.is_empty()) else {
            return Beginning::because(
                "the run before has left no bookmark: the report changed while it was read, or the privilege \
                 view_index_metadata is missing"
                    .to_owned(),
            );
        };
        match self
            .exporter
            .streams()
            .earliest_bookmark(bookmarks.iter().copied())
        {
            Some(since) => Beginning::since(since),
            // Whether it is damaged or of another key is told by the export.
            None => match bookmarks.first() {
                Some(first) if bookmarks.iter().all(|bookmark| bookmark == first) => {
                    Beginning::since((*first).to_owned())
                }
                _ => Beginning::because(
                    "the tables' bookmarks are of different reports, or damaged".to_owned(),
                ),
            },
        }
    }

    fn request(&self, report_id: &str, table: Table, since: Option<String>) -> StreamRequest {
        StreamRequest {
            audit: Audit::begin(Client::named(CLIENT), report_id),
            report_id: report_id.to_owned(),
            format: self.options.format,
            options: TableOptions {
                table: Some(table),
                // By name, or ndjson would have the nested objects of `json`, and not the columns of the manifest.
                columns: Some(Selection::parse("*")),
                order: RowOrder::Any,
                since,
            },
            csv: CsvOptions::default(),
            time_zone: None,
            compression: None,
            max_file_bytes: Some(self.options.max_file_size.0),
        }
    }

    /// Reads all tables of a report and writes them; the lock is held.
    async fn write(
        &self,
        report_id: &str,
        found: &ReportTables,
        tables: &[Table],
        folder: &ReportFolder,
        progress: &mut dyn SyncProgress,
    ) -> Result<ReportSummary, SyncError> {
        let (state, version) = self.target.state(folder).await?;
        let runs = self.target.runs(folder).await?;
        self.target.remove_unfinished(folder.path());
        for run in runs.iter().filter(|run| !run.has_manifest) {
            progress.notice(&format!(
                "{report_id}: run {} of {} was never finished, its files are removed",
                run.name,
                run.table.id()
            ));
            self.target
                .remove_all(&folder.run(run.table, &run.name))
                .await?;
        }
        let run = Run {
            report_id,
            found,
            folder,
            name: RunName::after(runs.iter().map(|run| &run.name), Timestamp::now()),
        };
        let mut beginning = self.beginning(found, tables, state.as_ref());
        let mut read: Vec<Read> = Vec::new();
        for table in tables.iter().copied() {
            while let Some(begins) = begins(table, &beginning, state.as_ref(), &read) {
                let since = begins.since.clone();
                match self.read(&run, table, begins, progress).await {
                    Ok(of_table) => {
                        read.push(of_table);
                        break;
                    }
                    // Where this report has no bookmarks, each of its runs has everything, and nothing leaves between two.
                    Err(SyncError::Export(ExportError::Bookmark(_)))
                        if table == Table::Left && beginning.since.is_none() =>
                    {
                        break;
                    }
                    // This one and all that come after it start over.
                    Err(SyncError::Export(ExportError::Bookmark(reason))) if since.is_some() => {
                        progress.notice(&format!(
                            "{report_id}: {} starts over: {reason}",
                            table.id()
                        ));
                        beginning = Beginning::because(reason);
                    }
                    Err(error) => {
                        self.give_up(&run, &read).await;
                        return Err(error);
                    }
                }
            }
        }
        let finished = self.finish(&run, &read, state, version).await;
        if matches!(finished, Err(SyncError::LockLost)) {
            self.give_up(&run, &read).await;
        }
        finished?;
        let is_written = read.iter().any(|table| !table.files.is_empty());
        Ok(ReportSummary {
            report_id: report_id.to_owned(),
            report_name: found.report_name.as_deref().map(str::to_owned),
            run: is_written.then_some(run.name),
            tables: read.iter().map(Read::summary).collect(),
        })
    }

    /// Removes what a run has written that failed.
    async fn give_up(&self, run: &Run<'_>, read: &[Read]) {
        for table in read.iter().filter(|table| !table.files.is_empty()) {
            self.target.give_up(&run.folder_of(table.table)).await;
        }
    }

    /// Writes the manifests and the state.
    async fn finish(
        &self,
        run: &Run<'_>,
        read: &[Read],
        state: Option<State>,
        version: Option<UpdateVersion>,
    ) -> Result<(), SyncError> {
        let after = bookmark_after(&self.exporter, read);
        self.check_lock().await?;
        // `instances` last: until its manifest is there, the rows of the others that are newer count as those of its older rows.
        for table in read.iter().rev().filter(|table| !table.files.is_empty()) {
            let manifest = Manifest {
                version: VERSION,
                report_id: run.report_id,
                report_name: run.found.report_name.as_deref(),
                table: table.table.id(),
                run: &run.name,
                format: self.options.format.id(),
                mode: table.mode(),
                reason: table.reason.as_deref(),
                schema_id: table.schema.id(),
                primary_key: table.schema.primary_key,
                schema: &table.schema.columns,
                bookmark_before: table.since.as_deref(),
                bookmark_after: after.as_deref(),
                started_at: table.started_at,
                finished_at: table.finished_at,
                rows: table.rows(),
                bytes: table.bytes(),
                files: &table.files,
            };
            let path = run.folder_of(table.table).join(layout::MANIFEST);
            let bytes = serde_json::to_vec_pretty(&manifest).map_err(TargetError::from)?;
            self.target.write(&path, bytes).await?;
        }
        let mut state = State {
            version: VERSION,
            report_id: run.report_id.to_owned(),
            written_at: Some(Timestamp::now()),
            tables: state.map(|state| state.tables).unwrap_or_default(),
        };
        for table in read {
            let entry: &mut TableState =
                state.tables.entry(table.table.id().to_owned()).or_default();
            entry.bookmark.clone_from(&after);
            if !table.files.is_empty() {
                entry.last_run = Some(run.name.clone());
                if table.mode() == RunMode::Whole {
                    entry.whole_run = Some(run.name.clone());
                }
            }
        }
        self.check_lock().await?;
        let is_ours = self
            .target
            .write_state(run.folder, &state, version.as_ref())
            .await?;
        if is_ours {
            Ok(())
        } else {
            Err(SyncError::StateChanged)
        }
    }

    async fn check_lock(&self) -> Result<(), SyncError> {
        match &*self.lock.lock().await {
            Some(lock) if lock.is_held() => Ok(()),
            _ => Err(SyncError::LockLost),
        }
    }

    /// Reads a table into files, a few times if it does not come to its end.
    async fn read(
        &self,
        run: &Run<'_>,
        table: Table,
        begins: Beginning,
        progress: &mut dyn SyncProgress,
    ) -> Result<Read, SyncError> {
        let mut tries = 1;
        loop {
            self.check_lock().await?;
            let result = self.try_to_read(run, table, &begins, progress).await;
            progress.end();
            let pause = match &result {
                Err(SyncError::Export(ExportError::Busy { retry_after, .. })) => *retry_after,
                Err(SyncError::Export(ExportError::Unavailable(_)) | SyncError::Broken { .. }) => 1,
                _ => return result,
            };
            if tries == TRIES {
                return result;
            }
            tries += 1;
            if let Err(error) = &result {
                progress.notice(&format!("{}: {error}; trying again", run.report_id));
            }
            tokio::time::sleep(std::time::Duration::from_secs(u64::from(pause))).await;
        }
    }

    async fn try_to_read(
        &self,
        run: &Run<'_>,
        table: Table,
        begins: &Beginning,
        progress: &mut dyn SyncProgress,
    ) -> Result<Read, SyncError> {
        let started_at = Timestamp::now();
        let request = self.request(run.report_id, table, begins.since.clone());
        let (head, mut body) = self.exporter.streams().open(request).await?;
        let StreamHead {
            total,
            schema,
            bookmark,
            ..
        } = head;
        let mode = mode(begins.since.as_deref());
        progress.begin(run.report_id, table, mode, total);
        let extension = self.options.format.file_extension();
        let mut files = Files::new(&self.target, run.folder_of(table), extension);
        let mut is_first = true;
        let written = loop {
            let Some(piece) = body.next_piece().await else {
                break Ok(());
            };
            let written = match piece {
                Ok(Piece::Bytes(bytes)) => {
                    progress.arrived(bytes.len() as u64);
                    files.write(bytes).await
                }
                Ok(Piece::EndOfFile { rows }) => {
                    // A whole table without rows has a file all the same: its readers find columns.
                    let keeps_empty = is_first && begins.keeps_empty;
                    is_first = false;
                    files.end_file(rows, keeps_empty).await
                }
                Err(_) => break Err(SyncError::Broken { table }),
            };
            if let Err(error) = written {
                break Err(error.into());
            }
        };
        if let Err(error) = written {
            drop(body);
            files.give_up().await;
            return Err(error);
        }
        Ok(Read {
            table,
            since: begins.since.clone(),
            reason: begins.reason.clone(),
            bookmark,
            instances: total,
            schema,
            files: files.into_written(),
            started_at,
            finished_at: Timestamp::now(),
        })
    }
}

impl Beginning {
    /// From the beginning on.
    fn because(reason: String) -> Self {
        Self {
            since: None,
            reason: Some(reason),
            keeps_empty: true,
        }
    }

    /// From a bookmark on.
    fn since(bookmark: String) -> Self {
        Self {
            since: Some(bookmark),
            reason: None,
            keeps_empty: false,
        }
    }
}

/// What one table begins with; nothing where it is not read at all.
fn begins(
    table: Table,
    beginning: &Beginning,
    state: Option<&State>,
    read: &[Read],
) -> Option<Beginning> {
    let is_known = || state.is_some_and(|state| state.tables.contains_key(table.id()));
    match (table, &beginning.since) {
        // Since the whole run of `instances` itself: it is short or empty, and gives readers a file from the first run on.
        (Table::Left, None) => {
            let instances = read.iter().find(|read| read.table == Table::Instances)?;
            Some(Beginning {
                keeps_empty: true,
                ..Beginning::since(instances.bookmark.clone()?)
            })
        }
        (_, Some(_)) if table != Table::Left && !is_known() => Some(Beginning::because(
            "there is no run of this table yet".to_owned(),
        )),
        _ => Some(beginning.clone()),
    }
}

/// What the next run begins with: the earliest of the bookmarks of all tables.
fn bookmark_after(exporter: &Exporter, read: &[Read]) -> Option<String> {
    let bookmarks: Option<Vec<&str>> = read.iter().map(|table| table.bookmark.as_deref()).collect();
    exporter.streams().earliest_bookmark(bookmarks?)
}
