//! Looks at a table while it arrives: counts its rows, and tells at the end whether it ended as its format does.
//!
//! A body of HTTP that was cut off is noticed below. This is the last line of defence against whatever stands between
//! here and the service.

use memchr::{memchr, memchr_iter, memchr2};

use super::table::TableFormat;

/// What a Parquet file begins and ends with.
const PARQUET_MARK: &[u8] = b"PAR1";
/// What an Arrow stream ends with: a continuation mark and a message without bytes.
const ARROW_END: &[u8] = &[0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];

/// What has arrived of a table.
#[derive(Debug)]
pub struct Arrived(Inner);

#[derive(Debug)]
enum Inner {
    Csv(Records),
    Lines(Lines),
    Marked {
        ends: Ends,
        begin: &'static [u8],
        end: &'static [u8],
    },
}

impl Arrived {
    /// Nothing so far.
    pub fn new(format: TableFormat) -> Self {
        let marked = |begin, end| Inner::Marked {
            ends: Ends::default(),
            begin,
            end,
        };
        Self(match format {
            TableFormat::Csv => Inner::Csv(Records::default()),
            TableFormat::Ndjson => Inner::Lines(Lines::default()),
            TableFormat::Parquet => marked(PARQUET_MARK, PARQUET_MARK),
            TableFormat::Arrow => marked(&[], ARROW_END),
        })
    }

    /// These bytes have arrived too.
    pub fn take(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Inner::Csv(records) => records.take(bytes),
            Inner::Lines(lines) => lines.take(bytes),
            Inner::Marked { ends, .. } => ends.take(bytes),
        }
    }

    /// Rows so far, where they can be counted.
    pub fn rows(&self) -> Option<u64> {
        match &self.0 {
            // The first one is the header.
            Inner::Csv(records) => Some(records.count().saturating_sub(1)),
            Inner::Lines(lines) => Some(lines.count()),
            Inner::Marked { .. } => None,
        }
    }

    /// What is missing, if this is all.
    pub fn missing(&self) -> Option<&'static str> {
        match &self.0 {
            Inner::Csv(records) if records.is_quoted => Some("a quotation mark is not closed"),
            Inner::Csv(records) if records.count() == 0 => Some("there is no header line"),
            Inner::Marked { ends, begin, end } if !ends.are(begin, end) => {
                Some("there is no end mark")
            }
            Inner::Csv(_) | Inner::Lines(_) | Inner::Marked { .. } => None,
        }
    }
}

/// Records of csv (RFC 4180): a line break within quotes ends none. Quotes within quotes are doubled, so that they leave
/// and enter again.
#[derive(Debug, Default)]
struct Records {
    ended: u64,
    is_quoted: bool,
    /// Whether something stands behind the last record that ended.
    has_begun: bool,
}

impl Records {
    fn take(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let found = if self.is_quoted {
                memchr(b'"', rest)
            } else {
                memchr2(b'"', b'\n', rest)
            };
            let Some(at) = found else {
                self.has_begun = true;
                return;
            };
            if rest.get(at) == Some(&b'\n') {
                self.ended += 1;
                self.has_begun = false;
            } else {
                self.is_quoted = !self.is_quoted;
                self.has_begun = true;
            }
            rest = rest.get(at + 1..).unwrap_or_default();
        }
    }

    fn count(&self) -> u64 {
        self.ended + u64::from(self.has_begun)
    }
}

/// Lines of JSON: a line break within a string is written as `\n` there.
#[derive(Debug, Default)]
struct Lines {
    ended: u64,
    has_begun: bool,
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) {
        self.ended += memchr_iter(b'\n', bytes).count() as u64;
        if let Some(last) = bytes.last() {
            self.has_begun = *last != b'\n';
        }
    }

    fn count(&self) -> u64 {
        self.ended + u64::from(self.has_begun)
    }
}

/// The first and the last bytes.
#[derive(Debug, Default)]
struct Ends {
    bytes: u64,
    first: Vec<u8>,
    last: Vec<u8>,
}

