//! Buckets of the values of a variable, for grouping and for distributing by it.
//!
//! Source: crates/optimize/docs/groups.md, "Group by variable" and "Distributed by variable" (`VariableAggregationServiceES`).

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::PlanError;
use super::aggregations::{Aggregations, named, nested, reverse_nested, terms, with, within};
use super::answer::Bucket;
use super::buckets::dates::{DateBuckets, buckets_by_key};
use super::buckets::numbers::NumberBuckets;
use super::statistics::{Range, statistics_of};
use crate::filter::query::{all_of, exists};
use crate::filter::variables::VariableQueries;
use crate::java::{first_of_each_key, hash_map_order};
use crate::plan::aggregations::filter;
use crate::report::definition::{CustomBucket, DateUnit, VariableType};
use crate::result::MISSING_KEY;

/// The process instances that lack the variable.
const MISSING: &str = "missingVariables";
/// The buckets of values.
const VALUES: &str = "values";
/// The process instances of a bucket: each counts once, however many values of it are in the bucket.
const INSTANCES: &str = "instances";

/// What all buckets of a report have in common.
#[derive(Debug, Clone, Copy)]
pub struct BucketSettings<'a> {
    /// Buckets of texts; what is beyond is left out silently, as in Optimize.
    pub limit: u32,
    /// The zone in which days, weeks and months start.
    pub time_zone: &'a TimeZone,
}

/// A variable whose values make buckets.
pub struct VariableBuckets<'a> {
    /// The variable, with its type.
    pub queries: VariableQueries,
    /// The type of its values.
    pub variable_type: VariableType,
    /// Buckets of numbers.
    pub custom_bucket: &'a CustomBucket,
    /// Buckets of dates.
    pub date_unit: DateUnit,
    /// Whether numbers below the first bucket are left out.
    pub leaves_out_smaller: bool,
    /// What all buckets of the report have in common.
    pub settings: BucketSettings<'a>,
}

