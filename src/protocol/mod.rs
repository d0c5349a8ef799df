//! The WebSocket protocol without I/O (RFC 6455): frames, opening handshakes.

#[cfg(feature = "compression")]
pub(crate) mod deflate;
pub(crate) mod frames;
pub(crate) mod handshake;
pub(crate) mod prepared_message;
pub(crate) mod random;
