//! Variables and clauses as columns: which type a column has, and a stored value as a value of that type.
//!
//! Optimize stores every value as text, and beside it the type that the value had
//! (crates/optimize/docs/indices.md, "Stored variables").

use std::borrow::Cow;
use std::collections::HashMap;

use super::schema::ColumnType;
use super::value::{Instant, Value};
use crate::json::JsonText;
use crate::moment::Moment;
use crate::raw_data::cursor::{Cursor, Read, ReadError};
use crate::raw_data::document::{Text, Values, document};
use crate::raw_data::reuse::Reuse;
use crate::raw_data::variables::{self, OBJECT_PLACEHOLDER, ObjectVariables, VariableNames};
use crate::report::definition::VariableType;

/// A name that occurs, and a type under which a value of it is stored; `None` where values have no type.
pub type Occurrence = (String, Option<String>);

/// The type of the column for values that are stored under a type.
fn column_type(stored: Option<&str>) -> ColumnType {
    match stored.and_then(VariableType::from_id) {
        Some(VariableType::Short | VariableType::Integer | VariableType::Long) => {
            ColumnType::Integer
        }
        Some(VariableType::Double) => ColumnType::Double,
        Some(VariableType::Boolean) => ColumnType::Boolean,
        Some(VariableType::Date) => ColumnType::Instant,
        Some(VariableType::String | VariableType::Object | VariableType::Json) | None => {
            ColumnType::Text
        }
    }
}

/// Names with the types of their columns, in the order of Java strings.
#[derive(Debug, Default)]
pub struct TypedNames {
    names: VariableNames,
    types: Vec<ColumnType>,
}

impl TypedNames {
    /// The columns for what occurs. A name whose values are stored under several types has a column of text.
    pub fn new(occurrences: impl IntoIterator<Item = Occurrence>) -> Self {
        let mut by_name: HashMap<String, ColumnType> = HashMap::new();
        for (name, stored) in occurrences {
            let column_type = column_type(stored.as_deref());
            let of_name = by_name.entry(name).or_insert(column_type);
            if *of_name != column_type {
                *of_name = ColumnType::Text;
            }
        }
        let names = VariableNames::new(by_name.keys().cloned().collect());
        let type_of = |name: &String| by_name.get(name).copied().unwrap_or(ColumnType::Text);
        let types = names.as_slice().iter().map(type_of).collect();
        Self { names, types }
    }

    /// The names.
    pub fn names(&self) -> &VariableNames {
        &self.names
    }

    /// The type of the column at a position.
    pub fn column_type(&self, position: usize) -> ColumnType {
        (self.types.get(position).copied()).unwrap_or(ColumnType::Text)
    }

    /// Names and types, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, ColumnType)> {
        let names = self.names.as_slice().iter().map(String::as_str);
        names.zip(self.types.iter().copied())
    }

    /// Bytes that they take, roughly.
    pub fn weight(&self) -> usize {
        self.names.weight() + self.types.len()
    }
}

/// A value as it is stored: none, one, or a list of them.
#[derive(Debug)]
pub struct StoredValue<'a> {
    values: Values<'a>,
    /// The text that it was read from.
    json: &'a str,
}

impl Default for StoredValue<'_> {
    fn default() -> Self {
        Self {
            values: Values::default(),
            json: "null",
        }
    }
}

impl<'a> Read<'a> for StoredValue<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ReadError> {
        let (values, json) = cursor.read_with_text()?;
        Ok(Self { values, json })
    }
}

impl Reuse for StoredValue<'_> {
    type Empty = StoredValue<'static>;

    #[inline]
    fn emptied(self) -> Self::Empty {
        StoredValue::default()
    }
}

impl StoredValue<'_> {
    /// Its values: none for null and an empty list.
    pub fn values(&self) -> &[Text<'_>] {
        self.values.as_slice().unwrap_or_default()
    }

    /// Whether it is null or absent, which is not the same as an empty list.
    pub fn is_null(&self) -> bool {
        self.values.as_slice().is_none()
    }

    /// Whether the first of its values is itself a list, of which [`StoredValue::values`] has the first value alone.
    fn is_nested(&self) -> bool {
        let within = self.json.strip_prefix('[').unwrap_or_default();
        within.trim_start().starts_with('[')
    }

    /// Its value in a column: none, or the only one it has. `None` if it does not fit the column, as a list never does;
    /// where lists are joined, it is the text that a row of raw data shows.
    pub fn cell(&self, column_type: ColumnType, lists_are_joined: bool) -> Option<Value<'_>> {
        match self.values() {
            [] => Some(Value::Null),
            [one] if !self.is_nested() => match one.as_deref() {
                Some(text) => typed(text, column_type),
                None => Some(Value::Null),
            },
            list if lists_are_joined => Some(joined(list)),
            _ => None,
        }
    }

    /// Writes it exactly as it is stored, but in one line: between the values of a document that was stored with line
    /// breaks they mean nothing, and within a string JSON has none.
    pub fn write(&self, out: &mut JsonText) {
        for part in self.json.split(['\n', '\r']) {
            out.raw(part);
        }
    }
}

