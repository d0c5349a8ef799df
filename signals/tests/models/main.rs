//! Models of races between threads: loom explores the interleavings.
//!
//! The code is the crate's own, folder by folder, compiled with the locks, atomics and thread-local
//! values of `sync` beside this file. A lost wake-up is a deadlock here, which loom reports.

#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::must_use_candidate,
    clippy::unwrap_used,
    reason = "most files here are the crate's, of which a model needs only a part"
)]

mod races;
mod sync;

#[path = "../../src/awaiting/mod.rs"]
mod awaiting;
#[path = "../../src/connection/mod.rs"]
mod connection;
#[path = "../../src/queue/mod.rs"]
mod queue;
#[path = "../../src/receiver/mod.rs"]
mod receiver;
#[path = "../../src/signal/mod.rs"]
mod signal;
#[path = "../../src/slots/mod.rs"]
mod slots;
#[path = "../../src/thread/mod.rs"]
mod thread;
#[path = "../../src/unwind.rs"]
mod unwind;
