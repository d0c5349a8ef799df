//! Connections: `Connection`, scopes, blockers, and the state shared by threads.

use std::fmt;
use std::sync::Arc;

use crate::connection::link::Link;

pub(crate) mod blocker;
pub(crate) mod latest;
pub(crate) mod link;
pub(crate) mod scope;
pub(crate) mod scoped;
pub(crate) mod slot_counter;

/// A connection of a signal and a slot.
///
/// It may be cloned and sent to any thread. Dropping it does not disconnect the slot: most
/// connections last as long as their signal or receiver, and no handle has to be kept. The default
/// value is a connection that was never made.
///
/// # Qt
///
/// `QMetaObject::Connection`.
///
/// # Examples
///
/// ```
/// use slotwork_signals::Signal;
///
/// let changed = Signal::<i32>::new();
/// let connection = changed.connect(|value| println!("now {value}"));
/// assert!(connection.is_connected());
///
/// connection.disconnect();
/// assert_eq!(changed.slot_count(), 0);
/// ```
#[derive(Clone, Default)]
pub struct Connection {
    link: Option<Arc<Link>>,
}

impl Connection {
    #[inline]
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self { link: Some(link) }
    }

    pub(crate) fn link(&self) -> Option<&Arc<Link>> {
        self.link.as_ref()
    }

    /// Disconnects the slot and returns whether it was connected.
    ///
    /// The slot no longer runs: neither in an emission in progress nor for a pending queued call.
    /// On a thread other than the slot's, this applies to each call that has not begun. The slot
    /// itself is dropped in its own thread.
    ///
    /// # Qt
    ///
    /// `QObject::disconnect(connection)`. Qt still delivers the calls that were queued.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let changed = Signal::<i32>::new();
    /// let connection = changed.connect(|value| println!("now {value}"));
    /// assert!(connection.disconnect());
    /// assert!(!connection.disconnect());
    /// ```
    #[doc(alias = "QObject::disconnect")]
    pub fn disconnect(&self) -> bool {
        self.link.as_ref().is_some_and(Link::disconnect)
    }

    /// Returns whether the slot is connected.
    ///
    /// A slot is no longer connected when it was disconnected, when the receiver or the signal is
    /// dropped, or when the slot's thread has ended. The slot's own thread sees a dropped receiver
    /// at once; other threads see it when that thread has removed the slot while it ran its queue.
    ///
    /// # Qt
    ///
    /// `QMetaObject::Connection::operator bool()`.
    ///
    /// # Examples
    ///
    /// ```
    /// use slotwork_signals::Signal;
    ///
    /// let changed = Signal::<i32>::new();
    /// let connection = changed.connect(|value| println!("now {value}"));
    /// drop(changed);
    /// assert!(!connection.is_connected());
    /// ```
    pub fn is_connected(&self) -> bool {
        self.link.as_ref().is_some_and(Link::check)
    }

    /// Returns whether the slot is connected, without a check of its receiver.
    pub(crate) fn is_open(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.is_connected())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            link.drop_handle();
        }
    }
}

/// Shows whether it is connected, and where in the program it was made.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Connection");
        debug.field("is_connected", &self.is_open());
        if let Some(link) = &self.link {
            debug.field("location", &format_args!("{}", link.location()));
        }
        debug.finish_non_exhaustive()
    }
}
