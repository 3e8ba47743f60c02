//! What stored objects look like, so that those that look the same are read in fewer steps.
//!
//! Who stored them wrote their members in one order, and what lies between two members that are wanted is mostly the same text
//! from one object to the next: `,"assignee":null,"candidateGroups":[],"endDate":`. A [`Shape`] remembers these gaps. Where the
//! same text comes again at the same place, it is passed in one step; where at least the same names come, only their values are
//! skipped; and where other names come, they are read, and remembered instead.
//!
//! None of it is a guess: text that begins behind a value, and that was understood before, means the same every time.

use std::collections::BTreeMap;

use super::cursor::{Cursor, ReadError};

/// An object of which some members are read.
pub trait Object<'a> {
    /// The number of the member with this name; none for one that is skipped.
    fn member(name: &str) -> Option<usize>;

    /// Reads the value of the member with this number. `shapes` are those of the objects in it.
    ///
    /// # Errors
    /// The value is cut off, or it is none of the kinds that are understood.
    fn read_member(
        &mut self,
        member: usize,
        cursor: &mut Cursor<'a>,
        shapes: &mut Shapes,
    ) -> Result<(), ReadError>;
}

/// Texts longer than this are not remembered: one huge value would take its size again, and is not repeated anyway.
const MAX_TEXT_BYTES: usize = 2 * 1024;
/// Gaps of an object that are remembered; with [`MAX_TEXT_BYTES`] that bounds the memory of a shape.
const MAX_GAPS: usize = 64;

/// After so many texts that differed no more of them are remembered, nor compared: that takes longer than to skip the values.
const MAX_DIFFERED: u8 = 32;

/// The shapes of the objects within an object, by the number of their member.
#[derive(Debug, Default)]
pub struct Shapes(BTreeMap<usize, Shape>);

impl Shapes {
    /// The shape of the objects in a member.
    pub fn of(&mut self, member: usize) -> &mut Shape {
        self.0.entry(member).or_default()
    }
}

/// What is known of objects of one kind from those that were read before.
#[derive(Debug, Default)]
pub struct Shape {
    /// The way to the first wanted member, from there to the second one, and so on.
    gaps: Vec<Gap>,
    within: Shapes,
    /// How many there were in the last list of them.
    pub(super) in_last_list: usize,
}

impl Shape {
    /// Reads the next object into an empty one, of which members that do not come are left as they are.
    ///
    /// # Errors
    /// It is no object, it is cut off, or one of its members can't be read. What was read before is in the object then.
    #[inline]
    pub fn read_into<'a, T: Object<'a>>(
        &mut self,
        object: &mut T,
        cursor: &mut Cursor<'a>,
    ) -> Result<(), ReadError> {
        let mut number = 0;
        loop {
            let passed = match self.gaps.get_mut(number) {
                Some(gap) => gap.pass(cursor),
                None => None,
            };
            let next = match passed {
                Some(next) => next,
                None => self.find_next::<T>(number, cursor)?,
            };
            match next {
                Some(member) => object.read_member(member, cursor, &mut self.within)?,
                None => return Ok(()),
            }
            number += 1;
        }
    }

    /// Goes to the value of the next member that is wanted, or behind the object, and remembers the way.
    fn find_next<'a, T: Object<'a>>(
        &mut self,
        number: usize,
        cursor: &mut Cursor<'a>,
    ) -> Result<Option<usize>, ReadError> {
        if number == self.gaps.len() && number < MAX_GAPS {
            self.gaps.push(Gap::default());
        }
        match self.gaps.get_mut(number) {
            Some(gap) => gap.learn(number == 0, T::member, cursor),
            None => Gap::default().read_names(number == 0, T::member, cursor),
        }
    }
}

/// The way from one wanted member to the next: from the end of a value, or from the opening bracket, to the next value, or to
/// behind the closing bracket.
#[derive(Debug, Default)]
struct Gap {
    /// The texts that came last, the latest first: where objects of two kinds come in turn, each has one.
    texts: [String; 2],
    /// The latest without its values, put together: its names with all that stands between values.
    names: String,
    /// Where each name ends in it.
    ends: Vec<usize>,
    /// Whether the names that are read are too long to be remembered.
    is_too_long: bool,
    /// How often in a row only the names came again. What is between them is an id, then, or something else that never repeats.
    differed: u8,
    /// The member at its end; none where the object ends.
    next: Option<usize>,
}

impl Gap {
    /// Passes the gap if it comes next, and gives back its member.
    #[inline]
    fn pass(&mut self, cursor: &mut Cursor<'_>) -> Option<Option<usize>> {
        if self.differed < MAX_DIFFERED && self.pass_text(cursor) {
            self.differed = 0;
            return Some(self.next);
        }
        self.pass_names(cursor).then_some(self.next)
    }

    #[inline]
    fn pass_text(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let [latest, earlier] = &mut self.texts;
        if cursor.pass(latest) {
            return true;
        }
        let comes_next = cursor.pass(earlier);
        if comes_next {
            std::mem::swap(latest, earlier);
        }
        comes_next
    }

