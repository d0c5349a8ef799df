//! What the benches share: clients, the servers that they measure, and turns.
#![cfg(feature = "tls")]
#![allow(
    clippy::missing_errors_doc,
    clippy::must_use_candidate,
    reason = "for benches alone, which end with the first error"
)]

pub mod client;
pub mod exchange;
pub mod load;
pub mod profile;
pub mod scheduling;
pub mod server;
pub mod tls;
pub mod turns;
pub mod visit;
