//! CSV as RFC 4180 has it, with an empty field for nothing and `""` for an empty text.
//!
//! Written by hand: the `csv` crate either quotes every text or none that need no quotes, so that with it nothing and an
//! empty text are the same field.

use std::io::Write;

use memchr::{memchr, memchr_iter, memchr3};
use optimize::json::JsonText;
use optimize::table::schema::Schema;
use optimize::table::value::Value;

use crate::encode::{EncodeError, Encoder, check_width, readable_json};

/// Tells Excel that a file is UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";
/// Ends a record (RFC 4180, section 2).
const LINE_END: &[u8] = b"\r\n";
/// What a spreadsheet takes for the beginning of a formula, or strips to find one
/// (OWASP, "CSV Injection"). A number in a text cell is one of them if it has a sign: whether `-1+cmd()` is a number is for
/// the spreadsheet to say.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];
/// Makes text of what follows, in every spreadsheet.
const TEXT_MARK: char = '\'';

/// How a table is written as CSV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvOptions {
    /// Stands between fields; see [`delimiter`].
    pub delimiter: char,
    /// Whether the file begins with a byte order mark.
    pub byte_order_mark: bool,
    /// Whether `'` goes before a text that a spreadsheet would take for a formula.
    pub formulas_as_text: bool,
}

impl Default for CsvOptions {
    fn default() -> Self {
        Self {
            delimiter: ',',
            byte_order_mark: false,
            formulas_as_text: false,
        }
    }
}

/// The delimiter that was asked for.
///
/// # Errors
/// Says what a delimiter is, for a text that is none.
pub fn delimiter(text: &str) -> Result<char, String> {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(character), None) if !matches!(character, '"' | '\r' | '\n') => Ok(character),
        _ => Err("expected one character that is no quotation mark and no line break".to_owned()),
    }
}

/// Writes a table as CSV.
///
/// Every value is written by its own kind, so that a column of integers may have a text in a row.
#[derive(Debug)]
pub struct CsvEncoder {
    options: CsvOptions,
    /// The delimiter, if it is a single byte.
    delimiter_byte: Option<u8>,
    /// Whether the delimiter may be part of a number, or of `true` and `false`.
    may_split_numbers: bool,
    names: Vec<String>,
    /// Digits of a number.
    scratch: Vec<u8>,
}

impl CsvEncoder {
    /// An encoder for the columns of a table.
    pub fn new(schema: &Schema, options: CsvOptions) -> Self {
        let delimiter = options.delimiter;
        let names = schema.columns.iter().map(|column| column.name.clone());
        Self {
            options,
            delimiter_byte: u8::try_from(delimiter).ok().filter(u8::is_ascii),
            may_split_numbers: delimiter.is_ascii_alphanumeric() || "+-.".contains(delimiter),
            names: names.collect(),
            scratch: Vec::new(),
        }
    }

    /// What stands before all fields but the first.
    fn separator(&self, position: usize, out: &mut Vec<u8>) {
        if position > 0 {
            let mut bytes = [0; 4];
            out.extend_from_slice(self.options.delimiter.encode_utf8(&mut bytes).as_bytes());
        }
    }

    /// A text that people or programs chose.
    fn text(&self, text: &str, out: &mut Vec<u8>) {
        let text = utf16::for_people(text);
        if self.options.formulas_as_text && text.starts_with(FORMULA_STARTS) {
            return self.field(&format!("{TEXT_MARK}{text}"), out);
        }
        self.field(&text, out);
    }

    /// A field, in quotes if it needs them.
    fn field(&self, text: &str, out: &mut Vec<u8>) {
        if !self.needs_quotes(text) {
            return out.extend_from_slice(text.as_bytes());
        }
        out.push(b'"');
        let bytes = text.as_bytes();
        let mut copied = 0;
        for quote in memchr_iter(b'"', bytes) {
            out.extend_from_slice(bytes.get(copied..=quote).unwrap_or_default());
            out.push(b'"');
            copied = quote + 1;
        }
        out.extend_from_slice(bytes.get(copied..).unwrap_or_default());
        out.push(b'"');
    }

    fn needs_quotes(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        bytes.is_empty()
            || memchr3(b'"', b'\r', b'\n', bytes).is_some()
            || match self.delimiter_byte {
                Some(byte) => memchr(byte, bytes).is_some(),
                None => text.contains(self.options.delimiter),
            }
    }

