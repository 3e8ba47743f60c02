//! Which columns of a table a client asked for, and in which order.

use std::collections::{HashMap, HashSet};
use std::fmt;

use super::process::instances::REST;
use super::schema::{Schema, Table};
use crate::access::columns::{DURATION_PREFIX, INPUT_PREFIX, OUTPUT_PREFIX, VARIABLE_PREFIX};
use crate::raw_data::variables::java_order;
use crate::report::definition::TableColumns;

/// Stands for the columns that the report's owner chose.
const STORED: &str = "stored";
/// Before the name of a count.
const COUNT_PREFIX: &str = "count:";
/// Columns that Optimize's own tables don't have, or don't show: they are stored columns only if they are named
/// (crates/optimize/docs/raw-data.md, "Columns of the CSV export").
const NOT_OF_OPTIMIZE: [&str; 4] = ["businessKey", "processDefinitionVersion", "state", REST];
/// Names that are similar to an unknown one, at most.
const MAX_SIMILAR: usize = 3;
/// Unknown names that similar ones are looked for: each is compared with all columns.
const MAX_COMPARED: usize = 10;
/// Characters of a name that is compared. It takes their square.
const MAX_COMPARED_LENGTH: usize = 100;

/// Columns as a client asks for them: names and patterns, in the order wanted. None mean all columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection(Vec<Item>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    /// One column.
    Name(String),
    /// All columns whose names begin so.
    Prefix(String),
    /// Those that the report's owner chose.
    Stored,
}

impl Selection {
    /// Reads a list of names and patterns, separated by commas.
    ///
    /// `\,` is a comma within a name, `\*` an asterisk at its end and `\\` a backslash before one of them; any other
    /// backslash stands for itself. An asterisk at the end makes a pattern, elsewhere it is a letter. Empty items don't
    /// count.
    pub fn parse(text: &str) -> Self {
        let mut items = Vec::new();
        let mut name = String::new();
        let mut ends_in_asterisk = false;
        let mut has_escapes = false;
        let mut letters = text.chars().peekable();
        loop {
            let letter = letters.next();
            match letter {
                None | Some(',') => {
                    let name = std::mem::take(&mut name);
                    items.extend(match name.strip_suffix('*').filter(|_| ends_in_asterisk) {
                        Some(prefix) => Some(Item::Prefix(prefix.to_owned())),
                        None if name.is_empty() => None,
                        None if name == STORED && !has_escapes => Some(Item::Stored),
                        None => Some(Item::Name(name)),
                    });
                    (ends_in_asterisk, has_escapes) = (false, false);
                    if letter.is_none() {
                        return Self(items);
                    }
                }
                Some('\\') => {
                    let escaped = letters.next_if(|next| matches!(next, ',' | '*' | '\\'));
                    name.push(escaped.unwrap_or('\\'));
                    (ends_in_asterisk, has_escapes) = (false, true);
                }
                Some(letter) => {
                    name.push(letter);
                    ends_in_asterisk = letter == '*';
                }
            }
        }
    }

    /// The columns that are asked for by their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|item| match item {
            Item::Name(name) => Some(name.as_str()),
            Item::Prefix(_) | Item::Stored => None,
        })
    }

    /// Whether all columns are wanted, in the order of the table.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all columns that are wanted are such as this schema has, one that does not depend on the instances. Names of
    /// patterns do, and so does the column for what fits no other.
    pub fn is_within(&self, fixed: &Schema) -> bool {
        let is_fixed = |item: &Item| match item {
            Item::Name(name) if name != REST => {
                fixed.columns.iter().any(|column| column.name == *name)
            }
            Item::Name(_) | Item::Prefix(_) | Item::Stored => false,
        };
        !self.is_everything() && self.0.iter().all(is_fixed)
    }

    /// Positions of the columns in the order wanted, each once: the first mention counts. A pattern may fit none, so that
    /// there may be no columns at all.
    ///
    /// # Errors
    /// There is no column of a name.
    pub fn apply(
        &self,
        schema: &Schema,
        stored: Option<&TableColumns>,
    ) -> Result<Vec<usize>, UnknownColumns> {
        let all = || 0..schema.columns.len();
        if self.is_everything() {
            return Ok(all().collect());
        }
        let names: Vec<&str> = (schema.columns.iter())
            .map(|column| column.name.as_str())
            .collect();
        let positions: HashMap<&str, usize> = names.iter().copied().zip(all()).collect();
        let mut wanted = Vec::new();
        let mut unknown: Vec<UnknownColumn> = Vec::new();
        for item in &self.0 {
            match item {
                Item::Name(name) => match positions.get(name.as_str()) {
                    Some(position) => wanted.push(*position),
                    None if unknown.iter().any(|known| known.name == *name) => {}
                    None => unknown.push(UnknownColumn {
                        name: name.clone(),
                        similar: match unknown.len() < MAX_COMPARED {
                            true => similar(name, &names),
                            false => Vec::new(),
                        },
                    }),
                },
                Item::Prefix(prefix) => {
                    let fits = |position: &usize| {
                        names
                            .get(*position)
                            .is_some_and(|name| name.starts_with(prefix))
                    };
                    wanted.extend(all().filter(fits));
                }
                // The other tables are none of Optimize's.
                Item::Stored if schema.table != Table::Instances => wanted.extend(all()),
                Item::Stored => {
                    let default = TableColumns::default();
                    let chosen = included(stored.unwrap_or(&default), &names);
                    wanted.extend(chosen.iter().filter_map(|name| positions.get(*name)));
                }
            }
        }
        if !unknown.is_empty() {
            return Err(UnknownColumns(unknown));
        }
        let mut seen = HashSet::with_capacity(wanted.len());
        wanted.retain(|position| seen.insert(*position));
        Ok(wanted)
    }
}

