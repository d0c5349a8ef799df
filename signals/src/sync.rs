//! The synchronization primitives of the crate, which loom models replace.
//!
//! `tests/models` compiles the other modules with a `sync` of its own, which explores the
//! interleavings of threads. A short file for that reason.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};
pub(crate) use std::thread_local;

#[cfg(not(target_family = "wasm"))]
pub(crate) use event_listener::Listener;
pub(crate) use event_listener::{Event, EventListener};
