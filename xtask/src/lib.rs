//! What a developer of `optimize-export` runs.
