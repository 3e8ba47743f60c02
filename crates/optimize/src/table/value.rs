//! What stands in a cell.

use std::borrow::Cow;

/// A value of a row. Text may hold halves of surrogate pairs ([`utf16`]).
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Nothing.
    Null,
    /// Text.
    Text(Cow<'a, str>),
    /// An integer.
    Integer(i64),
    /// A finite floating point number.
    Double(f64),
    /// True or false.
    Boolean(bool),
    /// A moment.
    Instant(Instant<'a>),
    /// Texts.
    List(Vec<Cow<'a, str>>),
    /// JSON text in a column of text: an object.
    Json(Cow<'a, str>),
}

/// A moment, and how a row shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Instant<'a> {
    /// Milliseconds since 1970; `None` for a stored date that is none, which text formats show as it is.
    pub millis: Option<i64>,
    /// With the stored offset, or in the zone that was asked for.
    pub shown: Cow<'a, str>,
}

impl<'a> Value<'a> {
    /// Text, or nothing.
    pub fn text(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, |text| Self::Text(Cow::Borrowed(text)))
    }

    /// An integer, or nothing.
    pub fn integer(number: Option<i64>) -> Self {
        number.map_or(Self::Null, Self::Integer)
    }

    /// A floating point number, or nothing; one that is not finite counts as nothing.
    pub fn double(number: Option<f64>) -> Self {
        number
            .filter(|number| number.is_finite())
            .map_or(Self::Null, Self::Double)
    }
}
