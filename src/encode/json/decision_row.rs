//! The object of a decision instance: its members, in the order of Optimize's `RawDataDecisionInstanceDto`.

use optimize::json::JsonText;
use optimize::raw_data::decision_row::DecisionRow;

use super::clauses;
use super::members::{Members, column};

/// Writes one object.
pub fn write(row: &DecisionRow<'_>, out: &mut JsonText) {
    let mut members = Members::new(row.restrictions);
    out.raw("{");
    members.text(
        column!("decisionDefinitionKey"),
        row.decision_definition_key,
        out,
    );
    members.text(
        column!("decisionDefinitionId"),
        row.decision_definition_id,
        out,
    );
    members.text(column!("decisionInstanceId"), row.decision_instance_id, out);
    members.text(column!("processInstanceId"), row.process_instance_id, out);
    members.date(
        column!("evaluationDateTime"),
        &row.evaluation_date_time,
        out,
    );
    members.text(column!("engineName"), row.engine_name, out);
    members.text(column!("tenantId"), row.tenant_id, out);
    for (begin, clauses) in [
        ("\"inputVariables\":", &row.inputs),
        ("\"outputVariables\":", &row.outputs),
    ] {
        members.begin_always(begin, out);
        clauses::write(clauses, out);
    }
    out.raw("}");
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use optimize::access::Restrictions;
    use optimize::definitions::clauses::{Clause, Clauses, DecisionClauses};
    use optimize::raw_data::cursor::Cursor;
    use optimize::raw_data::decision_row::{DecisionInstance, DecisionRows};

    use super::*;

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
        let mut rows = DecisionRows {
            clauses: &clauses,
            time_zone,
            restrictions: &Restrictions::default(),
            scratch: Default::default(),
        };
        let instance: DecisionInstance<'_> = Cursor::new(document).read().unwrap();
        let mut out = JsonText::default();
        write(&rows.row(&instance), &mut out);
        String::from_utf8(out.into_bytes()).unwrap()
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
