//! How many rows a page must have.
//!
//! Elasticsearch says with every batch how many hits the whole scroll has. So a page whose rows do not add up to that is not
//! what it seems: somebody else has moved the scroll, or hits were lost, doubled or made up on the way. Where all pages go
//! through this process it knows how many rows went before and every number is determined. Where replicas share a scroll key,
//! others may have delivered pages that it knows nothing of; then what it has delivered itself is the least that went before.

/// Rows of a scroll that went before a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowsBefore {
    /// How many this process has delivered.
    pub rows: u64,
    /// Whether these are all: no other process can have delivered some.
    pub are_all: bool,
}

/// What the hits of one batch are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowCount {
    /// Rows of the batches before, of this page and of those before it.
    pub before: RowsBefore,
    /// Hits of the whole scroll, as its first known batch said.
    pub total: u64,
    /// Hits of a batch that is not the last one.
    pub batch: u32,
}

/// Rows that do not add up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Miscount {
    /// The scroll has another number of hits than it had.
    #[error("the scroll had {before} hits and has {now} now")]
    TotalChanged {
        /// Before.
        before: u64,
        /// Now.
        now: u64,
    },
    /// Hits are missing, or there are some too many.
    #[error("a batch has {hits} hits where {expected} were left for it")]
    Batch {
        /// How many it has.
        hits: u32,
        /// How many it must have, or may have at the most where that is all that is known.
        expected: u64,
    },
}

impl RowCount {
    /// What the batch is compared with that comes after one of so many hits.
    pub fn after(self, hits: u32) -> Self {
        let rows = self.before.rows + u64::from(hits);
        Self {
            before: RowsBefore {
                rows,
                ..self.before
            },
            ..self
        }
    }

    /// Whether it is known that nothing is left of the scroll after a batch of so many hits.
    pub fn has_all_after(&self, hits: u32) -> bool {
        self.before.rows + u64::from(hits) >= self.total
    }

    /// The scroll goes on as it began.
    ///
    /// # Errors
    /// It has another total.
    pub fn check_total(&self, now: u64) -> Result<(), Miscount> {
        if now == self.total {
            Ok(())
        } else {
            Err(Miscount::TotalChanged {
                before: self.total,
                now,
            })
        }
    }

    /// How many hits the batch must have; the most that it may have if other processes may have delivered rows.
    fn expected(&self) -> u64 {
        let left = self.total.saturating_sub(self.before.rows);
        left.min(u64::from(self.batch))
    }

    /// The batch may have one hit more than the `hits` that it had so far.
    ///
    /// # Errors
    /// It has all that it can have.
    pub fn check_one_more(&self, hits: u32) -> Result<(), Miscount> {
        let expected = self.expected();
        if u64::from(hits) < expected {
            Ok(())
        } else {
            let hits = hits.saturating_add(1);
            Err(Miscount::Batch { hits, expected })
        }
    }

    /// The batch may end after `hits` hits.
    ///
    /// # Errors
    /// Some are missing. Where other processes may have delivered rows, that can't be known.
    pub fn check_end(&self, hits: u32) -> Result<(), Miscount> {
        let expected = self.expected();
        if u64::from(hits) == expected || (!self.before.are_all && u64::from(hits) < expected) {
            Ok(())
        } else {
            Err(Miscount::Batch { hits, expected })
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(before: u64, are_all: bool) -> RowCount {
        RowCount {
            before: RowsBefore {
                rows: before,
                are_all,
            },
            total: 250,
            batch: 100,
        }
    }

    #[test]
    fn where_all_rows_are_known_each_batch_has_its_number() {
        let first = count(0, true);
        assert_eq!(first.check_one_more(99), Ok(()));
        assert!(first.check_one_more(100).is_err(), "a page of 101 rows");
        assert_eq!(first.check_end(100), Ok(()));
        assert!(first.check_end(99).is_err(), "a hit was left out");
        assert!(first.check_end(0).is_err(), "an empty page in the middle");
        assert_eq!(
            first.after(100).after(100).check_end(50),
            Ok(()),
            "the third batch of a page"
        );
        let last = count(200, true);
        assert_eq!(last.check_end(50), Ok(()));
        assert!(last.check_one_more(50).is_err(), "a hit came twice");
        assert!(last.check_end(0).is_err(), "somebody else has read them");
        let empty = count(250, true);
        assert_eq!(empty.check_end(0), Ok(()));
        assert!(empty.check_one_more(0).is_err());
    }

    #[test]
    fn where_replicas_may_have_delivered_some_only_too_many_is_wrong() {
        let own = count(100, false);
        assert_eq!(own.check_end(100), Ok(()));
        assert_eq!(own.check_end(50), Ok(()), "a replica has read a page");
        assert_eq!(own.check_end(0), Ok(()));
        assert!(own.check_one_more(100).is_err());
        assert!(count(200, false).check_one_more(50).is_err());
    }

    #[test]
    fn a_total_stays() {
        assert_eq!(count(0, true).check_total(250), Ok(()));
        assert_eq!(
            count(0, true).check_total(249).unwrap_err().to_string(),
            "the scroll had 250 hits and has 249 now"
        );
    }

    /// Reads a scroll whose batches somebody else takes when `taken` says so; gives what was delivered, or why not.
    fn read(total: u64, batch: u32, batches_a_page: u32, taken: &[bool]) -> Result<u64, Miscount> {
        let mut position = 0;
        let mut next_batch = {
            let mut taken = taken.iter();
            move || {
                let mut take = || {
                    let hits = u64::from(batch).min(total - position);
                    position += hits;
                    u32::try_from(hits).unwrap()
                };
                while taken.next() == Some(&true) {
                    take();
                }
                take()
            }
        };
        let mut delivered = 0;
        loop {
            let mut count = RowCount {
                before: RowsBefore {
                    rows: delivered,
                    are_all: true,
                },
                total,
                batch,
            };
            let mut rows = 0;
            for _ in 0..batches_a_page {
                let hits = next_batch();
                for hit in 0..hits {
                    count.check_one_more(hit)?;
                }
                count.check_end(hits)?;
                count = count.after(hits);
                rows += u64::from(hits);
                if count.has_all_after(0) {
                    break;
                }
            }
            if rows == 0 {
                return Ok(delivered);
            }
            delivered += rows;
        }
    }

    proptest! {
        #[test]
        fn whatever_others_take_nothing_is_missing_in_what_ends_well(
            total in 0..500_u64, batch in 1..100_u32, batches_a_page in 1..5_u32, taken in prop::collection::vec(any::<bool>(), 0..20),
        ) {
            match read(total, batch, batches_a_page, &taken) {
                Ok(delivered) => prop_assert_eq!(delivered, total),
                Err(_) => prop_assert!(taken.contains(&true)),
            }
            prop_assert_eq!(read(total, batch, batches_a_page, &[]), Ok(total));
        }
    }
}
