//! Which server answers: Elasticsearch or OpenSearch, and of which version.
//!
//! Both answer nearly everything alike. Where they don't, the place that cares asks [`Elasticsearch::server`](crate::Elasticsearch::server). An OpenSearch
//! is told by `version.distribution`. For the sake of old clients an OpenSearch 2 may call itself 7.10.2 in `version.number`
//! (`compatibility.override_main_response_version`); it leaves its distribution out then, and only `tagline` still has its
//! name (tried on 2.19.6; 3.x has no such setting).

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::error::ElasticsearchError;

/// How long an answer holds. A cluster can be upgraded, or another one take its place.
pub(super) const HOLDS: Duration = Duration::from_secs(600);

/// The lines of which one release is in the tests.
const TESTED: [(Distribution, u32, u32); 6] = [
    (Distribution::Elasticsearch, 7, 17),
    (Distribution::Elasticsearch, 8, 16),
    (Distribution::Elasticsearch, 8, 19),
    (Distribution::Elasticsearch, 9, 4),
    (Distribution::OpenSearch, 2, 19),
    (Distribution::OpenSearch, 3, 6),
];

/// The version that an OpenSearch claims to be for the sake of old clients.
const CLAIMED: &str = "7.10.2";

/// The compression of t-digests that Optimize asks OpenSearch for
/// (`PercentileAggregationOS`; crates/optimize/docs/releases.md, "OpenSearch").
const OPENSEARCH_COMPRESSION: u32 = 9999;

/// Who made the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distribution {
    /// Elasticsearch, which does not say so.
    Elasticsearch,
    /// OpenSearch.
    OpenSearch,
    /// Somebody else.
    Other(String),
}

/// What answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Who made it.
    pub distribution: Distribution,
    /// The version that it tells.
    pub version: String,
}

/// How much is known about a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// A release of its line is in the tests.
    Tested,
    /// Releases of the same major version are in the tests.
    SameMajor,
    /// An OpenSearch that hides its version.
    Hidden,
    /// Nothing.
    Unknown,
}

impl Server {
    /// Reads what the server says about itself.
    ///
    /// # Errors
    /// It says nothing of the kind.
    pub(super) fn of(info: &Value) -> Result<Self, ElasticsearchError> {
        let text = |name: &str| info.pointer(name).and_then(Value::as_str);
        let version = text("/version/number").ok_or_else(|| {
            ElasticsearchError::Unreadable("it does not tell the server's version".to_owned())
        })?;
        Ok(Self {
            distribution: match text("/version/distribution") {
                None if text("/tagline").is_some_and(|text| text.contains("OpenSearch")) => {
                    Distribution::OpenSearch
                }
                None | Some("elasticsearch") => Distribution::Elasticsearch,
                Some("opensearch") => Distribution::OpenSearch,
                Some(other) => Distribution::Other(other.to_owned()),
            },
            version: version.to_owned(),
        })
    }

    /// Whether it is an OpenSearch.
    pub fn is_opensearch(&self) -> bool {
        self.distribution == Distribution::OpenSearch
    }

    /// Whether `terminated_early` can be in an answer that is whole.
    ///
    /// OpenSearch 3.6 says it of every search with `"size": 0, "track_total_hits": false`. Nothing here asks a search to
    /// terminate early (`terminate_after`), so it never means anything else there.
    pub(super) fn calls_whole_answers_terminated(&self) -> bool {
        self.is_opensearch()
    }

    /// Whether it calls the batches of a scroll terminated early that is sorted by `_doc`: Elasticsearch 7 goes on behind the last
    /// document of the batch before, and says so in every further one (tried with 7.17.8).
    pub fn calls_unsorted_batches_terminated(&self) -> bool {
        self.is_elasticsearch_7()
    }

    /// Whether `preference` takes a token behind a choice of shards: `_shards:0|token`. Elasticsearch 7 and OpenSearch refuse
    /// that (tried with 7.17.8 and 2.19.6).
    pub fn takes_tokens_for_shards(&self) -> bool {
        !self.is_opensearch() && !self.is_elasticsearch_7()
    }

    fn is_elasticsearch_7(&self) -> bool {
        self.distribution == Distribution::Elasticsearch && self.version.starts_with("7.")
    }

    /// The compression of percentiles; `None` for the server's default. Optimize's numbers depend on it.
    pub fn percentile_compression(&self) -> Option<u32> {
        self.is_opensearch().then_some(OPENSEARCH_COMPRESSION)
    }

