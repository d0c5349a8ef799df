//! The opening handshake of servers and clients (RFC 6455 §4).
//!
//! Without I/O. A server reads with [`request_head::HeadReader`], which returns a checked
//! [`request::HandshakeRequest`] or a [`refusal::Refusal`] with its HTTP answer. A client reads
//! with [`response_head::ResponseReader`], and checks the answer against its request.

pub(crate) mod agreement;
pub(crate) mod authority;
pub(crate) mod basic_auth;
pub(crate) mod extensions;
pub(crate) mod forwarded;
pub(crate) mod grammar;
pub(crate) mod origin;
pub(crate) mod page_request;
#[cfg(feature = "compression")]
pub(crate) mod permessage_deflate;
pub(crate) mod refusal;
pub(crate) mod request;
pub(crate) mod request_head;
pub(crate) mod request_line;
pub(crate) mod request_rules;
pub(crate) mod response;
pub(crate) mod response_body;
pub(crate) mod response_head;
pub(crate) mod spare_buffer;
pub(crate) mod subprotocol;
pub(crate) mod upgraded_elsewhere;
pub(crate) mod url;
