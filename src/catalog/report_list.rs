//! Which reports there are.
//!
//! Source: `ReportReaderES` for the reports of a collection.

use cluster::{Elasticsearch, ElasticsearchError, Found};
use optimize::listing::{ListedReport, ReportKind};
use optimize::report::definition::StoredReport;
use optimize::scope::IndexNames;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::auth::Access;

/// Reports per request. Without their diagrams they have some kilobytes each.
const PAGE: usize = 200;
/// Ids per request.
const ID_PAGE: usize = 1_000;
/// The diagram, which is most of a report and says nothing about what it asks for.
const DIAGRAM: &str = "data.configuration.xml";

/// Lists stored reports. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct ReportList {
    elasticsearch: Elasticsearch,
    names: IndexNames,
    assignee_analytics: bool,
}

#[derive(Deserialize)]
struct Hit {
    _id: String,
    _source: Option<Box<RawValue>>,
    #[serde(default)]
    sort: Vec<Value>,
}

impl Hit {
    /// The report, if it can be read.
    fn report(&self) -> Option<StoredReport> {
        StoredReport::parse(self._source.as_ref()?.get()).ok()
    }

    /// Whether somebody may export it. A report that can't be read is nobody's where there are rules.
    fn is_allowed(&self, access: &Access, collection_id: Option<&str>) -> bool {
        !access.has_rules()
            || (self.report()).is_some_and(|report| {
                let checked = access.check_report(&self._id, collection_id, &report);
                checked.is_ok()
            })
    }

    /// One document at a time is read into a tree of values.
    fn source(&self) -> Value {
        let source = self._source.as_ref().map(|source| source.get());
        source
            .and_then(|source| serde_json::from_str(source).ok())
            .unwrap_or_default()
    }
}

impl ReportList {
    /// The reports of an installation; `assignee_analytics` as in
    /// [`ExportSettings`](crate::export::ExportSettings::assignee_analytics).
    pub fn new(elasticsearch: Elasticsearch, names: IndexNames, assignee_analytics: bool) -> Self {
        Self {
            elasticsearch,
            names,
            assignee_analytics,
        }
    }

    /// Hands every stored report to `take`: those on processes, those on decisions, then combined ones, each by id. No more
    /// than a few hundred are held at a time.
    ///
    /// # Errors
    /// Elasticsearch does not answer, or has no such index.
    pub async fn for_each(
        &self,
        mut take: impl FnMut(ListedReport),
    ) -> Result<(), ElasticsearchError> {
        let mut pages = self.pages(Access::everything());
        while let Some(reports) = pages.next().await? {
            reports.into_iter().for_each(&mut take);
        }
        Ok(())
    }

    /// The reports that somebody may export, in the order of [`ReportList::for_each`].
    pub fn pages(&self, access: Access) -> Pages {
        Pages {
            list: self.clone(),
            access,
            kinds: ReportKind::ALL,
            after: Vec::new(),
        }
    }

    /// The ids of the reports in a collection that somebody may export, of all three kinds, by id.
    ///
    /// Like Optimize without management reports and instant preview reports (`ReportReaderES`,
    /// `getReportsForCollection`). Optimize leaves their order to Elasticsearch, and gives a thousand at most.
    ///
    /// # Errors
    /// As [`ReportList::for_each`].
    pub async fn ids_of_collection(
        &self,
        collection_id: &str,
        access: &Access,
    ) -> Result<Vec<String>, ElasticsearchError> {
        // What rules ask for is in the documents.
        let (source, size) = if access.has_rules() {
            (json!({"excludes": [DIAGRAM]}), PAGE)
        } else {
            (json!(false), ID_PAGE)
        };
        let is_allowed = |hit: &Hit| hit.is_allowed(access, Some(collection_id));
        let indices: Vec<String> = ReportKind::ALL
            .iter()
            .map(|kind| self.names.alias(kind.index()))
            .collect();
        let mut ids = Vec::new();
        let mut after = Vec::new();
        loop {
            let body = json!({
                "_source": source,
                "query": {"bool": {
                    "filter": [{"term": {"collectionId": collection_id}}],
                    "must_not": [
                        {"term": {"data.managementReport": true}},
                        {"term": {"data.instantPreviewReport": true}},
                    ],
                }},
            });
            let hits = self.page(&indices, body, size, &after).await?;
            let allowed = hits.iter().filter(|hit| is_allowed(hit));
            ids.extend(allowed.map(|hit| hit._id.clone()));
            match next(hits, size) {
                Some(last) => after = last,
                None => return Ok(ids),
            }
        }
    }

    async fn page(
        &self,
        indices: &[String],
        mut body: Value,
        size: usize,
        after: &[Value],
    ) -> Result<Vec<Hit>, ElasticsearchError> {
        if let Some(body) = body.as_object_mut() {
            body.insert("size".to_owned(), json!(size));
            body.insert("track_total_hits".to_owned(), json!(false));
            // `id` is the document's `_id`, which can't be sorted by. Two indices may hold the same one.
            body.insert("sort".to_owned(), json!([{"id": "asc"}, {"_index": "asc"}]));
            if !after.is_empty() {
                body.insert("search_after".to_owned(), json!(after));
            }
        }
        let answer: Found<Hit> = self.elasticsearch.search(indices, &body).await?;
        Ok(answer.into_hits())
    }
}

/// A list that is read page by page, so that it is never held as a whole.
pub struct Pages {
    list: ReportList,
    access: Access,
    /// Those that are still to be read.
    kinds: &'static [ReportKind],
    /// The last report of the page before.
    after: Vec<Value>,
}

impl Pages {
    /// The next reports, which may be none of those that are there; `None` behind the last ones.
    ///
    /// # Errors
    /// Elasticsearch does not answer, or has no such index.
    pub async fn next(&mut self) -> Result<Option<Vec<ListedReport>>, ElasticsearchError> {
        let Some((kind, others)) = self.kinds.split_first() else {
            return Ok(None);
        };
        let indices = [self.list.names.alias(kind.index())];
        let body = json!({
            "_source": {"excludes": [DIAGRAM]},
            "query": {"match_all": {}},
        });
        let hits = self.list.page(&indices, body, PAGE, &self.after).await?;
        let mut reports = Vec::new();
        for hit in &hits {
            let source = hit.source();
            let report = ListedReport::read(&hit._id, &source, *kind, self.list.assignee_analytics);
            if hit.is_allowed(&self.access, report.collection_id.as_deref()) {
                reports.push(report);
            }
        }
        match next(hits, PAGE) {
            Some(last) => self.after = last,
            None => {
                self.kinds = others;
                self.after.clear();
            }
        }
        Ok(Some(reports))
    }
}

/// Where the next page begins, if there may be one.
fn next(hits: Vec<Hit>, size: usize) -> Option<Vec<Value>> {
    let is_full = hits.len() == size;
    let last = hits.into_iter().next_back().filter(|_| is_full)?.sort;
    // A document without an id comes last, and nothing can be asked for after it.
    (!last.iter().any(Value::is_null)).then_some(last)
}