impl VariableBuckets<'_> {
    /// Numbers and dates need to be known before they can be divided. The values are told by the name of the variable
    /// alone, as in Optimize: a value of another type has none in the field of this type, or a convertible one.
    pub fn statistics(&self) -> Option<Aggregations> {
        let needs_range =
            self.variable_type.is_numeric() || self.variable_type == VariableType::Date;
        needs_range.then(|| {
            let field = self.queries.value_field(self.variable_type);
            let is_variable = all_of(self.queries.name_clause().cloned().into_iter().collect());
            within(
                [nested(self.queries.path()), filter(is_variable)],
                statistics_of(&json!({"field": field})),
            )
        })
    }

    /// The buckets, each with `inner` for its process instances, and how many instances have a value; `None` where there are no values
    /// that could be divided.
    ///
    /// # Errors
    /// There would be more buckets than Elasticsearch makes.
    pub fn aggregations(
        &self,
        range: Range,
        inner: Aggregations,
    ) -> Result<Option<Aggregations>, PlanError> {
        let with_value = named(INSTANCES, reverse_nested());
        self.around(range, with_value, Some(inner))
    }

    /// The same without how many instances have a value, which parts of a group are not told by.
    ///
    /// # Errors
    /// As [`VariableBuckets::aggregations`].
    pub fn aggregations_of_parts(
        &self,
        range: Range,
        inner: Aggregations,
    ) -> Result<Option<Aggregations>, PlanError> {
        self.around(range, Aggregations::new(), Some(inner))
    }

    /// The buckets alone, where their keys matter and nothing in them; who looks at their process instances goes back to each of them.
    ///
    /// # Errors
    /// As [`VariableBuckets::aggregations`].
    pub fn aggregations_of_keys(&self, range: Range) -> Result<Option<Aggregations>, PlanError> {
        self.around(range, Aggregations::new(), None)
    }

    /// The buckets beside other aggregations of values, each with `of_instances` for its process instances, if it has to go back to them.
    fn around(
        &self,
        range: Range,
        mut beside: Aggregations,
        of_instances: Option<Aggregations>,
    ) -> Result<Option<Aggregations>, PlanError> {
        let queries = &self.queries;
        let field = queries.value_field(self.variable_type);
        let mut is_value = queries.identity().to_vec();
        is_value.push(exists(&queries.text_field()));
        let Some((mut buckets, limit)) = self.buckets(range, &field)? else {
            return Ok(None);
        };
        is_value.extend(limit);
        let mut missing = filter(queries.undefined_or_null());
        if let Some(inner) = of_instances {
            let instances = named(INSTANCES, with(reverse_nested(), inner.clone()));
            buckets = with(buckets, instances);
            missing = with(missing, inner);
        }
        beside.insert(VALUES.to_owned(), buckets);
        let mut aggregations = within([nested(queries.path()), filter(all_of(is_value))], beside);
        aggregations.insert(MISSING.to_owned(), missing);
        Ok(Some(aggregations))
    }

    /// Whether there are values that can be divided: without them nothing is asked for.
    ///
    /// # Errors
    /// As [`VariableBuckets::aggregations`].
    pub fn can_be_made(&self, range: Range) -> Result<bool, PlanError> {
        let field = self.queries.value_field(self.variable_type);
        Ok(self.buckets(range, &field)?.is_some())
    }

    /// The aggregation that makes the buckets, and what limits the values to them.
    fn buckets(
        &self,
        range: Range,
        field: &str,
    ) -> Result<Option<(Value, Option<Value>)>, PlanError> {
        Ok(match self.variable_type {
            VariableType::String | VariableType::Boolean => {
                Some((terms(field, self.settings.limit), None))
            }
            VariableType::Date => {
                let zone = self.settings.time_zone;
                let buckets = DateBuckets::new(self.date_unit, range, zone)?;
                buckets.map(|buckets| (buckets.aggregation(field, zone, None), None))
            }
            VariableType::Object | VariableType::Json => None,
            VariableType::Short
            | VariableType::Integer
            | VariableType::Long
            | VariableType::Double => {
                let buckets = NumberBuckets::new(self.variable_type, self.custom_bucket, range)?;
                buckets.map(|buckets| {
                    let limit = self
                        .leaves_out_smaller
                        .then(|| buckets.limiting_clause(field));
                    (buckets.aggregation(field), limit)
                })
            }
        })
    }

    /// The buckets of an answer with their keys. Of several numbers with the same text only the first has one.
    fn values<'a>(&self, answer: Bucket<'a>) -> Result<Vec<(String, Bucket<'a>)>, PlanError> {
        let values = answer.level(2)?.sub(VALUES)?;
        if self.variable_type == VariableType::Date {
            return Ok(buckets_by_key(values, self.settings.time_zone)?);
        }
        let buckets = values.buckets()?.into_iter();
        let buckets = buckets.map(|bucket| Ok((bucket.key()?, bucket)));
        let buckets = first_of_each_key(buckets.collect::<Result<_, PlanError>>()?);
        Ok(hash_map_order(buckets, |(key, _)| key.as_str()))
    }

    /// The same, each the bucket of its process instances.
    fn read<'a>(&self, answer: Bucket<'a>) -> Result<Vec<(String, Bucket<'a>)>, PlanError> {
        let instances = (self.values(answer)?)
            .into_iter()
            .map(|(key, bucket)| Ok((key, bucket.sub(INSTANCES)?)));
        instances.collect()
    }

    /// The buckets of an answer, and one of the instances that lack the variable.
    ///
    /// Instances that have a value which is in no bucket count as missing too, although the bucket of the missing ones
    /// is then empty; Optimize compares the totals alone. Where a value is spelled like the key of the missing ones, it has
    /// that key.
    ///
    /// # Errors
    /// The answer lacks what was asked for.
    pub fn read_with_missing<'a>(
        &self,
        answer: Bucket<'a>,
    ) -> Result<Vec<(String, Bucket<'a>)>, PlanError> {
        let mut buckets = self.read(answer)?;
        let missing = answer.sub(MISSING)?;
        let with_value = answer.level(2)?.sub(INSTANCES)?;
        if answer.doc_count()? > with_value.doc_count()? {
            buckets.push((MISSING_KEY.to_owned(), missing));
        }
        Ok(first_of_each_key(buckets))
    }

    /// The buckets of an answer with their keys, and one of the instances that lack the variable if there are such.
    ///
    /// # Errors
    /// The answer lacks what was asked for.
    pub fn read_with_missing_if_any<'a>(
        &self,
        answer: Bucket<'a>,
    ) -> Result<Vec<(String, Bucket<'a>)>, PlanError> {
        with_missing_if_any(self.read(answer)?, answer)
    }

    /// The keys of an answer to [`VariableBuckets::aggregations_of_keys`], with that of the missing ones if there are such.
    ///
    /// # Errors
    /// The answer lacks what was asked for.
    pub fn keys_with_missing_if_any(&self, answer: Bucket<'_>) -> Result<Vec<String>, PlanError> {
        let buckets = with_missing_if_any(self.values(answer)?, answer)?;
        Ok(buckets.into_iter().map(|(key, _)| key).collect())
    }
}

