//! What every test needs: an installation of Optimize's indices, and the service in front of it.

pub mod bucket;
pub mod documents;
pub mod gate;
pub mod http;
pub mod proxy;
pub mod service;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
pub use service::{Service, TOKEN};
use testkit::client::Client;
use testkit::elasticsearch::for_this_process;
use testkit::indices::{Document, Index, Installation};

static NEXT_INSTALLATION: AtomicU32 = AtomicU32::new(0);

/// Runs what is asynchronous in a test.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Optimize's indices under a prefix of this test's own. They go away with it.
pub struct Optimize {
    pub url: String,
    pub prefix: String,
    pub installation: Installation,
}

impl Optimize {
    /// The indices that every installation has; those of instances come with their first document.
    pub fn install() -> Self {
        let elasticsearch = for_this_process().expect("a real Elasticsearch");
        Self::install_on(&elasticsearch.url, Client::new(&elasticsearch.url))
    }

    /// The same on another server than the common one.
    pub fn install_on(url: &str, client: Client) -> Self {
        let number = NEXT_INSTALLATION.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("it{}-{number}", std::process::id());
        let installation = Installation::with_client(client, &prefix).unwrap();
        for index in [
            Index::ProcessDefinition,
            Index::DecisionDefinition,
            Index::SingleProcessReport,
            Index::SingleDecisionReport,
            Index::CombinedReport,
        ] {
            installation.create(index).unwrap();
        }
        Self {
            url: url.to_owned(),
            prefix,
            installation,
        }
    }

    /// Stores documents so that searches find them.
    pub fn store<'a>(
        &self,
        index: Index<'a>,
        documents: impl IntoIterator<Item = (&'a str, Value)>,
    ) {
        self.installation.create(index).unwrap();
        let documents = documents.into_iter().map(|(id, source)| Document {
            index,
            id: id.to_owned(),
            source,
        });
        self.installation.store(documents).unwrap();
    }

    /// Stores process instances of one definition, each under its own `processInstanceId`.
    pub fn store_instances(&self, key: &str, instances: impl IntoIterator<Item = Value>) {
        self.installation
            .create(Index::ProcessInstance { key })
            .unwrap();
        let documents = instances.into_iter().map(|source| Document {
            index: Index::ProcessInstance { key },
            id: source["processInstanceId"].as_str().unwrap().to_owned(),
            source,
        });
        self.installation.store(documents).unwrap();
    }

    /// Creates the index of the instances of one process as releases before 8.10 do: without the fields of agents.
    pub fn create_instances_without_agents(&self, key: &str) {
        let without_agents = |body: &mut Value| {
            let fields = body["mappings"]["properties"].as_object_mut().unwrap();
            let before = fields.len();
            fields.retain(|name, _| !name.starts_with("agent"));
            assert_eq!(before - fields.len(), 6);
        };
        self.installation
            .create_changed(Index::ProcessInstance { key }, without_agents)
            .unwrap();
    }

    /// Creates an index with another body than Optimize's.
    pub fn create_changed(&self, index: Index<'_>, change: impl FnOnce(&mut Value)) {
        self.installation.create_changed(index, change).unwrap();
    }

    /// Deletes an index, which is made again with the next document.
    pub fn delete(&self, index: Index<'_>) {
        let path = format!("/{}", index.physical_name(&self.prefix));
        let answer = self.installation.client().delete(&path).unwrap();
        answer.success().unwrap();
    }

    /// Stores decision instances of one definition, each under its own `decisionInstanceId`.
    pub fn store_decisions(&self, key: &str, instances: impl IntoIterator<Item = Value>) {
        self.installation
            .create(Index::DecisionInstance { key })
            .unwrap();
        let documents = instances.into_iter().map(|source| Document {
            index: Index::DecisionInstance { key },
            id: source["decisionInstanceId"].as_str().unwrap().to_owned(),
            source,
        });
        self.installation.store(documents).unwrap();
    }

    /// Stores a report on processes or decisions under its own id.
    pub fn store_report(&self, report: Value) {
        let id = report["id"].as_str().unwrap().to_owned();
        let index = match report["reportType"].as_str() {
            Some("decision") => Index::SingleDecisionReport,
            _ => Index::SingleProcessReport,
        };
        self.store(index, [(id.as_str(), report)]);
    }

    /// Stores a process definition under its own id.
    pub fn store_process_definition(&self, definition: Value) {
        let id = definition["id"].as_str().unwrap().to_owned();
        self.store(Index::ProcessDefinition, [(id.as_str(), definition)]);
    }

    /// Sends something else to Elasticsearch.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        self.installation
            .client()
            .post(path, body)
            .unwrap()
            .success()
            .unwrap()
    }

    /// How long an expired scroll may stay open before Elasticsearch looks for it.
    pub fn expiry_interval(&self) -> Duration {
        let client = self.installation.client();
        let answer = client.get("/_nodes/settings?flat_settings=true").unwrap();
        let nodes = &answer.success().unwrap()["nodes"];
        let is_short = |node: &Value| node["settings"]["search.keep_alive_interval"] == "1s";
        let seconds = if nodes.as_object().unwrap().values().all(is_short) {
            1
        } else {
            // The default.
            60
        };
        Duration::from_secs(seconds)
    }

    /// The service on this installation.
    pub fn serve(&self) -> Service {
        self.serve_with(&[])
    }

    /// The same with more flags.
    pub fn serve_with(&self, flags: &[&str]) -> Service {
        Service::start(&self.url, &self.prefix, flags, &[])
    }
}

impl Drop for Optimize {
    fn drop(&mut self) {
        // A test that fails already must not abort over this.
        if let Err(error) = self.installation.remove() {
            eprintln!("the indices of {} were not removed: {error}", self.prefix);
        }
    }
}
