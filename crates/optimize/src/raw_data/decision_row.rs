//! One decision instance as a row.
//!
//! Source: crates/optimize/docs/raw-data.md, "Rows of decision instances". Fields and their order are those of Optimize's
//! `RawDataDecisionInstanceDto`.

use jiff::tz::TimeZone;

use super::clauses::{ClauseValue, Direction, RowClauses, Scratch};
use super::dates::RowDate;
use super::document::{Many, Text, document};
use crate::access::Restrictions;
use crate::access::columns::{INPUT_PREFIX, OUTPUT_PREFIX};
use crate::definitions::clauses::DecisionClauses;

document! {
    /// The parts of a stored decision instance that a row shows.
    pub struct DecisionInstance<'a> {
        decision_definition_key: Text<'a> = "decisionDefinitionKey",
        decision_definition_id: Text<'a> = "decisionDefinitionId",
        decision_instance_id: Text<'a> = "decisionInstanceId",
        process_instance_id: Text<'a> = "processInstanceId",
        evaluation_date_time: Text<'a> = "evaluationDateTime",
        /// The engine's name: here it is a field of its own, where process instances have a data source.
        engine: Text<'a> = "engine",
        tenant_id: Text<'a> = "tenantId",
        inputs: Many<ClauseValue<'a>> = "inputs",
        outputs: Many<ClauseValue<'a>> = "outputs",
    }
}

impl DecisionInstance<'_> {
    /// Takes out inputs and outputs that somebody may not see.
    pub fn leave_out(&mut self, restrictions: &Restrictions) {
        restrictions.take_out(INPUT_PREFIX, &mut self.inputs.0, ClauseValue::clause_id);
        restrictions.take_out(OUTPUT_PREFIX, &mut self.outputs.0, ClauseValue::clause_id);
    }
}

/// What the rows of one page need besides their instances.
pub struct DecisionRows<'p> {
    /// The inputs and outputs that every row has.
    pub clauses: &'p DecisionClauses,
    /// The zone that dates are converted to; `None` keeps the stored offset. Values are texts, also those of dates.
    pub time_zone: Option<&'p TimeZone>,
    /// What is left out.
    pub restrictions: &'p Restrictions,
    /// Room that is used again for every row: for inputs, and for outputs.
    pub scratch: (Scratch, Scratch),
}

impl DecisionRows<'_> {
    /// The row of an instance.
    pub fn row<'r>(&'r mut self, instance: &'r DecisionInstance<'r>) -> DecisionRow<'r> {
        let (inputs, outputs) = (&*instance.inputs.0, &*instance.outputs.0);
        let known = self.clauses;
        let (of_inputs, of_outputs) = &mut self.scratch;
        DecisionRow {
            decision_definition_key: &instance.decision_definition_key,
            decision_definition_id: &instance.decision_definition_id,
            decision_instance_id: &instance.decision_instance_id,
            process_instance_id: &instance.process_instance_id,
            evaluation_date_time: RowDate::of(&instance.evaluation_date_time, self.time_zone),
            engine_name: &instance.engine,
            tenant_id: &instance.tenant_id,
            inputs: RowClauses::of(Direction::Input, inputs, &known.inputs, of_inputs),
            outputs: RowClauses::of(Direction::Output, outputs, &known.outputs, of_outputs),
            restrictions: self.restrictions,
        }
    }
}

/// One decision instance as a row. Members are those of its object, in their order.
pub struct DecisionRow<'r> {
    /// `decisionDefinitionKey`
    pub decision_definition_key: &'r Text<'r>,
    /// `decisionDefinitionId`
    pub decision_definition_id: &'r Text<'r>,
    /// `decisionInstanceId`
    pub decision_instance_id: &'r Text<'r>,
    /// `processInstanceId`
    pub process_instance_id: &'r Text<'r>,
    /// `evaluationDateTime`
    pub evaluation_date_time: RowDate<'r>,
    /// `engineName`
    pub engine_name: &'r Text<'r>,
    /// `tenantId`
    pub tenant_id: &'r Text<'r>,
    /// `inputVariables`
    pub inputs: RowClauses<'r>,
    /// `outputVariables`
    pub outputs: RowClauses<'r>,
    /// What is left out.
    pub restrictions: &'r Restrictions,
}
