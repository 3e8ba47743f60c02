//! The nodes of a cluster: which one a request goes to, and what happens when one does not answer.
//!
//! Requests take turns over the nodes. One that can't be connected to is left alone for a while, so that a dead node does not
//! cost every request the time until that is certain. With several nodes, one that has not answered lately is asked for its
//! head before it is trusted with a request: a node that hangs is noticed by that harmless question, so no request has to be
//! given up after it was sent. What may have been sent is sent again only if that can do no harm.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use elasticsearch::http::transport::Transport;
use url::Url;

/// How long a node is left alone that could not be connected to.
const LEFT_ALONE: Duration = Duration::from_secs(30);

/// How long a node that has answered is trusted to answer.
const TRUSTED: Duration = Duration::from_secs(10);

/// One node.
pub(super) struct Node {
    /// Its address; ends with a slash.
    pub url: Url,
    /// The official client for it, where that can make the connections that are asked for.
    pub official: Option<Transport>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    answered: Option<Instant>,
    failed: Option<Instant>,
}

impl Node {
    /// A node of which nothing is known yet.
    pub fn new(url: Url, official: Option<Transport>) -> Self {
        Self {
            url,
            official,
            seen: Mutex::default(),
        }
    }

    /// It answered, whatever it said.
    pub fn has_answered(&self) {
        self.change(|seen| {
            *seen = Seen {
                answered: Some(Instant::now()),
                failed: None,
            }
        });
    }

    /// It could not be connected to.
    pub fn has_failed(&self) {
        self.change(|seen| {
            *seen = Seen {
                answered: None,
                failed: Some(Instant::now()),
            }
        });
    }

    /// Whether it answered a moment ago.
    pub fn is_trusted(&self) -> bool {
        self.change(|seen| seen.answered.is_some_and(|at| at.elapsed() < TRUSTED))
    }

    fn is_left_alone(&self) -> bool {
        self.change(|seen| seen.failed.is_some_and(|at| at.elapsed() < LEFT_ALONE))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        change(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// All nodes.
pub(super) struct Nodes {
    all: Vec<Node>,
    turn: AtomicUsize,
}

impl Nodes {
    /// The nodes in the order of the configuration.
    pub fn new(all: Vec<Node>) -> Self {
        Self {
            all,
            turn: AtomicUsize::new(0),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// The nodes to try for one request: another one first each time, and those that are left alone last.
    pub fn in_turn(&self) -> Vec<&Node> {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % self.all.len().max(1);
        let mut nodes: Vec<&Node> = self
            .all
            .iter()
            .cycle()
            .skip(first)
            .take(self.all.len())
            .collect();
        nodes.sort_by_key(|node| node.is_left_alone());
        nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(nodes: &Nodes) -> Vec<&str> {
        nodes
            .in_turn()
            .iter()
            .filter_map(|node| node.url.host_str())
            .collect()
    }

    #[test]
    fn nodes_take_turns_and_those_that_failed_come_last() {
        let nodes = ["http://a/", "http://b/", "http://c/"]
            .map(|url| Node::new(url.parse().unwrap(), None));
        let nodes = Nodes::new(nodes.into());
        assert_eq!(hosts(&nodes), ["a", "b", "c"]);
        assert_eq!(hosts(&nodes), ["b", "c", "a"]);
        assert_eq!(hosts(&nodes), ["c", "a", "b"]);
        nodes.all[1].has_failed();
        assert_eq!(hosts(&nodes), ["a", "c", "b"]);
        assert_eq!(hosts(&nodes), ["c", "a", "b"]);
        assert!(!nodes.all[1].is_trusted());
        nodes.all[1].has_answered();
        assert!(nodes.all[1].is_trusted() && !nodes.all[0].is_trusted());
        assert_eq!(hosts(&nodes), ["c", "a", "b"]);
        assert_eq!(hosts(&nodes), ["a", "b", "c"]);
    }
}
