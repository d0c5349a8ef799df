//! The weak handle of a socket.

use std::sync::Weak;

use crate::socket::WebSocket;
use crate::socket::state::Inner;

/// A handle that does not keep its [`WebSocket`] alive.
///
/// # Qt
///
/// What `QPointer` is used for.
#[derive(Clone, Debug)]
pub struct WeakWebSocket {
    inner: Weak<Inner>,
}

impl WeakWebSocket {
    pub(crate) fn new(inner: Weak<Inner>) -> Self {
        Self { inner }
    }

    /// Returns the socket, unless it is gone.
    #[must_use]
    pub fn upgrade(&self) -> Option<WebSocket> {
        Some(WebSocket { inner: self.inner.upgrade()? })
    }
}
