//! Looking for bytes in JSON text, sixteen or sixty-four at a time.
//!
//! Most of the text of a stored document is only passed over, so that most of the time of an export goes into finding where
//! strings and brackets end. The vectors are those that every processor of a kind has; elsewhere `wide` does without.

use wide::u8x16;

/// Bytes of a vector.
const VECTOR: usize = 16;
/// Bytes whose brackets are looked at together, one bit each.
const BLOCK: usize = 64;

/// The place of the first byte at or after `from` that a string can't go on over: a quotation mark, a backslash or a
/// control character; none before the end of the text.
#[inline]
pub fn string_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut position = from;
    let mut rest = bytes.get(from..)?;
    while let Some((vector, after)) = rest.split_first_chunk::<VECTOR>() {
        let found = ends_string(u8x16::from(*vector)).to_bitmask();
        if found != 0 {
            return Some(position + found.trailing_zeros() as usize);
        }
        position += VECTOR;
        rest = after;
    }
    let end = rest.iter().position(|byte| ends_string_byte(*byte));
    end.map(|offset| position + offset)
}

/// Whether bytes begin with a text. The comparison of the standard library is a call where the length is not known beforehand, which takes
/// longer than to compare the short texts of a document.
#[inline]
pub fn begins_with(bytes: &[u8], text: &[u8]) -> bool {
    let Some(bytes) = bytes.get(..text.len()) else {
        return false;
    };
    // What is left over at the end is compared together with what is before it.
    if let (Some(last), Some(last_of_text)) = (bytes.last_chunk(), text.last_chunk::<VECTOR>()) {
        let (vectors, _) = bytes.as_chunks();
        let (vectors_of_text, _) = text.as_chunks::<VECTOR>();
        return vectors.iter().zip(vectors_of_text).all(|(a, b)| a == b) && last == last_of_text;
    }
    if let (Some(last), Some(last_of_text)) = (bytes.last_chunk(), text.last_chunk::<8>()) {
        return bytes.first_chunk() == text.first_chunk::<8>() && last == last_of_text;
    }
    bytes.iter().zip(text).all(|(a, b)| a == b)
}

/// Whether a string with these bytes has to be written with escapes, or has the byte `other`.
#[inline]
pub fn needs_escapes(bytes: &[u8], other: u8) -> bool {
    let in_vector = |vector: [u8; VECTOR]| {
        let vector = u8x16::from(vector);
        (ends_string(vector) | vector.simd_eq(u8x16::splat(other))).to_bitmask() != 0
    };
    // What is left over at the end is looked at together with what is before it.
    if let Some(last) = bytes.last_chunk::<VECTOR>() {
        let (vectors, _) = bytes.as_chunks::<VECTOR>();
        return vectors.iter().any(|vector| in_vector(*vector)) || in_vector(*last);
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<8>(), bytes.last_chunk::<8>()) {
        let mut vector = [0; VECTOR];
        let (low, high) = vector.split_at_mut(VECTOR / 2);
        low.copy_from_slice(first);
        high.copy_from_slice(last);
        return in_vector(vector);
    }
    bytes
        .iter()
        .any(|byte| ends_string_byte(*byte) || *byte == other)
}

/// Whether a string can't go on over a byte.
#[inline]
const fn ends_string_byte(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | ..0x20)
}

/// The same of each byte of a vector.
#[inline]
fn ends_string(vector: u8x16) -> u8x16 {
    let quotes = vector.simd_eq(u8x16::splat(b'"'));
    let backslashes = vector.simd_eq(u8x16::splat(b'\\'));
    let controls = vector.min(u8x16::splat(0x1f)).simd_eq(vector);
    quotes | backslashes | controls
}

/// The place behind the bracket that closes the one at `from`; none before the end of the text. However deep it goes, it takes
/// no room. Brackets of the two kinds are not told apart.
pub fn brackets_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut depth = 0_u32;
    let mut strings = Strings::default();
    let mut position = from;
    let mut rest = bytes.get(from..)?;
    loop {
        let (found, length) = match rest.split_first_chunk::<BLOCK>() {
            Some((block, after)) => {
                rest = after;
                (Found::of(block), BLOCK)
            }
            None => {
                let mut block = [b' '; BLOCK];
                block.get_mut(..rest.len())?.copy_from_slice(rest);
                (Found::of(&block), std::mem::take(&mut rest).len())
            }
        };
        let outside = !strings.inside(&found);
        let (opening, closing) = (found.opening & outside, found.closing & outside);
        let mut brackets = opening | closing;
        while brackets != 0 {
            let bit = brackets & brackets.wrapping_neg();
            brackets ^= bit;
            if opening & bit != 0 {
                depth += 1;
            } else {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(position + bit.trailing_zeros() as usize + 1);
                }
            }
        }
        if length < BLOCK {
            return None;
        }
        position += BLOCK;
    }
}

/// What is where in a block: a bit for each byte, the lowest for the first.
struct Found {
    quotes: u64,
    backslashes: u64,
    opening: u64,
    closing: u64,
}

impl Found {
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        let mut found = Self {
            quotes: 0,
            backslashes: 0,
            opening: 0,
            closing: 0,
        };
        let (vectors, _) = block.as_chunks::<VECTOR>();
        for (number, vector) in vectors.iter().enumerate() {
            let vector = u8x16::from(*vector);
            let at = number * VECTOR;
            let bits = |vector: u8x16| u64::from(vector.to_bitmask()) << at;
            // `[` and `{` differ in one bit, as do `]` and `}`, and no other byte is like them without it.
            let folded = vector | u8x16::splat(0x20);
            found.quotes |= bits(vector.simd_eq(u8x16::splat(b'"')));
            found.backslashes |= bits(vector.simd_eq(u8x16::splat(b'\\')));
            found.opening |= bits(folded.simd_eq(u8x16::splat(b'{')));
            found.closing |= bits(folded.simd_eq(u8x16::splat(b'}')));
        }
        found
    }
}

