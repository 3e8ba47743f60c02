//! The binary, as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::http::{self, Answer};

/// The token of every service here.
pub const TOKEN: &str = "integration-Test.token";

/// A running service. It is stopped with the test.
pub struct Service {
    child: Child,
    pub address: SocketAddr,
    pub management: SocketAddr,
    log: Arc<Mutex<String>>,
}

/// A command of the binary that has not started yet, without anything of the surrounding environment.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_optimize-export"));
    command.env_clear().args(arguments);
    command
}

impl Service {
    /// Starts a service that lets in [`TOKEN`], and waits until it says that it listens.
    pub fn start(
        elasticsearch: &str,
        prefix: &str,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let environment = [&[("OPTIMIZE_EXPORT_ACCESS_TOKEN", TOKEN)], environment].concat();
        Self::start_in(elasticsearch, prefix, flags, &environment)
    }

    /// Starts a service whose flags say which tokens it lets in.
    pub fn start_with_tokens_of(elasticsearch: &str, prefix: &str, flags: &[&str]) -> Self {
        Self::start_in(elasticsearch, prefix, flags, &[])
    }

    /// Tests run in parallel: a port that was free may be another service's a moment later, and is left to it.
    fn start_in(
        elasticsearch: &str,
        prefix: &str,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        loop {
            match Self::try_to_start(elasticsearch, prefix, flags, environment) {
                Ok(service) => return service,
                Err(log) => assert!(log.contains("--management-listen"), "not ready: {log}"),
            }
        }
    }

    /// The log of a service that ended before it was ready is an error.
    fn try_to_start(
        elasticsearch: &str,
        prefix: &str,
        flags: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self, String> {
        let management = free_address();
        let mut child = command(&[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--elasticsearch-url",
            elasticsearch,
            "--index-prefix",
            prefix,
        ])
        .args(["--management-listen", &management.to_string()])
        .args(flags)
        .envs(environment.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut stderr = child.stderr.take().unwrap();
        let lines = Arc::clone(&log);
        let reader = thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut buffer) {
                lines
                    .lock()
                    .unwrap()
                    .push_str(&String::from_utf8_lossy(&buffer[..read]));
            }
        });
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        let address = ready
            .trim()
            .strip_prefix("optimize-export listens on ")
            .and_then(|url| url.split_once("://"));
        let Some((_, address)) = address else {
            child.wait().unwrap();
            reader.join().unwrap();
            return Err(log.lock().unwrap().clone());
        };
        let address = address.parse().unwrap();
        Ok(Self {
            child,
            address,
            management,
            log,
        })
    }

    /// A GET with the token.
    pub fn get(&self, target: &str) -> Answer {
        self.request(
            "GET",
            target,
            &[("Authorization", &format!("Bearer {TOKEN}"))],
        )
    }

    /// Any request.
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Answer {
        let mut head = format!("{method} {target} HTTP/1.1\r\nHost: test");
        for (name, value) in headers {
            head.push_str(&format!("\r\n{name}: {value}"));
        }
        http::send(self.address, head.as_bytes())
    }

    /// Sends a GET with the token and reads so many bytes of the answer; the rest stays where it is.
    pub fn begin(&self, target: &str, bytes: usize) -> (TcpStream, Vec<u8>) {
        let mut stream = http::connect(self.address);
        let head = format!(
            "GET {target} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut beginning = vec![0; bytes];
        stream.read_exact(&mut beginning).unwrap();
        (stream, beginning)
    }

    /// Exports a report; `query` is everything behind the question mark.
    pub fn export(&self, report_id: &str, query: &str) -> Answer {
        self.get(&format!(
            "/api/public/export/report/{report_id}/result/json?{query}"
        ))
    }

    /// The first page.
    pub fn first_page(&self, report_id: &str, limit: u32) -> Answer {
        self.export(report_id, &format!("limit={limit}&paginationTimeout=60"))
    }

    /// The page after `previous`.
    pub fn next_page(&self, report_id: &str, previous: &Value) -> Answer {
        let id = previous["searchRequestId"]
            .as_str()
            .expect("a searchRequestId");
        self.export(
            report_id,
            &format!("limit=10&paginationTimeout=60&searchRequestId={id}"),
        )
    }

    /// All pages up to and with the empty one.
    pub fn all_pages(&self, report_id: &str, limit: u32) -> Vec<Value> {
        let mut pages = vec![self.first_page(report_id, limit).ok()];
        while !pages.last().unwrap()["data"].as_array().unwrap().is_empty() {
            let next = self.next_page(report_id, pages.last().unwrap());
            pages.push(next.ok());
        }
        pages
    }

    /// All rows of a report.
    pub fn all_rows(&self, report_id: &str, limit: u32) -> Vec<Value> {
        self.all_pages(report_id, limit)
            .iter()
            .flat_map(|page| page["data"].as_array().unwrap().clone())
            .collect()
    }

    /// The instance ids of a report, in the order of its rows.
    pub fn ids(&self, report_id: &str) -> Vec<String> {
        let id = |row: &Value| row["processInstanceId"].as_str().unwrap().to_owned();
        self.all_rows(report_id, 1_000).iter().map(id).collect()
    }

    /// What was logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until something was logged; the log comes a little after the answer.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.log().contains(text) {
            assert!(
                Instant::now() < deadline,
                "{text:?} was not logged: {}",
                self.log()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its metrics, as Prometheus gets them.
    pub fn metrics(&self) -> String {
        let answer = http::send(self.management, b"GET /metrics HTTP/1.1\r\nHost: test");
        assert_eq!(answer.status, 200);
        answer.text().to_owned()
    }

    /// Waits until a metric has this line; what is counted at the end of an answer comes a little after it.
    #[track_caller]
    pub fn wait_for_metric(&self, line: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !self.metrics().lines().any(|found| found == line) {
            assert!(
                Instant::now() < deadline,
                "{line} is not in\n{}",
                self.metrics()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// The most memory that it has taken so far, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmHWM:"))
            .unwrap();
        let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes * 1024
    }

    /// Asks it to stop, as an orchestrator does.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits for its end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address that nobody listens on at the moment.
pub fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}