/// The columns that the report's owner chose, as Optimize has them when it exports CSV
/// (crates/optimize/docs/reports.md, "Table columns"; `TableColumnDto`). Some of them may not be among `names`.
fn included<'n>(stored: &'n TableColumns, names: &[&'n str]) -> Vec<&'n str> {
    let excluded: HashSet<&str> = stored.excluded_columns.iter().map(String::as_str).collect();
    let mut included: Vec<&str> = (stored.included_columns.iter().map(String::as_str)).collect();
    let mentioned: HashSet<&str> = included.iter().chain(&excluded).copied().collect();
    let is_included_when_new = |name: &&str| match rank(name) {
        Rank::Own => !NOT_OF_OPTIMIZE.contains(name),
        Rank::Count => false,
        // So it is with durations too, although their users don't expect it: a known bug of Optimize (OPT-7155).
        Rank::Duration | Rank::Variable | Rank::Input | Rank::Output => {
            stored.include_new_variables
        }
    };
    let new = names
        .iter()
        .copied()
        .filter(|name| !mentioned.contains(name));
    included.extend(new.filter(is_included_when_new));
    included.retain(|name| !excluded.contains(name));
    // Two stable sorts, of which the second one decides.
    included.sort_by_key(|name| number_of_digits(name));
    included.sort_by(|a, b| {
        let rank_of_a = rank(a);
        rank_of_a.cmp(&rank(b)).then_with(|| match rank_of_a {
            Rank::Own => std::cmp::Ordering::Equal,
            _ => java_order(&without_digits(a), &without_digits(b)),
        })
    });
    included
}

/// The kinds of columns, in the order of Optimize's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Own,
    Count,
    Duration,
    Variable,
    Input,
    Output,
}

fn rank(name: &str) -> Rank {
    let prefixes = [
        (COUNT_PREFIX, Rank::Count),
        (DURATION_PREFIX, Rank::Duration),
        (VARIABLE_PREFIX, Rank::Variable),
        (INPUT_PREFIX, Rank::Input),
        (OUTPUT_PREFIX, Rank::Output),
    ];
    let found = prefixes.iter().find(|(prefix, _)| name.starts_with(prefix));
    found.map_or(Rank::Own, |(_, rank)| *rank)
}

/// The number that all digits of a name make: 0 without digits, and what is too large is larger than all others.
fn number_of_digits(name: &str) -> u64 {
    let digits: String = name.chars().filter(char::is_ascii_digit).collect();
    match digits.is_empty() {
        true => 0,
        false => digits.parse().unwrap_or(u64::MAX),
    }
}

fn without_digits(name: &str) -> String {
    name.chars()
        .filter(|letter| !letter.is_ascii_digit())
        .collect()
}

/// Names of columns that are like one that there is not, the most similar ones first.
///
/// Case does not count, and `amount` is like `variable:amount`.
fn similar(unknown: &str, names: &[&str]) -> Vec<String> {
    let wanted: Vec<char> = unknown.to_lowercase().chars().collect();
    if wanted.len() > MAX_COMPARED_LENGTH {
        return Vec::new();
    }
    // A typing error in every third letter.
    let most = (wanted.len() / 3).max(1);
    let distance = |name: &str| {
        let name = name.to_lowercase();
        let length = name.chars().count();
        if length.abs_diff(wanted.len()) > most {
            return None;
        }
        let name: Vec<char> = name.chars().collect();
        Some(strsim::generic_damerau_levenshtein(&wanted, &name)).filter(|found| *found <= most)
    };
    let mut found: Vec<(usize, &str)> = names
        .iter()
        .filter_map(|name| {
            let behind_prefix = name.split_once(':').and_then(|(_, rest)| distance(rest));
            let distance = distance(name).into_iter().chain(behind_prefix).min()?;
            Some((distance, *name))
        })
        .collect();
    found.sort_by_key(|(distance, _)| *distance);
    let found = found.iter().take(MAX_SIMILAR);
    found.map(|(_, name)| (*name).to_owned()).collect()
}

