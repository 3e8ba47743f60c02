//! Only what changed since a bookmark.
//!
//! Elasticsearch and OpenSearch give every change of a document a number that grows within its shard, `_seq_no`. A bookmark
//! holds, for each shard of each index, the highest number that could be seen when it was taken. What has a higher one now has
//! changed since, be it new or updated; what was deleted is not there to be found.
//!
//! A number is given out before its document can be found, so that a search may see 101 and not yet 100. So a reader goes
//! back by an overlap, and rows may come twice. Where nothing has changed at all nothing is read again: beside the highest
//! number a bookmark holds a fingerprint of how many documents there are and of the sum of their numbers, which changes
//! whenever a document comes, goes or is updated.
//!
//! What is asked for and what is read of the answer are made here together; nothing here does I/O.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// First byte of every bookmark: what its other bytes mean.
const VERSION: u8 = 1;
/// Bytes that stand for the UUID of an index.
const UUID_BYTES: usize = 6;
/// Bytes of a fingerprint.
const FINGERPRINT_BYTES: usize = 4;
/// Bytes of the digests of a report and of what decides about its rows.
const DIGEST_BYTES: usize = 8;
/// Indices that one answer tells of.
const MAX_INDICES: usize = 10_000;

/// Stands for the UUID of an index.
type IndexId = [u8; UUID_BYTES];

/// A digest of a text.
pub fn digest(text: &str) -> [u8; DIGEST_BYTES] {
    first_bytes(&Sha256::digest(text.as_bytes()))
}

fn first_bytes<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut first = [0; N];
    for (to, from) in first.iter_mut().zip(bytes) {
        *to = *from;
    }
    first
}

/// How far a shard has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardMark {
    /// The highest number that can be seen; `None` where there is no document.
    pub newest: Option<u64>,
    /// Of the number of documents and of the sum of their numbers.
    fingerprint: [u8; FINGERPRINT_BYTES],
}

/// How far all shards have come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(HashMap<IndexId, Vec<ShardMark>>);

/// What a client keeps from one read to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark {
    /// The report that it is of.
    pub report: [u8; DIGEST_BYTES],
    /// Everything stored that decides which rows the report has.
    pub rows: [u8; DIGEST_BYTES],
    /// How far each shard had come.
    pub marks: Marks,
}

impl Bookmark {
    /// The bookmark as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.report);
        bytes.extend_from_slice(&self.rows);
        // Sorted, so that the same marks have the same bytes.
        let mut indices: Vec<_> = self.marks.0.iter().collect();
        indices.sort_unstable_by_key(|(id, _)| *id);
        for (id, shards) in indices {
            bytes.extend_from_slice(id);
            push_number(&mut bytes, shards.len() as u64);
            for shard in shards {
                push_number(
                    &mut bytes,
                    shard.newest.map_or(0, |newest| newest.saturating_add(1)),
                );
                bytes.extend_from_slice(&shard.fingerprint);
            }
        }
        bytes
    }

    /// The position that is behind neither: whoever goes on from there misses nothing that came after one of the two. `None`
    /// if they are of different rows.
    pub fn earliest(self, other: &Self) -> Option<Self> {
        if self.report != other.report || self.rows != other.rows {
            return None;
        }
        let marks = self.marks.earliest(&other.marks);
        Some(Self { marks, ..self })
    }

    /// The bookmark that these bytes are; `None` if they are none.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(&[VERSION])?;
        let report = take_bytes(&mut rest)?;
        let rows = take_bytes(&mut rest)?;
        let mut marks = HashMap::new();
        while !rest.is_empty() {
            let id: IndexId = take_bytes(&mut rest)?;
            let count = take_number(&mut rest)?;
            let mut shards = Vec::new();
            for _ in 0..count {
                let newest = take_number(&mut rest)?.checked_sub(1);
                let fingerprint = take_bytes(&mut rest)?;
                shards.push(ShardMark {
                    newest,
                    fingerprint,
                });
            }
            marks.insert(id, shards);
        }
        Some(Self {
            report,
            rows,
            marks: Marks(marks),
        })
    }
}

/// Seven bits a byte, the lowest first.
fn push_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (first, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take_bytes<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_at_checked(N)?;
    *rest = after;
    taken.try_into().ok()
}

/// An index as the cluster knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its own name, not that of an alias.
    pub name: String,
    uuid: String,
    /// Given when a snapshot is restored over an index: it keeps its UUID, and its numbers go back.
    history: Option<String>,
    shards: usize,
}

/// The settings of indices that are needed here, as a path below theirs; flat.
pub const SETTINGS_PATH: &str =
    "_settings/index.uuid,index.history.uuid,index.number_of_shards?flat_settings=true";

