//! The two steps in which every report that aggregates is evaluated, whatever it is about.

use serde_json::Value;

use super::PlanError;
use super::answer::Answer;
use crate::result::ReportResult;
use crate::scope::Scope;

/// A plan with all that it depends on.
pub trait Evaluation {
    /// Which instances it covers.
    fn scope(&self) -> &Scope;

    /// The search for what has to be known before buckets can be made; `None` where nothing has.
    fn statistics(&self) -> Option<Value>;

    /// The search whose answer is the result; `statistics` is the answer to [`Evaluation::statistics`].
    ///
    /// # Errors
    /// The report asks for impossible buckets.
    fn search(&self, statistics: Option<&Answer>) -> Result<Value, PlanError>;

    /// The result.
    fn result(&self, answer: &Answer) -> ReportResult;

    /// The result where there is no index of instances.
    fn result_without_index(&self) -> ReportResult;
}
