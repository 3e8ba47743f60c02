//! Decision reports that count: evaluations per date, per value of an input or an output, per matched rule, or all of
//! them.
//!
//! What is counted is always decision instances, and there is no distribution, so a plan is a grouping and nothing else.
//! Buckets of dates, numbers and values are those of process reports.
//!
//! Source: crates/optimize/docs/decisions.md, "Evaluation"
//! (`DecisionExecutionPlan`, `DecisionViewInstanceFrequencyInterpreterES`).

use serde_json::{Value, json};

use super::aggregations::Aggregations;
use super::answer::{Answer, Bucket};
use super::evaluation::Evaluation;
use super::search::Search;
use super::statistics::Range;
use super::variable_buckets::BucketSettings;
use super::view::count;
use super::{PlanError, Ranges, Room};
use crate::filter::{self, FilterContext};
use crate::report::definition::{Configuration, DecisionGroupBy, DecisionReportData};
use crate::result::{Entry, Order, ReportResult};
use crate::scope::{Narrowing, Scope};

mod evaluation_date;
mod matched_rule;
mod variable;

/// What a plan depends on.
#[derive(Clone, Copy)]
pub struct DecisionContext<'a> {
    /// The report.
    pub report: &'a DecisionReportData,
    /// Which instances it covers.
    pub scope: &'a Scope,
    /// Now and the zone.
    pub filter: &'a FilterContext,
    /// Buckets per `terms` aggregation; what is beyond is left out silently, as in Optimize.
    pub bucket_limit: u32,
}

impl DecisionContext<'_> {
    fn configuration(&self) -> &Configuration {
        &self.report.configuration
    }

    fn bucket_settings(&self) -> BucketSettings<'_> {
        BucketSettings {
            limit: self.bucket_limit,
            time_zone: &self.filter.time_zone,
        }
    }
}

/// What makes the groups of a result.
trait DecisionGrouping: Send + Sync {
    /// What it has to know before it can make buckets.
    fn statistics(&self, _: &DecisionContext<'_>) -> Option<Aggregations> {
        None
    }

    /// Its aggregations; none where there is nothing to group.
    ///
    /// # Errors
    /// The report asks for impossible buckets.
    fn aggregations(
        &self,
        context: &DecisionContext<'_>,
        range: Range,
    ) -> Result<Aggregations, PlanError>;

    /// The groups of an answer by their keys, in the order that decides between equal ones; each is the bucket of its
    /// decision instances.
    ///
    /// # Errors
    /// The answer lacks what was asked for.
    fn groups<'a>(
        &self,
        context: &DecisionContext<'_>,
        answer: Bucket<'a>,
    ) -> Result<Vec<(String, Bucket<'a>)>, PlanError>;

    /// The order of the groups.
    fn order(&self, context: &DecisionContext<'_>) -> Order {
        Order::BY_KEY.unless_sorted(context.configuration().sorting.as_ref())
    }
}

/// The grouping of a report; `None` where all its instances are counted together.
fn grouping(report: &DecisionReportData) -> Option<Box<dyn DecisionGrouping>> {
    Some(match report.group_by.as_ref()? {
        DecisionGroupBy::None => return None,
        DecisionGroupBy::EvaluationDateTime(unit) => {
            Box::new(evaluation_date::ByEvaluationDate(*unit))
        }
        DecisionGroupBy::InputVariable(input) => Box::new(variable::ByVariable::input(input)),
        DecisionGroupBy::OutputVariable(output) => Box::new(variable::ByVariable::output(output)),
        DecisionGroupBy::MatchedRule => Box::new(matched_rule::ByMatchedRule),
    })
}

/// How a report whose combination is legal is evaluated.
pub struct DecisionPlan<'a> {
    context: DecisionContext<'a>,
    grouping: Option<Box<dyn DecisionGrouping>>,
}

impl<'a> DecisionPlan<'a> {
    /// The plan of a report.
    pub fn new(context: DecisionContext<'a>) -> Self {
        Self {
            context,
            grouping: grouping(context.report),
        }
    }

