//! Reading stored instance documents, whatever older releases and other importers made of them.
//!
//! Absent, `null` and an empty list mean the same; a single value may stand for a list; numbers may be texts and texts
//! numbers (fact file C, sections 3.3 and 11). Everything borrows from the hit where it can.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor, value};

/// One hit of a scroll.
#[derive(Debug, Deserialize)]
pub struct Hit<T> {
    /// The stored document.
    #[serde(rename = "_source")]
    pub source: T,
}

/// The names of the queries that a hit matched.
#[derive(Debug, Deserialize)]
pub struct MatchedQueries {
    /// Empty where no query has a name.
    #[serde(default)]
    pub matched_queries: Vec<String>,
}

/// A text, or nothing.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Text<'a>(pub Option<Cow<'a, str>>);

impl Text<'_> {
    /// The text, if there is one.
    pub fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor(PhantomData))
    }
}

struct TextVisitor<'a>(PhantomData<&'a ()>);

fn owned<'a>(text: impl ToString) -> Text<'a> {
    Text(Some(Cow::Owned(text.to_string())))
}

impl<'de: 'a, 'a> Visitor<'de> for TextVisitor<'a> {
    type Value = Text<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }
    fn visit_unit<E>(self) -> Result<Text<'a>, E> {
        Ok(Text(None))
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'a>, E> {
        Ok(Text(Some(Cow::Borrowed(text))))
    }
    fn visit_str<E>(self, text: &str) -> Result<Text<'a>, E> {
        Ok(owned(text))
    }
    fn visit_bool<E>(self, value: bool) -> Result<Text<'a>, E> {
        Ok(owned(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Text<'a>, E> {
        Ok(owned(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Text<'a>, E> {
        Ok(owned(value))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Text<'a>, E> {
        Ok(owned(value))
    }
    /// A list where one text is usual: Elasticsearch indexes it like its elements; the first one is shown.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text<'a>, A::Error> {
        let first = list.next_element::<Text<'a>>()?;
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first.unwrap_or_default())
    }
}

/// An integer, or nothing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Integer(pub Option<i64>);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntegerVisitor;

        impl<'de> Visitor<'de> for IntegerVisitor {
            type Value = Integer;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }
            fn visit_unit<E>(self) -> Result<Integer, E> {
                Ok(Integer(None))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Integer, E> {
                Ok(Integer(Some(value)))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Integer, E> {
                Ok(Integer(i64::try_from(value).ok()))
            }
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a fraction is cut off, as Elasticsearch does"
            )]
            fn visit_f64<E>(self, value: f64) -> Result<Integer, E> {
                Ok(Integer(Some(value as i64)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Integer, E> {
                match text.parse::<i64>() {
                    Ok(value) => self.visit_i64(value),
                    Err(_) => match text.parse::<f64>() {
                        Ok(value) => self.visit_f64(value),
                        Err(_) => Ok(Integer(None)),
                    },
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Integer, A::Error> {
                let first = list.next_element::<Integer>()?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(first.unwrap_or_default())
            }
        }

        deserializer.deserialize_any(IntegerVisitor)
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

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ManyVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
            type Value = Many<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of objects")
            }
            fn visit_unit<E>(self) -> Result<Many<T>, E> {
                Ok(Many::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Many<T>, A::Error> {
                T::deserialize(value::MapAccessDeserializer::new(map)).map(|one| Many(vec![one]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Many<T>, A::Error> {
                let mut many = Vec::with_capacity(list.size_hint().unwrap_or(8));
                // An element may itself be a list: Elasticsearch flattens lists of lists.
                while let Some(element) = list.next_element::<Many<T>>()? {
                    many.extend(element.0);
                }
                Ok(Many(many))
            }
        }

        deserializer.deserialize_any(ManyVisitor(PhantomData))
    }
}

/// The values of a variable: `None` where there is none; an element may be `null`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Values<'a>(pub Option<Vec<Text<'a>>>);

impl<'de: 'a, 'a> Deserialize<'de> for Values<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValuesVisitor<'a>(PhantomData<&'a ()>);

        fn one<'a, E>(text: Result<Text<'a>, E>) -> Result<Values<'a>, E> {
            text.map(|text| Values(text.0.is_some().then(|| vec![text])))
        }

        impl<'de: 'a, 'a> Visitor<'de> for ValuesVisitor<'a> {
            type Value = Values<'a>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the values of a variable")
            }
            fn visit_unit<E>(self) -> Result<Values<'a>, E> {
                Ok(Values(None))
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Values<'a>, E> {
                one(TextVisitor(PhantomData).visit_borrowed_str(text))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Values<'a>, E> {
                one(TextVisitor(PhantomData).visit_str(text))
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Values<'a>, E> {
                one(TextVisitor(PhantomData).visit_bool(value))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Values<'a>, E> {
                one(TextVisitor(PhantomData).visit_i64(value))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Values<'a>, E> {
                one(TextVisitor(PhantomData).visit_u64(value))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Values<'a>, E> {
                one(TextVisitor(PhantomData).visit_f64(value))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Values<'a>, A::Error> {
                let mut values = Vec::with_capacity(1);
                while let Some(value) = list.next_element()? {
                    values.push(value);
                }
                Ok(Values(Some(values)))
            }
        }

        deserializer.deserialize_any(ValuesVisitor(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &Values<'_>) -> Option<Vec<Option<String>>> {
        let list = values.0.as_ref()?;
        Some(
            list.iter()
                .map(|text| text.as_deref().map(str::to_owned))
                .collect(),
        )
    }

    #[test]
    fn values_come_as_list_single_value_or_nothing() {
        let read = |json: &str| texts(&serde_json::from_str(json).unwrap());
        assert_eq!(read("null"), None);
        assert_eq!(read("[]"), Some(vec![]));
        assert_eq!(read("\"a\""), Some(vec![Some("a".into())]));
        assert_eq!(read("12.5"), Some(vec![Some("12.5".into())]));
        assert_eq!(
            read(r#"["a\n",null,7,true]"#),
            Some(vec![
                Some("a\n".into()),
                None,
                Some("7".into()),
                Some("true".into())
            ])
        );
    }

    #[test]
    fn lists_come_nested_single_and_with_holes() {
        let read = |json: &str| -> Vec<Option<String>> {
            #[derive(Deserialize)]
            struct Element<'a> {
                #[serde(borrow, default)]
                id: Text<'a>,
            }
            let many: Many<Element<'_>> = serde_json::from_str(json).unwrap();
            many.0
                .into_iter()
                .map(|element| element.id.as_deref().map(str::to_owned))
                .collect()
        };
        assert_eq!(read("null"), []);
        assert_eq!(read(r#"{"id":"a"}"#), [Some("a".to_owned())]);
        assert_eq!(
            read(r#"[{"id":"a"},null,[{"id":1}],{"id":null},{}]"#),
            [Some("a".to_owned()), Some("1".to_owned()), None, None]
        );
    }

    #[test]
    fn integers_come_as_numbers_and_texts() {
        let read = |json: &str| serde_json::from_str::<Integer>(json).unwrap().0;
        assert_eq!(read("4572000041"), Some(4_572_000_041));
        assert_eq!(read("\"7\""), Some(7));
        assert_eq!(read("7.9"), Some(7));
        assert_eq!(read("null"), None);
        assert_eq!(read("\"soon\""), None);
        assert_eq!(read("18446744073709551615"), None);
    }
}
