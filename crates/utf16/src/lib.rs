//! Text that Java holds and Rust does not: halves of surrogate pairs.
//!
//! Java's strings are lists of UTF-16 units, and a text that was cut in the middle of an emoji ends in half of a surrogate
//! pair. Jackson, with which Optimize stores and answers, writes such a half as the escape `\ud83d`, or as three bytes that
//! are no UTF-8, and reads both again; Elasticsearch takes and returns either (tried with 7.17.8 and 8.16.6). A Rust string
//! can't hold it, and `serde_json` refuses the escape.
//!
//! So a half is *held* in a string as two characters: a mark, which is a character that Unicode keeps free for the inside of
//! programs, and one of a private range that says which half it is. JSON is prepared with [`hold`] before it is parsed, and
//! [`restore`] turns what was written back into escapes. In between, texts can be compared, sorted ([`units`]) and used as
//! keys like any others. A stored text that has these two characters itself comes out as the escape, unless it is repeated as it is stored.

use std::borrow::Cow;

use memchr::memmem;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Announces a half of a surrogate pair; a noncharacter (The Unicode Standard, section 23.7).
const MARK: char = '\u{10fffe}';
/// [`MARK`] in UTF-8.
const MARK_BYTES: &[u8] = b"\xf4\x8f\xbf\xbe";
/// Stands for the first half, U+D800; the others follow in their order.
const FIRST_STAND_IN: u32 = 0xf_0000;
/// How many halves there are.
const HALVES: u32 = 0x800;
/// The first half.
const FIRST_HALF: u16 = 0xd800;
/// The first half that is a second half.
const FIRST_LOW_HALF: u16 = 0xdc00;
/// Bytes of the escape `\ud83d`.
const ESCAPE_BYTES: usize = 6;
/// Bytes of a stand-in behind its mark.
const STAND_IN_BYTES: usize = 4;
/// What people see in place of what can't be shown.
const REPLACEMENT: &str = "\u{fffd}";

/// The first byte of the mark in UTF-8: text without it has nothing to [restore].
pub const FIRST_BYTE_OF_MARK: u8 = 0xf4;

/// JSON whose strings a Rust string can hold: every escape of half a pair is replaced by what stands for it.
///
/// Nothing is copied where there is none.
pub fn hold(json: &[u8]) -> Cow<'_, [u8]> {
    let mut held = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    let escapes = memmem::Finder::new(b"\\u");
    while let Some(found) = json.get(at..).and_then(|rest| escapes.find(rest)) {
        let start = at + found;
        at = start + ESCAPE_BYTES;
        if is_escaped(json, start) {
            at = start + 2;
            continue;
        }
        let Some(unit @ FIRST_HALF..=0xdfff) = escaped_unit(json, start) else {
            continue;
        };
        let is_pair = unit < FIRST_LOW_HALF
            && escaped_unit(json, at).is_some_and(|next| (FIRST_LOW_HALF..=0xdfff).contains(&next));
        if is_pair {
            at += ESCAPE_BYTES;
            continue;
        }
        held.extend_from_slice(json.get(copied..start).unwrap_or_default());
        push_half(&mut held, unit);
        copied = at;
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    held.extend_from_slice(json.get(copied..).unwrap_or_default());
    Cow::Owned(held)
}

/// Whether the backslash at this place is itself escaped.
fn is_escaped(json: &[u8], backslash: usize) -> bool {
    let before = json.get(..backslash).unwrap_or_default();
    let backslashes = before
        .iter()
        .rev()
        .take_while(|byte| **byte == b'\\')
        .count();
    backslashes % 2 == 1
}

