//! Reading the aggregations of an answer.
//!
//! What is read was asked for, so where it is absent the request and its reader don't agree, and there is no result
//! ([`AbsentAggregation`]). Who has left something out of the request, because there was nothing to aggregate, does not read
//! it. Only an answer without any aggregations is none of that: Elasticsearch gives it where no index was searched
//! ([`Answer::has_aggregations`]).
//!
//! An answer may have tens of thousands of buckets, so it is kept as small as its text: one list of nodes of eight bytes, one
//! text for all keys. What nobody asks for is not kept.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::aggregations::LEVEL;

/// The name of something that was asked for and is not in the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Elasticsearch's answer has no `{0}`, which was asked for")]
pub struct AbsentAggregation(String);

impl AbsentAggregation {
    fn named(name: &str) -> Self {
        Self(name.to_owned())
    }
}

/// An answer to a search for aggregations.
#[derive(Debug, Deserialize)]
pub struct Answer {
    hits: Hits,
    #[serde(default)]
    aggregations: Tree,
}

#[derive(Debug, Deserialize)]
struct Hits {
    total: Total,
}

#[derive(Debug, Deserialize)]
struct Total {
    value: u64,
}

impl Answer {
    /// All instances that the query found, as one bucket.
    pub fn root(&self) -> Bucket<'_> {
        Bucket {
            tree: &self.aggregations,
            at: 0,
            name: None,
            doc_count: Some(self.hits.total.value),
        }
    }

    /// Whether it has any aggregations: it has none where nothing was asked for, or no index was there to be asked.
    pub fn has_aggregations(&self) -> bool {
        let mut aggregations = self.aggregations.children(0, Kind::Object);
        aggregations.next().is_some()
    }

    /// How much memory it takes.
    pub fn bytes(&self) -> usize {
        let Tree {
            nodes,
            numbers,
            texts,
            ends,
            ..
        } = &self.aggregations;
        nodes.capacity() * size_of::<Node>()
            + numbers.capacity() * size_of::<Number>()
            + texts.capacity()
            + ends.capacity() * size_of::<u32>()
    }
}

/// What answers repeat beside what was asked for, and for each bucket.
const NOBODY_READS: [&str; 8] = [
    "doc_count_error_upper_bound",
    "sum_other_doc_count",
    "meta",
    "bg_count",
    "from",
    "from_as_string",
    "to",
    "to_as_string",
];
/// Where buckets are; they may have any names.
const BUCKETS: &str = "buckets";
/// What tells a bucket from the others.
const KEY: &str = "key";

/// The values of an answer, each before those that are in it. The first one is the object of all aggregations.
#[derive(Debug, Default)]
struct Tree {
    nodes: Vec<Node>,
    /// Numbers that have no room in a node.
    numbers: Vec<Number>,
    /// All texts, one after the other.
    texts: String,
    /// Where each text ends.
    ends: Vec<u32>,
    /// Members that most buckets have, by their texts; there are only a few.
    common_names: Vec<u32>,
}

/// Names that are kept once, however often they come.
const COMMON_NAMES: usize = 32;

/// A value: eight bytes.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// The position of its name among the texts, and its kind in the lowest bits.
    name_and_kind: u32,
    /// Of a list or an object the node behind its last one, of a text its position, of a small number itself, of others their
    /// position.
    value: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Null = 0,
    False = 1,
    True = 2,
    Small = 3,
    Number = 4,
    Text = 5,
    List = 6,
    Object = 7,
}

const KIND_BITS: u32 = 3;
const NO_NAME: u32 = u32::MAX >> KIND_BITS;

#[derive(Debug, Clone, Copy)]
enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl Node {
    fn kind(self) -> Kind {
        match self.name_and_kind & ((1 << KIND_BITS) - 1) {
            1 => Kind::False,
            2 => Kind::True,
            3 => Kind::Small,
            4 => Kind::Number,
            5 => Kind::Text,
            6 => Kind::List,
            7 => Kind::Object,
            _ => Kind::Null,
        }
    }

    fn name(self) -> Option<u32> {
        Some(self.name_and_kind >> KIND_BITS).filter(|name| *name != NO_NAME)
    }
}

