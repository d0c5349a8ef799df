//! The opening handshake of a server (RFC 6455 §4.2).

mod requests;
mod secrets;
