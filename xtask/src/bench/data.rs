//! The data that is read.

use anyhow::ensure;
use testkit::indices::{Document, Index, Installation};
use testkit::own_sample::OwnSample;
use testkit::progress::Progress;
use testkit::sample::{InstanceSize, MOST_PROCESS_INSTANCES, Sample};

use super::{Options, PROCESS_INSTANCES};

/// The most instances that can be asked for: about half of the sample are of the process that is measured.
pub(super) const MOST_INSTANCES: u64 = MOST_PROCESS_INSTANCES / 4;

/// The data that is read.
pub(super) enum Data {
    /// Deleted in the end.
    Own(OwnSample),
    /// Kept for the next run.
    Kept(Installation),
}

impl Data {
    /// Stores what is missing.
    pub fn prepare(elasticsearch_url: &str, options: &Options) -> anyhow::Result<Self> {
        let data = match &options.prefix {
            None => Self::Own(OwnSample::new(elasticsearch_url, "bench")?),
            Some(prefix) => Self::Kept(Installation::new(elasticsearch_url, prefix)?),
        };
        data.fill(options.instances)?;
        Ok(data)
    }

    /// Small orders, none of them yet unless they were kept. They have a prefix of their own: beside a kept sample, `small` is added
    /// to its prefix.
    pub fn of_small(elasticsearch_url: &str, prefix: Option<&str>) -> anyhow::Result<Self> {
        Ok(match prefix {
            None => Self::Own(OwnSample::new(elasticsearch_url, "small")?),
            Some(prefix) => {
                let prefix = format!("{prefix}-small");
                Self::Kept(Installation::new(elasticsearch_url, &prefix)?)
            }
        })
    }

    /// Stores what is missing to so many instances.
    pub fn fill(&self, instances: u64) -> anyhow::Result<()> {
        let installation = self.installation();
        let stored = installation.count(PROCESS_INSTANCES.index)?;
        if stored < instances {
            store(installation, stored, instances)?;
        }
        let stored = installation.count(PROCESS_INSTANCES.index)?;
        ensure!(
            stored >= instances,
            "{stored} process instances are there, not {instances}"
        );
        Ok(())
    }

    /// Where they are.
    pub fn installation(&self) -> &Installation {
        match self {
            Self::Own(sample) => &sample.0,
            Self::Kept(installation) => installation,
        }
    }
}

/// Stores the sample from so many instances of those that are measured up to the wanted number.
fn store(installation: &Installation, stored: u64, instances: u64) -> anyhow::Result<()> {
    let is_empty = stored == 0;
    if is_empty {
        for index in Sample::indices() {
            installation.create(index)?;
        }
    }
    let sample = Sample {
        process_instances: MOST_PROCESS_INSTANCES,
        size: InstanceSize::TenKilobytes,
    };
    let progress = Progress::steps("Loading process instances", instances - stored);
    let is_measured = |document: &Document<'_>| document.index == PROCESS_INSTANCES.index;
    let mut seen = 0;
    let documents = sample
        .documents()
        .take_while(|document| {
            seen += u64::from(is_measured(document));
            seen <= instances
        })
        // Other processes would only take time to store; decisions come on top, once.
        .filter(|document| {
            is_measured(document)
                || (is_empty && !matches!(document.index, Index::ProcessInstance { .. }))
        });
    let mut left_out = stored;
    let documents = documents
        .skip_while(|document| {
            let is_stored = is_measured(document) && left_out > 0;
            left_out -= u64::from(is_stored);
            is_stored
        })
        .inspect(|document| {
            if is_measured(document) {
                progress.advance();
            }
        });
    installation.store(documents)?;
    progress.finish();
    installation.merge()?;
    Ok(())
}
