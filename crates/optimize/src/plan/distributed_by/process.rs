//! By the report's definitions (crates/optimize/docs/groups.md, "Distributed by process";
//! `ProcessDistributedByProcessInterpreterES`).

use std::collections::HashSet;

use super::{Distribution, Key, Part};
use crate::plan::PlanError;
use crate::plan::aggregations::{
    Aggregations, definition_identifier, named, terms_by_key, terms_or_missing, with,
};
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::plan::statistics::Range;
use crate::plan::view::{View, merged};
use crate::report::definition::{GroupBy, ViewEntity};
use crate::result::Order;
use crate::scope::{
    DefinitionFields, DefinitionKind, DefinitionScope, FLOW_NODE_DEFINITION_FIELDS, Versions,
};

const KEYS: &str = "definitionKeys";
const VERSIONS: &str = "definitionVersions";
const TENANTS: &str = "tenants";

/// Key of the bucket of documents without a tenant, unless a tenant of the report is called so.
const NO_TENANT: &str = "noTenant____";

/// A key for the documents without a tenant that no tenant of the report has: instances of other tenants are not looked at.
fn no_tenant_key(definitions: &[DefinitionScope]) -> String {
    let tenants: HashSet<&str> = definitions
        .iter()
        .flat_map(|definition| definition.tenant_ids.iter().flatten())
        .map(String::as_str)
        .collect();
    let mut key = NO_TENANT.to_owned();
    while tenants.contains(key.as_str()) {
        key.push('_');
    }
    key
}

/// By definition: each group has one part for each definition of the report, whether or not there are documents. What
/// belongs to two of them counts for both.
pub struct ByProcess {
    fields: DefinitionFields,
}

impl ByProcess {
    /// Documents of instances and of flow nodes say in different fields which definition they belong to.
    pub fn of(entity: Option<ViewEntity>) -> Self {
        Self {
            fields: if entity == Some(ViewEntity::ProcessInstance) {
                DefinitionKind::Process.instance_fields()
            } else {
                FLOW_NODE_DEFINITION_FIELDS
            },
        }
    }
}

fn covers_version(definition: &DefinitionScope, version: &str) -> bool {
    match &definition.versions {
        Versions::All => true,
        Versions::Listed(versions) => versions.iter().any(|listed| listed == version),
        Versions::Latest(latest) => latest == version,
        Versions::UnknownLatest => false,
    }
}

fn covers_tenant(definition: &DefinitionScope, tenant: &str, no_tenant: &str) -> bool {
    definition
        .tenant_ids
        .iter()
        .any(|covered| covered.as_deref().unwrap_or(no_tenant) == tenant)
}

/// The buckets below `group` that belong to a definition.
fn buckets_of<'a>(
    definition: &DefinitionScope,
    group: Bucket<'a>,
    no_tenant: &str,
) -> Result<Vec<Bucket<'a>>, PlanError> {
    let chosen = |parent: Bucket<'a>, name: &str, is_chosen: &dyn Fn(&str) -> bool| {
        let mut chosen = Vec::new();
        for bucket in parent.sub(name)?.buckets()? {
            if is_chosen(&bucket.key()?) {
                chosen.push(bucket);
            }
        }
        Ok::<_, PlanError>(chosen)
    };
    let covers_version = |version: &str| covers_version(definition, version);
    let covers_tenant = |tenant: &str| covers_tenant(definition, tenant, no_tenant);
    let mut found = Vec::new();
    for key in chosen(group, KEYS, &|key| key == definition.key)? {
        for version in chosen(key, VERSIONS, &covers_version)? {
            found.extend(chosen(version, TENANTS, &covers_tenant)?);
        }
    }
    Ok(found)
}

fn key_of(definition: &DefinitionScope) -> Key {
    Key {
        key: definition_identifier(definition).to_owned(),
        label: Some(definition.label.clone()),
    }
}

impl Distribution for ByProcess {
    fn aggregations(
        &self,
        context: &PlanContext<'_>,
        _: Range,
        view: Aggregations,
    ) -> Result<Aggregations, PlanError> {
        let limit = context.bucket_limit;
        let tenants = with(
            terms_or_missing(
                self.fields.tenant,
                limit,
                &no_tenant_key(&context.scope.definitions),
            ),
            view,
        );
        let versions = with(
            terms_by_key(self.fields.version, limit),
            named(TENANTS, tenants),
        );
        let keys = with(
            terms_by_key(self.fields.key, limit),
            named(VERSIONS, versions),
        );
        Ok(named(KEYS, keys))
    }

    fn parts(
        &self,
        context: &PlanContext<'_>,
        _: Range,
        group: Bucket<'_>,
        _: &[Key],
        view: &dyn View,
    ) -> Result<Vec<Part>, PlanError> {
        let no_tenant = no_tenant_key(&context.scope.definitions);
        let definitions = context.scope.definitions.iter();
        let parts = definitions.map(|definition| {
            let buckets = buckets_of(definition, group, &no_tenant)?;
            Ok(Part {
                key: key_of(definition),
                measures: if buckets.is_empty() {
                    view.measures_of_nothing()
                } else {
                    merged(view, &buckets)?
                },
            })
        });
        parts.collect()
    }

    fn parts_of_nothing(&self, context: &PlanContext<'_>, _: &[Key], view: &dyn View) -> Vec<Part> {
        let definitions = context.scope.definitions.iter();
        let parts = definitions.map(|definition| Part {
            key: key_of(definition),
            measures: view.measures_of_nothing(),
        });
        parts.collect()
    }

    /// Management reports that group by a date of instances show the names in order.
    fn order(&self, context: &PlanContext<'_>) -> Order {
        let report = context.report;
        let by_instance_date = report.view.entity == Some(ViewEntity::ProcessInstance)
            && matches!(
                report.group_by,
                Some(GroupBy::StartDate(_) | GroupBy::EndDate(_))
            );
        if report.management_report && by_instance_date {
            Order::BY_LABEL
        } else {
            Order::BY_KEY
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_tenant_is_called_like_none(
            tenants in prop::collection::vec(prop::option::of("noTenant_{0,7}|missing|"), 0..5),
        ) {
            let definition = DefinitionScope {
                identifier: None,
                key: "p".to_owned(),
                label: "p".to_owned(),
                versions: Versions::All,
                tenant_ids: tenants.clone(),
            };
            let key = no_tenant_key(std::slice::from_ref(&definition));
            prop_assert!(!tenants.contains(&Some(key.clone())));
            prop_assert_eq!(covers_tenant(&definition, &key, &key), tenants.contains(&None));
        }
    }
}
