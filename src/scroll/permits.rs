//! How many documents Elasticsearch has to hold at once for all exports.
//!
//! A batch of a scroll is in Elasticsearch's heap until it has been sent, and its size is that of the client's choice where
//! `limit` has no divisor to make batches of. So each batch takes permits for the bytes that it will have: as many as its hits
//! had in the batches before of the same report, or in a small sample before the first one. The permits are given back when
//! all of it has arrived. Results that aggregate take their part too, as large as the one before.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache as FutureCache;
use moka::sync::Cache;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::flags;

/// What a hit is taken to have before one of its report was seen.
const UNSEEN_HIT_BYTES: u64 = 10_000;
/// What Elasticsearch is taken to hold for a result that aggregates before one of its report was seen.
const UNSEEN_RESULT_BYTES: u64 = 16 * 1024 * 1024;
/// Elasticsearch holds buckets, their keys and the text of its answer; together they have some four times the bytes of what is
/// kept of it here.
const HELD_FOR_A_BYTE: u64 = 4;
/// What Elasticsearch makes of a request takes many times the bytes of its text: each of very many filters becomes a query of
/// its own.
const HELD_FOR_A_BYTE_OF_A_REQUEST: u64 = 16;
/// Longest wait of a request for its permits.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// A permit stands for so many bytes.
const BYTES_A_PERMIT: u64 = 1_024;
/// Reports of which the size of a hit is kept in mind.
const MAX_REPORTS: u64 = 10_000;

/// The bytes that may be under way. Cloning is cheap; clones share them.
#[derive(Clone)]
pub struct BatchPermits {
    permits: Arc<Semaphore>,
    all: u32,
    /// Bytes of a hit, by report.
    hit_bytes: Cache<String, u64>,
    /// Bytes that Elasticsearch holds for a result that aggregates, by report.
    result_bytes: Cache<String, u64>,
    /// Reports of which a sample is being taken, or was taken.
    sampled: FutureCache<String, ()>,
}

/// The right to have one batch under way.
pub struct BatchPermit(Option<OwnedSemaphorePermit>);

impl BatchPermit {
    /// Ends the right before the permit is dropped: all of the batch has arrived.
    pub fn give_back(&mut self) {
        self.0 = None;
    }
}

/// There were not enough permits in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "Elasticsearch had no memory for the next batch for too long ({})",
    flags::MAX_BATCH_MEMORY
)]
pub struct NoPermits;

