//! What users see of servers, sockets and the event loop, with peers that are raw TCP.

mod support;

mod fairness;
mod handshake;
mod listening;
mod messages;
mod other_threads;
mod server;
mod server_slots;
