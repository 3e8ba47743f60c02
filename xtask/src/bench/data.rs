//! The data that is read.

use anyhow::ensure;

use super::{Options, PROCESS_INSTANCES};
use crate::indices::{Document, Index, Installation};
use crate::own_sample::OwnSample;
use crate::progress::Progress;
use crate::sample::{InstanceSize, MOST_PROCESS_INSTANCES, Sample};

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

    /// Data for one point of the curve, deleted in the end.
    pub fn of_curve(elasticsearch_url: &str, instances: u64) -> anyhow::Result<Self> {
        let data = Self::Own(OwnSample::new(elasticsearch_url, "bench")?);
        data.fill(instances)?;
        Ok(data)
    }

    fn fill(&self, instances: u64) -> anyhow::Result<()> {
        let installation = self.installation();
        if installation.count(PROCESS_INSTANCES.index)? < instances {
            store(installation, instances)?;
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

/// Stores the sample up to the instance that makes the wanted number of those that are measured.
fn store(installation: &Installation, instances: u64) -> anyhow::Result<()> {
    for index in Sample::indices() {
        installation.create(index)?;
    }
    let sample = Sample {
        process_instances: MOST_PROCESS_INSTANCES,
        size: InstanceSize::TenKilobytes,
    };
    let progress = Progress::steps("Loading process instances", instances);
    let mut left = instances;
    let is_measured = |document: &Document<'_>| document.index == PROCESS_INSTANCES.index;
    let documents = sample
        .documents()
        // Other processes would only take time to store; decisions come on top.
        .filter(|document| {
            is_measured(document) || !matches!(document.index, Index::ProcessInstance { .. })
        })
        .take_while(|document| {
            if is_measured(document) {
                if left == 0 {
                    return false;
                }
                left -= 1;
                progress.advance();
            }
            true
        });
    installation.store(documents)?;
    progress.finish();
    installation.merge()?;
    Ok(())
}
