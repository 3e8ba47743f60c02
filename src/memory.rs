//! The memory for answers that are held as a whole, over all requests together.
//!
//! A request takes its [`Share`] before it takes the memory. Most of it is handed out to whoever comes first. The rest is a
//! reserve for one request at a time, large enough for the largest answer that there may be: so whatever the others hold, one
//! can always go on, and nobody waits for somebody who waits. Who gets neither within a few seconds is told to come again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// What every request may take without asking: it is not worth waiting for.
const FREE: usize = 64 * 1024;
/// Permits are taken for so many bytes at a time.
const STEP: usize = 256 * 1024;
/// How long a request waits for memory.
const PATIENCE: Duration = Duration::from_secs(5);
/// Work on more bytes than these is done where it keeps no connection waiting.
const LARGE: usize = 256 * 1024;

/// Why there is no memory for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMemory {
    /// It alone is more than one request may have.
    #[error(
        "its answer takes more than the {0} MiB of memory that one answer may have, half of --max-aggregation-memory"
    )]
    TooLarge(usize),
    /// Other requests have it.
    #[error("other answers have all the memory that there is for them (--max-aggregation-memory)")]
    Busy,
}

/// The memory that there is. Cloning is cheap; clones share it.
#[derive(Debug, Clone)]
pub struct Memory(Arc<Pools>);

#[derive(Debug)]
struct Pools {
    /// For whoever comes first, in steps.
    common: Arc<Semaphore>,
    /// For one at a time.
    reserve: Arc<Semaphore>,
    /// What one request may have at most; the reserve has as much.
    most: usize,
}

impl Memory {
    /// So many bytes: one half for whoever comes first, the other is the reserve.
    pub fn new(bytes: usize) -> Self {
        let most = (bytes / 2).max(STEP);
        Self(Arc::new(Pools {
            common: Arc::new(Semaphore::new(steps(most).min(Semaphore::MAX_PERMITS))),
            reserve: Arc::new(Semaphore::new(1)),
            most,
        }))
    }

    /// A share of it, with nothing in it yet.
    pub fn share(&self) -> Share {
        Share {
            memory: self.clone(),
            taken: Mutex::default(),
        }
    }
}

/// What one request has. It is given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    memory: Memory,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    bytes: usize,
    common: Option<OwnedSemaphorePermit>,
    reserve: Option<OwnedSemaphorePermit>,
}

impl Taken {
    /// Steps that are missing for so many bytes.
    fn missing(&self, bytes: usize) -> usize {
        if self.reserve.is_some() {
            return 0;
        }
        let has = self
            .common
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        steps(bytes.saturating_sub(FREE)).saturating_sub(has)
    }

    fn add(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.common {
            Some(common) => common.merge(more),
            none => *none = Some(more),
        }
    }
}

impl Share {
    /// Takes more; waits for it for a while.
    ///
    /// # Errors
    /// There is none.
    pub async fn grow(&self, bytes: usize) -> Result<(), NoMemory> {
        let Some(missing) = self.try_grow(bytes)? else {
            return Ok(());
        };
        let Pools {
            common, reserve, ..
        } = &*self.memory.0;
        let one_of_them = async {
            tokio::select! {
                biased;
                more = Arc::clone(common).acquire_many_owned(missing) => (more.ok(), None),
                all = Arc::clone(reserve).acquire_owned() => (None, all.ok()),
            }
        };
        let (more, all) = timeout(PATIENCE, one_of_them)
            .await
            .map_err(|_| NoMemory::Busy)?;
        let mut taken = self.lock();
        taken.reserve = all;
        if let Some(more) = more {
            taken.add(more);
        }
        taken.bytes += bytes;
        Ok(())
    }

    /// The same where nothing can be awaited.
    ///
    /// # Errors
    /// There is none.
    pub fn grow_blocking(&self, bytes: usize) -> Result<(), NoMemory> {
        if self.try_grow(bytes)?.is_none() {
            return Ok(());
        }
        match Handle::try_current() {
            Ok(runtime) if runtime.runtime_flavor() == RuntimeFlavor::MultiThread => {
                tokio::task::block_in_place(|| runtime.block_on(self.grow(bytes)))
            }
            _ => Err(NoMemory::Busy),
        }
    }

    /// Takes more if it is there; otherwise tells how many steps are missing.
    fn try_grow(&self, bytes: usize) -> Result<Option<u32>, NoMemory> {
        let Pools { common, most, .. } = &*self.memory.0;
        let mut taken = self.lock();
        let wanted = taken.bytes.saturating_add(bytes);
        if wanted > *most {
            return Err(NoMemory::TooLarge(most / (1024 * 1024)));
        }
        let missing = u32::try_from(taken.missing(wanted)).unwrap_or(u32::MAX);
        if missing > 0 {
            match Arc::clone(common).try_acquire_many_owned(missing) {
                Ok(more) => taken.add(more),
                Err(_) => return Ok(Some(missing)),
            }
        }
        taken.bytes = wanted;
        Ok(None)
    }

