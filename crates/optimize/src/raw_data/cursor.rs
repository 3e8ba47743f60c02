//! Reading JSON text from front to back, without a tree and without copies.
//!
//! Most of a stored document is of no interest to a row, so that most of the time goes into skipping. A [`Cursor`] looks at
//! many bytes at a time while it skips ([`scan`](crate::scan)), and it can be put at the beginning of text whose end has not
//! arrived yet: that is [`ReadError::Incomplete`], not an error of the text.
//!
//! What is skipped is followed only as far as it takes to find its end. Elasticsearch has parsed every document before it
//! stored it; what is cut off or out of step is still noticed, because then brackets are missing.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use super::shape::Shapes;
use crate::scan::{begins_with, brackets_end, string_end};

/// Why something could not be read. Where that was is the [position](Cursor::position) of the cursor.
///
/// It takes a whole word, as [`Expected`] does. It shares its place with the address of a text in what every step gives back; where it takes
/// one byte, the compiler moves the other bytes of the address on their own, and the processor waits at each of some hundred steps until they
/// are together again: a sixth of the time of reading a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The text ends too early; with more of it, it can be tried again from the beginning.
    #[error("the text ends too early")]
    Incomplete,
    /// The text is not what it should be.
    #[error("{0} expected")]
    Expected(Expected),
    /// A fault of the reader: it came to a place that is none in the text.
    #[error("the reader lost its place")]
    LostPlace,
}

const _: () = assert!(size_of::<ReadError>() == size_of::<usize>());

/// What should have been there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Expected {
    /// `{`.
    Object,
    /// `[`.
    List,
    /// A quotation mark.
    String,
    /// Escapes that JSON knows, and no control characters.
    Characters,
    /// `:` after a name.
    Colon,
    /// `,` or a closing bracket after a value.
    CommaOrEnd,
    /// A number, `true`, `false` or `null`.
    Scalar,
    /// `null`, or an object.
    NullOrObject,
    /// A number, or a text that is one.
    Integer,
    /// Fewer lists in lists.
    LessDepth,
    /// A hit that has a document, and one only.
    Document,
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Object => "an object",
            Self::List => "a list",
            Self::String => "a string",
            Self::Characters => "a string with valid escapes",
            Self::Colon => "a colon",
            Self::CommaOrEnd => "a comma or a closing bracket",
            Self::Scalar => "a value",
            Self::NullOrObject => "null or an object",
            Self::Integer => "an integer",
            Self::LessDepth => "fewer lists in lists",
            Self::Document => "a hit with one document",
        })
    }
}

impl From<Expected> for ReadError {
    fn from(expected: Expected) -> Self {
        Self::Expected(expected)
    }
}

/// The text of a string of JSON, which is given with its quotation marks.
///
/// # Errors
/// It has escapes that JSON does not know, or control characters.
pub(super) fn unescaped(quoted: &str) -> Result<String, ReadError> {
    // Escapes are common, halves of surrogate pairs are not.
    serde_json::from_str(quoted)
        .or_else(|_| utf16::from_slice(quoted.as_bytes()))
        .map_err(|_| Expected::Characters.into())
}

/// What can be read from a [`Cursor`].
pub trait Read<'a>: Sized {
    /// Reads one value, however it is written.
    ///
    /// # Errors
    /// The value is cut off, or it is none of the kinds that are understood.
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ReadError>;

    /// Reads the value of a member in the place of what is there, whose room it may use; `shapes` are those of the objects within the object
    /// that has it.
    ///
    /// # Errors
    /// As [`Read::read`].
    #[inline]
    fn read_over(
        &mut self,
        cursor: &mut Cursor<'a>,
        _shapes: &mut Shapes,
        _member: usize,
    ) -> Result<(), ReadError> {
        *self = Self::read(cursor)?;
        Ok(())
    }
}

/// A place in JSON text.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    text: &'a str,
    position: usize,
}

impl<'a> Cursor<'a> {
    /// The beginning of a text.
    pub fn new(text: &'a str) -> Self {
        Self { text, position: 0 }
    }

    /// Bytes before this place.
    pub fn position(&self) -> usize {
        self.position
    }

