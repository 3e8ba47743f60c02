//! Reading stored instance documents, whatever older releases and other importers made of them.
//!
//! Absent, `null` and an empty list mean the same; a single value may stand for a list; numbers may be texts and texts
//! numbers (crates/optimize/docs/indices.md, "Process instances"). Everything borrows from the hit where it can.

use std::sync::OnceLock;

use super::cursor::{Cursor, Expected, Read, ReadError, unescaped};
use super::shape::{Object, Shape, Shapes};

/// Declares what is read of a stored object: each field with the name of the member that it comes from. Absent members leave
/// the field at its default, members without a field are skipped.
macro_rules! document {
    (
        $(#[$about:meta])*
        $visibility:vis struct $name:ident<$text:lifetime> {
            $($(#[$about_field:meta])* $field_visibility:vis $field:ident: $kind:ty = $member:literal,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        $visibility struct $name<$text> {
            $($(#[$about_field])* $field_visibility $field: $kind,)+
        }

        const _: () = {
            /// The members by number.
            #[expect(non_camel_case_types, reason = "they are the fields")]
            enum Number {
                $($field,)+
            }

            impl<$text> $crate::raw_data::shape::Object<$text> for $name<$text> {
                fn member(name: &str) -> Option<usize> {
                    match name {
                        $($member => Some(Number::$field as usize),)+
                        _ => None,
                    }
                }

                #[inline]
                fn read_member(
                    &mut self,
                    member: usize,
                    cursor: &mut $crate::raw_data::cursor::Cursor<$text>,
                    shapes: &mut $crate::raw_data::shape::Shapes,
                ) -> Result<(), $crate::raw_data::cursor::ReadError> {
                    $(if member == Number::$field as usize {
                        return $crate::raw_data::cursor::Read::read_over(&mut self.$field, cursor, shapes, member);
                    })+
                    cursor.skip()
                }
            }
        };

        /// One alone, with nothing known of others.
        impl<$text> $crate::raw_data::cursor::Read<$text> for $name<$text> {
            fn read(
                cursor: &mut $crate::raw_data::cursor::Cursor<$text>,
            ) -> Result<Self, $crate::raw_data::cursor::ReadError> {
                let mut object = Self::default();
                $crate::raw_data::shape::Shape::default().read_into(&mut object, cursor)?;
                Ok(object)
            }
        }

        impl $crate::raw_data::reuse::Reuse for $name<'_> {
            type Empty = $name<'static>;

            fn emptied(self) -> Self::Empty {
                $name {
                    $($field: $crate::raw_data::reuse::Reuse::emptied(self.$field),)+
                }
            }
        }
    };
}
pub(crate) use document;

/// A text, or nothing.
#[derive(Debug, Default, Clone)]
pub struct Text<'a>(Form<'a>);

#[derive(Debug, Default, Clone)]
enum Form<'a> {
    #[default]
    Nothing,
    /// A string as it stands in a document, with its quotation marks and without escapes.
    Quoted(&'a str),
    /// A number or truth value as it stands in a document.
    Bare(&'a str),
    /// A string that has escapes.
    Escaped(Box<Escaped<'a>>),
}

#[derive(Debug, Clone)]
struct Escaped<'a> {
    /// As it stands in a document, with its quotation marks.
    json: &'a str,
    /// Whether all its escapes are those that this service writes too.
    is_usual: bool,
    /// Without escapes. Where they are usual, it is made when it is asked for: mostly the string is only repeated. What has been read is borrowed
    /// while the names of its flow nodes are waited for, so that threads may share it.
    text: OnceLock<String>,
}

impl Text<'_> {
    /// The text, if there is one.
    #[inline]
    pub fn as_deref(&self) -> Option<&str> {
        match &self.0 {
            Form::Nothing => None,
            Form::Quoted(json) => json.get(1..json.len().saturating_sub(1)),
            Form::Bare(text) => Some(text),
            Form::Escaped(escaped) => {
                // Usual escapes are right ones, and control characters ended the string where it was read.
                let text = || unescaped(escaped.json).unwrap_or_default();
                Some(escaped.text.get_or_init(text))
            }
        }
    }

    /// Whether there is a text.
    #[inline]
    pub fn is_there(&self) -> bool {
        !matches!(self.0, Form::Nothing)
    }

    /// The string of JSON that it is in its document, if it is written like that: it can be repeated as it is.
    #[inline]
    pub fn as_json(&self) -> Option<&str> {
        match &self.0 {
            Form::Quoted(json) => Some(json),
            Form::Escaped(escaped) => escaped.is_usual.then_some(escaped.json),
            Form::Nothing | Form::Bare(_) => None,
        }
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.as_deref() == other.as_deref()
    }
}

impl Eq for Text<'_> {}

impl<'a> Read<'a> for Text<'a> {
    /// A list where one text is usual is indexed like its elements; the first one is shown.
    #[inline]
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ReadError> {
        match cursor.quoted() {
            Some(json) => Ok(Self(Form::Quoted(json))),
            None => Self::read_other(cursor),
        }
    }
}

impl<'a> Text<'a> {
    /// Reads what is no string, or one with escapes.
    fn read_other(cursor: &mut Cursor<'a>) -> Result<Self, ReadError> {
        Ok(Self(match cursor.peek()? {
            b'"' => match cursor.quoted() {
                Some(json) => Form::Quoted(json),
                None => {
                    let json = cursor.quoted_with_escapes()?;
                    let is_usual = has_usual_escapes(json);
                    // What other escapes there are has to be right.
                    let text = match is_usual {
                        true => OnceLock::new(),
                        false => OnceLock::from(unescaped(json)?),
                    };
                    Form::Escaped(Box::new(Escaped {
                        json,
                        is_usual,
                        text,
                    }))
                }
            },
            b'[' => return first_of_list(cursor).map(Option::unwrap_or_default),
            _ => match cursor.scalar()? {
                "null" => Form::Nothing,
                value => Form::Bare(value),
            },
        }))
    }
}

/// Whether a string of JSON has no other escapes than those that are written: not `\/`, and none by the number of a character, which is
/// spelled in several ways.
fn has_usual_escapes(json: &str) -> bool {
    let mut rest = json.as_bytes();
    while let Some(backslash) = memchr::memchr(b'\\', rest) {
        match rest.get(backslash + 1) {
            Some(b'"' | b'\\' | b'n' | b'r' | b't' | b'b' | b'f') => {}
            _ => return false,
        }
        rest = rest.get(backslash + 2..).unwrap_or_default();
    }
    true
}

/// An integer, or nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Integer(pub Option<i64>);

impl<'a> Read<'a> for Integer {
    #[inline]
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ReadError> {
        match cursor.peek()? {
            b'"' => cursor.string().map(|text| Self(integer_of_text(&text))),
            b'[' => first_of_list(cursor).map(Option::unwrap_or_default),
            _ => match cursor.scalar()? {
                "null" => Ok(Self(None)),
                "true" | "false" => Err(Expected::Integer.into()),
                number => Ok(Self(integer_of_number(number))),
            },
        }
    }
}

/// What a number is as an integer: a fraction is cut off, as Elasticsearch does, and what is too large is none.
fn integer_of_number(number: &str) -> Option<i64> {
    match number.parse() {
        Ok(integer) => Some(integer),
        Err(_) if number.parse::<u64>().is_ok() => None,
        Err(_) => integer_of_fraction(number),
    }
}

fn integer_of_text(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| integer_of_fraction(text))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a fraction is cut off, as Elasticsearch does"
)]
fn integer_of_fraction(text: &str) -> Option<i64> {
    text.parse::<f64>().ok().map(|number| number as i64)
}

