//! From a report to what Elasticsearch is asked, and from its answer to a result.
//!
//! A plan is put together from three parts: a [`view`] measures the documents of a bucket, a [grouping](group_by) makes
//! the buckets, and a [distribution](distributed_by) splits each of them. Every combination that is legal
//! ([`combination`]) is a product of such parts.
//!
//! Everything here is pure. A plan takes two steps, each a search: [`Plan::statistics`], where buckets depend on the
//! smallest and the largest value, then [`Plan::search`]; [`Plan::result`] reads the answer.

use serde_json::{Value, json};

use crate::filter::{self, FilterContext, ImplicitFilter};
use crate::report::definition::{DefinitionError, DistributedBy, GroupBy, ProcessReportData};
use crate::result::{Entry, ReportResult};
use crate::scope::Scope;

pub mod ad_hoc_sub_processes;
pub mod aggregations;
pub mod answer;
pub mod buckets;
pub mod combination;
pub mod context;
pub mod decision;
pub mod distributed_by;
pub mod evaluation;
pub mod group_by;
mod hidden_flow_nodes;
mod identities;
pub mod inner;
mod model_groups;
mod room;
pub mod scripts;
pub mod search;
pub mod statistics;
mod variable_buckets;
pub mod view;

use aggregations::{Aggregations, filter as keep, with};
use answer::{AbsentAggregation, Answer};
use context::PlanContext;
use distributed_by::Distribution;
use evaluation::Evaluation;
use group_by::{Group, Grouping};
use inner::Inner;
pub use room::Room;
use search::Search;
use statistics::Range;
use view::{Measure, View};

/// Why a legal combination can't be planned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A part of the report makes no sense.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The result would have more buckets than Elasticsearch makes.
    #[error("{0}")]
    TooManyBuckets(String),
    /// There is no memory for the search, or for the result; who was asked for it knows why.
    #[error("there is no memory for it")]
    NoMemory,
    /// The answer is not one to the request.
    #[error(transparent)]
    Absent(#[from] AbsentAggregation),
}

/// What kind of result a report has (crates/optimize/docs/plans.md, "Result types").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ResultKind {
    Number,
    Map,
    HyperMap,
}

impl ResultKind {
    fn of(report: &ProcessReportData) -> Self {
        let is_distributed = combination::has_distribution(report)
            && !matches!(report.distributed_by, None | Some(DistributedBy::None));
        match report.group_by {
            _ if is_distributed => Self::HyperMap,
            None | Some(GroupBy::None) => Self::Number,
            Some(_) => Self::Map,
        }
    }
}

/// How a report is evaluated.
pub struct Plan {
    view: Box<dyn View>,
    grouping: Box<dyn Grouping>,
    distribution: Box<dyn Distribution>,
    kind: ResultKind,
}

/// What had to be known before buckets could be made.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Ranges {
    grouping: Range,
    distribution: Range,
}

const OF_GROUPING: &str = "grouping";
const OF_DISTRIBUTION: &str = "distribution";

impl Plan {
    /// The plan of a report whose combination is legal.
    ///
    /// # Errors
    /// A part of the report makes no sense.
    pub fn of(report: &ProcessReportData, filter: &FilterContext) -> Result<Self, PlanError> {
        Ok(Self {
            view: view::of(report, filter)?,
            grouping: group_by::of(report),
            distribution: distributed_by::of(report),
            kind: ResultKind::of(report),
        })
    }

    /// Whether it shows flow nodes or user tasks of the report's definitions.
    pub fn needs_models(&self) -> bool {
        self.grouping.needs_models() || self.distribution.needs_models()
    }

    /// Whether it calls process definitions by their names.
    pub fn needs_definition_names(&self) -> bool {
        self.grouping.needs_definition_names()
    }

    /// Whether it has to know the ad-hoc sub-processes of the report's first definition.
    pub fn needs_ad_hoc_sub_processes(&self) -> bool {
        self.grouping.needs_ad_hoc_sub_processes()
    }

    /// The search for what has to be known before buckets can be made; `None` where nothing has.
    pub fn statistics(&self, context: &PlanContext<'_>) -> Option<Value> {
        let apart = |name: &str, statistics: Option<Aggregations>| {
            let everything = keep(json!({"match_all": {}}));
            statistics.map(|statistics| (name.to_owned(), with(everything, statistics)))
        };
        let aggregations: Aggregations = [
            apart(OF_GROUPING, self.grouping.statistics(context)),
            apart(OF_DISTRIBUTION, self.distribution.statistics(context)),
        ]
        .into_iter()
        .flatten()
        .collect();
        (!aggregations.is_empty()).then(|| {
            json!({
                "size": 0,
                "track_total_hits": true,
                "query": base_query(context),
                "aggs": aggregations,
            })
        })
    }

