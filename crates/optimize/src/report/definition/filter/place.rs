//! Reading a part of a stored filter, so that an error names the part and the filter it belongs to.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;

use super::super::lenient;
use crate::report::definition::DefinitionError;

/// Characters of a stored value that an error message repeats.
const EXCERPT_LENGTH: usize = 100;

/// A place in the stored document.
pub struct Place {
    path: String,
    subject: Option<String>,
}

impl Place {
    fn filter(position: usize) -> Self {
        Self {
            path: format!("data.filter[{position}]"),
            subject: None,
        }
    }

    /// The same place; errors say what it is about.
    pub fn about(&self, subject: String) -> Self {
        Self {
            path: self.path.clone(),
            subject: Some(subject),
        }
    }

    /// The place of a member.
    pub fn member(&self, name: &str) -> Self {
        Self {
            path: format!("{}.{name}", self.path),
            subject: self.subject.clone(),
        }
    }

    /// The place of a list element.
    pub fn element(&self, position: usize) -> Self {
        Self {
            path: format!("{}[{position}]", self.path),
            subject: self.subject.clone(),
        }
    }

    /// An error about this place.
    pub fn problem(&self, problem: impl fmt::Display) -> DefinitionError {
        match &self.subject {
            Some(subject) => DefinitionError::part(&self.path, format!("{subject}: {problem}")),
            None => DefinitionError::part(&self.path, problem),
        }
    }

    /// An error about this place in the words that Optimize has for a missing value.
    pub fn empty(&self, name: &str) -> DefinitionError {
        self.problem(format!("{name} is not allowed to be empty or null"))
    }

    /// Reads what stands here.
    pub fn read<'a, T: Deserialize<'a>>(&self, value: &'a Value) -> Result<T, DefinitionError> {
        serde_path_to_error::deserialize(value).map_err(|error| {
            let inner = match error.path().to_string() {
                root if root == "." => String::new(),
                element if element.starts_with('[') => element,
                member => format!(".{member}"),
            };
            let place = Self {
                path: format!("{}{inner}", self.path),
                subject: self.subject.clone(),
            };
            place.problem(without_middle(&error.inner().to_string()))
        })
    }

    /// Reads what stands here with one of the [`lenient`] functions.
    pub fn read_with<'a, T>(
        &self,
        read: fn(&'a Value) -> Result<T, serde_json::Error>,
        value: &'a Value,
    ) -> Result<T, DefinitionError> {
        read(value).map_err(|error| self.problem(without_middle(&error.to_string())))
    }

    /// Reads the object that stands here. Without this check a list would do as well, its elements taken for members.
    pub fn read_object<'a, T: Deserialize<'a>>(
        &self,
        value: &'a Value,
    ) -> Result<T, DefinitionError> {
        if value.is_object() {
            self.read(value)
        } else {
            Err(self.no_object(value))
        }
    }

    /// An error about this place, where an object should be.
    pub fn no_object(&self, value: &Value) -> DefinitionError {
        let found = excerpt(&value.to_string());
        self.problem(format!("is {found}, expected an object"))
    }

    /// Reads the object that stands here, which is a filter's data or a part of it that has to be there.
    pub fn read_data<'a, T: Deserialize<'a>>(
        &self,
        value: &'a Value,
    ) -> Result<T, DefinitionError> {
        if value.is_null() {
            return Err(self.empty("data"));
        }
        self.read_object(value)
    }

    /// Texts without a null among them: Elasticsearch takes none, so Optimize fails on them.
    pub fn without_nulls(
        &self,
        texts: Vec<Option<String>>,
    ) -> Result<Vec<String>, DefinitionError> {
        texts
            .into_iter()
            .enumerate()
            .map(|(position, text)| {
                text.ok_or_else(|| self.element(position).problem("is null, expected an id"))
            })
            .collect()
    }
}

/// The start of a stored text, for an error message.
pub fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_LENGTH) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A message that may have a stored text of any length in it. What is legal stands at its end.
fn without_middle(message: &str) -> String {
    const TAIL_LENGTH: usize = 3 * EXCERPT_LENGTH;
    let tail_start = message.char_indices().rev().nth(TAIL_LENGTH - 1);
    let tail = tail_start.and_then(|(start, _)| message.get(start..));
    match tail {
        Some(tail) if message.len() > tail.len() + 2 * EXCERPT_LENGTH => {
            format!("{} {tail}", excerpt(message))
        }
        _ => message.to_owned(),
    }
}

/// Reads `filter` out of the `data` of a report, each with its place.
pub fn read_list<T>(
    data: &str,
    read: fn(&Value, &Place) -> Result<T, DefinitionError>,
) -> Result<Vec<T>, DefinitionError> {
    #[derive(Deserialize)]
    struct Filters {
        #[serde(default, rename = "filter", deserialize_with = "lenient::list_or_null")]
        filters: Vec<Value>,
    }
    let stored: Filters = super::super::parse_data(data)?;
    let places = (0..).map(Place::filter);
    let filters = stored.filters.iter().zip(places);
    filters.map(|(value, place)| read(value, &place)).collect()
}

/// A whole number, a number written as a string, or `null`. A fraction is cut off, as Jackson does it.
pub fn optional_integer<'de, D: Deserializer<'de>>(d: D) -> Result<Option<i64>, D::Error> {
    let expected = &"a whole number of 64 bits";
    match Value::deserialize(d)? {
        Value::Null => Ok(None),
        Value::Number(number) => whole(&number).map(Some).ok_or_else(|| {
            de::Error::invalid_value(de::Unexpected::Other(&number.to_string()), expected)
        }),
        Value::String(text) if text.trim().is_empty() => Ok(None),
        Value::String(text) => text
            .trim()
            .parse()
            .map(Some)
            .map_err(|_| de::Error::invalid_value(de::Unexpected::Str(&text), expected)),
        other => Err(de::Error::invalid_type(
            de::Unexpected::Other(&other.to_string()),
            expected,
        )),
    }
}

fn whole(number: &serde_json::Number) -> Option<i64> {
    /// The first floating point number above 64 bits.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    number.as_i64().or_else(|| {
        let float = number.as_f64().filter(|_| !number.is_u64())?;
        // In range, so the cast does nothing but cut the fraction off.
        (-LIMIT..LIMIT).contains(&float).then_some(float as i64)
    })
}

/// A boolean, one written as a string or a number, or `null`: Jackson's coercion of scalars.
pub struct Flag(pub Option<bool>);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(d)?;
        let flag = match &value {
            Value::Null => None,
            Value::Bool(flag) => Some(*flag),
            Value::Number(number) if number.is_i64() => Some(number.as_i64() != Some(0)),
            Value::String(text) => match text.trim() {
                "" => None,
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                other => {
                    let found = de::Unexpected::Str(other);
                    return Err(de::Error::invalid_value(found, &"true or false"));
                }
            },
            other => {
                let text = other.to_string();
                let found = de::Unexpected::Other(&text);
                return Err(de::Error::invalid_type(found, &"true or false"));
            }
        };
        Ok(Self(flag))
    }
}

/// A flag whose default is false.
pub fn flag<'de, D: Deserializer<'de>>(d: D) -> Result<bool, D::Error> {
    Ok(Flag::deserialize(d)?.0.unwrap_or_default())
}
