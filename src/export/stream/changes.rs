//! Bookmarks: how far each shard has come, asked for before the rows that it is about.
//!
//! The same copies of the shards answer both, so that a bookmark is never ahead of what a scroll sees: Elasticsearch takes
//! `_shards:n|token` and chooses the copy by the token, also where the choice of shards is left out. OpenSearch 2.19 refuses a
//! token there and takes `_primary`, which Elasticsearch refuses. Elasticsearch 7 refuses both: with one shard an index, as
//! Optimize makes them, a token without a choice of shards does the same, and with more the overlap has to do. All tried.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use cluster::server::Server;
use cluster::{ElasticsearchError, Refusal};
use optimize::filter::over_time;
use optimize::scope::{Narrowing, Scope};
use optimize::table::changes::{self, Answer, Bookmark, ChangedShards, Index, Marks};
use serde_json::{Value, json};

use super::Streams;
use crate::auth::Access;
use crate::export::ExportError;
use crate::export::query::ask_scope;
use crate::export::raw_report::RawReport;
use crate::flags;

/// Longest bookmark that a header holds: servers and proxies give all headers together 8 kB at the least.
const MAX_HEADER_BYTES: usize = 6_000;
/// The moment that stands for now where it is told which rows a report has, whenever that is.
const ANY_TIME: i64 = 0;
/// Bytes of index names in a path. Beyond that a search names the report's own indices, and finds the same.
const MAX_NAMES_BYTES: usize = 3_000;

/// Which copies of the shards are asked.
#[derive(Debug, Clone)]
pub(super) struct Copies {
    token: String,
    choice: Choice,
}

/// How a server lets copies be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    /// By a token, also those of one shard.
    Token,
    /// The primary ones.
    Primary,
    /// By a token, where no shard is chosen.
    TokenOfAll,
}

impl Choice {
    fn of(server: &Server) -> Self {
        if server.takes_tokens_for_shards() {
            Self::Token
        } else if server.is_opensearch() {
            Self::Primary
        } else {
            Self::TokenOfAll
        }
    }
}

impl Copies {
    /// The `preference` for all shards.
    fn of_all(&self) -> String {
        match self.choice {
            Choice::Primary => "_primary".to_owned(),
            Choice::Token | Choice::TokenOfAll => self.token.clone(),
        }
    }

    /// The `preference` for one shard of each index, of which the largest has so many.
    fn of_shard(&self, number: usize, most_shards: usize) -> String {
        match self.choice {
            _ if most_shards <= 1 => self.of_all(),
            Choice::TokenOfAll => format!("_shards:{number}"),
            Choice::Token | Choice::Primary => format!("_shards:{number}|{}", self.of_all()),
        }
    }
}

/// How far all shards had come before anything was read.
pub(super) struct Position {
    indices: Vec<Index>,
    marks: Marks,
    copies: Copies,
    /// Everything stored that decides which rows the report has.
    rows: String,
}

/// What is read of a report: all of it or some of its shards.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Which copies of which shards; the cluster chooses where there is none.
    pub preference: Option<String>,
    /// Indices to search instead of those of the report.
    pub indices: Option<Vec<String>>,
    /// What a document has to match beside the report's own query.
    pub clause: Option<Value>,
}

impl Part {
    /// All of a report.
    pub const WHOLE: Self = Self {
        preference: None,
        indices: None,
        clause: None,
    };

    /// What a document has to match that is to match `query` too.
    pub fn query(&self, query: &Value) -> Value {
        match &self.clause {
            None => query.clone(),
            Some(clause) => json!({"bool": {"filter": [query, clause]}}),
        }
    }
}

impl Position {
    /// All of a report, on the copies that were asked.
    pub fn whole(&self) -> Part {
        Part {
            preference: Some(self.copies.of_all()),
            ..Part::WHOLE
        }
    }

