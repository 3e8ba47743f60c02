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

use super::flags;

const MIB: usize = 1024 * 1024;
/// What every request may take without asking: it is not worth waiting for.
const FREE: usize = 64 * 1024;
/// Permits are taken for so many bytes at a time.
const STEP: usize = 256 * 1024;
/// How long a request waits for memory.
const PATIENCE: Duration = Duration::from_secs(5);
/// Requests whose answers are worked on at the same time, where that takes long. Nobody waits for memory meanwhile.
const TURNS: usize = 2;
/// Work on more bytes than these is done where it keeps no connection waiting.
const LARGE: usize = 64 * 1024;

/// Why there is no memory for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMemory {
    /// It alone is more than one request may have.
    #[error(
        "its answer takes more than the {0} MiB of memory that one answer may have ({flag})",
        flag = flags::MAX_AGGREGATION_MEMORY
    )]
    TooLarge(usize),
    /// Other requests have it.
    #[error(
        "other answers have all the memory that there is for them ({})",
        flags::MAX_AGGREGATION_MEMORY
    )]
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
    /// For work that takes long.
    turns: Semaphore,
    /// What one request may have at most; the reserve has as much.
    most: usize,
}

impl Memory {
    /// So many bytes, two MiB at least: one half for whoever comes first, the other is the reserve.
    pub fn new(bytes: usize) -> Self {
        let most = (bytes / 2).max(MIB);
        Self(Arc::new(Pools {
            common: Arc::new(Semaphore::new(steps(most).min(Semaphore::MAX_PERMITS))),
            reserve: Arc::new(Semaphore::new(1)),
            turns: Semaphore::new(TURNS),
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
    /// There is none at the moment.
    pub fn grow_at_once(&self, bytes: usize) -> Result<(), NoMemory> {
        match self.try_grow(bytes)? {
            None => Ok(()),
            Some(_) => Err(NoMemory::Busy),
        }
    }

    /// Waits for the reserve; then there is as much as one request may have.
    ///
    /// # Errors
    /// Others have it.
    pub async fn wait_for_reserve(&self) -> Result<(), NoMemory> {
        if self.lock().reserve.is_some() {
            return Ok(());
        }
        let reserve = Arc::clone(&self.memory.0.reserve).acquire_owned();
        let reserve = timeout(PATIENCE, reserve).await;
        self.lock().reserve = reserve.map_err(|_| NoMemory::Busy)?.ok();
        Ok(())
    }

    /// Works on so many bytes. Where they are many, connections are served by other threads meanwhile; there are only a few of
    /// those, because the allocator keeps memory for each thread that ever had some.
    pub async fn work_on<T>(&self, bytes: usize, work: impl FnOnce() -> T) -> T {
        if bytes <= LARGE {
            return work();
        }
        let _turn = self.memory.0.turns.acquire().await;
        let has_other_threads = Handle::try_current()
            .is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::MultiThread);
        if has_other_threads {
            tokio::task::block_in_place(work)
        } else {
            work()
        }
    }

    /// Takes more if it is there; otherwise tells how many steps are missing.
    fn try_grow(&self, bytes: usize) -> Result<Option<u32>, NoMemory> {
        let Pools { common, most, .. } = &*self.memory.0;
        let mut taken = self.lock();
        let wanted = taken.bytes.saturating_add(bytes);
        if wanted > *most {
            return Err(NoMemory::TooLarge(most / MIB));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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

    proptest! {
        #[test]
        fn no_order_of_taking_and_giving_back_takes_more_than_there_is(
            steps_taken in proptest::collection::vec((0..4_usize, any::<bool>(), 0..3 * MIB), 0..60)
        ) {
            let memory = Memory::new(8 * MIB);
            let mut shares: Vec<Share> = (0..4).map(|_| memory.share()).collect();
            for (which, grows, bytes) in steps_taken {
                let before = shares[which].bytes();
                if grows {
                    let grown = shares[which].grow_at_once(bytes);
                    let expected = if grown.is_ok() { before + bytes } else { before };
                    prop_assert_eq!(shares[which].bytes(), expected);
                    prop_assert!(expected <= 4 * MIB);
                } else if bytes % 5 == 0 {
                    shares[which] = memory.share();
                } else {
                    shares[which].shrink(bytes);
                    prop_assert_eq!(shares[which].bytes(), before.saturating_sub(bytes));
                }
                let all: usize = shares.iter().map(Share::bytes).sum();
                prop_assert!(all <= 8 * MIB + 4 * FREE, "{} bytes", all);
            }
            drop(shares);
            prop_assert_eq!(memory.0.common.available_permits(), steps(4 * MIB));
            prop_assert_eq!(memory.0.reserve.available_permits(), 1);
        }
    }

    #[test]
    fn outside_of_a_runtime_nobody_waits() {
        let memory = Memory::new(8 * MIB);
        let (first, second) = (memory.share(), memory.share());
        first.grow_at_once(4 * MIB).unwrap();
        assert_eq!(second.grow_at_once(MIB), Err(NoMemory::Busy));
        first.shrink_to(0);
        second.grow_at_once(MIB).unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn the_reserve_is_enough_for_one() {
        let memory = Memory::new(8 * MIB);
        let (first, second) = (memory.share(), memory.share());
        first.grow(4 * MIB).await.unwrap();
        second.wait_for_reserve().await.unwrap();
        second.grow_at_once(4 * MIB).unwrap();
        let third = memory.share();
        assert_eq!(third.wait_for_reserve().await, Err(NoMemory::Busy));
        drop(second);
        third.wait_for_reserve().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn large_work_keeps_nobody_waiting() {
        let memory = Memory::new(8 * MIB);
        let (go, wait) = std::sync::mpsc::channel();
        let other = tokio::spawn(async move { go.send(7) });
        // It waits for a task that needs a thread.
        let work = tokio::spawn(async move {
            let share = memory.share();
            share.work_on(MIB, move || wait.recv()).await
        });
        assert_eq!(work.await.unwrap(), Ok(7));
        other.await.unwrap().unwrap();
    }
}
