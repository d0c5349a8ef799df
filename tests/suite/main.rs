//! What users see of servers, sockets and the event loop, with peers that are raw TCP.
//!
//! The folders are those of `src/`. What several of them need is in the package `tests/support`.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod event_loop;
mod net;
mod protocol;
mod server;
mod session;
mod socket;
