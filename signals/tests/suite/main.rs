//! What a user of signals and slots can see.

mod awaiting;
mod call_sites;
mod connections;
mod receivers;
mod semantics;
mod spying;
mod support;
mod threads;
