//! The snippets of `docs/recipes`, run as they stand there.
