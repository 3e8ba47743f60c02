//! One decision instance as a row.
//!
//! Source: crates/optimize/docs/raw-data.md, "Rows of decision instances". Fields and their order are those of Optimize's
//! `RawDataDecisionInstanceDto`.

use jiff::tz::TimeZone;

use super::clauses::{self, ClauseValue, Direction, Scratch};
use super::dates;
use super::document::{Many, Text, document};
use super::json::JsonText;
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

/// Writes decision rows of one page.
pub struct DecisionRowWriter<'a> {
    /// The inputs and outputs that every row has.
    pub clauses: &'a DecisionClauses,
    /// The zone that dates are converted to; `None` keeps the stored offset. Values are texts, also those of dates.
    pub time_zone: Option<&'a TimeZone>,
    /// Room that is used again for every row.
    pub scratch: Scratch,
}

impl DecisionRowWriter<'_> {
    /// Writes one row.
    pub fn write(&mut self, out: &mut JsonText, instance: &DecisionInstance<'_>) {
        let mut first = true;
        out.raw("{");
        out.name("decisionDefinitionKey", &mut first);
        instance.decision_definition_key.write(out);
        out.name("decisionDefinitionId", &mut first);
        instance.decision_definition_id.write(out);
        out.name("decisionInstanceId", &mut first);
        instance.decision_instance_id.write(out);
        out.name("processInstanceId", &mut first);
        instance.process_instance_id.write(out);
        out.name("evaluationDateTime", &mut first);
        dates::write(out, &instance.evaluation_date_time, self.time_zone);
        out.name("engineName", &mut first);
        instance.engine.write(out);
        out.name("tenantId", &mut first);
        instance.tenant_id.write(out);
        out.name("inputVariables", &mut first);
        clauses::write(
            out,
            Direction::Input,
            &instance.inputs.0,
            &self.clauses.inputs,
            &mut self.scratch,
        );
        out.name("outputVariables", &mut first);
        clauses::write(
            out,
            Direction::Output,
            &instance.outputs.0,
            &self.clauses.outputs,
            &mut self.scratch,
        );
        out.raw("}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::*;
    use crate::definitions::clauses::{Clause, Clauses};

    fn row(document: &str, time_zone: Option<&TimeZone>) -> String {
        let clause = |id: &str| Clause {
            id: id.to_owned(),
            name: Some(id.to_uppercase()),
            variable_type: Some("String".to_owned()),
        };
        let clauses = DecisionClauses {
            inputs: Clauses::new([clause("in")]),
            outputs: Clauses::new([clause("out")]),
        };
        let mut writer = DecisionRowWriter {
            clauses: &clauses,
            time_zone,
            scratch: Scratch::default(),
        };
        let instance: DecisionInstance<'_> = Cursor::new(document).read().unwrap();
        let mut out = JsonText::default();
        writer.write(&mut out, &instance);
        String::from_utf8(out.take()).unwrap()
    }

    #[test]
    fn fields_have_their_order() {
        let document = r#"{"tenantId":"acme","engine":"camunda-bpm","decisionInstanceId":"d1","decisionDefinitionId":"invoice:2:7",
            "decisionDefinitionKey":"invoice","decisionDefinitionVersion":"2","evaluationDateTime":"2024-01-10T10:00:00.000+0100",
            "processInstanceId":"p1","matchedRules":["r"],"collectResultValue":1.5,
            "outputs":[{"clauseId":"out","clauseName":"Out","type":"Boolean","value":"false"}],
            "inputs":[{"clauseId":"in","clauseName":"In","type":"Double","value":"1.5"}]}"#;
        assert_eq!(
            row(document, None),
            concat!(
                r#"{"decisionDefinitionKey":"invoice","decisionDefinitionId":"invoice:2:7","decisionInstanceId":"d1","#,
                r#""processInstanceId":"p1","evaluationDateTime":"2024-01-10T10:00:00.000+0100","engineName":"camunda-bpm","#,
                r#""tenantId":"acme","inputVariables":{"in":{"id":"in","name":"In","type":"Double","value":"1.5"}},"#,
                r#""outputVariables":{"out":{"id":"out","name":"Out","type":"Boolean","values":["false"]}}}"#,
            )
        );
    }

    #[test]
    fn an_empty_document_is_a_row_of_nulls() {
        let expected = concat!(
            r#"{"decisionDefinitionKey":null,"decisionDefinitionId":null,"decisionInstanceId":null,"processInstanceId":null,"#,
            r#""evaluationDateTime":null,"engineName":null,"tenantId":null,"#,
            r#""inputVariables":{"in":{"id":"in","name":"IN","type":"String","value":""}},"#,
            r#""outputVariables":{"out":{"id":"out","name":"OUT","type":"String","values":[]}}}"#
        );
        assert_eq!(row("{}", None), expected);
        assert_eq!(
            row(r#"{"inputs":null,"outputs":[],"engine":null}"#, None),
            expected
        );
    }

    #[test]
    fn a_zone_converts_the_evaluation_date_but_no_value() {
        let document = r#"{"evaluationDateTime":"2024-01-10T10:00:00.000+0100",
            "inputs":{"clauseId":"in","type":"Date","value":"2024-01-10T10:00:00.000+0100"}}"#;
        let row = row(document, Some(&TimeZone::UTC));
        assert!(
            row.contains(r#""evaluationDateTime":"2024-01-10T09:00:00.000+0000""#),
            "{row}"
        );
        assert!(
            row.contains(r#""value":"2024-01-10T10:00:00.000+0100""#),
            "{row}"
        );
    }
}
