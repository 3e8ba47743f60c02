//! By process definition (crates/optimize/docs/groups.md, "Group by process definition";
//! `ProcessGroupByProcessDefinitionKeyInterpreterES`, `AgenticProcessDefinitionKeyGroupByInterpreterES`).

use super::{Group, Grouping};
use crate::plan::PlanError;
use crate::plan::aggregations::{named, terms_by_key, with};
use crate::plan::answer::Bucket;
use crate::plan::distributed_by::Key;
use crate::plan::inner::Inner;
use crate::plan::search::Outermost;
use crate::plan::statistics::Range;
use crate::report::definition::{ProcessReportData, ViewEntity};

const KEYS: &str = "definitionKeys";

/// By the key of the definition, all its versions and tenants together; definitions without instances are not shown.
pub struct ByProcessDefinitionKey {
    /// Whether a definition is called by the name of its newest version, where that has one.
    shows_names: bool,
}

impl ByProcessDefinitionKey {
    /// Reports on business value and those on agents call definitions by name.
    pub fn of(report: &ProcessReportData) -> Self {
        let is_about_agents = report.view.entity == Some(ViewEntity::AgentInstance);
        Self {
            shows_names: report.business_value_report || is_about_agents,
        }
    }
}

impl Grouping for ByProcessDefinitionKey {
    fn needs_definition_names(&self) -> bool {
        self.shows_names
    }

    fn aggregations(&self, _: Range, inner: &Inner<'_>) -> Result<Outermost, PlanError> {
        let limit = inner.context.bucket_limit;
        let keys = terms_by_key("processDefinitionKey", limit);
        Ok(named(KEYS, with(keys, inner.aggregations()?)).into())
    }

    fn groups(&self, answer: Bucket<'_>, inner: &Inner<'_>) -> Result<Vec<Group>, PlanError> {
        let names = &inner.context.models.definition_names;
        let groups = answer.sub(KEYS)?.buckets()?.into_iter();
        let groups = groups.map(|bucket| {
            let key = bucket.key()?;
            let label = names.get(&key).filter(|_| self.shows_names).cloned();
            Ok(Group {
                key: Key { key, label },
                parts: inner.parts(bucket, &[])?,
            })
        });
        groups.collect()
    }
}
