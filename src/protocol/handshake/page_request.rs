//! A request for a page: HTTP without an upgrade to a WebSocket.
//!
//! Its own file, because the server's pages use it and no other part of the head.

use crate::protocol::handshake::refusal::Refusal;
use crate::protocol::handshake::request::HandshakeRequest;

/// A valid GET or HEAD request that does not ask for a WebSocket.
#[derive(Debug)]
pub(crate) struct PageRequest {
    /// Without the headers of a handshake.
    pub(crate) request: HandshakeRequest,
    pub(crate) is_head: bool,
    /// The refusal of a server without pages.
    pub(crate) refusal: Refusal,
}