/// Reads the answer to [`SETTINGS_PATH`]; `None` if it is none.
pub fn indices(answer: &Value) -> Option<Vec<Index>> {
    let index = |(name, index): (&String, &Value)| {
        let setting = |name: &str| index.get("settings")?.get(name)?.as_str();
        Some(Index {
            name: name.clone(),
            uuid: setting("index.uuid")?.to_owned(),
            history: setting("index.history.uuid").map(str::to_owned),
            shards: setting("index.number_of_shards")?.parse().ok()?,
        })
    };
    answer.as_object()?.iter().map(index).collect()
}

/// How many shards the largest of these indices has.
pub fn most_shards(indices: &[Index]) -> usize {
    indices.iter().map(|index| index.shards).max().unwrap_or(0)
}

/// The search that tells how far one shard of each index has come. It is sent for one number of a shard at a time.
pub fn request() -> Value {
    json!({
        "size": 0,
        "track_total_hits": false,
        "aggs": {"indices": {
            "terms": {"field": "_index", "size": MAX_INDICES},
            "aggs": {"changes": {"stats": {"field": "_seq_no"}}},
        }},
    })
}

/// The answer to [`request`].
#[derive(Debug, Deserialize)]
pub struct Answer {
    aggregations: Option<Aggregations>,
}

#[derive(Debug, Deserialize)]
struct Aggregations {
    indices: Terms,
}

#[derive(Debug, Deserialize)]
struct Terms {
    buckets: Vec<Bucket>,
}

#[derive(Debug, Deserialize)]
struct Bucket {
    key: String,
    changes: Stats,
}

#[derive(Debug, Deserialize)]
struct Stats {
    count: u64,
    max: Option<f64>,
    sum: f64,
}

impl Stats {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "numbers of changes are whole, not negative, and far below 2^53"
    )]
    fn mark(&self) -> ShardMark {
        let mut digest = Sha256::new();
        digest.update(self.count.to_le_bytes());
        digest.update(self.sum.to_bits().to_le_bytes());
        ShardMark {
            newest: self.max.map(|max| max as u64),
            fingerprint: first_bytes(&digest.finalize()),
        }
    }
}

/// How far the shards of indices have come; `answers` are those for shard 0, 1 and so on.
pub fn marks(indices: &[Index], answers: &[Answer]) -> Marks {
    let mut marks = HashMap::new();
    for index in indices {
        let shards = answers.iter().take(index.shards).map(|answer| {
            let buckets = answer.aggregations.iter().flat_map(|a| &a.indices.buckets);
            let mut own = buckets.filter(|bucket| bucket.key == index.name);
            own.next()
                .map(|bucket| bucket.changes.mark())
                .unwrap_or_default()
        });
        marks.insert(id(index), shards.collect());
    }
    Marks(marks)
}

fn id(index: &Index) -> IndexId {
    let history = index.history.iter().flat_map(|uuid| ["/", uuid.as_str()]);
    let text: String = [index.uuid.as_str()].into_iter().chain(history).collect();
    first_bytes(&Sha256::digest(text.as_bytes()))
}

/// What has to be read of one shard of each index.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedShards {
    /// The number of the shard.
    pub number: usize,
    /// Names of the indices in which it has changed.
    pub indices: Vec<String>,
    /// The documents that may have changed.
    pub query: Value,
}

impl ShardMark {
    fn earliest(self, other: Self) -> Self {
        if self == other {
            return self;
        }
        Self {
            newest: self.newest.min(other.newest),
            // Of neither: where two copies have the same newest number and not the same documents, it is not known which of
            // them had come further, and the shard must not count as unchanged.
            fingerprint: self.fingerprint.map(|byte| !byte),
        }
    }
}

impl Marks {
    /// For each shard that both know the lower mark.
    fn earliest(self, other: &Self) -> Self {
        let common = self.0.into_iter().filter_map(|(id, shards)| {
            let others = other.0.get(&id)?;
            let shards = shards.into_iter().zip(others);
            let marks = shards.map(|(mark, other)| mark.earliest(*other));
            Some((id, marks.collect()))
        });
        Self(common.collect())
    }

