//! The weak handle of a server.

use std::sync::Weak;

use crate::server::WebSocketServer;
use crate::server::state::Inner;

/// A handle that does not keep its [`WebSocketServer`] alive.
#[derive(Clone, Debug)]
pub struct WeakWebSocketServer {
    inner: Weak<Inner>,
}

impl WeakWebSocketServer {
    pub(crate) fn new(inner: Weak<Inner>) -> Self {
        Self { inner }
    }

    /// Returns the server, unless it is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<WebSocketServer> {
        Some(WebSocketServer { inner: self.inner.upgrade()? })
    }
}
