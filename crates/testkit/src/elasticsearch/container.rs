//! A container engine, where one answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::security::Security;
use super::{Error, Heap, Product, Version};
use crate::progress::Progress;

/// The compose file that is written beside each server.
const COMPOSE_FILE: &str = include_str!("elasticsearch.compose.yml");

/// The same for an OpenSearch.
const OPENSEARCH_COMPOSE_FILE: &str = include_str!("opensearch.compose.yml");

/// An Elasticsearch with security on.
const SECURED_COMPOSE_FILE: &str = include_str!("secured.compose.yml");

/// How long the engine may take to answer a question, so that a machine without one is not kept waiting.
const ANSWER_LIMIT: Duration = Duration::from_secs(8);

/// How long pulling the image may take, once the registry has said that it has it.
const PULL_LIMIT: Duration = Duration::from_secs(900);

/// A container engine that has the image of one version.
#[derive(Debug)]
pub(super) struct Engine {
    /// The words that call compose: a plugin of docker, or a program of its own.
    compose: Vec<&'static str>,
    image: String,
    product: Product,
}

/// A compose project: one server in a container.
#[derive(Debug)]
pub(super) struct Project {
    compose: Vec<&'static str>,
    file: PathBuf,
    name: String,
}

impl Engine {
    /// The engine of this machine, if it answers, knows compose, and has the image or can pull it.
    pub fn find(version: Version) -> Option<Self> {
        let image = version.image();
        answers(
            &["docker", "info", "--format", "{{.ServerVersion}}"],
            ANSWER_LIMIT,
        )?;
        let compose = [vec!["docker", "compose"], vec!["docker-compose"]]
            .into_iter()
            .find(|compose| {
                answers(&[compose.as_slice(), &["version"]].concat(), ANSWER_LIMIT).is_some()
            })?;
        if answers(&["docker", "image", "inspect", &image], ANSWER_LIMIT).is_none() {
            answers(&["docker", "manifest", "inspect", &image], ANSWER_LIMIT)?;
            let progress = Progress::steps(format!("Pulling {image}"), 1);
            let pulled = answers(&["docker", "pull", "--quiet", &image], PULL_LIMIT);
            progress.finish();
            pulled?;
        }
        Some(Self {
            compose,
            image,
            product: version.product(),
        })
    }

    /// Writes the compose project of one server into its folder.
    pub fn write_project(
        &self,
        folder: &Path,
        heap: &Heap,
        security: Option<&Security>,
    ) -> Result<Project, Error> {
        let file = folder.join("compose.yml");
        let template = match security {
            Some(security) => {
                security.write_for_image(folder)?;
                SECURED_COMPOSE_FILE
                    .replace("${ELASTIC_PASSWORD}", security.password())
                    .replace("${CLIENT_AUTHENTICATION}", security.client_authentication())
            }
            None => match self.product {
                Product::Elasticsearch => COMPOSE_FILE.to_owned(),
                Product::OpenSearch => OPENSEARCH_COMPOSE_FILE.to_owned(),
            },
        };
        let written = template
            .replace("${SERVER_IMAGE}", &self.image)
            .replace("${SERVER_HEAP}", &heap.options().join(" "));
        fs::write(&file, written).map_err(Error::system(format!("write {}", file.display())))?;
        let folder_name = folder.file_name().unwrap_or_default().to_string_lossy();
        Ok(Project {
            compose: self.compose.clone(),
            file,
            // Compose allows lower case only.
            name: format!("optimize-export-{}", folder_name.to_lowercase()),
        })
    }
}

impl Project {
    /// The command that runs the container in the foreground.
    pub fn up_command(&self) -> Vec<String> {
        self.words(&["up", "--no-color"])
    }

    /// The shell command that removes what is left of the container.
    pub fn down_command(&self) -> String {
        self.words(&["down", "--volumes", "--timeout", "5"])
            .iter()
            .map(|word| format!("'{}'", word.replace('\'', r"'\''")))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// The address, such as `127.0.0.1:39201`, as soon as the engine knows it.
    pub fn address(&self) -> Option<String> {
        let words = self.words(&["port", "server", "9200"]);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let output = answers(&words, ANSWER_LIMIT)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let address = text.lines().next()?.trim();
        let has_port = address
            .rsplit(':')
            .next()?
            .parse::<u16>()
            .is_ok_and(|port| port > 0);
        has_port.then(|| address.to_owned())
    }

    fn words(&self, command: &[&str]) -> Vec<String> {
        let file = self.file.to_string_lossy();
        let fixed = ["--project-name", &self.name, "--file", &file];
        self.compose
            .iter()
            .chain(&fixed)
            .chain(command)
            .map(|word| (*word).to_owned())
            .collect()
    }
}

/// Runs a command that only asks; its output when it succeeded in time.
fn answers(words: &[&str], limit: Duration) -> Option<Output> {
    let (program, arguments) = words.split_first()?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait().ok()? {
            Some(status) if status.success() => return child.wait_with_output().ok(),
            Some(_) => return None,
            None if Instant::now() >= deadline => {
                // It is of no use any more, whether or not it can be ended.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
            None => thread::sleep(Duration::from_millis(20)),
        }
    }
}