/// The unit that the escape at this place stands for, if there is one.
fn escaped_unit(json: &[u8], at: usize) -> Option<u16> {
    let digits = json.get(at..at + ESCAPE_BYTES)?.strip_prefix(b"\\u")?;
    // `from_str_radix` would take a sign.
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

fn push_half(held: &mut Vec<u8>, half: u16) {
    let stand_in = char::from_u32(FIRST_STAND_IN + u32::from(half - FIRST_HALF)).unwrap_or(MARK);
    held.extend_from_slice(MARK_BYTES);
    held.extend_from_slice(stand_in.encode_utf8(&mut [0; STAND_IN_BYTES]).as_bytes());
}

/// Whether [`restore`] would change something.
pub fn needs_restoring(json: &[u8]) -> bool {
    memmem::find(json, MARK_BYTES).is_some()
}

/// JSON in which what stands for half a pair is an escape again, as Jackson writes it.
pub fn restore(json: Vec<u8>) -> Vec<u8> {
    if !needs_restoring(&json) {
        return json;
    }
    let mut restored = Vec::with_capacity(json.len());
    let mut rest = json.as_slice();
    while let Some(mark) = memmem::find(rest, MARK_BYTES) {
        let (before, from_mark) = rest.split_at_checked(mark).unwrap_or_default();
        restored.extend_from_slice(before);
        match half_at(from_mark) {
            Some(half) => {
                restored.extend_from_slice(format!("\\u{half:04X}").as_bytes());
                rest = from_mark
                    .get(MARK_BYTES.len() + STAND_IN_BYTES..)
                    .unwrap_or_default();
            }
            None => {
                restored.extend_from_slice(MARK_BYTES);
                rest = from_mark.get(MARK_BYTES.len()..).unwrap_or_default();
            }
        }
    }
    restored.extend_from_slice(rest);
    restored
}

/// The half that the text beginning with a mark stands for.
fn half_at(from_mark: &[u8]) -> Option<u16> {
    let stand_in = from_mark.get(MARK_BYTES.len()..MARK_BYTES.len() + STAND_IN_BYTES)?;
    half(std::str::from_utf8(stand_in).ok()?.chars().next()?)
}

/// The half that a character stands for behind a mark.
fn half(stand_in: char) -> Option<u16> {
    let number = u32::from(stand_in).checked_sub(FIRST_STAND_IN)?;
    let number = u16::try_from(number)
        .ok()
        .filter(|number| u32::from(*number) < HALVES)?;
    Some(FIRST_HALF + number)
}

/// The UTF-16 units of a text, as Java counts and compares them.
pub fn units(text: &str) -> impl Iterator<Item = u16> + '_ {
    let mut characters = text.chars().peekable();
    let mut second = None;
    std::iter::from_fn(move || {
        if let Some(unit) = second.take() {
            return Some(unit);
        }
        let character = characters.next()?;
        if character == MARK
            && let Some(half) = characters.peek().copied().and_then(half)
        {
            characters.next();
            return Some(half);
        }
        let mut units = [0; 2];
        let mut units = character.encode_utf16(&mut units).iter().copied();
        let first = units.next();
        second = units.next();
        first
    })
}

/// A text for the eyes of people, in logs and on terminals: a half of a pair can't be shown.
pub fn for_people(text: &str) -> Cow<'_, str> {
    if !text.contains(MARK) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == MARK && characters.peek().copied().and_then(half).is_some() {
            characters.next();
            shown.push_str(REPLACEMENT);
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

/// What JSON bytes are where they stop to be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IllFormed {
    /// A character in a form that Jackson reads all the same, as escapes, and how many bytes it has.
    Character(String, usize),
    /// The beginning of a character whose end is not there yet.
    Cut,
    /// Nothing that Elasticsearch can have stored.
    Damaged,
}

impl IllFormed {
    /// Looks at bytes that begin with what is no UTF-8.
    ///
    /// Jackson puts the bits of a character together without asking whether there are more bytes than it needs, or whether it
    /// is half of a surrogate pair (tried with Elasticsearch 8.16.6, which stores both and gives them back). Such a
    /// character stands within a string, where an escape says the same.
    pub fn at_start_of(bytes: &[u8]) -> Self {
        let (lead_bits, length) = match bytes.first().copied() {
            Some(lead @ 0xc0..=0xdf) => (lead & 0x1f, 2),
            Some(lead @ 0xe0..=0xef) => (lead & 0x0f, 3),
            Some(lead @ 0xf0..=0xf7) => (lead & 0x07, 4),
            _ => return Self::Damaged,
        };
        let mut code = u32::from(lead_bits);
        for position in 1..length {
            match bytes.get(position) {
                Some(byte) if byte & 0xc0 == 0x80 => code = code << 6 | u32::from(byte & 0x3f),
                Some(_) => return Self::Damaged,
                None => return Self::Cut,
            }
        }
        let escapes = match (u16::try_from(code), length) {
            (Ok(unit), 2 | 3) => format!("\\u{unit:04X}"),
            _ => {
                let code = code.wrapping_sub(0x1_0000);
                let (high, low) = (0xd800 | code >> 10 & 0x3ff, 0xdc00 | code & 0x3ff);
                format!("\\u{high:04X}\\u{low:04X}")
            }
        };
        Self::Character(escapes, length)
    }
}