impl BatchPermits {
    /// So many bytes at the same time.
    pub fn new(bytes: u64) -> Self {
        let all = u32::try_from(bytes / BYTES_A_PERMIT).unwrap_or(u32::MAX);
        let all = all.clamp(1, u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX));
        Self {
            permits: Arc::new(Semaphore::new(all as usize)),
            all,
            hit_bytes: Cache::new(MAX_REPORTS),
            result_bytes: Cache::new(MAX_REPORTS),
            sampled: FutureCache::new(MAX_REPORTS),
        }
    }

    /// Lets a sample be taken of a report of which no hit was seen yet; it gives hits and their bytes. Many who begin with a
    /// report at the same time take one.
    pub async fn take_sample(
        &self,
        report_id: &str,
        sample: impl Future<Output = Option<(u32, u64)>>,
    ) {
        if self.hit_bytes.contains_key(report_id) {
            return;
        }
        let sampled = async {
            if let Some((hits, bytes)) = sample.await {
                self.learn(report_id, hits, bytes);
            }
        };
        self.sampled.get_with(report_id.to_owned(), sampled).await;
    }

    /// How many bytes so many hits of a report will have.
    pub fn expected_bytes(&self, report_id: &str, hits: u32) -> u64 {
        let hit_bytes = self.hit_bytes.get(report_id).unwrap_or(UNSEEN_HIT_BYTES);
        u64::from(hits).saturating_mul(hit_bytes)
    }

    /// Learns from a batch how large the hits of a report are.
    pub fn learn(&self, report_id: &str, hits: u32, bytes: u64) {
        let Some(seen) = bytes.checked_div(u64::from(hits)) else {
            return;
        };
        // Growing at once and shrinking slowly: what is too large is dearer than what is too small.
        let hit_bytes = match self.hit_bytes.get(report_id) {
            Some(before) if before > seen => before - (before - seen) / 4,
            _ => seen,
        };
        self.hit_bytes.insert(report_id.to_owned(), hit_bytes);
    }

    /// Permits for one batch: of what is larger than the whole budget, all.
    fn permits_for(&self, report_id: &str, hits: u32) -> u32 {
        self.permits_for_bytes(self.expected_bytes(report_id, hits))
    }

    fn permits_for_bytes(&self, bytes: u64) -> u32 {
        let permits = u32::try_from(bytes / BYTES_A_PERMIT).unwrap_or(u32::MAX);
        permits.clamp(1, self.all)
    }

    /// Takes the permits for a batch of so many hits if they are there.
    pub fn try_take(&self, report_id: &str, hits: u32) -> Option<BatchPermit> {
        let permits = self.permits_for(report_id, hits);
        let permit = Arc::clone(&self.permits).try_acquire_many_owned(permits);
        permit.ok().map(|permit| BatchPermit(Some(permit)))
    }

    /// Waits for the permits, in the order of those who ask. Who waits must not hold any.
    ///
    /// # Errors
    /// They are not there in time.
    pub async fn take(
        &self,
        report_id: &str,
        hits: u32,
        patience: Duration,
    ) -> Result<BatchPermit, NoPermits> {
        self.take_permits(self.permits_for(report_id, hits), patience)
            .await
    }

    /// The same for a result that aggregates, for which a request of so many bytes asks.
    ///
    /// # Errors
    /// As [`BatchPermits::take`].
    pub async fn take_for_result(
        &self,
        report_id: &str,
        request_bytes: usize,
        patience: Duration,
    ) -> Result<BatchPermit, NoPermits> {
        let seen = self.result_bytes.get(report_id);
        let for_request = HELD_FOR_A_BYTE_OF_A_REQUEST.saturating_mul(request_bytes as u64);
        let bytes = seen.unwrap_or(UNSEEN_RESULT_BYTES).max(for_request);
        self.take_permits(self.permits_for_bytes(bytes), patience)
            .await
    }

    /// Learns how large the results of a report are; `None` for one that Elasticsearch refused or that was too large to be read
    /// to its end. Elasticsearch makes 65,536 buckets before it finds that they are too many: eight clients that asked for such
    /// reports again and again ended a server with a heap of a gigabyte.
    pub fn learn_result(&self, report_id: &str, bytes: Option<usize>) {
        let bytes = bytes.map_or(u64::MAX, |bytes| {
            HELD_FOR_A_BYTE.saturating_mul(bytes as u64)
        });
        self.result_bytes.insert(report_id.to_owned(), bytes);
    }

    async fn take_permits(
        &self,
        permits: u32,
        patience: Duration,
    ) -> Result<BatchPermit, NoPermits> {
        let permit = Arc::clone(&self.permits).acquire_many_owned(permits);
        match tokio::time::timeout(patience, permit).await {
            Ok(Ok(permit)) => Ok(BatchPermit(Some(permit))),
            // Nobody closes the semaphore.
            Ok(Err(_)) | Err(_) => Err(NoPermits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn what_is_under_way_is_bounded_by_bytes() {
        let budget = BatchPermits::new(100_000_000);
        let first = budget.try_take("r", 6_000).unwrap();
        assert!(budget.try_take("r", 6_000).is_none());
        assert_eq!(budget.take("r", 6_000, SECOND).await.err(), Some(NoPermits));
        let small = budget.try_take("r", 1_000).unwrap();
        drop((first, small));
        // More than all there is runs alone.
        let alone = budget.take("r", u32::MAX, SECOND).await.ok();
        assert!(budget.try_take("other", 1).is_none());
        drop(alone);
        assert!(budget.try_take("other", 1).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn results_that_aggregate_take_what_they_took_before() {
        let budget = BatchPermits::new(100_000_000);
        let first = budget.take_for_result("r", 100, SECOND).await.ok().unwrap();
        assert!(budget.try_take("raw", 8_000).is_some());
        budget.learn_result("r", None);
        assert!(
            budget.take_for_result("r", 100, SECOND).await.is_err(),
            "it runs alone now"
        );
        drop(first);
        let alone = budget.take_for_result("r", 100, SECOND).await.ok().unwrap();
        assert!(budget.try_take("raw", 1).is_none());
        drop(alone);
        budget.learn_result("r", Some(1_000));
        let small = budget.take_for_result("r", 100, SECOND).await.ok().unwrap();
        assert!(budget.try_take("raw", 9_900).is_some());
        drop(small);
        let large_request = budget.take_for_result("r", 5_000_000, SECOND).await;
        assert!(budget.try_take("raw", 3_000).is_none() && large_request.is_ok());
    }

    #[test]
    fn sizes_are_learned_from_what_came_before() {
        let budget = BatchPermits::new(100_000_000);
        assert_eq!(budget.expected_bytes("r", 10), 100_000);
        budget.learn("r", 0, 700);
        assert_eq!(budget.expected_bytes("r", 10), 100_000);
        budget.learn("r", 10, 500_000);
        assert_eq!(budget.expected_bytes("r", 10), 500_000);
        assert_eq!(budget.expected_bytes("other", 10), 100_000);
        budget.learn("r", 10, 100_000);
        assert_eq!(budget.expected_bytes("r", 10), 400_000);
        budget.learn("r", 10, 900_000);
        assert_eq!(budget.expected_bytes("r", 10), 900_000);
    }
}
