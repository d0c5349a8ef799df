//! The WebSocket protocol without I/O (RFC 6455): frames, opening handshakes.

pub(crate) mod frames;
pub(crate) mod handshake;
pub(crate) mod prepared_message;
pub(crate) mod random;
