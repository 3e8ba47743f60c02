//! An answer that is made as a whole, and what it holds until its client has it.
//!
//! A client that does not read must not look like one that has its answer: the right to export, and whatever else was
//! taken for the answer, is given back when the rest of it leaves, and the audit line is written when the connection has
//! taken all of it.

use std::any::Any;

use super::audit::Audit;
use super::body::Interrupted;

/// An answer whose JSON is complete.
pub struct Whole {
    /// Its JSON.
    pub json: Vec<u8>,
    /// How many records it has.
    pub records: u64,
    /// What is held until it is delivered.
    pub held: Held,
}

impl Whole {
    /// An answer that holds nothing yet.
    pub fn new(json: Vec<u8>, records: u64) -> Self {
        Self {
            json,
            records,
            held: Held::default(),
        }
    }

    /// Keeps `permit` until it leaves.
    pub(super) fn keeping(mut self, permit: impl Any + Send + Sync) -> Self {
        self.held.keep(permit);
        self
    }

    /// Lets `audit` tell what becomes of it.
    pub(super) fn audited(mut self, audit: Audit) -> Self {
        self.held.audit = Some((audit, self.records, self.json.len() as u64));
        self
    }
}

/// What an answer holds until its client has it: permits of any kind, and the line that tells of its end. Dropped before,
/// the answer was not delivered.
#[derive(Default)]
pub struct Held {
    permits: Vec<Box<dyn Any + Send + Sync>>,
    /// With its records and bytes.
    audit: Option<(Audit, u64, u64)>,
}

impl Held {
    /// Keeps `permit` until the answer leaves.
    pub fn keep(&mut self, permit: impl Any + Send + Sync) {
        self.permits.push(Box::new(permit));
    }

    /// The last part leaves, and nothing of the answer is in memory besides: whoever waits for a permit may have it, and a
    /// client that has read the answer must find its permit free.
    pub fn leaves(&mut self) {
        self.permits.clear();
    }

    /// The connection has taken all of it.
    pub fn delivered(mut self) {
        self.permits.clear();
        if let Some((audit, records, bytes)) = self.audit.take() {
            audit.delivered(records, bytes);
        }
    }

    /// The client does not get all of it.
    pub fn interrupted(mut self, why: Interrupted) {
        self.tell_interrupted(why);
    }

    fn tell_interrupted(&mut self, why: Interrupted) {
        if let Some((audit, ..)) = self.audit.take() {
            audit.interrupted(&why.to_string());
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.tell_interrupted(Interrupted::ClientGone);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn permits_are_kept_until_the_last_part_leaves() {
        let permit = Arc::new(());
        let mut whole = Whole::new(b"{}".to_vec(), 0);
        whole.held.keep(Arc::clone(&permit));
        assert_eq!(Arc::strong_count(&permit), 2);
        whole.held.leaves();
        assert_eq!(Arc::strong_count(&permit), 1);
        whole.held.keep(Arc::clone(&permit));
        drop(whole);
        assert_eq!(Arc::strong_count(&permit), 1, "an answer that nobody takes");
    }
}