impl Ends {
    /// Bytes that are kept of either end.
    const KEPT: usize = ARROW_END.len();

    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let wanted = Self::KEPT - self.first.len();
        self.first.extend(bytes.iter().take(wanted));
        let tail = bytes.len().saturating_sub(Self::KEPT);
        self.last
            .extend_from_slice(bytes.get(tail..).unwrap_or_default());
        let surplus = self.last.len().saturating_sub(Self::KEPT);
        self.last.drain(..surplus);
    }

    fn are(&self, begin: &[u8], end: &[u8]) -> bool {
        self.bytes >= (begin.len() + end.len()) as u64
            && self.first.starts_with(begin)
            && self.last.ends_with(end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arrived(format: TableFormat, pieces: &[&[u8]]) -> (Option<u64>, bool) {
        let mut arrived = Arrived::new(format);
        for piece in pieces {
            arrived.take(piece);
        }
        (arrived.rows(), arrived.missing().is_none())
    }

    #[test]
    fn a_line_break_within_quotes_is_no_row() {
        for (text, rows, is_whole) in [
            ("", 0, false),
            ("a,b\r\n", 0, true),
            ("a,b\r\n1,2\r\n", 1, true),
            ("a,b\r\n1,\"x\r\ny\"\r\n", 1, true),
            ("a,b\r\n1,\"\"\"\n\"\"\"\r\n\"\",3\r\n", 2, true),
            ("\u{feff}a\r\n\"\"\r\n\r\n", 2, true),
            // A last line may lack its end.
            ("a\r\n1", 1, true),
            ("a\r\n\"1\r\n", 1, false),
        ] {
            let found = arrived(TableFormat::Csv, &[text.as_bytes()]);
            assert_eq!(found, (Some(rows), is_whole), "{text:?}");
        }
    }

    #[test]
    fn lines_of_json_are_counted() {
        let lines = |pieces: &[&[u8]]| arrived(TableFormat::Ndjson, pieces);
        assert_eq!(lines(&[]), (Some(0), true));
        assert_eq!(lines(&[b"{}\n{", b"}", b"", b"\n"]), (Some(2), true));
        assert_eq!(lines(&[b"{}\n{}"]), (Some(2), true));
    }

    #[test]
    fn parquet_and_arrow_have_end_marks() {
        let parquet = |bytes: &[u8]| arrived(TableFormat::Parquet, &[bytes]);
        assert_eq!(parquet(b"PAR1 columns footer PAR1"), (None, true));
        assert_eq!(parquet(b"PAR1 columns foot"), (None, false));
        assert_eq!(parquet(b"PAR1"), (None, false), "one mark is not two");
        assert_eq!(parquet(b"<html>PAR1"), (None, false));
        assert_eq!(parquet(b""), (None, false));
        let arrow = |pieces: &[&[u8]]| arrived(TableFormat::Arrow, pieces);
        let schema = [0xFF, 0xFF, 0xFF, 0xFF, 16, 0, 0, 0];
        assert_eq!(arrow(&[&schema, ARROW_END]), (None, true));
        let (half, rest) = ARROW_END.split_at(3);
        assert_eq!(arrow(&[&schema, half, rest]), (None, true));
        assert_eq!(arrow(&[&schema, half]), (None, false));
    }

    /// The bytes in two pieces.
    fn cut(bytes: &[u8], at: usize) -> [&[u8]; 2] {
        let (first, second) = bytes.split_at(at % (bytes.len() + 1));
        [first, second]
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_bytes_are_cut(bytes in "[a\"\n\r,]{0,30}", at in 0..100_usize) {
            for format in TableFormat::ALL {
                let whole = arrived(*format, &[bytes.as_bytes()]);
                prop_assert_eq!(whole, arrived(*format, &cut(bytes.as_bytes(), at)));
            }
        }

        #[test]
        fn every_row_is_counted_whatever_is_in_it(rows in prop::collection::vec("[a\"\n\r,]{0,9}", 0..9)) {
            let mut text = "h\r\n".to_owned();
            for row in &rows {
                text.push_str(&format!("\"{}\"\r\n", row.replace('"', "\"\"")));
            }
            let found = arrived(TableFormat::Csv, &[text.as_bytes()]);
            prop_assert_eq!(found, (Some(rows.len() as u64), true));
        }
    }
}
