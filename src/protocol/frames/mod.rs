//! Frames and messages of the WebSocket protocol, without I/O (RFC 6455 §5–§8).
//!
//! Bytes go in and events come out ([`decoder`]), messages go in and bytes come out ([`frame`],
//! [`fragmentation`], [`close_frame`]). Nothing here knows sockets, tasks or signals. Each rule
//! of the RFC is checked as soon as the byte is there that breaks it, and ends in a
//! [`violation::Violation`] that says which close frame to send.
//!
//! A message that lies whole in the input is lent where it lies. Any other is assembled in a
//! buffer that grows with the bytes received, never with the length that a header declares, and
//! that goes back to the loop's [`buffer_pool`] when the connection idles. Of a big frame, a stream
//! reads payload into that buffer by itself (`direct_reading`).

pub(crate) mod assembly;
pub(crate) mod buffer_pool;
pub(crate) mod bytes;
pub(crate) mod close_frame;
pub(crate) mod control_frame;
pub(crate) mod copying;
pub(crate) mod decoder;
mod direct_reading;
pub(crate) mod event;
pub(crate) mod fragmentation;
pub(crate) mod frame;
pub(crate) mod frame_header;
mod header_reading;
#[cfg(feature = "compression")]
mod inflating;
pub(crate) mod limits;
pub(crate) mod mask;
mod message_buffer;
pub(crate) mod opcode;
pub(crate) mod short_message;
pub(crate) mod unfinished;
pub(crate) mod utf8;
pub(crate) mod violation;

#[cfg(test)]
mod tests;
