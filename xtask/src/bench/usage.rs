//! What a process has used of the machine. Linux only; elsewhere the figures are missing.

use std::fs;
use std::thread;
use std::time::Duration;

use serde_json::Value;
use testkit::client::Client;

/// Clock ticks per second of `/proc/<pid>/stat`, the same on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time that a process has taken so far.
pub(super) fn cpu_of_process(id: u32) -> Option<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of the program stands in brackets and may hold blanks.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(Duration::from_secs_f64((user + system) / TICKS_PER_SECOND))
}

/// Elasticsearch looks at its own processor time once a second, and answers with what it saw last.
const ELASTICSEARCH_LOOKS_EVERY: Duration = Duration::from_millis(1_050);

/// Processor time that all nodes of a cluster have taken so far.
pub(super) fn cpu_of_elasticsearch(client: &Client) -> Option<Duration> {
    thread::sleep(ELASTICSEARCH_LOOKS_EVERY);
    let answer = client
        .get("/_nodes/stats/process?filter_path=nodes.*.process.cpu.total_in_millis")
        .ok()?;
    let nodes = answer.body.get("nodes")?.as_object()?;
    let millis = nodes
        .values()
        .filter_map(|node| node.pointer("/process/cpu/total_in_millis"));
    Some(Duration::from_millis(
        millis.filter_map(Value::as_u64).sum(),
    ))
}

/// The most resident memory of a process since [`forget_peak`], in bytes.
pub(super) fn peak_memory(id: u32) -> Option<u64> {
    memory(id, "VmHWM:")
}

/// Begins to watch the peak anew. Where that is not allowed, the peak is that of the process's whole life.
pub(super) fn forget_peak(id: u32) {
    let _ = fs::write(format!("/proc/{id}/clear_refs"), "5");
}

fn memory(id: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
