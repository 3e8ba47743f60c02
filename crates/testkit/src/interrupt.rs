//! Whether somebody has pressed Ctrl-C, or asked in another way for an end.
//!
//! Here and not where it is asked, because tests would otherwise have a library below it once more, with less features.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on, a wish for an end is remembered, and ends nothing by itself.
pub fn listen() -> anyhow::Result<()> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed))
        .context("can't listen for Ctrl-C")
}

/// Whether there was one.
pub fn has_come() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}
