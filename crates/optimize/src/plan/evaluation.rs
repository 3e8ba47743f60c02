//! The two steps in which every report that aggregates is evaluated, whatever it is about.

use serde_json::Value;

use super::answer::Answer;
use super::search::Search;
use super::{PlanError, Ranges, Room};
use crate::result::ReportResult;
use crate::scope::Scope;

/// A plan with all that it depends on.
pub trait Evaluation {
    /// Which instances it covers.
    fn scope(&self) -> &Scope;

    /// The search for what has to be known before buckets can be made; `None` where nothing has.
    fn statistics(&self) -> Option<Value>;

    /// Reads the answer to [`Evaluation::statistics`].
    ///
    /// # Errors
    /// It lacks what was asked for.
    fn ranges(&self, statistics: &Answer) -> Result<Ranges, PlanError>;

    /// The search whose answer is the result.
    ///
    /// # Errors
    /// The report asks for impossible buckets, or for more than there is room for.
    fn search(&self, ranges: Ranges, room: &Room<'_>) -> Result<Search, PlanError>;

    /// The result; the ranges are those of the search.
    ///
    /// # Errors
    /// There is no room for it, or the answer lacks what was asked for.
    fn result(
        &self,
        ranges: Ranges,
        answer: &Answer,
        room: &Room<'_>,
    ) -> Result<ReportResult, PlanError>;

    /// The result where there is no index of instances.
    fn result_without_index(&self) -> ReportResult;
}
