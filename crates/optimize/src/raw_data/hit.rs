//! The hits of a scroll, each with a stored document.

use super::cursor::{Cursor, Expected, Read, ReadError};
use super::document::{OneOrMore, Text};
use super::shape::{Object, Shape, Shapes};

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

/// Reads a hit into a document that has nothing yet; gives back which named queries the hit matched. `shape` is what is known of the hits
/// before.
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

/// Reads the hit that a text begins with into a document that has nothing yet; gives back the length of the hit in bytes. `name` is the name of
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

/// What is read of a hit.
struct Hit<'d, 'a, T> {
    document: &'d mut T,
    has_document: bool,
    matched: MatchedQueries<'a>,
}

impl<'a, T: Object<'a>> Object<'a> for Hit<'_, 'a, T> {
    fn member(name: &str) -> Option<usize> {
        match name {
            "_source" => Some(0),
            "matched_queries" => Some(1),
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

/// A document of which nothing is read.
#[derive(Debug)]
pub struct Skipped;

impl<'a> Object<'a> for Skipped {
    fn member(_name: &str) -> Option<usize> {
        None
    }

    fn read_member(
        &mut self,
        _member: usize,
        cursor: &mut Cursor<'a>,
        _shapes: &mut Shapes,
    ) -> Result<(), ReadError> {
        cursor.skip()
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

    /// The names of the queries that a hit matched.
    fn matched<'a>(
        document: &mut impl Object<'a>,
        json: &'a str,
    ) -> Result<Vec<String>, ReadError> {
        let matched = read(document, &mut Cursor::new(json), &mut Shape::default())?;
        Ok(matched.names().map(str::to_owned).collect())
    }

    #[test]
    fn a_hit_tells_which_queries_it_matched() {
        for (json, expected) in [
            (
                r#"{"_source":{"x":[]},"matched_queries":["a","b\n"]}"#,
                vec!["a", "b\n"],
            ),
            (
                r#"{"_id":"x","matched_queries":["a"],"_source":{}}"#,
                vec!["a"],
            ),
            (r#"{"_source":{},"sort":[1]}"#, vec![]),
        ] {
            assert_eq!(matched(&mut Skipped, json).unwrap(), expected, "{json}");
        }
    }

    #[test]
    fn a_hit_has_one_document() {
        let mut thing = Thing::default();
        matched(&mut thing, r#"{"_id":"x","_source":{"id":"a"},"sort":[1]}"#).unwrap();
        assert_eq!(thing.id.as_deref(), Some("a"));
        let expected = Err(ReadError::Expected(Expected::Document));
        for json in [
            r#"{"matched_queries":["m"]}"#,
            r#"{"_source":{"id":"a"},"_source":{"id":"b"}}"#,
        ] {
            assert_eq!(matched(&mut Thing::default(), json), expected, "{json}");
            assert_eq!(matched(&mut Skipped, json), expected, "{json}");
        }
    }
}
