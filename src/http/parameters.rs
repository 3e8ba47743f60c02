//! The query string of an export.
//!
//! Source: docs/ENDPOINT.md, "Parameters".

use std::fmt;

use optimize::table::schema::Table;
use optimize::table::selection::Selection;

use crate::encode::csv::{self, CsvOptions};
use crate::export::stream::{RowOrder, TableOptions};

/// Optimize's default of `limit`.
const DEFAULT_LIMIT: u32 = 1_000;
/// Optimize's default of `paginationTimeout`, in seconds.
const DEFAULT_PAGINATION_TIMEOUT: u32 = 120;
/// Characters of a wrong value that a message repeats.
const MAX_SHOWN: usize = 64;

/// Bounds and defaults of the request's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterRules {
    /// Largest `limit`.
    pub max_limit: u32,
    /// Largest `paginationTimeout`, in seconds.
    pub max_pagination_timeout: u32,
    /// Whether missing ones have Optimize's defaults.
    pub lenient: bool,
}

/// The parameters, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    /// Rows per page.
    pub limit: u32,
    /// Keep-alive in seconds.
    pub pagination_timeout: u32,
    /// The scroll to go on with; an empty one counts as none.
    pub search_request_id: Option<String>,
}

/// Everything that is wrong with a query string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violations(Vec<String>);

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl Parameters {
    /// Reads a query string.
    ///
    /// # Errors
    /// All violations together, each with the parameter, its value and what is allowed.
    pub fn parse(query: &str, rules: &ParameterRules) -> Result<Self, Violations> {
        let values = Values::of(query);
        let mut violations = Vec::new();
        let limit = values.integer(
            "limit",
            0,
            rules.max_limit,
            rules.lenient.then_some(DEFAULT_LIMIT),
            &mut violations,
        );
        let pagination_timeout = values.integer(
            "paginationTimeout",
            1,
            rules.max_pagination_timeout,
            rules.lenient.then_some(DEFAULT_PAGINATION_TIMEOUT),
            &mut violations,
        );
        let search_request_id = match values.single("searchRequestId") {
            Ok(value) => value.filter(|id| !id.is_empty()),
            Err(problem) => {
                violations.push(problem);
                None
            }
        };
        match (limit, pagination_timeout) {
            (Some(limit), Some(pagination_timeout)) if violations.is_empty() => Ok(Self {
                limit,
                pagination_timeout,
                search_request_id,
            }),
            _ => Err(Violations(violations)),
        }
    }
}

/// The parameters of a table, checked as far as that goes without its report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableParameters {
    /// Which part of the report.
    pub options: TableOptions,
    /// How csv is written; of no meaning in other formats.
    pub csv: CsvOptions,
}

impl TableParameters {
    /// Reads a query string. An empty value counts as none.
    ///
    /// # Errors
    /// All violations together, each with the parameter, its value and what is allowed.
    pub fn parse(query: &str) -> Result<Self, Violations> {
        let values = Values::of(query);
        let mut violations = Vec::new();
        let mut options = TableOptions::default();
        let mut csv = CsvOptions::default();
        let mut read = |name: &str, read: &mut dyn FnMut(&str) -> Result<(), String>| {
            let problem = match values.single(name) {
                Ok(Some(value)) if !value.is_empty() => {
                    let expected = read(&value).err();
                    expected.map(|expected| format!("{name} is {}; {expected}", shown(&value)))
                }
                Ok(_) => None,
                Err(problem) => Some(problem),
            };
            violations.extend(problem);
        };
        read("table", &mut |value| {
            let table = Table::ALL.iter().find(|table| table.id() == value);
            let expected = || {
                let ids: Vec<&str> = Table::ALL.iter().map(|table| table.id()).collect();
                format!("it must be one of {}", ids.join(", "))
            };
            options.table = Some(*table.ok_or_else(expected)?);
            Ok(())
        });
        read("columns", &mut |value| {
            options.columns = Some(Selection::parse(value));
            Ok(())
        });
        read("order", &mut |value| {
            options.order = match value {
                "report" => RowOrder::Report,
                "any" => RowOrder::Any,
                _ => return Err("it must be report or any".to_owned()),
            };
            Ok(())
        });
        read("since", &mut |value| {
            options.since = Some(value.to_owned());
            Ok(())
        });
        read("delimiter", &mut |value| {
            csv.delimiter = csv::delimiter(value)?;
            Ok(())
        });
        read("bom", &mut |value| {
            csv.byte_order_mark = match value {
                "true" => true,
                "false" => false,
                _ => return Err("it must be true or false".to_owned()),
            };
            Ok(())
        });
        read("formulas", &mut |value| {
            csv.formulas_as_text = match value {
                "text" => true,
                _ => return Err("it must be text, or absent".to_owned()),
            };
            Ok(())
        });
        if violations.is_empty() {
            Ok(Self { options, csv })
        } else {
            Err(Violations(violations))
        }
    }
}

