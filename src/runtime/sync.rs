//! What threads share, from one place, so that models can put their own in its stead.
//!
//! `tests/models` compiles the modules that use it anew with a `sync` of its own.

pub(crate) use std::sync::atomic::{AtomicU8, Ordering};