    /// A number or a truth value.
    fn plain(&mut self, value: std::fmt::Arguments<'_>, out: &mut Vec<u8>) {
        // Writing into memory can't fail.
        if !self.may_split_numbers {
            let _ = out.write_fmt(value);
            return;
        }
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        let _ = scratch.write_fmt(value);
        self.field(std::str::from_utf8(&scratch).unwrap_or_default(), out);
        self.scratch = scratch;
    }

    fn value(&mut self, value: &Value<'_>, out: &mut Vec<u8>) {
        match value {
            Value::Null => {}
            Value::Text(text) => self.text(text, out),
            Value::Integer(number) if !self.may_split_numbers => {
                let mut digits = itoa::Buffer::new();
                out.extend_from_slice(digits.format(*number).as_bytes());
            }
            Value::Integer(number) => self.plain(format_args!("{number}"), out),
            // `{:?}` has the shortest digits that read back the same, and a fraction where there is no exponent.
            Value::Double(number) if number.is_finite() => {
                self.plain(format_args!("{number:?}"), out);
            }
            Value::Double(_) => {}
            Value::Boolean(truth) => self.plain(format_args!("{truth}"), out),
            // A stored date that is none may be any text.
            Value::Instant(instant) if instant.millis.is_none() => self.text(&instant.shown, out),
            Value::Instant(instant) => self.field(&utf16::for_people(&instant.shown), out),
            Value::List(texts) => {
                let mut json = JsonText::default();
                array(texts, &mut json);
                // Texts and quotes make no bytes that are none of a text.
                self.field(
                    std::str::from_utf8(json.as_bytes()).unwrap_or_default(),
                    out,
                );
            }
            Value::Json(json) => self.field(&readable_json(json), out),
        }
    }
}

/// Writes texts as a JSON array.
pub(super) fn array(texts: &[impl AsRef<str>], json: &mut JsonText) {
    json.raw("[");
    let mut first = true;
    for text in texts {
        json.separator(&mut first);
        json.string(&utf16::for_people(text.as_ref()));
    }
    json.raw("]");
}

