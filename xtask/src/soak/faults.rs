//! The faults, one after the other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use testkit::client::Client;
use testkit::elasticsearch::Killable;
use testkit::proxy::{Mode, Proxy};
use testkit::sample::random::Random;
use testkit::service::{Service, Start};

/// How long a fault waits for requests that it is meant for.
const FAULT_TIME: Duration = Duration::from_millis(1_500);
/// How long connections are refused.
const REFUSED_TIME: Duration = Duration::from_millis(400);
/// Pauses between two faults, in milliseconds.
const PAUSES: (i64, i64) = (200, 1_000);
/// How long Elasticsearch may take to have its shards back after a start.
const RECOVERY_LIMIT: Duration = Duration::from_secs(60);
/// The request that opens a scroll, and the one that continues it.
const OPEN: &str = "_search?scroll=";
const CONTINUE: &str = "POST /_search/scroll";

/// What is done to whom.
pub(super) struct Faults<'a> {
    random: Random,
    program: PathBuf,
    elasticsearch: &'a mut Killable,
    to_elasticsearch: &'a Proxy,
    to_service: &'a Proxy,
    service: Option<Service>,
    counts: BTreeMap<&'static str, usize>,
}

impl<'a> Faults<'a> {
    pub fn new(
        seed: u64,
        program: PathBuf,
        elasticsearch: &'a mut Killable,
        to_elasticsearch: &'a Proxy,
        to_service: &'a Proxy,
    ) -> Self {
        Self {
            random: Random::seeded(seed, 0),
            program,
            elasticsearch,
            to_elasticsearch,
            to_service,
            service: None,
            counts: BTreeMap::new(),
        }
    }

