//! Reading one answer of the export while it arrives.
//!
//! Rows are handed on one by one as they stand in the answer, so that no more than one of them is held. Whoever takes
//! them has to know that an answer counts as a page only if [`read_page`] has come to its end: a body that breaks off
//! may have delivered rows before.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

/// An answer that arrived as a whole.
#[derive(Debug, Default)]
pub struct Page {
    /// The scroll to go on with; without one, everything is in this answer.
    pub search_request_id: Option<String>,
    /// Something that the reader should know.
    pub message: Option<String>,
    /// Records in this answer, as the service counts them.
    pub records: Option<u64>,
    /// Records over all pages.
    pub total: Option<u64>,
    /// Rows that were handed on.
    pub rows: u64,
    /// The value of `data` where the answer belongs to no scroll: the result of a report that aggregates, or no rows at
    /// all.
    pub whole_data: Option<Box<RawValue>>,
}

/// Takes what arrives.
pub trait Receiver {
    /// Why it takes no more.
    type Error;
    /// The number of records over all pages is known, before the first row.
    fn total(&mut self, total: u64);
    /// A row, as it stands in the answer.
    fn row(&mut self, row: &str) -> Result<(), Self::Error>;
}

/// Why an answer is no page.
#[derive(Debug)]
pub enum PageError<E> {
    /// Its body broke off, or the connection did.
    Broken(String),
    /// It is something else than an answer of the export.
    Unreadable(String),
    /// The receiver took no more.
    Receiver(E),
}

/// Reads an answer to its end, whatever the order of its members; only `searchRequestId` has to come before `data`, as it
/// does in Optimize.
///
/// # Errors
/// See [`PageError`]. Rows may have been handed on by then.
pub fn read_page<R: Receiver>(
    body: impl Read,
    receiver: &mut R,
) -> Result<Page, PageError<R::Error>> {
    let mut body = Body {
        body,
        has_ended: false,
    };
    let mut deserializer = serde_json::Deserializer::from_reader(&mut body);
    let mut stopped = None;
    let reader = PageReader {
        receiver,
        stopped: &mut stopped,
    };
    let page = reader.deserialize(&mut deserializer).and_then(|page| {
        // Only now it is known that nothing was cut off.
        deserializer.end()?;
        Ok(page)
    });
    page.map_err(|error| match stopped {
        Some(stopped) => PageError::Receiver(stopped),
        // Where a number breaks off, the parser blames the number and not the end.
        None if error.is_io() || body.has_ended => PageError::Broken(error.to_string()),
        None => PageError::Unreadable(error.to_string()),
    })
}

/// A body that knows whether all of it was read.
struct Body<R> {
    body: R,
    has_ended: bool,
}

impl<R: Read> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.body.read(buffer)?;
        self.has_ended = read == 0 && !buffer.is_empty();
        Ok(read)
    }
}

struct PageReader<'r, R: Receiver> {
    receiver: &'r mut R,
    stopped: &'r mut Option<R::Error>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Member {
    SearchRequestId,
    Message,
    NumberOfRecordsInResponse,
    TotalNumberOfRecords,
    Data,
    #[serde(other)]
    Other,
}

