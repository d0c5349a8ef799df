//! The opening handshake of servers and clients (RFC 6455 §4).
//!
//! All but [`accept`] and [`open`] is without I/O. A server's bytes go into a
//! [`head::HeadReader`]; a checked [`request::HandshakeRequest`] or a [`refusal::Refusal`] comes
//! out. What passes may be upgraded, what does not gets the refusal's HTTP answer. A client's bytes
//! go into an [`answer::AnswerReader`], and its answer is checked against what was asked for.

pub(crate) mod accept;
pub(crate) mod answer;
mod authority;
pub(crate) mod basic_auth;
mod body;
pub(crate) mod grammar;
pub(crate) mod head;
pub(crate) mod open;
pub(crate) mod origin;
#[cfg(any(test, fuzzing))]
pub(crate) mod pieces;
pub(crate) mod refusal;
pub(crate) mod rejection;
pub(crate) mod request;
mod request_line;
pub(crate) mod response;
mod rules;
pub(crate) mod subprotocol;
#[cfg(test)]
mod testing;
pub(crate) mod url;
