//! Texts and dates of stored documents.

use optimize::json::JsonText;
use optimize::raw_data::dates::RowDate;
use optimize::raw_data::document::Text;

/// Writes a text, or `null`.
#[inline]
pub fn write(text: &Text<'_>, out: &mut JsonText) {
    match text.as_json() {
        Some(json) => out.raw(json),
        None => out.optional_string(text.as_deref()),
    }
}

/// Writes a date, or `null`.
#[inline]
pub fn write_date(date: &RowDate<'_>, out: &mut JsonText) {
    match date {
        RowDate::AsStored(text) => write(text, out),
        RowDate::Shown(date) => out.string(date),
    }
}

#[cfg(test)]
mod tests {
    use optimize::raw_data::cursor::Cursor;
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    proptest! {
        #[test]
        fn a_text_is_written_as_it_was(text in ".*") {
            let json = Value::from(text).to_string();
            let mut out = JsonText::default();
            write(&Cursor::new(&json).read::<Text<'_>>().unwrap(), &mut out);
            prop_assert_eq!(out.as_bytes(), json.as_bytes());
        }
    }
}