impl<'de, R: Receiver> DeserializeSeed<'de> for PageReader<'_, R> {
    type Value = Page;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Page, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, R: Receiver> Visitor<'de> for PageReader<'_, R> {
    type Value = Page;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer of an export")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Page, A::Error> {
        let mut page = Page::default();
        while let Some(member) = members.next_key()? {
            match member {
                Member::SearchRequestId => page.search_request_id = members.next_value()?,
                Member::Message => {
                    let message: Option<Box<RawValue>> = members.next_value()?;
                    let text = |message: Box<RawValue>| {
                        utf16::from_slice(message.get().as_bytes()).map_err(A::Error::custom)
                    };
                    page.message = message.map(text).transpose()?;
                }
                Member::NumberOfRecordsInResponse => page.records = members.next_value()?,
                Member::TotalNumberOfRecords => {
                    page.total = members.next_value()?;
                    if let Some(total) = page.total {
                        self.receiver.total(total);
                    }
                }
                Member::Data if page.search_request_id.is_some() => {
                    page.rows = members.next_value_seed(Rows {
                        receiver: &mut *self.receiver,
                        stopped: &mut *self.stopped,
                    })?;
                }
                Member::Data => page.whole_data = members.next_value()?,
                Member::Other => {
                    members.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(page)
    }
}

/// The rows of `data`; gives how many there were.
struct Rows<'r, R: Receiver> {
    receiver: &'r mut R,
    stopped: &'r mut Option<R::Error>,
}

impl<'de, R: Receiver> DeserializeSeed<'de> for Rows<'_, R> {
    type Value = u64;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<u64, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, R: Receiver> Visitor<'de> for Rows<'_, R> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<u64, A::Error> {
        let mut rows = 0;
        while let Some(row) = list.next_element::<Box<RawValue>>()? {
            if let Err(stopped) = self.receiver.row(row.get()) {
                *self.stopped = Some(stopped);
                return Err(A::Error::custom("the reader stopped"));
            }
            rows += 1;
        }
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Collects rows, and stops after so many.
    struct Collector {
        rows: Vec<String>,
        total: Option<u64>,
        most: usize,
    }

    impl Receiver for Collector {
        type Error = &'static str;
        fn total(&mut self, total: u64) {
            self.total = Some(total);
        }
        fn row(&mut self, row: &str) -> Result<(), &'static str> {
            if self.rows.len() == self.most {
                return Err("enough");
            }
            self.rows.push(row.to_owned());
            Ok(())
        }
    }

    fn read(body: &[u8], most: usize) -> (Result<Page, PageError<&'static str>>, Collector) {
        let mut collector = Collector {
            rows: Vec::new(),
            total: None,
            most,
        };
        // One byte at a time: where the network cuts must make no difference.
        let result = read_page(Trickle(body), &mut collector);
        (result, collector)
    }

    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            let mut one = self.0.take(1);
            let read = one.read(buffer)?;
            self.0 = &self.0[read..];
            Ok(read)
        }
    }

    const PAGE: &str = r#"{"searchRequestId":"s\"","totalNumberOfRecords":7,"reportId":"r","data":[{"a":"]}\""} , {"b" :1.0}],"numberOfRecordsInResponse":2}"#;

    #[test]
    fn rows_come_out_as_they_stand_in_the_answer() {
        let (page, collector) = read(PAGE.as_bytes(), 9);
        let page = page.unwrap();
        assert_eq!(collector.rows, [r#"{"a":"]}\""}"#, r#"{"b" :1.0}"#]);
        assert_eq!(collector.total, Some(7));
        assert_eq!(page.search_request_id.as_deref(), Some("s\""));
        assert_eq!((page.records, page.total, page.rows), (Some(2), Some(7), 2));
        assert!(page.whole_data.is_none());
    }

    #[test]
    fn an_answer_that_is_cut_off_is_broken_wherever_that_is() {
        for cut in 0..PAGE.len() {
            let (page, _) = read(&PAGE.as_bytes()[..cut], 9);
            assert!(
                matches!(page, Err(PageError::Broken(_))),
                "cut at {cut}: {page:?}"
            );
        }
    }

    #[test]
    fn without_a_scroll_the_data_is_one_value() {
        for data in ["1.50", r#"[{"key":"a","value":1.0}]"#, "[]"] {
            let body = format!(
                r#"{{"message":"m","numberOfRecordsInResponse":1,"totalNumberOfRecords":1,"reportId":"r","data":{data}}}"#
            );
            let (page, collector) = read(body.as_bytes(), 0);
            let page = page.unwrap();
            assert_eq!(page.whole_data.unwrap().get(), data);
            assert_eq!(page.message.as_deref(), Some("m"));
            assert!(collector.rows.is_empty());
        }
        let (page, _) = read(
            br#"{"numberOfRecordsInResponse":0,"totalNumberOfRecords":0,"reportId":"r"}"#,
            0,
        );
        assert!(page.unwrap().whole_data.is_none());
    }

    #[test]
    fn other_answers_are_unreadable() {
        for body in [
            "<html>",
            "[]",
            r#"{"searchRequestId":"s","data":7}"#,
            r#"{"searchRequestId":"s","data":[1 2]}"#,
            r#"{} {}"#,
        ] {
            assert!(
                matches!(read(body.as_bytes(), 9).0, Err(PageError::Unreadable(_))),
                "{body}"
            );
        }
    }

    #[test]
    fn a_receiver_may_stop() {
        let (page, collector) = read(PAGE.as_bytes(), 1);
        assert!(matches!(page, Err(PageError::Receiver("enough"))));
        assert_eq!(collector.rows.len(), 1);
    }
}
