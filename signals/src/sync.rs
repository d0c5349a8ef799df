//! What threads share, from one place, so that models can put their own in its stead.
//!
//! `tests/models` compiles the modules of this crate anew with a `sync` of its own, which tries the
//! orders in which threads can take their steps.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
pub(crate) use std::sync::{Mutex, MutexGuard, OnceLock};
pub(crate) use std::thread_local;

pub(crate) use event_listener::{Event, EventListener, Listener};
