//! Who reads, what is read, and one measurement after the other.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use serde::Serialize;
use testkit::indices::{Index, Installation};
use testkit::service::Service;

use super::peers::Peer;
use super::readers::{Reader, Reading};
use super::streams::Stream;
use super::usage;

/// What is read.
pub(super) struct Subject {
    /// What its records are called.
    pub name: &'static str,
    /// The report that lists them.
    pub report: &'static str,
    /// Where Elasticsearch has them.
    pub index: Index<'static>,
    /// The field that they are sorted by, descending.
    pub sort: &'static str,
}

/// Who reads.
pub(super) enum Contestant<'a> {
    /// Elasticsearch itself, the measure of all others.
    BareScroll,
    /// A build of the service.
    Service(&'a Service),
    /// A build of the service that sends everything in one answer.
    Stream(Stream, &'a Service),
    /// What one would run instead; it reads alone.
    Peer(&'a Peer),
}

impl Contestant<'_> {
    fn name(&self) -> String {
        match self {
            Self::BareScroll => "bare scroll".to_owned(),
            Self::Service(service) => service.name().to_owned(),
            Self::Stream(stream, service) => format!("{} {stream}", service.name()),
            Self::Peer(peer) => peer.name().to_owned(),
        }
    }

    fn process(&self) -> Option<u32> {
        match self {
            Self::BareScroll | Self::Peer(_) => None,
            Self::Service(service) | Self::Stream(_, service) => service.process_id().ok(),
        }
    }
}

/// What one reading of everything took.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measurement {
    /// Documents or rows, of all clients.
    pub records: u64,
    /// Bytes of all bodies.
    pub bytes: u64,
    /// From the first request to the last byte.
    pub seconds: f64,
    /// From the request to the first byte of the body, the median of the clients.
    pub first_byte_seconds: f64,
    /// Processor time of whoever stands between Elasticsearch and the client.
    pub cpu_seconds: Option<f64>,
    /// Processor time of Elasticsearch.
    pub elasticsearch_cpu_seconds: Option<f64>,
    /// Peak of the resident memory of whoever stands between Elasticsearch and the client.
    pub peak_resident_bytes: Option<u64>,
}

impl Measurement {
    /// Records per second.
    #[expect(
        clippy::cast_precision_loss,
        reason = "nobody counts that many records"
    )]
    pub fn rate(&self) -> f64 {
        self.records as f64 / self.seconds
    }

    /// Processor time, of Elasticsearch's.
    pub fn cpu_ratio(&self) -> Option<f64> {
        Some(self.cpu_seconds? / self.elasticsearch_cpu_seconds?)
    }
}

/// All measurements of one contestant.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Results {
    /// Its name.
    pub contestant: String,
    /// Whether the others are compared with it.
    pub is_measure: bool,
    /// Whether it is a build of the service.
    pub is_service: bool,
    /// One for each round that went well.
    pub rounds: Vec<Measurement>,
    /// What went wrong in the others.
    pub failures: Vec<String>,
}

/// The circumstances of all measurements.
pub(super) struct Contest<'a> {
    /// Where the data are.
    pub installation: &'a Installation,
    /// Where Elasticsearch answers.
    pub elasticsearch_url: &'a str,
    /// How often everything is measured.
    pub rounds: u32,
}

