//! What pages see of a channel, with peers that are raw TCP.
//!
//! `tests/clients` has Qt's own client. The messages are those of `qwebchannel.js`.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod calls;
mod clients;
mod device;
mod figures;
mod lifetimes;
mod objects;
mod page;
mod properties;
mod registration;
mod signals;