    /// What has changed since a bookmark.
    pub fn parts_since(&self, before: &Bookmark, overlap: u64) -> Vec<Part> {
        let changed = self
            .marks
            .changed_since(&before.marks, &self.indices, overlap);
        let most_shards = changes::most_shards(&self.indices);
        let part = |shards: ChangedShards| {
            let bytes: usize = shards.indices.iter().map(|name| name.len() + 1).sum();
            Part {
                preference: Some(self.copies.of_shard(shards.number, most_shards)),
                indices: (bytes <= MAX_NAMES_BYTES).then_some(shards.indices),
                clause: Some(shards.query),
            }
        };
        changed.into_iter().map(part).collect()
    }
}

impl Streams {
    /// Finds out how far the shards of a report have come; `None` where that can't be told, because this service may not look
    /// at the settings of indices or there is none.
    async fn position_of(
        &self,
        report: RawReport<'_>,
        scope: &Scope,
        access: &Access,
    ) -> Result<Option<Position>, ElasticsearchError> {
        let elasticsearch = &self.raw.elasticsearch;
        let position = |names: Vec<String>| async move {
            let settings = elasticsearch
                .index_settings(&names, changes::SETTINGS_PATH)
                .await?;
            let indices = changes::indices(&settings).ok_or_else(|| {
                ElasticsearchError::Unreadable("settings of indices have no UUID".to_owned())
            })?;
            let copies = Copies {
                token: uuid::Uuid::new_v4().simple().to_string(),
                choice: Choice::of(&elasticsearch.server().await?),
            };
            let mut answers: Vec<Answer> = Vec::new();
            let most_shards = changes::most_shards(&indices);
            for number in 0..most_shards {
                let preference = copies.of_shard(number, most_shards);
                let request = changes::request();
                answers.push(
                    elasticsearch
                        .search_preferring(&names, &preference, &request)
                        .await?,
                );
            }
            let marks = changes::marks(&indices, &answers);
            Ok((indices, marks, copies))
        };
        if scope.is_known_to_be_empty() {
            return Ok(None);
        }
        let found = ask_scope(scope, position).await?;
        Ok(found.map(|(indices, marks, copies)| Position {
            indices,
            marks,
            copies,
            rows: self.decides_rows(report, scope, access),
        }))
    }

