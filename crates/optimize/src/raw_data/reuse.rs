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
    use super::super::cursor::{Cursor, Read};
    use super::super::document::document;
    use super::super::shape::Shapes;
    use super::*;

    document! {
        struct Part<'a> {
            id: Text<'a> = "id",
            size: Integer = "size",
            values: Values<'a> = "values",
        }
    }

    fn read_over<'a>(parts: &mut Many<Part<'a>>, json: &'a str) {
        let mut cursor = Cursor::new(json);
        parts
            .read_over(&mut cursor, &mut Shapes::default(), 0)
            .unwrap();
    }

    fn ids<'p>(Many(parts): &'p Many<Part<'_>>) -> Vec<Option<&'p str>> {
        parts.iter().map(|part| part.id.as_deref()).collect()
    }

    #[test]
    fn a_list_keeps_its_room_and_nothing_else() {
        let json = r#"[{"id":"\"p","size":1,"values":["x","y"]},{"id":"q"},{}]"#.to_owned();
        let mut parts = Many::default();
        read_over(&mut parts, &json);
        assert_eq!(ids(&parts), [Some("\"p"), Some("q"), None]);
        let (room, first) = (parts.0.capacity(), parts.0.as_ptr());
        let empty: Many<Part<'static>> = parts.emptied();
        assert_eq!(empty.0.as_ptr().cast::<()>(), first.cast());
        drop(json);
        assert!(empty.0.is_empty());
        assert_eq!(empty.0.capacity(), room);

        let json = r#"[{"id":"r"}]"#.to_owned();
        let mut parts: Many<Part<'_>> = empty;
        read_over(&mut parts, &json);
        assert_eq!(ids(&parts), [Some("r")]);
        let others = parts
            .0
            .iter()
            .map(|part| (part.size, part.values.as_slice()));
        assert!(others.eq([(Integer(None), None)]));
        assert_eq!(parts.0.capacity(), room);
    }

    #[test]
    fn much_room_is_not_kept() {
        let json = vec!["{}"; MAX_KEPT_BYTES / size_of::<Part<'_>>() + 1].join(",");
        let json = format!("[{json}]");
        let mut parts = Many::default();
        read_over(&mut parts, &json);
        assert_eq!(parts.emptied().0.capacity(), 0);
    }

    #[test]
    fn of_a_member_that_comes_twice_the_last_one_counts() {
        let mut parts = Many::default();
        read_over(&mut parts, r#"[{"id":"p"}]"#);
        read_over(&mut parts, r#"[{"size":1},{"id":"r"}]"#);
        assert_eq!(ids(&parts), [None, Some("r")]);
        read_over(&mut parts, "null ");
        assert!(parts.0.is_empty());
    }
}
