//! What Java does that shows in a result: the text of a number, and the order of a `HashMap`.

use std::collections::HashSet;

/// A number as `Double.toString` writes it: `1000.0`, `1.25E8`, `1.0E-4`.
///
/// The keys of duration buckets are such texts (crates/optimize/docs/dates-and-numbers.md, "Java's text of a double"). Digits are
/// the shortest that read back as the same number, as in Java 19 and later.
pub fn double_to_string(number: f64) -> String {
    if !number.is_finite() || number == 0.0 {
        return match number {
            _ if number.is_nan() => "NaN".to_owned(),
            _ if number == 0.0 => format!("{number:?}"),
            _ if number > 0.0 => "Infinity".to_owned(),
            _ => "-Infinity".to_owned(),
        };
    }
    if (1e-3..1e7).contains(&number.abs()) {
        return format!("{number:?}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => text,
    }
}

/// Smallest table of a `HashMap`.
const SMALLEST_TABLE: usize = 16;

/// Entries in the order in which a Java `HashMap` iterates over them, when they were put into it in the given order.
///
/// It decides between entries that are equal in the order of a result (crates/optimize/docs/dates-and-numbers.md, "Hash order").
pub fn hash_map_order<T>(entries: Vec<T>, key: impl Fn(&T) -> &str) -> Vec<T> {
    let mut table = SMALLEST_TABLE;
    // A table grows when it is more than three quarters full.
    while entries.len() * 4 > table * 3 {
        table *= 2;
    }
    let mut entries = entries;
    entries.sort_by_cached_key(|entry| {
        let hash = string_hash(key(entry));
        (hash ^ (hash >> 16)) as usize & (table - 1)
    });
    entries
}

/// Entries without those whose key an earlier one has: keys are a set, and in Optimize the first one counts
/// (crates/optimize/docs/groups.md, "Group by variable").
pub fn first_of_each_key<T>(mut entries: Vec<(String, T)>) -> Vec<(String, T)> {
    let mut known = HashSet::with_capacity(entries.len());
    entries.retain(|(key, _)| known.insert(key.clone()));
    entries
}

/// Whether a text has nothing but white space in the sense of `Character.isWhitespace`.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|letter| match letter {
        // Spaces that don't break a line, and a line end that Java doesn't know as one.
        '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{85}' => false,
        '\u{1c}'..='\u{1f}' => true,
        other => other.is_whitespace(),
    })
}

/// `String.hashCode`.
fn string_hash(text: &str) -> u32 {
    utf16::units(text).fold(0_u32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(u32::from(unit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_spelled_as_in_java() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1000.0, "1000.0"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (86_400_000.0, "8.64E7"),
            (125_000_000.0, "1.25E8"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (-1.5e10, "-1.5E10"),
            (f64::INFINITY, "Infinity"),
        ] {
            assert_eq!(double_to_string(number), text);
        }
    }

    #[test]
    fn white_space_is_blank() {
        assert!(
            ["", " ", "\t \n", "\u{1c}", "\u{3000}"]
                .into_iter()
                .all(is_blank)
        );
        assert!(!["a", " a ", "\u{a0}", "\u{202f}"].into_iter().any(is_blank));
    }

    #[test]
    fn strings_have_the_hash_of_java() {
        assert_eq!(string_hash(""), 0);
        assert_eq!(string_hash("hello"), 99_162_322);
        assert_eq!(
            string_hash("startEvent"),
            "startEvent"
                .chars()
                .fold(0_u32, |h, c| h.wrapping_mul(31).wrapping_add(c as u32))
        );
    }

    #[test]
    fn entries_come_in_the_order_of_their_slots() {
        // One-letter hashes are the letters themselves: `a` is 97, slot 1 of 16; `p` is 112, slot 0.
        let order = |keys: &[&str]| {
            hash_map_order(
                keys.iter().map(ToString::to_string).collect(),
                |key: &String| key.as_str(),
            )
            .concat()
        };
        assert_eq!(order(&["a", "p", "q"]), "paq");
        assert_eq!(order(&["q", "p", "a"]), "pqa");
        // From 13 entries on there are 32 slots, and `q` (113) is in slot 17.
        assert_eq!(
            order(&[
                "q", "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"
            ]),
            "abcdefghijklq"
        );
    }

    #[test]
    fn of_several_with_the_same_key_the_first_counts() {
        let entries = ["missing", "a", "", "missing", "A", ""].map(str::to_owned);
        let entries = entries.into_iter().zip(1..).collect();
        let expected = [("missing", 1), ("a", 2), ("", 3), ("A", 5)];
        assert_eq!(
            first_of_each_key(entries),
            expected.map(|(key, number)| (key.to_owned(), number))
        );
    }

    proptest! {
        #[test]
        fn numbers_read_back(number in proptest::num::f64::NORMAL) {
            prop_assert_eq!(double_to_string(number).parse::<f64>().unwrap(), number);
        }
    }
}
