//! Exports under way, for all clients together and for each by itself, so that one can't keep out the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::auth::Client;

/// Counts exports. Cloning is cheap; clones share the counts.
#[derive(Clone)]
pub struct ExportSlots {
    in_all: usize,
    per_client: usize,
    /// Told how many are under way.
    gauge: fn(usize),
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    /// Only clients that have some.
    by_client: HashMap<Arc<str>, usize>,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exhausted {
    /// That of all clients together.
    InAll,
    /// That of this client.
    PerClient,
}

/// The right to export, given back when it is dropped.
pub struct Slot {
    slots: ExportSlots,
    client: Arc<str>,
}

impl ExportSlots {
    /// So many exports at the same time; `gauge` is told how many there are.
    pub fn new(in_all: usize, per_client: usize, gauge: fn(usize)) -> Self {
        Self {
            in_all,
            per_client,
            gauge,
            taken: Arc::default(),
        }
    }

    /// Takes a slot.
    ///
    /// # Errors
    /// There is none left.
    pub fn take(&self, client: &Client) -> Result<Slot, Exhausted> {
        let mut taken = self.lock();
        if taken.in_all >= self.in_all {
            return Err(Exhausted::InAll);
        }
        let of_client = taken.by_client.get(client.name()).copied().unwrap_or(0);
        if of_client >= self.per_client {
            return Err(Exhausted::PerClient);
        }
        taken.by_client.insert(client.shared_name(), of_client + 1);
        taken.in_all += 1;
        (self.gauge)(taken.in_all);
        Ok(Slot {
            slots: self.clone(),
            client: client.shared_name(),
        })
    }

    /// How many exports are under way.
    pub fn under_way(&self) -> usize {
        self.lock().in_all
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // A panic elsewhere leaves counts as good as they were.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.lock();
        taken.in_all = taken.in_all.saturating_sub(1);
        match taken.by_client.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.by_client.remove(&self.client);
            }
        }
        (self.slots.gauge)(taken.in_all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_does_not_keep_out_the_others() {
        let slots = ExportSlots::new(3, 2, |_| {});
        let (a, b) = (Client::named("a"), Client::named("b"));
        let first = slots.take(&a).ok().unwrap();
        let _second = slots.take(&a).ok().unwrap();
        assert_eq!(slots.take(&a).err(), Some(Exhausted::PerClient));
        let _third = slots.take(&b).ok().unwrap();
        assert_eq!(slots.take(&b).err(), Some(Exhausted::InAll));
        drop(first);
        assert!(slots.take(&a).is_ok());
    }

    #[test]
    fn clients_that_have_nothing_under_way_are_forgotten() {
        let slots = ExportSlots::new(3, 2, |_| {});
        drop((
            slots.take(&Client::named("a")).ok(),
            slots.take(&Client::named("a")).ok(),
        ));
        assert!(slots.lock().by_client.is_empty() && slots.lock().in_all == 0);
    }
}
