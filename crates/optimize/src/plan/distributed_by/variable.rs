//! By the values of a variable (crates/optimize/docs/groups.md, "Distributed by variable";
//! `ProcessDistributedByVariableInterpreterES`).

use super::{Distribution, Key, Part};
use crate::filter::variables::VariableQueries;
use crate::plan::PlanError;
use crate::plan::aggregations::Aggregations;
use crate::plan::answer::Bucket;
use crate::plan::context::PlanContext;
use crate::plan::statistics::Range;
use crate::plan::variable_buckets::VariableBuckets;
use crate::plan::view::View;
use crate::report::definition::VariableReference;
use crate::result::{MISSING_KEY, Order};

/// By values; each group shows those of all groups.
pub struct ByVariable(pub VariableReference);

impl ByVariable {
    fn buckets<'a>(&'a self, context: &'a PlanContext<'_>) -> VariableBuckets<'a> {
        let configuration = &context.report.configuration;
        let ByVariable(VariableReference {
            name,
            variable_type,
        }) = self;
        VariableBuckets {
            queries: VariableQueries::of_process(name, *variable_type),
            variable_type: *variable_type,
            custom_bucket: &configuration.distribute_by_custom_bucket,
            date_unit: configuration.distribute_by_date_variable_unit,
            leaves_out_smaller: false,
            settings: context.bucket_settings(),
        }
    }

    /// The values of a group with their buckets, and those instances that have none.
    fn values<'a>(
        &self,
        context: &PlanContext<'_>,
        range: Range,
        group: Bucket<'a>,
    ) -> Result<Vec<(String, Bucket<'a>)>, PlanError> {
        let buckets = self.buckets(context);
        if buckets.can_be_made(range)? {
            buckets.read_with_missing_if_any(group)
        } else {
            // Nothing was asked for.
            Ok(Vec::new())
        }
    }
}

impl Distribution for ByVariable {
    fn statistics(&self, context: &PlanContext<'_>) -> Option<Aggregations> {
        self.buckets(context).statistics()
    }

    /// Without values there are no buckets, and groups have no parts.
    fn aggregations(
        &self,
        context: &PlanContext<'_>,
        range: Range,
        view: Aggregations,
    ) -> Result<Aggregations, PlanError> {
        let aggregations = self.buckets(context).aggregations_of_parts(range, view)?;
        Ok(aggregations.unwrap_or_default())
    }

    fn aggregations_over_all_groups(
        &self,
        context: &PlanContext<'_>,
        range: Range,
    ) -> Result<Aggregations, PlanError> {
        let aggregations = self.buckets(context).aggregations_of_keys(range)?;
        Ok(aggregations.unwrap_or_default())
    }

    fn shows_parts_of_all_groups(&self) -> bool {
        true
    }

    /// Buckets of numbers reach from the smallest to the largest one in every group already.
    fn all_parts(
        &self,
        context: &PlanContext<'_>,
        range: Range,
        all: Bucket<'_>,
    ) -> Result<Vec<Key>, PlanError> {
        let buckets = self.buckets(context);
        if !buckets.can_be_made(range)? {
            return Ok(Vec::new());
        }
        let keys = buckets.keys_with_missing_if_any(all)?.into_iter();
        let parts = keys
            .filter(|key| !self.0.variable_type.is_numeric() || key == MISSING_KEY)
            .map(|key| Key { key, label: None });
        Ok(parts.collect())
    }

    fn parts(
        &self,
        context: &PlanContext<'_>,
        range: Range,
        group: Bucket<'_>,
        expected: &[Key],
        view: &dyn View,
    ) -> Result<Vec<Part>, PlanError> {
        let mut parts = Vec::new();
        for (key, bucket) in self.values(context, range, group)? {
            parts.push(Part {
                key: Key { key, label: None },
                measures: view.measures(bucket)?,
            });
        }
        let known: std::collections::HashSet<String> =
            parts.iter().map(|part| part.key.key.clone()).collect();
        let nothing = self.parts_of_nothing(context, expected, view);
        parts.extend(
            nothing
                .into_iter()
                .filter(|part| !known.contains(&part.key.key)),
        );
        Ok(parts)
    }

    fn order(&self, _: &PlanContext<'_>) -> Order {
        if self.0.variable_type.is_numeric() {
            Order::BY_NUMERIC_KEY
        } else {
            Order::BY_KEY
        }
    }
}
