//! How many hits Elasticsearch is asked for at once.
//!
//! It sends smaller batches faster than very large ones, and holds each in its heap until it has been sent. The batches of a
//! page must divide it, because a scroll can't be told to give fewer the last time.

use std::ops::RangeInclusive;

/// Hits of a batch that Elasticsearch sends fastest; a page is fetched in batches of a size near it that divides the page.
const SIZES: RangeInclusive<u32> = 500..=2_000;
/// The same while many export: 32 batches of 2,000 documents of ten kilobytes are more than a heap of a gigabyte can bear.
const SIZES_OF_MANY: RangeInclusive<u32> = 500..=1_000;
/// The most hits that a batch has whose size does not follow from the size of a page.
pub const MOST_HITS: u32 = *SIZES.end();
/// Bytes of a batch that are enough: more at once is no faster, and is held in Elasticsearch's heap.
const ENOUGH_BYTES: u64 = 32 * 1024 * 1024;
/// Bytes that a batch may have where a page can only be had as a whole or in very small batches.
const MOST_BYTES: u64 = 4 * ENOUGH_BYTES;

/// How many hits a batch has, for pages of `limit` rows whose hits have so many bytes. A stream has no pages; its `limit` is
/// the most that it asks for at once.
pub fn batch_size(limit: u32, has_few_exports: bool, hit_bytes: u64) -> u32 {
    let sizes = if has_few_exports {
        SIZES
    } else {
        SIZES_OF_MANY
    };
    size_within(limit, sizes, hit_bytes)
}

fn size_within(limit: u32, sizes: RangeInclusive<u32>, hit_bytes: u64) -> u32 {
    let hits_of = |bytes: u64| {
        u32::try_from(bytes / hit_bytes.max(1))
            .unwrap_or(u32::MAX)
            .max(1)
    };
    let largest = (*sizes.end()).min(hits_of(ENOUGH_BYTES));
    if limit <= largest {
        return limit;
    }
    let divisor = (1..=largest)
        .rev()
        .find(|size| limit.is_multiple_of(*size))
        .unwrap_or(1);
    let is_too_small = divisor < largest.min(*sizes.start());
    if is_too_small && limit <= hits_of(MOST_BYTES) {
        limit
    } else {
        divisor
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SMALL: u64 = 10_000;

    #[test]
    fn large_pages_are_fetched_in_batches() {
        assert_eq!(size_within(1, SIZES, SMALL), 1);
        assert_eq!(size_within(499, SIZES, SMALL), 499);
        assert_eq!(size_within(1_000, SIZES, SMALL), 1_000);
        assert_eq!(size_within(10_000, SIZES, SMALL), 2_000);
        assert_eq!(size_within(10_000, SIZES_OF_MANY, SMALL), 1_000);
        assert_eq!(size_within(2_000, SIZES_OF_MANY, SMALL), 1_000);
        assert_eq!(size_within(9_000, SIZES, SMALL), 1_800);
        let prime = 9_973;
        assert_eq!(size_within(prime, SIZES, SMALL), prime, "it has no divisor");
    }

    #[test]
    fn large_hits_are_fetched_in_small_batches() {
        let megabyte = 1 << 20;
        assert_eq!(size_within(1_000, SIZES, megabyte), 25);
        assert_eq!(size_within(20, SIZES, megabyte), 20);
        assert_eq!(size_within(127, SIZES, megabyte), 127, "rather than 1");
        assert_eq!(size_within(9_973, SIZES, megabyte), 1, "rather than 10 GB");
        assert_eq!(size_within(9_973, SIZES, 0), 9_973);
        assert_eq!(size_within(7, SIZES, u64::MAX), 1);
    }

    proptest! {
        #[test]
        fn a_page_is_a_whole_number_of_batches_that_are_not_too_large(limit in 1..=10_000_u32, hit_bytes in 0..3_000_000_u64) {
            for sizes in [SIZES, SIZES_OF_MANY] {
                let batch = size_within(limit, sizes, hit_bytes);
                prop_assert_eq!(limit % batch, 0);
                prop_assert!(batch == 1 || u64::from(batch) * hit_bytes <= MOST_BYTES);
            }
        }
    }
}