/// Appends JSON bytes to JSON text, and gives back the beginning of a character that is cut off at their end.
///
/// # Errors
/// The bytes are nothing that Elasticsearch can have stored.
pub fn push_json<'b>(text: &mut String, bytes: &'b [u8]) -> Result<&'b [u8], Damaged> {
    let mut rest = bytes;
    loop {
        // All that an export reads goes through here, and the standard library does without vectors.
        let error = match simdutf8::compat::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return Ok(&[]);
            }
            Err(error) => error,
        };
        let (valid, ill_formed) = rest
            .split_at_checked(error.valid_up_to())
            .unwrap_or_default();
        text.push_str(std::str::from_utf8(valid).unwrap_or_default());
        match IllFormed::at_start_of(ill_formed) {
            IllFormed::Character(escapes, length) => {
                text.push_str(&escapes);
                rest = ill_formed.get(length..).unwrap_or_default();
            }
            IllFormed::Cut => return Ok(ill_formed),
            IllFormed::Damaged => return Err(Damaged),
        }
    }
}

/// Bytes that are no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not UTF-8")]
pub struct Damaged;

/// Parses JSON whose strings may be any that Java can hold.
///
/// # Errors
/// It is no JSON, or not of this type.
pub fn from_slice<T: DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    if simdutf8::basic::from_utf8(json).is_ok() {
        return serde_json::from_slice(&hold(json));
    }
    let mut text = String::with_capacity(json.len());
    match push_json(&mut text, json) {
        Ok([]) => serde_json::from_slice(&hold(text.as_bytes())),
        // The parser says where it stops.
        _ => serde_json::from_slice(json),
    }
}