impl Encoder<[Value<'_>]> for CsvEncoder {
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        if self.options.byte_order_mark {
            out.extend_from_slice(BYTE_ORDER_MARK.as_bytes());
        }
        for (position, name) in self.names.iter().enumerate() {
            self.separator(position, out);
            self.text(name, out);
        }
        out.extend_from_slice(LINE_END);
        Ok(())
    }

    fn row(&mut self, row: &[Value<'_>], out: &mut Vec<u8>) -> Result<(), EncodeError> {
        check_width(row.len(), self.names.len())?;
        if let [Value::Null] = row {
            // An empty line is no row for pandas, DuckDB and others, and none with a field for Python. So a table of one
            // column has `""` for nothing, as Python writes it: a row less would be worse than an empty text for nothing.
            out.extend_from_slice(b"\"\"");
        }
        for (position, value) in row.iter().enumerate() {
            self.separator(position, out);
            self.value(value, out);
        }
        out.extend_from_slice(LINE_END);
        Ok(())
    }

    fn end(&mut self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use optimize::table::schema::{Column, ColumnType};
    use proptest::prelude::*;

    use super::*;
    use crate::encode::fixtures::{
        HALF, any_row, any_text, encode, every_type, instant, rows, schema, text,
    };

    fn columns(names: &[&str]) -> Schema {
        let names = names.iter();
        schema(
            names
                .map(|name| Column::nullable(*name, ColumnType::Text, ""))
                .collect(),
        )
    }

    fn csv(schema: &Schema, options: CsvOptions, rows: &[Vec<Value<'_>>]) -> String {
        let bytes = encode(&mut CsvEncoder::new(schema, options), rows);
        String::from_utf8(bytes).unwrap()
    }

    /// The records of a file by the grammar of RFC 4180, section 2. A field that was not quoted and is empty is `None`.
    fn read(csv: &str, delimiter: char) -> Vec<Vec<Option<String>>> {
        let mut records = Vec::new();
        let mut rest = csv;
        while !rest.is_empty() {
            let mut record = Vec::new();
            loop {
                if let Some(mut quoted) = rest.strip_prefix('"') {
                    let mut field = String::new();
                    loop {
                        let (before, after) = quoted.split_once('"').unwrap();
                        field.push_str(before);
                        quoted = after;
                        match quoted.strip_prefix('"') {
                            Some(after) => quoted = after,
                            None => break,
                        }
                        field.push('"');
                    }
                    record.push(Some(field));
                    rest = quoted;
                } else {
                    let end = rest.find([delimiter, '\r', '\n', '"']).unwrap();
                    let (field, after) = rest.split_at(end);
                    record.push((!field.is_empty()).then(|| field.to_owned()));
                    rest = after;
                }
                if let Some(next) = rest.strip_prefix(delimiter) {
                    rest = next;
                } else {
                    rest = rest.strip_prefix("\r\n").unwrap();
                    break;
                }
            }
            records.push(record);
        }
        records
    }

    #[test]
    fn each_kind_of_value_has_its_text() {
        assert_eq!(
            csv(&every_type(), CsvOptions::default(), &rows()),
            [
                "text,integer,double,boolean,instant,list,variables:rest",
                r#"order,42,5.0,true,2025-06-15T14:26:40.123+0200,"[""a"",""b""]","{""x"":[""1""]}""#,
                ",,,,,,",
                "cut \u{fffd},9007199254740993,0.30000000000000004,false,=tomorrow,\
                 \"[\"\"cut \u{fffd}\"\",\"\"\\\"\"\"\"]\",\"{\"\"x\"\":[\"\"\u{fffd}\"\"]}\"",
                "\"\",-9223372036854775808,1e300,false,2025-06-15T14:26:40.123+0200,[],{}",
                "",
            ]
            .join("\r\n")
        );
    }

    #[test]
    fn only_what_needs_quotes_has_them() {
        let row = [
            "plain text",
            "a,b",
            "a;b",
            "a\"b",
            "a\rb",
            "a\nb",
            " ",
            "é¦",
        ]
        .map(text);
        let schema = columns(&["1", "2", "3", "4", "5", "6", "7", "8"]);
        let line = |delimiter| {
            let options = CsvOptions {
                delimiter,
                ..CsvOptions::default()
            };
            let csv = csv(&schema, options, &[row.to_vec()]);
            csv.split_once("\r\n").unwrap().1.to_owned()
        };
        assert_eq!(
            line(','),
            "plain text,\"a,b\",a;b,\"a\"\"b\",\"a\rb\",\"a\nb\", ,é¦\r\n"
        );
        assert_eq!(
            line('¦'),
            "plain text¦a,b¦a;b¦\"a\"\"b\"¦\"a\rb\"¦\"a\nb\"¦ ¦\"é¦\"\r\n"
        );
        assert_eq!(
            line(' '),
            "\"plain text\" a,b a;b \"a\"\"b\" \"a\rb\" \"a\nb\" \" \" é¦\r\n"
        );
    }

    #[test]
    fn a_delimiter_may_be_part_of_numbers() {
        let row = vec![
            Value::Integer(-15),
            Value::Double(0.5),
            Value::Boolean(true),
        ];
        for (delimiter, line) in [
            ('.', "-15.\"0.5\".true"),
            ('5', "\"-15\"5\"0.5\"5true"),
            ('-', "\"-15\"-0.5-true"),
            ('e', "-15e0.5e\"true\""),
        ] {
            let options = CsvOptions {
                delimiter,
                ..CsvOptions::default()
            };
            let csv = csv(
                &columns(&["a", "b", "c"]),
                options,
                std::slice::from_ref(&row),
            );
            assert_eq!(csv.split("\r\n").nth(1), Some(line));
        }
    }

    #[test]
    fn a_row_of_nothing_is_a_row_even_in_a_table_of_one_column() {
        let rows = [vec![Value::Null], vec![text("")], vec![text("x")]];
        let csv = csv(&columns(&["a"]), CsvOptions::default(), &rows);
        assert_eq!(csv, "a\r\n\"\"\r\n\"\"\r\nx\r\n");
    }

    #[test]
    fn excel_gets_its_byte_order_mark_before_everything() {
        let options = CsvOptions {
            byte_order_mark: true,
            ..CsvOptions::default()
        };
        assert_eq!(csv(&columns(&["a"]), options, &[]), "\u{feff}a\r\n");
    }

    #[test]
    fn what_a_spreadsheet_takes_for_a_formula_becomes_text_if_that_is_wanted() {
        let options = CsvOptions {
            formulas_as_text: true,
            ..CsvOptions::default()
        };
        let rows = [
            vec![text("=1+1"), Value::Integer(-1)],
            vec![text("-1"), Value::Double(-1.5)],
            vec![text("+1,2"), instant()],
            vec![text("@a"), text("a=b")],
            vec![text("\ta"), text("\ra")],
            vec![crate::encode::fixtures::no_instant(), text("'")],
        ];
        let schema = columns(&["=a", "b"]);
        assert_eq!(
            csv(&schema, options, &rows),
            "'=a,b\r\n'=1+1,-1\r\n'-1,-1.5\r\n\"'+1,2\",2025-06-15T14:26:40.123+0200\r\n\
             '@a,a=b\r\n'\ta,\"'\ra\"\r\n'=tomorrow,'\r\n"
        );
        assert!(csv(&schema, CsvOptions::default(), &rows).starts_with("=a,b\r\n=1+1,-1\r\n-1,"));
    }

    #[test]
    fn names_of_columns_are_texts_like_others() {
        let schema = columns(&["a,b", "", HALF, "variable:\"x\""]);
        assert_eq!(
            csv(&schema, CsvOptions::default(), &[]),
            "\"a,b\",\"\",cut \u{fffd},\"variable:\"\"x\"\"\"\r\n"
        );
    }

    #[test]
    fn a_delimiter_is_one_character() {
        for (text, expected) in [
            (";", ';'),
            ("\t", '\t'),
            ("é", 'é'),
            ("'", '\''),
            ("|", '|'),
        ] {
            assert_eq!(delimiter(text), Ok(expected));
        }
        for text in ["", ",,", "\"", "\r", "\n", "\r\n", "tab"] {
            assert!(
                delimiter(text).unwrap_err().contains("one character"),
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_rows_are_read_back_as_they_were(
            rows in prop::collection::vec(any_row(), 0..8),
            delimiter in prop_oneof![Just(','), Just(';'), Just('\t'), Just('¦'), Just('5'), Just('e'), Just('[')],
        ) {
            let options = CsvOptions { delimiter, ..CsvOptions::default() };
            let records = read(&csv(&every_type(), options, &rows), delimiter);
            prop_assert_eq!(records.len(), rows.len() + 1);
            for (row, record) in rows.iter().zip(&records[1..]) {
                prop_assert_eq!(row.len(), record.len());
                for (value, field) in row.iter().zip(record) {
                    let field = field.as_deref();
                    match value {
                        Value::Null => prop_assert_eq!(field, None),
                        Value::Text(text) => prop_assert_eq!(field, Some(&*utf16::for_people(text))),
                        Value::Integer(number) => prop_assert_eq!(field.unwrap().parse(), Ok(*number)),
                        Value::Double(number) => prop_assert_eq!(
                            field.unwrap().parse::<f64>().unwrap().to_bits(), number.to_bits()
                        ),
                        Value::Boolean(truth) => prop_assert_eq!(field.unwrap().parse(), Ok(*truth)),
                        Value::Instant(instant) => {
                            prop_assert_eq!(field, Some(&*utf16::for_people(&instant.shown)));
                        }
                        Value::List(texts) => {
                            let read: Vec<String> = serde_json::from_str(field.unwrap()).unwrap();
                            let texts = texts.iter().map(|text| utf16::for_people(text).into_owned());
                            prop_assert_eq!(read, texts.collect::<Vec<_>>());
                        }
                        Value::Json(json) => prop_assert_eq!(field, Some(&*readable_json(json))),
                    }
                }
            }
        }

        #[test]
        fn no_cell_begins_like_a_formula_if_that_is_not_wanted(cell in any_text()) {
            let options = CsvOptions { formulas_as_text: true, ..CsvOptions::default() };
            let written = csv(&columns(&["a"]), options, &[vec![text(&cell)]]);
            let records = read(&written, ',');
            let field = records[1][0].as_deref().unwrap();
            prop_assert!(!field.starts_with(FORMULA_STARTS));
            let shown = utf16::for_people(&cell);
            prop_assert!(field == shown || field.strip_prefix('\'') == Some(&*shown));
        }
    }
}
