//! By version of the process definition (crates/optimize/docs/groups.md, "Group by version";
//! `ProcessGroupByProcessDefinitionVersionInterpreterES`).

use std::collections::HashMap;

use super::{Group, Grouping};
use crate::plan::PlanError;
use crate::plan::aggregations::{Aggregations, named, terms_by_key};
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::plan::inner::Inner;
use crate::plan::search::Outermost;
use crate::plan::statistics::Range;
use crate::plan::view::percentage::{all_instances, all_instances_in, percent};
use crate::result::Order;

const VERSIONS: &str = "definitionVersions";

/// By version; what several definitions call the same is one group. Only shares of all instances are grouped like this:
/// each is one of the instances of its version.
pub struct ByProcessDefinitionVersion;

fn versions(context: &PlanContext<'_>) -> Aggregations {
    let versions = terms_by_key("processDefinitionVersion", context.bucket_limit);
    named(VERSIONS, versions)
}

/// How many instances each version has.
fn counts(answer: Bucket<'_>) -> Result<Vec<(String, u64)>, PlanError> {
    let versions = answer.sub(VERSIONS)?.buckets()?.into_iter();
    versions
        .map(|version| Ok((version.key()?, version.doc_count()?)))
        .collect()
}

impl Grouping for ByProcessDefinitionVersion {
    fn aggregations(&self, _: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        let context = inner.context;
        let mut aggregations = all_instances(context, versions(context));
        aggregations.extend(versions(context));
        Ok(aggregations.into())
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        let all: HashMap<String, u64> = counts(all_instances_in(answer)?)?.into_iter().collect();
        let groups = counts(answer)?.into_iter().map(|(version, found)| {
            // More versions than buckets: what is left out is nothing to be a share of.
            let all = all.get(&version).copied().unwrap_or(0);
            let mut parts = inner.parts_of_nothing(&[]);
            for part in &mut parts {
                part.value = percent(found, all);
            }
            Group::unlabelled(version, parts)
        });
        Ok(groups.collect())
    }

    fn order(&self, context: &PlanContext<'_>) -> Order {
        Order::BY_NUMERIC_KEY.unless_sorted(context.report.configuration.sorting.as_ref())
    }
}