/// What goes on from one block to the next.
#[derive(Default)]
struct Strings {
    /// All bits, where the block before ended in a string.
    open: u64,
    /// Whether the first byte of the next block is escaped.
    escaped: bool,
}

impl Strings {
    /// Which bytes of a block are in strings, their first quotation marks among them.
    #[inline]
    fn inside(&mut self, found: &Found) -> u64 {
        let quotes = found.quotes & !self.escaped(found.backslashes);
        let mut inside = quotes;
        for shift in [1, 2, 4, 8, 16, 32] {
            inside ^= inside << shift;
        }
        inside ^= self.open;
        self.open = if inside >> (BLOCK - 1) == 0 {
            0
        } else {
            u64::MAX
        };
        inside
    }

    /// Which bytes of a block are escaped.
    #[inline]
    fn escaped(&mut self, backslashes: u64) -> u64 {
        let mut escaped = u64::from(std::mem::take(&mut self.escaped));
        let mut left = backslashes & !escaped;
        while left != 0 {
            let bit = left & left.wrapping_neg();
            let next = bit << 1;
            self.escaped = next == 0;
            escaped |= next;
            left &= !(bit | next);
        }
        escaped
    }
}

/// Whether a text has exactly the form of a stored date, `2021-12-02T17:21:49.330+0200`.
#[inline]
pub fn is_plain_date(text: &[u8]) -> bool {
    const FORM: [u8; 28] = *b"0000-00-00T00:00:00.000+0000";
    let Ok(text) = <&[u8; 28]>::try_from(text) else {
        return false;
    };
    // Without an end in between, the compiler makes vectors of it.
    let mut differs = false;
    for (byte, form) in text.iter().zip(FORM) {
        differs |= match form {
            b'0' => !byte.is_ascii_digit(),
            b'+' => *byte != b'+' && *byte != b'-',
            _ => *byte != form,
        };
    }
    !differs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Where a bracket closes, byte by byte.
    fn brackets_end_by_bytes(bytes: &[u8]) -> Option<usize> {
        let (mut depth, mut in_string, mut escaped) = (0, false, false);
        for (position, byte) in bytes.iter().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                b'{' | b'[' if !in_string => depth += 1,
                b'}' | b']' if !in_string => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(position + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Text with much of what matters, longer than a block.
    fn text() -> impl Strategy<Value = String> {
        r#"[a\\\\"{}\[\]ü{}"]{0,200}"#
    }

    proptest! {
        #[test]
        fn brackets_end_where_they_end_byte_by_byte(text in text(), strings in prop::collection::vec(text(), 0..4)) {
            let strings: Vec<String> = strings.into_iter().map(|text| serde_json::Value::from(text).to_string()).collect();
            let json = format!("[{}]{text}", strings.join(","));
            prop_assert_eq!(brackets_end(json.as_bytes(), 0), brackets_end_by_bytes(json.as_bytes()));
            for end in 0..json.len() {
                let cut = json.as_bytes().get(..end).unwrap();
                prop_assert_eq!(brackets_end(cut, 0), brackets_end_by_bytes(cut));
            }
        }

        #[test]
        fn texts_begin_as_they_begin_byte_by_byte(text in "[ab]{0,70}", length in 0..70_usize, other in 0..70_usize) {
            let begin = text.get(..length).unwrap_or_default();
            prop_assert!(begins_with(text.as_bytes(), begin.as_bytes()));
            let mut begin = begin.as_bytes().to_vec();
            if let Some(byte) = begin.get_mut(other) {
                *byte = b'c';
            }
            prop_assert_eq!(begins_with(text.as_bytes(), &begin), text.as_bytes().starts_with(&begin));
            let longer = format!("{text}a");
            prop_assert!(!begins_with(text.as_bytes(), longer.as_bytes()));
        }

        #[test]
        fn any_text_has_an_end_or_none(text in text()) {
            // Backslashes outside of strings are no JSON; all that is asked is that nothing breaks.
            let _ = brackets_end(text.as_bytes(), 0);
        }

        #[test]
        fn strings_end_where_they_end_byte_by_byte(text in "[a-zü]{0,70}", end in prop_oneof![Just('"'), Just('\\'), Just('\n'), Just('\u{1f}'), Just(' ')]) {
            let whole = format!("{text}{end}tail");
            let expected = (end != ' ').then_some(text.len());
            prop_assert_eq!(string_end(whole.as_bytes(), 0), expected);
            let needs = |byte| needs_escapes(whole.as_bytes(), byte);
            prop_assert_eq!(needs(0xf4), end != ' ');
            prop_assert!(needs(b't'));
            prop_assert_eq!(needs_escapes(text.as_bytes(), 0xf4), false);
            prop_assert_eq!(needs_escapes(text.as_bytes(), b'a'), text.contains('a'));
        }
    }

    #[test]
    fn each_byte_of_a_date_counts() {
        const DATE: &str = "2021-12-02T17:21:49.330+0200";
        assert!(is_plain_date(DATE.as_bytes()));
        assert!(is_plain_date(DATE.replace('+', "-").as_bytes()));
        assert!(!is_plain_date(DATE.get(1..).unwrap().as_bytes()));
        for position in 0..DATE.len() {
            let mut date = DATE.as_bytes().to_vec();
            *date.get_mut(position).unwrap() = b'x';
            assert!(!is_plain_date(&date), "{position}");
        }
    }
}
