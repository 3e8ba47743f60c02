//! The names of the flow nodes of a process definition.

use std::collections::HashMap;

use crate::followers::Followers;
use crate::json::{KnownText, string_of};

/// Names of flow nodes by their ids, of one version of a definition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlowNodeNames {
    flow_nodes: Vec<NamedFlowNode>,
    numbers: HashMap<String, usize>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct NamedFlowNode {
    id: String,
    name: Option<Name>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    text: String,
    json: String,
}

impl Name {
    fn new(text: String) -> Self {
        let json = string_of(&text);
        Self { text, json }
    }
}

impl FlowNodeNames {
    /// How many flow nodes there are, those without a name among them.
    pub(crate) fn len(&self) -> usize {
        self.flow_nodes.len()
    }

    /// The name of a flow node; none where it has none, or is not known.
    pub fn name_of(&self, id: &str) -> Option<&str> {
        self.name(*self.numbers.get(id)?).map(|name| name.text)
    }

    /// The name of the flow node with this number; numbers are below [`FlowNodeNames::len`].
    #[inline]
    pub(crate) fn name(&self, number: usize) -> Option<KnownText<'_>> {
        let name = self.flow_nodes.get(number)?.name.as_ref()?;
        Some(KnownText {
            text: &name.text,
            json: Some(&name.json),
        })
    }

    /// The number of the next flow node of a row, below [`FlowNodeNames::len`].
    #[inline]
    pub(crate) fn number_of(&self, id: &str, followers: &mut Followers) -> Option<usize> {
        let is_it = |guess: usize| {
            self.flow_nodes
                .get(guess)
                .is_some_and(|known| known.id == id)
        };
        followers.find(is_it, || self.numbers.get(id).copied())
    }
}

/// Of two with the same id the last one counts.
impl FromIterator<(String, Option<String>)> for FlowNodeNames {
    fn from_iter<I: IntoIterator<Item = (String, Option<String>)>>(flow_nodes: I) -> Self {
        let mut this = Self::default();
        for (id, name) in flow_nodes {
            let name = name.map(Name::new);
            match this.numbers.get(&id) {
                Some(number) => {
                    if let Some(flow_node) = this.flow_nodes.get_mut(*number) {
                        flow_node.name = name;
                    }
                }
                None => {
                    this.numbers.insert(id.clone(), this.flow_nodes.len());
                    this.flow_nodes.push(NamedFlowNode { id, name });
                }
            }
        }
        this
    }
}

impl<const N: usize> From<[(String, Option<String>); N]> for FlowNodeNames {
    fn from(flow_nodes: [(String, Option<String>); N]) -> Self {
        flow_nodes.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_node_is_found_by_its_id() {
        let named = |id: &str, name: Option<&str>| (id.to_owned(), name.map(str::to_owned));
        let names = FlowNodeNames::from([
            named("a", Some("first")),
            named("b", None),
            named("a", Some("the \"last\"")),
        ]);
        assert_eq!(names.len(), 2);
        let mut followers = Followers::default();
        for id in ["a", "b", "c", "a", "a", "b", "c"] {
            let expected = ["a", "b"].iter().position(|known| *known == id);
            assert_eq!(names.number_of(id, &mut followers), expected);
        }
        let last = KnownText {
            text: "the \"last\"",
            json: Some(r#""the \"last\"""#),
        };
        assert_eq!(names.name(0), Some(last));
        assert_eq!(names.name_of("a"), Some(last.text));
        assert_eq!((names.name(1), names.name(2)), (None, None));
        assert_eq!((names.name_of("b"), names.name_of("c")), (None, None));
    }
}