    fn query(&self) -> Value {
        let DecisionContext {
            report,
            scope,
            filter,
            ..
        } = self.context;
        instance_query(report, scope, filter)
    }
}

impl Evaluation for DecisionPlan<'_> {
    fn scope(&self) -> &Scope {
        self.context.scope
    }

    fn statistics(&self) -> Option<Value> {
        let statistics = self.grouping.as_ref()?.statistics(&self.context)?;
        Some(json!({
            "size": 0,
            "track_total_hits": true,
            "query": self.query(),
            "aggs": statistics,
        }))
    }

    fn ranges(&self, statistics: &Answer) -> Result<Ranges, PlanError> {
        let mut ranges = Ranges::default();
        if statistics.has_aggregations() {
            ranges.grouping = Range::read(statistics.root())?;
        }
        Ok(ranges)
    }

    fn search(&self, ranges: Ranges, _: &Room<'_>) -> Result<Search, PlanError> {
        let aggregations = match &self.grouping {
            Some(grouping) => grouping.aggregations(&self.context, ranges.grouping)?,
            None => Aggregations::new(),
        };
        Ok(Search {
            query: self.query(),
            aggregations: aggregations.into(),
        })
    }

    fn result(
        &self,
        _: Ranges,
        answer: &Answer,
        room: &Room<'_>,
    ) -> Result<ReportResult, PlanError> {
        let all = answer.root();
        let Some(grouping) = &self.grouping else {
            return Ok(ReportResult::Number(Some(count(all.doc_count()?))));
        };
        let groups = if answer.has_aggregations() {
            grouping.groups(&self.context, all)?
        } else {
            Vec::new()
        };
        room.take_groups(groups.iter().map(|(key, _)| key.as_str()));
        room.check()?;
        let mut entries = Vec::with_capacity(groups.len());
        for (key, group) in groups {
            let instances = count(group.doc_count()?);
            entries.push(Entry::new(key, None, Some(instances)));
        }
        grouping.order(&self.context).sort_map(&mut entries);
        Ok(ReportResult::Map(entries))
    }

    /// No instances (crates/optimize/docs/decisions.md, "No instances").
    fn result_without_index(&self) -> ReportResult {
        match self.grouping {
            Some(_) => ReportResult::Map(Vec::new()),
            None => ReportResult::Number(Some(0.0)),
        }
    }
}

