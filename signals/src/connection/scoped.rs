//! Scoped connections: disconnected when they are dropped.

use std::ops::Deref;

use crate::connection::Connection;

/// A connection that is disconnected when it is dropped.
///
/// Made by [`Connection::scoped`]. It is for slots that end earlier than the signal and the
/// receiver, and for those that have no receiver. [`Scope`](crate::Scope) holds several.
///
/// # Qt
///
/// Qt has no counterpart; programs keep a `QMetaObject::Connection` and disconnect it in a
/// destructor.
///
/// # Examples
///
/// ```
/// use slotwork_signals::Signal;
///
/// let progress = Signal::<u32>::new();
/// {
///     let _connection = progress.connect(|percent| println!("{percent} %")).scoped();
///     progress.emit(&50);
/// }
/// assert_eq!(progress.slot_count(), 0);
/// ```
#[derive(Debug, Default)]
#[must_use = "the slot is disconnected when the value is dropped"]
pub struct ScopedConnection {
    connection: Connection,
}

impl Connection {
    /// Returns a value that disconnects the slot when it is dropped.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    pub fn scoped(self) -> ScopedConnection {
        ScopedConnection { connection: self }
    }
}

impl ScopedConnection {
    /// Returns the connection, which then outlives this value.
    ///
    /// # Qt
    ///
    /// Qt has no counterpart.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let changed = Signal::<i32>::new();
    /// let connection = changed.connect(|value| println!("now {value}")).scoped();
    /// assert!(connection.release().is_connected());
    /// ```
    pub fn release(mut self) -> Connection {
        std::mem::take(&mut self.connection)
    }
}

impl Deref for ScopedConnection {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl From<Connection> for ScopedConnection {
    fn from(connection: Connection) -> Self {
        connection.scoped()
    }
}

impl Drop for ScopedConnection {
    fn drop(&mut self) {
        self.connection.disconnect();
    }
}