/// A list as a row of raw data shows it.
pub(super) fn joined<'v>(values: impl IntoIterator<Item = &'v Text<'v>>) -> Value<'static> {
    Value::Text(Cow::Owned(variables::joined(values)))
}

/// A stored text as a value of a type; `None` if it is none.
pub(super) fn typed(text: &str, column_type: ColumnType) -> Option<Value<'_>> {
    match column_type {
        ColumnType::Text => Some(Value::Text(Cow::Borrowed(text))),
        ColumnType::Integer => text.parse().ok().map(Value::Integer),
        ColumnType::Double => {
            let number: f64 = text.parse().ok()?;
            number.is_finite().then_some(Value::Double(number))
        }
        ColumnType::Boolean => match text {
            "true" => Some(Value::Boolean(true)),
            "false" => Some(Value::Boolean(false)),
            _ => None,
        },
        // A variable keeps its stored text: Optimize converts no zones there.
        ColumnType::Instant => Moment::parse(text).map(|(moment, _)| {
            Value::Instant(Instant {
                millis: Some(moment.millis()),
                shown: Cow::Borrowed(text),
            })
        }),
        ColumnType::List => None,
    }
}

document! {
    /// One variable of an instance.
    pub struct StoredVariable<'a> {
        /// Its name; one without does not count.
        pub name: Text<'a> = "name",
        /// The type that its value had.
        pub variable_type: Text<'a> = "type",
        /// Its value.
        pub value: StoredValue<'a> = "value",
    }
}

impl StoredVariable<'_> {
    /// The fixed text that is shown in place of the value, if the operator wants that.
    pub fn placeholder(&self, object_variables: ObjectVariables) -> Option<&'static str> {
        let is_hidden = object_variables == ObjectVariables::Placeholder
            && (self.variable_type.as_deref()).is_some_and(|t| t.eq_ignore_ascii_case("object"));
        is_hidden.then_some(OBJECT_PLACEHOLDER)
    }

    /// Its value in a column; `None` if it does not fit.
    pub fn cell(
        &self,
        column_type: ColumnType,
        object_variables: ObjectVariables,
        lists_are_joined: bool,
    ) -> Option<Value<'_>> {
        match self.placeholder(object_variables) {
            Some(placeholder) => typed(placeholder, column_type),
            None => self.value.cell(column_type, lists_are_joined),
        }
    }
}

/// The object of what has no column, or does not fit it; nothing where there is no such value.
#[derive(Debug, Default)]
pub(super) struct Rest(JsonText);

impl Rest {
    /// Begins a member; its value has to be written next.
    pub fn member(&mut self, name: &str) -> &mut JsonText {
        let mut is_first = self.0.is_empty();
        if is_first {
            self.0.raw("{");
        }
        self.0.name(name, &mut is_first);
        &mut self.0
    }

