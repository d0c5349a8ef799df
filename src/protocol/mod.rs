//! The WebSocket protocol without any I/O (RFC 6455): frames, and the opening handshake.

pub(crate) mod frames;
pub(crate) mod handshake;
pub(crate) mod prepared_message;
pub(crate) mod random;