    /// How much is known about it.
    pub fn support(&self) -> Support {
        if self.is_opensearch() && self.version == CLAIMED {
            return Support::Hidden;
        }
        let mut numbers = self.version.split(['.', '-']).map(str::parse::<u32>);
        let (Some(Ok(major)), Some(Ok(minor))) = (numbers.next(), numbers.next()) else {
            return Support::Unknown;
        };
        let of_major = || {
            TESTED.iter().filter(|(distribution, tested, _)| {
                *distribution == self.distribution && *tested == major
            })
        };
        if of_major().any(|(_, _, tested)| *tested == minor) {
            Support::Tested
        } else if of_major().next().is_some() {
            Support::SameMajor
        } else {
            Support::Unknown
        }
    }

    /// The lines in the tests, in words.
    pub fn tested() -> String {
        let of = |wanted: &Distribution| {
            let lines: Vec<String> = TESTED
                .iter()
                .filter(|(distribution, ..)| distribution == wanted)
                .map(|(_, major, minor)| format!("{major}.{minor}"))
                .collect();
            format!("{wanted} {}", lines.join(", "))
        };
        let (elasticsearch, opensearch) = (Distribution::Elasticsearch, Distribution::OpenSearch);
        format!("{}; {}", of(&elasticsearch), of(&opensearch))
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elasticsearch => "Elasticsearch",
            Self::OpenSearch => "OpenSearch",
            Self::Other(name) => name,
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.distribution, self.version)
    }
}

/// What is known about the server, and since when.
#[derive(Debug, Default)]
pub(super) struct KnownServer(Mutex<Option<(Instant, Server)>>);

impl KnownServer {
    pub(super) fn get(&self) -> Option<(Instant, Server)> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set(&self, server: Server) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), server));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server(distribution: Option<&str>, number: &str) -> Server {
        let mut info = json!({"version": {"number": number}});
        if let Some(distribution) = distribution {
            info["version"]["distribution"] = json!(distribution);
        }
        Server::of(&info).unwrap()
    }

    #[test]
    fn a_server_is_told_by_its_distribution() {
        let opensearch = server(Some("opensearch"), "3.6.0");
        assert_eq!(opensearch.to_string(), "OpenSearch 3.6.0");
        assert!(opensearch.calls_whole_answers_terminated());
        assert_eq!(opensearch.percentile_compression(), Some(9999));

        // What a 2.19.6 says with the compatibility override.
        let pretends = Server::of(&json!({
            "name": "n", "cluster_name": "c", "cluster_uuid": "u",
            "version": {"number": "7.10.2", "build_type": "tar", "build_hash": "h", "build_date": "d", "build_snapshot": false,
                "lucene_version": "9.12.3", "minimum_wire_compatibility_version": "7.10.0",
                "minimum_index_compatibility_version": "7.0.0"},
            "tagline": "The OpenSearch Project: https://opensearch.org/",
        }))
        .unwrap();
        assert!(pretends.is_opensearch());
        assert_eq!(pretends.support(), Support::Hidden);

        let elasticsearch = server(None, "8.19.8");
        assert_eq!(elasticsearch.to_string(), "Elasticsearch 8.19.8");
        assert!(!elasticsearch.calls_whole_answers_terminated());
        assert_eq!(elasticsearch.percentile_compression(), None);

        assert!(Server::of(&json!({"status": "ok"})).is_err());
    }

    #[test]
    fn minor_versions_of_a_tested_major_are_close() {
        for (distribution, number, expected) in [
            (None, "7.17.29", Support::Tested),
            (None, "7.16.3", Support::SameMajor),
            (None, "8.16.0", Support::Tested),
            (None, "8.18.1", Support::SameMajor),
            (None, "8.19.0-SNAPSHOT", Support::Tested),
            (None, "9.4.3", Support::Tested),
            (None, "9.11.0", Support::SameMajor),
            (None, "10.0.0", Support::Unknown),
            (None, "6.8.23", Support::Unknown),
            (None, "2.19.6", Support::Unknown),
            (Some("opensearch"), "2.19.6", Support::Tested),
            (Some("opensearch"), "3.6.0", Support::Tested),
            (Some("opensearch"), "3.7.0", Support::SameMajor),
            (Some("opensearch"), "8.19.8", Support::Unknown),
            (Some("opensearch"), "4.0.0", Support::Unknown),
            (Some("something"), "8.19.8", Support::Unknown),
            (None, "new", Support::Unknown),
        ] {
            let support = server(distribution, number).support();
            assert_eq!(support, expected, "{distribution:?} {number}");
        }
        assert_eq!(
            Server::tested(),
            "Elasticsearch 7.17, 8.16, 8.19, 9.4; OpenSearch 2.19, 3.6"
        );
    }
}