/// The query for the decision instances of a report that its filters let through.
pub fn instance_query(report: &DecisionReportData, scope: &Scope, filter: &FilterContext) -> Value {
    scope.query(&Narrowing {
        all: filter::decision_narrowing(&report.filters, filter),
        by_definition: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::report::definition::StoredReport;
    use crate::scope::{DefinitionKind, DefinitionScope, IndexNames, Versions};

    /// Plans a report on all versions of `invoice` with this `groupBy`.
    fn with_plan<T>(group_by: Value, look: impl FnOnce(&DecisionPlan<'_>) -> T) -> T {
        let stored = json!({"reportType": "decision", "data": {
            "view": {"properties": ["frequency"]}, "groupBy": group_by}});
        let StoredReport::Decision(report) = StoredReport::parse(&stored.to_string()).unwrap()
        else {
            panic!("{stored} is no decision report");
        };
        let definition = DefinitionScope {
            identifier: None,
            key: "invoice".to_owned(),
            label: "invoice".to_owned(),
            versions: Versions::All,
            tenant_ids: vec![None],
        };
        let names = IndexNames::new("optimize");
        let scope = Scope::of_definitions(&names, DefinitionKind::Decision, vec![definition]);
        let filter = FilterContext {
            now: "2024-05-15T12:34:56.789Z".parse().unwrap(),
            time_zone: TimeZone::UTC,
            user_task_report: false,
            assignee_analytics: true,
        };
        look(&DecisionPlan::new(DecisionContext {
            report: &report,
            scope: &scope,
            filter: &filter,
            bucket_limit: 7,
        }))
    }

    fn aggregations(group_by: Value) -> Value {
        with_plan(group_by, |plan| {
            let search = plan.search(Ranges::default(), &Room::unlimited()).unwrap();
            let mut text: Value = serde_json::from_str(&search.into_text()).unwrap();
            text["aggs"].take()
        })
    }

    #[test]
    fn an_output_is_told_by_its_clause_and_its_type() {
        let value = json!({"id": "c", "type": "String"});
        let identity = json!([
            {"term": {"outputs.clauseId": {"value": "c"}}}, {"term": {"outputs.type": {"value": "String"}}}]);
        let aggregations = aggregations(json!({"type": "outputVariable", "value": value}));
        let mut with_value = identity.clone();
        with_value
            .as_array_mut()
            .unwrap()
            .push(json!({"exists": {"field": "outputs.value"}}));
        assert_eq!(
            aggregations["level"],
            json!({"nested": {"path": "outputs"}, "aggs": {"level": {
                "filter": {"bool": {"must": with_value}},
                "aggs": {
                    "values": {"terms": {"field": "outputs.value", "size": 7}, "aggs": {"instances": {"reverse_nested": {}}}},
                    "instances": {"reverse_nested": {}}}}}})
        );
        assert_eq!(
            aggregations["missingVariables"]["filter"]["bool"]["must_not"][0]["bool"]["must_not"]
                [0]["nested"]["query"],
            json!({"bool": {"must": identity, "must_not": [{"exists": {"field": "outputs.value"}}]}})
        );
    }

    #[test]
    fn numbers_and_dates_are_asked_for_their_range_first() {
        let input = |variable_type: &str| json!({"type": "inputVariable", "value": {"id": "c", "type": variable_type}});
        let statistics = |group_by: Value| {
            with_plan(group_by, |plan| {
                plan.statistics().map(|mut s| s["aggs"].take())
            })
        };
        // Whatever the type of the clause: its values of another type have no number.
        assert_eq!(
            statistics(input("Long")),
            Some(
                json!({"level": {"nested": {"path": "inputs"}, "aggs": {"level": {
                "filter": {"bool": {"must": [{"term": {"inputs.clauseId": {"value": "c"}}}]}},
                "aggs": {"statistics": {"stats": {"field": "inputs.value.long"}}}}}}})
            )
        );
        assert!(statistics(input("Date")).is_some());
        assert!(
            statistics(json!({"type": "evaluationDateTime", "value": {"unit": "day"}})).is_some()
        );
        assert_eq!(statistics(input("Boolean")), None);
        assert_eq!(statistics(json!({"type": "matchedRule"})), None);
        assert_eq!(statistics(json!({"type": "none"})), None);
    }

    #[test]
    fn whatever_is_asked_for_has_to_be_there() {
        let value = |kind: &str| json!({"id": "c", "type": kind});
        for group_by in [
            json!({"type": "none"}),
            json!({"type": "evaluationDateTime", "value": {"unit": "day"}}),
            json!({"type": "inputVariable", "value": value("String")}),
            json!({"type": "inputVariable", "value": value("Integer")}),
            json!({"type": "outputVariable", "value": value("Date")}),
            json!({"type": "matchedRule"}),
        ] {
            with_plan(group_by, |plan| {
                crate::plan::tests::absent::whatever_is_asked_for_has_to_be_there(plan);
            });
        }
    }

    #[test]
    fn without_a_range_there_is_nothing_to_group() {
        let by_date = json!({"type": "evaluationDateTime", "value": {"unit": "day"}});
        assert_eq!(aggregations(by_date.clone()), json!({}));
        let answer: Answer =
            serde_json::from_value(json!({"hits": {"total": {"value": 5}}})).unwrap();
        with_plan(by_date, |plan| {
            assert_eq!(
                plan.result(Ranges::default(), &answer, &Room::unlimited()),
                Ok(ReportResult::Map(Vec::new()))
            );
            assert_eq!(plan.result_without_index(), ReportResult::Map(Vec::new()));
        });
        with_plan(json!({"type": "none"}), |plan| {
            assert_eq!(
                plan.result(Ranges::default(), &answer, &Room::unlimited()),
                Ok(ReportResult::Number(Some(5.0)))
            );
            assert_eq!(plan.result_without_index(), ReportResult::Number(Some(0.0)));
        });
    }
}
