//! The attackers.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The attackers' token: most attacks need one.
pub(super) const TOKEN: &str = "attacker-token";
/// How long a connection is held on which nothing happens.
const HELD: Duration = Duration::from_secs(45);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(120);
/// How long an attacker rests that can't connect, or is refused.
const PAUSE: Duration = Duration::from_millis(200);

/// What an attacker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(super) enum Attack {
    /// Ask for reports with as many buckets as there may be.
    Buckets,
    /// Don't read answers: reports, the page with the interface, and thousands of refusals on one connection.
    Readers,
    /// Don't finish heads of 200 kB.
    Heads,
    /// Ask for pages of a size that has no divisors.
    Sizes,
    /// Open scrolls and leave them.
    Contexts,
    /// Export instances of 1.6 MB.
    Instances,
}

impl Attack {
    pub const ALL: [Self; 6] = [
        Self::Buckets,
        Self::Readers,
        Self::Heads,
        Self::Sizes,
        Self::Contexts,
        Self::Instances,
    ];

    /// How it is called, and how many attackers there are.
    const fn attackers(self) -> (&'static str, usize) {
        match self {
            Self::Buckets => ("Reports with very many buckets", 8),
            Self::Readers => ("Answers that nobody reads", 800),
            Self::Heads => ("Heads of 200 kB that are not finished", 1_352),
            Self::Sizes => ("Pages of 9,973 instances of 10 kB", 12),
            Self::Contexts => ("Scrolls that are left open", 2),
            Self::Instances => ("Pages of instances of 1.6 MB", 8),
        }
    }

    fn request(self, attacker: usize, turn: usize) -> String {
        let export = |report: &str, limit: u32, timeout: u32| {
            format!(
                "GET /api/public/export/report/{report}/result/json?limit={limit}&paginationTimeout={timeout} HTTP/1.1\r\n\
                 Host: siege\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
            )
        };
        match self {
            Self::Buckets => {
                let reports = ["years", "cells", "percentiles", "ids"];
                let mut reports = reports.into_iter().cycle();
                let report = reports.nth((attacker + turn) % 4).unwrap_or("cells");
                export(report, 1_000, 60)
            }
            Self::Readers => match attacker % 8 {
                0 => export("cells", 1_000, 60).replace("Connection: close\r\n", ""),
                1 => {
                    "GET /api/docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: siege\r\n\r\n".repeat(500)
                }
                _ => "GET /api/public/report HTTP/1.1\r\nHost: siege\r\n\r\n".repeat(20_000),
            },
            Self::Heads => format!(
                "GET / HTTP/1.1\r\nHost: siege\r\nX-Padding: {}",
                "y".repeat(200_000)
            ),
            Self::Sizes => export("wide", 9_973, 60),
            Self::Contexts => export("p0", 1, 1),
            Self::Instances => export("huge", 1_000, 60),
        }
    }

    /// Whether its answers are read.
    const fn reads(self) -> bool {
        !matches!(self, Self::Readers | Self::Heads)
    }
}

type Outcomes = BTreeMap<Attack, BTreeMap<String, u64>>;

/// All attackers.
pub(super) struct Attackers {
    outcomes: Arc<Mutex<Outcomes>>,
}

impl Attackers {
    /// Lets them begin; they end when it is over.
    pub fn start(url: &str, attacks: &[Attack], is_over: &Arc<AtomicBool>) -> Self {
        let address = url.trim_start_matches("http://").to_owned();
        let outcomes = Arc::<Mutex<Outcomes>>::default();
        for attack in attacks {
            for attacker in 0..attack.attackers().1 {
                let (attack, address) = (*attack, address.clone());
                let (outcomes, is_over) = (Arc::clone(&outcomes), Arc::clone(is_over));
                thread::spawn(move || {
                    for turn in 0.. {
                        if is_over.load(Ordering::Acquire) {
                            return;
                        }
                        let request = attack.request(attacker, turn);
                        let outcome = if attack.reads() {
                            ask(&address, &request)
                        } else {
                            hold(&address, &request, &is_over)
                        };
                        if !outcome.starts_with("status 200") {
                            thread::sleep(PAUSE);
                        }
                        let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
                        *outcomes
                            .entry(attack)
                            .or_default()
                            .entry(outcome)
                            .or_default() += 1;
                    }
                });
            }
        }
        Self { outcomes }
    }

    /// What became of their requests.
    pub fn outcomes(&self) -> Vec<(&'static str, Vec<(String, u64)>)> {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |(attack, outcomes): (&Attack, &BTreeMap<String, u64>)| {
            let outcomes = outcomes.iter().map(|(name, count)| (name.clone(), *count));
            (attack.attackers().0, outcomes.collect())
        };
        outcomes.iter().map(of).collect()
    }
}

/// Asks, and reads the answer to its end.
fn ask(address: &str, request: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return "could not connect".to_owned();
    };
    // Without a time limit it would only wait longer.
    let _ = stream.set_read_timeout(Some(ANSWER));
    if stream.write_all(request.as_bytes()).is_err() {
        return "the request could not be sent".to_owned();
    }
    let mut status = Vec::new();
    let mut tail = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                let read = buffer.get(..read).unwrap_or_default();
                if status.len() < 12 {
                    status.extend_from_slice(read.get(..read.len().min(12)).unwrap_or_default());
                }
                tail.extend_from_slice(
                    read.get(read.len().saturating_sub(8)..).unwrap_or_default(),
                );
                tail.drain(..tail.len().saturating_sub(8));
            }
            Err(_) => return "the answer did not come".to_owned(),
        }
    }
    let status = String::from_utf8_lossy(&status);
    let status = status.get(9..12).unwrap_or("none").to_owned();
    // A chunked body ends with an empty chunk, any other one with what it holds.
    match tail.as_slice() {
        [.., b'0', b'\r', b'\n', b'\r', b'\n'] | [.., b'}'] => format!("status {status}"),
        _ => format!("status {status}, broken off"),
    }
}

/// Sends as much as the service takes, and reads nothing, until the service closes the connection.
fn hold(address: &str, request: &str, is_over: &AtomicBool) -> String {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return "could not connect".to_owned();
    };
    let began = Instant::now();
    let closed = || {
        format!(
            "closed by the service after {} s",
            5 * (began.elapsed().as_secs() / 5)
        )
    };
    let mut rest = request.as_bytes();
    if stream.set_nonblocking(true).is_err() {
        return "could not connect".to_owned();
    }
    while began.elapsed() < HELD && !is_over.load(Ordering::Acquire) {
        match stream.write(rest) {
            Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return closed(),
        }
        if rest.is_empty() && stream.write(&[]).is_err() {
            return closed();
        }
        // Whether it is closed shows when something is read; a byte does no harm.
        if rest.is_empty() && matches!(stream.peek(&mut [0]), Ok(0)) {
            return closed();
        }
        thread::sleep(Duration::from_millis(500));
    }
    "held until the attacker gave up".to_owned()
}
