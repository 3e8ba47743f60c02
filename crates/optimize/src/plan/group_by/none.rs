//! No grouping: one group of everything (crates/optimize/docs/groups.md, "Group by none").

use super::{Group, Grouping};
use crate::filter::{incident_filter, query::INCIDENTS};
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, filter, nested, within};
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::plan::inner::Inner;
use crate::plan::search::Outermost;
use crate::plan::statistics::Range;

/// Key of the only group (`GROUP_NONE_KEY`).
const ALL: &str = "____none";

/// All instances that were found.
pub struct Ungrouped;

/// All incidents of these instances that the report looks at.
pub struct AllIncidents;

/// The aggregations that lead to the incidents that a report looks at.
pub fn incidents(context: &PlanContext<'_>, inner: Aggregations) -> Aggregations {
    let looked_at = incident_filter(&context.report.filters, &context.scope.definitions);
    within([nested(INCIDENTS), filter(looked_at)], inner)
}

fn only_group(all: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
    let parts = inner.parts(all, &[])?;
    Ok(vec![Group::unlabelled(ALL.to_owned(), parts)])
}

impl Grouping for Ungrouped {
    fn aggregations(&self, _: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        inner.aggregations().map(Outermost::from)
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        only_group(answer, inner)
    }

    /// The number of instances can be told without aggregations; of others there is nothing.
    fn groups_without_aggregations(
        &self,
        answer: Bucket<'_>,
        inner: &Inner<'_>,
    ) -> Result<Vec<Group>, PlanError> {
        if inner.aggregations()?.is_empty() {
            return only_group(answer, inner);
        }
        let parts = inner.parts_of_nothing(&[]);
        Ok(vec![Group::unlabelled(ALL.to_owned(), parts)])
    }
}

impl Grouping for AllIncidents {
    fn aggregations(&self, _: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        Ok(incidents(inner.context, inner.aggregations()?).into())
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        only_group(answer.level(2)?, inner)
    }
}