/// Adds the bucket of the instances that lack the variable, if there are such.
fn with_missing_if_any<'a>(
    mut buckets: Vec<(String, Bucket<'a>)>,
    answer: Bucket<'a>,
) -> Result<Vec<(String, Bucket<'a>)>, PlanError> {
    let missing = answer.sub(MISSING)?;
    if missing.doc_count()? > 0 {
        buckets.push((MISSING_KEY.to_owned(), missing));
    }
    Ok(first_of_each_key(buckets))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::answer::Answer;

    /// Keys that stand for something else somewhere.
    const SPECIAL: [&str; 6] = [
        MISSING_KEY,
        "",
        "null",
        "____none",
        "noTenant____",
        "unassignedUserTasks___",
    ];

    proptest! {
        #[test]
        fn any_two_keys_are_a_set(
            first in prop::sample::select(SPECIAL.to_vec()), second in prop::sample::select(SPECIAL.to_vec()),
            missing in 0..3_u64,
        ) {
            let zone = TimeZone::UTC;
            let buckets = VariableBuckets {
                queries: VariableQueries::of_process("v", VariableType::String),
                variable_type: VariableType::String,
                custom_bucket: &CustomBucket::default(),
                date_unit: DateUnit::Automatic,
                leaves_out_smaller: false,
                settings: BucketSettings { limit: 1000, time_zone: &zone },
            };
            let bucket = |key: &str, count: u64| json!({"key": key, "doc_count": count, INSTANCES: {"doc_count": count}});
            let answer: Answer = serde_json::from_value(json!({
                "hits": {"total": {"value": 15 + missing}},
                "aggregations": {
                    MISSING: {"doc_count": missing},
                    "level": {"doc_count": 15, "level": {"doc_count": 15,
                        INSTANCES: {"doc_count": 15},
                        VALUES: {"buckets": [bucket(first, 10), bucket(second, 5)]}}}}})).unwrap();
            for found in [buckets.read_with_missing(answer.root()), buckets.read_with_missing_if_any(answer.root())] {
                let found = found.unwrap();
                let count = |wanted: &str| {
                    let counts = found.iter().filter(|(key, _)| key == wanted);
                    counts.map(|(_, bucket)| bucket.doc_count().unwrap()).collect::<Vec<_>>()
                };
                prop_assert_eq!(count(first), [10]);
                if second != first {
                    prop_assert_eq!(count(second), [5]);
                }
                if ![first, second].contains(&MISSING_KEY) {
                    let expected: &[u64] = if missing > 0 { &[missing] } else { &[] };
                    prop_assert_eq!(count(MISSING_KEY), expected);
                }
            }
        }
    }
}
