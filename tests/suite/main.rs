//! What users see of servers, sockets and the event loop, with peers that are raw TCP.
//!
//! The folders are those of `src/`; peers and servers for all of them are in `tests/support`.
//! Tests in virtual time need the feature `testing`: `cargo test --workspace` has it, and
//! `cargo test --test suite --features testing`.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod event_loop;
mod net;
mod protocol;
mod server;
mod session;
mod socket;
#[cfg(feature = "testing")]
mod testing;
