//! Writing JSON text piece by piece.

use utf16::FIRST_BYTE_OF_MARK;

use crate::scan::needs_escapes;

/// A text that is written often, with the JSON string that it is, if that was made beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownText<'t> {
    /// The text.
    pub text: &'t str,
    /// It as JSON, with quotation marks.
    pub json: Option<&'t str>,
}

/// A text of which no JSON was made.
impl<'t> From<&'t str> for KnownText<'t> {
    fn from(text: &'t str) -> Self {
        Self { text, json: None }
    }
}

/// The JSON string that a text is.
pub(crate) fn string_of(text: &str) -> String {
    let mut json = JsonText::default();
    json.string(text);
    // What is written is text.
    String::from_utf8(json.bytes).unwrap_or_default()
}

/// A growing piece of JSON text.
#[derive(Debug, Default)]
pub struct JsonText {
    bytes: Vec<u8>,
}

/// Goes on with what is there, whose bytes come out again with [`JsonText::into_bytes`].
impl From<Vec<u8>> for JsonText {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }
}

impl JsonText {
    /// Goes on with a buffer of somebody else.
    #[inline]
    pub fn extend(buffer: &mut Vec<u8>, write: impl FnOnce(&mut Self)) {
        let mut text = Self::from(std::mem::take(buffer));
        write(&mut text);
        *buffer = text.bytes;
    }

    /// The text so far.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether nothing has been written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Makes room for so many bytes more.
    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// The text as it is.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Text that is JSON already.
    #[inline]
    pub fn raw(&mut self, json: &str) {
        self.bytes.extend_from_slice(json.as_bytes());
    }

    /// A string of which it is known that nothing in it has to be escaped.
    #[inline]
    pub fn string_without_escapes(&mut self, text: &str) {
        self.bytes.reserve(text.len() + 2);
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(b'"');
    }

    /// A string, quoted and escaped.
    pub fn string(&mut self, text: &str) {
        if !needs_escapes(text.as_bytes(), FIRST_BYTE_OF_MARK) {
            return self.string_without_escapes(text);
        }
        if text.as_bytes().contains(&FIRST_BYTE_OF_MARK) {
            return self.bytes.extend_from_slice(&utf16::to_vec(&text));
        }
        // Writing a string to a vector can't fail: there is no I/O, and every `str` has a JSON form.
        let _ = serde_json::to_writer(&mut self.bytes, text);
    }

    /// A string that may have been made beforehand.
    #[inline]
    pub fn known_string(&mut self, text: KnownText<'_>) {
        match text.json {
            Some(json) => self.raw(json),
            None => self.string(text.text),
        }
    }

    /// A string, or `null`.
    pub fn optional_string(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.string(text),
            None => self.raw("null"),
        }
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, number: i64) {
        let mut digits = itoa::Buffer::new();
        self.raw(digits.format(number));
    }

    /// A count.
    #[inline]
    pub fn unsigned(&mut self, number: u64) {
        let mut digits = itoa::Buffer::new();
        self.raw(digits.format(number));
    }

    /// An integer, or `null`.
    pub fn optional_integer(&mut self, number: Option<i64>) {
        match number {
            Some(number) => self.integer(number),
            None => self.raw("null"),
        }
    }

    /// A number that has a fraction even where that is zero, or `null`; JSON knows no other than finite numbers.
    pub fn optional_double(&mut self, number: Option<f64>) {
        let Some(number) = number.filter(|number| number.is_finite()) else {
            return self.raw("null");
        };
        let text = format!("{number:?}");
        match text.split_once('e') {
            Some((digits, exponent)) if !digits.contains('.') => {
                self.raw(&format!("{digits}.0e{exponent}"));
            }
            _ => self.raw(&text),
        }
    }

    /// The name of a member with its colon; `first` says whether it is the first of its object.
    #[inline]
    pub fn name(&mut self, name: &str, first: &mut bool) {
        self.known_name(name.into(), first);
    }

    /// The same of a name that may have been made beforehand.
    #[inline]
    pub fn known_name(&mut self, name: KnownText<'_>, first: &mut bool) {
        self.separator(first);
        self.known_string(name);
        self.bytes.push(b':');
    }

    /// A comma before all but the first.
    #[inline]
    pub fn separator(&mut self, first: &mut bool) {
        if !std::mem::take(first) {
            self.bytes.push(b',');
        }
    }
}
