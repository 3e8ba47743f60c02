//! A memory cgroup for one process.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::Context;

/// Where the memory controller of version 1 is.
const V1: &str = "/sys/fs/cgroup/memory";
/// Where version 2 is.
const V2: &str = "/sys/fs/cgroup";
/// How long a cgroup may take to be empty after its process has ended.
const EMPTY: Duration = Duration::from_secs(5);

/// A cgroup with a limit; removed when it is dropped, after its process has ended.
pub(super) struct Cgroup {
    folder: PathBuf,
    largest: &'static str,
}

impl Cgroup {
    /// Puts a process into a cgroup with so many bytes.
    ///
    /// # Errors
    /// This user may not, or the system has no memory controller.
    pub fn with_memory(bytes: u64, process: u32) -> io::Result<Self> {
        let name = format!("optimize-export-{process}");
        let (parent, limit, largest) = if Path::new(V1).join("cgroup.procs").exists() {
            (V1, "memory.limit_in_bytes", "memory.max_usage_in_bytes")
        } else {
            (V2, "memory.max", "memory.peak")
        };
        let folder = Path::new(parent).join(name);
        fs::create_dir(&folder)?;
        let cgroup = Self { folder, largest };
        fs::write(cgroup.folder.join(limit), bytes.to_string())?;
        fs::write(cgroup.folder.join("cgroup.procs"), process.to_string())?;
        Ok(cgroup)
    }

    /// The most that it has taken, in bytes.
    pub fn largest(&self) -> anyhow::Result<u64> {
        let text = fs::read_to_string(self.folder.join(self.largest))
            .context("the memory of the cgroup can't be read")?;
        text.trim().parse().context("it is no number")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What is left of it takes no memory.
        let step = Duration::from_millis(50);
        for _ in 0..EMPTY.as_millis() / step.as_millis() {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            thread::sleep(step);
        }
    }
}