    /// The object as a value.
    pub fn into_value(mut self) -> Value<'static> {
        if self.0.is_empty() {
            return Value::Null;
        }
        self.0.raw("}");
        // It is made of texts.
        String::from_utf8(self.0.into_bytes())
            .map_or(Value::Null, |json| Value::Json(Cow::Owned(json)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::row::tests::{read, shown};
    use super::*;

    fn types(occurrences: &[(&str, Option<&str>)]) -> String {
        let owned = |(name, stored): &(&str, Option<&str>)| {
            (String::from(*name), stored.map(str::to_owned))
        };
        let typed = TypedNames::new(occurrences.iter().map(owned));
        let shown: Vec<String> = (typed.iter())
            .map(|(name, column_type)| format!("{name}:{column_type}"))
            .collect();
        shown.join(" ")
    }

    #[test]
    fn a_name_has_the_type_that_all_its_values_are_stored_under() {
        assert_eq!(
            types(&[
                ("s", Some("String")),
                ("i", Some("Integer")),
                ("i", Some("LONG")),
                ("i", Some("short")),
                ("d", Some("Double")),
                ("b", Some("boolean")),
                ("t", Some("Date")),
                ("o", Some("Object")),
                ("j", Some("JSON")),
                ("x", Some("Bytes")),
                ("n", None),
                ("several", Some("Double")),
                ("several", Some("Long")),
                ("several", Some("Long")),
                ("untyped", Some("Long")),
                ("untyped", None),
            ]),
            "b:boolean d:double i:integer j:text n:text o:text s:text several:text t:instant untyped:text x:text"
        );
    }

    #[test]
    fn names_are_in_the_order_of_java_strings() {
        let names = ["\u{ff21}", "\u{1f600}", "a", "B"].map(|name| (name, None));
        assert_eq!(types(&names), "B:text a:text \u{1f600}:text \u{ff21}:text");
    }

    fn cell(json: &str, column_type: ColumnType, lists_are_joined: bool) -> Option<String> {
        let json = format!("{json} ");
        let value: StoredValue<'_> = read(&json);
        let cell = value.cell(column_type, lists_are_joined);
        cell.map(|cell| shown(&[cell]))
    }

    #[test]
    fn values_have_the_type_of_their_column_or_do_not_fit() {
        use ColumnType::{Boolean, Double, Instant, Integer, Text};
        let date = r#""2024-01-01T01:00:00.000+0100""#;
        for (json, column_type, expected) in [
            (r#""a""#, Text, Some("\"a\"")),
            (r#"[""]"#, Text, Some("\"\"")),
            ("97", Text, Some("\"97\"")),
            (r#"["97"]"#, Integer, Some("97")),
            (r#""9007199254740993""#, Integer, Some("9007199254740993")),
            (r#""9223372036854775808""#, Integer, None),
            (r#""1.0""#, Integer, None),
            (r#""abc""#, Integer, None),
            (r#""""#, Integer, None),
            (r#"["36.0"]"#, Double, Some("36.0")),
            (r#""5.09328538898E11""#, Double, Some("509328538898.0")),
            (r#""NaN""#, Double, None),
            (r#""-Infinity""#, Double, None),
            (r#""1e999""#, Double, None),
            (r#""true""#, Boolean, Some("true")),
            ("false", Boolean, Some("false")),
            (r#""TRUE""#, Boolean, None),
            (
                date,
                Instant,
                Some("2024-01-01T01:00:00.000+0100=1704067200000"),
            ),
            (r#""soon""#, Instant, None),
        ] {
            assert_eq!(
                cell(json, column_type, false).as_deref(),
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn nothing_is_null_and_a_list_fits_nowhere() {
        for column_type in [ColumnType::Text, ColumnType::Integer] {
            for nothing in ["null", "[]", "[null]"] {
                assert_eq!(cell(nothing, column_type, true).as_deref(), Some("-"));
            }
            for list in [r#"["1","2"]"#, "[[1,2]]", "[ [1]]"] {
                assert_eq!(cell(list, column_type, false), None, "{list}");
            }
            let joined = cell(r#"["1",null,"x"]"#, column_type, true);
            assert_eq!(joined.as_deref(), Some(r#""1, null, x""#));
        }
    }

    #[test]
    fn the_rest_has_values_exactly_as_they_are_stored() {
        let json = "[\"1.50\",\r\n \"\\ud83d \\u00e9\"] ";
        let value: StoredValue<'_> = read(json);
        let mut rest = Rest::default();
        value.write(rest.member("a\""));
        StoredValue::default().write(rest.member("b"));
        assert_eq!(
            shown(&[rest.into_value()]),
            r#"json {"a\"":["1.50", "\ud83d \u00e9"],"b":null}"#
        );
        assert_eq!(Rest::default().into_value(), Value::Null);
    }

    #[test]
    fn half_a_surrogate_pair_in_a_name_is_an_escape_in_the_rest() {
        let variable: StoredVariable<'_> = read(r#"{"name":"x\ud83d","value":"1"}"#);
        let mut rest = Rest::default();
        let name = variable.name.as_deref().unwrap();
        variable.value.write(rest.member(name));
        assert_eq!(shown(&[rest.into_value()]), r#"json {"x\uD83D":"1"}"#);
    }

    proptest! {
        #[test]
        fn any_integer_and_any_finite_number_reads_back(integer in any::<i64>(), number in any::<f64>()) {
            let text = integer.to_string();
            prop_assert_eq!(typed(&text, ColumnType::Integer), Some(Value::Integer(integer)));
            let text = crate::java::double_to_string(number);
            let expected = number.is_finite().then_some(Value::Double(number));
            prop_assert_eq!(typed(&text, ColumnType::Double), expected);
        }

        #[test]
        fn any_text_is_a_value_of_its_type_or_none(text in ".*") {
            for column_type in ColumnType::ALL.iter().copied() {
                let is_of_type = match typed(&text, column_type) {
                    None => column_type != ColumnType::Text,
                    Some(Value::Text(same)) => column_type == ColumnType::Text && same == text,
                    Some(Value::Integer(number)) => column_type == ColumnType::Integer && text.parse() == Ok(number),
                    Some(Value::Double(number)) => column_type == ColumnType::Double && number.is_finite(),
                    Some(Value::Boolean(value)) => column_type == ColumnType::Boolean && text == value.to_string(),
                    Some(Value::Instant(instant)) => column_type == ColumnType::Instant && instant.shown == text,
                    Some(_) => false,
                };
                prop_assert!(is_of_type);
            }
        }
    }
}
