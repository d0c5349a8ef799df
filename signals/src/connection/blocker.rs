//! Blocking one connection temporarily: `ConnectionBlocker`.

use std::fmt;

use crate::connection::Connection;

/// Blocks the calls of one slot until it is dropped.
///
/// Made by [`Connection::block`](crate::Connection::block).
///
/// # Qt
///
/// Qt has no counterpart; `QSignalBlocker` blocks all slots of a signal, as
/// [`SignalBlocker`](crate::SignalBlocker) does.
pub struct ConnectionBlocker {
    connection: Connection,
}

impl Connection {
    /// Blocks the calls of the slot until the returned blocker is dropped.
    ///
    /// Blockers nest. A queued call that is due while the slot is blocked is dropped.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart: `QObject::blockSignals()` of the receiver blocks what it emits, not
    /// its slots.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let changed = Signal::<i32>::new();
    /// let connection = changed.connect(|value| println!("the user chose {value}"));
    ///
    /// let blocker = connection.block();
    /// changed.emit(&1);
    /// drop(blocker);
    /// changed.emit(&2);
    /// ```
    #[must_use = "the slot is blocked until the blocker is dropped"]
    pub fn block(&self) -> ConnectionBlocker {
        if let Some(link) = self.link() {
            link.block();
        }
        ConnectionBlocker { connection: self.clone() }
    }

    /// Returns whether calls of the slot are blocked by a [`ConnectionBlocker`].
    ///
    /// # Qt
    ///
    /// Qt has no counterpart. `QObject::signalsBlocked()` reports on all signals of an object.
    pub fn is_blocked(&self) -> bool {
        self.link().is_some_and(|link| link.is_blocked())
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
