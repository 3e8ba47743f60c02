//! How many hits Elasticsearch is asked for at once.
//!
//! Each request of a sorted scroll looks through the whole index, so that few large batches cost it less than many small ones. But
//! it holds a batch in its heap until that has been sent, and a reader has nothing to do until a batch begins to come. So what
//! counts is bytes: small instances come in thousands, large ones in dozens. The batches of a page must divide it, because a
//! scroll can't be told to give fewer the last time.

/// Bytes that a batch may have: more at once is no faster. A little less than what may be prefetched ([`super::prefetch`]), because the next
/// hits may be larger than those that it is reckoned by.
const GOOD_BYTES: u64 = 15 * 1024 * 1024;
/// Bytes that a batch may have where a page can only be had as a whole or in very small batches.
const MOST_BYTES: u64 = 128 * 1024 * 1024;
/// The most hits of a batch. More would hardly be faster, and all of them may turn out much larger than those that were seen.
const MOST_HITS: u32 = 5_000;
/// Batches of less than this part of what they may have are very small ones.
const SMALL_PART: u32 = 4;

/// How many hits a batch has, for pages of `limit` rows whose hits have so many bytes.
pub fn of_page(limit: u32, hit_bytes: u64) -> u32 {
    let largest = of_stream(hit_bytes);
    if limit <= largest {
        return limit;
    }
    let divisor = (1..=largest)
        .rev()
        .find(|size| limit.is_multiple_of(*size))
        .unwrap_or(1);
    let is_too_small = divisor < largest / SMALL_PART;
    if is_too_small && limit <= hits_of(MOST_BYTES, hit_bytes) {
        limit
    } else {
        divisor
    }
}

/// The same for a stream, which has no pages that batches would have to divide.
pub fn of_stream(hit_bytes: u64) -> u32 {
    hits_of(GOOD_BYTES, hit_bytes).min(MOST_HITS)
}

fn hits_of(bytes: u64, hit_bytes: u64) -> u32 {
    u32::try_from(bytes / hit_bytes.max(1))
        .unwrap_or(u32::MAX)
        .max(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn large_pages_are_fetched_in_batches() {
        // 1,572 of them have 15 MiB.
        let hit = 10_000;
        assert_eq!(of_stream(hit), 1_572);
        assert_eq!(of_page(1, hit), 1);
        assert_eq!(of_page(1_000, hit), 1_000);
        assert_eq!(of_page(1_572, hit), 1_572);
        assert_eq!(of_page(1_574, hit), 787);
        assert_eq!(of_page(10_000, hit), 1_250);
        assert_eq!(of_page(9_000, hit), 1_500);
        let prime = 9_973;
        assert_eq!(of_page(prime, hit), prime, "it has no divisor");
    }

    #[test]
    fn small_hits_are_fetched_in_large_batches() {
        // 3,932 of them have 15 MiB.
        assert_eq!(of_stream(4_000), 3_932);
        assert_eq!(of_page(10_000, 4_000), 2_500);
        assert_eq!(of_page(3_000, 4_000), 3_000);
        assert_eq!(of_stream(1_000), 5_000);
        assert_eq!(of_page(10_000, 1_000), 5_000);
        assert_eq!(of_stream(0), 5_000);
        assert_eq!(of_page(9_973, 0), 9_973);
    }

    #[test]
    fn large_hits_are_fetched_in_small_batches() {
        // 157 of them have 15 MiB.
        let hit = 100_000;
        assert_eq!(of_page(1_000, hit), 125);
        assert_eq!(of_page(997, hit), 997, "rather than 1");
        let megabyte = 1 << 20;
        assert_eq!(of_stream(megabyte), 15);
        assert_eq!(of_page(1_000, megabyte), 10);
        assert_eq!(of_page(20, megabyte), 10);
        assert_eq!(of_page(127, megabyte), 127, "rather than 1");
        assert_eq!(of_page(9_973, megabyte), 1, "rather than 10 GB");
        assert_eq!(of_page(7, u64::MAX), 1);
        assert_eq!(of_stream(u64::MAX), 1);
    }

    proptest! {
        #[test]
        fn a_page_is_a_whole_number_of_batches_that_are_not_too_large(limit in 1..=10_000_u32, hit_bytes in 0..3_000_000_u64) {
            let batch = of_page(limit, hit_bytes);
            prop_assert_eq!(limit % batch, 0);
            prop_assert!(batch == 1 || u64::from(batch) * hit_bytes <= MOST_BYTES);
        }
    }
}
