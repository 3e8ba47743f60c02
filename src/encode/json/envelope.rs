//! The members around `data`.
//!
//! Source: docs/ENDPOINT.md, "The answer".

use optimize::json::JsonText;
use optimize::result::ReportResult;

use super::result;

/// Everything in an answer that is not `data`.
#[derive(Debug, Clone, Default)]
pub struct Envelope<'a> {
    /// The scroll to go on with.
    pub search_request_id: Option<&'a str>,
    /// Something that the reader should know.
    pub message: Option<&'a str>,
    /// Records over all pages.
    pub total: u64,
    /// The report asked for.
    pub report_id: &'a str,
}

impl Envelope<'_> {
    /// All members before `data`, whose value follows; `records` is left out where it is not known yet.
    pub fn write_head(&self, out: &mut JsonText, records: Option<u64>) {
        let mut first = true;
        out.raw("{");
        if let Some(id) = self.search_request_id {
            out.name("searchRequestId", &mut first);
            out.string(id);
        }
        if let Some(message) = self.message {
            out.name("message", &mut first);
            out.string(message);
        }
        if let Some(records) = records {
            out.name("numberOfRecordsInResponse", &mut first);
            out.unsigned(records);
        }
        out.name("totalNumberOfRecords", &mut first);
        out.unsigned(self.total);
        out.name("reportId", &mut first);
        out.string(self.report_id);
    }

    /// A whole answer with a result that is no rows.
    pub fn with_result(&self, result: ReportResult) -> Vec<u8> {
        let mut out = JsonText::default();
        self.write_head(&mut out, Some(result.records()));
        result::write(result, &mut out);
        out.raw("}");
        out.into_bytes()
    }

    /// A whole answer without rows.
    pub fn without_rows(&self) -> Vec<u8> {
        let mut out = JsonText::default();
        self.write_head(&mut out, Some(0));
        out.raw(",\"data\":[]}");
        out.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_has_no_data() {
        let envelope = Envelope {
            report_id: "r",
            ..Envelope::default()
        };
        let result = ReportResult::Number(None);
        assert_eq!(
            String::from_utf8(envelope.with_result(result)).unwrap(),
            r#"{"numberOfRecordsInResponse":0,"totalNumberOfRecords":0,"reportId":"r"}"#
        );
    }

    #[test]
    fn members_have_their_order_and_absent_ones_are_left_out() {
        let mut envelope = Envelope {
            total: 7,
            report_id: "r\"1",
            ..Envelope::default()
        };
        let text = |envelope: &Envelope<'_>| String::from_utf8(envelope.without_rows()).unwrap();
        assert_eq!(
            text(&envelope),
            r#"{"numberOfRecordsInResponse":0,"totalNumberOfRecords":7,"reportId":"r\"1","data":[]}"#
        );
        envelope.search_request_id = Some("id");
        envelope.message = Some("m");
        assert_eq!(
            text(&envelope),
            r#"{"searchRequestId":"id","message":"m","numberOfRecordsInResponse":0,"totalNumberOfRecords":7,"reportId":"r\"1","data":[]}"#
        );
    }
}
