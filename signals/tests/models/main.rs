//! Models of what threads do to each other: loom tries the orders of their steps.
//!
//! The code is the crate's own, compiled anew with the locks, atomics and thread-local values of
//! `sync` beside this file. A wake that is lost is a deadlock here, which loom reports.

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