    /// Reads a value of any type that can be read.
    ///
    /// # Errors
    /// As [`Read::read`].
    pub fn read<T: Read<'a>>(&mut self) -> Result<T, ReadError> {
        T::read(self)
    }

    /// Reads a value, and gives back the text that it was read from too.
    ///
    /// # Errors
    /// As [`Read::read`].
    pub fn read_with_text<T: Read<'a>>(&mut self) -> Result<(T, &'a str), ReadError> {
        self.peek()?;
        let before = self.clone();
        let value = self.read()?;
        Ok((value, before.until(self)))
    }

    /// The text from here to a later place.
    pub fn until(&self, later: &Self) -> &'a str {
        (self.text.get(self.position..later.position)).unwrap_or_default()
    }

    /// Goes on behind this text, if it comes next and there is any.
    #[inline]
    pub fn pass(&mut self, text: &str) -> bool {
        let comes_next = !text.is_empty() && begins_with(self.rest(), text.as_bytes());
        if comes_next {
            self.position += text.len();
        }
        comes_next
    }

    /// The first byte of the next value or bracket.
    ///
    /// # Errors
    /// There is none.
    #[inline]
    pub fn peek(&mut self) -> Result<u8, ReadError> {
        match self.text.as_bytes().get(self.position) {
            Some(&byte) if byte > b' ' => Ok(byte),
            _ => self.peek_behind_space(),
        }
    }

    #[cold]
    fn peek_behind_space(&mut self) -> Result<u8, ReadError> {
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.position) {
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Ok(byte);
            }
            self.position += 1;
        }
        Err(ReadError::Incomplete)
    }

    /// Reads an object; `member` has to read or skip the value of each member.
    ///
    /// # Errors
    /// It is no object, it is cut off, or `member` fails.
    #[inline]
    pub fn object(
        &mut self,
        mut member: impl FnMut(&str, &mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut is_first = true;
        while let Some(name) = self.next_member(is_first)? {
            member(&name, self)?;
            is_first = false;
        }
        Ok(())
    }

    /// Goes into an object, or behind the comma after a member, to the next name; `false` behind the end of the object.
    #[inline]
    fn has_member(&mut self, is_first: bool) -> Result<bool, ReadError> {
        if is_first {
            self.enter(b'{', Expected::Object, b'}')
        } else {
            self.goes_on(b'}')
        }
    }

    /// Goes to the value of the next member, and gives back its name; none behind the end of the object.
    ///
    /// # Errors
    /// It is no object, or it is cut off.
    #[inline]
    pub fn next_member(&mut self, is_first: bool) -> Result<Option<Cow<'a, str>>, ReadError> {
        if !self.has_member(is_first)? {
            return Ok(None);
        }
        let name = self.string()?;
        self.take(b':', Expected::Colon)?;
        Ok(Some(name))
    }

    /// Reads a list; `element` has to read or skip each element.
    ///
    /// # Errors
    /// It is no list, it is cut off, or `element` fails.
    #[inline]
    pub fn list(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut is_first = true;
        while self.has_element(is_first)? {
            element(self)?;
            is_first = false;
        }
        Ok(())
    }

    /// Goes into a list, or behind the comma after an element, to the next element; `false` behind the end of the list.
    ///
    /// # Errors
    /// It is no list, or it is cut off.
    #[inline]
    pub fn has_element(&mut self, is_first: bool) -> Result<bool, ReadError> {
        if is_first {
            self.enter(b'[', Expected::List, b']')
        } else {
            self.goes_on(b']')
        }
    }

    /// Goes into a list, to its first element or to its end.
    ///
    /// # Errors
    /// It is no list.
    pub fn enter_list(&mut self) -> Result<(), ReadError> {
        self.take(b'[', Expected::List)
    }

    /// Reads a string. It is borrowed unless it has escapes.
    ///
    /// # Errors
    /// It is no string, or it is cut off.
    #[inline]
    pub fn string(&mut self) -> Result<Cow<'a, str>, ReadError> {
        if self.peek()? == b'"'
            && let Some(quoted) = self.quoted()
        {
            let text = quoted.get(1..quoted.len() - 1);
            return Ok(Cow::Borrowed(text.ok_or(ReadError::LostPlace)?));
        }
        self.string_with_escapes()
    }

    /// Reads a string without escapes that begins at this place, if there is one; gives it back with its quotation marks.
    #[inline]
    pub fn quoted(&mut self) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        let start = self.position;
        if bytes.get(start) != Some(&b'"') {
            return None;
        }
        let end = string_end(bytes, start + 1)?;
        if bytes.get(end) != Some(&b'"') {
            return None;
        }
        let quoted = self.text.get(start..=end)?;
        self.position = end + 1;
        Some(quoted)
    }

    /// A part of the text. What has been read ends at brackets, quotation marks and the like, and never within a character.
    #[inline]
    fn slice(&self, range: Range<usize>) -> Result<&'a str, ReadError> {
        self.text.get(range).ok_or(ReadError::LostPlace)
    }

    #[cold]
    fn string_with_escapes(&mut self) -> Result<Cow<'a, str>, ReadError> {
        let quoted = self.quoted_with_escapes()?;
        unescaped(quoted).map(Cow::Owned)
    }

    /// Reads a string that may have escapes; gives it back as it is written, with its quotation marks. What its escapes are is not looked at.
    ///
    /// # Errors
    /// It is no string, or it is cut off.
    pub(super) fn quoted_with_escapes(&mut self) -> Result<&'a str, ReadError> {
        self.take(b'"', Expected::String)?;
        let start = self.position - 1;
        self.skip_string()?;
        self.slice(start..self.position)
    }

    /// Reads a number, `true`, `false` or `null` as it is written.
    ///
    /// # Errors
    /// It is something else, or it may go on where the text ends.
    #[inline]
    pub fn scalar(&mut self) -> Result<&'a str, ReadError> {
        self.peek()?;
        let rest = self.text.get(self.position..).ok_or(ReadError::LostPlace)?;
        let is_part =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        match rest.bytes().position(|byte| !is_part(&byte)) {
            Some(0) => Err(Expected::Scalar.into()),
            Some(length) => {
                self.position += length;
                rest.get(..length).ok_or(ReadError::LostPlace)
            }
            None => Err(ReadError::Incomplete),
        }
    }

    /// Goes to the end of the next value.
    ///
    /// # Errors
    /// There is none, or it is cut off.
    #[inline]
    pub fn skip(&mut self) -> Result<(), ReadError> {
        match self.peek()? {
            b'"' => {
                self.position += 1;
                self.skip_string()
            }
            b'{' | b'[' => self.skip_brackets(),
            b'n' if self.rest().starts_with(b"null") => {
                self.position += 4;
                Ok(())
            }
            _ => self.scalar().map(drop),
        }
    }

    /// Goes on after the last quotation mark of a string whose first one has been passed.
    #[inline]
    fn skip_string(&mut self) -> Result<(), ReadError> {
        let bytes = self.text.as_bytes();
        loop {
            let end = string_end(bytes, self.position).ok_or(ReadError::Incomplete)?;
            match bytes.get(end) {
                Some(b'"') => {
                    self.position = end + 1;
                    return Ok(());
                }
                Some(b'\\') => self.position = end + 2,
                _ => {
                    self.position = end;
                    return Err(Expected::Characters.into());
                }
            }
        }
    }

    /// Goes on after the bracket that closes the one at this place. However deep it goes, it takes no room.
    fn skip_brackets(&mut self) -> Result<(), ReadError> {
        let bytes = self.text.as_bytes();
        if let Some([b'[', b']'] | [b'{', b'}']) = bytes.get(self.position..self.position + 2) {
            self.position += 2;
            return Ok(());
        }
        match brackets_end(bytes, self.position) {
            Some(end) => {
                self.position = end;
                Ok(())
            }
            None => {
                self.position = bytes.len();
                Err(ReadError::Incomplete)
            }
        }
    }

    #[inline]
    fn rest(&self) -> &[u8] {
        (self.text.as_bytes())
            .get(self.position..)
            .unwrap_or_default()
    }

    #[inline]
    fn take(&mut self, wanted: u8, expected: Expected) -> Result<(), ReadError> {
        if self.peek()? != wanted {
            return Err(expected.into());
        }
        self.position += 1;
        Ok(())
    }

    /// Passes an opening bracket, and the closing one if nothing is between them: `false` then.
    #[inline]
    fn enter(&mut self, opening: u8, expected: Expected, closing: u8) -> Result<bool, ReadError> {
        self.take(opening, expected)?;
        let is_empty = self.peek()? == closing;
        self.position += usize::from(is_empty);
        Ok(!is_empty)
    }

    /// Passes a comma, or the closing bracket, after which it does not go on.
    #[inline]
    fn goes_on(&mut self, closing: u8) -> Result<bool, ReadError> {
        let byte = self.peek()?;
        if byte != b',' && byte != closing {
            return Err(Expected::CommaOrEnd.into());
        }
        self.position += 1;
        Ok(byte == b',')
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// Any JSON value, with awkward strings.
    pub fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".*".prop_map(Value::from),
            r#"[a-z\\"{}\[\],:\n]{0,12}"#.prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(".{0,9}", inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The same value, read by a cursor.
    fn read(cursor: &mut Cursor<'_>) -> Result<Value, ReadError> {
        Ok(match cursor.peek()? {
            b'"' => Value::from(cursor.string()?),
            b'{' => {
                let mut object = serde_json::Map::new();
                cursor.object(|name, cursor| {
                    object.insert(name.to_owned(), read(cursor)?);
                    Ok(())
                })?;
                Value::Object(object)
            }
            b'[' => {
                let mut list = Vec::new();
                cursor.list(|cursor| {
                    list.push(read(cursor)?);
                    Ok(())
                })?;
                Value::Array(list)
            }
            _ => serde_json::from_str(cursor.scalar()?).unwrap(),
        })
    }

    proptest! {
        #[test]
        fn a_value_is_read_as_serde_json_reads_it(value in json(), is_pretty in any::<bool>()) {
            let mut text = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let length = text.len();
            text.push_str(" ,\"");
            let mut cursor = Cursor::new(&text);
            prop_assert_eq!(read(&mut cursor).unwrap(), serde_json::from_str::<Value>(&text[..length]).unwrap());
            prop_assert_eq!(cursor.position(), length);
            let mut cursor = Cursor::new(&text);
            cursor.skip().unwrap();
            prop_assert_eq!(cursor.position(), length);
        }

        #[test]
        fn text_that_is_cut_off_is_incomplete(value in json(), cut in any::<prop::sample::Index>()) {
            let text = serde_json::to_string(&[&value]).unwrap();
            let cut = text.floor_char_boundary(cut.index(text.len()));
            prop_assert_eq!(Cursor::new(&text[..cut]).skip(), Err(ReadError::Incomplete));
            prop_assert_eq!(read(&mut Cursor::new(&text[..cut])), Err(ReadError::Incomplete));
        }

        #[test]
        fn no_text_makes_it_panic(text in r#"[a-e0-3\\"{}\[\],: \n\u{e9}]{0,30}"#) {
            let _ = Cursor::new(&text).skip();
            let _ = Cursor::new(&text).object(|_, cursor| cursor.skip());
            let _ = Cursor::new(&text).list(|cursor| cursor.string().map(drop));
        }

        #[test]
        fn the_end_of_a_string_is_found(text in r#"[a\u{80}"\\\n !#\[\]\u{ff}]{0,20}"#, from in 0..25_usize) {
            let bytes = text.as_bytes();
            let expected = (from..bytes.len()).find(|at| matches!(bytes[*at], b'"' | b'\\' | ..0x20));
            prop_assert_eq!(string_end(bytes, from), expected);
        }
    }

    #[test]
    fn however_deep_it_goes_it_can_be_skipped() {
        let text = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let mut cursor = Cursor::new(&text);
        cursor.skip().unwrap();
        assert_eq!(cursor.position(), text.len());
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        let mut cursor = Cursor::new(r#"{"a" 1}"#);
        let error = cursor.object(|_, cursor| cursor.skip());
        assert_eq!(error.unwrap_err().to_string(), "a colon expected");
        assert_eq!(cursor.position(), 5);
        assert!(Cursor::new("\"a\nb\"").string().is_err());
        assert!(Cursor::new(r#""\ud8zz""#).string().is_err());
        assert!(Cursor::new(r#""\x""#).string().is_err());
    }
}
