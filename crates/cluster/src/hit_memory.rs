//! How much memory the hits of all scrolls together may take.
//!
//! A hit is read where it lies, as a whole, and then there is its row. Most hits have some kilobytes, and any number of
//! scrolls may read such ones. What is larger takes a place, and the larger it is, the fewer places there are. A hit that
//! grows keeps the places that it has and waits for one of the next class: who has a place of the last class never waits, so
//! that the others get theirs.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// From so many bytes on a hit needs a place, and so many places there are.
///
/// A hit takes about three and a half times its size: itself, what is read of it, its row, and the end of the row before
/// that waits for its client. So these are 56 MiB, 56 MiB and 110 MiB at the most, and mostly nothing.
const CLASSES: [(usize, usize); 3] = [(512 * 1024, 8), (2 * 1024 * 1024, 2), (8 * 1024 * 1024, 1)];
/// Largest hit (and largest part before the first hit) that is read.
pub(super) const MAX_HIT_BYTES: usize = 32 * 1024 * 1024;

/// The places for large hits. Cloning is cheap; clones share them.
#[derive(Clone)]
pub(super) struct HitMemory(Arc<[Arc<Semaphore>; CLASSES.len()]>);

/// The places that one batch of a scroll has.
#[derive(Default)]
pub(super) struct Places(Vec<OwnedSemaphorePermit>);

impl Default for HitMemory {
    fn default() -> Self {
        Self(Arc::new(
            CLASSES.map(|(_, places)| Arc::new(Semaphore::new(places))),
        ))
    }
}

impl HitMemory {
    /// Waits until a hit of which so many bytes are there may have more; gives places back that it does not need.
    pub async fn make_room(&self, places: &mut Places, bytes: usize) {
        let needed = CLASSES.iter().filter(|(from, _)| bytes >= *from).count();
        if needed == 0 {
            places.0.clear();
        }
        for class in self.0.iter().take(needed).skip(places.0.len()) {
            // Nobody closes the semaphores.
            if let Ok(place) = Arc::clone(class).acquire_owned().await {
                places.0.push(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn small_hits_need_no_place_and_large_ones_wait() {
        let memory = HitMemory::default();
        let mut many: Vec<Places> = std::iter::repeat_with(Places::default).take(8).collect();
        for places in &mut many {
            memory.make_room(places, 600 * 1024).await;
        }
        let mut other = Places::default();
        memory.make_room(&mut other, 500 * 1024).await;
        assert!(
            memory
                .make_room(&mut other, 600 * 1024)
                .now_or_never()
                .is_none()
        );
        // The one that has a place goes on, whatever it grows to.
        memory.make_room(&mut many[0], 3 << 20).await;
        memory.make_room(&mut many[1], 3 << 20).await;
        assert!(
            memory
                .make_room(&mut many[2], 3 << 20)
                .now_or_never()
                .is_none()
        );
        memory.make_room(&mut many[0], 31 << 20).await;
        memory.make_room(&mut many[0], 0).await;
        memory.make_room(&mut other, 31 << 20).await;
        drop(other);
        memory.make_room(&mut many[2], 31 << 20).await;
    }
}