/// The `collectionId` of a query string; an empty one counts as none.
///
/// # Errors
/// It is given more than once with different values, or is no text.
pub fn collection_id(query: &str) -> Result<Option<String>, String> {
    let id = Values::of(query).single("collectionId")?;
    Ok(id.filter(|id| !id.is_empty()))
}

/// Names and values in their order; `None` for a value that is not UTF-8.
struct Values(Vec<(String, Option<String>)>);

impl Values {
    fn of(query: &str) -> Self {
        let decode = |text: &str| {
            let spaces = text.replace('+', " ");
            percent_encoding::percent_decode_str(&spaces)
                .decode_utf8()
                .ok()
                .map(|text| text.into_owned())
        };
        let pairs = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (decode(name).unwrap_or_default(), decode(value))
            });
        Self(pairs.collect())
    }

    /// The value of a parameter; repeating the same value is harmless.
    fn single(&self, name: &str) -> Result<Option<String>, String> {
        let mut values = self
            .0
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, value)| value);
        let Some(first) = values.next() else {
            return Ok(None);
        };
        let Some(value) = first else {
            return Err(format!("{name} is not valid UTF-8"));
        };
        match values.find(|other| *other != first) {
            None => Ok(Some(value.clone())),
            Some(other) => Err(format!(
                "{name} is given more than once with different values, {} and {}",
                shown(value),
                other
                    .as_deref()
                    .map_or_else(|| "one that is not UTF-8".to_owned(), shown)
            )),
        }
    }

    fn integer(
        &self,
        name: &str,
        min: u32,
        max: u32,
        default: Option<u32>,
        violations: &mut Vec<String>,
    ) -> Option<u32> {
        let expected = format!("an integer within {min}..={max}");
        let problem = match self.single(name) {
            Err(problem) => format!("{problem}; it must be {expected}"),
            Ok(None) => match default {
                Some(default) => return Some(default.clamp(min, max)),
                None => format!("{name} is missing; it must be {expected}"),
            },
            Ok(Some(value)) => match value.parse::<u32>() {
                Ok(number) if (min..=max).contains(&number) => return Some(number),
                _ => format!("{name} is {}; it must be {expected}", shown(&value)),
            },
        };
        violations.push(problem);
        None
    }
}