/// Writes JSON with the strings as Java would have them.
pub fn to_vec(value: &impl Serialize) -> Vec<u8> {
    // What is written here are values, texts and numbers; all of them have a JSON form.
    restore(serde_json::to_vec(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// A JSON string of any units: each as an escape, or as it is where it is a plain letter.
    fn json_of(units: &[u16]) -> String {
        let mut json = String::from("\"");
        for unit in units {
            match u8::try_from(*unit) {
                Ok(letter) if letter.is_ascii_alphanumeric() => json.push(char::from(letter)),
                _ => json.push_str(&format!("\\u{unit:04x}")),
            }
        }
        json.push('"');
        json
    }

    /// The text that a JSON string holds.
    fn held(json: &str) -> String {
        serde_json::from_slice(&hold(json.as_bytes())).unwrap()
    }

    #[test]
    fn half_a_pair_is_held_and_comes_out_as_it_came() {
        for (json, people) in [
            (r#""cut \ud83d""#, "cut \u{fffd}"),
            (r#""\uDE00 low""#, "\u{fffd} low"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}\u{1f600}"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
        ] {
            assert!(serde_json::from_str::<String>(json).is_err());
            let text = held(json);
            assert_eq!(for_people(&text), people);
            let written = String::from_utf8(restore(serde_json::to_vec(&text).unwrap())).unwrap();
            let mut expected = json.to_lowercase();
            expected = expected.replace(r"\ud83d\ude00", "\u{1f600}");
            assert_eq!(written.to_lowercase(), expected);
        }
    }

    #[test]
    fn what_is_no_half_is_left_alone() {
        for json in [
            r#""\ud83d\ude00""#,
            r#""\\ud83d""#,
            r#""\\\\ud83d \u00e9 \n""#,
            r#""plain""#,
            r#""\u+d83""#,
            r#""\ud8""#,
            r"\u",
        ] {
            assert!(matches!(hold(json.as_bytes()), Cow::Borrowed(_)), "{json}");
        }
        assert_eq!(hold(br#""\\\ud83d""#).len(), r#""\\"#.len() + 8 + 1);
        let mark = String::from(MARK);
        assert_eq!(restore(mark.clone().into_bytes()), mark.as_bytes());
        assert_eq!(for_people(&mark), mark);
        assert_eq!(units(&mark).count(), 2);
    }

    #[test]
    fn bytes_that_are_no_utf_8_are_read_as_jackson_reads_them() {
        let text = |bytes: &[u8]| {
            let mut text = String::new();
            push_json(&mut text, bytes).map(|cut| (text, cut.len()))
        };
        assert_eq!(
            text(b"\"cut \xed\xa0\xbd\""),
            Ok((r#""cut \uD83D""#.to_owned(), 0))
        );
        assert_eq!(text(b"\"\xc0\xa2\""), Ok((r#""\u0022""#.to_owned(), 0)));
        assert_eq!(text(b"\"a\xed\xa0"), Ok(("\"a".to_owned(), 2)));
        assert_eq!(text(b"\"a\xf0"), Ok(("\"a".to_owned(), 1)));
        assert_eq!(text(b"\"\xff\""), Err(Damaged));
        assert_eq!(text(b"\"\xed\xa0\""), Err(Damaged));
        // An emoji as two halves of three bytes each, a slash in two bytes, an emoji in one byte more than there is room for.
        let emoji: String = from_slice(b"\"\xed\xa0\xbd\xed\xb8\x80 \xc0\xaf\"").unwrap();
        assert_eq!(emoji, "\u{1f600} /");
        assert!(from_slice::<String>(b"\"\xf4\x90\x80\x80\"").is_ok());
        assert!(from_slice::<String>(b"\"\xff\"").is_err());
    }

    fn any_units() -> impl Strategy<Value = Vec<u16>> {
        let unit = prop_oneof![any::<u16>(), 0xd7f0..0xe010_u16, 0x20..0x7f_u16];
        prop::collection::vec(unit, 0..20)
    }

    proptest! {
        #[test]
        fn any_utf_16_text_goes_in_and_comes_out(list in any_units()) {
            let text = held(&json_of(&list));
            prop_assert_eq!(units(&text).collect::<Vec<_>>(), list);
            // What is written is read as the same text again.
            let written = restore(serde_json::to_vec(&text).unwrap());
            prop_assert_eq!(held(std::str::from_utf8(&written).unwrap()), text);
        }

        #[test]
        fn texts_are_equal_when_their_units_are(a in any_units(), b in any_units()) {
            prop_assert_eq!(held(&json_of(&a)) == held(&json_of(&b)), a == b);
        }

        #[test]
        fn any_units_in_any_place_are_valid_json(list in any_units()) {
            let json = json_of(&list);
            let document = format!(r#"{{"a":[{json}],{json}:1}}"#);
            prop_assert!(serde_json::from_slice::<Value>(&hold(document.as_bytes())).is_ok());
        }

        #[test]
        fn the_cuts_of_bytes_make_no_difference(list in any_units(), cut in any::<prop::sample::Index>()) {
            // Each unit in three bytes, whether it needs them or not.
            let three = |unit: &u16| {
                let bits = |shift: u16| u8::try_from(unit >> shift & 0x3f).unwrap();
                [0xe0 | bits(12) & 0x0f, 0x80 | bits(6), 0x80 | bits(0)]
            };
            let bytes: Vec<u8> = list.iter().flat_map(three).collect();
            let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut text = String::from("\"");
            let mut left = push_json(&mut text, first).unwrap().to_vec();
            left.extend_from_slice(second);
            prop_assert_eq!(push_json(&mut text, &left), Ok(b"".as_slice()));
            text.push('"');
            if let Ok(read) = from_slice::<String>(text.as_bytes()) {
                prop_assert_eq!(units(&read).collect::<Vec<_>>(), list);
            } else {
                // Control characters, quotation marks and backslashes that stand as they are.
                prop_assert!(list.iter().any(|unit| matches!(unit, 0..0x20 | 0x22 | 0x5c)));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut text = String::new();
            let _ = push_json(&mut text, &bytes);
            let _ = from_slice::<Value>(&bytes);
        }
    }
}
