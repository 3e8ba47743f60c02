//! Names, and beginnings of names.

use std::fmt;

use serde_json::{Value, json};

/// What matches everything that begins with what stands before it, at the end of a pattern.
const ANYTHING: char = '*';

/// Names and patterns; a pattern is the beginning of a name with an asterisk at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patterns {
    names: Vec<String>,
    prefixes: Vec<String>,
}

impl Patterns {
    /// Match nothing.
    pub const NONE: Self = Self {
        names: Vec::new(),
        prefixes: Vec::new(),
    };

    /// Reads names and patterns. `\*` at the end of a name is an asterisk of the name.
    pub fn new<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Self {
        let mut patterns = Self::default();
        for text in texts {
            let text = text.as_ref();
            match text.strip_suffix(ANYTHING) {
                None => patterns.names.push(text.to_owned()),
                Some(prefix) => match prefix.strip_suffix('\\') {
                    Some(name) => patterns.names.push(format!("{name}{ANYTHING}")),
                    None => patterns.prefixes.push(prefix.to_owned()),
                },
            }
        }
        patterns
    }

    /// Whether a name is one of them.
    pub fn match_text(&self, name: &str) -> bool {
        self.match_two(name, "")
    }

    /// The same for a name in two parts.
    pub fn match_two(&self, first: &str, second: &str) -> bool {
        let is = |name: &String| name.strip_prefix(first) == Some(second);
        let begins = |prefix: &String| match prefix.strip_prefix(first) {
            Some(rest) => second.starts_with(rest),
            None => first.starts_with(prefix.as_str()),
        };
        self.names.iter().any(is) || self.prefixes.iter().any(begins)
    }

    /// Queries of which a document has to match one, if its field is to be one of them.
    pub(super) fn queries(&self, field: &str) -> Vec<Value> {
        let names = (!self.names.is_empty()).then(|| json!({"terms": {field: self.names}}));
        let prefixes = self.prefixes.iter();
        let prefixes = prefixes.map(|prefix| json!({"prefix": {field: {"value": prefix}}}));
        names.into_iter().chain(prefixes).collect()
    }
}

/// As they were read.
impl fmt::Display for Patterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self
            .names
            .iter()
            .map(|name| match name.strip_suffix(ANYTHING) {
                Some(rest) => format!("{rest}\\{ANYTHING}"),
                None => name.clone(),
            });
        let prefixes = self
            .prefixes
            .iter()
            .map(|prefix| format!("{prefix}{ANYTHING}"));
        let all: Vec<String> = names.chain(prefixes).collect();
        f.write_str(&all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_match_as_a_whole_and_patterns_by_their_beginning() {
        let patterns = Patterns::new(["order", "invoice-*", r"star\*", "a*b"]);
        for name in ["order", "invoice-", "invoice-eu", "star*", "a*b"] {
            assert!(patterns.match_text(name), "{name}");
        }
        for name in [
            "orders", "orde", "Order", "invoice", "star", "starry", "axb", "",
        ] {
            assert!(!patterns.match_text(name), "{name}");
        }
        assert!(Patterns::new(["*"]).match_text(""));
        assert!(!Patterns::NONE.match_text(""));
    }

    #[test]
    fn a_query_has_a_clause_for_all_names_and_one_for_each_pattern() {
        assert_eq!(
            Patterns::new(["a", "b*", "c"]).queries("key"),
            [
                json!({"terms": {"key": ["a", "c"]}}),
                json!({"prefix": {"key": {"value": "b"}}})
            ]
        );
        assert!(Patterns::NONE.queries("key").is_empty());
    }

    proptest! {
        #[test]
        fn where_a_name_is_cut_makes_no_difference(pattern in r"[ab:*\\]{0,5}", name in "[ab:*]{0,5}", at in 0_usize..6) {
            let patterns = Patterns::new([&pattern]);
            let (first, second) = name.split_at(at.min(name.len()));
            prop_assert_eq!(patterns.match_two(first, second), patterns.match_text(&name));
        }
    }
}