fn shown(value: &str) -> String {
    match value.char_indices().nth(MAX_SHOWN) {
        None => format!("{value:?}"),
        Some((end, _)) => format!(
            "{:?}… ({} bytes)",
            value.get(..end).unwrap_or_default(),
            value.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STRICT: ParameterRules = ParameterRules {
        max_limit: 10_000,
        max_pagination_timeout: 86_400,
        lenient: false,
    };

    fn problems(query: &str) -> String {
        Parameters::parse(query, &STRICT).unwrap_err().to_string()
    }

    #[test]
    fn good_parameters() {
        let parse = |query: &str| Parameters::parse(query, &STRICT).unwrap();
        let expected = Parameters {
            limit: 2,
            pagination_timeout: 60,
            search_request_id: None,
        };
        assert_eq!(parse("limit=2&paginationTimeout=60"), expected);
        assert_eq!(
            parse("paginationTimeout=60&limit=2&searchRequestId=&other=%FF"),
            expected
        );
        assert_eq!(parse("limit=2&limit=2&paginationTimeout=60"), expected);
        assert_eq!(parse("%6Cimit=%32&paginationTimeout=60"), expected);
        assert_eq!(
            parse("limit=0&paginationTimeout=86400&searchRequestId=a%3D%3D")
                .search_request_id
                .as_deref(),
            Some("a==")
        );
    }

    #[test]
    fn every_violation_is_reported() {
        insta::assert_snapshot!(problems(""), @"limit is missing; it must be an integer within 0..=10000; paginationTimeout is missing; it must be an integer within 1..=86400");
        insta::assert_snapshot!(problems("limit=-1&paginationTimeout=0"), @r#"limit is "-1"; it must be an integer within 0..=10000; paginationTimeout is "0"; it must be an integer within 1..=86400"#);
        insta::assert_snapshot!(problems("limit=&paginationTimeout=1.5"), @r#"limit is ""; it must be an integer within 0..=10000; paginationTimeout is "1.5"; it must be an integer within 1..=86400"#);
        insta::assert_snapshot!(problems("limit=10001&paginationTimeout=99999999999999999999"), @r#"limit is "10001"; it must be an integer within 0..=10000; paginationTimeout is "99999999999999999999"; it must be an integer within 1..=86400"#);
        insta::assert_snapshot!(problems("limit=1&limit=2&paginationTimeout=60&searchRequestId=a&searchRequestId=b"), @r#"limit is given more than once with different values, "1" and "2"; it must be an integer within 0..=10000; searchRequestId is given more than once with different values, "a" and "b""#);
        insta::assert_snapshot!(problems("limit=%FF&paginationTimeout=%20"), @r#"limit is not valid UTF-8; it must be an integer within 0..=10000; paginationTimeout is " "; it must be an integer within 1..=86400"#);
    }

    #[test]
    fn long_values_are_cut_in_messages() {
        let message = problems(&format!(
            "limit={}&paginationTimeout=60",
            "é9".repeat(5_000)
        ));
        assert!(message.len() < 300, "{message}");
    }

    #[test]
    fn lenient_rules_have_the_defaults_of_optimize() {
        let rules = ParameterRules {
            lenient: true,
            ..STRICT
        };
        let parameters = Parameters::parse("", &rules).unwrap();
        assert_eq!(
            (parameters.limit, parameters.pagination_timeout),
            (1_000, 120)
        );
        assert!(Parameters::parse("limit=", &rules).is_err());
        let low = ParameterRules {
            max_limit: 500,
            max_pagination_timeout: 60,
            lenient: true,
        };
        let parameters = Parameters::parse("", &low).unwrap();
        assert_eq!((parameters.limit, parameters.pagination_timeout), (500, 60));
    }

    #[test]
    fn a_table_has_defaults_for_everything() {
        let defaults = TableParameters::parse("").unwrap();
        assert_eq!(defaults.options, TableOptions::default());
        assert_eq!(
            defaults,
            TableParameters::parse("table=&columns=&order=&other=1").unwrap()
        );
        let all = TableParameters::parse(
            "table=flowNodes&order=any&delimiter=%09&bom=true&formulas=text",
        )
        .unwrap();
        assert_eq!(
            (all.options.table, all.options.order),
            (Some(Table::FlowNodes), RowOrder::Any)
        );
        let csv = CsvOptions {
            delimiter: '\t',
            byte_order_mark: true,
            formulas_as_text: true,
        };
        assert_eq!(all.csv, csv);
    }

    #[test]
    fn every_violation_of_a_table_is_reported() {
        let problems = TableParameters::parse(
            "table=rows&order=asc&delimiter=%3B%3B&bom=1&formulas=no&columns=%FF",
        );
        let problems = problems.unwrap_err().to_string();
        for parameter in [
            "table is \"rows\"",
            "order is \"asc\"",
            "delimiter is \";;\"",
            "bom is \"1\"",
            "formulas is \"no\"",
            "columns is not valid UTF-8",
        ] {
            assert!(problems.contains(parameter), "{parameter}: {problems}");
        }
    }

    proptest! {
        #[test]
        fn any_query_is_taken(query in "\\PC*") {
            let _ = Parameters::parse(&query, &STRICT);
            let _ = TableParameters::parse(&query);
        }

        #[test]
        fn numbers_within_the_bounds_are_accepted(limit in 0..=10_000_u32, timeout in 1..=86_400_u32) {
            let parameters = Parameters::parse(&format!("limit={limit}&paginationTimeout={timeout}"), &STRICT).unwrap();
            prop_assert_eq!((parameters.limit, parameters.pagination_timeout), (limit, timeout));
        }
    }
}
