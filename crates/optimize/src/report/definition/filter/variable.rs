//! Data of variable filters (crates/optimize/docs/filters.md, "Variables" and "Filters of decision reports").

use serde::Deserialize;
use serde_json::{Number, Value};

use super::super::{DefinitionError, VariableType, lenient};
use super::date::DateFilter;
use super::duration::ComparisonOperator;
use super::place::{Flag, Place, excerpt};
use crate::id_enum;

/// A condition on one variable. In decision reports the name is the id of an input or output clause.
#[derive(Debug, Clone, PartialEq)]
pub struct VariableFilter {
    /// Name of the variable.
    pub name: String,
    /// Its type; a variable of this name and another type is another variable.
    pub variable_type: VariableType,
    /// What its value has to be.
    pub condition: VariableCondition,
}

/// What the value of a variable has to be.
#[derive(Debug, Clone, PartialEq)]
pub enum VariableCondition {
    /// One of these values.
    OneOf {
        /// Texts, numbers or booleans, as the type of the variable has it.
        values: Vec<Value>,
        /// Undefined and null are in the list too.
        or_undefined: bool,
        /// None of the list.
        negated: bool,
    },
    /// A text with one of these texts in it, without regard to case.
    Contains {
        /// The texts.
        texts: Vec<String>,
        /// Undefined and null are in the list too.
        or_undefined: bool,
        /// None of the list.
        negated: bool,
    },
    /// A number on one side of another.
    Compare {
        /// On which side.
        operator: ComparisonOperator,
        /// Of which number; exact for whole numbers, and a text where it is not finite.
        bound: Value,
    },
    /// The variable exists, be it with the value null: what becomes of `contains` and `not contains` on a number.
    Exists,
    /// A date.
    Date(DateFilter),
}

id_enum! {
    /// Operators of variable filters.
    enum VariableOperator {
        /// One of the values.
        In = "in",
        /// None of the values.
        NotIn = "not in",
        /// One of the texts is part of the value.
        Contains = "contains",
        /// None of the texts is part of the value.
        NotContains = "not contains",
        /// Less than.
        Less = "<",
        /// Less than or equal to.
        LessOrEqual = "<=",
        /// Greater than.
        Greater = ">",
        /// Greater than or equal to.
        GreaterOrEqual = ">=",
    }
}

#[derive(Deserialize)]
struct StoredVariableFilter {
    #[serde(default, rename = "type")]
    variable_type: Value,
    #[serde(default, deserialize_with = "lenient::optional_string")]
    name: Option<String>,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct StoredCondition {
    #[serde(default)]
    operator: Option<VariableOperator>,
    #[serde(default)]
    values: Value,
}

/// The variable types that a filter can be about.
const FILTER_TYPES: &[VariableType] = &[
    VariableType::String,
    VariableType::Short,
    VariableType::Long,
    VariableType::Double,
    VariableType::Integer,
    VariableType::Boolean,
    VariableType::Date,
];

impl VariableFilter {
    /// Reads the data of `variable`, `inputVariable` and `outputVariable`.
    pub(super) fn read_named(value: &Value, place: &Place) -> Result<Self, DefinitionError> {
        let stored: StoredVariableFilter = place.read_data(value)?;
        if stored.data.is_null() {
            return Err(place.member("data").empty("data"));
        }
        if stored.name.as_deref().unwrap_or_default().is_empty() {
            return Err(place.member("name").empty("name"));
        }
        Self::read(stored, place)
    }