    /// How many there were of each kind.
    pub fn counts(&self) -> &BTreeMap<&'static str, usize> {
        &self.counts
    }

    /// Starts the service, in place of the one before.
    pub fn start_service(&mut self) -> anyhow::Result<()> {
        self.service = None;
        let service = Service::start(&Start {
            program: &self.program,
            elasticsearch_url: &self.to_elasticsearch.url(),
            prefix: super::PREFIX,
            // An answer that is held back is given up while the soak still runs.
            arguments: &[
                "--elasticsearch-timeout",
                "3",
                "--cache-ttl",
                "1",
                "--stall-timeout",
                "5",
                "--log",
                "warn",
            ],
        })?;
        self.to_service.set_target(&service.url);
        self.service = Some(service);
        Ok(())
    }

    /// Injects fault after fault.
    pub fn inject_until(&mut self, deadline: Instant) -> anyhow::Result<()> {
        while Instant::now() < deadline {
            let pause = self.random.between(PAUSES.0, PAUSES.1);
            thread::sleep(Duration::from_millis(pause.unsigned_abs()));
            match self.random.between(1, 100) {
                1 => self.kill_elasticsearch()?,
                2..=10 => self.kill_service()?,
                11..=15 => self.stop_service()?,
                16..=25 => self.refuse(),
                26..=35 => self.close_connections(),
                36..=50 => self.disturb_clients(),
                _ => self.disturb_elasticsearch(),
            }
        }
        Ok(())
    }

    /// Leaves everything in order for the exports that are under way.
    pub fn let_everything_pass(&mut self) -> anyhow::Result<()> {
        self.to_elasticsearch.set(Mode::Pass);
        self.to_service.set(Mode::Pass);
        if !self.service.as_ref().is_some_and(Service::is_running) {
            self.start_service()?;
        }
        Ok(())
    }

    fn count(&mut self, name: &'static str, times: usize) {
        *self.counts.entry(name).or_default() += times;
    }

    /// SIGKILL, and back with what it had on disk.
    fn kill_elasticsearch(&mut self) -> anyhow::Result<()> {
        self.count("Elasticsearch killed and started again", 1);
        self.elasticsearch.kill();
        self.elasticsearch.restart()?;
        let client = Client::new(self.elasticsearch.url()).with_timeout(RECOVERY_LIMIT);
        self.to_elasticsearch.set_target(self.elasticsearch.url());
        let health = format!(
            "/_cluster/health?wait_for_status=yellow&timeout={}s",
            RECOVERY_LIMIT.as_secs()
        );
        client.get(&health)?.success()?;
        Ok(())
    }

    /// SIGKILL.
    fn kill_service(&mut self) -> anyhow::Result<()> {
        self.count("service killed and started again", 1);
        self.start_service()
    }

    /// SIGTERM: pages under way may finish.
    fn stop_service(&mut self) -> anyhow::Result<()> {
        self.count("service stopped and started again", 1);
        if let Some(service) = &self.service {
            service.stop()?;
        }
        self.start_service()
    }

    fn refuse(&mut self) {
        self.count("connections to Elasticsearch refused", 1);
        self.to_elasticsearch.set(Mode::Refuse);
        thread::sleep(REFUSED_TIME);
        self.to_elasticsearch.set(Mode::Pass);
    }

    fn close_connections(&mut self) {
        self.count("all connections to Elasticsearch closed", 1);
        self.to_elasticsearch.close_connections();
    }

    fn disturb_clients(&mut self) {
        let cut = usize::try_from(self.random.between(0, 300_000)).unwrap_or(0);
        let (name, mode) = match self.random.between(0, 2) {
            0 => (
                "request of a client closed before the service saw it",
                Mode::Close,
            ),
            1 => ("answer to a client cut", Mode::CutAfter(cut)),
            _ => ("answer to a client held back and cut", Mode::HoldAfter(cut)),
        };
        let times = usize::try_from(self.random.between(1, 3)).unwrap_or(1);
        self.disturb(name, self.to_service, "/api/public/", times, mode);
    }

    fn disturb_elasticsearch(&mut self) {
        let which = self.random.one_of(&[CONTINUE, CONTINUE, OPEN, ""], "");
        let cut = usize::try_from(self.random.between(0, 400_000)).unwrap_or(0);
        let overloaded =
            r#"{"error":{"type":"es_rejected_execution_exception","reason":"full"},"status":429}"#;
        let (name, mode) = match self.random.between(0, 9) {
            0 => (
                "request to Elasticsearch closed before it arrived",
                Mode::Close,
            ),
            1 => (
                "answer of Elasticsearch cut in its head",
                Mode::CutAfter(cut % 300),
            ),
            2 | 3 => (
                "answer of Elasticsearch cut in its hits",
                Mode::CutAfter(cut),
            ),
            4 => ("answer of Elasticsearch held back", Mode::HoldAfter(cut)),
            5 => ("answer of Elasticsearch slow", Mode::Slow(200_000)),
            6 => ("Elasticsearch answers 429", Mode::status(429, overloaded)),
            7 => ("Elasticsearch answers 503", Mode::status(503, "{}")),
            8 => (
                "garbage in place of an answer",
                Mode::Answer(b"SSH-2.0-OpenSSH\r\n".to_vec()),
            ),
            _ => ("an answer with nothing in it", Mode::status(200, "{}")),
        };
        let times = usize::try_from(self.random.between(1, 3)).unwrap_or(1);
        self.disturb(name, self.to_elasticsearch, which, times, mode);
    }

    /// Waits until a fault has met its requests, or there are none; counts what it met.
    fn disturb(&mut self, name: &'static str, proxy: &Proxy, only: &str, times: usize, mode: Mode) {
        let holds = matches!(mode, Mode::HoldAfter(_) | Mode::Slow(_));
        let before = proxy.applied();
        proxy.set_for(only, times, mode);
        let deadline = Instant::now() + FAULT_TIME;
        while Instant::now() < deadline && (holds || proxy.is_armed()) {
            thread::sleep(Duration::from_millis(20));
        }
        // Time for the answers to meet it, too.
        thread::sleep(Duration::from_millis(200));
        if holds && self.random.percent(50) {
            proxy.close_connections();
        }
        proxy.set(Mode::Pass);
        self.count(name, proxy.applied() - before);
    }
}