    /// Gives back some.
    pub fn shrink(&self, bytes: usize) {
        let left = self.lock().bytes.saturating_sub(bytes);
        self.shrink_to(left);
    }

    /// Gives back what is beyond so many bytes.
    pub fn shrink_to(&self, bytes: usize) {
        let mut taken = self.lock();
        taken.bytes = taken.bytes.min(bytes);
        let needed = steps(taken.bytes.saturating_sub(FREE));
        if taken.reserve.is_some() {
            // What fits elsewhere now leaves the reserve to the next one.
            let has = taken
                .common
                .as_ref()
                .map_or(0, OwnedSemaphorePermit::num_permits);
            let missing = u32::try_from(needed.saturating_sub(has)).unwrap_or(u32::MAX);
            if missing > 0 {
                match Arc::clone(&self.memory.0.common).try_acquire_many_owned(missing) {
                    Ok(more) => taken.add(more),
                    Err(_) => return,
                }
            }
            taken.reserve = None;
        }
        if let Some(common) = &mut taken.common {
            let spare = common.num_permits().saturating_sub(needed);
            drop(common.split(spare));
        }
    }

    /// How much it is.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        // A panic elsewhere leaves counts as good as they were.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn steps(bytes: usize) -> usize {
    bytes.div_ceil(STEP)
}

/// Works on so many bytes. Where they are many, connections are served by other threads meanwhile.
pub fn work_on<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    let has_other_threads = || {
        Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread)
    };
    if bytes > LARGE && has_other_threads() {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[tokio::test(start_paused = true)]
    async fn what_is_taken_is_bounded_and_comes_back() {
        let memory = Memory::new(8 * MIB);
        let (first, second, third) = (memory.share(), memory.share(), memory.share());
        assert_eq!(first.grow(5 * MIB).await, Err(NoMemory::TooLarge(4)));
        first.grow(3 * MIB).await.unwrap();
        // This one has the reserve, and the next one waits in vain.
        second.grow(3 * MIB).await.unwrap();
        assert_eq!(third.grow(2 * MIB).await, Err(NoMemory::Busy));
        third.grow(FREE).await.unwrap();
        first.shrink_to(MIB);
        third.grow(2 * MIB).await.unwrap();
        drop(second);
        let fourth = memory.share();
        fourth.grow(4 * MIB).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_somebody_who_waits() {
        let memory = Memory::new(8 * MIB);
        // Together they want three times of what there is, and each has a part of it when it asks for more.
        let one = |memory: Memory| async move {
            let share = memory.share();
            for _ in 0..15 {
                share.grow(STEP).await?;
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok::<_, NoMemory>(())
        };
        let all = (0..6).map(|_| tokio::spawn(one(memory.clone())));
        for task in all.collect::<Vec<_>>() {
            task.await.unwrap().unwrap();
        }
        let pools = &memory.0;
        assert_eq!(pools.common.available_permits(), steps(pools.most));
        assert_eq!(pools.reserve.available_permits(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_needs_little_in_the_end_leaves_the_reserve() {
        let memory = Memory::new(8 * MIB);
        let (first, second) = (memory.share(), memory.share());
        first.grow(3 * MIB).await.unwrap();
        second.grow(4 * MIB).await.unwrap();
        assert_eq!(memory.0.reserve.available_permits(), 0);
        second.shrink(3 * MIB);
        assert_eq!(memory.0.reserve.available_permits(), 1);
        assert_eq!(second.bytes(), MIB);
        assert_eq!(memory.0.common.available_permits(), 0);
    }

    #[test]
    fn outside_of_a_runtime_nobody_waits() {
        let memory = Memory::new(8 * MIB);
        let (first, second) = (memory.share(), memory.share());
        first.grow_blocking(4 * MIB).unwrap();
        assert_eq!(second.grow_blocking(MIB), Err(NoMemory::Busy));
        first.shrink_to(0);
        second.grow_blocking(MIB).unwrap();
        assert_eq!(work_on(MIB, || 7), 7);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn plain_code_waits_too() {
        let memory = Memory::new(8 * MIB);
        let (first, second, third) = (memory.share(), memory.share(), memory.share());
        first.grow(4 * MIB).await.unwrap();
        second.grow(4 * MIB).await.unwrap();
        let release = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            drop(first);
        });
        work_on(MIB, || third.grow_blocking(MIB)).unwrap();
        release.await.unwrap();
    }
}
