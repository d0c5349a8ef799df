//! The mutex and the atomics that threads share.
//!
//! A file of its own: `tests/models` compiles modules with a `sync` of its own in place of this
//! one. The mutex has no poison, which a message would pay for at each of its locks: a panic ends its
//! own call alone, and later callers still get the lock.

pub(crate) use std::sync::atomic::{AtomicU8, Ordering};

pub(crate) use parking_lot::{Mutex, MutexGuard};