    /// Reads the answer to [`Plan::statistics`].
    ///
    /// # Errors
    /// It lacks what was asked for.
    pub fn ranges(
        &self,
        context: &PlanContext<'_>,
        statistics: &Answer,
    ) -> Result<Ranges, PlanError> {
        let mut ranges = Ranges::default();
        if !statistics.has_aggregations() {
            return Ok(ranges);
        }
        let root = statistics.root();
        if self.grouping.statistics(context).is_some() {
            ranges.grouping = self.grouping.range(root.sub(OF_GROUPING)?)?;
        }
        if self.distribution.statistics(context).is_some() {
            ranges.distribution = Range::read(root.sub(OF_DISTRIBUTION)?)?;
        }
        Ok(ranges)
    }

    fn inner<'a>(
        &'a self,
        context: &'a PlanContext<'a>,
        ranges: Ranges,
        room: &'a Room<'a>,
    ) -> Inner<'a> {
        Inner {
            context,
            room,
            distribution: &*self.distribution,
            view: &*self.view,
            range: ranges.distribution,
            grouping_range: ranges.grouping,
        }
    }

    /// The search whose answer is the result.
    ///
    /// # Errors
    /// The report asks for impossible buckets, or for more than there is room for.
    pub fn search(
        &self,
        context: &PlanContext<'_>,
        ranges: Ranges,
        room: &Room<'_>,
    ) -> Result<Search, PlanError> {
        let inner = self.inner(context, ranges, room);
        let aggregations = self.grouping.aggregations(ranges.grouping, &inner)?;
        let mut clauses = vec![base_query(context)];
        clauses.extend(self.view.clauses());
        clauses.extend(self.grouping.clauses());
        Ok(Search {
            query: json!({"bool": {"filter": clauses}}),
            aggregations,
        })
    }

    /// The result: of the measures, the first. The ranges are those of the search.
    ///
    /// # Errors
    /// There is no room for it, or the answer lacks what was asked for.
    pub fn result(
        &self,
        context: &PlanContext<'_>,
        ranges: Ranges,
        answer: &Answer,
        room: &Room<'_>,
    ) -> Result<ReportResult, PlanError> {
        let inner = self.inner(context, ranges, room);
        if self.view.kinds().is_empty() {
            return Ok(ReportResult::Number(None));
        }
        let groups = if answer.has_aggregations() {
            self.grouping.groups(answer.root(), &inner)?
        } else {
            self.grouping
                .groups_without_aggregations(answer.root(), &inner)?
        };
        room.check()?;
        Ok(match self.kind {
            ResultKind::Number => ReportResult::Number(number(&groups)),
            ResultKind::Map => {
                let mut entries: Vec<_> = groups.into_iter().filter_map(map_entry).collect();
                self.grouping.order(context).sort_map(&mut entries);
                ReportResult::Map(entries)
            }
            ResultKind::HyperMap => {
                let order = self.distribution.order(context);
                let entry = |group: Group| {
                    let mut parts = group.parts;
                    order.sort_map(&mut parts);
                    Entry::new(group.key.key, group.key.label, parts)
                };
                let mut entries: Vec<_> = groups.into_iter().map(entry).collect();
                self.grouping.order(context).sort_hyper_map(&mut entries);
                ReportResult::HyperMap(entries)
            }
        })
    }

    /// The result where there is no index of instances (crates/optimize/docs/indices.md, "Indices that are missing").
    pub fn result_without_index(&self) -> ReportResult {
        if self.view.kinds().is_empty() {
            return ReportResult::Number(None);
        }
        match self.kind {
            ResultKind::Number => ReportResult::Number(self.view.number_without_index()),
            ResultKind::Map => ReportResult::Map(Vec::new()),
            ResultKind::HyperMap => ReportResult::HyperMap(Vec::new()),
        }
    }
}

/// A plan with what it depends on.
pub struct ProcessEvaluation<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What it depends on.
    pub context: PlanContext<'a>,
}

impl Evaluation for ProcessEvaluation<'_> {
    fn scope(&self) -> &Scope {
        self.context.scope
    }

    fn statistics(&self) -> Option<Value> {
        self.plan.statistics(&self.context)
    }

    fn ranges(&self, statistics: &Answer) -> Result<Ranges, PlanError> {
        self.plan.ranges(&self.context, statistics)
    }

    fn search(&self, ranges: Ranges, room: &Room<'_>) -> Result<Search, PlanError> {
        self.plan.search(&self.context, ranges, room)
    }

    fn result(
        &self,
        ranges: Ranges,
        answer: &Answer,
        room: &Room<'_>,
    ) -> Result<ReportResult, PlanError> {
        self.plan.result(&self.context, ranges, answer, room)
    }

    fn result_without_index(&self) -> ReportResult {
        self.plan.result_without_index()
    }
}

/// The instances of the report that its filters let through.
fn base_query(context: &PlanContext<'_>) -> Value {
    let report = context.report;
    context.scope.query(&filter::narrowing(
        &report.filters,
        &context.scope.definitions,
        ImplicitFilter::of(report),
        context.filter,
    ))
}

fn number(groups: &[Group]) -> Measure {
    groups.first()?.parts.first()?.value
}

fn map_entry(group: Group) -> Option<Entry<Measure>> {
    let value = group.parts.first()?.value;
    Some(Entry::new(group.key.key, group.key.label, value))
}

#[cfg(test)]
mod tests;
