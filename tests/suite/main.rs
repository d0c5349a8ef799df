//! What users see of servers, sockets and the event loop, with peers that are raw TCP.

mod support;

mod handshake;
mod listening;
mod messages;
mod server;
mod server_slots;
