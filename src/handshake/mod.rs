//! The server's side of the opening handshake (RFC 6455 §4.2).
//!
//! All but [`accept`] is without I/O: bytes go into a [`head::HeadReader`]; a checked
//! [`request::HandshakeRequest`] or a [`refusal::Refusal`] comes out. What passes may be upgraded,
//! what does not gets the refusal's HTTP answer.

pub(crate) mod accept;
mod authority;
mod grammar;
pub(crate) mod head;
#[cfg(any(test, fuzzing))]
pub(crate) mod pieces;
pub(crate) mod refusal;
pub(crate) mod request;
mod request_line;
mod rules;
#[cfg(test)]
mod testing;
