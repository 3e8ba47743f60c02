//! The flow nodes of a row: each once, however often its instance passed it.

use std::collections::HashMap;

use super::document::{Integer, Text, document};
use crate::definitions::FlowNodeNames;
use crate::followers::Followers;
use crate::json::KnownText;

document! {
    /// One passage of a flow node, as it is stored.
    pub(crate) struct FlowNodeInstance<'a> {
        pub(crate) flow_node_instance_id: Text<'a> = "flowNodeInstanceId",
        pub(crate) flow_node_id: Text<'a> = "flowNodeId",
        pub(crate) flow_node_type: Text<'a> = "flowNodeType",
        pub(crate) start_date: Text<'a> = "startDate",
        pub(crate) end_date: Text<'a> = "endDate",
        pub(crate) total_duration_in_ms: Integer = "totalDurationInMs",
    }
}

/// How long an instance was in a flow node, all passages together.
pub struct FlowNodeDuration<'r> {
    /// Its id.
    pub id: &'r Text<'r>,
    /// Its name in the model.
    pub name: Option<KnownText<'r>>,
    /// Milliseconds.
    pub value: i64,
}

/// Room that is used again for every row: which flow node of the row each passage belongs to, and how long it took.
#[derive(Debug, Default)]
pub struct PlacedFlowNodes {
    /// In the order in which the instance came to them.
    distinct: Vec<Distinct>,
    /// Those that have a duration, in the order in which they got one.
    with_duration: Vec<usize>,
    /// Which of the definition's each passage belongs to; none for one that the definition does not have.
    of_passages: Vec<Option<usize>>,
    /// Which of `distinct` each of the definition's is.
    of_definition: Vec<Option<usize>>,
    followers: Followers,
}

#[derive(Debug)]
struct Distinct {
    /// The number of its first passage.
    first: usize,
    /// Its number in the definition.
    number: Option<usize>,
    /// The sum over its passages.
    duration: Option<i64>,
}

impl PlacedFlowNodes {
    fn begin_row(&mut self, names: &FlowNodeNames) {
        self.distinct.clear();
        self.with_duration.clear();
        self.of_passages.clear();
        self.of_definition.clear();
        self.of_definition.resize(names.len(), None);
        self.followers.begin_row();
    }

    fn find_or_add(&mut self, passage: usize, number: usize) -> usize {
        if let Some(Some(index)) = self.of_definition.get(number) {
            return *index;
        }
        let index = self.add(passage, Some(number));
        if let Some(slot) = self.of_definition.get_mut(number) {
            *slot = Some(index);
        }
        index
    }

    /// Adds a flow node, which has come up for the first time with this passage.
    fn add(&mut self, first: usize, number: Option<usize>) -> usize {
        self.distinct.push(Distinct {
            first,
            number,
            duration: None,
        });
        self.distinct.len() - 1
    }

    fn add_duration(&mut self, index: usize, duration: i64) {
        let Some(flow_node) = self.distinct.get_mut(index) else {
            return;
        };
        match &mut flow_node.duration {
            Some(sum) => *sum = sum.saturating_add(duration),
            sum => {
                *sum = Some(duration);
                self.with_duration.push(index);
            }
        }
    }
}

/// The flow nodes of one process instance.
pub(crate) struct FlowNodes<'r> {
    passages: &'r [FlowNodeInstance<'r>],
    names: &'r FlowNodeNames,
    placed: &'r PlacedFlowNodes,
}

