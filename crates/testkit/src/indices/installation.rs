//! The indices of one prefix on one cluster: created, filled, removed.

use std::time::Duration;

use serde_json::{Value, json};

use super::Index;
use crate::client::{self, Client, percent_encoded};

/// The member of a mapping's `_meta` that says who made the index, with the prefix as its value.
const MARK: &str = "made_by_optimize_export_xtask_for_prefix";

/// The size of a bulk request; a few megabytes are what Elasticsearch works through best.
const BULK_BYTES: usize = 4 * 1024 * 1024;

/// How long merging one index may take; a gigabyte takes half a minute.
const MERGE_LIMIT: Duration = Duration::from_secs(900);

/// How many indices one request deletes: their names have to fit into a request line.
const DELETED_AT_ONCE: usize = 20;

/// The indices under one prefix of one cluster.
#[derive(Debug, Clone)]
pub struct Installation {
    client: Client,
    prefix: String,
}

/// A document to be stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Document<'a> {
    /// Where it belongs.
    pub index: Index<'a>,
    /// Its `_id`.
    pub id: String,
    /// Its content.
    pub source: Value,
}

/// Why indices or documents could not be handled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The prefix can't start the name of an index, or would stand for more than itself.
    #[error(
        "`{prefix}` can't be an index prefix: it may have lower-case letters, digits, `-`, `_` and `.` only, and starts with a letter or a digit"
    )]
    Prefix {
        /// What was asked for.
        prefix: String,
    },
    /// An index of this name is there already, and it was not made here.
    #[error("`{index}` was not made by this tool, so it is left alone: choose another prefix")]
    Foreign {
        /// The name of the index.
        index: String,
    },
    /// Elasticsearch refused a document.
    #[error("document `{id}` of `{index}` was refused: {reason}")]
    Document {
        /// The index it was meant for.
        index: String,
        /// Its `_id`.
        id: String,
        /// Elasticsearch's reason.
        reason: String,
    },
    /// Elasticsearch did not do what was asked.
    #[error(transparent)]
    Client(#[from] client::Error),
}

impl Installation {
    /// The indices under `prefix` of the cluster at `url`. Nothing is asked of the cluster yet.
    pub fn new(url: &str, prefix: &str) -> Result<Self, Error> {
        Self::with_client(Client::new(url), prefix)
    }

    /// The same for a cluster that asks for more than a URL.
    pub fn with_client(client: Client, prefix: &str) -> Result<Self, Error> {
        let is_allowed =
            |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
        let is_prefix = prefix.starts_with(is_allowed)
            && prefix
                .chars()
                .all(|character| is_allowed(character) || matches!(character, '-' | '_' | '.'));
        if !is_prefix {
            return Err(Error::Prefix {
                prefix: prefix.to_owned(),
            });
        }
        Ok(Self {
            client,
            prefix: prefix.to_owned(),
        })
    }

    /// The prefix of all its indices.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The client by which its cluster is asked.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Creates an index, with its aliases, unless it was created before.
    pub fn create(&self, index: Index<'_>) -> Result<(), Error> {
        self.create_changed(index, |_| {})
    }

    /// The same with another body than that of the newest release.
    pub fn create_changed(
        &self,
        index: Index<'_>,
        change: impl FnOnce(&mut Value),
    ) -> Result<(), Error> {
        let name = index.physical_name(&self.prefix);
        let mut exists = false;
        for alias in [
            Some(index.alias(&self.prefix)),
            index.multi_alias(&self.prefix),
        ]
        .into_iter()
        .flatten()
        {
            for (existing, is_ours) in self.marks(&alias)? {
                if !is_ours {
                    return Err(Error::Foreign { index: existing });
                }
                exists |= existing == name;
            }
        }
        if exists {
            return Ok(());
        }

        let mut body = index.creation_body(&self.prefix);
        change(&mut body);
        if let Some(mappings) = body.pointer_mut("/mappings").and_then(Value::as_object_mut) {
            mappings.insert("_meta".to_owned(), json!({ MARK: self.prefix }));
        }
        let answer = self
            .client
            .put(&format!("/{}", percent_encoded(&name)), &body)?;
        let was_faster = "resource_already_exists_exception";
        if answer.body.pointer("/error/type").and_then(Value::as_str) == Some(was_faster) {
            return Ok(()); // Another process created it between the question and the request.
        }
        answer.success()?;
        Ok(())
    }

