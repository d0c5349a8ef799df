//! The opening handshake of servers and clients (RFC 6455 §4).
//!
//! Without I/O. A server's bytes go into a [`head::HeadReader`]; a checked
//! [`request::HandshakeRequest`] or a [`refusal::Refusal`] comes out. What passes may be upgraded, what does not gets the refusal's HTTP answer. A client's bytes
//! go into an [`answer::AnswerReader`], and its answer is checked against what was asked for.

pub(crate) mod answer;
pub(crate) mod authority;
pub(crate) mod basic_auth;
pub(crate) mod body;
pub(crate) mod grammar;
pub(crate) mod head;
pub(crate) mod origin;
pub(crate) mod refusal;
pub(crate) mod rejection;
pub(crate) mod request;
pub(crate) mod request_line;
pub(crate) mod response;
pub(crate) mod rules;
pub(crate) mod subprotocol;
pub(crate) mod url;