    /// The shards that have come further than they had at `before`, each number of a shard once. What `before` does not know
    /// is read whole, the others from `overlap` numbers before theirs on.
    pub fn changed_since(
        &self,
        before: &Self,
        indices: &[Index],
        overlap: u64,
    ) -> Vec<ChangedShards> {
        let changed = (0..most_shards(indices)).filter_map(|number| {
            let mut names = Vec::new();
            let mut clauses = Vec::new();
            for index in indices {
                let id = id(index);
                let Some(now) = self.0.get(&id).and_then(|shards| shards.get(number)) else {
                    continue;
                };
                let known = before.0.get(&id).and_then(|shards| shards.get(number));
                if known == Some(now) || now.newest.is_none() {
                    continue;
                }
                names.push(index.name.clone());
                let of_index = json!({"term": {"_index": index.name}});
                // Numbers that have gone far back are those of another time, and tell nothing of this one.
                let is_of_this_time = |newest: &u64| {
                    now.newest
                        .is_some_and(|now| now.saturating_add(overlap) >= *newest)
                };
                let lowest = known.and_then(|known| known.newest).filter(is_of_this_time);
                clauses.push(match lowest {
                    None => of_index,
                    Some(newest) => {
                        let from = newest.saturating_add(1).saturating_sub(overlap);
                        let changed = json!({"range": {"_seq_no": {"gte": from}}});
                        json!({"bool": {"filter": [of_index, changed]}})
                    }
                });
            }
            (!names.is_empty()).then(|| ChangedShards {
                number,
                indices: names,
                query: json!({"bool": {"should": clauses, "minimum_should_match": 1}}),
            })
        });
        changed.collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn index(name: &str, shards: usize) -> Index {
        Index {
            name: name.to_owned(),
            uuid: format!("uuid of {name}"),
            history: None,
            shards,
        }
    }

    fn answer(buckets: Value) -> Answer {
        serde_json::from_value(json!({"aggregations": {"indices": {"buckets": buckets}}})).unwrap()
    }

    fn bucket(name: &str, count: u64, max: Option<u64>, sum: u64) -> Value {
        json!({"key": name, "doc_count": count, "changes": {"count": count, "max": max, "sum": sum}})
    }

    fn of(a: Value, b: Value) -> (Vec<Index>, Marks) {
        let indices = vec![index("a", 2), index("b", 1)];
        let marks = marks(&indices, &[answer(json!([a, b])), answer(json!([]))]);
        (indices, marks)
    }

    #[test]
    fn settings_tell_indices_apart() {
        let answer =
            json!({"p-1": {"settings": {"index.uuid": "u", "index.number_of_shards": "3"}}});
        let indices = indices(&answer).unwrap();
        assert_eq!(
            indices,
            [Index {
                name: "p-1".to_owned(),
                uuid: "u".to_owned(),
                history: None,
                shards: 3
            }]
        );
        assert_eq!(most_shards(&indices), 3);
        assert_eq!(super::indices(&json!({"p": {"settings": {}}})), None);
    }

    #[test]
    fn nothing_is_read_where_nothing_has_changed() {
        let (indices, before) = of(bucket("a", 3, Some(10), 20), bucket("b", 1, Some(0), 0));
        assert!(before.changed_since(&before, &indices, 20_000).is_empty());
    }

    #[test]
    fn changes_are_read_with_an_overlap_and_new_indices_whole() {
        let (indices, before) = of(bucket("a", 3, Some(100), 250), bucket("b", 1, Some(5), 5));
        let (_, now) = of(bucket("a", 4, Some(101), 351), bucket("b", 1, Some(5), 5));
        assert_eq!(
            now.changed_since(&before, &indices, 20),
            [ChangedShards {
                number: 0,
                indices: vec!["a".to_owned()],
                query: json!({"bool": {"should": [{"bool": {"filter": [{"term": {"_index": "a"}},
                    {"range": {"_seq_no": {"gte": 81}}}]}}], "minimum_should_match": 1}}),
            }]
        );
        let far = now.changed_since(&before, &indices, 1_000).remove(0).query;
        assert_eq!(
            far["bool"]["should"][0]["bool"]["filter"][1]["range"]["_seq_no"]["gte"],
            0
        );
        let all = now.changed_since(&Marks::default(), &indices, 20);
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].indices, ["a", "b"]);
        assert_eq!(
            all[0].query,
            json!({"bool": {"should": [{"term": {"_index": "a"}}, {"term": {"_index": "b"}}], "minimum_should_match": 1}})
        );
    }

    #[test]
    fn a_number_that_was_late_is_seen_although_the_newest_stays() {
        // 101 could be seen before 100.
        let (indices, before) = of(bucket("a", 3, Some(101), 250), bucket("b", 0, None, 0));
        let (_, now) = of(bucket("a", 4, Some(101), 350), bucket("b", 0, None, 0));
        assert_eq!(now.changed_since(&before, &indices, 20).len(), 1);
        // An update of a document whose number was 7.
        let (_, now) = of(bucket("a", 3, Some(101), 343), bucket("b", 0, None, 0));
        assert_eq!(now.changed_since(&before, &indices, 20).len(), 1);
    }

    #[test]
    fn the_earliest_of_two_positions_is_behind_neither() {
        let (indices, a) = of(bucket("a", 3, Some(90), 250), bucket("b", 1, Some(7), 7));
        let (_, b) = of(bucket("a", 4, Some(101), 351), bucket("b", 2, Some(5), 8));
        for earliest in [a.clone().earliest(&b), b.clone().earliest(&a)] {
            let newest: Vec<_> = indices
                .iter()
                .map(|index| earliest.0[&id(index)][0].newest)
                .collect();
            assert_eq!(newest, [Some(90), Some(5)]);
        }
        assert_eq!(a.clone().earliest(&a), a);
        // What one of them does not know is read whole.
        let only_b = marks(
            &indices[1..],
            &[answer(json!([bucket("b", 1, Some(7), 7)]))],
        );
        let earliest = a.clone().earliest(&only_b);
        assert_eq!(earliest.0.len(), 1);
        let changed = a.changed_since(&earliest, &indices, 0);
        assert_eq!(changed[0].indices, ["a"]);
    }

    #[test]
    fn where_two_saw_the_same_newest_number_and_not_the_same_documents_the_shard_counts_as_changed()
    {
        let (indices, a) = of(bucket("a", 3, Some(101), 250), bucket("b", 0, None, 0));
        let (_, b) = of(bucket("a", 4, Some(101), 350), bucket("b", 0, None, 0));
        let earliest = a.clone().earliest(&b);
        assert_eq!(a.changed_since(&earliest, &indices, 1).len(), 1);
        assert_eq!(b.changed_since(&earliest, &indices, 1).len(), 1);
    }

    #[test]
    fn bookmarks_of_different_rows_have_no_earliest() {
        let bookmark = |report: &str, rows: &str| Bookmark {
            report: digest(report),
            rows: digest(rows),
            marks: Marks::default(),
        };
        let one = bookmark("r", "q");
        assert_eq!(one.clone().earliest(&bookmark("r", "q")), Some(one.clone()));
        assert_eq!(one.clone().earliest(&bookmark("r", "p")), None);
        assert_eq!(one.earliest(&bookmark("s", "q")), None);
    }

    #[test]
    fn an_index_that_was_made_again_is_another() {
        let (indices, before) = of(bucket("a", 3, Some(10), 20), bucket("b", 1, Some(0), 0));
        let again = vec![
            Index {
                uuid: "another".to_owned(),
                ..indices[0].clone()
            },
            indices[1].clone(),
        ];
        let now = marks(
            &again,
            &[answer(json!([
                bucket("a", 3, Some(10), 20),
                bucket("b", 1, Some(0), 0)
            ]))],
        );
        let changed = now.changed_since(&before, &again, 20);
        assert_eq!(
            changed[0].query["bool"]["should"],
            json!([{"term": {"_index": "a"}}])
        );
    }

    #[test]
    fn an_index_that_was_restored_is_read_whole() {
        let (indices, before) = of(bucket("a", 3, Some(100), 250), bucket("b", 1, Some(5), 5));
        let of_a = |indices: &[Index], newest| {
            let buckets = [bucket("a", 2, Some(newest), 90), bucket("b", 1, Some(5), 5)];
            let now = marks(indices, &[answer(json!(buckets)), answer(json!([]))]);
            let query = now.changed_since(&before, indices, 20).remove(0).query;
            query["bool"]["should"][0].clone()
        };
        let whole = json!({"term": {"_index": "a"}});
        assert_ne!(of_a(&indices, 80), whole, "as a copy that lags behind");
        assert_eq!(of_a(&indices, 79), whole);
        let mut restored = indices.clone();
        restored[0].history = Some("h".to_owned());
        assert_eq!(of_a(&restored, 101), whole);
    }

    #[test]
    fn three_hundred_indices_fit_into_a_header() {
        let indices: Vec<Index> = (0..300).map(|n| index(&n.to_string(), 1)).collect();
        let buckets = (0..300_u64).map(|n| bucket(&n.to_string(), n, Some(n * 1_000), n * n));
        let marks = marks(&indices, &[answer(buckets.collect())]);
        let bookmark = Bookmark {
            report: digest("r"),
            rows: digest("q"),
            marks,
        };
        let bytes = bookmark.to_bytes();
        assert!(bytes.len() < 4_500, "{}", bytes.len());
        assert_eq!(Bookmark::from_bytes(&bytes), Some(bookmark));
    }

    proptest! {
        #[test]
        fn a_bookmark_comes_back(newest in prop::collection::vec(prop::option::of(0..u64::MAX), 0..9)) {
            let shards = newest.into_iter().map(|newest| ShardMark { newest, fingerprint: [1, 2, 3, 4] });
            let marks = Marks(HashMap::from([([7; UUID_BYTES], shards.collect())]));
            let bookmark = Bookmark { report: digest("a"), rows: digest("b"), marks };
            prop_assert_eq!(Bookmark::from_bytes(&bookmark.to_bytes()), Some(bookmark));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut versioned = vec![VERSION];
            versioned.extend_from_slice(&bytes);
            let _ = Bookmark::from_bytes(&versioned);
            let _ = Bookmark::from_bytes(&bytes);
        }
    }
}