    /// Stores documents in indices that were created before, in requests of bounded size, and makes them visible to searches. Returns their number.
    pub fn store<'a>(
        &self,
        documents: impl IntoIterator<Item = Document<'a>>,
    ) -> Result<u64, Error> {
        let mut stored = 0;
        let mut lines = Vec::new();
        for document in documents {
            let action = json!({ "index": { "_index": document.index.alias(&self.prefix), "_id": document.id } });
            for line in [&action, &document.source] {
                lines.extend_from_slice(line.to_string().as_bytes());
                lines.push(b'\n');
            }
            stored += 1;
            if lines.len() >= BULK_BYTES {
                self.send_bulk(&lines)?;
                lines.clear();
            }
        }
        if !lines.is_empty() {
            self.send_bulk(&lines)?;
        }
        self.refresh()?;
        Ok(stored)
    }

    /// Makes everything stored so far visible to searches.
    pub fn refresh(&self) -> Result<(), Error> {
        for chunk in self.names()?.chunks(DELETED_AT_ONCE) {
            self.client
                .post_nothing(&format!("/{}/_refresh", joined(chunk)))?
                .success()?;
        }
        Ok(())
    }

    /// How many documents an index has; none if there is no such index.
    pub fn count(&self, index: Index<'_>) -> Result<u64, Error> {
        let alias = index.alias(&self.prefix);
        let answer = self
            .client
            .get(&format!("/{}/_count", percent_encoded(&alias)))?;
        if answer.status == 404 {
            return Ok(0);
        }
        let body = answer.success()?;
        Ok(body.get("count").and_then(Value::as_u64).unwrap_or(0))
    }

    /// Merges each index into one segment, so that Elasticsearch has nothing more to tidy up while it is measured.
    pub fn merge(&self) -> Result<(), Error> {
        let patient = self.client.clone().with_timeout(MERGE_LIMIT);
        for name in self.names()? {
            let path = format!("/{}/_forcemerge?max_num_segments=1", percent_encoded(&name));
            patient.post_nothing(&path)?.success()?;
        }
        Ok(())
    }

    /// The indices made here under this prefix.
    pub fn names(&self) -> Result<Vec<String>, Error> {
        let all = self.marks(&format!("{}-*", self.prefix))?;
        Ok(all
            .into_iter()
            .filter(|(_, is_ours)| *is_ours)
            .map(|(name, _)| name)
            .collect())
    }

    /// Deletes the indices made here under this prefix, and no other. Returns their number.
    pub fn remove(&self) -> Result<usize, Error> {
        let names = self.names()?;
        for chunk in names.chunks(DELETED_AT_ONCE) {
            self.client
                .delete(&format!("/{}", joined(chunk)))?
                .success()?;
        }
        Ok(names.len())
    }

    fn send_bulk(&self, lines: &[u8]) -> Result<(), Error> {
        // Without require_alias a document for a missing index would create one, with any mapping.
        let answer = self.client.post_lines(
            "/_bulk?require_alias=true&filter_path=errors,items.*.error,items.*._index,items.*._id",
            lines,
        )?;
        let body = answer.success()?;
        if body.get("errors") != Some(&Value::Bool(true)) {
            return Ok(());
        }
        let text = |item: &Value, pointer: &str| {
            item.pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or("?")
                .to_owned()
        };
        let items = body.get("items").and_then(Value::as_array);
        let failed = items
            .into_iter()
            .flatten()
            .filter_map(|item| item.get("index"))
            .find(|item| item.get("error").is_some());
        Err(match failed {
            Some(item) => Error::Document {
                index: text(item, "/_index"),
                id: text(item, "/_id"),
                reason: match item
                    .pointer("/error/caused_by/reason")
                    .and_then(Value::as_str)
                {
                    Some(cause) => format!("{}: {cause}", text(item, "/error/reason")),
                    None => text(item, "/error/reason"),
                },
            },
            None => Error::Document {
                index: "?".to_owned(),
                id: "?".to_owned(),
                reason: body.to_string(),
            },
        })
    }

    /// The indices behind a name, and whether they carry the mark of this prefix.
    fn marks(&self, name: &str) -> Result<Vec<(String, bool)>, Error> {
        let path = format!(
            "/{}/_mapping?ignore_unavailable=true&allow_no_indices=true&expand_wildcards=all",
            percent_encoded(name)
        );
        let answer = self.client.get(&path)?;
        if answer.status == 404 {
            return Ok(Vec::new());
        }
        let body = answer.success()?;
        let is_ours = |mapping: &Value| {
            mapping
                .pointer("/mappings/_meta")
                .and_then(|meta| meta.get(MARK))
                == Some(&json!(self.prefix))
        };
        Ok(body
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, mapping)| (name.clone(), is_ours(mapping)))
            .collect())
    }
}

fn joined(names: &[String]) -> String {
    names
        .iter()
        .map(|name| percent_encoded(name))
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_stands_for_itself_only() {
        assert!(Installation::new("http://localhost", "optimize-export-demo-1").is_ok());
        for wrong in ["", "*", "a*", "a,b", "-a", "_all", "A", "a/b", "a b"] {
            assert!(
                Installation::new("http://localhost", wrong).is_err(),
                "{wrong} was accepted"
            );
        }
    }
}
