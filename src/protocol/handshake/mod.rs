//! The opening handshake of servers and clients (RFC 6455 §4).
//!
//! Without I/O. A server's bytes go into a [`request_head::HeadReader`]; a checked
//! [`request::HandshakeRequest`] or a [`refusal::Refusal`] comes out. What passes may be upgraded, what does not gets the refusal's HTTP answer. A client's bytes
//! go into an [`response_head::ResponseReader`], and its answer is checked against what was asked for.

pub(crate) mod authority;
pub(crate) mod basic_auth;
pub(crate) mod grammar;
pub(crate) mod origin;
pub(crate) mod refusal;
pub(crate) mod rejection;
pub(crate) mod request;
pub(crate) mod request_head;
pub(crate) mod request_line;
pub(crate) mod request_rules;
pub(crate) mod response;
pub(crate) mod response_body;
pub(crate) mod response_head;
pub(crate) mod subprotocol;
pub(crate) mod url;