/// Names that no column has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct UnknownColumns(
    /// Each of them, in the order in which they were asked for.
    pub Vec<UnknownColumn>,
);

/// A name that no column has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownColumn {
    /// The name.
    pub name: String,
    /// Names of columns that are like it, at most three.
    pub similar: Vec<String>,
}

impl fmt::Display for UnknownColumns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, column) in self.0.iter().enumerate() {
            if number > 0 {
                formatter.write_str("; ")?;
            }
            write!(formatter, "there is no column {:?}", column.name)?;
            for (number, similar) in column.similar.iter().enumerate() {
                let before = match number {
                    0 => ", similar are",
                    _ => ",",
                };
                write!(formatter, "{before} {:?}", utf16::for_people(similar))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::schema::{Column, ColumnType};

    fn schema_of(table: Table, names: &[&str]) -> Schema {
        let column = |name: &&str| Column::nullable(*name, ColumnType::Text, "");
        Schema {
            table,
            columns: names.iter().map(column).collect(),
            primary_key: &[],
        }
    }

    fn schema(names: &[&str]) -> Schema {
        schema_of(Table::Instances, names)
    }

    fn selected(columns: &str, names: &[&str], stored: Option<&TableColumns>) -> String {
        let schema = schema(names);
        let positions = Selection::parse(columns).apply(&schema, stored).unwrap();
        let names: Vec<&str> = (positions.iter())
            .map(|position| schema.columns[*position].name.as_str())
            .collect();
        names.join(" ")
    }

    const NAMES: [&str; 6] = [
        "id",
        "dur:a",
        "dur:b",
        "variable:a,b",
        "variable:c*",
        "variable:d",
    ];

    #[test]
    fn names_of_columns_that_are_always_there_depend_on_no_instance() {
        let fixed = schema(&["id", "count:incidents", REST]);
        let is_within = |columns: &str| Selection::parse(columns).is_within(&fixed);
        assert!(is_within("id") && is_within("count:incidents,id"));
        for columns in [
            "",
            "id,dur:a",
            "i*",
            "stored",
            "variables:rest",
            "id,no-such",
        ] {
            assert!(!is_within(columns), "{columns}");
        }
    }

    #[test]
    fn columns_come_in_the_order_wanted_and_once() {
        for (columns, expected) in [
            ("", "id dur:a dur:b variable:a,b variable:c* variable:d"),
            ("dur:b,id", "dur:b id"),
            ("id,id,dur:a,id", "id dur:a"),
            ("dur:b,dur:*,id", "dur:b dur:a id"),
            ("*", "id dur:a dur:b variable:a,b variable:c* variable:d"),
            (
                "variable:d,*",
                "variable:d id dur:a dur:b variable:a,b variable:c*",
            ),
            (r"variable:a\,b,id", "variable:a,b id"),
            (r"variable:c\*", "variable:c*"),
            ("nothing*", ""),
            ("nothing*,id", "id"),
            (",id,,", "id"),
        ] {
            assert_eq!(selected(columns, &NAMES, None), expected, "{columns}");
        }
    }

    #[test]
    fn backslashes_escape_what_means_something() {
        let names = [r"a\", r"a\b", "a*b", "stored", "a*"];
        for (columns, expected) in [
            (r"a\\", r"a\"),
            (r"a\", r"a\"),
            (r"a\b", r"a\b"),
            (r"a\\b", r"a\b"),
            ("a*b", "a*b"),
            (r"a\*", "a*"),
            (r"a\\*", r"a\ a\b"),
            (r"a\**", "a*b a*"),
        ] {
            assert_eq!(selected(columns, &names, None), expected, "{columns}");
        }
    }

    #[test]
    fn an_unknown_column_is_an_error_that_names_similar_ones() {
        let names = [
            "processInstanceId",
            "startDate",
            "variable:amount",
            "variable:amount2",
            "variable:amounts",
            "variable:xamount",
        ];
        let error = |columns: &str| {
            let error = Selection::parse(columns).apply(&schema(&names), None);
            error.unwrap_err().to_string()
        };
        assert_eq!(
            error("processinstanceid"),
            r#"there is no column "processinstanceid", similar are "processInstanceId""#
        );
        assert_eq!(
            error("startDate,amount,zzzzzz,amount,nothing*"),
            "there is no column \"amount\", similar are \"variable:amount\", \"variable:amount2\", \"variable:amounts\"; \
             there is no column \"zzzzzz\""
        );
        assert_eq!(
            error(&"x".repeat(5_000)).len(),
            5_000 + r#"there is no column """#.len()
        );
    }

    fn stored(include_new_variables: bool, included: &[&str], excluded: &[&str]) -> TableColumns {
        let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        TableColumns {
            include_new_variables,
            included_columns: owned(included),
            excluded_columns: owned(excluded),
        }
    }

    const INSTANCES: [&str; 14] = [
        "processDefinitionKey",
        "processDefinitionVersion",
        "processInstanceId",
        "businessKey",
        "startDate",
        "state",
        "count:incidents",
        "count:userTasks",
        "dur:Task_10",
        "dur:Task_9",
        "variable:a10",
        "variable:a2",
        "variable:b",
        "variables:rest",
    ];

    #[test]
    fn stored_columns_are_own_members_unless_the_owner_chose_others() {
        assert_eq!(
            selected("stored", &INSTANCES, None),
            "processDefinitionKey processInstanceId startDate"
        );
        let chosen = stored(
            false,
            &[
                "variable:b",
                "startDate",
                "gone",
                "variable:gone",
                "count:userTasks",
                "state",
                "dur:Task_9",
            ],
            &["processDefinitionKey", "variable:a2"],
        );
        // New own members come after those of the list; prefixed ones after all of them.
        assert_eq!(
            selected("stored", &INSTANCES, Some(&chosen)),
            "startDate state processInstanceId count:userTasks dur:Task_9 variable:b"
        );
    }

    #[test]
    fn new_variables_and_flow_nodes_are_stored_columns_where_the_owner_wants_them() {
        let chosen = stored(
            true,
            &[
                "count:userTasks",
                "variables:rest",
                "variable:b",
                "processInstanceId",
            ],
            &["variable:b", "startDate"],
        );
        // Sorted by name without digits, and within the same by the number that the digits make.
        assert_eq!(
            selected("stored", &INSTANCES, Some(&chosen)),
            "variables:rest processInstanceId processDefinitionKey count:userTasks dur:Task_9 dur:Task_10 variable:a2 variable:a10"
        );
        assert_eq!(
            selected("variable:a10,stored,state", &INSTANCES, Some(&chosen)),
            "variable:a10 variables:rest processInstanceId processDefinitionKey count:userTasks dur:Task_9 dur:Task_10 variable:a2 state"
        );
    }

    #[test]
    fn inputs_come_before_outputs() {
        let names = ["output:b", "output:a", "input:z", "decisionInstanceId"];
        assert_eq!(
            selected("stored", &names, Some(&stored(true, &[], &[]))),
            "decisionInstanceId input:z output:a output:b"
        );
    }

    #[test]
    fn a_number_that_is_too_large_is_larger_than_all_others() {
        let names = ["variable:a99999999999999999999", "variable:a7"];
        assert_eq!(
            selected("stored", &names, Some(&stored(true, &[], &[]))),
            "variable:a7 variable:a99999999999999999999"
        );
    }

    #[test]
    fn all_columns_of_other_tables_are_stored_ones() {
        let schema = schema_of(Table::FlowNodes, &["processInstanceId", "state"]);
        let excluded = stored(false, &[], &["processInstanceId"]);
        let positions = Selection::parse("stored").apply(&schema, Some(&excluded));
        assert_eq!(positions, Ok(vec![0, 1]));
    }

    fn escaped(name: &str) -> String {
        let escape = |letter: char| match letter {
            ',' | '*' | '\\' => format!("\\{letter}"),
            other => other.to_string(),
        };
        name.chars().map(escape).collect()
    }

    proptest! {
        #[test]
        fn any_names_are_read_as_they_were_escaped(names in prop::collection::vec(r"[a-c,*\\é]{1,6}", 0..6)) {
            let text = names.iter().map(|name| escaped(name)).collect::<Vec<_>>().join(",");
            let items = names.into_iter().map(Item::Name).collect();
            prop_assert_eq!(Selection::parse(&text), Selection(items));
        }

        #[test]
        fn any_prefix_is_read_as_it_was_escaped(prefix in r"[a-c,*\\é]{0,6}") {
            let text = format!("{}*", escaped(&prefix));
            prop_assert_eq!(Selection::parse(&text), Selection(vec![Item::Prefix(prefix)]));
        }

        #[test]
        fn any_text_gives_columns_once_or_says_what_is_unknown(text in ".*", names in prop::collection::vec(".{0,8}", 0..8)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let schema = schema(&names);
            match Selection::parse(&text).apply(&schema, None) {
                Ok(positions) => {
                    let distinct: HashSet<&usize> = positions.iter().collect();
                    prop_assert_eq!(distinct.len(), positions.len());
                    prop_assert!(positions.iter().all(|position| *position < names.len()));
                }
                Err(UnknownColumns(unknown)) => {
                    prop_assert!(unknown.iter().all(|column| !names.contains(&column.name.as_str())));
                    prop_assert!(unknown.iter().all(|column| column.similar.len() <= MAX_SIMILAR));
                }
            }
        }
    }
}
