//! The hits of a scroll, each with a stored document.

use super::cursor::{Cursor, Expected, Read, ReadError};
use super::document::{OneOrMore, Text};
use super::shape::{Object, Shape, Shapes};

/// The member of a hit that has the names of the queries it matched.
const MATCHED_QUERIES: &str = "matched_queries";

/// Why a hit is no row.
#[derive(Debug, thiserror::Error)]
pub enum HitError {
    /// The document is not what Optimize writes.
    #[error("a stored instance can't be read: {0}")]
    Document(#[from] ReadError),
    /// A process instance in place of a decision instance, or the other way round.
    #[error("it is an instance of another kind than the report's")]
    OtherKind,
    /// It does not repeat the name of the scroll, so that it is none of the report's.
    #[error("a hit of another scroll was among those of this one")]
    Foreign,
}

/// Reads a hit into an empty document, of which members that the hit does not have are left as they are; gives back which named queries the hit
/// matched. `shape` is what is known of the hits before.
///
/// # Errors
/// It is no hit, it is cut off, or its document can't be read.
pub fn read<'a>(
    document: &mut impl Object<'a>,
    cursor: &mut Cursor<'a>,
    shape: &mut Shape,
) -> Result<MatchedQueries<'a>, ReadError> {
    let mut hit = Hit {
        document,
        has_document: false,
        matched: MatchedQueries::default(),
    };
    shape.read_into(&mut hit, cursor)?;
    if !hit.has_document {
        return Err(Expected::Document.into());
    }
    Ok(hit.matched)
}

/// Reads the hit that a text begins with into an empty document; gives back the length of the hit in bytes. `name` is the name of
/// the scroll, which every hit repeats, and `shape` what is known of its hits so far.
///
/// # Errors
/// The document can't be read, the text ends before it does, or the hit has another name.
pub fn read_of_scroll<'a>(
    document: &mut impl Object<'a>,
    text: &'a str,
    name: &str,
    shape: &mut Shape,
) -> Result<usize, HitError> {
    let mut cursor = Cursor::new(text);
    let matched = read(document, &mut cursor, shape)?;
    if !matched.names().any(|matched| matched == name) {
        return Err(HitError::Foreign);
    }
    Ok(cursor.position())
}

/// Reads of a hit which named queries it matched. Its document is passed over, whatever it is.
///
/// # Errors
/// It is no hit, or it is cut off.
pub fn read_matched<'a>(cursor: &mut Cursor<'a>) -> Result<MatchedQueries<'a>, ReadError> {
    let mut matched = MatchedQueries::default();
    cursor.object(|name, cursor| {
        if name != MATCHED_QUERIES {
            return cursor.skip();
        }
        matched = cursor.read()?;
        Ok(())
    })?;
    Ok(matched)
}

/// What is read of a hit with its document.
struct Hit<'d, 'a, T> {
    document: &'d mut T,
    has_document: bool,
    matched: MatchedQueries<'a>,
}

impl<'a, T: Object<'a>> Object<'a> for Hit<'_, 'a, T> {
    fn member(name: &str) -> Option<usize> {
        match name {
            "_source" => Some(0),
            MATCHED_QUERIES => Some(1),
            _ => None,
        }
    }

    fn read_member(
        &mut self,
        member: usize,
        cursor: &mut Cursor<'a>,
        shapes: &mut Shapes,
    ) -> Result<(), ReadError> {
        if member != 0 {
            self.matched = cursor.read()?;
            return Ok(());
        }
        // A second one would mix with the first.
        if std::mem::replace(&mut self.has_document, true) {
            return Err(Expected::Document.into());
        }
        shapes.of(member).read_into(self.document, cursor)
    }
}

/// The names of the queries that a hit matched; empty where no query has a name.
#[derive(Debug)]
pub struct MatchedQueries<'a>(OneOrMore<Text<'a>>);

impl Default for MatchedQueries<'_> {
    fn default() -> Self {
        Self(OneOrMore::AtMostOne(None))
    }
}

impl MatchedQueries<'_> {
    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.as_slice().iter().filter_map(Text::as_deref)
    }
}

impl<'a> Read<'a> for MatchedQueries<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, ReadError> {
        OneOrMore::read(cursor).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::document;
    use super::*;

    document! {
        struct Thing<'a> {
            id: Text<'a> = "id",
        }
    }

    #[test]
    fn a_hit_tells_which_queries_it_matched() {
        for (json, expected) in [
            (
                r#"{"_source":{"id":"a"},"matched_queries":["a","b\n"]}"#,
                vec!["a", "b\n"],
            ),
            (
                r#"{"_id":"x","matched_queries":["a"],"_source":{}}"#,
                vec!["a"],
            ),
            (r#"{"_source":{},"sort":[1]}"#, vec![]),
        ] {
            let alone = read_matched(&mut Cursor::new(json)).unwrap();
            assert_eq!(alone.names().collect::<Vec<_>>(), expected, "{json}");
            let (mut thing, mut shape) = (Thing::default(), Shape::default());
            let with_document = read(&mut thing, &mut Cursor::new(json), &mut shape).unwrap();
            assert_eq!(
                with_document.names().collect::<Vec<_>>(),
                expected,
                "{json}"
            );
        }
    }

    #[test]
    fn a_document_that_is_passed_over_can_be_anything() {
        for json in [
            r#"{"_source":null,"matched_queries":["a"]}"#,
            r#"{"_source":{"\x":1},"_source":7,"matched_queries":["a"]}"#,
            r#"{"matched_queries":["a"]}"#,
        ] {
            let matched = read_matched(&mut Cursor::new(json)).unwrap();
            assert_eq!(matched.names().collect::<Vec<_>>(), ["a"], "{json}");
        }
    }

    #[test]
    fn a_hit_has_one_document() {
        let read = |json| {
            let mut thing = Thing::default();
            read(&mut thing, &mut Cursor::new(json), &mut Shape::default())?;
            Ok(thing.id.as_deref().map(str::to_owned))
        };
        let hit = r#"{"_id":"x","_source":{"id":"a"},"sort":[1]}"#;
        assert_eq!(read(hit), Ok(Some("a".to_owned())));
        for json in [
            r#"{"matched_queries":["m"]}"#,
            r#"{"_source":{"id":"a"},"_source":{"id":"b"}}"#,
        ] {
            assert_eq!(
                read(json),
                Err(ReadError::Expected(Expected::Document)),
                "{json}"
            );
        }
    }
}
