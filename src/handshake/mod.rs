//! The server's side of the opening handshake, without I/O (RFC 6455 §4.2).

mod authority;
mod grammar;
pub(crate) mod refusal;
mod request_line;
