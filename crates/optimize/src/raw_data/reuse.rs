//! The room of one document, used again for the next.
//!
//! The lists of a document of ten kilobytes take some kilobytes themselves, which the allocator would give and take back for every row.

use super::document::{Integer, Many, Text, Values};

/// Lists that take more are not kept: one instance with very many flow nodes should not hold its room as long as its scroll goes on.
const MAX_KEPT_BYTES: usize = 64 * 1024;

/// What borrows from its hit, and can be emptied so that it does not any more.
pub trait Reuse {
    /// The same with nothing in it. It is good for a hit of any lifetime.
    type Empty: 'static;

    /// Takes everything out and keeps the room.
    fn emptied(self) -> Self::Empty;
}

/// An empty list in the room of another, of elements that differ in their lifetime only: the standard library collects in place what has the
/// same size.
pub(crate) fn emptied<T, U>(mut list: Vec<T>) -> Vec<U> {
    list.clear();
    list.into_iter().filter_map(|_| None).collect()
}

impl<T: Reuse> Reuse for Many<T> {
    type Empty = Many<T::Empty>;

    fn emptied(self) -> Self::Empty {
        let Self(list) = self;
        if list.capacity() * size_of::<T>() > MAX_KEPT_BYTES {
            return Many::default();
        }
        Many(emptied(list))
    }
}

impl Reuse for Text<'_> {
    type Empty = Text<'static>;

    #[inline]
    fn emptied(self) -> Self::Empty {
        Text::default()
    }
}

impl Reuse for Integer {
    type Empty = Self;

    #[inline]
    fn emptied(self) -> Self {
        Self::default()
    }
}

impl Reuse for Values<'_> {
    type Empty = Values<'static>;

    #[inline]
    fn emptied(self) -> Self::Empty {
        Values::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::super::document::document;
    use super::super::shape::Shape;
    use super::*;

    document! {
        struct Thing<'a> {
            name: Text<'a> = "name",
            size: Integer = "size",
            parts: Many<Part<'a>> = "parts",
        }
    }

    document! {
        struct Part<'a> {
            id: Text<'a> = "id",
            values: Values<'a> = "values",
        }
    }

    fn read<'a>(thing: &mut Thing<'a>, json: &'a str) {
        let mut shape = Shape::default();
        shape.read_into(thing, &mut Cursor::new(json)).unwrap();
    }

    #[test]
    fn a_list_keeps_its_room_and_nothing_else() {
        let json =
            r#"{"name":"a","size":1,"parts":[{"id":"\"p","values":["x","y"]},{"id":"q"},{}]} "#
                .to_owned();
        let mut thing = Thing::default();
        read(&mut thing, &json);
        let (room, first) = (thing.parts.0.capacity(), thing.parts.0.as_ptr());
        assert!(room >= 3);
        let empty: Thing<'static> = thing.emptied();
        assert_eq!(empty.parts.0.as_ptr().cast::<()>(), first.cast());
        drop(json);
        assert_eq!(empty.name.as_deref(), None);
        assert_eq!(empty.size, Integer(None));
        assert!(empty.parts.0.is_empty());
        assert_eq!(empty.parts.0.capacity(), room);

        let json = r#"{"parts":[{"id":"r"}]} "#.to_owned();
        let mut thing: Thing<'_> = empty;
        read(&mut thing, &json);
        let ids: Vec<_> = thing
            .parts
            .0
            .iter()
            .map(|part| part.id.as_deref())
            .collect();
        assert_eq!(ids, [Some("r")]);
        let values = thing.parts.0.iter().map(|part| part.values.as_slice());
        assert!(values.eq([None]));
        assert_eq!(thing.parts.0.capacity(), room);
        assert_eq!(thing.name.as_deref(), None);
    }

    #[test]
    fn much_room_is_not_kept() {
        let parts = vec!["{}"; MAX_KEPT_BYTES / size_of::<Part<'_>>() + 1].join(",");
        let json = format!(r#"{{"parts":[{parts}]}} "#);
        let mut thing = Thing::default();
        read(&mut thing, &json);
        assert_eq!(thing.emptied().parts.0.capacity(), 0);
    }

    #[test]
    fn of_a_member_that_comes_twice_the_last_one_counts() {
        let json =
            r#"{"parts":[{"id":"p"}],"parts":[{"values":1},{"id":"r"}],"size":1,"size":null} "#;
        let mut thing = Thing::default();
        read(&mut thing, json);
        let ids: Vec<_> = thing
            .parts
            .0
            .iter()
            .map(|part| part.id.as_deref())
            .collect();
        assert_eq!(ids, [None, Some("r")]);
        assert_eq!(thing.size, Integer(None));
    }
}