/// The first element of a list, and of the list that it is, if it is one.
fn first_of_list<'a, T: Read<'a>>(cursor: &mut Cursor<'a>) -> Result<Option<T>, ReadError> {
    let list = cursor.clone();
    cursor.skip()?;
    let mut first = list;
    while first.peek()? == b'[' {
        first.enter_list()?;
    }
    match first.peek()? {
        b']' => Ok(None),
        _ => first.read().map(Some),
    }
}

/// A list; nothing, `null` and single values count as lists too, and `null` elements do not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Many<T>(pub Vec<T>);

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, T: Object<'a> + Default> Read<'a> for Many<T> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ReadError> {
        let mut many = Self::default();
        many.read_with(cursor, &mut Shape::default())?;
        Ok(many)
    }

    fn read_over(
        &mut self,
        cursor: &mut Cursor<'a>,
        shapes: &mut Shapes,
        member: usize,
    ) -> Result<(), ReadError> {
        self.0.clear();
        self.read_with(cursor, shapes.of(member))
    }
}

/// Elements that room is made for before they are seen.
const MAX_EXPECTED: usize = 64;

/// How deep lists of lists may go. Elasticsearch flattens them, and nobody writes them.
const MAX_LIST_DEPTH: u32 = 100;

impl<'a, T: Object<'a> + Default> Many<T> {
    fn read_with(&mut self, cursor: &mut Cursor<'a>, shape: &mut Shape) -> Result<(), ReadError> {
        if cursor.peek()? != b'[' {
            return self.read_one(cursor, shape);
        }
        self.0.reserve(shape.in_last_list.min(MAX_EXPECTED));
        self.read_list(cursor, shape, 0)?;
        shape.in_last_list = self.0.len();
        Ok(())
    }