impl Tree {
    fn text(&self, at: u32) -> &str {
        let at = at as usize;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before));
        let start = start.map_or(0, |end| *end as usize);
        let end = self.ends.get(at).map_or(start, |end| *end as usize);
        self.texts.get(start..end).unwrap_or_default()
    }

    fn node(&self, at: u32) -> Option<Node> {
        self.nodes.get(at as usize).copied()
    }

    fn name(&self, at: u32) -> Option<&str> {
        self.node(at)?.name().map(|name| self.text(name))
    }

    /// The values directly in a list or an object.
    fn children(&self, parent: u32, kind: Kind) -> impl Iterator<Item = u32> + '_ {
        let parent_node = self.node(parent).filter(|node| node.kind() == kind);
        let end = parent_node.map_or(0, |node| node.value);
        let first = Some(parent + 1).filter(|first| *first < end);
        std::iter::successors(first, move |at| {
            let node = self.node(*at)?;
            let next = match node.kind() {
                Kind::List | Kind::Object => node.value,
                Kind::Null | Kind::False | Kind::True | Kind::Small | Kind::Number | Kind::Text => {
                    at + 1
                }
            };
            (next < end).then_some(next)
        })
    }

    /// A member of an object; of several with one name the last, as everywhere in JSON.
    fn member(&self, parent: u32, name: &str) -> Option<u32> {
        self.children(parent, Kind::Object)
            .filter(|at| self.name(*at) == Some(name))
            .last()
    }

    fn number(&self, at: u32) -> Option<Number> {
        let node = self.node(at)?;
        match node.kind() {
            Kind::Small => Some(Number::Unsigned(u64::from(node.value))),
            Kind::Number => self.numbers.get(node.value as usize).copied(),
            Kind::Null | Kind::False | Kind::True | Kind::Text | Kind::List | Kind::Object => None,
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "JSON's numbers are read as doubles everywhere"
    )]
    fn finite(&self, at: u32) -> Option<f64> {
        let number = match self.number(at)? {
            Number::Unsigned(number) => number as f64,
            Number::Signed(number) => number as f64,
            Number::Float(number) => number,
        };
        Some(number).filter(|number| number.is_finite())
    }

    fn push_text<E: Error>(&mut self, text: &str) -> Result<u32, E> {
        let at = u32::try_from(self.ends.len()).map_err(|_| too_long())?;
        self.texts.push_str(text);
        let end = u32::try_from(self.texts.len()).map_err(|_| too_long())?;
        self.ends.push(end);
        Ok(at)
    }

    fn push_name<E: Error>(&mut self, name: &str) -> Result<u32, E> {
        let mut known = self.common_names.iter();
        if let Some(known) = known.find(|known| self.text(**known) == name) {
            return Ok(*known);
        }
        let at = self.push_text(name)?;
        if self.common_names.len() < COMMON_NAMES {
            self.common_names.push(at);
        }
        Ok(at)
    }

    /// Adds a value; gives back where it is.
    fn push<E: Error>(&mut self, name: u32, kind: Kind, value: u32) -> Result<usize, E> {
        let at = self.nodes.len();
        if name > NO_NAME || u32::try_from(at).is_err() {
            return Err(too_long());
        }
        self.nodes.push(Node {
            name_and_kind: (name << KIND_BITS) | kind as u32,
            value,
        });
        Ok(at)
    }

    fn push_number<E: Error>(&mut self, name: u32, number: Number) -> Result<(), E> {
        if let Number::Unsigned(number) = number
            && let Ok(small) = u32::try_from(number)
        {
            return self.push(name, Kind::Small, small).map(drop);
        }
        let at = u32::try_from(self.numbers.len()).map_err(|_| too_long())?;
        self.numbers.push(number);
        self.push(name, Kind::Number, at).map(drop)
    }

    /// Says where a list or an object ends: here.
    fn end<E: Error>(&mut self, at: usize) -> Result<(), E> {
        let end = u32::try_from(self.nodes.len()).map_err(|_| too_long())?;
        if let Some(node) = self.nodes.get_mut(at) {
            node.value = end;
        }
        Ok(())
    }
}

fn too_long<E: Error>() -> E {
    E::custom("it is too long")
}

