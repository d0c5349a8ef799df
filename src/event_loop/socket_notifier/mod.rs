//! Notifiers of descriptors that other libraries read and write.

use std::fmt;
use std::os::fd::AsFd;
use std::rc::Rc;
use std::sync::Arc;

use slotwork_signals::{Handle, SignalRef};

use crate::types::error::Error;

mod state;
mod watch;
mod weak;

use state::State;

pub use weak::WeakSocketNotifier;

/// Tells when a descriptor can be read or written, so that foreign libraries live on the loop.
///
/// A cheap handle: clones are the same notifier. It belongs to the thread that made it and speaks
/// while that thread's [`EventLoop`](crate::EventLoop) runs; dropping the last handle ends it. It
/// owns the descriptor, which is anything that has one: a socket, a pipe, an `OwnedFd`, an `Rc` of
/// those, or a `BorrowedFd<'static>` for one that a library keeps. It speaks in each turn as long as
/// there is something to read (or room to write), as Qt's does. Unix only.
///
/// A descriptor may have several notifiers, such as one for reading and one for writing; each emits
/// what is enabled on it, and none is disturbed by the end of another. When two of them are enabled
/// for reading, both emit, and the slot that comes second may find everything read: a descriptor
/// that is shared in this way should not block.
///
/// # Qt
///
/// `QSocketNotifier`; one object is for both directions, and the signal says which. Qt allows one
/// notifier of each type for a descriptor: with `GLib` a second one is emitted as well, otherwise it
/// replaces the first one with a warning.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::os::unix::net::UnixStream;
///
/// use slotwork::{EventLoop, SocketNotifier};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut foreign, stream) = UnixStream::pair()?;
/// let notifier = SocketNotifier::new(stream)?;
/// notifier.readable().connect(|notifier, ()| {
///     let mut byte = [0];
///     if notifier.socket().read_exact(&mut byte).is_ok() {
///         EventLoop::current().exit(i32::from(byte[0]));
///     }
/// });
///
/// foreign.write_all(&[7])?;
/// assert_eq!(EventLoop::current().exec(), 7);
/// # Ok(())
/// # }
/// ```
pub struct SocketNotifier<D: AsFd> {
    state: Rc<State<D>>,
}

impl<D: AsFd + 'static> SocketNotifier<D> {
    /// Makes a notifier that tells when `descriptor` can be read.
    ///
    /// # Errors
    ///
    /// [`Error::SocketNotifier`] when the system cannot watch it, such as a file, or one that something else
    /// than a notifier watches on this thread.
    pub fn new(descriptor: D) -> Result<Self, Error> {
        let state = State::new(descriptor);
        let state = state.map_err(|source| Error::SocketNotifier { source: Arc::new(source) })?;
        Ok(Self { state })
    }

    /// Sets whether it tells that there is something to read, or an end or error to be read.
    ///
    /// The default is that it does.
    ///
    /// # Qt
    ///
    /// `QSocketNotifier::setEnabled()` of one with type `Read`.
    #[doc(alias = "setEnabled")]
    pub fn set_readable_enabled(&self, is_enabled: bool) {
        if self.state.interest.reads.replace(is_enabled) != is_enabled {
            self.state.interest_changed();
        }
    }

    /// Sets whether it tells that there is room to write, or an error.
    ///
    /// The default is that it does not: mostly there is room. Enable it when a write gave less than
    /// was asked for.
    ///
    /// # Qt
    ///
    /// `QSocketNotifier::setEnabled()` of one with type `Write`.
    #[doc(alias = "setEnabled")]
    pub fn set_writable_enabled(&self, is_enabled: bool) {
        if self.state.interest.writes.replace(is_enabled) != is_enabled {
            self.state.interest_changed();
        }
    }

    /// Returns whether it tells that there is something to read.
    #[doc(alias = "isEnabled")]
    #[must_use]
    pub fn is_readable_enabled(&self) -> bool {
        self.state.interest.reads.get()
    }

    /// Returns whether it tells that there is room to write.
    #[doc(alias = "isEnabled")]
    #[must_use]
    pub fn is_writable_enabled(&self) -> bool {
        self.state.interest.writes.get()
    }

    /// Returns the descriptor.
    #[must_use]
    pub fn socket(&self) -> &D {
        &self.state.descriptor
    }

    /// Emitted in each turn in which there is something to read, or an end or error to be read.
    ///
    /// A slot may disable or drop the notifier. While a slot runs a loop of its own, the notifier
    /// is silent.
    #[doc(alias = "activated")]
    #[doc(alias = "readyRead")]
    #[doc(alias = "QUdpSocket")]
    #[doc(alias = "QTcpSocket")]
    #[must_use]
    pub fn readable(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.state.readable)
    }

    /// Emitted in each turn in which there is room to write, or an error, once that is enabled.
    #[doc(alias = "activated")]
    #[must_use]
    pub fn writable(&self) -> SignalRef<'_, Self, ()> {
        SignalRef::new(self, &self.state.writable)
    }
}

impl<D: AsFd> Clone for SocketNotifier<D> {
    fn clone(&self) -> Self {
        Self { state: Rc::clone(&self.state) }
    }
}

impl<D: AsFd + 'static> Handle for SocketNotifier<D> {
    type Weak = WeakSocketNotifier<D>;

    fn downgrade(&self) -> WeakSocketNotifier<D> {
        WeakSocketNotifier::new(Rc::downgrade(&self.state))
    }

    fn upgrade(weak: &WeakSocketNotifier<D>) -> Option<Self> {
        weak.upgrade()
    }
}

impl<D: AsFd> fmt::Debug for SocketNotifier<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketNotifier")
            .field("descriptor", &self.state.descriptor.as_fd())
            .field("readable", &self.state.interest.reads.get())
            .field("writable", &self.state.interest.writes.get())
            .finish()
    }
}