    fn read_one(&mut self, cursor: &mut Cursor<'a>, shape: &mut Shape) -> Result<(), ReadError> {
        match cursor.peek()? {
            b'{' => {
                // It is made where it stays: what has just been written in parts can't be moved as a whole without waiting.
                self.0.resize_with(self.0.len() + 1, T::default);
                if let Some(element) = self.0.last_mut() {
                    shape.read_into(element, cursor)?;
                }
            }
            _ if cursor.scalar()? == "null" => {}
            _ => return Err(Expected::NullOrObject.into()),
        }
        Ok(())
    }

    fn read_list(
        &mut self,
        cursor: &mut Cursor<'a>,
        shape: &mut Shape,
        depth: u32,
    ) -> Result<(), ReadError> {
        if depth > MAX_LIST_DEPTH {
            return Err(Expected::LessDepth.into());
        }
        cursor.list(|cursor| match cursor.peek()? {
            b'[' => self.read_list(cursor, shape, depth + 1),
            _ => self.read_one(cursor, shape),
        })
    }
}

/// The values of a variable: `None` where there is none; an element may be `null`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Values<'a>(pub Option<OneOrMore<Text<'a>>>);

impl Values<'_> {
    /// The values; `None` where there is none, which is not the same as an empty list.
    #[inline]
    pub fn as_slice(&self) -> Option<&[Text<'_>]> {
        self.0.as_ref().map(OneOrMore::as_slice)
    }
}

impl<'a> Read<'a> for Values<'a> {
    #[inline]
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ReadError> {
        if cursor.peek()? != b'[' {
            let text: Text<'a> = cursor.read()?;
            return Ok(Self(
                text.is_there().then(|| OneOrMore::AtMostOne(Some(text))),
            ));
        }
        OneOrMore::read(cursor).map(|values| Self(Some(values)))
    }
}

/// A list that mostly has one element, which then takes no room of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OneOrMore<T> {
    /// One element, or none yet.
    AtMostOne(Option<T>),
    /// Several.
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    /// The elements.
    pub fn as_slice(&self) -> &[T] {
        match self {
            Self::AtMostOne(element) => element.as_slice(),
            Self::More(elements) => elements,
        }
    }
}