/// Reads a value into the tree.
struct Reader<'t> {
    tree: &'t mut Tree,
    name: u32,
    /// Whether its members are buckets.
    has_buckets: bool,
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.tree.push(self.name, Kind::Null, 0).map(drop)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        let kind = if value { Kind::True } else { Kind::False };
        self.tree.push(self.name, kind, 0).map(drop)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.tree.push_number(self.name, Number::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        let number = u64::try_from(value).map_or(Number::Signed(value), Number::Unsigned);
        self.tree.push_number(self.name, number)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.tree.push_number(self.name, Number::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        let text = self.tree.push_text(value)?;
        self.tree.push(self.name, Kind::Text, text).map(drop)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let at = self.tree.push(self.name, Kind::List, 0)?;
        loop {
            let element = Reader {
                tree: &mut *self.tree,
                name: NO_NAME,
                has_buckets: false,
            };
            if list.next_element_seed(element)?.is_none() {
                return self.tree.end(at);
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let at = self.tree.push(self.name, Kind::Object, 0)?;
        while let Some(name) = members.next_key_seed(Name)? {
            if !self.has_buckets && NOBODY_READS.contains(&&*name) {
                members.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = Reader {
                name: if self.has_buckets {
                    self.tree.push_text(&name)?
                } else {
                    self.tree.push_name(&name)?
                },
                has_buckets: name == BUCKETS,
                tree: &mut *self.tree,
            };
            members.next_value_seed(value)?;
        }
        self.tree.end(at)
    }
}

/// Reads a name without a copy of it where that can be.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut tree = Self::default();
        let reader = Reader {
            tree: &mut tree,
            name: NO_NAME,
            has_buckets: false,
        };
        deserializer.deserialize_map(reader)?;
        Ok(tree)
    }
}

/// A bucket, or an aggregation without buckets: documents, and what is aggregated of them.
#[derive(Debug, Clone, Copy)]
pub struct Bucket<'a> {
    tree: &'a Tree,
    at: u32,
    name: Option<&'a str>,
    /// Of the root, which does not have it as a member.
    doc_count: Option<u64>,
}

impl<'a> Bucket<'a> {
    fn of(self, name: Option<&'a str>, at: u32) -> Self {
        Self {
            tree: self.tree,
            at,
            name,
            doc_count: None,
        }
    }

    fn member(&self, name: &str) -> Option<u32> {
        self.tree.member(self.at, name)
    }

    fn present(&self, name: &str) -> Result<u32, AbsentAggregation> {
        let absent = || AbsentAggregation::named(name);
        self.member(name).ok_or_else(absent)
    }

    /// How many documents it has.
    ///
    /// # Errors
    /// It is no bucket.
    pub fn doc_count(&self) -> Result<u64, AbsentAggregation> {
        const NAME: &str = "doc_count";
        if let Some(found) = self.doc_count {
            return Ok(found);
        }
        match self.tree.number(self.present(NAME)?) {
            Some(Number::Unsigned(number)) => Ok(number),
            Some(Number::Signed(_) | Number::Float(_)) | None => {
                Err(AbsentAggregation::named(NAME))
            }
        }
    }

    /// An aggregation in it.
    ///
    /// # Errors
    /// It is not there.
    pub fn sub(&self, name: &str) -> Result<Self, AbsentAggregation> {
        Ok(self.of(None, self.present(name)?))
    }

    /// What is inside of so many aggregations named [`LEVEL`].
    ///
    /// # Errors
    /// There are fewer.
    pub fn level(&self, depth: usize) -> Result<Self, AbsentAggregation> {
        (0..depth).try_fold(*self, |bucket, _| bucket.sub(LEVEL))
    }

    /// What is inside of all aggregations named [`LEVEL`].
    pub fn innermost_level(&self) -> Self {
        self.sub(LEVEL)
            .map_or(*self, |inner| inner.innermost_level())
    }

