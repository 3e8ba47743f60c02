//! The `data` of a result that is no rows. Members of an entry are in the order of Optimize: key, value, label.

use optimize::json::JsonText;
use optimize::result::{Entry, ReportResult};

/// Writes the member `data`; nothing for no number, because it is left out then. What is written is let go at once.
pub fn write(result: ReportResult, out: &mut JsonText) {
    if result == ReportResult::Number(None) {
        return;
    }
    out.reserve(expected_bytes(&result));
    out.raw(",\"data\":");
    match result {
        ReportResult::Number(number) => out.optional_double(number),
        ReportResult::Map(entries) => write_map(entries, out),
        ReportResult::HyperMap(entries) => write_entries(entries, out, write_map),
    }
}

fn write_map(entries: Vec<Entry<Option<f64>>>, out: &mut JsonText) {
    write_entries(entries, out, |value, out| out.optional_double(value));
}

fn write_entries<V>(entries: Vec<Entry<V>>, out: &mut JsonText, value: impl Fn(V, &mut JsonText)) {
    out.raw("[");
    let mut first = true;
    for entry in entries {
        out.separator(&mut first);
        out.raw("{\"key\":");
        out.string(&entry.key);
        out.raw(",\"value\":");
        value(entry.value, out);
        out.raw(",\"label\":");
        out.string(&entry.label);
        out.raw("}");
    }
    out.raw("]");
}

/// How long the JSON is, about.
fn expected_bytes(result: &ReportResult) -> usize {
    fn of_entries<V>(entries: &[Entry<V>], value: impl Fn(&V) -> usize) -> usize {
        let entry = |entry: &Entry<V>| 30 + entry.key.len() + entry.label.len();
        let entries = entries.iter();
        entries.map(|e| entry(e) + value(&e.value)).sum()
    }
    let number = |_: &Option<f64>| 16;
    match result {
        ReportResult::Number(_) => 32,
        ReportResult::Map(entries) => of_entries(entries, number),
        ReportResult::HyperMap(entries) => of_entries(entries, |parts| of_entries(parts, number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(values: &[(&str, Option<f64>)]) -> Vec<Entry<Option<f64>>> {
        let entry = |(key, value): &(&str, _)| Entry::new((*key).to_owned(), None, *value);
        values.iter().map(entry).collect()
    }

    #[test]
    fn results_as_json() {
        let text = |result: ReportResult| {
            let mut out = JsonText::default();
            write(result, &mut out);
            String::from_utf8(out.into_bytes()).unwrap()
        };
        assert_eq!(text(ReportResult::Number(None)), "");
        assert_eq!(text(ReportResult::Number(Some(42.0))), ",\"data\":42.0");
        assert_eq!(
            text(ReportResult::Map(entries(&[
                ("a\"", Some(0.5)),
                ("b", None)
            ]))),
            r#","data":[{"key":"a\"","value":0.5,"label":"a\""},{"key":"b","value":null,"label":"b"}]"#
        );
        let inner = entries(&[("x", Some(1e16))]);
        let outer = Entry::new("g".to_owned(), Some("G".to_owned()), inner);
        assert_eq!(
            text(ReportResult::HyperMap(vec![outer])),
            r#","data":[{"key":"g","value":[{"key":"x","value":1.0e16,"label":"x"}],"label":"G"}]"#
        );
    }
}
