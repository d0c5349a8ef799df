//! The opening handshakes of both sides, over a stream (RFC 6455 §4).

pub(crate) mod client;
pub(crate) mod server;
