//! The opening handshake over a stream, of both sides (RFC 6455 §4).

pub(crate) mod client;
pub(crate) mod server;