    /// The buckets of this aggregation, listed, or by name in the order of the names.
    ///
    /// # Errors
    /// It has no buckets, not even an empty list of them.
    pub fn buckets(&self) -> Result<Vec<Self>, AbsentAggregation> {
        let buckets = self.present(BUCKETS)?;
        let listed = self.tree.children(buckets, Kind::List);
        let by_name = self.tree.children(buckets, Kind::Object);
        let by_name: BTreeMap<_, u32> = by_name.map(|at| (self.tree.name(at), at)).collect();
        let listed = listed.map(|at| (None, at));
        let all = listed.chain(by_name);
        Ok(all.map(|(name, at)| self.of(name, at)).collect())
    }

    /// Its key as text: its name, else the key as Elasticsearch formats it, else the key itself.
    ///
    /// # Errors
    /// It has no key.
    pub fn key(&self) -> Result<String, AbsentAggregation> {
        if let Some(name) = self.name {
            return Ok(name.to_owned());
        }
        let at = match self.member("key_as_string") {
            Some(at) => at,
            None => self.present(KEY)?,
        };
        self.json(at).ok_or_else(|| AbsentAggregation::named(KEY))
    }

    /// A value as text: that of a text itself, else its JSON.
    fn json(&self, at: u32) -> Option<String> {
        let tree = self.tree;
        let node = tree.node(at)?;
        Some(match node.kind() {
            Kind::Text => tree.text(node.value).to_owned(),
            Kind::Null => "null".to_owned(),
            Kind::False => "false".to_owned(),
            Kind::True => "true".to_owned(),
            Kind::Small | Kind::Number => match tree.number(at)? {
                Number::Unsigned(number) => number.to_string(),
                Number::Signed(number) => number.to_string(),
                Number::Float(number) => serde_json::Value::from(number).to_string(),
            },
            // No bucket of ours has such a key.
            Kind::List | Kind::Object => return None,
        })
    }

    /// Its key as a number; `None` where it is a text.
    ///
    /// # Errors
    /// It has no key.
    pub fn numeric_key(&self) -> Result<Option<f64>, AbsentAggregation> {
        self.number(KEY)
    }

    /// Its key as a whole number, as that of a histogram with the format `epoch_millis` is.
    ///
    /// # Errors
    /// It has no key, or one that is no whole number.
    pub fn whole_key(&self) -> Result<i64, AbsentAggregation> {
        let key = self.key()?.parse();
        key.map_err(|_| AbsentAggregation::named(KEY))
    }

    /// A number in it; `None` where there is no data, also for one that is not finite.
    ///
    /// # Errors
    /// It is not there, not even as `null`.
    pub fn number(&self, name: &str) -> Result<Option<f64>, AbsentAggregation> {
        Ok(self.tree.finite(self.present(name)?))
    }