    /// The same for somebody who can't do without.
    pub(super) async fn needed_position(
        &self,
        report: RawReport<'_>,
        scope: &Scope,
        access: &Access,
    ) -> Result<Position, ExportError> {
        match self.position_of(report, scope, access).await {
            Ok(Some(position)) => Ok(position),
            Ok(None) => Ok(self.position_of_nothing(report, scope, access)),
            Err(error) if error.refusal() == Some(Refusal::AccessDenied) => {
                tracing::warn!(%error, "a bookmark is asked for and can't be taken");
                Err(ExportError::Bookmark(
                    "this service may not look at the settings of indices, so it can't tell what has changed: its user needs the index \
                     privileges read and view_index_metadata"
                        .to_owned(),
                ))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// That of a report that has no instances, and no index for them.
    fn position_of_nothing(
        &self,
        report: RawReport<'_>,
        scope: &Scope,
        access: &Access,
    ) -> Position {
        Position {
            indices: Vec::new(),
            marks: Marks::default(),
            copies: Copies {
                token: String::new(),
                choice: Choice::TokenOfAll,
            },
            rows: self.decides_rows(report, scope, access),
        }
    }

    /// The same for an export that goes on without a bookmark.
    pub(super) async fn position_if_possible(
        &self,
        report: RawReport<'_>,
        scope: &Scope,
        access: &Access,
    ) -> Option<Position> {
        match self.position_of(report, scope, access).await {
            Ok(None) => Some(self.position_of_nothing(report, scope, access)),
            Ok(position) => position,
            Err(error) if error.refusal() == Some(Refusal::AccessDenied) => {
                tracing::debug!(%error, "there are no bookmarks without the privilege view_index_metadata");
                None
            }
            Err(error) => {
                tracing::warn!(%error, "a bookmark can't be taken");
                None
            }
        }
    }

    /// Everything stored that decides which rows a report has: its definitions, versions and tenants, settled, and its
    /// filters. Its query at some fixed time has all of it. And everything that may be seen of them: whoever sees more columns than
    /// before needs the older rows once more.
    fn decides_rows(&self, report: RawReport<'_>, scope: &Scope, access: &Access) -> String {
        let any_time = jiff::Timestamp::from_millisecond(ANY_TIME).unwrap_or_default();
        let query = self.raw.query_of(report, scope, any_time).to_string();
        match access.fingerprint() {
            None => query,
            Some(fingerprint) => format!("{query}\n{fingerprint}"),
        }
    }

    /// The bookmark of a position, as a client gets it; `None` where it is too long for a header.
    pub(super) fn bookmark_of(&self, report_id: &str, position: &Position) -> Option<String> {
        let bookmark = self.long_bookmark_of(report_id, position);
        (bookmark.len() <= MAX_HEADER_BYTES).then_some(bookmark)
    }

    /// The same, however long it is.
    pub(super) fn long_bookmark_of(&self, report_id: &str, position: &Position) -> String {
        let bookmark = Bookmark {
            report: changes::digest(report_id),
            rows: changes::digest(&position.rows),
            marks: position.marks.clone(),
        };
        self.signed(&bookmark)
    }

    /// A bookmark as a client gets it.
    pub(super) fn signed(&self, bookmark: &Bookmark) -> String {
        let bytes = bookmark.to_bytes();
        let signature = self.scrolls.signer().sign_bookmark(&bytes);
        BASE64_URL_SAFE_NO_PAD.encode([signature.as_slice(), &bytes].concat())
    }

    /// The bookmark that somebody has kept, if it is one of ours.
    pub(super) fn open_bookmark(&self, text: &str) -> Option<Bookmark> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        Bookmark::from_bytes(self.scrolls.signer().open_bookmark(&bytes)?)
    }

    /// Reads the bookmark that a client has kept, if it is one of this report as it is now.
    pub(super) fn read_bookmark(
        &self,
        text: &str,
        report_id: &str,
        report: RawReport<'_>,
        scope: &Scope,
        access: &Access,
    ) -> Result<Bookmark, ExportError> {
        let wrong = |reason: &str| {
            ExportError::Bookmark(format!(
                "since {reason}; start over with a whole export, without since"
            ))
        };
        let Some(bookmark) = self.open_bookmark(text) else {
            if self.scrolls.signer().accepts_foreign() {
                return Err(wrong("is no bookmark of this service, or was altered"));
            }
            return Err(wrong(&format!(
                "is no bookmark of this process, or was altered; bookmarks outlive a restart with {} only",
                flags::SCROLL_KEY_FILE
            )));
        };
        if bookmark.report != changes::digest(report_id) {
            return Err(wrong("is the bookmark of another report"));
        }
        if bookmark.rows != changes::digest(&self.decides_rows(report, scope, access)) {
            return Err(wrong(
                "is older than a change of the report: its definitions, the versions or tenants that it covers, its filters, or what \
                 this client may see of it",
            ));
        }
        let grown = match report {
            RawReport::Process(data) => over_time::of_process_report(&data.filters),
            RawReport::Decision(data) => over_time::of_decision_report(&data.filters),
        };
        match grown {
            None => Ok(bookmark),
            Some(filter) => Err(ExportError::Bookmark(format!(
                "since can't be used with this report: by its filter {filter} an instance that nobody has changed can begin to \
                 match as time passes"
            ))),
        }
    }

    /// The instances of a report's definitions that its filters don't let through.
    pub(super) fn query_of_left(&self, scope: &Scope, query: &Value) -> Value {
        json!({"bool": {"filter": [scope.query(&Narrowing::default())], "must_not": [query]}})
    }
}
