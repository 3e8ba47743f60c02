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

    fn groups<'a>(
        &self,
        _: &DecisionContext<'_>,
        answer: Bucket<'a>,
    ) -> Result<Vec<(String, Bucket<'a>)>, PlanError> {
        let rules = answer.sub(RULES)?.buckets()?.into_iter();
        rules.map(|rule| Ok((rule.key()?, rule))).collect()
    }
}
