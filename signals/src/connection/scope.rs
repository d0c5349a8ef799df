//! Scopes: groups of connections that end together.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::connection::Connection;

/// A group of connections that is disconnected when it is dropped or cleared.
///
/// It may be shared between threads. Connections that have ended otherwise are removed from
/// time to time, so that a long-lived scope does not grow.
///
/// # Qt
///
/// A `QObject` that serves only as a context object.
///
/// # Examples
///
/// ```
/// use slotwork_signals::{Scope, Signal};
///
/// let (opened, closed) = (Signal::<()>::new(), Signal::<()>::new());
/// let scope = Scope::new();
/// scope.add(opened.connect(|()| println!("opened")));
/// scope.add(closed.connect(|()| println!("closed")));
///
/// drop(scope);
/// assert_eq!(opened.slot_count() + closed.slot_count(), 0);
/// ```
pub struct Scope {
    connections: Mutex<Connections>,
}

struct Connections {
    list: Vec<Connection>,
    sweep_at: usize,
    /// How often the scope was cleared.
    clears: u64,
}

impl Scope {
    /// Returns a scope without connections.
    ///
    /// # Qt
    ///
    /// A context object: `QObject context;`.
    #[must_use]
    pub const fn new() -> Self {
        let connections = Connections { list: Vec::new(), sweep_at: SMALL, clears: 0 };
        Self { connections: Mutex::new(connections) }
    }

    /// Adds a connection, which ends with the scope.
    ///
    /// # Qt
    ///
    /// `QObject::connect` with the context object as its third argument.
    pub fn add(&self, connection: Connection) {
        let mut connections = self.lock();
        connections.list.push(connection);
        if connections.list.len() > connections.sweep_at {
            self.sweep(connections);
        }
    }

    /// Disconnects the connections that were added; others may be added afterwards.
    ///
    /// # Qt
    ///
    /// Deleting the context object and making a new one.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::{Scope, Signal};
    ///
    /// let (changed, scope) = (Signal::<i32>::new(), Scope::new());
    /// scope.add(changed.connect(|value| println!("now {value}")));
    /// scope.clear();
    /// assert_eq!(changed.slot_count(), 0);
    /// ```
    pub fn clear(&self) {
        let mut connections = self.lock();
        connections.clears += 1;
        let list = std::mem::take(&mut connections.list);
        // Unlocked first: dropping a slot runs user code.
        drop(connections);
        disconnect(list);
    }

    /// Removes ended connections; they are checked without a lock.
    fn sweep(&self, mut connections: MutexGuard<'_, Connections>) {
        let (list, clears) = (std::mem::take(&mut connections.list), connections.clears);
        drop(connections);
        let (kept, ended): (Vec<_>, Vec<_>) = list.into_iter().partition(Connection::is_connected);
        drop(ended);

        let mut connections = self.lock();
        if connections.clears != clears {
            drop(connections);
            return disconnect(kept);
        }
        connections.sweep_at = SMALL.max(2 * kept.len());
        connections.list.splice(0..0, kept);
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Scope {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Extend<Connection> for Scope {
    fn extend<I: IntoIterator<Item = Connection>>(&mut self, connections: I) {
        for connection in connections {
            self.add(connection);
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let connections = self.lock().list.clone();
        f.debug_struct("Scope").field("connections", &connections).finish()
    }
}

fn disconnect(connections: Vec<Connection>) {
    for connection in connections {
        connection.disconnect();
    }
}

/// Fewer connections are not swept.
const SMALL: usize = 16;
