//! Groups of connections that end together.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::connection::Connection;

/// Connections that are disconnected together: when the scope is dropped or cleared.
///
/// It may be shared between threads. Connections that have ended otherwise are forgotten now and
/// then, so that a scope which lives long does not grow.
///
/// # Qt
///
/// What a context object is used for that has no other purpose.
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
#[derive(Default)]
pub struct Scope {
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    list: Vec<Connection>,
    sweep_at: usize,
}

impl Scope {
    /// Returns a scope without connections.
    ///
    /// # Qt
    ///
    /// A context object: `QObject context;`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::{Scope, Signal};
    ///
    /// let (changed, scope) = (Signal::<i32>::new(), Scope::new());
    /// scope.add(changed.connect(|value| println!("now {value}")));
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { connections: Mutex::new(Connections { list: Vec::new(), sweep_at: 0 }) }
    }

    /// Adds a connection, which ends with the scope.
    ///
    /// # Qt
    ///
    /// `QObject::connect` with the context object as its third argument.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::{Scope, Signal};
    ///
    /// let (changed, scope) = (Signal::<i32>::new(), Scope::new());
    /// scope.add(changed.connect(|value| println!("now {value}")));
    /// drop(scope);
    /// assert_eq!(changed.slot_count(), 0);
    /// ```
    pub fn add(&self, connection: Connection) {
        let mut connections = self.lock();
        if connections.list.len() >= connections.sweep_at {
            connections.list.retain(Connection::is_connected);
            connections.sweep_at = SMALL.max(2 * connections.list.len());
        }
        connections.list.push(connection);
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
        // The lock is let go first: dropping a slot runs user code.
        let connections = std::mem::take(&mut self.lock().list);
        for connection in connections {
            connection.disconnect();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
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
        f.debug_struct("Scope").field("connections", &self.lock().list).finish()
    }
}

/// Fewer connections are not swept.
const SMALL: usize = 16;
