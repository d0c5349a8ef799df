//! Blocking one connection for a while.

use std::fmt;

use crate::connection::Connection;

/// Keeps one slot from being called, until it is dropped.
///
/// Made by [`Connection::block`](crate::Connection::block).
///
/// # Qt
///
/// Qt has no counterpart; `QSignalBlocker` blocks all slots of a signal, as
/// [`SignalBlocker`](crate::SignalBlocker) does.
///
/// # Examples
///
/// ```
/// use slotwork_signals::Signal;
///
/// let changed = Signal::<i32>::new();
/// let connection = changed.connect(|value| println!("now {value}"));
/// let blocker = connection.block();
/// changed.emit(&1);
/// drop(blocker);
/// assert!(!connection.is_blocked());
/// ```
pub struct ConnectionBlocker {
    connection: Connection,
}

impl ConnectionBlocker {
    pub(crate) fn new(connection: Connection) -> Self {
        if let Some(link) = connection.link() {
            link.block();
        }
        Self { connection }
    }
}

impl Drop for ConnectionBlocker {
    fn drop(&mut self) {
        if let Some(link) = self.connection.link() {
            link.unblock();
        }
    }
}

impl fmt::Debug for ConnectionBlocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionBlocker").finish_non_exhaustive()
    }
}