    /// The same where at least the names come.
    fn pass_names(&mut self, cursor: &mut Cursor<'_>) -> bool {
        let mut ahead = cursor.clone();
        let mut start = 0;
        for (number, end) in self.ends.iter().enumerate() {
            let is_behind_value = number > 0;
            if is_behind_value && ahead.skip().is_err() {
                return false;
            }
            match self.names.get(start..*end) {
                Some(name) if ahead.pass(name) => start = *end,
                _ => return false,
            }
        }
        if start == 0 {
            return false;
        }
        if self.differed < MAX_DIFFERED {
            self.differed += 1;
            self.remember(cursor.until(&ahead));
        }
        *cursor = ahead;
        true
    }

    /// Passes the gap name by name, and remembers it.
    fn learn(
        &mut self,
        is_first: bool,
        wanted: impl Fn(&str) -> Option<usize>,
        cursor: &mut Cursor<'_>,
    ) -> Result<Option<usize>, ReadError> {
        let begin = cursor.clone();
        self.forget();
        let next = self.read_names(is_first, wanted, cursor);
        match next {
            Ok(next) if !self.is_too_long => {
                self.next = next;
                self.remember(begin.until(cursor));
            }
            // Of a gap that was not passed to its end nothing may be left.
            _ => self.forget(),
        }
        next
    }

    /// Reads names until one is wanted.
    fn read_names(
        &mut self,
        mut is_first: bool,
        wanted: impl Fn(&str) -> Option<usize>,
        cursor: &mut Cursor<'_>,
    ) -> Result<Option<usize>, ReadError> {
        loop {
            let before = cursor.clone();
            let name = cursor.next_member(is_first)?;
            self.remember_name(before.until(cursor));
            match name.map(|name| wanted(&name)) {
                Some(None) => cursor.skip()?,
                Some(Some(member)) => return Ok(Some(member)),
                None => return Ok(None),
            }
            is_first = false;
        }
    }

    /// Of too many names nothing is remembered, so that it takes no room either.
    fn remember_name(&mut self, name: &str) {
        self.is_too_long |= self.names.len() + name.len() > MAX_TEXT_BYTES;
        if !self.is_too_long {
            self.names.push_str(name);
            self.ends.push(self.names.len());
        }
    }

    fn remember(&mut self, text: &str) {
        self.texts.swap(0, 1);
        let [latest, _] = &mut self.texts;
        latest.clear();
        if text.len() <= MAX_TEXT_BYTES {
            latest.push_str(text);
        }
    }

    fn forget(&mut self) {
        self.is_too_long = false;
        self.differed = 0;
        self.names.clear();
        self.ends.clear();
        for text in &mut self.texts {
            text.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::document::{Integer, Many, Text, document};
    use super::*;

    document! {
        /// An object with two values, and objects of its own.
        struct Thing<'a> {
            name: Text<'a> = "name",
            size: Integer = "size",
            parts: Many<Part<'a>> = "parts",
        }
    }

    document! {
        struct Part<'a> {
            id: Text<'a> = "id",
        }
    }

    type Shown = (Option<String>, Option<i64>, Vec<Option<String>>);

    fn shown(thing: &Thing<'_>) -> Shown {
        let owned = |text: &Text<'_>| text.as_deref().map(str::to_owned);
        let parts = thing.parts.0.iter();
        (
            owned(&thing.name),
            thing.size.0,
            parts.map(|part| owned(&part.id)).collect(),
        )
    }

    /// Reads an object, which something has to follow.
    fn read(json: &str, shape: &mut Shape) -> Result<Shown, ReadError> {
        let json = format!("{json} ");
        let mut cursor = Cursor::new(&json);
        let mut thing = Thing::default();
        shape.read_into(&mut thing, &mut cursor)?;
        assert_eq!(cursor.position() + 1, json.len());
        Ok(shown(&thing))
    }

    fn thing(name: Option<&str>, size: Option<i64>, parts: &[&str]) -> Shown {
        let owned = |text: &str| text.to_owned();
        let parts = parts.iter().map(|id| Some(owned(id)));
        (name.map(owned), size, parts.collect())
    }