impl<'a, T: Read<'a>> Read<'a> for OneOrMore<T> {
    #[inline]
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ReadError> {
        if !cursor.has_element(true)? {
            return Ok(Self::AtMostOne(None));
        }
        let first = cursor.read()?;
        if !cursor.has_element(false)? {
            return Ok(Self::AtMostOne(Some(first)));
        }
        let mut elements = vec![first];
        loop {
            elements.push(cursor.read()?);
            if !cursor.has_element(false)? {
                return Ok(Self::More(elements));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::cursor::tests::json;
    use super::*;

    /// Reads a value and shows it. A number could go on where its text ends, so something has to follow.
    fn read<T, S>(json: &str, shown: impl Fn(&T) -> S) -> Result<S, ReadError>
    where
        T: for<'a> Read<'a>,
    {
        let json = format!("{json} ");
        Cursor::new(&json).read::<T>().map(|value| shown(&value))
    }

    proptest! {
        #[test]
        fn a_text_with_escapes_is_what_a_string_is(inner in r#"["\\/bfnrtu0-9a-fdD\u{1}é]{0,30}"#) {
            let json = format!("\"{inner}\" ");
            let (mut as_text, mut as_string) = (Cursor::new(&json), Cursor::new(&json));
            let text = as_text.read::<Text<'_>>();
            let text = text.map(|text| text.as_deref().map(str::to_owned));
            let string = as_string.string().map(|string| Some(string.into_owned()));
            prop_assert_eq!(text, string);
            prop_assert_eq!(as_text.position(), as_string.position());
        }
    }

    fn text(json: &str) -> Result<Option<String>, ReadError> {
        let json = format!("{json} ");
        let text: Text<'_> = Cursor::new(&json).read()?;
        Ok(text.as_deref().map(str::to_owned))
    }

    fn values(json: &str) -> Result<Option<Vec<Option<String>>>, ReadError> {
        let json = format!("{json} ");
        let values: Values<'_> = Cursor::new(&json).read()?;
        let owned = |text: &Text<'_>| text.as_deref().map(str::to_owned);
        Ok(values
            .as_slice()
            .map(|list| list.iter().map(owned).collect()))
    }

    document! {
        struct Element<'a> {
            id: Text<'a> = "id",
        }
    }

    impl Element<'_> {
        fn id(&self) -> Option<String> {
            self.id.as_deref().map(str::to_owned)
        }
    }

    fn many(json: &str) -> Result<Vec<Option<String>>, ReadError> {
        let json = format!("{json} ");
        let many: Many<Element<'_>> = Cursor::new(&json).read()?;
        Ok(many.0.iter().map(Element::id).collect())
    }

    fn integer(json: &str) -> Option<i64> {
        read(json, |integer: &Integer| integer.0).unwrap()
    }

    #[test]
    fn a_text_is_repeated_if_its_escapes_are_those_that_are_written() {
        for (json, text, is_repeated) in [
            (r#""plain""#, "plain", true),
            (r#""{\"a\":\"C:\\\\x\"}""#, r#"{"a":"C:\\x"}"#, true),
            (r#""\b\f\n\r\t""#, "\u{8}\u{c}\n\r\t", true),
            (r#""a\/b""#, "a/b", false),
            (r#""\\\u00e9""#, "\\\u{e9}", false),
            (r#""\u001f""#, "\u{1f}", false),
            ("7", "7", false),
        ] {
            let with_more = format!("{json} ");
            let read: Text<'_> = Cursor::new(&with_more).read().unwrap();
            assert_eq!(read.as_deref(), Some(text), "{json}");
            assert_eq!(read.as_json(), is_repeated.then_some(json), "{json}");
        }
    }

    #[test]
    fn values_come_as_list_single_value_or_nothing() {
        assert_eq!(values("null"), Ok(None));
        assert_eq!(values("[]"), Ok(Some(vec![])));
        assert_eq!(values("\"a\""), Ok(Some(vec![Some("a".into())])));
        assert_eq!(values("12.50"), Ok(Some(vec![Some("12.50".into())])));
        assert_eq!(
            values(r#"["a\n",null,7,true]"#),
            Ok(Some(vec![
                Some("a\n".into()),
                None,
                Some("7".into()),
                Some("true".into())
            ]))
        );
    }

    #[test]
    fn lists_come_nested_single_and_with_holes() {
        assert_eq!(many("null"), Ok(vec![]));
        assert_eq!(many(r#"{"id":"a"}"#), Ok(vec![Some("a".to_owned())]));
        assert_eq!(
            many(r#"[{"id":"a"},null,[{"id":1}],{"id":null},{}]"#),
            Ok(vec![Some("a".to_owned()), Some("1".to_owned()), None, None])
        );
        assert!(many("[7]").is_err() && many("\"a\"").is_err());
        assert!(many(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn integers_come_as_numbers_and_texts() {
        assert_eq!(integer("4572000041"), Some(4_572_000_041));
        assert_eq!(integer("\"7\""), Some(7));
        assert_eq!(integer("7.9"), Some(7));
        assert_eq!(integer("[[8],9]"), Some(8));
        assert_eq!(integer("null"), None);
        assert_eq!(integer("\"soon\""), None);
        assert_eq!(integer("18446744073709551615"), None);
    }

    /// What is shown of any value where a text is usual; `None` where that is an error.
    fn expected_text(value: &Value) -> Option<Option<String>> {
        match value {
            Value::Null => Some(None),
            Value::String(text) => Some(Some(text.clone())),
            Value::Array(list) => list.first().map_or(Some(None), expected_text),
            Value::Object(_) => None,
            other => Some(Some(other.to_string())),
        }
    }

    proptest! {
        #[test]
        fn any_value_is_a_text_or_an_error(value in json()) {
            let json = value.to_string();
            prop_assert_eq!(text(&json).ok(), expected_text(&value));
            let expected_values = match &value {
                Value::Array(list) => list.iter().map(expected_text).collect::<Option<Vec<_>>>().map(Some),
                other => expected_text(other).map(|text| text.map(|text| vec![Some(text)])),
            };
            prop_assert_eq!(values(&json).ok(), expected_values);
        }

        #[test]
        fn any_number_is_an_integer(number in any::<f64>(), integer_ in any::<i64>()) {
            #[expect(clippy::cast_possible_truncation, reason = "as Elasticsearch does")]
            let cut = number as i64;
            prop_assert_eq!(integer(&Value::from(number).to_string()), Some(cut));
            prop_assert_eq!(integer(&Value::from(integer_).to_string()), Some(integer_));
        }
    }
}
