//! Results that are no rows: a number, a map, a map of maps; and their order.
//!
//! Source: crates/optimize/docs/results.md, "Entries" and "Order of entries"
//! (`CompositeCommandResult`, `MapResultEntryDto`, `HyperMapResultEntryDto`).

use std::cmp::Ordering;
use std::sync::Arc;

use crate::report::definition::{SortOrder, Sorting, VariableType};

/// Key of instances that lack the variable they are grouped by (`MISSING_VARIABLE_KEY`); last in every order by key.
pub const MISSING_KEY: &str = "missing";

/// What a report gives that aggregates.
#[derive(Debug, Clone, PartialEq)]
pub enum ReportResult {
    /// One number; `None` where there is no data.
    Number(Option<f64>),
    /// A number per key.
    Map(Vec<Entry<Option<f64>>>),
    /// A map per key.
    HyperMap(Vec<Entry<Vec<Entry<Option<f64>>>>>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<V> {
    /// The key. Entries of several groups share it.
    pub key: Arc<str>,
    /// What people read instead of the key.
    pub label: Arc<str>,
    /// The value.
    pub value: V,
}

impl<V> Entry<V> {
    /// An entry. A label is never empty: the key stands in for it.
    pub fn new(key: String, label: Option<String>, value: V) -> Self {
        let key: Arc<str> = key.into();
        let label = label.filter(|label| !label.is_empty());
        Self {
            label: label.map_or_else(|| Arc::clone(&key), Arc::from),
            key,
            value,
        }
    }
}

/// What the entries of a result are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderBy {
    /// The key; also for every criterion that is not known.
    Key,
    /// The label.
    Label,
    /// The value; entries whose value is a map have no order by value and are ordered by key.
    Value,
}

/// The order of the entries of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// What it looks at.
    pub by: OrderBy,
    /// Its direction. What is missing is last in both.
    pub direction: SortOrder,
    /// Keys are numbers.
    pub numeric_keys: bool,
}

impl Order {
    /// By key, smallest first.
    pub const BY_KEY: Self = Self {
        by: OrderBy::Key,
        direction: SortOrder::Asc,
        numeric_keys: false,
    };
    /// By label, smallest first.
    pub const BY_LABEL: Self = Self {
        by: OrderBy::Label,
        ..Self::BY_KEY
    };
    /// By key, keys being numbers.
    pub const BY_NUMERIC_KEY: Self = Self {
        numeric_keys: true,
        ..Self::BY_KEY
    };

    /// The order that the user wants, where there is one; otherwise this one.
    #[must_use]
    pub fn unless_sorted(self, sorting: Option<&Sorting>) -> Self {
        let Some(sorting) = sorting else { return self };
        Self {
            by: match sorting.by.as_deref() {
                Some("value") => OrderBy::Value,
                Some("label") => OrderBy::Label,
                _ => OrderBy::Key,
            },
            direction: sorting.order.unwrap_or(SortOrder::Asc),
            ..self
        }
    }

    /// The order of the values of a variable: numbers as numbers; dates in their own order, whatever the user wants
    /// (crates/optimize/docs/results.md, "Order of entries").
    pub fn of_variable(variable_type: VariableType, sorting: Option<&Sorting>) -> Self {
        match variable_type {
            VariableType::Date => Self::BY_KEY,
            number if number.is_numeric() => Self::BY_NUMERIC_KEY.unless_sorted(sorting),
            _ => Self::BY_KEY.unless_sorted(sorting),
        }
    }

    /// Sorts entries; those that are equal keep their places.
    fn sort<V>(&self, entries: &mut [Entry<V>], number: impl Fn(&V) -> Option<f64>) {
        entries.sort_by_cached_key(|entry| {
            let criterion = match self.by {
                OrderBy::Key if &*entry.key == MISSING_KEY => None,
                OrderBy::Key if self.numeric_keys => entry.key.parse().ok().map(Criterion::Number),
                OrderBy::Key => Some(Criterion::text(&entry.key)),
                OrderBy::Label => Some(Criterion::text(&entry.label)),
                OrderBy::Value => number(&entry.value).map(Criterion::Number),
            };
            Rank {
                criterion,
                direction: self.direction,
            }
        });
    }

    /// Sorts the entries of a map.
    pub fn sort_map(&self, entries: &mut [Entry<Option<f64>>]) {
        self.sort(entries, |value| *value);
    }

    /// Sorts the outer entries of a map of maps.
    pub fn sort_hyper_map(&self, entries: &mut [Entry<Vec<Entry<Option<f64>>>>]) {
        let mut order = *self;
        if order.by == OrderBy::Value {
            order.by = OrderBy::Key;
        }
        order.sort(entries, |_| None);
    }
}