impl<'r> FlowNodes<'r> {
    /// Durations are summed up per flow node; one that is running counts with its duration so far, one without dates
    /// does not count.
    pub(crate) fn of(
        passages: &'r [FlowNodeInstance<'r>],
        names: &'r FlowNodeNames,
        running_duration: impl Fn(&Text<'_>) -> Option<i64>,
        placed: &'r mut PlacedFlowNodes,
    ) -> Self {
        placed.begin_row(names);
        let mut unknown: HashMap<&str, usize> = HashMap::new();
        for (passage, instance) in passages.iter().enumerate() {
            let Some(id) = instance.flow_node_id.as_deref() else {
                placed.of_passages.push(None);
                continue;
            };
            let number = names.number_of(id, &mut placed.followers);
            placed.of_passages.push(number);
            let index = match number {
                Some(number) => placed.find_or_add(passage, number),
                None => *unknown
                    .entry(id)
                    .or_insert_with(|| placed.add(passage, None)),
            };
            let duration = instance.total_duration_in_ms.0;
            if let Some(duration) = duration.or_else(|| running_duration(&instance.start_date)) {
                placed.add_duration(index, duration);
            }
        }
        Self {
            passages,
            names,
            placed,
        }
    }

    /// Those that have a duration, in the order in which they got one.
    pub(crate) fn durations(&self) -> impl Iterator<Item = FlowNodeDuration<'r>> + use<'r> {
        let (passages, names, placed) = (self.passages, self.names, self.placed);
        placed.with_duration.iter().filter_map(move |index| {
            let flow_node = placed.distinct.get(*index)?;
            Some(FlowNodeDuration {
                id: &passages.get(flow_node.first)?.flow_node_id,
                name: flow_node.number.and_then(|number| names.name(number)),
                value: flow_node.duration?,
            })
        })
    }

    /// All passages, with the names of their flow nodes.
    pub(crate) fn passages(
        &self,
    ) -> impl Iterator<Item = (&'r FlowNodeInstance<'r>, Option<KnownText<'r>>)> + use<'r> {
        let (names, placed) = (self.names, self.placed);
        let numbers = placed.of_passages.iter();
        let passages = self.passages.iter().zip(numbers);
        passages
            .map(move |(passage, number)| (passage, number.and_then(|number| names.name(number))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::super::document::Many;
    use super::*;

    proptest::proptest! {
        #[test]
        fn durations_are_summed_up_however_many_flow_nodes_there_are(
            passed in proptest::collection::vec((0..60_u32, proptest::option::of(-5..1_000_i64)), 0..150),
        ) {
            let documents: Vec<serde_json::Value> = passed
                .iter()
                .map(|(id, duration)| serde_json::json!({"flowNodeId": format!("f{id}"), "totalDurationInMs": duration}))
                .collect();
            let json = serde_json::Value::from(documents).to_string();
            let Many(instances): Many<FlowNodeInstance<'_>> = Cursor::new(&json).read().unwrap();
            let names = (0..30).map(|id| (format!("f{id}"), Some(format!("F{id}")))).collect();
            let mut room = PlacedFlowNodes::default();
            // So that something is guessed, mostly wrongly.
            FlowNodes::of(instances.get(1..).unwrap_or_default(), &names, |_| None, &mut room);
            let flow_nodes = FlowNodes::of(&instances, &names, |_| None, &mut room);

            let mut expected: Vec<(u32, i64)> = Vec::new();
            for (id, duration) in &passed {
                let Some(duration) = duration else { continue };
                match expected.iter_mut().find(|(known, _)| known == id) {
                    Some((_, sum)) => *sum += duration,
                    None => expected.push((*id, *duration)),
                }
            }
            let text = |id: u32| format!("f{id}");
            let name = |id: u32| (id < 30).then(|| format!("F{id}"));
            let durations: Vec<_> = flow_nodes.durations()
                .map(|node| (node.id.as_deref().unwrap().to_owned(), node.name.map(|name| name.text.to_owned()), node.value))
                .collect();
            let expected: Vec<_> = expected.into_iter().map(|(id, sum)| (text(id), name(id), sum)).collect();
            proptest::prop_assert_eq!(durations, expected);
            let found: Vec<_> = flow_nodes.passages()
                .map(|(passage, name)| (passage.flow_node_id.as_deref().unwrap().to_owned(), name.map(|name| name.text.to_owned())))
                .collect();
            let expected: Vec<_> = passed.iter().map(|(id, _)| (text(*id), name(*id))).collect();
            proptest::prop_assert_eq!(found, expected);
        }
    }
}