    fn read(stored: StoredVariableFilter, place: &Place) -> Result<Self, DefinitionError> {
        let variable_type = read_type(&stored.variable_type, &place.member("type"))?;
        let name = stored
            .name
            .ok_or_else(|| place.member("name").empty("name"))?;
        let place = place.member("data");
        if stored.data.is_null() {
            return Err(place.problem("Variable filter data is not allowed to be null"));
        }
        let condition = match variable_type {
            VariableType::Date => VariableCondition::Date(DateFilter::read(&stored.data, &place)?),
            VariableType::Boolean => read_booleans(place.read_object(&stored.data)?, &place)?,
            VariableType::String => read_texts(place.read_object(&stored.data)?, &place)?,
            number @ (VariableType::Short
            | VariableType::Integer
            | VariableType::Long
            | VariableType::Double
            | VariableType::Object
            | VariableType::Json) => {
                read_numbers(number, place.read_object(&stored.data)?, &place)?
            }
        };
        Ok(Self {
            name,
            variable_type,
            condition,
        })
    }
}

/// Reads the data of `multipleVariable`; an empty list narrows nothing. Names may be empty here: Optimize does not look.
pub(super) fn read_several(
    value: &Value,
    place: &Place,
) -> Result<Vec<VariableFilter>, DefinitionError> {
    #[derive(Deserialize)]
    struct Stored {
        #[serde(default)]
        data: Value,
    }
    let stored: Stored = place.read_data(value)?;
    let place = place.member("data");
    if stored.data.is_null() {
        return Err(place.empty("data"));
    }
    let filters: Vec<Value> = place.read_with(lenient::list, &stored.data)?;
    let filters = filters.iter().enumerate();
    filters
        .map(|(position, filter)| {
            let place = place.element(position);
            VariableFilter::read(place.read_data(filter)?, &place)
        })
        .collect()
}

/// The type of a variable: capitalised or in lower case, in no other spelling (`VariableFilterDataDto`).
fn read_type(value: &Value, place: &Place) -> Result<VariableType, DefinitionError> {
    let text = value.as_str().unwrap_or_default();
    if text.is_empty() && (value.is_null() || value.is_string()) {
        return Err(place.empty("type"));
    }
    let known = FILTER_TYPES
        .iter()
        .find(|known| known.id() == text || known.id().to_ascii_lowercase() == text);
    known.copied().ok_or_else(|| {
        let ids: Vec<&str> = FILTER_TYPES.iter().map(|known| known.id()).collect();
        place.problem(format!(
            "no filter for variables of type {}, expected one of {}",
            excerpt(&value.to_string()),
            ids.join(", ")
        ))
    })
}

fn read_booleans(
    stored: StoredCondition,
    place: &Place,
) -> Result<VariableCondition, DefinitionError> {
    let place = place.member("values");
    let values: Vec<Flag> = place.read_with(lenient::list_or_null, &stored.values)?;
    if values.is_empty() {
        return Err(place.empty("boolean filter value"));
    }
    Ok(VariableCondition::OneOf {
        or_undefined: values.iter().any(|flag| flag.0.is_none()),
        values: values
            .iter()
            .filter_map(|flag| flag.0)
            .map(Value::from)
            .collect(),
        negated: false,
    })
}

/// The list of values of a text or number filter, which has to have an operator and one value at least
/// (`OperatorMultipleValuesVariableFilterDataDtoUtil`).
fn read_values(
    stored: &StoredCondition,
    place: &Place,
) -> Result<(VariableOperator, Vec<Option<String>>), DefinitionError> {
    let values_place = place.member("values");
    let values = match &stored.values {
        Value::Null => Vec::new(),
        values => values_place.read_with(lenient::optional_strings, values)?,
    };
    if values.is_empty() {
        return Err(values_place.problem("Filter values are not allowed to be empty."));
    }
    let operator = stored
        .operator
        .ok_or_else(|| place.member("operator").empty("operator"))?;
    if operator.comparison().is_some() && values.contains(&None) {
        return Err(values_place.problem(
            "Filter values are not allowed to contain `null` if a relative operator is used.",
        ));
    }
    Ok((operator, values))
}

impl VariableOperator {
    const fn comparison(self) -> Option<ComparisonOperator> {
        match self {
            Self::Less => Some(ComparisonOperator::Less),
            Self::LessOrEqual => Some(ComparisonOperator::LessOrEqual),
            Self::Greater => Some(ComparisonOperator::Greater),
            Self::GreaterOrEqual => Some(ComparisonOperator::GreaterOrEqual),
            Self::In | Self::NotIn | Self::Contains | Self::NotContains => None,
        }
    }
}

fn read_texts(
    stored: StoredCondition,
    place: &Place,
) -> Result<VariableCondition, DefinitionError> {
    let (operator, values) = read_values(&stored, place)?;
    let or_undefined = values.contains(&None);
    let texts = values.into_iter().flatten();
    match operator {
        VariableOperator::In | VariableOperator::NotIn => Ok(VariableCondition::OneOf {
            values: texts.map(Value::from).collect(),
            or_undefined,
            negated: operator == VariableOperator::NotIn,
        }),
        VariableOperator::Contains | VariableOperator::NotContains => {
            Ok(VariableCondition::Contains {
                texts: texts.collect(),
                or_undefined,
                negated: operator == VariableOperator::NotContains,
            })
        }
        VariableOperator::Less
        | VariableOperator::LessOrEqual
        | VariableOperator::Greater
        | VariableOperator::GreaterOrEqual => Err(place.member("operator").problem(format!(
            "String variable operator [{operator}] is not supported! \
             Expected one of in, not in, contains, not contains"
        ))),
    }
}

/// Whatever the operator, Optimize parses the first value with Java's parser of the variable's type, and leaves the
/// others to Elasticsearch; a comparison only looks at the first one.
fn read_numbers(
    variable_type: VariableType,
    stored: StoredCondition,
    place: &Place,
) -> Result<VariableCondition, DefinitionError> {
    let (operator, values) = read_values(&stored, place)?;
    let place = place.member("values");
    let unparsable = |position: usize, text: &str| {
        place.element(position).problem(format!(
            "Error trying to parse value for filter: {}; expected a number of type {variable_type}",
            excerpt(text)
        ))
    };
    if let Some(Some(text)) = values.first() {
        let bound = parse_java(variable_type, text).ok_or_else(|| unparsable(0, text))?;
        if let Some(operator) = operator.comparison() {
            return Ok(VariableCondition::Compare { operator, bound });
        }
    }
    if matches!(
        operator,
        VariableOperator::Contains | VariableOperator::NotContains
    ) {
        return Ok(VariableCondition::Exists);
    }
    let mut numbers = Vec::new();
    for (position, text) in values.iter().enumerate() {
        if let Some(text) = text {
            let number = parse_elasticsearch(variable_type, text)
                .ok_or_else(|| unparsable(position, text))?;
            numbers.extend(number.map(Value::from));
        }
    }
    Ok(VariableCondition::OneOf {
        values: numbers,
        or_undefined: values.contains(&None),
        negated: operator == VariableOperator::NotIn,
    })
}

/// Java's `parseShort`, `parseInt`, `parseLong` and `parseDouble`. What is no finite number stays a text, with which
/// Elasticsearch compares: everything is below `NaN` and `Infinity`.
fn parse_java(variable_type: VariableType, text: &str) -> Option<Value> {
    match variable_type {
        VariableType::Short => text.parse::<i16>().ok().map(Value::from),
        VariableType::Integer => text.parse::<i32>().ok().map(Value::from),
        VariableType::Long => text.parse::<i64>().ok().map(Value::from),
        VariableType::Double
        | VariableType::String
        | VariableType::Boolean
        | VariableType::Date
        | VariableType::Object
        | VariableType::Json => parse_double(text).map(|double| match double {
            double if double.is_nan() => Value::from("NaN"),
            f64::INFINITY => Value::from("Infinity"),
            f64::NEG_INFINITY => Value::from("-Infinity"),
            double => Value::from(double),
        }),
    }
}

/// How Elasticsearch reads a text that is to be found in a number field: `Some(None)` can be found in no document, which
/// is what a fraction is to a field of whole numbers. `None` is what it refuses: no numbers, numbers beyond the field's
/// range, `NaN` in a field of doubles.
fn parse_elasticsearch(variable_type: VariableType, text: &str) -> Option<Option<Number>> {
    /// The first floating point number above 64 bits.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let double = parse_double(text)?;
    if variable_type == VariableType::Double {
        return Number::from_f64(double).map(Some);
    }
    let has_fraction = double.fract() != 0.0;
    if has_fraction {
        return Some(None);
    }
    // Whole numbers are more strict than doubles: no blanks, no letter at the end.
    let ends_like_a_number = |c: char| c.is_ascii_digit() || c == '.';
    if text.starts_with(|c: char| c <= ' ') || !text.ends_with(ends_like_a_number) {
        return None;
    }
    let whole = text.parse::<i64>().ok();
    // In range and without a fraction, so the cast changes nothing.
    let whole = whole.or_else(|| (-LIMIT..LIMIT).contains(&double).then_some(double as i64));
    whole.map(|whole| Some(Number::from(whole)))
}

/// Java's `Double.parseDouble`, but for hexadecimal numbers: blanks around the number and one of the letters `d` and `f`
/// after it don't matter.
fn parse_double(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c <= ' ');
    let number = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(number, "NaN" | "Infinity") {
        return text.parse().ok();
    }
    let digits = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    // Rust also knows infinities and NaN in other spellings.
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E');
    digits.parse().ok().filter(|_| digits.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_are_parsed_as_java_does_it() {
        for (text, expected) in [
            ("1", 1.0),
            (" 1e3\t", 1000.0),
            ("+5d", 5.0),
            ("-.5F", -0.5),
            ("5.", 5.0),
            ("-Infinity", f64::NEG_INFINITY),
            ("1e999", f64::INFINITY),
        ] {
            assert_eq!(parse_double(text), Some(expected), "{text}");
        }
        assert!(parse_double("NaN").is_some_and(f64::is_nan));
        for text in [
            "", " ", "abc", "nan", "inf", "infinity", "1 2", "d", "1,5", "0x1p3", "5dd",
        ] {
            assert_eq!(parse_double(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_number_is_parsed_by_java_and_has_the_range_of_its_type() {
        let parse = |variable_type, text| parse_java(variable_type, text).map(|n| n.to_string());
        for (variable_type, text, expected) in [
            (VariableType::Short, "32767", Some("32767")),
            (VariableType::Short, "32768", None),
            (VariableType::Integer, "+5", Some("5")),
            (VariableType::Integer, "2147483648", None),
            (VariableType::Integer, "5.0", None),
            (VariableType::Integer, " 5", None),
            (
                VariableType::Long,
                "-9223372036854775808",
                Some("-9223372036854775808"),
            ),
            (VariableType::Long, "9223372036854775808", None),
            (VariableType::Double, "1e3", Some("1000.0")),
            (VariableType::Double, "NaN", Some("\"NaN\"")),
            (VariableType::Double, "1e999", Some("\"Infinity\"")),
            (VariableType::Double, "-Infinity", Some("\"-Infinity\"")),
            (VariableType::Double, "many", None),
        ] {
            assert_eq!(
                parse(variable_type, text).as_deref(),
                expected,
                "{variable_type} {text}"
            );
        }
    }

    #[test]
    fn later_numbers_are_parsed_by_elasticsearch() {
        let parse = |variable_type, text| {
            parse_elasticsearch(variable_type, text).map(|n| n.map(|n| n.to_string()))
        };
        let found = |text: &str| Some(Some(text.to_owned()));
        assert_eq!(parse(VariableType::Short, "100000"), found("100000"));
        assert_eq!(parse(VariableType::Long, "5.0"), found("5"));
        assert_eq!(parse(VariableType::Long, "1e3"), found("1000"));
        assert_eq!(
            parse(VariableType::Long, "9007199254740993"),
            found("9007199254740993")
        );
        assert_eq!(parse(VariableType::Long, "5.7"), Some(None));
        assert_eq!(parse(VariableType::Long, "NaN"), Some(None));
        assert_eq!(parse(VariableType::Long, " 5.5 "), Some(None));
        assert_eq!(parse(VariableType::Long, "5."), found("5"));
        assert_eq!(parse(VariableType::Long, " 5"), None);
        assert_eq!(parse(VariableType::Long, "5d"), None);
        assert_eq!(parse(VariableType::Double, " 5d"), found("5.0"));
        assert_eq!(parse(VariableType::Long, "9223372036854775808"), None);
        assert_eq!(parse(VariableType::Long, "abc"), None);
        assert_eq!(parse(VariableType::Double, "5.7"), found("5.7"));
        assert_eq!(parse(VariableType::Double, "NaN"), None);
    }
}