    #[test]
    fn objects_that_are_alike_are_told_apart_by_their_values() {
        let mut shape = Shape::default();
        for (json, expected) in [
            (
                r#"{"x":1,"name":"a","y":[{"name":"no"}],"size":7,"z":null}"#,
                thing(Some("a"), Some(7), &[]),
            ),
            // The same texts, then the same names, then others, then fewer, then another order.
            (
                r#"{"x":1,"name":"b","y":[{"name":"no"}],"size":8,"z":null}"#,
                thing(Some("b"), Some(8), &[]),
            ),
            (
                r#"{"x":[2],"name":"c","y":"\"size\":","size":9,"z":{}}"#,
                thing(Some("c"), Some(9), &[]),
            ),
            (
                r#"{"x":[2],"name":"d","parts":[{"id":"p"},{"no":1,"id":"q"}],"size":10}"#,
                thing(Some("d"), Some(10), &["p", "q"]),
            ),
            (r#"{"size":11}"#, thing(None, Some(11), &[])),
            (r#"{}"#, thing(None, None, &[])),
            (
                r#"{"name":"e","size":12,"name":"f"}"#,
                thing(Some("f"), Some(12), &[]),
            ),
            (
                r#"{"x":1,"name":"g","y":[{"name":"no"}],"size":13,"z":null}"#,
                thing(Some("g"), Some(13), &[]),
            ),
        ] {
            assert_eq!(read(json, &mut shape), Ok(expected), "{json}");
        }
    }

    #[test]
    fn values_that_never_repeat_are_skipped_as_others_are() {
        let mut shape = Shape::default();
        for number in 0..3 * i64::from(MAX_DIFFERED) {
            // The first gap differs every time, the second one never.
            let json =
                format!(r#"{{"x":"{number}","name":"a","y":[{{"name":"no"}}],"size":{number}}}"#);
            let expected = thing(Some("a"), Some(number), &[]);
            assert_eq!(read(&json, &mut shape), Ok(expected), "{json}");
        }
        let differed = shape.gaps.iter().map(|gap| gap.differed);
        assert_eq!(differed.collect::<Vec<_>>(), [MAX_DIFFERED, 0, 0]);
        // Other names are learned all the same.
        for size in 0..3 {
            let json = format!(r#"{{"z":1,"name":"b","size":{size}}}"#);
            assert_eq!(
                read(&json, &mut shape),
                Ok(thing(Some("b"), Some(size), &[]))
            );
        }
    }

    #[test]
    fn what_was_cut_off_is_not_remembered() {
        let json = r#"{"x":1,"y":2,"name":"a","z":3,"size":7,"u":[{}]}"#;
        for end in 0..json.len() {
            let mut shape = Shape::default();
            let begin = json.get(..end).unwrap();
            let first = Cursor::new(begin);
            let cut_off = shape.read_into(&mut Thing::default(), &mut first.clone());
            assert!(cut_off.is_err(), "{begin}");
            assert_eq!(
                read(r#"{"x":1,"y":2,"size":5}"#, &mut shape),
                Ok(thing(None, Some(5), &[]))
            );
            assert_eq!(
                read(json, &mut shape),
                Ok(thing(Some("a"), Some(7), &[])),
                "{begin}"
            );
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut shape = Shape::default();
        let long = "x".repeat(100_000);
        let others: String = (0..100_000)
            .map(|number| format!(r#""n{number}":0,"#))
            .collect();
        let many: String = (0..1_000)
            .map(|number| format!(r#""n{number}":0,"size":{number},"#))
            .collect();
        for json in [
            format!(r#"{{"long":"{long}","size":1}}"#),
            format!(r#"{{"{long}":0,"size":1}}"#),
            format!(r#"{{{many}"size":1}}"#),
            format!(r#"{{{others}"size":1}}"#),
        ] {
            for _ in 0..2 {
                assert_eq!(read(&json, &mut shape), Ok(thing(None, Some(1), &[])));
            }
            assert!(shape.gaps.len() <= MAX_GAPS);
            for gap in &shape.gaps {
                let texts = gap.texts.iter().chain([&gap.names]);
                assert!(texts.map(String::capacity).max() <= Some(2 * MAX_TEXT_BYTES));
                assert!(gap.ends.capacity() <= MAX_TEXT_BYTES);
            }
        }
    }

    /// Members with names that are wanted and others, and with values of any kind.
    fn objects() -> impl Strategy<Value = Vec<String>> {
        let value = prop_oneof![
            Just("null".to_owned()),
            Just("[]".to_owned()),
            (0..20_i64).prop_map(|number| number.to_string()),
            r#"[a-c\\"]{0,3}"#.prop_map(|text| serde_json::Value::from(text).to_string()),
            Just(r#"{"name":"inner","size":3}"#.to_owned()),
            Just(r#"[{"id":"p"},{"x":"}","id":"q"}]"#.to_owned()),
        ];
        let member = prop_oneof![
            (prop_oneof![Just("x"), Just("y"), Just("na\\u006de")], value).prop_map(
                |(name, value)| {
                    // An escaped name is the name that it stands for, of which only texts make sense.
                    let value = if name.starts_with("na") {
                        "\"n\"".to_owned()
                    } else {
                        value
                    };
                    format!(r#""{name}":{value}"#)
                }
            ),
            "[a-c]{0,2}".prop_map(|text| format!(r#""name":"{text}""#)),
            (0..100_i64).prop_map(|size| format!(r#""size":{size}"#)),
            Just(r#""parts":[{"id":"a"},{"id":"b","x":1}]"#.to_owned()),
            Just(r#""parts":{"x":2,"id":"c"}"#.to_owned()),
        ];
        let object = prop::collection::vec(member, 0..6)
            .prop_map(|members| format!("{{{}}}", members.join(",")));
        prop::collection::vec(object, 1..12)
    }

    proptest! {
        #[test]
        fn what_is_known_changes_nothing(objects in objects()) {
            let mut shape = Shape::default();
            for object in objects.iter().chain(&objects) {
                let alone = read(object, &mut Shape::default());
                prop_assert!(alone.is_ok(), "{object}");
                prop_assert_eq!(read(object, &mut shape), alone, "{}", object);
            }
        }
    }
}
