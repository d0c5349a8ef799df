//! The driver's handle of a socket, which slots borrow, and the drivers' table.
//!
//! A file of its own: what begins connections makes handles, and emissions lend them.

use std::ops::Deref;
use std::sync::Arc;
use std::thread::LocalKey;

use crate::session::{Driven, Drivers};
use crate::socket::WebSocket;
use crate::socket::state::Inner;

/// The handle that a driver has of its socket.
pub(crate) struct DrivenSocket(WebSocket);

impl DrivenSocket {
    pub(crate) fn new(inner: &Arc<Inner>) -> Self {
        Self(WebSocket { inner: Arc::clone(inner) })
    }

    /// Returns the handle that slots borrow as their sender.
    #[inline]
    pub(crate) fn handle(&self) -> &WebSocket {
        &self.0
    }
}

impl Deref for DrivenSocket {
    type Target = Arc<Inner>;

    #[inline]
    fn deref(&self) -> &Arc<Inner> {
        &self.0.inner
    }
}

impl Driven for Inner {
    fn drivers() -> &'static LocalKey<Drivers<Self>> {
        &DRIVERS
    }
}

thread_local! {
    /// The drivers of this thread's sockets.
    static DRIVERS: Drivers<Inner> = const { Drivers::new() };
}
