//! What a whole answer holds until its reader has it.

use std::fmt;

/// Things that are given back when the answer was delivered, or given up. They go when it is dropped.
#[derive(Default)]
pub struct Held(Vec<Box<dyn Send + Sync>>);

impl Held {
    /// Holds one thing.
    pub fn of(thing: impl Send + Sync + 'static) -> Self {
        Self(vec![Box::new(thing)])
    }

    /// Holds another thing too.
    pub fn add(&mut self, thing: impl Send + Sync + 'static) {
        self.0.push(Box::new(thing));
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} things", self.0.len())
    }
}