impl Contest<'_> {
    /// Lets the contestants read in turn, round after round, after one that does not count.
    pub fn run(
        &self,
        subject: &Subject,
        page: u32,
        clients: u32,
        contestants: &[Contestant<'_>],
    ) -> Vec<Results> {
        let mut results: Vec<Results> = contestants
            .iter()
            .map(|contestant| Results {
                contestant: contestant.name(),
                is_measure: matches!(contestant, Contestant::BareScroll),
                is_service: matches!(contestant, Contestant::Service(_)),
                rounds: Vec::new(),
                failures: Vec::new(),
            })
            .collect();
        for round in 0..=self.rounds {
            // Each begins in its turn: whoever reads after the largest pages reads while their garbage is collected.
            let first = round as usize % contestants.len().max(1);
            let order = (0..contestants.len()).map(|n| (n + first) % contestants.len());
            for number in order {
                let pair = contestants.get(number).zip(results.get_mut(number));
                let Some((contestant, result)) = pair else {
                    continue;
                };
                // With many clients Elasticsearch may refuse one of them. That is a result, too.
                match self.measure(subject, page, clients, contestant) {
                    Ok(measurement) if round > 0 => result.rounds.push(measurement),
                    Ok(_) => {}
                    Err(error) => result.failures.push(format!("{error:#}")),
                }
            }
        }
        results
    }

    fn measure(
        &self,
        subject: &Subject,
        page: u32,
        clients: u32,
        contestant: &Contestant<'_>,
    ) -> anyhow::Result<Measurement> {
        match contestant {
            Contestant::Peer(peer) => self.measure_peer(subject, page, peer),
            _ => self.measure_readers(subject, page, clients, contestant),
        }
    }

    fn measure_peer(
        &self,
        subject: &Subject,
        page: u32,
        peer: &Peer,
    ) -> anyhow::Result<Measurement> {
        let client = self.installation.client();
        let index = subject.index.alias(self.installation.prefix());
        let before = usage::cpu_of_elasticsearch(client);
        let read = peer.read(self.elasticsearch_url, &index, subject.sort, page)?;
        let after = usage::cpu_of_elasticsearch(client);
        Ok(Measurement {
            records: read.reading.records,
            bytes: read.reading.bytes,
            seconds: read.took.as_secs_f64(),
            first_byte_seconds: read.reading.first_byte.as_secs_f64(),
            cpu_seconds: read.cpu.map(|cpu| cpu.as_secs_f64()),
            elasticsearch_cpu_seconds: seconds_between(before, after),
            peak_resident_bytes: read.peak,
        })
    }

    fn measure_readers(
        &self,
        subject: &Subject,
        page: u32,
        clients: u32,
        contestant: &Contestant<'_>,
    ) -> anyhow::Result<Measurement> {
        let client = self.installation.client();
        let process = contestant.process();
        let cpu = || process.and_then(usage::cpu_of_process);
        if let Some(process) = process {
            usage::forget_peak(process);
        }
        let (cpu_before, elasticsearch_before) = (cpu(), usage::cpu_of_elasticsearch(client));
        let (readings, took) = self.read(subject, page, clients, contestant)?;
        let (cpu_after, elasticsearch_after) = (cpu(), usage::cpu_of_elasticsearch(client));
        let mut first_bytes: Vec<Duration> = readings.iter().map(|r| r.first_byte).collect();
        first_bytes.sort_unstable();
        Ok(Measurement {
            records: readings.iter().map(|r| r.records).sum(),
            bytes: readings.iter().map(|r| r.bytes).sum(),
            seconds: took.as_secs_f64(),
            first_byte_seconds: first_bytes
                .get(first_bytes.len() / 2)
                .context("nobody has read")?
                .as_secs_f64(),
            cpu_seconds: seconds_between(cpu_before, cpu_after),
            elasticsearch_cpu_seconds: seconds_between(elasticsearch_before, elasticsearch_after),
            peak_resident_bytes: process.and_then(usage::peak_memory),
        })
    }

    /// One client reads everything. Several together read twice that, each at least one page.
    fn read(
        &self,
        subject: &Subject,
        page: u32,
        clients: u32,
        contestant: &Contestant<'_>,
    ) -> anyhow::Result<(Vec<Reading>, Duration)> {
        let most = match clients {
            1 => u64::MAX,
            _ => 2 * self.installation.count(subject.index)? / u64::from(clients),
        };
        let start = Barrier::new(clients as usize + 1);
        thread::scope(|scope| {
            let threads: Vec<_> = (0..clients)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let reading = self.read_as_one(subject, page, most, contestant);
                        (reading, Instant::now())
                    })
                })
                .collect();
            start.wait();
            let began = Instant::now();
            let mut ended = began;
            let mut readings = Vec::new();
            for thread in threads {
                let (reading, at) = thread.join().map_err(|_| anyhow!("a reader panicked"))?;
                readings.push(reading?);
                ended = ended.max(at);
            }
            Ok((readings, ended.duration_since(began)))
        })
    }

    fn read_as_one(
        &self,
        subject: &Subject,
        page: u32,
        most: u64,
        contestant: &Contestant<'_>,
    ) -> anyhow::Result<Reading> {
        match contestant {
            Contestant::BareScroll => {
                let index = subject.index.alias(self.installation.prefix());
                Reader::new(self.elasticsearch_url)?.bare_scroll(&index, subject.sort, page, most)
            }
            Contestant::Service(service) => {
                let (reading, open_scroll) =
                    Reader::new(&service.url)?.report(subject.report, page, most)?;
                if let Some(id) = open_scroll {
                    Reader::new(self.elasticsearch_url)?.clear_scroll(&id)?;
                }
                Ok(reading)
            }
            Contestant::Stream(stream, service) => {
                Reader::new(&service.url)?.stream(subject.report, *stream)
            }
            Contestant::Peer(_) => Err(anyhow!("a peer reads alone")),
        }
    }
}

fn seconds_between(before: Option<Duration>, after: Option<Duration>) -> Option<f64> {
    Some(after?.saturating_sub(before?).as_secs_f64())
}
