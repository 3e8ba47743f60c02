//! The memory that a request and its result take, asked for before it is taken.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::sync::Arc;

use super::PlanError;
use super::distributed_by::Part;
use super::view::Measure;
use crate::result::Entry;

/// Memory is asked for in steps of so many bytes.
const STEP: usize = 64 * 1024;
/// JSON of an entry beside its key and its label: the names of its members, and a number.
const JSON_OF_ENTRY: usize = 56;
/// A group beside its parts: its key, and what it is sorted by.
const GROUP: usize = 128;

/// Asks for memory, and keeps the texts that a result repeats.
///
/// Who is refused once gets nothing any more; [`Room::check`] tells.
pub struct Room<'r> {
    ask: Box<dyn Fn(usize) -> Result<(), PlanError> + 'r>,
    /// What was granted and is not used yet.
    left: Cell<usize>,
    refused: RefCell<Option<PlanError>>,
    texts: RefCell<HashSet<Arc<str>>>,
}

impl<'r> Room<'r> {
    /// Room that is asked for.
    pub fn new(ask: impl Fn(usize) -> Result<(), PlanError> + 'r) -> Self {
        Self {
            ask: Box::new(ask),
            left: Cell::new(0),
            refused: RefCell::new(None),
            texts: RefCell::default(),
        }
    }

    /// As much room as is wanted.
    pub fn unlimited() -> Self {
        Self::new(|_| Ok(()))
    }

    /// Takes so many bytes; `false` if there are none.
    pub fn take(&self, bytes: usize) -> bool {
        if self.is_used_up() {
            return false;
        }
        let mut left = self.left.get();
        if left < bytes {
            let more = (bytes - left).next_multiple_of(STEP);
            if let Err(error) = (self.ask)(more) {
                *self.refused.borrow_mut() = Some(error);
                return false;
            }
            left += more;
        }
        self.left.set(left - bytes);
        true
    }

    /// Whether something was refused; then it is not worth going on.
    pub fn is_used_up(&self) -> bool {
        self.refused.borrow().is_some()
    }

    /// Whether there was room for everything.
    ///
    /// # Errors
    /// There was not.
    pub fn check(&self) -> Result<(), PlanError> {
        self.refused.borrow().clone().map_or(Ok(()), Err)
    }

    /// The parts of a group as they stand in the result; none where there is no room for them. Of several measures it is the
    /// first.
    pub fn keep(&self, parts: Vec<Part>) -> Vec<Entry<Measure>> {
        let entry = size_of::<Entry<Measure>>() + JSON_OF_ENTRY;
        let bytes = parts.iter().map(|Part { key, .. }| {
            let label = key.label.as_ref().map_or(key.key.len(), String::len);
            entry + key.key.len() + label
        });
        if !self.take(GROUP + bytes.sum::<usize>()) {
            return Vec::new();
        }
        let kept = parts.into_iter().map(|part| {
            let key = self.shared(part.key.key);
            let label = part.key.label.filter(|label| !label.is_empty());
            Entry {
                label: label.map_or_else(|| Arc::clone(&key), |label| self.shared(label)),
                key,
                value: part.measures.first().copied().flatten(),
            }
        });
        kept.collect()
    }

    /// Takes what groups without parts need, by their keys.
    pub fn take_groups<'k>(&self, keys: impl Iterator<Item = &'k str>) -> bool {
        let entry = GROUP + size_of::<Entry<Measure>>() + JSON_OF_ENTRY;
        self.take(keys.map(|key| entry + 2 * key.len()).sum())
    }

    /// A text that other groups have too.
    fn shared(&self, text: String) -> Arc<str> {
        let mut texts = self.texts.borrow_mut();
        if let Some(known) = texts.get(text.as_str()) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        texts.insert(Arc::clone(&text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::super::distributed_by::Key;
    use super::*;

    fn part(key: &str, label: Option<&str>) -> Part {
        Part {
            key: Key {
                key: key.to_owned(),
                label: label.map(str::to_owned),
            },
            measures: vec![Some(1.0), Some(2.0)],
        }
    }

    #[test]
    fn texts_are_kept_once() {
        let room = Room::unlimited();
        let first = room.keep(vec![part("a", Some("A")), part("b", Some(""))]);
        let second = room.keep(vec![part("a", Some("A"))]);
        assert!(Arc::ptr_eq(&first[0].key, &second[0].key));
        assert!(Arc::ptr_eq(&first[0].label, &second[0].label));
        assert_eq!((&*first[1].key, &*first[1].label), ("b", "b"));
        assert_eq!(first[0].value, Some(1.0));
        assert_eq!(room.check(), Ok(()));
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let asked = Cell::new(0);
        let refusal = PlanError::TooManyBuckets("no".to_owned());
        let room = Room::new(|bytes| {
            asked.set(asked.get() + bytes);
            if asked.get() > 2 * STEP {
                Err(refusal.clone())
            } else {
                Ok(())
            }
        });
        let text = "x".repeat(1_000);
        let kept = (0..1_000).filter(|_| !room.keep(vec![part(&text, None)]).is_empty());
        // Key and label, although they are kept once: the JSON has them both.
        assert_eq!(
            kept.count(),
            2 * STEP / (GROUP + 48 + JSON_OF_ENTRY + 2_000)
        );
        assert_eq!(room.check(), Err(refusal.clone()));
        assert_eq!(asked.get(), 3 * STEP, "nothing is asked for in vain twice");
    }
}