    /// The value of the one percentile that was asked for; `None` where there is no data.
    ///
    /// # Errors
    /// It is not there.
    pub fn percentile(&self) -> Result<Option<f64>, AbsentAggregation> {
        const NAME: &str = "values";
        let values = self.present(NAME)?;
        let first = self.tree.children(values, Kind::List).next();
        let value = first.and_then(|first| self.tree.member(first, "value"));
        let value = value.ok_or_else(|| AbsentAggregation::named(NAME))?;
        Ok(self.tree.finite(value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;

    #[test]
    fn buckets_are_found_listed_and_by_name() {
        let answer: Answer = serde_json::from_value(json!({
            "hits": {"total": {"value": 7, "relation": "eq"}, "hits": []},
            "aggregations": {
                "level": {"doc_count": 3, "level": {"doc_count": 2, "listed": {"buckets": [
                    {"key": 1.5, "doc_count": 1, "m": {"value": 2.0}},
                    {"key": 1000, "key_as_string": "1000.00", "doc_count": 1, "m": {"value": null}}]}}},
                "by_name": {"buckets": {"b": {"doc_count": 4}, "a": {"doc_count": 5}}},
                "p": {"values": [{"key": 50.0, "value": 12.5}]}}}))
        .unwrap();
        let root = answer.root();
        assert_eq!(root.doc_count(), Ok(7));
        let inner = root.level(2).unwrap();
        assert_eq!(inner.doc_count(), Ok(2));
        assert_eq!(root.innermost_level().doc_count(), Ok(2));
        let listed = inner.sub("listed").unwrap().buckets().unwrap();
        let keys: Vec<_> = listed.iter().map(|b| b.key().unwrap()).collect();
        assert_eq!(keys, ["1.5", "1000.00"]);
        assert_eq!(listed[1].numeric_key(), Ok(Some(1000.0)));
        assert_eq!(listed[0].sub("m").unwrap().number("value"), Ok(Some(2.0)));
        assert_eq!(listed[1].sub("m").unwrap().number("value"), Ok(None));
        let by_name = root.sub("by_name").unwrap().buckets().unwrap();
        assert_eq!(by_name[0].key().as_deref(), Ok("a"));
        assert_eq!(by_name[0].doc_count(), Ok(5));
        assert_eq!(root.sub("p").unwrap().percentile(), Ok(Some(12.5)));
    }

    #[test]
    fn what_is_read_and_not_there_is_an_error_with_its_name() {
        let answer: Answer = serde_json::from_value(json!({
            "hits": {"total": {"value": 7}},
            "aggregations": {
                "level": {"doc_count": 3, "level": {"doc_count": 2}},
                "odd": {"buckets": [{"doc_count": 1.5}, {"doc_count": null, "key": ["a", 1]}]},
                "empty": {"values": []}, "lame": {"values": [{"key": 50.0}]}}}))
        .unwrap();
        fn absent<T>(name: &str) -> Result<T, AbsentAggregation> {
            Err(AbsentAggregation(name.to_owned()))
        }
        let root = answer.root();
        assert_eq!(root.sub("levels").map(drop), absent("levels"));
        assert_eq!(root.level(2).unwrap().doc_count(), Ok(2));
        assert_eq!(root.level(3).map(drop), absent("level"));
        assert_eq!(
            root.level(1).unwrap().buckets().map(drop),
            absent("buckets")
        );
        assert_eq!(root.level(1).unwrap().key(), absent("key"));
        assert_eq!(root.level(1).unwrap().numeric_key(), absent("key"));
        assert_eq!(root.level(1).unwrap().number("value"), absent("value"));
        assert_eq!(root.level(1).unwrap().percentile(), absent("values"));
        let odd = root.sub("odd").unwrap();
        assert_eq!(odd.doc_count(), absent("doc_count"));
        for bucket in odd.buckets().unwrap() {
            assert_eq!(bucket.doc_count(), absent("doc_count"));
            assert_eq!(bucket.key(), absent("key"));
        }
        for name in ["empty", "lame"] {
            assert_eq!(root.sub(name).unwrap().percentile(), absent("values"));
        }
        assert_eq!(
            AbsentAggregation("level".to_owned()).to_string(),
            "Elasticsearch's answer has no `level`, which was asked for"
        );
    }

    #[test]
    fn an_answer_may_have_no_aggregations() {
        let has = |mut answer: Value| {
            answer["hits"] = json!({"total": {"value": 0}});
            let answer: Answer = serde_json::from_value(answer).unwrap();
            answer.has_aggregations()
        };
        assert!(!has(json!({})));
        assert!(!has(json!({"aggregations": {}})));
        assert!(has(json!({"aggregations": {"a": {"buckets": []}}})));
    }

    #[test]
    fn buckets_may_have_the_names_of_what_nobody_reads() {
        let answer: Answer = serde_json::from_value(json!({"hits": {"total": {"value": 0}}, "aggregations": {
            "a": {"meta": {"x": 1}, "buckets": {"meta": {"doc_count": 2}, "to": {"doc_count": 3, "to": 9}}}}}))
        .unwrap();
        let buckets = answer.root().sub("a").unwrap().buckets().unwrap();
        let found: Vec<_> = buckets
            .iter()
            .map(|b| (b.key().unwrap(), b.doc_count().unwrap()))
            .collect();
        assert_eq!(found, [("meta".to_owned(), 2), ("to".to_owned(), 3)]);
    }

    #[test]
    fn an_answer_takes_hardly_more_than_its_text() {
        let bucket = |n: usize| json!({"key": format!("flow-node-{n}"), "doc_count": n, "duration0": {"values": [{"key": 50.0, "value": 12.5}]}});
        let buckets: Vec<Value> = (0..10_000).map(bucket).collect();
        let text =
            json!({"hits": {"total": {"value": 1}}, "aggregations": {"a": {"buckets": buckets}}})
                .to_string();
        let answer: Answer = serde_json::from_str(&text).unwrap();
        assert!(
            answer.bytes() * 2 < text.len() * 5,
            "{} of {}",
            answer.bytes(),
            text.len()
        );
    }

    /// How a tree of values is read.
    #[derive(Clone, Copy)]
    struct Plain<'a>(Option<&'a str>, &'a Value);

    impl<'a> Plain<'a> {
        fn member(self, name: &str) -> Option<&'a Value> {
            self.1.as_object()?.get(name)
        }

        fn buckets(self) -> Option<Vec<Self>> {
            Some(match self.member("buckets")? {
                Value::Array(list) => list.iter().map(|value| Plain(None, value)).collect(),
                Value::Object(by_name) => by_name
                    .iter()
                    .map(|(name, value)| Plain(Some(name), value))
                    .collect(),
                _ => Vec::new(),
            })
        }

        fn key(self) -> Option<String> {
            self.0.map(str::to_owned).or_else(|| {
                match self
                    .member("key_as_string")
                    .or_else(|| self.member("key"))?
                {
                    Value::String(text) => Some(text.clone()),
                    Value::Array(_) | Value::Object(_) => None,
                    other => Some(other.to_string()),
                }
            })
        }

        fn number(self, name: &str) -> Option<Option<f64>> {
            Some(self.member(name)?.as_f64())
        }

        fn percentile(self) -> Option<Option<f64>> {
            Some(self.member("values")?.get(0)?.get("value")?.as_f64())
        }
    }

    fn same(bucket: Bucket<'_>, plain: Plain<'_>, names: &[&str]) {
        let count = plain.member("doc_count").and_then(Value::as_u64);
        assert_eq!(bucket.doc_count().ok(), count);
        assert_eq!(bucket.key().ok(), plain.key());
        assert_eq!(bucket.percentile().ok(), plain.percentile());
        for name in names {
            assert_eq!(bucket.number(name).ok(), plain.number(name), "{name}");
            match (bucket.sub(name).ok(), plain.member(name)) {
                (Some(bucket), Some(value)) => same(bucket, Plain(None, value), names),
                (bucket, value) => assert_eq!(bucket.is_some(), value.is_some(), "{name}"),
            }
        }
        let (buckets, plain) = (bucket.buckets().ok(), plain.buckets());
        assert_eq!(buckets.as_ref().map(Vec::len), plain.as_ref().map(Vec::len));
        for (bucket, plain) in buckets
            .into_iter()
            .flatten()
            .zip(plain.into_iter().flatten())
        {
            same(bucket, plain, names);
        }
    }

    const NAMES: [&str; 9] = [
        "level",
        "key",
        "key_as_string",
        "doc_count",
        "buckets",
        "values",
        "value",
        "a\"b",
        "x",
    ];

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<u8>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(6, 200, 8, |inner| {
            let name = prop_oneof![
                8 => proptest::sample::select(&NAMES[..]).prop_map(str::to_owned),
                1 => any::<String>(),
            ];
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                proptest::collection::vec((name, inner), 0..8)
                    .prop_map(|members| Value::Object(Map::from_iter(members))),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_answer_is_read_as_a_tree_of_values_is(
            aggregations in proptest::collection::vec((proptest::sample::select(&NAMES[..]), any_value()), 0..6)
        ) {
            let aggregations = aggregations.into_iter().map(|(name, value)| (name.to_owned(), value));
            let aggregations = Value::Object(Map::from_iter(aggregations));
            let text = json!({"took": 1, "hits": {"total": {"value": 3}, "hits": []}, "aggregations": aggregations}).to_string();
            let aggregations = serde_json::from_str::<Value>(&text).unwrap()["aggregations"].take();
            let answer: Answer = serde_json::from_str(&text).unwrap();
            // The root counts what was found.
            prop_assert_eq!(answer.root().doc_count(), Ok(3));
            for name in NAMES {
                match (answer.root().sub(name).ok(), aggregations.get(name)) {
                    (Some(bucket), Some(value)) => same(bucket, Plain(None, value), &NAMES),
                    (bucket, value) => prop_assert_eq!(bucket.is_some(), value.is_some()),
                }
            }
        }
    }
}
