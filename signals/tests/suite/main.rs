//! What a user of signals and slots can see.

mod async_slots;
mod awaiting;
mod backlog;
mod call_sites;
mod connections;
mod debugging;
mod dispatching;
mod groups;
mod hosting;
mod kinds;
mod latest_connection;
mod leaks;
mod model;
mod nesting;
mod queued_senders;
mod races;
mod receivers;
mod reentrancy;
mod semantics;
mod spying;
mod support;
mod thread_queues;
mod threads;
