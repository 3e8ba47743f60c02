//! By matched rule (crates/optimize/docs/decisions.md, "Group by matched rule"; `DecisionGroupByMatchedRuleInterpreterES`).

use super::{DecisionContext, DecisionGrouping};
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, named, terms};
use crate::plan::answer::Bucket;
use crate::plan::statistics::Range;

const RULES: &str = "matchedRules";

/// By the ids of rules. An instance counts once for each rule that it matched, and nowhere if it matched none.
pub struct ByMatchedRule;

impl DecisionGrouping for ByMatchedRule {
    fn aggregations(
        &self,
        context: &DecisionContext<'_>,
        _: Range,
    ) -> Result<Aggregations, PlanError> {
        Ok(named(RULES, terms("matchedRules", context.bucket_limit)))
    }

    fn groups<'a>(&self, _: &DecisionContext<'_>, answer: Bucket<'a>) -> Vec<(String, Bucket<'a>)> {
        let rules = answer.sub(RULES).map(|rules| rules.buckets());
        let rules = rules.unwrap_or_default().into_iter();
        rules.filter_map(|rule| Some((rule.key()?, rule))).collect()
    }
}
