//! Sample data that belongs to one run of demo or benchmark.

use anyhow::Context;

use crate::indices::Installation;

/// Sample data under a prefix of its own, deleted in the end, however the run went.
pub struct OwnSample(pub Installation);

impl OwnSample {
    /// Room for sample data under a prefix that nobody else has; nothing is stored yet. `what` becomes part of it.
    pub fn new(elasticsearch_url: &str, what: &str) -> anyhow::Result<Self> {
        let prefix = format!("optimize-export-{what}-{}", random_name()?);
        Ok(Self(Installation::new(elasticsearch_url, &prefix)?))
    }

    /// Deletes it; gives back how many indices that were.
    pub fn remove(&self) -> anyhow::Result<usize> {
        self.0
            .remove()
            .with_context(|| format!("can't delete the indices of the prefix {}", self.0.prefix()))
    }
}

impl Drop for OwnSample {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            eprintln!("{error:#}");
        }
    }
}

fn random_name() -> anyhow::Result<String> {
    let name = tempfile::Builder::new()
        .prefix("")
        .rand_bytes(8)
        .tempfile()
        .context("can't choose a prefix")?;
    let random = name.path().file_name().unwrap_or_default();
    Ok(random.to_string_lossy().to_lowercase())
}