/// What an entry is compared by.
#[derive(PartialEq)]
enum Criterion {
    Number(f64),
    /// UTF-16 units of the text in lower case, the units by which Java compares.
    Text(Vec<u16>),
}

impl Criterion {
    fn text(text: &str) -> Self {
        Self::Text(utf16::units(&text.to_lowercase()).collect())
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

/// The place of an entry: in the direction of the order, and what has no criterion last.
struct Rank {
    criterion: Option<Criterion>,
    direction: SortOrder,
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.criterion, &other.criterion) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => match self.direction {
                SortOrder::Asc => a.compare(b),
                SortOrder::Desc => b.compare(a),
            },
        }
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Rank {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Rank {}

impl ReportResult {
    /// How many records it counts as: entries, one for a number, none for no number.
    pub fn records(&self) -> u64 {
        match self {
            Self::Number(number) => u64::from(number.is_some()),
            Self::Map(entries) => entries.len() as u64,
            Self::HyperMap(entries) => entries.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(list: &[(&str, Option<f64>)]) -> Vec<Entry<Option<f64>>> {
        let entry =
            |(key, value): &(&str, Option<f64>)| Entry::new((*key).to_owned(), None, *value);
        list.iter().map(entry).collect()
    }

    fn sorted(order: Order, list: &[(&str, Option<f64>)]) -> String {
        let mut entries = entries(list);
        order.sort_map(&mut entries);
        let keys: Vec<Arc<str>> = entries.into_iter().map(|entry| entry.key).collect();
        keys.join(" ")
    }

    fn descending(order: Order) -> Order {
        Order {
            direction: SortOrder::Desc,
            ..order
        }
    }

    #[test]
    fn keys_are_compared_in_lower_case_and_missing_is_last() {
        let list = [("missing", None), ("b", None), ("C", None), ("a", None)];
        assert_eq!(sorted(Order::BY_KEY, &list), "a b C missing");
        assert_eq!(sorted(descending(Order::BY_KEY), &list), "C b a missing");
        assert_eq!(sorted(Order::BY_LABEL, &list), "a b C missing");
        assert_eq!(sorted(descending(Order::BY_LABEL), &list), "missing C b a");
    }

    #[test]
    fn texts_are_compared_by_their_utf_16_units() {
        // U+1F600 is a pair of surrogates and so before U+FF21.
        assert_eq!(
            sorted(Order::BY_KEY, &[("\u{ff21}", None), ("\u{1f600}", None)]),
            "\u{1f600} \u{ff21}"
        );
    }

    #[test]
    fn numbers_are_compared_as_numbers() {
        let list = [
            ("1.0E7", None),
            ("missing", None),
            ("20.0", None),
            ("-3.0", None),
        ];
        assert_eq!(
            sorted(Order::BY_NUMERIC_KEY, &list),
            "-3.0 20.0 1.0E7 missing"
        );
        assert_eq!(
            sorted(descending(Order::BY_NUMERIC_KEY), &list),
            "1.0E7 20.0 -3.0 missing"
        );
    }

    #[test]
    fn no_value_is_last_in_both_directions_and_ties_keep_their_places() {
        let by_value = Order {
            by: OrderBy::Value,
            ..Order::BY_KEY
        };
        let list = [
            ("n", None),
            ("z", Some(1.0)),
            ("a", Some(1.0)),
            ("b", Some(0.5)),
        ];
        assert_eq!(sorted(by_value, &list), "b z a n");
        assert_eq!(sorted(descending(by_value), &list), "z a b n");
    }

    #[test]
    fn maps_of_maps_have_no_order_by_value() {
        let by_value = Order {
            by: OrderBy::Value,
            ..Order::BY_KEY
        };
        let entry = |key: &str| Entry::new(key.to_owned(), Some("l".to_owned()), Vec::new());
        let mut entries = vec![entry("b"), entry("a")];
        by_value.sort_hyper_map(&mut entries);
        assert_eq!(entries, [entry("a"), entry("b")]);
    }

    #[test]
    fn the_users_order_wins() {
        let sorting = |by: Option<&str>, order| Sorting {
            by: by.map(str::to_owned),
            order,
        };
        let order = Order::BY_LABEL;
        assert_eq!(order.unless_sorted(None), order);
        assert_eq!(
            order.unless_sorted(Some(&sorting(None, None))),
            Order::BY_KEY
        );
        assert_eq!(
            order.unless_sorted(Some(&sorting(Some("variable:x"), Some(SortOrder::Desc)))),
            descending(Order::BY_KEY)
        );
        assert_eq!(
            Order::BY_NUMERIC_KEY.unless_sorted(Some(&sorting(Some("key"), None))),
            Order::BY_NUMERIC_KEY
        );
    }
}
